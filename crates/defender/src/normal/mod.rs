//! Incidents, alerts and devices in the one shape that workflows see (`sortie_model::shapes`), whichever API they came from:
//! Microsoft Graph, Defender XDR or Defender for Endpoint.
//!
//! What already has the shape is made anew from its `raw`, so that nobody can hand in a shape that says something else than
//! what it was made of.

mod evidence;
mod fields;

use serde_json::{Value, json};
use sortie_model::shapes::{ALERT, COMMENT, DEVICE, INCIDENT};

use self::{evidence::Evidence, fields::fill};

/// An incident with its alerts. `None` without an id.
pub fn incident(value: &Value) -> Option<Value> {
    let source = as_sent(value);
    let (mut alerts, mut unread) = (Vec::new(), Vec::new());
    for one in list(&source, "alerts") {
        match alert(one) {
            Some(shown) => alerts.push(shown),
            None => unread.push(one.clone()),
        }
    }
    let mut evidence = Evidence::default();
    for alert in &alerts {
        evidence.join(alert);
    }
    let mut shown = fill(&INCIDENT, INCIDENT_SOURCES, &source);
    shown.get("id").filter(|id| id.is_string())?;
    shown["comments"] = comments(&source);
    shown["alerts"] = alerts.into();
    evidence.write(&mut shown);
    let mut raw = source;
    if let Some(members) = raw.as_object_mut() {
        members.remove("alerts");
        // What cannot be told apart is no alert that anyone could act on, and is kept.
        if !unread.is_empty() {
            members.insert("alerts".to_owned(), unread.into());
        }
    }
    shown["raw"] = raw;
    Some(shown)
}

/// An alert with what it is about. `None` without an id.
pub fn alert(value: &Value) -> Option<Value> {
    let source = as_sent(value);
    let mut shown = fill(&ALERT, ALERT_SOURCES, &source);
    shown.get("id").filter(|id| id.is_string())?;
    shown["comments"] = comments(&source);
    // Only Defender for Endpoint says so little of who raised it: its alerts are its own.
    if source.get("alertCreationTime").is_some() && source.get("serviceSource").is_none() {
        shown["serviceSource"] = json!("microsoftDefenderForEndpoint");
    }
    let mut evidence = Evidence::default();
    evidence.read(&source);
    evidence.write(&mut shown);
    shown["raw"] = source;
    Some(shown)
}

/// A device. `None` without anything that tells it apart.
pub fn device(value: &Value) -> Option<Value> {
    let source = as_sent(value);
    let mut shown = evidence::shown(&DEVICE, &source)?;
    shown["raw"] = source;
    Some(shown)
}

/// What the service sent: of what has the shape already, its `raw`. An object that was asked for alone says with what it was
/// asked for, which is nothing of its own.
fn as_sent(value: &Value) -> Value {
    let Some(raw @ Value::Object(_)) = value.get("raw") else {
        let mut sent = value.clone();
        if let Some(members) = sent.as_object_mut() {
            members.remove("@odata.context");
        }
        return sent;
    };
    let mut sent = raw.clone();
    if let Some(alerts) = value.get("alerts").and_then(Value::as_array) {
        let unread = list(raw, "alerts").iter().cloned();
        sent["alerts"] = alerts.iter().map(as_sent).chain(unread).collect();
    }
    sent
}

fn comments(source: &Value) -> Value {
    list(source, "comments").iter().map(|comment| fill(&COMMENT, COMMENT_SOURCES, comment)).collect()
}

/// The list of this name; `null` and an absent member make an empty one, a single value one of one.
fn list<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    crate::document::list(value, name)
}

/// Where else a field stands, by its name; its own name comes first.
type Sources = &'static [(&'static str, &'static [&'static str])];

const INCIDENT_SOURCES: Sources = &[
    ("id", &["incidentId"]),
    ("displayName", &["incidentName"]),
    ("createdDateTime", &["createdTime"]),
    ("lastUpdateDateTime", &["lastUpdateTime"]),
    ("customTags", &["tags"]),
    ("incidentWebUrl", &["incidentUri"]),
];
const ALERT_SOURCES: Sources = &[
    ("id", &["alertId"]),
    ("createdDateTime", &["creationTime", "alertCreationTime"]),
    ("lastUpdateDateTime", &["lastUpdatedTime", "lastUpdateTime"]),
    ("resolvedDateTime", &["resolvedTime"]),
    ("firstActivityDateTime", &["firstActivity", "firstEventTime"]),
    ("lastActivityDateTime", &["lastActivity", "lastEventTime"]),
    ("actorDisplayName", &["actorName"]),
    ("threatDisplayName", &["threatName"]),
    ("tenantId", &["aadTenantId"]),
];
const COMMENT_SOURCES: Sources = &[("createdByDisplayName", &["createdBy"]), ("createdDateTime", &["createdTime"])];

#[cfg(test)]
mod tests;
