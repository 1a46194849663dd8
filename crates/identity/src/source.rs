//! Where an application's tokens come from: the cache in front, the token endpoint behind.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, OnceLock, PoisonError, RwLock},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use sortie_model::{Clock, Secret};
use sortie_transport::{
    Effect, FormValue, Request, Response, RetryPolicy, SendError, SendErrorKind, Transport, header,
};
use url::Url;

use crate::{
    answer::{ANSWER_BYTES_MAX, TokenAnswer, parse_token_answer},
    application::{Application, EndpointVersion},
    audience::Audience,
    cache::{Key, Slot, TokenCache},
    cloud::below,
    credential::{Credential, CredentialError, read_text},
    error::{Details, TokenError, TokenErrorCause},
    managed_identity,
    token::AccessToken,
};

/// Tokens of one application. Clones share everything.
#[derive(Clone)]
pub struct TokenSource(Arc<Inner>);

struct Inner {
    transport: Transport,
    clock: Arc<dyn Clock>,
    application: Application,
    cache: TokenCache,
    credential: [u8; 32],
    /// The slots of the four presets, so that the usual read computes no key.
    presets: [OnceLock<Arc<Slot>>; 4],
    others: RwLock<HashMap<String, Arc<Slot>>>,
}

impl TokenSource {
    /// With a cache of its own.
    pub fn new(transport: Transport, clock: Arc<dyn Clock>, application: Application) -> Self {
        Self::with_cache(transport, clock, application, TokenCache::default())
    }

    /// With a cache that other sources share: equal applications then share their tokens.
    pub fn with_cache(
        transport: Transport,
        clock: Arc<dyn Clock>,
        application: Application,
        cache: TokenCache,
    ) -> Self {
        let credential = application.credential.fingerprint();
        let (presets, others) = (Default::default(), RwLock::default());
        Self(Arc::new(Inner { transport, clock, application, cache, credential, presets, others }))
    }

    /// A living token: from the cache at once, else from Entra.
    ///
    /// # Errors
    /// [`TokenError`] says who must act and what to do. During the pause after a failure it is that failure again.
    ///
    /// # Cancellation
    /// Safe: whoever waits next makes the request.
    pub async fn token(&self, audience: &Audience) -> Result<AccessToken, TokenError> {
        let slot = self.slot(audience);
        if let Some(token) = slot.fresh(self.0.clock.now()) {
            return Ok(token);
        }
        let slot = Arc::clone(slot.as_ref());
        slot.token(&*self.0.clock, || {
            let (inner, audience) = (Arc::clone(&self.0), audience.clone());
            async move { inner.fetch(&audience).await }
        })
        .await
    }

    /// Drops this token, because an API refused it. Another, newer one stays.
    pub fn forget(&self, audience: &Audience, token: &AccessToken) {
        self.slot(audience).as_ref().forget(token);
    }

    /// Whose tokens these are.
    pub fn application(&self) -> &Application {
        &self.0.application
    }

    /// The clock that decides about life and renewal.
    pub fn clock(&self) -> &dyn Clock {
        &*self.0.clock
    }

    fn slot(&self, audience: &Audience) -> SlotRef<'_> {
        let preset = match audience {
            Audience::Xdr => 0,
            Audience::DefenderForEndpoint => 1,
            Audience::Graph => 2,
            Audience::CloudApps => 3,
            Audience::Other(resource) => {
                let others = self.0.others.read().unwrap_or_else(PoisonError::into_inner);
                if let Some(slot) = others.get(resource) {
                    return SlotRef::Shared(Arc::clone(slot));
                }
                drop(others);
                let slot = self.0.cache.slot(self.0.key(audience));
                let mut others = self.0.others.write().unwrap_or_else(PoisonError::into_inner);
                return SlotRef::Shared(Arc::clone(others.entry(resource.clone()).or_insert(slot)));
            }
        };
        SlotRef::Preset(self.0.presets[preset].get_or_init(|| self.0.cache.slot(self.0.key(audience))))
    }
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenSource")
            .field("tenant", &self.0.application.tenant)
            .field("client_id", &self.0.application.client_id)
            .finish_non_exhaustive()
    }
}

enum SlotRef<'a> {
    Preset(&'a Arc<Slot>),
    Shared(Arc<Slot>),
}

impl AsRef<Arc<Slot>> for SlotRef<'_> {
    fn as_ref(&self) -> &Arc<Slot> {
        match self {
            Self::Preset(slot) => slot,
            Self::Shared(slot) => slot,
        }
    }
}

impl SlotRef<'_> {
    fn fresh(&self, now: Timestamp) -> Option<AccessToken> {
        self.as_ref().fresh(now)
    }
}

impl Inner {
    fn key(&self, audience: &Audience) -> Key {
        let application = &self.application;
        let managed = matches!(application.credential, Credential::ManagedIdentity(_));
        let login = if managed { &application.hosts.imds } else { &application.hosts.login };
        Key {
            login: login.as_str().to_owned(),
            tenant: application.tenant.as_str().to_owned(),
            client: application.client_id.as_str().to_owned(),
            credential: self.credential,
            v1: application.endpoint == EndpointVersion::V1,
            audience: Audience::Other(
                audience.resource(application.cloud).unwrap_or_else(|| audience.label()).into_owned(),
            ),
        }
    }

    async fn fetch(&self, audience: &Audience) -> Result<AccessToken, TokenError> {
        let outcome = self.request(audience).await;
        if let Err(error) = &outcome {
            let code = error.code.unwrap_or_default();
            tracing::debug!(entra.code = code, audience = audience.name(), "Entra gave no token: {error}");
        }
        outcome
    }

    async fn request(&self, audience: &Audience) -> Result<AccessToken, TokenError> {
        let named = |error: TokenError| error.with(|details| details.audience = Some(audience.clone()));
        let application = &self.application;
        let resource = audience
            .resource(application.cloud)
            .ok_or_else(|| named(Details::of(TokenErrorCause::NotInThisCloud).into_error()))?;
        let started = self.clock.now();
        let answer = if let Credential::ManagedIdentity(id) = &application.credential {
            managed_identity::fetch(&self.transport, &application.hosts.imds, id, &resource).await.map_err(named)?
        } else {
            let request = self.token_request(&resource).await.map_err(named)?;
            ask(&self.transport, request, &*self.clock).await.map_err(named)?
        };
        let lifetime = answer.lifetime(self.clock.now());
        let refresh_in = answer.refresh_in.map(Duration::from_secs);
        Ok(AccessToken::new(answer.access_token, started, lifetime, refresh_in))
    }

    async fn token_request(&self, resource: &str) -> Result<Request, TokenError> {
        let application = &self.application;
        let endpoint = token_endpoint(&application.hosts.login, application.tenant.as_str(), application.endpoint);
        let scope = match application.endpoint {
            EndpointVersion::V2 => format!("{resource}/.default"),
            EndpointVersion::V1 => resource.to_owned(),
        };
        let target = match application.endpoint {
            EndpointVersion::V2 => "scope",
            EndpointVersion::V1 => "resource",
        };
        let mut form = vec![
            ("client_id", FormValue::Text(application.client_id.as_str())),
            (target, FormValue::Text(&scope)),
            ("grant_type", FormValue::Text("client_credentials")),
        ];
        let proof = self.proof(&endpoint).await?;
        match &proof {
            Proof::Secret(secret) => form.push(("client_secret", FormValue::Secret(secret))),
            Proof::Assertion(assertion) => {
                form.push(("client_assertion_type", FormValue::Text(JWT_BEARER)));
                form.push(("client_assertion", FormValue::Secret(assertion)));
            }
        }
        Ok(Request::post(endpoint.clone()).form(form))
    }

    async fn proof(&self, endpoint: &Url) -> Result<Proof, TokenError> {
        match &self.application.credential {
            Credential::Secret(secret) => Ok(Proof::Secret(secret.clone())),
            Credential::Certificate(certificate) => certificate
                .assertion(self.application.client_id.as_str(), endpoint.as_str(), self.clock.now())
                .map(Proof::Assertion)
                .map_err(unusable),
            Credential::FederatedFile(path) => {
                // Read again each time: whoever keeps the file replaces it before it expires.
                let text = Secret::new(read_text(path).map_err(unusable)?);
                let token = Secret::new(text.expose().trim());
                let from = || format!("the file `{}`", path.display());
                if token.is_empty() {
                    Err(unusable(CredentialError::Empty(from())))
                } else {
                    Ok(Proof::Assertion(token))
                }
            }
            Credential::FederatedUrl { url, bearer } => {
                federated(&self.transport, url, bearer, &*self.clock).await.map(Proof::Assertion)
            }
            Credential::ManagedIdentity(_) => Err(Details::of(TokenErrorCause::CredentialMissing).into_error()),
        }
    }
}

enum Proof {
    Secret(Secret),
    Assertion(Secret),
}

/// Where tokens are asked for.
pub(crate) fn token_endpoint(login: &Url, tenant: &str, version: EndpointVersion) -> Url {
    match version {
        EndpointVersion::V2 => below(login, &format!("{tenant}/oauth2/v2.0/token")),
        EndpointVersion::V1 => below(login, &format!("{tenant}/oauth2/token")),
    }
}

/// Sends a token request and reads the answer. Asking for a token changes nothing, so it may be repeated: after a 429 or
/// 5xx only when the service says when.
pub(crate) async fn ask(transport: &Transport, request: Request, clock: &dyn Clock) -> Result<TokenAnswer, TokenError> {
    let request =
        request.header(header::ACCEPT, "application/json").effect(Effect::Safe).body_bytes_max(ANSWER_BYTES_MAX as u64);
    let response = transport.call(request, &policy(), clock).await.map_err(no_answer)?;
    let content_type = response.header("content-type");
    parse_token_answer(response.status.as_u16(), content_type, &response.body)
        .map_err(|error| with_response(&error, &response, clock.now()))
}

/// The failure of a call that gave no answer.
pub(crate) fn no_answer(error: SendError) -> TokenError {
    let cause = match &*error.kind {
        SendErrorKind::TooLarge { .. } => TokenErrorCause::OversizedAnswer,
        SendErrorKind::CutBody => TokenErrorCause::CutAnswer,
        _ => TokenErrorCause::NoAnswer,
    };
    Details { send: Some(Arc::new(error)), ..Details::of(cause) }.into_error()
}

/// Adds what only the response knows: its wish to wait, its clock, its id.
fn with_response(error: &TokenError, response: &Response, now: Timestamp) -> TokenError {
    let date =
        response.header("date").and_then(|text| jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok());
    let ahead = date.map(|date| now.duration_since(date)).filter(|ahead| ahead.abs() > CLOCK_TOLERANCE);
    error.with(|details| {
        details.clock_ahead = ahead;
        details.retry_after = sortie_transport::retry_after(&response.headers, &[], now, RETRY_AFTER_MAX);
        if details.trace_id.is_none() {
            details.trace_id = response.request_id().map(str::to_owned);
        }
    })
}

async fn federated(transport: &Transport, url: &Url, bearer: &Secret, clock: &dyn Clock) -> Result<Secret, TokenError> {
    let request = Request::get(url.clone()).bearer(bearer).header(header::ACCEPT, "application/json");
    let response = transport
        .call(request.body_bytes_max(ANSWER_BYTES_MAX as u64), &RetryPolicy { attempts_max: 3, ..policy() }, clock)
        .await
        .map_err(no_answer)?;
    let value = response.json::<serde_json::Value>().ok();
    let token = value.as_ref().and_then(|answer| answer.get("value")?.as_str()).map(str::trim);
    match token.filter(|token| response.is_success() && !token.is_empty()) {
        Some(token) => Ok(Secret::new(token)),
        None => Err(unusable(CredentialError::FederatedRefused(response.status.as_u16()))),
    }
}

fn unusable(error: CredentialError) -> TokenError {
    Details { credential: Some(Arc::new(error)), ..Details::of(TokenErrorCause::CredentialUnusable) }.into_error()
}

fn policy() -> RetryPolicy {
    RetryPolicy {
        attempts_max: 3,
        wait_total_max: Duration::from_secs(30),
        repeat_unasked: false,
        ..RetryPolicy::default()
    }
}

const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const CLOCK_TOLERANCE: SignedDuration = SignedDuration::from_mins(5);
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);
