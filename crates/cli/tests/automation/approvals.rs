//! Questions to people: listed, shown, decided once.

use serde_json::Value;

use crate::stage::{Stage, run_of};

const ASK: &str = "workflow: ask
triggers: [{ manual: {} }]
steps: [{ id: a, approval: { ask: \"Isolate \\e[2Jhal?\", within: 4h } }]
";
const REFUSED: &str = "workflow: refused
triggers: [{ manual: {} }]
steps: [{ id: a, approval: { ask: 'Mine?', within: 4h, own: refused } }]
";
const SHORT: &str = "workflow: short
triggers: [{ manual: {} }]
steps: [{ id: a, approval: { ask: 'Quick?', within: 1s } }]
";

async fn asked(stage: &Stage, workflow: &str) -> (String, String) {
    let run = run_of(&stage.run(&["workflow", "run", workflow]).await.succeeded());
    let has_asked = |run: &Value| !run["approvals"].as_array().unwrap().is_empty();
    let run = stage.until(&["runs", "show", &run, "--json"], has_asked).await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&run["id"]), text(&run["approvals"][0]["id"]))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_is_decided_once_and_says_by_whom() {
    for is_served in [true, false] {
        let stage = Stage::start(is_served).await;
        stage.keep(&[ASK, REFUSED]).await;
        assert_eq!(stage.run(&["approvals", "list"]).await.succeeded().stdout, "No question is open.\n");
        let (run, id) = asked(&stage, "ask").await;
        let listed = stage.run(&["approvals", "list"]).await.succeeded().stdout;
        assert!(
            listed.contains(&id) && listed.contains("Isolate \u{fffd}[2Jhal?") && !listed.contains('\u{1b}'),
            "{listed}"
        );
        let shown = stage.run(&["approvals", "show", &id]).await.succeeded().stdout;
        assert!(shown.contains("open") && shown.contains("responder") && !shown.contains('\u{1b}'), "{shown}");
        let decided = stage.run(&["approvals", "approve", &id, "--why", "looked at it"]).await.succeeded();
        assert!(decided.stdout.starts_with("approved: Isolate"), "{}", decided.stdout);
        assert_eq!(decided.stderr.contains("no server runs"), !is_served, "{}", decided.stderr);
        let late = stage.run(&["approvals", "reject", &id]).await.ended_with(1);
        assert!(late.stderr.contains("approved it at 20") && late.stderr.contains("(looked at it)"), "{}", late.stderr);
        let ended = stage.run(&["runs", "show", &run, "--follow"]).await.succeeded();
        assert!(ended.stdout.contains("looked at it"), "{}", ended.stdout);
        assert_eq!(stage.run(&["approvals", "list", "--jsonl"]).await.succeeded().stdout, "");
        let all = stage.run(&["approvals", "list", "--all", "--jsonl"]).await.succeeded().json_lines();
        assert_eq!((all.len(), &all[0]["why"]), (1, &"looked at it".into()));
        let (_, own) = asked(&stage, "refused").await;
        let refused = stage.run(&["approvals", "approve", &own]).await.ended_with(4);
        assert!(refused.stderr.contains("a run that you started yourself"), "{}", refused.stderr);
        stage.run(&["approvals", "show", "no-such"]).await.ended_with(5);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_whose_time_is_over_says_so() {
    let stage = Stage::start(true).await;
    stage.keep(&[SHORT]).await;
    let (run, id) = asked(&stage, "short").await;
    stage.until(&["approvals", "show", &id, "--json"], |one| one["decision"] == "expired").await;
    let late = stage.run(&["approvals", "approve", &id]).await.ended_with(1);
    assert!(late.stderr.contains("its time was over at 20"), "{}", late.stderr);
    stage.run(&["runs", "show", &run, "--follow"]).await.ended_with(1);
}
