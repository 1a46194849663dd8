//! App registrations.

use axum::{extract::Path, response::Response};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Map, Value, json};

use super::{
    call::{Actor, Call, READ, Refusal, Reply, WRITE, time},
    credentials,
};
use crate::directory::{Application, KeyCredential, Password, merge};

pub(super) async fn list(call: Call) -> Response {
    call.answer(|call| {
        let objects = visible(call, &call.actor(READ)?);
        Ok(Reply::Shown(call.query.collection(call, "applications", objects)?))
    })
}

pub(super) async fn count(call: Call) -> Response {
    call.answer(|call| {
        let objects = visible(call, &call.actor(READ)?);
        Ok(Reply::Text(call.query.matching(objects)?.len().to_string()))
    })
}

pub(super) async fn create(call: Call) -> Response {
    call.answer(|call| {
        let actor = call.actor(WRITE)?;
        if let Some(user) = &actor.user
            && !user.may_register(&call.cloud.directory().switches)
        {
            return Err(Refusal::no_privilege());
        }
        let mut properties = checked(call.object()?)?;
        if properties.get("displayName").and_then(Value::as_str).is_none_or(str::is_empty) {
            return Err(Refusal::bad_request(
                "A value is required for property 'displayName' of resource 'Application'.",
            ));
        }
        let keys = properties.remove("keyCredentials");
        let mut directory = call.cloud.directory();
        let keys = keys.map(|keys| credentials::read_keys(&mut directory, &[], &keys)).transpose()?.unwrap_or_default();
        let owner = Some(actor.caller.object_id.clone());
        let app_id = directory.register(&actor.caller.tenant, properties, owner, call.now).app_id;
        let Some(application) = directory.application_mut(&app_id) else { return Err(Refusal::not_found(&app_id)) };
        application.keys = keys;
        let shown = shown(call, application);
        drop(directory);
        Ok(Reply::Created(call.query.entity(call, "applications", shown)))
    })
}

pub(super) async fn show(Path(id): Path<String>, call: Call) -> Response {
    call.answer(|call| {
        let actor = call.actor(READ)?;
        let object = shown(call, actor.application(&call.cloud.directory(), &id)?);
        Ok(Reply::Shown(call.query.entity(call, "applications", object)))
    })
}

pub(super) async fn change(Path(id): Path<String>, call: Call) -> Response {
    call.answer(|call| {
        let actor = call.actor(WRITE)?;
        let mut properties = checked(call.object()?)?;
        let mut directory = call.cloud.directory();
        let app_id = actor.changeable(&directory, &id)?;
        let keys = properties.remove("keyCredentials");
        let old = directory.application(&app_id).map(|own| own.keys.clone()).unwrap_or_default();
        let keys = keys.map(|keys| credentials::read_keys(&mut directory, &old, &keys)).transpose()?;
        if let Some(application) = directory.application_mut(&app_id) {
            application.keys = keys.unwrap_or(old);
            merge(&mut application.properties, properties);
        }
        Ok(Reply::Done)
    })
}

pub(super) async fn remove(Path(id): Path<String>, call: Call) -> Response {
    call.answer(|call| {
        let actor = call.actor(WRITE)?;
        let mut directory = call.cloud.directory();
        let app_id = actor.changeable(&directory, &id)?;
        directory.remove_application(&app_id);
        Ok(Reply::Done)
    })
}

pub(super) fn shown_password(password: &Password) -> Value {
    json!({
        "customKeyIdentifier": null, "displayName": password.display_name, "endDateTime": time(password.end),
        "hint": password.secret.0.chars().take(3).collect::<String>(), "keyId": password.key_id, "secretText": null,
        "startDateTime": time(password.start),
    })
}

fn visible(call: &Call, actor: &Actor) -> Vec<Value> {
    let directory = call.cloud.directory();
    let own = directory.applications.iter().filter(|application| application.tenant == actor.caller.tenant);
    own.map(|application| shown(call, application)).collect()
}

fn shown(call: &Call, application: &Application) -> Value {
    let mut all = Map::from_iter([
        ("id".to_owned(), json!(application.id)),
        ("appId".to_owned(), json!(application.app_id)),
        ("createdDateTime".to_owned(), time(application.created)),
    ]);
    all.extend(application.properties.clone());
    let with_keys = call.query.selects("keyCredentials");
    let passwords = application.passwords.iter().map(shown_password).collect::<Vec<_>>();
    let keys = application.keys.iter().map(|key| shown_key(key, with_keys)).collect::<Vec<_>>();
    all.extend([("passwordCredentials".to_owned(), json!(passwords)), ("keyCredentials".to_owned(), json!(keys))]);
    Value::Object(all)
}

/// The key itself only comes when `$select` names it.
fn shown_key(key: &KeyCredential, with_key: bool) -> Value {
    let thumbprint: String =
        crate::signing::thumbprint_sha1(&key.certificate).iter().map(|byte| format!("{byte:02X}")).collect();
    json!({
        "customKeyIdentifier": thumbprint, "displayName": key.display_name, "endDateTime": time(key.end),
        "key": with_key.then(|| STANDARD.encode(&key.certificate)), "keyId": key.key_id,
        "startDateTime": time(key.start), "type": "AsymmetricX509Cert", "usage": "Verify",
    })
}

/// What a client may write; Graph names the property that it may not.
fn checked(properties: Map<String, Value>) -> Result<Map<String, Value>, Refusal> {
    for name in ["id", "appId", "createdDateTime", "publisherDomain"] {
        if properties.contains_key(name) {
            return Err(Refusal::bad_request(format!("Property '{name}' is read-only and cannot be set.")));
        }
    }
    if properties.contains_key("passwordCredentials") {
        return Err(Refusal::bad_request(
            "Updates to passwordCredentials are not allowed; use addPassword and removePassword.",
        ));
    }
    if let Some(audience) = properties.get("signInAudience")
        && !audience.as_str().is_some_and(|audience| SIGN_IN_AUDIENCES.contains(&audience))
    {
        return Err(Refusal::bad_request(
            "Invalid value specified for property 'signInAudience' of resource 'Application'.",
        ));
    }
    if properties.get("requiredResourceAccess").is_some_and(|required| !is_required_access(required)) {
        return Err(Refusal::bad_request(
            "Invalid value specified for property 'resourceAccess' of resource 'RequiredResourceAccess'.",
        ));
    }
    Ok(properties)
}

fn is_required_access(value: &Value) -> bool {
    let is_guid = |value: &Value| value.as_str().is_some_and(|text| uuid::Uuid::try_parse(text).is_ok());
    let is_access =
        |access: &Value| is_guid(&access["id"]) && matches!(access["type"].as_str(), Some("Role" | "Scope"));
    let is_entry = |entry: &Value| {
        is_guid(&entry["resourceAppId"])
            && entry["resourceAccess"].as_array().is_some_and(|list| list.iter().all(is_access))
    };
    value.as_array().is_some_and(|list| list.iter().all(is_entry))
}

const SIGN_IN_AUDIENCES: &[&str] =
    &["AzureADMyOrg", "AzureADMultipleOrgs", "AzureADandPersonalMicrosoftAccount", "PersonalMicrosoftAccount"];
