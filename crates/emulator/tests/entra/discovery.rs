//! Discovery documents and keys, and that tokens verify with them.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use reqwest::Method;
use serde_json::{Value, json};

use crate::stage::{App, Stage};

#[tokio::test]
async fn documents_name_the_host_that_was_asked() {
    let stage = Stage::start().await;
    let base = format!("http://{}/{}", stage.emulator.http(), stage.tenant);
    let v2 = stage.get("/haldenmarine.onmicrosoft.com/v2.0/.well-known/openid-configuration").await.json;
    assert_eq!(v2["token_endpoint"], format!("{base}/oauth2/v2.0/token"));
    assert_eq!(
        (&v2["issuer"], &v2["jwks_uri"]),
        (&json!(format!("{base}/v2.0")), &json!(format!("{base}/discovery/v2.0/keys")))
    );
    let v1 = stage.get(&format!("/{}/.well-known/openid-configuration", stage.tenant)).await.json;
    assert_eq!(v1["issuer"], format!("https://sts.windows.net/{}/", stage.tenant));
    let common = stage.get("/common/v2.0/.well-known/openid-configuration").await.json;
    assert!(common["issuer"].as_str().unwrap().ends_with("/{tenantid}/v2.0"), "{common}");
    stage.get("/nobody.example/v2.0/.well-known/openid-configuration").await.expect_error(
        400,
        "invalid_request",
        90_002,
    );
    let instance = stage.get("/common/discovery/instance?api-version=1.1&authorization_endpoint=https://x.example/t/oauth2/v2.0/authorize").await.json;
    assert_eq!(
        instance["tenant_discovery_endpoint"],
        format!("http://{}/t/v2.0/.well-known/openid-configuration", stage.emulator.http())
    );
    assert_eq!(instance["metadata"][0]["aliases"][1], "login.windows.net");
}

fn verifies(token: &str, keys: &Value) -> bool {
    let (message, signature) = token.rsplit_once('.').unwrap();
    let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap();
    let header: Value = serde_json::from_slice(&decode(message.split('.').next().unwrap())).unwrap();
    let key = keys["keys"].as_array().unwrap().iter().find(|key| key["kid"] == header["kid"]).unwrap();
    let part = |name: &str| decode(key[name].as_str().unwrap());
    let public = aws_lc_rs::signature::RsaPublicKeyComponents { n: part("n"), e: part("e") };
    public.verify(&aws_lc_rs::signature::RSA_PKCS1_2048_8192_SHA256, message.as_bytes(), &decode(signature)).is_ok()
}

#[tokio::test]
async fn defender_tokens_verify_with_the_published_keys_and_graph_tokens_do_not() {
    let stage = Stage::start().await;
    let app = stage.app(&[]).await;
    let keys = stage.get(&format!("/{}/discovery/keys", stage.tenant)).await.json;
    let defender = async |app: &App| stage.access_token(app, "https://api.security.microsoft.com/.default").await;
    assert!(verifies(&defender(&app).await, &keys));
    assert!(!verifies(&stage.access_token(&app, "https://graph.microsoft.com/.default").await, &keys));
    let rolled = stage.admin(Method::POST, "/directory/signing-keys/roll", Value::Null).await;
    let token = defender(&app).await;
    let keys = stage.get(&format!("/{}/discovery/v2.0/keys", stage.tenant)).await.json;
    assert!(verifies(&token, &keys));
    assert_eq!(keys["keys"][1]["kid"], rolled["kid"]);
    assert_eq!(keys["keys"][1]["issuer"], format!("http://{}/{}/v2.0", stage.emulator.http(), stage.tenant));
}
