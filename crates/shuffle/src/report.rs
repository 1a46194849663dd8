//! What a person must know of an import, node by node.

use std::collections::HashSet;

/// One thing about one node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Finding {
    /// Whose it is; the workflow itself has its own name and id here.
    pub node: Node,
    /// How much it matters.
    pub kind: Kind,
    /// What happened, as a fragment.
    pub what: String,
    /// What to do, as a sentence; empty where nothing is to be done.
    pub next: String,
}

/// A node as people know it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Node {
    /// What stands on it.
    pub label: String,
    /// Its id in Shuffle.
    pub id: String,
}

/// What became of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// It does what it did.
    Kept,
    /// It does it in another way, or not all of it.
    Changed,
    /// It stands there and does nothing.
    Disabled,
    /// It is not in the document.
    Dropped,
}

#[derive(Default)]
pub(crate) struct Report {
    findings: Vec<Finding>,
    /// Each is told once; there may be ten thousand.
    seen: HashSet<Finding>,
}

impl Report {
    pub(crate) fn add(&mut self, node: &Node, kind: Kind, what: impl Into<String>, next: impl Into<String>) {
        let finding = Finding { node: node.clone(), kind, what: what.into(), next: next.into() };
        if self.seen.insert(finding.clone()) {
            self.findings.push(finding);
        }
    }

    pub(crate) fn into_findings(self) -> Vec<Finding> {
        self.findings
    }
}
