//! Durable writes a second, one after the other and from 32 writers at once, beside the barest loop that could do the same:
//! one thread of rusqlite that commits what has queued. That loop writes one row; the store also looks for the value's version,
//! checks its tenant, and writes a change into the feed, which is one more page in each commit.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::{
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

use sortie_model::SystemClock;
use sortie_store::{Scope, Store, StoreOptions, TenantKey};

const ROUND: Duration = Duration::from_secs(2);
const ROUNDS: usize = 3;

/// A value to write, and who waits until it is on the disk.
type Write = (String, tokio::sync::oneshot::Sender<()>);

fn main() {
    let folder = tempfile::tempdir_in(".").expect("a folder can be made on the disk of the project");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime can be built").block_on(async {
        let options = StoreOptions {
            path: folder.path().join("ours.db"),
            purpose: "bench".to_owned(),
            clock: Arc::new(SystemClock),
        };
        let store = Store::open(options).expect("a new file can be opened");
        let bare = bare(&folder.path().join("bare.db"));
        for writers in [1, 32] {
            let (mut ours, mut theirs) = (0_f64, 0_f64);
            // In turns, so that a noisy minute is shared.
            for _ in 0..ROUNDS {
                let store = store.clone();
                ours = ours.max(
                    rate(writers, move |name| {
                        let store = store.clone();
                        async move {
                            let scope = Scope::Tenant(TenantKey::SHARED);
                            store.set_value(scope, &name, "value".to_owned(), None, None).await.expect("it is written");
                        }
                    })
                    .await,
                );
                let bare = bare.clone();
                theirs = theirs.max(
                    rate(writers, move |name| {
                        let (done, waits) = tokio::sync::oneshot::channel();
                        bare.send((name, done)).expect("the thread lives");
                        async move { waits.await.expect("it is written") }
                    })
                    .await,
                );
            }
            println!("{writers} {ours:.0} {theirs:.0}");
        }
    });
}

/// Writes a second by so many writers, each of which waits for its own.
async fn rate<F: Future<Output = ()> + Send>(
    writers: usize,
    write: impl Fn(String) -> F + Clone + Send + 'static,
) -> f64 {
    let start = Instant::now();
    let tasks: Vec<_> = (0..writers)
        .map(|writer| {
            let write = write.clone();
            tokio::spawn(async move {
                let mut count = 0_u32;
                while start.elapsed() < ROUND {
                    write(format!("{writer}-{}", count % 1_000)).await;
                    count += 1;
                }
                count
            })
        })
        .collect();
    let mut all = 0;
    for task in tasks {
        all += task.await.expect("no writer fails");
    }
    f64::from(all) / start.elapsed().as_secs_f64()
}

fn bare(path: &std::path::Path) -> mpsc::Sender<Write> {
    let mut connection = rusqlite::Connection::open(path).expect("a new file can be opened");
    let form = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
                CREATE TABLE kept (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID";
    connection.execute_batch(form).expect("the table can be made");
    let (sender, queue) = mpsc::channel::<Write>();
    std::thread::spawn(move || {
        let mut count = 0_u64;
        while let Ok(first) = queue.recv() {
            let transaction = connection.transaction().expect("nobody else writes");
            let group: Vec<Write> = std::iter::once(first).chain(queue.try_iter()).collect();
            for (name, _) in &group {
                // Another value each time: SQLite neither writes nor syncs a page that stays as it is.
                count += 1;
                let sql = "INSERT INTO kept VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
                let row = (name, format!("value {count}"));
                transaction.prepare_cached(sql).and_then(|mut sql| sql.execute(row)).expect("it is written");
            }
            transaction.commit().expect("the disk takes it");
            for (_, done) in group {
                let _ = done.send(());
            }
        }
    });
    sender
}
