//! Who calls a resource: the bearer token, checked as Microsoft's gateways check it.

use http::{HeaderMap, header::AUTHORIZATION};
use serde_json::Value;

use crate::{cloud::Cloud, directory::catalogue, jwt::Jwt};

/// The application behind a valid access token for the audience that the route asks for.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// Tenant id (`tid`), a GUID.
    pub tenant: String,
    /// Application (client) id (`appid` or `azp`).
    pub app_id: String,
    /// What comments and updates are signed with: the application's display name, or the user's name.
    pub display_name: String,
    /// Application permissions (`roles`); empty when nothing is granted.
    pub roles: Vec<String>,
    /// Delegated permissions (`scp`); empty for an app-only token.
    pub scopes: Vec<String>,
    /// The user's object id for a delegated token, the service principal's for an app-only one.
    pub object_id: String,
}

/// Why a token was not taken. Each service spells these in its own error body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Denied {
    /// No `Authorization: Bearer` at all.
    Missing,
    /// Not a JWT, or not signed by this cloud.
    Invalid,
    /// `exp` has passed.
    Expired,
    /// Issued for another resource than the route's.
    WrongAudience { presented: String },
    /// The token is fine, but none of the roles that open the route is in it.
    MissingRole { required: Vec<String>, held: Vec<String> },
}

/// The resources that tokens are issued for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resource {
    /// "Microsoft Threat Protection": Defender XDR.
    Xdr,
    /// "WindowsDefenderATP": Defender for Endpoint.
    Mde,
    /// Microsoft Graph.
    Graph,
    /// "Microsoft Cloud App Security": Defender for Cloud Apps.
    CloudApps,
    /// Azure Key Vault.
    KeyVault,
}

/// Reads the bearer token and checks signature, time, audience, and that one of the roles (or scopes) is in it.
/// An empty `any_of_roles` takes every token for the resource.
pub(crate) fn authorize(
    cloud: &Cloud,
    headers: &HeaderMap,
    resource: Resource,
    any_of_roles: &[&str],
) -> Result<Caller, Denied> {
    let caller = identify(cloud, headers, resource)?;
    let held = if caller.scopes.is_empty() { &caller.roles } else { &caller.scopes };
    let is_delegated = !caller.scopes.is_empty();
    // The Defender APIs name most delegated permissions as the application's without `.All`: `Machine.Read`.
    let opens = |held: &str, role: &str| held == role || (is_delegated && role.strip_suffix(".All") == Some(held));
    if any_of_roles.is_empty() || any_of_roles.iter().any(|role| held.iter().any(|held| opens(held, role))) {
        return Ok(caller);
    }
    Err(Denied::MissingRole {
        required: any_of_roles.iter().map(|role| (*role).to_owned()).collect(),
        held: held.clone(),
    })
}

fn identify(cloud: &Cloud, headers: &HeaderMap, resource: Resource) -> Result<Caller, Denied> {
    let header = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).ok_or(Denied::Missing)?;
    let (scheme, text) = header.split_once(' ').ok_or(Denied::Missing)?;
    if !scheme.eq_ignore_ascii_case("bearer") || text.trim().is_empty() {
        return Err(Denied::Missing);
    }
    let token = Jwt::parse(text).ok_or(Denied::Invalid)?;
    if !cloud.signing.signed(&token) {
        return Err(Denied::Invalid);
    }
    let now = cloud.clock.now().as_second();
    if token.claim_seconds("exp").is_none_or(|end| end <= now) {
        return Err(Denied::Expired);
    }
    if token.claim_seconds("nbf").is_some_and(|start| start > now + CLOCK_LEEWAY_S) {
        return Err(Denied::Invalid);
    }
    if !token.has_audience(|audience| accepts_audience(resource, audience)) {
        return Err(Denied::WrongAudience { presented: token.claim_text("aud").unwrap_or_default().to_owned() });
    }
    Ok(caller_of(cloud, &token))
}

fn caller_of(cloud: &Cloud, token: &Jwt) -> Caller {
    let text = |names: &[&str]| names.iter().find_map(|name| token.claim_text(name)).unwrap_or_default().to_owned();
    let roles = token.claims.get("roles").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let (tenant, app_id, user) = (text(&["tid"]), text(&["appid", "azp"]), text(&["name"]));
    let display_name = if user.is_empty() { cloud.directory().client_name(&tenant, &app_id) } else { user };
    Caller {
        tenant,
        app_id,
        display_name,
        roles: roles.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        scopes: text(&["scp"]).split_whitespace().map(str::to_owned).collect(),
        object_id: text(&["oid"]),
    }
}

/// The two Defender services share hosts and take each other's audience; their roles keep them apart (G).
fn accepts_audience(resource: Resource, audience: &str) -> bool {
    let issued_for = catalogue::resource_by_name(audience).and_then(|found| found.kind);
    match resource {
        Resource::Xdr | Resource::Mde => matches!(issued_for, Some(Resource::Xdr | Resource::Mde)),
        Resource::Graph | Resource::CloudApps | Resource::KeyVault => issued_for == Some(resource),
    }
}

const CLOCK_LEEWAY_S: i64 = 300;
