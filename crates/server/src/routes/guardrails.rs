//! Guardrails: what is protected, ceilings, and the switch that holds all effects.

use std::collections::BTreeMap;

use axum::response::Response;
use serde::Deserialize;
use serde_json::json;
use sortie_connector::BuiltIn;
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
    let mut ceilings = Vec::with_capacity(wish.ceilings.len());
    for (operation, count) in wish.ceilings {
        ceilings.push((counted(&request, &operation).await?, count));
    }
    let (protect, unprotect) = (rules(&wish.protect)?, rules(&wish.unprotect)?);
    let change = GuardrailChange { protect, unprotect, ceilings, observe: wish.observe };
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

/// An operation by any of its names, as it is counted: by its own id. A ceiling on a name that no operation has would never be
/// reached; one that is set already can be taken away whatever became of its operation.
async fn counted(request: &Request, operation: &str) -> Result<String, Problem> {
    let own = request.store().guardrails(request.scope()).await?;
    if own.ceilings.contains_key(operation) {
        return Ok(operation.to_owned());
    }
    let wrong = || {
        let next = "Write it as CONNECTOR/OPERATION, such as microsoft-365-defender/isolate-device.";
        Problem::content(format!("`{operation}` is no operation"), next)
    };
    let (connector, name) = operation.split_once('/').ok_or_else(wrong)?;
    // Of Defender it is that of the connector that comes along, as which every such call is known.
    let built_in = BuiltIn::of(connector).filter(|_| connector == DEFENDER).map(|one| one.description());
    let found = match &built_in {
        Some(description) => description.operation_called(name).map(|found| found.id.clone()),
        None => {
            let product = request.shared.app.outside.product(request.tenant(), connector, None).await;
            let product = product.map_err(|trouble| Problem::content(trouble.what, trouble.next))?;
            product.description.operation_called(name).map(|found| found.id.clone())
        }
    };
    let id = found.ok_or_else(|| {
        let detail = format!("connector {connector} has no operation `{name}`");
        let next = format!("`sortie connector show {connector}` lists them.");
        Problem::new(http::StatusCode::NOT_FOUND, "not-found", detail, next)
    })?;
    Ok(format!("{connector}/{id}"))
}

fn rules(texts: &[String]) -> Result<Vec<Rule>, Problem> {
    let rule = |text: &String| {
        text.parse::<Rule>().map_err(|error| Problem::content(format!("`{text}` is no rule: {error}"), "Correct it."))
    };
    texts.iter().map(rule).collect()
}

const DEFENDER: &str = "microsoft-365-defender";
