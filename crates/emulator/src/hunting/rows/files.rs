//! Files, loaded libraries, registry values and certificates on devices.

use super::Source;
use crate::{
    hunting::{
        activity::{Activity, STARTS_PER_HOUR, filled, hours, of_hour},
        actor::{Actor, device_into, file_into, full_path},
        programs::{odd_text, of_platform},
        scene::{Scene, scenes},
        sheet::Sheet,
    },
    world::{Clue, Device, Dice, FileFacts, Ticks, vendor_file},
};

pub(super) fn rows(source: &Source<'_>, sheet: &mut Sheet) {
    each_activity(source, FILES_PER_HOUR, 74, |activity, dice, at| {
        let path = filled(activity.program.writes, activity.person, dice);
        let separator = if path.contains('/') { '/' } else { '\\' };
        let (folder, name) = path.rsplit_once(separator).unwrap_or(("", &path));
        let name = if dice.percent(2) { odd_text(dice) } else { name };
        let file = FileFacts {
            name: name.to_owned(),
            path: folder.to_owned(),
            sha1: Some(dice.hex(40)),
            sha256: Some(dice.hex(64)),
            md5: Some(dice.hex(32)),
            size: dice.between(200, 4_000_000),
            publisher: None,
        };
        let action =
            *dice.pick(&["FileCreated", "FileCreated", "FileModified", "FileModified", "FileRenamed", "FileDeleted"]);
        let origin = (activity.program.file == "msedge.exe").then_some("https://www.harbournews.example/files");
        let mut row = sheet.row(at);
        device_into(&mut row, activity.device);
        file_into(&mut row, &file, "");
        row.text("ActionType", action).text("FolderPath", full_path(&file)).maybe("FileOriginUrl", origin);
        if action == "FileRenamed" {
            row.text("PreviousFileName", format!("~{}.tmp", &file.md5.unwrap_or_default()[..8]));
            row.text("PreviousFolderPath", &file.path);
        }
        row.truth("IsAzureInfoProtectionApplied", false);
        activity.actor.initiates(&mut row);
    });
    for scene in scenes(source.world) {
        dropped(source, sheet, &scene);
    }
}

/// The file of an alert: it comes shortly before it runs, and goes when it is put into quarantine.
fn dropped(source: &Source<'_>, sheet: &mut Sheet, scene: &Scene<'_>) {
    let Some(file) = scene.file().filter(|_| scene.alert.is_on_device()) else { return };
    let writer = Actor::well_known(
        if scene.url().is_some() { "msedge.exe" } else { "cmd.exe" },
        5_000 + scene.at().0 % 1_000,
        scene.at().plus_s(-1_800),
        scene.actor().account,
    );
    let mut row = sheet.row(scene.at().plus_s(-15));
    device_into(&mut row, scene.device);
    file_into(&mut row, file, "");
    row.text("ActionType", "FileCreated")
        .text("FolderPath", full_path(file))
        .maybe("FileOriginUrl", scene.url())
        .maybe("FileOriginIP", scene.address());
    writer.initiates(&mut row);
    drop(row);
    let quarantined = super::events::quarantined(source, scene.index);
    let gone = quarantined.iter().find(|(_, sha1)| Some(sha1) == file.sha1.as_ref());
    if let Some((at, _)) = gone {
        let mut row = sheet.row(*at);
        device_into(&mut row, scene.device);
        file_into(&mut row, file, "");
        row.text("ActionType", "FileDeleted").text("FolderPath", full_path(file));
        defender(scene.device, *at).initiates(&mut row);
    }
}

/// The antivirus service of the device.
pub(super) fn defender(device: &Device, at: Ticks) -> Actor {
    let account = crate::hunting::actor::system_account(device.is_windows());
    let mut actor = Actor::well_known("MsMpEng.exe", 3_104, at.plus_s(-40_000), account);
    actor.image = vendor_file(
        "MsMpEng.exe",
        "C:\\ProgramData\\Microsoft\\Windows Defender\\Platform",
        139_000,
        "Microsoft Corporation",
    );
    "services.exe".clone_into(&mut actor.parent);
    actor
}

pub(super) fn images(source: &Source<'_>, sheet: &mut Sheet) {
    each_activity(source, IMAGES_PER_HOUR, 75, |activity, dice, at| {
        if !activity.device.is_windows() {
            return;
        }
        let (name, size) = *dice.pick(LIBRARIES);
        image(
            sheet,
            activity.device,
            at,
            &activity.actor,
            &vendor_file(name, "C:\\Windows\\System32", size, "Microsoft Corporation"),
        );
    });
    for scene in scenes(source.world).iter().filter(|scene| scene.process().is_some()) {
        for (index, (name, size)) in LIBRARIES.iter().enumerate().take(3) {
            let at = Ticks(scene.at().0 + 1_000_000 * (1 + i64::try_from(index).unwrap_or(0)));
            let library = vendor_file(name, "C:\\Windows\\System32", *size, "Microsoft Corporation");
            image(sheet, scene.device, at, &scene.actor(), &library);
        }
    }
}

fn image(sheet: &mut Sheet, device: &Device, at: Ticks, actor: &Actor, library: &FileFacts) {
    let mut row = sheet.row(at);
    device_into(&mut row, device);
    file_into(&mut row, library, "");
    row.text("ActionType", "ImageLoaded").text("FolderPath", full_path(library));
    actor.initiates(&mut row);
}

pub(super) fn registry(source: &Source<'_>, sheet: &mut Sheet) {
    each_activity(source, REGISTRY_PER_HOUR, 76, |activity, dice, at| {
        if !activity.device.is_windows() {
            return;
        }
        let (key, name, data) = *dice.pick(SETTINGS);
        let data = if dice.percent(3) { odd_text(dice).to_owned() } else { filled(data, activity.person, dice) };
        let mut row = sheet.row(at);
        device_into(&mut row, activity.device);
        row.text("ActionType", "RegistryValueSet")
            .text("RegistryKey", key)
            .text("RegistryValueName", name)
            .text("RegistryValueType", "String")
            .text("RegistryValueData", data);
        activity.actor.initiates(&mut row);
    });
    for scene in scenes(source.world) {
        for evidence in &scene.evidence {
            if let Clue::RegistryValue { hive, key, name, value, .. } = &evidence.clue {
                let mut row = sheet.row(scene.at().plus_s(2));
                device_into(&mut row, scene.device);
                row.text("ActionType", "RegistryValueSet")
                    .text("RegistryKey", format!("{hive}\\{key}"))
                    .text("RegistryValueName", name)
                    .text("RegistryValueType", "String")
                    .text("RegistryValueData", value);
                scene.actor().initiates(&mut row);
            }
        }
    }
}

/// The programs of people carry a certificate; each device reports it when it first runs the program.
pub(super) fn certificates(source: &Source<'_>, sheet: &mut Sheet) {
    let day = Ticks::of_day(1).0;
    for (index, device) in source.world.company.devices.iter().enumerate() {
        let programs = of_platform(device.os_platform);
        for program in programs.iter().filter(|program| program.is_personal) {
            let mut dice = source.world.dice(&[77, index as u64, program.size.unsigned_abs()]);
            let at = Ticks(source.reach.from.0 / day * day + dice.between(0, day));
            let file = program.facts();
            let mut row = sheet.row(at.max(source.reach.from));
            device_into(&mut row, device);
            row.maybe("SHA1", file.sha1.as_ref())
                .truth("IsSigned", true)
                .text("SignatureType", "Embedded")
                .text("Signer", program.publisher)
                .text("SignerHash", crate::world::file_standing(&file).signer_hash)
                .text("Issuer", format!("{} Code Signing", program.publisher))
                .truth("IsTrusted", true)
                .truth("IsRootSignerMicrosoft", program.publisher.starts_with("Microsoft"));
        }
    }
}

/// Calls `row` for so many programs of each hour, with draws and a moment of their own.
pub(super) fn each_activity(
    source: &Source<'_>,
    per_hour: u64,
    stream: u64,
    mut row: impl FnMut(&Activity<'_>, &mut Dice, Ticks),
) {
    for hour in hours(source.reach) {
        for number in 0..source.many(per_hour) {
            let starter = number % source.many(STARTS_PER_HOUR);
            let Some(activity) = of_hour(source.world, &source.history, hour, starter) else { continue };
            let mut dice = source.world.dice(&[stream, hour.unsigned_abs(), number]);
            let at = activity.later(&mut dice);
            if source.history.is_heard(activity.index, at) {
                row(&activity, &mut dice, at);
            }
        }
    }
}

const LIBRARIES: &[(&str, i64)] = &[
    ("ntdll.dll", 2_160_000),
    ("kernel32.dll", 800_000),
    ("amsi.dll", 118_000),
    ("samlib.dll", 164_000),
    ("winhttp.dll", 1_100_000),
    ("vaultcli.dll", 320_000),
];

/// Key, value name, data.
const SETTINGS: &[(&str, &str, &str)] = &[
    (
        "HKEY_CURRENT_USER\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Run",
        "TeamsUpdate",
        "C:\\Users\\{user}\\AppData\\Local\\teams.exe --background",
    ),
    ("HKEY_LOCAL_MACHINE\\SOFTWARE\\Inventory", "LastRun", "{n}"),
    (
        "HKEY_CURRENT_USER\\SOFTWARE\\Microsoft\\Office\\16.0\\Common",
        "LastFile",
        "C:\\Users\\{user}\\Documents\\draft{n}.docx",
    ),
    ("HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Services\\Tcpip\\Parameters", "DhcpDomain", "corp"),
];
const FILES_PER_HOUR: u64 = 2;
const IMAGES_PER_HOUR: u64 = 1;
const REGISTRY_PER_HOUR: u64 = 1;
