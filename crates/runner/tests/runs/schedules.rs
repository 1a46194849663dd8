//! Random schedules: processes that die again and again, over a cloud where calls go wrong. Whatever comes of a run, no
//! effect of it happens twice, none that it tells of is missing, and it ends, or a person is asked and told why.

use std::{collections::BTreeMap, sync::Arc};

use jiff::SignedDuration;
use serde_json::json;
use sortie_model::Clock as _;
use sortie_runner::{Points, Runner};
use sortie_store::{RunId, RunStatus, Started};

use crate::{
    crash::{Mortal, step_on},
    scenarios::{SCENARIOS, Scenario, Subject},
    stage::Stage,
};

/// SplitMix64: the same schedule for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_schedule_doubles_an_effect_or_loses_a_run() {
    let count = std::env::var("SORTIE_TEST_SCHEDULES").ok().and_then(|text| text.parse().ok()).unwrap_or(USUAL);
    let mut ends: BTreeMap<String, u32> = BTreeMap::new();
    for seed in 0..count {
        let scenario = &SCENARIOS[usize::try_from(seed).unwrap() % SCENARIOS.len()];
        let end = play(scenario, seed).await.unwrap_or_else(|fault| panic!("seed {seed}, {}: {fault}", scenario.name));
        *ends.entry(end).or_default() += 1;
    }
    eprintln!("{count} schedules: {ends:?}");
    assert!(ends.get("succeeded").is_some_and(|count| *count > 0), "{ends:?}");
}

/// A few calls that go wrong, in words.
async fn faults(stage: &Stage, dice: &mut Dice) -> Vec<String> {
    let mut faults = Vec::new();
    for _ in 0..dice.below(4) {
        let kind = KINDS[usize::try_from(dice.below(KINDS.len() as u64)).unwrap()];
        let fault = json!({ "kind": kind, "after": dice.below(8), "retry_after": 1, "seconds": 20 });
        stage.cloud.post("/faults", &fault).await;
        faults.push(format!("{kind} after {}", fault["after"]));
    }
    faults
}

/// How the run ended, or what is wrong with that.
async fn play(scenario: &Scenario, seed: u64) -> Result<String, String> {
    let mut dice = Dice(seed);
    let mut stage = Stage::start().await;
    let subject = scenario.subject(&stage).await;
    for text in scenario.others {
        stage.keep(text).await;
    }
    let id = stage.keep(scenario.text).await;
    let faults = faults(&stage, &mut dice).await;
    let new = stage.new_run(&id, scenario.text, "once", subject.trigger.clone(), subject.inputs.clone());
    let Started::New(run) = stage.store.start_run(stage.tenant, new).await.unwrap() else { panic!("it is new") };
    let mut lives = dice.below(4);
    let mut ended = false;
    while !ended {
        let dies_at = (lives > 0).then(|| usize::try_from(dice.below(12)).unwrap());
        lives = lives.saturating_sub(1);
        let mortal = Mortal::new(dies_at);
        let mut options = stage.options();
        options.points = Some(Arc::clone(&mortal) as Arc<dyn Points>);
        let runner = Runner::new(options).await.unwrap();
        let mut steps = 0;
        loop {
            let died = tokio::select! {
                biased;
                () = mortal.died.notified() => true,
                () = runner.serve_until_idle() => false,
            };
            if died {
                break;
            }
            if step_on(&stage, &[&runner], run).await? {
                ended = true;
                break;
            }
            steps += 1;
            assert!(steps < 500, "seed {seed}: it goes on and on");
        }
        drop(runner);
        stage.reopen().await;
    }
    judge(scenario, &stage, &subject, run, &faults).await
}

/// Whether what became of the run is what may become of it.
async fn judge(
    scenario: &Scenario,
    stage: &Stage,
    subject: &Subject,
    run: RunId,
    faults: &[String],
) -> Result<String, String> {
    stage.cloud.delete("/faults", None).await;
    // What is listed late shows by then.
    let later = stage.clock.now().checked_add(SignedDuration::from_mins(2)).unwrap();
    stage.advance_to(later).await;
    let found = stage.store.run(stage.tenant, run).await.unwrap();
    let mut effects = subject.effects(stage).await;
    // A call that overwrites may be made again.
    effects.retain(|effect, _| !effect.starts_with("calls to"));
    let told = stage.journal(&found).await.join("\n");
    let wrong = |what: String| Err(format!("{what}\nfaults: {faults:?}\neffects: {effects:?}\n{told}"));
    if let Some((effect, count)) = effects.iter().find(|(effect, count)| **count > 1 && !effect.starts_with("counted"))
    {
        return wrong(format!("{effect} happened {count} times"));
    }
    let end = found.outcome.clone().unwrap_or_else(|| found.status.word().to_owned());
    let sum = effects.values().sum::<usize>();
    let wanted = scenario.effects - scenario.calls;
    let least = wanted - usize::from(scenario.may_lose.is_some());
    match (found.status, end.as_str()) {
        (RunStatus::NeedsAttention, _) if found.why.is_some() => Ok(end),
        (RunStatus::Ended, end) if end == scenario.outcome && (least..=wanted).contains(&sum) => Ok(end.to_owned()),
        (RunStatus::Ended, "succeeded") => wrong(format!("it succeeded with {sum} effects")),
        (RunStatus::Ended, end) if sum <= wanted => Ok(end.to_owned()),
        _ => wrong(format!("it is left as {:?}", found.status)),
    }
}

const USUAL: u64 = 50;
const KINDS: &[&str] = &[
    "too_many_requests",
    "server_error",
    "gateway_timeout",
    "reset",
    "cut_body",
    "html",
    "reset_after_effect",
    "late_action_listing",
    "active_request_already_exists",
    "token_expired",
];
