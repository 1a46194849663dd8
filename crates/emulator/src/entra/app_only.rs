//! The client credentials grant: a token for the application itself.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::header::CACHE_CONTROL;
use serde_json::json;

use super::{
    AppToken, EntraError,
    client_auth::{self, Client},
    discovery::issuer_base,
    error::Ids,
    issue::Issued,
    token::{TokenRequest, Version},
};
use crate::{
    cloud::Cloud,
    directory::{Principal, TenantLookup},
};

pub(crate) fn answer(cloud: &Cloud, request: &TokenRequest<'_>, found: &TenantLookup) -> Result<Response, EntraError> {
    let client_id = client_auth::client_id(request)?;
    let audience = match request.version {
        Version::V1 => {
            request.form.text("resource").ok_or_else(|| EntraError::missing_parameter("resource"))?.to_owned()
        }
        Version::V2 => audience_of_scope(request)?,
    };
    let TenantLookup::Found(tenant) = found else { return Err(alias_error(cloud, &client_id)) };
    let client = client_auth::authenticate(cloud, request, tenant, &client_id)?;
    let resource = resource(cloud, tenant, &audience)?;
    refuse_unassigned(cloud, tenant, &client, &resource)?;
    let issued = AppToken {
        tenant,
        client_app_id: &client.app_id,
        client_object_id: &client.object_id,
        client_name: &client.name,
        proof: client.proof,
        resource: &resource,
        audience: &audience,
        issuer_base: &issuer_base(request.origin),
    }
    .issue(cloud);
    let body = match request.version {
        Version::V1 => v1_body(&issued, &audience),
        Version::V2 => v2_body(&issued),
    };
    let response = ([(CACHE_CONTROL, "no-store, no-cache")], Json(body)).into_response();
    Ok(Ids::new(cloud, request.headers).stamp(response, request.headers))
}

/// The resource principal that a name means in the tenant, or why there is none.
pub(crate) fn resource(cloud: &Cloud, tenant: &str, audience: &str) -> Result<Principal, EntraError> {
    let directory = cloud.directory();
    if audience.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(EntraError::new(
            50_001,
            format!("The resource principal named {audience} was not found in the tenant."),
        ));
    }
    let principal = directory.resource(tenant, audience).ok_or_else(|| {
        let tenant = &directory.tenant(tenant).display_name;
        EntraError::new(
            500_011,
            format!(
                "The resource principal named {audience} was not found in the tenant named {tenant}. This can happen if the \
                 application has not been installed by the administrator of the tenant or consented to by any user in the \
                 tenant. You might have sent your authentication request to the wrong tenant."
            ),
        )
    })?;
    if !principal.service_principal.enabled {
        let text = format!("The service principal for resource '{audience}' is disabled.");
        return Err(EntraError::new(500_014, text));
    }
    Ok(principal)
}

/// `https://graph.microsoft.com/.default` names the resource `https://graph.microsoft.com`; a slash before `/.default`
/// stays in the audience (M). A bare `.default` means Graph (M).
fn audience_of_scope(request: &TokenRequest<'_>) -> Result<String, EntraError> {
    if request.form.get("resource").is_some() {
        return Err(EntraError::plain(901_002));
    }
    let scope = request.form.text("scope").ok_or_else(|| EntraError::missing_parameter("scope"))?;
    let mut audiences = Vec::new();
    for part in scope.split_whitespace() {
        if part == ".default" {
            audiences.push("https://graph.microsoft.com");
            continue;
        }
        let Some(audience) = part.strip_suffix("/.default") else {
            return Err(EntraError::new(
                1_002_012,
                format!(
                    "The provided value for scope {scope} is not valid. Client credential flows must have a scope value with \
                     /.default suffixed to the resource identifier (application ID URI)."
                ),
            ));
        };
        audiences.push(audience);
    }
    audiences.dedup();
    match audiences.as_slice() {
        [audience] if !audience.is_empty() => Ok((*audience).to_owned()),
        [_, _, ..] => Err(EntraError::plain(700_022)),
        _ => Err(EntraError::new(
            70_011,
            format!("The provided value for the input parameter 'scope' is not valid. The scope {scope} is not valid."),
        )),
    }
}

/// Client credentials need one tenant: an alias is refused, more exactly for an application of a single tenant.
fn alias_error(cloud: &Cloud, client_id: &str) -> EntraError {
    let directory = cloud.directory();
    match directory.application(client_id) {
        Some(application) if !application.is_multi_tenant() => EntraError::new(
            50_194,
            format!(
                "Application '{client_id}'({}) is not configured as a multi-tenant application. Usage of the /common endpoint \
                 is not supported for such applications created after '10/15/2018'. Use a tenant-specific endpoint or \
                 configure the application to be multi-tenant.",
                application.display_name()
            ),
        ),
        _ => EntraError::plain(9_001_023),
    }
}

fn refuse_unassigned(cloud: &Cloud, tenant: &str, client: &Client, resource: &Principal) -> Result<(), EntraError> {
    let directory = cloud.directory();
    let principal = &resource.service_principal;
    let switched = directory.switches.assignment_required.iter().any(|id| id.eq_ignore_ascii_case(&principal.app_id));
    let now = cloud.clock.now();
    let required = principal.assignment_required || switched;
    if !required || !directory.granted_roles(tenant, &client.object_id, resource, now).is_empty() {
        return Ok(());
    }
    Err(EntraError::new(
        501_051,
        format!(
            "Application '{}'({}) is not assigned to a role for the application '{}'({}).",
            client.app_id, client.name, principal.app_id, principal.display_name
        ),
    ))
}

fn v1_body(issued: &Issued, audience: &str) -> serde_json::Value {
    let mut body = json!({
        "token_type": "Bearer",
        "expires_in": issued.lifetime_s.to_string(),
        "ext_expires_in": issued.lifetime_s.to_string(),
        "expires_on": issued.expires.as_second().to_string(),
        "not_before": issued.not_before.as_second().to_string(),
        "resource": audience,
        "access_token": issued.token,
    });
    if let Some(refresh_in) = refresh_in(issued) {
        body["refresh_in"] = refresh_in.to_string().into();
    }
    body
}

fn v2_body(issued: &Issued) -> serde_json::Value {
    let mut body = json!({
        "token_type": "Bearer",
        "expires_in": issued.lifetime_s,
        "ext_expires_in": issued.lifetime_s,
        "access_token": issued.token,
    });
    if let Some(refresh_in) = refresh_in(issued) {
        body["refresh_in"] = refresh_in.into();
    }
    body
}

/// Only long-lived tokens carry the hint: half of their life.
fn refresh_in(issued: &Issued) -> Option<i64> {
    (issued.lifetime_s > LONG_LIVED_S).then_some(issued.lifetime_s / 2)
}

const LONG_LIVED_S: i64 = 2 * 3_600;
