//! What steps have left, and lists of loops: kept by place, read when something asks for them.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sortie_engine::{
    decide::Outcome,
    machine::{Address, Kind, StepState},
};

use super::{DriveError, Session};

/// What a step has left.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct StepValue {
    pub outcome: Outcome,
    #[serde(default, skip_serializing_if = "is_null")]
    pub output: Arc<Value>,
    #[serde(default, skip_serializing_if = "is_null")]
    pub error: Arc<Value>,
}

fn is_null(value: &Arc<Value>) -> bool {
    value.is_null()
}

impl Session {
    /// What the step has left; a step that left nothing but its outcome has no row.
    pub(super) async fn value(&mut self, at: &Address) -> Result<Option<Arc<StepValue>>, DriveError> {
        let place = at.to_string();
        if let Some(known) = self.values.get(&place) {
            return Ok(known.clone());
        }
        let text = self.shared.store.run_value(self.scope(), self.run.id, &place).await?;
        let value = match text {
            Some(text) => Some(Arc::new(serde_json::from_str(&text)?)),
            None => self
                .outcome_of(at)
                .map(|outcome| Arc::new(StepValue { outcome, output: Arc::default(), error: Arc::default() })),
        };
        self.values.insert(place, value.clone());
        Ok(value)
    }

    /// The outcome that the machine still knows: of steps at the top, and of bodies that have not ended.
    fn outcome_of(&self, at: &Address) -> Option<Outcome> {
        let mut scope = &self.state.top;
        let (last, outer) = at.places().split_last()?;
        for place in outer {
            let StepState::Loop(each) = scope.0.get(&place.step)? else { return None };
            let sortie_engine::machine::Item::Body(inner) = each.open.get(&place.item?)? else { return None };
            scope = inner;
        }
        scope.0.get(&last.step)?.outcome()
    }

    /// The items of a loop.
    pub(super) async fn list(&mut self, at: &Address) -> Result<Arc<Vec<Arc<Value>>>, DriveError> {
        let place = format!("{}#list", at.whole());
        if let Some(known) = self.lists.get(&place) {
            return Ok(Arc::clone(known));
        }
        let text = self.shared.store.run_value(self.scope(), self.run.id, &place).await?;
        let items: Vec<Arc<Value>> = text.map(|text| serde_json::from_str(&text)).transpose()?.unwrap_or_default();
        let items = Arc::new(items);
        self.lists.insert(place, Arc::clone(&items));
        Ok(items)
    }

    /// What a loop has left: a list aligned with its items.
    pub(super) async fn loop_output(&mut self, at: &Address) -> Result<Arc<Value>, DriveError> {
        let place = format!("{at}#output");
        if let Some(Some(known)) = self.values.get(&place) {
            return Ok(Arc::clone(&known.output));
        }
        let prefix = format!("{at}[");
        let mut rows: BTreeMap<String, Arc<StepValue>> = BTreeMap::new();
        let mut lengths: BTreeMap<String, usize> = BTreeMap::new();
        for (place, text) in self.shared.store.run_values(self.scope(), self.run.id, &prefix).await? {
            match place.strip_suffix("#list") {
                Some(place) => {
                    let items: Vec<&serde_json::value::RawValue> = serde_json::from_str(&text)?;
                    lengths.insert(place.to_owned(), items.len());
                }
                None if place.contains('#') => {}
                None => drop(rows.insert(place, Arc::new(serde_json::from_str(&text)?))),
            }
        }
        for (place, value) in &self.values {
            if let (true, Some(value)) = (place.starts_with(&prefix) && !place.contains('#'), value) {
                rows.insert(place.clone(), Arc::clone(value));
            }
        }
        for (place, items) in &self.lists {
            if let Some(place) = place.strip_suffix("#list") {
                lengths.insert(place.to_owned(), items.len());
            }
        }
        let length = self.list(at).await?.len();
        lengths.insert(at.to_string(), length);
        let output = Arc::new(self.gathered(at.last().step, &at.to_string(), &rows, &lengths));
        let whole = StepValue { outcome: Outcome::Succeeded, output: Arc::clone(&output), error: Arc::default() };
        self.values.insert(place, Some(Arc::new(whole)));
        Ok(output)
    }

    fn gathered(
        &self,
        step: u16,
        place: &str,
        rows: &BTreeMap<String, Arc<StepValue>>,
        lengths: &BTreeMap<String, usize>,
    ) -> Value {
        let length = lengths.get(place).copied().unwrap_or(0);
        let item = |item: usize| {
            let place = format!("{place}[{item}]");
            let row = rows.get(&place);
            let is_skipped = row.is_none_or(|row| row.outcome == Outcome::Skipped);
            match &self.compiled.plan.step(step).kind {
                Kind::Body(_) if is_skipped => Value::Null,
                Kind::Body(inner) => {
                    let inner = inner.iter().map(|number| self.inner(*number, &place, rows, lengths));
                    Value::Object(inner.collect::<Map<_, _>>())
                }
                _ => row.map_or(Value::Null, |row| (*row.output).clone()),
            }
        };
        (0..length).map(item).collect()
    }

    /// What one step of a body has left, under its id.
    fn inner(
        &self,
        number: u16,
        place: &str,
        rows: &BTreeMap<String, Arc<StepValue>>,
        lengths: &BTreeMap<String, usize>,
    ) -> (String, Value) {
        let step = self.compiled.plan.step(number);
        let place = format!("{place}.{number}");
        let row = rows.get(&place);
        let output = match step.each {
            Some(_) => self.gathered(number, &place, rows, lengths),
            None => row.map_or(Value::Null, |row| (*row.output).clone()),
        };
        let error = row.map_or(Value::Null, |row| (*row.error).clone());
        let outcome = row.map(|row| row.outcome.word());
        (step.id.clone(), json!({ "outcome": outcome, "output": output, "error": error }))
    }
}
