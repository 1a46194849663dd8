//! The API's description, as it is published.

use std::{collections::BTreeSet, path::Path};

use serde_json::Value;
use sortie_openapi::{NoSources, Options};
use sortie_server::{ROUTES, document};

#[test]
fn the_published_description_is_that_of_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
    let made = format!("{:#}\n", document(env!("CARGO_PKG_VERSION")));
    if std::env::var_os("SORTIE_WRITE").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == made, "docs/openapi.json is not what the table says; SORTIE_WRITE=1 writes it anew");
}

#[test]
fn the_description_is_whole_and_can_be_imported_as_a_connector() {
    let document = document("0");
    let text = document.to_string();
    let import = sortie_openapi::import(text.as_bytes(), &NoSources, &Options::default()).unwrap();
    assert_eq!(import.report.quarantined.len(), 0, "{:?}", import.report);
    assert_eq!(import.description.operations.len(), ROUTES.len());
    let ids: BTreeSet<&str> = import.description.operations.iter().map(|operation| operation.id.as_str()).collect();
    assert_eq!(ids.len(), ROUTES.len(), "each has an id of its own");
    let mut referred = BTreeSet::new();
    references(&document, &mut referred);
    let schemas = document["components"]["schemas"].as_object().unwrap();
    let named: BTreeSet<&str> = schemas.keys().map(String::as_str).collect();
    assert_eq!(referred, named, "each schema is there and is used");
}

fn references<'d>(value: &'d Value, found: &mut BTreeSet<&'d str>) {
    match value {
        Value::Object(fields) => {
            if let Some(name) = fields.get("$ref").and_then(Value::as_str) {
                found.insert(name.strip_prefix("#/components/schemas/").unwrap());
            }
            fields.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}
