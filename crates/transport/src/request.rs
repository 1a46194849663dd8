//! A request as callers write it: method, address, body, and what may be done with it in doubt.

use std::{fmt, io, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use serde::Serialize;
use sortie_model::Secret;
use url::Url;

use crate::gate::QuotaKey;

/// One call to make. Cloning is cheap enough for repeating it.
#[derive(Clone)]
pub struct Request {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Body,
    pub(crate) effect: Effect,
    pub(crate) quota: Option<QuotaKey>,
    pub(crate) priority: Priority,
    pub(crate) body_bytes_max: Option<u64>,
    /// Beyond so many bytes the answer's body goes to a file.
    pub(crate) spool_above: Option<usize>,
    /// Another bound for the whole attempt than the transport's.
    pub(crate) timeout: Option<std::time::Duration>,
    /// Whether a redirect is the answer itself.
    pub(crate) is_unfollowed: bool,
    /// Whether the service may take minutes for its answer.
    pub(crate) is_long: bool,
    /// Whether a header or body carries a credential: such a request never follows a redirect to another origin.
    pub(crate) carries_credentials: bool,
    pub(crate) reach: Reach,
    pub(crate) record: Option<Record>,
    /// Why the request cannot be sent at all; reported by the send, so that builders stay chains.
    pub(crate) defect: Option<&'static str>,
}

/// What a repeat of the call would do: the class that decides whether it repeats when its fate is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Changes nothing.
    Safe,
    /// The same call leads to the same end state: tags, status.
    Overwrite,
    /// The remote takes our key and does it once.
    Keyed,
    /// Whether it happened can be looked up; the caller does that before it repeats.
    Probed,
    /// No way to look: in doubt a person decides.
    Unsafe,
}

/// Who goes first when quota is short. Order: response actions before enrichment before back-fill.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// Contains an attack or answers a person who waits.
    Response,
    /// Ordinary reads for runs and commands.
    #[default]
    Enrichment,
    /// Catching up with history.
    BackFill,
}

/// Makes durable that an attempt is about to leave.
pub type Record = Arc<dyn Fn() -> io::Result<()> + Send + Sync>;

/// A value of a form field, secret or not.
pub enum FormValue<'a> {
    /// May be shown.
    Text(&'a str),
    /// Must not be shown.
    Secret(&'a Secret),
}

#[derive(Clone)]
pub(crate) enum Body {
    Empty,
    /// URL-encoded; held as a secret, because most forms here carry one.
    Form(Secret),
    Bytes(Bytes),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    Ordinary,
    /// The instance metadata endpoint of a cloud machine.
    ManagedIdentity,
}

impl Request {
    /// Any method. GET and HEAD are [`Effect::Safe`], all else [`Effect::Unsafe`] until [`Request::effect`] says better.
    pub fn new(method: Method, url: Url) -> Self {
        let effect = if matches!(method, Method::GET | Method::HEAD) { Effect::Safe } else { Effect::Unsafe };
        Self {
            method,
            url,
            headers: HeaderMap::new(),
            body: Body::Empty,
            effect,
            quota: None,
            priority: Priority::default(),
            body_bytes_max: None,
            spool_above: None,
            timeout: None,
            is_unfollowed: false,
            is_long: false,
            carries_credentials: false,
            reach: Reach::Ordinary,
            record: None,
            defect: None,
        }
    }

    /// Reads.
    pub fn get(url: Url) -> Self {
        Self::new(Method::GET, url)
    }

    /// Creates or orders.
    pub fn post(url: Url) -> Self {
        Self::new(Method::POST, url)
    }

    /// Changes in part.
    pub fn patch(url: Url) -> Self {
        Self::new(Method::PATCH, url)
    }

    /// Replaces.
    pub fn put(url: Url) -> Self {
        Self::new(Method::PUT, url)
    }

    /// Removes.
    pub fn delete(url: Url) -> Self {
        Self::new(Method::DELETE, url)
    }

    /// The only request that may reach 169.254.169.254: for the managed identity of the machine that we run on, over plain
    /// http and never by a proxy. Loopback is allowed too, which is where an emulator stands in.
    pub fn managed_identity(url: Url) -> Self {
        Self { reach: Reach::ManagedIdentity, ..Self::get(url) }
    }

    /// Adds a header, replacing one of the same name.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: &str) -> Self {
        match HeaderValue::from_str(value) {
            Ok(mut value) => {
                if is_credential(&name) {
                    value.set_sensitive(true);
                    self.carries_credentials = true;
                }
                self.headers.insert(name, value);
            }
            Err(_) => self.defect = Some("a header value holds characters that a header cannot carry"),
        }
        self
    }

    /// A header that authenticates, whatever its name: it is neither shown nor carried to another origin.
    #[must_use]
    pub fn credential(mut self, name: HeaderName, value: &Secret) -> Self {
        match HeaderValue::from_str(value.expose()) {
            Ok(mut value) => {
                value.set_sensitive(true);
                self.headers.insert(name, value);
            }
            Err(_) => self.defect = Some("a header value holds characters that a header cannot carry"),
        }
        self.carrying_credentials()
    }

    /// The address or the body authenticates: no redirect to another origin is followed with it.
    #[must_use]
    pub fn carrying_credentials(mut self) -> Self {
        self.carries_credentials = true;
        self
    }

    /// `Authorization: Bearer ...`.
    #[must_use]
    pub fn bearer(self, token: &Secret) -> Self {
        self.header(header::AUTHORIZATION, &format!("Bearer {}", token.expose()))
    }

    /// HTTP Basic as RFC 6749 section 2.3.1 wants it of OAuth clients: both parts form-encoded first.
    #[must_use]
    pub fn basic(self, user: &str, password: &Secret) -> Self {
        use base64::Engine as _;
        let encode = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let pair = format!("{}:{}", encode(user), encode(password.expose()));
        self.header(header::AUTHORIZATION, &format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair)))
    }

    /// A URL-encoded form as body.
    #[must_use]
    pub fn form<'a>(mut self, pairs: impl IntoIterator<Item = (&'a str, FormValue<'a>)>) -> Self {
        let mut encoded = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in pairs {
            match value {
                FormValue::Text(text) => encoded.append_pair(name, text),
                FormValue::Secret(secret) => {
                    self.carries_credentials = true;
                    encoded.append_pair(name, secret.expose())
                }
            };
        }
        self.body = Body::Form(Secret::new(encoded.finish()));
        self.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
    }

    /// A JSON document as body.
    #[must_use]
    pub fn json(mut self, value: &(impl Serialize + ?Sized)) -> Self {
        match serde_json::to_vec(value) {
            Ok(bytes) => self.body = Body::Bytes(Bytes::from(bytes)),
            Err(_) => self.defect = Some("the body cannot be written as JSON"),
        }
        self.header(header::CONTENT_TYPE, "application/json")
    }

    /// Raw bytes as body.
    #[must_use]
    pub fn body(mut self, content_type: &str, bytes: impl Into<Bytes>) -> Self {
        self.body = Body::Bytes(bytes.into());
        self.header(header::CONTENT_TYPE, content_type)
    }

    /// States what a repeat would do.
    #[must_use]
    pub fn effect(mut self, effect: Effect) -> Self {
        self.effect = effect;
        self
    }

    /// Names the budget that the call draws from.
    #[must_use]
    pub fn quota(mut self, key: QuotaKey) -> Self {
        self.quota = Some(key);
        self
    }

    /// Who goes first when the budget is short.
    #[must_use]
    pub fn priority(mut self, priority: Priority) -> Self {
        self.priority = priority;
        self
    }

    /// Has `record` called before each attempt leaves, repeats included; where it fails, nothing is sent. After a crash the
    /// last record is thus never older than the last attempt.
    #[must_use]
    pub fn recorded_by(mut self, record: Record) -> Self {
        self.record = Some(record);
        self
    }

    /// Another bound for this answer's body than the transport's.
    #[must_use]
    pub fn body_bytes_max(mut self, bytes: u64) -> Self {
        self.body_bytes_max = Some(bytes);
        self
    }

    /// Lets the answer's body go to a nameless temporary file when it is larger than this, so that memory stays small.
    #[must_use]
    pub fn spool_above(mut self, bytes: usize) -> Self {
        self.spool_above = Some(bytes);
        self
    }

    /// Gives each attempt so long, instead of the transport's bounds.
    #[must_use]
    pub fn timeout(mut self, timeout: std::time::Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Takes a redirect for the answer.
    #[must_use]
    pub fn unfollowed(mut self) -> Self {
        self.is_unfollowed = true;
        self
    }

    /// Waits for the answer as long as for a query, not as for an ordinary call.
    #[must_use]
    pub fn long(mut self) -> Self {
        self.is_long = true;
        self
    }

    /// Where it goes.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// How it asks.
    pub fn method(&self) -> &Method {
        &self.method
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("host", &self.url.host_str())
            .field("path", &self.url.path())
            .field("effect", &self.effect)
            .field("quota", &self.quota)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for FormValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.debug_tuple("Text").field(text).finish(),
            Self::Secret(_) => f.write_str("Secret(..)"),
        }
    }
}

impl<'a> From<&'a str> for FormValue<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a Secret> for FormValue<'a> {
    fn from(secret: &'a Secret) -> Self {
        Self::Secret(secret)
    }
}

/// Headers that authenticate: the standard ones, and those in which API keys commonly travel.
fn is_credential(name: &HeaderName) -> bool {
    *name == header::AUTHORIZATION
        || *name == header::COOKIE
        || *name == header::PROXY_AUTHORIZATION
        || ["key", "token", "secret"].iter().any(|part| name.as_str().contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_neither_header_values_nor_body_nor_query() {
        let secret = Secret::new("hunter2/secret");
        let request = Request::post("https://login.example/token?code=hunter2".parse().unwrap())
            .bearer(&secret)
            .form([("client_secret", FormValue::from(&secret))]);
        let shown = format!("{request:?} {:?}", FormValue::from(&secret));
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(shown.contains("login.example"), "{shown}");
        let basic = Request::get("https://login.example/".parse().unwrap()).basic("id", &secret);
        assert!(!format!("{:?}", basic.headers).contains("Basic"), "marked sensitive");
    }

    #[test]
    fn the_method_decides_the_effect_until_the_caller_does() {
        let url: Url = "https://example.com/".parse().unwrap();
        assert_eq!(Request::get(url.clone()).effect, Effect::Safe);
        assert_eq!(Request::delete(url.clone()).effect, Effect::Unsafe);
        assert_eq!(Request::patch(url).effect(Effect::Overwrite).effect, Effect::Overwrite);
    }

    #[test]
    fn basic_encodes_both_parts_before_it_joins_them() {
        let request = Request::get("https://example.com/".parse().unwrap()).basic("a:b", &Secret::new("p%s"));
        // base64("a%3Ab:p%25s")
        assert_eq!(request.headers[header::AUTHORIZATION], "Basic YSUzQWI6cCUyNXM=");
    }

    #[test]
    fn a_header_that_cannot_be_written_is_reported_not_dropped() {
        let request =
            Request::get("https://example.com/".parse().unwrap()).header(header::USER_AGENT, "line\r\nbreak: 1");
        assert!(request.defect.is_some());
    }
}
