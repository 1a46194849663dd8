//! Runs over the simulated cloud: what the language promises, step by step, and what a crash leaves.
#![expect(clippy::unwrap_used, reason = "a panic is how a test says no")]

mod stage;
mod steps;
