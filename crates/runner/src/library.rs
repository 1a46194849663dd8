//! Documents on their way into the installation: read, judged, kept as versions; and runs of them as orders.

use std::collections::HashSet;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use sortie_engine::{
    document::{Needs, TriggerKind, Workflow, meaning, read},
    text::{Code, Problem},
    validate::validate,
};
use sortie_store::{
    NewRun, NewWorkflow, RunMode, RunValue, Scope, Store, StoreError, TenantKey, Workflow as Kept, WorkflowState,
};

use crate::{
    catalog::{Surroundings, inputs_of},
    outside::Outside,
    pick::shaped,
};

/// Why a document is not kept.
#[derive(Debug, thiserror::Error)]
pub enum PutError {
    /// It is wrong: everything that is, by place.
    #[error("the document has {} problems", .0.len())]
    Problems(Vec<Problem>),
    /// It cannot be written, or was changed meanwhile.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The version of a document: the SHA-256 of what it means, in hexadecimal digits. Comments, titles, notes and layout are
/// no part of it.
///
/// # Errors
/// Everything that is wrong with its form as YAML.
pub fn version_of(text: &str) -> Result<String, Vec<Problem>> {
    let hash = Sha256::digest(meaning(text)?.as_bytes());
    Ok(hash.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Reads and judges a document against what this installation has.
///
/// # Errors
/// Everything that is wrong with it, by place; or [`PutError::Store`].
pub async fn judge(store: &Store, outside: &dyn Outside, tenant: TenantKey, text: &str) -> Result<Workflow, PutError> {
    let workflow = read(text).map_err(PutError::Problems)?;
    let surroundings = Surroundings::gather(store, tenant).await?;
    let problems = validate(&workflow, &surroundings.known(outside, &workflow).await);
    if problems.is_empty() { Ok(workflow) } else { Err(PutError::Problems(problems)) }
}

/// Reads and judges documents that belong together: each may call the others, whether they are kept already or not.
///
/// # Errors
/// [`StoreError`]; what is wrong with a document comes in its place.
pub async fn judge_all(
    store: &Store,
    outside: &dyn Outside,
    tenant: TenantKey,
    texts: &[String],
) -> Result<Vec<Result<NewWorkflow, Vec<Problem>>>, StoreError> {
    let mut surroundings = Surroundings::gather(store, tenant).await?;
    let read: Vec<Result<Workflow, Vec<Problem>>> = texts.iter().map(|text| read(text)).collect();
    for (workflow, text) in read.iter().zip(texts) {
        if let Ok(workflow) = workflow {
            surroundings.put(workflow.id.value.clone(), text.clone());
        }
    }
    let mut ids = HashSet::new();
    let mut judged = Vec::with_capacity(read.len());
    for (workflow, text) in read.into_iter().zip(texts) {
        judged.push(match workflow {
            Err(problems) => Err(problems),
            Ok(workflow) => {
                let mut problems = validate(&workflow, &surroundings.known(outside, &workflow).await);
                if !ids.insert(workflow.id.value.clone()) {
                    problems.push(taken(&workflow));
                }
                match problems.is_empty() {
                    true => version_of(text).map(|version| new(workflow, text, version)),
                    false => Err(problems),
                }
            }
        });
    }
    Ok(judged)
}

/// Two documents of one id cannot both be kept.
fn taken(workflow: &Workflow) -> Problem {
    Problem {
        span: workflow.id.span,
        code: Code::Id,
        what: format!("another document of the set is workflow `{}`, too", workflow.id.value),
        next: "Give one of them another id.".to_owned(),
    }
}

fn new(workflow: Workflow, text: &str, version: String) -> NewWorkflow {
    NewWorkflow { id: workflow.id.value, title: workflow.title, text: text.to_owned(), version }
}

/// Judges a document and keeps it for the tenant; `seen` is the edition that its author has seen, 0 for a new one.
///
/// # Errors
/// [`PutError`].
pub async fn put(
    store: &Store,
    outside: &dyn Outside,
    tenant: TenantKey,
    text: &str,
    seen: Option<i64>,
) -> Result<Kept, PutError> {
    let workflow = judge(store, outside, tenant, text).await?;
    let version = version_of(text).map_err(PutError::Problems)?;
    Ok(store.put_workflow(Scope::Tenant(tenant), new(workflow, text, version), seen).await?)
}

/// Judges a document and lets runs refer to it, without keeping it as a workflow: what is started of it stands under a name
/// that no workflow has.
///
/// # Errors
/// [`PutError`].
pub async fn draft(store: &Store, outside: &dyn Outside, tenant: TenantKey, text: &str) -> Result<Kept, PutError> {
    let workflow = judge(store, outside, tenant, text).await?;
    let version = version_of(text).map_err(PutError::Problems)?;
    let mut new = new(workflow, text, version);
    new.id.push_str(DRAFT_MARK);
    store.keep_version(Scope::Tenant(tenant), new.clone()).await?;
    let changed = jiff::Timestamp::UNIX_EPOCH;
    let NewWorkflow { id, title, text, version } = new;
    let (state, why, enabled, edition) = (WorkflowState::Disabled, None, None, 0);
    Ok(Kept { tenant, id, title, text, version, state, why, enabled, edition, changed })
}

/// What a person starts a run with.
#[derive(Clone, Debug, Default)]
pub struct ManualStart {
    /// Values by input.
    pub inputs: Map<String, Value>,
    /// What the workflow needs: the object that the starter picked, as any of Microsoft's APIs gives it or in its normal shape,
    /// which it has from here on.
    pub picked: Option<Value>,
    /// Live, or only to see what it would do.
    pub mode: RunMode,
    /// Equal keys are one start; without one each start is its own.
    pub key: String,
    /// Who starts it.
    pub by: String,
}

/// The order for a run by a person.
///
/// # Errors
/// One sentence when the workflow has no such trigger, or the inputs do not fit it.
pub fn manual(kept: &Kept, start: ManualStart) -> Result<NewRun, String> {
    let workflow = read(&kept.text).map_err(|_| format!("workflow {} cannot be read any more", kept.id))?;
    let found = workflow.triggers.iter().find_map(|trigger| match &trigger.kind {
        TriggerKind::Manual { inputs, needs } => Some((inputs, *needs)),
        _ => None,
    });
    let Some((parameters, needs)) = found else {
        return Err(format!("workflow {} cannot be started by hand: it has no `manual` trigger", kept.id));
    };
    let inputs = inputs_of(parameters, &start.inputs)?;
    let mut trigger = json!({ "kind": "manual", "by": start.by });
    let mut object = None;
    if let Some(needs) = needs {
        let word = needs.word();
        let picked = start.picked.ok_or_else(|| format!("workflow {} needs {}: pick one", kept.id, one(needs)))?;
        let picked = shaped(needs, &picked).ok_or_else(|| format!("what is picked is no {word}: it has no `id`"))?;
        object = picked["id"].as_str().map(|id| format!("{word} {id}"));
        trigger[word] = picked;
    } else if start.picked.is_some() {
        return Err(format!("workflow {} takes no object, and one is picked: give it by its inputs", kept.id));
    }
    Ok(NewRun {
        home: kept.tenant,
        workflow: kept.id.clone(),
        version: kept.version.clone(),
        mode: start.mode,
        start_key: format!("manual {}", start.key),
        cause: "manual".to_owned(),
        object,
        started_by: start.by,
        parent: None,
        again_of: None,
        depth: 0,
        input: RunValue::Text(json!({ "trigger": trigger, "inputs": inputs }).to_string()),
        taken_over: None,
        per_object_max: None,
    })
}

fn one(needs: Needs) -> String {
    match needs {
        Needs::Incident | Needs::Alert => format!("an {}", needs.word()),
        Needs::Device => format!("a {}", needs.word()),
    }
}

/// Behind the id of a document that is only tried; no id of a workflow can have it.
const DRAFT_MARK: &str = " (not kept)";
