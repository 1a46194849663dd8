//! The connectors that come along, and nothing else.

use std::{collections::BTreeMap, sync::LazyLock};

use sortie_connector::BuiltIn;
use sortie_engine::{
    catalog::{Callable, Catalog, Connection, Found, Operation},
    decide::Class,
};

pub(crate) struct Installed;

static OPERATIONS: LazyLock<BTreeMap<String, serde_json::Value>> = LazyLock::new(|| {
    let connectors = ["data", "http", "email", "kv"].into_iter();
    let all = connectors.flat_map(|id| {
        let description = BuiltIn::of(id).expect("it comes along").description();
        let schemas = description.operations.iter().map(|one| (format!("{id}/{}", one.id), one.input_schema(0)));
        schemas.collect::<Vec<_>>()
    });
    all.collect()
});

impl Catalog for Installed {
    fn operation(&self, connector: &str, operation: &str) -> Found<Operation> {
        match OPERATIONS.get(&format!("{connector}/{operation}")) {
            Some(inputs) => Found::Known(Operation {
                class: Class::Unsafe,
                inputs: inputs.clone(),
                roles: Vec::new(),
                can_await: false,
                can_cancel: false,
                has_pages: false,
            }),
            None => Found::Unknown { what: "operation", known: Vec::new() },
        }
    }

    fn connection(&self, _: &str, _: Option<&str>) -> Found<Connection> {
        Found::Undecided
    }

    fn workflow(&self, _: &str) -> Found<Callable> {
        Found::Unknown { what: "workflow", known: Vec::new() }
    }
}
