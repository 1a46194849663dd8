//! The directory's part of the admin API: set up applications, grants, credentials and behaviour without Graph.

mod applications;
mod behaviour;

use axum::{
    Json, Router,
    response::{IntoResponse, Response},
    routing::{get, post, put},
};
use http::StatusCode;
use serde_json::json;

use crate::{
    caller::Resource,
    cloud::App,
    directory::{Directory, TenantLookup, WriteError},
};

/// Routes under `/directory`.
pub(crate) fn router() -> Router<App> {
    Router::new()
        .route("/directory", get(applications::overview))
        .route("/directory/applications", post(applications::create))
        .route("/directory/applications/{app}", axum::routing::delete(applications::remove))
        .route("/directory/applications/{app}/grants", post(applications::grant).delete(applications::revoke))
        .route("/directory/applications/{app}/consent", post(applications::consent))
        .route("/directory/applications/{app}/secrets", post(applications::add_secret))
        .route("/directory/applications/{app}/secrets/{key}/expire", post(applications::expire_secret))
        .route("/directory/applications/{app}/certificates", post(applications::add_certificate))
        .route("/directory/applications/{app}/federated", post(applications::add_federated))
        .route("/directory/applications/{app}/state", put(applications::set_enabled))
        .route("/directory/switches", get(behaviour::switches).patch(behaviour::set_switches))
        .route("/directory/administrator", put(behaviour::set_administrator))
        .route("/directory/federated-issuers", post(behaviour::trust_issuer))
        .route("/directory/token-error", put(behaviour::order_token_error).delete(behaviour::clear_token_errors))
        .route("/directory/device-codes", get(behaviour::device_codes))
        .route("/directory/device-codes/{code}/approve", post(behaviour::approve_device))
        .route("/directory/device-codes/{code}/decline", post(behaviour::decline_device))
        .route("/directory/signing-keys/roll", post(behaviour::roll_key))
        .route(
            "/directory/managed-identities",
            get(behaviour::managed_identities).post(behaviour::add_managed_identity),
        )
        .route("/directory/managed-identities/{object}", axum::routing::delete(behaviour::remove_managed_identity))
        .route("/directory/managed-identities/{object}/grants", post(behaviour::grant_managed_identity))
        .route("/directory/imds-faults", put(behaviour::set_imds_faults))
}

/// Why an admin call was refused; the text is for the person who wrote the call.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AdminError {
    #[error("there is no tenant `{0}` in this cloud")]
    UnknownTenant(String),
    #[error("there is no application `{0}`; give its appId or its object id")]
    UnknownApplication(String),
    #[error("`{0}` is no resource; give graph, xdr, mde, cloudapps, keyvault, or an application id")]
    UnknownResource(String),
    #[error("`{resource}` publishes no role `{value}`")]
    UnknownRole { resource: &'static str, value: String },
    #[error("{what} is not usable: {why}")]
    Unusable { what: &'static str, why: String },
    #[error("there is no {0} of that name")]
    NotFound(&'static str),
    #[error("the directory refused the change")]
    Directory(#[from] WriteError),
}

impl IntoResponse for AdminError {
    fn into_response(self) -> Response {
        let status = match &self {
            Self::UnknownTenant(_) | Self::UnknownApplication(_) | Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Directory(_) => StatusCode::CONFLICT,
            Self::UnknownResource(_) | Self::UnknownRole { .. } | Self::Unusable { .. } => StatusCode::BAD_REQUEST,
        };
        let cause = std::error::Error::source(&self).map(|source| format!(": {source}")).unwrap_or_default();
        (status, Json(json!({ "error": format!("{self}{cause}") }))).into_response()
    }
}

fn tenant_id(directory: &Directory, name: Option<&str>) -> Result<String, AdminError> {
    let Some(name) = name else { return Ok(directory.tenants[0].id.clone()) };
    match directory.find_tenant(name) {
        TenantLookup::Found(id) => Ok(id),
        _ => Err(AdminError::UnknownTenant(name.to_owned())),
    }
}

/// The application id behind an application id or object id.
fn app_id(directory: &Directory, name: &str) -> Result<String, AdminError> {
    let mut all = directory.applications.iter();
    let found =
        all.find(|application| [&application.app_id, &application.id].iter().any(|id| id.eq_ignore_ascii_case(name)));
    found.map(|application| application.app_id.clone()).ok_or_else(|| AdminError::UnknownApplication(name.to_owned()))
}

fn resource_app_id(name: &str) -> Result<&'static crate::directory::catalogue::ResourceDescription, AdminError> {
    use crate::directory::catalogue::{resource_by_kind, resource_by_name};
    Ok(match name {
        "graph" => resource_by_kind(Resource::Graph),
        "xdr" => resource_by_kind(Resource::Xdr),
        "mde" => resource_by_kind(Resource::Mde),
        "cloudapps" => resource_by_kind(Resource::CloudApps),
        "keyvault" => resource_by_kind(Resource::KeyVault),
        other => resource_by_name(other).ok_or_else(|| AdminError::UnknownResource(other.to_owned()))?,
    })
}
