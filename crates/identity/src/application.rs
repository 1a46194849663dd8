//! Who signs in: an app registration in one tenant of one cloud.

use serde::{Deserialize, Serialize};
use sortie_model::{ClientId, TenantId};

use crate::{
    cloud::{Cloud, Hosts},
    credential::Credential,
};

/// Everything that a sign-in needs. `Debug` shows no secret.
#[derive(Clone, Debug)]
pub struct Application {
    /// Where the tenant lives; decides the resource identifiers.
    pub cloud: Cloud,
    /// Where the services are; usually `cloud.hosts()`.
    pub hosts: Hosts,
    /// The tenant.
    pub tenant: TenantId,
    /// The app registration. Ignored for managed identity, which has its own id.
    pub client_id: ClientId,
    /// How the app proves itself.
    pub credential: Credential,
    /// Which token endpoint is asked.
    pub endpoint: EndpointVersion,
}

/// The two token endpoints of Entra. The version of the token itself is the resource's choice, not the endpoint's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EndpointVersion {
    /// `/oauth2/v2.0/token` with `scope`.
    #[default]
    V2,
    /// `/oauth2/token` with `resource`: the older one, still served.
    V1,
}
