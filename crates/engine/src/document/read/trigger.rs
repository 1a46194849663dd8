//! Triggers.

use super::{Fields, NAME, is_name, text};
use crate::{
    document::{CatchUp, Change, Needs, Parameter, Secure, Spanned, Trigger, TriggerKind},
    text::{Code, Node, Problems, Scalar, Value, did_you_mean},
};

pub(super) fn trigger(node: &Node, problems: &mut Problems) -> Option<Trigger> {
    let (kind, inner) = match &node.value {
        Value::Map(entries) if entries.len() == 1 => (entries[0].key.as_str(), Some(&entries[0].node)),
        Value::Scalar(Scalar::Text(word)) => (word.as_str(), None),
        _ => {
            let what = format!("a trigger is one of `{}`, and this is {}", KINDS.join("`, `"), node.kind());
            problems.add(
                node.span,
                Code::WrongKind,
                what,
                "Write each as an item of its own: `- incident: { on: [created] }`.",
            );
            return None;
        }
    };
    // `- manual` alone, or `- manual:` with nothing behind it.
    let empty = Node { value: Value::Map(Vec::new()), span: node.span };
    let inner = inner.filter(|inner| inner.value != Value::Null).unwrap_or(&empty);
    let kind = match kind {
        "manual" => manual(inner, problems)?,
        "incident" => TriggerKind::Incident(change(inner, "an incident trigger", problems)?),
        "alert" => TriggerKind::Alert(change(inner, "an alert trigger", problems)?),
        "schedule" => schedule(inner, problems)?,
        "webhook" => webhook(inner, problems)?,
        "hunt" => hunt(inner, problems)?,
        "workflow" => {
            let mut fields = Fields::of(inner, "a workflow trigger", problems)?;
            let inputs = parameters(&mut fields, problems);
            fields.finish(&["inputs"], problems);
            TriggerKind::Workflow { inputs }
        }
        other => {
            let next = did_you_mean(other, KINDS.iter().copied());
            problems.add(node.span, Code::WrongValue, format!("there is no trigger `{other}`"), next);
            return None;
        }
    };
    Some(Trigger { kind, span: node.span })
}

fn manual(node: &Node, problems: &mut Problems) -> Option<TriggerKind> {
    let mut fields = Fields::of(node, "a manual trigger", problems)?;
    let inputs = parameters(&mut fields, problems);
    let words = [("incident", Needs::Incident), ("alert", Needs::Alert), ("device", Needs::Device)];
    let needs = fields.word("needs", &words, problems);
    fields.finish(&["inputs", "needs"], problems);
    Some(TriggerKind::Manual { inputs, needs })
}

fn change(node: &Node, what: &'static str, problems: &mut Problems) -> Option<Change> {
    let mut fields = Fields::of(node, what, problems)?;
    let mut change = Change { created: false, updated: false, resolved: false, changed: Vec::new(), condition: None };
    for item in fields.list("on", problems) {
        match item.as_text() {
            Some("created") => change.created = true,
            Some("updated") => change.updated = true,
            Some("resolved") => change.resolved = true,
            word => {
                let what = format!(
                    "`on` knows no {}",
                    word.map_or_else(|| item.kind().to_owned(), |word| format!("`{word}`"))
                );
                let next = did_you_mean(word.unwrap_or_default(), ["created", "updated", "resolved"]);
                problems.add(item.span, Code::WrongValue, what, next);
            }
        }
    }
    if fields.take("on").is_none() {
        change.created = true;
    }
    change.changed =
        fields.list("changed", problems).iter().filter_map(|item| text(item, "a field", problems)).collect();
    if let (false, Some(first)) = (change.updated, change.changed.first()) {
        let next = "Add `updated` to `on`, or leave `changed` out.";
        problems.add(first.span, Code::WrongValue, "`changed` means nothing without `on: [updated]`", next);
    }
    change.condition = fields.spanned("where", problems);
    fields.finish(&["on", "changed", "where"], problems);
    Some(change)
}

fn schedule(node: &Node, problems: &mut Problems) -> Option<TriggerKind> {
    let mut fields = Fields::of(node, "a schedule", problems)?;
    let cron = fields.spanned("cron", problems);
    let zone = fields.spanned("zone", problems);
    let every = fields.duration("every", problems);
    let words = [("one", CatchUp::One), ("all", CatchUp::All), ("none", CatchUp::None)];
    let catch_up = fields.word("catch_up", &words, problems).unwrap_or_default();
    if cron.is_some() == every.is_some() {
        problems.add(fields.span(), Code::MissingKey, "a schedule has either `cron` or `every`", "");
    }
    if let (None, Some(zone)) = (&cron, &zone) {
        problems.add(zone.span, Code::WrongValue, "`zone` means nothing without `cron`", "");
    }
    fields.finish(&["cron", "zone", "every", "catch_up"], problems);
    Some(TriggerKind::Schedule { cron, zone, every, catch_up })
}

fn webhook(node: &Node, problems: &mut Problems) -> Option<TriggerKind> {
    let mut fields = Fields::of(node, "a webhook", problems)?;
    let secure =
        fields.word("secure", &[("hmac", Secure::Hmac), ("token", Secure::Token)], problems).unwrap_or_default();
    let dedupe = fields.spanned("dedupe", problems);
    let answers = fields.flag("answers", problems);
    fields.finish(&["secure", "dedupe", "answers"], problems);
    Some(TriggerKind::Webhook { secure, dedupe, answers })
}

fn hunt(node: &Node, problems: &mut Problems) -> Option<TriggerKind> {
    let mut fields = Fields::of(node, "a hunt", problems)?;
    let query = fields.needed("query", problems).and_then(|node| text(node, "`query`", problems));
    fields.needed("every", problems);
    let every = fields.duration("every", problems);
    let batch = fields.flag("batch", problems);
    fields.finish(&["query", "every", "batch"], problems);
    Some(TriggerKind::Hunt { query: query?, every: every?, batch })
}

/// `inputs: { name: string }`, or each with its type, default, words and title.
fn parameters(fields: &mut Fields<'_>, problems: &mut Problems) -> Vec<Parameter> {
    let Some(node) = fields.take("inputs") else { return Vec::new() };
    let Value::Map(entries) = &node.value else {
        problems.add(node.span, Code::WrongKind, format!("`inputs` is a map, and this is {}", node.kind()), "");
        return Vec::new();
    };
    let mut parameters = Vec::new();
    for entry in entries {
        if !is_name(&entry.key) {
            problems.add(entry.key_span, Code::Id, format!("`{}` is no name", entry.key), NAME);
            continue;
        }
        let name = Spanned { value: entry.key.clone(), span: entry.key_span };
        parameters.extend(parameter(name, &entry.node, problems));
    }
    parameters
}

fn parameter(name: Spanned<String>, node: &Node, problems: &mut Problems) -> Option<Parameter> {
    let words: Vec<(&'static str, &'static str)> = TYPES.iter().map(|word| (*word, *word)).collect();
    if let Some(word) = node.as_text() {
        let kind = TYPES.iter().find(|known| **known == word);
        if kind.is_none() {
            let next = did_you_mean(word, TYPES.iter().copied());
            problems.add(node.span, Code::WrongValue, format!("an input is no `{word}`"), next);
        }
        let kind = (*kind?).to_owned();
        return Some(Parameter { name, kind, default: None, choices: Vec::new(), title: None });
    }
    let mut fields = Fields::of(node, "an input", problems)?;
    let kind = fields.word("type", &words, problems).unwrap_or("string").to_owned();
    let default = fields.take("default").map(Node::to_json);
    let choices = fields.list("choices", problems).iter().map(Node::to_json).collect();
    let title = fields.text("title", problems);
    fields.finish(&["type", "default", "choices", "title"], problems);
    Some(Parameter { name, kind, default, choices, title })
}

const KINDS: &[&str] = &["manual", "incident", "alert", "schedule", "webhook", "hunt", "workflow"];
const TYPES: &[&str] = &["string", "number", "integer", "boolean", "list", "object", "any"];
