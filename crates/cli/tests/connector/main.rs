//! Connectors on the command line: import, edit, connect, test, call.
#![expect(clippy::unwrap_used, reason = "a panic is how a test says no")]

mod documents;
mod native;
mod seed;
mod stage;
