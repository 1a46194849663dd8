//! What runs inside of Sortie instead of at a product: its operations are described like all others, and a call of one
//! becomes a call of a function here (docs/adr/0015).

mod email;
mod http;
mod link;
mod smtp;

use std::sync::LazyLock;

use serde_json::{Map, Value};
use sortie_openapi::{Description, EffectClass, Operation};

pub use email::{EmailError, Mail, MailServer};
pub use http::{HttpCall, as_data};
pub use link::LinkError;

use crate::{BUILT_IN, BuildError, build::inputs};

/// Which function answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// [`sortie_builtins`].
    Data,
    /// The store's values.
    Kv,
    /// Any request.
    Http,
    /// A mail.
    Email,
}

/// A call that runs inside, with everything decided but its connection.
#[derive(Clone, Debug)]
pub struct NativeCall {
    /// Which function.
    pub engine: Engine,
    /// The operation of the built-in connector: its effect holds, whatever a document that refers to it says.
    pub operation: Operation,
    /// Its inputs, of the types that it asks for.
    pub inputs: Map<String, Value>,
}

impl NativeCall {
    /// The native call that the operation stands for; `None` for one that a product answers.
    ///
    /// # Errors
    /// [`LinkError`] when the inputs do not fit, or when the operation is described but nothing here can run it.
    pub fn of(
        description: &Description,
        operation: &Operation,
        given: &Map<String, Value>,
    ) -> Result<Option<Self>, LinkError> {
        if let Some(reason) = operation.guidance.more.get("not-runnable") {
            let reason = reason.as_str().unwrap_or("it needs code of its own").to_owned();
            return Err(LinkError::NotRunnable { operation: operation.id.clone(), reason });
        }
        if let Some(link) = operation.guidance.more.get("native") {
            inputs::check_all(description, operation, given)?;
            let (call, mut linked) = link::follow(link, given)?;
            if link.get("choose").is_some() {
                // The link names the inputs of every operation that may be chosen.
                let schema = named(&call)?.1.input_schema(0);
                linked.retain(|key, _| schema["properties"].get(key).is_some());
            }
            return Self::built_in(&call, &linked).map(Some);
        }
        match Engine::of(description) {
            Some(engine) => Self::built_in(&format!("{}/{}", engine.as_str(), operation.id), given).map(Some),
            None => Ok(None),
        }
    }

    fn built_in(call: &str, given: &Map<String, Value>) -> Result<Self, LinkError> {
        let (engine, operation, description) = named(call)?;
        let operation = operation.clone();
        let inputs = inputs::typed(description, &operation, given)?;
        Ok(Self { engine, operation, inputs })
    }

    /// Whether it changes nothing anywhere.
    pub fn is_safe(&self) -> bool {
        self.operation.effect.class == EffectClass::Safe
    }

    /// The built-in connector's id and the operation's.
    pub fn name(&self) -> String {
        format!("{}/{}", self.engine.as_str(), self.operation.id)
    }
}

impl Engine {
    /// What the document says of itself.
    pub fn of(description: &Description) -> Option<Self> {
        Self::named(description.extensions.get("native")?.as_str()?)
    }

    fn named(name: &str) -> Option<Self> {
        [Self::Data, Self::Kv, Self::Http, Self::Email].into_iter().find(|engine| engine.as_str() == name)
    }

    /// The id of its connector.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Kv => "kv",
            Self::Http => "http",
            Self::Email => "email",
        }
    }
}

/// The built-in operation of a name such as `data/iocs`.
fn named(call: &str) -> Result<(Engine, &'static Operation, &'static Description), LinkError> {
    let absent = || LinkError::Absent(call.to_owned());
    let (connector, id) = call.split_once('/').ok_or_else(absent)?;
    let (engine, description) = NATIVE.iter().find(|(engine, _)| engine.as_str() == connector).ok_or_else(absent)?;
    Ok((*engine, description.operation(id).ok_or_else(absent)?, description))
}

/// Runs an operation of `data`.
///
/// # Errors
/// [`sortie_builtins::DataError`].
pub fn data(call: &NativeCall, now: jiff::Timestamp) -> Result<Value, sortie_builtins::DataError> {
    sortie_builtins::run(&call.operation.id, &call.inputs, now)
}

impl From<BuildError> for LinkError {
    fn from(error: BuildError) -> Self {
        Self::Inputs(error)
    }
}

/// Their descriptions, read once: a workflow calls them often.
static NATIVE: LazyLock<Vec<(Engine, Description)>> = LazyLock::new(|| {
    let described = BUILT_IN.iter().filter(|one| Engine::named(one.id).is_some()).map(|one| one.description());
    described.filter_map(|description| Some((Engine::of(&description)?, description))).collect()
});

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::BuiltIn;

    /// Every operation of the table has a description, and every description an operation that runs.
    #[test]
    fn data_is_described_as_it_runs() {
        let description = BuiltIn::of("data").unwrap().description();
        let table = sortie_builtins::OPERATIONS.iter().map(|area| area.len()).sum::<usize>();
        assert_eq!(description.operations.len(), table);
        for operation in &description.operations {
            assert_eq!(operation.effect.class, EffectClass::Safe, "{}", operation.id);
            let example = operation.body.as_ref().unwrap().contents[0].example.clone().unwrap_or_else(|| json!({}));
            let call = NativeCall::of(&description, operation, example.as_object().unwrap()).unwrap().unwrap();
            let ran = sortie_builtins::run(&call.operation.id, &call.inputs, Default::default());
            assert!(ran.is_ok(), "{}: {ran:?}", operation.id);
        }
    }

    #[test]
    fn inputs_are_checked_and_become_what_is_asked_for() {
        let description = BuiltIn::of("data").unwrap().description();
        let operation = description.operation("list-chunk").unwrap();
        let call = |inputs: Value| {
            let call = NativeCall::of(&description, operation, inputs.as_object().unwrap());
            call.map(|call| call.unwrap().inputs["size"].clone()).map_err(|error| error.to_string())
        };
        assert_eq!(call(json!({ "items": [1], "size": "2" })), Ok(json!(2)));
        assert_eq!(call(json!({ "items": [1] })), Err("the input `size` is missing".to_owned()));
        assert_eq!(
            call(json!({ "items": 1, "size": 2 })),
            Err("the input `items` takes a list, not a number".to_owned())
        );
        assert!(call(json!({ "itmes": [], "size": 2 })).unwrap_err().contains("did you mean `items`?"));
    }
}
