//! What happens in a simulated company, day by day: intrusions that unfold, and noise.

use super::{
    action_course::Turn,
    catalog::{self, AlertKind},
    company::{DEVICE_COUNT, PEOPLE_COUNT},
    dice::{Dice, mix},
    incident::{AlertPlan, Comment, World},
    log::Happening,
    terms::{AlertStatus, Classification, Determination, IncidentStatus},
    ticks::Ticks,
};

/// Something that will happen at its time.
#[derive(Debug)]
pub(super) enum Step {
    Open { thread: u64, title: &'static str, campaign: Option<String>, what: &'static str, tag: Option<&'static str> },
    Raise { thread: u64, alert: AlertPlan },
    Merge { from: u64, into: u64 },
    Triage { thread: u64, to: &'static str, comment: &'static str },
    Escalate { thread: u64 },
    Resolve { thread: u64, classification: Classification, determination: Determination },
    Act { action: usize, turn: Turn },
    Conclude { investigation: u64 },
}

/// An incident that reads find only later than its own times say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LateIncident {
    pub visible_from: Ticks,
    pub updated: Ticks,
}

impl World {
    /// Adds incidents of the usual kinds, created one after the other within `spread_s` seconds that end now.
    pub(crate) fn generate(&mut self, count: usize, spread_s: i64) -> Vec<u64> {
        let mut dice = Dice::new(&[self.seed, 21, self.all_incidents().len() as u64]);
        let (now, span) = (self.now(), Ticks(0).plus_s(spread_s.max(0)).0);
        let mut ids = Vec::with_capacity(count);
        for index in 0..count {
            let behind = i128::from(span) * (count - 1 - index) as i128 / count.max(1) as i128;
            let at = Ticks(now.0 - i64::try_from(behind).unwrap_or(0));
            ids.push(self.generate_one(&mut dice, at));
        }
        ids
    }

    /// Adds an incident that becomes visible later than its `lastUpdateTime` says.
    pub(crate) fn generate_late(&mut self, late: LateIncident) -> u64 {
        let mut dice = Dice::new(&[self.seed, 22, self.all_incidents().len() as u64]);
        let id = self.generate_one(&mut dice, late.updated.plus_s(-60));
        let alerts = self.all_incidents().last().map(|incident| incident.alerts.clone()).unwrap_or_default();
        for position in alerts {
            self.alerts[position as usize].updated = late.updated;
        }
        if let Some(incident) = self.incident_mut(id) {
            incident.updated = late.updated;
            incident.visible_from = late.visible_from;
        }
        id
    }

    /// Adds incidents whose creations and last updates, and those of their alerts, are one and the same instant.
    pub(crate) fn generate_at_once(&mut self, count: usize) -> Vec<u64> {
        let (ids, now) = (self.generate(count, 0), self.now());
        for id in &ids {
            let Some(incident) = self.incident_mut(*id) else { continue };
            // Created and updated now, as a spread of zero has it; only the alerts lie somewhat around it.
            for position in incident.alerts.clone() {
                let alert = &mut self.alerts[position as usize];
                (alert.created, alert.updated) = (now, now);
            }
        }
        ids
    }

    fn generate_one(&mut self, dice: &mut Dice, at: Ticks) -> u64 {
        let noise = dice.pick(NOISE);
        let id = self.open(noise.title, at, None, noise.what);
        for plan in noise.alerts(dice) {
            self.raise(id, at, plan);
        }
        id
    }

    pub(super) fn schedule(&mut self, at: Ticks, step: Step) {
        self.step_count += 1;
        self.pending.insert((at, self.step_count), step);
    }
}

/// Puts the steps of one day of the story into the queue. `day` counts from the cloud's start.
pub(super) fn plan_day(world: &mut World, day: i64) {
    let mut dice = Dice::new(&[world.seed, 31, mix(&[day.unsigned_abs(), u64::from(day < 0)])]);
    let dawn = world.start.plus_s(day * 86_400);
    let base_thread = mix(&[world.seed, 32, day.unsigned_abs(), u64::from(day < 0)]);
    match (day + HISTORY_DAYS).rem_euclid(CAMPAIGN_CYCLE_DAYS) {
        2 => plan_ransomware(world, &mut dice, dawn, base_thread),
        9 => plan_oauth_app(world, &mut dice, dawn, base_thread),
        _ => {}
    }
    let count = 1 + dice.below(2) + usize::from(dice.percent(25));
    for number in 0..count {
        let at = Ticks(dawn.plus_s(dice.between(600, 80_000)).0 + dice.between(0, 9_999_999));
        plan_noise(world, &mut dice, at, mix(&[base_thread, number as u64]));
    }
}

/// Lets one step happen.
pub(super) fn play(world: &mut World, at: Ticks, step: Step) {
    match step {
        Step::Open { thread, title, campaign, what, tag } => {
            let id = world.open(title, at, campaign, what);
            world.threads.insert(thread, id);
            if let (Some(tag), Some(incident)) = (tag, world.incident_mut(id)) {
                incident.system_tags.push(tag);
            }
        }
        Step::Raise { thread, alert } => {
            if let Some(id) = world.threads.get(&thread).copied() {
                world.raise(id, at, alert);
            }
        }
        Step::Merge { from, into } => {
            if let (Some(from), Some(into)) = (world.threads.get(&from).copied(), world.threads.get(&into).copied()) {
                // Fails only where an administrator merged them first; the story is then as it should be.
                let _already_merged = world.merge_at(from, into, at);
            }
        }
        Step::Triage { thread, to, comment } => triage(world, thread, at, to, comment),
        Step::Escalate { thread } => {
            if let Some(incident) = untouched(world, thread) {
                incident.status = IncidentStatus::AwaitingAction;
                incident.modified_by = "Microsoft Defender Experts".to_owned();
                incident.updated = incident.updated.max(at);
            }
        }
        Step::Resolve { thread, classification, determination } => {
            resolve(world, thread, at, classification, determination);
        }
        Step::Act { action, turn } => world.act(at, action, turn),
        Step::Conclude { investigation } => world.conclude(at, investigation),
    }
}

/// The incident of a thread unless a caller has changed its status already: people go before the story.
fn untouched(world: &mut World, thread: u64) -> Option<&mut super::incident::Incident> {
    let id = world.threads.get(&thread).copied()?;
    world.incident_mut(id).filter(|incident| incident.status == IncidentStatus::Active)
}

fn triage(world: &mut World, thread: u64, at: Ticks, to: &'static str, comment: &'static str) {
    let analyst = format!("{to}@{}", world.company.domain);
    if let Some(incident) = untouched(world, thread) {
        incident.status = IncidentStatus::InProgress;
        incident.assigned_to = Some(analyst.clone());
        incident.comments.push(Comment { text: comment.to_owned(), by: analyst.clone(), at });
        incident.modified_by.clone_from(&analyst);
        incident.updated = incident.updated.max(at);
        let incident = incident.id;
        world.note(at, Happening::IncidentChanged { incident, by: analyst });
    }
}

fn resolve(world: &mut World, thread: u64, at: Ticks, class: Classification, determination: Determination) {
    let Some(incident) = untouched(world, thread) else { return };
    incident.status = IncidentStatus::Resolved;
    incident.classification = class;
    incident.determination = determination;
    incident.modified_by = "Automation".to_owned();
    incident.updated = incident.updated.max(at);
    let (id, positions) = (incident.id, incident.alerts.clone());
    world.risks_are_stale = true;
    world.note(at, Happening::IncidentChanged { incident: id, by: "Automation".to_owned() });
    for position in positions {
        world.note(at, Happening::AlertChanged { alert: position, by: "Automation".to_owned() });
        let alert = &mut world.alerts[position as usize];
        alert.status = AlertStatus::Resolved;
        alert.classification = class;
        alert.determination = determination;
        alert.assigned_to = Some("Automation".to_owned());
        alert.resolved = Some(at);
        alert.updated = alert.updated.max(at);
    }
}

/// Phish, stolen credentials, moves through the network, and the hours before encryption: about six days.
fn plan_ransomware(world: &mut World, dice: &mut Dice, dawn: Ticks, thread: u64) {
    let (mail, main) = (mix(&[thread, 101]), mix(&[thread, 102]));
    let campaign = format!("ransomware precursor {}", &dice.hex(6));
    let cast = dice.number();
    let victim = person(dice);
    let admin = person(dice);
    let (first, second, server) = (workstation(world, dice), workstation(world, dice), server(world, dice));
    world.schedule(
        dawn,
        Step::Open {
            thread: mail,
            title: "Phishing campaign that reached several mailboxes",
            campaign: Some(campaign.clone()),
            what: "A phishing wave brought the attacker the password of one employee.",
            tag: Some("Credential Phish"),
        },
    );
    let mut at = dawn;
    for (kind, hours, who, device) in PHISH_ACT {
        at = later(dice, at, *hours);
        let reader = if *who == 0 { person(dice) } else { victim };
        raise(world, at, mail, kind, [first, second, server][*device], reader, cast);
    }
    let opening = later(dice, at, 5);
    world.schedule(
        opening,
        Step::Open {
            thread: main,
            title: "Multi-stage incident involving Initial access & Lateral movement on multiple endpoints",
            campaign: Some(campaign),
            what: "The attacker works by hand through the network and prepares to encrypt it.",
            tag: Some("Attack disruption"),
        },
    );
    at = opening;
    for (kind, hours, who, device) in NETWORK_ACT {
        at = later(dice, at, *hours);
        raise(world, at, main, kind, [first, second, server][*device], [victim, admin][*who], cast);
        if std::ptr::eq(*kind, &raw const catalog::KERBEROAST) {
            world.schedule(at.plus_s(1_200), Step::Merge { from: mail, into: main });
        }
    }
}

/// A malicious OAuth app: consent, mail reads, a secret of its own, files.
fn plan_oauth_app(world: &mut World, dice: &mut Dice, dawn: Ticks, thread: u64) {
    let campaign = format!("malicious app {}", &dice.hex(6));
    let (cast, victim) = (dice.number(), person(dice));
    let device = workstation(world, dice);
    world.schedule(
        dawn,
        Step::Open {
            thread,
            title: "Consent to a malicious OAuth application",
            campaign: Some(campaign),
            what: "An employee gave a malicious app access to the mailbox; it reads mail and copies files.",
            tag: None,
        },
    );
    let mut at = dawn;
    for (kind, hours) in APP_ACT {
        at = later(dice, at, *hours);
        raise(world, at, thread, kind, device, victim, cast);
    }
    world.schedule(at.plus_s(9_000), Step::Escalate { thread });
}

fn plan_noise(world: &mut World, dice: &mut Dice, at: Ticks, thread: u64) {
    let noise = dice.pick(NOISE);
    world.schedule(at, Step::Open { thread, title: noise.title, campaign: None, what: noise.what, tag: None });
    let mut moment = at;
    for alert in noise.alerts(dice) {
        world.schedule(moment, Step::Raise { thread, alert });
        moment = moment.plus_s(dice.between(20, 20_000));
    }
    if dice.percent(30) {
        world.schedule(moment.plus_s(3_000), Step::Triage { thread, to: "soc.first", comment: "Looking into it." });
    } else if let (Some((classification, determination)), true) = (noise.verdict, dice.percent(60)) {
        let resolved = moment.plus_s(dice.between(4_000, 90_000));
        world.schedule(resolved, Step::Resolve { thread, classification, determination });
    }
}

fn raise(world: &mut World, at: Ticks, thread: u64, kind: &'static AlertKind, device: u16, person: u16, cast: u64) {
    world.schedule(at, Step::Raise { thread, alert: AlertPlan { kind, device, person, cast, real: true } });
}

/// About `hours` after `at`.
fn later(dice: &mut Dice, at: Ticks, hours: i64) -> Ticks {
    Ticks(at.plus_s(hours * dice.between(2_700, 4_500)).0 + dice.between(1, 9_999_999))
}

fn person(dice: &mut Dice) -> u16 {
    u16::try_from(dice.below(PEOPLE_COUNT)).unwrap_or(0)
}

fn workstation(world: &World, dice: &mut Dice) -> u16 {
    device(world, dice, false)
}

fn server(world: &World, dice: &mut Dice) -> u16 {
    device(world, dice, true)
}

fn device(world: &World, dice: &mut Dice, is_server: bool) -> u16 {
    let fitting: Vec<usize> =
        (0..DEVICE_COUNT).filter(|at| world.company.devices[*at].is_server == is_server).collect();
    u16::try_from(*dice.pick(&fitting)).unwrap_or(0)
}

/// An incident that is no intrusion.
struct Noise {
    title: &'static str,
    what: &'static str,
    kinds: &'static [&'static AlertKind],
    /// Alerts at most; at least one.
    alert_count_max: usize,
    verdict: Option<(Classification, Determination)>,
}

impl Noise {
    fn alerts(&self, dice: &mut Dice) -> Vec<AlertPlan> {
        let cast = dice.number();
        let (device, reader) = (u16::try_from(dice.below(DEVICE_COUNT)).unwrap_or(0), person(dice));
        let count = 1 + dice.below(self.alert_count_max);
        (0..count)
            .map(|number| AlertPlan {
                kind: self.kinds[number % self.kinds.len()],
                device,
                person: if number == 0 { reader } else { person(dice) },
                cast,
                real: false,
            })
            .collect()
    }
}

/// Days of the story that lie behind when the cloud starts.
pub(super) const HISTORY_DAYS: i64 = 30;
/// An intrusion of each kind starts once in this many days.
const CAMPAIGN_CYCLE_DAYS: i64 = 13;

/// Kind, hours after the one before, 0 = any reader and 1 = the victim, which device.
static PHISH_ACT: &[(&AlertKind, i64, usize, usize)] = &[
    (&catalog::PHISH_DELIVERED, 1, 0, 0),
    (&catalog::PHISH_DELIVERED, 1, 0, 0),
    (&catalog::PHISH_CLICK, 2, 1, 0),
    (&catalog::UNFAMILIAR_SIGN_IN, 6, 1, 0),
    (&catalog::ANONYMOUS_IP, 3, 1, 0),
    (&catalog::INBOX_RULE, 2, 1, 0),
];

/// Kind, hours after the one before, 0 = the victim and 1 = the administrator, which device.
static NETWORK_ACT: &[(&AlertKind, i64, usize, usize)] = &[
    (&catalog::LOADER_RUN, 1, 0, 0),
    (&catalog::POWERSHELL_RUN, 1, 0, 0),
    (&catalog::RUN_KEY, 2, 0, 0),
    (&catalog::BEACON, 4, 0, 0),
    (&catalog::AD_SCOUT, 9, 0, 0),
    (&catalog::LSASS, 7, 0, 0),
    (&catalog::KERBEROAST, 11, 0, 0),
    (&catalog::PASS_THE_HASH, 8, 1, 1),
    (&catalog::REMOTE_SERVICE, 5, 1, 1),
    (&catalog::TAMPER, 3, 1, 1),
    (&catalog::REMOTE_SERVICE, 12, 1, 2),
    (&catalog::GROUP_CHANGE, 6, 1, 2),
    (&catalog::EXFILTRATION, 14, 1, 2),
    (&catalog::HANDS_ON, 4, 1, 2),
    (&catalog::SHADOW_COPIES, 9, 1, 2),
];

/// Kind and hours after the one before.
static APP_ACT: &[(&AlertKind, i64)] = &[
    (&catalog::CONSENT, 2),
    (&catalog::APP_MAIL_ACCESS, 20),
    (&catalog::APP_CREDENTIAL, 26),
    (&catalog::APP_MAIL_ACCESS, 18),
    (&catalog::BLOB_DOWNLOAD, 15),
];

static NOISE: &[Noise] = &[
    Noise {
        title: "Unwanted software on one endpoint",
        what: "An employee installed a free program that brings advertising along.",
        kinds: &[&catalog::PUA, &catalog::SMARTSCREEN],
        alert_count_max: 3,
        verdict: Some((Classification::TruePositive, Determination::UnwantedSoftware)),
    },
    Noise {
        title: "Antivirus test file on one endpoint",
        what: "The help desk checks antivirus with a test file.",
        kinds: &[&catalog::EICAR],
        alert_count_max: 2,
        verdict: Some((Classification::Expected, Determination::SecurityTesting)),
    },
    Noise {
        title: "Failed sign-ins of one account",
        what: "A phone kept trying an old password.",
        kinds: &[&catalog::FAILED_LOGONS],
        alert_count_max: 4,
        verdict: Some((Classification::FalsePositive, Determination::NotMalicious)),
    },
    Noise {
        title: "Network scan inside the company",
        what: "The weekly run of the vulnerability scanner.",
        kinds: &[&catalog::PORT_SCAN],
        alert_count_max: 4,
        verdict: Some((Classification::Expected, Determination::ConfirmedActivity)),
    },
    Noise {
        title: "Suspicious behavior of a company program",
        what: "The company's own planning program rewrites many files when it syncs.",
        kinds: &[&catalog::LOB_FALSE],
        alert_count_max: 3,
        verdict: Some((Classification::Expected, Determination::LineOfBusinessApplication)),
    },
    Noise {
        title: "Email reported by user as malware or phish",
        what: "An employee reported a newsletter.",
        kinds: &[&catalog::REPORTED_MAIL],
        alert_count_max: 3,
        verdict: Some((Classification::FalsePositive, Determination::NotMalicious)),
    },
    Noise {
        title: "Phishing simulation",
        what: "The awareness training sends its test mails.",
        kinds: &[&catalog::TEST_MAIL],
        alert_count_max: 6,
        verdict: Some((Classification::Expected, Determination::SecurityTesting)),
    },
    Noise {
        title: "Impossible travel activity involving one user",
        what: "An employee works over the company's VPN exit in another country.",
        kinds: &[&catalog::IMPOSSIBLE_TRAVEL, &catalog::UNFAMILIAR_SIGN_IN],
        alert_count_max: 2,
        verdict: Some((Classification::FalsePositive, Determination::NotEnoughData)),
    },
    Noise {
        title: "DLP policy match for a shared document",
        what: "Finance shares its budget with the auditor, as agreed.",
        kinds: &[&catalog::DLP_MATCH],
        alert_count_max: 3,
        verdict: Some((Classification::Expected, Determination::ConfirmedActivity)),
    },
    Noise {
        title: "Privileged container on one cluster",
        what: "The nightly build needs rights on its node.",
        kinds: &[&catalog::PRIVILEGED_POD],
        alert_count_max: 2,
        verdict: None,
    },
    Noise {
        title: "Rare administrative sign-in",
        what: "An administrator travels.",
        kinds: &[&catalog::SENTINEL_RULE, &catalog::IMPOSSIBLE_TRAVEL],
        alert_count_max: 3,
        verdict: None,
    },
];
