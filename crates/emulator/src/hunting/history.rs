//! What the event log says of each device over time: when it was cut off, tagged, gone.

use crate::world::{ActionKind, ActionStatus, DeviceValue, Happening, Ticks, World};

/// A device as it was from an instant on.
#[derive(Clone, Debug)]
pub(super) struct Standing {
    pub from: Ticks,
    pub is_online: bool,
    pub is_onboarded: bool,
    pub isolation: Option<&'static str>,
    pub is_restricted: bool,
    pub tags: Vec<String>,
    pub value: DeviceValue,
}

/// The standings of every device, oldest first.
#[derive(Debug)]
pub(super) struct History(Vec<Vec<Standing>>);

impl History {
    pub(super) fn of(world: &World) -> Self {
        let first = Standing {
            from: Ticks(i64::MIN),
            is_online: true,
            is_onboarded: true,
            isolation: None,
            is_restricted: false,
            tags: Vec::new(),
            value: DeviceValue::Normal,
        };
        let mut all = vec![vec![first]; world.company.devices.len()];
        for event in world.events() {
            let Some(device) = device_of(world, &event.what) else { continue };
            let standings = &mut all[device];
            let mut next = standings[standings.len() - 1].clone();
            if next.turn(world, &event.what) {
                next.from = event.at;
                standings.push(next);
            }
        }
        Self(all)
    }

    /// As it was at that time.
    pub(super) fn at(&self, device: usize, at: Ticks) -> &Standing {
        let standings = &self.0[device];
        standings.iter().rev().find(|standing| standing.from <= at).unwrap_or(&standings[0])
    }

    /// Whether its sensor sent anything at that time.
    pub(super) fn is_heard(&self, device: usize, at: Ticks) -> bool {
        let standing = self.at(device, at);
        standing.is_online && standing.is_onboarded
    }

    /// Every change after the beginning.
    pub(super) fn changes(&self, device: usize) -> &[Standing] {
        &self.0[device][1..]
    }
}

impl Standing {
    /// Takes an event in; says whether it changed something.
    fn turn(&mut self, world: &World, what: &Happening) -> bool {
        match what {
            Happening::Tagged { tag, added: true, .. } => self.tags.push(tag.clone()),
            Happening::Tagged { tag, added: false, .. } => self.tags.retain(|known| known != tag),
            Happening::Valued { value, .. } => self.value = *value,
            Happening::Reachable { online, .. } => self.is_online = *online,
            Happening::ActionTurned { action, status: ActionStatus::Succeeded } => {
                let action = world.action(*action as usize);
                match action.kind {
                    ActionKind::Isolate => self.isolation = action.scope.or(Some("Full")),
                    ActionKind::Unisolate => self.isolation = None,
                    ActionKind::Restrict => self.is_restricted = true,
                    ActionKind::Unrestrict => self.is_restricted = false,
                    ActionKind::Offboard => self.is_onboarded = false,
                    _ => return false,
                }
            }
            _ => return false,
        }
        true
    }
}

fn device_of(world: &World, what: &Happening) -> Option<usize> {
    match what {
        Happening::Tagged { device, .. } | Happening::Valued { device, .. } | Happening::Reachable { device, .. } => {
            Some(usize::from(*device))
        }
        Happening::ActionTurned { action, .. } => Some(usize::from(world.action(*action as usize).device)),
        _ => None,
    }
}
