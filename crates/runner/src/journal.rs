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

    /// A page of these entries, as it is written.
    pub(crate) fn text(entries: &[Entry]) -> serde_json::Result<String> {
        #[derive(Serialize)]
        struct Written<'a> {
            format: u32,
            entries: &'a [Entry],
        }
        serde_json::to_string(&Written { format: Self::FORMAT, entries })
    }

    /// Reads what a commit has written.
    ///
    /// # Errors
    /// [`JournalError`] where another version has written it, or nobody has.
    pub fn read(text: &str) -> Result<Self, JournalError> {
        #[derive(Deserialize)]
        struct Format {
            format: u64,
        }
        let Format { format } = serde_json::from_str(text)?;
        match format == u64::from(Self::FORMAT) {
            true => Ok(serde_json::from_str(text)?),
            false => Err(JournalError::Format { found: format, known: Self::FORMAT }),
        }
    }
}

/// Why a page of a journal cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Another version has written it.
    #[error("its journal has format {found}, and this version of Sortie knows format {known}")]
    Format {
        /// Of the page.
        found: u64,
        /// Of this program.
        known: u32,
    },
    /// It has an entry of a kind that this version does not know, or is none.
    #[error("its journal cannot be read: {0}")]
    Unreadable(#[from] serde_json::Error),
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

#[cfg(test)]
mod tests {
    use super::*;

    /// One entry of each kind; whoever adds a kind must add it here, and a golden file of its own.
    fn every_kind() -> Vec<Happened> {
        let text = || "a text".to_owned();
        vec![
            Happened::Begun,
            Happened::Decided { gave: true },
            Happened::Listed { items: 3 },
            Happened::Broken { why: text() },
            Happened::Calling { call: text(), attempt: 1 },
            Happened::Answered { attempt: 2 },
            Happened::Failed {
                attempt: 1,
                delivery: Delivery::Throttled,
                kind: TroubleKind::Forbidden,
                why: text(),
                next: text(),
            },
            Happened::WouldSend { call: text(), request: serde_json::json!({ "method": "POST" }) },
            Happened::Looked { seen: Seen::Newer },
            Happened::Followed { well: false },
            Happened::CalledOff { failed: Some(text()) },
            Happened::Waits { until: Timestamp::UNIX_EPOCH },
            Happened::Asked { ask: text(), until: Timestamp::UNIX_EPOCH },
            Happened::Approval { approves: true, by: text(), why: Some(text()) },
            Happened::Child { workflow: text() },
            Happened::Doubt { why: Doubt::Changed },
            Happened::Resolved { resolution: Resolution::DidNotHappen, by: text() },
            Happened::Held { why: text() },
            Happened::Console { lines: vec![text()] },
            Happened::Ended { outcome: Outcome::TimedOut, skipped: Some(Skipped::NotAllAsked) },
            Happened::Cancel { by: text() },
            Happened::Finished { outcome: Outcome::Failed, handled: true, message: Some(text()) },
        ]
    }

    #[test]
    fn every_kind_of_entry_is_read_as_it_was_written() {
        let mut kinds = std::collections::HashSet::new();
        let entries = every_kind().into_iter().map(|what| {
            assert!(kinds.insert(std::mem::discriminant(&what)), "{what:?} is there twice");
            Entry { at: Timestamp::UNIX_EPOCH, step: Some("devices[0].isolate".to_owned()), what }
        });
        let page = Page { format: Page::FORMAT, entries: entries.collect() };
        let text = include_str!("../tests/golden/1-journal.json");
        assert_eq!(Page::read(text).unwrap(), page);
        assert_eq!(serde_json::from_str::<Value>(text).unwrap(), serde_json::to_value(&page).unwrap());
    }

    #[test]
    fn what_is_no_page_of_ours_is_told() {
        #[track_caller]
        fn check(text: &str, expected: &str) {
            let error = Page::read(text).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
        check(r#"{"format":2}"#, "its journal has format 2, and this version of Sortie knows format 1");
        check(r#"{"format":18446744073709551615}"#, "its journal has format 18446744073709551615");
        check(r#"{"format":-1}"#, "its journal cannot be read");
        check(r#"{"entries":[]}"#, "its journal cannot be read: missing field `format`");
        check("", "its journal cannot be read");
    }
}
