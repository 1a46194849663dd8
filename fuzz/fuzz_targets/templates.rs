//! The templates of the workflow language: any text has a value or an error within its budget, an error points into the text,
//! and data that looks like a template passes through as it came.
#![no_main]

use std::sync::{Arc, OnceLock};

use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};
use sortie_engine::template::{Budget, Expression, Names, Scope, Template, TemplateError};

fn scope(text: &str) -> Scope {
    let incident = json!({
        "id": "29", "score": 7, "ratio": 0.5, "open": true, "owner": null, "tags": ["b", "a"], "title": text,
        "devices": [{ "name": "ws-1", "risk": "high" }, { "name": "ws-2", "risk": "low" }, null],
    });
    Scope::new(Default::default())
        .with("trigger", Arc::new(json!({ "incident": incident })))
        .with("vars", Arc::new(json!({ "n": 3 })))
        .with_step("m", Arc::new(json!({ "n": [1, 2.5, -3] })), Arc::new(Value::Null), "succeeded")
}

fn check(result: Result<Value, TemplateError>, text: &str) {
    match result {
        Ok(value) => assert!(value.as_str().is_none_or(|text| text.len() <= BUDGET.value_bytes_max)),
        Err(error) => {
            assert!(text.get(error.span()).is_some(), "{error}");
            let _ = error.to_string();
        }
    }
}

const BUDGET: Budget = Budget { work_max: 50_000, text_bytes_max: 50_000, value_bytes_max: 200_000 };

fuzz_target!(|input: &[u8]| {
    static NAMES: OnceLock<Names> = OnceLock::new();
    let names = NAMES.get_or_init(Names::of_a_step);
    let text = String::from_utf8_lossy(input);
    let scope = scope(&text);
    match Template::compile(&text, names) {
        Ok(template) => check(template.evaluate(&scope, BUDGET), &text),
        Err(error) => check(Err(error), &text),
    }
    match Expression::compile(&text, names) {
        Ok(expression) => check(expression.evaluate(&scope, BUDGET), &text),
        Err(error) => check(Err(error), &text),
    }
    static THROUGH: OnceLock<Template> = OnceLock::new();
    let through = THROUGH.get_or_init(|| Template::compile("{{ trigger.incident.title }}", names).expect("it is one"));
    assert_eq!(through.evaluate(&scope, Budget::default()).expect("it is there"), &*text);
});
