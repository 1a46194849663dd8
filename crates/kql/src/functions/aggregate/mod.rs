//! The aggregates: a table of names, and accumulators that take a column at a time for all groups at once.

mod basic;
mod collect;
mod extreme;
mod statistics;

use crate::{plan::Scalar, table::Column, types::Type, value::Value};

/// An aggregate function.
pub(crate) struct Aggregate {
    pub(crate) name: &'static str,
    /// What stands before the argument's name in the column's name; empty: nothing, the argument's name alone.
    pub(crate) prefix: &'static str,
    /// Arguments, the condition among them.
    pub(crate) min: usize,
    /// Arguments, the condition not among them.
    pub(crate) max: usize,
    /// The first argument is a number.
    pub(crate) numeric: bool,
    /// The last of the `min` arguments is a condition.
    pub(crate) conditional: bool,
    pub(crate) fills: Fills,
    pub(crate) returns: fn(&[Scalar]) -> Type,
    pub(crate) start: fn(&Setup<'_>) -> Box<dyn Accumulator>,
}

impl std::fmt::Debug for Aggregate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// Which columns an aggregate fills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fills {
    One,
    /// One per argument; with `by_first` a star leaves out the first.
    Rows {
        by_first: bool,
    },
    /// One per percentile.
    Percentiles,
}

/// What an accumulator is told before it starts.
pub(crate) struct Setup<'a> {
    pub(crate) types: &'a [Type],
    /// The arguments that do not differ from row to row.
    pub(crate) constants: &'a [Option<Value>],
    pub(crate) results: &'a [Type],
}

impl Setup<'_> {
    fn ty(&self, at: usize) -> Type {
        self.types.get(at).copied().unwrap_or(Type::Long)
    }

    fn result(&self) -> Type {
        self.results.first().copied().unwrap_or(Type::Long)
    }

    fn constant(&self, at: usize) -> Option<&Value> {
        self.constants.get(at).and_then(Option::as_ref)
    }
}

/// The state of one aggregate for all groups.
pub(crate) trait Accumulator {
    /// There are that many groups now.
    fn grow(&mut self, groups: usize);
    /// Takes rows: the group of each, and the arguments as dense columns.
    fn add(&mut self, groups: &[u32], columns: &[Column]);
    /// About how much it holds.
    fn bytes(&self) -> usize;
    /// A cell per group and filled column.
    fn finish(self: Box<Self>) -> Vec<Column>;
}

/// The aggregate of that name.
pub(crate) fn aggregate(name: &str) -> Option<&'static Aggregate> {
    let tables = [basic::AGGREGATES, collect::AGGREGATES, extreme::AGGREGATES, statistics::AGGREGATES];
    tables.into_iter().flatten().find(|aggregate| aggregate.name == name)
}

/// An aggregate of one argument and one column.
const fn one(
    name: &'static str,
    prefix: &'static str,
    returns: fn(&[Scalar]) -> Type,
    start: fn(&Setup<'_>) -> Box<dyn Accumulator>,
) -> Aggregate {
    Aggregate { name, prefix, min: 1, max: 1, numeric: false, conditional: false, fills: Fills::One, returns, start }
}

impl Aggregate {
    const fn args(mut self, min: usize, max: usize) -> Self {
        self.min = min;
        self.max = max;
        self
    }

    /// Only rows for which the argument behind the others is true.
    const fn on_condition(mut self) -> Self {
        self.min += 1;
        self.conditional = true;
        self
    }

    const fn of_numbers(mut self) -> Self {
        self.numeric = true;
        self
    }

    const fn filling(mut self, fills: Fills) -> Self {
        self.fills = fills;
        self
    }
}

fn first_type(arguments: &[Scalar]) -> Type {
    arguments.first().map_or(Type::Long, |argument| argument.ty)
}
