//! Alerts: list, read, close, mark as read.

use axum::extract::Path;
use serde_json::{Value, json};

use super::{
    call::{Answer, Call, Head, bad, millis, not_found, ok},
    filter::{Filter, Row},
};
use crate::{
    counters::Effect,
    world::{
        Alert, AlertChange, AlertStatus, Classification, Clue, Dice, Person, ServiceSource, Severity, World, part,
    },
};

pub(super) async fn list(head: Head) -> Answer {
    let call = head.admit(READ)?;
    let listing = call.listing(FACETS, &["date", "severity"])?;
    let page = listing.page(call.with_world(|world| rows(world)));
    Ok(ok(json!({
        "data": page.data, "hasNext": page.has_next, "max": page.total, "total": page.total, "moreThanTotal": false,
    })))
}

pub(super) async fn one(Path(pk): Path<String>, head: Head) -> Answer {
    let call = head.admit(READ)?;
    let found = call.with_world(|world| found(world, &pk).map(|alert| alert_json(world, alert)));
    found.map(ok).ok_or_else(not_found)
}

pub(super) async fn mark_read(Path(pk): Path<String>, head: Head) -> Answer {
    mark(head.admit(READ)?, &pk, true)
}

pub(super) async fn mark_unread(Path(pk): Path<String>, head: Head) -> Answer {
    mark(head.admit(READ)?, &pk, false)
}

pub(super) async fn close_benign(head: Head) -> Answer {
    close(&head.admit(MANAGE)?, "closed_benign", Classification::Expected, &[2, 4, 5, 6])
}

pub(super) async fn close_false_positive(head: Head) -> Answer {
    close(&head.admit(MANAGE)?, "closed_false_positive", Classification::FalsePositive, &[0, 1, 3, 4])
}

pub(super) async fn close_true_positive(head: Head) -> Answer {
    close(&head.admit(MANAGE)?, "closed_true_positive", Classification::TruePositive, &[])
}

fn mark(call: Call, pk: &str, is_read: bool) -> Answer {
    let marked = call.with_world(|world| {
        let id = found(world, pk)?.id.to_string();
        world.mark_read(&id, is_read);
        Some(id)
    });
    let id = marked.ok_or_else(not_found)?;
    call.applied(&format!("alerts/{id}"), Effect::Patch);
    Ok(ok(json!({})))
}

/// Closes what the filters find and tells which ids they name in vain.
fn close(call: &Call, counted: &str, classification: Classification, reasons: &[u64]) -> Answer {
    let known = ["filters", "comment", "reasonId", "sendFeedback", "feedbackText", "allowContact", "contactEmail"];
    let takes = |name: &str| known.contains(&name) && (name != "reasonId" || !reasons.is_empty());
    if let Some(name) = call.fields.keys().find(|name| !takes(name)) {
        return Err(bad(&format!("Unknown parameter: {name}")));
    }
    let filters = call.filters(FACETS)?;
    if filters.is_empty() {
        return Err(bad("The parameter 'filters' is required."));
    }
    match call.fields.get("reasonId") {
        None | Some(Value::Null) => {}
        Some(reason) if reason.as_u64().is_some_and(|number| reasons.contains(&number)) => {}
        Some(reason) => return Err(bad(&format!("The reason {reason} is not one of {reasons:?}."))),
    }
    for name in ["sendFeedback", "allowContact"] {
        if call.fields.get(name).is_some_and(|flag| !flag.is_boolean()) {
            return Err(bad(&format!("The parameter '{name}' must be true or false.")));
        }
    }
    let comment = call.text("comment")?.filter(|text| !text.is_empty());
    call.text("feedbackText")?;
    call.text("contactEmail")?;
    let (closed, missing) = call.with_world(|world| {
        let rows = rows(world).into_iter().filter(|row| filters.iter().all(|filter| filter.holds(row)));
        let pks: Vec<String> =
            rows.filter_map(|row| row.first("id").and_then(Value::as_str).map(str::to_owned)).collect();
        let named = Filter::named(&filters, "id").into_iter();
        let missing: Vec<String> = named.filter(|pk| found(world, pk).is_none()).map(str::to_owned).collect();
        let ids: Vec<String> = pks.iter().filter_map(|pk| found(world, pk).map(|alert| alert.id.to_string())).collect();
        for id in &ids {
            let change = AlertChange {
                status: Some(AlertStatus::Resolved),
                classification: Some(classification),
                comment: comment.clone(),
                ..AlertChange::default()
            };
            world.change_alert(id, &call.caller.display_name, change);
        }
        (ids, missing)
    });
    for id in &closed {
        call.applied(&format!("alerts/{id}"), Effect::Patch);
        if comment.is_some() {
            call.applied(&format!("alerts/{id}"), Effect::Comment);
        }
    }
    let mut body = json!({ counted: closed.len() });
    if !missing.is_empty() {
        body["alertsNotFound"] = json!(missing);
    }
    Ok(ok(body))
}

/// The alerts that this product has raised.
fn alerts(world: &World) -> impl Iterator<Item = &Alert> {
    world.alerts().into_iter().filter(|alert| alert.kind.service == ServiceSource::CloudApps)
}

fn found<'w>(world: &'w World, pk: &str) -> Option<&'w Alert> {
    alerts(world).find(|alert| pk_of(alert) == pk)
}

/// 24 hex digits.
fn pk_of(alert: &Alert) -> String {
    Dice::new(&[alert.seed, 101]).hex(24)
}

fn rows(world: &World) -> Vec<Row> {
    alerts(world).map(|alert| row(world, alert)).collect()
}

fn row(world: &World, alert: &Alert) -> Row {
    let shown = alert_json(world, alert);
    let entities = shown["entities"].as_array().cloned().unwrap_or_default();
    let of = |kind: &str| -> Vec<Value> { entities.iter().filter(|one| one["type"] == kind).cloned().collect() };
    let ids = |kind: &str| of(kind).into_iter().map(|one| one["id"].clone()).collect::<Vec<_>>();
    let is_open = alert.status != AlertStatus::Resolved;
    let facets = [
        ("entity.entity", of("account")),
        ("entity.ip", ids("ip")),
        ("entity.service", ids("service")),
        ("entity.instance", vec![json!(0)]),
        ("entity.policy", ids("policyRule")),
        ("alertOpen", vec![json!(is_open)]),
        ("severity", vec![shown["severityValue"].clone()]),
        ("resolutionStatus", vec![shown["resolutionStatusValue"].clone()]),
        ("read", vec![json!(shown["statusValue"] != 0)]),
        ("date", vec![shown["timestamp"].clone()]),
        ("resolutionDate", alert.resolved.map(|at| json!(millis(at))).into_iter().collect()),
        ("risk", vec![shown["threatScore"].clone()]),
        ("alertType", vec![shown["idValue"].clone()]),
        ("id", vec![shown["_id"].clone()]),
        ("source", vec![json!(0)]),
    ];
    Row { shown, facets: facets.into_iter().collect() }
}

fn alert_json(world: &World, alert: &Alert) -> Value {
    let pk = pk_of(alert);
    let is_resolved = alert.status == AlertStatus::Resolved;
    let status = if is_resolved { 2 } else { u8::from(world.is_marked_read(&alert.id)) };
    let score = match alert.severity {
        Severity::Informational => 5,
        Severity::Low => 20,
        Severity::Medium => 45,
        Severity::High => 80,
    };
    json!({
        "_id": pk,
        "contextId": alert.id.strip_prefix(alert.kind.service.id_prefix()).unwrap_or(&alert.id),
        "timestamp": millis(alert.created),
        "title": alert.title(&world.company),
        "description": alert.description(&world.company),
        "isMarkdown": false,
        "entities": entities_json(world, alert),
        "idValue": part(alert.kind.title) % 90_000_000 + 10_000_000,
        "isSystemAlert": false,
        "statusValue": status,
        "severityValue": match alert.severity {
            Severity::Low => 0,
            Severity::Medium => 1,
            Severity::High => 2,
            Severity::Informational => 3,
        },
        "resolutionStatusValue": match (is_resolved, alert.classification) {
            (false, _) => 0,
            (true, Classification::Unknown) => 2,
            (true, Classification::FalsePositive) => 3,
            (true, Classification::Expected) => 4,
            (true, Classification::TruePositive) => 5,
        },
        "stories": [0],
        "evidence": [],
        "intent": [],
        "isPreview": false,
        "audits": [],
        "threatScore": score,
        "comment": alert.comments.last().map_or("", |comment| &comment.text),
        "handledByUser": alert.assigned_to,
        "resolveTime": alert.resolved.map(|at| at.to_string()),
        "URL": format!("https://{}.portal.cloudappsecurity.com/#/alerts/{pk}", host_label(world)),
    })
}

/// The person, the addresses, the apps, and the policy that has found it.
fn entities_json(world: &World, alert: &Alert) -> Vec<Value> {
    let person: &Person = &world.company.people[usize::from(alert.person)];
    let mut entities = vec![json!({
        "type": "account", "entityType": 2, "entityRole": "Source", "id": person.object_id, "inst": 0,
        "saas": super::entities::DIRECTORY_APP, "label": person.display_name, "pa": person.upn,
    })];
    for evidence in alert.evidence(&world.company) {
        match evidence.clue {
            Clue::Ip { address, .. } => {
                entities.push(json!({ "type": "ip", "id": address, "label": address, "entityRole": "Source" }));
            }
            Clue::CloudApp { name, app_id } => entities.push(json!({ "type": "service", "id": app_id, "label": name })),
            Clue::OauthApp { name, app_id, .. } => {
                entities.push(json!({ "type": "oauth", "id": app_id, "label": name, "entityRole": "Related" }));
            }
            _ => {}
        }
    }
    let policy = Dice::new(&[part(alert.kind.title), 102]).hex(24);
    entities.push(json!({
        "type": "policyRule", "policyType": "ANOMALY_DETECTION", "id": policy, "label": alert.kind.title,
    }));
    entities
}

/// First label of the tenant's address in this service.
fn host_label(world: &World) -> String {
    world.company.domain.split('.').next().unwrap_or("contoso").to_owned()
}

const READ: &[&str] = &["investigation.read", "investigation.manage", "discovery.read", "discovery.manage"];
const MANAGE: &[&str] = &["investigation.manage", "discovery.manage"];
/// The fields that the page of the filters names.
const FACETS: &[&str] = &[
    "entity.entity",
    "entity.ip",
    "entity.service",
    "entity.instance",
    "entity.policy",
    "entity.file",
    "alertOpen",
    "severity",
    "resolutionStatus",
    "read",
    "date",
    "resolutionDate",
    "risk",
    "alertType",
    "id",
    "source",
];
