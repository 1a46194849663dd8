//! Every fault can be seen, and is counted.

use reqwest::Method;
use serde_json::{Value, json};

use crate::stage::{Answer, Stage, read};

/// Orders a fault for the incident list of Graph, calls it once, and checks that the fault was counted.
async fn struck(stage: &Stage, mut order: Value, query: &str) -> Answer {
    order["route"] = json!("/v1.0/security/incidents");
    let fault = stage.fault(order.clone()).await;
    let answer = stage.get_graph(&format!("/incidents{query}")).await;
    assert_eq!(stage.hits(fault).await, 1, "{order}");
    stage.admin(Method::DELETE, &format!("/faults/{fault}"), Value::Null).await;
    answer
}

#[tokio::test]
async fn refusals_of_the_service() {
    let stage = Stage::start().await;
    let limited = struck(&stage, json!({ "kind": "too_many_requests", "retry_after": "2.128" }), "").await;
    limited.expect_error(429, "TooManyRequests", "");
    assert_eq!(limited.headers["retry-after"], "2.128");
    let limited = struck(&stage, json!({ "kind": "too_many_requests", "retry_after": null }), "").await;
    assert!(limited.status == 429 && !limited.headers.contains_key("retry-after"));
    for status in [500_u16, 502, 503] {
        assert_eq!(struck(&stage, json!({ "kind": "server_error", "status": status }), "").await.status, status);
    }
    let timeout = struck(&stage, json!({ "kind": "gateway_timeout" }), "").await;
    assert_eq!((timeout.status.as_u16(), &timeout.json["error"]["message"]), (504, &json!("")));
    let page = struck(&stage, json!({ "kind": "html" }), "").await;
    assert!(page.status == 200 && page.text.starts_with("<!DOCTYPE html>"));
    assert_eq!(struck(&stage, json!({ "kind": "html", "status": 502 }), "").await.status, 502);
    assert_eq!(stage.get_graph("/incidents").await.status, 200);
    let fault = stage.fault(json!({ "kind": "too_many_requests", "service": "xdr" })).await;
    stage.get_xdr("/incidents").await.expect_error(429, "429", "");
    assert_eq!((stage.get_graph("/incidents").await.status.as_u16(), stage.hits(fault).await), (200, 1));
}

#[tokio::test]
async fn broken_transfers() {
    let stage = Stage::start().await;
    let url = stage.url("/v1.0/security/incidents");
    let send = || stage.client.get(&url).bearer_auth(&stage.graph).send();
    let reset = stage.fault(json!({ "kind": "reset", "service": "graph" })).await;
    assert!(send().await.is_err());
    assert_eq!(stage.hits(reset).await, 1);
    let cut = stage.fault(json!({ "kind": "cut_body", "service": "graph" })).await;
    let response = send().await.unwrap();
    let promised: usize = response.headers()["content-length"].to_str().unwrap().parse().unwrap();
    assert!(promised > 1_000);
    assert!(response.bytes().await.is_err());
    assert_eq!(stage.hits(cut).await, 1);
    stage.fault(json!({ "kind": "bad_gzip", "service": "graph" })).await;
    assert!(send().await.unwrap().bytes().await.is_err());
    stage.fault(json!({ "kind": "oversized", "service": "graph" })).await;
    let mut endless = send().await.unwrap();
    let mut received = 0;
    while received < 4_000_000 {
        received += endless.chunk().await.unwrap().expect("no end").len();
    }
    drop(endless);
    let slow = stage.fault(json!({ "kind": "slow", "service": "graph", "delay_ms": 150 })).await;
    let before = std::time::Instant::now();
    assert_eq!(read(send().await.unwrap()).await.status, 200);
    assert!(before.elapsed().as_millis() >= 150);
    assert_eq!(stage.hits(slow).await, 1);
    assert_eq!(read(send().await.unwrap()).await.status, 200);
    let counters = stage.admin(Method::GET, "/counters", Value::Null).await;
    assert!(counters["calls"].as_array().unwrap().iter().any(|call| call["status"] == 0), "{counters}");
}

#[tokio::test]
async fn data_that_bites() {
    let stage = Stage::start().await;
    let first = |answer: &Answer| answer.items()[0].clone();
    let plain = first(&stage.get_graph("/incidents").await);
    let shouting = first(&struck(&stage, json!({ "kind": "wrong_enum_case" }), "").await);
    assert_eq!(shouting["severity"].as_str().unwrap(), plain["severity"].as_str().unwrap().to_uppercase());
    assert_eq!(first(&struck(&stage, json!({ "kind": "unknown_enum" }), "").await)["status"], "memberOfTomorrow");
    let without = first(&struck(&stage, json!({ "kind": "null_lists" }), "").await);
    assert!(without["comments"].is_null() && without["customTags"].is_null());
    let texts = first(&struck(&stage, json!({ "kind": "numbers_as_strings" }), "").await);
    assert_eq!(texts["priorityScore"], plain["priorityScore"].to_string());
    let lone = struck(&stage, json!({ "kind": "lone_surrogate" }), "").await;
    assert!(lone.text.contains("\\ud83d\""), "{}", &lone.text[..400]);
    assert_eq!(stage.get_graph("/incidents").await.items()[0], plain);
}

#[tokio::test]
async fn lists_that_bite() {
    let stage = Stage::start().await;
    let plain = stage.get_graph("/incidents?$top=5").await;
    let foreign = struck(&stage, json!({ "kind": "foreign_next_link" }), "?$top=5").await;
    let link = foreign.json["@odata.nextLink"].as_str().unwrap();
    assert!(link.starts_with("https://graph.evil.example/v1.0/security/incidents?"), "{link}");
    assert!(struck(&stage, json!({ "kind": "no_next_link" }), "?$top=5").await.json["@odata.nextLink"].is_null());
    let late = struck(&stage, json!({ "kind": "late_index" }), "?$top=5").await.items();
    assert_eq!(late, plain.items()[1..]);
    let fault = stage.fault(json!({ "kind": "duplicate_item", "service": "graph" })).await;
    let first = stage.get_graph("/incidents?$top=5").await;
    let next = first.json["@odata.nextLink"].as_str().unwrap();
    let second = stage.call(Method::GET, next, &stage.graph, None).await.items();
    assert_eq!((second.len(), &second[0]), (6, &first.items()[4]));
    assert_eq!(stage.hits(fault).await, 1);
}

#[tokio::test]
async fn expanding_fails_for_good() {
    let stage = Stage::start().await;
    let fault = stage.fault(json!({ "kind": "expand_fails" })).await;
    for path in ["/incidents?$expand=alerts", "/incidents?%24expand=alerts&$top=1", "/incidents?$expand=alerts"] {
        assert_eq!(stage.get_graph(path).await.status, 500, "{path}");
    }
    assert_eq!(stage.get_graph("/incidents").await.status, 200);
    assert_eq!(stage.hits(fault).await, 3);
}

#[tokio::test]
async fn a_token_that_expires_between_two_pages() {
    let stage = Stage::start().await;
    let (app, secret) = stage.app(&[("graph", "SecurityIncident.Read.All")]).await;
    let token = stage.token(&app, &secret, crate::stage::GRAPH).await;
    let fault = stage.fault(json!({ "kind": "token_expired", "service": "graph", "after": 1, "app_id": app })).await;
    let first = stage.call(Method::GET, "/v1.0/security/incidents?$top=5", &token, None).await;
    let next = first.json["@odata.nextLink"].as_str().unwrap();
    for _ in 0..2 {
        let refused = stage.call(Method::GET, next, &token, None).await;
        refused.expect_error(401, "InvalidAuthenticationToken", "expired");
    }
    stage.advance(1).await;
    let fresh = stage.token(&app, &secret, crate::stage::GRAPH).await;
    assert_ne!(fresh, token);
    assert_eq!(stage.call(Method::GET, next, &fresh, None).await.status, 200);
    assert_eq!(stage.hits(fault).await, 1);
}
