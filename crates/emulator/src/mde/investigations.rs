//! Automated investigations: those of alerts, and those that callers ordered.

use axum::extract::Path;
use http::StatusCode;
use serde_json::{Value, json};

use super::{
    alert_view::is_endpoint,
    alerts::READ,
    call::{Answer, Door, Head, List, TOP_MAX, by, shown, usual},
};
use crate::{
    odata::Kind,
    world::{Alert, OrderedInvestigation, Term, World},
};

pub(super) async fn list(head: Head) -> Answer {
    let call = head.admit(&LIST)?;
    let rows = call.with_world(|world| all(world));
    call.list(&INVESTIGATIONS, rows)
}

/// By its number, or by the alert that triggered it.
pub(super) async fn one(Path(id): Path<String>, head: Head) -> Answer {
    let call = head.admit(&ONE)?;
    let found = call.with_world(|world| {
        all(world).into_iter().find(|found| found["id"] == id.as_str() || found["triggeringAlertId"] == id.as_str())
    });
    let found = found.ok_or_else(|| call.not_found("Investigation", &id))?;
    Ok(call.entity(StatusCode::OK, "Investigations/$entity", found))
}

/// An investigation that a caller ordered, by its number.
pub(super) fn ordered_json(world: &World, id: u64) -> Value {
    let found = world.ordered_investigations().iter().find(|ordered| ordered.id == id);
    found.map_or(Value::Null, |ordered| one_json(world, ordered))
}

/// Newest first, each number once.
fn all(world: &World) -> Vec<Value> {
    let mut rows: Vec<Value> =
        world.ordered_investigations().iter().rev().map(|ordered| one_json(world, ordered)).collect();
    for alert in world.alerts().into_iter().filter(|alert| is_endpoint(alert)) {
        let Some(id) = alert.investigation_id().map(|id| id.to_string()) else { continue };
        if !rows.iter().any(|row| row["id"] == id.as_str()) {
            rows.push(triggered_json(world, alert, &id));
        }
    }
    rows
}

fn triggered_json(world: &World, alert: &Alert, id: &str) -> Value {
    let device = &world.company.devices[usize::from(alert.device)];
    json!({
        "id": id,
        "startTime": alert.created.plus_s(20).to_string(),
        "endTime": alert.resolved.map(|at| at.to_string()),
        "state": alert.investigation_state().xdr(),
        "cancelledBy": null,
        "statusDetails": null,
        "machineId": device.machine_id,
        "computerDnsName": device.dns_name,
        "triggeringAlertId": &*alert.id,
    })
}

fn one_json(world: &World, ordered: &OrderedInvestigation) -> Value {
    let device = &world.company.devices[usize::from(ordered.device)];
    let ended = world.investigation_end(ordered);
    json!({
        "id": ordered.id.to_string(),
        "startTime": ordered.started.to_string(),
        "endTime": ended.map(|at| at.to_string()),
        "state": world.ordered_state(ordered).xdr(),
        "cancelledBy": null,
        "statusDetails": null,
        "machineId": device.machine_id,
        "computerDnsName": device.dns_name,
        "triggeringAlertId": ordered.alert,
    })
}

/// Filterable are those that the page of the list names.
const INVESTIGATIONS: List = List {
    set: "Investigations",
    entity: "microsoft.windowsDefenderATP.api.Investigation",
    properties: &[
        by("startTime", Kind::Instant),
        by("id", Kind::Text),
        by("state", Kind::Text),
        by("machineId", Kind::Text),
        by("triggeringAlertId", Kind::Text),
        shown("endTime"),
        shown("computerDnsName"),
    ],
    top_max: TOP_MAX,
};

const LIST: Door = Door { roles: READ, limit: usual("mde investigations") };
const ONE: Door = Door { roles: READ, limit: usual("mde investigation") };
