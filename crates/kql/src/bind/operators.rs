//! The operators of a pipe, one by one.

use std::sync::Arc;

use super::{Binder, Binding, Row, naming::Names, source::matches_wildcard};
use crate::{
    ast::{Direction, Expr, ExprKind, Item, Name, Operator, OperatorKind, Search, SortKey, TextOp, TextTest},
    error::QueryError,
    plan::{Field, RelKind, RelRef, Scalar, ScalarKind, SortBy},
    types::Type,
    value::Value,
};

impl Binder<'_> {
    pub(super) fn operators(&mut self, source: RelRef, operators: &[Operator]) -> Result<RelRef, QueryError> {
        let mut table = source;
        for operator in operators {
            self.operator = Some(Arc::clone(&operator.keyword.text));
            table = self.operator(table, operator)?;
        }
        Ok(table)
    }

    fn operator(&mut self, input: RelRef, operator: &Operator) -> Result<RelRef, QueryError> {
        let span = operator.keyword.span;
        let row_of = Arc::clone(&input.fields);
        let row = Row::of(&row_of);
        match &operator.kind {
            OperatorKind::Where(predicate) => {
                let predicate = self.condition(predicate, &row)?;
                self.over(&input, predicate.depth, |input| RelKind::Filter(input, predicate), row_of.to_vec(), span)
            }
            OperatorKind::Project(items) => self.project(input, items, span),
            OperatorKind::Extend(items) => self.extend(input, items, span),
            OperatorKind::Serialize(items) => self.extend(input, items, span),
            OperatorKind::ProjectAway(patterns) => self.keep(input, patterns, false, span),
            OperatorKind::ProjectKeep(patterns) => self.keep(input, patterns, true, span),
            OperatorKind::ProjectRename(names) => self.rename(input, names, span),
            OperatorKind::ProjectReorder(patterns) => self.reorder(input, patterns, span),
            OperatorKind::ProjectByNames(names) => self.project_by_names(input, names, span),
            OperatorKind::Summarize(aggregates, by) => self.summarize(input, aggregates, by, span),
            OperatorKind::Distinct(items) => self.distinct(input, items, span),
            OperatorKind::Count(name) => self.count(input, name.as_ref(), span),
            OperatorKind::Join(join) => self.join(input, join, &operator.keyword),
            OperatorKind::Union(union) => self.union(Some(input), union, span),
            OperatorKind::Sort(keys) => self.sort(input, keys, None, span),
            OperatorKind::Top(count, keys) => {
                let count = self.row_count(count)?;
                self.sort(input, keys, Some(count), span)
            }
            OperatorKind::Take(count) | OperatorKind::Sample(count) => {
                let count = self.row_count(count)?;
                self.over(&input, count.depth, |input| RelKind::Take(input, count), row_of.to_vec(), span)
            }
            OperatorKind::SampleDistinct(count, of) => {
                let item = Item { names: Vec::new(), value: of.clone() };
                let distinct = self.distinct(input, &[item], span)?;
                let count = self.row_count(count)?;
                let fields = distinct.fields.to_vec();
                self.over(&distinct, count.depth, |input| RelKind::Take(input, count), fields, span)
            }
            OperatorKind::MvExpand(expand) => self.mv_expand(input, expand, span),
            OperatorKind::MvApply(expand, body) => self.mv_apply(input, expand, body, span),
            OperatorKind::Parse(parse) => self.parse(input, parse, span),
            OperatorKind::ParseKv(parse) => self.parse_kv(input, parse, span),
            OperatorKind::Render(render) => {
                self.render = Some(render.clone());
                Ok(input)
            }
            OperatorKind::GetSchema => self.get_schema(&input, span),
            OperatorKind::Consume => {
                let none = Scalar::constant(&Value::Long(0), Type::Long, span);
                self.over(&input, 1, |input| RelKind::Take(input, none), row_of.to_vec(), span)
            }
            OperatorKind::As(name) => {
                let text = Arc::clone(&name.text);
                let named = self.over(&input, 0, |input| RelKind::Named(input, text), row_of.to_vec(), span)?;
                self.env = self.env.with(&name.text, Binding::Table(Arc::clone(&named)));
                Ok(named)
            }
            OperatorKind::Invoke(name, arguments) => self.invoke(input, name, arguments, span),
            OperatorKind::Search(search) => self.search(input, search),
            OperatorKind::TopNested(levels) => self.top_nested(input, levels, span),
            OperatorKind::MakeSeries(series) => self.make_series(input, series, span),
            OperatorKind::Partition(key, body) => self.partition(input, key, body, span),
            OperatorKind::Evaluate(name, arguments, _) => self.evaluate(input, name, arguments, span),
            OperatorKind::Fork(_) | OperatorKind::Facet(..) | OperatorKind::Reduce(_) | OperatorKind::Unread => {
                let message = format!("Operator '{}'", operator.keyword.text);
                self.operator = None;
                Err(self.unsupported(message, span))
            }
        }
    }

    /// An operator over one input.
    pub(super) fn over(
        &mut self,
        input: &RelRef,
        depth: u16,
        kind: impl FnOnce(RelRef) -> RelKind,
        fields: Vec<Field>,
        span: crate::error::Span,
    ) -> Result<RelRef, QueryError> {
        self.rel(kind(Arc::clone(input)), fields, input.depth.max(depth), span)
    }

    /// A projection with those columns.
    pub(super) fn projected(
        &mut self,
        input: &RelRef,
        cells: Vec<Scalar>,
        fields: Vec<Field>,
        span: crate::error::Span,
    ) -> Result<RelRef, QueryError> {
        let depth = cells.iter().map(|cell| cell.depth).max().unwrap_or(0);
        self.over(input, depth, |input| RelKind::Project(input, cells), fields, span)
    }

    fn project(&mut self, input: RelRef, items: &[Item], span: crate::error::Span) -> Result<RelRef, QueryError> {
        let fields = Arc::clone(&input.fields);
        let row = Row::of(&fields);
        let mut names = Names::default();
        let mut cells = Vec::new();
        let mut number = 0;
        for item in items {
            if matches!(*item.value.kind, ExprKind::Star) {
                return Err(self.semantic("The star is not a value here", item.value.span));
            }
            number += usize::from(item.names.is_empty() && Self::result_name(&item.value).is_none());
            self.add_item(item, &row, &mut names, &mut cells, ("Column", number))?;
        }
        self.projected(&input, cells, names.fields, span)
    }

    fn extend(&mut self, input: RelRef, items: &[Item], span: crate::error::Span) -> Result<RelRef, QueryError> {
        let input_fields = Arc::clone(&input.fields);
        let row = Row::of(&input_fields);
        let mut fields = input_fields.to_vec();
        let mut cells: Vec<_> =
            fields.iter().enumerate().map(|(at, field)| Scalar::column(at, field.ty, span)).collect();
        let mut number = 0;
        for item in items {
            let mut names = Names::default();
            let mut new = Vec::new();
            number += usize::from(item.names.is_empty() && Self::result_name(&item.value).is_none());
            self.add_item(item, &row, &mut names, &mut new, ("Column", number))?;
            let explicit = !item.names.is_empty() || Self::bare_name(&item.value).is_some();
            for (field, cell) in names.fields.into_iter().zip(new) {
                let known = fields.iter().position(|known| !known.hidden && known.name == field.name);
                match known.filter(|_| explicit) {
                    Some(at) => {
                        fields[at] = field;
                        cells[at] = cell;
                    }
                    None => {
                        let mut all = Names::of(&fields);
                        all.add(&field.name, field.ty);
                        fields = all.fields;
                        cells.push(cell);
                    }
                }
            }
        }
        self.projected(&input, cells, fields, span)
    }

    /// The places that a pattern names, in the order of the table.
    fn places(&self, pattern: &Expr, fields: &[Field]) -> Result<Vec<usize>, QueryError> {
        let shown = |test: &dyn Fn(&Field) -> bool| {
            let places = fields.iter().enumerate().filter(|(_, field)| !field.hidden && test(field));
            places.map(|(at, _)| at).collect::<Vec<_>>()
        };
        match &*pattern.kind {
            ExprKind::Star => Ok(shown(&|_| true)),
            ExprKind::Wildcard(pattern) => Ok(shown(&|field| matches_wildcard(&pattern.text, &field.name))),
            ExprKind::Name(name) => match Row::of(fields).find(&name.text) {
                Some(at) => Ok(vec![at]),
                None => {
                    let message = format!("Failed to resolve scalar expression named '{}'", name.text);
                    Err(self.semantic(message, name.span))
                }
            },
            _ => Err(self.semantic("Expected the name of a column", pattern.span)),
        }
    }

    fn select(&mut self, input: &RelRef, places: &[usize], span: crate::error::Span) -> Result<RelRef, QueryError> {
        let fields: Vec<_> = places.iter().map(|at| input.fields[*at].clone()).collect();
        let cells = places.iter().map(|at| Scalar::column(*at, input.fields[*at].ty, span)).collect();
        self.projected(input, cells, fields, span)
    }

    fn keep(
        &mut self,
        input: RelRef,
        patterns: &[Expr],
        keep: bool,
        span: crate::error::Span,
    ) -> Result<RelRef, QueryError> {
        let mut named = vec![false; input.fields.len()];
        for pattern in patterns {
            for at in self.places(pattern, &input.fields)? {
                named[at] = true;
            }
        }
        let places: Vec<_> = (0..named.len()).filter(|at| named[*at] == keep || input.fields[*at].hidden).collect();
        self.select(&input, &places, span)
    }

    fn rename(
        &mut self,
        input: RelRef,
        names: &[(Name, Name)],
        span: crate::error::Span,
    ) -> Result<RelRef, QueryError> {
        let mut fields = input.fields.to_vec();
        for (new, old) in names {
            let Some(at) = Row::of(&input.fields).find(&old.text) else {
                let message = format!("Failed to resolve scalar expression named '{}'", old.text);
                return Err(self.semantic(message, old.span));
            };
            fields[at] = Self::field(&new.text, fields[at].ty);
        }
        let cells = fields.iter().enumerate().map(|(at, field)| Scalar::column(at, field.ty, span)).collect();
        self.projected(&input, cells, fields, span)
    }

    fn reorder(
        &mut self,
        input: RelRef,
        patterns: &[(Expr, Option<Direction>)],
        span: crate::error::Span,
    ) -> Result<RelRef, QueryError> {
        let mut places: Vec<usize> = Vec::new();
        for (pattern, direction) in patterns {
            let mut found = self.places(pattern, &input.fields)?;
            found.retain(|at| !places.contains(at));
            if let Some(direction) = direction {
                found.sort_by(|left, right| input.fields[*left].name.cmp(&input.fields[*right].name));
                if *direction == Direction::Descending {
                    found.reverse();
                }
            }
            places.extend(found);
        }
        let rest: Vec<_> = (0..input.fields.len()).filter(|at| !places.contains(at)).collect();
        places.extend(rest);
        self.select(&input, &places, span)
    }

    /// Names, lists of names, and patterns; what does not exist is left out.
    fn project_by_names(
        &mut self,
        input: RelRef,
        names: &[Expr],
        span: crate::error::Span,
    ) -> Result<RelRef, QueryError> {
        let mut places: Vec<usize> = Vec::new();
        for name in names {
            let found = match &*name.kind {
                ExprKind::Star | ExprKind::Wildcard(_) => self.places(name, &input.fields)?,
                ExprKind::Name(name) if Row::of(&input.fields).find(&name.text).is_some() => {
                    Row::of(&input.fields).find(&name.text).into_iter().collect()
                }
                _ => {
                    let value = self.scalar(name, &Row::NONE)?.as_constant();
                    let texts = match value {
                        Some(Value::Dynamic(list)) => {
                            list.items().unwrap_or_default().iter().map(ToString::to_string).collect()
                        }
                        Some(value) => vec![value.to_string()],
                        None => return Err(self.semantic("The argument must be a constant", name.span)),
                    };
                    let matching = |text: &String| {
                        let shown = input.fields.iter().enumerate().filter(|(_, field)| !field.hidden);
                        shown
                            .filter(|(_, field)| matches_wildcard(text, &field.name))
                            .map(|(at, _)| at)
                            .collect::<Vec<_>>()
                    };
                    texts.iter().flat_map(matching).collect()
                }
            };
            for at in found {
                if !places.contains(&at) {
                    places.push(at);
                }
            }
        }
        self.select(&input, &places, span)
    }

    pub(super) fn row_count(&mut self, count: &Expr) -> Result<Scalar, QueryError> {
        let count = self.scalar(count, &Row::NONE)?;
        if !Self::is_constant(&count) || !(count.ty.is_number() || count.ty == Type::Dynamic) {
            return Err(self.semantic("The number of rows must be a constant number", count.span));
        }
        if count.ty == Type::Long { Ok(count) } else { self.cast(count, Type::Long) }
    }

    pub(super) fn sort(
        &mut self,
        input: RelRef,
        keys: &[SortKey],
        count: Option<Scalar>,
        span: crate::error::Span,
    ) -> Result<RelRef, QueryError> {
        let fields = Arc::clone(&input.fields);
        let row = Row::of(&fields);
        let mut bound = Vec::with_capacity(keys.len());
        for key in keys {
            let value = self.scalar(&key.item.value, &row)?;
            bound.push(SortBy { value, direction: key.direction, nulls_first: key.nulls_first });
        }
        let depth = bound.iter().map(|key| key.value.depth).max().unwrap_or(0);
        self.over(&input, depth, |input| RelKind::Sort { input, keys: bound, count }, fields.to_vec(), span)
    }

    fn get_schema(&mut self, input: &RelRef, span: crate::error::Span) -> Result<RelRef, QueryError> {
        let mut cells = Vec::new();
        for (at, field) in input.fields.iter().filter(|field| !field.hidden).enumerate() {
            let text = |text: &str| Scalar::constant(&Value::text(text), Type::String, span);
            let ordinal = i64::try_from(at).unwrap_or(i64::MAX);
            cells.push(text(&field.name));
            cells.push(Scalar::constant(&Value::Long(ordinal), Type::Long, span));
            cells.push(text(net_name(field.ty)));
            cells.push(text(field.ty.name()));
        }
        let fields = vec![
            Self::field("ColumnName", Type::String),
            Self::field("ColumnOrdinal", Type::Long),
            Self::field("DataType", Type::String),
            Self::field("ColumnType", Type::String),
        ];
        self.rel(RelKind::Rows { cells, width: 4 }, fields, 0, span)
    }

    /// `search "x"`: a literal alone is looked for in every column; predicates may name columns.
    pub(super) fn search(&mut self, input: RelRef, search: &Search) -> Result<RelRef, QueryError> {
        let fields = Arc::clone(&input.fields);
        let predicate = self.search_predicate(&search.predicate, &Row::of(&fields), search.case_sensitive)?;
        let depth = predicate.depth;
        self.over(&input, depth, |input| RelKind::Filter(input, predicate), fields.to_vec(), search.span)
    }

    fn search_predicate(&mut self, expr: &Expr, row: &Row<'_>, case_sensitive: bool) -> Result<Scalar, QueryError> {
        let span = expr.span;
        match &*expr.kind {
            ExprKind::And(parts) | ExprKind::Or(parts) => {
                let mut bound = Vec::with_capacity(parts.len());
                for part in parts {
                    bound.push(self.deeper(span, |binder| binder.search_predicate(part, row, case_sensitive))?);
                }
                let kind = match &*expr.kind {
                    ExprKind::And(_) => ScalarKind::And(bound),
                    _ => ScalarKind::Or(bound),
                };
                Ok(Scalar::new(kind, Type::Bool, span))
            }
            ExprKind::Literal(Type::String, Value::String(text)) => self.search_text(text, row, case_sensitive, span),
            ExprKind::Binary(crate::ast::BinaryOp::Colon, left, right) => {
                let text = self.constant_text(right)?;
                let left = Self::bare_name(left).and_then(|name| self.column(name, row));
                match left {
                    Some(column) => {
                        let fields = [row.fields[column_place(&column)].clone()];
                        let test = self.search_text(&text, &Row::of(&fields), case_sensitive, span)?;
                        Ok(moved_to(&test, &column))
                    }
                    None => Ok(Scalar::constant(&Value::Bool(false), Type::Bool, span)),
                }
            }
            _ => self.condition(expr, row),
        }
    }

    /// `"abc*"` is a prefix, `"*abc"` a suffix, `"a*c"` a pattern, all else a term.
    fn search_text(
        &mut self,
        text: &str,
        row: &Row<'_>,
        case_sensitive: bool,
        span: crate::error::Span,
    ) -> Result<Scalar, QueryError> {
        let bare = text.trim_matches('*');
        let (test, wanted) = if bare.contains('*') {
            let parts: Vec<_> = bare.split('*').map(regex::escape).collect();
            let insensitive = if case_sensitive { "" } else { "(?i)" };
            (TextTest::Matches, format!("{insensitive}{}", parts.join(".*")))
        } else {
            let test = match (text.starts_with('*'), text.ends_with('*')) {
                (true, true) => TextTest::Contains,
                (true, false) => TextTest::HasSuffix,
                (false, true) => TextTest::HasPrefix,
                (false, false) => TextTest::Has,
            };
            (test, bare.to_owned())
        };
        let case_sensitive = case_sensitive || test == TextTest::Matches;
        let op = TextOp { test, case_sensitive, negated: false };
        let wanted = Scalar::constant(&Value::text(wanted), Type::String, span);
        self.any_column(row, span, |column| Scalar::new(ScalarKind::Text(op, column, wanted.clone()), Type::Bool, span))
    }
}

fn column_place(column: &Scalar) -> usize {
    match *column.kind {
        ScalarKind::Column(at) => at,
        _ => 0,
    }
}

/// A test that was bound against a row of one column, put onto that column.
fn moved_to(test: &Scalar, column: &Scalar) -> Scalar {
    let kind = match &*test.kind {
        ScalarKind::Column(_) => return column.clone(),
        ScalarKind::Or(parts) => ScalarKind::Or(parts.iter().map(|part| moved_to(part, column)).collect()),
        ScalarKind::Text(op, left, right) => ScalarKind::Text(*op, moved_to(left, column), right.clone()),
        ScalarKind::Call(function, parts) => {
            ScalarKind::Call(function, parts.iter().map(|part| moved_to(part, column)).collect())
        }
        _ => return test.clone(),
    };
    Scalar::new(kind, test.ty, test.span)
}

/// The names that the service's own schema answers use.
fn net_name(ty: Type) -> &'static str {
    match ty {
        Type::Bool => "System.SByte",
        Type::Int => "System.Int32",
        Type::Long => "System.Int64",
        Type::Real => "System.Double",
        Type::Decimal => "System.Data.SqlTypes.SqlDecimal",
        Type::String => "System.String",
        Type::DateTime => "System.DateTime",
        Type::TimeSpan => "System.TimeSpan",
        Type::Guid => "System.Guid",
        Type::Dynamic => "System.Object",
    }
}
