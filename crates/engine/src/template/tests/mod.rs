//! The rules of the language, each by its name.

mod filters;
mod jinja;
mod limits;
mod properties;
mod reads;
mod refusals;
mod rules;
mod texts;

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Budget, Expression, Names, Scope, Template, TemplateError};

/// What every test reads unless it brings its own.
fn values() -> Value {
    json!({
        "trigger": {
            "incident": {
                "id": "29", "title": "{{ 7*7 }}", "score": 7, "ratio": 0.5, "big": u64::MAX, "small": i64::MIN,
                "open": true, "owner": null, "tags": ["b", "a"], "@odata.type": "x", "empty": "",
                "devices": [
                    { "name": "ws-1", "risk": "high", "score": 3, "owner": { "name": "ann" } },
                    { "name": "ws-2", "risk": "low", "score": 1, "owner": { "name": "bob" } },
                ],
            },
        },
        "inputs": { "limit": 3 },
        "run": { "id": "r1", "url": "https://sortie.example/r1", "started_at": "2026-01-02T03:04:05Z", "workflow": "w", "version": "v" },
        "tenant": { "id": "t1" },
        "vars": { "team": "blue" },
        "device": { "mdeDeviceId": "d1" },
        "index": 0,
    })
}

fn names() -> Names {
    Names::of_a_step().with("device").with("index")
}

fn now() -> Timestamp {
    "2026-01-02T03:04:05Z".parse().unwrap()
}

fn scope(values: &Value) -> Scope {
    let mut scope = Scope::new(now());
    for (name, value) in values.as_object().unwrap() {
        scope = scope.with(name, Arc::new(value.clone()));
    }
    let machine = json!({ "riskScore": "High", "id": "m1", "tags": [1, 2] });
    scope
        .with_step("machine", Arc::new(machine), Arc::new(Value::Null), "succeeded")
        .with_step("fetch-it", Arc::new(json!({ "n": 1 })), Arc::new(Value::Null), "succeeded")
        .with_step("gone", Arc::new(Value::Null), Arc::new(json!({ "kind": "refused" })), "failed")
}

/// The text's value with the usual values.
fn value(text: &str) -> Result<Value, TemplateError> {
    let template = Template::compile(text, &names())?;
    template.evaluate(&scope(&values()), Budget::default())
}

#[track_caller]
fn check(text: &str, expected: impl Into<Value>) {
    assert_eq!(value(text).map_err(|error| error.to_string()), Ok(expected.into()), "{text}");
}

/// The value of an expression alone.
#[track_caller]
fn is(expression: &str, expected: impl Into<Value>) {
    check(&format!("{{{{ {expression} }}}}"), expected);
}

/// The text has no value; the sentence has all these parts, and the span holds what it is about.
#[track_caller]
fn fails(text: &str, about: &str, parts: &[&str]) {
    let error = match value(text) {
        Ok(value) => panic!("{text} gives {value}"),
        Err(error) => error,
    };
    let sentence = error.to_string();
    for part in parts {
        assert!(sentence.contains(part), "{text}: `{part}` is missing in: {sentence}");
    }
    assert_eq!(&text[error.span()], about, "{sentence}");
}

#[track_caller]
fn errs(expression: &str, about: &str, parts: &[&str]) {
    fails(&format!("{{{{ {expression} }}}}"), about, parts);
}

fn bare(text: &str) -> Result<Expression, TemplateError> {
    Expression::compile(text, &names())
}
