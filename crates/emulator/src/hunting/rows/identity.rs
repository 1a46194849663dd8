//! People: who they are, where they sign in, what the domain controllers see of them.

use serde_json::json;

use super::Source;
use crate::{
    hunting::{
        activity::{hours, within},
        scene::{Scene, scenes},
        sheet::{Row, Sheet},
    },
    world::{Clue, Dice, Person, Ticks},
};

/// A full record of each person a day (the page says every hour).
pub(super) fn people(source: &Source<'_>, sheet: &mut Sheet) {
    let company = &source.world.company;
    let day = Ticks::of_day(1).0;
    for (index, person) in company.people.iter().enumerate() {
        let mut dice = source.world.dice(&[81, index as u64]);
        let (given, family) = person.display_name.split_once(' ').unwrap_or((&person.display_name, ""));
        let of_day = dice.between(0, day);
        let created = source.reach.from.plus_s(-dice.between(100, 3_000) * 86_400);
        let is_admin = index % 15 == 5;
        let mut at = Ticks(source.reach.from.0.div_euclid(day) * day + of_day);
        while at <= source.reach.to {
            sheet
                .row(at)
                .text("AccountObjectId", &person.object_id)
                .text("IdentityId", &person.object_id)
                .text("AccountUpn", &person.upn)
                .text("OnPremSid", &person.sid)
                .text("OnPremObjectId", &person.ad_guid)
                .text("AccountDisplayName", &person.display_name)
                .text("AccountName", &person.account)
                .text("AccountDomain", company.domain)
                .text("Type", "User")
                .text("DistinguishedName", format!("CN={},OU={},DC=corp", person.display_name, person.department))
                .text("GivenName", given)
                .text("Surname", family)
                .text("Department", person.department)
                .text("JobTitle", if is_admin { "Administrator" } else { "Employee" })
                .text("EmailAddress", &person.upn)
                .text("City", "Halden")
                .text("Country", "NO")
                .truth("IsAccountEnabled", source.world.account_was_enabled(&person.object_id, at))
                .instant("CreatedDateTime", created)
                .text("SourceProvider", "AzureActiveDirectory")
                .json("SourceProviders", &json!(["AzureActiveDirectory", "ActiveDirectory"]))
                .json("Tags", &if is_admin { json!(["Sensitive"]) } else { json!([]) })
                .json("AssignedRoles", &if is_admin { json!(["Security Administrator"]) } else { json!([]) })
                .json("GroupMembership", &json!([person.department]))
                .text("TenantId", &source.world.tenant)
                .text("CompanyName", company.name)
                .text("EmployeeId", (10_000 + index).to_string())
                .text("BlastRadius", if is_admin { "High" } else { "Low" })
                .text("TenantMembershipType", "Member")
                .text("IdentityEnvironment", "Hybrid")
                .text("SourceSystem", "Azure");
            at = Ticks(at.0 + day);
        }
    }
}

/// One sign-in to the cloud.
struct SignIn<'w> {
    at: Ticks,
    person: &'w Person,
    address: String,
    country: &'static str,
    city: &'static str,
    error: i64,
    /// 0 none, 10 low, 50 medium, 100 high: as the table writes them.
    risk: i64,
    session: String,
    application: (&'static str, &'static str),
    device: Option<(String, String)>,
}

pub(super) fn sign_ins(source: &Source<'_>, sheet: &mut Sheet) {
    for sign_in in all_sign_ins(source) {
        let device_column = "EntraIdDeviceId";
        let mut row = sheet.row(sign_in.at);
        sign_in_into(&mut row, &sign_in);
        row.maybe(device_column, sign_in.device.as_ref().map(|(id, _)| id));
        row.text("TokenIssuerType", "AzureAD").whole("RiskLevelDuringSignIn", sign_in.risk);
    }
}

/// The same sign-ins under the name that the table had before.
pub(super) fn old_sign_ins(source: &Source<'_>, sheet: &mut Sheet) {
    for sign_in in all_sign_ins(source) {
        let mut row = sheet.row(sign_in.at);
        sign_in_into(row.lenient(), &sign_in);
        row.maybe("AadDeviceId", sign_in.device.as_ref().map(|(id, _)| id));
    }
}

fn sign_in_into(row: &mut Row<'_>, sign_in: &SignIn<'_>) {
    let person = sign_in.person;
    let mut dice = Dice::new(&[sign_in.at.0.unsigned_abs(), 82]);
    row.text("Application", sign_in.application.0)
        .text("ApplicationId", sign_in.application.1)
        .text("LogonType", "[\"interactiveUser\"]")
        .whole("ErrorCode", sign_in.error)
        .text("CorrelationId", dice.guid())
        .text("SessionId", &sign_in.session)
        .text("AccountDisplayName", &person.display_name)
        .text("AccountObjectId", &person.object_id)
        .text("AccountUpn", &person.upn)
        .whole("IsExternalUser", 0)
        .truth("IsGuestUser", false)
        .text("ResourceDisplayName", "Microsoft Graph")
        .text("ResourceId", "00000003-0000-0000-c000-000000000000")
        .maybe("DeviceName", sign_in.device.as_ref().map(|(_, name)| name))
        .text("OSPlatform", if sign_in.device.is_some() { "Windows" } else { "Linux" })
        .whole("IsManaged", i64::from(sign_in.device.is_some()))
        .whole("IsCompliant", i64::from(sign_in.device.is_some()))
        .text(
            "AuthenticationRequirement",
            if sign_in.risk > 0 { "singleFactorAuthentication" } else { "multiFactorAuthentication" },
        )
        .whole("RiskLevelAggregated", sign_in.risk)
        .whole("RiskState", if sign_in.risk > 0 { 1 } else { 0 })
        .text("UserAgent", if sign_in.device.is_some() { EDGE } else { "python-requests/2.32" })
        .text("ClientAppUsed", "Browser")
        .text("Browser", if sign_in.device.is_some() { "Edge 141.0" } else { "" })
        .whole("ConditionalAccessStatus", i64::from(sign_in.error != 0))
        .text("IPAddress", &sign_in.address)
        .text("Country", sign_in.country)
        .text("City", sign_in.city)
        .text("RequestId", dice.guid())
        .text("UniqueTokenId", dice.hex(22));
}

fn all_sign_ins<'w>(source: &Source<'w>) -> Vec<SignIn<'w>> {
    let company = &source.world.company;
    let mut all = Vec::new();
    for hour in hours(source.reach) {
        for number in 0..source.many(SIGN_INS_PER_HOUR) {
            let mut dice = source.world.dice(&[83, hour.unsigned_abs(), number]);
            let index = dice.below(company.people.len());
            let device = company.devices.iter().find(|device| device.owner == index && !device.is_server);
            all.push(SignIn {
                at: within(hour, &mut dice),
                person: &company.people[index],
                address: "203.0.113.7".to_owned(),
                country: "NO",
                city: "Halden",
                error: if dice.percent(7) { 50_126 } else { 0 },
                risk: 0,
                session: dice.guid(),
                application: *dice.pick(APPLICATIONS),
                device: device.map(|device| (device.aad_device_id.clone(), device.dns_name.clone())),
            });
        }
    }
    all.extend(scenes(source.world).iter().filter_map(risky));
    all
}

/// The sign-in of an alert that is about an account in the cloud.
fn risky<'w>(scene: &Scene<'w>) -> Option<SignIn<'w>> {
    let (address, country, city) = scene.place()?;
    if scene.alert.is_on_device() {
        return None;
    }
    let session = scene.evidence.iter().find_map(|evidence| match &evidence.clue {
        Clue::Session { id, .. } => Some(id.clone()),
        _ => None,
    });
    Some(SignIn {
        at: scene.alert.first_activity,
        person: scene.person,
        address: address.to_owned(),
        country,
        city,
        error: 0,
        risk: if scene.alert.is_real() { 100 } else { 50 },
        session: session.unwrap_or_else(|| Dice::new(&[scene.alert.seed, 84]).guid()),
        application: APPLICATIONS[0],
        device: None,
    })
}

/// Sign-ins that the domain controllers saw.
pub(super) fn logons(source: &Source<'_>, sheet: &mut Sheet) {
    let company = &source.world.company;
    for hour in hours(source.reach) {
        for number in 0..source.many(LOGONS_PER_HOUR) {
            let mut dice = source.world.dice(&[85, hour.unsigned_abs(), number]);
            let device = &company.devices[dice.below(company.devices.len())];
            let failed = dice.percent(8);
            let mut row = sheet.row(within(hour, &mut dice));
            account_into(&mut row, source, &company.people[device.owner]);
            row.text("ActionType", if failed { "LogonFailed" } else { "LogonSuccess" })
                .text("Application", "Active Directory")
                .text("LogonType", "Credentials validation")
                .text("Protocol", dice.pick(&["Kerberos", "Ntlm"]))
                .text("FailureReason", if failed { "WrongPassword" } else { "" })
                .text("DeviceName", &device.dns_name)
                .text("OSPlatform", device.os_platform)
                .text("IPAddress", &device.ip)
                .maybe("DestinationDeviceName", controller(source));
        }
    }
    for scene in scenes(source.world) {
        let techniques = scene.alert.kind.techniques;
        let failed = techniques.contains(&"T1110.001");
        if !(failed || techniques.contains(&"T1550.002") || techniques.contains(&"T1558.003")) {
            continue;
        }
        for attempt in 0..if failed { 12 } else { 1 } {
            let mut row = sheet.row(scene.alert.first_activity.plus_s(attempt * 2));
            account_into(&mut row, source, scene.person);
            row.text("ActionType", if failed { "LogonFailed" } else { "LogonSuccess" })
                .text("Application", "Active Directory")
                .text("LogonType", "Resource access")
                .text("Protocol", if techniques.contains(&"T1550.002") { "Ntlm" } else { "Kerberos" })
                .text("FailureReason", if failed { "WrongPassword" } else { "" })
                .text("DeviceName", &scene.device.dns_name)
                .text("IPAddress", &scene.device.ip)
                .maybe("DestinationDeviceName", controller(source));
        }
    }
}

/// Questions to the domain controllers: those that an alert is about.
pub(super) fn queries(source: &Source<'_>, sheet: &mut Sheet) {
    for scene in scenes(source.world) {
        if !scene.alert.kind.techniques.contains(&"T1087.002") {
            continue;
        }
        for (step, target) in (0..).zip(["Domain Admins", "Enterprise Admins", "Backup Operators", "Schema Admins"]) {
            let mut row = sheet.row(scene.at().plus_s(step * 4));
            account_into(&mut row, source, scene.person);
            row.text("ActionType", "SAMR query")
                .text("Application", "Active Directory")
                .text("QueryType", "QueryGroup")
                .text("QueryTarget", target)
                .text("Protocol", "Samr")
                .text("DeviceName", &scene.device.dns_name)
                .text("IPAddress", &scene.device.ip)
                .maybe("DestinationDeviceName", controller(source));
        }
    }
}

/// Changes in the directory: groups that intruders joined.
pub(super) fn directory(source: &Source<'_>, sheet: &mut Sheet) {
    for scene in scenes(source.world) {
        for evidence in &scene.evidence {
            let Clue::Group { name, sid, .. } = &evidence.clue else { continue };
            if !scene.alert.kind.techniques.contains(&"T1098") {
                continue;
            }
            let mut row = sheet.row(scene.alert.first_activity);
            account_into(&mut row, source, scene.person);
            row.text("ActionType", "Group Membership changed")
                .text("Application", "Active Directory")
                .text("TargetAccountUpn", &scene.person.upn)
                .text("TargetAccountDisplayName", &scene.person.display_name)
                .text("DeviceName", &scene.device.dns_name)
                .text("IPAddress", &scene.device.ip)
                .json("AdditionalFields", &json!({ "TO.GROUP": name, "TO.GROUP.SID": sid }))
                .maybe("DestinationDeviceName", controller(source));
        }
    }
}

fn account_into(row: &mut Row<'_>, source: &Source<'_>, person: &Person) {
    row.text("AccountName", &person.account)
        .text("AccountDomain", source.world.company.nt_domain)
        .text("AccountUpn", &person.upn)
        .text("AccountSid", &person.sid)
        .text("AccountObjectId", &person.object_id)
        .text("AccountDisplayName", &person.display_name);
}

fn controller<'w>(source: &Source<'w>) -> Option<&'w str> {
    let devices = &source.world.company.devices;
    devices.iter().find(|device| device.group_name == "Domain controllers").map(|device| device.dns_name.as_str())
}

const APPLICATIONS: &[(&str, &str)] = &[
    ("Office 365 Exchange Online", "00000002-0000-0ff1-ce00-000000000000"),
    ("Microsoft Teams", "1fec8e78-bce4-4aaf-ab1b-5451cc387264"),
    ("Office 365 SharePoint Online", "00000003-0000-0ff1-ce00-000000000000"),
];
const EDGE: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/141.0 Safari/537.36 Edg/141.0";
const SIGN_INS_PER_HOUR: u64 = 1;
const LOGONS_PER_HOUR: u64 = 1;
