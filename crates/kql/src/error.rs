//! Why a query has no answer, in the words of the service.

use std::fmt;

/// A place in the query's text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// First byte behind it.
    pub end: usize,
}

impl Span {
    /// From the first byte of one to the last of the other.
    #[must_use]
    pub fn to(self, other: Self) -> Self {
        Self { start: self.start.min(other.start), end: self.end.max(other.end) }
    }

    /// Line and column in that text, both from 1; the column counts characters.
    pub fn line_and_column(self, text: &str) -> (usize, usize) {
        let before = text.get(..self.start).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }
}

/// What kind of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The text is no query.
    Syntax,
    /// A name, a type or a number of arguments is wrong.
    Semantic,
    /// The language has it, this evaluator does not.
    Unsupported,
    /// The time is over.
    Timeout,
    /// Too much memory would be needed.
    Memory,
    /// More rows or bytes than may be answered.
    ResultSize,
    /// A value made the query fail while it ran, or a function of the host did.
    Runtime,
}

/// Why a query has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryError {
    /// What kind of failure.
    pub kind: ErrorKind,
    /// The service's sentence.
    pub message: String,
    /// What exactly, for the person at the keyboard; empty where the message says it all.
    pub detail: String,
    /// Where.
    pub span: Span,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

impl QueryError {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>, span: Span) -> Self {
        Self { kind, message: message.into(), detail: String::new(), span, line: 1, column: 1 }
    }

    /// The text does not read as a query at that place.
    pub(crate) fn syntax(detail: impl Into<String>, span: Span) -> Self {
        Self { detail: detail.into(), ..Self::new(ErrorKind::Syntax, "A recognition error occurred.", span) }
    }

    /// With line and column, which need the text.
    #[must_use]
    pub(crate) fn placed(mut self, text: &str) -> Self {
        (self.line, self.column) = self.span.line_and_column(text);
        self
    }
}

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if !self.detail.is_empty() {
            write!(f, " {}", self.detail)?;
        }
        Ok(())
    }
}

impl std::error::Error for QueryError {}
