//! What starts a run, where it begins then, and what `$exec` is.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use crate::{
    report::{Kind, Report},
    source::{Node, Source, short},
    values::{Names, Piece, Reference, Root, Segment, any_of, scan},
    yaml::Yaml,
};

/// How a run is started, as far as it can be told apart in the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum How {
    Webhook,
    Schedule,
    /// By a person or by another workflow.
    Called,
}

#[derive(Debug, Default)]
pub(crate) struct Starts {
    /// `triggers` of the document.
    pub(crate) triggers: Vec<Yaml>,
    hows: Vec<How>,
    /// By node: how a run begins there.
    pub(crate) begins: Vec<Vec<How>>,
    /// By node: it is a trigger that stands in `triggers`, and no step.
    pub(crate) is_trigger: Vec<bool>,
    /// By node: why a trigger stands as a step that does nothing.
    pub(crate) stands_in: Vec<Option<String>>,
    /// Where a run begins that nothing starts.
    pub(crate) start: Option<usize>,
    /// What a schedule hands over.
    pub(crate) argument: Option<Yaml>,
    /// The kind of `inputs.argument`.
    kind: &'static str,
}

impl Starts {
    /// `is_called` where another workflow runs this one.
    pub(crate) fn of(source: &Source, names: &Names, is_called: bool, report: &mut Report) -> Self {
        let count = source.nodes.len();
        let mut starts = Self {
            begins: vec![Vec::new(); count],
            is_trigger: vec![false; count],
            stands_in: vec![None; count],
            kind: argument_kind(source, names),
            ..Self::default()
        };
        let start = start(source);
        let roots = roots(source, start);
        starts.webhooks(source, &roots, start, report);
        starts.schedules(source, &roots, start, report);
        for (number, node) in source.nodes.iter().enumerate() {
            let kind = node.trigger.as_deref().unwrap_or("SUBFLOW");
            if !matches!(kind, "WEBHOOK" | "SCHEDULE" | "SUBFLOW" | "USERINPUT") {
                let what = format!("there is no trigger like `{}`", short(&kind.to_lowercase()));
                starts.stands_in[number] = Some(what);
            }
        }
        if is_called || starts.hows.is_empty() || start.is_some_and(|start| starts.begins[start].is_empty()) {
            starts.called(source, start, report);
        }
        starts
    }

    fn webhooks(&mut self, source: &Source, roots: &[Vec<usize>], start: Option<usize>, report: &mut Report) {
        let all = of_kind(source, "WEBHOOK");
        let Some(first) = chosen(&all, roots, start) else { return };
        for number in all {
            let node = &source.nodes[number];
            if roots[number] != roots[first] {
                let what = "it leads nowhere, or is one of too many webhooks that lead elsewhere";
                self.stands_in[number] = Some(what.to_owned());
                continue;
            }
            self.is_trigger[number] = true;
            let next = "Give the sender the new address and its token; it proves itself by a token in a header.";
            let what = match number == first {
                true => "it has an address of its own here",
                false => "it shares the address of the other webhook",
            };
            report.add(&node.named(), Kind::Changed, what, next);
            for (name, what) in [
                ("await_response", "the sender waited for the run's result"),
                ("custom_response_body", "the sender got an answer of its own"),
            ] {
                if !matches!(node.value(name).trim(), "" | "false" | "v1") {
                    let next = "Add `answers: true` to the trigger and a step with `respond`.";
                    report.add(&node.named(), Kind::Changed, what, next);
                }
            }
        }
        self.triggers.push(one("webhook", vec![("secure".to_owned(), Yaml::text("token"))]));
        self.begin(How::Webhook, &roots[first]);
    }

    fn schedules(&mut self, source: &Source, roots: &[Vec<usize>], start: Option<usize>, report: &mut Report) {
        let all = of_kind(source, "SCHEDULE");
        let fits: Vec<usize> = all.iter().copied().filter(|number| period(&source.nodes[*number]).is_some()).collect();
        let first = chosen(&fits, roots, start);
        for number in all {
            let node = &source.nodes[number];
            let Some(period) = period(node) else {
                let cron = short(node.value("cron"));
                self.stands_in[number] = Some(format!("`{cron}` is neither seconds nor a cron line of five fields"));
                continue;
            };
            let leader = first.expect("one fits");
            let same_argument = node.value("execution_argument") == source.nodes[leader].value("execution_argument");
            if roots[number] != roots[leader] || !same_argument {
                let what = "it leads nowhere, or is one of too many schedules that lead elsewhere";
                self.stands_in[number] = Some(what.to_owned());
                continue;
            }
            self.is_trigger[number] = true;
            self.triggers.push(one("schedule", vec![period]));
            report.add(&node.named(), Kind::Kept, "it runs by the clock, in UTC", "");
        }
        if let Some(first) = first {
            let text = source.nodes[first].value("execution_argument");
            self.argument = Some(parsed(text));
            self.begin(How::Schedule, &roots[first]);
        }
    }

    /// By a person, or by another workflow.
    fn called(&mut self, source: &Source, start: Option<usize>, report: &mut Report) {
        let mut input = vec![("type".to_owned(), Yaml::text(self.kind))];
        if self.kind == "any" {
            input.push(("default".to_owned(), Yaml::text("")));
        }
        let inputs = Yaml::Map(vec![("argument".to_owned(), Yaml::Map(input))]);
        for kind in ["manual", "workflow"] {
            self.triggers.push(one(kind, vec![("inputs".to_owned(), inputs.clone())]));
        }
        self.start = start;
        match start {
            Some(start) => self.begin(How::Called, &[start]),
            None => {
                let what = "it names no start node; every node that nothing leads to begins";
                report.add(&source.named(), Kind::Changed, what, "Disable the steps that should not begin.");
                let led: HashSet<&str> = source.branches.iter().map(|branch| branch.to.as_str()).collect();
                let free = |number: &usize| !led.contains(source.nodes[*number].id.as_str());
                let free: Vec<usize> = (0..source.nodes.len()).filter(free).collect();
                self.begin(How::Called, &free);
            }
        }
    }

    fn begin(&mut self, how: How, roots: &[usize]) {
        if !self.hows.contains(&how) {
            self.hows.push(how);
        }
        for root in roots {
            if !self.begins[*root].contains(&how) {
                self.begins[*root].push(how);
            }
        }
    }

    /// Whether starts hand their values over in several ways.
    pub(crate) fn is_mixed(&self) -> bool {
        self.hows.len() > 1
    }

    /// What `$exec` is; with several ways it is gathered first.
    pub(crate) fn exec(&self) -> String {
        let has = |how| self.hows.contains(&how);
        let last = if has(How::Schedule) { "vars.argument" } else { "''" };
        let called = match (has(How::Called), has(How::Schedule)) {
            (true, false) if !has(How::Webhook) => return "inputs.argument".to_owned(),
            (true, _) => format!("inputs.argument | default({last})"),
            (false, _) => last.to_owned(),
        };
        match has(How::Webhook) {
            true if self.hows.len() == 1 => "trigger.body".to_owned(),
            true => format!("trigger.body | default({called})"),
            false => called,
        }
    }

    /// When a run begins at the node: `None` where it never does, an empty text where it always does.
    pub(crate) fn when(&self, node: usize) -> Option<String> {
        let begins = &self.begins[node];
        if begins.is_empty() {
            return None;
        }
        if begins.len() == self.hows.len() {
            return Some(String::new());
        }
        let terms: Vec<String> = begins.iter().map(|how| self.test(*how)).collect();
        any_of(&terms)
    }

    fn test(&self, how: How) -> String {
        match how {
            How::Webhook => "trigger.body is defined".to_owned(),
            How::Schedule => "trigger.at is defined".to_owned(),
            How::Called => {
                let others =
                    [(How::Webhook, "trigger.body is not defined"), (How::Schedule, "trigger.at is not defined")];
                let others: Vec<&str> =
                    others.iter().filter(|(how, _)| self.hows.contains(how)).map(|(_, test)| *test).collect();
                others.join(" and ")
            }
        }
    }
}

fn one(kind: &str, members: Vec<(String, Yaml)>) -> Yaml {
    Yaml::Map(vec![(kind.to_owned(), Yaml::Map(members))])
}

pub(crate) fn of_kind(source: &Source, kind: &str) -> Vec<usize> {
    (0..source.nodes.len()).filter(|number| source.nodes[*number].trigger.as_deref() == Some(kind)).collect()
}

/// The one that leads to the start node, else the first.
pub(crate) fn chosen(all: &[usize], roots: &[Vec<usize>], start: Option<usize>) -> Option<usize> {
    let leads = |number: &&usize| start.is_some_and(|start| roots[**number].contains(&start));
    all.iter().find(leads).or_else(|| all.first()).copied()
}

pub(crate) fn start(source: &Source) -> Option<usize> {
    let is_step = |node: &Node| node.trigger.as_deref().is_none_or(|kind| matches!(kind, "SUBFLOW" | "USERINPUT"));
    let find = |is_it: &dyn Fn(&Node) -> bool| source.nodes.iter().position(|node| is_step(node) && is_it(node));
    find(&|node| !source.start.is_empty() && node.id == source.start).or_else(|| find(&|node| node.is_start))
}

/// By trigger, where its branches lead, or the start node.
pub(crate) fn roots(source: &Source, start: Option<usize>) -> Vec<Vec<usize>> {
    let mut numbers: HashMap<&str, usize> = HashMap::new();
    for (number, node) in source.nodes.iter().enumerate() {
        numbers.entry(node.id.as_str()).or_insert(number);
    }
    let mut roots = vec![Vec::new(); source.nodes.len()];
    for branch in source.branches.iter().filter(|branch| !branch.from.is_empty()) {
        if let (Some(from), Some(to)) = (numbers.get(branch.from.as_str()), numbers.get(branch.to.as_str()))
            && from != to
            && !roots[*from].contains(to)
        {
            roots[*from].push(*to);
        }
    }
    for (number, found) in roots.iter_mut().enumerate() {
        found.sort_unstable();
        match source.nodes[number].trigger.as_deref() {
            Some("WEBHOOK" | "SCHEDULE") if found.is_empty() => found.extend(start),
            Some("WEBHOOK" | "SCHEDULE") => {}
            _ => found.clear(),
        }
    }
    roots
}

/// `every` or `cron`.
pub(crate) fn period(node: &Node) -> Option<(String, Yaml)> {
    let cron = node.value("cron").trim();
    if let Ok(seconds) = cron.parse::<u64>() {
        return span(seconds).map(|span| ("every".to_owned(), Yaml::text(span)));
    }
    let fields: Vec<&str> = cron.split_whitespace().collect();
    let is_field = |field: &&str| {
        field.len() <= 40 && field.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '*' | ',' | '-' | '/'))
    };
    let fits = fields.len() == 5 && fields.iter().all(is_field);
    fits.then(|| ("cron".to_owned(), Yaml::text(fields.join(" "))))
}

/// Seconds as people write them.
pub(crate) fn span(seconds: u64) -> Option<String> {
    if seconds == 0 || seconds > 366 * 86_400 {
        return None;
    }
    let units = [(86_400, 'd'), (3_600, 'h'), (60, 'm'), (1, 's')];
    units
        .iter()
        .find(|(length, _)| seconds.is_multiple_of(*length))
        .map(|(length, unit)| format!("{}{unit}", seconds / length))
}

/// A text that may hold JSON: there it was read as that on the way.
pub(crate) fn parsed(text: &str) -> Yaml {
    let trimmed = text.trim();
    let value =
        Some(trimmed).filter(|text| text.starts_with(['{', '['])).and_then(|text| serde_json::from_str(text).ok());
    match value {
        Some(value) if depth(&value) <= DEPTH_MAX => Yaml::of(&value),
        _ => Yaml::text(text),
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        // A key that is too long for a line of YAML is as good as too deep.
        Value::Object(members) => {
            1 + members
                .iter()
                .map(|(key, member)| if key.len() > 200 { DEPTH_MAX } else { depth(member) })
                .max()
                .unwrap_or(0)
        }
        _ => 0,
    }
}

/// What `$exec` is read as: an object, a list, or as a whole.
fn argument_kind(source: &Source, names: &Names) -> &'static str {
    let parameters = source.nodes.iter().flat_map(|node| &node.parameters).map(|parameter| parameter.value.as_str());
    let conditions = source.branches.iter().flat_map(|branch| &branch.conditions);
    let conditions = conditions.flat_map(|condition| [condition.source.as_str(), condition.destination.as_str()]);
    let mut kind = "any";
    for text in parameters.chain(conditions) {
        for piece in scan(text, names) {
            let reference = match &piece {
                Piece::Reference(reference) => reference,
                Piece::Filtered { of, .. } => match &**of {
                    Piece::Reference(reference) => reference,
                    _ => continue,
                },
                _ => continue,
            };
            let Reference { root: Root::Exec, path } = reference else { continue };
            match path.first() {
                Some(Segment::Key(_)) => return "object",
                Some(_) => kind = "list",
                None => {}
            }
        }
    }
    kind
}

const DEPTH_MAX: usize = 20;
