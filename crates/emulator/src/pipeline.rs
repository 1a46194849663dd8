//! What every call passes: counting, faults, and the tokens that a fault has made old.

use std::{
    collections::hash_map::DefaultHasher,
    hash::{Hash, Hasher},
    time::Duration,
};

use axum::{
    Json,
    body::Body,
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use futures_util::stream;
use http::{
    HeaderMap, HeaderValue, Method, StatusCode,
    header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, DATE, RETRY_AFTER},
};
use serde_json::{Value, json};

use crate::{
    caller::Denied,
    cloud::{App, Cloud},
    counters::Call,
    dispatch::Origin,
    faults::{Chosen, FaultKind, LateListing, Target, alter, between_pages},
    graph_answer::Exchange,
    hunting, mdca, mde,
    server::DropConnection,
    vault,
    world::Ticks,
    xdr,
};

/// Stands in front of all services.
pub(crate) async fn pipeline(State(app): State<App>, request: Request, next: Next) -> Response {
    let (request, seen) = Seen::of(request).await;
    let mut response = answer(&app, &seen, request, next).await;
    date(&app, &mut response);
    let is_dropped = response.extensions().get::<DropConnection>().is_some();
    app.counters.called(Call {
        service: seen.service,
        method: seen.method.to_string(),
        route: seen.route,
        status: if is_dropped { 0 } else { response.status().as_u16() },
        app_id: seen.app_id,
    });
    response
}

/// What is remembered of a call while it is answered.
struct Seen {
    service: &'static str,
    method: Method,
    path: String,
    query: String,
    route: String,
    headers: HeaderMap,
    origin: Origin,
    app_id: String,
    /// As the token claims it.
    tenant: String,
    /// Hash of the Authorization header.
    token: Option<u64>,
}

impl Seen {
    async fn of(request: Request) -> (Request, Self) {
        let headers = request.headers().clone();
        let path = request.uri().path().to_owned();
        let matched = request.extensions().get::<MatchedPath>().map(|route| route.as_str().to_owned());
        let service = service_of(&path);
        let origin = request.extensions().get::<Origin>().cloned().unwrap_or_default();
        let method = request.method().clone();
        let query = request.uri().query().unwrap_or_default().to_owned();
        let (request, app_id) = client_of(request, service).await;
        let tenant = tenant_of(&headers);
        let token = headers.get(AUTHORIZATION).map(|value| {
            let mut hasher = DefaultHasher::new();
            value.as_bytes().hash(&mut hasher);
            hasher.finish()
        });
        let route = matched.unwrap_or_else(|| "(none)".to_owned());
        (request, Self { service, method, path, query, route, headers, origin, app_id, tenant, token })
    }
}

/// Answers carry the time of the simulated cloud, by which clients find out that their own clock is off.
fn date(app: &App, response: &mut Response) {
    let now = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&app.clock.now());
    if let Some(now) = now.ok().and_then(|now| HeaderValue::try_from(now).ok()) {
        response.headers_mut().insert(DATE, now);
    }
}

async fn answer(app: &App, seen: &Seen, request: Request, next: Next) -> Response {
    let is_resource = matches!(seen.service, "graph" | "xdr" | "mde" | "mdca" | "keyvault");
    if is_resource && seen.token.is_some_and(|token| app.faults.is_expired(token)) {
        return token_expired(app, seen);
    }
    let target = Target {
        service: seen.service,
        method: &seen.method,
        path: &seen.path,
        query: &seen.query,
        app_id: &seen.app_id,
        has_token: is_resource && seen.token.is_some(),
    };
    let Some(chosen) = app.faults.choose(&target) else { return next.run(request).await };
    match instead(app, seen, &chosen).await {
        Some(response) => response,
        None => {
            let request = announced(request, &chosen);
            changed(app, seen, &chosen, next.run(request).await).await
        }
    }
}

/// The request, with what the service itself has to know of a fault.
fn announced(mut request: Request, chosen: &Chosen) -> Request {
    let is_late = chosen.order.kind == FaultKind::LateActionListing;
    // A lost answer and a late listing may come together: the worst case for who looks whether the order is there.
    if is_late || chosen.order.seconds.is_some() {
        let seconds = chosen.order.seconds.unwrap_or(LATE_S);
        request.extensions_mut().insert(LateListing { seconds, fault: is_late.then_some(chosen.id) });
    }
    request
}

/// The answer of a fault that keeps the call from its service.
async fn instead(app: &App, seen: &Seen, chosen: &Chosen) -> Option<Response> {
    let order = &chosen.order;
    let status = |default: StatusCode| order.status.and_then(|code| StatusCode::from_u16(code).ok()).unwrap_or(default);
    Some(match order.kind {
        FaultKind::TooManyRequests => {
            with_retry_after(chosen, failure(app, seen, StatusCode::TOO_MANY_REQUESTS, "Please retry again later."))
        }
        FaultKind::ServerError => {
            let status = status(StatusCode::INTERNAL_SERVER_ERROR);
            let response = failure(app, seen, status, "An error occurred on the server.");
            if status == StatusCode::SERVICE_UNAVAILABLE { with_retry_after(chosen, response) } else { response }
        }
        FaultKind::ExpandFails => failure(app, seen, status(StatusCode::INTERNAL_SERVER_ERROR), ""),
        FaultKind::ActiveRequestAlreadyExists => {
            xdr::answer::error(app, StatusCode::BAD_REQUEST, "ActiveRequestAlreadyExists", mde::ALREADY)
        }
        FaultKind::HuntingTimeout | FaultKind::ResultTooLarge | FaultKind::CpuQuota => {
            let wait_s = order.seconds.unwrap_or(CPU_WAIT_S);
            hunting::fault(app, seen.service, &seen.headers, order.kind, wait_s)
        }
        FaultKind::GatewayTimeout => failure(app, seen, StatusCode::GATEWAY_TIMEOUT, ""),
        FaultKind::Slow => {
            tokio::time::sleep(Duration::from_millis(order.delay_ms.unwrap_or(1_000).min(DELAY_MS_MAX))).await;
            return None;
        }
        FaultKind::Reset => dropped(),
        FaultKind::Html => {
            let page = "<!DOCTYPE html><html><head><title>Gateway</title></head><body><h1>Sign in to the network</h1></body></html>";
            (status(StatusCode::OK), [(CONTENT_TYPE, "text/html; charset=utf-8")], page).into_response()
        }
        FaultKind::TokenExpired => {
            let token = seen.token?;
            app.faults.expire(token);
            token_expired(app, seen)
        }
        FaultKind::Oversized => {
            let chunk = Bytes::from_static(&[b' '; 65_536]);
            let start = Ok::<_, std::io::Error>(Bytes::from_static(b"{\"value\":["));
            let endless = stream::unfold(Some(start), move |first| {
                let next = first.unwrap_or_else(|| Ok(chunk.clone()));
                async move { Some((next, None)) }
            });
            ([(CONTENT_TYPE, "application/json")], Body::from_stream(endless)).into_response()
        }
        FaultKind::BadGzip => {
            let body = [0x1f, 0x8b, 0x08, 0x00, 0xde, 0xad, 0xbe, 0xef, 0x13, 0x37];
            ([(CONTENT_TYPE, "application/json"), (CONTENT_ENCODING, "gzip")], body.to_vec()).into_response()
        }
        _ => return None,
    })
}

/// A good answer, made bad on its way out.
async fn changed(app: &App, seen: &Seen, chosen: &Chosen, response: Response) -> Response {
    let kind = chosen.order.kind;
    if !kind.changes_answers() || kind == FaultKind::LateActionListing || !response.status().is_success() {
        return response;
    }
    if matches!(kind, FaultKind::FailsAfterEffect | FaultKind::ResetAfterEffect) {
        app.faults.hit(chosen.id);
        tokio::time::sleep(Duration::from_millis(chosen.order.delay_ms.unwrap_or(0).min(DELAY_MS_MAX))).await;
        if kind == FaultKind::ResetAfterEffect {
            return dropped();
        }
        let status = chosen.order.status.and_then(|code| StatusCode::from_u16(code).ok());
        let status = status.unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
        return with_retry_after(chosen, failure(app, seen, status, "The service is unavailable."));
    }
    let (mut parts, body) = response.into_parts();
    // Our own answers: bounded by their pages.
    let Ok(body) = axum::body::to_bytes(body, usize::MAX).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    if kind.is_between_pages() {
        let tenant = seen.tenant.as_str();
        let now = Ticks::from(app.clock.now());
        if app.worlds.with(tenant, now, |world| between_pages(kind, &body, world)) {
            app.faults.hit(chosen.id);
        }
        return Response::from_parts(parts, Body::from(body));
    }
    if kind == FaultKind::CutBody && body.len() > 1 {
        app.faults.hit(chosen.id);
        parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
        let half = body.slice(..body.len() / 2);
        return Response::from_parts(parts, Body::from_stream(stream::unfold(Some(half), cut_after)));
    }
    let Some(altered) = alter(&app.faults, chosen, &body) else { return Response::from_parts(parts, Body::from(body)) };
    app.faults.hit(chosen.id);
    parts.headers.remove(CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(altered))
}

/// No answer at all.
fn dropped() -> Response {
    let mut response = StatusCode::BAD_GATEWAY.into_response();
    response.extensions_mut().insert(DropConnection);
    response
}

/// Gives the first part, waits until it is on its way, and fails.
async fn cut_after(part: Option<Bytes>) -> Option<(std::io::Result<Bytes>, Option<Bytes>)> {
    if let Some(part) = part {
        return Some((Ok(part), None));
    }
    tokio::task::yield_now().await;
    Some((Err(std::io::Error::new(std::io::ErrorKind::ConnectionReset, "the body was cut on purpose")), None))
}

/// A failure in the words of the service that was asked.
fn failure(cloud: &Cloud, seen: &Seen, status: StatusCode, message: &str) -> Response {
    let code = match (status, seen.service) {
        (StatusCode::TOO_MANY_REQUESTS, "graph" | "mde") => "TooManyRequests",
        (StatusCode::TOO_MANY_REQUESTS, _) => "429",
        (_, "graph") if message.is_empty() => "UnknownError",
        (StatusCode::SERVICE_UNAVAILABLE, _) => "serviceNotAvailable",
        (_, "graph") => "generalException",
        _ => "InternalServerError",
    };
    match seen.service {
        "graph" => Exchange::new(cloud, &seen.headers).error(status, code, message),
        "xdr" | "mde" => xdr::answer::error(cloud, status, code, message),
        "mdca" => mdca::error(status, message),
        "keyvault" if status == StatusCode::TOO_MANY_REQUESTS => vault::too_many(),
        "keyvault" => vault::error(status, code, message, None),
        _ => {
            let text = if message.is_empty() { "temporarily unavailable" } else { message };
            let body = json!({ "error": "temporarily_unavailable", "error_description": text });
            (status, Json(body)).into_response()
        }
    }
}

fn token_expired(cloud: &Cloud, seen: &Seen) -> Response {
    match seen.service {
        "graph" => Exchange::new(cloud, &seen.headers).denied(&Denied::Expired),
        "mdca" => mdca::denied(&Denied::Expired),
        "keyvault" => vault::token_expired(cloud, &seen.origin, &seen.path),
        _ => xdr::answer::denied(cloud, &Denied::Expired),
    }
}

fn with_retry_after(chosen: &Chosen, mut response: Response) -> Response {
    let header = chosen.order.retry_after.as_ref().and_then(|value| HeaderValue::from_str(&value.text()).ok());
    if let Some(header) = header {
        response.headers_mut().insert(RETRY_AFTER, header);
    }
    response
}

fn service_of(path: &str) -> &'static str {
    let mut segments = path.split('/').skip(1);
    match segments.next().unwrap_or_default() {
        "v1.0" | "beta" => "graph",
        "api" => match segments.next() {
            Some("incidents" | "advancedhunting") => "xdr",
            Some("v1") => "mdca",
            _ => "mde",
        },
        "vaults" => "keyvault",
        "metadata" => "imds",
        _ => "entra",
    }
}

/// The application that a call claims to come from: for counting only, nothing is checked.
async fn client_of(request: Request, service: &str) -> (Request, String) {
    let bearer = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    if let Some(claims) = bearer.and_then(|value| value.split_once(' ')).and_then(|(_, token)| claims(token)) {
        let name = claims.get("appid").or_else(|| claims.get("azp")).and_then(Value::as_str).unwrap_or_default();
        let name = name.to_owned();
        return (request, name);
    }
    let is_form = request.headers().get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(FORM));
    if service != "entra" || !is_form {
        return (request, String::new());
    }
    let (parts, body) = request.into_parts();
    let Ok(bytes) = axum::body::to_bytes(body, FORM_BYTES_MAX).await else {
        return (Request::from_parts(parts, Body::empty()), String::new());
    };
    let mut fields = url::form_urlencoded::parse(&bytes);
    let client = fields.find(|(name, _)| name == "client_id").map(|(_, id)| id.into_owned()).unwrap_or_default();
    (Request::from_parts(parts, Body::from(bytes)), client)
}

/// The tenant that a token claims to be of: for faults, which only follow calls that were answered well.
fn tenant_of(headers: &HeaderMap) -> String {
    let bearer = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let claims = bearer.and_then(|value| value.split_once(' ')).and_then(|(_, token)| claims(token));
    claims.and_then(|claims| claims.get("tid")?.as_str().map(str::to_owned)).unwrap_or_default()
}

fn claims(token: &str) -> Option<Value> {
    let payload = URL_SAFE_NO_PAD.decode(token.trim().split('.').nth(1)?).ok()?;
    serde_json::from_slice(&payload).ok()
}

const FORM: &[u8] = b"application/x-www-form-urlencoded";
const FORM_BYTES_MAX: usize = 1_048_576;
/// Until a late action is listed, where the order does not say.
const LATE_S: i64 = 30;
/// Until queries run again, where the order does not say.
const CPU_WAIT_S: i64 = 900;
const DELAY_MS_MAX: u64 = 600_000;
