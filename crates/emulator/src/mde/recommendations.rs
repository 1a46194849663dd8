//! Security recommendations: updates of products, and settings.

use axum::extract::Path;
use http::StatusCode;
use serde_json::{Value, json};

use super::{
    call::{Answer, Call, Door, Head, List, Refusal, TOP_MAX, by, shown, usual},
    software::reference_json,
};
use crate::{
    odata::Kind,
    world::{Configuration, Device, ProductStanding, World},
};

pub(super) async fn list(head: Head) -> Answer {
    let call = head.admit(&LIST)?;
    let rows = call.with_world(|world| all(world).iter().map(|advice| advice.json(world)).collect());
    call.list(&RECOMMENDATIONS, rows)
}

/// Only here: tags, and how many critical devices are exposed.
pub(super) async fn one(Path(id): Path<String>, head: Head) -> Answer {
    let call = head.admit(&ONE)?;
    let found = on_advice(&call, &id, |world, advice| {
        let mut json = advice.json(world);
        json["tags"] = json!([]);
        json["exposedCriticalDevices"] = json!(advice.exposed(world).iter().filter(|device| device.is_server).count());
        json
    })?;
    Ok(call.entity(StatusCode::OK, "Recommendations/$entity", found))
}

pub(super) async fn machines(Path(id): Path<String>, head: Head) -> Answer {
    let call = head.admit(&MACHINES)?;
    let rows = on_advice(&call, &id, |world, advice| advice.exposed(world).into_iter().map(reference_json).collect())?;
    Ok(call.collection("MachineReferences", rows))
}

pub(super) async fn of_machine(Path(id): Path<String>, head: Head) -> Answer {
    let call = head.admit(&OF_MACHINE)?;
    let index = call.device(&id)?;
    let rows = call.with_world(|world| {
        let machine_id = &world.company.devices[index].machine_id;
        let advices = all(world);
        let concern =
            advices.iter().filter(|advice| advice.exposed(world).iter().any(|device| device.machine_id == *machine_id));
        concern.map(|advice| advice.json(world)).collect()
    });
    Ok(call.collection("Recommendations", rows))
}

pub(super) enum Advice<'w> {
    Update(ProductStanding<'w>),
    Setting(&'static Configuration),
}

/// Everything that concerns at least one device.
pub(super) fn all(world: &World) -> Vec<Advice<'_>> {
    let updates = world.products().into_iter().filter(|standing| standing.exposed().next().is_some());
    let settings = world.configurations().iter().filter(|setting| !world.misconfigured(setting).is_empty());
    updates.map(Advice::Update).chain(settings.map(Advice::Setting)).collect()
}

impl Advice<'_> {
    fn id(&self) -> String {
        match self {
            Self::Update(standing) => format!("va-_-{}", standing.product.id()),
            Self::Setting(setting) => setting.id.to_owned(),
        }
    }

    pub(super) fn exposed<'d>(&'d self, world: &'d World) -> Vec<&'d Device> {
        match self {
            Self::Update(standing) => standing.exposed().collect(),
            Self::Setting(setting) => world.misconfigured(setting),
        }
    }

    pub(super) fn json(&self, world: &World) -> Value {
        match self {
            Self::Update(standing) => update_json(world, standing, &self.id()),
            Self::Setting(setting) => setting_json(world, setting),
        }
    }
}

fn update_json(world: &World, standing: &ProductStanding<'_>, id: &str) -> Value {
    let product = standing.product;
    let flaws = standing.flaws();
    let impact = standing.impact(world.company.devices.len());
    json!({
        "id": id,
        "productName": product.name,
        "recommendationName": format!("Update {}", product.label),
        "weaknesses": flaws.len(),
        "vendor": product.vendor,
        "recommendedVersion": product.versions.last().map(|version| version.number),
        "recommendedVendor": "",
        "recommendedProgram": "",
        "recommendationCategory": if product.is_system { "OS" } else { "Application" },
        "subCategory": "",
        "severityScore": flaws.iter().map(|flaw| flaw.cvss).fold(0.0, f64::max),
        "publicExploit": flaws.iter().any(|flaw| flaw.public_exploit),
        "activeAlert": standing.has_active_alert(),
        "associatedThreats": [],
        "remediationType": "Update",
        "status": "Active",
        "configScoreImpact": 0.0,
        "exposureImpact": impact,
        "totalMachineCount": standing.installed.len(),
        "exposedMachinesCount": standing.exposed().count(),
        "nonProductivityImpactedAssets": 0,
        "relatedComponent": product.label,
    })
}

fn setting_json(world: &World, setting: &Configuration) -> Value {
    let all = world.company.devices.iter().filter(|device| setting.platforms.contains(&device.os_platform)).count();
    let exposed = world.misconfigured(setting).len();
    json!({
        "id": setting.id,
        "productName": setting.product,
        "recommendationName": setting.name,
        "weaknesses": 1,
        "vendor": "microsoft",
        "recommendedVersion": "",
        "recommendedVendor": "",
        "recommendedProgram": "",
        "recommendationCategory": setting.category,
        "subCategory": setting.sub_category,
        "severityScore": 0.0,
        "publicExploit": false,
        "activeAlert": false,
        "associatedThreats": [],
        "remediationType": "ConfigurationChange",
        "status": "Active",
        "configScoreImpact": setting.score_impact,
        "exposureImpact": 0.0,
        "totalMachineCount": all,
        "exposedMachinesCount": exposed,
        "nonProductivityImpactedAssets": all - exposed,
        "relatedComponent": "Windows",
    })
}

fn on_advice<T>(call: &Call, id: &str, act: impl FnOnce(&World, &Advice<'_>) -> T) -> Result<T, Refusal> {
    let found = call.with_world(|world| {
        let found = all(world).into_iter().find(|advice| advice.id().eq_ignore_ascii_case(id))?;
        Some(act(world, &found))
    });
    found.ok_or_else(|| call.not_found("Recommendation", id))
}

fn is_category(text: &str) -> bool {
    let words = ["Accounts", "Application", "Network", "OS", "SecurityControls"];
    words.iter().any(|word| word.eq_ignore_ascii_case(text))
}

fn is_remediation(text: &str) -> bool {
    ["ConfigurationChange", "Update", "Upgrade", "Uninstall"].iter().any(|word| word.eq_ignore_ascii_case(text))
}

fn is_status(text: &str) -> bool {
    ["Active", "Exception"].iter().any(|word| word.eq_ignore_ascii_case(text))
}

/// Filterable are those that the page of the list names.
const RECOMMENDATIONS: List = List {
    set: "Recommendations",
    entity: "microsoft.windowsDefenderATP.api.Recommendation",
    properties: &[
        by("id", Kind::Text),
        by("productName", Kind::Text),
        by("vendor", Kind::Text),
        by("recommendedVersion", Kind::Text),
        by("recommendationCategory", Kind::Enumeration(is_category)),
        by("subCategory", Kind::Text),
        by("severityScore", Kind::Number),
        by("remediationType", Kind::Enumeration(is_remediation)),
        by("recommendedProgram", Kind::Text),
        by("recommendedVendor", Kind::Text),
        by("status", Kind::Enumeration(is_status)),
        shown("recommendationName"),
        shown("weaknesses"),
        shown("exposedMachinesCount"),
    ],
    top_max: TOP_MAX,
};

const ROLES: &[&str] = &["SecurityRecommendation.Read.All"];
const LIST: Door = Door { roles: ROLES, limit: usual("mde recommendations") };
const ONE: Door = Door { roles: ROLES, limit: usual("mde recommendation") };
const MACHINES: Door = Door { roles: ROLES, limit: usual("mde recommendation machines") };
const OF_MACHINE: Door = Door { roles: ROLES, limit: usual("mde machine recommendations") };
