//! `sortie lookup`: what is known of a file, address, domain or user, on which devices it was met, and in which alerts.

use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};
use sortie_defender::{
    Alert, Defender, DefenderError, DefenderErrorKind, Document, FileHash, FileProfile, Machine, Observable,
    ObservableKind, Pages, Sightings,
};

use super::incidents::{severity_field, status_field};
use crate::{
    context::Context,
    exit::{Exit, Problem, report},
    output::{Field, Format, Listing, OutputArguments, Tone, moment, properties, say},
};

#[derive(Args)]
pub(crate) struct Arguments {
    /// A file's SHA-1 or SHA-256, an IP address, a domain, or a user such as ada, CONTOSO\ada, ada@contoso.com
    value: String,
    /// Take it for this, where its form would tell otherwise
    #[arg(long = "as", value_enum, value_name = "KIND")]
    kind: Option<Kind>,
    /// Count sightings of the last so many hours
    #[arg(long, value_name = "HOURS", default_value_t = 720, value_parser = clap::value_parser!(u16).range(1..=720))]
    look_back: u16,
    /// At most so many devices and so many alerts
    #[arg(long, value_name = "COUNT", default_value_t = 100)]
    limit: usize,
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    File,
    Ip,
    Domain,
    User,
}

/// What was found out. A part is absent where there is none or it could not be read.
#[derive(Default)]
struct Found {
    file: Option<FileProfile>,
    sightings: Option<Sightings>,
    devices: Option<Vec<Document>>,
    alerts: Option<Vec<Document>>,
    /// Why parts are absent.
    failures: Vec<DefenderError>,
    /// Longer lists were cut.
    is_cut: bool,
}

pub(crate) async fn run(arguments: Arguments, context: &Context) -> anyhow::Result<Exit> {
    let what = read(&arguments)?;
    let defender = context.session().await?.defender;
    let mut found = Found::default();
    let Some(what) = found.describe(&defender, what).await else { return found.end(false, context) };
    found.count(&defender, &what, arguments.look_back).await;
    found.list(&defender, &what, arguments.limit).await;
    let any = found.sightings.is_some() || found.file.is_some() || found.devices.is_some() || found.alerts.is_some();
    if any {
        found.print(&what, arguments.output.format())?;
    }
    found.end(any, context)
}

fn read(arguments: &Arguments) -> anyhow::Result<Observable> {
    let kind = arguments.kind.map(|kind| match kind {
        Kind::File => ObservableKind::File,
        Kind::Ip => ObservableKind::Ip,
        Kind::Domain => ObservableKind::Domain,
        Kind::User => ObservableKind::User,
    });
    Observable::parse(&arguments.value, kind).map_err(|error| {
        let next = "Give a SHA-1, a SHA-256, an address, a domain or an account; `--as` says which it is.";
        Problem::usage(format!("cannot look up `{}`: {error}", arguments.value), next).into()
    })
}

impl Found {
    /// The profile of a file; lists are asked by its SHA-1, which only the profile tells of a SHA-256.
    async fn describe(&mut self, defender: &Defender, what: Observable) -> Option<Observable> {
        let Observable::File(hash) = &what else { return Some(what) };
        match defender.file(hash).await {
            Ok(profile) => {
                let sha1 = profile.sha1.clone().map(FileHash::Sha1);
                self.file = Some(profile);
                Some(Observable::File(sha1.unwrap_or_else(|| hash.clone())))
            }
            // A file that the world does not know may still be met here.
            Err(error) => {
                self.failures.push(error);
                matches!(hash, FileHash::Sha1(_)).then_some(what)
            }
        }
    }

    async fn count(&mut self, defender: &Defender, what: &Observable, hours: u16) {
        match defender.sightings(what, hours).await {
            Ok(sightings) => self.sightings = sightings,
            Err(error) => self.failed(error),
        }
    }

    async fn list(&mut self, defender: &Defender, what: &Observable, limit: usize) {
        match defender.machines_with(what) {
            Ok(None) => {}
            Ok(Some(pages)) => self.devices = self.taken(pages, limit).await,
            Err(error) => self.failed(error),
        }
        match defender.alerts_about(what) {
            Ok(pages) => self.alerts = self.taken(pages, limit).await,
            Err(error) => self.failed(error),
        }
    }

    async fn taken(&mut self, mut pages: Pages<'_>, limit: usize) -> Option<Vec<Document>> {
        let mut taken = Vec::new();
        loop {
            match pages.next().await {
                Ok(Some(page)) => taken.extend(page),
                Ok(None) => return Some(taken),
                Err(error) => {
                    self.failed(error);
                    return None;
                }
            }
            if taken.len() > limit {
                self.is_cut = true;
                taken.truncate(limit);
                return Some(taken);
            }
        }
    }

    /// A file that is not known is said once, though two calls say it.
    fn failed(&mut self, error: DefenderError) {
        let is_absence = |error: &DefenderError| matches!(*error.kind, DefenderErrorKind::NotFound(_));
        if !(is_absence(&error) && self.failures.iter().any(is_absence)) {
            self.failures.push(error);
        }
    }

    fn print(&self, what: &Observable, format: Format) -> anyhow::Result<()> {
        if matches!(format, Format::Json | Format::Jsonl) {
            return say(&self.as_json(what).to_string());
        }
        if format == Format::Table {
            say(&self.summary(what))?;
            if self.devices.as_ref().is_none_or(Vec::is_empty) && self.alerts.as_ref().is_none_or(Vec::is_empty) {
                return Ok(());
            }
            say("")?;
        }
        let mut listing = Listing::start(format, COLUMNS)?;
        for document in self.devices.iter().flatten() {
            listing.row(&device_fields(document), document.as_str())?;
        }
        for document in self.alerts.iter().flatten() {
            listing.row(&alert_fields(document), document.as_str())?;
        }
        listing.finish("")
    }

    fn summary(&self, what: &Observable) -> String {
        let mut lines = vec![("Looked up", Field::plain(format!("{} {what}", what.kind())))];
        if let Some(file) = &self.file {
            lines.extend([
                ("SHA-1", Field::maybe(file.sha1.as_ref())),
                ("SHA-256", Field::maybe(file.sha256.as_ref())),
                ("Size", Field::maybe(file.size.map(|bytes| format!("{bytes} bytes")))),
                ("Publisher", Field::maybe(file.publisher.as_ref())),
                ("Signer", signer_field(file)),
                ("Determination", determination_field(file)),
                ("In the world", Field::maybe(file.prevalence.map(devices))),
                ("First seen", moment(file.first_seen)),
            ]);
        }
        if let Some(seen) = &self.sightings {
            lines.extend([
                ("Seen here", Field::plain(devices(seen.devices))),
                ("For the first time", moment(seen.first)),
                ("For the last time", moment(seen.last)),
            ]);
            if !seen.names.is_empty() {
                lines.push(("Under the names", Field::plain(seen.names.join(", "))));
            }
        }
        let count = |list: &Option<Vec<Document>>| Field::maybe(list.as_ref().map(Vec::len));
        lines.extend([("Devices", count(&self.devices)), ("Alerts", count(&self.alerts))]);
        properties(&lines)
    }

    fn as_json(&self, what: &Observable) -> Value {
        let all = |list: &Vec<Document>| Value::Array(list.iter().map(Document::to_value).collect());
        let mut object = Map::new();
        object.insert("kind".to_owned(), json!(what.kind()));
        object.insert("value".to_owned(), json!(what.to_string()));
        let parts = [
            ("file", self.file.as_ref().map(|file| file.document.to_value())),
            ("sightings", self.sightings.as_ref().map(|seen| seen.document.to_value())),
            ("devices", self.devices.as_ref().map(all)),
            ("alerts", self.alerts.as_ref().map(all)),
        ];
        object.extend(parts.into_iter().filter_map(|(name, part)| Some((name.to_owned(), part?))));
        Value::Object(object)
    }

    /// Says what could not be read. A file that the world does not know is no failure where it was looked for here.
    fn end(self, any: bool, context: &Context) -> anyhow::Result<Exit> {
        if self.is_cut {
            context.note("there are more devices or alerts than `--limit` lets through");
        }
        let mut exit = Exit::Success;
        for error in self.failures {
            if any && matches!(*error.kind, DefenderErrorKind::NotFound(_)) {
                context.note("Defender knows no such file beyond what is listed here");
                continue;
            }
            let ended = report(&error.into());
            exit = if exit == Exit::Success { ended } else { exit };
        }
        Ok(exit)
    }
}

fn devices(count: i64) -> String {
    format!("on {count} {}", if count == 1 { "device" } else { "devices" })
}

fn signer_field(file: &FileProfile) -> Field {
    match (&file.signer, file.is_signature_valid) {
        (Some(signer), Some(false)) => {
            Field::toned(format!("{signer}, and the signature does not hold"), Tone::Warning)
        }
        (signer, _) => Field::maybe(signer.as_ref()),
    }
}

fn determination_field(file: &FileProfile) -> Field {
    let words: Vec<&str> = [&file.determination, &file.threat].into_iter().flatten().map(String::as_str).collect();
    let tone = match file.determination.as_deref() {
        Some("Malware") => Tone::Bad,
        Some("Clean" | "Unknown") | None => Tone::Plain,
        Some(_) => Tone::Warning,
    };
    Field::toned(words.join(", "), tone)
}

fn device_fields(document: &Document) -> Vec<Field> {
    let Some(machine) = Machine::read(document) else { return unreadable("device") };
    vec![
        Field::plain("device"),
        Field::plain(&machine.id),
        Field::maybe(machine.risk.as_ref()),
        Field::maybe(machine.health.as_ref()),
        moment(machine.last_seen),
        Field::maybe(machine.name.as_ref()),
    ]
}

fn alert_fields(document: &Document) -> Vec<Field> {
    let Some(alert) = Alert::read(document) else { return unreadable("alert") };
    vec![
        Field::plain("alert"),
        Field::plain(&alert.id),
        severity_field(alert.severity.as_ref()),
        status_field(alert.status.as_ref()),
        moment(alert.created),
        Field::maybe(alert.title.as_ref()),
    ]
}

fn unreadable(what: &str) -> Vec<Field> {
    let mut fields = vec![Field::plain(what), Field::toned("unreadable", Tone::Warning)];
    fields.resize(COLUMNS.len(), Field::plain(""));
    fields
}

/// For a device its risk, health and last report; for an alert its severity, status and making.
const COLUMNS: &[&str] = &["what", "id", "severity", "status", "time", "name"];
