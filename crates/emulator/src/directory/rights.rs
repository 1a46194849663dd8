//! What the directory roles of a person allow. Names and powers: learn.microsoft.com, "Microsoft Entra built-in roles".

use super::{Switches, User, catalogue};
use crate::caller::Resource;

impl User {
    pub(crate) fn has_role(&self, names: &[&str]) -> bool {
        self.directory_roles.iter().any(|held| names.iter().any(|name| name.eq_ignore_ascii_case(held)))
    }

    /// Create and change app registrations and service principals.
    pub(crate) fn may_register(&self, switches: &Switches) -> bool {
        switches.users_may_register || self.has_role(APPLICATION_ROLES) || self.has_role(&["Application Developer"])
    }

    /// Change registrations of others, and add service principals of other vendors.
    pub(crate) fn may_manage_applications(&self) -> bool {
        self.has_role(APPLICATION_ROLES)
    }

    /// Grant application permissions of a resource. Application administrators may grant all but Graph's.
    pub(crate) fn may_grant(&self, resource_app_id: &str) -> bool {
        let is_graph =
            catalogue::resource_by_app_id(resource_app_id).is_some_and(|own| own.kind == Some(Resource::Graph));
        self.has_role(GRANTING_ROLES) || (!is_graph && self.has_role(APPLICATION_ROLES))
    }
}

const APPLICATION_ROLES: &[&str] =
    &["Global Administrator", "Application Administrator", "Cloud Application Administrator"];
const GRANTING_ROLES: &[&str] = &["Global Administrator", "Privileged Role Administrator"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::catalogue::resource_by_kind;

    #[test]
    fn an_application_administrator_grants_everything_but_graph() {
        let user = |role: &str| User {
            id: String::new(),
            upn: String::new(),
            name: String::new(),
            directory_roles: vec![role.to_owned()],
        };
        let (graph, xdr) = (resource_by_kind(Resource::Graph).app_id, resource_by_kind(Resource::Xdr).app_id);
        for (role, on_graph, on_xdr) in [
            ("Global Administrator", true, true),
            ("Privileged Role Administrator", true, true),
            ("Cloud Application Administrator", false, true),
            ("Security Administrator", false, false),
        ] {
            assert_eq!((user(role).may_grant(graph), user(role).may_grant(xdr)), (on_graph, on_xdr), "{role}");
        }
    }
}
