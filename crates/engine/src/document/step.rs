//! A step: what it waits for, what it does, and how it ends.

use std::time::Duration;

use super::Spanned;
use crate::{decide::Outcome, text::Node};

/// One step.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Kebab-case, unique in its body.
    pub id: Spanned<String>,
    /// For people.
    pub title: Option<String>,
    /// For people.
    pub note: Option<String>,
    /// It is there and does nothing: it ends as skipped.
    pub disabled: bool,
    /// What it waits for.
    pub after: Vec<After>,
    /// Which ends of those let it begin.
    pub run: Run,
    /// An expression; false skips it.
    pub when: Option<Spanned<String>>,
    /// Once for each item of a list.
    pub for_each: Option<Loop>,
    /// What it does.
    pub verb: Verb,
    /// How often what is safe to repeat is tried.
    pub retry: Option<Retry>,
    /// How long the whole step may take.
    pub timeout: Option<Spanned<Duration>>,
    /// What happens then.
    pub on_timeout: OnTimeout,
    /// Whether its failure is the run's.
    pub on_error: OnError,
    /// Who settles a doubt.
    pub on_doubt: OnDoubt,
}

/// A step that must have ended.
#[derive(Clone, Debug, PartialEq)]
pub struct After {
    /// Its id.
    pub step: Spanned<String>,
    /// The outcomes that count as well as succeeded.
    pub accept: Vec<Outcome>,
}

/// Which ends of the steps before let a step begin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Run {
    /// All have succeeded, or ended as accepted.
    #[default]
    OnSuccess,
    /// One has failed or timed out.
    OnFailure,
    /// Whatever their ends, but for a cancellation.
    Always,
}

/// Once for each item.
#[derive(Clone, Debug, PartialEq)]
pub struct Loop {
    /// An expression that gives the list.
    pub list: Spanned<String>,
    /// What the item is called inside; `item` where nothing else is said.
    pub name: Spanned<String>,
    /// So many items at once.
    pub parallel: u32,
}

/// What a step does: exactly one of these.
#[derive(Clone, Debug, PartialEq)]
pub enum Verb {
    /// An operation of a connector.
    Call(Call),
    /// Another workflow.
    Workflow(SubWorkflow),
    /// A person decides.
    Approval(Approval),
    /// Time passes.
    Wait(Wait),
    /// A function of the author's.
    Code(Code),
    /// Computed values.
    Set(Vec<(Spanned<String>, Node)>),
    /// The webhook's answer.
    Respond(Node),
    /// The run ends here.
    Stop(Stop),
    /// A body, once for each item.
    Steps(Vec<Step>),
}

/// A call.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// The connector's id.
    pub connector: String,
    /// The operation's id.
    pub operation: String,
    /// Where both stand.
    pub span: crate::text::Span,
    /// The connection's name; the tenant's own or the shared one where absent.
    pub connection: Option<Spanned<String>>,
    /// Templates by input.
    pub with: Option<Node>,
    /// Whether what it starts remotely is followed to its end.
    pub awaits: bool,
    /// Whether all pages of a list are read.
    pub all_pages: bool,
}

/// A call of another workflow.
#[derive(Clone, Debug, PartialEq)]
pub struct SubWorkflow {
    /// Its id.
    pub id: Spanned<String>,
    /// Templates by input.
    pub with: Option<Node>,
    /// Whether its output is waited for.
    pub waits: bool,
}

/// A question to a person.
#[derive(Clone, Debug, PartialEq)]
pub struct Approval {
    /// A template.
    pub ask: Spanned<String>,
    /// Who may decide.
    pub roles: Vec<Spanned<String>>,
    /// How long they have.
    pub within: Spanned<Duration>,
    /// What happens when nobody has decided by then.
    pub otherwise: Otherwise,
    /// Whether the one who started the run may decide as well.
    pub own: bool,
    /// How they are told.
    pub notify: Option<Call>,
}

/// What an unanswered question means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Otherwise {
    /// As if somebody had said no.
    #[default]
    Reject,
    /// The run ends.
    Stop,
}

/// How long is waited.
#[derive(Clone, Debug, PartialEq)]
pub enum Wait {
    /// So long.
    For(Spanned<Duration>),
    /// So long as a template says.
    ForTemplate(Spanned<String>),
    /// Until the instant that a template gives.
    Until(Spanned<String>),
}

/// JavaScript in a killable child.
#[derive(Clone, Debug, PartialEq)]
pub struct Code {
    /// `export default (ctx) => ...`.
    pub script: Spanned<String>,
    /// Templates of what it is given.
    pub with: Option<Node>,
}

/// The end of the run.
#[derive(Clone, Debug, PartialEq)]
pub struct Stop {
    /// As what the run ends: succeeded, failed or cancelled.
    pub outcome: Outcome,
    /// A template.
    pub message: Option<Spanned<String>>,
}

/// How often and how far apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// All tries together, the first included.
    pub attempts: u32,
    /// The pause after the first; it doubles.
    pub first: Duration,
    /// The longest pause.
    pub max: Duration,
}

/// What happens to the remote side of a step whose time is up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OnTimeout {
    /// It is left to itself.
    #[default]
    Leave,
    /// It is cancelled, too, where the operation says how.
    Cancel,
}

/// Whether a step's failure is the run's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OnError {
    /// The run fails.
    #[default]
    Fail,
    /// The run may succeed all the same.
    Continue,
}

/// Who settles a doubt whether a call was carried out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OnDoubt {
    /// The remote side is looked at, where that is possible; else a person.
    #[default]
    Probe,
    /// A person at once.
    Ask,
}
