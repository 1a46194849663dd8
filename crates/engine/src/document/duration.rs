//! Spans of time as people write them: `90s`, `30m`, `4h`, `1d 12h`.

use std::time::Duration;

/// Why a text is no span of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// Not numbers with units.
    #[error("expected a span of time such as `90s`, `30m`, `4h` or `2d`")]
    Shape,
    /// Nothing, or longer than a year.
    #[error("expected a span of time from one second to 366 days")]
    Bounds,
}

/// Reads whole numbers with `ms`, `s`, `m`, `h` or `d` behind, each unit once, the larger first.
///
/// # Errors
/// [`DurationError`] for another shape, and for spans under a millisecond or over 366 days.
pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    let mut rest = text.trim();
    let (mut total, mut last) = (Duration::ZERO, u64::MAX);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or(DurationError::Shape)?;
        let number: u64 = rest[..digits].parse().map_err(|_| DurationError::Shape)?;
        rest = &rest[digits..];
        let end = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let unit_ms = match &rest[..end] {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(DurationError::Shape),
        };
        if unit_ms >= last {
            return Err(DurationError::Shape);
        }
        last = unit_ms;
        let part = number.checked_mul(unit_ms).map(Duration::from_millis).ok_or(DurationError::Bounds)?;
        total = total.checked_add(part).ok_or(DurationError::Bounds)?;
        rest = rest[end..].trim_start();
    }
    match total {
        Duration::ZERO if last == u64::MAX => Err(DurationError::Shape),
        Duration::ZERO => Err(DurationError::Bounds),
        total if total > Duration::from_secs(366 * 86_400) => Err(DurationError::Bounds),
        total => Ok(total),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_as_people_write_them() {
        #[track_caller]
        fn check(text: &str, expected: Result<u64, DurationError>) {
            assert_eq!(parse_duration(text), expected.map(Duration::from_millis), "{text:?}");
        }
        check("90s", Ok(90_000));
        check(" 1d 12h ", Ok(129_600_000));
        check("1h30m", Ok(5_400_000));
        check("250ms", Ok(250));
        check("366d", Ok(31_622_400_000));
        check("", Err(DurationError::Shape));
        check("5", Err(DurationError::Shape));
        check("5 minutes", Err(DurationError::Shape));
        check("30m 1h", Err(DurationError::Shape));
        check("1s1s", Err(DurationError::Shape));
        check("-5s", Err(DurationError::Shape));
        check("1.5h", Err(DurationError::Shape));
        check("0s", Err(DurationError::Bounds));
        check("367d", Err(DurationError::Bounds));
        check("99999999999999999999d", Err(DurationError::Shape));
        check("9999999999999999d", Err(DurationError::Bounds));
    }
}
