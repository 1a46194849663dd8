//! Calls of steps: what they order, coming back, and what that tells the machine.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use sortie_engine::{
    decide::{Class, Delivery, Seen},
    machine::{Address, CallEnd, Event, Kind},
    template::Budget,
};
use sortie_store::NewIntent;

use super::{
    Done, DoneWhat, DriveError, Hold, HoldKind, Ordered, Session,
    leave::{Errand, Leaving},
};
use crate::{
    calls::{InDoubt, Order, Sight, effect_key},
    compiled::{CompiledCall, CompiledVerb},
    journal::Happened,
    outside::{Script, Trouble, TroubleKind},
    points::Point,
};

impl Session {
    /// Evaluates and prepares one call. One without effects leaves at once.
    pub(super) async fn make_call(&mut self, at: Address, attempt: u32) -> Result<Option<Leaving>, DriveError> {
        let place = at.to_string();
        let order = match self.orders.get(&place) {
            Some(ordered) => Arc::clone(&ordered.order),
            None => match self.ordered(&at).await? {
                Ok(order) => order,
                Err(trouble) if self.call_reads_untold(&at).await? => {
                    self.would_send(at, attempt, json!({ "untold": trouble.what }));
                    return Ok(None);
                }
                Err(trouble) => {
                    self.refused(at, attempt, &trouble);
                    return Ok(None);
                }
            },
        };
        let call = order.name();
        let prepared = match self.shared.calls.prepare(self.run.tenant, Arc::clone(&order)).await {
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
        if !is_safe && self.is_rehearsal() {
            self.would_send(at, attempt, prepared.shown());
            return Ok(None);
        }
        self.note(Some(&at), Happened::Calling { call, attempt });
        self.doubts.remove(&place);
        let made = self.orders.get(&place).map_or_else(|| self.shared.clock.now(), |before| before.ordered);
        let ordered = Ordered { order, output: Value::Null, ordered: made, is_kept: false, has_intent: !is_safe };
        if is_safe {
            self.orders.insert(place.clone(), ordered);
            self.send(Leaving { at, attempt, place, errand: Errand::Call, prepared });
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
            operation: format!("{}/{}", order.connector, prepared.operation().id),
            target: prepared.target.clone(),
            request: serde_json::to_string(&**order).expect("it is made of JSON"),
            guard: Some(guard),
        });
        // An earlier try of the same step is over: the machine would not want another one else.
        if attempt > 1 {
            let verdict = "tried again".to_owned();
            self.pending.settled.push(sortie_store::Settled { place: place.clone(), verdict });
        }
        self.orders.insert(place.clone(), ordered);
        Ok(Some(Leaving { at, attempt, place, errand: Errand::Call, prepared }))
    }

    /// What the step orders, with its inputs as they are now.
    pub(super) async fn ordered(&mut self, at: &Address) -> Result<Result<Arc<Order>, Trouble>, DriveError> {
        let compiled = Arc::clone(&self.compiled);
        let CompiledVerb::Call(call) = &compiled.steps[usize::from(at.last().step)].verb else {
            return Ok(Err(Trouble::refused(TroubleKind::Document, "this step calls nothing", "")));
        };
        self.order_of(at, call, &at.to_string()).await
    }

    pub(super) async fn order_of(
        &mut self,
        at: &Address,
        call: &CompiledCall,
        place: &str,
    ) -> Result<Result<Arc<Order>, Trouble>, DriveError> {
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
        Ok(Ok(Arc::new(Order {
            connector: call.connector.clone(),
            pinned: self.connectors.get(&call.connector).cloned(),
            operation: call.operation.clone(),
            connection: call.connection.clone(),
            inputs,
            all_pages: call.all_pages,
            key: effect_key(self.run.tenant, self.run.id, place),
        })))
    }

    async fn call_reads_untold(&mut self, at: &Address) -> Result<bool, DriveError> {
        let compiled = Arc::clone(&self.compiled);
        match &compiled.steps[usize::from(at.last().step)].verb {
            CompiledVerb::Call(CompiledCall { with: Some(with), .. }) => self.reads_untold(at, &[with.reads()]).await,
            _ => Ok(false),
        }
    }

    /// In a run that only shows what it would do, in the place of a call.
    fn would_send(&mut self, at: Address, attempt: u32, request: Value) {
        let compiled = Arc::clone(&self.compiled);
        let call = match &compiled.steps[usize::from(at.last().step)].verb {
            CompiledVerb::Call(call) => format!("{}/{}", call.connector, call.operation),
            _ => String::new(),
        };
        self.note(Some(&at), Happened::WouldSend { call, request });
        self.leave_untold(&at);
        self.events.push_back(Event::Ended { at, attempt, result: CallEnd::Answered });
    }

    pub(super) async fn run_script(&mut self, at: Address, attempt: u32) -> Result<(), DriveError> {
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
        let Some((order, ordered)) = self.orders.get(&place).map(|one| (Arc::clone(&one.order), one.ordered)) else {
            self.events.push_back(Event::Ended { at, attempt, result: unclear() });
            return Ok(());
        };
        let doubt = InDoubt { ordered, since: *self.doubts.entry(place).or_insert(now) };
        let (shared, tenant) = (Arc::clone(&self.shared), self.run.tenant);
        self.works.push(Box::pin(async move {
            shared.points.pass(Point::BeforeCall).await;
            let result = match shared.calls.prepare(tenant, order).await {
                Ok(prepared) => shared.calls.look(&prepared, doubt).await,
                Err(trouble) => Err(trouble),
            };
            shared.points.pass(Point::AfterCall).await;
            Done { at, attempt, what: DoneWhat::Looked(result) }
        }));
        Ok(())
    }

    pub(super) async fn follow(&mut self, at: Address, attempt: u32) -> Result<(), DriveError> {
        let place = at.to_string();
        if self.is_rehearsal() {
            self.events.push_back(Event::Ended { at, attempt, result: CallEnd::Followed { well: true } });
            return Ok(());
        }
        let Some(ordered) = self.orders.get_mut(&place) else { return Ok(()) };
        if !std::mem::replace(&mut ordered.is_kept, true) {
            // A later process must know what the call has started.
            self.pending.leave(format!("{place}#started"), &ordered.output);
        }
        let (order, output) = (Arc::clone(&ordered.order), ordered.output.clone());
        let sights = self.state.active(&at).map_or(0, |active| active.looks);
        let (shared, tenant) = (Arc::clone(&self.shared), self.run.tenant);
        self.works.push(Box::pin(async move {
            shared.points.pass(Point::BeforeCall).await;
            let result = match shared.calls.prepare(tenant, order).await {
                Ok(prepared) => shared.calls.follow(&prepared, &output, sights).await,
                Err(trouble) => Err(trouble),
            };
            shared.points.pass(Point::AfterCall).await;
            Done { at, attempt, what: DoneWhat::Seen(result) }
        }));
        Ok(())
    }

    /// What has come back becomes an event.
    pub(super) fn came_back(&mut self, done: Done) -> Result<(), DriveError> {
        let Done { at, attempt, what } = done;
        let place = at.to_string();
        let result = match what {
            DoneWhat::Called(Ok(output)) => {
                self.note(Some(&at), Happened::Answered { attempt });
                self.keep(&place, output);
                CallEnd::Answered
            }
            DoneWhat::Called(Err(trouble)) if trouble.kind == TroubleKind::Connection => {
                self.hold_after(at, attempt, &trouble);
                return Ok(());
            }
            DoneWhat::Called(Err(trouble)) => {
                self.refused(at, attempt, &trouble);
                return Ok(());
            }
            DoneWhat::Scripted(Ok(done)) => {
                self.console(&at, done.console);
                self.note(Some(&at), Happened::Answered { attempt });
                self.left.insert(place, (done.output, Value::Null));
                CallEnd::Answered
            }
            DoneWhat::Scripted(Err(mut trouble)) => {
                self.console(&at, std::mem::take(&mut trouble.console));
                self.refused(at, attempt, &trouble);
                return Ok(());
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
                CallEnd::Failed { delivery: trouble.delivery, retry_after: trouble.retry_after }
            }
            DoneWhat::Seen(Ok(Sight::Pending(again))) => CallEnd::Pending { again },
            DoneWhat::Seen(Ok(Sight::Ended { well, output })) => {
                self.note(Some(&at), Happened::Followed { well });
                let error = if well { Value::Null } else { not_well(&output) };
                self.left.insert(place, (output, error));
                CallEnd::Followed { well }
            }
            DoneWhat::CalledOff(result) => match self.called_off(&at, attempt, result) {
                Some(end) => end,
                None => return Ok(()),
            },
            DoneWhat::Notified(result) => {
                self.notified(&at, &result);
                return Ok(());
            }
            DoneWhat::Lost(error) => return Err(error.unwrap_or_else(|| super::leave::lost(self.run.id)).into()),
        };
        self.events.push_back(Event::Ended { at, attempt, result });
        Ok(())
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
    pub(super) fn hold(&mut self, at: Address, attempt: u32, trouble: &Trouble) {
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

pub(super) fn failed(attempt: u32, trouble: &Trouble) -> Happened {
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
const CONNECTION_PAUSE: std::time::Duration = std::time::Duration::from_secs(60);
/// Where the step has no timeout.
const SCRIPT_LIMIT: std::time::Duration = std::time::Duration::from_secs(10);
const SCRIPT_LIMIT_MAX: std::time::Duration = std::time::Duration::from_secs(300);
