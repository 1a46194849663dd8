//! What a durable run costs beside the same steps written by hand: webhook with an incident of 7 KB → GET device → condition →
//! POST isolate → PATCH comment → answer. Both serve in processes of their own, against a mock in another; the mock counts the
//! effects, and a figure counts only where its counts and the answers agree.
//!
//! Prints one line a figure: its name, then numbers. `cargo xtask bench` makes the table.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod baseline;
mod load;
mod mock;
mod process;
mod served;
mod sortie;

use std::time::Duration;

use load::{Load, Loaded};
use process::Serving;
use sortie::Sortie;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime can be built");
    match std::env::var(ROLE).as_deref() {
        Ok("mock") => runtime.block_on(mock::serve()),
        Ok("baseline") => runtime.block_on(baseline::serve()),
        _ => runtime.block_on(measure()),
    }
}

async fn measure() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let wants = |name: &str| wanted.is_empty() || wanted.iter().any(|word| word == name);
    if wants("start") {
        sortie::start_and_idle().await;
    }
    if wants("runs") {
        beside_baseline().await;
    }
    if wants("stored") {
        sortie::with_stored_runs().await;
    }
    if wants("waiting") {
        sortie::waiting_runs().await;
    }
    if wants("loop") {
        sortie::long_loop().await;
    }
}

/// Both in turns, so that a noisy minute is shared; the better of the rounds counts for each.
async fn beside_baseline() {
    for delay_ms in [0_u32, 20] {
        let mock = mock::start(delay_ms).await;
        let sortie = Sortie::start(&mock).await;
        let baseline = baseline::start(&mock);
        for connections in [1, 16, 64] {
            let (mut ours, mut theirs) = (Vec::new(), Vec::new());
            for _ in 0..ROUNDS {
                ours.push(counted(&mock, sortie.process(), &sortie.hook(connections)).await);
                theirs.push(counted(&mock, &baseline, &baseline::hook(&baseline, connections)).await);
            }
            let (ours, theirs) = (Loaded::best(ours), Loaded::best(theirs));
            println!("runs {connections} {delay_ms} {ours} {theirs}");
        }
    }
}

/// One round of load, held against what the mock has counted.
async fn counted(mock: &Serving, server: &Serving, load: &Load) -> Loaded {
    mock::forget(mock).await;
    let loaded = load::run(load, server).await;
    let counts = mock::counts(mock).await;
    let expected = mock::Counts { isolations: loaded.answers, comments: loaded.answers, most_of_one: 1 };
    assert_eq!(counts, expected, "the mock has counted other effects than were answered");
    loaded
}

const ROLE: &str = "SORTIE_BENCH_ROLE";
const ROUNDS: usize = 3;
const ROUND: Duration = Duration::from_secs(4);
/// What opens the mock, and the baseline's webhook.
const TOKEN: &str = "of-the-benchmark";
