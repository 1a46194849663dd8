//! The administrator's sign-in: device code, authorization code with PKCE, refresh.

use jiff::SignedDuration;
use reqwest::Method;
use serde_json::{Value, json};

use crate::stage::{Answer, Stage, base64url, claims, sha256};

const CLIENT: &str = "14d82eec-204b-4c2f-b7e8-296a70dab67e";
const SCOPE: &str =
    "https://graph.microsoft.com/Application.ReadWrite.All AppRoleAssignment.ReadWrite.All offline_access openid";
const SCOPE_OF_GRAPH: &str = "https://graph.microsoft.com/Application.ReadWrite.All offline_access openid profile";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

async fn device(stage: &Stage) -> Value {
    let answer = stage.post("/oauth2/v2.0/devicecode", &[("client_id", CLIENT), ("scope", SCOPE_OF_GRAPH)]).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json
}

async fn poll(stage: &Stage, started: &Value) -> Answer {
    let form = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
        ("client_id", CLIENT),
        ("device_code", started["device_code"].as_str().unwrap()),
    ];
    stage.post("/oauth2/v2.0/token", &form).await
}

#[tokio::test]
async fn a_device_waits_until_the_person_approves_and_is_served_once() {
    let stage = Stage::start().await;
    let started = device(&stage).await;
    assert_eq!((&started["expires_in"], &started["interval"]), (&json!(900), &json!(5)));
    poll(&stage, &started).await.expect_error(400, "authorization_pending", 70_016);
    stage.emulator.advance_clock(SignedDuration::from_secs(1));
    poll(&stage, &started).await.expect_error(400, "slow_down", 70_017);
    let user_code = started["user_code"].as_str().unwrap();
    let page = stage
        .post_raw(
            "/devicelogin",
            "application/x-www-form-urlencoded",
            &format!("user_code={}", user_code.to_lowercase()),
        )
        .await;
    let ticket = page.text.split("name=\"ticket\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let done = stage.post("/oauth2/decision", &[("ticket", ticket), ("decision", "accept")]).await;
    assert!(done.text.contains("You have signed in"), "{}", done.text);
    stage.emulator.advance_clock(SignedDuration::from_secs(30));
    let answer = poll(&stage, &started).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let claims = claims(answer.json["access_token"].as_str().unwrap());
    assert_eq!(
        (&claims["scp"], &claims["upn"]),
        (&json!("Application.ReadWrite.All"), &json!("ingrid.solvang@haldenmarine.example"))
    );
    assert_eq!(claims["wids"], json!(["62e90394-69f5-4237-9190-012177145e10"]));
    assert!(claims.get("roles").is_none() && claims["idtyp"] == "user");
    assert!(answer.json["refresh_token"].is_string() && answer.json["id_token"].is_string());
    poll(&stage, &started).await.expect_error(400, "invalid_grant", 70_000);
}

#[tokio::test]
async fn a_device_code_is_declined_expires_or_was_never_given() {
    let stage = Stage::start().await;
    let declined = device(&stage).await;
    let code = declined["user_code"].as_str().unwrap();
    stage.admin(Method::POST, &format!("/directory/device-codes/{code}/decline"), Value::Null).await;
    poll(&stage, &declined).await.expect_error(400, "authorization_declined", 70_015);
    let late = device(&stage).await;
    stage.emulator.advance_clock(SignedDuration::from_secs(900));
    poll(&stage, &late).await.expect_error(400, "expired_token", 70_019);
    poll(&stage, &json!({ "device_code": "never" })).await.expect_error(400, "bad_verification_code", 70_018);
}

#[tokio::test]
async fn a_client_without_public_flows_is_refused() {
    let stage = Stage::start().await;
    let app = stage.app(&[]).await;
    let form = [("client_id", app.id.as_str()), ("scope", SCOPE_OF_GRAPH)];
    stage.post("/oauth2/v2.0/devicecode", &form).await.expect_error(401, "invalid_client", 7_000_218);
    let public = stage.app_from(json!({ "displayName": "Own client", "public_client": true })).await;
    assert_eq!(
        stage.post("/oauth2/v2.0/devicecode", &[("client_id", &public.id), ("scope", SCOPE_OF_GRAPH)]).await.status,
        200
    );
    stage.switch(json!({ "block_default_client": true })).await;
    let blocked = stage.post("/oauth2/v2.0/devicecode", &[("client_id", CLIENT), ("scope", SCOPE_OF_GRAPH)]).await;
    blocked.expect_error(400, "invalid_grant", 65_001);
}

/// Signs in by browser and gives the code.
async fn browser(stage: &Stage, redirect: &str) -> String {
    let challenge = base64url(sha256(VERIFIER.as_bytes()));
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs([
        ("client_id", CLIENT),
        ("response_type", "code"),
        ("redirect_uri", redirect),
        ("scope", SCOPE_OF_GRAPH),
        ("state", "a&b"),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ]);
    let (to, parameters) =
        stage.get(&format!("/organizations/oauth2/v2.0/authorize?{}", query.finish())).await.redirect();
    assert_eq!((to.trim_end_matches('/'), parameters["state"].as_str()), (redirect, "a&b"));
    parameters["code"].clone()
}

async fn redeem(stage: &Stage, code: &str, redirect: &str, verifier: &str) -> Answer {
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", CLIENT),
        ("code", code),
        ("redirect_uri", redirect),
        ("code_verifier", verifier),
        ("client_info", "1"),
    ];
    stage.post("/oauth2/v2.0/token", &form).await
}

#[tokio::test]
async fn a_code_is_redeemed_once_with_the_right_verifier_and_redirect() {
    let stage = Stage::start().await;
    stage.admin(Method::PUT, "/directory/administrator", json!({ "decision": "accept" })).await;
    let redirect = "http://localhost:40123";
    let code = browser(&stage, redirect).await;
    redeem(&stage, &code, redirect, "wrong").await.expect_error(400, "invalid_grant", 501_481);
    redeem(&stage, &code, "http://localhost:1", VERIFIER).await.expect_error(400, "invalid_request", 50_011);
    let answer = redeem(&stage, &code, redirect, VERIFIER).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert!(answer.json["client_info"].is_string());
    redeem(&stage, &code, redirect, VERIFIER).await.expect_error(400, "invalid_grant", 54_005);
    let late = browser(&stage, redirect).await;
    stage.emulator.advance_clock(SignedDuration::from_secs(600));
    redeem(&stage, &late, redirect, VERIFIER).await.expect_error(400, "invalid_grant", 70_008);
    redeem(&stage, "made-up", redirect, VERIFIER).await.expect_error(400, "invalid_request", 9_002_313);

    let refresh = answer.json["refresh_token"].as_str().unwrap();
    let form = [("grant_type", "refresh_token"), ("client_id", CLIENT), ("refresh_token", refresh), ("scope", SCOPE)];
    let renewed = stage.post("/oauth2/v2.0/token", &form).await;
    assert_eq!(renewed.status, 200, "{}", renewed.text);
    let scopes = claims(renewed.json["access_token"].as_str().unwrap())["scp"].clone();
    assert_eq!(scopes, "Application.ReadWrite.All AppRoleAssignment.ReadWrite.All");
    let form = [("grant_type", "refresh_token"), ("client_id", CLIENT), ("refresh_token", "made-up")];
    stage.post("/oauth2/v2.0/token", &form).await.expect_error(400, "invalid_grant", 70_000);
}

#[tokio::test]
async fn a_declined_sign_in_goes_back_and_a_foreign_redirect_does_not() {
    let stage = Stage::start().await;
    stage.admin(Method::PUT, "/directory/administrator", json!({ "decision": "decline" })).await;
    let path = |redirect: &str| {
        format!(
            "/common/oauth2/v2.0/authorize?client_id={CLIENT}&response_type=code&scope=User.Read&state=s&redirect_uri={redirect}"
        )
    };
    let (_, parameters) = stage.get(&path("http://localhost:5")).await.redirect();
    assert_eq!((parameters["error"].as_str(), parameters["state"].as_str()), ("access_denied", "s"));
    let page = stage.get(&path("https://evil.example/")).await;
    assert!(page.text.contains("AADSTS50011") && !page.headers.contains_key("location"));
}
