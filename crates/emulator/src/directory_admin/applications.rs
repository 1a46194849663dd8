//! Applications with their roles and credentials.

use axum::{
    Json,
    extract::{Path, State},
};
use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{AdminError, app_id, resource_app_id, tenant_id};
use crate::{
    cloud::App,
    directory::{Application, Directory, Federated, KeyCredential, catalogue},
};

/// A role by resource and value: `{"resource": "xdr", "value": "Incident.Read.All"}`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RoleName {
    resource: String,
    value: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct NewApplication {
    /// Id or domain; the home tenant when it is left out.
    tenant: Option<String>,
    display_name: String,
    #[serde(default)]
    roles: Vec<RoleName>,
    /// The roles are only asked for; nobody has consented.
    #[serde(default, alias = "requested_only")]
    requested_only: bool,
    secret: Option<NewSecret>,
    #[serde(alias = "certificate_pem")]
    certificate_pem: Option<String>,
    #[serde(default, alias = "multi_tenant")]
    multi_tenant: bool,
    #[serde(default, alias = "redirect_uris")]
    redirect_uris: Vec<String>,
    #[serde(default, alias = "public_client")]
    public_client: bool,
}

/// `"generated"`, or a life in seconds.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum NewSecret {
    Lifetime(i64),
    Word(String),
}

pub(super) async fn create(
    State(cloud): State<App>,
    Json(new): Json<NewApplication>,
) -> Result<(StatusCode, Json<Value>), AdminError> {
    let now = cloud.clock.now();
    let mut directory = cloud.directory();
    let tenant = tenant_id(&directory, new.tenant.as_deref())?;
    let required = required_access(&new.roles)?;
    let certificate = new.certificate_pem.as_deref().map(certificate).transpose()?;
    let properties = Map::from_iter([
        ("displayName".to_owned(), json!(new.display_name)),
        ("signInAudience".to_owned(), json!(if new.multi_tenant { "AzureADMultipleOrgs" } else { "AzureADMyOrg" })),
        ("requiredResourceAccess".to_owned(), required),
        ("isFallbackPublicClient".to_owned(), json!(new.public_client.then_some(true))),
        ("web".to_owned(), json!({ "redirectUris": new.redirect_uris })),
    ]);
    let id = directory.register(&tenant, properties, None, now).app_id;
    let held_back = std::mem::take(&mut directory.switches.replication_failures);
    let replicated = past_replication(now, &directory);
    directory.add_service_principal(&tenant, &id, replicated)?;
    directory.switches.replication_failures = held_back;
    if !new.requested_only {
        directory.consent(&tenant, &id, now)?;
    }
    let mut answer = json!({ "appId": id, "tenant": tenant });
    if let Some(secret) = new.secret {
        let lifetime_s = match secret {
            NewSecret::Lifetime(seconds) => seconds,
            NewSecret::Word(word) if word == "generated" => TWO_YEARS_S,
            NewSecret::Word(word) => {
                let why = format!("expected \"generated\" or a number of seconds, got `{word}`");
                return Err(AdminError::Unusable { what: "the secret", why });
            }
        };
        let password = directory.add_password(&id, Some("set-up".to_owned()), now, after(now, lifetime_s))?;
        answer["secretText"] = json!(password.secret.0);
        answer["secretId"] = json!(password.key_id);
    }
    if let Some(certificate) = certificate {
        answer["certificateId"] = json!(keep_certificate(&mut directory, &id, certificate)?);
    }
    answer["objectId"] = json!(directory.application(&id).map(|application| &application.id));
    let principal = directory.tenant(&tenant).principal_of(&id).map(|principal| principal.id.clone());
    answer["servicePrincipalId"] = json!(principal);
    Ok((StatusCode::CREATED, Json(answer)))
}

/// Everything but secrets.
pub(super) async fn overview(State(cloud): State<App>) -> Json<Value> {
    let directory = cloud.directory();
    let tenants = directory.tenants.iter().map(|tenant| {
        let name = |id: &str| tenant.principal(id).map(|principal| principal.display_name.clone());
        let value = |grant: &crate::directory::Grant| {
            let resource = tenant.principal(&grant.resource).and_then(|own| catalogue::resource_by_app_id(&own.app_id));
            resource.and_then(|resource| resource.role_by_id(&grant.role)).map(|role| role.value)
        };
        json!({
            "id": tenant.id, "displayName": tenant.display_name, "domains": tenant.domains,
            "otherCloud": tenant.other_cloud,
            "users": tenant.users.iter().map(|user| json!({
                "id": user.id, "upn": user.upn, "name": user.name, "directoryRoles": user.directory_roles,
            })).collect::<Vec<_>>(),
            "grants": tenant.grants.iter().map(|grant| json!({
                "id": grant.id, "client": name(&grant.principal), "clientObjectId": grant.principal,
                "clientAppId": tenant.principal(&grant.principal).map(|principal| &principal.app_id),
                "resource": name(&grant.resource), "role": value(grant), "roleId": grant.role,
            })).collect::<Vec<_>>(),
        })
    });
    let applications = directory.applications.iter().map(|application| {
        json!({
            "appId": application.app_id, "objectId": application.id, "tenant": application.tenant,
            "displayName": application.display_name(), "signInAudience": application.properties.get("signInAudience"),
            "redirectUris": application.properties.get("web").map(|web| &web["redirectUris"]),
            "secrets": application.passwords.iter().map(|password| json!({
                "keyId": password.key_id, "displayName": password.display_name, "endDateTime": password.end.to_string(),
            })).collect::<Vec<_>>(),
            "certificates": application.keys.iter().map(|key| json!({
                "keyId": key.key_id, "endDateTime": key.end.to_string(),
            })).collect::<Vec<_>>(),
            "federated": application.federated,
        })
    });
    let tenants: Vec<_> = tenants.collect();
    let applications: Vec<_> = applications.collect();
    Json(json!({ "tenants": tenants, "applications": applications }))
}

pub(super) async fn remove(State(cloud): State<App>, Path(app): Path<String>) -> Result<StatusCode, AdminError> {
    let mut directory = cloud.directory();
    let id = app_id(&directory, &app)?;
    directory.remove_application(&id);
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn grant(
    State(cloud): State<App>,
    Path(app): Path<String>,
    Json(role): Json<RoleName>,
) -> Result<StatusCode, AdminError> {
    let mut directory = cloud.directory();
    let (tenant, client, resource, role) = grant_of(&directory, &app, &role)?;
    directory.grant(&tenant, &client, &resource, &role, cloud.clock.now())?;
    Ok(StatusCode::CREATED)
}

pub(super) async fn revoke(
    State(cloud): State<App>,
    Path(app): Path<String>,
    Json(role): Json<RoleName>,
) -> Result<StatusCode, AdminError> {
    let mut directory = cloud.directory();
    let (tenant, client, resource, role) = grant_of(&directory, &app, &role)?;
    let grants = &mut directory.tenant_mut(&tenant).grants;
    let before = grants.len();
    grants.retain(|grant| grant.principal != client || grant.resource != resource || grant.role != role);
    if grants.len() == before { Err(AdminError::NotFound("grant")) } else { Ok(StatusCode::NO_CONTENT) }
}

/// Grants what the registration asks for, as the portal's button does it.
pub(super) async fn consent(State(cloud): State<App>, Path(app): Path<String>) -> Result<StatusCode, AdminError> {
    let mut directory = cloud.directory();
    let id = app_id(&directory, &app)?;
    let tenant = home_of(&directory, &id)?;
    directory.consent(&tenant, &id, cloud.clock.now())?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SecretLife {
    #[serde(default = "two_years_s")]
    expires_in: i64,
}

pub(super) async fn add_secret(
    State(cloud): State<App>,
    Path(app): Path<String>,
    Json(life): Json<SecretLife>,
) -> Result<(StatusCode, Json<Value>), AdminError> {
    let now = cloud.clock.now();
    let mut directory = cloud.directory();
    let id = app_id(&directory, &app)?;
    let password = directory.add_password(&id, None, now, after(now, life.expires_in))?;
    Ok((StatusCode::CREATED, Json(json!({ "secretText": password.secret.0, "secretId": password.key_id }))))
}

pub(super) async fn expire_secret(
    State(cloud): State<App>,
    Path((app, key)): Path<(String, String)>,
) -> Result<StatusCode, AdminError> {
    let now = cloud.clock.now();
    let mut directory = cloud.directory();
    let id = app_id(&directory, &app)?;
    let mut passwords = directory.application_mut(&id).into_iter().flat_map(|application| &mut application.passwords);
    let password = passwords.find(|password| password.key_id == key).ok_or(AdminError::NotFound("secret"))?;
    password.end = now;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewCertificate {
    certificate_pem: String,
}

pub(super) async fn add_certificate(
    State(cloud): State<App>,
    Path(app): Path<String>,
    Json(new): Json<NewCertificate>,
) -> Result<(StatusCode, Json<Value>), AdminError> {
    let mut directory = cloud.directory();
    let id = app_id(&directory, &app)?;
    let key_id = keep_certificate(&mut directory, &id, certificate(&new.certificate_pem)?)?;
    Ok((StatusCode::CREATED, Json(json!({ "certificateId": key_id }))))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewFederated {
    issuer: String,
    subject: String,
    #[serde(default = "exchange_audience")]
    audience: String,
}

pub(super) async fn add_federated(
    State(cloud): State<App>,
    Path(app): Path<String>,
    Json(new): Json<NewFederated>,
) -> Result<StatusCode, AdminError> {
    let mut directory = cloud.directory();
    let id = app_id(&directory, &app)?;
    let record = Federated {
        id: directory.guid(),
        name: "set-up".to_owned(),
        issuer: new.issuer,
        subject: new.subject,
        audiences: vec![new.audience],
        description: None,
    };
    if let Some(application) = directory.application_mut(&id) {
        application.federated.push(record);
    }
    Ok(StatusCode::CREATED)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EnabledState {
    enabled: bool,
}

/// Switches the application's service principal in its home tenant off or on.
pub(super) async fn set_enabled(
    State(cloud): State<App>,
    Path(app): Path<String>,
    Json(state): Json<EnabledState>,
) -> Result<StatusCode, AdminError> {
    let mut directory = cloud.directory();
    let id = app_id(&directory, &app)?;
    let tenant = home_of(&directory, &id)?;
    let object_id = directory.tenant(&tenant).principal_of(&id).map(|principal| principal.id.clone());
    let object_id = object_id.ok_or(AdminError::NotFound("service principal"))?;
    if let Some(principal) = directory.tenant_mut(&tenant).principal_mut(&object_id) {
        principal.enabled = state.enabled;
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Tenant, client, resource and role as the directory knows them.
fn grant_of(directory: &Directory, app: &str, role: &RoleName) -> Result<(String, String, String, String), AdminError> {
    let id = app_id(directory, app)?;
    let tenant = home_of(directory, &id)?;
    let (resource, role) = role_id(role)?;
    let home = directory.tenant(&tenant);
    let client = home.principal_of(&id).ok_or(AdminError::NotFound("service principal"))?.id.clone();
    let target = home.principal_of(resource.app_id).ok_or(AdminError::NotFound("resource"))?.id.clone();
    Ok((tenant, client, target, role))
}

pub(super) fn role_id(role: &RoleName) -> Result<(&'static catalogue::ResourceDescription, String), AdminError> {
    let resource = resource_app_id(&role.resource)?;
    let unknown = || AdminError::UnknownRole { resource: resource.name, value: role.value.clone() };
    Ok((resource, resource.role_by_value(&role.value).ok_or_else(unknown)?.id(resource)))
}

fn required_access(roles: &[RoleName]) -> Result<Value, AdminError> {
    let mut required: Vec<Value> = Vec::new();
    for role in roles {
        let (resource, id) = role_id(role)?;
        let access = json!({ "id": id, "type": "Role" });
        match required.iter_mut().find(|entry| entry["resourceAppId"] == resource.app_id) {
            Some(entry) => {
                if let Some(list) = entry["resourceAccess"].as_array_mut() {
                    list.push(access);
                }
            }
            None => required.push(json!({ "resourceAppId": resource.app_id, "resourceAccess": [access] })),
        }
    }
    Ok(Value::Array(required))
}

fn home_of(directory: &Directory, app_id: &str) -> Result<String, AdminError> {
    let found = directory.application(app_id).map(|application: &Application| application.tenant.clone());
    found.ok_or_else(|| AdminError::UnknownApplication(app_id.to_owned()))
}

fn certificate(pem: &str) -> Result<Vec<u8>, AdminError> {
    let why = |why: String| AdminError::Unusable { what: "the certificate", why };
    let (_, parsed) = x509_parser::pem::parse_x509_pem(pem.as_bytes()).map_err(|error| why(error.to_string()))?;
    if crate::signing::certificate_key(&parsed.contents).is_none() {
        return Err(why("expected an X.509 certificate with an RSA key in PEM".to_owned()));
    }
    Ok(parsed.contents)
}

fn keep_certificate(directory: &mut Directory, app_id: &str, certificate: Vec<u8>) -> Result<String, AdminError> {
    let key_id = directory.guid();
    let (start, end) = crate::setup::validity(&certificate).ok_or(AdminError::NotFound("validity"))?;
    let key = KeyCredential { key_id: key_id.clone(), display_name: None, certificate, start, end };
    let application =
        directory.application_mut(app_id).ok_or_else(|| AdminError::UnknownApplication(app_id.to_owned()))?;
    application.keys.push(key);
    Ok(key_id)
}

/// The admin API does not wait for replication: it sets the stage.
fn past_replication(now: Timestamp, directory: &Directory) -> Timestamp {
    after(now, directory.switches.replication_delay_s)
}

fn after(now: Timestamp, seconds: i64) -> Timestamp {
    now.saturating_add(SignedDuration::from_secs(seconds)).expect("a signed duration is no calendar span")
}

fn two_years_s() -> i64 {
    TWO_YEARS_S
}

fn exchange_audience() -> String {
    "api://AzureADTokenExchange".to_owned()
}

const TWO_YEARS_S: i64 = 2 * 365 * 86_400;
