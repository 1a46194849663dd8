//! Expressions: operators by their precedence, and what stands between them.
//!
//! The grammar is Jinja's. What Jinja would let pass and give a surprise for is refused here: an unknown name, a choice without
//! `else`, a chain of comparisons, a method of a value.

use std::collections::BTreeMap;

use regex::Regex;
use serde_json::Value;

use super::{
    error::{Fail, Span, quoted},
    reads::Reads,
    scope::Names,
    syntax::{Kind, Node, Operator},
    token::{Token, TokenKind, token},
};
use crate::text::nearest;

/// Reads one text.
pub(super) struct Parser<'t> {
    pub(super) text: &'t str,
    pub(super) names: &'t Names,
    /// The byte that is read next, unless a token was looked at already.
    pub(super) at: usize,
    pub(super) peeked: Option<Token<'t>>,
    pub(super) variables: Vec<Variable<'t>>,
    /// Variables whose block is over, for the sake of a better sentence.
    pub(super) gone: Vec<&'t str>,
    pub(super) slot_count: usize,
    pub(super) loop_count: usize,
    /// How many brackets and blocks are open.
    pub(super) nesting: usize,
    pub(super) reads: Reads,
    pub(super) patterns: BTreeMap<String, Regex>,
}

/// A name that the text itself gives.
pub(super) struct Variable<'t> {
    pub(super) name: &'t str,
    pub(super) slot: usize,
    /// How many loops it stands in.
    pub(super) loop_count: usize,
}

impl<'t> Parser<'t> {
    pub(super) fn new(text: &'t str, names: &'t Names) -> Result<Self, Fail> {
        if text.len() > TEXT_BYTES_MAX {
            let what = format!("the text has {} bytes, {TEXT_BYTES_MAX} are allowed", text.len());
            return Err(Fail::text(what).next("split it among several steps"));
        }
        Ok(Self {
            text,
            names,
            at: 0,
            peeked: None,
            variables: Vec::new(),
            gone: Vec::new(),
            slot_count: 0,
            loop_count: 0,
            nesting: 0,
            reads: Reads::default(),
            patterns: BTreeMap::new(),
        })
    }

    pub(super) fn peek(&mut self) -> Result<&Token<'t>, Fail> {
        if self.peeked.is_none() {
            self.peeked = Some(token(self.text, self.at)?);
        }
        Ok(self.peeked.as_ref().expect("it was just looked at"))
    }

    pub(super) fn take(&mut self) -> Result<Token<'t>, Fail> {
        self.peek()?;
        let token = self.peeked.take().expect("it was just looked at");
        self.at = token.span.end;
        Ok(token)
    }

    pub(super) fn is_symbol(&mut self, symbol: &str) -> Result<bool, Fail> {
        Ok(matches!(self.peek()?.kind, TokenKind::Symbol(found) if found == symbol))
    }

    pub(super) fn is_word(&mut self, word: &str) -> Result<bool, Fail> {
        Ok(matches!(self.peek()?.kind, TokenKind::Name(found) if found == word))
    }

    /// Takes the symbol if it comes next.
    pub(super) fn skip_symbol(&mut self, symbol: &str) -> Result<bool, Fail> {
        let is_next = self.is_symbol(symbol)?;
        if is_next {
            self.take()?;
        }
        Ok(is_next)
    }

    pub(super) fn skip_word(&mut self, word: &str) -> Result<bool, Fail> {
        let is_next = self.is_word(word)?;
        if is_next {
            self.take()?;
        }
        Ok(is_next)
    }

    pub(super) fn expect_symbol(&mut self, symbol: &str, why: &str) -> Result<Span, Fail> {
        if self.is_symbol(symbol)? {
            return Ok(self.take()?.span);
        }
        Err(self.unexpected(&format!("`{symbol}` {why}")))
    }

    /// What stands here instead of what is expected.
    pub(super) fn unexpected(&mut self, expected: &str) -> Fail {
        let token = match self.take() {
            Ok(token) => token,
            Err(fail) => return fail,
        };
        let fail = match &token.kind {
            TokenKind::End => Fail::text(format!("the text ends where {expected} is expected")),
            TokenKind::Symbol("=") => Fail::text("`=` sets nothing here").next("compare with `==`"),
            _ => Fail::text(format!("{} stands where {expected} is expected", quoted(self.text, &token.span))),
        };
        fail.at(&token.span)
    }

    /// One level deeper for as long as `inner` runs: no text makes the parser recurse without end.
    pub(super) fn nested<T>(&mut self, inner: impl FnOnce(&mut Self) -> Result<T, Fail>) -> Result<T, Fail> {
        if self.nesting >= NESTING_MAX {
            return Err(deep().at(&(self.at..self.at)));
        }
        self.nesting += 1;
        let result = inner(self);
        self.nesting -= 1;
        result
    }

    pub(super) fn node(&self, span: Span, kind: Kind) -> Result<Node, Fail> {
        let depth = kind.depth() + 1;
        if depth > DEPTH_MAX {
            return Err(deep().at(&span));
        }
        Ok(Node { span, depth, kind })
    }

    /// A whole expression.
    pub(super) fn expression(&mut self) -> Result<Node, Fail> {
        self.nested(|parser| {
            let then = parser.either()?;
            if !parser.skip_word("if")? {
                return Ok(then);
            }
            let test = parser.either()?;
            if !parser.skip_word("else")? {
                let span = then.span.start..test.span.end;
                let fail = Fail::text(format!("{} does not say what holds otherwise", quoted(parser.text, &span)));
                return Err(fail.next("add `else` and a value, such as `else none`").at(&span));
            }
            let otherwise = parser.expression()?;
            let span = then.span.start..otherwise.span.end;
            parser.node(span, Kind::Choice(Box::new([test, then, otherwise])))
        })
    }

    /// `or`: all that may stand where an `if` may follow.
    pub(super) fn either(&mut self) -> Result<Node, Fail> {
        let mut left = self.both()?;
        while self.skip_word("or")? {
            let right = self.both()?;
            left = self.logical(true, left, right)?;
        }
        Ok(left)
    }

    fn both(&mut self) -> Result<Node, Fail> {
        let mut left = self.negation()?;
        while self.skip_word("and")? {
            let right = self.negation()?;
            left = self.logical(false, left, right)?;
        }
        Ok(left)
    }

    fn logical(&self, is_or: bool, left: Node, right: Node) -> Result<Node, Fail> {
        let span = left.span.start..right.span.end;
        self.node(span, Kind::Both { is_or, sides: Box::new((left, right)) })
    }

    fn negation(&mut self) -> Result<Node, Fail> {
        if !self.is_word("not")? {
            return self.comparison();
        }
        let start = self.take()?.span.start;
        let inner = self.nested(Self::negation)?;
        self.node(start..inner.span.end, Kind::Not(Box::new(inner)))
    }

    fn comparison(&mut self) -> Result<Node, Fail> {
        let left = self.arithmetic(0)?;
        let Some(operator) = self.comparing()? else { return Ok(left) };
        let right = self.arithmetic(0)?;
        let whole = self.binary(operator, left, right)?;
        if self.comparing()?.is_some() {
            let fail = Fail::text("a comparison cannot be compared again");
            return Err(fail.next("write `a < b and b < c`").at(&whole.span));
        }
        Ok(whole)
    }

    /// Takes an operator that compares, if one comes next.
    fn comparing(&mut self) -> Result<Option<Operator>, Fail> {
        let operator = match self.peek()?.kind {
            TokenKind::Symbol("==") => Operator::Equal,
            TokenKind::Symbol("!=") => Operator::Unequal,
            TokenKind::Symbol("<") => Operator::Less,
            TokenKind::Symbol("<=") => Operator::LessOrEqual,
            TokenKind::Symbol(">") => Operator::Greater,
            TokenKind::Symbol(">=") => Operator::GreaterOrEqual,
            TokenKind::Name("in") => Operator::In,
            TokenKind::Name("not") => {
                self.take()?;
                if !self.is_word("in")? {
                    return Err(self.unexpected("`in` behind `not`"));
                }
                Operator::NotIn
            }
            _ => return Ok(None),
        };
        self.take()?;
        Ok(Some(operator))
    }

    fn binary(&self, operator: Operator, left: Node, right: Node) -> Result<Node, Fail> {
        let span = left.span.start..right.span.end;
        self.node(span, Kind::Binary { operator, sides: Box::new((left, right)) })
    }

    /// `+ -` bind least, then `~`, then `* / // %`, then `**`.
    fn arithmetic(&mut self, weakest: usize) -> Result<Node, Fail> {
        let mut left = self.unary(true)?;
        loop {
            let TokenKind::Symbol(symbol) = self.peek()?.kind else { return Ok(left) };
            let Some((_, strength, operator)) = ARITHMETIC.iter().find(|(known, ..)| *known == symbol) else {
                return Ok(left);
            };
            if *strength < weakest {
                return Ok(left);
            }
            self.take()?;
            let right = self.arithmetic(strength + 1)?;
            left = self.binary(*operator, left, right)?;
        }
    }

    /// Filters bind weaker than a sign: `-1 | abs` is 1.
    fn unary(&mut self, has_filters: bool) -> Result<Node, Fail> {
        let mut node = if self.is_symbol("-")? || self.is_symbol("+")? {
            let sign = self.take()?;
            let inner = self.nested(|parser| parser.unary(false))?;
            let span = sign.span.start..inner.span.end;
            match (sign.kind, inner.kind) {
                (TokenKind::Symbol("-"), Kind::Const(Value::Number(number))) if number.as_f64() != Some(0.0) => {
                    self.node(span, Kind::Const(negative(&number)?))?
                }
                (TokenKind::Symbol("-"), kind) => {
                    let inner = Node { kind, ..inner };
                    self.node(span, Kind::Negative(Box::new(inner)))?
                }
                (_, kind) => Node { kind, ..inner },
            }
        } else {
            let primary = self.primary()?;
            self.accesses(primary)?
        };
        if !has_filters {
            return Ok(node);
        }
        loop {
            if self.skip_symbol("|")? {
                node = self.filter(node)?;
            } else if self.is_word("is")? {
                node = self.test(node)?;
            } else {
                return Ok(node);
            }
        }
    }

    /// A name that is neither a variable nor given.
    pub(super) fn unknown_name(&self, name: &str, span: &Span) -> Fail {
        let fail = Fail::text(format!("there is no `{name}` here")).at(span);
        let before = self.text[..span.start].strip_suffix('-');
        if before.is_some_and(|before| before.ends_with(|c: char| c.is_alphanumeric() || c == '_')) {
            return fail.next(format!("write a key with a dash in brackets, as in item['a-{name}']"));
        }
        if self.gone.contains(&name) {
            return fail.next(format!("it ended with the block that set it; set `{name}` before the block"));
        }
        let variables = self.variables.iter().map(|variable| variable.name);
        match nearest(name, self.names.iter().chain(variables).chain(["now"])) {
            Some(meant) => fail.next(format!("did you mean `{meant}`?")),
            None => {
                let known: Vec<_> = self.names.iter().map(|known| format!("`{known}`")).collect();
                fail.next(format!("these can be read: {}, `now`; quote a text with '", known.join(", ")))
            }
        }
    }
}

fn negative(number: &serde_json::Number) -> Result<Value, Fail> {
    if let Some(whole) = number.as_i128() {
        return match i64::try_from(-whole) {
            Ok(whole) => Ok(whole.into()),
            Err(_) => Err(Fail::text(format!("`-{number}` does not fit into 64 bits"))),
        };
    }
    Ok(number.as_f64().map_or(Value::Null, |fraction| Value::from(-fraction)))
}

fn deep() -> Fail {
    Fail::text("this is nested too deeply").next("take it apart with `set`, or in a step of its own")
}

impl Kind {
    /// How deep the deepest part is.
    fn depth(&self) -> usize {
        let optional = |nodes: &[Option<Node>]| nodes.iter().flatten().map(|node| node.depth).max().unwrap_or(0);
        let tested = |tested: &super::syntax::Tested| tested.argument.as_ref().map_or(0, |node| node.depth);
        match self {
            Self::Const(_) | Self::Now | Self::Root(_) | Self::Step { .. } | Self::Local(_) | Self::Loop { .. } => 0,
            Self::Attribute { of, .. } | Self::Defined { of, .. } => of.depth,
            Self::Not(of) | Self::Negative(of) | Self::Ago(of) => of.depth,
            Self::Index { of, index: other } | Self::Default { of, fallback: other } => of.depth.max(other.depth),
            Self::Slice { of, bounds } => of.depth.max(optional(&**bounds)),
            Self::List(items) => items.iter().map(|node| node.depth).max().unwrap_or(0),
            Self::Object(fields) => fields.iter().map(|(key, value)| key.depth.max(value.depth)).max().unwrap_or(0),
            Self::Both { sides, .. } | Self::Binary { sides, .. } => sides.0.depth.max(sides.1.depth),
            Self::Choice(parts) => parts.iter().map(|node| node.depth).max().unwrap_or(0),
            Self::Filter { of, applied } | Self::Each { of, applied } => of.depth.max(optional(&applied.arguments)),
            Self::Test { of, tested: test } => of.depth.max(tested(test)),
            Self::Pluck { of, fallback, .. } => of.depth.max(fallback.as_ref().map_or(0, |node| node.depth)),
            Self::Keep { of, tested: test, .. } => of.depth.max(test.as_ref().map_or(0, tested)),
            Self::Range(bounds) => optional(&**bounds),
        }
    }
}

const ARITHMETIC: &[(&str, usize, Operator)] = &[
    ("+", 0, Operator::Add),
    ("-", 0, Operator::Subtract),
    ("~", 1, Operator::Join),
    ("*", 2, Operator::Multiply),
    ("/", 2, Operator::Divide),
    ("//", 2, Operator::DivideWhole),
    ("%", 2, Operator::Remainder),
    ("**", 3, Operator::Power),
];
const TEXT_BYTES_MAX: usize = 256 << 10;
/// Of brackets and blocks. The parser recurses through some ten functions for each.
const NESTING_MAX: usize = 40;
/// Of the tree that is evaluated: `a + b + c` is two deep.
const DEPTH_MAX: usize = 100;
