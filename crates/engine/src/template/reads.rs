//! What a text reads, known before it runs: a runner loads these outputs and no other, and a validator checks each path.

use std::ops::Range;

use super::scope::StepPart;

/// Everything that a text reads, in the order of the text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reads {
    all: Vec<Read>,
}

/// One place where something is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// Where it begins.
    pub source: Source,
    /// As far as it is written out; what follows a computed index or a filter is not in it.
    pub path: Vec<Key>,
    /// Whether the last key may be missing, because `default` or `is defined` stands behind it.
    pub may_lack: bool,
    /// Which bytes of the text.
    pub span: Range<usize>,
    /// Which string of a tree, such as `body.items[2]`; empty for a single text.
    pub place: String,
}

/// Where a path begins.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// A name of the run, or one that `as` gives.
    Root(String),
    /// A step that comes before.
    Step {
        /// Its id.
        id: String,
        /// What of it.
        part: StepPart,
    },
}

/// One step along a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// Of an object.
    Name(String),
    /// Of a list; below zero from its end.
    Index(i64),
}

impl Reads {
    /// Each place, in the order of the text.
    pub fn all(&self) -> &[Read] {
        &self.all
    }

    /// What is read of steps, each once.
    pub fn steps(&self) -> Vec<(&str, StepPart)> {
        let mut steps: Vec<_> = self
            .all
            .iter()
            .filter_map(|read| match &read.source {
                Source::Step { id, part } => Some((id.as_str(), *part)),
                Source::Root(_) => None,
            })
            .collect();
        steps.sort_unstable();
        steps.dedup();
        steps
    }

    /// Names that are read apart from `steps`, each once.
    pub fn roots(&self) -> Vec<&str> {
        let mut roots: Vec<_> = self
            .all
            .iter()
            .filter_map(|read| match &read.source {
                Source::Root(name) => Some(name.as_str()),
                Source::Step { .. } => None,
            })
            .collect();
        roots.sort_unstable();
        roots.dedup();
        roots
    }

    pub(super) fn push(&mut self, read: Read) {
        self.all.push(read);
    }

    /// The read that stands exactly there may lack its last key.
    pub(super) fn soften(&mut self, span: &Range<usize>) {
        for read in self.all.iter_mut().filter(|read| read.span == *span) {
            read.may_lack = true;
        }
    }

    pub(super) fn extend(&mut self, other: &Self, place: &str) {
        self.all.extend(other.all.iter().cloned().map(|read| Read { place: place.to_owned(), ..read }));
    }
}
