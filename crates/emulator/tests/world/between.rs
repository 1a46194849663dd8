//! The world changes between two pages, and many incidents share one instant.

use serde_json::json;

use crate::stage::Stage;

#[tokio::test]
async fn an_alert_changes_after_the_page_that_shows_it() {
    let stage = Stage::start().await;
    let path = "/alerts_v2?$top=5";
    let fault = stage.fault(json!({ "kind": "alert_updated_between_pages", "route": "*/alerts_v2" })).await;
    let first = stage.get_graph(path).await.items()[0].clone();
    assert_eq!(stage.hits(fault).await, 1);
    let id = first["id"].as_str().unwrap();
    let after = stage.get_graph(&format!("/alerts_v2/{id}")).await.json;
    assert_ne!(after["lastUpdateDateTime"], first["lastUpdateDateTime"]);
    assert_eq!(after["status"], "inProgress");
}

#[tokio::test]
async fn an_incident_of_a_later_page_is_merged_into_one_of_this_page() {
    let stage = Stage::start().await;
    let fault = stage.fault(json!({ "kind": "incident_merged_between_pages", "service": "xdr" })).await;
    let page = stage.get_xdr("/incidents?$top=3").await.items();
    assert_eq!(stage.hits(fault).await, 1);
    let first = page[0]["incidentId"].as_u64().unwrap();
    let grown = stage.get_xdr(&format!("/incidents/{first}")).await.json;
    assert!(grown["alerts"].as_array().unwrap().len() > page[0]["alerts"].as_array().unwrap().len());
    let incidents = stage.get_xdr("/incidents").await.items();
    let shown: Vec<u64> = page.iter().map(|incident| incident["incidentId"].as_u64().unwrap()).collect();
    let merged = incidents.iter().find(|incident| incident["redirectIncidentId"] == first).unwrap();
    assert!(!shown.contains(&merged["incidentId"].as_u64().unwrap()));
}

#[tokio::test]
async fn many_incidents_can_share_one_instant() {
    let stage = Stage::start().await;
    let new = json!({ "count": 30, "same_time": true });
    stage.admin(reqwest::Method::POST, "/world/incidents", new).await;
    let incidents = stage.get_xdr("/incidents?$filter=lastUpdateTime ge 2026-11-22T08:00:00Z").await.items();
    assert_eq!(incidents.len(), 30);
    for incident in &incidents {
        assert_eq!(
            (&incident["createdTime"], &incident["lastUpdateTime"]),
            (&json!("2026-11-22T08:00:00Z"), &json!("2026-11-22T08:00:00Z"))
        );
        assert_eq!(incident["alerts"][0]["lastUpdatedTime"], "2026-11-22T08:00:00Z");
    }
}
