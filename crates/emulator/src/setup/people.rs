//! The tenant, and the person who is signed in.

use axum::response::Response;
use http::StatusCode;
use serde_json::{Value, json};

use super::call::{Call, Refusal, Reply, time};
use crate::{directory::User, entra::role_template};

pub(super) async fn organization(call: Call) -> Response {
    call.answer(|call| {
        let anyone = call.actor(&[])?;
        let full = call.actor(ORGANIZATION);
        // `User.Read` alone shows three properties only.
        if full.is_err() && !anyone.caller.scopes.iter().any(|scope| scope == "User.Read") {
            full?;
            return Err(Refusal::no_privilege());
        }
        let directory = call.cloud.directory();
        let tenant = directory.tenant(&anyone.caller.tenant);
        let domains: Vec<_> = tenant.domains.iter().enumerate().map(|(at, name)| {
            let last = at + 1 == tenant.domains.len();
            json!({ "capabilities": "Email, OfficeCommunicationsOnline", "isDefault": last, "isInitial": at == 0, "name": name, "type": "Managed" })
        }).collect();
        let mut object = json!({ "id": tenant.id, "displayName": tenant.display_name, "verifiedDomains": domains });
        let plan = |service: &str, id: &str| {
            json!({ "assignedDateTime": time(tenant.created), "capabilityStatus": "Enabled", "service": service, "servicePlanId": id })
        };
        if full.is_ok() && let Some(more) = object.as_object_mut() {
            more.extend([
                ("deletedDateTime".to_owned(), Value::Null),
                ("businessPhones".to_owned(), json!([])),
                ("countryLetterCode".to_owned(), json!("NO")),
                ("createdDateTime".to_owned(), time(tenant.created)),
                ("onPremisesSyncEnabled".to_owned(), Value::Null),
                ("preferredLanguage".to_owned(), json!("en")),
                ("technicalNotificationMails".to_owned(), json!(tenant.users.iter().map(|user| &user.upn).collect::<Vec<_>>())),
                ("tenantType".to_owned(), json!("AAD")),
                ("directorySizeQuota".to_owned(), json!({ "used": 698, "total": 50_000 })),
                ("assignedPlans".to_owned(), json!([plan("WindowsDefenderATP", "871d91ec-ec1a-452b-a83f-bd76c7d770ef")])),
            ]);
        }
        drop(directory);
        Ok(Reply::Shown(call.query.collection(call, "organization", vec![object])?))
    })
}

pub(super) async fn me(call: Call) -> Response {
    call.answer(|call| {
        let user = person(call)?;
        let (given, surname) = user.name.split_once(' ').unwrap_or((&user.name, ""));
        let object = json!({
            "businessPhones": [], "displayName": user.name, "givenName": given, "jobTitle": null, "mail": user.upn,
            "mobilePhone": null, "officeLocation": null, "preferredLanguage": null, "surname": surname,
            "userPrincipalName": user.upn, "id": user.id,
        });
        Ok(Reply::Shown(call.query.entity(call, "users", object)))
    })
}

/// The directory roles of the person.
pub(super) async fn directory_roles(call: Call) -> Response {
    call.answer(|call| {
        let user = person(call)?;
        let roles = user.directory_roles.iter().filter_map(|name| role_json(name)).collect();
        Ok(Reply::Shown(call.query.collection(call, "directoryRoles", roles)?))
    })
}

/// A directory role as a membership shows it.
pub(super) fn role_json(name: &str) -> Option<Value> {
    let template = role_template(name)?;
    Some(json!({
        "@odata.type": "#microsoft.graph.directoryRole", "id": template, "deletedDateTime": null,
        "description": name, "displayName": name, "roleTemplateId": template,
    }))
}

fn person(call: &Call) -> Result<User, Refusal> {
    let actor = call.actor(&[])?;
    let message = "/me request is only valid with delegated authentication flow.";
    actor.user.ok_or_else(|| Refusal::of(StatusCode::BAD_REQUEST, "BadRequest", message))
}

const ORGANIZATION: &[&str] = &[
    "Organization.Read.All",
    "Organization.ReadWrite.All",
    "Directory.Read.All",
    "Directory.ReadWrite.All",
    "User.Read.All",
];
