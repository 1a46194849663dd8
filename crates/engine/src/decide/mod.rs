//! The rules of the language as decisions: each an ordered list, of which the first rule that fits decides. The tables beside
//! them say for every case which rule that is; the tests hold both against each other, and break each rule once.

mod approval;
mod ending;
mod gather;
mod start;
#[cfg(test)]
mod table;

pub use approval::{Asked, Attempted, Decision, Refusal, answer};
pub use ending::{Class, Delivery, Doubt, Ending, Left, Next, Seen, ending, seen};
pub use gather::{Gathered, Tally};
use serde::{Deserialize, Serialize};
pub use start::{Before, Skipped, Start, When, start};

/// How a step ended, or that nobody knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It has done what it says.
    Succeeded,
    /// It has not.
    Failed,
    /// It was not begun.
    Skipped,
    /// It was given up with its run.
    Cancelled,
    /// Its time was up.
    TimedOut,
    /// It is not known whether it was carried out; a person settles that. Until then it has not ended.
    NeedsAttention,
}

impl Outcome {
    /// Every one of them.
    pub const ALL: [Self; 6] =
        [Self::Succeeded, Self::Failed, Self::Skipped, Self::Cancelled, Self::TimedOut, Self::NeedsAttention];

    /// Its word in documents and journals.
    pub fn word(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Cancelled => "cancelled",
            Self::TimedOut => "timed_out",
            Self::NeedsAttention => "needs_attention",
        }
    }

    /// Whether nothing more will become of it.
    pub fn is_final(self) -> bool {
        self != Self::NeedsAttention
    }

    /// Whether it is a failure in the sense of `run: on_failure`.
    pub fn is_failure(self) -> bool {
        matches!(self, Self::Failed | Self::TimedOut)
    }
}
