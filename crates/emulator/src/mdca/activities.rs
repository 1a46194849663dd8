//! Activities in cloud apps: the rows of `CloudAppEvents`, each with an id that its content decides.

use std::collections::HashMap;

use axum::extract::Path;
use serde_json::{Value, json};

use super::{
    call::{Answer, Call, Head, READ, bad, millis, not_found, ok},
    filter::Row,
};
use crate::{
    counters::Effect,
    hunting::{CloudDeed, cloud_deeds},
    world::{Dice, World, part},
};

pub(super) async fn list(head: Head) -> Answer {
    let call = head.admit(READ)?;
    let listing = call.listing(FACETS, &["date", "created"])?;
    let page = listing.page(rows(&call));
    Ok(ok(json!({ "total": page.total, "hasNext": page.has_next, "data": page.data })))
}

pub(super) async fn one(Path(pk): Path<String>, head: Head) -> Answer {
    let call = head.admit(READ)?;
    found(&call, &pk).map(ok).ok_or_else(not_found)
}

pub(super) async fn feedback(Path(pk): Path<String>, head: Head) -> Answer {
    let call = head.admit(READ)?;
    let known = ["feedback", "feedbackValue", "feedbackText", "allowContact", "contactEmail"];
    if let Some(name) = call.fields.keys().find(|name| !known.contains(&name.as_str())) {
        return Err(bad(&format!("Unknown parameter: {name}")));
    }
    if !call.fields.contains_key("feedback") && !call.fields.contains_key("feedbackValue") {
        return Err(bad("The parameter 'feedbackValue' is required."));
    }
    for name in ["feedbackText", "contactEmail"] {
        call.text(name)?;
    }
    found(&call, &pk).ok_or_else(not_found)?;
    call.applied(&format!("activities/{pk}"), Effect::Comment);
    Ok(ok(json!({})))
}

fn found(call: &Call, pk: &str) -> Option<Value> {
    rows(call).into_iter().find(|row| row.shown["_id"] == pk).map(|row| row.shown)
}

fn rows(call: &Call) -> Vec<Row> {
    let scale = call.app.config.scale;
    call.with_world(|world| {
        // Two rows may say the same of the same instant.
        let mut twins: HashMap<[u64; 4], u64> = HashMap::new();
        let deeds = cloud_deeds(world, scale).into_iter();
        deeds
            .map(|deed| {
                let key = [deed.at.0.unsigned_abs(), part(&deed.action), part(&deed.account_id), part(&deed.object)];
                let twin = twins.entry(key).or_default();
                *twin += 1;
                let pk = Dice::new(&[key[0], key[1], key[2], key[3], *twin]).hex(24);
                row(world, &deed, &pk)
            })
            .collect()
    })
}

fn row(world: &World, deed: &CloudDeed, pk: &str) -> Row {
    let person = world.company.people.iter().find(|person| person.object_id == deed.account_id);
    let upn = person.map_or(deed.account.as_str(), |person| &person.upn);
    let user = json!({ "id": deed.account_id, "saas": super::entities::DIRECTORY_APP, "inst": 0 });
    let at = millis(deed.at);
    let text = |text: &str| -> Vec<Value> { (!text.is_empty()).then(|| json!(text)).into_iter().collect() };
    let description = format!("{}: {} {}", deed.action, deed.object_type.to_lowercase(), deed.object);
    let description = description.trim().to_owned();
    let facets = [
        ("service", vec![json!(deed.app_id)]),
        ("instance", vec![json!(0)]),
        ("actionType", text(&deed.action)),
        ("activity.eventActionType", text(&deed.action)),
        ("activity.id", text(pk)),
        ("activity.impersonated", vec![json!(false)]),
        ("activity.type", vec![json!(!deed.is_admin)]),
        ("userAgent.userAgent", text(&deed.user_agent)),
        ("location.country", text(&deed.country)),
        ("ip.address", text(&deed.ip)),
        ("text", text(&description)),
        ("date", vec![json!(at)]),
        ("created", vec![json!(at)]),
        ("source", vec![json!(1)]),
        ("activityObject", text(&deed.object)),
        ("entity", vec![user.clone()]),
        ("user.username", vec![user, json!(upn)]),
        ("user.domain", text(upn.split_once('@').map_or("", |(_, domain)| domain))),
    ];
    let shown = json!({
        "_id": pk,
        "aadTenantId": world.tenant,
        "appId": deed.app_id,
        "appName": deed.application,
        "timestamp": at,
        "created": at,
        "eventTypeName": deed.action,
        "description": description,
        "severity": "INFO",
        "source": 1,
        "user": { "userName": upn, "id": deed.account_id },
        "device": { "clientIP": deed.ip, "userAgent": deed.user_agent, "countryCode": deed.country },
        "location": { "countryCode": deed.country, "city": deed.city },
        "mainInfo": {
            "type": deed.action,
            "eventObjects": [{ "name": deed.object, "type": deed.object_type, "role": "Target" }],
        },
    });
    Row { shown, facets: facets.into_iter().collect() }
}

/// The fields that the page of the filters names.
const FACETS: &[&str] = &[
    "service",
    "instance",
    "user.orgUnit",
    "actionType",
    "activity.eventActionType",
    "activity.id",
    "activity.impersonated",
    "activity.type",
    "activity.takenAction",
    "device.type",
    "device.tags",
    "userAgent.userAgent",
    "userAgent.tags",
    "location.country",
    "location.organizations",
    "ip.address",
    "ip.category",
    "ip.tags",
    "fileSelector",
    "fileId",
    "office365url",
    "text",
    "date",
    "policy",
    "source",
    "activity.alertId",
    "activityObject",
    "created",
    "entity",
    "user.username",
    "user.tags",
    "user.domain",
];
