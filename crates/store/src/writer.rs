//! One thread that writes: what has queued goes into one transaction, and each writer hears when it is on the disk.
//!
//! No timer lingers for company: while one group is being forced to disk the next one gathers, and whoever is ready to queue
//! when a group has nothing more to write may still join it. A write that fails is rolled back alone, by its savepoint or
//! because nothing of it was written; a commit that fails, fails all of its group.

use std::{
    cell::RefCell,
    collections::HashMap,
    ops::Deref,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering, Ordering::Relaxed},
    },
    thread::JoinHandle,
};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot, watch};

use crate::{
    Guardrails, StoreError, StoreErrorKind, TenantKey,
    feed::{self, Noted},
    runs::Fresh,
};

/// The way to the writing thread.
#[derive(Debug)]
pub(crate) struct Writer {
    queue: Mutex<Option<mpsc::Sender<Job>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// Moves with every commit that has changed something.
    changed: watch::Receiver<()>,
    counters: Arc<Counters>,
    /// What a write hears that finds no queue.
    refuses: StoreErrorKind,
}

#[derive(Debug)]
struct Counters {
    commits: AtomicU64,
    rows: AtomicU64,
    /// Commits that have changed settings, and one.
    settings: AtomicU64,
}

/// What was written since the file was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// Transactions that are on the disk.
    pub commits: u64,
    /// Rows that were added, changed or taken away by them.
    pub rows: u64,
}

/// One write on its way to the writing thread.
struct Job {
    steps: Steps,
    run: Run,
}

/// What a write that fails may leave behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Steps {
    /// Nothing: one statement that writes, whose failure SQLite takes back. It needs no savepoint.
    One,
    /// Nothing, unless the file fails: all that may refuse it is asked before its first statement that writes. A failure
    /// after that is the whole transaction's, so that it needs no savepoint.
    Checked,
    /// What its earlier statements wrote.
    Several,
}

/// Runs one write, or hears why it can't run; says whether it failed, and how to tell its caller.
type Run = Box<dyn FnOnce(Result<&Writing<'_>, StoreErrorKind>) -> Ended + Send>;

/// The transaction that a write is part of, with the changes that are noted in it.
pub(crate) struct Writing<'a> {
    connection: &'a Connection,
    noted: RefCell<Vec<Noted>>,
    rails: &'a RefCell<HashMap<TenantKey, Arc<Guardrails>>>,
    pub(crate) fresh: &'a Fresh,
}

struct Ended {
    failure: Option<StoreErrorKind>,
    tell: Tell,
}

type Tell = Box<dyn FnOnce(Result<(), StoreErrorKind>) + Send>;

impl Writer {
    /// Takes the one connection that writes.
    pub(crate) fn start(connection: Connection, fresh: Arc<Fresh>) -> std::io::Result<Self> {
        let (queue, jobs) = mpsc::channel(QUEUE_LEN);
        let (tell, changed) = watch::channel(());
        let counters = Arc::new(Counters { commits: 0.into(), rows: 0.into(), settings: 1.into() });
        let counts = Arc::clone(&counters);
        let serve = move || serve(&connection, &fresh, jobs, &tell, &counts);
        let thread = std::thread::Builder::new().name("store-writer".to_owned()).spawn(serve)?;
        let (queue, thread) = (Mutex::new(Some(queue)), Mutex::new(Some(thread)));
        Ok(Self { queue, thread, changed, counters, refuses: StoreErrorKind::Closed })
    }

    /// One that refuses: another process has the database.
    pub(crate) fn refusing(why: StoreErrorKind) -> Self {
        let (_, changed) = watch::channel(());
        let counters = Arc::new(Counters { commits: 0.into(), rows: 0.into(), settings: 1.into() });
        Self { queue: Mutex::new(None), thread: Mutex::new(None), changed, counters, refuses: why }
    }

    pub(crate) fn changed(&self) -> watch::Receiver<()> {
        self.changed.clone()
    }

    pub(crate) fn settings_edition(&self) -> u64 {
        self.counters.settings.load(Ordering::Acquire)
    }

    pub(crate) fn written(&self) -> Written {
        Written { commits: self.counters.commits.load(Relaxed), rows: self.counters.rows.load(Relaxed) }
    }

    /// Durable when it returns. Cancelling the wait does not undo the write.
    pub(crate) async fn write<T, F>(&self, doing: &str, steps: Steps, write: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Writing<'_>) -> Result<T, StoreErrorKind> + Send + 'static,
    {
        let failed = |kind| StoreError::new(doing, kind);
        let (reply, answer) = oneshot::channel();
        let run: Run = Box::new(move |given| {
            let written = given.and_then(write);
            let failure = written.as_ref().err().cloned();
            let tell: Tell = Box::new(move |committed| {
                // Nobody waits any more where the caller was cancelled.
                let _ = reply.send(committed.and(written));
            });
            Ended { failure, tell }
        });
        let queue = self.queue.lock().expect("no code panics while it holds this lock").clone();
        let queue = queue.ok_or_else(|| failed(self.refuses.clone()))?;
        queue.send(Job { steps, run }).await.map_err(|_| failed(StoreErrorKind::Closed))?;
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

impl Writing<'_> {
    pub(crate) fn note(&self, change: Noted) {
        self.noted.borrow_mut().push(change);
    }

    /// The guardrails that hold for a tenant, read once until settings are changed: nobody else writes.
    pub(crate) fn guardrails(
        &self,
        tenant: TenantKey,
        read: impl FnOnce(&Connection) -> Result<Guardrails, StoreErrorKind>,
    ) -> Result<Arc<Guardrails>, StoreErrorKind> {
        // What this transaction changes may yet be taken back.
        if self.noted.borrow().iter().any(Noted::is_of_settings) {
            return read(self.connection).map(Arc::new);
        }
        if let Some(known) = self.rails.borrow().get(&tenant) {
            return Ok(Arc::clone(known));
        }
        let rails = Arc::new(read(self.connection)?);
        self.rails.borrow_mut().insert(tenant, Arc::clone(&rails));
        Ok(rails)
    }
}

impl Deref for Writing<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.close();
    }
}

fn serve(
    connection: &Connection,
    fresh: &Fresh,
    mut jobs: mpsc::Receiver<Job>,
    changed: &watch::Sender<()>,
    counters: &Counters,
) {
    let rails = RefCell::default();
    while let Some(first) = jobs.blocking_recv() {
        let writing = Writing { connection, noted: RefCell::default(), rails: &rails, fresh };
        if commit(writing, first, &mut jobs, counters) {
            changed.send_replace(());
        }
    }
    // What is in the log goes into the file, so that a copy of the file alone is whole. A reader may hold it up.
    let _ = connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
}

/// One transaction. Whoever queues while it is being written still joins it: each caller waits for its one write, so there
/// are no more writes than callers. Whether the feed has grown.
fn commit(writing: Writing<'_>, first: Job, jobs: &mut mpsc::Receiver<Job>, counters: &Counters) -> bool {
    let connection = writing.connection;
    let before = connection.total_changes();
    let mut tells = Vec::with_capacity(GROUP_LEN_MAX);
    let mut outcome = run(connection, "BEGIN IMMEDIATE");
    let (mut next, mut left) = (Some(first), GROUP_LEN_MAX);
    while let Some(job) = next.take() {
        let (ended, stands) = match &outcome {
            Ok(()) => attempt_alone(job, &writing, left == GROUP_LEN_MAX),
            Err(kind) => (Some((job.run)(Err(kind.clone()))), Ok(())),
        };
        if outcome.is_ok() {
            outcome = stands;
        }
        tells.extend(ended.map(|ended| ended.tell));
        left -= 1;
        // Who has not begun yet does not share a failure; the next transaction takes them.
        if outcome.is_ok() && left > 0 {
            next = queued(jobs);
        }
    }
    let noted = writing.noted.take();
    if outcome.is_ok() {
        outcome = feed::append(connection, &noted).and_then(|()| run(connection, "COMMIT"));
    }
    if outcome.is_err() && !connection.is_autocommit() {
        let _ = run(connection, "ROLLBACK");
    }
    if outcome.is_ok() {
        counters.commits.fetch_add(1, Relaxed);
        counters.rows.fetch_add(connection.total_changes() - before, Relaxed);
    }
    if outcome.is_ok() && noted.iter().any(Noted::is_of_settings) {
        // Before anybody hears of it.
        writing.rails.borrow_mut().clear();
        counters.settings.fetch_add(1, Ordering::AcqRel);
    }
    for tell in tells {
        tell(outcome.clone());
    }
    outcome.is_ok() && !noted.is_empty()
}

/// The next write. Before there is none, whoever is about to queue one may do so: that costs nothing where nobody is.
fn queued(jobs: &mut mpsc::Receiver<Job>) -> Option<Job> {
    let waiting = jobs.try_recv().ok();
    waiting.or_else(|| {
        std::thread::yield_now();
        jobs.try_recv().ok()
    })
}

/// One write among others: a failure takes back its own work alone. Where that can't be, the second result is why the
/// whole transaction has failed, and with it whoever is in it. The first one needs no savepoint: all that there is to take
/// back is its own.
fn attempt_alone(job: Job, writing: &Writing<'_>, is_first: bool) -> (Option<Ended>, Result<(), StoreErrorKind>) {
    let steps = job.steps;
    if steps == Steps::Several
        && !is_first
        && let Err(kind) = run(writing, "SAVEPOINT job")
    {
        return (Some((job.run)(Err(kind.clone()))), Err(kind));
    }
    let (rows, noted) = (writing.total_changes(), writing.noted.borrow().len());
    let ended = attempt(job.run, writing);
    let failed = ended.as_ref().is_none_or(|ended| ended.failure.is_some());
    if failed {
        writing.noted.borrow_mut().truncate(noted);
    }
    if writing.is_autocommit() {
        // SQLite gave the transaction up, as it may when the disk is full.
        let cause = ended.as_ref().and_then(|ended| ended.failure.clone());
        return (ended, Err(cause.unwrap_or(StoreErrorKind::Abandoned)));
    }
    let leaves_rows = failed && writing.total_changes() != rows;
    let stands = match (steps, failed) {
        (_, false) if is_first => Ok(()),
        (Steps::Checked | Steps::Several, true) if is_first => begin_anew(writing),
        // A fault of ours: nothing can tell its rows from those of the others.
        (Steps::One, true) if leaves_rows => Err(StoreErrorKind::Abandoned),
        (Steps::Checked, true) if leaves_rows => {
            Err(ended.as_ref().and_then(|ended| ended.failure.clone()).unwrap_or(StoreErrorKind::Abandoned))
        }
        (Steps::One | Steps::Checked, _) => Ok(()),
        (Steps::Several, false) => run(writing, "RELEASE job"),
        (Steps::Several, true) => run(writing, "ROLLBACK TO job").and_then(|()| run(writing, "RELEASE job")),
    };
    (ended, stands)
}

fn begin_anew(writing: &Writing<'_>) -> Result<(), StoreErrorKind> {
    run(writing, "ROLLBACK").and_then(|()| run(writing, "BEGIN IMMEDIATE"))
}

/// `None` after a panic: its caller hears that the write was abandoned.
fn attempt(run: Run, writing: &Writing<'_>) -> Option<Ended> {
    catch_unwind(AssertUnwindSafe(|| run(Ok(writing)))).ok()
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

    use sortie_model::Clock as _;

    use super::*;
    use crate::{
        Admission, Door, EffectRequest, Feed, Scope, Store, TenantKey,
        conformance::{self, Stage},
        feed::{ChangeKind, note},
    };

    const SHARED: Scope = Scope::Tenant(TenantKey::SHARED);

    async fn set(store: &Store, name: &str) -> Result<i64, StoreErrorKind> {
        store.set_value(SHARED, name, "1".to_owned(), None, None).await.map_err(|error| error.kind)
    }

    /// A write that notes a change, writes a value, and ends as it is told.
    async fn write_then(store: &Store, steps: Steps, end: fn() -> StoreErrorKind) -> Result<(), StoreErrorKind> {
        let write = move |writing: &Writing<'_>| {
            note(writing, TenantKey::SHARED, ChangeKind::Value, "half", "2026-11-22T03:00:00Z".parse().unwrap());
            let sql = "INSERT INTO kept_values (tenant_id, name, value, version) VALUES (?1, 'half', '1', 1)";
            writing.execute(sql, [TenantKey::SHARED])?;
            Err(end())
        };
        let written = match steps {
            Steps::One => store.write_statement("fail halfway", write).await,
            Steps::Checked | Steps::Several => store.write_in(steps, "fail halfway", write).await,
        };
        written.map_err(|error| error.kind)
    }

    /// Holds the transaction that it is in open until told: those that queue meanwhile are in it too.
    async fn hold(store: &Store, until: std::sync::mpsc::Receiver<()>) -> Result<(), StoreErrorKind> {
        let wait = move |_: &Writing<'_>| {
            until.recv().unwrap();
            Ok(())
        };
        store.write("hold the transaction open", wait).await.map_err(|error| error.kind)
    }

    async fn feed(store: &Store) -> Vec<(i64, String)> {
        let Feed::Changes(changes) = store.changes(SHARED, 0, 100).await.unwrap() else { panic!("nothing was pruned") };
        changes.into_iter().map(|change| (change.seq, change.object)).collect()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_write_that_is_rolled_back_among_others_leaves_no_row_and_no_gap() {
        let folder = tempfile::tempdir().unwrap();
        let Stage { store, .. } = conformance::stage(folder.path());
        let (go, until) = std::sync::mpsc::channel();
        let stale = || StoreErrorKind::Stale("it".to_owned());
        let (held, a, failed, panicked, refused, b, ()) = tokio::join!(
            hold(&store, until),
            set(&store, "a"),
            write_then(&store, Steps::Several, stale),
            write_then(&store, Steps::Several, || panic!("a fault")),
            store.set_value(SHARED, "a", "2".to_owned(), None, Some(9)),
            set(&store, "b"),
            async { go.send(()).unwrap() },
        );
        assert_eq!((held.unwrap(), a.unwrap(), b.unwrap()), ((), 1, 1));
        assert!(matches!(failed, Err(StoreErrorKind::Stale(_))), "{failed:?}");
        assert!(matches!(panicked, Err(StoreErrorKind::Abandoned)), "{panicked:?}");
        assert!(matches!(refused.unwrap_err().kind, StoreErrorKind::Stale(_)));
        assert_eq!(store.value_names(SHARED, "", "", 10).await.unwrap(), ["a", "b"]);
        assert_eq!(feed(&store).await, [(1, "a".to_owned()), (2, "b".to_owned())]);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_first_of_a_transaction_is_rolled_back_alone_too() {
        for panics in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let Stage { store, .. } = conformance::stage(folder.path());
            let (go, until) = std::sync::mpsc::channel();
            let fails = move |writing: &Writing<'_>| {
                note(writing, TenantKey::SHARED, ChangeKind::Value, "half", "2026-11-22T03:00:00Z".parse().unwrap());
                let sql = "INSERT INTO kept_values (tenant_id, name, value, version) VALUES (?1, 'half', '1', 1)";
                writing.execute(sql, [TenantKey::SHARED])?;
                until.recv().unwrap();
                assert!(!panics, "a fault");
                Err::<(), _>(StoreErrorKind::Stale("it".to_owned()))
            };
            let (first, a, b, ()) =
                tokio::join!(store.write("fail first", fails), set(&store, "a"), set(&store, "b"), async {
                    go.send(()).unwrap()
                },);
            assert!(first.is_err());
            assert_eq!((a.unwrap(), b.unwrap()), (1, 1));
            assert_eq!(store.value_names(SHARED, "", "", 10).await.unwrap(), ["a", "b"]);
            assert_eq!(feed(&store).await, [(1, "a".to_owned()), (2, "b".to_owned())]);
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_write_without_savepoint_that_leaves_rows_fails_its_transaction_and_not_the_next() {
        for steps in [Steps::One, Steps::Checked] {
            let folder = tempfile::tempdir().unwrap();
            let Stage { store, .. } = conformance::stage(folder.path());
            let (go, until) = std::sync::mpsc::channel();
            let (held, before, failed, after, ()) = tokio::join!(
                hold(&store, until),
                set(&store, "before"),
                write_then(&store, steps, || StoreErrorKind::DiskFull),
                set(&store, "after"),
                async { go.send(()).unwrap() },
            );
            for shared in [held, before.map(drop), failed] {
                match (steps, shared) {
                    (Steps::One, Err(StoreErrorKind::Abandoned)) | (Steps::Checked, Err(StoreErrorKind::DiskFull)) => {}
                    (_, other) => panic!("{steps:?}: {other:?}"),
                }
            }
            assert_eq!(after.unwrap(), 1);
            assert_eq!(store.value_names(SHARED, "", "", 10).await.unwrap(), ["after"]);
            assert_eq!(feed(&store).await, [(1, "after".to_owned())]);
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_checked_write_that_is_refused_harms_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let Stage { store, .. } = conformance::stage(folder.path());
        let (go, until) = std::sync::mpsc::channel();
        let refuses = |_: &Writing<'_>| Err::<(), _>(StoreErrorKind::Stale("it".to_owned()));
        let (held, before, refused, after, ()) = tokio::join!(
            hold(&store, until),
            set(&store, "before"),
            store.write_in(Steps::Checked, "be refused", refuses),
            set(&store, "after"),
            async { go.send(()).unwrap() },
        );
        assert_eq!((held.unwrap(), before.unwrap(), after.unwrap()), ((), 1, 1));
        assert!(matches!(refused.unwrap_err().kind, StoreErrorKind::Stale(_)));
        assert_eq!(feed(&store).await, [(1, "before".to_owned()), (2, "after".to_owned())]);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_effect_meets_the_guardrails_of_its_own_transaction_and_none_that_were_taken_back() {
        let folder = tempfile::tempdir().unwrap();
        let Stage { store, clock } = conformance::stage(folder.path());
        let ask = |reference: &str| EffectRequest {
            operation: "mock/isolate".to_owned(),
            target: "ws-1".to_owned(),
            names: Vec::new(),
            unlooked: Vec::new(),
            door: Door::Call,
            reference: reference.to_owned(),
            override_approved: false,
            undoes: false,
            now: clock.now(),
        };
        let admission = |reference| store.admit_effect(SHARED, ask(reference));
        assert_eq!(admission("before").await.unwrap(), Admission::Admitted);
        let taken_back = |writing: &Writing<'_>| {
            note(writing, TenantKey::SHARED, ChangeKind::Guardrail, "shared", "2026-11-22T03:00:00Z".parse().unwrap());
            writing.execute("UPDATE guardrails SET held_us = 1, held_by = 'it', held_why = 'it'", [])?;
            Err::<(), _>(StoreErrorKind::Stale("it".to_owned()))
        };
        let (go, until) = std::sync::mpsc::channel();
        let (held, none, free, holds, kept, ()) = tokio::join!(
            hold(&store, until),
            store.write("hold, and take it back", taken_back),
            admission("free"),
            store.hold_effects(SHARED, "a drill"),
            admission("kept"),
            async { go.send(()).unwrap() },
        );
        assert!(held.is_ok() && none.is_err() && holds.is_ok());
        assert_eq!(free.unwrap(), Admission::Admitted);
        assert!(matches!(kept.unwrap(), Admission::Held { .. }));
        assert!(matches!(admission("after").await.unwrap(), Admission::Held { .. }));
        store.release_effects(SHARED).await.unwrap();
        assert_eq!(admission("released").await.unwrap(), Admission::Admitted);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn without_its_change_no_write_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let Stage { store, .. } = conformance::stage(folder.path());
        let (go, until) = std::sync::mpsc::channel();
        let (held, dropped, value, ()) = tokio::join!(
            hold(&store, until),
            store.write("break the feed", |writing| Ok(writing.execute_batch("DROP TABLE changes")?)),
            set(&store, "a"),
            async { go.send(()).unwrap() },
        );
        assert!(held.is_err() && dropped.is_err() && value.is_err(), "{value:?}");
        assert_eq!(store.value(SHARED, "a").await.unwrap(), None);
        assert_eq!(set(&store, "a").await.unwrap(), 1, "the feed is as it was");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn whoever_hears_of_a_change_of_settings_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let Stage { store, .. } = conformance::stage(folder.path());
        let before = store.settings_edition();
        set(&store, "a").await.unwrap();
        assert_eq!(store.settings_edition(), before, "a value is no setting");
        for at in 0..20 {
            let known = store.tenants(Scope::Every).await.unwrap().len();
            let tenant = store.add_tenant(&format!("t{at}"), None, "global").await.unwrap();
            assert_eq!(store.tenants(Scope::Every).await.unwrap().len(), known + 1);
            let scope = Scope::Tenant(tenant.key);
            assert!(store.guardrails_in_force(scope).await.unwrap().hold.is_none());
            store.hold_effects(if at % 2 == 0 { scope } else { SHARED }, "a drill").await.unwrap();
            assert!(store.guardrails_in_force(scope).await.unwrap().hold.is_some());
            store.release_effects(if at % 2 == 0 { scope } else { SHARED }).await.unwrap();
            assert!(store.guardrails_in_force(scope).await.unwrap().hold.is_none());
        }
        let edition = store.settings_edition();
        let refused = store.add_tenant("t0", None, "global").await;
        assert!(refused.is_err() && store.settings_edition() == edition, "nothing was changed");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_full_disk_fails_its_group_and_leaves_exactly_what_was_acknowledged() {
        for steps in [Steps::One, Steps::Checked, Steps::Several] {
            fill_the_disk(steps).await;
        }
    }

    async fn fill_the_disk(steps: Steps) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("small.db");
        let connection = Connection::open(&path).unwrap();
        connection.pragma_update(None, "journal_mode", "WAL").unwrap();
        connection.execute_batch("CREATE TABLE t (at INTEGER PRIMARY KEY, content BLOB)").unwrap();
        connection.pragma_update_and_check(None, "max_page_count", 100, |_| Ok(())).unwrap();
        let writer = Arc::new(Writer::start(connection, Arc::default()).unwrap());
        let write = |at: i64, bytes: usize| {
            let writer = Arc::clone(&writer);
            async move {
                let insert = move |connection: &Writing<'_>| {
                    connection.execute("INSERT INTO t VALUES (?1, ?2)", (at, vec![7_u8; bytes]))?;
                    Ok(at)
                };
                writer.write("fill the disk", steps, insert).await
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
