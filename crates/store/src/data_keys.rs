//! Data keys: one per tenant and version, wrapped by the key-encryption key. Unlocking proves that key first.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::{Value, json};

use crate::{
    MasterKey, Permission, Scope, Store, StoreError, StoreErrorKind, TenantKey,
    audit::{Deed, act},
    error::KeyProblem,
    hooks,
    master_key::SealingKey,
    secrets,
};

/// The keys of an unlocked store.
#[derive(Clone)]
pub struct Keyring {
    master: MasterKey,
    opened: Arc<Mutex<HashMap<(TenantKey, i64), SealingKey>>>,
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keyring(..)")
    }
}

impl Store {
    /// The id that this database was made with; it salts a passphrase.
    ///
    /// # Errors
    /// [`StoreError`] when the file cannot be read.
    pub async fn installation(&self) -> Result<[u8; 16], StoreError> {
        self.read("read the installation", installation).await
    }

    /// Whether secrets were sealed here before, so that a new key would not open them.
    ///
    /// # Errors
    /// [`StoreError`] when the file cannot be read.
    pub async fn has_key(&self) -> Result<bool, StoreError> {
        self.read("read the installation", |connection| {
            Ok(connection.query_row("SELECT key_check IS NOT NULL FROM installation", [], |row| row.get(0))?)
        })
        .await
    }

    /// Proves the key; the first one that is ever given becomes this database's.
    ///
    /// # Errors
    /// [`StoreErrorKind::Key`] when it is not the one that sealed the secrets here.
    pub async fn unlock(&self, master: MasterKey) -> Result<Keyring, StoreError> {
        let key = master.clone();
        let is_proved = self.look("unlock the secrets", |connection| proves(connection, &key)).await?;
        if !is_proved {
            self.write("unlock the secrets", move |connection| match proves(connection, &key)? {
                true => Ok(()),
                false => set_check(connection, &key, &check_place(connection)?),
            })
            .await?;
        }
        Ok(Keyring { master, opened: Arc::default() })
    }

    /// Wraps every data key anew with another key-encryption key; from then on only that one opens the secrets.
    ///
    /// # Errors
    /// [`StoreError`]; the old key then still holds.
    pub async fn rotate_master_key(&self, keyring: &Keyring, new: MasterKey) -> Result<Keyring, StoreError> {
        let (old, key) = (keyring.master.clone(), new.clone());
        let (actor, now) = (self.actor(), self.now());
        self.write("rotate the key of the secrets", move |connection| {
            act(connection, &actor, &deed(Scope::Every, "key.rotate", "key", json!({})), now)?;
            let mut statement = connection.prepare("SELECT tenant_id, version, wrapped FROM data_keys")?;
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
            let rows: Vec<(TenantKey, i64, Vec<u8>)> = rows.collect::<Result<_, _>>()?;
            for (tenant, version, wrapped) in rows {
                let place = place(tenant, version);
                let data_key = unwrapped(&old, &wrapped, &place)?;
                let sql = "UPDATE data_keys SET wrapped = ?3 WHERE tenant_id = ?1 AND version = ?2";
                connection.prepare_cached(sql)?.execute(params![tenant, version, key.0.wrap(&data_key, &place)])?;
            }
            set_check(connection, &key, &check_place(connection)?)
        })
        .await?;
        Ok(Keyring { master: new, opened: Arc::default() })
    }

    /// Gives each tenant of the scope a new data key, and seals its secrets anew with it; the old keys go.
    ///
    /// # Errors
    /// [`StoreError`]; the tenants before it are done, and each is done whole or not at all.
    pub async fn rotate_data_keys(&self, keyring: &Keyring, scope: Scope) -> Result<u64, StoreError> {
        let mut sealed = 0;
        for tenant in self.tenants(scope).await? {
            let (keyring, actor, now) = (keyring.clone(), self.actor(), self.now());
            sealed += self
                .write(&format!("seal the secrets of {} anew", tenant.name), move |connection| {
                    let count = keyring.rotate(connection, tenant.key, now)?;
                    let (scope, detail) = (Scope::Tenant(tenant.key), json!({ "secrets": count }));
                    act(connection, &actor, &deed(scope, "key.rotate-data", &tenant.name, detail), now)?;
                    Ok(count)
                })
                .await?;
        }
        Ok(sealed)
    }
}

/// A change of a key, for the audit log.
pub(crate) fn deed(scope: Scope, action: &'static str, object: &str, detail: Value) -> Deed {
    Deed { permission: Permission::ManageKeys, scope, action, object: object.to_owned(), detail }
}

impl Keyring {
    /// The key that seals for this tenant now; made where there is none.
    pub(crate) fn sealing(
        &self,
        connection: &Connection,
        tenant: TenantKey,
        now: Timestamp,
    ) -> Result<(i64, SealingKey), StoreErrorKind> {
        match newest(connection, tenant)? {
            Some(version) => Ok((version, self.opening(connection, tenant, version)?)),
            None => self.add(connection, tenant, 1, now),
        }
    }

    /// The key that sealed with this version.
    pub(crate) fn opening(
        &self,
        connection: &Connection,
        tenant: TenantKey,
        version: i64,
    ) -> Result<SealingKey, StoreErrorKind> {
        if let Some(key) = self.opened.lock().expect("no code panics while it holds this lock").get(&(tenant, version))
        {
            return Ok(key.clone());
        }
        let sql = "SELECT wrapped FROM data_keys WHERE tenant_id = ?1 AND version = ?2";
        let wrapped: Option<Vec<u8>> =
            connection.prepare_cached(sql)?.query_row(params![tenant, version], |row| row.get(0)).optional()?;
        let key = unwrapped(&self.master, &wrapped.ok_or(KeyProblem::Missing)?, &place(tenant, version))?;
        self.opened.lock().expect("no code panics while it holds this lock").insert((tenant, version), key.clone());
        Ok(key)
    }

    /// Not kept among the opened ones: the transaction may still fail.
    fn add(
        &self,
        connection: &Connection,
        tenant: TenantKey,
        version: i64,
        now: Timestamp,
    ) -> Result<(i64, SealingKey), StoreErrorKind> {
        let key = SealingKey::fresh();
        let wrapped = self.master.0.wrap(&key, &place(tenant, version));
        let sql = "INSERT INTO data_keys (tenant_id, version, wrapped, made_us) VALUES (?1, ?2, ?3, ?4)";
        connection.prepare_cached(sql)?.execute(params![tenant, version, wrapped, now.as_microsecond()])?;
        Ok((version, key))
    }

    fn rotate(&self, connection: &Connection, tenant: TenantKey, now: Timestamp) -> Result<u64, StoreErrorKind> {
        let Some(old) = newest(connection, tenant)? else { return Ok(0) };
        let (version, key) = self.add(connection, tenant, old + 1, now)?;
        let count = secrets::seal_anew(connection, self, tenant, version, &key)?
            + hooks::seal_anew(connection, self, tenant, version, &key)?;
        let sql = "DELETE FROM data_keys WHERE tenant_id = ?1 AND version < ?2";
        connection.prepare_cached(sql)?.execute(params![tenant, version])?;
        Ok(count)
    }
}

fn newest(connection: &Connection, tenant: TenantKey) -> Result<Option<i64>, StoreErrorKind> {
    let sql = "SELECT max(version) FROM data_keys WHERE tenant_id = ?1";
    Ok(connection.prepare_cached(sql)?.query_row([tenant], |row| row.get(0))?)
}

fn unwrapped(master: &MasterKey, wrapped: &[u8], place: &[u8]) -> Result<SealingKey, StoreErrorKind> {
    let bytes = master.0.open(wrapped, place).ok_or(KeyProblem::Wrong)?;
    SealingKey::of(&bytes).ok_or_else(|| KeyProblem::Wrong.into())
}

fn set_check(connection: &Connection, key: &MasterKey, place: &[u8]) -> Result<(), StoreErrorKind> {
    connection.execute("UPDATE installation SET key_check = ?1", [key.0.seal(b"sortie", place)])?;
    Ok(())
}

fn installation(connection: &Connection) -> Result<[u8; 16], StoreErrorKind> {
    Ok(connection.query_row("SELECT id FROM installation", [], |row| row.get(0))?)
}

/// Whether it is the key of this database; false where none has been given yet.
fn proves(connection: &Connection, key: &MasterKey) -> Result<bool, StoreErrorKind> {
    let check: Option<Vec<u8>> = connection.query_row("SELECT key_check FROM installation", [], |row| row.get(0))?;
    match check {
        Some(check) if key.0.open(&check, &check_place(connection)?).is_some() => Ok(true),
        Some(_) => Err(KeyProblem::Wrong.into()),
        None => Ok(false),
    }
}

fn check_place(connection: &Connection) -> Result<Vec<u8>, StoreErrorKind> {
    Ok([b"installation/".as_slice(), &installation(connection)?].concat())
}

fn place(tenant: TenantKey, version: i64) -> Vec<u8> {
    [b"data_keys/".as_slice(), tenant.as_bytes(), &version.to_be_bytes()].concat()
}
