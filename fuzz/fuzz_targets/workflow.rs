//! Workflow documents: any text is read, validated and planned, or refused with places within it; what is refused and what is
//! taken can be edited without a panic, and an edit means what it says.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::json;
use sortie_engine::{
    catalog::{Callable, Catalog, Connection, Found, Operation},
    document::read,
    machine::{Event, Plan, State, apply},
    text::{Edit, Step, patch},
    validate::validate,
};

/// An installation of which nothing is known.
struct Nowhere;

impl Catalog for Nowhere {
    fn operation(&self, _: &str, _: &str) -> Found<Operation> {
        Found::Undecided
    }

    fn connection(&self, _: &str, _: Option<&str>) -> Found<Connection> {
        Found::Undecided
    }

    fn workflow(&self, _: &str) -> Found<Callable> {
        Found::Undecided
    }
}

fuzz_target!(|text: &str| {
    match read(text) {
        Err(problems) => {
            assert!(!problems.is_empty(), "a refusal has a reason");
            assert!(problems.iter().all(|problem| problem.span.end as usize <= text.len()));
        }
        Ok(workflow) => {
            if validate(&workflow, &Nowhere).is_empty() {
                let plan = Plan::of(&workflow, &|_, _| None);
                let mut state = State::new(1);
                apply(&plan, &mut state, &Event::Started);
                apply(&plan, &mut state, &Event::CancelRequested);
            }
        }
    }
    let path = vec![Step::Key("steps".to_owned()), Step::Item(0), Step::Key("title".to_owned())];
    if let Ok(patched) = patch(text, &Edit::Set { path: path.clone(), value: json!("a: b # c") }) {
        assert!(patch(&patched, &Edit::Remove { path }).is_ok());
    }
});
