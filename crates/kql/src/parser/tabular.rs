//! Sources (`print`, `range`, `union` ..) and the operators of several clauses.

use std::sync::Arc;

use super::{Parser, Reading};
use crate::{
    ast::{
        Argument, Direction, Expr, ExprKind, Item, Join, MakeSeries, MvExpand, Name, OperatorKind, Parse, ParseKv,
        ParseMode, ParsePart, Render, Search, TopNested, Union,
    },
    lexer::TokenKind,
    types::Type,
    value::Value,
};

impl Parser<'_> {
    /// A source that only a keyword tells from a name; asked for only where a table may begin.
    pub(super) fn source(&mut self) -> Option<Reading<Expr>> {
        if self.kind(0) != Some(TokenKind::Word) {
            return None;
        }
        let follows = self.token(1).map(|token| (token.kind, self.text_of(token)));
        let starts_value = match follows {
            None => return None,
            Some((TokenKind::Symbol, symbol)) => matches!(symbol, "(" | "-" | "*" | "["),
            Some((TokenKind::Word, word)) => !CONTINUES.contains(&word),
            Some(_) => true,
        };
        Some(match self.peek(0) {
            "print" if starts_value => self.deeper(Self::print),
            "range" if self.is_word(2, "from") => self.deeper(Self::range),
            "union" if starts_value => self.deeper(|parser| {
                let start = parser.span();
                parser.at += 1;
                let union = parser.union()?;
                let depth = union.tables.iter().map(|table| table.depth).max().unwrap_or(0);
                let span = parser.since(start);
                parser.node(ExprKind::Union(union), span, depth)
            }),
            "search" if starts_value || (self.is_word(1, "in") && self.is_symbol(2, "(")) => self.deeper(|parser| {
                let start = parser.span();
                parser.at += 1;
                let search = parser.search(start)?;
                let (span, depth) = (parser.since(start), search.predicate.depth);
                parser.node(ExprKind::Search(search), span, depth)
            }),
            "find" if starts_value => self.find(),
            _ => return None,
        })
    }

    /// `datatable (..) [..]` and `externaldata (..) [..]`, which may stand anywhere.
    pub(super) fn source_in_brackets(&mut self) -> Option<Reading<Expr>> {
        if self.kind(0) != Some(TokenKind::Word) || !self.is_symbol(1, "(") {
            return None;
        }
        match self.peek(0) {
            "datatable" => Some(self.deeper(Self::datatable)),
            "externaldata" | "external_data" => Some(self.deeper(Self::external_data)),
            _ => None,
        }
    }

    fn datatable(&mut self) -> Reading<Expr> {
        let start = self.span();
        self.at += 1;
        let columns = self.columns()?;
        self.expect("[")?;
        let values = self.list_until("]", true, Self::expression)?;
        let depth = values.iter().map(|value| value.depth).max().unwrap_or(0);
        let span = self.since(start);
        self.node(ExprKind::DataTable(columns, values), span, depth)
    }

    fn external_data(&mut self) -> Reading<Expr> {
        let start = self.span();
        self.at += 1;
        let columns = self.columns()?;
        self.expect("[")?;
        self.list_until("]", true, Self::expression)?;
        if self.eat_word("with") {
            self.properties()?;
        }
        let span = self.since(start);
        self.node(ExprKind::ExternalData(columns), span, 0)
    }

    /// `(name = value, ..)`
    fn properties(&mut self) -> Reading<Vec<(Name, Expr)>> {
        self.expect("(")?;
        self.list_until(")", true, |parser| {
            let name = parser.name()?;
            parser.expect("=")?;
            Ok((name, parser.expression()?))
        })
    }

    fn print(&mut self) -> Reading<Expr> {
        let start = self.span();
        self.at += 1;
        let items = self.list(Self::item)?;
        let depth = items.iter().map(|item| item.value.depth).max().unwrap_or(0);
        let span = self.since(start);
        self.node(ExprKind::Print(items), span, depth)
    }

    fn range(&mut self) -> Reading<Expr> {
        let start = self.span();
        self.at += 1;
        let name = self.name()?;
        self.expect_word("from")?;
        let from = self.expression()?;
        self.expect_word("to")?;
        let to = self.expression()?;
        self.expect_word("step")?;
        let step = self.expression()?;
        let depth = from.depth.max(to.depth).max(step.depth);
        let span = self.since(start);
        self.node(ExprKind::Range(name, from, to, step), span, depth)
    }

    fn union(&mut self) -> Reading<Union> {
        let mut union = Union { inner: false, with_source: None, fuzzy: false, tables: Vec::new() };
        for (name, value) in self.parameters() {
            match &*name.text {
                "kind" => union.inner = &*value.text == "inner",
                "withsource" | "with_source" => union.with_source = Some(value),
                "isfuzzy" => union.fuzzy = &*value.text == "true",
                _ => {}
            }
        }
        union.tables = self.list(|parser| parser.deeper(Self::expression))?;
        Ok(union)
    }

    fn search(&mut self, span: crate::error::Span) -> Reading<Search> {
        let case_sensitive =
            self.parameters().iter().any(|(name, value)| &*name.text == "kind" && &*value.text == "case_sensitive");
        let mut tables = Vec::new();
        if self.is_word(0, "in") && self.is_symbol(1, "(") {
            self.at += 2;
            tables = self.list_until(")", false, |parser| parser.deeper(Self::pipe))?;
        }
        Ok(Search { case_sensitive, tables, predicate: self.expression()?, span })
    }

    fn find(&mut self) -> Reading<Expr> {
        let name = self.name()?;
        self.unread()?;
        let span = self.since(name.span);
        self.node(ExprKind::Find(name), span, 0)
    }

    /// Operators of several clauses.
    pub(super) fn long_operator(&mut self, keyword: &Name) -> Reading<OperatorKind> {
        match &*keyword.text {
            "summarize" => self.summarize(),
            "join" | "lookup" => self.join().map(OperatorKind::Join),
            "union" => self.union().map(OperatorKind::Union),
            "top" => self.top(),
            "top-nested" => self.top_nested(),
            "sample-distinct" => {
                let count = self.expression()?;
                self.expect_word("of")?;
                Ok(OperatorKind::SampleDistinct(count, self.expression()?))
            }
            "mv-expand" | "mvexpand" => self.mv_expand().map(OperatorKind::MvExpand),
            "mv-apply" | "mvapply" => {
                let expand = self.mv_expand()?;
                self.expect_word("on")?;
                Ok(OperatorKind::MvApply(expand, self.operators_in_brackets()?))
            }
            "parse" => self.parse_operator(false),
            "parse-where" => self.parse_operator(true),
            "parse-kv" => self.parse_kv(),
            "render" => self.render(),
            "invoke" => {
                let name = self.name()?;
                Ok(OperatorKind::Invoke(name, self.arguments()?))
            }
            "evaluate" => self.evaluate(),
            "search" => {
                let span = keyword.span;
                self.search(span).map(OperatorKind::Search)
            }
            "make-series" => self.make_series(),
            "reduce" => self.reduce(),
            "scan"
            | "graph-match"
            | "make-graph"
            | "graph-to-table"
            | "graph-mark-components"
            | "graph-shortest-paths"
            | "assert-schema"
            | "macro-expand"
            | "graph-where-nodes"
            | "graph-where-edges" => self.unread(),
            _ => {
                self.at -= 1;
                Err(self.missing("an operator"))
            }
        }
    }

    fn summarize(&mut self) -> Reading<OperatorKind> {
        self.parameters();
        let ends = self.token(0).is_none_or(|token| matches!(self.text_of(token), "by" | "|" | ")" | ";"));
        let aggregates = if ends { Vec::new() } else { self.list(Self::item)? };
        let by = if self.eat_word("by") { self.list(Self::item)? } else { Vec::new() };
        if aggregates.is_empty() && by.is_empty() {
            return Err(self.missing("an aggregate or `by`"));
        }
        Ok(OperatorKind::Summarize(aggregates, by))
    }

    fn join(&mut self) -> Reading<Join> {
        let kind = self.parameters().into_iter().find(|(name, _)| &*name.text == "kind").map(|(_, kind)| kind);
        let right = self.deeper(Self::expression)?;
        // `join (T) on x`; a join whose right side is written without brackets reads the same.
        let on = if self.eat_word("on") { self.list(Self::expression)? } else { Vec::new() };
        if on.is_empty() && !self.eat_word("where") {
            return Err(self.missing("`on`"));
        }
        Ok(Join { kind, right, on })
    }

    fn top(&mut self) -> Reading<OperatorKind> {
        let count = self.expression()?;
        self.expect_word("by")?;
        Ok(OperatorKind::Top(count, self.list(Self::sort_key)?))
    }

    fn top_nested(&mut self) -> Reading<OperatorKind> {
        let mut levels = vec![self.top_nested_level()?];
        while self.eat(",") {
            if self.is_word(0, "top") {
                self.hyphenated()?;
            }
            levels.push(self.top_nested_level()?);
        }
        Ok(OperatorKind::TopNested(levels))
    }

    fn top_nested_level(&mut self) -> Reading<TopNested> {
        let count = if self.is_word(0, "of") { None } else { Some(self.expression()?) };
        self.expect_word("of")?;
        let of = self.item()?;
        let mut others = None;
        if self.eat_word("with") {
            self.expect_word("others")?;
            self.expect("=")?;
            others = Some(self.expression()?);
        }
        self.expect_word("by")?;
        let by = self.item()?;
        let direction = if self.eat_word("asc") {
            Direction::Ascending
        } else {
            self.eat_word("desc");
            Direction::Descending
        };
        Ok(TopNested { count, of, others, by, direction })
    }

    fn mv_expand(&mut self) -> Reading<MvExpand> {
        let mut expand = MvExpand { pairs: false, index: None, columns: Vec::new(), limit: None };
        for (name, value) in self.parameters() {
            match &*name.text {
                "kind" | "bagexpansion" => expand.pairs = &*value.text == "array",
                "with_itemindex" => expand.index = Some(value),
                _ => {}
            }
        }
        expand.columns = self.list(|parser| {
            let item = parser.item()?;
            let mut ty = None;
            if parser.eat_word("to") {
                parser.expect_word("typeof")?;
                parser.expect("(")?;
                ty = Some(parser.type_name()?);
                parser.expect(")")?;
            }
            Ok((item, ty))
        })?;
        if self.eat_word("limit") {
            expand.limit = Some(self.expression()?);
        }
        Ok(expand)
    }

    fn parse_operator(&mut self, filters: bool) -> Reading<OperatorKind> {
        let mut mode = ParseMode::Simple;
        let mut flags = None;
        for (name, value) in self.parameters() {
            match (&*name.text, &*value.text) {
                ("kind", "regex") => mode = ParseMode::Regex,
                ("kind", "relaxed") => mode = ParseMode::Relaxed,
                ("flags", _) => flags = Some(value),
                _ => {}
            }
        }
        let value = self.expression()?;
        self.expect_word("with")?;
        let mut pattern = Vec::new();
        loop {
            if self.eat("*") {
                pattern.push(ParsePart::Skip);
            } else if self.kind(0) == Some(TokenKind::String) {
                pattern.push(ParsePart::Text(Arc::from(self.string()?)));
            } else if let Some(name) = self.name_ahead() {
                let ty = if self.eat(":") { self.type_name()? } else { Type::String };
                pattern.push(ParsePart::Column(name, ty));
            } else if pattern.is_empty() {
                return Err(self.missing("a pattern"));
            } else {
                return Ok(OperatorKind::Parse(Parse { mode, flags, value, pattern, filters }));
            }
        }
    }

    fn parse_kv(&mut self) -> Reading<OperatorKind> {
        let value = self.expression()?;
        self.expect_word("as")?;
        let columns = self.columns()?;
        let options = if self.eat_word("with") { self.properties()? } else { Vec::new() };
        Ok(OperatorKind::ParseKv(ParseKv { value, columns, options }))
    }

    fn render(&mut self) -> Reading<OperatorKind> {
        let chart = self.name()?;
        let mut properties = Vec::new();
        if self.eat_word("with") {
            self.expect("(")?;
            properties = self.list_until(")", true, Self::render_property)?;
        } else {
            // The older form: `render timechart title = "x"`.
            while self.kind(0) == Some(TokenKind::Word) && self.is_symbol(1, "=") {
                properties.push(self.render_property()?);
            }
        }
        Ok(OperatorKind::Render(Render { chart, properties }))
    }

    fn render_property(&mut self) -> Reading<(Name, Value)> {
        let name = self.name()?;
        self.expect("=")?;
        let value = self.expression()?;
        let text = || Value::text(&self.text[value.span.start..value.span.end]);
        let constant = match *value.kind {
            ExprKind::Literal(_, constant) => constant,
            _ => text(),
        };
        // `ycolumns = a, b`: further names belong to the same property.
        while self.is_symbol(0, ",") && self.kind(1) == Some(TokenKind::Word) && !self.is_symbol(2, "=") {
            self.at += 2;
        }
        Ok((name, constant))
    }

    fn evaluate(&mut self) -> Reading<OperatorKind> {
        self.parameters();
        let name = self.name()?;
        let arguments: Vec<Argument> = self.arguments()?;
        let mut schema = None;
        if self.eat(":") {
            self.expect("(")?;
            if self.eat("*") {
                self.eat(",");
            }
            schema = Some(self.list_until(")", true, Self::parameter)?);
        }
        Ok(OperatorKind::Evaluate(name, arguments, schema))
    }

    fn make_series(&mut self) -> Reading<OperatorKind> {
        self.parameters();
        let aggregates = self.list(|parser| {
            let item = parser.item()?;
            let mut default = None;
            if parser.eat_word("default") {
                parser.expect("=")?;
                default = Some(parser.expression()?);
            }
            Ok((item, default))
        })?;
        self.expect_word("on")?;
        let on: Item = self.axis()?;
        let mut series = MakeSeries { aggregates, on, from: None, to: None, step: None, by: Vec::new() };
        if self.eat_word("in") {
            self.expect_word("range")?;
            self.expect("(")?;
            series.from = Some(self.expression()?);
            self.expect(",")?;
            series.to = Some(self.expression()?);
            self.expect(",")?;
            series.step = Some(self.expression()?);
            self.expect(")")?;
        } else {
            for (word, place) in [("from", &mut series.from), ("to", &mut series.to), ("step", &mut series.step)] {
                if self.eat_word(word) {
                    *place = Some(self.expression()?);
                }
            }
            if series.step.is_none() {
                return Err(self.missing("`step`"));
            }
        }
        if self.eat_word("by") {
            series.by = self.list(Self::item)?;
        }
        Ok(OperatorKind::MakeSeries(series))
    }

    /// The axis of a series: a sum at most, because `in range(..)` comes behind it.
    fn axis(&mut self) -> Reading<Item> {
        let mut names = Vec::new();
        if self.is_symbol(1, "=") {
            names.push(self.name()?);
            self.at += 1;
        }
        Ok(Item { names, value: self.sum()? })
    }

    fn reduce(&mut self) -> Reading<OperatorKind> {
        self.parameters();
        self.expect_word("by")?;
        let by = self.expression()?;
        if self.eat_word("with") {
            self.list(Self::item)?;
        }
        Ok(OperatorKind::Reduce(by))
    }

    pub(super) fn facet(&mut self) -> Reading<OperatorKind> {
        self.expect_word("by")?;
        let by = self.list(Self::expression)?;
        let with = if self.eat_word("with") { self.operators_in_brackets()? } else { Vec::new() };
        Ok(OperatorKind::Facet(by, with))
    }

    pub(super) fn partition(&mut self) -> Reading<OperatorKind> {
        self.parameters();
        self.expect_word("by")?;
        let by = self.name_expression()?;
        Ok(OperatorKind::Partition(by, self.operators_in_brackets()?))
    }

    pub(super) fn fork(&mut self) -> Reading<OperatorKind> {
        let mut branches = Vec::new();
        while self.is_symbol(0, "(") || self.is_symbol(1, "=") {
            let name = if self.is_symbol(0, "(") { None } else { Some(self.name()?) };
            self.eat("=");
            branches.push((name, self.operators_in_brackets()?));
        }
        if branches.is_empty() { Err(self.missing("`(`")) } else { Ok(OperatorKind::Fork(branches)) }
    }
}

/// Words that go on with an expression; before them, `print` or `union` is a plain name.
const CONTINUES: &[&str] = &["and", "or", "in", "has", "contains", "between", "asc", "desc", "by", "on", "to", "from"];
