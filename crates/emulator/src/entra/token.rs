//! The token endpoints, v1 and v2: what the request asks for decides which flow answers.

use axum::{
    Extension,
    extract::{Path, State},
    response::Response,
};
use bytes::Bytes;
use http::{HeaderMap, header::CONTENT_TYPE};

use super::{EntraError, app_only, delegated, form::Form};
use crate::{
    cloud::{App, Cloud},
    directory::TenantLookup,
    dispatch::Origin,
};

/// Which of the two endpoints was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    V1,
    V2,
}

/// One request to a token endpoint.
#[derive(Debug)]
pub(crate) struct TokenRequest<'a> {
    pub version: Version,
    /// The tenant as the path names it.
    pub tenant: &'a str,
    pub origin: &'a Origin,
    pub headers: &'a HeaderMap,
    pub form: Form,
}

pub(crate) async fn v1(
    state: State<App>,
    path: Path<String>,
    origin: Extension<Origin>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    respond(&state, &path, &origin, &headers, &body, Version::V1)
}

pub(crate) async fn v2(
    state: State<App>,
    path: Path<String>,
    origin: Extension<Origin>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    respond(&state, &path, &origin, &headers, &body, Version::V2)
}

pub(crate) async fn get_refused(State(cloud): State<App>, headers: HeaderMap) -> Response {
    EntraError::plain(900_561).answer(&cloud, &headers)
}

/// The error for a tenant that cannot be signed in to here; `None` when there is nothing wrong with it.
pub(crate) fn tenant_error(text: &str, found: &TenantLookup) -> Option<EntraError> {
    match found {
        TenantLookup::Found(_) | TenantLookup::Alias(_) => None,
        TenantLookup::Unknown => Some(EntraError::new(
            90_002,
            format!(
                "Tenant '{text}' not found. Check to make sure you have the correct tenant ID and are signing into the \
                 correct cloud. Check with your subscription administrator, this may happen if there are no active \
                 subscriptions for the tenant."
            ),
        )),
        TenantLookup::Malformed => Some(EntraError::new(
            900_023,
            format!("Specified tenant identifier '{text}' is neither a valid DNS name, nor a valid external domain."),
        )),
        TenantLookup::OtherCloud(host) => {
            let cloud = host.strip_prefix("login.").unwrap_or(host);
            Some(EntraError::new(
                90_038,
                format!("Tenant '{text}' request is being redirected to the National Cloud '{cloud}'."),
            ))
        }
    }
}

fn respond(
    cloud: &Cloud,
    tenant: &str,
    origin: &Origin,
    headers: &HeaderMap,
    body: &Bytes,
    version: Version,
) -> Response {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let request = TokenRequest { version, tenant, origin, headers, form: Form::of_body(content_type, body) };
    decide(cloud, &request).unwrap_or_else(|error| error.answer(cloud, headers))
}

fn decide(cloud: &Cloud, request: &TokenRequest<'_>) -> Result<Response, EntraError> {
    if let Some(ordered) = ordered_error(cloud) {
        return Err(ordered);
    }
    let found = cloud.directory().find_tenant(request.tenant);
    if let Some(error) = tenant_error(request.tenant, &found) {
        return Err(error);
    }
    if let Some(name) = request.form.duplicate() {
        let text = format!("The request is not properly formatted. The parameter '{name}' is duplicated.");
        return Err(EntraError::new(9_000_411, text));
    }
    match request.form.text("grant_type").ok_or_else(|| EntraError::missing_parameter("grant_type"))? {
        "client_credentials" => app_only::answer(cloud, request, &found),
        "authorization_code" => delegated::code(cloud, request, &found),
        "refresh_token" => delegated::refresh(cloud, request, &found),
        // v1 and early v2 clients send the short name.
        "urn:ietf:params:oauth:grant-type:device_code" | "device_code" => delegated::device(cloud, request, &found),
        other => Err(EntraError::new(70_003, format!("The app requested an unsupported grant type '{other}'."))),
    }
}

/// An error that the admin API ordered, counted down.
fn ordered_error(cloud: &Cloud) -> Option<EntraError> {
    let mut directory = cloud.directory();
    let (code, times) = directory.token_errors.front_mut()?;
    let code = *code;
    *times = times.saturating_sub(1);
    if *times == 0 {
        directory.token_errors.pop_front();
    }
    Some(EntraError::plain(code))
}
