//! Azure Key Vault: one secret read by its name, as an application does that keeps its own secrets there.
//!
//! Under `https://{vault}.vault.azure.net/secrets/..`, and below `/vaults/{vault}/secrets/..` on loopback. Vaults,
//! secrets and rights are made through the admin API; nothing is there before. The reference has no rows for this
//! service: paths, challenge, codes and the answer follow the public documentation of the REST API, the wordings and
//! `AKV` numbers are general knowledge (M), and so is the limit. Guesses (G): a vault that does not exist is a 404 (its
//! name does not even resolve in the real cloud), rights are those of Azure's roles, and every version of the API from
//! 7.0 on is taken.
//!
//! An expired secret is given all the same: the documentation lets reads pass outside of `nbf` and `exp`. A disabled one
//! is not.

mod admin;
mod store;

pub(crate) use admin::router as admin_router;
use axum::{
    Json, Router,
    extract::{FromRequestParts, Path, State},
    response::{IntoResponse, Response},
    routing::get,
};
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{RETRY_AFTER, WWW_AUTHENTICATE},
    request::Parts,
};
use serde_json::{Value, json};
pub(crate) use store::Vaults;

use crate::{
    caller::{Caller, Denied, Resource, authorize},
    cloud::{App, Cloud},
    dispatch::Origin,
    throttle::Limit,
    world::Ticks,
};

/// Newest and named versions of a secret.
pub(crate) fn router() -> Router<App> {
    Router::new()
        .route("/vaults/{vault}/secrets/{name}", get(newest))
        // Clients that leave the version empty end the path with a slash.
        .route("/vaults/{vault}/secrets/{name}/", get(newest))
        .route("/vaults/{vault}/secrets/{name}/{version}", get(version))
}

/// What is needed of a request before it is known who asks.
struct Head {
    headers: HeaderMap,
    origin: Origin,
    query: String,
}

impl FromRequestParts<App> for Head {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Response> {
        let origin = axum::Extension::<Origin>::from_request_parts(parts, app).await;
        let origin = origin.map_err(IntoResponse::into_response)?.0;
        Ok(Self { headers: parts.headers.clone(), origin, query: parts.uri.query().unwrap_or_default().to_owned() })
    }
}

async fn newest(State(app): State<App>, Path((vault, name)): Path<(String, String)>, head: Head) -> Response {
    secret(&app, &head, &vault, &name, None).unwrap_or_else(|refusal| *refusal)
}

async fn version(
    State(app): State<App>,
    Path((vault, name, version)): Path<(String, String, String)>,
    head: Head,
) -> Response {
    secret(&app, &head, &vault, &name, Some(&version)).unwrap_or_else(|refusal| *refusal)
}

fn secret(
    cloud: &Cloud,
    head: &Head,
    vault: &str,
    name: &str,
    version: Option<&str>,
) -> Result<Response, Box<Response>> {
    let tenant = cloud.vaults.with(|vaults| vaults.tenant_of(vault)).ok_or_else(|| {
        Box::new(error(StatusCode::NOT_FOUND, "VaultNotFound", &format!("There is no key vault '{vault}'."), None))
    })?;
    let caller = admitted(cloud, head, &tenant)?;
    let now = cloud.clock.now();
    if let Err(exceeded) = cloud.throttle.take(&LIMIT, &tenant, vault, Ticks::from(now)) {
        let mut response = too_many();
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(exceeded.wait_s()));
        return Err(Box::new(response));
    }
    check_api_version(&head.query)?;
    if !cloud.vaults.with(|vaults| vaults.may_read(vault, &[&caller.app_id, &caller.object_id])) {
        let message = format!(
            "Caller is not authorized to perform action on resource.\r\nIf role assignments, deny assignments or role \
             definitions were changed recently, please observe propagation time.\r\nCaller: appid={};oid={}\r\nAction: \
             'Microsoft.KeyVault/vaults/secrets/getSecret/action'\r\nVault: {vault}",
            caller.app_id, caller.object_id
        );
        return Err(Box::new(error(StatusCode::FORBIDDEN, "Forbidden", &message, Some("ForbiddenByRbac"))));
    }
    let base = if head.origin.is_real_name() {
        head.origin.base().to_owned()
    } else {
        format!("{}/vaults/{}", head.origin.base(), vault.to_lowercase())
    };
    let shown = cloud.vaults.with(|vaults| vaults.secret(vault, name, version).map(|found| found.json(&base, name)));
    match shown {
        None => {
            let message = format!(
                "A secret with (name/id) {name}{} was not found in this key vault. If you recently deleted this secret \
                 you may be able to recover it using the correct recovery command.",
                version.map(|version| format!("/{version}")).unwrap_or_default()
            );
            Err(Box::new(error(StatusCode::NOT_FOUND, "SecretNotFound", &message, None)))
        }
        Some(shown) if shown["attributes"]["enabled"] == false => {
            let message = "Operation get is not allowed on a disabled secret.";
            Err(Box::new(error(StatusCode::FORBIDDEN, "Forbidden", message, Some("SecretDisabled"))))
        }
        Some(shown) => Ok(Json(shown).into_response()),
    }
}

/// A caller with a token of the vault's own tenant.
fn admitted(cloud: &Cloud, head: &Head, tenant: &str) -> Result<Caller, Box<Response>> {
    let caller = authorize(cloud, &head.headers, Resource::KeyVault, &[])
        .map_err(|denied| Box::new(challenge(&head.origin, tenant, &denied)))?;
    if caller.tenant == tenant {
        return Ok(caller);
    }
    let presented = caller.tenant.clone();
    Err(Box::new(unauthorized(
        &head.origin,
        tenant,
        &format!("AKV10032: Invalid issuer. Expected the tenant {tenant}, found {presented}."),
    )))
}

/// Tells a client without a good token where tokens come from, and for which resource.
fn challenge(origin: &Origin, tenant: &str, denied: &Denied) -> Response {
    let message = match denied {
        Denied::Missing => "AKV10000: Request is missing a Bearer or PoP token.".to_owned(),
        Denied::Expired => "AKV10046: The token has expired.".to_owned(),
        Denied::WrongAudience { presented } => {
            format!("AKV10022: Invalid audience. Expected {RESOURCE}, found: {presented}.")
        }
        Denied::Invalid | Denied::MissingRole { .. } => "AKV10001: The token could not be validated.".to_owned(),
    };
    unauthorized(origin, tenant, &message)
}

fn unauthorized(origin: &Origin, tenant: &str, message: &str) -> Response {
    let login = if origin.is_real_name() { "https://login.microsoftonline.com" } else { origin.base() };
    let challenge = format!("Bearer authorization=\"{login}/{tenant}\", resource=\"{RESOURCE}\"");
    let mut response = error(StatusCode::UNAUTHORIZED, "Unauthorized", message, None);
    if let Ok(challenge) = HeaderValue::try_from(challenge) {
        response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    }
    response
}

fn check_api_version(query: &str) -> Result<(), Box<Response>> {
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    let given = pairs.find(|(name, _)| name.eq_ignore_ascii_case("api-version")).map(|(_, value)| value.into_owned());
    let refuse = |message: &str| Box::new(error(StatusCode::BAD_REQUEST, "BadParameter", message, None));
    let given = given.ok_or_else(|| refuse("api-version must be specified"))?;
    let base = given.split_once("-preview").map_or(given.as_str(), |(base, _)| base);
    let is_dated = base.parse::<jiff::civil::Date>().is_ok();
    let is_numbered = base.strip_prefix("7.").is_some_and(|minor| minor.parse::<u8>().is_ok());
    if is_dated || is_numbered {
        return Ok(());
    }
    Err(refuse(&format!(
        "The specified version ({given}) is not recognized. Consider using the latest supported version."
    )))
}

pub(crate) fn error(status: StatusCode, code: &str, message: &str, inner: Option<&str>) -> Response {
    let mut body: Value = json!({ "error": { "code": code, "message": message } });
    if let Some(inner) = inner {
        body["error"]["innererror"] = json!({ "code": inner });
    }
    (status, Json(body)).into_response()
}

/// The refusal of a call too many.
pub(crate) fn too_many() -> Response {
    let message =
        "Request was not processed because too many requests were received. Reason: VaultRequestTypeLimitReached";
    error(StatusCode::TOO_MANY_REQUESTS, "Throttled", message, None)
}

/// The refusal of a token that a fault has made old.
pub(crate) fn token_expired(cloud: &Cloud, origin: &Origin, path: &str) -> Response {
    let vault = path.split('/').nth(2).unwrap_or_default();
    let tenant = cloud.vaults.with(|vaults| vaults.tenant_of(vault)).unwrap_or_default();
    challenge(origin, &tenant, &Denied::Expired)
}

const RESOURCE: &str = "https://vault.azure.net";
/// Of one vault, whoever asks.
const LIMIT: Limit = Limit { name: "key vault secrets", windows: &[(4_000, 10)] };
