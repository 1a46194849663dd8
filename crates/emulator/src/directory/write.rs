//! Changes to the directory, each one whole: registration, credentials, grants, removal.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::{Application, Directory, Grant, Password, SecretText, ServicePrincipal, catalogue, seed::MICROSOFT_TENANT};

/// Why a change was refused. The Graph routes and the admin API spell it in their own ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WriteError {
    #[error("the application does not exist")]
    UnknownApplication,
    #[error("the service principal already exists in the tenant")]
    PrincipalExists,
    #[error("the product behind the application was never licensed in the tenant")]
    NotLicensed,
    #[error("the application has not reached this part of the directory yet")]
    NotReplicated,
    #[error("the principal or the resource does not exist in the tenant")]
    UnknownPrincipal,
    #[error("the resource publishes no such role")]
    UnknownRole,
    #[error("the permission is already assigned")]
    GrantExists,
}

impl Directory {
    pub(crate) fn register(
        &mut self,
        tenant: &str,
        properties: Map<String, Value>,
        owner: Option<String>,
        now: Timestamp,
    ) -> Application {
        let mut all = blank_properties(self.tenant(tenant).initial_domain());
        merge(&mut all, properties);
        let application = Application {
            id: self.guid(),
            app_id: self.guid(),
            tenant: tenant.to_owned(),
            created: now,
            owner,
            properties: all,
            passwords: Vec::new(),
            keys: Vec::new(),
            federated: Vec::new(),
        };
        self.applications.push(application.clone());
        application
    }

    /// Gives an application its presence in the tenant.
    pub(crate) fn add_service_principal(
        &mut self,
        tenant: &str,
        app_id: &str,
        now: Timestamp,
    ) -> Result<ServicePrincipal, WriteError> {
        let resource = catalogue::resource_by_app_id(app_id);
        let unlicensed = self.switches.unlicensed_resource.as_deref().is_some_and(|id| id.eq_ignore_ascii_case(app_id));
        if unlicensed {
            return Err(WriteError::NotLicensed);
        }
        if self.tenant(tenant).principal_of(app_id).is_some() {
            return Err(WriteError::PrincipalExists);
        }
        let (display_name, owner_tenant) = match (resource, self.application(app_id)) {
            (Some(resource), _) => (resource.name.to_owned(), MICROSOFT_TENANT.to_owned()),
            (None, Some(own)) if own.tenant == tenant || own.is_multi_tenant() => {
                let visible = own.created.saturating_add(SignedDuration::from_secs(self.switches.replication_delay_s));
                if visible.is_ok_and(|visible| visible > now) || self.switches.replication_failures > 0 {
                    self.switches.replication_failures = self.switches.replication_failures.saturating_sub(1);
                    return Err(WriteError::NotReplicated);
                }
                (own.display_name().to_owned(), own.tenant.clone())
            }
            _ => return Err(WriteError::UnknownApplication),
        };
        let principal = ServicePrincipal {
            id: self.guid(),
            app_id: app_id.to_ascii_lowercase(),
            display_name,
            owner_tenant,
            enabled: true,
            assignment_required: false,
            kind: "Application",
            created: now,
        };
        self.tenant_mut(tenant).service_principals.push(principal.clone());
        Ok(principal)
    }

    /// A new client secret; its text is in the answer and nowhere else later.
    pub(crate) fn add_password(
        &mut self,
        app_id: &str,
        display_name: Option<String>,
        start: Timestamp,
        end: Timestamp,
    ) -> Result<Password, WriteError> {
        let text = self.letters(SECRET_ALPHABET, SECRET_LENGTH);
        let password = Password { key_id: self.guid(), display_name, secret: SecretText(text), start, end };
        let application = self.application_mut(app_id).ok_or(WriteError::UnknownApplication)?;
        application.passwords.push(password.clone());
        Ok(password)
    }

    /// Assigns a role of `resource` to `principal` (object ids).
    pub(crate) fn grant(
        &mut self,
        tenant: &str,
        principal: &str,
        resource: &str,
        role: &str,
        now: Timestamp,
    ) -> Result<Grant, WriteError> {
        let home = self.tenant(tenant);
        let (Some(client), Some(target)) = (home.principal(principal), home.principal(resource)) else {
            return Err(WriteError::UnknownPrincipal);
        };
        let published = match catalogue::resource_by_app_id(&target.app_id) {
            Some(description) => description.role_by_id(role).is_some(),
            None => self.application(&target.app_id).is_some_and(|own| has_role(own, role)),
        };
        if !published {
            return Err(WriteError::UnknownRole);
        }
        let (principal, resource) = (client.id.clone(), target.id.clone());
        let same = |grant: &Grant| {
            grant.principal == principal && grant.resource == resource && grant.role.eq_ignore_ascii_case(role)
        };
        if home.grants.iter().any(same) {
            return Err(WriteError::GrantExists);
        }
        let delay = SignedDuration::from_secs(self.switches.propagation_delay_s);
        let effective = now.saturating_add(delay).expect("a signed duration is no calendar span");
        let role = role.to_ascii_lowercase();
        let grant = Grant { id: self.opaque(32), principal, resource, role, created: now, effective };
        self.tenant_mut(tenant).grants.push(grant.clone());
        Ok(grant)
    }

    /// Admin consent: everything that the registration asks for, as application permissions, is granted in the tenant.
    pub(crate) fn consent(&mut self, tenant: &str, app_id: &str, now: Timestamp) -> Result<(), WriteError> {
        let requested = self.application(app_id).ok_or(WriteError::UnknownApplication)?.requested_roles();
        let client = match self.tenant(tenant).principal_of(app_id) {
            Some(principal) => principal.id.clone(),
            None => self.add_service_principal(tenant, app_id, now)?.id,
        };
        for (resource_app_id, role) in requested {
            let resource = match self.tenant(tenant).principal_of(&resource_app_id) {
                Some(principal) => principal.id.clone(),
                None => self.add_service_principal(tenant, &resource_app_id, now)?.id,
            };
            match self.grant(tenant, &client, &resource, &role, now) {
                Ok(_) | Err(WriteError::GrantExists) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Removes an application with its presence and grants in every tenant; its tokens live on until they expire.
    pub(crate) fn remove_application(&mut self, app_id: &str) {
        self.applications.retain(|application| !application.app_id.eq_ignore_ascii_case(app_id));
        let tenants: Vec<_> = self.tenants.iter().map(|tenant| tenant.id.clone()).collect();
        for tenant in tenants {
            if let Some(principal) = self.tenant(&tenant).principal_of(app_id).map(|principal| principal.id.clone()) {
                self.remove_principal(&tenant, &principal);
            }
        }
    }

    /// Removes a service principal and every grant from or to it.
    pub(crate) fn remove_principal(&mut self, tenant: &str, id: &str) {
        let tenant = self.tenant_mut(tenant);
        tenant.service_principals.retain(|principal| principal.id != id);
        tenant.grants.retain(|grant| grant.principal != id && grant.resource != id);
    }
}

/// Objects are merged level by level, everything else is replaced: `PATCH` as Graph does it.
pub(crate) fn merge(target: &mut Map<String, Value>, source: Map<String, Value>) {
    for (name, value) in source {
        match (target.get_mut(&name), value) {
            (Some(Value::Object(inner)), Value::Object(new)) => merge(inner, new),
            (_, value) => {
                target.insert(name, value);
            }
        }
    }
}

fn has_role(application: &Application, id: &str) -> bool {
    let roles = application.properties.get("appRoles").and_then(Value::as_array);
    roles.is_some_and(|roles| {
        roles.iter().any(|role| role["id"].as_str().is_some_and(|own| own.eq_ignore_ascii_case(id)))
    })
}

fn blank_properties(publisher_domain: &str) -> Map<String, Value> {
    let blank = json!({
        "deletedDateTime": null, "isFallbackPublicClient": null, "applicationTemplateId": null, "identifierUris": [],
        "displayName": null, "isDeviceOnlyAuthSupported": null, "groupMembershipClaims": null, "optionalClaims": null,
        "addIns": [], "publisherDomain": publisher_domain, "signInAudience": "AzureADMyOrg", "tags": [],
        "tokenEncryptionKeyId": null, "notes": null,
        "api": {
            "requestedAccessTokenVersion": null, "acceptMappedClaims": null, "knownClientApplications": [],
            "oauth2PermissionScopes": [], "preAuthorizedApplications": [],
        },
        "appRoles": [], "publicClient": { "redirectUris": [] }, "spa": { "redirectUris": [] },
        "info": {
            "termsOfServiceUrl": null, "supportUrl": null, "privacyStatementUrl": null, "marketingUrl": null,
            "logoUrl": null,
        },
        "parentalControlSettings": { "countriesBlockedForMinors": [], "legalAgeGroupRule": "Allow" },
        "requiredResourceAccess": [],
        "web": {
            "redirectUris": [], "homePageUrl": null, "logoutUrl": null,
            "implicitGrantSettings": { "enableIdTokenIssuance": false, "enableAccessTokenIssuance": false },
        },
    });
    let Value::Object(map) = blank else { unreachable!("the literal above is an object") };
    map
}

/// Secrets of today hold these characters, `~`, `.`, `_` and `-` among them (M).
const SECRET_ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789~._-";
const SECRET_LENGTH: usize = 40;
