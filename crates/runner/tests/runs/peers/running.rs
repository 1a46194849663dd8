//! What runs, waits, is due, is asked for, and is tried again.

use std::time::Duration;

use jiff::SignedDuration;
use serde_json::{Value, json};
use sortie_model::Clock as _;
use sortie_runner::{Again, again};
use sortie_store::{Actor, Decision, RunStatus, Started, StoreErrorKind, conformance::LockedOut};

use crate::stage::Stage;

const COUNTS: &str = "workflow: counts\ntriggers: [{ manual: {} }]\nsteps:\n  - { id: a, call: kv/increment, with: { name: counted } }\n";

async fn counted(stage: &Stage) -> String {
    stage.store.value(stage.tenant, "counted").await.unwrap().map(|kept| kept.value).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn n8n_22225_what_nobody_has_in_mind_is_found() {
    let stage = Stage::start().await;
    let id = stage.keep(COUNTS).await;
    let runner = stage.runner().await;
    // It is ordered in the store, and whoever ordered it died before it told anybody.
    let new = stage.new_run(&id, COUNTS, "k", json!({}), json!({}));
    let Started::New(run) = stage.store.start_run(stage.tenant, new).await.unwrap() else { panic!("it is new") };
    runner.serve_until_idle().await;
    assert_eq!(stage.store.run(stage.tenant, run).await.unwrap().status, RunStatus::Queued);
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = runner.clone();
    let serving = tokio::spawn(async move { serving.serve(async { drop(stopped.await) }, Duration::ZERO).await });
    let start = std::time::Instant::now();
    while stage.store.run(stage.tenant, run).await.unwrap().status != RunStatus::Ended {
        assert!(start.elapsed() < Duration::from_secs(40), "the look for such runs comes every twenty seconds");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    stop.send(()).unwrap();
    serving.await.unwrap();
    assert_eq!(counted(&stage).await, "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn n8n_365_a_repetition_keeps_its_document_and_takes_the_present_credential() {
    let stage = Stage::start().await;
    let text = "workflow: reads\ntriggers: [{ manual: { inputs: { id: string } } }]\nsteps:\n  - id: a\n    call: microsoft-365-defender/get-device\n    with: { id: '{{ inputs.id }}' }\noutput: { version: old }\n";
    let first = stage.run(text, json!({ "id": stage.device().await })).await;
    assert_eq!(first.outcome.as_deref(), Some("succeeded"));
    stage.keep(&text.replace("old", "new")).await;
    // The first credential is gone; there is another one.
    stage.cloud.post("/faults", &json!({ "kind": "token_expired", "service": "mde", "times": 1 })).await;
    stage.outside.tokens.lock().unwrap().clear();
    let wish = Again { from_step: None, key: "k".to_owned(), actor: Actor::system() };
    let new = again(&stage.store, &first, wish).await.unwrap();
    let runner = stage.runner().await;
    let Started::New(second) = runner.start(stage.tenant, new).await.unwrap() else { panic!("it is new") };
    let second = stage.let_pass(&runner, second).await;
    assert_eq!(second.outcome.as_deref(), Some("succeeded"), "{:#?}", stage.journal(&second).await);
    assert_eq!(
        (second.version == first.version, stage.value(&second, "#output").await),
        (true, json!({ "version": "old" }))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn n8n_31100_what_is_to_come_later_comes_after_a_restart() {
    let mut stage = Stage::start().await;
    let text = "workflow: later\ntriggers: [{ manual: {} }]\nsteps:\n  - { id: rest, wait: { for: 3d } }\n  - { id: a, after: [rest], call: kv/increment, with: { name: counted } }\n";
    let run = stage.run(text, json!({})).await;
    for _ in 0..3 {
        stage.reopen().await;
        let runner = stage.runner().await;
        runner.serve_until_idle().await;
        assert_eq!(runner.next_wake(), run.wake, "it is armed again");
        stage.clock.advance(SignedDuration::from_hours(20));
    }
    stage.clock.advance(SignedDuration::from_hours(20));
    let runner = stage.runner().await;
    let run = stage.let_pass(&runner, run.id).await;
    assert_eq!((run.outcome.as_deref(), counted(&stage).await), (Some("succeeded"), "1".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn windmill_10168_what_was_due_while_the_database_was_away_comes_after() {
    let stage = Stage::start().await;
    let text = "workflow: later\ntriggers: [{ manual: {} }]\nsteps:\n  - { id: rest, wait: { for: 1h } }\n  - { id: a, after: [rest], call: kv/increment, with: { name: counted } }\n";
    let run = stage.run(text, json!({})).await;
    let runner = stage.runner().await;
    stage.advance_to(run.wake.unwrap()).await;
    {
        let _away = LockedOut::of(&stage.store);
        for _ in 0..2 {
            runner.serve_until_idle().await;
            let wake = runner.next_wake().expect("it is tried again");
            assert!(wake.duration_since(stage.clock.now()) <= SignedDuration::from_secs(5));
            stage.advance_to(wake).await;
        }
    }
    let run = stage.let_pass(&runner, run.id).await;
    assert_eq!((run.outcome.as_deref(), counted(&stage).await), (Some("succeeded"), "1".to_owned()));
}

/// The write of what came of a call fails, at each commit: the call is not made again.
#[tokio::test(flavor = "multi_thread")]
async fn stackstorm_4705_a_write_that_fails_leaves_no_run_stuck() {
    let stage = Stage::start().await;
    let incident = stage.call("list-incidents", json!({ "$top": 1 })).await["value"][0]["id"].clone();
    let text = "workflow: tells\ntriggers: [{ manual: { inputs: { id: string } } }]\nsteps:\n  - id: a\n    call: microsoft-365-defender/comment-incident\n    with: { id: '{{ inputs.id }}', comment: once }\n";
    let id = stage.keep(text).await;
    // The answer is slow, and the database is away when it comes.
    stage
        .cloud
        .post("/faults", &json!({ "kind": "slow", "method": "POST", "route": "*/comments", "delay_ms": 600 }))
        .await;
    let runner = stage.runner().await;
    let new = stage.new_run(&id, text, "k", json!({}), json!({ "id": incident }));
    let Started::New(run) = runner.start(stage.tenant, new).await.unwrap() else { panic!("it is new") };
    let working = runner.clone();
    let working = tokio::spawn(async move { working.serve_until_idle().await });
    while stage.store.intents(stage.tenant, run).await.unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let away = LockedOut::of(&stage.store);
    working.await.unwrap();
    assert_eq!(stage.store.run(stage.tenant, run).await.unwrap().status, RunStatus::Running);
    drop(away);
    let run = stage.let_pass(&runner, run).await;
    assert_eq!(run.outcome.as_deref(), Some("succeeded"), "{:#?}", stage.journal(&run).await);
    let comments = stage.call("get-incident", json!({ "id": incident })).await["comments"].clone();
    assert_eq!(comments.as_array().unwrap().len(), 1, "{comments}");
}

/// Readers are away as well: nothing of a run is taken for empty.
#[tokio::test(flavor = "multi_thread")]
async fn windmill_6536_a_run_is_as_it_was_when_a_call_outlives_its_process() {
    let mut stage = Stage::start().await;
    let text = "workflow: both\ntriggers: [{ manual: {} }]\nsteps:\n  - { id: a, set: { x: 1 } }\n  - { id: rest, after: [a], wait: { for: 1h } }\n  - { id: b, after: [rest], set: { y: '{{ steps.a.output.x + 1 }}' } }\noutput: { y: '{{ steps.b.output.y }}' }\n";
    let run = stage.run(text, json!({})).await;
    let runner = stage.runner().await;
    // The database is closed under a runner that goes on.
    stage.store.close();
    stage.clock.advance(SignedDuration::from_hours(2));
    runner.serve_until_idle().await;
    drop(runner);
    stage.reopen().await;
    let runner = stage.runner().await;
    let run = stage.let_pass(&runner, run.id).await;
    assert_eq!((run.outcome.as_deref(), stage.value(&run, "#output").await), (Some("succeeded"), json!({ "y": 2 })));
}

#[tokio::test(flavor = "multi_thread")]
async fn windmill_9319_a_deep_queue_is_worked_off() {
    let stage = Stage::start().await;
    let id = stage.keep(COUNTS).await;
    let mut options = stage.options();
    (options.runs_at_once, options.runs_of_a_tenant_at_once) = (4, 4);
    let runner = sortie_runner::Runner::new(options).await.unwrap();
    for number in 0..1_000 {
        let new = stage.new_run(&id, COUNTS, &number.to_string(), json!({}), json!({}));
        assert!(matches!(runner.start(stage.tenant, new).await.unwrap(), Started::New(_)));
    }
    runner.serve_until_idle().await;
    assert_eq!((runner.counts(), runner.figures().ended), ((0, 0), 1_000));
    assert!(stage.store.open_runs(stage.tenant).await.unwrap().is_empty());
    assert_eq!(counted(&stage).await, "1000");
}

#[tokio::test(flavor = "multi_thread")]
async fn windmill_2639_a_branch_is_not_opened_by_the_approval_of_another() {
    let stage = Stage::start().await;
    let text = "workflow: branches\ntriggers: [{ manual: {} }]\nsteps:\n  - id: all\n    for_each: '[1, 2, 3]'\n    as: one\n    parallel: 3\n    steps:\n      - { id: ask, approval: { ask: '{{ one }}?' } }\n      - { id: act, after: [ask], call: kv/increment, with: { name: counted, by: '{{ one }}' } }\n";
    let run = stage.run(text, json!({})).await;
    let runner = stage.runner().await;
    let mut open = stage.store.approvals_of(stage.tenant, run.id).await.unwrap();
    assert_eq!((open.len(), counted(&stage).await.as_str()), (3, ""));
    open.sort_by(|a, b| a.new.ask.cmp(&b.new.ask));
    stage.store.decide(&open[1], true, None).await.unwrap();
    runner.poke(stage.key, run.id);
    runner.serve_until_idle().await;
    assert_eq!(counted(&stage).await, "2");
}

#[tokio::test(flavor = "multi_thread")]
async fn windmill_10552_the_end_of_a_question_is_its_own_steps() {
    let stage = Stage::start().await;
    let text = "workflow: two\ntriggers: [{ manual: {} }]\nsteps:\n  - { id: short, approval: { ask: short, within: 1h } }\n  - { id: long, approval: { ask: long, within: 5h } }\n  - { id: a, after: [short], run: on_failure, set: { x: 1 } }\n  - { id: b, after: [long], set: { x: 2 } }\n";
    let run = stage.run(text, json!({})).await;
    let runner = stage.runner().await;
    stage.advance_to(runner.next_wake().unwrap()).await;
    runner.serve_until_idle().await;
    let all = stage.store.approvals_of(stage.tenant, run.id).await.unwrap();
    let of = |ask: &str| all.iter().find(|one| one.new.ask == ask).unwrap();
    assert_eq!((of("short").decision, of("long").decision), (Some(Decision::Expired), None));
    assert_eq!(stage.value(&run, "2").await["output"], json!({ "x": 1 }), "what handles it has run");
    stage.store.decide(of("long"), true, None).await.unwrap();
    runner.poke(stage.key, run.id);
    runner.serve_until_idle().await;
    assert_eq!(stage.value(&run, "3").await["output"], json!({ "x": 2 }));
}

#[tokio::test(flavor = "multi_thread")]
async fn windmill_1_630_1_nobody_approves_their_own_where_the_workflow_says_so() {
    let stage = Stage::start().await;
    let text =
        "workflow: own\ntriggers: [{ manual: {} }]\nsteps:\n  - { id: ask, approval: { ask: x, own: refused } }\n";
    let run = stage.run(text, json!({})).await;
    let question = stage.store.approvals_of(stage.tenant, run.id).await.unwrap().remove(0);
    let ana = Actor { id: "ana".into(), name: "ana".into(), ..Actor::system() };
    let refused = stage.store.acting_as(ana).decide(&question, true, None).await.unwrap_err();
    assert!(matches!(refused.kind, StoreErrorKind::OwnRequest(_)), "{refused:?}");
    assert_eq!(refused.remedy(), "Ask somebody else to decide.");
}

#[tokio::test(flavor = "multi_thread")]
async fn stackstorm_6230_what_was_due_while_the_machine_slept_comes_at_once() {
    let stage = Stage::start().await;
    let text = "workflow: naps\ntriggers: [{ manual: { inputs: { hours: integer } } }]\nsteps:\n  - { id: rest, wait: { for: '{{ inputs.hours }}h' } }\n  - { id: a, after: [rest], call: kv/increment, with: { name: counted } }\n";
    let id = stage.keep(text).await;
    let runner = stage.runner().await;
    for hours in 1..=20 {
        let new = stage.new_run(&id, text, &hours.to_string(), json!({}), json!({ "hours": hours }));
        runner.start(stage.tenant, new).await.unwrap();
    }
    runner.serve_until_idle().await;
    assert_eq!(runner.counts(), (0, 20));
    stage.clock.advance(SignedDuration::from_hours(72));
    runner.serve_until_idle().await;
    assert_eq!((runner.counts(), counted(&stage).await.as_str()), ((0, 0), "20"));
}

#[tokio::test(flavor = "multi_thread")]
async fn stackstorm_3290_the_first_run_of_a_fresh_database_ends() {
    let stage = Stage::start().await;
    assert_eq!(stage.run(COUNTS, json!({})).await.outcome.as_deref(), Some("succeeded"));
}

#[tokio::test(flavor = "multi_thread")]
async fn tracecat_3411_tries_and_history_have_a_bound() {
    let stage = Stage::start().await;
    let busy = json!({ "kind": "too_many_requests", "route": "/api/machines/*", "retry_after": null, "times": 10_000 });
    stage.cloud.post("/faults", &busy).await;
    let text = "workflow: stubborn\ntriggers: [{ manual: {} }]\nsteps:\n  - id: a\n    call: microsoft-365-defender/get-device\n    with: { id: x }\n    retry: { attempts: 10, first: 1s, max: 1m }\n";
    let run = stage.run(text, json!({})).await;
    let runner = stage.runner().await;
    let run = stage.let_pass(&runner, run.id).await;
    assert_eq!(run.outcome.as_deref(), Some("failed"));
    let tries = stage.journal(&run).await.iter().filter(|line| line.contains("calling")).count();
    assert_eq!((tries, run.seq <= 20), (10, true), "{} commits", run.seq);
    let endless = text.replace("attempts: 10", "attempts: 1000000");
    assert!(sortie_engine::document::read(&endless).is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn tracecat_553_each_kind_of_step_can_be_given_a_time() {
    let stage = Stage::start().await;
    for step in [
        "approval: { ask: x, within: 30d }",
        "wait: { for: 30d }",
        "workflow: rests",
        "call: microsoft-365-defender/get-device, with: { id: x }, retry: { attempts: 10, first: 1h, max: 2h }",
    ] {
        stage.keep("workflow: rests\ntriggers: [{ workflow: {} }]\nsteps:\n  - { id: r, wait: { for: 9d } }\n").await;
        stage.cloud.delete("/faults", None).await;
        stage
            .cloud
            .post("/faults", &json!({ "kind": "too_many_requests", "route": "/api/machines/*", "times": 100 }))
            .await;
        let text =
            format!("workflow: timed\ntriggers: [{{ manual: {{}} }}]\nsteps:\n  - {{ id: a, timeout: 90m, {step} }}\n");
        let run = stage.run(&text, json!({})).await;
        let begun = stage.clock.now();
        let runner = stage.runner().await;
        let run = stage.let_pass(&runner, run.id).await;
        let took = stage.clock.now().duration_since(begun);
        assert_eq!((run.outcome.as_deref(), took.as_mins()), (Some("failed"), 90), "{step}");
        let error: Value = stage.value(&run, "0").await["error"].clone();
        assert_eq!(error["kind"], "timeout", "{step}: {error}");
        assert!(error["what"].as_str().unwrap().starts_with("its time was up"), "{step}: {error}");
    }
}
