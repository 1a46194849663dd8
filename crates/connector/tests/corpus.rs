//! Every operation of the published documents gets a request from generated inputs.
#![expect(clippy::unwrap_used, reason = "a panic is how a test says no")]
#![expect(clippy::print_stderr, reason = "the figures belong to the test's answer")]

use std::{fs, path::Path};

use serde_json::{Map, Value, json};
use sortie_connector::{Target, build};
use sortie_openapi::{Description, NoSources, Operation};

#[test]
fn published_operations_are_callable() {
    let (mut seen, mut callable, mut documents) = (0, 0, 0);
    let mut told = Vec::new();
    for folder in ["openapi", "shuffle-apps"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus").join(folder);
        let Ok(entries) = fs::read_dir(&folder) else {
            eprintln!("skipped: {} is not here", folder.display());
            return;
        };
        let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        for path in paths {
            let Ok(bytes) = fs::read(&path) else { continue };
            let Ok(import) = sortie_openapi::import(&bytes, &NoSources, &sortie_openapi::Options::default()) else {
                continue;
            };
            documents += 1;
            seen += import.report.seen - placeholders(&import.report);
            for operation in &import.description.operations {
                match request(&import.description, operation) {
                    Ok(()) => callable += 1,
                    Err(error) => {
                        told.push(format!("{} {}: {error}", path.file_stem().unwrap().display(), operation.id))
                    }
                }
            }
        }
    }
    for line in told.iter().take(40) {
        eprintln!("{line}");
    }
    let share = f64::from(callable) / seen as f64;
    eprintln!("{documents} documents: of {seen} operations {callable} are callable ({:.2} %)", share * 100.0);
    assert!(share >= 0.99, "{share}");
    assert!(callable >= CALLABLE_MIN, "{callable} are callable, {CALLABLE_MIN} were before");
}

/// Shuffle's wish list: operations of a name and nothing else.
fn placeholders(report: &sortie_openapi::Report) -> usize {
    let is_number = |rest: &str| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit());
    let step = |path: &str| path.trim_start_matches('/').strip_prefix("tmp").is_some_and(is_number);
    report.quarantined.iter().filter(|one| step(&one.path)).count()
}

/// Builds the request with every input, and with those alone that are needed.
fn request(description: &Description, operation: &Operation) -> Result<(), String> {
    let target = Target { base: Some("https://base.example".parse().unwrap()), variables: Map::new() };
    for all in [false, true] {
        let inputs = inputs(description, operation, all);
        let built = build(description, operation, &inputs, &target).map_err(|error| format!("{error} {inputs:?}"))?;
        let without_host = Target { base: None, ..target.clone() };
        let own = build(description, operation, &inputs, &without_host);
        let url = own.map_or(built.url, |own| own.url);
        assert!(url.has_host() && matches!(url.scheme(), "http" | "https"), "{url}");
    }
    Ok(())
}

fn inputs(description: &Description, operation: &Operation, all: bool) -> Map<String, Value> {
    let mut inputs = Map::new();
    for parameter in &operation.parameters {
        let is_path = parameter.location == sortie_openapi::Location::Path;
        if all || parameter.required || is_path {
            let value = generated(description, &parameter.schema, 3);
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
    let fields: Vec<_> = content.fields.iter().filter(|field| all || field.required).collect();
    for field in &fields {
        inputs.insert(field.key.clone(), generated(description, &field.schema, 3));
    }
    if content.fields.is_empty() && (all || body.required) {
        inputs.insert(body.key.clone(), generated(description, &content.schema, 3));
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
        "integer" | "number" => schema.get("minimum").filter(|least| least.is_number()).cloned().unwrap_or(json!(1)),
        "boolean" => json!(true),
        "null" => Value::Null,
        "array" if depth > 0 => json!([generated(description, &schema["items"], depth - 1)]),
        "array" => json!([]),
        "object" if depth > 0 => {
            let properties = schema["properties"].as_object().into_iter().flatten();
            Value::Object(
                properties.map(|(name, one)| (name.clone(), generated(description, one, depth - 1))).collect(),
            )
        }
        "object" => json!({}),
        _ => match schema["format"].as_str() {
            Some("date") => json!("2026-11-22"),
            Some("date-time") => json!("2026-11-22T03:00:00Z"),
            Some("uuid") => json!("11111111-2222-3333-4444-555555555555"),
            Some("email") => json!("ada@example.com"),
            Some("uri" | "url") => json!("https://example.com/a?b=c"),
            _ => json!("x y/ü"),
        },
    }
}

/// Never down.
const CALLABLE_MIN: i32 = 7_741;
