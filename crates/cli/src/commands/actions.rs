//! `sortie actions list|show|cancel`, and how an order to a device is printed and waited for.

use std::time::Duration;

use clap::{Args, Subcommand};
use sortie_defender::{ActionFilter, ActionStatus, Document, MachineAction};
use sortie_model::ActionId;

use super::{devices::device, listing::PrintedList};
use crate::{
    context::{Context, Session, TenantArguments},
    exit::{Exit, Problem},
    guard::{self, Passed},
    input::confirm,
    orders::Given,
    output::{Field, Format, Listing, OutputArguments, Tone, moment, properties, say},
    times::{since, span},
};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// List machine actions, newest first
    List(ListArguments),
    /// Show one action, or wait for its end
    Show(ShowArguments),
    /// Take an action back that has not ended
    Cancel(CancelArguments),
}

#[derive(Args)]
pub(crate) struct ListArguments {
    /// Only those of this device, by its name or id
    #[arg(long)]
    device: Option<String>,
    /// Only these: Isolate, Unisolate, RunAntiVirusScan and so on
    #[arg(long)]
    kind: Option<String>,
    /// Only these: Pending, InProgress, Succeeded, Failed, TimeOut, Cancelled
    #[arg(long)]
    status: Option<String>,
    /// Only those ordered since then: 24h, 7d, or an instant
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// At most so many
    #[arg(long, value_name = "COUNT")]
    limit: Option<u64>,
    #[command(flatten)]
    tenants: TenantArguments,
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Args)]
pub(crate) struct ShowArguments {
    /// The action's id, a GUID
    id: String,
    #[command(flatten)]
    wait: WaitArguments,
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Args)]
pub(crate) struct CancelArguments {
    /// The action's id, a GUID
    id: String,
    /// Why; it stands beside the action in the portal
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Do not ask
    #[arg(long, short = 'y')]
    yes: bool,
    #[command(flatten)]
    output: OutputArguments,
}

/// Whether to stay until the device has done it.
#[derive(Args)]
pub(crate) struct WaitArguments {
    /// Wait until the action has ended
    #[arg(long)]
    wait: bool,
    /// Wait no longer than this: 90s, 30m, 24h
    #[arg(long, value_name = "SPAN", default_value = "30m")]
    wait_max: String,
}

pub(crate) async fn run(command: Command, context: &Context) -> anyhow::Result<Exit> {
    match command {
        Command::List(arguments) => list(arguments, context).await,
        Command::Show(arguments) => {
            let session = context.session().await?;
            let action = session.defender.action(&action_id(&arguments.id)?).await?;
            let action = waited(&session, action, &arguments.wait, context).await?;
            print_action(&action, arguments.output.format())?;
            Ok(if arguments.wait.wait { exit_of(&action, context) } else { Exit::Success })
        }
        Command::Cancel(arguments) => {
            let id = action_id(&arguments.id)?;
            if !confirm(&format!("Cancel action {id}?"), arguments.yes)? {
                context.note("nothing was sent");
                return Ok(Exit::Usage);
            }
            let session = context.session().await?;
            if guard::pass_change(&session, "cancel-device-action", &id.0, context).await? == Passed::Observed {
                return Ok(Exit::Success);
            }
            let action = session.defender.cancel_action(&id, arguments.reason.trim()).await?;
            print_action(&action, arguments.output.format())?;
            Ok(Exit::Success)
        }
    }
}

async fn list(arguments: ListArguments, context: &Context) -> anyhow::Result<Exit> {
    let now = context.clock.now();
    let sessions = context.sessions(arguments.tenants).await?;
    let machine = match (&arguments.device, &sessions.sessions[..]) {
        (Some(text), [session]) => Some(session.defender.machine(&device(text)?).await?.id),
        (Some(_), _) => {
            let next = "Leave `--tenant` out, and name the connection with `--connection`.";
            return Err(Problem::usage("a device belongs to one tenant", next).into());
        }
        (None, _) => None,
    };
    let filter = ActionFilter {
        machine,
        kind: arguments.kind,
        status: arguments.status,
        created_since: arguments.since.as_deref().map(|text| since(text, now)).transpose()?,
    };
    let list = PrintedList { what: "actions", columns: COLUMNS, fields: action_fields, limit: arguments.limit };
    list.print(&sessions, |session| session.defender.actions(&filter), arguments.output.format(), context).await
}

/// Says what became of an order, waits where that is wanted, and ends with the order's outcome.
pub(super) async fn print_given(
    session: &Session,
    given: Given,
    wait: &WaitArguments,
    format: Format,
    context: &Context,
) -> anyhow::Result<Exit> {
    let action = match given {
        Given::Sent(action) => action,
        Given::Observed(draft) => {
            say(&serde_json::json!({ "method": "POST", "url": draft.url.as_str(), "body": draft.body }).to_string())?;
            guard::tell_observed(context);
            return Ok(Exit::Success);
        }
        Given::Before(action) => {
            context.note(&match action.status.is_final() {
                true => format!(
                    "this order was given before as action {} ({}); nothing was sent now, `--again` would give a new one",
                    action.id, action.status
                ),
                false => format!("this order was given before as action {}; nothing was sent now", action.id),
            });
            action
        }
    };
    let action = waited(session, action, wait, context).await?;
    print_action(&action, format)?;
    Ok(if wait.wait || action.status.is_final() { exit_of(&action, context) } else { Exit::Success })
}

async fn waited(
    session: &Session,
    action: MachineAction,
    wait: &WaitArguments,
    context: &Context,
) -> anyhow::Result<MachineAction> {
    let patience = Duration::try_from(span(&wait.wait_max)?).unwrap_or(Duration::MAX);
    if !wait.wait {
        return Ok(action);
    }
    let start = tokio::time::Instant::now();
    let tell = |action: &MachineAction| {
        let device = action.machine_name.as_deref().unwrap_or("the device");
        let after = start.elapsed().as_secs();
        context.note(&format!("{} {device}: {} after {after} s", action.kind, action.status));
    };
    Ok(session.defender.await_action(action, patience, tell).await?)
}

fn exit_of(action: &MachineAction, context: &Context) -> Exit {
    match action.status {
        ActionStatus::Succeeded => Exit::Success,
        _ if action.status.is_final() => Exit::Findings,
        _ => {
            let next = format!("the action has not ended; `sortie actions show {} --wait` goes on waiting", action.id);
            context.note(&next);
            Exit::Findings
        }
    }
}

fn print_action(action: &MachineAction, format: Format) -> anyhow::Result<()> {
    match format {
        Format::Json | Format::Jsonl => say(action.document.as_str()),
        Format::Csv => {
            let mut listing = Listing::start(format, COLUMNS)?;
            listing.row(&action_fields(&action.document), action.document.as_str())?;
            listing.finish("")
        }
        Format::Table => say(&action_text(action)),
    }
}

fn action_text(action: &MachineAction) -> String {
    properties(&[
        ("Action", Field::plain(&action.id)),
        ("Kind", Field::plain(&action.kind)),
        ("Scope", Field::maybe(action.scope.as_ref())),
        ("Status", status_field(&action.status)),
        ("Device", Field::maybe(action.machine_name.as_ref())),
        ("Device id", Field::maybe(action.machine.as_ref())),
        ("Ordered by", Field::maybe(action.requestor.as_ref())),
        ("Reason", Field::maybe(action.comment.as_ref())),
        ("Trouble", Field::maybe(action.trouble.as_ref())),
        ("Ordered", moment(action.created)),
        ("Changed", moment(action.updated)),
    ])
}

fn action_fields(document: &Document) -> Vec<Field> {
    let Some(action) = MachineAction::read(document) else { return vec![Field::toned("unreadable", Tone::Warning)] };
    vec![
        Field::plain(&action.id),
        Field::plain(&action.kind),
        status_field(&action.status),
        moment(action.created),
        Field::maybe(action.machine_name.as_ref()),
        Field::maybe(action.requestor.as_ref()),
        Field::maybe(action.comment.as_ref()),
    ]
}

fn status_field(status: &ActionStatus) -> Field {
    let tone = match status {
        ActionStatus::Succeeded => Tone::Good,
        ActionStatus::Failed | ActionStatus::TimeOut => Tone::Bad,
        ActionStatus::Cancelled => Tone::Warning,
        _ => Tone::Plain,
    };
    Field::toned(status, tone)
}

fn action_id(text: &str) -> anyhow::Result<ActionId> {
    let id = text.trim();
    if id.len() != 36 || !id.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-') {
        let next = "Give the GUID that `sortie actions list` shows.";
        return Err(Problem::usage(format!("`{text}` is no action id"), next).into());
    }
    Ok(ActionId(id.to_ascii_lowercase()))
}

const COLUMNS: &[&str] = &["id", "kind", "status", "ordered", "device", "by", "reason"];
