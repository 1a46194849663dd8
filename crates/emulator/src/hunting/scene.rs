//! The alerts of a world with what each of them shows, for the tables in which an intrusion can be found.

use super::actor::{Actor, system_account};
use crate::world::{Alert, Clue, Device, Evidence, FileFacts, MessageFacts, Person, ProcessFacts, Ticks, World};

/// One alert and its evidence.
pub(super) struct Scene<'w> {
    pub alert: &'w Alert,
    pub index: usize,
    pub device: &'w Device,
    pub person: &'w Person,
    pub evidence: Vec<Evidence<'w>>,
}

/// All alerts that reads find, oldest first.
pub(super) fn scenes(world: &World) -> Vec<Scene<'_>> {
    let mut alerts = world.alerts();
    alerts.reverse();
    let scene = |alert: &'_ Alert| (usize::from(alert.device), usize::from(alert.person));
    alerts
        .into_iter()
        .map(|alert| {
            let (index, person) = scene(alert);
            let (device, person) = (&world.company.devices[index], &world.company.people[person]);
            Scene { alert, index, device, person, evidence: alert.evidence(&world.company) }
        })
        .collect()
}

impl<'w> Scene<'w> {
    pub(super) fn process(&self) -> Option<&ProcessFacts<'w>> {
        self.find(|clue| if let Clue::Process(process) = clue { Some(&**process) } else { None })
    }

    /// A file on the device.
    pub(super) fn file(&self) -> Option<&FileFacts> {
        self.find(|clue| match clue {
            Clue::File { file, machine_id: Some(_), .. } | Clue::Malware { file, .. } => Some(file),
            _ => None,
        })
    }

    pub(super) fn url(&self) -> Option<&str> {
        self.find(|clue| if let Clue::Url(url) = clue { Some(url.as_str()) } else { None })
    }

    /// The attacker's address.
    pub(super) fn address(&self) -> Option<&str> {
        self.find(|clue| if let Clue::Ip { address, .. } = clue { Some(address.as_str()) } else { None })
    }

    /// Address, country and city.
    pub(super) fn place(&self) -> Option<(&str, &'static str, &'static str)> {
        self.find(|clue| match clue {
            Clue::Ip { address, country, city } => Some((address.as_str(), *country, *city)),
            _ => None,
        })
    }

    /// Where the device connected to: address and port.
    pub(super) fn connection(&self) -> Option<(&str, i32)> {
        self.find(|clue| if let Clue::Connection { to, port, .. } = clue { Some((to.as_str(), *port)) } else { None })
    }

    pub(super) fn message(&self) -> Option<&MessageFacts> {
        self.find(|clue| match clue {
            Clue::Message(message) | Clue::Submission { message, .. } => Some(&**message),
            _ => None,
        })
    }

    /// The process that the alert is about; the system's where it shows none.
    pub(super) fn actor(&self) -> Actor {
        match self.process() {
            Some(process) => actor_of(process),
            None => {
                let account = system_account(self.device.is_windows());
                Actor::well_known("svchost.exe", 900, self.alert.first_activity.plus_s(-86_400), account)
            }
        }
    }

    /// The moment that the alert is about.
    pub(super) fn at(&self) -> Ticks {
        self.process().map_or(self.alert.first_activity, |process| process.started)
    }

    fn find<'s, T>(&'s self, matches: impl Fn(&'s Clue<'w>) -> Option<T>) -> Option<T> {
        self.evidence.iter().find_map(|evidence| matches(&evidence.clue))
    }
}

/// The process of an alert.
pub(super) fn actor_of(process: &ProcessFacts<'_>) -> Actor {
    let mut account = process.account.clone();
    account.domain = account.domain.to_lowercase();
    Actor {
        image: process.image.clone(),
        pid: process.pid,
        command: process.command_line.clone(),
        started: process.started,
        parent: process.parent.name.clone(),
        parent_pid: process.parent_pid,
        parent_started: process.parent_started,
        is_elevated: false,
        account,
    }
}
