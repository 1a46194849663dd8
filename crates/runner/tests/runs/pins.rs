//! A run finishes on the descriptions of connectors that it began with, whatever is imported or edited meanwhile.

use std::sync::Arc;

use jiff::SignedDuration;
use serde_json::json;
use sortie_connector::BuiltIn;
use sortie_model::Clock as _;
use sortie_openapi::{Description, EffectClass};
use sortie_runner::{Again, Points, Runner, again};
use sortie_store::{Connector, NewConnector, Retention, Run, RunId, RunStatus, Started, StoreErrorKind};

use crate::{
    crash::Mortal,
    stage::{SHARED, Stage},
};

const ASKS: &str = "\
workflow: asks
triggers: [{ manual: { inputs: { device: string } } }]
steps:
  - id: ask
    approval: { ask: go?, within: 30d }
  - id: act
    after: [ask]
    call: desk/restrict-device
    with: { id: '{{ inputs.device }}', Comment: ours }
";
const CALLS: &str = "\
workflow: calls
triggers: [{ manual: { inputs: { device: string } } }]
steps:
  - id: ask
    approval: { ask: go?, within: 30d }
  - id: sub
    after: [ask]
    workflow: acts
    with: { device: '{{ inputs.device }}' }
";
const ACTS: &str = "\
workflow: acts
triggers: [{ workflow: { inputs: { device: string } } }]
steps:
  - id: act
    call: desk/restrict-device
    with: { id: '{{ inputs.device }}', Comment: ours }
";

/// A connector of the database, and a device that runs act on.
struct Scene {
    stage: Stage,
    device: String,
}

impl Scene {
    async fn start() -> Self {
        let stage = Stage::start().await;
        let device = stage.device().await;
        let scene = Self { stage, device };
        scene.import(|_| {}).await;
        scene
    }

    /// Takes in what Defender's description is after the change, in the place of what is there.
    async fn import(&self, change: impl FnOnce(&mut Description)) -> Connector {
        let mut description = BuiltIn::of("microsoft-365-defender").unwrap().description();
        change(&mut description);
        let kept = description.kept();
        let new = NewConnector {
            id: "desk".to_owned(),
            title: "Desk".to_owned(),
            origin: "desk.yaml".to_owned(),
            content_hash: kept.content_hash,
            description: kept.json,
        };
        self.stage.store.put_connector(SHARED, new, true).await.unwrap();
        self.stage.store.connector(SHARED, "desk").await.unwrap()
    }

    async fn order(&self, runner: &Runner, text: &str, key: &str) -> RunId {
        let id = self.stage.keep(text).await;
        let new =
            self.stage.new_run(&id, text, key, json!({ "kind": "manual" }), json!({ "device": self.device.clone() }));
        let Started::New(run) = runner.start(self.stage.tenant, new).await.unwrap() else { panic!("it is new") };
        runner.serve_until_idle().await;
        run
    }

    async fn approve(&self, run: RunId) {
        let open = self.stage.store.approvals_of(self.stage.tenant, run).await.unwrap();
        self.stage.store.decide(&open[0], true, None).await.unwrap();
    }

    /// Approved, and then to its end.
    async fn finish(&self, runner: &Runner, run: RunId) -> Run {
        self.approve(run).await;
        runner.poke(self.stage.key, run);
        self.stage.let_pass(runner, run).await
    }

    /// What was ordered by the first description, and by the other one.
    async fn ordered(&self) -> (usize, usize) {
        (
            self.stage.actions("RestrictCodeExecution").await.len(),
            self.stage.actions("CollectInvestigationPackage").await.len(),
        )
    }

    async fn sweep(&self) -> u64 {
        let now = self.stage.clock.now();
        self.stage.store.sweep(Retention { changes_before: now, blobs_before: now }).await.unwrap().connector_versions
    }
}

/// The operation leads elsewhere, and is said to have no effect.
fn elsewhere(description: &mut Description) {
    let operation = description.operations.iter_mut().find(|operation| operation.id == "restrict-device").unwrap();
    operation.path = "/api/machines/{id}/collectInvestigationPackage".to_owned();
    operation.effect.class = EffectClass::Safe;
}

fn without_effect(description: &mut Description) {
    let operation = description.operations.iter_mut().find(|operation| operation.id == "restrict-device").unwrap();
    operation.effect.class = EffectClass::Safe;
}

fn without(description: &mut Description) {
    description.operations.retain(|operation| operation.id != "restrict-device");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_calls_as_it_began_and_a_new_one_as_it_is_now() {
    let scene = Scene::start().await;
    let runner = scene.stage.runner().await;
    let run = scene.order(&runner, ASKS, "before").await;
    scene.import(elsewhere).await;
    let run = scene.finish(&runner, run).await;
    assert_eq!(run.outcome.as_deref(), Some("succeeded"), "{:#?}", scene.stage.journal(&run).await);
    assert_eq!(scene.ordered().await, (1, 0));
    let intents = scene.stage.store.intents(scene.stage.tenant, run.id).await.unwrap();
    assert_eq!(intents.len(), 1, "its effect is what it was, too");

    let new = scene.order(&runner, ASKS, "after").await;
    let new = scene.finish(&runner, new).await;
    assert_eq!(scene.ordered().await, (1, 1), "{:#?}", scene.stage.journal(&new).await);
    let intents = scene.stage.store.intents(scene.stage.tenant, new.id).await.unwrap();
    assert_eq!(intents.len(), 0, "it is said to have no effect");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_gone_from_the_connector_is_there_for_who_began_with_it() {
    let scene = Scene::start().await;
    let runner = scene.stage.runner().await;
    let run = scene.order(&runner, ASKS, "before").await;
    let without = scene.import(without).await;
    // An edit and a removal leave it as well.
    scene.stage.store.edit_connector(&without.info, json!({ "title": "Other" })).await.unwrap();
    scene.stage.store.remove_connector(&without.info).await.unwrap();
    let run = scene.finish(&runner, run).await;
    assert_eq!(run.outcome.as_deref(), Some("succeeded"), "{:#?}", scene.stage.journal(&run).await);
    assert_eq!(scene.ordered().await, (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workflow_that_it_calls_goes_by_the_same_descriptions() {
    let scene = Scene::start().await;
    let runner = scene.stage.runner().await;
    scene.stage.keep(ACTS).await;
    let run = scene.order(&runner, CALLS, "before").await;
    scene.import(elsewhere).await;
    let run = scene.finish(&runner, run).await;
    assert_eq!(run.outcome.as_deref(), Some("succeeded"), "{:#?}", scene.stage.journal(&run).await);
    assert_eq!(scene.ordered().await, (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_repeats_a_run_from_a_step_on_calls_as_it_is_now() {
    let scene = Scene::start().await;
    let runner = scene.stage.runner().await;
    let run = scene.order(&runner, ASKS, "before").await;
    let run = scene.finish(&runner, run).await;
    scene.import(elsewhere).await;
    let actor = (*scene.stage.store.actor()).clone();
    let wish = Again { from_step: Some("act".to_owned()), key: "k".to_owned(), actor };
    let order = again(&scene.stage.store, &run, wish).await.unwrap();
    let Started::New(repeated) = runner.start(scene.stage.tenant, order).await.unwrap() else { panic!("it is new") };
    let repeated = scene.stage.let_pass(&runner, repeated).await;
    assert_eq!(scene.ordered().await, (1, 1), "{:#?}", scene.stage.journal(&repeated).await);
}

/// A call whose answer was lost is looked for, and not repeated because another description says that it has no effect.
#[tokio::test(flavor = "multi_thread")]
async fn its_effects_are_what_they_were_for_another_process_too() {
    let scene = Scene::start().await;
    scene.stage.cloud.put("/world/actions", &json!({ "repeat": "accept" })).await;
    let runner = scene.stage.runner().await;
    let run = scene.order(&runner, ASKS, "before").await;
    drop(runner);
    scene.import(without_effect).await;
    let lost = json!({ "kind": "reset_after_effect", "route": "*/restrictCodeExecution", "times": 1 });
    scene.stage.cloud.post("/faults", &lost).await;
    let runner = scene.stage.runner().await;
    let run = scene.finish(&runner, run).await;
    assert_eq!(run.outcome.as_deref(), Some("succeeded"), "{:#?}", scene.stage.journal(&run).await);
    assert_eq!(scene.ordered().await, (1, 0), "{:#?}", scene.stage.journal(&run).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_begins_when_what_it_pins_can_be_read() {
    let scene = Scene::start().await;
    *scene.stage.outside.unread.lock().unwrap() = true;
    let runner = scene.stage.runner().await;
    let run = scene.order(&runner, ASKS, "once").await;
    assert_eq!(scene.stage.store.run(scene.stage.tenant, run).await.unwrap().begun, None);
    *scene.stage.outside.unread.lock().unwrap() = false;
    let waiting = scene.stage.store.run(scene.stage.tenant, run).await.unwrap();
    assert_eq!(waiting.status, RunStatus::Queued, "it is tried again by itself");
    let later = runner.next_wake().unwrap();
    scene.stage.advance_to(later).await;
    runner.serve_until_idle().await;
    scene.import(elsewhere).await;
    let run = scene.finish(&runner, run).await;
    assert_eq!(run.outcome.as_deref(), Some("succeeded"), "{:#?}", scene.stage.journal(&run).await);
    assert_eq!(scene.ordered().await, (1, 0));
}

/// The process dies before and after each commit and each call after the yes.
#[tokio::test(flavor = "multi_thread")]
async fn a_crash_in_between_changes_nothing() {
    for dies_at in 0..8 {
        let mut scene = Scene::start().await;
        let runner = scene.stage.runner().await;
        let run = scene.order(&runner, ASKS, "before").await;
        drop(runner);
        scene.import(elsewhere).await;
        scene.approve(run).await;
        let mortal = Mortal::new(Some(dies_at));
        let mut options = scene.stage.options();
        options.points = Some(Arc::clone(&mortal) as Arc<dyn Points>);
        let runner = Runner::new(options).await.unwrap();
        tokio::select! {
            biased;
            () = mortal.died.notified() => {}
            () = runner.serve_until_idle() => {}
        };
        drop(runner);
        scene.stage.reopen().await;
        let runner = scene.stage.runner().await;
        let run = scene.stage.let_pass(&runner, run).await;
        let story = format!("dies at {dies_at}: {:#?}", scene.stage.journal(&run).await);
        assert_eq!(run.outcome.as_deref(), Some("succeeded"), "{story}");
        assert_eq!(scene.ordered().await, (1, 0), "{story}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn retention_keeps_what_an_open_run_has_pinned_and_lets_it_go_then() {
    let scene = Scene::start().await;
    let runner = scene.stage.runner().await;
    let first = scene.stage.store.connector(SHARED, "desk").await.unwrap().info.pin();
    let run = scene.order(&runner, ASKS, "before").await;
    let between = scene.import(without).await.info.pin();
    scene.import(elsewhere).await;
    let is_kept = async |pin: &str| match scene.stage.store.connector_version(SHARED, "desk", pin).await {
        Ok(_) => true,
        Err(error) => {
            assert!(matches!(error.kind, StoreErrorKind::Absent(_)), "{error}");
            false
        }
    };
    assert_eq!((scene.sweep().await, is_kept(&between).await), (0, true), "somebody may be about to begin with it");
    scene.stage.advance_to(scene.stage.clock.now().checked_add(SignedDuration::from_hours(48)).unwrap()).await;
    assert_eq!((scene.sweep().await, is_kept(&first).await, is_kept(&between).await), (1, true, false));
    let run = scene.finish(&runner, run).await;
    assert_eq!(run.outcome.as_deref(), Some("succeeded"), "{:#?}", scene.stage.journal(&run).await);
    assert_eq!(scene.ordered().await, (1, 0));
    assert_eq!((scene.sweep().await, is_kept(&first).await), (1, false));
}
