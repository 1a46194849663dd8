//! Whether a value is one that a schema takes, as far as choosing between alternatives needs it.

use serde_json::{Map, Value};
use sortie_openapi::Description;

use crate::{merged::is_answer, pattern};

pub(crate) struct Reader<'d> {
    description: &'d Description,
}

impl<'d> Reader<'d> {
    pub(crate) fn new(description: &'d Description) -> Self {
        Self { description }
    }

    pub(crate) fn fits(&self, schema: &Value, value: &Value) -> bool {
        let Some(map) = schema.as_object() else { return schema != &Value::Bool(false) };
        if map.contains_key("$ref") {
            let Some(behind) = self.description.resolve(schema) else { return true };
            if !self.fits(behind, value) {
                return false;
            }
        }
        self.fits_choices(map, value) && fits_scalar(map, value) && self.fits_parts(map, value)
    }

    fn fits_choices(&self, map: &Map<String, Value>, value: &Value) -> bool {
        let list = |key: &str| map.get(key).and_then(Value::as_array);
        let count = |list: &Vec<Value>| list.iter().filter(|one| self.fits(one, value)).count();
        if let Some(named) = map.get("discriminator").filter(|_| map.contains_key("oneOf") || map.contains_key("anyOf"))
        {
            return self.fits_named(named, value);
        }
        list("allOf").is_none_or(|all| all.iter().all(|one| self.fits(one, value)))
            && list("anyOf").is_none_or(|any| count(any) > 0)
            && list("oneOf").is_none_or(|one| count(one) == 1)
            && map.get("not").is_none_or(|not| !self.fits(not, value))
    }

    /// The alternative that the value names.
    fn fits_named(&self, named: &Value, value: &Value) -> bool {
        let Some(name) = named["propertyName"].as_str().and_then(|property| value[property].as_str()) else {
            return false;
        };
        let usual = || format!("#/components/schemas/{name}");
        let reference = named["mapping"][name].as_str().map_or_else(usual, str::to_owned);
        let schema = serde_json::json!({ "$ref": reference });
        self.description.resolve(&schema).is_some_and(|schema| self.fits(schema, value))
    }

    fn fits_parts(&self, map: &Map<String, Value>, value: &Value) -> bool {
        let schema = |key: &str| map.get(key).filter(|schema| schema.is_object());
        match value {
            Value::Array(items) => {
                schema("items").is_none_or(|schema| items.iter().all(|item| self.fits(schema, item)))
            }
            Value::Object(members) => {
                let properties = map.get("properties").and_then(Value::as_object);
                let known = |name: &str| properties.and_then(|known| known.get(name));
                let is_answer = |name: &str| known(name).is_some_and(|schema| is_answer(self.description, schema));
                let needed =
                    map.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
                let is_closed = map.get("additionalProperties") == Some(&Value::Bool(false))
                    && !map.contains_key("patternProperties");
                needed.into_iter().all(|name| members.contains_key(name) || is_answer(name))
                    && members.iter().all(|(name, member)| match known(name) {
                        Some(schema) => self.fits(schema, member),
                        None => !is_closed && schema("additionalProperties").is_none_or(|more| self.fits(more, member)),
                    })
            }
            _ => true,
        }
    }
}

fn fits_scalar(map: &Map<String, Value>, value: &Value) -> bool {
    let is = |kind: &Value| match kind.as_str().unwrap_or_default() {
        "string" => value.is_string(),
        "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        _ => true,
    };
    let is_of_type = match map.get("type") {
        Some(Value::Array(kinds)) => kinds.iter().any(is),
        Some(kind) => is(kind),
        None => true,
    };
    let is_chosen = map.get("enum").and_then(Value::as_array).is_none_or(|choices| choices.contains(value));
    let is_constant = map.get("const").is_none_or(|constant| constant == value);
    let is_within = |length: usize, least: &str, most: &str| {
        let bound = |name: &str| map.get(name).and_then(Value::as_u64);
        bound(least).is_none_or(|least| length as u64 >= least) && bound(most).is_none_or(|most| length as u64 <= most)
    };
    let is_sized = match value {
        Value::String(text) => {
            let pattern = map.get("pattern").and_then(Value::as_str);
            is_within(text.chars().count(), "minLength", "maxLength")
                && pattern.is_none_or(|pattern| pattern::fits(pattern, text))
        }
        Value::Array(items) => is_within(items.len(), "minItems", "maxItems"),
        Value::Object(members) => is_within(members.len(), "minProperties", "maxProperties"),
        _ => true,
    };
    is_of_type && is_chosen && is_constant && is_sized
}
