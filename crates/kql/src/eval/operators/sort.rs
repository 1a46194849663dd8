//! `sort` and `top`.

use std::{cmp::Ordering, sync::Arc};

use super::Stream;
use crate::{
    ast::Direction,
    error::QueryError,
    eval::{Batch, Context, concat, eval, eval_once},
    plan::{RelKind, RelRef, SortBy},
    table::Column,
};

pub(super) struct Sort {
    rel: RelRef,
    input: Option<Box<dyn Stream>>,
}

impl Sort {
    pub(super) fn new(rel: &RelRef, input: Box<dyn Stream>) -> Self {
        Self { rel: Arc::clone(rel), input: Some(input) }
    }
}

impl Stream for Sort {
    fn next(&mut self, context: &Context<'_>) -> Result<Option<Batch>, QueryError> {
        let RelKind::Sort { input: input_rel, keys, count } = &self.rel.kind else { return Ok(None) };
        let Some(mut input) = self.input.take() else { return Ok(None) };
        let count = match count {
            Some(count) => {
                let count = eval_once(count, context)?.cell().as_i64().unwrap_or(0);
                Some(usize::try_from(count).unwrap_or(0))
            }
            None => None,
        };
        let mut batches = Vec::new();
        let mut pending = 0;
        while let Some(batch) = input.next(context)? {
            context.tick(&self.rel)?;
            context.hold(batch.bytes(), &self.rel)?;
            pending += batch.rows;
            batches.push(batch);
            // `top` keeps little: what cannot be among the first is dropped on the way.
            if let Some(count) = count.filter(|count| pending > 4 * count.max(&PENDING_MIN)) {
                let held: usize = batches.iter().map(Batch::bytes).sum();
                let best = sorted(&concat(input_rel, std::mem::take(&mut batches)), keys, Some(count), context)?;
                context.release(held.saturating_sub(best.bytes()));
                pending = best.rows;
                batches.push(best);
            }
        }
        sorted(&concat(input_rel, batches), keys, count, context).map(Some)
    }
}

const PENDING_MIN: usize = 16_384;

fn sorted(batch: &Batch, keys: &[SortBy], count: Option<usize>, context: &Context<'_>) -> Result<Batch, QueryError> {
    let mut columns = Vec::with_capacity(keys.len());
    for key in keys {
        columns.push(eval(&key.value, batch, context)?.dense());
    }
    let mut rows: Vec<u32> = (0..u32::try_from(batch.rows).unwrap_or(u32::MAX)).collect();
    let order = |left: &u32, right: &u32| {
        let by_key = columns.iter().zip(keys).map(|(column, key)| order_rows(column, key, *left, *right));
        by_key.into_iter().find(|order| order.is_ne()).unwrap_or_else(|| left.cmp(right))
    };
    match count {
        Some(0) => rows.clear(),
        Some(count) if count < rows.len() => {
            rows.select_nth_unstable_by(count - 1, order);
            rows.truncate(count);
            rows.sort_unstable_by(order);
        }
        _ => rows.sort_unstable_by(order),
    }
    let sorted = batch.pick(rows);
    Ok(sorted)
}

fn order_rows(column: &Column, key: &SortBy, left: u32, right: u32) -> Ordering {
    let (left, right) = (left as usize, right as usize);
    if let (Some(longs), None) = (column.longs(), column.valid()) {
        let order = longs[left].cmp(&longs[right]);
        return if key.direction == Direction::Ascending { order } else { order.reverse() };
    }
    let (left, right) = (column.cell(left), column.cell(right));
    match (left.is_null(), right.is_null()) {
        (true, true) => Ordering::Equal,
        (true, false) => {
            if key.nulls_first {
                Ordering::Less
            } else {
                Ordering::Greater
            }
        }
        (false, true) => {
            if key.nulls_first {
                Ordering::Greater
            } else {
                Ordering::Less
            }
        }
        (false, false) if key.direction == Direction::Ascending => left.order(right),
        (false, false) => right.order(left),
    }
}
