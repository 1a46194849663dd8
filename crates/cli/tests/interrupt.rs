//! Ctrl-C and a reader that goes away end a command cleanly.

use std::{process::Stdio, time::Duration};

use serde_json::json;
use sortie_testkit::{Sortie, TestCloud};
use tokio::{io::AsyncReadExt as _, process::Command, time::timeout};

const PROGRAM: &str = env!("CARGO_BIN_EXE_sortie");

async fn cloud_and_user() -> (TestCloud, Sortie) {
    let cloud = TestCloud::start().await;
    let application = cloud.application(&[("graph", "SecurityIncident.Read.All")]).await;
    let sortie = Sortie::connected(PROGRAM, &cloud, &application).await;
    (cloud, sortie)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_ends_a_waiting_list_at_once() {
    let (cloud, sortie) = cloud_and_user().await;
    cloud.post("/faults", &json!({ "kind": "slow", "service": "graph", "delay_ms": 60_000, "times": 9 })).await;
    let child = sortie.command(&["incidents", "list", "--jsonl"]).spawn().expect("the binary starts");
    let pid = child.id().expect("it runs").to_string();
    cloud.fault_struck().await;
    let killed = Command::new("kill").args(["-INT", &pid]).status().await.expect("kill can be started");
    assert!(killed.success());
    let output = timeout(Duration::from_secs(20), child.wait_with_output()).await.expect("it ends").expect("it ends");
    assert_eq!(output.status.code(), Some(130));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "interrupted\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_goes_away_is_no_error() {
    let (cloud, sortie) = cloud_and_user().await;
    cloud.put("/throttle", &json!({ "mode": "off" })).await;
    cloud.post("/world/incidents", &json!({ "count": 2_000 })).await;
    let mut child =
        sortie.command(&["incidents", "list", "--jsonl"]).stderr(Stdio::piped()).spawn().expect("the binary starts");
    let mut first = [0; 64];
    let mut stdout = child.stdout.take().expect("standard output is a pipe");
    stdout.read_exact(&mut first).await.expect("there is a first line");
    drop(stdout);
    let output = timeout(Duration::from_secs(60), child.wait_with_output()).await.expect("it ends").expect("it ends");
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""));
}
