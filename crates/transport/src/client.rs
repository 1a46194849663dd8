//! One attempt: the right client, the guards, the redirects, the bounded body.

use std::{
    fmt,
    path::PathBuf,
    sync::{Arc, OnceLock},
    time::Instant,
};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, StatusCode, header};
use rustls_pki_types::{CertificateDer, pem::PemObject};
use tokio::time::timeout_at;
use tracing::Instrument;
use url::Url;

use crate::{
    address::{self, GuardedResolver},
    client_certificate::ClientCertificate,
    error::{RedirectCause, SendError, SendErrorKind, TimeoutPhase, TlsCause, before_answer, during_body},
    gate::QuotaGate,
    guard::Guard,
    request::{Body, Reach, Request},
    response::{Response, Spool, SpoolWriter},
    retry::Wait,
    settings::{ProxySetting, TransportSettings, TransportSettingsError},
};

/// The way out. Clones share connections, quota and observer.
#[derive(Clone)]
pub struct Transport {
    pub(crate) shared: Arc<Shared>,
    pub(crate) gate: QuotaGate,
    pub(crate) observer: Option<Arc<Observer>>,
}

pub(crate) type Observer = dyn Fn(&Wait) + Send + Sync;

pub(crate) struct Shared {
    settings: TransportSettings,
    authorities: Vec<reqwest::Certificate>,
    identity: Option<reqwest::Identity>,
    proxy: Option<reqwest::Proxy>,
    guard: Option<Arc<Guard>>,
    /// Built on first use: a command that only talks to loopback never loads the platform's roots.
    plain: OnceLock<reqwest::Client>,
    direct: OnceLock<reqwest::Client>,
    proxied: OnceLock<reqwest::Client>,
}

impl Transport {
    /// Reads the CA bundle and checks the settings; connects nowhere and loads no platform roots yet.
    ///
    /// # Errors
    /// [`TransportSettingsError`] when a setting cannot be used: the operator corrects it.
    pub fn new(settings: TransportSettings) -> Result<Self, TransportSettingsError> {
        if http::HeaderValue::from_str(&settings.user_agent).is_err() {
            return Err(TransportSettingsError::UserAgent);
        }
        let mut authorities = authorities(settings.ca_bundle.as_ref())?;
        authorities.extend(self::authorities(settings.further_ca_bundle.as_ref())?);
        let identity = settings.client_certificate.as_ref().map(ClientCertificate::load).transpose()?;
        let proxy = proxy(&settings.proxy)?;
        let shared = Shared {
            settings,
            authorities,
            identity,
            proxy,
            guard: None,
            plain: OnceLock::new(),
            direct: OnceLock::new(),
            proxied: OnceLock::new(),
        };
        Ok(Self { shared: Arc::new(shared), gate: QuotaGate::default(), observer: None })
    }

    /// The same way out, but to public hosts and those of the guard's allow-list alone. Shares quota and observer, not
    /// connections: one that another guard let through must not serve here.
    #[must_use]
    pub fn guarded(&self, guard: Guard) -> Self {
        let Shared { settings, authorities, identity, proxy, .. } = &*self.shared;
        let shared = Shared {
            settings: settings.clone(),
            authorities: authorities.clone(),
            identity: identity.clone(),
            proxy: proxy.clone(),
            guard: Some(Arc::new(guard)),
            plain: OnceLock::new(),
            direct: OnceLock::new(),
            proxied: OnceLock::new(),
        };
        Self { shared: Arc::new(shared), gate: self.gate.clone(), observer: self.observer.clone() }
    }

    /// Shares this gate instead of an own one.
    #[must_use]
    pub fn with_gate(mut self, gate: QuotaGate) -> Self {
        self.gate = gate;
        self
    }

    /// Tells `observer` of every wait before it begins, so that a person learns why nothing happens.
    #[must_use]
    pub fn on_wait(mut self, observer: impl Fn(&Wait) + Send + Sync + 'static) -> Self {
        self.observer = Some(Arc::new(observer));
        self
    }

    /// The shared budget.
    pub fn gate(&self) -> &QuotaGate {
        &self.gate
    }

    /// One attempt. Any status is an answer; the body is read whole, within its bound.
    ///
    /// # Errors
    /// [`SendError`] when there is no complete answer; its [`SendError::delivery`] says whether the request may have acted.
    ///
    /// # Cancellation
    /// Dropping the future abandons the connection; the request may have been carried out.
    pub async fn send(&self, request: Request) -> Result<Response, SendError> {
        self.attempt(&request, 1).await
    }

    pub(crate) async fn attempt(&self, request: &Request, attempt: u32) -> Result<Response, SendError> {
        let started = Instant::now();
        let (method, host, path) = (request.method.as_str(), host_of(&request.url), request.url.path());
        let span = tracing::debug_span!("http", http.method = method, http.host = host, http.path = path, attempt);
        async {
            let outcome = self.follow(request, started).await;
            let ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
            match &outcome {
                Ok(answer) => {
                    let (status, id) = (answer.status.as_u16(), answer.request_id().unwrap_or("-"));
                    tracing::debug!(http.status = status, http.request_id = id, ms, "{method} {host}{path}: {status}");
                }
                Err(kind) => tracing::debug!(ms, "{method} {host}{path}: {kind}"),
            }
            outcome.map_err(|kind| SendError { host: host.clone(), kind: Box::new(kind) })
        }
        .instrument(span)
        .await
    }

    async fn follow(&self, request: &Request, started: Instant) -> Result<Response, SendErrorKind> {
        if let Some(defect) = request.defect {
            return Err(SendErrorKind::BadRequest(defect));
        }
        if let Some(record) = &request.record {
            record().map_err(SendErrorKind::NotRecorded)?;
        }
        let settings = &self.shared.settings;
        let (first_byte, total) = match (request.timeout, request.is_long) {
            (Some(timeout), _) => (timeout, timeout),
            (None, true) => (settings.long_timeout, settings.long_timeout),
            (None, false) => (settings.first_byte_timeout, settings.total_timeout),
        };
        let limits = Limits {
            first_byte,
            total,
            deadline: tokio::time::Instant::now() + total,
            spool_above: request.spool_above.unwrap_or(usize::MAX),
            body_bytes_max: request.body_bytes_max.unwrap_or(settings.body_bytes_max),
        };
        let mut url = request.url.clone();
        for _ in 0..=REDIRECT_COUNT_MAX {
            address::check(&url, request.reach)?;
            self.shared.check(&url).await?;
            let client = self.shared.client(&url, request.reach)?;
            let answer = self.once(client, request, &url, &limits).await?;
            match redirect_target(request, &url, answer.status, &answer.headers)? {
                Some(next) => url = next,
                None => {
                    let Answer { status, headers, body: (body, spool) } = answer;
                    return Ok(Response { status, headers, body, spool, url, elapsed: started.elapsed() });
                }
            }
        }
        Err(SendErrorKind::Redirect(RedirectCause::TooMany))
    }

    async fn once(
        &self,
        client: &reqwest::Client,
        request: &Request,
        url: &Url,
        limits: &Limits,
    ) -> Result<Answer, SendErrorKind> {
        let builder = client.request(request.method.clone(), url.clone()).headers(request.headers.clone());
        let builder = match &request.body {
            Body::Empty if request.method == Method::POST => builder.header(header::CONTENT_LENGTH, 0),
            Body::Empty => builder,
            Body::Form(form) => builder.body(form.expose().to_owned()),
            Body::Bytes(bytes) => builder.body(bytes.clone()),
        };
        let first_byte = tokio::time::Instant::now() + limits.first_byte;
        let (phase, after) = if first_byte < limits.deadline {
            (TimeoutPhase::FirstByte, limits.first_byte)
        } else {
            (TimeoutPhase::Total, limits.total)
        };
        let connect_timeout = self.shared.settings.connect_timeout;
        let mut response = timeout_at(first_byte.min(limits.deadline), builder.send())
            .await
            .map_err(|_| SendErrorKind::Timeout { phase, after })?
            .map_err(|error| before_answer(&error, connect_timeout))?;
        let body = match request.method {
            Method::HEAD => (Bytes::new(), None), // Its Content-Length speaks of a body that is not sent.
            _ => read_body(&mut response, limits).await?,
        };
        Ok(Answer { status: response.status(), headers: std::mem::take(response.headers_mut()), body })
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport").finish_non_exhaustive() // A proxy address may hold a password.
    }
}

struct Limits {
    first_byte: std::time::Duration,
    total: std::time::Duration,
    deadline: tokio::time::Instant,
    spool_above: usize,
    body_bytes_max: u64,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: (Bytes, Option<Spool>),
}

impl Shared {
    pub(crate) fn settings(&self) -> &TransportSettings {
        &self.settings
    }

    pub(crate) fn guard(&self) -> Option<&Arc<Guard>> {
        self.guard.as_ref()
    }

    fn client(&self, url: &Url, reach: Reach) -> Result<&reqwest::Client, SendErrorKind> {
        if url.scheme() == "http" || reach == Reach::ManagedIdentity {
            // No TLS will be spoken, so no roots are loaded. `tls_certs_only` of nothing trusts nobody.
            return built(&self.plain, || self.base().no_proxy().tls_certs_only([]));
        }
        if address::is_loopback(url) || self.settings.proxy == ProxySetting::Direct {
            return built(&self.direct, || self.with_tls().no_proxy());
        }
        built(&self.proxied, || {
            let base = self.with_tls();
            match &self.proxy {
                Some(proxy) => base.proxy(proxy.clone()),
                None => base, // The library reads the environment unless it is told otherwise.
            }
        })
    }

    /// With what is trusted beside the platform's authorities, and what proves us.
    fn with_tls(&self) -> reqwest::ClientBuilder {
        let base = self.base().tls_certs_merge(self.authorities.iter().cloned());
        match &self.identity {
            Some(identity) => base.identity(identity.clone()),
            None => base,
        }
    }

    /// What the guard says of the address; through a proxy also of what the name resolves to here.
    async fn check(&self, url: &Url) -> Result<(), SendErrorKind> {
        let Some(guard) = &self.guard else { return Ok(()) };
        guard.check(url)?;
        guard.check_port(url)?;
        let goes_direct = url.scheme() == "http" || self.settings.proxy == ProxySetting::Direct;
        match url.host() {
            Some(url::Host::Domain(name)) if !goes_direct => address::check_resolved(guard, name).await,
            _ => Ok(()),
        }
    }

    fn base(&self) -> reqwest::ClientBuilder {
        reqwest::Client::builder()
            .user_agent(self.settings.user_agent.clone())
            .connect_timeout(self.settings.connect_timeout)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .dns_resolver(Arc::new(GuardedResolver { guard: self.guard.clone() }))
    }
}

fn built(
    slot: &OnceLock<reqwest::Client>,
    build: impl FnOnce() -> reqwest::ClientBuilder,
) -> Result<&reqwest::Client, SendErrorKind> {
    if let Some(client) = slot.get() {
        return Ok(client);
    }
    // The settings were checked before; what is left to fail is the platform's trust store.
    let client = build().build().map_err(|_| SendErrorKind::Tls(TlsCause::NoRoots))?;
    Ok(slot.get_or_init(|| client))
}

/// The body in memory, or, beyond the request's bound, in a file.
async fn read_body(response: &mut reqwest::Response, limits: &Limits) -> Result<(Bytes, Option<Spool>), SendErrorKind> {
    let too_large = SendErrorKind::TooLarge { limit: limits.body_bytes_max };
    if response.content_length().is_some_and(|length| length > limits.body_bytes_max) {
        return Err(too_large);
    }
    let mut body = BytesMut::new();
    let mut spool: Option<SpoolWriter> = None;
    let mut length = 0;
    loop {
        let chunk = timeout_at(limits.deadline, response.chunk())
            .await
            .map_err(|_| SendErrorKind::Timeout { phase: TimeoutPhase::Total, after: limits.total })?
            .map_err(|error| during_body(&error))?;
        let Some(chunk) = chunk else { break };
        length += chunk.len() as u64;
        if length > limits.body_bytes_max {
            return Err(too_large);
        }
        match &mut spool {
            Some(spool) => spool.write(&chunk)?,
            None => body.extend_from_slice(&chunk),
        }
        if spool.is_none() && body.len() > limits.spool_above {
            let mut writer = SpoolWriter::create()?;
            writer.write(&std::mem::take(&mut body))?;
            spool = Some(writer);
        }
    }
    Ok((body.freeze(), spool.map(SpoolWriter::finish).transpose()?))
}

/// Where a redirect leads if it may be followed. Other methods than GET and HEAD get the 3xx itself as their answer.
fn redirect_target(
    request: &Request,
    from: &Url,
    status: StatusCode,
    headers: &HeaderMap,
) -> Result<Option<Url>, SendErrorKind> {
    let redirects = matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308);
    if !redirects || request.is_unfollowed || !matches!(request.method, Method::GET | Method::HEAD) {
        return Ok(None);
    }
    let target = headers
        .get(header::LOCATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| from.join(text).ok())
        .ok_or(SendErrorKind::Redirect(RedirectCause::BadLocation))?;
    if from.scheme() == "https" && target.scheme() != "https" {
        return Err(SendErrorKind::Redirect(RedirectCause::Downgrade));
    }
    if target.origin() != from.origin() && request.carries_credentials {
        return Err(SendErrorKind::Redirect(RedirectCause::CrossOrigin));
    }
    Ok(Some(target))
}

fn authorities(path: Option<&PathBuf>) -> Result<Vec<reqwest::Certificate>, TransportSettingsError> {
    let Some(path) = path else { return Ok(Vec::new()) };
    let pem = std::fs::read(path)
        .map_err(|source| TransportSettingsError::CaBundleUnreadable { path: path.clone(), source })?;
    let invalid = || TransportSettingsError::CaBundleInvalid { path: path.clone() };
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(&pem)
        .map(|certificate| {
            let der = certificate.map_err(|_| invalid())?;
            // The library finds out late and calls it a builder error; a root store says it now.
            rustls::RootCertStore::empty().add(der.clone()).map_err(|_| invalid())?;
            reqwest::Certificate::from_der(&der).map_err(|_| invalid())
        })
        .collect::<Result<_, _>>()?;
    if certificates.is_empty() { Err(invalid()) } else { Ok(certificates) }
}

fn proxy(setting: &ProxySetting) -> Result<Option<reqwest::Proxy>, TransportSettingsError> {
    let ProxySetting::Url(url) = setting else { return Ok(None) };
    let unsupported = || TransportSettingsError::ProxyScheme { scheme: url.scheme().to_owned() };
    if !matches!(url.scheme(), "http" | "https" | "socks5" | "socks5h") {
        return Err(unsupported());
    }
    reqwest::Proxy::https(url.clone()).map(Some).map_err(|_| unsupported())
}

fn host_of(url: &Url) -> String {
    match (url.host_str(), url.port()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (Some(host), None) => host.to_owned(),
        (None, _) => String::new(),
    }
}

/// Same-origin chains of more are loops.
const REDIRECT_COUNT_MAX: usize = 5;
