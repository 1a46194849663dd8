//! What is wrong with a document, and where; a reader collects everything before it gives up.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Span;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Where.
    #[serde(flatten)]
    pub span: Span,
    /// Which kind it is, for programs.
    pub code: Code,
    /// What is wrong, in one sentence.
    pub what: String,
    /// What to do about it; empty where that is plain.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub next: String,
}

/// The kinds of problems. Names are for ever; new ones may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    /// It is no YAML, or more than is read.
    Syntax,
    /// A key that nothing knows.
    UnknownKey,
    /// A key that must be there.
    MissingKey,
    /// A value of another kind than its key takes.
    WrongKind,
    /// A value of the right kind that is out of bounds or not among the words.
    WrongValue,
    /// An id that two steps have, or that is none.
    Id,
    /// A step that is not there, or not where it can be read.
    UnknownStep,
    /// Steps that wait for each other.
    Cycle,
    /// A step that can never run.
    Unreachable,
    /// A template or an expression that cannot be read.
    Template,
    /// An operation or connector that is not there.
    UnknownOperation,
    /// An input that the operation does not have, or lacks.
    Input,
    /// No connection serves it.
    Connection,
    /// A role that the connection lacks.
    Role,
    /// It would let an effect pass an approval by.
    Approval,
    /// A field that some trigger does not give.
    Trigger,
}

/// Problems so far, in the order in which they were found.
#[derive(Debug, Default)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// Notes one. Beyond two hundred nobody reads on.
    pub fn add(&mut self, span: Span, code: Code, what: impl Into<String>, next: impl Into<String>) {
        if self.0.len() < PROBLEMS_MAX {
            self.0.push(Problem { span, code, what: what.into(), next: next.into() });
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them, by place.
    pub fn into_sorted(mut self) -> Vec<Problem> {
        self.0.sort_by_key(|problem| (problem.span.start, problem.code));
        self.0.dedup();
        self.0
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.span.line, self.span.column, self.what)?;
        if self.next.is_empty() { Ok(()) } else { write!(f, ". {}", self.next) }
    }
}

/// `Did you mean ...?` for a word that is close to one of those known, else which there are.
pub fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    match nearest(word, known.iter().copied()) {
        Some(one) => format!("Did you mean `{one}`?"),
        None if !known.is_empty() && known.len() <= LISTED_MAX => format!("There are `{}`.", known.join("`, `")),
        None => String::new(),
    }
}

/// The word among these that was probably meant, in whatever letter case.
pub(crate) fn nearest<'a>(word: &str, among: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    let close = among.into_iter().take(CANDIDATES_MAX).filter_map(|candidate| {
        let distance = strsim::damerau_levenshtein(&lower, &candidate.to_lowercase());
        (distance <= 1 + word.chars().count() / 4).then_some((distance, candidate))
    });
    close.min().map(|(_, candidate)| candidate)
}

/// So many problems of one document are told.
const PROBLEMS_MAX: usize = 200;
const LISTED_MAX: usize = 12;
/// An object of data may have any number of keys.
const CANDIDATES_MAX: usize = 500;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_word_is_offered_else_the_few_there_are() {
        #[track_caller]
        fn check(word: &str, known: &[&str], expected: &str) {
            assert_eq!(did_you_mean(word, known.iter().copied()), expected, "{word}");
        }
        check("aftre", &["after", "when"], "Did you mean `after`?");
        check("depends_on", &["after", "when"], "There are `after`, `when`.");
        check("x", &[], "");
        check("nothing-alike", &["a"; 13], "");
    }
}
