//! `app register` where something is in the way: what it says, and that nothing is left half-done.

use serde_json::{Value, json};

use crate::stage::{Stage, on_a_full_disk};

const XDR: &str = "8ee8fdad-f234-4243-8f3b-15c294843740";

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_may_not_grant_and_hears_which_role_it_takes() {
    let stage = Stage::start().await;
    stage.administrator(json!({ "roles": ["Security Reader"] })).await;
    let refused = stage.run(&stage.register(&[])).await.ended_with(4);
    assert!(refused.stderr.contains("SecurityIncident.Read.All of \"Microsoft Graph\" could not be granted"));
    assert!(refused.stderr.contains("you hold Security Reader"), "{}", refused.stderr);
    assert!(refused.stderr.contains("granting its roles Privileged Role Administrator"), "{}", refused.stderr);
    assert_eq!(stage.grants("Sortie").await, Vec::<String>::new());
    assert_eq!(stage.secret_count("Sortie").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_users_may_not_register_the_lack_is_named_too() {
    let stage = Stage::start().await;
    stage.administrator(json!({ "roles": ["Security Reader", "Security Administrator"] })).await;
    stage.switch(json!({ "users_may_register": false })).await;
    let refused = stage.run(&stage.register(&[])).await.ended_with(4);
    assert!(refused.stderr.contains("you hold Security Reader, Security Administrator"), "{}", refused.stderr);
    assert!(refused.stderr.contains("Cloud Application Administrator"), "{}", refused.stderr);
    assert_eq!(stage.application("Sortie").await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_administrator_grants_all_but_graphs_roles() {
    let stage = Stage::start().await;
    stage.administrator(json!({ "roles": ["Cloud Application Administrator"] })).await;
    stage.run(&stage.register(&["--role", "xdr/Incident.Read.All"])).await.succeeded();
    let refused = stage.run(&stage.register(&[])).await.ended_with(4);
    assert!(refused.stderr.contains("you hold Cloud Application Administrator"), "{}", refused.stderr);
    // Somebody with the right finishes what was begun.
    stage.administrator(json!({ "roles": ["Global Administrator"] })).await;
    stage.run(&stage.register(&[])).await.succeeded();
    assert_eq!(stage.grants("Sortie").await.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_that_blocks_the_usual_client_is_given_another() {
    let stage = Stage::start().await;
    stage.switch(json!({ "block_default_client": true })).await;
    let refused = stage.run(&stage.register(&[])).await.ended_with(3);
    assert!(refused.stderr.contains("AADSTS65001"), "{}", refused.stderr);
    assert!(refused.stderr.contains("--sign-in-client-id"), "{}", refused.stderr);
    let own = json!({ "displayName": "Our sign-in", "public_client": true });
    let own = stage.cloud.post("/directory/applications", &own).await["appId"].as_str().unwrap().to_owned();
    stage.run(&stage.register(&["--sign-in-client-id", &own])).await.succeeded();
    assert_eq!(stage.grants("Sortie").await.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_product_without_a_licence_is_named_before_anything_is_made() {
    let stage = Stage::start().await;
    stage.switch(json!({ "unlicensed_resource": XDR })).await;
    let refused = stage.run(&stage.register(&["--role", "xdr/Incident.Read.All"])).await.ended_with(1);
    assert!(refused.stderr.contains("\"Microsoft Threat Protection\" is not in the tenant"), "{}", refused.stderr);
    assert!(refused.stderr.contains("license it"), "{}", refused.stderr);
    assert_eq!(stage.application("Sortie").await, None);
    assert!(!stage.secret_file().exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_could_not_be_written_is_never_made() {
    let stage = Stage::start().await;
    stage.forget_calls().await;
    std::fs::write(stage.folder().join("file"), "").unwrap();
    let refused = stage.run(&stage.register(&["--secret-file", "file/app.secret"])).await.ended_with(1);
    assert!(refused.stderr.contains("the secret cannot be written to"), "{}", refused.stderr);
    let output = on_a_full_disk(&stage.sortie.command(&stage.register(&[]))).output().await.unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("the secret cannot be written to") && told.contains("File too large"), "{told}");
    assert_eq!(stage.calls().await, Vec::<Value>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_the_vault_does_not_take_is_removed_again() {
    let stage = Stage::start().await;
    for command in ["cat > vault.txt; exit 3", "exit 1"] {
        let failed = stage.run(&stage.register(&["--vault-command", command])).await.ended_with(1);
        assert!(failed.stderr.contains("the vault's command"), "{}", failed.stderr);
        assert!(failed.stderr.contains("removed again"), "{}", failed.stderr);
        assert_eq!(stage.secret_count("Sortie").await, 0);
    }
    assert_eq!(stage.run(&["connection", "list", "--json"]).await.succeeded().stdout, "[]\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_declined_code_ends_the_run() {
    let stage = Stage::start().await;
    stage.administrator(json!({ "decision": "ask" })).await;
    let mut running = stage.begin(&stage.register(&[]));
    let line = running.line_with("Open ").await;
    let code = line.rsplit(' ').next().unwrap().to_owned();
    stage.cloud.post(&format!("/directory/device-codes/{code}/decline"), &json!({})).await;
    let ended = stage.end(running).await.ended_with(3);
    assert!(ended.stderr.contains("declined") && ended.stderr.contains("next:"), "{}", ended.stderr);
    assert_eq!(stage.changing_calls().await, Vec::<Value>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_nobody_types_in_time_ends_the_run() {
    let stage = Stage::start().await;
    stage.administrator(json!({ "decision": "ask" })).await;
    let mut running = stage.begin(&stage.register(&[]));
    running.line_with("Open ").await;
    stage.cloud.post("/clock/advance", &json!({ "seconds": 901 })).await;
    let ended = stage.end(running).await.ended_with(3);
    assert!(ended.stderr.contains("expired") && ended.stderr.contains("next:"), "{}", ended.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_that_comes_back_with_a_no_ends_the_run() {
    let stage = Stage::start().await;
    stage.administrator(json!({ "decision": "decline" })).await;
    let arguments: Vec<&str> = stage.register(&[]).into_iter().filter(|word| *word != "--device-code").collect();
    let mut running = stage.begin(&arguments);
    let page = running.line_with("/oauth2/v2.0/authorize?").await;
    stage.browse(&page).await;
    let ended = stage.end(running).await.ended_with(3);
    assert!(ended.stderr.contains("declined"), "{}", ended.stderr);
    assert_eq!(stage.changing_calls().await, Vec::<Value>::new());
}
