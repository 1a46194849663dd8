//! Secrets and certificates of a registration.

use axum::{extract::Path, response::Response};
use base64::{Engine, engine::general_purpose::STANDARD};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::{
    applications::shown_password,
    call::{Call, Refusal, Reply, WRITE},
    validity,
};
use crate::{
    directory::{Application, Directory, KeyCredential},
    jwt::Jwt,
    signing::certificate_key,
};

pub(super) async fn add_password(Path(id): Path<String>, call: Call) -> Response {
    call.answer(|call| {
        let actor = call.actor(WRITE)?;
        let body = call.object().unwrap_or_default();
        let wanted = body.get("passwordCredential").and_then(Value::as_object).cloned().unwrap_or_default();
        let start = instant(&wanted, "startDateTime")?.unwrap_or(call.now);
        let default_end = start.saturating_add(SignedDuration::from_hours(24 * 365 * 2));
        let end = instant(&wanted, "endDateTime")?.or(default_end.ok()).unwrap_or(Timestamp::MAX);
        if end <= start {
            return Err(Refusal::bad_request(
                "The end date of the password credential must be later than its start date.",
            ));
        }
        let display_name = wanted.get("displayName").and_then(Value::as_str).map(str::to_owned);
        let mut directory = call.cloud.directory();
        let app_id = actor.changeable(&directory, &id)?;
        let password = directory
            .add_password(&app_id, display_name, start, end)
            .map_err(|error| Refusal::of_write(error, &app_id))?;
        let mut shown = shown_password(&password);
        shown["secretText"] = json!(password.secret.0);
        shown["@odata.context"] = call.context("microsoft.graph.passwordCredential").into();
        Ok(Reply::Shown(shown))
    })
}

pub(super) async fn remove_password(Path(id): Path<String>, call: Call) -> Response {
    call.answer(|call| {
        let actor = call.actor(WRITE)?;
        let key_id = key_id(&call.object()?)?;
        let mut directory = call.cloud.directory();
        let app_id = actor.changeable(&directory, &id)?;
        let removed = directory.application_mut(&app_id).is_some_and(|own| {
            let before = own.passwords.len();
            own.passwords.retain(|password| password.key_id != key_id);
            own.passwords.len() < before
        });
        if removed {
            Ok(Reply::Done)
        } else {
            Err(Refusal::bad_request(format!("No password credential found with keyId '{key_id}'.")))
        }
    })
}

/// Adds a certificate with proof of one that is registered. Rolling one's own keys needs no permission.
pub(super) async fn add_key(Path(id): Path<String>, call: Call) -> Response {
    call.answer(|call| {
        let body = call.object()?;
        let app_id = proven(call, &id, &body)?;
        let key = body.get("keyCredential").cloned().unwrap_or_default();
        let mut directory = call.cloud.directory();
        let mut added = read_keys(&mut directory, &[], &json!([key]))?;
        if let Some(application) = directory.application_mut(&app_id) {
            application.keys.append(&mut added);
        }
        Ok(Reply::Shown(json!({ "@odata.context": call.context("microsoft.graph.keyCredential") })))
    })
}

pub(super) async fn remove_key(Path(id): Path<String>, call: Call) -> Response {
    call.answer(|call| {
        let body = call.object()?;
        let key_id = key_id(&body)?;
        let app_id = proven(call, &id, &body)?;
        if let Some(application) = call.cloud.directory().application_mut(&app_id) {
            application.keys.retain(|key| key.key_id != key_id);
        }
        Ok(Reply::Done)
    })
}

/// Reads `keyCredentials` of a body. An entry without a key keeps the one of the same `keyId`.
pub(super) fn read_keys(
    directory: &mut Directory,
    old: &[KeyCredential],
    list: &Value,
) -> Result<Vec<KeyCredential>, Refusal> {
    let entries = list.as_array().ok_or_else(|| invalid_key("Expected a collection of key credentials."))?;
    let mut keys = Vec::new();
    for entry in entries {
        let text = |name: &str| entry[name].as_str();
        let kept = old.iter().find(|key| text("keyId") == Some(key.key_id.as_str()));
        match (text("key"), kept) {
            (None, Some(kept)) => keys.push(kept.clone()),
            (None, None) => return Err(invalid_key("Key credential has no key.")),
            (Some(key), _) => {
                let certificate = STANDARD.decode(key).map_err(|_| invalid_key("Key credential key is not base64."))?;
                let range = validity(&certificate).filter(|_| certificate_key(&certificate).is_some());
                let (start, end) = range.ok_or_else(|| invalid_key("Key value is invalid certificate"))?;
                let entry = entry.as_object().cloned().unwrap_or_default();
                let wanted_end = instant(&entry, "endDateTime")?.unwrap_or(end);
                if wanted_end > end {
                    let message = "Key credential end date is invalid.";
                    return Err(Refusal::of(http::StatusCode::BAD_REQUEST, "KeyCredentialsInvalidEndDate", message));
                }
                let key_id = text("keyId").map_or_else(|| directory.guid(), str::to_owned);
                let start = instant(&entry, "startDateTime")?.unwrap_or(start);
                let display_name = text("displayName").map(str::to_owned);
                keys.push(KeyCredential { key_id, display_name, certificate, start, end: wanted_end });
            }
        }
    }
    Ok(keys)
}

/// Checks `proof`: a JWT of at most ten minutes for the directory, signed with a certificate of the application.
fn proven(call: &Call, id: &str, body: &Map<String, Value>) -> Result<String, Refusal> {
    let actor = call.actor(&[])?;
    let directory = call.cloud.directory();
    let application = actor.application(&directory, id)?;
    let own = actor.caller.app_id.eq_ignore_ascii_case(&application.app_id);
    if !own && !actor.may_change(application) {
        return Err(Refusal::no_privilege());
    }
    let proof = body.get("proof").and_then(Value::as_str).and_then(Jwt::parse);
    if proof.is_some_and(|proof| is_proof(&proof, application, call.now)) {
        return Ok(application.app_id.clone());
    }
    // The page documents no error for a wrong proof (G).
    Err(Refusal::of(
        http::StatusCode::UNAUTHORIZED,
        "Authentication_MissingOrMalformed",
        "Access Token missing or malformed.",
    ))
}

fn is_proof(proof: &Jwt, application: &Application, now: Timestamp) -> bool {
    let now = now.as_second();
    let (start, end) = (proof.claim_seconds("nbf").unwrap_or(i64::MAX), proof.claim_seconds("exp").unwrap_or(i64::MIN));
    let in_time = start <= now + LEEWAY_S && now < end + LEEWAY_S && end.saturating_sub(start) <= PROOF_LIFETIME_S;
    let signed = |key: &KeyCredential| {
        let living = key.start.as_second() <= now && now < key.end.as_second();
        living && certificate_key(&key.certificate).is_some_and(|public| proof.signed_by(&public))
    };
    in_time
        && proof.has_audience(|audience| audience == DIRECTORY_APP_ID)
        && proof.claim_text("iss").is_some_and(|issuer| issuer.eq_ignore_ascii_case(&application.id))
        && application.keys.iter().any(signed)
}

fn key_id(body: &Map<String, Value>) -> Result<String, Refusal> {
    let text = body.get("keyId").and_then(Value::as_str);
    text.map(str::to_owned).ok_or_else(|| Refusal::bad_request("A value is required for parameter 'keyId'."))
}

fn instant(body: &Map<String, Value>, name: &str) -> Result<Option<Timestamp>, Refusal> {
    let Some(text) = body.get(name).and_then(Value::as_str) else { return Ok(None) };
    let invalid = |_| Refusal::bad_request(format!("Invalid value specified for property '{name}'."));
    text.parse().map(Some).map_err(invalid)
}

fn invalid_key(message: &str) -> Refusal {
    Refusal::bad_request(message)
}

/// Azure AD Graph: the audience that the proof names to this day.
const DIRECTORY_APP_ID: &str = "00000002-0000-0000-c000-000000000000";
const PROOF_LIFETIME_S: i64 = 600;
const LEEWAY_S: i64 = 300;
