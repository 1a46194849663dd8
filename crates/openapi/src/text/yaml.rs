//! YAML 1.2 (core schema) from a stream of events, so that aliases are put in under a bound and nothing recurses.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Tag};
use serde_json::{Map, Number, Value};

use super::{Bounds, Budget, DEPTH_MAX, insert, weight};
use crate::{error::ImportError, report::Notes};

pub(super) fn read(text: &str, bounds: Bounds, notes: &mut Notes) -> Result<Value, ImportError> {
    if let Some((at, c)) = text.char_indices().find(|&(_, c)| is_forbidden(c)) {
        let line = 1 + text[..at].matches('\n').count();
        let what =
            format!("YAML does not allow the control character U+{:04X}; it was read as a part of its text", c as u32);
        notes.add(format_args!("line {line}"), what);
    }
    let mut builder =
        Builder { budget: Budget::new(bounds), notes, stack: Vec::new(), anchors: HashMap::new(), root: None };
    let mut documents = 0;
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| syntax(&error))?;
        let line = span.start.line();
        match event {
            Event::DocumentStart(_) => {
                documents += 1;
                if documents > 1 {
                    builder.notes.add(format_args!("line {line}"), "only the first of several YAML documents is read");
                    break;
                }
            }
            Event::Alias(anchor) => builder.alias(anchor, line, span.start.col())?,
            Event::Scalar(text, style, anchor, tag) => {
                builder.spend(weight(&text), line)?;
                builder.scalar(text.into_owned(), style, anchor, tag.as_deref(), line)?;
            }
            Event::SequenceStart(anchor, _) => builder.open(Items::List(Vec::new()), anchor, line)?,
            Event::MappingStart(anchor, _) => builder.open(Items::Entries(Entries::default()), anchor, line)?,
            Event::SequenceEnd | Event::MappingEnd => builder.close(line)?,
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
        }
    }
    Ok(builder.root.unwrap_or(Value::Null))
}

fn syntax(error: &ScanError) -> ImportError {
    let marker = error.marker();
    let message = error.info().to_owned();
    ImportError::Syntax { language: "YAML", message, line: marker.line(), column: marker.col() + 1 }
}

/// YAML's `c-printable`, turned round; line breaks and tabs are its own business.
fn is_forbidden(c: char) -> bool {
    matches!(c, '\0'..='\u{8}' | '\u{B}' | '\u{C}' | '\u{E}'..='\u{1F}' | '\u{7F}'..='\u{84}' | '\u{86}'..='\u{9F}')
}

struct Builder<'n> {
    budget: Budget,
    notes: &'n mut Notes,
    stack: Vec<Frame>,
    /// What each anchor holds, and what that weighs.
    anchors: HashMap<usize, (Value, usize)>,
    root: Option<Value>,
}

struct Frame {
    items: Items,
    anchor: usize,
    /// What was used of the budget when it was opened.
    used_before: usize,
}

enum Items {
    List(Vec<Value>),
    Entries(Entries),
}

#[derive(Default)]
struct Entries {
    map: Map<String, Value>,
    key: Option<Key>,
    merged: Vec<Value>,
}

enum Key {
    Text(String),
    Merge,
    /// Not a text: the entry is dropped, with a note.
    Dropped,
}

impl Builder<'_> {
    fn spend(&mut self, count: usize, line: usize) -> Result<(), ImportError> {
        if self.budget.take(count) {
            return Ok(());
        }
        Err(ImportError::TooManyValues { values_max: self.budget.values_max, line })
    }

    fn open(&mut self, items: Items, anchor: usize, line: usize) -> Result<(), ImportError> {
        if self.stack.len() >= DEPTH_MAX {
            return Err(ImportError::TooDeep { depth_max: DEPTH_MAX, line });
        }
        let used_before = self.budget.used;
        self.spend(1, line)?;
        self.stack.push(Frame { items, anchor, used_before });
        Ok(())
    }

    fn close(&mut self, line: usize) -> Result<(), ImportError> {
        let Some(frame) = self.stack.pop() else { return Ok(()) };
        let value = match frame.items {
            Items::List(items) => Value::Array(items),
            Items::Entries(entries) => Value::Object(merge(entries)),
        };
        self.keep(frame.anchor, &value, self.budget.used - frame.used_before, line)?;
        self.put(value, line);
        Ok(())
    }

    fn scalar(
        &mut self,
        text: String,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<&Tag>,
        line: usize,
    ) -> Result<(), ImportError> {
        if let Some(Frame { items: Items::Entries(entries), .. }) = self.stack.last_mut()
            && entries.key.is_none()
        {
            let is_merge = text == "<<" && style == ScalarStyle::Plain;
            if anchor != 0 {
                self.anchors.insert(anchor, (Value::String(text.clone()), weight(&text)));
            }
            entries.key = Some(if is_merge { Key::Merge } else { Key::Text(text) });
            return Ok(());
        }
        let is_text = style != ScalarStyle::Plain || tag.is_some_and(|tag| tag.suffix == "str");
        let value = if is_text { Value::String(text) } else { plain(text) };
        let used = value.as_str().map_or(1, weight);
        self.keep(anchor, &value, used, line)?;
        self.put(value, line);
        Ok(())
    }

    fn alias(&mut self, anchor: usize, line: usize, column: usize) -> Result<(), ImportError> {
        let Some((value, used)) = self.anchors.get(&anchor) else {
            let message = "an alias stands inside of what it stands for".to_owned();
            return Err(ImportError::Syntax { language: "YAML", message, line, column: column + 1 });
        };
        let used = *used;
        if !self.budget.take(used) {
            return Err(ImportError::TooManyValues { values_max: self.budget.values_max, line });
        }
        let value = value.clone();
        // The copy hangs below where it is put; its own depth adds to that.
        if self.stack.len() + depth(&value) > DEPTH_MAX {
            return Err(ImportError::TooDeep { depth_max: DEPTH_MAX, line });
        }
        self.put(value, line);
        Ok(())
    }

    /// Remembers an anchored value; the copy counts, too.
    fn keep(&mut self, anchor: usize, value: &Value, used: usize, line: usize) -> Result<(), ImportError> {
        if anchor != 0 {
            self.spend(used, line)?;
            self.anchors.insert(anchor, (value.clone(), used));
        }
        Ok(())
    }

    fn put(&mut self, value: Value, line: usize) {
        let depth = self.stack.len();
        match self.stack.last_mut().map(|frame| &mut frame.items) {
            None => self.root = Some(value),
            Some(Items::List(items)) => items.push(value),
            Some(Items::Entries(entries)) => match entries.key.take() {
                None => {
                    entries.key = Some(match value {
                        Value::String(text) => Key::Text(text),
                        Value::Number(number) => Key::Text(number.to_string()),
                        _ => {
                            let what = "a key is not a text; its entry is left out (a template in braces needs quotes)";
                            self.notes.add(format_args!("line {line}"), what);
                            Key::Dropped
                        }
                    });
                }
                Some(Key::Text(key)) => insert(&mut entries.map, key, value, depth, line, self.notes),
                Some(Key::Merge) => entries.merged.push(value),
                Some(Key::Dropped) => {}
            },
        }
    }
}

/// Entries of `<<` count where the mapping itself has none; of several, the first one.
fn merge(entries: Entries) -> Map<String, Value> {
    let mut map = entries.map;
    let sources = entries.merged.into_iter().flat_map(|value| match value {
        Value::Array(items) => items,
        single => vec![single],
    });
    for source in sources {
        if let Value::Object(source) = source {
            for (key, value) in source {
                map.entry(key).or_insert(value);
            }
        }
    }
    map
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(map) => 1 + map.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// A plain scalar by the core schema of YAML 1.2: `no` and dates are texts, and JSON's missing infinities stay texts.
fn plain(text: String) -> Value {
    match text.as_str() {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    if !text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.')) {
        return Value::String(text);
    }
    number(&text).map_or(Value::String(text), Value::Number)
}

fn number(text: &str) -> Option<Number> {
    if let Some(digits) = text.strip_prefix("0x") {
        return digits
            .starts_with(|c: char| c.is_ascii_hexdigit())
            .then(|| u64::from_str_radix(digits, 16).ok())?
            .map(Number::from);
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return digits
            .starts_with(|c: char| c.is_digit(8))
            .then(|| u64::from_str_radix(digits, 8).ok())?
            .map(Number::from);
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if !unsigned.is_empty() && unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
        let integer = text.strip_prefix('+').unwrap_or(text);
        return integer
            .parse::<i64>()
            .map(Number::from)
            .or_else(|_| integer.parse::<u64>().map(Number::from))
            .ok()
            .or_else(|| Number::from_f64(text.parse().ok()?));
    }
    let is_float =
        unsigned.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-'))
            && unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.')
            && unsigned.contains(|c: char| c.is_ascii_digit());
    if !is_float {
        return None;
    }
    Number::from_f64(text.parse().ok()?)
}
