//! JSON as it arrives from others.

use serde_json::Value;

/// Reads JSON, also such as it allows and no reader of Unicode and doubles takes: half a surrogate pair becomes U+FFFD, a
/// number beyond a double becomes null. Nothing is lost for either.
///
/// # Errors
/// Where it is none.
pub fn lenient_json(text: &str) -> serde_json::Result<Value> {
    serde_json::from_str(text).or_else(|_| serde_json::from_str(&mended(text)))
}

fn mended(text: &str) -> String {
    let mut mended = String::with_capacity(text.len());
    let mut rest = text;
    let mut in_text = false;
    while let Some(c) = rest.chars().next() {
        let taken = match c {
            '"' => {
                in_text = !in_text;
                1
            }
            '\\' if in_text => match (half(rest), half(rest.get(6..).unwrap_or_default())) {
                (Some(false), Some(true)) => 12,
                (Some(_), _) => {
                    mended.push_str("\\ufffd");
                    rest = &rest[6..];
                    continue;
                }
                // The backslash and the character after it, so that `\\ud800` stays text.
                (None, _) => 1 + rest[1..].chars().next().map_or(0, char::len_utf8),
            },
            '-' | '0'..='9' if !in_text => {
                let end = rest.find(|c: char| !matches!(c, '-' | '+' | '.' | 'e' | 'E' | '0'..='9'));
                let number = &rest[..end.unwrap_or(rest.len())];
                if number.parse::<f64>().is_ok_and(f64::is_infinite) {
                    mended.push_str("null");
                    rest = &rest[number.len()..];
                    continue;
                }
                number.len()
            }
            other => other.len_utf8(),
        };
        mended.push_str(&rest[..taken]);
        rest = &rest[taken..];
    }
    mended
}

/// Whether an escape of half a surrogate pair stands here, and whether it is the second half.
fn half(text: &str) -> Option<bool> {
    let digits =
        text.strip_prefix("\\u")?.get(..4).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
    match u16::from_str_radix(digits, 16).ok()? {
        0xD800..=0xDBFF => Some(false),
        0xDC00..=0xDFFF => Some(true),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_no_reader_takes_is_mended_and_nothing_else() {
        #[track_caller]
        fn check(text: &str, expected: Option<Value>) {
            assert_eq!(lenient_json(text).ok(), expected, "{text}");
        }
        check(r#"{"title":"\ud83dx","n":-1E999}"#, Some(json!({ "title": "\u{fffd}x", "n": null })));
        check(r#"["\ud83d\ude00","\ud800\ud83d\ude00"]"#, Some(json!(["\u{1f600}", "\u{fffd}\u{1f600}"])));
        check(r#"["\\ud800","1e400"]"#, Some(json!(["\\ud800", "1e400"])));
        check(r#"["\ud8"#, None);
        check("", None);
    }
}
