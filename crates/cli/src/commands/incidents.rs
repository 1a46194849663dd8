//! `sortie incidents list|show|update|watch`.

use clap::{Args, Subcommand, ValueEnum};
use sortie_defender::{Api, Document, Followed, Incident, IncidentFilter, Severity, Status, Watched};
use sortie_model::IncidentId;

use super::{
    change::{ChangeArguments, severity, status},
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
    /// List incidents, newest first
    List(ListArguments),
    /// Show one incident with its alerts; a merged one leads on to the one that took it over
    Show(ShowArguments),
    /// Change status, person, classification, determination or tags, or add a comment
    Update(UpdateArguments),
    /// Print every incident that is new or changes, without losing or repeating one
    Watch(IncidentWatchArguments),
}

#[derive(Args)]
pub(crate) struct IncidentWatchArguments {
    #[command(flatten)]
    api: ApiArgument,
    /// Bring the alerts along
    #[arg(long)]
    with_alerts: bool,
    #[command(flatten)]
    watch: WatchArguments,
}

#[derive(Args)]
pub(crate) struct ListArguments {
    #[command(flatten)]
    api: ApiArgument,
    /// Only these: active, inProgress, resolved, redirected
    #[arg(long)]
    status: Option<String>,
    /// Only these: informational, low, medium, high
    #[arg(long)]
    severity: Option<String>,
    /// Only those of this person
    #[arg(long, value_name = "USER")]
    assigned_to: Option<String>,
    /// Only those made since then: 24h, 7d, or an instant such as 2026-11-22T03:00:00Z
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only those changed since then
    #[arg(long, value_name = "TIME")]
    updated_since: Option<String>,
    /// Bring each incident's alerts along
    #[arg(long)]
    with_alerts: bool,
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
    /// The incident's number
    id: String,
    #[command(flatten)]
    api: ApiArgument,
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Args)]
pub(crate) struct UpdateArguments {
    /// The incident's number
    id: String,
    #[command(flatten)]
    api: ApiArgument,
    #[command(flatten)]
    change: ChangeArguments,
    /// Replace all tags by these; repeat it for several, give an empty text for none
    #[arg(long, value_name = "TAG")]
    tag: Option<Vec<String>>,
    #[command(flatten)]
    output: OutputArguments,
}

/// Which API is asked; both show the same incidents.
#[derive(Args)]
pub(crate) struct ApiArgument {
    /// graph: Microsoft Graph security; xdr: Microsoft Defender XDR
    #[arg(long, value_enum, default_value_t = ApiName::Graph)]
    api: ApiName,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ApiName {
    Graph,
    Xdr,
}

impl ApiArgument {
    fn api(&self) -> Api {
        match self.api {
            ApiName::Graph => Api::Graph,
            ApiName::Xdr => Api::Xdr,
        }
    }
}

pub(crate) async fn run(command: Command, context: &Context) -> anyhow::Result<Exit> {
    match command {
        Command::List(arguments) => list(arguments, context).await,
        Command::Show(arguments) => show(arguments, context).await,
        Command::Update(arguments) => update(arguments, context).await,
        Command::Watch(arguments) => {
            let watched = match (arguments.api.api(), arguments.with_alerts) {
                (Api::Xdr, _) => Watched::XdrIncidents,
                (Api::Graph, true) => Watched::IncidentsWithAlerts,
                (Api::Graph, false) => Watched::Incidents,
            };
            watch(watched, arguments.watch, context).await
        }
    }
}

async fn list(arguments: ListArguments, context: &Context) -> anyhow::Result<Exit> {
    let now = context.clock.now();
    let filter = IncidentFilter {
        status: arguments.status.as_deref().map(status).transpose()?,
        severity: arguments.severity.as_deref().map(severity).transpose()?,
        assigned_to: arguments.assigned_to,
        created_since: arguments.since.as_deref().map(|text| since(text, now)).transpose()?,
        updated_since: arguments.updated_since.as_deref().map(|text| since(text, now)).transpose()?,
        updated_before: None,
        with_alerts: arguments.with_alerts,
    };
    let sessions = context.sessions(arguments.tenants).await?;
    let list = PrintedList { what: "incidents", columns: COLUMNS, fields: incident_fields, limit: arguments.limit };
    list.print(
        &sessions,
        |session| session.defender.incidents(arguments.api.api(), &filter),
        arguments.output.format(),
        context,
    )
    .await
}

async fn show(arguments: ShowArguments, context: &Context) -> anyhow::Result<Exit> {
    let session = context.session().await?;
    let followed = session.defender.incident(arguments.api.api(), &incident_id(&arguments.id)?).await?;
    print_incident(context, &followed, arguments.output.format())?;
    Ok(Exit::Success)
}

async fn update(arguments: UpdateArguments, context: &Context) -> anyhow::Result<Exit> {
    let tags = arguments.tag.map(|tags| tags.into_iter().filter(|tag| !tag.is_empty()).collect());
    let change = arguments.change.change(tags)?;
    let session = context.session().await?;
    let (api, id) = (arguments.api.api(), incident_id(&arguments.id)?);
    let operation = if api == Api::Xdr { "update-incident-xdr" } else { "update-incident" };
    if guard::pass_change(&session, operation, &id.0, context).await? == Passed::Observed {
        return Ok(Exit::Success);
    }
    let followed = session.defender.change_incident(api, &id, &change).await?;
    print_incident(context, &followed, arguments.output.format())?;
    Ok(Exit::Success)
}

fn print_incident(context: &Context, followed: &Followed, format: Format) -> anyhow::Result<()> {
    for merged in &followed.via {
        context.note(&format!("incident {merged} was merged; what follows is incident {}", followed.incident.id));
    }
    let incident = &followed.incident;
    match format {
        Format::Json | Format::Jsonl => say(incident.document.as_str())?,
        Format::Csv => {
            let mut listing = Listing::start(format, COLUMNS)?;
            listing.row(&incident_fields(&incident.document), incident.document.as_str())?;
            listing.finish("")?;
        }
        Format::Table => say(&incident_text(incident))?,
    }
    Ok(())
}

/// An incident for a person: members, alerts, comments.
pub(crate) fn incident_text(incident: &Incident) -> String {
    let mut text = properties(&[
        ("Incident", Field::plain(&incident.id)),
        ("Title", Field::maybe(incident.title.as_ref())),
        ("Severity", severity_field(incident.severity.as_ref())),
        ("Status", status_field(incident.status.as_ref())),
        ("Assigned to", Field::maybe(incident.assigned_to.as_ref())),
        ("Classification", Field::maybe(incident.classification.as_ref())),
        ("Determination", Field::maybe(incident.determination.as_ref())),
        ("Tags", Field::plain(incident.tags.join(", "))),
        ("Created", moment(incident.created)),
        ("Updated", moment(incident.updated)),
        ("Portal", Field::maybe(incident.web_url.as_ref())),
    ]);
    if let Some(alerts) = incident.alerts.as_deref().filter(|alerts| !alerts.is_empty()) {
        let lines: Vec<Vec<Field>> = alerts
            .iter()
            .map(|alert| {
                vec![
                    Field::plain(&alert.id),
                    severity_field(alert.severity.as_ref()),
                    status_field(alert.status.as_ref()),
                    moment(alert.created),
                    Field::maybe(alert.category.as_ref()),
                    Field::maybe(alert.title.as_ref()),
                ]
            })
            .collect();
        text += &format!("\n\n{}", rows(&["alert", "severity", "status", "created", "category", "title"], &lines));
    }
    for comment in &incident.comments {
        text += &comment_text(comment);
    }
    text
}

/// A comment on lines of its own.
pub(crate) fn comment_text(comment: &sortie_defender::Comment) -> String {
    let by = comment.by.as_deref().unwrap_or("unknown");
    let at = comment.at.map(|at| format!(" at {at:.0}")).unwrap_or_default();
    format!("\n\nComment by {}{at}:\n  {}", visible(by), visible(&comment.text))
}

fn incident_fields(document: &Document) -> Vec<Field> {
    let Some(incident) = Incident::read(document) else { return vec![Field::toned("unreadable", Tone::Warning)] };
    vec![
        Field::plain(&incident.id),
        severity_field(incident.severity.as_ref()),
        status_field(incident.status.as_ref()),
        moment(incident.created),
        moment(incident.updated),
        Field::maybe(incident.assigned_to.as_ref()),
        Field::maybe(incident.title.as_ref()),
    ]
}

/// A severity with its colour.
pub(crate) fn severity_field(severity: Option<&Severity>) -> Field {
    let Some(severity) = severity else { return Field::plain("") };
    let tone = match severity {
        Severity::High => Tone::Bad,
        Severity::Medium => Tone::Warning,
        _ => Tone::Plain,
    };
    Field::toned(severity, tone)
}

/// A status with its colour.
pub(crate) fn status_field(status: Option<&Status>) -> Field {
    let Some(status) = status else { return Field::plain("") };
    let tone = match status {
        Status::Resolved => Tone::Good,
        Status::Active | Status::New => Tone::Warning,
        _ => Tone::Plain,
    };
    Field::toned(status, tone)
}

fn incident_id(text: &str) -> anyhow::Result<IncidentId> {
    let digits = text.trim().trim_start_matches('#');
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        let next = "Give the number that `sortie incidents list` and the portal's address show.";
        return Err(Problem::usage(format!("`{text}` is no incident number"), next).into());
    }
    Ok(IncidentId(digits.to_owned()))
}

const COLUMNS: &[&str] = &["id", "severity", "status", "created", "updated", "assigned to", "title"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_incident_number_is_digits() {
        assert_eq!(incident_id(" #81 ").unwrap(), IncidentId("81".into()));
        for wrong in ["", "81/alerts", "../81", "da1"] {
            assert!(incident_id(wrong).is_err(), "{wrong}");
        }
    }
}
