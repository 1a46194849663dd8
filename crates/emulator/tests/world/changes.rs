//! A change through one API shows in the other.

use reqwest::Method;
use serde_json::json;

use crate::stage::Stage;

async fn patch_xdr(stage: &Stage, id: &str, body: serde_json::Value) -> crate::stage::Answer {
    stage.call(Method::PATCH, &format!("/api/incidents/{id}"), &stage.xdr, Some(body)).await
}

async fn patch_graph(stage: &Stage, path: &str, body: serde_json::Value) -> crate::stage::Answer {
    stage.call(Method::PATCH, &format!("/v1.0/security{path}"), &stage.graph, Some(body)).await
}

/// Texts of instants don't sort: some have a fraction.
#[track_caller]
fn instant(value: &serde_json::Value) -> jiff::Timestamp {
    value.as_str().unwrap().parse().unwrap()
}

/// An incident that nobody has touched and that has alerts.
async fn fresh(stage: &Stage) -> String {
    let truth = stage.true_incidents().await;
    let found = truth
        .iter()
        .find(|(_, incident)| incident["status"] == "active" && !incident["alerts"].as_array().unwrap().is_empty());
    found.unwrap().0.clone()
}

#[tokio::test]
async fn an_xdr_update_shows_in_graph() {
    let stage = Stage::start().await;
    let id = fresh(&stage).await;
    let before = stage.get_graph(&format!("/incidents/{id}")).await.json;
    let body = json!({
        "status": "InProgress", "assignedTo": "analyst@haldenmarine.example", "classification": "FalsePositive",
        "determination": "NoEnoughDataToValidate", "tags": ["VIP"], "comment": "nothing to see",
    });
    let answer = patch_xdr(&stage, &id, body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.json["determination"], "NoEnoughDataToValidate");
    let after = stage.get_graph(&format!("/incidents/{id}")).await.json;
    assert_eq!(after["status"], "inProgress");
    assert_eq!(after["assignedTo"], "analyst@haldenmarine.example");
    assert_eq!(after["determination"], "notEnoughDataToValidate");
    assert_eq!(after["customTags"], json!(["VIP"]));
    assert_eq!(after["comments"][0]["comment"], "nothing to see");
    assert_eq!(after["comments"][0]["createdByDisplayName"], "Incident daemon");
    assert!(instant(&after["lastUpdateDateTime"]) > instant(&before["lastUpdateDateTime"]));
}

#[tokio::test]
async fn a_graph_update_shows_in_xdr_and_resolves_the_alerts() {
    let stage = Stage::start().await;
    let id = fresh(&stage).await;
    let body = json!({ "status": "resolved", "classification": "TruePositive", "determination": "notMalicious", "assignedTo": null });
    assert_eq!(patch_graph(&stage, &format!("/incidents/{id}"), body).await.status, 200);
    let comment = json!({ "@odata.type": "#microsoft.graph.security.alertComment", "comment": "by hand" });
    let path = format!("/v1.0/security/incidents/{id}/comments");
    let comments = stage.call(Method::POST, &path, &stage.graph, Some(comment)).await;
    assert_eq!((comments.status.as_u16(), comments.items().len()), (200, 1));
    let incident = stage.get_xdr(&format!("/incidents/{id}")).await.json;
    assert_eq!((&incident["status"], &incident["determination"]), (&json!("Resolved"), &json!("Clean")));
    assert_eq!(incident["comments"][0]["comment"], "by hand");
    for alert in incident["alerts"].as_array().unwrap() {
        assert_eq!(alert["status"], "Resolved");
        assert!(alert["resolvedTime"].is_string());
    }
}

#[tokio::test]
async fn an_alert_update_moves_its_incident() {
    let stage = Stage::start().await;
    let id = fresh(&stage).await;
    let incident = stage.get_graph(&format!("/incidents/{id}?$expand=alerts")).await.json;
    let alert = incident["alerts"][0]["id"].as_str().unwrap();
    stage.advance(60).await;
    let body = json!({ "status": "inProgress", "classification": "truePositive", "determination": "malware", "assignedTo": "a@b.example" });
    let changed = patch_graph(&stage, &format!("/alerts_v2/{alert}"), body).await;
    assert_eq!((&changed.json["status"], &changed.json["determination"]), (&json!("inProgress"), &json!("malware")));
    let comment = json!({ "@odata.type": "microsoft.graph.security.alertComment", "comment": "second look" });
    let path = format!("/v1.0/security/alerts_v2/{alert}/comments");
    let list = stage.call(Method::POST, &path, &stage.graph, Some(json!([&comment]))).await;
    let said = (list.status.as_u16(), list.json["error"]["message"].as_str());
    assert_eq!(said, (400, Some("Empty Payload. JSON content expected.")));
    assert_eq!(stage.call(Method::POST, &path, &stage.graph, Some(comment)).await.items().len(), 1);
    let after = stage.get_xdr(&format!("/incidents/{id}")).await.json;
    assert!(instant(&after["lastUpdateTime"]) >= instant(&json!("2026-11-22T08:01:00Z")));
    let seen = after["alerts"].as_array().unwrap().iter().find(|one| one["alertId"] == alert).unwrap();
    assert_eq!((&seen["status"], &seen["assignedTo"]), (&json!("InProgress"), &json!("a@b.example")));
    let truth = &stage.true_incidents().await[&id];
    let truth = truth["alerts"].as_array().unwrap().iter().find(|one| one["id"] == alert).unwrap();
    assert_eq!(truth["comments"][0]["comment"], "second look");
}

#[tokio::test]
async fn bad_bodies_are_refused_and_change_nothing() {
    let stage = Stage::start().await;
    let before = stage.truth().await;
    for (body, code) in [
        (json!({ "Status": "Resolved" }), "InvalidRequestBody"),
        (json!({ "status": "Dozing" }), "InvalidRequestBody"),
        (json!({ "status": "AwaitingAction" }), "InvalidRequestBody"),
        (json!({ "determination": "Apt" }), "InvalidRequestBody"),
        (json!({ "tags": "one" }), "InvalidRequestBody"),
        (json!([1]), "InvalidRequestBody"),
        (json!({}), "MissingRequiredParameter"),
    ] {
        let answer = patch_xdr(&stage, "2041", body.clone()).await;
        assert_eq!((answer.status.as_u16(), answer.json["error"]["code"].as_str()), (400, Some(code)), "{body}");
    }
    for body in [json!({ "severity": "high" }), json!({ "status": 4 }), json!({ "customTags": [1] }), json!("x")] {
        patch_graph(&stage, "/incidents/2041", body).await.expect_error(400, "BadRequest", "");
    }
    let comment = |body| stage.call(Method::POST, "/v1.0/security/incidents/2041/comments", &stage.graph, Some(body));
    comment(json!({ "comment": "no type" })).await.expect_error(400, "BadRequest", "@odata.type");
    let empty = json!({ "@odata.type": "microsoft.graph.security.alertComment", "comment": " " });
    comment(empty).await.expect_error(400, "BadRequest", "'comment'");
    stage.get_graph("/incidents/abc").await.expect_error(400, "BadRequest", "abc");
    stage.get_graph("/incidents/999999").await.expect_error(404, "NotFound", "999999");
    stage.get_graph("/alerts_v2/da1%20x").await.expect_error(400, "BadRequest", "not valid");
    stage.get_graph("/alerts_v2/da1_1").await.expect_error(404, "NotFound", "da1_1");
    assert_eq!(stage.truth().await, before);
}

#[tokio::test]
async fn a_merged_incident_points_at_its_new_one_in_both_shapes() {
    let stage = Stage::start().await;
    let made = stage.admin(Method::POST, "/world/incidents", json!({ "count": 2 })).await;
    let (from, into) = (made["firstId"].as_u64().unwrap(), made["lastId"].as_u64().unwrap());
    stage.admin(Method::POST, "/world/merge", json!({ "from": from, "into": into })).await;
    let xdr = stage.get_xdr(&format!("/incidents/{from}")).await.json;
    assert_eq!((&xdr["status"], &xdr["redirectIncidentId"]), (&json!("Redirected"), &json!(into)));
    assert_eq!(xdr["alerts"], json!([]));
    let graph = stage.get_graph(&format!("/incidents/{from}")).await.json;
    assert_eq!((&graph["status"], &graph["redirectIncidentId"]), (&json!("redirected"), &json!(into.to_string())));
}

#[tokio::test]
async fn time_adds_alerts_to_incidents_that_exist() {
    let stage = Stage::start().await;
    let before = stage.true_incidents().await;
    // Shorter than a token lives, again and again: the story needs days.
    stage.admin(Method::PUT, "/clock", json!({ "now": "2026-11-27T08:00:00Z" })).await;
    let after = stage.true_incidents().await;
    let count = |incident: &serde_json::Value| incident["alerts"].as_array().unwrap().len();
    assert!(before.iter().any(|(id, incident)| count(&after[id]) > count(incident)));
    assert!(after.len() > before.len());
}
