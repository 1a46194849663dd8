//! What a validation must know of the installation: operations, connections, other workflows.

use serde_json::Value;

use crate::decide::Class;

/// An installation, as far as documents refer to it.
pub trait Catalog {
    /// The operation, or what there is instead.
    fn operation(&self, connector: &str, operation: &str) -> Found<Operation>;

    /// Whether a connection serves calls of the connector: the named one, else the tenant's own, else the shared one.
    fn connection(&self, connector: &str, name: Option<&str>) -> Found<Connection>;

    /// Another workflow, by its id.
    fn workflow(&self, id: &str) -> Found<Callable>;
}

/// What is known of something that a document names.
#[derive(Clone, Debug, PartialEq)]
pub enum Found<T> {
    /// It is there.
    Known(T),
    /// It is not, and what was looked through has these names.
    Unknown {
        /// In words what is missing: `connector`, `operation`, `connection`, `workflow`.
        what: &'static str,
        /// What there is.
        known: Vec<String>,
    },
    /// Nobody can say here: it is decided where the workflow is put to work.
    Undecided,
}

/// One operation.
#[derive(Clone, Debug, PartialEq)]
pub struct Operation {
    /// What is known when an answer is lost.
    pub class: Class,
    /// Its inputs: a JSON Schema of type object, with everything that it refers to inside.
    pub inputs: Value,
    /// Any of these lets a token call it; several joined by ` + ` are needed together. Empty where nothing is known.
    pub roles: Vec<String>,
    /// Whether what it starts can be followed to its end.
    pub can_await: bool,
    /// Whether what it starts can be taken back.
    pub can_cancel: bool,
    /// Whether its answer comes in pages.
    pub has_pages: bool,
}

/// One connection.
#[derive(Clone, Debug, PartialEq)]
pub struct Connection {
    /// Its name.
    pub name: String,
    /// The roles of its tokens, where one was seen.
    pub roles: Option<Vec<String>>,
}

/// A workflow that another calls.
#[derive(Clone, Debug, PartialEq)]
pub struct Callable {
    /// Whether a workflow may call it: it has that trigger.
    pub has_trigger: bool,
    /// Its inputs: a JSON Schema of type object.
    pub inputs: Value,
}
