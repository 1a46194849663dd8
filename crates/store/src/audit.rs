//! The audit log: who did what, written in the transaction that does it. Entries are added, never changed; what is old goes
//! by a pruning, which is an entry itself.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row, params};
use serde_json::Value;

use crate::{
    Actor, Permission, Scope, Store, StoreError, StoreErrorKind, TenantKey, database::instant, writer::Writing,
};

/// One entry.
#[derive(Clone, Debug, PartialEq)]
pub struct AuditEntry {
    /// Its place; a reader goes on after it.
    pub seq: i64,
    /// When.
    pub at: Timestamp,
    /// Who, for programs.
    pub actor_id: String,
    /// Who, for people.
    pub actor_name: String,
    /// `user`, `token`, `os-user` or `system`.
    pub actor_kind: String,
    /// Where; `shared` for what is for all.
    pub tenant: TenantKey,
    /// What it was called then.
    pub tenant_name: String,
    /// What was done: `connection.change`, `approval.decide`.
    pub action: String,
    /// To what.
    pub object: String,
    /// More of it, without secrets.
    pub detail: Value,
}

/// Which entries are wanted; everything that is set must hold.
#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    /// The action, or the part before its dot: `connection`.
    pub action: Option<String>,
    /// Who, by id or name.
    pub actor: Option<String>,
    /// To what.
    pub object: Option<String>,
    /// At or after.
    pub since: Option<Timestamp>,
}

/// What was done to what, for the entry.
#[derive(Clone, Debug)]
pub(crate) struct Deed {
    pub permission: Permission,
    /// Where; what is done in all tenants stands with `shared`.
    pub scope: Scope,
    pub action: &'static str,
    pub object: String,
    pub detail: Value,
}

impl Store {
    /// Adds an entry for what happened elsewhere; the store's own methods write theirs themselves.
    ///
    /// # Errors
    /// [`StoreErrorKind::NeedsTenant`] without a tenant, [`StoreErrorKind::TooLarge`] for a detail beyond 64 KB.
    pub async fn audit(
        &self,
        scope: Scope,
        actor: &Actor,
        action: &str,
        object: &str,
        detail: Value,
    ) -> Result<(), StoreError> {
        let (actor, action, object, now) = (actor.clone(), action.to_owned(), object.to_owned(), self.now());
        self.write_statement(&format!("write {action} into the audit log"), move |writing| {
            record(writing, &actor, scope.owner()?, (&action, &object, &detail), now)
        })
        .await
    }

    /// The entries after `after` (0 for the start), oldest first, at most `count`. For the latest first, see
    /// [`Self::audit_latest`].
    ///
    /// # Errors
    /// [`StoreError`] when the file cannot be read.
    pub async fn audit_list(
        &self,
        scope: Scope,
        filter: AuditFilter,
        after: i64,
        count: u32,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        self.audit_page(scope, filter, ("seq > ?1", "seq"), after, count).await
    }

    /// The entries before `before` (`i64::MAX` for the end), latest first, at most `count`.
    ///
    /// # Errors
    /// [`StoreError`] when the file cannot be read.
    pub async fn audit_latest(
        &self,
        scope: Scope,
        filter: AuditFilter,
        before: i64,
        count: u32,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        self.audit_page(scope, filter, ("seq < ?1", "seq DESC"), before, count).await
    }

    async fn audit_page(
        &self,
        scope: Scope,
        filter: AuditFilter,
        (reach, order): (&'static str, &'static str),
        place: i64,
        count: u32,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        self.read("read the audit log", move |sqlite| {
            let sql = format!(
                "SELECT seq, at_us, actor_id, actor_name, actor_kind, tenant_id, tenant_name, action, object, detail
                       FROM audit WHERE {reach} AND tenant_id = coalesce(?2, tenant_id)
                           AND (?3 IS NULL OR action = ?3 OR substr(action, 1, length(?3) + 1) = ?3 || '.')
                           AND (?4 IS NULL OR actor_id = ?4 OR actor_name = ?4)
                           AND (?5 IS NULL OR object = ?5) AND at_us >= ?6 ORDER BY {order} LIMIT ?7"
            );
            let since = filter.since.map_or(i64::MIN, Timestamp::as_microsecond);
            let row = params![place, scope.filter(), filter.action, filter.actor, filter.object, since, count];
            let mut statement = sqlite.prepare_cached(&sql)?;
            let rows = statement.query_map(row, read)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// Lets the entries from before `before` go, and says so in the log. The entry comes first: killed amid the work, the
    /// log says more than has gone, and never less.
    ///
    /// # Errors
    /// [`StoreErrorKind::Forbidden`] to whom it is not granted.
    pub async fn prune_audit(&self, before: Timestamp) -> Result<u64, StoreError> {
        let (actor, now) = (self.actor(), self.now());
        // What has not happened yet cannot be old.
        let before = before.min(now);
        self.write("prune the audit log", move |writing| {
            let detail = serde_json::json!({ "before": before.to_string() });
            actor.require(Permission::ManageKeys, Scope::Every)?;
            insert(writing, &actor, TenantKey::SHARED, ("audit.prune", "audit", &detail), now, Some(before))
        })
        .await?;
        self.delete_in_steps("prune the audit log", move |sqlite| {
            // The last one stays: it is the entry that says what went.
            let sql = "DELETE FROM audit WHERE seq IN (SELECT seq FROM audit WHERE at_us < ?1
                       AND seq < (SELECT max(seq) FROM audit WHERE pruned_before_us IS NOT NULL) ORDER BY seq LIMIT 1000)";
            Ok(sqlite.prepare_cached(sql)?.execute([before.as_microsecond()])?)
        })
        .await
    }
}

/// Whether the actor may, and its entry, in the transaction of the deed: none is done without the other.
pub(crate) fn act(writing: &Writing<'_>, actor: &Actor, deed: &Deed, now: Timestamp) -> Result<(), StoreErrorKind> {
    actor.require(deed.permission, deed.scope)?;
    let tenant = deed.scope.filter().unwrap_or(TenantKey::SHARED);
    record(writing, actor, tenant, (deed.action, &deed.object, &deed.detail), now)
}

/// Adds an entry (action, object, detail) to the transaction that does what it says.
pub(crate) fn record(
    writing: &Writing<'_>,
    actor: &Actor,
    tenant: TenantKey,
    entry: (&str, &str, &Value),
    now: Timestamp,
) -> Result<(), StoreErrorKind> {
    insert(writing, actor, tenant, entry, now, None)
}

fn insert(
    writing: &Writing<'_>,
    actor: &Actor,
    tenant: TenantKey,
    (action, object, detail): (&str, &str, &Value),
    now: Timestamp,
    pruned_before: Option<Timestamp>,
) -> Result<(), StoreErrorKind> {
    let detail = detail.to_string();
    let bytes = detail.len() as u64;
    if bytes > DETAIL_BYTES_MAX {
        let what = format!("the detail of {action}");
        return Err(StoreErrorKind::TooLarge { what, bytes, bytes_max: DETAIL_BYTES_MAX });
    }
    let name = "SELECT name FROM tenants WHERE tenant_id = ?1";
    let name: Option<String> = writing.prepare_cached(name)?.query_row([tenant], |row| row.get(0)).optional()?;
    let sql =
        "INSERT INTO audit (at_us, actor_id, actor_name, actor_kind, tenant_id, tenant_name, action, object, detail,
               pruned_before_us) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
    writing.prepare_cached(sql)?.execute(params![
        now.as_microsecond(),
        actor.id,
        actor.name,
        actor.kind.as_str(),
        tenant,
        name.unwrap_or_else(|| tenant.to_string()),
        action,
        object,
        detail,
        pruned_before.map(Timestamp::as_microsecond)
    ])?;
    Ok(())
}

fn read(row: &Row<'_>) -> rusqlite::Result<AuditEntry> {
    let detail: String = row.get(9)?;
    let detail = serde_json::from_str(&detail)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(9, rusqlite::types::Type::Text, Box::new(error)))?;
    Ok(AuditEntry {
        seq: row.get(0)?,
        at: instant(row.get(1)?),
        actor_id: row.get(2)?,
        actor_name: row.get(3)?,
        actor_kind: row.get(4)?,
        tenant: row.get(5)?,
        tenant_name: row.get(6)?,
        action: row.get(7)?,
        object: row.get(8)?,
        detail,
    })
}

const DETAIL_BYTES_MAX: u64 = 64 << 10;
