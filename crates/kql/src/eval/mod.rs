//! Runs a plan: operators pull batches of rows through each other, expressions work on whole columns.

mod context;
mod expression;
mod lists;
pub(crate) mod operators;
mod text;

pub(crate) use context::{Batch, Context};
pub(crate) use expression::{VALUE_BYTES_MAX, eval, eval_once};
pub(crate) use text::has_term;

use std::sync::Arc;

use crate::{
    error::{ErrorKind, QueryError},
    plan::RelRef,
    table::{Column, ColumnBuilder, Schema, Table},
};

/// Rows that are pulled at one time.
pub(crate) const BATCH_ROWS: usize = 16_384;

/// Runs an operator to its end and keeps all rows, within the bound on memory.
pub(crate) fn collect(rel: &RelRef, context: &Context<'_>) -> Result<Batch, QueryError> {
    let mut stream = operators::open(rel, context)?;
    let mut batches = Vec::new();
    while let Some(batch) = stream.next(context)? {
        context.tick(rel)?;
        context.hold(batch.bytes(), rel)?;
        batches.push(batch);
    }
    Ok(concat(rel, batches))
}

/// Batches one behind the other.
pub(crate) fn concat(rel: &RelRef, mut batches: Vec<Batch>) -> Batch {
    if batches.len() == 1 {
        return batches.remove(0);
    }
    let rows = batches.iter().map(|batch| batch.rows).sum();
    let columns = rel
        .fields
        .iter()
        .enumerate()
        .map(|(at, field)| {
            let parts: Vec<&Column> = batches.iter().map(|batch| &batch.columns[at]).collect();
            join_columns(field.ty, &parts)
        })
        .collect();
    Batch { columns, rows }
}

fn join_columns(ty: crate::types::Type, parts: &[&Column]) -> Column {
    if let Some(joined) = Column::joined(parts) {
        return joined;
    }
    let mut builder = ColumnBuilder::new(ty);
    parts.iter().for_each(|part| builder.extend(part));
    builder.finish()
}

/// Runs a result as a table of its shown columns, within the bounds on the answer: to its end, or until it has as many
/// rows as an answer may have.
pub(crate) fn answer(rel: &RelRef, context: &Context<'_>) -> Result<Table, QueryError> {
    let limits = context.options.limits;
    let shown: Vec<usize> = (0..rel.fields.len()).filter(|at| !rel.fields[*at].hidden).collect();
    let mut stream = operators::open(rel, context)?;
    let mut batches = Vec::new();
    let (mut rows, mut bytes) = (0, 0);
    while let Some(batch) = stream.next(context)? {
        context.tick(rel)?;
        let batch = if batch.rows > limits.rows_max - rows { batch.slice(0, limits.rows_max - rows) } else { batch };
        let columns = shown.iter().map(|at| batch.columns[*at].dense()).collect();
        let batch = Batch { columns, rows: batch.rows };
        rows += batch.rows;
        bytes += batch.bytes();
        context.hold(batch.bytes(), rel)?;
        if bytes > limits.answer_bytes_max {
            return Err(too_large(rel));
        }
        batches.push(batch);
        if rows == limits.rows_max {
            break;
        }
    }
    let schema: Schema = shown.iter().map(|at| (&*rel.fields[*at].name, rel.fields[*at].ty)).collect();
    let columns = shown
        .iter()
        .enumerate()
        .map(|(at, field)| {
            let parts: Vec<&Column> = batches.iter().map(|batch| &batch.columns[at]).collect();
            join_columns(rel.fields[*field].ty, &parts)
        })
        .collect();
    Ok(Table::assemble(Arc::new(schema), columns, rows))
}

fn too_large(rel: &RelRef) -> QueryError {
    let message = "Query execution has exceeded the allowed result size. Optimize your query by limiting the number \
                   of results and try again";
    QueryError::new(ErrorKind::ResultSize, message, rel.span)
}
