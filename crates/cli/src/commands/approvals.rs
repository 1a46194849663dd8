//! `sortie approvals list|show|approve|reject`: questions of runs to people.

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use sortie_model::ConnectionName;

use crate::{
    asking::{Api, at, text},
    commands::workflow::to_the_second,
    context::Context,
    exit::Exit,
    following::tell_who_goes_on,
    output::{Field, Listing, OutputArguments, Tone, properties, say, visible},
};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// List the open questions, the latest first
    List(ListArguments),
    /// Show a question
    Show(ShowArguments),
    /// Say yes
    Approve(DecideArguments),
    /// Say no
    Reject(DecideArguments),
}

#[derive(Args)]
pub(crate) struct ListArguments {
    /// Only this tenant's
    #[arg(long, value_name = "NAME")]
    tenant: Option<ConnectionName>,
    /// Those that are decided, too
    #[arg(long)]
    all: bool,
    /// At most so many
    #[arg(long, value_name = "COUNT", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Args)]
pub(crate) struct ShowArguments {
    /// The question's id
    id: String,
    /// As JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(crate) struct DecideArguments {
    /// The question's id
    id: String,
    /// Why; it stands in the run's journal and in the audit log
    #[arg(long, value_name = "TEXT")]
    why: Option<String>,
}

pub(crate) async fn run(command: Command, context: &Context) -> anyhow::Result<Exit> {
    match command {
        Command::List(arguments) => list(arguments, context).await,
        Command::Show(arguments) => show(&arguments, context).await,
        Command::Approve(arguments) => decide(&arguments, true, context).await,
        Command::Reject(arguments) => decide(&arguments, false, context).await,
    }
}

async fn list(arguments: ListArguments, context: &Context) -> anyhow::Result<Exit> {
    let columns = &["approval", "tenant", "workflow", "stands", "until", "roles", "question"];
    let mut listing = Listing::start(arguments.output.format(), columns)?;
    if let Some(api) = Api::connect_existing(context).await? {
        let address = at(["approvals"]).with("tenant", arguments.tenant.as_ref());
        let address = address.with("open", (!arguments.all).then_some(true));
        let limit = usize::try_from(arguments.limit).unwrap_or(usize::MAX);
        api.pages(&address, "before", None, limit, |one| {
            let fields = [
                Field::plain(text(one, "id")),
                Field::plain(text(one, "tenant")),
                Field::plain(text(one, "workflow")),
                stands(one),
                Field::plain(to_the_second(text(one, "ends"))),
                Field::plain(roles(one)),
                Field::plain(text(one, "ask")),
            ];
            listing.row(&fields, &one.to_string())
        })
        .await?;
    }
    listing.finish(if arguments.all { "Nobody was asked yet." } else { "No question is open." })?;
    Ok(Exit::Success)
}

async fn show(arguments: &ShowArguments, context: &Context) -> anyhow::Result<Exit> {
    let one = Api::connect(context).await?.get(at(["approvals", &arguments.id])).await?;
    say(&if arguments.json { one.to_string() } else { whole(&one) })?;
    Ok(Exit::Success)
}

async fn decide(arguments: &DecideArguments, approves: bool, context: &Context) -> anyhow::Result<Exit> {
    let api = Api::connect(context).await?;
    let body = json!({ "approves": approves, "why": arguments.why });
    let decided = api.post(at(["approvals", &arguments.id, "decision"]), body).await?;
    say(&visible(&format!("{}: {}", text(&decided, "decision"), text(&decided, "ask"))))?;
    tell_who_goes_on(&api, text(&decided, "run"), context);
    Ok(Exit::Success)
}

fn whole(one: &Value) -> String {
    let own = if one["own"] == true { "" } else { "; not whoever started the run" };
    properties(&[
        ("Approval", Field::plain(text(one, "id"))),
        ("Question", Field::plain(text(one, "ask"))),
        ("Tenant", Field::plain(text(one, "tenant"))),
        ("Workflow", Field::plain(text(one, "workflow"))),
        ("Run", Field::plain(text(one, "run"))),
        ("Started by", Field::plain(text(one, "started_by"))),
        ("Asked", Field::plain(to_the_second(text(one, "asked")))),
        ("Until", Field::plain(to_the_second(text(one, "ends")))),
        ("May decide", Field::plain(format!("{}{own}", roles(one)))),
        ("Stands", stands(one)),
        ("By", Field::plain(text(one, "decided_by"))),
        ("At", Field::plain(to_the_second(text(one, "decided")))),
        ("Why", Field::plain(text(one, "why"))),
    ])
}

fn stands(one: &Value) -> Field {
    match text(one, "decision") {
        "" => Field::toned("open", Tone::Warning),
        decision => Field::plain(decision),
    }
}

fn roles(one: &Value) -> String {
    let roles: Vec<&str> = one["roles"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if roles.is_empty() { "responder".to_owned() } else { roles.join(", ") }
}
