//! Two owners of one run: a process stalls at any point, is taken for dead, and another goes on with its run; then it wakes
//! and goes on, too. Whatever it still wants is refused, and each effect happens once.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use jiff::SignedDuration;
use sortie_model::Clock as _;
use sortie_runner::{Controls, Doing, Point, Points, Runner};
use sortie_store::{RunId, Started};
use tokio::sync::{Notify, Semaphore};

use crate::{
    crash::{End, fault, step_on},
    scenarios::{SCENARIOS, Scenario},
    stage::Stage,
};

/// Stalls at one of the points until it is let go.
struct Stalling {
    passed: AtomicUsize,
    stalls_at: Option<usize>,
    stalled: Notify,
    gate: Semaphore,
}

impl Points for Stalling {
    fn pass(&self, _: Point) -> Doing<'_, ()> {
        Box::pin(async move {
            if self.stalls_at == Some(self.passed.fetch_add(1, Ordering::SeqCst)) {
                self.stalled.notify_one();
                self.gate.acquire().await.unwrap().forget();
            }
        })
    }
}

/// Tells of each commit.
#[derive(Default)]
struct Committing(Notify);

impl Points for Committing {
    fn pass(&self, point: Point) -> Doing<'_, ()> {
        if point == Point::AfterCommit {
            self.0.notify_one();
        }
        Box::pin(std::future::ready(()))
    }
}

/// When the stalled process wakes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wakes {
    /// As soon as the other has the run.
    Early,
    /// When the other has come to its end.
    Late,
}

/// A run whose first process stalls there; how it ended, and the points that the first one passed.
async fn play(scenario: &Scenario, stalls: Option<(usize, Wakes)>, controls: Controls) -> (End, usize, Vec<String>) {
    let stage = Stage::start().await;
    let subject = scenario.subject(&stage).await;
    for text in scenario.others {
        stage.keep(text).await;
    }
    let id = stage.keep(scenario.text).await;
    let stalling = Arc::new(Stalling {
        passed: AtomicUsize::new(0),
        stalls_at: stalls.map(|(at, _)| at),
        stalled: Notify::new(),
        gate: Semaphore::new(0),
    });
    let mut options = stage.options();
    options.controls = controls;
    let mut second = options.clone();
    let commits = Arc::new(Committing::default());
    second.points = Some(Arc::clone(&commits) as Arc<dyn Points>);
    options.points = Some(Arc::clone(&stalling) as Arc<dyn Points>);
    let first = Runner::new(options).await.unwrap();
    let new = stage.new_run(&id, scenario.text, "once", subject.trigger.clone(), subject.inputs.clone());
    let Started::New(run) = first.start(stage.tenant, new).await.unwrap() else { panic!("it is new") };
    let at_work = loop {
        let working = first.clone();
        let mut at_work = tokio::spawn(async move { working.serve_until_idle().await });
        tokio::select! {
            biased;
            () = stalling.stalled.notified() => break Some(at_work),
            worked = &mut at_work => worked.unwrap(),
        }
        if step_on(&stage, &[&first], run).await.unwrap() {
            break None;
        }
    };
    if let (Some(at_work), Some((_, wakes))) = (at_work, stalls) {
        // Nobody has heard of it for more than a minute.
        let later = stage.clock.now().checked_add(SignedDuration::from_secs(61)).unwrap();
        stage.advance_to(later).await;
        let second = Runner::new(second).await.unwrap();
        if wakes == Wakes::Early {
            tokio::select! {
                () = commits.0.notified() => {}
                () = second.serve_until_idle() => {}
            }
        } else {
            go_on(&stage, &[&second], run).await;
        }
        stalling.gate.add_permits(1);
        at_work.await.unwrap();
        go_on(&stage, &[&first, &second], run).await;
    }
    let (end, lines) = End::of(&stage, &subject, run).await;
    (end, stalling.passed.load(Ordering::SeqCst), lines)
}

/// All of them at once, and time passes, until nothing more happens by itself.
async fn go_on(stage: &Stage, runners: &[&Runner], run: RunId) {
    for _ in 0..300 {
        let at_work: Vec<_> = runners.iter().map(|runner| (*runner).clone()).collect();
        let at_work: Vec<_> =
            at_work.into_iter().map(|runner| tokio::spawn(async move { runner.serve_until_idle().await })).collect();
        for one in at_work {
            one.await.unwrap();
        }
        // What nobody wakes has not ended as it should, which is seen then.
        if step_on(stage, runners, run).await.unwrap_or(true) {
            return;
        }
    }
    panic!("it goes on and on");
}

/// Every point of a scenario, and both moments of waking.
async fn matrix(name: &str, controls: Controls) -> (usize, Vec<String>) {
    let scenario = SCENARIOS.iter().find(|scenario| scenario.name == name).unwrap();
    let (plain, points, _) = play(scenario, None, controls).await;
    assert_eq!(plain.outcome.as_deref(), Some(scenario.outcome));
    let mut faults = Vec::new();
    for point in 0..points {
        for wakes in [Wakes::Early, Wakes::Late] {
            let (end, _, mut lines) = play(scenario, Some((point, wakes)), controls).await;
            if let Some(fault) = fault(scenario, &plain, &end) {
                lines.truncate(40);
                let story = lines.join("\n");
                faults.push(format!("{name}, stalled at {point} of {points}, {wakes:?}: {fault}\n{story}"));
            }
        }
    }
    eprintln!("{name} with {controls:?}: {} of {} take-overs are red", faults.len(), 2 * points);
    (points, faults)
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_lost_a_run_does_nothing_more_for_it() {
    let (_, faults) = matrix("contain", Controls::default()).await;
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_epochs_two_owners_double_an_effect() {
    let (_, faults) = matrix("contain", Controls { without_epochs: true, ..Controls::default() }).await;
    assert!(faults.iter().any(|fault| fault.contains("happened 2 times")), "{}", faults.join("\n\n"));
}
