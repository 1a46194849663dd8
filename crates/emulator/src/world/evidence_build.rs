//! Works out the evidence of an alert, the same each time: nothing of it is stored, so that 20,000 incidents stay small.

use super::{
    catalog::{Tool, Trace},
    company::{Company, Device, Person},
    dice::{Dice, mix, part},
    evidence::{Account, Clue, Evidence, FileFacts, MessageFacts, ProcessFacts},
    incident::Alert,
    terms::{AlertStatus, Classification, Remediation, Role, Severity, Verdict},
    ticks::Ticks,
};

impl Alert {
    /// The evidence of this alert.
    pub(crate) fn evidence<'a>(&self, company: &'a Company) -> Vec<Evidence<'a>> {
        let scene = Scene::of(self, company);
        let traces = self.kind.traces.iter();
        traces.enumerate().map(|(index, trace)| scene.evidence(*trace, index)).collect()
    }

    /// The program that it is about: as a file, as the image of a process, or both.
    pub(crate) fn file(&self) -> Option<FileFacts> {
        let shows = |trace: &Trace| matches!(trace, Trace::File | Trace::Process | Trace::Malware);
        let tool = self.kind.tool?;
        self.kind.traces.iter().any(shows).then(|| tool_file(tool, self.cast))
    }

    /// Addresses that it shows: the attacker's, and the device's where it talks to that one.
    pub(crate) fn addresses(&self, company: &Company) -> Vec<String> {
        let talks = self.kind.traces.contains(&Trace::Connection);
        let mut addresses = Vec::new();
        if talks || self.kind.traces.contains(&Trace::Ip) || self.kind.traces.contains(&Trace::Dns) {
            addresses.push(attacker_ip(self.cast));
        }
        if talks {
            addresses.push(company.devices[usize::from(self.device)].ip.clone());
        }
        addresses
    }

    /// The attacker's domain, where a link or a lookup shows it.
    pub(crate) fn domain(&self) -> Option<String> {
        let shows = |trace: &Trace| matches!(trace, Trace::Url | Trace::Dns);
        self.kind.traces.iter().any(shows).then(|| attacker_domain(self.cast))
    }

    /// The devices that take part.
    pub(crate) fn devices<'a>(&self, company: &'a Company) -> Vec<&'a Device> {
        let shown = self.kind.traces.contains(&Trace::Device);
        if shown { vec![&company.devices[usize::from(self.device)]] } else { Vec::new() }
    }
}

/// Everything that is the same for all traces of one alert.
struct Scene<'a, 'b> {
    alert: &'b Alert,
    company: &'a Company,
    device: &'a Device,
    person: &'a Person,
}

impl<'a> Scene<'a, '_> {
    fn of<'b>(alert: &'b Alert, company: &'a Company) -> Scene<'a, 'b> {
        let device = &company.devices[usize::from(alert.device)];
        let person = &company.people[usize::from(alert.person)];
        Scene { alert, company, device, person }
    }

    fn evidence(&self, trace: Trace, index: usize) -> Evidence<'a> {
        let mut dice = Dice::new(&[self.alert.seed, index as u64]);
        let created = Ticks(self.alert.created.0 + dice.between(1, 40_000_000));
        let (roles, detailed_roles) = roles_of(trace, self.alert.is_real());
        let tags = if trace == Trace::Device && self.device.is_server { vec!["Critical asset"] } else { Vec::new() };
        let clue = self.clue(trace, &mut dice);
        let (verdict, remediation) = self.judgement(trace, &mut dice);
        Evidence { created, verdict, remediation, roles, detailed_roles, tags, clue }
    }

    fn judgement(&self, trace: Trace, dice: &mut Dice) -> (Verdict, Remediation) {
        let is_asset = matches!(trace, Trace::Device | Trace::User | Trace::Mailbox | Trace::CloudApp | Trace::Group);
        let resolved = self.alert.status == AlertStatus::Resolved;
        match (is_asset, self.alert.is_real()) {
            (true, true) => (Verdict::Suspicious, Remediation::Active),
            (true, false) => (Verdict::Unknown, Remediation::None),
            (false, true) if resolved => (Verdict::Malicious, Remediation::Remediated),
            (false, true) => {
                let open = [Remediation::Active, Remediation::PendingApproval, Remediation::None, Remediation::Blocked];
                (Verdict::Malicious, *dice.pick(&open))
            }
            (false, false) if self.alert.classification == Classification::FalsePositive => {
                (Verdict::NoThreatsFound, Remediation::None)
            }
            (false, false) => (Verdict::Suspicious, *dice.pick(&[Remediation::Prevented, Remediation::None])),
        }
    }

    fn clue(&self, trace: Trace, dice: &mut Dice) -> Clue<'a> {
        match trace {
            Trace::Device => Clue::Device { device: self.device, user: self.on_premises() },
            Trace::User => Clue::User(self.account()),
            Trace::Mailbox => Clue::Mailbox(self.account()),
            Trace::Ip => self.ip(),
            Trace::Url => Clue::Url(self.url()),
            Trace::Group => self.group(dice),
            Trace::Message => Clue::Message(Box::new(self.message())),
            Trace::MailCluster => {
                let message = self.message();
                let count = dice.between(1, 40);
                let urn = format!("urn:MailClusterEntityModel:{}", dice.hex(32));
                let (subject, sender_ip) = (message.subject, message.sender_ip);
                Clue::MailCluster { subject, sender_ip, message_ids: vec![message.network_id], count, urn }
            }
            Trace::MailboxRule => Clue::MailboxRule { owner: self.account(), rule_id: dice.hex(16) },
            Trace::Submission => Clue::Submission {
                message: Box::new(self.message()),
                id: dice.guid(),
                submitter: self.person.upn.clone(),
            },
            Trace::File | Trace::Process | Trace::Malware | Trace::RegistryKey | Trace::RegistryValue => {
                self.device_clue(trace, dice)
            }
            Trace::Connection | Trace::Dns | Trace::Session => self.network_clue(trace, dice),
            Trace::CloudApp | Trace::OauthApp | Trace::ServicePrincipal => self.app_clue(trace),
            Trace::AzureResource | Trace::Blob | Trace::Pod => self.azure_clue(trace),
        }
    }

    fn device_clue(&self, trace: Trace, dice: &mut Dice) -> Clue<'a> {
        let machine_id = self.device.machine_id.as_str();
        match trace {
            Trace::Process => Clue::Process(Box::new(self.process(dice))),
            Trace::Malware => {
                let name = self.alert.kind.family.unwrap_or("Unnamed");
                Clue::Malware { name, category: self.alert.category(), file: self.file(), machine_id }
            }
            Trace::RegistryKey => Clue::RegistryKey { hive: "HKEY_CURRENT_USER", key: RUN_KEY },
            Trace::RegistryValue => {
                let file = self.file();
                let value = format!("{}\\{}", file.path, file.name);
                Clue::RegistryValue {
                    hive: "HKEY_CURRENT_USER",
                    key: RUN_KEY,
                    name: "Updater".to_owned(),
                    value,
                    machine_id,
                }
            }
            _ => {
                let on_device = self.alert.kind.traces.contains(&Trace::Device);
                let blocked = self.alert.severity <= Severity::Low;
                Clue::File { file: self.file(), machine_id: on_device.then_some(machine_id), blocked }
            }
        }
    }

    fn network_clue(&self, trace: Trace, dice: &mut Dice) -> Clue<'a> {
        match trace {
            Trace::Dns => Clue::Dns { domain: self.attacker_domain(), addresses: vec![self.attacker_ip()] },
            Trace::Session => {
                let (browser, system): (&&str, &&str) = (dice.pick(BROWSERS), dice.pick(SYSTEMS));
                let (id, account, started) = (dice.guid(), self.account(), self.alert.first_activity);
                Clue::Session { id, account, browser, system, started }
            }
            _ => Clue::Connection {
                from: self.device.ip.clone(),
                to: self.attacker_ip(),
                port: *dice.pick(&[443, 445, 8443]),
            },
        }
    }

    fn app_clue(&self, trace: Trace) -> Clue<'a> {
        let mut cast = Dice::new(&[self.alert.cast, 3]);
        let name = *cast.pick(&["Mail Archive Sync", "QuickSign Companion", "Team Calendar Bridge"]);
        let (app_id, object_id, owner_tenant) = (cast.guid(), cast.guid(), cast.guid());
        match trace {
            Trace::OauthApp => Clue::OauthApp { name, app_id, object_id, publisher: "Unverified Publisher" },
            Trace::ServicePrincipal => Clue::ServicePrincipal { name, app_id, object_id, owner_tenant },
            // The number of Exchange Online in Defender for Cloud Apps (M).
            _ => Clue::CloudApp { name: "Microsoft Exchange Online", app_id: 20_893 },
        }
    }

    fn azure_clue(&self, trace: Trace) -> Clue<'a> {
        let group = format!("/subscriptions/{}/resourceGroups/rg-prod/providers", self.company.subscription_id);
        let short = self.company.nt_domain.to_lowercase();
        match trace {
            Trace::Blob => {
                let url = format!("https://{short}archive.storage.example/contracts/2026-plan.xlsx");
                let storage = format!("{group}/Microsoft.Storage/storageAccounts/{short}archive");
                let sha256 = Dice::new(&[self.alert.cast, 4]).hex(64);
                Clue::Blob {
                    name: "2026-plan.xlsx".to_owned(),
                    container: "contracts".to_owned(),
                    url,
                    storage,
                    sha256,
                }
            }
            Trace::Pod => Clue::Pod {
                name: format!("builder-{}", Dice::new(&[self.alert.seed, 5]).hex(5)),
                namespace: "ci",
                image: format!("registry.{}/ci/builder:4", self.company.domain),
                cluster: format!("{group}/Microsoft.ContainerService/managedClusters/aks-{short}"),
            },
            _ => {
                let name = format!("{short}archive");
                let id = format!("{group}/Microsoft.Storage/storageAccounts/{name}");
                Clue::AzureResource { id, kind: "Microsoft.Storage/storageAccounts", name }
            }
        }
    }

    fn account(&self) -> Account {
        let person = self.person;
        Account {
            name: person.account.clone(),
            domain: self.company.domain.to_owned(),
            display_name: Some(person.display_name.clone()),
            sid: Some(person.sid.clone()),
            object_id: Some(person.object_id.clone()),
            ad_guid: Some(person.ad_guid.clone()),
            upn: Some(person.upn.clone()),
        }
    }

    fn on_premises(&self) -> Account {
        Account { domain: self.company.nt_domain.to_owned(), ..self.account() }
    }

    fn ip(&self) -> Clue<'a> {
        let mut cast = Dice::new(&[self.alert.cast, 1]);
        let (country, city) =
            *cast.pick(&[("NL", "Amsterdam"), ("US", "Ashburn"), ("SE", "Stockholm"), ("SG", "Singapore")]);
        Clue::Ip { address: self.attacker_ip(), country, city }
    }

    fn attacker_ip(&self) -> String {
        attacker_ip(self.alert.cast)
    }

    fn attacker_domain(&self) -> String {
        attacker_domain(self.alert.cast)
    }

    fn url(&self) -> String {
        let mut cast = Dice::new(&[self.alert.cast, 7]);
        format!("https://{}/{}?d={}", self.attacker_domain(), cast.pick(&["signin", "doc", "view"]), cast.hex(8))
    }

    fn message(&self) -> MessageFacts {
        let mut dice = Dice::new(&[self.alert.cast, u64::from(self.alert.person), 8]);
        let sender_domain = self.attacker_domain();
        MessageFacts {
            network_id: dice.guid(),
            internet_id: format!("<{}@{sender_domain}>", dice.hex(20)),
            subject: (*dice.pick(SUBJECTS)).to_owned(),
            sender: format!("accounts@{sender_domain}"),
            sender_name: "Accounts Team",
            sender_ip: self.attacker_ip(),
            sender_domain,
            recipient: self.person.upn.clone(),
            received: self.alert.first_activity.plus_s(-dice.between(60, 5_400)),
            urls: vec![self.url()],
            urn: format!("urn:MailEntityModel:{}", dice.hex(32)),
            delivered: self.alert.severity > Severity::Informational,
        }
    }

    fn file(&self) -> FileFacts {
        match self.alert.kind.tool {
            Some(tool) => tool_file(tool, self.alert.cast),
            None => FileFacts {
                name: "Budget 2027.xlsx".to_owned(),
                path: format!("https://{}.sharepoint.example/finance", self.company.nt_domain.to_lowercase()),
                sha256: Some(Dice::new(&[self.alert.cast, 9]).hex(64)),
                size: 88_123,
                ..FileFacts::default()
            },
        }
    }

    fn process(&self, dice: &mut Dice) -> ProcessFacts<'a> {
        let started = Ticks(self.alert.first_activity.0 + dice.between(0, 9_999_999));
        let parent = self.alert.kind.tool.map_or("services.exe", |tool| tool.parent);
        ProcessFacts {
            image: self.file(),
            parent: FileFacts {
                name: parent.to_owned(),
                path: "C:\\Windows\\System32".to_owned(),
                size: 731_744,
                publisher: Some("Microsoft Corporation"),
                ..FileFacts::default()
            },
            pid: dice.between(1_000, 20_000),
            parent_pid: dice.between(400, 9_000),
            started,
            parent_started: started.plus_s(-dice.between(30, 90_000)),
            command_line: self.alert.kind.tool.map_or_else(String::new, |tool| tool.command_line.to_owned()),
            account: self.on_premises(),
            machine_id: &self.device.machine_id,
        }
    }

    fn group(&self, dice: &mut Dice) -> Clue<'a> {
        let name = *dice.pick(&["Backup Operators", "Domain Admins", "Server Admins"]);
        let (first, second) = self.company.domain.split_once('.').unwrap_or((self.company.domain, "example"));
        Clue::Group {
            name,
            id: dice.guid(),
            sid: format!("{}-512", self.company.domain_sid),
            distinguished_name: format!("CN={name},CN=Users,DC=corp,DC={first},DC={second}"),
        }
    }
}

/// From the ranges for documentation (RFC 5737), the same for all alerts of one intrusion.
fn attacker_ip(cast: u64) -> String {
    let mut cast = Dice::new(&[cast, 2]);
    format!("{}.{}", cast.pick(&["192.0.2", "198.51.100", "203.0.113"]), cast.between(2, 250))
}

fn attacker_domain(cast: u64) -> String {
    let mut cast = Dice::new(&[cast, 6]);
    let (first, second) = (*cast.pick(LURE_FIRST), *cast.pick(LURE_SECOND));
    format!("{first}-{second}.test")
}

fn tool_file(tool: &Tool, cast: u64) -> FileFacts {
    // An attacker's program is built anew for each intrusion.
    match tool.publisher {
        Some(publisher) => vendor_file(tool.file, tool.folder, tool.size, publisher),
        None => {
            FileFacts { publisher: None, ..built(mix(&[cast, part(tool.file)]), tool.file, tool.folder, tool.size) }
        }
    }
}

/// A program that somebody publishes: its hashes are the same wherever it runs.
pub(crate) fn vendor_file(name: &str, folder: &str, size: i64, publisher: &'static str) -> FileFacts {
    FileFacts { publisher: Some(publisher), ..built(part(name), name, folder, size) }
}

fn built(build: u64, name: &str, folder: &str, size: i64) -> FileFacts {
    let mut dice = Dice::new(&[build]);
    FileFacts {
        name: name.to_owned(),
        path: folder.to_owned(),
        sha1: Some(dice.hex(40)),
        sha256: Some(dice.hex(64)),
        md5: Some(dice.hex(32)),
        size,
        publisher: None,
    }
}

fn roles_of(trace: Trace, is_real: bool) -> (Vec<Role>, Vec<&'static str>) {
    match (trace, is_real) {
        (Trace::Device, true) => (vec![Role::Compromised], vec!["Main device"]),
        (Trace::Device, false) => (vec![Role::Contextual], vec!["Main device"]),
        (Trace::User | Trace::Mailbox, true) => (vec![Role::Compromised], Vec::new()),
        (Trace::Ip, true) => (vec![Role::Attacker, Role::CommandAndControl], Vec::new()),
        (Trace::Url | Trace::Dns, true) => (vec![Role::Suspicious], Vec::new()),
        (Trace::Message, _) => (vec![Role::Source], Vec::new()),
        (Trace::Group | Trace::AzureResource, true) => (vec![Role::Attacked], Vec::new()),
        _ => (Vec::new(), Vec::new()),
    }
}

const RUN_KEY: &str = "SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Run";
const BROWSERS: &[&str] = &["Edge 141.0", "Firefox 144.0", "Chrome 141.0"];
const SYSTEMS: &[&str] = &["Windows 11", "Linux", "Android 15"];
const LURE_FIRST: &[&str] = &["secure", "invoice", "portal", "docs", "billing", "cloud"];
const LURE_SECOND: &[&str] = &["review", "delivery", "signing", "statement", "share", "verify"];
const SUBJECTS: &[&str] = &[
    "Invoice 40817 is overdue",
    "Your mailbox is almost full",
    "Updated crew list",
    "Signature needed: harbour contract",
    "[EXTERNAL] Payment advice",
    "Shared with you: salary review",
];
