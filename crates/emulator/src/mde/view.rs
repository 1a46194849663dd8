//! Machines and machine actions in the shape of the Defender for Endpoint API (`machine.md`, `machineaction.md`).

use serde_json::{Value, json};

use crate::world::{Device, DeviceValue, LiveCommand, MachineAction, Term, Ticks, World};

pub(crate) fn machine_json(world: &World, device: &Device) -> Value {
    let state = &device.state;
    let mac = device.machine_id[..12].to_uppercase();
    json!({
        "id": device.machine_id,
        "computerDnsName": device.dns_name,
        "firstSeen": device.first_seen.to_string(),
        "lastSeen": device.last_seen(world.now()).to_string(),
        "osPlatform": device.os_platform,
        "osProcessor": "x64",
        "osArchitecture": "64-bit",
        "version": device.version,
        "osBuild": (device.os_build > 0).then_some(device.os_build),
        "lastIpAddress": device.ip,
        "lastExternalIpAddress": EXTERNAL_IP,
        "healthStatus": device.health(world.now()).xdr(),
        "onboardingStatus": device.onboarding_status(),
        "rbacGroupId": device.group_id,
        "rbacGroupName": device.group_name,
        "riskScore": device.state.risk.map_or("None", Term::xdr),
        "exposureLevel": world.exposure_of(device),
        "deviceValue": state.value.xdr(),
        "isAadJoined": device.is_windows(),
        "aadDeviceId": device.is_windows().then_some(&device.aad_device_id),
        "machineTags": state.tags,
        "ipAddresses": [{ "ipAddress": device.ip, "macAddress": mac, "operationalStatus": "Up" }],
    })
}

/// With both spellings of the last update: the single page has one, the samples of the list have the other.
pub(crate) fn action_json(world: &World, action: &MachineAction) -> Value {
    let device = &world.company.devices[usize::from(action.device)];
    let cancellation = action.cancellation.as_ref();
    let file = action.file.as_ref().map(|sha1| json!({ "fileIdentifier": sha1, "fileIdentifierType": "Sha1" }));
    let updated = action.updated.to_string();
    json!({
        "id": action.id,
        "type": action.kind.xdr(),
        "title": null,
        "scope": action.scope,
        "requestor": action.requestor,
        "requestSource": action.source,
        "externalID": action.external_id,
        "requestorComment": action.comment,
        "status": action.status.xdr(),
        "machineId": device.machine_id,
        "computerDnsName": device.dns_name,
        "creationDateTimeUtc": action.created.to_string(),
        "lastUpdateDateTimeUtc": updated,
        "lastUpdateTimeUtc": updated,
        "cancellationRequestor": cancellation.map(|comment| &comment.by),
        "cancellationComment": cancellation.map(|comment| &comment.text),
        "cancellationDateTimeUtc": cancellation.map(|comment| comment.at.to_string()),
        "errorHResult": action.error_code(),
        "troubleshootInfo": null,
        "relatedFileInfo": file,
        "commands": action.commands.iter().enumerate().map(|(index, command)| command_json(index, command))
            .collect::<Vec<_>>(),
    })
}

fn command_json(index: usize, command: &LiveCommand) -> Value {
    let at = |at: Option<Ticks>| at.map(|at| at.to_string());
    let params: Vec<Value> = command.params.iter().map(|(key, value)| json!({ "key": key, "value": value })).collect();
    json!({
        "index": index,
        "startTime": at(command.started),
        "endTime": at(command.ended),
        "commandStatus": command.status.word(),
        "errors": command.errors,
        "command": { "type": command.kind, "params": params },
    })
}

pub(super) fn is_device_value(text: &str) -> bool {
    DeviceValue::is_xdr_word(text)
}

/// The address behind which the company's devices go out (a range for documentation, RFC 5737).
const EXTERNAL_IP: &str = "203.0.113.1";
