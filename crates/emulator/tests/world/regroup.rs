//! Incidents that callers merge, and alerts that they move.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use crate::stage::{GRAPH, Stage, ids};

const MERGE: &str = "/v1.0/security/incidents/mergeIncidents";
const MOVE: &str = "/v1.0/security/alerts_v2/moveAlerts";

async fn manager(stage: &Stage) -> String {
    stage.token_with(&[("graph", "SecurityData.Manage.All")], GRAPH).await
}

/// Incidents with alerts that nobody has merged, newest first.
async fn open_incidents(stage: &Stage) -> Vec<Value> {
    let all = stage.all_pages("/incidents?$expand=alerts&$top=50").await;
    all.into_iter().filter(|incident| incident["alerts"].as_array().unwrap().len() > 1).collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// Patches and comments of one entity.
async fn effects(stage: &Stage, entity: &str) -> (u64, u64) {
    let counters = stage.admin(Method::GET, "/counters", Value::Null).await;
    let all = counters["effects"].as_array().unwrap();
    let found = all.iter().find(|effect| effect["entity"] == entity);
    found.map_or((0, 0), |effect| (effect["patches"].as_u64().unwrap(), effect["comments"].as_u64().unwrap()))
}

#[tokio::test]
async fn merged_incidents_redirect_and_the_first_one_has_all_alerts() {
    let stage = Stage::start().await;
    let token = manager(&stage).await;
    let open = open_incidents(&stage).await;
    let (first, second, third) = (text(&open[0]["id"]), text(&open[1]["id"]), text(&open[2]["id"]));
    let order = json!({
        "incidentIds": [first, second, third], "incidentComment": "One campaign",
        "mergeReasons": "sameCampaign, sameActor",
    });
    let merged = stage.call(Method::POST, MERGE, &token, Some(order)).await;
    assert_eq!(merged.status, 200, "{}", merged.text);
    assert_eq!(merged.json["targetIncidentId"], first.as_str());

    let target = stage.get_graph(&format!("/incidents/{first}?$expand=alerts")).await.json;
    let all = open[..3].iter().flat_map(|incident| incident["alerts"].as_array().unwrap().clone());
    let wanted = ids(&all.collect::<Vec<_>>(), "id");
    assert_eq!(ids(target["alerts"].as_array().unwrap(), "id"), wanted);
    assert_eq!(target["comments"].as_array().unwrap().last().unwrap()["comment"], "One campaign");
    assert_eq!(target["lastModifiedBy"], "Incident daemon");
    for gone in [&second, &third] {
        let incident = stage.get_graph(&format!("/incidents/{gone}?$expand=alerts")).await.json;
        assert_eq!((&incident["status"], &incident["redirectIncidentId"]), (&json!("redirected"), &json!(first)));
        assert_eq!(incident["alerts"], json!([]));
        let xdr = stage.get_xdr(&format!("/incidents/{gone}")).await.json;
        assert_eq!((&xdr["status"], xdr["redirectIncidentId"].to_string()), (&json!("Redirected"), first.clone()));
        assert_eq!(effects(&stage, &format!("incidents/{gone}")).await, (1, 0));
    }
    assert_eq!(effects(&stage, &format!("incidents/{first}")).await, (0, 1));
    let moved = stage.get_graph(&format!("/alerts_v2/{}", text(&open[1]["alerts"][0]["id"]))).await.json;
    assert_eq!(moved["incidentId"], first.as_str());
    let truth = stage.true_incidents().await;
    assert_eq!(truth[&second]["redirectIncidentId"].to_string().trim_matches('"'), first);
}

#[tokio::test]
async fn a_merge_that_cannot_be_done_changes_nothing() {
    let stage = Stage::start().await;
    let token = manager(&stage).await;
    let open = open_incidents(&stage).await;
    let (first, second) = (text(&open[0]["id"]), text(&open[1]["id"]));
    let all = stage.all_pages("/incidents?$top=50").await;
    let redirected = all.iter().find(|incident| incident["status"] == "redirected").unwrap();
    let before = stage.truth().await;
    for (order, status, message) in [
        (json!({ "incidentIds": [first, second, "999999"] }), 404, "'999999' was not found"),
        (json!({ "incidentIds": [first, second, redirected["id"]] }), 400, "was merged into another one before"),
        (json!({ "incidentIds": [first, second, first] }), 400, "named more than once"),
        (json!({ "incidentIds": [first] }), 400, "at least two"),
        (json!({ "incidentIds": [first, "x"] }), 400, "must be a number"),
        (json!({ "incidentIds": [1, 2] }), 400, "list of strings"),
        (json!({}), 400, "list of strings"),
        (json!({ "incidentIds": [first, second], "mergeReasons": "sameMood" }), 400, "'sameMood' is not valid"),
        (json!({ "incidentIds": [first, second], "reason": "x" }), 400, "'reason' in the request payload"),
    ] {
        let refused = stage.call(Method::POST, MERGE, &token, Some(order.clone())).await;
        let code = if status == 404 { "NotFound" } else { "BadRequest" };
        refused.expect_error(status, code, message);
    }
    assert_eq!(stage.truth().await, before);
}

#[tokio::test]
async fn alerts_move_to_an_incident_and_the_emptied_one_redirects() {
    let stage = Stage::start().await;
    let token = manager(&stage).await;
    let open = open_incidents(&stage).await;
    let (from, into) = (text(&open[0]["id"]), text(&open[1]["id"]));
    let alerts: Vec<String> = open[0]["alerts"].as_array().unwrap().iter().map(|alert| text(&alert["id"])).collect();
    let one = json!({ "alertIds": [alerts[0]], "incidentId": into, "alertComment": "belongs there" });
    let moved = stage.call(Method::POST, MOVE, &token, Some(one)).await;
    assert_eq!((moved.status.as_u16(), &moved.json["targetIncidentId"]), (200, &json!(into)));
    let alert = stage.get_graph(&format!("/alerts_v2/{}", alerts[0])).await.json;
    assert_eq!(alert["incidentId"], into.as_str());
    assert_eq!(alert["comments"].as_array().unwrap().last().unwrap()["comment"], "belongs there");
    assert_eq!(effects(&stage, &format!("alerts/{}", alerts[0])).await, (1, 1));
    let source = stage.get_graph(&format!("/incidents/{from}?$expand=alerts")).await.json;
    assert!(!ids(source["alerts"].as_array().unwrap(), "id").contains(&alerts[0]));
    assert_ne!(source["status"], "redirected");
    assert!(source["lastUpdateDateTime"].as_str() > open[0]["lastUpdateDateTime"].as_str());
    // Endpoint alerts and hunting tell the same.
    let listed = stage.get_mde(&format!("/alerts?$filter=incidentId eq {into}")).await;
    assert_eq!(listed.status, 200, "{}", listed.text);
    let info = stage.hunt(&format!("AlertInfo | where AlertId == '{}'", alerts[0])).await;
    assert_eq!(info.len(), 1);

    let rest = json!({ "alertIds": alerts[1..], "incidentId": into });
    assert_eq!(stage.call(Method::POST, MOVE, &token, Some(rest)).await.status, 200);
    let source = stage.get_graph(&format!("/incidents/{from}")).await.json;
    assert_eq!((&source["status"], &source["redirectIncidentId"]), (&json!("redirected"), &json!(into)));
}

#[tokio::test]
async fn alerts_without_a_place_to_go_get_a_new_incident() {
    let stage = Stage::start().await;
    let token = manager(&stage).await;
    let open = open_incidents(&stage).await;
    let alert = text(&open[0]["alerts"][0]["id"]);
    let known: BTreeSet<String> = stage.true_incidents().await.into_keys().collect();
    let moved = stage.call(Method::POST, MOVE, &token, Some(json!({ "alertIds": [alert], "incidentId": null }))).await;
    let target = text(&moved.json["targetIncidentId"]);
    assert!(!known.contains(&target), "{target}");
    let incident = stage.get_graph(&format!("/incidents/{target}?$expand=alerts")).await.json;
    assert_eq!(ids(incident["alerts"].as_array().unwrap(), "id"), BTreeSet::from([alert.clone()]));
    assert_eq!((&incident["status"], &incident["displayName"]), (&json!("active"), &open[0]["alerts"][0]["title"]));

    for (order, status, message) in [
        (json!({ "alertIds": [alert, "da1_1"], "incidentId": target }), 404, "'da1_1' was not found"),
        (json!({ "alertIds": [alert], "incidentId": "999999" }), 404, "'999999' was not found"),
        (json!({ "alertIds": [] }), 400, "at least one"),
        (json!({ "alertIds": [alert], "newCorrelationReasons": "sameMood" }), 400, "'sameMood' is not valid"),
    ] {
        let refused = stage.call(Method::POST, MOVE, &token, Some(order)).await;
        refused.expect_error(status, if status == 404 { "NotFound" } else { "BadRequest" }, message);
    }
}
