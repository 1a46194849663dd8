//! The one shape that incidents, alerts and devices have for workflows, whatever API they came from: names in camelCase and
//! words as Microsoft Graph spells them ([alert], [incident], [evidence] resources).
//!
//! Every field is always there: `null` where the service did not say it, an empty list where there is none. A word that is in
//! no list is `unknownFutureValue`, as Graph does it for whoever does not know a word yet; what the service sent is in `raw`.
//!
//! [alert]: https://learn.microsoft.com/graph/api/resources/security-alert
//! [incident]: https://learn.microsoft.com/graph/api/resources/security-incident
//! [evidence]: https://learn.microsoft.com/graph/api/resources/security-alertevidence

mod tables;
mod words;

pub use tables::{ALERT, COMMENT, DEVICE, FILE, INCIDENT, IP, MAILBOX, MESSAGE, PROCESS, URL, USER};

/// The shape of an object.
#[derive(Debug)]
pub struct Shape {
    /// What it is called: `incident`, `device` and so on.
    pub name: &'static str,
    /// What it is, for people.
    pub about: &'static str,
    /// Its fields, in the order in which they are told.
    pub fields: &'static [Field],
}

/// One field of a shape.
#[derive(Debug)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// What stands there.
    pub kind: FieldKind,
    /// What it says, for people.
    pub about: &'static str,
}

/// What stands in a field.
#[derive(Clone, Copy, Debug)]
pub enum FieldKind {
    /// A text, or `null`.
    Text,
    /// One of these words; `null` only where `unknown` is none of them.
    Words(&'static [&'static str]),
    /// A moment as RFC 3339 in UTC, or `null`.
    Instant,
    /// A whole number, or `null`.
    Whole,
    /// A list of texts.
    Texts,
    /// A list of objects of this shape.
    List(&'static Shape),
    /// The object as the service sent it; `null` in a device within an alert, which has it.
    Raw,
}

impl Shape {
    /// The field of this name.
    pub fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// `an incident`, `a device`.
    pub fn with_article(&self) -> String {
        let article = if self.name.starts_with(['a', 'e', 'i', 'o']) { "an" } else { "a" };
        format!("{article} {}", self.name)
    }
}

/// A word that this version does not know.
pub const UNKNOWN_FUTURE_VALUE: &str = "unknownFutureValue";

/// What the service did not say, where the list of words has it.
pub const UNKNOWN: &str = "unknown";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_there_once_and_each_list_ends_with_the_word_for_what_is_new() {
        for shape in [&INCIDENT, &ALERT, &DEVICE, &USER, &FILE, &PROCESS, &URL, &IP, &MAILBOX, &MESSAGE, &COMMENT] {
            for (at, field) in shape.fields.iter().enumerate() {
                let first = shape.fields.iter().position(|one| one.name == field.name);
                assert_eq!(first, Some(at), "{} has {} twice", shape.name, field.name);
                if let FieldKind::Words(words) = field.kind {
                    assert_eq!(words.last(), Some(&UNKNOWN_FUTURE_VALUE), "{}.{}", shape.name, field.name);
                }
                assert!(!field.about.is_empty() && !field.about.ends_with('.'), "{}.{}", shape.name, field.name);
            }
        }
    }
}
