//! What an operation has done, as other reads show it.

use serde_json::{Value, json};

use crate::{
    cast::Cast,
    good::{Call, ORDERS, sessions_since},
    stage::{Stage, audience, text},
};

/// Whether a read shows what the call was to do.
pub(crate) struct Sight {
    /// The operation that reads.
    pub(crate) through: &'static str,
    pub(crate) seen: bool,
}

/// All that shows the effect of this call. Comments and orders count only when they are there once.
pub(crate) async fn sights(stage: &Stage, cast: &Cast, id: &str, call: &Call) -> Vec<Sight> {
    let sights = match audience(stage.operation(id)) {
        "cloudapps" => in_cloud(stage, id, call).await,
        _ if ORDERS.contains(&id) => of_order(stage, id, call).await,
        "mde" => in_endpoint(stage, id, call).await,
        _ => in_incidents(stage, cast, id, call).await,
    };
    assert!(!sights.is_empty() && sights.iter().all(|sight| sight.through != id), "{id} must show in another read");
    sights
}

fn sight(through: &'static str, seen: bool) -> Sight {
    Sight { through, seen }
}

fn once(list: &Value, is_it: impl Fn(&Value) -> bool) -> bool {
    list.as_array().is_some_and(|list| list.iter().filter(|one| is_it(one)).count() == 1)
}

/// Graph and Defender XDR.
async fn in_incidents(stage: &Stage, cast: &Cast, id: &str, call: &Call) -> Vec<Sight> {
    let (key, marker) = (&call.inputs["id"], call.marker.as_str());
    let by_id = json!({ "id": key });
    let number = json!({ "id": cast.incident.parse::<u64>().unwrap() });
    let commented = |thing: &Value| once(&thing["comments"], |comment| comment["comment"] == marker);
    let somebody = format!("{marker}@haldenmarine.example");
    let assigned = |thing: &Value| thing["assignedTo"] == somebody.as_str();
    match id {
        "update-incident" => vec![
            sight("get-incident", assigned(&stage.read("get-incident", by_id).await)),
            sight("get-incident-xdr", assigned(&stage.read("get-incident-xdr", number).await)),
        ],
        "update-incident-xdr" => {
            let xdr = stage.read("get-incident-xdr", by_id).await;
            let graph = stage.read("get-incident", json!({ "id": cast.incident })).await;
            vec![
                sight("get-incident-xdr", assigned(&xdr) && commented(&xdr)),
                sight("get-incident", assigned(&graph) && commented(&graph)),
            ]
        }
        "comment-on-incident" => vec![
            sight("get-incident", commented(&stage.read("get-incident", by_id).await)),
            sight("get-incident-xdr", commented(&stage.read("get-incident-xdr", number).await)),
        ],
        "merge-incidents" => {
            let [into, from] = &cast.pair;
            let gone = stage.read("get-incident", json!({ "id": from, "$expand": "alerts" })).await;
            let target = stage.read("get-incident", json!({ "id": into })).await;
            let xdr = stage.read("get-incident-xdr", json!({ "id": from.parse::<u64>().unwrap() })).await;
            let is_gone = gone["status"] == "redirected" && gone["redirectIncidentId"] == into.as_str();
            vec![
                sight("get-incident", is_gone && gone["alerts"] == json!([]) && commented(&target)),
                sight("get-incident-xdr", xdr["status"] == "Redirected"),
            ]
        }
        "update-alert" => {
            let filter = json!({ "$filter": format!("assignedTo eq '{somebody}'") });
            vec![
                sight("get-alert", assigned(&stage.read("get-alert", by_id).await)),
                sight("list-alerts", stage.list("list-alerts", filter).await.len() == 1),
            ]
        }
        "comment-on-alert" => vec![sight("get-alert", commented(&stage.read("get-alert", by_id).await))],
        "move-alerts" => {
            let alert = stage.read("get-alert", json!({ "id": cast.graph_alert })).await;
            let home = stage.read("get-incident", json!({ "id": alert["incidentId"], "$expand": "alerts" })).await;
            let is_alone = once(&home["alerts"], |one| one["id"] == alert["id"]);
            let is_alone = is_alone && home["alerts"].as_array().is_some_and(|alerts| alerts.len() == 1);
            vec![sight("get-alert", commented(&alert)), sight("get-incident", is_alone)]
        }
        "enable-or-disable-user" => {
            let wanted = call.inputs["accountEnabled"].as_bool().unwrap();
            let user = stage.read("get-user", json!({ "id": key, "$select": "accountEnabled" })).await;
            let off = stage.list("list-entities", json!({ "filters": { "status": { "eq": [3] } } })).await;
            let is_off = off.iter().any(|entity| entity["id"] == *key);
            vec![sight("get-user", user["accountEnabled"] == wanted), sight("list-entities", is_off != wanted)]
        }
        "revoke-user-sessions" => {
            let since = sessions_since(stage, &cast.user).await;
            let is_later = since.as_str() > call.before.as_str();
            let events = "CloudAppEvents | where ActionType startswith 'Update StsRefreshToken'";
            let events = stage.hunt(&format!("{events} and ObjectId == '{}' | project Timestamp", cast.user)).await;
            // Whole seconds; an account whose sessions were never ended has no time.
            let since = since.as_str().map_or("never", |since| &since[..19]).to_owned();
            let is_told = events.iter().filter(|event| text(&event["Timestamp"]).starts_with(&since)).count() == 1;
            vec![sight("get-user", is_later), sight("run-hunting-query", is_later && is_told)]
        }
        _ => panic!("{id}: this test does not know where its effect shows"),
    }
}

/// Defender for Endpoint, orders to devices left out.
async fn in_endpoint(stage: &Stage, id: &str, call: &Call) -> Vec<Sight> {
    let (key, marker) = (&call.inputs["id"], call.marker.as_str());
    let by_id = json!({ "id": key });
    let commented = |thing: &Value| once(&thing["comments"], |comment| comment["comment"] == marker);
    match id {
        "update-alert-mde" => {
            let somebody = format!("{marker}@haldenmarine.example");
            let own = stage.read("get-alert-mde", by_id.clone()).await;
            let graph = stage.read("get-alert", by_id).await;
            vec![
                sight("get-alert-mde", own["assignedTo"] == somebody.as_str() && commented(&own)),
                sight("get-alert", graph["assignedTo"] == somebody.as_str() && commented(&graph)),
            ]
        }
        "update-alerts-mde" => {
            let by_id = json!({ "id": call.inputs["alertIds"][0] });
            vec![
                sight("get-alert-mde", commented(&stage.read("get-alert-mde", by_id.clone()).await)),
                sight("get-alert", commented(&stage.read("get-alert", by_id).await)),
            ]
        }
        "create-alert-from-event" => {
            let of_device = stage.list("list-device-alerts", json!({ "id": call.inputs["machineId"] })).await;
            let all = stage.list("list-alerts-mde", json!({})).await;
            let titled = |list: Vec<Value>| once(&Value::Array(list), |alert| alert["title"] == marker);
            vec![sight("list-device-alerts", titled(of_device)), sight("list-alerts-mde", titled(all))]
        }
        "tag-device" | "tag-devices" => {
            let ids = call.inputs["MachineIds"].as_array().cloned().unwrap_or_else(|| vec![key.clone()]);
            let mut all_tagged = true;
            for id in &ids {
                let device = stage.read("get-device", json!({ "id": id })).await;
                all_tagged &= once(&device["machineTags"], |tag| tag == marker);
            }
            let found = stage.list("find-devices-by-tag", json!({ "tag": marker })).await;
            vec![sight("get-device", all_tagged), sight("find-devices-by-tag", found.len() == ids.len())]
        }
        "set-device-value" => {
            let device = stage.read("get-device", by_id).await;
            let value = &latest(stage, key).await["AssetValue"];
            vec![
                sight("get-device", device["deviceValue"] == call.inputs["DeviceValue"]),
                sight("run-hunting-query", *value == call.inputs["DeviceValue"]),
            ]
        }
        "cancel-device-action" => {
            let action = stage.read("get-device-action", by_id).await;
            let listed =
                stage.list("list-device-actions", json!({ "$filter": format!("id eq '{}'", text(key)) })).await;
            let is_cancelled =
                |action: &Value| action["status"] == "Cancelled" && action["cancellationComment"] == marker;
            vec![
                sight("get-device-action", is_cancelled(&action)),
                sight("list-device-actions", once(&Value::Array(listed), is_cancelled)),
            ]
        }
        "start-investigation" => {
            let all = stage.list("list-investigations", json!({})).await;
            let newest = all.iter().find(|one| one["machineId"] == *key);
            let grown = json!(all.len()) != call.before;
            vec![sight("list-investigations", grown && newest.is_some())]
        }
        _ => in_lists(stage, id, call).await,
    }
}

/// The library and the indicators.
async fn in_lists(stage: &Stage, id: &str, call: &Call) -> Vec<Sight> {
    let marker = call.marker.as_str();
    match id {
        "upload-library-file" | "delete-library-file" => {
            let name = format!("{marker}.ps1");
            let files = Value::Array(stage.list("list-library-files", json!({})).await);
            let is_there = once(&files, |file| file["fileName"] == name.as_str());
            vec![sight("list-library-files", is_there == (id == "upload-library-file"))]
        }
        "set-indicator" | "import-indicators" | "delete-indicator" | "delete-indicators" => {
            let listed = Value::Array(stage.list("list-indicators", json!({})).await);
            let is_there = once(&listed, |one| one["title"] == marker);
            vec![sight("list-indicators", is_there != id.starts_with("delete"))]
        }
        _ => panic!("{id}: this test does not know where its effect shows"),
    }
}

/// The device as hunting has it last.
async fn latest(stage: &Stage, device: &Value) -> Value {
    let query =
        format!("DeviceInfo | where DeviceId == '{}' | summarize arg_max(Timestamp, *) by DeviceId", text(device));
    stage.hunt(&query).await.remove(0)
}

/// Listed as done, once; told by the audit that hunting reads; and seen on the device where it stays.
async fn of_order(stage: &Stage, id: &str, call: &Call) -> Vec<Sight> {
    let (device, marker) = (&call.inputs["id"], call.marker.as_str());
    let (kind, audited) = match id {
        "isolate-device" => ("Isolate", "IsolateDevice"),
        "release-device" => ("Unisolate", "ReleaseFromIsolation"),
        "restrict-device" => ("RestrictCodeExecution", "RestrictAppExecution"),
        "unrestrict-device" => ("UnrestrictCodeExecution", "RemoveAppRestrictions"),
        "scan-device" => ("RunAntiVirusScan", "RunAntiVirusScan"),
        "collect-device-package" => ("CollectInvestigationPackage", "LogsCollection"),
        "offboard-device" => ("Offboard", "DownloadOffboardingPkg"),
        "quarantine-file" => ("StopAndQuarantineFile", "StopAndQuarantineFile"),
        "run-live-response" => ("LiveResponse", "LiveResponseGetFile"),
        _ => panic!("{id} is no order"),
    };
    let filter = format!("machineId eq '{}'", text(device));
    let actions = Value::Array(stage.list("list-device-actions", json!({ "$filter": filter })).await);
    let is_done = |action: &Value| {
        action["type"] == kind && action["status"] == "Succeeded" && action["requestorComment"] == marker
    };
    let query = format!(
        "CloudAppEvents | where ActionType == '{audited}' and ObjectId == '{}' \
         | where tostring(RawEventData.ActionComment) == '{marker}' | count",
        text(device)
    );
    let mut sights = vec![
        sight("list-device-actions", once(&actions, is_done)),
        sight("run-hunting-query", stage.hunt(&query).await[0]["Count"] == 1),
    ];
    let state = latest(stage, device).await;
    let is_marked = |word: &str| state["MitigationStatus"].as_str().is_some_and(|text| text.contains(word));
    let state = match id {
        "isolate-device" => is_marked("Isolated"),
        "release-device" => !is_marked("Isolated"),
        "restrict-device" => is_marked("CodeExecutionRestricted"),
        "unrestrict-device" => !is_marked("CodeExecutionRestricted"),
        "offboard-device" => state["OnboardingStatus"] == "Can be onboarded",
        _ => return sights,
    };
    sights.push(sight("run-hunting-query", state));
    sights
}

/// Defender for Cloud Apps, and what Graph sees of it.
async fn in_cloud(stage: &Stage, id: &str, call: &Call) -> Vec<Sight> {
    let marker = call.marker.as_str();
    match id {
        "mark-alert-read" | "mark-alert-unread" => {
            let is_read = id == "mark-alert-read";
            let alert = stage.read("get-alert-cloudapps", call.inputs.clone()).await;
            let filters = json!({ "read": { "eq": is_read }, "id": { "eq": [call.inputs["pk"]] } });
            let listed = stage.list("list-alerts-cloudapps", json!({ "filters": filters })).await;
            vec![
                sight("get-alert-cloudapps", alert["statusValue"] == i32::from(is_read)),
                sight("list-alerts-cloudapps", listed.len() == 1),
            ]
        }
        // No read of the service shows it: the cloud's own count does.
        "send-activity-feedback" => {
            let count = feedback_count(stage, &text(&call.inputs["pk"])).await;
            vec![sight("the cloud's count", count == call.before.as_u64().unwrap() + 1)]
        }
        _ => {
            let (resolution, classification) = match id {
                "close-alerts-as-benign" => (4, "informationalExpectedActivity"),
                "close-alerts-as-false-positive" => (3, "falsePositive"),
                "close-alerts-as-true-positive" => (5, "truePositive"),
                _ => panic!("{id}: this test does not know where its effect shows"),
            };
            let pk = &call.inputs["filters"]["id"]["eq"][0];
            let alert = stage.read("get-alert-cloudapps", json!({ "pk": pk })).await;
            let is_closed = alert["resolutionStatusValue"] == resolution && alert["comment"] == marker;
            let graph = stage.read("get-alert", json!({ "id": format!("ca{}", text(&alert["contextId"])) })).await;
            let is_resolved = graph["status"] == "resolved" && graph["classification"] == classification;
            let is_told = once(&graph["comments"], |comment| comment["comment"] == marker);
            vec![sight("get-alert-cloudapps", is_closed), sight("get-alert", is_resolved && is_told)]
        }
    }
}

/// How often the cloud has taken feedback on this activity.
pub(crate) async fn feedback_count(stage: &Stage, activity: &str) -> u64 {
    let entity = format!("activities/{activity}");
    let counters = stage.cloud.get("/counters").await;
    let mut effects = counters["effects"].as_array().into_iter().flatten();
    let counted = effects.find(|effect| effect["entity"] == entity.as_str());
    counted.map_or(0, |effect| effect["comments"].as_u64().unwrap())
}
