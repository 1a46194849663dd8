//! Live response: commands that one device carries out in order, and investigations on demand.

use axum::{body::Bytes, extract::Path};
use http::StatusCode;
use serde::Deserialize;

use super::{
    call::{Answer, Call, Door, Head, Refusal},
    investigations::ordered_json,
    orders::{order_of, place},
};
use crate::{
    throttle::Limit,
    world::{ActionKind, CommandStatus, LiveCommand},
};

pub(super) async fn run(Path(id): Path<String>, head: Head, body: Bytes) -> Answer {
    let call = head.admit(&RUN)?;
    let index = call.device(&id)?;
    let fields = call.body(&body, &["Commands", "Comment", "ExternalId"])?;
    let mut order = order_of(&call, &fields, ActionKind::LiveResponse, index, false)?;
    let commands = fields.value("Commands").ok_or_else(|| call.missing("Commands"))?;
    order.commands = read_commands(&call, commands)?;
    place(&call, order)
}

pub(super) async fn start_investigation(Path(id): Path<String>, head: Head, body: Bytes) -> Answer {
    let call = head.admit(&INVESTIGATE)?;
    let index = call.device(&id)?;
    let comment = call.body(&body, &["Comment", "ExternalId"])?.required("Comment")?;
    let investigation = call.with_world(|world| {
        let id = world.start_investigation(index, &call.caller.display_name, comment);
        ordered_json(world, id)
    });
    Ok(call.entity(StatusCode::CREATED, "Investigations/$entity", investigation))
}

#[derive(Deserialize)]
struct Command {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    params: Vec<Param>,
}

#[derive(Deserialize)]
struct Param {
    key: String,
    value: String,
}

fn read_commands(call: &Call, list: &serde_json::Value) -> Result<Vec<LiveCommand>, Refusal> {
    let incorrect = || call.bad("InvalidRequestBody", "Request body is incorrect: 'Commands' can't be read");
    let commands: Vec<Command> = serde_json::from_value(list.clone()).map_err(|_| incorrect())?;
    if commands.is_empty() {
        return Err(call.missing("Commands"));
    }
    let commands = commands.into_iter().map(|command| read_command(call, command)).collect::<Result<Vec<_>, _>>()?;
    let stage = |command: &LiveCommand| KINDS.iter().position(|(kind, _)| *kind == command.kind);
    if !commands.is_sorted_by_key(stage) {
        return Err(call.bad("InvalidInput", "Commands have to come in this order: PutFile, RunScript, GetFile"));
    }
    Ok(commands)
}

fn read_command(call: &Call, command: Command) -> Result<LiveCommand, Refusal> {
    let known = KINDS.iter().find(|(kind, _)| *kind == command.kind);
    let (kind, needs) = known.ok_or_else(|| call.invalid("Commands"))?;
    if !command.params.iter().any(|param| param.key == *needs) {
        return Err(call.missing(needs));
    }
    Ok(LiveCommand {
        kind,
        params: command.params.into_iter().map(|param| (param.key, param.value)).collect(),
        started: None,
        ended: None,
        status: CommandStatus::Created,
        errors: Vec::new(),
    })
}

/// Kinds of commands in the order in which they have to come, each with the parameter that it can't do without.
const KINDS: &[(&str, &str)] = &[("PutFile", "FileName"), ("RunScript", "ScriptName"), ("GetFile", "Path")];
const RUN: Door =
    Door { roles: &["Machine.LiveResponse"], limit: Limit { name: "mde live response", windows: &[(10, 60)] } };
const INVESTIGATE: Door =
    Door { roles: &["Alert.ReadWrite.All"], limit: Limit { name: "mde start investigation", windows: &[(50, 3_600)] } };
