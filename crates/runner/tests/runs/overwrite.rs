//! What overwrites is read in doubt: it is not sent again where it stands, and what an analyst has set since is not undone.

use std::sync::Arc;

use jiff::SignedDuration;
use serde_json::{Value, json};
use sortie_model::Clock as _;
use sortie_runner::{Points, Runner};
use sortie_store::{Run, RunId, RunStatus, Started};

use crate::{crash::Mortal, stage::Stage};

/// Something that a step sets, and how an analyst sets it otherwise.
struct Setting {
    call: &'static str,
    with: &'static str,
    /// The call that the analyst makes, and what it gives beside the id.
    theirs: fn() -> Value,
    /// The call that shows how it stands, and where.
    shows: (&'static str, &'static str),
    ours_is: fn() -> Value,
    theirs_is: fn() -> Value,
}

const INCIDENT: Setting = Setting {
    call: "update-incident",
    with: "status: inProgress",
    theirs: || json!({ "status": "resolved" }),
    shows: ("get-incident", "/status"),
    ours_is: || json!("inProgress"),
    theirs_is: || json!("resolved"),
};

const TAGS: Setting = Setting {
    call: "update-incident",
    with: "customTags: [ours]",
    theirs: || json!({ "customTags": ["theirs"] }),
    shows: ("get-incident", "/customTags"),
    ours_is: || json!(["ours"]),
    theirs_is: || json!(["theirs"]),
};

const ALERT: Setting = Setting {
    call: "update-alert",
    with: "status: inProgress",
    theirs: || json!({ "status": "resolved" }),
    shows: ("get-alert", "/status"),
    ours_is: || json!("inProgress"),
    theirs_is: || json!("resolved"),
};

const ALERT_OF_ENDPOINT: Setting = Setting {
    call: "update-alert-mde",
    with: "status: InProgress, determination: NotMalicious, classification: FalsePositive",
    theirs: || json!({ "status": "Resolved" }),
    shows: ("get-alert-mde", "/status"),
    ours_is: || json!("InProgress"),
    theirs_is: || json!("Resolved"),
};

const INCIDENT_OF_XDR: Setting = Setting {
    call: "update-incident-xdr",
    with: "status: InProgress, tags: [ours]",
    theirs: || json!({ "status": "Resolved" }),
    shows: ("get-incident-xdr", "/status"),
    ours_is: || json!("InProgress"),
    theirs_is: || json!("Resolved"),
};

const ALL: [&Setting; 5] = [&INCIDENT, &TAGS, &ALERT, &ALERT_OF_ENDPOINT, &INCIDENT_OF_XDR];

/// An object, a workflow that sets something of it, and an analyst.
struct Scene {
    stage: Stage,
    setting: &'static Setting,
    id: String,
    text: String,
}

impl Scene {
    async fn of(setting: &'static Setting) -> Self {
        let stage = Stage::start().await;
        let list = match setting.call {
            "update-alert" => "list-alerts",
            "update-alert-mde" => "list-alerts-mde",
            "update-incident-xdr" => "list-incidents-xdr",
            _ => "list-incidents",
        };
        let all = stage.call(list, json!({ "$top": 20 })).await;
        let open = all["value"].as_array().unwrap().iter().find(|one| {
            let status = one["status"].as_str().unwrap_or_default().to_ascii_lowercase();
            status == "active" || status == "new"
        });
        let open = open.unwrap();
        let id = [&open["id"], &open["incidentId"]].into_iter().find(|id| !id.is_null()).unwrap();
        let id = id.as_str().map_or_else(|| id.to_string(), str::to_owned);
        // What was changed long before stands in nobody's way.
        let later = stage.clock.now().checked_add(SignedDuration::from_mins(10)).unwrap();
        stage.advance_to(later).await;
        let text = format!(
            "workflow: sets\ntriggers: [{{ manual: {{ inputs: {{ id: string }} }} }}]\nsteps:\n  - id: set\n    \
             call: microsoft-365-defender/{}\n    with: {{ id: '{{{{ inputs.id }}}}', {} }}\n",
            setting.call, setting.with
        );
        Self { stage, setting, id, text }
    }

    async fn fault(&self, kind: &str, method: &str) {
        self.stage.cloud.post("/faults", &json!({ "kind": kind, "method": method, "times": 1 })).await;
    }

    /// As far as it goes without time.
    async fn run(&self) -> Run {
        self.stage.run(&self.text, json!({ "id": self.id })).await
    }

    async fn analyst(&self) {
        let later = self.stage.clock.now().checked_add(SignedDuration::from_secs(2)).unwrap();
        self.stage.advance_to(later).await;
        let mut inputs = (self.setting.theirs)();
        inputs["id"] = self.id.clone().into();
        self.stage.call(self.setting.call, inputs).await;
    }

    async fn stands(&self) -> Value {
        let (call, at) = self.setting.shows;
        self.stage.call(call, json!({ "id": self.id })).await.pointer(at).cloned().unwrap_or_default()
    }

    /// Calls that were to change something, with those that got no answer.
    async fn changes(&self) -> u64 {
        let counters = self.stage.cloud.get("/counters").await;
        let calls = counters["calls"].as_array().unwrap().iter();
        calls.filter(|call| call["method"] == "PATCH").map(|call| call["count"].as_u64().unwrap()).sum()
    }

    async fn end(&self, run: RunId) -> Run {
        let runner = self.stage.runner().await;
        self.stage.let_pass(&runner, run).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_is_not_sent_again() {
    for setting in ALL {
        let scene = Scene::of(setting).await;
        scene.fault("reset_after_effect", "PATCH").await;
        let run = scene.run().await;
        let lines = scene.stage.journal(&run).await;
        assert_eq!(run.outcome.as_deref(), Some("succeeded"), "{} {lines:#?}", scene.text);
        assert_eq!((scene.changes().await, scene.stands().await), (1, (setting.ours_is)()));
        let output = scene.stage.value(&run, "0").await;
        assert_eq!(output["output"].pointer(setting.shows.1), Some(&(setting.ours_is)()), "{output}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_stand_is_sent_again_when_it_would_show() {
    for setting in ALL {
        let scene = Scene::of(setting).await;
        scene.fault("reset", "PATCH").await;
        let begun = scene.stage.clock.now();
        let run = scene.run().await;
        assert_eq!(run.status, RunStatus::Waiting);
        let run = scene.end(run.id).await;
        assert_eq!(run.outcome.as_deref(), Some("succeeded"), "{:#?}", scene.stage.journal(&run).await);
        assert_eq!(scene.stands().await, (setting.ours_is)());
        let took = scene.stage.clock.now().duration_since(begun).as_secs();
        assert!((30..60).contains(&took), "{took} seconds");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_analyst_has_set_since_stands() {
    for (setting, landed) in ALL.iter().flat_map(|setting| [(*setting, true), (*setting, false)]) {
        let scene = Scene::of(setting).await;
        scene.fault(if landed { "reset_after_effect" } else { "reset" }, "PATCH").await;
        // Nobody sees at first how it stands.
        scene.fault("reset", "GET").await;
        let run = scene.run().await;
        assert_eq!(run.status, RunStatus::Waiting, "{:#?}", scene.stage.journal(&run).await);
        scene.analyst().await;
        let run = scene.end(run.id).await;
        let lines = scene.stage.journal(&run).await;
        assert_eq!(run.status, RunStatus::NeedsAttention, "{} {lines:#?}", scene.text);
        assert!(lines.iter().any(|line| line.contains("changed")), "{lines:#?}");
        assert_eq!(scene.stands().await, (setting.theirs_is)());
        scene.stage.store.resolve_doubt(scene.stage.tenant, run.id, "0", 1, "happened").await.unwrap();
        let run = scene.end(run.id).await;
        assert_eq!(run.outcome.as_deref(), Some("succeeded"));
        assert_eq!(scene.stands().await, (setting.theirs_is)());
    }
}

/// Two people say of one try that it did not happen; the next try is lost as well, and nobody has spoken about that one.
#[tokio::test(flavor = "multi_thread")]
async fn a_word_about_one_try_settles_no_other() {
    let stage = Stage::start().await;
    let incident = stage.call("list-incidents", json!({ "$top": 1 })).await["value"][0]["id"].clone();
    stage.cloud.post("/faults", &json!({ "kind": "reset_after_effect", "method": "POST", "times": 2 })).await;
    let text = "\
workflow: asks
triggers: [{ manual: { inputs: { incident: string } } }]
steps:
  - id: tell
    call: microsoft-365-defender/comment-incident
    with: { id: '{{ inputs.incident }}', comment: once }
    on_doubt: ask
";
    let run = stage.run(text, json!({ "incident": incident })).await;
    assert_eq!(run.status, RunStatus::NeedsAttention, "{:#?}", stage.journal(&run).await);
    let runner = stage.runner().await;
    for _ in 0..2 {
        stage.store.resolve_doubt(stage.tenant, run.id, "0", 1, "did_not_happen").await.unwrap();
        runner.poke(stage.key, run.id);
        runner.serve_until_idle().await;
        let run = stage.store.run(stage.tenant, run.id).await.unwrap();
        assert_eq!(run.status, RunStatus::NeedsAttention, "{:#?}", stage.journal(&run).await);
    }
    let comments = stage.call("get-incident", json!({ "id": incident })).await["comments"].clone();
    assert_eq!(comments.as_array().unwrap().len(), 2, "both were made, and no third: {comments}");
    stage.store.resolve_doubt(stage.tenant, run.id, "0", 2, "happened").await.unwrap();
    runner.poke(stage.key, run.id);
    runner.serve_until_idle().await;
    assert_eq!(stage.store.run(stage.tenant, run.id).await.unwrap().outcome.as_deref(), Some("succeeded"));
}

#[tokio::test(flavor = "multi_thread")]
async fn clocks_that_are_apart_make_nothing_older() {
    for apart in [SignedDuration::from_mins(7), SignedDuration::from_mins(-7)] {
        let scene = Scene::of(&INCIDENT).await;
        scene.stage.clock.advance(apart);
        scene.fault("reset", "PATCH").await;
        scene.fault("reset", "GET").await;
        let run = scene.run().await;
        scene.analyst().await;
        let run = scene.end(run.id).await;
        assert_eq!(run.status, RunStatus::NeedsAttention, "{apart}: {:#?}", scene.stage.journal(&run).await);
        assert_eq!(scene.stands().await, json!("resolved"));
    }
}

/// The process dies before and after each commit and each call; where there is one, an analyst is quicker than the next.
#[tokio::test(flavor = "multi_thread")]
async fn after_a_crash_it_is_read_first() {
    for (dies_at, analyst) in (0..6).flat_map(|point| [(point, true), (point, false)]) {
        let mut scene = Scene::of(&INCIDENT).await;
        let id = scene.stage.keep(&scene.text).await;
        let mortal = Mortal::new(Some(dies_at));
        let mut options = scene.stage.options();
        options.points = Some(Arc::clone(&mortal) as Arc<dyn Points>);
        let runner = Runner::new(options).await.unwrap();
        let inputs = json!({ "id": scene.id });
        let new = scene.stage.new_run(&id, &scene.text, "once", json!({ "kind": "manual" }), inputs);
        let Started::New(run) = runner.start(scene.stage.tenant, new).await.unwrap() else { panic!("it is new") };
        tokio::select! {
            biased;
            () = mortal.died.notified() => {}
            () = runner.serve_until_idle() => {}
        };
        drop(runner);
        scene.stage.reopen().await;
        let has_landed = scene.changes().await == 1;
        let has_ended = scene.stage.store.run(scene.stage.tenant, run).await.unwrap().ended.is_some();
        let is_ordered = !scene.stage.store.intents(scene.stage.tenant, run).await.unwrap().is_empty();
        if analyst {
            scene.analyst().await;
        }
        let run = scene.end(run).await;
        let story = format!("dies at {dies_at}, {analyst}: {:#?}", scene.stage.journal(&run).await);
        let is_lost = run.status == RunStatus::NeedsAttention;
        match (analyst, is_ordered) {
            // What is known to be done is no doubt.
            (true, true) if has_ended => assert!(!is_lost && scene.stands().await == json!("resolved"), "{story}"),
            (true, true) => {
                assert!(is_lost, "{story}");
                assert_eq!(scene.stands().await, json!("resolved"), "{story}");
            }
            // Nothing was ordered before the analyst.
            (true, false) => assert!(!is_lost && !has_landed, "{story}"),
            (false, _) => {
                assert_eq!(run.outcome.as_deref(), Some("succeeded"), "{story}");
                assert_eq!((scene.changes().await, scene.stands().await), (1, json!("inProgress")), "{story}");
            }
        }
    }
}
