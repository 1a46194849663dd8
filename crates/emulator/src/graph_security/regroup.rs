//! `mergeIncidents` and `moveAlerts`: alerts find another incident.
//!
//! The pages show request and answer, not the course. What rests on a guess (G): the first incident of a merge is the
//! one that stays (as in the vendor's sample), nothing is changed where one id is not usable, the comment of a merge
//! goes to the incident that stays and that of a move to each alert, and an incident whose last alert is moved away
//! redirects to where it went.

use std::collections::BTreeSet;

use axum::{
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value, json};

use super::{
    alerts,
    answer::{Call, Head, Refusal, read_body},
    incidents,
};
use crate::{
    cloud::App,
    counters::Effect,
    world::{MergeError, MoveError},
};

pub(super) async fn merge_incidents(State(app): State<App>, head: Head, request: Request) -> Response {
    let call = match head.admit(app, MANAGE, &incidents::LIMIT) {
        Ok(call) => call,
        Err(refusal) => return *refusal,
    };
    let bytes = match read_body(request).await {
        Ok(bytes) => bytes,
        Err(status) => return status.into_response(),
    };
    match merged(&call, &bytes) {
        Ok(target) => call.ok(response(&call, target)),
        Err(refusal) => *refusal,
    }
}

pub(super) async fn move_alerts(State(app): State<App>, head: Head, request: Request) -> Response {
    let call = match head.admit(app, MANAGE, &alerts::LIMIT) {
        Ok(call) => call,
        Err(refusal) => return *refusal,
    };
    let bytes = match read_body(request).await {
        Ok(bytes) => bytes,
        Err(status) => return status.into_response(),
    };
    match moved(&call, &bytes) {
        Ok(target) => call.ok(response(&call, target)),
        Err(refusal) => *refusal,
    }
}

fn merged(call: &Call, bytes: &bytes::Bytes) -> Result<u64, Refusal> {
    let fields = parameters(call, bytes, "mergeIncidents", &["incidentIds", "incidentComment", "mergeReasons"])?;
    let mut numbers = Vec::new();
    for id in texts(call, &fields, "incidentIds")? {
        numbers.push(incidents::number_of(&id).ok_or_else(|| Box::new(incidents::malformed(call, &id)))?);
    }
    if numbers.len() < 2 {
        return Err(call.refuse("The parameter 'incidentIds' must name at least two incidents."));
    }
    let comment = comment(call, &fields, "incidentComment")?;
    check_reasons(call, &fields, "mergeReasons")?;
    let by = &call.caller.display_name;
    let target = call.with_world(|world| world.merge_all(&numbers, by, comment.clone()));
    let target = target.map_err(|(id, error)| match error {
        MergeError::Unknown => Box::new(call.not_found("incident", &id.to_string())),
        MergeError::Same => call.refuse(&format!("The incident '{id}' is named more than once.")),
        MergeError::AlreadyMerged => call.refuse(&format!("The incident '{id}' was merged into another one before.")),
    })?;
    for id in numbers.iter().filter(|id| **id != target) {
        call.app.counters.applied(&call.caller.tenant, &format!("incidents/{id}"), Effect::Patch);
    }
    if comment.is_some() {
        call.app.counters.applied(&call.caller.tenant, &format!("incidents/{target}"), Effect::Comment);
    }
    Ok(target)
}

fn moved(call: &Call, bytes: &bytes::Bytes) -> Result<u64, Refusal> {
    let known = &["alertIds", "incidentId", "alertComment", "newCorrelationReasons"];
    let fields = parameters(call, bytes, "moveAlerts", known)?;
    let mut seen = BTreeSet::new();
    let ids = texts(call, &fields, "alertIds")?;
    let ids: Vec<String> = ids.into_iter().filter(|id| seen.insert(id.clone())).collect();
    if ids.is_empty() {
        return Err(call.refuse("The parameter 'alertIds' must name at least one alert."));
    }
    let into = match call.text(&fields, "incidentId")?.flatten() {
        None => None,
        Some(id) => Some(incidents::number_of(&id).ok_or_else(|| Box::new(incidents::malformed(call, &id)))?),
    };
    let comment = comment(call, &fields, "alertComment")?;
    check_reasons(call, &fields, "newCorrelationReasons")?;
    let by = &call.caller.display_name;
    let target = call.with_world(|world| world.move_alerts(&ids, into, by, comment.clone()));
    let target = target.map_err(|error| match error {
        MoveError::UnknownAlert(id) => Box::new(call.not_found("alert", &id)),
        MoveError::UnknownIncident(id) => Box::new(call.not_found("incident", &id.to_string())),
    })?;
    for id in &ids {
        call.app.counters.applied(&call.caller.tenant, &format!("alerts/{id}"), Effect::Patch);
        if comment.is_some() {
            call.app.counters.applied(&call.caller.tenant, &format!("alerts/{id}"), Effect::Comment);
        }
    }
    Ok(target)
}

fn response(call: &Call, target: u64) -> Value {
    let context = format!("{}/$metadata#microsoft.graph.security.mergeResponse", call.base);
    json!({ "@odata.context": context, "targetIncidentId": target.to_string() })
}

/// The parameters of an action; one that it does not have is refused.
fn parameters(call: &Call, bytes: &bytes::Bytes, action: &str, known: &[&str]) -> Result<Map<String, Value>, Refusal> {
    let fields = call.body(bytes)?;
    match fields.keys().find(|name| !name.contains('@') && !known.contains(&name.as_str())) {
        None => Ok(fields),
        Some(name) => Err(call.refuse(&format!(
            "The parameter '{name}' in the request payload is not a valid parameter for the operation '{action}'."
        ))),
    }
}

fn texts(call: &Call, fields: &Map<String, Value>, name: &str) -> Result<Vec<String>, Refusal> {
    let list = fields.get(name).cloned().unwrap_or_default();
    serde_json::from_value(list)
        .map_err(|_| call.refuse(&format!("The parameter '{name}' is required and must be a list of strings.")))
}

fn comment(call: &Call, fields: &Map<String, Value>, name: &str) -> Result<Option<String>, Refusal> {
    Ok(call.text(fields, name)?.flatten().filter(|text| !text.trim().is_empty()))
}

/// One or more words of `correlationReason`, separated by commas. No read shows them again.
fn check_reasons(call: &Call, fields: &Map<String, Value>, name: &str) -> Result<(), Refusal> {
    let Some(given) = call.text(fields, name)?.flatten() else { return Ok(()) };
    match given.split(',').map(str::trim).find(|word| !REASONS.contains(word)) {
        None => Ok(()),
        Some(word) => Err(call.refuse(&format!("The value '{word}' is not valid for the parameter '{name}'."))),
    }
}

const MANAGE: &[&str] = &["SecurityData.Manage.All"];
/// `eventCasualSequence` is the vendor's spelling.
const REASONS: &[&str] = &[
    "repeatedAlertOccurrence",
    "sameGeography",
    "similarArtifacts",
    "sameTargetedAsset",
    "sameNetworkSegment",
    "eventSequence",
    "timeFrame",
    "sameThreatSource",
    "similarTTPsOrBehavior",
    "sameActor",
    "sameCampaign",
    "sharedIndicators",
    "sameAsset",
    "networkProximity",
    "eventCasualSequence",
    "temporalProximity",
    "lateralMovementPath",
];
