//! App role assignments: admin consent to application permissions, by API.

use axum::{extract::Path, response::Response};
use serde_json::{Value, json};

use super::{
    call::{Call, GRANT, READ, Refusal, Reply, time},
    service_principals::find,
};
use crate::directory::{Grant, Tenant};

/// Who holds roles of a resource.
pub(super) async fn to_resource(Path(id): Path<String>, call: Call) -> Response {
    list(call, &id, |grant, object| grant.resource == object)
}

/// Which roles a client holds.
pub(super) async fn of_client(Path(id): Path<String>, call: Call) -> Response {
    list(call, &id, |grant, object| grant.principal == object)
}

pub(super) async fn create(Path(id): Path<String>, call: Call) -> Response {
    call.answer(|call| {
        let actor = call.actor(GRANT)?;
        let body = Value::Object(call.object()?);
        let text = |name: &str| {
            let missing = || {
                Refusal::bad_request(format!(
                    "A value is required for property '{name}' of resource 'AppRoleAssignment'."
                ))
            };
            body[name].as_str().map(str::to_owned).ok_or_else(missing)
        };
        let (principal, resource, role) = (text("principalId")?, text("resourceId")?, text("appRoleId")?);
        let mut directory = call.cloud.directory();
        let named = find(&directory, &actor, &id)?;
        if named.id != resource && named.id != principal {
            return Err(Refusal::bad_request(
                "The object in the path is neither principalId nor resourceId of the assignment.",
            ));
        }
        let tenant = &actor.caller.tenant;
        let resource_app_id = directory.tenant(tenant).principal(&resource).map(|own| own.app_id.clone());
        let resource_app_id = resource_app_id.ok_or_else(|| Refusal::not_found(&resource))?;
        if actor.user.as_ref().is_some_and(|user| !user.may_grant(&resource_app_id)) {
            return Err(Refusal::no_privilege());
        }
        let made = directory.grant(tenant, &principal, &resource, &role, call.now);
        let subject = |error| match error {
            crate::directory::WriteError::UnknownRole => resource_app_id.clone(),
            _ => principal.clone(),
        };
        let grant = made.map_err(|error| Refusal::of_write(error, &subject(error)))?;
        let object = shown(directory.tenant(tenant), &grant);
        drop(directory);
        Ok(Reply::Created(call.query.entity(call, "appRoleAssignments", object)))
    })
}

pub(super) async fn remove(Path((id, assignment)): Path<(String, String)>, call: Call) -> Response {
    call.answer(|call| {
        let actor = call.actor(GRANT)?;
        let mut directory = call.cloud.directory();
        let named = find(&directory, &actor, &id)?;
        let tenant = directory.tenant(&actor.caller.tenant);
        let touches =
            |grant: &&Grant| grant.id == assignment && (grant.principal == named.id || grant.resource == named.id);
        let grant = tenant.grants.iter().find(touches).cloned().ok_or_else(|| Refusal::not_found(&assignment))?;
        let resource_app_id = tenant.principal(&grant.resource).map(|own| own.app_id.clone()).unwrap_or_default();
        if actor.user.as_ref().is_some_and(|user| !user.may_grant(&resource_app_id)) {
            return Err(Refusal::no_privilege());
        }
        directory.tenant_mut(&actor.caller.tenant).grants.retain(|own| own.id != grant.id);
        Ok(Reply::Done)
    })
}

fn list(call: Call, id: &str, belongs: impl Fn(&Grant, &str) -> bool) -> Response {
    call.answer(|call| {
        let actor = call.actor(&[])?;
        let directory = call.cloud.directory();
        let named = find(&directory, &actor, id)?;
        let tenant = directory.tenant(&actor.caller.tenant);
        let objects =
            tenant.grants.iter().filter(|grant| belongs(grant, &named.id)).map(|grant| shown(tenant, grant)).collect();
        drop(directory);
        if named.id != actor.caller.object_id {
            call.actor(READ)?;
        }
        Ok(Reply::Shown(call.query.collection(call, "appRoleAssignments", objects)?))
    })
}

fn shown(tenant: &Tenant, grant: &Grant) -> Value {
    let name = |id: &str| tenant.principal(id).map(|own| own.display_name.clone());
    json!({
        "id": grant.id, "deletedDateTime": null, "appRoleId": grant.role, "createdDateTime": time(grant.created),
        "principalDisplayName": name(&grant.principal), "principalId": grant.principal, "principalType": "ServicePrincipal",
        "resourceDisplayName": name(&grant.resource), "resourceId": grant.resource,
    })
}
