//! The people and devices of one invented company.

use super::{
    dice::{Dice, part},
    machine::MachineState,
    ticks::Ticks,
};

/// Whose incidents these are. 60 people, 40 devices, one network, domains below `.example`.
#[derive(Debug)]
pub(crate) struct Company {
    pub name: &'static str,
    /// Mail and sign-in domain.
    pub domain: &'static str,
    /// NetBIOS name of the on-premises domain.
    pub nt_domain: &'static str,
    pub people: Vec<Person>,
    pub devices: Vec<Device>,
    /// Security identifier of the on-premises domain; people append their number.
    pub domain_sid: String,
    pub subscription_id: String,
}

/// A person with an account and a mailbox.
#[derive(Debug)]
pub(crate) struct Person {
    pub display_name: String,
    /// Account name, the part before `@`.
    pub account: String,
    pub upn: String,
    pub department: &'static str,
    pub object_id: String,
    pub ad_guid: String,
    pub sid: String,
}

/// An onboarded device.
#[derive(Debug)]
pub(crate) struct Device {
    /// 40 hex digits.
    pub machine_id: String,
    pub aad_device_id: String,
    pub host_name: String,
    pub dns_name: String,
    pub os_platform: &'static str,
    pub version: &'static str,
    pub os_build: i64,
    pub is_server: bool,
    pub ip: String,
    pub group_name: &'static str,
    pub group_id: i32,
    pub first_seen: Ticks,
    /// Index into `Company::people`.
    pub owner: usize,
    pub vm_id: String,
    /// What orders, people and its own fate have made of it.
    pub state: MachineState,
}

impl Company {
    /// The company of a tenant. The home tenant of the cloud is always the first one of the list.
    pub(crate) fn found(seed: u64, tenant: &str, is_home: bool, start: Ticks) -> Self {
        let mut dice = Dice::new(&[seed, part(tenant), 1]);
        let (name, domain, nt_domain) = if is_home { NAMES[0] } else { *dice.pick(&NAMES[1..]) };
        let domain_sid = format!(
            "S-1-5-21-{}-{}-{}",
            dice.between(1_000_000_000, 2_147_483_647),
            dice.between(1_000_000_000, 2_147_483_647),
            dice.between(1_000_000_000, 2_147_483_647)
        );
        let people = hire(&mut dice, domain, &domain_sid);
        let devices = equip(&mut dice, domain, nt_domain, start);
        Self { name, domain, nt_domain, people, devices, domain_sid, subscription_id: dice.guid() }
    }
}

fn hire(dice: &mut Dice, domain: &str, domain_sid: &str) -> Vec<Person> {
    let mut people: Vec<Person> = Vec::with_capacity(PEOPLE_COUNT);
    while people.len() < PEOPLE_COUNT {
        let (given, family) = (*dice.pick(GIVEN_NAMES), *dice.pick(FAMILY_NAMES));
        let account = format!("{}.{}", given.to_lowercase(), family.to_lowercase());
        if people.iter().any(|person| person.account == account) {
            continue; // Far more name pairs than people: this ends.
        }
        people.push(Person {
            display_name: format!("{given} {family}"),
            upn: format!("{account}@{domain}"),
            account,
            department: DEPARTMENTS[people.len() % DEPARTMENTS.len()],
            object_id: dice.guid(),
            ad_guid: dice.guid(),
            sid: format!("{domain_sid}-{}", 1_100 + people.len()),
        });
    }
    people
}

fn equip(dice: &mut Dice, domain: &str, nt_domain: &str, start: Ticks) -> Vec<Device> {
    let prefix: String = nt_domain.chars().take(3).collect();
    (0..DEVICE_COUNT)
        .map(|index| {
            let (kind, os_platform, version, os_build, group_name, group_id) = MODELS[MODEL_OF[index % MODEL_OF.len()]];
            let is_server = kind == "SRV" || kind == "DC" || kind == "LNX";
            let host_name = format!("{prefix}-{kind}-{:02}", index + 1).to_lowercase();
            Device {
                machine_id: dice.hex(40),
                aad_device_id: dice.guid(),
                dns_name: format!("{host_name}.corp.{domain}"),
                host_name,
                os_platform,
                version,
                os_build,
                is_server,
                ip: format!("10.{}.{}.{}", 20 + group_id, index / 16, 10 + index),
                group_name,
                group_id,
                first_seen: Ticks(start.plus_s(-dice.between(40, 700) * 86_400).0 + dice.between(0, 9_999_999)),
                owner: (index * 7 + 3) % PEOPLE_COUNT,
                vm_id: dice.guid(),
                state: MachineState::default(),
            }
        })
        .collect()
}

pub(crate) const PEOPLE_COUNT: usize = 60;
pub(crate) const DEVICE_COUNT: usize = 40;

/// Name, domain, NetBIOS name. All invented.
const NAMES: &[(&str, &str, &str)] = &[
    ("Halden Marine", "haldenmarine.example", "HALDEN"),
    ("Orrin Valley Foods", "orrinvalley.example", "ORRIN"),
    ("Castellan Rail Works", "castellanrail.example", "CASTELLAN"),
    ("Brightmoor Clinics", "brightmoor.example", "BRIGHTMOOR"),
    ("Tallow and Finch Insurance", "tallowfinch.example", "TALLOWFINCH"),
    ("Nordgren Timber", "nordgrentimber.example", "NORDGREN"),
    ("Quillon Instruments", "quillon.example", "QUILLON"),
];

const DEPARTMENTS: &[&str] = &[
    "Finance",
    "Operations",
    "Engineering",
    "Sales",
    "Legal",
    "IT",
    "Human Resources",
    "Procurement",
    "Logistics",
    "Management",
];

/// Name part, osPlatform, version, build, device group and its id.
const MODELS: &[(&str, &str, &str, i64, &str, i32)] = &[
    ("WS", "Windows11", "24H2", 26_100, "Workstations", 11),
    ("LT", "Windows11", "23H2", 22_631, "Laptops", 12),
    ("WS", "Windows10", "22H2", 19_045, "Workstations", 11),
    ("SRV", "WindowsServer2022", "21H2", 20_348, "Servers", 13),
    ("DC", "WindowsServer2019", "1809", 17_763, "Domain controllers", 14),
    ("LNX", "Linux", "Other", 0, "Servers", 13),
    ("MAC", "macOS", "Other", 0, "Laptops", 12),
];

const MODEL_OF: [usize; 20] = [0, 1, 0, 2, 1, 3, 0, 1, 4, 0, 5, 1, 0, 2, 1, 6, 0, 3, 1, 0];

const GIVEN_NAMES: &[&str] = &[
    "Agnes", "Birger", "Celine", "Darius", "Elif", "Farid", "Greta", "Hamza", "Ilse", "Jonas", "Katya", "Leopold",
    "Mireille", "Nadim", "Ottilie", "Pavel", "Quentin", "Rosalind", "Sunniva", "Tobias", "Ulrika", "Vikram", "Wanda",
    "Ximena", "Yusuf", "Zelda",
];

const FAMILY_NAMES: &[&str] = &[
    "Abara",
    "Brandvold",
    "Castellane",
    "Drummond",
    "Ekstrom",
    "Fennimore",
    "Grieg",
    "Hollander",
    "Ibsen",
    "Jansen",
    "Kovac",
    "Lindqvist",
    "Moreau",
    "Nakamura",
    "Oyelaran",
    "Petrov",
    "Quist",
    "Rasmussen",
    "Sato",
    "Thorsen",
    "Ude",
    "Varga",
    "Wexler",
    "Yilmaz",
    "Zamora",
];
