//! Changes that callers make, whichever API they come through.

use super::{
    incident::{Alert, Comment, Incident, World},
    log::Happening,
    terms::{AlertStatus, Classification, Determination, IncidentStatus},
    ticks::Ticks,
};

/// What a caller wants of an incident; `None` leaves a property as it is.
#[derive(Clone, Debug, Default)]
pub(crate) struct IncidentChange {
    pub status: Option<IncidentStatus>,
    /// `Some(None)` takes the assignment away.
    pub assigned_to: Option<Option<String>>,
    pub classification: Option<Classification>,
    pub determination: Option<Determination>,
    /// Replaces all tags.
    pub tags: Option<Vec<String>>,
    /// Is added.
    pub comment: Option<String>,
    pub resolving_comment: Option<Option<String>>,
}

/// What a caller wants of an alert.
#[derive(Clone, Debug, Default)]
pub(crate) struct AlertChange {
    pub status: Option<AlertStatus>,
    pub assigned_to: Option<Option<String>>,
    pub classification: Option<Classification>,
    pub determination: Option<Determination>,
    pub comment: Option<String>,
}

/// Why two incidents can't become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum MergeError {
    #[error("no such incident")]
    Unknown,
    #[error("an incident can't be merged into itself")]
    Same,
    #[error("the incident was merged before")]
    AlreadyMerged,
}

impl World {
    /// Changes an incident and moves its last update. `None` where there is no such incident.
    pub(crate) fn change_incident(&mut self, id: u64, by: &str, change: IncidentChange) -> Option<&Incident> {
        self.incident(id)?;
        let now = self.now();
        let resolves = change.status == Some(IncidentStatus::Resolved);
        let incident = self.incident_mut(id)?;
        set(&mut incident.status, change.status);
        set(&mut incident.assigned_to, change.assigned_to);
        set(&mut incident.classification, change.classification);
        set(&mut incident.determination, change.determination);
        set(&mut incident.tags, change.tags);
        set(&mut incident.resolving_comment, change.resolving_comment);
        if let Some(text) = change.comment {
            incident.comments.push(Comment { text, by: by.to_owned(), at: now });
        }
        by.clone_into(&mut incident.modified_by);
        incident.updated = moved(incident.updated, now);
        let positions = incident.alerts.clone();
        self.note(now, Happening::IncidentChanged { incident: id, by: by.to_owned() });
        if resolves {
            self.risks_are_stale = true;
            for position in positions {
                resolve_alert(&mut self.alerts[position as usize], now); // Resolving an incident resolves its alerts (M).
                self.note(now, Happening::AlertChanged { alert: position, by: by.to_owned() });
            }
        }
        self.incident(id)
    }

    /// Changes an alert; its incident's last update moves, too.
    pub(crate) fn change_alert(&mut self, id: &str, by: &str, change: AlertChange) -> Option<&Alert> {
        self.alert(id)?;
        let now = self.now();
        let position = self.alert_position(id)?;
        let alert = &mut self.alerts[position];
        match change.status {
            Some(AlertStatus::Resolved) => resolve_alert(alert, now),
            Some(status) => {
                alert.status = status;
                alert.resolved = None;
            }
            None => {}
        }
        set(&mut alert.assigned_to, change.assigned_to);
        set(&mut alert.classification, change.classification);
        set(&mut alert.determination, change.determination);
        if let Some(text) = change.comment {
            alert.comments.push(Comment { text, by: by.to_owned(), at: now });
        }
        alert.updated = moved(alert.updated, now);
        let incident = alert.incident;
        if let Some(incident) = self.incident_mut(incident) {
            incident.updated = moved(incident.updated, now);
        }
        self.risks_are_stale = true;
        let alert = u32::try_from(position).unwrap_or(u32::MAX);
        self.note(now, Happening::AlertChanged { alert, by: by.to_owned() });
        self.alert(id)
    }

    /// Moves all alerts of one incident to another; the first one stays behind as `Redirected`.
    pub(crate) fn merge(&mut self, from: u64, into: u64) -> Result<u64, MergeError> {
        self.merge_at(from, into, self.now())
    }

    pub(super) fn merge_at(&mut self, from: u64, into: u64, at: Ticks) -> Result<u64, MergeError> {
        let into = self.final_target(into);
        if from == into {
            return Err(MergeError::Same);
        }
        if self.incident_mut(into).is_none() {
            return Err(MergeError::Unknown);
        }
        let source = self.incident_mut(from).ok_or(MergeError::Unknown)?;
        if source.redirect.is_some() {
            return Err(MergeError::AlreadyMerged);
        }
        source.status = IncidentStatus::Redirected;
        source.redirect = Some(into);
        source.updated = moved(source.updated, at);
        let (alerts, severity) = (std::mem::take(&mut source.alerts), source.severity);
        for position in &alerts {
            self.alerts[*position as usize].incident = into;
        }
        if let Some(target) = self.incident_mut(into) {
            target.alerts.extend(alerts);
            target.severity = target.severity.max(severity);
            target.updated = moved(target.updated, at);
        }
        self.note(at, Happening::IncidentMerged { from, into });
        Ok(into)
    }
}

fn resolve_alert(alert: &mut Alert, now: Ticks) {
    if alert.status != AlertStatus::Resolved {
        alert.status = AlertStatus::Resolved;
        alert.resolved = Some(now);
        alert.updated = moved(alert.updated, now);
    }
}

fn set<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

/// The next last-update time: it moves with each change, even while the clock stands still.
pub(super) fn moved(before: Ticks, now: Ticks) -> Ticks {
    now.max(Ticks(before.0.saturating_add(1)))
}
