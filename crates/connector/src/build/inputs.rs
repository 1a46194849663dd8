//! Inputs by name, need and type, before anything is written.

use serde_json::{Map, Value};
use sortie_openapi::{Content, Description, Location, Operation};

use super::{BuildError, body};

/// Checks that everything that is needed is there, that nothing is there that does not belong, and that types fit.
pub(super) fn check(
    description: &Description,
    operation: &Operation,
    content: Option<&Content>,
    inputs: &Map<String, Value>,
) -> Result<(), BuildError> {
    let known = known(operation, content);
    let is_open = content.is_some_and(|content| content.open_fields);
    for (key, value) in inputs {
        let Some((_, schema)) = known.iter().find(|(known, _)| known == key) else {
            if is_open {
                continue;
            }
            return Err(BuildError::Unknown { key: key.clone(), nearest: nearest(key, &known) });
        };
        if let Some(expected) = misfit(description, schema, value) {
            return Err(BuildError::Type { key: key.clone(), expected, found: kind(value) });
        }
    }
    let given = |key: &str| inputs.get(key).is_some_and(|value| !value.is_null());
    for parameter in &operation.parameters {
        // A path without one of its steps is another path, whatever the document says of need.
        let needed = parameter.required || parameter.location == Location::Path;
        if needed && !given(&parameter.key) {
            return Err(BuildError::Missing { key: parameter.key.clone() });
        }
    }
    body::check(operation, content, inputs)
}

/// The same for inputs that no request is made of.
pub(crate) fn check_all(
    description: &Description,
    operation: &Operation,
    inputs: &Map<String, Value>,
) -> Result<(), BuildError> {
    check(description, operation, body::chosen(operation, inputs), inputs)
}

/// Checked inputs of a native operation, of the types that it asks for; a whole body is taken apart into its fields.
pub(crate) fn typed(
    description: &Description,
    operation: &Operation,
    inputs: &Map<String, Value>,
) -> Result<Map<String, Value>, BuildError> {
    check_all(description, operation, inputs)?;
    let Some(body) = &operation.body else { return Ok(Map::new()) };
    let fields = body.contents.first().map(|content| content.fields.as_slice()).unwrap_or_default();
    if let Some(Value::Object(whole)) =
        inputs.get(&body.key).filter(|_| !fields.iter().any(|field| field.key == body.key))
    {
        return typed(description, operation, whole);
    }
    let field = |key: &str| fields.iter().find(|field| field.key == key);
    let typed = inputs.iter().filter_map(|(key, value)| {
        let field = field(key)?;
        let asked = description.resolve(&field.schema).and_then(|schema| schema["type"].as_str());
        let value = match (asked, value) {
            // A number where a text is asked for is that text.
            (Some("string"), Value::Number(_) | Value::Bool(_)) => value.to_string().into(),
            _ => as_asked(description, &field.schema, value),
        };
        Some((field.name.clone(), value))
    });
    Ok(typed.collect())
}

fn known<'a>(operation: &'a Operation, content: Option<&'a Content>) -> Vec<(&'a str, &'a Value)> {
    let mut known: Vec<(&str, &Value)> =
        operation.parameters.iter().map(|parameter| (parameter.key.as_str(), &parameter.schema)).collect();
    if let (Some(body), Some(content)) = (&operation.body, content) {
        known.extend(content.fields.iter().map(|field| (field.key.as_str(), &field.schema)));
        known.push((&body.key, &content.schema));
    }
    known
}

/// What the schema takes instead of this value; `None` where it fits or the schema does not say. A text that is written
/// like a number is one: workflows and command lines carry texts.
fn misfit(description: &Description, schema: &Value, value: &Value) -> Option<String> {
    let schema = description.resolve(schema)?;
    let types: Vec<&str> = match schema.get("type")? {
        Value::String(one) => vec![one.as_str()],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => return None,
    };
    let fits = |kind: &&str| match (*kind, value) {
        (_, Value::Null)
        | ("string", Value::String(_) | Value::Number(_) | Value::Bool(_))
        | ("boolean", Value::Bool(_))
        | ("number", Value::Number(_))
        | ("array", Value::Array(_))
        | ("object", Value::Object(_)) => true,
        ("integer", Value::Number(number)) => number.as_f64().is_none_or(|number| number.fract() == 0.0),
        ("integer" | "number" | "boolean", Value::String(text)) => cast_scalar(kind, text).is_some(),
        // A file is given as an object with its content.
        ("string", Value::Object(_)) => schema.get("contentMediaType").is_some() || schema["format"] == "binary",
        _ => false,
    };
    if types.is_empty() || types.iter().any(fits) {
        return None;
    }
    Some(types.iter().map(|kind| article(kind)).collect::<Vec<_>>().join(" or "))
}

/// The value that a text stands for where the schema asks for one of another type; the text itself where it does not.
///
/// Lists and objects are read as JSON; a list of texts may also be written with commas.
pub fn cast(description: &Description, schema: &Value, text: &str) -> Value {
    let as_text = || Value::String(text.to_owned());
    let Some(schema) = description.resolve(schema) else { return as_text() };
    let kind = match &schema["type"] {
        Value::String(one) => one.as_str(),
        Value::Array(several) => {
            let first = several.iter().filter_map(Value::as_str).find(|kind| *kind != "null");
            first.unwrap_or("string")
        }
        _ => "",
    };
    match kind {
        "integer" | "number" | "boolean" => cast_scalar(kind, text).unwrap_or_else(as_text),
        "array" | "object" => match serde_json::from_str(text) {
            Ok(value @ (Value::Array(_) | Value::Object(_))) => value,
            _ if kind == "array" => {
                let items = text.split(',').map(|item| cast(description, &schema["items"], item.trim()));
                Value::Array(items.collect())
            }
            _ => as_text(),
        },
        "string" => as_text(),
        // The document does not say: JSON where it is JSON.
        _ => serde_json::from_str(text).unwrap_or_else(|_| as_text()),
    }
}

/// A text that is written like the number or the truth value that the schema asks for, as that; all else as it is.
pub(super) fn as_asked(description: &Description, schema: &Value, value: &Value) -> Value {
    let asked = description.resolve(schema).and_then(|schema| schema["type"].as_str());
    match (value, asked) {
        (Value::String(text), Some(kind)) => cast_scalar(kind, text).unwrap_or_else(|| value.clone()),
        _ => value.clone(),
    }
}

fn cast_scalar(kind: &str, text: &str) -> Option<Value> {
    let value: Value = serde_json::from_str(text.trim()).ok()?;
    match (kind, &value) {
        ("boolean", Value::Bool(_)) | ("number", Value::Number(_)) => Some(value),
        ("integer", Value::Number(number)) if !number.is_f64() => Some(value),
        _ => None,
    }
}

pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "yes or no",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

fn article(kind: &str) -> String {
    match kind {
        "string" => "a text".to_owned(),
        "integer" => "a whole number".to_owned(),
        "number" => "a number".to_owned(),
        "boolean" => "true or false".to_owned(),
        "array" => "a list".to_owned(),
        "object" => "an object".to_owned(),
        "null" => "null".to_owned(),
        other => other.to_owned(),
    }
}

fn nearest(key: &str, known: &[(&str, &Value)]) -> Option<String> {
    let lower = key.to_lowercase();
    let close = known.iter().map(|(name, _)| (strsim::damerau_levenshtein(&lower, &name.to_lowercase()), *name));
    let close = close.filter(|(distance, name)| *distance <= 1 + name.len().min(key.len()) / 3);
    close.min_by_key(|(distance, _)| *distance).map(|(_, name)| name.to_owned())
}
