//! What a run costs: transactions and rows, counted by the store itself.

use std::collections::BTreeMap;

use serde_json::json;
use sortie_store::{Actor, ActorKind, Grant, RunId, Started, Written, conformance::row_counts};

use crate::stage::Stage;

/// Manual start, a call without effects, a `when`, an effect, a comment, the end.
const FIVE_STEPS: &str = "\
workflow: five-steps
triggers: [{ manual: { inputs: { device: string, incident: string } } }]
steps:
  - id: machine
    call: microsoft-365-defender/get-device
    with: { id: '{{ inputs.device }}' }
  - id: risk
    after: [machine]
    set: { is_high: '{{ steps.machine.output.riskScore != \"None\" }}' }
  - id: scan
    after: [risk]
    when: steps.machine.output.id == inputs.device
    call: microsoft-365-defender/scan-device
    with: { id: '{{ steps.machine.output.id }}', Comment: looked at, ScanType: Quick }
  - id: note
    after: [scan]
    call: microsoft-365-defender/comment-incident
    with: { id: '{{ inputs.incident }}', comment: 'scan {{ steps.scan.output.status }}' }
  - id: end
    after: [note]
    stop: { outcome: succeeded, message: 'scanned {{ steps.machine.output.computerDnsName }}' }
";

struct Cost {
    written: Written,
    rows: BTreeMap<String, u64>,
}

/// Of one run of the workflow, ordered by a person.
async fn cost(stage: &Stage, text: &str, key: &str, inputs: serde_json::Value) -> (Cost, RunId) {
    let id = stage.keep(text).await;
    let runner = stage.runner().await;
    let ana = Actor { id: "ana".into(), name: "ana".into(), kind: ActorKind::User, grants: vec![Grant::ALL] };
    let (before, rows_before) = (stage.store.written(), row_counts(&stage.store).await);
    let new = stage.new_run(&id, text, key, json!({ "kind": "manual" }), inputs);
    let started = stage.store.acting_as(ana).start_run(stage.tenant, new).await.unwrap();
    let Started::New(run) = started else { panic!("it is new") };
    runner.begin(stage.key, run);
    runner.serve_until_idle().await;
    let after = stage.store.written();
    let mut rows = row_counts(&stage.store).await;
    for (table, count) in rows_before {
        *rows.entry(table).or_default() -= count;
    }
    rows.retain(|_, count| *count > 0);
    let written = Written { commits: after.commits - before.commits, rows: after.rows - before.rows };
    (Cost { written, rows }, run)
}

#[tokio::test(flavor = "multi_thread")]
async fn five_steps_cost_four_commits_and_fourteen_rows() {
    let stage = Stage::start().await;
    let incidents = stage.call("list-incidents", json!({ "$top": 1 })).await;
    let inputs = json!({ "device": stage.device().await, "incident": incidents["value"][0]["id"] });
    let (Cost { written, rows }, run) = cost(&stage, FIVE_STEPS, "once", inputs).await;
    let run = stage.store.run(stage.tenant, run).await.unwrap();
    assert_eq!(run.outcome.as_deref(), Some("succeeded"), "{:#?}", stage.journal(&run).await);
    eprintln!("five steps: {written:?}, {} rows are kept: {rows:?}", rows.values().sum::<u64>());
    // The order; then each of the two effects with what came before it, and the end.
    assert_eq!((written.commits, run.seq), (4, 3));
    let expected = [("audit", 1), ("changes", 2), ("intents", 2), ("journal", 3), ("run_values", 5), ("runs", 1)];
    let expected: BTreeMap<String, u64> = expected.map(|(table, count)| (table.to_owned(), count)).into();
    assert_eq!((rows, written.rows), (expected, 19));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_computes_costs_two_commits() {
    let stage = Stage::start().await;
    let text = "\
workflow: computes
triggers: [{ manual: { inputs: { n: integer } } }]
steps:
  - { id: a, set: { n: '{{ inputs.n + 1 }}' } }
  - { id: b, after: [a], call: data/hash, with: { text: '{{ steps.a.output.n }}', algorithm: sha256 } }
  - { id: c, after: [b], when: 'steps.a.output.n > 100', set: { never: 1 } }
  - { id: each, after: [b], for_each: 'range(50)', as: one, set: { square: '{{ one * one }}' } }
";
    let (Cost { written, rows }, run) = cost(&stage, text, "once", json!({ "n": 1 })).await;
    let run = stage.store.run(stage.tenant, run).await.unwrap();
    assert_eq!((run.outcome.as_deref(), run.seq), (Some("succeeded"), 1), "{:#?}", stage.journal(&run).await);
    eprintln!("fifty items: {written:?}, {} rows are kept: {rows:?}", rows.values().sum::<u64>());
    assert_eq!(written.commits, 2);
    // A row an item, and the list once.
    assert_eq!((rows["run_values"], rows["journal"], rows["changes"]), (1 + 2 + 1 + 50, 1, 2));
}
