//! Apps of Shuffle that are programs in Python (`api.yaml` with `walkoff_version`): their actions, written as a document.
//!
//! Sortie runs none of that code. An action whose function is known stands for a built-in operation
//! (`x-sortie-native`); any other is listed with the reason why it cannot be run (`x-sortie-not-runnable`).

use serde_json::{Map, Value, json};

use crate::{
    documents::text_of,
    error::ImportError,
    python_functions::{Function, function},
    report::Notes,
};

/// Whether it is an app and no API description.
pub(super) fn is_app(root: &Value) -> bool {
    let has = |key: &str| root.get(key).is_some();
    has("actions")
        && (has("walkoff_version") || has("app_version"))
        && !has("openapi")
        && !has("swagger")
        && !has("paths")
}

/// The app as an OpenAPI document, one POST an action.
pub(super) fn document(root: &Value, notes: &mut Notes) -> Result<Value, ImportError> {
    let title = root.get("name").and_then(text_of).unwrap_or_default();
    let title = if title.trim().is_empty() { "App" } else { title.trim() };
    let actions = root["actions"].as_array();
    let actions = actions.ok_or(ImportError::NotOpenApi("it is an app of Shuffle whose `actions` are no list"))?;
    if actions.len() > ACTION_COUNT_MAX {
        return Err(ImportError::NotOpenApi("it is an app of Shuffle with more than 5,000 actions"));
    }
    let mut paths = Map::new();
    for (at, action) in actions.iter().enumerate() {
        let place = format!("#/actions/{at}");
        let Some(name) = action.get("name").and_then(text_of).map(|name| name.trim().to_owned()) else {
            notes.add(place, "an action has no name; it is left out");
            continue;
        };
        // Braces would be places of the path; a number keeps two of one name apart.
        let path: String =
            name.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-')).take(100).collect();
        let path = format!("/{path}");
        let path = if paths.contains_key(&path) || path == "/" { format!("{path}_{}", at + 1) } else { path };
        paths.insert(path, json!({ "post": operation(title, &name, action) }));
    }
    let info = json!({
        "title": title,
        "version": root.get("app_version").and_then(text_of).unwrap_or_else(|| "1".to_owned()),
        "description": root.get("description").and_then(text_of).unwrap_or_default().trim(),
        "x-logo": root.get("large_image").or_else(|| root.get("small_image")).and_then(text_of),
        "x-categories": root.get("categories").filter(|list| list.is_array()),
    });
    Ok(json!({ "openapi": "3.1.0", "info": info, "x-sortie-native": "app", "paths": paths }))
}

fn operation(app: &str, name: &str, action: &Value) -> Value {
    let mut properties = Map::new();
    let mut required: Vec<String> = Vec::new();
    let known = function(app, name);
    for parameter in action["parameters"].as_array().into_iter().flatten() {
        let Some(key) = parameter.get("name").and_then(text_of).map(|key| key.trim().to_owned()) else { continue };
        if key.is_empty() {
            continue;
        }
        let ignored = matches!(&known, Function::Runs(native) if !native.uses(&key));
        let is_needed = parameter["required"] == true || parameter["required"].as_str() == Some("true");
        if is_needed && !ignored {
            required.push(key.clone());
        }
        properties.insert(key, schema(parameter, ignored));
    }
    required.sort_unstable();
    required.dedup();
    let description = action.get("description").and_then(text_of).unwrap_or_default().trim().to_owned();
    let title: String = description.lines().next().unwrap_or_default().chars().take(80).collect();
    let mut out = json!({
        "operationId": name,
        "summary": if title.is_empty() { name.replace('_', " ") } else { title },
        "description": description,
        "responses": { "200": { "description": "What the action gives" } },
    });
    if !properties.is_empty() {
        let schema =
            json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false });
        out["requestBody"] =
            json!({ "required": !required.is_empty(), "content": { "application/json": { "schema": schema } } });
    }
    match known {
        Function::Runs(native) => {
            out["x-sortie-native"] = native.link();
            out["x-sortie-effect"] = native.effect.into();
        }
        Function::Cannot(reason) => out["x-sortie-not-runnable"] = reason.into(),
    }
    out
}

/// Shuffle's values are texts; a workflow may give what the text stands for.
fn schema(parameter: &Value, ignored: bool) -> Value {
    let about = parameter.get("description").and_then(text_of).unwrap_or_default().trim().to_owned();
    let about = if ignored { format!("{about} (not used by Sortie)") } else { about };
    json!({ "description": about.trim() })
}

const ACTION_COUNT_MAX: usize = 5_000;
