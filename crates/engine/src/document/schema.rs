//! The form of a workflow document as JSON Schema (draft 2020-12), for editors. What the reader refuses beyond it (an id that
//! two steps have, a `changed` without `updated`) a schema cannot say.

use serde_json::{Value, json};

/// The schema. It is published as `docs/workflow.schema.json`.
pub fn schema() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Sortie workflow",
        "type": "object",
        "required": ["workflow", "steps"],
        "additionalProperties": false,
        "properties": {
            "workflow": { "$ref": "#/$defs/id" },
            "title": { "type": "string" },
            "note": { "type": "string" },
            "tenants": { "oneOf": [{ "const": "all" }, { "type": "array", "minItems": 1, "items": { "type": "string" } }] },
            "triggers": { "type": "array", "items": { "$ref": "#/$defs/trigger" } },
            "vars": { "$ref": "#/$defs/values" },
            "concurrency": {
                "type": "object", "required": ["key"], "additionalProperties": false,
                "properties": { "key": { "type": "string" }, "when_busy": { "enum": ["queue", "drop", "replace"] } }
            },
            "steps": { "$ref": "#/$defs/steps" },
            "output": {},
            "layout": { "type": "object" }
        },
        "$defs": {
            "id": { "type": "string", "pattern": "^[a-z][a-z0-9_]*(-[a-z0-9_]+)*$", "maxLength": 64 },
            "name": { "type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$", "maxLength": 64 },
            "expression": { "type": "string", "description": "A bare expression, without {{ }}." },
            "duration": { "type": "string", "pattern": "^\\s*([0-9]+(ms|s|m|h|d)\\s*)+$", "examples": ["90s", "30m", "4h", "1d 12h"] },
            "values": { "type": "object", "propertyNames": { "$ref": "#/$defs/name" } },
            "operation": { "type": "string", "pattern": "^[^/]+/.+$", "examples": ["microsoft-365-defender/isolate-device"] },
            "steps": { "type": "array", "minItems": 1, "items": { "$ref": "#/$defs/step" } },
            "step": step(),
            "approval": approval(),
            "trigger": trigger(),
            "inputs": inputs(),
            "change": change(),
        }
    })
}

fn step() -> Value {
    json!({
        "type": "object",
        "required": ["id"],
        "additionalProperties": false,
        "oneOf": VERBS.iter().map(|verb| json!({ "required": [verb] })).collect::<Vec<_>>(),
        "dependentRequired": { "as": ["for_each"], "parallel": ["for_each"], "steps": ["for_each"] },
        "properties": {
            "id": { "$ref": "#/$defs/id" },
            "title": { "type": "string" },
            "note": { "type": "string" },
            "disabled": { "type": "boolean" },
            "after": { "type": "array", "items": { "oneOf": [
                { "$ref": "#/$defs/id" },
                {
                    "type": "object", "required": ["step"], "additionalProperties": false,
                    "properties": {
                        "step": { "$ref": "#/$defs/id" },
                        "accept": { "type": "array", "items": { "enum": ["succeeded", "failed", "skipped", "timed_out"] } }
                    }
                }
            ] } },
            "run": { "enum": ["on_success", "on_failure", "always"] },
            "when": { "$ref": "#/$defs/expression" },
            "for_each": { "$ref": "#/$defs/expression" },
            "as": { "$ref": "#/$defs/name" },
            "parallel": { "type": "integer", "minimum": 1, "maximum": 50 },
            "call": { "$ref": "#/$defs/operation" },
            "workflow": { "$ref": "#/$defs/id" },
            "approval": { "$ref": "#/$defs/approval" },
            "wait": {
                "type": "object", "minProperties": 1, "maxProperties": 1, "additionalProperties": false,
                "properties": { "for": { "type": "string" }, "until": { "type": "string" } }
            },
            "code": { "type": "string" },
            "set": { "$ref": "#/$defs/values" },
            "respond": {},
            "stop": {
                "type": "object", "required": ["outcome"], "additionalProperties": false,
                "properties": { "outcome": { "enum": ["succeeded", "failed", "cancelled"] }, "message": { "type": "string" } }
            },
            "steps": { "$ref": "#/$defs/steps" },
            "with": {},
            "connection": { "type": "string" },
            "await": { "type": "boolean" },
            "all_pages": { "type": "boolean" },
            "background": { "type": "boolean" },
            "retry": {
                "type": "object", "additionalProperties": false,
                "properties": {
                    "attempts": { "type": "integer", "minimum": 1, "maximum": 100 },
                    "first": { "$ref": "#/$defs/duration" },
                    "max": { "$ref": "#/$defs/duration" }
                }
            },
            "timeout": { "$ref": "#/$defs/duration" },
            "on_timeout": { "enum": ["leave", "cancel"] },
            "on_error": { "enum": ["fail", "continue"] },
            "on_doubt": { "enum": ["probe", "ask"] }
        }
    })
}

fn approval() -> Value {
    json!({
        "type": "object", "required": ["ask"], "additionalProperties": false,
        "properties": {
            "ask": { "type": "string" },
            "roles": { "type": "array", "items": { "enum": ["responder", "engineer", "admin"] } },
            "within": { "$ref": "#/$defs/duration" },
            "otherwise": { "enum": ["reject", "stop"] },
            "own": { "enum": ["allowed", "refused"] },
            "notify": {
                "type": "object", "required": ["operation"], "additionalProperties": false,
                "properties": { "operation": { "$ref": "#/$defs/operation" }, "connection": { "type": "string" }, "with": {} }
            }
        }
    })
}

fn trigger() -> Value {
    let one = |name: &str, schema: Value| json!({ "type": "object", "required": [name], "additionalProperties": false, "properties": { name: schema } });
    let map = |properties: Value| json!({ "type": ["object", "null"], "additionalProperties": false, "properties": properties });
    let change = json!({ "$ref": "#/$defs/change" });
    let inputs = json!({ "$ref": "#/$defs/inputs" });
    let duration = json!({ "$ref": "#/$defs/duration" });
    json!({ "oneOf": [
        { "enum": ["manual", "incident", "alert", "webhook", "workflow"] },
        one("manual", map(json!({ "inputs": inputs, "needs": { "enum": ["incident", "alert", "device"] } }))),
        one("incident", change.clone()),
        one("alert", change),
        one("schedule", map(json!({
            "cron": { "type": "string" }, "zone": { "type": "string" }, "every": duration,
            "catch_up": { "enum": ["one", "all", "none"] }
        }))),
        one("webhook", map(json!({
            "secure": { "enum": ["hmac", "token"] }, "dedupe": { "$ref": "#/$defs/expression" }, "answers": { "type": "boolean" }
        }))),
        one("hunt", map(json!({ "query": { "type": "string" }, "every": duration, "batch": { "type": "boolean" } }))),
        one("workflow", map(json!({ "inputs": inputs }))),
    ] })
}

fn change() -> Value {
    json!({
        "type": ["object", "null"], "additionalProperties": false,
        "properties": {
            "on": { "type": "array", "items": { "enum": ["created", "updated", "resolved"] } },
            "changed": { "type": "array", "items": { "type": "string" } },
            "where": { "$ref": "#/$defs/expression" }
        }
    })
}

fn inputs() -> Value {
    let kinds = json!(["string", "number", "integer", "boolean", "list", "object", "any"]);
    json!({
        "type": "object", "propertyNames": { "$ref": "#/$defs/name" },
        "additionalProperties": { "oneOf": [
            { "enum": kinds },
            {
                "type": "object", "additionalProperties": false,
                "properties": {
                    "type": { "enum": kinds }, "default": {}, "choices": { "type": "array" }, "title": { "type": "string" }
                }
            }
        ] }
    })
}

const VERBS: &[&str] = &["call", "workflow", "approval", "wait", "code", "set", "respond", "stop", "steps"];

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;
    use crate::{
        document::read::{STEP_KEYS, WORKFLOW_KEYS},
        text,
    };

    #[test]
    fn the_published_schema_is_this_one() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/workflow.schema.json");
        let own = format!("{:#}\n", schema());
        if std::env::var_os("SORTIE_WRITE").is_some() {
            fs::write(&path, &own).unwrap();
        }
        let published = fs::read_to_string(&path).unwrap_or_default();
        assert!(published == own, "docs/workflow.schema.json is not fresh; SORTIE_WRITE=1 writes it");
    }

    #[test]
    fn reader_and_schema_know_the_same_keys() {
        #[track_caller]
        fn check(of: &Value, keys: &[&str]) {
            let mut known: Vec<&str> = of["properties"].as_object().unwrap().keys().map(String::as_str).collect();
            let mut keys = keys.to_vec();
            known.sort_unstable();
            keys.sort_unstable();
            assert_eq!(known, keys);
        }
        check(&schema(), WORKFLOW_KEYS);
        check(&schema()["$defs"]["step"], STEP_KEYS);
    }

    /// What the reader takes fits the schema, and what it refuses by form does not.
    #[test]
    fn reader_and_schema_say_the_same_of_documents() {
        let schema = jsonschema::validator_for(&schema()).unwrap();
        let check = |text: &str| {
            let mut problems = text::Problems::default();
            let node = text::read(text, &mut problems).unwrap_or_else(|| panic!("{text}"));
            let (fits, reads) = (schema.is_valid(&node.to_json()), crate::document::read(text).is_ok());
            assert_eq!(fits, reads, "{text}: {:?}", crate::document::read(text).err());
        };
        check(crate::document::read::tests::EXAMPLE);
        for step in [
            "set: { x: 1 }",
            "set: { 'x y': 1 }",
            "call: a/b, with: { x: 1 }, await: true, retry: { attempts: 3, first: 2s }",
            "call: a",
            "wait: { for: 1h }",
            "wait: {}",
            "wait: { for: 1h, until: x }",
            "approval: { ask: x, within: 4h, roles: [responder] }",
            "approval: { ask: x, otherwise: approve }",
            "stop: { outcome: skipped }",
            "set: { x: 1 }, run: sometimes",
            "set: { x: 1 }, after: [{ step: b, accept: [cancelled] }]",
            "for_each: x, steps: [{ id: b, code: y }]",
            "steps: [{ id: b, code: y }]",
            "set: { x: 1 }, call: a/b",
            "set: { x: 1 }, timeout: soon",
        ] {
            check(&format!("workflow: w\nsteps:\n  - {{ id: a, {step} }}\n"));
        }
        for trigger in [
            "manual",
            "{ incident: { on: [created] } }",
            "{ incident: { on: [gone] } }",
            "{ manual: { inputs: { a: string } } }",
            "{ manual: { inputs: { a: text } } }",
            "{ nothing: {} }",
        ] {
            check(&format!("workflow: w\ntriggers: [{trigger}]\nsteps: [{{ id: a, code: x }}]\n"));
        }
    }
}
