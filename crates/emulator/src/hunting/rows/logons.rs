//! `DeviceLogonEvents`: people at their devices, failures now and then, and the moves of intruders.

use super::Source;
use crate::{
    hunting::{
        activity::{hours, within},
        actor::{Actor, account_into, device_into, person_account, system_account},
        scene::{Scene, scenes},
        sheet::{Row, Sheet},
    },
    world::{Account, Device, Ticks},
};

pub(super) fn rows(source: &Source<'_>, sheet: &mut Sheet) {
    let company = &source.world.company;
    for hour in hours(source.reach) {
        for number in 0..source.many(LOGONS_PER_HOUR) {
            let mut dice = source.world.dice(&[78, hour.unsigned_abs(), number]);
            let index = dice.below(company.devices.len());
            let (device, at) = (&company.devices[index], within(hour, &mut dice));
            if !source.history.is_heard(index, at) {
                continue;
            }
            let account = person_account(&company.people[device.owner], company.nt_domain);
            let (action, reason) =
                if dice.percent(6) { ("LogonFailed", "InvalidUserNameOrPassword") } else { ("LogonSuccess", "") };
            let kind = *dice.pick(&["Interactive", "Unlock", "Network", "CachedInteractive"]);
            let mut row = sheet.row(at);
            logon(&mut row, device, at, &account, (action, kind, reason));
            row.truth("IsLocalAdmin", dice.percent(5));
        }
    }
    for scene in scenes(source.world) {
        moves(source, sheet, &scene);
    }
}

/// Moves to another device, and attempts at a password.
fn moves(source: &Source<'_>, sheet: &mut Sheet, scene: &Scene<'_>) {
    if !scene.alert.is_on_device() {
        return;
    }
    let account = person_account(scene.person, source.world.company.nt_domain);
    let (count, action, reason) = match (scene.alert.category(), scene.alert.kind.techniques.first()) {
        ("LateralMovement", _) => (1, "LogonSuccess", ""),
        (_, Some(&"T1110.001")) => (12, "LogonFailed", "InvalidUserNameOrPassword"),
        _ => return,
    };
    for attempt in 0..count {
        let at = scene.at().plus_s(-20 + attempt * 3);
        let mut row = sheet.row(at);
        logon(&mut row, scene.device, at, &account, (action, "Network", reason));
        row.text("Protocol", "NTLM")
            .text("RemoteIP", scene.address().unwrap_or("10.21.0.11"))
            .text("RemoteIPType", "Private")
            .whole("RemotePort", 51_000 + attempt)
            .truth("IsLocalAdmin", action == "LogonSuccess");
    }
}

/// Action, type of logon, reason of a failure.
fn logon(row: &mut Row<'_>, device: &Device, at: Ticks, account: &Account, kind: (&str, &str, &str)) {
    device_into(row, device);
    row.text("ActionType", kind.0).text("LogonType", kind.1).text("FailureReason", kind.2);
    row.whole("LogonId", at.0.rem_euclid(1_000_000_000)).text("Protocol", "Kerberos");
    Actor::well_known("lsass.exe", 712, at.plus_s(-80_000), system_account(device.is_windows())).initiates(row);
    account_into(row, account, "Account");
}

const LOGONS_PER_HOUR: u64 = 1;
