//! The API as others meet it: over a real database, by its router and by its sockets.
#![expect(clippy::unwrap_used, reason = "a panic is how a test says no")]

mod access;
mod approvals;
mod changes;
mod documents;
mod hooks;
mod hostile;
mod listening;
mod objects;
mod sets;
mod stage;
