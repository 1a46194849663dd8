//! Instants and durations as ticks of 100 ns, and their texts.

use std::fmt;

/// Ticks in a second.
pub const TICKS_PER_SECOND: i64 = 10_000_000;
pub(crate) const TICKS_PER_DAY: i64 = 86_400 * TICKS_PER_SECOND;
/// 9999-12-31T23:59:59.9999999Z.
pub(crate) const INSTANT_MAX: i64 = 3_155_378_975_999_999_999;
const UNIX_EPOCH: i64 = 719_162 * TICKS_PER_DAY;

/// The ticks of an instant given in seconds and nanoseconds since 1970.
pub fn ticks_of(instant: jiff::Timestamp) -> i64 {
    let nanoseconds = instant.as_nanosecond();
    UNIX_EPOCH.saturating_add(i64::try_from(nanoseconds.div_euclid(100)).unwrap_or(0))
}

/// The ticks of a number of 100 ns steps since 1970; `None` outside the years 1 to 9999.
pub(crate) fn from_unix_ticks(ticks: i64) -> Option<i64> {
    UNIX_EPOCH.checked_add(ticks).filter(|ticks| (0..=INSTANT_MAX).contains(ticks))
}

pub(crate) fn to_unix_ticks(ticks: i64) -> i64 {
    ticks - UNIX_EPOCH
}

/// A point in the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Civil {
    pub(crate) year: i64,
    pub(crate) month: i64,
    pub(crate) day: i64,
    /// Ticks since midnight.
    pub(crate) of_day: i64,
}

impl Civil {
    pub(crate) fn of(ticks: i64) -> Self {
        let (days, of_day) = (ticks.div_euclid(TICKS_PER_DAY), ticks.rem_euclid(TICKS_PER_DAY));
        // Days since 0000-03-01, in eras of 400 years (the usual civil-from-days algorithm).
        let days = days + 306;
        let era = days.div_euclid(146_097);
        let of_era = days.rem_euclid(146_097);
        let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted = (5 * of_year + 2) / 153;
        let day = of_year - (153 * shifted + 2) / 5 + 1;
        let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        Self { year, month, day, of_day }
    }

    /// `None` where there is no such day between the years 1 and 9999.
    pub(crate) fn ticks(self) -> Option<i64> {
        let valid = (1..=9999).contains(&self.year)
            && (1..=12).contains(&self.month)
            && (1..=days_in_month(self.year, self.month)).contains(&self.day);
        if !valid {
            return None;
        }
        let days = days_before(self.year, self.month, self.day);
        Some(days * TICKS_PER_DAY + self.of_day).filter(|ticks| (0..=INSTANT_MAX).contains(ticks))
    }
}

/// Days from 0001-01-01 to that day.
fn days_before(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let shifted = (month + 9) % 12;
    let of_year = (153 * shifted + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 306
}

pub(crate) fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// An instant as the service prints it: seven digits of fraction and `Z`.
pub struct InstantText(
    /// Ticks of 100 ns since 0001-01-01 UTC.
    pub i64,
);

impl fmt::Display for InstantText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Civil { year, month, day, of_day } = Civil::of(self.0);
        let (seconds, fraction) = (of_day / TICKS_PER_SECOND, of_day % TICKS_PER_SECOND);
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{fraction:07}Z")
    }
}

/// A duration as the service prints it: `[-][d.]hh:mm:ss[.fffffff]`.
pub struct SpanText(
    /// Ticks of 100 ns.
    pub i64,
);

impl fmt::Display for SpanText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ticks = self.0.unsigned_abs();
        let per_second = TICKS_PER_SECOND.unsigned_abs();
        let (seconds, fraction) = (ticks / per_second, ticks % per_second);
        if self.0 < 0 {
            f.write_str("-")?;
        }
        if seconds >= 86_400 {
            write!(f, "{}.", seconds / 86_400)?;
        }
        write!(f, "{:02}:{:02}:{:02}", seconds / 3600 % 24, seconds / 60 % 60, seconds % 60)?;
        if fraction > 0 {
            write!(f, ".{fraction:07}")?;
        }
        Ok(())
    }
}

/// Ticks of an instant's text: ISO 8601 in its common shapes, also RFC 1123 and `M/d/yyyy h:mm:ss tt`.
pub fn parse_instant(text: &str) -> Option<i64> {
    let text = text.trim();
    parse_iso(text).or_else(|| parse_american(text)).or_else(|| parse_with_month_name(text))
}

fn parse_iso(text: &str) -> Option<i64> {
    let (date, rest) = split_date(text)?;
    let mut parts = date.split('-');
    let year = number(parts.next()?, 4)?;
    let month = parts.next().map_or(Some(1), |part| number(part, 2))?;
    let day = parts.next().map_or(Some(1), |part| number(part, 2))?;
    if parts.next().is_some() {
        return None;
    }
    let (of_day, offset) = if rest.is_empty() { (0, 0) } else { parse_clock(rest)? };
    let midnight = Civil { year, month, day, of_day: 0 }.ticks()?;
    in_range(midnight + of_day - offset)
}

/// `2024-01-02` or `20240102`, and what comes after the `T` or the blank.
fn split_date(text: &str) -> Option<(String, &str)> {
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '-')).unwrap_or(text.len());
    let (date, rest) = text.split_at(end);
    let rest = rest.trim_start_matches(['T', 't', ' ']);
    if date.len() == 8 && date.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some((format!("{}-{}-{}", &date[..4], &date[4..6], &date[6..]), rest));
    }
    let year = date.split('-').next()?;
    if year.len() != 4 || (rest.len() == text.len() - end && !rest.is_empty()) {
        return None;
    }
    Some((date.to_owned(), rest))
}

/// Ticks since midnight and the offset from UTC in ticks.
fn parse_clock(text: &str) -> Option<(i64, i64)> {
    let text = text.trim();
    let end = text.find(['Z', 'z', '+', '-']).unwrap_or(text.len());
    let (clock, zone) = text.split_at(end);
    let (clock, zone) = match clock.strip_suffix(" GMT").or_else(|| clock.strip_suffix(" UTC")) {
        Some(clock) => (clock, "Z"),
        None => (clock.trim_end(), zone),
    };
    let (clock, noon) = match clock.to_ascii_uppercase() {
        upper if upper.ends_with("PM") => (clock[..clock.len() - 2].trim_end(), Some(12)),
        upper if upper.ends_with("AM") => (clock[..clock.len() - 2].trim_end(), Some(0)),
        _ => (clock, None),
    };
    let mut parts = clock.split(':');
    let mut hour = number(parts.next()?, 2).filter(|hour| *hour < 24)?;
    if let Some(noon) = noon {
        hour = hour % 12 + noon;
    }
    let minute = parts.next().map_or(Some(0), |part| number(part, 2)).filter(|minute| *minute < 60)?;
    let ticks = match parts.next() {
        Some(second) => parse_seconds(second).filter(|ticks| *ticks < 60 * TICKS_PER_SECOND)?,
        None => 0,
    };
    if parts.next().is_some() {
        return None;
    }
    Some(((hour * 3600 + minute * 60) * TICKS_PER_SECOND + ticks, parse_offset(zone)?))
}

fn parse_seconds(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = fraction.get(..7).unwrap_or(fraction);
    let scaled = if digits.is_empty() { 0 } else { number(&format!("{digits:0<7}"), 7)? };
    fraction.bytes().all(|byte| byte.is_ascii_digit()).then_some(())?;
    Some(number(whole, 2)? * TICKS_PER_SECOND + scaled)
}

fn parse_offset(zone: &str) -> Option<i64> {
    let (sign, digits) = match zone.chars().next() {
        None => return Some(0),
        Some('Z' | 'z') => return (zone.len() == 1).then_some(0),
        Some('-') => (-1, &zone[1..]),
        Some(_) => (1, &zone[1..]),
    };
    let digits: String = digits.chars().filter(|c| *c != ':').collect();
    let hour = number(digits.get(..2)?, 2)?;
    let minute = digits.get(2..).filter(|rest| !rest.is_empty()).map_or(Some(0), |rest| number(rest, 2))?;
    Some(sign * (hour * 3600 + minute * 60) * TICKS_PER_SECOND)
}

fn parse_american(text: &str) -> Option<i64> {
    let (date, clock) = text.split_once(' ').unwrap_or((text, ""));
    let mut parts = date.split(['/', '-']);
    let month = number(parts.next()?, 2)?;
    let day = number(parts.next()?, 2)?;
    let year = number(parts.next().filter(|year| year.len() == 4)?, 4)?;
    let (of_day, offset) = if clock.is_empty() { (0, 0) } else { parse_clock(clock)? };
    in_range(Civil { year, month, day, of_day: 0 }.ticks()? + of_day - offset)
}

/// `Sat, 8 Nov 14 15:05:02 GMT`, `8 Nov 2014`, `Nov 8 2014 10:00`.
fn parse_with_month_name(text: &str) -> Option<i64> {
    let text = text.split_once(',').map_or(text, |(_, rest)| rest).trim();
    let words: Vec<&str> = text.split_whitespace().collect();
    let month_at = words.iter().take(2).position(|word| month_named(word).is_some())?;
    let month = month_named(words[month_at])?;
    let day = number(words.get(1 - month_at)?.trim_end_matches(','), 2)?;
    let year = match number(words.get(2)?, 4)? {
        short if short < 50 => 2000 + short,
        short if short < 100 => 1900 + short,
        year => year,
    };
    let (of_day, offset) = if words.len() > 3 { parse_clock(&words[3..].join(" "))? } else { (0, 0) };
    in_range(Civil { year, month, day, of_day: 0 }.ticks()? + of_day - offset)
}

fn month_named(word: &str) -> Option<i64> {
    let word = word.to_ascii_lowercase();
    let at = MONTHS.iter().position(|name| word.len() >= 3 && name.to_ascii_lowercase().starts_with(&word))?;
    i64::try_from(at + 1).ok()
}

pub(crate) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

fn in_range(ticks: i64) -> Option<i64> {
    Some(ticks).filter(|ticks| (0..=INSTANT_MAX).contains(ticks))
}

fn number(text: &str, digits_max: usize) -> Option<i64> {
    let fits = !text.is_empty() && text.len() <= digits_max && text.bytes().all(|byte| byte.is_ascii_digit());
    if fits { text.parse().ok() } else { None }
}

/// Ticks of a duration's text: `[-][d.]hh:mm[:ss[.fffffff]]`, a number of days, or a number with a unit (`1.5h`).
pub fn parse_span(text: &str) -> Option<i64> {
    let text = text.trim();
    let (negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let text = text.trim_start_matches('+').trim();
    let ticks = if text.contains(':') { parse_span_clock(text)? } else { parse_span_unit(text)? };
    Some(if negative { -ticks } else { ticks })
}

fn parse_span_clock(text: &str) -> Option<i64> {
    let mut parts: Vec<&str> = text.split(':').collect();
    let mut days = 0;
    if let Some((day, hour)) = parts[0].split_once('.') {
        days = number(day, 8)?;
        parts[0] = hour;
    } else if parts.len() == 4 {
        days = number(parts.remove(0), 8)?;
    }
    let hour = number(parts[0], 2).filter(|hour| *hour < 24)?;
    let minute = number(parts.get(1)?, 2).filter(|minute| *minute < 60)?;
    let second = match parts.get(2) {
        Some(second) => parse_seconds(second).filter(|ticks| *ticks < 60 * TICKS_PER_SECOND)?,
        None => 0,
    };
    if parts.len() > 3 {
        return None;
    }
    days.checked_mul(TICKS_PER_DAY)?.checked_add((hour * 3600 + minute * 60) * TICKS_PER_SECOND + second)
}

fn parse_span_unit(text: &str) -> Option<i64> {
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let (amount, unit) = text.split_at(end);
    let scale = if unit.is_empty() { TICKS_PER_DAY } else { unit_ticks(unit.trim())? };
    if let Ok(whole) = amount.parse::<i64>() {
        return whole.checked_mul(scale);
    }
    span_of_real(amount.parse::<f64>().ok()?, scale)
}

/// That many units, rounded to a tick.
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "the bound is checked first")]
pub(crate) fn span_of_real(amount: f64, unit: i64) -> Option<i64> {
    let ticks = (amount * unit as f64).round();
    (ticks.abs() < 9.2e18).then_some(ticks as i64)
}

/// Ticks in one of the units that a literal can carry.
pub(crate) fn unit_ticks(unit: &str) -> Option<i64> {
    Some(match unit {
        "d" | "day" | "days" => TICKS_PER_DAY,
        "h" | "hr" | "hrs" | "hour" | "hours" => 3600 * TICKS_PER_SECOND,
        "m" | "min" | "minute" | "minutes" => 60 * TICKS_PER_SECOND,
        "s" | "sec" | "second" | "seconds" => TICKS_PER_SECOND,
        "ms" | "milli" | "millis" | "millisec" | "millisecond" | "milliseconds" => TICKS_PER_SECOND / 1_000,
        "micro" | "micros" | "microsec" | "microsecond" | "microseconds" => 10,
        "tick" | "ticks" => 1,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_go_in_and_come_out() {
        for text in ["0001-01-01T00:00:00.0000000Z", "2024-02-29T23:59:59.1234567Z", "9999-12-31T23:59:59.9999999Z"] {
            assert_eq!(InstantText(parse_instant(text).unwrap()).to_string(), text);
        }
    }

    #[test]
    fn the_shapes_of_an_instant() {
        let expect = "2024-03-05T10:20:00.0000000Z";
        let shapes = [
            "2024-03-05 10:20",
            "2024-03-05T12:20:00+02:00",
            "3/5/2024 10:20:00 AM",
            "Tue, 5 Mar 2024 10:20:00 GMT",
            "5 Mar 24 10:20:00 GMT",
            "20240305 10:20",
        ];
        for text in shapes {
            assert_eq!(InstantText(parse_instant(text).expect(text)).to_string(), expect, "{text}");
        }
        for text in ["", "2024-13-01", "2023-02-29", "10", "hello", "2024-03-05T25:00:00"] {
            assert_eq!(parse_instant(text), None, "{text}");
        }
    }

    #[test]
    fn the_shapes_of_a_duration() {
        for (text, expect) in [
            ("1d", "1.00:00:00"),
            ("1.5h", "01:30:00"),
            ("-0:00:01.5", "-00:00:01.5000000"),
            ("2.03:04:05", "2.03:04:05"),
            ("2", "2.00:00:00"),
            ("10ms", "00:00:00.0100000"),
        ] {
            assert_eq!(SpanText(parse_span(text).expect(text)).to_string(), expect, "{text}");
        }
        assert_eq!(parse_span("1 parsec"), None);
    }
}
