//! Workflows that are kept: a folder as the truth, lists, versions, states.

use serde_json::{Value, json};

use crate::stage::{Stage, run_of};

const CALLED: &str = "workflow: called\ntriggers: [{ workflow: {} }]\nsteps: [{ id: a, set: { b: 1 } }]\n";
const CALLER: &str = "# Why it is there.
workflow: caller
title: \"Calls \\e[2Janother\"
triggers: [{ manual: { inputs: { device: string } } }]
steps:
  - { id: end, after: [ask], workflow: called, when: inputs.device != \"\" }
  - { id: ask, approval: { ask: 'Go on \\e[2J?', within: 4h } }
";

fn changes(said: &str) -> Vec<(String, String)> {
    let mut lines: Vec<(String, String)> = said
        .lines()
        .map(|line| {
            let mut words = line.split_whitespace();
            (words.next().unwrap().to_owned(), words.next().unwrap().to_owned())
        })
        .collect();
    lines.sort();
    lines
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(change, id)| ((*change).to_owned(), (*id).to_owned())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_is_the_truth_and_is_kept_whole_or_not_at_all() {
    for is_served in [true, false] {
        let stage = Stage::start(is_served).await;
        stage.run(&["workflow", "apply", "flows"]).await.ended_with(1);
        stage.write("flows/a.test.yaml", "- {}");
        stage.write("flows/.hidden/b.yaml", "nonsense");
        let empty = stage.run(&["workflow", "apply", "flows", "--prune", "remove", "-y"]).await.ended_with(2);
        assert!(empty.stderr.contains("flows has no workflow"), "{}", empty.stderr);
        stage.write("flows/caller.yaml", CALLER);
        stage.write("flows/deeper/called.yaml", CALLED);
        let broken = "workflow: broken\ntriggers: [{ manual: {} }]\nsteps:\n  - { id: a, call: data/no-such }\n";
        stage.write("flows/broken.yaml", broken);
        let refused = stage.run(&["workflow", "apply", "flows"]).await.ended_with(2);
        assert!(refused.stdout.starts_with("flows/broken.yaml:4:"), "{}", refused.stdout);
        assert!(refused.stderr.contains("1 of 3 documents have problems, and none was kept"), "{}", refused.stderr);
        assert_eq!(stage.json(&["workflow", "list", "--json"]).await, json!([]));
        std::fs::remove_file(stage.sortie.folder().join("flows/broken.yaml")).unwrap();
        let rehearsed = stage.run(&["workflow", "apply", "flows", "--dry-run"]).await.succeeded();
        assert_eq!(changes(&rehearsed.stdout), pairs(&[("new", "called"), ("new", "caller")]));
        assert_eq!(stage.json(&["workflow", "list", "--json"]).await, json!([]));
        let applied = stage.run(&["workflow", "apply", "flows"]).await.succeeded();
        assert!(applied.stdout.contains("new       called  (flows/deeper/called.yaml)"), "{}", applied.stdout);
        assert!(applied.stderr.contains("is disabled until"), "{}", applied.stderr);
        stage.write("flows/caller.yaml", &CALLER.replace("Why", "How"));
        stage.write("flows/deeper/called.yaml", &CALLED.replace('1', "2"));
        let again = ["workflow", "apply", "flows"];
        let applied = stage.run(&again).await.succeeded();
        assert_eq!(changes(&applied.stdout), pairs(&[("changed", "called"), ("reworded", "caller")]));
        let applied = stage.run(&again).await.succeeded();
        assert_eq!(changes(&applied.stdout), pairs(&[("same", "called"), ("same", "caller")]));
        std::fs::remove_file(stage.sortie.folder().join("flows/caller.yaml")).unwrap();
        let applied = stage.run(&again).await.succeeded();
        assert_eq!(changes(&applied.stdout), pairs(&[("same", "called")]), "nothing goes that nobody asked to go");
        let removal = [&again[..], &["--prune", "remove"]].concat();
        let unsaid = stage.run(&removal).await.ended_with(2);
        assert!(unsaid.stderr.contains("Remove what is not in the folder: caller?"), "{}", unsaid.stderr);
        let applied = stage.run(&[&removal[..], &["--yes", "--json"]].concat()).await.succeeded().json_lines();
        let line = |id: &str, change: &str, file: Value| json!({ "id": id, "change": change, "file": file });
        let called = line("called", "same", "flows/deeper/called.yaml".into());
        assert_eq!(applied, [called, line("caller", "removed", Value::Null)]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workflow_is_shown_as_its_steps_run_and_exported_as_it_was_written() {
    for is_served in [true, false] {
        let stage = Stage::start(is_served).await;
        let caller = CALLER.strip_prefix("# Why it is there.\n").unwrap();
        stage.keep(&[CALLED, caller]).await;
        let shown = stage.run(&["workflow", "show", "caller"]).await.succeeded().stdout;
        let (ask, end) = (shown.find("\n  ask\n").unwrap(), shown.find("\n  end  <- ask\n").unwrap());
        assert!(ask < end, "{shown}");
        for part in ["by hand with device: string", "only if inputs.device != \"\"", "runs workflow called", "disabled"]
        {
            assert!(shown.contains(part), "{part}: {shown}");
        }
        let listed = stage.run(&["workflow", "list"]).await.succeeded().stdout;
        assert!(!shown.contains('\u{1b}') && !listed.contains('\u{1b}') && shown.contains("Calls \u{fffd}[2Janother"));
        assert_eq!(stage.run(&["workflow", "show", "caller", "--yaml"]).await.succeeded().stdout, caller);
        assert_eq!(stage.json(&["workflow", "show", "caller", "--json"]).await["text"], caller);
        stage.run(&["workflow", "export", "caller", "--output", "out.yaml"]).await.succeeded();
        assert_eq!(std::fs::read_to_string(stage.sortie.folder().join("out.yaml")).unwrap(), caller);
        stage.run(&["workflow", "export", "caller", "--output", "out.yaml"]).await.ended_with(1);
        for absent in ["no-such", "..", "a/b"] {
            stage.run(&["workflow", "show", absent]).await.ended_with(5);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_are_told_apart_and_what_a_document_would_change_is_said() {
    for is_served in [true, false] {
        let stage = Stage::start(is_served).await;
        stage.keep(&[CALLED]).await;
        stage.run(&["workflow", "diff", "called"]).await.ended_with(5);
        let second = CALLED.replace('1', "2");
        stage.keep(&[&second]).await;
        let versions = stage.run(&["workflow", "versions", "called", "--jsonl"]).await.succeeded().json_lines();
        let numbers: Vec<u64> = versions.iter().map(|one| one["number"].as_u64().unwrap()).collect();
        assert_eq!(numbers, [2, 1]);
        let hash = versions[1]["version"].as_str().unwrap();
        for version in ["1", &hash[..8]] {
            let text = stage.run(&["workflow", "export", "called", "--version", version]).await.succeeded().stdout;
            assert_eq!(text, CALLED);
        }
        stage.run(&["workflow", "export", "called", "--version", "9"]).await.ended_with(5);
        let diff =
            async |more: &[&str]| stage.run(&[&["workflow", "diff", "called"], more].concat()).await.succeeded().stdout;
        let before = diff(&[]).await;
        assert!(
            before.contains("another version") && before.contains("-steps: [{ id: a, set: { b: 1 } }]"),
            "{before}"
        );
        assert!(before.contains("+steps: [{ id: a, set: { b: 2 } }]"), "{before}");
        stage.write("new.yaml", &format!("# A comment.\n{second}"));
        let reworded = diff(&["new.yaml"]).await;
        assert!(reworded.starts_with("the same version: only comments"), "{reworded}");
        assert!(reworded.contains("\n+# A comment.\n"), "{reworded}");
        stage.write("new.yaml", &second);
        assert_eq!(diff(&["new.yaml"]).await, "nothing is otherwise\n");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn triggers_start_a_workflow_only_while_that_is_wished() {
    for is_served in [true, false] {
        let stage = Stage::start(is_served).await;
        stage.keep(&[CALLED]).await;
        let state = async || stage.json(&["workflow", "list", "--json"]).await[0]["state"].clone();
        assert_eq!(state().await, "disabled");
        stage.run(&["workflow", "enable", "called"]).await.succeeded();
        assert_eq!(state().await, "enabled");
        stage.run(&["workflow", "enable", "called", "--observe"]).await.succeeded();
        assert_eq!(state().await, "observe");
        stage.run(&["workflow", "disable", "called", "--why", "a drill"]).await.succeeded();
        let shown = stage.run(&["workflow", "show", "called"]).await.succeeded().stdout;
        assert!(shown.contains("disabled") && shown.contains("a drill"), "{shown}");
        stage.run(&["workflow", "enable", "no-such"]).await.ended_with(5);
        stage.run(&["workflow", "remove", "called"]).await.ended_with(2);
        stage.run(&["workflow", "remove", "called", "--yes"]).await.succeeded();
        stage.run(&["workflow", "remove", "called", "--yes"]).await.ended_with(5);
        let entries = stage.run(&["audit", "export", "--object", "called"]).await.succeeded().json_lines();
        assert!(entries.iter().all(|entry| entry["by"]["kind"] == "os-user"), "{entries:?}");
        assert_eq!(entries.len(), 5);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_secret_of_a_webhook_is_told_once() {
    for is_served in [true, false] {
        let stage = Stage::start(is_served).await;
        let hooked = "workflow: hooked\ntriggers: [{ webhook: {} }]\nsteps: [{ id: a, set: { b: 1 } }]\n";
        stage.keep(&[hooked, CALLED]).await;
        let none = stage.run(&["workflow", "hook", "show", "hooked"]).await.ended_with(5);
        assert!(none.stderr.contains("`sortie workflow hook renew hooked` makes one"), "{}", none.stderr);
        let made = stage.json(&["workflow", "hook", "renew", "hooked", "--json"]).await;
        let secret = made["secret"].as_str().unwrap();
        assert!(secret.len() >= 32);
        // From here on nothing may show it.
        stage.leaks.watch(secret);
        let shown = stage.run(&["workflow", "hook", "show", "hooked"]).await.succeeded();
        assert!(
            shown.stdout.contains("/hooks/shared/hooked") && shown.stdout.contains("signature"),
            "{}",
            shown.stdout
        );
        let second = stage.run(&["workflow", "hook", "renew", "hooked"]).await.succeeded();
        assert!(second.stdout.contains("The one before is good until") && second.stderr.contains("not shown again"));
        stage.run(&["workflow", "hook", "remove", "hooked", "--yes"]).await.succeeded();
        stage.run(&["workflow", "hook", "show", "hooked"]).await.ended_with(5);
        let none = stage.run(&["workflow", "hook", "renew", "called"]).await.ended_with(1);
        assert!(none.stderr.contains("has no `webhook` trigger"), "{}", none.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_goes_when_nothing_works_for_it_and_its_ended_runs_go_with_it() {
    let stage = Stage::start(false).await;
    stage.run(&["tenant", "add", "contoso"]).await.succeeded();
    stage.write("own/a.yaml", "workflow: a\ntriggers: [{ manual: {} }]\nsteps: [{ id: a, set: { x: 1 } }]\n");
    stage.write(
        "own/w.yaml",
        "workflow: w\ntriggers: [{ manual: {} }]\nsteps: [{ id: a, approval: { ask: 'Go?', within: 1h } }]\n",
    );
    stage.run(&["workflow", "apply", "own", "--tenant", "contoso"]).await.succeeded();
    stage.run(&["workflow", "run", "a", "--tenant", "contoso"]).await.succeeded();
    let waits = run_of(&stage.run(&["workflow", "run", "w", "--tenant", "contoso"]).await.succeeded());
    let remove = ["tenant", "remove", "contoso", "--yes"];
    let refused = stage.run(&remove).await.ended_with(2).stderr;
    for user in ["workflow a", "workflow w", "1 open run(s) of workflow w"] {
        assert!(refused.contains(user), "{user}: {refused}");
    }
    stage.run(&["runs", "cancel", &waits]).await.succeeded();
    stage.run(&["runs", "show", &waits, "--follow"]).await;
    for workflow in ["a", "w"] {
        stage.run(&["workflow", "remove", workflow, "--tenant", "contoso", "--yes"]).await.succeeded();
    }
    stage.run(&remove).await.succeeded();
    assert_eq!(stage.json(&["runs", "list", "--json"]).await, serde_json::json!([]));
}
