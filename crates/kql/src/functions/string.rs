//! Text.

use super::{Function, Kind, Returns};
use crate::{
    dynamic::Dynamic,
    eval::Context,
    types::Type,
    value::{Cell, Value},
};

use Kind::{Any, Dyn, Long, Str};

const TEXT: Returns = Returns::Is(Type::String);
const COUNT: Returns = Returns::Is(Type::Long);
const LIST: Returns = Returns::Is(Type::Dynamic);

pub(super) const FUNCTIONS: &[Function] = &[
    Function::cells("strlen", &[Str], COUNT, |_, cells| long(text(cells, 0).chars().count())).named_with_first(),
    Function::cells("string_size", &[Str], COUNT, |_, cells| long(text(cells, 0).len())).named_with_first(),
    Function::cells("tolower", &[Str], TEXT, |_, cells| Value::text(text(cells, 0).to_lowercase())),
    Function::cells("toupper", &[Str], TEXT, |_, cells| Value::text(text(cells, 0).to_uppercase())),
    Function::cells("reverse", &[Str], TEXT, |_, cells| Value::text(text(cells, 0).chars().rev().collect::<String>())),
    Function::cells("substring", &[Str, Long, Long], TEXT, substring).least(2),
    Function::cells("strcat", &[Str], TEXT, |_, cells| {
        Value::text((0..cells.len()).map(|at| text(cells, at)).collect::<String>())
    })
    .many(1),
    Function::cells("strcat_delim", &[Str], TEXT, |_, cells| {
        let parts: Vec<_> = (1..cells.len()).map(|at| text(cells, at)).collect();
        Value::text(parts.join(text(cells, 0)))
    })
    .many(2),
    Function::cells("strcat_array", &[Dyn, Str], TEXT, |_, cells| match cells[0] {
        Cell::Dynamic(Dynamic::Array(items)) => {
            let parts: Vec<_> = items.iter().map(ToString::to_string).collect();
            Value::text(parts.join(text(cells, 1)))
        }
        cell => Value::text(cell.to_string()),
    }),
    Function::cells("strrep", &[Str, Long, Str], TEXT, |context, cells| {
        let count = usize::try_from(number(cells, 1).unwrap_or(0)).unwrap_or(0);
        let len = (text(cells, 0).len() + text(cells, 2).len()).max(1);
        if !fits(context, count.saturating_mul(len)) {
            return Value::Null;
        }
        Value::text(vec![text(cells, 0); count].join(text(cells, 2)))
    })
    .least(2),
    Function::cells("strcmp", &[Str, Str], COUNT, |_, cells| Value::Long(text(cells, 0).cmp(text(cells, 1)) as i64)),
    Function::cells("split", &[Str, Str, Long], LIST, split).least(2).named_by_first(),
    Function::cells("indexof", &[Str, Str, Long, Long, Long], COUNT, indexof).least(2),
    Function::cells("replace_string", &[Str, Str, Str], TEXT, |context, cells| match text(cells, 1) {
        "" => Value::text(text(cells, 0)),
        from if !fits(context, text(cells, 0).matches(from).count().saturating_mul(text(cells, 2).len())) => {
            Value::Null
        }
        from => Value::text(text(cells, 0).replace(from, text(cells, 2))),
    }),
    Function::cells("replace_strings", &[Str, Dyn, Dyn], TEXT, replace_strings),
    Function::cells("translate", &[Str, Str, Str], TEXT, translate),
    Function::cells("has_any_index", &[Str, Dyn], COUNT, |_, cells| {
        let lower = text(cells, 0).to_lowercase();
        let items = items(cells[1]);
        let at = items.iter().position(|item| crate::eval::has_term(&lower, &item.to_string().to_lowercase()));
        at.map_or(Value::Long(-1), long)
    }),
    Function::cells("isascii", &[Str], Returns::Is(Type::Bool), |_, cells| Value::Bool(text(cells, 0).is_ascii())),
    Function::cells("isutf8", &[Str], Returns::Is(Type::Bool), |_, _| Value::Bool(true)),
    Function::cells("unicode_codepoints_from_string", &[Str], LIST, |_, cells| {
        let points = text(cells, 0).chars().map(|c| Dynamic::Long(i64::from(u32::from(c))));
        Value::Dynamic(Dynamic::array(points.collect()))
    }),
    Function::cells("unicode_codepoints_to_string", &[Any], TEXT, |_, cells| from_codepoints(cells)).many(1),
    Function::cells("make_string", &[Any], TEXT, |_, cells| from_codepoints(cells)).many(1),
    Function::cells("to_utf8", &[Str], LIST, |_, cells| {
        let bytes = text(cells, 0).bytes().map(|byte| Dynamic::Long(i64::from(byte)));
        Value::Dynamic(Dynamic::array(bytes.collect()))
    }),
    Function::cells("new_guid", &[], Returns::Is(Type::Guid), |_, _| Value::Null).fresh(|context, _| {
        let bits = (u128::from(context.random()) << 64) | u128::from(context.random());
        // Version 4, variant 1.
        Value::Guid((bits & !(0xf << 76) & !(0x3 << 62)) | (4 << 76) | (2 << 62))
    }),
];

/// Whether a text of that length may be made; the run fails where not.
pub(super) fn fits(context: &Context<'_>, bytes: usize) -> bool {
    let fits = bytes <= crate::eval::VALUE_BYTES_MAX;
    if !fits {
        context.fail("Query stopped due to excessive resource consumption.");
    }
    fits
}

pub(super) fn text<'a>(cells: &[Cell<'a>], at: usize) -> &'a str {
    cells.get(at).and_then(|cell| cell.as_str()).unwrap_or("")
}

pub(super) fn number(cells: &[Cell<'_>], at: usize) -> Option<i64> {
    cells.get(at).and_then(|cell| cell.as_i64())
}

pub(super) fn long(value: usize) -> Value {
    Value::Long(i64::try_from(value).unwrap_or(i64::MAX))
}

/// The elements of a list; a scalar is a list of itself.
pub(super) fn items<'a>(cell: Cell<'a>) -> std::borrow::Cow<'a, [Dynamic]> {
    match cell {
        Cell::Dynamic(Dynamic::Array(items)) => std::borrow::Cow::Borrowed(items.as_slice()),
        cell if cell.is_null() => std::borrow::Cow::Owned(Vec::new()),
        cell => std::borrow::Cow::Owned(vec![Dynamic::from(cell)]),
    }
}

fn substring(_: &Context<'_>, cells: &[Cell<'_>]) -> Value {
    let text = text(cells, 0);
    let Some(start) = number(cells, 1) else { return Value::text("") };
    let len = match cells.get(2) {
        Some(_) => usize::try_from(number(cells, 2).unwrap_or(0)).unwrap_or(0),
        None => usize::MAX,
    };
    let count = if start < 0 { text.chars().count() } else { 0 };
    let start = if start < 0 {
        count.saturating_sub(usize::try_from(start.unsigned_abs()).unwrap_or(usize::MAX))
    } else {
        usize::try_from(start).unwrap_or(usize::MAX)
    };
    Value::text(text.chars().skip(start).take(len).collect::<String>())
}

fn split(_: &Context<'_>, cells: &[Cell<'_>]) -> Value {
    let (source, delimiter) = (text(cells, 0), text(cells, 1));
    let parts: Vec<Dynamic> = if delimiter.is_empty() {
        vec![Dynamic::text(source)]
    } else {
        source.split(delimiter).map(Dynamic::text).collect()
    };
    if cells.len() < 3 {
        return Value::Dynamic(Dynamic::array(parts));
    }
    let wanted = number(cells, 2).and_then(|at| usize::try_from(at).ok());
    let part = wanted.and_then(|at| parts.get(at).cloned());
    Value::Dynamic(Dynamic::array(part.into_iter().collect()))
}

/// `indexof(text, lookup, start, length, occurrence)`; places are counted in characters.
fn indexof(_: &Context<'_>, cells: &[Cell<'_>]) -> Value {
    let (source, lookup) = (text(cells, 0), text(cells, 1));
    let chars: Vec<char> = source.chars().collect();
    let count = i64::try_from(chars.len()).unwrap_or(i64::MAX);
    let start = number(cells, 2).unwrap_or(0);
    let start = if start < 0 { (count + start).max(0) } else { start };
    let length = number(cells, 3).unwrap_or(-1);
    let occurrence = number(cells, 4).unwrap_or(1);
    if length < -1 || occurrence < 1 {
        return Value::Null;
    }
    if start > count {
        return Value::Long(-1);
    }
    let window = usize::try_from(length).unwrap_or(usize::MAX);
    let lookup: Vec<char> = lookup.chars().collect();
    let mut at = usize::try_from(start).unwrap_or(0);
    // The window moves on with each occurrence that is passed.
    for remaining in (0..occurrence).rev() {
        let end = at.saturating_add(window).min(chars.len());
        let places = at..(end + 1).saturating_sub(lookup.len()).max(at);
        let Some(found) = places.into_iter().find(|place| chars[*place..].starts_with(&lookup)) else { break };
        if remaining == 0 {
            return long(found);
        }
        at = found + 1;
    }
    Value::Long(-1)
}

/// An earlier pair wins; what a pair has put in is not looked at again.
fn replace_strings(context: &Context<'_>, cells: &[Cell<'_>]) -> Value {
    let mut pieces = vec![(text(cells, 0).to_owned(), false)];
    let (from, to) = (items(cells[1]), items(cells[2]));
    for (from, to) in from.iter().zip(to.iter()) {
        let (Dynamic::String(from), Dynamic::String(to)) = (from, to) else { continue };
        if from.is_empty() {
            continue;
        }
        let mut next = Vec::with_capacity(pieces.len());
        for (piece, done) in pieces {
            if done {
                next.push((piece, true));
                continue;
            }
            if !fits(context, piece.matches(&**from).count().saturating_mul(to.len() + 32)) {
                return Value::Null;
            }
            for (at, part) in piece.split(&**from).enumerate() {
                if at > 0 {
                    next.push((to.to_string(), true));
                }
                next.push((part.to_owned(), false));
            }
        }
        pieces = next;
    }
    Value::text(pieces.into_iter().map(|(piece, _)| piece).collect::<String>())
}

/// Each character of the search list becomes that of the same place in the other; the last one stands for the rest.
fn translate(_: &Context<'_>, cells: &[Cell<'_>]) -> Value {
    let from: Vec<char> = text(cells, 0).chars().collect();
    let to: Vec<char> = text(cells, 1).chars().collect();
    let change = |c: char| match from.iter().position(|from| *from == c) {
        Some(at) => to.get(at).or(to.last()).copied(),
        None => Some(c),
    };
    Value::text(text(cells, 2).chars().filter_map(change).collect::<String>())
}

fn from_codepoints(cells: &[Cell<'_>]) -> Value {
    let mut made = String::new();
    for cell in cells {
        match cell {
            Cell::Dynamic(Dynamic::Array(items)) => {
                made.extend(items.iter().filter_map(|item| char_of(item.scalar())));
            }
            cell => made.extend(char_of(*cell)),
        }
    }
    Value::text(made)
}

fn char_of(cell: Cell<'_>) -> Option<char> {
    char::from_u32(u32::try_from(cell.as_i64()?).ok()?)
}
