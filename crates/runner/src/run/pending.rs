//! What a turn of a run will write with its next commit.

use jiff::Timestamp;
use serde_json::Value;
use sortie_store::{Decision, NewApproval, NewIntent, NewRun, Settled};

use crate::journal::{Entry, Happened};

/// Not on the disk yet.
#[derive(Default)]
pub(super) struct Pending {
    pub entries: Vec<Entry>,
    pub values: Vec<(String, Value)>,
    pub intents: Vec<NewIntent>,
    pub settled: Vec<Settled>,
    /// Intents whose calls did nothing for certain: place and try.
    pub dropped: Vec<(String, u32)>,
    pub asked: Vec<NewApproval>,
    pub closed: Vec<(String, Decision)>,
    pub taken: Vec<i64>,
    pub children: Vec<NewRun>,
    pub cancelled: Vec<String>,
    /// Somebody should see how the run stands.
    pub is_news: bool,
}

impl Pending {
    pub(super) fn note(&mut self, at: Timestamp, step: Option<String>, what: Happened) {
        self.entries.push(Entry { at, step, what });
    }

    /// Whether others wait for it, or must not hear it twice: it cannot wait for the next commit that comes along.
    pub(super) fn is_urgent(&self) -> bool {
        self.is_news
            || !self.intents.is_empty()
            || !self.settled.is_empty()
            || !self.dropped.is_empty()
            || !self.asked.is_empty()
            || !self.closed.is_empty()
            || !self.taken.is_empty()
            || !self.children.is_empty()
            || !self.cancelled.is_empty()
    }
}
