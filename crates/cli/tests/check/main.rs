//! What `sortie check`, `connection test` and `explain` say in every situation that a set-up can be in: the cause, who
//! must act, and the next step.
#![expect(clippy::unwrap_used, reason = "a panic is how a test says no")]

mod connection_test;
mod explain;
mod mend;
mod network;
mod roles;
mod sign_in;
mod stage;
