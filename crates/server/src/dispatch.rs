//! From the table of routes to a router: every request goes the same way, and what is not in the table goes nowhere.

use std::{collections::HashMap, net::Ipv4Addr, sync::Arc, time::Duration};

use axum::{
    RequestExt as _, Router,
    body::Body,
    extract::{Path, RawQuery},
    response::{IntoResponse as _, Response},
    routing::{MethodRouter, on},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use sortie_engine::text::did_you_mean;
use sortie_store::Actor;
use tokio::sync::OwnedSemaphorePermit;

use crate::{
    App, Problem,
    app::Shared,
    caller::{Arrival, caller},
    reach::{Granted, Subject, grant},
    request::Request,
    routes::{Access, ROUTES, Route},
};

/// The API as a router.
pub fn router(app: App) -> Router {
    routed(&Shared::of(app))
}

pub(crate) fn routed(shared: &Arc<Shared>) -> Router {
    let mut by_path: HashMap<&str, MethodRouter> = HashMap::new();
    for route in ROUTES {
        let shared = Arc::clone(shared);
        let filter = route.method.filter();
        let handler = move |request: http::Request<Body>| async move { dispatched(&shared, route, request).await };
        let known = by_path.remove(route.path).unwrap_or_default();
        by_path.insert(route.path, known.merge(on(filter, handler)));
    }
    let mut router = Router::new();
    for (path, methods) in by_path {
        router = router.route(path, methods.fallback(|| async { shaped(not_allowed().into_response()) }));
    }
    router.fallback(|| async { shaped(no_route().into_response()) })
}

async fn dispatched(shared: &Arc<Shared>, route: &'static Route, request: http::Request<Body>) -> Response {
    let answer = match route.is_long() {
        true => served(shared, route, request).await,
        false => match tokio::time::timeout(shared.app.options.bounds.request, served(shared, route, request)).await {
            Ok(answer) => answer,
            Err(_) => Err(Problem::busy("the request took too long and was given up")),
        },
    };
    shaped(answer.unwrap_or_else(|problem| {
        if problem.status.is_server_error() {
            tracing::warn!(route = route.path, status = problem.status.as_u16(), "{}", problem.detail);
        }
        problem.into_response()
    }))
}

async fn served(
    shared: &Arc<Shared>,
    route: &'static Route,
    mut request: http::Request<Body>,
) -> Result<Response, Problem> {
    let path = request.extract_parts::<Path<HashMap<String, String>>>().await;
    let Path(path) = path.map_err(|_| no_route())?;
    let RawQuery(query) = request.extract_parts().await.unwrap_or(RawQuery(None));
    let raw_query = query.unwrap_or_default();
    let query = queried(route, &raw_query)?;
    let (parts, body) = request.into_parts();
    let arrival = arrival(&parts);
    let granted = granted(shared, route, &arrival, &parts.headers, &path, &query).await?;
    let (body, _permit) = taken(shared, route, &parts.headers, body).await?;
    let shared = Arc::clone(shared);
    (route.handler)(Request { shared, granted, arrival, path, query, raw_query, headers: parts.headers, body }).await
}

/// Without a mark of ours a request came from anywhere.
fn arrival(parts: &Parts) -> Arrival {
    let found = parts.extensions.get::<Arrival>().cloned();
    found.unwrap_or(Arrival::Remote(Ipv4Addr::UNSPECIFIED.into()))
}

async fn granted(
    shared: &Shared,
    route: &Route,
    arrival: &Arrival,
    headers: &HeaderMap,
    path: &HashMap<String, String>,
    query: &HashMap<String, String>,
) -> Result<Granted, Problem> {
    let nobody = |actor| Granted { actor, scopes: Vec::new(), subject: Subject::None, tenants: Vec::new() };
    match route.access {
        // Nothing is granted to it: what proves a webhook is in the request, and its handler looks at that.
        Access::Open | Access::Proof => Ok(nobody(Actor { grants: Vec::new(), ..Actor::system() })),
        Access::Anybody => caller(shared, arrival, headers).await.map(nobody),
        Access::May(permission) => {
            let actor = caller(shared, arrival, headers).await?;
            let tenant = query.get("tenant").map(String::as_str);
            grant(&shared.app.store, route.reach, permission, actor, path, tenant).await
        }
    }
}

/// The query as names and values. A name that the route does not take is refused: a misspelled `tenant` must not mean all.
fn queried(route: &Route, text: &str) -> Result<HashMap<String, String>, Problem> {
    let mut query = HashMap::new();
    for (name, value) in url::form_urlencoded::parse(text.as_bytes()) {
        if !route.takes_any_query() && !route.query.contains(&&*name) {
            let next = did_you_mean(&name, route.query.iter().copied());
            return Err(Problem::request(format!("this route takes no `{name}` in its query"), next));
        }
        if query.insert(name.clone().into_owned(), value.into_owned()).is_some() && !route.takes_any_query() {
            return Err(Problem::request(format!("`{name}` stands twice in the query"), "Give it once."));
        }
    }
    Ok(query)
}

/// The body, with what holds its place among all that are in memory.
async fn taken(
    shared: &Shared,
    route: &Route,
    headers: &HeaderMap,
    body: Body,
) -> Result<(Bytes, Option<OwnedSemaphorePermit>), Problem> {
    let declared = headers.get(header::CONTENT_LENGTH).and_then(|text| text.to_str().ok()?.parse::<usize>().ok());
    let max = route.body_bytes_max;
    if declared.is_some_and(|length| length > max) {
        return Err(too_large(max));
    }
    if declared == Some(0) || (declared.is_none() && hyper::body::Body::is_end_stream(&body)) {
        return Ok((Bytes::new(), None));
    }
    let kilobytes = u32::try_from(declared.unwrap_or(max).div_ceil(1024).max(1)).unwrap_or(u32::MAX);
    let room = Arc::clone(&shared.bodies).acquire_many_owned(kilobytes);
    let room = tokio::time::timeout(ROOM_WAIT, room).await.ok().and_then(Result::ok);
    let permit = room.ok_or_else(|| Problem::busy("too many requests are being read"))?;
    let read = tokio::time::timeout(shared.app.options.bounds.body, Limited::new(body, max).collect()).await;
    match read {
        Ok(Ok(body)) => Ok((body.to_bytes(), Some(permit))),
        Ok(Err(error)) if error.downcast_ref::<LengthLimitError>().is_some() => Err(too_large(max)),
        Ok(Err(_)) => Err(Problem::request("the body broke off", "Send it again.")),
        Err(_) => {
            let detail = "the body did not come in time";
            Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "slow", detail, "Send it again, faster."))
        }
    }
}

fn too_large(max: usize) -> Problem {
    let detail = format!("the body is larger than {} KB", max / 1024);
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", detail, "Make it smaller.")
}

fn no_route() -> Problem {
    let next = "`/api/v1/openapi.json` says what there is.";
    Problem::new(StatusCode::NOT_FOUND, "not-found", "there is no such address", next)
}

fn not_allowed() -> Problem {
    let detail = "this address does not take that method";
    let next = "`/api/v1/openapi.json` says what there is.";
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method", detail, next)
}

/// What every answer carries.
fn shaped(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// For a body's place among those that are in memory.
const ROOM_WAIT: Duration = Duration::from_secs(10);
