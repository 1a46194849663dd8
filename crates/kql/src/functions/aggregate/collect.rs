//! make_list, make_set, make_bag.

use std::sync::Arc;

use super::{Accumulator, Aggregate, Setup, one};
use crate::{
    dynamic::Dynamic,
    functions::cell_key,
    hash::FastSet,
    table::{Column, ColumnBuilder},
    types::Type,
    value::Value,
};

pub(super) const AGGREGATES: &[Aggregate] = &[
    one("make_list", "list", |_| Type::Dynamic, |setup| lists(setup, Mode::List)).args(1, 2),
    one("makelist", "list", |_| Type::Dynamic, |setup| lists(setup, Mode::List)).args(1, 2),
    one("make_list_if", "list", |_| Type::Dynamic, |setup| lists(setup, Mode::List)).args(1, 2).on_condition(),
    one("make_list_with_nulls", "list", |_| Type::Dynamic, |setup| lists(setup, Mode::ListWithNulls)).args(1, 2),
    one("make_set", "set", |_| Type::Dynamic, |setup| lists(setup, Mode::Set)).args(1, 2),
    one("makeset", "set", |_| Type::Dynamic, |setup| lists(setup, Mode::Set)).args(1, 2),
    one("make_set_if", "set", |_| Type::Dynamic, |setup| lists(setup, Mode::Set)).args(1, 2).on_condition(),
    one("make_bag", "bag", |_| Type::Dynamic, |setup| lists(setup, Mode::Bag)).args(1, 2),
    one("make_bag_if", "bag", |_| Type::Dynamic, |setup| lists(setup, Mode::Bag)).args(1, 2).on_condition(),
    one("make_dictionary", "dictionary", |_| Type::Dynamic, |setup| lists(setup, Mode::Bag)).args(1, 2),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    List,
    ListWithNulls,
    Set,
    Bag,
}

struct Lists {
    mode: Mode,
    len_max: usize,
    lists: Vec<Vec<Dynamic>>,
    seen: FastSet<Box<[u8]>>,
    bytes: usize,
}

fn lists(setup: &Setup<'_>, mode: Mode) -> Box<dyn Accumulator> {
    let len_max = setup.constant(1).and_then(|value| value.cell().as_i64());
    let len_max = len_max.and_then(|len| usize::try_from(len).ok()).unwrap_or(LIST_LEN_MAX).min(LIST_LEN_MAX);
    Box::new(Lists { mode, len_max, lists: Vec::new(), seen: FastSet::default(), bytes: 0 })
}

const LIST_LEN_MAX: usize = 1_048_576;

impl Lists {
    /// Whether the group has not seen that value yet.
    fn is_new(&mut self, group: u32, item: &Dynamic, key: &mut Vec<u8>) -> bool {
        key.clear();
        key.extend_from_slice(&group.to_le_bytes());
        cell_key(item.scalar(), key);
        if self.seen.contains(key.as_slice()) {
            return false;
        }
        self.bytes += key.len() + 32;
        self.seen.insert(Box::from(key.as_slice()))
    }
}

impl Accumulator for Lists {
    fn grow(&mut self, groups: usize) {
        self.lists.resize(groups, Vec::new());
    }

    fn add(&mut self, groups: &[u32], columns: &[Column]) {
        let column = &columns[0];
        let mut key = Vec::new();
        for (row, group) in groups.iter().enumerate() {
            let cell = column.cell(row);
            let at = *group as usize;
            let skipped = cell.is_null() && self.mode != Mode::ListWithNulls;
            if skipped || self.lists[at].len() >= self.len_max {
                continue;
            }
            let value = Dynamic::from(cell);
            match (self.mode, &value) {
                // A set of lists is the set of their elements.
                (Mode::Set, Dynamic::Array(items)) => {
                    for item in items.iter() {
                        if self.is_new(*group, item, &mut key) {
                            self.bytes += item.bytes();
                            self.lists[at].push(item.clone());
                        }
                    }
                    continue;
                }
                (Mode::Set, value) if !self.is_new(*group, value, &mut key) => continue,
                (Mode::Bag, value) if value.entries().is_none() => continue,
                _ => {}
            }
            self.bytes += value.bytes();
            self.lists[at].push(value);
        }
    }

    fn bytes(&self) -> usize {
        self.bytes + self.lists.len() * 24
    }

    fn finish(self: Box<Self>) -> Vec<Column> {
        let mut builder = ColumnBuilder::new(Type::Dynamic);
        for list in self.lists {
            builder.push_value(Value::Dynamic(match self.mode {
                Mode::Bag => merged(&list),
                _ => Dynamic::array(list),
            }));
        }
        vec![builder.finish()]
    }
}

/// One bag of many; of a name that comes twice one value stays.
fn merged(bags: &[Dynamic]) -> Dynamic {
    let entries = bags.iter().filter_map(Dynamic::entries).flatten();
    Dynamic::bag(entries.map(|(name, value)| (Arc::clone(name), value.clone())).collect())
}
