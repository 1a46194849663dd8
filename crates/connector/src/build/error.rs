//! What is wrong with the inputs of a call, in the words of whoever wrote them.

/// Why a request could not be made. Nothing was sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// A required input is not given.
    #[error("the input `{key}` is missing")]
    Missing {
        /// Its key.
        key: String,
    },
    /// The operation has no such input.
    #[error("there is no input `{key}`{}", nearest.as_ref().map(|one| format!("; did you mean `{one}`?")).unwrap_or_default())]
    Unknown {
        /// As it was given.
        key: String,
        /// The input that is spelt most like it.
        nearest: Option<String>,
    },
    /// The value is of another type.
    #[error("the input `{key}` takes {expected}, not {found}")]
    Type {
        /// Its key.
        key: String,
        /// What the description says.
        expected: String,
        /// What was given.
        found: &'static str,
    },
    /// The value would change which operation is called.
    #[error("the input `{key}` would leave a step of the path empty, `.` or `..`, which is another operation's path")]
    Segment {
        /// Its key.
        key: String,
    },
    /// The value cannot travel as a header.
    #[error("the input `{key}` cannot be sent: {why}")]
    Header {
        /// Its key.
        key: String,
        /// Why.
        why: &'static str,
    },
    /// The whole body and one of its fields are given.
    #[error("the input `{body}` is the whole body; give it alone, or the fields such as `{field}`")]
    BodyAndField {
        /// Key of the whole body.
        body: String,
        /// Key of a field.
        field: String,
    },
    /// The value is of the right type and still of no use.
    #[error("the input `{key}` {why}")]
    Value {
        /// Its key.
        key: String,
        /// Why.
        why: &'static str,
    },
    /// A file that cannot be read from the value.
    #[error("the input `{key}` is no file: {why}")]
    File {
        /// Its key.
        key: String,
        /// Why.
        why: &'static str,
    },
    /// Neither document nor connection says where to.
    #[error("neither the connector nor the connection says which host to call")]
    NoBase,
    /// The base address is none.
    #[error("`{base}` is no base address")]
    Base {
        /// As it was put together.
        base: String,
    },
    /// A variable of the base address has no value, or one that is not among the choices.
    #[error("the base address needs a value for `{name}`{}", if choices.is_empty() { String::new() } else { format!(", one of {}", choices.join(", ")) })]
    Variable {
        /// Its name.
        name: String,
        /// The only values, if there are only some.
        choices: Vec<String>,
    },
}

impl BuildError {
    /// What to do next, as a full sentence.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::NoBase | Self::Base { .. } | Self::Variable { .. } => {
                "Set the connection's base address, such as `https://siem.example.com/api`, or its variables."
            }
            _ => "Correct the input; `sortie connector show CONNECTOR OPERATION` lists what it takes.",
        }
    }
}
