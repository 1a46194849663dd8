//! What templates and expressions read: whether it is there, for every start, when they are evaluated.

use std::collections::BTreeMap;

use super::sources::Sources;
use sortie_model::shapes::{ALERT, INCIDENT, Shape};

use crate::{
    document::{Approval, Change, DEDUPE_NAMES, Loop, Step, TriggerKind, Verb, Wait, Workflow},
    template::{Expression, Key, Known, Names, Read, Source, Template, TemplateError},
    text::{Code, Node, Problems, Scalar, Span, Value, did_you_mean},
};

/// Everything in the document that is evaluated.
pub(super) fn check(workflow: &Workflow, problems: &mut Problems) {
    let sources = Sources::of(workflow);
    let mut reader = Reader { sources: &sources, problems };
    if let Some(concurrency) = &workflow.concurrency {
        let names = Names::only(["trigger", "inputs", "tenant", "vars", "run"]);
        let seen = Seen { known: Sources::known(), ..Seen::default() };
        reader.template(&concurrency.key.value, concurrency.key.span, &names, &seen);
    }
    for trigger in &workflow.triggers {
        match &trigger.kind {
            TriggerKind::Webhook { dedupe: Some(dedupe), .. } => {
                let names = Names::only(DEDUPE_NAMES.iter().copied());
                reader.expression(&dedupe.value, dedupe.span, &names, &Seen::default());
            }
            TriggerKind::Incident(change) => reader.change(change, &INCIDENT),
            TriggerKind::Alert(change) => reader.change(change, &ALERT),
            _ => {}
        }
    }
    let start = Seen { known: Sources::known(), ..Seen::default() };
    reader.body(&workflow.steps, &start);
    if let Some(output) = &workflow.output {
        let mut seen = start;
        workflow.steps.iter().for_each(|step| seen.add(step));
        reader.tree(output, &Names::of_a_step(), &seen);
    }
}

/// What can be read at some place.
#[derive(Clone, Default)]
struct Seen {
    /// Steps that have ended for certain, by id; with whether they are loops.
    steps: BTreeMap<String, bool>,
    /// Steps that are beside, before or around, and may not have ended.
    others: Vec<String>,
    /// Names of items.
    items: Vec<String>,
    /// What is known of what names stand for; the last of a name counts.
    known: Vec<(String, Known)>,
}

impl Seen {
    fn add(&mut self, step: &Step) {
        self.steps.insert(step.id.value.clone(), step.for_each.is_some());
    }
}

struct Reader<'a, 'p> {
    sources: &'a Sources,
    problems: &'p mut Problems,
}

impl Reader<'_, '_> {
    fn body(&mut self, steps: &[Step], outer: &Seen) {
        for step in steps {
            let mut seen = outer.clone();
            seen.others.extend(steps.iter().map(|other| other.id.value.clone()));
            for before in before(step, steps) {
                seen.add(before);
            }
            self.step(step, seen);
        }
    }

    fn step(&mut self, step: &Step, mut seen: Seen) {
        let mut names = Names::of_a_step();
        for item in &seen.items {
            names = names.with(item).with("index");
        }
        if let Some(each) = &step.for_each {
            let item = self.items(each, &names, &seen);
            names = names.with(&each.name.value).with("index");
            seen.items.push(each.name.value.clone());
            seen.known.push((each.name.value.clone(), item));
        }
        if let Some(when) = &step.when {
            self.expression(&when.value, when.span, &names, &seen);
        }
        match &step.verb {
            Verb::Call(call) => self.inputs(call.with.as_ref(), &names, &seen),
            Verb::Workflow(called) => self.inputs(called.with.as_ref(), &names, &seen),
            Verb::Code(code) => self.inputs(code.with.as_ref(), &names, &seen),
            Verb::Approval(approval) => self.approval(approval, &names, &seen),
            Verb::Wait(Wait::ForTemplate(text) | Wait::Until(text)) => {
                self.template(&text.value, text.span, &names, &seen);
            }
            Verb::Wait(Wait::For(_)) => {}
            Verb::Set(values) => values.iter().for_each(|(_, node)| self.tree(node, &names, &seen)),
            Verb::Respond(node) => self.tree(node, &names, &seen),
            Verb::Stop(stop) => {
                if let Some(message) = &stop.message {
                    self.template(&message.value, message.span, &names, &seen);
                }
            }
            Verb::Steps(body) => self.body(body, &seen),
        }
    }

    fn approval(&mut self, approval: &Approval, names: &Names, seen: &Seen) {
        self.template(&approval.ask.value, approval.ask.span, names, seen);
        if let Some(notify) = &approval.notify {
            self.inputs(notify.with.as_ref(), names, seen);
        }
    }

    fn inputs(&mut self, with: Option<&Node>, names: &Names, seen: &Seen) {
        if let Some(with) = with {
            self.tree(with, names, seen);
        }
    }

    /// Every string of a tree is a template of its own, so that each problem has its place.
    fn tree(&mut self, node: &Node, names: &Names, seen: &Seen) {
        match &node.value {
            Value::Scalar(Scalar::Text(text)) => self.template(text, node.span, names, seen),
            Value::List(items) => items.iter().for_each(|item| self.tree(item, names, seen)),
            Value::Map(entries) => entries.iter().for_each(|entry| self.tree(&entry.node, names, seen)),
            Value::Null | Value::Scalar(_) => {}
        }
    }

    /// What a list of items gives for each.
    fn items(&mut self, each: &Loop, names: &Names, seen: &Seen) -> Known {
        let known = self.expression(&each.list.value, each.list.span, names, seen);
        match (&known, known.kind()) {
            (Known::List(item), _) => Known::clone(item),
            (_, Some(kind)) => {
                let what = format!("`for_each` goes through a list, and this is {kind}");
                self.problems.add(each.list.span, Code::Template, what, "");
                Known::Anything
            }
            (_, None) => Known::Anything,
        }
    }

    /// Which changes of an object start a run: `where` and `changed` are about the object alone.
    fn change(&mut self, change: &Change, shape: &'static Shape) {
        for field in change.changed.iter().filter(|field| shape.field(&field.value).is_none()) {
            let next = did_you_mean(&field.value, shape.fields.iter().map(|field| field.name));
            let what = format!("{} has no `{}`", shape.with_article(), field.value);
            self.problems.add(field.span, Code::Trigger, what, next);
        }
        if let Some(condition) = &change.condition {
            let known = vec![(shape.name.to_owned(), Known::Object(shape))];
            let seen = Seen { known, ..Seen::default() };
            let names = Names::only([shape.name, "tenant", "vars"]);
            self.expression(&condition.value, condition.span, &names, &seen);
        }
    }

    fn template(&mut self, text: &str, span: Span, names: &Names, seen: &Seen) {
        match Template::compile(text, names) {
            Ok(template) => {
                self.reads(template.reads().all(), span, seen);
                template.misfits(&seen.known).iter().for_each(|misfit| self.broken(misfit, span));
            }
            Err(error) => self.broken(&error, span),
        }
    }

    fn expression(&mut self, text: &str, span: Span, names: &Names, seen: &Seen) -> Known {
        match Expression::compile(text, names) {
            Ok(expression) => {
                self.reads(expression.reads().all(), span, seen);
                let (misfits, known) = expression.check(&seen.known);
                misfits.iter().for_each(|misfit| self.broken(misfit, span));
                known
            }
            Err(error) => {
                self.broken(&error, span);
                Known::Anything
            }
        }
    }

    fn broken(&mut self, error: &TemplateError, span: Span) {
        let mut next = error.next().to_owned();
        if let Some(first) = next.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        self.problems.add(span, Code::Template, error.what(), next);
    }

    fn reads(&mut self, reads: &[Read], span: Span, seen: &Seen) {
        for read in reads {
            match &read.source {
                Source::Step { id, .. } => self.step_is_before(id, span, seen),
                Source::Root(root) => {
                    if let Some((what, next)) = self.sources.lacks(root, first(&read.path), read.may_lack) {
                        self.problems.add(span, Code::Trigger, what, next);
                    }
                }
            }
        }
    }

    fn step_is_before(&mut self, id: &str, span: Span, seen: &Seen) {
        if seen.steps.contains_key(id) {
            return;
        }
        let (what, next) = match seen.others.iter().any(|other| other == id) {
            true => (
                format!("`{id}` may not have ended when this reads it"),
                format!("Put `{id}` into this step's `after`, or into that of a step before it."),
            ),
            false => (
                format!("there is no step `{id}` to read here"),
                did_you_mean(id, seen.steps.keys().map(String::as_str)),
            ),
        };
        self.problems.add(span, Code::UnknownStep, what, next);
    }
}

/// The steps of the same body that end before this one begins.
fn before<'s>(step: &Step, steps: &'s [Step]) -> Vec<&'s Step> {
    let mut found: Vec<&Step> = Vec::new();
    let mut open: Vec<&str> = step.after.iter().map(|after| after.step.value.as_str()).collect();
    while let Some(id) = open.pop() {
        let Some(next) = steps.iter().find(|one| one.id.value == id) else { continue };
        // In a circle, which was told already, a step stands before itself.
        if next.id.value != step.id.value && !found.iter().any(|one| one.id.value == id) {
            found.push(next);
            open.extend(next.after.iter().map(|after| after.step.value.as_str()));
        }
    }
    found
}

fn first(path: &[Key]) -> Option<&str> {
    match path.first() {
        Some(Key::Name(name)) => Some(name),
        Some(Key::Index(_)) | None => None,
    }
}
