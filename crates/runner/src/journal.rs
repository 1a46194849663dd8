//! What a run's journal says: for people and programs, never read to go on.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sortie_engine::{
    decide::{Delivery, Doubt, Outcome, Seen, Skipped},
    machine::Resolution,
};

use crate::outside::TroubleKind;

/// One commit's entries.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Page {
    /// The format of the entries, [`Page::FORMAT`].
    pub format: u32,
    /// In order.
    pub entries: Vec<Entry>,
}

impl Page {
    /// The format that this version writes.
    pub const FORMAT: u32 = 1;
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// When.
    pub at: Timestamp,
    /// At which step, such as `devices[0].isolate`; absent for the run itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// What.
    #[serde(flatten)]
    pub what: Happened,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "happened", rename_all = "snake_case")]
pub enum Happened {
    /// The run has begun.
    Begun,
    /// A `when` was evaluated.
    Decided {
        /// What it gave.
        gave: bool,
    },
    /// A list was evaluated.
    Listed {
        /// So many items.
        items: u32,
    },
    /// A template has no value.
    Broken {
        /// Why.
        why: String,
    },
    /// A call is about to leave, or a script to run.
    Calling {
        /// `connector/operation`, or `code`.
        call: String,
        /// Which try.
        attempt: u32,
    },
    /// It was answered.
    Answered {
        /// Which try.
        attempt: u32,
    },
    /// It failed.
    Failed {
        /// Which try.
        attempt: u32,
        /// How far it had come.
        delivery: Delivery,
        /// Who must act.
        kind: TroubleKind,
        /// What failed.
        why: String,
        /// What to do next.
        next: String,
    },
    /// It was not sent, for the run only shows what it would do.
    WouldSend {
        /// `connector/operation`.
        call: String,
        /// The request.
        request: Value,
    },
    /// The remote side was looked at for what a call has done.
    Looked {
        /// What was seen.
        seen: Seen,
    },
    /// What a call has started has ended.
    Followed {
        /// Whether well.
        well: bool,
    },
    /// What a call has started was called off.
    CalledOff {
        /// Why not, where it was not.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        failed: Option<String>,
    },
    /// It waits for time to pass.
    Waits {
        /// Until then.
        until: Timestamp,
    },
    /// A person is asked.
    Asked {
        /// What.
        ask: String,
        /// Until when.
        until: Timestamp,
    },
    /// A person has decided.
    Approval {
        /// Whether they said yes.
        approves: bool,
        /// Who.
        by: String,
        /// Why, in their words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    },
    /// Another workflow was started.
    Child {
        /// Which.
        workflow: String,
    },
    /// It is not known whether a call was carried out.
    Doubt {
        /// Why nothing else would tell.
        why: Doubt,
    },
    /// A person has settled a doubt.
    Resolved {
        /// How.
        resolution: Resolution,
        /// Who.
        by: String,
    },
    /// It does not go on for now.
    Held {
        /// Why.
        why: String,
    },
    /// A script has printed this.
    Console {
        /// A line each.
        lines: Vec<String>,
    },
    /// A step has ended.
    Ended {
        /// How.
        outcome: Outcome,
        /// Why it was not begun.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        skipped: Option<Skipped>,
    },
    /// The run is to be given up.
    Cancel {
        /// Who wants it.
        by: String,
    },
    /// The run has ended.
    Finished {
        /// How.
        outcome: Outcome,
        /// Whether a failure was dealt with.
        handled: bool,
        /// What a `stop` said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<String>,
    },
}
