//! min, max, arg_min, arg_max, take_any: one row of each group stands for it.

use super::{Accumulator, Aggregate, Fills, Setup, first_type, one};
use crate::{
    table::{Column, ColumnBuilder, Data},
    types::Type,
    value::{Cell, Value},
};

pub(super) const AGGREGATES: &[Aggregate] = &[
    one("min", "min", first_type, |setup| extreme(setup, Pick::Least)),
    one("minif", "minif", first_type, |setup| extreme(setup, Pick::Least)).on_condition(),
    one("max", "max", first_type, |setup| extreme(setup, Pick::Most)),
    one("maxif", "maxif", first_type, |setup| extreme(setup, Pick::Most)).on_condition(),
    one("arg_max", "max", first_type, |setup| row(setup, Pick::Most)).args(1, 4096).filling(BY_FIRST),
    one("arg_min", "min", first_type, |setup| row(setup, Pick::Least)).args(1, 4096).filling(BY_FIRST),
    one("argmax", "max", first_type, |setup| row(setup, Pick::Most)).args(1, 4096).filling(BY_FIRST),
    one("argmin", "min", first_type, |setup| row(setup, Pick::Least)).args(1, 4096).filling(BY_FIRST),
    one("take_any", "", first_type, |setup| row(setup, Pick::First)).args(1, 4096).filling(EACH),
    one("take_anyif", "", first_type, |setup| row(setup, Pick::First)).on_condition(),
    one("any", "any", first_type, |setup| row(setup, Pick::First)).args(1, 4096).filling(EACH),
    one("anyif", "any", first_type, |setup| row(setup, Pick::First)).on_condition(),
];

const BY_FIRST: Fills = Fills::Rows { by_first: true };
const EACH: Fills = Fills::Rows { by_first: false };

#[derive(Clone, Copy, PartialEq, Eq)]
enum Pick {
    Least,
    Most,
    First,
}

impl Pick {
    fn beats(self, new: Cell<'_>, old: Cell<'_>) -> bool {
        match self {
            Self::Least => new.order(old).is_lt(),
            Self::Most => new.order(old).is_gt(),
            Self::First => false,
        }
    }
}

/// `min` and `max`; nulls do not count.
struct Extreme {
    ty: Type,
    pick: Pick,
    longs: Vec<i64>,
    values: Vec<Value>,
    found: Vec<bool>,
}

fn extreme(setup: &Setup<'_>, pick: Pick) -> Box<dyn Accumulator> {
    let ty = setup.ty(0);
    Box::new(Extreme { ty, pick, longs: Vec::new(), values: Vec::new(), found: Vec::new() })
}

impl Extreme {
    fn is_long(&self) -> bool {
        matches!(self.ty, Type::Int | Type::Long | Type::DateTime | Type::TimeSpan)
    }
}

impl Accumulator for Extreme {
    fn grow(&mut self, groups: usize) {
        self.found.resize(groups, false);
        if self.is_long() { self.longs.resize(groups, 0) } else { self.values.resize(groups, Value::Null) }
    }

    fn add(&mut self, groups: &[u32], columns: &[Column]) {
        let column = &columns[0];
        if let (Some(longs), None) = (column.longs(), column.valid()) {
            for (group, value) in groups.iter().zip(longs) {
                let group = *group as usize;
                let better =
                    if self.pick == Pick::Least { *value < self.longs[group] } else { *value > self.longs[group] };
                if better || !self.found[group] {
                    self.longs[group] = *value;
                    self.found[group] = true;
                }
            }
            return;
        }
        for (row, group) in groups.iter().enumerate() {
            let (cell, group) = (column.cell(row), *group as usize);
            if cell.is_null() {
                continue;
            }
            let old = if self.is_long() { Value::Long(self.longs[group]) } else { self.values[group].clone() };
            if self.found[group] && !self.pick.beats(cell, old.cell()) {
                continue;
            }
            self.found[group] = true;
            if self.is_long() {
                self.longs[group] = cell.as_i64().unwrap_or(0);
            } else {
                self.values[group] = cell.to_value();
            }
        }
    }

    fn bytes(&self) -> usize {
        self.longs.len() * 9 + self.values.len() * 64
    }

    fn finish(self: Box<Self>) -> Vec<Column> {
        if self.is_long() {
            return vec![Column::new(self.ty, Data::Long(self.longs), Some(self.found))];
        }
        let mut builder = ColumnBuilder::new(self.ty);
        self.values.into_iter().for_each(|value| builder.push_value(value));
        vec![builder.finish()]
    }
}

/// `arg_max` and its kin: the row whose first argument wins.
struct Winner {
    pick: Pick,
    types: Vec<Type>,
    rows: Vec<Option<Vec<Value>>>,
    bytes: usize,
}

fn row(setup: &Setup<'_>, pick: Pick) -> Box<dyn Accumulator> {
    Box::new(Winner { pick, types: setup.results.to_vec(), rows: Vec::new(), bytes: 0 })
}

impl Accumulator for Winner {
    fn grow(&mut self, groups: usize) {
        self.rows.resize(groups, None);
    }

    fn add(&mut self, groups: &[u32], columns: &[Column]) {
        let Some(first) = columns.first() else { return };
        // The best row of each group within the batch is found first: only that one is copied.
        let mut best: Vec<(usize, usize)> = Vec::new();
        let mut place = crate::hash::FastMap::<u32, usize>::default();
        for (row, group) in groups.iter().enumerate() {
            let cell = first.cell(row);
            let empty = cell.is_null() || (self.pick == Pick::First && cell.as_str() == Some(""));
            if empty && self.pick != Pick::First {
                continue;
            }
            match place.get(group) {
                Some(at) => {
                    let held = first.cell(best[*at].1);
                    let held_empty = held.is_null() || held.as_str() == Some("");
                    if self.pick.beats(cell, held) || (self.pick == Pick::First && held_empty && !empty) {
                        best[*at].1 = row;
                    }
                }
                None => {
                    place.insert(*group, best.len());
                    best.push((*group as usize, row));
                }
            }
        }
        for (group, row) in best {
            let wins = match &self.rows[group] {
                None => true,
                Some(held) => {
                    let old = held[0].cell();
                    let old_empty = old.is_null() || old.as_str() == Some("");
                    self.pick.beats(first.cell(row), old) || (self.pick == Pick::First && old_empty)
                }
            };
            if wins {
                self.bytes += if self.rows[group].is_none() { columns.len() * 64 } else { 0 };
                self.rows[group] = Some(columns.iter().map(|column| column.cell(row).to_value()).collect());
            }
        }
    }

    fn bytes(&self) -> usize {
        self.bytes
    }

    fn finish(self: Box<Self>) -> Vec<Column> {
        let mut builders: Vec<_> = self.types.iter().map(|ty| ColumnBuilder::new(*ty)).collect();
        for row in self.rows {
            match row {
                Some(values) => builders.iter_mut().zip(values).for_each(|(builder, value)| builder.push_value(value)),
                None => builders.iter_mut().for_each(ColumnBuilder::push_null),
            }
        }
        builders.into_iter().map(ColumnBuilder::finish).collect()
    }
}
