//! A body that Shuffle's apps give as an example with `${name}` places: what it tells about the body.

use serde_json::{Map, Value, json};

/// What a template turned out to be.
pub(super) struct Template {
    pub(super) media_type: &'static str,
    pub(super) schema: Value,
    pub(super) example: Value,
}

/// Reads a template; `None` when it says nothing.
pub(super) fn read(text: &str) -> Option<Template> {
    let text = text.trim();
    if text.is_empty() {
        return None;
    }
    if text.starts_with(['{', '[']) && !text.starts_with("${") {
        let value = serde_json::from_str(text).or_else(|_| serde_json::from_str(&without_places(text)));
        return Some(match value {
            Ok(value) if super::schema::is_shallow(&value, super::schema::PAYLOAD_DEPTH_MAX) => {
                Template { media_type: "application/json", schema: shape(&value, SHAPE_DEPTH_MAX), example: value }
            }
            _ => Template { media_type: "application/json", schema: json!({}), example: json!(text) },
        });
    }
    let example = json!(text);
    if text.starts_with('<') {
        return Some(Template { media_type: "application/xml", schema: json!({ "type": "string" }), example });
    }
    if let Some(schema) = pairs(text) {
        return Some(Template { media_type: "application/x-www-form-urlencoded", schema, example });
    }
    Some(Template { media_type: "application/json", schema: json!({}), example })
}

/// JSON Schema of values like this one. Nothing is required: a template lists all fields, not the necessary ones.
fn shape(value: &Value, depth: usize) -> Value {
    match value {
        Value::Null => json!({}),
        Value::Array(_) | Value::Object(_) if depth == 0 => json!({}),
        Value::Bool(_) => json!({ "type": "boolean" }),
        Value::Number(number) if number.is_f64() => json!({ "type": "number" }),
        Value::Number(_) => json!({ "type": "integer" }),
        // A field's place may be filled by any value; the quotes around it say that a text is usual.
        Value::String(_) => json!({ "type": "string" }),
        Value::Array(items) => match items.first() {
            Some(first) => json!({ "type": "array", "items": shape(first, depth - 1) }),
            None => json!({ "type": "array" }),
        },
        Value::Object(map) => {
            let properties = map.iter().map(|(name, value)| (name.clone(), shape(value, depth - 1)));
            let properties: Map<String, Value> = properties.collect();
            json!({ "type": "object", "properties": properties })
        }
    }
}

/// The template with `null` for each `${name}` that stands outside of quotes.
fn without_places(text: &str) -> String {
    let (mut out, mut rest, mut quoted) = (String::with_capacity(text.len()), text, false);
    while let Some(c) = rest.chars().next() {
        if !quoted
            && rest.starts_with("${")
            && let Some(end) = rest.find('}')
        {
            out.push_str("null");
            rest = &rest[end + 1..];
            continue;
        }
        let escaped = quoted && c == '\\' && rest.len() > 1;
        if c == '"' {
            quoted = !quoted;
        }
        out.push(c);
        rest = &rest[c.len_utf8()..];
        if escaped && let Some(next) = rest.chars().next() {
            out.push(next);
            rest = &rest[next.len_utf8()..];
        }
    }
    out
}

/// `a=1&b=${b}`: an object of texts.
fn pairs(text: &str) -> Option<Value> {
    if text.contains(char::is_whitespace) {
        return None;
    }
    let mut properties = Map::new();
    for pair in text.split('&') {
        let (name, _) = pair.split_once('=')?;
        if name.is_empty() || name.contains(['{', '"', '$']) {
            return None;
        }
        properties.insert(name.to_owned(), json!({ "type": "string" }));
    }
    Some(json!({ "type": "object", "properties": properties }))
}

/// Deeper than this nobody fills in fields.
const SHAPE_DEPTH_MAX: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, media_type: &str, schema: &Value) {
        let template = read(text).unwrap();
        assert_eq!((template.media_type, &template.schema), (media_type, schema));
    }

    #[test]
    fn a_template_tells_the_fields_of_a_body() {
        let fields = json!({ "type": "object", "properties": {
            "name": { "type": "string" }, "count": {}, "deep": { "type": "object", "properties": { "list": {
                "type": "array", "items": { "type": "integer" } } } }, "on": { "type": "boolean" }
        } });
        check(
            r#"{"name": "${name} \"x\" ${y}", "count": ${count}, "deep": {"list": [1, 2]}, "on": true}"#,
            "application/json",
            &fields,
        );
        check(
            "a=1&b=${b}",
            "application/x-www-form-urlencoded",
            &json!({ "type": "object", "properties": {
            "a": { "type": "string" }, "b": { "type": "string" } } }),
        );
        check("<a>${b}</a>", "application/xml", &json!({ "type": "string" }));
        check("{broken", "application/json", &json!({}));
        check("${body}", "application/json", &json!({}));
        assert!(read(" \n").is_none());
    }
}
