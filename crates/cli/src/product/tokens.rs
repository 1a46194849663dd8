//! Where a connection's tokens come from while calls go on: the application itself, or what a person's sign-in left.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use sortie_connector::{Fetch, Fetching, Grant, OAuthClient, OAuthError, Token, TokenFor, Tokens};
use sortie_identity::{AccessToken, Audience, TokenSource};
use sortie_store::{Actor, ConnectionId, Scope};
use sortie_transport::Transport;

use super::REFRESH;
use crate::{
    connections::Named,
    context::Context,
    database,
    exit::{Exit, Problem, next_step, sentence},
};

/// How the next token is got, and the one after.
pub(super) struct TokenPlan {
    client: OAuthClient,
    transport: Transport,
    wanted: TokenFor,
    context: Context,
    /// Whose sign-in stands behind it; `None` for an application.
    person_of: Option<Person>,
}

/// Whose sign-in a connection goes on with.
struct Person {
    scope: Scope,
    id: ConnectionId,
    name: String,
}

impl TokenPlan {
    pub(super) fn application(client: OAuthClient, transport: Transport, wanted: TokenFor, context: &Context) -> Self {
        Self { client, transport, wanted, context: context.clone(), person_of: None }
    }

    pub(super) fn delegated(
        client: OAuthClient,
        transport: Transport,
        wanted: TokenFor,
        connection: &Named,
        context: &Context,
    ) -> Self {
        let wanted = scope_of_sign_in(&client, wanted);
        let person_of =
            Some(Person { scope: connection.scope(), id: connection.row.id, name: connection.name.clone() });
        Self { client, transport, wanted, context: context.clone(), person_of }
    }

    /// Fetches the first token.
    pub(super) async fn begin(self, context: &Context) -> anyhow::Result<Arc<Tokens>> {
        let asked = context.clock.now();
        let first = self.token().await?;
        Ok(Arc::new(Tokens::new(first, asked, Box::new(self))))
    }

    async fn token(&self) -> anyhow::Result<Token> {
        match &self.person_of {
            None => Ok(self.ask(Grant::ClientCredentials).await?),
            Some(person) => self.refreshed(person).await,
        }
    }

    async fn ask(&self, grant: Grant<'_>) -> Result<Token, OAuthError> {
        self.client.token(&self.transport, &*self.context.clock, grant, &self.wanted).await
    }

    /// Renews the sign-in. The database is held meanwhile, so that two processes do not spend the same refresh token; a new
    /// one is on disk before the access token is used.
    async fn refreshed(&self, person: &Person) -> anyhow::Result<Token> {
        let Person { scope, id, name } = person;
        let store = database::open(&self.context).await?;
        let again = || format!("Sign in again with `sortie connection sign-in {name}`.");
        let keyring = database::unlock(&store, &self.context).await?;
        let Some(refresh) = store.secret(&keyring, *scope, *id, REFRESH).await? else {
            let what = format!("nobody has signed in for connection {name}");
            let next = format!("Sign in with `sortie connection sign-in {name}`.");
            return Err(Problem { exit: Exit::SignIn, what, next }.into());
        };
        let token = self.ask(Grant::Refresh(&refresh)).await.map_err(|error| match &error {
            OAuthError::Refused { code, .. } if code == "invalid_grant" => {
                let what = format!(
                    "the sign-in of connection {name} has ended, or Sortie was stopped while it renewed it: {error}"
                );
                Problem { exit: Exit::SignIn, what, next: again() }.into()
            }
            _ => anyhow::Error::from(error),
        })?;
        if let Some(new) = token.refresh.as_ref().filter(|new| new.expose() != refresh.expose()) {
            // Whoever calls need not be allowed to change the connection: Sortie itself renews it.
            let store = store.acting_as(Actor::system());
            store.set_secret(&keyring, *scope, *id, REFRESH, new, None).await.map_err(|error| {
                let what = format!("the renewed sign-in of connection {name} could not be kept");
                anyhow::Error::from(error).context(Problem { exit: Exit::SignIn, what, next: again() })
            })?;
        }
        Ok(token)
    }
}

impl Fetch for TokenPlan {
    fn fetch(&self) -> Fetching<'_> {
        Box::pin(async {
            self.token().await.map_err(|error| match error.downcast::<OAuthError>() {
                Ok(error) => error,
                Err(error) => not_renewed(&error),
            })
        })
    }
}

/// Tokens of an application of Entra's, by whatever proves it.
pub(super) struct EntraPlan {
    source: TokenSource,
    audience: Audience,
    context: Context,
    /// The last one that was handed out, which is forgotten when another is wanted.
    last: Mutex<Option<AccessToken>>,
}

impl EntraPlan {
    pub(super) fn new(source: TokenSource, audience: Audience, context: &Context) -> Self {
        Self { source, audience, context: context.clone(), last: Mutex::new(None) }
    }

    /// Fetches the first token.
    pub(super) async fn begin(self) -> anyhow::Result<Arc<Tokens>> {
        let asked = self.context.clock.now();
        let first = self.token().await?;
        Ok(Arc::new(Tokens::new(first, asked, Box::new(self))))
    }

    async fn token(&self) -> anyhow::Result<Token> {
        let last = self.last.lock().expect("no code panics while it holds this lock").take();
        if let Some(last) = last {
            self.source.forget(&self.audience, &last);
        }
        let token = self.source.token(&self.audience).await?;
        let left = token.expires_at().duration_since(self.context.clock.now());
        *self.last.lock().expect("no code panics while it holds this lock") = Some(token.clone());
        Ok(Token { secret: token.secret().clone(), lifetime: Duration::try_from(left).ok(), refresh: None })
    }
}

impl Fetch for EntraPlan {
    fn fetch(&self) -> Fetching<'_> {
        Box::pin(async { self.token().await.map_err(|error| not_renewed(&error)) })
    }
}

fn not_renewed(error: &anyhow::Error) -> OAuthError {
    let next = next_step(error).unwrap_or_else(|| "Test the connection.".to_owned());
    OAuthError::NotRenewed { what: sentence(error), next }
}

/// What a sign-in asks for: Entra's second endpoint gives a refresh token only where `offline_access` is among the scopes.
pub(crate) fn scope_of_sign_in(client: &OAuthClient, wanted: TokenFor) -> TokenFor {
    match wanted {
        TokenFor::Scope(scope)
            if client.token_url.path().ends_with("/oauth2/v2.0/token")
                && !scope.split_whitespace().any(|one| one == "offline_access") =>
        {
            TokenFor::Scope(format!("{scope} offline_access"))
        }
        other => other,
    }
}
