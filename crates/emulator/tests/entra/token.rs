//! The token endpoints: both answer shapes, claims, every error that a request can cause.

use jiff::SignedDuration;
use reqwest::Method;
use serde_json::{Value, json};

use crate::stage::{App, Stage, claims, start_second};

const XDR: &str = "https://api.security.microsoft.com/.default";
const GRAPH: &str = "https://graph.microsoft.com/.default";

#[tokio::test]
async fn a_secret_gives_a_token_with_the_granted_roles() {
    let stage = Stage::start().await;
    let app = stage.app(&[("xdr", "Incident.Read.All"), ("graph", "SecurityIncident.Read.All")]).await;
    let answer = stage.token(&app, XDR).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert!(answer.json["expires_in"].is_number() && answer.json["ext_expires_in"].is_number());
    assert!(answer.headers.contains_key("x-ms-request-id"));
    let claims = claims(answer.json["access_token"].as_str().unwrap());
    assert_eq!(claims["roles"], json!(["Incident.Read.All"]));
    assert_eq!(claims["aud"], "https://api.security.microsoft.com");
    assert_eq!(claims["iss"], format!("https://sts.windows.net/{}/", stage.tenant));
    assert_eq!((&claims["ver"], &claims["appid"], &claims["appidacr"]), (&json!("1.0"), &json!(app.id), &json!("1")));
    assert_eq!((&claims["oid"], &claims["sub"]), (&json!(app.principal_id), &json!(app.principal_id)));
    assert!(claims.get("idtyp").is_none() && claims.get("scp").is_none());
    let lifetime = claims["exp"].as_i64().unwrap() - start_second();
    assert!((3_600..=5_400).contains(&lifetime), "{lifetime}");
}

#[tokio::test]
async fn v1_answers_numbers_as_strings_and_names_the_resource() {
    let stage = Stage::start().await;
    let app = stage.app(&[]).await;
    let body = format!(
        "resource=https://api.security.microsoft.com&client_id={}&client_secret={}&grant_type=client_credentials",
        app.id, app.secret
    );
    let path = format!("/{}/OAuth2/Token", stage.tenant);
    let answer = stage.post_raw(&path, "application/x-www-form-urlencoded; charset=utf-8", &body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    for name in ["expires_in", "ext_expires_in", "expires_on", "not_before"] {
        assert!(answer.json[name].as_str().unwrap().parse::<i64>().is_ok(), "{name}: {}", answer.text);
    }
    assert_eq!(answer.json["resource"], "https://api.security.microsoft.com");
    assert!(claims(answer.json["access_token"].as_str().unwrap()).get("roles").is_none());
}

#[tokio::test]
async fn the_audience_is_what_the_client_asked_for() {
    let stage = Stage::start().await;
    let app = stage.app(&[]).await;
    for (scope, audience) in [
        (" https://graph.microsoft.com/.default ", "https://graph.microsoft.com"),
        ("https://graph.microsoft.com//.default", "https://graph.microsoft.com/"),
        (".default", "https://graph.microsoft.com"),
        ("05a65629-4c1b-48c1-a78b-804c4abdd4af/.default", "05a65629-4c1b-48c1-a78b-804c4abdd4af"),
        ("https://api.securitycenter.microsoft.com/.default", "https://api.securitycenter.microsoft.com"),
    ] {
        let token = stage.access_token(&app, scope).await;
        assert_eq!(claims(&token)["aud"], audience, "{scope}");
    }
    assert_eq!(claims(&stage.access_token(&app, GRAPH).await)["idtyp"], "app");
}

#[tokio::test]
async fn http_basic_carries_a_url_encoded_secret() {
    let stage = Stage::start().await;
    let app = stage.app(&[]).await;
    let secret: String = url::form_urlencoded::byte_serialize(app.secret.as_bytes()).collect();
    let request = stage.client.post(stage.url(&format!("/{}/oauth2/v2.0/token", stage.tenant)));
    let request = request.basic_auth(&app.id, Some(secret)).header("content-type", "application/x-www-form-urlencoded");
    let answer =
        crate::stage::answer(request.body(format!("grant_type=client_credentials&scope={XDR}")).send().await.unwrap())
            .await;
    assert_eq!(answer.status, 200, "{}", answer.text);
}

#[tokio::test]
async fn a_resource_that_wants_version_2_gets_it() {
    let stage = Stage::start().await;
    let app = stage.app(&[]).await;
    let api = stage.app_from(json!({ "displayName": "Own API" })).await;
    let admin = stage.app(&[("graph", "Application.ReadWrite.All")]).await;
    let token = stage.access_token(&admin, GRAPH).await;
    let change = json!({ "api": { "requestedAccessTokenVersion": 2 }, "identifierUris": ["api://own"] });
    let changed =
        stage.graph(Method::PATCH, &format!("/v1.0/applications/{}", api.object_id), &token, Some(change)).await;
    assert_eq!(changed.status, 204, "{}", changed.text);
    let claims = claims(&stage.access_token(&app, "api://own/.default").await);
    assert_eq!((&claims["ver"], &claims["aud"], &claims["azp"]), (&json!("2.0"), &json!(api.id), &json!(app.id)));
    assert_eq!(claims["iss"], format!("http://{}/{}/v2.0", stage.emulator.http(), stage.tenant));
}

/// One wrong request per row: what is sent, what must come back.
#[tokio::test]
async fn every_wrong_request_gets_its_own_error() {
    let stage = Stage::start().await;
    let app = stage.app(&[]).await;
    let (id, secret) = (app.id.as_str(), app.secret.as_str());
    let grant = ("grant_type", "client_credentials");
    let (client, password, scope) = (("client_id", id), ("client_secret", secret), ("scope", XDR));
    let nobody = "00000000-1111-4222-8333-444444444444";
    let double = "https%3A%2F%2Fapi.security.microsoft.com%2F.default";
    for (form, status, error, code) in [
        (vec![client, password, scope], 400, "invalid_request", 900_144),
        (vec![("grant_type", "client_credential"), client, password, scope], 400, "unsupported_grant_type", 70_003),
        (vec![grant, password, scope], 400, "invalid_request", 900_144),
        (vec![grant, client, password], 400, "invalid_request", 900_144),
        (vec![grant, client, scope], 401, "invalid_client", 7_000_216),
        (vec![grant, client, client, password, scope], 400, "invalid_request", 9_000_411),
        (vec![grant, client, ("client_secret", "wrong"), scope], 401, "invalid_client", 7_000_215),
        (vec![grant, client, ("client_secret", &app.secret_id), scope], 401, "invalid_client", 7_000_215),
        (vec![grant, ("client_id", nobody), password, scope], 400, "unauthorized_client", 700_016),
        (vec![grant, client, password, ("scope", "Incident.Read.All")], 400, "invalid_scope", 1_002_012),
        (vec![grant, client, password, ("scope", double)], 400, "invalid_scope", 1_002_012),
        (vec![grant, client, password, ("scope", "/.default")], 400, "invalid_scope", 70_011),
        (
            vec![
                grant,
                client,
                password,
                ("scope", "https://graph.microsoft.com/.default https://api.security.microsoft.com/.default"),
            ],
            400,
            "invalid_scope",
            700_022,
        ),
        (
            vec![grant, client, password, ("scope", "https://foo.microsoft.com/.default")],
            400,
            "invalid_resource",
            500_011,
        ),
        (
            vec![grant, client, password, scope, ("resource", "https://graph.microsoft.com")],
            400,
            "invalid_request",
            901_002,
        ),
    ] {
        stage.post("/oauth2/v2.0/token", &form).await.expect_error(status, error, code);
    }
    let v1 = [grant, client, password, ("resource", "no such thing")];
    stage.post("/oauth2/token", &v1).await.expect_error(400, "invalid_resource", 50_001);
    stage.post("/oauth2/token", &[grant, client, password, scope]).await.expect_error(400, "invalid_request", 900_144);
    stage.get(&format!("/{}/oauth2/v2.0/token", stage.tenant)).await.expect_error(400, "invalid_request", 900_561);
    let as_json = stage.post_raw(&format!("/{}/oauth2/v2.0/token", stage.tenant), "application/json", "{}").await;
    as_json.expect_error(400, "invalid_request", 900_144);
}

#[tokio::test]
async fn the_tenant_decides_what_is_wrong_with_it() {
    let stage = Stage::start().await;
    let app = stage.app(&[]).await;
    let form =
        [("grant_type", "client_credentials"), ("client_id", &app.id), ("client_secret", &app.secret), ("scope", XDR)];
    for (tenant, error, code) in [
        ("00000000-1111-4222-8333-444444444444", "invalid_request", 90_002),
        ("nobody.example", "invalid_request", 90_002),
        ("halden", "invalid_request", 900_023),
        ("larkspurharbor.onmicrosoft.us", "invalid_request", 90_038),
        ("common", "invalid_request", 50_194),
        ("brookfell.onmicrosoft.com", "unauthorized_client", 700_016),
    ] {
        stage.post_to(tenant, "/oauth2/v2.0/token", &form).await.expect_error(400, error, code);
    }
    for name in ["haldenmarine.onmicrosoft.com", "HaldenMarine.example"] {
        assert_eq!(stage.post_to(name, "/oauth2/v2.0/token", &form).await.status, 200, "{name}");
    }
    let multi = json!({ "displayName": "Vendor", "secret": "generated", "multiTenant": true });
    let vendor = stage.app_from(multi).await;
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", &vendor.id),
        ("client_secret", &vendor.secret),
        ("scope", XDR),
    ];
    stage.post_to("common", "/oauth2/v2.0/token", &form).await.expect_error(400, "invalid_request", 9_001_023);
}

#[tokio::test]
async fn the_state_of_the_application_decides() {
    let stage = Stage::start().await;
    let app = stage.app(&[("xdr", "Incident.Read.All")]).await;
    let path = format!("/directory/applications/{}", app.id);
    stage.admin(Method::PUT, &format!("{path}/state"), json!({ "enabled": false })).await;
    stage.token(&app, XDR).await.expect_error(401, "unauthorized_client", 7_000_112);
    stage.admin(Method::PUT, &format!("{path}/state"), json!({ "enabled": true })).await;
    assert_eq!(stage.token(&app, XDR).await.status, 200);
    stage.switch(json!({ "assignment_required": ["fc780465-2017-40d4-a0c5-307022471b92", "8ee8fdad-f234-4243-8f3b-15c294843740"] })).await;
    stage.token(&app, "https://api.securitycenter.microsoft.com/.default").await.expect_error(
        400,
        "invalid_grant",
        501_051,
    );
    assert_eq!(stage.token(&app, XDR).await.status, 200, "it holds a role there");
    stage.switch(json!({ "unlicensed_resource": "8ee8fdad-f234-4243-8f3b-15c294843740" })).await;
    stage.token(&app, XDR).await.expect_error(400, "invalid_resource", 500_011);
    stage.admin(Method::POST, &format!("{path}/secrets/{}/expire", app.secret_id), Value::Null).await;
    stage.token(&app, GRAPH).await.expect_error(401, "invalid_client", 7_000_222);
}

#[tokio::test]
async fn a_secret_dies_with_the_simulated_clock() {
    let stage = Stage::start().await;
    let app = stage.app_from(json!({ "displayName": "Short", "secret": 600 })).await;
    stage.emulator.advance_clock(SignedDuration::from_secs(599));
    assert_eq!(stage.token(&app, XDR).await.status, 200);
    stage.emulator.advance_clock(SignedDuration::from_secs(1));
    stage.token(&app, XDR).await.expect_error(401, "invalid_client", 7_000_222);
}

#[tokio::test]
async fn an_ordered_error_comes_as_often_as_ordered() {
    let stage = Stage::start().await;
    let app = stage.app(&[]).await;
    for (code, status, error) in [
        (90_033, 503, "temporarily_unavailable"),
        (50_196, 400, "invalid_grant"),
        (53_003, 400, "access_denied"),
        (650_052, 400, "invalid_client"),
        (90_055, 429, "temporarily_unavailable"),
        (700_030, 401, "invalid_client"),
    ] {
        stage.admin(Method::PUT, "/directory/token-error", json!({ "code": code, "times": 2 })).await;
        stage.token(&app, XDR).await.expect_error(status, error, code);
        stage.token(&app, XDR).await.expect_error(status, error, code);
        assert_eq!(stage.token(&app, XDR).await.status, 200, "AADSTS{code} came a third time");
    }
}

#[tokio::test]
async fn the_text_of_a_wrong_secret_is_microsofts_to_the_letter() {
    let stage = Stage::start().await;
    let app = stage.app(&[]).await;
    let wrong = App { secret: app.secret_id.clone(), ..app };
    let answer = stage.token(&wrong, XDR).await;
    let text = |name: &str| answer.json[name].as_str().unwrap().to_owned();
    let expected = format!(
        "AADSTS7000215: Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, \
         not the client secret ID, for a secret added to app '{}'. Trace ID: {} Correlation ID: {} Timestamp: 2026-05-04 08:00:00Z",
        wrong.id,
        text("trace_id"),
        text("correlation_id"),
    );
    assert_eq!(text("error_description"), expected);
    assert_eq!(text("error_uri"), "https://login.microsoftonline.com/error?code=7000215");
    assert_eq!(answer.headers["x-ms-request-id"], text("trace_id").as_str());
}

#[tokio::test]
async fn the_clients_request_id_is_the_correlation_id() {
    let stage = Stage::start().await;
    let id = "11111111-2222-4333-8444-555555555555";
    let request = stage.client.get(stage.url("/common/oauth2/token")).header("client-request-id", id);
    let answer = crate::stage::answer(request.send().await.unwrap()).await;
    assert_eq!(
        (answer.json["correlation_id"].as_str(), answer.headers["client-request-id"].to_str().unwrap()),
        (Some(id), id)
    );
}

#[tokio::test]
async fn grants_show_after_the_propagation_delay_and_requests_alone_never() {
    let stage = Stage::start().await;
    let roles = json!([{ "resource": "xdr", "value": "Incident.Read.All" }]);
    let app = stage
        .app_from(json!({ "displayName": "Asked only", "roles": roles, "requested_only": true, "secret": "generated" }))
        .await;
    let held = async || claims(&stage.access_token(&app, XDR).await)["roles"].clone();
    assert_eq!(held().await, Value::Null);
    stage.switch(json!({ "propagation_delay_s": 120 })).await;
    stage.admin(Method::POST, &format!("/directory/applications/{}/consent", app.id), Value::Null).await;
    assert_eq!(held().await, Value::Null);
    stage.emulator.advance_clock(SignedDuration::from_secs(120));
    assert_eq!(held().await, json!(["Incident.Read.All"]));
    let role = json!({ "resource": "xdr", "value": "Incident.Read.All" });
    stage.admin(Method::DELETE, &format!("/directory/applications/{}/grants", app.id), role).await;
    assert_eq!(held().await, Value::Null);
}

#[tokio::test]
async fn only_a_long_lived_token_says_when_to_renew_it() {
    let stage = Stage::start().await;
    let app = stage.app(&[]).await;
    stage.switch(json!({ "token_lifetime_s": 60 })).await;
    let answer = stage.token(&app, XDR).await;
    assert_eq!((&answer.json["expires_in"], &answer.json["refresh_in"]), (&json!(59), &Value::Null));
    stage.switch(json!({ "token_lifetime_s": 86_400 })).await;
    assert_eq!(stage.token(&app, XDR).await.json["refresh_in"], 43_199);
}
