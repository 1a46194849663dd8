//! From one type to another; what does not fit is null.

use super::{Function, Kind, Returns};
use crate::{
    decimal::Decimal,
    dynamic::Dynamic,
    eval::Context,
    time,
    types::Type,
    value::{Cell, Value, parse_guid},
};

pub(super) const FUNCTIONS: &[Function] = &[
    to("tostring", Type::String, |_, cells| convert_cell(cells[0], Type::String)),
    to("tobool", Type::Bool, |_, cells| convert_cell(cells[0], Type::Bool)),
    to("toint", Type::Int, |_, cells| convert_cell(cells[0], Type::Int)),
    to("tolong", Type::Long, |_, cells| convert_cell(cells[0], Type::Long)),
    to("toreal", Type::Real, |_, cells| convert_cell(cells[0], Type::Real)),
    to("todecimal", Type::Decimal, |_, cells| convert_cell(cells[0], Type::Decimal)),
    to("todatetime", Type::DateTime, |_, cells| convert_cell(cells[0], Type::DateTime)),
    Function::cells("totimespan", &[Kind::Any; 4], Returns::Is(Type::TimeSpan), to_timespan).least(1).named_by_first(),
    to("toguid", Type::Guid, |_, cells| convert_cell(cells[0], Type::Guid)),
    to("__todynamic", Type::Dynamic, |_, cells| Value::Dynamic(Dynamic::from(cells[0]))),
    Function::cells("__type_in_dynamic", &[Kind::Any], Returns::Is(Type::String), |_, cells| {
        Value::text(match cells[0] {
            Cell::Dynamic(Dynamic::Array(_)) => "array",
            Cell::Dynamic(Dynamic::Bag(_)) => "dictionary",
            Cell::Dynamic(value) => value.scalar().type_of().map_or("null", Type::name),
            _ => "null",
        })
    }),
    Function::cells("tohex", &[Kind::Long, Kind::Long], Returns::Is(Type::String), |_, cells| {
        let Some(value) = cells[0].as_i64() else { return Value::Null };
        let width = cells.get(1).and_then(|cell| cell.as_i64()).and_then(|width| usize::try_from(width).ok());
        Value::text(format!("{value:0width$x}", width = width.unwrap_or(0).min(64)))
    })
    .least(1)
    .named_by_first(),
];

const fn to(name: &'static str, ty: Type, body: fn(&Context<'_>, &[Cell<'_>]) -> Value) -> Function {
    Function::cells(name, &[Kind::Any], Returns::Is(ty), body).named_by_first()
}

/// `totimespan(x)`, `make_timespan(h, m)`, `make_timespan(h, m, s)`, `make_timespan(d, h, m, s)`.
fn to_timespan(_: &Context<'_>, cells: &[Cell<'_>]) -> Value {
    let parts: Option<Vec<f64>> = cells.iter().map(|cell| cell.as_f64()).collect();
    let units = match cells.len() {
        1 => return convert_cell(cells[0], Type::TimeSpan),
        2 | 3 => [3600, 60, 1, 0],
        _ => [86_400, 3600, 60, 1],
    };
    let Some(parts) = parts else { return Value::Null };
    let ticks = parts.iter().zip(units).map(|(part, unit)| time::span_of_real(*part, unit * time::TICKS_PER_SECOND));
    ticks.sum::<Option<i64>>().map_or(Value::Null, Value::TimeSpan)
}

/// The cell as that type; null where it does not fit.
pub(crate) fn convert_cell(cell: Cell<'_>, ty: Type) -> Value {
    let cell = match cell {
        Cell::Dynamic(value) if ty != Type::Dynamic => value.scalar(),
        cell => cell,
    };
    let value = match ty {
        Type::String => return Value::text(cell.to_string()),
        Type::Dynamic => return Value::Dynamic(Dynamic::from(cell)),
        _ if cell.is_null() => return Value::Null,
        Type::Bool => to_bool(cell).map(Value::Bool),
        Type::Int => to_whole(cell).and_then(|value| i32::try_from(value).ok()).map(Value::Int),
        Type::Long => to_whole(cell).map(Value::Long),
        Type::Real => to_real(cell).map(Value::Real),
        Type::Decimal => match cell {
            Cell::Decimal(value) => Some(value),
            Cell::String(text) => text.trim().parse().ok(),
            cell => match cell.as_i64() {
                Some(value) => Some(Decimal::from(value)),
                None => cell.as_f64().and_then(Decimal::from_f64),
            },
        }
        .map(Value::Decimal),
        Type::DateTime => match cell {
            Cell::DateTime(ticks) => Some(ticks),
            Cell::String(text) => time::parse_instant(text),
            Cell::Long(ticks) => Some(ticks).filter(|ticks| (0..=time::INSTANT_MAX).contains(ticks)),
            _ => None,
        }
        .map(Value::DateTime),
        Type::TimeSpan => match cell {
            Cell::TimeSpan(ticks) => Some(ticks),
            Cell::String(text) => time::parse_span(text),
            Cell::Long(days) => days.checked_mul(time::TICKS_PER_DAY),
            Cell::Real(days) => time::span_of_real(days, time::TICKS_PER_DAY),
            _ => None,
        }
        .map(Value::TimeSpan),
        Type::Guid => match cell {
            Cell::Guid(value) => Some(value),
            Cell::String(text) => parse_guid(text),
            _ => None,
        }
        .map(Value::Guid),
    };
    value.unwrap_or(Value::Null)
}

fn to_bool(cell: Cell<'_>) -> Option<bool> {
    match cell {
        Cell::Bool(value) => Some(value),
        Cell::String(text) => match text.trim().to_ascii_lowercase().as_str() {
            "true" => Some(true),
            "false" => Some(false),
            number => number.parse::<i64>().ok().map(|value| value != 0),
        },
        cell => cell.as_f64().map(|value| value != 0.0),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the range is checked first; fractions are cut")]
fn to_whole(cell: Cell<'_>) -> Option<i64> {
    let of_real = |value: f64| (value.abs() < 9.2e18).then_some(value as i64);
    match cell {
        Cell::String(text) => {
            let text = text.trim();
            let (negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
            if let Some(hex) = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
                let value = i64::from_str_radix(hex, 16).ok()?;
                return Some(if negative { -value } else { value });
            }
            match text.parse() {
                Ok(value) => Some(value),
                Err(_) => text.parse::<f64>().ok().filter(|_| !text.contains(['n', 'i', 'N', 'I'])).and_then(of_real),
            }
        }
        cell => match cell.as_i64() {
            Some(value) => Some(value),
            None => cell.as_f64().and_then(of_real),
        },
    }
}

fn to_real(cell: Cell<'_>) -> Option<f64> {
    match cell {
        Cell::String(text) => match text.trim().to_ascii_lowercase().as_str() {
            "nan" => Some(f64::NAN),
            "inf" | "+inf" | "infinity" | "+infinity" => Some(f64::INFINITY),
            "-inf" | "-infinity" => Some(f64::NEG_INFINITY),
            _ => match to_whole(cell).filter(|_| text.contains(['x', 'X'])) {
                #[expect(clippy::cast_precision_loss, reason = "a real is asked for")]
                Some(value) => Some(value as f64),
                None => text.trim().parse().ok(),
            },
        },
        cell => cell.as_f64(),
    }
}
