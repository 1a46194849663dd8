//! `sortie runs list`.

use clap::Args;
use serde_json::Value;
use sortie_model::ConnectionName;

use crate::{
    asking::{Api, at, text},
    commands::workflow::to_the_second,
    context::Context,
    exit::Exit,
    output::{Field, Listing, OutputArguments, Tone},
};

#[derive(Args)]
pub(crate) struct Arguments {
    /// Only this tenant's
    #[arg(long, value_name = "NAME")]
    tenant: Option<ConnectionName>,
    /// Only those of this workflow
    #[arg(long, value_name = "NAME")]
    workflow: Option<String>,
    /// Only those that go so: queued, running, waiting, held, blocked, needs_attention, ended
    #[arg(long, value_name = "WORD")]
    status: Option<String>,
    /// Only those that ended so: succeeded, failed, cancelled, timed_out
    #[arg(long, value_name = "WORD")]
    outcome: Option<String>,
    /// Only those about this, such as "incident 924518"
    #[arg(long, value_name = "OBJECT")]
    object: Option<String>,
    /// At most so many
    #[arg(long, value_name = "COUNT", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    limit: u32,
    #[command(flatten)]
    output: OutputArguments,
}

pub(super) async fn run(arguments: Arguments, context: &Context) -> anyhow::Result<Exit> {
    let columns = &["run", "tenant", "workflow", "stands", "started", "by", "about", "why"];
    let mut listing = Listing::start(arguments.output.format(), columns)?;
    if let Some(api) = Api::connect_existing(context).await? {
        let address = at(["runs"])
            .with("tenant", arguments.tenant.as_ref())
            .with("workflow", arguments.workflow.as_ref())
            .with("status", arguments.status.as_ref())
            .with("outcome", arguments.outcome.as_ref())
            .with("object", arguments.object.as_ref());
        let limit = usize::try_from(arguments.limit).unwrap_or(usize::MAX);
        api.pages(&address, "before", None, limit, |run| {
            let fields = [
                Field::plain(text(run, "id")),
                Field::plain(text(run, "tenant")),
                Field::plain(text(run, "workflow")),
                stands(run),
                Field::plain(to_the_second(text(run, "made"))),
                Field::plain(text(run, "started_by")),
                Field::plain(text(run, "object")),
                Field::plain(text(run, "why")),
            ];
            listing.row(&fields, &run.to_string())
        })
        .await?;
    }
    listing.finish("There is no such run.")?;
    Ok(Exit::Success)
}

/// How it goes or how it ended, in one or two words.
pub(super) fn stands(run: &Value) -> Field {
    let dry = if text(run, "mode") == "live" { "" } else { ", dry" };
    let (word, tone) = match (text(run, "status"), text(run, "outcome")) {
        ("ended", "succeeded") => ("succeeded", Tone::Good),
        ("ended", "failed" | "timed_out") if run["handled"] == true => ("failed, dealt with", Tone::Warning),
        ("ended", outcome) => (outcome, Tone::Bad),
        ("needs_attention", _) => ("needs attention", Tone::Bad),
        (status @ ("held" | "blocked"), _) => (status, Tone::Warning),
        (status, _) => (status, Tone::Plain),
    };
    Field::toned(format!("{}{dry}", word.replace('_', " ")), tone)
}
