//! How a run stands, for people: its steps by their names.

use serde::Serialize;
use sortie_engine::{
    decide::Outcome,
    document::Workflow,
    machine::{Address, Phase, Place, Plan, StepState},
};
use sortie_store::Run;

use crate::machine_of;

/// A run's steps.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct View {
    /// Those at the top, in the order of the document.
    pub steps: Vec<StepView>,
    /// Steps and items that are at work, wherever they stand.
    pub at_work: Vec<WorkView>,
}

/// One step at the top.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StepView {
    /// Its id.
    pub id: String,
    /// For people.
    pub title: Option<String>,
    /// Waiting, working or ended.
    pub stands: Stands,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// Of a loop: how many of its items have ended, and how many there are.
    pub items: Option<(usize, usize)>,
}

/// How far a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stands {
    /// What it waits for has not ended.
    Waiting,
    /// It has begun.
    Working,
    /// It is over.
    Ended,
}

/// A step or an item at work.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WorkView {
    /// As the journal names it: `devices[0].isolate`.
    pub step: String,
    /// As the store names it: `3[0].1`.
    pub place: String,
    /// What it does or waits for.
    pub phase: Phase,
    /// Which try.
    pub attempt: u32,
}

impl View {
    /// Of a run and the document of its version. `None` where a later version of Sortie has written the run.
    pub fn of(run: &Run, workflow: &Workflow) -> Option<Self> {
        let plan = Plan::of(workflow, &|_, _| None);
        let state = match &run.snapshot {
            Some(text) => Some(machine_of(text, &plan).ok()?),
            None => None,
        };
        let steps = workflow.steps.iter().zip(&plan.top).map(|(step, number)| {
            let state = state.as_ref().and_then(|state| state.top.0.get(number));
            let items = match state {
                Some(StepState::Loop(each)) => {
                    Some((each.ended.bytes().filter(|letter| *letter != b'.').count(), each.ended.len()))
                }
                _ => None,
            };
            let outcome = match state {
                Some(StepState::Ended(outcome)) => Some(*outcome),
                _ => None,
            };
            let stands = match (state, outcome) {
                (_, Some(_)) => Stands::Ended,
                (None, None) => Stands::Waiting,
                (Some(_), None) => Stands::Working,
            };
            StepView { id: step.id.value.clone(), title: step.title.clone(), stands, outcome, items }
        });
        let steps = steps.collect();
        let at_work = state.iter().flat_map(sortie_engine::machine::State::at_work).map(|(at, active)| WorkView {
            step: name(&plan, &at),
            place: at.to_string(),
            phase: active.phase,
            attempt: active.attempt,
        });
        Some(Self { steps, at_work: at_work.collect() })
    }
}

/// The place as people name it: `devices[0].isolate`.
pub(crate) fn name(plan: &Plan, at: &Address) -> String {
    let part = |place: &Place| {
        let id = plan.steps.get(usize::from(place.step)).map_or("?", |step| &step.id);
        place.item.map_or_else(|| id.to_owned(), |item| format!("{id}[{item}]"))
    };
    at.places().iter().map(part).collect::<Vec<_>>().join(".")
}

/// The place that the runner knows, of a step as people name it: `devices[0].isolate`.
pub fn place_of(workflow: &Workflow, step: &str) -> Option<String> {
    let plan = Plan::of(workflow, &|_, _| None);
    let mut at: Option<Address> = None;
    let mut parent = None;
    for part in step.split('.') {
        let (id, item) = match part.split_once('[') {
            None => (part, None),
            Some((id, item)) => (id, Some(item.strip_suffix(']')?.parse().ok()?)),
        };
        let number = *plan.beside(parent).iter().find(|number| plan.step(**number).id == id)?;
        let place = at.map_or_else(|| Address::top(number), |outer| outer.within(number));
        at = Some(item.map_or(place.clone(), |item| place.item(item)));
        parent = Some(number);
    }
    at.map(|at| at.to_string())
}
