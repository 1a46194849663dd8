//! What the directory holds before anybody touched it: three invented organisations and Microsoft's own resources.

use std::collections::{HashMap, VecDeque};

use jiff::{SignedDuration, Timestamp};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{
    Administrator, ConsentDecision, Directory, IdentityFaults, ManagedIdentity, ServicePrincipal, Switches, Tenant,
    User,
    catalogue::{RESOURCES, ResourceDescription, derived_id},
};
use crate::{caller::Resource, entra::Sessions};

/// "Microsoft Graph Command Line Tools", the public client that administrators sign in with when they name none (M).
pub(crate) const DEFAULT_CLIENT: &str = "14d82eec-204b-4c2f-b7e8-296a70dab67e";

impl Directory {
    pub(crate) fn new(seed: u64, now: Timestamp) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let tenants = ORGANISATIONS.iter().map(|organisation| tenant(organisation, &mut random, now)).collect();
        let mut directory = Self {
            tenants,
            applications: Vec::new(),
            switches: Switches::default(),
            administrator: Administrator { decision: ConsentDecision::Ask },
            token_errors: VecDeque::new(),
            federated_issuers: HashMap::new(),
            managed_identities: Vec::new(),
            identity_faults: IdentityFaults::default(),
            sessions: Sessions::default(),
            random,
        };
        directory.add_managed_identity(None, now);
        directory
    }

    /// A GUID that the seed decides.
    pub(crate) fn guid(&mut self) -> String {
        guid(&mut self.random)
    }

    /// Base64url of random bytes: opaque ids, codes, nonces.
    pub(crate) fn opaque(&mut self, byte_count: usize) -> String {
        let mut bytes = vec![0; byte_count];
        self.random.fill_bytes(&mut bytes);
        crate::jwt::base64url(&bytes)
    }

    /// `count` characters of `alphabet`.
    pub(crate) fn letters(&mut self, alphabet: &[u8], count: usize) -> String {
        (0..count).map(|_| char::from(alphabet[self.random.random_range(0..alphabet.len())])).collect()
    }

    /// Seconds that the next token lives: 60 to 90 minutes, drawn anew each time.
    pub(crate) fn draw_lifetime_s(&mut self) -> i64 {
        let drawn = self.random.random_range(3_600..=5_400);
        self.switches.token_lifetime_s.unwrap_or(drawn)
    }

    /// Gives the machine an identity; without a resource id it is the system-assigned one.
    pub(crate) fn add_managed_identity(&mut self, resource_id: Option<String>, now: Timestamp) -> ManagedIdentity {
        let name = resource_id.as_deref().and_then(|id| id.rsplit('/').next()).unwrap_or("sortie-host").to_owned();
        let identity = ManagedIdentity { client_id: self.guid(), object_id: self.guid(), resource_id };
        let home = self.tenants[0].id.clone();
        self.tenants[0].service_principals.push(ServicePrincipal {
            id: identity.object_id.clone(),
            app_id: identity.client_id.clone(),
            display_name: name,
            owner_tenant: home,
            enabled: true,
            assignment_required: false,
            kind: "ManagedIdentity",
            created: now,
        });
        self.managed_identities.push(identity.clone());
        identity
    }
}

struct Organisation {
    name: &'static str,
    domains: &'static [&'static str],
    administrator: (&'static str, &'static str),
    other_cloud: Option<&'static str>,
}

fn tenant(organisation: &Organisation, random: &mut ChaCha8Rng, now: Timestamp) -> Tenant {
    let created =
        now.saturating_sub(SignedDuration::from_hours(24 * 900)).expect("a signed duration is no calendar span");
    let (account, name) = organisation.administrator;
    let domain = organisation.domains.last().copied().unwrap_or_default();
    let administrator = User {
        id: guid(random),
        upn: format!("{account}@{domain}"),
        name: name.to_owned(),
        directory_roles: vec!["Global Administrator".to_owned()],
    };
    let is_late = |resource: &&ResourceDescription| resource.kind == Some(Resource::KeyVault);
    let early = RESOURCES.iter().filter(|resource| !is_late(resource)).map(|resource| (resource.app_id, resource.name));
    let principal = |id: String, app_id: &str, name: &str| ServicePrincipal {
        id,
        app_id: app_id.to_owned(),
        display_name: name.to_owned(),
        owner_tenant: MICROSOFT_TENANT.to_owned(),
        enabled: true,
        assignment_required: false,
        kind: "Application",
        created,
    };
    let mut service_principals: Vec<ServicePrincipal> =
        early.chain([CLIENT_PRINCIPAL]).map(|(app_id, name)| principal(guid(random), app_id, name)).collect();
    let id = guid(random);
    // What came after the others takes no number of the seed: every world keeps the ids that it had.
    let late = RESOURCES.iter().filter(is_late);
    service_principals
        .extend(late.map(|resource| principal(derived_id(&id, resource.app_id), resource.app_id, resource.name)));
    Tenant {
        id,
        display_name: organisation.name.to_owned(),
        domains: organisation.domains.iter().map(|domain| (*domain).to_owned()).collect(),
        other_cloud: organisation.other_cloud,
        created,
        users: vec![administrator],
        service_principals,
        grants: Vec::new(),
    }
}

fn guid(random: &mut ChaCha8Rng) -> String {
    let mut bytes = [0; 16];
    random.fill_bytes(&mut bytes);
    uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
}

/// Home, a customer of it, and one that lives in the cloud of the United States government.
const ORGANISATIONS: &[Organisation] = &[
    Organisation {
        name: "Halden Marine",
        domains: &["haldenmarine.onmicrosoft.com", "haldenmarine.example"],
        administrator: ("ingrid.solvang", "Ingrid Solvang"),
        other_cloud: None,
    },
    Organisation {
        name: "Brookfell Clinics",
        domains: &["brookfell.onmicrosoft.com"],
        administrator: ("owen.hartley", "Owen Hartley"),
        other_cloud: None,
    },
    Organisation {
        name: "Larkspur Harbor Authority",
        domains: &["larkspurharbor.onmicrosoft.us"],
        administrator: ("june.abara", "June Abara"),
        other_cloud: Some("login.microsoftonline.us"),
    },
];

const CLIENT_PRINCIPAL: (&str, &str) = (DEFAULT_CLIENT, "Microsoft Graph Command Line Tools");
/// The tenant that owns Microsoft's first-party applications.
pub(super) const MICROSOFT_TENANT: &str = "f8cdef31-a31e-4b4a-93e4-5f571e91255a";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seed_decides_every_id() {
        let ids = |seed| {
            let directory = Directory::new(seed, Timestamp::UNIX_EPOCH);
            directory.tenants.iter().map(|tenant| tenant.id.clone()).collect::<Vec<_>>()
        };
        assert_eq!(ids(7), ids(7));
        assert_ne!(ids(7), ids(8));
    }
}
