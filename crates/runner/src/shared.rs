//! What all runs of one process share: the store, the way to the products, compiled versions, who watches.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    hash::Hash,
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};
use sortie_engine::{
    decide::{Class, Delivery},
    document::{Step, Verb},
    text::Problem,
};
use sortie_model::Clock;
use sortie_store::{NodeId, Run, RunId, Scope, Store, StoreError, StoreErrorKind, TenantKey};
use tokio::sync::{Notify, Semaphore};

use crate::{
    asides::Asides,
    calls::{Calls, class_of},
    compiled::{Classes, CompileError, Compiled},
    controls::Controls,
    listeners::Listeners,
    points::Passing,
    run::DriveError,
    snapshot::{Snapshot, key_text},
    tally::Tally,
};

/// Shared by all runs of a process.
pub(crate) struct Shared {
    pub store: Store,
    pub calls: Calls,
    pub clock: Arc<dyn Clock>,
    pub node: NodeId,
    pub points: Passing,
    /// Calls on their way at once, over all runs.
    pub calls_at_once: Semaphore,
    /// A clock that moves only when told has moved.
    pub clock_moved: Notify,
    pub listeners: Arc<Listeners>,
    pub tally: Tally,
    pub asides: Asides,
    /// Where people look at runs, without a slash at its end; empty where nothing serves them.
    pub public_url: String,
    /// What a test leaves out.
    pub controls: Controls,
    pub sources: Mutex<HashMap<VersionKey, Arc<Source>>>,
    /// By what the run has pinned, too: another description is another plan.
    pub versions: Mutex<HashMap<PinnedKey, Arc<Compiled>>>,
}

/// Home, workflow and version.
type VersionKey = (TenantKey, String, String);
/// The same, and the versions of the connectors that the run has pinned.
type PinnedKey = (VersionKey, BTreeMap<String, String>);

/// A version of a workflow, and what it refers to.
pub(crate) struct Source {
    text: String,
    /// Connectors with their operations.
    operations: Vec<(String, String)>,
    /// Workflows.
    called: Vec<String>,
}

impl Shared {
    /// A version of a workflow, read once.
    pub(crate) async fn source(&self, home: TenantKey, id: &str, version: &str) -> Result<Arc<Source>, DriveError> {
        let key = (home, id.to_owned(), version.to_owned());
        if let Some(known) = self.sources.lock().expect("no code panics while it holds this lock").get(&key) {
            return Ok(Arc::clone(known));
        }
        let text = self.store.workflow_version(Scope::Tenant(home), id, version).await?.text;
        let read = sortie_engine::document::read(&text);
        let workflow = read.map_err(|problems: Vec<Problem>| CompileError::Problems(problems))?;
        let mut called = Vec::new();
        gather(&workflow.steps, &mut called);
        let operations = Compiled::operations(&workflow);
        let source = Arc::new(Source { text, operations, called });
        remember(&self.sources, key, &source);
        Ok(source)
    }

    /// The version that the run keeps to under the descriptions that it has pinned, compiled once.
    pub(crate) async fn version(
        &self,
        run: &Run,
        source: &Source,
        pinned: &BTreeMap<String, String>,
    ) -> Result<Arc<Compiled>, DriveError> {
        let key = ((run.home, run.workflow.clone(), run.version.clone()), pinned.clone());
        if let Some(known) = self.versions.lock().expect("no code panics while it holds this lock").get(&key) {
            return Ok(Arc::clone(known));
        }
        let classes = self.classes(run.tenant, &source.operations, pinned).await?;
        let compiled = Arc::new(Compiled::of(&source.text, &classes)?);
        remember(&self.versions, key, &compiled);
        Ok(compiled)
    }

    /// What is known of the operations' effects. One that cannot be found counts as the worst; its call says why.
    async fn classes(
        &self,
        tenant: TenantKey,
        operations: &[(String, String)],
        pinned: &BTreeMap<String, String>,
    ) -> Result<Classes, DriveError> {
        let mut classes = Classes::new();
        for (connector, operation) in operations {
            let pinned = pinned.get(connector).map(String::as_str);
            let product = match self.calls.outside.product(tenant, connector, pinned).await {
                Ok(product) => product,
                Err(trouble) if trouble.delivery == Delivery::Refused => continue,
                Err(trouble) => return Err(DriveError::Outside(trouble)),
            };
            if let Some(found) = product.description.operation_called(operation) {
                let mut class = class_of(found);
                if class.class == Class::Probed && !self.controls.looks() {
                    class.class = Class::Overwrite;
                }
                classes.insert((connector.clone(), operation.clone()), class);
            }
        }
        Ok(classes)
    }

    /// Versions of the workflows that this one calls, and of the connectors that all of them call, as they are now. What is
    /// pinned stays.
    pub(crate) async fn pin(&self, run: &Run, source: &Source, snapshot: &mut Snapshot) -> Result<(), DriveError> {
        let mut connectors: BTreeSet<String> = source.connectors().collect();
        for id in &source.called {
            if !snapshot.pins.contains_key(id) {
                match self.store.workflow(Scope::Tenant(run.tenant), id).await {
                    Ok(found) => drop(snapshot.pins.insert(id.clone(), (key_text(found.tenant), found.version))),
                    Err(error) if matches!(error.kind, StoreErrorKind::Absent(_)) => continue,
                    Err(error) => return Err(error.into()),
                }
            }
            let Some((home, version)) = pinned_of(&snapshot.pins, run.tenant, id) else { continue };
            match self.source(home, id, &version).await {
                Ok(called) => connectors.extend(called.connectors()),
                // The run of it says what is wrong.
                Err(DriveError::Compile(_)) => {}
                Err(DriveError::Store(error)) if matches!(error.kind, StoreErrorKind::Absent(_)) => {}
                Err(error) => return Err(error),
            }
        }
        for connector in connectors.into_iter().filter(|one| !snapshot.connectors.contains_key(one)).collect::<Vec<_>>()
        {
            match self.calls.outside.pin(run.tenant, &connector).await {
                Ok(version) => drop(snapshot.connectors.insert(connector, version)),
                // Its call says why.
                Err(trouble) if trouble.delivery == Delivery::Refused => {}
                Err(trouble) => return Err(DriveError::Outside(trouble)),
            }
        }
        Ok(())
    }

    /// What `tenant` stands for in templates.
    pub(crate) async fn tenant(&self, key: TenantKey) -> Result<Arc<Value>, DriveError> {
        let tenants = self.store.tenants(Scope::Tenant(key)).await?;
        let tenant = tenants.iter().find(|tenant| tenant.key == key);
        Ok(Arc::new(match tenant {
            Some(tenant) => json!({ "name": tenant.name, "id": tenant.entra_id, "cloud": tenant.cloud }),
            None => Value::Null,
        }))
    }

    /// Whether nobody has taken the run since it was read with this epoch.
    pub(crate) async fn has(&self, tenant: TenantKey, run: RunId, epoch: i64) -> Result<bool, StoreError> {
        Ok(!self.controls.checks_epochs() || self.store.is_held(tenant, run, epoch).await?)
    }

    pub(crate) fn url_of(&self, run: &Run) -> String {
        match self.public_url.is_empty() {
            true => format!("sortie:run/{}", run.id),
            false => format!("{}/runs/{}", self.public_url, run.id),
        }
    }
}

impl Source {
    fn connectors(&self) -> impl Iterator<Item = String> {
        self.operations.iter().map(|(connector, _)| connector.clone())
    }
}

fn remember<K: Eq + Hash, V>(known: &Mutex<HashMap<K, Arc<V>>>, key: K, value: &Arc<V>) {
    let mut known = known.lock().expect("no code panics while it holds this lock");
    if known.len() >= VERSIONS_MAX {
        known.clear();
    }
    known.insert(key, Arc::clone(value));
}

fn gather(steps: &[Step], called: &mut Vec<String>) {
    for step in steps {
        match &step.verb {
            Verb::Workflow(workflow) => called.push(workflow.id.value.clone()),
            Verb::Steps(body) => gather(body, called),
            _ => {}
        }
    }
}

/// Where the pinned workflow is kept, and its version.
pub(crate) fn pinned_of(
    pins: &BTreeMap<String, (String, String)>,
    tenant: TenantKey,
    id: &str,
) -> Option<(TenantKey, String)> {
    let (home, version) = pins.get(id)?;
    let home = [tenant, TenantKey::SHARED].into_iter().find(|key| key_text(*key) == *home)?;
    Some((home, version.clone()))
}

/// Beyond it all are compiled anew: a few milliseconds each.
const VERSIONS_MAX: usize = 500;
