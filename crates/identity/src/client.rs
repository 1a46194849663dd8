//! Calls with a token: bearer from the cache, one fresh token after a 401.

use sortie_transport::{Request, Response, RetryPolicy, SendError, Transport};

use crate::{audience::Audience, error::TokenError, source::TokenSource};

/// Calls the APIs as one application. Clones share everything.
#[derive(Clone, Debug)]
pub struct AuthorizedClient {
    transport: Transport,
    tokens: TokenSource,
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
        Self { transport, tokens }
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
    /// may have been revoked or have expired on the way; a second 401 is the answer.
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
        if answer.status != sortie_transport::StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        self.tokens.forget(audience, &token);
        let fresh = self.tokens.token(audience).await.map_err(CallError::Token)?;
        self.transport.call(request.bearer(fresh.secret()), policy, clock).await.map_err(CallError::Send)
    }
}
