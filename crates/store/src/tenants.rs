//! Tenants: the organisations that this installation works for.

use rusqlite::{Connection, OptionalExtension, params};
use serde_json::{Value, json};
use sortie_model::TenantId;

use crate::{
    Permission, Scope, Store, StoreError, StoreErrorKind, TenantKey,
    audit::{Deed, act},
    feed::{ChangeKind, note},
};

/// One tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenant {
    /// Our own key.
    pub key: TenantKey,
    /// What people call it.
    pub name: String,
    /// Its GUID or domain in Entra.
    pub entra_id: Option<String>,
    /// `global`, `usgov` and so on.
    pub cloud: String,
}

impl Store {
    /// Adds a tenant.
    ///
    /// # Errors
    /// [`StoreErrorKind::Exists`] for a name that is taken.
    pub async fn add_tenant(&self, name: &str, entra_id: Option<&TenantId>, cloud: &str) -> Result<Tenant, StoreError> {
        let tenant = Tenant {
            key: TenantKey::fresh(),
            name: name.to_owned(),
            entra_id: entra_id.map(ToString::to_string),
            cloud: cloud.to_owned(),
        };
        let (row, actor, now) = (tenant.clone(), self.actor(), self.now());
        self.write(&format!("add tenant {name}"), move |connection| {
            let detail = json!({ "entra_id": row.entra_id, "cloud": row.cloud });
            act(connection, &actor, &deed("tenant.add", &row.name, detail), now)?;
            let sql = "INSERT INTO tenants (tenant_id, name, entra_id, cloud, made_us) VALUES (?1, ?2, ?3, ?4, ?5)
                       ON CONFLICT (name) DO NOTHING";
            let made = connection.prepare_cached(sql)?.execute(params![
                row.key,
                row.name,
                row.entra_id,
                row.cloud,
                now.as_microsecond()
            ])?;
            if made == 0 {
                return Err(StoreErrorKind::Exists(format!("tenant {}", row.name)));
            }
            note(connection, row.key, ChangeKind::Tenant, &row.key.to_string(), now);
            Ok(())
        })
        .await?;
        Ok(tenant)
    }

    /// The tenants in the scope, by name; `shared` is one of them.
    ///
    /// # Errors
    /// [`StoreError`] when the file cannot be read.
    pub async fn tenants(&self, scope: Scope) -> Result<Vec<Tenant>, StoreError> {
        let edition = self.settings_edition();
        if let Some(known) = self.inner.tenants.get(edition, &scope) {
            return Ok(known);
        }
        let tenants = self.read("list tenants", move |connection| listed(connection, scope.filter())).await?;
        self.inner.tenants.put(edition, scope, tenants.clone());
        Ok(tenants)
    }

    /// Takes a tenant out that nothing works for any more, with its runs that have ended.
    ///
    /// # Errors
    /// [`StoreErrorKind::InUse`] while it has connections, workflows or open runs, [`StoreErrorKind::Absent`] for an unknown
    /// name.
    pub async fn remove_tenant(&self, name: &str) -> Result<(), StoreError> {
        let (name, actor, now) = (name.to_owned(), self.actor(), self.now());
        self.write(&format!("remove tenant {name}"), move |connection| {
            let tenant = named(connection, &name)?.filter(|tenant| tenant.key != TenantKey::SHARED);
            let tenant = tenant.ok_or_else(|| StoreErrorKind::Absent(format!("tenant {name}")))?;
            let users = users(connection, tenant.key)?;
            if !users.is_empty() {
                return Err(StoreErrorKind::InUse(users));
            }
            act(connection, &actor, &deed("tenant.remove", &name, json!({ "entra_id": tenant.entra_id })), now)?;
            for table in OWNED {
                connection.execute(&format!("DELETE FROM {table} WHERE tenant_id = ?1"), [tenant.key])?;
            }
            note(connection, tenant.key, ChangeKind::Tenant, &tenant.key.to_string(), now);
            Ok(())
        })
        .await
    }
}

/// What works for a tenant, in words; twenty at most.
fn users(connection: &Connection, tenant: TenantKey) -> Result<Vec<String>, StoreErrorKind> {
    let sql = "SELECT 'connection ' || name FROM connections WHERE tenant_id = ?1
        UNION ALL SELECT 'workflow ' || workflow_id FROM workflows WHERE tenant_id = ?1
        UNION ALL SELECT count(*) || ' open run(s) of workflow ' || workflow_id FROM runs
            WHERE tenant_id = ?1 AND ended_us IS NULL GROUP BY workflow_id
        LIMIT 20";
    let mut statement = connection.prepare_cached(sql)?;
    let users = statement.query_map([tenant], |row| row.get(0))?;
    Ok(users.collect::<Result<_, _>>()?)
}

/// A change of the tenants, for the audit log.
fn deed(action: &'static str, name: &str, detail: Value) -> Deed {
    Deed { permission: Permission::ManageTenants, scope: Scope::Every, action, object: name.to_owned(), detail }
}

/// Those of this key, or all of them.
fn listed(connection: &Connection, key: Option<TenantKey>) -> Result<Vec<Tenant>, StoreErrorKind> {
    let sql =
        "SELECT tenant_id, name, entra_id, cloud FROM tenants WHERE tenant_id = coalesce(?1, tenant_id) ORDER BY name";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([key], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(crate) fn all(connection: &Connection) -> Result<Vec<Tenant>, StoreErrorKind> {
    listed(connection, None)
}

pub(crate) fn named(connection: &Connection, name: &str) -> Result<Option<Tenant>, StoreErrorKind> {
    let sql = "SELECT tenant_id, name, entra_id, cloud FROM tenants WHERE name = ?1";
    Ok(connection.prepare_cached(sql)?.query_row([name], read).optional()?)
}

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Tenant> {
    Ok(Tenant { key: row.get(0)?, name: row.get(1)?, entra_id: row.get(2)?, cloud: row.get(3)? })
}

/// What goes with a tenant, what refers to another first.
const OWNED: &[&str] = &[
    "run_values",
    "journal",
    // With them what refers to them: intents, signals, questions.
    "runs",
    "workflow_versions",
    "effects",
    "guardrails",
    "connector_versions",
    "grants",
    "kept_values",
    "blob_uses",
    "blob_chunks",
    "blobs",
    "leases",
    "connection_uses",
    "secrets",
    "hook_secrets",
    "hook_requests",
    "data_keys",
    "connectors",
    "tenants",
];
