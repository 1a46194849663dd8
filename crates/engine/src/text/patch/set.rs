//! How a value gets into the text.

use serde_json::Value as Json;

use super::{
    follow,
    parts::{column, is_flow, is_unwritten, parts},
    spliced,
    write::{self, key_text},
};
use crate::text::{Entry, Node, Step, Value, gap, lines};

/// The text with the value there.
pub(super) fn set(text: &str, root: &Node, path: &[Step], value: &Json) -> Option<String> {
    let (last, way) = path.split_last()?;
    let around = follow(root, way)?;
    // A map of one entry may stand in the brackets of a list without any of its own.
    let in_brackets = (0..=way.len()).any(|length| follow(root, &way[..length]).is_some_and(|at| is_flow(text, at)));
    match (&around.value, last) {
        (Value::Map(entries), Step::Key(key)) => match entries.iter().position(|entry| entry.key == *key) {
            Some(number) if in_brackets => Some(replace_in_brackets(text, &entries[number], value)),
            Some(number) => replace_entry(text, around, number, &entries[number], value),
            None if in_brackets => Some(add_in_brackets(text, around, &format!("{}: ", key_text(key)), value)),
            None => add_line(text, around, Some(key), value),
        },
        (Value::List(items), Step::Item(number)) => match items.get(*number) {
            Some(item) => replace_item(text, around, *number, item, value),
            None if in_brackets => Some(add_in_brackets(text, around, "", value)),
            None => add_line(text, around, None, value),
        },
        _ => None,
    }
}

/// The value of an entry in the place of the one that it has.
fn replace_entry(text: &str, around: &Node, number: usize, entry: &Entry, value: &Json) -> Option<String> {
    let (start, end) = (entry.node.span.start as usize, entry.node.span.end as usize);
    let indent = column(text, parts(text, around)?.get(number)?.begin);
    let Some(colon) = colon(text, entry) else {
        // A key behind `?` that has no value yet.
        let at = lines::end(text, entry.key_span.end as usize);
        let new = format!("\n{}:{}", " ".repeat(indent), write::after_colon(value, indent));
        return Some(spliced(text, at, at, &new));
    };
    let line = lines::end(text, colon);
    let (is_below, is_large) = (start > line, write::is_large(value));
    if !is_unwritten(&entry.node) && !is_below && !is_large {
        return Some(spliced(text, start, end, &write::block(value, indent)));
    }
    let own_indent = column(text, start);
    if is_below && is_large && own_indent > indent {
        return Some(spliced(text, start, end, &write::block(value, own_indent)));
    }
    // From behind the colon, so that a list or map can begin on a line of its own. A comment behind the colon stays there.
    let comment = Some(&text[colon..line]).filter(|head| is_below && head.contains('#')).unwrap_or_default();
    let new = write::after_colon(value, indent);
    Some(spliced(text, colon, end, &if is_large { format!("{comment}{new}") } else { format!("{new}{comment}") }))
}

fn replace_in_brackets(text: &str, entry: &Entry, value: &Json) -> String {
    let lead = match (colon(text, entry), is_unwritten(&entry.node)) {
        (None, _) => ": ",
        (Some(_), true) => " ",
        (Some(_), false) => "",
    };
    let new = format!("{lead}{}", write::flow(value));
    spliced(text, entry.node.span.start as usize, entry.node.span.end as usize, &new)
}

/// Behind the colon of an entry, where it has one.
fn colon(text: &str, entry: &Entry) -> Option<usize> {
    let found = gap::find(text, entry.key_span.end as usize, entry.node.span.start as usize, &[':']);
    found.map(|colon| colon + 1)
}

fn replace_item(text: &str, around: &Node, number: usize, present: &Node, value: &Json) -> Option<String> {
    let (start, end) = (present.span.start as usize, present.span.end as usize);
    let new = if is_flow(text, around) {
        write::flow(value)
    } else if is_unwritten(present) {
        format!(" {}", write::block(value, column(text, parts(text, around)?.get(number)?.begin) + 2))
    } else {
        write::block(value, column(text, start))
    };
    Some(spliced(text, start, end, &new))
}

/// Behind the last entry or item; what stands between that and the bracket stays behind the new one.
fn add_in_brackets(text: &str, around: &Node, key: &str, value: &Json) -> String {
    let new = format!("{key}{}", write::flow(value));
    let last = match &around.value {
        Value::Map(entries) => entries.last().map(|entry| &entry.node),
        Value::List(items) => items.last(),
        Value::Null | Value::Scalar(_) => None,
    };
    let (start, Some(last)) = (around.span.start as usize, last) else {
        let behind_bracket = around.span.start as usize + 1;
        return spliced(text, behind_bracket, behind_bracket, &new);
    };
    let at = last.span.end as usize;
    if is_flow(text, around) {
        return spliced(text, at, at, &format!(", {new}"));
    }
    let closed = spliced(text, at, at, &format!(", {new} }}"));
    spliced(&closed, start, start, "{ ")
}

/// On a line of its own below the last entry or item.
fn add_line(text: &str, around: &Node, key: Option<&str>, value: &Json) -> Option<String> {
    let parts = parts(text, around)?;
    let indent = column(text, parts.first()?.begin);
    let at = lines::end(text, parts.last()?.end);
    let new = match key {
        Some(key) => format!("{}:{}", key_text(key), write::after_colon(value, indent)),
        None => format!("- {}", write::block(value, indent + 2)),
    };
    Some(spliced(text, at, at, &format!("\n{}{new}", " ".repeat(indent))))
}
