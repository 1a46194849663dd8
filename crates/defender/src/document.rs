//! One JSON object as the service sent it, kept whole: what cannot be read is not lost, and nothing is reshaped.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, de::IgnoredAny};
use serde_json::{Value, value::RawValue};

/// The text of one object, on one line, with every member that the service sent.
#[derive(Clone, PartialEq, Eq)]
pub struct Document {
    text: Box<str>,
    defect: Option<Defect>,
}

/// Why a document is not the service's text byte for byte, or cannot be read at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Defect {
    /// A `\ud800`-like escape without its partner became U+FFFD.
    #[error("a broken character was replaced")]
    LoneSurrogate,
    /// A number beyond the range of a double became `null`.
    #[error("a number out of range was dropped")]
    NumberOutOfRange,
    /// It is kept as text; no member of it can be read.
    #[error("the object cannot be read")]
    Unreadable,
}

impl Document {
    /// Keeps one object, mending what stands in the way of reading it.
    pub fn new(text: &str) -> Self {
        let line = on_one_line(text.trim());
        if serde_json::from_str::<Value>(&line).is_ok() {
            return Self { text: line.into(), defect: None };
        }
        let mended = without_lone_surrogates(&line);
        if serde_json::from_str::<Value>(&mended).is_ok() {
            return Self { text: mended.into(), defect: Some(Defect::LoneSurrogate) };
        }
        let mended = without_numbers_out_of_range(&mended);
        if serde_json::from_str::<Value>(&mended).is_ok() {
            return Self { text: mended.into(), defect: Some(Defect::NumberOutOfRange) };
        }
        Self { text: line.into(), defect: Some(Defect::Unreadable) }
    }

    /// Keeps one item of a page that has been read as JSON: mostly nothing stands in the way, and one pass shows it.
    pub(crate) fn of_item(item: &RawValue) -> Self {
        let text = item.get();
        if is_plain(text) { Self { text: text.into(), defect: None } } else { Self::new(text) }
    }

    /// The object's text on one line: what `--jsonl` prints.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What was mended, if anything.
    pub fn defect(&self) -> Option<Defect> {
        self.defect
    }

    /// All members as a tree; `null` when the document is unreadable.
    pub fn to_value(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }

    /// The object with one more member, a list of objects; it must not have that member already.
    pub(crate) fn with_list(&self, name: &str, items: &[Self]) -> Self {
        let Some(open) = self.text.strip_suffix('}') else { return self.clone() };
        let comma = if open.trim_end().ends_with('{') { "" } else { "," };
        let items: Vec<&str> = items.iter().map(Self::as_str).collect();
        Self { text: format!("{open}{comma}\"{name}\":[{}]}}", items.join(",")).into(), defect: self.defect }
    }

    /// The member `name` as text, without building the tree. Numbers and strings both count: APIs disagree on ids.
    pub(crate) fn id(&self, name: &str) -> Option<String> {
        let value = self.to_value_of(name)?;
        scalar(&value)
    }

    fn to_value_of(&self, name: &str) -> Option<Value> {
        struct Picked<'a>(&'a str);
        impl<'de> serde::de::DeserializeSeed<'de> for Picked<'_> {
            type Value = Option<Value>;
            fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
                deserializer.deserialize_map(self)
            }
        }
        impl<'de> serde::de::Visitor<'de> for Picked<'_> {
            type Value = Option<Value>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut found = None;
                while let Some(key) = map.next_key::<std::borrow::Cow<'de, str>>()? {
                    if found.is_none() && key == self.0 {
                        found = Some(map.next_value()?);
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(found)
            }
        }
        let mut deserializer = serde_json::Deserializer::from_str(&self.text);
        serde::de::DeserializeSeed::deserialize(Picked(name), &mut deserializer).ok().flatten()
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Document({} bytes, {:?})", self.text.len(), self.defect)
    }
}

/// A list answer: `{"value": [..], "@odata.nextLink": ..}`.
#[derive(Debug)]
pub struct Page {
    /// The objects as they came.
    pub items: Vec<Document>,
    /// Where the next page is.
    pub next_link: Option<String>,
    /// `@odata.context`: what the list is about.
    pub context: Option<String>,
    /// `@odata.count`: how many there are in all, where it was asked for.
    pub count: Option<u64>,
}

/// Reads a page item by item, so that one broken object does not cost the others.
///
/// # Errors
/// When the page itself is no JSON object: the answer was cut or is not the API's.
pub fn read_page(body: &[u8]) -> Result<Page, serde_json::Error> {
    #[derive(Deserialize)]
    struct Wire<'a> {
        #[serde(borrow, default)]
        value: Option<Vec<&'a RawValue>>,
        #[serde(borrow, default, rename = "@odata.nextLink")]
        next_link: Option<std::borrow::Cow<'a, str>>,
        #[serde(default, rename = "@odata.context")]
        context: Value,
        #[serde(default, rename = "@odata.count")]
        count: Value,
    }
    // A stray byte that is not UTF-8 costs one character, not the page.
    let text = String::from_utf8_lossy(body);
    let wire: Wire<'_> = serde_json::from_str(&text)?;
    let items = wire.value.unwrap_or_default().into_iter().map(Document::of_item).collect();
    let next_link = wire.next_link.filter(|link| !link.is_empty()).map(std::borrow::Cow::into_owned);
    let count = scalar(&wire.count).and_then(|count| count.parse().ok());
    Ok(Page { items, next_link, context: scalar(&wire.context), count })
}

/// The first of `names` that holds text; numbers and booleans count as their spelling, `null` and blanks as absent.
pub(crate) fn text(value: &Value, names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| scalar(value.get(name)?)).filter(|text| !text.trim().is_empty())
}

/// The first of `names` that holds an instant; the services write up to seven digits of fractions, `Z` or an offset.
pub(crate) fn instant(value: &Value, names: &[&str]) -> Option<Timestamp> {
    let text = text(value, names)?;
    text.parse().or_else(|_| format!("{text}Z").parse()).ok()
}

/// The first of `names` that holds a whole number, also one that is written as text.
pub(crate) fn number(value: &Value, names: &[&str]) -> Option<i64> {
    text(value, names)?.parse().ok()
}

/// The list `name`; `null`, an absent member and a single value all make a list.
pub(crate) fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    match value.get(name) {
        Some(Value::Array(items)) => items,
        None | Some(Value::Null) => &[],
        Some(single) => std::slice::from_ref(single),
    }
}

/// The texts of the list `name`.
pub(crate) fn texts(value: &Value, name: &str) -> Vec<String> {
    list(value, name).iter().filter_map(scalar).collect()
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(yes) => Some(yes.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Whether valid JSON has nothing that needs mending: no `\u` escape, no exponent, no huge number, no line break.
fn is_plain(text: &str) -> bool {
    let (mut quoted, mut escaped, mut digits) = (false, false, 0_usize);
    for byte in text.bytes() {
        if quoted {
            if escaped && byte == b'u' {
                return false;
            }
            (quoted, escaped) = (escaped || byte != b'"', !escaped && byte == b'\\');
            continue;
        }
        let exponent = digits > 0 && matches!(byte, b'e' | b'E');
        digits = if byte.is_ascii_digit() { digits + 1 } else { 0 };
        if exponent || digits > 300 || matches!(byte, b'\n' | b'\r') {
            return false;
        }
        quoted = byte == b'"';
    }
    true
}

/// Drops line breaks and indentation between tokens. Text within strings stays; a line break that stands there bare,
/// which JSON forbids, is escaped.
fn on_one_line(text: &str) -> String {
    if !text.contains(['\n', '\r']) {
        return text.to_owned();
    }
    let mut line = String::with_capacity(text.len());
    let (mut quoted, mut escaped) = (false, false);
    for c in text.chars() {
        if quoted {
            match c {
                '\n' | '\r' => {
                    line.push_str(if escaped { "" } else { "\\" });
                    line.push(if c == '\n' { 'n' } else { 'r' });
                }
                _ => line.push(c),
            }
            (quoted, escaped) = (escaped || c != '"', !escaped && c == '\\');
        } else if !matches!(c, '\n' | '\r' | '\t' | ' ') {
            quoted = c == '"';
            line.push(c);
        }
    }
    line
}

/// Replaces every `\uD800`..`\uDFFF` escape that has no partner (RFC 8259 section 8.2 leaves them unpredictable).
fn without_lone_surrogates(text: &str) -> String {
    let mut mended = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        mended.push_str(&rest[..at]);
        rest = &rest[at..];
        let taken = match surrogate(rest) {
            Some(Surrogate::High) if rest.get(6..).and_then(surrogate) == Some(Surrogate::Low) => {
                mended.push_str(&rest[..12]);
                12
            }
            Some(_) => {
                mended.push_str("\\ufffd");
                6
            }
            None => {
                // Any other escape: copy the backslash and the character after it, so that `\\ud800` stays text.
                let length = 1 + rest[1..].chars().next().map_or(0, char::len_utf8);
                mended.push_str(&rest[..length]);
                length
            }
        };
        rest = &rest[taken..];
    }
    mended.push_str(rest);
    mended
}

#[derive(PartialEq, Eq)]
enum Surrogate {
    High,
    Low,
}

fn surrogate(text: &str) -> Option<Surrogate> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    match u16::from_str_radix(digits, 16).ok()? {
        0xD800..=0xDBFF => Some(Surrogate::High),
        0xDC00..=0xDFFF => Some(Surrogate::Low),
        _ => None,
    }
}

/// Replaces numbers such as `1e400`, which no double holds, by `null`.
fn without_numbers_out_of_range(text: &str) -> String {
    let mut mended = String::with_capacity(text.len());
    let (mut quoted, mut escaped) = (false, false);
    let mut number = String::new();
    let flush = |number: &mut String, mended: &mut String| {
        let finite = number.parse::<f64>().map_or(true, f64::is_finite);
        mended.push_str(if finite { number } else { "null" });
        number.clear();
    };
    for c in text.chars() {
        if !quoted
            && (c.is_ascii_digit() || matches!(c, '-' | '+' | '.') || (!number.is_empty() && matches!(c, 'e' | 'E')))
        {
            number.push(c);
            continue;
        }
        flush(&mut number, &mut mended);
        if quoted {
            (quoted, escaped) = (escaped || c != '"', !escaped && c == '\\');
        } else {
            quoted = c == '"';
        }
        mended.push(c);
    }
    flush(&mut number, &mut mended);
    mended
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_broken_object_costs_only_itself() {
        let page = read_page(br#"{"value":[{"id":"1"},{"id":"2","t":"\ud800x"},{"id":3,"n":1e400},{"id":"4"}],"@odata.nextLink":"https:\/\/h\/x"}"#).unwrap();
        let seen: Vec<_> = page.items.iter().map(|item| (item.id("id").unwrap(), item.defect())).collect();
        assert_eq!(
            seen,
            [
                ("1".to_owned(), None),
                ("2".to_owned(), Some(Defect::LoneSurrogate)),
                ("3".to_owned(), Some(Defect::NumberOutOfRange)),
                ("4".to_owned(), None)
            ]
        );
        assert_eq!(page.next_link.as_deref(), Some("https://h/x"));
    }

    #[test]
    fn surrogates_are_mended_only_where_they_stand_alone() {
        #[track_caller]
        fn check(input: &str, expected: &str) {
            assert_eq!(without_lone_surrogates(input), expected);
        }
        check(r"\ud83d\ude00", r"\ud83d\ude00");
        check(r"\ud800x", r"\ufffdx");
        check(r"\ude00\ud800", r"\ufffd\ufffd");
        check(r"\\ud800", r"\\ud800");
        check(r"\ud800\ud83d\ude00", r"\ufffd\ud83d\ude00");
        check("\\", "\\");
        check("\\ü", "\\ü");
    }

    #[test]
    fn a_null_list_and_a_null_link_are_an_empty_page() {
        let page = read_page(br#"{"value":null,"@odata.nextLink":null}"#).unwrap();
        assert!(page.items.is_empty() && page.next_link.is_none());
        assert!(read_page(b"{\"value\":[{\"id\"").is_err());
        assert!(read_page(b"<html>").is_err());
    }

    #[test]
    fn line_breaks_go_and_text_stays() {
        assert_eq!(
            Document::new("{\n \"a\": \"x\\n \\\" y\",\r\n \"b\": [ 1, 2 ]\n}").as_str(),
            r#"{"a":"x\n \" y","b":[1,2]}"#
        );
    }

    #[test]
    fn a_bare_line_break_in_a_string_is_mended_and_never_breaks_the_line() {
        let document = Document::new("{\n \"a\": \"x\ny\r\\\nz\"}");
        assert_eq!(document.as_str(), r#"{"a":"x\ny\r\nz"}"#);
        assert_eq!(document.to_value()["a"], "x\ny\r\nz");
        let cut = Document::new("{\n\"Action\": \"A\n}");
        assert_eq!((cut.as_str(), cut.defect()), (r#"{"Action":"A\n}"#, Some(Defect::Unreadable)));
    }

    #[test]
    fn a_list_is_added_as_the_last_member() {
        let items = [Document::new(r#"{"id":"a"}"#), Document::new(r#"{"id":"b"}"#)];
        assert_eq!(
            Document::new(r#"{"id":"1"}"#).with_list("alerts", &items).as_str(),
            r#"{"id":"1","alerts":[{"id":"a"},{"id":"b"}]}"#
        );
        assert_eq!(Document::new("{}").with_list("alerts", &[]).as_str(), r#"{"alerts":[]}"#);
    }

    #[test]
    fn instants_of_every_spelling_are_read() {
        for text in [
            "2026-11-22T01:02:03.1234567Z",
            "2026-11-22T01:02:03Z",
            "2026-11-22T01:02:03.5+00:00",
            "2026-11-22T01:02:03.12",
        ] {
            assert!(instant(&serde_json::json!({ "t": text }), &["t"]).is_some(), "{text}");
        }
        assert_eq!(instant(&serde_json::json!({ "t": "soon" }), &["t"]), None);
    }

    #[test]
    fn a_stray_byte_costs_one_character() {
        let page = read_page(b"{\"value\":[{\"id\":\"1\",\"t\":\"a\xffb\"}]}").unwrap();
        assert_eq!(page.items[0].to_value()["t"], "a\u{fffd}b");
    }

    /// A member's value as JSON allows it and a reader may choke on it: halves of surrogate pairs, numbers beyond a double,
    /// line breaks between tokens.
    fn value() -> impl Strategy<Value = String> {
        let escape = r#"\\u[dD][89abAB][0-9a-f]{2}|\\u[dD][c-f][0-9a-f]{2}|\\u00e9|\\[\\"nt]"#;
        let text = format!(r#""({escape}|[a-z0-9E.,:{{}}\[\] u-]|\\\\){{0,8}}""#);
        let number = r"-?[1-9]([0-9]{0,3}|[0-9]{295,315})(\.[0-9]{1,3})?([eE][+-]?[0-9]{1,3})?";
        let scalar = format!("({text}|{number}|true|null)");
        proptest::string::string_regex(&format!(r"{scalar}|\[[\r\n ]{{0,2}}{scalar},[\r\n ]{{0,2}}{scalar}\]")).unwrap()
    }

    proptest! {
        #[test]
        fn what_passes_as_plain_is_read_whole(value in value()) {
            let item = format!(r#"{{"id":"1","v":{value}}}"#);
            let raw: &RawValue = serde_json::from_str(&item).unwrap();
            if is_plain(raw.get()) {
                prop_assert!(serde_json::from_str::<Value>(&item).is_ok() && !item.contains(['\n', '\r']), "{}", item);
            }
        }

        #[test]
        fn any_text_makes_a_document(text in "(?s).{0,300}") {
            let document = Document::new(&text);
            prop_assert!(!document.as_str().contains('\n'));
            let _ = (document.to_value(), document.id("id"));
        }

        #[test]
        fn every_item_of_a_page_is_read_whatever_it_and_the_others_hold(
            values in proptest::collection::vec(value(), 0..6),
        ) {
            let items = values.iter().enumerate().map(|(at, value)| format!(r#"{{"id":"{at}","v":{value}}}"#));
            let page = format!(r#"{{"value":[{}]}}"#, items.collect::<Vec<_>>().join(","));
            let page = read_page(page.as_bytes()).unwrap();
            let ids: Vec<_> = page.items.iter().filter_map(|item| item.id("id")).collect();
            prop_assert_eq!(ids, (0..values.len()).map(|at| at.to_string()).collect::<Vec<_>>());
            for item in &page.items {
                prop_assert!(item.defect() != Some(Defect::Unreadable) && !item.as_str().contains('\n'), "{}", item.as_str());
            }
        }

        #[test]
        fn no_bytes_make_the_reader_of_pages_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = read_page(&bytes);
        }
    }
}
