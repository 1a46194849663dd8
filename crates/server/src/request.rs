//! A request that was granted, as handlers see it; and how they answer.

use std::{collections::HashMap, future::Future, pin::Pin, sync::Arc};

use axum::{body::Body, response::Response};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::de::DeserializeOwned;
use serde_json::Value;
use sortie_store::{Approval, Run, Scope, Store, TenantKey};

use crate::{
    Problem,
    app::Shared,
    caller::Arrival,
    reach::{Granted, Subject},
};

/// What carries a route out.
pub(crate) type Handler = fn(Request) -> Pin<Box<dyn Future<Output = Result<Response, Problem>> + Send>>;

/// One request, after it was decided that it may be.
pub(crate) struct Request {
    pub shared: Arc<Shared>,
    pub granted: Granted,
    pub arrival: Arrival,
    pub path: HashMap<String, String>,
    pub query: HashMap<String, String>,
    pub raw_query: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Request {
    /// The store in the name of whoever asks: it permits by itself, and writes the name into the audit log.
    pub(crate) fn store(&self) -> Store {
        self.shared.app.store.acting_as(self.granted.actor.clone())
    }

    /// A part of the path.
    pub(crate) fn path(&self, name: &str) -> &str {
        self.path.get(name).map_or("", String::as_str)
    }

    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str)
    }

    /// The scope of a route that is about one.
    pub(crate) fn scope(&self) -> Scope {
        self.granted.scopes.first().copied().unwrap_or(Scope::Tenant(TenantKey::SHARED))
    }

    /// The tenant of a route that is about one.
    pub(crate) fn tenant(&self) -> TenantKey {
        match self.scope() {
            Scope::Tenant(tenant) => tenant,
            Scope::Every => TenantKey::SHARED,
        }
    }

    /// What people call a tenant.
    pub(crate) fn tenant_name(&self, key: TenantKey) -> String {
        let found = self.granted.tenants.iter().find(|tenant| tenant.key == key);
        found.map_or_else(|| key.to_string(), |tenant| tenant.name.clone())
    }

    /// The run in the path.
    pub(crate) fn run(&self) -> Result<&Run, Problem> {
        match &self.granted.subject {
            Subject::Run(run) => Ok(run),
            _ => Err(Problem::fault()),
        }
    }

    /// The approval in the path.
    pub(crate) fn approval(&self) -> Result<&Approval, Problem> {
        match &self.granted.subject {
            Subject::Approval(approval) => Ok(approval),
            _ => Err(Problem::fault()),
        }
    }

    /// The body as JSON of that form; nothing at all is an empty object.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        if self.body.is_empty() {
            return self.read(b"{}");
        }
        match self.media_type().as_deref() {
            Some("application/json") => self.read(&self.body),
            _ => Err(Problem::media_type("application/json")),
        }
    }

    fn read<T: DeserializeOwned>(&self, text: &[u8]) -> Result<T, Problem> {
        serde_json::from_slice(text).map_err(|error| {
            let next = "`/api/v1/openapi.json` says what this route takes.";
            Problem::request(format!("the body cannot be read: {error}"), next)
        })
    }

    /// The body as the text of a document.
    pub(crate) fn yaml(&self) -> Result<&str, Problem> {
        const TAKES: &[&str] = &["application/yaml", "text/yaml", "application/x-yaml", "text/x-yaml"];
        if !self.media_type().is_some_and(|found| TAKES.contains(&found.as_str())) {
            return Err(Problem::media_type("application/yaml"));
        }
        std::str::from_utf8(&self.body)
            .map_err(|_| Problem::request("the document is no UTF-8", "Save it as UTF-8, and send it again."))
    }

    pub(crate) fn media_type(&self) -> Option<String> {
        media_type(&self.headers)
    }

    /// A whole number of the query within bounds.
    pub(crate) fn number(&self, name: &str, usual: i64, bounds: std::ops::RangeInclusive<i64>) -> Result<i64, Problem> {
        let Some(text) = self.query(name) else { return Ok(usual) };
        let found = text.parse().ok().filter(|number| bounds.contains(number));
        found.ok_or_else(|| {
            let detail = format!("`{name}` takes a whole number from {} to {}", bounds.start(), bounds.end());
            Problem::request(detail, "Correct it.")
        })
    }

    /// How many a page may have.
    pub(crate) fn count(&self) -> Result<u32, Problem> {
        let count = self.number("count", 50, 1..=500)?;
        Ok(u32::try_from(count).expect("the bounds say so"))
    }
}

/// The media type without its parameters.
pub(crate) fn media_type(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    let found = text.split(';').next()?.trim().to_ascii_lowercase();
    (!found.is_empty()).then_some(found)
}

/// JSON.
pub(crate) fn json(status: StatusCode, value: &Value) -> Response {
    let mut response = Response::new(Body::from(value.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// JSON with status 200.
#[expect(clippy::unnecessary_wraps, reason = "it is the last word of handlers, which may fail")]
pub(crate) fn ok(value: &Value) -> Result<Response, Problem> {
    Ok(json(StatusCode::OK, value))
}

/// Nothing, with status 204.
#[expect(clippy::unnecessary_wraps, reason = "it is the last word of handlers, which may fail")]
pub(crate) fn done() -> Result<Response, Problem> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}
