//! `sortie connection test`: one sign-in for each API.

use serde_json::json;

use crate::stage::{READING, Stage};

#[tokio::test(flavor = "multi_thread")]
async fn every_api_is_signed_in_to() {
    let stage = Stage::with(READING).await;
    insta::assert_snapshot!(stage.run(&["connection", "test"]).await);
    let rows = stage.sortie.run(&["connection", "test", "test", "--jsonl"]).await.succeeded().json_lines();
    let names: Vec<_> = rows.iter().map(|row| row["api"].as_str().unwrap()).collect();
    assert_eq!(names, ["graph", "xdr", "mde", "cloudapps"]);
    assert_eq!(rows[1]["roles"], json!(["Incident.Read.All"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_credential_is_tried_once() {
    let stage = Stage::with(READING).await.with_secret("wrong~8Q~not-the-secret-of-this-app");
    insta::assert_snapshot!(stage.run(&["connection", "test"]).await);
    let rows = stage.sortie.run(&["connection", "test", "--jsonl"]).await.ended_with(3).json_lines();
    assert_eq!(rows[0]["code"], 7_000_215);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_that_the_tenant_lacks_does_not_hide_the_others() {
    let stage = Stage::with(READING).await;
    // The first sign-in of the run is Graph's.
    stage.cloud.put("/directory/token-error", &json!({ "code": 500_011 })).await;
    insta::assert_snapshot!(stage.run(&["connection", "test"]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_connection_is_named() {
    let stage = Stage::with(&[]).await;
    let failed = stage.sortie.run(&["connection", "test", "other"]).await.ended_with(2);
    assert!(failed.stderr.contains("`other`"), "{}", failed.stderr);
}
