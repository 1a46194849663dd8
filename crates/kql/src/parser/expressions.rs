//! Scalar expressions, loosest binding first: or, and, equality and text, order, sums, products, signs, paths.

use super::{Parser, Reading};
use crate::{
    ast::{Argument, BinaryOp, Expr, ExprKind, InOp, InTest, Item, Name, TextOp, TextTest},
    error::Span,
    lexer::TokenKind,
};

impl Parser<'_> {
    /// A scalar expression.
    pub(super) fn expression(&mut self) -> Reading<Expr> {
        self.deeper(|parser| parser.chain("or", |parser| parser.chain("and", Self::equality)))
    }

    /// `a or b or c` as one node.
    fn chain(&mut self, word: &str, part: fn(&mut Self) -> Reading<Expr>) -> Reading<Expr> {
        let first = part(self)?;
        if !self.is_word(0, word) {
            return Ok(first);
        }
        let start = first.span;
        let mut parts = vec![first];
        while self.eat_word(word) {
            parts.push(part(self)?);
        }
        let depth = parts.iter().map(|part| part.depth).max().unwrap_or(0);
        let kind = if word == "or" { ExprKind::Or(parts) } else { ExprKind::And(parts) };
        let span = self.since(start);
        self.node(kind, span, depth)
    }

    fn equality(&mut self) -> Reading<Expr> {
        let left = self.relation()?;
        if let Some(op) = self.in_operator() {
            return self.in_list(op, left);
        }
        if self.is_word(0, "between") || self.is_word(0, "!between") {
            return self.between(left);
        }
        let Some((op, words)) = self.equality_operator() else { return Ok(left) };
        self.at += words;
        let right = self.relation()?;
        self.binary(op, left, right)
    }

    fn equality_operator(&self) -> Option<(BinaryOp, usize)> {
        let text = |test, case_sensitive, negated| BinaryOp::Text(TextOp { test, case_sensitive, negated });
        let word = self.peek(0);
        if self.kind(0) == Some(TokenKind::Symbol) {
            let op = match word {
                "==" => BinaryOp::Equal,
                "!=" | "<>" => BinaryOp::NotEqual,
                "=~" => text(TextTest::Equal, false, false),
                "!~" => text(TextTest::Equal, false, true),
                ":" => BinaryOp::Colon,
                _ => return None,
            };
            return Some((op, 1));
        }
        if self.kind(0) != Some(TokenKind::Word) {
            return None;
        }
        if word == "matches" && self.is_word(1, "regex") {
            return Some((text(TextTest::Matches, true, false), 2));
        }
        let (positive, negated) = word.strip_prefix('!').map_or((word, false), |word| (word, true));
        let (positive, case_sensitive) = positive.strip_suffix("_cs").map_or((positive, false), |word| (word, true));
        let test = match positive {
            "has" => TextTest::Has,
            "hasprefix" => TextTest::HasPrefix,
            "hassuffix" => TextTest::HasSuffix,
            "contains" => TextTest::Contains,
            "containscs" => return Some((text(TextTest::Contains, true, negated), 1)),
            "notcontains" => return Some((text(TextTest::Contains, false, true), 1)),
            "startswith" => TextTest::StartsWith,
            "endswith" => TextTest::EndsWith,
            _ => return None,
        };
        Some((text(test, case_sensitive, negated), 1))
    }

    fn in_operator(&mut self) -> Option<InOp> {
        if self.kind(0) != Some(TokenKind::Word) {
            return None;
        }
        let word = self.peek(0);
        let (positive, negated) = word.strip_prefix('!').map_or((word, false), |word| (word, true));
        let test = match positive {
            "in" => InTest::In,
            "in~" => InTest::InIgnoringCase,
            "has_any" => InTest::HasAny,
            "has_all" => InTest::HasAll,
            _ => return None,
        };
        self.at += 1;
        Some(InOp { test, negated })
    }

    fn in_list(&mut self, op: InOp, left: Expr) -> Reading<Expr> {
        self.expect("(")?;
        let list = self.list_until(")", true, |parser| parser.deeper(Self::pipe))?;
        let depth = list.iter().map(|item| item.depth).max().unwrap_or(0).max(left.depth);
        let span = self.since(left.span);
        self.node(ExprKind::In(op, left, list), span, depth)
    }

    fn between(&mut self, value: Expr) -> Reading<Expr> {
        let negated = self.peek(0).starts_with('!');
        self.at += 1;
        self.expect("(")?;
        let low = self.expression()?;
        self.expect("..")?;
        let high = self.expression()?;
        self.expect(")")?;
        let depth = value.depth.max(low.depth).max(high.depth);
        let span = self.since(value.span);
        self.node(ExprKind::Between { negated, value, low, high }, span, depth)
    }

    fn relation(&mut self) -> Reading<Expr> {
        let left = self.sum()?;
        let op = match self.peek(0) {
            "<" => BinaryOp::Less,
            "<=" => BinaryOp::LessOrEqual,
            ">" => BinaryOp::Greater,
            ">=" => BinaryOp::GreaterOrEqual,
            _ => return Ok(left),
        };
        self.at += 1;
        let right = self.sum()?;
        self.binary(op, left, right)
    }

    pub(super) fn sum(&mut self) -> Reading<Expr> {
        let mut left = self.product()?;
        loop {
            let op = match self.peek(0) {
                "+" => BinaryOp::Add,
                "-" => BinaryOp::Subtract,
                _ => return Ok(left),
            };
            self.at += 1;
            let right = self.product()?;
            left = self.binary(op, left, right)?;
        }
    }

    fn product(&mut self) -> Reading<Expr> {
        let mut left = self.signed()?;
        loop {
            let op = match self.peek(0) {
                "*" => BinaryOp::Multiply,
                "/" => BinaryOp::Divide,
                "%" => BinaryOp::Modulo,
                _ => return Ok(left),
            };
            self.at += 1;
            let right = self.signed()?;
            left = self.binary(op, left, right)?;
        }
    }

    fn binary(&mut self, op: BinaryOp, left: Expr, right: Expr) -> Reading<Expr> {
        let (span, depth) = (left.span.to(right.span), left.depth.max(right.depth));
        self.node(ExprKind::Binary(op, left, right), span, depth)
    }

    fn signed(&mut self) -> Reading<Expr> {
        let start = self.span();
        if self.eat("-") {
            let value = self.deeper(Self::signed)?;
            let (span, depth) = (self.since(start), value.depth);
            return self.node(ExprKind::Negate(value), span, depth);
        }
        if self.eat("+") {
            return self.deeper(Self::signed);
        }
        self.path()
    }

    /// A primary with its members, indexes and calls.
    fn path(&mut self) -> Reading<Expr> {
        let mut value = self.primary()?;
        loop {
            let depth = value.depth;
            if self.eat(".") {
                if self.is_symbol(0, "[") && self.kind(1) != Some(TokenKind::String) {
                    continue; // `a.[0]`
                }
                let name = self.name()?;
                let arguments = if self.is_symbol(0, "(") { Some(self.arguments()?) } else { None };
                let span = self.since(value.span);
                let kind = match arguments {
                    Some(arguments) => ExprKind::MemberCall(value, name, arguments),
                    None => ExprKind::Member(value, name),
                };
                value = self.node(kind, span, depth)?;
            } else if self.is_symbol(0, "[") {
                self.at += 1;
                let index = self.expression()?;
                self.expect("]")?;
                let (span, depth) = (self.since(value.span), depth.max(index.depth));
                value = self.node(ExprKind::Index(value, index), span, depth)?;
            } else {
                return Ok(value);
            }
        }
    }

    fn primary(&mut self) -> Reading<Expr> {
        if let Some(literal) = self.literal() {
            return literal;
        }
        let start = self.span();
        if self.eat("*") {
            return self.star(start);
        }
        if self.lambda_ahead() {
            return self.lambda();
        }
        if self.eat("(") {
            let inner = self.deeper(Self::pipe)?;
            self.expect(")")?;
            return Ok(inner);
        }
        if let Some(source) = self.source_in_brackets() {
            return source;
        }
        if self.kind(0) == Some(TokenKind::Word) && RESERVED.contains(&self.peek(0)) {
            return Err(self.missing("an expression"));
        }
        let Some(name) = self.name_ahead() else { return Err(self.missing("an expression")) };
        if self.is_symbol(0, "(") {
            if &*name.text == "typeof" {
                return self.type_of(start);
            }
            let arguments = self.arguments()?;
            let depth = arguments.iter().map(|argument| argument.value.depth).max().unwrap_or(0);
            let span = self.since(start);
            return self.node(ExprKind::Call(name, arguments), span, depth);
        }
        let name = self.wildcard(name);
        let kind = if name.text.contains('*') { ExprKind::Wildcard(name) } else { ExprKind::Name(name) };
        let span = self.since(start);
        self.node(kind, span, 0)
    }

    /// `*` alone, or a wildcard that begins with it.
    fn star(&mut self, start: Span) -> Reading<Expr> {
        let mut span = start;
        while (self.is_symbol(0, "*") || matches!(self.kind(0), Some(TokenKind::Word | TokenKind::Whole)))
            && self.span().start == span.end
        {
            span = span.to(self.span());
            self.at += 1;
        }
        let kind = if span == start { ExprKind::Star } else { ExprKind::Wildcard(self.name_at(span)) };
        self.node(kind, span, 0)
    }

    /// A bare name, never a call.
    pub(super) fn name_expression(&mut self) -> Reading<Expr> {
        let name = self.name()?;
        let span = name.span;
        self.node(ExprKind::Name(name), span, 0)
    }

    /// `Device*`: stars that touch the name belong to it, unless what follows shows a product.
    fn wildcard(&mut self, name: Name) -> Name {
        let touches = |parser: &Self, end| parser.is_symbol(0, "*") && parser.span().start == end;
        if !touches(self, name.span.end) {
            return name;
        }
        let next = self.token(1);
        let ends = next.is_none_or(|next| {
            matches!(self.text_of(next), "," | ")" | "|" | ";" | "asc" | "desc" | "on" | "to") || {
                next.kind == TokenKind::Word && next.span.start == name.span.end + 1 && self.is_wildcard_tail(2)
            }
        });
        if !ends {
            return name;
        }
        let mut span = name.span;
        while (self.is_symbol(0, "*") || self.kind(0) == Some(TokenKind::Word)) && self.span().start == span.end {
            span = span.to(self.span());
            self.at += 1;
        }
        self.name_at(span)
    }

    fn is_wildcard_tail(&self, ahead: usize) -> bool {
        self.token(ahead).is_none_or(|next| matches!(self.text_of(next), "," | ")" | "|" | ";" | "*"))
    }

    fn type_of(&mut self, start: Span) -> Reading<Expr> {
        self.expect("(")?;
        let types = self.list_until(")", false, Self::type_name)?;
        let span = self.since(start);
        self.node(ExprKind::TypeOf(types), span, 0)
    }

    /// `(a, name = b, ..)`
    pub(super) fn arguments(&mut self) -> Reading<Vec<Argument>> {
        self.expect("(")?;
        self.deeper(|parser| parser.list_until(")", false, Self::argument))
    }

    fn argument(&mut self) -> Reading<Argument> {
        let name = if self.kind(0) == Some(TokenKind::Word) && self.is_symbol(1, "=") {
            let name = self.name()?;
            self.at += 1;
            Some(name)
        } else {
            None
        };
        Ok(Argument { name, value: self.pipe()? })
    }

    /// `value`, `name = value`, `(a, b) = value`
    pub(super) fn item(&mut self) -> Reading<Item> {
        let names = self.item_names();
        Ok(Item { names, value: self.expression()? })
    }

    fn item_names(&mut self) -> Vec<Name> {
        let before = self.at;
        let mut names = Vec::new();
        if self.eat("(") {
            while let Some(name) = self.name_ahead() {
                names.push(name);
                if !self.eat(",") {
                    break;
                }
            }
            if !names.is_empty() && self.eat(")") && self.eat("=") {
                return names;
            }
        } else if let Some(name) = self.name_ahead()
            && self.eat("=")
        {
            return vec![name];
        }
        self.at = before;
        Vec::new()
    }
}

/// Operators that are words; a column of such a name is written `['or']`.
const RESERVED: &[&str] = &[
    "and",
    "or",
    "by",
    "in",
    "in~",
    "between",
    "has",
    "has_cs",
    "has_any",
    "has_all",
    "hasprefix",
    "hassuffix",
    "contains",
    "contains_cs",
    "startswith",
    "startswith_cs",
    "endswith",
    "endswith_cs",
];
