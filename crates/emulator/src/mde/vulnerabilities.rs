//! Vulnerabilities: all, one, of a device, and by device and software.

use axum::extract::Path;
use http::StatusCode;
use serde_json::{Value, json};

use super::{
    call::{Answer, Call, Door, Head, List, Refusal, TOP_MAX, by, shown, usual},
    software::reference_json,
};
use crate::{
    odata::Kind,
    throttle::Limit,
    world::{Flaw, World},
};

pub(super) async fn list(head: Head) -> Answer {
    let call = head.admit(&LIST)?;
    let rows = call.with_world(|world| world.flaws().into_iter().map(|flaw| vulnerability_json(world, flaw)).collect());
    call.list(&VULNERABILITIES, rows)
}

pub(super) async fn one(Path(cve): Path<String>, head: Head) -> Answer {
    let call = head.admit(&ONE)?;
    let found = on_flaw(&call, &cve, vulnerability_json)?;
    Ok(call.entity(StatusCode::OK, "Vulnerabilities/$entity", found))
}

pub(super) async fn machines(Path(cve): Path<String>, head: Head) -> Answer {
    let call = head.admit(&MACHINES)?;
    let rows =
        on_flaw(&call, &cve, |world, flaw| world.exposed_to(flaw.cve).into_iter().map(reference_json).collect())?;
    Ok(call.collection("MachineReferences", rows))
}

pub(super) async fn of_machine(Path(id): Path<String>, head: Head) -> Answer {
    let call = head.admit(&OF_MACHINE)?;
    let index = call.device(&id)?;
    let rows = call.with_world(|world| {
        let installed = world.software_on(&world.company.devices[index]);
        let mut flaws: Vec<&Flaw> =
            installed.iter().flat_map(|installed| installed.version.flaws.iter().copied()).collect();
        flaws.sort_unstable_by_key(|flaw| flaw.cve);
        flaws.dedup_by_key(|flaw| flaw.cve);
        flaws.into_iter().map(|flaw| vulnerability_json(world, flaw)).collect()
    });
    Ok(call.collection("Collection(Analytics.Contracts.PublicAPI.PublicVulnerabilityDto)", rows))
}

/// One row per device, product and weakness.
pub(super) async fn by_machine(head: Head) -> Answer {
    let call = head.admit(&BY_MACHINE)?;
    let rows = call.with_world(|world| {
        let mut rows = Vec::new();
        for device in &world.company.devices {
            for installed in world.software_on(device) {
                let update = installed.version.update.map(|update| update.id);
                let (product, version) = (installed.product, installed.version.number);
                for flaw in installed.version.flaws {
                    let key = [
                        &device.machine_id,
                        flaw.cve,
                        product.vendor,
                        product.name,
                        version,
                        update.unwrap_or_default(),
                    ];
                    rows.push(json!({
                        "id": key.join("-_-"),
                        "cveId": flaw.cve,
                        "machineId": device.machine_id,
                        "fixingKbId": update,
                        "productName": product.name,
                        "productVendor": product.vendor,
                        "productVersion": version,
                        "severity": flaw.severity,
                    }));
                }
            }
        }
        rows
    });
    call.list(&ASSET_VULNERABILITIES, rows)
}

pub(super) fn vulnerability_json(world: &World, flaw: &Flaw) -> Value {
    json!({
        "id": flaw.cve,
        "name": flaw.cve,
        "description": flaw.description,
        "severity": flaw.severity,
        "cvssV3": flaw.cvss,
        "cvssVector": flaw.vector,
        "exposedMachines": world.exposed_to(flaw.cve).len(),
        "publishedOn": flaw.published,
        "updatedOn": flaw.updated,
        "publicExploit": flaw.public_exploit,
        "exploitVerified": flaw.verified,
        "exploitInKit": flaw.in_kit,
        "exploitTypes": if flaw.public_exploit { vec!["Remote"] } else { Vec::new() },
        "exploitUris": [],
        "CveSupportability": "Supported",
        "EPSS": flaw.epss,
    })
}

fn on_flaw<T>(call: &Call, cve: &str, act: impl FnOnce(&World, &'static Flaw) -> T) -> Result<T, Refusal> {
    let found = call.with_world(|world| {
        let flaw = world.flaws().into_iter().find(|flaw| flaw.cve.eq_ignore_ascii_case(cve))?;
        Some(act(world, flaw))
    });
    found.ok_or_else(|| call.not_found("Vulnerability", cve))
}

fn is_severity(text: &str) -> bool {
    ["Low", "Medium", "High", "Critical"].iter().any(|word| word.eq_ignore_ascii_case(text))
}

/// Filterable are those that the page of the list names.
const VULNERABILITIES: List = List {
    set: "Vulnerabilities",
    entity: "microsoft.windowsDefenderATP.api.PublicVulnerabilityDto",
    properties: &[
        by("id", Kind::Text),
        by("name", Kind::Text),
        by("description", Kind::Text),
        by("cvssV3", Kind::Number),
        by("publishedOn", Kind::Instant),
        by("severity", Kind::Enumeration(is_severity)),
        by("updatedOn", Kind::Instant),
        shown("exposedMachines"),
        shown("publicExploit"),
        shown("EPSS"),
    ],
    top_max: 8_000,
};

const ASSET_VULNERABILITIES: List = List {
    set: "Collection(microsoft.windowsDefenderATP.api.PublicAssetVulnerabilityDto)",
    entity: "microsoft.windowsDefenderATP.api.PublicAssetVulnerabilityDto",
    properties: &[
        by("id", Kind::Text),
        by("cveId", Kind::Text),
        by("machineId", Kind::Text),
        by("fixingKbId", Kind::Text),
        by("productName", Kind::Text),
        by("productVersion", Kind::Text),
        by("severity", Kind::Enumeration(is_severity)),
        by("productVendor", Kind::Text),
    ],
    top_max: TOP_MAX,
};

const ROLES: &[&str] = &["Vulnerability.Read.All"];
const LIST: Door = Door { roles: ROLES, limit: usual("mde vulnerabilities") };
const ONE: Door = Door { roles: ROLES, limit: usual("mde vulnerability") };
const MACHINES: Door = Door { roles: ROLES, limit: usual("mde vulnerability machines") };
const OF_MACHINE: Door =
    Door { roles: ROLES, limit: Limit { name: "mde machine vulnerabilities", windows: &[(50, 60), (1_500, 3_600)] } };
const BY_MACHINE: Door = Door { roles: ROLES, limit: usual("mde vulnerabilities by machine") };
