//! Entra refuses, or the clock is wrong.

use std::path::PathBuf;

use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256};
use serde_json::json;

use crate::stage::{READING, Stage};

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_secret() {
    let stage = Stage::with(READING).await.with_secret("wrong~8Q~not-the-secret-of-this-app");
    insta::assert_snapshot!(stage.run(&["check"]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_id_of_the_secret_instead_of_its_value() {
    let stage = Stage::with(READING).await;
    let id = stage.application.secret_id.clone();
    let stage = stage.with_secret(&id);
    insta::assert_snapshot!(stage.run(&["check"]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_secret() {
    let stage = Stage::with(READING).await;
    let (app, key) = (&stage.application.client_id, &stage.application.secret_id);
    stage.cloud.post(&format!("/directory/applications/{app}/secrets/{key}/expire"), &json!({})).await;
    insta::assert_snapshot!(stage.run(&["check"]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_tenant() {
    let stage = Stage::with(READING).await;
    stage.reconnect("nobody.onmicrosoft.com", &["--emulator", &stage.cloud.url()]).await;
    insta::assert_snapshot!(stage.run(&["check"]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_of_another_cloud() {
    let stage = Stage::with(READING).await;
    stage.reconnect("larkspurharbor.onmicrosoft.us", &["--emulator", &stage.cloud.url()]).await;
    insta::assert_snapshot!(stage.run(&["check"]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_of_another_tenant() {
    let stage = Stage::with(READING).await;
    stage.reconnect("brookfell.onmicrosoft.com", &["--emulator", &stage.cloud.url()]).await;
    insta::assert_snapshot!(stage.run(&["check"]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_application() {
    let stage = Stage::with(READING).await;
    let path = format!("/directory/applications/{}/state", stage.application.client_id);
    stage.cloud.put(&path, &json!({ "enabled": false })).await;
    insta::assert_snapshot!(stage.run(&["check"]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_is_not_registered() {
    let stage = Stage::with(READING).await;
    let (path, _) = certificate(&stage);
    sign_in_by_certificate(&stage, &path).await;
    insta::assert_snapshot!(stage.run(&["check"]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_an_hour_ahead_with_a_secret() {
    let stage = Stage::with_clock_moved(-3600, READING).await;
    insta::assert_snapshot!(stage.run(&["check"]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_an_hour_behind_with_a_secret() {
    let stage = Stage::with_clock_moved(3600, READING).await;
    insta::assert_snapshot!(stage.run(&["check"]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_an_hour_ahead_with_a_certificate() {
    let stage = registered_certificate().await;
    stage.cloud.post("/clock/advance", &json!({ "seconds": -3600 })).await;
    insta::assert_snapshot!(stage.run(&["check"]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_an_hour_behind_with_a_certificate() {
    let stage = registered_certificate().await;
    stage.cloud.post("/clock/advance", &json!({ "seconds": 3600 })).await;
    insta::assert_snapshot!(stage.run(&["check"]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registered_certificate_works() {
    let stage = registered_certificate().await;
    stage.sortie.run(&["check"]).await.succeeded();
}

async fn registered_certificate() -> Stage {
    let stage = Stage::with(READING).await;
    let (path, pem) = certificate(&stage);
    let registration = format!("/directory/applications/{}/certificates", stage.application.client_id);
    stage.cloud.post(&registration, &json!({ "certificate_pem": pem })).await;
    sign_in_by_certificate(&stage, &path).await;
    stage
}

async fn sign_in_by_certificate(stage: &Stage, path: &std::path::Path) {
    let reference = format!("certificate:{}", path.display());
    stage.reconnect(&stage.application.tenant, &["--emulator", &stage.cloud.url(), "--credential", &reference]).await;
}

/// A new certificate with its key in the user's folder, and the certificate alone.
fn certificate(stage: &Stage) -> (PathBuf, String) {
    let key = KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap();
    let mut parameters = CertificateParams::new(Vec::new()).unwrap();
    parameters.not_before = rcgen::date_time_ymd(2020, 1, 1);
    parameters.not_after = rcgen::date_time_ymd(2099, 1, 1);
    let pem = parameters.self_signed(&key).unwrap().pem();
    let path = stage.sortie.folder().join("app.pem");
    std::fs::write(&path, format!("{pem}{}", key.serialize_pem())).unwrap();
    (path, pem)
}
