//! Expressions over a batch: a column in, a column out.

use std::sync::Arc;

use super::{Batch, Context, collect, lists, text};
use crate::{
    database::{HostAnswer, HostCall},
    error::{ErrorKind, QueryError},
    functions::{Body, Function},
    plan::{HostPlan, Scalar, ScalarKind},
    table::{Column, ColumnBuilder, Data},
    types::Type,
    value::{Cell, Value},
};

/// The value for every row of the batch.
pub(crate) fn eval(scalar: &Scalar, batch: &Batch, context: &Context<'_>) -> Result<Column, QueryError> {
    match &*scalar.kind {
        ScalarKind::Constant(column) => Ok(column.repeat(0, batch.rows)),
        ScalarKind::Column(at) => Ok(batch.columns[*at].clone()),
        ScalarKind::Call(function, arguments) => call(scalar, function, arguments, batch, context),
        ScalarKind::And(parts) => logic(parts, true, batch, context),
        ScalarKind::Or(parts) => logic(parts, false, batch, context),
        ScalarKind::Text(op, left, right) => text::eval(scalar, *op, left, right, batch, context),
        ScalarKind::In(op, left, list) => lists::eval(scalar, *op, left, list, batch, context),
        ScalarKind::FirstCell(id, rel) => {
            let known = context.once.borrow().get(id).cloned();
            let value = match known {
                Some(value) => value,
                None => {
                    let before = context.held();
                    let rows = collect(rel, context)?;
                    let at = rel.fields.iter().position(|field| !field.hidden).unwrap_or(0);
                    let value = if rows.rows > 0 { rows.columns[at].cell(0).to_value() } else { Value::Null };
                    context.release(context.held().saturating_sub(before));
                    context.once.borrow_mut().insert(*id, value.clone());
                    value
                }
            };
            Ok(repeated(&value, scalar.ty, batch.rows))
        }
        ScalarKind::Once(id, inner) => {
            let known = context.once.borrow().get(id).cloned();
            let value = match known {
                Some(value) => value,
                None => {
                    let value = eval_once(inner, context)?;
                    context.once.borrow_mut().insert(*id, value.clone());
                    value
                }
            };
            Ok(repeated(&value, scalar.ty, batch.rows))
        }
        ScalarKind::Host(plan) => host(scalar, plan, batch, context),
    }
}

/// The value of an expression without columns.
pub(crate) fn eval_once(scalar: &Scalar, context: &Context<'_>) -> Result<Value, QueryError> {
    let column = eval(scalar, &Batch { columns: Vec::new(), rows: 1 }, context)?;
    Ok(column.cell(0).to_value())
}

pub(super) fn repeated(value: &Value, ty: Type, rows: usize) -> Column {
    let mut builder = ColumnBuilder::new(ty);
    builder.push(value.cell());
    builder.finish().repeat(0, rows)
}

fn call(
    scalar: &Scalar,
    function: &'static Function,
    arguments: &[Scalar],
    batch: &Batch,
    context: &Context<'_>,
) -> Result<Column, QueryError> {
    if batch.rows == 0 {
        return Ok(Column::nulls(scalar.ty, 0));
    }
    let mut columns = Vec::with_capacity(arguments.len());
    for argument in arguments {
        columns.push(eval(argument, batch, context)?);
    }
    let constant = !function.differs_by_row() && columns.iter().all(|column| column.constant().is_some());
    let rows = if constant { 1 } else { batch.rows };
    let result = match function.body {
        Body::Columns(body) => {
            let columns: Vec<_> =
                if constant { columns.iter().map(|column| column.slice(0, 1)).collect() } else { columns };
            body(context, &columns, rows)?
        }
        Body::Window(body) => body(context, &columns, rows),
        Body::Cells(body) => match by_text(scalar.ty, &columns, context, body) {
            Some(result) if !constant => result,
            _ => by_cell(scalar, &columns, rows, context, body)?,
        },
        Body::Fresh(body) => by_cell(scalar, &columns, rows, context, body)?,
    };
    Ok(if constant { result.repeat(0, batch.rows) } else { result })
}

type CellBody = fn(&Context<'_>, &[Cell<'_>]) -> Value;

fn by_cell(
    scalar: &Scalar,
    columns: &[Column],
    rows: usize,
    context: &Context<'_>,
    body: CellBody,
) -> Result<Column, QueryError> {
    let mut builder = ColumnBuilder::new(scalar.ty);
    let mut cells = Vec::with_capacity(columns.len());
    for row in 0..rows {
        cells.clear();
        cells.extend(columns.iter().map(|column| column.cell(row)));
        builder.push_value(bounded(body(context, &cells), context));
        if row % CHECK_ROWS == 0 {
            context.check_work(builder.bytes(), scalar.span)?;
        }
    }
    Ok(builder.finish())
}

/// How many rows pass between two looks at the clock and the memory.
const CHECK_ROWS: usize = 256;
/// The largest value, enough for a list of 2^20 numbers: beyond it the run fails, so that no function can make another's work endless.
pub(crate) const VALUE_BYTES_MAX: usize = 40 << 20;

fn bounded(value: Value, context: &Context<'_>) -> Value {
    let too_large = match &value {
        Value::String(text) => text.len() > VALUE_BYTES_MAX,
        Value::Dynamic(value) => value.exceeds(VALUE_BYTES_MAX),
        _ => false,
    };
    if too_large {
        context.fail("Query stopped due to excessive resource consumption.");
        return Value::Null;
    }
    value
}

/// Where all arguments but one are constants and that one is text with many repetitions, each text is worked out once.
fn by_text(ty: Type, columns: &[Column], context: &Context<'_>, body: CellBody) -> Option<Column> {
    let mut varying = columns.iter().enumerate().filter(|(_, column)| column.constant().is_none());
    let (at, column) = varying.next()?;
    if varying.next().is_some() || column.type_of() != Type::String {
        return None;
    }
    let dense = column.dense();
    let (codes, arena) = dense.strings()?;
    if arena.len() > codes.len() {
        return None;
    }
    let mut cells: Vec<_> = columns.iter().map(|column| column.constant().unwrap_or(Cell::Null)).collect();
    let mut builder = ColumnBuilder::new(ty);
    let mut places = vec![u32::MAX; arena.len()];
    let mut rows = Vec::with_capacity(codes.len());
    for code in codes {
        let place = &mut places[*code as usize];
        if *place == u32::MAX {
            *place = u32::try_from(builder.len()).unwrap_or(u32::MAX);
            cells[at] = Cell::String(arena.at(*code));
            builder.push_value(bounded(body(context, &cells), context));
        }
        rows.push(*place);
    }
    crate::table::pick(&[builder.finish()], rows).pop()
}

/// `and`, `or` over three values: false wins over null in `and`, true in `or`.
fn logic(parts: &[Scalar], all: bool, batch: &Batch, context: &Context<'_>) -> Result<Column, QueryError> {
    let mut values = vec![all; batch.rows];
    let mut valid: Option<Vec<bool>> = None;
    for part in parts {
        let column = eval(part, batch, context)?.dense();
        let Some(bools) = column.bools() else { continue };
        match (column.valid(), &mut valid) {
            (None, None) => {
                if all {
                    values.iter_mut().zip(bools).for_each(|(value, part)| *value &= part);
                } else {
                    values.iter_mut().zip(bools).for_each(|(value, part)| *value |= part);
                }
            }
            (part_valid, valid) => {
                let valid = valid.get_or_insert_with(|| vec![true; batch.rows]);
                for row in 0..batch.rows {
                    let known = part_valid.is_none_or(|valid| valid[row]);
                    let decided = valid[row] && values[row] != all;
                    if decided {
                        continue;
                    }
                    if known && bools[row] != all {
                        values[row] = !all;
                        valid[row] = true;
                    } else if !known {
                        valid[row] = false;
                        values[row] = all;
                    }
                }
            }
        }
    }
    Ok(Column::new(Type::Bool, Data::Bool(values), valid))
}

fn host(scalar: &Scalar, plan: &Arc<HostPlan>, batch: &Batch, context: &Context<'_>) -> Result<Column, QueryError> {
    let mut columns = Vec::with_capacity(plan.arguments.len());
    for argument in &plan.arguments {
        columns.push(eval(argument, batch, context)?);
    }
    let mut builder = ColumnBuilder::new(scalar.ty);
    for row in 0..batch.rows {
        let arguments: Vec<_> = columns.iter().map(|column| column.cell(row).to_value()).collect();
        let call = HostCall { name: &plan.name, input: None, arguments: &arguments };
        match context.database.call(&call) {
            Ok(HostAnswer::Value(value)) => builder.push_value(value),
            Ok(HostAnswer::Table(_)) => builder.push_null(),
            Err(message) => return Err(QueryError::new(ErrorKind::Runtime, message, scalar.span)),
        }
    }
    Ok(builder.finish())
}
