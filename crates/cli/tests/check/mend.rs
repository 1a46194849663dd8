//! The command that `sortie check` prints mends what it found, pasted as it is.

use sortie_testkit::Ended;
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::stage::{READING, Stage};

#[tokio::test(flavor = "multi_thread")]
async fn the_printed_command_adds_what_is_missing() {
    let stage = Stage::with(&[("graph", "SecurityIncident.Read.All")]).await;
    check_mends(&stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_printed_command_gives_a_missing_consent() {
    let stage = Stage::without_consent(READING).await;
    check_mends(&stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_printed_command_works_for_a_tenant_that_is_named_by_its_domain() {
    let stage = Stage::with(&[]).await;
    stage.reconnect("haldenmarine.onmicrosoft.com", &["--emulator", &stage.cloud.url()]).await;
    check_mends(&stage).await;
}

async fn check_mends(stage: &Stage) {
    let connection = stage.sortie.run(&["connection", "show", "--json"]).await.succeeded().stdout;
    let found = stage.sortie.run(&["check"]).await.ended_with(9);
    let command = found.stdout.lines().find_map(|line| line.trim().strip_prefix("sortie app register ")).unwrap();
    let arguments: Vec<&str> = ["app", "register", "--yes"].into_iter().chain(command.split(' ')).collect();
    as_administrator(stage, &arguments).await.succeeded();
    stage.sortie.run(&["check"]).await.succeeded();
    let after = stage.sortie.run(&["connection", "show", "--json"]).await.succeeded().stdout;
    assert_eq!(after, connection, "the connection stays as it was");
}

/// Runs a command that asks an administrator to sign in, and opens the page that it names, as their browser would.
async fn as_administrator(stage: &Stage, arguments: &[&str]) -> Ended {
    let accept = serde_json::json!({ "decision": "accept" });
    stage.cloud.put("/directory/administrator", &accept).await;
    let mut child = stage.sortie.command(arguments).spawn().unwrap();
    let mut errors = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut stderr = String::new();
    while let Some(line) = errors.next_line().await.unwrap() {
        if line.trim().starts_with("http://") {
            let browser = reqwest::Client::builder().no_proxy().build().unwrap();
            browser.get(line.trim()).send().await.unwrap();
        }
        stderr.push_str(&line);
        stderr.push('\n');
    }
    let output = child.wait_with_output().await.unwrap();
    Ended { code: output.status.code().unwrap(), stdout: String::from_utf8(output.stdout).unwrap(), stderr }
}
