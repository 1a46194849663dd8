//! Automated investigations: those that alerts have started, and those that callers order.

use super::{
    dice::Dice,
    incident::World,
    log::Happening,
    machine::device_number,
    story::Step,
    terms::{AlertStatus, InvestigationState, ServiceSource},
    ticks::Ticks,
};

/// An investigation that a caller ordered.
#[derive(Debug)]
pub(crate) struct OrderedInvestigation {
    pub id: u64,
    pub device: u16,
    pub by: String,
    pub comment: String,
    pub started: Ticks,
    /// The alert that stands for it.
    pub alert: String,
}

impl World {
    /// Starts an investigation on a device; its waiting alerts go along.
    pub(crate) fn start_investigation(&mut self, index: usize, by: &str, comment: String) -> u64 {
        let (now, number) = (self.now(), self.investigations.len());
        let mut dice = Dice::new(&[self.seed, 55, number as u64]);
        let id = FIRST_ORDERED + number as u64;
        let waiting: Vec<usize> = (0..self.alerts.len())
            .filter(|position| {
                let alert = &self.alerts[*position];
                usize::from(alert.device) == index
                    && alert.kind.service == ServiceSource::Endpoint
                    && alert.status != AlertStatus::Resolved
                    && alert.investigation_state() == InvestigationState::Queued
            })
            .collect();
        for position in &waiting {
            self.investigate(*position, InvestigationState::Running, now);
            self.alerts[*position].investigation = Some((InvestigationState::Running, Some(id)));
        }
        let first = waiting.first().map(|position| self.alerts[*position].id.to_string());
        // A manual investigation has an alert of its own in Microsoft's cloud; here it only has that alert's id (G).
        let alert = first.unwrap_or_else(|| format!("da{}_{}", now.since_year_one(), dice.between(1, 2_000_000_000)));
        self.note(
            now,
            Happening::InvestigationStarted { investigation: id, device: device_number(index), by: by.to_owned() },
        );
        self.schedule(now.plus_s(INVESTIGATION_S), Step::Conclude { investigation: id });
        let device = device_number(index);
        self.investigations.push(OrderedInvestigation { id, device, by: by.to_owned(), comment, started: now, alert });
        id
    }

    pub(crate) fn ordered_investigations(&self) -> &[OrderedInvestigation] {
        &self.investigations
    }

    /// Running until its end.
    pub(crate) fn ordered_state(&self, ordered: &OrderedInvestigation) -> InvestigationState {
        match self.investigation_end(ordered) {
            Some(_) => InvestigationState::Benign,
            None => InvestigationState::Running,
        }
    }

    /// When it came to its end, if it has.
    pub(crate) fn investigation_end(&self, ordered: &OrderedInvestigation) -> Option<Ticks> {
        Some(ordered.started.plus_s(INVESTIGATION_S)).filter(|end| *end <= self.now())
    }

    /// An ordered investigation found nothing; the alerts that went along show it.
    pub(super) fn conclude(&mut self, at: Ticks, id: u64) {
        let running = (InvestigationState::Running, Some(id));
        let concerned: Vec<usize> =
            (0..self.alerts.len()).filter(|position| self.alerts[*position].investigation == Some(running)).collect();
        for position in concerned {
            self.investigate(position, InvestigationState::Benign, at);
        }
    }

    /// Gives an alert's investigation another state; the alert and its incident show the time of it.
    pub(super) fn investigate(&mut self, position: usize, state: InvestigationState, at: Ticks) {
        let alert = &mut self.alerts[position];
        let id = alert.investigation_id();
        alert.investigation = Some((state, id));
        alert.updated = alert.updated.max(at);
        let incident = alert.incident;
        if let Some(incident) = self.incident_mut(incident) {
            incident.updated = incident.updated.max(at);
        }
    }
}

/// How long an ordered investigation runs.
const INVESTIGATION_S: i64 = 120;
/// Above all numbers that alerts give their investigations.
const FIRST_ORDERED: u64 = 100_000;
