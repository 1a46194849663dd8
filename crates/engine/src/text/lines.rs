//! Lines as YAML 1.2 counts them (section 5.4): a line feed ends one, a carriage return does, and both together are one break.

/// Where the line of this byte begins.
pub(super) fn start(text: &str, at: usize) -> usize {
    text[..at].rfind(BREAKS).map_or(0, |found| found + 1)
}

/// Where the line of this byte ends, in front of its break.
pub(super) fn end(text: &str, at: usize) -> usize {
    text[at..].find(BREAKS).map_or(text.len(), |found| at + found)
}

/// How many breaks there are.
pub(super) fn breaks(text: &str) -> usize {
    let both = text.matches("\r\n").count();
    text.matches(BREAKS).count() - both
}

/// The text without the break at its end.
pub(super) fn without_break(text: &str) -> &str {
    text.strip_suffix("\r\n").or_else(|| text.strip_suffix(BREAKS)).unwrap_or(text)
}

/// The break that stands at this byte; empty where none does.
pub(super) fn break_at(text: &str, at: usize) -> &str {
    let rest = &text[at..];
    let length = match rest.as_bytes() {
        [b'\r', b'\n', ..] => 2,
        [b'\r' | b'\n', ..] => 1,
        _ => 0,
    };
    &rest[..length]
}

/// The break that lines have around this byte: that of its own line, else of the one in front of it.
pub(super) fn break_near(text: &str, at: usize) -> &str {
    let own = break_at(text, end(text, at));
    if !own.is_empty() {
        return own;
    }
    match &text.as_bytes()[..start(text, at)] {
        [.., b'\r', b'\n'] => "\r\n",
        [.., b'\r'] => "\r",
        _ => "\n",
    }
}

const BREAKS: [char; 2] = ['\n', '\r'];
