//! Drives runs of workflows: events into the engine's machine, its commands out, everything durable before it acts.
//!
//! A run is taken further by [`Runner`]. Each turn of it is one commit of the store; a call with an effect leaves after its
//! intent is on the disk, and what became of it is settled before anything builds on it. Whoever dies leaves a run that
//! another goes on with: what may have left is looked for, never sent again on a guess.

mod again;
mod asides;
mod calls;
pub mod catalog;
mod compiled;
mod controls;
mod driver;
mod handed;
pub mod journal;
pub mod library;
mod listeners;
mod outside;
mod pick;
mod points;
mod ready;
mod run;
mod shared;
mod snapshot;
mod tally;
pub mod view;

pub use again::{Again, AgainError, again};
pub use calls::{class_of, kv};
pub use compiled::{CallClass, Classes, CompileError, Compiled};
pub use controls::Controls;
pub use driver::{Runner, RunnerOptions};
pub use listeners::{Heard, Listening};
pub use outside::{Connected, Doing, Meeting, Outside, Product, Script, ScriptDone, Trouble, TroubleKind, Wanted};
pub use pick::{Pick, Picker};
pub use points::{Point, Points};
pub use run::as_value;
pub use snapshot::{SnapshotError, machine_of};
pub use tally::Figures;
