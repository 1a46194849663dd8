//! `app register` where all goes well.

use serde_json::{Value, json};
use sortie_emulator::{ClockMode, EmulatorConfig};

use crate::stage::Stage;

const READING: [&str; 3] = ["SecurityIncident.Read.All", "SecurityAlert.Read.All", "Incident.Read.All"];

#[tokio::test(flavor = "multi_thread")]
async fn a_device_code_that_is_approved_meanwhile_registers_everything() {
    let stage = Stage::start().await;
    stage.administrator(json!({ "decision": "ask" })).await;
    let mut running = stage.begin(&stage.register(&[]));
    let line = running.line_with("Open ").await;
    let code = line.rsplit(' ').next().unwrap();
    assert!(line.contains("/devicelogin and type "), "{line}");
    stage.cloud.post(&format!("/directory/device-codes/{code}/approve"), &json!({})).await;
    let ended = stage.end(running).await.succeeded();
    assert_eq!(ended.stdout, "connection default works; next: sortie incidents list\n");
    assert_eq!(stage.grants("Sortie").await, READING);

    let listed = stage.run(&["connection", "show", "--json"]).await.succeeded();
    let client_id = stage.application("Sortie").await.unwrap()["appId"].as_str().unwrap().to_owned();
    assert!(listed.stdout.contains(&client_id) && listed.stdout.contains(&stage.cloud.tenant()), "{}", listed.stdout);
    let check = stage.run(&["check"]).await.succeeded();
    assert!(check.stdout.contains("All is in order for reading."), "{}", check.stdout);
    let incidents = stage.run(&["incidents", "list", "--jsonl"]).await.succeeded();
    assert!(incidents.json_lines().len() > 50);
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn the_secret_is_for_its_owner_alone_and_lives_as_long_as_asked() {
    use std::os::unix::fs::PermissionsExt as _;
    let stage = Stage::start().await;
    let own = stage.folder().join("elsewhere/app.secret");
    let arguments = ["--lifetime", "90d", "--secret-file", own.to_str().unwrap(), "--connection-name", "soc"];
    stage.run(&stage.register(&arguments)).await.succeeded();
    assert_eq!(std::fs::metadata(&own).unwrap().permissions().mode() & 0o777, 0o600);
    stage.cloud.leaks().watch(std::fs::read_to_string(&own).unwrap().trim());
    let shown = stage.run(&["connection", "show", "--json"]).await.succeeded();
    assert!(shown.stdout.contains("app.secret"), "{}", shown.stdout);
    let until = stage.application("Sortie").await.unwrap()["secrets"][0]["endDateTime"].as_str().unwrap().to_owned();
    let until: jiff::Timestamp = until.parse().unwrap();
    let days = until.duration_since(jiff::Timestamp::now()).as_hours() as f64 / 24.0;
    assert!((89.0..=90.0).contains(&days), "{days}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_signs_in_with_pkce() {
    let stage = Stage::start().await;
    let arguments: Vec<&str> = stage.register(&[]).into_iter().filter(|word| *word != "--device-code").collect();
    let mut running = stage.begin(&arguments);
    let page = running.line_with("/oauth2/v2.0/authorize?").await;
    assert!(page.contains("code_challenge_method=S256"), "{page}");
    let (status, text) = stage.browse(&page).await;
    assert_eq!((status, text.contains("You may close this page")), (200, true), "{text}");
    stage.end(running).await.succeeded();
    assert_eq!(stage.grants("Sortie").await, READING);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_run_finds_everything_and_changes_nothing() {
    let stage = Stage::start().await;
    stage.run(&stage.register(&[])).await.succeeded();
    let (before, secret) = (stage.cloud.get("/directory").await, std::fs::read(stage.secret_file()).unwrap());
    stage.forget_calls().await;
    let again = stage.run(&stage.register(&[])).await.succeeded();
    assert_eq!(stage.changing_calls().await, Vec::<Value>::new());
    assert!(!again.stderr.contains("done "), "{}", again.stderr);
    assert_eq!(stage.cloud.get("/directory").await, before);
    assert_eq!(std::fs::read(stage.secret_file()).unwrap(), secret);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_entra_does_not_know_any_more_is_replaced() {
    let stage = Stage::start().await;
    stage.run(&stage.register(&[])).await.succeeded();
    let application = stage.application("Sortie").await.unwrap();
    let (app, key) = (application["appId"].as_str().unwrap(), application["secrets"][0]["keyId"].as_str().unwrap());
    stage.cloud.post(&format!("/directory/applications/{app}/secrets/{key}/expire"), &json!({})).await;
    let again = stage.run(&stage.register(&[])).await.succeeded();
    assert!(again.stderr.contains("client secret"), "{}", again.stderr);
    assert_eq!(stage.secret_count("Sortie").await, 2);
    stage.run(&["check"]).await.succeeded();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_prints_every_call_and_makes_none() {
    let stage = Stage::start().await;
    stage.forget_calls().await;
    let dry = stage.run(&stage.register(&["--dry-run", "--multi-tenant"])).await.succeeded();
    assert_eq!(stage.cloud.get("/counters").await["total"], 0);
    let calls: Vec<&str> =
        dry.stdout.lines().filter(|line| line.starts_with("GET ") || line.starts_with("POST ")).collect();
    let printed =
        |method: &str, word: &str| calls.iter().filter(|line| line.starts_with(method) && line.contains(word)).count();
    assert_eq!(printed("GET", "/v1.0/servicePrincipals?$filter=appId eq"), 3, "two APIs and the application itself");
    assert_eq!(printed("GET", "/v1.0/applications?$filter=displayName eq 'Sortie'"), 1);
    assert_eq!(calls.iter().filter(|line| **line == "POST /v1.0/applications").count(), 1);
    assert_eq!(calls.iter().filter(|line| **line == "POST /v1.0/servicePrincipals").count(), 1);
    assert_eq!(printed("GET", "/appRoleAssignments"), 1);
    assert_eq!(printed("POST", "/appRoleAssignedTo"), 3);
    assert_eq!(printed("POST", "/addPassword"), 1);
    assert!(READING.iter().all(|role| dry.stdout.contains(role)), "{}", dry.stdout);
    assert!(dry.stdout.contains("AzureADMultipleOrgs"), "{}", dry.stdout);
    assert!(!stage.secret_file().exists());
    assert_eq!(stage.application("Sortie").await, None);

    // What was printed is what is done: the same kinds of call, as often.
    stage.run(&stage.register(&["--multi-tenant"])).await.succeeded();
    let made = stage.calls().await;
    let of_set_up =
        made.iter().filter(|call| call["service"] == "graph" && call["route"] != "/v1.0/security/incidents");
    let count: u64 = of_set_up.map(|call| call["count"].as_u64().unwrap()).sum();
    assert_eq!(count, calls.len() as u64, "{made:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn writing_needs_the_writing_roles() {
    let stage = Stage::start().await;
    stage.run(&stage.register(&["--for", "write", "--name", "Sortie writes"])).await.succeeded();
    let expected = ["SecurityIncident.ReadWrite.All", "SecurityAlert.ReadWrite.All", "Incident.ReadWrite.All"];
    assert_eq!(stage.grants("Sortie writes").await, expected);
    stage.run(&["check", "--for", "write"]).await.succeeded();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_portals_words_for_a_role_are_corrected_and_a_granted_role_stays() {
    let stage = Stage::start().await;
    let first = stage.run(&stage.register(&["--role", "Read all incidents"])).await.succeeded();
    assert!(first.stderr.contains("`Read all incidents` is read as Incident.Read.All"), "{}", first.stderr);
    assert_eq!(stage.grants("Sortie").await, ["Incident.Read.All"]);
    stage.forget_calls().await;
    let second =
        stage.run(&stage.register(&["--role", "Incidents.Read.All", "--role", "ThreatHunting.Read.All"])).await;
    let told = second.succeeded().stderr;
    assert!(told.contains("ok    Incident.Read.All of \"Microsoft Threat Protection\" is granted"), "{told}");
    assert_eq!(stage.grants("Sortie").await, ["Incident.Read.All", "ThreatHunting.Read.All"]);
    let granted = stage.changing_calls().await;
    let grants = granted.iter().filter(|call| call["route"].as_str().unwrap().ends_with("/appRoleAssignedTo"));
    assert_eq!(grants.map(|call| call["count"].as_u64().unwrap()).sum::<u64>(), 1, "{granted:#?}");
    let wrong = stage.run(&stage.register(&["--role", "Everything.All"])).await.ended_with(2);
    assert!(wrong.stderr.contains("no role that Sortie knows"), "{}", wrong.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_replicates_slowly_is_waited_for() {
    let stage = Stage::start().await;
    stage.switch(json!({ "replication_failures": 2 })).await;
    stage.run(&stage.register(&[])).await.succeeded();
    let refused =
        stage.calls().await.into_iter().find(|call| {
            call["route"] == "/v1.0/servicePrincipals" && call["method"] == "POST" && call["status"] == 400
        });
    assert_eq!(refused.unwrap()["count"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn grants_that_show_late_in_tokens_are_waited_for() {
    let clock = ClockMode::Fast { factor: 60 };
    let stage = Stage::start_with(EmulatorConfig { clock, ..EmulatorConfig::default() }).await;
    stage.switch(json!({ "propagation_delay_s": 40 })).await;
    let ended = stage.run(&stage.register(&["--role", "xdr/Incident.Read.All"])).await.succeeded();
    assert!(ended.stderr.contains("with Incident.Read.All"), "{}", ended.stderr);
    let client_id = stage.application("Sortie").await.unwrap()["appId"].clone();
    let asked = stage.calls().await.into_iter().find(|call| call["appId"] == client_id && call["status"] == 200);
    assert!(asked.unwrap()["count"].as_u64().unwrap() >= 2, "the first token came without the role");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_takes_the_secret_on_standard_input() {
    let stage = Stage::start().await;
    let ended = stage.run(&stage.register(&["--vault-command", "cat > vault.txt"])).await.succeeded();
    assert!(ended.stderr.contains("the secret is in the vault"), "{}", ended.stderr);
    let secret = std::fs::read_to_string(stage.folder().join("vault.txt")).unwrap();
    assert!(secret.len() > 20 && !secret.contains('\n'));
    let listed = stage.run(&["connection", "list", "--csv"]).await.succeeded();
    assert!(listed.stdout.contains("env:AZURE_CLIENT_SECRET"), "{}", listed.stdout);
    assert!(!stage.secret_file().exists());
    stage.forget_calls().await;
    stage.run(&stage.register(&["--vault-command", "cat > vault.txt"])).await.succeeded();
    assert_eq!(stage.changing_calls().await, Vec::<Value>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_of_that_name_to_something_else_is_not_replaced() {
    let stage = Stage::start().await;
    let add = ["connection", "add", "default"];
    stage
        .run(&[&add[..], &["--connector", "http", "--base", "https://x.example", "--credential", "none"]].concat())
        .await
        .succeeded();
    let refused = stage.run(&stage.register(&[])).await.ended_with(2);
    assert!(refused.stderr.contains("connection `default` to http"), "{}", refused.stderr);
    assert!(stage.application("Sortie").await.is_none(), "nothing was made");
    stage.run(&["connection", "remove", "default", "--yes"]).await.succeeded();
    let other = "11111111-2222-3333-4444-555555555555";
    let (tenant, url) = (stage.cloud.tenant(), stage.cloud.url());
    let who = ["--tenant", &tenant, "--client-id", other, "--emulator", &url, "--credential", "env:OTHER"];
    stage.run(&[&add[..], &who].concat()).await.succeeded();
    let refused = stage.run(&stage.register(&[])).await.ended_with(2);
    assert!(refused.stderr.contains(other) && refused.stderr.contains("--connection-name"), "{}", refused.stderr);
    assert_eq!(stage.secret_count("Sortie").await, 0, "no secret that nobody keeps");
    let shown = stage.run(&["connection", "show", "default"]).await.succeeded();
    assert!(shown.stdout.contains("env:OTHER"), "{}", shown.stdout);
    stage.run(&stage.register(&["--connection-name", "own"])).await.succeeded();
}
