//! Remediation activities: what somebody has asked the device administrators to fix, and how far they are.
//!
//! Which recommendations have become an activity, who asked, and how many devices are done already, derives from the
//! world's seed. One activity by its id stands on a page that the reference does not have: its shape is that of the list,
//! and its 404 that of the other entities (G).

use axum::extract::Path;
use http::StatusCode;
use serde_json::{Value, json};

use super::{
    call::{Answer, Call, Door, Head, List, Refusal, TOP_MAX, by, shown, usual},
    recommendations::{Advice, all},
    software::reference_json,
};
use crate::{
    odata::Kind,
    world::{Dice, Ticks, World},
};

pub(super) async fn list(head: Head) -> Answer {
    let call = head.admit(&LIST)?;
    let rows = call.with_world(|world| {
        let world: &World = world;
        tasks(world).iter().map(|task| task.json(world)).collect()
    });
    call.list(&TASKS, rows)
}

pub(super) async fn one(Path(id): Path<String>, head: Head) -> Answer {
    let call = head.admit(&ONE)?;
    let found = on_task(&call, &id, |world, task| task.json(world))?;
    Ok(call.entity(StatusCode::OK, "RemediationTasks/$entity", found))
}

/// The devices that are still to be fixed.
pub(super) async fn machines(Path(id): Path<String>, head: Head) -> Answer {
    let call = head.admit(&MACHINES)?;
    let rows = on_task(&call, &id, |world, task| {
        task.advice.exposed(world).into_iter().map(reference_json).collect::<Vec<_>>()
    })?;
    Ok(call.collection("MachineReferences", rows))
}

struct Task<'w> {
    id: String,
    advice: Advice<'w>,
    created: Ticks,
    requester: usize,
    fixed: usize,
    priority: &'static str,
}

/// About every second recommendation.
fn tasks(world: &World) -> Vec<Task<'_>> {
    let task = |(number, advice): (usize, _)| {
        let mut dice: Dice = world.dice(&[91, number as u64]);
        let is_asked = dice.percent(50) || number == 0;
        is_asked.then(|| Task {
            id: dice.guid(),
            advice,
            created: world.start().plus_s(-dice.between(2, 28) * 86_400 - dice.between(0, 40_000)),
            requester: dice.below(world.company.people.len()),
            fixed: dice.below(6),
            priority: ["Low", "Medium", "High"][dice.below(3)],
        })
    };
    all(world).into_iter().enumerate().filter_map(task).collect()
}

impl Task<'_> {
    fn json(&self, world: &World) -> Value {
        let advice = self.advice.json(world);
        let exposed = self.advice.exposed(world);
        let mut groups: Vec<&str> = exposed.iter().map(|device| device.group_name).collect();
        groups.sort_unstable();
        groups.dedup();
        let requester = &world.company.people[self.requester];
        let (product, setting) = match &self.advice {
            Advice::Update(standing) => (Some(standing.product), None),
            Advice::Setting(setting) => (None, Some(setting.id)),
        };
        json!({
            "id": self.id,
            "title": advice["recommendationName"],
            "createdOn": self.created.to_string(),
            "requesterId": requester.object_id,
            "requesterEmail": requester.upn,
            "status": if exposed.is_empty() { "Completed" } else { "Active" },
            "statusLastModifiedOn": self.created.to_string(),
            "description": format!("{}, as the recommendation says.", advice["recommendationName"].as_str().unwrap_or("Fix")),
            "relatedComponent": advice["relatedComponent"],
            "targetDevices": exposed.len() + self.fixed,
            "rbacGroupNames": groups,
            "fixedDevices": self.fixed,
            "requesterNotes": "",
            "dueOn": self.created.plus_s(14 * 86_400).to_string(),
            "category": if product.is_some() { "Software" } else { "Security configuration" },
            "productivityImpactRemediationType": null,
            "priority": self.priority,
            "completionMethod": null,
            "completerId": null,
            "completerEmail": null,
            "scid": setting,
            "type": advice["remediationType"],
            "productId": product.map_or_else(String::new, |product| product.id()),
            "vendorId": product.map_or("microsoft", |product| product.vendor),
            "nameId": product.map_or("windows", |product| product.name),
            "recommendedVersion": product.and_then(|product| product.versions.last()).map(|version| version.number),
            "recommendedVendor": null,
            "recommendedProgram": null,
        })
    }
}

fn on_task<T>(call: &Call, id: &str, act: impl FnOnce(&World, &Task<'_>) -> T) -> Result<T, Refusal> {
    let found = call.with_world(|world| {
        let world: &World = world;
        let task = tasks(world).into_iter().find(|task| task.id.eq_ignore_ascii_case(id))?;
        Some(act(world, &task))
    });
    found.ok_or_else(|| call.not_found("Remediation task", id))
}

fn is_status(text: &str) -> bool {
    ["Active", "Completed"].iter().any(|word| word.eq_ignore_ascii_case(text))
}

/// Filterable are those that the page of the list names; it prints `createdon`.
const TASKS: List = List {
    set: "RemediationTasks",
    entity: "microsoft.windowsDefenderATP.api.RemediationTask",
    properties: &[
        by("createdOn", Kind::Instant),
        by("status", Kind::Enumeration(is_status)),
        shown("id"),
        shown("title"),
    ],
    top_max: TOP_MAX,
};

const ROLES: &[&str] = &["RemediationTasks.Read.All"];
// No page states a limit: that of most pages is assumed (G).
const LIST: Door = Door { roles: ROLES, limit: usual("mde remediation tasks") };
const ONE: Door = Door { roles: ROLES, limit: usual("mde remediation task") };
const MACHINES: Door = Door { roles: ROLES, limit: usual("mde remediation task machines") };
