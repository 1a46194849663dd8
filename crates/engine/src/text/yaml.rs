//! YAML 1.2 (core schema) as nodes with places. Of YAML it takes what a person writes and reads: no anchors, no tags, one
//! document; a document that a machine has written shorter than it is would not be what people review.

use std::collections::HashSet;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError};
use serde_json::Number;

use super::{
    Code, DEPTH_MAX, Entry, Node, Problems, Scalar, Span, TEXT_BYTES_MAX, Value, gap,
    places::{Places, offset},
};

/// Reads the text. `None` where there is nothing to go on with; the problems say why.
pub fn read(text: &str, problems: &mut Problems) -> Option<Node> {
    if text.len() > TEXT_BYTES_MAX {
        let what = format!("the document has {} bytes; at most {TEXT_BYTES_MAX} are read", text.len());
        problems.add(Span { line: 1, column: 1, ..Span::default() }, Code::Syntax, what, "");
        return None;
    }
    let mut reader = Reader { text, places: Places::of(text), problems, stack: Vec::new(), root: None };
    let mut documents = 0;
    for event in Parser::new_from_str(text) {
        let (event, marked) = match event {
            Ok(found) => found,
            Err(error) => {
                reader.syntax(&error);
                return None;
            }
        };
        let span = reader.places.span(marked);
        match event {
            Event::DocumentStart(_) => {
                documents += 1;
                if documents > 1 {
                    let next = "Put each workflow into a file of its own.";
                    reader.problems.add(span, Code::Syntax, "a second document begins here", next);
                    break;
                }
            }
            Event::Alias(_) => reader.refuse(span, "an alias (`*name`)"),
            Event::Scalar(text, style, anchor, tag) => {
                reader.plain_only(span, anchor, tag.is_some());
                let is_written = !text.is_empty() || style != ScalarStyle::Plain;
                let span = match is_written {
                    true => reader.places.scalar(span, style, reader.gap()),
                    false => reader.unwritten(span),
                };
                reader.put(Node { value: scalar(&text, style), span });
            }
            Event::SequenceStart(anchor, tag) => {
                reader.plain_only(span, anchor, tag.is_some());
                let span = reader.list_start(span);
                reader.open(Frame::of(Value::List(Vec::new()), span))?;
            }
            Event::MappingStart(anchor, tag) => {
                reader.plain_only(span, anchor, tag.is_some());
                reader.open(Frame::of(Value::Map(Vec::new()), span))?;
            }
            Event::SequenceEnd | Event::MappingEnd => reader.close(span),
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
        }
    }
    let Reader { root, problems, .. } = reader;
    if root.is_none() {
        problems.add(Span { line: 1, column: 1, ..Span::default() }, Code::Syntax, "the document is empty", "");
    }
    root
}

struct Reader<'p> {
    text: &'p str,
    places: Places<'p>,
    problems: &'p mut Problems,
    stack: Vec<Frame>,
    root: Option<Node>,
}

/// A list or map that is not closed yet.
struct Frame {
    value: Value,
    span: Span,
    /// Where the last thing in it ends.
    end: u32,
    /// Of a map: the key whose value comes next.
    key: Option<(String, Span)>,
    /// Of a map: the keys so far.
    keys: HashSet<String>,
}

impl Frame {
    fn of(value: Value, span: Span) -> Self {
        Self { value, span, end: span.start, key: None, keys: HashSet::new() }
    }
}

impl Reader<'_> {
    fn open(&mut self, frame: Frame) -> Option<()> {
        if self.stack.len() >= DEPTH_MAX {
            let what = format!("lists and maps are nested deeper than {DEPTH_MAX}");
            self.problems.add(frame.span, Code::Syntax, what, "");
            return None;
        }
        self.stack.push(frame);
        Some(())
    }

    /// A list or map in brackets ends with its bracket, another one with the last thing in it.
    fn close(&mut self, end: Span) {
        if let Some(frame) = self.stack.pop() {
            let start = frame.span.start as usize;
            // The parser may give the place of a comma in front of the bracket.
            let bracket = |sign| gap::find(self.text, end.start as usize, self.text.len(), &[sign]);
            let closing = match self.text[start..].chars().next() {
                Some('[') => bracket(']'),
                Some('{') => bracket('}'),
                _ => None,
            };
            let end = closing.map_or(frame.end, |at| offset(at + 1));
            self.put(Node { value: frame.value, span: Span { end, ..frame.span } });
        }
    }

    /// Where the value in front of the next one ended.
    fn gap(&self) -> usize {
        self.stack.last().map_or(0, |frame| frame.end as usize)
    }

    /// A list begins with its first dash, also where that has the indentation of the key above; there the parser begins it
    /// behind the dash.
    fn list_start(&self, span: Span) -> Span {
        let Some((_, key)) = self.stack.last().and_then(|frame| frame.key.as_ref()) else { return span };
        let dash = gap::find(self.text, key.end as usize, span.start as usize, &['-']);
        dash.map_or(span, |dash| self.places.moved(span, dash))
    }

    /// A value that is not written stands behind its colon, its dash, or its key where that has no colon.
    fn unwritten(&self, span: Span) -> Span {
        let here = Span { end: span.start, ..span };
        let Some(frame) = self.stack.last() else { return here };
        let from = self.gap();
        // The parser may give the place of the colon, or of what comes next.
        let next = self.text[span.start as usize..].chars().next().map_or(0, char::len_utf8);
        let to = span.start as usize + next;
        let find = |indicator| gap::find(self.text, from, to, &[indicator]).map(|at| at + 1);
        match (&frame.value, &frame.key) {
            (Value::Map(_), Some((_, key))) => self.places.nothing(*key, find(':').unwrap_or(from)),
            (Value::List(_), _) => find('-').map_or(here, |behind| self.places.nothing(span, behind)),
            _ => here,
        }
    }

    /// Into the list or map that is open, or as the whole document.
    fn put(&mut self, node: Node) {
        let Some(frame) = self.stack.last_mut() else {
            self.root.get_or_insert(node);
            return;
        };
        frame.end = node.span.end;
        match &mut frame.value {
            Value::List(items) => items.push(node),
            Value::Map(entries) => match frame.key.take() {
                None => frame.key = Some((self.problems.key(&node), node.span)),
                Some((key, key_span)) if !frame.keys.insert(key.clone()) => {
                    let what = format!("`{key}` stands here for the second time");
                    self.problems.add(key_span, Code::Syntax, what, "Keep one of them.");
                }
                Some((key, key_span)) => entries.push(Entry { key, key_span, node }),
            },
            Value::Null | Value::Scalar(_) => {}
        }
    }

    fn plain_only(&mut self, span: Span, anchor: usize, has_tag: bool) {
        if anchor != 0 {
            self.refuse(span, "an anchor (`&name`)");
        }
        if has_tag {
            self.refuse(span, "a tag (`!name`)");
        }
    }

    fn refuse(&mut self, span: Span, what: &str) {
        let next = "Write the value out where it is used.";
        self.problems.add(span, Code::Syntax, format!("{what} is no part of a workflow document"), next);
        if what.starts_with("an alias") {
            self.put(Node { value: Value::Null, span });
        }
    }

    fn syntax(&mut self, error: &ScanError) {
        let marker = error.marker();
        let span = self.places.at(marker.index(), marker.line(), marker.col());
        let next = match error.info() {
            info if info.contains("mapping values") => {
                "A text that holds `: ` or ` #` stands in quotes, or after `>-` on lines of its own."
            }
            _ => "",
        };
        self.problems.add(span, Code::Syntax, format!("this is no YAML: {}", error.info()), next);
    }
}

impl Problems {
    /// A key is a text; a number or truth is taken as it is spelled in JSON.
    fn key(&mut self, node: &Node) -> String {
        match &node.value {
            Value::Scalar(Scalar::Text(text)) => text.clone(),
            Value::Scalar(_) | Value::Null => node.to_json().to_string(),
            Value::List(_) | Value::Map(_) => {
                self.add(node.span, Code::Syntax, format!("a key is a text, and this is {}", node.kind()), "");
                String::new()
            }
        }
    }
}

/// By the core schema, which knows no `yes`, no octal `0777` and no dates.
fn scalar(text: &str, style: ScalarStyle) -> Value {
    if style != ScalarStyle::Plain {
        return Value::Scalar(Scalar::Text(text.to_owned()));
    }
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Scalar(Scalar::Bool(true)),
        "false" | "False" | "FALSE" => return Value::Scalar(Scalar::Bool(false)),
        _ => {}
    }
    Value::Scalar(match number(text) {
        Some(number) => Scalar::Number(number),
        None => Scalar::Text(text.to_owned()),
    })
}

fn number(text: &str) -> Option<Number> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    if let Some(hex) = text.strip_prefix("0x") {
        return u64::from_str_radix(hex, 16).ok().map(Number::from);
    }
    if let Some(octal) = text.strip_prefix("0o") {
        return u64::from_str_radix(octal, 8).ok().map(Number::from);
    }
    let plain = text.strip_prefix('+').unwrap_or(text);
    if let Ok(whole) = plain.parse::<i64>() {
        return Some(whole.into());
    }
    if let Ok(whole) = plain.parse::<u64>() {
        return Some(whole.into());
    }
    let looks_like_one = plain.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-'));
    // `1e400` is larger than any number that arrives anywhere: it stays the text that it is.
    plain.parse::<f64>().ok().filter(|_| looks_like_one).and_then(Number::from_f64)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read_all(text: &str) -> (Option<Node>, Vec<String>) {
        let mut problems = Problems::default();
        let node = read(text, &mut problems);
        (node, problems.into_sorted().iter().map(ToString::to_string).collect())
    }

    #[test]
    fn every_value_knows_its_place() {
        let text = "a: 1\n# ä\nlist:\n  - 'x: y'\n  - ü: {deep: true}\n";
        let node = read_all(text).0.unwrap();
        assert_eq!(node.to_json(), json!({ "a": 1, "list": ["x: y", { "ü": { "deep": true } }] }));
        let Value::List(items) = &node.get("list").unwrap().value else { panic!("a list") };
        let place =
            |node: &Node| (node.span.line, node.span.column, &text[node.span.start as usize..node.span.end as usize]);
        assert_eq!(place(&items[0]), (4, 5, "'x: y'"));
        assert_eq!(place(items[1].get("ü").unwrap().get("deep").unwrap()), (5, 15, "true"));
    }

    #[test]
    fn a_place_ends_where_the_value_does() {
        #[track_caller]
        fn check(text: &str, expected: &[(u32, u32, &str)]) {
            for line_break in ["\n", "\r\n", "\r"] {
                let text = &text.replace('\n', line_break);
                let node = read_all(text).0.unwrap();
                let mut found = Vec::new();
                values(&node, &mut |span| {
                    found.push((span.line, span.column, text[span.start as usize..span.end as usize].to_owned()));
                });
                let expected: Vec<_> = expected
                    .iter()
                    .map(|(line, column, value)| (*line, *column, value.replace('\n', line_break)))
                    .collect();
                assert_eq!(found, expected, "{text:?}");
            }
        }
        check("a: 'it''s' # it's\n", &[(1, 1, "a: 'it''s'"), (1, 4, "'it''s'")]);
        check("? \"\\\"\\\\\" # c\n: \u{a0} # d\n", &[(1, 1, "? \"\\\"\\\\\" # c\n: \u{a0}"), (2, 3, "\u{a0}")]);
        check("a: {b: 1 } # c\n", &[(1, 1, "a: {b: 1 }"), (1, 4, "{b: 1 }"), (1, 8, "1")]);
        check(
            "a: >- # c\n  b\n\n # d\ne: |+\n\n  f \n\ng: |\nh: i\n",
            &[
                (1, 1, "a: >- # c\n  b\n\n # d\ne: |+\n\n  f \n\ng: |\nh: i"),
                (1, 4, ">- # c\n  b"),
                (5, 4, "|+\n\n  f \n"),
                (9, 4, "|"),
                (10, 4, "i"),
            ],
        );
        check(
            "a: # :\nb :\n? c\n\nd: { e:, f, g: ~ }",
            &[
                (1, 1, "a: # :\nb :\n? c\n\nd: { e:, f, g: ~ }"),
                (1, 3, ""),
                (2, 4, ""),
                (3, 4, ""),
                (5, 4, "{ e:, f, g: ~ }"),
                (5, 8, ""),
                (5, 11, ""),
                (5, 16, "~"),
            ],
        );
        check(
            "ä: # -\n- |\n  - x\n-\n\n- - b\n  - c\nd: e",
            &[
                (1, 1, "ä: # -\n- |\n  - x\n-\n\n- - b\n  - c\nd: e"),
                (2, 1, "- |\n  - x\n-\n\n- - b\n  - c"),
                (2, 3, "|\n  - x"),
                (4, 2, ""),
                (6, 3, "- b\n  - c"),
                (6, 5, "b"),
                (7, 5, "c"),
                (8, 4, "e"),
            ],
        );
    }

    /// The place of the node and of every value in it.
    fn values(node: &Node, found: &mut impl FnMut(Span)) {
        found(node.span);
        match &node.value {
            Value::List(items) => items.iter().for_each(|item| values(item, found)),
            Value::Map(entries) => entries.iter().for_each(|entry| values(&entry.node, found)),
            Value::Null | Value::Scalar(_) => {}
        }
    }

    #[test]
    fn every_kind_of_line_break_ends_one_line() {
        let text = "a: 1\n# ä\n\nlist:\n  - 'x\n\n    y'\n  - |\n    ü\n\n    {deep}\n  - b\n    c\nd: {e:\n  1}\n";
        let feeds = read_all(text).0.unwrap();
        for breaks in [["\r", "\r"], ["\r\n", "\r\n"], ["\r", "\r\n"], ["\n", "\r\n"], ["\r\n", "\r"]] {
            let other: String =
                text.lines().zip(breaks.iter().cycle()).flat_map(|(line, line_break)| [line, *line_break]).collect();
            let node = read_all(&other).0.unwrap();
            assert_eq!(node.to_json(), feeds.to_json(), "{breaks:?}");
            assert_eq!(places(&node), places(&feeds), "{breaks:?}");
        }
    }

    /// Line and column of every value.
    fn places(node: &Node) -> Vec<(u32, u32)> {
        let mut found = Vec::new();
        values(node, &mut |span| found.push((span.line, span.column)));
        found
    }

    #[test]
    fn scalars_are_those_of_the_core_schema() {
        #[track_caller]
        fn check(text: &str, expected: serde_json::Value) {
            assert_eq!(read_all(&format!("v: {text}")).0.unwrap().get("v").unwrap().to_json(), expected, "{text}");
        }
        check("yes", json!("yes"));
        check("Null", json!(null));
        check("0777", json!(777));
        check("0x1F", json!(31));
        check("-1.5e3", json!(-1500.0));
        check("1e400", json!("1e400"));
        check(".inf", json!(".inf"));
        check("18446744073709551615", json!(u64::MAX));
        check("2026-11-29", json!("2026-11-29"));
        check("'1'", json!("1"));
        check("1.2.3.4", json!("1.2.3.4"));
        check("\"tab\\t\\u0000\"", json!("tab\t\0"));
        check(">-\n  a: b\n  # c", json!("a: b # c"));
    }

    #[test]
    fn what_is_no_workflow_text_is_told_with_its_place() {
        #[track_caller]
        fn check(text: &str, expected: &str) {
            let problems = read_all(text).1;
            assert!(problems.iter().any(|problem| problem.starts_with(expected)), "{text:?}: {problems:?}");
        }
        check("", "1:1: the document is empty");
        check("a: b: c", "1:5: this is no YAML: mapping values");
        check("a: 1\nb: 2\na: 3", "3:1: `a` stands here for the second time");
        check("a: 1\na: |\n  x\n? |-\n  a\n: 2", "4:3: `a` stands here for the second time");
        check("a: 1\rb: 2\ra: 3", "3:1: `a` stands here for the second time");
        check("a: 1\r\nb: 2\r\n\ra: 3", "4:1: `a` stands here for the second time");
        check("a: 1\r\r\n b: c: d", "3:");
        check("a: 1\rä: b: c", "2:5: this is no YAML: mapping values");
        check("a: &x 1\nb: *x", "1:");
        check("a: !!str 1", "1:");
        check("a: 1\n---\nb: 2", "2:1: a second document");
        check("? [a]\n: 1", "1:3: a key is a text");
        check(&"[".repeat(100), "1:65: lists and maps are nested deeper than 64");
        check(&" ".repeat(TEXT_BYTES_MAX + 1), "1:1: the document has 1048577 bytes");
    }
}
