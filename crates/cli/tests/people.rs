//! Users, roles, tokens, and the log of who did what.
#![expect(clippy::print_stderr, reason = "what was left out belongs to the answer of a test")]

use serde_json::{Value, json};
use sortie_testkit::{Ended, Leaks, Sortie};

const PROGRAM: &str = env!("CARGO_BIN_EXE_sortie");

struct Stage {
    sortie: Sortie,
    leaks: Leaks,
}

impl Stage {
    fn start() -> Self {
        let leaks = Leaks::default();
        Self { sortie: Sortie::new(PROGRAM, &leaks), leaks }
    }

    async fn run(&self, arguments: &[&str]) -> Ended {
        self.sortie.run(arguments).await
    }

    async fn audit(&self, more: &[&str]) -> Vec<Value> {
        self.run(&[&["audit", "export"], more].concat()).await.succeeded().json_lines()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_has_the_roles_that_were_granted_and_no_others() {
    let stage = Stage::start();
    stage.run(&["tenant", "add", "contoso"]).await.succeeded();
    stage.run(&["user", "add", "alice"]).await.succeeded();
    let taken = stage.run(&["user", "add", "alice"]).await.ended_with(2);
    assert!(taken.stderr.contains("user alice exists already"), "{}", taken.stderr);
    stage.run(&["user", "add", "a/b"]).await.ended_with(2);
    let grant = ["user", "grant", "alice", "responder", "--tenant"];
    stage.run(&[&grant[..], &["contoso"]].concat()).await.succeeded();
    stage.run(&["user", "grant", "alice", "viewer", "--tenant", "all"]).await.succeeded();
    for (wrong, code) in [("nobody", 5), ("shared", 2)] {
        stage.run(&[&grant[..], &[wrong]].concat()).await.ended_with(code);
    }
    stage.run(&["user", "disable", "alice"]).await.succeeded();
    let listed = stage.run(&["user", "list", "--jsonl"]).await.succeeded().json_lines();
    assert_eq!(listed[0]["roles"], json!(["viewer in all", "responder in contoso"]));
    assert!(listed[0]["disabled"].is_string());
    stage.run(&["user", "enable", "alice"]).await.succeeded();
    let revoke = ["user", "revoke", "alice", "responder", "--tenant", "contoso"];
    stage.run(&revoke).await.succeeded();
    stage.run(&revoke).await.ended_with(5);
    let listed = stage.run(&["user", "list", "--jsonl"]).await.succeeded().json_lines();
    assert_eq!((&listed[0]["roles"], &listed[0]["disabled"]), (&json!(["viewer in all"]), &Value::Null));
    stage.run(&["user", "remove", "alice"]).await.ended_with(2);
    stage.run(&["user", "remove", "alice", "--yes"]).await.succeeded();
    assert_eq!(stage.run(&["user", "list", "--jsonl"]).await.succeeded().stdout, "");
    let actions = stage.audit(&["--action", "user", "--object", "alice"]).await;
    let actions: Vec<&str> = actions.iter().map(|entry| entry["action"].as_str().unwrap()).collect();
    let expected =
        ["user.add", "user.grant", "user.grant", "user.disable", "user.enable", "user.revoke", "user.remove"];
    assert_eq!(actions, expected);
    let roles = stage.run(&["role", "list", "--jsonl"]).await.succeeded().json_lines();
    let names: Vec<&str> = roles.iter().map(|role| role["role"].as_str().unwrap()).collect();
    assert_eq!(names, ["viewer", "responder", "engineer", "admin"]);
    assert!(
        roles[1]["may"].to_string().contains("decide approvals") && roles[3]["may"].to_string().contains("guardrails")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_shown_once_and_stands_nowhere() {
    let stage = Stage::start();
    stage.run(&["user", "add", "alice"]).await.succeeded();
    let add = ["token", "add", "alice", "--name", "nightly"];
    let made = stage.run(&[&add[..], &["--expires", "2090-01-01"]].concat()).await.succeeded();
    let token = made.stdout.trim();
    assert!(token.starts_with("sortie_") && token.len() == 50 && made.stderr.contains("not shown again"), "{made:?}");
    // From here on no run and no file may hold it; its first characters may show.
    stage.leaks.watch(&token[15..]);
    let prefix = &token[..15];
    stage.run(&add).await.ended_with(2);
    stage.run(&["token", "add", "nobody", "--name", "x"]).await.ended_with(5);
    stage.run(&["token", "add", "alice", "--name", "late", "--expires", "2020-01-01"]).await.ended_with(2);
    let listed = stage.run(&["token", "list", "--jsonl"]).await.succeeded().json_lines();
    assert_eq!(listed.len(), 1);
    let shown = (listed[0]["prefix"].as_str(), listed[0]["user"].as_str(), listed[0]["expires"].as_str());
    assert_eq!(shown, (Some(prefix), Some("alice"), Some("2090-01-01T00:00:00Z")));
    stage.run(&["token", "revoke", prefix]).await.succeeded();
    stage.run(&["token", "revoke", prefix]).await.ended_with(5);
    let entries = stage.audit(&["--action", "token"]).await;
    assert_eq!(
        entries.iter().map(|entry| entry["action"].as_str().unwrap()).collect::<Vec<_>>(),
        ["token.add", "token.revoke"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_tells_every_change_with_its_author_and_no_secret() {
    let stage = Stage::start();
    stage.leaks.watch("planted-secret-one");
    stage.leaks.watch("planted-secret-two");
    std::fs::write(stage.sortie.folder().join("own.yaml"), DOCUMENT).unwrap();
    let run = async |arguments: &[&str], input: &str| stage.sortie.run_with_input(arguments, input).await.succeeded();
    run(&["connector", "import", "own.yaml"], "").await;
    run(&["connector", "edit", "own", "--auth", "bearer"], "").await;
    let add = ["connection", "add", "ours", "--connector", "own", "--credential", "stdin"];
    run(&add, "planted-secret-one").await;
    run(&[&add[..], &["--replace", "--base", "https://other.example"]].concat(), "planted-secret-one").await;
    run(&["connection", "rotate", "ours", "--credential", "stdin"], "planted-secret-two").await;
    run(&["connection", "void", "ours"], "").await;
    run(&["connection", "remove", "ours", "--yes"], "").await;
    run(&["connector", "edit", "own", "--reset"], "").await;
    run(&["connector", "remove", "own", "--yes"], "").await;
    run(&["tenant", "add", "contoso"], "").await;
    run(&["tenant", "remove", "contoso", "--yes"], "").await;
    run(&["key", "rotate"], "").await;
    run(&["guardrail", "set", "--protect", "device-name:dc-*"], "").await;
    run(&["backup", "kept.db"], "").await;
    run(&["user", "add", "late"], "").await;
    run(&["restore", "kept.db", "--yes"], "").await;
    let entries = stage.audit(&[]).await;
    let actions: Vec<&str> = entries.iter().map(|entry| entry["action"].as_str().unwrap()).collect();
    let expected = [
        "connector.import",
        "connector.edit",
        "connection.add",
        "connection.secret",
        "connection.change",
        "connection.secret",
        "connection.rotate",
        "connection.void",
        "connection.remove",
        "connector.reset",
        "connector.remove",
        "tenant.add",
        "tenant.remove",
        "key.rotate",
        "key.rotate-data",
        "guardrail.set",
        "database.backup",
        "database.restore",
    ];
    assert_eq!(actions, expected, "what came after the backup went with it");
    for (at, entry) in entries.iter().enumerate() {
        assert_eq!((entry["seq"].as_u64(), &entry["by"]["kind"]), (Some(at as u64 + 1), &json!("os-user")));
        assert!(entry["by"]["name"].as_str().unwrap().starts_with("os:"), "{entry}");
    }
    assert_eq!(entries[4]["detail"]["voided"], json!(["secret"]));
    assert_eq!(stage.audit(&["--after", "16"]).await, entries[16..]);
    assert_eq!(stage.audit(&["--by", "os:nobody"]).await, Vec::<Value>::new());
    let last = stage.run(&["audit", "list", "--limit", "2", "--jsonl"]).await.succeeded().json_lines();
    assert_eq!(last, entries[16..]);
    let table = stage.run(&["audit", "list", "--action", "guardrail"]).await.succeeded();
    assert!(table.stdout.contains("guardrail.set") && table.stdout.contains("device-name:dc-*"), "{}", table.stdout);
}

/// The superuser may, under an own name, and hears whose database it is. Needs to be one to give the file away.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn the_superuser_acts_under_an_own_name() {
    let stage = Stage::start();
    stage.run(&["user", "add", "alice"]).await.succeeded();
    let file = stage.sortie.folder().join(".local/share/sortie/sortie.db");
    if let Err(error) = std::os::unix::fs::chown(&file, Some(4_000_123), None) {
        eprintln!("skipped: only the superuser can give a file away ({error})");
        return;
    }
    let added = stage.run(&["user", "add", "bob"]).await.succeeded();
    assert!(
        added.stderr.contains("the database is 4000123's; what is done now is done as os:root"),
        "{}",
        added.stderr
    );
    let entries = stage.audit(&["--object", "bob"]).await;
    assert_eq!(entries[0]["by"]["name"], "os:root");
}

const DOCUMENT: &str = "openapi: 3.0.3\ninfo: { title: Own, version: '1' }\nservers: [{ url: 'https://own.example' }]\n\
    paths: { /items: { get: { operationId: items, responses: {} } } }\n";
