//! Automated investigations.

use serde_json::{Value, json};

use crate::world::{OrderedInvestigation, Term, World};

/// An investigation that a caller ordered, by its number.
pub(super) fn ordered_json(world: &World, id: u64) -> Value {
    let found = world.ordered_investigations().iter().find(|ordered| ordered.id == id);
    found.map_or(Value::Null, |ordered| one_json(world, ordered))
}

fn one_json(world: &World, ordered: &OrderedInvestigation) -> Value {
    let device = &world.company.devices[usize::from(ordered.device)];
    let ended = world.investigation_end(ordered);
    json!({
        "id": ordered.id.to_string(),
        "startTime": ordered.started.to_string(),
        "endTime": ended.map(|at| at.to_string()),
        "state": world.ordered_state(ordered).xdr(),
        "cancelledBy": null,
        "statusDetails": null,
        "machineId": device.machine_id,
        "computerDnsName": device.dns_name,
        "triggeringAlertId": ordered.alert,
    })
}
