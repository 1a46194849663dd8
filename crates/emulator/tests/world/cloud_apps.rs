//! Defender for Cloud Apps: alerts, activities and entities through their own API, and what other APIs see of them.

use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    schema::{has_keys, reference},
    stage::{Answer, Stage},
};

const SCOPE: &str = "05a65629-4c1b-48c1-a78b-804c4abdd4af/.default";

async fn token(stage: &Stage, roles: &[&str]) -> String {
    let roles: Vec<_> = roles.iter().map(|role| ("cloudapps", *role)).collect();
    stage.token_with(&roles, SCOPE).await
}

async fn post(stage: &Stage, path: &str, token: &str, body: Value) -> Answer {
    stage.call(Method::POST, &format!("/api/v1/{path}"), token, Some(body)).await
}

async fn get(stage: &Stage, path: &str, token: &str) -> Answer {
    stage.call(Method::GET, &format!("/api/v1/{path}"), token, None).await
}

async fn found(stage: &Stage, set: &str, token: &str, filters: Value) -> Vec<Value> {
    let answer = post(stage, &format!("{set}/"), token, json!({ "filters": filters })).await;
    assert_eq!(answer.status, 200, "{filters}: {}", answer.text);
    answer.json["data"].as_array().unwrap().clone()
}

/// The alert of Graph that an alert here is.
async fn in_graph(stage: &Stage, alert: &Value) -> Value {
    let answer = stage.get_graph(&format!("/alerts_v2/ca{}", alert["contextId"].as_str().unwrap())).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json
}

#[track_caller]
fn refused(answer: &Answer, status: u16, detail: &str) {
    assert_eq!(answer.status.as_u16(), status, "{}", answer.text);
    let found = answer.json["detail"].as_str().unwrap();
    assert!(found.contains(detail), "{found:?} has no {detail:?}");
}

async fn effects(stage: &Stage, entity: &str) -> (Value, Value) {
    let counters = stage.admin(Method::GET, "/counters", Value::Null).await;
    let all = counters["effects"].as_array().unwrap().clone();
    let found = all.into_iter().find(|effect| effect["entity"] == entity).unwrap_or_default();
    (found["patches"].clone(), found["comments"].clone())
}

#[tokio::test]
async fn alerts_are_those_of_the_incidents_and_keep_the_keys_of_the_samples() {
    let stage = Stage::start().await;
    let token = token(&stage, &["investigation.read"]).await;
    let list = get(&stage, "alerts/", &token).await;
    let alerts = list.json["data"].as_array().unwrap();
    let all = stage.all_pages("/alerts_v2?$top=500").await;
    let own = all.iter().filter(|alert| alert["serviceSource"] == "microsoftDefenderForCloudApps").count();
    assert!(own > 1);
    assert_eq!(
        (alerts.len(), list.json["total"].as_u64(), &list.json["hasNext"]),
        (own, Some(own as u64), &json!(false))
    );
    for alert in alerts {
        let graph = in_graph(&stage, alert).await;
        assert_eq!((&graph["title"], &graph["description"]), (&alert["title"], &alert["description"]));
        let severity = ["low", "medium", "high", "informational"][alert["severityValue"].as_u64().unwrap() as usize];
        assert_eq!(graph["severity"], severity);
        let one = get(&stage, &format!("alerts/{}/", alert["_id"].as_str().unwrap()), &token).await;
        assert_eq!(&one.json, alert);
    }
    let Some(sample) = reference("samples/mdca_alerts_list_200.json") else { return };
    has_keys(std::slice::from_ref(&list.json), std::slice::from_ref(&sample), "list");
    has_keys(alerts, sample["data"].as_array().unwrap(), "alert");
    if let Some(sample) = reference("samples/mdca_alerts_fetch_200.json") {
        has_keys(alerts, &[sample], "alert");
    }
}

#[tokio::test]
async fn a_closed_alert_is_resolved_everywhere_and_its_verdict_is_the_same() {
    let stage = Stage::start().await;
    let token = token(&stage, &["investigation.manage"]).await;
    let alerts = get(&stage, "alerts/", &token).await.json["data"].as_array().unwrap().clone();
    for (index, (path, resolution, classification)) in [
        ("close_benign", 4, "informationalExpectedActivity"),
        ("close_false_positive", 3, "falsePositive"),
        ("close_true_positive", 5, "truePositive"),
    ]
    .into_iter()
    .enumerate()
    {
        let id = alerts[index % alerts.len()]["_id"].as_str().unwrap();
        let missing = "5f843e9cfe3f6d80fe58a962";
        let order = json!({ "filters": { "id": { "eq": [id, missing] } }, "comment": "seen by a test" });
        let closed = post(&stage, &format!("alerts/{path}/"), &token, order).await;
        let counted = path.replace("close", "closed");
        assert_eq!(closed.json, json!({ counted: 1, "alertsNotFound": [missing] }), "{}", closed.text);
        let alert = get(&stage, &format!("alerts/{id}/"), &token).await.json;
        assert_eq!((&alert["resolutionStatusValue"], &alert["statusValue"]), (&json!(resolution), &json!(2)));
        assert_eq!(alert["comment"], "seen by a test");
        let graph = in_graph(&stage, &alert).await;
        assert_eq!((&graph["status"], &graph["classification"]), (&json!("resolved"), &json!(classification)));
        let entity = format!("alerts/ca{}", alert["contextId"].as_str().unwrap());
        assert!(effects(&stage, &entity).await.0.as_u64() >= Some(1));
        assert!(
            found(&stage, "alerts", &token, json!({ "alertOpen": { "eq": true }, "id": { "eq": id } }))
                .await
                .is_empty()
        );
    }
    let alone = json!({ "filters": { "id": { "eq": ["5f843e9cfe3f6d80fe58a962"] } } });
    let nothing = post(&stage, "alerts/close_benign/", &token, alone).await;
    assert_eq!(nothing.json, json!({ "closed_benign": 0, "alertsNotFound": ["5f843e9cfe3f6d80fe58a962"] }));
    for (path, order, detail) in [
        ("close_benign", json!({}), "'filters' is required"),
        ("close_benign", json!({ "filters": { "id": { "eq": "x" } }, "reasonId": 1 }), "reason 1"),
        ("close_false_positive", json!({ "filters": { "id": { "eq": "x" } }, "reasonId": 5 }), "reason 5"),
        ("close_true_positive", json!({ "filters": { "id": { "eq": "x" } }, "reasonId": 4 }), "reasonId"),
        ("close_benign", json!({ "filters": { "mood": { "eq": "x" } } }), "mood"),
        ("close_benign", json!({ "filters": { "id": { "like": "x" } } }), "like"),
        ("close_benign", json!({ "filters": { "id": { "eq": "x" } }, "sendFeedback": "yes" }), "sendFeedback"),
    ] {
        refused(&post(&stage, &format!("alerts/{path}/"), &token, order).await, 400, detail);
    }
}

#[tokio::test]
async fn an_alert_is_read_until_it_is_unread() {
    let stage = Stage::start().await;
    let token = token(&stage, &["investigation.read"]).await;
    let open = found(&stage, "alerts", &token, json!({ "alertOpen": { "eq": true } })).await;
    let id = open[0]["_id"].as_str().unwrap();
    for (path, status, is_read) in [("read", 1, true), ("unread", 0, false)] {
        assert_eq!(post(&stage, &format!("alerts/{id}/{path}/"), &token, json!({})).await.status, 200);
        assert_eq!(get(&stage, &format!("alerts/{id}/"), &token).await.json["statusValue"], status);
        let filters = json!({ "read": { "eq": is_read }, "id": { "eq": [id] } });
        assert_eq!(found(&stage, "alerts", &token, filters).await.len(), 1);
    }
    refused(&post(&stage, "alerts/000000000000000000000000/read/", &token, json!({})).await, 404, "Not found");
}

#[tokio::test]
async fn lists_are_filtered_sorted_and_cut_into_pages() {
    let stage = Stage::start().await;
    let token = token(&stage, &["investigation.read"]).await;
    let first = post(&stage, "activities/", &token, json!({})).await.json;
    assert_eq!((first["data"].as_array().unwrap().len(), &first["hasNext"]), (100, &json!(true)));
    let total = first["total"].as_u64().unwrap();
    let mut seen = Vec::new();
    loop {
        let body = json!({ "skip": seen.len(), "limit": 90, "sortDirection": "asc", "sortField": "date" });
        let page = post(&stage, "activities/", &token, body).await.json;
        seen.extend(page["data"].as_array().unwrap().clone());
        if page["hasNext"] == false {
            break;
        }
    }
    assert_eq!(seen.len() as u64, total);
    assert!(seen.is_sorted_by_key(|activity| activity["timestamp"].as_i64()));
    let newest = first["data"][0]["timestamp"].as_i64().unwrap();
    assert_eq!(seen.last().unwrap()["timestamp"], newest);
    let mut ids: Vec<_> = seen.iter().map(|activity| activity["_id"].as_str().unwrap()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), seen.len());

    let downloads = stage.hunt("CloudAppEvents | where ActionType == 'FileDownloaded' | count").await;
    let wanted = json!({ "filters": { "activity.eventActionType": { "eq": ["FileDownloaded"] } }, "limit": 1 });
    let answer = post(&stage, "activities/", &token, wanted).await.json;
    assert_eq!(answer["total"], downloads[0]["Count"]);
    let recent = found(&stage, "activities", &token, json!({ "date": { "gte_ndays": 1 } })).await;
    assert!(!recent.is_empty() && recent.len() < 100, "{}", recent.len());
    // With GET, too, in the body as the pages show it and in the query.
    let path = "/api/v1/activities/?limit=2&filters=%7B%22service%22%3A%7B%22eq%22%3A%5B20893%5D%7D%7D";
    let by_query = stage.call(Method::GET, path, &token, None).await.json;
    let filters = json!({ "filters": { "service": { "eq": [20893] } }, "limit": 2 });
    let by_body = stage.call(Method::GET, "/api/v1/activities/", &token, Some(filters)).await.json;
    assert_eq!(by_query, by_body);
    assert_eq!(by_body["data"][0]["appId"], 20_893);
    for body in [
        json!({ "skip": -1 }),
        json!({ "sortField": "mood" }),
        json!({ "sortDirection": "up" }),
        json!({ "filters": [] }),
        json!({ "mood": 1 }),
    ] {
        assert_eq!(post(&stage, "activities/", &token, body.clone()).await.status, 400, "{body}");
    }
}

#[tokio::test]
async fn activities_are_what_hunting_finds_and_take_feedback() {
    let stage = Stage::start().await;
    let token = token(&stage, &["investigation.read"]).await;
    let newest = get(&stage, "activities/?limit=1", &token).await.json["data"][0].clone();
    let id = newest["_id"].as_str().unwrap();
    assert_eq!(get(&stage, &format!("activities/{id}/"), &token).await.json, newest);
    let account = newest["user"]["id"].as_str().unwrap();
    let query = format!(
        "CloudAppEvents | where AccountObjectId == '{account}' | top 1 by Timestamp desc \
         | project ActionType, Application, IPAddress"
    );
    let row = &stage.hunt(&query).await[0];
    assert_eq!((&row["ActionType"], &row["Application"]), (&newest["eventTypeName"], &newest["appName"]));
    assert_eq!(row["IPAddress"], newest["device"]["clientIP"]);
    let feedback = json!({ "feedbackValue": "0", "feedbackText": "Irrelevant", "allowContact": false });
    assert_eq!(post(&stage, &format!("activities/{id}/feedback"), &token, feedback).await.status, 200);
    assert_eq!(effects(&stage, &format!("activities/{id}")).await.1, 1);
    refused(&post(&stage, &format!("activities/{id}/feedback"), &token, json!({})).await, 400, "feedbackValue");
    let nowhere = post(&stage, "activities/00/feedback", &token, json!({ "feedbackValue": "0" })).await;
    refused(&nowhere, 404, "Not found");
    refused(&get(&stage, "activities/00/", &token).await, 404, "Not found");
}

#[tokio::test]
async fn entities_are_the_people_and_a_switched_off_account_is_suspended() {
    let stage = Stage::start().await;
    let token = token(&stage, &["investigation.read"]).await;
    let all = get(&stage, "entities/", &token).await.json;
    assert_eq!(all["total"], 60);
    let entity = &all["data"][7];
    let key = json!({ "id": entity["id"], "saas": 11_161, "inst": 0 });
    let pk = STANDARD.encode(key.to_string()).replace('/', "%2F").replace('+', "%2B");
    assert_eq!(&get(&stage, &format!("entities/{pk}/"), &token).await.json, entity);
    assert_eq!(
        found(&stage, "entities", &token, json!({ "entity": { "eq": [key] } })).await,
        std::slice::from_ref(entity)
    );
    assert_eq!(entity["status"], 2);
    let graph = stage.token_with(&[("graph", "User.ReadWrite.All")], crate::stage::GRAPH).await;
    let user = format!("/v1.0/users/{}", entity["username"].as_str().unwrap());
    let off = stage.call(Method::PATCH, &user, &graph, Some(json!({ "accountEnabled": false }))).await;
    assert_eq!(off.status, 204);
    let suspended = found(&stage, "entities", &token, json!({ "status": { "eq": [3] } })).await;
    assert_eq!((suspended.len(), &suspended[0]["id"]), (1, &entity["id"]));
    for pk in ["bm8=", "eyJpZCI6IjEiLCJzYWFzIjoxMTE2MSwiaW5zdCI6MH0="] {
        refused(&get(&stage, &format!("entities/{pk}/"), &token).await, 404, "Not found");
    }
}

#[tokio::test]
async fn tokens_roles_limits_and_faults_are_those_of_the_service() {
    let stage = Stage::start().await;
    let (none, discovery) = (token(&stage, &[]).await, token(&stage, &["discovery.read"]).await);
    let token = token(&stage, &["investigation.read"]).await;
    for path in ["alerts/", "activities/", "entities/"] {
        refused(&get(&stage, path, &none).await, 403, "permission");
        for elsewhere in [&stage.mde, &stage.graph, &stage.xdr] {
            refused(&get(&stage, path, elsewhere).await, 401, "another resource");
        }
    }
    assert_eq!(get(&stage, "alerts/", &discovery).await.status, 200);
    refused(&get(&stage, "activities/", &discovery).await, 403, "permission");
    refused(&post(&stage, "alerts/close_benign/", &token, json!({})).await, 403, "permission");
    let legacy = stage.client.get(stage.url("/api/v1/alerts/")).header("authorization", "Token 0123456789abcdef");
    refused(&crate::stage::read(legacy.send().await.unwrap()).await, 401, "not provided");

    // The limit is the tenant's: two applications share it.
    stage.admin(Method::PUT, "/throttle", json!({ "mode": "on" })).await;
    for call in 0..30 {
        let token = if call % 2 == 0 { &token } else { &discovery };
        assert_eq!(get(&stage, "alerts/?limit=1", token).await.status, 200);
    }
    let throttled = get(&stage, "alerts/", &token).await;
    refused(&throttled, 429, "Expected available in 60 seconds");
    assert_eq!(throttled.headers["retry-after"], "60");
    stage.advance(60).await;
    assert_eq!(get(&stage, "alerts/", &token).await.status, 200);

    let fault = stage.fault(json!({ "kind": "server_error", "service": "mdca", "status": 503 })).await;
    refused(&get(&stage, "entities/", &token).await, 503, "error");
    assert_eq!(stage.hits(fault).await, 1);
    stage.fault(json!({ "kind": "token_expired", "service": "mdca" })).await;
    refused(&get(&stage, "entities/", &token).await, 401, "expired");
    let counters = stage.admin(Method::GET, "/counters", Value::Null).await;
    let calls = counters["calls"].as_array().unwrap();
    assert!(calls.iter().any(|call| call["service"] == "mdca" && call["route"] == "/api/v1/entities"));
}
