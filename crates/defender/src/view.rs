//! Incidents and alerts as typed views: one shape for both APIs, with the service's own object beside it.

use jiff::Timestamp;
use serde_json::Value;
use sortie_model::{AlertId, IncidentId};

use crate::{
    Classification, Determination, Document, Severity, Status,
    document::{instant, list, text, texts},
};

/// One incident, from either API. A member is `None` when the service did not say it or said it unreadably.
#[derive(Clone, Debug)]
pub struct Incident {
    /// The same number in both APIs.
    pub id: IncidentId,
    /// `displayName` in Graph, `incidentName` in XDR.
    pub title: Option<String>,
    /// How bad.
    pub severity: Option<Severity>,
    /// Where it stands.
    pub status: Option<Status>,
    /// What it turned out to be.
    pub classification: Option<Classification>,
    /// Why.
    pub determination: Option<Determination>,
    /// Who works on it: mostly a user principal name.
    pub assigned_to: Option<String>,
    /// When the service made it.
    pub created: Option<Timestamp>,
    /// When anything of it last changed.
    pub updated: Option<Timestamp>,
    /// The organisation's own tags.
    pub tags: Vec<String>,
    /// The incident that it was merged into.
    pub redirect_to: Option<IncidentId>,
    /// Comments, oldest first.
    pub comments: Vec<Comment>,
    /// Its alerts, where the answer carried them.
    pub alerts: Option<Vec<Alert>>,
    /// The portal's page.
    pub web_url: Option<String>,
    /// Everything that the service sent.
    pub document: Document,
}

/// One alert, from Graph's `alerts_v2`, from within an XDR incident, or from Defender for Endpoint.
#[derive(Clone, Debug)]
pub struct Alert {
    /// Opaque.
    pub id: AlertId,
    /// The incident that it belongs to.
    pub incident_id: Option<IncidentId>,
    /// What happened, in the service's words: data, never markup.
    pub title: Option<String>,
    /// How bad.
    pub severity: Option<Severity>,
    /// Where it stands.
    pub status: Option<Status>,
    /// What it turned out to be.
    pub classification: Option<Classification>,
    /// Why.
    pub determination: Option<Determination>,
    /// Who works on it.
    pub assigned_to: Option<String>,
    /// The stage of an attack: `CredentialAccess`, `Ransomware` and so on.
    pub category: Option<String>,
    /// The product that raised it.
    pub service_source: Option<String>,
    /// When the service made it.
    pub created: Option<Timestamp>,
    /// When it last changed.
    pub updated: Option<Timestamp>,
    /// MITRE ATT&CK technique ids.
    pub techniques: Vec<String>,
    /// Comments, oldest first.
    pub comments: Vec<Comment>,
    /// What it is about: devices, users, files and so on.
    pub evidence: Vec<Evidence>,
    /// Everything that the service sent.
    pub document: Document,
}

/// One comment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comment {
    /// Its text: data, never markup.
    pub text: String,
    /// Who wrote it.
    pub by: Option<String>,
    /// When.
    pub at: Option<Timestamp>,
}

/// One piece of evidence, named for a person; the whole of it is in the alert's document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// `device`, `user`, `file`, or any later kind.
    pub kind: String,
    /// A device's name, a user's principal name, a file's name and so on.
    pub name: String,
    /// `malicious`, `suspicious` and so on, where the service has judged it.
    pub verdict: Option<String>,
}

impl Incident {
    /// Reads what can be read. Without an id it is no incident that anyone could act on.
    pub fn read(document: &Document) -> Option<Self> {
        let value = document.to_value();
        Some(Self {
            id: IncidentId(text(&value, &["id", "incidentId"])?),
            title: text(&value, &["displayName", "incidentName"]),
            severity: Severity::read(&value["severity"]),
            status: Status::read(&value["status"]),
            classification: Classification::read(&value["classification"]),
            determination: Determination::read(&value["determination"]),
            assigned_to: text(&value, &["assignedTo"]),
            created: instant(&value, &["createdDateTime", "createdTime"]),
            updated: instant(&value, &["lastUpdateDateTime", "lastUpdateTime"]),
            tags: [texts(&value, "customTags"), texts(&value, "tags")].concat(),
            redirect_to: text(&value, &["redirectIncidentId"]).map(IncidentId),
            comments: comments(&value),
            alerts: value.get("alerts").map(|_| list(&value, "alerts").iter().filter_map(Alert::of).collect()),
            web_url: text(&value, &["incidentWebUrl", "incidentUri"]),
            document: document.clone(),
        })
    }

    /// For "the worst first": severity, then the number of alerts, then the newer one.
    pub fn badness(&self) -> (u8, usize, Option<Timestamp>) {
        (self.severity.as_ref().map_or(0, Severity::rank), self.alerts.as_ref().map_or(0, Vec::len), self.updated)
    }
}

impl Alert {
    /// Reads what can be read; `None` without an id.
    pub fn read(document: &Document) -> Option<Self> {
        Self::from_value(&document.to_value(), document.clone())
    }

    fn of(value: &Value) -> Option<Self> {
        Self::from_value(value, Document::new(&value.to_string()))
    }

    fn from_value(value: &Value, document: Document) -> Option<Self> {
        let mut evidence: Vec<Evidence> = list(value, "evidence").iter().filter_map(evidence_of).collect();
        evidence.extend(list(value, "devices").iter().filter_map(xdr_device));
        evidence.extend(list(value, "entities").iter().filter_map(xdr_entity));
        Some(Self {
            id: AlertId(text(value, &["id", "alertId"])?),
            incident_id: text(value, &["incidentId"]).map(IncidentId),
            title: text(value, &["title"]),
            severity: Severity::read(&value["severity"]),
            status: Status::read(&value["status"]),
            classification: Classification::read(&value["classification"]),
            determination: Determination::read(&value["determination"]),
            assigned_to: text(value, &["assignedTo"]),
            category: text(value, &["category"]),
            service_source: text(value, &["serviceSource"]),
            created: instant(value, &["createdDateTime", "creationTime", "alertCreationTime"]),
            updated: instant(value, &["lastUpdateDateTime", "lastUpdatedTime", "lastUpdateTime"]),
            techniques: texts(value, "mitreTechniques"),
            comments: comments(value),
            evidence,
            document,
        })
    }
}

fn comments(value: &Value) -> Vec<Comment> {
    let read = |comment: &Value| {
        Some(Comment {
            text: text(comment, &["comment"])?,
            by: text(comment, &["createdByDisplayName", "createdBy"]),
            at: instant(comment, &["createdDateTime", "createdTime"]),
        })
    };
    list(value, "comments").iter().filter_map(read).collect()
}

/// Graph's evidence names its type; that of Defender for Endpoint is flat, like XDR's entities.
fn evidence_of(value: &Value) -> Option<Evidence> {
    graph_evidence(value).or_else(|| xdr_entity(value))
}

fn graph_evidence(value: &Value) -> Option<Evidence> {
    let kind = text(value, &["@odata.type"])?;
    let kind = kind.rsplit('.').next().unwrap_or(&kind);
    let kind = kind.strip_suffix("Evidence").unwrap_or(kind);
    let name = GRAPH_NAMES
        .iter()
        .find_map(|path| text(value.pointer(&path[..path.rfind('/')?])?, &[&path[path.rfind('/')? + 1..]]));
    Some(Evidence {
        kind: kind.to_owned(),
        name: name.unwrap_or_else(|| "unnamed".to_owned()),
        verdict: text(value, &["verdict"]),
    })
}

fn xdr_device(value: &Value) -> Option<Evidence> {
    let name = text(value, &["deviceDnsName", "mdatpDeviceId", "deviceId", "DeviceId"])?;
    Some(Evidence { kind: "device".to_owned(), name, verdict: text(value, &["verdict"]) })
}

fn xdr_entity(value: &Value) -> Option<Evidence> {
    let kind = text(value, &["entityType"])?;
    let name = text(value, XDR_NAMES).unwrap_or_else(|| "unnamed".to_owned());
    Some(Evidence { kind: kind.to_lowercase(), name, verdict: text(value, &["verdict"]) })
}

/// Where the common kinds of evidence carry the name that an analyst knows, first hit first.
const GRAPH_NAMES: &[&str] = &[
    "/deviceDnsName",
    "/userAccount/userPrincipalName",
    "/userAccount/accountName",
    "/imageFile/fileName",
    "/fileDetails/fileName",
    "/ipAddress",
    "/url",
    "/primaryAddress",
    "/subject",
    "/registryKey",
    "/displayName",
    "/resourceName",
    "/name",
    "/query",
    "/mdeDeviceId",
];

const XDR_NAMES: &[&str] = &[
    "userPrincipalName",
    "accountName",
    "fileName",
    "ipAddress",
    "url",
    "mailboxAddress",
    "subject",
    "clusterBy",
    "registryKey",
    "securityGroupName",
    "processCommandLine",
    "deviceId",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_shapes_of_an_incident_read_alike() {
        let graph = Document::new(
            r##"{"id":"7","displayName":"Phish","status":"InProgress","severity":"HIGH","customTags":["a"],"redirectIncidentId":null,
            "createdDateTime":"2026-07-22T18:37:11.5233333Z","comments":[{"comment":"x","createdByDisplayName":"ada"}],
            "alerts":[{"id":"da1","incidentId":"7","evidence":[{"@odata.type":"#microsoft.graph.security.userEvidence","userAccount":{"userPrincipalName":"u@x"}}]}]}"##,
        );
        let xdr = Document::new(
            r#"{"incidentId":7,"incidentName":"Phish","status":"InProgress","severity":"High","tags":["a"],"redirectIncidentId":null,
            "createdTime":"2026-07-22T18:37:11.5233333Z","comments":[{"comment":"x","createdBy":"ada"}],
            "alerts":[{"alertId":"da1","incidentId":7,"devices":[],"entities":[{"entityType":"User","userPrincipalName":"u@x"}]}]}"#,
        );
        let [graph, xdr] = [graph, xdr].map(|document| {
            let incident = Incident::read(&document).unwrap();
            let alert = incident.alerts.as_ref().unwrap()[0].clone();
            (
                (
                    incident.id,
                    incident.title,
                    incident.status,
                    incident.severity,
                    incident.tags,
                    incident.created,
                    incident.comments,
                ),
                (alert.id, alert.incident_id, alert.evidence),
            )
        });
        assert_eq!(graph, xdr);
    }

    #[test]
    fn odd_members_lose_no_incident() {
        let incident = Incident::read(&Document::new(
            r#"{"id":12,"severity":7,"status":null,"customTags":null,"alerts":null,"createdDateTime":"soon"}"#,
        ))
        .unwrap();
        assert_eq!(incident.id, IncidentId("12".into()));
        assert_eq!((incident.severity, incident.created), (None, None));
        assert_eq!(incident.alerts.map(|alerts| alerts.len()), Some(0));
        assert!(Incident::read(&Document::new(r#"{"title":"no id"}"#)).is_none());
    }

    #[test]
    fn an_unknown_kind_of_evidence_is_kept_and_named() {
        let alert = Alert::read(&Document::new(
            r##"{"id":"da1","evidence":[{"@odata.type":"#microsoft.graph.security.starshipEvidence","displayName":"NCC","verdict":"suspicious"},{"@odata.type":"#microsoft.graph.security.processEvidence","imageFile":{"fileName":"a.exe"}}]}"##,
        ))
        .unwrap();
        let kinds: Vec<_> =
            alert.evidence.iter().map(|evidence| (evidence.kind.as_str(), evidence.name.as_str())).collect();
        assert_eq!(kinds, [("starship", "NCC"), ("process", "a.exe")]);
    }
}
