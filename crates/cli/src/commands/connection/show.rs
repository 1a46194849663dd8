//! `sortie connection list` and `show`.

use jiff::Timestamp;
use serde_json::json;
use sortie_identity::{AssertionAlgorithm, Credential as Loaded, CredentialError, CredentialSource, EndpointVersion};
use sortie_store::{Store, TenantKey};

use super::NameArguments;
use crate::{
    connections::{self, Named},
    context::{Context, ENVIRONMENT},
    database,
    exit::Exit,
    input::Terminal,
    output::{Field, Format, Listing, OutputArguments, properties, say},
    product::{ConnectionSettings, DefenderConnection, Expiry, Microsoft, REFRESH, SECRET},
    reference::credential_reference,
};

pub(super) async fn list(output: OutputArguments, context: &Context) -> anyhow::Result<Exit> {
    connections::of_defender(context).await?;
    let current = context.settings()?.current.map(|path| path.to_string());
    let mut listing = Listing::start(
        output.format(),
        &["current", "name", "tenant", "client id", "cloud", "credential", "connector"],
    )?;
    if let Some(store) = database::open_existing(context).await? {
        for named in connections::all(&store).await? {
            let shown = Shown::read(&store, &named, context).await?;
            shown.warn(&named.name, context);
            let is_current = current.as_ref() == Some(&named.name);
            let cloud = shown.settings.microsoft.as_ref().map(|microsoft| microsoft.cloud);
            let fields = [
                Field::plain(if is_current { "*" } else { "" }),
                Field::plain(&named.name),
                Field::maybe(shown.settings.tenant.as_ref()),
                Field::maybe(shown.settings.client_id.as_ref()),
                Field::maybe(cloud.as_ref()),
                Field::plain(&shown.secret),
                Field::plain(&named.row.connector),
            ];
            listing.row(&fields, &shown.as_json(&named, is_current))?;
        }
    }
    listing.finish("There is no connection yet; add one with `sortie connection add`.")?;
    Ok(Exit::Success)
}

pub(super) async fn run(arguments: &NameArguments, context: &Context) -> anyhow::Result<Exit> {
    let chosen = match &arguments.name {
        Some(path) => path.clone(),
        None => match context.choose().await? {
            environment if environment.name == ENVIRONMENT => return show_environment(&environment),
            connection => connection.name.parse().map_err(anyhow::Error::msg)?,
        },
    };
    let (store, named) = connections::open(context, &chosen).await?;
    let shown = Shown::read(&store, &named, context).await?;
    shown.warn(&named.name, context);
    let is_current = context.settings()?.current.is_some_and(|path| path.to_string() == named.name);
    if arguments.output.format() != Format::Table {
        say(&shown.as_json(&named, is_current))?;
        return Ok(Exit::Success);
    }
    let mut lines = vec![
        ("Connection", Field::plain(&named.name)),
        ("Current", Field::plain(if is_current { "yes" } else { "no" })),
        ("Connector", Field::plain(&named.row.connector)),
        ("Tenant", Field::maybe(shown.settings.tenant.as_ref())),
        ("Client id", Field::maybe(shown.settings.client_id.as_ref())),
        ("Credential", Field::plain(&shown.secret)),
        ("Vault opened at", Field::maybe(shown.settings.vault.as_ref().and_then(|vault| vault.login.as_ref()))),
        ("Secret ends", Field::maybe(shown.expiry(context).map(|expiry| expiry.describe()).as_ref())),
        ("Signed in", Field::maybe(shown.signed_in.as_ref())),
    ];
    match &shown.settings.microsoft {
        Some(microsoft) => lines.extend(services(microsoft)),
        None => {
            lines.push(("Base address", Field::plain(&named.row.base_url)));
            lines.push(("Token URL", Field::maybe(named.row.token_url.as_ref())));
        }
    }
    let way = &shown.settings.way;
    lines.extend([
        ("Trusts", Field::maybe(way.trust.as_ref().map(|path| path.display()).as_ref())),
        ("Shows", Field::maybe(way.client_certificate.as_ref())),
        ("Rate", Field::maybe(way.rate.as_ref())),
        ("At once", Field::maybe(way.at_once.as_ref())),
        ("Allowed hosts", Field::plain(named.row.allowed_hosts.join(", "))),
        ("Secret goes to", Field::plain(named.row.destinations.join(", "))),
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

/// What a person may see of a connection beside its row.
struct Shown {
    settings: ConnectionSettings,
    /// A reference, `sealed` or `none`.
    secret: String,
    /// When a person signed in, where one has.
    signed_in: Option<Timestamp>,
    expires: Option<Timestamp>,
}

impl Shown {
    async fn read(store: &Store, named: &Named, context: &Context) -> anyhow::Result<Self> {
        let settings = ConnectionSettings::of(&named.row)?;
        let infos = store.secret_infos(named.scope(), named.row.id).await?;
        let sealed = infos.iter().find(|info| info.field == SECRET);
        let kept = if sealed.is_some() { "sealed" } else { "none" };
        let expires = match &settings.reference {
            Some(reference) => certificate_end(reference, context).or(settings.expires),
            None => sealed.and_then(|info| info.expires),
        };
        Ok(Self {
            secret: settings.reference.clone().unwrap_or_else(|| kept.to_owned()),
            signed_in: infos.iter().find(|info| info.field == REFRESH).map(|info| info.entered),
            expires,
            settings,
        })
    }

    fn expiry(&self, context: &Context) -> Option<Expiry> {
        self.expires.map(|at| Expiry::of(at, context.clock.now()))
    }

    /// Says it where the end is near.
    fn warn(&self, name: &str, context: &Context) {
        let kind = match &self.settings.reference {
            Some(reference) if reference.starts_with("certificate") => "certificate",
            _ => "secret",
        };
        let what = format!("the {kind} of connection {name}");
        if let Some(warning) = self.expiry(context).and_then(|expiry| expiry.warning(&what)) {
            context.note(&warning);
        }
    }

    fn as_json(&self, named: &Named, is_current: bool) -> String {
        let connection = &named.row;
        json!({
            "name": named.name, "current": is_current, "shared": connection.tenant == TenantKey::SHARED,
            "microsoft": self.settings.microsoft, "connector": connection.connector, "tenant": self.settings.tenant,
            "client_id": self.settings.client_id, "base": connection.base_url, "token_url": connection.token_url,
            "allowed_hosts": connection.allowed_hosts, "destinations": connection.destinations, "secret": self.secret,
            "signed_in": self.signed_in, "expires": self.expires,
            "way": self.settings.way,
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
