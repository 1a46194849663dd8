//! Arithmetic and comparison, column by column.

use std::cmp::Ordering;

use super::{Function, Kind, Returns};
use crate::{
    ast::BinaryOp,
    error::QueryError,
    eval::Context,
    plan::{Scalar, ScalarKind},
    table::{Column, ColumnBuilder, Data},
    time,
    types::Type,
    value::{Cell, Value, order_reals},
};

pub(super) const FUNCTIONS: &[Function] = &[];

type Columns = fn(&Context<'_>, &[Column], usize) -> Result<Column, QueryError>;

const fn operator(name: &'static str, body: Columns) -> Function {
    Function::columns(name, &[Kind::Any, Kind::Any], Returns::Is(Type::Dynamic), body)
}

static ADD: Function = operator("__add", |_, columns, rows| Ok(arithmetic(Op::Add, columns, rows)));
static SUBTRACT: Function = operator("__subtract", |_, columns, rows| Ok(arithmetic(Op::Subtract, columns, rows)));
static MULTIPLY: Function = operator("__multiply", |_, columns, rows| Ok(arithmetic(Op::Multiply, columns, rows)));
static DIVIDE: Function = operator("__divide", |_, columns, rows| Ok(arithmetic(Op::Divide, columns, rows)));
static MODULO: Function = operator("__modulo", |_, columns, rows| Ok(arithmetic(Op::Modulo, columns, rows)));
static NEGATE: Function = Function::columns("__negate", &[Kind::Any], Returns::Same(0), |_, columns, rows| {
    let zero = super::convert_cell(Cell::Long(0), columns[0].type_of());
    let zero = if matches!(zero, Value::Null) { Value::Long(0) } else { zero };
    let mut builder = ColumnBuilder::new(zero.type_of().unwrap_or(Type::Long));
    builder.push_value(zero);
    let zero = builder.finish().repeat(0, rows);
    Ok(arithmetic(Op::Subtract, &[zero, columns[0].clone()], rows))
});
static EQUAL: Function =
    operator("__equal", |_, columns, rows| Ok(compare(columns, rows, Ordering::is_eq, Some(false))));
static NOT_EQUAL: Function =
    operator("__not_equal", |_, columns, rows| Ok(compare(columns, rows, Ordering::is_ne, Some(true))));
static LESS: Function = operator("__less", |_, columns, rows| Ok(compare(columns, rows, Ordering::is_lt, None)));
static LESS_EQUAL: Function =
    operator("__less_equal", |_, columns, rows| Ok(compare(columns, rows, Ordering::is_le, None)));
static GREATER: Function = operator("__greater", |_, columns, rows| Ok(compare(columns, rows, Ordering::is_gt, None)));
static GREATER_EQUAL: Function =
    operator("__greater_equal", |_, columns, rows| Ok(compare(columns, rows, Ordering::is_ge, None)));

/// The function behind an operator and the type of its result; `None` where the types do not go together.
pub(crate) fn binary(op: BinaryOp, left: Type, right: Type) -> Option<(&'static Function, Type)> {
    let comparison = |function| comparable(left, right).then_some((function, Type::Bool));
    let equality = |function| (comparable(left, right) || equatable(left, right)).then_some((function, Type::Bool));
    let arithmetic = |function, op| Some((function, result_type(op, left, right)?));
    match op {
        BinaryOp::Add => arithmetic(&ADD, Op::Add),
        BinaryOp::Subtract => arithmetic(&SUBTRACT, Op::Subtract),
        BinaryOp::Multiply => arithmetic(&MULTIPLY, Op::Multiply),
        BinaryOp::Divide => arithmetic(&DIVIDE, Op::Divide),
        BinaryOp::Modulo => arithmetic(&MODULO, Op::Modulo),
        BinaryOp::Equal => equality(&EQUAL),
        BinaryOp::NotEqual => equality(&NOT_EQUAL),
        BinaryOp::Less => comparison(&LESS),
        BinaryOp::LessOrEqual => comparison(&LESS_EQUAL),
        BinaryOp::Greater => comparison(&GREATER),
        BinaryOp::GreaterOrEqual => comparison(&GREATER_EQUAL),
        BinaryOp::Colon | BinaryOp::Text(_) => None,
    }
}

/// The value with its sign turned; `None` where it has none.
pub(crate) fn negate(value: &Scalar) -> Option<Scalar> {
    let constant = match value.as_constant() {
        Some(Value::Int(number)) => Some(Value::Int(number.wrapping_neg())),
        Some(Value::Long(number)) => Some(Value::Long(number.wrapping_neg())),
        Some(Value::Real(number)) => Some(Value::Real(-number)),
        Some(Value::TimeSpan(ticks)) => Some(Value::TimeSpan(ticks.wrapping_neg())),
        Some(Value::Decimal(number)) => Some(Value::Decimal(number.negate())),
        _ => None,
    };
    if let Some(constant) = constant {
        return Some(Scalar::constant(&constant, value.ty, value.span));
    }
    let fits = value.ty.is_number() || matches!(value.ty, Type::TimeSpan | Type::Dynamic);
    fits.then(|| Scalar::new(ScalarKind::Call(&NEGATE, vec![value.clone()]), value.ty, value.span))
}

fn comparable(left: Type, right: Type) -> bool {
    let number = |ty: Type| ty.is_number() || ty == Type::Bool;
    left == right
        || left == Type::Dynamic
        || right == Type::Dynamic
        || (number(left) && number(right))
        || matches!((left, right), (Type::Guid, Type::String) | (Type::String, Type::Guid))
}

/// A number or a truth value equals the text that says it; nothing is before or after a text in that way.
fn equatable(left: Type, right: Type) -> bool {
    let plain = |ty: Type| ty.is_number() || ty == Type::Bool;
    (left == Type::String && plain(right)) || (right == Type::String && plain(left))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Op {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
}

fn result_type(op: Op, left: Type, right: Type) -> Option<Type> {
    use Type::{Bool, DateTime, Dynamic, Long, Real, TimeSpan};
    Some(match (op, left, right) {
        (_, left, right) if left.is_number() && right.is_number() => left.max(right).max(Long),
        (Op::Add, DateTime, TimeSpan) | (Op::Add, TimeSpan, DateTime) | (Op::Subtract, DateTime, TimeSpan) => DateTime,
        (Op::Subtract, DateTime, DateTime) => TimeSpan,
        (Op::Add | Op::Subtract | Op::Modulo, TimeSpan, TimeSpan) => TimeSpan,
        (Op::Modulo, DateTime, TimeSpan) => TimeSpan,
        (Op::Divide, TimeSpan, TimeSpan) => Real,
        (Op::Multiply | Op::Divide, TimeSpan, number) if number.is_number() => TimeSpan,
        (Op::Multiply, number, TimeSpan) if number.is_number() => TimeSpan,
        (_, Bool, number) | (_, number, Bool) if number.is_number() => number.max(Long),
        (Op::Subtract, DateTime, Dynamic) | (Op::Subtract, Dynamic, DateTime) => TimeSpan,
        (_, Dynamic, Dynamic) => Dynamic,
        (_, Dynamic, other) | (_, other, Dynamic) if other.is_number() => Dynamic,
        (_, Dynamic, TimeSpan) | (_, TimeSpan, Dynamic) => Dynamic,
        _ => return None,
    })
}

fn arithmetic(op: Op, columns: &[Column], rows: usize) -> Column {
    let (left, right) = (&columns[0], &columns[1]);
    let ty = result_type(op, left.type_of(), right.type_of()).unwrap_or(Type::Dynamic);
    if let Some(column) = fast(op, ty, left, right, rows) {
        return column;
    }
    let mut builder = ColumnBuilder::new(ty);
    for row in 0..rows {
        builder.push_value(cells(op, plain(left.cell(row)), plain(right.cell(row))));
    }
    builder.finish()
}

/// Whole numbers without nulls where nothing can go wrong: sums and differences.
fn fast(op: Op, ty: Type, left: &Column, right: &Column, rows: usize) -> Option<Column> {
    if !matches!(op, Op::Add | Op::Subtract) || !matches!(ty, Type::Long | Type::TimeSpan) {
        return None;
    }
    let (left, right) = (left.dense(), right.dense());
    let (a, b) = (left.longs()?, right.longs()?);
    if left.valid().is_some() || right.valid().is_some() || a.len() != rows {
        return None;
    }
    let values = match op {
        Op::Add => a.iter().zip(b).map(|(a, b)| a.wrapping_add(*b)).collect(),
        _ => a.iter().zip(b).map(|(a, b)| a.wrapping_sub(*b)).collect(),
    };
    Some(Column::new(ty, Data::Long(values), None))
}

/// A dynamic as what it holds.
fn plain(cell: Cell<'_>) -> Cell<'_> {
    match cell {
        Cell::Dynamic(value) => value.scalar(),
        cell => cell,
    }
}

fn cells(op: Op, left: Cell<'_>, right: Cell<'_>) -> Value {
    use Cell::{DateTime, Decimal, Null, Real, TimeSpan};
    let instant = |ticks: Option<i64>| match ticks.filter(|ticks| (0..=time::INSTANT_MAX).contains(ticks)) {
        Some(ticks) => Value::DateTime(ticks),
        None => Value::Null,
    };
    match (op, left, right) {
        (_, Null, _) | (_, _, Null) => Value::Null,
        (Op::Add, DateTime(a), TimeSpan(b)) | (Op::Add, TimeSpan(a), DateTime(b)) => instant(a.checked_add(b)),
        (Op::Subtract, DateTime(a), TimeSpan(b)) => instant(a.checked_sub(b)),
        (Op::Subtract, DateTime(a), DateTime(b)) => Value::TimeSpan(a - b),
        (Op::Modulo, DateTime(a) | TimeSpan(a), TimeSpan(b)) => spans(a.checked_rem_euclid(b)),
        (Op::Add, TimeSpan(a), TimeSpan(b)) => spans(a.checked_add(b)),
        (Op::Subtract, TimeSpan(a), TimeSpan(b)) => spans(a.checked_sub(b)),
        (Op::Divide, TimeSpan(_), TimeSpan(_)) => reals(op, left, right),
        (Op::Multiply, TimeSpan(a), other) | (Op::Multiply, other, TimeSpan(a)) => match other.as_i64() {
            Some(factor) => spans(a.checked_mul(factor)),
            None => spans(other.as_f64().and_then(|factor| time::span_of_real(factor, a))),
        },
        (Op::Divide, TimeSpan(a), other) => match other.as_f64() {
            Some(divisor) if divisor != 0.0 => spans(time::span_of_real(1.0 / divisor, a)),
            _ => Value::Null,
        },
        (_, Decimal(a), b) => decimals(op, Some(a), decimal(b)),
        (_, a, Decimal(b)) => decimals(op, decimal(a), Some(b)),
        (_, Real(_), _) | (_, _, Real(_)) => reals(op, left, right),
        (_, a, b) => match (a.as_i64(), b.as_i64()) {
            (Some(a), Some(b)) => longs(op, a, b),
            _ => Value::Null,
        },
    }
}

fn spans(ticks: Option<i64>) -> Value {
    ticks.map_or(Value::Null, Value::TimeSpan)
}

fn decimal(cell: Cell<'_>) -> Option<crate::decimal::Decimal> {
    match super::convert_cell(cell, Type::Decimal) {
        Value::Decimal(value) => Some(value),
        _ => None,
    }
}

fn decimals(op: Op, left: Option<crate::decimal::Decimal>, right: Option<crate::decimal::Decimal>) -> Value {
    let (Some(left), Some(right)) = (left, right) else { return Value::Null };
    let value = match op {
        Op::Add => left.add(right),
        Op::Subtract => left.add(right.negate()),
        Op::Multiply => left.multiply(right),
        Op::Divide => left.divide(right),
        Op::Modulo => crate::decimal::Decimal::from_f64(left.to_f64().rem_euclid(right.to_f64())),
    };
    value.map_or(Value::Null, Value::Decimal)
}

fn longs(op: Op, a: i64, b: i64) -> Value {
    match op {
        Op::Add => Value::Long(a.wrapping_add(b)),
        Op::Subtract => Value::Long(a.wrapping_sub(b)),
        Op::Multiply => Value::Long(a.wrapping_mul(b)),
        Op::Divide => a.checked_div(b).map_or(Value::Null, Value::Long),
        // The sign of the divisor does not count; the result is never negative.
        Op::Modulo => a.checked_rem_euclid(b).map_or(Value::Null, Value::Long),
    }
}

fn reals(op: Op, left: Cell<'_>, right: Cell<'_>) -> Value {
    let (Some(a), Some(b)) = (left.as_f64(), right.as_f64()) else { return Value::Null };
    Value::Real(match op {
        Op::Add => a + b,
        Op::Subtract => a - b,
        Op::Multiply => a * b,
        Op::Divide => a / b,
        Op::Modulo => a.rem_euclid(b),
    })
}

/// Null compared with anything is null; but a null and a value are known not to be equal.
fn compare(columns: &[Column], rows: usize, holds: fn(Ordering) -> bool, beside_null: Option<bool>) -> Column {
    let (left, right) = (&columns[0], &columns[1]);
    if let Some(column) = compare_fast(left, right, rows, holds) {
        return column;
    }
    let mut values = Vec::with_capacity(rows);
    let mut valid = vec![true; rows];
    for (row, known) in valid.iter_mut().enumerate() {
        let (a, b) = (plain(left.cell(row)), plain(right.cell(row)));
        match order(a, b) {
            Some(order) => values.push(holds(order)),
            None if a.is_null() && b.is_null() => {
                *known = false;
                values.push(false);
            }
            None if a.is_null() || b.is_null() => {
                *known = beside_null.is_some();
                values.push(beside_null.unwrap_or(false));
            }
            None => values.push(beside_null.unwrap_or(false)),
        }
    }
    Column::new(Type::Bool, Data::Bool(values), Some(valid))
}

fn compare_fast(left: &Column, right: &Column, rows: usize, holds: fn(Ordering) -> bool) -> Option<Column> {
    let bools = |values: Vec<bool>| Some(Column::new(Type::Bool, Data::Bool(values), None));
    if let (Some((codes, arena)), Some(Cell::String(wanted))) = (left.dense().strings(), right.constant()) {
        // Each text is compared once where texts are few.
        if arena.len() <= rows {
            let said: Vec<bool> =
                (0..arena.len()).map(|code| holds(arena.at(u32::try_from(code).unwrap_or(0)).cmp(wanted))).collect();
            return bools(codes.iter().map(|code| said[*code as usize]).collect());
        }
        return bools(codes.iter().map(|code| holds(arena.at(*code).cmp(wanted))).collect());
    }
    let wanted = right.constant().filter(|cell| !cell.is_null())?;
    let dense = left.dense();
    if dense.valid().is_some() {
        return None;
    }
    if let (Some(longs), Some(wanted)) = (dense.longs(), wanted.as_i64()) {
        return bools(longs.iter().map(|value| holds(value.cmp(&wanted))).collect());
    }
    if let (Some(reals), Some(wanted)) = (dense.reals(), wanted.as_f64())
        && !wanted.is_nan()
        && !reals.iter().any(|value| value.is_nan())
    {
        return bools(reals.iter().map(|value| holds(order_reals(*value, wanted))).collect());
    }
    None
}

/// `None`: a null, a NaN, or values that no order puts in relation.
fn order(left: Cell<'_>, right: Cell<'_>) -> Option<Ordering> {
    match (left, right) {
        (left, right) if left.is_null() || right.is_null() => None,
        (Cell::String(a), Cell::String(b)) => Some(a.cmp(b)),
        (Cell::Dynamic(a), Cell::Dynamic(b)) => Some(if a == b { Ordering::Equal } else { a.order(b) }),
        (Cell::Guid(a), Cell::Guid(b)) => Some(a.cmp(&b)),
        (Cell::Guid(_), Cell::String(b)) => crate::value::parse_guid(b).and_then(|b| order(left, Cell::Guid(b))),
        (Cell::String(a), Cell::Guid(_)) => crate::value::parse_guid(a).and_then(|a| order(Cell::Guid(a), right)),
        (Cell::DateTime(_), Cell::String(b)) => time::parse_instant(b).and_then(|b| order(left, Cell::DateTime(b))),
        (Cell::String(a), Cell::DateTime(_)) => time::parse_instant(a).and_then(|a| order(Cell::DateTime(a), right)),
        (Cell::String(a), other) => order(said(a, other)?.cell(), other),
        (other, Cell::String(b)) => order(other, said(b, other)?.cell()),
        (Cell::Dynamic(_), _) | (_, Cell::Dynamic(_)) => None,
        (a, b) => match (a.as_i64(), b.as_i64()) {
            (Some(a), Some(b)) => Some(a.cmp(&b)),
            _ => a.as_f64()?.partial_cmp(&b.as_f64()?),
        },
    }
}

/// The text as the type of the other side.
fn said(text: &str, other: Cell<'_>) -> Option<Value> {
    let ty = match other {
        Cell::Bool(_) => Type::Bool,
        Cell::TimeSpan(_) => Type::TimeSpan,
        Cell::Dynamic(_) => return None,
        _ => Type::Real,
    };
    match super::convert_cell(Cell::String(text), ty) {
        Value::Null => None,
        value => Some(value),
    }
}
