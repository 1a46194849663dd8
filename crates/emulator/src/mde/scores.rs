//! Exposure score and device score: how open to attackers the organisation is, and how well it is configured.
//!
//! The pages show one figure each and not how it comes about. Here (G) the exposure is the mean over the devices of
//! their worst weakness, from 0 to 100, and the device score is the sum of what each setting counts, in proportion to the
//! devices where it is right. Both are those of the moment of the call, and move when the devices do.

use http::StatusCode;
use serde_json::{Value, json};

use super::call::{Answer, Call, Door, Head, Refusal, usual};
use crate::{
    odata::Query,
    world::{Device, World},
};

pub(super) async fn exposure(head: Head) -> Answer {
    let call = head.admit(&EXPOSURE)?;
    takes_no_options(&call)?;
    let score = call.with_world(|world| {
        let devices: Vec<&Device> = world.company.devices.iter().collect();
        json!({ "time": world.now().to_string(), "score": exposure_score(world, &devices) })
    });
    Ok(call.entity(StatusCode::OK, "ExposureScore/$entity", score))
}

pub(super) async fn exposure_by_group(head: Head) -> Answer {
    let call = head.admit(&EXPOSURE_BY_GROUP)?;
    takes_no_options(&call)?;
    let rows = call.with_world(|world| {
        let mut groups: Vec<&'static str> = world.company.devices.iter().map(|device| device.group_name).collect();
        groups.sort_unstable();
        groups.dedup();
        let row = |group: &'static str| {
            let devices: Vec<&Device> =
                world.company.devices.iter().filter(|device| device.group_name == group).collect();
            let score = exposure_score(world, &devices);
            json!({ "time": world.now().to_string(), "score": score, "rbacGroupName": group })
        };
        groups.into_iter().map(row).collect::<Vec<Value>>()
    });
    Ok(call.collection("ExposureScore", rows))
}

pub(super) async fn configuration(head: Head) -> Answer {
    let call = head.admit(&CONFIGURATION)?;
    takes_no_options(&call)?;
    let score = call.with_world(|world| {
        let points = world.configurations().iter().map(|setting| {
            let applies = world.company.devices.iter().filter(|device| setting.platforms.contains(&device.os_platform));
            let all = applies.count();
            let right = all.saturating_sub(world.misconfigured(setting).len());
            setting.score_impact * share(right, all)
        });
        json!({ "time": world.now().to_string(), "score": rounded(points.sum()) })
    });
    Ok(call.entity(StatusCode::OK, "ConfigurationScore/$entity", score))
}

fn takes_no_options(call: &Call) -> Result<(), Refusal> {
    Query::read(&call.query, &[]).map(|_| ()).map_err(|error| call.bad_query(&error))
}

fn exposure_score(world: &World, devices: &[&Device]) -> f64 {
    let worst = devices.iter().map(|device| {
        let flaws = world.software_on(device).into_iter().flat_map(|installed| installed.version.flaws.iter());
        flaws.map(|flaw| flaw.cvss).fold(0.0, f64::max) * 10.0
    });
    rounded(worst.sum::<f64>() * share(1, devices.len()))
}

fn share(part: usize, of: usize) -> f64 {
    let count = |number: usize| u32::try_from(number).map_or(f64::MAX, f64::from);
    if of == 0 { 0.0 } else { count(part) / count(of) }
}

fn rounded(score: f64) -> f64 {
    (score * 10_000.0).round() / 10_000.0
}

const ROLES: &[&str] = &["Score.Read.All"];
// No page states a limit: that of most pages is assumed (G).
const EXPOSURE: Door = Door { roles: ROLES, limit: usual("mde exposure score") };
const EXPOSURE_BY_GROUP: Door = Door { roles: ROLES, limit: usual("mde exposure score by group") };
const CONFIGURATION: Door = Door { roles: ROLES, limit: usual("mde configuration score") };
