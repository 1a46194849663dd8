//! Machine actions: how an order to a device is taken, or refused because the same one is still open.

use super::{
    action_course::{Course, CourseOrder},
    dice::Dice,
    incident::{Comment, World},
    log::Happening,
    terms::{ActionKind, ActionStatus},
    ticks::Ticks,
};

/// An order to a device and what became of it.
#[derive(Debug)]
pub(crate) struct MachineAction {
    pub id: String,
    pub kind: ActionKind,
    /// `Full`, `Selective`, `Quick`; only isolation and scans have one.
    pub scope: Option<&'static str>,
    pub device: u16,
    pub status: ActionStatus,
    pub requestor: String,
    /// `PublicApi`, or `Portal` for an order of somebody else.
    pub source: &'static str,
    pub external_id: Option<String>,
    pub comment: String,
    pub created: Ticks,
    pub updated: Ticks,
    pub cancellation: Option<Comment>,
    /// SHA-1 of the file that is to be stopped.
    pub file: Option<String>,
    /// Steps of a live response.
    pub commands: Vec<LiveCommand>,
    /// Lists leave it out before this instant, although it was accepted.
    pub listed_from: Ticks,
    pub(super) course: Course,
    /// What links to its results carry, with the end of their lives.
    links: Vec<Link>,
}

/// One step of a live response.
#[derive(Clone, Debug)]
pub(crate) struct LiveCommand {
    /// `PutFile`, `RunScript`, `GetFile`.
    pub kind: &'static str,
    pub params: Vec<(String, String)>,
    pub started: Option<Ticks>,
    pub ended: Option<Ticks>,
    pub status: CommandStatus,
    pub errors: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CommandStatus {
    Created,
    Completed,
    Failed,
}

#[derive(Debug)]
struct Link {
    token: String,
    command: usize,
    until: Ticks,
}

/// What a caller orders.
#[derive(Clone, Debug)]
pub(crate) struct ActionOrder {
    pub kind: ActionKind,
    pub device: usize,
    pub scope: Option<&'static str>,
    pub requestor: String,
    pub source: &'static str,
    pub external_id: Option<String>,
    pub comment: String,
    pub file: Option<String>,
    pub commands: Vec<LiveCommand>,
}

/// An order that was taken: the position of its action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ordered {
    New(usize),
    /// The open action of the same kind answers for it.
    Same(usize),
}

/// Why an order was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OrderRefused {
    AlreadyInProgress,
    /// Live response has as many sessions as it can take.
    TooManySessions,
}

/// Why an action was not cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CancelRefused {
    Unknown,
    Final(ActionStatus),
}

/// What an order answers while the same one is open. The pages allow both for scans, release, and restrictions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Repeat {
    #[default]
    Refuse,
    /// The open action, where the page says so; the others refuse.
    Same,
    /// Another action: both are carried out (microsoft-365-docs issue 5903).
    Accept,
}

impl ActionStatus {
    /// Nothing follows it.
    pub(crate) fn is_final(self) -> bool {
        !matches!(self, Self::Pending | Self::InProgress)
    }
}

impl MachineAction {
    /// What `errorHResult` says: 0, `ERROR_TIMEOUT`, or `E_FAIL` (which codes the service gives is G).
    pub(crate) fn error_code(&self) -> i64 {
        match self.status {
            ActionStatus::Failed => -2_147_467_259,
            ActionStatus::TimeOut => -2_147_023_436,
            _ => 0,
        }
    }
}

impl CommandStatus {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Created => "Created",
            Self::Completed => "Completed",
            Self::Failed => "Failed",
        }
    }
}

impl World {
    /// Takes an order, unless the same one is open.
    pub(crate) fn order(&mut self, order: ActionOrder) -> Result<Ordered, OrderRefused> {
        if let Some(open) = self.open_action(&order).filter(|_| self.pace.repeat != Repeat::Accept) {
            let answers_with_it = self.pace.repeat == Repeat::Same && MAY_REPEAT.contains(&order.kind);
            return if answers_with_it { Ok(Ordered::Same(open)) } else { Err(OrderRefused::AlreadyInProgress) };
        }
        if order.kind == ActionKind::LiveResponse {
            if self.company.devices[order.device].state.portal_session {
                return Err(OrderRefused::AlreadyInProgress);
            }
            let open = |action: &&MachineAction| action.kind == ActionKind::LiveResponse && !action.status.is_final();
            if self.actions.iter().filter(open).count() >= SESSION_COUNT_MAX {
                return Err(OrderRefused::TooManySessions);
            }
        }
        Ok(Ordered::New(self.begin(order)))
    }

    /// Stops an action that has not come to its end.
    pub(crate) fn cancel_action(&mut self, id: &str, by: &str, comment: String) -> Result<usize, CancelRefused> {
        let position = self.action_position(id).ok_or(CancelRefused::Unknown)?;
        let now = self.now();
        let action = &mut self.actions[position];
        if action.status.is_final() {
            return Err(CancelRefused::Final(action.status));
        }
        action.cancellation = Some(Comment { text: comment, by: by.to_owned(), at: now });
        self.turn_action(position, ActionStatus::Cancelled, now);
        Ok(position)
    }

    /// Position of an action by its id.
    pub(crate) fn action_position(&self, id: &str) -> Option<usize> {
        self.actions.iter().position(|action| action.id.eq_ignore_ascii_case(id))
    }

    pub(crate) fn action(&self, position: usize) -> &MachineAction {
        &self.actions[position]
    }

    /// All actions, those that lists don't show yet, too; oldest first.
    pub(crate) fn actions(&self) -> &[MachineAction] {
        &self.actions
    }

    /// Keeps an accepted action out of the lists for a while.
    pub(crate) fn list_action_late(&mut self, position: usize, seconds: i64) {
        self.actions[position].listed_from = self.now().plus_s(seconds);
    }

    /// The secret part of a link to a result, good for a while.
    pub(crate) fn link_to_result(&mut self, position: usize, command: usize) -> String {
        let until = self.now().plus_s(LINK_LIFE_S);
        let action = &mut self.actions[position];
        let number = action.links.len() as u64;
        let mut dice = Dice::new(&[self.seed, 51, position as u64, number]);
        let token = dice.hex(48);
        action.links.push(Link { token: token.clone(), command, until });
        token
    }

    /// Whether a link is one that was given out; `Some(false)`: it has expired.
    pub(crate) fn is_link_alive(&self, position: usize, command: usize, token: &str) -> Option<bool> {
        let known = |link: &&Link| link.command == command && link.token == token;
        let link = self.actions[position].links.iter().find(known)?;
        Some(self.now() < link.until)
    }

    fn begin(&mut self, order: ActionOrder) -> usize {
        let (position, now) = (self.actions.len(), self.now());
        let course = self.draw_course(order.kind, order.device);
        self.actions.push(MachineAction {
            id: Dice::new(&[self.seed, 52, position as u64]).guid(),
            kind: order.kind,
            scope: order.scope,
            device: super::machine::device_number(order.device),
            status: ActionStatus::Pending,
            requestor: order.requestor,
            source: order.source,
            external_id: order.external_id,
            comment: order.comment,
            created: now,
            updated: now,
            cancellation: None,
            file: order.file,
            commands: order.commands,
            listed_from: now,
            course,
            links: Vec::new(),
        });
        self.note(now, Happening::ActionRequested { action: action_number(position) });
        self.schedule_expiry(position, now);
        if self.company.devices[order.device].is_reachable() {
            self.schedule_start(position, now);
        }
        position
    }

    /// The open action that stands in the way of an order.
    fn open_action(&self, order: &ActionOrder) -> Option<usize> {
        self.actions.iter().position(|action| {
            !action.status.is_final()
                && action.kind == order.kind
                && usize::from(action.device) == order.device
                && action.file == order.file
        })
    }

    /// How the next action ends: as ordered by the admin API, else well.
    fn draw_course(&mut self, kind: ActionKind, device: usize) -> Course {
        let fits = |order: &CourseOrder| {
            order.kind.is_none_or(|wanted| wanted == kind) && order.device.is_none_or(|wanted| wanted == device)
        };
        let Some(position) = self.pace.next.iter().position(fits) else { return Course::Succeed };
        let order = &mut self.pace.next[position];
        let course = order.course;
        order.times = order.times.saturating_sub(1);
        if order.times == 0 {
            self.pace.next.remove(position);
        }
        course
    }
}

pub(super) fn action_number(position: usize) -> u32 {
    u32::try_from(position).expect("orders are bounded far below four billion")
}

/// Kinds whose pages say that a repeated call may answer with the pending action.
const MAY_REPEAT: &[ActionKind] =
    &[ActionKind::Unisolate, ActionKind::Restrict, ActionKind::Unrestrict, ActionKind::Scan];
/// Live response sessions at a time in one tenant (the page of runliveresponse).
pub(crate) const SESSION_COUNT_MAX: usize = 25;
/// Links to live response results live half an hour (its page); package links are only called short-lived.
const LINK_LIFE_S: i64 = 1_800;
