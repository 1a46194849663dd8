//! Tokens for the managed identities of the machine.

use reqwest::Method;
use serde_json::{Value, json};

use crate::stage::{Answer, Stage, answer, claims};

const ID: &str = "/subscriptions/s/resourcegroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/watch";

async fn ask(stage: &Stage, query: &str) -> Answer {
    let url = stage.url(&format!("/metadata/identity/oauth2/token?api-version=2018-02-01&{query}"));
    answer(stage.client.get(url).header("Metadata", "true").send().await.unwrap()).await
}

#[tokio::test]
async fn the_system_identity_gets_a_token_with_its_roles() {
    let stage = Stage::start().await;
    let identities = stage.admin(Method::GET, "/directory/managed-identities", Value::Null).await;
    let object = identities[0]["objectId"].as_str().unwrap();
    let role = json!({ "resource": "xdr", "value": "Incident.Read.All" });
    stage.admin(Method::POST, &format!("/directory/managed-identities/{object}/grants"), role).await;
    let given = ask(&stage, "resource=https://api.security.microsoft.com").await;
    assert_eq!(given.status, 200, "{}", given.text);
    assert!(given.json["expires_in"].is_string() && given.json["expires_on"].is_string());
    let claims = claims(given.json["access_token"].as_str().unwrap());
    assert_eq!((&claims["roles"], &claims["oid"]), (&json!(["Incident.Read.All"]), &json!(object)));
}

#[tokio::test]
async fn wrong_requests_and_ordered_faults_have_their_own_errors() {
    let stage = Stage::start().await;
    let bare =
        stage.get("/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://graph.microsoft.com").await;
    assert_eq!((bare.status.as_u16(), &bare.json["error"]), (400, &json!("bad_request_102")));
    let unknown = ask(&stage, "resource=https://foo.example").await;
    assert_eq!((unknown.status.as_u16(), &unknown.json["error"]), (400, &json!("invalid_resource")));
    assert_eq!(ask(&stage, "").await.json["error"], "invalid_request");
    for status in [404, 410, 429, 500] {
        stage.admin(Method::PUT, "/directory/imds-faults", json!({ "status": status, "times": 1 })).await;
        let failed = ask(&stage, "resource=https://graph.microsoft.com").await;
        assert_eq!(failed.status, status);
        assert!(failed.json["error_description"].is_string());
        assert_eq!(ask(&stage, "resource=https://graph.microsoft.com").await.status, 200);
    }
}

#[tokio::test]
async fn several_identities_must_be_told_apart() {
    let stage = Stage::start().await;
    let first = stage.admin(Method::POST, "/directory/managed-identities", json!({ "resource_id": ID })).await;
    stage.admin(Method::POST, "/directory/managed-identities", json!({ "resource_id": format!("{ID}2") })).await;
    let system = stage.admin(Method::GET, "/directory/managed-identities", Value::Null).await[0]["objectId"].clone();
    stage
        .admin(Method::DELETE, &format!("/directory/managed-identities/{}", system.as_str().unwrap()), Value::Null)
        .await;
    let resource = "resource=https://graph.microsoft.com";
    let unclear = ask(&stage, resource).await;
    assert!(
        unclear.status == 400 && unclear.text.contains("Multiple user assigned identities exist"),
        "{}",
        unclear.text
    );
    let text = |name: &str| first[name].as_str().unwrap().to_owned();
    for named in [
        format!("client_id={}", text("clientId")),
        format!("object_id={}", text("objectId")),
        format!("msi_res_id={ID}"),
    ] {
        let given = ask(&stage, &format!("{resource}&{named}")).await;
        assert_eq!(claims(given.json["access_token"].as_str().unwrap())["appid"], first["clientId"], "{named}");
    }
    assert_eq!(ask(&stage, &format!("{resource}&client_id=nobody")).await.status, 400);
}
