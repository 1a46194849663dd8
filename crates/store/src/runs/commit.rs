//! The one way to take a run further: everything that one turn of it means, in one transaction, by whoever holds it.

use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};
use serde_json::json;

use super::{
    Decision, NewApproval, NewIntent, NewRun, RunId, RunStatus, RunValue, Started, approvals, intents, signals, start,
};
use crate::{
    NodeId, Scope, Store, StoreError, StoreErrorKind, TenantKey,
    feed::{ChangeKind, note},
    writer::{Steps, Writing},
};

/// What a turn of a run writes.
#[derive(Clone, Debug)]
pub struct RunCommit {
    /// Whose run.
    pub tenant: TenantKey,
    /// Which.
    pub run: RunId,
    /// Who writes; a run that another node held becomes this one's by it.
    pub node: NodeId,
    /// As it was read: somebody else's commit since then makes this one void.
    pub epoch: i64,
    /// The same.
    pub seq: i64,
    /// How the run goes now.
    pub status: RunStatus,
    /// Why it does not go on.
    pub why: Option<String>,
    /// When it wants to go on by itself.
    pub wake: Option<Timestamp>,
    /// Where its machine stands.
    pub snapshot: String,
    /// Of its first commit: the key by which runs of its workflow go one at a time, and whether the one before is given up.
    pub busy: Option<(String, bool)>,
    /// Of its last one: outcome, and whether a failure was dealt with.
    pub end: Option<(String, bool)>,
    /// What happened, a JSON list.
    pub entries: String,
    /// What steps gave, by place.
    pub values: Vec<(String, RunValue)>,
    /// Calls that leave after it.
    pub intents: Vec<NewIntent>,
    /// Calls of which is known what became.
    pub settled: Vec<Settled>,
    /// Intents whose calls did nothing for certain and leave again later: place and try.
    pub dropped: Vec<(String, u32)>,
    /// Questions to people.
    pub asked: Vec<NewApproval>,
    /// Questions that nobody needs to answer any more, by place.
    pub closed: Vec<(String, Decision)>,
    /// Signals that it acts on.
    pub taken: Vec<i64>,
    /// Runs that it starts.
    pub children: Vec<NewRun>,
    /// Places whose runs are to be given up.
    pub cancelled: Vec<String>,
}

/// What became of a step's call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// Which step.
    pub place: String,
    /// In a word.
    pub verdict: String,
}

/// What became of a commit.
#[derive(Clone, Debug, PartialEq)]
pub enum Committed {
    /// It is on the disk.
    Done {
        /// The run's epoch now.
        epoch: i64,
        /// Its number of commits now.
        seq: i64,
        /// What became of the runs to be started, in order.
        children: Vec<Started>,
        /// Runs that may go on now, with their tenants.
        woken: Vec<(TenantKey, RunId)>,
    },
    /// Only that the run waits was written: a run of the same key is at work.
    Busy {
        /// The other run.
        by: RunId,
    },
}

impl Store {
    /// Takes a run further; durable when it returns.
    ///
    /// # Errors
    /// [`StoreErrorKind::Stale`] when somebody else has taken the run, or a question was decided meanwhile: read it anew.
    /// [`StoreErrorKind::Active`] when another run is doing the same to the same.
    pub async fn commit_run(&self, commit: impl Into<Arc<RunCommit>>) -> Result<Committed, StoreError> {
        let commit = commit.into();
        let (now, run, has_ended) = (self.now(), commit.run, commit.end.is_some());
        let claims = Arc::clone(&self.inner.claims);
        let committed = self
            .write_in(steps(&commit), &format!("take run {run} further"), move |sqlite| {
                let committed = Turn { sqlite, commit: &commit, now }.write()?;
                if let Committed::Done { epoch, .. } = committed {
                    claims.take(run, epoch);
                }
                Ok(committed)
            })
            .await?;
        if has_ended {
            self.inner.claims.let_go(run);
        }
        Ok(committed)
    }

    /// Whether nobody has taken the run since it was at this epoch.
    ///
    /// # Errors
    /// [`StoreErrorKind::Absent`] where the tenant has none of that id.
    pub async fn is_held(&self, tenant: TenantKey, run: RunId, epoch: i64) -> Result<bool, StoreError> {
        if self.inner.claims.has(run, epoch) {
            return Ok(true);
        }
        Ok(self.run(Scope::Tenant(tenant), run).await?.epoch == epoch)
    }

    /// Writes down that a run cannot go on, and why; a person must act.
    ///
    /// # Errors
    /// [`StoreError`] when the row cannot be written.
    pub async fn stop_run(&self, scope: Scope, run: RunId, why: &str) -> Result<(), StoreError> {
        let (why, now) = (why.to_owned(), self.now());
        self.write(&format!("stop run {run}"), move |sqlite| {
            let tenant = scope.owner()?;
            let sql = "UPDATE runs SET status = ?3, why = ?4, wake_us = NULL
                       WHERE tenant_id = ?1 AND run_id = ?2 AND ended_us IS NULL";
            sqlite.prepare_cached(sql)?.execute(params![tenant, run, RunStatus::NeedsAttention, why])?;
            note(sqlite, tenant, ChangeKind::Run, &run.to_string(), now);
            Ok(())
        })
        .await
    }

    /// Nothing but that this run is held by this node from now on.
    ///
    /// # Errors
    /// [`StoreErrorKind::Stale`] when somebody else has taken it.
    pub async fn claim_run(&self, scope: Scope, run: RunId, node: NodeId, epoch: i64) -> Result<i64, StoreError> {
        let claims = Arc::clone(&self.inner.claims);
        self.write_statement("claim a run", move |sqlite| {
            claims.let_go(run);
            let sql = "UPDATE runs SET node_id = ?3, epoch = epoch + 1
                       WHERE tenant_id = ?1 AND run_id = ?2 AND epoch = ?4 RETURNING epoch";
            let row = params![scope.owner()?, run, node, epoch];
            let claimed = sqlite.prepare_cached(sql)?.query_row(row, |row| row.get(0)).optional()?;
            claimed.ok_or_else(|| StoreErrorKind::Stale(format!("run {run}")))
        })
        .await
    }
}

/// What a commit leaves that fails. The usual one is refused, if it is, before it writes.
fn steps(commit: &RunCommit) -> Steps {
    let is_plain = commit.intents.len() <= 1
        && commit.busy.is_none()
        && commit.asked.is_empty()
        && commit.closed.is_empty()
        && commit.children.is_empty()
        && commit.cancelled.is_empty();
    if is_plain { Steps::Checked } else { Steps::Several }
}

/// How a run is held by a commit that takes it further.
struct Held {
    epoch: i64,
    /// When it wanted to go on, as the row says.
    wake: Option<i64>,
    /// Whether it has been told something.
    is_told: bool,
    /// Whether another run has started it.
    is_child: bool,
    /// Whether others may wait until it has ended.
    is_of_key: bool,
}

/// One commit while it is written.
struct Turn<'a> {
    sqlite: &'a Writing<'a>,
    commit: &'a RunCommit,
    now: Timestamp,
}

impl Turn<'_> {
    fn write(&self) -> Result<Committed, StoreErrorKind> {
        let RunCommit { tenant, run, .. } = *self.commit;
        let held = self.claim()?;
        let epoch = held.epoch;
        if let Some((key, replaces)) = &self.commit.busy
            && let Some(by) = self.holder(key)?
        {
            self.queue_up(key, by, *replaces, epoch)?;
            return Ok(Committed::Busy { by });
        }
        self.intents()?;
        let children = self.rows()?;
        let seq = self.advance(&held)?;
        let mut woken: Vec<_> = children.iter().filter_map(|started| Some((tenant, started.run()?))).collect();
        for place in &self.commit.cancelled {
            woken.extend(self.cancel_child(place)?.map(|child| (tenant, child)));
        }
        if self.commit.end.is_some() {
            if held.is_child {
                woken.extend(self.tell_parent()?.map(|parent| (tenant, parent)));
            }
            if held.is_of_key || self.commit.busy.is_some() {
                woken.extend(self.next_in_line()?.map(|next| (tenant, next)));
            }
        }
        if self.commit.status != RunStatus::Running {
            note(self.sqlite, tenant, ChangeKind::Run, &run.to_string(), self.now);
        }
        Ok(Committed::Done { epoch, seq, children, woken })
    }

    /// A single one is asked for before anything is written; each of several must see those before it.
    fn intents(&self) -> Result<(), StoreErrorKind> {
        let RunCommit { tenant, run, settled, dropped, intents, .. } = self.commit;
        let (of, is_single) = ((*tenant, *run), intents.len() == 1);
        let is_over = |place: &str| {
            settled.iter().any(|settled| settled.place == place) || dropped.iter().any(|(dropped, _)| dropped == place)
        };
        if is_single {
            intents::check(self.sqlite, of, (0, &intents[0]), is_over, self.now)?;
        }
        for settled in settled {
            intents::settle(self.sqlite, *tenant, *run, &settled.place, &settled.verdict, self.now)?;
        }
        for (place, attempt) in dropped {
            intents::remove(self.sqlite, *tenant, *run, place, *attempt)?;
        }
        for (at, new) in intents.iter().enumerate() {
            if !is_single {
                intents::check(self.sqlite, of, (at, new), |_| false, self.now)?;
            }
            intents::insert(self.sqlite, of, new, self.now)?;
        }
        Ok(())
    }

    /// How the run is held from now on, if it is as it was read.
    fn claim(&self) -> Result<Held, StoreErrorKind> {
        let commit = self.commit;
        // Nobody else writes in between: the row itself is written once, with everything else of it.
        let sql = "SELECT epoch + (node_id IS NOT ?3), wake_us,
                          EXISTS (SELECT 1 FROM signals WHERE tenant_id = ?1 AND run_id = ?2),
                          parent_id IS NOT NULL, busy_key IS NOT NULL FROM runs
                   WHERE tenant_id = ?1 AND run_id = ?2 AND epoch = ?4 AND seq = ?5 AND ended_us IS NULL";
        let row = params![commit.tenant, commit.run, commit.node, commit.epoch, commit.seq];
        let held = |row: &rusqlite::Row<'_>| {
            Ok(Held {
                epoch: row.get(0)?,
                wake: row.get(1)?,
                is_told: row.get(2)?,
                is_child: row.get(3)?,
                is_of_key: row.get(4)?,
            })
        };
        let held = self.sqlite.prepare_cached(sql)?.query_row(row, held).optional()?;
        held.ok_or_else(|| StoreErrorKind::Stale(format!("run {}", commit.run)))
    }

    /// Another run of this key that has begun, or stands before this one.
    fn holder(&self, key: &str) -> Result<Option<RunId>, StoreErrorKind> {
        let commit = self.commit;
        let sql = "SELECT other.run_id FROM runs other JOIN runs own ON own.tenant_id = ?1 AND own.run_id = ?2
                   WHERE other.tenant_id = ?1 AND other.workflow_id = own.workflow_id AND other.busy_key = ?3
                     AND other.ended_us IS NULL AND other.run_id <> own.run_id
                     AND (other.begun_us IS NOT NULL OR (other.made_us, other.run_id) < (own.made_us, own.run_id))
                   ORDER BY other.begun_us IS NULL, other.made_us LIMIT 1";
        let row = params![commit.tenant, commit.run, key];
        Ok(self.sqlite.prepare_cached(sql)?.query_row(row, |row| row.get(0)).optional()?)
    }

    fn queue_up(&self, key: &str, by: RunId, replaces: bool, epoch: i64) -> Result<(), StoreErrorKind> {
        let commit = self.commit;
        let why = format!("run {by} of the same key is at work");
        let sql = "UPDATE runs SET busy_key = ?3, why = ?4, wake_us = NULL, seq = seq + 1, epoch = ?5, node_id = ?6
                   WHERE tenant_id = ?1 AND run_id = ?2";
        self.sqlite.prepare_cached(sql)?.execute(params![commit.tenant, commit.run, key, why, epoch, commit.node])?;
        if replaces {
            let signal = json!({ "signal": "cancel", "by": format!("run {}", commit.run) }).to_string();
            signals::insert(self.sqlite, commit.tenant, by, &signal, self.now)?;
        }
        note(self.sqlite, commit.tenant, ChangeKind::Run, &commit.run.to_string(), self.now);
        Ok(())
    }

    fn rows(&self) -> Result<Vec<Started>, StoreErrorKind> {
        let RunCommit { tenant, run, .. } = *self.commit;
        for (place, value) in &self.commit.values {
            start::put_value(self.sqlite, tenant, run, place, value)?;
        }
        for new in &self.commit.asked {
            approvals::insert(self.sqlite, tenant, run, new, self.now)?;
        }
        for (place, decision) in &self.commit.closed {
            let ended = approvals::end(self.sqlite, tenant, run, place, *decision, self.now)?;
            if !ended && *decision == Decision::Expired {
                return Err(StoreErrorKind::Stale(format!("a question of run {run}")));
            }
        }
        let sql = "DELETE FROM signals WHERE signal_id = ?1";
        for signal in &self.commit.taken {
            self.sqlite.prepare_cached(sql)?.execute([signal])?;
        }
        let children = self.commit.children.iter().map(|child| start::insert(self.sqlite, tenant, child, self.now));
        children.collect()
    }

    fn advance(&self, held: &Held) -> Result<i64, StoreErrorKind> {
        let commit = self.commit;
        let (now, seq) = (self.now.as_microsecond(), commit.seq + 1);
        let wake = match commit.end {
            // What it was told while this was written wakes it again.
            None if self.is_told(held)? => Some(now),
            _ => commit.wake.map(Timestamp::as_microsecond),
        };
        let goes_on =
            "UPDATE runs SET status = ?3, why = ?4, snapshot = ?5, seq = ?6, begun_us = coalesce(begun_us, ?7),
                              epoch = ?8, node_id = ?9";
        let key = "WHERE tenant_id = ?1 AND run_id = ?2";
        let Self { sqlite, .. } = self;
        let RunCommit { tenant, run, status, why, snapshot, node, .. } = commit;
        // A column of an index that is named here has the index written anew, whether or not it changes.
        if let Some((outcome, handled)) = &commit.end {
            let sql = format!("{goes_on}, wake_us = ?10, outcome = ?11, ended_us = ?7, handled = ?12 {key}");
            let row = params![tenant, run, status, why, snapshot, seq, now, held.epoch, node, wake, outcome, handled];
            sqlite.prepare_cached(&sql)?.execute(row)?;
        } else if commit.busy.is_some() || wake != held.wake {
            let busy = commit.busy.as_ref().map(|(key, _)| key);
            let sql = format!("{goes_on}, wake_us = ?10, busy_key = coalesce(?11, busy_key) {key}");
            let row = params![tenant, run, status, why, snapshot, seq, now, held.epoch, node, wake, busy];
            sqlite.prepare_cached(&sql)?.execute(row)?;
        } else {
            let row = params![tenant, run, status, why, snapshot, seq, now, held.epoch, node];
            sqlite.prepare_cached(&format!("{goes_on} {key}"))?.execute(row)?;
        }
        let sql = "INSERT INTO journal (tenant_id, run_id, seq, at_us, entries) VALUES (?1, ?2, ?3, ?4, ?5)";
        sqlite.prepare_cached(sql)?.execute(params![tenant, run, seq, now, commit.entries])?;
        Ok(seq)
    }

    /// Whether there is something that it was told and does not act on with this commit.
    fn is_told(&self, held: &Held) -> Result<bool, StoreErrorKind> {
        if !held.is_told || self.commit.taken.is_empty() {
            return Ok(held.is_told);
        }
        let sql = "SELECT 1 FROM signals WHERE tenant_id = ?1 AND run_id = ?2";
        Ok(self.sqlite.prepare_cached(sql)?.exists(params![self.commit.tenant, self.commit.run])?)
    }

    fn cancel_child(&self, place: &str) -> Result<Option<RunId>, StoreErrorKind> {
        let commit = self.commit;
        let sql = "SELECT run_id FROM runs WHERE tenant_id = ?1 AND parent_id = ?2 AND parent_place = ?3 AND ended_us IS NULL";
        let row = params![commit.tenant, commit.run, place];
        let Some(child) = self.sqlite.prepare_cached(sql)?.query_row(row, |row| row.get(0)).optional()? else {
            return Ok(None);
        };
        let signal = json!({ "signal": "cancel", "by": format!("run {}", commit.run) }).to_string();
        signals::insert(self.sqlite, commit.tenant, child, &signal, self.now)?;
        Ok(Some(child))
    }

    fn tell_parent(&self) -> Result<Option<RunId>, StoreErrorKind> {
        let commit = self.commit;
        let sql =
            "SELECT parent_id, parent_place FROM runs WHERE tenant_id = ?1 AND run_id = ?2 AND parent_id IS NOT NULL";
        let row = params![commit.tenant, commit.run];
        let parent: Option<(RunId, String)> =
            self.sqlite.prepare_cached(sql)?.query_row(row, |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        let Some((parent, place)) = parent else { return Ok(None) };
        let outcome = commit.end.as_ref().map(|(outcome, _)| outcome);
        let signal =
            json!({ "signal": "child_done", "place": place, "outcome": outcome, "run": commit.run.to_string() });
        let told = signals::insert(self.sqlite, commit.tenant, parent, &signal.to_string(), self.now)?;
        Ok(told.then_some(parent))
    }

    /// The oldest run of the same key that waits for this one.
    fn next_in_line(&self) -> Result<Option<RunId>, StoreErrorKind> {
        let commit = self.commit;
        let sql = "UPDATE runs SET wake_us = ?3, why = NULL WHERE tenant_id = ?1 AND run_id =
                       (SELECT next.run_id FROM runs next JOIN runs own ON own.tenant_id = ?1 AND own.run_id = ?2
                        WHERE next.tenant_id = ?1 AND next.workflow_id = own.workflow_id AND next.busy_key = own.busy_key
                          AND next.ended_us IS NULL AND next.begun_us IS NULL ORDER BY next.made_us, next.run_id LIMIT 1)
                   RETURNING run_id";
        let row = params![commit.tenant, commit.run, self.now.as_microsecond()];
        Ok(self.sqlite.prepare_cached(sql)?.query_row(row, |row| row.get(0)).optional()?)
    }
}
