//! Steps.

use std::time::Duration;

use super::{Fields, id, is_name, named_values, text};
use crate::{
    decide::Outcome,
    document::{
        After, Approval, BODIES_MAX, Call, Code as Script, Loop, OnDoubt, OnError, OnTimeout, Otherwise, Retry, Run,
        Spanned, Step, Stop, SubWorkflow, Verb, Wait,
    },
    text::{Code, Node, Problems, Span, Value, did_you_mean},
};

pub(super) fn steps(node: &Node, depth: usize, problems: &mut Problems) -> Vec<Step> {
    let Value::List(items) = &node.value else {
        problems.add(node.span, Code::WrongKind, format!("`steps` is a list, and this is {}", node.kind()), "");
        return Vec::new();
    };
    if items.is_empty() {
        problems.add(node.span, Code::WrongValue, "there is no step", "");
    }
    if depth > BODIES_MAX {
        let what = format!("bodies are nested deeper than {BODIES_MAX}");
        problems.add(node.span, Code::WrongValue, what, "Move a part into a workflow of its own.");
        return Vec::new();
    }
    items.iter().filter_map(|item| step(item, depth, problems)).collect()
}

fn step(node: &Node, depth: usize, problems: &mut Problems) -> Option<Step> {
    let mut fields = Fields::of(node, "a step", problems)?;
    let id = fields.needed("id", problems).and_then(|node| id(node, "a step's id", problems));
    let after = fields.take("after").map_or_else(Vec::new, |node| after(node, problems));
    let words = [("on_success", Run::OnSuccess), ("on_failure", Run::OnFailure), ("always", Run::Always)];
    let run = fields.word("run", &words, problems).unwrap_or_default();
    let for_each = for_each(&mut fields, problems);
    let verb = verb(&mut fields, depth, problems);
    let retry = fields.take("retry").and_then(|node| retry(node, problems));
    if let (Some(Verb::Steps(_)), None, Some(span)) = (&verb, &for_each, fields.key_span("steps")) {
        problems.add(
            span,
            Code::MissingKey,
            "a body of `steps` needs `for_each`",
            "Without a loop, write its steps beside the others.",
        );
    }
    let (title, note) = (fields.text("title", problems), fields.text("note", problems));
    let disabled = fields.flag("disabled", problems);
    let when = fields.spanned("when", problems);
    let timeout = fields.duration("timeout", problems);
    let words = [("leave", OnTimeout::Leave), ("cancel", OnTimeout::Cancel)];
    let on_timeout = fields.word("on_timeout", &words, problems).unwrap_or_default();
    let words = [("fail", OnError::Fail), ("continue", OnError::Continue)];
    let on_error = fields.word("on_error", &words, problems).unwrap_or_default();
    let words = [("probe", OnDoubt::Probe), ("ask", OnDoubt::Ask)];
    let on_doubt = fields.word("on_doubt", &words, problems).unwrap_or_default();
    if let Some(verb) = &verb {
        misplaced(&fields, verb, problems);
    }
    fields.finish(STEP_KEYS, problems);
    Some(Step {
        id: id?,
        title,
        note,
        disabled,
        after,
        run,
        when,
        for_each,
        verb: verb?,
        retry,
        timeout,
        on_timeout,
        on_error,
        on_doubt,
    })
}

/// `[a, b]`, or with outcomes that count as well: `[{ step: a, accept: [succeeded, skipped] }]`.
fn after(node: &Node, problems: &mut Problems) -> Vec<After> {
    let Value::List(items) = &node.value else {
        let next = "Write it as a list: `after: [fetch]`.";
        problems.add(node.span, Code::WrongKind, format!("`after` is a list, and this is {}", node.kind()), next);
        return Vec::new();
    };
    let mut found: Vec<After> = Vec::new();
    for item in items {
        let after = match &item.value {
            Value::Map(_) => accepting(item, problems),
            _ => text(item, "a step's id", problems).map(|step| After { step, accept: Vec::new() }),
        };
        let Some(after) = after else { continue };
        if found.iter().any(|other| other.step.value == after.step.value) {
            problems.add(item.span, Code::WrongValue, format!("`{}` stands in `after` twice", after.step.value), "");
        } else {
            found.push(after);
        }
    }
    found
}

fn accepting(node: &Node, problems: &mut Problems) -> Option<After> {
    let mut fields = Fields::of(node, "an item of `after`", problems)?;
    let step = fields.needed("step", problems).and_then(|node| text(node, "`step`", problems));
    let mut accept = Vec::new();
    for item in fields.list("accept", problems) {
        let word = item.as_text().unwrap_or_default();
        match ACCEPTED.iter().find(|outcome| outcome.word() == word) {
            Some(Outcome::Succeeded) => {}
            Some(outcome) => accept.push(*outcome),
            None => {
                let next = did_you_mean(word, ACCEPTED.iter().map(|outcome| outcome.word()));
                problems.add(item.span, Code::WrongValue, format!("`{word}` cannot be accepted"), next);
            }
        }
    }
    fields.finish(&["step", "accept"], problems);
    Some(After { step: step?, accept })
}

fn for_each(fields: &mut Fields<'_>, problems: &mut Problems) -> Option<Loop> {
    let list = fields.spanned("for_each", problems);
    let name = fields.spanned("as", problems);
    let parallel = fields.count("parallel", 1, PARALLEL_MAX, problems);
    let Some(list) = list else {
        for key in ["as", "parallel"] {
            if let Some(span) = fields.key_span(key) {
                problems.add(span, Code::WrongValue, format!("`{key}` means nothing without `for_each`"), "");
            }
        }
        return None;
    };
    if let Some(name) = name.as_ref().filter(|name| !is_name(&name.value) || ROOTS.contains(&name.value.as_str())) {
        let next = "Choose another, of letters, digits and `_`.";
        problems.add(name.span, Code::Id, format!("an item cannot be called `{}`", name.value), next);
    }
    let name = name.unwrap_or_else(|| Spanned { value: "item".to_owned(), span: list.span });
    Some(Loop { list, name, parallel: parallel.unwrap_or(1) })
}

/// The one thing that the step does.
fn verb(fields: &mut Fields<'_>, depth: usize, problems: &mut Problems) -> Option<Verb> {
    let present: Vec<(&str, Span)> =
        VERBS.iter().filter_map(|verb| fields.key_span(verb).map(|span| (*verb, span))).collect();
    let [(name, span)] = present[..] else {
        let span = present.get(1).map_or(fields.span(), |(_, span)| *span);
        let (what, next) = match present.is_empty() {
            true => ("a step does nothing".to_owned(), format!("Give it one of `{}`.", VERBS.join("`, `"))),
            false => {
                let names: Vec<&str> = present.iter().map(|(name, _)| *name).collect();
                (
                    format!("a step does one thing, and this has `{}`", names.join("` and `")),
                    "Make several steps of it.".to_owned(),
                )
            }
        };
        problems.add(span, Code::WrongKind, what, next);
        return None;
    };
    let Some(node) = fields.take(name) else {
        problems.add(span, Code::WrongKind, format!("`{name}` is empty"), "");
        return None;
    };
    let with = fields.take("with").cloned();
    Some(match name {
        "call" => {
            let connection = fields.spanned("connection", problems);
            let (awaits, all_pages) = (fields.flag("await", problems), fields.flag("all_pages", problems));
            let (connector, operation) = operation(node, problems)?;
            Verb::Call(Call { connector, operation, span: node.span, connection, with, awaits, all_pages })
        }
        "workflow" => {
            let waits = !fields.flag("background", problems);
            Verb::Workflow(SubWorkflow { id: id(node, "a workflow's id", problems)?, with, waits })
        }
        "approval" => Verb::Approval(approval(node, problems)?),
        "wait" => Verb::Wait(wait(node, problems)?),
        "code" => Verb::Code(Script { script: text(node, "`code`", problems)?, with }),
        "set" => Verb::Set(named_values(node, "set", problems)),
        "respond" => Verb::Respond(node.clone()),
        "stop" => Verb::Stop(stop(node, problems)?),
        _ => Verb::Steps(steps(node, depth + 1, problems)),
    })
}

/// `connector/operation`.
fn operation(node: &Node, problems: &mut Problems) -> Option<(String, String)> {
    let name = text(node, "`call`", problems)?;
    match name.value.split_once('/') {
        Some((connector, operation)) if !connector.is_empty() && !operation.is_empty() => {
            Some((connector.to_owned(), operation.to_owned()))
        }
        _ => {
            let next = "Write it as `connector/operation`, such as `microsoft-365-defender/isolate-device`.";
            problems.add(name.span, Code::WrongValue, format!("`{}` names no operation", name.value), next);
            None
        }
    }
}

fn approval(node: &Node, problems: &mut Problems) -> Option<Approval> {
    let mut fields = Fields::of(node, "an approval", problems)?;
    let ask = fields.needed("ask", problems).and_then(|node| text(node, "`ask`", problems));
    let roles: Vec<_> =
        fields.list("roles", problems).iter().filter_map(|item| text(item, "a role", problems)).collect();
    for role in roles.iter().filter(|role| !APPROVING_ROLES.contains(&role.value.as_str())) {
        let next = did_you_mean(&role.value, APPROVING_ROLES.iter().copied());
        problems.add(role.span, Code::WrongValue, format!("there is no role `{}` that decides", role.value), next);
    }
    let within = fields.duration("within", problems);
    let otherwise = fields
        .word("otherwise", &[("reject", Otherwise::Reject), ("stop", Otherwise::Stop)], problems)
        .unwrap_or_default();
    let own = fields.word("own", &[("allowed", true), ("refused", false)], problems).unwrap_or(true);
    let notify = fields.take("notify").and_then(|node| notify(node, problems));
    let span = fields.span();
    fields.finish(&["ask", "roles", "within", "otherwise", "own", "notify"], problems);
    let within = within.unwrap_or(Spanned { value: WITHIN, span });
    Some(Approval { ask: ask?, roles, within, otherwise, own, notify })
}

fn notify(node: &Node, problems: &mut Problems) -> Option<Call> {
    let mut fields = Fields::of(node, "`notify`", problems)?;
    let name =
        fields.needed("operation", problems).and_then(|node| operation(node, problems).map(|name| (name, node.span)));
    let connection = fields.spanned("connection", problems);
    let with = fields.take("with").cloned();
    fields.finish(&["operation", "connection", "with"], problems);
    let ((connector, operation), span) = name?;
    Some(Call { connector, operation, span, connection, with, awaits: false, all_pages: false })
}

fn wait(node: &Node, problems: &mut Problems) -> Option<Wait> {
    let mut fields = Fields::of(node, "`wait`", problems)?;
    let until = fields.spanned("until", problems);
    let template = fields.take("for").and_then(Node::as_text).filter(|text| text.contains("{{")).map(str::to_owned);
    let wait = match (fields.take("for"), until, template) {
        (Some(node), None, Some(value)) => Some(Wait::ForTemplate(Spanned { value, span: node.span })),
        (Some(_), None, None) => fields.duration("for", problems).map(Wait::For),
        (None, Some(until), _) => Some(Wait::Until(until)),
        _ => {
            problems.add(fields.span(), Code::MissingKey, "`wait` has either `for` or `until`", "");
            None
        }
    };
    fields.finish(&["for", "until"], problems);
    wait
}

fn stop(node: &Node, problems: &mut Problems) -> Option<Stop> {
    let mut fields = Fields::of(node, "`stop`", problems)?;
    let words = [("succeeded", Outcome::Succeeded), ("failed", Outcome::Failed), ("cancelled", Outcome::Cancelled)];
    fields.needed("outcome", problems);
    let outcome = fields.word("outcome", &words, problems);
    let message = fields.spanned("message", problems);
    fields.finish(&["outcome", "message"], problems);
    Some(Stop { outcome: outcome?, message })
}

fn retry(node: &Node, problems: &mut Problems) -> Option<Retry> {
    let mut fields = Fields::of(node, "`retry`", problems)?;
    let attempts = fields.count("attempts", 1, ATTEMPTS_MAX, problems).unwrap_or(Retry::USUAL.attempts);
    let first = fields.duration("first", problems).map_or(Retry::USUAL.first, |first| first.value);
    let max = fields.duration("max", problems);
    if let Some(max) = max.as_ref().filter(|max| max.value < first) {
        problems.add(max.span, Code::WrongValue, "`max` is shorter than the first pause", "");
    }
    fields.finish(&["attempts", "first", "max"], problems);
    let max = max.map_or(Retry::USUAL.max.max(first), |max| max.value);
    Some(Retry { attempts, first, max })
}

/// Keys that belong to another verb.
fn misplaced(fields: &Fields<'_>, verb: &Verb, problems: &mut Problems) {
    let own: &[&str] = match verb {
        Verb::Call(_) => &["with", "connection", "await", "all_pages", "retry", "on_timeout", "on_doubt"],
        Verb::Workflow(_) => &["with", "background"],
        Verb::Code(_) => &["with", "retry"],
        Verb::Approval(_) | Verb::Wait(_) | Verb::Set(_) | Verb::Respond(_) | Verb::Stop(_) | Verb::Steps(_) => &[],
    };
    for key in VERB_KEYS.iter().filter(|key| !own.contains(key)) {
        if let Some(span) = fields.key_span(key) {
            problems.add(span, Code::UnknownKey, format!("`{key}` means nothing for what this step does"), "");
        }
    }
}

impl Retry {
    /// For a call that says nothing of its own.
    pub const USUAL: Self = Self { attempts: 4, first: Duration::from_secs(2), max: Duration::from_secs(60) };
}

/// What can be accepted of a step before.
const ACCEPTED: [Outcome; 4] = [Outcome::Succeeded, Outcome::Failed, Outcome::Skipped, Outcome::TimedOut];
/// Who may decide; each of these may do what the one before may.
const APPROVING_ROLES: &[&str] = &["responder", "engineer", "admin"];
const ROOTS: &[&str] = &["trigger", "inputs", "steps", "run", "tenant", "vars", "index"];
const VERBS: &[&str] = &["call", "workflow", "approval", "wait", "code", "set", "respond", "stop", "steps"];
/// Keys that only some verbs take.
const VERB_KEYS: &[&str] =
    &["with", "connection", "await", "all_pages", "background", "retry", "on_timeout", "on_doubt"];
pub(in crate::document) const STEP_KEYS: &[&str] = &[
    "id",
    "title",
    "note",
    "disabled",
    "after",
    "run",
    "when",
    "for_each",
    "as",
    "parallel",
    "call",
    "workflow",
    "approval",
    "wait",
    "code",
    "set",
    "respond",
    "stop",
    "steps",
    "with",
    "connection",
    "await",
    "all_pages",
    "background",
    "retry",
    "timeout",
    "on_timeout",
    "on_error",
    "on_doubt",
];
const PARALLEL_MAX: u32 = 50;
const ATTEMPTS_MAX: u32 = 100;
/// How long a question stands where nothing is said.
const WITHIN: Duration = Duration::from_secs(24 * 3_600);
