//! What happened in a world, in order: the source from which other views of it (hunting, tests) are derived.

use serde_json::{Value, json};

use super::{
    incident::World,
    terms::{ActionStatus, DeviceValue, Term},
    ticks::Ticks,
};

/// One entry of the log.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    /// Counts from 1, without gaps.
    pub number: u64,
    pub at: Ticks,
    pub what: Happening,
}

/// What happened. Devices are indices into the company's, actions and alerts positions in the world's lists.
#[derive(Clone, Debug)]
pub(crate) enum Happening {
    AlertRaised { alert: u32 },
    AlertChanged { alert: u32, by: String },
    AlertMoved { alert: u32, incident: u64, by: String },
    IncidentChanged { incident: u64, by: String },
    IncidentMerged { from: u64, into: u64 },
    ActionRequested { action: u32 },
    ActionTurned { action: u32, status: ActionStatus },
    Tagged { device: u16, tag: String, added: bool, by: String },
    Valued { device: u16, value: DeviceValue, by: String },
    Reachable { device: u16, online: bool },
    InvestigationStarted { investigation: u64, device: u16, by: String },
    AccountSwitched { account: String, enabled: bool, by: String },
    SessionsRevoked { account: String, by: String },
    IndicatorSet { id: u64, by: String },
    IndicatorRemoved { id: u64, by: String },
}

impl World {
    /// All events so far, oldest first.
    pub(crate) fn events(&self) -> &[Event] {
        &self.events
    }

    pub(super) fn note(&mut self, at: Ticks, what: Happening) {
        let number = self.events.len() as u64 + 1;
        self.events.push(Event { number, at, what });
    }

    /// An event as the admin API shows it.
    pub(crate) fn event_json(&self, event: &Event) -> Value {
        let mut json = self.happening_json(&event.what);
        json["number"] = json!(event.number);
        json["at"] = json!(event.at.to_string());
        json
    }

    fn happening_json(&self, what: &Happening) -> Value {
        let machine = |device: &u16| &self.company.devices[usize::from(*device)].machine_id;
        let alert = |position: &u32| self.alert_at(*position).map(|alert| &*alert.id);
        match what {
            Happening::AlertRaised { alert: at } => json!({ "kind": "alertRaised", "alertId": alert(at) }),
            Happening::AlertChanged { alert: at, by } => {
                json!({ "kind": "alertChanged", "alertId": alert(at), "by": by })
            }
            Happening::AlertMoved { alert: at, incident, by } => {
                json!({ "kind": "alertMoved", "alertId": alert(at), "incidentId": incident, "by": by })
            }
            Happening::IncidentChanged { incident, by } => {
                json!({ "kind": "incidentChanged", "incidentId": incident, "by": by })
            }
            Happening::IncidentMerged { from, into } => {
                json!({ "kind": "incidentMerged", "incidentId": from, "targetIncidentId": into })
            }
            Happening::ActionRequested { action } => {
                let action = &self.actions[*action as usize];
                json!({
                    "kind": "actionRequested", "actionId": action.id, "type": action.kind.xdr(),
                    "machineId": machine(&action.device), "by": action.requestor,
                })
            }
            Happening::ActionTurned { action, status } => {
                let action = &self.actions[*action as usize];
                json!({
                    "kind": "actionTurned", "actionId": action.id, "type": action.kind.xdr(),
                    "machineId": machine(&action.device), "status": status.xdr(),
                })
            }
            Happening::Tagged { device, tag, added, by } => {
                let kind = if *added { "tagAdded" } else { "tagRemoved" };
                json!({ "kind": kind, "machineId": machine(device), "tag": tag, "by": by })
            }
            Happening::Valued { device, value, by } => {
                json!({ "kind": "deviceValueSet", "machineId": machine(device), "value": value.xdr(), "by": by })
            }
            Happening::Reachable { device, online } => {
                json!({ "kind": "deviceReachable", "machineId": machine(device), "online": online })
            }
            Happening::InvestigationStarted { investigation, device, by } => json!({
                "kind": "investigationStarted", "investigationId": investigation, "machineId": machine(device), "by": by,
            }),
            Happening::AccountSwitched { account, enabled, by } => {
                let kind = if *enabled { "accountEnabled" } else { "accountDisabled" };
                json!({ "kind": kind, "userId": account, "by": by })
            }
            Happening::SessionsRevoked { account, by } => {
                json!({ "kind": "sessionsRevoked", "userId": account, "by": by })
            }
            Happening::IndicatorSet { id, by } => json!({ "kind": "indicatorSet", "indicatorId": id, "by": by }),
            Happening::IndicatorRemoved { id, by } => {
                json!({ "kind": "indicatorRemoved", "indicatorId": id, "by": by })
            }
        }
    }
}
