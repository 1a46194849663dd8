//! `sortie workflow hook`: the secrets of webhooks, told once.

use clap::{Args, Subcommand};
use http::Method;
use serde_json::Value;
use sortie_model::ConnectionName;

use super::kept::to_the_second;
use crate::{
    asking::{Address, Api, at, text},
    context::Context,
    exit::{Exit, Problem},
    input::confirm,
    output::{Field, properties, say, visible},
};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Show where the webhook is, how senders prove themselves, and when its secret was made
    Show(HookArguments),
    /// Make a new secret and print it, once; the one before it is good for another hour
    Renew(HookArguments),
    /// Take the secrets away, so that nobody can prove themselves any more
    Remove(RemoveArguments),
}

#[derive(Args)]
pub(crate) struct HookArguments {
    /// The workflow's id
    name: String,
    /// In this tenant of `sortie tenant list`; may be left out where there is only one
    #[arg(long, value_name = "NAME")]
    tenant: Option<ConnectionName>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(crate) struct RemoveArguments {
    /// The workflow's id
    name: String,
    /// In this tenant of `sortie tenant list`; may be left out where there is only one
    #[arg(long, value_name = "NAME")]
    tenant: Option<ConnectionName>,
    /// Do not ask
    #[arg(long, short = 'y')]
    yes: bool,
}

pub(super) async fn run(command: Command, context: &Context) -> anyhow::Result<Exit> {
    let address = |name: &str, tenant: &Option<ConnectionName>| -> Address {
        at(["workflows", name, "hook"]).with("tenant", tenant.as_ref())
    };
    match command {
        Command::Show(arguments) => {
            let api = Api::connect(context).await?;
            let asked = api.try_ask(Method::GET, address(&arguments.name, &arguments.tenant), None).await?;
            let hook = asked.map_err(|refused| match refused.problem.what.starts_with("there is no secret") {
                true => {
                    let next = format!("`sortie workflow hook renew {}` makes one.", arguments.name);
                    Problem { next, ..refused.problem }
                }
                false => refused.problem,
            })?;
            print(&hook, &api, &arguments, context)?;
        }
        Command::Renew(arguments) => {
            let api = Api::connect(context).await?;
            let made = api.put(address(&arguments.name, &arguments.tenant), Value::Null).await?;
            print(&made, &api, &arguments, context)?;
            context.note("the secret is not shown again");
        }
        Command::Remove(arguments) => {
            let question = format!("Take the secrets of the webhook of {} away?", arguments.name);
            if !confirm(&visible(&question), arguments.yes)? {
                context.note("nothing was removed");
                return Ok(Exit::Usage);
            }
            Api::connect(context).await?.delete(address(&arguments.name, &arguments.tenant)).await?;
            say(&visible(&format!("the webhook of {} takes nothing more", arguments.name)))?;
        }
    }
    Ok(Exit::Success)
}

fn print(hook: &Value, api: &Api, arguments: &HookArguments, context: &Context) -> anyhow::Result<()> {
    if arguments.json {
        return say(&hook.to_string());
    }
    let proofs: Vec<&str> = hook["proofs"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let proofs = proofs.iter().map(|proof| if *proof == "hmac" { "signature" } else { proof }).collect::<Vec<_>>();
    say(&properties(&[
        ("Address", Field::plain(text(hook, "address"))),
        ("Proved by", Field::plain(proofs.join(", "))),
        ("Secret", Field::plain(text(hook, "secret"))),
        ("Made", Field::plain(to_the_second(text(hook, "made")))),
        ("The one before is good until", Field::plain(to_the_second(text(hook, "old_until")))),
    ]))?;
    if !api.is_served() {
        context.note("no server runs: the address is taken where `sortie serve` listens");
    }
    Ok(())
}
