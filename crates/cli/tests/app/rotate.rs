//! `app rotate`: at no moment is there no secret that works.

use serde_json::{Value, json};

use crate::stage::Stage;

const ROTATE: [&str; 4] = ["app", "rotate", "--device-code", "--yes"];

async fn registered() -> Stage {
    let stage = Stage::start().await;
    stage.run(&stage.register(&[])).await.succeeded();
    stage
}

fn secret(stage: &Stage) -> String {
    std::fs::read_to_string(stage.secret_file()).unwrap()
}

/// Whether Entra takes this secret for the application.
async fn signs_in(stage: &Stage, secret: &str) -> bool {
    std::fs::write(stage.folder().join("tried.secret"), secret).unwrap();
    let application = stage.application("Sortie").await.unwrap();
    let (tenant, client_id, url) = (stage.cloud.tenant(), application["appId"].as_str().unwrap(), stage.cloud.url());
    let add = ["connection", "add", "tried", "--replace", "--tenant", &tenant, "--client-id", client_id];
    stage.run(&[&add[..], &["--emulator", &url, "--credential", "file:tried.secret"]].concat()).await.succeeded();
    match stage.run(&["token", "--connection", "tried", "--audience", "graph"]).await {
        ended if ended.code == 0 => true,
        ended => {
            assert!(ended.code == 3 && ended.stderr.contains("AADSTS7000215"), "{}", ended.stderr);
            false
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_new_secret_takes_the_place_of_the_old() {
    let stage = registered().await;
    let old = secret(&stage);
    assert!(signs_in(&stage, &old).await);
    let ended = stage.run(&[&ROTATE[..], &["--connection", "default"]].concat()).await.succeeded();
    assert!(ended.stdout.contains("connection default has a new client secret"), "{}", ended.stdout);
    let new = secret(&stage);
    assert_ne!(new, old);
    assert_eq!(stage.secret_count("Sortie").await, 1);
    assert_eq!((signs_in(&stage, &new).await, signs_in(&stage, &old).await), (true, false));
    stage.run(&["check", "--connection", "default"]).await.succeeded();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sealed_secret_is_replaced_where_it_is() {
    let stage = registered().await;
    let old = secret(&stage);
    let application = stage.application("Sortie").await.unwrap();
    let (tenant, client_id, url) = (stage.cloud.tenant(), application["appId"].as_str().unwrap(), stage.cloud.url());
    let add = ["connection", "add", "own", "--tenant", &tenant, "--client-id", client_id, "--emulator", &url];
    let sealed = [&add[..], &["--credential", "stdin"]].concat();
    stage.sortie.run_with_input(&sealed, &old).await.succeeded();
    let ended = stage.run(&[&ROTATE[..], &["--connection", "own"]].concat()).await.succeeded();
    assert!(ended.stderr.contains("sealed, for connection own"), "{}", ended.stderr);
    assert!(!signs_in(&stage, &old).await);
    stage.run(&["token", "--connection", "own", "--audience", "graph"]).await.succeeded();
    let shown = stage.run(&["connection", "show", "own"]).await.succeeded();
    assert!(shown.stdout.contains("sealed") && shown.stdout.contains("Secret ends"), "{}", shown.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sealed_secret_that_moves_to_a_vault_is_not_used_any_more() {
    let stage = registered().await;
    let old = secret(&stage);
    let application = stage.application("Sortie").await.unwrap();
    let (tenant, client_id, url) = (stage.cloud.tenant(), application["appId"].as_str().unwrap(), stage.cloud.url());
    let add = ["connection", "add", "own", "--tenant", &tenant, "--client-id", client_id, "--emulator", &url];
    stage.sortie.run_with_input(&[&add[..], &["--credential", "stdin"]].concat(), &old).await.succeeded();
    let vault = ["--vault-command", "cat > vault.txt"];
    stage.run(&[&ROTATE[..], &["--connection", "own"], &vault].concat()).await.succeeded();
    // Its old secret is gone at Entra: the connection takes the new one from where the operator puts it.
    let shown = stage.run(&["connection", "show", "own"]).await.succeeded();
    assert!(shown.stdout.contains("env:AZURE_CLIENT_SECRET"), "{}", shown.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_old_secret_can_be_kept() {
    let stage = registered().await;
    let old = secret(&stage);
    stage.run(&[&ROTATE[..], &["--keep-old"]].concat()).await.succeeded();
    assert_eq!(stage.secret_count("Sortie").await, 2);
    assert!(signs_in(&stage, &old).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_adding_and_switching_the_old_secret_still_works() {
    let stage = registered().await;
    let old = secret(&stage);
    let client_id = stage.application("Sortie").await.unwrap()["appId"].clone();
    // The test of the new secret is the application's own sign-in: held up, it is the moment between.
    let slow = json!({ "kind": "slow", "service": "entra", "app_id": client_id, "delay_ms": 60_000, "times": 1 });
    stage.cloud.post("/faults", &slow).await;
    let mut running = stage.begin(&ROTATE);
    running.line_with("client secret").await;
    running.kill().await;
    stage.cloud.delete("/faults", None).await;
    assert_eq!(secret(&stage), old);
    assert_eq!(stage.secret_count("Sortie").await, 2);
    stage.run(&["check"]).await.succeeded();
    // The next rotation clears both away.
    stage.run(&ROTATE).await.succeeded();
    assert_eq!(stage.secret_count("Sortie").await, 1);
    stage.run(&["check"]).await.succeeded();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_secret_that_cannot_be_kept_is_removed_and_the_old_one_stays() {
    let stage = registered().await;
    let old = secret(&stage);
    let failed = stage.run(&[&ROTATE[..], &["--vault-command", "exit 1"]].concat()).await.ended_with(1);
    assert!(failed.stderr.contains("the old one still works"), "{}", failed.stderr);
    assert_eq!((stage.secret_count("Sortie").await, secret(&stage)), (1, old));
    stage.run(&["check"]).await.succeeded();
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_right_nothing_changes() {
    let stage = registered().await;
    let before = stage.cloud.get("/directory").await["applications"].clone();
    stage.administrator(json!({ "roles": ["Security Reader"] })).await;
    // Who registered an application owns it; another administrator does not.
    stage.cloud.post("/directory/applications", &json!({ "displayName": "Not ours", "secret": "generated" })).await;
    let other = stage.application("Not ours").await.unwrap();
    let (tenant, url) = (stage.cloud.tenant(), stage.cloud.url());
    std::fs::write(stage.folder().join("not-ours.secret"), "unknown-to-us").unwrap();
    let add = ["connection", "add", "other", "--tenant", &tenant, "--client-id", other["appId"].as_str().unwrap()];
    stage.run(&[&add[..], &["--emulator", &url, "--credential", "file:not-ours.secret"]].concat()).await.succeeded();
    let refused = stage.run(&[&ROTATE[..], &["--connection", "other"]].concat()).await.ended_with(4);
    assert!(refused.stderr.contains("you hold Security Reader"), "{}", refused.stderr);
    let after = stage.cloud.get("/directory").await["applications"].clone();
    let ours = |all: &Value| all.as_array().unwrap().iter().find(|one| one["displayName"] == "Sortie").cloned();
    assert_eq!(ours(&after), ours(&before));
    assert_eq!(stage.secret_count("Not ours").await, 1);
}
