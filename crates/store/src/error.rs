//! Why the store did not do what was asked, who must act, and what to do next.

use std::sync::Arc;

/// What failed and why. Prints as `cannot save connection contoso`; the source says the rest.
#[derive(Clone, Debug, thiserror::Error)]
#[error("cannot {doing}")]
pub struct StoreError {
    /// The operation in words.
    pub doing: String,
    /// What went wrong.
    #[source]
    pub kind: StoreErrorKind,
}

/// What went wrong.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreErrorKind {
    /// Another process has the database.
    #[error("{holder} has the database {path}")]
    Held {
        /// The file.
        path: String,
        /// Process and command, as the holder wrote them.
        holder: String,
    },
    /// A later version of Sortie has changed the file's form.
    #[error("the database has form {found}, and this version of Sortie knows up to {known}")]
    Newer {
        /// Of the file.
        found: i64,
        /// Of this program.
        known: i64,
    },
    /// The file belongs to another program.
    #[error("{0} is no database of Sortie")]
    NotOurs(String),
    /// The file cannot be read as a database.
    #[error("the database is damaged: {0}")]
    Damaged(String),
    /// Nothing can be written any more.
    #[error("the disk is full")]
    DiskFull,
    /// The file or its folder cannot be written.
    #[error("the database cannot be written: {0}")]
    ReadOnly(String),
    /// A file beside the database could not be used.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: String,
        /// Why.
        #[source]
        source: Arc<std::io::Error>,
    },
    /// Anything else that SQLite says.
    #[error("SQLite: {0}")]
    Sqlite(Arc<rusqlite::Error>),
    /// The store is being closed.
    #[error("the store is closed")]
    Closed,
    /// A fault in Sortie itself; nothing of the operation was kept.
    #[error("a fault in Sortie ended it; nothing of it was kept")]
    Abandoned,
    /// The key that opens the secrets.
    #[error("{0}")]
    Key(#[from] KeyProblem),
    /// Nothing is called so.
    #[error("there is no {0}")]
    Absent(String),
    /// The name is taken.
    #[error("{0} exists already")]
    Exists(String),
    /// Somebody else has changed it since it was read.
    #[error("{0} was changed by somebody else meanwhile")]
    Stale(String),
    /// Somebody wants to approve what they asked for themselves.
    #[error("approval {0} is about a run that you started yourself")]
    OwnRequest(String),
    /// A guardrail does not let an effect leave.
    #[error("a guardrail does not let it leave")]
    Guarded {
        /// Which of the intents.
        intent: usize,
        /// What the guardrail says.
        admission: Box<crate::Admission>,
    },
    /// Another run is doing the same to the same.
    #[error("run {by} is doing the same to the same")]
    Active {
        /// Which of the intents.
        intent: usize,
        /// The other run.
        by: crate::RunId,
    },
    /// Still needed.
    #[error("it is used by {}", .0.join(", "))]
    InUse(Vec<String>),
    /// More than is kept.
    #[error("{what} has {bytes} bytes, and {bytes_max} are kept at most")]
    TooLarge {
        /// What.
        what: String,
        /// Its size.
        bytes: u64,
        /// The bound.
        bytes_max: u64,
    },
    /// More of them than are kept.
    #[error("{what} has {count} entries, and {count_max} are kept at most")]
    TooMany {
        /// What.
        what: String,
        /// How many.
        count: u64,
        /// The bound.
        count_max: u64,
    },
    /// Whoever asks was not granted it.
    #[error("{who} lacks the role {role} {reach}")]
    Forbidden {
        /// Who.
        who: String,
        /// The least role that may.
        role: crate::Role,
        /// Where.
        reach: &'static str,
    },
    /// The scope of the caller does not reach it.
    #[error("this needs one tenant, not all of them")]
    NeedsTenant,
}

/// What is wrong with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyProblem {
    /// Secrets are there, and the key that sealed them is not.
    #[error("the key that opens this database's secrets is not there")]
    Missing,
    /// The check value does not open.
    #[error("this is not the key that sealed this database's secrets")]
    Wrong,
    /// It is no key at all.
    #[error("the key is not 32 bytes in base64")]
    Malformed,
    /// The file is readable by others.
    #[error("the key file can be read by others")]
    Exposed,
    /// The sealed text does not belong to this row, or was changed.
    #[error(
        "the sealed secret does not fit its connection: address, token URL or allowed hosts were changed, or the row was"
    )]
    Unfitting,
}

impl StoreError {
    pub(crate) fn new(doing: impl Into<String>, kind: impl Into<StoreErrorKind>) -> Self {
        Self { doing: doing.into(), kind: kind.into() }
    }

    /// What to do next, as a full sentence.
    pub fn remedy(&self) -> &'static str {
        use StoreErrorKind as Kind;
        match &self.kind {
            Kind::Held { .. } => "Wait until it has ended, or stop it; one process at a time has the database.",
            Kind::Newer { .. } => "Use the version of Sortie that wrote it, or a later one; nothing was changed.",
            Kind::NotOurs(_) => "Name another file; this one was not touched.",
            Kind::Damaged(_) => "Restore the last backup (`sortie restore`), and look at the disk.",
            Kind::DiskFull => "Make room on the disk, then repeat it; nothing was half-written.",
            Kind::ReadOnly(_) | Kind::File { .. } => {
                "Give the user who runs Sortie the right to this file and its folder."
            }
            Kind::Sqlite(_) => "Repeat it; if it stays, restore the last backup.",
            Kind::Closed => "Repeat it once Sortie runs again.",
            Kind::Abandoned => "Report it with the log's lines of this minute.",
            Kind::Key(problem) => problem.remedy(),
            Kind::Absent(_) => "Look at the list for what is there.",
            Kind::Exists(_) => "Take another name, or change the one that is there.",
            Kind::Stale(_) => "Look at it again, and repeat the change if it is still wanted.",
            Kind::OwnRequest(_) => "Ask somebody else to decide.",
            Kind::Guarded { .. } => "`sortie guardrail show` says what holds it.",
            Kind::Active { .. } => "Wait until that run has ended, or cancel it.",
            Kind::InUse(_) => "Take it out of them first; runs end, or are cancelled by `sortie runs cancel`.",
            Kind::TooLarge { .. } => "Make it smaller.",
            Kind::TooMany { .. } => "Take some out, or say several of them by one pattern with `*`.",
            Kind::Forbidden { .. } => "Ask an administrator for the role (`sortie user grant`); nothing was changed.",
            Kind::NeedsTenant => "Name the tenant.",
        }
    }
}

impl KeyProblem {
    fn remedy(self) -> &'static str {
        match self {
            Self::Missing | Self::Wrong => {
                "Give the key that was made with this database, from its backup; without it the secrets must be entered again."
            }
            Self::Malformed => "Give the key file as it was made, or 32 bytes in base64.",
            Self::Exposed => {
                "Take the others' rights away (`chmod 600`), and rotate the key if others may have read it."
            }
            Self::Unfitting => "Enter the connection's secret again if its addresses are right.",
        }
    }
}

impl From<rusqlite::Error> for StoreErrorKind {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode;
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::DiskFull,
            Some(ErrorCode::DatabaseCorrupt) => Self::Damaged(error.to_string()),
            Some(ErrorCode::NotADatabase) => Self::Damaged("the file is no SQLite database".to_owned()),
            Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
                Self::ReadOnly(error.to_string())
            }
            _ => Self::Sqlite(Arc::new(error)),
        }
    }
}
