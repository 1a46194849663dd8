//! What there is to work with: tenants, connectors, connections. Nothing here opens a secret.

use axum::response::Response;
use serde_json::{Value, json};
use sortie_connector::{BUILT_IN, BuiltIn};
use sortie_openapi::Operation;
use sortie_store::{Connection, ConnectorInfo, Scope, StoreErrorKind, TenantKey};

use crate::{
    Problem,
    request::{Request, ok},
    views,
};

pub(super) async fn tenants(request: Request) -> Result<Response, Problem> {
    let is_seen =
        |key| request.granted.scopes.iter().any(|scope| matches!(scope, Scope::Every) || *scope == Scope::Tenant(key));
    let seen = request.granted.tenants.iter().filter(|tenant| is_seen(tenant.key)).map(views::tenant);
    ok(&json!({ "items": seen.collect::<Vec<_>>() }))
}

pub(super) async fn connections(request: Request) -> Result<Response, Problem> {
    let store = request.store();
    let mut found: Vec<Connection> = Vec::new();
    for scope in &request.granted.scopes {
        found.extend(store.connections(*scope).await?);
    }
    found.sort_by(|a, b| (&a.name, a.tenant).cmp(&(&b.name, b.tenant)));
    let mut items = Vec::with_capacity(found.len());
    for one in &found {
        let secrets = store.secret_infos(Scope::Tenant(one.tenant), one.id).await?;
        let mut shown = views::connection(&request, one);
        shown["secrets"] = secrets.iter().map(views::secret).collect();
        items.push(shown);
    }
    ok(&json!({ "items": items }))
}

pub(super) async fn connection(request: Request) -> Result<Response, Problem> {
    let store = request.store();
    let name = request.path("name");
    let found = store.connections_named(request.scope(), name).await?.pop();
    let found = found.ok_or_else(|| Problem::absent(format!("connection {name}")))?;
    let secrets = store.secret_infos(request.scope(), found.id).await?;
    let mut shown = views::connection(&request, &found);
    shown["secrets"] = secrets.iter().map(views::secret).collect();
    shown["used_by"] = store.connection_users(request.scope(), found.id).await?.into();
    ok(&shown)
}

pub(super) async fn connectors(request: Request) -> Result<Response, Problem> {
    let store = request.store();
    let mut found: Vec<ConnectorInfo> = Vec::new();
    for scope in &request.granted.scopes {
        found.extend(store.connectors(*scope).await?);
    }
    found.sort_by(|a, b| (&a.id, a.tenant).cmp(&(&b.id, b.tenant)));
    found.dedup_by(|a, b| (&a.id, a.tenant) == (&b.id, b.tenant));
    let mut items: Vec<Value> = BUILT_IN.iter().map(built_in).collect();
    items.extend(found.iter().map(|one| views::connector(&request, one)));
    for item in &mut items {
        let id = item["id"].as_str().unwrap_or_default();
        let product = request.shared.app.outside.product(TenantKey::SHARED, id, None).await;
        // One that cannot be read says so when it is looked at.
        item["operation_count"] = product.map_or(0, |product| product.description.operations.len()).into();
    }
    ok(&json!({ "items": items }))
}

pub(super) async fn connector(request: Request) -> Result<Response, Problem> {
    let id = request.path("id");
    let mut shown = match request.store().connector(request.scope(), id).await {
        Ok(found) => views::connector(&request, &found.info),
        Err(error) if matches!(error.kind, StoreErrorKind::Absent(_)) => {
            let one = BuiltIn::of(id).ok_or_else(|| Problem::absent(format!("connector {id}")))?;
            built_in(&one)
        }
        Err(error) => return Err(error.into()),
    };
    let product = request.shared.app.outside.product(request.tenant(), id, None).await;
    let product = product.map_err(|trouble| Problem::conflict(trouble.what, trouble.next))?;
    shown["operations"] = product.description.operations.iter().map(operation).collect();
    ok(&shown)
}

/// All that is known of it, as a client needs it that judges inputs itself.
pub(super) async fn description(request: Request) -> Result<Response, Problem> {
    let id = request.path("id");
    let (mut shown, description, edits) = match request.store().connector(request.scope(), id).await {
        Ok(found) => {
            let description = serde_json::from_str(&found.description).map_err(|_| Problem::fault())?;
            (views::connector(&request, &found.info), description, found.info.edits)
        }
        Err(error) if matches!(error.kind, StoreErrorKind::Absent(_)) => {
            let one = BuiltIn::of(id).ok_or_else(|| Problem::absent(format!("connector {id}")))?;
            let description = serde_json::to_value(one.description()).map_err(|_| Problem::fault())?;
            (built_in(&one), description, json!({}))
        }
        Err(error) => return Err(error.into()),
    };
    shown["edits"] = edits;
    shown["description"] = description;
    ok(&shown)
}

fn built_in(one: &BuiltIn) -> Value {
    let description = one.description();
    json!({
        "id": one.id, "tenant": null, "title": description.title, "origin": null, "built_in": true, "version": null,
        "changed": null, "content_hash": description.content_hash(),
    })
}

fn operation(one: &Operation) -> Value {
    json!({ "id": one.id, "title": one.title, "effect": one.effect.class, "inputs": one.input_schema(0) })
}
