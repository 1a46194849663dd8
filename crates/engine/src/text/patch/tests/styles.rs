//! Documents in every way that YAML lets people write them.

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use crate::text::{
    Edit, Node, Step, Value, lines, patch,
    patch::{follow, parsed, parts::parts},
};

/// Writes a document; each choice is the next number.
struct Writer<'d> {
    choices: &'d [u8],
    at: usize,
    out: String,
}

impl Writer<'_> {
    fn below(&mut self, bound: usize) -> usize {
        let choice = self.choices.get(self.at).copied().unwrap_or_default();
        self.at += 1;
        usize::from(choice) % bound
    }

    fn one(&mut self, of: &[&'static str]) -> &'static str {
        of[self.below(of.len())]
    }

    fn say(&mut self, of: &[&'static str]) {
        let text = self.one(of);
        self.out += text;
    }

    fn line_break(&mut self) {
        self.say(&["\n", "\n", "\r\n", "\r"]);
    }

    fn pad(&mut self, indent: usize) {
        self.out += &" ".repeat(indent);
    }

    /// The end of a line, and what may stand before the next one.
    fn end(&mut self, indent: usize) {
        self.say(&["", "", "", " ", " # it's, {a: \"comment\"}"]);
        self.line_break();
        match self.below(12) {
            0 => self.line_break(),
            1 => {
                self.pad(indent);
                self.out += "# ? - more: |";
                self.line_break();
            }
            _ => {}
        }
    }

    fn map(&mut self, indent: usize, depth: usize) {
        let mut keys = vec!["title", "b", "c d", "é"];
        for number in 0..1 + self.below(3) {
            if number > 0 {
                self.pad(indent);
            }
            let at = self.below(keys.len());
            let key = keys.remove(at);
            match self.below(10) {
                0 => self.out += &format!("\"{key}\":"),
                1 => self.out += &format!("'{key}' :"),
                2 => {
                    self.out += &format!("? {key}");
                    self.end(indent + 1);
                    if self.below(4) == 0 {
                        continue;
                    }
                    self.pad(indent);
                    self.out += ":";
                }
                _ => self.out += &format!("{key}:"),
            }
            self.value(indent, depth);
        }
    }

    /// Behind a colon.
    fn value(&mut self, indent: usize, depth: usize) {
        match self.below(if depth < 3 { 12 } else { 8 }) {
            0 => self.end(indent),
            1 => {
                self.out += " plain";
                self.line_break();
                self.pad(indent + 1);
                self.out += "text";
                self.end(indent);
            }
            2 => self.block_text(indent),
            3 => {
                self.out += " ";
                self.flow(indent + 1, depth + 1);
                self.end(indent);
            }
            4 => {
                self.end(indent + 1);
                self.pad(indent + 1);
                self.scalar();
                self.end(indent);
            }
            5..8 => {
                self.out += " ";
                self.scalar();
                self.end(indent);
            }
            8 | 9 => {
                self.end(indent + 2);
                self.pad(indent + 2);
                self.map(indent + 2, depth + 1);
            }
            _ => {
                let indent = indent + 2 * self.below(2);
                self.end(indent);
                self.pad(indent);
                self.list(indent, depth + 1);
            }
        }
    }

    fn scalar(&mut self) {
        self.say(&["a", "'b '' #'", "\"c \\\" # , }\"", "12", "~", "true", "a#b", "e\u{a0}", "x:y", "\"\"", "-1"]);
    }

    fn block_text(&mut self, indent: usize) {
        self.say(&[" |", " >-", " |+", " >", " |2-"]);
        self.say(&["", " # , it's"]);
        self.line_break();
        for _ in 0..self.below(3) {
            self.pad(indent + 2);
            self.say(&["text", "- x", "\"", "# no comment", "k: v"]);
            self.line_break();
        }
        for _ in 0..self.below(6).saturating_sub(3) {
            self.line_break();
        }
    }

    fn list(&mut self, indent: usize, depth: usize) {
        for number in 0..1 + self.below(3) {
            if number > 0 {
                self.pad(indent);
            }
            self.out += "-";
            match self.below(if depth < 4 { 8 } else { 4 }) {
                0 => self.end(indent),
                1 => self.block_text(indent),
                2 | 3 => {
                    self.out += " ";
                    self.scalar();
                    self.end(indent);
                }
                4 => {
                    self.out += " ";
                    self.list(indent + 2, depth + 1);
                }
                5 => {
                    self.end(indent + 2);
                    self.pad(indent + 2);
                    self.map(indent + 2, depth + 1);
                }
                6 => {
                    self.out += " ";
                    self.flow(indent + 1, depth + 1);
                    self.end(indent);
                }
                _ => {
                    self.out += "   ";
                    self.map(indent + 4, depth + 1);
                }
            }
        }
    }

    /// Between two things in brackets.
    fn space(&mut self, indent: usize) {
        match self.below(8) {
            0 => {
                self.say(&[" # , ] }", ""]);
                self.line_break();
                self.pad(indent);
            }
            1..4 => self.out += " ",
            _ => {}
        }
    }

    fn flow(&mut self, indent: usize, depth: usize) {
        let is_map = self.below(2) == 0;
        self.out += if is_map { "{" } else { "[" };
        self.space(indent);
        let count = self.below(4);
        for number in 0..count {
            if is_map || self.below(6) == 0 {
                self.flow_entry(["title", "b", "c"][number], indent, depth);
            } else {
                self.flow_value(indent, depth);
            }
            self.space(indent);
            if number + 1 < count || self.below(4) == 0 {
                self.out += ",";
                self.space(indent);
            }
        }
        self.out += if is_map { "}" } else { "]" };
    }

    fn flow_entry(&mut self, key: &str, indent: usize, depth: usize) {
        match self.below(8) {
            0 => self.out += &format!("\"{key}\":"),
            1 => self.out += &format!("? {key} : "),
            2 => {
                self.out += key;
                return;
            }
            3 => {
                self.out += &format!("{key}:");
                return;
            }
            _ => self.out += &format!("{key}: "),
        }
        self.flow_value(indent, depth);
    }

    fn flow_value(&mut self, indent: usize, depth: usize) {
        if depth < 4 && self.below(3) == 0 {
            self.flow(indent, depth + 1);
        } else {
            self.scalar();
        }
    }
}

/// The paths to everything in it.
fn paths(value: &Json, way: &mut Vec<Step>, found: &mut Vec<Vec<Step>>) {
    let mut walk = |step: Step, value: &Json| {
        way.push(step);
        found.push(way.clone());
        paths(value, way, found);
        way.pop();
    };
    match value {
        Json::Object(map) => map.iter().for_each(|(key, value)| walk(Step::Key(key.clone()), value)),
        Json::Array(items) => items.iter().enumerate().for_each(|(at, value)| walk(Step::Item(at), value)),
        _ => {}
    }
}

fn at<'n>(root: &'n Node, path: &[Step]) -> &'n Node {
    follow(root, path).unwrap()
}

/// Comments that stand behind something; those on lines of their own may go with what they follow.
fn comments(text: &str) -> usize {
    COMMENTS.iter().map(|comment| text.matches(comment).count()).sum()
}

const COMMENTS: [&str; 3] = ["# it's, {a: \"comment\"}", "# , ] }", "# , it's"];

/// Another value there: what is before its key and behind its line stays, and so do all comments that are not in it.
fn check_set(text: &str, root: &Node, path: &[Step], value: &Json) -> Result<(), TestCaseError> {
    let set = Edit::Set { path: path.to_vec(), value: value.clone() };
    let patched = patch(text, &set);
    prop_assert!(patched.is_ok(), "{set:?}: {patched:?}\n{text:?}");
    let patched = patched.unwrap();
    if let Some(present) = follow(root, path) {
        let (start, end) = (present.span.start as usize, present.span.end as usize);
        prop_assert!(patched.ends_with(&text[lines::end(text, end)..]), "{set:?}\n{text:?}\n{patched:?}");
        let around = at(root, &path[..path.len() - 1]);
        let begin = parts(text, around).unwrap().iter().map(|part| part.begin).rfind(|begin| *begin <= start).unwrap();
        prop_assert!(patched.starts_with(&text[..begin]), "{set:?}\n{text:?}\n{patched:?}");
        let kept = comments(&text[..start]) + comments(&text[end..]);
        prop_assert_eq!(comments(&patched), kept, "{:?}\n{:?}\n{:?}", set, text, patched);
    } else {
        prop_assert_eq!(comments(&patched), comments(text), "{:?}\n{:?}\n{:?}", set, text, patched);
    }
    let removed = patch(&patched, &Edit::Remove { path: path.to_vec() });
    prop_assert!(removed.is_ok(), "{path:?}: {removed:?}\n{patched:?}");
    Ok(())
}

/// What is there goes: no comment in front of it goes with it, and none behind its line.
fn check_remove(text: &str, root: &Node, path: &[Step]) -> Result<(), TestCaseError> {
    let patched = patch(text, &Edit::Remove { path: path.to_vec() });
    prop_assert!(patched.is_ok(), "{path:?}: {patched:?}\n{text:?}");
    let patched = patched.unwrap();
    let (start, end) = (at(root, path).span.start as usize, at(root, path).span.end as usize);
    let around = at(root, &path[..path.len() - 1]);
    let begin = parts(text, around).unwrap().iter().map(|part| part.begin).rfind(|begin| *begin <= start).unwrap();
    let kept = comments(&text[..begin]) + comments(&text[lines::end(text, end)..]);
    prop_assert!(comments(&patched) >= kept, "{path:?}\n{text:?}\n{patched:?}");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    /// No way of writing keeps an edit from being made, and what was set can be removed again.
    #[test]
    fn every_way_of_writing_can_be_edited(choices in proptest::collection::vec(any::<u8>(), 120)) {
        let mut writer = Writer { choices: &choices, at: 0, out: String::new() };
        writer.say(&["", "# first\n", "\u{feff}", "---\n"]);
        writer.map(0, 0);
        let text = writer.out;
        let read = parsed(&text);
        prop_assert!(read.is_ok(), "{read:?}\n{text:?}");
        let root = read.unwrap();
        let mut all = Vec::new();
        paths(&root.to_json(), &mut Vec::new(), &mut all);
        for path in all {
            check_remove(&text, &root, &path)?;
            let new = match &at(&root, &path).value {
                Value::Map(_) => Some(Step::Key("new".to_owned())),
                Value::List(items) => Some(Step::Item(items.len())),
                _ => None,
            };
            let behind = new.map(|step| path.iter().cloned().chain([step]).collect::<Vec<_>>());
            for value in [json!("a: b # c"), json!({ "x": [1, { "y": "z" }] })] {
                for path in [Some(&path), behind.as_ref()].into_iter().flatten() {
                    check_set(&text, &root, path, &value)?;
                }
            }
        }
    }
}
