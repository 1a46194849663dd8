//! Retention: what is old goes, in small transactions, and its space goes back to the disk.

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, params};

use crate::{Store, StoreError, StoreErrorKind, TenantKey};

/// What may go.
#[derive(Clone, Copy, Debug)]
pub struct Retention {
    /// Changes of the feed from before it; their readers are told to read everything anew.
    pub changes_before: Timestamp,
    /// Blobs that nobody has pinned and that were last written before it.
    pub blobs_before: Timestamp,
}

/// What has gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Freed {
    /// Changes of the feed.
    pub changes: u64,
    /// Blobs.
    pub blobs: u64,
    /// Values that had ended.
    pub values: u64,
    /// Descriptions of connectors that no open run has begun on.
    pub connector_versions: u64,
    /// Admitted effects that no ceiling looks back at.
    pub effects: u64,
    /// Pages given back to the disk.
    pub pages: u64,
}

impl Store {
    /// Deletes what may go and shrinks the file. Others write in between.
    ///
    /// # Errors
    /// [`StoreError`]; what has gone until then is gone.
    pub async fn sweep(&self, retention: Retention) -> Result<Freed, StoreError> {
        let mut freed = Freed::default();
        let (changes, blobs, now) =
            (retention.changes_before.as_microsecond(), retention.blobs_before.as_microsecond(), self.now());
        freed.changes = self
            .delete_in_steps("prune the feed of changes", move |connection| {
                // The latest change stays, so that the feed's numbers never begin anew.
                let sql = "DELETE FROM changes WHERE seq IN (SELECT seq FROM changes WHERE at_us < ?1
                           AND seq < (SELECT max(seq) FROM changes) ORDER BY seq LIMIT ?2)";
                Ok(connection.prepare_cached(sql)?.execute([changes, STEP_LEN])?)
            })
            .await?;
        freed.values = self
            .delete_in_steps("forget values that have ended", move |connection| {
                let sql = "DELETE FROM kept_values WHERE (tenant_id, name) IN
                           (SELECT tenant_id, name FROM kept_values WHERE expires_us <= ?1 LIMIT ?2)";
                Ok(connection.prepare_cached(sql)?.execute([now.as_microsecond(), STEP_LEN])?)
            })
            .await?;
        freed.blobs = self
            .delete_in_steps("sweep blobs", move |connection| {
                let sql = "DELETE FROM blobs WHERE (tenant_id, hash) IN
                           (SELECT tenant_id, hash FROM blobs b WHERE made_us < ?1 AND NOT EXISTS
                               (SELECT 1 FROM blob_uses u WHERE u.tenant_id = b.tenant_id AND u.hash = b.hash) LIMIT ?2)";
                Ok(connection.prepare_cached(sql)?.execute([blobs, BLOB_STEP_LEN])?)
            })
            .await?;
        freed.connector_versions = self.forget_connector_versions(now).await?;
        freed.effects = self.forget_effects(now).await?;
        freed.pages = self.shrink().await?;
        Ok(freed)
    }

    /// Whoever begins a run writes down within a day what it pins, and what no open run has pinned nobody pins any more.
    async fn forget_connector_versions(&self, now: Timestamp) -> Result<u64, StoreError> {
        let before = now.saturating_sub(VERSION_AGE).expect("a signed duration is never a calendar span");
        let before = before.as_microsecond();
        let unused = self.read("find descriptions that no run uses", move |sqlite| {
            // One snapshot that cannot be read keeps none of the others.
            let sql = "WITH pinned AS MATERIALIZED (SELECT DISTINCT pin.key AS id, pin.value AS version
                           FROM runs r INDEXED BY runs_open_by_id, json_each(iif(json_valid(r.snapshot), r.snapshot, '{}'), '$.connectors') pin
                           WHERE r.ended_us IS NULL AND pin.type = 'text')
                       SELECT tenant_id, connector_id, version FROM connector_versions
                       WHERE kept_us < ?1 AND (connector_id, version) NOT IN (SELECT id, version FROM pinned)";
            let mut statement = sqlite.prepare_cached(sql)?;
            let rows = statement.query_map([before], |row| {
                Ok((row.get::<_, TenantKey>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?))
            })?;
            Ok(rows.collect::<Result<Vec<_>, _>>()?)
        });
        let mut gone = 0;
        for (tenant, id, version) in unused.await? {
            let forget = move |sqlite: &crate::writer::Writing<'_>| {
                let sql = "DELETE FROM connector_versions
                           WHERE tenant_id = ?1 AND connector_id = ?2 AND version = ?3 AND kept_us < ?4";
                Ok(sqlite.prepare_cached(sql)?.execute(params![tenant, id, version, before])?)
            };
            gone += self.write("forget a description that no run uses", forget).await? as u64;
        }
        Ok(gone)
    }

    /// The ledger has no index by age, which each effect would have to write: it is looked through beside the writing thread.
    async fn forget_effects(&self, now: Timestamp) -> Result<u64, StoreError> {
        let before = now.saturating_sub(EFFECT_AGE).expect("a signed duration is never a calendar span");
        let before = before.as_microsecond();
        let (mut gone, mut after) = (0, EffectKey::FIRST);
        loop {
            let from = after.clone();
            let old = self.read("find effects of yesterday", move |sqlite| old_effects(sqlite, &from, before)).await?;
            let Some(last) = old.last() else { return Ok(gone) };
            after = last.clone();
            let forget = move |sqlite: &crate::writer::Writing<'_>| {
                let sql =
                    "DELETE FROM effects WHERE tenant_id = ?1 AND reference = ?2 AND operation = ?3 AND target = ?4
                           AND undoes = ?5 AND at_us < ?6";
                let mut statement = sqlite.prepare_cached(sql)?;
                let mut gone = 0;
                for EffectKey { tenant, reference, operation, target, undoes } in old {
                    gone += statement.execute(params![tenant, reference, operation, target, undoes, before])? as u64;
                }
                Ok(gone)
            };
            gone += self.write("forget effects of yesterday", forget).await?;
        }
    }

    pub(crate) async fn delete_in_steps(
        &self,
        doing: &str,
        step: impl Fn(&Connection) -> Result<usize, StoreErrorKind> + Clone + Send + 'static,
    ) -> Result<u64, StoreError> {
        let mut gone = 0;
        loop {
            let step = step.clone();
            match self.write(doing, move |writing| step(writing)).await? {
                0 => return Ok(gone),
                count => gone += count as u64,
            }
        }
    }

    async fn shrink(&self) -> Result<u64, StoreError> {
        let mut freed = 0;
        loop {
            let step = self
                .write("give space back to the disk", |connection| {
                    let free = |connection: &Connection| -> Result<u64, StoreErrorKind> {
                        Ok(connection.pragma_query_value(None, "freelist_count", |row| row.get(0))?)
                    };
                    let before = free(connection)?;
                    let mut statement = connection.prepare(&format!("PRAGMA incremental_vacuum({PAGES_STEP})"))?;
                    let mut rows = statement.query([])?;
                    while rows.next()?.is_some() {}
                    Ok(before - free(connection)?)
                })
                .await?;
            if step == 0 {
                return Ok(freed);
            }
            freed += step;
        }
    }
}

/// One row of the ledger.
#[derive(Clone)]
struct EffectKey {
    tenant: Vec<u8>,
    reference: String,
    operation: String,
    target: String,
    undoes: bool,
}

impl EffectKey {
    /// Before all others.
    const FIRST: Self = Self {
        tenant: Vec::new(),
        reference: String::new(),
        operation: String::new(),
        target: String::new(),
        undoes: false,
    };
}

/// Those after one of them that were admitted before an instant, in the order of their keys.
fn old_effects(sqlite: &Connection, after: &EffectKey, before: i64) -> Result<Vec<EffectKey>, StoreErrorKind> {
    let sql = "SELECT tenant_id, reference, operation, target, undoes FROM effects
               WHERE (tenant_id, reference, operation, target, undoes) > (?1, ?2, ?3, ?4, ?5) AND at_us < ?6
               ORDER BY tenant_id, reference, operation, target, undoes LIMIT ?7";
    let mut statement = sqlite.prepare_cached(sql)?;
    let EffectKey { tenant, reference, operation, target, undoes } = after;
    let rows = statement.query_map(params![tenant, reference, operation, target, undoes, before, STEP_LEN], |row| {
        Ok(EffectKey {
            tenant: row.get(0)?,
            reference: row.get(1)?,
            operation: row.get(2)?,
            target: row.get(3)?,
            undoes: row.get(4)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Rows of one transaction.
const STEP_LEN: i64 = 1_000;
const BLOB_STEP_LEN: i64 = 20;
const VERSION_AGE: SignedDuration = SignedDuration::from_hours(24);
/// So long an admitted effect stands in the ledger; the ceilings look back an hour.
const EFFECT_AGE: SignedDuration = SignedDuration::from_hours(24);
/// 4 MB of pages.
const PAGES_STEP: u32 = 1_000;
