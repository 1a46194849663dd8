//! A workflow as the machine needs it: steps by number, without texts.

use std::{collections::HashMap, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    decide::{Class, Outcome},
    document::{OnDoubt, OnError, OnTimeout, Otherwise, Retry, Run, Step, Verb, Wait, Workflow},
};

/// A workflow for the machine. A run keeps to the one that it began with.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// All steps, those of bodies included, in the order of the text.
    pub steps: Vec<PlanStep>,
    /// Those at the top.
    pub top: Vec<u16>,
}

/// One step.
#[derive(Clone, Debug, PartialEq)]
pub struct PlanStep {
    /// Its id.
    pub id: String,
    /// The loop in whose body it stands.
    pub parent: Option<u16>,
    /// What it waits for, with the outcomes that count as well as succeeded.
    pub after: Vec<(u16, Vec<Outcome>)>,
    /// Which ends let it begin.
    pub run: Run,
    /// It does nothing.
    pub disabled: bool,
    /// Whether it has a `when`.
    pub has_when: bool,
    /// Whether it is a loop.
    pub each: Option<LoopPlan>,
    /// What it does.
    pub kind: Kind,
    /// Tries and pauses.
    pub retry: Retry,
    /// The time of the whole step.
    pub timeout: Option<Duration>,
    /// What happens to the remote side then.
    pub on_timeout: OnTimeout,
    /// Whether its failure is the run's.
    pub on_error: OnError,
    /// Who settles a doubt.
    pub on_doubt: OnDoubt,
}

/// A loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoopPlan {
    /// So many items at once.
    pub parallel: u32,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// A call.
    Call(Planned),
    /// A script: it has no effects, so it can be run again.
    Code,
    /// Another workflow.
    Workflow {
        /// Whether its end is waited for.
        waits: bool,
    },
    /// A question.
    Approval {
        /// How long it stands.
        within: Duration,
        /// What happens then.
        otherwise: Otherwise,
    },
    /// Time passes.
    Wait(Option<Duration>),
    /// Values.
    Set,
    /// The webhook's answer.
    Respond,
    /// The end of the run.
    Stop(Outcome),
    /// A body, of these steps.
    Body(Vec<u16>),
}

/// What the machine must know of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planned {
    /// What is known when an answer is lost.
    pub class: Class,
    /// Whether what it starts is followed to its end.
    pub awaits: bool,
}

impl Plan {
    /// Of a document that was found to be right. Operations that `class` does not know count as the worst.
    pub fn of(workflow: &Workflow, class: &dyn Fn(&str, &str) -> Option<Class>) -> Self {
        let mut plan = Self { steps: Vec::new(), top: Vec::new() };
        plan.top = plan.body(&workflow.steps, None, class);
        plan
    }

    fn body(&mut self, steps: &[Step], parent: Option<u16>, class: &dyn Fn(&str, &str) -> Option<Class>) -> Vec<u16> {
        let mut numbers = HashMap::new();
        let mut own = Vec::with_capacity(steps.len());
        for step in steps {
            let number = u16::try_from(self.steps.len()).expect("a document has at most 500 steps");
            numbers.insert(step.id.value.as_str(), number);
            own.push(number);
            self.steps.push(PlanStep::of(step, parent, class));
            if let Verb::Steps(inner) = &step.verb {
                let inner = self.body(inner, Some(number), class);
                self.steps[usize::from(number)].kind = Kind::Body(inner);
            }
        }
        for (step, number) in steps.iter().zip(&own) {
            let known = |id: &String| numbers.get(id.as_str()).copied();
            self.steps[usize::from(*number)].after = step
                .after
                .iter()
                .filter_map(|after| known(&after.step.value).map(|number| (number, after.accept.clone())))
                .collect();
        }
        own
    }

    /// One step.
    pub fn step(&self, number: u16) -> &PlanStep {
        &self.steps[usize::from(number)]
    }

    /// The steps beside this one, itself included.
    pub fn beside(&self, parent: Option<u16>) -> &[u16] {
        match parent.map(|parent| &self.step(parent).kind) {
            Some(Kind::Body(steps)) => steps,
            Some(_) => &[],
            None => &self.top,
        }
    }
}

impl PlanStep {
    fn of(step: &Step, parent: Option<u16>, class: &dyn Fn(&str, &str) -> Option<Class>) -> Self {
        let kind = match &step.verb {
            Verb::Call(call) => Kind::Call(Planned {
                class: class(&call.connector, &call.operation).unwrap_or(Class::Unsafe),
                awaits: call.awaits,
            }),
            Verb::Workflow(called) => Kind::Workflow { waits: called.waits },
            Verb::Approval(approval) => Kind::Approval { within: approval.within.value, otherwise: approval.otherwise },
            Verb::Wait(Wait::For(length)) => Kind::Wait(Some(length.value)),
            Verb::Wait(Wait::ForTemplate(_) | Wait::Until(_)) => Kind::Wait(None),
            Verb::Code(_) => Kind::Code,
            Verb::Set(_) => Kind::Set,
            Verb::Respond(_) => Kind::Respond,
            Verb::Stop(stop) => Kind::Stop(stop.outcome),
            Verb::Steps(_) => Kind::Body(Vec::new()),
        };
        // A script that failed would fail again; a call may meet a better moment.
        let once = Retry { attempts: 1, ..Retry::USUAL };
        let usual = if matches!(kind, Kind::Call(_)) { Retry::USUAL } else { once };
        Self {
            id: step.id.value.clone(),
            parent,
            after: Vec::new(),
            run: step.run,
            disabled: step.disabled,
            has_when: step.when.is_some(),
            each: step.for_each.as_ref().map(|each| LoopPlan { parallel: each.parallel }),
            kind,
            retry: step.retry.unwrap_or(usual),
            timeout: step.timeout.as_ref().map(|timeout| timeout.value),
            on_timeout: step.on_timeout,
            on_error: step.on_error,
            on_doubt: step.on_doubt,
        }
    }
}
