//! How things look from outside: JSON, with tenants by name and nothing secret. `schemas.json` describes each.

use jiff::Timestamp;
use serde_json::{Value, json};
use sortie_store::{
    Approval, AuditEntry, Connection, ConnectorInfo, Grant, Guardrails, Principal, Run, SecretInfo, Tenant, TokenInfo,
    Workflow, WorkflowVersion,
};
use url::Url;

use crate::request::Request;

pub(crate) fn workflow(request: &Request, one: &Workflow) -> Value {
    json!({
        "id": one.id,
        "tenant": request.tenant_name(one.tenant),
        "title": one.title,
        "state": one.state.word(),
        "why": one.why,
        "version": one.version,
        "edition": one.edition,
        "enabled": text(one.enabled),
        "changed": one.changed.to_string(),
    })
}

pub(crate) fn version(one: &WorkflowVersion) -> Value {
    json!({ "version": one.version, "number": one.number, "made": one.made.to_string(), "made_by": one.made_by })
}

pub(crate) fn run(request: &Request, one: &Run) -> Value {
    json!({
        "id": one.id.to_string(),
        "tenant": request.tenant_name(one.tenant),
        "workflow": one.workflow,
        "home": request.tenant_name(one.home),
        "version": one.version,
        "status": one.status.word(),
        "why": one.why,
        "outcome": one.outcome,
        "handled": one.handled,
        "mode": one.mode.word(),
        "cause": one.cause,
        "object": one.object,
        "started_by": one.started_by,
        "parent": one.parent.as_ref().map(|(run, _)| run.to_string()),
        "again_of": one.again_of.map(|run| run.to_string()),
        "depth": one.depth,
        "made": one.made.to_string(),
        "begun": text(one.begun),
        "ended": text(one.ended),
        "wake": text(one.wake),
        "commits": one.seq,
    })
}

pub(crate) fn approval(request: &Request, one: &Approval) -> Value {
    json!({
        "id": one.id,
        "tenant": request.tenant_name(one.tenant),
        "run": one.run.to_string(),
        "workflow": one.workflow,
        "ask": one.new.ask,
        "roles": one.new.roles,
        "own": one.new.own,
        "started_by": one.started_by,
        "asked": one.asked.to_string(),
        "ends": one.new.ends.to_string(),
        "decided": text(one.decided),
        "decision": one.decision.map(sortie_store::Decision::word),
        "decided_by": one.decided_by,
        "why": one.why,
    })
}

pub(crate) fn tenant(one: &Tenant) -> Value {
    json!({ "name": one.name, "entra_id": one.entra_id, "cloud": one.cloud })
}

pub(crate) fn connection(request: &Request, one: &Connection) -> Value {
    json!({
        "name": one.name,
        "tenant": request.tenant_name(one.tenant),
        "connector": one.connector,
        "base_url": bare(&one.base_url),
        "token_url": one.token_url.as_deref().map(bare),
        "allowed_hosts": one.allowed_hosts,
        "destinations": one.destinations,
        "settings": one.settings,
        "version": one.version,
        "made": one.made.to_string(),
        "changed": one.changed.to_string(),
    })
}

pub(crate) fn secret(one: &SecretInfo) -> Value {
    json!({ "field": one.field, "entered": one.entered.to_string(), "expires": text(one.expires) })
}

pub(crate) fn connector(request: &Request, one: &ConnectorInfo) -> Value {
    json!({
        "id": one.id,
        "tenant": request.tenant_name(one.tenant),
        "title": one.edits["title"].as_str().unwrap_or(&one.title),
        "origin": bare(&one.origin),
        "built_in": false,
        "version": one.version,
        "changed": one.changed.to_string(),
        "content_hash": one.content_hash,
    })
}

pub(crate) fn guardrails(one: &Guardrails) -> Value {
    json!({
        "protected": one.protected.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "ceilings": one.ceilings,
        "observe": one.observe,
        "hold": one.hold.as_ref().map(|hold| json!({ "by": hold.by, "since": hold.since.to_string(), "why": hold.why })),
    })
}

pub(crate) fn grants(request: &Request, grants: &[Grant]) -> Value {
    let one = |grant: &Grant| json!({ "role": grant.role.as_str(), "tenant": grant.tenant.map(|tenant| request.tenant_name(tenant)) });
    grants.iter().map(one).collect()
}

pub(crate) fn user(request: &Request, one: &Principal) -> Value {
    json!({
        "id": one.id.to_string(),
        "name": one.name,
        "disabled": text(one.disabled),
        "made": one.made.to_string(),
        "grants": grants(request, &one.grants),
    })
}

pub(crate) fn token(one: &TokenInfo) -> Value {
    json!({
        "prefix": one.prefix,
        "name": one.name,
        "user": one.principal,
        "made": one.made.to_string(),
        "expires": text(one.expires),
        "used": text(one.used),
    })
}

pub(crate) fn audit(one: &AuditEntry) -> Value {
    json!({
        "seq": one.seq,
        "at": one.at.to_string(),
        "actor": { "id": one.actor_id, "name": one.actor_name, "kind": one.actor_kind },
        "tenant": one.tenant_name,
        "tenant_id": one.tenant.to_string(),
        "action": one.action,
        "object": one.object,
        "detail": one.detail,
    })
}

fn text(at: Option<Timestamp>) -> Option<String> {
    at.map(|at| at.to_string())
}

/// An address without what may stand in it for a name and a password, and without its query.
fn bare(text: &str) -> String {
    let Ok(mut url) = Url::parse(text) else { return text.to_owned() };
    // An address without a host has neither, and takes none.
    let _ = url.set_username("").and_then(|()| url.set_password(None));
    url.set_query(None);
    url.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_what_may_be_secret() {
        for (text, shown) in [
            ("https://alice:hunter2@api.example/v1?key=hunter2", "https://api.example/v1"),
            ("smtp://mail.example:587", "smtp://mail.example:587"),
            ("jira.yaml", "jira.yaml"),
        ] {
            assert_eq!(bare(text), shown);
        }
    }
}
