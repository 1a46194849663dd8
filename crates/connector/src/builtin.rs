//! The connectors that come with Sortie, as the documents that they are imported from.

use sortie_openapi::{Description, NoSources, Options};

/// A connector that comes with Sortie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BuiltIn {
    /// What workflows and connections call it.
    pub id: &'static str,
    document: &'static str,
}

/// All of them.
pub const BUILT_IN: &[BuiltIn] =
    &[BuiltIn { id: "microsoft-365-defender", document: include_str!("../builtin/microsoft-365-defender.yaml") }];

impl BuiltIn {
    /// The one of this id.
    pub fn of(id: &str) -> Option<Self> {
        BUILT_IN.iter().copied().find(|one| one.id == id)
    }

    /// Reads its document.
    pub fn description(self) -> Description {
        let import = sortie_openapi::import(self.document.as_bytes(), &NoSources, &Options::default());
        import.expect("a test imports every document that comes along").description
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_document_is_whole() {
        for one in BUILT_IN {
            let import = sortie_openapi::import(one.document.as_bytes(), &NoSources, &Options::default()).unwrap();
            assert_eq!((import.report.quarantined.len(), import.report.notes.len()), (0, 0), "{}", one.id);
            assert!(!one.description().operations.is_empty());
        }
    }
}
