//! `sortie app ..` from outside: what an administrator types, against the simulated cloud's directory.
#![expect(clippy::unwrap_used, reason = "a panic is how a test says no")]

mod consent;
mod refusals;
mod register;
mod rotate;
mod stage;
