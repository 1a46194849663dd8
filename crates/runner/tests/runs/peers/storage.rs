//! What lies in the database: queues, lists, pruning, room on the disk, damage.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sortie_store::{
    KeySource, MasterKey, NewConnection, Retention, Run, RunFilter, RunId, RunStatus, Started, StoreErrorKind,
    conformance::{FullDisk, copy_run, row_counts, spoil_run},
};

use crate::stage::Stage;

const SETS: &str = "workflow: sets\ntriggers: [{ manual: { inputs: { text: string } } }]\nsteps:\n  - { id: a, set: { x: '{{ inputs.text }}' } }\n";
const RESTS: &str = "workflow: rests\ntriggers: [{ manual: {} }]\nsteps:\n  - { id: rest, wait: { for: 1h } }\n";

/// So many runs of it, all ended.
async fn ended(stage: &Stage, count: usize, text: &str) {
    let id = stage.keep(SETS).await;
    let runner = stage.runner().await;
    for number in 0..count {
        let inputs = json!({ "text": format!("{number} {text}") });
        let new = stage.new_run(&id, SETS, &number.to_string(), json!({ "kind": "manual" }), inputs);
        runner.start(stage.tenant, new).await.unwrap();
    }
    runner.serve_until_idle().await;
}

fn all_old(stage: &Stage) -> Retention {
    let now = sortie_model::Clock::now(&stage.clock);
    Retention { changes_before: now, blobs_before: now }
}

async fn prune(stage: &Stage) -> u64 {
    let later = sortie_model::Clock::now(&stage.clock).checked_add(jiff::SignedDuration::from_mins(1)).unwrap();
    stage.clock.set(later);
    stage.store.prune_runs(later, 1_000_000).await.unwrap()
}

fn file_bytes(stage: &Stage) -> u64 {
    std::fs::metadata(stage.store.path()).unwrap().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn n8n_24050_what_is_told_before_it_is_committed_harms_nobody() {
    let stage = Stage::start().await;
    let id = stage.keep(SETS).await;
    let runner = stage.runner().await;
    // Told of a run that was never written, and of one before it was.
    runner.begin(stage.key, RunId::from_bytes([7; 16]));
    let new = stage.new_run(&id, SETS, "k", json!({ "kind": "manual" }), json!({ "text": "a" }));
    let Started::New(run) = stage.store.start_run(stage.tenant, new).await.unwrap() else { panic!("it is new") };
    runner.begin(stage.key, run);
    runner.serve_until_idle().await;
    assert_eq!(stage.store.run(stage.tenant, run).await.unwrap().outcome.as_deref(), Some("succeeded"));
    assert_eq!((runner.counts(), runner.next_wake()), ((0, 0), None), "nobody tries it again and again");
}

#[tokio::test(flavor = "multi_thread")]
async fn n8n_37926_the_file_shrinks_with_what_is_pruned() {
    let stage = Stage::start().await;
    ended(&stage, 200, &"x".repeat(100_000)).await;
    let before = file_bytes(&stage);
    assert!(before > 20_000_000, "{before}");
    assert_eq!(prune(&stage).await, 200);
    let freed = stage.store.sweep(all_old(&stage)).await.unwrap();
    // What is in the log goes into the file.
    stage.store.close();
    let after = file_bytes(&stage);
    eprintln!("{before} bytes, then {after}; {} pages given back", freed.pages);
    assert!(after < before / 20, "{before} {after}");
}

#[tokio::test(flavor = "multi_thread")]
async fn n8n_21042_a_full_disk_is_freed_by_pruning() {
    let stage = Stage::start().await;
    ended(&stage, 100, &"x".repeat(50_000)).await;
    let full = FullDisk::under(&stage.store).await;
    let new = stage.new_run("sets", SETS, "more", json!({}), json!({ "text": "y".repeat(200_000) }));
    let refused = stage.store.start_run(stage.tenant, new.clone()).await.unwrap_err();
    assert!(matches!(refused.kind, StoreErrorKind::DiskFull), "{refused:?}");
    assert_eq!(prune(&stage).await, 100);
    stage.store.sweep(all_old(&stage)).await.unwrap();
    // There is room for it within the same bound.
    assert!(matches!(stage.store.start_run(stage.tenant, new).await.unwrap(), Started::New(_)));
    full.make_room().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn n8n_5095_pruning_goes_in_small_steps() {
    let stage = Stage::start().await;
    ended(&stage, 1, "x").await;
    let run = stage.store.runs(stage.tenant, RunFilter::default(), 1).await.unwrap()[0].id;
    copy_run(&stage.store, run, 5_000).await;
    let before = stage.store.written();
    assert_eq!(prune(&stage).await, 5_001);
    let steps = stage.store.written().commits - before.commits;
    assert!((50..60).contains(&steps), "{steps} steps");
}

#[tokio::test(flavor = "multi_thread")]
async fn kestra_17267_nobody_is_locked_out_while_old_runs_go() {
    let stage = Stage::start().await;
    ended(&stage, 1, "x").await;
    let run = stage.store.runs(stage.tenant, RunFilter::default(), 1).await.unwrap()[0].id;
    copy_run(&stage.store, run, 20_000).await;
    let later = sortie_model::Clock::now(&stage.clock).checked_add(jiff::SignedDuration::from_mins(1)).unwrap();
    stage.clock.set(later);
    let store = stage.store.clone();
    let pruning = tokio::spawn(async move { store.prune_runs(later, 1_000_000).await.unwrap() });
    let (mut writes, mut longest) = (0, Duration::ZERO);
    while !pruning.is_finished() {
        let start = Instant::now();
        stage.store.set_value(stage.tenant, "beside", writes.to_string(), None, None).await.unwrap();
        longest = longest.max(start.elapsed());
        writes += 1;
    }
    assert_eq!(pruning.await.unwrap(), 20_001);
    eprintln!("{writes} writes beside it, the longest took {longest:?}");
    assert!(writes > 20 && longest < Duration::from_secs(2), "{writes} {longest:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn n8n_1578_a_list_of_100_000_runs_is_as_fast_as_one_of_ten() {
    let stage = Stage::start().await;
    ended(&stage, 1, "x").await;
    let run = stage.store.runs(stage.tenant, RunFilter::default(), 1).await.unwrap()[0].id;
    copy_run(&stage.store, run, 100_000).await;
    let waits = stage.run(RESTS, json!({})).await.id;
    let deep = RunFilter {
        before: Some(RunId::from_bytes([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80, 0])),
        ..RunFilter::default()
    };
    let open = RunFilter { status: Some(RunStatus::Waiting), ..RunFilter::default() };
    let other = RunFilter { workflow: Some("rests".to_owned()), ..RunFilter::default() };
    let failed = RunFilter { outcome: Some("failed".to_owned()), ..RunFilter::default() };
    let about = RunFilter { object: Some("incident 7".to_owned()), ..RunFilter::default() };
    for scope in [stage.tenant, sortie_store::Scope::Every] {
        for (what, filter, found) in [
            ("the first page", RunFilter::default(), 50),
            ("a page deep down", deep.clone(), 50),
            ("those that wait", open.clone(), 1),
            ("another workflow's", other.clone(), 1),
            ("those that failed", failed.clone(), 0),
            ("those about an incident", about.clone(), 0),
        ] {
            let mut took = Duration::MAX;
            for _ in 0..5 {
                let start = Instant::now();
                let runs = stage.store.runs(scope, filter.clone(), 50).await.unwrap();
                took = took.min(start.elapsed());
                assert_eq!(runs.len(), found, "{what}");
            }
            eprintln!("{what} of {scope:?}: {took:?}");
            // A scan of all of them takes twenty times as long.
            assert!(took < Duration::from_millis(15), "{what} of {scope:?} took {took:?}");
        }
    }
    let start = Instant::now();
    let open = stage.store.open_runs(sortie_store::Scope::Every).await.unwrap();
    assert!(start.elapsed() < Duration::from_millis(100));
    assert_eq!(open.iter().map(|run| run.id).collect::<Vec<_>>(), [waits]);
}

#[tokio::test(flavor = "multi_thread")]
async fn n8n_12949_a_wrong_key_is_named_and_breaks_nothing() {
    let mut stage = Stage::start().await;
    let key = stage.folder.path().join("first.key");
    let keyring = stage.store.unlock(MasterKey::create(&key).unwrap()).await.unwrap();
    let connection = NewConnection {
        name: "contoso".parse().unwrap(),
        connector: "http".to_owned(),
        base_url: "https://api.contoso.example".to_owned(),
        token_url: None,
        allowed_hosts: Vec::new(),
        destinations: vec!["https://api.contoso.example".to_owned()],
        settings: json!({}),
    };
    let saved = stage.store.add_connection(stage.tenant, connection).await.unwrap();
    let secret = sortie_model::Secret::new("correct horse");
    stage.store.set_secret(&keyring, stage.tenant, saved.id, "secret", &secret, None).await.unwrap();
    stage.reopen().await;
    let other = MasterKey::create(&stage.folder.path().join("second.key")).unwrap();
    let wrong = stage.store.unlock(other).await.unwrap_err();
    assert_eq!(wrong.kind.to_string(), "this is not the key that sealed this database's secrets");
    assert!(wrong.remedy().starts_with("Give the key that was made with this database"), "{}", wrong.remedy());
    let installation = stage.store.installation().await.unwrap();
    let right = MasterKey::load(&KeySource::File(key), &installation).unwrap();
    let keyring = stage.store.unlock(right).await.unwrap();
    let opened = stage.store.secret(&keyring, stage.tenant, saved.id, "secret").await.unwrap();
    assert_eq!(opened.map(|secret| secret.expose().to_owned()).as_deref(), Some("correct horse"));
}

#[tokio::test(flavor = "multi_thread")]
async fn n8n_4867_what_waits_holds_no_payload() {
    let stage = Stage::start().await;
    let text = "\
workflow: large
triggers: [{ manual: { inputs: { list: list } } }]
steps:
  - { id: each, for_each: inputs.list, as: one, set: { x: '{{ one }}' } }
  - { id: all, after: [each], set: { x: '{{ steps.each.output }}' } }
  - { id: rest, after: [all], wait: { for: 1h } }
";
    let list: Vec<Value> = (0..500).map(|number| json!(format!("{number} {}", "x".repeat(10_000)))).collect();
    let run = stage.run(text, json!({ "list": list })).await;
    assert_eq!(run.status, RunStatus::Waiting);
    assert!(run.snapshot.as_ref().unwrap().len() < 1_000, "{}", run.snapshot.unwrap().len());
    let runner = stage.runner().await;
    assert_eq!(runner.counts(), (0, 1), "nothing of it is at work");
    // What is large is no row.
    let rows = row_counts(&stage.store).await;
    assert!(rows["blobs"] >= 2, "{rows:?}");
    assert_eq!(stage.let_pass(&runner, run.id).await.outcome.as_deref(), Some("succeeded"));
}

#[tokio::test(flavor = "multi_thread")]
async fn n8n_21114_a_workflow_has_bounds() {
    let stage = Stage::start().await;
    let text = "\
workflow: fills
triggers: [{ manual: { inputs: { list: list } } }]
steps:
  - { id: each, for_each: inputs.list, as: one, set: { x: '{{ one }}' } }
";
    // More items than a loop takes are told, before any of them is kept.
    let run = stage.run(text, json!({ "list": vec![json!(1); 1_001] })).await;
    assert_eq!(run.outcome.as_deref(), Some("failed"));
    let error = stage.value(&run, "0").await["error"]["what"].clone();
    assert_eq!(error, "`for_each` gives 1001 items, and at most 1000 are taken");
    // Nor can a text grow without end.
    let text = "workflow: grows\ntriggers: [{ manual: {} }]\nsteps:\n  - { id: a, set: { x: \"{{ 'abcdefgh' * 1000000000 }}\" } }\n";
    let run = stage.run(text, json!({})).await;
    assert_eq!(run.outcome.as_deref(), Some("failed"), "{:?}", stage.journal(&run).await);
    assert!(file_bytes(&stage) < 2_000_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn n8n_13702_one_process_has_the_database() {
    let stage = Stage::start().await;
    let options = sortie_store::StoreOptions {
        path: stage.store.path().to_owned(),
        purpose: "a second process".to_owned(),
        clock: std::sync::Arc::new(stage.clock.clone()),
    };
    let refused = sortie_store::Store::open(options).unwrap_err();
    assert!(matches!(&refused.kind, StoreErrorKind::Held { holder, .. } if holder.contains("a test")), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn windmill_7228_equal_results_are_kept_once_and_go_with_their_runs() {
    let stage = Stage::start().await;
    let id = stage.keep(SETS).await;
    let runner = stage.runner().await;
    let large = "x".repeat(1_000_000);
    let value = sortie_runner::as_value(
        &stage.store,
        stage.tenant,
        json!({ "trigger": {}, "inputs": { "text": large } }).to_string(),
    );
    let input = value.await.unwrap();
    for number in 0..20 {
        let mut new = stage.new_run(&id, SETS, &number.to_string(), json!({}), json!({}));
        new.input = input.clone();
        runner.start(stage.tenant, new).await.unwrap();
    }
    runner.serve_until_idle().await;
    let rows = row_counts(&stage.store).await;
    assert_eq!((rows["runs"], rows["blobs"]), (20, 2), "what they were given, and what they gave");
    assert!(file_bytes(&stage) < 10_000_000);
    assert_eq!(prune(&stage).await, 20);
    stage.store.sweep(all_old(&stage)).await.unwrap();
    let rows = row_counts(&stage.store).await;
    assert_eq!(
        (rows.get("runs"), rows.get("blobs"), rows.get("blob_chunks"), rows.get("blob_uses")),
        (None, None, None, None)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn windmill_2261_journals_and_changes_go_with_their_runs() {
    let stage = Stage::start().await;
    let before = row_counts(&stage.store).await;
    ended(&stage, 50, "x").await;
    let full = row_counts(&stage.store).await;
    assert!(full["journal"] >= 50 && full["changes"] >= 100, "{full:?}");
    prune(&stage).await;
    stage.store.sweep(all_old(&stage)).await.unwrap();
    let mut after = row_counts(&stage.store).await;
    // The last change stays, so that numbers never begin anew.
    assert_eq!(after.remove("changes"), Some(1));
    for table in ["workflows", "workflow_versions", "nodes"] {
        after.remove(table);
    }
    assert_eq!(after.keys().collect::<Vec<_>>(), before.keys().filter(|name| *name != "changes").collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn orquesta_142_a_long_workflow_costs_no_more_a_step() {
    let stage = Stage::start().await;
    let mut costs = Vec::new();
    for count in [100_u64, 400] {
        let mut text = format!(
            "workflow: chain-{count}\ntriggers: [{{ manual: {{}} }}]\nsteps:\n  - {{ id: s0, set: {{ n: 0 }} }}\n"
        );
        for step in 1..count {
            let before = step - 1;
            text += &format!(
                "  - {{ id: s{step}, after: [s{before}], set: {{ n: '{{{{ steps.s{before}.output.n + 1 }}}}' }} }}\n"
            );
        }
        let before = stage.store.written();
        let run = stage.run(&text, json!({})).await;
        let after = stage.store.written();
        assert_eq!(stage.value(&run, &(count - 1).to_string()).await["output"]["n"], json!(count - 1));
        assert_eq!(run.seq, 1, "it is one turn");
        costs.push((after.rows - before.rows) / count);
    }
    assert!(costs[1] <= costs[0], "{costs:?} rows a step");
}

#[tokio::test(flavor = "multi_thread")]
async fn kestra_10358_a_corrupt_row_is_its_runs_trouble_alone() {
    let stage = Stage::start().await;
    let mut spoilt = Vec::new();
    for (number, (sql, text)) in [
        ("UPDATE runs SET snapshot = ?2 WHERE run_id = ?1", "\u{0}\u{fffd}{["),
        ("UPDATE runs SET status = ?2 WHERE run_id = ?1", "dreaming"),
        ("UPDATE runs SET version = ?2 WHERE run_id = ?1", "none such"),
        (
            "UPDATE run_values SET value = NULL, hash = CAST(?2 AS BLOB) WHERE run_id = ?1 AND place = ''",
            "0123456789abcdef0123456789abcdef",
        ),
        ("UPDATE runs SET home_id = CAST(?2 AS BLOB) WHERE run_id = ?1", "0123456789abcdef"),
    ]
    .into_iter()
    .enumerate()
    {
        stage.clock.set(stage_time(&stage, number));
        let run = stage.run(RESTS, json!({})).await;
        spoil_run(&stage.store, run.id, sql, text).await;
        spoilt.push(run.id);
    }
    stage.clock.set(stage_time(&stage, 100));
    let sound = stage.run(RESTS, json!({})).await;
    let runner = stage.runner().await;
    for _ in 0..10 {
        runner.serve_until_idle().await;
        let Some(wake) = runner.next_wake() else { break };
        stage.advance_to(wake).await;
    }
    let sound = stage.store.run(stage.tenant, sound.id).await.unwrap();
    assert_eq!(sound.outcome.as_deref(), Some("succeeded"));
    let all = stage.store.runs(stage.tenant, RunFilter::default(), 100).await.unwrap();
    let of = |id: RunId| -> &Run { all.iter().find(|run| run.id == id).unwrap() };
    for id in spoilt.iter().filter(|id| **id != spoilt[1]) {
        assert_eq!((of(*id).status, of(*id).wake), (RunStatus::NeedsAttention, None), "{:?}", of(*id));
        assert!(of(*id).why.as_ref().is_some_and(|why| why.len() > 20 && why.contains(". ")), "{:?}", of(*id).why);
    }
    // A word that nobody knows says nothing about where its machine stands.
    assert_eq!(of(spoilt[1]).outcome.as_deref(), Some("succeeded"));
    assert_eq!(runner.next_wake(), None, "nobody tries them again and again");
}

/// A moment of its own for each start.
fn stage_time(stage: &Stage, seconds: usize) -> jiff::Timestamp {
    let by = jiff::SignedDuration::from_millis(i64::try_from(seconds).unwrap() + 1);
    sortie_model::Clock::now(&stage.clock).checked_add(by).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn kestra_5450_what_was_told_is_gone_when_it_was_heard() {
    let stage = Stage::start().await;
    let run = stage.run(RESTS, json!({})).await;
    let runner = stage.runner().await;
    for _ in 0..100 {
        stage.store.retry_run(stage.tenant, run.id).await.unwrap();
    }
    assert_eq!(row_counts(&stage.store).await["signals"], 100);
    runner.poke(stage.key, run.id);
    runner.serve_until_idle().await;
    let rows = row_counts(&stage.store).await;
    assert_eq!((rows.get("signals"), rows["journal"]), (None, 2), "a hundred words are one turn");
}

#[tokio::test(flavor = "multi_thread")]
async fn xsoar_26207_a_cause_starts_one_run_whatever_dies_in_between() {
    let mut stage = Stage::start().await;
    let id = stage.keep(SETS).await;
    let order = |stage: &Stage| stage.new_run(&id, SETS, "incident 7 of 08:00", json!({}), json!({ "text": "a" }));
    let Started::New(first) = stage.store.start_run(stage.tenant, order(&stage)).await.unwrap() else { panic!() };
    // Whoever kept the place in the stream died before it did, and comes again.
    stage.reopen().await;
    assert_eq!(stage.store.start_run(stage.tenant, order(&stage)).await.unwrap(), Started::Known(first));
    stage.runner().await.serve_until_idle().await;
    assert_eq!(stage.store.start_run(stage.tenant, order(&stage)).await.unwrap(), Started::Known(first));
    assert_eq!(stage.store.run(stage.tenant, first).await.unwrap().seq, 1);
}
