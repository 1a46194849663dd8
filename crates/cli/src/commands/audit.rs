//! `sortie audit list|export`: who did what.

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use sortie_model::ConnectionName;
use sortie_store::{AuditEntry, AuditFilter, Permission, Scope, Store, StoreError};

use crate::{
    connections,
    context::Context,
    database,
    exit::Exit,
    guard,
    output::{Field, Listing, OutputArguments, moment, say},
    times::since,
};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// List the latest entries that match, oldest first
    List(ListArguments),
    /// Print every entry that matches as JSON lines, oldest first
    Export(ExportArguments),
}

#[derive(Args)]
pub(crate) struct ListArguments {
    #[command(flatten)]
    filter: FilterArguments,
    /// At most so many
    #[arg(long, value_name = "COUNT", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Args)]
pub(crate) struct ExportArguments {
    #[command(flatten)]
    filter: FilterArguments,
    /// Only those after this number, the last one that you have
    #[arg(long, value_name = "SEQ", default_value_t = 0)]
    after: i64,
}

#[derive(Args)]
pub(crate) struct FilterArguments {
    /// Only this tenant's; `shared` for what is for all
    #[arg(long, value_name = "NAME")]
    tenant: Option<ConnectionName>,
    /// Only this action, such as connection.change, or all before the dot: connection, user, guardrail, effect
    #[arg(long, value_name = "ACTION")]
    action: Option<String>,
    /// Only what this one did, such as alice or os:alice
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// Only what was done to this
    #[arg(long, value_name = "NAME")]
    object: Option<String>,
    /// Only since then: 24h, 7d, or an instant
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
}

pub(crate) async fn run(command: Command, context: &Context) -> anyhow::Result<Exit> {
    let store = database::open(context).await?;
    match command {
        Command::List(arguments) => {
            let (scope, filter) = arguments.filter.read(&store, context).await?;
            let entries = latest(&store, scope, &filter, arguments.limit as usize).await?;
            print(&entries, arguments.output)?;
        }
        Command::Export(arguments) => {
            let (scope, filter) = arguments.filter.read(&store, context).await?;
            let mut after = arguments.after;
            loop {
                let page = page(&store, scope, &filter, after).await?;
                let Some(last) = page.last() else { break };
                after = last.seq;
                for entry in &page {
                    say(&document(entry).to_string())?;
                }
            }
        }
    }
    Ok(Exit::Success)
}

impl FilterArguments {
    async fn read(&self, store: &Store, context: &Context) -> anyhow::Result<(Scope, AuditFilter)> {
        let scope = match &self.tenant {
            Some(name) => Scope::Tenant(connections::tenant(store, name.as_str()).await?.key),
            None => Scope::Every,
        };
        let since = self.since.as_deref().map(|text| since(text, context.clock.now())).transpose()?;
        let (action, actor, object) = (self.action.clone(), self.by.clone(), self.object.clone());
        Ok((scope, AuditFilter { action, actor, object, since }))
    }
}

/// One page of entries after a number, for whoever may read there.
pub(crate) async fn page(
    store: &Store,
    scope: Scope,
    filter: &AuditFilter,
    after: i64,
) -> Result<Vec<AuditEntry>, StoreError> {
    guard::require(store, Permission::Read, scope)?;
    store.audit_list(scope, filter.clone(), after, PAGE_LEN).await
}

/// The last entries that match.
async fn latest(
    store: &Store,
    scope: Scope,
    filter: &AuditFilter,
    count: usize,
) -> Result<Vec<AuditEntry>, StoreError> {
    let mut entries = Vec::new();
    let mut after = 0;
    loop {
        let page = page(store, scope, filter, after).await?;
        let Some(last) = page.last() else { return Ok(entries) };
        after = last.seq;
        entries.extend(page);
        entries.drain(..entries.len().saturating_sub(count));
    }
}

fn print(entries: &[AuditEntry], output: OutputArguments) -> anyhow::Result<()> {
    let columns = &["seq", "at", "by", "tenant", "action", "object", "detail"];
    let mut listing = Listing::start(output.format(), columns)?;
    for entry in entries {
        let fields = [
            Field::plain(entry.seq),
            moment(Some(entry.at)),
            Field::plain(&entry.actor_name),
            Field::plain(&entry.tenant_name),
            Field::plain(&entry.action),
            Field::plain(&entry.object),
            Field::plain(&entry.detail),
        ];
        listing.row(&fields, &document(entry).to_string())?;
    }
    listing.finish("There is no such entry.")
}

fn document(entry: &AuditEntry) -> Value {
    json!({
        "seq": entry.seq, "at": entry.at.to_string(), "tenant": entry.tenant_name, "tenant_id": entry.tenant.to_string(),
        "by": { "id": entry.actor_id, "name": entry.actor_name, "kind": entry.actor_kind },
        "action": entry.action, "object": entry.object, "detail": entry.detail,
    })
}

const PAGE_LEN: u32 = 1_000;
