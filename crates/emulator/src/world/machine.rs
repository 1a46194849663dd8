//! What changes about a device: tags and value that people set, the state that orders leave, and whether it answers.

use super::{
    company::Device,
    incident::World,
    log::Happening,
    terms::{ActionStatus, AlertStatus, DeviceHealth, DeviceValue, Severity},
    ticks::Ticks,
};

/// The part of a device that changes.
#[derive(Debug)]
pub(crate) struct MachineState {
    /// Since when it does not answer; `None` while it does.
    pub offline_since: Option<Ticks>,
    pub offboarded: Option<Ticks>,
    /// `Full` or `Selective` while the network is cut.
    pub isolation: Option<&'static str>,
    pub restricted: bool,
    /// SHA-1 of files in quarantine.
    pub quarantined: Vec<String>,
    pub tags: Vec<String>,
    pub value: DeviceValue,
    /// The highest severity among its open alerts.
    pub risk: Option<Severity>,
    /// An analyst has a live response session open in the portal; no list of actions shows it.
    pub portal_session: bool,
}

impl Default for MachineState {
    fn default() -> Self {
        Self {
            offline_since: None,
            offboarded: None,
            isolation: None,
            restricted: false,
            quarantined: Vec::new(),
            tags: Vec::new(),
            value: DeviceValue::Normal,
            risk: None,
            portal_session: false,
        }
    }
}

impl Device {
    /// Whether orders reach it.
    pub(crate) fn is_reachable(&self) -> bool {
        self.state.offline_since.is_none() && self.state.offboarded.is_none()
    }

    /// A device that left counts as inactive at once (G); one that stopped answering, as the pages say, after a week.
    pub(crate) fn health(&self, now: Ticks) -> DeviceHealth {
        match (self.state.offboarded, self.state.offline_since) {
            (Some(_), _) => DeviceHealth::Inactive,
            (None, Some(since)) if now >= since.plus_s(INACTIVE_AFTER_S) => DeviceHealth::Inactive,
            (None, Some(_)) => DeviceHealth::ImpairedCommunication,
            (None, None) => DeviceHealth::Active,
        }
    }

    /// `onboarded`, or `CanBeOnboarded` after it was offboarded (G).
    pub(crate) fn onboarding_status(&self) -> &'static str {
        if self.state.offboarded.is_some() { "CanBeOnboarded" } else { "onboarded" }
    }

    /// Its last full report: one a day, at a time of its own.
    pub(crate) fn last_seen(&self, now: Ticks) -> Ticks {
        let gone = [self.state.offline_since, self.state.offboarded].into_iter().flatten().min();
        let until = gone.map_or(now, |gone| gone.min(now));
        let day = Ticks::of_day(1).0;
        Ticks(until.0 - (until.0 - self.first_seen.0).rem_euclid(day)).max(self.first_seen)
    }

    /// Windows and its servers, on which every order works.
    pub(crate) fn is_windows(&self) -> bool {
        self.os_platform.starts_with("Windows")
    }
}

impl World {
    /// Index of a device by its machine id.
    pub(crate) fn device_index(&self, machine_id: &str) -> Option<usize> {
        self.company.devices.iter().position(|device| device.machine_id.eq_ignore_ascii_case(machine_id))
    }

    /// Index of a device by its machine id or by its computer's name.
    pub(crate) fn device_named(&self, id_or_name: &str) -> Option<usize> {
        let named = |device: &Device| {
            device.dns_name.eq_ignore_ascii_case(id_or_name) || device.host_name.eq_ignore_ascii_case(id_or_name)
        };
        self.device_index(id_or_name).or_else(|| self.company.devices.iter().position(named))
    }

    /// People who signed in on a device, its owner first: indices into the company's people.
    pub(crate) fn people_on(&self, index: usize) -> Vec<usize> {
        let mut people = vec![self.company.devices[index].owner];
        for alert in self.alerts.iter().filter(|alert| usize::from(alert.device) == index && alert.is_on_device()) {
            let person = usize::from(alert.person);
            if !people.contains(&person) {
                people.push(person);
            }
        }
        people
    }

    /// Adds a tag or takes one away; the same tag twice is one tag.
    pub(crate) fn tag_device(&mut self, index: usize, tag: &str, add: bool, by: &str) {
        let tags = &mut self.company.devices[index].state.tags;
        let position = tags.iter().position(|known| known == tag);
        match (position, add) {
            (None, true) => tags.push(tag.to_owned()),
            (Some(position), false) => {
                tags.remove(position);
            }
            _ => return,
        }
        let (device, tag, by) = (device_number(index), tag.to_owned(), by.to_owned());
        self.note(self.now(), Happening::Tagged { device, tag, added: add, by });
    }

    pub(crate) fn value_device(&mut self, index: usize, value: DeviceValue, by: &str) {
        self.company.devices[index].state.value = value;
        self.note(self.now(), Happening::Valued { device: device_number(index), value, by: by.to_owned() });
    }

    /// Cuts a device off or brings it back; what waits for it starts when it is back.
    pub(crate) fn set_online(&mut self, index: usize, online: bool) {
        let now = self.now();
        let state = &mut self.company.devices[index].state;
        if online == state.offline_since.is_none() {
            return;
        }
        state.offline_since = (!online).then_some(now);
        self.note(now, Happening::Reachable { device: device_number(index), online });
        if online {
            let waiting: Vec<usize> = (0..self.actions.len())
                .filter(|at| {
                    let action = &self.actions[*at];
                    usize::from(action.device) == index && action.status == ActionStatus::Pending
                })
                .collect();
            for action in waiting {
                self.schedule_start(action, now);
            }
        }
    }

    /// Works out each device's risk anew, when alerts have changed.
    pub(super) fn weigh_risks(&mut self) {
        if !std::mem::take(&mut self.risks_are_stale) {
            return;
        }
        let mut risks: Vec<Option<Severity>> = vec![None; self.company.devices.len()];
        for alert in self.alerts.iter().filter(|alert| alert.status != AlertStatus::Resolved && alert.is_on_device()) {
            let risk = &mut risks[usize::from(alert.device)];
            *risk = (*risk).max(Some(alert.severity));
        }
        for (device, risk) in self.company.devices.iter_mut().zip(risks) {
            device.state.risk = risk;
        }
    }
}

pub(super) fn device_number(index: usize) -> u16 {
    u16::try_from(index).expect("a company has some dozens of devices")
}

const INACTIVE_AFTER_S: i64 = 7 * 86_400;
