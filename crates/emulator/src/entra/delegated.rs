//! Grants that a person stands behind: authorization code, device code, refresh token.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::header::CACHE_CONTROL;
use jiff::SignedDuration;
use serde_json::json;

use super::{
    AppToken, EntraError, app_only,
    client_auth::{self, Client},
    discovery::issuer_base,
    error::Ids,
    issue,
    sessions::{self, DeviceState, SignIn},
    token::{TokenRequest, Version},
};
use crate::{cloud::Cloud, directory::TenantLookup, jwt::base64url, signing::sha256};

/// Redeems an authorization code once.
pub(crate) fn code(cloud: &Cloud, request: &TokenRequest<'_>, found: &TenantLookup) -> Result<Response, EntraError> {
    let client_id = client_auth::client_id(request)?;
    let text = request.form.text("code").ok_or_else(|| EntraError::missing_parameter("code"))?;
    let record = cloud
        .directory()
        .sessions
        .authorization_codes
        .get(text)
        .cloned()
        .ok_or_else(|| EntraError::plain(9_002_313))?;
    check_tenant(found, &record.sign_in)?;
    if !record.sign_in.client_id.eq_ignore_ascii_case(&client_id) {
        return Err(EntraError::plain(70_000));
    }
    let client = client_auth::identify(cloud, request, &record.sign_in.tenant, &client_id)?;
    if record.redeemed {
        return Err(EntraError::plain(54_005));
    }
    if record.expires <= cloud.clock.now() {
        return Err(EntraError::plain(70_008));
    }
    if request.form.text("redirect_uri") != Some(record.redirect_uri.as_str()) {
        let text =
            "The reply address in the request does not match the one that the authorization code was issued for.";
        return Err(EntraError::new(50_011, text));
    }
    if let Some(challenge) = &record.challenge {
        let verifier =
            request.form.text("code_verifier").ok_or_else(|| EntraError::missing_parameter("code_verifier"))?;
        if base64url(&sha256(verifier.as_bytes())) != *challenge {
            return Err(EntraError::plain(501_481));
        }
    } else if client.proof == super::ClientProof::Public {
        // A public client without PKCE could not show that it is the one that asked.
        return Err(EntraError::plain(9_002_325));
    }
    if let Some(kept) = cloud.directory().sessions.authorization_codes.get_mut(text) {
        kept.redeemed = true;
    }
    tokens(cloud, request, &client, record.sign_in)
}

/// A new access token, and a new refresh token beside the old one.
pub(crate) fn refresh(cloud: &Cloud, request: &TokenRequest<'_>, found: &TenantLookup) -> Result<Response, EntraError> {
    let client_id = client_auth::client_id(request)?;
    let text = request.form.text("refresh_token").ok_or_else(|| EntraError::missing_parameter("refresh_token"))?;
    let mut sign_in =
        cloud.directory().sessions.refresh_tokens.get(text).cloned().ok_or_else(|| EntraError::plain(70_000))?;
    check_tenant(found, &sign_in)?;
    if !sign_in.client_id.eq_ignore_ascii_case(&client_id) {
        return Err(EntraError::plain(70_000));
    }
    let client = client_auth::identify(cloud, request, &sign_in.tenant, &client_id)?;
    let is_once = cloud.directory().switches.refresh_tokens_once;
    if is_once {
        cloud.directory().sessions.refresh_tokens.remove(text);
    }
    if let Some(scope) = request.form.text("scope") {
        sign_in.scope = scope.to_owned();
    }
    tokens(cloud, request, &client, sign_in)
}

/// One poll of a device.
pub(crate) fn device(cloud: &Cloud, request: &TokenRequest<'_>, found: &TenantLookup) -> Result<Response, EntraError> {
    let client_id = client_auth::client_id(request)?;
    // The v1 endpoint calls the parameter `code`.
    let text = request.form.text("device_code").or_else(|| request.form.text("code"));
    let text = text.ok_or_else(|| EntraError::missing_parameter("device_code"))?;
    let now = cloud.clock.now();
    let sign_in = {
        let mut directory = cloud.directory();
        let administrators: Vec<_> = directory
            .tenants
            .iter()
            .filter_map(|tenant| Some((tenant.id.clone(), tenant.administrator()?.id.clone())))
            .collect();
        let record = directory.sessions.device_codes.get_mut(text).ok_or_else(|| EntraError::plain(70_018))?;
        if !record.client_id.eq_ignore_ascii_case(&client_id) {
            return Err(EntraError::plain(70_000));
        }
        if record.expires <= now {
            return Err(EntraError::plain(70_019));
        }
        // A clock that stands still says nothing about how fast the client polls.
        let allowed = |last: jiff::Timestamp| last.saturating_add(SignedDuration::from_secs(record.interval_s - 1));
        let too_fast =
            record.last_poll.is_some_and(|last| now > last && allowed(last).is_ok_and(|allowed| now < allowed));
        record.last_poll = Some(now);
        match record.state {
            DeviceState::Declined => return Err(EntraError::plain(70_015)),
            DeviceState::Redeemed => return Err(EntraError::plain(70_000)),
            DeviceState::Pending if too_fast => {
                record.interval_s += SLOW_DOWN_S;
                return Err(EntraError::plain(70_017));
            }
            DeviceState::Pending => return Err(EntraError::plain(70_016)),
            DeviceState::Approved => record.state = DeviceState::Redeemed,
        }
        let user_id = administrators.into_iter().find(|(tenant, _)| *tenant == record.tenant).map(|(_, user)| user);
        SignIn {
            tenant: record.tenant.clone(),
            client_id,
            scope: record.scope.clone(),
            user_id: user_id.unwrap_or_default(),
            nonce: None,
        }
    };
    check_tenant(found, &sign_in)?;
    let client = client_auth::identify(cloud, request, &sign_in.tenant, &sign_in.client_id)?;
    tokens(cloud, request, &client, sign_in)
}

fn check_tenant(found: &TenantLookup, sign_in: &SignIn) -> Result<(), EntraError> {
    match found {
        TenantLookup::Found(id) if *id != sign_in.tenant => Err(EntraError::plain(700_005)),
        _ => Ok(()),
    }
}

/// What a delegated scope text asks for.
struct Asked {
    /// The resource as the client named it.
    audience: String,
    names: Vec<String>,
    /// `openid`, `profile`, `email`, `offline_access`: for the client itself.
    own: Vec<String>,
}

fn tokens(cloud: &Cloud, request: &TokenRequest<'_>, client: &Client, sign_in: SignIn) -> Result<Response, EntraError> {
    let asked = match request.form.text("resource") {
        Some(resource) if request.version == Version::V1 => {
            read_scope(&format!("{}/.default offline_access", resource.trim_end_matches('/')))?
        }
        _ => read_scope(&sign_in.scope)?,
    };
    let resource = app_only::resource(cloud, &sign_in.tenant, &asked.audience)?;
    let scopes = granted_scopes(&asked, &resource, client)?;
    let user = cloud.directory().tenant(&sign_in.tenant).users.iter().find(|user| user.id == sign_in.user_id).cloned();
    let user = user.ok_or_else(|| EntraError::plain(50_034))?;
    let base = issuer_base(request.origin);
    let issued = AppToken {
        tenant: &sign_in.tenant,
        client_app_id: &client.app_id,
        client_object_id: &client.object_id,
        client_name: &client.name,
        proof: client.proof,
        resource: &resource,
        audience: &asked.audience,
        issuer_base: &base,
    }
    .issue_delegated(cloud, &user, &scopes);
    let shown = scopes.iter().map(|scope| format!("{}/{scope}", asked.audience)).chain(asked.own.iter().cloned());
    let mut body = json!({
        "token_type": "Bearer",
        "scope": shown.collect::<Vec<_>>().join(" "),
        "access_token": issued.token,
    });
    if request.version == Version::V1 {
        body["expires_in"] = issued.lifetime_s.to_string().into();
        body["expires_on"] = issued.expires.as_second().to_string().into();
        body["resource"] = asked.audience.clone().into();
    } else {
        body["expires_in"] = issued.lifetime_s.into();
        body["ext_expires_in"] = issued.lifetime_s.into();
    }
    let has = |name: &str| asked.own.iter().any(|own| own == name);
    if has("openid") {
        let token = issue::id_token(cloud, &base, &sign_in.tenant, &client.app_id, &user, sign_in.nonce.as_deref());
        body["id_token"] = token.into();
    }
    if request.form.text("client_info") == Some("1") {
        let info = json!({ "uid": user.id, "utid": sign_in.tenant });
        body["client_info"] = base64url(info.to_string().as_bytes()).into();
    }
    if has("offline_access") {
        let mut directory = cloud.directory();
        let token = directory.opaque(96);
        sessions::keep(&mut directory.sessions.refresh_tokens, token.clone(), sign_in);
        body["refresh_token"] = token.into();
    }
    let response = ([(CACHE_CONTROL, "no-store, no-cache")], Json(body)).into_response();
    Ok(Ids::new(cloud, request.headers).stamp(response, request.headers))
}

/// Splits the scope; a bare name belongs to Graph.
fn read_scope(scope: &str) -> Result<Asked, EntraError> {
    let mut asked = Asked { audience: String::new(), names: Vec::new(), own: Vec::new() };
    for part in scope.split_whitespace() {
        if matches!(part, "openid" | "profile" | "email" | "offline_access") {
            asked.own.push(part.to_owned());
            continue;
        }
        let (audience, name) = part.rsplit_once('/').unwrap_or((GRAPH, part));
        if !asked.audience.is_empty() && asked.audience != audience {
            return Err(EntraError::plain(700_022));
        }
        asked.audience = audience.to_owned();
        asked.names.push(name.to_owned());
    }
    if asked.audience.is_empty() {
        asked.audience = GRAPH.to_owned();
    }
    Ok(asked)
}

/// The administrator consents while signing in; only a scope that the resource does not publish is refused.
fn granted_scopes(
    asked: &Asked,
    resource: &crate::directory::Principal,
    client: &Client,
) -> Result<Vec<String>, EntraError> {
    let mut granted: Vec<String> = Vec::new();
    for name in &asked.names {
        if name == ".default" {
            granted.extend(DEFAULT_SCOPES.iter().map(|scope| (*scope).to_owned()));
            continue;
        }
        let published = resource.description.and_then(|description| description.scope_by_value(name));
        let Some(scope) = published else {
            return Err(EntraError::new(
                650_053,
                format!(
                    "The application '{}' asked for scope '{name}' that doesn't exist on the resource '{}'. Contact the app vendor.",
                    client.name, resource.service_principal.app_id
                ),
            ));
        };
        granted.push(scope.value.to_owned());
    }
    if granted.is_empty() {
        granted.push("User.Read".to_owned());
    }
    granted.dedup();
    Ok(granted)
}

const GRAPH: &str = "https://graph.microsoft.com";
/// What `.default` stands for: the set-up calls and the person's own profile.
const DEFAULT_SCOPES: &[&str] = &[
    "Application.ReadWrite.All",
    "AppRoleAssignment.ReadWrite.All",
    "Directory.Read.All",
    "Organization.Read.All",
    "User.Read",
];
const SLOW_DOWN_S: i64 = 5;
