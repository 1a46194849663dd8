//! One thread that writes: what has queued goes into one transaction, and each writer hears when it is on the disk.
//!
//! No timer lingers for company: while one group is being forced to disk the next one gathers. A write that fails is rolled
//! back alone, by its savepoint; a commit that fails, fails all of its group.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Mutex,
    thread::JoinHandle,
};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use crate::{StoreError, StoreErrorKind};

/// The way to the writing thread.
#[derive(Debug)]
pub(crate) struct Writer {
    queue: Mutex<Option<mpsc::Sender<Job>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// Runs one write, or hears why it can't run; says whether it failed, and how to tell its caller.
type Job = Box<dyn FnOnce(Result<&Connection, StoreErrorKind>) -> Ended + Send>;

struct Ended {
    failure: Option<StoreErrorKind>,
    tell: Tell,
}

type Tell = Box<dyn FnOnce(Result<(), StoreErrorKind>) + Send>;

impl Writer {
    /// Takes the one connection that writes.
    pub(crate) fn start(connection: Connection) -> std::io::Result<Self> {
        let (queue, jobs) = mpsc::channel(QUEUE_LEN);
        let thread =
            std::thread::Builder::new().name("store-writer".to_owned()).spawn(move || serve(&connection, jobs))?;
        Ok(Self { queue: Mutex::new(Some(queue)), thread: Mutex::new(Some(thread)) })
    }

    /// Durable when it returns. Cancelling the wait does not undo the write.
    pub(crate) async fn write<T, F>(&self, doing: &str, write: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, StoreErrorKind> + Send + 'static,
    {
        let failed = |kind| StoreError::new(doing, kind);
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |given| {
            let written = given.and_then(write);
            let failure = written.as_ref().err().cloned();
            let tell: Tell = Box::new(move |committed| {
                // Nobody waits any more where the caller was cancelled.
                let _ = reply.send(committed.and(written));
            });
            Ended { failure, tell }
        });
        let queue = self.queue.lock().expect("no code panics while it holds this lock").clone();
        let queue = queue.ok_or_else(|| failed(StoreErrorKind::Closed))?;
        queue.send(job).await.map_err(|_| failed(StoreErrorKind::Closed))?;
        answer.await.map_err(|_| failed(StoreErrorKind::Abandoned))?.map_err(failed)
    }

    /// Writes what has queued, and ends the thread.
    pub(crate) fn close(&self) {
        drop(self.queue.lock().expect("no code panics while it holds this lock").take());
        let thread = self.thread.lock().expect("no code panics while it holds this lock").take();
        if let Some(thread) = thread {
            // A panic of the thread was told to whoever waited for it.
            let _ = thread.join();
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.close();
    }
}

fn serve(connection: &Connection, mut jobs: mpsc::Receiver<Job>) {
    let mut group = Vec::with_capacity(GROUP_LEN_MAX);
    while let Some(first) = jobs.blocking_recv() {
        group.push(first);
        while group.len() < GROUP_LEN_MAX {
            match jobs.try_recv() {
                Ok(job) => group.push(job),
                Err(_) => break,
            }
        }
        commit(connection, &mut group);
    }
    // What is in the log goes into the file, so that a copy of the file alone is whole. A reader may hold it up.
    let _ = connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
}

fn commit(connection: &Connection, group: &mut Vec<Job>) {
    let mut tells = Vec::with_capacity(group.len());
    let mut outcome = run(connection, "BEGIN IMMEDIATE");
    for job in group.drain(..) {
        let ended = match &outcome {
            Ok(()) => saved(job, connection),
            Err(kind) => Some(job(Err(kind.clone()))),
        };
        if outcome.is_ok() && connection.is_autocommit() {
            // SQLite gave the whole transaction up, as it may when the disk is full: whoever is in it has failed.
            let cause = ended.as_ref().and_then(|ended| ended.failure.clone());
            outcome = Err(cause.unwrap_or(StoreErrorKind::Abandoned));
        }
        tells.extend(ended.map(|ended| ended.tell));
    }
    if outcome.is_ok() {
        outcome = run(connection, "COMMIT");
    }
    if outcome.is_err() && !connection.is_autocommit() {
        let _ = run(connection, "ROLLBACK");
    }
    for tell in tells {
        tell(outcome.clone());
    }
}

/// One write among others: a failure takes back its own work alone.
fn saved(job: Job, connection: &Connection) -> Option<Ended> {
    if let Err(kind) = run(connection, "SAVEPOINT job") {
        return Some(job(Err(kind)));
    }
    let ended = attempt(job, connection);
    if ended.as_ref().is_none_or(|ended| ended.failure.is_some()) {
        // Where the transaction is gone there is nothing to roll back to; the caller sees that.
        let _ = run(connection, "ROLLBACK TO job");
    }
    let _ = run(connection, "RELEASE job");
    ended
}

/// `None` after a panic: its caller hears that the write was abandoned.
fn attempt(job: Job, connection: &Connection) -> Option<Ended> {
    catch_unwind(AssertUnwindSafe(|| job(Ok(connection)))).ok()
}

fn run(connection: &Connection, sql: &str) -> Result<(), StoreErrorKind> {
    connection.prepare_cached(sql)?.execute([])?;
    Ok(())
}

/// Beyond it, callers wait before they may even queue.
const QUEUE_LEN: usize = 1_024;
/// One group; more makes no commit cheaper, and the first of the group waits for the last.
const GROUP_LEN_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_full_disk_fails_its_group_and_leaves_exactly_what_was_acknowledged() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("small.db");
        let connection = Connection::open(&path).unwrap();
        connection.pragma_update(None, "journal_mode", "WAL").unwrap();
        connection.execute_batch("CREATE TABLE t (at INTEGER PRIMARY KEY, content BLOB)").unwrap();
        connection.pragma_update_and_check(None, "max_page_count", 100, |_| Ok(())).unwrap();
        let writer = Arc::new(Writer::start(connection).unwrap());
        let write = |at: i64, bytes: usize| {
            let writer = Arc::clone(&writer);
            async move {
                let insert = move |connection: &Connection| {
                    connection.execute("INSERT INTO t VALUES (?1, ?2)", (at, vec![7_u8; bytes]))?;
                    Ok(at)
                };
                writer.write("fill the disk", insert).await
            }
        };
        let mut kept = vec![write(0, 10).await.unwrap()];
        // Large and small ones beside each other: more than there is room for.
        let writes = (1..61).map(|at| tokio::spawn(write(at, if at % 3 == 0 { 30_000 } else { 10 })));
        let mut full = 0;
        for write in writes.collect::<Vec<_>>() {
            match write.await.unwrap() {
                Ok(at) => kept.push(at),
                Err(error) => {
                    assert!(matches!(error.kind, StoreErrorKind::DiskFull), "{error:?}");
                    full += 1;
                }
            }
        }
        kept.push(write(61, 10).await.expect("a small one still fits"));
        writer.close();
        assert!(full > 0);
        let connection = Connection::open(&path).unwrap();
        let mut statement = connection.prepare("SELECT at FROM t ORDER BY at").unwrap();
        let found: Vec<i64> = statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        kept.sort();
        assert_eq!(found, kept, "what was acknowledged is there, and nothing else");
    }
}
