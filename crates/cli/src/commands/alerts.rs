//! `sortie alerts list|show|update|comment|watch`.

use clap::{Args, Subcommand};
use sortie_defender::{Alert, AlertFilter, Change, Document, Watched};
use sortie_model::AlertId;

use super::{
    change::{ChangeArguments, classification, determination, severity, status},
    incidents::{comment_text, severity_field, status_field},
    listing::PrintedList,
    watch::{WatchArguments, watch},
};
use crate::{
    context::{Context, TenantArguments},
    exit::{Exit, Problem},
    guard::{self, Passed},
    output::{Field, Format, Listing, OutputArguments, Tone, moment, properties, rows, say, visible},
    times::since,
};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// List alerts, newest first
    List(ListArguments),
    /// Show one alert with its evidence and comments
    Show(ShowArguments),
    /// Change status, person, classification or determination, or add a comment
    Update(UpdateArguments),
    /// Add a comment
    Comment(CommentArguments),
    /// Print every alert that is new or changes, without losing or repeating one
    Watch(WatchArguments),
}

#[derive(Args)]
pub(crate) struct ListArguments {
    /// Only these: new, inProgress, resolved
    #[arg(long)]
    status: Option<String>,
    /// Only these: informational, low, medium, high
    #[arg(long)]
    severity: Option<String>,
    /// Only those of this person
    #[arg(long, value_name = "USER")]
    assigned_to: Option<String>,
    /// Only these: truePositive, falsePositive, informationalExpectedActivity
    #[arg(long, value_name = "WORD")]
    classification: Option<String>,
    /// Only these: malware, phishing and so on
    #[arg(long, value_name = "WORD")]
    determination: Option<String>,
    /// Only those that this product raised, such as microsoftDefenderForEndpoint
    #[arg(long, value_name = "SOURCE")]
    service_source: Option<String>,
    /// Only those made since then: 24h, 7d, or an instant such as 2026-11-22T03:00:00Z
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only those changed since then
    #[arg(long, value_name = "TIME")]
    updated_since: Option<String>,
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
    /// The alert's id
    id: String,
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Args)]
pub(crate) struct UpdateArguments {
    /// The alert's id
    id: String,
    #[command(flatten)]
    change: ChangeArguments,
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Args)]
pub(crate) struct CommentArguments {
    /// The alert's id
    id: String,
    /// The comment
    text: String,
    #[command(flatten)]
    output: OutputArguments,
}

pub(crate) async fn run(command: Command, context: &Context) -> anyhow::Result<Exit> {
    match command {
        Command::List(arguments) => list(arguments, context).await,
        Command::Show(arguments) => {
            let alert = context.session().await?.defender.alert(&alert_id(&arguments.id)?).await?;
            print_alert(&alert, arguments.output.format())
        }
        Command::Update(arguments) => {
            change(&arguments.id, arguments.change.change(None)?, arguments.output, context).await
        }
        Command::Comment(arguments) => {
            let comment = Change { comment: Some(arguments.text), ..Change::default() };
            change(&arguments.id, comment, arguments.output, context).await
        }
        Command::Watch(arguments) => watch(Watched::Alerts, arguments, context).await,
    }
}

async fn list(arguments: ListArguments, context: &Context) -> anyhow::Result<Exit> {
    let now = context.clock.now();
    let filter = AlertFilter {
        status: arguments.status.as_deref().map(status).transpose()?,
        severity: arguments.severity.as_deref().map(severity).transpose()?,
        assigned_to: arguments.assigned_to,
        classification: arguments.classification.as_deref().map(classification).transpose()?,
        determination: arguments.determination.as_deref().map(determination).transpose()?,
        service_source: arguments.service_source,
        created_since: arguments.since.as_deref().map(|text| since(text, now)).transpose()?,
        updated_since: arguments.updated_since.as_deref().map(|text| since(text, now)).transpose()?,
    };
    let sessions = context.sessions(arguments.tenants).await?;
    let list = PrintedList { what: "alerts", columns: COLUMNS, fields: alert_fields, limit: arguments.limit };
    list.print(&sessions, |session| Ok(session.defender.alerts(&filter)), arguments.output.format(), context).await
}

async fn change(id: &str, change: Change, output: OutputArguments, context: &Context) -> anyhow::Result<Exit> {
    let (session, id) = (context.session().await?, alert_id(id)?);
    if guard::pass_change(&session, "update-alert", &id.0, context).await? == Passed::Observed {
        return Ok(Exit::Success);
    }
    let alert = session.defender.change_alert(&id, &change).await?;
    print_alert(&alert, output.format())
}

fn print_alert(alert: &Alert, format: Format) -> anyhow::Result<Exit> {
    match format {
        Format::Json | Format::Jsonl => say(alert.document.as_str())?,
        Format::Csv => {
            let mut listing = Listing::start(format, COLUMNS)?;
            listing.row(&alert_fields(&alert.document), alert.document.as_str())?;
            listing.finish("")?;
        }
        Format::Table => say(&alert_text(alert))?,
    }
    Ok(Exit::Success)
}

/// An alert for a person: members, evidence, comments.
pub(crate) fn alert_text(alert: &Alert) -> String {
    let mut text = properties(&[
        ("Alert", Field::plain(&alert.id)),
        ("Title", Field::maybe(alert.title.as_ref())),
        ("Incident", Field::maybe(alert.incident_id.as_ref())),
        ("Severity", severity_field(alert.severity.as_ref())),
        ("Status", status_field(alert.status.as_ref())),
        ("Assigned to", Field::maybe(alert.assigned_to.as_ref())),
        ("Classification", Field::maybe(alert.classification.as_ref())),
        ("Determination", Field::maybe(alert.determination.as_ref())),
        ("Category", Field::maybe(alert.category.as_ref())),
        ("Techniques", Field::plain(alert.techniques.join(", "))),
        ("Source", Field::maybe(alert.service_source.as_ref())),
        ("Created", moment(alert.created)),
        ("Updated", moment(alert.updated)),
    ]);
    if !alert.evidence.is_empty() {
        let lines: Vec<Vec<Field>> = alert
            .evidence
            .iter()
            .map(|evidence| {
                vec![
                    Field::plain(&evidence.kind),
                    Field::plain(&evidence.name),
                    verdict_field(evidence.verdict.as_deref()),
                ]
            })
            .collect();
        text += &format!("\n\n{}", rows(&["evidence", "name", "verdict"], &lines));
    }
    for comment in &alert.comments {
        text += &comment_text(comment);
    }
    text
}

/// An alert in one line.
pub(crate) fn alert_line(alert: &Alert) -> String {
    visible(&format!("{} {}", alert.id, alert.title.as_deref().unwrap_or_default()))
}

fn alert_fields(document: &Document) -> Vec<Field> {
    let Some(alert) = Alert::read(document) else { return vec![Field::toned("unreadable", Tone::Warning)] };
    vec![
        Field::plain(&alert.id),
        severity_field(alert.severity.as_ref()),
        status_field(alert.status.as_ref()),
        moment(alert.created),
        Field::maybe(alert.incident_id.as_ref()),
        Field::maybe(alert.category.as_ref()),
        Field::maybe(alert.title.as_ref()),
    ]
}

fn verdict_field(verdict: Option<&str>) -> Field {
    let tone = match verdict.map(str::to_ascii_lowercase).as_deref() {
        Some("malicious") => Tone::Bad,
        Some("suspicious") => Tone::Warning,
        _ => Tone::Plain,
    };
    verdict.map_or_else(|| Field::plain(""), |verdict| Field::toned(verdict, tone))
}

fn alert_id(text: &str) -> anyhow::Result<AlertId> {
    let id = text.trim();
    if id.is_empty() || id.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(
            Problem::usage(format!("`{text}` is no alert id"), "Give the id that `sortie alerts list` shows.").into()
        );
    }
    Ok(AlertId(id.to_owned()))
}

const COLUMNS: &[&str] = &["id", "severity", "status", "created", "incident", "category", "title"];
