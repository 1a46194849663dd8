//! What a turn of a run will write with its next commit.

use jiff::Timestamp;
use serde::Serialize;
use sortie_store::{Decision, NewApproval, NewIntent, NewRun, RunCommit, RunValue, Settled};

use crate::journal::{Entry, Happened};

/// Not on the disk yet.
#[derive(Default)]
pub(super) struct Pending {
    pub entries: Vec<Entry>,
    pub values: Vec<(String, RunValue)>,
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

    /// Leaves a value at a place.
    pub(super) fn leave(&mut self, place: String, value: &impl Serialize) {
        let text = serde_json::to_string(value).expect("it is made of JSON");
        self.values.push((place, RunValue::Text(text)));
    }

    /// What a commit has taken over, which was not made.
    pub(super) fn take_back(&mut self, commit: &RunCommit) {
        self.values = commit.values.clone();
        self.intents = commit.intents.clone();
        self.settled = commit.settled.clone();
        self.dropped = commit.dropped.clone();
        self.asked = commit.asked.clone();
        self.closed = commit.closed.clone();
        self.taken = commit.taken.clone();
        self.children = commit.children.clone();
        self.cancelled = commit.cancelled.clone();
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
