//! `summarize` and its kin: aggregates are collected while the items are bound, what is around them comes after.

use std::sync::Arc;

use super::{Binder, Row, naming::Names};
use crate::{
    ast::{Argument, Direction, Expr, ExprKind, Item, Name, TopNested},
    error::{QueryError, Span},
    functions::aggregate::{self, Fills, aggregate},
    plan::{AggregateCall, Field, RelKind, RelRef, Scalar, SortBy},
    types::Type,
    value::Value,
};

/// Aggregates met so far, and where their columns will be: behind the keys.
pub(super) struct Collector {
    calls: Vec<AggregateCall>,
    columns: usize,
    input: Arc<Vec<Field>>,
}

/// A column of a series, and what stands where no row is.
pub(super) type Defaulted = (String, Value);

impl Binder<'_> {
    pub(super) fn summarize(
        &mut self,
        input: RelRef,
        items: &[Item],
        by: &[Item],
        span: Span,
    ) -> Result<RelRef, QueryError> {
        let fields = Arc::clone(&input.fields);
        let row = Row::of(&fields);
        let mut names = Names::default();
        let mut keys = Vec::new();
        for (at, item) in by.iter().enumerate() {
            self.add_item(item, &row, &mut names, &mut keys, ("Column", at + 1))?;
        }
        let key_fields = names.fields.clone();
        let outer = self.aggregates.replace(Collector { calls: Vec::new(), columns: keys.len(), input: fields });
        let bound = self.summary_items(items, &key_fields, &mut names);
        let collected = std::mem::replace(&mut self.aggregates, outer);
        let (Some(collector), cells) = (collected, bound?) else {
            return Err(self.semantic("The aggregates cannot be resolved", span));
        };
        let mut all = key_fields;
        for (at, ty) in collector.calls.iter().flat_map(|call| &call.types).enumerate() {
            all.push(Self::field(format!("aggregate_{at}"), *ty));
        }
        let depth =
            keys.iter().chain(collector.calls.iter().flat_map(|call| &call.arguments)).map(|key| key.depth).max();
        let aggregates = collector.calls;
        let summary =
            self.over(&input, depth.unwrap_or(0), |input| RelKind::Summarize { input, aggregates, keys }, all, span)?;
        self.projected(&summary, cells, names.fields, span)
    }

    /// The output columns over keys and aggregates: the keys, then what the items say.
    fn summary_items(&mut self, items: &[Item], keys: &[Field], names: &mut Names) -> Result<Vec<Scalar>, QueryError> {
        let row = Row::of(keys);
        let mut cells: Vec<_> =
            keys.iter().enumerate().map(|(at, key)| Scalar::column(at, key.ty, Span::default())).collect();
        for (at, item) in items.iter().enumerate() {
            if let ExprKind::Call(name, arguments) = &*item.value.kind
                && aggregate(&name.text).is_some()
                && !matches!(self.env.find(&name.text), Some(super::Binding::Lambda(_)))
            {
                for (name, cell) in self.filled(name, arguments, &item.names, item.value.span)? {
                    names.add(&name, cell.ty);
                    cells.push(cell);
                }
                continue;
            }
            let cell = self.scalar(&item.value, &row)?;
            let name = item.names.first().map(|name| name.text.to_string());
            match name.or_else(|| self.summary_name(&item.value)) {
                Some(name) => names.add(&name, cell.ty),
                None => names.add_numbered("Column", at + 1, cell.ty),
            }
            cells.push(cell);
        }
        Ok(cells)
    }

    /// Functions named by their first argument take the name that an aggregate in it would have.
    fn summary_name(&self, expr: &Expr) -> Option<String> {
        let ExprKind::Call(name, arguments) = &*expr.kind else { return Self::result_name(expr) };
        let first = arguments.first()?;
        if aggregate(&name.text).is_some() {
            return Some(prefixed(aggregate(&name.text)?.prefix, &first.value));
        }
        let named = crate::functions::function(&name.text)?.naming == crate::functions::Naming::FirstArgument;
        if named { self.summary_name(&first.value) } else { None }
    }

    /// The columns of one aggregate with their names.
    fn filled(
        &mut self,
        name: &Name,
        arguments: &[Argument],
        given: &[Name],
        span: Span,
    ) -> Result<Vec<(String, Scalar)>, QueryError> {
        let Some(aggregate) = aggregate(&name.text) else { return Ok(Vec::new()) };
        let star = |argument: &Argument| matches!(*argument.value.kind, ExprKind::Star);
        let fields = self.aggregates.as_ref().map(|collector| Arc::clone(&collector.input)).unwrap_or_default();
        let columns = self.collect(aggregate, name, arguments, span)?;
        let default: Vec<String> = match aggregate.fills {
            Fills::One => vec![match arguments.first() {
                Some(first) if aggregate.prefix.is_empty() => {
                    Self::result_name(&first.value).unwrap_or_else(|| "Column1".to_owned())
                }
                Some(first) => prefixed(aggregate.prefix, &first.value),
                None => format!("{}_", aggregate.prefix),
            }],
            Fills::Rows { by_first } => {
                let mut names = Vec::new();
                for (at, argument) in arguments.iter().enumerate() {
                    if star(argument) {
                        let first = arguments.first().and_then(|first| Self::result_name(&first.value));
                        let shown = fields.iter().filter(|field| !field.hidden);
                        let rest = shown.filter(|field| !by_first || Some(&*field.name) != first.as_deref());
                        names.extend(rest.map(|field| field.name.to_string()));
                    } else {
                        let name = Self::result_name(&argument.value);
                        names.push(name.unwrap_or_else(|| {
                            if at == 0 && by_first { format!("{}_", aggregate.prefix) } else { format!("Column{at}") }
                        }));
                    }
                }
                names
            }
            Fills::Percentiles => {
                let of = arguments.first().and_then(|first| Self::result_name(&first.value)).unwrap_or_default();
                let percents = arguments.iter().skip(arguments.len() - columns.len());
                let mut names = Vec::new();
                for percent in percents {
                    let text = self.constant_text(&percent.value)?.replace('.', "_");
                    names.push(format!("percentile_{of}_{text}"));
                }
                names
            }
        };
        let name_at = |at: usize| given.get(at).map(|name| name.text.to_string());
        let named = columns.into_iter().zip(default).enumerate();
        Ok(named.map(|(at, (column, default))| (name_at(at).unwrap_or(default), column)).collect())
    }

    /// An aggregate inside an expression; `None` where the name is none or no `summarize` is being bound.
    pub(super) fn aggregate_call(
        &mut self,
        name: &Name,
        arguments: &[Argument],
        _row: &Row<'_>,
        span: Span,
    ) -> Option<Result<Scalar, QueryError>> {
        let aggregate = aggregate(&name.text)?;
        if self.aggregates.is_none() {
            if crate::functions::function(&name.text).is_some() {
                return None; // `any`, `max` and the like may be scalar functions, too.
            }
            let message = format!("Aggregate function '{}' is not allowed in this context", name.text);
            return Some(Err(self.semantic(message, name.span)));
        }
        Some(self.collect(aggregate, name, arguments, span).and_then(|columns| {
            columns.into_iter().next().ok_or_else(|| self.semantic("The aggregate has no result", span))
        }))
    }

    /// Notes the aggregate and gives the places of its columns.
    fn collect(
        &mut self,
        aggregate: &'static aggregate::Aggregate,
        name: &Name,
        arguments: &[Argument],
        span: Span,
    ) -> Result<Vec<Scalar>, QueryError> {
        let Some(collector) = self.aggregates.take() else {
            return Err(self.semantic(format!("Aggregate function '{}' is not allowed here", name.text), name.span));
        };
        let fields = Arc::clone(&collector.input);
        let bound = self.aggregate_arguments(aggregate, arguments, &fields, span);
        self.aggregates = Some(collector);
        let (arguments, condition) = bound?;
        let types = match aggregate.fills {
            Fills::One => vec![(aggregate.returns)(&arguments)],
            Fills::Rows { .. } => arguments.iter().map(|argument| argument.ty).collect(),
            Fills::Percentiles => arguments.iter().skip(1).map(|_| arguments[0].ty).collect(),
        };
        let Some(collector) = self.aggregates.as_mut() else { return Ok(Vec::new()) };
        let first = collector.columns;
        collector.columns += types.len();
        let columns = types.iter().enumerate().map(|(at, ty)| Scalar::column(first + at, *ty, span)).collect();
        collector.calls.push(AggregateCall { aggregate, arguments, types, condition });
        Ok(columns)
    }

    fn aggregate_arguments(
        &mut self,
        aggregate: &'static aggregate::Aggregate,
        arguments: &[Argument],
        fields: &[Field],
        span: Span,
    ) -> Result<(Vec<Scalar>, Option<Scalar>), QueryError> {
        let row = Row::of(fields);
        let mut given: Vec<&Argument> = arguments.iter().collect();
        let mut condition = None;
        if aggregate.conditional {
            if given.len() < aggregate.min {
                return Err(self.wrong_arguments(aggregate, span));
            }
            let at = aggregate.min - 1;
            condition = Some(self.condition(&given.remove(at).value, &row)?);
        }
        let least = aggregate.min - usize::from(aggregate.conditional);
        if given.len() < least || given.len() > aggregate.max {
            return Err(self.wrong_arguments(aggregate, span));
        }
        let mut bound: Vec<Scalar> = Vec::new();
        for argument in given {
            if matches!(*argument.value.kind, ExprKind::Star) {
                if matches!(aggregate.fills, Fills::One) {
                    continue; // `count(*)`
                }
                let skip = match (aggregate.fills, bound.first()) {
                    (Fills::Rows { by_first: true }, Some(first)) => match *first.kind {
                        crate::plan::ScalarKind::Column(at) => Some(at),
                        _ => None,
                    },
                    _ => None,
                };
                let shown = fields.iter().enumerate().filter(|(at, field)| !field.hidden && Some(*at) != skip);
                bound.extend(shown.map(|(at, field)| Scalar::column(at, field.ty, span)));
                continue;
            }
            bound.push(self.scalar(&argument.value, &row)?);
        }
        if aggregate.numeric
            && let Some(first) = bound.first_mut()
        {
            match first.ty {
                Type::Dynamic => *first = self.cast(first.clone(), Type::Real)?,
                Type::Bool => *first = self.cast(first.clone(), Type::Long)?,
                Type::String | Type::Guid => {
                    let message = format!("{}(): the argument must be a number, not {}", aggregate.name, first.ty);
                    return Err(self.semantic(message, span));
                }
                _ => {}
            }
        }
        Ok((bound, condition))
    }

    fn wrong_arguments(&self, aggregate: &aggregate::Aggregate, span: Span) -> QueryError {
        self.semantic(format!("{}(): function expects {} argument(s)", aggregate.name, aggregate.min), span)
    }

    pub(super) fn distinct(&mut self, input: RelRef, items: &[Item], span: Span) -> Result<RelRef, QueryError> {
        let fields = Arc::clone(&input.fields);
        let row = Row::of(&fields);
        let mut names = Names::default();
        let mut keys = Vec::new();
        for (at, item) in items.iter().enumerate() {
            if matches!(*item.value.kind, ExprKind::Star) {
                for (at, field) in fields.iter().enumerate().filter(|(_, field)| !field.hidden) {
                    names.add(&field.name, field.ty);
                    keys.push(Scalar::column(at, field.ty, span));
                }
                continue;
            }
            self.add_item(item, &row, &mut names, &mut keys, ("Column", at + 1))?;
        }
        let depth = keys.iter().map(|key| key.depth).max().unwrap_or(0);
        self.over(&input, depth, |input| RelKind::Summarize { input, aggregates: Vec::new(), keys }, names.fields, span)
    }

    pub(super) fn count(&mut self, input: RelRef, name: Option<&Name>, span: Span) -> Result<RelRef, QueryError> {
        let Some(aggregate) = aggregate("count") else { return Err(self.unsupported("count", span)) };
        let call = AggregateCall { aggregate, arguments: Vec::new(), types: vec![Type::Long], condition: None };
        let field = Self::field(name.map_or("Count", |name| &name.text), Type::Long);
        self.over(
            &input,
            0,
            |input| RelKind::Summarize { input, aggregates: vec![call], keys: Vec::new() },
            vec![field],
            span,
        )
    }

    /// Each level groups by itself and the levels before it; the level before decides which groups there are.
    pub(super) fn top_nested(&mut self, input: RelRef, levels: &[TopNested], span: Span) -> Result<RelRef, QueryError> {
        let [level] = levels else {
            return Err(self.unsupported("More than one level of top-nested", span));
        };
        if level.others.is_some() {
            return Err(self.unsupported("'with others'", span));
        }
        let by = [level.of.clone()];
        let named = Item {
            names: match level.by.names.first() {
                Some(name) => vec![name.clone()],
                None => {
                    let of = Self::result_name(&level.of.value).unwrap_or_default();
                    vec![Name { text: Arc::from(format!("aggregated_{of}")), span }]
                }
            },
            value: level.by.value.clone(),
        };
        let summary = self.summarize(input, &[named], &by, span)?;
        let Some(count) = &level.count else { return Ok(summary) };
        let count = self.row_count(count)?;
        let fields = summary.fields.to_vec();
        let value = Scalar::column(1, fields[1].ty, span);
        let key = SortBy { value, direction: level.direction, nulls_first: level.direction == Direction::Ascending };
        self.over(&summary, 1, |input| RelKind::Sort { input, keys: vec![key], count: Some(count) }, fields, span)
    }

    pub(super) fn aggregates_of_series(
        &mut self,
        items: &[(Item, Option<Expr>)],
        input: &RelRef,
        keys: usize,
    ) -> Result<(Vec<AggregateCall>, Vec<Defaulted>), QueryError> {
        let fields = Arc::clone(&input.fields);
        let outer = self.aggregates.replace(Collector { calls: Vec::new(), columns: keys, input: fields });
        let mut names = Vec::new();
        let mut failed = None;
        for (item, default) in items {
            let ExprKind::Call(name, arguments) = &*item.value.kind else {
                failed = Some(self.unsupported("An expression around the aggregate of make-series", item.value.span));
                break;
            };
            let filled = self.filled(name, arguments, &item.names, item.value.span);
            match filled {
                Ok(columns) => {
                    let default = match default {
                        Some(default) => self.scalar(default, &Row::NONE).map(|scalar| scalar.as_constant()),
                        None => Ok(None),
                    };
                    match default {
                        Ok(default) => names.extend(
                            columns.into_iter().map(|(name, _)| (name, default.clone().unwrap_or(Value::Long(0)))),
                        ),
                        Err(error) => failed = Some(error),
                    }
                }
                Err(error) => failed = Some(error),
            }
        }
        let collected = std::mem::replace(&mut self.aggregates, outer);
        match (failed, collected) {
            (Some(error), _) => Err(error),
            (None, Some(collector)) => Ok((collector.calls, names)),
            (None, None) => Ok((Vec::new(), names)),
        }
    }
}

fn prefixed(prefix: &str, argument: &Expr) -> String {
    match Binder::result_name(argument) {
        Some(name) => format!("{prefix}_{name}"),
        None => format!("{prefix}_"),
    }
}
