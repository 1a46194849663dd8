//! One call: authentication put onto the built request, the guarded way out, the answer as data.

use std::{fmt, sync::Arc};

use serde_json::{Map, Value};
use sortie_model::{Clock, Secret};
use sortie_openapi::{Description, EffectClass, KeyPlace, Operation};
use sortie_transport::{
    Delivery, Effect, HeaderName, QuotaKey, Request, RetryPolicy, SendError, StatusCode, Transport, header,
};
use tokio::sync::Semaphore;

use crate::{Answer, BuildError, BuiltRequest, Failure, OAuthError, Target, Tokens, build};

/// Calls through one connection: its guard, its budget, its number of calls at once. Clones share them.
#[derive(Clone)]
pub struct Caller {
    transport: Transport,
    clock: Arc<dyn Clock>,
    policy: RetryPolicy,
    quota: Option<QuotaKey>,
    at_once: Arc<Semaphore>,
}

/// What a call authenticates with.
#[derive(Clone, Debug)]
pub enum Credential {
    /// Nothing.
    Anonymous,
    /// A key in a header, a query parameter or a cookie.
    ApiKey {
        /// Where.
        place: KeyPlace,
        /// Under which name.
        name: String,
        /// Written in front of it, with its blank.
        prefix: Option<String>,
        /// The key.
        key: Secret,
    },
    /// Name and password (RFC 7617).
    Basic {
        /// The name.
        user: String,
        /// The password.
        password: Secret,
    },
    /// A token.
    Bearer(Secret),
    /// A token that is renewed. It goes alone, not among [`Credential::All`].
    Tokens(Arc<Tokens>),
    /// All of these together.
    All(Vec<Self>),
}

/// Why a call gave no result.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The request could not be made.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The credential cannot travel as the product wants it.
    #[error("the credential cannot be sent: {0}")]
    Credential(&'static str),
    /// There is no token to call with any more.
    #[error(transparent)]
    Token(#[from] OAuthError),
    /// No answer came.
    #[error(transparent)]
    Send(#[from] SendError),
    /// The answer's status is an error.
    #[error(transparent)]
    Failed(#[from] Failure),
}

impl CallError {
    /// What the failure tells about the request: whether it may have been carried out.
    pub fn delivery(&self) -> Delivery {
        match self {
            Self::Build(_) | Self::Credential(_) | Self::Token(_) => Delivery::NotSent,
            Self::Send(error) => error.delivery(),
            Self::Failed(failure) => {
                let status = StatusCode::from_u16(failure.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                Delivery::of_status(status).unwrap_or(Delivery::Unknown)
            }
        }
    }

    /// What to do next, as a full sentence.
    pub fn remedy(&self) -> String {
        match self {
            Self::Build(error) => error.remedy().to_owned(),
            Self::Credential(_) => "Enter the connection's secret again, without line breaks around it.".to_owned(),
            Self::Token(error) => error.remedy(),
            Self::Send(error) => error.remedy(),
            Self::Failed(failure) => match failure.status {
                401 => "Test the connection: its credential is not accepted.".to_owned(),
                403 => "Give the connection's account the right to this operation.".to_owned(),
                404 => "Check the ids among the inputs, and the connection's base address.".to_owned(),
                429 => "Call less often, or set the connection's rate.".to_owned(),
                300..=399 => "Set the connection's base address to where the service points.".to_owned(),
                400..=499 => "Correct the inputs as the service says.".to_owned(),
                _ => "Try again later; if it stays, ask those who run the service.".to_owned(),
            },
        }
    }
}

impl Caller {
    /// Calls through `transport`, which the connection's guard must be part of; `at_once` calls at a time.
    pub fn new(transport: Transport, clock: Arc<dyn Clock>, at_once: usize) -> Self {
        Self {
            transport,
            clock,
            policy: RetryPolicy::default(),
            quota: None,
            at_once: Arc::new(Semaphore::new(at_once.max(1))),
        }
    }

    /// Repeats by this policy.
    #[must_use]
    pub fn with_policy(mut self, policy: RetryPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// Draws on this budget.
    #[must_use]
    pub fn with_quota(mut self, quota: QuotaKey) -> Self {
        self.quota = Some(quota);
        self
    }

    /// Makes the request from the inputs and sends it.
    ///
    /// # Errors
    /// [`CallError`]; its [`CallError::delivery`] says whether the call may have acted.
    pub async fn call(
        &self,
        description: &Description,
        operation: &Operation,
        inputs: &Map<String, Value>,
        target: &Target,
        credential: &Credential,
    ) -> Result<Answer, CallError> {
        self.send(&build(description, operation, inputs, target)?, operation.effect.class, credential).await
    }

    /// Sends a request that was built before. A token that is renewed is renewed once after a 401, for it may have been
    /// revoked or have expired on the way; a second 401 is the answer.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn send(
        &self,
        built: &BuiltRequest,
        effect: EffectClass,
        credential: &Credential,
    ) -> Result<Answer, CallError> {
        self.send_as(built, effect, credential, |request| request).await
    }

    /// The same with bounds of its own.
    pub(crate) async fn send_as(
        &self,
        built: &BuiltRequest,
        effect: EffectClass,
        credential: &Credential,
        tune: impl Fn(Request) -> Request,
    ) -> Result<Answer, CallError> {
        let Credential::Tokens(tokens) = credential else {
            return self.send_with(built, effect, credential, &tune).await;
        };
        let (token, generation) = tokens.living(&*self.clock).await?;
        let first = self.send_with(built, effect, &Credential::Bearer(token), &tune).await;
        match first {
            Err(CallError::Failed(failure)) if failure.status == StatusCode::UNAUTHORIZED.as_u16() => {
                let token = tokens.after(generation, &*self.clock).await?;
                self.send_with(built, effect, &Credential::Bearer(token), &tune).await
            }
            answer => answer,
        }
    }

    async fn send_with(
        &self,
        built: &BuiltRequest,
        effect: EffectClass,
        credential: &Credential,
        tune: &impl Fn(Request) -> Request,
    ) -> Result<Answer, CallError> {
        let mut request = tune(credential.put_on(built)?.request(effect_of(effect)));
        request = credential.authorize(request);
        if let Some(quota) = &self.quota {
            request = request.quota(quota.clone());
        }
        let _permit = self.at_once.acquire().await.expect("nobody closes it");
        let response = self.transport.call(request, &self.policy, &*self.clock).await?;
        Ok(Answer::of(response)?)
    }
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller").field("quota", &self.quota).finish_non_exhaustive()
    }
}

impl Credential {
    /// What travels in the address and in cookies; nothing of it is logged, for the way out logs no query.
    fn put_on(&self, built: &BuiltRequest) -> Result<BuiltRequest, CallError> {
        let mut built = built.clone();
        match self {
            Self::ApiKey { place: KeyPlace::Query, name, prefix, key } => {
                let value = format!("{}{}", prefix.as_deref().unwrap_or_default(), key.expose());
                built.url.query_pairs_mut().append_pair(name, &value);
            }
            Self::ApiKey { place: KeyPlace::Cookie, name, prefix, key } => {
                let pair = format!("{name}={}{}", prefix.as_deref().unwrap_or_default(), key.expose());
                match built.headers.iter_mut().find(|(name, _)| name == "cookie") {
                    Some((_, cookies)) => cookies.extend(["; ", &pair]),
                    None => built.headers.push(("cookie".to_owned(), pair)),
                }
            }
            Self::ApiKey { place: KeyPlace::Header, name, key, .. } => {
                let is_name = HeaderName::from_bytes(name.as_bytes()).is_ok();
                if !is_name || key.expose().chars().any(char::is_control) {
                    return Err(CallError::Credential("its name or its value cannot be a header's"));
                }
            }
            Self::Bearer(token) if token.expose().chars().any(char::is_control) => {
                return Err(CallError::Credential("the token holds a control character"));
            }
            Self::Tokens(_) => return Err(CallError::Credential("a token that is renewed goes alone")),
            Self::All(several) => {
                for one in several {
                    built = one.put_on(&built)?;
                }
            }
            Self::Anonymous | Self::Basic { .. } | Self::Bearer(_) => {}
        }
        Ok(built)
    }

    fn authorize(&self, request: Request) -> Request {
        match self {
            Self::ApiKey { place: KeyPlace::Header, name, prefix, key } => {
                let value = Secret::new(format!("{}{}", prefix.as_deref().unwrap_or_default(), key.expose()));
                let name = HeaderName::from_bytes(name.as_bytes()).expect("the name was read before");
                request.credential(name, &value)
            }
            // Its part is in the address or among the cookies; a redirect to another host must not follow with it.
            Self::ApiKey { .. } => request.carrying_credentials(),
            Self::Basic { user, password } => {
                use base64::Engine as _;
                let pair = format!("{user}:{}", password.expose());
                let value = format!("Basic {}", base64::prelude::BASE64_STANDARD.encode(pair));
                request.credential(header::AUTHORIZATION, &Secret::new(value))
            }
            Self::Bearer(token) => request.bearer(token),
            Self::All(several) => several.iter().fold(request, |request, one| one.authorize(request)),
            Self::Anonymous | Self::Tokens(_) => request,
        }
    }
}

fn effect_of(class: EffectClass) -> Effect {
    match class {
        EffectClass::Safe => Effect::Safe,
        EffectClass::Overwrite => Effect::Overwrite,
        EffectClass::Keyed => Effect::Keyed,
        EffectClass::Probed => Effect::Probed,
        EffectClass::Unsafe => Effect::Unsafe,
    }
}
