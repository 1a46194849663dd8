//! Reading runs: one, many by page, those that are open, what they were given and gave.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::{COLUMNS, JournalRow, Run, RunId, RunStatus, RunValue, Signal, run, signals};
use crate::{Scope, Store, StoreError, StoreErrorKind, TenantKey, database::instant};

/// Which runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunFilter {
    /// Of this workflow.
    pub workflow: Option<String>,
    /// That go so.
    pub status: Option<RunStatus>,
    /// That ended so.
    pub outcome: Option<String>,
    /// About this.
    pub object: Option<String>,
    /// After this one in the list.
    pub before: Option<RunId>,
}

/// A run that has not ended, as a scheduler needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenRun {
    /// Whose.
    pub tenant: TenantKey,
    /// Which.
    pub id: RunId,
    /// When it wants to go on; `None` while it waits for somebody.
    pub wake: Option<Timestamp>,
    /// Whether it has begun.
    pub has_begun: bool,
}

/// A run with all that it is taken further from.
#[derive(Clone, Debug, PartialEq)]
pub struct TakenUp {
    /// The run.
    pub run: Run,
    /// What it was given, JSON.
    pub given: Option<String>,
    /// What it was told and has not taken, the oldest first.
    pub signals: Vec<Signal>,
}

impl Store {
    /// One run.
    ///
    /// # Errors
    /// [`StoreErrorKind::Absent`] where the scope has none of that id.
    pub async fn run(&self, scope: Scope, id: RunId) -> Result<Run, StoreError> {
        self.look("read a run", move |sqlite| {
            let sql = format!("SELECT {COLUMNS} FROM runs WHERE tenant_id = ?1 AND run_id = ?2");
            let any = format!("SELECT {COLUMNS} FROM runs WHERE run_id = ?1");
            let found = match scope {
                Scope::Tenant(tenant) => sqlite.prepare_cached(&sql)?.query_row(params![tenant, id], run).optional()?,
                Scope::Every => sqlite.prepare_cached(&any)?.query_row(params![id], run).optional()?,
            };
            found.ok_or_else(|| StoreErrorKind::Absent(format!("run {id}")))
        })
        .await
    }

    /// All that taking a run further begins with, in one look; the first time without one.
    ///
    /// # Errors
    /// [`StoreErrorKind::Absent`] where the tenant has none of that id.
    pub async fn take_up(&self, tenant: TenantKey, id: RunId) -> Result<TakenUp, StoreError> {
        if let Some(fresh) = self.inner.fresh.take(id).filter(|fresh| fresh.run.tenant == tenant) {
            return Ok(fresh);
        }
        let (run, given, signals) = self
            .look("take a run up", move |sqlite| {
                let sql = format!("SELECT {COLUMNS} FROM runs WHERE tenant_id = ?1 AND run_id = ?2");
                let found = sqlite.prepare_cached(&sql)?.query_row(params![tenant, id], run).optional()?;
                let run = found.ok_or_else(|| StoreErrorKind::Absent(format!("run {id}")))?;
                Ok((run, value_at(sqlite, tenant, id, "")?, signals::of(sqlite, tenant, id)?))
            })
            .await?;
        let given = match given {
            Some(value) => Some(self.text_of(Scope::Tenant(tenant), value).await?),
            None => None,
        };
        Ok(TakenUp { run, given, signals })
    }

    /// Runs of the scope, the latest first.
    ///
    /// # Errors
    /// [`StoreError`] when the file cannot be read.
    pub async fn runs(&self, scope: Scope, filter: RunFilter, count: u32) -> Result<Vec<Run>, StoreError> {
        self.read("list runs", move |sqlite| {
            let tenants = match scope {
                Scope::Tenant(tenant) => vec![tenant],
                Scope::Every => {
                    let mut statement = sqlite.prepare_cached("SELECT tenant_id FROM tenants")?;
                    statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?
                }
            };
            let mut found = Vec::new();
            for tenant in tenants {
                found.extend(of_tenant(sqlite, tenant, &filter, count)?);
            }
            found.sort_by_key(|run: &Run| std::cmp::Reverse(run.id));
            found.truncate(usize::try_from(count).unwrap_or(usize::MAX));
            Ok(found)
        })
        .await
    }

    /// Runs that have not ended, those that want to go on first.
    ///
    /// # Errors
    /// [`StoreError`] when the file cannot be read.
    pub async fn open_runs(&self, scope: Scope) -> Result<Vec<OpenRun>, StoreError> {
        self.read("list open runs", move |sqlite| {
            let sql = "SELECT tenant_id, run_id, wake_us, begun_us IS NOT NULL FROM runs INDEXED BY runs_open_by_id
                       WHERE ended_us IS NULL AND tenant_id = coalesce(?1, tenant_id) ORDER BY wake_us IS NULL, wake_us";
            let mut statement = sqlite.prepare_cached(sql)?;
            let rows = statement.query_map(params![scope.filter()], |row| {
                let wake: Option<i64> = row.get(2)?;
                Ok(OpenRun { tenant: row.get(0)?, id: row.get(1)?, wake: wake.map(instant), has_begun: row.get(3)? })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// How many runs of all tenants have not ended, by how they go.
    ///
    /// # Errors
    /// [`StoreError`] when the file cannot be read.
    pub async fn open_run_counts(&self) -> Result<Vec<(RunStatus, u64)>, StoreError> {
        self.read("count open runs", move |sqlite| {
            let sql = "SELECT status, count(*) FROM runs INDEXED BY runs_open_by_id
                       WHERE ended_us IS NULL GROUP BY status ORDER BY status";
            let mut statement = sqlite.prepare_cached(sql)?;
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// What the run was given, or a step of it gave; the run's own has the empty place.
    ///
    /// # Errors
    /// [`StoreErrorKind::Damaged`] when its blob is not there any more.
    pub async fn run_value(&self, scope: Scope, id: RunId, place: &str) -> Result<Option<String>, StoreError> {
        let sought = place.to_owned();
        let found =
            self.look("read a value of a run", move |sqlite| value_at(sqlite, scope.owner()?, id, &sought)).await?;
        match found {
            Some(value) => self.text_of(scope, value).await.map(Some),
            None => Ok(None),
        }
    }

    /// The values of all places that begin so, by place.
    ///
    /// # Errors
    /// As [`Self::run_value`].
    pub async fn run_values(&self, scope: Scope, id: RunId, prefix: &str) -> Result<Vec<(String, String)>, StoreError> {
        let prefix = prefix.to_owned();
        let found: Vec<(String, RunValue)> = self
            .read("read values of a run", move |sqlite| {
                let sql = "SELECT place, value, hash FROM run_values
                           WHERE tenant_id = ?1 AND run_id = ?2 AND place >= ?3 AND substr(place, 1, length(?3)) = ?3 ORDER BY place";
                let mut statement = sqlite.prepare_cached(sql)?;
                let rows =
                    statement.query_map(params![scope.owner()?, id, prefix], |row| Ok((row.get(0)?, value(row, 1)?)))?;
                Ok(rows.collect::<Result<_, _>>()?)
            })
            .await?;
        let mut values = Vec::with_capacity(found.len());
        for (place, value) in found {
            values.push((place, self.text_of(scope, value).await?));
        }
        Ok(values)
    }

    /// The journal after a commit (0 for the start), oldest first.
    ///
    /// # Errors
    /// [`StoreError`] when the file cannot be read.
    pub async fn journal(&self, scope: Scope, id: RunId, after: i64) -> Result<Vec<JournalRow>, StoreError> {
        self.read("read a journal", move |sqlite| {
            let sql = "SELECT seq, at_us, entries FROM journal WHERE tenant_id = ?1 AND run_id = ?2 AND seq > ?3 ORDER BY seq";
            let mut statement = sqlite.prepare_cached(sql)?;
            let rows = statement.query_map(params![scope.owner()?, id, after], |row| {
                Ok(JournalRow { seq: row.get(0)?, at: instant(row.get(1)?), entries: row.get(2)? })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    async fn text_of(&self, scope: Scope, value: RunValue) -> Result<String, StoreError> {
        let hash = match value {
            RunValue::Text(text) => return Ok(text),
            RunValue::Blob(hash) => hash,
        };
        let damaged = |what: &str| StoreError::new("read a value of a run", StoreErrorKind::Damaged(what.to_owned()));
        let bytes = self.blob(scope, hash).await?.ok_or_else(|| damaged("its blob is not there"))?;
        String::from_utf8(bytes).map_err(|_| damaged("its blob is no text"))
    }
}

/// Each condition stands there only where it is wanted, so that its index is used.
fn of_tenant(
    sqlite: &rusqlite::Connection,
    tenant: TenantKey,
    filter: &RunFilter,
    count: u32,
) -> Result<Vec<Run>, StoreErrorKind> {
    let is_open = filter.status.is_some_and(|status| status != RunStatus::Ended);
    // Without figures of the file SQLite takes the table itself for the shortest way to the latest few.
    let index = match filter {
        _ if is_open => " INDEXED BY runs_open_by_id",
        RunFilter { object: Some(_), .. } => " INDEXED BY runs_about",
        RunFilter { outcome: Some(_), .. } => " INDEXED BY runs_by_outcome",
        RunFilter { workflow: Some(_), .. } => " INDEXED BY runs_by_workflow",
        _ => "",
    };
    let mut conditions = format!("tenant_id = ?1{}", if is_open { " AND ended_us IS NULL" } else { "" });
    for (condition, is_wanted) in [
        (" AND run_id < ?2", filter.before.is_some()),
        (" AND workflow_id = ?3", filter.workflow.is_some()),
        (" AND status = ?4", filter.status.is_some()),
        (" AND outcome = ?5", filter.outcome.is_some()),
        (" AND object = ?6", filter.object.is_some()),
    ] {
        conditions += if is_wanted { condition } else { "" };
    }
    let sql = format!("SELECT {COLUMNS} FROM runs{index} WHERE {conditions} ORDER BY run_id DESC LIMIT ?7");
    let mut statement = sqlite.prepare_cached(&sql)?;
    let row = params![tenant, filter.before, filter.workflow, filter.status, filter.outcome, filter.object, count];
    let rows = statement.query_map(row, run)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn value_at(
    sqlite: &Connection,
    tenant: TenantKey,
    id: RunId,
    place: &str,
) -> Result<Option<RunValue>, StoreErrorKind> {
    let sql = "SELECT value, hash FROM run_values WHERE tenant_id = ?1 AND run_id = ?2 AND place = ?3";
    Ok(sqlite.prepare_cached(sql)?.query_row(params![tenant, id, place], |row| value(row, 0)).optional()?)
}

fn value(row: &rusqlite::Row<'_>, at: usize) -> rusqlite::Result<RunValue> {
    let text: Option<String> = row.get(at)?;
    match text {
        Some(text) => Ok(RunValue::Text(text)),
        None => Ok(RunValue::Blob(row.get(at + 1)?)),
    }
}
