//! Who acts, and what each role may do. Pure: who somebody is was found out before.

use std::{fmt, str::FromStr};

use crate::{Scope, StoreErrorKind, TenantKey};

/// Who does something: a person, a program, or Sortie itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// Never given to another: a principal's key, `os:alice`, `system`.
    pub id: String,
    /// What people call it; a token is named after its principal, `alice/nightly`.
    pub name: String,
    /// How it came in.
    pub kind: ActorKind,
    /// What it was granted.
    pub grants: Vec<Grant>,
}

/// How somebody came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActorKind {
    /// By the command line, as a user of this machine.
    OsUser,
    /// As a local user.
    User,
    /// By a token of a local user.
    Token,
    /// Sortie itself.
    System,
}

/// A role in one tenant, or in all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Grant {
    /// What it may do.
    pub role: Role,
    /// Where; everywhere when absent.
    pub tenant: Option<TenantKey>,
}

/// The roles; each may do what those before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Reads.
    Viewer,
    /// Decides and acts.
    Responder,
    /// Changes what runs, and through what.
    Engineer,
    /// Changes who may, and what may not be.
    Admin,
}

/// What an actor may do or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Permission {
    /// See everything but secrets.
    Read,
    /// Approve or reject where a workflow asks.
    DecideApproval,
    /// Say what became of an effect in doubt.
    ResolveDoubt,
    /// End a run.
    CancelRun,
    /// Start a run, or have an operation carried out by hand.
    Act,
    /// Workflows.
    ChangeWorkflow,
    /// Connectors.
    ChangeConnector,
    /// Connections and their secrets.
    ChangeConnection,
    /// Users, roles and tokens.
    ManagePeople,
    /// What is protected, ceilings, the switch that holds all effects.
    ManageGuardrails,
    /// Tenants.
    ManageTenants,
    /// Keys, backups, the database itself.
    ManageKeys,
}

impl Actor {
    /// Sortie itself.
    pub fn system() -> Self {
        Self { id: "system".to_owned(), name: "system".to_owned(), kind: ActorKind::System, grants: vec![Grant::ALL] }
    }

    /// The person or program behind it: a token acts for its principal.
    pub fn owner_name(&self) -> &str {
        match self.kind {
            ActorKind::Token => self.name.split('/').next().unwrap_or(&self.name),
            _ => &self.name,
        }
    }

    /// Whether it may do that in the scope; in every tenant takes a grant for all.
    pub fn may(&self, permission: Permission, scope: Scope) -> bool {
        let reaches = |grant: &Grant| match (grant.tenant, scope) {
            (None, _) => true,
            (Some(own), Scope::Tenant(tenant)) => own == tenant,
            (Some(_), Scope::Every) => false,
        };
        self.grants.iter().any(|grant| grant.role >= permission.least() && reaches(grant))
    }

    /// The same as a refusal that says which role is missing.
    pub(crate) fn require(&self, permission: Permission, scope: Scope) -> Result<(), StoreErrorKind> {
        if self.may(permission, scope) {
            return Ok(());
        }
        let reach = if scope == Scope::Every { "for all tenants" } else { "for this tenant" };
        Err(StoreErrorKind::Forbidden { who: self.name.clone(), role: permission.least(), reach })
    }
}

impl Grant {
    /// What the owner of the installation has.
    pub const ALL: Self = Self { role: Role::Admin, tenant: None };
}

impl ActorKind {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OsUser => "os-user",
            Self::User => "user",
            Self::Token => "token",
            Self::System => "system",
        }
    }
}

impl Role {
    /// All of them, the least first.
    pub const ALL: &[Self] = &[Self::Viewer, Self::Responder, Self::Engineer, Self::Admin];

    /// As people write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Responder => "responder",
            Self::Engineer => "engineer",
            Self::Admin => "admin",
        }
    }

    /// What it may do beyond the role before it.
    pub fn permissions(self) -> impl Iterator<Item = Permission> {
        Permission::ALL.iter().copied().filter(move |permission| permission.least() == self)
    }
}

impl Permission {
    /// All of them, those of the least role first.
    pub const ALL: &[Self] = &[
        Self::Read,
        Self::DecideApproval,
        Self::ResolveDoubt,
        Self::CancelRun,
        Self::Act,
        Self::ChangeWorkflow,
        Self::ChangeConnector,
        Self::ChangeConnection,
        Self::ManagePeople,
        Self::ManageGuardrails,
        Self::ManageTenants,
        Self::ManageKeys,
    ];

    /// The least role that has it.
    pub fn least(self) -> Role {
        match self {
            Self::Read => Role::Viewer,
            Self::DecideApproval | Self::ResolveDoubt | Self::CancelRun | Self::Act => Role::Responder,
            Self::ChangeWorkflow | Self::ChangeConnector | Self::ChangeConnection => Role::Engineer,
            Self::ManagePeople | Self::ManageGuardrails | Self::ManageTenants | Self::ManageKeys => Role::Admin,
        }
    }

    /// In words, after `may`.
    pub fn words(self) -> &'static str {
        match self {
            Self::Read => "see everything but secrets",
            Self::DecideApproval => "decide approvals",
            Self::ResolveDoubt => "resolve doubts",
            Self::CancelRun => "cancel runs",
            Self::Act => "start runs, call operations and give orders to devices",
            Self::ChangeWorkflow => "change workflows",
            Self::ChangeConnector => "change connectors",
            Self::ChangeConnection => "change connections",
            Self::ManagePeople => "manage users, roles and tokens",
            Self::ManageGuardrails => "set guardrails, and hold all effects",
            Self::ManageTenants => "manage tenants",
            Self::ManageKeys => "change keys, back up and restore",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .iter()
            .copied()
            .find(|role| role.as_str() == text)
            .ok_or("expected viewer, responder, engineer or admin")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: TenantKey = TenantKey(uuid::Uuid::from_u128(1));
    const OTHER: TenantKey = TenantKey(uuid::Uuid::from_u128(2));

    fn actor(grants: &[Grant]) -> Actor {
        Actor { id: "1".into(), name: "alice".into(), kind: ActorKind::User, grants: grants.to_vec() }
    }

    /// What each role may, written by hand: R responder, E engineer, A admin are the first that may.
    const TABLE: &[(Permission, [bool; 4])] = &[
        (Permission::Read, [true, true, true, true]),
        (Permission::DecideApproval, [false, true, true, true]),
        (Permission::ResolveDoubt, [false, true, true, true]),
        (Permission::CancelRun, [false, true, true, true]),
        (Permission::Act, [false, true, true, true]),
        (Permission::ChangeWorkflow, [false, false, true, true]),
        (Permission::ChangeConnector, [false, false, true, true]),
        (Permission::ChangeConnection, [false, false, true, true]),
        (Permission::ManagePeople, [false, false, false, true]),
        (Permission::ManageGuardrails, [false, false, false, true]),
        (Permission::ManageTenants, [false, false, false, true]),
        (Permission::ManageKeys, [false, false, false, true]),
    ];

    #[test]
    fn every_role_may_what_the_table_says_where_its_grant_reaches() {
        assert_eq!(TABLE.iter().map(|row| row.0).collect::<Vec<_>>(), Permission::ALL);
        for (permission, allowed) in TABLE {
            for (role, allowed) in Role::ALL.iter().zip(allowed) {
                let (own, all) = (Grant { role: *role, tenant: Some(OWN) }, Grant { role: *role, tenant: None });
                for (grant, scope, reaches) in [
                    (own, Scope::Tenant(OWN), true),
                    (own, Scope::Tenant(OTHER), false),
                    (own, Scope::Tenant(TenantKey::SHARED), false),
                    (own, Scope::Every, false),
                    (all, Scope::Tenant(OWN), true),
                    (all, Scope::Tenant(OTHER), true),
                    (all, Scope::Tenant(TenantKey::SHARED), true),
                    (all, Scope::Every, true),
                ] {
                    let may = actor(&[grant]).may(*permission, scope);
                    assert_eq!(may, *allowed && reaches, "{role} {permission:?} {grant:?} {scope:?}");
                }
            }
        }
    }

    #[test]
    fn grants_add_up_each_where_it_holds() {
        let both =
            actor(&[Grant { role: Role::Viewer, tenant: None }, Grant { role: Role::Engineer, tenant: Some(OWN) }]);
        assert!(both.may(Permission::ChangeWorkflow, Scope::Tenant(OWN)));
        assert!(!both.may(Permission::ChangeWorkflow, Scope::Tenant(OTHER)));
        assert!(both.may(Permission::Read, Scope::Every));
        assert!(!actor(&[]).may(Permission::Read, Scope::Tenant(OWN)));
    }

    #[test]
    fn a_refusal_names_the_role() {
        let kind = actor(&[]).require(Permission::ChangeConnection, Scope::Every).unwrap_err();
        assert_eq!(kind.to_string(), "alice lacks the role engineer for all tenants");
        assert!(Actor::system().require(Permission::ManageKeys, Scope::Every).is_ok());
    }
}
