//! Proving a token: signature by the tenant's published keys, issuer, audience, time.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::Value;
use sortie_model::{Clock, TenantId};
use sortie_transport::{Request, RetryPolicy, SendError, Transport};
use tokio::time::Instant;
use url::Url;

use super::{DecodeError, DecodedToken, decode};
use crate::{audience::Audience, cloud::below};

/// Verifies tokens with the keys that the login host publishes. Clones share the fetched keys.
#[derive(Clone)]
pub struct Verifier {
    transport: Transport,
    clock: Arc<dyn Clock>,
    login: Url,
    leeway: SignedDuration,
    published: Arc<Mutex<HashMap<(TenantId, Version), Published>>>,
}

/// Why a token is not proven.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// Not a JWT at all.
    #[error("the token cannot be read")]
    Unreadable(#[source] DecodeError),
    /// Only its resource can check it: Graph.
    #[error("nobody but Microsoft Graph can verify this token: Graph adds a nonce after signing")]
    OnlyItsResource,
    /// Not the algorithm that Entra signs with: none, or an HMAC made with the public key.
    #[error("the token names the algorithm `{0}`; Entra signs with RS256 and nothing else is accepted")]
    Algorithm(String),
    /// No `kid`, or a version that does not exist.
    #[error("the token lacks the claim `{0}`")]
    Missing(&'static str),
    /// The key is not among the published ones, also after asking again.
    #[error("the token is signed with a key that the tenant does not publish")]
    UnknownKey,
    /// The signature does not fit.
    #[error("the signature is wrong: the token was changed or made by somebody else")]
    Signature,
    /// Issued by somebody else.
    #[error("the token was issued by `{found}`, not by `{expected}`")]
    Issuer {
        /// The `iss` claim.
        found: String,
        /// What discovery says.
        expected: String,
    },
    /// For another API.
    #[error("the token is for {}, not for {expected}", found.join(", "))]
    Audience {
        /// The `aud` claim.
        found: Vec<String>,
        /// What is wanted.
        expected: Audience,
    },
    /// Its time is over.
    #[error("the token expired at {0}")]
    Expired(Timestamp),
    /// Its time has not come.
    #[error("the token is not valid before {0}")]
    NotYetValid(Timestamp),
    /// Discovery or keys could not be fetched.
    #[error("the tenant's keys could not be fetched")]
    Unreachable(#[source] SendError),
    /// Discovery or keys are not what the standard says.
    #[error("the login host's {document} is not usable (status {status})")]
    BadDocument {
        /// Which one.
        document: &'static str,
        /// Its status.
        status: u16,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Version {
    V1,
    V2,
}

#[derive(Clone)]
struct Published {
    issuer: String,
    keys: Vec<Key>,
    at: Instant,
}

#[derive(Clone)]
struct Key {
    id: String,
    n: String,
    e: String,
}

impl Verifier {
    /// Trusts what `login` publishes, over the transport's verified TLS.
    pub fn new(transport: Transport, clock: Arc<dyn Clock>, login: Url) -> Self {
        Self { transport, clock, login, leeway: LEEWAY, published: Arc::default() }
    }

    /// How far clocks may differ; five minutes unless set.
    #[must_use]
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.leeway = SignedDuration::try_from(leeway).unwrap_or(LEEWAY);
        self
    }

    /// Proves that `tenant` issued the token for `audience` and that its time is now.
    ///
    /// # Errors
    /// [`VerifyError`]; after any of them nothing in the token may be believed.
    pub async fn verify(
        &self,
        token: &str,
        tenant: &TenantId,
        audience: &Audience,
    ) -> Result<DecodedToken, VerifyError> {
        let token = token.trim();
        let decoded = decode(token).map_err(VerifyError::Unreadable)?;
        if decoded.only_its_resource_can_verify() {
            return Err(VerifyError::OnlyItsResource);
        }
        let algorithm = decoded.header.get("alg").and_then(Value::as_str).unwrap_or("none");
        if algorithm != "RS256" {
            return Err(VerifyError::Algorithm(algorithm.chars().take(20).collect()));
        }
        let version = match decoded.claims.version.as_deref() {
            Some("1.0") => Version::V1,
            Some("2.0") => Version::V2,
            _ => return Err(VerifyError::Missing("ver")),
        };
        let kid = decoded.header.get("kid").and_then(Value::as_str).ok_or(VerifyError::Missing("kid"))?;
        let (issuer, key) = self.key(tenant, version, kid).await?;
        check_signature(token, &key).map_err(|error| match audience {
            // Without its nonce a Graph token looks like a forgery.
            Audience::Graph => VerifyError::OnlyItsResource,
            _ => error,
        })?;
        self.check_claims(&decoded, &issuer, audience)?;
        Ok(decoded)
    }

    fn check_claims(&self, token: &DecodedToken, issuer: &str, audience: &Audience) -> Result<(), VerifyError> {
        let claims = &token.claims;
        let now = self.clock.now();
        let found = claims.issuer.clone().ok_or(VerifyError::Missing("iss"))?;
        if found != issuer {
            return Err(VerifyError::Issuer { found, expected: issuer.to_owned() });
        }
        if !claims.audience.iter().any(|aud| audience.matches_claim(aud)) {
            return Err(VerifyError::Audience { found: claims.audience.clone(), expected: audience.clone() });
        }
        let expires_at = claims.expires_at.ok_or(VerifyError::Missing("exp"))?;
        if now.duration_since(expires_at) >= self.leeway {
            return Err(VerifyError::Expired(expires_at));
        }
        match claims.not_before {
            Some(at) if at.duration_since(now) > self.leeway => Err(VerifyError::NotYetValid(at)),
            _ => Ok(()),
        }
    }

    /// Keys roll over without notice, so an unknown id is looked up again; but not for every forged id that arrives.
    async fn key(&self, tenant: &TenantId, version: Version, kid: &str) -> Result<(String, Key), VerifyError> {
        let place = (tenant.clone(), version);
        let known = self.lock().get(&place).cloned();
        if let Some(published) = known {
            let age = published.at.elapsed();
            let found = published.keys.iter().find(|key| key.id == kid);
            match found {
                Some(key) if age < KEYS_AGE_MAX => return Ok((published.issuer, key.clone())),
                None if age < REFETCH_PAUSE => return Err(VerifyError::UnknownKey),
                _ => {}
            }
        }
        let published = self.fetch(tenant, version).await?;
        let found = published.keys.iter().find(|key| key.id == kid).cloned();
        let issuer = published.issuer.clone();
        self.lock().insert(place, published);
        found.map(|key| (issuer, key)).ok_or(VerifyError::UnknownKey)
    }

    async fn fetch(&self, tenant: &TenantId, version: Version) -> Result<Published, VerifyError> {
        let path = match version {
            Version::V1 => format!("{tenant}/.well-known/openid-configuration"),
            Version::V2 => format!("{tenant}/v2.0/.well-known/openid-configuration"),
        };
        let discovery = self.document(below(&self.login, &path), "discovery document").await?;
        let bad = |document| VerifyError::BadDocument { document, status: 200 };
        let text = |name: &str| discovery.get(name).and_then(Value::as_str);
        let issuer = text("issuer").ok_or_else(|| bad("discovery document"))?.to_owned();
        let keys_at =
            text("jwks_uri").and_then(|text| Url::parse(text).ok()).ok_or_else(|| bad("discovery document"))?;
        let keys = self.document(keys_at, "key set").await?;
        let keys = keys.get("keys").and_then(Value::as_array).ok_or_else(|| bad("key set"))?;
        let keys = keys.iter().filter_map(|key| Key::read(key, &issuer)).collect();
        Ok(Published { issuer, keys, at: Instant::now() })
    }

    async fn document(&self, url: Url, document: &'static str) -> Result<Value, VerifyError> {
        let request = Request::get(url).body_bytes_max(DOCUMENT_BYTES_MAX);
        let policy = RetryPolicy { attempts_max: 3, wait_total_max: Duration::from_secs(30), ..RetryPolicy::default() };
        let response = self.transport.call(request, &policy, &*self.clock).await.map_err(VerifyError::Unreachable)?;
        let bad = VerifyError::BadDocument { document, status: response.status.as_u16() };
        if !response.is_success() {
            return Err(bad);
        }
        response.json().map_err(|_| bad)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<(TenantId, Version), Published>> {
        self.published.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Verifier").field("login", &self.login.as_str()).finish_non_exhaustive()
    }
}

impl VerifyError {
    /// What to do, as a full sentence.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Unreadable(_) => "Check that the whole token was copied.",
            Self::OnlyItsResource => {
                "Call Graph with it: if Graph answers, the token is good. Tokens of the other audiences can be verified."
            }
            Self::Algorithm(_) | Self::Signature | Self::UnknownKey => {
                "Do not trust this token; find out where it comes from."
            }
            Self::Missing(_) => "Check that this is an access token of Entra.",
            Self::Issuer { .. } => "Check the tenant and the cloud of the connection.",
            Self::Audience { .. } => "Get a token of the wanted API; each has its own.",
            Self::Expired(_) => "Get a new token; if this one is new, set this machine's clock right.",
            Self::NotYetValid(_) => "Set this machine's clock right (NTP).",
            Self::Unreachable(_) => "Check the network, the proxy and the login host.",
            Self::BadDocument { .. } => "Check the login host and the tenant.",
        }
    }
}

impl Key {
    /// Reads an RSA signing key; others, and those of another issuer, are left out. Keys of the shared set name their
    /// issuer as a template.
    fn read(value: &Value, issuer: &str) -> Option<Self> {
        let text = |name: &str| value.get(name).and_then(Value::as_str);
        let signs = text("use").is_none_or(|usage| usage == "sig");
        let issued_here = text("issuer").is_none_or(|pattern| match pattern.split_once("{tenantid}") {
            Some((before, after)) => issuer.starts_with(before) && issuer.ends_with(after),
            None => pattern == issuer,
        });
        if text("kty") != Some("RSA") || !signs || !issued_here {
            return None;
        }
        Some(Self { id: text("kid")?.to_owned(), n: text("n")?.to_owned(), e: text("e")?.to_owned() })
    }
}

fn check_signature(token: &str, key: &Key) -> Result<(), VerifyError> {
    let key = DecodingKey::from_rsa_components(&key.n, &key.e).map_err(|_| VerifyError::UnknownKey)?;
    let mut rules = Validation::new(Algorithm::RS256);
    // Only the signature is left to the library: times are compared with our clock, audiences in all their spellings.
    rules.validate_exp = false;
    rules.validate_nbf = false;
    rules.validate_aud = false;
    rules.required_spec_claims.clear();
    jsonwebtoken::decode::<Value>(token, &key, &rules).map(drop).map_err(|_| VerifyError::Signature)
}

const LEEWAY: SignedDuration = SignedDuration::from_mins(5);
const REFETCH_PAUSE: Duration = Duration::from_secs(60);
const KEYS_AGE_MAX: Duration = Duration::from_secs(24 * 3600);
const DOCUMENT_BYTES_MAX: u64 = 1 << 20;
