//! Machines: lists, one, searches by address and tag, tags and value.

use axum::{body::Bytes, extract::Path, response::Response};
use http::StatusCode;
use serde_json::{Value, json};

use super::{
    call::{Answer, Call, Door, Head, List, Refusal, TOP_MAX, by, shown, usual},
    view::{is_device_value, machine_json},
};
use crate::{
    odata::Kind,
    world::{Device, DeviceHealth, DeviceValue, Severity, Term, Ticks, World},
    xdr::answer,
};

pub(super) async fn list(head: Head) -> Answer {
    let call = head.admit(&LIST)?;
    let machines = call.with_world(|world| {
        let recent = world.now().plus_s(-RECENT_S);
        let seen = world.company.devices.iter().filter(|device| device.last_seen(world.now()) >= recent);
        seen.map(|device| machine_json(world, device)).collect::<Vec<_>>()
    });
    if machines.is_empty() {
        // Documented: not an empty list.
        let nothing = answer::error(&call.app, StatusCode::NOT_FOUND, "NotFound", "No recent machines were found");
        return Err(Refusal::of(nothing));
    }
    call.list(&MACHINES, machines)
}

pub(super) async fn one(Path(id): Path<String>, head: Head) -> Answer {
    let call = head.admit(&ONE)?;
    let found = call.with_world(|world| {
        let index = world.device_named(&id)?;
        Some(machine_json(world, &world.company.devices[index]))
    });
    let machine = found.ok_or_else(|| call.not_found("Machine", &id))?;
    Ok(call.entity(StatusCode::OK, "Machine", machine))
}

/// People who signed in on a device: its owner each day, and those whom alerts show there.
pub(super) async fn logon_users(Path(id): Path<String>, head: Head) -> Answer {
    let call = head.admit(&LOGON_USERS)?;
    let index = call.device(&id)?;
    let users = call.with_world(|world| {
        let device = &world.company.devices[index];
        let last_seen = device.last_seen(world.now());
        let people = world.people_on(index).into_iter().map(|person| {
            let owner = &world.company.people[person];
            json!({
                "id": format!("{}\\{}", world.company.nt_domain.to_lowercase(), owner.account),
                "accountName": owner.account,
                "accountDomain": world.company.nt_domain.to_lowercase(),
                "firstSeen": device.first_seen.to_string(),
                "lastSeen": last_seen.to_string(),
                "logonTypes": if person == device.owner { "Interactive" } else { "Network" },
                "isDomainAdmin": owner.department == "IT",
                "isOnlyNetworkUser": person != device.owner,
            })
        });
        people.collect()
    });
    Ok(call.collection("Users", users))
}

/// `findbyip(ip='10.1.2.3',timestamp=2026-11-22T08:00:00Z)`; the dispatcher has taken the first quotes away.
pub(super) async fn find_by_ip(Path(key): Path<String>, head: Head) -> Answer {
    let call = head.admit(&FIND_BY_IP)?;
    let read = key.strip_prefix("ip=").and_then(|rest| rest.split_once(','));
    let (ip, rest) = read.ok_or_else(|| call.missing("timestamp"))?;
    let ip = ip.trim().trim_matches('\'');
    if ip.parse::<std::net::IpAddr>().is_err() {
        return Err(call.bad("InvalidIpAddress", &format!("'{ip}' is not an IP address")));
    }
    let timestamp = rest.trim().strip_prefix("timestamp=").ok_or_else(|| call.missing("timestamp"))?;
    let at: jiff::Timestamp = timestamp.trim_matches('\'').parse().map_err(|_| call.invalid("timestamp"))?;
    let now = Ticks::from(call.app.clock.now());
    let at = Ticks::from(at);
    if at > now || at < now.plus_s(-RECENT_S) {
        return Err(call.bad("InvalidInput", "The timestamp must lie within the past 30 days"));
    }
    // Fifteen minutes on both sides are documented; here a device keeps its address as long as it is there.
    Ok(matching(&call, |_, device| {
        device.ip == ip
            && device.first_seen <= at.plus_s(900)
            && device.last_seen(now).plus_s(86_400) >= at.plus_s(-900)
    }))
}

pub(super) async fn find_by_tag(head: Head) -> Answer {
    let call = head.admit(&FIND_BY_TAG)?;
    let option = |name: &str| {
        let mut options = url::form_urlencoded::parse(call.query.as_bytes());
        options.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.into_owned())
    };
    let tag = option("tag").filter(|tag| !tag.is_empty()).ok_or_else(|| call.missing("tag"))?;
    let by_start = option("useStartsWithFilter").is_some_and(|flag| flag.eq_ignore_ascii_case("true"));
    let has = |known: &str| if by_start { known.starts_with(&tag) } else { known == tag };
    Ok(matching(&call, |_, device| device.state.tags.iter().any(|known| has(known))))
}

pub(super) async fn tag(Path(id): Path<String>, head: Head, body: Bytes) -> Answer {
    let call = head.admit(&TAG)?;
    let index = call.device(&id)?;
    let fields = call.body(&body, &["Value", "Action"])?;
    let value = fields.required("Value")?;
    let action = fields.word("Action", TAG_ACTIONS)?.ok_or_else(|| call.missing("Action"))?;
    Ok(changed(&call, index, |world| world.tag_device(index, &value, action == "Add", &call.caller.display_name)))
}

pub(super) async fn tag_many(head: Head, body: Bytes) -> Answer {
    let call = head.admit(&TAG_MANY)?;
    let fields = call.body(&body, &["Value", "Action", "MachineIds"])?;
    let value = fields.required("Value")?;
    let action = fields.word("Action", TAG_ACTIONS)?.ok_or_else(|| call.missing("Action"))?;
    let ids = fields.texts("MachineIds")?;
    if ids.is_empty() {
        return Err(call.missing("MachineIds"));
    }
    if ids.len() > BULK_MAX {
        let message = format!("Received {} machine ids, the maximum is {BULK_MAX}", ids.len());
        return Err(call.bad("MaximumBatchSizeExceeded", &message));
    }
    let indices = ids.iter().map(|id| call.device(id)).collect::<Result<Vec<_>, _>>()?;
    let machines = call.with_world(|world| {
        for index in &indices {
            world.tag_device(*index, &value, action == "Add", &call.caller.display_name);
        }
        indices.iter().map(|index| machine_json(world, &world.company.devices[*index])).collect()
    });
    // The page does not show the answer: a collection of the changed machines (G).
    Ok(call.collection("Machines", machines))
}

pub(super) async fn set_value(Path(id): Path<String>, head: Head, body: Bytes) -> Answer {
    let call = head.admit(&SET_VALUE)?;
    let index = call.device(&id)?;
    let fields = call.body(&body, &["DeviceValue"])?;
    let word = fields.required("DeviceValue")?;
    let value = DeviceValue::parse(&word).ok_or_else(|| call.invalid("DeviceValue"))?;
    Ok(changed(&call, index, |world| world.value_device(index, value, &call.caller.display_name)))
}

fn changed(call: &Call, index: usize, change: impl FnOnce(&mut World)) -> Response {
    let machine = call.with_world(|world| {
        change(world);
        machine_json(world, &world.company.devices[index])
    });
    call.entity(StatusCode::OK, "Machines/$entity", machine)
}

/// Machines that fit, in the plain list that searches answer with.
pub(super) fn matching(call: &Call, fits: impl Fn(&World, &Device) -> bool) -> Response {
    let machines: Vec<Value> = call.with_world(|world| {
        let found = world.company.devices.iter().filter(|device| fits(world, device));
        found.map(|device| machine_json(world, device)).collect()
    });
    call.collection("Machines", machines)
}

fn is_risk(text: &str) -> bool {
    text.eq_ignore_ascii_case("None") || Severity::is_xdr_word(text)
}

fn is_exposure(text: &str) -> bool {
    ["None", "Low", "Medium", "High"].iter().any(|word| word.eq_ignore_ascii_case(text))
}

fn is_onboarding(text: &str) -> bool {
    ["onboarded", "CanBeOnboarded", "Unsupported", "InsufficientInfo"]
        .iter()
        .any(|word| word.eq_ignore_ascii_case(text))
}

/// Filterable are those that the page of the list names.
pub(super) const MACHINES: List = List {
    set: "Machines",
    entity: "microsoft.windowsDefenderATP.api.Machine",
    properties: &[
        by("computerDnsName", Kind::Text),
        by("id", Kind::Text),
        by("version", Kind::Text),
        by("deviceValue", Kind::Enumeration(is_device_value)),
        by("aadDeviceId", Kind::Text),
        by("machineTags", Kind::TextList),
        by("lastSeen", Kind::Instant),
        by("exposureLevel", Kind::Enumeration(is_exposure)),
        by("onboardingStatus", Kind::Enumeration(is_onboarding)),
        by("lastIpAddress", Kind::Text),
        by("healthStatus", Kind::Enumeration(DeviceHealth::is_xdr_word)),
        by("osPlatform", Kind::Text),
        by("riskScore", Kind::Enumeration(is_risk)),
        by("rbacGroupId", Kind::Number),
        shown("firstSeen"),
        shown("osProcessor"),
        shown("osArchitecture"),
        shown("osBuild"),
        shown("lastExternalIpAddress"),
        shown("rbacGroupName"),
        shown("isAadJoined"),
        shown("ipAddresses"),
    ],
    top_max: TOP_MAX,
};

pub(super) const READ: &[&str] = &["Machine.Read.All", "Machine.ReadWrite.All"];
const WRITE: &[&str] = &["Machine.ReadWrite.All"];
const TAG_ACTIONS: &[&str] = &["Add", "Remove"];
const BULK_MAX: usize = 500;
/// A machine is recent, and an address can be looked up, for 30 days.
const RECENT_S: i64 = 30 * 86_400;

const LIST: Door = Door { roles: READ, limit: usual("mde machines") };
const ONE: Door = Door { roles: READ, limit: usual("mde machine") };
const LOGON_USERS: Door = Door { roles: &["User.Read.All"], limit: usual("mde machine users") };
const FIND_BY_IP: Door = Door { roles: READ, limit: usual("mde find by ip") };
const FIND_BY_TAG: Door = Door { roles: READ, limit: usual("mde find by tag") };
const TAG: Door = Door { roles: WRITE, limit: usual("mde machine tag") };
const TAG_MANY: Door = Door { roles: WRITE, limit: usual("mde machines tag") };
const SET_VALUE: Door = Door { roles: WRITE, limit: usual("mde machine value") };
