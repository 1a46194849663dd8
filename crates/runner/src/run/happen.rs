//! An event, and what the machine wants done because of it.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use sortie_engine::{
    decide::Outcome,
    machine::{Address, Command, Event, Kind, RunEnd, Timer, TimerKind, apply},
    template::Budget,
};
use sortie_store::{Decision, NewApproval, NewRun, RunValue};

use super::{
    DriveError, Session,
    evaluate::{OUTPUT, plain},
};
use crate::{compiled::CompiledVerb, journal::Happened, shared::pinned_of, snapshot::Snapshot};

impl Session {
    pub(super) async fn happen(&mut self, event: Event) -> Result<(), DriveError> {
        let commands = apply(&self.compiled.plan, &mut self.state, &event);
        // What is evaluated must be told before anything else happens.
        let mut first = Vec::new();
        for command in commands {
            match command {
                Command::Evaluate { at, what } => {
                    let result = self.evaluate(&at, what).await?;
                    first.push(Event::Evaluated { at, result });
                }
                Command::Call { at, attempt } => self.due.push((at, attempt)),
                Command::Look { at, attempt } => self.look(at, attempt).await?,
                Command::Follow { at, attempt } => self.follow(at, attempt).await?,
                Command::CallOff { at, attempt } => self.due.push((at, attempt)),
                Command::SetTimer { timer, after } => self.set_timer(timer, after),
                Command::ClearTimer { timer } => drop(self.timers.remove(&timer)),
                Command::Ask { at } => first.extend(self.ask(at).await?),
                Command::Withdraw { at } => self.withdraw(&at, &event),
                Command::StartChild { at } => first.extend(self.start_child(at).await?),
                Command::CancelChild { at } => self.pending.cancelled.push(at.to_string()),
                Command::Doubt { at, why } => {
                    self.note(Some(&at), Happened::Doubt { why });
                    self.pending.is_news = true;
                }
                Command::Record { at, outcome, skipped } => self.record(&at, outcome, skipped),
                Command::Finish { end } => self.finish(end).await?,
            }
        }
        for event in first.into_iter().rev() {
            self.events.push_front(event);
        }
        Ok(())
    }

    /// A run that only shows what it would do does not wait.
    fn set_timer(&mut self, timer: Timer, after: std::time::Duration) {
        let now = self.shared.clock.now();
        let skips = self.is_rehearsal() && matches!(timer.kind, TimerKind::Wake);
        let after = if skips { std::time::Duration::ZERO } else { after };
        let until = now.checked_add(after).unwrap_or(jiff::Timestamp::MAX);
        if timer.kind == TimerKind::Wake {
            self.note(Some(&timer.at), Happened::Waits { until });
        }
        if after.is_zero() {
            return self.events.push_back(Event::TimerFired { timer });
        }
        self.timers.insert(timer, until);
    }

    async fn ask(&mut self, at: Address) -> Result<Option<Event>, DriveError> {
        let compiled = Arc::clone(&self.compiled);
        let CompiledVerb::Approval { ask, roles, own, within, notify } =
            &compiled.steps[usize::from(at.last().step)].verb
        else {
            return Ok(None);
        };
        let names = self.names_for(&at, &[ask.reads()]).await?;
        let ask = match ask.evaluate(&names, Budget::default()) {
            Ok(ask) => plain(ask),
            Err(error) => {
                // Nobody can say yes to a question that nobody can read.
                self.broken(&at, &format!("`ask`: {error}"));
                return Ok(Some(Event::Decided { at, approves: false }));
            }
        };
        if self.is_rehearsal() {
            let by = "nobody: this run only shows what it would do".to_owned();
            let output = json!({ "decision": "approved", "by": by, "why": null });
            self.left.insert(at.to_string(), (output, Value::Null));
            self.note(Some(&at), Happened::Approval { approves: true, by, why: Some(ask) });
            return Ok(Some(Event::Decided { at, approves: true }));
        }
        let until = self.shared.clock.now().checked_add(*within).unwrap_or(jiff::Timestamp::MAX);
        self.note(Some(&at), Happened::Asked { ask: ask.clone(), until });
        let place = at.to_string();
        self.pending.asked.push(NewApproval { place, ask, roles: roles.clone(), own: *own, ends: until });
        if notify.is_some() {
            self.notices.push(at);
        }
        Ok(None)
    }

    pub(super) fn broken(&mut self, at: &Address, why: &str) {
        let error = json!({ "kind": "document", "what": why, "next": "Correct the step's text.", "status": null });
        self.left.insert(at.to_string(), (Value::Null, error));
        self.note(Some(at), Happened::Broken { why: why.to_owned() });
    }

    fn withdraw(&mut self, at: &Address, event: &Event) {
        let is_expiry =
            matches!(event, Event::TimerFired { timer } if timer.kind == TimerKind::Expiry && timer.at == *at);
        let decision = if is_expiry { Decision::Expired } else { Decision::Withdrawn };
        if is_expiry {
            let what = "nobody has decided in time";
            let error = json!({ "kind": "rejected", "what": what, "next": "Ask again by a new run.", "status": null });
            self.left.insert(at.to_string(), (Value::Null, error));
        }
        self.pending.closed.push((at.to_string(), decision));
    }

    async fn start_child(&mut self, at: Address) -> Result<Option<Event>, DriveError> {
        let compiled = Arc::clone(&self.compiled);
        let number = usize::from(at.last().step);
        let CompiledVerb::Workflow { id, with } = &compiled.steps[number].verb else { return Ok(None) };
        let waits = matches!(compiled.plan.steps[number].kind, Kind::Workflow { waits: true });
        let failed = |at: Address| waits.then_some(Event::ChildDone { at, outcome: Outcome::Failed });
        let inputs = match with {
            None => Value::Object(Map::new()),
            Some(with) => {
                let names = self.names_for(&at, &[with.reads()]).await?;
                match with.evaluate(&names, Budget::default()) {
                    Ok(inputs) => inputs,
                    Err(error) => {
                        self.broken(&at, &format!("`with`: {error}"));
                        return Ok(failed(at));
                    }
                }
            }
        };
        let Some((home, version)) = pinned_of(&self.pins, self.run.tenant, id) else {
            self.broken(&at, &format!("there is no workflow `{id}`"));
            return Ok(failed(at));
        };
        if self.run.depth + 1 > DEPTH_MAX {
            self.broken(&at, &format!("workflows call each other more than {DEPTH_MAX} deep"));
            return Ok(failed(at));
        }
        let given = json!({ "trigger": { "kind": "workflow", "run": self.run.id.to_string() }, "inputs": inputs });
        self.note(Some(&at), Happened::Child { workflow: id.clone() });
        self.pending.children.push(NewRun {
            home,
            workflow: id.clone(),
            version,
            mode: self.run.mode,
            start_key: format!("child {} {at}", self.run.id),
            cause: "workflow".to_owned(),
            object: self.run.object.clone(),
            started_by: self.run.started_by.clone(),
            parent: waits.then(|| (self.run.id, at.to_string())),
            again_of: None,
            depth: self.run.depth + 1,
            input: RunValue::Text(given.to_string()),
            taken_over: Some((self.first_of_child(), Vec::new())),
            per_object_max: None,
        });
        Ok(None)
    }

    /// A workflow that this run calls goes by what this run has pinned.
    fn first_of_child(&self) -> String {
        let snapshot = Snapshot { connectors: self.connectors.clone(), ..Snapshot::new(0) };
        serde_json::to_string(&snapshot).expect("a snapshot is JSON")
    }

    pub(super) fn record(&mut self, at: &Address, outcome: Outcome, skipped: Option<sortie_engine::decide::Skipped>) {
        let place = at.to_string();
        let (output, mut error) = self.left.remove(&place).unwrap_or_default();
        if outcome == Outcome::TimedOut {
            error = timed_out(&error);
        }
        if self.orders.remove(&place).is_some_and(|ordered| ordered.has_intent) {
            let verdict = outcome.word().to_owned();
            self.pending.settled.push(sortie_store::Settled { place: place.clone(), verdict });
        }
        if self.offs.remove(at).is_some() {
            let verdict = outcome.word().to_owned();
            self.pending.settled.push(sortie_store::Settled { place: super::leave::off_place(at), verdict });
        }
        self.doubts.remove(&place);
        self.holds.remove(at);
        self.due.retain(|(due, _)| due != at);
        let value = super::values::StepValue { outcome, output: output.into(), error: error.into() };
        let stands_in_a_body = at.places().len() > 1 || at.last().item.is_some();
        if stands_in_a_body || !value.output.is_null() || !value.error.is_null() {
            self.pending.leave(place.clone(), &value);
        }
        self.values.insert(place, Some(Arc::new(value)));
        self.note(Some(at), Happened::Ended { outcome, skipped });
    }

    async fn finish(&mut self, end: RunEnd) -> Result<(), DriveError> {
        let compiled = Arc::clone(&self.compiled);
        if let Some(output) = compiled.output.as_ref().filter(|_| end.outcome == Outcome::Succeeded) {
            let names = self.names_for(&Address::top(0), &[output.reads()]).await?;
            match output.evaluate(&names, Budget::default()) {
                Ok(output) => self.pending.leave(OUTPUT.to_owned(), &output),
                Err(error) => self.note(None, Happened::Broken { why: format!("`output`: {error}") }),
            }
        }
        let (outcome, handled) = (end.outcome, end.handled);
        self.note(None, Happened::Finished { outcome, handled, message: self.message.clone() });
        Ok(())
    }
}

/// With what it was about when its time was up.
fn timed_out(error: &Value) -> Value {
    let what = match error["what"].as_str() {
        Some(last) => format!("its time was up; {last}"),
        None => "its time was up".to_owned(),
    };
    let next = "Give it more time, or look why it took so long.";
    json!({ "kind": "timeout", "what": what, "next": next, "status": error["status"] })
}

const DEPTH_MAX: u32 = 10;
