//! `let`, `set`, `declare` and queries, between semicolons.

use std::sync::Arc;

use super::{Parser, Reading};
use crate::{
    ast::{Expr, ExprKind, Name, Parameter, ParameterKind, Script, Statement, StatementKind},
    error::Span,
    lexer::TokenKind,
    types::Type,
};

impl Parser<'_> {
    /// The whole text.
    pub(super) fn script(&mut self) -> Script {
        let mut statements = Vec::new();
        while self.token(0).is_some() {
            if self.eat(";") {
                continue;
            }
            match self.statement() {
                Ok(statement) => statements.push(statement),
                Err(_) => self.skip_statement(),
            }
            if self.token(0).is_some() && !self.is_symbol(0, ";") {
                self.missing("`;`");
                self.skip_statement();
            }
        }
        Script { statements }
    }

    fn skip_statement(&mut self) {
        while self.token(0).is_some() && !self.is_symbol(0, ";") {
            self.at += 1;
        }
    }

    fn statement(&mut self) -> Reading<Statement> {
        let start = self.span();
        let kind = match self.peek(0) {
            "let" if self.kind(0) == Some(TokenKind::Word) => {
                self.at += 1;
                let name = self.name()?;
                self.expect("=")?;
                StatementKind::Let(name, self.let_value()?)
            }
            "set" if self.kind(1) == Some(TokenKind::Word) => {
                self.at += 1;
                let name = self.name()?;
                let value = if self.eat("=") { Some(self.expression()?) } else { None };
                StatementKind::Set(name, value)
            }
            "declare" if self.is_word(1, "query_parameters") => {
                self.at += 2;
                self.expect("(")?;
                StatementKind::Declare(self.list_until(")", false, Self::parameter)?)
            }
            "declare" | "alias" | "restrict" if self.kind(1) == Some(TokenKind::Word) => {
                let name = self.name()?;
                self.skip_statement();
                StatementKind::Other(name)
            }
            _ => StatementKind::Query(self.pipe()?),
        };
        Ok(Statement { kind, span: self.since(start) })
    }

    fn let_value(&mut self) -> Reading<Expr> {
        if self.is_word(0, "view") && self.is_symbol(1, "(") {
            self.at += 1;
            return self.lambda();
        }
        if self.lambda_ahead() { self.lambda() } else { self.pipe() }
    }

    /// `(a: long, ..) {`: only brackets that are followed by a brace open a lambda.
    pub(super) fn lambda_ahead(&self) -> bool {
        if !self.is_symbol(0, "(") {
            return false;
        }
        let mut open = 0_usize;
        for ahead in 0.. {
            match self.kind(ahead) {
                None => return false,
                Some(TokenKind::Symbol) => match self.peek(ahead) {
                    "(" => open += 1,
                    ")" => {
                        open -= 1;
                        if open == 0 {
                            return self.is_symbol(ahead + 1, "{");
                        }
                    }
                    ";" | "|" => return false,
                    _ => {}
                },
                Some(_) => {}
            }
        }
        false
    }

    pub(super) fn lambda(&mut self) -> Reading<Expr> {
        let start = self.expect("(")?;
        let parameters = self.list_until(")", false, Self::parameter)?;
        let body = self.deeper(Self::block)?;
        let span = self.since(start);
        self.node(ExprKind::Lambda(parameters, Arc::new(body)), span, self.depth)
    }

    fn block(&mut self) -> Reading<Script> {
        self.expect("{")?;
        let mut statements = Vec::new();
        loop {
            if self.eat("}") {
                return Ok(Script { statements });
            }
            statements.push(self.statement()?);
            if !self.eat(";") && !self.is_symbol(0, "}") {
                return Err(self.missing("`;` or `}`"));
            }
        }
    }

    /// `name: type [= value]`, `T: (*)`, `T: (a: long, ..)`.
    pub(super) fn parameter(&mut self) -> Reading<Parameter> {
        let name = self.name_or_text()?;
        self.expect(":")?;
        let kind = if self.eat("(") {
            if self.eat("*") {
                self.expect(")")?;
                ParameterKind::Table(Vec::new())
            } else {
                ParameterKind::Table(self.list_until(")", false, Self::typed_name)?)
            }
        } else {
            ParameterKind::Scalar(self.type_name()?)
        };
        let default = if self.eat("=") { Some(self.expression()?) } else { None };
        Ok(Parameter { name, kind, default })
    }

    /// `name: type`
    pub(super) fn typed_name(&mut self) -> Reading<(Name, Type)> {
        let name = self.name_or_text()?;
        self.expect(":")?;
        Ok((name, self.type_name()?))
    }

    /// A name; in lists of columns a quoted string will do.
    fn name_or_text(&mut self) -> Reading<Name> {
        if self.kind(0) == Some(TokenKind::String) {
            let span = self.span();
            let text = self.string()?;
            return Ok(Name { text: Arc::from(text), span });
        }
        self.name()
    }

    pub(super) fn type_name(&mut self) -> Reading<Type> {
        match Type::named(self.peek(0)).filter(|_| self.kind(0) == Some(TokenKind::Word)) {
            Some(ty) => {
                self.at += 1;
                Ok(ty)
            }
            None => Err(self.missing("a type")),
        }
    }

    pub(super) fn columns(&mut self) -> Reading<Vec<Parameter>> {
        self.expect("(")?;
        self.list_until(")", true, |parser| {
            let (name, ty) = parser.typed_name()?;
            Ok(Parameter { name, kind: ParameterKind::Scalar(ty), default: None })
        })
    }

    pub(super) fn name_at(&self, span: Span) -> Name {
        Name { text: Arc::from(&self.text[span.start..span.end]), span }
    }
}
