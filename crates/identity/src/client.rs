//! Calls with a token: bearer from the cache, one fresh token after a 401.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::SignedDuration;
use sortie_transport::{Request, Response, RetryPolicy, SendError, StatusCode, Transport};

use crate::{audience::Audience, error::TokenError, source::TokenSource, token::AccessToken};

/// Calls the APIs as one application. Clones share everything.
#[derive(Clone, Debug)]
pub struct AuthorizedClient {
    transport: Transport,
    tokens: TokenSource,
    /// Tokens that were refused although they had just been made: another one would fare no better.
    hopeless: Arc<Mutex<HashMap<Audience, AccessToken>>>,
}

/// No answer from an API.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// There is no token to call with.
    #[error("the call was not made")]
    Token(#[source] TokenError),
    /// The call itself gave no answer.
    #[error(transparent)]
    Send(SendError),
}

impl CallError {
    /// What to do, as full sentences.
    pub fn remedy(&self) -> String {
        match self {
            Self::Token(error) => error.remedy(),
            Self::Send(error) => error.remedy(),
        }
    }
}

impl AuthorizedClient {
    /// Calls through `transport` with the tokens of `tokens`.
    pub fn new(transport: Transport, tokens: TokenSource) -> Self {
        Self { transport, tokens, hopeless: Arc::default() }
    }

    /// Where the tokens come from.
    pub fn tokens(&self) -> &TokenSource {
        &self.tokens
    }

    /// The way out.
    pub fn transport(&self) -> &Transport {
        &self.transport
    }

    /// Makes the call with a token of that audience. A 401 drops that token once and tries again with a fresh one, for it
    /// may have been revoked or have expired on the way; a second 401 is the answer. An API that refuses fresh tokens, too,
    /// costs Entra one request in five minutes, not one per call.
    ///
    /// # Errors
    /// [`CallError`] when there is no token or no answer. Any status is an answer.
    pub async fn call(
        &self,
        audience: &Audience,
        request: Request,
        policy: &RetryPolicy,
    ) -> Result<Response, CallError> {
        let token = self.tokens.token(audience).await.map_err(CallError::Token)?;
        let clock = self.tokens.clock();
        let first = request.clone().bearer(token.secret());
        let answer = self.transport.call(first, policy, clock).await.map_err(CallError::Send)?;
        if answer.status != StatusCode::UNAUTHORIZED || self.is_hopeless(audience, &token) {
            return Ok(answer);
        }
        self.tokens.forget(audience, &token);
        let fresh = self.tokens.token(audience).await.map_err(CallError::Token)?;
        let second =
            self.transport.call(request.bearer(fresh.secret()), policy, clock).await.map_err(CallError::Send)?;
        if second.status == StatusCode::UNAUTHORIZED {
            self.hopeless().insert(audience.clone(), fresh);
        }
        Ok(second)
    }

    fn is_hopeless(&self, audience: &Audience, token: &AccessToken) -> bool {
        let age = self.tokens.clock().now().duration_since(token.acquired_at());
        age.abs() < HOPELESS_FOR && self.hopeless().get(audience).is_some_and(|refused| refused.is_same(token))
    }

    fn hopeless(&self) -> MutexGuard<'_, HashMap<Audience, AccessToken>> {
        self.hopeless.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Entra answers AADSTS50196 to clients that ask for the same token again and again.
const HOPELESS_FOR: SignedDuration = SignedDuration::from_mins(5);
