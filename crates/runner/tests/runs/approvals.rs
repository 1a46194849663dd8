//! Questions to people: nothing that stands behind one begins without its yes, whatever else happens.

use serde_json::json;
use sortie_runner::{Again, AgainError, Runner, again};
use sortie_store::{
    Actor, ActorKind, Approval, Decision, Grant, Role, Run, RunStatus, Started, StoreErrorKind, TenantKey,
};

use crate::stage::Stage;

/// Of this document, with what its steps have counted.
struct Scene {
    stage: Stage,
    runner: Runner,
    run: Run,
}

const HEAD: &str = "workflow: asks\ntriggers: [{ manual: { inputs: { yes: boolean, list: list } } }]\n";

impl Scene {
    async fn of(steps: &str) -> Self {
        let stage = Stage::start().await;
        let text = format!("{HEAD}steps:\n{}", steps.trim_start_matches("steps:\n"));
        let run = stage.run(&text, json!({ "yes": false, "list": ["a", "b", "c"] })).await;
        let runner = stage.runner().await;
        Self { stage, runner, run }
    }

    async fn settle(&mut self) {
        self.runner.serve_until_idle().await;
        self.run = self.stage.store.run(self.stage.tenant, self.run.id).await.unwrap();
    }

    async fn open(&self) -> Vec<Approval> {
        let all = self.stage.store.approvals_of(self.stage.tenant, self.run.id).await.unwrap();
        all.into_iter().filter(|one| one.decided.is_none()).collect()
    }

    /// Somebody answers the question of this text.
    async fn answer(&mut self, ask: &str, approves: bool) {
        let open = self.open().await;
        let question = open.iter().find(|one| one.new.ask == ask).unwrap_or_else(|| panic!("{ask}: {open:#?}"));
        self.stage.store.decide(question, approves, None).await.unwrap();
        self.runner.poke(question.tenant, question.run);
        self.settle().await;
    }

    /// What steps have done, by the name of what they count.
    async fn done(&self) -> Vec<String> {
        let names = self.stage.store.value_names(self.stage.tenant, "", "", 100).await.unwrap();
        let mut done = Vec::new();
        for name in names {
            let count = self.stage.store.value(self.stage.tenant, &name).await.unwrap().unwrap().value;
            done.push(if count == "1" { name } else { format!("{name} {count} times") });
        }
        done
    }

    fn outcome(&self) -> &str {
        self.run.outcome.as_deref().unwrap_or("open")
    }
}

const BRANCHES: &str = "\
steps:
  - id: left
    approval: { ask: left? }
  - id: right
    approval: { ask: right? }
  - { id: on-left, after: [left], call: kv/increment, with: { name: left } }
  - { id: on-right, after: [right], call: kv/increment, with: { name: right } }
  - { id: joined, after: [on-left, on-right], call: kv/increment, with: { name: joined } }
";

#[tokio::test(flavor = "multi_thread")]
async fn a_yes_opens_its_own_branch_alone() {
    let mut scene = Scene::of(BRANCHES).await;
    assert_eq!((scene.open().await.len(), scene.done().await), (2, Vec::<String>::new()));
    scene.answer("left?", true).await;
    assert_eq!((scene.outcome(), scene.done().await), ("open", vec!["left".to_owned()]));
    scene.answer("right?", false).await;
    assert_eq!((scene.outcome(), scene.done().await), ("failed", vec!["left".to_owned()]));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_item_of_a_loop_is_asked_for() {
    let mut scene = Scene::of(
        "\
steps:
  - id: each
    for_each: inputs.list
    as: one
    parallel: 3
    steps:
      - { id: ask, approval: { ask: '{{ one }}?' } }
      - { id: act, after: [ask], call: kv/increment, with: { name: '{{ one }}' } }
  - { id: then, after: [each], call: kv/increment, with: { name: then } }
",
    )
    .await;
    assert_eq!(scene.open().await.len(), 3);
    scene.answer("b?", true).await;
    assert_eq!(scene.done().await, ["b"]);
    scene.answer("a?", false).await;
    scene.answer("c?", true).await;
    assert_eq!((scene.outcome(), scene.done().await), ("failed", vec!["b".to_owned(), "c".to_owned()]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_is_not_asked_opens_nothing() {
    let behind = "  - { id: act, after: [ask], call: kv/increment, with: { name: act } }\n";
    for ask in [
        "  - { id: ask, when: inputs.yes, approval: { ask: x } }\n",
        "  - { id: ask, disabled: true, approval: { ask: x } }\n",
        "  - { id: no, when: inputs.yes, set: { a: 1 } }\n  - { id: ask, after: [no], approval: { ask: x } }\n",
        "  - { id: ask, run: on_failure, after: [ok], approval: { ask: x } }\n  - { id: ok, set: { a: 1 } }\n",
        "  - { id: ask, approval: { ask: '{{ inputs.list[9] }}' } }\n",
        "  - { id: ask, when: 'inputs.list[9]', approval: { ask: x } }\n",
        "  - { id: ask, for_each: inputs.list, when: inputs.yes, approval: { ask: x } }\n",
        "  - { id: ask, for_each: '[]', approval: { ask: x } }\n",
    ] {
        let scene = Scene::of(&format!("{ask}{behind}")).await;
        assert_eq!((scene.run.status, scene.done().await), (RunStatus::Ended, Vec::new()), "{ask}");
        assert!(scene.open().await.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loop_of_questions_opens_what_is_behind_it_when_all_were_answered() {
    let steps = |when: &str| {
        format!(
            "  - {{ id: ask, for_each: inputs.list, as: one, parallel: 3, when: '{when}', approval: {{ ask: '{{{{ one }}}}?' }} }}
  - {{ id: act, after: [ask], call: kv/increment, with: {{ name: act }} }}
"
        )
    };
    let mut all = Scene::of(&steps("index >= 0")).await;
    for ask in ["a?", "b?", "c?"] {
        assert_eq!((all.outcome(), all.done().await), ("open", Vec::new()));
        all.answer(ask, true).await;
    }
    assert_eq!((all.outcome(), all.done().await), ("succeeded", vec!["act".to_owned()]));
    let mut some = Scene::of(&steps("index > 0")).await;
    some.answer("b?", true).await;
    some.answer("c?", true).await;
    assert_eq!((some.outcome(), some.done().await), ("succeeded", Vec::new()), "nobody was asked for a");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_has_answered_in_time() {
    for (otherwise, done) in [("reject", vec!["always".to_owned(), "failed".to_owned()]), ("stop", vec![])] {
        let steps = format!(
            "  - {{ id: ask, approval: {{ ask: x, within: 4h, otherwise: {otherwise} }} }}
  - {{ id: act, after: [ask], call: kv/increment, with: {{ name: act }} }}
  - {{ id: failed, after: [ask], run: on_failure, call: kv/increment, with: {{ name: failed }} }}
  - {{ id: always, after: [act], run: always, call: kv/increment, with: {{ name: always }} }}
"
        );
        let mut scene = Scene::of(&steps).await;
        let question = scene.open().await.remove(0);
        scene.stage.advance_to(question.new.ends).await;
        // The time is over, although the run has not heard of it yet.
        let late = scene.stage.store.decide(&question, true, None).await.unwrap_err();
        assert!(matches!(late.kind, StoreErrorKind::Stale(_)), "{late:?}");
        scene.settle().await;
        assert_eq!((scene.outcome(), scene.done().await), ("failed", done), "{otherwise}");
        let all = scene.stage.store.approvals_of(scene.stage.tenant, scene.run.id).await.unwrap();
        assert_eq!((all[0].decision, &all[0].decided_by), (Some(Decision::Expired), &None));
        let kind = scene.stage.value(&scene.run, "0").await["error"]["kind"].clone();
        assert_eq!(kind, "rejected");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_decided_while_nobody_was_there_counts() {
    let mut stage = Stage::start().await;
    let text = format!("{HEAD}{BRANCHES}");
    let run = stage.run(&text, json!({ "yes": true, "list": [] })).await;
    for (ask, approves) in [("left?", true), ("right?", true)] {
        stage.reopen().await;
        let open = stage.store.approvals_of(stage.tenant, run.id).await.unwrap();
        let question = open.iter().find(|one| one.new.ask == ask).unwrap();
        assert_eq!(question.decided, None, "it is still asked");
        // The process that took the answer died before the run heard of it.
        stage.store.decide(question, approves, None).await.unwrap();
    }
    stage.reopen().await;
    let runner = stage.runner().await;
    let mut scene = Scene { stage, runner, run };
    scene.settle().await;
    assert_eq!((scene.outcome(), scene.done().await.len()), ("succeeded", 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_given_up_takes_its_questions_back() {
    let mut scene = Scene::of(BRANCHES).await;
    let open = scene.open().await;
    scene.stage.store.cancel_run(scene.stage.tenant, scene.run.id).await.unwrap();
    // Somebody says yes before the run has heard that it is given up.
    scene.stage.store.decide(&open[0], true, None).await.unwrap();
    scene.runner.poke(open[0].tenant, open[0].run);
    scene.settle().await;
    assert_eq!((scene.outcome(), scene.done().await), ("cancelled", Vec::new()));
    let late = scene.stage.store.decide(&open[1], true, None).await.unwrap_err();
    assert!(matches!(late.kind, StoreErrorKind::Stale(_)), "{late:?}");
    let all = scene.stage.store.approvals_of(scene.stage.tenant, scene.run.id).await.unwrap();
    assert_eq!(
        all.iter().map(|one| one.decision).collect::<Vec<_>>(),
        [Some(Decision::Approved), Some(Decision::Withdrawn)]
    );
}

fn somebody(name: &str, role: Role, tenant: Option<TenantKey>) -> Actor {
    Actor { id: name.to_owned(), name: name.to_owned(), kind: ActorKind::Token, grants: vec![Grant { role, tenant }] }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_decide_changes_nothing() {
    let mut scene = Scene::of(
        "  - { id: ask, approval: { ask: x, roles: [admin], own: refused } }
  - { id: act, after: [ask], call: kv/increment, with: { name: act } }
",
    )
    .await;
    let other = scene.stage.store.add_tenant("fabrikam", None, "global").await.unwrap().key;
    let (question, key) = (scene.open().await.remove(0), scene.stage.key);
    for (name, role, tenant) in [
        ("vera/x", Role::Viewer, None),
        ("rita/x", Role::Responder, Some(key)),
        ("emil/x", Role::Engineer, None),
        // An administrator elsewhere.
        ("otto/x", Role::Admin, Some(other)),
        // Whoever started the run, by another token of theirs.
        ("ana/second", Role::Admin, None),
    ] {
        let store = scene.stage.store.acting_as(somebody(name, role, tenant));
        let refused = store.decide(&question, true, None).await.unwrap_err();
        let is_own = matches!(refused.kind, StoreErrorKind::OwnRequest(_));
        assert!(is_own || matches!(refused.kind, StoreErrorKind::Forbidden { .. }), "{name}: {refused:?}");
        assert_eq!(is_own, name.starts_with("ana"), "{name}");
        scene.settle().await;
        assert_eq!((scene.outcome(), scene.done().await), ("open", Vec::new()), "{name}");
    }
    let store = scene.stage.store.acting_as(somebody("adam/x", Role::Admin, Some(key)));
    store.decide(&question, true, None).await.unwrap();
    scene.runner.poke(question.tenant, question.run);
    scene.settle().await;
    assert_eq!((scene.outcome(), scene.done().await), ("succeeded", vec!["act".to_owned()]));
}

/// A yes was for one run: whoever repeats what stands behind it must be one who may say it.
#[tokio::test(flavor = "multi_thread")]
async fn a_repetition_behind_a_question_is_for_whoever_may_answer_it() {
    for (own, by, role, may) in [
        ("allowed", "adam/x", Role::Admin, true),
        ("allowed", "rita/x", Role::Responder, false),
        // Whoever repeats it has started it themselves.
        ("refused", "adam/x", Role::Admin, false),
    ] {
        let steps = format!(
            "  - {{ id: ask, approval: {{ ask: x, roles: [admin], own: {own} }} }}
  - {{ id: between, after: [ask], set: {{ a: 1 }} }}
  - {{ id: act, after: [between], call: kv/increment, with: {{ name: act }} }}
  - {{ id: beside, after: [ask], call: kv/increment, with: {{ name: beside }} }}
"
        );
        let mut scene = Scene::of(&steps).await;
        let key = scene.stage.key;
        let question = scene.open().await.remove(0);
        let other = scene.stage.store.acting_as(somebody("olga/x", Role::Admin, None));
        other.decide(&question, true, None).await.unwrap();
        scene.runner.poke(key, scene.run.id);
        scene.settle().await;
        assert_eq!((scene.outcome(), scene.done().await.len()), ("succeeded", 2));
        let wish = |from: &str| {
            let (from_step, actor) = (Some(from.to_owned()), somebody(by, role, Some(key)));
            Again { from_step, key: from.to_owned(), actor }
        };
        let behind = again(&scene.stage.store, &scene.run, wish("act")).await;
        let from = match (&behind, may) {
            (Ok(_), true) => "act",
            (Err(AgainError::Unapproved { step, .. }), false) if step == "ask" => "ask",
            _ => panic!("{own} {by}: {behind:?}"),
        };
        let new = again(&scene.stage.store, &scene.run, wish(from)).await.unwrap();
        let Started::New(second) = scene.runner.start(scene.stage.tenant, new).await.unwrap() else { panic!() };
        scene.run = scene.stage.store.run(scene.stage.tenant, second).await.unwrap();
        scene.settle().await;
        let (outcome, done) = if may { ("succeeded", "act 2 times") } else { ("open", "act") };
        assert_eq!((scene.outcome(), scene.done().await), (outcome, vec![done.to_owned(), "beside".to_owned()]));
    }
}
