//! Client assertions: certificates in all their forms, and tokens of identity providers outside.

use jiff::SignedDuration;
use reqwest::Method;
use serde_json::{Value, json};

use crate::stage::{Answer, App, Signer, Stage, base64url, claims, sha256, start_second};

const ISSUER: &str = "https://token.actions.example";
const SUBJECT: &str = "repo:halden/ship:ref:refs/heads/main";

async fn certified(stage: &Stage) -> App {
    let new = json!({ "displayName": "Certified", "certificate_pem": Signer::shared(0).pem });
    stage.app_from(new).await
}

async fn present(stage: &Stage, app: &App, assertion: &str) -> Answer {
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", &app.id),
        ("scope", "https://graph.microsoft.com/.default"),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", assertion),
    ];
    stage.post("/oauth2/v2.0/token", &form).await
}

fn sha1(der: &[u8]) -> Vec<u8> {
    aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY, der).as_ref().to_vec()
}

fn ps256(signer: &Signer) -> Value {
    json!({ "alg": "PS256", "typ": "JWT", "x5t#S256": base64url(sha256(&signer.der)) })
}

fn good_claims(stage: &Stage, app: &App) -> Value {
    let now = start_second();
    let audience = stage.url(&format!("/{}/oauth2/v2.0/token", stage.tenant));
    json!({ "aud": audience, "iss": app.id, "sub": app.id, "jti": "j-1", "nbf": now, "iat": now, "exp": now + 600 })
}

#[tokio::test]
async fn both_algorithms_and_all_names_of_the_endpoint_are_taken() {
    let stage = Stage::start().await;
    let app = certified(&stage).await;
    let signer = Signer::shared(0);
    let rs256 = json!({ "alg": "RS256", "typ": "JWT", "x5t": base64url(sha1(&signer.der)) });
    for header in [ps256(signer), rs256] {
        let answer = present(&stage, &app, &signer.sign(&header, &good_claims(&stage, &app))).await;
        assert_eq!(answer.status, 200, "{header}: {}", answer.text);
        assert_eq!(claims(answer.json["access_token"].as_str().unwrap())["appidacr"], "2");
    }
    for audience in [
        format!("https://login.microsoftonline.com/{}/oauth2/v2.0/token", stage.tenant),
        "https://login.microsoftonline.com/haldenmarine.onmicrosoft.com/oauth2/token".to_owned(),
        format!("https://login.microsoftonline.com/{}/v2.0", stage.tenant),
        format!("https://sts.windows.net/{}/", stage.tenant),
    ] {
        let mut with = good_claims(&stage, &app);
        with["aud"] = json!(audience);
        assert_eq!(present(&stage, &app, &signer.sign(&ps256(signer), &with)).await.status, 200, "{audience}");
    }
}

#[tokio::test]
async fn every_wrong_assertion_gets_its_own_error() {
    let stage = Stage::start().await;
    let app = certified(&stage).await;
    let (signer, stranger) = (Signer::shared(0), Signer::shared(1));
    let now = start_second();
    let good = good_claims(&stage, &app);
    let changed = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        claims
    };
    let header = ps256(signer);
    let mut none = header.clone();
    none["alg"] = json!("none");
    for (assertion, code) in [
        ("not.a.jwt".to_owned(), 50_027),
        (signer.sign(&none, &good), 5_002_738),
        (signer.sign(&json!({ "alg": "PS256" }), &good), 5_002_723),
        (stranger.sign(&ps256(stranger), &good), 700_027),
        (stranger.sign(&header, &good), 700_027),
        (signer.sign(&header, &changed("iss", json!("someone"))), 700_021),
        (signer.sign(&header, &changed("sub", json!("someone"))), 50_048),
        (signer.sign(&header, &changed("exp", json!(now - 301))), 700_024),
        (signer.sign(&header, &changed("nbf", json!(now + 3_600))), 700_024),
        (
            signer.sign(
                &header,
                &changed("aud", json!("https://login.microsoftonline.com/brookfell.onmicrosoft.com/oauth2/token")),
            ),
            700_023,
        ),
        (signer.sign(&header, &changed("aud", json!("https://evil.example/oauth2/token"))), 700_023),
    ] {
        present(&stage, &app, &assertion).await.expect_error(401, "invalid_client", code);
    }
    // The clock that counts is the cloud's: an assertion of an hour ago has expired.
    let assertion = signer.sign(&header, &good);
    assert_eq!(present(&stage, &app, &assertion).await.status, 200);
    stage.emulator.advance_clock(SignedDuration::from_hours(1));
    let late = present(&stage, &app, &assertion).await;
    late.expect_error(401, "invalid_client", 700_024);
    assert!(late.text.contains("Current time: 2026-05-04T09:00:00.0000000Z"), "{}", late.text);
}

#[tokio::test]
async fn a_token_from_outside_must_match_issuer_subject_and_audience() {
    let stage = Stage::start().await;
    let app = stage.app(&[]).await;
    let (idp, stranger) = (Signer::shared(0), Signer::shared(1));
    let header = json!({ "alg": "RS256", "kid": "k-1" });
    let now = start_second();
    let token = |issuer: &str, subject: &str, audience: &str| json!({ "iss": issuer, "sub": subject, "aud": audience, "nbf": now, "exp": now + 300 });
    let good = token(ISSUER, SUBJECT, "api://AzureADTokenExchange");
    present(&stage, &app, &idp.sign(&header, &good)).await.expect_error(401, "invalid_client", 70_025);
    let record = json!({ "issuer": ISSUER, "subject": SUBJECT });
    stage.admin(Method::POST, &format!("/directory/applications/{}/federated", app.id), record).await;
    present(&stage, &app, &idp.sign(&header, &good)).await.expect_error(401, "invalid_client", 50_013);
    stage
        .admin(Method::POST, "/directory/federated-issuers", json!({ "issuer": ISSUER, "jwks": idp.jwks("k-1") }))
        .await;
    let answer = present(&stage, &app, &idp.sign(&header, &good)).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    for (assertion, code) in [
        (idp.sign(&header, &token("https://other.example", SUBJECT, "api://AzureADTokenExchange")), 700_211),
        (idp.sign(&header, &token(ISSUER, "repo:halden/ship:pull_request", "api://AzureADTokenExchange")), 700_213),
        (idp.sign(&header, &token(ISSUER, SUBJECT, "https://gitlab.com")), 700_212),
        (idp.sign(&header, &token("https://sts.windows.net/x/", SUBJECT, "api://AzureADTokenExchange")), 700_222),
        (stranger.sign(&header, &good), 50_013),
    ] {
        present(&stage, &app, &assertion).await.expect_error(401, "invalid_client", code);
    }
    stage.emulator.advance_clock(SignedDuration::from_hours(1));
    present(&stage, &app, &idp.sign(&header, &good)).await.expect_error(401, "invalid_client", 700_024);
}
