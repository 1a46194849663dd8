//! The feed: what changed, in the order in which it was committed, written in the same transaction as the change.

use jiff::Timestamp;
use rusqlite::{Connection, params};
use tokio::sync::watch;

use crate::{Scope, Store, StoreError, StoreErrorKind, TenantKey, database::instant, writer::Writing};

/// One change; what it is about is read anew by whoever wants it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its place; a reader goes on after it.
    pub seq: i64,
    /// Whose.
    pub tenant: TenantKey,
    /// `connection`, `tenant` and so on.
    pub kind: String,
    /// Its id.
    pub object: String,
    /// When.
    pub at: Timestamp,
}

/// What follows a place in the feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Feed {
    /// The changes after it, oldest first, and no more than were asked for.
    Changes(Vec<Change>),
    /// Changes after the place were pruned: read everything anew, and go on from here.
    Reset(i64),
}

/// The kinds of objects that the feed tells of.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ChangeKind {
    Approval,
    Connection,
    Connector,
    Run,
    Signal,
    Guardrail,
    Principal,
    Tenant,
    Value,
    Workflow,
}

impl Noted {
    /// Whether it changes how the installation is set up, and not what it is doing.
    pub(crate) fn is_of_settings(&self) -> bool {
        use ChangeKind as Kind;
        matches!(self.kind, Kind::Connection | Kind::Connector | Kind::Guardrail | Kind::Tenant | Kind::Workflow)
    }
}

impl ChangeKind {
    fn word(self) -> &'static str {
        match self {
            Self::Approval => "approval",
            Self::Connection => "connection",
            Self::Connector => "connector",
            Self::Run => "run",
            Self::Signal => "signal",
            Self::Guardrail => "guardrail",
            Self::Principal => "principal",
            Self::Tenant => "tenant",
            Self::Value => "value",
            Self::Workflow => "workflow",
        }
    }
}

/// A change that waits for the end of its transaction.
#[derive(Debug)]
pub(crate) struct Noted {
    tenant: TenantKey,
    kind: ChangeKind,
    object: String,
    now: Timestamp,
}

/// Adds a change to the transaction that makes it. It goes when its write is rolled back.
pub(crate) fn note(writing: &Writing<'_>, tenant: TenantKey, kind: ChangeKind, object: &str, now: Timestamp) {
    writing.note(Noted { tenant, kind, object: object.to_owned(), now });
}

/// Writes the changes of a whole transaction right before its commit, in the order of their writes.
pub(crate) fn append(connection: &Connection, changes: &[Noted]) -> Result<(), StoreErrorKind> {
    if changes.is_empty() {
        return Ok(());
    }
    // SQLite numbers a row one above the last. There is one writer, and the last row is never pruned: no number is left
    // out, and none comes twice.
    let sql = "INSERT INTO changes (tenant_id, kind, object, at_us) VALUES (?1, ?2, ?3, ?4)";
    let mut statement = connection.prepare_cached(sql)?;
    for change in changes {
        let Noted { tenant, kind, object, now } = change;
        statement.execute(params![tenant, kind.word(), object, now.as_microsecond()])?;
    }
    Ok(())
}

impl Store {
    /// Moves whenever the feed has grown; what has, [`Self::changes`] tells.
    pub fn watch_changes(&self) -> watch::Receiver<()> {
        self.inner.changed()
    }

    /// Moves with every commit that changes tenants, connections with their secrets, connectors, guardrails or workflows. What
    /// was made of them is good as long as it stays; whoever is told of a change finds it moved.
    pub fn settings_edition(&self) -> u64 {
        self.inner.settings_edition()
    }

    /// What changed after `after` (0 for the start), at most `count` changes of the scope.
    ///
    /// # Errors
    /// [`StoreError`] when the file cannot be read.
    pub async fn changes(&self, scope: Scope, after: i64, count: u32) -> Result<Feed, StoreError> {
        self.read("read the feed of changes", move |connection| {
            let ends = "SELECT coalesce((SELECT max(seq) FROM changes), 0), (SELECT min(seq) FROM changes)";
            let (last, first): (i64, Option<i64>) =
                connection.prepare_cached(ends)?.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            // With nothing left everything up to the last one was pruned. A place from the future is of another file.
            if after > last || after + 1 < first.unwrap_or(last + 1) {
                return Ok(Feed::Reset(last));
            }
            let sql = "SELECT seq, tenant_id, kind, object, at_us FROM changes
                       WHERE seq > ?1 AND tenant_id = coalesce(?2, tenant_id) ORDER BY seq LIMIT ?3";
            let mut statement = connection.prepare_cached(sql)?;
            let rows = statement.query_map(params![after, scope.filter(), count], |row| {
                Ok(Change {
                    seq: row.get(0)?,
                    tenant: row.get(1)?,
                    kind: row.get(2)?,
                    object: row.get(3)?,
                    at: instant(row.get(4)?),
                })
            })?;
            Ok(Feed::Changes(rows.collect::<Result<_, _>>()?))
        })
        .await
    }
}
