//! Azure Key Vault: a secret read by who may, and each way in which it is refused.

use reqwest::{Method, header::HOST};
use serde_json::{Value, json};

use crate::stage::{Answer, Stage, read};

const SCOPE: &str = "https://vault.azure.net/.default";
const API: &str = "api-version=7.4";

struct Vault {
    stage: Stage,
    app_id: String,
    token: String,
}

impl Vault {
    /// A vault with one secret that the application may read.
    async fn filled() -> Self {
        let stage = Stage::start().await;
        let (app_id, secret) = stage.app(&[]).await;
        let token = stage.token(&app_id, &secret, SCOPE).await;
        let made = stage.admin(Method::POST, "/vaults", json!({ "name": "KV-Soc" })).await;
        assert_eq!(made, json!({ "name": "kv-soc", "url": "https://kv-soc.vault.azure.net" }));
        stage.admin(Method::POST, "/vaults/kv-soc/readers", json!({ "id": app_id })).await;
        let vault = Self { stage, app_id, token };
        vault.fill("client-secret", json!({ "value": "first", "contentType": "text/plain" })).await;
        vault
    }

    async fn fill(&self, name: &str, secret: Value) -> String {
        let made = self.stage.admin(Method::PUT, &format!("/vaults/kv-soc/secrets/{name}"), secret).await;
        made["version"].as_str().unwrap().to_owned()
    }

    async fn get(&self, path: &str) -> Answer {
        self.stage.call(Method::GET, &format!("/vaults/kv-soc/secrets/{path}"), &self.token, None).await
    }
}

#[track_caller]
fn inner(answer: &Answer, code: &str) {
    assert_eq!(answer.json["error"]["innererror"]["code"], code, "{}", answer.text);
}

#[tokio::test]
async fn the_newest_version_is_given_and_each_older_one_by_its_name() {
    let vault = Vault::filled().await;
    let first = vault.get(&format!("client-secret?{API}")).await;
    assert_eq!((first.status.as_u16(), &first.json["value"]), (200, &json!("first")), "{}", first.text);
    let id = first.json["id"].as_str().unwrap();
    assert!(id.starts_with(&vault.stage.url("/vaults/kv-soc/secrets/client-secret/")), "{id}");
    assert_eq!(first.json["contentType"], "text/plain");
    let created = "2026-11-22T08:00:00Z".parse::<jiff::Timestamp>().unwrap().as_second();
    assert_eq!(
        (&first.json["attributes"]["enabled"], &first.json["attributes"]["created"]),
        (&json!(true), &json!(created))
    );
    let newer = vault.fill("client-secret", json!({ "value": "second", "tags": { "owner": "soc" } })).await;
    for (path, value) in [
        (format!("client-secret?{API}"), "second"),
        (format!("CLIENT-SECRET/?{API}"), "second"),
        (format!("client-secret/{newer}?api-version=2025-07-01"), "second"),
        (format!("client-secret/{}?api-version=7.6-preview.1", id.rsplit('/').next().unwrap()), "first"),
    ] {
        assert_eq!(vault.get(&path).await.json["value"], value, "{path}");
    }
    assert_eq!(vault.get(&format!("client-secret?{API}")).await.json["tags"]["owner"], "soc");
    for path in [format!("other?{API}"), format!("client-secret/00000000000000000000000000000000?{API}")] {
        vault.get(&path).await.expect_error(404, "SecretNotFound", "was not found in this key vault");
    }
    let overview = vault.stage.admin(Method::GET, "/vaults", Value::Null).await;
    assert_eq!(overview["vaults"][0]["secrets"][0]["versions"].as_array().unwrap().len(), 2);
    assert!(!overview.to_string().contains("second"), "the overview shows a value");
}

#[tokio::test]
async fn under_its_own_name_a_vault_answers_the_same() {
    let vault = Vault::filled().await;
    let url = vault.stage.url(&format!("/secrets/client-secret?{API}"));
    let request = vault.stage.client.get(&url).header(HOST, "kv-soc.vault.azure.net");
    let unsigned = read(request.try_clone().unwrap().send().await.unwrap()).await;
    let challenge = unsigned.headers["www-authenticate"].to_str().unwrap();
    let tenant = vault.stage.emulator.home_tenant();
    let authorization = format!("authorization=\"https://login.microsoftonline.com/{tenant}\"");
    assert_eq!(challenge, format!("Bearer {authorization}, resource=\"https://vault.azure.net\""));
    let found = read(request.bearer_auth(&vault.token).send().await.unwrap()).await;
    assert_eq!(found.json["value"], "first", "{}", found.text);
    let id = found.json["id"].as_str().unwrap();
    assert!(id.starts_with("http://kv-soc.vault.azure.net/secrets/client-secret/"), "{id}");
    let elsewhere = vault.stage.client.get(&url).header(HOST, "kv-other.vault.azure.net").bearer_auth(&vault.token);
    read(elsewhere.send().await.unwrap()).await.expect_error(404, "VaultNotFound", "kv-other");
}

#[tokio::test]
async fn who_has_no_token_learns_where_to_get_one() {
    let vault = Vault::filled().await;
    let path = format!("/vaults/kv-soc/secrets/client-secret?{API}");
    let unsigned = read(vault.stage.client.get(vault.stage.url(&path)).send().await.unwrap()).await;
    unsigned.expect_error(401, "Unauthorized", "AKV10000");
    let tenant = vault.stage.emulator.home_tenant();
    let challenge = unsigned.headers["www-authenticate"].to_str().unwrap().to_owned();
    let login = vault.stage.url(&format!("/{tenant}"));
    assert_eq!(challenge, format!("Bearer authorization=\"{login}\", resource=\"https://vault.azure.net\""));
    for token in [&vault.stage.graph, &vault.stage.mde] {
        let refused = vault.stage.call(Method::GET, &path, token, None).await;
        refused.expect_error(401, "Unauthorized", "AKV10022");
        assert_eq!(refused.headers["www-authenticate"], challenge.as_str());
    }
    vault.stage.call(Method::GET, &path, "x.y.z", None).await.expect_error(401, "Unauthorized", "AKV10001");
    vault.stage.advance(7_200).await;
    vault.stage.call(Method::GET, &path, &vault.token, None).await.expect_error(401, "Unauthorized", "expired");
}

#[tokio::test]
async fn rights_disabled_and_expired_secrets_count_as_documented() {
    let vault = Vault::filled().await;
    let (stage, path) = (&vault.stage, format!("client-secret?{API}"));
    let switch = async |enabled: bool| {
        stage.admin(Method::PATCH, "/vaults/kv-soc/secrets/client-secret", json!({ "enabled": enabled })).await;
    };
    switch(false).await;
    let refused = vault.get(&path).await;
    refused.expect_error(403, "Forbidden", "not allowed on a disabled secret");
    inner(&refused, "SecretDisabled");
    switch(true).await;
    assert_eq!(vault.get(&path).await.status, 200);

    // Reads pass outside of the times, and say so.
    let times = json!({ "value": "old", "notBefore": "2025-01-01T00:00:00Z", "expires": "2025-06-01T00:00:00Z" });
    vault.fill("old", times).await;
    let old = vault.get(&format!("old?{API}")).await;
    assert_eq!((old.status.as_u16(), &old.json["value"]), (200, &json!("old")));
    assert_eq!(old.json["attributes"]["exp"], "2025-06-01T00:00:00Z".parse::<jiff::Timestamp>().unwrap().as_second());

    stage.admin(Method::DELETE, "/vaults/kv-soc/readers", json!({ "id": vault.app_id })).await;
    let refused = vault.get(&path).await;
    refused.expect_error(403, "Forbidden", "not authorized");
    inner(&refused, "ForbiddenByRbac");
    stage.admin(Method::POST, "/vaults/kv-soc/readers", json!({ "id": vault.app_id.to_uppercase() })).await;
    assert_eq!(vault.get(&path).await.status, 200);
    stage.admin(Method::DELETE, "/vaults/kv-soc/secrets/client-secret", Value::Null).await;
    vault.get(&path).await.expect_error(404, "SecretNotFound", "client-secret");
}

#[tokio::test]
async fn bad_versions_limits_and_faults() {
    let vault = Vault::filled().await;
    vault.get("client-secret").await.expect_error(400, "BadParameter", "api-version must be specified");
    for wrong in ["1.0", "7", "7.x", "tomorrow"] {
        let refused = vault.get(&format!("client-secret?api-version={wrong}")).await;
        refused.expect_error(400, "BadParameter", "is not recognized");
    }
    let path = format!("client-secret?{API}");
    vault.stage.admin(Method::PUT, "/throttle", json!({ "mode": "on", "factor": 0.0005 })).await;
    for _ in 0..2 {
        assert_eq!(vault.get(&path).await.status, 200);
    }
    let throttled = vault.get(&path).await;
    throttled.expect_error(429, "Throttled", "too many requests");
    assert_eq!(throttled.headers["retry-after"], "10");
    vault.stage.admin(Method::PUT, "/throttle", json!({ "mode": "off" })).await;

    let fault = vault.stage.fault(json!({ "kind": "server_error", "service": "keyvault", "status": 503 })).await;
    assert_eq!(vault.get(&path).await.status, 503);
    assert_eq!(vault.stage.hits(fault).await, 1);
    vault.stage.fault(json!({ "kind": "too_many_requests", "service": "keyvault" })).await;
    vault.get(&path).await.expect_error(429, "Throttled", "");
    vault.stage.fault(json!({ "kind": "token_expired", "service": "keyvault" })).await;
    let expired = vault.get(&path).await;
    expired.expect_error(401, "Unauthorized", "expired");
    assert!(expired.headers["www-authenticate"].to_str().unwrap().contains(&vault.stage.emulator.home_tenant()));
    let counters = vault.stage.admin(Method::GET, "/counters", Value::Null).await;
    let calls = counters["calls"].as_array().unwrap();
    let own = |call: &&Value| call["service"] == "keyvault" && call["appId"] == vault.app_id.as_str();
    assert!(calls.iter().filter(own).all(|call| call["route"] == "/vaults/{vault}/secrets/{name}"));
    assert!(calls.iter().any(|call| own(&call)));
}
