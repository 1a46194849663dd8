//! `sortie devices list|show|isolate|release|scan|restrict|unrestrict|collect|quarantine-file|offboard|tag`.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Subcommand, ValueEnum};
use sortie_defender::{DeviceOrder, Document, Machine, MachineFilter, TagChange};

use super::{
    actions::{WaitArguments, print_given},
    listing::PrintedList,
};
use crate::{
    context::{Context, Session, TenantArguments},
    exit::{Exit, Problem},
    guard::{self, Effect, Passed},
    input::confirm,
    orders::{self, Request},
    output::{Field, Format, Listing, OutputArguments, Tone, moment, properties, say},
    state,
    times::since,
};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// List devices
    List(ListArguments),
    /// Show one device
    Show(ShowArguments),
    /// Cut a device off from the network; only Defender still reaches it
    Isolate(IsolateArguments),
    /// Give an isolated device its network back
    Release(OrderArguments),
    /// Let the antivirus scan a device
    Scan(ScanArguments),
    /// Let only code run that Microsoft signed
    Restrict(OrderArguments),
    /// Let any code run again
    Unrestrict(OrderArguments),
    /// Collect the investigation package
    Collect(OrderArguments),
    /// Stop a file's processes and put it into quarantine
    QuarantineFile(QuarantineArguments),
    /// Take a device out of Defender for Endpoint, for good
    Offboard(OrderArguments),
    /// Add or remove a tag
    Tag(TagArguments),
}

#[derive(Args)]
pub(crate) struct ListArguments {
    /// Only these: Active, Inactive, ImpairedCommunication, NoSensorData and so on
    #[arg(long)]
    health: Option<String>,
    /// Only these: None, Informational, Low, Medium, High
    #[arg(long)]
    risk: Option<String>,
    /// Only these, such as Windows11
    #[arg(long, value_name = "PLATFORM")]
    os: Option<String>,
    /// Only those that carry this tag
    #[arg(long)]
    tag: Option<String>,
    /// Only those whose name begins so
    #[arg(long, value_name = "PREFIX")]
    name: Option<String>,
    /// Only those that reported since then: 24h, 7d, or an instant
    #[arg(long, value_name = "TIME")]
    seen_since: Option<String>,
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
    /// The device's name or its id of 40 hexadecimal digits
    device: String,
    #[command(flatten)]
    output: OutputArguments,
}

/// What all orders have in common.
#[derive(Args)]
pub(crate) struct OrderArguments {
    /// The device's name or its id of 40 hexadecimal digits
    device: String,
    /// Why; it stands beside the action in the portal
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Do not ask
    #[arg(long, short = 'y')]
    yes: bool,
    /// A key of your own: with the same key it is the same order for ever
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// A new order, although the same one was carried out within the last hour
    #[arg(long, conflicts_with = "key")]
    again: bool,
    /// After a lost answer, believe that the order did not arrive when it has not shown for so many seconds
    #[arg(long, env = "SORTIE_SETTLE", value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3600))]
    settle: u64,
    #[command(flatten)]
    wait: WaitArguments,
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Args)]
pub(crate) struct IsolateArguments {
    /// Leave Outlook, Teams and Skype their connection
    #[arg(long)]
    selective: bool,
    #[command(flatten)]
    order: OrderArguments,
}

#[derive(Args)]
pub(crate) struct ScanArguments {
    /// How much is scanned
    #[arg(long, value_enum, default_value_t = Scan::Quick)]
    r#type: Scan,
    #[command(flatten)]
    order: OrderArguments,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Scan {
    Quick,
    Full,
}

#[derive(Args)]
pub(crate) struct QuarantineArguments {
    /// The file's SHA-1, 40 hexadecimal digits
    #[arg(long, value_name = "HASH")]
    sha1: String,
    #[command(flatten)]
    order: OrderArguments,
}

#[derive(Args)]
pub(crate) struct TagArguments {
    /// The device's name or its id of 40 hexadecimal digits
    device: String,
    /// The tag
    tag: String,
    /// Remove it instead of adding it
    #[arg(long)]
    remove: bool,
    #[command(flatten)]
    output: OutputArguments,
}

pub(crate) async fn run(command: Command, context: &Context) -> anyhow::Result<Exit> {
    match command {
        Command::List(arguments) => list(arguments, context).await,
        Command::Show(arguments) => {
            let machine = context.session().await?.defender.machine(&device(&arguments.device)?).await?;
            print_machine(&machine, arguments.output.format())
        }
        Command::Tag(arguments) => tag(arguments, context).await,
        Command::Isolate(arguments) => {
            order(DeviceOrder::Isolate { selective: arguments.selective }, arguments.order, context).await
        }
        Command::Release(arguments) => order(DeviceOrder::Release, arguments, context).await,
        Command::Scan(arguments) => {
            order(DeviceOrder::Scan { full: arguments.r#type == Scan::Full }, arguments.order, context).await
        }
        Command::Restrict(arguments) => order(DeviceOrder::Restrict, arguments, context).await,
        Command::Unrestrict(arguments) => order(DeviceOrder::Unrestrict, arguments, context).await,
        Command::Collect(arguments) => order(DeviceOrder::Collect, arguments, context).await,
        Command::QuarantineFile(arguments) => {
            let sha1 = sha1(&arguments.sha1)?;
            order(DeviceOrder::QuarantineFile { sha1 }, arguments.order, context).await
        }
        Command::Offboard(arguments) => order(DeviceOrder::Offboard, arguments, context).await,
    }
}

async fn list(arguments: ListArguments, context: &Context) -> anyhow::Result<Exit> {
    let now = context.clock.now();
    let filter = MachineFilter {
        health: arguments.health,
        risk: arguments.risk,
        os_platform: arguments.os,
        tag: arguments.tag,
        name_prefix: arguments.name,
        seen_since: arguments.seen_since.as_deref().map(|text| since(text, now)).transpose()?,
    };
    let sessions = context.sessions(arguments.tenants).await?;
    let list = PrintedList { what: "devices", columns: COLUMNS, fields: machine_fields, limit: arguments.limit };
    list.print(&sessions, |session| session.defender.machines(&filter), arguments.output.format(), context).await
}

async fn tag(arguments: TagArguments, context: &Context) -> anyhow::Result<Exit> {
    let session = context.session().await?;
    let machine = session.defender.machine(&device(&arguments.device)?).await?;
    // Its tags as they are: what a rule protects by its tag cannot be stripped of that tag here.
    let effect = Effect {
        names: guard::names_of(&machine),
        ..Effect::by_hand(format!("{}/tag-device", guard::DEFENDER), machine.label().to_owned(), &*context.clock)
    };
    if guard::pass_session(&session, &effect, context).await? == Passed::Observed {
        effect.say(context)?;
        return Ok(Exit::Success);
    }
    let change = if arguments.remove { TagChange::Remove } else { TagChange::Add };
    let machine = session.defender.tag_machine(&machine.id, &arguments.tag, change).await?;
    print_machine(&machine, arguments.output.format())
}

async fn order(what: DeviceOrder, arguments: OrderArguments, context: &Context) -> anyhow::Result<Exit> {
    let state = state::folder(context.global.state_folder.as_deref())?;
    let reason = reason(&arguments.reason)?;
    let mut session = context.session().await?;
    session.defender = session.defender.with_settle(Duration::from_secs(arguments.settle));
    let machine = session.defender.machine(&device(&arguments.device)?).await?;
    if asks(&what) && !confirm(&question(&what, &machine), arguments.yes)? {
        context.note("nothing was sent");
        return Ok(Exit::Usage);
    }
    let given = give(state, &session, &machine, what, &arguments, reason, context).await?;
    print_given(&session, given, &arguments.wait, arguments.output.format(), context).await
}

async fn give(
    state: PathBuf,
    session: &Session,
    machine: &Machine,
    what: DeviceOrder,
    arguments: &OrderArguments,
    reason: &str,
    context: &Context,
) -> anyhow::Result<orders::Given> {
    let request = Request {
        tenant: session.application.tenant.as_str(),
        machine: &machine.id,
        what,
        reason,
        key: arguments.key.as_deref(),
        again: arguments.again,
        label: machine.label(),
        names: guard::names_of(machine),
    };
    orders::give(&state, session, &request, context).await
}

/// Orders that take something away from somebody, or give an attacker something back.
fn asks(what: &DeviceOrder) -> bool {
    !matches!(what, DeviceOrder::Scan { .. } | DeviceOrder::Collect)
}

fn question(what: &DeviceOrder, machine: &Machine) -> String {
    let mut known = Vec::new();
    known.extend(machine.os_platform.clone());
    known.extend(machine.health.as_ref().map(|health| format!("health {health}")));
    known.extend(machine.risk.as_ref().map(|risk| format!("risk {risk}")));
    let known = if known.is_empty() { String::new() } else { format!(" ({})", known.join(", ")) };
    let verb = what.verb();
    let (first, rest) = verb.split_at(1);
    crate::output::visible(&format!("{}{rest} {}{known}?", first.to_uppercase(), machine.label()))
}

fn print_machine(machine: &Machine, format: Format) -> anyhow::Result<Exit> {
    match format {
        Format::Json | Format::Jsonl => say(machine.document.as_str())?,
        Format::Csv => {
            let mut listing = Listing::start(format, COLUMNS)?;
            listing.row(&machine_fields(&machine.document), machine.document.as_str())?;
            listing.finish("")?;
        }
        Format::Table => say(&machine_text(machine))?,
    }
    Ok(Exit::Success)
}

fn machine_text(machine: &Machine) -> String {
    properties(&[
        ("Device", Field::maybe(machine.name.as_ref())),
        ("Id", Field::plain(&machine.id)),
        ("System", Field::maybe(machine.os_platform.as_ref())),
        ("Health", health_field(machine.health.as_deref())),
        ("Risk", risk_field(machine.risk.as_deref())),
        ("Exposure", Field::maybe(machine.exposure.as_ref())),
        ("Onboarding", Field::maybe(machine.onboarding.as_ref())),
        ("Group", Field::maybe(machine.group.as_ref())),
        ("Tags", Field::plain(machine.tags.join(", "))),
        ("Address", Field::maybe(machine.ip.as_ref())),
        ("Address outside", Field::maybe(machine.external_ip.as_ref())),
        ("Device in Entra", Field::maybe(machine.entra_device_id.as_ref())),
        ("Last seen", moment(machine.last_seen)),
    ])
}

fn machine_fields(document: &Document) -> Vec<Field> {
    let Some(machine) = Machine::read(document) else { return vec![Field::toned("unreadable", Tone::Warning)] };
    vec![
        Field::plain(&machine.id),
        health_field(machine.health.as_deref()),
        risk_field(machine.risk.as_deref()),
        Field::maybe(machine.os_platform.as_ref()),
        moment(machine.last_seen),
        Field::plain(machine.tags.join(", ")),
        Field::maybe(machine.name.as_ref()),
    ]
}

fn health_field(health: Option<&str>) -> Field {
    match health {
        Some("Active") => Field::toned("Active", Tone::Good),
        Some(other) => Field::toned(other, Tone::Warning),
        None => Field::plain(""),
    }
}

fn risk_field(risk: Option<&str>) -> Field {
    match risk {
        Some("High") => Field::toned("High", Tone::Bad),
        Some("Medium") => Field::toned("Medium", Tone::Warning),
        other => Field::maybe(other),
    }
}

/// A name or an id, without what could lead to another address.
pub(crate) fn device(text: &str) -> anyhow::Result<String> {
    let device = text.trim();
    let allowed = |c: char| c.is_alphanumeric() || matches!(c, '-' | '.' | '_');
    if device.is_empty() || device.len() > 255 || !device.chars().all(allowed) {
        let next = "Give its name in the network or its id of 40 hexadecimal digits; `sortie devices list` shows both.";
        return Err(Problem::usage(format!("`{text}` is no device"), next).into());
    }
    Ok(device.to_owned())
}

fn reason(text: &str) -> anyhow::Result<&str> {
    let reason = text.trim();
    if reason.is_empty() {
        let next = "Say in some words why; the service asks for it and shows it beside the action.";
        return Err(Problem::usage("the reason is empty", next).into());
    }
    Ok(reason)
}

fn sha1(text: &str) -> anyhow::Result<String> {
    let hash = text.trim().to_ascii_lowercase();
    if hash.len() != 40 || !hash.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        let next = "Give the file's SHA-1, 40 hexadecimal digits; the service takes no other hash for this.";
        return Err(Problem::usage(format!("`{text}` is no SHA-1"), next).into());
    }
    Ok(hash)
}

const COLUMNS: &[&str] = &["id", "health", "risk", "system", "last seen", "tags", "name"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_a_name_or_an_id_and_no_path() {
        assert_eq!(device(" hal-wks-01.corp.example ").unwrap(), "hal-wks-01.corp.example");
        for wrong in ["", "a/b", "a b", "x?y", "'"] {
            assert!(device(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_sha1_has_forty_digits() {
        assert_eq!(sha1(&"AB".repeat(20)).unwrap(), "ab".repeat(20));
        for wrong in ["", &"a".repeat(64), &"g".repeat(40)] {
            assert!(sha1(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_hurts_is_asked_for() {
        assert!(asks(&DeviceOrder::Isolate { selective: true }) && asks(&DeviceOrder::Release));
        assert!(!asks(&DeviceOrder::Collect) && !asks(&DeviceOrder::Scan { full: true }));
    }
}
