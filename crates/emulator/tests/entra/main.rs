//! The login service, the set-up calls of Graph, and the metadata endpoint, through HTTP against a started cloud.

#![expect(clippy::unwrap_used, reason = "a test fails where its expectation does")]

mod assertion;
mod consent;
mod discovery;
mod imds;
mod listeners;
mod set_up;
mod sign_in;
mod stage;
mod token;
