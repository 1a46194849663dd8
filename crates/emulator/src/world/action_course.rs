//! How machine actions go on: from pending over in progress to their end, and what the end does to the device.

use super::{
    action::{CommandStatus, Repeat, action_number},
    dice::Dice,
    incident::World,
    log::Happening,
    story::Step,
    terms::{ActionKind, ActionStatus, AlertStatus, InvestigationState},
    ticks::Ticks,
};

/// What an action comes to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Course {
    #[default]
    Succeed,
    Fail,
    #[serde(rename = "timeout")]
    TimeOut,
    /// Starts and stays in progress.
    Stuck,
    /// Never starts.
    Pending,
}

/// What the next actions come to, as the admin API orders it.
#[derive(Clone, Debug)]
pub(crate) struct CourseOrder {
    pub course: Course,
    pub kind: Option<ActionKind>,
    pub device: Option<usize>,
    pub times: u64,
}

/// How fast actions go on in one world.
#[derive(Debug)]
pub(crate) struct Pace {
    /// Until a reachable device takes an order up.
    pub start_s: i64,
    /// From there to the end; `None`: each kind as long as it usually takes.
    pub run_s: Option<i64>,
    pub repeat: Repeat,
    pub next: Vec<CourseOrder>,
}

/// A turn that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    Start,
    /// One step of a live response is over.
    Command(usize),
    End,
    /// The device was out of reach for too long.
    Expire,
}

impl Default for Pace {
    fn default() -> Self {
        Self { start_s: 3, run_s: None, repeat: Repeat::Refuse, next: Vec::new() }
    }
}

impl World {
    pub(super) fn schedule_start(&mut self, position: usize, from: Ticks) {
        if self.actions[position].course == Course::Pending {
            return;
        }
        let start_s = self.pace.start_s;
        let mut dice = Dice::new(&[self.seed, 53, position as u64]);
        // Not on the second, as nothing in a network is.
        let at = Ticks(from.plus_s(start_s).0 + if start_s > 0 { dice.between(0, 9_999_999) } else { 0 });
        self.schedule(at, Step::Act { action: position, turn: Turn::Start });
    }

    pub(super) fn schedule_expiry(&mut self, position: usize, from: Ticks) {
        if self.actions[position].course != Course::Pending {
            self.schedule(from.plus_s(PENDING_MAX_S), Step::Act { action: position, turn: Turn::Expire });
        }
    }

    /// Lets a turn happen, where it still fits: the action may have been cancelled, the device may have gone.
    pub(super) fn act(&mut self, at: Ticks, position: usize, turn: Turn) {
        let action = &self.actions[position];
        let reachable = self.company.devices[usize::from(action.device)].is_reachable();
        match (turn, action.status) {
            (Turn::Start, ActionStatus::Pending) if reachable => self.start_action(at, position),
            (Turn::Command(index), ActionStatus::InProgress) => self.end_command(at, position, index),
            (Turn::End, ActionStatus::InProgress) => {
                let status = match action.course {
                    Course::Fail => ActionStatus::Failed,
                    Course::TimeOut => ActionStatus::TimeOut,
                    _ => ActionStatus::Succeeded,
                };
                self.turn_action(position, status, at);
            }
            (Turn::Expire, ActionStatus::Pending) => self.turn_action(position, ActionStatus::TimeOut, at),
            _ => {}
        }
    }

    /// Gives an action its next status, and the device what follows from it.
    pub(super) fn turn_action(&mut self, position: usize, status: ActionStatus, at: Ticks) {
        let action = &mut self.actions[position];
        action.status = status;
        action.updated = action.updated.max(at);
        if status == ActionStatus::Succeeded {
            self.take_effect(position, at);
        }
        self.note(at, Happening::ActionTurned { action: action_number(position), status });
    }

    fn start_action(&mut self, at: Ticks, position: usize) {
        self.turn_action(position, ActionStatus::InProgress, at);
        let action = &mut self.actions[position];
        if action.course == Course::Stuck {
            return;
        }
        let takes_s = match (action.course, self.pace.run_s) {
            (Course::TimeOut, None) => TIMEOUT_S,
            (_, Some(run_s)) => run_s,
            _ => usual_s(action.kind, action.scope),
        };
        if action.kind == ActionKind::LiveResponse && action.course != Course::TimeOut {
            if let Some(first) = action.commands.first_mut() {
                first.started = Some(at);
            }
            self.schedule(at.plus_s(takes_s), Step::Act { action: position, turn: Turn::Command(0) });
        } else {
            self.schedule(at.plus_s(takes_s), Step::Act { action: position, turn: Turn::End });
        }
    }

    /// Commands run in order; the first that fails is the last.
    fn end_command(&mut self, at: Ticks, position: usize, index: usize) {
        let error = self.command_error(position, index);
        let takes_s = self.pace.run_s.unwrap_or_else(|| usual_s(ActionKind::LiveResponse, None));
        let action = &mut self.actions[position];
        action.updated = action.updated.max(at);
        let Some(command) = action.commands.get_mut(index) else { return };
        command.ended = Some(at);
        command.status = if error.is_some() { CommandStatus::Failed } else { CommandStatus::Completed };
        let has_failed = error.is_some();
        command.errors.extend(error);
        if has_failed {
            self.turn_action(position, ActionStatus::Failed, at);
        } else if let Some(next) = action.commands.get_mut(index + 1) {
            next.started = Some(at);
            self.schedule(at.plus_s(takes_s), Step::Act { action: position, turn: Turn::Command(index + 1) });
        } else {
            self.turn_action(position, ActionStatus::Succeeded, at);
        }
    }

    /// Why a command can't do its work; the words are ours (G).
    fn command_error(&self, position: usize, index: usize) -> Option<String> {
        let action = &self.actions[position];
        if action.course == Course::Fail {
            return Some("The command could not be completed on the device.".to_owned());
        }
        let command = action.commands.get(index)?;
        let key = match command.kind {
            "RunScript" => "ScriptName",
            "PutFile" => "FileName",
            _ => return None,
        };
        let name = &command.params.iter().find(|(name, _)| name == key)?.1;
        let is_known = self.library.iter().any(|file| file.name.eq_ignore_ascii_case(name));
        (!is_known).then(|| format!("The file '{name}' is not in the library."))
    }

    fn take_effect(&mut self, position: usize, at: Ticks) {
        let action = &self.actions[position];
        let (kind, scope, index, file) = (action.kind, action.scope, usize::from(action.device), action.file.clone());
        let state = &mut self.company.devices[index].state;
        match kind {
            ActionKind::Isolate => state.isolation = scope.or(Some("Full")),
            ActionKind::Unisolate => state.isolation = None,
            ActionKind::Restrict => state.restricted = true,
            ActionKind::Unrestrict => state.restricted = false,
            ActionKind::Offboard => state.offboarded = Some(at),
            ActionKind::QuarantineFile => {
                if let Some(file) = file {
                    self.quarantine(index, &file, at);
                }
            }
            ActionKind::Scan | ActionKind::CollectPackage | ActionKind::LiveResponse => {}
        }
    }

    /// The file is gone from the device: alerts there that are about it count as remediated.
    fn quarantine(&mut self, index: usize, file: &str, at: Ticks) {
        let state = &mut self.company.devices[index].state;
        if !state.quarantined.iter().any(|known| known == file) {
            state.quarantined.push(file.to_owned());
        }
        let about_it: Vec<usize> = (0..self.alerts.len())
            .filter(|position| {
                let alert = &self.alerts[*position];
                usize::from(alert.device) == index
                    && alert.status != AlertStatus::Resolved
                    && alert.file().is_some_and(|known| known.sha1.as_deref() == Some(file))
            })
            .collect();
        for position in about_it {
            self.investigate(position, InvestigationState::SuccessfullyRemediated, at);
        }
    }
}

/// Seconds that a device needs. They suit a demonstration: the real ones take minutes.
fn usual_s(kind: ActionKind, scope: Option<&str>) -> i64 {
    match kind {
        ActionKind::Scan if scope == Some("Full") => 60,
        ActionKind::Scan => 20,
        ActionKind::CollectPackage => 25,
        ActionKind::Offboard => 10,
        ActionKind::QuarantineFile => 8,
        ActionKind::LiveResponse => 5,
        ActionKind::Isolate | ActionKind::Unisolate | ActionKind::Restrict | ActionKind::Unrestrict => 6,
    }
}

/// Live response waits three days for a device (its page); the others are given the same time (G).
const PENDING_MAX_S: i64 = 3 * 86_400;
/// A script may run ten minutes (the page of runliveresponse); the others are given the same time (G).
const TIMEOUT_S: i64 = 600;
