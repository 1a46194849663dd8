//! Texts with `{{ }}`, and with the few blocks that the language has: `if`, `for`, `set`, `raw` and comments.

use super::{
    error::{Fail, Span},
    parse::{Parser, Variable},
    syntax::{Body, For, Piece, Program},
    token::TokenKind,
};
use crate::text::nearest;

/// What ends a list of pieces.
enum End<'t> {
    Text,
    Tag { name: &'t str, span: Span },
}

impl<'t> Parser<'t> {
    /// A bare expression: the whole text.
    pub(super) fn bare(mut self) -> Result<Program, Fail> {
        let trimmed = self.text.trim_start();
        if trimmed.starts_with("{{") || trimmed.starts_with("{%") {
            let fail = Fail::text("a bare expression stands here, without braces");
            let inner = trimmed.trim_end().strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}"));
            return Err(match inner.map(str::trim).filter(|inner| inner.len() <= 200) {
                Some(inner) => fail.next(format!("write `{inner}`")),
                None => fail.next("write it without `{{ }}`"),
            });
        }
        if trimmed.is_empty() {
            return Err(Fail::text("there is nothing to evaluate").next("write an expression, such as `true`"));
        }
        let node = self.expression()?;
        if self.peek()?.kind != TokenKind::End {
            return Err(self.unexpected("an operator or the end"));
        }
        Ok(self.program(Body::Value(node)))
    }

    /// A text with expressions in it.
    pub(super) fn template(mut self) -> Result<Program, Fail> {
        let (mut pieces, end) = self.pieces()?;
        if let End::Tag { name, span } = end {
            return Err(Fail::text(format!("`{name}` ends or continues nothing")).at(&span));
        }
        // The text is one expression alone where its only piece reaches from the first byte to the last.
        let is_alone = pieces.len() == 1 && self.text.starts_with("{{") && self.text.ends_with("}}");
        let body = match pieces.pop() {
            Some(Piece::Print(node)) if is_alone => Body::Value(node),
            last => {
                pieces.extend(last);
                Body::Text(pieces)
            }
        };
        Ok(self.program(body))
    }

    fn program(self, body: Body) -> Program {
        Program {
            text: self.text.to_owned(),
            body,
            slot_count: self.slot_count,
            patterns: self.patterns,
            reads: self.reads,
        }
    }

    /// Pieces up to the end, or to a tag that ends or continues what is around them.
    fn pieces(&mut self) -> Result<(Vec<Piece>, End<'t>), Fail> {
        let mut pieces = Vec::new();
        let mut is_trimmed = false;
        loop {
            let rest = &self.text[self.at..];
            let open = ["{{", "{%", "{#"].iter().filter_map(|mark| rest.find(mark)).min();
            let mut literal = &rest[..open.unwrap_or(rest.len())];
            let start = self.at + literal.len();
            if is_trimmed {
                literal = literal.trim_start();
            }
            if open.is_some() && self.text[start + 2..].starts_with('-') {
                literal = literal.trim_end();
            }
            if !literal.is_empty() {
                pieces.push(Piece::Literal(literal.to_owned()));
            }
            if open.is_none() {
                self.at = self.text.len();
                return Ok((pieces, End::Text));
            }
            let span = start..start + 2;
            self.at = start + 2;
            self.at += usize::from(self.text[self.at..].starts_with('-'));
            match &self.text[span.clone()] {
                "{#" => is_trimmed = self.comment(&span)?,
                "{{" => {
                    pieces.push(Piece::Print(self.expression()?));
                    is_trimmed = self.close("}}", &span)?;
                }
                _ => match self.tag(&span, &mut pieces)? {
                    Tag::Done { trims } => is_trimmed = trims,
                    Tag::End { name, span } => return Ok((pieces, End::Tag { name, span })),
                },
            }
        }
    }

    fn comment(&mut self, span: &Span) -> Result<bool, Fail> {
        let Some(len) = self.text[self.at..].find("#}") else {
            let fail = Fail::text("the comment that begins here has no end");
            return Err(fail.next("close it with `#}`; to write `{#` itself, write {{ '{#' }}").at(span));
        };
        let trims = self.text[self.at..self.at + len].ends_with('-');
        self.at += len + 2;
        Ok(trims)
    }

    /// The end of `{{` or `{%`; true when blanks behind it are dropped.
    fn close(&mut self, mark: &str, open: &Span) -> Result<bool, Fail> {
        let (plain, trims) = if mark == "}}" { ("}", "-}}") } else { ("%}", "-%}") };
        let is_closed = self.is_symbol(plain)?;
        let token = self.peek()?.clone();
        if token.kind == TokenKind::Symbol(trims) {
            self.take()?;
            return Ok(true);
        }
        if is_closed && self.text[token.span.start..].starts_with(mark) {
            self.peeked = None;
            self.at = token.span.start + mark.len();
            return Ok(false);
        }
        if token.kind == TokenKind::End {
            let opened = &self.text[open.clone()];
            let fail = Fail::text(format!("the `{opened}` that stands here is not closed"));
            return Err(fail
                .next(format!("close it with `{mark}`; to write it itself, write {{{{ '{opened}' }}}}"))
                .at(open));
        }
        Err(self.unexpected(&format!("an operator or `{mark}`")))
    }

    fn tag(&mut self, open: &Span, pieces: &mut Vec<Piece>) -> Result<Tag<'t>, Fail> {
        let token = self.take()?;
        let TokenKind::Name(name) = token.kind else {
            self.peeked = Some(token);
            return Err(self.unexpected("`if`, `for`, `set` or `raw`"));
        };
        match name {
            "if" => {
                let piece = self.nested(|parser| parser.branches(open))?;
                pieces.push(piece);
            }
            "for" => {
                let piece = self.nested(|parser| parser.loops(open))?;
                pieces.push(piece);
            }
            "set" => {
                let piece = self.set()?;
                pieces.push(piece);
            }
            "raw" => {
                let piece = self.raw(open)?;
                let trims = self.close("%}", open)?;
                pieces.push(piece);
                return Ok(Tag::Done { trims });
            }
            "elif" | "else" | "endif" | "endfor" => return Ok(Tag::End { name, span: token.span }),
            _ => return Err(refused(name).at(&token.span)),
        }
        // What is around the block's last tag closes it.
        Ok(Tag::Done { trims: self.close("%}", open)? })
    }

    /// Pieces of a block with variables of their own, and the tag behind them, closed unless it is the last.
    fn block(&mut self, open: &Span, what: &str, ends: &[&str]) -> Result<(Vec<Piece>, &'t str), Fail> {
        let known = self.variables.len();
        let (pieces, end) = self.pieces()?;
        self.gone.extend(self.variables.drain(known..).map(|variable| variable.name));
        match end {
            End::Tag { name, .. } if ends.contains(&name) => Ok((pieces, name)),
            End::Tag { name, span } => Err(Fail::text(format!("`{name}` stands inside of `{what}`")).at(&span)),
            End::Text => {
                let fail = Fail::text(format!("the `{what}` that begins here has no end"));
                Err(fail.next(format!("close it with {{% end{what} %}}")).at(open))
            }
        }
    }

    fn branches(&mut self, open: &Span) -> Result<Piece, Fail> {
        let mut branches = Vec::new();
        loop {
            let test = self.expression()?;
            self.trimmed_close(open)?;
            let (pieces, end) = self.block(open, "if", &["elif", "else", "endif"])?;
            branches.push((test, pieces));
            match end {
                "elif" => {}
                "else" => {
                    self.trimmed_close(open)?;
                    let (otherwise, _) = self.block(open, "if", &["endif"])?;
                    return Ok(Piece::If { branches, otherwise });
                }
                _ => return Ok(Piece::If { branches, otherwise: Vec::new() }),
            }
        }
    }

    /// The end of a tag in front of the pieces of a block: blanks that it drops are skipped at once.
    fn trimmed_close(&mut self, open: &Span) -> Result<(), Fail> {
        if self.close("%}", open)? {
            let rest = &self.text[self.at..];
            self.at += rest.len() - rest.trim_start().len();
        }
        Ok(())
    }

    fn loops(&mut self, open: &Span) -> Result<Piece, Fail> {
        let mut targets = vec![self.target()?];
        while self.skip_symbol(",")? {
            targets.push(self.target()?);
        }
        if !self.skip_word("in")? {
            return Err(self.unexpected("`in`"));
        }
        let list = self.either()?;
        let known = self.variables.len();
        self.loop_count += 1;
        let slots = targets.iter().map(|(name, _)| self.variable(name)).collect();
        let only = if self.skip_word("if")? { Some(self.without_loop()?) } else { None };
        self.trimmed_close(open)?;
        let (body, end) = self.block(open, "for", &["else", "endfor"])?;
        self.loop_count -= 1;
        self.gone.extend(self.variables.drain(known..).map(|variable| variable.name));
        let mut otherwise = Vec::new();
        if end == "else" {
            self.trimmed_close(open)?;
            (otherwise, _) = self.block(open, "for", &["endfor"])?;
        }
        Ok(Piece::For(Box::new(For { slots, list, only, body, otherwise })))
    }

    /// Which items a loop has is decided before it counts them: its own `loop` is not known there.
    fn without_loop(&mut self) -> Result<super::syntax::Node, Fail> {
        self.loop_count -= 1;
        let only = self.expression();
        self.loop_count += 1;
        only
    }

    fn set(&mut self) -> Result<Piece, Fail> {
        let (name, span) = self.target()?;
        if !self.is_symbol("=")? {
            let fail = self.unexpected("`=`");
            return Err(fail.next("write {% set name = value %}"));
        }
        self.take()?;
        let value = self.expression()?;
        let found = self.variables.iter().rev().find(|variable| variable.name == name);
        let slot = match found.map(|variable| (variable.slot, variable.loop_count)) {
            Some((slot, loop_count)) if loop_count == self.loop_count => slot,
            Some(_) => {
                let fail = Fail::text(format!("a loop cannot change `{name}`, which stands outside of it"));
                return Err(fail.next("make a list with `map` or `select`, or take another name").at(&span));
            }
            None => self.variable(name),
        };
        Ok(Piece::Set { slot, value })
    }

    /// A name that the text may give.
    fn target(&mut self) -> Result<(&'t str, Span), Fail> {
        let token = self.take()?;
        let TokenKind::Name(name) = token.kind else {
            self.peeked = Some(token);
            return Err(self.unexpected("a name"));
        };
        if self.names.has(name) || RESERVED.contains(&name) {
            let fail = Fail::text(format!("`{name}` has a meaning already"));
            return Err(fail.next("take another name").at(&token.span));
        }
        Ok((name, token.span))
    }

    fn variable(&mut self, name: &'t str) -> usize {
        let slot = self.slot_count;
        self.slot_count += 1;
        self.variables.push(Variable { name, slot, loop_count: self.loop_count });
        slot
    }

    fn raw(&mut self, open: &Span) -> Result<Piece, Fail> {
        self.close("%}", open)?;
        let rest = &self.text[self.at..];
        for (at, _) in rest.match_indices("{%") {
            let inner = rest[at + 2..].trim_start_matches('-').trim_start();
            if let Some(tail) = inner.strip_prefix("endraw") {
                self.at += rest.len() - tail.len();
                return Ok(Piece::Literal(rest[..at].to_owned()));
            }
        }
        Err(Fail::text("the `raw` that begins here has no end").next("close it with {% endraw %}").at(open))
    }
}

enum Tag<'t> {
    Done { trims: bool },
    End { name: &'t str, span: Span },
}

fn refused(name: &str) -> Fail {
    const KNOWN: &str = "there are `if`, `for`, `set` and `raw`";
    match name {
        "include" | "import" | "from" | "extends" | "block" => {
            Fail::text(format!("`{name}` is not part of the language: a text knows no other text")).next(KNOWN)
        }
        "macro" | "call" | "autoescape" | "filter" | "do" | "with" | "break" | "continue" => {
            Fail::text(format!("`{name}` is not part of the language")).next(KNOWN)
        }
        _ => {
            let fail = Fail::text(format!("there is no block `{name}`"));
            match nearest(name, ["if", "elif", "else", "endif", "for", "endfor", "set", "raw"]) {
                Some(meant) => fail.next(format!("did you mean `{meant}`?")),
                None => fail.next(KNOWN),
            }
        }
    }
}

const RESERVED: &[&str] = &[
    "and", "or", "not", "in", "is", "if", "else", "true", "false", "none", "null", "True", "False", "None", "loop",
    "now", "trigger", "inputs", "steps", "run", "tenant", "vars", "index",
];
