//! Microsoft Defender as typed views over its APIs: incidents, alerts, devices, orders to them, indicators, hunting,
//! and what is known of a file, address, domain or user.
//!
//! Answers are read leniently, so that an unknown word or a broken object costs nothing else, and requests are
//! written in each API's own spelling.

mod actions;
mod change;
mod client;
mod document;
mod enums;
mod error;
mod hunting;
mod indicators;
mod machines;
pub mod normal;
mod observable;
mod operation;
mod order;
mod pages;
mod view;
mod watch;

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
pub use hunting::{Hunt, HuntAnswer, HuntApi, HuntColumn, HuntType};
pub use indicators::{Imported, Indicator, IndicatorFilter, NewIndicator, kind_of_value};
pub use machines::{Machine, MachineFilter, TagChange, is_machine_id};
pub use observable::{FileHash, FileProfile, Observable, ObservableError, ObservableKind, Sightings};
pub use order::{DeviceOrder, Draft, Order, OrderKey, Ordered};
pub use pages::{AlertFilter, IncidentFilter, Note, Pages};
pub use view::{Alert, Comment, Evidence, Incident};
pub use watch::{ChangeKind, Changed, Commit, Round, WatchCursor, WatchError, Watched};
