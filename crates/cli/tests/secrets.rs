//! No secret leaves by accident: not by the log at its loudest, not by a failure, not into any file but the one for it.
//!
//! Every run of every test is watched, too; here are the runs that tempt most, and the proof that the watch is awake.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a panic is how a test says no")]

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use serde_json::json;
use sortie_testkit::{Ended, Leaks, Registered, Sortie, TestCloud};

const PROGRAM: &str = env!("CARGO_BIN_EXE_sortie");
const ROLES: &[(&str, &str)] = &[
    ("graph", "SecurityIncident.ReadWrite.All"),
    ("graph", "SecurityAlert.ReadWrite.All"),
    ("xdr", "Incident.Read.All"),
];

async fn stage() -> (TestCloud, Registered, Sortie) {
    let cloud = TestCloud::start().await;
    let application = cloud.application(ROLES).await;
    let sortie = Sortie::connected(PROGRAM, &cloud, &application).await.with_secret_file("token.txt");
    (cloud, application, sortie)
}

/// The token of a run that prints it because it was asked to.
async fn token(sortie: &Sortie, audience: &str) -> String {
    let shown = sortie.run_unwatched(&["token", "--audience", audience, "--raw"], "").await.succeeded();
    shown.stdout.trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_watch_knows_a_token_and_a_secret_when_it_sees_one() {
    let (cloud, application, sortie) = stage().await;
    for audience in ["graph", "xdr"] {
        let token = token(&sortie, audience).await;
        assert_eq!(token.split('.').count(), 3, "{} characters are no token", token.len());
        let by_form = Leaks::default().find(&format!("authorization: Bearer {token}\n"));
        assert_eq!(by_form, std::slice::from_ref(&token), "a token is known by its form alone");
        // Whoever asks for a token also sees nothing else of it.
        let stderr = sortie.run_unwatched(&["token", "--audience", audience, "--raw", "-vvv"], "").await.stderr;
        assert_eq!(cloud.leaks().find(&stderr), Vec::<String>::new());
    }
    assert!(!cloud.leaks().find(&format!("client_secret={}&x", application.secret)).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_loudest_log_tells_much_and_no_secret() {
    let (cloud, application, sortie) = stage().await;
    let url = cloud.url();
    let register = ["app", "register", "--dry-run", "--emulator", &url, "-vvv"];
    let runs: &[&[&str]] = &[
        &["token", "-vvv"],
        &["token", "--audience", "xdr", "--verify", "-vvv"],
        &["token", "--v1", "-vvv"],
        &["incidents", "list", "-vvv"],
        &["incidents", "list", "--api", "xdr", "-vvv"],
        &["alerts", "list", "--jsonl", "-vvv"],
        &["check", "-vvv"],
        &["connection", "test", "-vvv"],
        &register,
    ];
    for run in runs {
        // The testkit searches both streams for the secret and for anything of a token's form.
        let ended = sortie.run(run).await;
        assert!(matches!(ended.code, 0 | 9), "{run:?}: {} {}", ended.code, ended.stderr);
        assert!(ended.stderr.contains("TRACE") || ended.stderr.contains("DEBUG") || run.contains(&"app"), "{run:?}");
    }
    // The faults that make an error quote what it was about.
    for kind in ["token_expired", "server_error", "reset", "html"] {
        cloud.post("/faults", &json!({ "kind": kind, "service": "graph", "times": 100 })).await;
        let ended = sortie.run(&["alerts", "list", "-vvv"]).await;
        assert_ne!(ended.code, 0, "{kind}");
        cloud.delete("/faults", None).await;
    }
    let wrong = "Wr0ng~secret-of-the-tests.with=signs&more";
    cloud.leaks().watch(wrong);
    let sortie = sortie.with("SORTIE_TEST_SECRET", wrong);
    for run in [&["token", "-vvv"][..], &["incidents", "list", "-vvv"], &["check", "-vvv"]] {
        let refused = sortie.run(run).await;
        assert!(refused.code != 0 && refused.stderr.contains("next:") || run[0] == "check", "{}", refused.stderr);
    }
    let by_id = sortie.with("SORTIE_TEST_SECRET", &application.secret_id);
    by_id.run(&["token", "-vvv"]).await.ended_with(3);
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_lie_in_the_files_that_are_for_them_and_in_no_other() {
    let cloud = TestCloud::start().await;
    cloud.put("/directory/administrator", &json!({ "decision": "accept" })).await;
    cloud.patch("/directory/switches", &json!({ "device_interval_s": 0 })).await;
    let url = cloud.url();
    let sortie = Sortie::new(PROGRAM, cloud.leaks()).with_secret_file("token.txt");
    let register = ["app", "register", "--device-code", "--yes", "--emulator", &url, "--for", "write", "-vvv"];
    let registered = sortie.run(&register).await.succeeded();
    let secret_file = sortie.folder().join("sortie/default.secret");
    let secret = fs::read_to_string(&secret_file).unwrap();
    cloud.leaks().watch(secret.trim());
    unseen(&cloud, &registered);

    sortie.run(&["token", "--out", "token.txt"]).await.succeeded();
    let token = fs::read_to_string(sortie.folder().join("token.txt")).unwrap();
    cloud.leaks().watch(token.trim());
    for run in [
        &["incidents", "list", "--jsonl"][..],
        &["alerts", "list", "--csv"],
        &["check"],
        &["connection", "show", "--json"],
        &["connection", "list"],
        &["token", "--as-request", "curl"],
        &["token", "--as-request", "python"],
        &["app", "rotate", "--device-code", "--yes"],
    ] {
        sortie.run(run).await.succeeded();
    }
    let rotated = fs::read_to_string(&secret_file).unwrap();
    assert_ne!(rotated, secret, "the secret was rotated");
    cloud.leaks().watch(rotated.trim());

    let files = files(sortie.folder());
    let holders: Vec<&PathBuf> = files
        .iter()
        .filter(|path| !cloud.leaks().find(&String::from_utf8_lossy(&fs::read(path).unwrap())).is_empty())
        .collect();
    assert_eq!(holders, [&secret_file, &sortie.folder().join("token.txt")], "of {files:?}");
    for path in holders {
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600, "{}", path.display());
    }
    assert!(files.contains(&sortie.folder().join("sortie/config.toml")), "{files:?}");
}

/// The run that made a secret could not be watched for it while it ran.
fn unseen(cloud: &TestCloud, ended: &Ended) {
    let found = [&ended.stdout, &ended.stderr].map(|text| cloud.leaks().find(text));
    assert!(found.iter().all(Vec::is_empty), "{found:?}");
}

/// All files below, in order.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(self::files(&path)) } else { files.push(path) }
    }
    files.sort();
    files
}
