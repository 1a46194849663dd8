//! The validator, in an installation that has connectors, connections and workflows: every problem of any document is told at a
//! place within it, and nothing else happens.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::json;
use sortie_engine::{
    catalog::{Callable, Catalog, Connection, Found, Operation},
    decide::Class,
    document::read,
    validate::validate,
};

struct Somewhere;

impl Catalog for Somewhere {
    fn operation(&self, connector: &str, operation: &str) -> Found<Operation> {
        let class = match (connector, operation) {
            ("x", "get") => Class::Safe,
            ("x", "put") => Class::Overwrite,
            ("x", "isolate") => Class::Probed,
            ("x", _) => return Found::Unknown { what: "operation", known: vec!["get".into(), "put".into()] },
            ("dark", _) => return Found::Undecided,
            _ => return Found::Unknown { what: "connector", known: vec!["x".into()] },
        };
        Found::Known(Operation {
            class,
            inputs: json!({
                "type": "object",
                "required": ["id"],
                "properties": {
                    "id": { "type": "string" },
                    "count": { "type": ["integer", "null"], "minimum": 0 },
                    "kind": { "enum": ["Full", "Selective"] },
                    "list": { "type": "array", "items": { "$ref": "#/components/schemas/Deep" } },
                },
                "additionalProperties": false,
                "components": { "schemas": { "Deep": { "type": "object", "properties": { "deep": { "$ref": "#/components/schemas/Deep" } } } } },
            }),
            roles: vec!["Machine.Isolate".into()],
            can_await: class == Class::Probed,
            can_cancel: class == Class::Probed,
            has_pages: class == Class::Safe,
        })
    }

    fn connection(&self, connector: &str, name: Option<&str>) -> Found<Connection> {
        match (connector, name) {
            ("x", None | Some("main")) => Found::Known(Connection { name: "main".into(), roles: Some(Vec::new()) }),
            _ => Found::Unknown { what: "connection", known: vec!["main".into()] },
        }
    }

    fn workflow(&self, id: &str) -> Found<Callable> {
        match id {
            "other" => {
                let inputs =
                    json!({ "type": "object", "properties": { "n": { "type": "integer" } }, "required": ["n"] });
                Found::Known(Callable { has_trigger: true, inputs })
            }
            _ => Found::Unknown { what: "workflow", known: vec!["other".into()] },
        }
    }
}

fuzz_target!(|text: &str| {
    let Ok(workflow) = read(text) else { return };
    let problems = validate(&workflow, &Somewhere);
    for problem in &problems {
        assert!(problem.span.start <= problem.span.end && problem.span.end as usize <= text.len(), "{problem:?}");
        assert!(!problem.what.is_empty(), "{problem:?}");
    }
    assert_eq!(validate(&workflow, &Somewhere), problems, "the same again");
});
