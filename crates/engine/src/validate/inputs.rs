//! Whether what a step gives can fit what an operation takes. Only what is written in the document is judged: what a template
//! gives is known when it is evaluated.

use serde_json::{Map, Value};

use crate::text::{Code, Entry, Node, Problems, Scalar, Span, Value as Written, did_you_mean};

/// Holds the inputs against a schema of type object. `of` is whose they are, and `span` where that is named.
pub(super) fn check(with: Option<&Node>, schema: &Value, of: &str, span: Span, problems: &mut Problems) {
    let entries: &[Entry] = match with.map(|with| &with.value) {
        None => &[],
        Some(Written::Map(entries)) => entries,
        Some(Written::Scalar(Scalar::Text(text))) if is_template(text) => return,
        Some(_) => {
            let span = with.map_or(span, |with| with.span);
            problems.add(span, Code::WrongKind, "`with` is a map of inputs", "");
            return;
        }
    };
    let empty = Map::new();
    let known = schema["properties"].as_object().unwrap_or(&empty);
    let is_open = schema.get("additionalProperties").is_some_and(|more| *more != Value::Bool(false));
    for Entry { key, key_span, node } in entries {
        match known.get(key) {
            Some(wanted) => {
                if let Some(what) = misfit(&node.to_json(), wanted, schema, 0) {
                    problems.add(node.span, Code::Input, format!("the input `{key}` of {of} {what}"), "");
                }
            }
            None if is_open => {}
            None => {
                let next = did_you_mean(key, known.keys().map(String::as_str));
                problems.add(*key_span, Code::Input, format!("{of} has no input `{key}`"), next);
            }
        }
    }
    let needed = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    for name in needed.filter(|name| entries.iter().all(|entry| entry.key != *name)) {
        let span = with.map_or(span, |with| with.span);
        problems.add(span, Code::Input, format!("{of} needs the input `{name}`"), "");
    }
}

/// Why a value that is written there cannot be what is wanted.
fn misfit(value: &Value, wanted: &Value, root: &Value, depth: usize) -> Option<String> {
    if depth > DEPTH_MAX {
        return None;
    }
    if let Some(reference) = wanted["$ref"].as_str() {
        let target = reference.strip_prefix('#').and_then(|pointer| root.pointer(pointer))?;
        return misfit(value, target, root, depth + 1);
    }
    // Alone it may give anything; with text around it, it gives a text.
    let text = value.as_str().filter(|text| is_template(text));
    if text.is_some_and(is_alone) {
        return None;
    }
    let types: Vec<&str> = match &wanted["type"] {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if !types.is_empty() && !types.iter().any(|one| is_of(value, one)) {
        return Some(format!("is {}, and this is {}", types.join(" or "), kind(value)));
    }
    if text.is_some() {
        return None;
    }
    if let Some(words) = wanted["enum"].as_array().filter(|words| !words.contains(value)) {
        let next = match value.as_str() {
            Some(word) => did_you_mean(word, words.iter().filter_map(Value::as_str)),
            None => String::new(),
        };
        let dot = if next.is_empty() { "" } else { ". " };
        return Some(format!("cannot be {value}{dot}{}", next.trim_end_matches(['.'])));
    }
    if let (Some(number), Some(least)) = (value.as_f64(), wanted["minimum"].as_f64())
        && number < least
    {
        return Some(format!("is at least {least}"));
    }
    if let (Some(number), Some(most)) = (value.as_f64(), wanted["maximum"].as_f64())
        && number > most
    {
        return Some(format!("is at most {most}"));
    }
    match value {
        Value::Array(items) => items.iter().enumerate().find_map(|(at, item)| {
            misfit(item, &wanted["items"], root, depth + 1).map(|what| format!("has an item {at} that {what}"))
        }),
        Value::Object(members) => members.iter().find_map(|(name, member)| {
            let what = misfit(member, &wanted["properties"][name], root, depth + 1)?;
            Some(format!("has a member `{name}` that {what}"))
        }),
        _ => None,
    }
}

fn is_of(value: &Value, wanted: &str) -> bool {
    match wanted {
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|number| number.fract() == 0.0),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        _ => true,
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

fn is_template(text: &str) -> bool {
    text.contains("{{") || text.contains("{%")
}

/// One `{{ }}` and nothing around it.
fn is_alone(text: &str) -> bool {
    let text = text.trim();
    text.starts_with("{{") && text.ends_with("}}") && text.matches("{{").count() == 1 && !text.contains("{%")
}

const DEPTH_MAX: usize = 32;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::text::read;

    #[test]
    fn what_is_written_there_must_fit() {
        #[track_caller]
        fn check_one(with: Value, expected: &[&str]) {
            let schema = json!({
                "type": "object", "required": ["id"], "additionalProperties": false,
                "properties": {
                    "id": { "type": "string" },
                    "IsolationType": { "type": "string", "enum": ["Full", "Selective"] },
                    "count": { "type": "integer", "minimum": 1, "maximum": 5 },
                    "tags": { "type": "array", "items": { "$ref": "#/$defs/tag" } },
                    "flags": { "type": ["object", "null"], "properties": { "deep": { "type": "boolean" } } }
                },
                "$defs": { "tag": { "type": "string" } }
            });
            let mut problems = Problems::default();
            let node = read(&with.to_string(), &mut problems).unwrap();
            check(Some(&node), &schema, "x/y", Span::default(), &mut problems);
            let told: Vec<String> = problems
                .into_sorted()
                .into_iter()
                .map(|problem| format!("{} {}", problem.what, problem.next))
                .collect();
            assert_eq!(told.len(), expected.len(), "{with}: {told:?}");
            expected.iter().for_each(|part| assert!(told.iter().any(|told| told.contains(part)), "{with}: {told:?}"));
        }
        check_one(json!({ "id": "a", "IsolationType": "Full", "count": 2, "tags": ["a"], "flags": null }), &[]);
        check_one(json!({}), &["x/y needs the input `id`"]);
        check_one(json!({ "id": 5 }), &["the input `id` of x/y is string, and this is a number"]);
        check_one(json!({ "id": "a", "isolationtype": "Full" }), &["has no input `isolationtype` "]);
        check_one(json!({ "id": "a", "IsolationType": "Fulll" }), &["cannot be \"Fulll\". Did you mean `Full`?"]);
        check_one(json!({ "id": "a", "count": 6, "tags": [1] }), &["is at most 5", "has an item 0 that is string"]);
        check_one(json!({ "id": "a", "flags": { "deep": "yes" } }), &["has a member `deep` that is boolean"]);
        // A template alone may give anything; among text it gives a text.
        check_one(json!({ "id": "{{ x }}", "count": "{{ x }}", "tags": "{{ x }}" }), &[]);
        check_one(
            json!({ "id": "no {{ x }}", "count": "{{ a }}{{ b }}" }),
            &["the input `count` of x/y is integer, and this is a text"],
        );
    }
}
