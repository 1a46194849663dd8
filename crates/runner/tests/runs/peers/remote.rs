//! What services do: tokens, throttles, answers that are none, orders that meet each other, data with gaps.

use jiff::SignedDuration;
use serde_json::{Value, json};
use sortie_model::Clock as _;
use sortie_store::{Run, RunStatus, Started};

use crate::stage::Stage;

const READS: &str = "\
workflow: reads
triggers: [{ manual: { inputs: { device: string } } }]
steps:
  - id: a
    call: microsoft-365-defender/get-device
    with: { id: '{{ inputs.device }}' }
  - id: b
    after: [a]
    call: microsoft-365-defender/list-device-alerts
    with: { id: '{{ steps.a.output.id }}' }
  - id: c
    after: [b]
    call: microsoft-365-defender/tag-device
    with: { id: '{{ steps.a.output.id }}', Value: seen, Action: Add }
";

/// Under this fault; how it ended, and how long that took.
async fn under(fault: Value) -> (Stage, Run, SignedDuration) {
    let stage = Stage::start().await;
    let device = stage.device().await;
    stage.cloud.post("/faults", &fault).await;
    let begun = stage.clock.now();
    let run = stage.run(READS, json!({ "device": device })).await;
    let runner = stage.runner().await;
    let run = stage.let_pass(&runner, run.id).await;
    let took = stage.clock.now().duration_since(begun);
    (stage, run, took)
}

#[tokio::test(flavor = "multi_thread")]
async fn microsoft_365_docs_5903_one_order_at_a_time_and_in_their_order() {
    let stage = Stage::start().await;
    // The service takes the same order twice, as it did then.
    stage.cloud.put("/world/actions", &json!({ "repeat": "accept" })).await;
    let device = stage.device().await;
    let text = "\
workflow: there-and-back
triggers: [{ manual: { inputs: { device: string } } }]
steps:
  - id: isolate
    call: microsoft-365-defender/isolate-device
    with: { id: '{{ inputs.device }}', Comment: contained, IsolationType: Full }
    await: true
    retry: { attempts: 50, first: 1m, max: 1m }
  - id: release
    after: [isolate]
    call: microsoft-365-defender/release-device
    with: { id: '{{ inputs.device }}', Comment: released }
    await: true
    retry: { attempts: 50, first: 1m, max: 1m }
";
    let id = stage.keep(text).await;
    let runner = stage.runner().await;
    let mut runs = Vec::new();
    for key in ["one", "two"] {
        let new = stage.new_run(&id, text, key, json!({}), json!({ "device": device }));
        let Started::New(run) = runner.start(stage.tenant, new).await.unwrap() else { panic!("it is new") };
        runs.push(run);
    }
    for run in &runs {
        let run = stage.let_pass(&runner, *run).await;
        assert_eq!(run.outcome.as_deref(), Some("succeeded"), "{:#?}", stage.journal(&run).await);
    }
    let all = stage.call("list-device-actions", json!({ "$top": 1000 })).await;
    let mut orders: Vec<(&str, &str)> = all["value"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|action| action["machineId"] == device)
        .map(|action| (action["creationDateTimeUtc"].as_str().unwrap(), action["type"].as_str().unwrap()))
        .collect();
    orders.sort_unstable();
    let kinds: Vec<&str> = orders.iter().map(|(_, kind)| *kind).collect();
    assert_eq!((kinds.len(), kinds.last()), (4, Some(&"Unisolate")), "{orders:?}");
    // Never two open isolations: the second run waits until the first one's has ended.
    assert_eq!(kinds[0], "Isolate");
}

#[tokio::test(flavor = "multi_thread")]
async fn graph_docs_19954_a_query_that_times_out_without_a_word_is_asked_again() {
    let stage = Stage::start().await;
    stage.cloud.post("/faults", &json!({ "kind": "gateway_timeout", "route": "*/runHuntingQuery", "times": 2 })).await;
    let text = "workflow: hunts\ntriggers: [{ manual: {} }]\nsteps:\n  - id: q\n    call: microsoft-365-defender/run-hunting-query\n    with: { Query: 'DeviceInfo | take 1' }\noutput: { rows: '{{ steps.q.output.results | length }}' }\n";
    let run = stage.run(text, json!({})).await;
    let runner = stage.runner().await;
    let run = stage.let_pass(&runner, run.id).await;
    assert_eq!(stage.value(&run, "#output").await, json!({ "rows": 1 }), "{:#?}", stage.journal(&run).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn windows_itpro_docs_10564_each_call_has_the_token_of_its_own_api() {
    let stage = Stage::start().await;
    let text = "workflow: apis\ntriggers: [{ manual: {} }]\nsteps:\n  - { id: graph, call: microsoft-365-defender/list-incidents, with: { $top: 1 } }\n  - { id: xdr, call: microsoft-365-defender/list-incidents-xdr, with: { $top: 1 } }\n  - { id: mde, call: microsoft-365-defender/list-devices, with: { $top: 1 } }\n";
    let run = stage.run(text, json!({})).await;
    assert_eq!(run.outcome.as_deref(), Some("succeeded"), "{:#?}", stage.journal(&run).await);
    assert_eq!(stage.outside.tokens.lock().unwrap().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn opencti_3652_a_field_that_is_missing_fails_its_step_with_its_name() {
    let stage = Stage::start().await;
    let text = "\
workflow: gaps
triggers: [{ manual: { inputs: { alert: object } } }]
steps:
  - { id: lenient, set: { user: \"{{ inputs.alert.user | default('nobody') }}\", first: \"{{ inputs.alert.evidence | default([]) | length }}\" } }
  - { id: strict, set: { user: '{{ inputs.alert.user.name }}' } }
  - { id: beside, set: { id: '{{ inputs.alert.id }}' } }
";
    for alert in
        [json!({ "id": 1 }), json!({ "id": 1, "user": null, "evidence": null }), json!({ "id": 1, "user": {} })]
    {
        let run = stage.run(text, json!({ "alert": alert })).await;
        stage.clock.advance(SignedDuration::from_secs(1));
        assert_eq!(run.outcome.as_deref(), Some("failed"));
        let error = stage.value(&run, "1").await["error"]["what"].as_str().unwrap().to_owned();
        assert!(error.contains("`user`") && error.contains("inputs.alert.user"), "{error}");
        assert_eq!(stage.value(&run, "2").await["output"], json!({ "id": 1 }), "what does not need it goes on");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn opencti_3325_a_token_that_ends_in_the_middle_costs_nothing() {
    let (stage, run, _) = under(json!({ "kind": "token_expired", "service": "mde", "after": 1, "times": 1 })).await;
    let lines = stage.journal(&run).await;
    assert_eq!(run.outcome.as_deref(), Some("succeeded"), "{lines:#?}");
    assert_eq!(lines.iter().filter(|line| line.starts_with("a: answered")).count(), 1, "nothing is begun anew");
}

#[tokio::test(flavor = "multi_thread")]
async fn wazuh_34652_a_service_that_wants_to_be_left_alone_is_and_then_asked() {
    let fault = json!({ "kind": "too_many_requests", "service": "mde", "after": 2, "retry_after": 900, "times": 1 });
    let (stage, run, took) = under(fault).await;
    assert_eq!(run.outcome.as_deref(), Some("succeeded"), "{:#?}", stage.journal(&run).await);
    assert!((900..960).contains(&took.as_secs()), "{took}");
}

#[tokio::test(flavor = "multi_thread")]
async fn splunk_365d_a_429_without_a_word_of_how_long_is_survived() {
    let fault = json!({ "kind": "too_many_requests", "service": "mde", "after": 1, "retry_after": null, "times": 2 });
    let (stage, run, took) = under(fault).await;
    assert_eq!(run.outcome.as_deref(), Some("succeeded"), "{:#?}", stage.journal(&run).await);
    assert!(took.as_secs() < 60, "{took}");
}

#[tokio::test(flavor = "multi_thread")]
async fn splunk_1_4_1_keys_with_a_period_are_read() {
    let stage = Stage::start().await;
    let text = "\
workflow: periods
triggers: [{ manual: { inputs: { evidence: list } } }]
steps:
  - id: kinds
    for_each: inputs.evidence
    as: one
    set: { kind: \"{{ one['@odata.type'] }}\", deep: \"{{ one['a.b']['c.d'] }}\" }
  - { id: all, after: [kinds], set: { kinds: \"{{ steps.kinds.output | map(attribute='kind') | list }}\" } }
output: '{{ steps.all.output.kinds }}'
";
    let evidence = json!([
        { "@odata.type": "#microsoft.graph.security.deviceEvidence", "a.b": { "c.d": 1 } },
        { "@odata.type": "#microsoft.graph.security.userEvidence", "a.b": { "c.d": 2 } },
    ]);
    let run = stage.run(text, json!({ "evidence": evidence })).await;
    let expected = json!(["#microsoft.graph.security.deviceEvidence", "#microsoft.graph.security.userEvidence"]);
    assert_eq!(stage.value(&run, "#output").await, expected, "{:#?}", stage.journal(&run).await);
    assert_eq!(stage.value(&run, "0[1]").await["output"]["deep"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn elastic_15749_an_answer_that_is_no_object_is_not_taken_for_one() {
    let stage = Stage::start().await;
    let device = stage.device().await;
    for (times, outcome) in [(1, "succeeded"), (9, "failed")] {
        stage.cloud.delete("/faults", None).await;
        let page = json!({ "kind": "html", "method": "GET", "route": "/api/machines/*", "times": times });
        stage.cloud.post("/faults", &page).await;
        let run = stage.run(READS, json!({ "device": device })).await;
        let runner = stage.runner().await;
        let run = stage.let_pass(&runner, run.id).await;
        let lines = stage.journal(&run).await;
        assert_eq!(run.outcome.as_deref(), Some(outcome), "{lines:#?}");
        assert!(lines.iter().any(|line| line.contains("a web page instead of an answer")), "{lines:#?}");
    }
}

/// A page of somebody in between says nothing about what became of a call with an effect: it is looked for.
#[tokio::test(flavor = "multi_thread")]
async fn elastic_15749_nor_is_it_taken_for_an_effect() {
    let stage = Stage::start().await;
    let incident = stage.call("list-incidents", json!({ "$top": 1 })).await["value"][0]["id"].clone();
    stage.cloud.post("/faults", &json!({ "kind": "html", "method": "POST", "route": "*/comments", "times": 1 })).await;
    let text = "workflow: tells\ntriggers: [{ manual: { inputs: { id: string } } }]\nsteps:\n  - id: a\n    call: microsoft-365-defender/comment-incident\n    with: { id: '{{ inputs.id }}', comment: once }\n";
    let run = stage.run(text, json!({ "id": incident })).await;
    let runner = stage.runner().await;
    let run = stage.let_pass(&runner, run.id).await;
    assert_eq!(run.outcome.as_deref(), Some("succeeded"), "{:#?}", stage.journal(&run).await);
    let comments = stage.call("get-incident", json!({ "id": incident })).await["comments"].clone();
    assert_eq!(comments.as_array().unwrap().len(), 1, "{comments}");
}

#[tokio::test(flavor = "multi_thread")]
async fn wazuh_31670_a_missing_role_is_told_by_its_name() {
    let stage = Stage::start().await;
    stage.take_roles_away().await;
    let run = stage.run(READS, json!({ "device": "x" })).await;
    assert_eq!((run.status, run.outcome.as_deref()), (RunStatus::Ended, Some("failed")));
    let error = stage.value(&run, "0").await["error"].clone();
    assert_eq!((&error["status"], &error["kind"]), (&json!(403), &json!("service")), "{error}");
    assert!(error["what"].as_str().unwrap().contains("Machine.Read.All"), "{error}");
    assert!(error["next"].as_str().unwrap().contains("right to this operation"), "{error}");
}
