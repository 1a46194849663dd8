//! Workflows of Shuffle: any JSON becomes a document that is read again and holds, and the same JSON gives the same text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sortie_engine::{
    catalog::{Callable, Catalog, Connection, Found, Operation},
    document::read,
    validate::validate,
};
use sortie_shuffle::{NoApps, import};

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
    let Ok(json) = serde_json::from_str(text) else { return };
    let found = import(&json, &NoApps);
    for part in std::iter::once(&found).chain(&found.parts) {
        let workflow = read(&part.document).expect("an import is a document");
        assert_eq!(validate(&workflow, &Nowhere), Vec::new());
    }
    assert_eq!(found, import(&json, &NoApps));
});
