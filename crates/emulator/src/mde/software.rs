//! Software in the organisation and on a device, and the updates that a device misses.

use axum::extract::Path;
use http::StatusCode;
use serde_json::{Value, json};

use super::{
    call::{Answer, Call, Door, Head, List, Refusal, TOP_MAX, by, shown, usual},
    vulnerabilities::vulnerability_json,
};
use crate::{
    odata::Kind,
    world::{Device, ProductStanding, World},
};

pub(super) async fn list(head: Head) -> Answer {
    let call = head.admit(&LIST)?;
    let rows =
        call.with_world(|world| world.products().iter().map(|standing| software_json(world, standing)).collect());
    call.list(&SOFTWARE, rows)
}

pub(super) async fn one(Path(id): Path<String>, head: Head) -> Answer {
    let call = head.admit(&ONE)?;
    let software = on_product(&call, &id, software_json)?;
    Ok(call.entity(StatusCode::OK, "Software/$entity", software))
}

pub(super) async fn of_machine(Path(id): Path<String>, head: Head) -> Answer {
    let call = head.admit(&OF_MACHINE)?;
    let index = call.device(&id)?;
    let rows = call.with_world(|world| {
        let device = &world.company.devices[index];
        let installed = world.software_on(device).into_iter();
        installed
            .filter_map(|installed| world.product(&installed.product.id()))
            .map(|standing| software_json(world, &standing))
            .collect()
    });
    Ok(call.collection("Software", rows))
}

pub(super) async fn distributions(Path(id): Path<String>, head: Head) -> Answer {
    let call = head.admit(&DISTRIBUTIONS)?;
    let rows = on_product(&call, &id, |_, standing| {
        let versions = standing.product.versions.iter();
        let counted = versions.map(|version| {
            let installations = standing.installed.iter().filter(|(_, has)| has.number == version.number).count();
            (version, installations)
        });
        let used = counted.filter(|(_, installations)| *installations > 0);
        used.map(|(version, installations)| {
            json!({
                "version": version.number, "installations": installations, "vulnerabilities": version.flaws.len(),
            })
        })
        .collect()
    })?;
    Ok(call.collection("Distributions", rows))
}

pub(super) async fn machines(Path(id): Path<String>, head: Head) -> Answer {
    let call = head.admit(&MACHINES)?;
    let rows = on_product(&call, &id, |_, standing| {
        standing.installed.iter().map(|(device, _)| reference_json(device)).collect()
    })?;
    Ok(call.collection("MachineReferences", rows))
}

pub(super) async fn vulnerabilities(Path(id): Path<String>, head: Head) -> Answer {
    let call = head.admit(&VULNERABILITIES)?;
    let rows = on_product(&call, &id, |world, standing| {
        standing.flaws().into_iter().map(|flaw| vulnerability_json(world, flaw)).collect()
    })?;
    Ok(call.collection("Collection(Analytics.Contracts.PublicAPI.PublicVulnerabilityDto)", rows))
}

/// Updates that would take away a weakness of the device, each once.
pub(super) async fn missing_updates(Path(id): Path<String>, head: Head) -> Answer {
    let call = head.admit(&MISSING)?;
    let index = call.device(&id)?;
    let rows = call.with_world(|world| {
        let installed = world.software_on(&world.company.devices[index]);
        let mut updates: Vec<Value> = Vec::new();
        for weak in &installed {
            let Some(update) = weak.version.update else { continue };
            if updates.iter().any(|known| known["id"] == update.id) {
                continue;
            }
            let same = installed.iter().filter(|other| other.version.update.is_some_and(|known| known.id == update.id));
            updates.push(json!({
                "id": update.id,
                "name": update.name,
                "productsNames": same.clone().map(|other| other.product.name).collect::<Vec<_>>(),
                "url": format!("https://catalog.update.microsoft.com/v7/site/Search.aspx?q=KB{}", update.id),
                "machineMissedOn": 1,
                "cveAddressed": same.map(|other| other.version.flaws.len()).sum::<usize>(),
            }));
        }
        updates
    });
    Ok(call.collection("Collection(microsoft.windowsDefenderATP.api.PublicProductFixDto)", rows))
}

/// A device as the lists about weaknesses name it.
pub(super) fn reference_json(device: &Device) -> Value {
    json!({
        "id": device.machine_id,
        "computerDnsName": device.dns_name,
        "osPlatform": device.os_platform,
        "rbacGroupName": device.group_name,
    })
}

fn on_product<T>(call: &Call, id: &str, act: impl FnOnce(&World, &ProductStanding<'_>) -> T) -> Result<T, Refusal> {
    let found = call.with_world(|world| world.product(id).map(|standing| act(world, &standing)));
    found.ok_or_else(|| call.not_found("Software", id))
}

fn software_json(world: &World, standing: &ProductStanding<'_>) -> Value {
    let flaws = standing.flaws();
    json!({
        "id": standing.product.id(),
        "name": standing.product.name,
        "vendor": standing.product.vendor,
        "weaknesses": flaws.len(),
        "publicExploit": flaws.iter().any(|flaw| flaw.public_exploit),
        "activeAlert": standing.has_active_alert(),
        "exposedMachines": standing.exposed().count(),
        "impactScore": standing.impact(world.company.devices.len()),
    })
}

/// Filterable are those that the page of the list names.
const SOFTWARE: List = List {
    set: "Software",
    entity: "microsoft.windowsDefenderATP.api.Software",
    properties: &[
        by("id", Kind::Text),
        by("name", Kind::Text),
        by("vendor", Kind::Text),
        shown("weaknesses"),
        shown("publicExploit"),
        shown("activeAlert"),
        shown("exposedMachines"),
        shown("impactScore"),
    ],
    top_max: TOP_MAX,
};

const ROLES: &[&str] = &["Software.Read.All"];
// The pages of this group state no limits; the usual ones count.
const LIST: Door = Door { roles: ROLES, limit: usual("mde software") };
const ONE: Door = Door { roles: ROLES, limit: usual("mde software item") };
const OF_MACHINE: Door = Door { roles: ROLES, limit: usual("mde machine software") };
const DISTRIBUTIONS: Door = Door { roles: ROLES, limit: usual("mde software versions") };
const MACHINES: Door = Door { roles: ROLES, limit: usual("mde software machines") };
const VULNERABILITIES: Door = Door { roles: &["Vulnerability.Read.All"], limit: usual("mde software vulnerabilities") };
const MISSING: Door = Door { roles: ROLES, limit: usual("mde machine updates") };
