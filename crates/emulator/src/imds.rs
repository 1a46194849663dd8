//! The instance metadata service: tokens for the managed identities of the machine.
//!
//! Errors are its own: `{error, error_description}`, and retriable while the service updates itself (facts section 2.7).

use axum::{
    Extension, Json, Router,
    extract::{RawQuery, State},
    response::{IntoResponse, Response},
    routing::get,
};
use http::{HeaderMap, StatusCode};
use serde_json::json;

use crate::{
    cloud::{App, Cloud},
    directory::{Directory, ManagedIdentity},
    dispatch::Origin,
    entra::{AppToken, ClientProof},
};

pub(crate) fn router() -> Router<App> {
    Router::new().route("/metadata/identity/oauth2/token", get(token))
}

async fn token(
    State(cloud): State<App>,
    RawQuery(query): RawQuery,
    origin: Extension<Origin>,
    headers: HeaderMap,
) -> Response {
    let query = query.unwrap_or_default();
    match issue(&cloud, &query, &origin, &headers) {
        Ok(response) => response,
        Err(Failure { status, error, description }) => {
            (status, Json(json!({ "error": error, "error_description": description }))).into_response()
        }
    }
}

struct Failure {
    status: StatusCode,
    error: &'static str,
    description: String,
}

fn failure(status: u16, error: &'static str, description: impl Into<String>) -> Failure {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    Failure { status, error, description: description.into() }
}

fn issue(cloud: &Cloud, query: &str, origin: &Origin, headers: &HeaderMap) -> Result<Response, Failure> {
    let has_header = headers.get("metadata").is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"true"));
    // A forwarded request is one that somebody else made the machine send.
    if !has_header || headers.contains_key("x-forwarded-for") {
        return Err(failure(400, "bad_request_102", "Required metadata header not specified"));
    }
    if let Some(ordered) = ordered_failure(&mut cloud.directory()) {
        return Err(ordered);
    }
    let parameter = |name: &str| {
        let found = url::form_urlencoded::parse(query.as_bytes()).find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.trim().to_owned()).filter(|value| !value.is_empty())
    };
    parameter("api-version").ok_or_else(|| failure(400, "invalid_request", "The api-version parameter is required"))?;
    let audience = parameter("resource")
        .ok_or_else(|| failure(400, "invalid_request", "Required audience parameter not specified"))?;
    let directory = cloud.directory();
    let identity = identity(&directory, &parameter)?;
    let tenant = directory.tenants[0].id.clone();
    let resource = directory.resource(&tenant, &audience).ok_or_else(|| {
        let text = format!(
            "AADSTS500011: The resource principal named {audience} was not found in the tenant named {}.",
            directory.tenant(&tenant).display_name
        );
        failure(400, "invalid_resource", text)
    })?;
    let name = directory.client_name(&tenant, &identity.client_id);
    drop(directory);
    let issued = AppToken {
        tenant: &tenant,
        client_app_id: &identity.client_id,
        client_object_id: &identity.object_id,
        client_name: &name,
        proof: ClientProof::Certificate,
        resource: &resource,
        audience: &audience,
        issuer_base: origin.base(),
    }
    .issue(cloud);
    Ok(Json(json!({
        "access_token": issued.token,
        "client_id": identity.client_id,
        "expires_in": issued.lifetime_s.to_string(),
        "expires_on": issued.expires.as_second().to_string(),
        "ext_expires_in": issued.lifetime_s.to_string(),
        "not_before": issued.not_before.as_second().to_string(),
        "resource": audience,
        "token_type": "Bearer",
    }))
    .into_response())
}

/// The one that the query names; without a name the system-assigned one, or the only one.
fn identity(directory: &Directory, parameter: &impl Fn(&str) -> Option<String>) -> Result<ManagedIdentity, Failure> {
    let all = &directory.managed_identities;
    let by = |name: &str, part: fn(&ManagedIdentity) -> Option<&str>| {
        let wanted = parameter(name)?;
        let found = all.iter().find(|own| part(own).is_some_and(|text| text.eq_ignore_ascii_case(&wanted)));
        Some(found.ok_or_else(|| failure(400, "invalid_request", "Identity not found")))
    };
    let named = by("client_id", |own| Some(&own.client_id))
        .or_else(|| by("object_id", |own| Some(&own.object_id)))
        .or_else(|| by("msi_res_id", |own| own.resource_id.as_deref()))
        .or_else(|| by("mi_res_id", |own| own.resource_id.as_deref()));
    if let Some(named) = named {
        return named.cloned();
    }
    match all.iter().find(|own| own.resource_id.is_none()).or(if all.len() == 1 { all.first() } else { None }) {
        Some(default) => Ok(default.clone()),
        None if all.is_empty() => Err(failure(400, "invalid_request", "Identity not found")),
        None => Err(failure(
            400,
            "invalid_request",
            "Multiple user assigned identities exist, please specify the clientId / resourceId of the identity in the token request",
        )),
    }
}

fn ordered_failure(directory: &mut Directory) -> Option<Failure> {
    let faults = &mut directory.identity_faults;
    if faults.times == 0 {
        return None;
    }
    faults.times -= 1;
    Some(match faults.status {
        404 => failure(404, "not_found", "The identity endpoint is being updated"),
        410 => failure(410, "gone", "The service is being updated and will be available again within 70 seconds"),
        429 => failure(429, "too_many_requests", "The limit of concurrent calls has been reached"),
        401 => failure(401, "unknown_source", "Unknown Source"),
        status => failure(status, "unknown", "Failed to retrieve token from the Active directory"),
    })
}
