//! Named values with an end and compare-and-set: what workflows remember between runs.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};

use crate::{
    Scope, Store, StoreError, StoreErrorKind,
    database::instant,
    feed::{ChangeKind, note},
};

/// A value that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// JSON text.
    pub value: String,
    /// Goes up with each change, and never down, not even when the value goes and comes again within its lifetime.
    pub version: i64,
    /// When it ends.
    pub expires: Option<Timestamp>,
}

impl Store {
    /// The value, unless it has ended.
    ///
    /// # Errors
    /// [`StoreErrorKind::NeedsTenant`] without a tenant.
    pub async fn value(&self, scope: Scope, name: &str) -> Result<Option<Kept>, StoreError> {
        let (name, now) = (name.to_owned(), self.now());
        self.read(&format!("read value {name}"), move |connection| {
            let sql = "SELECT value, version, expires_us FROM kept_values
                       WHERE tenant_id = ?1 AND name = ?2 AND (expires_us IS NULL OR expires_us > ?3)";
            let row = params![scope.owner()?, name, now.as_microsecond()];
            Ok(connection.prepare_cached(sql)?.query_row(row, read).optional()?)
        })
        .await
    }

    /// Keeps a value. With `expected` only if it stands at that version; 0 means that there is none.
    ///
    /// # Errors
    /// [`StoreErrorKind::Stale`] when it stands at another version, [`StoreErrorKind::TooLarge`] beyond 1 MB.
    pub async fn set_value(
        &self,
        scope: Scope,
        name: &str,
        value: String,
        expires: Option<Timestamp>,
        expected: Option<i64>,
    ) -> Result<i64, StoreError> {
        let (name, now) = (name.to_owned(), self.now());
        self.write_statement(&format!("keep value {name}"), move |connection| {
            let bytes = value.len() as u64;
            if bytes > VALUE_BYTES_MAX {
                return Err(StoreErrorKind::TooLarge {
                    what: format!("value {name}"),
                    bytes,
                    bytes_max: VALUE_BYTES_MAX,
                });
            }
            let tenant = scope.owner()?;
            let sql = "SELECT version, expires_us FROM kept_values WHERE tenant_id = ?1 AND name = ?2";
            let found: Option<(i64, Option<i64>)> = connection
                .prepare_cached(sql)?
                .query_row(params![tenant, name], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()?;
            let last = found.map_or(0, |(version, _)| version);
            let has_ended = |end: Option<i64>| end.is_some_and(|end| end <= now.as_microsecond());
            let present = found.filter(|(_, end)| !has_ended(*end)).map_or(0, |(version, _)| version);
            if expected.is_some_and(|expected| expected != present) {
                return Err(StoreErrorKind::Stale(format!("value {name}")));
            }
            let sql =
                "INSERT INTO kept_values (tenant_id, name, value, version, expires_us) VALUES (?1, ?2, ?3, ?4, ?5)
                       ON CONFLICT (tenant_id, name) DO UPDATE SET value = ?3, version = ?4, expires_us = ?5";
            let row = params![tenant, name, value, last + 1, expires.map(Timestamp::as_microsecond)];
            connection.prepare_cached(sql)?.execute(row)?;
            note(connection, tenant, ChangeKind::Value, &name, now);
            Ok(last + 1)
        })
        .await
    }

    /// Forgets a value; says whether there was one.
    ///
    /// # Errors
    /// [`StoreError`] when the row cannot be written.
    pub async fn remove_value(&self, scope: Scope, name: &str) -> Result<bool, StoreError> {
        let (name, now) = (name.to_owned(), self.now());
        self.write_statement(&format!("forget value {name}"), move |connection| {
            let tenant = scope.owner()?;
            let sql = "DELETE FROM kept_values WHERE tenant_id = ?1 AND name = ?2";
            let gone = connection.prepare_cached(sql)?.execute(params![tenant, name])? > 0;
            if gone {
                note(connection, tenant, ChangeKind::Value, &name, now);
            }
            Ok(gone)
        })
        .await
    }

    /// The names that begin so and come after `after`, in order, at most `count`.
    ///
    /// # Errors
    /// [`StoreErrorKind::NeedsTenant`] without a tenant.
    pub async fn value_names(
        &self,
        scope: Scope,
        prefix: &str,
        after: &str,
        count: u32,
    ) -> Result<Vec<String>, StoreError> {
        let (prefix, after, now) = (prefix.to_owned(), after.to_owned(), self.now());
        self.read("list values", move |connection| {
            let sql = "SELECT name FROM kept_values
                       WHERE tenant_id = ?1 AND name > ?2 AND substr(name, 1, length(?3)) = ?3
                           AND (expires_us IS NULL OR expires_us > ?4) ORDER BY name LIMIT ?5";
            let mut statement = connection.prepare_cached(sql)?;
            let row = params![scope.owner()?, after, prefix, now.as_microsecond(), count];
            let names = statement.query_map(row, |row| row.get(0))?;
            Ok(names.collect::<Result<_, _>>()?)
        })
        .await
    }
}

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Kept> {
    let expires: Option<i64> = row.get(2)?;
    Ok(Kept { value: row.get(0)?, version: row.get(1)?, expires: expires.map(instant) })
}

const VALUE_BYTES_MAX: u64 = 1 << 20;
