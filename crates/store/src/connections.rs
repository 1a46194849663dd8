//! Connections: connector, base address, tenant, and where a secret may go.

use std::fmt;

use jiff::Timestamp;
use rusqlite::{
    Connection as Sqlite, OptionalExtension, Row, params,
    types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef},
};
use serde_json::{Value, json};
use sortie_model::ConnectionName;
use uuid::Uuid;

use crate::{
    Permission, Scope, Store, StoreError, StoreErrorKind, TenantKey,
    audit::{Deed, act},
    database::instant,
    feed::{ChangeKind, note},
    secrets,
};

/// Our key of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId(Uuid);

/// What is set up once and tested. The secrets are apart.
#[derive(Clone, Debug, PartialEq)]
pub struct Connection {
    /// Whose.
    pub tenant: TenantKey,
    /// Our key of it.
    pub id: ConnectionId,
    /// What people call it; unique within the tenant.
    pub name: String,
    /// The connector's id.
    pub connector: String,
    /// Where calls go.
    pub base_url: String,
    /// Where tokens come from.
    pub token_url: Option<String>,
    /// Hosts that calls and redirects may reach although they are not public, sorted.
    pub allowed_hosts: Vec<String>,
    /// Origins that its secret may be sent to, sorted: what base, connector and variables led to when it was set up.
    pub destinations: Vec<String>,
    /// Everything else that is no secret.
    pub settings: Value,
    /// Goes up with each change; a change names the one that it saw.
    pub version: i64,
    /// When it was made.
    pub made: Timestamp,
    /// When it was last changed.
    pub changed: Timestamp,
}

/// A connection to be kept.
#[derive(Clone, Debug, PartialEq)]
pub struct NewConnection {
    /// What people will call it.
    pub name: ConnectionName,
    /// The connector's id.
    pub connector: String,
    /// Where calls go.
    pub base_url: String,
    /// Where tokens come from.
    pub token_url: Option<String>,
    /// Hosts that are not public and may be reached.
    pub allowed_hosts: Vec<String>,
    /// Origins that its secret may be sent to.
    pub destinations: Vec<String>,
    /// Everything else that is no secret.
    pub settings: Value,
}

/// What a change has done.
#[derive(Clone, Debug, PartialEq)]
pub struct Saved {
    /// As it is now.
    pub connection: Connection,
    /// Secrets that went, because they would go elsewhere now; they must be entered again.
    pub voided: Vec<String>,
}

impl Store {
    /// Adds a connection to the scope's tenant.
    ///
    /// # Errors
    /// [`StoreErrorKind::Exists`] for a name that is taken there.
    pub async fn add_connection(&self, scope: Scope, new: NewConnection) -> Result<Connection, StoreError> {
        let (actor, now) = (self.actor(), self.now());
        self.write(&format!("add connection {}", new.name), move |sqlite| {
            let row = new.row(scope.owner()?, ConnectionId(Uuid::now_v7()), 1, now, now);
            act(sqlite, &actor, &row.deed("connection.add", row.leads_to()), now)?;
            let sql = "INSERT INTO connections (tenant_id, connection_id, name, connector, base_url, token_url, allowed_hosts,
                           destinations, settings, version, made_us, changed_us)
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?11) ON CONFLICT (tenant_id, name) DO NOTHING";
            let made = sqlite.prepare_cached(sql)?.execute(params![
                row.tenant,
                row.id,
                row.name,
                row.connector,
                row.base_url,
                row.token_url,
                as_json(&row.allowed_hosts),
                as_json(&row.destinations),
                row.settings.to_string(),
                row.version,
                now.as_microsecond()
            ])?;
            if made == 0 {
                return Err(StoreErrorKind::Exists(format!("connection {}", row.name)));
            }
            note(sqlite, row.tenant, ChangeKind::Connection, &row.id.to_string(), now);
            Ok(row)
        })
        .await
    }

    /// Changes a connection that was read at `version`. Where its secrets could now go elsewhere they are voided.
    ///
    /// # Errors
    /// [`StoreErrorKind::Stale`] when somebody else has changed it meanwhile.
    pub async fn change_connection(
        &self,
        scope: Scope,
        id: ConnectionId,
        version: i64,
        new: NewConnection,
    ) -> Result<Saved, StoreError> {
        let (actor, now) = (self.actor(), self.now());
        self.write(&format!("change connection {}", new.name), move |sqlite| {
            let old = by_id(sqlite, scope, id)?;
            if old.version != version {
                return Err(StoreErrorKind::Stale(format!("connection {}", old.name)));
            }
            let row = new.row(old.tenant, id, version + 1, old.made, now);
            let taken = "SELECT 1 FROM connections WHERE tenant_id = ?1 AND name = ?2 AND connection_id <> ?3";
            if sqlite.prepare_cached(taken)?.exists(params![row.tenant, row.name, row.id])? {
                return Err(StoreErrorKind::Exists(format!("connection {}", row.name)));
            }
            // Before the row: what is bound to the old addresses must not stand beside the new ones for a moment.
            let voided = if row.leads_where(&old) { Vec::new() } else { secrets::void(sqlite, row.tenant, row.id)? };
            let sql =
                "UPDATE connections SET name = ?3, connector = ?4, base_url = ?5, token_url = ?6, allowed_hosts = ?7,
                           destinations = ?8, settings = ?9, version = ?10, changed_us = ?11
                           WHERE tenant_id = ?1 AND connection_id = ?2 AND version = ?12";
            let changed = sqlite.prepare_cached(sql)?.execute(params![
                row.tenant,
                row.id,
                row.name,
                row.connector,
                row.base_url,
                row.token_url,
                as_json(&row.allowed_hosts),
                as_json(&row.destinations),
                row.settings.to_string(),
                row.version,
                now.as_microsecond(),
                version
            ])?;
            if changed == 0 {
                return Err(StoreErrorKind::Stale(format!("connection {}", old.name)));
            }
            let detail = json!({ "was": old.leads_to(), "is": row.leads_to(), "name_was": old.name, "voided": voided });
            act(sqlite, &actor, &row.deed("connection.change", detail), now)?;
            note(sqlite, row.tenant, ChangeKind::Connection, &row.id.to_string(), now);
            Ok(Saved { connection: row, voided })
        })
        .await
    }

    /// The connections of the scope, by name.
    ///
    /// # Errors
    /// [`StoreError`] when the file cannot be read.
    pub async fn connections(&self, scope: Scope) -> Result<Vec<Connection>, StoreError> {
        self.read("list connections", move |sqlite| {
            let sql = format!("{SELECT} WHERE tenant_id = coalesce(?1, tenant_id) ORDER BY name, tenant_id");
            let mut statement = sqlite.prepare_cached(&sql)?;
            let rows = statement.query_map([scope.filter()], read)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// The connections of that name: one at most within a tenant.
    ///
    /// # Errors
    /// [`StoreError`] when the file cannot be read.
    pub async fn connections_named(&self, scope: Scope, name: &str) -> Result<Vec<Connection>, StoreError> {
        let name = name.to_owned();
        self.read(&format!("find connection {name}"), move |sqlite| {
            let sql = format!("{SELECT} WHERE name = ?2 AND tenant_id = coalesce(?1, tenant_id) ORDER BY tenant_id");
            let mut statement = sqlite.prepare_cached(&sql)?;
            let rows = statement.query_map(params![scope.filter(), name], read)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// Removes a connection with its secrets.
    ///
    /// # Errors
    /// [`StoreErrorKind::InUse`] with the users while it has some, [`StoreErrorKind::Absent`] for an unknown one.
    pub async fn remove_connection(&self, scope: Scope, id: ConnectionId) -> Result<(), StoreError> {
        let (actor, now) = (self.actor(), self.now());
        self.write("remove a connection", move |sqlite| {
            let row = by_id(sqlite, scope, id)?;
            act(sqlite, &actor, &row.deed("connection.remove", row.leads_to()), now)?;
            let users = users(sqlite, &row)?;
            if !users.is_empty() {
                return Err(StoreErrorKind::InUse(users));
            }
            let sql = "DELETE FROM connections WHERE tenant_id = ?1 AND connection_id = ?2";
            sqlite.prepare_cached(sql)?.execute(params![row.tenant, row.id])?;
            note(sqlite, row.tenant, ChangeKind::Connection, &row.id.to_string(), now);
            Ok(())
        })
        .await
    }

    /// Who uses a connection, in words: `workflow contain-device`.
    ///
    /// # Errors
    /// [`StoreErrorKind::Absent`] for an unknown connection.
    pub async fn connection_users(&self, scope: Scope, id: ConnectionId) -> Result<Vec<String>, StoreError> {
        self.read("list the users of a connection", move |sqlite| users(sqlite, &by_id(sqlite, scope, id)?)).await
    }

    /// Notes that `user`, such as `workflow contain-device`, uses a connection, or does no more.
    ///
    /// # Errors
    /// [`StoreErrorKind::Absent`] for an unknown connection.
    pub async fn set_connection_use(
        &self,
        scope: Scope,
        id: ConnectionId,
        user: &str,
        uses: bool,
    ) -> Result<(), StoreError> {
        let user = user.to_owned();
        self.write("note the use of a connection", move |sqlite| {
            let row = by_id(sqlite, scope, id)?;
            let sql = match uses {
                true => "INSERT INTO connection_uses (tenant_id, connection_id, used_by) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
                false => "DELETE FROM connection_uses WHERE tenant_id = ?1 AND connection_id = ?2 AND used_by = ?3",
            };
            sqlite.prepare_cached(sql)?.execute(params![row.tenant, row.id, user])?;
            Ok(())
        })
        .await
    }
}

impl NewConnection {
    fn row(self, tenant: TenantKey, id: ConnectionId, version: i64, made: Timestamp, changed: Timestamp) -> Connection {
        let sorted = |list: &[String]| -> Vec<String> {
            let list: std::collections::BTreeSet<_> = list.iter().map(|one| one.trim().to_lowercase()).collect();
            list.into_iter().collect()
        };
        Connection {
            tenant,
            id,
            name: self.name.as_str().to_owned(),
            connector: self.connector,
            base_url: self.base_url,
            token_url: self.token_url,
            allowed_hosts: sorted(&self.allowed_hosts),
            destinations: sorted(&self.destinations),
            settings: self.settings,
            version,
            made,
            changed,
        }
    }
}

impl Connection {
    /// A change of it, for the audit log.
    pub(crate) fn deed(&self, action: &'static str, detail: Value) -> Deed {
        let scope = Scope::Tenant(self.tenant);
        Deed { permission: Permission::ChangeConnection, scope, action, object: self.name.clone(), detail }
    }

    /// For the audit log: no address whole, for one may hold a name and a password.
    fn leads_to(&self) -> Value {
        json!({ "connector": self.connector, "destinations": self.destinations, "allowed_hosts": self.allowed_hosts })
    }

    /// Whether a secret goes to the same places in the same way: the settings name whom it trusts and for whom it asks.
    fn leads_where(&self, other: &Self) -> bool {
        let places = |one: &Self| [one.allowed_hosts.clone(), one.destinations.clone()];
        let same = self.base_url == other.base_url && self.token_url == other.token_url;
        same && places(self) == places(other) && self.settings == other.settings
    }
}

impl ConnectionId {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// The connection, if the scope reaches it; another tenant's is as absent as one that never was.
pub(crate) fn by_id(sqlite: &Sqlite, scope: Scope, id: ConnectionId) -> Result<Connection, StoreErrorKind> {
    let sql = format!("{SELECT} WHERE connection_id = ?2 AND tenant_id = coalesce(?1, tenant_id)");
    let row = sqlite.prepare_cached(&sql)?.query_row(params![scope.filter(), id], read).optional()?;
    row.ok_or_else(|| StoreErrorKind::Absent(format!("connection {id}")))
}

fn users(sqlite: &Sqlite, row: &Connection) -> Result<Vec<String>, StoreErrorKind> {
    let sql =
        "SELECT used_by FROM connection_uses WHERE tenant_id = ?1 AND connection_id = ?2 ORDER BY used_by LIMIT 100";
    let mut statement = sqlite.prepare_cached(sql)?;
    let users = statement.query_map(params![row.tenant, row.id], |row| row.get(0))?;
    Ok(users.collect::<Result<_, _>>()?)
}

fn read(row: &Row<'_>) -> rusqlite::Result<Connection> {
    let json = |at: usize| -> rusqlite::Result<Value> {
        let text: String = row.get(at)?;
        serde_json::from_str(&text).map_err(|error| {
            rusqlite::Error::FromSqlConversionFailure(at, rusqlite::types::Type::Text, Box::new(error))
        })
    };
    let texts = |at: usize| -> rusqlite::Result<Vec<String>> {
        Ok(json(at)?.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect())
    };
    Ok(Connection {
        tenant: row.get(0)?,
        id: row.get(1)?,
        name: row.get(2)?,
        connector: row.get(3)?,
        base_url: row.get(4)?,
        token_url: row.get(5)?,
        allowed_hosts: texts(6)?,
        destinations: texts(7)?,
        settings: json(8)?,
        version: row.get(9)?,
        made: instant(row.get(10)?),
        changed: instant(row.get(11)?),
    })
}

fn as_json(list: &[String]) -> String {
    Value::from(list.to_vec()).to_string()
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl ToSql for ConnectionId {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Blob(self.0.as_bytes())))
    }
}

impl FromSql for ConnectionId {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Uuid::from_slice(value.as_blob()?).map(Self).map_err(|error| FromSqlError::Other(Box::new(error)))
    }
}

const SELECT: &str =
    "SELECT tenant_id, connection_id, name, connector, base_url, token_url, allowed_hosts, destinations, settings, version,
    made_us, changed_us FROM connections";
