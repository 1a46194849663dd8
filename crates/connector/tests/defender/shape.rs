//! Whether a value is what a schema of the description says. Every keyword of those schemas is read; another one fails.

use serde_json::{Map, Value};
use sortie_openapi::Description;

/// What is not as the schema says, each with its place.
pub(crate) fn findings(description: &Description, schema: &Value, value: &Value) -> Vec<String> {
    let mut findings = Vec::new();
    check(description, schema, value, "", &mut findings);
    findings
}

fn check(description: &Description, schema: &Value, value: &Value, place: &str, findings: &mut Vec<String>) {
    let schema = description.resolve(schema).unwrap_or_else(|| panic!("{schema} leads nowhere"));
    let Some(keywords) = schema.as_object() else {
        assert!(schema.is_boolean(), "{schema} is no schema");
        if schema == false {
            findings.push(format!("{place}: nothing is allowed here"));
        }
        return;
    };
    for (keyword, wanted) in keywords {
        let holds = match keyword.as_str() {
            "type" => is_of(wanted, value),
            "enum" => wanted.as_array().unwrap().contains(value),
            "const" => wanted == value,
            "required" => {
                value.as_object().is_none_or(|map| wanted.as_array().unwrap().iter().all(|name| has(map, name)))
            }
            "minItems" => value.as_array().is_none_or(|items| items.len() as u64 >= wanted.as_u64().unwrap()),
            "minimum" => value.as_f64().is_none_or(|number| number >= wanted.as_f64().unwrap()),
            "anyOf" => {
                let mut several = wanted.as_array().unwrap().iter();
                several.any(|one| self::findings(description, one, value).is_empty())
            }
            "allOf" => {
                wanted.as_array().unwrap().iter().for_each(|one| check(description, one, value, place, findings));
                true
            }
            "properties" => {
                for (name, member) in value.as_object().into_iter().flatten() {
                    if let Some(schema) = wanted.get(name) {
                        check(description, schema, member, &format!("{place}/{name}"), findings);
                    }
                }
                true
            }
            "additionalProperties" => {
                let known = keywords.get("properties").and_then(Value::as_object);
                let others = value.as_object().into_iter().flatten();
                for (name, member) in others.filter(|(name, _)| known.is_none_or(|known| !known.contains_key(*name))) {
                    check(description, wanted, member, &format!("{place}/{name}"), findings);
                }
                true
            }
            "items" => {
                for (at, item) in value.as_array().into_iter().flatten().enumerate() {
                    check(description, wanted, item, &format!("{place}/{at}"), findings);
                }
                true
            }
            "description" | "format" | "default" | "example" | "title" | "$comment" => true,
            other => panic!("{place}: this test cannot read the keyword `{other}`"),
        };
        if !holds {
            findings.push(format!("{place}: {value} is not {keyword} {wanted}"));
        }
    }
}

fn has(map: &Map<String, Value>, name: &Value) -> bool {
    map.contains_key(name.as_str().unwrap())
}

fn is_of(wanted: &Value, value: &Value) -> bool {
    let is = |kind: &Value| match kind.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|number| number.fract() == 0.0),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("there is no type `{other}`"),
    };
    wanted.as_array().map_or_else(|| is(wanted), |several| several.iter().any(is))
}
