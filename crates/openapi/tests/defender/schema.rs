//! As much of JSON Schema as the document uses. A keyword that is not known here fails the test instead of passing it.

use std::collections::BTreeMap;

use serde_json::Value;

/// Schemas by their names.
#[derive(Clone, Copy)]
pub(crate) struct Schemas<'a> {
    pub(crate) table: &'a BTreeMap<String, Value>,
}

/// What a member means that a schema does not list.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Members {
    /// It is welcome, unless the schema forbids it; JSON Schema's own rule.
    Closed,
    /// It is unknown, unless the schema welcomes others.
    Known,
}

/// The members that an object may have, from wherever its schema says so.
#[derive(Default)]
struct Listed<'a> {
    properties: BTreeMap<&'a str, &'a Value>,
    required: Vec<&'a str>,
    more: Option<&'a Value>,
}

impl<'a> Schemas<'a> {
    /// Every way in which the value does not fit the schema.
    pub(crate) fn misfits(self, schema: &'a Value, value: &Value, members: Members) -> Vec<String> {
        let mut found = Vec::new();
        self.walk(schema, value, members, String::new(), &mut found);
        found
    }

    /// The schema of what a pointer leads to in values of `schema`.
    pub(crate) fn at(self, schema: &'a Value, pointer: &str) -> Option<&'a Value> {
        let mut schema = self.resolve(schema);
        for name in pointer.split('/').skip(1) {
            schema = self.resolve(self.listed(schema).properties.get(name)?);
        }
        Some(schema)
    }

    fn resolve(self, schema: &'a Value) -> &'a Value {
        let mut schema = schema;
        while let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
            schema = &self.table[reference.strip_prefix("#/components/schemas/").unwrap()];
        }
        schema
    }

    fn listed(self, schema: &'a Value) -> Listed<'a> {
        let schema = self.resolve(schema);
        let mut listed = Listed { more: schema.get("additionalProperties"), ..Listed::default() };
        for part in schema.get("allOf").and_then(Value::as_array).into_iter().flatten() {
            let part = self.listed(part);
            listed.properties.extend(part.properties);
            listed.required.extend(part.required);
            listed.more = listed.more.or(part.more);
        }
        let own = schema.get("properties").and_then(Value::as_object);
        listed.properties.extend(own.into_iter().flatten().map(|(name, schema)| (name.as_str(), schema)));
        let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
        listed.required.extend(required.filter_map(Value::as_str));
        listed
    }

    fn walk(self, schema: &'a Value, value: &Value, members: Members, at: String, found: &mut Vec<String>) {
        let schema = self.resolve(schema);
        let keywords = schema.as_object().unwrap();
        for (keyword, limit) in keywords {
            let fits = match keyword.as_str() {
                "type" => is_of_type(value, limit),
                "const" => value == limit,
                "enum" => limit.as_array().unwrap().contains(value),
                "minimum" => value.as_f64().is_none_or(|number| number >= limit.as_f64().unwrap()),
                "maximum" => value.as_f64().is_none_or(|number| number <= limit.as_f64().unwrap()),
                "minLength" => value.as_str().is_none_or(|text| text.chars().count() as u64 >= limit.as_u64().unwrap()),
                "minItems" => value.as_array().is_none_or(|list| list.len() as u64 >= limit.as_u64().unwrap()),
                "maxItems" => value.as_array().is_none_or(|list| list.len() as u64 <= limit.as_u64().unwrap()),
                "minProperties" => value.as_object().is_none_or(|map| map.len() as u64 >= limit.as_u64().unwrap()),
                "pattern" => value.as_str().is_none_or(|text| is_match(text, limit.as_str().unwrap())),
                // Looked at below, or about nothing that can be wrong.
                "properties"
                | "required"
                | "additionalProperties"
                | "items"
                | "allOf"
                | "anyOf"
                | "description"
                | "format"
                | "default"
                | "example"
                | "contentMediaType" => true,
                other => panic!("{at}: the keyword `{other}` is not known to this test"),
            };
            if !fits {
                found.push(format!("{at}: {value} does not fit {keyword}"));
            }
        }
        if let Some(parts) = keywords.get("anyOf").and_then(Value::as_array) {
            found.extend(self.best(parts, value, members, &at));
        } else {
            self.object(schema, value, members, &at, found);
        }
        if let (Some(item), Some(list)) = (keywords.get("items"), value.as_array()) {
            for (index, value) in list.iter().enumerate() {
                self.walk(item, value, members, format!("{at}/{index}"), found);
            }
        }
    }

    fn object(self, schema: &'a Value, value: &Value, members: Members, at: &str, found: &mut Vec<String>) {
        let Some(map) = value.as_object() else { return };
        let listed = self.listed(schema);
        let missing = listed.required.iter().filter(|name| !map.contains_key(**name));
        found.extend(missing.map(|name| format!("{at}: no `{name}`")));
        for (name, value) in map {
            let at = format!("{at}/{name}");
            match (listed.properties.get(name.as_str()), listed.more) {
                (Some(schema), _) => self.walk(schema, value, members, at, found),
                (None, Some(Value::Bool(true))) => {}
                (None, Some(schema @ Value::Object(_))) => self.walk(schema, value, members, at, found),
                (None, None) if members == Members::Closed => {}
                (None, _) => found.push(format!("{at}: unknown")),
            }
        }
    }

    /// What is wrong beside the alternative that fits best: the one of the value's type, if it names one.
    fn best(self, parts: &'a [Value], value: &Value, members: Members, at: &str) -> Vec<String> {
        let of_type = |part: &&Value| {
            let kind = self.listed(part).properties.get(TYPE).and_then(|schema| schema.get("const"));
            kind.is_some() && kind == value.get(TYPE)
        };
        let tried = |part: &'a Value| {
            let mut found = Vec::new();
            self.walk(part, value, members, at.to_owned(), &mut found);
            found
        };
        match parts.iter().find(of_type) {
            Some(part) => tried(part),
            None => parts.iter().map(tried).min_by_key(Vec::len).unwrap(),
        }
    }
}

fn is_of_type(value: &Value, kind: &Value) -> bool {
    let is = |kind: &Value| match kind.as_str().unwrap() {
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "object" => value.is_object(),
        "array" => value.is_array(),
        "null" => value.is_null(),
        other => panic!("`{other}` is no type"),
    };
    kind.as_array().map_or_else(|| is(kind), |kinds| kinds.iter().any(is))
}

fn is_match(text: &str, pattern: &str) -> bool {
    match pattern {
        "^[0-9A-Fa-f]{40}$" => text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit()),
        other => panic!("the pattern `{other}` is not known to this test"),
    }
}

const TYPE: &str = "@odata.type";
