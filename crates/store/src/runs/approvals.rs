//! Approvals: questions of runs to people, each decided once. The row is what decides; the run hears of it by a signal.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row, params};
use serde_json::json;
use uuid::Uuid;

use super::{RunId, signals};
use crate::{
    Actor, Grant, Permission, Role, Scope, Store, StoreError, StoreErrorKind, TenantKey,
    audit::{Deed, act},
    database::instant,
    feed::{ChangeKind, note},
    writer::Writing,
};

/// A question to be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewApproval {
    /// Of which step.
    pub place: String,
    /// The question.
    pub ask: String,
    /// Who may decide; empty for every responder.
    pub roles: Vec<String>,
    /// Whether the one who started the run may.
    pub own: bool,
    /// Until when.
    pub ends: Timestamp,
}

/// A question, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    /// Whose run.
    pub tenant: TenantKey,
    /// Its id.
    pub id: String,
    /// Which run.
    pub run: RunId,
    /// The run's workflow.
    pub workflow: String,
    /// As it was asked.
    pub new: NewApproval,
    /// Who started the run.
    pub started_by: String,
    /// When it was asked.
    pub asked: Timestamp,
    /// When it was decided.
    pub decided: Option<Timestamp>,
    /// How.
    pub decision: Option<Decision>,
    /// By whom.
    pub decided_by: Option<String>,
    /// Why, in their words.
    pub why: Option<String>,
}

/// What became of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Decision {
    /// Somebody said yes.
    Approved,
    /// Somebody said no.
    Rejected,
    /// Nobody said anything in time.
    Expired,
    /// The run went on without it.
    Withdrawn,
}

impl Decision {
    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::Withdrawn => "withdrawn",
        }
    }

    fn of(word: &str) -> Option<Self> {
        [Self::Approved, Self::Rejected, Self::Expired, Self::Withdrawn].into_iter().find(|one| one.word() == word)
    }
}

impl Approval {
    /// Whether somebody may decide it: by one of its roles, or as a responder, and not what they asked for themselves.
    ///
    /// # Errors
    /// [`StoreErrorKind::Forbidden`], [`StoreErrorKind::OwnRequest`].
    pub fn may_be_decided_by(&self, actor: &Actor) -> Result<(), StoreErrorKind> {
        if !self.new.own && actor.owner_name() == self.started_by {
            return Err(StoreErrorKind::OwnRequest(self.id.clone()));
        }
        let asked = self.new.roles.iter().filter_map(|role| role.parse::<Role>().ok()).min();
        let least = asked.unwrap_or(Role::Responder);
        let reaches = |grant: &Grant| grant.role >= least && grant.tenant.is_none_or(|tenant| tenant == self.tenant);
        match actor.grants.iter().any(reaches) {
            true => Ok(()),
            false => Err(StoreErrorKind::Forbidden { who: actor.name.clone(), role: least, reach: "for this tenant" }),
        }
    }
}

impl Store {
    /// The scope's questions, the latest first; with `open` those alone that nobody has decided, with `before` those alone that
    /// come after this one in that order.
    ///
    /// # Errors
    /// [`StoreError`] when the file cannot be read.
    pub async fn approvals(
        &self,
        scope: Scope,
        open: bool,
        before: Option<&Approval>,
        count: u32,
    ) -> Result<Vec<Approval>, StoreError> {
        let before = before.map(|one| (one.asked.as_microsecond(), Uuid::parse_str(&one.id).unwrap_or_default()));
        let (at, id) = before.map_or((i64::MAX, [0; 16]), |(at, id)| (at, id.into_bytes()));
        self.read("list approvals", move |sqlite| {
            let sql = format!(
                "SELECT {COLUMNS} FROM approvals WHERE tenant_id = coalesce(?1, tenant_id) AND (NOT ?2 OR decided_us IS NULL)
                 AND (asked_us < ?4 OR asked_us = ?4 AND approval_id > ?5)
                 ORDER BY asked_us DESC, approval_id LIMIT ?3"
            );
            let mut statement = sqlite.prepare_cached(&sql)?;
            let rows = statement.query_map(params![scope.filter(), open, count, at, id], approval)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// The questions of one run, in the order in which they were asked.
    ///
    /// # Errors
    /// [`StoreError`] when the file cannot be read.
    pub async fn approvals_of(&self, scope: Scope, run: RunId) -> Result<Vec<Approval>, StoreError> {
        self.read("list approvals of a run", move |sqlite| {
            let sql = format!(
                "SELECT {COLUMNS} FROM approvals WHERE tenant_id = ?1 AND run_id = ?2 ORDER BY asked_us, place"
            );
            let mut statement = sqlite.prepare_cached(&sql)?;
            let rows = statement.query_map(params![scope.owner()?, run], approval)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// One question.
    ///
    /// # Errors
    /// [`StoreErrorKind::Absent`] where the scope has none of that id.
    pub async fn approval(&self, scope: Scope, id: &str) -> Result<Approval, StoreError> {
        let id = id.to_owned();
        self.read("read an approval", move |sqlite| {
            let sql = format!(
                "SELECT {COLUMNS} FROM approvals WHERE approval_id = ?1 AND tenant_id = coalesce(?2, tenant_id)"
            );
            let bytes = Uuid::parse_str(&id).map(Uuid::into_bytes).unwrap_or_default();
            let found = sqlite.prepare_cached(&sql)?.query_row(params![bytes, scope.filter()], approval).optional()?;
            found.ok_or_else(|| StoreErrorKind::Absent(format!("approval {id}")))
        })
        .await
    }

    /// Decides a question, once.
    ///
    /// # Errors
    /// [`StoreErrorKind::Stale`] when it was decided before, or its time is over; [`StoreErrorKind::Forbidden`] to whom it is
    /// not granted; [`StoreErrorKind::OwnRequest`] to whoever started the run, unless the workflow lets them.
    pub async fn decide(&self, approval: &Approval, approves: bool, why: Option<String>) -> Result<(), StoreError> {
        let (approval, actor, now) = (approval.clone(), self.actor(), self.now());
        self.write(&format!("decide approval {}", approval.id), move |sqlite| {
            let by = actor.name.clone();
            approval.may_be_decided_by(&actor)?;
            let detail = json!({ "approves": approves, "why": why, "run": approval.run.to_string() });
            let (permission, scope) = (Permission::DecideApproval, Scope::Tenant(approval.tenant));
            let object = approval.id.clone();
            act(sqlite, &actor, &Deed { permission, scope, action: "approval.decide", object, detail }, now)?;
            let decision = if approves { Decision::Approved } else { Decision::Rejected };
            let sql = "UPDATE approvals SET decided_us = ?3, decision = ?4, decided_by = ?5, why = ?6
                       WHERE tenant_id = ?1 AND approval_id = ?2 AND decided_us IS NULL AND ends_us > ?3";
            let id = Uuid::parse_str(&approval.id).map(Uuid::into_bytes).unwrap_or_default();
            let row = params![approval.tenant, id, now.as_microsecond(), decision.word(), by, why];
            if sqlite.prepare_cached(sql)?.execute(row)? == 0 {
                return Err(StoreErrorKind::Stale(format!("approval {}", approval.id)));
            }
            let signal =
                json!({ "signal": "decided", "place": approval.new.place, "approves": approves, "by": by, "why": why });
            signals::insert(sqlite, approval.tenant, approval.run, &signal.to_string(), now)?;
            note(sqlite, approval.tenant, ChangeKind::Approval, &approval.id, now);
            Ok(())
        })
        .await
    }
}

/// Asks. A question of the same place that nobody has answered is the same question.
pub(super) fn insert(
    sqlite: &Writing<'_>,
    tenant: TenantKey,
    run: RunId,
    new: &NewApproval,
    now: Timestamp,
) -> Result<(), StoreErrorKind> {
    let sql = "INSERT INTO approvals (tenant_id, approval_id, run_id, place, workflow_id, ask, roles, own, started_by, asked_us, ends_us)
               SELECT ?1, ?2, ?3, ?4, workflow_id, ?5, ?6, ?7, started_by, ?8, ?9 FROM runs WHERE tenant_id = ?1 AND run_id = ?3
               AND NOT EXISTS (SELECT 1 FROM approvals WHERE tenant_id = ?1 AND run_id = ?3 AND place = ?4 AND decided_us IS NULL)";
    let id = Uuid::now_v7();
    let roles = serde_json::to_string(&new.roles).expect("a list of texts is JSON");
    let row = params![
        tenant,
        id.as_bytes(),
        run,
        new.place,
        new.ask,
        roles,
        new.own,
        now.as_microsecond(),
        new.ends.as_microsecond()
    ];
    sqlite.prepare_cached(sql)?.execute(row)?;
    note(sqlite, tenant, ChangeKind::Approval, &id.to_string(), now);
    Ok(())
}

/// Ends a question without an answer; false where somebody has decided it meanwhile.
pub(super) fn end(
    sqlite: &Writing<'_>,
    tenant: TenantKey,
    run: RunId,
    place: &str,
    decision: Decision,
    now: Timestamp,
) -> Result<bool, StoreErrorKind> {
    let sql = "UPDATE approvals SET decided_us = ?4, decision = ?5
               WHERE tenant_id = ?1 AND run_id = ?2 AND place = ?3 AND decided_us IS NULL RETURNING approval_id";
    let row = params![tenant, run, place, now.as_microsecond(), decision.word()];
    let ended: Option<[u8; 16]> = sqlite.prepare_cached(sql)?.query_row(row, |row| row.get(0)).optional()?;
    if let Some(id) = ended {
        note(sqlite, tenant, ChangeKind::Approval, &Uuid::from_bytes(id).to_string(), now);
    }
    Ok(ended.is_some())
}

fn approval(row: &Row<'_>) -> rusqlite::Result<Approval> {
    let id: [u8; 16] = row.get(1)?;
    let roles: String = row.get(6)?;
    let decision: Option<String> = row.get(12)?;
    Ok(Approval {
        tenant: row.get(0)?,
        id: Uuid::from_bytes(id).to_string(),
        run: row.get(2)?,
        workflow: row.get(4)?,
        new: NewApproval {
            place: row.get(3)?,
            ask: row.get(5)?,
            roles: serde_json::from_str(&roles).unwrap_or_default(),
            own: row.get(7)?,
            ends: instant(row.get(10)?),
        },
        started_by: row.get(8)?,
        asked: instant(row.get(9)?),
        decided: row.get::<_, Option<i64>>(11)?.map(instant),
        decision: decision.as_deref().and_then(Decision::of),
        decided_by: row.get(13)?,
        why: row.get(14)?,
    })
}

const COLUMNS: &str = "tenant_id, approval_id, run_id, place, workflow_id, ask, roles, own, started_by, asked_us, ends_us, \
                       decided_us, decision, decided_by, why";
