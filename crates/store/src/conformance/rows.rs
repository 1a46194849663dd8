//! Rows as they lie in the file, for tests of other crates: counted, taken out, put into another store, spoilt.

use std::collections::BTreeMap;

use rusqlite::{
    Connection as Sqlite, params_from_iter,
    types::{Value as Cell, ValueRef},
};
use serde_json::{Map, Value, json};

use crate::{RunId, Store, StoreErrorKind, TenantKey};

/// How many rows each table has that has any.
pub async fn row_counts(store: &Store) -> BTreeMap<String, u64> {
    let count = |sqlite: &rusqlite::Connection| {
        let mut tables = sqlite.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")?;
        let tables: Vec<String> = tables.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        let mut counts = BTreeMap::new();
        for table in tables {
            let count = sqlite.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))?;
            counts.insert(table, count);
        }
        Ok(counts)
    };
    let mut counts = store.read("count rows", count).await.unwrap();
    counts.retain(|_, count| *count > 0);
    counts
}

/// Every row of a run, by table: texts and numbers as they are, bytes as hexadecimal digits.
pub async fn dump_run(store: &Store, run: RunId) -> Value {
    let dump = move |sqlite: &Sqlite| {
        let mut tables = Map::new();
        for table in TABLES {
            let mut statement = sqlite.prepare(&format!("SELECT * FROM {table} WHERE run_id = ?1"))?;
            let names: Vec<String> = statement.column_names().into_iter().map(str::to_owned).collect();
            let mut rows = statement.query([run])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                let mut cells = Map::new();
                for (at, name) in names.iter().enumerate() {
                    cells.insert(name.clone(), shown(row.get_ref(at)?));
                }
                found.push(Value::Object(cells));
            }
            if !found.is_empty() {
                tables.insert((*table).to_owned(), found.into());
            }
        }
        Ok(Value::Object(tables))
    };
    store.read("take a run out", dump).await.unwrap()
}

/// Puts such rows into a store, as the tenant's.
pub async fn restore_run(store: &Store, tenant: TenantKey, dump: &Value) {
    let dump = dump.clone();
    let restore = move |sqlite: &crate::writer::Writing<'_>| {
        for table in TABLES {
            for row in dump[*table].as_array().into_iter().flatten() {
                let cells = row.as_object().unwrap();
                let columns: Vec<&str> = cells.keys().map(String::as_str).collect();
                let marks = vec!["?"; columns.len()].join(", ");
                let own = |(name, cell): (&String, &Value)| match name.as_str() {
                    "tenant_id" => Cell::Blob(tenant.as_bytes().to_vec()),
                    _ => read(cell),
                };
                let sql = format!("INSERT INTO {table} ({}) VALUES ({marks})", columns.join(", "));
                sqlite.execute(&sql, params_from_iter(cells.iter().map(own)))?;
            }
        }
        Ok(())
    };
    store.write("put a run in", restore).await.unwrap();
}

/// Overwrites something of a run, as damage or another version of Sortie does.
pub async fn spoil_run(store: &Store, run: RunId, sql: &'static str, text: &str) {
    let text = text.to_owned();
    let spoil = move |sqlite: &crate::writer::Writing<'_>| -> Result<usize, StoreErrorKind> {
        Ok(sqlite.execute(sql, rusqlite::params![run, text])?)
    };
    let rows = store.write("spoil a run", spoil).await.unwrap();
    assert!(rows > 0, "{sql} changes nothing");
}

/// As many runs as that, like this one but for their ids and start keys.
pub async fn copy_run(store: &Store, run: RunId, count: u32) {
    let copy = move |sqlite: &crate::writer::Writing<'_>| -> Result<(), StoreErrorKind> {
        let columns = "tenant_id, home_id, workflow_id, version, status, why, outcome, handled, mode, cause, object, \
                       started_by, depth, made_us, begun_us, ended_us, wake_us, node_id, epoch, seq, snapshot";
        let sql = format!(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?2)
             INSERT INTO runs (run_id, start_key, {columns})
             SELECT unhex(printf('%032x', i)), 'copy ' || i, {columns} FROM runs, n WHERE run_id = ?1"
        );
        sqlite.execute(&sql, rusqlite::params![run, count])?;
        Ok(())
    };
    store.write("copy a run", copy).await.unwrap();
}

/// A disk without room for one more page, until it is dropped.
#[derive(Debug)]
pub struct FullDisk(Store);

impl FullDisk {
    /// From now on.
    pub async fn under(store: &Store) -> Self {
        set_page_max(store, |sqlite| sqlite.pragma_query_value(None, "page_count", |row| row.get(0))).await;
        Self(store.clone())
    }

    /// There is room again.
    pub async fn make_room(self) {
        set_page_max(&self.0, |_| Ok(u32::MAX - 1)).await;
    }
}

async fn set_page_max(store: &Store, pages: fn(&Sqlite) -> rusqlite::Result<u32>) {
    let set = move |sqlite: &crate::writer::Writing<'_>| -> Result<(), StoreErrorKind> {
        let pages = pages(sqlite)?;
        sqlite.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))?;
        Ok(())
    };
    store.write("bound the file", set).await.unwrap();
}

/// Somebody else has the file's lock, so that nothing can be written, until it is dropped.
#[derive(Debug)]
pub struct LockedOut(Sqlite);

impl LockedOut {
    /// From now on.
    pub fn of(store: &Store) -> Self {
        let sqlite = Sqlite::open(store.path()).unwrap();
        sqlite.execute_batch("BEGIN IMMEDIATE").unwrap();
        Self(sqlite)
    }
}

impl Drop for LockedOut {
    fn drop(&mut self) {
        let _ = self.0.execute_batch("ROLLBACK");
    }
}

fn shown(cell: ValueRef<'_>) -> Value {
    match cell {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => number.into(),
        ValueRef::Real(number) => number.into(),
        ValueRef::Text(text) => String::from_utf8_lossy(text).into(),
        ValueRef::Blob(bytes) => json!({ "hex": bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>() }),
    }
}

fn read(cell: &Value) -> Cell {
    match cell {
        Value::Null => Cell::Null,
        Value::Number(number) => number.as_i64().map_or(Cell::Null, Cell::Integer),
        Value::String(text) => Cell::Text(text.clone()),
        Value::Object(bytes) => {
            let digits = bytes["hex"].as_str().unwrap();
            let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
            Cell::Blob((0..digits.len()).step_by(2).map(byte).collect())
        }
        other => panic!("{other} is no cell"),
    }
}

const TABLES: &[&str] = &["runs", "run_values", "journal", "intents", "signals", "approvals"];
