//! A connection to Microsoft's own services: in which cloud, at which hosts, as which application.

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use sortie_identity::{
    Application, AssertionAlgorithm, Audience, Cloud, Credential, CredentialSource, EndpointVersion, HostOverrides,
    Hosts, Region,
};
use sortie_model::{ClientId, ConnectionName, TenantId};
use sortie_store::{Connection, NewConnection};
use url::Url;

use super::{ConnectionSettings, Held, VAULT_REFERENCE, Way, origin};
use crate::{
    connections,
    context::Context,
    database,
    exit::Problem,
    input::Terminal,
    reference::{credential_reference, is_rs256, reference_text},
};

/// Where its services are; no secret.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Microsoft {
    pub cloud: Cloud,
    #[serde(skip_serializing_if = "is_default")]
    pub endpoint: EndpointVersion,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<Region>,
    #[serde(skip_serializing_if = "is_default")]
    pub hosts: HostOverrides,
}

/// One application in one tenant, as Defender's own commands use it.
#[derive(Clone, Debug)]
pub(crate) struct DefenderConnection {
    /// As a person names it.
    pub name: String,
    pub tenant: TenantId,
    pub client_id: ClientId,
    pub microsoft: Microsoft,
    /// Whom it trusts, and what proves it during the handshake.
    pub way: Way,
    pub credential: Kept,
    /// Where it is kept; nowhere, for what the `AZURE_*` variables describe.
    pub row: Option<Box<Connection>>,
}

/// Where its credential is.
#[derive(Clone, Debug)]
pub(crate) enum Kept {
    Reference(CredentialSource),
    /// Sealed in the database or in a key vault; the row says how to get at it.
    Stored(Box<Connection>),
}

impl Microsoft {
    /// Every host, with the replacements.
    pub(crate) fn hosts(&self) -> Hosts {
        let hosts = self.cloud.hosts();
        let hosts = match self.region {
            Some(region) => hosts.in_region(region),
            None => hosts,
        };
        hosts.with(&self.hosts)
    }

    /// The base address of the API that an operation is for.
    pub(crate) fn base(&self, audience: &Audience) -> anyhow::Result<Url> {
        self.hosts().base(audience).cloned().map_err(|error| {
            let next = "Add the connection again with that host: `sortie connection add NAME --replace …`.";
            Problem::usage(error.to_string(), next).into()
        })
    }

    /// Where the application's credential and its tokens go.
    pub(crate) fn destinations(&self) -> Vec<String> {
        let hosts = self.hosts();
        let optional = [hosts.xdr, hosts.mde, hosts.cloud_apps];
        [hosts.login, hosts.graph].iter().chain(optional.iter().flatten()).map(origin).collect()
    }

    /// A host that a person has named by hand may be a private one.
    pub(crate) fn allowed_hosts(&self) -> Vec<String> {
        let hosts = &self.hosts;
        let named = [&hosts.login, &hosts.graph, &hosts.xdr, &hosts.mde, &hosts.cloud_apps];
        let with_port = |url: &Url| {
            let host = url.host_str()?;
            Some(url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")))
        };
        named.into_iter().flatten().filter_map(with_port).collect()
    }

    /// An application that signs in here.
    pub(crate) fn application(&self, tenant: TenantId, client_id: ClientId, credential: Credential) -> Application {
        let (cloud, hosts, endpoint) = (self.cloud, self.hosts(), self.endpoint);
        Application { cloud, hosts, tenant, client_id, credential, endpoint }
    }

    /// A connection to these services, as it is kept.
    pub(crate) fn row(&self, name: ConnectionName, settings: ConnectionSettings) -> anyhow::Result<NewConnection> {
        Ok(NewConnection {
            name,
            connector: DEFENDER.to_owned(),
            base_url: String::new(),
            token_url: None,
            allowed_hosts: self.allowed_hosts(),
            destinations: self.destinations(),
            settings: serde_json::to_value(ConnectionSettings { microsoft: Some(self.clone()), ..settings })?,
        })
    }
}

impl DefenderConnection {
    /// Of a row of the database that is one; `None` for a connection to another connector, or to this one at one address.
    pub(crate) fn of(row: &Connection, name: String) -> anyhow::Result<Option<Self>> {
        let settings = ConnectionSettings::of(row)?;
        let Some(microsoft) = settings.microsoft else { return Ok(None) };
        let broken = || format!("connection {name} cannot be read from the database");
        let algorithm = if settings.rs256 { AssertionAlgorithm::Rs256 } else { AssertionAlgorithm::Ps256 };
        let credential = match settings.reference {
            Some(reference) if !reference.starts_with(VAULT_REFERENCE) => {
                Kept::Reference(credential_reference(&reference, algorithm)?)
            }
            _ => Kept::Stored(Box::new(row.clone())),
        };
        Ok(Some(Self {
            tenant: settings.tenant.unwrap_or_default().parse().with_context(broken)?,
            client_id: settings.client_id.unwrap_or_default().parse().with_context(broken)?,
            microsoft,
            way: settings.way,
            credential,
            row: Some(Box::new(row.clone())),
            name,
        }))
    }

    /// Whether both are the same application in the same tenant, as far as a domain and a GUID can be told apart.
    pub(crate) fn is_of(&self, other: &Self) -> bool {
        let is_same_tenant = self.tenant == other.tenant || !self.tenant.is_guid() || !other.tenant.is_guid();
        self.client_id == other.client_id && is_same_tenant
    }

    /// The tenant of ours that has it; `None` for what is for all.
    pub(crate) fn owner(&self) -> Option<&str> {
        self.name.split_once('/').map(|(tenant, _)| tenant)
    }

    /// The application that signs in with this credential.
    pub(crate) fn application(&self, credential: Credential) -> Application {
        self.microsoft.application(self.tenant.clone(), self.client_id.clone(), credential)
    }

    /// As it is kept, with a reference.
    pub(crate) fn row(&self, name: ConnectionName, source: &CredentialSource) -> anyhow::Result<NewConnection> {
        let settings = ConnectionSettings {
            tenant: Some(self.tenant.to_string()),
            client_id: Some(self.client_id.to_string()),
            reference: Some(reference_text(source)),
            rs256: is_rs256(source),
            ..ConnectionSettings::default()
        };
        self.microsoft.row(name, settings)
    }

    /// Loads the credential, from wherever it is.
    pub(crate) async fn load(&self, context: &Context) -> anyhow::Result<Credential> {
        let broken = || format!("the credential of connection `{}` cannot be used", self.name);
        let row = match &self.credential {
            Kept::Reference(source) => return source.load(&Terminal, context.clock.now()).with_context(broken),
            Kept::Stored(row) => row,
        };
        let store = database::look(context).await?;
        // Its secret is for the addresses that were read, and for no others.
        connections::unchanged(&store, row).await?;
        let settings = ConnectionSettings::of(row)?;
        let transport = settings.way.transport(row, context)?;
        let held = Held::load(&store, row, &settings, &transport, context).await?;
        held.warn(&self.name, context);
        held.loaded.ok_or_else(|| {
            let next = format!("Enter it: `sortie connection rotate {}`.", self.name);
            Problem::usage(format!("connection {} has no credential", self.name), next).into()
        })
    }

    /// The credential in words: a reference, or where it is.
    pub(crate) fn credential_text(&self) -> String {
        match &self.credential {
            Kept::Reference(source) => reference_text(source),
            Kept::Stored(row) => match ConnectionSettings::of(row).ok().and_then(|settings| settings.reference) {
                Some(reference) => reference,
                None => "sealed".to_owned(),
            },
        }
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// The connector of Defender's own commands.
pub(crate) const DEFENDER: &str = "microsoft-365-defender";
