//! Principals: the local users, and which role each was granted where.

use std::{fmt, str::FromStr};

use jiff::Timestamp;
use rusqlite::{
    Connection as Sqlite, OptionalExtension, params,
    types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef},
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    Grant, Permission, Role, Scope, Store, StoreError, StoreErrorKind, TenantKey,
    audit::{Deed, act},
    database::instant,
    feed::{ChangeKind, note},
};

/// Our key of a principal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PrincipalId(Uuid);

/// What a principal is called: `alice`, `alice@contoso.com`, or `os:alice` for a user of this machine.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PrincipalName(String);

/// Why a text is no name of a principal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected a name of letters, digits, `-`, `_`, `.` and `@`, at most 64 characters, such as `alice` or `os:alice`"
)]
pub struct PrincipalNameError;

/// A local user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// Our key of it.
    pub id: PrincipalId,
    /// What people call it.
    pub name: String,
    /// Since when it may do nothing.
    pub disabled: Option<Timestamp>,
    /// When it was added.
    pub made: Timestamp,
    /// Its roles, sorted.
    pub grants: Vec<Grant>,
}

impl Store {
    /// Adds a local user, who may nothing yet.
    ///
    /// # Errors
    /// [`StoreErrorKind::Exists`] for a name that is taken, [`StoreErrorKind::Forbidden`] to whom it is not granted.
    pub async fn add_principal(&self, name: &PrincipalName) -> Result<Principal, StoreError> {
        let (name, now, actor) = (name.0.clone(), self.now(), self.actor());
        self.write(&format!("add user {name}"), move |writing| {
            let principal = Principal { id: PrincipalId(Uuid::now_v7()), name, disabled: None, made: now, grants: vec![] };
            act(writing, &actor, &people(Scope::Every, "user.add", &principal.name, json!({})), now)?;
            let sql = "INSERT INTO principals (principal_id, name, made_us) VALUES (?1, ?2, ?3) ON CONFLICT (name) DO NOTHING";
            let row = params![principal.id, principal.name, now.as_microsecond()];
            if writing.prepare_cached(sql)?.execute(row)? == 0 {
                return Err(StoreErrorKind::Exists(format!("user {}", principal.name)));
            }
            note(writing, TenantKey::SHARED, ChangeKind::Principal, &principal.id.to_string(), now);
            Ok(principal)
        })
        .await
    }

    /// The local users, by name.
    ///
    /// # Errors
    /// [`StoreError`] when the file cannot be read.
    pub async fn principals(&self) -> Result<Vec<Principal>, StoreError> {
        self.read("list users", |sqlite| {
            let mut statement = sqlite.prepare_cached(&format!("{SELECT} ORDER BY name"))?;
            let rows = statement.query_map([], read)?;
            let rows: Vec<Principal> = rows.collect::<Result<_, _>>()?;
            rows.into_iter().map(|row| with_grants(sqlite, row)).collect()
        })
        .await
    }

    /// The local user of this name.
    ///
    /// # Errors
    /// [`StoreErrorKind::Absent`] for an unknown one.
    pub async fn principal(&self, name: &str) -> Result<Principal, StoreError> {
        let name = name.to_owned();
        self.read(&format!("find user {name}"), move |sqlite| {
            let sql = format!("{SELECT} WHERE name = ?1");
            let row = sqlite.prepare_cached(&sql)?.query_row([&name], read).optional()?;
            with_grants(sqlite, row.ok_or_else(|| StoreErrorKind::Absent(format!("user {name}")))?)
        })
        .await
    }

    /// Removes a local user with roles and tokens; what it did stays in the audit log.
    ///
    /// # Errors
    /// [`StoreErrorKind::Absent`] for an unknown one, [`StoreErrorKind::Forbidden`] to whom it is not granted.
    pub async fn remove_principal(&self, id: PrincipalId) -> Result<(), StoreError> {
        let (now, actor) = (self.now(), self.actor());
        self.write("remove a user", move |writing| {
            let row = by_id(writing, id)?;
            act(
                writing,
                &actor,
                &people(Scope::Every, "user.remove", &row.name, json!({ "id": id.to_string() })),
                now,
            )?;
            writing.prepare_cached("DELETE FROM principals WHERE principal_id = ?1")?.execute([id])?;
            note(writing, TenantKey::SHARED, ChangeKind::Principal, &id.to_string(), now);
            Ok(())
        })
        .await
    }

    /// Takes every right and token of a local user out of force, or puts them back.
    ///
    /// # Errors
    /// [`StoreErrorKind::Absent`] for an unknown one, [`StoreErrorKind::Forbidden`] to whom it is not granted.
    pub async fn disable_principal(&self, id: PrincipalId, disabled: bool) -> Result<(), StoreError> {
        let (now, actor) = (self.now(), self.actor());
        self.write("disable or enable a user", move |writing| {
            let row = by_id(writing, id)?;
            let action = if disabled { "user.disable" } else { "user.enable" };
            act(writing, &actor, &people(Scope::Every, action, &row.name, json!({})), now)?;
            let since = disabled.then(|| row.disabled.unwrap_or(now).as_microsecond());
            let sql = "UPDATE principals SET disabled_us = ?2 WHERE principal_id = ?1";
            writing.prepare_cached(sql)?.execute(params![id, since])?;
            note(writing, TenantKey::SHARED, ChangeKind::Principal, &id.to_string(), now);
            Ok(())
        })
        .await
    }

    /// Gives a role; says whether it is new. Who gives it must be an administrator where it holds.
    ///
    /// # Errors
    /// [`StoreErrorKind::Absent`] for an unknown user or tenant, [`StoreErrorKind::Forbidden`] to whom it is not granted.
    pub async fn grant(&self, id: PrincipalId, grant: Grant) -> Result<bool, StoreError> {
        self.set_grant(id, grant, true).await
    }

    /// Takes a role away; says whether it was there.
    ///
    /// # Errors
    /// [`StoreErrorKind::Absent`] for an unknown user, [`StoreErrorKind::Forbidden`] to whom it is not granted.
    pub async fn revoke(&self, id: PrincipalId, grant: Grant) -> Result<bool, StoreError> {
        self.set_grant(id, grant, false).await
    }

    async fn set_grant(&self, id: PrincipalId, grant: Grant, held: bool) -> Result<bool, StoreError> {
        let (now, actor) = (self.now(), self.actor());
        self.write(if held { "grant a role" } else { "revoke a role" }, move |writing| {
            let row = by_id(writing, id)?;
            let scope = grant.tenant.map_or(Scope::Every, Scope::Tenant);
            let known = "SELECT 1 FROM tenants WHERE tenant_id = ?1";
            if let Some(tenant) = grant.tenant
                && !writing.prepare_cached(known)?.exists([tenant])?
            {
                return Err(StoreErrorKind::Absent(format!("tenant {tenant}")));
            }
            let (action, sql) = match held {
                true => (
                    "user.grant",
                    "INSERT INTO grants (principal_id, role, tenant_id) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
                ),
                false => {
                    ("user.revoke", "DELETE FROM grants WHERE principal_id = ?1 AND role = ?2 AND tenant_id IS ?3")
                }
            };
            actor.require(Permission::ManagePeople, scope)?;
            let changed = writing.prepare_cached(sql)?.execute(params![id, grant.role.as_str(), grant.tenant])? > 0;
            // What was so already is no deed.
            if changed {
                let detail = json!({ "role": grant.role.as_str(), "everywhere": grant.tenant.is_none() });
                act(writing, &actor, &people(scope, action, &row.name, detail), now)?;
                note(writing, TenantKey::SHARED, ChangeKind::Principal, &id.to_string(), now);
            }
            Ok(changed)
        })
        .await
    }
}

/// A change of who may what, for the audit log.
pub(crate) fn people(scope: Scope, action: &'static str, object: &str, detail: Value) -> Deed {
    Deed { permission: Permission::ManagePeople, scope, action, object: object.to_owned(), detail }
}

/// The principal with its grants.
pub(crate) fn by_id(sqlite: &Sqlite, id: PrincipalId) -> Result<Principal, StoreErrorKind> {
    let sql = format!("{SELECT} WHERE principal_id = ?1");
    let row = sqlite.prepare_cached(&sql)?.query_row([id], read).optional()?;
    with_grants(sqlite, row.ok_or_else(|| StoreErrorKind::Absent(format!("user {id}")))?)
}

fn with_grants(sqlite: &Sqlite, row: Principal) -> Result<Principal, StoreErrorKind> {
    let mut statement = sqlite.prepare_cached("SELECT role, tenant_id FROM grants WHERE principal_id = ?1")?;
    let rows = statement.query_map([row.id], |row| Ok((row.get::<_, String>(0)?, row.get(1)?)))?;
    let mut grants = Vec::new();
    for found in rows {
        let (role, tenant) = found?;
        // The table takes no other word; one of a later version would grant nothing here.
        grants.extend(role.parse::<Role>().ok().map(|role| Grant { role, tenant }));
    }
    grants.sort();
    Ok(Principal { grants, ..row })
}

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Principal> {
    let disabled: Option<i64> = row.get(2)?;
    Ok(Principal {
        id: row.get(0)?,
        name: row.get(1)?,
        disabled: disabled.map(instant),
        made: instant(row.get(3)?),
        grants: Vec::new(),
    })
}

impl PrincipalName {
    /// Its canonical spelling.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PrincipalName {
    type Err = PrincipalNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let bare = text.strip_prefix("os:").unwrap_or(text);
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '@');
        let fits = !bare.is_empty() && text.len() <= 64 && bare.chars().all(allowed) && !bare.starts_with('-');
        // Nobody is mistaken for Sortie itself in the log.
        let is_taken = ["system", "sortie"].iter().any(|name| bare.eq_ignore_ascii_case(name));
        if fits && !is_taken { Ok(Self(text.to_owned())) } else { Err(PrincipalNameError) }
    }
}

impl fmt::Display for PrincipalName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for PrincipalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl ToSql for PrincipalId {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Blob(self.0.as_bytes())))
    }
}

impl FromSql for PrincipalId {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Uuid::from_slice(value.as_blob()?).map(Self).map_err(|error| FromSqlError::Other(Box::new(error)))
    }
}

const SELECT: &str = "SELECT principal_id, name, disabled_us, made_us FROM principals";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_plain_and_is_not_ours() {
        for name in ["alice", "alice@contoso.com", "os:alice", "a-b_c.d"] {
            assert_eq!(name.parse::<PrincipalName>().unwrap().as_str(), name);
        }
        for wrong in ["", "os:", "a/b", "a b", "-a", "system", "Sortie", "os:system", "a:b", &"a".repeat(65)] {
            assert_eq!(wrong.parse::<PrincipalName>(), Err(PrincipalNameError), "{wrong}");
        }
    }
}
