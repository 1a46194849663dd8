//! Runs: their orders to start, where each stands, what happened in it, and the one way to take one further.

mod approvals;
mod claims;
mod commit;
mod fresh;
mod intents;
mod list;
mod prune;
mod signals;
mod start;

use std::fmt;

pub use approvals::{Approval, Decision, NewApproval};
pub(crate) use claims::Claims;
pub use commit::{Committed, RunCommit, Settled};
pub(crate) use fresh::Fresh;
pub use intents::{Guard, Intent, NewIntent};
use jiff::Timestamp;
pub use list::{OpenRun, RunFilter, TakenUp};
use rusqlite::{
    Row,
    types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef},
};
pub use signals::Signal;
pub(crate) use start::insert as order;
pub use start::{NewRun, Started};
use uuid::Uuid;

use crate::{BlobHash, NodeId, TenantKey, database::instant};

/// One run.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RunId(Uuid);

/// Where a run stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// Whose: exactly one tenant's.
    pub tenant: TenantKey,
    /// Which.
    pub id: RunId,
    /// Where its workflow is kept.
    pub home: TenantKey,
    /// Its workflow.
    pub workflow: String,
    /// The version that it keeps to.
    pub version: String,
    /// How it goes.
    pub status: RunStatus,
    /// Why it does not go on, or what a `stop` said.
    pub why: Option<String>,
    /// How it ended, as a word.
    pub outcome: Option<String>,
    /// Of a failure: whether its workflow has dealt with it.
    pub handled: bool,
    /// Whether it does what it says.
    pub mode: RunMode,
    /// The trigger's kind: `manual`, `webhook` and so on.
    pub cause: String,
    /// What it is about, such as `incident 924518`.
    pub object: Option<String>,
    /// Who started it.
    pub started_by: String,
    /// The run that started it, and the place of its step there.
    pub parent: Option<(RunId, String)>,
    /// The run that it repeats.
    pub again_of: Option<RunId>,
    /// Runs above it.
    pub depth: u32,
    /// When it was ordered.
    pub made: Timestamp,
    /// When it began.
    pub begun: Option<Timestamp>,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// When it wants to go on by itself.
    pub wake: Option<Timestamp>,
    /// Who takes it further.
    pub node: Option<NodeId>,
    /// How many have taken it.
    pub epoch: i64,
    /// How many commits it has had.
    pub seq: i64,
    /// Where its machine stands.
    pub snapshot: Option<String>,
}

/// How a run goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RunStatus {
    /// Nobody has begun it.
    Queued,
    /// It is at work.
    Running,
    /// It waits for time, for a person, or for another run.
    Waiting,
    /// A guardrail holds an effect of it.
    Held,
    /// A connection of it does not authenticate.
    Blocked,
    /// A person must settle a doubt.
    NeedsAttention,
    /// It has ended.
    Ended,
}

/// Whether a run does what it says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum RunMode {
    /// It does.
    #[default]
    Live,
    /// A trigger started it while its workflow only observes: it records what it would do.
    Observe,
    /// A person wanted to see what it would do.
    Dry,
}

/// A value of a run at a place: JSON, or the hash of a blob of it.
#[derive(Clone, Debug, PartialEq)]
pub enum RunValue {
    /// JSON.
    Text(String),
    /// What is too large for a row.
    Blob(BlobHash),
}

/// One commit's part of a journal.
#[derive(Clone, Debug, PartialEq)]
pub struct JournalRow {
    /// The commit's number.
    pub seq: i64,
    /// When.
    pub at: Timestamp,
    /// A JSON list.
    pub entries: String,
}

impl RunId {
    /// Of sixteen bytes that tell it from all others.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }

    /// Its sixteen bytes.
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// As it is written.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse().ok().map(Self)
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl ToSql for RunId {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Blob(self.0.as_bytes())))
    }
}

impl FromSql for RunId {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Uuid::from_slice(value.as_blob()?).map(Self).map_err(|error| FromSqlError::Other(Box::new(error)))
    }
}

macro_rules! words { ($kind:ident $($variant:ident $word:literal),+ $(,)?) => {
    impl $kind {
        /// All of them.
        pub const ALL: &[Self] = &[$(Self::$variant),+];

        /// Its word.
        pub fn word(self) -> &'static str {
            match self { $(Self::$variant => $word),+ }
        }

        /// The one of this word.
        pub fn of(word: &str) -> Option<Self> {
            Self::ALL.iter().copied().find(|one| one.word() == word)
        }
    }

    impl ToSql for $kind {
        fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
            Ok(self.word().into())
        }
    }
} }

/// A word of another version, or of none, is for a person to look at, and hides no other run.
impl FromSql for RunStatus {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Ok(Self::of(value.as_str()?).unwrap_or(Self::NeedsAttention))
    }
}

/// What is not known to be live does nothing.
impl FromSql for RunMode {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Ok(Self::of(value.as_str()?).unwrap_or(Self::Dry))
    }
}

words!(RunStatus Queued "queued", Running "running", Waiting "waiting", Held "held", Blocked "blocked",
    NeedsAttention "needs_attention", Ended "ended");
words!(RunMode Live "live", Observe "observe", Dry "dry");

fn run(row: &Row<'_>) -> rusqlite::Result<Run> {
    let at = |index: usize| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(index)?.map(instant));
    let parent: Option<RunId> = row.get(13)?;
    Ok(Run {
        tenant: row.get(0)?,
        id: row.get(1)?,
        home: row.get(2)?,
        workflow: row.get(3)?,
        version: row.get(4)?,
        status: row.get(5)?,
        why: row.get(6)?,
        outcome: row.get(7)?,
        handled: row.get(8)?,
        mode: row.get(9)?,
        cause: row.get(10)?,
        object: row.get(11)?,
        started_by: row.get(12)?,
        parent: parent.zip(row.get(14)?),
        again_of: row.get(15)?,
        depth: row.get(16)?,
        made: instant(row.get(17)?),
        begun: at(18)?,
        ended: at(19)?,
        wake: at(20)?,
        node: row.get(21)?,
        epoch: row.get(22)?,
        seq: row.get(23)?,
        snapshot: row.get(24)?,
    })
}

const COLUMNS: &str = "tenant_id, run_id, home_id, workflow_id, version, status, why, outcome, handled, mode, cause, object, \
                       started_by, parent_id, parent_place, again_of, depth, made_us, begun_us, ended_us, wake_us, node_id, \
                       epoch, seq, snapshot";
