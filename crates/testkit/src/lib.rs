//! What tests from outside share: a running cloud, its admin API, the binary, and a watch for leaked secrets.
//!
//! Everything panics with a readable message: this crate runs in tests alone.

mod cloud;
mod leaks;
mod program;

pub use cloud::{Registered, TestCloud};
pub use leaks::Leaks;
pub use program::{Ended, Sortie, kill_count};
