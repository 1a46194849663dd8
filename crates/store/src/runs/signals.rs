//! Signals: what others tell a run. They wait in order until the run has taken them, in the commit that acts on them.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::{Value, json};

use super::RunId;
use crate::{
    Permission, Scope, Store, StoreError, StoreErrorKind, TenantKey,
    audit::{Deed, act},
    database::instant,
    feed::{ChangeKind, note},
    writer::Writing,
};

/// Something that a run has been told.
#[derive(Clone, Debug, PartialEq)]
pub struct Signal {
    /// Its place in the order.
    pub id: i64,
    /// JSON.
    pub signal: String,
    /// When.
    pub made: Timestamp,
}

impl Store {
    /// Asks a run to give up.
    ///
    /// # Errors
    /// [`StoreErrorKind::Absent`] when there is no such run, or it has ended; [`StoreErrorKind::Forbidden`] to whom it is not
    /// granted.
    pub async fn cancel_run(&self, scope: Scope, run: RunId) -> Result<(), StoreError> {
        let signal = json!({ "signal": "cancel", "by": self.actor().name });
        self.tell(scope, run, (Permission::CancelRun, "run.cancel"), signal).await
    }

    /// Says what became of one try of a step's call that nobody knows: `happened`, `did_not_happen` or `give_up`. It settles
    /// nothing of another try, so that the same word said twice does not send a call twice.
    ///
    /// # Errors
    /// As [`Self::cancel_run`].
    pub async fn resolve_doubt(
        &self,
        scope: Scope,
        run: RunId,
        place: &str,
        attempt: u32,
        resolution: &str,
    ) -> Result<(), StoreError> {
        let by = self.actor().name.clone();
        let signal =
            json!({ "signal": "resolved", "place": place, "attempt": attempt, "resolution": resolution, "by": by });
        self.tell(scope, run, (Permission::ResolveDoubt, "run.resolve"), signal).await
    }

    /// Lets a run try again what does not leave for now.
    ///
    /// # Errors
    /// As [`Self::cancel_run`].
    pub async fn retry_run(&self, scope: Scope, run: RunId) -> Result<(), StoreError> {
        self.tell(scope, run, (Permission::Act, "run.retry"), json!({ "signal": "retry" })).await
    }

    async fn tell(
        &self,
        scope: Scope,
        run: RunId,
        (permission, action): (Permission, &'static str),
        signal: Value,
    ) -> Result<(), StoreError> {
        let (actor, now) = (self.actor(), self.now());
        self.write(&format!("tell run {run}"), move |sqlite| {
            let tenant = scope.owner()?;
            let object = run.to_string();
            act(sqlite, &actor, &Deed { permission, scope, action, object, detail: signal.clone() }, now)?;
            match insert(sqlite, tenant, run, &signal.to_string(), now)? {
                true => Ok(()),
                false => Err(StoreErrorKind::Absent(format!("open run {run}"))),
            }
        })
        .await
    }

    /// What the run was told and has not taken, the oldest first.
    ///
    /// # Errors
    /// [`StoreError`] when the file cannot be read.
    pub async fn signals(&self, scope: Scope, run: RunId) -> Result<Vec<Signal>, StoreError> {
        self.look("read signals", move |sqlite| of(sqlite, scope.owner()?, run)).await
    }
}

pub(super) fn of(sqlite: &Connection, tenant: TenantKey, run: RunId) -> Result<Vec<Signal>, StoreErrorKind> {
    let sql = "SELECT signal_id, signal, made_us FROM signals WHERE tenant_id = ?1 AND run_id = ?2 ORDER BY signal_id";
    let mut statement = sqlite.prepare_cached(sql)?;
    let rows = statement.query_map(params![tenant, run], |row| {
        Ok(Signal { id: row.get(0)?, signal: row.get(1)?, made: instant(row.get(2)?) })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Puts a signal into the run's queue and wakes it; false where it is not there or has ended.
pub(super) fn insert(
    sqlite: &Writing<'_>,
    tenant: TenantKey,
    run: RunId,
    signal: &str,
    now: Timestamp,
) -> Result<bool, StoreErrorKind> {
    // Whoever takes it up must find the signal.
    sqlite.fresh.take(run);
    let wake = "UPDATE runs SET wake_us = ?3 WHERE tenant_id = ?1 AND run_id = ?2 AND ended_us IS NULL RETURNING 1";
    let row = params![tenant, run, now.as_microsecond()];
    if sqlite.prepare_cached(wake)?.query_row(row, |row| row.get::<_, i64>(0)).optional()?.is_none() {
        return Ok(false);
    }
    let sql = "INSERT INTO signals (tenant_id, run_id, signal, made_us) VALUES (?1, ?2, ?3, ?4)";
    sqlite.prepare_cached(sql)?.execute(params![tenant, run, signal, now.as_microsecond()])?;
    note(sqlite, tenant, ChangeKind::Signal, &run.to_string(), now);
    Ok(true)
}
