//! A pool of children that are this program, and short ways to run a script in it.

use std::{sync::Arc, time::{Duration, Instant}};

use serde_json::Value;
use sortie_sandbox::{Done, Job, Pool, PoolOptions, SandboxError, SandboxErrorKind};

pub(crate) fn options() -> PoolOptions {
    PoolOptions { warm: 0, ..PoolOptions::new(std::env::current_exe().unwrap(), vec![sortie_sandbox::ARGUMENT.into()]) }
}

pub(crate) fn job(script: &str, input: Value) -> Job {
    let now = "2026-11-30T08:15:30.5Z".parse().unwrap();
    Job { script: Arc::from(script), input, deadline: DEADLINE, now, seed: 7 }
}

/// Runs a script and holds it to its deadline.
pub(crate) async fn run(script: &str, input: Value) -> Result<Done, SandboxError> {
    run_job(&Pool::new(options()), job(script, input)).await
}

pub(crate) async fn run_job(pool: &Pool, job: Job) -> Result<Done, SandboxError> {
    let (begun, deadline) = (Instant::now(), job.deadline);
    let ended = pool.run(job).await;
    let took = begun.elapsed();
    assert!(took < deadline + Duration::from_secs(1), "took {took:?}, and {deadline:?} was the deadline");
    ended
}

pub(crate) async fn kind(script: &str) -> SandboxErrorKind {
    *run(script, Value::Null).await.expect_err("the script fails").kind
}

pub(crate) const DEADLINE: Duration = Duration::from_secs(10);
