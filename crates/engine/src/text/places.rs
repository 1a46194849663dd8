//! Places in a text: from what the parser says to what stands there.

use saphyr_parser::{ScalarStyle, Span as Marked};

use super::{Span, gap, lines};

/// From characters, as the parser counts, to bytes.
pub(super) struct Places<'t> {
    text: &'t str,
    /// Byte of each [`STRIDE`]th character.
    marks: Vec<u32>,
}

impl<'t> Places<'t> {
    pub(super) fn of(text: &'t str) -> Self {
        Self { text, marks: text.char_indices().step_by(STRIDE).map(|(byte, _)| offset(byte)).collect() }
    }

    pub(super) fn span(&self, marked: Marked) -> Span {
        let start = self.at(marked.start.index(), marked.start.line(), marked.start.col());
        Span { end: self.byte(marked.end.index()).max(start.start), ..start }
    }

    pub(super) fn at(&self, index: usize, line: usize, column: usize) -> Span {
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let byte = self.byte(index);
        Span { start: byte, end: byte, line: count(line), column: count(column + 1) }
    }

    /// A scalar from its first sign to its last. The parser counts a comment behind quotes as part of it, and a block without
    /// its `|` or `>`. `gap` is where the value in front of it ended.
    pub(super) fn scalar(&self, span: Span, style: ScalarStyle, gap: usize) -> Span {
        let start = span.start as usize;
        let end = match style {
            ScalarStyle::Plain => return span,
            ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => quoted_end(self.text, start),
            ScalarStyle::Literal | ScalarStyle::Folded => {
                let Some(header) = gap::find(self.text, gap, span.end as usize, &['|', '>']) else { return span };
                return Span {
                    end: offset(block_end(self.text, header, span.end as usize)),
                    ..self.moved(span, header)
                };
            }
        };
        Span { end: offset(end), ..span }
    }

    /// Nothing, right behind this byte.
    pub(super) fn nothing(&self, near: Span, at: usize) -> Span {
        let span = self.moved(near, at);
        Span { end: span.start, ..span }
    }

    /// From another byte on, not far from where it began.
    pub(super) fn moved(&self, span: Span, start: usize) -> Span {
        let from = span.start as usize;
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let characters = |from: usize| count(self.text[from..start].chars().count());
        let (line, column) = if start < from {
            let line_start = lines::start(self.text, start);
            (span.line.saturating_sub(count(lines::breaks(&self.text[start..from]))), 1 + characters(line_start))
        } else {
            match count(lines::breaks(&self.text[from..start])) {
                0 => (span.line, span.column + characters(from)),
                breaks => (span.line + breaks, 1 + characters(lines::start(self.text, start))),
            }
        };
        Span { start: offset(start), end: span.end.max(offset(start)), line, column }
    }

    fn byte(&self, character: usize) -> u32 {
        let whole = || offset(self.text.len());
        let Some(mark) = self.marks.get(character / STRIDE) else { return whole() };
        let rest = &self.text[*mark as usize..];
        let within = rest.char_indices().nth(character % STRIDE).map(|(byte, _)| byte);
        within.map_or_else(whole, |byte| mark + offset(byte))
    }
}

const STRIDE: usize = 64;

/// Behind the quote that closes the one there.
fn quoted_end(text: &str, start: usize) -> usize {
    let mut rest = text[start..].char_indices();
    let Some((_, quote)) = rest.next() else { return start };
    while let Some((at, c)) = rest.next() {
        match c {
            '\\' if quote == '"' => drop(rest.next()),
            '\'' if quote == '\'' && rest.as_str().starts_with('\'') => drop(rest.next()),
            _ if c == quote => return start + at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Behind the last line of a block that the parser takes to go on to `end`, in front of its break.
fn block_end(text: &str, header: usize, end: usize) -> usize {
    let block = &text[header..end];
    let is_kept = block[1..].trim_start_matches(|c: char| c.is_ascii_digit()).starts_with('+');
    let last = lines::start(block, block.len());
    if is_kept && last > 0 && gap::trimmed(&block[last..]).is_empty() {
        // The lines without a text belong to it; where the next one begins does not.
        return header + lines::without_break(&block[..last]).len();
    }
    lines::end(text, header + gap::trimmed(block).len())
}

pub(super) fn offset(byte: usize) -> u32 {
    u32::try_from(byte).expect("the document is shorter than 4 GB")
}
