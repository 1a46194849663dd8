//! Alerts of Defender for Endpoint and what they point at: the same as XDR and Graph tell, in this API's words.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use crate::stage::{Stage, ids};

impl Stage {
    /// The first open alert that is about a file with a hash.
    async fn alert_with_file(&self) -> Value {
        let alerts = self.get_mde("/alerts?$expand=evidence&$filter=status ne 'Resolved'").await.items();
        let shows = |alert: &&Value| alert["evidence"].as_array().unwrap().iter().any(|one| one["sha1"].is_string());
        alerts.iter().find(shows).unwrap().clone()
    }
}

#[tokio::test]
async fn the_three_apis_tell_of_the_same_alerts() {
    let stage = Stage::start().await;
    let alerts = stage.get_mde("/alerts").await.items();
    assert!(alerts.iter().all(|alert| alert["evidence"] == json!([])));
    let graph = stage.all_pages("/alerts_v2?$filter=serviceSource eq 'microsoftDefenderForEndpoint'&$top=100").await;
    assert_eq!(ids(&alerts, "id"), ids(&graph, "id"));
    for alert in &alerts {
        let other = graph.iter().find(|other| other["id"] == alert["id"]).unwrap();
        assert_eq!(alert["incidentId"].to_string(), other["incidentId"].as_str().unwrap());
        assert_eq!(alert["lastUpdateTime"], other["lastUpdateDateTime"]);
        assert_eq!(alert["title"], other["title"]);
        let state = alert["investigationState"].as_str().unwrap();
        assert!(state.eq_ignore_ascii_case(other["investigationState"].as_str().unwrap()));
    }
    let machine = alerts[0]["machineId"].as_str().unwrap();
    let count = stage.get_mde(&format!("/machines/{machine}/alerts/$count?$filter=status ne 'Resolved'")).await.text;
    let listed = stage.get_mde(&format!("/machines/{machine}/alerts?$filter=status ne 'Resolved'")).await.items();
    assert_eq!(count, listed.len().to_string());
    assert_eq!(
        listed.len(),
        alerts.iter().filter(|alert| alert["machineId"] == machine && alert["status"] != "Resolved").count()
    );
}

#[tokio::test]
async fn alerts_can_be_filtered() {
    let stage = Stage::start().await;
    let all = stage.get_mde("/alerts").await.items();
    let high = stage.get_mde("/alerts?$filter=severity eq 'High' and alertCreationTime ge 2026-11-01").await.items();
    assert!(!high.is_empty() && high.len() < all.len());
    let incident = &all[0]["incidentId"];
    let of_incident = stage.get_mde(&format!("/alerts?$filter=incidentId eq {incident}")).await.items();
    assert_eq!(of_incident.len(), all.iter().filter(|alert| alert["incidentId"] == *incident).count());
    let page = stage.get_mde("/alerts?$top=2&$skip=1").await.items();
    assert_eq!(page, all[1..3]);
    stage.get_mde("/alerts?$expand=machine").await.expect_error(400, "ODataError", "machine");
    stage.get_mde("/alerts?$filter=title eq 'x'").await.expect_error(400, "ODataError", "title");
    stage.get_mde("/alerts?$filter=severity eq 'Grave'").await.expect_error(400, "ODataError", "Grave");
    stage.get_mde("/alerts/none").await.expect_error(404, "ResourceNotFound", "Alert none was not found");
}

#[tokio::test]
async fn a_change_is_seen_by_all_apis_in_their_own_words() {
    let stage = Stage::start().await;
    let alert = stage.alert_with_file().await;
    let path = format!("/alerts/{}", alert["id"].as_str().unwrap());
    let change = json!({
        "Status": "InProgress", "classification": "TruePositive", "determination": "CompromisedUser",
        "assignedTo": "soc.first@haldenmarine.example", "comment": "key-7",
    });
    let changed = stage.call(Method::PATCH, &format!("/api{path}"), &stage.mde, Some(change)).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    assert_eq!(
        (&changed.json["status"], &changed.json["determination"]),
        (&json!("InProgress"), &json!("CompromisedUser"))
    );
    assert_eq!(changed.json["comments"][0]["comment"], "key-7");
    let graph = stage.get_graph(&format!("/alerts_v2/{}", alert["id"].as_str().unwrap())).await.json;
    assert_eq!((&graph["status"], &graph["determination"]), (&json!("inProgress"), &json!("compromisedAccount")));
    let bad = |body: Value| stage.call(Method::PATCH, "/api/alerts/none", &stage.mde, Some(body));
    bad(json!({ "status": "Open" })).await.expect_error(400, "InvalidInput", "status");
    bad(json!({ "STATUS": "New" })).await.expect_error(400, "InvalidRequestBody", "STATUS");
    bad(json!({})).await.expect_error(400, "MissingRequiredParameter", "");
    bad(json!({ "status": "New" })).await.expect_error(404, "ResourceNotFound", "none");
}

#[tokio::test]
async fn many_alerts_change_at_once_or_none() {
    let stage = Stage::start().await;
    let alerts = stage.get_mde("/alerts?$filter=status eq 'New'&$top=3").await.items();
    let mut wanted: Vec<&str> = alerts.iter().map(|alert| alert["id"].as_str().unwrap()).collect();
    let done = stage.post_mde("/alerts/BatchUpdate", json!({ "alertIds": wanted, "status": "Resolved" })).await;
    assert_eq!((done.status.as_u16(), done.text.as_str()), (200, ""));
    for id in &wanted {
        assert_eq!(stage.get_mde(&format!("/alerts/{id}")).await.json["status"], "Resolved");
    }
    wanted.push("none");
    let refused = stage.post_mde("/alerts/batchUpdate", json!({ "alertIds": wanted, "status": "New" })).await;
    refused.expect_error(404, "ResourceNotFound", "none");
    assert_eq!(stage.get_mde(&format!("/alerts/{}", wanted[0])).await.json["status"], "Resolved");
}

#[tokio::test]
async fn a_reported_event_becomes_one_alert_and_an_incident() {
    let stage = Stage::start().await;
    let machine = stage.get_mde("/machines").await.items()[0]["id"].as_str().unwrap().to_owned();
    let mut event = json!({
        "machineId": machine, "severity": "Low", "title": "Odd program", "description": "Seen by a rule",
        "recommendedAction": "Look", "eventTime": "2026-11-21T16:45:21.7115183Z", "reportId": "20776", "category": "Exploit",
    });
    let created = stage.post_mde("/alerts/createalertbyreference", event.clone()).await;
    assert_eq!(created.status, 200, "{}", created.text);
    assert_eq!((&created.json["title"], &created.json["category"]), (&json!("Odd program"), &json!("Exploit")));
    let graph = stage.get_graph(&format!("/alerts_v2/{}", created.json["id"].as_str().unwrap())).await.json;
    assert_eq!((&graph["title"], &graph["recommendedActions"]), (&json!("Odd program"), &json!("Look")));
    let again = stage.post_mde("/alerts/CreateAlertByReference", event.clone()).await;
    assert_eq!(again.json["id"], created.json["id"]);
    event["eventTime"] = json!("2026-09-01T00:00:00Z");
    stage.post_mde("/alerts/CreateAlertByReference", event.clone()).await.expect_error(
        404,
        "ResourceNotFound",
        "Event",
    );
    event["category"] = json!("Weather");
    stage.post_mde("/alerts/CreateAlertByReference", event).await.expect_error(400, "InvalidInput", "category");
}

#[tokio::test]
async fn what_an_alert_points_at_points_back() {
    let stage = Stage::start().await;
    let alert = stage.alert_with_file().await;
    let id = alert["id"].as_str().unwrap();
    let of = async |what: &str| stage.get_mde(&format!("/alerts/{id}/{what}")).await;
    let file = of("files").await.items()[0].clone();
    let (sha1, sha256) = (file["sha1"].as_str().unwrap(), file["sha256"].as_str().unwrap());
    assert!(alert["evidence"].as_array().unwrap().iter().any(|one| one["sha1"] == sha1));
    assert_eq!(of("machine").await.json["id"], alert["machineId"]);
    let user = of("user").await.json;
    assert_eq!(user["accountName"], alert["relatedUser"]["userName"]);
    for hash in [sha1, sha256] {
        assert_eq!(stage.get_mde(&format!("/files/{hash}")).await.json["sha256"], sha256);
    }
    let has = |items: &[Value]| items.iter().any(|item| item["id"] == id);
    assert!(has(&stage.get_mde(&format!("/files/{sha1}/alerts")).await.items()));
    assert!(has(&stage.get_mde(&format!("/users/{}/alerts", user["accountName"].as_str().unwrap())).await.items()));
    let machines = stage.get_mde(&format!("/files/{sha1}/machines")).await.items();
    let stats = stage.get_mde(&format!("/files/{sha1}/stats")).await.json;
    assert_eq!(stats["organizationPrevalence"], machines.len());
    let theirs = stage.get_mde(&format!("/users/{}/machines", user["accountName"].as_str().unwrap())).await.items();
    assert!(ids(&theirs, "id").contains(alert["machineId"].as_str().unwrap()));

    let unknown = "f".repeat(40);
    stage.get_mde(&format!("/files/{unknown}")).await.expect_error(404, "ResourceNotFound", "File");
    stage.get_mde(&format!("/files/{unknown}/stats")).await.expect_error(404, "ResourceNotFound", "File");
    assert!(stage.get_mde(&format!("/files/{unknown}/alerts")).await.items().is_empty());
    stage.get_mde(&format!("/files/{sha256}/machines")).await.expect_error(400, "InvalidHashValue", "SHA-1");
    stage.get_mde("/files/xyz").await.expect_error(400, "InvalidHashValue", "xyz");
}

#[tokio::test]
async fn addresses_and_domains_lead_to_their_alerts() {
    let stage = Stage::start().await;
    let alerts = stage.get_mde("/alerts?$expand=evidence").await.items();
    let (mut with_ip, mut with_domain) = (BTreeSet::new(), BTreeSet::new());
    for alert in &alerts {
        let id = alert["id"].as_str().unwrap();
        for ip in stage.get_mde(&format!("/alerts/{id}/ips")).await.items() {
            with_ip.insert((ip["id"].as_str().unwrap().to_owned(), id.to_owned()));
        }
        for domain in stage.get_mde(&format!("/alerts/{id}/domains")).await.items() {
            with_domain.insert((domain["host"].as_str().unwrap().to_owned(), id.to_owned()));
        }
    }
    let (ip, of_ip) = with_ip.first().unwrap();
    assert!(ids(&stage.get_mde(&format!("/ips/{ip}/alerts")).await.items(), "id").contains(of_ip));
    let (domain, of_domain) = with_domain.first().unwrap();
    assert!(ids(&stage.get_mde(&format!("/domains/{domain}/alerts")).await.items(), "id").contains(of_domain));
    let machines = stage.get_mde(&format!("/domains/{domain}/machines")).await.items();
    assert_eq!(stage.get_mde(&format!("/domains/{domain}/stats")).await.json["organizationPrevalence"], machines.len());
    assert_eq!(stage.get_mde("/ips/198.51.100.255/stats?lookBackHours=24").await.json["organizationPrevalence"], 0);
    assert_eq!(stage.get_mde("/domains/nobody.example/stats").await.json["organizationPrevalence"], 0);
    stage.get_mde("/ips/300.1.1.1/alerts").await.expect_error(400, "InvalidIpAddress", "300.1.1.1");
    stage.get_mde("/ips/nowhere/stats").await.expect_error(400, "InvalidIpAddress", "nowhere");
    stage.get_mde("/domains/nodots/stats").await.expect_error(400, "InvalidDomainName", "nodots");
    stage.get_mde("/domains/a.example/stats?lookBackHours=721").await.expect_error(
        400,
        "InvalidInput",
        "lookBackHours",
    );
    assert!(stage.get_mde("/users/nobody/alerts").await.items().is_empty());
}
