//! Incidents and alerts of Microsoft Defender as typed views over the XDR and Graph APIs.
//!
//! Answers are read leniently, so that an unknown word or a broken object costs nothing else, and requests are
//! written in each API's own spelling.

mod actions;
mod change;
mod client;
mod document;
mod enums;
mod error;
mod machines;
mod operation;
mod order;
mod pages;
mod view;

pub use actions::{ActionFilter, ActionStatus, MachineAction};
pub use change::Change;
pub use client::{Defender, Followed};
pub use document::{Defect, Document};
/// For tests and fuzzing of the reading alone; no promise to others.
#[doc(hidden)]
pub use document::{Page, read_page};
pub use enums::{Api, Classification, Determination, Severity, Status};
/// For tests of the reading alone; no promise to others.
#[doc(hidden)]
pub use error::service_error;
pub use error::{DefenderError, DefenderErrorKind, ServiceError};
pub use machines::{Machine, MachineFilter, TagChange, is_machine_id};
pub use order::{DeviceOrder, Order, OrderKey, Ordered};
pub use pages::{AlertFilter, IncidentFilter, Note, Pages};
pub use view::{Alert, Comment, Evidence, Incident};
