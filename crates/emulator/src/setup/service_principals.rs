//! Service principals: applications as they are present in a tenant, Microsoft's own resources among them.

use axum::{extract::Path, response::Response};
use serde_json::{Value, json};

use super::call::{Actor, Call, READ, Refusal, Reply, WRITE, time};
use crate::directory::{Directory, ServicePrincipal, catalogue};

pub(super) async fn list(call: Call) -> Response {
    call.answer(|call| {
        let actor = call.actor(READ)?;
        let directory = call.cloud.directory();
        let all = &directory.tenant(&actor.caller.tenant).service_principals;
        let licensed =
            |own: &&ServicePrincipal| directory.switches.unlicensed_resource.as_deref() != Some(own.app_id.as_str());
        let objects = all.iter().filter(licensed).map(|own| shown(&directory, own)).collect();
        drop(directory);
        Ok(Reply::Shown(call.query.collection(call, "servicePrincipals", objects)?))
    })
}

pub(super) async fn create(call: Call) -> Response {
    call.answer(|call| {
        let actor = call.actor(WRITE)?;
        let body = call.object()?;
        let app_id = body.get("appId").and_then(Value::as_str).ok_or_else(|| {
            Refusal::bad_request("A value is required for property 'appId' of resource 'ServicePrincipal'.")
        })?;
        let mut directory = call.cloud.directory();
        let own = directory.application(app_id).is_some_and(|application| actor.may_change(application));
        let manages = match &actor.user {
            Some(user) => user.may_manage_applications(),
            None => actor.caller.roles.iter().any(|role| role == "Application.ReadWrite.All"),
        };
        if !own && !manages {
            return Err(Refusal::no_privilege());
        }
        let made = directory.add_service_principal(&actor.caller.tenant, app_id, call.now);
        let principal = made.map_err(|error| Refusal::of_write(error, app_id))?;
        let object = shown(&directory, &principal);
        drop(directory);
        Ok(Reply::Created(call.query.entity(call, "servicePrincipals", object)))
    })
}

/// A service principal may read itself without any permission.
pub(super) async fn show(Path(id): Path<String>, call: Call) -> Response {
    call.answer(|call| {
        let anyone = call.actor(&[])?;
        let principal = find(&call.cloud.directory(), &anyone, &id);
        if principal.as_ref().map(|own| own.id.as_str()).ok() != Some(anyone.caller.object_id.as_str()) {
            call.actor(READ)?;
        }
        let object = shown(&call.cloud.directory(), &principal?);
        Ok(Reply::Shown(call.query.entity(call, "servicePrincipals", object)))
    })
}

pub(super) async fn change(Path(id): Path<String>, call: Call) -> Response {
    call.answer(|call| {
        let actor = call.actor(WRITE)?;
        let body = Value::Object(call.object()?);
        let mut directory = call.cloud.directory();
        let id = changeable(&directory, &actor, &id)?;
        if let Some(principal) = directory.tenant_mut(&actor.caller.tenant).principal_mut(&id) {
            principal.enabled = body["accountEnabled"].as_bool().unwrap_or(principal.enabled);
            let required = body["appRoleAssignmentRequired"].as_bool();
            principal.assignment_required = required.unwrap_or(principal.assignment_required);
        }
        Ok(Reply::Done)
    })
}

pub(super) async fn remove(Path(id): Path<String>, call: Call) -> Response {
    call.answer(|call| {
        let actor = call.actor(WRITE)?;
        let mut directory = call.cloud.directory();
        let id = changeable(&directory, &actor, &id)?;
        directory.remove_principal(&actor.caller.tenant, &id);
        Ok(Reply::Done)
    })
}

/// By object id or `appId=`, in the caller's tenant.
pub(super) fn find(directory: &Directory, actor: &Actor, key: &str) -> Result<ServicePrincipal, Refusal> {
    let tenant = directory.tenant(&actor.caller.tenant);
    let found = match key.split_once('=') {
        Some((_, app_id)) => tenant.principal_of(app_id),
        None => tenant.principal(key),
    };
    found.cloned().ok_or_else(|| Refusal::not_found(key))
}

fn changeable(directory: &Directory, actor: &Actor, key: &str) -> Result<String, Refusal> {
    let principal = find(directory, actor, key)?;
    let own = directory.application(&principal.app_id).is_some_and(|application| actor.may_change(application));
    let manages = actor.user.as_ref().is_some_and(crate::directory::User::may_manage_applications);
    if own || manages { Ok(principal.id) } else { Err(Refusal::no_privilege()) }
}

fn shown(directory: &Directory, principal: &ServicePrincipal) -> Value {
    let resource = catalogue::resource_by_app_id(&principal.app_id);
    let application = directory.application(&principal.app_id);
    let (roles, scopes, names) = match resource {
        Some(resource) => {
            let names = resource.uris.iter().map(|uri| json!(uri)).chain([json!(resource.app_id)]).collect::<Vec<_>>();
            (published_roles(resource), published_scopes(resource), names)
        }
        None => {
            let roles =
                application.and_then(|own| own.properties.get("appRoles")).cloned().unwrap_or_else(|| json!([]));
            (roles, json!([]), vec![json!(principal.app_id)])
        }
    };
    let audience = application.and_then(|own| own.properties.get("signInAudience")).cloned();
    json!({
        "id": principal.id, "deletedDateTime": null, "accountEnabled": principal.enabled, "alternativeNames": [],
        "appDisplayName": principal.display_name, "appDescription": null, "appId": principal.app_id,
        "applicationTemplateId": null, "appOwnerOrganizationId": principal.owner_tenant,
        "appRoleAssignmentRequired": principal.assignment_required, "createdDateTime": time(principal.created),
        "displayName": principal.display_name, "homepage": null, "loginUrl": null, "logoutUrl": null, "notes": null,
        "replyUrls": application.map(crate::directory::Application::redirect_uris).unwrap_or_default(),
        "servicePrincipalNames": names, "servicePrincipalType": principal.kind,
        "signInAudience": audience.unwrap_or_else(|| json!("AzureADMultipleOrgs")), "tags": [], "addIns": [],
        "appRoles": roles, "keyCredentials": [], "oauth2PermissionScopes": scopes, "passwordCredentials": [],
    })
}

fn published_roles(resource: &catalogue::ResourceDescription) -> Value {
    let shown = |role: &catalogue::Permission| {
        json!({
            "allowedMemberTypes": ["Application"], "description": format!("Allows the app to: {}.", role.display_name),
            "displayName": role.display_name, "id": role.id(resource), "isEnabled": true, "origin": "Application",
            "value": role.value,
        })
    };
    resource.roles.iter().map(shown).collect()
}

fn published_scopes(resource: &catalogue::ResourceDescription) -> Value {
    let shown = |scope: &catalogue::Permission| {
        json!({
            "adminConsentDescription": format!("Allows the app, for the signed-in user, to: {}.", scope.display_name),
            "adminConsentDisplayName": scope.display_name, "id": scope.id(resource), "isEnabled": true, "type": "Admin",
            "userConsentDescription": null, "userConsentDisplayName": null, "value": scope.value,
        })
    };
    resource.scopes.iter().map(shown).collect()
}
