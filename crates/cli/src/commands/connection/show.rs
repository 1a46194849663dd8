//! `sortie connection list` and `show`.

use anyhow::Context as _;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use sortie_identity::{AssertionAlgorithm, Credential as Loaded, CredentialError, CredentialSource, EndpointVersion};

use super::NameArguments;
use crate::{
    asking::{Api, at, items, text},
    connections::{self, ConnectionPath, SHARED_NAME},
    context::{Context, ENVIRONMENT},
    exit::Exit,
    input::Terminal,
    output::{Field, Format, Listing, OutputArguments, properties, say},
    product::{ConnectionSettings, DefenderConnection, Expiry, Microsoft, REFRESH, SECRET},
    reference::credential_reference,
};

/// A connection as the API tells of it.
#[derive(Deserialize)]
struct Row {
    name: String,
    tenant: String,
    connector: String,
    base_url: String,
    token_url: Option<String>,
    allowed_hosts: Vec<String>,
    destinations: Vec<String>,
    settings: ConnectionSettings,
    secrets: Vec<Sealed>,
}

/// What is known of a sealed secret.
#[derive(Deserialize)]
struct Sealed {
    field: String,
    entered: Timestamp,
    expires: Option<Timestamp>,
}

impl Row {
    /// As a person names it.
    fn shown_name(&self) -> String {
        if self.tenant == SHARED_NAME { self.name.clone() } else { format!("{}/{}", self.tenant, self.name) }
    }
}

/// All of them, by name.
async fn rows(api: &Api) -> anyhow::Result<Vec<Row>> {
    let answer = api.get(at(["connections"])).await?;
    let read =
        |one: &Value| Row::deserialize(one).with_context(|| format!("connection {} cannot be read", text(one, "name")));
    let mut rows = items(&answer).iter().map(read).collect::<anyhow::Result<Vec<Row>>>()?;
    rows.sort_by_key(Row::shown_name);
    Ok(rows)
}

pub(super) async fn list(output: OutputArguments, context: &Context) -> anyhow::Result<Exit> {
    connections::adopt(context).await?;
    let current = context.settings()?.current.map(|path| path.to_string());
    let mut listing = Listing::start(
        output.format(),
        &["current", "name", "tenant", "client id", "cloud", "credential", "connector"],
    )?;
    if let Some(api) = Api::connect_existing(context).await? {
        for row in rows(&api).await? {
            let shown = Shown::of(row, context);
            shown.warn(context);
            let is_current = current.as_ref() == Some(&shown.name);
            let cloud = shown.row.settings.microsoft.as_ref().map(|microsoft| microsoft.cloud);
            let fields = [
                Field::plain(if is_current { "*" } else { "" }),
                Field::plain(&shown.name),
                Field::maybe(shown.row.settings.tenant.as_ref()),
                Field::maybe(shown.row.settings.client_id.as_ref()),
                Field::maybe(cloud.as_ref()),
                Field::plain(&shown.secret),
                Field::plain(&shown.row.connector),
            ];
            listing.row(&fields, &shown.as_json(is_current))?;
        }
    }
    listing.finish("There is no connection yet; add one with `sortie connection add`.")?;
    Ok(Exit::Success)
}

pub(super) async fn run(arguments: &NameArguments, context: &Context) -> anyhow::Result<Exit> {
    connections::adopt(context).await?;
    let api = Api::connect_existing(context).await?;
    let mut rows = match &api {
        Some(api) => rows(api).await?,
        None => Vec::new(),
    };
    let chosen = match arguments.name.clone().or_else(|| context.global.connection.clone()) {
        Some(path) => path,
        None => match chosen(&rows, context)? {
            Some(path) => path,
            None => match context.choose().await? {
                environment if environment.name == ENVIRONMENT => return show_environment(&environment),
                connection => connection.name.parse().map_err(anyhow::Error::msg)?,
            },
        },
    };
    let names: Vec<String> = rows.iter().map(Row::shown_name).collect();
    let found = connections::position(names.iter().map(String::as_str), &chosen)?;
    let shown = Shown::of(rows.swap_remove(found), context);
    shown.warn(context);
    let is_current = context.settings()?.current.is_some_and(|path| path.to_string() == shown.name);
    if arguments.output.format() != Format::Table {
        say(&shown.as_json(is_current))?;
        return Ok(Exit::Success);
    }
    let mut lines = vec![
        ("Connection", Field::plain(&shown.name)),
        ("Current", Field::plain(if is_current { "yes" } else { "no" })),
        ("Connector", Field::plain(&shown.row.connector)),
        ("Tenant", Field::maybe(shown.row.settings.tenant.as_ref())),
        ("Client id", Field::maybe(shown.row.settings.client_id.as_ref())),
        ("Credential", Field::plain(&shown.secret)),
        ("Vault opened at", Field::maybe(shown.row.settings.vault.as_ref().and_then(|vault| vault.login.as_ref()))),
        ("Secret ends", Field::maybe(shown.expiry(context).map(|expiry| expiry.describe()).as_ref())),
        ("Signed in", Field::maybe(shown.signed_in.as_ref())),
    ];
    match &shown.row.settings.microsoft {
        Some(microsoft) => lines.extend(services(microsoft)),
        None => {
            lines.push(("Base address", Field::plain(&shown.row.base_url)));
            lines.push(("Token URL", Field::maybe(shown.row.token_url.as_ref())));
        }
    }
    let way = &shown.row.settings.way;
    lines.extend([
        ("Trusts", Field::maybe(way.trust.as_ref().map(|path| path.display()).as_ref())),
        ("Shows", Field::maybe(way.client_certificate.as_ref())),
        ("Rate", Field::maybe(way.rate.as_ref())),
        ("At once", Field::maybe(way.at_once.as_ref())),
        ("Allowed hosts", Field::plain(shown.row.allowed_hosts.join(", "))),
        ("Secret goes to", Field::plain(shown.row.destinations.join(", "))),
    ]);
    say(&properties(&lines))?;
    Ok(Exit::Success)
}

/// Where Microsoft's services are for it.
fn services(microsoft: &Microsoft) -> Vec<(&'static str, Field)> {
    let hosts = microsoft.hosts();
    vec![
        ("Cloud", Field::plain(microsoft.cloud)),
        ("Endpoint", Field::plain(if microsoft.endpoint == EndpointVersion::V1 { "v1" } else { "v2" })),
        ("Login", Field::plain(&hosts.login)),
        ("Graph", Field::plain(&hosts.graph)),
        ("Defender XDR", Field::maybe(hosts.xdr.as_ref())),
        ("Endpoint API", Field::maybe(hosts.mde.as_ref())),
        ("Cloud Apps", Field::maybe(hosts.cloud_apps.as_ref())),
    ]
}

/// What the `AZURE_*` variables describe is nowhere kept.
fn show_environment(connection: &DefenderConnection) -> anyhow::Result<Exit> {
    let mut lines = vec![
        ("Connection", Field::plain(&connection.name)),
        ("Tenant", Field::plain(&connection.tenant)),
        ("Client id", Field::plain(&connection.client_id)),
        ("Credential", Field::plain(connection.credential_text())),
    ];
    lines.extend(services(&connection.microsoft));
    say(&properties(&lines))?;
    Ok(Exit::Success)
}

/// Which one is meant where none is named: the current one, else the only one to Microsoft Defender.
fn chosen(rows: &[Row], context: &Context) -> anyhow::Result<Option<ConnectionPath>> {
    let is_there = |path: &ConnectionPath| rows.iter().any(|row| row.shown_name() == path.to_string());
    if let Some(path) = context.settings()?.current.filter(is_there) {
        return Ok(Some(path));
    }
    let mut of_defender = rows.iter().filter(|row| row.settings.microsoft.is_some());
    let (Some(only), None) = (of_defender.next(), of_defender.next()) else { return Ok(None) };
    Ok(Some(only.shown_name().parse().map_err(anyhow::Error::msg)?))
}

/// What a person may see of a connection.
struct Shown {
    name: String,
    row: Row,
    /// A reference, `sealed` or `none`.
    secret: String,
    /// When a person signed in, where one has.
    signed_in: Option<Timestamp>,
    expires: Option<Timestamp>,
}

impl Shown {
    fn of(row: Row, context: &Context) -> Self {
        let sealed = row.secrets.iter().find(|info| info.field == SECRET);
        let kept = if sealed.is_some() { "sealed" } else { "none" };
        let expires = match &row.settings.reference {
            Some(reference) => certificate_end(reference, context).or(row.settings.expires),
            None => sealed.and_then(|info| info.expires),
        };
        Self {
            name: row.shown_name(),
            secret: row.settings.reference.clone().unwrap_or_else(|| kept.to_owned()),
            signed_in: row.secrets.iter().find(|info| info.field == REFRESH).map(|info| info.entered),
            expires,
            row,
        }
    }

    fn expiry(&self, context: &Context) -> Option<Expiry> {
        self.expires.map(|at| Expiry::of(at, context.clock.now()))
    }

    /// Says it where the end is near.
    fn warn(&self, context: &Context) {
        let kind = match &self.row.settings.reference {
            Some(reference) if reference.starts_with("certificate") => "certificate",
            _ => "secret",
        };
        let what = format!("the {kind} of connection {}", self.name);
        if let Some(warning) = self.expiry(context).and_then(|expiry| expiry.warning(&what)) {
            context.note(&warning);
        }
    }

    fn as_json(&self, is_current: bool) -> String {
        let row = &self.row;
        json!({
            "name": self.name, "current": is_current, "shared": row.tenant == SHARED_NAME,
            "microsoft": row.settings.microsoft, "connector": row.connector, "tenant": row.settings.tenant,
            "client_id": row.settings.client_id, "base": row.base_url, "token_url": row.token_url,
            "allowed_hosts": row.allowed_hosts, "destinations": row.destinations, "secret": self.secret,
            "signed_in": self.signed_in, "expires": self.expires,
            "way": row.settings.way,
        })
        .to_string()
    }
}

/// When the certificate of a reference ends, where it is one that can be read here.
fn certificate_end(reference: &str, context: &Context) -> Option<Timestamp> {
    let source = credential_reference(reference, AssertionAlgorithm::default()).ok()?;
    let is_certificate =
        matches!(source, CredentialSource::Certificate { .. } | CredentialSource::CertificateEnvironment { .. });
    match is_certificate.then(|| source.load(&Terminal, context.clock.now()))? {
        Ok(Loaded::Certificate(certificate)) => Some(certificate.expires_at()),
        Err(CredentialError::CertificateExpired(at)) => Some(at),
        Ok(_) | Err(_) => None,
    }
}
