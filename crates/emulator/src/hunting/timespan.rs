//! Graph's `Timespan`: an ISO 8601 duration, an instant, or two of them with a slash.

use jiff::{SignedDuration, SpanRelativeTo, Timestamp, civil};

use crate::world::Ticks;

/// The window that a text asks for, up to now where it names no end. `None`: the text is none of the forms.
pub(super) fn window(text: &str, now: Ticks) -> Option<(Ticks, Ticks)> {
    let text = text.trim();
    let Some((first, second)) = text.split_once('/') else {
        return match duration(text) {
            Some(length) => Some((back(now, length), now)),
            None => Some((instant(text)?, now)),
        };
    };
    let (start, end) = match (duration(first), duration(second)) {
        (Some(length), None) => {
            let end = instant(second)?;
            (back(end, length), end)
        }
        (None, Some(length)) => {
            let start = instant(first)?;
            (start, back(start, -length))
        }
        (None, None) => (instant(first)?, instant(second)?),
        (Some(_), Some(_)) => return None,
    };
    (start <= end).then_some((start, end))
}

fn back(from: Ticks, length: SignedDuration) -> Ticks {
    let ticks = i64::try_from(length.as_nanos() / 100).unwrap_or(i64::MAX / 4);
    Ticks(from.0.saturating_sub(ticks))
}

/// A month counts 30 days here and a year 365: the window has no calendar (G).
fn duration(text: &str) -> Option<SignedDuration> {
    if !text.starts_with(['P', 'p']) {
        return None;
    }
    let span: jiff::Span = text.to_ascii_uppercase().parse().ok()?;
    let days = i64::from(span.get_months()) * 30 + i64::from(span.get_years()) * 365;
    let rest = span.try_years(0).ok()?.try_months(0).ok()?;
    let rest = rest.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?;
    let length = rest.checked_add(SignedDuration::from_hours(days.checked_mul(24)?))?;
    (!length.is_negative()).then_some(length)
}

/// With an offset, or in UTC without one; a date alone is its midnight.
fn instant(text: &str) -> Option<Ticks> {
    let text = text.trim();
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(Ticks::from(at));
    }
    let civil: civil::DateTime = text.parse().ok()?;
    civil.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|at| Ticks::from(at.timestamp()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Ticks {
        Ticks::from(text.parse::<Timestamp>().unwrap())
    }

    #[test]
    fn every_form_of_the_page_is_read() {
        let now = at("2026-11-22T08:00:00Z");
        for (text, start, end) in [
            ("P30D", "2026-10-23T08:00:00Z", "2026-11-22T08:00:00Z"),
            ("PT5H30M", "2026-11-22T02:30:00Z", "2026-11-22T08:00:00Z"),
            ("P2W", "2026-11-08T08:00:00Z", "2026-11-22T08:00:00Z"),
            ("P1M", "2026-10-23T08:00:00Z", "2026-11-22T08:00:00Z"),
            ("2026-11-01T00:00:00Z/2026-11-02T00:00:00Z", "2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z"),
            ("P1D/2026-11-02T00:00:00Z", "2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z"),
            ("2026-11-01T00:00:00+01:00/P1D", "2026-10-31T23:00:00Z", "2026-11-01T23:00:00Z"),
            ("2026-11-20T00:00:00Z", "2026-11-20T00:00:00Z", "2026-11-22T08:00:00Z"),
            ("2026-11-20", "2026-11-20T00:00:00Z", "2026-11-22T08:00:00Z"),
        ] {
            assert_eq!(window(text, now), Some((at(start), at(end))), "{text}");
        }
    }

    #[test]
    fn the_rest_is_refused() {
        let now = at("2026-11-22T08:00:00Z");
        for text in ["", "30d", "P", "/", "P1D/P1D", "P1D/", "-P1D", "2026-11-02/2026-11-01", "yesterday"] {
            assert_eq!(window(text, now), None, "{text}");
        }
    }
}
