//! Snapshots of runs: whatever lies in the row, the machine goes on from it without a panic, or it is refused in a sentence.
#![no_main]

use std::{sync::LazyLock, time::Duration};

use libfuzzer_sys::fuzz_target;
use sortie_engine::{
    decide::{Delivery, Outcome, Seen},
    document::read,
    machine::{Address, CallEnd, Command, Evaluated, Event, Plan, Resolution, State, Timer, TimerKind, What, apply},
};
use sortie_runner::machine_of;

/// A workflow of every kind of step.
static PLAN: LazyLock<Plan> = LazyLock::new(|| {
    let text = "\
workflow: w
steps:
  - { id: a, call: x/get, await: true, timeout: 1h, on_timeout: cancel }
  - { id: b, after: [a], for_each: list, parallel: 3, call: x/isolate }
  - { id: c, for_each: list, steps: [{ id: in, approval: { ask: x } }, { id: deep, for_each: list, steps: [{ id: x, set: { y: 1 } }] }] }
  - { id: d, after: [{ step: c, accept: [failed] }], run: always, wait: { for: 1h } }
  - { id: e, after: [b], workflow: other }
  - { id: f, code: x }
  - { id: g, when: maybe, approval: { ask: x, otherwise: stop } }
  - { id: h, after: [g], stop: { outcome: failed } }
";
    Plan::of(&read(text).expect("it is a workflow"), &|_, _| None)
});

fuzz_target!(|text: &str| {
    let state = match machine_of(text, &PLAN) {
        Ok(state) => state,
        Err(error) => return assert!(error.to_string().starts_with("its snapshot"), "{error}"),
    };
    let written = serde_json::to_string(&state).expect("a state is JSON");
    assert_eq!(serde_json::from_str::<State>(&written).expect("what was written is read"), state);
    // Everything that can happen to it, once alone and once after all else.
    let events = events(&state);
    let mut last = state.clone();
    for event in &events {
        happen(&mut state.clone(), event.clone());
        happen(&mut last, event.clone());
    }
    assert!(last.fits(&PLAN), "what it has become fits as well");
});

fn happen(state: &mut State, event: Event) {
    let mut events = vec![event];
    for _ in 0..64 {
        let Some(event) = events.pop() else { return };
        for command in apply(&PLAN, state, &event) {
            if let Command::Evaluate { at, what } = command {
                let result = match what {
                    What::When => Evaluated::Truth(true),
                    What::List => Evaluated::Items(2),
                    What::Wait => Evaluated::After(Duration::from_secs(1)),
                    What::Set | What::Respond | What::Stop => Evaluated::Done,
                };
                events.push(Event::Evaluated { at, result });
            }
        }
    }
}

fn events(state: &State) -> Vec<Event> {
    let mut events = vec![Event::Started];
    let at_work = state.at_work().into_iter().take(16).map(|(at, active)| (at, active.attempt));
    for (at, attempt) in at_work.chain([(Address::top(0), 1), (Address::top(2).item(1).within(3), 1)]) {
        let failed = |delivery| CallEnd::Failed { delivery, retry_after: None };
        let again = Duration::from_secs(1);
        for result in [
            CallEnd::Pending { again },
            CallEnd::NotCalledOff { again: Some(again) },
            failed(Delivery::NotSent),
            failed(Delivery::Unknown),
            CallEnd::Looked { seen: Seen::Newer, again },
            CallEnd::Looked { seen: Seen::Absent, again },
            CallEnd::Followed { well: false },
            CallEnd::CalledOff,
            CallEnd::Answered,
        ] {
            events.push(Event::Ended { at: at.clone(), attempt, result });
        }
        for kind in [TimerKind::Again, TimerKind::Wake, TimerKind::Expiry, TimerKind::Timeout] {
            events.push(Event::TimerFired { timer: Timer { at: at.clone(), kind } });
        }
        events.push(Event::Decided { at: at.clone(), approves: true });
        events.push(Event::ChildDone { at: at.clone(), outcome: Outcome::Succeeded });
        events.push(Event::Resolved { at, resolution: Resolution::DidNotHappen });
    }
    events.push(Event::CancelRequested);
    events
}
