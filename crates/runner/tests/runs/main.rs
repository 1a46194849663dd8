//! Runs over the simulated cloud: what the language promises, step by step, and what a crash leaves.
#![expect(clippy::unwrap_used, reason = "a panic is how a test says no")]
#![expect(clippy::print_stderr, reason = "the figures belong to the test's answer")]

mod approvals;
mod beside;
mod costs;
mod crash;
mod example;
mod golden;
mod hostile;
mod overwrite;
mod peers;
mod picks;
mod pins;
mod scenarios;
mod schedules;
mod stage;
mod steps;
mod takeover;
