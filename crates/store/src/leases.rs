//! Leases: the right to advance one thing until a time. Each taking raises the epoch, and what an earlier holder still
//! writes is refused by it.

use jiff::{SignedDuration, Timestamp};
use rusqlite::{OptionalExtension, params};

use crate::{NodeId, Scope, Store, StoreError, StoreErrorKind, TenantKey, database::instant};

/// What is leased: a poll cursor, a run, a schedule.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LeaseSubject {
    /// `poll`, `run` and so on.
    pub kind: String,
    /// Its id.
    pub id: String,
}

/// A lease that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Whose thing.
    pub tenant: TenantKey,
    /// Which.
    pub subject: LeaseSubject,
    /// Who may advance it.
    pub node: NodeId,
    /// How many times it was taken; every write under the lease names it.
    pub epoch: i64,
    /// The end, unless it is renewed.
    pub until: Timestamp,
}

impl Store {
    /// Takes the lease if nobody holds it now; `None` while somebody does. Its own holder takes it anew with a new epoch.
    ///
    /// # Errors
    /// [`StoreError`] when the row cannot be written.
    pub async fn lease(
        &self,
        scope: Scope,
        subject: &LeaseSubject,
        node: NodeId,
        length: SignedDuration,
    ) -> Result<Option<Lease>, StoreError> {
        let (subject, now) = (subject.clone(), self.now());
        let until = now.saturating_add(length).expect("a signed duration is never a calendar span");
        self.write_statement("take a lease", move |connection| {
            let tenant = scope.owner()?;
            let sql =
                "INSERT INTO leases (tenant_id, kind, subject, node_id, epoch, until_us) VALUES (?1, ?2, ?3, ?4, 1, ?5)
                       ON CONFLICT (tenant_id, kind, subject) DO UPDATE
                       SET node_id = ?4, epoch = leases.epoch + 1, until_us = ?5
                       WHERE leases.node_id IS NULL OR leases.until_us <= ?6 OR leases.node_id = ?4
                       RETURNING epoch";
            let row = params![tenant, subject.kind, subject.id, node, until.as_microsecond(), now.as_microsecond()];
            let epoch = connection.prepare_cached(sql)?.query_row(row, |row| row.get(0)).optional()?;
            Ok(epoch.map(|epoch| Lease { tenant, subject, node, epoch, until }))
        })
        .await
    }

    /// Holds it longer.
    ///
    /// # Errors
    /// [`StoreErrorKind::Stale`] when somebody else has taken it.
    pub async fn renew_lease(&self, lease: &Lease, length: SignedDuration) -> Result<Lease, StoreError> {
        let until = self.now().saturating_add(length).expect("a signed duration is never a calendar span");
        let renewed = Lease { until, ..lease.clone() };
        let row = renewed.clone();
        self.write_statement("renew a lease", move |connection| {
            let sql = "UPDATE leases SET until_us = ?6
                       WHERE tenant_id = ?1 AND kind = ?2 AND subject = ?3 AND node_id = ?4 AND epoch = ?5";
            let (subject, until) = (&row.subject, row.until.as_microsecond());
            let values = params![row.tenant, subject.kind, subject.id, row.node, row.epoch, until];
            row.written(connection.prepare_cached(sql)?.execute(values)?)
        })
        .await?;
        Ok(renewed)
    }

    /// Gives it back, so that anybody may take it at once.
    ///
    /// # Errors
    /// [`StoreErrorKind::Stale`] when somebody else has taken it.
    pub async fn release_lease(&self, lease: Lease) -> Result<(), StoreError> {
        self.write_statement("give a lease back", move |connection| {
            let sql = "UPDATE leases SET node_id = NULL
                       WHERE tenant_id = ?1 AND kind = ?2 AND subject = ?3 AND node_id = ?4 AND epoch = ?5";
            let subject = &lease.subject;
            let values = params![lease.tenant, subject.kind, subject.id, lease.node, lease.epoch];
            lease.written(connection.prepare_cached(sql)?.execute(values)?)
        })
        .await
    }

    /// The leases of a kind that have ended without being given back: their holders died. Oldest first.
    ///
    /// # Errors
    /// [`StoreError`] when the file cannot be read.
    pub async fn ended_leases(&self, scope: Scope, kind: &str, count: u32) -> Result<Vec<Lease>, StoreError> {
        let (kind, now) = (kind.to_owned(), self.now());
        self.read("list ended leases", move |connection| {
            let sql = "SELECT tenant_id, subject, node_id, epoch, until_us FROM leases
                       WHERE kind = ?1 AND until_us <= ?2 AND node_id IS NOT NULL AND tenant_id = coalesce(?3, tenant_id)
                       ORDER BY until_us LIMIT ?4";
            let mut statement = connection.prepare_cached(sql)?;
            let rows = statement.query_map(params![kind, now.as_microsecond(), scope.filter(), count], |row| {
                Ok(Lease {
                    tenant: row.get(0)?,
                    subject: LeaseSubject { kind: kind.clone(), id: row.get(1)? },
                    node: row.get(2)?,
                    epoch: row.get(3)?,
                    until: instant(row.get(4)?),
                })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }
}

impl Lease {
    /// Judges a write that named holder and epoch itself: between a look and a write another node could take the lease.
    fn written(&self, rows: usize) -> Result<(), StoreErrorKind> {
        match rows {
            0 => Err(StoreErrorKind::Stale(format!("the lease of {} {}", self.subject.kind, self.subject.id))),
            _ => Ok(()),
        }
    }
}
