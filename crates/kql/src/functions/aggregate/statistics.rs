//! Variance, deviation, percentiles.

use super::{Accumulator, Aggregate, Fills, Setup, first_type, one};
use crate::{
    table::{Column, ColumnBuilder},
    types::Type,
    value::{Cell, Value},
};

pub(super) const AGGREGATES: &[Aggregate] = &[
    one("variance", "variance", |_| Type::Real, |_| spread(true, false)).of_numbers(),
    one("varianceif", "varianceif", |_| Type::Real, |_| spread(true, false)).of_numbers().on_condition(),
    one("variancep", "variancep", |_| Type::Real, |_| spread(false, false)).of_numbers(),
    one("variancepif", "variancepif", |_| Type::Real, |_| spread(false, false)).of_numbers().on_condition(),
    one("stdev", "stdev", |_| Type::Real, |_| spread(true, true)).of_numbers(),
    one("stdevif", "stdevif", |_| Type::Real, |_| spread(true, true)).of_numbers().on_condition(),
    one("stdevp", "stdevp", |_| Type::Real, |_| spread(false, true)).of_numbers(),
    one("percentile", "percentile", first_type, percentiles).args(2, 2).of_numbers().filling(Fills::Percentiles),
    one("percentiles", "percentile", first_type, percentiles).args(2, 64).of_numbers().filling(Fills::Percentiles),
];

/// Welford's running mean and sum of squares.
struct Spread {
    sample: bool,
    root: bool,
    states: Vec<(f64, f64, f64)>,
}

fn spread(sample: bool, root: bool) -> Box<dyn Accumulator> {
    Box::new(Spread { sample, root, states: Vec::new() })
}

impl Accumulator for Spread {
    fn grow(&mut self, groups: usize) {
        self.states.resize(groups, (0.0, 0.0, 0.0));
    }

    fn add(&mut self, groups: &[u32], columns: &[Column]) {
        for (row, group) in groups.iter().enumerate() {
            let cell = columns[0].cell(row);
            let Some(value) = cell.as_f64().filter(|_| !cell.is_null()) else { continue };
            let (count, mean, squares) = &mut self.states[*group as usize];
            *count += 1.0;
            let before = value - *mean;
            *mean += before / *count;
            *squares += before * (value - *mean);
        }
    }

    fn bytes(&self) -> usize {
        self.states.len() * 24
    }

    fn finish(self: Box<Self>) -> Vec<Column> {
        let mut builder = ColumnBuilder::new(Type::Real);
        for (count, _, squares) in self.states {
            let parts = if self.sample { count - 1.0 } else { count };
            let variance = if parts > 0.0 { squares / parts } else { 0.0 };
            let value = if self.root { variance.sqrt() } else { variance };
            builder.push(if count == 0.0 { Cell::Real(f64::NAN) } else { Cell::Real(value) });
        }
        vec![builder.finish()]
    }
}

/// Exact percentiles by the nearest rank, where the service estimates.
struct Percentiles {
    ty: Type,
    percents: Vec<f64>,
    values: Vec<Vec<Value>>,
    count: usize,
}

fn percentiles(setup: &Setup<'_>) -> Box<dyn Accumulator> {
    let percent = |at: usize| setup.constant(at).and_then(|value| value.cell().as_f64()).unwrap_or(50.0);
    let percents = (1..setup.types.len()).map(percent).collect();
    Box::new(Percentiles { ty: setup.ty(0), percents, values: Vec::new(), count: 0 })
}

impl Accumulator for Percentiles {
    fn grow(&mut self, groups: usize) {
        self.values.resize(groups, Vec::new());
    }

    fn add(&mut self, groups: &[u32], columns: &[Column]) {
        for (row, group) in groups.iter().enumerate() {
            let cell = columns[0].cell(row);
            if !cell.is_null() {
                self.values[*group as usize].push(cell.to_value());
                self.count += 1;
            }
        }
    }

    fn bytes(&self) -> usize {
        self.count * size_of::<Value>()
    }

    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rank within the list"
    )]
    fn finish(self: Box<Self>) -> Vec<Column> {
        let mut builders: Vec<_> = self.percents.iter().map(|_| ColumnBuilder::new(self.ty)).collect();
        for mut values in self.values {
            values.sort_by(|left, right| left.cell().order(right.cell()));
            for (builder, percent) in builders.iter_mut().zip(&self.percents) {
                let rank = (percent / 100.0 * values.len() as f64).ceil().max(1.0) as usize;
                match values.get(rank.min(values.len()).saturating_sub(1)) {
                    Some(value) => builder.push(value.cell()),
                    None => builder.push_null(),
                }
            }
        }
        builders.into_iter().map(ColumnBuilder::finish).collect()
    }
}
