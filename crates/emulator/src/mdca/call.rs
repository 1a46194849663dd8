//! What all routes of this service share: who may call, the body of a list, how it answers and refuses.

use axum::{
    Json,
    extract::{FromRequest, Request},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{RETRY_AFTER, WWW_AUTHENTICATE},
};
use serde_json::{Map, Value, json};

use super::filter::{Filter, Row};
use crate::{
    caller::{Caller, Denied, Resource, authorize},
    cloud::App,
    counters::Effect,
    throttle::Limit,
    world::{Ticks, World},
};

/// A request with its body, before it is known who asks.
pub(super) struct Head {
    app: App,
    headers: HeaderMap,
    query: String,
    body: Bytes,
}

/// One request of an authorized caller.
pub(super) struct Call {
    pub app: App,
    pub caller: Caller,
    /// The properties of the JSON body; empty without one.
    pub fields: Map<String, Value>,
}

/// An answer that ends a call early.
#[derive(Debug)]
pub(super) struct Refusal(Box<Response>);

pub(super) type Answer = Result<Response, Refusal>;

/// Which part of a list is asked for, and in which order.
pub(super) struct Listing {
    filters: Vec<Filter>,
    skip: usize,
    limit: usize,
    sort: &'static str,
    is_ascending: bool,
}

/// One page of the rows that match.
pub(super) struct Page {
    pub data: Vec<Value>,
    pub total: usize,
    pub has_next: bool,
}

impl FromRequest<App> for Head {
    type Rejection = Response;

    async fn from_request(request: Request, app: &App) -> Result<Self, Response> {
        let (parts, body) = request.into_parts();
        let body = axum::body::to_bytes(body, BODY_BYTES_MAX).await;
        let body = body.map_err(|_| error(StatusCode::PAYLOAD_TOO_LARGE, "The request body is too large."))?;
        let query = parts.uri.query().unwrap_or_default().to_owned();
        Ok(Self { app: App::clone(app), headers: parts.headers, query, body })
    }
}

impl Head {
    /// Lets in who has one of the roles while the tenant, all its applications together, has calls left.
    pub(super) fn admit(self, roles: &[&str]) -> Result<Call, Refusal> {
        let Self { app, headers, query, body } = self;
        let caller = authorize(&app, &headers, Resource::CloudApps, roles)
            .map_err(|reason| Refusal(Box::new(denied(&reason))))?;
        if let Err(exceeded) = app.throttle.take(&LIMIT, &caller.tenant, "", Ticks::from(app.clock.now())) {
            let wait_s = exceeded.wait_s();
            let text = format!("Request was throttled. Expected available in {wait_s} seconds.");
            let mut response = error(StatusCode::TOO_MANY_REQUESTS, &text);
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(wait_s));
            return Err(Refusal(Box::new(response)));
        }
        let fields = fields(&query, &body)?;
        Ok(Call { app, caller, fields })
    }
}

impl Call {
    pub(super) fn with_world<T>(&self, act: impl FnOnce(&mut World) -> T) -> T {
        self.app.worlds.with(&self.caller.tenant, Ticks::from(self.app.clock.now()), act)
    }

    /// Counts what a call has changed, for the tests.
    pub(super) fn applied(&self, entity: &str, effect: Effect) {
        self.app.counters.applied(&self.caller.tenant, entity, effect);
    }

    /// Reads filters, part and order; the first of `sorts` is the order without a `sortField`.
    pub(super) fn listing(&self, facets: &[&'static str], sorts: &[&'static str]) -> Result<Listing, Refusal> {
        let known = ["filters", "skip", "limit", "sortField", "sortDirection"];
        if let Some(name) = self.fields.keys().find(|name| !known.contains(&name.as_str())) {
            return Err(bad(&format!("Unknown parameter: {name}")));
        }
        let sort = match self.fields.get("sortField") {
            None | Some(Value::Null) => sorts[0],
            Some(field) => {
                let named = |sort: &&&'static str| field.as_str() == Some(**sort);
                sorts.iter().find(named).copied().ok_or_else(|| bad(&format!("Unknown sort field: {field}")))?
            }
        };
        let is_ascending = match self.fields.get("sortDirection").map(|direction| direction.as_str()) {
            None | Some(Some("desc")) => false,
            Some(Some("asc")) => true,
            Some(_) => return Err(bad("The sort direction must be 'asc' or 'desc'.")),
        };
        Ok(Listing {
            filters: self.filters(facets)?,
            skip: self.whole("skip")?.unwrap_or(0),
            limit: self.whole("limit")?.unwrap_or(LIMIT_MAX).clamp(1, LIMIT_MAX),
            sort,
            is_ascending,
        })
    }

    pub(super) fn filters(&self, facets: &[&'static str]) -> Result<Vec<Filter>, Refusal> {
        let now = Ticks::from(self.app.clock.now());
        Filter::read(self.fields.get("filters"), facets, millis(now)).map_err(|message| bad(&message))
    }

    fn whole(&self, name: &str) -> Result<Option<usize>, Refusal> {
        match self.fields.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => match value.as_u64().and_then(|number| usize::try_from(number).ok()) {
                Some(number) => Ok(Some(number)),
                None => Err(bad(&format!("The parameter '{name}' must be a whole number."))),
            },
        }
    }

    /// A text of the body; absent where there is none.
    pub(super) fn text(&self, name: &str) -> Result<Option<String>, Refusal> {
        match self.fields.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(bad(&format!("The parameter '{name}' must be a string."))),
        }
    }
}

impl Listing {
    pub(super) fn page(&self, mut rows: Vec<Row>) -> Page {
        rows.retain(|row| self.filters.iter().all(|filter| filter.holds(row)));
        let key = |row: &Row| row.first(self.sort).and_then(Value::as_f64).unwrap_or(f64::MIN);
        rows.sort_by(|a, b| key(a).total_cmp(&key(b)));
        if !self.is_ascending {
            rows.reverse();
        }
        let total = rows.len();
        let data: Vec<Value> = rows.into_iter().skip(self.skip).take(self.limit).map(|row| row.shown).collect();
        let has_next = self.skip.saturating_add(data.len()) < total;
        Page { data, total, has_next }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        *self.0
    }
}

/// The pages send the same JSON with GET and POST; a GET without a body may give it in its query.
fn fields(query: &str, body: &Bytes) -> Result<Map<String, Value>, Refusal> {
    if !body.is_empty() {
        return serde_json::from_slice(body).map_err(|_| bad("The request body is not a JSON object."));
    }
    let pairs = url::form_urlencoded::parse(query.as_bytes());
    let value = |text: &str| serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()));
    Ok(pairs.map(|(name, text)| (name.into_owned(), value(&text))).collect())
}

pub(crate) fn error(status: StatusCode, detail: &str) -> Response {
    (status, Json(json!({ "detail": detail }))).into_response()
}

pub(crate) fn denied(denied: &Denied) -> Response {
    let detail = match denied {
        Denied::MissingRole { .. } => {
            return error(StatusCode::FORBIDDEN, "You do not have permission to perform this action.");
        }
        Denied::Missing => "Authentication credentials were not provided.",
        Denied::Invalid => "Invalid token.",
        Denied::Expired => "The token has expired.",
        Denied::WrongAudience { .. } => "Invalid token: it was issued for another resource.",
    };
    let mut response = error(StatusCode::UNAUTHORIZED, detail);
    response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}

pub(super) fn bad(detail: &str) -> Refusal {
    Refusal(Box::new(error(StatusCode::BAD_REQUEST, detail)))
}

pub(super) fn not_found() -> Refusal {
    Refusal(Box::new(error(StatusCode::NOT_FOUND, "Not found.")))
}

pub(super) fn ok(body: Value) -> Response {
    Json(body).into_response()
}

/// Milliseconds since 1970, as this API writes times.
pub(super) fn millis(at: Ticks) -> i64 {
    at.0.div_euclid(10_000)
}

pub(super) const READ: &[&str] = &["investigation.read", "investigation.manage"];
const LIMIT: Limit = Limit { name: "mdca", windows: &[(30, 60)] };
const LIMIT_MAX: usize = 100;
const BODY_BYTES_MAX: usize = 1_048_576;
