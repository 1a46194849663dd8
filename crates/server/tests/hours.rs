//! Twelve hours of fifty tenants in a clock that is moved, one of them a hundred times noisier than the others: what memory and
//! disk do meanwhile, and how long the quiet ones wait.
#![expect(clippy::unwrap_used, reason = "a panic is how a test says no")]
#![expect(clippy::print_stderr, reason = "the figures belong to the test's answer")]

use std::{collections::HashMap, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use sortie_model::{Clock as _, ManualClock};
use sortie_runner::{
    Connected, Doing, Meeting, Outside, Product, Runner, RunnerOptions, Script, ScriptDone, Trouble, TroubleKind,
    Wanted, library,
};
use sortie_server::{Kept, sweep};
use sortie_store::{Feed, KnownAs, NewRun, RunId, RunMode, RunValue, Scope, Started, Store, StoreOptions, TenantKey};

/// Two turns with a value between them, so that each run is in the queue twice.
const WORKFLOW: &str = "\
workflow: note
triggers: [{ manual: { inputs: { text: { type: string } } } }]
steps:
  - id: keep
    set: { text: '{{ inputs.text }}', size: '{{ inputs.text | length }}' }
  - id: rest
    after: [keep]
    wait: { for: 1m }
  - id: end
    after: [rest]
    set: { size: '{{ steps.keep.output.size }}' }
";

const QUIET: usize = 49;
/// Each quiet tenant starts one run a round, the noisy one so many, and before all others.
const NOISE: usize = 100;
const ROUND: SignedDuration = SignedDuration::from_mins(20);
const ROUNDS: usize = 36;
const ROUNDS_AN_HOUR: usize = 3;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_noisy_tenant_costs_the_quiet_ones_little_and_retention_gives_the_disk_back() {
    let alone = Play::new().await.twelve_hours(0).await;
    let beside = Play::new().await.twelve_hours(NOISE).await;
    eprintln!("the quiet ones alone: {alone:?}; beside the noisy one: {beside:?}");
    assert!(beside.wait <= alone.wait * 2, "{beside:?}, and alone {alone:?}");
    for told in [&alone, &beside] {
        // The file shrinks and grows between two hours: the largest of some counts.
        let most = |hours: &[Hour], of: fn(&Hour) -> u64| hours.iter().map(of).max().unwrap();
        let (early, late) = (&told.hours[2..6], &told.hours[8..]);
        let (disk, memory) = (most(early, |hour| hour.disk), most(early, |hour| hour.memory));
        assert!(most(late, |hour| hour.disk) <= disk + disk / 4, "{told:?}");
        assert!(most(late, |hour| hour.memory) <= memory + 16_000_000, "{told:?}");
    }
}

/// What twelve hours have shown.
#[derive(Debug)]
struct Told {
    /// Of a hundred runs of quiet tenants, ninety-nine had no more ends of others before their own, in their round.
    wait: usize,
    hours: Vec<Hour>,
}

/// At an hour's end, in bytes.
#[derive(Clone, Copy, Debug)]
struct Hour {
    memory: u64,
    disk: u64,
}

struct Play {
    clock: ManualClock,
    store: Store,
    runner: Runner,
    noisy: TenantKey,
    quiet: Vec<TenantKey>,
    version: String,
    _folder: tempfile::TempDir,
}

impl Play {
    async fn new() -> Self {
        let start: Timestamp = "2026-11-22T08:00:00Z".parse().unwrap();
        let (clock, folder) = (ManualClock::new(start), tempfile::tempdir().unwrap());
        let path = folder.path().join("sortie.db");
        let options = StoreOptions { path, purpose: "a test".to_owned(), clock: Arc::new(clock.clone()) };
        let store = Store::open(options).unwrap();
        let mut tenants = Vec::new();
        for at in 0..=QUIET {
            tenants.push(store.add_tenant(&format!("tenant-{at}"), None, "global").await.unwrap().key);
        }
        let nothing: Arc<dyn Outside> = Arc::new(Nothing);
        let kept = library::put(&store, &*nothing, TenantKey::SHARED, WORKFLOW, None).await.unwrap();
        let mut options = RunnerOptions::new(store.clone(), nothing, Arc::new(clock.clone()));
        // Few enough that most of a round waits for its turn.
        options.runs_at_once = 8;
        let runner = Runner::new(options).await.unwrap();
        let noisy = tenants.pop().unwrap();
        Self { clock, store, runner, noisy, quiet: tenants, version: kept.version, _folder: folder }
    }

    async fn twelve_hours(self, noise: usize) -> Told {
        let (mut ranks, mut hours) = (Vec::new(), Vec::new());
        for round in 1..=ROUNDS {
            ranks.extend(self.round(round, noise).await);
            self.clock.advance(ROUND);
            if round % ROUNDS_AN_HOUR == 0 {
                let (runs, hour) = (SignedDuration::from_hours(2), SignedDuration::from_hours(1));
                let kept = Kept { runs, changes: hour, blobs: hour, ..Kept::default() };
                sweep(&self.store, kept, self.clock.now()).await.unwrap();
                // Not the file's length: what is in the log reaches it when it suits SQLite.
                let disk = self.store.health().await.unwrap().bytes;
                hours.push(Hour { memory: memory(), disk });
            }
        }
        ranks.sort_unstable();
        assert_eq!(ranks.len(), ROUNDS * QUIET, "a run of a quiet tenant has not ended");
        Told { wait: ranks[ranks.len() * 99 / 100], hours }
    }

    /// One round to its end: how many runs had ended before each of the quiet ones.
    async fn round(&self, round: usize, noise: usize) -> Vec<usize> {
        let before = self.last().await;
        let noisy = (0..noise).map(|at| (self.noisy, at));
        let mut started = HashMap::new();
        for (tenant, at) in noisy.chain(self.quiet.iter().map(|tenant| (*tenant, 0))) {
            started.insert(self.start(tenant, &format!("{round} {at}")).await, tenant);
        }
        self.runner.serve_until_idle().await;
        self.clock.advance(SignedDuration::from_mins(1));
        self.runner.clock_moved();
        self.runner.serve_until_idle().await;
        let mut ends = Vec::new();
        let mut after = before;
        loop {
            let Feed::Changes(changes) = self.store.changes(Scope::Every, after, 500).await.unwrap() else { panic!() };
            let Some(last) = changes.last() else { break };
            after = last.seq;
            // Ordered, waiting, ended: the last that is told of a run is its end.
            ends.extend(changes.into_iter().filter(|change| change.kind == "run").map(|change| change.object));
        }
        let mut seen = std::collections::HashSet::new();
        let mut order: Vec<RunId> =
            ends.iter().rev().filter_map(|run| RunId::parse(run)).filter(|run| seen.insert(*run)).collect();
        order.reverse();
        assert_eq!(order.len(), started.len());
        let is_quiet = |run: &RunId| started.get(run).is_some_and(|tenant| *tenant != self.noisy);
        order.iter().enumerate().filter(|(_, run)| is_quiet(run)).map(|(rank, _)| rank + 1).collect()
    }

    async fn last(&self) -> i64 {
        match self.store.changes(Scope::Every, i64::MAX, 1).await.unwrap() {
            Feed::Reset(last) => last,
            Feed::Changes(_) => 0,
        }
    }

    async fn start(&self, tenant: TenantKey, key: &str) -> RunId {
        let new = NewRun {
            home: TenantKey::SHARED,
            workflow: "note".to_owned(),
            version: self.version.clone(),
            mode: RunMode::Live,
            start_key: key.to_owned(),
            cause: "manual".to_owned(),
            object: None,
            started_by: "ana".to_owned(),
            parent: None,
            again_of: None,
            depth: 0,
            input: RunValue::Text(
                json!({ "trigger": { "kind": "manual" }, "inputs": { "text": key.repeat(400) } }).to_string(),
            ),
            taken_over: None,
            per_object_max: None,
        };
        let Started::New(run) = self.runner.start(Scope::Tenant(tenant), new).await.unwrap() else {
            panic!("it is new")
        };
        run
    }
}

/// Of this process, in use now.
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1_024
}

/// These runs call nobody.
struct Nothing;

fn nothing() -> Trouble {
    Trouble::refused(TroubleKind::Document, "there is nothing", "Call nobody.")
}

impl Outside for Nothing {
    fn product<'a>(&'a self, _: TenantKey, _: &'a str, _: Option<&'a str>) -> Doing<'a, Result<Arc<Product>, Trouble>> {
        Box::pin(async { Err(nothing()) })
    }

    fn connect<'a>(&'a self, _: Wanted<'a>) -> Doing<'a, Result<Arc<Connected>, Trouble>> {
        Box::pin(async { Err(nothing()) })
    }

    fn known_as<'a>(&'a self, _: Meeting<'a>) -> Doing<'a, Result<Vec<KnownAs>, Trouble>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn script<'a>(&'a self, _: Script<'a>) -> Doing<'a, Result<ScriptDone, Trouble>> {
        Box::pin(async { Err(nothing()) })
    }
}
