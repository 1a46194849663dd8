//! `mv-expand`: one row per element of a list, or per entry of a bag.

use std::sync::Arc;

use super::Stream;
use crate::{
    dynamic::Dynamic,
    error::QueryError,
    eval::{BATCH_ROWS, Batch, Context, eval, eval_once},
    plan::{Expand, ExpandColumn, RelKind, RelRef},
    table::{Column, ColumnBuilder, pick},
    types::Type,
    value::{Cell, Value},
};

pub(super) struct MvExpand {
    rel: RelRef,
    input: Box<dyn Stream>,
    /// What is left of a batch that opened into too many rows.
    pending: Option<(Batch, usize)>,
}

impl MvExpand {
    pub(super) fn new(rel: &RelRef, input: Box<dyn Stream>) -> Self {
        Self { rel: Arc::clone(rel), input, pending: None }
    }
}

impl Stream for MvExpand {
    fn next(&mut self, context: &Context<'_>) -> Result<Option<Batch>, QueryError> {
        let RelKind::MvExpand { expand, .. } = &self.rel.kind else { return Ok(None) };
        context.tick(&self.rel)?;
        let (batch, from) = match self.pending.take() {
            Some(pending) => pending,
            None => match self.input.next(context)? {
                Some(batch) => (batch, 0),
                None => return Ok(None),
            },
        };
        let rest = batch.slice(from, batch.rows - from);
        let (opened, used, _) = opened(&self.rel, expand, &rest, context)?;
        if from + used < batch.rows {
            self.pending = Some((batch, from + used));
        }
        Ok(Some(opened))
    }
}

/// The rows that a batch opens into, how many of its rows that took, and how many came of each.
pub(super) fn opened(
    rel: &RelRef,
    expand: &Expand,
    batch: &Batch,
    context: &Context<'_>,
) -> Result<(Batch, usize, Vec<usize>), QueryError> {
    let mut sources = Vec::with_capacity(expand.values.len());
    for value in &expand.values {
        sources.push(eval(value, batch, context)?);
    }
    let limit = match &expand.limit {
        Some(limit) => usize::try_from(eval_once(limit, context)?.cell().as_i64().unwrap_or(0)).unwrap_or(0),
        None => usize::MAX,
    };
    let mut values: Vec<_> = expand.types.iter().map(|ty| ColumnBuilder::new(*ty)).collect();
    let mut index = ColumnBuilder::new(Type::Long);
    let (mut rows, mut counts) = (Vec::new(), Vec::new());
    let mut used = 0;
    while used < batch.rows && rows.len() < BATCH_ROWS {
        let lists: Vec<_> = sources.iter().map(|source| elements(source.cell(used), expand.pairs)).collect();
        let count = lists.iter().map(Vec::len).max().unwrap_or(0).min(limit);
        for at in 0..count {
            for (builder, list) in values.iter_mut().zip(&lists) {
                match list.get(at) {
                    Some(element) => builder.push_value(converted(element, builder.type_of())),
                    None => builder.push_null(),
                }
            }
            index.push(Cell::Long(i64::try_from(at).unwrap_or(i64::MAX)));
            rows.push(u32::try_from(used).unwrap_or(u32::MAX));
        }
        counts.push(count);
        used += 1;
    }
    context.tick(rel)?;
    let opened: Vec<Column> = values.into_iter().map(ColumnBuilder::finish).collect();
    let index = index.finish();
    let len = rows.len();
    let kept = pick(&batch.columns, rows);
    let columns = expand
        .output
        .iter()
        .map(|column| match column {
            ExpandColumn::Input(at) => kept[*at].clone(),
            ExpandColumn::Value(at) => opened[*at].clone(),
            ExpandColumn::Index => index.clone(),
        })
        .collect();
    Ok((Batch { columns, rows: len }, used, counts))
}

/// The elements of a cell; null and the empty list open into one null.
fn elements(cell: Cell<'_>, pairs: bool) -> Vec<Dynamic> {
    match cell {
        Cell::Dynamic(Dynamic::Array(items)) if items.is_empty() => vec![Dynamic::Null],
        Cell::Dynamic(Dynamic::Array(items)) => items.to_vec(),
        Cell::Dynamic(Dynamic::Bag(entries)) => entries
            .iter()
            .map(|(name, value)| {
                if pairs {
                    Dynamic::array(vec![Dynamic::String(Arc::clone(name)), value.clone()])
                } else {
                    Dynamic::bag(vec![(Arc::clone(name), value.clone())])
                }
            })
            .collect(),
        cell => vec![Dynamic::from(cell)],
    }
}

/// An element as the type that `to typeof(..)` names.
fn converted(element: &Dynamic, ty: Type) -> Value {
    if ty == Type::Dynamic {
        return Value::Dynamic(element.clone());
    }
    crate::functions::convert_cell(element.scalar(), ty)
}
