//! An event in, commands out. What came too late, or for something that is not at work, changes nothing.

use super::{
    Active, Address, CallEnd, Command, Evaluated, Event, Kind, Phase, Plan, Resolution, State, Timer, TimerKind, What,
    pause::pause,
};
use crate::{
    decide::{
        Asked, Attempted, Class, Decision, Delivery, Doubt, Ending, Left, Next, Outcome, Seen, When, answer, ending,
        seen,
    },
    document::OnTimeout,
};

/// Takes the run one event further. Pure: the same plan, state and event give the same.
pub fn apply(plan: &Plan, state: &mut State, event: &Event) -> Vec<Command> {
    if state.end.is_some() {
        return Vec::new();
    }
    let mut turn = Turn { plan, state, commands: Vec::new(), work: Vec::new() };
    match event {
        Event::Started => turn.work.push(Work::Scan(None)),
        Event::Evaluated { at, result } => turn.evaluated(at, *result),
        Event::Ended { at, attempt, result } => turn.call_ended(at, *attempt, *result),
        Event::TimerFired { timer } => turn.timer_fired(timer),
        Event::Decided { at, approves } => turn.decided(at, *approves),
        Event::ChildDone { at, outcome } => turn.child_done(at, *outcome),
        Event::CancelRequested => turn.close(Outcome::Cancelled),
        Event::Resolved { at, attempt, resolution } => turn.resolved(at, *attempt, *resolution),
    }
    turn.go_on();
    turn.commands
}

/// One event's consequences while they are worked out.
pub(super) struct Turn<'a> {
    pub plan: &'a Plan,
    pub state: &'a mut State,
    pub commands: Vec<Command>,
    pub work: Vec<Work>,
}

/// Where something has ended, so that something else may begin.
pub(super) enum Work {
    /// Among the steps of this item's body, or at the top.
    Scan(Option<Address>),
    /// In this loop.
    Fill(Address),
}

impl Turn<'_> {
    fn evaluated(&mut self, at: &Address, result: Evaluated) {
        if self.was_deciding(at) {
            let when = match result {
                Evaluated::Truth(true) => When::True,
                Evaluated::Truth(false) => When::False,
                _ => When::Broken,
            };
            return self.begin_decided(at, when);
        }
        if self.was_listing(at) {
            return self.begin_loop(at, result);
        }
        let Some(active) = self.state.active_mut(at).filter(|active| active.phase == Phase::Evaluating) else { return };
        match (result, &self.plan.step(at.last().step).kind) {
            (Evaluated::After(length), Kind::Wait(_)) => {
                active.phase = Phase::Sleeping;
                self.set_timer(at, TimerKind::Wake, length);
            }
            (Evaluated::Done, Kind::Stop(outcome)) => {
                let outcome = *outcome;
                self.end(at, Outcome::Succeeded, None);
                self.close(outcome);
            }
            (Evaluated::Done, Kind::Set | Kind::Respond) => self.end(at, Outcome::Succeeded, None),
            _ => self.end(at, Outcome::Failed, None),
        }
    }

    fn call_ended(&mut self, at: &Address, attempt: u32, result: CallEnd) {
        let Some(active) = self.state.active_mut(at).filter(|active| active.attempt == attempt) else { return };
        let (phase, forced) = (active.phase, active.ending);
        match (phase, result) {
            (Phase::Calling, CallEnd::Answered) => self.carried_out(at, forced),
            (Phase::Calling, CallEnd::Failed { delivery, retry_after }) => {
                let step = self.plan.step(at.last().step);
                let left = self.tries_left(at, attempt, forced);
                let next = ending(Ending::Failed(delivery), class(&step.kind), left, step.on_doubt);
                self.go(at, next, retry_after, forced);
            }
            (Phase::Looking, CallEnd::Looked { seen: found, again }) => self.looked(at, attempt, found, again),
            (Phase::Looking, CallEnd::Failed { .. }) => {
                self.looked(at, attempt, Seen::Unclear, self.usual_pause(at, attempt))
            }
            (Phase::Following, CallEnd::Followed { well }) => {
                let outcome = if well { Outcome::Succeeded } else { Outcome::Failed };
                self.end(at, outcome, None);
            }
            (Phase::Following, CallEnd::Pending { again }) => {
                (active.looks, active.misses) = (active.looks.saturating_add(1), 0);
                self.wait_again(at, Phase::Pending, again);
            }
            (Phase::Following, CallEnd::Failed { delivery, retry_after }) => {
                self.missed(at, delivery, retry_after.unwrap_or_default());
            }
            (Phase::CallingOff, CallEnd::NotCalledOff { again: Some(again) }) => self.call_off_again(at, again),
            (Phase::CallingOff, CallEnd::CalledOff | CallEnd::NotCalledOff { again: None }) => {
                self.end(at, forced.unwrap_or(Outcome::TimedOut), None);
            }
            _ => {}
        }
    }

    /// The call has done its work. What it started may have to be followed.
    fn carried_out(&mut self, at: &Address, forced: Option<Outcome>) {
        let step = self.plan.step(at.last().step);
        let awaits = matches!(&step.kind, Kind::Call(call) if call.awaits);
        match forced {
            Some(outcome) if awaits => self.leave_started(at, outcome),
            // It has happened, whatever was wanted of it meanwhile.
            Some(_) | None if !awaits => self.end(at, Outcome::Succeeded, None),
            _ => {
                let Some(active) = self.state.active_mut(at) else { return };
                (active.phase, active.looks) = (Phase::Following, 0);
                let attempt = active.attempt;
                self.commands.push(Command::Follow { at: at.clone(), attempt });
            }
        }
    }

    fn looked(&mut self, at: &Address, attempt: u32, found: Seen, again: std::time::Duration) {
        let forced = self.state.active_mut(at).and_then(|active| active.ending);
        let left = self.tries_left(at, attempt, forced);
        let Some(active) = self.state.active_mut(at) else { return };
        active.looks += 1;
        let looks_left = if active.looks < LOOKS_MAX { Left::Some } else { Left::None };
        match seen(found, left, looks_left) {
            Next::Look => self.wait_again(at, Phase::Settling, again),
            next => self.go(at, next, None, forced),
        }
    }

    fn go(&mut self, at: &Address, next: Next, wish: Option<std::time::Duration>, forced: Option<Outcome>) {
        match next {
            Next::Succeed => self.carried_out(at, forced),
            Next::Retry => {
                let attempt = self.state.active_mut(at).map_or(1, |active| active.attempt);
                let retry = self.plan.step(at.last().step).retry;
                let length = pause(&retry, attempt, wish, self.state.seed, at);
                self.wait_again(at, Phase::Pausing, length);
            }
            Next::Look => {
                let Some(active) = self.state.active_mut(at) else { return };
                active.phase = Phase::Looking;
                let attempt = active.attempt;
                self.commands.push(Command::Look { at: at.clone(), attempt });
            }
            Next::Fail => self.end(at, forced.unwrap_or(Outcome::Failed), None),
            Next::Ask(why) => {
                let Some(active) = self.state.active_mut(at) else { return };
                active.phase = Phase::Doubt;
                self.commands.push(Command::Doubt { at: at.clone(), why });
            }
        }
    }

    fn timer_fired(&mut self, timer: &Timer) {
        let at = &timer.at;
        if timer.kind == TimerKind::Timeout {
            return self.time_is_up(at);
        }
        let Some(active) = self.state.active_mut(at) else { return };
        match (timer.kind, active.phase) {
            (TimerKind::Again, Phase::Pausing) => {
                active.attempt += 1;
                active.looks = 0;
                active.phase = Phase::Calling;
                let attempt = active.attempt;
                self.commands.push(Command::Call { at: at.clone(), attempt });
            }
            (TimerKind::Again, Phase::Settling) => {
                active.phase = Phase::Looking;
                let attempt = active.attempt;
                self.commands.push(Command::Look { at: at.clone(), attempt });
            }
            (TimerKind::Again, Phase::Pending) => {
                active.phase = Phase::Following;
                let attempt = active.attempt;
                self.commands.push(Command::Follow { at: at.clone(), attempt });
            }
            (TimerKind::Again, Phase::CallingOff) => {
                let attempt = active.attempt;
                self.commands.push(Command::CallOff { at: at.clone(), attempt });
            }
            (TimerKind::Wake, Phase::Sleeping) => self.end(at, Outcome::Succeeded, None),
            (TimerKind::Expiry, Phase::Asking) => {
                let Kind::Approval { otherwise, .. } = self.plan.step(at.last().step).kind else { return };
                self.commands.push(Command::Withdraw { at: at.clone() });
                let decision = answer(Asked::Open, Attempted::Expired, otherwise);
                self.end(at, Outcome::Failed, None);
                if decision == Decision::Stops {
                    self.close(Outcome::Failed);
                }
            }
            _ => {}
        }
    }

    fn decided(&mut self, at: &Address, approves: bool) {
        if self.state.active_mut(at).is_none_or(|active| active.phase != Phase::Asking) {
            return;
        }
        self.clear_timer(at, TimerKind::Expiry);
        self.end(at, if approves { Outcome::Succeeded } else { Outcome::Failed }, None);
    }

    fn child_done(&mut self, at: &Address, outcome: Outcome) {
        let Some(active) = self.state.active_mut(at).filter(|active| active.phase == Phase::Child) else { return };
        // A workflow that somebody gave up has not done what this step says.
        let own = if outcome == Outcome::Succeeded { outcome } else { Outcome::Failed };
        let outcome = active.ending.unwrap_or(own);
        self.end(at, outcome, None);
    }

    fn resolved(&mut self, at: &Address, attempt: u32, resolution: Resolution) {
        let is_closing = self.state.closing.is_some();
        let is_meant = |active: &&mut Active| active.phase == Phase::Doubt && active.attempt == attempt;
        let Some(active) = self.state.active_mut(at).filter(is_meant) else { return };
        let forced = active.ending.or(is_closing.then_some(Outcome::Cancelled));
        match resolution {
            Resolution::Happened => self.end(at, Outcome::Succeeded, None),
            Resolution::GiveUp => self.end(at, forced.unwrap_or(Outcome::Failed), None),
            Resolution::DidNotHappen => match forced {
                Some(outcome) => self.end(at, outcome, None),
                // A person's word is as good as the service's that it did nothing, and counts as no try.
                None => {
                    active.attempt += 1;
                    active.looks = 0;
                    active.phase = Phase::Calling;
                    let attempt = active.attempt;
                    self.commands.push(Command::Call { at: at.clone(), attempt });
                }
            },
        }
    }

    /// Whether another try may follow.
    fn tries_left(&self, at: &Address, attempt: u32, forced: Option<Outcome>) -> Left {
        let attempts = self.plan.step(at.last().step).retry.attempts;
        let may = forced.is_none() && self.state.closing.is_none() && attempt < attempts;
        if may { Left::Some } else { Left::None }
    }

    fn usual_pause(&self, at: &Address, attempt: u32) -> std::time::Duration {
        pause(&self.plan.step(at.last().step).retry, attempt, None, self.state.seed, at)
    }

    fn wait_again(&mut self, at: &Address, phase: Phase, length: std::time::Duration) {
        if let Some(active) = self.state.active_mut(at) {
            active.phase = phase;
            self.set_timer(at, TimerKind::Again, length);
        }
    }

    pub(super) fn set_timer(&mut self, at: &Address, kind: TimerKind, after: std::time::Duration) {
        self.commands.push(Command::SetTimer { timer: Timer { at: at.clone(), kind }, after });
    }

    pub(super) fn clear_timer(&mut self, at: &Address, kind: TimerKind) {
        self.commands.push(Command::ClearTimer { timer: Timer { at: at.clone(), kind } });
    }

    /// The step ends although what it started goes on: at once, or when that was called off.
    pub(super) fn leave_started(&mut self, at: &Address, outcome: Outcome) {
        if outcome != Outcome::TimedOut || self.plan.step(at.last().step).on_timeout != OnTimeout::Cancel {
            return self.end(at, outcome, None);
        }
        let Some(active) = self.state.active_mut(at) else { return };
        (active.phase, active.ending, active.looks) = (Phase::CallingOff, Some(outcome), 0);
        let attempt = active.attempt;
        self.commands.push(Command::CallOff { at: at.clone(), attempt });
    }

    /// A sight failed, not what is looked at. Where it is refused again and again, a person must look.
    fn missed(&mut self, at: &Address, delivery: Delivery, wish: std::time::Duration) {
        let Some(active) = self.state.active_mut(at) else { return };
        active.looks = active.looks.saturating_add(1);
        active.misses = if delivery == Delivery::Refused { active.misses + 1 } else { active.misses };
        let (looks, misses) = (active.looks, active.misses);
        match misses < LOOKS_MAX {
            true => self.wait_again(at, Phase::Pending, self.usual_pause(at, looks).max(wish)),
            false => {
                active.phase = Phase::Doubt;
                self.commands.push(Command::Doubt { at: at.clone(), why: Doubt::NoOtherWay });
            }
        }
    }

    fn call_off_again(&mut self, at: &Address, wish: std::time::Duration) {
        let Some(active) = self.state.active_mut(at) else { return };
        active.looks += 1;
        let (tries, outcome) = (active.looks, active.ending.unwrap_or(Outcome::TimedOut));
        match tries < CALL_OFFS_MAX {
            true => self.wait_again(at, Phase::CallingOff, self.usual_pause(at, tries).max(wish)),
            false => self.end(at, outcome, None),
        }
    }

    pub(super) fn evaluate(&mut self, at: &Address, what: What) {
        self.commands.push(Command::Evaluate { at: at.clone(), what });
    }
}

impl Active {
    pub(super) fn new(phase: Phase) -> Self {
        Self { attempt: 1, looks: 0, misses: 0, phase, ending: None }
    }
}

pub(super) fn class(kind: &Kind) -> Class {
    match kind {
        Kind::Call(call) => call.class,
        // It reaches nothing outside.
        Kind::Code => Class::Safe,
        _ => Class::Unsafe,
    }
}

/// Looks at the remote side after which a person is asked.
const LOOKS_MAX: u32 = 30;
/// Tries to call off what a step has started, after which that goes on.
const CALL_OFFS_MAX: u32 = 10;
