//! Software, its weaknesses, and settings that should be different: as they are now, without a time.

use serde_json::json;

use super::Source;
use crate::{
    hunting::sheet::{Row, Sheet},
    world::{Configuration, Device},
};

pub(super) fn inventory(source: &Source<'_>, sheet: &mut Sheet) {
    for device in devices(source) {
        for installed in source.world.software_on(device) {
            let mut row = sheet.fact();
            device_into(&mut row, device);
            row.text("SoftwareVendor", installed.product.vendor)
                .text("SoftwareName", installed.product.name)
                .text("SoftwareVersion", installed.version.number)
                .text("EndOfSupportStatus", "")
                .text(
                    "ProductCodeCpe",
                    format!(
                        "cpe:2.3:a:{}:{}:{}:*:*:*:*:*:*:*",
                        installed.product.vendor, installed.product.name, installed.version.number
                    ),
                );
        }
    }
}

pub(super) fn vulnerabilities(source: &Source<'_>, sheet: &mut Sheet) {
    for device in devices(source) {
        for installed in source.world.software_on(device) {
            for flaw in installed.version.flaws {
                let mut row = sheet.fact();
                device_into(&mut row, device);
                row.text("SoftwareVendor", installed.product.vendor)
                    .text("SoftwareName", installed.product.name)
                    .text("SoftwareVersion", installed.version.number)
                    .text("CveId", flaw.cve)
                    .text("VulnerabilitySeverityLevel", flaw.severity)
                    .maybe("RecommendedSecurityUpdate", installed.version.update.map(|update| update.name))
                    .maybe("RecommendedSecurityUpdateId", installed.version.update.map(|update| update.id))
                    .json("CveTags", &json!([]));
            }
        }
    }
}

pub(super) fn knowledge(source: &Source<'_>, sheet: &mut Sheet) {
    for flaw in source.world.flaws() {
        let mut row = sheet.fact();
        row.text("CveId", flaw.cve)
            .text("CvssScore", flaw.cvss.to_string())
            .truth("IsExploitAvailable", flaw.public_exploit)
            .text("VulnerabilitySeverityLevel", flaw.severity)
            .text("VulnerabilityDescription", flaw.description)
            .json("AffectedSoftware", &json!([]));
        for (name, text) in [("PublishedDate", flaw.published), ("LastModifiedTime", flaw.updated)] {
            if let Ok(at) = text.parse::<jiff::Timestamp>() {
                row.instant(name, at.into());
            }
        }
    }
}

pub(super) fn assessments(source: &Source<'_>, sheet: &mut Sheet) {
    for configuration in source.world.configurations() {
        let failing: Vec<&str> =
            source.world.misconfigured(configuration).iter().map(|device| device.machine_id.as_str()).collect();
        let fits = |device: &&Device| configuration.platforms.contains(&device.os_platform);
        for device in devices(source).filter(fits) {
            let mut row = sheet.fact();
            row.text("DeviceId", &device.machine_id)
                .text("DeviceName", &device.dns_name)
                .text("OSPlatform", device.os_platform)
                .text("ConfigurationId", configuration.id)
                .text("ConfigurationCategory", configuration.category)
                .text("ConfigurationSubcategory", configuration.sub_category)
                .truth("IsCompliant", !failing.contains(&device.machine_id.as_str()))
                .truth("IsApplicable", true);
        }
    }
}

pub(super) fn configurations(source: &Source<'_>, sheet: &mut Sheet) {
    for configuration in source.world.configurations() {
        let Configuration { id, name, category, sub_category, .. } = configuration;
        sheet
            .fact()
            .text("ConfigurationId", id)
            .text("ConfigurationName", name)
            .text("ConfigurationDescription", name)
            .text("ConfigurationCategory", category)
            .text("ConfigurationSubcategory", sub_category);
    }
}

/// Devices whose sensor is still there.
fn devices<'w>(source: &Source<'w>) -> impl Iterator<Item = &'w Device> {
    source.world.company.devices.iter().filter(|device| device.state.offboarded.is_none())
}

fn device_into(row: &mut Row<'_>, device: &Device) {
    row.text("DeviceId", &device.machine_id)
        .text("DeviceName", &device.dns_name)
        .text("OSPlatform", device.os_platform)
        .text("OSVersion", device.version)
        .text("OSArchitecture", "x64");
}
