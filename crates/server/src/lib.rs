//! The one API of Sortie, by HTTP: workflows and their runs, approvals, connections, guardrails, people, the audit log, the
//! feed of changes, and webhooks.
//!
//! There is no second way in. `sortie serve` listens with [`Server`]; a command is a [`Client`], of the server that runs, or
//! of the same [`router()`] in its own process where none does. Everything starts at the table [`ROUTES`]: what stands there
//! can be reached, by whom it says, and is described by [`document()`].

mod app;
mod caller;
mod changes;
mod client;
mod dispatch;
mod failures;
mod hooks;
mod listen;
mod openapi;
mod problem;
mod reach;
mod request;
mod routes;
mod upkeep;
mod views;

pub use app::{App, Bounds, Options, Unlock};
pub use client::{Client, ClientError, Event, Events};
pub use dispatch::router;
pub use hooks::signature;
pub use listen::{ListenError, Listening, Network, NetworkError, Server, TlsFiles};
pub use openapi::document;
pub use problem::Problem;
pub use reach::Reach;
pub use routes::{Access, Answers, ROUTES, Route, Takes, Verb};
pub use upkeep::{Kept, sweep};
