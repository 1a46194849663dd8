//! The hunting of the two older APIs: `POST /api/advancedhunting/run` and `POST /api/advancedqueries/run`.
//!
//! Both are being retired since January 2026. They say so when an administrator wants it, and go when one says so.

use std::time::Duration;

use axum::{
    body::Body,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use http::{
    HeaderName, HeaderValue, StatusCode,
    header::{CONTENT_TYPE, LINK, RETRY_AFTER, WARNING},
};
use serde_json::{Map, Value, json};

use super::{
    answer::Style,
    query::{Failure, Outcome, Terms, run},
    settings::{Older, Settings},
    store::Scope,
};
use crate::{
    caller::{Resource, authorize},
    cloud::{App, Cloud},
    throttle::Limit,
    world::Ticks,
    xdr::answer,
};

/// One of the two.
struct Api {
    name: &'static str,
    resource: Resource,
    role: &'static str,
    limit: Limit,
    terms: Terms,
    /// Its switch among those of both.
    of: fn(&Older) -> bool,
}

static XDR: Api = Api {
    name: "The advanced hunting API of Microsoft Defender XDR",
    resource: Resource::Xdr,
    role: "AdvancedHunting.Read.All",
    limit: Limit { name: "xdr hunting", windows: &[(45, 60)] },
    terms: Terms {
        style: Style::Older,
        scope: Scope::All,
        is_endpoint: false,
        time_max: Duration::from_secs(180),
        // Its page names none; that of Graph's is taken (G).
        answer_bytes_max: 50_000_000,
    },
    of: |older| older.xdr,
};

static ENDPOINT: Api = Api {
    name: "The advanced queries API of Microsoft Defender for Endpoint",
    resource: Resource::Mde,
    role: "AdvancedQuery.Read.All",
    limit: Limit { name: "mde hunting", windows: &[(45, 60), (1_500, 3_600)] },
    terms: Terms {
        style: Style::Older,
        scope: Scope::Devices,
        is_endpoint: true,
        time_max: Duration::from_secs(200),
        answer_bytes_max: 124_000_000,
    },
    of: |older| older.mde,
};

pub(super) async fn hunt_xdr(State(app): State<App>, request: Request) -> Response {
    noted(&XDR, &app, request).await
}

pub(super) async fn hunt_endpoint(State(app): State<App>, request: Request) -> Response {
    noted(&ENDPOINT, &app, request).await
}

/// The refusal for a share of processing that is used up, also for a fault that says so.
pub(super) fn cpu_refusal(cloud: &Cloud, is_endpoint: bool, wait: Ticks) -> Response {
    let seconds = (wait.0.max(1) - 1).div_euclid(Ticks(0).plus_s(1).0) + 1;
    too_many(cloud, is_endpoint, &super::query::cpu_message(wait), seconds)
}

async fn noted(api: &'static Api, app: &App, request: Request) -> Response {
    let settings = app.hunting.settings();
    let mut response = match hunt(api, app, &settings, request).await {
        Ok(response) => response,
        Err(refused) => *refused,
    };
    if (api.of)(&settings.notice) {
        let headers = response.headers_mut();
        let warning = format!("299 - \"{} is being retired. {SUCCESSOR}\"", api.name);
        headers.insert(HeaderName::from_static("deprecation"), HeaderValue::from_static(RETIRED_SINCE));
        headers.insert(LINK, HeaderValue::from_static(SUCCESSOR_LINK));
        if let Ok(warning) = HeaderValue::from_str(&warning) {
            headers.insert(WARNING, warning);
        }
    }
    response
}

async fn hunt(api: &'static Api, app: &App, settings: &Settings, request: Request) -> Result<Response, Box<Response>> {
    let bad = |code: &str, message: &str| Box::new(answer::error(app, StatusCode::BAD_REQUEST, code, message));
    if (api.of)(&settings.retired) {
        // How the service will refuse was not seen; the code and the words are ours (G).
        let message = format!("{} was retired and answers no more. {SUCCESSOR}", api.name);
        return Err(Box::new(answer::error(app, StatusCode::GONE, "Gone", &message)));
    }
    let caller = authorize(app, request.headers(), api.resource, &[api.role])
        .map_err(|denied| Box::new(answer::denied(app, &denied)))?;
    let now = Ticks::from(app.clock.now());
    let is_endpoint = api.terms.is_endpoint;
    // The limit is the tenant's, whichever application calls.
    app.throttle
        .take(&api.limit, &caller.tenant, "", now)
        .map_err(|exceeded| Box::new(too_many(app, is_endpoint, &exceeded.quota_text(), exceeded.wait_s())))?;
    let body = axum::body::to_bytes(request.into_body(), BODY_BYTES_MAX).await;
    let body = body.map_err(|_| bad("InvalidRequestBody", "Request body is incorrect"))?;
    let fields: Map<String, Value> =
        serde_json::from_slice(&body).map_err(|_| bad("InvalidRequestBody", "Request body is incorrect"))?;
    if let Some(name) = fields.keys().find(|name| *name != "Query") {
        return Err(bad("InvalidRequestBody", &format!("Request body is incorrect: '{name}' is not expected")));
    }
    let text = match fields.get("Query") {
        Some(Value::String(text)) if !text.trim().is_empty() => text.clone(),
        None | Some(Value::Null | Value::String(_)) => {
            return Err(bad("MissingRequiredParameter", "Required parameter 'Query' is missing"));
        }
        Some(_) => return Err(bad("InvalidRequestBody", "Request body is incorrect: 'Query' is no string")),
    };
    match run(app, &caller.tenant, text, None, &api.terms).await {
        Ok(outcome) => Ok(answered(api, &outcome)),
        Err(Failure::Cpu(wait)) => Err(Box::new(cpu_refusal(app, is_endpoint, wait))),
        Err(failure @ Failure::Unexpected) => {
            let message = failure.message(is_endpoint);
            Err(Box::new(answer::error(app, StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError", &message)))
        }
        Err(failure) => Err(bad("BadRequest", &failure.message(is_endpoint))),
    }
}

/// The sample of Defender for Endpoint has no `Stats`.
fn answered(api: &Api, outcome: &Outcome) -> Response {
    let mut json = b"{".to_vec();
    if !api.terms.is_endpoint {
        json.extend_from_slice(format!("\"Stats\":{},", stats(outcome)).as_bytes());
    }
    json.extend_from_slice(&outcome.json);
    json.push(b'}');
    ([(CONTENT_TYPE, "application/json; charset=utf-8")], Body::from(json)).into_response()
}

fn stats(outcome: &Outcome) -> Value {
    let took = outcome.took;
    let cpu = format!("00:{:02}:{:02}.{:07}", took.as_secs() / 60 % 60, took.as_secs() % 60, took.subsec_nanos() / 100);
    json!({
        "ExecutionTime": took.as_secs_f64(),
        "resource_usage": {
            "cache": {
                "memory": { "hits": 0, "misses": 0, "total": 0 },
                "disk": { "hits": 0, "misses": 0, "total": 0 },
            },
            "cpu": { "user": cpu, "kernel": "00:00:00", "total cpu": cpu },
            "memory": { "peak_per_node": outcome.json.len() },
        },
        "dataset_statistics": [{ "table_row_count": outcome.rows, "table_size": outcome.json.len() }],
    })
}

/// Both name the limit in the body; Defender for Endpoint's table of errors has a code for it, and a header.
fn too_many(cloud: &Cloud, is_endpoint: bool, message: &str, wait_s: i64) -> Response {
    let code = if is_endpoint { "TooManyRequests" } else { "429" };
    let mut response = answer::error(cloud, StatusCode::TOO_MANY_REQUESTS, code, message);
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(wait_s));
    response
}

/// 2026-01-01, as RFC 9745 writes it. No end date was announced, so that there is no `Sunset`.
const RETIRED_SINCE: &str = "@1767225600";
const SUCCESSOR: &str = "Use Microsoft Graph instead: POST /v1.0/security/runHuntingQuery.";
const SUCCESSOR_LINK: &str = "<https://graph.microsoft.com/v1.0/security/runHuntingQuery>; rel=\"successor-version\"";
const BODY_BYTES_MAX: usize = 1_048_576;
