//! From tokens to an expression: recursive descent with bounds on length, depth and size.
//!
//! Grammar: OData 4.01 URL conventions, sections 5.1.1.1 to 5.1.1.10, as far as the security lists use it.

use super::lexer::{Token, TokenKind, tokens};
use crate::world::Ticks;

/// A `$filter` that could be read; which properties it may name is the list's matter.
#[derive(Clone, Debug, PartialEq)]
pub struct ParsedFilter(pub(super) Expression);

/// Why a `$filter` is refused. The text is the one that a caller gets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// Not an expression.
    #[error("Syntax error at position {position} in '{text}'.")]
    Syntax {
        /// Counted in characters.
        position: usize,
        /// The whole filter.
        text: String,
    },
    /// Longer than anyone needs.
    #[error("The filter is longer than {FILTER_LENGTH_MAX} characters.")]
    TooLong,
    /// Nested too deep.
    #[error("Recursion depth exceeded allowed limit.")]
    TooDeep,
    /// Too many comparisons.
    #[error("The node count limit of '{NODE_COUNT_MAX}' has been exceeded.")]
    TooLarge,
    /// No function of this name.
    #[error(
        "An unknown function with name '{0}' was found. This may also be a function import or a key lookup on a \
         navigation property, which is not allowed."
    )]
    UnknownFunction(String),
    /// The entity has no such property.
    #[error("Could not find a property named '{property}' on type '{entity}'.")]
    UnknownProperty {
        /// As it was written.
        property: String,
        /// The list's entity type.
        entity: &'static str,
    },
    /// The entity has it, but the list can't filter by it.
    #[error("The property '{0}' cannot be used in the $filter query option.")]
    NotFilterable(String),
    /// For example a number compared with a text.
    #[error(
        "A binary operator with incompatible types was detected. Found operand types '{left}' and '{right}' for \
         operator kind '{operator}'."
    )]
    Types {
        /// Type of the left operand.
        left: &'static str,
        /// Type of the right operand.
        right: &'static str,
        /// The operator's name.
        operator: &'static str,
    },
    /// No member of the enumeration.
    #[error("The string '{0}' is not a valid enumeration type constant.")]
    NotAMember(String),
}

/// Reads the text of a `$filter`. Never panics, whatever the text.
///
/// # Errors
/// [`FilterError`] with the position where the text stops making sense.
pub fn parse_odata_filter(text: &str) -> Result<ParsedFilter, FilterError> {
    if text.chars().count() > FILTER_LENGTH_MAX {
        return Err(FilterError::TooLong);
    }
    let tokens = tokens(text)?;
    let mut parser = Parser { text, tokens: &tokens, next: 0, depth: 0, nodes: 0 };
    let expression = parser.either()?;
    if parser.next < tokens.len() {
        return Err(parser.syntax());
    }
    Ok(ParsedFilter(expression))
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expression {
    And(Box<Expression>, Box<Expression>),
    Or(Box<Expression>, Box<Expression>),
    Not(Box<Expression>),
    Compare { left: Operand, operator: Operator, right: Operand },
    In { left: Operand, members: Vec<Literal> },
    Match { function: Function, property: String, text: String },
    Any { property: String, variable: String, body: Box<Expression> },
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Operand {
    Property(String),
    Literal(Literal),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Literal {
    Null,
    Boolean(bool),
    Number(f64),
    Text(String),
    Instant(Ticks),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    GreaterThan,
    GreaterThanOrEqual,
    LessThan,
    LessThanOrEqual,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    StartsWith,
    EndsWith,
    Contains,
}

impl FilterError {
    pub(super) fn syntax(position: usize, text: &str) -> Self {
        Self::Syntax { position, text: text.to_owned() }
    }
}

struct Parser<'a> {
    text: &'a str,
    tokens: &'a [Token],
    next: usize,
    depth: usize,
    nodes: usize,
}

impl Parser<'_> {
    fn either(&mut self) -> Result<Expression, FilterError> {
        let mut left = self.both()?;
        while self.take_word("or") {
            left = Expression::Or(Box::new(left), Box::new(self.both()?));
        }
        Ok(left)
    }

    fn both(&mut self) -> Result<Expression, FilterError> {
        let mut left = self.term()?;
        while self.take_word("and") {
            left = Expression::And(Box::new(left), Box::new(self.term()?));
        }
        Ok(left)
    }

    fn term(&mut self) -> Result<Expression, FilterError> {
        self.nodes += 1;
        if self.nodes > NODE_COUNT_MAX {
            return Err(FilterError::TooLarge);
        }
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(FilterError::TooDeep);
        }
        let term = self.term_below();
        self.depth -= 1;
        term
    }

    fn term_below(&mut self) -> Result<Expression, FilterError> {
        if self.take_word("not") {
            return Ok(Expression::Not(Box::new(self.term()?)));
        }
        if self.take(&TokenKind::Open) {
            let inside = self.either()?;
            self.expect(&TokenKind::Close)?;
            return Ok(inside);
        }
        if let Some(TokenKind::Word(name)) = self.peek(0)
            && self.peek(1) == Some(&TokenKind::Open)
        {
            return self.call(name.clone());
        }
        if let Some(any) = self.any()? {
            return Ok(any);
        }
        self.comparison()
    }

    fn call(&mut self, name: String) -> Result<Expression, FilterError> {
        let function = match name.to_ascii_lowercase().as_str() {
            "startswith" => Function::StartsWith,
            "endswith" => Function::EndsWith,
            "contains" => Function::Contains,
            _ => return Err(FilterError::UnknownFunction(name)),
        };
        self.next += 2;
        let property = self.path()?;
        self.expect(&TokenKind::Comma)?;
        let Literal::Text(text) = self.literal()? else { return Err(self.syntax()) };
        self.expect(&TokenKind::Close)?;
        // `startswith(a,'b') eq true` means the same as the call alone.
        if self.take_word("eq") && self.literal()? != Literal::Boolean(true) {
            return Err(self.syntax());
        }
        Ok(Expression::Match { function, property, text })
    }

    /// `tags/any(tag: tag eq 'x')`.
    fn any(&mut self) -> Result<Option<Expression>, FilterError> {
        let is_any = matches!(self.peek(2), Some(TokenKind::Word(word)) if word.eq_ignore_ascii_case("any"));
        let (Some(TokenKind::Word(property)), Some(TokenKind::Slash), true) = (self.peek(0), self.peek(1), is_any)
        else {
            return Ok(None);
        };
        let property = property.clone();
        self.next += 3;
        self.expect(&TokenKind::Open)?;
        let variable = self.word()?;
        self.expect(&TokenKind::Colon)?;
        let body = Box::new(self.either()?);
        self.expect(&TokenKind::Close)?;
        Ok(Some(Expression::Any { property, variable, body }))
    }

    fn comparison(&mut self) -> Result<Expression, FilterError> {
        let left = self.operand()?;
        let word = self.word()?.to_ascii_lowercase();
        if word == "in" {
            self.expect(&TokenKind::Open)?;
            let mut members = vec![self.literal()?];
            while self.take(&TokenKind::Comma) {
                members.push(self.literal()?);
            }
            self.expect(&TokenKind::Close)?;
            return Ok(Expression::In { left, members });
        }
        let operator = match word.as_str() {
            "eq" => Operator::Equal,
            "ne" => Operator::NotEqual,
            "gt" => Operator::GreaterThan,
            "ge" => Operator::GreaterThanOrEqual,
            "lt" => Operator::LessThan,
            "le" => Operator::LessThanOrEqual,
            _ => {
                self.next -= 1;
                return Err(self.syntax());
            }
        };
        Ok(Expression::Compare { left, operator, right: self.operand()? })
    }

    fn operand(&mut self) -> Result<Operand, FilterError> {
        match self.peek(0) {
            Some(TokenKind::Word(word)) if keyword(word).is_none() => Ok(Operand::Property(self.path()?)),
            _ => Ok(Operand::Literal(self.literal()?)),
        }
    }

    fn path(&mut self) -> Result<String, FilterError> {
        let mut path = self.word()?;
        while self.take(&TokenKind::Slash) {
            path.push('/');
            path.push_str(&self.word()?);
        }
        Ok(path)
    }

    fn literal(&mut self) -> Result<Literal, FilterError> {
        let literal = match self.peek(0) {
            Some(TokenKind::Text(text)) => Literal::Text(text.clone()),
            Some(TokenKind::Number(number)) => Literal::Number(*number),
            Some(TokenKind::Instant(instant)) => Literal::Instant(*instant),
            Some(TokenKind::Word(word)) => keyword(word).ok_or_else(|| self.syntax())?,
            _ => return Err(self.syntax()),
        };
        self.next += 1;
        Ok(literal)
    }

    fn word(&mut self) -> Result<String, FilterError> {
        match self.peek(0) {
            Some(TokenKind::Word(word)) => {
                let word = word.clone();
                self.next += 1;
                Ok(word)
            }
            _ => Err(self.syntax()),
        }
    }

    fn peek(&self, ahead: usize) -> Option<&TokenKind> {
        self.tokens.get(self.next + ahead).map(|token| &token.kind)
    }

    fn take(&mut self, kind: &TokenKind) -> bool {
        let found = self.peek(0) == Some(kind);
        self.next += usize::from(found);
        found
    }

    fn take_word(&mut self, word: &str) -> bool {
        let found = matches!(self.peek(0), Some(TokenKind::Word(found)) if found.eq_ignore_ascii_case(word));
        self.next += usize::from(found);
        found
    }

    fn expect(&mut self, kind: &TokenKind) -> Result<(), FilterError> {
        if self.take(kind) { Ok(()) } else { Err(self.syntax()) }
    }

    fn syntax(&self) -> FilterError {
        let position = self.tokens.get(self.next).map_or_else(|| self.text.chars().count(), |token| token.at);
        FilterError::syntax(position, self.text)
    }
}

fn keyword(word: &str) -> Option<Literal> {
    match word {
        "null" => Some(Literal::Null),
        "true" => Some(Literal::Boolean(true)),
        "false" => Some(Literal::Boolean(false)),
        _ => None,
    }
}

const FILTER_LENGTH_MAX: usize = 8_192;
const DEPTH_MAX: usize = 64;
const NODE_COUNT_MAX: usize = 400;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn refused(text: &str) -> FilterError {
        parse_odata_filter(text).expect_err(text)
    }

    #[test]
    fn documented_filters_are_understood() {
        for text in [
            "lastUpdateTime ge 2026-11-01T00:00:00.1234567Z",
            "lastUpdateTime gt 2026-11-01 and status eq 'Active'",
            "createdTime ge 2026-11-01Z",
            "(status eq 'active' or status eq 'inProgress') and not (severity in ('low','informational'))",
            "startswith(displayName,'O''Neil')",
            "startswith(displayName,'x') eq true",
            "contains(title, 'phish') and assignedTo ne null",
            "customTags/any(tag: tag eq 'VIP')",
            "priorityScore gt 50",
            "not status eq 'resolved'",
            "'active' eq status",
            "tenantId eq 5d6b2f0e-7c2f-4b5e-9a63-0e6f1a3d9c11",
        ] {
            assert!(parse_odata_filter(text).is_ok(), "{text}: {:?}", parse_odata_filter(text));
        }
    }

    #[test]
    fn errors_name_the_place() {
        assert_eq!(refused("status eq").to_string(), "Syntax error at position 9 in 'status eq'.");
        assert_eq!(refused("status is 'a'").to_string(), "Syntax error at position 7 in 'status is 'a''.");
        assert_eq!(refused("").to_string(), "Syntax error at position 0 in ''.");
        assert!(matches!(refused("status eq 'a"), FilterError::Syntax { position: 10, .. }));
        assert!(matches!(refused("(status eq 'a'"), FilterError::Syntax { .. }));
        assert!(matches!(refused("status eq 'a' 'b'"), FilterError::Syntax { .. }));
        assert!(matches!(refused("concat(a,'b') eq 'c'"), FilterError::UnknownFunction(_)));
    }

    #[test]
    fn depth_length_and_size_are_bounded() {
        let nested = |count: usize| format!("{}a eq 1{}", "(".repeat(count), ")".repeat(count));
        assert!(parse_odata_filter(&nested(60)).is_ok());
        assert_eq!(refused(&nested(70)), FilterError::TooDeep);
        assert_eq!(refused(&"not ".repeat(1_000)), FilterError::TooDeep);
        assert_eq!(refused(&"a".repeat(FILTER_LENGTH_MAX + 1)), FilterError::TooLong);
        assert_eq!(refused(&vec!["a eq 1"; 500].join(" and ")), FilterError::TooLarge);
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC{0,80}") {
            let _either_is_fine = parse_odata_filter(&text);
        }

        #[test]
        fn no_heap_of_tokens_makes_the_parser_panic(
            words in proptest::collection::vec(proptest::sample::select(vec![
                "(", ")", ",", ":", "/", "and", "or", "not", "eq", "in", "any", "status", "'x'", "'", "1", "-1.5", "null",
                "2026-01-01", "2026-01-01T00:00:00Z", "startswith", "contains", "-",
            ]), 0..40),
        ) {
            let _either_is_fine = parse_odata_filter(&words.join(" "));
        }
    }
}
