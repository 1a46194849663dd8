//! Federated identity credentials: which tokens from outside stand for the application.

use axum::{extract::Path, response::Response};
use http::StatusCode;
use serde_json::{Value, json};

use super::call::{Call, READ, Refusal, Reply, WRITE};
use crate::directory::Federated;

pub(super) async fn list(Path(id): Path<String>, call: Call) -> Response {
    call.answer(|call| {
        let actor = call.actor(READ)?;
        let directory = call.cloud.directory();
        let application = actor.application(&directory, &id)?;
        let (set, objects) = (set(&application.id), application.federated.iter().map(shown).collect());
        drop(directory);
        Ok(Reply::Shown(call.query.collection(call, &set, objects)?))
    })
}

pub(super) async fn create(Path(id): Path<String>, call: Call) -> Response {
    call.answer(|call| {
        let actor = call.actor(WRITE)?;
        let body = Value::Object(call.object()?);
        let mut directory = call.cloud.directory();
        let app_id = actor.changeable(&directory, &id)?;
        let record = read(&body, directory.guid())?;
        let Some(application) = directory.application_mut(&app_id) else { return Err(Refusal::not_found(&id)) };
        let clashes =
            |own: &Federated| own.name == record.name || (own.issuer == record.issuer && own.subject == record.subject);
        if application.federated.iter().any(clashes) {
            let message = format!("FederatedIdentityCredential with name {} already exists.", record.name);
            return Err(Refusal::of(StatusCode::CONFLICT, "Request_MultipleObjectsWithSameKeyValue", message));
        }
        if application.federated.len() >= RECORD_COUNT_MAX {
            return Err(Refusal::bad_request(format!(
                "The application holds the maximum of {RECORD_COUNT_MAX} federated credentials."
            )));
        }
        let (set, object) = (set(&application.id), shown(&record));
        application.federated.push(record);
        drop(directory);
        Ok(Reply::Created(call.query.entity(call, &set, object)))
    })
}

pub(super) async fn remove(Path((id, credential)): Path<(String, String)>, call: Call) -> Response {
    call.answer(|call| {
        let actor = call.actor(WRITE)?;
        let mut directory = call.cloud.directory();
        let app_id = actor.changeable(&directory, &id)?;
        let Some(application) = directory.application_mut(&app_id) else { return Err(Refusal::not_found(&id)) };
        let before = application.federated.len();
        application.federated.retain(|own| own.id != credential && own.name != credential);
        if application.federated.len() == before { Err(Refusal::not_found(&credential)) } else { Ok(Reply::Done) }
    })
}

fn read(body: &Value, id: String) -> Result<Federated, Refusal> {
    let text = |name: &'static str, length_max: usize| {
        let value = body[name].as_str().filter(|text| !text.is_empty() && text.len() <= length_max);
        let missing = || {
            Refusal::bad_request(format!(
                "Invalid value specified for property '{name}' of resource 'FederatedIdentityCredential'."
            ))
        };
        value.map(str::to_owned).ok_or_else(missing)
    };
    let audiences: Vec<_> =
        body["audiences"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
    let issuer = text("issuer", TEXT_LENGTH_MAX)?;
    if audiences.len() != 1 || !issuer.starts_with("https://") {
        return Err(Refusal::bad_request(
            "A federated credential has one audience and an issuer that starts with https://.",
        ));
    }
    let description = body["description"].as_str().map(str::to_owned);
    let (name, subject) = (text("name", NAME_LENGTH_MAX)?, text("subject", TEXT_LENGTH_MAX)?);
    Ok(Federated { id, name, issuer, subject, audiences, description })
}

fn shown(record: &Federated) -> Value {
    json!(record)
}

fn set(object_id: &str) -> String {
    format!("applications('{object_id}')/federatedIdentityCredentials")
}

const NAME_LENGTH_MAX: usize = 120;
const RECORD_COUNT_MAX: usize = 20;
const TEXT_LENGTH_MAX: usize = 600;
