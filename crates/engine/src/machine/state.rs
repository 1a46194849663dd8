//! Where a run stands: references and numbers, no payloads. What has ended leaves one letter behind.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Address, Kind, Plan, end::letter};
use crate::{decide::Outcome, document::ITEMS_MAX};

/// A run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// The format of this snapshot, [`State::FORMAT`]; another one stops the run, and no other.
    pub format: u32,
    /// Drives the pauses between tries, so that a replay has the same.
    pub seed: u64,
    /// The steps at the top.
    pub top: Scope,
    /// The run is given up, or ends by a `stop`: nothing new begins.
    pub closing: Option<Outcome>,
    /// How it ended.
    pub end: Option<RunEnd>,
}

/// How a run has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunEnd {
    /// Succeeded, failed or cancelled.
    pub outcome: Outcome,
    /// Of a failure: whether each failed step had a step behind it that runs for that and went well.
    pub handled: bool,
}

/// The steps of the top or of one item of a body. A step that is not there waits.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Scope(pub BTreeMap<u16, StepState>);

/// One step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    /// Its `when` is being evaluated.
    Deciding,
    /// Its `for_each` is being evaluated.
    Listing,
    /// It is at work.
    Active(Active),
    /// It is a loop at work.
    Loop(LoopState),
    /// It has ended.
    Ended(Outcome),
}

/// A loop at work.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LoopState {
    /// How the items ended, a letter each, `.` for those that have not: `ss.f`.
    pub ended: String,
    /// The first item that has not begun.
    pub next: u32,
    /// The items that have begun and not ended.
    pub open: BTreeMap<u32, Item>,
    /// The time of the whole step is up.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub overdue: bool,
}

/// One item of a loop.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Item {
    /// Its `when` is being evaluated.
    Deciding,
    /// It is at work.
    Active(Active),
    /// Its body is at work.
    Body(Scope),
}

/// A step, or an item of one, at work.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Active {
    /// Which try, from 1.
    pub attempt: u32,
    /// Looks at the remote side since the last try; sights of what it started; tries to call that off.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub looks: u32,
    /// Sights in a row that were refused.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub misses: u32,
    /// What it does or waits for.
    pub phase: Phase,
    /// It ends as this as soon as what is on its way has come back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ending: Option<Outcome>,
}

/// What a step at work does or waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Its call is on its way.
    Calling,
    /// The next try is not due.
    Pausing,
    /// The remote side is being looked at.
    Looking,
    /// The next look is not due.
    Settling,
    /// What it started is being looked at.
    Following,
    /// The next sight of it is not due.
    Pending,
    /// A person has not decided.
    Asking,
    /// Time passes.
    Sleeping,
    /// Its values are being evaluated.
    Evaluating,
    /// A workflow that it called is at work.
    Child,
    /// A person must settle a doubt.
    Doubt,
    /// What it started is being called off.
    CallingOff,
}

impl State {
    /// The format that this version writes.
    pub const FORMAT: u32 = 1;

    /// A run that has not begun.
    pub fn new(seed: u64) -> Self {
        Self { format: Self::FORMAT, seed, top: Scope::default(), closing: None, end: None }
    }

    /// Whether everything in it stands for something in the plan. What does not cannot be gone on from.
    pub fn fits(&self, plan: &Plan) -> bool {
        self.top.fits(plan, None)
    }

    /// The steps among which this one stands.
    pub(super) fn scope(&self, at: &Address) -> Option<&Scope> {
        let mut scope = &self.top;
        let (_, outer) = at.places().split_last()?;
        for place in outer {
            let StepState::Loop(each) = scope.0.get(&place.step)? else { return None };
            let Item::Body(inner) = each.open.get(&place.item?)? else { return None };
            scope = inner;
        }
        Some(scope)
    }

    pub(super) fn scope_mut(&mut self, at: &Address) -> Option<&mut Scope> {
        let mut scope = &mut self.top;
        let (_, outer) = at.places().split_last()?;
        for place in outer {
            let StepState::Loop(each) = scope.0.get_mut(&place.step)? else { return None };
            let Item::Body(inner) = each.open.get_mut(&place.item?)? else { return None };
            scope = inner;
        }
        Some(scope)
    }

    /// The step or item at work there.
    pub(super) fn active_mut(&mut self, at: &Address) -> Option<&mut Active> {
        let place = at.last();
        match (self.scope_mut(at)?.0.get_mut(&place.step)?, place.item) {
            (StepState::Active(active), None) => Some(active),
            (StepState::Loop(each), Some(item)) => match each.open.get_mut(&item)? {
                Item::Active(active) => Some(active),
                Item::Deciding | Item::Body(_) => None,
            },
            _ => None,
        }
    }

    pub(super) fn loop_mut(&mut self, at: &Address) -> Option<&mut LoopState> {
        match self.scope_mut(at)?.0.get_mut(&at.last().step)? {
            StepState::Loop(each) => Some(each),
            _ => None,
        }
    }

    /// The step or item there, where it is at work.
    pub fn active(&self, at: &Address) -> Option<&Active> {
        match (self.scope(at)?.0.get(&at.last().step)?, at.last().item) {
            (StepState::Active(active), None) => Some(active),
            (StepState::Loop(each), Some(item)) => match each.open.get(&item)? {
                Item::Active(active) => Some(active),
                Item::Deciding | Item::Body(_) => None,
            },
            _ => None,
        }
    }

    /// Every step and item at work, in order.
    pub fn at_work(&self) -> Vec<(Address, Active)> {
        let mut found = Vec::new();
        gather(&self.top, None, &mut found);
        found
    }
}

fn gather(scope: &Scope, outer: Option<&Address>, found: &mut Vec<(Address, Active)>) {
    for (number, step) in &scope.0 {
        let at = outer.map_or_else(|| Address::top(*number), |outer| outer.within(*number));
        match step {
            StepState::Active(active) => found.push((at, active.clone())),
            StepState::Loop(each) => {
                for (index, item) in &each.open {
                    match item {
                        Item::Active(active) => found.push((at.item(*index), active.clone())),
                        Item::Body(inner) => gather(inner, Some(&at.item(*index)), found),
                        Item::Deciding => {}
                    }
                }
            }
            StepState::Deciding | StepState::Listing | StepState::Ended(_) => {}
        }
    }
}

impl Scope {
    fn fits(&self, plan: &Plan, parent: Option<u16>) -> bool {
        let beside = plan.beside(parent);
        self.0.iter().all(|(number, step)| {
            let is_loop = || plan.step(*number).each.is_some();
            beside.contains(number)
                && match step {
                    StepState::Loop(each) => is_loop() && each.fits(plan, *number),
                    StepState::Listing => is_loop(),
                    StepState::Active(_) => !is_loop(),
                    StepState::Deciding | StepState::Ended(_) => true,
                }
        })
    }
}

impl LoopState {
    fn fits(&self, plan: &Plan, number: u16) -> bool {
        let is_body = matches!(plan.step(number).kind, Kind::Body(_));
        let length = self.ended.len();
        let is_known =
            |known: char| known == '.' || Outcome::ALL.iter().any(|outcome| letter(*outcome).starts_with(known));
        length <= usize::try_from(ITEMS_MAX).unwrap_or(usize::MAX)
            && self.ended.chars().all(is_known)
            && u64::from(self.next) <= length as u64
            && self.open.iter().all(|(item, state)| {
                u64::from(*item) < u64::from(self.next)
                    && match state {
                        Item::Body(scope) => is_body && scope.fits(plan, Some(number)),
                        Item::Active(_) => !is_body,
                        Item::Deciding => true,
                    }
            })
    }
}

impl StepState {
    /// How the step has ended; a doubt counts as an outcome that is not final.
    pub fn outcome(&self) -> Option<Outcome> {
        match self {
            Self::Ended(outcome) => Some(*outcome),
            Self::Active(Active { phase: Phase::Doubt, .. }) => Some(Outcome::NeedsAttention),
            Self::Loop(each) => each.only_doubts().then_some(Outcome::NeedsAttention),
            Self::Deciding | Self::Listing | Self::Active(_) => None,
        }
    }
}

impl LoopState {
    /// Whether nothing goes on until a person has settled a doubt.
    fn only_doubts(&self) -> bool {
        let in_doubt = |item: &Item| match item {
            Item::Active(active) => active.phase == Phase::Doubt,
            Item::Body(scope) => scope.only_doubts(),
            Item::Deciding => false,
        };
        !self.open.is_empty() && self.open.values().all(in_doubt)
    }
}

impl Scope {
    fn only_doubts(&self) -> bool {
        let mut open = self.0.values().filter(|step| !matches!(step, StepState::Ended(_))).peekable();
        open.peek().is_some() && open.all(|step| step.outcome() == Some(Outcome::NeedsAttention))
    }
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}
