//! `DeviceEvents`: what sensors see beside processes, files and networks, and what orders to a device leave there.

use serde_json::json;

use super::{Source, files};
use crate::{
    hunting::{
        actor::{Actor, account_into, device_into, file_into, full_path, system_account},
        programs::odd_text,
        scene::{Scene, scenes},
        sheet::Sheet,
    },
    world::{ActionKind, ActionStatus, Happening, Ticks},
};

pub(super) fn rows(source: &Source<'_>, sheet: &mut Sheet) {
    files::each_activity(source, EVENTS_PER_HOUR, 79, |activity, dice, at| {
        let (action, about) = dice.pick(ORDINARY);
        let mut row = sheet.row(at);
        device_into(&mut row, activity.device);
        row.text("ActionType", action);
        match *about {
            "dns" => {
                row.text("RemoteUrl", activity.program.calls.0);
                row.json("AdditionalFields", &json!({ "DnsQueryString": activity.program.calls.0 }));
            }
            "script" => {
                let text = if dice.percent(10) { odd_text(dice) } else { "Get-Process | Out-Null" };
                row.json("AdditionalFields", &json!({ "Command": text }));
            }
            "usb" => {
                row.json("AdditionalFields", &json!({ "DriveLetter": "E:", "SerialNumber": dice.hex(12) }));
            }
            _ => {}
        }
        activity.actor.initiates(&mut row);
    });
    for scene in scenes(source.world) {
        detected(sheet, &scene);
    }
    ordered(source, sheet);
}

/// What the sensors of the device say of an alert.
fn detected(sheet: &mut Sheet, scene: &Scene<'_>) {
    if !scene.alert.is_on_device() {
        return;
    }
    let (at, actor) = (scene.at().plus_s(1), scene.actor());
    let techniques = scene.alert.kind.techniques;
    for (technique, action) in SEEN_AS {
        if !techniques.contains(technique) {
            continue;
        }
        let mut row = sheet.row(at);
        device_into(&mut row, scene.device);
        row.text("ActionType", action).maybe("RemoteUrl", scene.url());
        if *action == "OpenProcessApiCall" || *action == "ReadProcessMemoryApiCall" {
            let lsass = Actor::well_known("lsass.exe", 712, at.plus_s(-80_000), system_account(true));
            file_into(&mut row, &lsass.image, "");
            row.whole("ProcessId", lsass.pid).text("FolderPath", full_path(&lsass.image));
        }
        row.json("AdditionalFields", &json!({ "Command": actor.command, "AlertId": &*scene.alert.id }));
        actor.initiates(&mut row);
    }
    if let (Some(family), Some(file)) = (scene.alert.kind.family, scene.file()) {
        let mut row = sheet.row(at);
        device_into(&mut row, scene.device);
        file_into(&mut row, file, "");
        let facts = json!({ "ThreatName": family, "WasRemediated": true, "ReportSource": "Windows Defender" });
        row.text("ActionType", "AntivirusDetection").text("FolderPath", full_path(file));
        row.json("AdditionalFields", &facts);
        files::defender(scene.device, at).initiates(&mut row);
    }
}

/// The end of each order. Which events orders leave is not documented; the action types are those of the pages (G).
fn ordered(source: &Source<'_>, sheet: &mut Sheet) {
    let world = source.world;
    for event in world.events() {
        let Happening::ActionTurned { action, status } = &event.what else { continue };
        let action = world.action(*action as usize);
        let device = &world.company.devices[usize::from(action.device)];
        let Some(kind) = left_by(action.kind, *status) else { continue };
        let facts = json!({
            "ActionId": action.id, "ActionType": crate::world::Term::xdr(action.kind),
            "Scope": action.scope, "Comment": action.comment, "Requestor": action.requestor,
        });
        let mut row = sheet.row(event.at);
        device_into(&mut row, device);
        row.text("ActionType", kind).maybe("SHA1", action.file.as_ref()).json("AdditionalFields", &facts);
        files::defender(device, event.at).initiates(&mut row);
        account_into(row.lenient(), &system_account(device.is_windows()), "Account");
    }
}

fn left_by(kind: ActionKind, status: ActionStatus) -> Option<&'static str> {
    Some(match (kind, status) {
        (ActionKind::Scan, ActionStatus::Succeeded) => "AntivirusScanCompleted",
        (ActionKind::Scan, ActionStatus::Cancelled) => "AntivirusScanCancelled",
        (ActionKind::Scan, ActionStatus::Failed | ActionStatus::TimeOut) => "AntivirusScanFailed",
        (ActionKind::Isolate, ActionStatus::Succeeded) => "FirewallOutboundConnectionBlocked",
        (ActionKind::Restrict | ActionKind::Unrestrict, ActionStatus::Succeeded) => "AppControlPolicyApplied",
        (ActionKind::QuarantineFile, ActionStatus::Succeeded) => "AntivirusReport",
        _ => return None,
    })
}

/// When which files (by SHA-1) went into quarantine on a device.
pub(super) fn quarantined(source: &Source<'_>, device: usize) -> Vec<(Ticks, String)> {
    let events = source.world.events().iter();
    let gone = events.filter_map(|event| match &event.what {
        Happening::ActionTurned { action, status: ActionStatus::Succeeded } => {
            let action = source.world.action(*action as usize);
            let is_it = action.kind == ActionKind::QuarantineFile && usize::from(action.device) == device;
            Some((event.at, action.file.clone()?)).filter(|_| is_it)
        }
        _ => None,
    });
    gone.collect()
}

/// A technique and the action type under which a sensor sees it.
const SEEN_AS: &[(&str, &str)] = &[
    ("T1059.001", "PowerShellCommand"),
    ("T1027", "AmsiScriptContent"),
    ("T1003.001", "OpenProcessApiCall"),
    ("T1003.001", "ReadProcessMemoryApiCall"),
    ("T1562.001", "TamperingAttempt"),
    ("T1569.002", "ServiceInstalled"),
    ("T1087.002", "LdapSearch"),
    ("T1189", "SmartScreenUrlWarning"),
    ("T1490", "OtherAlertRelatedActivity"),
    ("T1046", "OtherAlertRelatedActivity"),
];

/// Action type, and what its further facts are about.
const ORDINARY: &[(&str, &str)] = &[
    ("DnsQueryResponse", "dns"),
    ("PowerShellCommand", "script"),
    ("ScheduledTaskUpdated", ""),
    ("BrowserLaunchedToOpenUrl", "dns"),
    ("UsbDriveMounted", "usb"),
    ("PnpDeviceConnected", ""),
    ("AntivirusDefinitionsUpdated", ""),
    ("NamedPipeEvent", ""),
    ("DpapiAccessed", ""),
    ("GetClipboardData", ""),
    ("ShellLinkCreateFileEvent", ""),
];
const EVENTS_PER_HOUR: u64 = 2;
