//! `CloudAppEvents`: what people and apps do in the cloud, and what analysts order in the portal or through its APIs.

use serde_json::{Value, json};

use super::Source;
use crate::{
    hunting::{
        activity::{hours, within},
        scene::{Scene, scenes},
        sheet::{Row, Sheet},
    },
    world::{ActionKind, Clue, Happening, Person, Term},
};

pub(super) fn rows(source: &Source<'_>, sheet: &mut Sheet) {
    let company = &source.world.company;
    for hour in hours(source.reach) {
        for number in 0..source.many(DEEDS_PER_HOUR) {
            let mut dice = source.world.dice(&[86, hour.unsigned_abs(), number]);
            let person = &company.people[dice.below(company.people.len())];
            let (action, application, app_id, object) = *dice.pick(ORDINARY);
            let mut row = sheet.row(within(hour, &mut dice));
            person_into(&mut row, person);
            place_into(&mut row, "203.0.113.7", "NO", "Halden");
            row.text("ActionType", action)
                .text("Application", application)
                .whole("ApplicationId", app_id)
                .text("ObjectName", object)
                .text("ObjectType", "File")
                .json("RawEventData", &json!({ "Operation": action, "Workload": application, "UserId": person.upn }));
        }
    }
    for scene in scenes(source.world) {
        intruding(sheet, &scene);
    }
    ordered(source, sheet);
    shut_out(source, sheet);
}

fn intruding(sheet: &mut Sheet, scene: &Scene<'_>) {
    let in_cloud = |clue: &Clue<'_>| {
        matches!(clue, Clue::CloudApp { .. } | Clue::OauthApp { .. } | Clue::MailboxRule { .. } | Clue::Mailbox(_))
    };
    if scene.message().is_some() || !scene.evidence.iter().any(|evidence| in_cloud(&evidence.clue)) {
        return;
    }
    let techniques = scene.alert.kind.techniques;
    let action =
        SEEN_AS.iter().find(|(technique, _)| techniques.contains(technique)).map_or("FileDownloaded", |seen| seen.1);
    let app = scene.evidence.iter().find_map(|evidence| match &evidence.clue {
        Clue::OauthApp { name, app_id, .. } => Some((*name, app_id.clone())),
        _ => None,
    });
    let raw =
        json!({ "Operation": action, "UserId": scene.person.upn, "AppAccessContext": app.as_ref().map(|app| &app.1) });
    let mut row = sheet.row(scene.alert.first_activity);
    person_into(&mut row, scene.person);
    let (address, country, city) = scene.place().unwrap_or(("203.0.113.7", "NO", "Halden"));
    place_into(&mut row, address, country, city);
    row.text("ActionType", action)
        .text("Application", "Microsoft Exchange Online")
        .whole("ApplicationId", 20_893)
        .maybe("ObjectName", app.as_ref().map(|app| app.0))
        .maybe("OAuthAppId", app.as_ref().map(|app| &app.1))
        .json("RawEventData", &raw);
}

/// Orders to devices, as the portal's audit writes them, at the moment when they were given.
fn ordered(source: &Source<'_>, sheet: &mut Sheet) {
    let world = source.world;
    for event in world.events() {
        let Happening::ActionRequested { action } = &event.what else { continue };
        let action = world.action(*action as usize);
        let device = &world.company.devices[usize::from(action.device)];
        let Some(word) = audited_as(action.kind) else { continue };
        let raw = json!({
            "Operation": word, "Workload": "Microsoft365Defender", "UserId": action.requestor,
            "DeviceName": device.dns_name, "MachineId": device.machine_id, "ActionId": action.id,
            "ActionComment": action.comment, "ActionScope": action.scope, "RequestType": action.kind.xdr(),
        });
        let mut row = sheet.row(event.at);
        row.text("ActionType", word)
            .text("Application", "Microsoft 365")
            .whole("ApplicationId", 11_161)
            .text("AccountDisplayName", &action.requestor)
            .text("AccountType", "Regular")
            .truth("IsAdminOperation", true)
            .text("ObjectName", &device.dns_name)
            .text("ObjectType", "Machine")
            .text("ObjectId", &device.machine_id)
            .json("RawEventData", &raw);
    }
}

/// Orders to accounts, as the directory's audit writes them.
fn shut_out(source: &Source<'_>, sheet: &mut Sheet) {
    let world = source.world;
    for event in world.events() {
        let (account, word, by) = match &event.what {
            Happening::AccountSwitched { account, enabled: true, by } => (account, "Enable account.", by),
            Happening::AccountSwitched { account, enabled: false, by } => (account, "Disable account.", by),
            Happening::SessionsRevoked { account, by } => (account, "Update StsRefreshTokenValidFrom Timestamp.", by),
            _ => continue,
        };
        let known = world.company.people.iter().find(|person| person.object_id == *account);
        let upn = known.map_or("", |person| &person.upn);
        let raw = json!({
            "Operation": word, "Workload": "AzureActiveDirectory", "UserId": by, "ObjectId": upn, "Target": account,
        });
        let mut row = sheet.row(event.at);
        row.text("ActionType", word)
            .text("Application", "Microsoft 365")
            .whole("ApplicationId", 11_161)
            .text("AccountDisplayName", by)
            .text("AccountType", "Application")
            .truth("IsAdminOperation", true)
            .text("ObjectName", upn)
            .text("ObjectType", "User")
            .text("ObjectId", account)
            .json("RawEventData", &raw);
    }
}

fn audited_as(kind: ActionKind) -> Option<&'static str> {
    Some(match kind {
        ActionKind::Isolate => "IsolateDevice",
        ActionKind::Unisolate => "ReleaseFromIsolation",
        ActionKind::Scan => "RunAntiVirusScan",
        ActionKind::Restrict => "RestrictAppExecution",
        ActionKind::Unrestrict => "RemoveAppRestrictions",
        ActionKind::QuarantineFile => "StopAndQuarantineFile",
        ActionKind::CollectPackage => "LogsCollection",
        ActionKind::LiveResponse => "LiveResponseGetFile",
        ActionKind::Offboard => "DownloadOffboardingPkg",
    })
}

/// The apps that alerts are about.
pub(super) fn apps(source: &Source<'_>, sheet: &mut Sheet) {
    let mut known: Vec<String> = Vec::new();
    for scene in scenes(source.world) {
        for evidence in &scene.evidence {
            let Clue::OauthApp { name, app_id, object_id, publisher } = &evidence.clue else { continue };
            if known.contains(app_id) {
                continue;
            }
            known.push(app_id.clone());
            sheet
                .row(scene.alert.created)
                .text("OAuthAppId", app_id)
                .text("ServicePrincipalId", object_id)
                .text("AppName", name)
                .instant("AddedOnTime", scene.alert.first_activity)
                .instant("LastModifiedTime", scene.alert.last_activity)
                .instant("LastUsedTime", scene.alert.last_activity)
                .text("AppStatus", "Enabled")
                .json("VerifiedPublisher", &json!({ "DisplayName": publisher, "Verified": false }))
                .text("PrivilegeLevel", "High")
                .json(
                    "Permissions",
                    &json!([{ "PermissionValue": "Mail.Read" }, { "PermissionValue": "Files.Read.All" }]),
                )
                .whole("ConsentedUsersCount", 1)
                .truth("IsAdminConsented", false)
                .text("AppOrigin", "External");
        }
    }
}

fn person_into(row: &mut Row<'_>, person: &Person) {
    row.text("AccountObjectId", &person.object_id)
        .text("AccountId", &person.object_id)
        .text("AccountDisplayName", &person.display_name)
        .text("AccountType", "Regular")
        .truth("IsAdminOperation", false)
        .truth("IsExternalUser", false)
        .truth("IsImpersonated", false);
}

fn place_into(row: &mut Row<'_>, address: &str, country: &str, city: &str) {
    let is_known = country == "NO";
    let uncommon: Value = if is_known { json!([]) } else { json!(["CountryCode", "ISP", "IPAddress"]) };
    row.text("IPAddress", address)
        .text("CountryCode", country)
        .text("City", city)
        .truth("IsAnonymousProxy", !is_known)
        .json("UncommonForUser", &uncommon)
        .text("UserAgent", if is_known { "Mozilla/5.0 Edg/141.0" } else { "python-requests/2.32" });
}

/// A technique and the action type under which it shows.
const SEEN_AS: &[(&str, &str)] = &[
    ("T1564.008", "New-InboxRule"),
    ("T1528", "Consent to application."),
    ("T1114.002", "MailItemsAccessed"),
    ("T1098.001", "Add service principal credentials."),
    ("T1078", "MailItemsAccessed"),
];

/// Action type, application, its number, object.
const ORDINARY: &[(&str, &str, i64, &str)] = &[
    ("FileDownloaded", "Microsoft SharePoint Online", 20_892, "Berth plan.xlsx"),
    ("FileUploaded", "Microsoft SharePoint Online", 20_892, "Minutes.docx"),
    ("FilePreviewed", "Microsoft OneDrive for Business", 15_600, "figures.xlsx"),
    ("MailItemsAccessed", "Microsoft Exchange Online", 20_893, ""),
    ("Send", "Microsoft Exchange Online", 20_893, ""),
    ("MessageSent", "Microsoft Teams", 28_375, ""),
    ("Update user.", "Office 365", 11_161, ""),
];
const DEEDS_PER_HOUR: u64 = 1;
