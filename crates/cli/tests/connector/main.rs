//! Connectors on the command line: import, edit, connect, test, call.
#![expect(clippy::unwrap_used, reason = "a panic is how a test says no")]

mod delegated;
mod documents;
mod expiry;
mod import;
mod keeping;
mod native;
mod oauth;
mod seed;
mod stage;
mod tested;
mod vault;
mod way;
