//! Backup while others write, and restore where nobody does. The key is not in it: it is kept apart.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    sync::Arc,
};

use rusqlite::{Connection, OpenFlags};
use serde_json::json;
use sortie_model::Clock;

use crate::{
    Scope, Store, StoreError, StoreErrorKind, audit::act, data_keys::deed, database::make_private, file_lock::FileLock,
    schema,
};

impl Store {
    /// Writes one consistent state into a new file, whole on the disk when this returns.
    ///
    /// # Errors
    /// [`StoreErrorKind::Exists`] when the file is there; a failed backup leaves none.
    pub async fn backup(&self, to: &Path) -> Result<(), StoreError> {
        // Before the copy: one that no entry tells of would be worse than an entry without a copy.
        self.announce_backup(&to.display().to_string()).await?;
        self.copy_to(to).await
    }

    /// Writes into the audit log that somebody makes a copy, so that another process may make it.
    ///
    /// # Errors
    /// [`StoreErrorKind::Forbidden`] to whom it is not granted.
    pub async fn announce_backup(&self, to: &str) -> Result<(), StoreError> {
        let (actor, now, object) = (self.actor(), self.now(), to.to_owned());
        self.write(&format!("back up into {to}"), move |writing| {
            act(writing, &actor, &deed(Scope::Every, "database.backup", &object, json!({})), now)
        })
        .await
    }

    /// The copy itself, which has to be announced before; also of a database that another process has.
    ///
    /// # Errors
    /// [`StoreError`] when the copy cannot be made or is not whole.
    pub async fn copy_to(&self, to: &Path) -> Result<(), StoreError> {
        let (from, to) = (self.path().to_owned(), to.to_owned());
        let doing = format!("back up into {}", to.display());
        let task = tokio::task::spawn_blocking(move || copy(&from, &to));
        task.await.unwrap_or(Err(StoreErrorKind::Abandoned)).map_err(|kind| StoreError::new(doing, kind))
    }

    /// Puts a backup in the place of a database that no process has open. Blocks.
    ///
    /// # Errors
    /// [`StoreError`]: held, damaged, not ours, or newer; what was there then stays.
    pub fn restore(backup: &Path, path: &Path, clock: &dyn Clock) -> Result<(), StoreError> {
        let put = || -> Result<(), StoreErrorKind> {
            let _lock = FileLock::take(path, "sortie restore")?;
            let fresh = with_ending(path, ".restoring");
            let outcome = (|| {
                fs::copy(backup, &fresh).map_err(|error| file(backup, error))?;
                check(&fresh, clock)?;
                sync(&fresh)?;
                // The log of the old file would be played into the new one.
                for ending in ["-wal", "-shm"] {
                    remove(&with_ending(path, ending))?;
                }
                fs::rename(&fresh, path).map_err(|error| file(path, error))?;
                sync_folder(path)
            })();
            if outcome.is_err() {
                let _ = fs::remove_file(&fresh);
            }
            outcome
        };
        put().map_err(|kind| StoreError::new(format!("restore {}", backup.display()), kind))
    }
}

fn copy(from: &Path, to: &Path) -> Result<(), StoreErrorKind> {
    if to.exists() {
        return Err(StoreErrorKind::Exists(to.display().to_string()));
    }
    let fresh = with_ending(to, ".writing");
    remove(&fresh)?;
    let outcome = (|| {
        // A private file first: `VACUUM INTO` would make one that others can read.
        make_private(&fresh)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(from, flags)?;
        // One reading transaction: others go on writing, and the copy has what was committed before it.
        connection.execute("VACUUM INTO ?1", [fresh.to_string_lossy()])?;
        sync(&fresh)?;
        fs::rename(&fresh, to).map_err(|error| file(to, error))?;
        sync_folder(to)
    })();
    if outcome.is_err() {
        let _ = fs::remove_file(&fresh);
    }
    outcome
}

fn check(path: &Path, clock: &dyn Clock) -> Result<(), StoreErrorKind> {
    let shown = path.display().to_string();
    let mut connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let is_empty: bool = connection.query_row("SELECT count(*) = 0 FROM sqlite_schema", [], |row| row.get(0))?;
    if is_empty {
        return Err(StoreErrorKind::NotOurs(shown));
    }
    let verdict: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if verdict != "ok" {
        return Err(StoreErrorKind::Damaged(verdict));
    }
    schema::open(&mut connection, &shown, clock.now())?;
    connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")?;
    connection.close().map_err(|(_, error)| error)?;
    for ending in ["-wal", "-shm"] {
        remove(&with_ending(path, ending))?;
    }
    Ok(())
}

fn sync(path: &Path) -> Result<(), StoreErrorKind> {
    File::options()
        .read(true)
        .write(true)
        .open(path)
        .and_then(|file| file.sync_all())
        .map_err(|error| file(path, error))
}

fn sync_folder(path: &Path) -> Result<(), StoreErrorKind> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|file| file.sync_all()).map_err(|error| file(folder, error))
}

fn remove(path: &Path) -> Result<(), StoreErrorKind> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(file(path, error)),
        _ => Ok(()),
    }
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

fn file(path: &Path, error: std::io::Error) -> StoreErrorKind {
    match error.kind() {
        std::io::ErrorKind::StorageFull => StoreErrorKind::DiskFull,
        _ => StoreErrorKind::File { path: path.display().to_string(), source: Arc::new(error) },
    }
}
