//! The error body of the Defender APIs: code, message, and a tracking id as target.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{
    HeaderValue, StatusCode,
    header::{RETRY_AFTER, WWW_AUTHENTICATE},
};
use serde_json::json;

use crate::{caller::Denied, cloud::Cloud, throttle::Exceeded, world::Ticks};

pub(crate) fn error(cloud: &Cloud, status: StatusCode, code: &str, message: &str) -> Response {
    let target = cloud.directory().guid();
    (status, Json(json!({ "error": { "code": code, "message": message, "target": target } }))).into_response()
}

pub(crate) fn denied(cloud: &Cloud, denied: &Denied) -> Response {
    // The codes are documented; only the wording of a missing role was seen, the other messages are ours (G).
    let message = match denied {
        Denied::MissingRole { required, held } => {
            let (required, held) = (required.join(","), held.join(","));
            let message =
                format!("Missing application roles. API required roles: {required}, application roles: {held}.");
            return error(cloud, StatusCode::FORBIDDEN, "Forbidden", &message);
        }
        Denied::Missing => "The request carries no access token.",
        Denied::Invalid => "The access token is not valid.",
        Denied::Expired => "The access token has expired.",
        Denied::WrongAudience { .. } => "The access token was issued for another resource.",
    };
    let mut response = error(cloud, StatusCode::UNAUTHORIZED, "Unauthorized", message);
    response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer error=\"invalid_token\""));
    response
}

/// A read's limit: header and body.
pub(super) fn too_many_reads(cloud: &Cloud, exceeded: &Exceeded) -> Response {
    let mut response = error(cloud, StatusCode::TOO_MANY_REQUESTS, "429", &exceeded.quota_text());
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(exceeded.wait_s()));
    response
}

/// The update's limit: the page says that the body names the time when calls are allowed again; its words are ours (G).
pub(super) fn too_many_updates(cloud: &Cloud, exceeded: &Exceeded, now: Ticks) -> Response {
    let again = now.plus_s(exceeded.wait_s());
    let message = format!("{}. You can call again in {} seconds, at {again}", exceeded.quota_text(), exceeded.wait_s());
    error(cloud, StatusCode::TOO_MANY_REQUESTS, "429", &message)
}
