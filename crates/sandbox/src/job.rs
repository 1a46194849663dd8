//! What a script is given, what it gives back, and how large both may be.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use serde_json::Value;

/// One script with its input.
#[derive(Clone, Debug)]
pub struct Job {
    /// A JavaScript module with `export default (ctx) => …`, which may be `async`.
    pub script: Arc<str>,
    /// What the function gets as `ctx`.
    pub input: Value,
    /// How long the script may run, from the moment when a child has been found for it. Then it is killed.
    pub deadline: Duration,
    /// What the script takes for the present: the run's event time, so that a replay sees the same.
    pub now: Timestamp,
    /// Where `Math.random` begins.
    pub seed: u64,
}

/// What a script that ended well leaves.
#[derive(Clone, Debug, PartialEq)]
pub struct Done {
    /// What its function returned.
    pub output: Value,
    /// What it wrote by `console`, line by line; `warn: ` and `error: ` stand before what was written so.
    pub console: Vec<String>,
}

/// How large an input may be, as JSON.
pub const INPUT_BYTES_MAX: usize = 32 << 20;
/// How long a script may be.
pub(crate) const SCRIPT_BYTES_MAX: usize = 1 << 20;
/// How large a result may be, as JSON.
pub const OUTPUT_BYTES_MAX: usize = 8 << 20;
/// How deep lists and objects may lie within each other, in and out. Deeper JSON is read nowhere in Sortie.
pub const DEPTH_MAX: usize = 127;
/// How many lines of the console are kept; one more says that there were others.
pub const CONSOLE_LINES_MAX: usize = 200;
/// How much of one line is kept.
pub const CONSOLE_LINE_CHARS_MAX: usize = 2_000;
