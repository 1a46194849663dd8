//! The connectors that come with Sortie, as the documents that they are imported from.

use std::borrow::Cow;

use sortie_openapi::{Description, NoSources, Options};

/// A connector that comes with Sortie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BuiltIn {
    /// What workflows and connections call it.
    pub id: &'static str,
    document: Document,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Document {
    Text(&'static str),
    /// Made of the table of `sortie-builtins`.
    Data,
}

/// All of them.
pub const BUILT_IN: &[BuiltIn] = &[
    BuiltIn { id: "data", document: Document::Data },
    BuiltIn { id: "email", document: Document::Text(include_str!("../builtin/email.yaml")) },
    BuiltIn { id: "http", document: Document::Text(include_str!("../builtin/http.yaml")) },
    BuiltIn { id: "kv", document: Document::Text(include_str!("../builtin/kv.yaml")) },
    BuiltIn {
        id: "microsoft-365-defender",
        document: Document::Text(include_str!("../builtin/microsoft-365-defender.yaml")),
    },
];

impl BuiltIn {
    /// The one of this id.
    pub fn of(id: &str) -> Option<Self> {
        BUILT_IN.iter().copied().find(|one| one.id == id)
    }

    /// Reads its document.
    pub fn description(self) -> Description {
        self.import().expect("a test imports every document that comes along").description
    }

    fn import(self) -> Result<sortie_openapi::Import, sortie_openapi::ImportError> {
        let text = match self.document {
            Document::Text(text) => Cow::Borrowed(text),
            Document::Data => Cow::Owned(sortie_builtins::document().to_string()),
        };
        sortie_openapi::import(text.as_bytes(), &NoSources, &Options::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_document_is_whole() {
        for one in BUILT_IN {
            let import = one.import().unwrap();
            assert_eq!(
                (import.report.quarantined.len(), import.report.notes.len()),
                (0, 0),
                "{}: {:?}",
                one.id,
                import.report
            );
            assert!(!one.description().operations.is_empty());
        }
    }
}
