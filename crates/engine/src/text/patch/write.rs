//! Values as YAML that people like to read: blocks where there is room, brackets where a bracket is open.

use serde_json::Value;

use crate::text::{Problems, Scalar, Value as Written, read};

/// Whether it is worth lines of its own.
pub(super) fn is_large(value: &Value) -> bool {
    match value {
        Value::Object(map) => !map.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::String(text) => text.contains('\n'),
        _ => false,
    }
}

/// Within brackets, on one line.
pub(super) fn flow(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let entries: Vec<String> =
                map.iter().map(|(key, value)| format!("{}: {}", key_text(key), flow(value))).collect();
            if entries.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", entries.join(", ")) }
        }
        Value::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::String(text) => scalar(text, true),
        other => other.to_string(),
    }
}

/// As a block whose first line stands where it is put, and whose further ones have this indentation.
pub(super) fn block(value: &Value, indent: usize) -> String {
    let pad = " ".repeat(indent);
    match value {
        Value::Object(map) if !map.is_empty() => {
            let entries: Vec<String> =
                map.iter().map(|(key, value)| format!("{}:{}", key_text(key), after_colon(value, indent))).collect();
            entries.join(&format!("\n{pad}"))
        }
        Value::Array(items) if !items.is_empty() => {
            let items: Vec<String> = items.iter().map(|item| format!("- {}", block(item, indent + 2))).collect();
            items.join(&format!("\n{pad}"))
        }
        Value::String(text) => scalar(text, false),
        other => flow(other),
    }
}

/// What stands behind the colon of a key with this indentation, the blank or line break included.
pub(super) fn after_colon(value: &Value, indent: usize) -> String {
    match value {
        Value::Object(map) if !map.is_empty() => {
            format!("\n{}{}", " ".repeat(indent + 2), block(value, indent + 2))
        }
        Value::Array(items) if !items.is_empty() => {
            format!("\n{}{}", " ".repeat(indent + 2), block(value, indent + 2))
        }
        other => format!(" {}", block(other, indent)),
    }
}

pub(super) fn key_text(key: &str) -> String {
    scalar(key, true)
}

/// Plain where that reads back as the same text, else in quotes.
fn scalar(text: &str, in_brackets: bool) -> String {
    let is_simple = !text.is_empty()
        && text.trim() == text
        && text.chars().all(|c| !c.is_control() && !matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}'))
        && !text.contains(": ")
        && !text.contains(" #")
        && !text.ends_with(':')
        && !(in_brackets && text.contains([',', '[', ']', '{', '}', ':', '?']));
    if is_simple && reads_back(text) {
        return text.to_owned();
    }
    // JSON's quoting is YAML's double quoting, but for what YAML takes as a line break.
    let quoted = Value::from(text).to_string();
    quoted
        .replace('\u{7f}', "\\x7f")
        .replace('\u{85}', "\\N")
        .replace('\u{2028}', "\\L")
        .replace('\u{2029}', "\\P")
        .replace('\u{feff}', "\\uFEFF")
}

fn reads_back(text: &str) -> bool {
    let mut problems = Problems::default();
    let node = read(&format!("k: {text}\n"), &mut problems);
    let found = node.as_ref().and_then(|node| node.get("k"));
    problems.is_empty()
        && found.is_some_and(|found| matches!(&found.value, Written::Scalar(Scalar::Text(read)) if read == text))
}
