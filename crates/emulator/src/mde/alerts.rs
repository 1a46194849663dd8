//! Alerts: list, read, change one or many, and create one about an event.

use axum::{
    Json,
    body::Bytes,
    extract::Path,
    response::{IntoResponse, Response},
};
use http::{StatusCode, header::CONTENT_TYPE};
use serde_json::Value;

use super::{
    alert_view::{alert_json, is_detection_source, is_endpoint},
    body::Fields,
    call::{Answer, Call, Door, Head, Refusal, TOP_MAX, by, shown, usual},
};
use crate::{
    counters::Effect,
    odata::{Cell, Filter, Kind, Property, Query, QueryError},
    throttle::Limit,
    world::{
        Alert, AlertChange, AlertStatus, Classification, CustomWords, Determination, ReportedEvent, Severity, Term,
        Ticks, World,
    },
};

pub(super) async fn list(head: Head) -> Answer {
    let call = head.admit(&LIST)?;
    let query = call.alert_query(&["$filter", "$top", "$skip", "$expand"])?;
    let rows = call.with_world(|world| rows(world, &query, |_| true)).map_err(|error| call.bad_query(&error))?;
    Ok(call.collection("Alerts", rows))
}

pub(super) async fn one(Path(id): Path<String>, head: Head) -> Answer {
    let call = head.admit(&ONE)?;
    let alert = on_alert(&call, &id, |world, alert| alert_json(world, alert, true))?;
    Ok(call.entity(StatusCode::OK, "Alerts/$entity", alert))
}

pub(super) async fn of_machine(Path(id): Path<String>, head: Head) -> Answer {
    let call = head.admit(&OF_MACHINE)?;
    let index = call.device(&id)?;
    let query = call.alert_query(&["$filter", "$top", "$skip", "$expand"])?;
    let on_it = |alert: &Alert| usize::from(alert.device) == index;
    let rows = call.with_world(|world| rows(world, &query, on_it)).map_err(|error| call.bad_query(&error))?;
    Ok(call.collection("Alerts", rows))
}

/// A bare number is the whole body.
pub(super) async fn count_of_machine(Path(id): Path<String>, head: Head) -> Answer {
    let call = head.admit(&OF_MACHINE)?;
    let index = call.device(&id)?;
    let query = call.alert_query(&["$filter"])?;
    let on_it = |alert: &Alert| usize::from(alert.device) == index;
    let rows = call.with_world(|world| rows(world, &query, on_it)).map_err(|error| call.bad_query(&error))?;
    Ok(([(CONTENT_TYPE, "text/plain")], rows.len().to_string()).into_response())
}

pub(super) async fn update(Path(id): Path<String>, head: Head, body: Bytes) -> Answer {
    let call = head.admit(&UPDATE)?;
    let change = call.body(&body, CHANGEABLE)?.alert_change(&call)?;
    let alert = call.with_world(|world| change_one(&call, world, &id, change))?;
    Ok(call.entity(StatusCode::OK, "Alerts/$entity", alert))
}

/// All or none: what one unknown id does is not documented (G).
pub(super) async fn batch_update(head: Head, body: Bytes) -> Answer {
    let call = head.admit(&BATCH)?;
    let known: Vec<&str> = CHANGEABLE.iter().copied().chain(["alertIds"]).collect();
    let fields = call.body(&body, &known)?;
    let ids = fields.texts("alertIds")?;
    if ids.is_empty() {
        return Err(call.missing("alertIds"));
    }
    let change = fields.alert_change(&call)?;
    call.with_world(|world| {
        for id in &ids {
            world.alert(id).filter(|alert| is_endpoint(alert)).ok_or_else(|| call.not_found("Alert", id))?;
        }
        ids.iter().try_for_each(|id| change_one(&call, world, id, change.clone()).map(|_| ()))
    })?;
    Ok(StatusCode::OK.into_response())
}

/// An event has to lie in the days that hunting covers, and its report's number has to be one. Whether hunting has
/// such an event is not looked up (G).
pub(super) async fn create(head: Head, body: Bytes) -> Answer {
    let call = head.admit(&CREATE)?;
    let names =
        ["eventTime", "reportId", "machineId", "severity", "title", "description", "recommendedAction", "category"];
    let fields = call.body(&body, &names)?;
    let event_time = fields.required("eventTime")?;
    let report = fields.required("reportId")?;
    let machine = fields.required("machineId")?;
    let severity = fields.word("severity", &["Low", "Medium", "High"])?.ok_or_else(|| call.missing("severity"))?;
    let severity = Severity::parse(severity).ok_or_else(|| call.invalid("severity"))?;
    let words = CustomWords {
        title: fields.required("title")?,
        description: fields.required("description")?,
        recommended: fields.required("recommendedAction")?,
        category: fields.word("category", CATEGORIES)?.ok_or_else(|| call.missing("category"))?,
    };
    let at: jiff::Timestamp = event_time.parse().map_err(|_| call.invalid("eventTime"))?;
    let (at, now) = (Ticks::from(at), Ticks::from(call.app.clock.now()));
    let unknown = || call.not_found("Event", &report);
    let device = call.with_world(|world| world.device_index(&machine)).ok_or_else(unknown)?;
    if report.parse::<u64>().is_err() || at > now || at < now.plus_s(-HUNTING_S) {
        return Err(unknown());
    }
    let alert = call.with_world(|world| {
        let event = ReportedEvent { device, at, severity, words };
        let position = world.report(event, &call.caller.display_name);
        world.alert_at(position).map(|alert| alert_json(world, alert, true))
    });
    Ok(Json(alert.unwrap_or(Value::Null)).into_response())
}

impl Call {
    /// Options of a list of alerts; only evidence can be expanded.
    fn alert_query(&self, options: &[&str]) -> Result<Query, Refusal> {
        let query = Query::read(&self.query, options).map_err(|error| self.bad_query(&error))?;
        let unknown = query.expand.iter().find(|name| !name.eq_ignore_ascii_case("evidence"));
        match unknown {
            Some(property) => {
                Err(self.bad_query(&QueryError::UnknownProperty { property: property.clone(), entity: ENTITY }))
            }
            None => Ok(query),
        }
    }

    /// Alerts that fit, newest first, in the plain list that other entities answer with.
    pub(super) fn alerts_where(&self, fits: impl Fn(&World, &Alert) -> bool) -> Response {
        let rows = self.with_world(|world| {
            let found = world.alerts().into_iter().filter(|alert| is_endpoint(alert) && fits(world, alert));
            found.map(|alert| alert_json(world, alert, false)).collect()
        });
        self.collection("Alerts", rows)
    }
}

/// What `act` says of an alert of this product.
pub(super) fn on_alert<T>(call: &Call, id: &str, act: impl FnOnce(&World, &Alert) -> T) -> Result<T, Refusal> {
    let found = call.with_world(|world| {
        let alert = world.alert(id).filter(|alert| is_endpoint(alert))?;
        Some(act(world, alert))
    });
    found.ok_or_else(|| call.not_found("Alert", id))
}

impl Fields<'_> {
    /// The table of the page prints two names in capitals, its example does not: both are taken.
    fn alert_change(&self, call: &Call) -> Result<AlertChange, Refusal> {
        let either = |lower: &'static str, upper: &'static str| if self.value(lower).is_some() { lower } else { upper };
        let word = |name: &str| self.text(name);
        let status_name = either("status", "Status");
        let status = word(status_name)?.map(|text| {
            let own = AlertStatus::is_xdr_word(&text).then(|| AlertStatus::parse(&text)).flatten();
            own.ok_or_else(|| call.invalid("status"))
        });
        let classification = word(either("classification", "Classification"))?.map(|text| {
            let known = Classification::parse(&text).filter(|known| *known != Classification::Unknown);
            known.ok_or_else(|| call.invalid("classification"))
        });
        let determination = word(either("determination", "Determination"))?.map(|text| {
            let retired = [Determination::Apt, Determination::SecurityPersonnel, Determination::Unknown];
            let known = Determination::parse(&text).filter(|known| !retired.contains(known));
            known.ok_or_else(|| call.invalid("determination"))
        });
        let change = AlertChange {
            status: status.transpose()?,
            assigned_to: self.value("assignedTo").map(|_| self.text("assignedTo")).transpose()?,
            classification: classification.transpose()?,
            determination: determination.transpose()?,
            comment: self.text("comment")?,
        };
        let is_empty = change.status.is_none()
            && change.assigned_to.is_none()
            && change.classification.is_none()
            && change.determination.is_none()
            && change.comment.is_none();
        if is_empty { Err(call.missing("status")) } else { Ok(change) }
    }
}

fn change_one(call: &Call, world: &mut World, id: &str, change: AlertChange) -> Result<Value, Refusal> {
    let unknown = || call.not_found("Alert", id);
    world.alert(id).filter(|alert| is_endpoint(alert)).ok_or_else(unknown)?;
    let has_comment = change.comment.is_some();
    world.change_alert(id, &call.caller.display_name, change);
    call.applied(&format!("alerts/{id}"), Effect::Patch);
    if has_comment {
        call.applied(&format!("alerts/{id}"), Effect::Comment);
    }
    world.alert(id).map(|alert| alert_json(world, alert, true)).ok_or_else(unknown)
}

fn rows(world: &World, query: &Query, fits: impl Fn(&Alert) -> bool) -> Result<Vec<Value>, QueryError> {
    let filter = query.filter(ENTITY, PROPERTIES)?;
    let size = query.top_within(TOP_MAX)?;
    let mut rows = world.alerts();
    rows.retain(|alert| {
        let matches = |filter: &Filter| filter.matches(&|index| cell(alert, index));
        is_endpoint(alert) && fits(alert) && filter.as_ref().is_none_or(matches)
    });
    let rows = rows.into_iter().skip(query.skip.unwrap_or(0)).take(size);
    Ok(rows.map(|alert| alert_json(world, alert, !query.expand.is_empty())).collect())
}

#[expect(clippy::cast_precision_loss, reason = "numbers of incidents and investigations are far below 2^52")]
fn cell(alert: &Alert, index: usize) -> Cell<'_> {
    match PROPERTIES[index].name {
        "alertCreationTime" => Cell::Instant(alert.created),
        "lastUpdateTime" => Cell::Instant(alert.updated),
        "lastEventTime" => Cell::Instant(alert.last_activity),
        "incidentId" => Cell::Number(alert.incident as f64),
        "investigationId" => alert.investigation_id().map_or(Cell::Null, |id| Cell::Number(id as f64)),
        "id" => Cell::text(&alert.id),
        "assignedTo" => Cell::optional(alert.assigned_to.as_deref()),
        "detectionSource" => Cell::text(alert.kind.detection.xdr()),
        "status" => Cell::text(alert.status.xdr()),
        "severity" => Cell::text(alert.severity.xdr()),
        "category" => Cell::text(alert.category()),
        _ => Cell::Null,
    }
}

fn is_severity(text: &str) -> bool {
    text.eq_ignore_ascii_case("UnSpecified") || Severity::is_xdr_word(text)
}

fn is_status(text: &str) -> bool {
    text.eq_ignore_ascii_case("Unknown") || AlertStatus::is_xdr_word(text)
}

const ENTITY: &str = "microsoft.windowsDefenderATP.api.Alert";

/// Filterable are those that the page of the list names.
const PROPERTIES: &[Property] = &[
    by("alertCreationTime", Kind::Instant),
    by("lastUpdateTime", Kind::Instant),
    by("lastEventTime", Kind::Instant),
    by("incidentId", Kind::Number),
    by("investigationId", Kind::Number),
    by("id", Kind::Text),
    by("assignedTo", Kind::Text),
    by("detectionSource", Kind::Enumeration(is_detection_source)),
    by("status", Kind::Enumeration(is_status)),
    by("severity", Kind::Enumeration(is_severity)),
    by("category", Kind::Text),
    shown("title"),
    shown("description"),
    shown("machineId"),
    shown("computerDnsName"),
    shown("classification"),
    shown("determination"),
    shown("investigationState"),
    shown("firstEventTime"),
    shown("resolvedTime"),
];

const CHANGEABLE: &[&str] = &[
    "status",
    "Status",
    "assignedTo",
    "classification",
    "Classification",
    "determination",
    "Determination",
    "comment",
];

const CATEGORIES: &[&str] = &[
    "General",
    "CommandAndControl",
    "Collection",
    "CredentialAccess",
    "DefenseEvasion",
    "Discovery",
    "Exfiltration",
    "Exploit",
    "Execution",
    "InitialAccess",
    "LateralMovement",
    "Malware",
    "Persistence",
    "PrivilegeEscalation",
    "Ransomware",
    "SuspiciousActivity",
];

pub(super) const READ: &[&str] = &["Alert.Read.All", "Alert.ReadWrite.All"];
const WRITE: &[&str] = &["Alert.ReadWrite.All"];
/// How far back hunting sees.
const HUNTING_S: i64 = 30 * 86_400;

const LIST: Door = Door { roles: READ, limit: usual("mde alerts") };
const ONE: Door = Door { roles: READ, limit: usual("mde alert") };
const OF_MACHINE: Door = Door { roles: READ, limit: usual("mde machine alerts") };
const UPDATE: Door = Door { roles: WRITE, limit: usual("mde alert update") };
const BATCH: Door =
    Door { roles: WRITE, limit: Limit { name: "mde alerts update", windows: &[(10, 60), (500, 3_600)] } };
const CREATE: Door = Door { roles: WRITE, limit: Limit { name: "mde alert create", windows: &[(15, 60)] } };
