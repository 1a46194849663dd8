//! Why a template cannot be read or has no value: what, about what, where it stands, and what to do next.

use std::{fmt, ops::Range};

/// Where something stands in the text: bytes.
pub(super) type Span = Range<usize>;

/// Why a template cannot be read, or has no value with the data at hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateError {
    what: String,
    next: String,
    span: Span,
    place: String,
    fault: Fault,
}

/// Who must act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The author: the text itself is wrong, whatever the data.
    Text,
    /// The author: the data does not have what the text takes for granted.
    Data,
    /// The author: the result takes too much work, or is too large.
    Budget,
    /// The caller: something was not given that the text reads lawfully.
    Scope,
}

impl TemplateError {
    /// What failed, about what.
    pub fn what(&self) -> &str {
        &self.what
    }

    /// What to do next; empty where nothing is known.
    pub fn next(&self) -> &str {
        &self.next
    }

    /// Which bytes of the text it is about.
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// Which string of a tree it is about, such as `body.items[2]`; empty for a single text.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Who must act.
    pub fn fault(&self) -> Fault {
        self.fault
    }

    /// The same error of a string within a tree.
    pub(super) fn placed(mut self, place: &str) -> Self {
        place.clone_into(&mut self.place);
        self
    }
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.place.is_empty() {
            write!(f, "in `{}`: ", self.place)?;
        }
        f.write_str(&self.what)?;
        if !self.next.is_empty() {
            write!(f, "; {}", self.next)?;
        }
        Ok(())
    }
}

impl std::error::Error for TemplateError {}

/// An error before it is known where it belongs: the innermost place that knows adds its span.
#[derive(Debug)]
pub(super) struct Fail(Box<Parts>);

#[derive(Debug)]
struct Parts {
    what: String,
    next: String,
    span: Option<Span>,
    fault: Fault,
}

impl Fail {
    pub(super) fn text(what: impl Into<String>) -> Self {
        Self::of(Fault::Text, what)
    }

    pub(super) fn data(what: impl Into<String>) -> Self {
        Self::of(Fault::Data, what)
    }

    pub(super) fn budget(what: impl Into<String>) -> Self {
        Self::of(Fault::Budget, what)
    }

    pub(super) fn scope(what: impl Into<String>) -> Self {
        Self::of(Fault::Scope, what)
    }

    fn of(fault: Fault, what: impl Into<String>) -> Self {
        Self(Box::new(Parts { what: what.into(), next: String::new(), span: None, fault }))
    }

    /// What to do next.
    pub(super) fn next(mut self, next: impl Into<String>) -> Self {
        self.0.next = next.into();
        self
    }

    /// Where it stands, unless that is known more exactly already.
    pub(super) fn at(mut self, span: &Span) -> Self {
        self.0.span.get_or_insert_with(|| span.clone());
        self
    }

    /// What it is about, unless its place is known already: then it is said there.
    pub(super) fn about(mut self, about: &str) -> Self {
        if self.0.span.is_none() {
            self.0.what = format!("{about}: {}", self.0.what);
        }
        self
    }

    pub(super) fn finish(self, text: &str) -> TemplateError {
        let Parts { what, next, span, fault } = *self.0;
        TemplateError { what, next, span: span.unwrap_or(0..text.len()), place: String::new(), fault }
    }
}

/// What of the text stands there, cut to a length that a sentence bears.
pub(super) fn quoted(text: &str, span: &Span) -> String {
    let found = text.get(span.clone()).unwrap_or_default().trim();
    match found.char_indices().nth(QUOTED_COUNT_MAX) {
        Some((at, _)) => format!("`{}…`", &found[..at]),
        None => format!("`{found}`"),
    }
}

const QUOTED_COUNT_MAX: usize = 80;
