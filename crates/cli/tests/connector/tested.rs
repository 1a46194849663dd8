//! `connection test`: whom the tokens are for, what their roles allow, and one harmless call.

use serde_json::json;

use crate::stage::Stage;

async fn connected(stage: &Stage, roles: &[(&str, &str)]) -> sortie_testkit::Registered {
    let application = stage.cloud.application(roles).await;
    let token_url = format!("https://{}/{{tenant}}/oauth2/v2.0/token", stage.host());
    stage.connect_with("contoso", &application, &["--replace", "--token-url", &token_url]).await.succeeded();
    application
}

#[tokio::test(flavor = "multi_thread")]
async fn it_tells_whom_the_token_is_for_and_what_its_roles_allow() {
    let stage = Stage::start().await;
    let application = connected(&stage, &[("graph", "SecurityIncident.Read.All"), ("mde", "Machine.Read.All")]).await;
    let tested = stage.run(&["connection", "test", "contoso"]).await.succeeded().stdout;
    for said in [
        "https://graph.microsoft.com",
        &application.client_id,
        &application.tenant,
        "SecurityIncident.Read.All",
        "list-incidents answers with status 200",
        "list-device-actions answers with status 200",
        "collect-device-package (needs Machine.CollectForensics)",
        "was not called: it needs",
        "Connection contoso works.",
    ] {
        assert!(tested.contains(said), "{said}:\n{tested}");
    }
    let allowed: Vec<&str> = tested.lines().filter(|line| line.trim_start().starts_with("Allowed")).collect();
    assert_eq!(allowed.len(), 2, "of two of the four APIs: {tested}");
    assert!(allowed.iter().any(|line| line.ends_with("get-incident, list-incidents")), "{tested}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_failure_says_what_to_do() {
    let stage = Stage::start().await;
    let test = ["connection", "test", "contoso"];
    connected(&stage, &[]).await;
    let nothing = stage.run(&test).await.ended_with(4);
    assert!(nothing.stderr.contains("allow none of the operations"), "{}", nothing.stderr);
    assert!(nothing.stderr.contains("administrator's consent"), "{}", nothing.stderr);
    let application = connected(&stage, &[("graph", "SecurityIncident.Read.All")]).await;
    stage
        .cloud
        .post(
            "/faults",
            &json!({ "kind": "server_error", "service": "graph", "status": 503, "times": 100, "retry_after": 0 }),
        )
        .await;
    let failing = stage.run(&test).await.ended_with(7);
    assert!(failing.stderr.contains("Try again later"), "{}", failing.stderr);
    stage.cloud.delete("/faults", None).await;
    let path = format!("/directory/applications/{}/secrets/{}/expire", application.client_id, application.secret_id);
    stage.cloud.post(&path, &json!({})).await;
    let expired = stage.run(&test).await.ended_with(3);
    assert!(
        expired.stderr.contains("AADSTS7000222") && expired.stderr.contains("may have expired"),
        "{}",
        expired.stderr
    );
    assert!(!expired.stdout.contains("works"), "{}", expired.stdout);
}

/// The document of a product that is not to be trusted with the choice of its harmless call.
#[tokio::test(flavor = "multi_thread")]
async fn a_test_that_would_change_something_is_not_made() {
    let stage = Stage::start().await;
    let document = format!(
        "openapi: 3.0.3\ninfo: {{ title: Own, version: '1' }}\nservers: [{{ url: '{}' }}]\n\
         paths: {{ /v1.0/x: {{ post: {{ operationId: x, x-sortie-test: {{}}, responses: {{}} }} }} }}\n",
        stage.cloud.url()
    );
    std::fs::write(stage.sortie.folder().join("own.yaml"), document).unwrap();
    stage.run(&["connector", "import", "own.yaml"]).await.succeeded();
    let host = stage.cloud.url().trim_start_matches("http://").to_owned();
    let add = ["connection", "add", "ours", "--connector", "own", "--credential", "none", "--allow-host", &host];
    stage.run(&add).await.succeeded();
    let refused = stage.run(&["connection", "test", "ours"]).await.ended_with(2);
    assert!(refused.stderr.contains("may change something; it was not called"), "{}", refused.stderr);
    assert_eq!(stage.cloud.get("/counters").await["total"], 0);
}
