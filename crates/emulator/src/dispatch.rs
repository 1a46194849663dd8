//! Which service answers a request: by path on loopback, by host name under Microsoft's names.
//!
//! Microsoft's paths match in any letter case, and OData allows a key in parentheses. Both are brought into one
//! spelling before routing: known words get theirs, `applications(appId='x')` becomes `applications/appId=x`.
//! Defender for Cloud Apps ends its paths with a slash, which is taken away.
//! Graph takes doubled slashes, which its SDK for Python sends in every call (`/v1.0//security/incidents`).

use axum::{body::Body, extract::Request};
use http::{Uri, header::HOST, uri::PathAndQuery};

use crate::tls::is_real_name;

/// The address that the client used, without a path: `https://localhost:8443`. Links in answers start with it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Origin(String);

impl Origin {
    /// Scheme, host and port as the client used them.
    pub(crate) fn base(&self) -> &str {
        &self.0
    }

    /// The host without a port, in lower case.
    pub(crate) fn host(&self) -> &str {
        let rest = self.0.split_once("://").map_or(self.0.as_str(), |(_, rest)| rest);
        host_name(rest)
    }

    /// Whether the client asked under one of Microsoft's names.
    pub(crate) fn is_real_name(&self) -> bool {
        is_real_name(self.host())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Service {
    Login,
    Graph,
    Defender,
    CloudApps,
    KeyVault,
    Metadata,
}

/// Prepares a request for the router; `None` when the host does not serve the path.
pub(crate) fn prepare(scheme: &str, mut request: Request<Body>) -> Option<Request<Body>> {
    let host_header = request.headers().get(HOST).and_then(|value| value.to_str().ok()).map(str::to_ascii_lowercase);
    let authority = request.uri().authority().map(|authority| authority.as_str().to_ascii_lowercase());
    let host = host_header.or(authority).unwrap_or_else(|| "localhost".to_owned());
    let path = route_path(host_name(&host), request.uri().path());
    let serves = service_of_host(host_name(&host)).is_none_or(|service| service == service_of_path(&path));
    let text = request.uri().query().map_or_else(|| path.clone(), |query| format!("{path}?{query}"));
    if let Ok(path_and_query) = PathAndQuery::try_from(text) {
        let mut parts = request.uri().clone().into_parts();
        parts.path_and_query = Some(path_and_query);
        // A URI in absolute form keeps its scheme and authority; the parts stay consistent, only the path changed.
        if let Ok(uri) = Uri::from_parts(parts) {
            *request.uri_mut() = uri;
        }
    }
    request.extensions_mut().insert(Origin(format!("{scheme}://{host}")));
    serves.then_some(request)
}

/// The path as the routers know it. A vault's name comes from its host, and names of secrets keep their spelling.
fn route_path(host: &str, path: &str) -> String {
    match host.strip_suffix(VAULT_DOMAIN) {
        Some(vault) => format!("/vaults/{vault}{path}"),
        None if path.starts_with("/vaults/") => path.to_owned(),
        None => canonical_path(path),
    }
}

fn service_of_host(host: &str) -> Option<Service> {
    if !is_real_name(host) {
        return None;
    }
    Some(match host {
        "graph.microsoft.com" => Service::Graph,
        _ if host.ends_with(VAULT_DOMAIN) => Service::KeyVault,
        _ if host.ends_with(".cloudappsecurity.com") => Service::CloudApps,
        _ if host.starts_with("login.") || host.starts_with("sts.") => Service::Login,
        _ => Service::Defender,
    })
}

fn service_of_path(path: &str) -> Service {
    match path.split('/').nth(1) {
        Some("v1.0" | "beta") => Service::Graph,
        Some("api") if path.starts_with("/api/v1/") => Service::CloudApps,
        Some("api") => Service::Defender,
        Some("vaults") => Service::KeyVault,
        Some("metadata") => Service::Metadata,
        _ => Service::Login,
    }
}

fn host_name(host: &str) -> &str {
    if host.starts_with('[') {
        return host.split_inclusive(']').next().unwrap_or(host);
    }
    host.split(':').next().unwrap_or(host)
}

fn canonical_path(path: &str) -> String {
    let mut canonical = String::with_capacity(path.len());
    let is_graph = path.split('/').nth(1).is_some_and(|first| matches!(word(first), "v1.0" | "beta"));
    let is_cloud_apps = path.len() > 7 && path.is_char_boundary(8) && path[..8].eq_ignore_ascii_case("/api/v1/");
    for segment in path.split('/').skip(1) {
        if (is_graph || is_cloud_apps) && segment.is_empty() {
            continue;
        }
        canonical.push('/');
        match segment.split_once('(').and_then(|(set, rest)| Some((set, rest.strip_suffix(')')?))) {
            Some((set, key)) if !key.is_empty() => {
                canonical.push_str(word(set));
                canonical.push('/');
                canonical.push_str(&canonical_key(key));
            }
            _ => canonical.push_str(word(segment)),
        }
    }
    if canonical.is_empty() { "/".to_owned() } else { canonical }
}

/// `appId='x'` and `'x'` lose their quotes, plain or percent-encoded.
fn canonical_key(key: &str) -> String {
    let (name, value) = key.split_once('=').map_or((None, key), |(name, value)| (Some(name), value));
    let value = value.trim_start_matches("%27").trim_end_matches("%27").trim_matches('\'');
    match name {
        Some(name) => format!("{}={value}", word(name)),
        None => value.to_owned(),
    }
}

fn word(segment: &str) -> &str {
    WORDS.iter().find(|word| word.eq_ignore_ascii_case(segment)).copied().unwrap_or(segment)
}

const VAULT_DOMAIN: &str = ".vault.azure.net";
/// The fixed parts of all routes, in the spelling that the routers use.
const WORDS: &[&str] = &[
    "v1.0",
    "beta",
    "api",
    "metadata",
    "identity",
    "oauth2",
    "v2.0",
    "token",
    "authorize",
    "devicecode",
    "devicelogin",
    "deviceauth",
    "adminconsent",
    "decision",
    "discovery",
    "instance",
    "keys",
    ".well-known",
    "openid-configuration",
    "common",
    "applications",
    "servicePrincipals",
    "addPassword",
    "removePassword",
    "addKey",
    "removeKey",
    "appId",
    "federatedIdentityCredentials",
    "appRoleAssignedTo",
    "appRoleAssignments",
    "organization",
    "me",
    "memberOf",
    "transitiveMemberOf",
    "microsoft.graph.directoryRole",
    "users",
    "revokeSignInSessions",
    "microsoft.graph.revokeSignInSessions",
    "security",
    "incidents",
    "alerts",
    "alerts_v2",
    "comments",
    "runHuntingQuery",
    "microsoft.graph.security.runHuntingQuery",
    "advancedhunting",
    "advancedqueries",
    "run",
    "machines",
    "machineactions",
    "indicators",
    "investigations",
    "files",
    "ips",
    "domains",
    "$count",
    "createAlert",
    "mergeIncidents",
    "moveAlerts",
    "microsoft.graph.security.mergeIncidents",
    "microsoft.graph.security.moveAlerts",
    "info",
    "findbyip",
    "findbytag",
    "ip",
    "index",
    "AddOrRemoveTagForMultipleMachines",
    "logonusers",
    "tags",
    "setDeviceValue",
    "isolate",
    "unisolate",
    "restrictCodeExecution",
    "unrestrictCodeExecution",
    "runAntiVirusScan",
    "collectInvestigationPackage",
    "offboard",
    "StopAndQuarantineFile",
    "runliveresponse",
    "startInvestigation",
    "cancel",
    "getPackageUri",
    "GetLiveResponseResultDownloadLink",
    "downloads",
    "libraryfiles",
    "batchUpdate",
    "CreateAlertByReference",
    "machine",
    "user",
    "stats",
    "import",
    "BatchDelete",
    "Software",
    "vulnerabilities",
    "machinesVulnerabilities",
    "recommendations",
    "machineReferences",
    "exposureScore",
    "ByMachineGroups",
    "configurationScore",
    "remediationTasks",
    "distributions",
    "getmissingkbs",
    "v1",
    "activities",
    "entities",
    "close_benign",
    "close_false_positive",
    "close_true_positive",
    "read",
    "unread",
    "feedback",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_words_and_keys_get_one_spelling_and_ids_keep_theirs() {
        for (given, expected) in [
            ("/V1.0/serviceprincipals/aB", "/v1.0/servicePrincipals/aB"),
            ("/v1.0/applications(APPID='a-1')/addpassword", "/v1.0/applications/appId=a-1/addPassword"),
            ("/v1.0/applications(appId=%27a-1%27)", "/v1.0/applications/appId=a-1"),
            ("/v1.0/servicePrincipals('a-1')", "/v1.0/servicePrincipals/a-1"),
            ("/Contoso.com/OAuth2/v2.0/Token", "/Contoso.com/oauth2/v2.0/token"),
            ("/API/incidents", "/api/incidents"),
            ("/V1.0//security///incidents", "/v1.0/security/incidents"),
            ("/api//incidents", "/api//incidents"),
            ("/API/V1/Alerts/aB/Read/", "/api/v1/alerts/aB/read"),
            ("/", "/"),
            ("/a()/b", "/a()/b"),
        ] {
            assert_eq!(canonical_path(given), expected);
        }
    }

    #[test]
    fn a_host_serves_its_own_paths_only_and_loopback_serves_all() {
        let prepared = |host: &str, path: &str| {
            let request = Request::builder().uri(path).header(HOST, host).body(Body::empty()).unwrap();
            prepare("https", request).is_some()
        };
        assert!(prepared("graph.microsoft.com", "/v1.0/me"));
        assert!(!prepared("graph.microsoft.com", "/api/incidents"));
        assert!(prepared("login.windows.net:443", "/x/oauth2/token"));
        assert!(!prepared("login.windows.net", "/v1.0/me"));
        assert!(prepared("eu.api.security.microsoft.com", "/api/incidents"));
        assert!(prepared("kv-soc.vault.azure.net", "/secrets/Read/1"));
        assert!(!prepared("graph.microsoft.com", "/vaults/kv-soc/secrets/Read"));
        assert!(prepared("contoso.us3.portal.cloudappsecurity.com", "/api/v1/alerts/"));
        assert!(!prepared("contoso.us3.portal.cloudappsecurity.com", "/api/alerts"));
        assert!(!prepared("api.security.microsoft.com", "/api/v1/alerts/"));
        assert!(prepared("localhost:8080", "/api/incidents") && prepared("127.0.0.1:1", "/v1.0/me"));
    }
}
