//! A workflow as its webhooks need it, read once for each version.

use std::{collections::HashMap, sync::Arc};

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use sortie_engine::{
    document::{DEDUPE_NAMES, Secure, Tenants, TriggerKind, read},
    template::{Budget, Expression, Names, Scope as Values},
};
use sortie_store::{Hook, Scope, TenantKey};

use super::proof::Proof;
use crate::{Problem, app::Shared};

/// By home, workflow and version.
pub(crate) type Plans = HashMap<(TenantKey, String, String), Arc<Plan>>;

pub(crate) struct Plan {
    triggers: Vec<HookTrigger>,
    tenants: Tenants,
}

/// A `webhook` trigger.
#[derive(Clone)]
pub(crate) struct HookTrigger {
    pub is_signed: bool,
    /// Whether the sender waits for a `respond`.
    pub answers: bool,
    dedupe: Option<Arc<Expression>>,
}

/// The plan of a webhook's workflow; `None` where it does not run for the tenant.
pub(crate) async fn plan(shared: &Shared, hook: &Hook) -> Result<Option<Arc<Plan>>, Problem> {
    let workflow = &hook.workflow;
    let key = (workflow.tenant, workflow.id.clone(), workflow.version.clone());
    let known = shared.plans.lock().expect("no code panics while it holds this lock").get(&key).cloned();
    let plan = match known {
        Some(plan) => plan,
        None => {
            let home = Scope::Tenant(workflow.tenant);
            let version = shared.app.store.workflow_version(home, &workflow.id, &workflow.version).await?;
            let Some(plan) = Plan::of(&version.text) else { return Ok(None) };
            let plan = Arc::new(plan);
            let mut plans = shared.plans.lock().expect("no code panics while it holds this lock");
            if plans.len() >= PLANS_MAX {
                plans.clear();
            }
            plans.insert(key, Arc::clone(&plan));
            plan
        }
    };
    Ok(plan.is_for(&hook.tenant.name).then_some(plan))
}

impl Plan {
    fn of(text: &str) -> Option<Self> {
        let workflow = read(text).ok()?;
        let mut triggers = Vec::new();
        for trigger in &workflow.triggers {
            let TriggerKind::Webhook { secure, dedupe, answers } = &trigger.kind else { continue };
            let names = Names::only(DEDUPE_NAMES.iter().copied());
            let dedupe = dedupe.as_ref().map(|text| Expression::compile(&text.value, &names).map(Arc::new));
            let dedupe = dedupe.transpose().ok()?;
            triggers.push(HookTrigger { is_signed: *secure == Secure::Hmac, answers: *answers, dedupe });
        }
        Some(Self { triggers, tenants: workflow.tenants })
    }

    fn is_for(&self, tenant: &str) -> bool {
        match &self.tenants {
            Tenants::All => true,
            Tenants::Some(names) => names.iter().any(|name| name.value == tenant),
        }
    }

    /// The first trigger that what was proved opens.
    pub(crate) fn trigger(&self, proof: Proof) -> Option<HookTrigger> {
        let opens = |trigger: &&HookTrigger| if trigger.is_signed { proof.signed.is_some() } else { proof.token };
        self.triggers.iter().find(opens).cloned()
    }
}

impl HookTrigger {
    /// What makes a request the same as another: the value of `dedupe`, else the signature, else nothing.
    pub(crate) fn start_key(&self, workflow: &str, said: &Value, proof: Proof) -> String {
        if let Some(dedupe) = &self.dedupe {
            let mut values = Values::new(jiff::Timestamp::UNIX_EPOCH);
            for name in DEDUPE_NAMES {
                values = values.with(name, Arc::new(said[name].clone()));
            }
            match dedupe.evaluate(&values, Budget::default()) {
                Ok(value) => return format!("webhook same {}", digest(value.to_string().as_bytes())),
                // Rather a run too many than an event lost.
                Err(error) => tracing::warn!(workflow, %error, "`dedupe` of a webhook has no value"),
            }
        }
        match proof.signed.filter(|_| self.is_signed) {
            Some(signature) => format!("webhook signed {}", digest(&signature)),
            None => format!("webhook {}", uuid::Uuid::now_v7()),
        }
    }
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

const PLANS_MAX: usize = 500;
