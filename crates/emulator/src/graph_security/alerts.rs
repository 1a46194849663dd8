//! `/security/alerts_v2`: list, read, change, comment.

use axum::{
    extract::{Path, Request, State},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use super::{
    answer::{Call, Head, Refusal, read_body},
    lists::{List, check_select, list_json, page, select},
    view::{alert_json, comments_json},
};
use crate::{
    cloud::App,
    counters::Effect,
    odata::{Query, QueryError},
    throttle::Limit,
    world::{AlertChange, AlertStatus, Classification, Determination, Term, World},
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
    let query = match Query::read(&call.query, &["$select"])
        .and_then(|query| check_select(List::Alerts, &query).map(|()| query))
    {
        Ok(query) => query,
        Err(error) => return call.bad_query(&error),
    };
    let found = on_alert(&call, &id, |world| {
        let alert = world.alert(&id)?;
        Some(select(alert_json(world, alert, call.members), query.select.as_deref()))
    });
    match found {
        Ok(entity) => call.entity("alerts_v2", entity),
        Err(refusal) => *refusal,
    }
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
    let changed = on_alert(&call, &id, |world| {
        world.change_alert(&id, &call.caller.display_name, change)?;
        world.alert(&id).map(|alert| alert_json(world, alert, call.members))
    });
    match changed {
        Ok(entity) => {
            call.app.counters.applied(&call.caller.tenant, &format!("alerts/{id}"), Effect::Patch);
            call.entity("alerts_v2", entity)
        }
        Err(refusal) => *refusal,
    }
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
    let change = match text {
        Ok(text) => AlertChange { comment: Some(text), ..AlertChange::default() },
        Err(refusal) => return *refusal,
    };
    let comments = on_alert(&call, &id, |world| {
        world.change_alert(&id, &call.caller.display_name, change).map(|alert| comments_json(&alert.comments))
    });
    match comments {
        Ok(comments) => {
            call.app.counters.applied(&call.caller.tenant, &format!("alerts/{id}"), Effect::Comment);
            let context = format!("{}/$metadata#security/alerts_v2('{id}')/comments", call.base);
            call.ok(json!({ "@odata.context": context, "value": comments }))
        }
        Err(refusal) => *refusal,
    }
}

fn read_list(call: &Call) -> Result<Value, QueryError> {
    let options = &["$filter", "$top", "$skip", "$count", "$orderby", "$select", "$skiptoken"];
    let query = Query::read(&call.query, options)?;
    check_select(List::Alerts, &query)?;
    // Above the maximum is cut, not refused; the number is the one of the security API's constraints page (G).
    let size = query.top.unwrap_or(PAGE_SIZE).min(PAGE_SIZE_MAX);
    let url = format!("{}/security/alerts_v2", call.base);
    call.with_world(|world| {
        let page = page(world, List::Alerts, &query, &call.query, &url, size)?;
        let rows = page.rows.iter().filter_map(|position| world.alert_at(*position));
        let value = rows.map(|alert| select(alert_json(world, alert, call.members), query.select.as_deref())).collect();
        Ok(list_json(&format!("{}/$metadata#security/alerts_v2", call.base), &page, value))
    })
}

fn on_alert(call: &Call, id: &str, act: impl FnOnce(&mut World) -> Option<Value>) -> Result<Value, Refusal> {
    let is_shaped =
        id.len() <= ID_LENGTH_MAX && id.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    if !is_shaped {
        return Err(call.refuse(&format!("The alert id '{id}' is not valid.")));
    }
    Ok(call.with_world(act).ok_or_else(|| call.not_found("alert", id))?)
}

async fn read_change(call: &Call, request: Request) -> Result<AlertChange, Refusal> {
    let bytes = read_body(request).await.map_err(|status| Box::new(status.into_response()))?;
    let fields = call.body(&bytes)?;
    call.only(&fields, List::Alerts.entity(), &["assignedTo", "classification", "determination", "status"])?;
    Ok(AlertChange {
        status: call.term(&fields, "status", AlertStatus::parse)?,
        classification: call.term(&fields, "classification", Classification::parse)?,
        determination: call.term(&fields, "determination", Determination::parse)?,
        assigned_to: call.text(&fields, "assignedTo")?,
        comment: None,
    })
}

/// The live refusal names the incident roles, too (wazuh/wazuh-documentation issue 7300): either pair opens the reads.
const READ: &[&str] = &[
    "SecurityAlert.Read.All",
    "SecurityAlert.ReadWrite.All",
    "SecurityIncident.Read.All",
    "SecurityIncident.ReadWrite.All",
];
const WRITE: &[&str] = &["SecurityAlert.ReadWrite.All"];
pub(super) const LIMIT: Limit = Limit { name: "graph alerts", windows: &[(150, 60)] };
const PAGE_SIZE: usize = 100;
const PAGE_SIZE_MAX: usize = 1_000;
const ID_LENGTH_MAX: usize = 128;
