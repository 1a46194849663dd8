//! A text of Shuffle's, taken apart.

use std::collections::HashMap;

use super::liquid;
use crate::names::folded;

/// A part of a text.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Piece {
    /// As it is.
    Text(String),
    /// What `$name.path` stands for.
    Reference(Reference),
    /// A value with functions or filters of Shuffle's applied, one after the other.
    Filtered { of: Box<Piece>, filters: Vec<Filter> },
    /// Something that would be evaluated there, and that nothing here understands.
    Strange(String),
}

/// A filter or a function by its name there, with what stands behind it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Filter {
    pub(crate) name: String,
    pub(crate) arguments: Vec<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Reference {
    pub(crate) root: Root,
    pub(crate) path: Vec<Segment>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Root {
    /// What the run was started with.
    Exec,
    Node(usize),
    Variable(usize),
    ExecutionVariable(usize),
    /// A kept value, whose key is the path.
    Kept,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Segment {
    Key(String),
    /// `#`: each item.
    Each,
    /// `#2`, `#max`; below zero from the end.
    Item(i64),
    /// `#0-1`: these items, the last one included.
    Items(i64, i64),
}

/// What a `$` can stand before.
#[derive(Debug, Default)]
pub(crate) struct Names(HashMap<String, Root>);

impl Names {
    pub(crate) fn new() -> Self {
        let mut names = Self::default();
        for name in ["exec", "trigger", "webhook", "schedule", "userinput", "email_trigger"] {
            names.add(name, Root::Exec);
        }
        for name in ["shuffle_cache", "shuffle_db", "shuffle_datastore"] {
            names.add(name, Root::Kept);
        }
        names
    }

    /// The first of a name counts, as there.
    pub(crate) fn add(&mut self, name: &str, root: Root) {
        let name = folded(name);
        if !name.is_empty() {
            self.0.entry(name).or_insert(root);
        }
    }

    /// The longest name that begins here, with its length. Old exports have names with blanks in them.
    fn longest(&self, text: &str) -> Option<(usize, Root)> {
        let run = text.find(|c: char| !(is_name(c) || c == ' ')).unwrap_or(text.len()).min(NAME_BYTES_MAX);
        let run = &text[..run];
        let ends = run.match_indices(' ').map(|(at, _)| at).chain([run.len()]);
        let ends: Vec<usize> = ends.filter(|end| *end > 0 && !run[..*end].ends_with(' ')).collect();
        ends.into_iter().rev().find_map(|end| self.0.get(&folded(&run[..end])).map(|root| (end, *root)))
    }
}

/// Takes the text apart. What is no reference stays text: `$5` is five dollars.
pub(crate) fn scan(text: &str, names: &Names) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut at = 0;
    // Where no block can end any more, none is looked for.
    let last = text.rfind("}}").max(text.rfind("%}")).unwrap_or(0);
    while let Some(offset) = text[at..].find(['$', '\\', '{', '(']) {
        let here = at + offset;
        literal.push_str(&text[at..here]);
        let rest = &text[here..];
        let found = match rest.as_bytes()[0] {
            b'\\' if rest.starts_with("\\$") => {
                literal.push('$');
                at = here + 2;
                continue;
            }
            b'$' => reference(rest, names).map(|(len, reference)| (len, Piece::Reference(reference))),
            b'{' if here < last => liquid::block(rest, names),
            b'(' => function(&mut literal, rest, names),
            _ => None,
        };
        match found {
            Some((len, piece)) => {
                if !literal.is_empty() {
                    pieces.push(Piece::Text(std::mem::take(&mut literal)));
                }
                pieces.push(piece);
                at = here + len;
            }
            None => {
                literal.push_str(&rest[..1]);
                at = here + 1;
            }
        }
    }
    literal.push_str(&text[at..]);
    if !literal.is_empty() {
        pieces.push(Piece::Text(literal));
    }
    pieces
}

/// `$name.path`, with its length.
pub(super) fn reference(text: &str, names: &Names) -> Option<(usize, Reference)> {
    let (len, root) = names.longest(text.strip_prefix('$')?)?;
    let mut len = 1 + len;
    let mut path = Vec::new();
    while path.len() < PATH_MAX
        && let Some(rest) = text[len..].strip_prefix('.')
    {
        let mut end = rest.find(|c: char| !(is_name(c) || c == '#')).unwrap_or(rest.len());
        // `#0:1` is written so, too.
        if rest.starts_with('#')
            && rest[end..].starts_with(':')
            && rest[end + 1..].starts_with(|c: char| c.is_ascii_digit())
        {
            let tail = &rest[end + 1..];
            end += 1 + tail.find(|c: char| !c.is_ascii_digit()).unwrap_or(tail.len());
        }
        if end == 0 {
            break;
        }
        path.push(segment(&rest[..end]));
        len += 1 + end;
    }
    if text[len..].starts_with("^_^") {
        len += 3;
    }
    Some((len, Reference { root, path }))
}

fn segment(text: &str) -> Segment {
    let Some(which) = text.strip_prefix('#') else { return Segment::Key(text.to_owned()) };
    match which {
        "" => return Segment::Each,
        "max" | "last" | "end" => return Segment::Item(-1),
        "min" | "first" => return Segment::Item(0),
        _ => {}
    }
    if let Ok(number) = which.parse::<u32>() {
        return Segment::Item(number.into());
    }
    let bounds = which.split_once(['-', ':']);
    match bounds.and_then(|(from, to)| Some((from.parse::<u32>().ok()?, to.parse::<u32>().ok()?))) {
        Some((from, to)) => Segment::Items(from.into(), to.into()),
        None => Segment::Key(text.to_owned()),
    }
}

/// `len($name)`: the name stands at the end of what was read already.
fn function(before: &mut String, rest: &str, names: &Names) -> Option<(usize, Piece)> {
    let start = before.len() - before.bytes().rev().take_while(u8::is_ascii_alphabetic).count();
    let name = before[start..].to_ascii_lowercase();
    if !FUNCTIONS.contains(&name.as_str()) {
        return None;
    }
    let end = rest.bytes().take(ARGUMENT_BYTES_MAX).position(|byte| byte == b')')?;
    let inner = &rest[1..end];
    let (first, more) = match inner.split_once(',') {
        Some((first, more)) => (first.trim(), vec![more.trim().to_owned()]),
        None => (inner.trim(), Vec::new()),
    };
    let of = match reference(first, names) {
        Some((len, mut reference)) if len == first.len() => {
            // Of a whole list, however it is written.
            if reference.path.last() == Some(&Segment::Each) {
                reference.path.pop();
            }
            Piece::Reference(reference)
        }
        _ if name == "number" && first.parse::<f64>().is_ok_and(f64::is_finite) => Piece::Text(first.to_owned()),
        _ => return None,
    };
    before.truncate(start);
    Some((inner.len() + 2, Piece::Filtered { of: Box::new(of), filters: vec![Filter { name, arguments: more }] }))
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '@' | '-')
}

/// Functions of texts, which older exports have.
const FUNCTIONS: &[&str] = &["len", "length", "number", "lower", "upper", "trim", "strip", "split", "join"];
const NAME_BYTES_MAX: usize = 120;
const ARGUMENT_BYTES_MAX: usize = 500;
const PATH_MAX: usize = 30;

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        let mut names = Names::new();
        names.add("Get URL", Root::Node(0));
        names.add("Shuffle Tools_1", Root::Node(1));
        names.add("Get URL list", Root::Node(2));
        names
    }

    fn told(text: &str) -> String {
        let told = |piece: &Piece| match piece {
            Piece::Text(text) => format!("{text:?}"),
            Piece::Reference(reference) => format!("{:?}{:?}", reference.root, reference.path),
            other => format!("{other:?}"),
        };
        scan(text, &names()).iter().map(told).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn references_are_found_as_shuffle_finds_them() {
        #[track_caller]
        fn check(text: &str, expected: &str) {
            assert_eq!(told(text), expected, "{text}");
        }
        check("a $exec.b.c. d", "\"a \" Exec[Key(\"b\"), Key(\"c\")] \". d\"");
        check("$5 and $unknown", "\"$5 and $unknown\"");
        check("\\$exec", "\"$exec\"");
        check("$Get URL.ip!", "Node(0)[Key(\"ip\")] \"!\"");
        check("$get_url_list.#", "Node(2)[Each]");
        check("$shuffle tools_1.#0.data", "Node(1)[Item(0), Key(\"data\")]");
        check("$exec.#0-1 $exec.#2:3", "Exec[Items(0, 1)] \" \" Exec[Items(2, 3)]");
        check("$exec.#max", "Exec[Item(-1)]");
        check("$exec.a^_^b", "Exec[Key(\"a\")] \"b\"");
        check("$webhook", "Exec[]");
    }

    #[test]
    fn functions_take_a_reference() {
        assert_eq!(
            told("n: len($get_url.#)"),
            "\"n: \" Filtered { of: Reference(Reference { root: Node(0), path: [] }), filters: [Filter { name: \"len\", arguments: [] }] }"
        );
        assert_eq!(told("len(nothing)"), "\"len(nothing)\"");
        assert_eq!(told("call(x)"), "\"call(x)\"");
    }
}
