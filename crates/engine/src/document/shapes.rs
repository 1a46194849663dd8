//! The shape of incidents, alerts and devices as JSON Schema (draft 2020-12), for authors and programs.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use sortie_model::shapes::{ALERT, DEVICE, FieldKind, INCIDENT, Shape, UNKNOWN};

/// The schema. It is published as `docs/shapes.schema.json`; `#/$defs/incident`, `alert` and `device` are what triggers give.
pub fn shapes_schema() -> Value {
    let mut shapes = BTreeMap::new();
    [&INCIDENT, &ALERT, &DEVICE].into_iter().for_each(|shape| add(shape, &mut shapes));
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Incidents, alerts and devices as Sortie's workflows see them",
        "anyOf": [{ "$ref": "#/$defs/incident" }, { "$ref": "#/$defs/alert" }, { "$ref": "#/$defs/device" }],
        "$defs": shapes,
    })
}

/// A shape and those that it has lists of.
fn add(shape: &'static Shape, shapes: &mut BTreeMap<&'static str, Value>) {
    if shapes.contains_key(shape.name) {
        return;
    }
    let mut properties = Map::new();
    shapes.insert(shape.name, Value::Null);
    for field in shape.fields {
        let mut schema = match field.kind {
            FieldKind::Text => json!({ "type": ["string", "null"] }),
            FieldKind::Words(words) if words.contains(&UNKNOWN) => json!({ "enum": words }),
            FieldKind::Words(words) => {
                json!({ "enum": words.iter().map(|word| json!(word)).chain([Value::Null]).collect::<Vec<_>>() })
            }
            FieldKind::Instant => json!({ "type": ["string", "null"], "format": "date-time" }),
            FieldKind::Whole => json!({ "type": ["integer", "null"] }),
            FieldKind::Texts => json!({ "type": "array", "items": { "type": "string" } }),
            FieldKind::List(of) => {
                add(of, shapes);
                json!({ "type": "array", "items": { "$ref": format!("#/$defs/{}", of.name) } })
            }
            FieldKind::Raw if shape.name == "device" => json!({ "type": ["object", "null"] }),
            FieldKind::Raw => json!({ "type": "object" }),
        };
        schema["description"] = format!("{}.", field.about).into();
        properties.insert(field.name.to_owned(), schema);
    }
    let names: Vec<&str> = shape.fields.iter().map(|field| field.name).collect();
    let whole = json!({
        "description": format!("{}.", shape.about),
        "type": "object",
        "required": names,
        "additionalProperties": false,
        "properties": properties,
    });
    shapes.insert(shape.name, whole);
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_published_schema_is_this_one() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/shapes.schema.json");
        let own = serde_json::to_string_pretty(&shapes_schema()).unwrap() + "\n";
        if std::env::var_os("SORTIE_WRITE").is_some() {
            std::fs::write(&path, &own).unwrap();
        }
        let published = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(published == own, "docs/shapes.schema.json is not fresh; SORTIE_WRITE=1 writes it");
    }

    #[test]
    fn it_is_a_schema_that_tells_a_shape_from_what_is_none() {
        let validator = jsonschema::draft202012::new(&shapes_schema()["$defs"]["comment"]).unwrap();
        assert!(validator.is_valid(&json!({ "comment": "x", "createdByDisplayName": null, "createdDateTime": null })));
        assert!(!validator.is_valid(&json!({ "comment": "x", "createdBy": "ada" })));
        jsonschema::meta::validate(&shapes_schema()).unwrap();
    }
}
