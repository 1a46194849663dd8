//! `sortie guardrail show|set|hold|release`: what no effect may pass by.

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use sortie_connector::BuiltIn;
use sortie_model::ConnectionName;
use sortie_store::{CEILINGS, GuardrailChange, Guardrails, Permission, Rule, RuleError, Scope, Store, StoreError};

use crate::{
    connections::{self, SHARED_NAME},
    context::Context,
    database,
    exit::{Exit, Problem},
    guard,
    output::{Field, properties, say},
    product::Product,
};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Show what is protected, the ceilings and the switch
    Show(ShowArguments),
    /// Change what is protected, the ceilings, and whether effects are only observed
    Set(SetArguments),
    /// Hold every effect at once, also those that undo; reading goes on
    Hold(HoldArguments),
    /// Let effects leave again
    Release(ReleaseArguments),
}

/// Whose guardrails.
#[derive(Args)]
pub(crate) struct WhoseArguments {
    /// Those of one tenant of `sortie tenant list`; those for all tenants when absent
    #[arg(long, value_name = "NAME")]
    tenant: Option<ConnectionName>,
}

#[derive(Args)]
pub(crate) struct ShowArguments {
    #[command(flatten)]
    whose: WhoseArguments,
    /// As JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(crate) struct SetArguments {
    #[command(flatten)]
    whose: WhoseArguments,
    /// Protect what this fits: device-name, device-tag, device-id, user-name, user-id or user-role, `:` and a pattern with
    /// `*`, such as device-name:dc-*; repeat it for several
    #[arg(long, value_name = "RULE")]
    protect: Vec<String>,
    /// Take a rule away
    #[arg(long, value_name = "RULE")]
    unprotect: Vec<String>,
    /// At most so many in an hour, such as microsoft-365-defender/isolate-device=10; without a number the setting goes
    #[arg(long, value_name = "CONNECTOR/OPERATION=[N]")]
    ceiling: Vec<String>,
    /// Whether nothing is sent and only said what would be
    #[arg(long, value_name = "yes|no", value_parser = yes_or_no)]
    observe: Option<bool>,
}

#[derive(Args)]
pub(crate) struct HoldArguments {
    #[command(flatten)]
    whose: WhoseArguments,
    /// Why; it is shown to everybody whose effect is held
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

#[derive(Args)]
pub(crate) struct ReleaseArguments {
    #[command(flatten)]
    whose: WhoseArguments,
}

pub(crate) async fn run(command: Command, context: &Context) -> anyhow::Result<Exit> {
    let store = database::open(context).await?;
    match command {
        Command::Show(arguments) => {
            let rails = show(&store, arguments.whose.scope(&store).await?).await?;
            say(&if arguments.json { document(&rails).to_string() } else { text(&rails) })?;
        }
        Command::Set(arguments) => {
            let scope = arguments.whose.scope(&store).await?;
            say(&text(&store.change_guardrails(scope, change(&store, &arguments).await?).await?))?;
        }
        Command::Hold(arguments) => {
            let (scope, why) = (arguments.whose.scope(&store).await?, arguments.reason.trim());
            if why.is_empty() {
                let next = "Say in some words why; whoever is held reads it.";
                return Err(Problem::usage("the reason is empty", next).into());
            }
            let held = store.hold_effects(scope, why).await?.hold;
            if let Some(first) = held.filter(|hold| hold.why != why) {
                context.note(&format!("they were held already, by {} ({})", first.by, first.why));
            }
            say(&format!("all effects of {} are held", arguments.whose.shown()))?;
        }
        Command::Release(arguments) => {
            store.release_effects(arguments.whose.scope(&store).await?).await?;
            say(&format!("effects of {} may leave again", arguments.whose.shown()))?;
            if arguments.whose.tenant.is_some()
                && show(&store, Scope::Tenant(sortie_store::TenantKey::SHARED)).await?.hold.is_some()
            {
                context.note("those of all tenants are still held: `sortie guardrail release` lets them go");
            }
        }
    }
    Ok(Exit::Success)
}

/// What is in force there: the tenant's own and what is for all.
pub(crate) async fn show(store: &Store, scope: Scope) -> Result<Guardrails, StoreError> {
    guard::require(store, Permission::Read, scope)?;
    store.guardrails_in_force(scope).await
}

impl WhoseArguments {
    async fn scope(&self, store: &Store) -> anyhow::Result<Scope> {
        Ok(match &self.tenant {
            None => database::SHARED,
            Some(name) => Scope::Tenant(connections::tenant(store, name.as_str()).await?.key),
        })
    }

    fn shown(&self) -> &str {
        match self.tenant.as_ref().map(ConnectionName::as_str) {
            None | Some(SHARED_NAME) => "all tenants",
            Some(name) => name,
        }
    }
}

async fn change(store: &Store, arguments: &SetArguments) -> anyhow::Result<GuardrailChange> {
    let rules = |texts: &[String]| -> anyhow::Result<Vec<Rule>> {
        let read = |text: &String| {
            text.parse()
                .map_err(|error: RuleError| Problem::usage(format!("`{text}` is no rule"), format!("It was {error}.")))
        };
        Ok(texts.iter().map(read).collect::<Result<_, _>>()?)
    };
    let mut ceilings = Vec::new();
    for text in &arguments.ceiling {
        ceilings.push(ceiling(store, text).await?);
    }
    let change = GuardrailChange {
        protect: rules(&arguments.protect)?,
        unprotect: rules(&arguments.unprotect)?,
        ceilings,
        observe: arguments.observe,
    };
    if change == GuardrailChange::default() {
        let next = "Give `--protect`, `--unprotect`, `--ceiling` or `--observe`.";
        return Err(Problem::usage("there is nothing to change", next).into());
    }
    Ok(change)
}

/// An operation by any of its names, and how often it may be.
async fn ceiling(store: &Store, text: &str) -> anyhow::Result<(String, Option<u32>)> {
    let wrong = || {
        let next = "Write it as CONNECTOR/OPERATION=N, such as microsoft-365-defender/isolate-device=10.";
        Problem::usage(format!("`{text}` is no ceiling"), next)
    };
    let (operation, count) = text.split_once('=').ok_or_else(wrong)?;
    let (connector, name) = operation.trim().split_once('/').ok_or_else(wrong)?;
    let count = match count.trim() {
        "" => None,
        count => Some(count.parse().map_err(|_| wrong())?),
    };
    // What is counted is the operation's own id; a ceiling on a name that no operation has would never be reached. Of Defender
    // it is that of the connector that comes along, as which every such call is known.
    let product = match BuiltIn::of(connector).filter(|_| connector == guard::DEFENDER) {
        Some(built_in) => Product::built_in(built_in),
        None => Product::load(store, connector).await?,
    };
    Ok((format!("{connector}/{}", product.operation(name)?.id), count))
}

fn yes_or_no(text: &str) -> Result<bool, &'static str> {
    match text {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => Err("expected yes or no"),
    }
}

/// The ceilings in force, with those that come with Sortie.
fn ceilings(rails: &Guardrails) -> Vec<(String, u32)> {
    let mut all = rails.ceilings.clone();
    for (operation, ceiling) in CEILINGS {
        all.entry((*operation).to_owned()).or_insert(*ceiling);
    }
    all.into_iter().collect()
}

fn text(rails: &Guardrails) -> String {
    let rules: Vec<String> = rails.protected.iter().map(Rule::to_string).collect();
    let ceilings: Vec<String> = ceilings(rails).iter().map(|(name, count)| format!("{name} {count}")).collect();
    let hold = rails.hold.as_ref().map(|hold| format!("since {:.0} by {}: {}", hold.since, hold.by, hold.why));
    properties(&[
        ("Held", Field::plain(hold.unwrap_or_else(|| "no".to_owned()))),
        ("Observe", Field::plain(if rails.observe { "yes: nothing is sent" } else { "no" })),
        ("Protected", Field::plain(if rules.is_empty() { "nothing".to_owned() } else { rules.join(", ") })),
        ("In an hour", Field::plain(ceilings.join(", "))),
    ])
}

fn document(rails: &Guardrails) -> Value {
    let rules: Vec<String> = rails.protected.iter().map(Rule::to_string).collect();
    let hold = rails.hold.as_ref();
    let hold = hold.map(|hold| json!({ "by": hold.by, "since": hold.since.to_string(), "why": hold.why }));
    let ceilings: serde_json::Map<_, _> =
        ceilings(rails).into_iter().map(|(name, count)| (name, json!(count))).collect();
    json!({ "held": hold, "observe": rails.observe, "protected": rules, "ceilings": ceilings })
}
