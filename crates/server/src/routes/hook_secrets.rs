//! The secrets of webhooks: made, told once, taken away.

use axum::response::Response;
use jiff::Timestamp;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use sortie_engine::document::{Secure, TriggerKind, read};
use sortie_store::HookInfo;

use crate::{
    Problem,
    request::{Request, done, ok},
};

pub(super) async fn one(request: Request) -> Result<Response, Problem> {
    let proofs = proofs(&request).await?;
    let info = request.store().hook_info(request.scope(), request.path("id")).await?;
    let info = info.ok_or_else(|| {
        let mut problem =
            Problem::absent(format!("secret for the webhook of workflow {} in this tenant", request.path("id")));
        problem.next = "Make one: `PUT` to this address.".to_owned();
        problem
    })?;
    ok(&shown(&request, info, &proofs))
}

pub(super) async fn renew(request: Request) -> Result<Response, Problem> {
    let proofs = proofs(&request).await?;
    let keyring = request.shared.keyring().await?;
    let (secret, info) = request.store().renew_hook(&keyring, request.scope(), request.path("id")).await?;
    let mut shown = shown(&request, info, &proofs);
    shown["secret"] = secret.expose().into();
    ok(&shown)
}

pub(super) async fn remove(request: Request) -> Result<Response, Problem> {
    request.store().remove_hook(request.scope(), request.path("id")).await?;
    done()
}

/// How senders prove themselves, one word for each `webhook` trigger of the workflow.
async fn proofs(request: &Request) -> Result<Vec<&'static str>, Problem> {
    let kept = request.store().workflow(request.scope(), request.path("id")).await?;
    let workflow = read(&kept.text).map_err(|_| Problem::conflict("the workflow cannot be read", "Validate it."))?;
    let word = |kind: &TriggerKind| match kind {
        TriggerKind::Webhook { secure: Secure::Hmac, .. } => Some("hmac"),
        TriggerKind::Webhook { secure: Secure::Token, .. } => Some("token"),
        _ => None,
    };
    let found: Vec<&str> = workflow.triggers.iter().filter_map(|trigger| word(&trigger.kind)).collect();
    if found.is_empty() {
        let detail = format!("workflow {} has no `webhook` trigger", kept.id);
        return Err(Problem::conflict(detail, "Add one to its `triggers`."));
    }
    Ok(found)
}

fn shown(request: &Request, info: HookInfo, proofs: &[&str]) -> Value {
    let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string().replace("%2D", "-");
    let tenant = encoded(&request.tenant_name(request.tenant()));
    let address = format!("{}/hooks/{tenant}/{}", request.shared.app.options.public_url, encoded(request.path("id")));
    let until = |at: Timestamp| at.to_string();
    json!({ "address": address, "proofs": proofs, "made": info.made.to_string(), "old_until": info.old_until.map(until) })
}
