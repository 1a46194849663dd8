//! Incidents and alerts in the shape of Microsoft Graph (`microsoft.graph.security`, v1.0 CSDL of 2026-08).

use serde_json::{Value, json};

use super::evidence::evidence_json;
use crate::world::{Alert, AlertStatus, Comment, Incident, Term, World};

/// How a caller wants to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Members {
    /// Members newer than `unknownFutureValue` are hidden behind it.
    Known,
    /// All: the caller sent `Prefer: include-unknown-enum-members`.
    All,
}

impl Members {
    pub(super) fn spell(self, newer: &[&str], word: &'static str) -> &'static str {
        if self == Self::Known && newer.contains(&word) { "unknownFutureValue" } else { word }
    }
}

pub(crate) fn incident_json(world: &World, incident: &Incident, members: Members) -> Value {
    json!({
        "id": incident.id.to_string(),
        "tenantId": world.tenant,
        "status": members.spell(NEWER_INCIDENT_STATUS, incident.status.graph()),
        "incidentWebUrl": incident_url(incident.id, &world.tenant),
        "redirectIncidentId": incident.redirect.map(|id| id.to_string()),
        "displayName": incident.title,
        "createdDateTime": incident.created.to_string(),
        "lastUpdateDateTime": incident.updated.to_string(),
        "assignedTo": incident.assigned_to,
        "classification": incident.classification.graph(),
        "determination": incident.determination.graph(),
        "severity": incident.severity.graph(),
        "customTags": incident.tags,
        "systemTags": incident.system_tags,
        "description": world.description_of(incident),
        "lastModifiedBy": incident.modified_by,
        "resolvingComment": incident.resolving_comment,
        "summary": incident.summary,
        "priorityScore": incident.priority(),
        "comments": comments_json(&incident.comments),
    })
}

/// With its alerts, as `$expand=alerts` asks for.
pub(crate) fn expanded_incident_json(world: &World, incident: &Incident, members: Members) -> Value {
    let mut expanded = incident_json(world, incident, members);
    let alerts: Vec<Value> = world.alerts_of(incident).map(|alert| alert_json(world, alert, members)).collect();
    expanded["alerts"] = Value::Array(alerts);
    expanded
}

pub(crate) fn alert_json(world: &World, alert: &Alert, members: Members) -> Value {
    let evidence = alert.evidence(&world.company);
    // Live alerts that nobody has judged carry null, not "unknown" (wazuh/wazuh issue 37482).
    let judged = |word: &'static str| (word != "unknown").then_some(word);
    json!({
        "id": &*alert.id,
        "providerAlertId": provider_id(alert),
        "incidentId": alert.incident.to_string(),
        "status": alert.status.graph(),
        "severity": alert.severity.graph(),
        "classification": judged(alert.classification.graph()),
        "determination": judged(alert.determination.graph()),
        "serviceSource": members.spell(NEWER_SERVICE_SOURCE, alert.kind.service.graph()),
        "detectionSource": members.spell(NEWER_DETECTION_SOURCE, alert.kind.detection.graph()),
        "productName": alert.kind.service.product(),
        "detectorId": alert.detector_id(),
        "tenantId": world.tenant,
        "title": alert.title(&world.company),
        "description": alert.description(&world.company),
        "recommendedActions": alert.recommended(),
        "category": alert.category(),
        "categories": [alert.category()],
        "assignedTo": alert.assigned_to,
        "alertWebUrl": format!("https://security.microsoft.com/alerts/{}?tid={}", alert.id, world.tenant),
        "incidentWebUrl": incident_url(alert.incident, &world.tenant),
        "alertPolicyId": null,
        "actorDisplayName": null,
        "threatDisplayName": alert.kind.family,
        "threatFamilyName": alert.kind.family,
        "mitreTechniques": alert.kind.techniques,
        "investigationState": alert.investigation_state().graph(),
        "createdDateTime": alert.created.to_string(),
        "lastUpdateDateTime": alert.updated.to_string(),
        "resolvedDateTime": alert.resolved.map(|at| at.to_string()),
        "firstActivityDateTime": alert.first_activity.to_string(),
        "lastActivityDateTime": alert.last_activity.to_string(),
        "comments": comments_json(&alert.comments),
        "evidence": evidence.iter().map(|one| evidence_json(one, members, world.now())).collect::<Vec<_>>(),
        "systemTags": system_tags(alert),
        "additionalData": {},
        "customDetails": {},
    })
}

pub(crate) fn comments_json(comments: &[Comment]) -> Value {
    let one = |comment: &Comment| {
        json!({
            "comment": comment.text,
            "createdByDisplayName": comment.by,
            "createdDateTime": comment.at.to_string(),
        })
    };
    Value::Array(comments.iter().map(one).collect())
}

/// Defender for Endpoint's ids are the provider's own; the others are the provider's behind a prefix.
fn provider_id(alert: &Alert) -> &str {
    let prefix = alert.kind.service.id_prefix();
    match prefix {
        "da" => &alert.id,
        _ => alert.id.strip_prefix(prefix).unwrap_or(&alert.id),
    }
}

fn system_tags(alert: &Alert) -> Vec<&'static str> {
    let disrupted = alert.kind.title.contains("attack disruption") && alert.status != AlertStatus::Resolved;
    if disrupted { vec!["Attack disruption"] } else { Vec::new() }
}

fn incident_url(id: u64, tenant: &str) -> String {
    format!("https://security.microsoft.com/incident2/{id}/overview?tid={tenant}")
}

// Members behind `unknownFutureValue` in the CSDL's order.
pub(super) const NEWER_INCIDENT_STATUS: &[&str] = &["awaitingAction"];
const NEWER_SERVICE_SOURCE: &[&str] = &["microsoftDefenderForCloud", "microsoftSentinel"];
const NEWER_DETECTION_SOURCE: &[&str] = &[
    "microsoftDefenderForServers",
    "microsoftDefenderForStorage",
    "microsoftDefenderForContainers",
    "scheduledAlerts",
];
