//! One process has the database: an exclusive lock on a file beside it, in which the holder says who it is.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::StoreErrorKind;

/// Held until dropped; the system lets it go when the process ends, however it ends.
#[derive(Debug)]
pub(crate) struct FileLock {
    _file: File,
}

impl FileLock {
    /// Takes the lock of `database` for `purpose`, such as `sortie serve`.
    pub(crate) fn take(database: &Path, purpose: &str) -> Result<Self, StoreErrorKind> {
        let path = beside(database);
        let failed = |source: std::io::Error| StoreErrorKind::File {
            path: path.display().to_string(),
            source: Arc::new(source),
        };
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // What the holder wrote is a help, not a need.
                let _ = (&mut file).take(HOLDER_BYTES_MAX).read_to_string(&mut holder);
                let holder =
                    holder.lines().next().filter(|line| !line.is_empty()).unwrap_or("another process").to_owned();
                return Err(StoreErrorKind::Held { path: database.display().to_string(), holder });
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let line = format!("process {} (`{purpose}`)\n", std::process::id());
        file.set_len(0).and_then(|()| file.seek(SeekFrom::Start(0))).map_err(failed)?;
        file.write_all(line.as_bytes()).and_then(|()| file.flush()).map_err(failed)?;
        Ok(Self { _file: file })
    }
}

fn beside(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(".lock");
    PathBuf::from(name)
}

const HOLDER_BYTES_MAX: u64 = 512;
