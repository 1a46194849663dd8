//! Webhooks: the secret that proves the sender, one for each workflow and tenant, sealed; and the requests that were taken.

use std::{collections::HashMap, sync::Arc};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use rand::Rng;
use rusqlite::{Connection as Sqlite, OptionalExtension, params};
use serde_json::json;
use sortie_model::Secret;
use zeroize::Zeroizing;

use crate::{
    Keyring, NewRun, Permission, RunId, Scope, Started, Store, StoreError, StoreErrorKind, Tenant, TenantKey,
    WorkflowState,
    audit::{Deed, act},
    database::instant,
    error::KeyProblem,
    feed::{ChangeKind, note},
    master_key::SealingKey,
    runs, tenants, workflows,
};

/// What a request to a webhook is about.
#[derive(Clone, Debug)]
pub struct Hook {
    /// Whose run it starts.
    pub tenant: Tenant,
    /// Of which workflow: the tenant's own, else the shared one.
    pub workflow: HookedWorkflow,
    /// Any of them proves the sender.
    pub secrets: Vec<Secret>,
}

/// A workflow as its webhooks need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookedWorkflow {
    /// Whose; `shared` for all tenants.
    pub tenant: TenantKey,
    /// Its id.
    pub id: String,
    /// Hash of what matters in it.
    pub version: String,
    /// Whether triggers start it.
    pub state: WorkflowState,
    /// Why it is paused.
    pub why: Option<String>,
}

/// What is known of a webhook's secret without opening it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HookInfo {
    /// When it was made.
    pub made: Timestamp,
    /// Until when the one before it is good as well.
    pub old_until: Option<Timestamp>,
}

impl Store {
    /// Makes a secret for a workflow's webhook in the scope's tenant. The one before it is good for another hour; those
    /// before that one end at once. Its text is told now and never again.
    ///
    /// # Errors
    /// [`StoreErrorKind::Absent`] for an unknown workflow, [`StoreErrorKind::Forbidden`] to whom it is not granted.
    pub async fn renew_hook(
        &self,
        keyring: &Keyring,
        scope: Scope,
        workflow: &str,
    ) -> Result<(Secret, HookInfo), StoreError> {
        let (keyring, workflow, actor, now) = (keyring.clone(), workflow.to_owned(), self.actor(), self.now());
        let mut bytes = Zeroizing::new([0_u8; 32]);
        rand::rng().fill_bytes(bytes.as_mut_slice());
        let text = Secret::new(format!("{MARK}{}", URL_SAFE_NO_PAD.encode(bytes.as_slice())));
        let secret = text.clone();
        let info = self
            .write(&format!("make a secret for the webhook of {workflow}"), move |sqlite| {
                let tenant = scope.owner()?;
                workflows::usable(sqlite, tenant, &workflow)?
                    .ok_or_else(|| StoreErrorKind::Absent(format!("workflow {workflow}")))?;
                let old_until = retire(sqlite, tenant, &workflow, now)?;
                act(sqlite, &actor, &deed(scope, "hook.renew", &workflow), now)?;
                let number =
                    "SELECT 1 + coalesce(max(number), 0) FROM hook_secrets WHERE tenant_id = ?1 AND workflow_id = ?2";
                let number: i64 =
                    sqlite.prepare_cached(number)?.query_row(params![tenant, workflow], |row| row.get(0))?;
                let (version, key) = keyring.sealing(sqlite, tenant, now)?;
                let sealed = key.seal(secret.expose().as_bytes(), &place(tenant, &workflow, number));
                let sql = "INSERT INTO hook_secrets (tenant_id, workflow_id, number, key_version, sealed, made_us)
                           VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
                let row = params![tenant, workflow, number, version, sealed, now.as_microsecond()];
                sqlite.prepare_cached(sql)?.execute(row)?;
                note(sqlite, tenant, ChangeKind::Workflow, &workflow, now);
                Ok(HookInfo { made: now, old_until })
            })
            .await?;
        Ok((text, info))
    }

    /// What is known of the secret; `None` where none was made.
    ///
    /// # Errors
    /// [`StoreErrorKind::NeedsTenant`] without a tenant.
    pub async fn hook_info(&self, scope: Scope, workflow: &str) -> Result<Option<HookInfo>, StoreError> {
        let (workflow, now) = (workflow.to_owned(), self.now());
        self.read("read a webhook", move |sqlite| {
            let tenant = scope.owner()?;
            let made = "SELECT made_us FROM hook_secrets WHERE tenant_id = ?1 AND workflow_id = ?2 AND ends_us IS NULL";
            let made: Option<i64> =
                sqlite.prepare_cached(made)?.query_row(params![tenant, workflow], |row| row.get(0)).optional()?;
            let until =
                "SELECT max(ends_us) FROM hook_secrets WHERE tenant_id = ?1 AND workflow_id = ?2 AND ends_us > ?3";
            let row = params![tenant, workflow, now.as_microsecond()];
            let until: Option<i64> = sqlite.prepare_cached(until)?.query_row(row, |row| row.get(0))?;
            Ok(made.map(|made| HookInfo { made: instant(made), old_until: until.map(instant) }))
        })
        .await
    }

    /// Takes every secret of a workflow's webhook away: from then on nobody can prove themselves to it.
    ///
    /// # Errors
    /// [`StoreErrorKind::Absent`] where there is none, [`StoreErrorKind::Forbidden`] to whom it is not granted.
    pub async fn remove_hook(&self, scope: Scope, workflow: &str) -> Result<(), StoreError> {
        let (workflow, actor, now) = (workflow.to_owned(), self.actor(), self.now());
        self.write(&format!("remove the webhook of {workflow}"), move |sqlite| {
            let tenant = scope.owner()?;
            act(sqlite, &actor, &deed(scope, "hook.remove", &workflow), now)?;
            let sql = "DELETE FROM hook_secrets WHERE tenant_id = ?1 AND workflow_id = ?2";
            if sqlite.prepare_cached(sql)?.execute(params![tenant, workflow])? == 0 {
                return Err(StoreErrorKind::Absent(format!("secret for the webhook of workflow {workflow}")));
            }
            note(sqlite, tenant, ChangeKind::Workflow, &workflow, now);
            Ok(())
        })
        .await
    }

    /// What a request to the webhook of a workflow is about, by the names that its address has; `None` where one of them
    /// leads nowhere. All webhooks are read at once when settings have changed, so that how long it takes tells nothing
    /// about one of them.
    ///
    /// # Errors
    /// [`StoreErrorKind::Key`] when a secret does not open any more.
    pub async fn hook(&self, keyring: &Keyring, tenant: &str, workflow: &str) -> Result<Option<Hook>, StoreError> {
        let now = self.now().as_microsecond();
        let failed = |kind| StoreError::new("look a webhook up", kind);
        self.all_hooks(keyring).await?.find(tenant, workflow, now).map_err(failed)
    }

    async fn all_hooks(&self, keyring: &Keyring) -> Result<Arc<Hooks>, StoreError> {
        let edition = self.settings_edition();
        if let Some(known) = self.inner.hooks.get(edition, &()) {
            return Ok(known);
        }
        let keyring = keyring.clone();
        let hooks = Arc::new(self.read("read webhooks", move |sqlite| Hooks::read(sqlite, &keyring)).await?);
        self.inner.hooks.put(edition, (), Arc::clone(&hooks));
        Ok(hooks)
    }

    /// Orders a run for a request that a signature proves. The same signature is the same request, and leads to the run that
    /// it has started, whatever else the request says: its headers and its query are not signed.
    ///
    /// # Errors
    /// As [`Self::start_run`].
    pub async fn start_signed(&self, scope: Scope, new: NewRun, proof: [u8; 32]) -> Result<Started, StoreError> {
        let now = self.now();
        self.write("order a run", move |sqlite| {
            let tenant = scope.owner()?;
            let known = "SELECT run_id FROM hook_requests WHERE tenant_id = ?1 AND workflow_id = ?2 AND proof = ?3";
            let row = params![tenant, new.workflow, proof];
            let known: Option<RunId> = sqlite.prepare_cached(known)?.query_row(row, |row| row.get(0)).optional()?;
            if let Some(run) = known {
                return Ok(Started::Known(run));
            }
            let started = runs::order(sqlite, tenant, &new, now)?;
            if let Some(run) = started.run() {
                let sql = "INSERT INTO hook_requests (tenant_id, workflow_id, proof, run_id, at_us) VALUES (?1, ?2, ?3, ?4, ?5)";
                let row = params![tenant, new.workflow, proof, run, now.as_microsecond()];
                sqlite.prepare_cached(sql)?.execute(row)?;
            }
            // Each that comes takes away more than one that is old, so that the table stays small by itself.
            let old = "DELETE FROM hook_requests WHERE (tenant_id, workflow_id, proof) IN
                       (SELECT tenant_id, workflow_id, proof FROM hook_requests WHERE at_us < ?1 ORDER BY at_us LIMIT 20)";
            let before = now.as_microsecond().saturating_sub(REQUEST_KEPT.as_secs() * 1_000_000);
            sqlite.prepare_cached(old)?.execute([before])?;
            Ok(started)
        })
        .await
    }
}

/// All webhooks with their secrets.
#[derive(Debug)]
pub(crate) struct Hooks {
    tenants: HashMap<String, Tenant>,
    workflows: HashMap<TenantKey, HashMap<String, HookedWorkflow>>,
    secrets: HashMap<TenantKey, HashMap<String, Vec<Opened>>>,
}

/// One that does not open any more is a fault of its webhook alone.
#[derive(Debug)]
struct Opened {
    text: Result<Secret, StoreErrorKind>,
    ends: Option<i64>,
}

impl Hooks {
    fn read(sqlite: &Sqlite, keyring: &Keyring) -> Result<Self, StoreErrorKind> {
        let mut hooks = Self { tenants: HashMap::new(), workflows: HashMap::new(), secrets: HashMap::new() };
        for tenant in tenants::all(sqlite)? {
            hooks.tenants.insert(tenant.name.clone(), tenant);
        }
        for workflow in workflows::hooked(sqlite)? {
            hooks.workflows.entry(workflow.tenant).or_default().insert(workflow.id.clone(), workflow);
        }
        let mut statement = sqlite.prepare_cached(&format!("{SELECT} ORDER BY tenant_id, workflow_id, number DESC"))?;
        for row in statement.query_map([], read)? {
            let row = row?;
            let opened = Opened { text: row.text(sqlite, keyring), ends: row.ends };
            hooks.secrets.entry(row.tenant).or_default().entry(row.workflow).or_default().push(opened);
        }
        Ok(hooks)
    }

    fn find(&self, tenant: &str, workflow: &str, now: i64) -> Result<Option<Hook>, StoreErrorKind> {
        let Some(tenant) = self.tenants.get(tenant) else { return Ok(None) };
        let of = |home: TenantKey| self.workflows.get(&home)?.get(workflow);
        let Some(workflow) = of(tenant.key).or_else(|| of(TenantKey::SHARED)) else { return Ok(None) };
        let secrets = self.secrets.get(&tenant.key).and_then(|all| all.get(&workflow.id)).into_iter().flatten();
        let alive = secrets.filter(|secret| secret.ends.is_none_or(|ends| ends > now));
        let secrets = alive.map(|secret| secret.text.clone()).collect::<Result<_, _>>()?;
        Ok(Some(Hook { tenant: tenant.clone(), workflow: workflow.clone(), secrets }))
    }
}

/// A secret as it is kept.
struct Row {
    tenant: TenantKey,
    workflow: String,
    number: i64,
    version: i64,
    sealed: Vec<u8>,
    ends: Option<i64>,
}

impl Row {
    fn open(&self, sqlite: &Sqlite, keyring: &Keyring) -> Result<Option<Zeroizing<Vec<u8>>>, StoreErrorKind> {
        let key = keyring.opening(sqlite, self.tenant, self.version)?;
        Ok(key.open(&self.sealed, &place(self.tenant, &self.workflow, self.number)))
    }

    fn text(&self, sqlite: &Sqlite, keyring: &Keyring) -> Result<Secret, StoreErrorKind> {
        let text = self.open(sqlite, keyring)?.ok_or(KeyProblem::Unfitting)?;
        Ok(Secret::new(std::str::from_utf8(&text).map_err(|_| KeyProblem::Unfitting)?))
    }
}

/// The present secret gets an end, those before it go; when that end is, where there was one.
fn retire(
    sqlite: &Sqlite,
    tenant: TenantKey,
    workflow: &str,
    now: Timestamp,
) -> Result<Option<Timestamp>, StoreErrorKind> {
    let older = "DELETE FROM hook_secrets WHERE tenant_id = ?1 AND workflow_id = ?2 AND ends_us IS NOT NULL";
    sqlite.prepare_cached(older)?.execute(params![tenant, workflow])?;
    let until = now.saturating_add(OLD_LIVES).expect("a signed duration is never a calendar span");
    let sql = "UPDATE hook_secrets SET ends_us = ?3 WHERE tenant_id = ?1 AND workflow_id = ?2";
    let retired = sqlite.prepare_cached(sql)?.execute(params![tenant, workflow, until.as_microsecond()])?;
    Ok((retired > 0).then_some(until))
}

/// Takes the secrets away that led to a workflow which is there no more, within the transaction of its removal: another one
/// of the same id is another matter.
pub(crate) fn forget(sqlite: &Sqlite, home: TenantKey, workflow: &str) -> Result<(), StoreErrorKind> {
    let sql = "DELETE FROM hook_secrets WHERE workflow_id = ?2 AND (tenant_id = ?1 OR ?1 = ?3 AND NOT EXISTS
                   (SELECT 1 FROM workflows w WHERE w.tenant_id = hook_secrets.tenant_id AND w.workflow_id = ?2))";
    sqlite.prepare_cached(sql)?.execute(params![home, workflow, TenantKey::SHARED])?;
    Ok(())
}

/// Seals every webhook's secret of a tenant with another key. One that does not open goes: it proves nobody.
pub(crate) fn seal_anew(
    sqlite: &Sqlite,
    keyring: &Keyring,
    tenant: TenantKey,
    version: i64,
    key: &SealingKey,
) -> Result<u64, StoreErrorKind> {
    let mut statement = sqlite.prepare(&format!("{SELECT} WHERE tenant_id = ?1"))?;
    let rows = statement.query_map([tenant], read)?;
    let rows: Vec<Row> = rows.collect::<Result<_, _>>()?;
    let mut count = 0;
    for row in rows {
        let Some(text) = row.open(sqlite, keyring)? else {
            let sql = "DELETE FROM hook_secrets WHERE tenant_id = ?1 AND workflow_id = ?2 AND number = ?3";
            sqlite.prepare_cached(sql)?.execute(params![tenant, row.workflow, row.number])?;
            continue;
        };
        let sealed = key.seal(&text, &place(tenant, &row.workflow, row.number));
        let sql = "UPDATE hook_secrets SET key_version = ?4, sealed = ?5 WHERE tenant_id = ?1 AND workflow_id = ?2 AND number = ?3";
        sqlite.prepare_cached(sql)?.execute(params![tenant, row.workflow, row.number, version, sealed])?;
        count += 1;
    }
    Ok(count)
}

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Row> {
    Ok(Row {
        tenant: row.get(0)?,
        workflow: row.get(1)?,
        number: row.get(2)?,
        version: row.get(3)?,
        sealed: row.get(4)?,
        ends: row.get(5)?,
    })
}

fn deed(scope: Scope, action: &'static str, workflow: &str) -> Deed {
    let object = workflow.to_owned();
    Deed { permission: Permission::ChangeWorkflow, scope, action, object, detail: json!({}) }
}

/// What a sealed secret belongs to. Every part has its length before it, so that none can take over a piece of its neighbour.
fn place(tenant: TenantKey, workflow: &str, number: i64) -> Vec<u8> {
    let mut place = b"hook_secrets/".to_vec();
    for part in [tenant.as_bytes().as_slice(), workflow.as_bytes(), &number.to_be_bytes()] {
        place.extend(u32::try_from(part.len()).expect("names are short").to_be_bytes());
        place.extend(part);
    }
    place
}

const SELECT: &str = "SELECT tenant_id, workflow_id, number, key_version, sealed, ends_us FROM hook_secrets";
/// What a secret begins with, so that one that was lost can be found by scanners.
const MARK: &str = "sortiehook_";
const OLD_LIVES: SignedDuration = SignedDuration::from_hours(1);
/// Longer than a signature is good for, on either side of our clock.
const REQUEST_KEPT: SignedDuration = SignedDuration::from_mins(15);
