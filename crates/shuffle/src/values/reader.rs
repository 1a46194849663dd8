//! References of one node, written as expressions that read the same.

use sortie_engine::template::{Expression, Names as Known, Template};

use super::{
    scan::{Filter, Names, Piece, Reference, Root, Segment, scan},
    write::{Part, compose, escaped, quoted},
};
use crate::{import::Plan, source::short};

/// How what a step gives differs from what the node gave.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Shape {
    /// Where the whole result stands.
    pub(crate) whole: Option<&'static str>,
    /// First keys there, and what they are here; an empty one is the result itself.
    pub(crate) keys: &'static [(&'static str, &'static str)],
    /// The same one key deeper: a filtered list has the items of what it was made of.
    pub(crate) items: &'static [(&'static str, &'static str)],
    /// Where a key stands that is none of these.
    pub(crate) inner: Option<(&'static str, &'static [&'static str])>,
    /// `success` is how the step ended.
    pub(crate) has_outcome: bool,
    /// First keys that there are none of here.
    pub(crate) lost: &'static [&'static str],
}

/// Writes what one node reads.
pub(crate) struct Reader<'p> {
    plan: &'p Plan<'p>,
    node: usize,
    /// Lists that the node goes through, item by item.
    pub(crate) lists: Vec<String>,
    /// A condition does not go through lists.
    loops: bool,
    /// What nothing here understands.
    pub(crate) strange: Vec<String>,
    /// What is read in another way, and what to do about it.
    pub(crate) changed: Vec<(String, String)>,
    pub(crate) reads_secret: bool,
    /// What is read of a node that was skipped.
    pub(crate) otherwise: &'static str,
}

/// A value as an expression.
pub(crate) struct Found {
    pub(crate) expression: String,
    /// It is a list, of whose items one is meant.
    pub(crate) is_list: bool,
}

impl<'p> Reader<'p> {
    pub(crate) fn new(plan: &'p Plan<'p>, node: usize, loops: bool) -> Self {
        let (lists, strange, changed) = (Vec::new(), Vec::new(), Vec::new());
        Self { plan, node, lists, loops, strange, changed, reads_secret: false, otherwise: "''" }
    }

    pub(crate) fn names(&self) -> &'p Names {
        &self.plan.names
    }

    /// The lists that the text goes through. All are known before anything is written: with several, items have numbers.
    pub(crate) fn collect(&mut self, text: &str) {
        for piece in scan(text, &self.plan.names) {
            let reference = match &piece {
                Piece::Reference(reference) => reference,
                Piece::Filtered { of, .. } => match &**of {
                    Piece::Reference(reference) => reference,
                    _ => continue,
                },
                Piece::Text(_) | Piece::Strange(_) => continue,
            };
            if let Some((list, _)) = self.list(reference)
                && !self.lists.contains(&list)
                && self.lists.len() < LISTS_MAX
            {
                self.lists.push(list);
            }
        }
    }

    /// The text as a template.
    pub(crate) fn template(&mut self, text: &str) -> String {
        let parts = self.parts(scan(text, &self.plan.names));
        self.written(&parts, text)
    }

    /// The parts as a template, or the text as it was where the language refuses them.
    pub(crate) fn written(&mut self, parts: &[Part], text: &str) -> String {
        let template = compose(parts);
        match Template::compile(&template, &known()) {
            Ok(_) => template,
            Err(error) => {
                self.strange.push(error.what().to_owned());
                escaped(text.get(..TEXT_BYTES_MAX).unwrap_or(text))
            }
        }
    }

    pub(crate) fn parts(&mut self, pieces: Vec<Piece>) -> Vec<Part> {
        pieces.into_iter().map(|piece| self.part(piece)).collect()
    }

    fn part(&mut self, piece: Piece) -> Part {
        match piece {
            Piece::Text(text) => {
                if let Some(name) = unknown(&text) {
                    let what = format!("it names `${name}`, and nothing is called so; it stays a text");
                    self.changed.push((what, "Name what is meant.".to_owned()));
                }
                Part::Text(text)
            }
            Piece::Strange(text) => {
                self.strange.push(format!("`{}` is not understood", short(&text)));
                Part::Text(text)
            }
            other => match self.found(&other) {
                Some(found) => Part::Expression(found.expression),
                None => Part::Text(String::new()),
            },
        }
    }

    /// A reference or a filtered value; `None` where nothing can be read.
    pub(crate) fn found(&mut self, piece: &Piece) -> Option<Found> {
        match piece {
            Piece::Reference(reference) => Some(self.reference(reference)),
            Piece::Filtered { of, filters } => self.filtered(of, filters),
            Piece::Text(text) => Some(Found { expression: quoted(text), is_list: false }),
            Piece::Strange(text) => {
                self.strange.push(format!("`{}` is not understood", short(text)));
                None
            }
        }
    }

    fn filtered(&mut self, of: &Piece, filters: &[Filter]) -> Option<Found> {
        let mut expression = match of {
            Piece::Text(text) if filters.first().is_some_and(|filter| filter.name == "number") => {
                // As a number is written here: `05` is none.
                return text.parse::<f64>().ok().map(|number| Found { expression: number.to_string(), is_list: false });
            }
            of => self.found(of)?.expression,
        };
        for filter in filters {
            match applied(&expression, filter) {
                Some(next) => expression = next,
                None => {
                    self.strange.push(format!("the filter `{}` has no equal", short(&filter.name)));
                    return None;
                }
            }
        }
        Some(Found { expression, is_list: false })
    }

    fn reference(&mut self, reference: &Reference) -> Found {
        if let Some((list, rest)) = self.list(reference) {
            // A list that stands in a part of a field alone is no list of the whole step.
            if self.loops && self.lists.contains(&list) {
                let item = match self.lists.len() {
                    1 => "item".to_owned(),
                    _ => format!("{}[item]", grouped(&list)),
                };
                let expression = self.access(item, &rest);
                return Found { expression, is_list: false };
            }
            let expression = if rest.is_empty() { list } else { self.plucked(&list, &rest) };
            return Found { expression, is_list: true };
        }
        let (expression, rest, node) = self.root(reference);
        let expression = self.access(expression, &rest);
        Found { expression: self.if_there(expression, node, self.otherwise), is_list: false }
    }

    /// The list that the reference goes through, and what is read of each item.
    fn list(&mut self, reference: &Reference) -> Option<(String, Vec<Segment>)> {
        let is_each = |segment: &Segment| matches!(segment, Segment::Each | Segment::Items(..));
        if !reference.path.iter().any(is_each) {
            return None;
        }
        let (expression, path, node) = self.root(reference);
        let at = path.iter().position(is_each)?;
        let upto = at + usize::from(path[at] != Segment::Each);
        let expression = self.access(expression, &path[..upto]);
        Some((self.if_there(expression, node, "[]"), path[at + 1..].to_vec()))
    }

    /// Where the path begins, and what is left of it.
    fn root(&mut self, reference: &Reference) -> (String, Vec<Segment>, Option<usize>) {
        let path = reference.path.clone();
        match reference.root {
            Root::Exec => (self.plan.exec.clone(), path, None),
            Root::Node(node) if self.plan.starts[node] => (self.plan.exec.clone(), path, None),
            Root::Node(node) => self.output(node, path),
            Root::Variable(variable) => {
                let variable = &self.plan.vars[variable];
                self.reads_secret |= variable.is_secret;
                (format!("vars.{}", variable.name), path, None)
            }
            Root::ExecutionVariable(variable) => (self.latest(variable), path, None),
            Root::Kept => {
                self.strange.push("a kept value is read inside of a text".to_owned());
                ("''".to_owned(), Vec::new(), None)
            }
        }
    }

    fn output(&mut self, node: usize, path: Vec<Segment>) -> (String, Vec<Segment>, Option<usize>) {
        let plan = self.plan;
        let label = short(&plan.source.nodes[node].label);
        if node == self.node || !plan.graph.is_before(node, self.node) {
            let what = format!("it reads `{label}`, which never ends before it; an empty text stands there");
            self.changed.push((what, "Let it read another step.".to_owned()));
            return ("''".to_owned(), Vec::new(), None);
        }
        let id = &plan.ids[node];
        let mut path = path;
        if plan.looped[node] && matches!(path.first(), Some(Segment::Key(_))) {
            let what =
                format!("`{label}` gives a list, and it reads the first item: a list of one was the item itself");
            self.changed.push((what, "Check which item is meant.".to_owned()));
            path.insert(0, Segment::Item(0));
        }
        let shape = &plan.shapes[node];
        let first = path.iter().position(|segment| matches!(segment, Segment::Key(_)));
        if let Some(Segment::Key(key)) = first.map(|at| &path[at])
            && key == "success"
            && shape.has_outcome
            && !shape.keys.iter().any(|(from, _)| from == key)
        {
            return (format!("(steps.{id}.outcome == 'succeeded')"), Vec::new(), None);
        }
        if let Some(Segment::Key(key)) = first.map(|at| &path[at])
            && shape.lost.contains(&key.as_str())
        {
            let what =
                format!("it reads `{key}` of `{label}`, which is not kept; a call that is refused fails its step");
            self.strange.push(what);
            return ("''".to_owned(), Vec::new(), None);
        }
        shaped(&mut path, shape, first);
        if path.is_empty()
            && let Some(whole) = shape.whole
        {
            path.push(Segment::Key(whole.to_owned()));
        }
        (format!("steps.{id}.output"), path, Some(node))
    }

    /// What a node gives that may have been skipped: there an empty text was read.
    fn if_there(&self, expression: String, node: Option<usize>, otherwise: &str) -> String {
        match node {
            Some(node) if !self.plan.graph.is_certain(node, self.node) => {
                let id = &self.plan.ids[node];
                format!("({expression} if steps.{id}.outcome == 'succeeded' else {otherwise})")
            }
            _ => expression,
        }
    }

    /// The value of an execution variable: what the last node before gave that sets it.
    fn latest(&mut self, variable: usize) -> String {
        let plan = self.plan;
        let mut expression = quoted(&plan.source.execution_variables[variable].value);
        let setters: Vec<usize> =
            plan.setters[variable].iter().copied().filter(|node| plan.graph.is_before(*node, self.node)).collect();
        for node in setters.iter().skip(setters.len().saturating_sub(SETTERS_MAX)) {
            let (output, rest, _) = self.output(*node, Vec::new());
            let output = self.access(output, &rest);
            expression = match plan.graph.is_certain(*node, self.node) {
                true => output,
                false => format!("({output} if steps.{}.outcome == 'succeeded' else {expression})", plan.ids[*node]),
            };
        }
        expression
    }

    fn access(&mut self, mut expression: String, path: &[Segment]) -> String {
        for (at, segment) in path.iter().enumerate() {
            match segment {
                Segment::Key(key) if is_name(key) => expression.push_str(&format!(".{key}")),
                Segment::Key(key) => expression.push_str(&format!("[{}]", quoted(key))),
                Segment::Item(number) => expression.push_str(&format!("[{number}]")),
                Segment::Items(from, to) => expression.push_str(&format!("[{from}:{}]", to + 1)),
                Segment::Each => {
                    let rest = &path[at + 1..];
                    return if rest.is_empty() { expression } else { self.plucked(&expression, rest) };
                }
            }
        }
        expression
    }

    /// What stands there in each item of a list.
    fn plucked(&mut self, list: &str, rest: &[Segment]) -> String {
        let keys: Option<Vec<&str>> = rest
            .iter()
            .map(|segment| match segment {
                Segment::Key(key) => Some(key.as_str()),
                _ => None,
            })
            .collect();
        match keys {
            Some(keys) => format!("{} | map(attribute={}, default='')", grouped(list), quoted(&keys.join("."))),
            None => {
                self.strange.push("a list inside of a list is read where no loop goes through it".to_owned());
                list.to_owned()
            }
        }
    }

    /// Whether the language takes the expression.
    pub(crate) fn is_taken(&mut self, expression: &str) -> bool {
        match Expression::compile(expression, &known()) {
            Ok(_) => true,
            Err(error) => {
                self.strange.push(error.what().to_owned());
                false
            }
        }
    }

    /// The list to go through: with several, item after item of all of them.
    pub(crate) fn for_each(&mut self) -> Option<String> {
        match &self.lists[..] {
            [] => None,
            [one] => Some(one.clone()),
            [first, ..] => {
                self.changed.push((
                    "it goes through several lists at once, item by item; they must be of one length".to_owned(),
                    "Check that the lists belong together.".to_owned(),
                ));
                Some(format!("range({} | length)", grouped(first)))
            }
        }
    }
}

/// A name behind a `$` that leads to nothing: with a path behind it, a reference was meant.
fn unknown(text: &str) -> Option<String> {
    text.split('$').skip(1).find_map(|rest| {
        let (name, path) = rest.split_once('.')?;
        let is_one =
            is_name(name) && name.len() <= 60 && path.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '#');
        is_one.then(|| name.to_owned())
    })
}

/// Keys as they are here.
fn shaped(path: &mut Vec<Segment>, shape: &Shape, first: Option<usize>) {
    let Some(first) = first else { return };
    let second = path.iter().enumerate().skip(first + 1).find(|(_, segment)| matches!(segment, Segment::Key(_)));
    if let Some((at, Segment::Key(key))) = second.map(|(at, segment)| (at, segment.clone()))
        && let Some((_, to)) = shape.items.iter().find(|(from, _)| *from == key)
    {
        path[at] = Segment::Key((*to).to_owned());
    }
    let Segment::Key(key) = path[first].clone() else { return };
    match shape.keys.iter().find(|(from, _)| *from == key) {
        Some((_, "")) => {
            path.remove(first);
        }
        Some((_, to)) => path[first] = Segment::Key((*to).to_owned()),
        None => {
            if let Some((inner, known)) = shape.inner
                && !known.contains(&key.as_str())
            {
                path.insert(first, Segment::Key(inner.to_owned()));
            }
        }
    }
}

/// The filter of ours that does the same, behind the value.
fn applied(value: &str, filter: &Filter) -> Option<String> {
    let argument = |at: usize| filter.arguments.get(at).map(|text| quoted(text));
    let number = || filter.arguments.first()?.parse::<f64>().ok().filter(|number| number.is_finite());
    let count = filter.arguments.len();
    Some(match (filter.name.as_str(), count) {
        ("len" | "length" | "size", 0) => format!("{value} | length"),
        ("lower" | "downcase", 0) => format!("{value} | string | lower"),
        ("upper" | "upcase", 0) => format!("{value} | string | upper"),
        ("capitalize", 0) => format!("{value} | string | capitalize"),
        ("trim" | "strip", 0) => format!("{value} | string | trim"),
        ("number", 0) => format!("{value} | float(0)"),
        ("first" | "last" | "reverse" | "sort", 0) => format!("{value} | {}", filter.name),
        ("uniq", 0) => format!("{value} | unique"),
        ("join", 0) => format!("{value} | join(' ')"),
        ("join", 1) => format!("{value} | join({})", argument(0)?),
        ("split", 1) => format!("{value} | string | split({})", argument(0)?),
        ("replace", 2) => format!("{value} | string | replace({}, {})", argument(0)?, argument(1)?),
        ("replace_first", 2) => format!("{value} | string | replace({}, {}, 1)", argument(0)?, argument(1)?),
        ("remove", 1) => format!("{value} | string | replace({}, '')", argument(0)?),
        ("append", 1) => format!("({value} ~ {})", argument(0)?),
        ("prepend", 1) => format!("({} ~ {value})", argument(0)?),
        ("default" | "shuffle_default", 1) => format!("{value} | default({})", argument(0)?),
        ("base64_encode", 0) => format!("{value} | string | b64encode"),
        ("base64_decode", 0) => format!("{value} | string | b64decode"),
        ("url_encode" | "md5" | "sha1" | "sha256", 0) => format!("{value} | string | {}", filter.name),
        ("json_parse" | "as_object", 0) => format!("({value} | from_json if {value} is string else {value})"),
        ("json" | "to_json", 0) => format!("{value} | json"),
        ("neat_json", 0) => format!("{value} | json(2)"),
        ("plus", 1) => format!("({value} | float(0) + {})", signed(number()?)),
        ("minus", 1) => format!("({value} | float(0) - {})", signed(number()?)),
        ("times", 1) => format!("({value} | float(0) * {})", signed(number()?)),
        ("divided_by", 1) => format!("({value} | float(0) / {})", signed(number().filter(|number| *number != 0.0)?)),
        _ => return None,
    })
}

fn signed(number: f64) -> String {
    if number < 0.0 { format!("({number})") } else { number.to_string() }
}

/// A value in front of which nothing else can stand.
fn grouped(expression: &str) -> String {
    let is_path = expression.chars().all(|c| c.is_alphanumeric() || "_-.[]'@:".contains(c));
    if is_path || expression.starts_with('(') { expression.to_owned() } else { format!("({expression})") }
}

fn is_name(key: &str) -> bool {
    key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// What a step may read.
fn known() -> Known {
    Known::of_a_step().with("item").with("index")
}

const LISTS_MAX: usize = 8;
const SETTERS_MAX: usize = 5;
const TEXT_BYTES_MAX: usize = 16 << 10;
