//! The file's form: how it is made, how an older one is brought forward, and how a foreign or newer one is refused.

use jiff::Timestamp;
use rusqlite::{Connection, Transaction, TransactionBehavior, params};
use uuid::Uuid;

use crate::{StoreErrorKind, scope::TenantKey};

/// Brings the file to the present form. A newer or foreign file is left as it is.
pub(crate) fn open(connection: &mut Connection, path: &str, now: Timestamp) -> Result<(), StoreErrorKind> {
    let (application, found, known) = form(connection)?;
    let is_empty: bool = connection.query_row("SELECT count(*) = 0 FROM sqlite_schema", [], |row| row.get(0))?;
    match (application, is_empty) {
        (APPLICATION_ID, _) if found > known => return Err(StoreErrorKind::Newer { found, known }),
        (APPLICATION_ID, _) | (0, true) => {}
        _ => return Err(StoreErrorKind::NotOurs(path.to_owned())),
    }
    if is_empty {
        // Only an empty file takes it, and only so does retention give space back to the disk.
        connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    }
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // What was deleted is overwritten, so that nothing of it can be read from the file.
    connection.pragma_update(None, "secure_delete", true)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    // Pages that many runs write are written once for all of them; the log stays below some 16 MB.
    connection.pragma_update(None, "wal_autocheckpoint", 4_000)?;
    // KiB, where there is as much to keep.
    connection.pragma_update(None, "cache_size", -16_000)?;
    let from = usize::try_from(found).unwrap_or(0);
    for (at, migration) in MIGRATIONS.iter().enumerate().skip(from) {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(migration)?;
        if at == 0 {
            begin(&transaction, now)?;
        }
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", at + 1)?;
        transaction.commit()?;
    }
    connection.set_prepared_statement_cache_capacity(128);
    Ok(())
}

/// Whether a database that another process has is in the form that this version reads; false where an older version has it.
pub(crate) fn is_todays(connection: &Connection, path: &str) -> Result<bool, StoreErrorKind> {
    match form(connection)? {
        (APPLICATION_ID, found, known) if found > known => Err(StoreErrorKind::Newer { found, known }),
        (APPLICATION_ID, found, known) => Ok(found == known),
        _ => Err(StoreErrorKind::NotOurs(path.to_owned())),
    }
}

/// Whose the file is, the number of its form, and the last one that is known.
fn form(connection: &Connection) -> Result<(i64, i64, i64), StoreErrorKind> {
    let number = |pragma: &str| -> Result<i64, StoreErrorKind> {
        Ok(connection.pragma_query_value(None, pragma, |row| row.get(0))?)
    };
    let known = i64::try_from(MIGRATIONS.len()).expect("there are few migrations");
    Ok((number("application_id")?, number("user_version")?, known))
}

/// What a reading connection needs.
pub(crate) fn prepare_reader(connection: &Connection) -> Result<(), StoreErrorKind> {
    connection.pragma_update(None, "query_only", true)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(())
}

fn begin(transaction: &Transaction<'_>, now: Timestamp) -> Result<(), StoreErrorKind> {
    transaction.execute(
        "INSERT INTO installation (one, id, made_us) VALUES (1, ?1, ?2)",
        params![Uuid::now_v7().as_bytes(), now.as_microsecond()],
    )?;
    transaction.execute(
        "INSERT INTO tenants (tenant_id, name, cloud, made_us) VALUES (?1, 'shared', 'none', ?2)",
        params![TenantKey::SHARED, now.as_microsecond()],
    )?;
    Ok(())
}

/// Only forward, and none is ever changed after a release.
const MIGRATIONS: &[&str] = &[
    include_str!("schema/0001.sql"),
    include_str!("schema/0002.sql"),
    include_str!("schema/0003.sql"),
    include_str!("schema/0004.sql"),
    include_str!("schema/0005.sql"),
    include_str!("schema/0006.sql"),
    include_str!("schema/0007.sql"),
];
/// `SRT1`
const APPLICATION_ID: i64 = 0x5352_5431;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_left_in_an_older_file_is_there_after_the_move() {
        let mut older = Connection::open_in_memory().unwrap();
        for migration in &MIGRATIONS[..6] {
            older.execute_batch(migration).unwrap();
        }
        older
            .execute_batch(
                "INSERT INTO tenants (tenant_id, name, cloud, made_us) VALUES (x'01', 'one', 'none', 0);
                 INSERT INTO runs (tenant_id, run_id, home_id, workflow_id, version, status, handled, mode, start_key, cause,
                                   started_by, depth, made_us, wake_us, epoch, seq)
                     VALUES (x'01', x'02', x'01', 'triage', '1', 'queued', 0, 'live', 'a', 'webhook', 'webhook', 0, 1, 1, 0, 0);
                 INSERT INTO run_values VALUES (x'01', x'02', '', '{}', NULL), (x'01', x'02', '0', NULL, x'07');
                 INSERT INTO journal VALUES (x'01', x'02', 1, 5, '[]');
                 PRAGMA user_version = 6",
            )
            .unwrap();
        older.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
        open(&mut older, "older.db", Timestamp::UNIX_EPOCH).unwrap();
        let all = |sql: &str| -> Vec<String> {
            let mut statement = older.prepare(sql).unwrap();
            statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
        };
        assert_eq!(
            all("SELECT place || '=' || coalesce(value, hex(hash)) FROM run_values ORDER BY place"),
            ["={}", "0=07"]
        );
        assert_eq!(all("SELECT seq || ' ' || at_us || ' ' || entries FROM journal"), ["1 5 []"]);
        assert_eq!(all("SELECT name FROM sqlite_schema WHERE name LIKE 'former%'"), [""; 0]);
    }
}
