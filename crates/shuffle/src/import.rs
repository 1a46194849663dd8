//! The way in: from an export to a document and a report.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use crate::{
    apps::Apps,
    document::{Frame, written},
    graph::Graph,
    names::{Taken, kebab, word},
    report::{Finding, Kind, Node, Report},
    secrets::{LEFT_OUT, Place, Why, cleanse},
    source::{Source, short},
    split::{Part, split},
    starts::{Starts, parsed},
    steps::{Class, Step, build, classify, shapes},
    values::{Names, Piece, Reference, Root, Segment, Shape, scan},
    yaml::{Yaml, member},
};

/// Whether it is an exported workflow of Shuffle: an object with nodes, and none of our own documents.
pub fn is_export(json: &Value) -> bool {
    let lists = ["actions", "triggers", "branches"].into_iter().filter(|list| json[*list].is_array());
    json.get("workflow").is_none() && json.get("steps").is_none() && lists.count() > 0
}

/// What an import gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// The text of a workflow document.
    pub document: String,
    /// What a person must know, by node; every node is named.
    pub report: Vec<Finding>,
    /// What the workflow itself is called in the report.
    pub workflow: Node,
    /// What begins elsewhere, by a second webhook or schedule: a document each, with a report of its own.
    pub parts: Vec<Import>,
}

/// Makes a workflow document of an exported workflow, whatever is in it.
pub fn import(json: &Value, known: &dyn Apps) -> Import {
    let (json, places) = cleanse(json);
    let whole = Source::read(&json, &mut Report::default());
    let split = split(&whole);
    let export = Export { json: &json, places: &places, known };
    let ids: Vec<String> = split.parts.iter().map(|part| part_id(&whole, part, known)).collect();
    let moved = split.parts.iter().zip(&ids).map(|(part, id)| (part.trigger, id.clone()));
    let mut import = fitted(&export, &Which { nodes: &split.main, part: None, moved: moved.collect() });
    import.parts = split
        .parts
        .iter()
        .map(|part| fitted(&export, &Which { nodes: &part.nodes, part: Some(part), moved: Vec::new() }))
        .collect();
    import
}

/// Shuffle's ids of the parts that begin elsewhere, which are those of their triggers, and what they are called.
pub(crate) fn parts(json: &Value) -> Vec<(String, String)> {
    let whole = Source::read(json, &mut Report::default());
    let parts = split(&whole).parts;
    parts.iter().map(|part| (whole.nodes[part.trigger].id.clone(), part_name(&whole, part))).collect()
}

fn part_name(whole: &Source, part: &Part) -> String {
    format!("{}: {}", whole.name, whole.nodes[part.trigger].label)
}

fn part_id(whole: &Source, part: &Part, known: &dyn Apps) -> String {
    let id = known.workflow(&whole.nodes[part.trigger].id);
    id.unwrap_or_else(|| kebab(&short(&part_name(whole, part)), "workflow"))
}

/// What is imported, without secrets.
struct Export<'e> {
    json: &'e Value,
    places: &'e [Place],
    known: &'e dyn Apps,
}

/// Which part of it.
struct Which<'w> {
    nodes: &'w [usize],
    part: Option<&'w Part>,
    /// Triggers that begin elsewhere, and the ids of the workflows that they begin.
    moved: Vec<(usize, String)>,
}

impl Which<'_> {
    /// Takes what belongs to it out of the whole.
    fn narrow(&self, source: &mut Source, report: &mut Report) {
        for (trigger, id) in &self.moved {
            let what = format!("it begins elsewhere than the others: a workflow of its own, `{id}`");
            report.add(&source.nodes[*trigger].named(), Kind::Changed, what, "");
        }
        if let Some(part) = self.part {
            source.name = part_name(source, part);
            source.start = source.nodes[part.root].id.clone();
            source.id = source.nodes[part.trigger].id.clone();
        }
        source.only(self.nodes);
    }
}

fn fitted(export: &Export<'_>, which: &Which<'_>) -> Import {
    let mut nodes_max = which.nodes.len().clamp(1, STEPS_MAX - 1);
    loop {
        let (import, step_count) = attempt(export, which, nodes_max);
        if nodes_max <= 1 || (step_count <= STEPS_MAX && import.document.len() <= DOCUMENT_BYTES_MAX) {
            return import;
        }
        // Some nodes take two steps, and some are long: how many fit is known afterwards.
        nodes_max = nodes_max * 2 / 3;
    }
}

/// What all steps are written from.
pub(crate) struct Plan<'s> {
    pub(crate) source: &'s Source,
    /// By node: the id of its step.
    pub(crate) ids: Vec<String>,
    pub(crate) names: Names,
    pub(crate) graph: Graph,
    pub(crate) shapes: Vec<Shape>,
    /// By node: whether it goes through a list.
    pub(crate) looped: Vec<bool>,
    /// By node: whether it is a trigger of the document.
    pub(crate) starts: Vec<bool>,
    pub(crate) begin: Starts,
    /// What `$exec` is.
    pub(crate) exec: String,
    /// The step that gathers it, where starts hand it over in several ways.
    pub(crate) gathered: Option<String>,
    pub(crate) vars: Vec<Var>,
    /// By execution variable: the nodes that set it, in order.
    pub(crate) setters: Vec<Vec<usize>>,
    pub(crate) questions: Vec<usize>,
}

/// A workflow variable here.
pub(crate) struct Var {
    pub(crate) name: String,
    pub(crate) is_secret: bool,
}

fn attempt(export: &Export<'_>, which: &Which<'_>, nodes_max: usize) -> (Import, usize) {
    let known = export.known;
    let mut report = Report::default();
    let mut source = Source::read(export.json, &mut report);
    // A part tells of its own nodes alone: of the whole the first document has told.
    if which.part.is_some() {
        report = Report::default();
    }
    which.narrow(&mut source, &mut report);
    told(&source, export.places, which.part.is_none(), &mut report);
    cut(&mut source, nodes_max, &mut report);
    twins(&source, &mut report);
    let mut taken = Taken::default();
    let (plan, classes) = plan(&source, known, &mut taken, &mut report);
    let mut steps = Vec::new();
    if let Some(id) = &plan.gathered {
        let value = Yaml::Text(format!("{{{{ {} }}}}", plan.begin.exec()));
        let comments = vec!["What Shuffle calls $exec, whatever started the run".to_owned()];
        let set = Yaml::Map(vec![("value".to_owned(), value)]);
        steps.push(Step { id: id.clone(), comments, members: vec![("set".to_owned(), set)] });
        let what = format!("starts hand their values over in several ways; the step `{id}` gathers them");
        report.add(&source.named(), Kind::Changed, what, "");
    }
    for (number, node) in source.nodes.iter().enumerate() {
        if plan.starts[number] {
            continue;
        }
        let built = build(&plan, number, &classes[number], &mut taken);
        let named = node.named();
        if !built.findings.iter().any(|(kind, ..)| *kind > Kind::Kept) {
            report.add(&named, Kind::Kept, "it does what it did", "");
        }
        for (kind, what, next) in built.findings {
            report.add(&named, kind, what, next);
        }
        steps.extend(built.steps);
    }
    general(&source, &mut report);
    let step_count = steps.len();
    let frame = Frame {
        source: &source,
        vars: vars(&source, &plan, &mut report),
        triggers: &plan.begin.triggers,
        steps,
        output: output(&plan, &mut report),
        id: known.workflow(&source.id),
    };
    (
        Import {
            document: written(&frame),
            report: report.into_findings(),
            workflow: source.named(),
            parts: Vec::new(),
        },
        step_count,
    )
}

/// Everything that must be known before the first step is written.
fn plan<'s>(source: &'s Source, known: &dyn Apps, taken: &mut Taken, report: &mut Report) -> (Plan<'s>, Vec<Class>) {
    let names = names(source);
    let begin = Starts::of(source, &names, known.is_called(&source.id), report);
    let classes: Vec<Class> =
        source.nodes.iter().enumerate().map(|(number, node)| classify(node, number, &begin, known)).collect();
    let gathered = begin.is_mixed().then(|| taken.unique("argument".to_owned(), '-'));
    let ids = source.nodes.iter().enumerate().map(|(number, node)| match begin.is_trigger[number] {
        true => String::new(),
        false => taken.unique(kebab(&node.label, "step"), '-'),
    });
    let ids = ids.collect();
    let mut setters = vec![Vec::new(); source.execution_variables.len()];
    let wanted = wanted(source, &names, &begin);
    let graph = Graph::of(source, &begin, &wanted, report);
    for number in &graph.order {
        let set = &source.nodes[*number].variable;
        let variable = source.execution_variables.iter().position(|variable| !set.is_empty() && variable.name == *set);
        if let Some(variable) = variable {
            setters[variable].push(*number);
        }
    }
    let mut words = Taken::default();
    if begin.argument.is_some() {
        words.unique("argument".to_owned(), '_');
    }
    let var = |name: &str, value: &str| Var {
        name: words.unique(word(name, "value"), '_'),
        is_secret: value.contains(LEFT_OUT),
    };
    let mut var = var;
    let vars = source.variables.iter().map(|variable| var(&variable.name, &variable.value)).collect();
    let plan = Plan {
        shapes: shapes(source, &classes, &names),
        looped: source.nodes.iter().map(|node| node_loops(node, &names)).collect(),
        starts: begin.is_trigger.clone(),
        exec: match &gathered {
            Some(id) => format!("steps.{id}.output.value"),
            None => begin.exec(),
        },
        questions: (0..classes.len()).filter(|number| matches!(classes[*number], Class::Question)).collect(),
        source,
        ids,
        names,
        graph,
        begin,
        gathered,
        vars,
        setters,
    };
    (plan, classes)
}

fn names(source: &Source) -> Names {
    let mut names = Names::new();
    for (number, node) in source.nodes.iter().enumerate() {
        names.add(&node.label, Root::Node(number));
    }
    for (number, variable) in source.variables.iter().enumerate() {
        names.add(&variable.name, Root::Variable(number));
    }
    for (number, variable) in source.execution_variables.iter().enumerate() {
        names.add(&variable.name, Root::ExecutionVariable(number));
    }
    names
}

/// References of a text.
fn references(text: &str, names: &Names) -> Vec<Reference> {
    let found = scan(text, names).into_iter().filter_map(|piece| match piece {
        Piece::Reference(reference) => Some(reference),
        Piece::Filtered { of, .. } => match *of {
            Piece::Reference(reference) => Some(reference),
            _ => None,
        },
        Piece::Text(_) | Piece::Strange(_) => None,
    });
    found.collect()
}

fn node_loops(node: &crate::source::Node, names: &Names) -> bool {
    let each = |reference: &Reference| {
        reference.path.iter().any(|segment| matches!(segment, Segment::Each | Segment::Items(..)))
    };
    node.parameters
        .iter()
        .filter(|parameter| !parameter.configuration)
        .any(|parameter| references(&parameter.value, names).iter().any(each))
}

/// Pairs of a node that is read and the node that reads it, in its fields or in the conditions of its branches.
fn wanted(source: &Source, names: &Names, begin: &Starts) -> Vec<(usize, usize)> {
    let mut setters: HashMap<&str, Vec<usize>> = HashMap::new();
    for (number, node) in source.nodes.iter().enumerate().filter(|(_, node)| !node.variable.is_empty()) {
        setters.entry(node.variable.as_str()).or_default().push(number);
    }
    let mut numbers: HashMap<&str, usize> = HashMap::new();
    for (number, node) in source.nodes.iter().enumerate() {
        numbers.entry(node.id.as_str()).or_insert(number);
    }
    let fields = source.nodes.iter().enumerate().flat_map(|(number, node)| {
        let fields = node.parameters.iter().filter(|parameter| !parameter.configuration);
        fields.map(move |parameter| (number, parameter.value.as_str()))
    });
    let asked = source.branches.iter().filter_map(|branch| Some((*numbers.get(branch.to.as_str())?, branch)));
    let asked = asked.flat_map(|(number, branch)| {
        let sides = branch.conditions.iter().flat_map(|one| [one.source.as_str(), one.destination.as_str()]);
        sides.map(move |side| (number, side))
    });
    let (mut seen, mut wanted) = (HashSet::new(), Vec::new());
    for (number, text) in fields.chain(asked).filter(|(number, _)| !begin.is_trigger[*number]) {
        for reference in references(text, names) {
            let from = match reference.root {
                Root::Node(from) => vec![from],
                Root::ExecutionVariable(variable) => {
                    let name = source.execution_variables[variable].name.as_str();
                    setters.get(name).into_iter().flatten().copied().take(SETTERS_MAX).collect()
                }
                _ => Vec::new(),
            };
            for from in from.into_iter().filter(|from| !begin.is_trigger[*from]) {
                if seen.insert((from, number)) {
                    wanted.push((from, number));
                }
            }
        }
    }
    wanted
}

/// What was taken out before anything was read; `is_all` tells of the workflow itself as well.
fn told(source: &Source, places: &[Place], is_all: bool, report: &mut Report) {
    let nodes: HashMap<(&str, usize), usize> =
        source.nodes.iter().enumerate().map(|(number, node)| (node.place, number)).collect();
    for place in places {
        let item = place.item.as_ref().filter(|(list, _)| matches!(list.as_str(), "actions" | "triggers"));
        let node = item.and_then(|(list, at)| nodes.get(&(list.as_str(), *at)));
        // Another document has the node.
        if node.is_none() && (item.is_some() || !is_all) {
            continue;
        }
        let named = node.map_or_else(|| source.named(), |number| source.nodes[*number].named());
        let (what, next) = match place.why {
            Why::Secret => {
                ("a secret is left out that stood at", "Put it into a connection; change it where it was used.")
            }
            Why::TooLong => ("a text is cut that stood at", "Put the rest back where it is needed."),
            Why::TooDeep => ("what is nested too deeply is left out at", "Look at the export."),
            Why::TooMany => ("a list is cut at", "Take the workflow apart."),
        };
        report.add(&named, Kind::Changed, format!("{what} `{}`", place.path), next);
    }
}

/// A document has an end; triggers come before the nodes that do not fit.
fn cut(source: &mut Source, nodes_max: usize, report: &mut Report) {
    if source.nodes.len() <= nodes_max {
        return;
    }
    let is_trigger = |node: &crate::source::Node| matches!(node.trigger.as_deref(), Some("WEBHOOK" | "SCHEDULE"));
    let (triggers, others): (Vec<_>, Vec<_>) = std::mem::take(&mut source.nodes).into_iter().partition(is_trigger);
    let (mut kept, mut left) = (triggers, others);
    if kept.len() > TRIGGERS_MAX.min(nodes_max) {
        let rest = kept.split_off(TRIGGERS_MAX.min(nodes_max));
        left.extend(rest);
    }
    let room = nodes_max - kept.len();
    let rest = left.split_off(room.min(left.len()));
    left.append(&mut kept);
    for node in &rest {
        let what = "a workflow has at most 500 steps; this one does not fit any more";
        report.add(&node.named(), Kind::Dropped, what, "Take the workflow apart in Shuffle, and import its parts.");
    }
    source.nodes = left;
}

fn twins(source: &Source, report: &mut Report) {
    let mut seen = HashSet::new();
    for node in source.nodes.iter().filter(|node| !node.id.is_empty()) {
        if !seen.insert(node.id.as_str()) {
            let what = "another node has the same id; branches lead to the first one";
            report.add(&node.named(), Kind::Changed, what, "Draw its branches in `after`.");
        }
    }
}

/// All variables together have a bound, so that there is room for steps.
fn vars(source: &Source, plan: &Plan<'_>, report: &mut Report) -> Vec<(String, Yaml)> {
    let argument = plan.begin.argument.clone().map(|value| ("argument".to_owned(), value));
    let mut vars: Vec<(String, Yaml)> = argument.into_iter().collect();
    let mut room = VARS_BYTES_MAX;
    for (var, variable) in plan.vars.iter().zip(&source.variables) {
        let mut value = parsed(&variable.value);
        let mut text = String::new();
        member(&var.name, &value, 2, &mut text);
        if text.len() > room {
            let what = format!("the variable `{}` is too long; its value is left out", short(&variable.name));
            report.add(&source.named(), Kind::Changed, what, "Keep it elsewhere, such as in a kept value.");
            value = Yaml::text("");
        }
        room = room.saturating_sub(text.len());
        vars.push((var.name.clone(), value));
    }
    vars
}

/// Callers get what the last step gives; where ways end in several, what the last of them gave that was reached.
fn output(plan: &Plan<'_>, report: &mut Report) -> Option<String> {
    plan.begin.start?;
    let parents: HashSet<usize> = plan
        .graph
        .parents
        .iter()
        .flatten()
        .map(|(parent, _)| *parent)
        .chain(plan.graph.reads.iter().flatten().copied())
        .collect();
    let last: Vec<usize> = (0..plan.ids.len()).filter(|node| !plan.starts[*node] && !parents.contains(node)).collect();
    let given = match last[..] {
        [last] => return Some(format!("{{{{ steps.{}.output }}}}", plan.ids[last])),
        [] => None,
        _ if last.len() > LAST_MAX => None,
        _ => {
            let ordered = plan.graph.order.iter().filter(|node| last.contains(node)).map(|node| &plan.ids[*node]);
            let given = ordered.fold("null".to_owned(), |before, id| {
                format!("(steps.{id}.output if steps.{id}.outcome == 'succeeded' else {before})")
            });
            Some(format!("{{{{ {given} }}}}"))
        }
    };
    let what = match given {
        Some(_) => "it has several last steps; its callers get what the last of them gave that was reached",
        None => "it has no last step, or too many, and gives its callers nothing",
    };
    report.add(&plan.source.named(), Kind::Changed, what, "Say in `output` what callers get.");
    given
}

/// What holds for every workflow.
fn general(source: &Source, report: &mut Report) {
    let named = source.named();
    if source.nodes.is_empty() {
        report.add(&named, Kind::Changed, "it has no node", "");
        return;
    }
    let what = "a field that is missing fails the step that reads it; in Shuffle it was an empty text";
    report.add(&named, Kind::Changed, what, "Write `| default('')` behind what may be missing.");
    let what = match source.exits_on_error {
        true => "when a step fails, steps beside it end before the run fails; in Shuffle they were stopped",
        false => "when a step fails, the run fails at its end; in Shuffle it finished all the same",
    };
    report.add(&named, Kind::Changed, what, "Write `on_error: continue` at steps that may fail.");
    for variable in source.variables.iter().filter(|variable| variable.value.contains(LEFT_OUT)) {
        let what = format!("the variable `{}` held a secret", short(&variable.name));
        report.add(&named, Kind::Changed, what, "Put it into a connection, and take the variable out.");
    }
}

/// As `sortie_engine::document::STEPS_MAX` has it.
const STEPS_MAX: usize = sortie_engine::document::STEPS_MAX;
/// Under what a document may have, with room for an edit.
const DOCUMENT_BYTES_MAX: usize = 900 << 10;
const VARS_BYTES_MAX: usize = 200 << 10;
const LAST_MAX: usize = 10;
const TRIGGERS_MAX: usize = 20;
const SETTERS_MAX: usize = 5;
