//! `/security/incidents`: list, read, change, comment.

use axum::{
    extract::{Path, Request, State},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use super::{
    answer::{Call, Head, Refusal, read_body},
    lists::{List, check_select, list_json, page, select},
    view::{alert_json, comments_json, expanded_incident_json, incident_json},
};
use crate::{
    cloud::App,
    counters::Effect,
    odata::{Query, QueryError},
    throttle::Limit,
    world::{Classification, Determination, Incident, IncidentChange, IncidentStatus, Term, World},
};

pub(super) async fn list(State(app): State<App>, head: Head) -> Response {
    let call = match head.admit(app, READ, &LIMIT) {
        Ok(call) => call,
        Err(refusal) => return *refusal,
    };
    match read_list(&call) {
        Ok(body) => call.ok(body),
        Err(error) => call.bad_query(&error),
    }
}

pub(super) async fn one(State(app): State<App>, Path(id): Path<String>, head: Head) -> Response {
    let call = match head.admit(app, READ, &LIMIT) {
        Ok(call) => call,
        Err(refusal) => return *refusal,
    };
    let query = match read_query(&call, &["$expand", "$select"]) {
        Ok(query) => query,
        Err(error) => return call.bad_query(&error),
    };
    on_incident(&call, &id, |world, number| world.incident(number).map(|found| shaped(&call, world, found, &query)))
        .unwrap_or_else(|refusal| *refusal)
}

pub(super) async fn update(State(app): State<App>, Path(id): Path<String>, head: Head, request: Request) -> Response {
    let call = match head.admit(app, WRITE, &LIMIT) {
        Ok(call) => call,
        Err(refusal) => return *refusal,
    };
    let change = match read_change(&call, request).await {
        Ok(change) => change,
        Err(refusal) => return *refusal,
    };
    let changed = on_incident(&call, &id, |world, number| {
        world.change_incident(number, &call.caller.display_name, change)?;
        world.incident(number).map(|incident| incident_json(world, incident, call.members))
    });
    if changed.is_ok() {
        call.app.counters.applied(&call.caller.tenant, &format!("incidents/{id}"), Effect::Patch);
    }
    changed.unwrap_or_else(|refusal| *refusal)
}

pub(super) async fn comment(State(app): State<App>, Path(id): Path<String>, head: Head, request: Request) -> Response {
    let call = match head.admit(app, WRITE, &LIMIT) {
        Ok(call) => call,
        Err(refusal) => return *refusal,
    };
    let text = match read_body(request).await {
        Ok(bytes) => call.comment_text(&bytes),
        Err(status) => return status.into_response(),
    };
    let text = match text {
        Ok(text) => text,
        Err(refusal) => return *refusal,
    };
    let change = IncidentChange { comment: Some(text), ..IncidentChange::default() };
    let Some(number) = number_of(&id) else { return malformed(&call, &id) };
    let comments = call.with_world(|world| {
        world
            .change_incident(number, &call.caller.display_name, change)
            .map(|incident| comments_json(&incident.comments))
    });
    let Some(comments) = comments else { return call.not_found("incident", &id) };
    call.app.counters.applied(&call.caller.tenant, &format!("incidents/{id}"), Effect::Comment);
    let context = format!("{}/$metadata#security/incidents('{id}')/comments", call.base);
    call.ok(json!({ "@odata.context": context, "value": comments }))
}

/// The alerts of one incident, all at once.
pub(super) async fn alerts(State(app): State<App>, Path(id): Path<String>, head: Head) -> Response {
    let call = match head.admit(app, READ, &LIMIT) {
        Ok(call) => call,
        Err(refusal) => return *refusal,
    };
    let Some(number) = number_of(&id) else { return malformed(&call, &id) };
    let alerts = call.with_world(|world| {
        let incident = world.incident(number)?;
        Some(world.alerts_of(incident).map(|alert| alert_json(world, alert, call.members)).collect::<Vec<_>>())
    });
    let context = format!("{}/$metadata#security/incidents('{id}')/alerts", call.base);
    match alerts {
        Some(alerts) => call.ok(json!({ "@odata.context": context, "value": alerts })),
        None => call.not_found("incident", &id),
    }
}

fn read_list(call: &Call) -> Result<Value, QueryError> {
    let options = &["$filter", "$top", "$skip", "$count", "$orderby", "$expand", "$select", "$skiptoken"];
    let query = read_query(call, options)?;
    let size = query.top_within(PAGE_SIZE_MAX)?;
    let (url, context) =
        (format!("{}/security/incidents", call.base), format!("{}/$metadata#security/incidents", call.base));
    call.with_world(|world| {
        let page = page(world, List::Incidents, &query, &call.query, &url, size)?;
        let rows = page.rows.iter().filter_map(|position| world.incident_at(*position));
        let value = rows.map(|incident| shaped(call, world, incident, &query)).collect();
        let context = if query.expand.is_empty() { context } else { format!("{context}(alerts())") };
        Ok(list_json(&context, &page, value))
    })
}

fn read_query(call: &Call, options: &[&str]) -> Result<Query, QueryError> {
    let query = Query::read(&call.query, options)?;
    check_select(List::Incidents, &query)?;
    match query.expand.iter().find(|name| *name != "alerts") {
        None => Ok(query),
        Some(name) => Err(QueryError::UnknownProperty { property: name.clone(), entity: List::Incidents.entity() }),
    }
}

fn shaped(call: &Call, world: &World, incident: &Incident, query: &Query) -> Value {
    let entity = if query.expand.is_empty() {
        incident_json(world, incident, call.members)
    } else {
        expanded_incident_json(world, incident, call.members)
    };
    select(entity, query.select.as_deref())
}

/// Answers with what `act` makes of an incident, or with why there is none.
fn on_incident(call: &Call, id: &str, act: impl FnOnce(&mut World, u64) -> Option<Value>) -> Result<Response, Refusal> {
    let number = number_of(id).ok_or_else(|| malformed(call, id))?;
    let entity = call.with_world(|world| act(world, number)).ok_or_else(|| call.not_found("incident", id))?;
    Ok(call.entity("incidents", entity))
}

async fn read_change(call: &Call, request: Request) -> Result<IncidentChange, Refusal> {
    let bytes = read_body(request).await.map_err(|status| Box::new(status.into_response()))?;
    let fields = call.body(&bytes)?;
    call.only(&fields, List::Incidents.entity(), UPDATABLE)?;
    // Only Defender's experts set `awaitingAction`.
    let status = |word: &str| IncidentStatus::parse(word).filter(|status| *status != IncidentStatus::AwaitingAction);
    let tags = match fields.get("customTags") {
        None => None,
        Some(tags) => Some(
            serde_json::from_value::<Option<Vec<String>>>(tags.clone())
                .map_err(|_| call.refuse("The property 'customTags' must be a list of strings."))?
                .unwrap_or_default(),
        ),
    };
    Ok(IncidentChange {
        status: call.term(&fields, "status", status)?,
        classification: call.term(&fields, "classification", Classification::parse)?,
        determination: call.term(&fields, "determination", Determination::parse)?,
        assigned_to: call.text(&fields, "assignedTo")?,
        tags,
        comment: None,
        resolving_comment: call.text(&fields, "resolvingComment")?,
    })
}

pub(super) fn number_of(id: &str) -> Option<u64> {
    id.parse().ok()
}

pub(super) fn malformed(call: &Call, id: &str) -> Response {
    call.bad_request(&format!("The incident id '{id}' is not valid: it must be a number."))
}

const READ: &[&str] = &["SecurityIncident.Read.All", "SecurityIncident.ReadWrite.All"];
const WRITE: &[&str] = &["SecurityIncident.ReadWrite.All"];
/// Seen live; the page is silent (reference `details.md` 3).
const PAGE_SIZE_MAX: usize = 50;
/// The throttling table names alerts, not incidents; the same number is assumed (G).
pub(super) const LIMIT: Limit = Limit { name: "graph incidents", windows: &[(150, 60)] };
/// The page's five, and `resolvingComment` of the CSDL.
const UPDATABLE: &[&str] =
    &["assignedTo", "classification", "customTags", "determination", "resolvingComment", "status"];
