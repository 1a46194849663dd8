//! `sortie indicators list|add|remove|import`.

use std::{fs::File, io, path::PathBuf};

use clap::{Args, Subcommand};
use sortie_defender::{Document, Imported, Indicator, IndicatorFilter, NewIndicator, kind_of_value};
use sortie_model::IndicatorId;

use super::listing::PrintedList;
use crate::{
    context::{Context, TenantArguments},
    exit::{Exit, Problem},
    guard::{self, Passed},
    input::confirm,
    output::{Field, Format, Listing, OutputArguments, Tone, moment, say},
    times::span,
};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// List active indicators
    List(ListArguments),
    /// Add an indicator, or replace the one of the same value
    Add(AddArguments),
    /// Remove an indicator
    Remove(RemoveArguments),
    /// Add many from a CSV file
    Import(ImportArguments),
}

#[derive(Args)]
pub(crate) struct ListArguments {
    /// Only these: FileSha1, FileSha256, FileMd5, CertificateThumbprint, IpAddress, DomainName, Url
    #[arg(long)]
    kind: Option<String>,
    /// Only these: Block, Warn, Audit, Allowed, BlockAndRemediate
    #[arg(long)]
    action: Option<String>,
    /// Only the one of this value
    #[arg(long)]
    value: Option<String>,
    /// At most so many
    #[arg(long, value_name = "COUNT")]
    limit: Option<u64>,
    #[command(flatten)]
    tenants: TenantArguments,
    #[command(flatten)]
    output: OutputArguments,
}

/// What holds for one or for all lines of a file that do not say it themselves.
#[derive(Args)]
pub(crate) struct Common {
    /// Block, Warn, Audit, Allowed or BlockAndRemediate
    #[arg(long, default_value = "Block")]
    action: String,
    /// A short name
    #[arg(long)]
    title: Option<String>,
    /// What it is about
    #[arg(long)]
    description: Option<String>,
    /// Informational, Low, Medium or High
    #[arg(long)]
    severity: Option<String>,
    /// It ends after this time: 24h, 30d, 12w
    #[arg(long, value_name = "SPAN")]
    expires_in: Option<String>,
    /// A hit raises an alert; always so with Audit
    #[arg(long)]
    alert: bool,
}

#[derive(Args)]
pub(crate) struct AddArguments {
    /// A hash, an address, a domain or a URL
    value: String,
    /// Its kind, where its form does not tell it: CertificateThumbprint
    #[arg(long)]
    kind: Option<String>,
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Args)]
pub(crate) struct RemoveArguments {
    /// The number that `sortie indicators list` shows
    id: String,
    /// Do not ask
    #[arg(long, short = 'y')]
    yes: bool,
}

#[derive(Args)]
pub(crate) struct ImportArguments {
    /// CSV with a header line; `value` is needed, `kind`, `action`, `title`, `description`, `severity` may be there
    file: PathBuf,
    #[command(flatten)]
    common: Common,
    /// Do not ask
    #[arg(long, short = 'y')]
    yes: bool,
    #[command(flatten)]
    output: OutputArguments,
}

pub(crate) async fn run(command: Command, context: &Context) -> anyhow::Result<Exit> {
    match command {
        Command::List(arguments) => list(arguments, context).await,
        Command::Add(arguments) => add(arguments, context).await,
        Command::Remove(arguments) => remove(arguments, context).await,
        Command::Import(arguments) => import(arguments, context).await,
    }
}

async fn list(arguments: ListArguments, context: &Context) -> anyhow::Result<Exit> {
    let filter = IndicatorFilter { kind: arguments.kind, action: arguments.action, value: arguments.value };
    let sessions = context.sessions(arguments.tenants).await?;
    let list = PrintedList { what: "indicators", columns: COLUMNS, fields: indicator_fields, limit: arguments.limit };
    list.print(&sessions, |session| session.defender.indicators(&filter), arguments.output.format(), context).await
}

async fn add(arguments: AddArguments, context: &Context) -> anyhow::Result<Exit> {
    let row = Row { value: arguments.value, kind: arguments.kind, ..Row::default() };
    let indicator = row.indicator(&arguments.common, context)?;
    let session = context.session().await?;
    if guard::pass_change(&session, "set-indicator", &indicator.value, context).await? == Passed::Observed {
        return Ok(Exit::Success);
    }
    let added = session.defender.add_indicator(&indicator).await?;
    let format = arguments.output.format();
    match format {
        Format::Json | Format::Jsonl => say(added.document.as_str())?,
        Format::Table | Format::Csv => {
            let mut listing = Listing::start(format, COLUMNS)?;
            listing.row(&indicator_fields(&added.document), added.document.as_str())?;
            listing.finish("")?;
        }
    }
    Ok(Exit::Success)
}

async fn remove(arguments: RemoveArguments, context: &Context) -> anyhow::Result<Exit> {
    let id = indicator_id(&arguments.id)?;
    if !confirm(&format!("Remove indicator {id}?"), arguments.yes)? {
        context.note("nothing was removed");
        return Ok(Exit::Usage);
    }
    let session = context.session().await?;
    if guard::pass_change(&session, "delete-indicator", &id.0, context).await? == Passed::Observed {
        return Ok(Exit::Success);
    }
    session.defender.remove_indicator(&id).await?;
    context.note(&format!("indicator {id} is removed"));
    Ok(Exit::Success)
}

async fn import(arguments: ImportArguments, context: &Context) -> anyhow::Result<Exit> {
    let indicators = read_file(&arguments, context)?;
    if !confirm(
        &format!("Add {} indicators with action {}?", indicators.len(), arguments.common.action),
        arguments.yes,
    )? {
        context.note("nothing was added");
        return Ok(Exit::Usage);
    }
    let (session, what) = (context.session().await?, format!("{} indicators", indicators.len()));
    if guard::pass_change(&session, "import-indicators", &what, context).await? == Passed::Observed {
        return Ok(Exit::Success);
    }
    let imported = session.defender.import_indicators(&indicators).await?;
    let format = arguments.output.format();
    let mut listing = Listing::start(format, IMPORT_COLUMNS)?;
    for one in &imported {
        let json =
            serde_json::json!({ "value": one.value, "id": one.id.as_ref().map(|id| &id.0), "failure": one.failure });
        listing.row(&imported_fields(one), &json.to_string())?;
    }
    listing.finish("The file holds no indicator.")?;
    let failed = imported.iter().filter(|one| one.failure.is_some()).count();
    if failed > 0 {
        context.note(&format!("{failed} of {} were not taken", imported.len()));
        return Ok(Exit::Findings);
    }
    Ok(Exit::Success)
}

/// One line of a file; what is empty is taken from the command line.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
struct Row {
    value: String,
    kind: Option<String>,
    action: Option<String>,
    title: Option<String>,
    description: Option<String>,
    severity: Option<String>,
}

impl Row {
    fn indicator(self, common: &Common, context: &Context) -> anyhow::Result<NewIndicator> {
        let given = |own: Option<String>, common: Option<&String>| {
            own.filter(|text| !text.trim().is_empty()).or_else(|| common.cloned())
        };
        let value = self.value.trim().to_owned();
        let kind = given(self.kind, None).or_else(|| kind_of_value(&value).map(str::to_owned)).ok_or_else(|| {
            let next = "Give a hash, a single address, a domain or a URL with its scheme, or name its kind.";
            Problem::usage(format!("`{value}` has the form of no indicator"), next)
        })?;
        let expires = match &common.expires_in {
            Some(text) => Some(context.clock.now().checked_add(span(text)?)?),
            None => None,
        };
        let action = given(self.action, Some(&common.action)).unwrap_or_default();
        let title = given(self.title, common.title.as_ref()).unwrap_or_else(|| format!("{kind} {value}"));
        Ok(NewIndicator {
            // The service refuses Audit without an alert.
            generate_alert: (common.alert || action.eq_ignore_ascii_case("Audit")).then_some(true),
            description: given(self.description, common.description.as_ref()).unwrap_or_else(|| title.clone()),
            severity: given(self.severity, common.severity.as_ref()),
            recommended_actions: None,
            value,
            kind,
            action,
            title,
            expires,
        })
    }
}

fn read_file(arguments: &ImportArguments, context: &Context) -> anyhow::Result<Vec<NewIndicator>> {
    let path = arguments.file.display();
    let wrong = |line: usize, what: &str| {
        let next = "The first line names the columns; `value` must be one of them.";
        Problem::usage(format!("the file {path} cannot be read in line {line}: {what}"), next)
    };
    let file = File::open(&arguments.file).map_err(|error: io::Error| wrong(1, &error.to_string()))?;
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).flexible(true).from_reader(file);
    let mut indicators = Vec::new();
    for (at, row) in reader.deserialize::<Row>().enumerate() {
        let row = row.map_err(|error| wrong(at + 2, &error.to_string()))?;
        if row.value.is_empty() {
            return Err(wrong(at + 2, "there is no value").into());
        }
        indicators.push(row.indicator(&arguments.common, context)?);
        if indicators.len() > INDICATORS_MAX {
            return Err(wrong(at + 2, "a tenant holds at most 15,000 indicators").into());
        }
    }
    Ok(indicators)
}

fn indicator_fields(document: &Document) -> Vec<Field> {
    let Some(one) = Indicator::read(document) else { return vec![Field::toned("unreadable", Tone::Warning)] };
    vec![
        Field::plain(&one.id),
        Field::maybe(one.kind),
        Field::maybe(one.action),
        Field::maybe(one.severity),
        moment(one.expires),
        Field::maybe(one.value),
        Field::maybe(one.title),
    ]
}

fn imported_fields(one: &Imported) -> Vec<Field> {
    let failure = one.failure.as_ref().map_or_else(|| Field::plain(""), |failure| Field::toned(failure, Tone::Bad));
    vec![Field::maybe(one.id.as_ref()), Field::plain(&one.value), failure]
}

fn indicator_id(text: &str) -> anyhow::Result<IndicatorId> {
    let id = text.trim();
    if id.is_empty() || id.len() > 36 || !id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        let next = "Give the number that `sortie indicators list` shows.";
        return Err(Problem::usage(format!("`{text}` is no indicator's number"), next).into());
    }
    Ok(IndicatorId(id.to_owned()))
}

const COLUMNS: &[&str] = &["id", "kind", "action", "severity", "expires", "value", "title"];
const IMPORT_COLUMNS: &[&str] = &["id", "value", "failure"];
/// Limit of active indicators (manage-indicators page).
const INDICATORS_MAX: usize = 15_000;
