//! A connector with what was edited of it, and a connection to it: who calls, where, with which credential.

use std::{collections::BTreeSet, sync::Arc};

use anyhow::Context as _;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sortie_connector::{BuiltIn, Caller, ClientCredentials, ClientProof, Credential, Target, TokenFor, base};
use sortie_identity::{AssertionAlgorithm, Credential as Loaded};
use sortie_model::Secret;
use sortie_openapi::{Description, Operation, SchemeKind};
use sortie_store::{Connection, ConnectorInfo, Keyring, Store, StoreError, StoreErrorKind, TenantKey};
use sortie_transport::{Guard, Transport};
use url::Url;

use crate::{
    commands::credential_reference,
    context::Context,
    database::{self, SHARED},
    exit::{Exit, Problem},
    input::Terminal,
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

/// How all operations of a connector authenticate, whatever its document says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Authentication {
    /// OAuth 2.0 as an application, by client credentials.
    Oauth2Application {
        /// May hold `{tenant}`.
        token_url: String,
        scopes: Vec<String>,
        #[serde(default)]
        basic: bool,
    },
    /// A key in a header.
    ApiKey {
        header: String,
        prefix: Option<String>,
    },
    Basic,
    Bearer,
    None,
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
    /// `env:NAME` or `file:PATH`; where absent, the secret is sealed in the database.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub variables: Map<String, Value>,
}

/// The field under which the one secret of a connection is sealed.
pub(crate) const SECRET: &str = "secret";

/// A connection that is ready to call.
pub(crate) struct Ready {
    pub caller: Caller,
    pub target: Target,
    transport: Transport,
    settings: ConnectionSettings,
    connection: Connection,
    secret: Option<Secret>,
}

impl Product {
    /// The connector of the database, else the one that comes with Sortie.
    pub(crate) async fn load(store: &Store, id: &str) -> anyhow::Result<Self> {
        let connector = match store.connector(SHARED, id).await {
            Err(StoreError { kind: StoreErrorKind::Absent(_), .. }) if BuiltIn::of(id).is_some() => {
                return Ok(Self::built_in(BuiltIn::of(id).expect("it was found a moment ago")));
            }
            connector => connector?,
        };
        let broken = || format!("connector {id} cannot be read from the database");
        Ok(Self {
            description: serde_json::from_str(&connector.description).with_context(broken)?,
            edits: serde_json::from_value(connector.info.edits.clone()).with_context(broken)?,
            info: connector.info,
        })
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
            if let (None, Ok(Authentication::Oauth2Application { token_url, .. })) =
                (token_url, self.authentication(operation))
            {
                found.extend(token_url_of(&token_url, tenant).ok().as_ref().map(origin));
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

impl Authentication {
    fn of(kind: &SchemeKind) -> Option<Self> {
        match kind {
            SchemeKind::ApiKey { place: sortie_openapi::KeyPlace::Header, name, prefix } => {
                Some(Self::ApiKey { header: name.clone(), prefix: prefix.clone() })
            }
            SchemeKind::Basic => Some(Self::Basic),
            SchemeKind::Bearer { .. } => Some(Self::Bearer),
            SchemeKind::OAuth2 { flows } => {
                let flow = flows.iter().find(|flow| flow.grant == sortie_openapi::OAuthGrant::ClientCredentials)?;
                let scopes = flow.scopes.keys().cloned().collect();
                Some(Self::Oauth2Application { token_url: flow.token_url.clone()?, scopes, basic: false })
            }
            _ => None,
        }
    }

    /// In words, for a person.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Oauth2Application { token_url, scopes, .. } => {
                format!("OAuth 2.0 as an application, tokens from {token_url}, scopes {}", scopes.join(" "))
            }
            Self::ApiKey { header, .. } => format!("a key in the header {header}"),
            Self::Basic => "name and password".to_owned(),
            Self::Bearer => "a token".to_owned(),
            Self::None => "none".to_owned(),
        }
    }
}

impl Ready {
    /// Makes the connection's guarded way out, and loads its secret where one is wanted.
    pub(crate) async fn load(
        store: &Store,
        connection: &Connection,
        product: &Product,
        wants_secret: bool,
        context: &Context,
    ) -> anyhow::Result<Self> {
        let settings: ConnectionSettings = serde_json::from_value(connection.settings.clone())
            .with_context(|| format!("connection {} cannot be read from the database", connection.name))?;
        let guard = Guard::allowing(&connection.allowed_hosts)
            .map_err(|error| Problem::usage(error.to_string(), "Correct the connection's allowed hosts."))?;
        let transport = context.transport(&context.settings()?)?.guarded(guard);
        let base = Some(connection.base_url.as_str()).filter(|base| !base.is_empty()).map(str::parse).transpose();
        let base = base.with_context(|| format!("the base address of {} is no URL", connection.name))?;
        let secret = match wants_secret {
            true => secret(store, connection, &settings, context).await?,
            false => None,
        };
        Ok(Self {
            caller: Caller::new(transport.clone(), Arc::clone(&context.clock), CALLS_AT_ONCE),
            target: Target { base: base.or_else(|| product.edits.base.clone()), variables: settings.variables.clone() },
            transport,
            settings,
            connection: connection.clone(),
            secret,
        })
    }

    /// Refuses an address that the connection was not set up for: its connector was imported or edited anew since, or its
    /// row was changed, and its secret is not meant for whoever is there now.
    pub(crate) fn permits(&self, url: &Url) -> anyhow::Result<()> {
        let origin = origin(url);
        if self.connection.destinations.contains(&origin) {
            return Ok(());
        }
        let name = &self.connection.name;
        let what = format!("connection {name} was not set up for {origin}, where this would go; nothing was sent");
        let next = format!("If that is meant, enter its secret again: `sortie connection add {name} --replace …`.");
        Err(Problem { exit: Exit::SignIn, what, next }.into())
    }

    /// What the operation authenticates with; a token is asked for where it needs one.
    pub(crate) async fn credential(
        &self,
        authentication: &Authentication,
        operation: &Operation,
        host: &Url,
        context: &Context,
    ) -> anyhow::Result<Credential> {
        let client_id = || {
            let next = "Give it with `--client-id` (for a password it is the user's name).";
            self.settings.client_id.clone().ok_or_else(|| Problem::usage("the connection has no client id", next))
        };
        Ok(match authentication {
            Authentication::None => Credential::Anonymous,
            Authentication::Bearer => Credential::Bearer(self.secret()?),
            Authentication::Basic => Credential::Basic { user: client_id()?, password: self.secret()? },
            Authentication::ApiKey { header, prefix } => Credential::ApiKey {
                place: sortie_openapi::KeyPlace::Header,
                name: header.clone(),
                prefix: prefix.clone(),
                key: self.secret()?,
            },
            Authentication::Oauth2Application { token_url, scopes, basic } => {
                let token_url = match &self.connection.token_url {
                    Some(url) => token_url_of(url, None)?,
                    None => token_url_of(token_url, self.settings.tenant.as_deref())?,
                };
                self.permits(&token_url)?;
                let proof = if *basic { ClientProof::Basic } else { ClientProof::Post };
                let client = ClientCredentials { token_url, client_id: client_id()?, secret: self.secret()?, proof };
                let wanted = client.wanted(scopes, operation, host)?;
                tell_completed(scopes, &wanted, context);
                Credential::Bearer(client.token(&self.transport, &*context.clock, &wanted).await?.secret)
            }
        })
    }
}

impl Ready {
    /// Name and secret as they were entered, for calls that say themselves how they are sent.
    pub(crate) fn account(&self) -> (Option<&str>, Option<Secret>) {
        (self.settings.client_id.as_deref(), self.secret.clone())
    }

    /// The guarded way out.
    pub(crate) fn transport(&self) -> &Transport {
        &self.transport
    }

    fn secret(&self) -> anyhow::Result<Secret> {
        let next = "Enter it: `sortie connection add NAME --connector ID --replace --credential prompt`.";
        self.secret.clone().ok_or_else(|| Problem::usage("the connection has no secret", next).into())
    }
}

/// Scheme, host and port, as destinations are compared.
fn origin(url: &Url) -> String {
    match url.origin() {
        // Of other schemes than those of the web no origin is defined.
        url::Origin::Opaque(_) => {
            let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
            format!("{}://{}{port}", url.scheme(), url.host_str().unwrap_or_default())
        }
        origin => origin.ascii_serialization(),
    }
}

/// The token URL with the tenant in its place.
pub(crate) fn token_url_of(template: &str, tenant: Option<&str>) -> anyhow::Result<Url> {
    let filled = match (template.contains("{tenant}"), tenant) {
        (false, _) => template.to_owned(),
        (true, Some(tenant)) => {
            let tenant: sortie_model::TenantId = tenant.parse().map_err(|error: sortie_model::TenantIdError| {
                Problem::usage(error.to_string(), "Correct `--tenant`.")
            })?;
            template.replace("{tenant}", tenant.as_str())
        }
        (true, None) => {
            let next = "Give the tenant with `--tenant`.";
            return Err(Problem::usage(
                "the token URL has a place for the tenant, and the connection names none",
                next,
            )
            .into());
        }
    };
    filled.parse().map_err(|_| {
        let next = "Write it whole, such as `https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token`.";
        Problem::usage(format!("`{template}` is no token URL"), next).into()
    })
}

/// The connection of this name to the connector; the only one where none is named.
pub(crate) async fn connection(store: &Store, product: &Product, name: Option<&str>) -> anyhow::Result<Connection> {
    let mut all = store.connections(SHARED).await?;
    all.retain(|connection| connection.connector == product.info.id);
    let id = &product.info.id;
    let add = format!("`sortie connection add NAME --connector {id}` makes one.");
    match (name, all.len()) {
        (Some(name), _) => all.into_iter().find(|connection| connection.name == name).ok_or_else(|| {
            Problem { exit: Exit::NotFound, what: format!("{id} has no connection `{name}`"), next: add }.into()
        }),
        (None, 1) => Ok(all.remove(0)),
        (None, 0) => Err(Problem::usage(format!("there is no connection to {id} yet"), add).into()),
        (None, _) => {
            let names: Vec<&str> = all.iter().map(|connection| connection.name.as_str()).collect();
            let next = format!("Name one with `--connection`: {}.", names.join(", "));
            Err(Problem::usage(format!("there are several connections to {id}"), next).into())
        }
    }
}

async fn secret(
    store: &Store,
    connection: &Connection,
    settings: &ConnectionSettings,
    context: &Context,
) -> anyhow::Result<Option<Secret>> {
    if let Some(reference) = &settings.reference {
        let source = credential_reference(reference, AssertionAlgorithm::default())?;
        let loaded = source.load(&Terminal, context.clock.now());
        let loaded =
            loaded.with_context(|| format!("the secret of connection `{}` cannot be used", connection.name))?;
        return match loaded {
            Loaded::Secret(secret) => Ok(Some(secret)),
            _ => Err(Problem::usage(
                format!("connection `{}` refers to something that is no secret", connection.name),
                "Use `env:NAME`, `file:PATH`, `stdin` or `prompt`.",
            )
            .into()),
        };
    }
    if store.secret_infos(SHARED, connection.id).await?.is_empty() {
        return Ok(None);
    }
    let keyring: Keyring = database::unlock(store, context).await?;
    Ok(store.secret(&keyring, SHARED, connection.id, SECRET).await?)
}

fn tell_completed(scopes: &[String], wanted: &TokenFor, context: &Context) {
    let is_bare = scopes.iter().any(|scope| matches!(scope.trim(), ".default" | "/.default"));
    if let (true, TokenFor::Scope(scope) | TokenFor::Resource(scope)) = (is_bare, wanted) {
        context.note(&format!("the scope `.default` was completed by the operation: {scope}"));
    }
}

const CALLS_AT_ONCE: usize = 8;
/// Where a built-in connector is said to be from.
const BUILT_IN_ORIGIN: &str = "Sortie";
