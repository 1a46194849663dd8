//! Runs that earlier versions have left in the middle of their work: each later one reads them, and goes on. The files of a
//! release are never changed; `SORTIE_TEST_GOLDEN=write` makes those that are not there.

use std::{fs, path::PathBuf, sync::Arc};

use jiff::SignedDuration;
use serde_json::{Value, json};
use sortie_model::Clock as _;
use sortie_runner::{Points, Runner, journal::Page};
use sortie_store::{
    Run, RunId, RunStatus, Started,
    conformance::{dump_run, restore_run, spoil_run},
};

use crate::{
    crash::{Mortal, step_on},
    scenarios::SCENARIOS,
    stage::Stage,
};

const EVERYTHING: &str = include_str!("../golden/everything.yaml");
const NOTES: &str = include_str!("../golden/notes.yaml");

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

/// What lies in the file; made anew where it is not there and that is wanted.
async fn golden(name: &str, make: impl Future<Output = Value>) -> Value {
    let path = path(name);
    if !path.exists() && std::env::var("SORTIE_TEST_GOLDEN").is_ok_and(|word| word == "write") {
        let made = make.await;
        fs::write(&path, serde_json::to_string_pretty(&made).unwrap() + "\n").unwrap();
    }
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap()
}

/// A run of every kind of step, left when it waits for everything that a run can wait for.
async fn left_waiting() -> Value {
    let stage = Stage::start().await;
    stage.keep(NOTES).await;
    stage.cloud.put("/world/actions", &json!({ "next": "pending", "times": 9 })).await;
    let busy = json!({ "kind": "too_many_requests", "route": "*/tags", "retry_after": 3_600, "times": 1 });
    stage.cloud.post("/faults", &busy).await;
    let lost = json!({ "kind": "reset_after_effect", "route": "*/comments", "after": 1, "times": 1 });
    stage.cloud.post("/faults", &lost).await;
    let incidents = stage.call("list-incidents", json!({ "$top": 1 })).await;
    let inputs = json!({ "incident": incidents["value"][0]["id"], "device": stage.device().await, "list": [1, 2, 3] });
    let run = stage.run(EVERYTHING, inputs).await;
    runs_of(&stage, run.id).await
}

/// A run whose process died while a call was on its way.
async fn left_calling() -> Value {
    let stage = Stage::start().await;
    let scenario = SCENARIOS.iter().find(|scenario| scenario.name == "contain").unwrap();
    let subject = scenario.subject(&stage).await;
    let id = stage.keep(scenario.text).await;
    // The first call and its answer, the commit of the intent, and the call.
    let mortal = Mortal::new(Some(4));
    let mut options = stage.options();
    options.points = Some(Arc::clone(&mortal) as Arc<dyn Points>);
    let runner = Runner::new(options).await.unwrap();
    let new = stage.new_run(&id, scenario.text, "once", json!({ "kind": "manual" }), subject.inputs);
    let Started::New(run) = runner.start(stage.tenant, new).await.unwrap() else { panic!("it is new") };
    tokio::select! {
        () = mortal.died.notified() => {}
        () = runner.serve_until_idle() => panic!("it does not die"),
    }
    runs_of(&stage, run).await
}

/// The run, and those that it has started.
async fn runs_of(stage: &Stage, run: RunId) -> Value {
    let all = stage.store.runs(stage.tenant, Default::default(), 100).await.unwrap();
    let of_it = |other: &&Run| other.id == run || other.parent.as_ref().is_some_and(|(parent, _)| *parent == run);
    let mut of_it: Vec<&Run> = all.iter().filter(of_it).collect();
    of_it.sort_by_key(|run| run.parent.is_some());
    let mut dumps = Vec::new();
    for run in of_it {
        dumps.push(dump_run(&stage.store, run.id).await);
    }
    dumps.into()
}

/// In a store of its own, at the moment at which it was left.
async fn restored(golden: &Value, texts: &[&str]) -> (Stage, RunId) {
    let stage = Stage::start().await;
    for text in texts {
        stage.keep(text).await;
    }
    for dump in golden.as_array().unwrap() {
        restore_run(&stage.store, stage.key, dump).await;
    }
    let open = stage.store.runs(stage.tenant, Default::default(), 100).await.unwrap();
    let run = open.iter().find(|run| run.parent.is_none()).unwrap().id;
    (stage, run)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waited_for_everything_goes_on() {
    let golden = golden("1-waiting.json", left_waiting()).await;
    for page in golden[0]["journal"].as_array().unwrap() {
        Page::read(page["entries"].as_str().unwrap()).unwrap();
    }
    let snapshot: Value = serde_json::from_str(golden[0]["runs"][0]["snapshot"].as_str().unwrap()).unwrap();
    for phase in ["asking", "sleeping", "child", "pending", "doubt", "pausing"] {
        assert!(snapshot.to_string().contains(&format!("\"phase\":\"{phase}\"")), "{phase}: {snapshot}");
    }
    let (stage, run) = restored(&golden, &[NOTES, EVERYTHING]).await;
    let runner = stage.runner().await;
    runner.serve_until_idle().await;
    // The comment has been made; what the cloud says of the scan it says in another one.
    for (place, resolution) in [("14", "happened"), ("13", "give_up")] {
        stage.store.resolve_doubt(stage.tenant, run, place, 1, resolution).await.unwrap();
        runner.poke(stage.key, run);
        runner.serve_until_idle().await;
        while !step_on(&stage, &[&runner], run).await.unwrap() {
            runner.serve_until_idle().await;
        }
    }
    let run = stage.store.run(stage.tenant, run).await.unwrap();
    let lines = stage.journal(&run).await;
    assert_eq!((run.status, run.outcome.as_deref()), (RunStatus::Ended, Some("succeeded")), "{lines:#?}");
    assert_eq!(run.why.as_deref(), Some("said hello to 3"));
    let incident = stage.value(&run, "").await["inputs"]["incident"].clone();
    let incident = stage.call("get-incident", json!({ "id": incident })).await;
    let comments: Vec<&str> = incident["comments"]
        .as_array()
        .unwrap()
        .iter()
        .map(|comment| comment["comment"].as_str().unwrap().split(" [sortie:").next().unwrap())
        .collect();
    // What was done before it was left is in another cloud.
    assert_eq!(comments, ["from the parent", "true 3 9 from the parent system failed 404"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_on_its_way_is_looked_for() {
    let golden = golden("1-calling.json", left_calling()).await;
    let scenario = SCENARIOS.iter().find(|scenario| scenario.name == "contain").unwrap();
    let (stage, run) = restored(&golden, &[scenario.text]).await;
    let runner = stage.runner().await;
    let run = stage.let_pass(&runner, run).await;
    let lines = stage.journal(&run).await;
    assert_eq!(run.outcome.as_deref(), Some("succeeded"), "{lines:#?}");
    assert!(lines.contains(&"isolate: looked".to_owned()), "{lines:#?}");
    assert_eq!(stage.actions("Isolate").await.len(), 1);
}

const RESTS: &str = "\
workflow: rests
triggers: [{ manual: {} }]
steps:
  - { id: rest, wait: { for: 1h } }
  - { id: act, after: [rest], call: kv/increment, with: { name: acted } }
";

/// What another version has written, or nobody, stops its run alone, with a sentence; others go on.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_understood_stops_its_run_alone() {
    let snapshot = "UPDATE runs SET snapshot = ?2 WHERE run_id = ?1";
    let journal = "UPDATE journal SET entries = ?2 WHERE run_id = ?1 AND seq = 1";
    let signal = "INSERT INTO signals (tenant_id, run_id, signal, made_us)
                  SELECT tenant_id, run_id, ?2, 0 FROM runs WHERE run_id = ?1";
    let value = "UPDATE run_values SET value = ?2 WHERE run_id = ?1 AND place = ''";
    let machine = |format: u32, top: Value| {
        let machine = json!({ "format": format, "seed": 1, "top": top, "closing": null, "end": null });
        json!({ "format": 1, "machine": machine })
    };
    let entry = |happened: &str| {
        let entry = json!({ "at": "2026-11-22T08:00:00Z", "happened": happened });
        json!({ "format": 1, "entries": [entry] })
    };
    let dreams = json!({ "0": { "active": { "attempt": 1, "phase": "dreaming" } } });
    for (sql, text, why) in [
        (
            snapshot,
            json!({ "format": 2, "machine": {} }),
            "its snapshot has format 2, and this version of Sortie knows format 1",
        ),
        (snapshot, machine(7, json!({})), "its snapshot has format 7"),
        (snapshot, machine(1, dreams), "its snapshot cannot be read: unknown variant `dreaming`"),
        (snapshot, machine(1, json!({ "99": { "ended": "failed" } })), "its snapshot does not fit its workflow"),
        (snapshot, json!("not one"), "its snapshot cannot be read"),
        (
            journal,
            json!({ "format": 9, "entries": [] }),
            "its journal has format 9, and this version of Sortie knows format 1",
        ),
        (journal, entry("teleported"), "its journal cannot be read: unknown variant `teleported`"),
        (
            signal,
            json!({ "signal": "teleport" }),
            "it was told what this version of Sortie does not know: unknown variant `teleport`",
        ),
        (value, json!("{"), "a value of it cannot be read"),
    ] {
        let stage = Stage::start().await;
        let spoilt = stage.run(RESTS, json!({})).await;
        let later = stage.clock.now().checked_add(SignedDuration::from_secs(10)).unwrap();
        stage.advance_to(later).await;
        let sound = stage.run(RESTS, json!({})).await;
        // A text in place of an object is one without its quotes.
        let text = text.as_str().map_or_else(|| text.to_string(), str::to_owned);
        spoil_run(&stage.store, spoilt.id, sql, &text).await;
        let runner = stage.runner().await;
        let sound = stage.let_pass(&runner, sound.id).await;
        assert_eq!(sound.outcome.as_deref(), Some("succeeded"), "{why}");
        let spoilt = stage.store.run(stage.tenant, spoilt.id).await.unwrap();
        let told = spoilt.why.clone().unwrap_or_default();
        assert_eq!((spoilt.status, spoilt.wake), (RunStatus::NeedsAttention, None), "{told}");
        assert!(told.starts_with(why), "{told}\n{why}");
        assert!(sql == value || told.ends_with("or a later one, go on with it: retry the run there"), "{told}");
        let acted = stage.store.value(stage.tenant, "acted").await.unwrap().unwrap();
        assert_eq!(acted.value, "1", "{why}");
    }
}
