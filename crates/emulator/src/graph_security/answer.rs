//! What all routes of this service share: who may call, how it refuses, which words it may use.

use axum::{
    body::Bytes,
    extract::{FromRequestParts, Request},
    response::Response,
};
use http::{HeaderMap, HeaderValue, StatusCode, header::RETRY_AFTER, request::Parts};
use serde_json::{Map, Value, json};

use super::view::Members;
use crate::{
    caller::{Caller, Denied, Resource, authorize},
    cloud::App,
    dispatch::Origin,
    graph_answer::Exchange,
    odata::QueryError,
    throttle::{Exceeded, Limit},
    world::{Ticks, World},
};

/// One request of an authorized caller.
pub(super) struct Call {
    pub app: App,
    pub caller: Caller,
    pub exchange: Exchange,
    pub members: Members,
    /// Scheme and host that the client asked, and `/v1.0` or `/beta`.
    pub base: String,
    pub query: String,
}

/// An answer that ends a call early.
pub(super) type Refusal = Box<Response>;

/// Head of a request, before it is known who asks.
pub(super) struct Head {
    headers: HeaderMap,
    base: String,
    query: String,
}

impl<S: Sync> FromRequestParts<S> for Head {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Self::Rejection> {
        let origin = parts.extensions.get::<Origin>().map_or("http://localhost", Origin::base);
        let version = parts.uri.path().split('/').nth(1).unwrap_or("v1.0");
        Ok(Self {
            base: format!("{origin}/{version}"),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            headers: parts.headers.clone(),
        })
    }
}

impl Head {
    /// Lets in who has one of the roles and calls left within the limit.
    pub(super) fn admit(self, app: App, roles: &[&str], limit: &Limit) -> Result<Call, Refusal> {
        let exchange = Exchange::new(&app, &self.headers);
        let caller = authorize(&app, &self.headers, Resource::Graph, roles)
            .map_err(|denied| Box::new(refusal(&exchange, &denied)))?;
        let now = Ticks::from(app.clock.now());
        let within = app.throttle.take(limit, &caller.tenant, &caller.app_id, now);
        within.map_err(|exceeded| Box::new(too_many(&exchange, &exceeded)))?;
        let members = members(&self.headers);
        Ok(Call { app, caller, exchange, members, base: self.base, query: self.query })
    }
}

impl Call {
    pub(super) fn with_world<T>(&self, act: impl FnOnce(&mut World) -> T) -> T {
        self.app.worlds.with(&self.caller.tenant, Ticks::from(self.app.clock.now()), act)
    }

    pub(super) fn ok(&self, body: Value) -> Response {
        let mut response = self.exchange.json(StatusCode::OK, body);
        if self.members == Members::All {
            let applied = HeaderValue::from_static("include-unknown-enum-members");
            response.headers_mut().insert("preference-applied", applied);
        }
        response
    }

    pub(super) fn entity(&self, set: &str, mut entity: Value) -> Response {
        if let Value::Object(fields) = &mut entity {
            let context = format!("{}/$metadata#security/{set}/$entity", self.base);
            fields.insert("@odata.context".to_owned(), Value::String(context));
        }
        self.ok(entity)
    }

    pub(super) fn bad_query(&self, error: &QueryError) -> Response {
        self.exchange.query_error(&error.to_string())
    }

    pub(super) fn refuse(&self, message: &str) -> Refusal {
        Box::new(self.bad_request(message))
    }

    pub(super) fn bad_request(&self, message: &str) -> Response {
        self.exchange.error(StatusCode::BAD_REQUEST, "BadRequest", message)
    }

    /// The code is Graph's general one; the text of this service's 404 was not seen (G).
    pub(super) fn not_found(&self, what: &str, id: &str) -> Response {
        self.exchange.error(StatusCode::NOT_FOUND, "NotFound", &format!("The {what} '{id}' was not found."))
    }

    /// The properties of a JSON body, without OData's own annotations.
    ///
    /// A list counts as nothing: that is what Graph says to the SDKs' typed comment call, which sends one
    /// (msgraph-sdk-python issue 1168, msgraph-sdk-dotnet issue 2514).
    pub(super) fn body(&self, bytes: &Bytes) -> Result<Map<String, Value>, Refusal> {
        match serde_json::from_slice(bytes) {
            Ok(Value::Object(fields)) => Ok(fields),
            Ok(Value::Array(_)) => Err(self.refuse("Empty Payload. JSON content expected.")),
            _ => Err(self.refuse("Unable to read JSON request payload. Please ensure Content-Type header is set and payload is of valid JSON format.")),
        }
    }

    /// Text of a new comment; the type annotation is required (row "add alert comment" of the reference).
    pub(super) fn comment_text(&self, bytes: &Bytes) -> Result<String, Refusal> {
        let fields = self.body(bytes)?;
        let kind = fields.get("@odata.type").and_then(Value::as_str).unwrap_or_default();
        if kind.trim_start_matches('#') != "microsoft.graph.security.alertComment" {
            return Err(self.refuse("The property '@odata.type' must be 'microsoft.graph.security.alertComment'."));
        }
        match fields.get("comment").and_then(Value::as_str) {
            Some(text) if !text.trim().is_empty() => Ok(text.to_owned()),
            _ => Err(self.refuse("The property 'comment' is required and must not be empty.")),
        }
    }

    /// A member of an enumeration in a body; `null` and absent leave the property as it is.
    pub(super) fn term<T>(
        &self,
        fields: &Map<String, Value>,
        name: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, Refusal> {
        match fields.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(word)) => match parse(word) {
                Some(term) => Ok(Some(term)),
                None => Err(self.refuse(&format!("The value '{word}' is not valid for the property '{name}'."))),
            },
            Some(_) => Err(self.refuse(&format!("The property '{name}' must be a string."))),
        }
    }

    /// A text in a body; `null` and the empty text take it away.
    pub(super) fn text(&self, fields: &Map<String, Value>, name: &str) -> Result<Option<Option<String>>, Refusal> {
        match fields.get(name) {
            None => Ok(None),
            Some(Value::Null) => Ok(Some(None)),
            Some(Value::String(text)) => Ok(Some(Some(text.clone()).filter(|text| !text.is_empty()))),
            Some(_) => Err(self.refuse(&format!("The property '{name}' must be a string."))),
        }
    }

    pub(super) fn only(&self, fields: &Map<String, Value>, entity: &str, names: &[&str]) -> Result<(), Refusal> {
        let unknown = fields.keys().find(|name| !name.contains('@') && !names.contains(&name.as_str()));
        match unknown {
            None => Ok(()),
            Some(name) => Err(self.refuse(&format!("The property '{name}' of '{entity}' cannot be updated."))),
        }
    }
}

/// Body text of a refused caller; the wording of a missing role is the live one (wazuh/wazuh-documentation issue 7300).
pub(crate) fn refusal(exchange: &Exchange, denied: &Denied) -> Response {
    match denied {
        Denied::MissingRole { required, held } => {
            let (required, held) = (required.join(","), held.join(","));
            let message =
                format!("Missing application roles. API required roles: {required}, application roles: {held}.");
            exchange.error(StatusCode::FORBIDDEN, "Forbidden", &message)
        }
        other => exchange.denied(other),
    }
}

/// The body of the sample `graph_429.json`.
pub(crate) fn too_many(exchange: &Exchange, exceeded: &Exceeded) -> Response {
    let mut response = exchange.json(StatusCode::TOO_MANY_REQUESTS, too_many_json(exchange));
    if let Ok(value) = HeaderValue::from_str(&exceeded.wait_fraction()) {
        response.headers_mut().insert(RETRY_AFTER, value);
    }
    response
}

fn too_many_json(exchange: &Exchange) -> Value {
    json!({
        "error": {
            "code": "TooManyRequests",
            "innerError": exchange.inner(&[("code", "429"), ("message", "Please retry after"), ("status", "429")]),
            "message": "Please retry again later.",
        }
    })
}

fn members(headers: &HeaderMap) -> Members {
    let wanted = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
    let all = wanted.flat_map(|value| value.split(',')).any(|part| part.trim() == "include-unknown-enum-members");
    if all { Members::All } else { Members::Known }
}

/// Reads the whole body of a write; Graph takes far less than this.
pub(super) async fn read_body(request: Request) -> Result<Bytes, StatusCode> {
    axum::body::to_bytes(request.into_body(), BODY_BYTES_MAX).await.map_err(|_| StatusCode::PAYLOAD_TOO_LARGE)
}

const BODY_BYTES_MAX: usize = 1_048_576;
