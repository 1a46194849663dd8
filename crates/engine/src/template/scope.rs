//! What a template may name, what these names stand for, and how much work it may be.

use std::{collections::BTreeSet, sync::Arc};

use jiff::Timestamp;
use serde_json::Value;

/// The names that a text may read, apart from its own variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names(BTreeSet<String>);

impl Names {
    /// What every step may read: `trigger`, `inputs`, `steps`, `run`, `tenant`, `vars`.
    pub fn of_a_step() -> Self {
        Self::only(["trigger", "inputs", STEPS, "run", "tenant", "vars"])
    }

    /// These names and no other.
    pub fn only<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        Self(names.into_iter().map(str::to_owned).collect())
    }

    /// One name more, such as `index` or the name of `as`.
    #[must_use]
    pub fn with(mut self, name: &str) -> Self {
        self.0.insert(name.to_owned());
        self
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains(name)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

/// What the names stand for in one evaluation. Values are shared; a clone for each item of a list is cheap.
#[derive(Clone, Debug)]
pub struct Scope {
    roots: Vec<(Arc<str>, Arc<Value>)>,
    steps: Vec<(Arc<str>, StepValues)>,
    now: Timestamp,
}

/// What a step has left.
#[derive(Clone, Debug)]
struct StepValues {
    output: Arc<Value>,
    error: Arc<Value>,
    outcome: Value,
}

impl Scope {
    /// Nothing but the run's event time.
    pub fn new(now: Timestamp) -> Self {
        Self { roots: Vec::new(), steps: Vec::new(), now }
    }

    /// This name with this value; an earlier one of the name is hidden.
    #[must_use]
    pub fn with(mut self, name: &str, value: Arc<Value>) -> Self {
        self.roots.retain(|(known, _)| **known != *name);
        self.roots.push((name.into(), value));
        self
    }

    /// A step that came before, with null where it left no output or no error.
    #[must_use]
    pub fn with_step(mut self, id: &str, output: Arc<Value>, error: Arc<Value>, outcome: &str) -> Self {
        self.steps.retain(|(known, _)| **known != *id);
        self.steps.push((id.into(), StepValues { output, error, outcome: outcome.into() }));
        self
    }

    /// The run's event time.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    pub(super) fn root(&self, name: &str) -> Option<&Value> {
        self.roots.iter().find(|(known, _)| **known == *name).map(|(_, value)| &**value)
    }

    pub(super) fn step(&self, id: &str, part: StepPart) -> Option<&Value> {
        let (_, values) = self.steps.iter().find(|(known, _)| **known == *id)?;
        Some(match part {
            StepPart::Output => &values.output,
            StepPart::Error => &values.error,
            StepPart::Outcome => &values.outcome,
        })
    }
}

/// What can be read of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StepPart {
    /// What it gave.
    Output,
    /// Why it failed.
    Error,
    /// How it ended, as a word.
    Outcome,
}

impl StepPart {
    pub(super) fn parse(word: &str) -> Option<Self> {
        match word {
            "output" => Some(Self::Output),
            "error" => Some(Self::Error),
            "outcome" => Some(Self::Outcome),
            _ => None,
        }
    }
}

/// How much one evaluation may take. The work is counted and not timed: the same text with the same data always ends alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Units of work: about one for each operation, for each item that is looked at, and for each 64 bytes that are written.
    pub work_max: u64,
    /// Bytes of any text that is written, the result as well.
    pub text_bytes_max: usize,
    /// Bytes of a result that keeps its type, roughly as JSON.
    pub value_bytes_max: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self { work_max: 1_000_000, text_bytes_max: 1 << 20, value_bytes_max: 32 << 20 }
    }
}

pub(super) const STEPS: &str = "steps";
