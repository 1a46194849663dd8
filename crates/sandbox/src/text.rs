//! Passes over texts that are cheaper than reading them as JSON.

use serde_json::Value;

/// Whether lists and objects lie deeper within each other than `levels`.
pub(crate) fn is_deeper_than(value: &Value, levels: usize) -> bool {
    let mut below: Box<dyn Iterator<Item = &Value>> = match value {
        Value::Array(items) => Box::new(items.iter()),
        Value::Object(fields) => Box::new(fields.values()),
        _ => return false,
    };
    levels == 0 || below.any(|value| is_deeper_than(value, levels - 1))
}

/// Makes a text that `JSON.stringify` wrote readable everywhere, and says how deep it goes.
///
/// The engine escapes a surrogate only where it has no partner, and then no reader of Unicode takes it: it becomes U+FFFD,
/// whose escape is as long.
pub(crate) fn mend_surrogates(json: &mut [u8]) -> usize {
    let (mut depth, mut deepest, mut in_text, mut at) = (0_usize, 0_usize, false, 0);
    while at < json.len() {
        match (in_text, json[at]) {
            (_, b'"') => in_text = !in_text,
            (true, b'\\') => {
                if let Some(escape @ [b'u', b'd' | b'D', b'8'..=b'9' | b'a'..=b'f' | b'A'..=b'F', _, _]) =
                    json.get_mut(at + 1..at + 6)
                {
                    escape.copy_from_slice(b"ufffd");
                }
                at += 1;
            }
            (false, b'[' | b'{') => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            (false, b']' | b'}') => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
    }
    deepest
}

/// The beginning of a text, whole characters only, with a mark where something is missing.
pub(crate) fn cut(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(json: &str, expected: &str, depth: usize) {
        let mut bytes = json.as_bytes().to_vec();
        assert_eq!(mend_surrogates(&mut bytes), depth);
        assert_eq!(String::from_utf8(bytes).unwrap(), expected);
    }

    #[test]
    fn a_lonely_surrogate_is_replaced_and_nothing_else() {
        check(r#"["\ud800x","\udfff"]"#, r#"["\ufffdx","\ufffd"]"#, 1);
        check(r#"{"\udead":{"a":["\\ud800"]}}"#, r#"{"\ufffd":{"a":["\\ud800"]}}"#, 3);
        check(r#""\\\ud800\u0001\"[[[""#, r#""\\\ufffd\u0001\"[[[""#, 0);
        check(r#""\ud7ff\u""#, r#""\ud7ff\u""#, 0);
    }

    #[test]
    fn depth_is_counted_in_values_and_in_texts_alike() {
        let mut value = json!(1);
        for _ in 0..5 {
            value = json!({ "a": [value] });
        }
        assert!(is_deeper_than(&value, 9) && !is_deeper_than(&value, 10));
        check(&value.to_string(), &value.to_string(), 10);
    }

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!(cut("äöü", 3), "äöü");
        assert_eq!(cut("äöü", 2), "äö…");
    }
}
