//! The state machine of a run: an event in, the next state and what is to be done out. It sees no payloads: what a `when` gives
//! or how long a list is comes to it as an event.

mod address;
mod apply;
mod begin;
mod end;
mod pause;
mod plan;
mod state;

pub use address::{Address, Place};
pub use apply::apply;
pub use plan::{Kind, LoopPlan, Plan, PlanStep, Planned};
use serde::{Deserialize, Serialize};
pub use state::{Active, Item, LoopState, Phase, RunEnd, Scope, State, StepState};

use std::time::Duration;

use crate::decide::{Delivery, Outcome, Seen};

/// Something that has happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The run begins.
    Started,
    /// An expression or a template was evaluated.
    Evaluated {
        /// For which step.
        at: Address,
        /// What it gave.
        result: Evaluated,
    },
    /// A call, a script or a look has ended.
    Ended {
        /// Of which step.
        at: Address,
        /// Which try it was.
        attempt: u32,
        /// How.
        result: CallEnd,
    },
    /// A timer has run out.
    TimerFired {
        /// Which.
        timer: Timer,
    },
    /// Somebody has decided; whether they may was judged already.
    Decided {
        /// Which question.
        at: Address,
        /// Whether they said yes.
        approves: bool,
    },
    /// A workflow that was called has ended.
    ChildDone {
        /// By which step.
        at: Address,
        /// How.
        outcome: Outcome,
    },
    /// The run is to be given up.
    CancelRequested,
    /// A person has settled a doubt.
    Resolved {
        /// Of which step.
        at: Address,
        /// Of which try. What was said of another one settles nothing.
        attempt: u32,
        /// How.
        resolution: Resolution,
    },
}

/// What an evaluation gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "gave", content = "value", rename_all = "snake_case")]
pub enum Evaluated {
    /// A `when`.
    Truth(bool),
    /// A `for_each`: so many items.
    Items(u32),
    /// A `wait`: so long from now.
    After(Duration),
    /// A `set`, `respond` or `stop`: its values are kept.
    Done,
    /// It could not be evaluated.
    Broken,
}

/// How a call, a script or a look has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "end", rename_all = "snake_case")]
pub enum CallEnd {
    /// Well.
    Answered,
    /// Not.
    Failed {
        /// How far it had come.
        delivery: Delivery,
        /// How long the service wants to be left alone.
        retry_after: Option<Duration>,
    },
    /// The remote side was looked at for what a call has done.
    Looked {
        /// What was seen.
        seen: Seen,
        /// How long until another look is worth it.
        again: Duration,
    },
    /// What a call has started is on its way; another look is worth it then.
    Pending {
        /// How long.
        again: Duration,
    },
    /// What a call has started has ended remotely.
    Followed {
        /// Whether well.
        well: bool,
    },
    /// What a call has started was called off, or had ended by itself.
    CalledOff,
    /// It could not be called off.
    NotCalledOff {
        /// How long until that is worth another try; `None` where it never will be.
        again: Option<Duration>,
    },
}

/// What a person says about a doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resolution {
    /// It was carried out.
    Happened,
    /// It was not.
    DidNotHappen,
    /// Nobody will find out.
    GiveUp,
}

/// One timer; setting it again replaces it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Timer {
    /// Of which step.
    pub at: Address,
    /// For what.
    pub kind: TimerKind,
}

/// What a timer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimerKind {
    /// The time of the whole step.
    Timeout,
    /// The next try, look or sight.
    Again,
    /// A `wait`.
    Wake,
    /// A question that nobody has answered.
    Expiry,
}

/// Something that is to be done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    /// Evaluate, and tell what it gave before anything else happens.
    Evaluate {
        /// For which step.
        at: Address,
        /// What.
        what: What,
    },
    /// Call, or run the script.
    Call {
        /// For which step.
        at: Address,
        /// Which try it is, from 1.
        attempt: u32,
    },
    /// Look whether the call was carried out.
    Look {
        /// For which step.
        at: Address,
        /// Which try is meant.
        attempt: u32,
    },
    /// See how what the call has started is going.
    Follow {
        /// For which step.
        at: Address,
        /// Which try is meant.
        attempt: u32,
    },
    /// Call off remotely what the call has started, unless it has ended by itself.
    CallOff {
        /// For which step.
        at: Address,
        /// Which try had started it.
        attempt: u32,
    },
    /// Set a timer.
    SetTimer {
        /// Which.
        timer: Timer,
        /// How long from now.
        after: Duration,
    },
    /// Forget a timer.
    ClearTimer {
        /// Which.
        timer: Timer,
    },
    /// Ask a person.
    Ask {
        /// For which step.
        at: Address,
    },
    /// Withdraw a question.
    Withdraw {
        /// For which step.
        at: Address,
    },
    /// Start another workflow.
    StartChild {
        /// For which step.
        at: Address,
    },
    /// Give a workflow up that was started.
    CancelChild {
        /// For which step.
        at: Address,
    },
    /// Call for a person: it is not known whether a call was carried out.
    Doubt {
        /// For which step.
        at: Address,
        /// Why nothing else would tell.
        why: crate::decide::Doubt,
    },
    /// Record how a step or an item of it has ended.
    Record {
        /// Which.
        at: Address,
        /// How.
        outcome: Outcome,
        /// Why it was not begun, where it was not.
        skipped: Option<crate::decide::Skipped>,
    },
    /// The run has ended.
    Finish {
        /// How.
        end: RunEnd,
    },
}

/// What is to be evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// The `when`.
    When,
    /// The `for_each`.
    List,
    /// The `wait`.
    Wait,
    /// The `set`.
    Set,
    /// The `respond`.
    Respond,
    /// The message of a `stop`.
    Stop,
}

#[cfg(test)]
mod property;
#[cfg(test)]
mod tests;
