//! The order to start a run: one row, unique by what it is started by, so that the same cause starts one run.

use jiff::{SignedDuration, Timestamp};
use rusqlite::{OptionalExtension, params};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::{Run, RunId, RunMode, RunStatus, RunValue, TakenUp};
use crate::{
    ActorKind, Permission, Scope, Store, StoreError, StoreErrorKind, TenantKey, WorkflowState,
    audit::{Deed, act},
    database::instant,
    feed::{ChangeKind, note},
    writer::{Steps, Writing},
};

/// A run to be started.
#[derive(Clone, Debug, PartialEq)]
pub struct NewRun {
    /// Where its workflow is kept.
    pub home: TenantKey,
    /// The workflow.
    pub workflow: String,
    /// The version that it will keep to.
    pub version: String,
    /// Whether it does what it says.
    pub mode: RunMode,
    /// Trigger, object and version of the object: the same for the same cause, within tenant and workflow.
    pub start_key: String,
    /// The trigger's kind.
    pub cause: String,
    /// What it is about.
    pub object: Option<String>,
    /// Who starts it.
    pub started_by: String,
    /// The run that starts it, and the place of its step there.
    pub parent: Option<(RunId, String)>,
    /// The run that it repeats.
    pub again_of: Option<RunId>,
    /// Runs above it.
    pub depth: u32,
    /// What it is given: a JSON object.
    pub input: RunValue,
    /// Values of steps that it takes over from the run that it repeats, by place, and its machine's first snapshot.
    pub taken_over: Option<(String, Vec<(String, RunValue)>)>,
    /// Runs for one object within an hour beyond which its workflow is paused.
    pub per_object_max: Option<u32>,
}

/// What became of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Started {
    /// It will run.
    New(RunId),
    /// The same cause has started it before.
    Known(RunId),
    /// So many runs for this object within an hour: its workflow is paused now.
    TooMany(u32),
}

impl Started {
    /// The run that the cause has started, now or before.
    pub fn run(self) -> Option<RunId> {
        match self {
            Self::New(run) | Self::Known(run) => Some(run),
            Self::TooMany(_) => None,
        }
    }
}

impl Store {
    /// Orders a run of the scope's tenant; durable when it returns. Who orders it in their own name stands in the audit log.
    ///
    /// # Errors
    /// [`StoreError`] when the rows cannot be written; [`StoreErrorKind::Forbidden`] to whom it is not granted.
    pub async fn start_run(&self, scope: Scope, new: NewRun) -> Result<Started, StoreError> {
        let now = self.now();
        let actor = self.actor();
        // It is known before anything is written whether there is such a run.
        let is_plain = actor.kind == ActorKind::System && new.per_object_max.is_none();
        let steps = if is_plain { Steps::Checked } else { Steps::Several };
        self.write_in(steps, "order a run", move |sqlite| {
            let started = insert(sqlite, scope.owner()?, &new, now)?;
            if let (Started::New(run), false) = (started, actor.kind == ActorKind::System) {
                let again_of = new.again_of.map(|run| run.to_string());
                let detail = json!({ "workflow": new.workflow, "mode": new.mode.word(), "again_of": again_of });
                let (permission, object) = (Permission::Act, run.to_string());
                act(sqlite, &actor, &Deed { permission, scope, action: "run.start", object, detail }, now)?;
            }
            Ok(started)
        })
        .await
    }
}

/// The same within another transaction.
pub(crate) fn insert(
    sqlite: &Writing<'_>,
    tenant: TenantKey,
    new: &NewRun,
    now: Timestamp,
) -> Result<Started, StoreErrorKind> {
    let known = "SELECT run_id FROM runs WHERE tenant_id = ?1 AND home_id = ?2 AND workflow_id = ?3 AND start_key = ?4";
    let row = params![tenant, new.home, new.workflow, new.start_key];
    if let Some(run) = sqlite.prepare_cached(known)?.query_row(row, |row| row.get(0)).optional()? {
        return Ok(Started::Known(run));
    }
    if let Some(count) = too_many(sqlite, tenant, new, now)? {
        return Ok(Started::TooMany(count));
    }
    let id = derived(tenant, new, now);
    let sql = "INSERT INTO runs (tenant_id, run_id, home_id, workflow_id, version, status, handled, mode, start_key, cause,
                                 object, started_by, parent_id, parent_place, again_of, depth, made_us, wake_us, epoch, seq, snapshot)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?16, 0, 0, ?17)";
    let (parent, place) = new.parent.clone().unzip();
    let row = params![
        tenant,
        id,
        new.home,
        new.workflow,
        new.version,
        RunStatus::Queued,
        new.mode,
        new.start_key,
        new.cause,
        new.object,
        new.started_by,
        parent,
        place,
        new.again_of,
        new.depth,
        now.as_microsecond(),
        new.taken_over.as_ref().map(|(snapshot, _)| snapshot),
    ];
    sqlite.prepare_cached(sql)?.execute(row)?;
    put_value(sqlite, tenant, id, "", &new.input)?;
    for (place, value) in new.taken_over.iter().flat_map(|(_, values)| values) {
        put_value(sqlite, tenant, id, place, value)?;
    }
    note(sqlite, tenant, ChangeKind::Run, &id.to_string(), now);
    if let RunValue::Text(given) = &new.input {
        sqlite.fresh.put(TakenUp { run: made(tenant, new, id, now), given: Some(given.clone()), signals: Vec::new() });
    }
    Ok(Started::New(id))
}

/// The run as its row says.
fn made(tenant: TenantKey, new: &NewRun, id: RunId, now: Timestamp) -> Run {
    let made = instant(now.as_microsecond());
    Run {
        tenant,
        id,
        home: new.home,
        workflow: new.workflow.clone(),
        version: new.version.clone(),
        status: RunStatus::Queued,
        why: None,
        outcome: None,
        handled: false,
        mode: new.mode,
        cause: new.cause.clone(),
        object: new.object.clone(),
        started_by: new.started_by.clone(),
        parent: new.parent.clone(),
        again_of: new.again_of,
        depth: new.depth,
        made,
        begun: None,
        ended: None,
        wake: Some(made),
        node: None,
        epoch: 0,
        seq: 0,
        snapshot: new.taken_over.as_ref().map(|(snapshot, _)| snapshot.clone()),
    }
}

/// Writes a value of a run; a later one takes its place.
pub(super) fn put_value(
    sqlite: &Writing<'_>,
    tenant: TenantKey,
    run: RunId,
    place: &str,
    value: &RunValue,
) -> Result<(), StoreErrorKind> {
    let (text, hash) = match value {
        RunValue::Text(text) => (Some(text), None),
        RunValue::Blob(hash) => (None, Some(hash)),
    };
    let sql = "INSERT INTO run_values (tenant_id, run_id, place, value, hash) VALUES (?1, ?2, ?3, ?4, ?5)
               ON CONFLICT (tenant_id, run_id, place) DO UPDATE SET value = ?4, hash = ?5";
    sqlite.prepare_cached(sql)?.execute(params![tenant, run, place, text, hash])?;
    if let Some(hash) = hash {
        let sql = "INSERT INTO blob_uses (tenant_id, hash, used_by) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
        sqlite.prepare_cached(sql)?.execute(params![tenant, hash, format!("run {run}")])?;
    }
    Ok(())
}

fn too_many(
    sqlite: &Writing<'_>,
    tenant: TenantKey,
    new: &NewRun,
    now: Timestamp,
) -> Result<Option<u32>, StoreErrorKind> {
    let (Some(max), Some(object)) = (new.per_object_max, &new.object) else { return Ok(None) };
    let since = now.saturating_sub(PER_OBJECT_WITHIN).expect("a signed duration is never a calendar span");
    let sql = "SELECT count(*) FROM runs WHERE tenant_id = ?1 AND workflow_id = ?2 AND object = ?3 AND made_us > ?4";
    let row = params![tenant, new.workflow, object, since.as_microsecond()];
    let count: u32 = sqlite.prepare_cached(sql)?.query_row(row, |row| row.get(0))?;
    if count < max {
        return Ok(None);
    }
    let why = format!("{count} runs for {object} within an hour: does it start itself?");
    let sql = "UPDATE workflows SET state = ?3, why = ?4, edition = edition + 1, changed_us = ?5
               WHERE tenant_id = ?1 AND workflow_id = ?2 AND state IN ('enabled', 'observe')";
    let row = params![new.home, new.workflow, WorkflowState::Paused.word(), why, now.as_microsecond()];
    sqlite.prepare_cached(sql)?.execute(row)?;
    note(sqlite, new.home, ChangeKind::Workflow, &new.workflow, now);
    Ok(Some(count))
}

/// A UUID of version 7 whose random part comes from the cause.
fn derived(tenant: TenantKey, new: &NewRun, now: Timestamp) -> RunId {
    let mut hash = Sha256::new();
    for part in [&tenant.as_bytes()[..], new.home.as_bytes(), new.workflow.as_bytes(), new.start_key.as_bytes()] {
        // The length keeps ("a", "bc") and ("ab", "c") apart.
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let hash = hash.finalize();
    let random = hash[..10].try_into().expect("a hash has 32 bytes");
    let milliseconds = u64::try_from(now.as_millisecond()).unwrap_or(0);
    RunId(uuid::Builder::from_unix_timestamp_millis(milliseconds, random).into_uuid())
}

const PER_OBJECT_WITHIN: SignedDuration = SignedDuration::from_hours(1);
