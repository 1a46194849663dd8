//! For each operation a call that cannot succeed: refused by the service or, where it takes anything, by our own builder.

use serde_json::{Value, json};
use sortie_openapi::{Location, Operation};

use crate::cast::{Cast, commands};

/// What is wrong with the inputs, and who has to say so.
pub(crate) enum Bad {
    /// The service, with 400 or 404.
    Refused(Value),
    /// We: nothing is sent.
    Unbuilt(Value),
}

pub(crate) fn bad(cast: &Cast, operation: &Operation) -> Bad {
    let has = |name: &str| operation.parameters.iter().any(|parameter| parameter.name == name);
    let path = operation.parameters.iter().find(|parameter| parameter.location == Location::Path);
    match (operation.id.as_str(), path) {
        // Nobody must be known for these, and the rest has no inputs.
        ("list-user-alerts" | "list-user-devices", _) => Bad::Unbuilt(json!({ "name": "" })),
        ("find-devices-by-tag" | "upload-library-file", _) => Bad::Unbuilt(json!({})),
        ("list-library-files" | "get-exposure-score" | "get-configuration-score", _) => {
            Bad::Unbuilt(json!({ "$top": 1 }))
        }
        ("find-devices-by-ip", _) => {
            let ip = &cast.known_device()["lastIpAddress"];
            Bad::Refused(json!({ "ip": ip, "timestamp": "2026-01-01T00:00:00Z" }))
        }
        (_, None) if has("$filter") => Bad::Refused(json!({ "$filter": "nope eq 'x'" })),
        (id, None) => Bad::Refused(of_body(cast, id)),
        (id, Some(path)) => {
            let mut inputs = json!({ path.key.as_str(): unknown(&path.name, &path.schema) });
            with_body(cast, id, &mut inputs);
            Bad::Refused(inputs)
        }
    }
}

/// Well formed where it can be, and nowhere known.
fn unknown(name: &str, schema: &Value) -> Value {
    match name {
        "ip" => json!("300.300.1.1"),
        "domain" => json!("no-dots"),
        _ if schema["type"] == "integer" => json!(999_999_999),
        _ => json!("00000000"),
    }
}

/// The body that would do if the id were known; updates name a state that there is not.
fn with_body(cast: &Cast, id: &str, inputs: &mut Value) {
    match id {
        "update-incident" | "update-incident-xdr" => {
            inputs["id"] = if id == "update-incident" {
                json!(cast.incident)
            } else {
                json!(cast.incident.parse::<u64>().unwrap())
            };
            inputs["status"] = json!("Sideways");
        }
        "update-alert" | "update-alert-mde" => {
            inputs["id"] = json!(if id == "update-alert" { &cast.graph_alert } else { &cast.alert });
            inputs["status"] = json!("Sideways");
        }
        "comment-on-incident" | "comment-on-alert" => inputs["comment"] = json!("for nobody"),
        "enable-or-disable-user" => inputs["accountEnabled"] = json!(false),
        "tag-device" => {
            inputs["id"] = cast.known_device()["id"].clone();
            inputs["Value"] = json!("x");
            inputs["Action"] = json!("Sideways");
        }
        "set-device-value" => {
            inputs["id"] = cast.known_device()["id"].clone();
            inputs["DeviceValue"] = json!("Sideways");
        }
        "scan-device" => {
            inputs["id"] = cast.known_device()["id"].clone();
            inputs["Comment"] = json!("x");
            inputs["ScanType"] = json!("Sideways");
        }
        "quarantine-file" => {
            inputs["id"] = cast.known_device()["id"].clone();
            inputs["Comment"] = json!("x");
            inputs["Sha1"] = json!("no hash");
        }
        "run-live-response" => inputs["Commands"] = commands(),
        "get-live-response-result-link" => inputs["index"] = json!(0),
        "isolate-device"
        | "release-device"
        | "restrict-device"
        | "unrestrict-device"
        | "collect-device-package"
        | "offboard-device"
        | "start-investigation" => inputs["Comment"] = json!("for nobody"),
        "send-activity-feedback" => inputs["feedbackValue"] = json!("0"),
        _ => {}
    }
}

/// Of operations without an id in the path.
fn of_body(cast: &Cast, id: &str) -> Value {
    let device = &cast.known_device()["id"];
    match id {
        "merge-incidents" => json!({ "incidentIds": [cast.pair[0], "999999999"] }),
        "move-alerts" => json!({ "alertIds": ["da000_1"] }),
        "run-hunting-query" | "run-hunting-query-xdr" | "run-hunting-query-mde" => {
            json!({ "Query": "DeviceInfo | nope" })
        }
        "update-alerts-mde" => json!({ "alertIds": [cast.alert], "status": "Sideways" }),
        "create-alert-from-event" => json!({
            "machineId": "00000000", "severity": "Low", "title": "x", "description": "x", "recommendedAction": "x",
            "eventTime": "2026-11-22T07:00:00Z", "reportId": "7", "category": "Exploit",
        }),
        "tag-devices" => json!({ "MachineIds": [device], "Value": "x", "Action": "Sideways" }),
        "set-indicator" => json!({
            "indicatorValue": "x.example", "indicatorType": "DomainName", "action": "Sideways", "title": "x",
            "description": "x",
        }),
        "import-indicators" => json!({ "Indicators": [] }),
        "delete-indicators" => json!({ "IndicatorIds": ["x"] }),
        "list-alerts-cloudapps" | "list-activities" | "list-entities" => json!({ "sortField": "mood" }),
        "close-alerts-as-benign" | "close-alerts-as-false-positive" | "close-alerts-as-true-positive" => {
            json!({ "filters": { "mood": { "eq": "x" } } })
        }
        _ => panic!("{id}: this test has no bad inputs for it"),
    }
}
