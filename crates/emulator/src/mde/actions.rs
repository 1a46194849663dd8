//! Machine actions: list, one, cancel, and the links to what they brought.

use axum::{body::Bytes, extract::Path};
use http::StatusCode;
use serde_json::Value;

use super::{
    call::{Answer, Call, Door, Head, List, Refusal, TOP_MAX, by, shown, usual},
    machines::READ,
    view::action_json,
};
use crate::{
    caller::Denied,
    odata::Kind,
    throttle::Limit,
    world::{ActionKind, ActionStatus, CancelRefused, CommandStatus, MachineAction, Term, World},
    xdr::answer,
};

/// Newest first, as the samples are.
pub(super) async fn list(head: Head) -> Answer {
    let call = head.admit(&LIST)?;
    let rows: Vec<Value> = call.with_world(|world| {
        let listed = world.actions().iter().rev().filter(|action| action.listed_from <= world.now());
        listed.map(|action| action_json(world, action)).collect()
    });
    call.list(&ACTIONS, rows)
}

pub(super) async fn one(Path(id): Path<String>, head: Head) -> Answer {
    let call = head.admit(&ONE)?;
    let action = on_action(&call, &id, |world, position| Ok(action_json(world, world.action(position))))?;
    Ok(call.entity(StatusCode::OK, "MachineActions/$entity", action))
}

pub(super) async fn cancel(Path(id): Path<String>, head: Head, body: Bytes) -> Answer {
    let call = head.admit(&CANCEL)?;
    let comment = if body.is_empty() { None } else { call.body(&body, &["Comment"])?.text("Comment")? };
    let kind = on_action(&call, &id, |world, position| Ok(world.action(position).kind))?;
    let role = role_of(kind);
    if !call.caller.roles.iter().chain(&call.caller.scopes).any(|held| held == role) {
        let held = call.caller.roles.clone();
        return Err(Refusal::of(answer::denied(
            &call.app,
            &Denied::MissingRole { required: vec![role.to_owned()], held },
        )));
    }
    let cancelled = call.with_world(|world| {
        let position = world.cancel_action(&id, &call.caller.display_name, comment.unwrap_or_default())?;
        Ok(action_json(world, world.action(position)))
    });
    match cancelled {
        Ok(action) => Ok(call.entity(StatusCode::OK, "MachineActions/$entity", action)),
        Err(CancelRefused::Unknown) => Err(call.not_found("Machine action", &id)),
        // What the service says here is not documented (G).
        Err(CancelRefused::Final(status)) => {
            Err(call.bad("BadRequest", &format!("The action can't be cancelled: its status is {}", status.xdr())))
        }
    }
}

/// The link inside embedded quotes, as the sample of the page has it.
pub(super) async fn package_uri(Path(id): Path<String>, head: Head) -> Answer {
    let call = head.admit(&PACKAGE)?;
    let link = on_action(&call, &id, |world, position| {
        let action = world.action(position);
        let is_ready = action.kind == ActionKind::CollectPackage && action.status == ActionStatus::Succeeded;
        is_ready
            .then(|| world.link_to_result(position, 0))
            .ok_or_else(|| call.not_found("Investigation package of", &id))
    })?;
    Ok(call.text(&format!("\"{}/api/downloads/{id}/package.zip?token={link}\"", call.origin)))
}

/// `GetLiveResponseResultDownloadLink(index=0)`; the dispatcher has made a path segment of the parentheses.
pub(super) async fn result_link(Path((id, key)): Path<(String, String)>, head: Head) -> Answer {
    let call = head.admit(&RESULT)?;
    let index: usize =
        key.strip_prefix("index=").and_then(|index| index.parse().ok()).ok_or_else(|| call.invalid("index"))?;
    let link = on_action(&call, &id, |world, position| {
        let action = world.action(position);
        let has_result = |command: &&crate::world::LiveCommand| {
            command.kind != "PutFile" && command.status == CommandStatus::Completed
        };
        let has_result = action.commands.get(index).filter(has_result).is_some();
        let missing = || call.not_found(&format!("Result of command {index} of"), &id);
        has_result.then(|| world.link_to_result(position, index)).ok_or_else(missing)
    })?;
    Ok(call.text(&format!("{}/api/downloads/{id}/{index}?token={link}", call.origin)))
}

fn on_action<T>(
    call: &Call,
    id: &str,
    act: impl FnOnce(&mut World, usize) -> Result<T, Refusal>,
) -> Result<T, Refusal> {
    call.with_world(|world| {
        let position = world.action_position(id).ok_or_else(|| call.not_found("Machine action", id))?;
        act(world, position)
    })
}

/// The role that the order needed opens its cancellation.
fn role_of(kind: ActionKind) -> &'static str {
    match kind {
        ActionKind::Scan => "Machine.Scan",
        ActionKind::Offboard => "Machine.Offboard",
        ActionKind::LiveResponse => "Machine.LiveResponse",
        ActionKind::CollectPackage => "Machine.CollectForensics",
        ActionKind::Isolate | ActionKind::Unisolate => "Machine.Isolate",
        ActionKind::QuarantineFile => "Machine.StopAndQuarantine",
        ActionKind::Restrict | ActionKind::Unrestrict => "Machine.RestrictExecution",
    }
}

/// Filterable are those that the page of the list names.
const ACTIONS: List = List {
    set: "MachineActions",
    entity: "microsoft.windowsDefenderATP.api.MachineAction",
    properties: &[
        by("id", Kind::Text),
        by("status", Kind::Enumeration(ActionStatus::is_xdr_word)),
        by("machineId", Kind::Text),
        by("type", Kind::Enumeration(ActionKind::is_xdr_word)),
        by("requestor", Kind::Text),
        by("creationDateTimeUtc", Kind::Instant),
        shown("scope"),
        shown("requestorComment"),
        shown("computerDnsName"),
        shown("lastUpdateDateTimeUtc"),
        shown("lastUpdateTimeUtc"),
        shown("externalID"),
    ],
    top_max: TOP_MAX,
};

const LIST: Door = Door { roles: READ, limit: usual("mde actions") };
const ONE: Door = Door { roles: READ, limit: usual("mde action") };
const CANCEL: Door = Door {
    roles: &[
        "Machine.CollectForensics",
        "Machine.Isolate",
        "Machine.RestrictExecution",
        "Machine.Scan",
        "Machine.Offboard",
        "Machine.StopAndQuarantine",
        "Machine.LiveResponse",
    ],
    limit: usual("mde cancel"),
};
const PACKAGE: Door = Door { roles: READ, limit: Limit { name: "mde package", windows: &[(2, 60), (120, 3_600)] } };
const RESULT: Door = Door { roles: READ, limit: usual("mde result link") };

/// The action that a link names, with its position.
pub(super) fn action_of<'w>(world: &'w World, id: &str) -> Option<(usize, &'w MachineAction)> {
    let position = world.action_position(id)?;
    Some((position, world.action(position)))
}
