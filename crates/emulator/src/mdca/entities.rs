//! Entities: the accounts of the company's people.

use axum::extract::Path;
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde_json::{Value, json};

use super::{
    call::{Answer, Head, READ, not_found, ok},
    filter::Row,
};
use crate::world::{Person, Severity, World};

pub(super) async fn list(head: Head) -> Answer {
    let call = head.admit(READ)?;
    // The page prints `date|severity`.
    let listing = call.listing(FACETS, &["date", "severity"])?;
    let page = listing.page(call.with_world(|world| rows(world)));
    Ok(ok(json!({ "total": page.total, "hasNext": page.has_next, "data": page.data })))
}

pub(super) async fn one(Path(pk): Path<String>, head: Head) -> Answer {
    let call = head.admit(READ)?;
    let id = object_id(&pk).ok_or_else(not_found)?;
    let found = call.with_world(|world| rows(world).into_iter().find(|row| row.shown["id"] == id.as_str()));
    found.map(|row| ok(row.shown)).ok_or_else(not_found)
}

/// Base64 of `{"id", "saas", "inst"}`, in either alphabet.
fn object_id(pk: &str) -> Option<String> {
    let bytes = STANDARD.decode(pk).or_else(|_| URL_SAFE_NO_PAD.decode(pk.trim_end_matches('='))).ok()?;
    let key: Value = serde_json::from_slice(&bytes).ok()?;
    let is_ours = key["saas"] == DIRECTORY_APP && key["inst"] == 0;
    is_ours.then(|| key["id"].as_str().map(str::to_owned)).flatten()
}

fn rows(world: &World) -> Vec<Row> {
    world.company.people.iter().enumerate().map(|(index, person)| row(world, index, person)).collect()
}

fn row(world: &World, index: usize, person: &Person) -> Row {
    let is_enabled = world.account_state(&person.object_id).enabled;
    // The same people as in hunting's `IdentityInfo`.
    let is_admin = index % 15 == 5;
    let status = if is_enabled { ACTIVE } else { SUSPENDED };
    let alerts = world.alerts();
    let own = alerts.iter().filter(|alert| usize::from(alert.person) == index);
    let worst = own.map(|alert| alert.severity).max();
    let score = match worst {
        Some(Severity::High) => 90,
        Some(Severity::Medium) => 50,
        Some(Severity::Low) => 20,
        Some(Severity::Informational) | None => 0,
    };
    let key = json!({ "id": person.object_id, "saas": DIRECTORY_APP, "inst": 0 });
    let shown = json!({
        "type": 2,
        "id": person.object_id,
        "_id": STANDARD.encode(key.to_string()),
        "ii": format!("{}|{DIRECTORY_APP}|0", person.object_id),
        "displayName": person.display_name,
        "username": person.upn,
        "email": person.upn,
        "sid": person.sid,
        "status": status,
        "isAdmin": is_admin,
        "isExternal": false,
        "isFake": false,
        "domain": world.company.domain,
        "organization": person.department,
        "role": if is_admin { "Security Administrator" } else { "" },
        "userGroups": [{ "name": person.department, "usersCount": 6 }],
        "appData": { "appId": DIRECTORY_APP, "name": "Microsoft 365", "saas": DIRECTORY_APP, "instance": 0 },
        "threatScore": score,
        "lastSeen": world.now().to_string(),
    });
    let facets = [
        ("type", vec![json!("user"), json!(2)]),
        ("isAdmin", vec![json!(is_admin)]),
        ("entity", vec![key, json!(person.upn)]),
        ("userGroups", vec![json!(person.department)]),
        ("app", vec![json!(DIRECTORY_APP)]),
        ("instance", vec![json!(0)]),
        ("isExternal", vec![json!(false)]),
        ("domain", vec![json!(world.company.domain)]),
        ("organization", vec![json!(person.department)]),
        ("status", vec![json!(status)]),
        ("severity", vec![json!(score)]),
    ];
    Row { shown, facets: facets.into_iter().collect() }
}

/// The number of Microsoft 365 in this product, as hunting has it.
pub(super) const DIRECTORY_APP: i64 = 11_161;
const ACTIVE: u8 = 2;
const SUSPENDED: u8 = 3;
/// The fields that the page of the filters names.
const FACETS: &[&str] =
    &["type", "isAdmin", "entity", "userGroups", "app", "instance", "isExternal", "domain", "organization", "status"];
