//! `sortie connection add`: to Microsoft Defender, or to any connector.

mod credential;
mod microsoft;
mod product;

use std::path::PathBuf;

use clap::Args;
use jiff::Timestamp;
use sortie_identity::{Cloud, Region};
use sortie_model::{ClientId, ConnectionName, Secret, TenantId, TenantIdError};
use sortie_store::{Connection, NewConnection, Scope, Store, Tenant, TenantKey};
use url::Url;

use crate::{
    connections::{self, ConnectionPath},
    context::Context,
    database,
    exit::{Exit, Problem},
    product::{REFRESH, Rate, SECRET, Way},
};

#[derive(Args)]
pub(crate) struct Arguments {
    /// A name of your choice, such as contoso
    name: ConnectionName,
    /// A connection to this connector instead of to Microsoft Defender
    #[arg(
        long,
        value_name = "ID",
        help_heading = "Connectors",
        conflicts_with_all = ["region", "v1", "emulator", "graph", "xdr", "mde", "cloud_apps"]
    )]
    connector: Option<String>,
    #[command(flatten)]
    product: ProductArguments,
    /// Directory (tenant) ID, a verified domain, or the name of a tenant of `sortie tenant list`, whose connection it then is
    #[arg(long, required_unless_present = "connector", value_name = "TENANT")]
    tenant: Option<String>,
    /// Application (client) ID; with --connector also a user's name
    #[arg(long, value_name = "GUID", required_unless_present = "connector")]
    client_id: Option<String>,
    /// Where the credential is found, never the credential itself: prompt or stdin, where it is entered now and kept sealed;
    /// else a reference that stays one: env:NAME, file:PATH, certificate:PEM or certificate:PEM,KEY, certificate-env:NAME,
    /// keyvault:URL of a secret in Azure Key Vault, or none. To Microsoft also federated-file:PATH, github, managed-identity or
    /// managed-identity:CLIENT_ID
    #[arg(long, value_name = "REFERENCE", default_value = "env:AZURE_CLIENT_SECRET", hide_default_value = false)]
    credential: String,
    /// Sign certificate assertions with RS256 and x5t instead of PS256 and x5t#S256
    #[arg(long)]
    rs256: bool,
    /// global, gcc, gcc-high, dod or china; that of the tenant, else global, when absent
    #[arg(long)]
    cloud: Option<Cloud>,
    /// Defender hosts of a region: us, eu, uk, au or swa
    #[arg(long, value_parser = region)]
    region: Option<Region>,
    /// Sign in at the v1 endpoint (resource=) instead of v2 (scope=)
    #[arg(long)]
    v1: bool,
    /// All services at one address: a running `sortie emulator`
    #[arg(long, value_name = "URL")]
    emulator: Option<Url>,
    #[command(flatten)]
    hosts: HostArguments,
    /// Replace a connection of that name
    #[arg(long)]
    replace: bool,
}

#[derive(Args)]
pub(super) struct HostArguments {
    /// Login host instead of the cloud's; with --connector that of the vault's token
    #[arg(long, value_name = "URL", help_heading = "Hosts")]
    login: Option<Url>,
    /// Microsoft Graph host instead of the cloud's
    #[arg(long, value_name = "URL", help_heading = "Hosts")]
    graph: Option<Url>,
    /// Defender XDR host instead of the cloud's
    #[arg(long, value_name = "URL", help_heading = "Hosts")]
    xdr: Option<Url>,
    /// Defender for Endpoint host instead of the cloud's
    #[arg(long, value_name = "URL", help_heading = "Hosts")]
    mde: Option<Url>,
    /// The tenant's own Defender for Cloud Apps address (portal: Settings > Cloud apps > About)
    #[arg(long, value_name = "URL", help_heading = "Hosts")]
    cloud_apps: Option<Url>,
    /// Instance metadata service, for managed identity
    #[arg(long, value_name = "URL", help_heading = "Hosts")]
    imds: Option<Url>,
}

#[derive(Args)]
struct ProductArguments {
    /// Base address, where the connector's own is not the right one
    #[arg(long, value_name = "URL", help_heading = "Connectors")]
    base: Option<Url>,
    /// Further host that calls may reach although it is this machine or in a private network; with or without a port
    #[arg(long, value_name = "HOST", help_heading = "Connectors")]
    allow_host: Vec<String>,
    /// Variable of the base address
    #[arg(long, value_name = "NAME=VALUE", help_heading = "Connectors")]
    variable: Vec<String>,
    /// Token URL, where the connector's own is not the right one
    #[arg(long, value_name = "URL", help_heading = "Connectors")]
    token_url: Option<String>,
    /// Day on which the secret ends, such as 2027-03-31; warnings begin thirty days before. A certificate says it itself
    #[arg(long, value_name = "DATE", help_heading = "Connectors", value_parser = crate::times::day)]
    expires: Option<Timestamp>,
    /// PEM file of authorities that this connection trusts beside the usual ones
    #[arg(long, value_name = "FILE", help_heading = "Connectors")]
    trust: Option<PathBuf>,
    /// Certificate that proves this connection to the service during the handshake, with its key in the same file or in a
    /// second one
    #[arg(long, value_name = "PEM[,KEY]", help_heading = "Connectors")]
    client_certificate: Option<String>,
    /// Calls a second or a minute at most, such as 10/s or 100/m, within one run of Sortie
    #[arg(long, value_name = "N/s|N/m", help_heading = "Connectors")]
    rate: Option<Rate>,
    /// Calls on their way at once at most; 8 unless given
    #[arg(long, value_name = "N", help_heading = "Connectors", value_parser = clap::value_parser!(u8).range(1..=64))]
    at_once: Option<u8>,
    /// What opens the vault of --credential keyvault:URL: managed-identity, certificate:PEM, env:NAME and so on
    #[arg(long, value_name = "REFERENCE", help_heading = "Connectors", default_value = "managed-identity")]
    vault_credential: String,
    /// Application that opens the vault, where it is not --client-id
    #[arg(long, value_name = "GUID", help_heading = "Connectors")]
    vault_client_id: Option<ClientId>,
}

impl ProductArguments {
    /// What is given and belongs to other connectors alone. (clap asks for no argument that conflicts with one that is there,
    /// as `--connector` does with `--emulator`.)
    fn of_connectors_alone(&self) -> Option<&'static str> {
        let given = [
            ("--base", self.base.is_some()),
            ("--variable", !self.variable.is_empty()),
            ("--token-url", self.token_url.is_some()),
            ("--rate", self.rate.is_some()),
            ("--at-once", self.at_once.is_some()),
        ];
        given.into_iter().find(|(_, is_given)| *is_given).map(|(name, _)| name)
    }

    /// The connection's own way out.
    fn way(&self) -> Way {
        Way {
            trust: self.trust.clone(),
            client_certificate: self.client_certificate.clone(),
            rate: self.rate,
            at_once: self.at_once,
        }
    }
}

pub(super) async fn run(arguments: &Arguments, context: &Context) -> anyhow::Result<Exit> {
    match &arguments.connector {
        Some(connector) => product::add(connector, arguments, context).await,
        None => microsoft::add(arguments, context).await,
    }
}

fn region(text: &str) -> Result<Region, &'static str> {
    serde_json::from_value(text.to_ascii_lowercase().into()).map_err(|_| "expected us, eu, uk, au or swa")
}

/// Whose connection it becomes, and in which tenant of Entra's.
struct Whose {
    owner: Option<Tenant>,
    entra_id: Option<TenantId>,
}

impl Whose {
    /// A tenant of ours by its name; else one of Entra's, which may be that of one of ours.
    async fn find(store: &Store, arguments: &Arguments) -> anyhow::Result<Self> {
        let Some(text) = arguments.tenant.as_deref().map(str::trim) else {
            return Ok(Self { owner: None, entra_id: None });
        };
        let known = store.tenants(Scope::Every).await?;
        let owned = |tenant: &Tenant| Some(tenant.clone()).filter(|tenant| tenant.key != TenantKey::SHARED);
        if let Some(tenant) = known.iter().find(|tenant| tenant.name == text) {
            let entra_id = tenant.entra_id.as_deref().map(str::parse).transpose()?;
            return Ok(Self { owner: owned(tenant), entra_id });
        }
        let entra_id: TenantId = text.parse().map_err(|error: TenantIdError| {
            let next = "Give that, or the name of a tenant of `sortie tenant list`.";
            Problem::usage(error.to_string(), next)
        })?;
        Ok(Self { owner: connections::owner(store, &entra_id).await?, entra_id: Some(entra_id) })
    }

    fn scope(&self) -> Scope {
        connections::scope_of(self.owner.as_ref())
    }

    fn cloud(&self, given: Option<Cloud>) -> Cloud {
        let own = || self.owner.as_ref()?.cloud.parse().ok();
        given.or_else(own).unwrap_or_default()
    }

    /// How a person names the connection.
    fn path(&self, name: &ConnectionName) -> anyhow::Result<ConnectionPath> {
        ConnectionPath::of(self.owner.as_ref(), name)
    }
}

/// Keeps the connection, or replaces the one of that name; a secret that would go elsewhere now must be entered again.
async fn put(
    store: &Store,
    whose: &Whose,
    new: NewConnection,
    entered: Option<&Secret>,
    arguments: &Arguments,
    context: &Context,
) -> anyhow::Result<Connection> {
    sortie_transport::Guard::allowing(&new.allowed_hosts)
        .map_err(|error| Problem::usage(error.to_string(), "Correct `--allow-host`."))?;
    let scope = whose.scope();
    // A key that does not open is told before anything is changed.
    let keyring = match entered {
        Some(_) => Some(database::unlock(store, context).await?),
        None => None,
    };
    let present = store.connections_named(scope, arguments.name.as_str()).await?.pop();
    let connection = match present {
        Some(present) if arguments.replace => {
            let saved = store.change_connection(scope, present.id, present.version, new).await?;
            if saved.voided.iter().any(|field| field == SECRET) && entered.is_none() {
                context.note("its addresses changed, so its secret was taken away; enter it again");
            }
            if saved.voided.iter().any(|field| field == REFRESH) {
                context.note("its addresses changed, so its sign-in was taken away; sign in again");
            }
            saved.connection
        }
        Some(_) => return Err(taken(&whose.path(&arguments.name)?)),
        None => store.add_connection(scope, new).await?,
    };
    if let (Some(secret), Some(keyring)) = (entered, &keyring) {
        store.set_secret(keyring, scope, connection.id, SECRET, secret, arguments.product.expires).await?;
    }
    Ok(connection)
}

fn taken(path: &ConnectionPath) -> anyhow::Error {
    let what = format!("there is a connection `{path}` already");
    Problem::usage(what, "Choose another name or add `--replace`.").into()
}
