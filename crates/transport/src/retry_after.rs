//! When a service says how long to wait: in a header, or only in words.

use std::time::Duration;

use http::{HeaderMap, header};
use jiff::Timestamp;

/// How long the answer asks to wait, at most `cap`; `None` when it does not say.
///
/// The header is read as seconds, whole or fractional (Graph sends "2.128"), or as an HTTP date (RFC 9110 section 10.2.3),
/// which is compared with the answer's own `Date`, so that a wrong local clock does no harm. Without a header the body is
/// searched: an XDR incident update names the time of the next allowed call there, and hunting names a duration.
pub fn retry_after(headers: &HeaderMap, body: &[u8], now: Timestamp, cap: Duration) -> Option<Duration> {
    let remote_now = header_text(headers, &header::DATE).and_then(http_date).unwrap_or(now);
    let wait = match header_text(headers, &header::RETRY_AFTER) {
        Some(text) => seconds(text).or_else(|| http_date(text).map(|until| until_from(remote_now, until))),
        None => None,
    };
    let wait = wait.or_else(|| from_words(body, remote_now))?;
    Some(wait.min(cap))
}

fn header_text<'a>(headers: &'a HeaderMap, name: &header::HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

fn seconds(text: &str) -> Option<Duration> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let seconds: f64 = if plain { text.parse().ok()? } else { return None };
    Some(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
}

fn http_date(text: &str) -> Option<Timestamp> {
    let zoned = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    Some(zoned)
}

fn until_from(now: Timestamp, until: Timestamp) -> Duration {
    Duration::try_from(until.duration_since(now)).unwrap_or(Duration::ZERO)
}

/// A time stamp, or a number followed by a unit, in the first words of an error text.
fn from_words(body: &[u8], now: Timestamp) -> Option<Duration> {
    let text = String::from_utf8_lossy(&body[..body.len().min(WORDS_BYTES_MAX)]);
    let words: Vec<&str> = text
        .split(|c: char| c.is_whitespace() || matches!(c, '"' | ',' | ';' | '(' | ')' | '<' | '>' | '{' | '}'))
        .map(|word| word.trim_end_matches(['.', '!', '\'']).trim_start_matches('\''))
        .filter(|word| !word.is_empty())
        .collect();
    if let Some(until) = words.iter().find_map(|word| word.parse::<Timestamp>().ok()) {
        return Some(until_from(now, until));
    }
    words.windows(2).find_map(|pair| {
        let amount = seconds(pair[0])?;
        let unit = pair[1].to_ascii_lowercase();
        let factor = match unit.trim_end_matches('s') {
            "second" | "sec" => 1,
            "minute" | "min" => 60,
            "hour" => 3600,
            _ => return None,
        };
        Some(amount.saturating_mul(factor))
    })
}

/// Error texts are short; what follows is not searched.
const WORDS_BYTES_MAX: usize = 4096;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CAP: Duration = Duration::from_secs(900);

    #[track_caller]
    fn check(pairs: &[(&str, &str)], body: &str, expected_ms: Option<u128>) {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(header::HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
        }
        let now = "2026-11-22T10:00:00Z".parse().unwrap();
        let wait = retry_after(&headers, body.as_bytes(), now, CAP);
        assert_eq!(wait.map(|wait| wait.as_millis()), expected_ms, "{pairs:?} {body:?}");
    }

    #[test]
    fn seconds_may_be_fractional_and_are_capped() {
        check(&[("retry-after", "12")], "", Some(12_000));
        check(&[("retry-after", " 2.128 ")], "", Some(2_128));
        check(&[("retry-after", "0")], "", Some(0));
        check(&[("retry-after", "99999999999999999999999")], "", Some(900_000));
        for nonsense in ["-5", "1e3", "inf", "NaN", "soon", "", "."] {
            check(&[("retry-after", nonsense)], "", None);
        }
    }

    #[test]
    fn dates_are_compared_with_the_answers_own_date() {
        check(&[("retry-after", "Sun, 22 Nov 2026 10:00:30 GMT")], "", Some(30_000));
        let hour_off = [("retry-after", "Sun, 22 Nov 2026 11:00:30 GMT"), ("date", "Sun, 22 Nov 2026 11:00:00 GMT")];
        check(&hour_off, "", Some(30_000));
        check(&[("retry-after", "Sun, 22 Nov 2026 09:00:00 GMT")], "", Some(0));
    }

    #[test]
    fn without_a_header_the_words_of_the_body_count() {
        check(&[], r#"{"error":{"message":"Next call is allowed at 2026-11-22T10:00:45.0000000Z."}}"#, Some(45_000));
        check(&[], "You can run queries again in 15 minutes.", Some(900_000));
        check(&[], "try again in 7 seconds", Some(7_000));
        check(&[], "Too many requests", None);
        check(&[("retry-after", "3")], "try again in 7 seconds", Some(3_000));
    }

    proptest! {
        #[test]
        fn nothing_panics_and_nothing_passes_the_cap(
            value in "[0-9]{0,25}[0-9.]{1,3}|Sun, 22 Nov [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT|[ -~]{0,40}",
            body in any::<Vec<u8>>(),
        ) {
            let mut headers = HeaderMap::new();
            headers.insert(header::RETRY_AFTER, value.parse().unwrap());
            if let Some(wait) = retry_after(&headers, &body, Timestamp::UNIX_EPOCH, CAP) {
                prop_assert!(wait <= CAP);
            }
        }

        #[test]
        fn words_that_look_like_times_do_not_panic_nor_pass_the_cap(
            text in "(in |at |[0-9]{1,25}|[0-9T:.Z-]{1,30}|[0-9]{4}-11-22T10:00:00Z| seconds| hours|\"){0,12}",
        ) {
            for now in [Timestamp::MIN, Timestamp::UNIX_EPOCH, Timestamp::MAX] {
                if let Some(wait) = retry_after(&HeaderMap::new(), text.as_bytes(), now, CAP) {
                    prop_assert!(wait <= CAP);
                }
            }
        }
    }
}
