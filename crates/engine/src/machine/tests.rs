use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use super::{
    Address, CallEnd, Command, Evaluated, Event, Kind, Plan, Resolution, State, Timer, TimerKind, What, apply,
};
use crate::{
    decide::{Class, Delivery, Outcome, Seen},
    document::read,
};

/// A world that answers commands as it was told, in the order in which they came.
pub(super) struct World {
    pub plan: Plan,
    pub state: State,
    /// What is to be answered, oldest first.
    pub open: VecDeque<Command>,
    pub timers: BTreeMap<Timer, Duration>,
    /// Calls by step, in order: `isolate`, `isolate[3]`.
    pub calls: Vec<String>,
    pub ended: BTreeMap<String, Outcome>,
    pub answer: Answers,
}

/// What calls end with, by step and try; and what expressions give.
pub(super) struct Answers {
    pub call: Answering<u32, CallEnd>,
    pub look: Answering<u32, CallEnd>,
    pub evaluate: Answering<What, Evaluated>,
}

/// What a step gets, by its name.
type Answering<A, R> = Box<dyn FnMut(&str, A) -> R>;

impl Default for Answers {
    fn default() -> Self {
        Self {
            call: Box::new(|_, _| CallEnd::Answered),
            look: Box::new(|_, _| CallEnd::Looked { seen: Seen::Found, again: Duration::from_secs(5) }),
            evaluate: Box::new(|_, what| match what {
                What::When => Evaluated::Truth(true),
                What::List => Evaluated::Items(3),
                What::Wait => Evaluated::After(Duration::from_secs(60)),
                What::Set | What::Respond | What::Stop => Evaluated::Done,
            }),
        }
    }
}

impl World {
    pub(super) fn of(steps: &str) -> Self {
        let text = format!("workflow: w\nsteps:\n{steps}");
        let workflow = read(&text).unwrap_or_else(|problems| panic!("{problems:#?}"));
        let class = |_: &str, operation: &str| match operation {
            "get" => Some(Class::Safe),
            "put" => Some(Class::Overwrite),
            "isolate" => Some(Class::Probed),
            _ => None,
        };
        Self {
            plan: Plan::of(&workflow, &class),
            state: State::new(7),
            open: VecDeque::new(),
            timers: BTreeMap::new(),
            calls: Vec::new(),
            ended: BTreeMap::new(),
            answer: Answers::default(),
        }
    }

    pub(super) fn name(&self, at: &Address) -> String {
        let mut name = String::new();
        for place in at.places() {
            let dot = if name.is_empty() { "" } else { "." };
            name += &format!("{dot}{}", self.plan.step(place.step).id);
            if let Some(item) = place.item {
                name += &format!("[{item}]");
            }
        }
        name
    }

    /// One event, with its evaluations; a snapshot is as good as the state itself.
    pub(super) fn happen(&mut self, event: Event) {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            let snapshot = serde_json::to_string(&self.state).unwrap();
            let mut again: State = serde_json::from_str(&snapshot).unwrap();
            let commands = apply(&self.plan, &mut self.state, &event);
            assert_eq!(apply(&self.plan, &mut again, &event), commands, "the same again");
            assert_eq!(again, self.state);
            for command in commands {
                match command {
                    Command::Evaluate { at, what } => {
                        let name = self.name(&at);
                        let result = (self.answer.evaluate)(&name, what);
                        events.push_back(Event::Evaluated { at, result });
                    }
                    Command::SetTimer { timer, after } => drop(self.timers.insert(timer, after)),
                    Command::ClearTimer { timer } => drop(self.timers.remove(&timer)),
                    Command::Record { at, outcome, .. } => {
                        let before = self.ended.insert(self.name(&at), outcome);
                        assert_eq!(before, None, "{} ends once", self.name(&at));
                    }
                    Command::Call { ref at, .. } => {
                        self.calls.push(self.name(at));
                        self.open.push_back(command);
                    }
                    other => self.open.push_back(other),
                }
            }
        }
    }

    /// Answers the oldest command; else lets the nearest timer run out. False when nothing is left.
    pub(super) fn step(&mut self) -> bool {
        let Some(command) = self.open.pop_front() else {
            let nearest = self.timers.iter().min_by_key(|(_, after)| **after).map(|(timer, _)| timer.clone());
            let Some(timer) = nearest else { return false };
            self.timers.remove(&timer);
            self.happen(Event::TimerFired { timer });
            return true;
        };
        match command {
            Command::Call { at, attempt } => {
                let name = self.name(&at);
                let result = (self.answer.call)(&name, attempt);
                self.happen(Event::Ended { at, attempt, result });
            }
            Command::Look { at, attempt } | Command::Follow { at, attempt } => {
                let name = self.name(&at);
                let result = (self.answer.look)(&name, attempt);
                self.happen(Event::Ended { at, attempt, result });
            }
            Command::StartChild { at } => {
                if matches!(self.plan.step(at.last().step).kind, Kind::Workflow { waits: true }) {
                    self.happen(Event::ChildDone { at, outcome: Outcome::Succeeded });
                }
            }
            _ => {}
        }
        true
    }

    pub(super) fn run(&mut self) -> Outcome {
        self.happen(Event::Started);
        while self.state.end.is_none() && self.step() {}
        self.state.end.unwrap_or_else(|| panic!("it does not end: {:#?}", self.state)).outcome
    }

    fn outcome(&self, name: &str) -> Option<Outcome> {
        self.ended.get(name).copied()
    }
}

fn failed(delivery: Delivery) -> CallEnd {
    CallEnd::Failed { delivery, retry_after: None }
}

#[test]
fn steps_run_in_their_order_and_skipped_spreads() {
    let mut world = World::of(
        "  - { id: c, after: [b], call: x/get }
  - { id: a, call: x/get }
  - { id: b, after: [a], when: nope, call: x/get }
  - { id: d, after: [{ step: b, accept: [skipped] }], call: x/get }
  - { id: e, after: [a], run: on_failure, call: x/get }
  - { id: f, after: [b, e], run: always, call: x/get }
",
    );
    world.answer.evaluate = Box::new(|_, _| Evaluated::Truth(false));
    assert_eq!(world.run(), Outcome::Succeeded);
    assert_eq!(world.calls, ["a", "d", "f"]);
    for skipped in ["b", "c", "e"] {
        assert_eq!(world.outcome(skipped), Some(Outcome::Skipped), "{skipped}");
    }
}

#[test]
fn a_failure_is_the_runs_unless_it_may_go_on() {
    #[track_caller]
    fn check(rest: &str, expected: (Outcome, bool)) {
        let mut world = World::of(&format!("  - {{ id: a, call: x/get, retry: {{ attempts: 1 }}, {rest}"));
        world.answer.call = Box::new(|name, _| if name == "a" { failed(Delivery::Refused) } else { CallEnd::Answered });
        let outcome = world.run();
        assert_eq!((outcome, world.state.end.unwrap().handled), expected, "{rest}");
    }
    check("}\n", (Outcome::Failed, false));
    check("}\n  - { id: b, after: [a], run: on_failure, call: x/get }\n", (Outcome::Failed, true));
    check("}\n  - { id: b, after: [a], run: always, call: x/get }\n", (Outcome::Failed, false));
    check("on_error: continue }\n", (Outcome::Succeeded, false));
}

#[test]
fn only_what_is_safe_to_repeat_is_repeated() {
    #[track_caller]
    fn check(operation: &str, delivery: Delivery, calls: usize, outcome: Outcome) {
        let mut world = World::of(&format!("  - {{ id: a, call: x/{operation}, retry: {{ attempts: 3 }} }}\n"));
        world.answer.call = Box::new(move |_, _| failed(delivery));
        world.answer.look = Box::new(|_, _| CallEnd::Looked { seen: Seen::Unclear, again: Duration::from_secs(1) });
        world.happen(Event::Started);
        while world.state.end.is_none() && world.step() {}
        let found = world.state.end.map_or(Outcome::NeedsAttention, |end| end.outcome);
        assert_eq!((world.calls.len(), found), (calls, outcome), "{operation} {delivery:?}");
    }
    for operation in ["get", "put", "isolate", "other"] {
        check(operation, Delivery::NotSent, 3, Outcome::Failed);
        check(operation, Delivery::Throttled, 3, Outcome::Failed);
        check(operation, Delivery::Refused, 1, Outcome::Failed);
    }
    check("get", Delivery::Unknown, 3, Outcome::Failed);
    check("put", Delivery::Unknown, 3, Outcome::NeedsAttention);
    check("isolate", Delivery::Unknown, 1, Outcome::NeedsAttention);
    check("other", Delivery::Unknown, 1, Outcome::NeedsAttention);
}

#[test]
fn a_doubt_is_settled_by_looking_or_by_a_person() {
    let lost = |_: &str, attempt: u32| if attempt == 1 { failed(Delivery::Unknown) } else { CallEnd::Answered };
    let looked = |seen: Seen| CallEnd::Looked { seen, again: Duration::from_secs(5) };
    let mut found = World::of("  - { id: a, call: x/isolate }\n");
    found.answer.call = Box::new(lost);
    assert_eq!((found.run(), found.calls.len()), (Outcome::Succeeded, 1));

    let mut absent = World::of("  - { id: a, call: x/isolate }\n");
    absent.answer.call = Box::new(lost);
    let mut looks = 0;
    absent.answer.look = Box::new(move |_, _| {
        looks += 1;
        looked(if looks < 4 { Seen::NotYet } else { Seen::Absent })
    });
    assert_eq!((absent.run(), absent.calls.len()), (Outcome::Succeeded, 2));

    for (resolution, calls, outcome) in [
        (Resolution::Happened, 1, Outcome::Succeeded),
        (Resolution::DidNotHappen, 2, Outcome::Succeeded),
        (Resolution::GiveUp, 1, Outcome::Failed),
    ] {
        let mut world = World::of(
            "  - { id: a, call: x/isolate, on_doubt: ask }\n  - { id: b, after: [a], run: always, call: x/get }\n",
        );
        world.answer.call = Box::new(lost);
        world.happen(Event::Started);
        while world.step() {}
        assert_eq!(world.state.gathered(&world.plan), crate::decide::Gathered::Doubt);
        assert_eq!(world.calls, ["a"], "whoever waits for it waits");
        world.happen(Event::Resolved { at: Address::top(0), attempt: 2, resolution });
        assert_eq!(world.calls, ["a"], "that was said of another try");
        world.happen(Event::Resolved { at: Address::top(0), attempt: 1, resolution });
        while world.step() {}
        assert_eq!(world.state.end.unwrap().outcome, outcome);
        assert_eq!(world.calls.iter().filter(|name| *name == "a").count(), calls);
    }
}

#[test]
fn loops_keep_their_bound_and_their_order() {
    let mut world =
        World::of("  - { id: a, for_each: list, parallel: 4, when: ok, call: x/get, retry: { attempts: 1 } }\n");
    world.answer.evaluate = Box::new(|name, what| match what {
        What::List => Evaluated::Items(10),
        _ => Evaluated::Truth(name != "a[3]"),
    });
    world.answer.call = Box::new(|name, _| if name == "a[5]" { failed(Delivery::Refused) } else { CallEnd::Answered });
    world.happen(Event::Started);
    assert_eq!(world.calls, ["a[0]", "a[1]", "a[2]", "a[4]"], "four at once, and one is skipped");
    while world.step() {}
    assert_eq!(world.state.end.unwrap().outcome, Outcome::Failed);
    assert_eq!(world.outcome("a[3]"), Some(Outcome::Skipped));
    assert_eq!(world.calls.len(), 9);

    for (items, outcome) in
        [(0, Outcome::Succeeded), (1, Outcome::Succeeded), (1_000, Outcome::Succeeded), (1_001, Outcome::Failed)]
    {
        let mut world = World::of("  - { id: a, for_each: list, call: x/get }\n");
        world.answer.evaluate = Box::new(move |_, _| Evaluated::Items(items));
        assert_eq!(world.run(), outcome, "{items}");
        assert_eq!(world.calls.len(), if items > 1_000 { 0 } else { items as usize });
    }
}

#[test]
fn bodies_are_runs_of_their_own() {
    let mut world = World::of(
        "  - id: each
    for_each: list
    parallel: 2
    steps:
      - { id: ask, approval: { ask: x } }
      - { id: do, after: [ask], call: x/isolate }
      - { id: inner, after: [do], for_each: list, steps: [{ id: get, call: x/get }] }
  - { id: last, after: [each], call: x/get }
",
    );
    world.answer.evaluate = Box::new(|_, _| Evaluated::Items(2));
    world.happen(Event::Started);
    while !world.open.is_empty() {
        world.step();
    }
    let ask = |world: &World, item: u32| {
        let step = world.plan.steps.iter().position(|step| step.id == "ask").unwrap();
        Address::top(0).item(item).within(u16::try_from(step).unwrap())
    };
    assert!(world.calls.is_empty(), "nobody has approved");
    world.happen(Event::Decided { at: ask(&world, 0), approves: true });
    world.happen(Event::Decided { at: ask(&world, 1), approves: false });
    // The second word comes too late.
    world.happen(Event::Decided { at: ask(&world, 1), approves: true });
    while !world.open.is_empty() {
        world.step();
    }
    assert_eq!(world.calls, ["each[0].do", "each[0].inner[0].get", "each[0].inner[1].get"]);
    assert_eq!(world.outcome("each[1].do"), Some(Outcome::Skipped));
    assert_eq!((world.outcome("each[0]"), world.outcome("each[1]")), (Some(Outcome::Succeeded), Some(Outcome::Failed)));
    assert_eq!(world.state.end.unwrap().outcome, Outcome::Failed);
}

#[test]
fn time_that_is_up_ends_the_whole_step() {
    let timeout = |world: &mut World| {
        let timer = Timer { at: Address::top(0), kind: TimerKind::Timeout };
        assert!(world.timers.remove(&timer).is_some());
        world.happen(Event::TimerFired { timer });
    };
    // A question.
    let mut world = World::of("  - { id: a, timeout: 1h, approval: { ask: x } }\n");
    world.happen(Event::Started);
    timeout(&mut world);
    assert_eq!(world.outcome("a"), Some(Outcome::TimedOut));
    assert!(world.open.contains(&Command::Withdraw { at: Address::top(0) }) && world.timers.is_empty());
    // A call on its way is waited for: it happened, or it did not.
    for (result, outcome) in [(CallEnd::Answered, Outcome::Succeeded), (failed(Delivery::NotSent), Outcome::TimedOut)] {
        let mut world = World::of("  - { id: a, timeout: 1h, call: x/isolate }\n");
        world.happen(Event::Started);
        timeout(&mut world);
        assert_eq!(world.outcome("a"), None);
        world.happen(Event::Ended { at: Address::top(0), attempt: 1, result });
        assert_eq!(world.outcome("a"), Some(outcome));
    }
    // A loop with all of its items.
    let mut world = World::of("  - { id: a, timeout: 1h, for_each: list, wait: { for: 2h } }\n");
    world.happen(Event::Started);
    timeout(&mut world);
    assert_eq!(world.outcome("a"), Some(Outcome::TimedOut));
    assert!(world.timers.is_empty(), "{:?}", world.timers);
}

#[test]
fn what_a_step_has_started_is_called_off_before_it_ends() {
    let pending = || CallEnd::Pending { again: Duration::from_secs(5) };
    let ended = |attempt, result| Event::Ended { at: Address::top(0), attempt, result };
    let timed_out = |on_timeout: &str, follows: bool| {
        let text = format!("  - {{ id: a, timeout: 1h, on_timeout: {on_timeout}, await: true, call: x/isolate }}\n");
        let mut world = World::of(&text);
        world.happen(Event::Started);
        if follows {
            world.happen(ended(1, CallEnd::Answered));
            world.happen(ended(1, pending()));
        }
        world.open.clear();
        let timer = Timer { at: Address::top(0), kind: TimerKind::Timeout };
        assert!(world.timers.remove(&timer).is_some());
        world.happen(Event::TimerFired { timer });
        world
    };
    let call_off = Command::CallOff { at: Address::top(0), attempt: 1 };
    // Where the document does not say so, it goes on by itself.
    assert_eq!(timed_out("leave", true).outcome("a"), Some(Outcome::TimedOut));
    let mut world = timed_out("cancel", true);
    assert_eq!((world.outcome("a"), &world.open.make_contiguous()[..]), (None, &[call_off.clone()][..]));
    // A sight that was on its way says nothing of that, and giving the run up does not hurry it.
    world.happen(ended(1, failed(Delivery::NotSent)));
    world.happen(ended(1, CallEnd::Followed { well: true }));
    world.happen(Event::CancelRequested);
    assert_eq!((world.outcome("a"), world.open.len()), (None, 1));
    world.happen(ended(1, CallEnd::NotCalledOff { again: Some(Duration::from_secs(90)) }));
    assert_eq!(world.timers.values().collect::<Vec<_>>(), [&Duration::from_secs(90)]);
    world.open.clear();
    world.step();
    assert_eq!(world.open.make_contiguous(), [call_off]);
    world.happen(ended(1, CallEnd::CalledOff));
    assert_eq!((world.outcome("a"), world.state.end.is_some()), (Some(Outcome::TimedOut), true));
    // Where that cannot be done, the step ends none the less: at once, or after so many tries.
    let mut world = timed_out("cancel", true);
    world.happen(ended(1, CallEnd::NotCalledOff { again: None }));
    assert_eq!(world.outcome("a"), Some(Outcome::TimedOut));
    let mut world = timed_out("cancel", true);
    let mut tries = 0;
    while world.outcome("a").is_none() {
        tries += 1;
        world.happen(ended(1, CallEnd::NotCalledOff { again: Some(Duration::ZERO) }));
        world.timers.keys().next().cloned().inspect(|timer| world.happen(Event::TimerFired { timer: timer.clone() }));
    }
    assert_eq!(tries, 10);
    // Its time is up before the call has answered: then it is called off.
    let mut world = timed_out("cancel", false);
    assert_eq!((world.outcome("a"), world.open.len()), (None, 0));
    world.happen(ended(1, CallEnd::Answered));
    assert!(matches!(world.open.back(), Some(Command::CallOff { .. })), "{:?}", world.open);
}

#[test]
fn a_sight_that_is_refused_is_not_repeated_for_ever() {
    for (delivery, ends) in [(Delivery::Refused, true), (Delivery::NotSent, false), (Delivery::Unknown, false)] {
        let mut world = World::of("  - { id: a, await: true, call: x/isolate }\n");
        world.happen(Event::Started);
        world.happen(Event::Ended { at: Address::top(0), attempt: 1, result: CallEnd::Answered });
        let mut pauses = Vec::new();
        for _ in 0..40 {
            world.happen(Event::Ended { at: Address::top(0), attempt: 1, result: failed(delivery) });
            let Some((timer, pause)) = world.timers.pop_first() else { break };
            pauses.push(pause);
            world.happen(Event::TimerFired { timer });
        }
        assert_eq!(pauses.len(), if ends { 29 } else { 40 });
        assert!(pauses.last().unwrap() > &Duration::from_secs(40), "{pauses:?}");
        assert_eq!(matches!(world.open.back(), Some(Command::Doubt { .. })), ends, "{:?}", world.open);
    }
}

#[test]
fn a_run_that_is_given_up_begins_nothing_and_ends() {
    let steps = "  - { id: a, call: x/isolate }
  - { id: b, wait: { for: 1h } }
  - { id: c, approval: { ask: x } }
  - { id: d, after: [a], call: x/get }
  - { id: e, for_each: list, call: x/get }
  - { id: f, after: [b], run: always, call: x/get }
";
    let mut world = World::of(steps);
    world.happen(Event::Started);
    world.happen(Event::CancelRequested);
    assert!(world.state.end.is_none(), "a call is on its way");
    let calls = world.calls.len();
    world.happen(Event::Ended { at: Address::top(0), attempt: 1, result: CallEnd::Answered });
    assert_eq!(world.state.end.unwrap().outcome, Outcome::Cancelled);
    assert_eq!(world.calls.len(), calls);
    assert_eq!(world.outcome("a"), Some(Outcome::Succeeded), "it has happened");
    assert!(world.timers.is_empty());

    let mut stopped = World::of("  - { id: a, stop: { outcome: succeeded } }\n  - { id: b, wait: { for: 1h } }\n");
    assert_eq!(stopped.run(), Outcome::Succeeded);
    assert_eq!(stopped.outcome("b"), Some(Outcome::Cancelled));
    let mut unanswered = World::of(
        "  - { id: a, approval: { ask: x, otherwise: stop } }\n  - { id: b, after: [a], run: always, call: x/get }\n",
    );
    assert_eq!(unanswered.run(), Outcome::Failed);
    assert!(unanswered.calls.is_empty());
}
