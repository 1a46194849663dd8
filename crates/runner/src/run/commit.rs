//! The commit of a turn: everything that is pending, in one transaction.

use std::{mem::take, sync::Arc};

use sortie_engine::machine::Phase;
use sortie_store::{Committed, RunCommit, RunStatus, RunValue, Scope, Store, StoreError};

use super::{DriveError, HoldKind, Session, pending::Pending};
use crate::{
    compiled::CompiledVerb,
    journal::Page,
    listeners::Heard,
    points::Point,
    snapshot::{Snapshot, Standing},
};

impl Session {
    /// Writes what is pending. When it returns, calls may leave, and others see it.
    pub(super) async fn commit(&mut self) -> Result<(), DriveError> {
        let mut commit = self.as_commit().await?;
        let (said, wake) = (self.said(&commit), commit.wake);
        self.shared.points.pass(Point::BeforeCommit).await;
        if !self.shared.controls.checks_epochs() {
            let now = self.shared.store.run(self.scope(), self.run.id).await?;
            (commit.epoch, commit.seq) = (now.epoch, now.seq);
        }
        let has_let_go = !commit.settled.is_empty() || !commit.dropped.is_empty();
        let commit = Arc::new(commit);
        let committed = match self.shared.store.commit_run(Arc::clone(&commit)).await {
            Ok(committed) => committed,
            Err(error) => {
                self.pending.take_back(&commit);
                return Err(error.into());
            }
        };
        self.shared.points.pass(Point::AfterCommit).await;
        self.pending = Pending::default();
        if let Committed::Done { epoch, seq, woken, .. } = committed {
            (self.run.epoch, self.run.seq) = (epoch, seq);
            (self.run.node, self.run.wake) = (Some(self.shared.node), wake);
            self.woken.extend(woken);
        }
        if has_let_go {
            self.woken.extend(self.shared.asides.over(self.run.id));
        }
        if self.state.end.is_some() {
            self.shared.asides.forget(self.run.id);
        }
        self.shared.tally.committed(self.state.end.is_some());
        if let Some(heard) = said {
            self.shared.listeners.tell(self.run.id, &heard);
        }
        Ok(())
    }

    /// What the commit says to those who wait for the run's response.
    fn said(&self, commit: &RunCommit) -> Option<Heard> {
        if !self.shared.listeners.has(self.run.id) {
            return None;
        }
        let response = commit.values.iter().find(|(place, _)| place == super::evaluate::RESPONSE);
        match response {
            Some((_, RunValue::Text(text))) => Some(Heard::Response(Some(text.as_str().into()))),
            Some((_, RunValue::Blob(_))) => Some(Heard::Response(None)),
            None => commit.end.as_ref().map(|_| Heard::Ended),
        }
    }

    /// The commit of what is pending, which it takes over but for the entries.
    pub(super) async fn as_commit(&mut self) -> Result<RunCommit, DriveError> {
        for at in 0..self.pending.values.len() {
            if let RunValue::Text(text) = &mut self.pending.values[at].1 {
                let text = std::mem::take(text);
                self.pending.values[at].1 = as_value(&self.shared.store, self.scope(), text).await?;
            }
        }
        let end = self.state.end.map(|end| (end.outcome.word().to_owned(), end.handled));
        let (status, why) = self.status();
        // Whoever finds it after this process has died takes it up at once; a moment that is over already says that too.
        let now = self.shared.clock.now();
        let wake = match status {
            RunStatus::Running => self.run.wake.filter(|wake| *wake <= now).or(Some(now)),
            _ => self.next_wake(),
        };
        let (snapshot, entries) = (self.snapshot(), Page::text(&self.pending.entries)?);
        let pending = &mut self.pending;
        Ok(RunCommit {
            tenant: self.run.tenant,
            run: self.run.id,
            node: self.shared.node,
            epoch: self.run.epoch,
            seq: self.run.seq,
            status,
            why,
            wake,
            snapshot,
            busy: None,
            end,
            entries,
            values: take(&mut pending.values),
            intents: take(&mut pending.intents),
            settled: take(&mut pending.settled),
            dropped: take(&mut pending.dropped),
            asked: take(&mut pending.asked),
            closed: take(&mut pending.closed),
            taken: take(&mut pending.taken),
            children: take(&mut pending.children),
            cancelled: take(&mut pending.cancelled),
        })
    }

    pub(super) fn snapshot(&self) -> String {
        let snapshot = Standing {
            format: Snapshot::FORMAT,
            machine: &self.state,
            timers: self.timers.iter().map(|(timer, at)| (timer, at.as_microsecond())).collect(),
            doubts: self.doubts.iter().map(|(place, at)| (place, at.as_microsecond())).collect(),
            pins: &self.pins,
            connectors: &self.connectors,
        };
        serde_json::to_string(&snapshot).expect("a snapshot is JSON")
    }

    /// How the run goes, and why it does not go on, for people.
    fn status(&self) -> (RunStatus, Option<String>) {
        if self.state.end.is_some() {
            return (RunStatus::Ended, self.message.clone());
        }
        if !self.works.is_empty() || !self.pending.intents.is_empty() {
            return (RunStatus::Running, None);
        }
        let at_work = self.state.at_work();
        if let Some((at, _)) = at_work.iter().find(|(_, active)| active.phase == Phase::Doubt) {
            let why = format!("it is not known whether {} was carried out", self.name(at));
            return (RunStatus::NeedsAttention, Some(why));
        }
        if let Some(hold) = self.holds.values().next() {
            let status = match hold.kind {
                HoldKind::Connection => RunStatus::Blocked,
                HoldKind::Guard => RunStatus::Held,
                HoldKind::InTheWay => RunStatus::Waiting,
            };
            return (status, Some(hold.why.clone()));
        }
        let why = at_work.iter().find_map(|(at, active)| match active.phase {
            Phase::Asking => Some(format!("{} waits for a person", self.name(at))),
            Phase::Child => match &self.compiled.steps[usize::from(at.last().step)].verb {
                CompiledVerb::Workflow { id, .. } => Some(format!("{} waits for workflow {id}", self.name(at))),
                _ => None,
            },
            Phase::Sleeping => self
                .timer_at(at, sortie_engine::machine::TimerKind::Wake)
                .map(|until| format!("{} waits until {until:.0}", self.name(at))),
            Phase::Pausing => Some(format!("{} is tried again", self.name(at))),
            Phase::CallingOff => Some(format!("what {} has started is called off", self.name(at))),
            Phase::Pending | Phase::Following => Some(format!("{} is followed to its end", self.name(at))),
            Phase::Settling | Phase::Looking => Some(format!("it is looked whether {} was carried out", self.name(at))),
            _ => None,
        });
        (RunStatus::Waiting, why)
    }
}

/// A value of a run as its row keeps it: the JSON itself, or a blob of it.
///
/// # Errors
/// [`StoreError`] when a blob cannot be written.
pub async fn as_value(store: &Store, scope: Scope, text: String) -> Result<RunValue, StoreError> {
    Ok(match text.len() > ROW_BYTES_MAX {
        true => RunValue::Blob(store.put_blob(scope, text.into_bytes()).await?),
        false => RunValue::Text(text),
    })
}

/// A larger value goes into a blob.
const ROW_BYTES_MAX: usize = 256 << 10;
