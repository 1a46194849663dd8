//! The usual `AZURE_*` variables alone, without a settings file.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256};
use serde_json::json;
use sortie_testkit::{Leaks, Registered, Sortie, TestCloud};

const PROGRAM: &str = env!("CARGO_BIN_EXE_sortie");
const ROLE: (&str, &str) = ("graph", "SecurityIncident.Read.All");

/// A user without settings; the login host alone is the simulated one, so that a token is all there is to get.
async fn user(cloud: &TestCloud, application: &Registered) -> Sortie {
    let sortie = Sortie::new(PROGRAM, cloud.leaks()).with("AZURE_TENANT_ID", &application.tenant);
    sortie.with("AZURE_CLIENT_ID", &application.client_id).with("AZURE_AUTHORITY_HOST", &cloud.url())
}

async fn check_gives_a_token(sortie: &Sortie) {
    let claims = sortie.run(&["token", "--json"]).await.succeeded().json_lines();
    assert_eq!(claims[0]["roles"], json!([ROLE.1]));
    assert!(!sortie.folder().join("sortie").exists(), "no settings file is made");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_in_the_environment_suffices() {
    let cloud = TestCloud::start().await;
    let application = cloud.application(&[ROLE]).await;
    let sortie = user(&cloud, &application).await.with("AZURE_CLIENT_SECRET", &application.secret);
    check_gives_a_token(&sortie).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_in_the_environment_suffices() {
    let cloud = TestCloud::start().await;
    let application = cloud.application(&[ROLE]).await;
    let key = KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap();
    let mut parameters = CertificateParams::new(Vec::new()).unwrap();
    parameters.not_before = rcgen::date_time_ymd(2020, 1, 1);
    parameters.not_after = rcgen::date_time_ymd(2099, 1, 1);
    let pem = parameters.self_signed(&key).unwrap().pem();
    let path = format!("/directory/applications/{}/certificates", application.client_id);
    cloud.post(&path, &json!({ "certificate_pem": pem })).await;
    let sortie = user(&cloud, &application).await.with("AZURE_CLIENT_CERTIFICATE_PATH", "app.pem");
    std::fs::write(sortie.folder().join("app.pem"), format!("{pem}{}", key.serialize_pem())).unwrap();
    check_gives_a_token(&sortie).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_federated_token_in_the_environment_is_sent() {
    let cloud = TestCloud::start().await;
    let application = cloud.application(&[ROLE]).await;
    let sortie = user(&cloud, &application).await.with("AZURE_FEDERATED_TOKEN_FILE", "token");
    let part = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let claims = part(json!({ "iss": "https://provider.example", "sub": "somebody" }));
    let token = format!("{}.{claims}.c2lnbmF0dXJl", part(json!({ "alg": "RS256", "typ": "JWT" })));
    std::fs::write(sortie.folder().join("token"), token).unwrap();
    // That a good one is taken is proved where tokens of a provider are made; here the file must have been read and sent:
    // only a token of a foreign issuer leads Entra to say that this application trusts none.
    let refused = sortie.run(&["token"]).await.ended_with(3);
    assert!(refused.stderr.contains("AADSTS70025)"), "{}", refused.stderr);
    std::fs::remove_file(sortie.folder().join("token")).unwrap();
    let missing = sortie.run(&["token"]).await.ended_with(3);
    assert!(missing.stderr.contains("token"), "{}", missing.stderr);
    assert!(!missing.stderr.contains("AADSTS"), "{}", missing.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_absent_is_named_and_never_guessed() {
    let leaks = Leaks::default();
    let all = [
        ("AZURE_TENANT_ID", "contoso.onmicrosoft.com"),
        ("AZURE_CLIENT_ID", "11111111-2222-3333-4444-555555555555"),
        ("AZURE_CLIENT_SECRET", "absent~here~8Q~secret"),
    ];
    leaks.watch(all[2].1);
    for (absent, _) in all {
        let mut sortie = Sortie::new(PROGRAM, &leaks);
        for (name, value) in all.iter().filter(|(name, _)| *name != absent) {
            sortie = sortie.with(name, value);
        }
        // An address where nothing is: had anything been guessed, the answer would be another.
        let sortie = sortie.with("AZURE_AUTHORITY_HOST", "http://127.0.0.1:1");
        let failed = sortie.run(&["token"]).await.ended_with(2);
        assert!(failed.stderr.contains(absent), "{absent}: {}", failed.stderr);
        assert!(failed.stderr.contains("next:"), "{}", failed.stderr);
    }
    let nothing = Sortie::new(PROGRAM, &leaks).run(&["token"]).await.ended_with(2);
    assert!(nothing.stderr.contains("no connection to a tenant yet"), "{}", nothing.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_that_means_any_tenant_is_refused() {
    let sortie = Sortie::new(PROGRAM, &Leaks::default())
        .with("AZURE_TENANT_ID", "common")
        .with("AZURE_CLIENT_ID", "11111111-2222-3333-4444-555555555555")
        .with("AZURE_CLIENT_SECRET", "any~secret~8Q~at-all");
    let refused = sortie.run(&["token"]).await.ended_with(2);
    assert!(refused.stderr.contains("AZURE_TENANT_ID") && refused.stderr.contains("next:"), "{}", refused.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_alone_does_not_hide_that_a_connection_must_be_chosen() {
    let sortie = Sortie::new(PROGRAM, &Leaks::default()).with("AZURE_CLIENT_SECRET", "any~secret~8Q~at-all");
    let ids = ["--tenant", "contoso.com", "--client-id", "11111111-2222-3333-4444-555555555555"];
    for name in ["one", "two"] {
        sortie.run(&[&["connection", "add", name], &ids[..]].concat()).await.succeeded();
    }
    sortie.run(&["connection", "remove", "one", "--yes"]).await.succeeded();
    sortie.run(&[&["connection", "add", "three"], &ids[..]].concat()).await.succeeded();
    let failed = sortie.run(&["token"]).await.ended_with(2);
    assert!(failed.stderr.contains("none is chosen"), "{}", failed.stderr);
}
