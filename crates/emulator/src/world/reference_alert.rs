//! Alerts that callers create about an event that hunting has shown them.

use super::{
    catalog::CREATED_BY_CALLER,
    dice::Dice,
    incident::{AlertPlan, CustomWords, World},
    log::Happening,
    machine::device_number,
    terms::{AlertStatus, InvestigationState, Severity},
    ticks::Ticks,
};

/// What a caller reports.
#[derive(Clone, Debug)]
pub(crate) struct ReportedEvent {
    pub device: usize,
    pub at: Ticks,
    pub severity: Severity,
    pub words: CustomWords,
}

impl World {
    /// Raises an alert in an incident of its own, or adds to the open alert of the same title on the same device.
    pub(crate) fn report(&mut self, event: ReportedEvent, by: &str) -> u32 {
        let now = self.now();
        let open = self.alerts.iter().position(|alert| {
            usize::from(alert.device) == event.device
                && alert.status != AlertStatus::Resolved
                && alert.title(&self.company) == event.words.title
        });
        if let Some(position) = open {
            let number = u32::try_from(position).expect("alerts are bounded far below four billion");
            let alert = &mut self.alerts[position];
            alert.last_activity = alert.last_activity.max(event.at);
            alert.first_activity = alert.first_activity.min(event.at);
            alert.updated = alert.updated.max(now);
            let incident = alert.incident;
            if let Some(incident) = self.incident_mut(incident) {
                incident.updated = incident.updated.max(now);
            }
            self.note(now, Happening::AlertChanged { alert: number, by: by.to_owned() });
            return number;
        }
        let person = device_number(self.company.devices[event.device].owner);
        let incident = self.open(&event.words.title, now, None, "A caller reported an event.");
        let cast = Dice::new(&[self.seed, 57, incident]).number();
        let device = device_number(event.device);
        let plan = AlertPlan { kind: &CREATED_BY_CALLER, device, person, cast, real: false };
        let position = self.raise(incident, now, plan);
        let alert = &mut self.alerts[position as usize];
        alert.custom = Some(Box::new(event.words));
        alert.severity = event.severity;
        (alert.first_activity, alert.last_activity) = (event.at, event.at);
        // The page says that an automated investigation starts by itself.
        alert.investigation = Some((InvestigationState::Queued, None));
        if let Some(incident) = self.incident_mut(incident) {
            incident.severity = event.severity;
        }
        position
    }
}
