//! Rows from the host, from the text of the query, and from what has been worked out already.

use std::sync::Arc;

use super::Stream;
use crate::{
    database::{HostAnswer, HostCall},
    error::{ErrorKind, QueryError},
    eval::{BATCH_ROWS, Batch, Context, collect, eval_once},
    plan::{InvokeColumn, RelKind, RelRef},
    table::{Column, ColumnBuilder, Schema, Table},
    types::Type,
    value::Value,
};

/// A table of the host, a slice at a time and nothing copied.
pub(super) struct Scan {
    columns: Vec<Column>,
    rows: usize,
    at: usize,
    window: Option<Column>,
}

impl Scan {
    pub(super) fn open(rel: &RelRef, context: &Context<'_>) -> Self {
        let RelKind::Scan { table, columns: places, .. } = &rel.kind else {
            return Self { columns: Vec::new(), rows: 0, at: 0, window: None };
        };
        let table = context.database.table(table);
        let rows = table.as_ref().map_or(0, |table| table.len());
        let stored = table.as_ref().map(|table| table.columns()).unwrap_or_default();
        let column = |(field, place): (&crate::plan::Field, &Option<usize>)| match place.and_then(|at| stored.get(at)) {
            Some(column) if column.type_of() == field.ty => column.clone(),
            _ => Column::nulls(field.ty, rows),
        };
        let columns: Vec<_> = rel.fields.iter().zip(places).map(column).collect();
        let window = context.options.window.as_ref().and_then(|window| {
            let at = rel.fields.iter().position(|field| *field.name == *window.column)?;
            (rel.fields[at].ty == Type::DateTime).then(|| columns[at].clone())
        });
        Self { columns, rows, at: 0, window }
    }
}

impl Stream for Scan {
    fn next(&mut self, context: &Context<'_>) -> Result<Option<Batch>, QueryError> {
        if self.at >= self.rows {
            return Ok(None);
        }
        let len = BATCH_ROWS.min(self.rows - self.at);
        let columns = self.columns.iter().map(|column| column.slice(self.at, len)).collect();
        let batch = Batch { columns, rows: len };
        let times = self.window.as_ref().map(|column| column.slice(self.at, len));
        self.at += len;
        let (Some(times), Some(window)) = (times, &context.options.window) else { return Ok(Some(batch)) };
        let inside = |row: &u32| {
            times.cell(*row as usize).as_i64().is_some_and(|time| (window.start..window.end).contains(&time))
        };
        let rows: Vec<u32> = (0..u32::try_from(len).unwrap_or(0)).filter(inside).collect();
        Ok(Some(if rows.len() == len { batch } else { batch.pick(rows) }))
    }
}

/// `print` and `datatable`.
pub(super) struct Literal {
    rel: RelRef,
    done: bool,
}

impl Literal {
    pub(super) fn new(rel: &RelRef) -> Self {
        Self { rel: Arc::clone(rel), done: false }
    }
}

impl Stream for Literal {
    fn next(&mut self, context: &Context<'_>) -> Result<Option<Batch>, QueryError> {
        let RelKind::Rows { cells, width } = &self.rel.kind else { return Ok(None) };
        if std::mem::replace(&mut self.done, true) {
            return Ok(None);
        }
        let mut builders: Vec<_> = self.rel.fields.iter().map(|field| ColumnBuilder::new(field.ty)).collect();
        for (at, cell) in cells.iter().enumerate() {
            builders[at % width].push_value(eval_once(cell, context)?);
        }
        context.tick(&self.rel)?;
        let rows = cells.len() / (*width).max(1);
        Ok(Some(Batch { columns: builders.into_iter().map(ColumnBuilder::finish).collect(), rows }))
    }
}

/// `range`
pub(super) struct Range {
    ty: Type,
    from: Value,
    step: Value,
    at: usize,
    count: usize,
}

impl Range {
    pub(super) fn open(rel: &RelRef, context: &Context<'_>) -> Result<Self, QueryError> {
        let ty = rel.fields[0].ty;
        let RelKind::Range { from, to, step } = &rel.kind else {
            return Ok(Self { ty, from: Value::Null, step: Value::Null, at: 0, count: 0 });
        };
        let (from, to, step) = (eval_once(from, context)?, eval_once(to, context)?, eval_once(step, context)?);
        let count = range_count(&from, &to, &step);
        Ok(Self { ty, from, step, at: 0, count })
    }
}

/// How many values lie between the bounds; none where the step leads away or a bound is null.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "negative counts are cut to none")]
fn range_count(from: &Value, to: &Value, step: &Value) -> usize {
    if let (Some(from), Some(to), Some(step)) = (from.cell().as_i64(), to.cell().as_i64(), step.cell().as_i64()) {
        let span = i128::from(to) - i128::from(from);
        let step = i128::from(step);
        if step == 0 || span.signum() * step.signum() < 0 {
            return 0;
        }
        return usize::try_from(span / step + 1).unwrap_or(usize::MAX);
    }
    match (from.cell().as_f64(), to.cell().as_f64(), step.cell().as_f64()) {
        (Some(from), Some(to), Some(step)) if step != 0.0 => {
            let steps = ((to - from) / step + 1e-9).floor();
            if steps >= 0.0 { (steps as usize).saturating_add(1) } else { 0 }
        }
        _ => 0,
    }
}

impl Stream for Range {
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_wrap, reason = "counts are far below the bounds")]
    fn next(&mut self, _: &Context<'_>) -> Result<Option<Batch>, QueryError> {
        if self.at >= self.count {
            return Ok(None);
        }
        let len = BATCH_ROWS.min(self.count - self.at);
        let mut builder = ColumnBuilder::new(self.ty);
        for at in self.at..self.at + len {
            let value = match (self.from.cell().as_i64(), self.step.cell().as_i64()) {
                (Some(from), Some(step)) => {
                    let value = from.wrapping_add(step.wrapping_mul(at as i64));
                    match self.ty {
                        Type::DateTime => Value::DateTime(value),
                        Type::TimeSpan => Value::TimeSpan(value),
                        _ => Value::Long(value),
                    }
                }
                _ => {
                    let number = |value: &Value| value.cell().as_f64().unwrap_or(0.0);
                    Value::Real(number(&self.from) + number(&self.step) * at as f64)
                }
            };
            builder.push_value(value);
        }
        self.at += len;
        Ok(Some(Batch { columns: vec![builder.finish()], rows: len }))
    }
}

/// Rows that are all there.
pub(super) struct Ready {
    batch: Batch,
    at: usize,
}

impl Ready {
    fn new(batch: Batch) -> Self {
        Self { batch, at: 0 }
    }

    pub(super) fn input(slot: usize, context: &Context<'_>) -> Self {
        let batch = context.inputs.borrow().get(slot).cloned().flatten();
        Self::new(batch.unwrap_or(Batch { columns: Vec::new(), rows: 0 }))
    }

    pub(super) fn materialized(id: usize, input: &RelRef, context: &Context<'_>) -> Result<Self, QueryError> {
        let known = context.materialized.borrow().get(&id).cloned();
        if let Some(batch) = known {
            return Ok(Self::new(batch));
        }
        let batch = collect(input, context)?;
        context.materialized.borrow_mut().insert(id, batch.clone());
        Ok(Self::new(batch))
    }

    pub(super) fn external(rel: &RelRef, schema: &Arc<Schema>, context: &Context<'_>) -> Result<Self, QueryError> {
        let table = context
            .database
            .external_data(schema)
            .map_err(|message| QueryError::new(ErrorKind::Runtime, message, rel.span))?;
        Ok(Self::new(answer_columns(rel, &table, None)?))
    }
}

impl Stream for Ready {
    fn next(&mut self, _: &Context<'_>) -> Result<Option<Batch>, QueryError> {
        if self.at >= self.batch.rows {
            return Ok(None);
        }
        let len = BATCH_ROWS.min(self.batch.rows - self.at);
        let batch = self.batch.slice(self.at, len);
        self.at += len;
        Ok(Some(batch))
    }
}

impl Ready {
    /// A function of the host.
    pub(super) fn invoked(rel: &RelRef, context: &Context<'_>) -> Result<Self, QueryError> {
        let RelKind::Invoke { input, call, columns } = &rel.kind else {
            return Ok(Self::new(Batch { columns: Vec::new(), rows: 0 }));
        };
        let before = match input {
            Some(input) => Some(collect(input, context)?),
            None => None,
        };
        let given = match (&before, &call.input) {
            (Some(batch), Some(schema)) => {
                let columns = batch.columns.iter().take(schema.columns().len()).cloned().collect();
                Some(Table::assemble(Arc::clone(schema), columns, batch.rows))
            }
            _ => None,
        };
        let mut arguments = Vec::with_capacity(call.arguments.len());
        for argument in &call.arguments {
            arguments.push(eval_once(argument, context)?);
        }
        let host_call = HostCall { name: &call.name, input: given.as_ref(), arguments: &arguments };
        let fail = |message: String| QueryError::new(ErrorKind::Runtime, message, rel.span);
        let answer = match context.database.call(&host_call).map_err(fail)? {
            HostAnswer::Table(table) => table,
            HostAnswer::Value(_) => return Err(fail(format!("The function '{}' gave no table.", call.name))),
        };
        let input = before.as_ref().map(|batch| (batch, columns.as_slice()));
        Ok(Self::new(answer_columns(rel, &answer, input)?))
    }
}

/// The host's answer in the shape that the plan promises; a wrong shape is the host's mistake and said so.
fn answer_columns(rel: &RelRef, answer: &Table, input: Option<(&Batch, &[InvokeColumn])>) -> Result<Batch, QueryError> {
    let wrong = || {
        let message = "An unexpected error occurred during query execution. Please try again in a few minutes.";
        QueryError::new(ErrorKind::Runtime, message, rel.span)
    };
    let (rows, places): (usize, Vec<InvokeColumn>) = match input {
        Some((batch, columns)) => (batch.rows, columns.to_vec()),
        None => (answer.len(), (0..rel.fields.len()).map(InvokeColumn::Answer).collect()),
    };
    let adds = places.iter().any(|place| matches!(place, InvokeColumn::Input(_)));
    let rows = if adds { rows } else { answer.len() };
    let mut columns = Vec::with_capacity(places.len());
    for (place, field) in places.iter().zip(rel.fields.iter()) {
        let column = match (place, input) {
            (InvokeColumn::Input(at), Some((batch, _))) => batch.columns[*at].clone(),
            (InvokeColumn::Answer(at), _) => answer.columns().get(*at).ok_or_else(wrong)?.clone(),
            (InvokeColumn::Input(_), None) => return Err(wrong()),
        };
        if column.len() != rows || column.type_of() != field.ty {
            return Err(wrong());
        }
        columns.push(column);
    }
    Ok(Batch { columns, rows })
}
