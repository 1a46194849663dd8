//! Which specification a document follows, whatever it calls itself.

use serde_json::Value;

use crate::{
    documents::text_of,
    error::ImportError,
    report::{Format, Notes},
};

/// The format, or what the document is instead.
pub(super) fn format(root: &Value, notes: &mut Notes) -> Result<Format, ImportError> {
    let Value::Object(map) = root else {
        return Err(ImportError::NotOpenApi(
            "it is not an object with `openapi` or `swagger`; check that it is the whole file",
        ));
    };
    let version = |key: &str| map.get(key).and_then(text_of);
    match (version("openapi"), version("swagger")) {
        (Some(version), _) if version.starts_with("3.0") || version == "3" => Ok(Format::OpenApi30),
        (Some(version), _) if version.starts_with("3.") => Ok(Format::OpenApi31),
        (_, Some(version)) if version == "2" || version.starts_with("2.") => Ok(Format::Swagger2),
        (_, Some(version)) if version.starts_with('3') => {
            notes.add("#/swagger", format!("`swagger: {version}` does not exist; the document is OpenAPI {version}"));
            Ok(if version.starts_with("3.0") || version == "3" { Format::OpenApi30 } else { Format::OpenApi31 })
        }
        (openapi, swagger) => {
            if let Some(what) = something_else(root) {
                return Err(ImportError::NotOpenApi(what));
            }
            let has = |key: &str| map.contains_key(key);
            let is_older = has("definitions") || has("securityDefinitions") || (has("host") && !has("components"));
            let format = if is_older { Format::Swagger2 } else { Format::OpenApi30 };
            let written = openapi.or(swagger).unwrap_or_default();
            let name = if is_older { "Swagger 2.0" } else { "OpenAPI 3.0" };
            notes.add("#", format!("the document's version is `{written}`; by its shape it was read as {name}"));
            Ok(format)
        }
    }
}

/// Whether it comes from Shuffle's app editor.
pub(super) fn is_shuffle(root: &Value) -> bool {
    let info = &root["info"];
    let logo = info["x-logo"].as_str().is_some_and(|logo| logo.starts_with("data:"));
    logo || info.get("x-categories").is_some()
        || root["swagger"].as_str().is_some_and(|version| version.starts_with('3'))
        || has_template(root)
}

/// `content: {example: …}`, and texts that the editor leaves behind.
fn has_template(root: &Value) -> bool {
    let items = root["paths"].as_object().into_iter().flat_map(|paths| paths.values());
    items.filter_map(Value::as_object).flat_map(|item| item.values()).any(|op| {
        let template = op["requestBody"]["content"].get("example").is_some();
        template
            || op["parameters"].as_array().into_iter().flatten().any(|parameter| {
                parameter["description"].as_str().is_some_and(|text| text.contains("enerated by shuffler.io"))
            })
    })
}

fn something_else(root: &Value) -> Option<&'static str> {
    let has = |key: &str| root.get(key).is_some();
    if has("walkoff_version") || (has("app_version") && has("actions")) {
        return Some("it is the `api.yaml` of a Shuffle app in Python, whose actions are code and no web API");
    }
    if has("asyncapi") {
        return Some("it is an AsyncAPI document, which describes messages and no calls");
    }
    if has("swaggerVersion") {
        return Some("it is Swagger 1; convert it to OpenAPI 3 with Swagger's own converter first");
    }
    if has("item") && root["info"].get("schema").is_some() {
        return Some("it is a Postman collection; convert it to OpenAPI 3 first");
    }
    if !has("paths") && !has("webhooks") && !has("components") && !has("x-ms-paths") {
        return Some("it has none of `openapi`, `swagger` and `paths`; check that it is the right file");
    }
    None
}
