//! Workflows: the text that is in force, every version that a run may still need, and whether triggers start it.

use jiff::Timestamp;
use rusqlite::{Connection as Sqlite, OptionalExtension, Row, params};

use serde_json::json;

use crate::{
    Actor, HookedWorkflow, Permission, Scope, Store, StoreError, StoreErrorKind, TenantKey,
    audit::{Deed, act},
    database::instant,
    feed::{ChangeKind, note},
    hooks,
    writer::Writing,
};

/// A workflow as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workflow {
    /// Whose; `shared` for all tenants.
    pub tenant: TenantKey,
    /// Its id.
    pub id: String,
    /// For people.
    pub title: Option<String>,
    /// The document.
    pub text: String,
    /// Hash of what matters in it.
    pub version: String,
    /// Whether triggers start it.
    pub state: WorkflowState,
    /// Why it is paused.
    pub why: Option<String>,
    /// Since when it is enabled: nothing older starts a run.
    pub enabled: Option<Timestamp>,
    /// Goes up with every change.
    pub edition: i64,
    /// When it was changed last.
    pub changed: Timestamp,
}

/// Whether triggers start a workflow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WorkflowState {
    /// No.
    Disabled,
    /// Yes.
    Enabled,
    /// Yes, and its runs record what they would do instead of doing it.
    Observe,
    /// Not until a person says so: it was started too often.
    Paused,
}

/// One version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkflowVersion {
    /// Its hash.
    pub version: String,
    /// Counted from 1.
    pub number: i64,
    /// The document as it was then.
    pub text: String,
    /// Who brought it.
    pub made_by: String,
    /// When.
    pub made: Timestamp,
}

/// A document to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewWorkflow {
    /// Its id.
    pub id: String,
    /// For people.
    pub title: Option<String>,
    /// The document.
    pub text: String,
    /// Hash of what matters in it.
    pub version: String,
}

/// What becomes of the workflows that a set does not name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unnamed {
    /// They stay as they are.
    #[default]
    Stay,
    /// No trigger starts them any more.
    Disable,
    /// They go.
    Remove,
}

/// What a set did to a workflow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// There was none of that id.
    New,
    /// It has another version now.
    Changed,
    /// Its text is another, and means the same.
    Reworded,
    /// It was so already.
    Same,
    /// The set does not name it, and triggers do not start it any more.
    Disabled,
    /// The set does not name it, and it is gone.
    Removed,
}

impl Applied {
    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Changed => "changed",
            Self::Reworded => "reworded",
            Self::Same => "same",
            Self::Disabled => "disabled",
            Self::Removed => "removed",
        }
    }
}

impl WorkflowState {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Disabled, Self::Enabled, Self::Observe, Self::Paused];

    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Disabled => "disabled",
            Self::Enabled => "enabled",
            Self::Observe => "observe",
            Self::Paused => "paused",
        }
    }

    fn of(word: &str) -> Self {
        Self::ALL.into_iter().find(|state| state.word() == word).unwrap_or(Self::Disabled)
    }
}

impl Store {
    /// Keeps a document for the scope's tenant. A new workflow is disabled; one that is there keeps its state. `seen` is the
    /// edition that the author has seen, 0 for a new one; without it whatever is there is replaced.
    ///
    /// # Errors
    /// [`StoreErrorKind::Stale`] when somebody else has changed it meanwhile.
    pub async fn put_workflow(
        &self,
        scope: Scope,
        new: NewWorkflow,
        seen: Option<i64>,
    ) -> Result<Workflow, StoreError> {
        let (actor, now) = (self.actor(), self.now());
        self.write(&format!("keep workflow {}", new.id), move |sqlite| {
            let tenant = scope.owner()?;
            allow(sqlite, &actor, scope, &new, now)?;
            let present = edition(sqlite, tenant, &new.id)?;
            if seen.is_some_and(|seen| seen != present) {
                return Err(StoreErrorKind::Stale(format!("workflow {}", new.id)));
            }
            put(sqlite, tenant, &actor, &new, now)
        })
        .await
    }

    /// Makes the scope's workflows those of the set, all of them or none. What is there already as it is wanted is left alone.
    /// A rehearsal only says what it would do.
    ///
    /// # Errors
    /// [`StoreErrorKind::InUse`] where one that is to go has runs that have not ended; [`StoreErrorKind::Forbidden`].
    pub async fn apply_workflows(
        &self,
        scope: Scope,
        set: Vec<NewWorkflow>,
        unnamed: Unnamed,
        is_rehearsal: bool,
    ) -> Result<Vec<(String, Applied)>, StoreError> {
        let (actor, now) = (self.actor(), self.now());
        actor.require(Permission::ChangeWorkflow, scope).map_err(|kind| StoreError::new("keep workflows", kind))?;
        if is_rehearsal {
            let look = move |sqlite: &Sqlite| Ok(planned(&own(sqlite, scope.owner()?)?, &set, unnamed));
            return self.read("compare workflows", look).await;
        }
        self.write("keep workflows", move |sqlite| {
            let tenant = scope.owner()?;
            let plan = planned(&own(sqlite, tenant)?, &set, unnamed);
            for (id, applied) in &plan {
                match applied {
                    Applied::Same => {}
                    Applied::New | Applied::Changed | Applied::Reworded => {
                        let new = set.iter().find(|new| new.id == *id).expect("the plan is made of the set");
                        allow(sqlite, &actor, scope, new, now)?;
                        put(sqlite, tenant, &actor, new, now)?;
                    }
                    Applied::Disabled => {
                        set_state(sqlite, &actor, scope, id, (WorkflowState::Disabled, None), now)?;
                    }
                    Applied::Removed => remove(sqlite, &actor, scope, id, now)?,
                }
            }
            Ok(plan)
        })
        .await
    }

    /// Keeps a document as a version that runs can refer to, and no workflow.
    ///
    /// # Errors
    /// [`StoreErrorKind::Forbidden`].
    pub async fn keep_version(&self, scope: Scope, new: NewWorkflow) -> Result<(), StoreError> {
        let (actor, now) = (self.actor(), self.now());
        self.write(&format!("keep {}", new.id), move |sqlite| {
            let detail = json!({ "version": new.version });
            act(sqlite, &actor, &change(scope, "workflow.try", &new.id, detail), now)?;
            put_version(sqlite, scope.owner()?, &actor, &new, now)
        })
        .await
    }

    /// Lets triggers start it, or not.
    ///
    /// # Errors
    /// [`StoreErrorKind::Absent`] where the scope's tenant has none of that id.
    pub async fn set_workflow_state(
        &self,
        scope: Scope,
        id: &str,
        state: WorkflowState,
        why: Option<String>,
    ) -> Result<Workflow, StoreError> {
        let (id, actor, now) = (id.to_owned(), self.actor(), self.now());
        self.write(&format!("change workflow {id}"), move |sqlite| {
            set_state(sqlite, &actor, scope, &id, (state, why), now)
        })
        .await
    }

    /// Those that the scope may use: its own and the shared ones, by id.
    ///
    /// # Errors
    /// [`StoreError`] when the file cannot be read.
    pub async fn workflows(&self, scope: Scope) -> Result<Vec<Workflow>, StoreError> {
        self.read("list workflows", move |sqlite| {
            let sql = format!(
                "SELECT {COLUMNS} FROM workflows WHERE tenant_id IN (coalesce(?1, tenant_id), ?2) ORDER BY workflow_id, tenant_id"
            );
            let mut statement = sqlite.prepare_cached(&sql)?;
            let rows = statement.query_map(params![scope.filter(), TenantKey::SHARED], workflow)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// One workflow; a tenant's own goes before a shared one of the same id.
    ///
    /// # Errors
    /// [`StoreErrorKind::Absent`] where the scope has none of that id.
    pub async fn workflow(&self, scope: Scope, id: &str) -> Result<Workflow, StoreError> {
        let id = id.to_owned();
        self.read(&format!("read workflow {id}"), move |sqlite| {
            let sql = format!(
                "SELECT {COLUMNS} FROM workflows WHERE workflow_id = ?1 AND tenant_id IN (coalesce(?2, tenant_id), ?3)
                 ORDER BY tenant_id DESC LIMIT 1"
            );
            let row = params![id, scope.filter(), TenantKey::SHARED];
            let found = sqlite.prepare_cached(&sql)?.query_row(row, workflow).optional()?;
            found.ok_or_else(|| StoreErrorKind::Absent(format!("workflow {id}")))
        })
        .await
    }

    /// Its versions, the latest first.
    ///
    /// # Errors
    /// [`StoreError`] when the file cannot be read.
    pub async fn workflow_versions(&self, scope: Scope, id: &str) -> Result<Vec<WorkflowVersion>, StoreError> {
        let id = id.to_owned();
        self.read("list versions", move |sqlite| {
            let sql = "SELECT version, number, text, made_by, made_us FROM workflow_versions
                       WHERE tenant_id = ?1 AND workflow_id = ?2 ORDER BY number DESC";
            let mut statement = sqlite.prepare_cached(sql)?;
            let rows = statement.query_map(params![scope.owner()?, id], version)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// One version of it.
    ///
    /// # Errors
    /// [`StoreErrorKind::Absent`] where there is none.
    pub async fn workflow_version(&self, scope: Scope, id: &str, hash: &str) -> Result<WorkflowVersion, StoreError> {
        let (id, hash) = (id.to_owned(), hash.to_owned());
        self.read("read a version", move |sqlite| {
            let sql = "SELECT version, number, text, made_by, made_us FROM workflow_versions
                       WHERE tenant_id = ?1 AND workflow_id = ?2 AND version = ?3";
            let found = sqlite.prepare_cached(sql)?.query_row(params![scope.owner()?, id, hash], version).optional()?;
            found.ok_or_else(|| StoreErrorKind::Absent(format!("version {hash} of workflow {id}")))
        })
        .await
    }

    /// Removes a workflow. Its versions stay as long as runs of it do.
    ///
    /// # Errors
    /// [`StoreErrorKind::Absent`] where the scope's tenant has none of that id; [`StoreErrorKind::InUse`] while runs of it
    /// have not ended.
    pub async fn remove_workflow(&self, scope: Scope, id: &str) -> Result<(), StoreError> {
        let (id, actor, now) = (id.to_owned(), self.actor(), self.now());
        self.write(&format!("remove workflow {id}"), move |sqlite| remove(sqlite, &actor, scope, &id, now)).await
    }
}

/// What a set does, by id.
fn planned(present: &[Workflow], set: &[NewWorkflow], unnamed: Unnamed) -> Vec<(String, Applied)> {
    let known = |id: &str| present.iter().find(|one| one.id == id);
    let mut plan: Vec<(String, Applied)> = set
        .iter()
        .map(|new| {
            let applied = match known(&new.id) {
                None => Applied::New,
                Some(one) if one.version != new.version => Applied::Changed,
                Some(one) if one.text != new.text => Applied::Reworded,
                Some(_) => Applied::Same,
            };
            (new.id.clone(), applied)
        })
        .collect();
    let rest = present.iter().filter(|one| !set.iter().any(|new| new.id == one.id));
    plan.extend(rest.filter_map(|one| match unnamed {
        Unnamed::Stay => None,
        Unnamed::Disable if one.state == WorkflowState::Disabled => None,
        Unnamed::Disable => Some((one.id.clone(), Applied::Disabled)),
        Unnamed::Remove => Some((one.id.clone(), Applied::Removed)),
    }));
    plan.sort_by(|one, other| one.0.cmp(&other.0));
    plan
}

/// Those that the tenant has itself.
fn own(sqlite: &Sqlite, tenant: TenantKey) -> Result<Vec<Workflow>, StoreErrorKind> {
    let sql = format!("SELECT {COLUMNS} FROM workflows WHERE tenant_id = ?1");
    Ok(sqlite.prepare_cached(&sql)?.query_map([tenant], workflow)?.collect::<Result<_, _>>()?)
}

fn allow(
    sqlite: &Writing<'_>,
    actor: &Actor,
    scope: Scope,
    new: &NewWorkflow,
    now: Timestamp,
) -> Result<(), StoreErrorKind> {
    act(sqlite, actor, &change(scope, "workflow.put", &new.id, json!({ "version": new.version })), now)
}

/// 0 where there is none.
fn edition(sqlite: &Sqlite, tenant: TenantKey, id: &str) -> Result<i64, StoreErrorKind> {
    let sql = "SELECT edition FROM workflows WHERE tenant_id = ?1 AND workflow_id = ?2";
    Ok(sqlite.prepare_cached(sql)?.query_row(params![tenant, id], |row| row.get(0)).optional()?.unwrap_or(0))
}

fn put_version(
    sqlite: &Writing<'_>,
    tenant: TenantKey,
    actor: &Actor,
    new: &NewWorkflow,
    now: Timestamp,
) -> Result<(), StoreErrorKind> {
    let sql = "INSERT INTO workflow_versions (tenant_id, workflow_id, version, number, text, made_by, made_us)
               SELECT ?1, ?2, ?3, 1 + coalesce(max(number), 0), ?4, ?5, ?6 FROM workflow_versions
               WHERE tenant_id = ?1 AND workflow_id = ?2
               ON CONFLICT DO NOTHING";
    let row = params![tenant, new.id, new.version, new.text, actor.name, now.as_microsecond()];
    sqlite.prepare_cached(sql)?.execute(row)?;
    Ok(())
}

fn put(
    sqlite: &Writing<'_>,
    tenant: TenantKey,
    actor: &Actor,
    new: &NewWorkflow,
    now: Timestamp,
) -> Result<Workflow, StoreErrorKind> {
    put_version(sqlite, tenant, actor, new, now)?;
    let sql = format!(
        "INSERT INTO workflows (tenant_id, workflow_id, title, text, version, state, edition, made_us, changed_us)
         VALUES (?1, ?2, ?3, ?4, ?5, 'disabled', 1, ?6, ?6)
         ON CONFLICT (tenant_id, workflow_id) DO UPDATE
         SET title = ?3, text = ?4, version = ?5, edition = edition + 1, changed_us = ?6
         RETURNING {COLUMNS}"
    );
    let row = params![tenant, new.id, new.title, new.text, new.version, now.as_microsecond()];
    let kept = sqlite.prepare_cached(&sql)?.query_row(row, workflow)?;
    note(sqlite, tenant, ChangeKind::Workflow, &new.id, now);
    Ok(kept)
}

fn set_state(
    sqlite: &Writing<'_>,
    actor: &Actor,
    scope: Scope,
    id: &str,
    (state, why): (WorkflowState, Option<String>),
    now: Timestamp,
) -> Result<Workflow, StoreErrorKind> {
    let tenant = scope.owner()?;
    let detail = json!({ "state": state.word(), "why": why });
    act(sqlite, actor, &change(scope, "workflow.state", id, detail), now)?;
    let was_off = "coalesce(enabled_us, CASE WHEN ?3 IN ('enabled', 'observe') THEN ?5 END)";
    // Whoever puts it to work anew does not want what happened meanwhile.
    let since = format!("CASE WHEN ?3 = 'disabled' THEN NULL WHEN state = 'disabled' THEN ?5 ELSE {was_off} END");
    let sql = format!(
        "UPDATE workflows SET state = ?3, why = ?4, enabled_us = {since}, edition = edition + 1, changed_us = ?5
         WHERE tenant_id = ?1 AND workflow_id = ?2 RETURNING {COLUMNS}"
    );
    let row = params![tenant, id, state.word(), why, now.as_microsecond()];
    let changed = sqlite.prepare_cached(&sql)?.query_row(row, workflow).optional()?;
    note(sqlite, tenant, ChangeKind::Workflow, id, now);
    changed.ok_or_else(|| StoreErrorKind::Absent(format!("workflow {id}")))
}

fn remove(sqlite: &Writing<'_>, actor: &Actor, scope: Scope, id: &str, now: Timestamp) -> Result<(), StoreErrorKind> {
    let tenant = scope.owner()?;
    act(sqlite, actor, &change(scope, "workflow.remove", id, json!({})), now)?;
    let open = "SELECT count(*) FROM runs INDEXED BY runs_open_by_id
                WHERE home_id = ?1 AND workflow_id = ?2 AND ended_us IS NULL";
    let open: i64 = sqlite.prepare_cached(open)?.query_row(params![tenant, id], |row| row.get(0))?;
    if open > 0 {
        let runs = if open == 1 { "1 run that has".to_owned() } else { format!("{open} runs that have") };
        return Err(StoreErrorKind::InUse(vec![format!("{runs} not ended of workflow {id}")]));
    }
    let sql = "DELETE FROM workflows WHERE tenant_id = ?1 AND workflow_id = ?2";
    if sqlite.prepare_cached(sql)?.execute(params![tenant, id])? == 0 {
        return Err(StoreErrorKind::Absent(format!("workflow {id}")));
    }
    hooks::forget(sqlite, tenant, id)?;
    note(sqlite, tenant, ChangeKind::Workflow, id, now);
    Ok(())
}

/// The workflow that a tenant's runs of this id are of: its own, else the shared one.
pub(crate) fn usable(sqlite: &Sqlite, tenant: TenantKey, id: &str) -> Result<Option<Workflow>, StoreErrorKind> {
    let sql = format!(
        "SELECT {COLUMNS} FROM workflows WHERE workflow_id = ?1 AND tenant_id IN (?2, ?3) ORDER BY tenant_id DESC LIMIT 1"
    );
    Ok(sqlite.prepare_cached(&sql)?.query_row(params![id, tenant, TenantKey::SHARED], workflow).optional()?)
}

/// Every workflow, without its text.
pub(crate) fn hooked(sqlite: &Sqlite) -> Result<Vec<HookedWorkflow>, StoreErrorKind> {
    let sql = "SELECT tenant_id, workflow_id, version, state, why FROM workflows";
    let mut statement = sqlite.prepare_cached(sql)?;
    let rows = statement.query_map([], |row| {
        Ok(HookedWorkflow {
            tenant: row.get(0)?,
            id: row.get(1)?,
            version: row.get(2)?,
            state: WorkflowState::of(&row.get::<_, String>(3)?),
            why: row.get(4)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn change(scope: Scope, action: &'static str, id: &str, detail: serde_json::Value) -> Deed {
    Deed { permission: Permission::ChangeWorkflow, scope, action, object: id.to_owned(), detail }
}

fn workflow(row: &Row<'_>) -> rusqlite::Result<Workflow> {
    Ok(Workflow {
        tenant: row.get(0)?,
        id: row.get(1)?,
        title: row.get(2)?,
        text: row.get(3)?,
        version: row.get(4)?,
        state: WorkflowState::of(&row.get::<_, String>(5)?),
        why: row.get(6)?,
        enabled: row.get::<_, Option<i64>>(7)?.map(instant),
        edition: row.get(8)?,
        changed: instant(row.get(9)?),
    })
}

fn version(row: &Row<'_>) -> rusqlite::Result<WorkflowVersion> {
    Ok(WorkflowVersion {
        version: row.get(0)?,
        number: row.get(1)?,
        text: row.get(2)?,
        made_by: row.get(3)?,
        made: instant(row.get(4)?),
    })
}

const COLUMNS: &str = "tenant_id, workflow_id, title, text, version, state, why, enabled_us, edition, changed_us";
