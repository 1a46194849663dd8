//! How the directory behaves: switches, ordered errors, the administrator, device codes, keys, managed identities.

use axum::{
    Json,
    extract::{Path, State},
};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    AdminError,
    applications::{RoleName, role_id},
    tenant_id,
};
use crate::{
    cloud::App,
    directory::{ConsentDecision, IdentityFaults, Switches},
    entra::{DeviceState, known_code},
    jwt::{RsaPublic, decode_base64url},
};

pub(super) async fn switches(State(cloud): State<App>) -> Json<Switches> {
    Json(cloud.directory().switches.clone())
}

/// Changes the switches that the body names and leaves the others.
pub(super) async fn set_switches(
    State(cloud): State<App>,
    Json(change): Json<Value>,
) -> Result<Json<Switches>, AdminError> {
    let unusable = |error: serde_json::Error| AdminError::Unusable { what: "the body", why: error.to_string() };
    let mut directory = cloud.directory();
    let mut all = serde_json::to_value(&directory.switches).map_err(unusable)?;
    if let (Some(all), Value::Object(change)) = (all.as_object_mut(), change) {
        all.extend(change);
    }
    directory.switches = serde_json::from_value(all).map_err(unusable)?;
    Ok(Json(directory.switches.clone()))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AdministratorChange {
    decision: Option<ConsentDecision>,
    /// Display names of directory roles, in place of those that the administrator has.
    roles: Option<Vec<String>>,
    tenant: Option<String>,
}

pub(super) async fn set_administrator(
    State(cloud): State<App>,
    Json(change): Json<AdministratorChange>,
) -> Result<StatusCode, AdminError> {
    let mut directory = cloud.directory();
    let tenant = tenant_id(&directory, change.tenant.as_deref())?;
    if let Some(decision) = change.decision {
        directory.administrator.decision = decision;
    }
    if let Some(roles) = change.roles
        && let Some(administrator) = directory.tenant_mut(&tenant).users.first_mut()
    {
        administrator.directory_roles = roles;
    }
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TrustedIssuer {
    issuer: String,
    /// A JWKS document with RSA keys.
    jwks: Value,
}

pub(super) async fn trust_issuer(
    State(cloud): State<App>,
    Json(new): Json<TrustedIssuer>,
) -> Result<StatusCode, AdminError> {
    let unusable =
        || AdminError::Unusable { what: "the key set", why: "expected `keys` with RSA members n and e".to_owned() };
    let keys = new.jwks["keys"].as_array().ok_or_else(unusable)?;
    let part = |key: &Value, name: &str| key[name].as_str().and_then(decode_base64url);
    let read = |key: &Value| {
        let public = RsaPublic { modulus: part(key, "n")?, exponent: part(key, "e")? };
        Some((key["kid"].as_str().map(str::to_owned), public))
    };
    let keys = keys.iter().map(read).collect::<Option<Vec<_>>>().ok_or_else(unusable)?;
    cloud.directory().federated_issuers.insert(new.issuer, keys);
    Ok(StatusCode::CREATED)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TokenErrorOrder {
    code: u32,
    #[serde(default = "once")]
    times: u32,
}

pub(super) async fn order_token_error(
    State(cloud): State<App>,
    Json(order): Json<TokenErrorOrder>,
) -> Result<StatusCode, AdminError> {
    if !known_code(order.code) {
        let why = format!("AADSTS{} is not among the errors that this cloud can give", order.code);
        return Err(AdminError::Unusable { what: "the code", why });
    }
    if order.times > 0 {
        cloud.directory().token_errors.push_back((order.code, order.times));
    }
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn clear_token_errors(State(cloud): State<App>) -> StatusCode {
    cloud.directory().token_errors.clear();
    StatusCode::NO_CONTENT
}

/// The codes that wait for a person.
pub(super) async fn device_codes(State(cloud): State<App>) -> Json<Value> {
    let directory = cloud.directory();
    let waiting = directory.sessions.device_codes.values().filter(|code| code.state == DeviceState::Pending);
    let list: Vec<_> = waiting
        .map(|code| json!({ "userCode": code.user_code, "clientId": code.client_id, "tenant": code.tenant }))
        .collect();
    Json(json!(list))
}

pub(super) async fn approve_device(state: State<App>, code: Path<String>) -> Result<StatusCode, AdminError> {
    settle(&state, &code, DeviceState::Approved)
}

pub(super) async fn decline_device(state: State<App>, code: Path<String>) -> Result<StatusCode, AdminError> {
    settle(&state, &code, DeviceState::Declined)
}

pub(super) async fn roll_key(State(cloud): State<App>) -> Json<Value> {
    Json(json!({ "kid": cloud.signing.roll() }))
}

pub(super) async fn managed_identities(State(cloud): State<App>) -> Json<Value> {
    let directory = cloud.directory();
    Json(json!(directory.managed_identities.iter().map(shown).collect::<Vec<_>>()))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewIdentity {
    resource_id: String,
}

pub(super) async fn add_managed_identity(
    State(cloud): State<App>,
    Json(new): Json<NewIdentity>,
) -> (StatusCode, Json<Value>) {
    let identity = cloud.directory().add_managed_identity(Some(new.resource_id), cloud.clock.now());
    (StatusCode::CREATED, Json(shown(&identity)))
}

pub(super) async fn grant_managed_identity(
    State(cloud): State<App>,
    Path(object): Path<String>,
    Json(role): Json<RoleName>,
) -> Result<StatusCode, AdminError> {
    let mut directory = cloud.directory();
    let (resource, role) = role_id(&role)?;
    let tenant = tenant_id(&directory, None)?;
    let target =
        directory.tenant(&tenant).principal_of(resource.app_id).ok_or(AdminError::NotFound("resource"))?.id.clone();
    directory.grant(&tenant, &object, &target, &role, cloud.clock.now())?;
    Ok(StatusCode::CREATED)
}

pub(super) async fn remove_managed_identity(
    State(cloud): State<App>,
    Path(object): Path<String>,
) -> Result<StatusCode, AdminError> {
    let mut directory = cloud.directory();
    let before = directory.managed_identities.len();
    directory.managed_identities.retain(|identity| identity.object_id != object);
    if directory.managed_identities.len() == before {
        return Err(AdminError::NotFound("managed identity"));
    }
    let tenant = tenant_id(&directory, None)?;
    directory.remove_principal(&tenant, &object);
    Ok(StatusCode::NO_CONTENT)
}

/// The next answers of the metadata endpoint fail with this status.
pub(super) async fn set_imds_faults(State(cloud): State<App>, Json(faults): Json<IdentityFaults>) -> StatusCode {
    cloud.directory().identity_faults = faults;
    StatusCode::NO_CONTENT
}

fn settle(cloud: &App, code: &str, state: DeviceState) -> Result<StatusCode, AdminError> {
    if cloud.directory().sessions.settle_device(code, state) {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(AdminError::NotFound("pending device code"))
}

fn shown(identity: &crate::directory::ManagedIdentity) -> Value {
    json!({ "clientId": identity.client_id, "objectId": identity.object_id, "resourceId": identity.resource_id })
}

fn once() -> u32 {
    1
}
