//! Text to tree, with recovery: after an error the reading goes on at the next operator or statement.

mod expressions;
mod literals;
mod operators;
mod statements;
mod tabular;

use std::sync::Arc;

use crate::{
    ast::{Expr, ExprKind, Name, Script},
    error::{QueryError, Span},
    lexer::{Token, TokenKind, string_text, tokens},
};

/// What a text reads as.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// What could be read.
    pub script: Script,
    /// What could not, in order; empty where the text is clean.
    pub errors: Vec<QueryError>,
}

/// Reads a text. Never fails: what cannot be read is in `errors`.
pub fn parse(text: &str) -> Parsed {
    let all = tokens(text);
    let tokens = all.into_iter().filter(|token| !matches!(token.kind, TokenKind::Blank | TokenKind::Comment)).collect();
    let mut parser = Parser { text, tokens, at: 0, depth: 0, errors: Vec::new() };
    let script = parser.script();
    let errors = parser.errors.into_iter().map(|error| error.placed(text)).collect();
    Parsed { script, errors }
}

/// An error was noted; whoever can recover goes on.
struct Stop;

type Reading<T> = Result<T, Stop>;

struct Parser<'a> {
    text: &'a str,
    tokens: Vec<Token>,
    at: usize,
    depth: u16,
    errors: Vec<QueryError>,
}

/// The deepest nesting that is read. The stack of a run is sized for it.
pub(crate) const DEPTH_MAX: u16 = 200;
const ERROR_COUNT_MAX: usize = 50;

impl<'a> Parser<'a> {
    fn token(&self, ahead: usize) -> Option<Token> {
        self.tokens.get(self.at + ahead).copied()
    }

    fn text_of(&self, token: Token) -> &'a str {
        &self.text[token.span.start..token.span.end]
    }

    /// The text of a token ahead; empty at the end.
    fn peek(&self, ahead: usize) -> &'a str {
        self.token(ahead).map_or("", |token| self.text_of(token))
    }

    fn kind(&self, ahead: usize) -> Option<TokenKind> {
        self.token(ahead).map(|token| token.kind)
    }

    fn is_symbol(&self, ahead: usize, symbol: &str) -> bool {
        self.kind(ahead) == Some(TokenKind::Symbol) && self.peek(ahead) == symbol
    }

    fn is_word(&self, ahead: usize, word: &str) -> bool {
        self.kind(ahead) == Some(TokenKind::Word) && self.peek(ahead) == word
    }

    fn span(&self) -> Span {
        self.token(0).map_or(Span { start: self.text.len(), end: self.text.len() }, |token| token.span)
    }

    /// The place of the token that was read last.
    fn last_span(&self) -> Span {
        self.at.checked_sub(1).and_then(|at| self.tokens.get(at)).map_or_else(Span::default, |token| token.span)
    }

    fn since(&self, start: Span) -> Span {
        start.to(self.last_span())
    }

    /// Reads the symbol if it is next.
    fn eat(&mut self, symbol: &str) -> bool {
        let found = self.is_symbol(0, symbol);
        self.at += usize::from(found);
        found
    }

    /// Reads the word if it is next.
    fn eat_word(&mut self, word: &str) -> bool {
        let found = self.is_word(0, word);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, symbol: &str) -> Reading<Span> {
        let span = self.span();
        if self.eat(symbol) { Ok(span) } else { Err(self.missing(&format!("`{symbol}`"))) }
    }

    fn expect_word(&mut self, word: &str) -> Reading<Span> {
        let span = self.span();
        if self.eat_word(word) { Ok(span) } else { Err(self.missing(&format!("`{word}`"))) }
    }

    /// Notes what was expected and what stands there.
    fn missing(&mut self, expected: &str) -> Stop {
        let found = match self.token(0) {
            Some(token) => {
                let text: String = self.text_of(token).chars().take(40).collect();
                format!("`{text}`")
            }
            None => "the end of the text".to_owned(),
        };
        let span = self.span();
        self.fail(format!("Expected {expected}, found {found}."), span)
    }

    fn fail(&mut self, detail: impl Into<String>, span: Span) -> Stop {
        if self.errors.len() < ERROR_COUNT_MAX {
            self.errors.push(QueryError::syntax(detail, span));
        }
        Stop
    }

    /// Runs one level deeper, within the bound.
    fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Reading<T>) -> Reading<T> {
        if self.depth >= DEPTH_MAX {
            let span = self.span();
            return Err(self.fail("The query is nested too deeply.", span));
        }
        self.depth += 1;
        let read = read(self);
        self.depth -= 1;
        read
    }

    /// A node, one deeper than the deepest of its parts.
    fn node(&mut self, kind: ExprKind, span: Span, below: u16) -> Reading<Expr> {
        if below >= DEPTH_MAX {
            return Err(self.fail("The expression is nested too deeply.", span));
        }
        Ok(Expr { kind: Box::new(kind), span, depth: below + 1 })
    }

    /// A plain name, `['a name']` or `["a name"]`.
    fn name(&mut self) -> Reading<Name> {
        self.name_ahead().map_or_else(|| Err(self.missing("a name")), Ok)
    }

    fn name_ahead(&mut self) -> Option<Name> {
        if self.kind(0) == Some(TokenKind::Word) && !self.peek(0).starts_with('!') {
            let name = Name { text: Arc::from(self.peek(0)), span: self.span() };
            self.at += 1;
            return Some(name);
        }
        let quoted = self.is_symbol(0, "[") && self.kind(1) == Some(TokenKind::String) && self.is_symbol(2, "]");
        let text = if quoted { string_text(self.peek(1))? } else { return None };
        let start = self.span();
        self.at += 3;
        Some(Name { text: Arc::from(text), span: self.since(start) })
    }

    /// A word that goes on across hyphens without blanks: `mv-expand`, `hint.strategy` is not one.
    fn hyphenated(&mut self) -> Reading<Name> {
        let mut name = self.name()?;
        while self.is_symbol(0, "-")
            && self.kind(1) == Some(TokenKind::Word)
            && self.span().start == name.span.end
            && self.token(1).is_some_and(|token| token.span.start == name.span.end + 1)
        {
            self.at += 2;
            let span = self.since(name.span);
            name = Name { text: Arc::from(&self.text[span.start..span.end]), span };
        }
        Ok(name)
    }

    /// Items between commas, at least one.
    fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Reading<T>) -> Reading<Vec<T>> {
        let mut items = vec![item(self)?];
        while self.eat(",") {
            items.push(item(self)?);
        }
        Ok(items)
    }

    /// Items between commas up to the closing symbol, which is read; a comma may stand before it where `trailing` says so.
    fn list_until<T>(
        &mut self,
        close: &str,
        trailing: bool,
        mut item: impl FnMut(&mut Self) -> Reading<T>,
    ) -> Reading<Vec<T>> {
        let mut items = Vec::new();
        if self.eat(close) {
            return Ok(items);
        }
        loop {
            items.push(item(self)?);
            if self.eat(close) {
                return Ok(items);
            }
            if !self.eat(",") {
                return Err(self.missing(&format!("`,` or `{close}`")));
            }
            if trailing && self.eat(close) {
                return Ok(items);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reading_goes_on_after_an_error() {
        let parsed = parse("let a = ;\nT | where | project x\n| take take 5");
        let places: Vec<_> = parsed.errors.iter().map(|error| (error.line, error.column)).collect();
        assert_eq!(places, [(1, 9), (2, 11), (3, 13)]);
    }

    #[test]
    fn depth_is_bounded() {
        for text in ["(".repeat(100_000), "-".repeat(100_000), "print 1".to_owned() + &"+1".repeat(100_000)] {
            assert!(!parse(&text).errors.is_empty());
        }
    }
}
