//! Admin consent: pages and redirects.

use reqwest::Method;
use serde_json::{Value, json};

use crate::stage::{App, Stage, claims};

const XDR: &str = "https://api.security.microsoft.com/.default";

async fn asked_only(stage: &Stage) -> App {
    let roles = json!([{ "resource": "xdr", "value": "Incident.Read.All" }, { "resource": "graph", "value": "SecurityIncident.Read.All" }]);
    let new = json!({
        "displayName": "<b>Watch</b>", "roles": roles, "requested_only": true, "secret": "generated",
        "redirect_uris": ["https://app.example/done", "http://localhost"],
    });
    stage.app_from(new).await
}

async fn decide(stage: &Stage, change: Value) {
    stage.admin(Method::PUT, "/directory/administrator", change).await;
}

#[tokio::test]
async fn accepted_consent_redirects_and_grants() {
    let stage = Stage::start().await;
    let app = asked_only(&stage).await;
    decide(&stage, json!({ "decision": "accept" })).await;
    let redirect = "redirect_uri=https://app.example/done&state=s%201";
    let (to, query) = stage.get(&format!("/common/adminconsent?client_id={}&{redirect}", app.id)).await.redirect();
    assert_eq!(to, "https://app.example/done");
    assert_eq!(
        (query["tenant"].as_str(), query["state"].as_str(), query["admin_consent"].as_str()),
        (stage.tenant.as_str(), "s 1", "True")
    );
    let token = stage.access_token(&app, XDR).await;
    assert_eq!(claims(&token)["roles"], json!(["Incident.Read.All"]));
    // Loopback redirects may use any port; asking again changes nothing.
    let v2 = format!(
        "/{}/v2.0/adminconsent?client_id={}&scope={XDR}&state=x&redirect_uri=http://localhost:4711",
        stage.tenant, app.id
    );
    let (to, query) = stage.get(&v2).await.redirect();
    assert_eq!(to, "http://localhost:4711/");
    assert_eq!((query["scope"].as_str(), query["admin_consent"].as_str()), (XDR, "True"));
}

#[tokio::test]
async fn declined_consent_says_so_in_the_words_of_each_address() {
    let stage = Stage::start().await;
    let app = asked_only(&stage).await;
    decide(&stage, json!({ "decision": "decline" })).await;
    let redirect = format!("client_id={}&redirect_uri=https://app.example/done&state=s", app.id);
    let (_, v1) = stage.get(&format!("/{}/adminconsent?{redirect}", stage.tenant)).await.redirect();
    assert_eq!(v1["error"], "permission_denied");
    assert!(!v1.contains_key("admin_consent"));
    let (_, v2) = stage.get(&format!("/{}/v2.0/adminconsent?{redirect}&scope={XDR}", stage.tenant)).await.redirect();
    assert_eq!(
        (v2["error"].as_str(), v2["admin_consent"].as_str(), v2["state"].as_str()),
        ("consent_required", "True", "s")
    );
    assert!(v2["error_description"].starts_with("AADSTS65004: "), "{v2:?}");
    assert_eq!(claims(&stage.access_token(&app, XDR).await)["roles"], Value::Null);
}

#[tokio::test]
async fn the_old_link_gives_a_code_and_the_grants() {
    let stage = Stage::start().await;
    let app = asked_only(&stage).await;
    decide(&stage, json!({ "decision": "accept" })).await;
    let link =
        format!("/common/oauth2/authorize?prompt=consent&client_id={}&response_type=code&sso_reload=true", app.id);
    let (to, query) = stage.get(&link).await.redirect();
    assert_eq!(to, "https://app.example/done");
    assert!(!query["code"].is_empty());
    assert_eq!(claims(&stage.access_token(&app, XDR).await)["roles"], json!(["Incident.Read.All"]));
}

#[tokio::test]
async fn the_page_waits_and_its_buttons_decide() {
    let stage = Stage::start().await;
    let app = asked_only(&stage).await;
    let page = stage.get(&format!("/{}/adminconsent?client_id={}", stage.tenant, app.id)).await;
    assert_eq!(page.status, 200);
    assert!(page.text.contains("&lt;b&gt;Watch&lt;/b&gt;") && !page.text.contains("<b>Watch"), "{}", page.text);
    let ticket = page.text.split("name=\"ticket\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let answer = stage.post("/oauth2/decision", &[("ticket", ticket), ("decision", "accept")]).await;
    assert_eq!(answer.redirect().1["admin_consent"], "True");
    let again = stage.post("/oauth2/decision", &[("ticket", ticket), ("decision", "accept")]).await;
    assert_eq!(again.status, 400);
}

#[tokio::test]
async fn a_role_that_may_not_grant_gets_a_page_and_nothing_changes() {
    let stage = Stage::start().await;
    let app = asked_only(&stage).await;
    decide(&stage, json!({ "decision": "accept", "roles": ["Cloud Application Administrator"] })).await;
    let page = stage.get(&format!("/{}/adminconsent?client_id={}", stage.tenant, app.id)).await;
    assert!(page.text.contains("AADSTS90094"), "Graph roles need more: {}", page.text);
    assert_eq!(claims(&stage.access_token(&app, XDR).await)["roles"], Value::Null);
}

#[tokio::test]
async fn a_wrong_link_never_redirects() {
    let stage = Stage::start().await;
    let app = asked_only(&stage).await;
    decide(&stage, json!({ "decision": "accept" })).await;
    for (query, code) in [
        (format!("client_id={}&redirect_uri=https://evil.example/", app.id), "AADSTS50011"),
        ("client_id=00000000-1111-4222-8333-444444444444".to_owned(), "AADSTS700016"),
        (String::new(), "AADSTS900144"),
    ] {
        let page = stage.get(&format!("/{}/adminconsent?{query}", stage.tenant)).await;
        assert!(
            page.status == 200 && page.text.contains(code) && !page.headers.contains_key("location"),
            "{query}: {}",
            page.text
        );
    }
}
