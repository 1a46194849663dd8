//! The simulated companies: people, devices, intrusions that unfold, and the noise around them.
//!
//! One tenant has one world. It derives from the cloud's seed and the tenant's id alone, so that the same seed tells
//! the same story, and it moves on when the cloud's clock does.

mod account;
mod action;
mod action_course;
mod catalog;
mod company;
mod dice;
mod evidence;
mod evidence_build;
mod incident;
mod indicator;
mod inventory;
mod investigation;
mod library;
mod log;
mod machine;
mod reference_alert;
mod regroup;
mod software_catalog;
mod standing;
mod story;
mod terms;
mod ticks;
mod truth;
mod update;
mod worlds;

pub(crate) use account::AccountState;
pub(crate) use action::{
    ActionOrder, CancelRefused, CommandStatus, LiveCommand, MachineAction, OrderRefused, Ordered, Repeat,
    SESSION_COUNT_MAX,
};
pub(crate) use action_course::{Course, CourseOrder};
pub(crate) use company::{Device, Person};
pub(crate) use dice::{Dice, chance, part};
pub(crate) use evidence::{Account, Clue, Evidence, FileFacts, MessageFacts, ProcessFacts};
pub(crate) use evidence_build::vendor_file;
pub(crate) use incident::{Alert, Comment, CustomWords, Incident, World};
pub(crate) use indicator::{INDICATOR_COUNT_MAX, Indicator, IndicatorHand, IndicatorRefused, IndicatorTerms};
pub(crate) use inventory::ProductStanding;
pub(crate) use investigation::OrderedInvestigation;
pub(crate) use library::LibraryFile;
pub(crate) use log::Happening;
pub(crate) use reference_alert::ReportedEvent;
pub(crate) use regroup::MoveError;
pub(crate) use software_catalog::{Configuration, Flaw};
pub(crate) use standing::file_standing;
pub(crate) use story::LateIncident;
pub(crate) use terms::{
    ActionKind, ActionStatus, AlertStatus, Classification, DetectionSource, Determination, DeviceHealth, DeviceValue,
    IncidentStatus, ServiceSource, Severity, Term,
};
pub(crate) use ticks::Ticks;
pub(crate) use update::{AlertChange, IncidentChange, MergeError};
pub(crate) use worlds::Worlds;
