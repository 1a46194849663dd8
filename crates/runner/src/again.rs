//! A run anew: from its beginning, or from one of its steps on with what the steps before it have left.

use std::collections::BTreeSet;

use sortie_engine::{
    decide::Outcome,
    document::Workflow,
    machine::{Address, Kind, Phase, Plan, State, StepState},
    text::did_you_mean,
};
use sortie_store::{Actor, Decision, NewRun, Run, RunValue, Scope, Store, StoreError};

use crate::{
    run::as_value,
    snapshot::{Snapshot, SnapshotError},
};

/// Why a run is not repeated.
#[derive(Debug, thiserror::Error)]
pub enum AgainError {
    /// It is still at work.
    #[error("run {0} has not ended")]
    Unended(String),
    /// It may be that a step which would be repeated was carried out.
    #[error("it is not known whether {} was carried out, and it would be repeated", .steps.join(", "))]
    Doubt {
        /// Those steps.
        steps: Vec<String>,
    },
    /// A question in front of what would be repeated was answered for the first run alone.
    #[error("`{step}` was approved for run {run} alone, and whoever repeats it may not approve that")]
    Unapproved {
        /// The question's step.
        step: String,
        /// The first run.
        run: String,
    },
    /// There is no such step at the top of the workflow.
    #[error("the workflow has no step `{step}` at its top")]
    UnknownStep {
        /// As it was asked for.
        step: String,
        /// What there is.
        next: String,
    },
    /// What it was cannot be read any more.
    #[error("what the run did cannot be read any more: {0}")]
    Unreadable(String),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Who repeats it, and from where.
#[derive(Clone, Debug)]
pub struct Again {
    /// The first step that is repeated, with everything behind it; all of them where none is named.
    pub from_step: Option<String>,
    /// Equal keys are one start.
    pub key: String,
    /// Who.
    pub actor: Actor,
}

/// The order for a run that repeats another. It keeps to the same version and is given the same.
///
/// # Errors
/// [`AgainError`].
pub async fn again(store: &Store, source: &Run, wish: Again) -> Result<NewRun, AgainError> {
    let scope = Scope::Tenant(source.tenant);
    let text = store.workflow_version(Scope::Tenant(source.home), &source.workflow, &source.version).await?.text;
    let workflow = sortie_engine::document::read(&text);
    let workflow = workflow.map_err(|_| AgainError::Unreadable("its version".to_owned()))?;
    let plan = Plan::of(&workflow, &|_, _| None);
    let state = source.snapshot.as_deref().map(Snapshot::read).transpose().map_err(unreadable)?;
    let state = state.map_or_else(|| State::new(0), |snapshot| snapshot.machine);
    let repeated = match &wish.from_step {
        None => plan.top.iter().copied().collect(),
        Some(step) => repeated_from(&plan, &workflow, &state, step)?,
    };
    let doubts = doubts(store, source, &plan, &state, &repeated).await?;
    if !doubts.is_empty() {
        return Err(AgainError::Doubt { steps: doubts });
    }
    unapproved(store, source, &plan, &repeated, &wish.actor).await?;
    if source.ended.is_none() {
        return Err(AgainError::Unended(source.id.to_string()));
    }
    let given = store.run_value(scope, source.id, "").await?.unwrap_or_else(|| "{}".to_owned());
    let taken_over = match wish.from_step {
        None => None,
        Some(_) => Some(taken_over(store, source, &plan, state, &repeated).await?),
    };
    Ok(NewRun {
        home: source.home,
        workflow: source.workflow.clone(),
        version: source.version.clone(),
        mode: source.mode,
        start_key: format!("again {} {}", source.id, wish.key),
        cause: source.cause.clone(),
        object: source.object.clone(),
        started_by: wish.actor.owner_name().to_owned(),
        parent: None,
        again_of: Some(source.id),
        depth: 0,
        input: as_value(store, scope, given).await?,
        taken_over,
        per_object_max: None,
    })
}

/// The named step, those that came to no end of their own, and everything behind any of them.
fn repeated_from(plan: &Plan, workflow: &Workflow, state: &State, step: &str) -> Result<BTreeSet<u16>, AgainError> {
    let named = plan.top.iter().copied().find(|number| plan.step(*number).id == step);
    let Some(named) = named else {
        let known = workflow.steps.iter().map(|step| step.id.value.as_str());
        return Err(AgainError::UnknownStep { step: step.to_owned(), next: did_you_mean(step, known) });
    };
    let is_kept = |number: &u16| matches!(state.top.0.get(number), Some(StepState::Ended(outcome)) if stands(*outcome));
    let mut repeated: BTreeSet<u16> = plan.top.iter().copied().filter(|number| !is_kept(number)).collect();
    repeated.insert(named);
    loop {
        let behind = |number: &u16| plan.step(*number).after.iter().any(|(before, _)| repeated.contains(before));
        let found: Vec<u16> =
            plan.top.iter().copied().filter(|number| !repeated.contains(number) && behind(number)).collect();
        if found.is_empty() {
            return Ok(repeated);
        }
        repeated.extend(found);
    }
}

/// A yes was for one run. Whoever repeats what stands behind it says it anew by that, if they may.
async fn unapproved(
    store: &Store,
    source: &Run,
    plan: &Plan,
    repeated: &BTreeSet<u16>,
    actor: &Actor,
) -> Result<(), AgainError> {
    let mut before: Vec<u16> = repeated.iter().copied().collect();
    let mut seen = BTreeSet::new();
    while let Some(number) = before.pop() {
        if seen.insert(number) {
            before.extend(plan.step(number).after.iter().map(|(before, _)| *before));
        }
    }
    let asked = |number: &u16| matches!(plan.step(*number).kind, Kind::Approval { .. });
    let taken_over: Vec<u16> = seen.into_iter().filter(|number| asked(number) && !repeated.contains(number)).collect();
    if taken_over.is_empty() {
        return Ok(());
    }
    for question in store.approvals_of(Scope::Tenant(source.tenant), source.id).await? {
        let at = Address::parse(&question.new.place).and_then(|at| at.places().first().copied());
        let Some(number) = at.map(|place| place.step).filter(|number| taken_over.contains(number)) else { continue };
        let is_yes = question.decision == Some(Decision::Approved);
        let may = question.new.own && question.may_be_decided_by(actor).is_ok();
        if is_yes && !may {
            let step = plan.step(number).id.clone();
            return Err(AgainError::Unapproved { step, run: source.id.to_string() });
        }
    }
    Ok(())
}

/// What was given up has no outcome to go on from.
fn stands(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Succeeded | Outcome::Failed | Outcome::Skipped | Outcome::TimedOut)
}

/// Steps that would be repeated although nobody knows whether their calls were carried out.
async fn doubts(
    store: &Store,
    source: &Run,
    plan: &Plan,
    state: &State,
    repeated: &BTreeSet<u16>,
) -> Result<Vec<String>, StoreError> {
    let is_repeated = |at: &Address| at.places().first().is_some_and(|place| repeated.contains(&place.step));
    let mut found = BTreeSet::new();
    for (at, active) in state.at_work() {
        if active.phase == Phase::Doubt && is_repeated(&at) {
            found.insert(crate::view::name(plan, &at));
        }
    }
    for intent in store.intents(Scope::Tenant(source.tenant), source.id).await? {
        let at = Address::parse(&intent.new.place);
        if let Some(at) = at.filter(|at| intent.settled.is_none() && is_repeated(at)) {
            found.insert(crate::view::name(plan, &at));
        }
    }
    Ok(found.into_iter().collect())
}

/// The first snapshot, with the steps that are not repeated as ended, and what these have left.
async fn taken_over(
    store: &Store,
    source: &Run,
    plan: &Plan,
    mut state: State,
    repeated: &BTreeSet<u16>,
) -> Result<(String, Vec<(String, RunValue)>), AgainError> {
    let scope = Scope::Tenant(source.tenant);
    state.top.0.retain(|number, _| !repeated.contains(number));
    (state.closing, state.end) = (None, None);
    let mut values = Vec::new();
    for number in plan.top.iter().filter(|number| !repeated.contains(number)) {
        for (place, text) in store.run_values(scope, source.id, &number.to_string()).await? {
            // `1` is also how `12` begins.
            let is_its_own = place[number.to_string().len()..].chars().next().is_none_or(|c| !c.is_ascii_digit());
            if is_its_own {
                values.push((place, as_value(store, scope, text).await?));
            }
        }
    }
    let pins = source.snapshot.as_deref().map(Snapshot::read).transpose().map_err(unreadable)?;
    let pins = pins.map(|snapshot| snapshot.pins).unwrap_or_default();
    let (timers, doubts) = Default::default();
    // It calls as a run does that begins now: what the first one pinned may not be kept any more.
    let connectors = Default::default();
    let snapshot = Snapshot { format: Snapshot::FORMAT, machine: state, timers, doubts, pins, connectors };
    Ok((serde_json::to_string(&snapshot).expect("a snapshot is JSON"), values))
}

#[expect(clippy::needless_pass_by_value, reason = "it stands in `map_err`")]
fn unreadable(error: SnapshotError) -> AgainError {
    AgainError::Unreadable(error.to_string())
}
