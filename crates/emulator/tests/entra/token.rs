//! The token endpoints: both answer shapes, claims, every error that a request can cause.

use crate::stage::{Stage, claims};
use serde_json::json;

const XDR: &str = "https://api.security.microsoft.com/.default";

#[tokio::test]
async fn a_secret_gives_a_token_with_the_granted_roles() {
    let stage = Stage::start().await;
    let app = stage.app(&[("xdr", "Incident.Read.All"), ("graph", "SecurityIncident.Read.All")]).await;
    let answer = stage.token(&app, XDR).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert!(answer.json["expires_in"].is_number() && answer.json["ext_expires_in"].is_number());
    let claims = claims(answer.json["access_token"].as_str().unwrap());
    assert_eq!(claims["roles"], json!(["Incident.Read.All"]));
    assert_eq!(claims["aud"], "https://api.security.microsoft.com");
    assert_eq!(claims["iss"], format!("https://sts.windows.net/{}/", stage.tenant));
    assert_eq!((&claims["ver"], &claims["appid"], &claims["appidacr"]), (&json!("1.0"), &json!(app.id), &json!("1")));
    assert_eq!((&claims["oid"], &claims["sub"]), (&json!(app.principal_id), &json!(app.principal_id)));
    let lifetime =
        claims["exp"].as_i64().unwrap() - "2026-05-04T08:00:00Z".parse::<jiff::Timestamp>().unwrap().as_second();
    assert!((3_600..=5_400).contains(&lifetime), "{lifetime}");
}
