//! A connection that is ready to call: its guarded way out, its secret, what each operation authenticates with.

use std::sync::Arc;

use anyhow::Context as _;
use jiff::Timestamp;
use sortie_connector::{Caller, ClientProof, Credential, OAuthClient, Target};
use sortie_identity::{AssertionAlgorithm, Audience, Credential as Loaded, TokenSource};
use sortie_model::Secret;
use sortie_openapi::Operation;
use sortie_store::{Connection, Keyring, Scope, Store};
use sortie_transport::Transport;
use url::Url;

use super::{
    Authentication, ConnectionSettings, DefenderConnection, Expiry, OAuth, Product, Proof, SECRET, token_url_of,
    tokens::{EntraPlan, TokenPlan},
};
use crate::{
    connections::Named,
    context::Context,
    database,
    exit::{Exit, Problem},
    input::Terminal,
    reference::credential_reference,
};

/// A connection that is ready to call.
pub(crate) struct Ready {
    pub caller: Caller,
    pub transport: Transport,
    pub connection: Named,
    base: Option<Url>,
    settings: ConnectionSettings,
    secret: Held,
}

/// What a connection proves itself with.
#[derive(Default)]
pub(super) struct Held {
    pub loaded: Option<Loaded>,
    pub expires: Option<Timestamp>,
}

impl Ready {
    /// Makes the connection's guarded way out, and loads its secret where one is wanted.
    pub(crate) async fn load(
        store: &Store,
        connection: &Named,
        product: &Product,
        wants_secret: bool,
        context: &Context,
    ) -> anyhow::Result<Self> {
        let row = &connection.row;
        let settings = ConnectionSettings::of(row)?;
        let transport = settings.way.transport(row, context)?;
        let base: Option<Url> = Some(row.base_url.as_str())
            .filter(|base| !base.is_empty())
            .map(str::parse)
            .transpose()
            .with_context(|| format!("the base address of {} is no URL", connection.name))?;
        let secret = match wants_secret {
            true => Held::load(store, row, &settings, &transport, context).await?,
            false => Held::default(),
        };
        let ready = Self {
            caller: settings.way.caller(&transport, row, &settings, context),
            base: base.or_else(|| product.edits.base.clone()),
            transport,
            settings,
            connection: connection.clone(),
            secret,
        };
        ready.secret.warn(&connection.name, context);
        Ok(ready)
    }

    /// Where the operation's requests go: Microsoft's APIs have an address each.
    pub(crate) fn target(&self, operation: &Operation) -> anyhow::Result<Target> {
        let base = match (&self.settings.microsoft, &self.base) {
            (Some(microsoft), None) => Some(microsoft.base(&audience_of(operation)?)?),
            (_, base) => base.clone(),
        };
        Ok(Target { base, variables: self.settings.variables.clone() })
    }

    /// The one base address, where the connection has one.
    pub(crate) fn base(&self) -> Option<&Url> {
        self.base.as_ref()
    }

    /// Refuses an address that the connection was not set up for: its connector was imported or edited anew since, or its
    /// row was changed, and its secret is not meant for whoever is there now.
    pub(crate) fn permits(&self, url: &Url) -> anyhow::Result<()> {
        let origin = origin(url);
        if self.connection.row.destinations.contains(&origin) {
            return Ok(());
        }
        let name = &self.connection.name;
        let what = format!("connection {name} was not set up for {origin}, where this would go; nothing was sent");
        let next = format!("If that is meant, enter its secret again: `sortie connection add {name} --replace …`.");
        Err(Problem { exit: Exit::SignIn, what, next }.into())
    }

    /// What the operation authenticates with; a token is asked for where it needs one, and renewed while calls go on.
    pub(crate) async fn credential(
        &self,
        authentication: &Authentication,
        operation: &Operation,
        host: &Url,
        context: &Context,
    ) -> anyhow::Result<Credential> {
        Ok(match authentication {
            Authentication::None => Credential::Anonymous,
            Authentication::Bearer => Credential::Bearer(self.secret()?),
            Authentication::Basic => Credential::Basic { user: self.client_id()?, password: self.secret()? },
            Authentication::ApiKey { header, prefix } => Credential::ApiKey {
                place: sortie_openapi::KeyPlace::Header,
                name: header.clone(),
                prefix: prefix.clone(),
                key: self.secret()?,
            },
            Authentication::Oauth2Application(_) if self.settings.microsoft.is_some() => {
                Credential::Tokens(self.entra(operation, context)?.begin().await?)
            }
            Authentication::Oauth2Application(oauth) => {
                let (client, wanted) = self.asking(oauth, operation, host, false, context)?;
                let plan = TokenPlan::application(client, self.transport.clone(), wanted, context);
                Credential::Tokens(plan.begin(context).await?)
            }
            Authentication::Oauth2Delegated(oauth) => {
                let (client, wanted) = self.asking(oauth, operation, host, true, context)?;
                let plan = TokenPlan::delegated(client, self.transport.clone(), wanted, &self.connection, context);
                Credential::Tokens(plan.begin(context).await?)
            }
        })
    }

    fn asking(
        &self,
        oauth: &OAuth,
        operation: &Operation,
        host: &Url,
        may_be_public: bool,
        context: &Context,
    ) -> anyhow::Result<(OAuthClient, sortie_connector::TokenFor)> {
        let client = self.client(oauth, may_be_public)?;
        let wanted = oauth.wanted(&client, operation, host)?;
        if let (true, Some((_, scope))) = (oauth.is_completed(), wanted.parameter()) {
            context.note(&format!("the scope `.default` was completed by the operation: {scope}"));
        }
        Ok((client, wanted))
    }

    /// Tokens of Entra for the operation's API, in the connection's own cloud.
    fn entra(&self, operation: &Operation, context: &Context) -> anyhow::Result<EntraPlan> {
        let name = &self.connection.name;
        let parts = DefenderConnection::of(&self.connection.row, name.clone())?.zip(self.secret.loaded.clone());
        let (connection, credential) = parts.ok_or_else(|| {
            let next = format!("Enter it: `sortie connection rotate {name}`.");
            Problem::usage(format!("connection {name} has no credential"), next)
        })?;
        self.permits(&connection.microsoft.hosts().login)?;
        // The machine's own identity is asked for at an address that no guard lets through.
        let transport = self.settings.way.unguarded(context)?;
        let source = TokenSource::new(transport, Arc::clone(&context.clock), connection.application(credential));
        Ok(EntraPlan::new(source, audience_of(operation)?, context))
    }

    /// The client of the token endpoint, which the connection must have been set up for.
    pub(crate) fn client(&self, oauth: &OAuth, may_be_public: bool) -> anyhow::Result<OAuthClient> {
        let token_url = match &self.connection.row.token_url {
            Some(url) => token_url_of(url, None)?,
            None => token_url_of(&oauth.token_url, self.settings.tenant.as_deref())?,
        };
        self.permits(&token_url)?;
        let proof = match (oauth.proof, &self.secret.loaded) {
            (_, Some(Loaded::Certificate(certificate))) => ClientProof::PrivateKeyJwt(Arc::clone(certificate)),
            (Proof::PrivateKeyJwt, _) => {
                let next = "Refer to it: `sortie connection add NAME --replace … --credential certificate:PEM[,KEY]`.";
                let what = "the application proves itself by a signed assertion, and the connection has no certificate";
                return Err(Problem::usage(what, next).into());
            }
            (_, None) if may_be_public => ClientProof::Public,
            (Proof::Post, _) => ClientProof::Post(self.secret()?),
            (Proof::Basic, _) => ClientProof::Basic(self.secret()?),
        };
        Ok(OAuthClient { token_url, client_id: self.client_id()?, proof })
    }

    /// The connection's own tenant.
    pub(crate) fn tenant(&self) -> Option<&str> {
        self.settings.tenant.as_deref()
    }

    /// When its secret or certificate ends, where that is known.
    pub(crate) fn expiry(&self, context: &Context) -> Option<Expiry> {
        self.secret.expires.map(|at| Expiry::of(at, context.clock.now()))
    }

    fn client_id(&self) -> anyhow::Result<String> {
        let next = "Give it with `--client-id` (for a password it is the user's name).";
        self.settings.client_id.clone().ok_or_else(|| Problem::usage("the connection has no client id", next).into())
    }

    /// Name and secret as they were entered, for calls that say themselves how they are sent.
    pub(crate) fn account(&self) -> (Option<&str>, Option<Secret>) {
        let secret = match &self.secret.loaded {
            Some(Loaded::Secret(secret)) => Some(secret.clone()),
            _ => None,
        };
        (self.settings.client_id.as_deref(), secret)
    }

    fn secret(&self) -> anyhow::Result<Secret> {
        let what = match &self.secret.loaded {
            Some(Loaded::Secret(secret)) => return Ok(secret.clone()),
            Some(_) => "the connection has a certificate, and a secret is needed",
            None => "the connection has no secret",
        };
        let next = "Enter it: `sortie connection add NAME --connector ID --replace --credential prompt`.";
        Err(Problem::usage(what, next).into())
    }
}

impl Held {
    pub(super) async fn load(
        store: &Store,
        connection: &Connection,
        settings: &ConnectionSettings,
        transport: &Transport,
        context: &Context,
    ) -> anyhow::Result<Self> {
        if let (Some(reference), Some(vault)) = (&settings.reference, &settings.vault) {
            let of = || format!("the secret of connection `{}` cannot be used", connection.name);
            let read = vault.read(reference, settings, &connection.allowed_hosts, transport, context).await;
            let secret = read.with_context(of)?;
            return Ok(Self { loaded: Some(Loaded::Secret(secret.value)), expires: secret.expires });
        }
        if let Some(reference) = &settings.reference {
            return Self::refer(reference, connection, settings, context);
        }
        let scope = Scope::Tenant(connection.tenant);
        let infos = store.secret_infos(scope, connection.id).await?;
        let Some(info) = infos.into_iter().find(|info| info.field == SECRET) else { return Ok(Self::default()) };
        let keyring: Keyring = database::unlock(store, context).await?;
        let secret = store.secret(&keyring, scope, connection.id, SECRET).await?;
        Ok(Self { loaded: secret.map(Loaded::Secret), expires: info.expires })
    }

    /// Says it where the end is near.
    pub(super) fn warn(&self, connection: &str, context: &Context) {
        let kind = if matches!(self.loaded, Some(Loaded::Certificate(_))) { "certificate" } else { "secret" };
        let what = format!("the {kind} of connection {connection}");
        let expiry = self.expires.map(|at| Expiry::of(at, context.clock.now()));
        if let Some(warning) = expiry.and_then(|expiry| expiry.warning(&what)) {
            context.note(&warning);
        }
    }

    fn refer(
        reference: &str,
        connection: &Connection,
        settings: &ConnectionSettings,
        context: &Context,
    ) -> anyhow::Result<Self> {
        let algorithm = if settings.rs256 { AssertionAlgorithm::Rs256 } else { AssertionAlgorithm::Ps256 };
        let loaded = credential_reference(reference, algorithm)?.load(&Terminal, context.clock.now());
        let loaded =
            loaded.with_context(|| format!("the secret of connection `{}` cannot be used", connection.name))?;
        let expires = match &loaded {
            Loaded::Certificate(certificate) => Some(certificate.expires_at()),
            Loaded::Secret(_) => settings.expires,
            _ if settings.microsoft.is_some() => None,
            _ => {
                let what = format!("connection `{}` refers to something that is no secret", connection.name);
                let next = "Use env:NAME, file:PATH, certificate:PEM[,KEY], stdin or prompt.";
                return Err(Problem::usage(what, next).into());
            }
        };
        Ok(Self { loaded: Some(loaded), expires })
    }
}

/// The API that an operation of the Defender connector is for.
fn audience_of(operation: &Operation) -> anyhow::Result<Audience> {
    let named = operation.guidance.audience.as_deref().and_then(|name| name.parse().ok());
    named.ok_or_else(|| {
        let what = format!("{} does not say which of Microsoft's APIs it is for", operation.id);
        let next = "Give the connection the one address that it shall call: `sortie connection add NAME --connector ID --base URL`.";
        Problem::usage(what, next).into()
    })
}

/// Scheme, host and port, as destinations are compared.
pub(crate) fn origin(url: &Url) -> String {
    match url.origin() {
        // Of other schemes than those of the web no origin is defined.
        url::Origin::Opaque(_) => {
            let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
            format!("{}://{}{port}", url.scheme(), url.host_str().unwrap_or_default())
        }
        origin => origin.ascii_serialization(),
    }
}
