//! Whether what a step gives fits what an operation takes: the document's own validation says so.

use std::sync::LazyLock;

use serde_json::Value;
use sortie_engine::{
    catalog::{Callable, Catalog, Connection, Found, Operation},
    decide::Class,
    document::read,
    text::Code,
    validate::validate,
};

use crate::yaml::{Yaml, member};

/// The inputs of a built-in operation, as its own document has them.
pub(super) fn built_in(call: &str) -> Option<&'static Value> {
    BUILT_IN.get(call)
}

/// Why the inputs do not fit the schema.
pub(super) fn misfit(call: &str, with: &Yaml, schema: &Value) -> Option<String> {
    let mut text = String::from("workflow: w\nsteps:\n  - id: s\n");
    member("call", &Yaml::text(call), 4, &mut text);
    member("with", with, 4, &mut text);
    let workflow = match read(&text) {
        Ok(workflow) => workflow,
        Err(problems) => return Some(problems.first().map_or_else(String::new, |problem| problem.what.clone())),
    };
    let problems = validate(&workflow, &One(schema));
    problems
        .into_iter()
        .find(|problem| matches!(problem.code, Code::Input | Code::WrongKind))
        .map(|problem| problem.what)
}

/// One operation is all that there is.
struct One<'s>(&'s Value);

impl Catalog for One<'_> {
    fn operation(&self, _: &str, _: &str) -> Found<Operation> {
        Found::Known(Operation {
            class: Class::Safe,
            inputs: self.0.clone(),
            roles: Vec::new(),
            can_await: false,
            can_cancel: false,
            has_pages: false,
        })
    }

    fn connection(&self, _: &str, _: Option<&str>) -> Found<Connection> {
        Found::Undecided
    }

    fn workflow(&self, _: &str) -> Found<Callable> {
        Found::Undecided
    }
}

static BUILT_IN: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(include_str!("built_in.json")).expect("a test compares it with the documents")
});
