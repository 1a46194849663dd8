//! What alerts are about: devices, users, files and so on, each once, from the evidence of Graph, the devices and entities of
//! Defender XDR, and the flat evidence of Defender for Endpoint.

use std::collections::HashMap;

use serde_json::Value;
use sortie_model::shapes::{DEVICE, FILE, IP, MAILBOX, MESSAGE, PROCESS, Shape, URL, USER};

use super::{Sources, fields::fill, list};
use crate::document::text;

/// Lists of evidence, by the name that they have in an alert and an incident.
#[derive(Default)]
pub(super) struct Evidence([Found; LISTS.len()]);

/// One list, and where in it something is, by each name that it goes by.
#[derive(Default)]
struct Found {
    all: Vec<Value>,
    places: HashMap<String, Vec<usize>>,
}

/// One kind of evidence.
struct Kind {
    /// The list that it stands in.
    list: &'static str,
    shape: &'static Shape,
    /// How the services call it, in small letters: `@odata.type` without `Evidence`, or `entityType`.
    types: &'static [&'static str],
}

impl Evidence {
    /// Takes everything that an alert, as the service sent it, is about.
    pub(super) fn read(&mut self, alert: &Value) {
        list(alert, "devices").iter().for_each(|one| self.take(&DEVICE, one));
        if alert.get("machineId").is_some_and(Value::is_string) {
            let device =
                ["machineId", "computerDnsName", "rbacGroupName"].map(|name| (name.to_owned(), alert[name].clone()));
            self.take(&DEVICE, &Value::Object(device.into_iter().collect()));
        }
        for one in list(alert, "evidence").iter().chain(list(alert, "entities")) {
            if let Some(kind) = kind_of(one) {
                self.take(kind.shape, one);
            }
        }
        if let Some(user @ Value::Object(_)) = alert.get("relatedUser") {
            self.take(&USER, user);
        }
    }

    /// Takes everything that an alert, in its shape, has.
    pub(super) fn join(&mut self, alert: &Value) {
        for (at, kind) in LISTS.iter().enumerate() {
            list(alert, kind.list).iter().for_each(|one| self.add(at, one.clone()));
        }
    }

    /// Writes the lists into an alert or an incident.
    pub(super) fn write(self, into: &mut Value) {
        for (kind, found) in LISTS.iter().zip(self.0) {
            into[kind.list] = found.all.into();
        }
    }

    fn take(&mut self, shape: &'static Shape, one: &Value) {
        let at = LISTS.iter().position(|kind| std::ptr::eq(kind.shape, shape));
        if let (Some(at), Some(shown)) = (at, shown(shape, one)) {
            self.add(at, shown);
        }
    }

    /// One more, or what it says of one that is there already.
    fn add(&mut self, at: usize, one: Value) {
        let (kind, Found { all, places }) = (&LISTS[at], &mut self.0[at]);
        let known = names(kind, &one).into_iter().filter_map(|name| places.get(&name)).flatten();
        let place = match known.copied().find(|place| may_be_one(&all[*place], &one)) {
            Some(place) => {
                complete(&mut all[place], one);
                // What is known of it now may tell it apart better.
                if let Some(id) = id_of(kind.shape, &all[place]) {
                    all[place]["id"] = id.into();
                }
                place
            }
            None => {
                all.push(one);
                all.len() - 1
            }
        };
        for name in names(kind, &all[place]) {
            let places = places.entry(name).or_default();
            if !places.contains(&place) {
                places.push(place);
            }
        }
    }
}

/// One piece of evidence in its shape; `None` where nothing tells it apart.
pub(super) fn shown(shape: &'static Shape, one: &Value) -> Option<Value> {
    let mut shown = fill(shape, sources(shape), one);
    match shape.name {
        "device" => finish_device(&mut shown, one),
        "file" => finish_file(&mut shown, one),
        _ => {}
    }
    shown["id"] = id_of(shape, &shown)?.into();
    Some(shown)
}

fn kind_of(one: &Value) -> Option<&'static Kind> {
    let said = text(one, &["@odata.type", "entityType"])?;
    let said = said.rsplit('.').next().unwrap_or(&said).to_lowercase();
    let said = said.strip_suffix("evidence").unwrap_or(&said);
    LISTS.iter().find(|kind| kind.types.contains(&said))
}

fn finish_device(shown: &mut Value, one: &Value) {
    if shown["hostName"].is_null()
        && let Some(host) = shown["deviceDnsName"].as_str().and_then(|name| name.split('.').next())
    {
        shown["hostName"] = host.into();
    }
    let account = |user: &Value| {
        let name = text(user, &["accountName"])?;
        Some(text(user, &["domainName"]).map_or_else(|| name.clone(), |domain| format!("{domain}\\{name}")))
    };
    shown["loggedOnUsers"] = list(one, "loggedOnUsers").iter().filter_map(account).collect();
    let addresses: Value = list(one, "ipAddresses").iter().filter_map(|one| text(one, &["ipAddress"])).collect();
    if addresses.as_array().is_some_and(|found| !found.is_empty()) {
        shown["ipInterfaces"] = addresses;
    }
}

/// `fileHashEvidence` names the algorithm beside the value.
fn finish_file(shown: &mut Value, one: &Value) {
    let (algorithm, value) = (text(one, &["algorithm"]), text(one, &["value"]));
    let name = algorithm.map(|algorithm| algorithm.to_lowercase());
    if let (Some(name @ ("md5" | "sha1" | "sha256")), Some(value)) = (name.as_deref(), value) {
        shown[name] = value.into();
    }
}

/// Everything that it goes by: one alert may know a device by its id, and another by its name.
fn names(kind: &Kind, one: &Value) -> Vec<String> {
    let aliases: &[&str] = match kind.shape.name {
        "device" => &["mdeDeviceId", "azureAdDeviceId", "deviceDnsName"],
        "user" => &["azureAdUserId", "userPrincipalName", "userSid"],
        _ => &[],
    };
    let of = |field: &&str| Some(format!("{field} {}", text(one, &[field])?.to_lowercase()));
    aliases.iter().filter_map(of).chain(of(&"id")).collect()
}

/// Two that share a name are not the same where their ids differ: a device that was set up anew keeps its name.
fn may_be_one(known: &Value, other: &Value) -> bool {
    ["mdeDeviceId", "azureAdDeviceId", "azureAdUserId"].iter().all(|field| {
        let (known, other) = (text(known, &[field]), text(other, &[field]));
        known.zip(other).is_none_or(|(known, other)| known.eq_ignore_ascii_case(&other))
    })
}

/// What tells it apart: fields that must be there together, the first set that is.
fn id_of(shape: &Shape, shown: &Value) -> Option<String> {
    let together = |names: &&[&str]| {
        let parts: Option<Vec<String>> = names.iter().map(|name| text(shown, &[name])).collect();
        Some(parts?.join("\\"))
    };
    let sets: &[&[&str]] = match shape.name {
        "device" => &[&["mdeDeviceId"], &["azureAdDeviceId"], &["deviceDnsName"], &["hostName"]],
        "user" => &[
            &["azureAdUserId"],
            &["userPrincipalName"],
            &["userSid"],
            &["domainName", "accountName"],
            &["accountName"],
        ],
        "file" => &[
            &["mdeDeviceId", "sha256"],
            &["mdeDeviceId", "sha1"],
            &["sha256"],
            &["sha1"],
            &["mdeDeviceId", "md5"],
            &["md5"],
            &["mdeDeviceId", "filePath", "fileName"],
            &["filePath", "fileName"],
            &["mdeDeviceId", "fileName"],
            &["fileName"],
        ],
        "process" => &[
            &["mdeDeviceId", "processId", "processCreationDateTime"],
            &["processId", "processCreationDateTime"],
            &["mdeDeviceId", "processCommandLine"],
            &["processCommandLine"],
            &["mdeDeviceId", "fileName"],
            &["filePath", "fileName"],
            &["fileName"],
        ],
        "url" => &[&["url"]],
        "ip" => &[&["ipAddress"]],
        "mailbox" => &[&["primaryAddress"], &["userPrincipalName"]],
        "message" => &[
            &["networkMessageId", "recipient"],
            &["networkMessageId"],
            &["internetMessageId", "recipient"],
            &["sender", "recipient", "subject"],
            &["recipient", "subject"],
            &["internetMessageId"],
            &["sender", "subject"],
            &["subject"],
        ],
        _ => &[],
    };
    sets.iter().find_map(together)
}

/// What one of two says of the same thing and the other does not; of what is worse or better the worse; the parts of both.
fn complete(known: &mut Value, other: Value) {
    let worst: Vec<(&str, Value)> = WORSE_LAST
        .iter()
        .filter(|(field, _)| known.get(field).is_some())
        .map(|(field, words)| {
            let badness = |one: &Value| words.iter().position(|word| one[field] == *word);
            let worse = if badness(&other) > badness(known) { &other[field] } else { &known[field] };
            (*field, worse.clone())
        })
        .collect();
    let Value::Object(members) = other else { return };
    for (name, value) in members {
        let is_unsaid = match &known[&name] {
            Value::Null => true,
            Value::String(word) => word == "unknown",
            Value::Array(items) => items.is_empty(),
            _ => false,
        };
        if name == "roles" {
            if let (Some(roles), Value::Array(more)) = (known["roles"].as_array_mut(), value) {
                more.into_iter().for_each(|role| {
                    if !roles.contains(&role) {
                        roles.push(role)
                    }
                });
            }
        } else if is_unsaid {
            known[name] = value;
        }
    }
    for (field, word) in worst {
        known[field] = word;
    }
}

/// Fields whose words are better or worse, from what says nothing to the worst.
const WORSE_LAST: &[(&str, &[&str])] = &[
    ("verdict", &["unknown", "unknownFutureValue", "noThreatsFound", "suspicious", "malicious"]),
    ("riskScore", &["unknownFutureValue", "none", "informational", "low", "medium", "high"]),
    ("detectionStatus", &["unknownFutureValue", "prevented", "blocked", "detected"]),
    (
        "remediationStatus",
        &[
            "unknownFutureValue",
            "remediated",
            "prevented",
            "blocked",
            "notFound",
            "none",
            "partiallyRemediated",
            "running",
            "pendingApproval",
            "declined",
            "unremediated",
            "active",
        ],
    ),
];

const LISTS: [Kind; 8] = [
    Kind { list: "devices", shape: &DEVICE, types: &["device", "machine"] },
    Kind { list: "users", shape: &USER, types: &["user"] },
    Kind { list: "files", shape: &FILE, types: &["file", "filehash"] },
    Kind { list: "processes", shape: &PROCESS, types: &["process"] },
    Kind { list: "urls", shape: &URL, types: &["url"] },
    Kind { list: "ips", shape: &IP, types: &["ip"] },
    Kind { list: "mailboxes", shape: &MAILBOX, types: &["mailbox"] },
    Kind { list: "messages", shape: &MESSAGE, types: &["analyzedmessage", "mailmessage"] },
];

fn sources(shape: &Shape) -> Sources {
    match shape.name {
        "device" => DEVICE_SOURCES,
        "user" => USER_SOURCES,
        "file" => FILE_SOURCES,
        "process" => PROCESS_SOURCES,
        "mailbox" => MAILBOX_SOURCES,
        "message" => MESSAGE_SOURCES,
        _ => &[],
    }
}

const DEVICE_SOURCES: Sources = &[
    ("mdeDeviceId", &["mdatpDeviceId", "deviceId", "DeviceId", "machineId", "id"]),
    ("azureAdDeviceId", &["aadDeviceId"]),
    ("deviceDnsName", &["computerDnsName"]),
    ("firstSeenDateTime", &["firstSeen"]),
    ("lastSeenDateTime", &["lastSeen"]),
    ("tags", &["machineTags"]),
];
const USER_SOURCES: Sources = &[
    ("azureAdUserId", &["userAccount/azureAdUserId", "aadUserId"]),
    ("userPrincipalName", &["userAccount/userPrincipalName"]),
    ("displayName", &["userAccount/displayName"]),
    ("accountName", &["userAccount/accountName", "userName"]),
    ("domainName", &["userAccount/domainName"]),
    ("userSid", &["userAccount/userSid"]),
];
const FILE_SOURCES: Sources = &[
    ("fileName", &["fileDetails/fileName"]),
    ("filePath", &["fileDetails/filePath"]),
    ("sha1", &["fileDetails/sha1"]),
    ("sha256", &["fileDetails/sha256"]),
    ("md5", &["fileDetails/md5"]),
    ("fileSize", &["fileDetails/fileSize"]),
    ("filePublisher", &["fileDetails/filePublisher"]),
    ("signer", &["fileDetails/signer"]),
    ("issuer", &["fileDetails/issuer"]),
    ("mdeDeviceId", &["deviceId"]),
];
const PROCESS_SOURCES: Sources = &[
    ("processCreationDateTime", &["processCreationTime"]),
    ("parentProcessCreationDateTime", &["parentProcessCreationTime"]),
    ("fileName", &["imageFile/fileName"]),
    ("filePath", &["imageFile/filePath"]),
    ("sha1", &["imageFile/sha1"]),
    ("sha256", &["imageFile/sha256"]),
    ("parentFileName", &["parentProcessImageFile/fileName", "parentProcessFileName"]),
    ("userPrincipalName", &["userAccount/userPrincipalName"]),
    ("accountName", &["userAccount/accountName"]),
    ("mdeDeviceId", &["deviceId"]),
];
const MAILBOX_SOURCES: Sources = &[
    ("primaryAddress", &["mailboxAddress"]),
    ("displayName", &["mailboxDisplayName"]),
    ("userPrincipalName", &["upn", "userAccount/userPrincipalName"]),
    ("azureAdUserId", &["userAccount/azureAdUserId", "aadUserId"]),
];
const MESSAGE_SOURCES: Sources =
    &[("sender", &["p2Sender/emailAddress", "p1Sender/emailAddress"]), ("recipient", &["recipientEmailAddress"])];
