//! The admin API of devices and orders: who is reachable, what the next actions come to, what happened.

use axum::{
    Json, Router,
    extract::{Path, Query, State},
    routing::{get, post, put},
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    admin::{AdminError, Body, with_world},
    cloud::App,
    world::{ActionKind, ActionOrder, Course, CourseOrder, Ordered, Repeat, Term, World},
};

/// `/world/devices/{id}`, `/world/actions`, `/world/events`.
pub(crate) fn router() -> Router<App> {
    Router::new()
        .route("/world/devices/{id}", put(set_device))
        .route("/world/actions", put(set_actions).post(add_action))
        .route("/world/actions/{id}/cancel", post(cancel_action))
        .route("/world/events", get(events))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DeviceOrder {
    tenant: Option<String>,
    online: Option<bool>,
    /// An analyst's live response session in the portal is open.
    portal_session: Option<bool>,
}

/// By machine id, host name or full name; `all` stands for every device.
async fn set_device(
    State(app): State<App>,
    Path(id): Path<String>,
    Body(order): Body<DeviceOrder>,
) -> Result<Json<Value>, AdminError> {
    with_world(&app, order.tenant, |world| {
        let indices = match id.as_str() {
            "all" => (0..world.company.devices.len()).collect(),
            _ => vec![device(world, &id)?],
        };
        for index in &indices {
            if let Some(online) = order.online {
                world.set_online(*index, online);
            }
            if let Some(open) = order.portal_session {
                world.company.devices[*index].state.portal_session = open;
            }
        }
        let ids: Vec<&str> = indices.iter().map(|index| world.company.devices[*index].machine_id.as_str()).collect();
        Ok(Json(json!({ "machineIds": ids })))
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ActionsOrder {
    tenant: Option<String>,
    /// What the next actions come to: `succeed`, `fail`, `timeout`, `stuck`, `pending`.
    next: Option<Course>,
    /// Only actions of this type: `Isolate`, ..
    #[serde(rename = "type")]
    kind: Option<String>,
    /// Only actions on this device.
    device: Option<String>,
    /// How many of them; one where it is not said.
    times: Option<u64>,
    /// Until a reachable device takes an order up.
    start_s: Option<i64>,
    /// From there to the end, whatever the type.
    run_s: Option<i64>,
    /// What a repeated order answers: `refuse`, `same`, `accept`.
    repeat: Option<Repeat>,
}

async fn set_actions(State(app): State<App>, Body(order): Body<ActionsOrder>) -> Result<Json<Value>, AdminError> {
    with_world(&app, order.tenant, |world| {
        let kind = order.kind.as_deref().map(kind_of).transpose()?;
        let device = order.device.as_deref().map(|id| device(world, id)).transpose()?;
        let pace = &mut world.pace;
        if let Some(course) = order.next {
            pace.next.push(CourseOrder { course, kind, device, times: order.times.unwrap_or(1) });
        }
        if let Some(start_s) = order.start_s {
            pace.start_s = start_s.clamp(0, DELAY_S_MAX);
        }
        if let Some(run_s) = order.run_s {
            pace.run_s = Some(run_s.clamp(0, DELAY_S_MAX));
        }
        if let Some(repeat) = order.repeat {
            pace.repeat = repeat;
        }
        Ok(Json(json!({
            "start_s": pace.start_s, "run_s": pace.run_s, "repeat": pace.repeat, "ordered": pace.next.len(),
        })))
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewAction {
    tenant: Option<String>,
    device: String,
    #[serde(rename = "type")]
    kind: String,
    comment: Option<String>,
    requestor: Option<String>,
}

/// Somebody else gives an order, as an analyst does in the portal.
async fn add_action(State(app): State<App>, Body(new): Body<NewAction>) -> Result<Json<Value>, AdminError> {
    let kind = kind_of(&new.kind)?;
    with_world(&app, new.tenant, |world| {
        let order = ActionOrder {
            kind,
            device: device(world, &new.device)?,
            scope: (kind == ActionKind::Isolate).then_some("Full"),
            requestor: new.requestor.unwrap_or_else(|| format!("soc.first@{}", world.company.domain)),
            source: "Portal",
            external_id: None,
            comment: new.comment.unwrap_or_else(|| "Ordered in the portal".to_owned()),
            file: None,
            commands: Vec::new(),
        };
        let ordered = world.order(order).map_err(|_| AdminError::Body("the same order is already open".to_owned()))?;
        let (Ordered::New(position) | Ordered::Same(position)) = ordered;
        Ok(Json(json!({ "id": world.action(position).id })))
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cancel {
    tenant: Option<String>,
}

/// Somebody else cancels an action.
async fn cancel_action(
    State(app): State<App>,
    Path(id): Path<String>,
    Body(order): Body<Cancel>,
) -> Result<Json<Value>, AdminError> {
    with_world(&app, order.tenant, |world| {
        let by = format!("soc.first@{}", world.company.domain);
        let cancelled = world.cancel_action(&id, &by, "Cancelled in the portal".to_owned());
        cancelled.map_err(|_| AdminError::Body("no open action has this id".to_owned()))?;
        Ok(Json(json!({ "id": id })))
    })
}

#[derive(Deserialize)]
struct Since {
    tenant: Option<String>,
    /// Number of the last event that is known already.
    #[serde(default)]
    after: u64,
}

async fn events(State(app): State<App>, Query(since): Query<Since>) -> Json<Value> {
    with_world(&app, since.tenant, |world| {
        let new = world.events().iter().filter(|event| event.number > since.after).take(EVENT_COUNT_MAX);
        Json(json!({ "events": new.map(|event| world.event_json(event)).collect::<Vec<_>>() }))
    })
}

fn device(world: &World, id: &str) -> Result<usize, AdminError> {
    world.device_named(id).ok_or_else(|| AdminError::NoDevice(id.to_owned()))
}

fn kind_of(text: &str) -> Result<ActionKind, AdminError> {
    ActionKind::parse(text).ok_or_else(|| AdminError::Body(format!("`{text}` is no type of machine action")))
}

const DELAY_S_MAX: i64 = 7 * 86_400;
/// In one answer; `after` asks for the next ones.
const EVENT_COUNT_MAX: usize = 10_000;
