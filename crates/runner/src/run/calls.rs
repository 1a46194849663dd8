//! Calls of steps: leaving, coming back, and what that tells the machine.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use sortie_engine::{
    decide::{Class, Delivery, Seen},
    machine::{Address, CallEnd, Event, Kind},
    template::Budget,
};
use sortie_store::{NewIntent, RunId, RunMode, StoreError, StoreErrorKind};

use super::{Done, DoneWhat, DriveError, Hold, HoldKind, Ordered, Session};
use crate::{
    calls::{Order, Prepared, Sight, effect_key},
    compiled::{CompiledCall, CompiledVerb},
    journal::{Entry, Happened},
    outside::{Script, Trouble, TroubleKind},
    points::Point,
};

/// A message that tells people of a question.
pub(super) struct Notice<'a> {
    pub at: Address,
    pub call: &'a CompiledCall,
}

/// A call with an effect that leaves after the next commit.
pub(super) struct Leaving {
    pub at: Address,
    pub attempt: u32,
    pub prepared: Prepared,
}

impl Session {
    /// Lets every call leave that the machine wants: those with effects after their intents are on the disk.
    pub(super) async fn make_calls(&mut self) -> Result<(), DriveError> {
        let mut leaving = Vec::new();
        for (at, attempt) in std::mem::take(&mut self.due) {
            match &self.compiled.plan.step(at.last().step).kind {
                Kind::Code => self.run_script(at, attempt).await?,
                _ => leaving.extend(self.make_call(at, attempt).await?),
            }
        }
        while !leaving.is_empty() {
            match self.commit().await {
                Ok(()) => break,
                Err(DriveError::Store(StoreError { kind: StoreErrorKind::Active { intent, by }, .. })) => {
                    self.step_aside(&mut leaving, intent, by);
                }
                Err(DriveError::Store(StoreError { kind: StoreErrorKind::Guarded { intent, admission }, .. })) => {
                    self.guarded(&mut leaving, intent, &admission).await?;
                }
                Err(error) => return Err(error),
            }
        }
        for Leaving { at, attempt, prepared } in leaving {
            self.send(at, attempt, prepared);
        }
        Ok(())
    }

    /// Evaluates and prepares one call. One without effects leaves at once.
    async fn make_call(&mut self, at: Address, attempt: u32) -> Result<Option<Leaving>, DriveError> {
        let place = at.to_string();
        let order = match self.orders.get(&place) {
            Some(ordered) => ordered.order.clone(),
            None => match self.ordered(&at).await? {
                Ok(order) => order,
                Err(trouble) => {
                    self.refused(at, attempt, &trouble);
                    return Ok(None);
                }
            },
        };
        let call = order.name();
        let prepared = match self.shared.calls.prepare(self.run.tenant, &order).await {
            Ok(prepared) => prepared,
            Err(trouble) if trouble.kind == TroubleKind::Connection => {
                self.hold(at, attempt, &trouble);
                return Ok(None);
            }
            Err(trouble) => {
                self.refused(at, attempt, &trouble);
                return Ok(None);
            }
        };
        let is_safe = self.class(&at) == Class::Safe && prepared.is_safe();
        if !is_safe && self.run.mode != RunMode::Live {
            self.note(Some(&at), Happened::WouldSend { call, request: prepared.shown() });
            self.events.push_back(Event::Ended { at, attempt, result: CallEnd::Answered });
            return Ok(None);
        }
        self.note(Some(&at), Happened::Calling { call, attempt });
        self.doubts.remove(&place);
        let ordered = Ordered { order, output: Value::Null, sights: 0, is_kept: false, has_intent: !is_safe };
        if is_safe {
            self.orders.insert(place, ordered);
            self.send(at, attempt, prepared);
            return Ok(None);
        }
        let guard = match self.guard_of(&at, &prepared).await? {
            Ok(guard) => guard,
            Err(trouble) => {
                self.refused(at, attempt, &trouble);
                return Ok(None);
            }
        };
        let order = &prepared.order;
        self.pending.intents.push(NewIntent {
            place: place.clone(),
            attempt,
            key: order.key.clone(),
            operation: format!("{}/{}", order.connector, prepared.operation.id),
            target: prepared.target.clone(),
            request: serde_json::to_string(order).expect("it is made of JSON"),
            guard: Some(guard),
        });
        // An earlier try of the same step is over: the machine would not want another one else.
        if attempt > 1 {
            let verdict = "tried again".to_owned();
            self.pending.settled.push(sortie_store::Settled { place: place.clone(), verdict });
        }
        self.orders.insert(place, ordered);
        Ok(Some(Leaving { at, attempt, prepared }))
    }

    /// What the step orders, with its inputs as they are now.
    pub(super) async fn ordered(&mut self, at: &Address) -> Result<Result<Order, Trouble>, DriveError> {
        let compiled = Arc::clone(&self.compiled);
        let CompiledVerb::Call(call) = &compiled.steps[usize::from(at.last().step)].verb else {
            return Ok(Err(Trouble::refused(TroubleKind::Document, "this step calls nothing", "")));
        };
        self.order_of(at, call, &at.to_string()).await
    }

    async fn order_of(
        &mut self,
        at: &Address,
        call: &CompiledCall,
        place: &str,
    ) -> Result<Result<Order, Trouble>, DriveError> {
        let inputs = match &call.with {
            None => Map::new(),
            Some(with) => {
                let names = self.names_for(at, &[with.reads()]).await?;
                match with.evaluate(&names, Budget::default()) {
                    Ok(Value::Object(inputs)) => inputs,
                    Ok(_) => Map::new(),
                    Err(error) => {
                        let what = format!("`with`: {error}");
                        return Ok(Err(Trouble::refused(TroubleKind::Document, what, "Correct the step's `with`.")));
                    }
                }
            }
        };
        Ok(Ok(Order {
            connector: call.connector.clone(),
            operation: call.operation.clone(),
            connection: call.connection.clone(),
            inputs,
            all_pages: call.all_pages,
            key: effect_key(self.run.tenant, self.run.id, place),
        }))
    }

    fn send(&mut self, at: Address, attempt: u32, prepared: Prepared) {
        let shared = Arc::clone(&self.shared);
        self.works.push(Box::pin(async move {
            let _permit = shared.calls_at_once.acquire().await.expect("nobody closes it");
            shared.points.pass(Point::BeforeCall).await;
            let counted = shared.tally.call();
            let result = shared.calls.send(&prepared).await;
            counted.ended(result.is_ok());
            shared.points.pass(Point::AfterCall).await;
            Done { at, attempt, what: DoneWhat::Called(result) }
        }));
    }

    /// Another run is doing the same to the same: this call waits until that is over, and looks again more and more rarely.
    fn step_aside(&mut self, leaving: &mut Vec<Leaving>, intent: usize, by: RunId) {
        let Some(Leaving { at, attempt, prepared }) = self.stays(leaving, intent) else { return };
        let before = self.shared.asides.wait(by, (self.run.tenant, self.run.id), &at.to_string());
        let why = format!("run {by} is doing {} to the same", prepared.order.name());
        if before == 0 {
            self.note(Some(&at), Happened::Held { why: why.clone() });
        }
        self.pending.is_news = true;
        let pause = STEP_ASIDE.saturating_mul(1 << before.min(6)).min(STEP_ASIDE_MAX);
        let until = self.shared.clock.now().checked_add(pause).unwrap_or(jiff::Timestamp::MAX);
        self.holds.insert(at, Hold { attempt, kind: HoldKind::InTheWay, why, until });
    }

    /// Takes an intent back before it was written, and with it that the call leaves.
    pub(super) fn stays(&mut self, leaving: &mut Vec<Leaving>, intent: usize) -> Option<Leaving> {
        let place = self.pending.intents.remove(intent).place;
        self.pending.settled.retain(|settled| settled.place != place);
        if let Some(ordered) = self.orders.get_mut(&place) {
            ordered.has_intent = false;
        }
        let position = leaving.iter().position(|one| one.at.to_string() == place)?;
        let stays = leaving.remove(position);
        let name = self.name(&stays.at);
        let leaves = |entry: &Entry| {
            entry.step.as_ref() == Some(&name)
                && matches!(&entry.what, Happened::Calling { attempt, .. } if *attempt == stays.attempt)
        };
        if let Some(told) = self.pending.entries.iter().rposition(leaves) {
            self.pending.entries.remove(told);
        }
        Some(stays)
    }

    async fn run_script(&mut self, at: Address, attempt: u32) -> Result<(), DriveError> {
        let compiled = Arc::clone(&self.compiled);
        let CompiledVerb::Code { script, with } = &compiled.steps[usize::from(at.last().step)].verb else {
            return Ok(());
        };
        let input = match with {
            None => Value::Object(Map::new()),
            Some(with) => {
                let names = self.names_for(&at, &[with.reads()]).await?;
                match with.evaluate(&names, Budget::default()) {
                    Ok(input) => input,
                    Err(error) => {
                        let what = format!("`with`: {error}");
                        let trouble = Trouble::refused(TroubleKind::Document, what, "Correct the step's `with`.");
                        self.refused(at, attempt, &trouble);
                        return Ok(());
                    }
                }
            }
        };
        self.note(Some(&at), Happened::Calling { call: "code".to_owned(), attempt });
        let (shared, text, now) = (Arc::clone(&self.shared), Arc::clone(script), self.run.made);
        let seed = self.state.seed ^ u64::from(attempt);
        let limit =
            compiled.plan.step(at.last().step).timeout.map_or(SCRIPT_LIMIT, |limit| limit.min(SCRIPT_LIMIT_MAX));
        self.works.push(Box::pin(async move {
            let script = Script { text: &text, input: &input, limit, now, seed };
            let result = shared.calls.outside.script(script).await;
            Done { at, attempt, what: DoneWhat::Scripted(result) }
        }));
        Ok(())
    }

    pub(super) async fn look(&mut self, at: Address, attempt: u32) -> Result<(), DriveError> {
        let place = at.to_string();
        let now = self.shared.clock.now();
        let Some(order) = self.orders.get(&place).map(|ordered| ordered.order.clone()) else {
            self.events.push_back(Event::Ended { at, attempt, result: unclear() });
            return Ok(());
        };
        let since = *self.doubts.entry(place).or_insert(now);
        let (shared, tenant) = (Arc::clone(&self.shared), self.run.tenant);
        self.works.push(Box::pin(async move {
            shared.points.pass(Point::BeforeCall).await;
            let result = match shared.calls.prepare(tenant, &order).await {
                Ok(prepared) => shared.calls.look(&prepared, since).await,
                Err(trouble) => Err(trouble),
            };
            shared.points.pass(Point::AfterCall).await;
            Done { at, attempt, what: DoneWhat::Looked(result) }
        }));
        Ok(())
    }

    pub(super) async fn follow(&mut self, at: Address, attempt: u32) -> Result<(), DriveError> {
        let place = at.to_string();
        if self.run.mode != RunMode::Live {
            self.events.push_back(Event::Ended { at, attempt, result: CallEnd::Followed { well: true } });
            return Ok(());
        }
        let Some(ordered) = self.orders.get_mut(&place) else { return Ok(()) };
        ordered.sights += 1;
        if !std::mem::replace(&mut ordered.is_kept, true) {
            // A later process must know what the call has started.
            self.pending.values.push((format!("{place}#started"), ordered.output.clone()));
        }
        let (order, output, sights) = (ordered.order.clone(), ordered.output.clone(), ordered.sights);
        let (shared, tenant) = (Arc::clone(&self.shared), self.run.tenant);
        self.works.push(Box::pin(async move {
            shared.points.pass(Point::BeforeCall).await;
            let result = match shared.calls.prepare(tenant, &order).await {
                Ok(prepared) => shared.calls.follow(&prepared, &output, sights).await,
                Err(trouble) => Err(trouble),
            };
            shared.points.pass(Point::AfterCall).await;
            Done { at, attempt, what: DoneWhat::Seen(result) }
        }));
        Ok(())
    }

    pub(super) async fn call_off(&mut self, at: Address) -> Result<(), DriveError> {
        let Some(ordered) = self.orders.get(&at.to_string()) else { return Ok(()) };
        let (order, output) = (ordered.order.clone(), ordered.output.clone());
        let (shared, tenant) = (Arc::clone(&self.shared), self.run.tenant);
        self.works.push(Box::pin(async move {
            let result = match shared.calls.prepare(tenant, &order).await {
                Ok(prepared) => shared.calls.call_off(&prepared, &output).await,
                Err(trouble) => Err(trouble),
            };
            Done { at, attempt: 0, what: DoneWhat::CalledOff(result) }
        }));
        Ok(())
    }

    /// Tells people of a question, once at most: a message that may have left is not sent again.
    pub(super) async fn notify(&mut self, notice: Notice<'_>) -> Result<(), DriveError> {
        let place = format!("{}#notify", notice.at);
        let order = match self.order_of(&notice.at, notice.call, &place).await? {
            Ok(order) => order,
            Err(trouble) => {
                self.note(Some(&notice.at), failed(1, &trouble));
                return Ok(());
            }
        };
        let prepared = match self.shared.calls.prepare(self.run.tenant, &order).await {
            Ok(prepared) => prepared,
            Err(trouble) => {
                self.note(Some(&notice.at), failed(1, &trouble));
                return Ok(());
            }
        };
        self.pending.intents.push(NewIntent {
            place: place.clone(),
            attempt: 1,
            key: order.key.clone(),
            operation: order.name(),
            target: format!("call {}", order.key),
            request: serde_json::to_string(&order).expect("it is made of JSON"),
            guard: None,
        });
        self.commit().await?;
        let (shared, at) = (Arc::clone(&self.shared), notice.at);
        self.works.push(Box::pin(async move {
            shared.points.pass(Point::BeforeCall).await;
            let result = shared.calls.send(&prepared).await;
            shared.points.pass(Point::AfterCall).await;
            Done { at, attempt: 1, what: DoneWhat::Notified(place, result) }
        }));
        Ok(())
    }

    /// What has come back becomes an event.
    pub(super) fn came_back(&mut self, done: Done) {
        let Done { at, attempt, what } = done;
        let place = at.to_string();
        let result = match what {
            DoneWhat::Called(Ok(output)) => {
                self.note(Some(&at), Happened::Answered { attempt });
                self.keep(&place, output);
                CallEnd::Answered
            }
            DoneWhat::Called(Err(trouble)) if trouble.kind == TroubleKind::Connection => {
                return self.hold_after(at, attempt, &trouble);
            }
            DoneWhat::Called(Err(trouble)) => return self.refused(at, attempt, &trouble),
            DoneWhat::Scripted(Ok(done)) => {
                self.console(&at, done.console);
                self.note(Some(&at), Happened::Answered { attempt });
                self.left.insert(place, (done.output, Value::Null));
                CallEnd::Answered
            }
            DoneWhat::Scripted(Err(mut trouble)) => {
                self.console(&at, std::mem::take(&mut trouble.console));
                return self.refused(at, attempt, &trouble);
            }
            DoneWhat::Looked(Ok(glance)) => {
                self.note(Some(&at), Happened::Looked { seen: glance.seen });
                if let Some(found) = glance.found {
                    self.keep(&place, found);
                }
                CallEnd::Looked { seen: glance.seen, again: glance.again }
            }
            DoneWhat::Looked(Err(trouble)) | DoneWhat::Seen(Err(trouble)) => {
                self.note(Some(&at), failed(attempt, &trouble));
                CallEnd::Failed { delivery: Delivery::NotSent, retry_after: trouble.retry_after }
            }
            DoneWhat::Seen(Ok(Sight::Pending(again))) => CallEnd::Pending { again },
            DoneWhat::Seen(Ok(Sight::Ended { well, output })) => {
                self.note(Some(&at), Happened::Followed { well });
                let error = if well { Value::Null } else { not_well(&output) };
                self.left.insert(place, (output, error));
                CallEnd::Followed { well }
            }
            DoneWhat::CalledOff(result) => {
                let failed = result.err().map(|trouble| trouble.what);
                return self.note(Some(&at), Happened::CalledOff { failed });
            }
            DoneWhat::Notified(place, result) => return self.notified(&at, place, &result),
        };
        self.events.push_back(Event::Ended { at, attempt, result });
    }

    fn notified(&mut self, at: &Address, place: String, result: &Result<Value, Trouble>) {
        let verdict = if result.is_ok() { "succeeded" } else { "failed" }.to_owned();
        self.pending.settled.push(sortie_store::Settled { place, verdict });
        if let Err(trouble) = result {
            self.note(Some(at), failed(1, trouble));
        }
    }

    /// What a call was answered: the step's output, unless what it started is followed.
    fn keep(&mut self, place: &str, output: Value) {
        if let Some(ordered) = self.orders.get_mut(place) {
            ordered.output = output.clone();
        }
        self.left.insert(place.to_owned(), (output, Value::Null));
    }

    /// A call that gave nothing: the machine decides what comes next.
    pub(super) fn refused(&mut self, at: Address, attempt: u32, trouble: &Trouble) {
        self.note(Some(&at), failed(attempt, trouble));
        let place = at.to_string();
        if trouble.delivery == Delivery::Unknown {
            self.doubts.insert(place.clone(), self.shared.clock.now());
        }
        self.left.insert(place, (Value::Null, trouble.as_error()));
        let result = CallEnd::Failed { delivery: trouble.delivery, retry_after: trouble.retry_after };
        self.events.push_back(Event::Ended { at, attempt, result });
    }

    /// The connection does not authenticate: the call waits, and with it the run, until it does.
    fn hold(&mut self, at: Address, attempt: u32, trouble: &Trouble) {
        let why = format!("{}. {}", trouble.what, trouble.next);
        self.note(Some(&at), Happened::Held { why: why.clone() });
        self.pending.is_news = true;
        let pause = trouble.retry_after.unwrap_or(CONNECTION_PAUSE);
        let until = self.shared.clock.now().checked_add(pause).unwrap_or(jiff::Timestamp::MAX);
        self.holds.insert(at, Hold { attempt, kind: HoldKind::Connection, why, until });
    }

    /// The same for a call that had an intent: it was not carried out, and its next try has an intent of its own.
    fn hold_after(&mut self, at: Address, attempt: u32, trouble: &Trouble) {
        let place = at.to_string();
        if let Some(ordered) = self.orders.get_mut(&place)
            && std::mem::take(&mut ordered.has_intent)
        {
            self.pending.dropped.push((place, attempt));
        }
        self.hold(at, attempt, trouble);
    }

    fn console(&mut self, at: &Address, lines: Vec<String>) {
        if !lines.is_empty() {
            self.note(Some(at), Happened::Console { lines });
        }
    }

    pub(super) fn class(&self, at: &Address) -> Class {
        match &self.compiled.plan.step(at.last().step).kind {
            Kind::Call(planned) => planned.class,
            Kind::Code => Class::Safe,
            _ => Class::Unsafe,
        }
    }
}

fn failed(attempt: u32, trouble: &Trouble) -> Happened {
    Happened::Failed {
        attempt,
        delivery: trouble.delivery,
        kind: trouble.kind,
        why: trouble.what.clone(),
        next: trouble.next.clone(),
    }
}

fn not_well(output: &Value) -> Value {
    let status = output.get("status").and_then(Value::as_str).unwrap_or("not well");
    json!({ "kind": "service", "what": format!("it ended as {status}"), "next": "Look at the product why.", "status": null })
}

fn unclear() -> CallEnd {
    CallEnd::Looked { seen: Seen::Unclear, again: LOOK_AGAIN }
}

const LOOK_AGAIN: std::time::Duration = std::time::Duration::from_secs(5);
/// Most calls are over by then; what is followed to its end may take hours.
const STEP_ASIDE: std::time::Duration = std::time::Duration::from_secs(1);
const STEP_ASIDE_MAX: std::time::Duration = std::time::Duration::from_secs(60);
const CONNECTION_PAUSE: std::time::Duration = std::time::Duration::from_secs(60);
/// Where the step has no timeout.
const SCRIPT_LIMIT: std::time::Duration = std::time::Duration::from_secs(10);
const SCRIPT_LIMIT_MAX: std::time::Duration = std::time::Duration::from_secs(300);
