//! A pool of children that are this program, and short ways to run a script in it.

use std::{
    fs,
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::Value;
use sortie_sandbox::{Done, Job, Pool, PoolOptions, SandboxError, SandboxErrorKind};

/// Children that are this program, started with this argument first. `mark` finds them among others.
pub(crate) fn options(argument: &str, mark: &str) -> PoolOptions {
    let arguments = [argument, mark].iter().filter(|argument| !argument.is_empty()).map(Into::into).collect();
    PoolOptions { warm: 0, ..PoolOptions::new(std::env::current_exe().unwrap(), arguments) }
}

pub(crate) fn pool() -> Pool {
    Pool::new(options(sortie_sandbox::ARGUMENT, ""))
}

pub(crate) fn job(script: &str, input: Value) -> Job {
    let now = "2026-11-30T08:15:30.5Z".parse().unwrap();
    Job { script: Arc::from(script), input, deadline: Duration::from_secs(20), now, seed: 7 }
}

pub(crate) fn job_for(script: &str, deadline: Duration) -> Job {
    Job { deadline, ..job(script, Value::Null) }
}

/// Runs a job and holds it to its deadline.
pub(crate) async fn run_job(pool: &Pool, job: Job) -> Result<Done, SandboxError> {
    let (begun, deadline) = (Instant::now(), job.deadline);
    let ended = pool.run(job).await;
    let took = begun.elapsed();
    assert!(took < deadline + Duration::from_secs(1), "took {took:?}, and {deadline:?} was the deadline");
    ended
}

pub(crate) async fn done(script: &str, input: Value) -> Done {
    run_job(&pool(), job(script, input)).await.unwrap_or_else(|error| panic!("{error}: {script}"))
}

pub(crate) async fn output(script: &str, input: Value) -> Value {
    done(script, input).await.output
}

pub(crate) async fn failure(script: &str, deadline: Duration) -> SandboxError {
    match run_job(&pool(), job_for(script, deadline)).await {
        Ok(done) => panic!("{} came back from {script}", done.output),
        Err(error) => error,
    }
}

/// The kind of failure of a script that fails by itself.
pub(crate) async fn kind(script: &str) -> SandboxErrorKind {
    *failure(script, Duration::from_secs(20)).await.kind
}

/// The living processes that were started with this mark.
pub(crate) fn marked(mark: &str) -> Vec<u32> {
    let processes = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let is_marked = |pid: &u32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0).skip(2).any(|argument| argument == mark.as_bytes())
    };
    processes.filter(is_marked).collect()
}

/// Waits for what another process does in its own time.
pub(crate) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(10), "it never came to this: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
