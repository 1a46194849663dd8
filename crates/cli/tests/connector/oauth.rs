//! OAuth2 *application* in all its forms: a signed assertion, HTTP Basic, a resource by name, a token renewed on the way.

use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256};
use serde_json::json;
use sortie_testkit::Registered;

use crate::stage::Stage;

const ENDPOINTS: &[&str] = &["/oauth2/v2.0/token", "/oauth2/token"];

/// A certificate of these days, known to the application; its files in the user's folder.
pub(crate) async fn certified(stage: &Stage, application: &Registered, until: jiff::civil::Date) {
    let key = KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap();
    let mut parameters = CertificateParams::new(Vec::new()).unwrap();
    parameters.not_before = rcgen::date_time_ymd(2020, 1, 1);
    let number = |number: i8| u8::try_from(number).unwrap();
    parameters.not_after = rcgen::date_time_ymd(until.year().into(), number(until.month()), number(until.day()));
    let certificate = parameters.self_signed(&key).unwrap().pem();
    let path = format!("/directory/applications/{}/certificates", application.client_id);
    stage.cloud.post(&path, &json!({ "certificate_pem": certificate })).await;
    let write = |name: &str, text: &str| std::fs::write(stage.sortie.folder().join(name), text).unwrap();
    write("app.pem", &format!("{certificate}{}", key.serialize_pem()));
    write("certificate.pem", &certificate);
    write("key.pem", &key.serialize_pem());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_proves_the_application_at_both_endpoints() {
    for (endpoint, more) in ENDPOINTS.iter().zip([&[][..], &["--rs256"]]) {
        let stage = Stage::start().await;
        let application = stage.cloud.application(&[("graph", "SecurityAlert.Read.All")]).await;
        certified(&stage, &application, "2099-01-01".parse().unwrap()).await;
        stage.import_with(endpoint, &["--client-proof", "private-key-jwt", "--scope", ".default"]).await;
        let secret = stage.connect("secret", &application).await.succeeded();
        assert!(!secret.stderr.contains("certificate"), "{}", secret.stderr);
        let call = |name: &'static str| ["call", "microsoft-365-defender/list-alerts", "$top=1", "-c", name];
        let refused = stage.run(&call("secret")).await.ended_with(2);
        assert!(refused.stderr.contains("certificate:PEM"), "{}", refused.stderr);
        for (name, reference) in [("one", "certificate:app.pem"), ("two", "certificate:certificate.pem,key.pem")] {
            stage.refer(name, &application, &[&["--credential", reference][..], more].concat()).await.succeeded();
            stage.run(&call(name)).await.succeeded();
        }
        let wrong =
            stage.refer("three", &application, &["--credential", "certificate:nowhere.pem"]).await.ended_with(3);
        assert!(wrong.stderr.contains("nowhere.pem"), "{}", wrong.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn http_basic_and_a_resource_by_name_work_where_the_provider_takes_them() {
    let stage = Stage::start().await;
    let application = stage.cloud.application(&[("graph", "SecurityAlert.Read.All")]).await;
    let wanted = ["--client-proof", "basic", "--resource", "https://graph.microsoft.com"];
    stage.import_with("/oauth2/token", &wanted).await;
    stage.connect("contoso", &application).await.succeeded();
    let alerts = stage.run(&["call", "microsoft-365-defender/list-alerts", "$top=1"]).await.succeeded();
    assert!(!alerts.stderr.contains("completed"), "nothing had to be: {}", alerts.stderr);
    // Entra knows no `audience`, and says that its own parameter is missing. The connection keeps its token URL.
    let audience = ["--client-proof", "basic", "--audience", "https://graph.microsoft.com"];
    stage.edit("/oauth2/v2.0/token", &audience).await.succeeded();
    let shown = stage.run(&["connector", "show", "microsoft-365-defender"]).await.succeeded().stdout;
    assert!(shown.contains("audience https://graph.microsoft.com") && shown.contains("HTTP Basic"), "{shown}");
    let refused = stage.run(&["call", "microsoft-365-defender/list-alerts"]).await.ended_with(3);
    assert!(refused.stderr.contains("'resource'"), "{}", refused.stderr);
    let both = stage.edit("/oauth2/token", &["--audience", "a", "--scope", "b"]).await;
    assert_eq!(both.code, 2, "{}", both.stderr);
}

/// The token dies between two pages; the list is whole all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_ends_midway_is_renewed_once() {
    let stage = Stage::start().await;
    let application = stage.cloud.application(&[("graph", "SecurityIncident.Read.All")]).await;
    let token_url = format!("https://{}/{{tenant}}/oauth2/v2.0/token", stage.host());
    stage.connect_with("contoso", &application, &["--token-url", &token_url]).await.succeeded();
    let list = ["call", "microsoft-365-defender/list-incidents", "--all-pages", "$top=20"];
    let whole = stage.run(&list).await.succeeded().json_lines().len();
    assert!(whole > 40, "{whole}");
    stage.cloud.post("/faults", &json!({ "kind": "token_expired", "service": "graph", "after": 1 })).await;
    assert_eq!(stage.run(&list).await.succeeded().json_lines().len(), whole);
    assert_eq!(stage.cloud.get("/faults").await["faults"][0]["hits"], 1, "it was struck");
    // Refused for good it is not asked for again and again.
    stage.cloud.post("/faults", &json!({ "kind": "token_expired", "service": "graph", "times": 100 })).await;
    let refused = stage.run(&list).await.ended_with(3);
    assert!(refused.stderr.contains("401"), "{}", refused.stderr);
    assert_eq!(stage.cloud.get("/faults").await["faults"][1]["hits"], 2, "one new token, and no more");
}
