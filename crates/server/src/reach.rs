//! Whether whoever asks may: the one place that decides it, for every route, before its body is read.

use std::collections::HashMap;

use http::StatusCode;
use sortie_store::{Actor, Approval, Permission, Run, RunId, Scope, Store, Tenant, TenantKey};

use crate::Problem;

/// Where a route reaches: what its permission must be held for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Nothing that belongs to a tenant.
    Nothing,
    /// All tenants.
    Everywhere,
    /// The tenants where the permission is held, or the one that `?tenant=` names.
    Listed,
    /// The tenant that `?tenant=` names; without it the only one of whoever asks, else what is for all.
    OneOrShared,
    /// The tenant that `?tenant=` names; without it the only one that there is.
    One,
    /// The tenant that `?tenant=` names; without it all of them.
    OneOrAll,
    /// The tenant of the run in the path.
    Run,
    /// The tenant of the approval in the path.
    Approval,
}

/// What somebody was granted for one request.
pub(crate) struct Granted {
    pub actor: Actor,
    /// What a list goes over; one tenant alone where the route is about one.
    pub scopes: Vec<Scope>,
    pub subject: Subject,
    /// All of them, for their names.
    pub tenants: Vec<Tenant>,
}

/// What a route is about, where its path names it.
pub(crate) enum Subject {
    None,
    Run(Box<Run>),
    Approval(Box<Approval>),
}

/// Decides, and finds what the request is about. Whoever may not see a thing hears that it is not there.
///
/// # Errors
/// A [`Problem`] of status 400, 403 or 404.
pub(crate) async fn grant(
    store: &Store,
    reach: Reach,
    permission: Permission,
    actor: Actor,
    path: &HashMap<String, String>,
    tenant: Option<&str>,
) -> Result<Granted, Problem> {
    let tenants = if reach == Reach::Nothing { Vec::new() } else { store.tenants(Scope::Every).await? };
    let held = Held { actor: &actor, permission };
    held.anywhere()?;
    let mut subject = Subject::None;
    let scopes = match reach {
        Reach::Nothing => Vec::new(),
        Reach::Everywhere => held.require(Scope::Every).map(|()| vec![Scope::Every])?,
        Reach::Listed => match tenant {
            Some(name) => vec![held.named(&tenants, name)?],
            None => held.all(),
        },
        Reach::OneOrShared | Reach::One => match tenant {
            Some(name) => vec![held.named(&tenants, name)?],
            None => vec![held.only(&tenants, reach)?],
        },
        Reach::OneOrAll => match tenant {
            Some(name) => vec![held.named(&tenants, name)?],
            None => held.require(Scope::Every).map(|()| vec![Scope::Every])?,
        },
        Reach::Run => {
            let run = held.run(store, path.get("run").map_or("", String::as_str)).await?;
            let scope = Scope::Tenant(run.tenant);
            subject = Subject::Run(Box::new(run));
            vec![scope]
        }
        Reach::Approval => {
            let approval = held.approval(store, path.get("approval").map_or("", String::as_str)).await?;
            let scope = Scope::Tenant(approval.tenant);
            subject = Subject::Approval(Box::new(approval));
            vec![scope]
        }
    };
    Ok(Granted { actor, scopes, subject, tenants })
}

struct Held<'a> {
    actor: &'a Actor,
    permission: Permission,
}

impl Held<'_> {
    /// Whoever has it nowhere need not be told what there is.
    fn anywhere(&self) -> Result<(), Problem> {
        let least = self.permission.least();
        if self.actor.grants.iter().any(|grant| grant.role >= least) { Ok(()) } else { Err(self.lacking("anywhere")) }
    }

    fn require(&self, scope: Scope) -> Result<(), Problem> {
        if self.actor.may(self.permission, scope) {
            return Ok(());
        }
        Err(self.lacking(if scope == Scope::Every { "for all tenants" } else { "for this tenant" }))
    }

    fn lacking(&self, reach: &str) -> Problem {
        let detail = format!("{} lacks the role {} {reach}", self.actor.name, self.permission.least());
        let next = "Ask an administrator for the role (`sortie user grant`); nothing was changed.";
        Problem::new(StatusCode::FORBIDDEN, "forbidden", detail, next)
    }

    fn sees(&self, tenant: TenantKey) -> bool {
        self.actor.may(Permission::Read, Scope::Tenant(tenant))
    }

    fn named(&self, tenants: &[Tenant], name: &str) -> Result<Scope, Problem> {
        let found = tenants.iter().find(|tenant| tenant.name == name && self.sees(tenant.key));
        let scope = Scope::Tenant(found.ok_or_else(|| Problem::absent(format!("tenant {name}")))?.key);
        self.require(scope).map(|()| scope)
    }

    /// Every tenant in which it is held.
    fn all(&self) -> Vec<Scope> {
        if self.actor.may(self.permission, Scope::Every) {
            return vec![Scope::Every];
        }
        let least = self.permission.least();
        let mut own: Vec<TenantKey> =
            self.actor.grants.iter().filter(|grant| grant.role >= least).filter_map(|grant| grant.tenant).collect();
        own.sort();
        own.dedup();
        own.into_iter().map(Scope::Tenant).collect()
    }

    /// The tenant that is meant where none is named.
    fn only(&self, tenants: &[Tenant], reach: Reach) -> Result<Scope, Problem> {
        let own = match &self.all()[..] {
            [Scope::Every] if reach == Reach::OneOrShared => return Ok(Scope::Tenant(TenantKey::SHARED)),
            [Scope::Every] => {
                let others: Vec<Scope> = tenants
                    .iter()
                    .filter(|tenant| tenant.key != TenantKey::SHARED)
                    .map(|tenant| Scope::Tenant(tenant.key))
                    .collect();
                // Whoever has set up no tenant works with what is for all.
                if others.is_empty() { vec![Scope::Tenant(TenantKey::SHARED)] } else { others }
            }
            own => own.to_vec(),
        };
        match own[..] {
            [one] => Ok(one),
            _ => {
                let detail = "there are several tenants, and none is named";
                Err(Problem::new(StatusCode::BAD_REQUEST, "needs-tenant", detail, "Name one with `?tenant=NAME`."))
            }
        }
    }

    async fn run(&self, store: &Store, text: &str) -> Result<Run, Problem> {
        let absent = || Problem::absent(format!("run {text}"));
        let id = RunId::parse(text).ok_or_else(absent)?;
        let run = store.run(Scope::Every, id).await.map_err(|error| hide(error, absent()))?;
        if !self.sees(run.tenant) {
            return Err(absent());
        }
        self.require(Scope::Tenant(run.tenant)).map(|()| run)
    }

    async fn approval(&self, store: &Store, text: &str) -> Result<Approval, Problem> {
        let absent = || Problem::absent(format!("approval {text}"));
        let approval = store.approval(Scope::Every, text).await.map_err(|error| hide(error, absent()))?;
        if !self.sees(approval.tenant) {
            return Err(absent());
        }
        self.require(Scope::Tenant(approval.tenant)).map(|()| approval)
    }
}

/// What is absent says the same as what may not be seen.
fn hide(error: sortie_store::StoreError, absent: Problem) -> Problem {
    match error.kind {
        sortie_store::StoreErrorKind::Absent(_) => absent,
        _ => error.into(),
    }
}
