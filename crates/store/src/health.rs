//! How the file is, for whoever looks for a fault: numbers and words, and nothing of what people wrote.

use jiff::Timestamp;
use rusqlite::Connection;

use crate::{Store, StoreError, StoreErrorKind, database::instant};

/// How the file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// The form of its tables.
    pub form: i64,
    /// Of SQLite.
    pub sqlite: String,
    /// The file without its log.
    pub bytes: u64,
    /// What SQLite finds wrong with it, a sentence each; absent where the file is too large to be read through meanwhile.
    pub faults: Option<Vec<String>>,
    /// Rows by table.
    pub rows: Vec<(&'static str, u64)>,
    /// Runs by how they go and how they ended.
    pub runs: Vec<(String, Option<String>, u64)>,
    /// The latest entries of the audit log, without who and what about.
    pub deeds: Vec<(Timestamp, String)>,
}

impl Store {
    /// Looks through the file.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read at all.
    pub async fn health(&self) -> Result<Health, StoreError> {
        self.read("look through the database", look).await
    }
}

fn look(sqlite: &Connection) -> Result<Health, StoreErrorKind> {
    let number = |sql: &str| -> Result<u64, StoreErrorKind> {
        let found: i64 = sqlite.query_row(sql, [], |row| row.get(0))?;
        Ok(u64::try_from(found).unwrap_or(0))
    };
    let bytes = number("PRAGMA page_count")? * number("PRAGMA page_size")?;
    let mut rows = Vec::with_capacity(TABLES.len());
    for table in TABLES {
        rows.push((*table, number(&format!("SELECT count(*) FROM {table}"))?));
    }
    let mut runs = sqlite.prepare("SELECT status, outcome, count(*) FROM runs GROUP BY 1, 2 ORDER BY 1, 2")?;
    let runs = runs.query_map([], |row| {
        let count: i64 = row.get(2)?;
        Ok((row.get(0)?, row.get(1)?, u64::try_from(count).unwrap_or(0)))
    })?;
    let mut deeds = sqlite.prepare("SELECT at_us, action FROM audit ORDER BY seq DESC LIMIT ?1")?;
    let deeds = deeds.query_map([DEEDS_LEN], |row| Ok((instant(row.get(0)?), row.get(1)?)))?;
    Ok(Health {
        form: sqlite.pragma_query_value(None, "user_version", |row| row.get(0))?,
        sqlite: rusqlite::version().to_owned(),
        bytes,
        faults: if bytes > CHECKED_BYTES_MAX { None } else { Some(faults(sqlite)?) },
        rows,
        runs: runs.collect::<Result<_, _>>()?,
        deeds: deeds.collect::<Result<_, _>>()?,
    })
}

fn faults(sqlite: &Connection) -> Result<Vec<String>, StoreErrorKind> {
    let mut check = sqlite.prepare(&format!("PRAGMA quick_check({FAULTS_MAX})"))?;
    let said: Vec<String> = check.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(if said == ["ok"] { Vec::new() } else { said })
}

const TABLES: &[&str] = &[
    "tenants",
    "connectors",
    "connector_versions",
    "connections",
    "secrets",
    "workflows",
    "workflow_versions",
    "runs",
    "run_values",
    "journal",
    "intents",
    "signals",
    "approvals",
    "blobs",
    "blob_chunks",
    "kept_values",
    "principals",
    "tokens",
    "hook_secrets",
    "audit",
    "changes",
    "nodes",
    "leases",
];
/// SQLite reads some hundred megabytes in a second.
const CHECKED_BYTES_MAX: u64 = 2 << 30;
const FAULTS_MAX: u32 = 20;
const DEEDS_LEN: u32 = 100;
