//! Filters, order and pages.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use crate::stage::{Stage, ids};

#[tokio::test]
async fn both_lists_show_the_incidents_of_the_ground_truth() {
    let stage = Stage::start().await;
    let truth = stage.true_incidents().await;
    let all: BTreeSet<String> = truth.keys().cloned().collect();
    assert_eq!(ids(&stage.all_pages("/incidents").await, "id"), all);
    assert_eq!(ids(&stage.get_xdr("/incidents").await.items(), "incidentId"), all);
    let alerts = stage.all_pages("/alerts_v2").await;
    let true_alerts: usize = truth.values().map(|incident| incident["alerts"].as_array().unwrap().len()).sum();
    assert_eq!(ids(&alerts, "id").len(), true_alerts);
    let newest_first: Vec<&str> = alerts.iter().map(|alert| alert["createdDateTime"].as_str().unwrap()).collect();
    assert!(newest_first.first() > newest_first.last());
}

#[tokio::test]
async fn graph_filters_by_the_documented_properties_only() {
    let stage = Stage::start().await;
    let truth = stage.true_incidents().await;
    let expected: BTreeSet<String> = truth
        .iter()
        .filter(|(_, incident)| incident["severity"] == "high" && incident["status"] != "resolved")
        .map(|(id, _)| id.clone())
        .collect();
    assert!(!expected.is_empty());
    let found = stage.all_pages("/incidents?$filter=severity eq 'high' and status ne 'resolved'&$top=3").await;
    assert_eq!(ids(&found, "id"), expected);
    let counted = stage.get_graph("/incidents?$filter=severity+eq+'high'&$count=true&$top=1").await;
    let high = truth.values().filter(|incident| incident["severity"] == "high").count();
    assert_eq!(counted.json["@odata.count"], high);
    let refused = stage.get_graph("/incidents?$filter=displayName eq 'x'").await;
    refused.expect_error(400, "", "The property 'displayName' cannot be used in the $filter query option.");
    let unknown = stage.get_graph("/alerts_v2?$filter=nope eq 'x'").await;
    unknown.expect_error(400, "", "Could not find a property named 'nope' on type 'microsoft.graph.security.alert'.");
    stage.get_graph("/incidents?$filter=status eq").await.expect_error(400, "", "Syntax error at position 9");
    let xdr = stage.get_xdr("/incidents?$filter=severity eq 'High'").await;
    xdr.expect_error(400, "ODataError", "The property 'severity' cannot be used");
}

#[tokio::test]
async fn xdr_takes_windows_of_time_with_top_and_skip() {
    let stage = Stage::start().await;
    let all = stage.get_xdr("/incidents").await.items();
    let middle = all[all.len() / 2]["lastUpdateTime"].as_str().unwrap().to_owned();
    let newer = stage.get_xdr(&format!("/incidents?$filter=lastUpdateTime ge {middle}")).await.items();
    let older = stage.get_xdr(&format!("/incidents?$filter=lastUpdateTime lt {middle}")).await.items();
    assert_eq!(newer.len() + older.len(), all.len());
    assert!(newer.iter().any(|incident| incident["lastUpdateTime"] == middle.as_str()));
    let mut paged = Vec::new();
    for skip in (0..all.len()).step_by(7) {
        paged.extend(stage.get_xdr(&format!("/incidents?$top=7&$skip={skip}")).await.items());
    }
    assert_eq!(paged, all);
    stage.get_xdr("/incidents?$top=101").await.expect_error(400, "ODataError", "The limit of '100' for Top query");
    stage.get_xdr("/incidents?$stop=1").await.expect_error(400, "ODataError", "Custom query option '$stop'");
    stage.get_xdr("/incidents?$orderby=createdTime").await.expect_error(400, "ODataError", "'OrderBy' is not allowed");
    stage.get_xdr("/incidents/abc").await.expect_error(400, "InvalidInput", "not a number");
    stage.get_xdr("/incidents/999999").await.expect_error(404, "ResourceNotFound", "999999");
}

#[tokio::test]
async fn more_than_fifty_incidents_a_page_is_the_known_400() {
    let stage = Stage::start().await;
    let refused = stage.get_graph("/incidents?$top=100").await;
    refused.expect_error(400, "", "The query specified in the URI is not valid. The limit of '50' for Top query has been exceeded. The value from the incoming request is '100'.");
    assert_eq!(refused.json["error"]["details"], json!([]));
    for name in ["date", "request-id", "client-request-id"] {
        assert!(refused.json["error"]["innerError"][name].is_string(), "{}", refused.text);
    }
    assert_eq!(stage.get_graph("/alerts_v2?$top=100").await.items().len(), 100);
}

#[tokio::test]
async fn pages_give_each_incident_once_while_the_world_changes() {
    let stage = Stage::start().await;
    stage.admin(Method::POST, "/world/incidents", json!({ "count": 120 })).await;
    let before: BTreeSet<String> = stage.true_incidents().await.into_keys().collect();
    let mut seen = Vec::new();
    let mut next = Some("/v1.0/security/incidents?$orderby=lastUpdateDateTime&$top=20".to_owned());
    while let Some(path) = next {
        let answer = stage.call(Method::GET, &path, &stage.graph, None).await;
        let items = answer.items();
        let (first, last) = (items[0]["id"].as_str().unwrap(), items[items.len() - 1]["id"].as_str().unwrap());
        for id in [first, last] {
            let path = format!("/v1.0/security/incidents/{id}");
            let patch = json!({ "customTags": ["seen"] });
            assert_eq!(stage.call(Method::PATCH, &path, &stage.graph, Some(patch)).await.status, 200);
        }
        stage.admin(Method::POST, "/world/incidents", json!({ "count": 3 })).await;
        seen.extend(items);
        next = answer.json["@odata.nextLink"].as_str().map(str::to_owned);
        if let Some(link) = &next {
            assert!(link.starts_with(&stage.url("/v1.0/security/incidents?")), "{link}");
            assert!(link.contains("$orderby=lastUpdateDateTime") && link.contains("$skiptoken="), "{link}");
        }
    }
    assert_eq!(seen.len(), before.len());
    assert_eq!(ids(&seen, "id"), before);
    stage.get_graph("/incidents?$skiptoken=rubbish").await.expect_error(400, "", "$skiptoken");
}

#[tokio::test]
async fn expand_select_and_order_do_what_they_say() {
    let stage = Stage::start().await;
    let expanded = stage.get_graph("/incidents?$expand=alerts&$top=50").await.items();
    assert!(expanded.iter().any(|incident| incident["alerts"].as_array().unwrap().len() > 1));
    for incident in &expanded {
        for alert in incident["alerts"].as_array().unwrap() {
            assert_eq!(alert["incidentId"], incident["id"]);
        }
    }
    let slim = stage.get_graph("/incidents?$select=displayName,status&$top=1").await.items();
    let names: Vec<&String> = slim[0].as_object().unwrap().keys().collect();
    assert_eq!(names, ["displayName", "id", "status"].map(str::to_owned).iter().collect::<Vec<_>>());
    stage.get_graph("/incidents?$select=nope").await.expect_error(400, "", "named 'nope'");
    stage.get_graph("/incidents?$expand=nope").await.expect_error(400, "", "named 'nope'");
    let ordered = stage.all_pages("/alerts_v2?$orderby=lastUpdateDateTime asc&$top=60").await;
    let times: Vec<jiff::Timestamp> =
        ordered.iter().map(|alert| alert["lastUpdateDateTime"].as_str().unwrap().parse().unwrap()).collect();
    assert!(times.is_sorted());
}

#[tokio::test]
async fn newer_members_of_enumerations_need_the_header() {
    let stage = Stage::start().await;
    let truth = stage.true_incidents().await;
    let (waiting, _) = truth.iter().find(|(_, incident)| incident["status"] == "awaitingAction").unwrap();
    let path = format!("/v1.0/security/incidents/{waiting}");
    let plain = stage.call(Method::GET, &path, &stage.graph, None).await;
    assert_eq!(plain.json["status"], "unknownFutureValue");
    let request = stage.client.get(stage.url(&path)).bearer_auth(&stage.graph);
    let all = crate::stage::read(request.header("prefer", "include-unknown-enum-members").send().await.unwrap()).await;
    assert_eq!(all.json["status"], "awaitingAction");
    assert_eq!(all.headers["preference-applied"], "include-unknown-enum-members");
}

#[tokio::test]
async fn a_late_incident_carries_an_older_update_than_the_moment_it_appears() {
    let stage = Stage::start().await;
    let order = json!({ "visible_in_s": 300, "updated_before_s": 900 });
    let id = stage.admin(Method::POST, "/world/late", order).await["id"].clone();
    assert_eq!(stage.get_xdr(&format!("/incidents/{id}")).await.status, 404);
    stage.advance(300).await;
    let found = stage.get_xdr(&format!("/incidents/{id}")).await;
    assert_eq!(found.json["lastUpdateTime"], "2026-11-22T07:50:00Z", "{}", found.text);
    assert!(!found.json["alerts"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn twenty_thousand_more_incidents_are_served() {
    let stage = Stage::start().await;
    let made = stage.admin(Method::POST, "/world/incidents", json!({ "count": 20_000, "spread_s": 86_400 })).await;
    assert_eq!(made["count"], 20_000);
    let page = stage.get_xdr("/incidents?$top=100&$skip=19000").await.items();
    assert_eq!(page.len(), 100);
    let last = stage.get_xdr(&format!("/incidents/{}", made["lastId"])).await;
    assert!(last.json["alerts"].as_array().is_some_and(|alerts| !alerts.is_empty()));
}

#[tokio::test]
async fn the_same_seed_tells_the_same_story() {
    let (first, second, other) =
        (Stage::start_with_seed(5).await, Stage::start_with_seed(5).await, Stage::start_with_seed(6).await);
    for stage in [&first, &second, &other] {
        stage.advance(3 * 86_400).await;
    }
    let truth: Value = first.truth().await;
    assert_eq!(truth, second.truth().await);
    assert_ne!(truth["incidents"], other.truth().await["incidents"]);
}
