//! Instants and durations.

use super::{
    Function, Kind, Returns,
    string::{number, text},
};
use crate::{
    dynamic::Dynamic,
    eval::Context,
    time::{self, Civil, TICKS_PER_DAY, TICKS_PER_SECOND},
    types::Type,
    value::{Cell, Value},
};

use Kind::{DateTime, Long, Num, Str, TimeSpan};

const INSTANT: Returns = Returns::Is(Type::DateTime);
const WHOLE: Returns = Returns::Is(Type::Long);

pub(super) const FUNCTIONS: &[Function] = &[
    Function::cells("now", &[TimeSpan], INSTANT, |context, cells| {
        instant(context.options.now.checked_add(number(cells, 0).unwrap_or(0)))
    })
    .least(0),
    Function::cells("ago", &[TimeSpan], INSTANT, |context, cells| match number(cells, 0) {
        Some(span) => instant(context.options.now.checked_sub(span)),
        None => Value::Null,
    }),
    Function::cells("startofday", &[DateTime, Num], INSTANT, |_, cells| start(cells, Unit::Day))
        .least(1)
        .named_by_first(),
    Function::cells("startofweek", &[DateTime, Num], INSTANT, |_, cells| start(cells, Unit::Week)).least(1),
    Function::cells("startofmonth", &[DateTime, Num], INSTANT, |_, cells| start(cells, Unit::Month)).least(1),
    Function::cells("startofyear", &[DateTime, Num], INSTANT, |_, cells| start(cells, Unit::Year)).least(1),
    Function::cells("endofday", &[DateTime, Num], INSTANT, |_, cells| end(cells, Unit::Day)).least(1),
    Function::cells("endofweek", &[DateTime, Num], INSTANT, |_, cells| end(cells, Unit::Week)).least(1),
    Function::cells("endofmonth", &[DateTime, Num], INSTANT, |_, cells| end(cells, Unit::Month)).least(1),
    Function::cells("endofyear", &[DateTime, Num], INSTANT, |_, cells| end(cells, Unit::Year)).least(1),
    Function::cells("dayofweek", &[DateTime], Returns::Is(Type::TimeSpan), |_, cells| match ticks(cells, 0) {
        Some(ticks) => Value::TimeSpan(weekday(ticks) * TICKS_PER_DAY),
        None => Value::Null,
    }),
    Function::cells("dayofmonth", &[DateTime], WHOLE, |_, cells| whole(cells, |ticks| Civil::of(ticks).day)),
    Function::cells("dayofyear", &[DateTime], WHOLE, |_, cells| whole(cells, day_of_year)),
    Function::cells("hourofday", &[DateTime], WHOLE, |_, cells| {
        whole(cells, |ticks| Civil::of(ticks).of_day / TICKS_PER_SECOND / 3600)
    }),
    Function::cells("monthofyear", &[DateTime], WHOLE, |_, cells| whole(cells, |ticks| Civil::of(ticks).month)),
    Function::cells("getmonth", &[DateTime], WHOLE, |_, cells| whole(cells, |ticks| Civil::of(ticks).month)),
    Function::cells("getyear", &[DateTime], WHOLE, |_, cells| whole(cells, |ticks| Civil::of(ticks).year)),
    Function::cells("weekofyear", &[DateTime], WHOLE, |_, cells| whole(cells, week_of_year)),
    Function::cells("datetime_part", &[Str, DateTime], WHOLE, |_, cells| match ticks(cells, 1) {
        Some(ticks) => named_part(&text(cells, 0).to_lowercase(), ticks),
        None => Value::Null,
    }),
    Function::cells("datetime_add", &[Str, Long, DateTime], INSTANT, |_, cells| {
        let unit = Unit::named(&text(cells, 0).to_lowercase());
        match (unit, number(cells, 1), ticks(cells, 2)) {
            (Some(unit), Some(count), Some(ticks)) => instant(unit.add(ticks, count)),
            _ => Value::Null,
        }
    }),
    Function::cells("datetime_diff", &[Str, DateTime, DateTime], WHOLE, |_, cells| {
        let unit = Unit::named(&text(cells, 0).to_lowercase());
        match (unit, ticks(cells, 1), ticks(cells, 2)) {
            (Some(Unit::Fixed(0)), Some(left), Some(right)) => Value::Long((left - right).saturating_mul(100)),
            (Some(unit), Some(left), Some(right)) => Value::Long(unit.number(left) - unit.number(right)),
            _ => Value::Null,
        }
    }),
    Function::cells("make_datetime", &[Kind::Any], INSTANT, make).many(1),
    Function::cells("unixtime_seconds_todatetime", &[Kind::Any], INSTANT, |_, cells| {
        unix(cells, |value| value.checked_mul(TICKS_PER_SECOND))
    }),
    Function::cells("unixtime_milliseconds_todatetime", &[Kind::Any], INSTANT, |_, cells| {
        unix(cells, |value| value.checked_mul(10_000))
    }),
    Function::cells("unixtime_microseconds_todatetime", &[Kind::Any], INSTANT, |_, cells| {
        unix(cells, |value| value.checked_mul(10))
    }),
    Function::cells("unixtime_nanoseconds_todatetime", &[Kind::Any], INSTANT, |_, cells| {
        unix(cells, |value| Some(value.div_euclid(100)))
    }),
    Function::cells("datetime_utc_to_local", &[DateTime, Str], INSTANT, |_, cells| zoned(cells, true)),
    Function::cells("datetime_local_to_utc", &[DateTime, Str], INSTANT, |_, cells| zoned(cells, false)),
    Function::cells("around", &[Kind::Any, Kind::Any, Kind::Any], Returns::Is(Type::Bool), |_, cells| {
        match (cells[0].as_f64(), cells[1].as_f64(), cells[2].as_f64()) {
            (Some(value), Some(center), Some(delta)) => Value::Bool((center - delta..=center + delta).contains(&value)),
            _ => Value::Null,
        }
    }),
];

fn whole(cells: &[Cell<'_>], part: fn(i64) -> i64) -> Value {
    ticks(cells, 0).map_or(Value::Null, |ticks| Value::Long(part(ticks)))
}

fn unix(cells: &[Cell<'_>], ticks: fn(i64) -> Option<i64>) -> Value {
    let value = match super::convert_cell(cells[0], Type::Long) {
        Value::Long(value) => ticks(value),
        _ => None,
    };
    value.and_then(time::from_unix_ticks).map_or(Value::Null, Value::DateTime)
}

fn ticks(cells: &[Cell<'_>], at: usize) -> Option<i64> {
    match cells.get(at) {
        Some(Cell::DateTime(ticks) | Cell::Dynamic(Dynamic::DateTime(ticks))) => Some(*ticks),
        _ => None,
    }
}

fn instant(ticks: Option<i64>) -> Value {
    match ticks.filter(|ticks| (0..=time::INSTANT_MAX).contains(ticks)) {
        Some(ticks) => Value::DateTime(ticks),
        None => Value::Null,
    }
}

/// Days since Sunday.
fn weekday(ticks: i64) -> i64 {
    (ticks / TICKS_PER_DAY + 1) % 7
}

fn day_of_year(ticks: i64) -> i64 {
    (ticks - Unit::Year.start(ticks)) / TICKS_PER_DAY + 1
}

/// ISO 8601: the week that holds the year's first Thursday is week 1.
fn week_of_year(ticks: i64) -> i64 {
    let monday_based = (weekday(ticks) + 6) % 7;
    let thursday = ticks + (3 - monday_based) * TICKS_PER_DAY;
    (day_of_year(thursday) - 1) / 7 + 1
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Unit {
    Year,
    Quarter,
    Month,
    Week,
    Day,
    /// Anything of a fixed length in ticks.
    Fixed(i64),
}

impl Unit {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "year" => Self::Year,
            "quarter" => Self::Quarter,
            "month" => Self::Month,
            "week" | "weekofyear" | "week_of_year" => Self::Week,
            "day" | "dayofyear" => Self::Day,
            "hour" => Self::Fixed(3600 * TICKS_PER_SECOND),
            "minute" => Self::Fixed(60 * TICKS_PER_SECOND),
            "second" => Self::Fixed(TICKS_PER_SECOND),
            "millisecond" => Self::Fixed(10_000),
            "microsecond" => Self::Fixed(10),
            "nanosecond" => Self::Fixed(0),
            _ => return None,
        })
    }

    /// The unit's first tick.
    fn start(self, ticks: i64) -> i64 {
        let Civil { year, month, .. } = Civil::of(ticks);
        let first = |month: i64| Civil { year, month, day: 1, of_day: 0 }.ticks().unwrap_or(0);
        match self {
            Self::Year => first(1),
            Self::Quarter => first((month - 1) / 3 * 3 + 1),
            Self::Month => first(month),
            Self::Week => ticks - ticks % TICKS_PER_DAY - weekday(ticks) * TICKS_PER_DAY,
            Self::Day => ticks - ticks % TICKS_PER_DAY,
            Self::Fixed(step) => ticks - ticks % step.max(1),
        }
    }

    fn add(self, ticks: i64, count: i64) -> Option<i64> {
        let months = match self {
            Self::Year => count.checked_mul(12)?,
            Self::Quarter => count.checked_mul(3)?,
            Self::Month => count,
            Self::Week => return ticks.checked_add(count.checked_mul(7 * TICKS_PER_DAY)?),
            Self::Day => return ticks.checked_add(count.checked_mul(TICKS_PER_DAY)?),
            Self::Fixed(0) => return ticks.checked_add(count / 100),
            Self::Fixed(step) => return ticks.checked_add(count.checked_mul(step)?),
        };
        let Civil { year, month, day, of_day } = Civil::of(ticks);
        let months = (year * 12 + month - 1).checked_add(months)?;
        let (year, month) = (months.div_euclid(12), months.rem_euclid(12) + 1);
        let day = day.min(time::days_in_month(year, month));
        Civil { year, month, day, of_day }.ticks()
    }

    /// How many units have begun: differences count borders, not lengths.
    fn number(self, ticks: i64) -> i64 {
        let Civil { year, month, .. } = Civil::of(ticks);
        match self {
            Self::Year => year,
            Self::Quarter => year * 4 + (month - 1) / 3,
            Self::Month => year * 12 + month,
            Self::Week => (ticks / TICKS_PER_DAY + 1) / 7,
            Self::Day => ticks / TICKS_PER_DAY,
            Self::Fixed(0) => ticks.saturating_mul(100),
            Self::Fixed(step) => ticks / step,
        }
    }
}

fn start(cells: &[Cell<'_>], unit: Unit) -> Value {
    let Some(ticks) = ticks(cells, 0) else { return Value::Null };
    let offset = number(cells, 1).unwrap_or(0);
    instant(unit.add(unit.start(ticks), offset))
}

fn end(cells: &[Cell<'_>], unit: Unit) -> Value {
    let Some(ticks) = ticks(cells, 0) else { return Value::Null };
    let offset = number(cells, 1).unwrap_or(0);
    let last = |next: i64| Some(next - 1);
    let next = offset.checked_add(1).and_then(|count| unit.add(unit.start(ticks), count));
    instant(next.and_then(last).or(Some(time::INSTANT_MAX)))
}

fn named_part(name: &str, ticks: i64) -> Value {
    let Civil { year, month, day, of_day } = Civil::of(ticks);
    Value::Long(match name {
        "year" => year,
        "quarter" => (month - 1) / 3 + 1,
        "month" => month,
        "week_of_year" | "weekofyear" => week_of_year(ticks),
        "day" => day,
        "dayofyear" => day_of_year(ticks),
        "hour" => of_day / TICKS_PER_SECOND / 3600,
        "minute" => of_day / TICKS_PER_SECOND / 60 % 60,
        "second" => of_day / TICKS_PER_SECOND % 60,
        "millisecond" => of_day / 10_000 % 1000,
        "microsecond" => of_day / 10 % 1_000_000,
        "nanosecond" => of_day % TICKS_PER_SECOND * 100,
        _ => return Value::Null,
    })
}

/// `make_datetime(y, m, d [, h, min, s])`, or a text.
fn make(_: &Context<'_>, cells: &[Cell<'_>]) -> Value {
    if cells.len() < 3 {
        return super::convert_cell(cells[0], Type::DateTime);
    }
    let part = |at: usize| cells.get(at).map_or(Some(0.0), |cell| cell.as_f64().map(f64::trunc));
    let parts: Option<Vec<f64>> = (0..5).map(part).collect();
    let second = cells.get(5).map_or(Some(0.0), |cell| cell.as_f64());
    let (Some(parts), Some(second)) = (parts, second) else { return Value::Null };
    let valid = parts[3] < 24.0 && parts[4] < 60.0 && second < 60.0 && parts.iter().all(|part| *part >= 0.0);
    if !valid || second < 0.0 || parts[0] > 9999.0 {
        return Value::Null;
    }
    #[expect(clippy::cast_possible_truncation, reason = "parts of a date were checked to be small")]
    let whole = |at: usize| parts[at] as i64;
    let seconds = time::span_of_real(second, TICKS_PER_SECOND).unwrap_or(0);
    let of_day = (whole(3) * 3600 + whole(4) * 60) * TICKS_PER_SECOND + seconds;
    instant(Civil { year: whole(0), month: whole(1), day: whole(2), of_day }.ticks())
}

/// The same instant on the clocks of a zone, or back.
fn zoned(cells: &[Cell<'_>], to_local: bool) -> Value {
    let Some(ticks) = ticks(cells, 0) else { return Value::Null };
    let Ok(zone) = jiff::tz::TimeZone::get(text(cells, 1)) else { return Value::Null };
    let unix = time::to_unix_ticks(ticks);
    let Ok(stamp) = jiff::Timestamp::from_second(unix.div_euclid(TICKS_PER_SECOND)) else { return Value::Null };
    let offset = if to_local {
        zone.to_offset(stamp)
    } else {
        let civil = jiff::tz::Offset::UTC.to_datetime(stamp);
        match zone.to_ambiguous_timestamp(civil).compatible() {
            Ok(stamp) => zone.to_offset(stamp),
            Err(_) => return Value::Null,
        }
    };
    let shift = i64::from(offset.seconds()) * TICKS_PER_SECOND;
    instant(if to_local { ticks.checked_add(shift) } else { ticks.checked_sub(shift) })
}
