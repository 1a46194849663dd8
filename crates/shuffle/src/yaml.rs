//! Writes YAML as a person would.

use serde_json::{Number, Value};

/// What is written; the order of a map is that of its members.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Yaml {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Yaml>),
    Map(Vec<(String, Yaml)>),
}

impl Yaml {
    pub(crate) fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(truth) => Self::Bool(*truth),
            Value::Number(number) => Self::Number(number.clone()),
            Value::String(text) => Self::Text(text.clone()),
            Value::Array(items) => Self::List(items.iter().map(Self::of).collect()),
            Value::Object(members) => {
                Self::Map(members.iter().map(|(key, member)| (key.clone(), Self::of(member))).collect())
            }
        }
    }

    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }
}

/// `key: value` at this depth, with its line end.
pub(crate) fn member(key: &str, value: &Yaml, indent: usize, out: &mut String) {
    out.push_str(&" ".repeat(indent));
    out.push_str(&scalar(key));
    out.push(':');
    behind(value, indent + 2, out);
}

/// A comment of one line.
pub(crate) fn comment(text: &str, indent: usize, out: &mut String) {
    out.push_str(&" ".repeat(indent));
    out.push_str("# ");
    out.push_str(&one_line(text));
    out.push('\n');
}

/// The text with nothing in it that ends a line or is not seen.
pub(crate) fn one_line(text: &str) -> String {
    let plain: String = text.chars().map(|c| if is_printable(c) { c } else { ' ' }).collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What stands behind `key:` or `-`.
fn behind(value: &Yaml, indent: usize, out: &mut String) {
    match value {
        Yaml::List(items) if items.is_empty() => out.push_str(" []\n"),
        Yaml::Map(members) if members.is_empty() => out.push_str(" {}\n"),
        Yaml::List(items) if items.iter().all(is_short) && items.len() <= 8 => {
            let items: Vec<String> = items.iter().map(flow).collect();
            out.push_str(&format!(" [{}]\n", items.join(", ")));
        }
        Yaml::List(items) => {
            out.push('\n');
            for item in items {
                out.push_str(&" ".repeat(indent));
                out.push('-');
                within(item, indent + 2, out);
            }
        }
        Yaml::Map(members) => {
            out.push('\n');
            for (key, member_value) in members {
                member(key, member_value, indent, out);
            }
        }
        Yaml::Text(text) if is_block(text) => {
            out.push_str(" |-\n");
            for line in text.split('\n') {
                if !line.is_empty() {
                    out.push_str(&" ".repeat(indent));
                    out.push_str(line);
                }
                out.push('\n');
            }
        }
        Yaml::Text(text) => {
            out.push(' ');
            out.push_str(&whole_line(text));
            out.push('\n');
        }
        other => {
            out.push(' ');
            out.push_str(&flow(other));
            out.push('\n');
        }
    }
}

/// What stands behind the dash of an item: a map begins on the same line.
fn within(value: &Yaml, indent: usize, out: &mut String) {
    match value {
        Yaml::Map(members) if !members.is_empty() => {
            let mut inner = String::new();
            for (key, member_value) in members {
                member(key, member_value, indent, &mut inner);
            }
            out.push(' ');
            out.push_str(&inner[indent..]);
        }
        other => behind(other, indent, out),
    }
}

fn is_short(value: &Yaml) -> bool {
    match value {
        Yaml::Text(text) => text.len() <= 30,
        Yaml::List(_) | Yaml::Map(_) => false,
        Yaml::Null | Yaml::Bool(_) | Yaml::Number(_) => true,
    }
}

/// A scalar, or a list of scalars, on one line.
fn flow(value: &Yaml) -> String {
    match value {
        Yaml::Null => "null".to_owned(),
        Yaml::Bool(truth) => truth.to_string(),
        Yaml::Number(number) => number.to_string(),
        Yaml::Text(text) => scalar(text),
        Yaml::List(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Yaml::Map(members) => {
            let members: Vec<String> =
                members.iter().map(|(key, value)| format!("{}: {}", scalar(key), flow(value))).collect();
            format!("{{ {} }}", members.join(", "))
        }
    }
}

/// Several lines that a block keeps as they are.
fn is_block(text: &str) -> bool {
    let is_kept = |c: char| c == '\n' || is_printable(c);
    text.contains('\n')
        && text.chars().all(is_kept)
        && !text.starts_with([' ', '\n'])
        && !text.ends_with('\n')
        && !text.split('\n').any(|line| !line.is_empty() && line.trim().is_empty())
}

/// A text that has its line for itself: more of them can stand without quotes.
fn whole_line(text: &str) -> String {
    if is_plain_line(text) { text.to_owned() } else { scalar(text) }
}

/// A text: plain where nothing in it means something in YAML, else in quotes.
fn scalar(text: &str) -> String {
    if is_plain(text) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if is_printable(c) => out.push(c),
            c if u32::from(c) <= 0xffff => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push_str(&format!("\\U{:08x}", u32::from(c))),
        }
    }
    out.push('"');
    out
}

fn is_plain(text: &str) -> bool {
    let is_inner =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, ' ' | '_' | '-' | '.' | '/' | '(' | ')' | '$' | '+');
    let is_span = text.len() <= 6
        && text.ends_with(['s', 'm', 'h', 'd'])
        && text.len() > 1
        && text[..text.len() - 1].bytes().all(|byte| byte.is_ascii_digit());
    is_span || (begins_plainly(text) && text.chars().all(is_inner))
}

fn is_plain_line(text: &str) -> bool {
    let is_inner = |c: char| c.is_ascii_graphic() || c == ' ';
    begins_plainly(text)
        && text.chars().all(is_inner)
        && !text.contains(": ")
        && !text.ends_with(':')
        && !text.contains(" #")
        && !text.contains(['{', '}', '"', '\\', '`'])
}

/// No sign of YAML's at the beginning, no blank that would be lost, no word that is no text.
fn begins_plainly(text: &str) -> bool {
    let words = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    text.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '_' | '$' | '('))
        && !text.ends_with(' ')
        && !text.contains("  ")
        && !words.contains(&text.to_ascii_lowercase().as_str())
}

/// What every reader of YAML takes as it is.
fn is_printable(c: char) -> bool {
    let code = u32::from(c);
    !c.is_control()
        && !matches!(code, 0x2028 | 0x2029 | 0xfeff | 0xfff9..=0xffff | 0x200b..=0x200f | 0x202a..=0x202e | 0x2060..=0x206f)
        && code & 0xfffe != 0xfffe
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;
    use sortie_engine::text::{Problems, read};

    use super::*;

    #[track_caller]
    fn check(value: &Value, expected: &str) {
        let mut out = String::new();
        member("v", &Yaml::of(value), 0, &mut out);
        assert_eq!(out, expected);
        comes_back(value);
    }

    #[track_caller]
    fn comes_back(value: &Value) {
        let mut out = String::new();
        member("v", &Yaml::List(vec![Yaml::of(value), Yaml::of(value)]), 2, &mut out);
        let mut problems = Problems::default();
        let node = read(&out, &mut problems).unwrap_or_else(|| panic!("{out}"));
        let told = problems.into_sorted();
        assert!(told.is_empty(), "{out}\n{told:?}");
        assert_eq!(node.to_json(), json!({ "v": [value, value] }), "{out}");
    }

    #[test]
    fn values_are_written_as_people_write_them() {
        check(&json!("Start node"), "v: Start node\n");
        check(&json!("a: b"), "v: \"a: b\"\n");
        check(&json!("{{ x }}"), "v: \"{{ x }}\"\n");
        check(&json!("true"), "v: \"true\"\n");
        check(&json!("12"), "v: \"12\"\n");
        check(&json!("a\nb: c\n\n  d"), "v: |-\n  a\n  b: c\n\n    d\n");
        check(&json!("a\u{0}\u{7f}\u{2028}\u{1f600}"), "v: \"a\\u0000\\u007f\\u2028\u{1f600}\"\n");
        check(&json!([1, "a", null]), "v: [1, a, null]\n");
        check(&json!({ "a b": [{ "x": 1, "z": {} }, []] }), "v:\n  a b:\n    - x: 1\n      z: {}\n    - []\n");
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn whatever_is_written_is_read_again(text in "\\PC{0,20}|[ -~\n\t\r]{0,30}|(.|\n){0,12}", key in ".{0,12}") {
            comes_back(&json!({ key: text.clone(), "n": { "t": [text.as_str(), 1] } }));
        }
    }
}
