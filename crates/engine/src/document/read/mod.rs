//! From text to types, with everything that is wrong at once.

mod fields;
mod step;
mod trigger;

use fields::Fields;
#[cfg(test)]
pub(super) use step::STEP_KEYS;

use super::{Concurrency, STEPS_MAX, Spanned, Tenants, WhenBusy, Workflow};
use crate::text::{Code, Node, Problem, Problems, Scalar, Value, read as read_text};

/// Reads a workflow document.
///
/// # Errors
/// Everything that is wrong with its form, by place. What its references mean is the matter of the validation.
pub fn read(text: &str) -> Result<Workflow, Vec<Problem>> {
    let mut problems = Problems::default();
    let workflow = read_text(text, &mut problems).and_then(|root| workflow(&root, &mut problems));
    match workflow {
        Some(workflow) if problems.is_empty() => Ok(workflow),
        _ => Err(problems.into_sorted()),
    }
}

fn workflow(root: &Node, problems: &mut Problems) -> Option<Workflow> {
    let mut fields = Fields::of(root, "a workflow", problems)?;
    let id = fields.needed("workflow", problems).and_then(|node| id(node, "a workflow's id", problems));
    let title = fields.text("title", problems);
    let note = fields.text("note", problems);
    let tenants = fields.take("tenants").map_or(Tenants::All, |node| tenants(node, problems));
    let triggers = fields.list("triggers", problems);
    let triggers = triggers.iter().filter_map(|node| trigger::trigger(node, problems)).collect();
    let vars = fields.take("vars").map_or_else(Vec::new, |node| named_values(node, "vars", problems));
    let concurrency = fields.take("concurrency").and_then(|node| concurrency(node, problems));
    let steps = match fields.needed("steps", problems) {
        Some(node) => step::steps(node, 0, problems),
        None => Vec::new(),
    };
    let output = fields.take("output").cloned();
    // The canvas keeps places there; they mean nothing else.
    fields.take("layout");
    fields.finish(WORKFLOW_KEYS, problems);
    let count = count(&steps);
    if count > STEPS_MAX {
        let what = format!("the workflow has {count} steps, bodies included; at most {STEPS_MAX} are taken");
        problems.add(root.span, Code::WrongValue, what, "Move a part into a workflow of its own.");
    }
    let workflow = Workflow { id: id?, title, note, tenants, triggers, vars, concurrency, steps, output };
    Some(workflow)
}

fn count(steps: &[super::Step]) -> usize {
    let within = |step: &super::Step| match &step.verb {
        super::Verb::Steps(body) => count(body),
        _ => 0,
    };
    steps.iter().map(|step| 1 + within(step)).sum()
}

fn tenants(node: &Node, problems: &mut Problems) -> Tenants {
    match &node.value {
        Value::Scalar(Scalar::Text(text)) if text == "all" => Tenants::All,
        Value::List(items) if !items.is_empty() => {
            let names = items.iter().filter_map(|item| text(item, "a tenant's name", problems));
            Tenants::Some(names.collect())
        }
        _ => {
            problems.add(node.span, Code::WrongKind, "`tenants` is `all` or a list of names", "");
            Tenants::All
        }
    }
}

fn concurrency(node: &Node, problems: &mut Problems) -> Option<Concurrency> {
    let mut fields = Fields::of(node, "`concurrency`", problems)?;
    let key = fields.needed("key", problems).and_then(|node| text(node, "`key`", problems));
    let words = [("queue", WhenBusy::Queue), ("drop", WhenBusy::Drop), ("replace", WhenBusy::Replace)];
    let when_busy = fields.word("when_busy", &words, problems).unwrap_or_default();
    fields.finish(&["key", "when_busy"], problems);
    Some(Concurrency { key: key?, when_busy })
}

/// A map of names to whatever.
fn named_values(node: &Node, what: &str, problems: &mut Problems) -> Vec<(Spanned<String>, Node)> {
    let Value::Map(entries) = &node.value else {
        problems.add(node.span, Code::WrongKind, format!("`{what}` is a map, and this is {}", node.kind()), "");
        return Vec::new();
    };
    let mut values = Vec::with_capacity(entries.len());
    for entry in entries {
        if is_name(&entry.key) {
            let name = Spanned { value: entry.key.clone(), span: entry.key_span };
            values.push((name, entry.node.clone()));
        } else {
            problems.add(entry.key_span, Code::Id, format!("`{}` is no name", entry.key), NAME);
        }
    }
    values
}

/// An id: kebab-case.
fn id(node: &Node, what: &str, problems: &mut Problems) -> Option<Spanned<String>> {
    let id = text(node, what, problems)?;
    let parts_are_words = id
        .value
        .split('-')
        .all(|part| !part.is_empty() && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'));
    if parts_are_words && id.value.len() <= ID_BYTES_MAX && id.value.starts_with(|c: char| c.is_ascii_lowercase()) {
        return Some(id);
    }
    let next = "Write small letters and digits with `-` between, such as `isolate-device`, at most 64.";
    problems.add(id.span, Code::Id, format!("`{}` is no id", id.value), next);
    None
}

fn text(node: &Node, what: &str, problems: &mut Problems) -> Option<Spanned<String>> {
    match node.as_text() {
        Some(text) => Some(Spanned { value: text.to_owned(), span: node.span }),
        None => {
            let next = if matches!(node.value, Value::Scalar(_)) { "Put it in quotes." } else { "" };
            problems.add(node.span, Code::WrongKind, format!("{what} is a text, and this is {}", node.kind()), next);
            None
        }
    }
}

/// A name that a template can say: letters, digits and `_`.
fn is_name(text: &str) -> bool {
    text.len() <= ID_BYTES_MAX
        && text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

const NAME: &str = "Write letters, digits and `_`, such as `device_name`.";
const ID_BYTES_MAX: usize = 64;
pub(super) const WORKFLOW_KEYS: &[&str] =
    &["workflow", "title", "note", "tenants", "triggers", "vars", "concurrency", "steps", "output", "layout"];

#[cfg(test)]
pub(super) mod tests;
