//! One run while it is at work: events in, the machine's commands out, commits between, calls on their way.

mod calls;
mod commit;
mod evaluate;
mod guard;
mod happen;
mod leave;
mod pending;
mod rehearse;
mod resume;
mod values;

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    sync::Arc,
    time::Duration,
};

pub use commit::as_value;
use futures_util::{StreamExt as _, stream::FuturesUnordered};
use jiff::Timestamp;
use pending::Pending;
use serde_json::Value;
use sortie_engine::{
    machine::{Address, Event, State, Timer, TimerKind},
    template::Scope as Names,
};
use sortie_store::{Run, RunId, Scope, Signal, StoreError, StoreErrorKind, TenantKey};
use tokio::sync::Notify;
use values::StepValue;

use crate::{
    calls::{Glance, Order, Sight},
    compiled::Compiled,
    journal::JournalError,
    outside::{Doing, ScriptDone, Trouble},
    shared::Shared,
    snapshot::SnapshotError,
};

/// One run at work.
pub(crate) struct Session {
    shared: Arc<Shared>,
    run: Run,
    compiled: Arc<Compiled>,
    state: State,
    timers: BTreeMap<Timer, Timestamp>,
    pins: BTreeMap<String, (String, String)>,
    /// The versions of the connectors, by id.
    connectors: BTreeMap<String, String>,
    /// Since when it is not known whether a step's call was carried out.
    doubts: BTreeMap<String, Timestamp>,
    /// Everything that all of its templates may read alike.
    names: Names,
    /// What steps have left, by place; `None` where nothing is kept.
    values: HashMap<String, Option<Arc<StepValue>>>,
    lists: HashMap<String, Arc<Vec<Arc<Value>>>>,
    /// What a step will leave when it ends: output and error.
    left: HashMap<String, (Value, Value)>,
    /// Of a run that only shows what it would do: places whose output only a call would tell that was not made.
    untold: HashSet<String>,
    events: VecDeque<Event>,
    /// Calls and scripts that the machine wants.
    due: Vec<(Address, u32)>,
    /// Questions that people are to be told of.
    notices: Vec<Address>,
    /// How many times it was tried to call off what a step has started.
    offs: BTreeMap<Address, u32>,
    /// Calls that do not leave for now.
    holds: BTreeMap<Address, Hold>,
    /// What steps at work have ordered.
    orders: HashMap<String, Ordered>,
    works: FuturesUnordered<Doing<'static, Done>>,
    pending: Pending,
    woken: Vec<(TenantKey, RunId)>,
    message: Option<String>,
    /// What it was told before it was taken up.
    signals: Vec<Signal>,
}

/// A call that does not leave for now.
struct Hold {
    attempt: u32,
    kind: HoldKind,
    why: String,
    until: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HoldKind {
    /// Its connection does not authenticate.
    Connection,
    /// A guardrail does not let it leave.
    Guard,
    /// Another run is doing the same to the same.
    InTheWay,
}

/// What a step has ordered, and what is known of it.
struct Ordered {
    order: Arc<Order>,
    /// What the call was answered.
    output: Value,
    /// When it was ordered first.
    ordered: Timestamp,
    /// Whether what the call was answered is on the disk, or will be.
    is_kept: bool,
    has_intent: bool,
}

/// Something that was on its way and has come back.
struct Done {
    at: Address,
    attempt: u32,
    what: DoneWhat,
}

enum DoneWhat {
    Called(Result<Value, Trouble>),
    Scripted(Result<ScriptDone, Trouble>),
    Looked(Result<Glance, Trouble>),
    Seen(Result<Sight, Trouble>),
    CalledOff(Result<bool, Trouble>),
    Notified(Result<Value, Trouble>),
    /// It did not leave: somebody else has taken the run, or nobody can say.
    Lost(Option<StoreError>),
}

impl DoneWhat {
    fn went_well(&self) -> bool {
        match self {
            Self::Called(result) | Self::Notified(result) => result.is_ok(),
            Self::Scripted(result) => result.is_ok(),
            Self::Looked(result) => result.is_ok(),
            Self::Seen(result) => result.is_ok(),
            Self::CalledOff(result) => result.is_ok(),
            Self::Lost(_) => false,
        }
    }
}

/// Where a run was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Parked {
    /// It has ended.
    Ended,
    /// It waits, until then at most.
    Waits(Option<Timestamp>),
    /// Somebody else has taken it further.
    Lost,
}

/// Why a run cannot be taken further now.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DriveError {
    #[error("{error}: {kind}. {remedy}", error = .0, kind = .0.kind, remedy = .0.remedy())]
    Store(#[from] StoreError),
    #[error("{0}. {NEXT_VERSION}")]
    Snapshot(#[from] SnapshotError),
    #[error("{0}. {NEXT_VERSION}")]
    Journal(#[from] JournalError),
    /// What it is to pin cannot be read now.
    #[error("{0}. {next}", next = .0.next)]
    Outside(Trouble),
    #[error("it was told what this version of Sortie does not know: {0}. {NEXT_VERSION}")]
    Signal(serde_json::Error),
    #[error(transparent)]
    Compile(#[from] crate::compiled::CompileError),
    #[error("a value of it cannot be read: {0}")]
    Value(#[from] serde_json::Error),
}

impl Session {
    /// Takes the run as far as it goes without waiting for time or people. `poke` tells that somebody has told it something.
    pub(crate) async fn drive(mut self, poke: &Notify) -> Result<(Parked, Vec<(TenantKey, RunId)>), DriveError> {
        match self.go(poke).await {
            Ok(parked) => Ok((parked, self.woken)),
            Err(DriveError::Store(StoreError { kind: StoreErrorKind::Stale(_), .. })) => Ok((Parked::Lost, self.woken)),
            Err(error) => Err(error),
        }
    }

    async fn go(&mut self, poke: &Notify) -> Result<Parked, DriveError> {
        if !self.resume().await? {
            return Ok(Parked::Waits(None));
        }
        loop {
            while let Some(event) = self.events.pop_front() {
                self.happen(event).await?;
            }
            self.make_calls().await?;
            if !self.events.is_empty() {
                continue;
            }
            if self.works.is_empty() {
                self.commit().await?;
                return Ok(self.parked());
            }
            if self.pending.is_urgent() {
                self.commit().await?;
            }
            self.wait(poke).await?;
        }
    }

    /// Until something comes back, time is up, or somebody has told the run something.
    async fn wait(&mut self, poke: &Notify) -> Result<(), DriveError> {
        let pause = self.next_wake().map(|at| self.until(at));
        let time = async {
            match pause {
                Some(pause) => tokio::time::sleep(pause).await,
                None => std::future::pending().await,
            }
        };
        let clock_moved = self.shared.clock_moved.notified();
        tokio::select! {
            Some(done) = self.works.next() => self.came_back(done)?,
            () = time => self.look_at_clock(),
            () = clock_moved => self.look_at_clock(),
            () = poke.notified() => {
                self.look_at_clock();
                self.take_signals().await?;
            }
        }
        Ok(())
    }

    /// Timers that have run out become events, holds that are over become calls.
    fn look_at_clock(&mut self) {
        let now = self.shared.clock.now();
        let due: Vec<Timer> =
            self.timers.iter().filter(|(_, at)| **at <= now).map(|(timer, _)| timer.clone()).collect();
        for timer in due {
            self.timers.remove(&timer);
            self.events.push_back(Event::TimerFired { timer });
        }
        let over: Vec<Address> =
            self.holds.iter().filter(|(_, hold)| hold.until <= now).map(|(at, _)| at.clone()).collect();
        for at in over {
            let hold = self.holds.remove(&at).expect("it was found a moment ago");
            self.due.push((at, hold.attempt));
        }
    }

    /// When the run wants to go on by itself.
    fn next_wake(&self) -> Option<Timestamp> {
        let timers = self.timers.values().copied();
        timers.chain(self.holds.values().map(|hold| hold.until)).min()
    }

    /// Long waits are cut, so that a clock that was set, or a machine that slept, is noticed.
    fn until(&self, at: Timestamp) -> Duration {
        let left = at.duration_since(self.shared.clock.now());
        Duration::try_from(left).unwrap_or_default().min(LONGEST_SLEEP)
    }

    fn parked(&self) -> Parked {
        match self.state.end {
            Some(_) => Parked::Ended,
            None => Parked::Waits(self.next_wake()),
        }
    }

    fn scope(&self) -> Scope {
        Scope::Tenant(self.run.tenant)
    }

    /// The place as people name it: `devices[0].isolate`.
    fn name(&self, at: &Address) -> String {
        let part = |place: &sortie_engine::machine::Place| {
            let id = &self.compiled.plan.step(place.step).id;
            place.item.map_or_else(|| id.clone(), |item| format!("{id}[{item}]"))
        };
        if let [only] = at.places() {
            return part(only);
        }
        at.places().iter().map(part).collect::<Vec<_>>().join(".")
    }

    fn timer_at(&self, at: &Address, kind: TimerKind) -> Option<Timestamp> {
        self.timers.get(&Timer { at: at.clone(), kind }).copied()
    }
}

const NEXT_VERSION: &str =
    "Let the version of Sortie that wrote it, or a later one, go on with it: retry the run there";
/// A second.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);
