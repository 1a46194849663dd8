//! `DeviceNetworkEvents`: what programs call on ordinary days, and the connections of intrusions.

use super::Source;
use crate::{
    hunting::{
        activity::{STARTS_PER_HOUR, hours, of_hour},
        actor::{Actor, device_into},
        scene::{Scene, scenes},
        sheet::Sheet,
    },
    world::{Device, Ticks},
};

pub(super) fn rows(source: &Source<'_>, sheet: &mut Sheet) {
    for hour in hours(source.reach) {
        for number in 0..source.many(CALLS_PER_HOUR) {
            ordinary(source, sheet, hour, number);
        }
    }
    for scene in scenes(source.world) {
        intruding(sheet, &scene);
    }
}

fn ordinary(source: &Source<'_>, sheet: &mut Sheet, hour: i64, number: u64) {
    let caller = number % source.many(STARTS_PER_HOUR);
    let Some(activity) = of_hour(source.world, &source.history, hour, caller) else { return };
    let mut dice = source.world.dice(&[73, hour.unsigned_abs(), number]);
    let at = activity.later(&mut dice);
    // A device whose network is cut off only tries.
    let is_cut_off = source.history.at(activity.index, at).isolation.is_some();
    let action = match (is_cut_off, dice.below(20)) {
        (true, _) | (false, 0) => "ConnectionFailed",
        (false, 1..4) => "ConnectionRequest",
        (false, 4) => "InboundConnectionAccepted",
        _ => "ConnectionSuccess",
    };
    let (host, port) = activity.program.calls;
    let inside = dice.percent(30);
    let address = if inside {
        source.world.company.devices[dice.below(source.world.company.devices.len())].ip.clone()
    } else {
        format!("198.51.100.{}", dice.between(2, 250))
    };
    let (url, port) = if inside { ("", *dice.pick(&[445, 389, 88, 135])) } else { (host, port) };
    let peer = Peer { action, address: &address, port, url };
    row(sheet, at, activity.device, &activity.actor, &peer, dice.between(49_152, 65_000));
}

/// What the alert shows; a steady beat where it is about command and control.
fn intruding(sheet: &mut Sheet, scene: &Scene<'_>) {
    if !scene.alert.is_on_device() {
        return;
    }
    let shown = scene.connection().or_else(|| scene.address().map(|address| (address, 443)));
    let Some((address, port)) = shown else { return };
    let actor = scene.actor();
    let host = scene.url().and_then(host_of).unwrap_or_default();
    let beats = if scene.alert.category() == "CommandAndControl" { 24 } else { 1 };
    for beat in 0..beats {
        let at = scene.at().plus_s(2 + beat * 300);
        let peer = Peer { action: "ConnectionSuccess", address, port: i64::from(port), url: host };
        row(sheet, at, scene.device, &actor, &peer, 50_000 + beat);
    }
}

/// The other side of a connection.
struct Peer<'p> {
    action: &'p str,
    address: &'p str,
    port: i64,
    url: &'p str,
}

fn row(sheet: &mut Sheet, at: Ticks, device: &Device, actor: &Actor, peer: &Peer<'_>, local_port: i64) {
    let mut row = sheet.row(at);
    device_into(&mut row, device);
    row.text("ActionType", peer.action)
        .text("RemoteIP", peer.address)
        .whole("RemotePort", peer.port)
        .text("RemoteUrl", peer.url)
        .text("RemoteIPType", if peer.address.starts_with("10.") { "Private" } else { "Public" })
        .text("LocalIP", &device.ip)
        .whole("LocalPort", local_port)
        .text("LocalIPType", "Private")
        .text("Protocol", "Tcp");
    actor.initiates(&mut row);
}

/// The host of a URL.
pub(super) fn host_of(url: &str) -> Option<&str> {
    url.split_once("://").map_or(Some(url), |(_, rest)| rest.split(['/', '?', ':']).next())
}

const CALLS_PER_HOUR: u64 = 3;
