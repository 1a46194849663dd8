//! What all runs of one process share: the store, the way to the products, compiled versions, who watches.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};
use sortie_engine::{decide::Class, document::Verb, text::Problem};
use sortie_model::Clock;
use sortie_store::{NodeId, Run, RunId, Scope, Store, StoreError, StoreErrorKind, TenantKey};
use tokio::sync::{Notify, Semaphore};

use crate::{
    asides::Asides,
    calls::{Calls, class_of},
    compiled::{Classes, Compiled},
    controls::Controls,
    listeners::Listeners,
    points::Passing,
    run::DriveError,
    snapshot::key_text,
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
    pub versions: Mutex<HashMap<(TenantKey, String, String), Arc<Compiled>>>,
}

impl Shared {
    /// The version that the run keeps to, compiled once.
    pub(crate) async fn version(&self, run: &Run) -> Result<Arc<Compiled>, DriveError> {
        let key = (run.home, run.workflow.clone(), run.version.clone());
        if let Some(known) = self.versions.lock().expect("no code panics while it holds this lock").get(&key) {
            return Ok(Arc::clone(known));
        }
        let text = self.store.workflow_version(Scope::Tenant(run.home), &run.workflow, &run.version).await?.text;
        let read = sortie_engine::document::read(&text);
        let workflow = read.map_err(|problems: Vec<Problem>| crate::compiled::CompileError::Problems(problems))?;
        let classes = self.classes(run.tenant, &Compiled::operations(&workflow)).await;
        let compiled = Arc::new(Compiled::of(&text, &classes)?);
        let mut versions = self.versions.lock().expect("no code panics while it holds this lock");
        if versions.len() >= VERSIONS_MAX {
            versions.clear();
        }
        versions.insert(key, Arc::clone(&compiled));
        Ok(compiled)
    }

    /// What is known of the operations' effects. One that cannot be found counts as the worst; its call says why.
    pub(crate) async fn classes(&self, tenant: TenantKey, operations: &[(String, String)]) -> Classes {
        let mut classes = Classes::new();
        for (connector, operation) in operations {
            let Ok(product) = self.calls.outside.product(tenant, connector).await else { continue };
            if let Some(found) = product.description.operation_called(operation) {
                let mut class = class_of(found);
                if class.class == Class::Probed && !self.controls.looks() {
                    class.class = Class::Overwrite;
                }
                classes.insert((connector.clone(), operation.clone()), class);
            }
        }
        classes
    }

    /// The versions of the workflows that this one calls, as they are now.
    pub(crate) async fn pins(
        &self,
        run: &Run,
        compiled: &Compiled,
    ) -> Result<BTreeMap<String, (String, String)>, DriveError> {
        let mut called = Vec::new();
        gather(&compiled.workflow.steps, &mut called);
        let mut pins = BTreeMap::new();
        for id in called {
            match self.store.workflow(Scope::Tenant(run.tenant), id).await {
                Ok(found) => drop(pins.insert(id.to_owned(), (key_text(found.tenant), found.version))),
                Err(error) if matches!(error.kind, StoreErrorKind::Absent(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(pins)
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

fn gather<'w>(steps: &'w [sortie_engine::document::Step], called: &mut Vec<&'w str>) {
    for step in steps {
        match &step.verb {
            Verb::Workflow(workflow) => called.push(&workflow.id.value),
            Verb::Steps(body) => gather(body, called),
            _ => {}
        }
    }
}

/// Whether this text stands for the tenant.
pub(crate) fn fits(key: TenantKey, text: &str) -> bool {
    key_text(key) == text
}

/// Beyond it all are compiled anew: a few milliseconds each.
const VERSIONS_MAX: usize = 500;
