//! Local users, what they were granted, and the tokens that act for them.

use axum::response::Response;
use http::StatusCode;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use sortie_store::{Grant, Principal, PrincipalName, Role, Scope};

use crate::{
    Problem,
    request::{Request, done, json as answer, ok},
    views,
};

pub(super) async fn whoami(mut request: Request) -> Result<Response, Problem> {
    request.granted.tenants = request.shared.app.store.tenants(Scope::Every).await?;
    let actor = &request.granted.actor;
    let grants = views::grants(&request, &actor.grants);
    ok(&json!({ "id": actor.id, "name": actor.name, "kind": actor.kind.as_str(), "grants": grants }))
}

pub(super) async fn roles(_: Request) -> Result<Response, Problem> {
    let role = |role: &Role| {
        let may: Vec<&str> = role.permissions().map(sortie_store::Permission::words).collect();
        json!({ "role": role.as_str(), "may": may })
    };
    ok(&json!({ "items": Role::ALL.iter().map(role).collect::<Vec<Value>>() }))
}

pub(super) async fn users(request: Request) -> Result<Response, Problem> {
    let found = request.store().principals().await?;
    ok(&json!({ "items": found.iter().map(|one| views::user(&request, one)).collect::<Vec<_>>() }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AddUser {
    name: String,
}

pub(super) async fn add_user(request: Request) -> Result<Response, Problem> {
    let wish: AddUser = request.json()?;
    let name: PrincipalName = wish
        .name
        .parse()
        .map_err(|error: sortie_store::PrincipalNameError| Problem::content(error.to_string(), "Take another name."))?;
    let made = request.store().add_principal(&name).await?;
    Ok(answer(StatusCode::CREATED, &views::user(&request, &made)))
}

pub(super) async fn user(request: Request) -> Result<Response, Problem> {
    ok(&views::user(&request, &named(&request).await?))
}

pub(super) async fn remove_user(request: Request) -> Result<Response, Problem> {
    let found = named(&request).await?;
    request.store().remove_principal(found.id).await?;
    done()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Disable {
    disabled: bool,
}

pub(super) async fn disable_user(request: Request) -> Result<Response, Problem> {
    let wish: Disable = request.json()?;
    let found = named(&request).await?;
    request.store().disable_principal(found.id, wish.disabled).await?;
    ok(&views::user(&request, &named(&request).await?))
}

pub(super) async fn grant(request: Request) -> Result<Response, Problem> {
    let (found, grant) = (named(&request).await?, wished(&request)?);
    request.store().grant(found.id, grant).await?;
    regranted(&request).await
}

pub(super) async fn revoke(request: Request) -> Result<Response, Problem> {
    let (found, grant) = (named(&request).await?, wished(&request)?);
    request.store().revoke(found.id, grant).await?;
    regranted(&request).await
}

/// Who administers one tenant need not see what a user was granted in others.
async fn regranted(request: &Request) -> Result<Response, Problem> {
    let mut found = named(request).await?;
    if let Scope::Tenant(tenant) = request.scope() {
        found.grants.retain(|grant| grant.tenant.is_none_or(|own| own == tenant));
    }
    ok(&views::user(request, &found))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AddToken {
    name: String,
    #[serde(default)]
    expires: Option<Timestamp>,
}

pub(super) async fn add_token(request: Request) -> Result<Response, Problem> {
    let wish: AddToken = request.json()?;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if wish.name.is_empty() || wish.name.len() > 64 || !wish.name.chars().all(is_plain) {
        let detail = "a token's name has 1 to 64 letters, digits, `-`, `_` and `.`";
        return Err(Problem::content(detail, "Take another name."));
    }
    if wish.expires.is_some_and(|end| end <= request.shared.app.clock.now()) {
        return Err(Problem::content("`expires` is over already", "Name a moment to come, or none."));
    }
    let owner = named(&request).await?;
    let (text, info) = request.store().add_token(owner.id, &wish.name, wish.expires).await?;
    let mut shown = views::token(&info);
    shown["token"] = text.expose().into();
    Ok(answer(StatusCode::CREATED, &shown))
}

pub(super) async fn tokens(request: Request) -> Result<Response, Problem> {
    let found = request.store().tokens().await?;
    ok(&json!({ "items": found.iter().map(views::token).collect::<Vec<_>>() }))
}

pub(super) async fn revoke_token(request: Request) -> Result<Response, Problem> {
    request.store().revoke_token(request.path("prefix")).await?;
    done()
}

async fn named(request: &Request) -> Result<Principal, Problem> {
    Ok(request.store().principal(request.path("name")).await?)
}

/// The role in the path, where the request reaches.
fn wished(request: &Request) -> Result<Grant, Problem> {
    let role: Role = request.path("role").parse().map_err(|detail: &str| {
        Problem::content(format!("`{}` is no role: {detail}", request.path("role")), "Correct it.")
    })?;
    let tenant = match request.scope() {
        Scope::Every => None,
        Scope::Tenant(tenant) => Some(tenant),
    };
    Ok(Grant { role, tenant })
}
