//! Schemas of every dialect become JSON Schema 2020-12; named and recursive ones become entries of one table.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use serde_json::{Map, Value, json};

use super::Walk;
use crate::{
    description::SCHEMA_PREFIX,
    documents::{Node, Place, Target, text_of},
    report::Format,
};

/// The table while it grows.
#[derive(Default)]
pub(super) struct SchemaTable<'a> {
    names: HashMap<Target, String>,
    taken: HashSet<String>,
    open: VecDeque<(String, Node<'a>)>,
    done: BTreeMap<String, Value>,
}

impl<'a> Walk<'a> {
    /// Gives the document's own named schemas their names, so that those invented later go round them.
    pub(super) fn reserve_schema_names(&mut self) {
        let root = self.documents.root();
        for way in [&["components", "schemas"][..], &["definitions"][..]] {
            let Some(schemas) = way.iter().try_fold(root, |node, key| node.get(key)) else { continue };
            for (name, _) in schemas.entries() {
                let Ok((_, target)) = self.documents.target(0, &pointer(way, name)) else { continue };
                self.schemas.name(target, name);
            }
        }
    }

    /// JSON Schema 2020-12 of the schema at `node`.
    pub(super) fn schema(&mut self, node: Node<'a>, place: &Place<'_>) -> Value {
        self.inline(node, place, 0)
    }

    /// The same for a schema that will stand inside of another one.
    pub(super) fn member_schema(&mut self, node: Node<'a>, place: &Place<'_>) -> Value {
        self.inline(node, place, 1)
    }

    /// Converts what references have named until nothing new comes.
    pub(super) fn finish_schemas(&mut self) -> BTreeMap<String, Value> {
        while let Some((name, node)) = self.schemas.open.pop_front() {
            let top = format!("{}#/components/schemas/{name}", self.documents.path_of(node.file));
            let schema = self.inline(node, &Place::root(&top), 0);
            self.schemas.done.insert(name, schema);
        }
        let mut done = std::mem::take(&mut self.schemas.done);
        for name in empty_cycles(&done) {
            self.notes.add(
                format_args!("#/components/schemas/{name}"),
                "a schema is nothing but a reference to itself; any value is taken",
            );
            done.insert(name, json!({}));
        }
        done
    }

    fn inline(&mut self, node: Node<'a>, place: &Place<'_>, depth: usize) -> Value {
        match node.value {
            Value::Bool(_) => node.value.clone(),
            Value::Object(map) if map.contains_key("$ref") => self.reference(node, map, place, depth),
            Value::Object(map)
                if depth + usize::from(is_wrapped(node, map)) >= INLINE_DEPTH_MAX && is_composite(map) =>
            {
                let target = Target { file: node.file, pointer: place.to_string() };
                self.refer(node, target, "nested")
            }
            Value::Object(map) => self.object(node, map, place, depth),
            _ => {
                self.notes.add(place, "a schema is not an object; any value is taken");
                json!({})
            }
        }
    }

    fn reference(&mut self, node: Node<'a>, map: &'a Map<String, Value>, place: &Place<'_>, depth: usize) -> Value {
        let Some(written) = node.reference() else {
            // A property may be called `$ref`; then this is no schema, and nothing can be said.
            self.notes.add(place, "`$ref` is not a text; any value is taken");
            return json!({});
        };
        let (found, target) = match self.documents.target(node.file, written) {
            Ok(found) => found,
            Err(error) => {
                self.notes.add(place, format!("a schema cannot be found, so any value is taken: {error}"));
                return json!({});
            }
        };
        let mut reference = self.refer(found, target, written);
        if map.len() == 1 {
            return reference;
        }
        // Before 3.1 what stands beside a reference does not count; what only describes is meant all the same.
        let all_count = self.format == Format::OpenApi31;
        let mut beside = Map::new();
        for (key, value) in map {
            let describes = matches!(
                key.as_str(),
                "description" | "title" | "default" | "example" | "examples" | "readOnly" | "writeOnly" | "deprecated"
            );
            if key != "$ref" && (all_count || describes) {
                beside.insert(key.clone(), value.clone());
            }
        }
        if let Some(target) = reference.as_object_mut()
            && !beside.is_empty()
        {
            let converted = self.beside(node, map, &beside, place, depth);
            target.extend(converted);
        }
        if node.flag("nullable") || node.flag("x-nullable") {
            return json!({ "anyOf": [reference, { "type": "null" }] });
        }
        reference
    }

    fn beside(
        &mut self,
        node: Node<'a>,
        map: &'a Map<String, Value>,
        wanted: &Map<String, Value>,
        place: &Place<'_>,
        depth: usize,
    ) -> Map<String, Value> {
        let mut out = Map::new();
        for (key, value) in map {
            if wanted.contains_key(key) {
                self.keyword(&mut out, key, node.of(value), place, depth);
            }
        }
        out
    }

    /// A reference to the table's entry for `target`, which is put in line if it is new.
    fn refer(&mut self, node: Node<'a>, target: Target, written: &str) -> Value {
        let name = match self.schemas.names.get(&target) {
            Some(name) => name.clone(),
            None => {
                let wanted = name_of(&target.pointer, written);
                self.schemas.name(target, &wanted)
            }
        };
        if !self.schemas.done.contains_key(&name) {
            // A placeholder, so that it stands in line once.
            self.schemas.done.insert(name.clone(), Value::Null);
            self.schemas.open.push_back((name.clone(), node));
        }
        json!({ "$ref": format!("{SCHEMA_PREFIX}{name}") })
    }

    fn object(&mut self, node: Node<'a>, map: &'a Map<String, Value>, place: &Place<'_>, depth: usize) -> Value {
        let mut out = Map::new();
        let depth = depth + usize::from(is_wrapped(node, map));
        for (key, value) in map {
            self.keyword(&mut out, key, node.of(value), place, depth);
        }
        self.types(&mut out, map, place);
        exclusive(&mut out, map);
        promote_required(&mut out, map);
        if node.flag("nullable") || node.flag("x-nullable") {
            out = nullable(out);
        }
        Value::Object(out)
    }

    fn keyword(&mut self, out: &mut Map<String, Value>, key: &str, node: Node<'a>, place: &Place<'_>, depth: usize) {
        let here = place.key(key);
        let value = match key {
            "items" if node.value.is_array() => {
                let list = self.list(node, &here, depth);
                out.insert("prefixItems".to_owned(), list);
                return;
            }
            "items"
            | "not"
            | "if"
            | "then"
            | "else"
            | "contains"
            | "propertyNames"
            | "unevaluatedItems"
            | "unevaluatedProperties"
            | "additionalProperties"
            | "contentSchema" => self.inline(node, &here, depth + 1),
            "properties" | "patternProperties" | "dependentSchemas" => {
                let Some(map) = node.object() else {
                    self.notes.add(here, format!("`{key}` of a schema is not an object; it is left out"));
                    return;
                };
                let members = map.iter().map(|(name, value)| {
                    let member = here.key(name);
                    (name.clone(), self.inline(node.of(value), &member, depth + 1))
                });
                Value::Object(members.collect())
            }
            "allOf" | "anyOf" | "oneOf" | "prefixItems" => match node.value {
                Value::Array(items) if !items.is_empty() => self.list(node, &here, depth),
                Value::Object(_) => Value::Array(vec![self.inline(node, &here.index(0), depth + 1)]),
                _ => {
                    self.notes.add(here, format!("`{key}` of a schema is not a list; it is left out"));
                    return;
                }
            },
            _ => return self.payload(out, key, node, here),
        };
        out.insert(key.to_owned(), value);
    }

    /// Keywords whose values are data and not schemas.
    fn payload(&mut self, out: &mut Map<String, Value>, key: &str, node: Node<'a>, here: Place<'_>) {
        let value = match key {
            "enum" => match node.value {
                Value::Array(items) if !items.is_empty() && is_shallow(node.value, PAYLOAD_DEPTH_MAX) => {
                    Value::Array(distinct(items))
                }
                _ => {
                    self.notes.add(here, "`enum` of a schema is not a list of values; it is left out");
                    return;
                }
            },
            "required" => match node.value {
                Value::Array(items) => {
                    let names: Vec<Value> = items.iter().filter(|item| item.is_string()).cloned().collect();
                    if names.is_empty() {
                        return;
                    }
                    Value::Array(distinct(&names))
                }
                _ => return, // A flag that belongs to the parent, which looks for it by itself.
            },
            "example" if is_shallow(node.value, PAYLOAD_DEPTH_MAX - 1) => {
                add_example(out, node.value);
                return;
            }
            "examples" if is_shallow(node.value, PAYLOAD_DEPTH_MAX) => {
                node.items().for_each(|item| add_example(out, item.value));
                return;
            }
            "default" | "const" if is_shallow(node.value, PAYLOAD_DEPTH_MAX) => node.value.clone(),
            "discriminator" => match self.discriminator(node, &here) {
                Some(value) => value,
                None => return,
            },
            _ if is_plain_keyword(key, node.value) => node.value.clone(),
            _ if key.starts_with("x-sortie-") && is_shallow(node.value, PAYLOAD_DEPTH_MAX) => node.value.clone(),
            _ => return,
        };
        out.insert(key.to_owned(), value);
    }

    fn list(&mut self, node: Node<'a>, place: &Place<'_>, depth: usize) -> Value {
        let items = node.items().enumerate().map(|(at, item)| self.inline(item, &place.index(at), depth + 1));
        Value::Array(items.collect())
    }

    fn discriminator(&mut self, node: Node<'a>, place: &Place<'_>) -> Option<Value> {
        // Swagger 2.0 has the property's name alone.
        let name = match node.value {
            Value::String(_) => text_of(node.value)?,
            _ => node.text("propertyName")?,
        };
        let mut mapping = Map::new();
        for (value, to) in node.get("mapping").map(Node::entries).unwrap_or_default() {
            let Some(written) = to.value.as_str() else { continue };
            let as_reference = if written.contains(['#', '/', '.']) {
                written.to_owned()
            } else {
                format!("{SCHEMA_PREFIX}{written}")
            };
            match self.documents.target(node.file, &as_reference) {
                Ok((found, target)) => {
                    let reference = self.refer(found, target, written);
                    mapping.insert(value.to_owned(), reference["$ref"].clone());
                }
                Err(error) => self.notes.add(place, format!("a discriminator's schema cannot be found: {error}")),
            }
        }
        let mut out = Map::from_iter([("propertyName".to_owned(), Value::String(name))]);
        if !mapping.is_empty() {
            out.insert("mapping".to_owned(), Value::Object(mapping));
        }
        Some(Value::Object(out))
    }

    /// `type`, which is misspelt more often than anything else.
    fn types(&mut self, out: &mut Map<String, Value>, map: &Map<String, Value>, place: &Place<'_>) {
        let Some(written) = map.get("type") else { return };
        let words = match written {
            Value::Array(items) => items.as_slice(),
            single => std::slice::from_ref(single),
        };
        let mut types: Vec<&str> = Vec::new();
        for word in words {
            let word = if word.is_null() { "null" } else { word.as_str().unwrap_or_default().trim() };
            let Some((name, format)) = json_type(word) else {
                if word != "any" {
                    self.notes
                        .add(place.key("type"), format!("`{word}` is no type of JSON Schema; any value is taken"));
                }
                return;
            };
            if name != word && word != "file" {
                self.notes.add(place.key("type"), format!("the type `{word}` was read as `{name}`"));
            }
            if let Some(format) = format {
                out.entry("format").or_insert_with(|| Value::String(format.to_owned()));
            }
            if !types.contains(&name) {
                types.push(name);
            }
        }
        match types.as_slice() {
            [] => {}
            [single] => drop(out.insert("type".to_owned(), json!(single))),
            several => drop(out.insert("type".to_owned(), json!(several))),
        }
    }
}

impl SchemaTable<'_> {
    /// The name of `target` from now on: `wanted`, as far as it is free and can stand in a reference.
    fn name(&mut self, target: Target, wanted: &str) -> String {
        let clean: String = wanted
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '_' })
            .take(NAME_CHARS_MAX)
            .collect();
        let clean = if clean.is_empty() { "schema".to_owned() } else { clean };
        let mut name = clean.clone();
        let mut count = 1;
        while !self.taken.insert(name.clone()) {
            count += 1;
            // Short enough to be the same name again when the export is imported.
            name = format!("{}_{count}", &clean[..clean.len().min(NAME_CHARS_MAX - 8)]);
        }
        self.names.insert(target, name.clone());
        name
    }
}

/// The entries that are references and lead back to themselves.
fn empty_cycles(done: &BTreeMap<String, Value>) -> Vec<String> {
    let next = |name: &str| {
        let map = done.get(name)?.as_object()?;
        let reference = map.get("$ref")?.as_str()?;
        reference.strip_prefix(SCHEMA_PREFIX)
    };
    let mut found = Vec::new();
    for start in done.keys() {
        let (mut at, mut steps) = (start.as_str(), 0);
        while let Some(to) = next(at) {
            at = to;
            steps += 1;
            if at == start {
                found.push(start.clone());
                break;
            }
            if steps > done.len().min(CHAIN_MAX) {
                break; // It runs into somebody else's cycle.
            }
        }
    }
    found
}

fn pointer(way: &[&str], name: &str) -> String {
    format!("#/{}/{}", way.join("/"), name.replace('~', "~0").replace('/', "~1"))
}

/// A name for what a pointer or a file holds: the words of the pointer that tell something.
fn name_of(pointer: &str, written: &str) -> String {
    let telling: Vec<&str> = pointer
        .rsplit('#')
        .next()
        .unwrap_or_default()
        .split('/')
        .filter(|part| {
            !matches!(
                *part,
                "" | "components" | "schemas" | "definitions" | "$defs" | "properties" | "schema" | "content" | "paths"
            )
        })
        .collect();
    if telling.is_empty() {
        // A whole file: its name without the ending.
        let file = written.split('#').next().unwrap_or_default().rsplit('/').next().unwrap_or_default();
        return file.split('.').next().unwrap_or_default().to_owned();
    }
    let last = telling.len().saturating_sub(NAME_PARTS_MAX);
    telling[last..].join("_").replace("~1", "_").replace("~0", "_")
}

/// JSON Schema's name of a type, and the format that a misspelt one implies.
pub(super) fn json_type(word: &str) -> Option<(&'static str, Option<&'static str>)> {
    Some(match word.to_ascii_lowercase().as_str() {
        "string" | "str" | "text" | "char" => ("string", None),
        "integer" | "int" => ("integer", None),
        "int32" => ("integer", Some("int32")),
        "int64" | "long" | "timestamp" => ("integer", Some("int64")),
        "number" | "decimal" | "numeric" => ("number", None),
        "float" => ("number", Some("float")),
        "double" => ("number", Some("double")),
        "boolean" | "bool" => ("boolean", None),
        "array" | "list" => ("array", None),
        "object" | "dict" | "map" | "json" | "hash" => ("object", None),
        "null" | "none" => ("null", None),
        "file" | "binary" => ("string", Some("binary")),
        "date" => ("string", Some("date")),
        "datetime" | "date-time" => ("string", Some("date-time")),
        "uuid" | "guid" => ("string", Some("uuid")),
        "uri" | "url" => ("string", Some("uri")),
        "email" => ("string", Some("email")),
        "byte" => ("string", Some("byte")),
        "password" => ("string", Some("password")),
        _ => return None,
    })
}

/// Keywords whose value is kept as it is, if it is of the right type.
fn is_plain_keyword(key: &str, value: &Value) -> bool {
    match key {
        "title" | "description" | "format" | "pattern" | "contentMediaType" | "contentEncoding" => value.is_string(),
        "multipleOf" | "maximum" | "minimum" => value.is_number(),
        "exclusiveMaximum" | "exclusiveMinimum" => value.is_number(),
        "maxLength" | "minLength" | "maxItems" | "minItems" | "maxProperties" | "minProperties" | "maxContains"
        | "minContains" => value.is_u64(),
        "uniqueItems" | "readOnly" | "writeOnly" | "deprecated" => value.is_boolean(),
        "dependentRequired" => value.is_object() && is_shallow(value, 2),
        _ => false,
    }
}

/// Until 3.0 `exclusiveMinimum` was a flag beside `minimum`.
fn exclusive(out: &mut Map<String, Value>, map: &Map<String, Value>) {
    for (flag, bound) in [("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")] {
        if map.get(flag) == Some(&Value::Bool(true))
            && let Some(value) = out.remove(bound)
        {
            out.insert(flag.to_owned(), value);
        }
    }
}

/// `required: true` inside of a property means that the object must have it.
fn promote_required(out: &mut Map<String, Value>, map: &Map<String, Value>) {
    let Some(properties) = map.get("properties").and_then(Value::as_object) else { return };
    let flagged = properties.iter().filter(|(_, schema)| schema.get("required") == Some(&Value::Bool(true)));
    let mut names: Vec<Value> = flagged.map(|(name, _)| Value::String(name.clone())).collect();
    if names.is_empty() {
        return;
    }
    let required = out.entry("required").or_insert_with(|| json!([]));
    if let Value::Array(known) = required {
        names.retain(|name| !known.contains(name));
        names.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
        known.extend(names);
    }
}

fn nullable(mut out: Map<String, Value>) -> Map<String, Value> {
    if !out.contains_key("type") && out.keys().any(|key| WRAPPED.contains(&key.as_str())) {
        return Map::from_iter([("anyOf".to_owned(), json!([out, { "type": "null" }]))]);
    }
    match out.get_mut("type") {
        Some(Value::String(name)) if name != "null" => {
            let both = json!([name, "null"]);
            out.insert("type".to_owned(), both);
        }
        Some(Value::Array(names)) if !names.iter().any(|name| name == "null") => names.push(json!("null")),
        _ => {}
    }
    if let Some(Value::Array(values)) = out.get_mut("enum")
        && !values.contains(&Value::Null)
    {
        values.push(Value::Null);
    }
    out
}

fn add_example(out: &mut Map<String, Value>, value: &Value) {
    let examples = out.entry("examples").or_insert_with(|| json!([]));
    if let Value::Array(known) = examples
        && !known.contains(value)
    {
        known.push(value.clone());
    }
}

fn distinct(items: &[Value]) -> Vec<Value> {
    let mut known: HashSet<String> = HashSet::new();
    items.iter().filter(|item| known.insert(item.to_string())).cloned().collect()
}

/// Whether a schema holds schemas.
fn is_composite(map: &Map<String, Value>) -> bool {
    map.iter().any(|(key, value)| (value.is_object() || value.is_array()) && NESTING.contains(&key.as_str()))
}

/// Whether a nullable schema becomes one of two alternatives, which nests it one level deeper.
fn is_wrapped(node: Node<'_>, map: &Map<String, Value>) -> bool {
    let is_nullable = node.flag("nullable") || node.flag("x-nullable");
    is_nullable && !map.contains_key("type") && map.keys().any(|key| WRAPPED.contains(&key.as_str()))
}

/// Whether a value nests no deeper than this: payloads are copied as they are and must leave room for what is around.
pub(super) fn is_shallow(value: &Value, depth: usize) -> bool {
    match value {
        Value::Array(items) => depth > 0 && items.iter().all(|item| is_shallow(item, depth - 1)),
        Value::Object(map) => depth > 0 && map.values().all(|item| is_shallow(item, depth - 1)),
        _ => true,
    }
}

const WRAPPED: &[&str] = &["allOf", "anyOf", "oneOf", "enum", "not"];
const NESTING: &[&str] = &[
    "properties",
    "items",
    "allOf",
    "anyOf",
    "oneOf",
    "not",
    "additionalProperties",
    "prefixItems",
    "patternProperties",
    "if",
    "then",
    "else",
    "contains",
    "propertyNames",
    "unevaluatedItems",
    "unevaluatedProperties",
    "contentSchema",
    "dependentSchemas",
];
/// Deeper than this a schema becomes an entry of the table of its own.
const INLINE_DEPTH_MAX: usize = 12;
pub(super) const PAYLOAD_DEPTH_MAX: usize = 24;
const NAME_CHARS_MAX: usize = 80;
const NAME_PARTS_MAX: usize = 3;
/// No document chains that many bare references; it bounds the search for cycles among them.
const CHAIN_MAX: usize = 256;
