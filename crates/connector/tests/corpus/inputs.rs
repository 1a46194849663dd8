//! Inputs that an operation takes.

use serde_json::{Map, Value, json};
use sortie_openapi::{Description, Operation};

use crate::values::Maker;

/// All inputs, or those alone that are needed.
pub(crate) fn inputs(description: &Description, operation: &Operation, all: bool) -> Map<String, Value> {
    let maker = Maker::new(description);
    let mut inputs = Map::new();
    for parameter in &operation.parameters {
        let in_header = parameter.location == sortie_openapi::Location::Header;
        let is_path = parameter.location == sortie_openapi::Location::Path;
        if all || parameter.required || is_path {
            let value = maker.value(&parameter.schema);
            // Nothing is no value for a step of the path.
            let value = match value {
                Value::Null if is_path => json!("x y/ü"),
                Value::Array(items) if is_path && items.is_empty() => json!(["x"]),
                Value::Object(map) if is_path && map.is_empty() => json!({ "x": "y" }),
                Value::String(text) if in_header && text == "x y/ü" => json!("a, b"),
                value if in_header => ascii(value),
                value => value,
            };
            inputs.insert(parameter.key.clone(), value);
        }
    }
    let Some(body) = &operation.body else { return inputs };
    let Some(content) = body.contents.first() else { return inputs };
    let whole = if all { maker.value(&content.schema) } else { maker.needed(&content.schema) };
    // The fields of one value, because not all of them may stand together.
    for field in &content.fields {
        match whole.get(&field.name) {
            Some(value) => drop(inputs.insert(field.key.clone(), value.clone())),
            None if field.required => drop(inputs.insert(field.key.clone(), maker.value(&field.schema))),
            None => {}
        }
    }
    if content.fields.is_empty() && (all || body.required) {
        inputs.insert(body.key.clone(), whole);
    }
    inputs
}

/// What a header can carry.
fn ascii(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(text.replace(|c: char| !c.is_ascii(), "u")),
        Value::Array(items) => Value::Array(items.into_iter().map(ascii).collect()),
        Value::Object(map) => Value::Object(map.into_iter().map(|(name, one)| (name, ascii(one))).collect()),
        other => other,
    }
}
