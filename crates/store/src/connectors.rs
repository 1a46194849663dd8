//! Connectors: the descriptions of products that were imported, and what was changed of them by hand; those of before, for runs
//! that began on them.

use jiff::Timestamp;
use rusqlite::{Connection as Sqlite, OptionalExtension, params};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{
    Permission, Scope, Store, StoreError, StoreErrorKind, TenantKey,
    audit::{Deed, act},
    database::instant,
    feed::{ChangeKind, note},
};

/// A connector without its description.
#[derive(Clone, Debug, PartialEq)]
pub struct ConnectorInfo {
    /// Whose; `shared` for all tenants.
    pub tenant: TenantKey,
    /// What workflows and connections call it.
    pub id: String,
    /// What people call it.
    pub title: String,
    /// The file or address that it was imported from.
    pub origin: String,
    /// Of the description, before edits.
    pub content_hash: String,
    /// What was changed by hand.
    pub edits: Value,
    /// Goes up with each import and edit.
    pub version: i64,
    /// When it was last imported or edited.
    pub changed: Timestamp,
}

/// A connector whole.
#[derive(Clone, Debug, PartialEq)]
pub struct Connector {
    /// All but the description.
    pub info: ConnectorInfo,
    /// JSON, as the importer wrote it.
    pub description: String,
}

/// A connector to be kept.
#[derive(Clone, Debug, PartialEq)]
pub struct NewConnector {
    /// What workflows and connections will call it.
    pub id: String,
    /// What people will call it.
    pub title: String,
    /// The file or address.
    pub origin: String,
    /// Of the description.
    pub content_hash: String,
    /// JSON.
    pub description: String,
}

impl ConnectorInfo {
    /// What a run pins: the same for the same description under the same edits, whatever was there in between.
    pub fn pin(&self) -> String {
        let mut hash = Sha256::new();
        for part in [&self.content_hash, &self.edits.to_string()] {
            // The length keeps ("a", "bc") and ("ab", "c") apart.
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl Store {
    /// Keeps a connector for the scope's tenant. With `replace` in place of the one that is there, whose edits stay.
    ///
    /// # Errors
    /// [`StoreErrorKind::Exists`] without `replace`; [`StoreErrorKind::TooLarge`] beyond 256 MB.
    pub async fn put_connector(&self, scope: Scope, new: NewConnector, replace: bool) -> Result<i64, StoreError> {
        let (actor, now) = (self.actor(), self.now());
        self.write(&format!("keep connector {}", new.id), move |sqlite| {
            let tenant = scope.owner()?;
            let detail = json!({ "content_hash": new.content_hash, "replaces": replace });
            act(sqlite, &actor, &deed(tenant, "connector.import", &new.id, detail), now)?;
            let bytes = new.description.len() as u64;
            if bytes > DESCRIPTION_BYTES_MAX {
                let what = format!("the description of {}", new.id);
                return Err(StoreErrorKind::TooLarge { what, bytes, bytes_max: DESCRIPTION_BYTES_MAX });
            }
            put_aside(sqlite, tenant, &new.id, now)?;
            let sql = "INSERT INTO connectors (tenant_id, connector_id, title, origin, content_hash, description, edits, version, made_us, changed_us)
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6, '{}', 1, ?7, ?7)
                       ON CONFLICT (tenant_id, connector_id) DO UPDATE
                       SET title = ?3, origin = ?4, content_hash = ?5, description = ?6, version = version + 1, changed_us = ?7
                       WHERE ?8 RETURNING version";
            let row = params![
                tenant,
                new.id,
                new.title,
                new.origin,
                new.content_hash,
                new.description,
                now.as_microsecond(),
                replace
            ];
            let version = sqlite.prepare_cached(sql)?.query_row(row, |row| row.get(0)).optional()?;
            let version = version.ok_or_else(|| StoreErrorKind::Exists(format!("connector {}", new.id)))?;
            note(sqlite, tenant, ChangeKind::Connector, &new.id, now);
            Ok(version)
        })
        .await
    }

    /// Changes what was edited by hand, of the connector that was read at `version`.
    ///
    /// # Errors
    /// [`StoreErrorKind::Stale`] when somebody else has changed it meanwhile.
    pub async fn edit_connector(&self, info: &ConnectorInfo, edits: Value) -> Result<i64, StoreError> {
        let (info, actor, now) = (info.clone(), self.actor(), self.now());
        self.write(&format!("edit connector {}", info.id), move |sqlite| {
            let edited: Vec<&String> = edits.as_object().into_iter().flatten().map(|(name, _)| name).collect();
            let action = if edited.is_empty() { "connector.reset" } else { "connector.edit" };
            act(sqlite, &actor, &deed(info.tenant, action, &info.id, json!({ "edited": edited })), now)?;
            put_aside(sqlite, info.tenant, &info.id, now)?;
            let sql = "UPDATE connectors SET edits = ?4, version = version + 1, changed_us = ?5
                       WHERE tenant_id = ?1 AND connector_id = ?2 AND version = ?3 RETURNING version";
            let row = params![info.tenant, info.id, info.version, edits.to_string(), now.as_microsecond()];
            let version = sqlite.prepare_cached(sql)?.query_row(row, |row| row.get(0)).optional()?;
            note(sqlite, info.tenant, ChangeKind::Connector, &info.id, now);
            version.ok_or_else(|| StoreErrorKind::Stale(format!("connector {}", info.id)))
        })
        .await
    }

    /// The connectors that the scope may use: its own and the shared ones, by id.
    ///
    /// # Errors
    /// [`StoreError`] when the file cannot be read.
    pub async fn connectors(&self, scope: Scope) -> Result<Vec<ConnectorInfo>, StoreError> {
        self.read("list connectors", move |sqlite| {
            let sql = format!("SELECT {INFO} FROM connectors WHERE tenant_id IN (coalesce(?1, tenant_id), ?2) ORDER BY connector_id, tenant_id DESC");
            let mut statement = sqlite.prepare_cached(&sql)?;
            let rows = statement.query_map(params![scope.filter(), TenantKey::SHARED], info)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// One connector; a tenant's own goes before a shared one of the same id.
    ///
    /// # Errors
    /// [`StoreErrorKind::Absent`] where the scope has none of that id.
    pub async fn connector(&self, scope: Scope, id: &str) -> Result<Connector, StoreError> {
        let id = id.to_owned();
        self.read(&format!("read connector {id}"), move |sqlite| {
            let sql = format!(
                "SELECT {INFO}, description FROM connectors WHERE connector_id = ?1 AND tenant_id IN (coalesce(?2, tenant_id), ?3)
                 ORDER BY tenant_id DESC LIMIT 1"
            );
            let read = |row: &rusqlite::Row<'_>| Ok(Connector { info: info(row)?, description: row.get(8)? });
            let found = sqlite.prepare_cached(&sql)?.query_row(params![id, scope.filter(), TenantKey::SHARED], read);
            found.optional()?.ok_or_else(|| StoreErrorKind::Absent(format!("connector {id}")))
        })
        .await
    }

    /// The connector as it was when a run pinned it; only where it has been replaced, edited or removed since, or was kept.
    ///
    /// # Errors
    /// [`StoreErrorKind::Absent`] where it is not kept, or not any more.
    pub async fn connector_version(&self, scope: Scope, id: &str, pin: &str) -> Result<Connector, StoreError> {
        let (id, pin) = (id.to_owned(), pin.to_owned());
        self.read(&format!("read what connector {id} was"), move |sqlite| {
            let sql = "SELECT tenant_id, connector_id, title, origin, content_hash, edits, 0, kept_us, description
                       FROM connector_versions WHERE connector_id = ?1 AND version = ?2
                         AND tenant_id IN (coalesce(?3, tenant_id), ?4) ORDER BY tenant_id DESC LIMIT 1";
            let read = |row: &rusqlite::Row<'_>| Ok(Connector { info: info(row)?, description: row.get(8)? });
            let row = params![id, pin, scope.filter(), TenantKey::SHARED];
            let found = sqlite.prepare_cached(sql)?.query_row(row, read).optional()?;
            found.ok_or_else(|| StoreErrorKind::Absent(format!("that version of connector {id}")))
        })
        .await
    }

    /// Keeps a description that does not lie here, such as one that comes with a program: another release has another one,
    /// and runs finish on what they began with.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be written.
    pub async fn keep_connector_version(&self, connector: Connector) -> Result<(), StoreError> {
        let now = self.now();
        self.write(&format!("keep connector {} for runs", connector.info.id), move |sqlite| {
            let Connector { info, description } = &connector;
            let sql = "INSERT INTO connector_versions (tenant_id, connector_id, version, title, origin, content_hash, description, edits, kept_us)
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT DO UPDATE SET kept_us = ?9";
            let edits = info.edits.to_string();
            let (tenant, pin, now) = (info.tenant, info.pin(), now.as_microsecond());
            let row = params![tenant, info.id, pin, info.title, info.origin, info.content_hash, description, edits, now];
            sqlite.prepare_cached(sql)?.execute(row)?;
            Ok(())
        })
        .await
    }

    /// Removes a connector that no connection uses.
    ///
    /// # Errors
    /// [`StoreErrorKind::InUse`] with the connections.
    pub async fn remove_connector(&self, info: &ConnectorInfo) -> Result<(), StoreError> {
        let (info, actor, now) = (info.clone(), self.actor(), self.now());
        self.write(&format!("remove connector {}", info.id), move |sqlite| {
            act(sqlite, &actor, &deed(info.tenant, "connector.remove", &info.id, json!({})), now)?;
            let users = users(sqlite, &info)?;
            if !users.is_empty() {
                return Err(StoreErrorKind::InUse(users));
            }
            put_aside(sqlite, info.tenant, &info.id, now)?;
            let sql = "DELETE FROM connectors WHERE tenant_id = ?1 AND connector_id = ?2";
            sqlite.prepare_cached(sql)?.execute(params![info.tenant, info.id])?;
            note(sqlite, info.tenant, ChangeKind::Connector, &info.id, now);
            Ok(())
        })
        .await
    }
}

/// What was in force until now stays readable for runs that have begun on it.
fn put_aside(sqlite: &Sqlite, tenant: TenantKey, id: &str, now: Timestamp) -> Result<(), StoreErrorKind> {
    let sql = format!("SELECT {INFO} FROM connectors WHERE tenant_id = ?1 AND connector_id = ?2");
    let found = sqlite.prepare_cached(&sql)?.query_row(params![tenant, id], info).optional()?;
    let Some(found) = found else { return Ok(()) };
    let sql = "INSERT INTO connector_versions (tenant_id, connector_id, version, title, origin, content_hash, description, edits, kept_us)
               SELECT tenant_id, connector_id, ?3, title, origin, content_hash, description, edits, ?4 FROM connectors
               WHERE tenant_id = ?1 AND connector_id = ?2 ON CONFLICT DO UPDATE SET kept_us = ?4";
    sqlite.prepare_cached(sql)?.execute(params![tenant, id, found.pin(), now.as_microsecond()])?;
    Ok(())
}

/// A change of a connector, for the audit log.
fn deed(tenant: TenantKey, action: &'static str, id: &str, detail: Value) -> Deed {
    let scope = Scope::Tenant(tenant);
    Deed { permission: Permission::ChangeConnector, scope, action, object: id.to_owned(), detail }
}

/// A shared connector may be used by the connections of every tenant.
fn users(sqlite: &Sqlite, info: &ConnectorInfo) -> Result<Vec<String>, StoreErrorKind> {
    let sql = "SELECT name FROM connections WHERE connector = ?1 AND (tenant_id = ?2 OR ?3) ORDER BY name LIMIT 100";
    let mut statement = sqlite.prepare_cached(sql)?;
    let row = params![info.id, info.tenant, info.tenant == TenantKey::SHARED];
    let names = statement.query_map(row, |row| Ok(format!("connection {}", row.get::<_, String>(0)?)))?;
    Ok(names.collect::<Result<_, _>>()?)
}

fn info(row: &rusqlite::Row<'_>) -> rusqlite::Result<ConnectorInfo> {
    let edits: String = row.get(5)?;
    let edits = serde_json::from_str(&edits)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(5, rusqlite::types::Type::Text, Box::new(error)))?;
    Ok(ConnectorInfo {
        tenant: row.get(0)?,
        id: row.get(1)?,
        title: row.get(2)?,
        origin: row.get(3)?,
        content_hash: row.get(4)?,
        edits,
        version: row.get(6)?,
        changed: instant(row.get(7)?),
    })
}

const INFO: &str = "tenant_id, connector_id, title, origin, content_hash, edits, version, changed_us";
const DESCRIPTION_BYTES_MAX: u64 = 256 << 20;
