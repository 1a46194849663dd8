//! What the starts of a workflow give, and what its document and the run give beside.

use std::collections::BTreeSet;

use sortie_model::shapes::{ALERT, DEVICE, INCIDENT, Shape};

use crate::{
    document::{Needs, Parameter, TriggerKind, Workflow},
    template::Known,
    text::did_you_mean,
};

/// What each root has, where that is known.
pub(super) struct Sources {
    /// By trigger: how it is called, its fields, its inputs.
    starts: Vec<(&'static str, BTreeSet<&'static str>, BTreeSet<String>)>,
    vars: BTreeSet<String>,
}

impl Sources {
    pub(super) fn of(workflow: &Workflow) -> Self {
        let named = |inputs: &[Parameter]| inputs.iter().map(|input| input.name.value.clone()).collect();
        let starts = workflow.triggers.iter().map(|trigger| match &trigger.kind {
            TriggerKind::Manual { inputs, needs } => {
                ("manual", needs.map(Needs::word).into_iter().collect(), named(inputs))
            }
            TriggerKind::Incident(_) => ("incident", BTreeSet::from(["incident", "changed"]), BTreeSet::new()),
            TriggerKind::Alert(_) => ("alert", BTreeSet::from(["alert", "changed"]), BTreeSet::new()),
            TriggerKind::Schedule { .. } => ("schedule", BTreeSet::from(["at"]), BTreeSet::new()),
            TriggerKind::Webhook { .. } => {
                ("webhook", BTreeSet::from(["body", "headers", "query", "received_at"]), BTreeSet::new())
            }
            TriggerKind::Hunt { batch, .. } => {
                ("hunt", BTreeSet::from([if *batch { "rows" } else { "row" }, "at"]), BTreeSet::new())
            }
            TriggerKind::Workflow { inputs } => ("workflow", BTreeSet::new(), named(inputs)),
        });
        Self { starts: starts.collect(), vars: workflow.vars.iter().map(|(name, _)| name.value.clone()).collect() }
    }

    /// Why a path that begins so cannot be read at every start; `None` where it can. What `run` has, the templates know.
    pub(super) fn lacks(&self, root: &str, key: Option<&str>, may_lack: bool) -> Option<(String, String)> {
        let key = key.filter(|_| !may_lack)?;
        match root {
            "trigger" => self.lacking("trigger", key, |(_, fields, _)| fields.contains(key)),
            "inputs" => self.lacking("inputs", key, |(_, _, inputs)| inputs.contains(key)),
            "vars" if !self.vars.contains(key) => {
                let next = did_you_mean(key, self.vars.iter().map(String::as_str));
                Some((format!("there is no `vars.{key}`"), next))
            }
            "tenant" if !TENANT.contains(&key) => {
                Some((format!("there is no `tenant.{key}`"), did_you_mean(key, TENANT.iter().copied())))
            }
            _ => None,
        }
    }

    /// What is known of what the roots give, whatever the start: objects of Defender have their shape.
    pub(super) fn known() -> Vec<(String, Known)> {
        let objects = OBJECTS.iter().map(|(name, shape)| (*name, Known::Object(shape)));
        vec![("trigger".to_owned(), Known::fields(objects))]
    }

    /// Every start must give it, or a run of that start would fail at this place.
    fn lacking(
        &self,
        root: &str,
        key: &str,
        has: impl Fn(&(&'static str, BTreeSet<&'static str>, BTreeSet<String>)) -> bool,
    ) -> Option<(String, String)> {
        let without: Vec<&str> = self.starts.iter().filter(|start| !has(start)).map(|(name, ..)| *name).collect();
        if self.starts.is_empty() {
            let next = "Add a trigger that gives it.".to_owned();
            return Some((format!("nothing gives `{root}.{key}`: the workflow has no trigger"), next));
        }
        let next = "Let every trigger give it, or read it with `| default(…)`.";
        (!without.is_empty()).then(|| {
            (
                format!("`{root}.{key}` is not there when the workflow starts by `{}`", without.join("` or `")),
                next.to_owned(),
            )
        })
    }
}

const OBJECTS: &[(&str, &Shape)] = &[("incident", &INCIDENT), ("alert", &ALERT), ("device", &DEVICE)];
const TENANT: &[&str] = &["name", "entra_id", "cloud"];
