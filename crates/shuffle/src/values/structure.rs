//! Fields that hold JSON: written as what they mean, so that no quote in the data breaks them.

use serde_json::Value;

use super::{
    reader::Reader,
    scan::{Names, Piece, scan},
    write::{Part, quoted},
};
use crate::yaml::Yaml;

/// The value that the text holds; `None` where it is no JSON.
pub(crate) fn structured(text: &str, names: &Names, reader: &mut Reader<'_>) -> Option<Yaml> {
    let (value, held) = taken_apart(text, names)?;
    Some(written(&value, &held, reader))
}

/// The same where a text is asked for: JSON in which every value that is read stands as JSON. `None` where nothing is read.
pub(crate) fn structured_text(text: &str, names: &Names, reader: &mut Reader<'_>) -> Option<String> {
    let (value, held) = taken_apart(text, names)?;
    if held.is_empty() {
        return None;
    }
    let parts = spelled(&value, &held, reader);
    Some(reader.written(&parts, text))
}

/// The value, with marks where something is read, and what that is.
fn taken_apart(text: &str, names: &Names) -> Option<(Value, Vec<Piece>)> {
    let trimmed = text.trim();
    if !trimmed.starts_with(['{', '[']) || trimmed.contains([OPEN, CLOSE]) {
        return None;
    }
    let mut held: Vec<Piece> = Vec::new();
    let mut json = String::new();
    let mut is_quoted = false;
    for piece in scan(trimmed, names) {
        match piece {
            Piece::Text(text) => {
                let mut is_escaped = false;
                for c in text.chars() {
                    is_quoted ^= c == '"' && !is_escaped;
                    is_escaped = c == '\\' && !is_escaped;
                }
                json.push_str(&text);
            }
            piece => {
                let quote = if is_quoted { "" } else { "\"" };
                json.push_str(&format!("{quote}{OPEN}{}{CLOSE}{quote}", held.len()));
                held.push(piece);
            }
        }
    }
    let value: Value = serde_json::from_str(&json).ok()?;
    if !fits(&value, 0) {
        return None;
    }
    Some((value, held))
}

/// JSON as parts of a template.
fn spelled(value: &Value, held: &[Piece], reader: &mut Reader<'_>) -> Vec<Part> {
    let text = |text: &str| Part::Text(text.to_owned());
    match value {
        Value::String(string) if string.contains(OPEN) => {
            let parts = reader.parts(pieces(string, held)).into_iter().map(|part| match part {
                Part::Text(text) => quoted(&text),
                Part::Expression(expression) => format!("({expression})"),
            });
            let parts: Vec<String> = parts.collect();
            vec![Part::Expression(format!("({}) | json", parts.join(" ~ ")))]
        }
        Value::Array(items) => {
            let inner = items.iter().enumerate().flat_map(|(at, item)| {
                let mut parts = vec![text(if at == 0 { "[" } else { "," })];
                parts.extend(spelled(item, held, reader));
                parts
            });
            let mut parts: Vec<Part> = inner.collect();
            parts.push(text(if items.is_empty() { "[]" } else { "]" }));
            parts
        }
        Value::Object(members) => {
            let inner = members.iter().enumerate().flat_map(|(at, (key, member))| {
                let mut parts =
                    vec![text(if at == 0 { "{" } else { "," }), text(&format!("{}:", Value::from(key.as_str())))];
                parts.extend(spelled(member, held, reader));
                parts
            });
            let mut parts: Vec<Part> = inner.collect();
            parts.push(text(if members.is_empty() { "{}" } else { "}" }));
            parts
        }
        other => vec![text(&other.to_string())],
    }
}

/// Whether it can stand in a document: keys are short and hold nothing, and there is an end to the depth.
fn fits(value: &Value, depth: usize) -> bool {
    match value {
        Value::Array(items) => depth < DEPTH_MAX && items.iter().all(|item| fits(item, depth + 1)),
        Value::Object(members) => {
            let is_key = |key: &String| key.len() <= KEY_BYTES_MAX && !key.contains([OPEN, CLOSE]);
            depth < DEPTH_MAX && members.iter().all(|(key, member)| is_key(key) && fits(member, depth + 1))
        }
        _ => true,
    }
}

fn written(value: &Value, held: &[Piece], reader: &mut Reader<'_>) -> Yaml {
    match value {
        Value::String(text) => {
            let parts = reader.parts(pieces(text, held));
            Yaml::Text(reader.written(&parts, text))
        }
        Value::Array(items) => Yaml::List(items.iter().map(|item| written(item, held, reader)).collect()),
        Value::Object(members) => {
            Yaml::Map(members.iter().map(|(key, member)| (key.clone(), written(member, held, reader))).collect())
        }
        other => Yaml::of(other),
    }
}

fn pieces(text: &str, held: &[Piece]) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for part in text.split_inclusive(CLOSE) {
        let (literal, number) = match part.strip_suffix(CLOSE).and_then(|part| part.split_once(OPEN)) {
            Some((literal, number)) => (literal, number.parse::<usize>().ok()),
            None => (part, None),
        };
        if !literal.is_empty() {
            pieces.push(Piece::Text(literal.to_owned()));
        }
        pieces.extend(number.and_then(|number| held.get(number)).cloned());
    }
    pieces
}

/// Of the private use area: no text of a workflow has them, and one that has is not read as JSON.
const OPEN: char = '\u{e000}';
const CLOSE: char = '\u{e001}';
const DEPTH_MAX: usize = 20;
const KEY_BYTES_MAX: usize = 200;
