//! Any workflow under any order of events.

use std::{collections::BTreeMap, time::Duration};

use proptest::prelude::*;

use super::{
    Address, CallEnd, Command, Evaluated, Event, Kind, Phase, Resolution, State, What,
    tests::{Answers, World},
};
use crate::decide::{Class, Delivery, Outcome, Seen};

/// Numbers that a seed decides.
#[derive(Clone)]
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[usize::try_from(self.below(of.len() as u64)).unwrap()]
    }
}

fn steps(dice: &mut Dice, depth: usize, indent: usize) -> String {
    let mut text = String::new();
    let pad = " ".repeat(indent);
    for number in 0..1 + dice.below(5) {
        let verb = match dice.below(if depth == 0 { 8 } else { 7 }) {
            0..3 => format!(
                "call: x/{}\n{pad}  await: {}\n{pad}  on_timeout: {}",
                dice.one(&["get", "put", "isolate", "other"]),
                dice.one(&["true", "false"]),
                dice.one(&["leave", "cancel"])
            ),
            3 => "approval: { ask: x }".to_owned(),
            4 => "wait: { for: 1h }".to_owned(),
            5 => "set: { x: 1 }".to_owned(),
            6 => dice.one(&["workflow: other", "code: x", "stop: { outcome: failed }", "call: x/other"]).to_owned(),
            _ => format!("steps:\n{}", steps(dice, depth + 1, indent + 4)),
        };
        let is_body = verb.starts_with("steps");
        text += &format!("{pad}- id: s{number}\n");
        if number > 0 && dice.below(3) > 0 {
            let after = dice.below(number);
            text += &format!(
                "{pad}  after: [s{after}]\n{pad}  run: {}\n",
                dice.one(&["on_success", "on_success", "on_failure", "always"])
            );
        }
        if is_body || dice.below(5) == 0 {
            text += &format!("{pad}  for_each: list\n{pad}  parallel: {}\n", 1 + dice.below(3));
        }
        text += &format!("{pad}  {verb}\n");
        if dice.below(4) == 0 {
            text += &format!("{pad}  when: maybe\n");
        }
        if dice.below(5) == 0 {
            text += &format!("{pad}  timeout: 30m\n");
        }
        if dice.below(5) == 0 {
            text += &format!("{pad}  on_error: continue\n");
        }
    }
    text
}

/// What an unlucky world answers.
fn call_end(dice: &mut Dice) -> CallEnd {
    let failed = |delivery| CallEnd::Failed { delivery, retry_after: None };
    match dice.below(8) {
        0 => failed(Delivery::NotSent),
        1 => failed(Delivery::Throttled),
        2 => failed(Delivery::Refused),
        3 => failed(Delivery::Unknown),
        _ => CallEnd::Answered,
    }
}

fn world(dice: &mut Dice) -> World {
    let mut world = World::of(&steps(dice, 0, 2));
    let mut own = dice.clone();
    world.answer = Answers {
        evaluate: Box::new(move |_, what| match what {
            What::When => [Evaluated::Truth(true), Evaluated::Truth(false), Evaluated::Broken][own.below(3) as usize],
            What::List => Evaluated::Items(u32::try_from(own.below(4)).unwrap()),
            What::Wait => Evaluated::After(Duration::from_secs(60)),
            _ => Evaluated::Done,
        }),
        ..Answers::default()
    };
    world
}

/// Lets something happen to the world: an answer, a timer, a person, or something that happened before once more.
fn anything(world: &mut World, dice: &mut Dice, past: &mut Vec<Event>) {
    let event = match dice.below(12) {
        0 if !past.is_empty() => past[usize::try_from(dice.below(past.len() as u64)).unwrap()].clone(),
        1 if !world.timers.is_empty() => {
            let at = usize::try_from(dice.below(world.timers.len() as u64)).unwrap();
            let timer = world.timers.keys().nth(at).unwrap().clone();
            world.timers.remove(&timer);
            Event::TimerFired { timer }
        }
        2 if dice.below(20) == 0 => Event::CancelRequested,
        _ if !world.open.is_empty() => {
            let at = usize::try_from(dice.below(world.open.len() as u64)).unwrap();
            let Some(event) = answer(world.open.remove(at).unwrap(), &world.state, dice) else { return };
            event
        }
        _ => {
            let Some(timer) = world.timers.keys().next().cloned() else { return };
            world.timers.remove(&timer);
            Event::TimerFired { timer }
        }
    };
    past.push(event.clone());
    world.happen(event);
}

fn answer(command: Command, state: &State, dice: &mut Dice) -> Option<Event> {
    Some(match command {
        Command::Call { at, attempt } => Event::Ended { at, attempt, result: call_end(dice) },
        Command::Look { at, attempt } => {
            let seen = [Seen::Found, Seen::Absent, Seen::NotYet, Seen::Newer, Seen::Unclear][dice.below(5) as usize];
            Event::Ended { at, attempt, result: CallEnd::Looked { seen, again: Duration::from_secs(5) } }
        }
        Command::Follow { at, attempt } => {
            let again = Duration::from_secs(30);
            let result = if dice.below(2) == 0 { CallEnd::Pending { again } } else { CallEnd::Followed { well: true } };
            Event::Ended { at, attempt, result }
        }
        Command::CallOff { at, attempt } => {
            let result = match dice.below(3) {
                0 => CallEnd::CalledOff,
                1 => CallEnd::NotCalledOff { again: Some(Duration::from_secs(5)) },
                _ => CallEnd::NotCalledOff { again: None },
            };
            Event::Ended { at, attempt, result }
        }
        Command::StartChild { at } => Event::ChildDone { at, outcome: Outcome::Succeeded },
        Command::Ask { at } => Event::Decided { at, approves: dice.below(2) == 0 },
        Command::Doubt { at, .. } => {
            let resolution =
                [Resolution::Happened, Resolution::DidNotHappen, Resolution::GiveUp][dice.below(3) as usize];
            let attempt =
                state.at_work().into_iter().find(|(place, _)| *place == at).map_or(0, |(_, active)| active.attempt);
            Event::Resolved { at, attempt, resolution }
        }
        _ => return None,
    })
}

/// What must hold of a step's calls, whatever happened.
fn check_calls(world: &World, past: &[Event]) {
    let mut allowed: BTreeMap<String, usize> = BTreeMap::new();
    let mut before: Vec<&Event> = Vec::new();
    for event in past {
        // Once more is no other answer.
        if before.contains(&event) {
            continue;
        }
        before.push(event);
        let (at, more) = match event {
            Event::Ended {
                at,
                result: CallEnd::Failed { delivery: Delivery::NotSent | Delivery::Throttled, .. },
                ..
            } => (at, 1),
            Event::Ended { at, result: CallEnd::Looked { seen: Seen::Absent, .. }, .. } => (at, 1),
            Event::Resolved { at, resolution: Resolution::DidNotHappen, .. } => (at, 1),
            _ => continue,
        };
        *allowed.entry(world.name(at)).or_default() += more;
    }
    let mut calls: BTreeMap<&String, usize> = BTreeMap::new();
    world.calls.iter().for_each(|name| *calls.entry(name).or_default() += 1);
    for (name, count) in calls {
        let id = name.rsplit('.').next().unwrap().split('[').next().unwrap();
        let is_one_time =
            |kind: &Kind| matches!(kind, Kind::Call(call) if matches!(call.class, Class::Probed | Class::Unsafe));
        let all = world.plan.steps.iter().filter(|step| step.id == id).all(|step| is_one_time(&step.kind));
        let most = 1 + allowed.get(name).copied().unwrap_or_default();
        assert!(!all || count <= most, "{name} was called {count} times, at most {most} were safe");
    }
}

/// No step behind an approval begins without it.
fn check_approvals(world: &World, past: &[Event]) {
    for step in
        world.plan.steps.iter().filter(|step| step.parent.is_none() && step.run == crate::document::Run::OnSuccess)
    {
        for (before, _) in &step.after {
            let asked = world.plan.step(*before);
            if !matches!(asked.kind, Kind::Approval { .. }) || asked.each.is_some() {
                continue;
            }
            let at = Address::top(*before);
            let first = past.iter().find_map(|event| match event {
                Event::Decided { at: found, approves } if *found == at => Some(*approves),
                _ => None,
            });
            let began = world.calls.iter().any(|name| name.split(['[', '.']).next() == Some(step.id.as_str()));
            assert!(!began || first == Some(true), "{} began without {}", step.id, asked.id);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, max_shrink_iters: 20, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_run_ends_and_acts_once(seed in any::<u64>()) {
        let mut dice = Dice(seed);
        let mut world = world(&mut dice);
        let mut past = vec![Event::Started];
        world.happen(Event::Started);
        for _ in 0..400 {
            anything(&mut world, &mut dice, &mut past);
        }
        // Whatever was left open is given up; answers still come in, and doubts are settled.
        if world.state.end.is_none() {
            past.push(Event::CancelRequested);
            world.happen(Event::CancelRequested);
        }
        for _ in 0..2_000 {
            if world.state.end.is_some() {
                break;
            }
            anything(&mut world, &mut dice, &mut past);
            let in_doubt = world.state.at_work().into_iter().find(|(_, active)| active.phase == Phase::Doubt);
            if let Some((at, attempt)) = in_doubt.map(|(at, active)| (at, active.attempt)) {
                world.happen(Event::Resolved { at, attempt, resolution: Resolution::GiveUp });
            }
        }
        prop_assert!(world.state.end.is_some(), "{:#?}", world.state);
        prop_assert!(world.state.at_work().is_empty());
        check_calls(&world, &past);
        check_approvals(&world, &past);
    }
}
