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

    /// Calls that an operation names: each is there, and takes and is given what it says.
    #[test]
    fn every_linked_call_can_be_made() {
        let inputs = |operation: &sortie_openapi::Operation| operation.input_schema(0)["properties"].clone();
        let mut count = 0;
        for one in BUILT_IN {
            let description = one.description();
            for operation in &description.operations {
                let guidance = &operation.guidance;
                let more = ["cancel", "read"].into_iter().filter_map(|key| guidance.more.get(key));
                let more = more.map(|link| serde_json::from_value::<sortie_openapi::LinkedCall>(link.clone()).unwrap());
                let links = [&guidance.probe, &guidance.awaits, &guidance.undo].into_iter().flatten().cloned();
                for link in links.chain(more) {
                    let id = &operation.id;
                    let target = description.operation_called(&link.operation);
                    let target = target.unwrap_or_else(|| panic!("{id}: there is no {}", link.operation));
                    for (name, value) in link.settings["with"].as_object().unwrap() {
                        assert!(inputs(target).get(name).is_some(), "{id}: {} takes no {name}", link.operation);
                        for part in value.as_str().unwrap_or_default().split("inputs.").skip(1) {
                            let named = part.split([' ', '}']).next().unwrap();
                            assert!(inputs(operation).get(named).is_some(), "{id}: it has no input {named}");
                        }
                    }
                    for settings in ["same", "has", "unless"].iter().filter_map(|key| link.settings.get(*key)) {
                        for name in settings.as_object().unwrap().keys() {
                            assert!(inputs(operation).get(name).is_some(), "{id}: it has no input {name}");
                        }
                    }
                    count += 1;
                }
            }
        }
        assert!(count > 40, "{count} links");
    }
}
