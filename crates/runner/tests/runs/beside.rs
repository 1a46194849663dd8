//! Runs that want the same of the same at once.

use serde_json::json;
use sortie_store::{RunFilter, RunStatus, Started};

use crate::stage::Stage;

const NOTE: &str = "\
workflow: note
triggers: [{ manual: { inputs: { incident: { type: string } } } }]
steps:
  - id: note
    call: microsoft-365-defender/comment-incident
    with: { id: '{{ inputs.incident }}', comment: 'Seen by {{ run.id }}' }
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_runs_that_comment_on_one_incident_wait_for_each_other_and_none_fails() {
    let stage = Stage::start().await;
    let id = stage.keep(NOTE).await;
    let incident = stage.cloud.get("/truth").await["tenants"][0]["incidents"][0]["id"].to_string().replace('"', "");
    let runner = stage.runner().await;
    for at in 0..20 {
        let inputs = json!({ "incident": incident });
        let new = stage.new_run(&id, NOTE, &format!("start {at}"), json!({ "kind": "manual" }), inputs);
        assert!(matches!(runner.start(stage.tenant, new).await.unwrap(), Started::New(_)));
    }
    let mut held = 0;
    loop {
        runner.serve_until_idle().await;
        let all = stage.store.runs(stage.tenant, RunFilter::default(), 100).await.unwrap();
        let open: Vec<_> = all.iter().filter(|run| run.status != RunStatus::Ended).collect();
        let is_waiting = |why: &str| why.contains("is doing microsoft-365-defender/comment-incident to the same");
        assert!(open.iter().all(|run| run.why.as_deref().is_some_and(is_waiting)), "{open:?}");
        let Some(wake) = runner.next_wake() else { break };
        stage.advance_to(wake).await;
    }
    let all = stage.store.runs(stage.tenant, RunFilter::default(), 100).await.unwrap();
    for run in &all {
        assert_eq!(run.outcome.as_deref(), Some("succeeded"), "{:?}", stage.journal(run).await);
        let journal = stage.journal(run).await;
        assert_eq!(journal.iter().filter(|line| line.contains("calling")).count(), 1, "{journal:?}");
        held += journal.iter().filter(|line| line.contains("held")).count();
    }
    assert!(held > 0, "nobody was in anybody's way");
    let counters = stage.cloud.get("/counters").await;
    let entity = json!(format!("incidents/{incident}"));
    let counted = counters["effects"].as_array().unwrap().iter().find(|effect| effect["entity"] == entity);
    assert_eq!((all.len(), &counted.unwrap()["comments"]), (20, &json!(20)));
}

const INWARD: &str = "\
workflow: inward
triggers: [{ manual: {} }]
steps:
  - id: fetch
    call: http/get
    with: { url: 'http://169.254.169.254/metadata' }
    retry: { attempts: 5, first: 1h }
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_guard_turns_away_fails_at_once_and_says_why() {
    let stage = Stage::start().await;
    let run = stage.run(INWARD, json!({})).await;
    assert_eq!(run.outcome.as_deref(), Some("failed"), "{run:?}");
    let journal = stage.journal(&run).await;
    let why = "link-local and metadata addresses must not be called";
    assert!(journal.iter().any(|line| line.contains("failed") && line.contains(why)), "{journal:#?}");
}
