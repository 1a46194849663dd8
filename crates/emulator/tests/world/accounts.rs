//! Accounts of people: read, switched off and on, their sessions ended.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    schema::{has_keys, reference},
    stage::{Answer, GRAPH, MDE, Stage},
};

const ROLES: &[&str] = &["User.Read.All", "User.EnableDisableAccount.All", "User.RevokeSessions.All"];

struct Account {
    id: String,
    upn: String,
}

/// A person whom hunting knows.
async fn person(stage: &Stage) -> Account {
    let rows = stage.hunt("IdentityInfo | project AccountObjectId, AccountUpn | take 1").await;
    let text = |name: &str| rows[0][name].as_str().unwrap().to_owned();
    Account { id: text("AccountObjectId"), upn: text("AccountUpn") }
}

async fn token(stage: &Stage, roles: &[&str]) -> String {
    let roles: Vec<_> = roles.iter().map(|role| ("graph", *role)).collect();
    stage.token_with(&roles, GRAPH).await
}

async fn get(stage: &Stage, path: &str, token: &str) -> Answer {
    stage.call(Method::GET, &format!("/v1.0/users/{path}"), token, None).await
}

async fn switch(stage: &Stage, key: &str, token: &str, body: Value) -> Answer {
    stage.call(Method::PATCH, &format!("/v1.0/users/{key}"), token, Some(body)).await
}

#[tokio::test]
async fn a_person_is_read_by_id_and_by_name() {
    let stage = Stage::start().await;
    let (known, token) = (person(&stage).await, token(&stage, ROLES).await);
    let by_id = get(&stage, &known.id, &token).await;
    assert_eq!(by_id.status, 200, "{}", by_id.text);
    assert_eq!(by_id.json["userPrincipalName"], known.upn.as_str());
    for key in [known.upn.to_uppercase(), known.upn.replace('@', "%40")] {
        assert_eq!(get(&stage, &key, &token).await.json, by_id.json, "{key}");
    }
    let quoted = stage.call(Method::GET, &format!("/v1.0/users('{}')", known.upn), &token, None).await;
    assert_eq!(quoted.json["id"], by_id.json["id"]);
    assert!(by_id.json.get("accountEnabled").is_none(), "only $select brings it");
    if let Some(sample) = reference("samples/graph_user_get_200.json") {
        has_keys(std::slice::from_ref(&by_id.json), &[sample], "user");
    }
    let selected = get(&stage, &format!("{}?$select=id,accountEnabled", known.id), &token).await.json;
    assert_eq!((&selected["id"], &selected["accountEnabled"]), (&json!(known.id), &json!(true)));
    assert!(selected.get("mail").is_none());
    get(&stage, "nobody@haldenmarine.example", &token).await.expect_error(404, "Request_ResourceNotFound", "nobody@");
    get(&stage, &format!("{}?$select=mood", known.id), &token).await.expect_error(400, "BadRequest", "'mood'");
}

#[tokio::test]
async fn an_account_that_is_switched_off_shows_so_in_every_read_until_it_is_on_again() {
    let mut stage = Stage::start().await;
    let known = person(&stage).await;
    for enabled in [false, true] {
        let token = token(&stage, ROLES).await;
        let switched = switch(&stage, &known.upn, &token, json!({ "accountEnabled": enabled })).await;
        assert_eq!((switched.status.as_u16(), switched.text.as_str()), (204, ""));
        let read = get(&stage, &format!("{}?$select=accountEnabled", known.upn), &token).await.json;
        assert_eq!(read["accountEnabled"], enabled);
        let word = if enabled { "Enable account." } else { "Disable account." };
        let audited = stage.hunt(&format!("CloudAppEvents | where ActionType == '{word}'")).await;
        assert_eq!(audited.len(), 1, "{word}");
        assert_eq!(audited[0]["ObjectName"], known.upn.as_str());
        // People are recorded once a day, and no token lives that long.
        stage.advance(86_400).await;
        stage.graph = stage.token_with(&[("graph", "ThreatHunting.Read.All")], GRAPH).await;
        let newest = format!(
            "IdentityInfo | where AccountUpn == '{}' | top 1 by Timestamp desc | project IsAccountEnabled",
            known.upn
        );
        let seen = stage.hunt(&newest).await[0]["IsAccountEnabled"].clone();
        assert!(seen == json!(enabled) || seen == json!(u8::from(enabled)), "{seen}");
    }
    let counters = stage.admin(Method::GET, "/counters", Value::Null).await;
    let effects = counters["effects"].as_array().unwrap();
    let effect = effects.iter().find(|effect| effect["entity"] == format!("users/{}", known.id)).unwrap();
    assert_eq!(effect["patches"], 2);
}

#[tokio::test]
async fn revoked_sessions_are_over_from_now_on() {
    let stage = Stage::start().await;
    let (known, token) = (person(&stage).await, token(&stage, ROLES).await);
    stage.advance(5).await;
    let path = format!("/v1.0/users/{}/revokeSignInSessions", known.id);
    let revoked = stage.call(Method::POST, &path, &token, None).await;
    assert_eq!((revoked.status.as_u16(), &revoked.json["value"]), (200, &json!(true)));
    assert!(revoked.json["@odata.context"].as_str().unwrap().ends_with("/v1.0/$metadata#Edm.Boolean"));
    let read = get(&stage, &format!("{}?$select=signInSessionsValidFromDateTime", known.id), &token).await.json;
    assert_eq!(read["signInSessionsValidFromDateTime"], "2026-11-22T08:00:05.0000000Z");
    let events = "CloudAppEvents | where ActionType startswith 'Update StsRefreshToken' | project ObjectId";
    assert_eq!(stage.hunt(events).await[0]["ObjectId"], known.id.as_str());
    let counters = stage.admin(Method::GET, "/counters", Value::Null).await;
    let effects = counters["effects"].as_array().unwrap();
    assert_eq!(effects[0]["entity"], format!("users/{}", known.id));
    assert_eq!(effects[0]["orders"], 1);
}

#[tokio::test]
async fn each_call_needs_its_permissions() {
    let stage = Stage::start().await;
    let known = person(&stage).await;
    let revoke = format!("/v1.0/users/{}/revokeSignInSessions", known.id);
    let off = json!({ "accountEnabled": false });
    for (roles, read, patch, end) in [
        (&[][..], 403, 403, 403),
        (&["User.Read.All"], 200, 403, 403),
        (&["User.ReadBasic.All"], 200, 403, 403),
        (&["User.EnableDisableAccount.All"], 403, 403, 403),
        (&["User.EnableDisableAccount.All", "User.Read.All"], 200, 204, 403),
        (&["User.RevokeSessions.All"], 403, 403, 200),
        (&["User.ReadWrite.All"], 200, 204, 200),
        (&["Directory.Read.All"], 200, 403, 403),
        (&["Directory.ReadWrite.All"], 200, 204, 200),
    ] {
        let token = token(&stage, roles).await;
        let found = [
            get(&stage, &known.id, &token).await,
            switch(&stage, &known.id, &token, off.clone()).await,
            stage.call(Method::POST, &revoke, &token, None).await,
        ];
        let statuses = found.each_ref().map(|answer| answer.status.as_u16());
        assert_eq!(statuses, [read, patch, end], "{roles:?}");
        for refused in found.iter().filter(|answer| answer.status == 403) {
            refused.expect_error(403, "Authorization_RequestDenied", "Insufficient privileges");
        }
    }
    let basic = token(&stage, &["User.ReadBasic.All"]).await;
    assert!(get(&stage, &known.id, &basic).await.json.get("jobTitle").is_none());
    let wanted = format!("{}?$select=accountEnabled", known.id);
    get(&stage, &wanted, &basic).await.expect_error(403, "Authorization_RequestDenied", "");
    get(&stage, &known.id, &stage.mde).await.expect_error(401, "InvalidAuthenticationToken", "Invalid audience");
    let elsewhere = stage.token_with(&[("mde", "User.Read.All")], MDE).await;
    stage.call(Method::POST, &revoke, &elsewhere, None).await.expect_error(401, "InvalidAuthenticationToken", "");
}

#[tokio::test]
async fn what_a_change_cannot_be_is_refused_and_too_many_calls_wait() {
    let stage = Stage::start().await;
    let (known, token) = (person(&stage).await, token(&stage, ROLES).await);
    for (body, message) in [
        (json!({ "accountEnabled": "no" }), "'accountEnabled'"),
        (json!({}), "'accountEnabled'"),
        (json!({ "accountEnabled": false, "mood": 1 }), "Invalid property 'mood'"),
    ] {
        switch(&stage, &known.id, &token, body).await.expect_error(400, "Request_BadRequest", message);
    }
    let state = get(&stage, &format!("{}?$select=accountEnabled", known.id), &token).await.json;
    assert_eq!(state["accountEnabled"], true);
    let nobody = "00000000-0000-0000-0000-000000000000";
    switch(&stage, nobody, &token, json!({ "accountEnabled": false })).await.expect_error(
        404,
        "Request_ResourceNotFound",
        nobody,
    );
    stage.admin(Method::PUT, "/throttle", json!({ "mode": "on", "factor": 0.001 })).await;
    for _ in 0..3 {
        assert_eq!(switch(&stage, &known.id, &token, json!({ "accountEnabled": true })).await.status, 204);
        assert_eq!(get(&stage, &known.id, &token).await.status, 200);
    }
    for refused in [
        switch(&stage, &known.id, &token, json!({ "accountEnabled": true })).await,
        get(&stage, &known.id, &token).await,
    ] {
        refused.expect_error(429, "TooManyRequests", "retry");
        assert!(refused.headers["retry-after"].to_str().unwrap().parse::<f64>().unwrap() > 0.0);
    }
    stage.fault(json!({ "kind": "server_error", "service": "graph", "route": "/v1.0/users/*" })).await;
    get(&stage, &known.id, &token).await.expect_error(500, "generalException", "");
}

#[tokio::test]
async fn the_roles_of_an_administrator_show_to_whom_they_may() {
    let stage = Stage::start().await;
    let directory = stage.admin(Method::GET, "/directory", Value::Null).await;
    let administrator = directory["tenants"][0]["users"][0]["id"].as_str().unwrap();
    let person = person(&stage).await;
    let reader = token(&stage, &["Directory.Read.All"]).await;
    let listed = get(&stage, &format!("{administrator}/transitiveMemberOf"), &reader).await.json;
    assert_eq!(listed["value"][0]["displayName"], "Global Administrator", "{listed}");
    assert_eq!(get(&stage, &format!("{}/transitiveMemberOf", person.id), &reader).await.json["value"], json!([]));
    let limited = token(&stage, &["User.Read.All"]).await;
    let listed = get(&stage, &format!("{administrator}/transitiveMemberOf"), &limited).await.json;
    let role = &listed["value"][0];
    assert_eq!((&role["@odata.type"], &role["displayName"]), (&json!("#microsoft.graph.directoryRole"), &Value::Null));
    let basic = token(&stage, &["User.ReadBasic.All"]).await;
    assert_eq!(get(&stage, &format!("{administrator}/transitiveMemberOf"), &basic).await.status, 403);
}
