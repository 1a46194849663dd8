//! The vaults' part of the admin API: make them, fill them, let somebody read.

use std::collections::BTreeMap;

use axum::{
    Json, Router,
    extract::{Path, State},
    routing::{get, post, put},
};
use http::StatusCode;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::store::Secret;
use crate::{
    admin::{AdminError, Body},
    cloud::App,
    directory::SecretText,
};

/// Routes under `/vaults`.
pub(crate) fn router() -> Router<App> {
    Router::new()
        .route("/vaults", get(overview).post(open))
        .route("/vaults/{vault}/readers", post(grant).delete(revoke))
        .route("/vaults/{vault}/secrets/{name}", put(fill).patch(switch).delete(remove))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewVault {
    name: String,
    /// A tenant's id; without it the home tenant.
    tenant: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reader {
    /// An application id, or the object id of a service principal or managed identity.
    id: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct NewSecret {
    value: String,
    content_type: Option<String>,
    enabled: Option<bool>,
    not_before: Option<Timestamp>,
    expires: Option<Timestamp>,
    #[serde(default)]
    tags: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Switch {
    enabled: bool,
}

async fn overview(State(app): State<App>) -> Json<Value> {
    Json(app.vaults.with(|vaults| vaults.overview()))
}

async fn open(State(app): State<App>, Body(new): Body<NewVault>) -> Result<(StatusCode, Json<Value>), AdminError> {
    let is_name = (3..=24).contains(&new.name.len())
        && new.name.starts_with(|first: char| first.is_ascii_alphabetic())
        && new.name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    if !is_name {
        let text = "a vault's name has 3 to 24 letters, digits and hyphens, and starts with a letter";
        return Err(AdminError::Body(text.to_owned()));
    }
    let tenant = new.tenant.unwrap_or_else(|| app.worlds.home().to_owned());
    app.vaults.with(|vaults| vaults.open(&new.name, &tenant));
    let name = new.name.to_lowercase();
    Ok((StatusCode::CREATED, Json(json!({ "name": name, "url": format!("https://{name}.vault.azure.net") }))))
}

async fn grant(
    State(app): State<App>,
    Path(vault): Path<String>,
    Body(reader): Body<Reader>,
) -> Result<StatusCode, AdminError> {
    done(app.vaults.with(|vaults| vaults.grant(&vault, &reader.id, true)), &vault)
}

async fn revoke(
    State(app): State<App>,
    Path(vault): Path<String>,
    Body(reader): Body<Reader>,
) -> Result<StatusCode, AdminError> {
    done(app.vaults.with(|vaults| vaults.grant(&vault, &reader.id, false)), &vault)
}

/// Each call makes a new version; earlier ones stay.
async fn fill(
    State(app): State<App>,
    Path((vault, name)): Path<(String, String)>,
    Body(new): Body<NewSecret>,
) -> Result<Json<Value>, AdminError> {
    let version = app.directory().guid().replace('-', "");
    let secret = Secret {
        version: version.clone(),
        value: SecretText(new.value),
        content_type: new.content_type,
        enabled: new.enabled.unwrap_or(true),
        created: app.clock.now(),
        not_before: new.not_before,
        expires: new.expires,
        tags: new.tags,
    };
    done(app.vaults.with(|vaults| vaults.put(&vault, &name, secret)), &vault)?;
    Ok(Json(json!({ "version": version })))
}

async fn switch(
    State(app): State<App>,
    Path((vault, name)): Path<(String, String)>,
    Body(order): Body<Switch>,
) -> Result<StatusCode, AdminError> {
    done(app.vaults.with(|vaults| vaults.set_enabled(&vault, &name, order.enabled)), &format!("{vault}/{name}"))
}

async fn remove(State(app): State<App>, Path((vault, name)): Path<(String, String)>) -> Result<StatusCode, AdminError> {
    done(app.vaults.with(|vaults| vaults.remove(&vault, &name)), &format!("{vault}/{name}"))
}

fn done(found: bool, what: &str) -> Result<StatusCode, AdminError> {
    if found { Ok(StatusCode::NO_CONTENT) } else { Err(AdminError::NotInVaults(what.to_owned())) }
}
