//! Regular expressions.

use super::{
    Function, Kind, Returns,
    string::{fits, items, long, number, text},
};
use crate::{
    dynamic::Dynamic,
    eval::Context,
    plan::Scalar,
    types::Type,
    value::{Cell, Value},
};

use Kind::{Any, Long, Str};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::cells("extract", &[Str, Long, Str, Kind::Type], Returns::By(extract_type), extract).least(3),
    Function::cells("extract_all", &[Str, Any, Str], Returns::Is(Type::Dynamic), extract_all).least(2),
    Function::cells("replace_regex", &[Str, Str, Str], Returns::Is(Type::String), replace),
    Function::cells("trim", &[Str, Str], Returns::Is(Type::String), |context, cells| trim(context, cells, true, true)),
    Function::cells("trim_start", &[Str, Str], Returns::Is(Type::String), |context, cells| {
        trim(context, cells, true, false)
    }),
    Function::cells("trim_end", &[Str, Str], Returns::Is(Type::String), |context, cells| {
        trim(context, cells, false, true)
    }),
    Function::cells("countof", &[Str, Str, Str], Returns::Is(Type::Long), countof).least(2),
    Function::cells("indexof_regex", &[Str, Str, Long, Long, Long], Returns::Is(Type::Long), indexof).least(2),
    Function::cells("regex_quote", &[Str], Returns::Is(Type::String), |_, cells| {
        Value::text(regex::escape(text(cells, 0)))
    }),
];

fn extract_type(arguments: &[Scalar]) -> Option<Type> {
    match arguments.get(3) {
        None => Some(Type::String),
        Some(wanted) => Type::named(&wanted.as_constant()?.to_string()),
    }
}

fn extract(context: &Context<'_>, cells: &[Cell<'_>]) -> Value {
    let ty = cells.get(3).and_then(|ty| Type::named(ty.as_str()?)).unwrap_or(Type::String);
    let group = number(cells, 1).and_then(|group| usize::try_from(group).ok()).unwrap_or(0);
    let regex = context.regex(text(cells, 0));
    let found = regex.as_ref().and_then(|regex| regex.captures(text(cells, 2))?.get(group));
    match found {
        Some(found) => super::convert_cell(Cell::String(found.as_str()), ty),
        None if ty == Type::String => Value::text(""),
        None => Value::Null,
    }
}

/// All matches: a list of the groups' texts, or of lists where there are several groups.
fn extract_all(context: &Context<'_>, cells: &[Cell<'_>]) -> Value {
    let (wanted, source) =
        if cells.len() == 3 { (Some(items(cells[1])), text(cells, 2)) } else { (None, text(cells, 1)) };
    let Some(regex) = context.regex(text(cells, 0)) else { return Value::Null };
    let places: Vec<usize> = match &wanted {
        Some(wanted) => wanted
            .iter()
            .filter_map(|group| match group {
                Dynamic::String(name) => regex.capture_names().position(|known| known == Some(&**name)),
                group => group.scalar().as_i64().and_then(|at| usize::try_from(at).ok()),
            })
            .collect(),
        None => (1..regex.captures_len()).collect(),
    };
    let mut found = Vec::new();
    for captures in regex.captures_iter(source) {
        let mut texts = places.iter().map(|at| Dynamic::text(captures.get(*at).map_or("", |group| group.as_str())));
        found.push(match places.len() {
            0 => Dynamic::text(captures.get(0).map_or("", |group| group.as_str())),
            1 => texts.next().unwrap_or(Dynamic::Null),
            _ => Dynamic::array(texts.collect()),
        });
    }
    if found.is_empty() { Value::Null } else { Value::Dynamic(Dynamic::array(found)) }
}

fn replace(context: &Context<'_>, cells: &[Cell<'_>]) -> Value {
    let Some(regex) = context.regex(text(cells, 1)) else { return Value::Null };
    let by = replacement(text(cells, 2));
    // A group can be the whole text, and the replacement can name it again and again.
    let groups = by.matches("${").count().saturating_mul(text(cells, 0).len());
    let count = regex.find_iter(text(cells, 0)).count();
    if !fits(context, count.saturating_mul(by.len()).saturating_add(groups)) {
        return Value::Null;
    }
    Value::text(regex.replace_all(text(cells, 0), by.as_str()))
}

/// `\1` as `${1}`, and a dollar as itself.
fn replacement(text: &str) -> String {
    let mut made = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '$' => made.push_str("$$"),
            '\\' => match rest.peek().copied() {
                Some(digit) if digit.is_ascii_digit() => {
                    rest.next();
                    made.push_str(&format!("${{{digit}}}"));
                }
                Some('\\') => {
                    rest.next();
                    made.push('\\');
                }
                _ => made.push('\\'),
            },
            c => made.push(c),
        }
    }
    made
}

fn trim(context: &Context<'_>, cells: &[Cell<'_>], start: bool, end: bool) -> Value {
    let source = text(cells, 1);
    let pattern = text(cells, 0);
    let mut rest = source;
    if start
        && let Some(found) =
            context.regex(&format!("^(?:{pattern})")).and_then(|regex| regex.find(rest).map(|found| found.end()))
    {
        rest = &rest[found..];
    }
    if end
        && let Some(found) =
            context.regex(&format!("(?:{pattern})$")).and_then(|regex| regex.find(rest).map(|found| found.start()))
    {
        rest = &rest[..found];
    }
    Value::text(rest)
}

/// `countof(text, search, "normal" | "regex")`; plain matches may overlap, those of a pattern do not.
fn countof(context: &Context<'_>, cells: &[Cell<'_>]) -> Value {
    let (source, search) = (text(cells, 0), text(cells, 1));
    if text(cells, 2) == "regex" {
        return context.regex(search).map_or(Value::Null, |regex| long(regex.find_iter(source).count()));
    }
    if search.is_empty() {
        return Value::Long(0);
    }
    long(source.char_indices().filter(|(at, _)| source[*at..].starts_with(search)).count())
}

fn indexof(context: &Context<'_>, cells: &[Cell<'_>]) -> Value {
    let source = text(cells, 0);
    let (start, length, occurrence) =
        (number(cells, 2).unwrap_or(0), number(cells, 3).unwrap_or(-1), number(cells, 4).unwrap_or(1));
    if start < 0 || length < -1 || occurrence < 1 {
        return Value::Null;
    }
    let start = usize::try_from(start).unwrap_or(usize::MAX);
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    let range: String = source.chars().skip(start).take(length).collect();
    let nth = usize::try_from(occurrence - 1).unwrap_or(usize::MAX);
    let Some(regex) = context.regex(text(cells, 1)) else { return Value::Null };
    match regex.find_iter(&range).nth(nth) {
        Some(found) => long(start + range[..found.start()].chars().count()),
        None => Value::Long(-1),
    }
}
