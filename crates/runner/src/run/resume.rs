//! Beginning a run, and going on with one that was left, by this process or by one that died.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use sortie_engine::{
    decide::{Class, Delivery, Outcome},
    document::WhenBusy,
    machine::{Active, Address, CallEnd, Event, Kind, Phase, Resolution, State, TimerKind},
    template::{Budget, Scope as Names},
};
use sortie_store::{Committed, Intent, Run, Signal, TakenUp};

use super::{DriveError, Ordered, Session, evaluate::plain, leave::off_place, pending::Pending};
use crate::{
    calls::Order,
    journal::{Happened, Page},
    points::Point,
    shared::{Shared, Source},
    snapshot::{Snapshot, instant},
};

/// What others tell a run.
#[derive(Debug, Deserialize)]
#[serde(tag = "signal", rename_all = "snake_case")]
enum Told {
    Cancel {
        by: String,
    },
    Decided {
        place: String,
        approves: bool,
        by: String,
        why: Option<String>,
    },
    Resolved {
        place: String,
        /// Not there in what an earlier version wrote, which meant the one at hand.
        attempt: Option<u32>,
        resolution: Resolution,
        by: String,
    },
    ChildDone {
        place: String,
        outcome: Outcome,
        run: String,
    },
    /// A connection works again, a guardrail is released: what was held is tried again.
    Retry,
}

impl Session {
    /// Reads the run's version, and what it was given, unless that is known.
    pub(crate) async fn open(shared: Arc<Shared>, taken: TakenUp, known: Option<Value>) -> Result<Self, DriveError> {
        let TakenUp { run, given, signals } = taken;
        let source = shared.source(run.home, &run.workflow, &run.version).await?;
        understands(&shared, &run).await?;
        let snapshot = stands(&shared, &run, &source).await?;
        let compiled = shared.version(&run, &source, &snapshot.connectors).await?;
        snapshot.fits(&compiled.plan)?;
        let timers = snapshot.timers.into_iter().map(|(timer, at)| (timer, instant(at))).collect();
        let doubts = snapshot.doubts.into_iter().map(|(place, at)| (place, instant(at))).collect();
        let mut given: Value = match known {
            Some(known) => known,
            None => given.map(|text| serde_json::from_str(&text)).transpose()?.unwrap_or_default(),
        };
        let mut take = |key: &str| Arc::new(given.get_mut(key).map(Value::take).unwrap_or_default());
        let about = json!({
            "id": run.id.to_string(),
            "url": shared.url_of(&run),
            "started_at": run.made.to_string(),
            "started_by": run.started_by,
            "workflow": run.workflow,
            "version": run.version,
        });
        let names = Names::new(run.made)
            .with("trigger", take("trigger"))
            .with("inputs", take("inputs"))
            .with("run", Arc::new(about))
            .with("tenant", shared.tenant(run.tenant).await?)
            .with("vars", Arc::clone(&compiled.vars));
        Ok(Self {
            shared,
            compiled,
            state: snapshot.machine,
            timers,
            pins: snapshot.pins,
            connectors: snapshot.connectors,
            doubts,
            names,
            values: Default::default(),
            lists: Default::default(),
            left: Default::default(),
            untold: Default::default(),
            events: Default::default(),
            due: Vec::new(),
            notices: Vec::new(),
            offs: BTreeMap::new(),
            holds: BTreeMap::new(),
            orders: Default::default(),
            works: Default::default(),
            pending: Pending::default(),
            woken: Vec::new(),
            message: None,
            signals,
            run,
        })
    }

    /// What there is to do now; false where the run waits for another of its key.
    pub(super) async fn resume(&mut self) -> Result<bool, DriveError> {
        if self.run.begun.is_none() {
            if !self.first_in_line().await? {
                return Ok(false);
            }
            self.note(None, Happened::Begun);
            // One that repeats another from a step on goes on from what it took over.
            self.events.push_back(Event::Started);
        } else {
            self.go_on().await?;
        }
        let signals = std::mem::take(&mut self.signals);
        self.act_on(signals).await?;
        self.look_at_clock();
        Ok(true)
    }

    /// Of runs with the same key one is at work at a time.
    async fn first_in_line(&mut self) -> Result<bool, DriveError> {
        let compiled = Arc::clone(&self.compiled);
        let Some((key, when_busy)) = &compiled.busy else { return Ok(true) };
        let key = match key.evaluate(&self.names, Budget::default()) {
            Ok(key) => plain(key),
            Err(error) => {
                self.note(None, Happened::Broken { why: format!("`concurrency`: {error}") });
                return self.end_unbegun(Outcome::Failed, "its `concurrency` key has no value").await;
            }
        };
        let mut commit = self.as_commit().await?;
        commit.busy = Some((key, *when_busy == WhenBusy::Replace));
        commit.status = sortie_store::RunStatus::Running;
        self.shared.points.pass(Point::BeforeCommit).await;
        let committed = self.shared.store.commit_run(commit).await?;
        self.shared.points.pass(Point::AfterCommit).await;
        match committed {
            Committed::Done { epoch, seq, .. } => {
                (self.run.epoch, self.run.seq) = (epoch, seq);
                self.pending = Pending::default();
                Ok(true)
            }
            Committed::Busy { by } if *when_busy == WhenBusy::Drop => {
                self.run = self.shared.store.run(self.scope(), self.run.id).await?;
                self.end_unbegun(Outcome::Skipped, &format!("run {by} of the same key was at work")).await
            }
            Committed::Busy { by } => {
                // Whoever is given up must hear of it.
                self.woken.push((self.run.tenant, by));
                Ok(false)
            }
        }
    }

    async fn end_unbegun(&mut self, outcome: Outcome, why: &str) -> Result<bool, DriveError> {
        self.message = Some(why.to_owned());
        self.state.end = Some(sortie_engine::machine::RunEnd { outcome, handled: false });
        self.note(None, Happened::Finished { outcome, handled: false, message: self.message.clone() });
        self.commit().await?;
        Ok(false)
    }

    /// What was at work when the run was left.
    async fn go_on(&mut self) -> Result<(), DriveError> {
        let at_work = self.state.at_work();
        let has_calls = at_work.iter().any(|(_, active)| {
            matches!(
                active.phase,
                Phase::Calling
                    | Phase::Looking
                    | Phase::Settling
                    | Phase::Following
                    | Phase::Pending
                    | Phase::Pausing
                    | Phase::CallingOff
            )
        });
        let intents = if has_calls { self.shared.store.intents(self.scope(), self.run.id).await? } else { Vec::new() };
        for (at, active) in at_work {
            let place = at.to_string();
            let own = |intent: &&Intent| intent.new.place == place && intent.settled.is_none();
            let intent = intents.iter().rfind(own);
            let ordered = intents.iter().filter(|intent| intent.new.place == place).map(|intent| intent.made).min();
            self.recall(&at, intent, ordered).await?;
            let off = off_place(&at);
            let tries = intents.iter().filter(|intent| intent.new.place == off).map(|intent| intent.new.attempt).max();
            self.offs.extend(tries.map(|tries| (at.clone(), tries)));
            self.take_up(at, &active, intent).await?;
        }
        Ok(())
    }

    /// What a step at work has ordered.
    async fn recall(
        &mut self,
        at: &Address,
        intent: Option<&Intent>,
        ordered: Option<Timestamp>,
    ) -> Result<(), DriveError> {
        let Some(intent) = intent else { return Ok(()) };
        let order: Arc<Order> = Arc::new(serde_json::from_str::<Order>(&intent.new.request)?);
        let place = at.to_string();
        let started = self.shared.store.run_value(self.scope(), self.run.id, &format!("{place}#started")).await?;
        let output: Value = started.map(|text| serde_json::from_str(&text)).transpose()?.unwrap_or_default();
        self.left.insert(place.clone(), (output.clone(), Value::Null));
        let is_kept = !output.is_null();
        let ordered = ordered.unwrap_or(intent.made);
        let ordered = Ordered { order, output, ordered, is_kept, has_intent: true };
        self.orders.insert(place, ordered);
        Ok(())
    }

    async fn take_up(&mut self, at: Address, active: &Active, intent: Option<&Intent>) -> Result<(), DriveError> {
        let attempt = active.attempt;
        let is_call = matches!(self.compiled.plan.step(at.last().step).kind, Kind::Call(_));
        match active.phase {
            Phase::Calling => match intent.filter(|intent| intent.new.attempt == attempt) {
                // It may have left, and nobody is left who knows.
                Some(_) if self.shared.controls.trusts_intents() => {
                    let result = CallEnd::Failed { delivery: Delivery::Unknown, retry_after: None };
                    let error = json!({ "kind": "service", "what": "the process ended while the call was on its way", "next": "", "status": null });
                    self.left.insert(at.to_string(), (Value::Null, error));
                    self.events.push_back(Event::Ended { at, attempt, result });
                }
                // A control goes on as if it had never been written.
                Some(_) => {
                    self.pending.dropped.push((at.to_string(), attempt));
                    self.due.push((at, attempt));
                }
                None => self.due.push((at, attempt)),
            },
            Phase::Looking => self.look(at, attempt).await?,
            Phase::Following => {
                if is_call && intent.is_none() && self.class(&at) == Class::Safe {
                    // What a call without effects started is not written down: it is called anew.
                    self.recall_safe(&at).await?;
                }
                self.follow(at, attempt).await?;
            }
            // Its next try is due, or it was on its way: the remote side is read before anything is called off again.
            Phase::CallingOff if self.timer_at(&at, TimerKind::Again).is_none() => self.due.push((at, attempt)),
            _ => {}
        }
        Ok(())
    }

    async fn recall_safe(&mut self, at: &Address) -> Result<(), DriveError> {
        let place = at.to_string();
        let started = self.shared.store.run_value(self.scope(), self.run.id, &format!("{place}#started")).await?;
        let output: Value = started.map(|text| serde_json::from_str(&text)).transpose()?.unwrap_or_default();
        if let Ok(order) = self.ordered(at).await? {
            let ordered = self.shared.clock.now();
            let ordered = Ordered { order, output, ordered, is_kept: true, has_intent: false };
            self.orders.insert(place, ordered);
        }
        Ok(())
    }

    /// What others have told the run becomes events, in order.
    pub(super) async fn take_signals(&mut self) -> Result<(), DriveError> {
        let signals = self.shared.store.signals(self.scope(), self.run.id).await?;
        self.act_on(signals).await
    }

    async fn act_on(&mut self, signals: Vec<Signal>) -> Result<(), DriveError> {
        for signal in signals {
            if self.pending.taken.contains(&signal.id) {
                continue;
            }
            self.pending.taken.push(signal.id);
            match serde_json::from_str(&signal.signal) {
                Ok(told) => self.told(told).await?,
                Err(error) => return Err(DriveError::Signal(error)),
            }
        }
        Ok(())
    }

    async fn told(&mut self, told: Told) -> Result<(), DriveError> {
        match told {
            Told::Cancel { by } => {
                self.note(None, Happened::Cancel { by });
                self.events.push_back(Event::CancelRequested);
            }
            // Of a guardrail's question the row is read when the call wants to leave again.
            Told::Decided { place, .. } if place.ends_with("#guard") => self.retry_holds(),
            Told::Decided { place, approves, by, why } => {
                let Some(at) = Address::parse(&place) else { return Ok(()) };
                let decision = if approves { "approved" } else { "rejected" };
                let output = json!({ "decision": decision, "by": by, "why": why });
                let error = match approves {
                    true => Value::Null,
                    false => {
                        json!({ "kind": "rejected", "what": format!("{by} has rejected it"), "next": "", "status": null })
                    }
                };
                self.left.insert(place, (output, error));
                self.note(Some(&at), Happened::Approval { approves, by, why });
                self.events.push_back(Event::Decided { at, approves });
            }
            Told::Resolved { place, attempt, resolution, by } => {
                let Some(at) = Address::parse(&place) else { return Ok(()) };
                let in_doubt = self.state.active(&at).filter(|active| active.phase == Phase::Doubt);
                let Some(of) =
                    in_doubt.map(|active| active.attempt).filter(|of| attempt.is_none_or(|said| said == *of))
                else {
                    return Ok(());
                };
                self.note(Some(&at), Happened::Resolved { resolution, by });
                if self.orders.contains_key(&place) && resolution == Resolution::DidNotHappen {
                    let verdict = "did not happen".to_owned();
                    self.pending.settled.push(sortie_store::Settled { place, verdict });
                }
                self.events.push_back(Event::Resolved { at, attempt: of, resolution });
            }
            Told::ChildDone { place, outcome, run } => {
                let Some(at) = Address::parse(&place) else { return Ok(()) };
                let output = match sortie_store::RunId::parse(&run) {
                    Some(run) => self.shared.store.run_value(self.scope(), run, super::evaluate::OUTPUT).await?,
                    None => None,
                };
                let output: Value = output.map(|text| serde_json::from_str(&text)).transpose()?.unwrap_or_default();
                let error = match outcome {
                    Outcome::Succeeded => Value::Null,
                    other => {
                        json!({ "kind": "workflow", "what": format!("run {run} ended as {}", other.word()), "next": "Look at that run why.", "status": null })
                    }
                };
                if self.is_rehearsal() && output.is_null() {
                    self.leave_untold(&at);
                }
                self.left.insert(place, (output, error));
                self.events.push_back(Event::ChildDone { at, outcome });
            }
            Told::Retry => self.retry_holds(),
        }
        Ok(())
    }

    fn retry_holds(&mut self) {
        for (at, hold) in std::mem::take(&mut self.holds) {
            self.due.push((at, hold.attempt));
        }
    }
}

/// Where the run was left. One that begins pins what it refers to.
async fn stands(shared: &Shared, run: &Run, source: &Source) -> Result<Snapshot, DriveError> {
    let left = run.snapshot.as_deref().map(Snapshot::read).transpose()?;
    let mut snapshot = left.unwrap_or_else(|| Snapshot::new(seed(run)));
    if run.begun.is_none() {
        shared.pin(run, source, &mut snapshot).await?;
        if run.again_of.is_none() {
            // Whoever ordered it knew what it pins, and not yet who it is.
            snapshot.machine = State::new(seed(run));
        }
    }
    Ok(snapshot)
}

/// Whoever takes over what another process has begun must know everything that happened in it: what it does not know may
/// matter for what comes next.
async fn understands(shared: &Shared, run: &Run) -> Result<(), DriveError> {
    if run.begun.is_none() || run.node == Some(shared.node) {
        return Ok(());
    }
    for row in shared.store.journal(sortie_store::Scope::Tenant(run.tenant), run.id, 0).await? {
        Page::read(&row.entries)?;
    }
    Ok(())
}

/// Drives the pauses between tries: another one for each run, the same for each replay.
fn seed(run: &Run) -> u64 {
    let bytes = run.id.as_bytes();
    u64::from_be_bytes(bytes[8..].try_into().expect("an id has sixteen bytes"))
}
