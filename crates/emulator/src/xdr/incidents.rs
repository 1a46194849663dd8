//! List, read and change incidents.

use axum::{
    Extension, Json,
    body::Bytes,
    extract::{Path, RawQuery, State},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, StatusCode};
use serde_json::{Map, Value, json};

use super::{
    answer::{denied, error, too_many_reads, too_many_updates},
    view::incident_json,
};
use crate::{
    caller::{Caller, Resource, authorize},
    cloud::{App, Cloud},
    counters::Effect,
    dispatch::Origin,
    odata::{Cell, Kind, Property, Query, QueryError},
    throttle::{Exceeded, Limit},
    world::{Classification, Determination, Incident, IncidentChange, IncidentStatus, Term, Ticks, World},
};

pub(super) async fn list(
    State(app): State<App>,
    Extension(origin): Extension<Origin>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let caller = match admit(&app, &headers, READ, &LIST_LIMIT) {
        Ok(caller) => caller,
        Err(refusal) => return *refusal,
    };
    let found =
        read_query(&query.unwrap_or_default()).and_then(|query| with_world(&app, &caller, |world| page(world, &query)));
    match found {
        Ok(value) => {
            let context = format!("{}/api/$metadata#Incidents", origin.base());
            Json(json!({ "@odata.context": context, "value": value })).into_response()
        }
        Err(refused) => error(&app, StatusCode::BAD_REQUEST, "ODataError", &refused.to_string()),
    }
}

pub(super) async fn one(State(app): State<App>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    let caller = match admit(&app, &headers, READ, &GET_LIMIT) {
        Ok(caller) => caller,
        Err(refusal) => return *refusal,
    };
    let Some(number) = number_of(&id) else { return malformed(&app, &id) };
    match with_world(&app, &caller, |world| world.incident(number).map(|incident| incident_json(world, incident))) {
        Some(incident) => Json(incident).into_response(),
        None => not_found(&app, &id),
    }
}

pub(super) async fn update(
    State(app): State<App>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let caller = match admit(&app, &headers, WRITE, &UPDATE_LIMIT) {
        Ok(caller) => caller,
        Err(refusal) => return *refusal,
    };
    let Some(number) = number_of(&id) else { return malformed(&app, &id) };
    let change = match read_change(&body) {
        Ok(change) => change,
        Err(problem) => return error(&app, StatusCode::BAD_REQUEST, problem.code(), &problem.to_string()),
    };
    let has_comment = change.comment.is_some();
    let changed = with_world(&app, &caller, |world| {
        world.change_incident(number, &caller.display_name, change)?;
        world.incident(number).map(|incident| incident_json(world, incident))
    });
    let Some(incident) = changed else { return not_found(&app, &id) };
    app.counters.applied(&caller.tenant, &format!("incidents/{id}"), Effect::Patch);
    if has_comment {
        app.counters.applied(&caller.tenant, &format!("incidents/{id}"), Effect::Comment);
    }
    Json(incident).into_response()
}

/// Why the body of an update is refused. The codes are the documented ones, the texts ours (G).
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum BodyError {
    #[error("Request body is incorrect")]
    NotAnObject,
    #[error("Request body is incorrect: the property '{0}' is not known. Names are case-sensitive")]
    UnknownProperty(String),
    #[error("Request body is incorrect: the value of '{0}' is not valid")]
    BadValue(&'static str),
    #[error("At least one property to update is required")]
    Empty,
}

impl BodyError {
    fn code(&self) -> &'static str {
        match self {
            Self::NotAnObject | Self::UnknownProperty(_) | Self::BadValue(_) => "InvalidRequestBody",
            Self::Empty => "MissingRequiredParameter",
        }
    }
}

fn admit(app: &Cloud, headers: &HeaderMap, roles: &[&str], limit: &Limit) -> Result<Caller, Box<Response>> {
    let caller = authorize(app, headers, Resource::Xdr, roles).map_err(|refused| Box::new(denied(app, &refused)))?;
    let now = Ticks::from(app.clock.now());
    let too_many = |exceeded: Exceeded| {
        let is_update = limit.name == UPDATE_LIMIT.name;
        Box::new(if is_update { too_many_updates(app, &exceeded, now) } else { too_many_reads(app, &exceeded) })
    };
    app.throttle.take(limit, &caller.tenant, &caller.app_id, now).map_err(too_many)?;
    Ok(caller)
}

fn with_world<T>(app: &Cloud, caller: &Caller, act: impl FnOnce(&mut World) -> T) -> T {
    app.worlds.with(&caller.tenant, Ticks::from(app.clock.now()), act)
}

fn read_query(query: &str) -> Result<Query, QueryError> {
    let query = Query::read(query, &["$filter", "$top", "$skip", "$orderby", "$expand", "$select", "$count"])?;
    // Only the first three are documented; the others get the refusal of Microsoft's OData library.
    let asked = [
        ("OrderBy", query.order_by.is_some()),
        ("Expand", !query.expand.is_empty()),
        ("Select", query.select.is_some()),
        ("Count", query.count),
    ];
    match asked.iter().find(|(_, is_asked)| *is_asked) {
        Some((name, _)) => Err(QueryError::NotAllowed(name)),
        None => Ok(query),
    }
}

fn page(world: &World, query: &Query) -> Result<Vec<Value>, QueryError> {
    let filter = query.filter(ENTITY, PROPERTIES)?;
    let size = query.top_within(PAGE_SIZE_MAX)?;
    let mut rows = world.incidents();
    if let Some(filter) = &filter {
        rows.retain(|row| filter.matches(&|index| cell(row, index)));
    }
    let rows = rows.into_iter().skip(query.skip.unwrap_or(0)).take(size);
    Ok(rows.map(|incident| incident_json(world, incident)).collect())
}

fn read_change(body: &[u8]) -> Result<IncidentChange, BodyError> {
    let fields: Map<String, Value> = serde_json::from_slice(body).map_err(|_| BodyError::NotAnObject)?;
    if let Some(unknown) = fields.keys().find(|name| !UPDATABLE.contains(&name.as_str())) {
        return Err(BodyError::UnknownProperty(unknown.clone()));
    }
    if fields.is_empty() {
        return Err(BodyError::Empty);
    }
    // Only Defender's experts set `AwaitingAction`.
    let status = |word: &str| IncidentStatus::parse(word).filter(|status| *status != IncidentStatus::AwaitingAction);
    // Not writable any more since 2022-08-29.
    let retired = [Determination::Apt, Determination::SecurityPersonnel];
    let determination = |word: &str| Determination::parse(word).filter(|found| !retired.contains(found));
    Ok(IncidentChange {
        status: term(&fields, "status", status)?,
        classification: term(&fields, "classification", Classification::parse)?,
        determination: term(&fields, "determination", determination)?,
        assigned_to: text(&fields, "assignedTo")?,
        tags: tags(&fields)?,
        comment: text(&fields, "comment")?.flatten(),
        resolving_comment: None,
    })
}

fn term<T>(
    fields: &Map<String, Value>,
    name: &'static str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, BodyError> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(word)) => parse(word).map(Some).ok_or(BodyError::BadValue(name)),
        Some(_) => Err(BodyError::BadValue(name)),
    }
}

fn text(fields: &Map<String, Value>, name: &'static str) -> Result<Option<Option<String>>, BodyError> {
    match fields.get(name) {
        None => Ok(None),
        Some(Value::Null) => Ok(Some(None)),
        Some(Value::String(text)) => Ok(Some(Some(text.clone()).filter(|text| !text.is_empty()))),
        Some(_) => Err(BodyError::BadValue(name)),
    }
}

fn tags(fields: &Map<String, Value>) -> Result<Option<Vec<String>>, BodyError> {
    match fields.get("tags") {
        None => Ok(None),
        Some(Value::Null) => Ok(Some(Vec::new())),
        Some(tags) => serde_json::from_value(tags.clone()).map(Some).map_err(|_| BodyError::BadValue("tags")),
    }
}

fn number_of(id: &str) -> Option<u64> {
    id.parse().ok()
}

fn malformed(app: &Cloud, id: &str) -> Response {
    error(app, StatusCode::BAD_REQUEST, "InvalidInput", &format!("Incident id '{id}' is not a number"))
}

fn not_found(app: &Cloud, id: &str) -> Response {
    error(app, StatusCode::NOT_FOUND, "ResourceNotFound", &format!("Incident {id} was not found"))
}

fn cell(incident: &Incident, index: usize) -> Cell<'_> {
    match PROPERTIES[index].name {
        "lastUpdateTime" => Cell::Instant(incident.updated),
        "createdTime" => Cell::Instant(incident.created),
        "status" => Cell::text(incident.status.xdr()),
        "assignedTo" => Cell::optional(incident.assigned_to.as_deref()),
        _ => Cell::Null,
    }
}

const fn property(name: &'static str, kind: Kind, filterable: bool) -> Property {
    Property { name, kind, filterable }
}

/// The name of the type is ours (G): no answer that shows it was found.
const ENTITY: &str = "Microsoft.Security.Incident";

/// Filterable are the four that the page of the list names.
const PROPERTIES: &[Property] = &[
    property("lastUpdateTime", Kind::Instant, true),
    property("createdTime", Kind::Instant, true),
    property("status", Kind::Enumeration(IncidentStatus::is_xdr_word), true),
    property("assignedTo", Kind::Text, true),
    property("incidentId", Kind::Number, false),
    property("redirectIncidentId", Kind::Number, false),
    property("incidentName", Kind::Text, false),
    property("classification", Kind::Text, false),
    property("determination", Kind::Text, false),
    property("severity", Kind::Text, false),
    property("tags", Kind::TextList, false),
    property("comments", Kind::Text, false),
    property("alerts", Kind::Text, false),
];

const READ: &[&str] = &["Incident.Read.All", "Incident.ReadWrite.All"];
const WRITE: &[&str] = &["Incident.ReadWrite.All"];
const PAGE_SIZE_MAX: usize = 100;
const LIST_LIMIT: Limit = Limit { name: "xdr list", windows: &[(50, 60), (1_500, 3_600)] };
const GET_LIMIT: Limit = Limit { name: "xdr get", windows: &[(100, 60), (1_500, 3_600)] };
const UPDATE_LIMIT: Limit = Limit { name: "xdr update", windows: &[(50, 60), (1_500, 3_600)] };
const UPDATABLE: &[&str] = &["status", "assignedTo", "classification", "determination", "tags", "comment"];
