//! What went wrong, as RFC 9457 writes it: a sentence, and what to do next.

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde_json::{Map, Value, json};
use sortie_store::{StoreError, StoreErrorKind};

/// Why a request was not carried out.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{detail}")]
pub struct Problem {
    /// Of the answer.
    pub status: StatusCode,
    /// What kind it is, for programs: `not-found`.
    pub kind: &'static str,
    /// What failed, about what.
    pub detail: String,
    /// What to do next, as a full sentence.
    pub next: String,
    /// More, for programs.
    pub more: Map<String, Value>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Problem {
    /// Of any kind.
    pub fn new(status: StatusCode, kind: &'static str, detail: impl Into<String>, next: impl Into<String>) -> Self {
        let (detail, next) = (detail.into(), next.into());
        Self { status, kind, detail, next, more: Map::new(), headers: Vec::new() }
    }

    /// The request cannot be read.
    pub(crate) fn request(detail: impl Into<String>, next: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "request", detail, next)
    }

    /// There is no such thing, or whoever asks may not know of it.
    pub(crate) fn absent(what: impl std::fmt::Display) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "not-found",
            format!("there is no {what}"),
            "Look at the list for what is there.",
        )
    }

    /// It stands in the way of something else.
    pub(crate) fn conflict(detail: impl Into<String>, next: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", detail, next)
    }

    /// It can be read, and what it says cannot be.
    pub(crate) fn content(detail: impl Into<String>, next: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "content", detail, next)
    }

    /// A media type that the route does not take.
    pub(crate) fn media_type(takes: &str) -> Self {
        let detail = format!("this takes {takes}, by its Content-Type");
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "media-type", detail, "Send it as that.")
    }

    /// More than fits now, or nothing that answers.
    pub(crate) fn busy(detail: impl Into<String>) -> Self {
        let next = "Repeat it in a few seconds.";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", detail, next).with_header(header::RETRY_AFTER, "5")
    }

    /// A fault of ours; the log says more.
    pub(crate) fn fault() -> Self {
        let next = "Look at the log of `sortie serve`, and report it with the lines of this minute.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "fault", "a fault in Sortie ended the request", next)
    }

    /// The same with something more for programs.
    #[must_use]
    pub(crate) fn with(mut self, key: &str, value: Value) -> Self {
        self.more.insert(key.to_owned(), value);
        self
    }

    #[must_use]
    pub(crate) fn with_header(mut self, name: HeaderName, value: &str) -> Self {
        let value = HeaderValue::from_str(value).expect("headers of ours are plain");
        self.headers.push((name, value));
        self
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        use StoreErrorKind as Kind;
        let (status, kind) = match &error.kind {
            Kind::Absent(_) => (StatusCode::NOT_FOUND, "not-found"),
            Kind::Exists(_) => (StatusCode::CONFLICT, "exists"),
            Kind::Stale(_) => (StatusCode::CONFLICT, "stale"),
            Kind::InUse(_) | Kind::Active { .. } => (StatusCode::CONFLICT, "in-use"),
            Kind::Guarded { .. } => (StatusCode::CONFLICT, "guarded"),
            Kind::OwnRequest(_) => (StatusCode::FORBIDDEN, "own-request"),
            Kind::Forbidden { .. } => (StatusCode::FORBIDDEN, "forbidden"),
            Kind::NeedsTenant => (StatusCode::BAD_REQUEST, "needs-tenant"),
            Kind::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "too-large"),
            Kind::TooMany { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "too-many"),
            Kind::DiskFull | Kind::Closed => (StatusCode::SERVICE_UNAVAILABLE, "busy"),
            Kind::Key(_) => (StatusCode::INTERNAL_SERVER_ERROR, "key"),
            Kind::Held { .. }
            | Kind::Newer { .. }
            | Kind::NotOurs(_)
            | Kind::Damaged(_)
            | Kind::ReadOnly(_)
            | Kind::File { .. }
            | Kind::Sqlite(_)
            | Kind::Abandoned => (StatusCode::INTERNAL_SERVER_ERROR, "database"),
        };
        if status.is_server_error() {
            // What SQLite or the system says is for whoever runs Sortie, and not for whoever asks.
            tracing::error!(error = %error.kind, "cannot {}", error.doing);
            return Self::new(status, kind, error.to_string(), error.remedy());
        }
        Self::new(status, kind, format!("{error}: {}", error.kind), error.remedy())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let title = self.kind.replace('-', " ");
        let mut body = json!({
            "type": format!("urn:sortie:problem:{}", self.kind),
            "title": title,
            "status": self.status.as_u16(),
            "detail": self.detail,
            "next": self.next,
        });
        for (key, value) in self.more {
            body[key] = value;
        }
        let mut response = Response::new(Body::from(body.to_string()));
        *response.status_mut() = self.status;
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        response.headers_mut().extend(self.headers);
        response
    }
}
