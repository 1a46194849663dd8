//! What an import saw, kept, repaired and left out.

use std::{collections::HashMap, fmt::Display};

use serde::Serialize;

use crate::{description::Description, operation::Method, sources::RefError};

/// What an import saw, kept, repaired and left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// What the document turned out to be.
    pub format: Format,
    /// Whether it is in the dialect of Shuffle's apps.
    pub shuffle: bool,
    /// Operations that the document has.
    pub seen: usize,
    /// Operations that the description has.
    pub callable: usize,
    /// Operations, or groups of them, that were left out, each with the reason.
    pub quarantined: Vec<Quarantined>,
    /// What was repaired or ignored; the same finding at several places is one note.
    pub notes: Vec<Note>,
    /// How many different notes did not fit in.
    pub more_notes: usize,
    /// Of an app that is a program in Python: which of its actions built-in operations do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app: Option<AppReport>,
}

/// What becomes of the actions of an app that is a program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AppReport {
    /// All of them.
    pub actions: usize,
    /// Those that a built-in operation does.
    pub mapped: usize,
    /// The others by their ids, each with the reason.
    pub not_runnable: Vec<(String, String)>,
}

impl AppReport {
    pub(crate) fn of(description: &Description) -> Self {
        let reason = |operation: &crate::Operation| {
            let reason = operation.guidance.more.get("not-runnable")?.as_str()?;
            Some((operation.id.clone(), reason.to_owned()))
        };
        let not_runnable: Vec<_> = description.operations.iter().filter_map(reason).collect();
        let actions = description.operations.len();
        Self { actions, mapped: actions - not_runnable.len(), not_runnable }
    }
}

/// Which specification a document follows, whatever it calls itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum Format {
    /// Swagger 2.0.
    #[serde(rename = "swagger 2.0")]
    Swagger2,
    /// OpenAPI 3.0.
    #[serde(rename = "openapi 3.0")]
    OpenApi30,
    /// OpenAPI 3.1 or 3.2, whose schemas are JSON Schema 2020-12.
    #[serde(rename = "openapi 3.1")]
    OpenApi31,
}

/// An operation that was left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Quarantined {
    /// Its method; `None` when the whole path, or a part of the document, was left out.
    pub method: Option<Method>,
    /// Its path as the document writes it.
    pub path: String,
    /// Where it stands, as a JSON pointer behind `#`, with the file's name in front when it is not the document itself.
    pub place: String,
    /// Why, in a sentence.
    pub reason: String,
    /// Whether it is only an entry of Shuffle's catalogue that nobody ever filled in, so that nothing is lost.
    pub placeholder: bool,
}

/// Something that was repaired or ignored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Note {
    /// What, in a sentence.
    pub text: String,
    /// Where it was found first.
    pub place: String,
    /// At how many places.
    pub count: usize,
}

/// Why one operation cannot be imported.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Reason {
    /// Shuffle's catalogue has entries of the form `tmp3` that nobody ever filled in.
    #[error("`{0}` is a placeholder of Shuffle's catalogue, not the path of an API")]
    Placeholder(String),
    /// Braces that do not pair, or a name that is not there.
    #[error("the path's placeholders cannot be read: {0}")]
    Path(&'static str),
    /// Not an object.
    #[error("{0} is not an object")]
    NotAnObject(&'static str),
    /// Something that it needs cannot be found.
    #[error("{what} cannot be found")]
    Reference {
        /// What refers.
        what: &'static str,
        /// Why it is not found.
        #[source]
        source: RefError,
    },
    /// A required input that nobody can send.
    #[error("its required parameter `{name}` cannot be sent: {why}")]
    Parameter {
        /// As the document calls it.
        name: String,
        /// In words.
        why: String,
    },
    /// There is no way left to send the body that it requires.
    #[error("it requires a body, but {0}")]
    Body(&'static str),
    /// Parts that many operations share would be copied for too many of them.
    #[error(
        "what operations share would be copied until the description holds more than {0} values; it is refused as a possible attack"
    )]
    TooLarge(usize),
    /// Past the bound.
    #[error("the document has more than {0} operations; the rest is left out")]
    TooMany(usize),
}

/// Collects notes; the same text is kept once, with its first place and a count.
#[derive(Default)]
pub(crate) struct Notes {
    notes: Vec<Note>,
    by_text: HashMap<String, usize>,
    more: usize,
}

impl Notes {
    pub(crate) fn add(&mut self, place: impl Display, text: impl Into<String>) {
        let text = text.into();
        if let Some(&at) = self.by_text.get(&text) {
            self.notes[at].count += 1;
        } else if self.notes.len() < NOTE_COUNT_MAX {
            self.by_text.insert(text.clone(), self.notes.len());
            self.notes.push(Note { text, place: place.to_string(), count: 1 });
        } else {
            self.more += 1;
        }
    }

    pub(crate) fn finish(self) -> (Vec<Note>, usize) {
        (self.notes, self.more)
    }
}

const NOTE_COUNT_MAX: usize = 1_000;
