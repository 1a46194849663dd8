//! The one way out: HTTP with verified TLS, bounds, delivery verdicts and a shared quota gate.
//!
//! [`Transport::send`] is one attempt; [`Transport::call`] waits for its quota and repeats what may be repeated. There is no
//! switch that turns certificate checks off, plain http is for loopback alone, and nothing here logs a header value, a body
//! or a query string.

mod address;
mod client;
mod client_certificate;
mod error;
mod gate;
mod guard;
mod request;
mod response;
mod retry;
mod retry_after;
mod settings;
mod stream;

pub use bytes::Bytes;
pub use client::Transport;
pub use client_certificate::ClientCertificate;
pub use error::{Delivery, ProxyCause, RedirectCause, SendError, SendErrorKind, TimeoutPhase, TlsCause};
pub use gate::{QuotaGate, QuotaKey, QuotaWindow};
pub use guard::{Class, Guard, GuardError};
pub use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
pub use request::{Effect, FormValue, Priority, Record, Request};
pub use response::{Response, Spool};
pub use retry::{RetryPolicy, Wait, WaitReason};
pub use retry_after::retry_after;
pub use settings::{ProxySetting, TransportSettings, TransportSettingsError};
pub use stream::Stream;
