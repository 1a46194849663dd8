//! From bytes to one JSON value, whether they are JSON or YAML; with bounds, and with the line of what is wrong.

mod json;
mod yaml;

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::{error::ImportError, report::Notes};

/// How much one document may hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) bytes_max: usize,
    pub(crate) values_max: usize,
}

/// The value that a JSON or YAML document describes.
pub(crate) fn read(bytes: &[u8], bounds: Bounds, notes: &mut Notes) -> Result<Value, ImportError> {
    if bytes.len() > bounds.bytes_max {
        return Err(ImportError::TooLarge { bytes: bytes.len(), bytes_max: bounds.bytes_max });
    }
    let text = decode(bytes)?;
    if !text.trim_start().starts_with(['{', '[']) {
        return yaml::read(&text, bounds, notes);
    }
    let mut quiet = Notes::default();
    let error = match json::read(&text, bounds, &mut quiet) {
        Ok(value) => {
            *notes = quiet;
            return Ok(value);
        }
        Err(error @ ImportError::Syntax { .. }) => error,
        Err(error) => return Err(error),
    };
    for (sloppy, note) in [
        (json::read as Reader, "half a character (a lone surrogate such as `\\ud800`) is replaced by `\u{FFFD}`"),
        // YAML's braces allow trailing commas, comments and bare words. Its complaint about JSON would mislead.
        (yaml::read as Reader, "the document is not quite JSON; it was read as YAML"),
    ] {
        let mut quiet = Notes::default();
        if let Ok(value) = sloppy(&with_whole_characters(&text), bounds, &mut quiet) {
            *notes = quiet;
            notes.add("#", note);
            return Ok(value);
        }
    }
    Err(error)
}

type Reader = fn(&str, Bounds, &mut Notes) -> Result<Value, ImportError>;

/// JSON in which each escaped surrogate has its other half; a lone one stands for no character.
fn with_whole_characters(text: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let mut done = 0;
    let mut at = 0;
    while let Some(found) = text[at..].find('\\') {
        at += found;
        let escape = &text[at..];
        match surrogate(escape) {
            None => at += 1 + escape[1..].chars().next().map_or(0, char::len_utf8),
            Some(0xD800..=0xDBFF) if matches!(surrogate(&escape[6..]), Some(0xDC00..=0xDFFF)) => at += 12,
            Some(_) => {
                out.push_str(&text[done..at]);
                out.push('\u{FFFD}');
                at += 6;
                done = at;
            }
        }
    }
    if done == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(&text[done..]);
    Cow::Owned(out)
}

fn surrogate(escape: &str) -> Option<u32> {
    let digits = escape.strip_prefix("\\u")?.get(..4)?;
    u32::from_str_radix(digits, 16).ok().filter(|unit| (0xD800..=0xDFFF).contains(unit))
}

fn decode(bytes: &[u8]) -> Result<Cow<'_, str>, ImportError> {
    match bytes {
        [0xEF, 0xBB, 0xBF, rest @ ..] => utf8(rest),
        [0xFF, 0xFE, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xFE, 0xFF, rest @ ..] => utf16(rest, u16::from_be_bytes),
        _ => utf8(bytes),
    }
}

fn utf8(bytes: &[u8]) -> Result<Cow<'_, str>, ImportError> {
    std::str::from_utf8(bytes).map(Cow::Borrowed).map_err(|error| {
        let before = &bytes[..error.valid_up_to()];
        ImportError::NotText { line: 1 + before.iter().filter(|&&byte| byte == b'\n').count() }
    })
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<Cow<'static, str>, ImportError> {
    let units = bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
    let mut text = String::with_capacity(bytes.len() / 2);
    for decoded in char::decode_utf16(units) {
        let line = || 1 + text.matches('\n').count();
        let c = decoded.map_err(|_| ImportError::NotText { line: line() })?;
        text.push(c);
    }
    Ok(Cow::Owned(text))
}

/// Counts values, so that a small text cannot become a large tree; texts count by their length, too.
struct Budget {
    used: usize,
    values_max: usize,
}

impl Budget {
    fn new(bounds: Bounds) -> Self {
        Self { used: 0, values_max: bounds.values_max }
    }

    /// Whether there is room for this much more.
    fn take(&mut self, count: usize) -> bool {
        self.used = self.used.saturating_add(count);
        self.used <= self.values_max
    }
}

/// What a text weighs, beside the value that it is.
fn weight(text: &str) -> usize {
    1 + text.len() / TEXT_BYTES_PER_VALUE
}

/// What a value weighs with everything in it, by the same measure.
pub(crate) fn weigh(value: &Value) -> usize {
    match value {
        Value::String(text) => weight(text),
        Value::Array(items) => 1 + items.iter().map(weigh).sum::<usize>(),
        Value::Object(map) => 1 + map.iter().map(|(key, item)| weight(key) + weigh(item)).sum::<usize>(),
        _ => 1,
    }
}

/// Puts an entry in. Of two entries with the same key the last one counts; but the members of a top-level object
/// (paths, definitions) are joined, because a path that stands there twice, once for each method, means both.
fn insert(map: &mut Map<String, Value>, key: String, value: Value, depth: usize, line: usize, notes: &mut Notes) {
    use serde_json::map::Entry;
    match map.entry(key) {
        Entry::Vacant(vacant) => {
            vacant.insert(value);
        }
        Entry::Occupied(mut occupied) => {
            let key = occupied.key().clone();
            let joined = match (occupied.get_mut(), value) {
                (Value::Object(first), Value::Object(second)) if depth == 2 => {
                    first.extend(second);
                    true
                }
                (slot, value) => {
                    *slot = value;
                    false
                }
            };
            let what = if joined { "what both hold is joined" } else { "the last one counts" };
            notes.add(format_args!("line {line}"), format!("the key `{key}` is there twice; {what}"));
        }
    }
}

const TEXT_BYTES_PER_VALUE: usize = 64;
/// `serde_json` itself stops at 128.
const DEPTH_MAX: usize = 120;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const BOUNDS: Bounds = Bounds { bytes_max: 1 << 20, values_max: 10_000 };

    #[track_caller]
    fn check(text: &str, expected: &Value) {
        assert_eq!(&read(text.as_bytes(), BOUNDS, &mut Notes::default()).unwrap(), expected);
    }

    #[track_caller]
    fn check_refused(text: &[u8], expected: &str) {
        let error = read(text, BOUNDS, &mut Notes::default()).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn scalars_are_those_of_yaml_1_2() {
        check(
            "[~, null, true, False, no, on, 12, -3, 0x1F, 0o17, 1.5, 1e3, 007]",
            &json!([null, null, true, false, "no", "on", 12, -3, 31, 15, 1.5, 1000.0, 7]),
        );
        check(
            "a: 2026-11-29\nb: 12:30:45\nc: 1_000\nd: .inf\ne: '12'\nf: !!str 12\ng:",
            &json!({
                "a": "2026-11-29", "b": "12:30:45", "c": "1_000", "d": ".inf", "e": "12", "f": "12", "g": null
            }),
        );
        check("200: a\n4.0: b\ntrue: c\nnull: d\n", &json!({ "200": "a", "4.0": "b", "true": "c", "null": "d" }));
        check("18446744073709551615", &json!(18_446_744_073_709_551_615_u64));
    }

    #[test]
    fn anchors_and_merge_keys_are_put_in() {
        check(
            "a: &x { k: 1, l: 2 }\nb: *x\nc: { <<: *x, l: 3 }\nd: { <<: [*x, { m: 4 }] }",
            &json!({
                "a": { "k": 1, "l": 2 }, "b": { "k": 1, "l": 2 }, "c": { "k": 1, "l": 3 }, "d": { "k": 1, "l": 2, "m": 4 }
            }),
        );
    }

    #[test]
    fn an_alias_bomb_is_refused() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..10 {
            let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
            text.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
        }
        check_refused(
            text.as_bytes(),
            "the document holds more than 10000 values once its aliases are put in (line 4); it is refused as a possible attack",
        );
        // The same with one long text instead of many values.
        let long = format!("a: &a {}\nb: [{}]", "x".repeat(64_000), vec!["*a"; 100].join(","));
        check_refused(
            long.as_bytes(),
            "the document holds more than 10000 values once its aliases are put in (line 2); it is refused as a possible attack",
        );
    }

    #[test]
    fn an_alias_inside_of_its_own_anchor_is_an_error() {
        let error = read(b"a: &a [*a]", BOUNDS, &mut Notes::default()).unwrap_err();
        assert!(matches!(&error, ImportError::Syntax { line: 1, .. }), "{error}");
    }

    #[test]
    fn deep_nesting_is_refused() {
        let deep = "[".repeat(100_000);
        for text in [deep.clone(), format!("a: {deep}"), "{\"a\":".repeat(50_000), "- ".repeat(5_000)] {
            let error = read(text.as_bytes(), BOUNDS, &mut Notes::default()).unwrap_err();
            assert!(matches!(error, ImportError::TooDeep { .. } | ImportError::Syntax { .. }), "{error}");
        }
        check_refused(
            "- ".repeat(200).as_bytes(),
            "the document is nested deeper than 120 levels (line 1); flatten it there and try again",
        );
    }

    #[test]
    fn errors_name_the_line() {
        check_refused(
            b"a: 1\nb: \xff\xfe",
            "the document is not text: line 2 has bytes that are not UTF-8; save it as UTF-8 and try again",
        );
        for (text, at) in [("a: 1\nb:\n\t- x\n", 3), ("{\"a\": 1,\n \"b\" 2}", 2), ("a: [1\nb: 2", 2)] {
            match read(text.as_bytes(), BOUNDS, &mut Notes::default()) {
                Err(ImportError::Syntax { line, .. }) => assert_eq!(line, at, "{text}"),
                other => panic!("{text}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_document_past_the_bound_is_not_read() {
        let bounds = Bounds { bytes_max: 10, values_max: 10 };
        let error = read(b"a: 123456789", bounds, &mut Notes::default()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the document has 12 bytes, more than the 10 that are read; split it or raise the limit"
        );
    }

    #[test]
    fn double_keys_are_noted_and_paths_joined() {
        for text in [
            "paths: { /a: { get: 1 }, /a: { put: 2 } }\nx: 1\nx: 2\n",
            r#"{"paths": {"/a": {"get": 1}, "/a": {"put": 2}}, "x": 1, "x": 2}"#,
        ] {
            let mut notes = Notes::default();
            let value = read(text.as_bytes(), BOUNDS, &mut notes).unwrap();
            assert_eq!(value, json!({ "paths": { "/a": { "get": 1, "put": 2 } }, "x": 2 }));
            let texts: Vec<String> = notes.finish().0.into_iter().map(|note| note.text).collect();
            assert_eq!(
                texts,
                [
                    "the key `/a` is there twice; what both hold is joined",
                    "the key `x` is there twice; the last one counts"
                ]
            );
        }
    }

    #[test]
    fn bytes_may_be_utf_16_and_json_may_be_sloppy() {
        let utf16: Vec<u8> = [0xFF, 0xFE].into_iter().chain("a: ä".encode_utf16().flat_map(u16::to_le_bytes)).collect();
        assert_eq!(read(&utf16, BOUNDS, &mut Notes::default()).unwrap(), json!({ "a": "ä" }));
        check("{\"a\": [1, 2,], }", &json!({ "a": [1, 2] }));
        check(
            r#"{"a": "x\ud800y\udc00\\ud800", "b": "\ud83d\ude00", "c": "\ud800"}"#,
            &json!({ "a": "x\u{FFFD}y\u{FFFD}\\ud800", "b": "😀", "c": "\u{FFFD}" }),
        );
        check(r#"{"a": 1e400}"#, &json!({ "a": "1e400" }));
    }
}
