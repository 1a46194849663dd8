//! Questions to the directory. None of them changes it.

use jiff::Timestamp;

use super::{
    Directory, Grant, ServicePrincipal, Tenant, User,
    catalogue::{self, ResourceDescription},
    model::Application,
};

/// What the tenant part of a login path means.
#[derive(Debug)]
pub(crate) enum TenantLookup {
    /// A tenant of this cloud, by id.
    Found(String),
    /// `common`, `organizations` or `consumers`.
    Alias(String),
    /// The login host of the cloud where the tenant lives.
    OtherCloud(&'static str),
    /// It could be a tenant, but there is none.
    Unknown,
    /// Neither a GUID nor a domain.
    Malformed,
}

/// What a resource name in a request stands for, inside one tenant.
#[derive(Clone, Debug)]
pub(crate) struct Principal {
    pub service_principal: ServicePrincipal,
    pub description: Option<&'static ResourceDescription>,
    /// 1 or 2: the resource decides which format its tokens have.
    pub token_version: u64,
}

impl Directory {
    pub(crate) fn find_tenant(&self, text: &str) -> TenantLookup {
        let text = text.trim().to_ascii_lowercase();
        if matches!(text.as_str(), "common" | "organizations" | "consumers") {
            return TenantLookup::Alias(text);
        }
        let is_guid = uuid::Uuid::try_parse(&text).is_ok() && text.len() == GUID_LENGTH;
        let is_domain = text.contains('.') && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.'));
        if !is_guid && !is_domain {
            return TenantLookup::Malformed;
        }
        let named = |tenant: &&Tenant| tenant.id == text || tenant.domains.contains(&text);
        match self.tenants.iter().find(named) {
            Some(Tenant { other_cloud: Some(host), .. }) => TenantLookup::OtherCloud(host),
            Some(tenant) => TenantLookup::Found(tenant.id.clone()),
            None => TenantLookup::Unknown,
        }
    }

    /// # Panics
    /// When no tenant has the id: ids come from [`Directory::find_tenant`] or from tokens of this cloud.
    pub(crate) fn tenant(&self, id: &str) -> &Tenant {
        self.tenants.iter().find(|tenant| tenant.id == id).expect("tenants are never removed")
    }

    pub(crate) fn tenant_mut(&mut self, id: &str) -> &mut Tenant {
        self.tenants.iter_mut().find(|tenant| tenant.id == id).expect("tenants are never removed")
    }

    pub(crate) fn application(&self, app_id: &str) -> Option<&Application> {
        self.applications.iter().find(|application| application.app_id.eq_ignore_ascii_case(app_id))
    }

    pub(crate) fn application_mut(&mut self, app_id: &str) -> Option<&mut Application> {
        self.applications.iter_mut().find(|application| application.app_id.eq_ignore_ascii_case(app_id))
    }

    /// The display name of a client in the tenant; the id itself when the client is gone.
    pub(crate) fn client_name(&self, tenant: &str, app_id: &str) -> String {
        let home = self.tenants.iter().find(|known| known.id == tenant);
        let principal = home.and_then(|home| home.principal_of(app_id));
        principal.map_or_else(|| app_id.to_owned(), |principal| principal.display_name.clone())
    }

    /// The resource that `name` (URI or application id) means in the tenant, when it is there and licensed.
    pub(crate) fn resource(&self, tenant: &str, name: &str) -> Option<Principal> {
        let description = catalogue::resource_by_name(name);
        let own = || {
            let name = name.trim_end_matches('/');
            self.applications.iter().find(|application| {
                let uris = application.properties.get("identifierUris").and_then(serde_json::Value::as_array);
                let named = uris.is_some_and(|uris| uris.iter().filter_map(|uri| uri.as_str()).any(|uri| uri == name));
                named || application.app_id.eq_ignore_ascii_case(name)
            })
        };
        let (app_id, token_version) = match description {
            Some(description) => (description.app_id.to_owned(), 1),
            None => own().map(|application| (application.app_id.clone(), application.accepted_token_version()))?,
        };
        let principal = self.tenant(tenant).principal_of(&app_id)?.clone();
        let licensed = self.switches.unlicensed_resource.as_deref().is_none_or(|id| !id.eq_ignore_ascii_case(&app_id));
        licensed.then_some(Principal { service_principal: principal, description, token_version })
    }

    /// The values of the roles that a new token of `client` for `resource` carries now.
    pub(crate) fn granted_roles(
        &self,
        tenant: &str,
        client: &str,
        resource: &Principal,
        now: Timestamp,
    ) -> Vec<String> {
        let living = |grant: &&Grant| {
            grant.principal == client && grant.resource == resource.service_principal.id && grant.effective <= now
        };
        let value = |grant: &Grant| match resource.description {
            Some(description) => description.role_by_id(&grant.role).map(|role| role.value.to_owned()),
            None => self.own_role(&resource.service_principal.app_id, &grant.role),
        };
        self.tenant(tenant).grants.iter().filter(living).filter_map(value).collect()
    }

    /// The value of a role that a registered application defines itself.
    fn own_role(&self, app_id: &str, id: &str) -> Option<String> {
        let roles = self.application(app_id)?.properties.get("appRoles")?.as_array()?;
        let role = roles.iter().find(|role| role["id"].as_str().is_some_and(|own| own.eq_ignore_ascii_case(id)))?;
        Some(role["value"].as_str()?.to_owned())
    }
}

impl Tenant {
    pub(crate) fn initial_domain(&self) -> &str {
        self.domains.first().map_or("", String::as_str)
    }

    pub(crate) fn principal_of(&self, app_id: &str) -> Option<&ServicePrincipal> {
        self.service_principals.iter().find(|principal| principal.app_id.eq_ignore_ascii_case(app_id))
    }

    pub(crate) fn principal(&self, object_id: &str) -> Option<&ServicePrincipal> {
        self.service_principals.iter().find(|principal| principal.id.eq_ignore_ascii_case(object_id))
    }

    pub(crate) fn principal_mut(&mut self, object_id: &str) -> Option<&mut ServicePrincipal> {
        self.service_principals.iter_mut().find(|principal| principal.id.eq_ignore_ascii_case(object_id))
    }

    /// The person who signs in: every tenant has one administrator, who comes first.
    pub(crate) fn administrator(&self) -> Option<&User> {
        self.users.first()
    }
}

const GUID_LENGTH: usize = 36;
