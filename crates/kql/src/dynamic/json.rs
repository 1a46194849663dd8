//! JSON text to `Dynamic` and back, with a bound on depth.

use std::{fmt, sync::Arc};

use super::Dynamic;

/// `None` where the text is not one JSON value.
pub(super) fn parse(text: &str) -> Option<Dynamic> {
    let mut reader = Reader { bytes: text.as_bytes(), text, at: 0 };
    reader.blanks();
    let value = reader.value(0)?;
    reader.blanks();
    (reader.at == reader.bytes.len()).then_some(value)
}

pub(super) fn write_text(text: &str, f: &mut impl fmt::Write) -> fmt::Result {
    f.write_char('"')?;
    let mut written = 0;
    for (at, c) in text.char_indices() {
        let escaped = match c {
            '"' => "\\\"",
            '\\' => "\\\\",
            '\n' => "\\n",
            '\r' => "\\r",
            '\t' => "\\t",
            '\u{8}' => "\\b",
            '\u{c}' => "\\f",
            c if c < ' ' => {
                f.write_str(&text[written..at])?;
                write!(f, "\\u{:04x}", u32::from(c))?;
                written = at + 1;
                continue;
            }
            _ => continue,
        };
        f.write_str(&text[written..at])?;
        f.write_str(escaped)?;
        written = at + 1;
    }
    f.write_str(&text[written..])?;
    f.write_char('"')
}

const DEPTH_MAX: usize = 128;

struct Reader<'a> {
    bytes: &'a [u8],
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn value(&mut self, depth: usize) -> Option<Dynamic> {
        if depth > DEPTH_MAX {
            return None;
        }
        match self.bytes.get(self.at)? {
            b'{' => self.bag(depth),
            b'[' => self.array(depth),
            b'"' => self.string().map(Dynamic::String),
            b't' => self.word("true", Dynamic::Bool(true)),
            b'f' => self.word("false", Dynamic::Bool(false)),
            b'n' => self.word("null", Dynamic::Null),
            _ => self.number(),
        }
    }

    fn word(&mut self, word: &str, value: Dynamic) -> Option<Dynamic> {
        self.text.get(self.at..)?.starts_with(word).then(|| {
            self.at += word.len();
            value
        })
    }

    fn number(&mut self) -> Option<Dynamic> {
        let rest = &self.bytes[self.at..];
        let end = rest
            .iter()
            .position(|byte| !(byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E')))
            .unwrap_or(rest.len());
        let text = self.text.get(self.at..self.at + end)?;
        if !text.starts_with(|c: char| c.is_ascii_digit() || c == '-') {
            return None;
        }
        self.at += end;
        if let Ok(whole) = text.parse::<i64>() {
            return Some(Dynamic::Long(whole));
        }
        text.parse::<f64>().ok().map(Dynamic::Real)
    }

    fn array(&mut self, depth: usize) -> Option<Dynamic> {
        self.at += 1;
        let mut items = Vec::new();
        self.blanks();
        while *self.bytes.get(self.at)? != b']' {
            items.push(self.value(depth + 1)?);
            self.separator(b']')?;
        }
        self.at += 1;
        Some(Dynamic::array(items))
    }

    fn bag(&mut self, depth: usize) -> Option<Dynamic> {
        self.at += 1;
        let mut entries = Vec::new();
        self.blanks();
        while *self.bytes.get(self.at)? != b'}' {
            let name = self.string()?;
            self.blanks();
            self.byte(b':')?;
            self.blanks();
            entries.push((name, self.value(depth + 1)?));
            self.separator(b'}')?;
        }
        self.at += 1;
        Some(Dynamic::bag(entries))
    }

    /// A comma with something behind it, or the closing bracket ahead.
    fn separator(&mut self, close: u8) -> Option<()> {
        self.blanks();
        if *self.bytes.get(self.at)? == close {
            return Some(());
        }
        self.byte(b',')?;
        self.blanks();
        (*self.bytes.get(self.at)? != close).then_some(())
    }

    fn byte(&mut self, byte: u8) -> Option<()> {
        (*self.bytes.get(self.at)? == byte).then(|| self.at += 1)
    }

    fn blanks(&mut self) {
        while self.bytes.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
    }

    fn string(&mut self) -> Option<Arc<str>> {
        self.byte(b'"')?;
        let start = self.at;
        loop {
            match self.bytes.get(self.at)? {
                b'"' => {
                    let text = self.text.get(start..self.at)?;
                    self.at += 1;
                    return Some(Arc::from(text));
                }
                b'\\' => return self.escaped(start),
                _ => self.at += 1,
            }
        }
    }

    /// The slow path: a string with at least one escape.
    fn escaped(&mut self, start: usize) -> Option<Arc<str>> {
        let mut text = self.text.get(start..self.at)?.to_owned();
        loop {
            let rest = self.text.get(self.at..)?;
            let c = rest.chars().next()?;
            self.at += c.len_utf8();
            match c {
                '"' => return Some(Arc::from(text)),
                '\\' => {
                    let escape = *self.bytes.get(self.at)?;
                    self.at += 1;
                    text.push(match escape {
                        b'n' => '\n',
                        b'r' => '\r',
                        b't' => '\t',
                        b'b' => '\u{8}',
                        b'f' => '\u{c}',
                        b'u' => self.unicode()?,
                        b'"' | b'\\' | b'/' => char::from(escape),
                        _ => return None,
                    });
                }
                c => text.push(c),
            }
        }
    }

    fn unicode(&mut self) -> Option<char> {
        let first = self.hex()?;
        if !(0xd800..0xdc00).contains(&first) {
            return Some(char::from_u32(first).unwrap_or('\u{fffd}'));
        }
        if self.text.get(self.at..self.at + 2) != Some("\\u") {
            return Some('\u{fffd}');
        }
        self.at += 2;
        let second = self.hex()?;
        if !(0xdc00..0xe000).contains(&second) {
            return Some('\u{fffd}');
        }
        char::from_u32(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00))
    }

    fn hex(&mut self) -> Option<u32> {
        let digits = self.text.get(self.at..self.at + 4)?;
        self.at += 4;
        u32::from_str_radix(digits, 16).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_goes_in_and_comes_out() {
        for text in [r#"{"a":[1,2.5,null,true],"b":{"c":"d\n\"é"}}"#, "[]", r#""x""#, "-1"] {
            assert_eq!(parse(text).expect(text).to_json(), text);
        }
    }

    #[test]
    fn what_is_not_json_is_refused() {
        for text in ["", "{", "[1,]", "{\"a\":}", "[1 2]", "nul", "\"\\x\"", "1 2", "{a:1}"] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(parse(&"[".repeat(100_000)), None);
    }
}
