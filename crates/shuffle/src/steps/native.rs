//! Inputs of built-in operations, made of the parameters of Shuffle's own apps.

use serde_json::Value;
use sortie_openapi::python_functions::{Call, Native, Read};

use super::build::Draft;
use crate::{
    source::{Node, short},
    values::{Piece, Shape, escaped, scan, structured, structured_text},
    yaml::Yaml,
};

/// The operation and its inputs.
///
/// # Errors
/// Why they cannot be made.
pub(super) fn call(
    native: &Native,
    node: &Node,
    items: Option<&Shape>,
    draft: &mut Draft<'_>,
) -> Result<(String, Yaml), String> {
    let call = match native.call {
        Call::To(call) => call,
        Call::By(parameter, calls) => word(node.value(parameter), calls, parameter)?,
    };
    let mut with = Vec::new();
    for (key, from, read) in native.inputs {
        let text = node.value(from);
        if let Read::Fixed(value) = read {
            with.push(((*key).to_owned(), constant(value)));
            continue;
        }
        // What is read as a text may be an empty one.
        if text.trim().is_empty() && !matches!((call, *key), ("data/echo", _) | ("data/iocs", "text")) {
            continue;
        }
        let (key, value) = match read {
            Read::Text => match structured_body(call, key, text, draft) {
                Some(json) => ("json", json),
                None => (*key, Yaml::Text(draft.reader.template(text))),
            },
            Read::Json if *key == "items" => (*key, listed(text, draft, json)),
            Read::Json => (*key, json(text, draft)),
            Read::List => (*key, listed(text, draft, list)),
            Read::Pairs => (*key, pairs(text, draft)),
            Read::Words(words) => (*key, constant(word(text, words, from)?)),
            Read::Fixed(_) => continue,
        };
        let value = match (call, key) {
            ("data/list-filter", "by") => renamed(value, items),
            (_, "text" | "name") => as_text(value),
            _ => value,
        };
        with.push((key.to_owned(), value));
    }
    if call == "data/list-filter" {
        compared(node, &mut with);
    }
    // A loop over what was found needs one list.
    if call == "data/iocs" {
        with.push(("as".to_owned(), Yaml::text("list")));
    }
    unused(native, node, draft)?;
    Ok((call.to_owned(), Yaml::Map(with)))
}

/// As Shuffle compares: some checks without regard to letter case, and one that looks for any of several parts.
fn compared(node: &Node, with: &mut Vec<(String, Yaml)>) {
    let check = node.value("check").trim().to_lowercase().replace('_', " ");
    if check == "contains any of" {
        let parts: Vec<String> = node.value("value").split(',').map(regex::escape).collect();
        for (key, value) in with.iter_mut() {
            match key.as_str() {
                "test" => *value = Yaml::text("matches"),
                "value" => *value = Yaml::Text(escaped(&parts.join("|"))),
                _ => {}
            }
        }
    }
    if matches!(check.as_str(), "equals" | "equal" | "contains" | "contains any of") {
        with.push(("ignore_case".to_owned(), Yaml::Bool(true)));
    }
}

/// What is read there as a text, whatever it is: one expression alone would keep its type.
fn as_text(value: Yaml) -> Yaml {
    match &value {
        Yaml::Text(text) => match text.strip_prefix("{{ ").and_then(|rest| rest.strip_suffix(" }}")) {
            Some(inner) if !inner.contains("{{") && !inner.starts_with('\'') => {
                Yaml::Text(format!("{{{{ {} | string }}}}", weak(inner)))
            }
            _ => value,
        },
        _ => value,
    }
}

/// A choice binds weaker than a filter.
fn weak(expression: &str) -> String {
    if expression.contains(" if ") && !expression.starts_with('(') {
        format!("({expression})")
    } else {
        expression.to_owned()
    }
}

/// What has no place there must not be missing in silence.
fn unused(native: &Native, node: &Node, draft: &mut Draft<'_>) -> Result<(), String> {
    let chooses = |name: &str| matches!(native.call, Call::By(parameter, _) if parameter == name);
    for parameter in node.parameters.iter().filter(|parameter| !parameter.value.trim().is_empty()) {
        let name = parameter.name.as_str();
        if parameter.configuration || chooses(name) || native.inputs.iter().any(|(_, from, _)| *from == name) {
            continue;
        }
        if !native.ignored.contains(&name) {
            return Err(format!("its parameter `{}` has no equal", short(name)));
        }
        if !matches!(parameter.value.trim().to_ascii_lowercase().as_str(), "false" | "all") {
            let what = format!("its parameter `{}` is left out", short(name));
            draft.changed(what, "Set it on the connection if it is needed.");
        }
    }
    Ok(())
}

/// A body that is JSON is sent as that.
fn structured_body(call: &str, key: &str, text: &str, draft: &mut Draft<'_>) -> Option<Yaml> {
    let is_body = call.starts_with("http/") && key == "text";
    is_body.then(|| structured(text, draft.reader.names(), &mut draft.reader)).flatten()
}

/// JSON where it is some, else a text.
pub(super) fn json(text: &str, draft: &mut Draft<'_>) -> Yaml {
    if let Some(value) = structured(text, draft.reader.names(), &mut draft.reader) {
        return value;
    }
    match serde_json::from_str::<Value>(text.trim()) {
        Ok(value @ (Value::Number(_) | Value::Bool(_))) => Yaml::of(&value),
        Ok(Value::String(text)) => Yaml::Text(draft.reader.template(&text)),
        _ => Yaml::Text(draft.reader.template(text)),
    }
}

/// A list; where a node was skipped that gives it, an empty one.
fn listed(text: &str, draft: &mut Draft<'_>, read: fn(&str, &mut Draft<'_>) -> Yaml) -> Yaml {
    draft.reader.otherwise = "[]";
    let value = read(text, draft);
    draft.reader.otherwise = "''";
    value
}

/// A list in JSON, one reference, or parts between commas.
pub(super) fn list(text: &str, draft: &mut Draft<'_>) -> Yaml {
    if let Some(value @ Yaml::List(_)) = structured(text, draft.reader.names(), &mut draft.reader) {
        return value;
    }
    let pieces = scan(text.trim(), draft.reader.names());
    if let [Piece::Reference(_) | Piece::Filtered { .. }] = &pieces[..] {
        return Yaml::Text(draft.reader.template(text.trim()));
    }
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    Yaml::List(parts.map(|part| Yaml::Text(draft.reader.template(part))).collect())
}

/// Headers: `Name: value` or `Name=value`, a line each; or an object.
pub(super) fn pairs(text: &str, draft: &mut Draft<'_>) -> Yaml {
    if let Some(value @ Yaml::Map(_)) = structured(text, draft.reader.names(), &mut draft.reader) {
        return value;
    }
    let mut pairs: Vec<(String, Yaml)> = Vec::new();
    for line in text.lines() {
        let Some(at) = line.find([':', '=']) else { continue };
        let name = line[..at].trim();
        if name.is_empty() || name.len() > 100 || pairs.iter().any(|(known, _)| known == name) {
            continue;
        }
        pairs.push((name.to_owned(), Yaml::Text(draft.reader.template(line[at + 1..].trim()))));
    }
    Yaml::Map(pairs)
}

fn word(text: &str, words: &[(&str, &'static str)], name: &str) -> Result<&'static str, String> {
    let found = text.trim().to_lowercase().replace('_', " ");
    let is_it = |known: &str| known == found || known == text.trim().to_lowercase();
    // Shuffle's editor has both.
    let found = if found == "contains any of" { "equals any of" } else { &found };
    words
        .iter()
        .find(|(known, _)| is_it(known) || *known == found)
        .map(|(_, value)| *value)
        .ok_or_else(|| format!("its parameter `{name}` is `{}`, which has no equal", short(text)))
}

fn constant(text: &str) -> Yaml {
    match text {
        "true" => Yaml::Bool(true),
        "false" => Yaml::Bool(false),
        text => Yaml::Text(escaped(text)),
    }
}

/// The path of a field by which a list is filtered, as its items have it here.
fn renamed(value: Yaml, items: Option<&Shape>) -> Yaml {
    let (Yaml::Text(path), Some(items)) = (&value, items) else { return value };
    let (first, rest) = path.split_once('.').map_or((path.as_str(), ""), |(first, rest)| (first, rest));
    match items.items.iter().find(|(from, _)| *from == first) {
        Some((_, to)) if rest.is_empty() => Yaml::text(*to),
        Some((_, to)) => Yaml::text(format!("{to}.{rest}")),
        None => value,
    }
}

/// Inputs of a connector's operation, by names that differ in signs alone.
///
/// # Errors
/// Why they cannot be made.
pub(super) fn operation(operation: &crate::Operation, node: &Node, draft: &mut Draft<'_>) -> Result<Yaml, String> {
    let empty = serde_json::Map::new();
    let known = operation.inputs["properties"].as_object().unwrap_or(&empty);
    let mut with: Vec<(String, Yaml)> = Vec::new();
    for parameter in node.parameters.iter().filter(|one| !one.configuration && !one.value.trim().is_empty()) {
        let name = parameter.name.strip_prefix("action_").unwrap_or(&parameter.name);
        match (input(known, &parameter.name).or_else(|| input(known, name)), name) {
            (Some(key), _) => {
                let value = typed(&parameter.value, &known[key], draft);
                put(&mut with, key, value);
            }
            (None, "body" | "headers" | "queries") => {
                let value = match name {
                    "body" => structured(&parameter.value, draft.reader.names(), &mut draft.reader),
                    _ => Some(pairs(&parameter.value.replace('&', "\n"), draft)),
                };
                let Some(Yaml::Map(members)) = value else { return Err(format!("its `{name}` cannot be taken apart")) };
                for (member, value) in members {
                    match input(known, &member) {
                        Some(key) => put(&mut with, key, value),
                        None if name == "headers" => {
                            draft.changed(
                                format!("its header `{}` is left out", short(&member)),
                                "Check that it is not needed.",
                            );
                        }
                        None => return Err(format!("its {name} has `{}`, which has no equal", short(&member))),
                    }
                }
            }
            (None, "ssl_verify" | "verify" | "to_file" | "timeout") => {
                draft.changed(format!("its parameter `{name}` is left out"), "");
            }
            (None, "url" | "apikey") => {
                let what = format!("its `{name}` is the connection's here");
                draft.changed(what, "Give it to the connection.");
            }
            (None, _) => return Err(format!("its parameter `{}` has no equal", short(&parameter.name))),
        }
    }
    Ok(Yaml::Map(with))
}

fn put(with: &mut Vec<(String, Yaml)>, key: &str, value: Yaml) {
    with.retain(|(known, _)| known != key);
    with.push((key.to_owned(), value));
}

/// The input of this name, whatever its case and signs.
fn input<'k>(known: &'k serde_json::Map<String, Value>, name: &str) -> Option<&'k str> {
    let plain = |name: &str| -> String {
        name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
    };
    let wanted = plain(name);
    known.keys().find(|key| *key == name).or_else(|| known.keys().find(|key| plain(key) == wanted)).map(String::as_str)
}

/// Texts stand for what the input takes.
fn typed(text: &str, schema: &Value, draft: &mut Draft<'_>) -> Yaml {
    match schema["type"].as_str() {
        Some("array") => list(text, draft),
        Some("string") => match schema["enum"].as_array() {
            // Words are written there in any case.
            Some(words) => {
                let found = words.iter().filter_map(Value::as_str).find(|word| word.eq_ignore_ascii_case(text.trim()));
                found.map_or_else(|| Yaml::Text(draft.reader.template(text)), Yaml::text)
            }
            None => match structured_text(text, draft.reader.names(), &mut draft.reader) {
                Some(text) => Yaml::Text(text),
                None => as_text(Yaml::Text(draft.reader.template(text))),
            },
        },
        Some("boolean") => match text.trim().to_ascii_lowercase().as_str() {
            "true" => Yaml::Bool(true),
            "false" => Yaml::Bool(false),
            _ => Yaml::Text(draft.reader.template(text.trim())),
        },
        _ => json(text, draft),
    }
}
