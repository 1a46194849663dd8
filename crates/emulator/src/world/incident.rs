//! One tenant's incidents and alerts, and how the passing of time adds to them.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::Arc,
};

use super::{
    account::AccountState,
    action::MachineAction,
    action_course::Pace,
    catalog::{AlertKind, Trace},
    company::Company,
    dice::{Dice, mix, part},
    indicator::Indicators,
    investigation::OrderedInvestigation,
    library::LibraryFile,
    log::{Event, Happening},
    story::{self, Step},
    terms::{AlertStatus, Classification, Determination, IncidentStatus, InvestigationState, ServiceSource, Severity},
    ticks::Ticks,
};

/// A comment on an incident or alert.
#[derive(Clone, Debug)]
pub(crate) struct Comment {
    pub text: String,
    pub by: String,
    pub at: Ticks,
}

/// An incident; it exists once and each API shows it in its own shape.
#[derive(Debug)]
pub(crate) struct Incident {
    pub id: u64,
    pub title: String,
    pub created: Ticks,
    pub updated: Ticks,
    /// Not found by any read before this instant (late indexing).
    pub visible_from: Ticks,
    pub status: IncidentStatus,
    pub severity: Severity,
    pub classification: Classification,
    pub determination: Determination,
    pub assigned_to: Option<String>,
    pub tags: Vec<String>,
    pub system_tags: Vec<&'static str>,
    pub comments: Vec<Comment>,
    pub resolving_comment: Option<String>,
    pub summary: Option<String>,
    pub modified_by: String,
    pub redirect: Option<u64>,
    /// Positions in `World::alerts`.
    pub alerts: Vec<u32>,
    /// Ground truth: the intrusion that this belongs to, if it is one.
    pub campaign: Option<String>,
    /// Ground truth: what happened.
    pub what: &'static str,
}

/// An alert.
#[derive(Debug)]
pub(crate) struct Alert {
    pub id: Box<str>,
    pub kind: &'static AlertKind,
    pub incident: u64,
    /// Index into the company's devices and people.
    pub device: u16,
    pub person: u16,
    /// Same for all alerts of one intrusion: the attacker's addresses and files derive from it.
    pub cast: u64,
    pub seed: u64,
    pub created: Ticks,
    pub updated: Ticks,
    pub first_activity: Ticks,
    pub last_activity: Ticks,
    pub resolved: Option<Ticks>,
    pub status: AlertStatus,
    pub severity: Severity,
    pub classification: Classification,
    pub determination: Determination,
    pub assigned_to: Option<String>,
    pub comments: Vec<Comment>,
    /// What orders have made of its investigation, and that one's number; `None`: as it was drawn.
    pub investigation: Option<(InvestigationState, Option<u64>)>,
    /// In whose words it speaks, where a caller created it.
    pub custom: Option<Box<CustomWords>>,
    pub real: bool,
}

/// What a caller says of an alert that it creates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CustomWords {
    pub title: String,
    pub description: String,
    pub recommended: String,
    pub category: &'static str,
}

/// What a new alert is made from.
#[derive(Clone, Copy, Debug)]
pub(super) struct AlertPlan {
    pub kind: &'static AlertKind,
    pub device: u16,
    pub person: u16,
    pub cast: u64,
    pub real: bool,
}

/// One tenant's world.
#[derive(Debug)]
pub(crate) struct World {
    pub tenant: String,
    pub company: Company,
    pub(super) seed: u64,
    /// Start of the cloud; the story is told in days from 30 days before it.
    pub(super) start: Ticks,
    /// In order of their ids.
    pub(super) incidents: Vec<Incident>,
    pub(super) alerts: Vec<Alert>,
    alert_positions: HashMap<Box<str>, u32>,
    pub(super) pending: BTreeMap<(Ticks, u64), Step>,
    pub(super) step_count: u64,
    /// Which incident a thread of the story became.
    pub(super) threads: HashMap<u64, u64>,
    next_day: i64,
    now: Ticks,
    snapshots: VecDeque<(u64, Arc<[u32]>)>,
    snapshot_count: u64,
    /// Oldest first.
    pub(super) actions: Vec<MachineAction>,
    pub(crate) pace: Pace,
    pub(super) library: Vec<LibraryFile>,
    pub(super) investigations: Vec<OrderedInvestigation>,
    pub(super) indicators: Indicators,
    pub(super) events: Vec<Event>,
    /// By object id; those of which nobody has said anything are absent.
    pub(super) accounts: BTreeMap<String, AccountState>,
    /// Alerts that somebody has marked as read in Defender for Cloud Apps, by id.
    read_alerts: BTreeSet<Box<str>>,
    pub(super) risks_are_stale: bool,
}

impl World {
    pub(crate) fn create(seed: u64, tenant: &str, is_home: bool, start: Ticks) -> Self {
        let mut world = Self {
            tenant: tenant.to_owned(),
            company: Company::found(seed, tenant, is_home, start),
            seed: mix(&[seed, part(tenant)]),
            start,
            incidents: Vec::new(),
            alerts: Vec::new(),
            alert_positions: HashMap::new(),
            pending: BTreeMap::new(),
            step_count: 0,
            threads: HashMap::new(),
            next_day: -story::HISTORY_DAYS,
            now: start,
            snapshots: VecDeque::new(),
            snapshot_count: 0,
            actions: Vec::new(),
            pace: Pace::default(),
            library: Vec::new(),
            investigations: Vec::new(),
            indicators: Indicators::default(),
            events: Vec::new(),
            accounts: BTreeMap::new(),
            read_alerts: BTreeSet::new(),
            risks_are_stale: true,
        };
        world.stock_library();
        world.advance(start);
        world
    }

    /// Lets everything happen that is due. A clock set back undoes nothing.
    pub(crate) fn advance(&mut self, now: Ticks) {
        self.now = now;
        let today = (now.0 - self.start.0).div_euclid(Ticks::of_day(1).0);
        self.next_day = self.next_day.max(today - PLANNED_DAYS_MAX);
        while self.next_day <= today {
            story::plan_day(self, self.next_day);
            self.next_day += 1;
        }
        while let Some(entry) = self.pending.first_entry() {
            if entry.key().0 > now {
                break;
            }
            let ((at, _), step) = entry.remove_entry();
            story::play(self, at, step);
        }
        self.weigh_risks();
    }

    /// When the cloud was started.
    pub(crate) fn start(&self) -> Ticks {
        self.start
    }

    pub(crate) fn now(&self) -> Ticks {
        self.now
    }

    /// Draws that this world's seed and the parts decide, for views of it that hold more than the story.
    pub(crate) fn dice(&self, parts: &[u64]) -> Dice {
        Dice::new(&[self.seed, mix(parts)])
    }

    /// Visible incidents, newest first.
    pub(crate) fn incidents(&self) -> Vec<&Incident> {
        let mut found: Vec<&Incident> = self.incidents.iter().filter(|incident| self.is_visible(incident)).collect();
        found.sort_unstable_by_key(|incident| std::cmp::Reverse((incident.created, incident.id)));
        found
    }

    /// All incidents in order of their ids, hidden ones, too.
    pub(crate) fn all_incidents(&self) -> &[Incident] {
        &self.incidents
    }

    /// Alerts of visible incidents, newest first.
    pub(crate) fn alerts(&self) -> Vec<&Alert> {
        let mut found: Vec<&Alert> =
            self.alerts.iter().filter(|alert| self.incident(alert.incident).is_some()).collect();
        found.sort_unstable_by(|a, b| (b.created, &b.id).cmp(&(a.created, &a.id)));
        found
    }

    pub(crate) fn incident(&self, id: u64) -> Option<&Incident> {
        let incident = self.incidents.get(position_of(id)?)?;
        self.is_visible(incident).then_some(incident)
    }

    pub(crate) fn alert(&self, id: &str) -> Option<&Alert> {
        let alert = self.alerts.get(self.alert_position(id)?)?;
        self.incident(alert.incident).map(|_| alert)
    }

    pub(crate) fn alerts_of<'a>(&'a self, incident: &'a Incident) -> impl Iterator<Item = &'a Alert> + 'a {
        incident.alerts.iter().filter_map(|position| self.alerts.get(*position as usize))
    }

    /// What the service says of an incident: the words of its first alert, never the ground truth.
    pub(crate) fn description_of(&self, incident: &Incident) -> String {
        let first = self.alerts_of(incident).next().map(|alert| alert.description(&self.company));
        first.unwrap_or_else(|| "Its alerts were moved to another incident.".to_owned())
    }

    pub(super) fn alert_position(&self, id: &str) -> Option<usize> {
        self.alert_positions.get(id).map(|position| *position as usize)
    }

    pub(super) fn incident_mut(&mut self, id: u64) -> Option<&mut Incident> {
        self.incidents.get_mut(position_of(id)?)
    }

    fn is_visible(&self, incident: &Incident) -> bool {
        incident.visible_from <= self.now
    }

    /// Opens an incident without alerts and gives its id.
    pub(super) fn open(&mut self, title: &str, at: Ticks, campaign: Option<String>, what: &'static str) -> u64 {
        let id = FIRST_ID + self.incidents.len() as u64;
        self.incidents.push(Incident {
            id,
            title: title.to_owned(),
            created: at,
            updated: at,
            visible_from: Ticks(i64::MIN),
            status: IncidentStatus::Active,
            severity: Severity::Informational,
            classification: Classification::Unknown,
            determination: Determination::Unknown,
            assigned_to: None,
            tags: Vec::new(),
            system_tags: Vec::new(),
            comments: Vec::new(),
            resolving_comment: None,
            summary: None,
            modified_by: "Microsoft 365 Defender-IncidentCreation".to_owned(),
            redirect: None,
            alerts: Vec::new(),
            campaign,
            what,
        });
        id
    }

    /// Raises an alert in an incident, or in the one that this was merged into.
    pub(super) fn raise(&mut self, incident: u64, at: Ticks, plan: AlertPlan) -> u32 {
        let incident = self.final_target(incident);
        let position = u32::try_from(self.alerts.len()).expect("alerts are bounded far below four billion");
        let seed = mix(&[self.seed, u64::from(position), 11]);
        let mut dice = Dice::new(&[seed, 0xA1E7]);
        // Correlation takes some seconds: the alert is older than the moment it shows up in its incident.
        let created = Ticks(at.0 - dice.between(50_000_000, 200_000_000));
        let first_activity = created.plus_s(-dice.between(40, 2_400));
        let alert = Alert {
            id: alert_id(plan.kind.service, created, &mut dice).into_boxed_str(),
            kind: plan.kind,
            incident,
            device: plan.device,
            person: plan.person,
            cast: plan.cast,
            seed,
            created,
            updated: Ticks(created.0 + dice.between(1_000_000, 30_000_000)),
            first_activity,
            last_activity: first_activity.plus_s(dice.between(0, 40)),
            resolved: None,
            status: AlertStatus::New,
            severity: plan.kind.severity,
            classification: Classification::Unknown,
            determination: Determination::Unknown,
            assigned_to: None,
            comments: Vec::new(),
            investigation: None,
            custom: None,
            real: plan.real,
        };
        self.alert_positions.insert(alert.id.clone(), position);
        let target = self.incident_mut(incident).expect("an alert is only raised in an incident that exists");
        target.alerts.push(position);
        target.severity = target.severity.max(alert.severity);
        target.updated = target.updated.max(at);
        self.alerts.push(alert);
        self.risks_are_stale = true;
        self.note(at, Happening::AlertRaised { alert: position });
        position
    }

    /// Follows merges to the incident that is still its own.
    pub(super) fn final_target(&self, mut id: u64) -> u64 {
        for _ in 0..self.incidents.len() {
            match position_of(id).and_then(|position| self.incidents.get(position)).and_then(|found| found.redirect) {
                Some(next) => id = next,
                None => break,
            }
        }
        id
    }

    /// Keeps the order of a list for later pages and gives the number to ask for it with.
    pub(crate) fn keep_snapshot(&mut self, keys: Arc<[u32]>) -> u64 {
        self.snapshot_count += 1;
        if self.snapshots.len() == SNAPSHOT_COUNT_MAX {
            self.snapshots.pop_front();
        }
        self.snapshots.push_back((self.snapshot_count, keys));
        self.snapshot_count
    }

    pub(crate) fn snapshot(&self, number: u64) -> Option<Arc<[u32]>> {
        self.snapshots.iter().find(|(kept, _)| *kept == number).map(|(_, keys)| Arc::clone(keys))
    }

    /// Only Defender for Cloud Apps keeps whether somebody has read an alert; no other product hears of it.
    pub(crate) fn mark_read(&mut self, alert: &str, is_read: bool) {
        if is_read {
            self.read_alerts.insert(alert.into());
        } else {
            self.read_alerts.remove(alert);
        }
    }

    pub(crate) fn is_marked_read(&self, alert: &str) -> bool {
        self.read_alerts.contains(alert)
    }

    pub(crate) fn alert_at(&self, position: u32) -> Option<&Alert> {
        self.alerts.get(position as usize)
    }

    pub(crate) fn incident_at(&self, position: u32) -> Option<&Incident> {
        self.incidents.get(position as usize)
    }

    /// Position of a row, as snapshots keep it.
    pub(crate) fn incident_position(&self, incident: &Incident) -> u32 {
        position_of(incident.id).and_then(|position| u32::try_from(position).ok()).unwrap_or(u32::MAX)
    }

    /// Position of a row, as snapshots keep it.
    pub(crate) fn position_of_alert(&self, alert: &Alert) -> u32 {
        self.alert_positions.get(&alert.id).copied().unwrap_or(u32::MAX)
    }
}

impl Alert {
    /// Ground truth: part of an intrusion.
    pub(crate) fn is_real(&self) -> bool {
        self.real
    }

    pub(crate) fn title(&self, company: &Company) -> String {
        self.custom.as_ref().map_or_else(|| self.fill(self.kind.title, company), |words| words.title.clone())
    }

    pub(crate) fn description(&self, company: &Company) -> String {
        let words = self.custom.as_ref().map(|words| words.description.clone());
        words.unwrap_or_else(|| self.fill(self.kind.description, company))
    }

    pub(crate) fn recommended(&self) -> &str {
        self.custom.as_ref().map_or(self.kind.recommended, |words| &words.recommended)
    }

    pub(crate) fn category(&self) -> &'static str {
        self.custom.as_ref().map_or(self.kind.category, |words| words.category)
    }

    fn fill(&self, text: &str, company: &Company) -> String {
        let device = &company.devices[usize::from(self.device)].host_name;
        let user = &company.people[usize::from(self.person)].display_name;
        text.replace("{device}", device)
            .replace("{user}", user)
            .replace("{family}", self.kind.family.unwrap_or("Unnamed"))
    }

    /// A GUID of the detector: the same for all alerts of one kind.
    pub(crate) fn detector_id(&self) -> String {
        Dice::new(&[part(self.kind.title)]).guid()
    }

    /// Seen on a device of the company.
    pub(crate) fn is_on_device(&self) -> bool {
        self.kind.traces.contains(&Trace::Device)
    }

    pub(crate) fn investigation_state(&self) -> InvestigationState {
        if let Some((state, _)) = self.investigation {
            return state;
        }
        let mut dice = Dice::new(&[self.seed, 12]);
        match self.kind.service {
            ServiceSource::Endpoint | ServiceSource::Office365 if self.status == AlertStatus::Resolved => {
                *dice.pick(&[InvestigationState::SuccessfullyRemediated, InvestigationState::PartiallyRemediated])
            }
            ServiceSource::Endpoint | ServiceSource::Office365 => *dice.pick(&[
                InvestigationState::Queued,
                InvestigationState::Running,
                InvestigationState::PendingApproval,
                InvestigationState::UnsupportedOs,
                InvestigationState::Benign,
            ]),
            _ => InvestigationState::UnsupportedAlertType,
        }
    }

    /// Number of the automated investigation, where there is one.
    pub(crate) fn investigation_id(&self) -> Option<u64> {
        if let Some((_, Some(id))) = self.investigation {
            return Some(id);
        }
        let started = matches!(
            self.investigation_state(),
            InvestigationState::Running
                | InvestigationState::PendingApproval
                | InvestigationState::SuccessfullyRemediated
                | InvestigationState::PartiallyRemediated
        );
        started.then_some(self.seed % 90_000 + 1_000)
    }
}

impl Incident {
    /// 0 to 100, as the queue of the portal shows it.
    pub(crate) fn priority(&self) -> u32 {
        let base = match self.severity {
            Severity::Informational => 4,
            Severity::Low => 18,
            Severity::Medium => 45,
            Severity::High => 78,
        };
        base + u32::try_from(self.alerts.len().min(20)).unwrap_or(20)
    }
}

fn position_of(id: u64) -> Option<usize> {
    usize::try_from(id.checked_sub(FIRST_ID)?).ok()
}

/// `da<ticks>_<number>` for Defender for Endpoint, prefix and GUID for the others (shapes of the samples).
fn alert_id(service: ServiceSource, created: Ticks, dice: &mut Dice) -> String {
    let prefix = service.id_prefix();
    match service {
        ServiceSource::Endpoint => {
            let number = dice.between(-2_147_483_648, 2_147_483_647);
            format!("{prefix}{}_{number}", created.since_year_one())
        }
        _ => format!("{prefix}{}", dice.guid()),
    }
}

/// Number of the first incident of a tenant.
const FIRST_ID: u64 = 2_041;
/// A clock that jumps further ahead than this leaves the days between without noise.
const PLANNED_DAYS_MAX: i64 = 400;
/// Lists whose next pages can still be asked for.
const SNAPSHOT_COUNT_MAX: usize = 64;
