//! Workflows, runs and approvals by the command line, with a server that has the database and without one.
#![expect(clippy::unwrap_used, reason = "a panic is how a test says no")]

mod approvals;
mod contain;
mod diagnostics;
mod elsewhere;
mod kept;
mod picked;
mod pins;
mod runs;
mod stage;
