//! Instants and spans as people write them.

use jiff::{SignedDuration, Timestamp};

use crate::exit::Problem;

/// An instant, or a span before now: `30m`, `24h`, `7d`, `2w`.
pub(crate) fn since(text: &str, now: Timestamp) -> anyhow::Result<Timestamp> {
    let wrong = || {
        Problem::usage(
            format!("`{text}` is no time"),
            "Write 30m, 24h, 7d, 2w, or an instant such as 2026-11-22T03:00:00Z.",
        )
    };
    let text = text.trim();
    if let Ok(at) = text.parse() {
        return Ok(at);
    }
    let span = read_span(text).ok_or_else(wrong)?;
    now.checked_sub(span).map_err(|_| wrong().into())
}

/// A span: `90s`, `30m`, `24h`, `7d`, `2w`.
pub(crate) fn span(text: &str) -> anyhow::Result<SignedDuration> {
    read_span(text.trim())
        .ok_or_else(|| Problem::usage(format!("`{text}` is no span of time"), "Write 90s, 30m, 24h, 7d or 2w.").into())
}

/// A day, from its begin in UTC: `2027-03-31`; or an instant.
pub(crate) fn day(text: &str) -> Result<Timestamp, &'static str> {
    let text = text.trim();
    let begin =
        || text.parse::<jiff::civil::Date>().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|day| day.timestamp());
    text.parse().ok().or_else(begin).ok_or("expected a day such as 2027-03-31")
}

fn read_span(text: &str) -> Option<SignedDuration> {
    let unit = match text.chars().last()? {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        'w' => 7 * 86_400,
        _ => return None,
    };
    let count: u32 = text[..text.len() - 1].trim().parse().ok()?;
    Some(SignedDuration::from_secs(unit * i64::from(count)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_an_instant_or_a_span_before_now() {
        let now: Timestamp = "2026-11-22T03:00:00Z".parse().unwrap();
        #[track_caller]
        fn check(text: &str, now: Timestamp, expected: Option<&str>) {
            assert_eq!(since(text, now).ok(), expected.map(|at| at.parse().unwrap()), "{text}");
        }
        check("24h", now, Some("2026-11-21T03:00:00Z"));
        check(" 7d ", now, Some("2026-11-15T03:00:00Z"));
        check("90s", now, Some("2026-11-22T02:58:30Z"));
        check("2026-01-01T00:00:00Z", now, Some("2026-01-01T00:00:00Z"));
        for wrong in ["", "d", "7", "-7d", "7y", "yesterday", "7ü", "4294967295w"] {
            check(wrong, now, None);
        }
    }
}
