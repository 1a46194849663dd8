//! Each kind of step, and how runs go on.

use serde_json::json;
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
