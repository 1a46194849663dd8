//! The workflow document as types: what its text says, each part with its place.

mod duration;
mod meaning;
mod read;
mod schema;
mod shapes;
mod step;
mod trigger;

pub use duration::{DurationError, parse_duration};
pub use meaning::meaning;
pub use read::read;
pub use schema::schema;
pub use shapes::shapes_schema;
pub use step::{
    After, Approval, Call, Code, Loop, OnDoubt, OnError, OnTimeout, Otherwise, Retry, Run, Step, Stop, SubWorkflow,
    Verb, Wait,
};
pub use trigger::{CatchUp, Change, DEDUPE_NAMES, Needs, Parameter, Secure, Trigger, TriggerKind};

use crate::text::{Node, Span};

/// One workflow.
#[derive(Clone, Debug, PartialEq)]
pub struct Workflow {
    /// Its id: kebab-case, unique in its tenant.
    pub id: Spanned<String>,
    /// For people.
    pub title: Option<String>,
    /// For people.
    pub note: Option<String>,
    /// For which tenants it runs.
    pub tenants: Tenants,
    /// What starts it.
    pub triggers: Vec<Trigger>,
    /// Values of its own, by name.
    pub vars: Vec<(Spanned<String>, Node)>,
    /// What happens when a run of the same key is on its way.
    pub concurrency: Option<Concurrency>,
    /// The steps, in the order of the text.
    pub steps: Vec<Step>,
    /// What a caller gets.
    pub output: Option<Node>,
}

/// A part of the document and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Spanned<T> {
    /// The part.
    pub value: T,
    /// Where it stands.
    pub span: Span,
}

/// For whom a workflow runs. Every run has exactly one tenant.
#[derive(Clone, Debug, PartialEq)]
pub enum Tenants {
    /// All of the installation's.
    All,
    /// These, by name.
    Some(Vec<Spanned<String>>),
}

/// Runs of one key one at a time.
#[derive(Clone, Debug, PartialEq)]
pub struct Concurrency {
    /// A template; equal texts are one key.
    pub key: Spanned<String>,
    /// What happens to a start while one is on its way.
    pub when_busy: WhenBusy,
}

/// What happens to a start of a key that is busy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenBusy {
    /// It waits its turn.
    #[default]
    Queue,
    /// It is dropped, and recorded.
    Drop,
    /// The one on its way is cancelled, and this one follows.
    Replace,
}

/// Most steps of a workflow, those of bodies included.
pub const STEPS_MAX: usize = 500;
/// Deepest nesting of bodies.
pub const BODIES_MAX: usize = 5;
/// Most items of a loop.
pub const ITEMS_MAX: u32 = 1_000;
