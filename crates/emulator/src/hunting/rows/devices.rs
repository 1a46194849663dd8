//! `DeviceInfo` and `DeviceNetworkInfo`: a full record a day and at each change.

use serde_json::json;

use super::Source;
use crate::{
    hunting::{actor::device_into, sheet::Sheet},
    world::{Device, Term, Ticks},
};

/// The vendor's page says a record every hour; here one a day, at a time of the device's own, and one at each change.
pub(super) fn rows(source: &Source<'_>, sheet: &mut Sheet) {
    for (index, device) in source.world.company.devices.iter().enumerate() {
        for at in reports(source, index, device) {
            row(source, sheet, index, at);
        }
    }
}

pub(super) fn adapters(source: &Source<'_>, sheet: &mut Sheet) {
    for (index, device) in source.world.company.devices.iter().enumerate() {
        for at in reports(source, index, device) {
            let is_cut_off = source.history.at(index, at).isolation.is_some();
            let mut row = sheet.row(Ticks(at.0 + 10_000_000));
            device_into(&mut row, device);
            let mac: String = device.aad_device_id.replace('-', "").chars().take(12).collect();
            let addresses = json!([
                { "IPAddress": device.ip, "SubnetPrefix": 24, "AddressType": "Private" },
                { "IPAddress": format!("fe80::{}", &mac[..4]), "SubnetPrefix": 64, "AddressType": "Private" },
            ]);
            let networks = json!([{
                "Name": format!("corp.{}", source.world.company.domain), "Description": "Network",
                "IsConnectedToInternet": !is_cut_off, "Category": "DomainAuthenticated",
            }]);
            let (prefix, _) = device.ip.rsplit_once('.').unwrap_or((&device.ip, ""));
            row.text("NetworkAdapterName", format!("{{{}}}", device.vm_id))
                .text("MacAddress", mac.to_uppercase())
                .text("NetworkAdapterType", if device.is_server { "Ethernet" } else { "Wireless80211" })
                .text("NetworkAdapterStatus", "Up")
                .text("TunnelType", "None")
                .json("ConnectedNetworks", &networks)
                .json("DnsAddresses", &json!(["10.20.0.2", "10.20.0.3"]))
                .text("IPv4Dhcp", "10.20.0.2")
                .json("DefaultGateways", &json!([format!("{prefix}.1")]))
                .json("IPAddresses", &addresses)
                .text("NetworkAdapterVendor", "Example Network Devices")
                .text("OnboardingStatus", onboarding(source, index, at));
        }
    }
}

/// When a device reports: daily while it is heard, and when something about it changes.
fn reports(source: &Source<'_>, index: usize, device: &Device) -> Vec<Ticks> {
    let day = Ticks::of_day(1).0;
    let mut at = Ticks(source.reach.from.0 + (device.first_seen.0 - source.reach.from.0).rem_euclid(day));
    let mut all: Vec<Ticks> = Vec::new();
    while at <= source.reach.to {
        if source.history.is_heard(index, at) {
            all.push(at);
        }
        at = Ticks(at.0 + day);
    }
    all.extend(source.history.changes(index).iter().map(|standing| standing.from));
    all.sort_unstable();
    all.dedup();
    all
}

fn row(source: &Source<'_>, sheet: &mut Sheet, index: usize, at: Ticks) {
    let world = source.world;
    let device = &world.company.devices[index];
    let standing = source.history.at(index, at);
    let owner = &world.company.people[device.owner];
    let users = json!([{ "UserName": owner.account, "DomainName": world.company.nt_domain, "Sid": owner.sid }]);
    let mut row = sheet.row(at);
    device_into(&mut row, device);
    row.text("ClientVersion", "10.8807.26100.1150")
        .text("PublicIP", "203.0.113.7")
        .text("OSArchitecture", if device.os_platform == "macOS" { "Arm64" } else { "64-bit" })
        .text("OSPlatform", device.os_platform)
        .whole("OSBuild", device.os_build)
        .text("OSVersion", "10.0")
        .text("OSVersionInfo", device.version)
        .text("OSDistribution", device.os_platform)
        .truth("IsAzureADJoined", !device.is_server)
        .text("JoinType", if device.is_server { "Domain Joined" } else { "Hybrid Azure AD Joined" })
        .text("AadDeviceId", &device.aad_device_id)
        .json("LoggedOnUsers", &users)
        .text("MachineGroup", device.group_name)
        .text("OnboardingStatus", onboarding(source, index, at))
        .text("SensorHealthState", health(standing.is_online, standing.is_onboarded))
        .text("DeviceCategory", "Endpoint")
        .text("DeviceType", if device.is_server { "Server" } else { "Workstation" })
        .text("Model", if device.is_server { "Rack R4" } else { "Slate 14" })
        .text("Vendor", "Example Computers")
        .truth("IsInternetFacing", false)
        .truth("IsExcluded", false)
        .truth("IsTransient", false)
        .text("ExposureLevel", world.exposure_of(device))
        .text("AssetValue", standing.value.xdr())
        .json("DeviceManualTags", &json!(standing.tags))
        .json("DeviceDynamicTags", &json!([]))
        .text("HardwareUuid", &device.vm_id)
        .text("AzureVmSubscriptionId", if device.is_server { &*world.company.subscription_id } else { "" })
        .text("AzureVmId", if device.is_server { &*device.vm_id } else { "" });
    // The keys of the status are not documented (G).
    let mut mitigation = serde_json::Map::new();
    if let Some(scope) = standing.isolation {
        mitigation.insert("Isolated".to_owned(), json!("true"));
        mitigation.insert("IsolationType".to_owned(), json!(scope));
    }
    if standing.is_restricted {
        mitigation.insert("CodeExecutionRestricted".to_owned(), json!("true"));
    }
    if !mitigation.is_empty() {
        row.json("MitigationStatus", &serde_json::Value::Object(mitigation));
    }
}

fn onboarding(source: &Source<'_>, index: usize, at: Ticks) -> &'static str {
    if source.history.at(index, at).is_onboarded { "Onboarded" } else { "Can be onboarded" }
}

/// A device that is cut off shows up as inactive in its last record, at the moment when it was cut off.
fn health(is_online: bool, is_onboarded: bool) -> &'static str {
    if is_online && is_onboarded { "Active" } else { "Inactive" }
}
