//! `sortie audit list|export`: who did what.

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use sortie_model::ConnectionName;

use crate::{
    asking::{Address, Api, at, text},
    commands::workflow::to_the_second,
    context::Context,
    exit::Exit,
    output::{Field, Listing, OutputArguments, say},
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
    match command {
        Command::List(arguments) => {
            let limit = usize::try_from(arguments.limit).unwrap_or(usize::MAX);
            let mut latest = Vec::new();
            let api = Api::connect(context).await?;
            let end = Some(i64::MAX.to_string());
            api.pages(&arguments.filter.address(context)?, "before", end, limit, |entry| {
                latest.push(entry.clone());
                Ok(())
            })
            .await?;
            latest.reverse();
            print(&latest, arguments.output)?;
        }
        Command::Export(arguments) => {
            let api = Api::connect(context).await?;
            let first = Some(arguments.after.to_string());
            api.pages(&arguments.filter.address(context)?, "after", first, usize::MAX, |entry| {
                say(&document(entry).to_string())
            })
            .await?;
        }
    }
    Ok(Exit::Success)
}

impl FilterArguments {
    fn address(&self, context: &Context) -> anyhow::Result<Address> {
        let since = self.since.as_deref().map(|text| since(text, context.clock.now())).transpose()?;
        Ok(at(["audit"])
            .with("tenant", self.tenant.as_ref())
            .with("action", self.action.as_ref())
            .with("actor", self.by.as_ref())
            .with("object", self.object.as_ref())
            .with("since", since))
    }
}

fn print(entries: &[Value], output: OutputArguments) -> anyhow::Result<()> {
    let columns = &["seq", "at", "by", "tenant", "action", "object", "detail"];
    let mut listing = Listing::start(output.format(), columns)?;
    for entry in entries {
        let fields = [
            Field::plain(&entry["seq"]),
            Field::plain(to_the_second(text(entry, "at"))),
            Field::plain(text(&entry["actor"], "name")),
            Field::plain(text(entry, "tenant")),
            Field::plain(text(entry, "action")),
            Field::plain(text(entry, "object")),
            Field::plain(&entry["detail"]),
        ];
        listing.row(&fields, &document(entry).to_string())?;
    }
    listing.finish("There is no such entry.")
}

fn document(entry: &Value) -> Value {
    json!({
        "seq": entry["seq"], "at": entry["at"], "tenant": entry["tenant"], "tenant_id": entry["tenant_id"],
        "by": entry["actor"], "action": entry["action"], "object": entry["object"], "detail": entry["detail"],
    })
}
