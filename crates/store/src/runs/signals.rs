//! Signals: what others tell a run. They wait in order until the run has taken them, in the commit that acts on them.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};

use super::RunId;
use crate::{
    Scope, Store, StoreError, StoreErrorKind, TenantKey,
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
    /// Tells a run something: to give up, how a doubt is settled.
    ///
    /// # Errors
    /// [`StoreErrorKind::Absent`] when there is no such run, or it has ended.
    pub async fn signal(&self, scope: Scope, run: RunId, signal: String) -> Result<(), StoreError> {
        let now = self.now();
        self.write(&format!("signal run {run}"), move |sqlite| {
            let tenant = scope.owner()?;
            match insert(sqlite, tenant, run, &signal, now)? {
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
        self.read("read signals", move |sqlite| {
            let sql = "SELECT signal_id, signal, made_us FROM signals WHERE tenant_id = ?1 AND run_id = ?2 ORDER BY signal_id";
            let mut statement = sqlite.prepare_cached(sql)?;
            let rows = statement.query_map(params![scope.owner()?, run], |row| {
                Ok(Signal { id: row.get(0)?, signal: row.get(1)?, made: instant(row.get(2)?) })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }
}

/// Puts a signal into the run's queue and wakes it; false where it is not there or has ended.
pub(super) fn insert(
    sqlite: &Writing<'_>,
    tenant: TenantKey,
    run: RunId,
    signal: &str,
    now: Timestamp,
) -> Result<bool, StoreErrorKind> {
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
