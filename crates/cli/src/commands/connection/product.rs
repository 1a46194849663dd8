//! Connections to connectors: kept in the database, their secrets sealed or referred to.

use std::path::PathBuf;

use clap::Args;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use sortie_connector::{Target, base};
use sortie_identity::{AssertionAlgorithm, Credential as Loaded, CredentialError, CredentialSource};
use sortie_model::{ClientId, ConnectionName, Secret};
use sortie_store::{Connection, NewConnection, Store};
use url::Url;

use super::AddArguments;
use crate::{
    context::Context,
    database::{self, SHARED},
    exit::{Exit, Problem},
    input::{Terminal, confirm},
    output::{Field, Format, properties, say},
    product::{
        ConnectionSettings, Expiry, Product, REFRESH, Rate, SECRET, VAULT_REFERENCE, VaultSettings, Way, token_url_of,
    },
};

#[derive(Args)]
pub(super) struct ProductArguments {
    /// Base address, where the connector's own is not the right one
    #[arg(long, value_name = "URL", requires = "connector", help_heading = "Connectors")]
    base: Option<Url>,
    /// Further host that calls may reach although it is this machine or in a private network; with or without a port
    #[arg(long, value_name = "HOST", requires = "connector", help_heading = "Connectors")]
    allow_host: Vec<String>,
    /// Variable of the base address
    #[arg(long, value_name = "NAME=VALUE", requires = "connector", help_heading = "Connectors")]
    variable: Vec<String>,
    /// Token URL, where the connector's own is not the right one
    #[arg(long, value_name = "URL", requires = "connector", help_heading = "Connectors")]
    token_url: Option<String>,
    /// Day on which the secret ends, such as 2027-03-31; warnings begin thirty days before. A certificate says it itself
    #[arg(long, value_name = "DATE", requires = "connector", help_heading = "Connectors", value_parser = crate::times::day)]
    expires: Option<Timestamp>,
    /// PEM file of authorities that this connection trusts beside the usual ones
    #[arg(long, value_name = "FILE", requires = "connector", help_heading = "Connectors")]
    trust: Option<PathBuf>,
    /// Certificate that proves this connection to the service during the handshake, with its key in the same file or in a
    /// second one
    #[arg(long, value_name = "PEM[,KEY]", requires = "connector", help_heading = "Connectors")]
    client_certificate: Option<String>,
    /// Calls a second or a minute at most, such as 10/s or 100/m, within one run of Sortie
    #[arg(long, value_name = "N/s|N/m", requires = "connector", help_heading = "Connectors")]
    rate: Option<Rate>,
    /// Calls on their way at once at most; 8 unless given
    #[arg(long, value_name = "N", requires = "connector", help_heading = "Connectors", value_parser = clap::value_parser!(u8).range(1..=64))]
    at_once: Option<u8>,
    /// What opens the vault of --credential keyvault:URL: managed-identity, certificate:PEM, env:NAME and so on
    #[arg(
        long,
        value_name = "REFERENCE",
        requires = "connector",
        help_heading = "Connectors",
        default_value = "managed-identity"
    )]
    vault_credential: String,
    /// Application that opens the vault, where it is not --client-id
    #[arg(long, value_name = "GUID", requires = "connector", help_heading = "Connectors")]
    vault_client_id: Option<ClientId>,
}

/// Adds the connection, or replaces the one of that name; a secret that would go elsewhere now must be entered again.
pub(super) async fn add(connector: &str, arguments: &AddArguments, context: &Context) -> anyhow::Result<Exit> {
    let store = database::open(context)?;
    let product = Product::load(&store, connector).await?;
    let Given { reference, entered } = credential(arguments, context)?;
    let new = new(connector, arguments, &product, reference, context)?;
    sortie_transport::Guard::allowing(&new.allowed_hosts)
        .map_err(|error| Problem::usage(error.to_string(), "Correct `--allow-host`."))?;
    let present = store.connections_named(SHARED, arguments.name.as_str()).await?.pop();
    let connection = match present {
        Some(present) if arguments.replace => {
            let saved = store.change_connection(SHARED, present.id, present.version, new).await?;
            if saved.voided.iter().any(|field| field == SECRET) && entered.is_none() {
                context.note("its addresses changed, so its secret was taken away; enter it again");
            }
            if saved.voided.iter().any(|field| field == REFRESH) {
                context.note("its addresses changed, so its sign-in was taken away; sign in again");
            }
            saved.connection
        }
        Some(_) => {
            let what = format!("there is a connection `{}` already", arguments.name);
            return Err(Problem::usage(what, "Choose another name or add `--replace`.").into());
        }
        None => store.add_connection(SHARED, new).await?,
    };
    if let Some(secret) = entered {
        let keyring = database::unlock(&store, context).await?;
        store.set_secret(&keyring, SHARED, connection.id, SECRET, &secret, arguments.product.expires).await?;
    }
    say(&format!("connection {} added to connector {connector}", connection.name))?;
    context.note(&format!("`sortie connection test {}` tells whether it works", connection.name));
    Ok(Exit::Success)
}

/// Those of the database, where there is one: the columns of the list, and all as JSON.
pub(super) async fn rows(context: &Context) -> anyhow::Result<Vec<(Vec<Field>, String)>> {
    let Some(store) = database::open_existing(context)? else { return Ok(Vec::new()) };
    let mut rows = Vec::new();
    for connection in store.connections(SHARED).await? {
        let shown = Shown::read(&store, &connection, context).await?;
        shown.warn(&connection, context);
        let fields = vec![
            Field::plain(""),
            Field::plain(&connection.name),
            Field::maybe(shown.settings.tenant.as_ref()),
            Field::maybe(shown.settings.client_id.as_ref()),
            Field::plain(""),
            Field::plain(&shown.secret),
            Field::plain(&connection.connector),
        ];
        rows.push((fields, shown.as_json(&connection)));
    }
    Ok(rows)
}

pub(super) async fn show(name: &ConnectionName, format: Format, context: &Context) -> anyhow::Result<Exit> {
    let store = database::open(context)?;
    let connection = named(&store, name).await?;
    let shown = Shown::read(&store, &connection, context).await?;
    shown.warn(&connection, context);
    if format != Format::Table {
        say(&shown.as_json(&connection))?;
        return Ok(Exit::Success);
    }
    let way = &shown.settings.way;
    say(&properties(&[
        ("Connection", Field::plain(&connection.name)),
        ("Connector", Field::plain(&connection.connector)),
        ("Tenant", Field::maybe(shown.settings.tenant.as_ref())),
        ("Client id", Field::maybe(shown.settings.client_id.as_ref())),
        ("Secret", Field::plain(&shown.secret)),
        ("Vault opened at", Field::maybe(shown.settings.vault.as_ref().and_then(|vault| vault.login.as_ref()))),
        ("Secret ends", Field::maybe(shown.expiry(context).map(|expiry| expiry.describe()).as_ref())),
        ("Signed in", Field::maybe(shown.signed_in.as_ref())),
        ("Base address", Field::plain(&connection.base_url)),
        ("Trusts", Field::maybe(way.trust.as_ref().map(|path| path.display()).as_ref())),
        ("Shows", Field::maybe(way.client_certificate.as_ref())),
        ("Rate", Field::maybe(way.rate.as_ref())),
        ("At once", Field::maybe(way.at_once.as_ref())),
        ("Token URL", Field::maybe(connection.token_url.as_ref())),
        ("Allowed hosts", Field::plain(connection.allowed_hosts.join(", "))),
        ("Secret goes to", Field::plain(connection.destinations.join(", "))),
    ]))?;
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
    async fn read(store: &Store, connection: &Connection, context: &Context) -> anyhow::Result<Self> {
        let settings: ConnectionSettings = serde_json::from_value(connection.settings.clone())?;
        let infos = store.secret_infos(SHARED, connection.id).await?;
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
    fn warn(&self, connection: &Connection, context: &Context) {
        let kind = match &self.settings.reference {
            Some(reference) if reference.starts_with("certificate") => "certificate",
            _ => "secret",
        };
        let what = format!("the {kind} of connection {}", connection.name);
        if let Some(warning) = self.expiry(context).and_then(|expiry| expiry.warning(&what)) {
            context.note(&warning);
        }
    }

    fn as_json(&self, connection: &Connection) -> String {
        json!({
            "name": connection.name, "connector": connection.connector, "tenant": self.settings.tenant,
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
    let source = super::credential_reference(reference, AssertionAlgorithm::default()).ok()?;
    let is_certificate =
        matches!(source, CredentialSource::Certificate { .. } | CredentialSource::CertificateEnvironment { .. });
    match is_certificate.then(|| source.load(&Terminal, context.clock.now()))? {
        Ok(Loaded::Certificate(certificate)) => Some(certificate.expires_at()),
        Err(CredentialError::CertificateExpired(at)) => Some(at),
        Ok(_) | Err(_) => None,
    }
}

pub(super) async fn remove(name: &ConnectionName, yes: bool, context: &Context) -> anyhow::Result<Exit> {
    let store = database::open(context)?;
    let connection = named(&store, name).await?;
    let users = store.connection_users(SHARED, connection.id).await?;
    if !users.is_empty() {
        context.note(&format!("it is used by {}", users.join(", ")));
    }
    if !confirm(&format!("Forget connection {name}?"), yes)? {
        return Ok(Exit::Failure);
    }
    store.remove_connection(SHARED, connection.id).await?;
    say(&format!("connection {name} forgotten, with its secret"))?;
    Ok(Exit::Success)
}

pub(super) async fn void(name: &ConnectionName, context: &Context) -> anyhow::Result<Exit> {
    let store = database::open(context)?;
    let connection = named(&store, name).await?;
    let voided = store.void_secrets(SHARED, connection.id).await?;
    say(if voided.is_empty() { "it had no secret in the database" } else { "its secret was taken away" })?;
    Ok(Exit::Success)
}

pub(super) async fn named(store: &Store, name: &ConnectionName) -> anyhow::Result<Connection> {
    let found = store.connections_named(SHARED, name.as_str()).await?.pop();
    found.ok_or_else(|| {
        let next = "`sortie connection list` shows those that exist.";
        Problem::usage(format!("there is no connection `{name}`"), next).into()
    })
}

/// What `--credential` has given: a reference that stays one, or a secret that is entered now and sealed; or neither.
struct Given {
    reference: Option<String>,
    entered: Option<Secret>,
}

fn credential(arguments: &AddArguments, context: &Context) -> anyhow::Result<Given> {
    let text = arguments.credential.trim();
    if text == "none" {
        return Ok(Given { reference: None, entered: None });
    }
    if text.starts_with(VAULT_REFERENCE) {
        return Ok(Given { reference: Some(text.to_owned()), entered: None });
    }
    let algorithm = if arguments.rs256 { AssertionAlgorithm::Rs256 } else { AssertionAlgorithm::Ps256 };
    let source = super::credential_reference(text, algorithm)?;
    let referred = || Given { reference: Some(text.to_owned()), entered: None };
    match source {
        CredentialSource::Environment { .. } | CredentialSource::File { .. } => Ok(referred()),
        CredentialSource::Certificate { .. } | CredentialSource::CertificateEnvironment { .. } => {
            // A file that is none is told now, not by the first workflow at night.
            source.load(&Terminal, context.clock.now())?;
            Ok(referred())
        }
        CredentialSource::Stdin | CredentialSource::Prompt => match source.load(&Terminal, context.clock.now()) {
            Ok(Loaded::Secret(secret)) => Ok(Given { reference: None, entered: Some(secret) }),
            Ok(_) => Ok(Given { reference: None, entered: None }),
            Err(error) => Err(error.into()),
        },
        _ => {
            let next = "Use env:NAME, file:PATH, certificate:PEM[,KEY], certificate-env:NAME, keyvault:URL, stdin, prompt or none.";
            Err(Problem::usage("a connector's connection takes a secret or a certificate", next).into())
        }
    }
}

fn new(
    connector: &str,
    arguments: &AddArguments,
    product: &Product,
    reference: Option<String>,
    context: &Context,
) -> anyhow::Result<NewConnection> {
    let given = &arguments.product;
    let mut variables = Map::new();
    for pair in &given.variable {
        let next = "Write it as NAME=VALUE.";
        let (name, value) =
            pair.split_once('=').ok_or_else(|| Problem::usage(format!("`{pair}` is no variable"), next))?;
        variables.insert(name.trim().to_owned(), Value::from(value.trim()));
    }
    let tenant = arguments.tenant.as_ref().map(ToString::to_string);
    let edited = || product.edits.authentication.as_ref()?.oauth().map(|oauth| oauth.token_url.clone());
    let template = given.token_url.clone().or_else(edited);
    let token_url = template.map(|template| token_url_of(&template, tenant.as_deref())).transpose()?;
    let base = given.base.clone().or_else(|| product.edits.base.clone());
    let target = Target { base: base.clone(), variables: variables.clone() };
    can_call_something(product, &target)?;
    let destinations = product.destinations(&target, token_url.as_ref(), tenant.as_deref());
    let vault = reference.as_deref().filter(|text| text.starts_with(VAULT_REFERENCE)).map(|_| VaultSettings {
        credential: given.vault_credential.clone(),
        client_id: given.vault_client_id.clone(),
        cloud: arguments.cloud,
        login: arguments.hosts.login.clone(),
        imds: arguments.hosts.imds.clone(),
    });
    let settings = ConnectionSettings {
        tenant,
        vault,
        client_id: arguments.client_id.clone(),
        expires: given.expires.filter(|_| reference.is_some()),
        reference,
        rs256: arguments.rs256,
        way: Way {
            trust: given.trust.clone(),
            client_certificate: given.client_certificate.clone(),
            rate: given.rate,
            at_once: given.at_once,
        },
        variables,
    };
    settings.way.check(context)?;
    if let (Some(reference), Some(vault)) = (&settings.reference, &settings.vault) {
        vault.check(reference, &settings)?;
    }
    Ok(NewConnection {
        name: arguments.name.clone(),
        connector: connector.to_owned(),
        base_url: base.map(|base| base.to_string()).unwrap_or_default(),
        token_url: token_url.map(|url| url.to_string()),
        allowed_hosts: given.allow_host.clone(),
        destinations,
        settings: serde_json::to_value(settings)?,
    })
}

/// A base that cannot be called is told now, not by the first workflow at night. One API of several may need more than
/// this connection gives; it is told when that one is called.
fn can_call_something(product: &Product, target: &Target) -> anyhow::Result<()> {
    let mut bases =
        product.description.operations.iter().map(|operation| base(&product.description, operation, target));
    let Some(Err(error)) = bases.next() else { return Ok(()) };
    if bases.any(|base| base.is_ok()) {
        return Ok(());
    }
    let next = error.remedy();
    Err(Problem::usage(error.to_string(), next).into())
}
