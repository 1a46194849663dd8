//! Retention of runs: those that ended long ago go, with everything of theirs.

use jiff::Timestamp;
use rusqlite::params;

use crate::{Store, StoreError};

impl Store {
    /// Deletes runs that ended before the moment, and of each tenant those beyond its latest `keep`. How many.
    ///
    /// # Errors
    /// [`StoreError`]; what has gone until then is gone.
    pub async fn prune_runs(&self, ended_before: Timestamp, keep: u32) -> Result<u64, StoreError> {
        let mut gone = 0;
        loop {
            let step = self
                .write("delete old runs", move |sqlite| {
                    let sql = "SELECT tenant_id, run_id FROM runs r WHERE ended_us IS NOT NULL AND (ended_us < ?1 OR run_id <
                                   (SELECT run_id FROM runs o WHERE o.tenant_id = r.tenant_id ORDER BY run_id DESC LIMIT 1 OFFSET ?2))
                               LIMIT ?3";
                    let mut statement = sqlite.prepare_cached(sql)?;
                    let rows = statement.query_map(params![ended_before.as_microsecond(), keep, STEP_LEN], |row| {
                        Ok((row.get::<_, crate::TenantKey>(0)?, row.get::<_, super::RunId>(1)?))
                    })?;
                    let old: Vec<_> = rows.collect::<Result<_, _>>()?;
                    for (tenant, run) in &old {
                        let uses = "DELETE FROM blob_uses WHERE tenant_id = ?1 AND used_by = ?2";
                        sqlite.prepare_cached(uses)?.execute(params![tenant, format!("run {run}")])?;
                        for of_run in [
                            "DELETE FROM run_values WHERE tenant_id = ?1 AND run_id = ?2",
                            "DELETE FROM journal WHERE tenant_id = ?1 AND run_id = ?2",
                        ] {
                            sqlite.prepare_cached(of_run)?.execute(params![tenant, run])?;
                        }
                        let run_row = "DELETE FROM runs WHERE tenant_id = ?1 AND run_id = ?2";
                        sqlite.prepare_cached(run_row)?.execute(params![tenant, run])?;
                    }
                    Ok(old.len() as u64)
                })
                .await?;
            gone += step;
            if step == 0 {
                return Ok(gone);
            }
        }
    }
}

/// Runs of one transaction; each has about a dozen rows.
const STEP_LEN: u32 = 100;
