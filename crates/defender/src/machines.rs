//! Devices of Defender for Endpoint, which its API calls machines.

use jiff::Timestamp;
use serde_json::{Value, json};
use sortie_model::MachineId;
use sortie_transport::{Effect, Priority, Request};

use crate::{
    Defender, Document, Pages,
    client::malformed,
    document::{instant, list, text, texts},
    error::{DefenderError, DefenderErrorKind},
    operation::Operation,
    pages::{add_filter, equals},
};

/// One onboarded device. A member is `None` when the service did not say it or said it unreadably.
#[derive(Clone, Debug)]
pub struct Machine {
    /// 40 hexadecimal digits.
    pub id: MachineId,
    /// Its full name in the network.
    pub name: Option<String>,
    /// `Windows11`, `Linux` and so on.
    pub os_platform: Option<String>,
    /// `Active`, `Inactive`, `ImpairedCommunication` and so on.
    pub health: Option<String>,
    /// `None`, `Informational`, `Low`, `Medium`, `High`.
    pub risk: Option<String>,
    /// `None`, `Low`, `Medium`, `High`.
    pub exposure: Option<String>,
    /// `onboarded`, `CanBeOnboarded` and so on.
    pub onboarding: Option<String>,
    /// The last full report, which comes about once a day.
    pub last_seen: Option<Timestamp>,
    /// The address inside.
    pub ip: Option<String>,
    /// The address outside.
    pub external_ip: Option<String>,
    /// The device group.
    pub group: Option<String>,
    /// The organisation's own tags.
    pub tags: Vec<String>,
    /// The device in Entra.
    pub entra_device_id: Option<String>,
    /// Every address of every interface.
    pub addresses: Vec<String>,
    /// Everything that the service sent.
    pub document: Document,
}

/// Which devices are wanted; everything that is set must hold.
#[derive(Clone, Debug, Default)]
pub struct MachineFilter {
    /// `Active`, `Inactive` and so on.
    pub health: Option<String>,
    /// `High` and so on.
    pub risk: Option<String>,
    /// `Windows11` and so on.
    pub os_platform: Option<String>,
    /// Carries exactly this tag.
    pub tag: Option<String>,
    /// Its name begins so.
    pub name_prefix: Option<String>,
    /// Reported at or after.
    pub seen_since: Option<Timestamp>,
}

/// What is done with a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TagChange {
    /// The device carries it from now on.
    Add,
    /// It carries it no more.
    Remove,
}

impl Machine {
    /// Reads what can be read. Without an id nothing can be ordered.
    pub fn read(document: &Document) -> Option<Self> {
        let value = document.to_value();
        let word = |name: &str| text(&value, &[name]);
        Some(Self {
            id: MachineId(word("id")?),
            name: word("computerDnsName"),
            os_platform: word("osPlatform"),
            health: word("healthStatus"),
            risk: word("riskScore"),
            exposure: word("exposureLevel"),
            onboarding: word("onboardingStatus"),
            last_seen: instant(&value, &["lastSeen"]),
            ip: word("lastIpAddress"),
            external_ip: word("lastExternalIpAddress"),
            group: word("rbacGroupName"),
            tags: texts(&value, "machineTags"),
            entra_device_id: word("aadDeviceId"),
            addresses: list(&value, "ipAddresses").iter().filter_map(address).collect(),
            document: document.clone(),
        })
    }

    /// What a person calls it: its name, else its id.
    pub fn label(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.id.0)
    }
}

fn address(value: &Value) -> Option<String> {
    text(value, &["ipAddress"])
}

impl Defender {
    /// The devices that match.
    ///
    /// # Errors
    /// [`DefenderError`] when the cloud has no such API.
    pub fn machines(&self, filter: &MachineFilter) -> Result<Pages<'_>, DefenderError> {
        let doing = "list devices";
        let mut url = self.address(Operation::MachineRead, &["api", "machines"], doing)?;
        url.query_pairs_mut().append_pair("$top", &MACHINES_TOP.to_string());
        add_filter(&mut url, &filter.terms());
        // Without recent devices the service answers 404 (get-machines page), which is an empty list.
        Ok(Pages::of(self, Operation::MachineRead, doing, "id", url).full_at(MACHINES_TOP).empty_when_not_found())
    }

    /// One device by its id, or by its name in the network, whole or up to the first dot.
    ///
    /// # Errors
    /// [`DefenderError`]; `NotFound` where no device is called so, `Ambiguous` where several are.
    pub async fn machine(&self, id_or_name: &str) -> Result<Machine, DefenderError> {
        let doing = format!("find device {id_or_name}");
        if is_machine_id(id_or_name) {
            let id = id_or_name.to_ascii_lowercase();
            let request = self.get(Operation::MachineRead, &["api", "machines", &id], &doing)?;
            return self.read_one(Operation::MachineRead, request, &doing, Machine::read).await;
        }
        let filter = MachineFilter { name_prefix: Some(id_or_name.to_owned()), ..MachineFilter::default() };
        let mut pages = self.machines(&filter)?;
        let mut named = Vec::new();
        while let Some(page) = pages.next().await? {
            named.extend(page.iter().filter_map(Machine::read).filter(|machine| machine.is_called(id_or_name)));
        }
        let whole =
            |machine: &Machine| machine.name.as_deref().is_some_and(|name| name.eq_ignore_ascii_case(id_or_name));
        if let Some(at) = named.iter().position(whole).filter(|_| named.iter().filter(|one| whole(one)).count() == 1) {
            return Ok(named.swap_remove(at));
        }
        match (named.pop(), named.is_empty()) {
            (Some(machine), true) => Ok(machine),
            (None, _) => Err(DefenderError::new(
                &doing,
                DefenderErrorKind::Absent(format!("no device is called `{id_or_name}`")),
            )),
            (Some(last), false) => {
                named.push(last);
                let ids: Vec<&str> = named.iter().map(|machine| machine.id.0.as_str()).collect();
                Err(DefenderError::new(&doing, DefenderErrorKind::Ambiguous(ids.join(", "))))
            }
        }
    }

    /// Adds or removes one tag; to do it twice changes nothing.
    ///
    /// # Errors
    /// [`DefenderError`].
    pub async fn tag_machine(&self, id: &MachineId, tag: &str, change: TagChange) -> Result<Machine, DefenderError> {
        let doing = format!("tag device {id}");
        let action = if change == TagChange::Add { "Add" } else { "Remove" };
        let url = self.address(Operation::MachineWrite, &["api", "machines", &id.0, "tags"], &doing)?;
        let body = json!({ "Value": tag, "Action": action });
        let request = Request::post(url).json(&body).effect(Effect::Overwrite).priority(Priority::Response);
        let response = self.call(Operation::MachineWrite, request, &doing).await?;
        Machine::read(&Document::new(&response.text())).ok_or_else(|| malformed(&doing, "a device without an id"))
    }
}

impl Machine {
    fn is_called(&self, name: &str) -> bool {
        self.name.as_deref().is_some_and(|own| {
            own.eq_ignore_ascii_case(name) || own.split('.').next().is_some_and(|host| host.eq_ignore_ascii_case(name))
        })
    }
}

impl MachineFilter {
    fn terms(&self) -> Vec<String> {
        let terms = [
            self.health.as_ref().map(|word| equals("healthStatus", word)),
            self.risk.as_ref().map(|word| equals("riskScore", word)),
            self.os_platform.as_ref().map(|word| equals("osPlatform", word)),
            self.tag.as_ref().map(|tag| format!("machineTags/any(tag: {})", equals("tag", tag))),
            self.name_prefix.as_ref().map(|name| format!("startswith(computerDnsName,'{}')", name.replace('\'', "''"))),
            self.seen_since.map(|at| format!("lastSeen ge {at}")),
        ];
        terms.into_iter().flatten().collect()
    }
}

/// Whether a text has the form of a device id.
pub fn is_machine_id(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The service takes up to 10,000; smaller pages keep memory small.
const MACHINES_TOP: usize = 1_000;
