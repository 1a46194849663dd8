//! What is kept of workflows: the list, versions, whether triggers start them, and their end.

use clap::Args;
use serde_json::json;
use sortie_model::ConnectionName;

use super::show::NameArguments;
use crate::{
    asking::{Api, at, items, text},
    context::Context,
    exit::Exit,
    input::confirm,
    output::{Field, Listing, OutputArguments, Tone, say, visible},
};

#[derive(Args)]
pub(crate) struct ListArguments {
    /// Only those that this tenant of `sortie tenant list` can use; of all tenants when absent
    #[arg(long, value_name = "NAME")]
    tenant: Option<ConnectionName>,
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Args)]
pub(crate) struct EnableArguments {
    #[command(flatten)]
    named: NameArguments,
    /// Let its runs only record what they would do
    #[arg(long)]
    observe: bool,
}

#[derive(Args)]
pub(crate) struct DisableArguments {
    #[command(flatten)]
    named: NameArguments,
    /// Why; it is shown with the workflow
    #[arg(long, value_name = "TEXT")]
    why: Option<String>,
}

#[derive(Args)]
pub(crate) struct VersionsArguments {
    #[command(flatten)]
    named: NameArguments,
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Args)]
pub(crate) struct RemoveArguments {
    #[command(flatten)]
    named: NameArguments,
    /// Do not ask
    #[arg(long, short = 'y')]
    yes: bool,
}

pub(super) async fn list(arguments: ListArguments, context: &Context) -> anyhow::Result<Exit> {
    let columns = &["workflow", "tenant", "state", "version", "changed", "title"];
    let mut listing = Listing::start(arguments.output.format(), columns)?;
    if let Some(api) = Api::connect_existing(context).await? {
        let answer = api.get(at(["workflows"]).with("tenant", arguments.tenant.as_ref())).await?;
        for one in items(&answer) {
            let fields = [
                Field::plain(text(one, "id")),
                Field::plain(text(one, "tenant")),
                state(text(one, "state")),
                Field::plain(short(text(one, "version"))),
                Field::plain(to_the_second(text(one, "changed"))),
                Field::plain(text(one, "title")),
            ];
            listing.row(&fields, &one.to_string())?;
        }
    }
    listing.finish("There is no workflow yet; `sortie workflow apply DIR` keeps some.")?;
    Ok(Exit::Success)
}

pub(super) async fn versions(arguments: VersionsArguments, context: &Context) -> anyhow::Result<Exit> {
    let api = Api::connect(context).await?;
    let kept = api.get(arguments.named.address([])).await?;
    let answer = api.get(arguments.named.address(["versions"])).await?;
    let mut listing = Listing::start(arguments.output.format(), &["number", "version", "made", "by", ""])?;
    for one in items(&answer) {
        let fields = [
            Field::plain(&one["number"]),
            Field::plain(short(text(one, "version"))),
            Field::plain(to_the_second(text(one, "made"))),
            Field::plain(text(one, "made_by")),
            Field::plain(if one["version"] == kept["version"] { "in force" } else { "" }),
        ];
        listing.row(&fields, &one.to_string())?;
    }
    listing.finish("It has no version.")?;
    Ok(Exit::Success)
}

pub(super) async fn enable(arguments: EnableArguments, context: &Context) -> anyhow::Result<Exit> {
    let (state, words) = match arguments.observe {
        true => ("observe", "triggers start it, and its runs only record what they would do"),
        false => ("enabled", "triggers start it"),
    };
    let api = Api::connect(context).await?;
    let kept = api.put(arguments.named.address(["state"]), json!({ "state": state })).await?;
    say(&visible(&format!("workflow {}: {words}", text(&kept, "id"))))?;
    if !api.is_served() {
        context.note("no server runs: triggers start something only while `sortie serve` does");
    }
    Ok(Exit::Success)
}

pub(super) async fn disable(arguments: DisableArguments, context: &Context) -> anyhow::Result<Exit> {
    let api = Api::connect(context).await?;
    let body = json!({ "state": "disabled", "why": arguments.why });
    let kept = api.put(arguments.named.address(["state"]), body).await?;
    say(&visible(&format!("workflow {}: no trigger starts it; runs that have begun go on", text(&kept, "id"))))?;
    Ok(Exit::Success)
}

pub(super) async fn remove(arguments: RemoveArguments, context: &Context) -> anyhow::Result<Exit> {
    let name = &arguments.named.name;
    if !confirm(&visible(&format!("Remove workflow {name}?")), arguments.yes)? {
        context.note("nothing was removed");
        return Ok(Exit::Usage);
    }
    Api::connect(context).await?.delete(arguments.named.address([])).await?;
    say(&visible(&format!("workflow {name} removed; runs that have ended keep their version")))?;
    Ok(Exit::Success)
}

/// A state in its colour.
pub(super) fn state(word: &str) -> Field {
    match word {
        "enabled" => Field::toned(word, Tone::Good),
        "paused" => Field::toned(word, Tone::Bad),
        "observe" => Field::toned(word, Tone::Warning),
        _ => Field::plain(word),
    }
}

/// As much of a version as tells it from others.
pub(crate) fn short(version: &str) -> &str {
    version.get(..12).unwrap_or(version)
}

/// An instant of the API as lists show it.
pub(crate) fn to_the_second(at: &str) -> String {
    at.parse::<jiff::Timestamp>().map_or_else(|_| at.to_owned(), |at| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}
