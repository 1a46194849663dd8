//! What a script costs: its child started for it, a child that waited, and many scripts beside each other.
//!
//! The program is its own child. Figures are for it; a larger binary takes longer to start.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use serde_json::{Value, json};
use sortie_sandbox::{ARGUMENT, Job, Pool, PoolOptions};

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some(ARGUMENT) {
        return sortie_sandbox::child_main();
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime can be built").block_on(async {
        println!("{}", pool(0, 1).confinement().await.expect("a child comes up"));
        one_by_one("cold", &pool(0, 1), Duration::ZERO).await;
        // A pause in which another child gets warm.
        one_by_one("warm", &pool(2, 1), Duration::from_millis(50)).await;
        for at_once in [1, 2, 4, 8] {
            side_by_side(&pool(at_once, at_once), at_once).await;
        }
    });
    ExitCode::SUCCESS
}

fn pool(warm: usize, at_once: usize) -> Pool {
    let program = std::env::current_exe().expect("this program has a place");
    Pool::new(PoolOptions { warm, at_once, ..PoolOptions::new(program, vec![ARGUMENT.into()]) })
}

fn job() -> Job {
    Job {
        script: "export default ({ devices }) => devices.filter((device) => device.risk > 50).map(({ id }) => id)"
            .into(),
        input: json!({ "devices": (0..100).map(|id| json!({ "id": id, "risk": id })).collect::<Vec<Value>>() }),
        deadline: Duration::from_secs(10),
        now: jiff::Timestamp::UNIX_EPOCH,
        seed: 0,
    }
}

async fn one_by_one(what: &str, pool: &Pool, pause: Duration) {
    let mut took = Vec::new();
    for _ in 0..RUNS {
        tokio::time::sleep(pause).await;
        let begun = Instant::now();
        pool.run(job()).await.expect("the script ends well");
        took.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    took.sort_by(f64::total_cmp);
    let (best, median, slow) = (took[0], took[RUNS / 2], took[RUNS * 95 / 100]);
    println!("{what}: best {best:.2} ms, median {median:.2} ms, 95th percentile {slow:.2} ms");
}

async fn side_by_side(pool: &Pool, at_once: usize) {
    let begun = Instant::now();
    let count = RUNS * 5;
    for ended in join_all((0..count).map(|_| pool.run(job()))).await {
        ended.expect("the script ends well");
    }
    println!("{at_once} at once: {:.0} scripts/s", count as f64 / begun.elapsed().as_secs_f64());
}

const RUNS: usize = 100;
