//! `summarize`, `distinct`, `count`: rows get the number of their group, aggregates take whole columns with those numbers.

use std::sync::Arc;

use super::Stream;
use crate::{
    error::QueryError,
    eval::{Batch, Context, eval},
    functions::{Accumulator, Setup, cell_key},
    hash::FastMap,
    plan::{AggregateCall, RelKind, RelRef, Scalar},
    table::{Arena, Column, ColumnBuilder},
    types::Type,
};

pub(super) struct Summarize {
    rel: RelRef,
    input: Option<Box<dyn Stream>>,
}

impl Summarize {
    pub(super) fn new(rel: &RelRef, input: Box<dyn Stream>) -> Self {
        Self { rel: Arc::clone(rel), input: Some(input) }
    }
}

impl Stream for Summarize {
    fn next(&mut self, context: &Context<'_>) -> Result<Option<Batch>, QueryError> {
        let RelKind::Summarize { aggregates, keys, .. } = &self.rel.kind else { return Ok(None) };
        let Some(mut input) = self.input.take() else { return Ok(None) };
        let mut groups = Groups::new(keys);
        let mut running = Running::start(aggregates, context)?;
        let mut held = 0;
        while let Some(batch) = input.next(context)? {
            context.tick(&self.rel)?;
            if batch.rows == 0 {
                continue;
            }
            let numbers = groups.numbers(keys, &batch, context)?;
            running.add(&numbers, groups.count(), &batch, context)?;
            let now = groups.bytes() + running.bytes();
            context.hold(now.saturating_sub(held), &self.rel)?;
            held = now.max(held);
        }
        // Without keys there is one group, also over no rows.
        let count = if keys.is_empty() { 1 } else { groups.count() };
        let mut columns = groups.finish();
        columns.extend(running.finish(count, context)?);
        Ok(Some(Batch { columns, rows: count }))
    }
}

/// The aggregates at work.
pub(super) struct Running<'p> {
    calls: &'p [AggregateCall],
    accumulators: Vec<Box<dyn Accumulator>>,
}

impl<'p> Running<'p> {
    pub(super) fn start(calls: &'p [AggregateCall], context: &Context<'_>) -> Result<Self, QueryError> {
        let mut accumulators = Vec::with_capacity(calls.len());
        for call in calls {
            let types: Vec<Type> = call.arguments.iter().map(|argument| argument.ty).collect();
            let constants = call.arguments.iter().map(|argument| {
                if argument.reads_columns() { Ok(None) } else { crate::eval::eval_once(argument, context).map(Some) }
            });
            let constants = constants.collect::<Result<Vec<_>, _>>()?;
            let setup = Setup { types: &types, constants: &constants, results: &call.types };
            accumulators.push((call.aggregate.start)(&setup));
        }
        Ok(Self { calls, accumulators })
    }

    pub(super) fn add(
        &mut self,
        numbers: &[u32],
        count: usize,
        batch: &Batch,
        context: &Context<'_>,
    ) -> Result<(), QueryError> {
        for (call, accumulator) in self.calls.iter().zip(&mut self.accumulators) {
            accumulator.grow(count);
            let Some(condition) = &call.condition else {
                let columns = arguments(call, batch, context)?;
                accumulator.add(numbers, &columns);
                continue;
            };
            let keep = eval(condition, batch, context)?;
            let kept = |row: &u32| matches!(keep.cell(*row as usize), crate::value::Cell::Bool(true));
            let rows: Vec<u32> = (0..u32::try_from(batch.rows).unwrap_or(u32::MAX)).filter(kept).collect();
            let numbers: Vec<u32> = rows.iter().map(|row| numbers[*row as usize]).collect();
            let columns = arguments(call, &batch.pick(rows), context)?;
            accumulator.add(&numbers, &columns);
        }
        Ok(())
    }

    pub(super) fn bytes(&self) -> usize {
        self.accumulators.iter().map(|accumulator| accumulator.bytes()).sum()
    }

    pub(super) fn finish(self, count: usize, context: &Context<'_>) -> Result<Vec<Column>, QueryError> {
        let _ = context;
        let mut columns = Vec::new();
        for mut accumulator in self.accumulators {
            accumulator.grow(count);
            columns.extend(accumulator.finish());
        }
        Ok(columns)
    }
}

fn arguments(call: &AggregateCall, batch: &Batch, context: &Context<'_>) -> Result<Vec<Column>, QueryError> {
    call.arguments.iter().map(|argument| Ok(eval(argument, batch, context)?.dense())).collect()
}

/// Which rows belong together.
pub(super) struct Groups {
    values: Vec<ColumnBuilder>,
    numbers: FastMap<Box<[u8]>, u32>,
    /// A single text key: the numbers by code, for the arena that the last batch had.
    by_code: Option<(Arc<Arena>, Vec<u32>)>,
    count: usize,
    key_bytes: usize,
}

impl Groups {
    pub(super) fn new(keys: &[Scalar]) -> Self {
        let values = keys.iter().map(|key| ColumnBuilder::new(key.ty)).collect();
        Self { values, numbers: FastMap::default(), by_code: None, count: 0, key_bytes: 0 }
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }

    pub(super) fn bytes(&self) -> usize {
        self.key_bytes + self.values.iter().map(ColumnBuilder::bytes).sum::<usize>()
    }

    /// The number of each row's group; new groups get the next numbers.
    pub(super) fn numbers(
        &mut self,
        keys: &[Scalar],
        batch: &Batch,
        context: &Context<'_>,
    ) -> Result<Vec<u32>, QueryError> {
        if keys.is_empty() {
            self.count = 1;
            return Ok(vec![0; batch.rows]);
        }
        let mut columns = Vec::with_capacity(keys.len());
        for key in keys {
            columns.push(eval(key, batch, context)?.dense());
        }
        if let [only] = columns.as_slice()
            && let Some((codes, arena)) = only.strings()
        {
            return Ok(self.by_code(codes, arena));
        }
        let mut key = Vec::new();
        let mut numbers = Vec::with_capacity(batch.rows);
        for row in 0..batch.rows {
            key.clear();
            columns.iter().for_each(|column| cell_key(column.cell(row), &mut key));
            numbers.push(self.number(&key, |values| {
                values.iter_mut().zip(&columns).for_each(|(values, column)| values.push(column.cell(row)));
            }));
        }
        Ok(numbers)
    }

    fn by_code(&mut self, codes: &[u32], arena: &Arc<Arena>) -> Vec<u32> {
        let known = self.by_code.take().filter(|(known, _)| Arc::ptr_eq(known, arena));
        let mut places = known.map_or_else(|| vec![u32::MAX; arena.len()], |(_, places)| places);
        let mut numbers = Vec::with_capacity(codes.len());
        let mut key = Vec::new();
        for code in codes {
            let mut number = places[*code as usize];
            if number == u32::MAX {
                let cell = crate::value::Cell::String(arena.at(*code));
                key.clear();
                cell_key(cell, &mut key);
                number = self.number(&key, |values| values.iter_mut().for_each(|values| values.push(cell)));
                places[*code as usize] = number;
            }
            numbers.push(number);
        }
        self.by_code = Some((Arc::clone(arena), places));
        numbers
    }

    fn number(&mut self, key: &[u8], push: impl FnOnce(&mut [ColumnBuilder])) -> u32 {
        if let Some(number) = self.numbers.get(key) {
            return *number;
        }
        let number = u32::try_from(self.count).unwrap_or(u32::MAX);
        self.numbers.insert(Box::from(key), number);
        push(&mut self.values);
        self.count += 1;
        self.key_bytes += key.len() + 40;
        number
    }

    pub(super) fn finish(self) -> Vec<Column> {
        self.values.into_iter().map(ColumnBuilder::finish).collect()
    }
}
