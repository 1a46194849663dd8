//! Functions that look at the rows before and after.

use super::{Function, Kind, Returns};
use crate::{
    eval::Context,
    plan::Scalar,
    table::{Column, ColumnBuilder, NONE, pick},
    types::Type,
    value::{Cell, Value},
};

use Kind::{Any, Bool, DateTime, Long, Num, TimeSpan};

const WHOLE: Returns = Returns::Is(Type::Long);

pub(super) const FUNCTIONS: &[Function] = &[
    Function::window("row_number", &[Long, Bool], WHOLE, row_number).least(0),
    Function::window("row_cumsum", &[Num, Bool], Returns::By(cumsum_type), row_cumsum).least(1),
    Function::window("row_rank_dense", &[Any, Bool], WHOLE, |_, columns, rows| rank(columns, rows, true)).least(1),
    Function::window("row_rank_min", &[Any, Bool], WHOLE, |_, columns, rows| rank(columns, rows, false)).least(1),
    Function::window("row_window_session", &[DateTime, TimeSpan, TimeSpan, Bool], Returns::Is(Type::DateTime), session)
        .least(3),
    Function::window("prev", &[Any, Long, Any], Returns::Same(0), |_, columns, rows| neighbour(columns, rows, -1))
        .least(1),
    Function::window("next", &[Any, Long, Any], Returns::Same(0), |_, columns, rows| neighbour(columns, rows, 1))
        .least(1),
];

fn cumsum_type(arguments: &[Scalar]) -> Option<Type> {
    match arguments.first()?.ty {
        Type::Int => Some(Type::Long),
        ty => Some(ty),
    }
}

fn is_true(columns: &[Column], at: usize, row: usize) -> bool {
    columns.get(at).is_some_and(|column| matches!(column.cell(row), Cell::Bool(true)))
}

fn row_number(_: &Context<'_>, columns: &[Column], rows: usize) -> Column {
    let start = columns.first().filter(|_| rows > 0).and_then(|column| column.cell(0).as_i64()).unwrap_or(1);
    let mut builder = ColumnBuilder::new(Type::Long);
    let mut number = start;
    for row in 0..rows {
        if is_true(columns, 1, row) {
            number = start;
        }
        builder.push(Cell::Long(number));
        number += 1;
    }
    builder.finish()
}

fn row_cumsum(_: &Context<'_>, columns: &[Column], rows: usize) -> Column {
    let ty = if columns[0].type_of() == Type::Int { Type::Long } else { columns[0].type_of() };
    let mut builder = ColumnBuilder::new(ty);
    let (mut whole, mut real) = (0_i64, 0.0);
    for row in 0..rows {
        if is_true(columns, 1, row) {
            (whole, real) = (0, 0.0);
        }
        let cell = columns[0].cell(row);
        whole = whole.wrapping_add(cell.as_i64().unwrap_or(0));
        real += cell.as_f64().unwrap_or(0.0);
        builder.push(if matches!(ty, Type::Real | Type::Decimal) { Cell::Real(real) } else { Cell::Long(whole) });
    }
    builder.finish()
}

/// Dense: one more per new value. Otherwise the number of the first row that has the value.
fn rank(columns: &[Column], rows: usize, dense: bool) -> Column {
    let mut builder = ColumnBuilder::new(Type::Long);
    let (mut rank, mut number) = (0, 0);
    for row in 0..rows {
        let restart = is_true(columns, 1, row);
        if restart {
            (rank, number) = (0, 0);
        }
        number += 1;
        let same = row > 0 && !restart && columns[0].cell(row).order(columns[0].cell(row - 1)).is_eq();
        if !same {
            rank = if dense { rank + 1 } else { number };
        }
        builder.push(Cell::Long(rank));
    }
    builder.finish()
}

/// A session ends when it grows longer than the second argument or pauses longer than the third.
fn session(_: &Context<'_>, columns: &[Column], rows: usize) -> Column {
    let mut builder = ColumnBuilder::new(Type::DateTime);
    let mut current: Option<(i64, i64)> = None;
    for row in 0..rows {
        let span = |at: usize| columns[at].cell(row).as_i64().unwrap_or(0);
        let Some(now) = columns[0].cell(row).as_i64() else {
            builder.push_null();
            continue;
        };
        let goes_on = current.filter(|(start, last)| {
            !is_true(columns, 3, row) && now - start <= span(1) && now - last <= span(2) && now >= *last
        });
        let start = goes_on.map_or(now, |(start, _)| start);
        current = Some((start, now));
        builder.push_value(Value::DateTime(start));
    }
    builder.finish()
}

fn neighbour(columns: &[Column], rows: usize, sign: i64) -> Column {
    let column = &columns[0];
    let distance = columns.get(1).filter(|_| rows > 0).and_then(|column| column.cell(0).as_i64()).unwrap_or(1);
    let place = |row: usize| {
        let at = i64::try_from(row).ok()?.checked_add(distance.checked_mul(sign)?)?;
        usize::try_from(at).ok().filter(|at| *at < rows)
    };
    let Some(default) = columns.get(2) else {
        let places = (0..rows).map(|row| place(row).and_then(|at| u32::try_from(at).ok()).unwrap_or(NONE));
        return pick(std::slice::from_ref(column), places.collect()).remove(0);
    };
    let mut builder = ColumnBuilder::new(column.type_of());
    for row in 0..rows {
        builder.push(place(row).map_or_else(|| default.cell(row), |at| column.cell(at)));
    }
    builder.finish()
}
