//! The crash matrix: at each point, before and after each commit and each call, the process dies and another goes on. It
//! must end as if nothing had happened, with each effect once; or a person is asked, and told why.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use serde_json::Value;
use sortie_runner::{Controls, Doing, Point, Points, Runner};
use sortie_store::{RunFilter, RunId, RunStatus, Started};
use tokio::sync::Notify;

use crate::{
    scenarios::{SCENARIOS, Scenario, Subject},
    stage::Stage,
};

/// Dies at one of the points, and stays dead.
pub(crate) struct Mortal {
    passed: AtomicUsize,
    dies_at: Option<usize>,
    is_dead: AtomicBool,
    pub(crate) died: Notify,
    kinds: Mutex<BTreeMap<String, usize>>,
}

impl Mortal {
    pub(crate) fn new(dies_at: Option<usize>) -> Arc<Self> {
        Arc::new(Self {
            passed: AtomicUsize::new(0),
            dies_at,
            is_dead: AtomicBool::new(false),
            died: Notify::new(),
            kinds: Mutex::default(),
        })
    }
}

impl Points for Mortal {
    fn pass(&self, point: Point) -> Doing<'_, ()> {
        Box::pin(async move {
            let number = self.passed.fetch_add(1, Ordering::SeqCst);
            *self.kinds.lock().unwrap().entry(format!("{point:?}")).or_default() += 1;
            if self.dies_at == Some(number) {
                self.is_dead.store(true, Ordering::SeqCst);
                self.died.notify_one();
            }
            if self.is_dead.load(Ordering::SeqCst) {
                std::future::pending::<()>().await;
            }
        })
    }
}

/// How a run has ended, and what the cloud has seen of it.
#[derive(Debug, PartialEq)]
pub(crate) struct End {
    status: RunStatus,
    why: Option<String>,
    pub outcome: Option<String>,
    output: Value,
    effects: BTreeMap<String, usize>,
}

/// One run of a scenario, by a process that dies once at most; the points that it passed until its death or its end.
async fn play(scenario: &Scenario, dies_at: Option<usize>, controls: Controls) -> (End, usize, Vec<String>) {
    let mut stage = Stage::start().await;
    let subject = scenario.subject(&stage).await;
    for text in scenario.others {
        stage.keep(text).await;
    }
    let id = stage.keep(scenario.text).await;
    let mortal = Mortal::new(dies_at);
    let options = |stage: &Stage, points: Option<Arc<Mortal>>| {
        let mut options = stage.options();
        options.points = points.map(|points| points as Arc<dyn Points>);
        options.controls = controls;
        options
    };
    let new = stage.new_run(&id, scenario.text, "once", subject.trigger.clone(), subject.inputs.clone());
    let mut runner = Runner::new(options(&stage, Some(Arc::clone(&mortal)))).await.unwrap();
    let Started::New(run) = runner.start(stage.tenant, new).await.unwrap() else { panic!("it is new") };
    let mut is_alive = true;
    for _ in 0..300 {
        let died = is_alive && {
            tokio::select! {
                biased;
                () = mortal.died.notified() => true,
                () = runner.serve_until_idle() => false,
            }
        };
        if died {
            is_alive = false;
            drop(runner);
            stage.reopen().await;
            runner = Runner::new(options(&stage, None)).await.unwrap();
        }
        if !is_alive {
            runner.serve_until_idle().await;
        }
        if step_on(&stage, &[&runner], run).await.unwrap() {
            break;
        }
    }
    let (end, lines) = End::of(&stage, &subject, run).await;
    (end, mortal.passed.load(Ordering::SeqCst), lines)
}

impl End {
    /// As it is now, with the journal.
    pub(crate) async fn of(stage: &Stage, subject: &Subject, run: RunId) -> (Self, Vec<String>) {
        let found = stage.store.run(stage.tenant, run).await.unwrap();
        let output = stage.value(&found, "#output").await;
        let lines = stage.journal(&found).await;
        let effects = subject.effects(stage).await;
        (Self { status: found.status, why: found.why, outcome: found.outcome, output, effects }, lines)
    }
}

impl End {
    /// Whether nothing but this effect is missing.
    fn has_lost(&self, effect: &str, plain: &Self) -> bool {
        let mut effects = plain.effects.clone();
        effects.remove(effect);
        self.effects == effects
            && (self.status, &self.why, &self.outcome, &self.output)
                == (plain.status, &plain.why, &plain.outcome, &plain.output)
    }
}

/// People say yes, time passes; true when nothing more will happen by itself. A run that nobody will ever wake is an error.
pub(crate) async fn step_on(stage: &Stage, runners: &[&Runner], run: RunId) -> Result<bool, String> {
    let found = stage.store.run(stage.tenant, run).await.unwrap();
    if found.status == RunStatus::Ended || found.status == RunStatus::NeedsAttention {
        return Ok(true);
    }
    let open = stage.store.approvals(stage.tenant, true, None, 10).await.unwrap();
    if let Some(approval) = open.first() {
        stage.store.decide(approval, true, None).await.unwrap();
        runners.iter().for_each(|runner| runner.poke(approval.tenant, approval.run));
        return Ok(false);
    }
    let Some(wake) = runners.iter().filter_map(|runner| runner.next_wake()).min() else {
        let all = stage.store.runs(stage.tenant, RunFilter::default(), 9).await.unwrap();
        return Err(format!("nobody will wake it: {all:#?}"));
    };
    stage.advance_to(wake).await;
    Ok(false)
}

/// What is wrong with how the run ended after it died there.
pub(crate) fn fault(scenario: &Scenario, plain: &End, end: &End) -> Option<String> {
    for (effect, count) in &end.effects {
        let wanted = plain.effects.get(effect).copied().unwrap_or(0);
        if *count > wanted {
            return Some(format!("{effect} happened {count} times instead of {wanted}"));
        }
    }
    match end.status {
        RunStatus::NeedsAttention => None,
        _ if end == plain => None,
        _ if scenario.may_lose.is_some_and(|effect| end.has_lost(effect, plain)) => None,
        _ => Some(format!("it ended as {end:?} instead of {plain:?}")),
    }
}

/// Every point of a scenario; the number of points, of questions to people, and what went wrong.
async fn matrix(scenario: &Scenario, controls: Controls) -> (usize, usize, Vec<String>) {
    let (plain, points, lines) = play(scenario, None, controls).await;
    assert_eq!(plain.outcome.as_deref(), Some(scenario.outcome), "{}: {plain:?} {lines:#?}", scenario.name);
    assert_eq!(plain.effects.values().sum::<usize>(), scenario.effects, "{}: {:?}", scenario.name, plain.effects);
    let mut faults = Vec::new();
    let mut asked = 0;
    for point in 0..points {
        let (end, _, mut lines) = play(scenario, Some(point), controls).await;
        lines.dedup();
        lines.truncate(40);
        let is_asked = end.status == RunStatus::NeedsAttention;
        asked += usize::from(is_asked);
        if is_asked && !scenario.may_ask {
            faults.push(format!("{} at point {point} of {points}: {:?}\n{}", scenario.name, end.why, lines.join("\n")));
        }
        if let Some(fault) = fault(scenario, &plain, &end) {
            faults.push(format!("{} at point {point} of {points}: {fault}\n{}", scenario.name, lines.join("\n")));
        }
    }
    (points, asked, faults)
}

async fn holds(name: &str) {
    let scenario = SCENARIOS.iter().find(|scenario| scenario.name == name).unwrap();
    let (points, asked, faults) = matrix(scenario, Controls::default()).await;
    eprintln!("{name}: died at each of {points} points; a person was asked {asked} times");
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
    assert_eq!(asked > 0, scenario.may_ask, "{name}: a person was asked {asked} times");
}

macro_rules! matrices { ($($name:ident),+ $(,)?) => {
    $(#[tokio::test(flavor = "multi_thread")]
    async fn $name() {
        holds(stringify!($name)).await;
    })+

    #[test]
    fn every_scenario_has_its_matrix() {
        let names: Vec<&str> = SCENARIOS.iter().map(|scenario| scenario.name).collect();
        assert_eq!(names, [$(stringify!($name)),+]);
    }
} }

matrices![
    contain_risky_device,
    disable_user,
    enrich_incident,
    phishing_triage,
    contain,
    ask_and_release,
    loops,
    calls_another,
    computes,
    handles_failure,
    counts,
    tells_people,
    overwrites,
    calls_off,
];

/// The matrix with something left out of the runner: what it says then.
async fn without(controls: Controls) -> String {
    let scenario = SCENARIOS.iter().find(|scenario| scenario.name == "contain").unwrap();
    let (points, _, faults) = matrix(scenario, controls).await;
    eprintln!("{controls:?}: {} of {points} points are red", faults.len());
    faults.join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn without_intents_the_matrix_turns_red() {
    let said = without(Controls { without_intents: true, ..Controls::default() }).await;
    assert!(said.contains("happened 2 times"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_looks_the_matrix_turns_red() {
    let said = without(Controls { without_looks: true, ..Controls::default() }).await;
    assert!(said.contains("happened 2 times"), "{said}");
}
