//! `make-series`: one row per group, an element per step of the axis.

use std::sync::Arc;

use super::{
    Stream,
    summarize::{Groups, Running},
};
use crate::{
    dynamic::Dynamic,
    error::{ErrorKind, QueryError},
    eval::{Batch, Context, eval, eval_once},
    plan::{RelKind, RelRef, Scalar, SeriesPlan},
    table::{Column, ColumnBuilder},
    types::Type,
    value::{Cell, Value},
};

pub(super) struct MakeSeries {
    rel: RelRef,
    done: bool,
}

impl MakeSeries {
    pub(super) fn new(rel: &RelRef) -> Self {
        Self { rel: Arc::clone(rel), done: false }
    }
}

impl Stream for MakeSeries {
    fn next(&mut self, context: &Context<'_>) -> Result<Option<Batch>, QueryError> {
        let RelKind::MakeSeries(plan) = &self.rel.kind else { return Ok(None) };
        if std::mem::replace(&mut self.done, true) {
            return Ok(None);
        }
        let batch = crate::eval::collect(&plan.input, context)?;
        let axis = Axis::new(&self.rel, plan, &batch, context)?;
        let places: Vec<Option<u32>> = {
            let values = eval(&plan.axis, &batch, context)?;
            (0..batch.rows).map(|row| axis.place(values.cell(row))).collect()
        };
        let inside: Vec<u32> =
            (0_u32..).zip(&places).filter(|(_, place)| place.is_some()).map(|(row, _)| row).collect();
        let places: Vec<u32> = places.into_iter().flatten().collect();
        let batch = batch.pick(inside);
        let mut groups = Groups::new(&plan.keys);
        let numbers = groups.numbers(&plan.keys, &batch, context)?;
        let count = if plan.keys.is_empty() { 1 } else { groups.count() };
        let cells = count.saturating_mul(axis.len);
        context.hold(cells.saturating_mul(32), &self.rel)?;
        let len = u32::try_from(axis.len).unwrap_or(u32::MAX);
        let cell_numbers: Vec<u32> = numbers.iter().zip(&places).map(|(group, place)| group * len + place).collect();
        let mut filled = vec![false; cells];
        cell_numbers.iter().for_each(|cell| filled[*cell as usize] = true);
        let mut running = Running::start(&plan.aggregates, context)?;
        running.add(&cell_numbers, cells, &batch, context)?;
        let values = running.finish(cells, context)?;
        let mut columns = groups.finish();
        for (column, default) in values.iter().zip(&plan.defaults) {
            columns.push(lists(column, default, &filled, count, axis.len));
        }
        columns.push(axis.column(count));
        Ok(Some(Batch { columns, rows: count }))
    }
}

fn lists(column: &Column, default: &Value, filled: &[bool], count: usize, len: usize) -> Column {
    let mut builder = ColumnBuilder::new(Type::Dynamic);
    for group in 0..count {
        let cell = |at: usize| {
            let place = group * len + at;
            if filled[place] { Dynamic::from(column.cell(place)) } else { Dynamic::from(default.clone()) }
        };
        builder.push_value(Value::Dynamic(Dynamic::array((0..len).map(cell).collect())));
    }
    builder.finish()
}

/// The steps: first value, distance, number.
struct Axis {
    ty: Type,
    from: f64,
    from_ticks: i64,
    step: f64,
    step_ticks: i64,
    len: usize,
}

impl Axis {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the number of steps is bounded below")]
    fn new(rel: &RelRef, plan: &SeriesPlan, batch: &Batch, context: &Context<'_>) -> Result<Self, QueryError> {
        let bound = |scalar: &Option<Scalar>| match scalar {
            Some(scalar) => eval_once(scalar, context).map(Some),
            None => Ok(None),
        };
        let values = eval(&plan.axis, batch, context)?;
        let cells = || (0..batch.rows).map(|row| values.cell(row)).filter(|cell| !cell.is_null());
        let least = || cells().min_by(|left, right| left.order(*right)).map(Cell::to_value);
        let most = || cells().max_by(|left, right| left.order(*right)).map(Cell::to_value);
        let given_to = bound(&plan.to)?;
        let closed = given_to.is_none();
        let from = bound(&plan.from)?.or_else(least).unwrap_or(Value::Null);
        let to = given_to.or_else(most).unwrap_or(Value::Null);
        let step = eval_once(&plan.step, context)?;
        let number = |value: &Value| value.cell().as_f64().unwrap_or(0.0);
        let fail = || QueryError::new(ErrorKind::Runtime, "make-series: the step must be positive.", rel.span);
        if number(&step) <= 0.0 {
            return Err(fail());
        }
        let steps = (number(&to) - number(&from)) / number(&step);
        let len = if closed { steps.floor() + 1.0 } else { steps.ceil() }.max(0.0);
        if len > STEP_COUNT_MAX {
            return Err(QueryError::new(ErrorKind::Runtime, "make-series: too many steps.", rel.span));
        }
        Ok(Self {
            ty: plan.axis.ty,
            from: number(&from),
            from_ticks: from.cell().as_i64().unwrap_or(0),
            step: number(&step),
            step_ticks: step.cell().as_i64().unwrap_or(0),
            len: if from.cell().is_null() { 0 } else { len as usize },
        })
    }

    fn place(&self, cell: Cell<'_>) -> Option<u32> {
        let place = match cell.as_i64() {
            Some(ticks) if self.step_ticks > 0 => (ticks - self.from_ticks).div_euclid(self.step_ticks),
            _ => self.real_place(cell.as_f64()?)?,
        };
        u32::try_from(place).ok().filter(|place| (*place as usize) < self.len)
    }

    #[expect(clippy::cast_possible_truncation, reason = "the number of steps is bounded")]
    fn real_place(&self, value: f64) -> Option<i64> {
        let place = ((value - self.from) / self.step).floor();
        (place.abs() <= STEP_COUNT_MAX).then_some(place as i64)
    }

    #[expect(clippy::cast_precision_loss, clippy::cast_possible_wrap, reason = "the number of steps is bounded")]
    fn column(&self, count: usize) -> Column {
        let value = |at: usize| {
            let ticks = self.from_ticks.wrapping_add(self.step_ticks.wrapping_mul(at as i64));
            match self.ty {
                Type::DateTime => Dynamic::DateTime(ticks),
                Type::TimeSpan => Dynamic::TimeSpan(ticks),
                Type::Int | Type::Long => Dynamic::Long(ticks),
                _ => Dynamic::Real(self.from + self.step * at as f64),
            }
        };
        let mut builder = ColumnBuilder::new(Type::Dynamic);
        builder.push_value(Value::Dynamic(Dynamic::array((0..self.len).map(value).collect())));
        builder.finish().repeat(0, count)
    }
}

const STEP_COUNT_MAX: f64 = 1_048_576.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_lies_in_the_step_that_begins_before_it() {
        let axis = Axis { ty: Type::Long, from: 10.0, from_ticks: 10, step: 5.0, step_ticks: 5, len: 3 };
        for (value, place) in [(10, Some(0)), (14, Some(0)), (15, Some(1)), (24, Some(2)), (25, None), (9, None)] {
            assert_eq!(axis.place(Cell::Long(value)), place, "{value}");
        }
    }
}
