//! Signed in, and what the token then holds or lacks.

use serde_json::json;

use crate::stage::{READING, Stage, WRITING};

#[tokio::test(flavor = "multi_thread")]
async fn all_is_in_order() {
    let stage = Stage::with(READING).await;
    insta::assert_snapshot!(stage.run(&["check"]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_taken_away() {
    let stage = Stage::with(READING).await;
    let role = json!({ "resource": "xdr", "value": "Incident.Read.All" });
    let path = format!("/directory/applications/{}/grants", stage.application.client_id);
    stage.cloud.delete(&path, Some(&role)).await;
    insta::assert_snapshot!(stage.run(&["check"]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_two_roles_of_an_api_taken_away() {
    let stage = Stage::with(READING).await;
    let role = json!({ "resource": "graph", "value": "SecurityAlert.Read.All" });
    let path = format!("/directory/applications/{}/grants", stage.application.client_id);
    stage.cloud.delete(&path, Some(&role)).await;
    insta::assert_snapshot!(stage.run(&["check"]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_listed_and_not_consented_where_the_directory_cannot_be_read() {
    let stage = Stage::without_consent(READING).await;
    insta::assert_snapshot!(stage.run(&["check"]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_listed_and_not_consented_where_the_directory_can_be_read() {
    let stage = Stage::without_consent(&[READING, &[("graph", "Application.Read.All")]].concat()).await;
    let role = json!({ "resource": "graph", "value": "Application.Read.All" });
    let path = format!("/directory/applications/{}/grants", stage.application.client_id);
    stage.cloud.post(&path, &role).await;
    insta::assert_snapshot!(stage.run(&["check"]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_granted() {
    let stage = Stage::with(&[]).await;
    insta::assert_snapshot!(stage.run(&["check"]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_granted_where_the_directory_can_be_read() {
    let stage = Stage::with(&[("graph", "Application.Read.All")]).await;
    insta::assert_snapshot!(stage.run(&["check", "--role", "Incident.Read.All"]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plural_and_a_display_name_are_corrected() {
    let stage = Stage::with(READING).await;
    let run = ["check", "--role", "Incidents.Read.All", "--role", "Read all security alerts"];
    insta::assert_snapshot!(stage.run(&run).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_nobody_knows() {
    let stage = Stage::with(&[]).await;
    insta::assert_snapshot!(stage.run(&["check", "--role", "Everything.All"]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn wanted_for_writing_with_too_little_and_too_much() {
    let roles = [READING, &[("xdr", "AdvancedHunting.Read.All"), ("xdr", "Incident.ReadWrite.All")]].concat();
    let stage = Stage::with(&roles).await;
    insta::assert_snapshot!(stage.run(&["check", "--for", "write"]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_reading_needs() {
    let stage = Stage::with(WRITING).await;
    insta::assert_snapshot!(stage.run(&["check"]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_roles_of_defender_for_endpoint() {
    let stage = Stage::with(&[("mde", "Machine.Read.All"), ("mde", "Alert.Read.All")]).await;
    insta::assert_snapshot!(stage.run(&["check"]).await);
    insta::assert_snapshot!(stage.run(&["check", "--role", "Isolate machine"]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn for_hunting_a_query_is_tried() {
    let stage = Stage::with(&[("graph", "ThreatHunting.Read.All")]).await;
    insta::assert_snapshot!(stage.run(&["check", "--for", "hunt"]).await);
    let path = "/v1.0/security/runHuntingQuery";
    let fault = json!({ "kind": "hunting_timeout", "service": "graph", "method": "POST", "times": 100, "route": path });
    stage.cloud.post("/faults", &fault).await;
    insta::assert_snapshot!(stage.run(&["check", "--for", "hunt"]).await);
}
