//! What links lead to: investigation packages and results of live responses. The token in the link is the only key.

use axum::{
    extract::{Path, Query, State},
    response::{IntoResponse, Response},
};
use http::{
    StatusCode,
    header::{CONTENT_DISPOSITION, CONTENT_TYPE},
};
use serde::Deserialize;
use serde_json::json;

use super::{actions::action_of, zip::zip};
use crate::{
    cloud::App,
    world::{LiveCommand, MachineAction, Ticks, World},
};

#[derive(Deserialize)]
pub(super) struct Token {
    #[serde(default)]
    token: String,
}

pub(super) async fn download(
    State(app): State<App>,
    Path((id, name)): Path<(String, String)>,
    Query(Token { token }): Query<Token>,
) -> Response {
    let now = Ticks::from(app.clock.now());
    // A link names no tenant: its action is looked for in all worlds that exist.
    let found = app
        .worlds
        .tenants()
        .iter()
        .find_map(|tenant| app.worlds.with(tenant, now, |world| file(world, &id, &name, &token)));
    match found {
        Some(Ok((kind, bytes))) => {
            let disposition = format!("attachment; filename=\"{}\"", if name == PACKAGE { PACKAGE } else { "result" });
            ([(CONTENT_TYPE, kind.to_owned()), (CONTENT_DISPOSITION, disposition)], bytes).into_response()
        }
        // The store behind the links answers in XML (seen for expired links: elastic/integrations issue 15749).
        Some(Err(Expired)) => {
            xml(StatusCode::FORBIDDEN, "AuthenticationFailed", "Signature not valid in the specified time frame")
        }
        None => xml(StatusCode::NOT_FOUND, "BlobNotFound", "The specified blob does not exist."),
    }
}

/// The link was good once.
struct Expired;

fn file(world: &World, id: &str, name: &str, token: &str) -> Option<Result<(&'static str, Vec<u8>), Expired>> {
    let (position, action) = action_of(world, id)?;
    let index = if name == PACKAGE { 0 } else { name.parse().ok()? };
    if !world.is_link_alive(position, index, token)? {
        return Some(Err(Expired));
    }
    if name == PACKAGE {
        return Some(Ok(("application/zip", package(world, action))));
    }
    Some(Ok(result(world, action, action.commands.get(index)?)))
}

/// A few of the lists that a real package has.
fn package(world: &World, action: &MachineAction) -> Vec<u8> {
    let device = &world.company.devices[usize::from(action.device)];
    let network = format!("Proto,LocalAddress,RemoteAddress\r\nTCP,{}:50112,{}:443\r\n", device.ip, "203.0.113.40");
    let system = format!(
        "Host: {}\r\nOS: {} {}\r\nCollected: {}\r\n",
        device.dns_name, device.os_platform, device.version, action.updated
    );
    let alerts: Vec<String> = world
        .alerts()
        .iter()
        .filter(|alert| usize::from(alert.device) == usize::from(action.device))
        .map(|alert| format!("{},{}", alert.id, alert.title(&world.company)))
        .collect();
    zip(&[
        ("System Information/SystemInformation.txt", system.as_bytes()),
        ("Network Connections/ActiveNetConnections.csv", network.as_bytes()),
        ("WdSupportLogs/Alerts.csv", alerts.join("\r\n").as_bytes()),
    ])
}

fn result(world: &World, action: &MachineAction, command: &LiveCommand) -> (&'static str, Vec<u8>) {
    let device = &world.company.devices[usize::from(action.device)];
    let param = |key: &str| command.params.iter().find(|(name, _)| name == key).map_or("", |(_, value)| value.as_str());
    if command.kind == "RunScript" {
        let output =
            format!("Transcript started on {}\r\n{} {}\r\n", device.host_name, param("ScriptName"), param("Args"));
        let body = json!({
            "script_name": param("ScriptName"), "exit_code": 0, "script_output": output, "script_errors": "",
        });
        return ("application/json", body.to_string().into_bytes());
    }
    let content = format!("{}\r\n{}\r\n", device.dns_name, param("Path"));
    ("application/zip", zip(&[("file", content.as_bytes())]))
}

fn xml(status: StatusCode, code: &str, message: &str) -> Response {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
    );
    (status, [(CONTENT_TYPE, "application/xml")], body).into_response()
}

const PACKAGE: &str = "package.zip";
