//! Documents: lists, reports, differences, exports, and what is refused.

use crate::stage::Stage;

#[tokio::test(flavor = "multi_thread")]
async fn a_connector_is_listed_shown_compared_exported_and_removed() {
    let stage = Stage::start().await;
    let built_in = stage.run(&["connector", "list", "--jsonl"]).await.succeeded().json_lines();
    let ids: Vec<&str> = built_in.iter().map(|one| one["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["data", "email", "http", "kv", "microsoft-365-defender"]);
    assert_eq!((built_in[4]["origin"].as_str(), built_in[4]["operations"].as_u64()), (Some("Sortie"), Some(105)));
    stage.run(&["connector", "import", "defender.yaml"]).await.succeeded();
    let again = stage.run(&["connector", "import", "defender.yaml"]).await.ended_with(2);
    assert!(again.stderr.contains("exists already"), "{}", again.stderr);
    let list = stage.run(&["connector", "list", "--jsonl"]).await.succeeded().json_lines();
    assert_eq!((list[4]["id"].as_str(), list[4]["operations"].as_u64()), (Some("microsoft-365-defender"), Some(4)));
    let shown = stage.run(&["connector", "show", "microsoft-365-defender", "commentIncident"]).await.succeeded();
    assert!(shown.stdout.contains("comment-incident") && shown.stdout.contains("needed"), "{}", shown.stdout);
    let lost = stage.run(&["connector", "show", "microsoft-365-defender", "list"]).await.ended_with(5);
    assert!(lost.stderr.contains("list-alerts"), "{}", lost.stderr);
    let exported = stage.run(&["connector", "export", "microsoft-365-defender"]).await.succeeded().stdout;
    std::fs::write(stage.sortie.folder().join("exported.json"), &exported).unwrap();
    let same = stage.run(&["connector", "diff", "microsoft-365-defender", "exported.json"]).await.succeeded();
    assert_eq!(same.stdout.trim(), "nothing would change");
    std::fs::write(stage.sortie.folder().join("newer.json"), exported.replace("list-alerts", "list-all-alerts"))
        .unwrap();
    let newer = stage.run(&["connector", "diff", "microsoft-365-defender", "newer.json"]).await.succeeded();
    assert!(newer.stdout.contains("list-all-alerts"), "{}", newer.stdout);
    stage.run(&["connector", "remove", "microsoft-365-defender", "--yes"]).await.succeeded();
    let shown = stage.run(&["connector", "show", "microsoft-365-defender"]).await.succeeded();
    assert!(shown.stdout.contains("isolate-device"), "the built-in one is there again: {}", shown.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn edits_outlive_a_new_import_and_a_reset_forgets_them() {
    let stage = Stage::start().await;
    stage.import("/oauth2/v2.0/token").await;
    stage.run(&["connector", "edit", "microsoft-365-defender", "--name", "Defender of ours"]).await.succeeded();
    stage.run(&["connector", "import", "defender.yaml", "--replace"]).await.succeeded();
    let shown = stage.run(&["connector", "show", "microsoft-365-defender"]).await.succeeded().stdout;
    assert!(shown.contains("Defender of ours") && shown.contains("OAuth 2.0 as an application"), "{shown}");
    stage.run(&["connector", "edit", "microsoft-365-defender", "--reset"]).await.succeeded();
    let shown = stage.run(&["connector", "show", "microsoft-365-defender", "list-alerts"]).await.succeeded().stdout;
    assert!(shown.contains("cannot be authenticated"), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_imported_says_why_and_references_stay_in_the_folder() {
    let stage = Stage::start().await;
    let write = |name: &str, text: &str| std::fs::write(stage.sortie.folder().join(name), text).unwrap();
    write("broken.yaml", "openapi: 3.0.3\n  paths: [\n");
    let broken = stage.run(&["connector", "import", "broken.yaml"]).await.ended_with(2);
    assert!(broken.stderr.contains("line 2"), "{}", broken.stderr);
    write("empty.yaml", "openapi: 3.0.3\ninfo: { title: E, version: '1' }\npaths: {}\n");
    let empty = stage.run(&["connector", "import", "empty.yaml"]).await.ended_with(2);
    assert!(empty.stderr.contains("no operation"), "{}", empty.stderr);
    let app = stage.sortie.folder().join("app");
    std::fs::create_dir(&app).unwrap();
    let outside = stage.sortie.folder().join("outside.yaml");
    std::fs::write(&outside, "get: { operationId: stolen, responses: {} }\n").unwrap();
    std::os::unix::fs::symlink(&outside, app.join("link.yaml")).unwrap();
    write("app/part.yaml", "get: { operationId: fine, responses: {} }\n");
    let document = "openapi: 3.0.3\ninfo: { title: R, version: '1' }\nservers: [{ url: 'https://x.example' }]\npaths:\n  /a: { $ref: part.yaml }\n  /b: { $ref: ../outside.yaml }\n  /c: { $ref: link.yaml }\n  /d: { $ref: 'http://127.0.0.1:9/x.yaml' }\n";
    write("app/refs.yaml", document);
    let imported = stage.run(&["connector", "import", "app/refs.yaml", "--json"]).await.succeeded();
    let report: serde_json::Value = serde_json::from_str(&imported.stdout).unwrap();
    assert_eq!(report["report"]["callable"], 1, "{report}");
    assert_eq!(report["report"]["quarantined"].as_array().unwrap().len(), 3, "{report}");
    assert!(!imported.stdout.contains("stolen"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_built_in_connector_needs_no_address_and_another_one_does() {
    let stage = Stage::start().await;
    let add = |name: &'static str, connector: &'static str| {
        ["connection", "add", name, "--connector", connector, "--tenant", "contoso.com", "--client-id", "1"]
    };
    stage.run(&add("contoso", "microsoft-365-defender")).await.succeeded();
    let document = "openapi: 3.0.3\ninfo: { title: Own, version: '1' }\npaths: { /x: { get: { operationId: x, responses: {} } } }\n";
    std::fs::write(stage.sortie.folder().join("own.yaml"), document).unwrap();
    stage.run(&["connector", "import", "own.yaml"]).await.succeeded();
    let nowhere = stage.run(&add("own", "own")).await.ended_with(2);
    assert!(nowhere.stderr.contains("which host") && nowhere.stderr.contains("base address"), "{}", nowhere.stderr);
    let hostile =
        stage.run(&[&add("own", "own")[..], &["--base", "https://x.example", "--allow-host", "*"]].concat()).await;
    assert!(hostile.code == 2 && hostile.stderr.contains("no host"), "{hostile:?}");
    stage.run(&[&add("own", "own")[..], &["--base", "https://127.0.0.1:1"]].concat()).await.succeeded();
    let open = [&add("open", "own")[..], &["--base", "https://127.0.0.1:1", "--credential", "none"]].concat();
    stage.run(&open).await.succeeded();
    let untried = stage.run(&["connection", "test", "open"]).await.succeeded();
    stage.run(&["connection", "remove", "open", "--yes"]).await.succeeded();
    assert!(untried.stdout.contains("could be tried") && !untried.stdout.contains("works"), "{}", untried.stdout);
    let guarded = stage.run(&["call", "own/x"]).await;
    assert!(guarded.code == 6 && guarded.stderr.contains("allowed hosts"), "{guarded:?}");
    let used = stage.run(&["connector", "remove", "own", "--yes"]).await.ended_with(2);
    assert!(used.stderr.contains("connection own"), "{}", used.stderr);
    stage.run(&["connection", "remove", "own", "--yes"]).await.succeeded();
    stage.run(&["connector", "remove", "own", "--yes"]).await.succeeded();
}

/// A document's words reach the line that a person pastes into a shell.
#[tokio::test(flavor = "multi_thread")]
async fn the_curl_line_runs_nothing_but_curl() {
    let stage = Stage::start().await;
    let document = "openapi: 3.0.3\ninfo: { title: Own, version: '1' }\nservers: [{ url: 'https://x.example' }]\nsecurity: [{ ApiKeyAuth: [] }]\ncomponents: { securitySchemes: { ApiKeyAuth: { type: apiKey, in: header, name: X-Key } } }\npaths: { /x: { get: { operationId: x, responses: {} } } }\n";
    std::fs::write(stage.sortie.folder().join("own.yaml"), document).unwrap();
    stage.run(&["connector", "import", "own.yaml"]).await.succeeded();
    let prefix = "$(touch pwned)`touch pwned`'\" ";
    stage
        .run(&["connector", "edit", "own", "--auth", "api-key", "--header", "X-Key", "--prefix", prefix])
        .await
        .succeeded();
    stage.run(&["connection", "add", "ours", "--connector", "own"]).await.succeeded();
    let dry = stage.run(&["call", "own/x", "--dry-run"]).await.succeeded();
    let line = dry.stdout.lines().last().unwrap();
    // Everything but the variable is a word of its own; what stands for curl says what it was given.
    let script = format!("curl() {{ printf '%s\\n' \"$@\"; }}; API_KEY=secret; {line}");
    let shell =
        std::process::Command::new("sh").arg("-c").arg(&script).current_dir(stage.sortie.folder()).output().unwrap();
    let given = String::from_utf8(shell.stdout).unwrap();
    assert!(given.lines().any(|word| word == format!("X-Key: {prefix}secret")), "{given}\n{line}");
    assert!(!stage.sortie.folder().join("pwned").exists(), "{line}");
}
