//! The `code` steps of workflows: JavaScript in a child process of its own that is confined and can be killed.
//!
//! No limit inside the engine is enough (one built-in function may run for minutes without asking whether it may go on),
//! so each script has a process, and the parent kills it at its deadline whatever it does.
//!
//! What a script sees: the language, `JSON`, `console`, `TextEncoder`, `TextDecoder`, `atob`, `btoa`, and `ctx`, which is
//! the step's input. No module can be imported, and there are no timers. Two runs of the same job are alike: `Date` stands
//! still at the job's moment and knows UTC only, and `Math.random` begins at the job's seed.
//!
//! Numbers are JavaScript's: an integer beyond 2^53 arrives as the nearest number that a double holds, and `1.0` comes
//! back as `1`. Identifiers that long have to be text. A result of `undefined` is `null`. Half of a surrogate pair in a
//! result becomes U+FFFD, because our texts are Unicode. A key `__proto__` is a key like any other, in and out.

mod child;
mod confinement;
mod error;
mod job;
mod memory;
mod pool;
mod protocol;
mod script;
mod text;

pub use self::{
    child::child_main,
    confinement::{Confinement, Measure, confine},
    error::{Large, SandboxError, SandboxErrorKind},
    job::{CONSOLE_LINE_CHARS_MAX, CONSOLE_LINES_MAX, DEPTH_MAX, Done, INPUT_BYTES_MAX, Job, OUTPUT_BYTES_MAX},
    pool::{Pool, PoolOptions},
    protocol::{Failure, Record, Records, UnreadableRecord},
};

/// The hidden first argument by which a binary is told to run [`child_main`].
pub const ARGUMENT: &str = "__script";
