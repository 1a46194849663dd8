//! Connections that only read, beside the one that writes.

use std::{
    path::Path,
    sync::{Arc, Mutex},
};

use rusqlite::{Connection, OpenFlags};
use tokio::sync::Semaphore;

use crate::{StoreError, StoreErrorKind, schema};

/// A few reading connections; more callers than that wait.
#[derive(Clone, Debug)]
pub(crate) struct Readers {
    idle: Arc<Mutex<Vec<Connection>>>,
    free: Arc<Semaphore>,
}

impl Readers {
    /// Opens them all, so that a fault shows at start.
    pub(crate) fn open(path: &Path) -> Result<Self, StoreErrorKind> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut idle = Vec::with_capacity(READER_COUNT);
        for _ in 0..READER_COUNT {
            let connection = Connection::open_with_flags(path, flags)?;
            schema::prepare_reader(&connection)?;
            idle.push(connection);
        }
        Ok(Self { idle: Arc::new(Mutex::new(idle)), free: Arc::new(Semaphore::new(READER_COUNT)) })
    }

    /// Runs `look` right here: for what reads a few rows by their keys, which takes less time than waking another thread.
    pub(crate) async fn look<T>(
        &self,
        doing: &str,
        look: impl FnOnce(&Connection) -> Result<T, StoreErrorKind> + Send,
    ) -> Result<T, StoreError> {
        let failed = |kind| StoreError::new(doing, kind);
        let _permit = self.free.acquire().await.map_err(|_| failed(StoreErrorKind::Closed))?;
        self.lent(look).map_err(failed)
    }

    /// Runs `read` on a thread that may block, over one consistent state of the data.
    pub(crate) async fn read<T, F>(&self, doing: &str, read: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, StoreErrorKind> + Send + 'static,
    {
        let failed = |kind| StoreError::new(doing, kind);
        let permit = Arc::clone(&self.free).acquire_owned().await.map_err(|_| failed(StoreErrorKind::Closed))?;
        let readers = self.clone();
        let task = tokio::task::spawn_blocking(move || {
            let outcome = readers.lent(read);
            drop(permit);
            outcome
        });
        task.await.map_err(|_| failed(StoreErrorKind::Abandoned))?.map_err(failed)
    }

    /// With one of the connections, for whoever has a permit.
    pub(crate) fn lent<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreErrorKind>,
    ) -> Result<T, StoreErrorKind> {
        let taken = self.idle.lock().expect("no code panics while it holds this lock").pop();
        let connection = taken.expect("there are as many connections as permits");
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| in_one_state(&connection, read)));
        self.idle.lock().expect("no code panics while it holds this lock").push(connection);
        outcome.unwrap_or(Err(StoreErrorKind::Abandoned))
    }
}

fn in_one_state<T>(
    connection: &Connection,
    read: impl FnOnce(&Connection) -> Result<T, StoreErrorKind>,
) -> Result<T, StoreErrorKind> {
    let transaction = connection.unchecked_transaction()?;
    read(&transaction)
}

const READER_COUNT: usize = 4;
