//! For each operation a call that must succeed.

use serde_json::{Value, json};
use sortie_testkit::Registered;

use crate::{
    cast::{Cast, commands},
    effects::feedback_count,
    stage::{Stage, audience, json_of},
};

/// A call that is ready to be made.
pub(crate) struct Call {
    pub(crate) inputs: Value,
    /// Stands nowhere but in what this call writes.
    pub(crate) marker: String,
    /// Something that was read before and must be another after.
    pub(crate) before: Value,
}

/// Prepares a call of the operation, the `turn`th of this test; what it needs is there when this returns, and what it
/// shall do has not been done.
pub(crate) async fn prepare(stage: &Stage, cast: &Cast, id: &str, actor: &Registered, turn: usize) -> Call {
    let marker = cast.marker();
    let before = match id {
        "revoke-user-sessions" => {
            stage.advance(5).await;
            sessions_since(stage, &cast.user).await
        }
        "send-activity-feedback" => json!(feedback_count(stage, &cast.activity).await),
        "start-investigation" => json!(stage.list("list-investigations", json!({})).await.len()),
        "list-indicators" => {
            // Who holds `Ti.ReadWrite` alone sees its own.
            stage.call(actor, "set-indicator", &indicator(&marker)).await.unwrap();
            Value::Null
        }
        _ => Value::Null,
    };
    let inputs = match audience(stage.operation(id)) {
        "cloudapps" => cloud(stage, cast, id, &marker).await,
        _ if ORDERS.contains(&id) => order(stage, cast, id, &marker).await,
        _ => match reading(cast, id) {
            Some(inputs) => inputs,
            None => writing(stage, cast, id, &marker, (actor, turn)).await,
        },
    };
    Call { inputs, marker, before }
}

pub(crate) async fn sessions_since(stage: &Stage, user: &str) -> Value {
    let wanted = json!({ "id": user, "$select": "signInSessionsValidFromDateTime" });
    stage.read("get-user", wanted).await["signInSessionsValidFromDateTime"].clone()
}

/// Of what has no effect.
fn reading(cast: &Cast, id: &str) -> Option<Value> {
    let device = || json!({ "id": cast.known_device()["id"] });
    Some(match id {
        "list-incidents"
        | "list-alerts"
        | "list-devices"
        | "list-device-actions"
        | "list-investigations"
        | "list-indicators"
        | "list-vulnerabilities"
        | "list-vulnerabilities-by-device"
        | "list-software"
        | "list-recommendations"
        | "list-remediation-tasks"
        | "list-incidents-xdr" => json!({ "$top": 5 }),
        "list-alerts-mde" => json!({ "$top": 5, "$expand": "evidence" }),
        "list-library-files" | "get-exposure-score" | "get-configuration-score" => json!({}),
        "get-incident" => json!({ "id": cast.incident, "$expand": "alerts" }),
        "get-incident-xdr" => json!({ "id": cast.incident.parse::<u64>().unwrap() }),
        "get-alert" => json!({ "id": cast.graph_alert }),
        "get-alert-mde" | "list-alert-domains" | "list-alert-files" | "list-alert-ips" | "get-alert-device"
        | "get-alert-user" => json!({ "id": cast.alert }),
        "get-user" => json!({ "id": cast.user }),
        "run-hunting-query" | "run-hunting-query-xdr" | "run-hunting-query-mde" => {
            json!({ "Query": "DeviceInfo | project Timestamp, DeviceId, DeviceName | take 2" })
        }
        "get-device"
        | "list-device-users"
        | "list-device-alerts"
        | "list-device-software"
        | "list-device-vulnerabilities"
        | "list-device-recommendations"
        | "list-device-missing-updates" => device(),
        "find-devices-by-ip" => {
            json!({ "ip": cast.known_device()["lastIpAddress"], "timestamp": "2026-11-22T07:00:00Z" })
        }
        "find-devices-by-tag" => json!({ "tag": cast.tag }),
        "get-device-action" | "get-device-package-link" => json!({ "id": cast.package }),
        "get-live-response-result-link" => json!({ "id": cast.session, "index": 0 }),
        "get-investigation" => json!({ "id": cast.investigation }),
        "get-file" | "get-file-statistics" => json!({ "hash": cast.sha1 }),
        "list-file-alerts" | "list-file-devices" => json!({ "sha1": cast.sha1 }),
        "list-ip-alerts" | "get-ip-statistics" => json!({ "ip": cast.attacker_ip }),
        "list-domain-alerts" | "list-domain-devices" | "get-domain-statistics" => json!({ "domain": cast.domain }),
        "list-user-alerts" | "list-user-devices" => json!({ "name": cast.user_name }),
        "get-vulnerability" | "list-vulnerability-devices" => json!({ "cveId": cast.cve }),
        "get-software" | "list-software-versions" | "list-software-devices" | "list-software-vulnerabilities" => {
            json!({ "id": cast.software })
        }
        "get-recommendation" | "list-recommendation-devices" => json!({ "id": cast.advice }),
        _ => return None,
    })
}

/// Of what changes something and is no order to a device.
async fn writing(stage: &Stage, cast: &Cast, id: &str, marker: &str, (actor, turn): (&Registered, usize)) -> Value {
    let somebody = format!("{marker}@haldenmarine.example");
    let indicator = indicator(marker);
    match id {
        "update-incident" => json!({ "id": cast.incident, "assignedTo": somebody }),
        "update-incident-xdr" => {
            json!({ "id": cast.incident.parse::<u64>().unwrap(), "assignedTo": somebody, "comment": marker })
        }
        "comment-on-incident" => json!({ "id": cast.incident, "comment": marker }),
        "merge-incidents" => json!({ "incidentIds": cast.pair, "incidentComment": marker }),
        "update-alert" => json!({ "id": cast.graph_alert, "assignedTo": somebody }),
        "update-alert-mde" => json!({ "id": cast.alert, "assignedTo": somebody, "comment": marker }),
        "comment-on-alert" => json!({ "id": cast.graph_alert, "comment": marker }),
        "move-alerts" => json!({ "alertIds": [cast.graph_alert], "alertComment": marker }),
        "update-alerts-mde" => json!({ "alertIds": [cast.alert], "comment": marker }),
        "create-alert-from-event" => json!({
            "machineId": cast.device_id(), "severity": "Low", "title": marker, "description": "Raised by a test",
            "recommendedAction": "None", "eventTime": "2026-11-22T07:00:00.1234567Z", "reportId": "7",
            "category": "Exploit",
        }),
        // Turn by turn out and in again.
        "enable-or-disable-user" => json!({ "id": cast.user, "accountEnabled": turn % 2 == 1 }),
        "revoke-user-sessions" => json!({ "id": cast.user }),
        "tag-device" => json!({ "id": cast.device_id(), "Value": marker, "Action": "Add" }),
        "tag-devices" => {
            json!({ "MachineIds": [cast.device_id(), cast.device_id()], "Value": marker, "Action": "Add" })
        }
        "set-device-value" => {
            let device = cast.device();
            json!({ "id": device["id"], "DeviceValue": if device["deviceValue"] == "High" { "Low" } else { "High" } })
        }
        "upload-library-file" => json!({ "File": { "text": "Get-Date", "name": format!("{marker}.ps1") } }),
        "delete-library-file" => {
            let name = format!("{marker}.ps1");
            stage.read("upload-library-file", json!({ "File": { "text": "Get-Date", "name": name } })).await;
            json!({ "fileName": name })
        }
        "set-indicator" => indicator,
        "import-indicators" => json!({ "Indicators": [indicator] }),
        "delete-indicator" | "delete-indicators" => {
            // Who holds `Ti.ReadWrite` alone may take back its own.
            let made = stage.call(actor, "set-indicator", &indicator).await.unwrap();
            let made = json_of(&made)["id"].clone();
            if id == "delete-indicator" { json!({ "id": made }) } else { json!({ "IndicatorIds": [made] }) }
        }
        "start-investigation" => json!({ "id": cast.device_id(), "Comment": marker }),
        "cancel-device-action" => {
            let order = CANCELLED[turn % CANCELLED.len()];
            let open = stage.read(order, order_to(cast, order, &cast.device_id(), "to be cancelled")).await;
            json!({ "id": open["id"], "Comment": marker })
        }
        _ => panic!("{id}: this test has no inputs for it"),
    }
}

fn indicator(marker: &str) -> Value {
    json!({
        "indicatorValue": format!("{marker}.example"), "indicatorType": "DomainName", "action": "Block",
        "title": marker, "description": "Set by a test",
    })
}

/// Of orders to devices. What they undo was done before.
async fn order(stage: &Stage, cast: &Cast, id: &str, marker: &str) -> Value {
    let device = cast.device_id();
    let undone = match id {
        "release-device" => Some("isolate-device"),
        "unrestrict-device" => Some("restrict-device"),
        _ => None,
    };
    if let Some(undone) = undone {
        stage.read(undone, order_to(cast, undone, &device, "to be undone")).await;
        stage.advance(120).await;
    }
    order_to(cast, id, &device, marker)
}

fn order_to(cast: &Cast, id: &str, device: &str, comment: &str) -> Value {
    let mut inputs = json!({ "id": device, "Comment": comment });
    match id {
        "isolate-device" => inputs["IsolationType"] = json!("Full"),
        "scan-device" => inputs["ScanType"] = json!("Quick"),
        "quarantine-file" => inputs["Sha1"] = json!(cast.sha1),
        "run-live-response" => inputs["Commands"] = commands(),
        _ => {}
    }
    inputs
}

/// Of Defender for Cloud Apps.
async fn cloud(stage: &Stage, cast: &Cast, id: &str, marker: &str) -> Value {
    match id {
        "list-alerts-cloudapps" => json!({ "filters": { "severity": { "eq": [0, 1, 2, 3] } }, "limit": 5 }),
        "list-activities" | "list-entities" => json!({ "limit": 5 }),
        "get-alert-cloudapps" => json!({ "pk": cast.closable }),
        "get-activity" => json!({ "pk": cast.activity }),
        "get-entity" => json!({ "pk": cast.entity }),
        "send-activity-feedback" => json!({ "pk": cast.activity, "feedbackValue": "0", "feedbackText": marker }),
        "close-alerts-as-benign" | "close-alerts-as-false-positive" | "close-alerts-as-true-positive" => {
            json!({ "filters": { "id": { "eq": [cast.closable] } }, "comment": marker })
        }
        "mark-alert-read" | "mark-alert-unread" => {
            // The other way round first.
            let other = if id == "mark-alert-read" { "mark-alert-unread" } else { "mark-alert-read" };
            stage.read(other, json!({ "pk": cast.markable })).await;
            json!({ "pk": cast.markable })
        }
        _ => panic!("{id}: this test has no inputs for it"),
    }
}

/// Orders to devices: they carry a comment and are listed.
pub(crate) const ORDERS: &[&str] = &[
    "isolate-device",
    "release-device",
    "restrict-device",
    "unrestrict-device",
    "scan-device",
    "collect-device-package",
    "offboard-device",
    "quarantine-file",
    "run-live-response",
];
/// Orders to take back, in the order of the roles that may.
const CANCELLED: &[&str] = &[
    "collect-device-package",
    "isolate-device",
    "restrict-device",
    "scan-device",
    "offboard-device",
    "quarantine-file",
    "run-live-response",
];
