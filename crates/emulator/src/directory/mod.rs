//! The tenants of this cloud: who is registered there, with which credentials, and what was granted to whom.

pub(crate) mod catalogue;
mod lookup;
mod model;
mod rights;
mod seed;
mod write;

pub(crate) use lookup::{Principal, TenantLookup};
pub(crate) use model::{
    Administrator, Application, ConsentDecision, Directory, Federated, Grant, IdentityFaults, KeyCredential,
    ManagedIdentity, Password, SecretText, ServicePrincipal, Switches, Tenant, User,
};
pub(crate) use seed::DEFAULT_CLIENT;
pub(crate) use write::{WriteError, merge};
