//! `DeviceProcessEvents`: ordinary programs, and the process trees of intrusions.

use super::Source;
use crate::{
    hunting::{
        activity::{STARTS_PER_HOUR, hours, of_hour},
        actor::{Actor, device_into},
        scene::{Scene, actor_of, scenes},
        sheet::Sheet,
    },
    world::Device,
};

pub(super) fn rows(source: &Source<'_>, sheet: &mut Sheet) {
    for hour in hours(source.reach) {
        for number in 0..source.many(STARTS_PER_HOUR) {
            let Some(activity) = of_hour(source.world, &source.history, hour, number) else { continue };
            created(sheet, activity.device, &activity.parent(), &activity.actor);
        }
    }
    for scene in scenes(source.world) {
        tree(sheet, &scene);
    }
}

/// The parent under the shell, the process under its parent, and what an attacker's process starts in its turn.
fn tree(sheet: &mut Sheet, scene: &Scene<'_>) {
    let Some(process) = scene.process() else { return };
    let actor = actor_of(process);
    let mut parent = Actor::well_known(&actor.parent, actor.parent_pid, actor.parent_started, actor.account.clone());
    let shell_started = actor.parent_started.plus_s(-7_200);
    let mut shell =
        Actor::well_known("explorer.exe", 4_000 + actor.parent_pid % 1_000, shell_started, actor.account.clone());
    shell.command = "C:\\Windows\\explorer.exe".to_owned();
    (parent.parent, parent.parent_pid, parent.parent_started) = (shell.image.name.clone(), shell.pid, shell.started);
    created(sheet, scene.device, &shell, &parent);
    created(sheet, scene.device, &parent, &actor);
    if !scene.alert.is_real() {
        return;
    }
    for (delay_s, name, command) in FOLLOWED_BY {
        let started = actor.started.plus_s(*delay_s);
        let mut child = Actor::well_known(name, actor.pid + 4 * delay_s, started, actor.account.clone());
        (*command).clone_into(&mut child.command);
        (child.parent, child.parent_pid) = (actor.image.name.clone(), actor.pid);
        child.parent_started = actor.started;
        created(sheet, scene.device, &actor, &child);
    }
}

fn created(sheet: &mut Sheet, device: &Device, parent: &Actor, child: &Actor) {
    let mut row = sheet.row(child.started);
    device_into(&mut row, device);
    row.text("ActionType", "ProcessCreated");
    child.is_created(&mut row);
    parent.initiates(&mut row);
}

/// Seconds later, program, command line.
const FOLLOWED_BY: &[(i64, &str, &str)] = &[
    (3, "cmd.exe", "cmd.exe /c whoami /groups & net group \"Domain Admins\" /domain"),
    (4, "whoami.exe", "whoami /groups"),
    (6, "net.exe", "net group \"Domain Admins\" /domain"),
];
