//! Graph's hunting: `POST /security/runHuntingQuery`.

use std::time::Duration;

use axum::{
    body::Body,
    extract::{Request, State},
    response::Response,
};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{CONTENT_TYPE, RETRY_AFTER},
};
use serde_json::{Map, Value};

use super::{
    answer::Style,
    query::{Failure, Terms, run},
    store::Scope,
    timespan,
};
use crate::{
    caller::{Resource, authorize},
    cloud::App,
    dispatch::Origin,
    graph_answer::Exchange,
    graph_security::refusal,
    throttle::Limit,
    world::Ticks,
};

static TERMS: Terms = Terms {
    style: Style::Graph,
    scope: Scope::All,
    is_endpoint: false,
    time_max: Duration::from_secs(180),
    // Older notes say 50 MB (G).
    answer_bytes_max: 50_000_000,
};
const LIMIT: Limit = Limit { name: "graph hunting", windows: &[(45, 60)] };

/// A refusal that ends the call.
type Refused = Box<Response>;

/// Runs the query of the body.
pub(super) async fn hunt(State(app): State<App>, request: Request) -> Response {
    answered(&app, request).await.unwrap_or_else(|refused| *refused)
}

async fn answered(app: &App, request: Request) -> Result<Response, Refused> {
    let (parts, body) = request.into_parts();
    let exchange = Exchange::new(app, &parts.headers);
    let caller = authorize(app, &parts.headers, Resource::Graph, &["ThreatHunting.Read.All"])
        .map_err(|denied| Box::new(refusal(&exchange, &denied)))?;
    let now = Ticks::from(app.clock.now());
    // The limit is the tenant's, whichever application calls.
    app.throttle
        .take(&LIMIT, &caller.tenant, "", now)
        .map_err(|exceeded| too_many(&exchange, &exceeded.quota_text(), &exceeded.wait_fraction()))?;
    let body = axum::body::to_bytes(body, BODY_BYTES_MAX).await.map_err(|_| {
        Box::new(exchange.error(StatusCode::PAYLOAD_TOO_LARGE, "BadRequest", "The request is too large."))
    })?;
    let asked = asked(&exchange, &parts.headers, &body, now)?;
    let outcome = run(app, &caller.tenant, asked.query, asked.window, &TERMS).await;
    let outcome = outcome.map_err(|failure| failed(&exchange, &failure))?;
    let origin = parts.extensions.get::<Origin>().map_or("http://localhost", Origin::base);
    let version = parts.uri.path().split('/').nth(1).unwrap_or("v1.0");
    let context = format!("{origin}/{version}/$metadata#microsoft.graph.security.huntingQueryResults");
    let mut json = format!("{{\"@odata.context\":{},", Value::from(context)).into_bytes();
    json.extend_from_slice(&outcome.json);
    json.push(b'}');
    let mut response = exchange.json(StatusCode::OK, Value::Null);
    *response.body_mut() = Body::from(json);
    response.headers_mut().remove(http::header::CONTENT_LENGTH);
    Ok(response)
}

/// The refusal for a share of processing that is used up, also for a fault that says so.
pub(super) fn cpu_refusal(exchange: &Exchange, wait: Ticks) -> Response {
    let seconds = (wait.0.max(1) - 1).div_euclid(Ticks(0).plus_s(1).0) + 1;
    *too_many(exchange, &super::query::cpu_message(wait), &seconds.to_string())
}

/// What the body asks for.
struct Asked {
    query: String,
    window: Option<(Ticks, Ticks)>,
}

/// Graph finds parameters in any letter case: its SDKs send `query` and `timespan`, the page shows `Query`.
fn asked(exchange: &Exchange, headers: &HeaderMap, body: &Bytes, now: Ticks) -> Result<Asked, Refused> {
    let bad = |message: &str| Box::new(exchange.error(StatusCode::BAD_REQUEST, "BadRequest", message));
    let text = decoded(headers, body).ok_or_else(|| bad(NO_JSON))?;
    let fields: Map<String, Value> = serde_json::from_str(&text).map_err(|_| bad(NO_JSON))?;
    let mut asked = Asked { query: String::new(), window: None };
    for (name, value) in &fields {
        match (name.to_ascii_lowercase().as_str(), value) {
            ("query", Value::String(text)) => asked.query.clone_from(text),
            ("timespan", Value::Null) => {}
            ("timespan", Value::String(text)) => {
                let window = timespan::window(text, now);
                let refused =
                    || bad(&format!("The value '{text}' of the parameter 'Timespan' is not a valid timespan."));
                asked.window = Some(window.ok_or_else(refused)?);
            }
            ("query" | "timespan", _) => return Err(bad(&format!("The parameter '{name}' must be a string."))),
            _ if name.contains('@') => {}
            _ => {
                let message = format!(
                    "The parameter '{name}' in the request payload is not a valid parameter for the operation 'runHuntingQuery'."
                );
                return Err(bad(&message));
            }
        }
    }
    if asked.query.trim().is_empty() {
        return Err(bad("The parameter 'Query' is required and must not be empty."));
    }
    Ok(asked)
}

/// The text of a body. Without `charset=utf-8` every byte is a character of its own, so that only ANSI text arrives as
/// it was sent: the page says that other queries need the charset.
fn decoded(headers: &HeaderMap, body: &Bytes) -> Option<String> {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let content_type = content_type.to_ascii_lowercase().replace([' ', '"'], "");
    if content_type.contains("charset=utf-8") || body.is_ascii() {
        String::from_utf8(body.to_vec()).ok()
    } else {
        Some(body.iter().map(|byte| char::from(*byte)).collect())
    }
}

fn failed(exchange: &Exchange, failure: &Failure) -> Refused {
    Box::new(match failure {
        Failure::Cpu(wait) => cpu_refusal(exchange, *wait),
        Failure::Unexpected => {
            exchange.error(StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError", &failure.message(false))
        }
        _ => exchange.error(StatusCode::BAD_REQUEST, "BadRequest", &failure.message(false)),
    })
}

fn too_many(exchange: &Exchange, message: &str, wait: &str) -> Refused {
    let mut response = exchange.error(StatusCode::TOO_MANY_REQUESTS, "TooManyRequests", message);
    if let Ok(wait) = HeaderValue::from_str(wait) {
        response.headers_mut().insert(RETRY_AFTER, wait);
    }
    Box::new(response)
}

const NO_JSON: &str = "Unable to read JSON request payload. Please ensure Content-Type header is set and payload is of valid JSON format.";
const BODY_BYTES_MAX: usize = 1_048_576;
