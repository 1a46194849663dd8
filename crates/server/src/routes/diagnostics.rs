//! How the installation is, for whoever is asked for help: numbers, words and versions. No secret, and nothing of what
//! services answered or analysts wrote.

use axum::response::Response;
use serde_json::{Value, json};
use sortie_store::{Connection, Health, Scope, SecretInfo};
use url::Url;

use crate::{
    Problem,
    request::{Request, ok},
    views,
};

pub(super) async fn show(request: Request) -> Result<Response, Problem> {
    let store = request.store();
    let health = store.health().await?;
    let mut connections = Vec::new();
    for one in store.connections(Scope::Every).await? {
        let secrets = store.secret_infos(Scope::Tenant(one.tenant), one.id).await?;
        connections.push(connection(&request, &one, &secrets));
    }
    let connectors = store.connectors(Scope::Every).await?;
    let connectors = connectors.iter().map(|one| {
        let edited: Vec<&String> = one.edits.as_object().into_iter().flatten().map(|(key, _)| key).collect();
        let tenant = request.tenant_name(one.tenant);
        json!({ "id": one.id, "tenant": tenant, "version": one.version, "content_hash": one.content_hash, "edited": edited })
    });
    let workflows = store.workflows(Scope::Every).await?;
    let workflows = workflows.iter().map(|one| {
        let tenant = request.tenant_name(one.tenant);
        json!({ "id": one.id, "tenant": tenant, "state": one.state.word(), "version": one.version, "edition": one.edition })
    });
    let tenants = request.granted.tenants.iter().map(|tenant| json!({ "name": tenant.name, "cloud": tenant.cloud }));
    let figures = request.shared.app.runner.figures();
    ok(&json!({
        "version": request.shared.app.options.version,
        "now": request.shared.app.clock.now().to_string(),
        "serves": request.shared.serves.load(std::sync::atomic::Ordering::Relaxed),
        "key": key(&request).await?,
        "database": database(&health),
        "runs": health.runs.iter().map(|(status, outcome, count)| json!({ "status": status, "outcome": outcome, "count": count })).collect::<Vec<_>>(),
        "runner": { "active": figures.active, "ready": figures.ready, "waiting": figures.waiting, "calls_open": figures.calls_open },
        "audit": health.deeds.iter().map(|(at, action)| json!({ "at": at.to_string(), "action": action })).collect::<Vec<_>>(),
        "tenants": tenants.collect::<Vec<_>>(),
        "connections": connections,
        "connectors": connectors.collect::<Vec<_>>(),
        "workflows": workflows.collect::<Vec<_>>(),
        "guardrails": guardrails(&request).await?,
    }))
}

/// Whether the secrets open. Where none was kept there is no key yet, and a look makes none.
async fn key(request: &Request) -> Result<Value, Problem> {
    if !request.store().has_key().await? {
        return Ok(json!({ "opens": null, "why": "no secret was kept yet" }));
    }
    Ok(match request.shared.keyring().await {
        Ok(_) => json!({ "opens": true, "why": null }),
        Err(problem) => json!({ "opens": false, "why": problem.detail }),
    })
}

fn database(health: &Health) -> Value {
    let rows: serde_json::Map<String, Value> =
        health.rows.iter().map(|(table, count)| ((*table).to_owned(), (*count).into())).collect();
    json!({
        "form": health.form, "sqlite": health.sqlite, "bytes": health.bytes, "faults": health.faults, "rows": rows,
    })
}

/// Its settings may hold what a person takes for a secret, so they are not told.
fn connection(request: &Request, one: &Connection, secrets: &[SecretInfo]) -> Value {
    let host = |text: &str| Url::parse(text).ok().and_then(|url| url.host_str().map(str::to_owned));
    let reference = one.settings["reference"].as_str().and_then(|text| text.split(':').next());
    json!({
        "name": one.name,
        "tenant": request.tenant_name(one.tenant),
        "connector": one.connector,
        "host": host(&one.base_url),
        "token_host": one.token_url.as_deref().and_then(host),
        "allowed_hosts": one.allowed_hosts,
        "refers_to": reference,
        "secrets": secrets.iter().map(views::secret).collect::<Vec<_>>(),
        "version": one.version,
        "changed": one.changed.to_string(),
    })
}

async fn guardrails(request: &Request) -> Result<Vec<Value>, Problem> {
    let mut found = Vec::new();
    for tenant in &request.granted.tenants {
        let rails = request.store().guardrails(Scope::Tenant(tenant.key)).await?;
        found.push(json!({
            "tenant": tenant.name, "protected": rails.protected.len(), "ceilings": rails.ceilings.len(),
            "observe": rails.observe, "held_since": rails.hold.map(|hold| hold.since.to_string()),
        }));
    }
    Ok(found)
}
