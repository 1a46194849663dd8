//! Rounding, steps, bits.

use super::{Function, Kind, Returns, string::number};
use crate::{
    error::QueryError,
    eval::Context,
    plan::Scalar,
    table::{Column, ColumnBuilder, Data},
    types::Type,
    value::{Cell, Value},
};

use Kind::{Any, Long, Num, Real};

const WHOLE: Returns = Returns::Is(Type::Long);

pub(super) const FUNCTIONS: &[Function] = &[
    Function::columns("bin", &[Any, Any], Returns::By(bin_type), bin).named_by_first(),
    Function::cells("bin_at", &[Any, Any, Any], Returns::Same(0), |_, cells| bin_at(cells[0], cells[1], cells[2]))
        .named_by_first(),
    // Bound by name before this table is asked; here it lends its column the argument's name.
    Function::cells("bin_auto", &[Any], Returns::Same(0), |_, cells| cells[0].to_value()).named_by_first(),
    Function::cells("round", &[Num, Long], Returns::Same(0), round).least(1).named_by_first(),
    Function::cells("ceiling", &[Num], Returns::Same(0), |_, cells| match cells[0] {
        Cell::Real(value) => Value::Real(value.ceil()),
        cell => cell.to_value(),
    })
    .named_by_first(),
    Function::cells("abs", &[Num], Returns::Same(0), |_, cells| match cells[0] {
        Cell::Int(value) => Value::Int(value.wrapping_abs()),
        Cell::Long(value) => Value::Long(value.wrapping_abs()),
        Cell::Real(value) => Value::Real(value.abs()),
        Cell::TimeSpan(value) => Value::TimeSpan(value.wrapping_abs()),
        Cell::Decimal(value) if value.to_f64() < 0.0 => Value::Decimal(value.negate()),
        cell => cell.to_value(),
    })
    .named_by_first(),
    Function::cells("sign", &[Num], Returns::Is(Type::Real), |_, cells| match cells[0].as_f64() {
        Some(0.0) => Value::Real(0.0),
        Some(value) => Value::Real(value.signum()),
        None => Value::Null,
    }),
    Function::cells("rand", &[Long], Returns::Is(Type::Real), |_, _| Value::Null).least(0).fresh(|context, cells| {
        #[expect(clippy::cast_precision_loss, reason = "53 bits fit a real exactly")]
        let unit = (context.random() >> 11) as f64 / (1_u64 << 53) as f64;
        match number(cells, 0).filter(|count| *count > 1) {
            #[expect(clippy::cast_precision_loss, reason = "a count of a few digits")]
            Some(count) => Value::Real((unit * count as f64).floor()),
            None => Value::Real(unit),
        }
    }),
    binary("binary_and", |_, cells| bits(cells, |a, b| a & b)),
    binary("binary_or", |_, cells| bits(cells, |a, b| a | b)),
    binary("binary_xor", |_, cells| bits(cells, |a, b| a ^ b)),
    binary("binary_shift_left", |_, cells| {
        bits(cells, |a, b| a.wrapping_shl(u32::try_from(b.rem_euclid(64)).unwrap_or(0)))
    }),
    binary("binary_shift_right", |_, cells| {
        bits(cells, |a, b| a.wrapping_shr(u32::try_from(b.rem_euclid(64)).unwrap_or(0)))
    }),
    Function::cells("binary_not", &[Long], WHOLE, |_, cells| number(cells, 0).map_or(Value::Null, |a| Value::Long(!a)))
        .named_by_first(),
    Function::cells("bitset_count_ones", &[Long], WHOLE, |_, cells| {
        number(cells, 0).map_or(Value::Null, |a| Value::Long(i64::from(a.count_ones())))
    })
    .named_by_first(),
    Function::cells("isnan", &[Real], Returns::Is(Type::Bool), |_, cells| real(cells, f64::is_nan)),
    Function::cells("isinf", &[Real], Returns::Is(Type::Bool), |_, cells| real(cells, f64::is_infinite)),
    Function::cells("isfinite", &[Real], Returns::Is(Type::Bool), |_, cells| real(cells, f64::is_finite)),
];

const fn binary(name: &'static str, body: fn(&Context<'_>, &[Cell<'_>]) -> Value) -> Function {
    Function::cells(name, &[Long, Long], WHOLE, body).named_by_first()
}

fn bits(cells: &[Cell<'_>], fold: fn(i64, i64) -> i64) -> Value {
    match (number(cells, 0), number(cells, 1)) {
        (Some(a), Some(b)) => Value::Long(fold(a, b)),
        _ => Value::Null,
    }
}

fn real(cells: &[Cell<'_>], test: fn(f64) -> bool) -> Value {
    cells[0].as_f64().map_or(Value::Null, |value| Value::Bool(test(value)))
}

/// `bin(2.5, 1)` is a real, `bin(datetime, 1d)` an instant; `floor(x)` alone steps by one.
fn bin_type(arguments: &[Scalar]) -> Option<Type> {
    let (value, step) = (arguments.first()?.ty, arguments.get(1)?.ty);
    match (value, step) {
        (value, step) if value.is_number() && step.is_number() => Some(value.max(step)),
        (Type::DateTime | Type::TimeSpan, Type::TimeSpan | Type::Long | Type::Int | Type::Real) => Some(value),
        (Type::Dynamic, Type::TimeSpan) => Some(Type::DateTime),
        (Type::Dynamic, step) if step.is_number() => Some(Type::Real),
        (value, Type::Dynamic) => Some(value),
        _ => None,
    }
}

fn bin(_: &Context<'_>, columns: &[Column], rows: usize) -> Result<Column, QueryError> {
    let (value, step) = (columns[0].dense(), &columns[1]);
    let fixed = step.constant().and_then(Cell::as_i64).filter(|step| *step > 0);
    if let (Some(longs), Some(step)) = (value.longs(), fixed) {
        let binned = longs.iter().map(|value| value - value.rem_euclid(step)).collect();
        let valid = value.valid().map(<[bool]>::to_vec);
        return Ok(Column::new(value.type_of(), Data::Long(binned), valid));
    }
    let ty = match (value.type_of(), step.type_of()) {
        (Type::Dynamic, Type::TimeSpan) => Type::DateTime,
        (Type::Dynamic, _) => Type::Real,
        (value, step) if value.is_number() && step.is_number() => value.max(step),
        (value, _) => value,
    };
    let mut builder = ColumnBuilder::new(ty);
    for row in 0..rows {
        let cell = super::convert_cell(value.cell(row), ty);
        builder.push_value(bin_at(cell.cell(), step.cell(row), Cell::Null));
    }
    Ok(builder.finish())
}

/// The start of the step that holds the value, where steps begin at `origin`.
#[expect(clippy::cast_possible_truncation, reason = "a number of days as ticks")]
fn bin_at(value: Cell<'_>, step: Cell<'_>, origin: Cell<'_>) -> Value {
    let timed = matches!(value, Cell::DateTime(_) | Cell::TimeSpan(_));
    let step_ticks = match step {
        Cell::Real(days) if timed => Some((days * crate::time::TICKS_PER_DAY as f64) as i64),
        Cell::Long(_) | Cell::Int(_) if timed => {
            step.as_i64().and_then(|days| days.checked_mul(crate::time::TICKS_PER_DAY))
        }
        cell => cell.as_i64(),
    };
    if let (Some(ticks), Some(step)) = (value.as_i64(), step_ticks) {
        if step <= 0 {
            return Value::Null;
        }
        let origin = origin.as_i64().unwrap_or(0);
        let start = ticks.wrapping_sub(ticks.wrapping_sub(origin).rem_euclid(step));
        return match value {
            Cell::DateTime(_) if start >= 0 => Value::DateTime(start),
            Cell::DateTime(_) => Value::Null,
            Cell::TimeSpan(_) => Value::TimeSpan(start),
            _ => Value::Long(start),
        };
    }
    match (value.as_f64(), step.as_f64()) {
        (Some(value), Some(step)) if step > 0.0 => {
            let origin = origin.as_f64().unwrap_or(0.0);
            Value::Real(((value - origin) / step).floor() * step + origin)
        }
        _ => Value::Null,
    }
}

/// Halves go to the even neighbour.
fn round(_: &Context<'_>, cells: &[Cell<'_>]) -> Value {
    let digits = i32::try_from(number(cells, 1).unwrap_or(0)).unwrap_or(0).clamp(-300, 300);
    match cells[0] {
        Cell::Real(value) if digits == 0 => Value::Real(value.round_ties_even()),
        Cell::Real(value) => {
            let scale = 10_f64.powi(digits);
            let scaled = value * scale;
            Value::Real(if scaled.is_finite() { scaled.round_ties_even() / scale } else { value })
        }
        cell => cell.to_value(),
    }
}
