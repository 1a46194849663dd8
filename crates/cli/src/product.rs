//! A connector with what was edited of it, and a connection to it: who calls, where, with which credential.

mod authentication;
mod expiry;
mod microsoft;
mod ready;
mod tokens;
mod vault;
mod way;

use std::collections::BTreeSet;

use anyhow::Context as _;
pub(crate) use authentication::{Authentication, OAuth, Proof, token_url_of};
pub(crate) use expiry::Expiry;
use jiff::Timestamp;
pub(crate) use microsoft::{DefenderConnection, Kept, Microsoft};
use ready::Held;
pub(crate) use ready::{Ready, origin};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sortie_connector::{BuiltIn, Target, base};
use sortie_openapi::{Description, Operation};
use sortie_store::{Connection, Connector, ConnectorInfo, Store, StoreError, StoreErrorKind, Tenant, TenantKey};
pub(crate) use tokens::scope_of_sign_in;
use url::Url;
pub(crate) use vault::{VAULT_REFERENCE, VaultSettings};
pub(crate) use way::{Rate, Way};

use crate::{
    asking::{Api, at, text},
    connections::{self, ConnectionPath, Named},
    database::SHARED,
    exit::{Exit, Problem},
};

/// A connector as it is used: its description under what was edited.
#[derive(Debug)]
pub(crate) struct Product {
    pub info: ConnectorInfo,
    pub description: Description,
    pub edits: Edits,
}

/// What a person has changed of a connector.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Edits {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base: Option<Url>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authentication: Option<Authentication>,
}

/// What is kept of a connection beside its addresses; no secret.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ConnectionSettings {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// The application's id, or the user's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// Such as `env:NAME` or `certificate:PEM`; where absent, the secret is sealed in the database.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// Assertions are signed by RS256.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub rs256: bool,
    /// When what is referred to ends, as a person has said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// How the vault is opened that the reference names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vault: Option<VaultSettings>,
    /// Whom it trusts, what proves it, how often it calls.
    #[serde(skip_serializing_if = "Way::is_usual")]
    pub way: Way,
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub variables: Map<String, Value>,
    /// Of a connection to Microsoft's own services: in which cloud, at which hosts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub microsoft: Option<Microsoft>,
}

impl ConnectionSettings {
    pub(crate) fn of(row: &Connection) -> anyhow::Result<Self> {
        serde_json::from_value(row.settings.clone())
            .with_context(|| format!("connection {} cannot be read from the database", row.name))
    }
}

/// The field under which the one secret of a connection is sealed.
pub(crate) const SECRET: &str = "secret";
/// The field under which what a person's sign-in left is sealed.
pub(crate) const REFRESH: &str = "refresh_token";

impl Product {
    /// The connector of the database, else the one that comes with Sortie.
    pub(crate) async fn load(store: &Store, id: &str) -> anyhow::Result<Self> {
        let connector = match store.connector(SHARED, id).await {
            Err(StoreError { kind: StoreErrorKind::Absent(_), .. }) if BuiltIn::of(id).is_some() => {
                return Ok(Self::built_in(BuiltIn::of(id).expect("it was found a moment ago")));
            }
            connector => connector?,
        };
        Self::of(connector)
    }

    /// One of the database, as it is or was kept.
    pub(crate) fn of(connector: Connector) -> anyhow::Result<Self> {
        let id = &connector.info.id;
        let broken = || format!("connector {id} cannot be read from the database");
        Ok(Self {
            description: serde_json::from_str(&connector.description).with_context(broken)?,
            edits: serde_json::from_value(connector.info.edits.clone()).with_context(broken)?,
            info: connector.info,
        })
    }

    /// The same from the API.
    pub(crate) async fn asked(api: &Api, id: &str) -> anyhow::Result<Self> {
        let mut found = api.get(at(["connectors", id, "description"])).await?;
        let broken = || format!("connector {id} cannot be read");
        let edits = found["edits"].take();
        let info = ConnectorInfo {
            tenant: TenantKey::SHARED,
            id: text(&found, "id").to_owned(),
            title: text(&found, "title").to_owned(),
            origin: found["origin"].as_str().unwrap_or(BUILT_IN_ORIGIN).to_owned(),
            content_hash: text(&found, "content_hash").to_owned(),
            edits: edits.clone(),
            version: found["version"].as_i64().unwrap_or(0),
            changed: text(&found, "changed").parse().unwrap_or(Timestamp::UNIX_EPOCH),
        };
        let description = serde_json::from_value(found["description"].take()).with_context(broken)?;
        Ok(Self { info, description, edits: serde_json::from_value(edits).with_context(broken)? })
    }

    /// One that comes with Sortie, as it comes.
    pub(crate) fn built_in(built_in: BuiltIn) -> Self {
        let description = built_in.description();
        let info = ConnectorInfo {
            tenant: TenantKey::SHARED,
            id: built_in.id.to_owned(),
            title: description.title.clone(),
            origin: BUILT_IN_ORIGIN.to_owned(),
            content_hash: description.content_hash(),
            edits: Value::Object(Map::new()),
            version: 0,
            changed: Timestamp::UNIX_EPOCH,
        };
        Self { info, description, edits: Edits::default() }
    }

    /// Whether it is used as it comes; an edit copies it into the database first.
    pub(crate) fn is_as_it_comes(&self) -> bool {
        self.info.version == 0
    }

    pub(crate) fn title(&self) -> &str {
        self.edits.title.as_deref().unwrap_or(&self.description.title)
    }

    /// The operation of this id or of a name that the document's users know.
    pub(crate) fn operation(&self, name: &str) -> anyhow::Result<&Operation> {
        self.description.operation_called(name).ok_or_else(|| {
            let part = name.to_lowercase();
            let alike = self.description.operations.iter().map(|operation| operation.id.as_str());
            let alike: Vec<&str> = alike.filter(|id| id.contains(&part) || part.contains(id)).take(5).collect();
            let next = match alike[..] {
                [] => format!("`sortie connector show {}` lists its operations.", self.info.id),
                _ => format!("There are `{}`.", alike.join("`, `")),
            };
            Problem { exit: Exit::NotFound, what: format!("{} has no operation `{name}`", self.info.id), next }.into()
        })
    }

    /// The product's own address of the operation, which tells whose API it is wherever a connection leads.
    pub(crate) fn host(&self, operation: &Operation) -> Option<Url> {
        let server = operation.servers.first().or_else(|| self.description.servers.first())?;
        server.url.parse().ok()
    }

    /// Every origin that a connection's secret would be sent to as things stand: those of its calls and of its tokens.
    pub(crate) fn destinations(&self, target: &Target, token_url: Option<&Url>, tenant: Option<&str>) -> Vec<String> {
        let mut found: BTreeSet<String> = token_url.map(origin).into_iter().collect();
        for operation in &self.description.operations {
            // An API that needs more than this connection gives cannot be called through it.
            found.extend(base(&self.description, operation, target).ok().as_ref().map(origin));
            let authentication = self.authentication(operation).ok();
            if let (None, Some(oauth)) = (token_url, authentication.as_ref().and_then(Authentication::oauth)) {
                found.extend(token_url_of(&oauth.token_url, tenant).ok().as_ref().map(origin));
            }
        }
        found.into_iter().collect()
    }

    /// How the operation authenticates: what was edited, else the first way of the document that can be served.
    pub(crate) fn authentication(&self, operation: &Operation) -> anyhow::Result<Authentication> {
        if let Some(edited) = &self.edits.authentication {
            return Ok(edited.clone());
        }
        if operation.security.is_empty() || operation.security.iter().any(|one| one.0.is_empty()) {
            return Ok(Authentication::None);
        }
        let mut obstacles = Vec::new();
        for requirement in &operation.security {
            for name in requirement.0.keys() {
                let Some(scheme) = self.description.security_schemes.get(name) else {
                    obstacles.push(format!("the document does not say what `{name}` is"));
                    continue;
                };
                match (Authentication::of(&scheme.kind), scheme.obstacle()) {
                    (Some(found), None) if requirement.0.len() == 1 => return Ok(found),
                    (_, Some(obstacle)) => obstacles.push(obstacle),
                    _ => obstacles.push(format!("`{name}` cannot be served by one secret")),
                }
            }
        }
        obstacles.dedup();
        let next = format!("Set it by hand: `sortie connector edit {} --auth KIND`.", self.info.id);
        Err(Problem::usage(format!("{} cannot be authenticated: {}", operation.id, obstacles.join("; ")), next).into())
    }
}

/// The connection to the connector: the named one; else the only one of the tenant, else the only one for all. Never
/// another tenant's, where one is asked for.
pub(crate) async fn connection(
    store: &Store,
    product: &Product,
    path: Option<&ConnectionPath>,
    tenant: Option<&Tenant>,
) -> anyhow::Result<Named> {
    let id = &product.info.id;
    if let Some(path) = path {
        let path = match (tenant, &path.tenant) {
            (Some(tenant), None) => ConnectionPath { tenant: tenant.name.parse().ok(), name: path.name.clone() },
            _ => path.clone(),
        };
        let found = connections::find(store, &path).await?;
        if tenant.is_some_and(|tenant| !found.serves(tenant)) {
            let what = format!("connection {} is another tenant's", found.name);
            return Err(Problem::usage(what, "Leave `--tenant` out, or name one of that tenant's.").into());
        }
        if found.row.connector == *id {
            return Ok(found);
        }
        let what = format!("connection {} is one to {}, not to {id}", found.name, found.row.connector);
        let next = format!("`sortie connection add NAME --connector {id}` makes one.");
        return Err(Problem { exit: Exit::NotFound, what, next }.into());
    }
    let mut all = connections::all(store).await?;
    all.retain(|one| one.row.connector == *id);
    if let Some(tenant) = tenant {
        let is_theirs = |one: &Named| one.row.tenant == tenant.key;
        let has_own = all.iter().any(is_theirs);
        all.retain(|one| if has_own { is_theirs(one) } else { one.serves(tenant) });
    }
    match all.len() {
        1 => Ok(all.remove(0)),
        0 => {
            let next = format!("`sortie connection add NAME --connector {id}` makes one.");
            let what = match tenant {
                Some(tenant) => format!("tenant {} has no connection to {id}, and none for all serves it", tenant.name),
                None => format!("there is no connection to {id} yet"),
            };
            Err(Problem::usage(what, next).into())
        }
        _ => {
            let names: Vec<&str> = all.iter().map(|one| one.name.as_str()).collect();
            let next = format!("Name one with `--connection`: {}.", names.join(", "));
            Err(Problem::usage(format!("there are several connections to {id}"), next).into())
        }
    }
}

/// Where a built-in connector is said to be from.
pub(crate) const BUILT_IN_ORIGIN: &str = "Sortie";
