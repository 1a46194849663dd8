//! The admin API of the world: clock, incidents, faults, limits, counters, ground truth.
//!
//! It knows no sign-in: it has a listener of its own on loopback, and refuses what a web page could send to it.

use axum::{
    Json, Router,
    extract::{FromRequest, Path, Query, Request, State},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{delete, get, post},
};
use http::{StatusCode, header};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::{
    clock::ClockMode,
    cloud::{App, Cloud},
    faults::FaultOrder,
    throttle::Strictness,
    world::{LateIncident, MergeError, Ticks, World},
};

/// `/clock`, `/world/..`, `/faults`, `/throttle`, `/counters`, `/truth`.
pub(crate) fn router() -> Router<App> {
    Router::new()
        .route("/clock", get(clock).put(set_clock))
        .route("/clock/advance", post(advance_clock))
        .route("/world/incidents", post(add_incidents))
        .route("/world/late", post(add_late))
        .route("/world/merge", post(merge))
        .route("/faults", get(faults).post(add_fault).delete(clear_faults))
        .route("/faults/{id}", delete(remove_fault))
        .route("/throttle", get(throttle).put(set_throttle))
        .route("/counters", get(counters).delete(clear_counters))
        .route("/truth", get(truth))
}

/// Guards a router against web pages: another origin, or a name that was made to point at loopback.
pub(crate) fn guarded(router: Router<App>) -> Router<App> {
    router.layer(middleware::from_fn(guard))
}

async fn guard(request: Request, next: Next) -> Response {
    let headers = request.headers();
    let host = headers.get(header::HOST).and_then(|value| value.to_str().ok());
    let host = host.or_else(|| request.uri().authority().map(|authority| authority.as_str()));
    if headers.contains_key(header::ORIGIN) || !host.is_some_and(is_loopback) {
        return AdminError::NotForPages.into_response();
    }
    next.run(request).await
}

fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    let is_address = name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    is_address || name.eq_ignore_ascii_case("localhost")
}

/// Why an admin call was refused; the text is for the person who wrote the call.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AdminError {
    #[error("the admin API takes no calls from web pages: call it by a loopback address and without an Origin header")]
    NotForPages,
    #[error("the body is not what this call takes: {0}")]
    Body(String),
    #[error("there is no fault {0}")]
    NoFault(u64),
    #[error("the two incidents can't be merged")]
    Merge(#[from] MergeError),
    #[error("no device has the id or name `{0}`")]
    NoDevice(String),
    #[error("there is no vault or secret `{0}`")]
    NotInVaults(String),
    #[error("`count` goes up to {INCIDENT_COUNT_MAX} in one call")]
    TooMany,
}

impl IntoResponse for AdminError {
    fn into_response(self) -> Response {
        let status = match &self {
            Self::NotForPages => StatusCode::FORBIDDEN,
            Self::Body(_) | Self::TooMany => StatusCode::BAD_REQUEST,
            Self::NoFault(_) | Self::NoDevice(_) | Self::NotInVaults(_) | Self::Merge(MergeError::Unknown) => {
                StatusCode::NOT_FOUND
            }
            Self::Merge(_) => StatusCode::CONFLICT,
        };
        let cause = std::error::Error::source(&self).map(|source| format!(": {source}")).unwrap_or_default();
        (status, Json(json!({ "error": format!("{self}{cause}") }))).into_response()
    }
}

/// A JSON body, whatever its content type; no body stands for `{}`.
pub(crate) struct Body<T>(pub T);

impl<T: DeserializeOwned, S: Sync> FromRequest<S> for Body<T> {
    type Rejection = Response;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Response> {
        let bytes = axum::body::to_bytes(request.into_body(), BODY_BYTES_MAX).await;
        let bytes = bytes.map_err(|error| AdminError::Body(error.to_string()).into_response())?;
        let text: &[u8] = if bytes.is_empty() { b"{}" } else { &bytes };
        serde_json::from_slice(text).map(Self).map_err(|error| AdminError::Body(error.to_string()).into_response())
    }
}

fn clock_json(cloud: &Cloud) -> Json<Value> {
    let mut body = json!(cloud.clock.mode());
    body["now"] = json!(cloud.clock.now().to_string());
    Json(body)
}

async fn clock(State(app): State<App>) -> Json<Value> {
    clock_json(&app)
}

/// `{"mode": "manual"}`, `{"mode": "fast", "factor": 600}`, `{"now": ".."}`, or both.
async fn set_clock(State(app): State<App>, Body(order): Body<Value>) -> Result<Json<Value>, AdminError> {
    let body = |error: serde_json::Error| AdminError::Body(error.to_string());
    let mode: Option<ClockMode> =
        order.get("mode").map(|_| serde_json::from_value(order.clone())).transpose().map_err(body)?;
    let now: Option<Timestamp> = order.get("now").cloned().map(serde_json::from_value).transpose().map_err(body)?;
    if mode.is_none() && now.is_none() {
        return Err(AdminError::Body("give `mode`, `now`, or both".to_owned()));
    }
    if let Some(mode) = mode {
        app.clock.set_mode(mode);
    }
    if let Some(now) = now {
        app.clock.set(now);
    }
    Ok(clock_json(&app))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    seconds: i64,
}

async fn advance_clock(State(app): State<App>, Body(order): Body<Advance>) -> Result<Json<Value>, AdminError> {
    let moved = app.clock.now().checked_add(SignedDuration::from_secs(order.seconds));
    app.clock.set(moved.map_err(|error| AdminError::Body(error.to_string()))?);
    Ok(clock_json(&app))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewIncidents {
    tenant: Option<String>,
    count: usize,
    /// They were created one after the other within this time, which ends now.
    #[serde(default)]
    spread_s: i64,
    /// All times of all of them are now.
    #[serde(default)]
    same_time: bool,
}

async fn add_incidents(State(app): State<App>, Body(order): Body<NewIncidents>) -> Result<Json<Value>, AdminError> {
    if order.count > INCIDENT_COUNT_MAX {
        return Err(AdminError::TooMany);
    }
    let ids = with_world(&app, order.tenant, |world| {
        if order.same_time { world.generate_at_once(order.count) } else { world.generate(order.count, order.spread_s) }
    });
    Ok(Json(json!({ "count": ids.len(), "firstId": ids.first(), "lastId": ids.last() })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewLate {
    tenant: Option<String>,
    /// Until reads find it.
    visible_in_s: i64,
    /// How far its last update lies before the moment when it becomes visible.
    updated_before_s: i64,
}

async fn add_late(State(app): State<App>, Body(order): Body<NewLate>) -> Json<Value> {
    let visible_from = Ticks::from(app.clock.now()).plus_s(order.visible_in_s);
    let late = LateIncident { visible_from, updated: visible_from.plus_s(order.updated_before_s.saturating_neg()) };
    let id = with_world(&app, order.tenant, |world| world.generate_late(late));
    Json(
        json!({ "id": id, "visibleFrom": late.visible_from.to_string(), "lastUpdateDateTime": late.updated.to_string() }),
    )
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MergeOrder {
    tenant: Option<String>,
    from: u64,
    into: u64,
}

async fn merge(State(app): State<App>, Body(order): Body<MergeOrder>) -> Result<Json<Value>, AdminError> {
    let target = with_world(&app, order.tenant, |world| world.merge(order.from, order.into))?;
    Ok(Json(json!({ "targetIncidentId": target })))
}

async fn faults(State(app): State<App>) -> Json<Value> {
    Json(app.faults.json())
}

async fn add_fault(State(app): State<App>, Body(order): Body<FaultOrder>) -> (StatusCode, Json<Value>) {
    (StatusCode::CREATED, Json(json!({ "id": app.faults.add(order) })))
}

async fn clear_faults(State(app): State<App>) -> StatusCode {
    app.faults.remove(None);
    StatusCode::NO_CONTENT
}

async fn remove_fault(State(app): State<App>, Path(id): Path<u64>) -> Result<StatusCode, AdminError> {
    if app.faults.remove(Some(id)) { Ok(StatusCode::NO_CONTENT) } else { Err(AdminError::NoFault(id)) }
}

async fn throttle(State(app): State<App>) -> Json<Value> {
    Json(json!(app.throttle.strictness()))
}

/// `{"mode": "off"}`, or `{"mode": "on", "factor": 0.1}`: the documented numbers times the factor.
async fn set_throttle(State(app): State<App>, Body(order): Body<Strictness>) -> Json<Value> {
    app.throttle.set(order);
    Json(json!(app.throttle.strictness()))
}

async fn counters(State(app): State<App>) -> Json<Value> {
    Json(app.counters.json())
}

async fn clear_counters(State(app): State<App>) -> StatusCode {
    app.counters.clear();
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
struct Whose {
    tenant: Option<String>,
}

/// One tenant's truth, or that of all tenants which anybody has looked at, and of the home tenant.
async fn truth(State(app): State<App>, Query(whose): Query<Whose>) -> Json<Value> {
    let now = Ticks::from(app.clock.now());
    let tenants = whose.tenant.map_or_else(|| app.worlds.tenants(), |tenant| vec![tenant]);
    let worlds: Vec<Value> = tenants.iter().map(|tenant| app.worlds.with(tenant, now, |world| world.truth())).collect();
    Json(json!({ "now": now.to_string(), "seed": app.config.seed, "tenants": worlds }))
}

pub(crate) fn with_world<T>(cloud: &Cloud, tenant: Option<String>, act: impl FnOnce(&mut World) -> T) -> T {
    let tenant = tenant.unwrap_or_else(|| cloud.worlds.home().to_owned());
    cloud.worlds.with(&tenant, Ticks::from(cloud.clock.now()), act)
}

const INCIDENT_COUNT_MAX: usize = 20_000;
const BODY_BYTES_MAX: usize = 1_048_576;
