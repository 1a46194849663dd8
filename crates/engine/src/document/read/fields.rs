//! The keys of one map, taken one after the other.

use std::time::Duration;

use crate::{
    document::{Spanned, parse_duration},
    text::{Code, Entry, Node, Problems, Scalar, Span, Value, did_you_mean},
};

pub(super) struct Fields<'n> {
    entries: &'n [Entry],
    span: Span,
    what: &'static str,
}

impl<'n> Fields<'n> {
    /// Of a node that must be a map.
    pub(super) fn of(node: &'n Node, what: &'static str, problems: &mut Problems) -> Option<Self> {
        match &node.value {
            Value::Map(entries) => Some(Self { entries, span: node.span, what }),
            _ => {
                problems.add(node.span, Code::WrongKind, format!("{what} is a map, and this is {}", node.kind()), "");
                None
            }
        }
    }

    pub(super) fn span(&self) -> Span {
        self.span
    }

    /// The value of the key, if it has one; `null` counts as absent.
    pub(super) fn take(&mut self, key: &str) -> Option<&'n Node> {
        let entry = self.entries.iter().find(|entry| entry.key == key)?;
        (entry.node.value != Value::Null).then_some(&entry.node)
    }

    /// Where the key stands.
    pub(super) fn key_span(&self, key: &str) -> Option<Span> {
        self.entries.iter().find(|entry| entry.key == key).map(|entry| entry.key_span)
    }

    pub(super) fn needed(&mut self, key: &'static str, problems: &mut Problems) -> Option<&'n Node> {
        let node = self.take(key);
        if node.is_none() {
            problems.add(self.first(), Code::MissingKey, format!("{} needs `{key}`", self.what), "");
        }
        node
    }

    pub(super) fn text(&mut self, key: &str, problems: &mut Problems) -> Option<String> {
        self.spanned(key, problems).map(|text| text.value)
    }

    pub(super) fn spanned(&mut self, key: &str, problems: &mut Problems) -> Option<Spanned<String>> {
        self.take(key).and_then(|node| super::text(node, &format!("`{key}`"), problems))
    }

    pub(super) fn flag(&mut self, key: &str, problems: &mut Problems) -> bool {
        let Some(node) = self.take(key) else { return false };
        if let Value::Scalar(Scalar::Bool(truth)) = node.value {
            return truth;
        }
        problems.add(node.span, Code::WrongKind, format!("`{key}` is true or false, and this is {}", node.kind()), "");
        false
    }

    /// A whole number within bounds.
    pub(super) fn count(&mut self, key: &str, min: u32, max: u32, problems: &mut Problems) -> Option<u32> {
        let node = self.take(key)?;
        let number = match &node.value {
            Value::Scalar(Scalar::Number(number)) => number.as_u64().and_then(|number| u32::try_from(number).ok()),
            _ => None,
        };
        let fits = number.filter(|number| (min..=max).contains(number));
        if fits.is_none() {
            problems.add(node.span, Code::WrongValue, format!("`{key}` is a whole number from {min} to {max}"), "");
        }
        fits
    }

    pub(super) fn duration(&mut self, key: &str, problems: &mut Problems) -> Option<Spanned<Duration>> {
        let node = self.take(key)?;
        match node.as_text().map(parse_duration) {
            Some(Ok(value)) => Some(Spanned { value, span: node.span }),
            Some(Err(error)) => {
                problems.add(node.span, Code::WrongValue, format!("`{key}`: {error}"), "");
                None
            }
            None => {
                let next = "Write the unit, too, such as `30m`.";
                problems.add(
                    node.span,
                    Code::WrongKind,
                    format!("`{key}` is a span of time, and this is {}", node.kind()),
                    next,
                );
                None
            }
        }
    }

    /// One of these words.
    pub(super) fn word<T: Copy>(
        &mut self,
        key: &str,
        words: &[(&'static str, T)],
        problems: &mut Problems,
    ) -> Option<T> {
        let node = self.take(key)?;
        let known = || words.iter().map(|(word, _)| *word);
        let Some(text) = node.as_text() else {
            let what = format!(
                "`{key}` is one of `{}`, and this is {}",
                known().collect::<Vec<_>>().join("`, `"),
                node.kind()
            );
            problems.add(node.span, Code::WrongKind, what, "");
            return None;
        };
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        if found.is_none() {
            problems.add(
                node.span,
                Code::WrongValue,
                format!("`{key}` knows no `{text}`"),
                did_you_mean(text, known()),
            );
        }
        found
    }

    /// A list of nodes; empty where the key is absent.
    pub(super) fn list(&mut self, key: &str, problems: &mut Problems) -> &'n [Node] {
        let Some(node) = self.take(key) else { return &[] };
        match &node.value {
            Value::List(items) => items,
            _ => {
                problems.add(node.span, Code::WrongKind, format!("`{key}` is a list, and this is {}", node.kind()), "");
                &[]
            }
        }
    }

    /// Every key that nothing knows is a problem: it would be a wish that nobody heard.
    pub(super) fn finish(self, known: &[&'static str], problems: &mut Problems) {
        for entry in self.entries.iter().filter(|entry| !known.contains(&entry.key.as_str())) {
            let what = format!("{} has no key `{}`", self.what, entry.key);
            problems.add(entry.key_span, Code::UnknownKey, what, did_you_mean(&entry.key, known.iter().copied()));
        }
    }

    /// Where a missing key is told: at the first that is there.
    fn first(&self) -> Span {
        self.entries.first().map_or(self.span, |entry| entry.key_span)
    }
}
