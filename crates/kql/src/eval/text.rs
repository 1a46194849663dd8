//! The text operators. A term is a run of letters and digits; `has` and its family look for whole terms.

use std::sync::Arc;

use super::{Batch, Context, context::Verdicts, eval as eval_scalar};
use crate::{
    ast::{TextOp, TextTest},
    error::QueryError,
    plan::Scalar,
    table::{Arena, Column, Data},
    types::Type,
};

pub(super) fn eval(
    scalar: &Scalar,
    op: TextOp,
    left: &Scalar,
    right: &Scalar,
    batch: &Batch,
    context: &Context<'_>,
) -> Result<Column, QueryError> {
    let left = eval_scalar(left, batch, context)?;
    let right = eval_scalar(right, batch, context)?;
    let Some(pattern) = right.constant() else {
        let values = (0..batch.rows).map(|row| {
            let pattern = right.cell(row).as_str().unwrap_or("");
            let test = Test::new(op, pattern, context);
            test.holds(left.cell(row).as_str().unwrap_or("")) != op.negated
        });
        return Ok(Column::new(Type::Bool, Data::Bool(values.collect()), None));
    };
    let test = Test::new(op, pattern.as_str().unwrap_or(""), context);
    Ok(by_arena(scalar, &left, batch.rows, context, |text| test.holds(text) != op.negated))
}

/// Tests each text once: within the batch where texts are few, over all batches where the arena is large.
pub(super) fn by_arena(
    scalar: &Scalar,
    column: &Column,
    rows: usize,
    context: &Context<'_>,
    test: impl Fn(&str) -> bool,
) -> Column {
    if let Some(cell) = column.constant() {
        let answer = Column::new(Type::Bool, Data::Bool(vec![test(cell.as_str().unwrap_or(""))]), None);
        return answer.repeat(0, rows);
    }
    let dense = column.dense();
    let Some((codes, arena)) = dense.strings() else { return Column::nulls(Type::Bool, rows) };
    let key = (Arc::as_ptr(&scalar.kind) as usize, Arc::as_ptr(arena) as usize);
    let mut own;
    let mut shared = context.verdicts.borrow_mut();
    let said = if arena.len() > rows + 1 {
        let new = || Verdicts { arena: Arc::clone(arena), said: vec![0; arena.len()] };
        let verdicts = shared.entry(key).or_insert_with(new);
        debug_assert!(Arc::ptr_eq(&verdicts.arena, arena));
        &mut verdicts.said
    } else {
        own = vec![0; arena.len()];
        &mut own
    };
    let values = codes.iter().map(|code| verdict(said, arena, *code, &test)).collect();
    Column::new(Type::Bool, Data::Bool(values), None)
}

fn verdict(said: &mut [u8], arena: &Arena, code: u32, test: &impl Fn(&str) -> bool) -> bool {
    let place = &mut said[code as usize];
    if *place == 0 {
        *place = 1 + u8::from(test(arena.at(code)));
    }
    *place == 2
}

/// A test with its pattern made ready.
enum Test {
    Regex(Option<Arc<regex::Regex>>),
    Plain { test: TextTest, case_sensitive: bool, pattern: String },
}

impl Test {
    fn new(op: TextOp, pattern: &str, context: &Context<'_>) -> Self {
        if op.test == TextTest::Matches {
            return Self::Regex(context.regex(pattern));
        }
        let pattern = if op.case_sensitive { pattern.to_owned() } else { pattern.to_lowercase() };
        Self::Plain { test: op.test, case_sensitive: op.case_sensitive, pattern }
    }

    fn holds(&self, text: &str) -> bool {
        match self {
            Self::Regex(regex) => regex.as_ref().is_some_and(|regex| regex.is_match(text)),
            Self::Plain { test, case_sensitive: true, pattern } => plain(*test, text, pattern),
            Self::Plain { test, case_sensitive: false, pattern } => {
                if text.len() < pattern.len() && text.is_ascii() {
                    return false;
                }
                if *test == TextTest::Equal && text.is_ascii() && pattern.is_ascii() {
                    return text.eq_ignore_ascii_case(pattern);
                }
                if text.bytes().any(|byte| byte.is_ascii_uppercase() || !byte.is_ascii()) {
                    plain(*test, &text.to_lowercase(), pattern)
                } else {
                    plain(*test, text, pattern)
                }
            }
        }
    }
}

fn plain(test: TextTest, text: &str, pattern: &str) -> bool {
    match test {
        TextTest::Equal => text == pattern,
        TextTest::Has => has_term(text, pattern),
        TextTest::HasPrefix => bounded(text, pattern, true, false),
        TextTest::HasSuffix => bounded(text, pattern, false, true),
        TextTest::Contains => text.contains(pattern),
        TextTest::StartsWith => text.starts_with(pattern),
        TextTest::EndsWith => text.ends_with(pattern),
        TextTest::Matches => false,
    }
}

/// Whether the text has the pattern with no letter or digit touching it on either side.
pub(crate) fn has_term(text: &str, pattern: &str) -> bool {
    bounded(text, pattern, true, true)
}

/// A side of the pattern that is no letter or digit itself needs no border there.
fn bounded(text: &str, pattern: &str, before: bool, after: bool) -> bool {
    if pattern.is_empty() {
        return true;
    }
    let before = before && pattern.chars().next().is_some_and(char::is_alphanumeric);
    let after = after && pattern.chars().next_back().is_some_and(char::is_alphanumeric);
    let mut from = 0;
    while let Some(found) = text[from..].find(pattern) {
        let start = from + found;
        let end = start + pattern.len();
        let touches_before = before && text[..start].chars().next_back().is_some_and(char::is_alphanumeric);
        let touches_after = after && text[end..].chars().next().is_some_and(char::is_alphanumeric);
        if !touches_before && !touches_after {
            return true;
        }
        from = start + text[start..].chars().next().map_or(1, char::len_utf8);
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_term_ends_where_letters_and_digits_end() {
        for (text, pattern, expect) in [
            ("powershell.exe -enc", "powershell", true),
            ("powershell.exe -enc", "power", false),
            ("powershell.exe -enc", "shell.exe", false),
            ("a_b", "a", true),
            ("North America", "america", false),
            ("x-enc", "-enc", true),
            ("über uns", "ber", false),
            ("abab ab", "ab", true),
        ] {
            assert_eq!(has_term(text, pattern), expect, "{text} has {pattern}");
        }
    }
}
