//! Faults of time: the world changes between two pages of a list.

use bytes::Bytes;
use serde_json::Value;

use super::FaultKind;
use crate::world::{AlertChange, AlertStatus, World};

/// Changes the world after `page` was answered; says whether there was something to change.
pub(crate) fn between_pages(kind: FaultKind, page: &Bytes, world: &mut World) -> bool {
    let Ok(page) = serde_json::from_slice::<Value>(page) else { return false };
    let Some(items) = page["value"].as_array() else { return false };
    match kind {
        FaultKind::AlertUpdatedBetweenPages => items.first().is_some_and(|item| update_alert(item, world)),
        FaultKind::IncidentMergedBetweenPages => merge_into_first(items, world),
        _ => false,
    }
}

/// The alert itself, or the first one of an incident.
fn update_alert(item: &Value, world: &mut World) -> bool {
    let named = item["id"].as_str().filter(|id| world.alert(id).is_some()).map(str::to_owned);
    let of_incident = || {
        let incident = world.incident(incident_number(item)?)?;
        let first = world.alerts_of(incident).next()?;
        Some(first.id.to_string())
    };
    let Some(id) = named.or_else(of_incident) else { return false };
    let change = AlertChange {
        status: Some(AlertStatus::InProgress),
        comment: Some("Changed between two pages.".to_owned()),
        ..AlertChange::default()
    };
    world.change_alert(&id, SOMEBODY, change).is_some()
}

fn merge_into_first(items: &[Value], world: &mut World) -> bool {
    let shown: Vec<u64> = items.iter().filter_map(incident_number).collect();
    let Some(into) = shown.first().copied() else { return false };
    let elsewhere = world.incidents().into_iter().filter(|incident| incident.redirect.is_none() && incident.id != into);
    // Best one that comes on a later page, else the last one of this page.
    let newest =
        elsewhere.max_by_key(|incident| (!shown.contains(&incident.id), incident.updated)).map(|found| found.id);
    newest.is_some_and(|from| world.merge(from, into).is_ok())
}

/// `id` as a text in Graph, `incidentId` as a number in the Defender XDR API.
fn incident_number(item: &Value) -> Option<u64> {
    item["incidentId"].as_u64().or_else(|| item["id"].as_str()?.parse().ok())
}

const SOMEBODY: &str = "somebody.else@example.com";
