//! Discovery: where the endpoints are, which keys sign, which hosts belong together.
//!
//! Every address names the host that the client asked, so that `https://localhost:PORT` works like
//! `login.microsoftonline.com`. The v2.0 issuer follows it on loopback, because MSAL and OpenID Connect require the issuer
//! to match the authority; under Microsoft's names it is Microsoft's. The v1.0 issuer is `sts.windows.net` everywhere:
//! tokens for Graph and Defender carry it, whichever host issued them.

use axum::{
    Extension, Json,
    extract::{Path, Query, State},
    response::{IntoResponse, Response},
};
use http::HeaderMap;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{EntraError, token::tenant_error};
use crate::{
    cloud::{App, Cloud},
    directory::TenantLookup,
    dispatch::Origin,
};

pub(crate) async fn v1(
    state: State<App>,
    path: Path<String>,
    origin: Extension<Origin>,
    headers: HeaderMap,
) -> Response {
    document(&state, &path, &origin, &headers, Version::V1)
}

pub(crate) async fn v2(
    state: State<App>,
    path: Path<String>,
    origin: Extension<Origin>,
    headers: HeaderMap,
) -> Response {
    document(&state, &path, &origin, &headers, Version::V2)
}

pub(crate) async fn keys_v1(State(cloud): State<App>) -> Json<Value> {
    Json(cloud.signing.jwks(None))
}

pub(crate) async fn keys_v2(
    State(cloud): State<App>,
    Path(tenant): Path<String>,
    origin: Extension<Origin>,
) -> Json<Value> {
    let tenant = match cloud.directory().find_tenant(&tenant) {
        TenantLookup::Found(id) => id,
        _ => "{tenantid}".to_owned(),
    };
    Json(cloud.signing.jwks(Some(&format!("{}/{tenant}/v2.0", issuer_base(&origin)))))
}

/// The query of an instance discovery.
#[derive(Debug, Deserialize)]
pub(crate) struct InstanceQuery {
    authorization_endpoint: Option<String>,
}

/// Which hosts are one cloud. A host that is not known is still answered for: the emulator vouches for itself.
pub(crate) async fn instance(Query(query): Query<InstanceQuery>, origin: Extension<Origin>) -> Json<Value> {
    let endpoint = query.authorization_endpoint.unwrap_or_default();
    let tenant = endpoint.split('/').nth(3).filter(|part| !part.is_empty()).unwrap_or("common");
    let entry = |hosts: &[&str], cache: &str| json!({ "preferred_network": hosts[0], "preferred_cache": cache, "aliases": hosts });
    let mut metadata = vec![
        entry(
            &["login.microsoftonline.com", "login.windows.net", "login.microsoft.com", "sts.windows.net"],
            "login.windows.net",
        ),
        entry(&["login.partner.microsoftonline.cn", "login.chinacloudapi.cn"], "login.partner.microsoftonline.cn"),
        entry(&["login.microsoftonline.us", "login.usgovcloudapi.net"], "login.microsoftonline.us"),
    ];
    if !origin.is_real_name() {
        let host = origin.base().split_once("://").map_or("", |(_, host)| host);
        metadata.push(entry(&[host], host));
    }
    Json(json!({
        "tenant_discovery_endpoint": format!("{}/{tenant}/v2.0/.well-known/openid-configuration", origin.base()),
        "api-version": "1.1",
        "metadata": metadata,
    }))
}

/// Start of the issuer of v2.0 tokens for a client that asked `origin`.
pub(crate) fn issuer_base(origin: &Origin) -> String {
    if origin.is_real_name() { "https://login.microsoftonline.com".to_owned() } else { origin.base().to_owned() }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    V1,
    V2,
}

fn document(cloud: &Cloud, tenant: &str, origin: &Origin, headers: &HeaderMap, version: Version) -> Response {
    let found = cloud.directory().find_tenant(tenant);
    let (name, issuer_name) = match found {
        TenantLookup::Found(id) => (id.clone(), id),
        TenantLookup::Alias(alias) => (alias, "{tenantid}".to_owned()),
        other => {
            return tenant_error(tenant, &other).unwrap_or_else(|| EntraError::plain(90_002)).answer(cloud, headers);
        }
    };
    let login = origin.base();
    let (middle, issuer) = match version {
        Version::V1 => ("oauth2", format!("https://sts.windows.net/{issuer_name}/")),
        Version::V2 => ("oauth2/v2.0", format!("{}/{issuer_name}/v2.0", issuer_base(origin))),
    };
    let keys = if version == Version::V1 { "discovery/keys" } else { "discovery/v2.0/keys" };
    Json(json!({
        "token_endpoint": format!("{login}/{name}/{middle}/token"),
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
        "jwks_uri": format!("{login}/{name}/{keys}"),
        "response_modes_supported": ["query", "fragment", "form_post"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "issuer": issuer,
        "request_uri_parameter_supported": false,
        "userinfo_endpoint": "https://graph.microsoft.com/oidc/userinfo",
        "authorization_endpoint": format!("{login}/{name}/{middle}/authorize"),
        "device_authorization_endpoint": format!("{login}/{name}/{middle}/devicecode"),
        "http_logout_supported": true,
        "frontchannel_logout_supported": true,
        "end_session_endpoint": format!("{login}/{name}/{middle}/logout"),
        "claims_supported": [
            "sub", "iss", "cloud_instance_name", "cloud_graph_host_name", "msgraph_host", "aud", "exp", "iat", "auth_time",
            "acr", "nonce", "preferred_username", "name", "tid", "ver", "at_hash", "c_hash", "email",
        ],
        "tenant_region_scope": "EU",
        "cloud_instance_name": "microsoftonline.com",
        "cloud_graph_host_name": "graph.windows.net",
        "msgraph_host": "graph.microsoft.com",
        "rbac_url": "https://pas.windows.net",
    }))
    .into_response()
}
