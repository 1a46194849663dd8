//! Accounts of people: read one and its roles, switch it off or on, end its sessions.
//!
//! The accounts are the people of the tenant's world and those who administer it. Of a `PATCH` only `accountEnabled` is
//! taken: nothing else of an account changes here. No page states a limit for these calls; the figures are those of the
//! identity service for small tenants (M). That a read of a person takes the permissions in the order of the page, and
//! that `User.ReadBasic.All` shows no other properties than the basic ones, rests on (M).

use axum::{extract::Path, response::Response};
use http::StatusCode;
use serde_json::{Value, json};

use super::call::{Actor, Call, Refusal, Reply, time};
use crate::{
    caller::Denied,
    counters::Effect,
    throttle::Limit,
    world::{AccountState, Ticks},
};

/// A person with an account in the directory.
struct Account {
    id: String,
    name: String,
    upn: String,
    department: Option<&'static str>,
    title: Option<&'static str>,
    state: AccountState,
}

pub(super) async fn show(Path(key): Path<String>, call: Call) -> Response {
    call.answer(|call| {
        let actor = call.actor(READ)?;
        call.within(&actor, &READS)?;
        let selected = call.query.selected();
        if let Some(unknown) = selected.iter().find(|name| !is_property(name)) {
            let message = format!("Could not find a property named '{unknown}' on type 'microsoft.graph.user'.");
            return Err(Refusal::of(StatusCode::BAD_REQUEST, "BadRequest", message));
        }
        let is_basic_only = !held(&actor).iter().any(|role| FULL_READ.contains(&role.as_str()));
        if is_basic_only && selected.iter().any(|name| !among(BASIC, name)) {
            return Err(Refusal::no_privilege());
        }
        let account = find(call, &actor, &key)?;
        let mut object = account_json(&account);
        if let Some(fields) = object.as_object_mut() {
            // Without `$select` the page's eleven; with it all that it names.
            let wanted = |name: &str| !selected.is_empty() || DEFAULT.contains(&name);
            fields.retain(|name, _| wanted(name) && (!is_basic_only || BASIC.contains(&name.as_str())));
        }
        Ok(Reply::Shown(call.query.entity(call, "users", object)))
    })
}

/// The directory roles of an account; groups do not exist here. `User.Read.All` shows that there are some, and not which
/// (M): the page of memberships says so of types that may not be read.
pub(super) async fn memberships(Path(key): Path<String>, call: Call) -> Response {
    call.answer(|call| {
        let actor = call.actor(FULL_READ)?;
        call.within(&actor, &READS)?;
        let account = find(call, &actor, &key)?;
        let may_see =
            held(&actor).iter().any(|role| role.starts_with("Directory.") || role.starts_with("RoleManagement."));
        let directory = call.cloud.directory();
        let user = directory.tenant(&actor.caller.tenant).users.iter().find(|user| user.id == account.id);
        let roles = user.into_iter().flat_map(|user| &user.directory_roles);
        let mut shown: Vec<Value> = roles.filter_map(|name| super::people::role_json(name)).collect();
        drop(directory);
        if !may_see {
            for role in shown.iter_mut().filter_map(Value::as_object_mut) {
                role.iter_mut()
                    .filter(|(name, _)| !matches!(name.as_str(), "@odata.type" | "id"))
                    .for_each(|(_, value)| *value = Value::Null);
            }
        }
        Ok(Reply::Shown(call.query.collection(call, "directoryObjects", shown)?))
    })
}

pub(super) async fn change(Path(key): Path<String>, call: Call) -> Response {
    call.answer(|call| {
        let actor = call.actor(&[])?;
        may_switch(&actor)?;
        call.within(&actor, &WRITES)?;
        let fields = call.object()?;
        if let Some(name) = fields.keys().find(|name| name.as_str() != "accountEnabled" && !name.starts_with('@')) {
            return Err(Refusal::bad_request(format!("Invalid property '{name}'.")));
        }
        let Some(enabled) = fields.get("accountEnabled").and_then(Value::as_bool) else {
            return Err(Refusal::bad_request(
                "Invalid value specified for property 'accountEnabled' of resource 'User'.",
            ));
        };
        let account = find(call, &actor, &key)?;
        let by = &actor.caller.display_name;
        call.with_world(&actor, |world| world.switch_account(&account.id, enabled, by));
        if !enabled {
            call.cloud.directory().sessions.forget_user(&account.id);
        }
        call.cloud.counters.applied(&actor.caller.tenant, &format!("users/{}", account.id), Effect::Patch);
        Ok(Reply::Done)
    })
}

/// The page knows of another 2xx code in live answers; 200 is what it documents.
pub(super) async fn revoke_sessions(Path(key): Path<String>, call: Call) -> Response {
    call.answer(|call| {
        let actor = call.actor(REVOKE)?;
        call.within(&actor, &WRITES)?;
        let account = find(call, &actor, &key)?;
        let by = &actor.caller.display_name;
        call.with_world(&actor, |world| world.revoke_sessions(&account.id, by));
        call.cloud.directory().sessions.forget_user(&account.id);
        call.cloud.counters.applied(&actor.caller.tenant, &format!("users/{}", account.id), Effect::Order);
        Ok(Reply::Shown(json!({ "@odata.context": call.context("Edm.Boolean"), "value": true })))
    })
}

fn held(actor: &Actor) -> &[String] {
    if actor.caller.scopes.is_empty() { &actor.caller.roles } else { &actor.caller.scopes }
}

/// `User.EnableDisableAccount.All` counts together with `User.Read.All`; the wider permissions count alone.
fn may_switch(actor: &Actor) -> Result<(), Refusal> {
    let has = |name: &str| held(actor).iter().any(|role| role == name);
    let pair = has("User.EnableDisableAccount.All") && has("User.Read.All");
    if pair || SWITCH.iter().any(|name| has(name)) {
        return Ok(());
    }
    Err(Refusal::Token(Denied::MissingRole {
        required: SWITCH.iter().map(|name| (*name).to_owned()).collect(),
        held: held(actor).to_vec(),
    }))
}

/// By object id or user principal name, in any letter case.
fn find(call: &Call, actor: &Actor, key: &str) -> Result<Account, Refusal> {
    let is = |id: &str, upn: &str| id.eq_ignore_ascii_case(key) || upn.eq_ignore_ascii_case(key);
    let employed = call.with_world(actor, |world| {
        let person = world.company.people.iter().find(|person| is(&person.object_id, &person.upn))?;
        Some(Account {
            id: person.object_id.clone(),
            name: person.display_name.clone(),
            upn: person.upn.clone(),
            department: Some(person.department),
            title: Some("Employee"),
            state: world.account_state(&person.object_id),
        })
    });
    let administrator = || {
        let directory = call.cloud.directory();
        directory.tenant(&actor.caller.tenant).users.iter().find(|user| is(&user.id, &user.upn)).cloned()
    };
    let account = employed.or_else(|| {
        let user = administrator()?;
        let state = call.with_world(actor, |world| world.account_state(&user.id));
        Some(Account { id: user.id, name: user.name, upn: user.upn, department: None, title: None, state })
    });
    account.ok_or_else(|| Refusal::not_found(key))
}

fn account_json(account: &Account) -> Value {
    let (given, surname) = account.name.split_once(' ').unwrap_or((&account.name, ""));
    json!({
        "businessPhones": [],
        "displayName": account.name,
        "givenName": given,
        "jobTitle": account.title,
        "mail": account.upn,
        "mobilePhone": null,
        "officeLocation": null,
        "preferredLanguage": null,
        "surname": surname,
        "userPrincipalName": account.upn,
        "id": account.id,
        "accountEnabled": account.state.enabled,
        "department": account.department,
        "signInSessionsValidFromDateTime": account.state.sessions_from.map(|at| time(at.timestamp())),
        "userType": "Member",
    })
}

fn is_property(name: &str) -> bool {
    among(DEFAULT, name) || among(MORE, name)
}

fn among(names: &[&str], name: &str) -> bool {
    names.iter().any(|known| known.eq_ignore_ascii_case(name))
}

impl Call {
    fn within(&self, actor: &Actor, limit: &Limit) -> Result<(), Refusal> {
        let now = Ticks::from(self.cloud.clock.now());
        let taken = self.cloud.throttle.take(limit, &actor.caller.tenant, &actor.caller.app_id, now);
        taken.map_err(Refusal::TooMany)
    }

    fn with_world<T>(&self, actor: &Actor, act: impl FnOnce(&mut crate::world::World) -> T) -> T {
        self.cloud.worlds.with(&actor.caller.tenant, Ticks::from(self.cloud.clock.now()), act)
    }
}

const READ: &[&str] =
    &["User.ReadBasic.All", "User.Read.All", "User.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"];
const FULL_READ: &[&str] = &["User.Read.All", "User.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"];
const SWITCH: &[&str] = &["User.ReadWrite.All", "Directory.ReadWrite.All"];
const REVOKE: &[&str] = &["User.RevokeSessions.All", "User.ReadWrite.All", "Directory.ReadWrite.All"];
const READS: Limit = Limit { name: "graph users read", windows: &[(3_500, 10)] };
const WRITES: Limit = Limit { name: "graph users write", windows: &[(3_000, 150)] };
/// What an answer holds without `$select`.
const DEFAULT: &[&str] = &[
    "businessPhones",
    "displayName",
    "givenName",
    "id",
    "jobTitle",
    "mail",
    "mobilePhone",
    "officeLocation",
    "preferredLanguage",
    "surname",
    "userPrincipalName",
];
/// What only `$select` brings.
const MORE: &[&str] = &["accountEnabled", "department", "signInSessionsValidFromDateTime", "userType"];
/// What `User.ReadBasic.All` shows.
const BASIC: &[&str] = &["displayName", "givenName", "id", "mail", "surname", "userPrincipalName"];
