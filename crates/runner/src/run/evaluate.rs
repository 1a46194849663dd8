//! Evaluations: what a text may read is loaded, and nothing else.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use sortie_engine::{
    document::{ITEMS_MAX, parse_duration},
    machine::{Address, Evaluated, What},
    template::{Budget, Reads, Scope as Names, StepPart},
};

use super::{DriveError, Session};
use crate::{
    compiled::{CompiledStep, CompiledVerb},
    journal::Happened,
};

/// Why a text has no value, as a sentence.
type Broken = String;

impl Session {
    /// Evaluates what the machine asks for; what it gave is kept where it is needed later.
    pub(super) async fn evaluate(&mut self, at: &Address, what: What) -> Result<Evaluated, DriveError> {
        let compiled = Arc::clone(&self.compiled);
        let step = &compiled.steps[usize::from(at.last().step)];
        let reads = reads_of(step, what);
        let names = self.names_for(at, &reads).await?;
        let gave = self.gave(at, step, what, &names);
        if let Err(why) = &gave
            && self.reads_untold(at, &reads).await?
        {
            self.note(Some(at), Happened::Broken { why: why.clone() });
            return Ok(self.untold(at, what));
        }
        let (gave, happened) = match gave {
            Ok(Evaluated::Truth(truth)) => (Evaluated::Truth(truth), Some(Happened::Decided { gave: truth })),
            Ok(Evaluated::Items(items)) => (Evaluated::Items(items), Some(Happened::Listed { items })),
            Ok(gave) => (gave, None),
            Err(why) => {
                let error =
                    json!({ "kind": "document", "what": why, "next": "Correct the step's text.", "status": null });
                self.left.insert(at.to_string(), (Value::Null, error));
                (Evaluated::Broken, Some(Happened::Broken { why }))
            }
        };
        if let Some(happened) = happened {
            self.note(Some(at), happened);
        }
        Ok(gave)
    }

    fn gave(&mut self, at: &Address, step: &CompiledStep, what: What, names: &Names) -> Result<Evaluated, Broken> {
        let budget = Budget::default();
        let text = |error: sortie_engine::template::TemplateError| error.to_string();
        match (what, &step.verb) {
            (What::When, _) => {
                let when = step.when.as_ref().ok_or("there is no `when`")?;
                when.evaluate_bool(names, budget).map(Evaluated::Truth).map_err(|error| format!("`when`: {error}"))
            }
            (What::List, _) => {
                let list = step.list.as_ref().ok_or("there is no `for_each`")?;
                let list = list.evaluate(names, budget).map_err(|error| format!("`for_each`: {error}"))?;
                self.listed(at, list)
            }
            (What::Wait, CompiledVerb::Wait { text: Some(template), is_instant }) => {
                let value = template.evaluate(names, budget).map_err(text)?;
                self.length(&value, *is_instant).map(Evaluated::After)
            }
            (What::Set, CompiledVerb::Set(input)) => {
                let value = input.evaluate(names, budget).map_err(text)?;
                self.left.insert(at.to_string(), (value, Value::Null));
                Ok(Evaluated::Done)
            }
            (What::Respond, CompiledVerb::Respond(input)) => {
                let value = input.evaluate(names, budget).map_err(text)?;
                self.pending.leave(RESPONSE.to_owned(), &value);
                self.pending.is_news = true;
                self.left.insert(at.to_string(), (value, Value::Null));
                Ok(Evaluated::Done)
            }
            (What::Stop, CompiledVerb::Stop(message)) => {
                let message = message.as_ref().map(|message| message.evaluate(names, budget)).transpose();
                self.message = message.map_err(text)?.map(plain);
                Ok(Evaluated::Done)
            }
            _ => Err("this step has nothing to evaluate".to_owned()),
        }
    }

    pub(super) fn listed(&mut self, at: &Address, list: Value) -> Result<Evaluated, Broken> {
        let Value::Array(items) = list else {
            return Err(
                "`for_each` gives no list; it takes an expression such as `trigger.incident.devices`".to_owned()
            );
        };
        let count = u32::try_from(items.len()).unwrap_or(u32::MAX);
        if count > ITEMS_MAX {
            return Err(format!("`for_each` gives {count} items, and at most {ITEMS_MAX} are taken"));
        }
        let place = format!("{}#list", at.whole());
        self.pending.leave(place.clone(), &items);
        self.lists.insert(place, Arc::new(items.into_iter().map(Arc::new).collect()));
        Ok(Evaluated::Items(count))
    }

    fn length(&self, value: &Value, is_instant: bool) -> Result<Duration, Broken> {
        if is_instant {
            let text = value.as_str().ok_or("`until` gives no instant; it takes one such as 2026-11-30T08:00:00Z")?;
            let at: jiff::Timestamp =
                text.trim().parse().map_err(|_| format!("`until` gives `{text}`, which is no instant"))?;
            return Ok(Duration::try_from(at.duration_since(self.shared.clock.now())).unwrap_or_default());
        }
        match value {
            Value::String(text) => parse_duration(text).map_err(|error| format!("`for`: {error}")),
            Value::Number(seconds) if seconds.as_f64().is_some_and(|seconds| (0.0..=WAIT_S_MAX).contains(&seconds)) => {
                Ok(Duration::from_secs_f64(seconds.as_f64().unwrap_or_default()))
            }
            _ => Err("`for` gives no length; it takes one such as 8h, or seconds".to_owned()),
        }
    }

    /// The names that a text of this step reads, with what they stand for.
    pub(super) async fn names_for(&mut self, at: &Address, reads: &[&Reads]) -> Result<Names, DriveError> {
        let mut names = self.names.clone();
        for depth in 0..at.places().len() {
            let place = at.places()[depth];
            let Some(item) = place.item else { continue };
            let whole = at.beside(depth, place.step);
            let items = self.list(&whole).await?;
            let compiled = &self.compiled.steps[usize::from(place.step)];
            let (Some(name), Some(value)) = (&compiled.item, items.get(item as usize)) else { continue };
            names = names.with(name, Arc::clone(value)).with("index", Arc::new(item.into()));
        }
        let mut wanted: Vec<(&str, bool)> = Vec::new();
        for (id, part) in reads.iter().flat_map(|reads| reads.steps()) {
            let needs_output = part == StepPart::Output;
            match wanted.iter_mut().find(|(known, _)| *known == id) {
                Some((_, output)) => *output |= needs_output,
                None => wanted.push((id, needs_output)),
            }
        }
        for (id, needs_output) in wanted {
            let Some(address) = self.step_called(id, at) else { continue };
            let value = self.value(&address).await?;
            let is_loop = self.compiled.plan.step(address.last().step).each.is_some();
            let output = match (is_loop && needs_output, &value) {
                (true, Some(_)) => self.loop_output(&address).await?,
                (false, Some(value)) => Arc::clone(&value.output),
                (_, None) => Arc::default(),
            };
            let error = value.as_ref().map(|value| Arc::clone(&value.error)).unwrap_or_default();
            let outcome = value.as_ref().map_or("", |value| value.outcome.word());
            names = names.with_step(id, output, error, outcome);
        }
        Ok(names)
    }

    /// The step of this id that a text at `at` means: of its own body, else of one around it.
    pub(super) fn step_called(&self, id: &str, at: &Address) -> Option<Address> {
        let plan = &self.compiled.plan;
        (0..at.places().len()).rev().find_map(|depth| {
            let parent = depth.checked_sub(1).map(|outer| at.places()[outer].step);
            let number = plan.beside(parent).iter().find(|number| plan.step(**number).id == id)?;
            Some(at.beside(depth, *number))
        })
    }

    pub(super) fn note(&mut self, at: Option<&Address>, what: Happened) {
        let step = at.map(|at| self.name(at));
        self.pending.note(self.shared.clock.now(), step, what);
    }
}

fn reads_of(step: &CompiledStep, what: What) -> Vec<&Reads> {
    match (what, &step.verb) {
        (What::When, _) => step.when.iter().map(|when| when.reads()).collect(),
        (What::List, _) => step.list.iter().map(|list| list.reads()).collect(),
        (_, CompiledVerb::Wait { text, .. }) => text.iter().map(|text| text.reads()).collect(),
        (_, CompiledVerb::Set(input) | CompiledVerb::Respond(input)) => vec![input.reads()],
        (_, CompiledVerb::Stop(message)) => message.iter().map(|message| message.reads()).collect(),
        _ => Vec::new(),
    }
}

/// A value as a text holds it.
pub(super) fn plain(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

/// Where a webhook's answer is kept.
pub(crate) const RESPONSE: &str = "#response";
/// Where what a caller gets is kept.
pub(crate) const OUTPUT: &str = "#output";
/// A year.
const WAIT_S_MAX: f64 = 366.0 * 86_400.0;
