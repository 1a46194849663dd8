//! What follows from a description by itself: fields of bodies, keys of inputs, effects, pages, rate limits.

use std::collections::{BTreeMap, HashSet};

use serde_json::{Map, Value, json};

use super::{body::Encodings, media};
use crate::{
    description::resolve,
    operation::{
        ArrayStyle, BodyField, BodyForm, Content, Effect, EffectClass, Location, Method, Operation, ParameterForm,
        RateLimit,
    },
};

/// The table that references lead into.
pub(crate) type Schemas = BTreeMap<String, Value>;

/// Makes inputs of the fields of each content.
pub(super) fn fields(content: &mut Content, encodings: &Encodings, schemas: &Schemas) {
    if !matches!(content.form, BodyForm::Json | BodyForm::Form | BodyForm::Multipart) {
        return;
    }
    let mut gathered = Gathered::default();
    gathered.gather(&content.schema, schemas, FIELD_DEPTH_MAX);
    content.open_fields = gathered.open || (gathered.properties.is_empty() && content.form != BodyForm::Json);
    let fields = gathered.properties.into_iter().map(|(name, schema)| {
        let form = content.form;
        let (behind, item) = item_of(&schema, schemas);
        let is_list = is_list(behind);
        let file = form == BodyForm::Multipart && item.is_some_and(media::is_file);
        let written = (form != BodyForm::Json)
            .then(|| encodings.get(&name).cloned().unwrap_or_else(|| usual_form(form, behind, item, file)));
        let joined = matches!(written, Some(ParameterForm::Style { explode: false, .. }));
        BodyField {
            key: String::new(),
            required: gathered.required.contains(&name),
            repeated: form == BodyForm::Multipart && is_list && !joined,
            name,
            schema,
            form: written,
            file,
        }
    });
    content.fields = fields.collect();
}

/// The schema behind a reference, and what a part of a form holds: an item of a list, or the value itself.
pub(crate) fn item_of<'s>(schema: &'s Value, schemas: &'s Schemas) -> (&'s Value, Option<&'s Value>) {
    let behind = resolve(schemas, schema).unwrap_or(schema);
    let item = if is_list(behind) { behind.get("items").and_then(|item| resolve(schemas, item)) } else { Some(behind) };
    (behind, item)
}

fn is_list(schema: &Value) -> bool {
    schema.get("type").is_some_and(|kind| kind == "array")
}

/// How OpenAPI writes a field of a form that has no encoding of its own.
pub(crate) fn usual_form(form: BodyForm, schema: &Value, item: Option<&Value>, file: bool) -> ParameterForm {
    let is_object =
        |schema: &Value| schema.get("type").is_some_and(|kind| kind == "object") || schema.get("properties").is_some();
    let content = |media_type: &str| ParameterForm::Content { media_type: media_type.to_owned() };
    match form {
        BodyForm::Multipart if file => content("application/octet-stream"),
        BodyForm::Multipart if item.is_some_and(is_object) => content("application/json"),
        BodyForm::Multipart => content("text/plain"),
        _ if is_object(schema) => content("application/json"),
        _ => ParameterForm::Style { style: ArrayStyle::Form, explode: true, allow_reserved: false },
    }
}

/// The properties that an object's value may have, from wherever its schema says so.
#[derive(Default)]
struct Gathered {
    properties: Map<String, Value>,
    required: HashSet<String>,
    open: bool,
}

impl Gathered {
    fn gather(&mut self, schema: &Value, schemas: &Schemas, depth: usize) {
        let Some(Value::Object(map)) = resolve(schemas, schema) else { return };
        let Some(depth) = depth.checked_sub(1) else { return };
        for part in map.get("allOf").and_then(Value::as_array).into_iter().flatten() {
            self.gather(part, schemas, depth);
        }
        for key in ["oneOf", "anyOf"] {
            if let Some(Value::Array(parts)) = map.get(key) {
                self.gather_one_of(parts, schemas, depth);
            }
        }
        match map.get("additionalProperties") {
            Some(Value::Bool(open)) => self.open |= open,
            Some(Value::Object(_)) => self.open = true,
            _ => {}
        }
        let required = map.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        self.required.extend(required.map(str::to_owned));
        for (name, property) in map.get("properties").and_then(Value::as_object).into_iter().flatten() {
            let behind = resolve(schemas, property).unwrap_or(property);
            let read_only = |schema: &Value| schema.get("readOnly") == Some(&Value::Bool(true));
            if read_only(property) || read_only(behind) {
                self.properties.remove(name);
            } else {
                self.properties.insert(name.clone(), property.clone());
            }
        }
    }

    /// Of alternatives, every field is welcome, and required only if all of them require it.
    fn gather_one_of(&mut self, parts: &[Value], schemas: &Schemas, depth: usize) {
        let mut required: Option<HashSet<String>> = None;
        for part in parts.iter().filter(|part| part.get("type").is_none_or(|kind| kind != "null")) {
            let mut own = Self::default();
            own.gather(part, schemas, depth);
            self.open |= own.open;
            required = Some(match required {
                Some(required) => required.intersection(&own.required).cloned().collect(),
                None => own.required,
            });
            for (name, schema) in own.properties {
                match self.properties.get_mut(&name) {
                    None => drop(self.properties.insert(name, schema)),
                    Some(known) if *known == schema => {}
                    Some(known) => match known.get_mut("anyOf").and_then(Value::as_array_mut) {
                        Some(list) if !list.contains(&schema) && list.len() < ALTERNATIVE_COUNT_MAX => {
                            list.push(schema)
                        }
                        Some(_) => {}
                        None => *known = json!({ "anyOf": [known.clone(), schema] }),
                    },
                }
            }
        }
        self.required.extend(required.unwrap_or_default());
    }
}

/// Gives every input a key that no other input of the operation has.
pub(super) fn keys(operation: &mut Operation) {
    let mut taken: HashSet<String> = HashSet::new();
    // What stands in the path keeps its plain name.
    for in_path in [true, false] {
        for parameter in &mut operation.parameters {
            if (parameter.location == Location::Path) == in_path {
                parameter.key = free(&taken, &parameter.name, parameter.location.as_str());
                taken.insert(parameter.key.clone());
            }
        }
    }
    let Some(body) = &mut operation.body else { return };
    let mut all = taken.clone();
    for content in &mut body.contents {
        let mut here = taken.clone();
        for field in &mut content.fields {
            field.key = free(&here, &field.name, "body");
            here.insert(field.key.clone());
        }
        all.extend(here);
    }
    body.key = free(&all, "body", "whole");
}

fn free(taken: &HashSet<String>, name: &str, prefix: &str) -> String {
    if !taken.contains(name) {
        return name.to_owned();
    }
    let mut key = format!("{prefix}_{name}");
    let mut count = 1;
    while taken.contains(&key) {
        count += 1;
        key = format!("{prefix}_{name}_{count}");
    }
    key
}

/// Decides what each call does, where the document does not.
///
/// PUT and DELETE are idempotent by RFC 9110 (9.2.2). PATCH is not by itself: it counts as an overwrite only where what
/// it writes can be read back, so that doubt is settled by looking; JSON Patch never, because it may append.
pub(super) fn effects(operations: &mut [Operation]) {
    let readers: BTreeMap<String, String> = operations
        .iter()
        .filter(|operation| operation.method == Method::Get)
        .map(|operation| (shape_of(&operation.path), operation.id.clone()))
        .rev() // Of several readers of one path the first one counts.
        .collect();
    for operation in operations {
        let read_by = readers.get(&shape_of(&operation.path)).cloned();
        let key = operation.parameters.iter().find(|parameter| is_key(&parameter.name, parameter.location));
        let key = key.map(|parameter| parameter.key.clone());
        let effect = &mut operation.effect;
        if !effect.stated {
            effect.class = match operation.method {
                Method::Get | Method::Head | Method::Options | Method::Trace | Method::Query => EffectClass::Safe,
                _ if key.is_some() => EffectClass::Keyed,
                Method::Put | Method::Delete => EffectClass::Overwrite,
                Method::Patch if read_by.is_some() && !takes_json_patch(operation.body.as_ref()) => {
                    EffectClass::Overwrite
                }
                Method::Patch | Method::Post => EffectClass::Unsafe,
            };
        }
        let Effect { class, read_by: stated_reader, key: stated_key, .. } = effect;
        *stated_reader = stated_reader.take().or(read_by).filter(|_| *class == EffectClass::Overwrite);
        *stated_key = stated_key.take().or(key).filter(|_| *class == EffectClass::Keyed);
    }
}

fn takes_json_patch(body: Option<&crate::operation::Body>) -> bool {
    body.is_some_and(|body| {
        body.contents.iter().any(|content| content.media_type.starts_with("application/json-patch+json"))
    })
}

/// The path with its placeholders' names left out: `/x/{id}` and `/x/{key}` are one place.
fn shape_of(path: &str) -> String {
    let mut shape = String::with_capacity(path.len());
    let mut inside = false;
    for c in path.chars() {
        if c == '}' {
            inside = false;
        }
        if !inside {
            shape.push(c);
        }
        if c == '{' {
            inside = true;
        }
    }
    shape
}

fn is_key(name: &str, location: Location) -> bool {
    let name = name.to_ascii_lowercase().replace('_', "-");
    location == Location::Header && (name.contains("idempotency") || name == "repeatability-request-id")
}

/// What the answers say about being called too often.
pub(super) fn rate_limit(operation: &Operation) -> Option<RateLimit> {
    let mut limit = RateLimit { documented: operation.outputs.contains_key("429"), headers: Vec::new() };
    for header in operation.outputs.values().flat_map(|output| &output.headers) {
        let name = header.to_ascii_lowercase();
        let tells = name == "retry-after" || name.contains("ratelimit") || name.contains("rate-limit");
        if tells && !limit.headers.contains(header) {
            limit.headers.push(header.clone());
        }
    }
    (limit != RateLimit::default()).then_some(limit)
}

const FIELD_DEPTH_MAX: usize = 8;
const ALTERNATIVE_COUNT_MAX: usize = 16;
