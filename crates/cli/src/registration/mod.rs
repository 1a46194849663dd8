//! Registering the application by Graph, as the portal's steps do it: what is right already is left alone.

mod graph;

use anyhow::Context as _;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use sortie_identity::Audience;
use sortie_model::{Clock, Secret};
use sortie_transport::Transport;
use url::Url;

use crate::{
    exit::{Exit, Problem, exit_of},
    roles::Role,
};
use graph::{AppObject, Graph, ServicePrincipal};

/// What the application is to be.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub display_name: String,
    pub roles: Vec<Role>,
    /// For providers: other organisations' tenants may consent, and a redirect address is registered.
    pub multi_tenant: bool,
    /// Client id of an application that exists; found by its name when absent.
    pub application: Option<String>,
}

/// One thing that was found or done, for a person to follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub changed: bool,
    pub text: String,
}

/// What stands at the end.
#[derive(Debug)]
pub(crate) struct Registration {
    pub client_id: String,
    pub object_id: String,
}

/// A client secret that Entra has just made; it is shown this once.
#[derive(Debug)]
pub(crate) struct NewSecret {
    pub value: Secret,
    pub key_id: String,
}

/// What the directory says about an application's roles of one API.
#[derive(Clone, Debug, Default)]
pub(crate) struct Standing {
    /// Values of the roles that its API permissions page lists.
    pub listed: Vec<String>,
    /// Values of those that are granted, and since when.
    pub granted: Vec<(String, Option<Timestamp>)>,
}

/// An administrator at Graph.
pub(crate) struct Registrar<'a> {
    graph: Graph<'a>,
}

impl<'a> Registrar<'a> {
    pub(crate) fn new(transport: &'a Transport, base: &'a Url, token: &'a Secret, clock: &'a dyn Clock) -> Self {
        Self { graph: Graph { transport, base, token, clock } }
    }

    /// Makes the directory as planned and tells every step as it is done.
    ///
    /// Running it again finds what is there and changes nothing that is right.
    pub(crate) async fn register(&self, plan: &Plan, mut tell: impl FnMut(Step)) -> anyhow::Result<Registration> {
        match self.make(plan, &mut tell).await {
            Ok(registration) => Ok(registration),
            Err(error) => Err(self.name_held_roles(error).await),
        }
    }

    async fn make(&self, plan: &Plan, tell: &mut impl FnMut(Step)) -> anyhow::Result<Registration> {
        let resources = self.resources(plan, tell).await?;
        let application = self.application(plan, &resources, tell).await?;
        let principal = self.principal(&application, tell).await?;
        self.grant(&principal, &resources, tell).await?;
        Ok(Registration { client_id: application.app_id, object_id: application.id })
    }

    /// A new client secret for an application that exists.
    pub(crate) async fn new_secret(
        &self,
        object_id: &str,
        lifetime: SignedDuration,
        tell: &mut impl FnMut(Step),
    ) -> anyhow::Result<NewSecret> {
        let made = match self.graph.add_password(object_id, &password_body(self.graph.clock.now(), lifetime)).await {
            Ok(made) => made,
            Err(error) => return Err(self.name_held_roles(error).await),
        };
        let Some(value) = made.secret_text else {
            return Err(Problem {
                exit: Exit::Service,
                what: "Entra made a client secret and did not show it".to_owned(),
                next: format!("Remove the secret {} in the portal and run it again.", made.key_id),
            }
            .into());
        };
        let until = made.end_date_time.as_deref().map(|end| format!(", good until {end}")).unwrap_or_default();
        tell(Step { changed: true, text: format!("client secret {} made{until}", made.key_id) });
        Ok(NewSecret { value: Secret::new(value), key_id: made.key_id })
    }

    /// The application with this client id.
    pub(crate) async fn find(&self, client_id: &str) -> anyhow::Result<AppObject> {
        self.graph.application_with_id(client_id).await?.ok_or_else(|| {
            Problem {
                exit: Exit::NotFound,
                what: format!("there is no application {client_id} in this tenant"),
                next: "Sign in to the application's home tenant, or register it with `sortie app register`.".to_owned(),
            }
            .into()
        })
    }

    /// Which application roles of this API the application lists, and which of them are granted.
    pub(crate) async fn standing(&self, client_id: &str, resource_app_id: &str) -> anyhow::Result<Standing> {
        let application = self.find(client_id).await?;
        let Some(resource) = self.graph.service_principal(resource_app_id).await? else {
            return Ok(Standing::default());
        };
        let value_of =
            |id: &str| resource.app_roles.iter().find(|role| role.id == id).and_then(|role| role.value.clone());
        let of_this = |one: &&graph::RequiredResource| one.resource_app_id.eq_ignore_ascii_case(resource_app_id);
        let listed = application.required_resource_access.iter().filter(of_this).flat_map(|one| &one.resource_access);
        let listed = listed.filter(|role| role.kind == "Role").filter_map(|role| value_of(&role.id)).collect();
        let Some(own) = self.graph.service_principal(client_id).await? else {
            return Ok(Standing { listed, granted: Vec::new() });
        };
        let grants = self.graph.assignments(&own.id).await?;
        let granted = grants.iter().filter(|grant| grant.resource_id == resource.id).filter_map(|grant| {
            let at = grant.created_date_time.as_deref().and_then(|at| at.parse().ok());
            Some((value_of(&grant.app_role_id)?, at))
        });
        Ok(Standing { listed, granted: granted.collect() })
    }

    /// Takes a client secret away for good.
    pub(crate) async fn remove_secret(&self, object_id: &str, key_id: &str) -> anyhow::Result<()> {
        self.graph.remove_password(object_id, key_id).await
    }

    /// The APIs of the planned roles as this tenant knows them, with the planned roles' ids.
    async fn resources(&self, plan: &Plan, tell: &mut impl FnMut(Step)) -> anyhow::Result<Vec<Resource>> {
        let mut resources: Vec<Resource> = Vec::new();
        for role in &plan.roles {
            let audience = role.api.audience();
            if !resources.iter().any(|resource| resource.audience == audience) {
                resources.push(self.resource(&audience, tell).await?);
            }
            let resource = resources.iter_mut().find(|resource| resource.audience == audience);
            let resource = resource.expect("the resource was added just now");
            let id = resource.role_id(role.value)?;
            resource.roles.push((role.value, id));
        }
        Ok(resources)
    }

    async fn resource(&self, audience: &Audience, tell: &mut impl FnMut(Step)) -> anyhow::Result<Resource> {
        let label = audience.label();
        let app_id = audience.app_id().expect("every API with known roles has an application id").to_owned();
        let principal = match self.graph.service_principal(&app_id).await? {
            Some(principal) => {
                tell(Step { changed: false, text: format!("\"{label}\" is in the tenant") });
                principal
            }
            None => {
                let created = self.graph.add_resource(&app_id).await.map_err(|error| {
                    if exit_of(&error) != Exit::Failure {
                        return error;
                    }
                    let next = format!("The tenant has no licence for the product behind \"{label}\"; leave its roles out, or license it.");
                    error.context(Problem { exit: Exit::Failure, what: format!("\"{label}\" is not in the tenant"), next })
                })?;
                tell(Step { changed: true, text: format!("\"{label}\" added to the tenant") });
                // The answer to a creation may leave the roles out; the list always has them.
                self.graph.service_principal(&app_id).await?.unwrap_or(created)
            }
        };
        Ok(Resource { audience: audience.clone(), app_id, principal, roles: Vec::new() })
    }

    async fn application(
        &self,
        plan: &Plan,
        resources: &[Resource],
        tell: &mut impl FnMut(Step),
    ) -> anyhow::Result<AppObject> {
        let found = match &plan.application {
            Some(client_id) => vec![self.find(client_id).await?],
            None => self.graph.applications_named(&plan.display_name).await?,
        };
        if let [_, _, ..] = found[..] {
            let what = format!("{} applications are named \"{}\"", found.len(), plan.display_name);
            return Err(
                Problem::usage(what, "Choose another name with `--name`, or rename those in the portal.").into()
            );
        }
        let Some(application) = found.into_iter().next() else {
            let created = self.graph.create_application(&application_body(plan, resources)).await?;
            tell(Step {
                changed: true,
                text: format!("application \"{}\" created, client id {}", plan.display_name, created.app_id),
            });
            return Ok(created);
        };
        match correction(plan, resources, &application) {
            Some(body) => {
                self.graph.update_application(&application.id, &body).await?;
                tell(Step { changed: true, text: format!("application {} brought up to date", application.app_id) });
            }
            None => tell(Step { changed: false, text: format!("application {} is as planned", application.app_id) }),
        }
        Ok(application)
    }

    async fn principal(
        &self,
        application: &AppObject,
        tell: &mut impl FnMut(Step),
    ) -> anyhow::Result<ServicePrincipal> {
        if let Some(principal) = self.graph.service_principal(&application.app_id).await? {
            tell(Step { changed: false, text: "its service principal exists".to_owned() });
            return Ok(principal);
        }
        let principal = self.graph.create_service_principal(&application.app_id).await?;
        tell(Step { changed: true, text: "service principal created".to_owned() });
        Ok(principal)
    }

    /// Assigning an application role is the administrator's consent to it.
    async fn grant(
        &self,
        principal: &ServicePrincipal,
        resources: &[Resource],
        tell: &mut impl FnMut(Step),
    ) -> anyhow::Result<()> {
        let held = self.graph.assignments(&principal.id).await?;
        for resource in resources {
            for (value, id) in &resource.roles {
                let name = format!("{value} of \"{}\"", resource.audience.label());
                if held.iter().any(|grant| grant.app_role_id == *id && grant.resource_id == resource.principal.id) {
                    tell(Step { changed: false, text: format!("{name} is granted") });
                    continue;
                }
                let granted = self.graph.assign(&principal.id, &resource.principal.id, id).await;
                granted.with_context(|| format!("{name} could not be granted"))?;
                tell(Step { changed: true, text: format!("{name} granted and consented") });
            }
        }
        Ok(())
    }

    /// A refusal for want of a right, with the directory roles that the person has.
    async fn name_held_roles(&self, error: anyhow::Error) -> anyhow::Error {
        if exit_of(&error) != Exit::Forbidden {
            return error;
        }
        let roles = self.graph.own_directory_roles().await;
        let own = if roles.is_empty() { "no directory role that can be seen".to_owned() } else { roles.join(", ") };
        let next = "An application takes Cloud Application Administrator, granting its roles Privileged Role Administrator (or Global Administrator for both): activate that role, or let somebody who has it run the same command.";
        let what = format!("your directory roles do not suffice, you hold {own}");
        error.context(Problem { exit: Exit::Forbidden, what, next: next.to_owned() })
    }
}

/// Every call of a registration from nothing, in order, for `--dry-run`: method, path, body.
pub(crate) fn calls(
    plan: &Plan,
    secret_lifetime: Option<SignedDuration>,
    now: Timestamp,
) -> Vec<(&'static str, String, Option<Value>)> {
    let mut audiences: Vec<Audience> = Vec::new();
    for role in &plan.roles {
        if !audiences.contains(&role.api.audience()) {
            audiences.push(role.api.audience());
        }
    }
    let mut calls = Vec::new();
    for audience in &audiences {
        let id = audience.app_id().unwrap_or_default();
        calls.push((
            "GET",
            format!("/v1.0/servicePrincipals?$filter=appId eq '{id}'&$select=id,appId,displayName,appRoles"),
            None,
        ));
    }
    let planned: Vec<Resource> = audiences.iter().map(|audience| Resource::planned(audience, plan)).collect();
    calls.push(("GET", format!("/v1.0/applications?$filter=displayName eq '{}'", plan.display_name), None));
    calls.push(("POST", "/v1.0/applications".to_owned(), Some(application_body(plan, &planned))));
    let own = "/v1.0/servicePrincipals?$filter=appId eq '<client id>'&$select=id,appId,displayName,appRoles";
    calls.push(("GET", own.to_owned(), None));
    calls.push(("POST", "/v1.0/servicePrincipals".to_owned(), Some(json!({ "appId": "<client id>" }))));
    calls.push(("GET", "/v1.0/servicePrincipals/<service principal>/appRoleAssignments".to_owned(), None));
    for resource in &planned {
        let label = resource.audience.label();
        for (value, id) in &resource.roles {
            let body =
                json!({ "principalId": "<service principal>", "resourceId": format!("<{label}>"), "appRoleId": id });
            calls.push(("POST", format!("/v1.0/servicePrincipals/<{label}>/appRoleAssignedTo  ({value})"), Some(body)));
        }
    }
    if let Some(lifetime) = secret_lifetime {
        calls.push((
            "POST",
            "/v1.0/applications/<object id>/addPassword".to_owned(),
            Some(password_body(now, lifetime)),
        ));
    }
    calls
}

/// An API as the tenant knows it, and the planned roles with their ids there.
struct Resource {
    audience: Audience,
    app_id: String,
    principal: ServicePrincipal,
    roles: Vec<(&'static str, String)>,
}

impl Resource {
    fn planned(audience: &Audience, plan: &Plan) -> Self {
        let of_this = plan.roles.iter().filter(|role| role.api.audience() == *audience);
        Self {
            audience: audience.clone(),
            app_id: audience.app_id().unwrap_or_default().to_owned(),
            principal: ServicePrincipal { id: String::new(), display_name: None, app_roles: Vec::new() },
            roles: of_this.map(|role| (role.value, format!("<id of {}>", role.value))).collect(),
        }
    }

    /// By name at run time: published ids of some APIs are not reliable.
    fn role_id(&self, value: &str) -> anyhow::Result<String> {
        let usable = |role: &&graph::AppRole| {
            role.is_enabled && role.allowed_member_types.iter().any(|kind| kind == "Application")
        };
        let found = self.principal.app_roles.iter().filter(usable).find(|role| role.value.as_deref() == Some(value));
        found.map(|role| role.id.clone()).ok_or_else(|| {
            let label = self.principal.display_name.clone().unwrap_or_else(|| self.audience.label().into_owned());
            let next =
                "Leave the role out with `--role`, or look in the portal which application permissions the API offers.";
            Problem {
                exit: Exit::NotFound,
                what: format!("\"{label}\" offers no application permission {value} in this tenant"),
                next: next.to_owned(),
            }
            .into()
        })
    }
}

fn application_body(plan: &Plan, resources: &[Resource]) -> Value {
    let mut body = json!({
        "displayName": plan.display_name,
        "signInAudience": sign_in_audience(plan),
        "requiredResourceAccess": resources.iter().map(|resource| json!({
            "resourceAppId": resource.app_id,
            "resourceAccess": resource.roles.iter().map(|(_, id)| json!({ "id": id, "type": "Role" })).collect::<Vec<_>>(),
        })).collect::<Vec<_>>(),
    });
    if plan.multi_tenant {
        body["web"] = json!({ "redirectUris": MULTI_TENANT_REDIRECTS });
    }
    body
}

/// What has to be patched, or `None` when everything planned is there. What others added stays.
fn correction(plan: &Plan, resources: &[Resource], application: &AppObject) -> Option<Value> {
    let mut body = serde_json::Map::new();
    let mut required: Vec<(String, Vec<(String, String)>)> = application
        .required_resource_access
        .iter()
        .map(|one| {
            (
                one.resource_app_id.clone(),
                one.resource_access.iter().map(|role| (role.id.clone(), role.kind.clone())).collect(),
            )
        })
        .collect();
    let before = required.clone();
    for resource in resources {
        let at = required.iter().position(|(app_id, _)| *app_id == resource.app_id).unwrap_or_else(|| {
            required.push((resource.app_id.clone(), Vec::new()));
            required.len() - 1
        });
        for (_, id) in &resource.roles {
            if !required[at].1.iter().any(|(known, _)| known == id) {
                required[at].1.push((id.clone(), "Role".to_owned()));
            }
        }
    }
    if required != before {
        let list = required.iter().map(|(app_id, roles)| {
            json!({ "resourceAppId": app_id, "resourceAccess": roles.iter().map(|(id, kind)| json!({ "id": id, "type": kind })).collect::<Vec<_>>() })
        });
        body.insert("requiredResourceAccess".to_owned(), list.collect());
    }
    if plan.multi_tenant {
        if application.sign_in_audience.as_deref() == Some("AzureADMyOrg") {
            body.insert("signInAudience".to_owned(), sign_in_audience(plan).into());
        }
        let mut redirects = application.web.clone().unwrap_or_default().redirect_uris;
        let missing: Vec<_> =
            MULTI_TENANT_REDIRECTS.iter().filter(|uri| !redirects.iter().any(|known| known == **uri)).collect();
        if !missing.is_empty() {
            redirects.extend(missing.into_iter().map(|uri| (*uri).to_owned()));
            body.insert("web".to_owned(), json!({ "redirectUris": redirects }));
        }
    }
    (!body.is_empty()).then_some(Value::Object(body))
}

fn sign_in_audience(plan: &Plan) -> &'static str {
    if plan.multi_tenant { "AzureADMultipleOrgs" } else { "AzureADMyOrg" }
}

fn password_body(now: Timestamp, lifetime: SignedDuration) -> Value {
    let end = now.saturating_add(lifetime).expect("a signed duration is never a calendar span");
    json!({ "passwordCredential": { "displayName": SECRET_NAME, "endDateTime": format!("{end:.0}") } })
}

/// Microsoft's page for partners names the portal; `consent-wait` listens on loopback, any port of which Entra takes.
const MULTI_TENANT_REDIRECTS: [&str; 2] = ["https://portal.azure.com", "http://localhost"];
/// What the portal shows beside a secret that Sortie made.
const SECRET_NAME: &str = "sortie";
