//! Instants and durations in a given format.

use super::{Function, Kind, Returns, string::text};
use crate::{
    time::{Civil, MONTHS, TICKS_PER_DAY, TICKS_PER_SECOND},
    types::Type,
    value::Value,
};

use Kind::{DateTime, Str, TimeSpan};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::cells("format_datetime", &[DateTime, Str], Returns::Is(Type::String), |_, cells| {
        cells[0].as_i64().map_or(Value::text(""), |ticks| Value::text(format_instant(ticks, text(cells, 1))))
    })
    .named_by_first(),
    Function::cells("format_timespan", &[TimeSpan, Str], Returns::Is(Type::String), |_, cells| {
        cells[0].as_i64().map_or(Value::text(""), |ticks| Value::text(format_span(ticks, text(cells, 1))))
    })
    .named_by_first(),
];

/// Runs of one letter are a part, all else stands for itself.
fn runs(format: &str) -> Vec<(char, usize)> {
    let mut runs: Vec<(char, usize)> = Vec::new();
    for c in format.chars() {
        match runs.last_mut() {
            Some((last, count)) if *last == c => *count += 1,
            _ => runs.push((c, 1)),
        }
    }
    runs
}

fn format_instant(ticks: i64, format: &str) -> String {
    let Civil { year, month, day, of_day } = Civil::of(ticks);
    let seconds = of_day / TICKS_PER_SECOND;
    let hour = seconds / 3600;
    let twelve = if hour % 12 == 0 { 12 } else { hour % 12 };
    let mut made = String::new();
    for (c, count) in runs(format) {
        match c {
            'y' if count <= 2 => made.push_str(&padded(year % 100, count)),
            'y' => made.push_str(&padded(year, count)),
            'M' if count >= 3 => made.push_str(month_name(month, count)),
            'M' => made.push_str(&padded(month, count)),
            'd' => made.push_str(&padded(day, count)),
            'H' => made.push_str(&padded(hour, count)),
            'h' => made.push_str(&padded(twelve, count)),
            'm' => made.push_str(&padded(seconds / 60 % 60, count)),
            's' => made.push_str(&padded(seconds % 60, count)),
            't' => made.push_str(if hour < 12 { "AM" } else { "PM" }),
            'f' | 'F' => made.push_str(&fraction(of_day, c, count)),
            c => made.extend(std::iter::repeat_n(c, count)),
        }
    }
    made
}

fn month_name(month: i64, count: usize) -> &'static str {
    let name = usize::try_from(month - 1).ok().and_then(|at| MONTHS.get(at)).copied().unwrap_or("");
    if count == 3 { name.get(..3).unwrap_or(name) } else { name }
}

fn padded(value: i64, width: usize) -> String {
    format!("{value:0width$}")
}

/// `f` keeps the zeros at the end, `F` drops them.
fn fraction(of_day: i64, c: char, count: usize) -> String {
    let digits = format!("{:07}", of_day % TICKS_PER_SECOND);
    let kept = digits.get(..count.min(7)).unwrap_or("");
    if c == 'F' { kept.trim_end_matches('0').to_owned() } else { kept.to_owned() }
}

fn format_span(ticks: i64, format: &str) -> String {
    let magnitude = i64::try_from(ticks.unsigned_abs()).unwrap_or(i64::MAX);
    let (days, of_day) = (magnitude / TICKS_PER_DAY, magnitude % TICKS_PER_DAY);
    let seconds = of_day / TICKS_PER_SECOND;
    let mut made = String::new();
    for (c, count) in runs(format) {
        match c {
            'd' | 'D' => made.push_str(&padded(days, count)),
            'H' | 'h' => made.push_str(&padded(seconds / 3600, count)),
            'm' => made.push_str(&padded(seconds / 60 % 60, count)),
            's' => made.push_str(&padded(seconds % 60, count)),
            'f' | 'F' => made.push_str(&fraction(of_day, c, count)),
            c => made.extend(std::iter::repeat_n(c, count)),
        }
    }
    if ticks < 0 { format!("-{made}") } else { made }
}
