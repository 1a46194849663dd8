//! One flat schema for what a schema says together with all that it refers to.

use std::cell::Cell;

use serde_json::{Map, Value, json};
use sortie_openapi::Description;

/// Puts the parts of an `allOf` into one, and takes one of several alternatives.
pub(crate) struct Merger<'d> {
    description: &'d Description,
    choice: usize,
    choices: Cell<usize>,
}

impl<'d> Merger<'d> {
    /// `choice` is the number of the alternative that is taken wherever there are several.
    pub(crate) fn new(description: &'d Description, choice: usize) -> Self {
        Self { description, choice, choices: Cell::new(1) }
    }

    pub(crate) fn merged(&self, schema: &Value) -> Map<String, Value> {
        let mut whole = Map::new();
        self.gather(schema, PARTS_DEPTH, &mut whole);
        whole
    }

    /// How many alternatives there were at most.
    pub(crate) fn choices(&self) -> usize {
        self.choices.get()
    }

    fn gather(&self, schema: &Value, depth: u32, whole: &mut Map<String, Value>) {
        let (Some(map), Some(depth)) = (schema.as_object(), depth.checked_sub(1)) else { return };
        if let Some(behind) = self.description.resolve(schema).filter(|_| map.contains_key("$ref")) {
            self.gather(behind, depth, whole);
        }
        for part in map.get("allOf").and_then(Value::as_array).into_iter().flatten() {
            self.gather(part, depth, whole);
        }
        for key in ["oneOf", "anyOf"] {
            let several = map.get(key).and_then(Value::as_array).into_iter().flatten();
            let several: Vec<&Value> = several.filter(|one| one["type"] != "null").collect();
            self.choices.set(self.choices.get().max(several.len()));
            if let Some(one) = several.get(self.choice % several.len().max(1)) {
                self.gather(one, depth, whole);
                self.name(map, one, whole);
            }
        }
        map.iter().for_each(|(key, value)| merge(whole, key, value));
    }

    /// What tells an alternative apart, where the document says so.
    fn name(&self, map: &Map<String, Value>, one: &Value, whole: &mut Map<String, Value>) {
        let Some(discriminator) = map.get("discriminator") else { return };
        let (Some(property), Some(reference)) = (discriminator["propertyName"].as_str(), one["$ref"].as_str()) else {
            return;
        };
        let mapping = discriminator["mapping"].as_object().into_iter().flatten();
        let mut mapping = mapping.filter(|(_, to)| *to == reference);
        let name = reference.rsplit('/').next().unwrap_or_default();
        let name = mapping.next().map_or(name, |(name, _)| name);
        merge(whole, "properties", &json!({ property: { "enum": [name] } }));
        merge(whole, "required", &json!([property]));
    }
}

/// Whether only answers carry it.
pub(crate) fn is_answer(description: &Description, schema: &Value) -> bool {
    let mut schema = Some(schema);
    for _ in 0..PARTS_DEPTH {
        let Some(Value::Object(map)) = schema else { return false };
        let parts = map.get("allOf").and_then(Value::as_array).into_iter().flatten();
        if map.get("readOnly") == Some(&Value::Bool(true)) || parts.into_iter().any(|part| is_answer(description, part))
        {
            return true;
        }
        schema = description.resolve(schema.unwrap_or(&Value::Null)).filter(|_| map.contains_key("$ref"));
    }
    false
}

fn merge(whole: &mut Map<String, Value>, key: &str, value: &Value) {
    if matches!(key, "$ref" | "allOf" | "oneOf" | "anyOf" | "discriminator") {
        return;
    }
    let Some(known) = whole.get_mut(key) else {
        whole.insert(key.to_owned(), value.clone());
        return;
    };
    match (key, &mut *known, value) {
        ("properties", Value::Object(known), Value::Object(new)) => {
            for (name, schema) in new {
                let both = |was: &Value| json!({ "allOf": [was, schema] });
                let schema = known.get(name).filter(|was| *was != schema).map_or_else(|| schema.clone(), both);
                known.insert(name.clone(), schema);
            }
        }
        ("required", Value::Array(known), Value::Array(new)) => known.extend(new.iter().cloned()),
        ("enum", Value::Array(known), Value::Array(new)) if known.iter().any(|one| new.contains(one)) => {
            known.retain(|one| new.contains(one));
        }
        ("type", known, new) => *known = both_types(known, new),
        ("minimum" | "exclusiveMinimum" | "minLength" | "minItems" | "minProperties", known, new)
            if new.as_f64() > known.as_f64() =>
        {
            *known = new.clone();
        }
        ("maximum" | "exclusiveMaximum" | "maxLength" | "maxItems" | "maxProperties", known, new)
            if new.as_f64() < known.as_f64() =>
        {
            *known = new.clone();
        }
        ("items", known, new) if known != new => *known = json!({ "allOf": [known, new] }),
        ("readOnly", known, Value::Bool(true)) | ("additionalProperties", known, Value::Bool(false)) => {
            *known = value.clone();
        }
        _ => {}
    }
}

/// The types that both know; a whole number is a number.
fn both_types(known: &Value, new: &Value) -> Value {
    let list = |value: &Value| match value {
        Value::Array(items) => items.clone(),
        one => vec![one.clone()],
    };
    let (known_list, new_list) = (list(known), list(new));
    let is_in =
        |one: &Value, list: &[Value]| list.contains(one) || (*one == "integer" && list.contains(&json!("number")));
    let mut both: Vec<Value> = known_list.iter().filter(|one| is_in(one, &new_list)).cloned().collect();
    both.extend(new_list.iter().filter(|one| is_in(one, &known_list) && !known_list.contains(one)).cloned());
    if both.is_empty() { known.clone() } else { Value::Array(both) }
}

const PARTS_DEPTH: u32 = 12;
