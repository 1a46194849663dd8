//! `sortie guardrail show|set|hold|release`: what no effect may pass by.

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};
use sortie_model::ConnectionName;
use sortie_store::CEILINGS;

use crate::{
    asking::{Address, Api, at, text},
    commands::workflow::to_the_second,
    connections::SHARED_NAME,
    context::Context,
    exit::{Exit, Problem},
    output::{Field, properties, say},
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
    match command {
        Command::Show(arguments) => {
            let address = arguments.whose.address(at(["guardrails"]));
            let rails = Api::connect(context).await?.get(address).await?["in_force"].take();
            say(&if arguments.json { document(&rails).to_string() } else { shown(&rails) })?;
        }
        Command::Set(arguments) => {
            let address = arguments.whose.address(at(["guardrails"]));
            let rails = Api::connect(context).await?.put(address, change(&arguments)?).await?["own"].take();
            say(&shown(&rails))?;
        }
        Command::Hold(arguments) => {
            let why = arguments.reason.trim();
            if why.is_empty() {
                let next = "Say in some words why; whoever is held reads it.";
                return Err(Problem::usage("the reason is empty", next).into());
            }
            let address = arguments.whose.address(at(["guardrails", "hold"]));
            let held = Api::connect(context).await?.post(address, json!({ "why": why })).await?["own"]["hold"].take();
            if text(&held, "why") != why {
                let (by, first) = (text(&held, "by"), text(&held, "why"));
                context.note(&format!("they were held already, by {by} ({first})"));
            }
            say(&format!("all effects of {} are held", arguments.whose.shown()))?;
        }
        Command::Release(arguments) => {
            let address = arguments.whose.address(at(["guardrails", "release"]));
            let released = Api::connect(context).await?.post(address, Value::Null).await?;
            say(&format!("effects of {} may leave again", arguments.whose.shown()))?;
            if arguments.whose.tenant.is_some() && !released["in_force"]["hold"].is_null() {
                context.note("those of all tenants are still held: `sortie guardrail release` lets them go");
            }
        }
    }
    Ok(Exit::Success)
}

impl WhoseArguments {
    /// What is for all is what the tenant `shared` has.
    fn address(&self, address: Address) -> Address {
        address.with("tenant", Some(self.tenant.as_ref().map_or(SHARED_NAME, ConnectionName::as_str)))
    }

    fn shown(&self) -> &str {
        match self.tenant.as_ref().map(ConnectionName::as_str) {
            None | Some(SHARED_NAME) => "all tenants",
            Some(name) => name,
        }
    }
}

fn change(arguments: &SetArguments) -> Result<Value, Problem> {
    let SetArguments { protect, unprotect, ceiling, observe, .. } = arguments;
    if protect.is_empty() && unprotect.is_empty() && ceiling.is_empty() && observe.is_none() {
        let next = "Give `--protect`, `--unprotect`, `--ceiling` or `--observe`.";
        return Err(Problem::usage("there is nothing to change", next));
    }
    let ceilings: Map<String, Value> = ceiling.iter().map(|text| read_ceiling(text)).collect::<Result<_, _>>()?;
    Ok(json!({ "protect": protect, "unprotect": unprotect, "ceilings": ceilings, "observe": observe }))
}

/// `CONNECTOR/OPERATION=N`; which operation that is, the server says.
fn read_ceiling(text: &str) -> Result<(String, Value), Problem> {
    let wrong = || {
        let next = "Write it as CONNECTOR/OPERATION=N, such as microsoft-365-defender/isolate-device=10.";
        Problem::usage(format!("`{text}` is no ceiling"), next)
    };
    let (operation, count) = text.split_once('=').ok_or_else(wrong)?;
    let count = match count.trim() {
        "" => Value::Null,
        count => count.parse::<u32>().map_err(|_| wrong())?.into(),
    };
    Ok((operation.trim().to_owned(), count))
}

fn yes_or_no(text: &str) -> Result<bool, &'static str> {
    match text {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => Err("expected yes or no"),
    }
}

/// The ceilings in force, with those that come with Sortie.
fn ceilings(rails: &Value) -> Map<String, Value> {
    let mut all = rails["ceilings"].as_object().cloned().unwrap_or_default();
    for (operation, ceiling) in CEILINGS {
        all.entry(*operation).or_insert((*ceiling).into());
    }
    all
}

fn shown(rails: &Value) -> String {
    let rules: Vec<&str> = rails["protected"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let mut ceilings: Vec<String> = ceilings(rails).iter().map(|(name, count)| format!("{name} {count}")).collect();
    ceilings.sort();
    let hold = &rails["hold"];
    let held = format!("since {} by {}: {}", to_the_second(text(hold, "since")), text(hold, "by"), text(hold, "why"));
    let observes = rails["observe"] == true;
    properties(&[
        ("Held", Field::plain(if hold.is_null() { "no".to_owned() } else { held })),
        ("Observe", Field::plain(if observes { "yes: nothing is sent" } else { "no" })),
        ("Protected", Field::plain(if rules.is_empty() { "nothing".to_owned() } else { rules.join(", ") })),
        ("In an hour", Field::plain(ceilings.join(", "))),
    ])
}

fn document(rails: &Value) -> Value {
    json!({
        "held": rails["hold"], "observe": rails["observe"], "protected": rails["protected"], "ceilings": ceilings(rails),
    })
}
