//! The secrets of connections, sealed. The sealed text is bound to where the connection may send it: after a change of
//! base, token URL, allowed hosts or destinations, by us or by an editor of the file, it does not open any more.

use jiff::Timestamp;
use rusqlite::{Connection as Sqlite, OptionalExtension, params};
use serde_json::json;
use sha2::{Digest, Sha256};
use sortie_model::Secret;

use crate::{
    ActorKind, Connection, ConnectionId, Keyring, Scope, Store, StoreError, StoreErrorKind, TenantKey,
    audit::act,
    connections,
    database::instant,
    error::KeyProblem,
    feed::{ChangeKind, note},
    master_key::SealingKey,
};

/// What is known of a secret without opening it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretInfo {
    /// Such as `client_secret`.
    pub field: String,
    /// When it was entered.
    pub entered: Timestamp,
    /// When its issuer lets it end, where that is known.
    pub expires: Option<Timestamp>,
}

impl Store {
    /// Keeps a secret of a connection, in place of the one that was there.
    ///
    /// # Errors
    /// [`StoreErrorKind::Absent`] for an unknown connection.
    pub async fn set_secret(
        &self,
        keyring: &Keyring,
        scope: Scope,
        connection: ConnectionId,
        field: &str,
        secret: &Secret,
        expires: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        let (keyring, field, secret, now) = (keyring.clone(), field.to_owned(), secret.clone(), self.now());
        let actor = self.actor();
        self.write(&format!("keep the {field}"), move |sqlite| {
            let row = connections::by_id(sqlite, scope, connection)?;
            let present = "SELECT 1 FROM secrets WHERE tenant_id = ?1 AND connection_id = ?2 AND field = ?3";
            let is_there = sqlite.prepare_cached(present)?.exists(params![row.tenant, row.id, field])?;
            let action = if is_there { "connection.rotate" } else { "connection.secret" };
            // A sign-in that Sortie renews by itself is nobody's deed, and happens every hour.
            if actor.kind != ActorKind::System {
                let detail = json!({ "field": field, "expires": expires.map(|end| end.to_string()) });
                act(sqlite, &actor, &row.deed(action, detail), now)?;
            }
            let (version, key) = keyring.sealing(sqlite, row.tenant, now)?;
            let sealed = key.seal(secret.expose().as_bytes(), &place(&row, &field));
            let sql =
                "INSERT INTO secrets (tenant_id, connection_id, field, key_version, sealed, entered_us, expires_us)
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
                       ON CONFLICT (tenant_id, connection_id, field) DO UPDATE
                       SET key_version = ?4, sealed = ?5, entered_us = ?6, expires_us = ?7";
            sqlite.prepare_cached(sql)?.execute(params![
                row.tenant,
                row.id,
                field,
                version,
                sealed,
                now.as_microsecond(),
                expires.map(Timestamp::as_microsecond)
            ])?;
            note(sqlite, row.tenant, ChangeKind::Connection, &row.id.to_string(), now);
            Ok(())
        })
        .await
    }

    /// Opens a secret; `None` where none was entered.
    ///
    /// # Errors
    /// [`StoreErrorKind::Key`] when the row or the connection's addresses were changed since it was sealed.
    pub async fn secret(
        &self,
        keyring: &Keyring,
        scope: Scope,
        connection: ConnectionId,
        field: &str,
    ) -> Result<Option<Secret>, StoreError> {
        let (keyring, field) = (keyring.clone(), field.to_owned());
        self.read(&format!("open the {field}"), move |sqlite| {
            let row = connections::by_id(sqlite, scope, connection)?;
            let sql =
                "SELECT key_version, sealed FROM secrets WHERE tenant_id = ?1 AND connection_id = ?2 AND field = ?3";
            let found: Option<(i64, Vec<u8>)> = sqlite
                .prepare_cached(sql)?
                .query_row(params![row.tenant, row.id, field], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()?;
            let Some((version, sealed)) = found else { return Ok(None) };
            let key = keyring.opening(sqlite, row.tenant, version)?;
            let text = key.open(&sealed, &place(&row, &field)).ok_or(KeyProblem::Unfitting)?;
            let text = std::str::from_utf8(&text).map_err(|_| KeyProblem::Unfitting)?;
            Ok(Some(Secret::new(text)))
        })
        .await
    }

    /// Which secrets a connection has.
    ///
    /// # Errors
    /// [`StoreErrorKind::Absent`] for an unknown connection.
    pub async fn secret_infos(&self, scope: Scope, connection: ConnectionId) -> Result<Vec<SecretInfo>, StoreError> {
        self.read("list secrets", move |sqlite| {
            let row = connections::by_id(sqlite, scope, connection)?;
            let sql = "SELECT field, entered_us, expires_us FROM secrets WHERE tenant_id = ?1 AND connection_id = ?2 ORDER BY field";
            let mut statement = sqlite.prepare_cached(sql)?;
            let infos = statement.query_map(params![row.tenant, row.id], |row| {
                let expires: Option<i64> = row.get(2)?;
                Ok(SecretInfo { field: row.get(0)?, entered: instant(row.get(1)?), expires: expires.map(instant) })
            })?;
            Ok(infos.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// Takes all secrets of a connection away; says which there were.
    ///
    /// # Errors
    /// [`StoreErrorKind::Absent`] for an unknown connection.
    pub async fn void_secrets(&self, scope: Scope, connection: ConnectionId) -> Result<Vec<String>, StoreError> {
        let (actor, now) = (self.actor(), self.now());
        self.write("take the secrets away", move |sqlite| {
            let row = connections::by_id(sqlite, scope, connection)?;
            let voided = void(sqlite, row.tenant, row.id)?;
            act(sqlite, &actor, &row.deed("connection.void", json!({ "voided": voided })), now)?;
            note(sqlite, row.tenant, ChangeKind::Connection, &row.id.to_string(), now);
            Ok(voided)
        })
        .await
    }
}

/// Takes all secrets of a connection away, within the transaction of its change.
pub(crate) fn void(
    sqlite: &Sqlite,
    tenant: TenantKey,
    connection: ConnectionId,
) -> Result<Vec<String>, StoreErrorKind> {
    let sql = "DELETE FROM secrets WHERE tenant_id = ?1 AND connection_id = ?2 RETURNING field";
    let mut statement = sqlite.prepare_cached(sql)?;
    let fields = statement.query_map(params![tenant, connection], |row| row.get(0))?;
    let mut fields: Vec<String> = fields.collect::<Result<_, _>>()?;
    fields.sort();
    Ok(fields)
}

/// Seals every secret of a tenant with another key. One that does not fit its connection any more goes: nobody can open it.
pub(crate) fn seal_anew(
    sqlite: &Sqlite,
    keyring: &Keyring,
    tenant: TenantKey,
    version: i64,
    key: &SealingKey,
) -> Result<u64, StoreErrorKind> {
    let mut statement =
        sqlite.prepare("SELECT connection_id, field, key_version, sealed FROM secrets WHERE tenant_id = ?1")?;
    let rows = statement.query_map([tenant], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
    let rows: Vec<(ConnectionId, String, i64, Vec<u8>)> = rows.collect::<Result<_, _>>()?;
    let mut count = 0;
    for (connection, field, old, sealed) in rows {
        let row = connections::by_id(sqlite, Scope::Tenant(tenant), connection)?;
        let place = place(&row, &field);
        let Some(text) = keyring.opening(sqlite, tenant, old)?.open(&sealed, &place) else {
            let sql = "DELETE FROM secrets WHERE tenant_id = ?1 AND connection_id = ?2 AND field = ?3";
            sqlite.prepare_cached(sql)?.execute(params![tenant, connection, field])?;
            continue;
        };
        let sql = "UPDATE secrets SET key_version = ?4, sealed = ?5 WHERE tenant_id = ?1 AND connection_id = ?2 AND field = ?3";
        sqlite.prepare_cached(sql)?.execute(params![tenant, connection, field, version, key.seal(&text, &place)])?;
        count += 1;
    }
    Ok(count)
}

/// Table, row, field, and where and how the connection may send it: its settings name whom it trusts. Every part has its length before it, so that none can take
/// over a piece of its neighbour.
fn place(row: &Connection, field: &str) -> Vec<u8> {
    let mut place = b"secrets/".to_vec();
    let [hosts, destinations] = [&row.allowed_hosts, &row.destinations].map(|list| list.join("\n"));
    let token_url = row.token_url.as_deref().unwrap_or_default();
    let settings = row.settings.to_string();
    let leads_to = [row.base_url.as_str(), token_url, &hosts, &destinations, &settings]
        .map(|part| Sha256::digest(part.as_bytes()));
    for part in [row.tenant.as_bytes().as_slice(), row.id.as_bytes(), field.as_bytes()] {
        place.extend(u32::try_from(part.len()).expect("names are short").to_be_bytes());
        place.extend(part);
    }
    for digest in leads_to {
        place.extend(digest.as_slice());
    }
    place
}
