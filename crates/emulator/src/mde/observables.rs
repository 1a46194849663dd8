//! Files, addresses, domains and users: what the alerts of this product say of them.

use std::collections::BTreeSet;

use axum::extract::Path;
use http::StatusCode;
use serde_json::{Value, json};

use super::{
    alert_view::is_endpoint,
    alerts::{self, on_alert},
    call::{Answer, Call, Door, Head, Refusal, usual},
    machines::{self, matching},
    view::machine_json,
};
use crate::world::{Alert, FileFacts, Ticks, World, file_standing};

pub(super) async fn domains_of_alert(Path(id): Path<String>, head: Head) -> Answer {
    let call = head.admit(&ALERT_DOMAINS)?;
    let domain = on_alert(&call, &id, |_, alert| alert.domain())?;
    Ok(call.collection("Domains", domain.into_iter().map(|host| json!({ "host": host })).collect()))
}

pub(super) async fn files_of_alert(Path(id): Path<String>, head: Head) -> Answer {
    let call = head.admit(&ALERT_FILES)?;
    let files =
        on_alert(&call, &id, |world, alert| alert.file().into_iter().map(|file| file_json(world, &file)).collect())?;
    Ok(call.collection("Files", files))
}

pub(super) async fn ips_of_alert(Path(id): Path<String>, head: Head) -> Answer {
    let call = head.admit(&ALERT_IPS)?;
    let ips = on_alert(&call, &id, |world, alert| alert.addresses(&world.company))?;
    Ok(call.collection("Ips", ips.into_iter().map(|ip| json!({ "id": ip })).collect()))
}

pub(super) async fn machine_of_alert(Path(id): Path<String>, head: Head) -> Answer {
    let call = head.admit(&ALERT_MACHINE)?;
    let machine =
        on_alert(&call, &id, |world, alert| machine_json(world, &world.company.devices[usize::from(alert.device)]))?;
    Ok(call.entity(StatusCode::OK, "Machines/$entity", machine))
}

pub(super) async fn user_of_alert(Path(id): Path<String>, head: Head) -> Answer {
    let call = head.admit(&ALERT_USER)?;
    let user = on_alert(&call, &id, |world, alert| user_json(world, usize::from(alert.person)))?;
    Ok(call.entity(StatusCode::OK, "Users/$entity", user))
}

pub(super) async fn file(Path(hash): Path<String>, head: Head) -> Answer {
    let call = head.admit(&FILE)?;
    let hash = Hash::read(&call, &hash, true)?;
    let file = hash.file(&call)?;
    let json = call.with_world(|world| file_json(world, &file));
    Ok(call.entity(StatusCode::OK, "Files/$entity", json))
}

pub(super) async fn alerts_of_file(Path(hash): Path<String>, head: Head) -> Answer {
    let call = head.admit(&FILE_ALERTS)?;
    let hash = Hash::read(&call, &hash, false)?;
    Ok(call.alerts_where(|_, alert| hash.is_in(alert)))
}

pub(super) async fn machines_of_file(Path(hash): Path<String>, head: Head) -> Answer {
    let call = head.admit(&FILE_MACHINES)?;
    let hash = Hash::read(&call, &hash, false)?;
    Ok(call.machines_where(|_, alert| hash.is_in(alert)))
}

/// An unknown file is not found; for addresses and domains it is a count of zero.
pub(super) async fn stats_of_file(Path(hash): Path<String>, head: Head) -> Answer {
    let call = head.admit(&FILE_STATS)?;
    let hash = Hash::read(&call, &hash, true)?;
    let file = hash.file(&call)?;
    let sighting = call.sighting(|_, alert| hash.is_in(alert))?;
    let standing = file_standing(&file);
    let stats = json!({
        "sha1": file.sha1,
        "organizationPrevalence": sighting.devices,
        "orgFirstSeen": sighting.first,
        "orgLastSeen": sighting.last,
        "globallyPrevalence": standing.prevalence,
        "globalFirstObserved": call.with_world(|world| world.observed_first(&file)).to_string(),
        "globalLastObserved": call.with_world(|world| world.now()).to_string(),
        "topFileNames": [file.name],
    });
    Ok(call.entity(StatusCode::OK, &format!("{DTO}InOrgFileStats"), stats))
}

pub(super) async fn alerts_of_ip(Path(ip): Path<String>, head: Head) -> Answer {
    let call = head.admit(&IP_ALERTS)?;
    check_ip(&call, &ip)?;
    Ok(call.alerts_where(|world, alert| alert.addresses(&world.company).contains(&ip)))
}

pub(super) async fn stats_of_ip(Path(ip): Path<String>, head: Head) -> Answer {
    let call = head.admit(&IP_STATS)?;
    check_ip(&call, &ip)?;
    let seen = call.sighting(|world, alert| alert.addresses(&world.company).contains(&ip))?;
    let stats = json!({
        "ipAddress": ip, "organizationPrevalence": seen.devices, "orgFirstSeen": seen.first, "orgLastSeen": seen.last,
    });
    Ok(call.entity(StatusCode::OK, &format!("{DTO}InOrgIPStats"), stats))
}

pub(super) async fn alerts_of_domain(Path(domain): Path<String>, head: Head) -> Answer {
    let call = head.admit(&DOMAIN_ALERTS)?;
    let domain = read_domain(&call, &domain)?;
    Ok(call.alerts_where(|_, alert| alert.domain().as_ref() == Some(&domain)))
}

pub(super) async fn machines_of_domain(Path(domain): Path<String>, head: Head) -> Answer {
    let call = head.admit(&DOMAIN_MACHINES)?;
    let domain = read_domain(&call, &domain)?;
    Ok(call.machines_where(|_, alert| alert.domain().as_ref() == Some(&domain)))
}

pub(super) async fn stats_of_domain(Path(domain): Path<String>, head: Head) -> Answer {
    let call = head.admit(&DOMAIN_STATS)?;
    let domain = read_domain(&call, &domain)?;
    let seen = call.sighting(|_, alert| alert.domain().as_ref() == Some(&domain))?;
    let stats = json!({
        "host": domain, "organizationPrevalence": seen.devices, "orgFirstSeen": seen.first, "orgLastSeen": seen.last,
    });
    Ok(call.entity(StatusCode::OK, &format!("{DTO}InOrgDomainStats"), stats))
}

/// The name of the account, not the sign-in name: nobody is found by that.
pub(super) async fn alerts_of_user(Path(name): Path<String>, head: Head) -> Answer {
    let call = head.admit(&USER_ALERTS)?;
    Ok(call.alerts_where(|world, alert| {
        world.company.people[usize::from(alert.person)].account.eq_ignore_ascii_case(&name)
    }))
}

pub(super) async fn machines_of_user(Path(name): Path<String>, head: Head) -> Answer {
    let call = head.admit(&USER_MACHINES)?;
    Ok(matching(&call, |world, device| {
        let people = world.device_index(&device.machine_id).map(|index| world.people_on(index)).unwrap_or_default();
        people.iter().any(|person| world.company.people[*person].account.eq_ignore_ascii_case(&name))
    }))
}

/// Where and when something was seen in the organisation.
struct Sighting {
    devices: usize,
    first: Option<String>,
    last: Option<String>,
}

impl Call {
    fn machines_where(&self, fits: impl Fn(&World, &Alert) -> bool) -> axum::response::Response {
        let seen: BTreeSet<u16> = self.with_world(|world| {
            let alerts = world.alerts().into_iter().filter(|alert| is_endpoint(alert) && fits(world, alert));
            alerts.map(|alert| alert.device).collect()
        });
        let rows = self.with_world(|world| {
            let devices = seen.iter().take(MACHINES_MAX).map(|index| &world.company.devices[usize::from(*index)]);
            devices.map(|device| machine_json(world, device)).collect()
        });
        self.collection("Machines", rows)
    }

    fn sighting(&self, fits: impl Fn(&World, &Alert) -> bool) -> Result<Sighting, Refusal> {
        let hours = self.look_back_hours()?;
        Ok(self.with_world(|world| {
            let from = world.now().plus_s(-3_600 * hours);
            let (mut devices, mut times) = (BTreeSet::new(), BTreeSet::<Ticks>::new());
            let recent = world.alerts().into_iter().filter(|alert| alert.last_activity >= from);
            for alert in recent.filter(|alert| is_endpoint(alert) && fits(world, alert)) {
                devices.insert(alert.device);
                times.extend([alert.first_activity, alert.last_activity]);
            }
            let text = |at: Option<&Ticks>| at.map(Ticks::to_string);
            Sighting { devices: devices.len(), first: text(times.first()), last: text(times.last()) }
        }))
    }

    /// `lookBackHours`, 1 to 720; 30 days where it is not given.
    fn look_back_hours(&self) -> Result<i64, Refusal> {
        let mut options = url::form_urlencoded::parse(self.query.as_bytes());
        let given = options.find(|(name, _)| name.eq_ignore_ascii_case("lookBackHours"));
        let Some((_, hours)) = given else { return Ok(HOURS_MAX) };
        let hours: Option<i64> = hours.parse().ok();
        hours.filter(|hours| (1..=HOURS_MAX).contains(hours)).ok_or_else(|| self.invalid("lookBackHours"))
    }
}

/// A hash that names a file.
struct Hash(String);

impl Hash {
    fn read(call: &Call, text: &str, sha256_too: bool) -> Result<Self, Refusal> {
        let is_hash = text.len() == 40 || (sha256_too && text.len() == 64);
        if is_hash && text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Ok(Self(text.to_ascii_lowercase()));
        }
        let taken = if sha256_too { "SHA-1 or SHA-256" } else { "SHA-1" };
        Err(call.bad("InvalidHashValue", &format!("'{text}' is no {taken} hash")))
    }

    fn is_in(&self, alert: &Alert) -> bool {
        alert.file().is_some_and(|file| self.names(&file))
    }

    fn names(&self, file: &FileFacts) -> bool {
        [&file.sha1, &file.sha256].into_iter().flatten().any(|known| *known == self.0)
    }

    fn file(&self, call: &Call) -> Result<FileFacts, Refusal> {
        let found = call.with_world(|world| {
            let known = world.alerts().into_iter().filter(|alert| is_endpoint(alert));
            known.filter_map(Alert::file).find(|file| self.names(file))
        });
        found.ok_or_else(|| call.not_found("File", &self.0))
    }
}

fn file_json(world: &World, file: &FileFacts) -> Value {
    let standing = file_standing(file);
    let issuer = file.publisher.map(|_| "Example Code Signing CA");
    json!({
        "sha1": file.sha1,
        "sha256": file.sha256,
        "md5": file.md5,
        "globalPrevalence": standing.prevalence,
        "globalFirstObserved": world.observed_first(file).to_string(),
        "globalLastObserved": world.now().to_string(),
        "size": file.size,
        "fileType": null,
        "isPeFile": file.name.to_ascii_lowercase().ends_with(".exe"),
        "filePublisher": file.publisher,
        "fileProductName": file.publisher.map(|_| &file.name),
        "signer": file.publisher,
        "issuer": issuer,
        "signerHash": file.publisher.map(|_| standing.signer_hash),
        "isValidCertificate": file.publisher.is_some(),
        "determinationType": if file.publisher.is_some() { "Clean" } else { "Malware" },
        "determinationValue": null,
    })
}

fn user_json(world: &World, person: usize) -> Value {
    let who = &world.company.people[person];
    let machines: Vec<usize> =
        (0..world.company.devices.len()).filter(|index| world.people_on(*index).contains(&person)).collect();
    let device = |index: Option<&usize>| index.map(|index| world.company.devices[*index].machine_id.as_str());
    let first = machines.iter().map(|index| world.company.devices[*index].first_seen).min();
    let last = machines.iter().map(|index| world.company.devices[*index].last_seen(world.now())).max();
    let owns = machines.iter().any(|index| world.company.devices[*index].owner == person);
    json!({
        "id": format!("{}\\{}", world.company.nt_domain.to_lowercase(), who.account),
        "accountName": who.account,
        "accountDomain": world.company.nt_domain.to_lowercase(),
        "accountSid": who.sid,
        "firstSeen": first.map(|at| at.to_string()),
        "lastSeen": last.map(|at| at.to_string()),
        "mostPrevalentMachineId": device(machines.first()),
        "leastPrevalentMachineId": device(machines.last()),
        "logonTypes": if owns { "Interactive" } else { "Network" },
        "logOnMachinesCount": machines.len(),
        "isDomainAdmin": who.department == "IT",
        "isOnlyNetworkUser": !owns,
    })
}

fn check_ip(call: &Call, ip: &str) -> Result<(), Refusal> {
    let is_ip = ip.parse::<std::net::IpAddr>().is_ok();
    if is_ip { Ok(()) } else { Err(call.bad("InvalidIpAddress", &format!("'{ip}' is not an IP address"))) }
}

fn read_domain(call: &Call, domain: &str) -> Result<String, Refusal> {
    let lower = domain.to_ascii_lowercase();
    if is_domain(&lower) {
        Ok(lower)
    } else {
        Err(call.bad("InvalidDomainName", &format!("'{domain}' is not a domain name")))
    }
}

/// Labels of letters, digits and hyphens, two or more.
pub(super) fn is_domain(text: &str) -> bool {
    let is_label = |label: &str| {
        let characters = label.chars().all(|letter| letter.is_alphanumeric() || letter == '-' || letter == '_');
        !label.is_empty() && label.len() <= 63 && characters
    };
    text.len() <= 253 && text.contains('.') && text.split('.').all(is_label)
}

const DTO: &str = "microsoft.windowsDefenderATP.api.";
/// The page of a domain's machines names it; the others don't say.
const MACHINES_MAX: usize = 500;
const HOURS_MAX: i64 = 720;

const ALERT_DOMAINS: Door = Door { roles: &["URL.Read.All"], limit: usual("mde alert domains") };
const ALERT_FILES: Door = Door { roles: &["File.Read.All"], limit: usual("mde alert files") };
const ALERT_IPS: Door = Door { roles: &["Ip.Read.All"], limit: usual("mde alert ips") };
const ALERT_MACHINE: Door = Door { roles: machines::READ, limit: usual("mde alert machine") };
const ALERT_USER: Door = Door { roles: &["User.Read.All"], limit: usual("mde alert user") };
const FILE: Door = Door { roles: &["File.Read.All"], limit: usual("mde file") };
const FILE_ALERTS: Door = Door { roles: alerts::READ, limit: usual("mde file alerts") };
const FILE_MACHINES: Door = Door { roles: machines::READ, limit: usual("mde file machines") };
const FILE_STATS: Door = Door { roles: &["File.Read.All"], limit: usual("mde file stats") };
const IP_ALERTS: Door = Door { roles: alerts::READ, limit: usual("mde ip alerts") };
const IP_STATS: Door = Door { roles: &["Ip.Read.All"], limit: usual("mde ip stats") };
const DOMAIN_ALERTS: Door = Door { roles: alerts::READ, limit: usual("mde domain alerts") };
const DOMAIN_MACHINES: Door = Door { roles: machines::READ, limit: usual("mde domain machines") };
const DOMAIN_STATS: Door = Door { roles: &["URL.Read.All"], limit: usual("mde domain stats") };
const USER_ALERTS: Door = Door { roles: alerts::READ, limit: usual("mde user alerts") };
const USER_MACHINES: Door = Door { roles: machines::READ, limit: usual("mde user machines") };
