//! Inputs that an operation takes, as plain as possible.

use serde_json::{Map, Value, json};
use sortie_openapi::{Description, Operation};

/// All inputs, or those alone that are needed.
pub(crate) fn inputs(description: &Description, operation: &Operation, all: bool) -> Map<String, Value> {
    let mut inputs = Map::new();
    for parameter in &operation.parameters {
        let is_path = parameter.location == sortie_openapi::Location::Path;
        if all || parameter.required || is_path {
            let value = generated(description, &parameter.schema, DEPTH);
            // Nothing is no value for a step of the path.
            let value = match value {
                Value::Null if is_path => json!("x y/ü"),
                Value::Array(items) if is_path && items.is_empty() => json!(["x"]),
                Value::Object(map) if is_path && map.is_empty() => json!({ "x": "y" }),
                value if parameter.location == sortie_openapi::Location::Header => ascii(value),
                value => value,
            };
            inputs.insert(parameter.key.clone(), value);
        }
    }
    let Some(body) = &operation.body else { return inputs };
    let Some(content) = body.contents.first() else { return inputs };
    let is_answer = |schema: &Value| description.resolve(schema).is_some_and(|schema| schema["readOnly"] == true);
    let wanted = content.fields.iter().filter(|field| field.required || (all && !is_answer(&field.schema)));
    let fields: Vec<_> = wanted.collect();
    for field in &fields {
        inputs.insert(field.key.clone(), generated(description, &field.schema, DEPTH));
    }
    if content.fields.is_empty() && (all || body.required) {
        inputs.insert(body.key.clone(), generated(description, &content.schema, DEPTH));
    }
    inputs
}

/// What a header can carry.
fn ascii(value: Value) -> Value {
    match value {
        Value::String(text) if !text.is_ascii() => json!("a, b"),
        Value::Array(items) => Value::Array(items.into_iter().map(ascii).collect()),
        Value::Object(map) => Value::Object(map.into_iter().map(|(name, one)| (name, ascii(one))).collect()),
        other => other,
    }
}

/// A value that the schema takes, as plain as possible.
fn generated(description: &Description, schema: &Value, depth: u32) -> Value {
    let Some(schema) = description.resolve(schema) else { return json!("x") };
    if let Some(first) = schema["enum"].as_array().and_then(|values| values.iter().find(|value| !value.is_null())) {
        return first.clone();
    }
    if let Some(constant) = schema.get("const") {
        return constant.clone();
    }
    if depth > 0 {
        for several in ["allOf", "oneOf", "anyOf"] {
            if let Some(first) = schema[several].as_array().and_then(|several| several.first()) {
                return generated(description, first, depth - 1);
            }
        }
    }
    let kind = match &schema["type"] {
        Value::String(kind) => kind.as_str(),
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null").unwrap_or("null"),
        _ => "string",
    };
    match kind {
        "integer" | "number" => number(schema),
        "boolean" => json!(true),
        "null" => Value::Null,
        "array" if depth > 0 => {
            let count = schema["minItems"].as_u64().unwrap_or(1).clamp(1, 5);
            Value::Array((0..count).map(|_| generated(description, &schema["items"], depth - 1)).collect())
        }
        "array" => json!([]),
        "object" if depth > 0 => {
            let required = |name: &String| {
                schema["required"].as_array().is_some_and(|names| names.iter().any(|one| one == name.as_str()))
            };
            let properties = schema["properties"].as_object().into_iter().flatten();
            let wanted = properties.filter(|(name, one)| {
                // What only answers carry is no input; deep down only what must be there is given.
                let is_answer = description.resolve(one).is_some_and(|one| one["readOnly"] == true);
                !is_answer && (depth > OPTIONAL_ABOVE || required(name))
            });
            Value::Object(wanted.map(|(name, one)| (name.clone(), generated(description, one, depth - 1))).collect())
        }
        "object" => json!({}),
        _ => match schema["format"].as_str() {
            Some("date") => json!("2026-11-22"),
            Some("date-time") => json!("2026-11-22T03:00:00Z"),
            Some("uuid") => json!("11111111-2222-3333-4444-555555555555"),
            Some("email") => json!("ada@example.com"),
            Some("uri" | "url") => json!("https://example.com/a?b=c"),
            Some("time") => json!("10:20:30Z"),
            _ => json!(word(schema)),
        },
    }
}

/// A word that needs encoding everywhere, as long as it has to be; the document's own where it must look like something.
fn word(schema: &Value) -> String {
    let own = ["example", "default"].iter().find_map(|name| schema[*name].as_str());
    if let (true, Some(own)) = (schema["pattern"].is_string(), own) {
        return own.to_owned();
    }
    let least = schema["minLength"].as_u64().unwrap_or(0).min(100) as usize;
    let most = schema["maxLength"].as_u64().map_or(usize::MAX, |most| most as usize);
    "x y/ü".chars().chain(std::iter::repeat('x')).take(least.max(5).min(most)).collect()
}

/// The least number that the schema takes, or 1.
fn number(schema: &Value) -> Value {
    if let Some(of) = schema["multipleOf"].as_i64() {
        let least = schema["minimum"].as_i64().or(schema["exclusiveMinimum"].as_i64()).unwrap_or(0);
        return json!((least / of + 1) * of);
    }
    match (&schema["exclusiveMinimum"], &schema["minimum"]) {
        (Value::Number(above), _) => json!(above.as_f64().unwrap_or_default() as i64 + 1),
        (Value::Bool(true), Value::Number(above)) => json!(above.as_f64().unwrap_or_default() as i64 + 1),
        (_, Value::Number(least)) => json!(least),
        _ => schema.get("maximum").filter(|most| most.as_f64() < Some(1.0)).cloned().unwrap_or(json!(1)),
    }
}

/// Levels of nesting: all members of the upper ones, and what must be there of the lower ones.
const DEPTH: u32 = 8;
const OPTIONAL_ABOVE: u32 = 5;
