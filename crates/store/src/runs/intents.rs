//! Intents: calls with effects, written before they leave.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row, params};

use super::RunId;
use crate::{
    Admission, Door, EffectRequest, KnownAs, ProtectedBy, Scope, Store, StoreError, StoreErrorKind, TenantKey,
    database::instant,
    effects::{count, judge},
    writer::Writing,
};

/// A call that is about to leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewIntent {
    /// Of which step.
    pub place: String,
    /// Which try.
    pub attempt: u32,
    /// What tells this step's effect from all others; the same for each try.
    pub key: String,
    /// `connector/operation`.
    pub operation: String,
    /// What it acts on: only one call at a time does the same to it.
    pub target: String,
    /// JSON: what is needed to send it, or to look for it.
    pub request: String,
    /// What the guardrails must know of it; absent for what they do not judge.
    pub guard: Option<Guard>,
}

/// What the guardrails must know of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guard {
    /// `connector/operation` as guardrails name it, whatever connector makes it.
    pub operation: String,
    /// What it acts on, for people.
    pub target: String,
    /// Everything by which that may be protected.
    pub names: Vec<KnownAs>,
    /// By what it might be protected that nobody has looked up.
    pub unlooked: Vec<ProtectedBy>,
    /// It gives back what another effect took away.
    pub undoes: bool,
    /// A second person has approved what is protected.
    pub approved: bool,
}

/// A call that has left, or was about to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    /// As it was written.
    pub new: NewIntent,
    /// Whose run.
    pub tenant: TenantKey,
    /// Which.
    pub run: RunId,
    /// When it was written; the call left after it.
    pub made: Timestamp,
    /// When it was known what became of it.
    pub settled: Option<Timestamp>,
    /// What that was.
    pub verdict: Option<String>,
}

impl Store {
    /// The intents of a run, by place and try.
    ///
    /// # Errors
    /// [`StoreError`] when the file cannot be read.
    pub async fn intents(&self, scope: Scope, run: RunId) -> Result<Vec<Intent>, StoreError> {
        self.read("read intents", move |sqlite| {
            let sql =
                format!("SELECT {COLUMNS} FROM intents WHERE tenant_id = ?1 AND run_id = ?2 ORDER BY place, attempt");
            let mut statement = sqlite.prepare_cached(&sql)?;
            let rows = statement.query_map(params![scope.owner()?, run], intent)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }
}

/// Whether an intent may be written; nothing is. `over` is what the same commit settles or drops of its run.
///
/// # Errors
/// [`StoreErrorKind::Guarded`] where a guardrail does not let it leave, [`StoreErrorKind::Active`] where another run is doing
/// the same to the same.
pub(super) fn check(
    sqlite: &Writing<'_>,
    (tenant, run): (TenantKey, RunId),
    (at, new): (usize, &NewIntent),
    over: impl Fn(&str) -> bool,
    now: Timestamp,
) -> Result<(), StoreErrorKind> {
    if let Some(guard) = &new.guard {
        let admission = judge(sqlite, tenant, &asked(run, new, guard, now))?;
        if admission != Admission::Admitted {
            return Err(StoreErrorKind::Guarded { intent: at, admission: Box::new(admission) });
        }
    }
    let active = "SELECT run_id, place FROM intents
                  WHERE tenant_id = ?1 AND operation = ?2 AND target = ?3 AND settled_us IS NULL";
    let row = params![tenant, new.operation, new.target];
    let other = |row: &Row<'_>| Ok((row.get::<_, RunId>(0)?, row.get::<_, String>(1)?));
    match sqlite.prepare_cached(active)?.query_row(row, other).optional()? {
        Some((by, place)) if by != run || !over(&place) => Err(StoreErrorKind::Active { intent: at, by }),
        _ => Ok(()),
    }
}

/// Writes an intent that may be written, and counts it.
pub(super) fn insert(
    sqlite: &Writing<'_>,
    (tenant, run): (TenantKey, RunId),
    new: &NewIntent,
    now: Timestamp,
) -> Result<(), StoreErrorKind> {
    if let Some(guard) = &new.guard {
        count(sqlite, tenant, &asked(run, new, guard, now))?;
    }
    let sql = "INSERT INTO intents (tenant_id, run_id, place, attempt, key, operation, target, request, made_us)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    let row = params![
        tenant,
        run,
        new.place,
        new.attempt,
        new.key,
        new.operation,
        new.target,
        new.request,
        now.as_microsecond()
    ];
    sqlite.prepare_cached(sql)?.execute(row)?;
    Ok(())
}

/// What the guardrails are asked about an intent.
fn asked(run: RunId, new: &NewIntent, guard: &Guard, now: Timestamp) -> EffectRequest {
    EffectRequest {
        operation: guard.operation.clone(),
        target: guard.target.clone(),
        names: guard.names.clone(),
        unlooked: guard.unlooked.clone(),
        door: Door::Run,
        reference: format!("{run} {}", new.place),
        override_approved: guard.approved,
        undoes: guard.undoes,
        now,
    }
}

/// Writes what became of all tries of a step that are still open.
pub(super) fn settle(
    sqlite: &Writing<'_>,
    tenant: TenantKey,
    run: RunId,
    place: &str,
    verdict: &str,
    now: Timestamp,
) -> Result<(), StoreErrorKind> {
    let sql = "UPDATE intents SET settled_us = ?5, verdict = ?4
               WHERE tenant_id = ?1 AND run_id = ?2 AND place = ?3 AND settled_us IS NULL";
    sqlite.prepare_cached(sql)?.execute(params![tenant, run, place, verdict, now.as_microsecond()])?;
    Ok(())
}

/// Forgets an intent whose call did nothing for certain.
pub(super) fn remove(
    sqlite: &Writing<'_>,
    tenant: TenantKey,
    run: RunId,
    place: &str,
    attempt: u32,
) -> Result<(), StoreErrorKind> {
    let sql = "DELETE FROM intents WHERE tenant_id = ?1 AND run_id = ?2 AND place = ?3 AND attempt = ?4 AND settled_us IS NULL";
    sqlite.prepare_cached(sql)?.execute(params![tenant, run, place, attempt])?;
    Ok(())
}

fn intent(row: &Row<'_>) -> rusqlite::Result<Intent> {
    Ok(Intent {
        tenant: row.get(0)?,
        run: row.get(1)?,
        new: NewIntent {
            place: row.get(2)?,
            attempt: row.get(3)?,
            key: row.get(4)?,
            operation: row.get(5)?,
            target: row.get(6)?,
            request: row.get(7)?,
            guard: None,
        },
        made: instant(row.get(8)?),
        settled: row.get::<_, Option<i64>>(9)?.map(instant),
        verdict: row.get(10)?,
    })
}

const COLUMNS: &str =
    "tenant_id, run_id, place, attempt, key, operation, target, request, made_us, settled_us, verdict";
