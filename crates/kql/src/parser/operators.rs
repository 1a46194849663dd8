//! Pipes and their operators: one line per keyword in `operator_kind`, the longer ones in `tabular`.

use super::{Parser, Reading};
use crate::{
    ast::{Direction, Expr, ExprKind, Name, Operator, OperatorKind, SortKey},
    error::Span,
    lexer::TokenKind,
};

impl Parser<'_> {
    /// An expression, and the operators behind it where there are any.
    pub(super) fn pipe(&mut self) -> Reading<Expr> {
        let start = self.span();
        let source = match self.source() {
            Some(source) => source?,
            None => self.expression()?,
        };
        if !self.is_symbol(0, "|") {
            return Ok(source);
        }
        let mut operators = Vec::new();
        while self.eat("|") {
            if self.is_symbol(0, "|") || self.token(0).is_none() {
                self.missing("an operator");
                continue;
            }
            self.operator_or_recovery(&mut operators)?;
        }
        let depth = source.depth.max(self.operators_depth(&operators));
        let span = self.since(start);
        self.node(ExprKind::Pipe(source, operators), span, depth)
    }

    /// After an error inside an operator the next pipe on the same level goes on.
    fn operator_or_recovery(&mut self, operators: &mut Vec<Operator>) -> Reading<()> {
        if operators.len() >= OPERATOR_COUNT_MAX {
            let span = self.span();
            return Err(self.fail("The query has too many operators.", span));
        }
        let errors = self.errors.len();
        match self.deeper(Self::operator) {
            Ok(operator) => operators.push(operator),
            Err(stop) => {
                self.depth = self.depth.min(super::DEPTH_MAX);
                let mut open = 0_usize;
                while let Some(token) = self.token(0) {
                    match self.text_of(token) {
                        "(" | "[" | "{" => open += 1,
                        ")" | "]" | "}" if open == 0 => return Err(stop),
                        ")" | "]" | "}" => open -= 1,
                        "|" if open == 0 => break,
                        ";" => return Err(stop),
                        _ => {}
                    }
                    self.at += 1;
                }
                if self.token(0).is_none() || self.errors.len() == errors {
                    return Err(stop);
                }
            }
        }
        Ok(())
    }

    fn operators_depth(&self, operators: &[Operator]) -> u16 {
        // Operators were read within the bound on nesting; the tree above them counts from there.
        if operators.is_empty() { 0 } else { self.depth }
    }

    /// Operators without the first pipe, up to the closing bracket: `(where x | take 1)`.
    pub(super) fn operators_in_brackets(&mut self) -> Reading<Vec<Operator>> {
        let close = if self.eat("{") { "}" } else { ")" };
        if close == ")" {
            self.expect("(")?;
        }
        let operators = self.operators_inside()?;
        self.expect(close)?;
        Ok(operators)
    }

    fn operators_inside(&mut self) -> Reading<Vec<Operator>> {
        let mut operators = vec![self.deeper(Self::operator)?];
        while self.eat("|") {
            operators.push(self.deeper(Self::operator)?);
        }
        Ok(operators)
    }

    fn operator(&mut self) -> Reading<Operator> {
        let keyword = self.hyphenated()?;
        let kind = match self.short_operator(&keyword) {
            Some(kind) => kind?,
            None => self.long_operator(&keyword)?,
        };
        Ok(Operator { keyword, kind })
    }

    /// Operators of one clause.
    fn short_operator(&mut self, keyword: &Name) -> Option<Reading<OperatorKind>> {
        Some(match &*keyword.text {
            "where" | "filter" => {
                self.parameters();
                self.expression().map(OperatorKind::Where)
            }
            "project" => self.items_or_none().map(OperatorKind::Project),
            "project-away" => self.list(Self::expression).map(OperatorKind::ProjectAway),
            "project-keep" => self.list(Self::expression).map(OperatorKind::ProjectKeep),
            "project-rename" => self.list(Self::renaming).map(OperatorKind::ProjectRename),
            "project-reorder" => self.list(Self::reordering).map(OperatorKind::ProjectReorder),
            "project-by-names" => self.list(Self::expression).map(OperatorKind::ProjectByNames),
            "extend" => self.list(Self::item).map(OperatorKind::Extend),
            "distinct" => {
                self.parameters();
                self.list(Self::item).map(OperatorKind::Distinct)
            }
            "sort" | "order" => {
                self.parameters();
                self.expect_word("by").and_then(|_| self.list(Self::sort_key)).map(OperatorKind::Sort)
            }
            "take" | "limit" => self.expression().map(OperatorKind::Take),
            "sample" => self.expression().map(OperatorKind::Sample),
            "count" => {
                if self.eat_word("as") {
                    self.name().map(|name| OperatorKind::Count(Some(name)))
                } else {
                    Ok(OperatorKind::Count(None))
                }
            }
            "serialize" => self.items_or_none().map(OperatorKind::Serialize),
            "getschema" => Ok(OperatorKind::GetSchema),
            "consume" => {
                self.parameters();
                Ok(OperatorKind::Consume)
            }
            "as" => {
                self.parameters();
                self.name().map(OperatorKind::As)
            }
            "facet" => self.facet(),
            "partition" => self.partition(),
            "fork" => self.fork(),
            _ => return None,
        })
    }

    fn items_or_none(&mut self) -> Reading<Vec<crate::ast::Item>> {
        let ends = self.token(0).is_none_or(|token| matches!(self.text_of(token), "|" | ")" | ";" | "}"));
        if ends { Ok(Vec::new()) } else { self.list(Self::item) }
    }

    /// `new = old`
    fn renaming(&mut self) -> Reading<(Name, Name)> {
        let new = self.name()?;
        self.expect("=")?;
        Ok((new, self.name()?))
    }

    fn reordering(&mut self) -> Reading<(Expr, Option<Direction>)> {
        let pattern = self.expression()?;
        let direction = match self.peek(0) {
            "asc" | "granny-asc" => Some(Direction::Ascending),
            "desc" | "granny-desc" => Some(Direction::Descending),
            "granny" => {
                self.at += 1;
                self.expect("-")?;
                Some(if self.is_word(0, "asc") { Direction::Ascending } else { Direction::Descending })
            }
            _ => None,
        };
        self.at += usize::from(direction.is_some());
        Ok((pattern, direction))
    }

    /// `value [asc|desc] [nulls first|last]`
    pub(super) fn sort_key(&mut self) -> Reading<SortKey> {
        let item = self.item()?;
        let direction = if self.eat_word("asc") {
            Direction::Ascending
        } else {
            self.eat_word("desc");
            Direction::Descending
        };
        let mut nulls_first = direction == Direction::Ascending;
        if self.eat_word("nulls") {
            nulls_first = self.eat_word("first");
            if !nulls_first {
                self.expect_word("last")?;
            }
        }
        Ok(SortKey { item, direction, nulls_first })
    }

    /// `hint.strategy = shuffle`, `kind = inner`: names and what they are set to, as written.
    pub(super) fn parameters(&mut self) -> Vec<(Name, Name)> {
        let mut parameters = Vec::new();
        while self.kind(0) == Some(TokenKind::Word) {
            let mut ahead = 1;
            while self.is_symbol(ahead, ".") && self.kind(ahead + 1) == Some(TokenKind::Word) {
                ahead += 2;
            }
            let simple = ahead == 1 && !PARAMETERS.contains(&self.peek(0));
            if simple || !self.is_symbol(ahead, "=") {
                break;
            }
            let start = self.span();
            self.at += ahead;
            let name = self.name_at(self.since(start));
            self.at += 1;
            let value_at = self.span();
            let Some(value) = self.parameter_value(value_at) else { break };
            parameters.push((name, value));
        }
        parameters
    }

    fn parameter_value(&mut self, start: Span) -> Option<Name> {
        self.token(0)?;
        if self.eat("(") {
            while !self.eat(")") {
                self.token(0)?;
                self.at += 1;
            }
        } else {
            self.at += 1;
        }
        Some(self.name_at(self.since(start)))
    }

    /// Reads to the end of the operator without looking inside.
    pub(super) fn unread(&mut self) -> Reading<OperatorKind> {
        let mut open = 0_usize;
        while let Some(token) = self.token(0) {
            match self.text_of(token) {
                "(" | "[" | "{" => open += 1,
                ")" | "]" | "}" if open == 0 => break,
                ")" | "]" | "}" => open -= 1,
                "|" | ";" if open == 0 => break,
                _ => {}
            }
            self.at += 1;
        }
        if open > 0 { Err(self.missing("a closing bracket")) } else { Ok(OperatorKind::Unread) }
    }
}

/// Parameters of operators that carry no `hint.` in front.
const PARAMETERS: &[&str] = &[
    "kind",
    "withsource",
    "with_source",
    "isfuzzy",
    "bagexpansion",
    "with_itemindex",
    "flags",
    "decodeblocks",
    "id",
    "with_match_id",
    "with_step_name",
];

const OPERATOR_COUNT_MAX: usize = 500;
