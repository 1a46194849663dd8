//! Filtering, order and pages of the two lists.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::{
    odata::{Cell, Kind, Property, Query, QueryError},
    world::{
        Alert, AlertStatus, Classification, DetectionSource, Determination, Incident, IncidentStatus, ServiceSource,
        Severity, Term, World,
    },
};

/// Which of the two lists is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum List {
    Incidents,
    Alerts,
}

/// One page: positions of its rows, the link to the next one, and the size of the whole list where it was asked for.
#[derive(Debug)]
pub(super) struct Page {
    pub rows: Vec<u32>,
    pub next: Option<String>,
    pub count: Option<usize>,
}

impl List {
    pub(super) fn entity(self) -> &'static str {
        match self {
            Self::Incidents => "microsoft.graph.security.incident",
            Self::Alerts => "microsoft.graph.security.alert",
        }
    }

    fn properties(self) -> &'static [Property] {
        match self {
            Self::Incidents => INCIDENT_PROPERTIES,
            Self::Alerts => ALERT_PROPERTIES,
        }
    }

    fn letter(self) -> char {
        match self {
            Self::Incidents => 'i',
            Self::Alerts => 'a',
        }
    }

    /// All rows that match, in order.
    fn rows(self, world: &World, query: &Query) -> Result<Vec<u32>, QueryError> {
        let filter = query.filter(self.entity(), self.properties())?;
        let order = query.order(self.entity(), self.properties())?;
        match self {
            Self::Incidents => {
                let mut rows = world.incidents();
                if let Some(filter) = &filter {
                    rows.retain(|row| filter.matches(&|index| incident_cell(row, index)));
                }
                if order.is_given() {
                    rows.sort_by(|a, b| order.compare(&|i| incident_cell(a, i), &|i| incident_cell(b, i)));
                }
                Ok(rows.into_iter().map(|row| world.incident_position(row)).collect())
            }
            Self::Alerts => {
                let mut rows = world.alerts();
                if let Some(filter) = &filter {
                    rows.retain(|row| filter.matches(&|index| alert_cell(world, row, index)));
                }
                if order.is_given() {
                    rows.sort_by(|a, b| order.compare(&|i| alert_cell(world, a, i), &|i| alert_cell(world, b, i)));
                }
                Ok(rows.into_iter().map(|row| world.position_of_alert(row)).collect())
            }
        }
    }
}

/// The page that a query asks for. A `$skiptoken` goes on in the list as it was when its first page was read, so that
/// each row comes exactly once while the world changes.
pub(super) fn page(
    world: &mut World,
    list: List,
    query: &Query,
    raw_query: &str,
    url: &str,
    size: usize,
) -> Result<Page, QueryError> {
    let (rows, start, number) = match &query.skip_token {
        Some(token) => {
            let (number, start) = read_token(list, token).ok_or(QueryError::SkipToken)?;
            (world.snapshot(number).ok_or(QueryError::SkipToken)?, start, Some(number))
        }
        None => (Arc::from(list.rows(world, query)?), query.skip.unwrap_or(0), None),
    };
    let end = start.saturating_add(size).min(rows.len());
    let count = query.count.then_some(rows.len());
    let page = rows.get(start..end).map(<[u32]>::to_vec).unwrap_or_default();
    let next = (size > 0 && end < rows.len()).then(|| {
        let number = number.unwrap_or_else(|| world.keep_snapshot(Arc::clone(&rows)));
        next_link(url, raw_query, &write_token(list, number, end))
    });
    Ok(Page { rows: page, next, count })
}

/// Keeps only the named properties of an entity, and its id.
pub(super) fn select(entity: Value, names: Option<&[String]>) -> Value {
    match (entity, names) {
        (Value::Object(fields), Some(names)) => {
            let kept =
                |name: &str| name == "id" || name == "alerts" || name.contains('@') || names.iter().any(|n| n == name);
            Value::Object(fields.into_iter().filter(|(name, _)| kept(name)).collect())
        }
        (entity, _) => entity,
    }
}

/// The answer of a list.
pub(super) fn list_json(context: &str, page: &Page, value: Vec<Value>) -> Value {
    let mut body = json!({ "@odata.context": context });
    if let Some(count) = page.count {
        body["@odata.count"] = json!(count);
    }
    body["value"] = Value::Array(value);
    if let Some(next) = &page.next {
        body["@odata.nextLink"] = json!(next);
    }
    body
}

/// The client's own options stay as they were written; only where to go on is new.
fn next_link(url: &str, raw_query: &str, token: &str) -> String {
    let is_place = |part: &str| {
        let name = part.split('=').next().unwrap_or_default().to_ascii_lowercase().replace("%24", "$");
        name == "$skip" || name == "$skiptoken"
    };
    let mut parts: Vec<&str> = raw_query.split('&').filter(|part| !part.is_empty() && !is_place(part)).collect();
    let token = format!("$skiptoken={token}");
    parts.push(&token);
    format!("{url}?{}", parts.join("&"))
}

fn write_token(list: List, number: u64, start: usize) -> String {
    URL_SAFE_NO_PAD.encode(format!("{}.{number}.{start}", list.letter()))
}

fn read_token(list: List, token: &str) -> Option<(u64, usize)> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    let mut parts = text.split('.');
    let is_ours = parts.next()? == list.letter().to_string();
    let place = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    (is_ours && parts.next().is_none()).then_some(place)
}

fn incident_cell(incident: &Incident, index: usize) -> Cell<'_> {
    match INCIDENT_PROPERTIES[index].name {
        "assignedTo" => Cell::optional(incident.assigned_to.as_deref()),
        "classification" => Cell::text(incident.classification.graph()),
        "createdDateTime" => Cell::Instant(incident.created),
        "determination" => Cell::text(incident.determination.graph()),
        "lastUpdateDateTime" => Cell::Instant(incident.updated),
        "severity" => Cell::text(incident.severity.graph()),
        "status" => Cell::text(incident.status.graph()),
        "displayName" => Cell::text(&incident.title),
        "priorityScore" => Cell::Number(f64::from(incident.priority())),
        "customTags" => Cell::TextList(incident.tags.iter().map(String::as_str).collect()),
        "id" => Cell::Number(f64::from(u32::try_from(incident.id).unwrap_or(u32::MAX))),
        _ => Cell::Null,
    }
}

fn alert_cell<'w>(world: &'w World, alert: &'w Alert, index: usize) -> Cell<'w> {
    match ALERT_PROPERTIES[index].name {
        "assignedTo" => Cell::optional(alert.assigned_to.as_deref()),
        "classification" => Cell::text(alert.classification.graph()),
        "createdDateTime" => Cell::Instant(alert.created),
        "determination" => Cell::text(alert.determination.graph()),
        "lastUpdateDateTime" => Cell::Instant(alert.updated),
        "severity" => Cell::text(alert.severity.graph()),
        "serviceSource" => Cell::text(alert.kind.service.graph()),
        "status" => Cell::text(alert.status.graph()),
        "detectionSource" => Cell::text(alert.kind.detection.graph()),
        "title" => Cell::Text(alert.title(&world.company).into()),
        "id" => Cell::text(&alert.id),
        _ => Cell::Null,
    }
}

const fn filterable(name: &'static str, kind: Kind) -> Property {
    Property { name, kind, filterable: true }
}

const fn known(name: &'static str, kind: Kind) -> Property {
    Property { name, kind, filterable: false }
}

/// Filterable are the ones that the page of the list names.
const INCIDENT_PROPERTIES: &[Property] = &[
    filterable("assignedTo", Kind::Text),
    filterable("classification", Kind::Enumeration(Classification::is_graph_word)),
    filterable("createdDateTime", Kind::Instant),
    filterable("determination", Kind::Enumeration(Determination::is_graph_word)),
    filterable("lastUpdateDateTime", Kind::Instant),
    filterable("severity", Kind::Enumeration(Severity::is_graph_word)),
    filterable("status", Kind::Enumeration(IncidentStatus::is_graph_word)),
    known("id", Kind::Number),
    known("displayName", Kind::Text),
    known("priorityScore", Kind::Number),
    known("customTags", Kind::TextList),
    known("systemTags", Kind::TextList),
    known("description", Kind::Text),
    known("summary", Kind::Text),
    known("tenantId", Kind::Text),
    known("redirectIncidentId", Kind::Text),
    known("incidentWebUrl", Kind::Text),
    known("lastModifiedBy", Kind::Text),
    known("resolvingComment", Kind::Text),
    known("comments", Kind::Text),
];

const ALERT_PROPERTIES: &[Property] = &[
    filterable("assignedTo", Kind::Text),
    filterable("classification", Kind::Enumeration(Classification::is_graph_word)),
    filterable("determination", Kind::Enumeration(Determination::is_graph_word)),
    filterable("createdDateTime", Kind::Instant),
    filterable("lastUpdateDateTime", Kind::Instant),
    filterable("severity", Kind::Enumeration(Severity::is_graph_word)),
    filterable("serviceSource", Kind::Enumeration(ServiceSource::is_graph_word)),
    filterable("status", Kind::Enumeration(AlertStatus::is_graph_word)),
    known("id", Kind::Text),
    known("title", Kind::Text),
    known("detectionSource", Kind::Enumeration(DetectionSource::is_graph_word)),
    known("providerAlertId", Kind::Text),
    known("incidentId", Kind::Text),
    known("tenantId", Kind::Text),
    known("description", Kind::Text),
    known("recommendedActions", Kind::Text),
    known("category", Kind::Text),
    known("categories", Kind::TextList),
    known("productName", Kind::Text),
    known("detectorId", Kind::Text),
    known("alertWebUrl", Kind::Text),
    known("incidentWebUrl", Kind::Text),
    known("alertPolicyId", Kind::Text),
    known("actorDisplayName", Kind::Text),
    known("threatDisplayName", Kind::Text),
    known("threatFamilyName", Kind::Text),
    known("mitreTechniques", Kind::TextList),
    known("investigationState", Kind::Text),
    known("resolvedDateTime", Kind::Instant),
    known("firstActivityDateTime", Kind::Instant),
    known("lastActivityDateTime", Kind::Instant),
    known("comments", Kind::Text),
    known("evidence", Kind::Text),
    known("systemTags", Kind::TextList),
    known("additionalData", Kind::Text),
    known("customDetails", Kind::Text),
];

/// Refuses a `$select` of properties that the entity does not have.
pub(super) fn check_select(list: List, query: &Query) -> Result<(), QueryError> {
    let exists = |name: &String| list.properties().iter().any(|property| property.name == *name);
    match query.select.iter().flatten().find(|name| !exists(name)) {
        None => Ok(()),
        Some(name) => Err(QueryError::UnknownProperty { property: name.clone(), entity: list.entity() }),
    }
}
