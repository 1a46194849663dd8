//! Who may call what, and how the rest is refused.

use reqwest::Method;
use serde_json::{Value, json};

use crate::stage::{GRAPH, Stage, XDR};

#[tokio::test]
async fn a_token_without_roles_is_told_which_are_missing() {
    let stage = Stage::start().await;
    let graph = stage.token_with(&[], GRAPH).await;
    let incidents = stage.call(Method::GET, "/v1.0/security/incidents", &graph, None).await;
    incidents.expect_error(403, "Forbidden", "Missing application roles. API required roles: SecurityIncident.Read.All,SecurityIncident.ReadWrite.All, application roles: .");
    let alerts = stage.call(Method::GET, "/v1.0/security/alerts_v2", &graph, None).await;
    alerts.expect_error(
        403,
        "Forbidden",
        "SecurityAlert.Read.All,SecurityAlert.ReadWrite.All,SecurityIncident.Read.All",
    );
    let xdr = stage.token_with(&[("xdr", "AdvancedHunting.Read.All")], XDR).await;
    let refused = stage.call(Method::GET, "/api/incidents", &xdr, None).await;
    refused.expect_error(
        403,
        "Forbidden",
        "API required roles: Incident.Read.All,Incident.ReadWrite.All, application roles: AdvancedHunting.Read.All.",
    );
    assert!(refused.json["error"]["target"].as_str().is_some_and(|target| target.len() == 36));
}

#[tokio::test]
async fn a_reader_may_not_write() {
    let stage = Stage::start().await;
    let reads =
        [("graph", "SecurityIncident.Read.All"), ("graph", "SecurityAlert.Read.All"), ("xdr", "Incident.Read.All")];
    let (app, secret) = stage.app(&reads).await;
    let (graph, xdr) = (stage.token(&app, &secret, GRAPH).await, stage.token(&app, &secret, XDR).await);
    let alert = stage.get_graph("/alerts_v2?$top=1").await.items()[0]["id"].as_str().unwrap().to_owned();
    for (path, token) in
        [("/v1.0/security/incidents", &graph), ("/v1.0/security/alerts_v2", &graph), ("/api/incidents", &xdr)]
    {
        assert_eq!(stage.call(Method::GET, path, token, None).await.status, 200, "{path}");
    }
    let comment = json!({ "@odata.type": "microsoft.graph.security.alertComment", "comment": "x" });
    for (method, path, token, body) in [
        (Method::PATCH, "/v1.0/security/incidents/2041".to_owned(), &graph, json!({ "status": "resolved" })),
        (Method::POST, "/v1.0/security/incidents/2041/comments".to_owned(), &graph, comment.clone()),
        (Method::PATCH, format!("/v1.0/security/alerts_v2/{alert}"), &graph, json!({ "status": "resolved" })),
        (Method::POST, format!("/v1.0/security/alerts_v2/{alert}/comments"), &graph, comment),
        (Method::PATCH, "/api/incidents/2041".to_owned(), &xdr, json!({ "status": "Resolved" })),
    ] {
        stage.call(method, &path, token, Some(body)).await.expect_error(403, "Forbidden", "Missing application roles");
    }
}

#[tokio::test]
async fn a_token_for_another_resource_or_none_is_refused() {
    let stage = Stage::start().await;
    let wrong = stage.call(Method::GET, "/v1.0/security/incidents", &stage.xdr, None).await;
    wrong.expect_error(401, "InvalidAuthenticationToken", "Invalid audience");
    stage.call(Method::GET, "/api/incidents", &stage.graph, None).await.expect_error(
        401,
        "Unauthorized",
        "another resource",
    );
    stage.call(Method::GET, "/api/incidents/2041", "rubbish", None).await.expect_error(
        401,
        "Unauthorized",
        "not valid",
    );
    stage.advance(3 * 3_600).await;
    stage.get_graph("/alerts_v2").await.expect_error(401, "InvalidAuthenticationToken", "expired");
    stage.get_xdr("/incidents").await.expect_error(401, "Unauthorized", "expired");
}

#[tokio::test]
async fn limits_count_per_route_and_application() {
    let stage = Stage::start().await;
    stage.admin(Method::PUT, "/throttle", json!({ "mode": "on" })).await;
    for _ in 0..50 {
        assert_eq!(stage.get_xdr("/incidents?$top=1").await.status, 200);
    }
    let list = stage.get_xdr("/incidents?$top=1").await;
    list.expect_error(429, "429", "API calls quota exceeded! maximum allowed 50 per 00:01:00");
    assert_eq!(list.headers["retry-after"], "60");
    assert_eq!(stage.get_xdr("/incidents/2041").await.status, 200);
    for _ in 0..50 {
        let patched =
            stage.call(Method::PATCH, "/api/incidents/2041", &stage.xdr, Some(json!({ "comment": "x" }))).await;
        assert_eq!(patched.status, 200);
    }
    let update = stage.call(Method::PATCH, "/api/incidents/2041", &stage.xdr, Some(json!({ "comment": "x" }))).await;
    update.expect_error(429, "429", "You can call again in 60 seconds, at 2026-11-22T08:01:00Z");
    assert!(!update.headers.contains_key("retry-after"));
    stage.advance(60).await;
    assert_eq!(stage.get_xdr("/incidents?$top=1").await.status, 200);

    stage.admin(Method::PUT, "/throttle", json!({ "mode": "on", "factor": 0.02 })).await;
    for _ in 0..3 {
        assert_eq!(stage.get_graph("/alerts_v2?$top=1").await.status, 200);
    }
    let alerts = stage.get_graph("/alerts_v2?$top=1").await;
    alerts.expect_error(429, "TooManyRequests", "Please retry again later.");
    assert_eq!(
        (&alerts.json["error"]["innerError"]["code"], &alerts.headers["retry-after"]),
        (&json!("429"), &"60.000".parse().unwrap())
    );
}

#[tokio::test]
async fn every_call_is_counted() {
    let stage = Stage::start().await;
    stage.admin(Method::DELETE, "/counters", Value::Null).await;
    stage.get_xdr("/incidents/2041").await;
    stage.get_xdr("/incidents/2042").await;
    stage.get_graph("/incidents?$top=100").await;
    let patch = json!({ "comment": "counted", "status": "InProgress" });
    stage.call(Method::PATCH, "/api/incidents/2041", &stage.xdr, Some(patch)).await;
    let counters = stage.admin(Method::GET, "/counters", Value::Null).await;
    let count = |service: &str, method: &str, route: &str, status: u16| {
        let calls = counters["calls"].as_array().unwrap();
        let found = calls.iter().find(|call| {
            call["service"] == service
                && call["method"] == method
                && call["route"] == route
                && call["status"] == status
                && call["appId"] == stage.app_id.as_str()
        });
        found.map_or(0, |call| call["count"].as_u64().unwrap())
    };
    assert_eq!(count("xdr", "GET", "/api/incidents/{id}", 200), 2, "{counters}");
    assert_eq!(count("graph", "GET", "/v1.0/security/incidents", 400), 1, "{counters}");
    assert_eq!(counters["total"], 4);
    assert_eq!(counters["effects"][0]["entity"], "incidents/2041");
    assert_eq!((&counters["effects"][0]["patches"], &counters["effects"][0]["comments"]), (&json!(1), &json!(1)));
}

#[tokio::test]
async fn the_admin_api_refuses_web_pages() {
    let stage = Stage::start().await;
    let url = format!("http://{}/truth", stage.emulator.admin());
    let from_page = stage.client.get(&url).header("origin", "https://page.example").send().await.unwrap();
    assert_eq!(from_page.status(), 403);
    let rebound = stage.client.get(&url).header("host", "rebound.example").send().await.unwrap();
    assert_eq!(rebound.status(), 403);
    let local = stage.client.get(&url).header("host", "localhost:1").send().await.unwrap();
    assert_eq!(local.status(), 200);
}
