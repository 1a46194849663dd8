//! Guardrails: what is protected, ceilings, and the switch that holds all effects.

use std::collections::BTreeMap;

use axum::response::Response;
use serde::Deserialize;
use serde_json::json;
use sortie_store::{GuardrailChange, Guardrails, Rule, Scope, TenantKey};

use crate::{
    Problem,
    request::{Request, ok},
    views,
};

pub(super) async fn show(request: Request) -> Result<Response, Problem> {
    let own = request.store().guardrails(request.scope()).await?;
    whole(&request, &own).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    #[serde(default)]
    protect: Vec<String>,
    #[serde(default)]
    unprotect: Vec<String>,
    /// A number, or null for what comes with Sortie.
    #[serde(default)]
    ceilings: BTreeMap<String, Option<u32>>,
    #[serde(default)]
    observe: Option<bool>,
}

pub(super) async fn change(request: Request) -> Result<Response, Problem> {
    let wish: Change = request.json()?;
    let change = GuardrailChange {
        protect: rules(&wish.protect)?,
        unprotect: rules(&wish.unprotect)?,
        ceilings: wish.ceilings.into_iter().collect(),
        observe: wish.observe,
    };
    let own = request.store().change_guardrails(request.scope(), change).await?;
    let_go(&request).await?;
    whole(&request, &own).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Hold {
    why: String,
}

pub(super) async fn hold(request: Request) -> Result<Response, Problem> {
    let wish: Hold = request.json()?;
    let own = request.store().hold_effects(request.scope(), &wish.why).await?;
    whole(&request, &own).await
}

pub(super) async fn release(request: Request) -> Result<Response, Problem> {
    let own = request.store().release_effects(request.scope()).await?;
    let_go(&request).await?;
    whole(&request, &own).await
}

/// What was held tries again at once.
async fn let_go(request: &Request) -> Result<(), Problem> {
    let scope = if request.tenant() == TenantKey::SHARED { Scope::Every } else { request.scope() };
    Ok(request.shared.app.runner.retry_held(scope).await?)
}

async fn whole(request: &Request, own: &Guardrails) -> Result<Response, Problem> {
    let force = request.store().guardrails_in_force(request.scope()).await?;
    let tenant = request.tenant_name(request.tenant());
    ok(&json!({ "tenant": tenant, "own": views::guardrails(own), "in_force": views::guardrails(&force) }))
}

fn rules(texts: &[String]) -> Result<Vec<Rule>, Problem> {
    let rule = |text: &String| {
        text.parse::<Rule>().map_err(|error| Problem::content(format!("`{text}` is no rule: {error}"), "Correct it."))
    };
    texts.iter().map(rule).collect()
}
