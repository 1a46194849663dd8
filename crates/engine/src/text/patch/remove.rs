//! How an entry or item goes from the text.

use super::{
    follow,
    parts::{Part, column, is_flow, parts},
    spliced,
};
use crate::text::{Node, Step, Value, gap, lines};

/// The text without what stands there, in the ways that may be meant: the first that is proven counts.
pub(super) fn remove(text: &str, root: &Node, path: &[Step]) -> Option<Vec<String>> {
    let (last, way) = path.split_last()?;
    let around = follow(root, way)?;
    let number = match (last, &around.value) {
        (Step::Key(key), Value::Map(entries)) => entries.iter().position(|entry| entry.key == *key)?,
        (Step::Item(number), Value::List(_)) => *number,
        _ => return None,
    };
    let parts = parts(text, around)?;
    let part = *parts.get(number)?;
    if is_flow(text, around) {
        let before = number.checked_sub(1).and_then(|before| parts.get(before));
        return Some(vec![from_brackets(text, around, before, part, parts.get(number + 1))]);
    }
    // The last one leaves an empty map or list, which only the bracket form can write. A list may have the indentation of the
    // key above, and brackets need more.
    if parts.len() == 1 {
        let empty = if matches!(around.value, Value::Map(_)) { "{}" } else { "[]" };
        let emptied = |empty: &str| spliced(text, around.span.start as usize, part.end, empty);
        return Some(vec![emptied(empty), emptied(&format!("  {empty}"))]);
    }
    let from = lines::start(text, part.begin);
    if gap::trimmed(&text[from..part.begin]).is_empty() {
        let end = lines::end(text, part.end);
        let own = own_end(text, end, column(text, part.begin));
        return Some(vec![without_lines(text, from, end), without_lines(text, from, own)]);
    }
    // It begins behind the indicator of what is around it: the next one takes its place, and comments keep their lines.
    let next = parts.get(number + 1)?.begin;
    let end = lines::end(text, part.end);
    let has_comments = text.get(end..next)?.contains('#');
    let (from, to) = if has_comments { (gap::trimmed(&text[..part.begin]).len(), end) } else { (part.begin, next) };
    Some(vec![spliced(text, from, to, "")])
}

/// Commas stand between the entries, and one may stand behind the last. Comments stay.
fn from_brackets(text: &str, around: &Node, before: Option<&Part>, part: Part, next: Option<&Part>) -> String {
    let between = match (before, next) {
        (_, Some(next)) => part.end..next.begin,
        (Some(before), None) => before.end..part.begin,
        (None, None) => part.end..around.span.end as usize - 1,
    };
    let is_alone = before.is_none() && next.is_none();
    let (from, to) = match gap::find(text, between.start, between.end, &[',']) {
        Some(comma) if comma >= part.end && (is_alone || text[between.clone()].contains('#')) => {
            let rest = format!("{}{}", &text[part.end..comma], &text[comma + 1..]);
            return format!("{}{rest}", &text[..part.begin]);
        }
        Some(comma) if text[between.clone()].contains('#') => {
            let rest = format!("{}{}", &text[comma + 1..part.begin], &text[part.end..]);
            return format!("{}{rest}", &text[..comma]);
        }
        _ => match (before, next) {
            (_, Some(next)) => (part.begin, next.begin),
            (Some(before), None) => (before.end, part.end),
            (None, None) => (part.begin, part.end),
        },
    };
    spliced(text, from, to, "")
}

/// Without the lines that begin at `from` and end, without the break, at `end`.
fn without_lines(text: &str, from: usize, end: usize) -> String {
    let to = end + lines::break_at(text, end).len();
    // A bare carriage return and a line feed that come together would be one break where there were two.
    let grow_together = text[..from].ends_with('\r') && text[to..].starts_with('\n');
    let (from, to) = if grow_together { (from - 1, end) } else { (from, to) };
    spliced(text, from, to, "")
}

/// The end of the lines behind a line that nothing but it holds apart from a text in front of it: empty ones, and comments
/// with more indentation.
fn own_end(text: &str, line_end: usize, indent: usize) -> usize {
    let mut own = line_end;
    loop {
        let next = own + lines::break_at(text, own).len();
        let end = lines::end(text, next);
        let line = &text[next..end];
        let start = line.trim_start_matches(gap::is_blank);
        let is_own = start.is_empty() || (start.starts_with('#') && line.len() - start.len() > indent);
        if next == own || !is_own {
            return own;
        }
        own = end;
    }
}
