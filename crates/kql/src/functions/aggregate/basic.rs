//! count, sum, avg, dcount, bits.

use super::{Accumulator, Aggregate, Setup, first_type, one};
use crate::{
    decimal::Decimal,
    functions::cell_key,
    hash::FastSet,
    plan::Scalar,
    table::{Column, ColumnBuilder, Data},
    types::Type,
    value::{Cell, Value},
};

pub(super) const AGGREGATES: &[Aggregate] = &[
    one("count", "count", |_| Type::Long, count).args(0, 1),
    one("cnt", "cnt", |_| Type::Long, count).args(0, 1),
    one("countif", "countif", |_| Type::Long, count).args(0, 0).on_condition(),
    one("sum", "sum", sum_type, sum).of_numbers(),
    one("sumif", "sumif", sum_type, sum).of_numbers().on_condition(),
    one("avg", "avg", avg_type, average).of_numbers(),
    one("avgif", "avgif", avg_type, average).of_numbers().on_condition(),
    one("dcount", "dcount", |_| Type::Long, distinct).args(1, 2),
    one("dcountif", "dcountif", |_| Type::Long, distinct).args(1, 2).on_condition(),
    one("count_distinct", "count_distinct", |_| Type::Long, distinct).args(1, 64),
    one("count_distinctif", "count_distinctif", |_| Type::Long, distinct).args(1, 64).on_condition(),
    one("binary_all_and", "", |_| Type::Long, |_| bits(-1, |a, b| a & b)).of_numbers(),
    one("binary_all_or", "", |_| Type::Long, |_| bits(0, |a, b| a | b)).of_numbers(),
    one("binary_all_xor", "", |_| Type::Long, |_| bits(0, |a, b| a ^ b)).of_numbers(),
];

fn sum_type(arguments: &[Scalar]) -> Type {
    match first_type(arguments) {
        Type::Int => Type::Long,
        ty => ty,
    }
}

fn avg_type(arguments: &[Scalar]) -> Type {
    match first_type(arguments) {
        ty @ (Type::TimeSpan | Type::DateTime | Type::Decimal) => ty,
        _ => Type::Real,
    }
}

#[derive(Default)]
struct Count {
    counts: Vec<i64>,
}

fn count(_: &Setup<'_>) -> Box<dyn Accumulator> {
    Box::new(Count::default())
}

impl Accumulator for Count {
    fn grow(&mut self, groups: usize) {
        self.counts.resize(groups, 0);
    }

    fn add(&mut self, groups: &[u32], _: &[Column]) {
        groups.iter().for_each(|group| self.counts[*group as usize] += 1);
    }

    fn bytes(&self) -> usize {
        self.counts.len() * 8
    }

    fn finish(self: Box<Self>) -> Vec<Column> {
        vec![Column::new(Type::Long, Data::Long(self.counts), None)]
    }
}

/// Sums, and how many values went into them. Decimals are kept as such, all else as whole numbers or reals.
struct Sum {
    ty: Type,
    longs: Vec<i64>,
    reals: Vec<f64>,
    decimals: Vec<Decimal>,
    counts: Vec<i64>,
    average: bool,
}

fn sum(setup: &Setup<'_>) -> Box<dyn Accumulator> {
    Box::new(Sum::new(setup.result(), false))
}

fn average(setup: &Setup<'_>) -> Box<dyn Accumulator> {
    Box::new(Sum::new(setup.result(), true))
}

impl Sum {
    fn new(ty: Type, average: bool) -> Self {
        let (longs, reals, decimals, counts) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { ty, longs, reals, decimals, counts, average }
    }
}

impl Accumulator for Sum {
    fn grow(&mut self, groups: usize) {
        self.counts.resize(groups, 0);
        match self.ty {
            Type::Real => self.reals.resize(groups, 0.0),
            Type::Decimal => self.decimals.resize(groups, Decimal::from(0)),
            Type::DateTime | Type::TimeSpan if self.average => self.reals.resize(groups, 0.0),
            _ => self.longs.resize(groups, 0),
        }
    }

    fn add(&mut self, groups: &[u32], columns: &[Column]) {
        let Some(column) = columns.first() else { return };
        if let (Some(values), None, false) = (column.longs(), column.valid(), self.longs.is_empty()) {
            for (group, value) in groups.iter().zip(values) {
                self.longs[*group as usize] = self.longs[*group as usize].wrapping_add(*value);
                self.counts[*group as usize] += 1;
            }
            return;
        }
        for (row, group) in groups.iter().enumerate() {
            let (cell, group) = (column.cell(row), *group as usize);
            if cell.is_null() {
                continue;
            }
            self.counts[group] += 1;
            if let Some(sum) = self.reals.get_mut(group) {
                *sum += cell.as_f64().unwrap_or(0.0);
            } else if let Some(sum) = self.decimals.get_mut(group) {
                if let Cell::Decimal(value) = cell {
                    *sum = sum.add(value).unwrap_or(*sum);
                }
            } else {
                self.longs[group] = self.longs[group].wrapping_add(cell.as_i64().unwrap_or(0));
            }
        }
    }

    fn bytes(&self) -> usize {
        self.counts.len() * 24
    }

    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "an average is a real")]
    fn finish(self: Box<Self>) -> Vec<Column> {
        let mut builder = ColumnBuilder::new(self.ty);
        for (group, count) in self.counts.iter().enumerate() {
            let value = match (self.average, *count) {
                (true, 0) if self.ty == Type::Real => Value::Real(f64::NAN),
                (true, 0) => Value::Null,
                (average, count) => {
                    let parts = if average { count } else { 1 };
                    if let Some(sum) = self.reals.get(group) {
                        let mean = sum / parts as f64;
                        match self.ty {
                            Type::Real => Value::Real(mean),
                            _ => Value::Long(mean as i64),
                        }
                    } else if let Some(sum) = self.decimals.get(group) {
                        sum.divide(Decimal::from(parts)).map_or(Value::Null, Value::Decimal)
                    } else if average {
                        Value::Real(self.longs[group] as f64 / parts as f64)
                    } else {
                        Value::Long(self.longs[group])
                    }
                }
            };
            builder.push_value(value);
        }
        vec![builder.finish()]
    }
}

/// Exact, where the service estimates.
#[derive(Default)]
struct Distinct {
    /// Group and key together, so that a group costs nothing by itself.
    seen: FastSet<Box<[u8]>>,
    counts: Vec<i64>,
    bytes: usize,
    /// A second argument that is a constant says how exact the estimate must be.
    columns: Option<usize>,
}

fn distinct(setup: &Setup<'_>) -> Box<dyn Accumulator> {
    let accuracy = setup.constant(1).is_some();
    Box::new(Distinct { columns: accuracy.then_some(1), ..Distinct::default() })
}

impl Accumulator for Distinct {
    fn grow(&mut self, groups: usize) {
        self.counts.resize(groups, 0);
    }

    fn add(&mut self, groups: &[u32], columns: &[Column]) {
        let columns = &columns[..self.columns.unwrap_or(columns.len()).min(columns.len())];
        let mut key = Vec::new();
        for (row, group) in groups.iter().enumerate() {
            key.clear();
            key.extend_from_slice(&group.to_le_bytes());
            columns.iter().for_each(|column| cell_key(column.cell(row), &mut key));
            if columns.iter().any(|column| column.cell(row).is_null()) || self.seen.contains(key.as_slice()) {
                continue;
            }
            self.bytes += key.len() + 32;
            self.seen.insert(Box::from(key.as_slice()));
            self.counts[*group as usize] += 1;
        }
    }

    fn bytes(&self) -> usize {
        self.bytes + self.counts.len() * 8
    }

    fn finish(self: Box<Self>) -> Vec<Column> {
        vec![Column::new(Type::Long, Data::Long(self.counts), None)]
    }
}

struct Bits {
    start: i64,
    fold: fn(i64, i64) -> i64,
    values: Vec<i64>,
}

fn bits(start: i64, fold: fn(i64, i64) -> i64) -> Box<dyn Accumulator> {
    Box::new(Bits { start, fold, values: Vec::new() })
}

impl Accumulator for Bits {
    fn grow(&mut self, groups: usize) {
        self.values.resize(groups, self.start);
    }

    fn add(&mut self, groups: &[u32], columns: &[Column]) {
        for (row, group) in groups.iter().enumerate() {
            if let Some(value) = columns[0].cell(row).as_i64() {
                let held = &mut self.values[*group as usize];
                *held = (self.fold)(*held, value);
            }
        }
    }

    fn bytes(&self) -> usize {
        self.values.len() * 8
    }

    fn finish(self: Box<Self>) -> Vec<Column> {
        vec![Column::new(Type::Long, Data::Long(self.values), None)]
    }
}
