//! What leaves: calls of steps, messages to people, calls that take something back. Each with an effect after its intent is
//! on the disk, and only while the run is still this process's.

use std::sync::Arc;

use sortie_engine::{
    decide::Delivery,
    machine::{Address, CallEnd, Event, Kind, Phase},
};
use sortie_store::{NewIntent, RunId, Settled, StoreError, StoreErrorKind};

use super::{Done, DoneWhat, DriveError, Hold, HoldKind, Session, calls::failed};
use crate::{
    calls::{Order, Prepared},
    compiled::CompiledVerb,
    journal::{Entry, Happened},
    outside::{Trouble, TroubleKind},
    points::Point,
};

/// Something that is about to leave.
pub(super) struct Leaving {
    pub at: Address,
    pub attempt: u32,
    /// Of its intent, where it has one.
    pub place: String,
    pub errand: Errand,
    pub prepared: Prepared,
}

/// What for.
pub(super) enum Errand {
    /// The step's call.
    Call,
    /// It tells people of the step's question.
    Notice,
    /// It calls off what the step's call has started.
    CallOff { order: Arc<Order>, started: serde_json::Value },
}

impl Session {
    /// Lets everything leave that the machine wants: what has effects after its intent is on the disk.
    pub(super) async fn make_calls(&mut self) -> Result<(), DriveError> {
        let mut leaving = Vec::new();
        for at in std::mem::take(&mut self.notices) {
            leaving.extend(self.notice(at).await?);
        }
        for (at, attempt) in std::mem::take(&mut self.due) {
            let is_script = matches!(self.compiled.plan.step(at.last().step).kind, Kind::Code);
            match self.state.active(&at).map(|active| active.phase) {
                Some(Phase::CallingOff) => leaving.extend(self.call_off(at, attempt).await?),
                _ if is_script => self.run_script(at, attempt).await?,
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
                    self.guarded(&mut leaving, intent, &admission);
                }
                Err(error) => return Err(error),
            }
        }
        leaving.into_iter().for_each(|leaving| self.send(leaving));
        Ok(())
    }

    pub(super) fn send(&mut self, leaving: Leaving) {
        let Leaving { at, attempt, errand, prepared, .. } = leaving;
        let shared = Arc::clone(&self.shared);
        let ours = (!prepared.is_safe()).then_some((self.run.tenant, self.run.id, self.run.epoch));
        self.works.push(Box::pin(async move {
            let _permit = shared.calls_at_once.acquire().await.expect("nobody closes it");
            shared.points.pass(Point::BeforeCall).await;
            // Whoever was held up since the intent was written may have been given up, and another look for this very call.
            let is_ours = match ours {
                Some((tenant, run, epoch)) => shared.has(tenant, run, epoch).await,
                None => Ok(true),
            };
            if !matches!(is_ours, Ok(true)) {
                return Done { at, attempt, what: DoneWhat::Lost(is_ours.err()) };
            }
            let counted = shared.tally.call();
            let what = match errand {
                Errand::Call => DoneWhat::Called(shared.calls.send(&prepared).await),
                Errand::Notice => DoneWhat::Notified(shared.calls.send(&prepared).await),
                Errand::CallOff { order, started } => {
                    DoneWhat::CalledOff(shared.calls.call_off(&order, &started, &prepared).await)
                }
            };
            counted.ended(what.went_well());
            shared.points.pass(Point::AfterCall).await;
            Done { at, attempt, what }
        }));
    }

    /// Another run is doing the same to the same: this waits until that is over, and looks again more and more rarely.
    fn step_aside(&mut self, leaving: &mut Vec<Leaving>, intent: usize, by: RunId) {
        let Some(Leaving { at, attempt, prepared, errand, place }) = self.stays(leaving, intent) else { return };
        let before = self.shared.asides.wait(by, (self.run.tenant, self.run.id), &place);
        let pause = STEP_ASIDE.saturating_mul(1 << before.min(6)).min(STEP_ASIDE_MAX);
        let why = format!("run {by} is doing {} to the same", prepared.order.name());
        match errand {
            Errand::Call => {
                if before == 0 {
                    self.note(Some(&at), Happened::Held { why: why.clone() });
                }
                self.pending.is_news = true;
                let until = self.shared.clock.now().checked_add(pause).unwrap_or(jiff::Timestamp::MAX);
                self.holds.insert(at, Hold { attempt, kind: HoldKind::InTheWay, why, until });
            }
            // It has a target of its own, so that nothing is in its way.
            Errand::Notice => self.note(Some(&at), Happened::Held { why }),
            Errand::CallOff { .. } => self.not_called_off(&at, attempt, why, Some(pause)),
        }
    }

    /// Takes an intent back before it was written, and with it that the call leaves.
    pub(super) fn stays(&mut self, leaving: &mut Vec<Leaving>, intent: usize) -> Option<Leaving> {
        let place = self.pending.intents.remove(intent).place;
        self.pending.settled.retain(|settled| settled.place != place);
        if let Some(ordered) = self.orders.get_mut(&place) {
            ordered.has_intent = false;
        }
        let position = leaving.iter().position(|one| one.place == place)?;
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

    /// Tells people of a question, once at most: a message that may have left is not sent again.
    async fn notice(&mut self, at: Address) -> Result<Option<Leaving>, DriveError> {
        let compiled = Arc::clone(&self.compiled);
        let CompiledVerb::Approval { notify: Some(call), .. } = &compiled.steps[usize::from(at.last().step)].verb
        else {
            return Ok(None);
        };
        let place = format!("{at}#notify");
        let prepared = match self.order_of(&at, call, &place).await? {
            Ok(order) => self.shared.calls.prepare(self.run.tenant, order).await,
            Err(trouble) => Err(trouble),
        };
        match prepared {
            Ok(prepared) => self.intend(Leaving { at, attempt: 1, place, errand: Errand::Notice, prepared }).await,
            Err(trouble) => {
                self.note(Some(&at), failed(1, &trouble));
                Ok(None)
            }
        }
    }

    /// Adds the intent of something that is not the step's own call.
    async fn intend(&mut self, leaving: Leaving) -> Result<Option<Leaving>, DriveError> {
        let Leaving { at, attempt, place, prepared, errand } = &leaving;
        let guard = match self.guard_of(at, prepared).await? {
            Ok(guard) => guard,
            Err(trouble) => {
                self.note(Some(at), failed(*attempt, &trouble));
                return Ok(None);
            }
        };
        // What takes back an order of ours counts against no ceiling.
        let undoes = guard.undoes || matches!(errand, Errand::CallOff { .. });
        self.pending.intents.push(NewIntent {
            place: place.clone(),
            attempt: *attempt,
            key: prepared.order.key.clone(),
            operation: format!("{}/{}", prepared.order.connector, prepared.operation().id),
            // A message that was lost stands in nobody's way.
            target: match errand {
                Errand::Notice => format!("call {}", prepared.order.key),
                Errand::Call | Errand::CallOff { .. } => prepared.target.clone(),
            },
            request: serde_json::to_string(&*prepared.order).expect("it is made of JSON"),
            guard: Some(sortie_store::Guard { undoes, ..guard }),
        });
        Ok(Some(leaving))
    }

    pub(super) fn notified(&mut self, at: &Address, result: &Result<serde_json::Value, Trouble>) {
        let verdict = if result.is_ok() { "succeeded" } else { "failed" }.to_owned();
        self.pending.settled.push(Settled { place: format!("{at}#notify"), verdict });
        if let Err(trouble) = result {
            self.note(Some(at), failed(1, trouble));
        }
    }

    /// What a step has started is called off, unless it has ended by itself.
    async fn call_off(&mut self, at: Address, attempt: u32) -> Result<Option<Leaving>, DriveError> {
        let Some(ordered) = self.orders.get_mut(&at.to_string()) else {
            self.not_called_off(&at, attempt, "it is not known what was started".to_owned(), None);
            return Ok(None);
        };
        if !std::mem::replace(&mut ordered.is_kept, true) {
            // A later process must know the call has started.
            self.pending.leave(format!("{at}#started"), &ordered.output);
        }
        let (order, started) = (Arc::clone(&ordered.order), ordered.output.clone());
        let place = off_place(&at);
        let prepared = match self.shared.calls.cancel_of(self.run.tenant, &order, &started, &place, self.run.id).await {
            Ok(Some(prepared)) => prepared,
            Ok(None) => {
                self.not_called_off(&at, attempt, format!("{} does not say how", order.name()), None);
                return Ok(None);
            }
            Err(trouble) if trouble.kind == TroubleKind::Connection => {
                self.hold(at, attempt, &trouble);
                return Ok(None);
            }
            Err(trouble) => {
                self.not_called_off(&at, attempt, trouble.what, None);
                return Ok(None);
            }
        };
        let tries = self.offs.entry(at.clone()).or_default();
        *tries += 1;
        if *tries > 1 {
            self.pending.settled.push(Settled { place: place.clone(), verdict: "tried again".to_owned() });
        }
        let (tries, errand) = (*tries, Errand::CallOff { order, started });
        let leaving = self.intend(Leaving { at: at.clone(), attempt: tries, place, errand, prepared }).await?;
        if leaving.is_none() {
            self.not_called_off(&at, attempt, "a guardrail cannot tell what it meets".to_owned(), None);
        }
        Ok(leaving.map(|leaving| Leaving { attempt, ..leaving }))
    }

    /// What that has come to; `None` where it waits for its connection.
    pub(super) fn called_off(&mut self, at: &Address, attempt: u32, result: Result<bool, Trouble>) -> Option<CallEnd> {
        let trouble = match result {
            Ok(_) => {
                self.note(Some(at), Happened::CalledOff { failed: None });
                self.pending.settled.push(Settled { place: off_place(at), verdict: "succeeded".to_owned() });
                return Some(CallEnd::CalledOff);
            }
            Err(trouble) => trouble,
        };
        if trouble.kind == TroubleKind::Connection {
            self.hold(at.clone(), attempt, &trouble);
            return None;
        }
        let again = (trouble.delivery != Delivery::Refused).then(|| trouble.retry_after.unwrap_or_default());
        self.note(Some(at), Happened::CalledOff { failed: Some(trouble.what) });
        Some(CallEnd::NotCalledOff { again })
    }

    pub(super) fn not_called_off(
        &mut self,
        at: &Address,
        attempt: u32,
        why: String,
        again: Option<std::time::Duration>,
    ) {
        self.note(Some(at), Happened::CalledOff { failed: Some(why) });
        let result = CallEnd::NotCalledOff { again };
        self.events.push_back(Event::Ended { at: at.clone(), attempt, result });
    }
}

/// Where the intents of calls stand that call off what a step has started.
pub(super) fn off_place(at: &Address) -> String {
    format!("{at}#off")
}

pub(super) fn lost(run: RunId) -> StoreError {
    StoreError { doing: format!("make a call of run {run}"), kind: StoreErrorKind::Stale(format!("run {run}")) }
}

/// Most calls are over by then; what is followed to its end may take hours.
const STEP_ASIDE: std::time::Duration = std::time::Duration::from_secs(1);
const STEP_ASIDE_MAX: std::time::Duration = std::time::Duration::from_secs(60);
