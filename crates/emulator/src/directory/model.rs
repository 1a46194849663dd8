//! The nouns of the directory.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
};

use jiff::Timestamp;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{entra::Sessions, jwt::RsaPublic};

/// Everything that Entra keeps.
#[derive(Debug)]
pub(crate) struct Directory {
    pub tenants: Vec<Tenant>,
    pub applications: Vec<Application>,
    pub switches: Switches,
    pub administrator: Administrator,
    /// Errors that the token endpoint gives instead of its own verdict: code and how many times.
    pub token_errors: VecDeque<(u32, u32)>,
    /// Keys of identity providers outside, by issuer and key id.
    pub federated_issuers: HashMap<String, Vec<(Option<String>, RsaPublic)>>,
    pub managed_identities: Vec<ManagedIdentity>,
    pub identity_faults: IdentityFaults,
    /// Sign-ins that are under way.
    pub sessions: Sessions,
    pub(super) random: ChaCha8Rng,
}

/// One Entra tenant.
#[derive(Debug)]
pub(crate) struct Tenant {
    pub id: String,
    pub display_name: String,
    /// Verified domains; the first is the initial one (`*.onmicrosoft.com`).
    pub domains: Vec<String>,
    /// The login host of the cloud where the tenant lives, when that is not this one.
    pub other_cloud: Option<&'static str>,
    pub created: Timestamp,
    pub users: Vec<User>,
    pub service_principals: Vec<ServicePrincipal>,
    pub grants: Vec<Grant>,
}

/// A person who can sign in.
#[derive(Clone, Debug)]
pub(crate) struct User {
    pub id: String,
    pub upn: String,
    pub name: String,
    /// Display names of directory roles.
    pub directory_roles: Vec<String>,
}

/// An app registration.
#[derive(Clone, Debug)]
pub(crate) struct Application {
    pub id: String,
    pub app_id: String,
    /// The tenant where it is registered.
    pub tenant: String,
    pub created: Timestamp,
    /// The object id of who registered it; `Application.ReadWrite.OwnedBy` looks at it.
    pub owner: Option<String>,
    /// The other properties as Graph shows them, credentials left out.
    pub properties: Map<String, Value>,
    pub passwords: Vec<Password>,
    pub keys: Vec<KeyCredential>,
    pub federated: Vec<Federated>,
}

/// A client secret.
#[derive(Clone, Debug)]
pub(crate) struct Password {
    pub key_id: String,
    pub display_name: Option<String>,
    pub secret: SecretText,
    pub start: Timestamp,
    pub end: Timestamp,
}

/// A certificate whose key signs client assertions.
#[derive(Clone, Debug)]
pub(crate) struct KeyCredential {
    pub key_id: String,
    pub display_name: Option<String>,
    pub certificate: Vec<u8>,
    pub start: Timestamp,
    pub end: Timestamp,
}

/// A trust in tokens of an identity provider outside.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Federated {
    pub id: String,
    pub name: String,
    pub issuer: String,
    pub subject: String,
    pub audiences: Vec<String>,
    pub description: Option<String>,
}

/// The presence of an application in a tenant.
#[derive(Clone, Debug)]
pub(crate) struct ServicePrincipal {
    pub id: String,
    pub app_id: String,
    pub display_name: String,
    pub owner_tenant: String,
    pub enabled: bool,
    pub assignment_required: bool,
    /// `Application` or `ManagedIdentity`.
    pub kind: &'static str,
    pub created: Timestamp,
}

/// An app role assignment: consent of an administrator to an application permission.
#[derive(Clone, Debug)]
pub(crate) struct Grant {
    pub id: String,
    pub principal: String,
    pub resource: String,
    pub role: String,
    pub created: Timestamp,
    /// New tokens carry the role from here on.
    pub effective: Timestamp,
}

/// A managed identity of the machine that asks the metadata endpoint.
#[derive(Clone, Debug)]
pub(crate) struct ManagedIdentity {
    pub client_id: String,
    pub object_id: String,
    /// `None` is the system-assigned one.
    pub resource_id: Option<String>,
}

/// Failures that the metadata endpoint still has to give.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct IdentityFaults {
    pub status: u16,
    pub times: u32,
}

/// Behaviour that the admin API turns on.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Switches {
    /// How long a new grant stays out of new tokens.
    pub propagation_delay_s: i64,
    /// Every token lives this long; `None` draws 60 to 90 minutes.
    pub token_lifetime_s: Option<i64>,
    /// Resources (application ids) that refuse clients without a role (AADSTS501051).
    pub assignment_required: Vec<String>,
    /// Nobody may sign in to Microsoft's own command line client.
    pub block_default_client: bool,
    /// Application id of a product that the tenants never licensed.
    pub unlicensed_resource: Option<String>,
    /// How long a new application is unknown to the call that makes its service principal.
    pub replication_delay_s: i64,
    /// How many calls for a new service principal fail although the application is there.
    pub replication_failures: u32,
    /// Seconds between polls that a device code asks for.
    pub device_interval_s: i64,
    /// Whether users without a directory role may register applications.
    pub users_may_register: bool,
    /// A refresh token ends with its first use, as with providers that follow RFC 9700 section 4.14.2. Entra leaves the
    /// old one alive.
    pub refresh_tokens_once: bool,
}

/// What the person does who administers the tenants.
#[derive(Clone, Debug)]
pub(crate) struct Administrator {
    pub decision: ConsentDecision,
}

/// How a consent or sign-in page is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ConsentDecision {
    Accept,
    Decline,
    /// A page is shown and waits.
    Ask,
}

/// A credential of an application. `Debug` shows nothing of it.
#[derive(Clone)]
pub(crate) struct SecretText(pub String);

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText(..)")
    }
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            propagation_delay_s: 0,
            token_lifetime_s: None,
            assignment_required: Vec::new(),
            block_default_client: false,
            unlicensed_resource: None,
            replication_delay_s: 0,
            replication_failures: 0,
            device_interval_s: 5,
            users_may_register: true,
            refresh_tokens_once: false,
        }
    }
}

impl Application {
    pub(crate) fn display_name(&self) -> &str {
        self.properties.get("displayName").and_then(Value::as_str).unwrap_or_default()
    }

    /// Whether other tenants may use it.
    pub(crate) fn is_multi_tenant(&self) -> bool {
        self.properties.get("signInAudience").and_then(Value::as_str).is_some_and(|text| text != "AzureADMyOrg")
    }

    pub(crate) fn allows_public_flows(&self) -> bool {
        self.properties.get("isFallbackPublicClient").and_then(Value::as_bool) == Some(true)
    }

    /// Pairs of resource application id and role id that the registration asks for.
    pub(crate) fn requested_roles(&self) -> Vec<(String, String)> {
        let list = |value: Option<&Value>| value.and_then(Value::as_array).cloned().unwrap_or_default();
        let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let resources = list(self.properties.get("requiredResourceAccess"));
        let of_resource = |resource: Value| {
            let app_id = text(&resource, "resourceAppId");
            let accesses = list(resource.get("resourceAccess"));
            accesses.into_iter().filter_map(move |access| {
                (text(&access, "type") == "Role").then(|| (app_id.clone(), text(&access, "id")))
            })
        };
        resources.into_iter().flat_map(of_resource).collect()
    }

    /// All registered redirect addresses, web first.
    pub(crate) fn redirect_uris(&self) -> Vec<String> {
        let of = |platform: &str| {
            let uris = self.properties.get(platform).and_then(|value| value.get("redirectUris"));
            uris.and_then(Value::as_array).cloned().unwrap_or_default()
        };
        let all = ["web", "publicClient", "spa"].into_iter().flat_map(of);
        all.filter_map(|uri| uri.as_str().map(str::to_owned)).collect()
    }

    /// 2 when the application, as a resource, wants v2.0 tokens.
    pub(crate) fn accepted_token_version(&self) -> u64 {
        let version = self.properties.get("api").and_then(|api| api.get("requestedAccessTokenVersion"));
        version.and_then(Value::as_u64).unwrap_or(1)
    }
}
