//! Callers merge incidents and move alerts from one to another.

use super::{
    incident::{Comment, World},
    log::Happening,
    terms::IncidentStatus,
    ticks::Ticks,
    update::{MergeError, moved},
};

/// Why alerts can't be moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum MoveError {
    UnknownAlert(String),
    UnknownIncident(u64),
}

impl World {
    /// Merges all incidents into the first one, or none: then the id that stands in the way comes back.
    pub(crate) fn merge_all(
        &mut self,
        ids: &[u64],
        by: &str,
        comment: Option<String>,
    ) -> Result<u64, (u64, MergeError)> {
        for (position, id) in ids.iter().enumerate() {
            let incident = self.incident(*id).ok_or((*id, MergeError::Unknown))?;
            if incident.redirect.is_some() {
                return Err((*id, MergeError::AlreadyMerged));
            }
            if ids[..position].contains(id) {
                return Err((*id, MergeError::Same));
            }
        }
        let Some((target, others)) = ids.split_first() else { return Err((0, MergeError::Unknown)) };
        for other in others {
            self.merge(*other, *target).map_err(|error| (*other, error))?;
        }
        self.touch(ids, by);
        let now = self.now();
        if let (Some(text), Some(incident)) = (comment, self.incident_mut(*target)) {
            incident.comments.push(Comment { text, by: by.to_owned(), at: now });
        }
        Ok(*target)
    }

    /// Moves all alerts, or none. Without an incident to go to they get a new one.
    pub(crate) fn move_alerts(
        &mut self,
        ids: &[String],
        into: Option<u64>,
        by: &str,
        comment: Option<String>,
    ) -> Result<u64, MoveError> {
        let mut positions: Vec<u32> = Vec::with_capacity(ids.len());
        for id in ids {
            let alert = self.alert(id).ok_or_else(|| MoveError::UnknownAlert(id.clone()))?;
            let position = self.position_of_alert(alert);
            if !positions.contains(&position) {
                positions.push(position);
            }
        }
        let target = match into {
            Some(id) if self.incident(id).is_none() => return Err(MoveError::UnknownIncident(id)),
            Some(id) => self.final_target(id),
            None => self.open_for(positions[0]),
        };
        let now = self.now();
        for position in positions {
            let alert = &mut self.alerts[position as usize];
            if let Some(text) = comment.clone() {
                alert.comments.push(Comment { text, by: by.to_owned(), at: now });
            }
            alert.updated = moved(alert.updated, now);
            let (source, severity) = (std::mem::replace(&mut alert.incident, target), alert.severity);
            if source != target {
                self.rehang(position, source, target);
            }
            if let Some(incident) = self.incident_mut(target) {
                incident.severity = incident.severity.max(severity);
            }
            self.touch(&[source, target], by);
            self.note(now, Happening::AlertMoved { alert: position, incident: target, by: by.to_owned() });
        }
        Ok(target)
    }

    /// A new incident named after an alert; it belongs to the same intrusion.
    fn open_for(&mut self, position: u32) -> u64 {
        let alert = &self.alerts[position as usize];
        let (title, source) = (alert.title(&self.company), alert.incident);
        let known = self.incident(source).map(|incident| (incident.campaign.clone(), incident.what));
        let (campaign, what) = known.unwrap_or((None, ""));
        self.open(&title, self.now(), campaign, what)
    }

    fn rehang(&mut self, position: u32, source: u64, target: u64) {
        let now = self.now();
        let mut is_empty = false;
        if let Some(incident) = self.incident_mut(source) {
            incident.alerts.retain(|kept| *kept != position);
            is_empty = incident.alerts.is_empty();
            if is_empty {
                incident.status = IncidentStatus::Redirected;
                incident.redirect = Some(target);
            }
        }
        if let Some(incident) = self.incident_mut(target) {
            incident.alerts.push(position);
        }
        if is_empty {
            self.note(now, Happening::IncidentMerged { from: source, into: target });
        }
    }

    fn touch(&mut self, ids: &[u64], by: &str) {
        let now: Ticks = self.now();
        for id in ids {
            if let Some(incident) = self.incident_mut(*id) {
                by.clone_into(&mut incident.modified_by);
                incident.updated = moved(incident.updated, now);
            }
        }
    }
}
