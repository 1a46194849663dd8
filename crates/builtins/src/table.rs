//! The table of all operations, the document that is made of it, and the way to run one.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::{
    dates, digests, encodings, expressions, indicators,
    inputs::{DataError, Inputs},
    json as json_operations, lists, networks, tables, texts, xml,
};

/// One operation of the connector `data`.
#[derive(Debug)]
pub struct Operation {
    /// Lower-case words joined by `-`.
    pub id: &'static str,
    /// One line for people.
    pub title: &'static str,
    /// A sentence: what comes out.
    pub about: &'static str,
    /// What it takes.
    pub inputs: &'static [Input],
    /// JSON: inputs that show what is meant; a test runs them.
    pub example: &'static str,
    pub(crate) run: fn(&Inputs<'_>) -> Result<Value, DataError>,
}

/// One input.
#[derive(Debug)]
pub struct Input {
    /// Its key.
    pub key: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// Whether a call without it is refused.
    pub needed: bool,
    /// What it means.
    pub about: &'static str,
}

/// What an input takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A text.
    Text,
    /// A list of anything.
    List,
    /// An object.
    Object,
    /// True or false.
    Flag,
    /// A whole number.
    Whole,
    /// Anything.
    Any,
    /// One of these words.
    OneOf(&'static [&'static str]),
}

/// All of them, by area.
pub const OPERATIONS: &[&[Operation]] = &[
    dates::OPERATIONS,
    digests::OPERATIONS,
    encodings::OPERATIONS,
    expressions::OPERATIONS,
    indicators::OPERATIONS,
    json_operations::OPERATIONS,
    lists::OPERATIONS,
    networks::OPERATIONS,
    tables::OPERATIONS,
    texts::OPERATIONS,
    xml::OPERATIONS,
];

pub(crate) const fn needed(key: &'static str, kind: Kind, about: &'static str) -> Input {
    Input { key, kind, needed: true, about }
}

pub(crate) const fn optional(key: &'static str, kind: Kind, about: &'static str) -> Input {
    Input { key, kind, needed: false, about }
}

/// Runs the operation of this id.
///
/// # Errors
/// [`DataError`] says which input is wrong and why.
pub fn run(id: &str, inputs: &Map<String, Value>, now: Timestamp) -> Result<Value, DataError> {
    let found = OPERATIONS.iter().flat_map(|area| area.iter()).find(|operation| operation.id == id);
    let operation = found.ok_or_else(|| DataError::NoOperation(id.to_owned()))?;
    (operation.run)(&Inputs { values: inputs, now })
}

/// The table as an OpenAPI document, from which the connector's description is imported.
pub fn document() -> Value {
    let all = OPERATIONS.iter().flat_map(|area| area.iter());
    let paths: Map<String, Value> = all.map(|operation| (format!("/{}", operation.id), path(operation))).collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Data",
            "version": "1",
            "description": "Computes with texts, lists, dates, networks, documents and indicators. It runs inside of Sortie and calls nobody.",
        },
        "x-sortie-native": "data",
        "paths": paths,
    })
}

fn path(operation: &Operation) -> Value {
    let schemas = operation.inputs.iter().map(|input| (input.key.to_owned(), input.schema()));
    let needed: Vec<&str> = operation.inputs.iter().filter(|input| input.needed).map(|input| input.key).collect();
    let mut schema = json!({
        "type": "object",
        "properties": schemas.collect::<Map<_, _>>(),
        "additionalProperties": false,
    });
    if !needed.is_empty() {
        schema["required"] = json!(needed);
    }
    let example: Value = serde_json::from_str(operation.example).expect("a test reads every example");
    let content = json!({ "application/json": { "schema": schema, "example": example } });
    json!({ "post": {
        "operationId": operation.id,
        "summary": operation.title,
        "description": operation.about,
        "x-sortie-effect": "safe",
        "requestBody": { "required": !needed.is_empty(), "content": content },
        "responses": { "200": { "description": operation.about } },
    } })
}

impl Input {
    fn schema(&self) -> Value {
        let mut schema = match self.kind {
            Kind::Text => json!({ "type": "string" }),
            Kind::List => json!({ "type": "array", "items": {} }),
            Kind::Object => json!({ "type": "object" }),
            Kind::Flag => json!({ "type": "boolean" }),
            Kind::Whole => json!({ "type": "integer" }),
            Kind::Any => json!({}),
            Kind::OneOf(words) => json!({ "type": "string", "enum": words }),
        };
        schema["description"] = self.about.into();
        schema
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every example runs, names only inputs that exist, and gives all that are needed.
    #[test]
    fn every_example_is_a_call_that_works() {
        let mut ids: Vec<&str> = Vec::new();
        for operation in OPERATIONS.iter().flat_map(|area| area.iter()) {
            let example: Value = serde_json::from_str(operation.example).unwrap();
            let example = example.as_object().unwrap();
            for key in example.keys() {
                assert!(operation.inputs.iter().any(|input| input.key == key), "{}: {key}", operation.id);
            }
            for input in operation.inputs.iter().filter(|input| input.needed) {
                assert!(example.contains_key(input.key), "{}: {}", operation.id, input.key);
            }
            let ran = run(operation.id, example, Timestamp::UNIX_EPOCH);
            assert!(ran.is_ok(), "{}: {ran:?}", operation.id);
            // Whatever is needed is asked for in words, not by a panic.
            assert!(
                run(operation.id, &Map::new(), Timestamp::UNIX_EPOCH).is_err()
                    || operation.inputs.iter().all(|input| !input.needed),
                "{}",
                operation.id
            );
            ids.push(operation.id);
        }
        let count = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), count, "ids are unique");
        assert!(count >= 45, "{count}");
    }
}
