//! Each kind of step, and how runs go on.

use jiff::SignedDuration;
use serde_json::json;
use sortie_model::Clock as _;
use sortie_store::RunStatus;

use crate::stage::Stage;

#[tokio::test(flavor = "multi_thread")]
async fn a_device_is_isolated_once_and_followed_to_the_end() {
    let stage = Stage::start().await;
    let device = stage.device().await;
    let text = "\
workflow: contain
triggers: [{ manual: { inputs: { device: string } } }]
steps:
  - id: machine
    call: microsoft-365-defender/get-device
    with: { id: '{{ inputs.device }}' }
  - id: isolate
    after: [machine]
    when: steps.machine.output.id == inputs.device
    call: microsoft-365-defender/isolate-device
    with: { id: '{{ steps.machine.output.id }}', Comment: 'By {{ run.id }}', IsolationType: Full }
    await: true
  - id: done
    after: [isolate]
    set: { status: '{{ steps.isolate.output.status }}' }
output: { status: '{{ steps.done.output.status }}' }
";
    let run = stage.run(text, json!({ "device": device })).await;
    let lines = stage.journal(&run).await;
    assert_eq!(run.status, RunStatus::Waiting, "{lines:#?}");
    let runner = stage.runner().await;
    let run = stage.let_pass(&runner, run.id).await;
    let lines = stage.journal(&run).await;
    assert_eq!((run.status, run.outcome.as_deref()), (RunStatus::Ended, Some("succeeded")), "{lines:#?}");
    assert_eq!(stage.value(&run, "#output").await, json!({ "status": "Succeeded" }));
    let actions = stage.actions("Isolate").await;
    assert_eq!(actions.len(), 1);
    assert!(actions[0]["requestorComment"].as_str().unwrap().contains("[sortie:"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_is_out_of_reach_is_asked_for_less_and_less() {
    let stage = Stage::start().await;
    stage.cloud.put("/world/actions", &json!({ "next": "pending" })).await;
    let text = "\
workflow: wait-long
triggers: [{ manual: { inputs: { device: string } } }]
steps:
  - id: isolate
    call: microsoft-365-defender/isolate-device
    with: { id: '{{ inputs.device }}', Comment: contained }
    await: true
";
    let run = stage.run(text, json!({ "device": stage.device().await })).await;
    let end = stage.clock.now().checked_add(SignedDuration::from_hours(6)).unwrap();
    let mut pauses = Vec::new();
    while stage.clock.now() < end {
        // Whoever takes the run up next knows no more than what was written.
        let runner = stage.runner().await;
        runner.serve_until_idle().await;
        let wake = runner.next_wake().unwrap();
        pauses.push(wake.duration_since(stage.clock.now()).as_secs());
        stage.advance_to(wake).await;
    }
    let run = stage.store.run(stage.tenant, run.id).await.unwrap();
    assert_eq!(run.why.as_deref(), Some("isolate is followed to its end"));
    assert!(pauses.is_sorted(), "{pauses:?}");
    assert_eq!((pauses[0], pauses.last()), (2, Some(&120)));
    assert!(pauses.len() < 250, "{} sights in six hours", pauses.len());
}
