//! A step, with all that is to be said about it.

use super::{
    classify::{Class, is_filter},
    inputs::{built_in, misfit},
    native,
};
use crate::{
    apps::Operation,
    conditions::conditions,
    import::Plan,
    names::{Taken, kebab, word},
    report::Kind,
    secrets::LEFT_OUT,
    source::{Node, short},
    starts::span,
    values::{Piece, Reader, Reference, Root, all_of, any_of, escaped, scan, structured},
    yaml::Yaml,
};

/// A step as it is written.
#[derive(Debug, Default)]
pub(crate) struct Step {
    pub(crate) id: String,
    pub(crate) comments: Vec<String>,
    pub(crate) members: Vec<(String, Yaml)>,
}

/// A step in the making.
pub(super) struct Draft<'p> {
    pub(super) reader: Reader<'p>,
    /// Kind, what, next.
    findings: Vec<(Kind, String, String)>,
    /// Why it stands there and does nothing.
    disabled: Option<(String, String)>,
}

impl Draft<'_> {
    pub(super) fn changed(&mut self, what: impl Into<String>, next: impl Into<String>) {
        self.findings.push((Kind::Changed, what.into(), next.into()));
    }

    fn disable(&mut self, why: impl Into<String>, next: impl Into<String>) {
        self.disabled.get_or_insert_with(|| (why.into(), next.into()));
    }
}

/// What a node becomes: the step, possibly with one in front that opens its way, and what there is to say.
pub(crate) struct Built {
    pub(crate) steps: Vec<Step>,
    pub(crate) findings: Vec<(Kind, String, String)>,
}

pub(crate) fn build(plan: &Plan<'_>, number: usize, class: &Class, taken: &mut Taken) -> Built {
    let node = &plan.source.nodes[number];
    let id = plan.ids[number].clone();
    let mut draft = Draft { reader: Reader::new(plan, number, true), findings: Vec::new(), disabled: None };
    let way = way(plan, number, &mut draft);
    let (verb, for_each) = verb(plan, node, number, class, &mut draft);
    if way.is_closed {
        draft
            .disable("nothing leads to it from where a run begins", "Let a step lead to it, and take `disabled` away.");
    }
    let mut steps = Vec::new();
    let mut members = way.members;
    let pause = span(node.delay_s).filter(|_| !matches!(class, Class::Pause));
    let has_when = members.iter().any(|(key, _)| key == "when");
    if pause.is_some() || (for_each.is_some() && has_when) {
        steps.push(gate(plan, number, pause, std::mem::take(&mut members), &mut draft, taken));
        members = vec![("after".to_owned(), Yaml::List(vec![Yaml::text(steps[0].id.clone())]))];
    }
    if let Some(list) = for_each {
        members.push(("for_each".to_owned(), Yaml::Text(list)));
    }
    members.extend(verb);
    settle(node, &mut draft);
    let mut head = Vec::new();
    let label = short(&node.label);
    if label != id && !label.is_empty() {
        head.push(("title".to_owned(), Yaml::Text(label)));
    }
    if let Some((why, next)) = draft.disabled.take() {
        let app = short(&format!("{} {}", node.app, node.app_version));
        let note = format!("From Shuffle, {} of {}: {why}.", short(&node.function), app.trim());
        let is_bare = node.app.is_empty() || node.trigger.is_some();
        let note = if is_bare { format!("From Shuffle: {why}.") } else { note };
        head.push(("note".to_owned(), Yaml::Text(note)));
        head.push(("disabled".to_owned(), Yaml::Bool(true)));
        draft.findings.push((Kind::Disabled, why, next));
    }
    head.extend(members);
    let comments = draft.findings.iter().filter(|(kind, ..)| *kind == Kind::Changed);
    let comments = comments.map(|(_, what, _)| format!("{}: {what}", short(&node.label))).collect();
    steps.push(Step { id, comments, members: head });
    Built { steps, findings: draft.findings }
}

/// What was noticed while the node was read.
fn settle(node: &Node, draft: &mut Draft<'_>) {
    for (what, next) in std::mem::take(&mut draft.reader.changed) {
        if !draft.findings.iter().any(|(_, known, _)| *known == what) {
            draft.changed(what, next);
        }
    }
    if let Some(strange) = draft.reader.strange.first().cloned() {
        draft.disable(strange, "Write what is meant in the language's own words, and take `disabled` away.");
    }
    let is_used = |name: &str| node.trigger.is_none() || !OWN_FIELDS.contains(&name);
    let holds = |text: &str| text.contains(LEFT_OUT);
    if node.parameters.iter().any(|one| !one.configuration && is_used(&one.name) && holds(&one.value)) {
        draft.disable("a secret stood in it", "Put the secret into a connection, and take `disabled` away.");
    }
    if draft.reader.reads_secret {
        draft.disable(
            "it reads a variable that held a secret; secrets are no values here",
            "Put the secret into a connection, and take `disabled` away.",
        );
    }
}

struct Way {
    /// `after`, `run`, `when`.
    members: Vec<(String, Yaml)>,
    /// No run gets there.
    is_closed: bool,
}

/// What the node waits for: it runs when one of its branches is open, once all nodes before it have ended.
fn way(plan: &Plan<'_>, number: usize, draft: &mut Draft<'_>) -> Way {
    let graph = &plan.graph;
    let mut reader = Reader::new(plan, number, false);
    let steps: Vec<&(usize, Vec<usize>)> =
        graph.parents[number].iter().filter(|(parent, _)| !plan.starts[*parent]).collect();
    let begin = plan.begin.when(number);
    let is_simple = steps.len() == 1 && begin.is_none() && graph.reads[number].is_empty();
    let mut terms: Vec<Option<String>> = Vec::new();
    if let Some(begin) = &begin {
        terms.extend(begun(plan, number, begin, &mut reader, draft));
    }
    for (parent, branches) in &steps {
        let guard = (!is_simple).then(|| format!("steps.{}.outcome == 'succeeded'", plan.ids[*parent]));
        terms.extend(branch_terms(plan, branches, guard.as_deref(), &mut reader, draft));
    }
    let mut after: Vec<Yaml> = steps.iter().map(|(parent, _)| Yaml::text(plan.ids[*parent].clone())).collect();
    after.extend(graph.reads[number].iter().map(|from| Yaml::text(plan.ids[*from].clone())));
    // Whatever is read behind a first step has gathered its values.
    let gathers = begin.is_some() || steps.is_empty();
    after.extend(plan.gathered.clone().filter(|_| gathers).map(Yaml::Text));
    let mut members = Vec::new();
    let waits = steps.len() + graph.reads[number].len();
    if !after.is_empty() {
        members.push(("after".to_owned(), Yaml::List(after)));
    }
    if waits > 0 && !is_simple {
        members.push(("run".to_owned(), Yaml::text("always")));
    }
    let when = match terms.iter().cloned().collect::<Option<Vec<String>>>() {
        Some(terms) if !terms.is_empty() => any_of(&terms),
        _ => None,
    };
    if let Some(when) = when {
        let when = if reader.is_taken(&when) { when } else { "false".to_owned() };
        members.push(("when".to_owned(), Yaml::Text(when)));
    }
    draft.reader.changed.append(&mut reader.changed);
    draft.reader.reads_secret |= reader.reads_secret;
    passes_a_question(plan, number, &steps, is_simple, draft);
    Way { members, is_closed: begin.is_none() && steps.is_empty() }
}

/// Branches from triggers; without any, the start itself.
fn begun(
    plan: &Plan<'_>,
    number: usize,
    begin: &str,
    reader: &mut Reader<'_>,
    draft: &mut Draft<'_>,
) -> Vec<Option<String>> {
    let from: Vec<&(usize, Vec<usize>)> =
        plan.graph.parents[number].iter().filter(|(parent, _)| plan.starts[*parent]).collect();
    let guard = Some(begin).filter(|begin| !begin.is_empty());
    if from.is_empty() || plan.begin.start == Some(number) {
        return vec![guard.map(str::to_owned)];
    }
    from.iter().flat_map(|(_, branches)| branch_terms(plan, branches, guard, reader, draft)).collect()
}

/// When each branch is open; `None` where it always is.
fn branch_terms(
    plan: &Plan<'_>,
    branches: &[usize],
    guard: Option<&str>,
    reader: &mut Reader<'_>,
    draft: &mut Draft<'_>,
) -> Vec<Option<String>> {
    let mut terms = Vec::new();
    for branch in branches {
        reader.strange.clear();
        let asked = conditions(&plan.source.branches[*branch].conditions, reader).unwrap_or_else(|why| {
            draft.changed(format!("{why}; the branch stays closed"), "Write the condition in `when`.");
            Some("false".to_owned())
        });
        let both: Vec<String> = guard.map(str::to_owned).into_iter().chain(asked).collect();
        terms.push(all_of(&both));
    }
    reader.strange.clear();
    terms
}

/// A node that another way leads to as well runs there although nobody has said yes.
fn passes_a_question(
    plan: &Plan<'_>,
    number: usize,
    steps: &[&(usize, Vec<usize>)],
    is_simple: bool,
    draft: &mut Draft<'_>,
) {
    if is_simple {
        return;
    }
    let is_behind =
        |node: usize| plan.questions.iter().any(|question| *question == node || plan.graph.is_before(*question, node));
    if is_behind(number) && steps.iter().any(|(parent, _)| !is_behind(*parent)) {
        let what = "it stands behind a question, and another way leads to it without an answer, as in Shuffle";
        draft.changed(what, "Take the other way out of `when` if it must wait for the answer.");
    }
}

/// What stands in front of a step: a pause, or the condition of a loop, which is of the whole loop and not of each item.
fn gate(
    plan: &Plan<'_>,
    number: usize,
    pause: Option<String>,
    mut members: Vec<(String, Yaml)>,
    draft: &mut Draft<'_>,
    taken: &mut Taken,
) -> Step {
    let (tail, what) = match &pause {
        Some(_) => ("wait", "its delay is a step of its own"),
        None => ("open", "its condition is a step of its own, because it holds for the whole loop"),
    };
    members.push(match pause {
        Some(span) => ("wait".to_owned(), Yaml::Map(vec![("for".to_owned(), Yaml::Text(span))])),
        None => ("set".to_owned(), Yaml::Map(vec![("open".to_owned(), Yaml::Bool(true))])),
    });
    draft.changed(what, "");
    let id = taken.unique(kebab(&format!("{tail} {}", plan.ids[number]), tail), '-');
    Step { id, comments: Vec::new(), members }
}

type Verb = Vec<(String, Yaml)>;

/// What the step does, and the list that it goes through.
fn verb(plan: &Plan<'_>, node: &Node, number: usize, class: &Class, draft: &mut Draft<'_>) -> (Verb, Option<String>) {
    for parameter in node.parameters.iter().filter(|parameter| !parameter.configuration) {
        draft.reader.collect(&parameter.value);
    }
    let made = match class {
        Class::Native(native) => {
            let items = is_filter(class).then(|| &plan.shapes[number]);
            native::call(native, node, items, draft).and_then(|(call, with)| {
                let schema = built_in(&call).ok_or_else(|| format!("there is no operation {call}"))?;
                checked(&call, with, schema)
            })
        }
        Class::Operation(operation) => called(operation, node, draft),
        Class::Digests => Ok(digests(node, draft)),
        Class::Groups(count) => Ok(groups(node, *count, draft)),
        Class::Greeting => Ok(echo(Yaml::text("Hello world"))),
        Class::Raises => Ok(raises(draft)),
        Class::Router => Ok(echo(Yaml::text(""))),
        Class::Length => Ok(length(node, draft)),
        Class::Gather => gather(plan, number, draft),
        Class::Pause => pause(node, draft),
        Class::Sum => sum(node, draft),
        Class::Workflow(known) => Ok(workflow(node, known.as_deref(), draft)),
        Class::Question => Ok(question(node, draft)),
        Class::Cannot(why, next) => {
            draft.disable(why.clone(), *next);
            Ok(kept(node, draft))
        }
        Class::Trigger => Ok(Vec::new()),
    };
    let verb = made.unwrap_or_else(|why| {
        draft.disable(why, "Write a step that does the same, and take `disabled` away.");
        kept(node, draft)
    });
    if node.has_authentication && draft.disabled.is_none() {
        draft.findings.push((Kind::Kept, "it authenticates".to_owned(), "Add a connection for it.".to_owned()));
    }
    let for_each =
        draft.reader.for_each().map(|list| if draft.reader.is_taken(&list) { list } else { "[]".to_owned() });
    (verb, for_each)
}

fn called(operation: &Operation, node: &Node, draft: &mut Draft<'_>) -> Result<Verb, String> {
    let call = format!("{}/{}", operation.connector, operation.operation);
    let with = native::operation(operation, node, draft)?;
    let verb = checked(&call, with, &operation.inputs)?;
    if !operation.is_sure {
        draft.changed(format!("it calls {call}, which says the same in other words"), "Check that it does the same.");
    }
    Ok(verb)
}

fn checked(call: &str, with: Yaml, schema: &serde_json::Value) -> Result<Verb, String> {
    if let Some(why) = misfit(call, &with, schema) {
        return Err(why);
    }
    let mut verb = vec![("call".to_owned(), Yaml::text(call))];
    if !matches!(&with, Yaml::Map(members) if members.is_empty()) {
        verb.push(("with".to_owned(), with));
    }
    Ok(verb)
}

fn echo(value: Yaml) -> Verb {
    let with = Yaml::Map(vec![("value".to_owned(), value)]);
    vec![("call".to_owned(), Yaml::text("data/echo")), ("with".to_owned(), with)]
}

fn length(node: &Node, draft: &mut Draft<'_>) -> Verb {
    let text = node.value("item").trim();
    let pieces = scan(text, draft.reader.names());
    let whole = match &pieces[..] {
        [piece @ (Piece::Reference(_) | Piece::Filtered { .. })] => {
            draft.reader.found(piece).map(|found| found.expression)
        }
        _ => None,
    };
    let value = whole.unwrap_or_else(|| subject(text, draft));
    echo(Yaml::Text(format!("{{{{ {value} | length }}}}")))
}

/// Each item of the lists once.
fn gather(plan: &Plan<'_>, number: usize, draft: &mut Draft<'_>) -> Result<Verb, String> {
    draft.reader.otherwise = "[]";
    let parents = plan.graph.parents[number].iter().filter(|(parent, _)| !plan.starts[*parent]);
    let lists: Vec<Option<String>> = parents
        .map(|(parent, _)| {
            let piece = Piece::Reference(Reference { root: Root::Node(*parent), path: Vec::new() });
            draft.reader.found(&piece).map(|found| found.expression)
        })
        .collect();
    draft.reader.otherwise = "''";
    let lists: Vec<Yaml> = lists.into_iter().flatten().map(|list| Yaml::Text(format!("{{{{ {list} }}}}"))).collect();
    let (call, names) = match lists.len() {
        1 => ("data/list-unique", &["items"][..]),
        2 => ("data/list-union", &["items", "other"][..]),
        _ => return Err("it puts the lists of more than two nodes together".to_owned()),
    };
    let with = names.iter().map(|name| (*name).to_owned()).zip(lists).collect();
    Ok(vec![("call".to_owned(), Yaml::text(call)), ("with".to_owned(), Yaml::Map(with))])
}

/// It fails whatever it is given.
fn raises(draft: &mut Draft<'_>) -> Verb {
    draft.changed("it is there to fail, and fails by reading a text that is no JSON", "");
    let with = Yaml::Map(vec![("text".to_owned(), Yaml::text("raise_error"))]);
    vec![("call".to_owned(), Yaml::text("data/json-parse")), ("with".to_owned(), with)]
}

fn set(values: Vec<(String, Yaml)>) -> Verb {
    vec![("set".to_owned(), Yaml::Map(values))]
}

/// The parameters of what nothing does, so that they are at hand when something does.
fn kept(node: &Node, draft: &mut Draft<'_>) -> Verb {
    let what = if node.function.is_empty() { &node.label } else { &node.function };
    let mut values = vec![("function".to_owned(), Yaml::Text(escaped(&short(what))))];
    let mut taken = Taken::default();
    taken.unique("function".to_owned(), '_');
    for parameter in node.parameters.iter().filter(|parameter| !parameter.configuration) {
        let is_own = node.trigger.is_some() && OWN_FIELDS.contains(&parameter.name.as_str());
        if parameter.value.trim().is_empty() || is_own {
            continue;
        }
        let name = taken.unique(word(&parameter.name, "input"), '_');
        let value = match structured(&parameter.value, draft.reader.names(), &mut draft.reader) {
            Some(value) => value,
            None => Yaml::Text(draft.reader.template(&parameter.value)),
        };
        values.push((name, value));
    }
    set(values)
}

fn digests(node: &Node, draft: &mut Draft<'_>) -> Verb {
    let text = subject(node.value("value"), draft);
    let digest = |name: &str| (name.to_owned(), Yaml::text(format!("{{{{ {text} | {name} }}}}")));
    set(["md5", "sha1", "sha256"].map(digest).to_vec())
}

/// `group_0` is what the first brackets found, or the whole where there are none.
fn groups(node: &Node, count: usize, draft: &mut Draft<'_>) -> Verb {
    let text = subject(node.value("input_data"), draft);
    let pattern = crate::values::quoted(node.value("regex"));
    let find = |group: usize| format!("{text} | regex_find({pattern}, {group}, true)");
    let first = usize::from(count > 0);
    let mut values = vec![("found".to_owned(), Yaml::text(format!("{{{{ {} | length > 0 }}}}", find(0))))];
    for at in 0..count.clamp(1, GROUPS_MAX) {
        values.push((format!("group_{at}"), Yaml::text(format!("{{{{ {} }}}}", find(at + first)))));
    }
    for (_, value) in &values {
        if let Yaml::Text(text) = value {
            let inner = text.trim_start_matches("{{ ").trim_end_matches(" }}");
            if !draft.reader.is_taken(inner) {
                return kept(node, draft);
            }
        }
    }
    set(values)
}

/// A whole field as an expression that is a text.
fn subject(text: &str, draft: &mut Draft<'_>) -> String {
    let pieces = scan(text, draft.reader.names());
    let parts: Vec<String> = pieces
        .iter()
        .filter_map(|piece| match piece {
            Piece::Text(text) => Some(crate::values::quoted(text)),
            piece => draft.reader.found(piece).map(|found| format!("{} | string", found.expression)),
        })
        .collect();
    match &parts[..] {
        [] => "''".to_owned(),
        [one] => one.clone(),
        several => format!("({})", several.join(" ~ ")),
    }
}

fn pause(node: &Node, draft: &mut Draft<'_>) -> Result<Verb, String> {
    let written = draft.reader.template(node.value("seconds").trim());
    let bare = written.trim_start_matches("{{ ").trim_end_matches(" }}").trim();
    let wait = match bare.parse::<f64>() {
        Ok(seconds) if seconds >= 1.0 => {
            // Fractions of a second are waited, too, as a whole one.
            span(seconds.ceil().min(1e9) as u64).ok_or("it waits longer than a year")?
        }
        Ok(_) => return Err("it waits for nothing".to_owned()),
        Err(_) if written.starts_with("{{") => format!("{written}s"),
        Err(_) => return Err("it does not say how many seconds it waits".to_owned()),
    };
    Ok(vec![("wait".to_owned(), Yaml::Map(vec![("for".to_owned(), Yaml::Text(wait))]))])
}

/// `$a.b+1`: numbers, references and the signs between them.
fn sum(node: &Node, draft: &mut Draft<'_>) -> Result<Verb, String> {
    let cannot = || "its arithmetic is not understood".to_owned();
    let mut expression = String::new();
    for piece in scan(node.value("operation"), draft.reader.names()) {
        match &piece {
            Piece::Text(text) if text.chars().all(|c| c.is_ascii_digit() || " .+-*/()".contains(c)) => {
                expression.push_str(text);
            }
            Piece::Text(_) => return Err(cannot()),
            piece => {
                let found = draft.reader.found(piece).ok_or_else(cannot)?;
                // The text is put there, and then reads as a number: `3` as a whole one.
                expression.push_str(&format!("({} | string | from_json)", found.expression));
            }
        }
    }
    if expression.trim().is_empty() || !draft.reader.is_taken(&expression) {
        draft.reader.strange.clear();
        return Err(cannot());
    }
    Ok(echo(Yaml::Text(format!("{{{{ {} }}}}", expression.trim()))))
}

fn workflow(node: &Node, known: Option<&str>, draft: &mut Draft<'_>) -> Verb {
    let asked = node.value("workflow").trim();
    let id = known.map_or_else(|| kebab(&format!("shuffle {asked}"), "shuffle"), str::to_owned);
    if known.is_none() {
        let why = format!("the workflow `{}`, here `{id}`, is not imported", short(asked));
        draft.disable(why, "Import it, correct its id here, and take `disabled` away.");
    }
    if !node.value("startnode").trim().is_empty() {
        draft.changed(
            "it named the node to begin at; it begins at the workflow's own start",
            "Check that it is the same.",
        );
    }
    let mut verb = vec![("workflow".to_owned(), Yaml::Text(id))];
    let argument = node.value("argument");
    if !argument.trim().is_empty() {
        let value = native::json(argument, draft);
        verb.push(("with".to_owned(), Yaml::Map(vec![("argument".to_owned(), value)])));
    }
    if !node.value("check_result").trim().eq_ignore_ascii_case("true") {
        verb.push(("background".to_owned(), Yaml::Bool(true)));
    }
    verb
}

fn question(node: &Node, draft: &mut Draft<'_>) -> Verb {
    let asked = node.value("alertinfo");
    let ask = match asked.trim() {
        "" => escaped(&format!("Go on with {}?", short(&node.label))),
        asked => draft.reader.template(asked),
    };
    let next = "Set how long it waits, who may answer, and `notify`.";
    draft.changed("it waits seven days for an answer here, and tells nobody by itself", next);
    let members = vec![
        ("ask".to_owned(), Yaml::Text(ask)),
        ("roles".to_owned(), Yaml::List(vec![Yaml::text("responder")])),
        ("within".to_owned(), Yaml::text("7d")),
    ];
    vec![("approval".to_owned(), Yaml::Map(members))]
}

/// Fields of triggers that mean something to one installation alone.
const OWN_FIELDS: &[&str] = &["user_apikey", "auth_headers", "url", "tmp"];
const GROUPS_MAX: usize = 20;
