//! Entries and items as they stand in the text, their indicators included.

use crate::text::{Node, Value, gap, lines};

/// An entry of a map or an item of a list.
#[derive(Clone, Copy)]
pub(super) struct Part {
    /// Its dash or its `?`, else its first sign.
    pub(super) begin: usize,
    /// The byte behind its last sign.
    pub(super) end: usize,
}

/// In order. `None` where the text is not what its places say.
pub(super) fn parts(text: &str, around: &Node) -> Option<Vec<Part>> {
    let is_flow = is_flow(text, around);
    let mut behind = around.span.start as usize + usize::from(is_flow);
    let mut part = |start: u32, end: u32, indicator: Option<char>| {
        let found = indicator.and_then(|indicator| gap::find(text, behind, start as usize, &[indicator]));
        behind = end as usize;
        Part { begin: found.unwrap_or(start as usize), end: behind }
    };
    let parts: Vec<Part> = match &around.value {
        Value::Map(entries) => {
            entries.iter().map(|entry| part(entry.key_span.start, entry.node.span.end, Some('?'))).collect()
        }
        Value::List(items) => {
            items.iter().map(|item| part(item.span.start, item.span.end, (!is_flow).then_some('-'))).collect()
        }
        Value::Null | Value::Scalar(_) => return None,
    };
    let is_dashed = |part: &Part| text[part.begin..].starts_with('-');
    (is_flow || !matches!(around.value, Value::List(_)) || parts.iter().all(is_dashed)).then_some(parts)
}

/// Whether it is a list or map in brackets.
pub(super) fn is_flow(text: &str, node: &Node) -> bool {
    matches!(node.value, Value::Map(_) | Value::List(_)) && text[node.span.start as usize..].starts_with(['{', '['])
}

/// Whether nothing is written there.
pub(super) fn is_unwritten(node: &Node) -> bool {
    node.span.start == node.span.end
}

/// How many characters stand before it in its line.
pub(super) fn column(text: &str, at: usize) -> usize {
    text[lines::start(text, at)..at].trim_start_matches(BYTE_ORDER_MARK).chars().count()
}

/// It may stand in front of a text and is no part of its first line.
const BYTE_ORDER_MARK: char = '\u{feff}';
