//! What all routes of this service share: who may call, which list options there are, how it answers and refuses.

use axum::{
    Json,
    extract::FromRequestParts,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, StatusCode, header::RETRY_AFTER, request::Parts};
use serde_json::{Value, json};

use crate::{
    caller::{Caller, Resource, authorize},
    cloud::App,
    counters::Effect,
    dispatch::Origin,
    faults::LateListing,
    odata::{Cell, Kind, Property, Query, QueryError},
    throttle::{Exceeded, Limit},
    world::{Ticks, World},
    xdr::answer,
};

/// What a route asks of its callers.
#[derive(Debug)]
pub(super) struct Door {
    /// One of them opens it.
    pub roles: &'static [&'static str],
    pub limit: Limit,
}

/// Head of a request, before it is known who asks.
pub(super) struct Head {
    app: App,
    headers: HeaderMap,
    origin: String,
    query: String,
    late_listing: Option<LateListing>,
}

/// One request of an authorized caller.
pub(super) struct Call {
    pub app: App,
    pub caller: Caller,
    /// Scheme and host that the client asked.
    pub origin: String,
    pub query: String,
    pub late_listing: Option<LateListing>,
}

/// An answer that ends a call early.
#[derive(Debug)]
pub(super) struct Refusal(Box<Response>);

/// What a handler gives.
pub(super) type Answer = Result<Response, Refusal>;

/// A list whose rows are JSON objects; its columns are their properties.
pub(super) struct List {
    /// Name of the entity set, as in `@odata.context`.
    pub set: &'static str,
    /// Name of the type in error texts.
    pub entity: &'static str,
    pub properties: &'static [Property],
    pub top_max: usize,
}

impl FromRequestParts<App> for Head {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Self::Rejection> {
        Ok(Self {
            app: App::clone(app),
            headers: parts.headers.clone(),
            origin: parts.extensions.get::<Origin>().map_or("http://localhost", Origin::base).to_owned(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            late_listing: parts.extensions.get::<LateListing>().copied(),
        })
    }
}

impl Head {
    /// Lets in who has one of the roles and calls left within the limit.
    pub(super) fn admit(self, door: &Door) -> Result<Call, Refusal> {
        let Self { app, headers, origin, query, late_listing } = self;
        let caller = authorize(&app, &headers, Resource::Mde, door.roles)
            .map_err(|denied| Refusal::of(answer::denied(&app, &denied)))?;
        let within = app.throttle.take(&door.limit, &caller.tenant, &caller.app_id, Ticks::from(app.clock.now()));
        within.map_err(|exceeded| too_many_calls(&app, &exceeded))?;
        Ok(Call { app, caller, origin, query, late_listing })
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

    /// The rows that the query asks for, under the name of their set.
    pub(super) fn list(&self, list: &List, rows: Vec<Value>) -> Answer {
        let query = Query::read(&self.query, &["$filter", "$top", "$skip"]).map_err(|error| self.bad_query(&error))?;
        let rows = select(list, &query, rows).map_err(|error| self.bad_query(&error))?;
        Ok(self.collection(list.set, rows))
    }

    /// A whole set that takes no options.
    pub(super) fn collection(&self, set: &str, rows: Vec<Value>) -> Response {
        Json(json!({ "@odata.context": self.context(set), "value": rows })).into_response()
    }

    /// One object with its context.
    pub(super) fn entity(&self, status: StatusCode, context: &str, entity: Value) -> Response {
        let mut body = json!({ "@odata.context": self.context(context) });
        if let (Value::Object(body), Value::Object(fields)) = (&mut body, entity) {
            body.extend(fields);
        }
        (status, Json(body)).into_response()
    }

    /// `text` as OData answers a function that gives one.
    pub(super) fn text(&self, text: &str) -> Response {
        self.entity(StatusCode::OK, "Edm.String", json!({ "value": text }))
    }

    pub(super) fn bad(&self, code: &str, message: &str) -> Refusal {
        Refusal::of(answer::error(&self.app, StatusCode::BAD_REQUEST, code, message))
    }

    pub(super) fn bad_query(&self, error: &QueryError) -> Refusal {
        self.bad("ODataError", &error.to_string())
    }

    /// In the words of the vendor's sample: `Machine 123123123 was not found`.
    pub(super) fn not_found(&self, what: &str, id: &str) -> Refusal {
        let message = format!("{what} {id} was not found");
        Refusal::of(answer::error(&self.app, StatusCode::NOT_FOUND, "ResourceNotFound", &message))
    }

    /// Index of the device that a path names by its id. Its computer's name opens only the route that says so.
    pub(super) fn device(&self, id: &str) -> Result<usize, Refusal> {
        self.with_world(|world| world.device_index(id)).ok_or_else(|| self.not_found("Machine", id))
    }

    /// Too many at a time, or too many calls.
    pub(super) fn too_many(&self, message: &str, wait_s: i64) -> Refusal {
        too_many(&self.app, message, wait_s)
    }

    fn context(&self, of: &str) -> String {
        format!("{}/api/$metadata#{of}", self.origin)
    }
}

impl Refusal {
    pub(super) fn of(response: Response) -> Self {
        Self(Box::new(response))
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        *self.0
    }
}

/// The rows that match, from `$skip` on, at most `$top`.
fn select(list: &List, query: &Query, mut rows: Vec<Value>) -> Result<Vec<Value>, QueryError> {
    let filter = query.filter(list.entity, list.properties)?;
    let size = query.top_within(list.top_max)?;
    if let Some(filter) = &filter {
        rows.retain(|row| filter.matches(&|index| cell(row, &list.properties[index])));
    }
    Ok(rows.into_iter().skip(query.skip.unwrap_or(0)).take(size).collect())
}

fn cell<'r>(row: &'r Value, property: &Property) -> Cell<'r> {
    let value = &row[property.name];
    match property.kind {
        Kind::Text | Kind::Enumeration(_) => Cell::optional(value.as_str()),
        Kind::Instant => value
            .as_str()
            .and_then(|text| text.parse::<jiff::Timestamp>().ok())
            .map_or(Cell::Null, |at| Cell::Instant(Ticks::from(at))),
        Kind::Number => value.as_f64().map_or(Cell::Null, Cell::Number),
        Kind::Boolean => value.as_bool().map_or(Cell::Null, Cell::Boolean),
        Kind::TextList => {
            let items = value.as_array().map_or(&[][..], Vec::as_slice);
            Cell::TextList(items.iter().filter_map(Value::as_str).collect())
        }
    }
}

fn too_many_calls(app: &App, exceeded: &Exceeded) -> Refusal {
    too_many(app, &exceeded.quota_text(), exceeded.wait_s())
}

fn too_many(app: &App, message: &str, wait_s: i64) -> Refusal {
    let mut response = answer::error(app, StatusCode::TOO_MANY_REQUESTS, "TooManyRequests", message);
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(wait_s));
    Refusal::of(response)
}

/// A property that `$filter` may name.
pub(super) const fn by(name: &'static str, kind: Kind) -> Property {
    Property { name, kind, filterable: true }
}

/// A property that rows have and `$filter` refuses.
pub(super) const fn shown(name: &'static str) -> Property {
    Property { name, kind: Kind::Text, filterable: false }
}

/// The limit that most pages state.
pub(super) const fn usual(name: &'static str) -> Limit {
    Limit { name, windows: &[(100, 60), (1_500, 3_600)] }
}

pub(super) const TOP_MAX: usize = 10_000;
