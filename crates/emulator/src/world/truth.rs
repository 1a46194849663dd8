//! The ground truth of one world, for tests that compare what a client saw with what is.

use serde_json::{Value, json};

use super::{
    action::MachineAction,
    company::Device,
    incident::{Alert, Comment, Incident, World},
    terms::Term,
};

impl World {
    /// Everything that is so, in Graph's spelling, and what really happened.
    pub(crate) fn truth(&self) -> Value {
        json!({
            "tenantId": self.tenant,
            "company": { "name": self.company.name, "domain": self.company.domain },
            "people": self.company.people.iter().map(|person| json!({
                "id": person.object_id, "displayName": person.display_name,
                "userPrincipalName": person.upn, "department": person.department,
            })).collect::<Vec<_>>(),
            "devices": self.company.devices.iter().map(|device| json!({
                "id": device.machine_id, "dnsName": device.dns_name, "osPlatform": device.os_platform,
                "owner": self.company.people[device.owner].upn,
            })).collect::<Vec<_>>(),
            "machines": self.company.devices.iter().enumerate().map(|(index, device)| self.machine_truth(index, device))
                .collect::<Vec<_>>(),
            "indicators": self.active_indicators().map(|indicator| json!({
                "id": indicator.id.to_string(), "value": indicator.terms.value, "type": indicator.terms.kind,
                "action": indicator.terms.action, "createdBy": indicator.created_by,
            })).collect::<Vec<_>>(),
            "orderedInvestigations": self.ordered_investigations().iter().map(|ordered| json!({
                "id": ordered.id.to_string(), "by": ordered.by, "comment": ordered.comment,
                "machineId": self.company.devices[usize::from(ordered.device)].machine_id,
            })).collect::<Vec<_>>(),
            "incidents": self.all_incidents().iter().map(|incident| self.incident_truth(incident)).collect::<Vec<_>>(),
        })
    }

    /// A device as it really is, and every order that it was ever given.
    fn machine_truth(&self, index: usize, device: &Device) -> Value {
        let state = &device.state;
        let actions = self.actions().iter().filter(|action| usize::from(action.device) == index);
        json!({
            "id": device.machine_id,
            "computerDnsName": device.dns_name,
            "online": state.offline_since.is_none(),
            "offboarded": state.offboarded.is_some(),
            "isolation": state.isolation,
            "restricted": state.restricted,
            "quarantined": state.quarantined,
            "machineTags": state.tags,
            "deviceValue": state.value.xdr(),
            "portalSession": state.portal_session,
            "actions": actions.map(action_truth).collect::<Vec<_>>(),
        })
    }

    fn incident_truth(&self, incident: &Incident) -> Value {
        json!({
            "id": incident.id,
            "title": incident.title,
            "visible": self.incident(incident.id).is_some(),
            "status": incident.status.graph(),
            "severity": incident.severity.graph(),
            "classification": incident.classification.graph(),
            "determination": incident.determination.graph(),
            "assignedTo": incident.assigned_to,
            "tags": incident.tags,
            "redirectIncidentId": incident.redirect,
            "createdDateTime": incident.created.to_string(),
            "lastUpdateDateTime": incident.updated.to_string(),
            "comments": comments(&incident.comments),
            "alerts": self.alerts_of(incident).map(|alert| self.alert_truth(alert)).collect::<Vec<_>>(),
            "isIntrusion": incident.campaign.is_some(),
            "campaign": incident.campaign,
            "whatHappened": incident.what,
        })
    }

    fn alert_truth(&self, alert: &Alert) -> Value {
        json!({
            "id": &*alert.id,
            "title": alert.title(&self.company),
            "status": alert.status.graph(),
            "severity": alert.severity.graph(),
            "classification": alert.classification.graph(),
            "determination": alert.determination.graph(),
            "assignedTo": alert.assigned_to,
            "createdDateTime": alert.created.to_string(),
            "lastUpdateDateTime": alert.updated.to_string(),
            "evidenceCount": alert.kind.traces.len(),
            "comments": comments(&alert.comments),
            "isIntrusion": alert.is_real(),
        })
    }
}

fn action_truth(action: &MachineAction) -> Value {
    json!({
        "id": action.id,
        "type": action.kind.xdr(),
        "scope": action.scope,
        "status": action.status.xdr(),
        "requestor": action.requestor,
        "requestorComment": action.comment,
        "externalID": action.external_id,
        "cancellationRequestor": action.cancellation.as_ref().map(|cancelled| &cancelled.by),
        "cancellationComment": action.cancellation.as_ref().map(|cancelled| &cancelled.text),
        "sha1": action.file,
        "createdDateTime": action.created.to_string(),
        "lastUpdateDateTime": action.updated.to_string(),
        "listedFrom": action.listed_from.to_string(),
    })
}

fn comments(all: &[Comment]) -> Vec<Value> {
    let one = |comment: &Comment| json!({ "comment": comment.text, "by": comment.by, "at": comment.at.to_string() });
    all.iter().map(one).collect()
}
