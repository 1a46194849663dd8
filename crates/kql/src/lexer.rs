//! Text to tokens. Every byte belongs to exactly one token, blanks and comments included; nothing is an error here.

use crate::error::Span;

/// A piece of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: TokenKind,
    /// Where it is.
    pub span: Span,
}

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// Blanks and line ends.
    Blank,
    /// `// ...`
    Comment,
    /// A name or a keyword; also `$left`, `in~` and `!has`.
    Word,
    /// `12`, `0xff`
    Whole,
    /// `1.5`, `1e5`
    Fraction,
    /// `1d`, `2.5h`
    Duration,
    /// `datetime(..)`, `guid(..)` and the like, from the word to the bracket.
    Typed,
    /// In any of the quotings.
    String,
    /// An operator or a bracket.
    Symbol,
    /// What the language has no use for, such as a string without its end.
    Unknown,
}

/// Cuts the text into tokens.
pub fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let (kind, len) = token(&text[at..]);
        debug_assert!(len > 0);
        tokens.push(Token { kind, span: Span { start: at, end: at + len } });
        at += len;
    }
    tokens
}

fn token(rest: &str) -> (TokenKind, usize) {
    let first = rest.chars().next().unwrap_or(' ');
    if first.is_whitespace() || first == '\u{feff}' {
        let blank = |c: char| !(c.is_whitespace() || c == '\u{feff}');
        return (TokenKind::Blank, rest.find(blank).unwrap_or(rest.len()));
    }
    if rest.starts_with("//") {
        return (TokenKind::Comment, rest.find('\n').unwrap_or(rest.len()));
    }
    if let Some(len) = string(rest) {
        return (TokenKind::String, len);
    }
    if first.is_ascii_digit() {
        return number(rest);
    }
    if let Some(len) = word(rest) {
        return match typed(rest, len) {
            Some(len) => (TokenKind::Typed, len),
            None => (TokenKind::Word, len),
        };
    }
    match SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol)) {
        Some(symbol) => (TokenKind::Symbol, symbol.len()),
        None => (TokenKind::Unknown, unknown(rest, first)),
    }
}

/// Longer ones first.
const SYMBOLS: &[&str] = &[
    "==", "=~", "!=", "!~", "<>", "<=", ">=", "=>", "..", "::", "<", ">", "=", "+", "-", "*", "/", "%", "(", ")", "[",
    "]", "{", "}", "|", ";", ",", ".", ":", "?", "!",
];

/// A string without its end reaches to the end of the line; anything else is one character.
fn unknown(rest: &str, first: char) -> usize {
    if matches!(first, '"' | '\'') { rest.find('\n').unwrap_or(rest.len()) } else { first.len_utf8() }
}

fn word(rest: &str) -> Option<usize> {
    let named = |c: char| c.is_alphanumeric() || c == '_';
    let prefix = usize::from(rest.starts_with(['$', '!']));
    let body = &rest[prefix..];
    if !body.starts_with(|c: char| c.is_alphabetic() || c == '_') {
        return None;
    }
    let len = prefix + body.find(|c: char| !named(c)).unwrap_or(body.len());
    let tilde = matches!(&rest[..len], "in" | "!in") && rest[len..].starts_with('~');
    Some(len + usize::from(tilde))
}

/// The words that make a literal out of what stands in brackets behind them.
const TYPED: &[&str] =
    &["bool", "boolean", "int", "long", "real", "double", "decimal", "datetime", "date", "timespan", "time", "guid"];

fn typed(rest: &str, word: usize) -> Option<usize> {
    if !TYPED.contains(&&rest[..word]) {
        return None;
    }
    let blanks = rest[word..].len() - rest[word..].trim_start_matches([' ', '\t']).len();
    let open = word + blanks;
    if !rest[open..].starts_with('(') {
        return None;
    }
    let inside = &rest[open + 1..];
    let close = inside.find(['(', ')', '\n', ';', '|'])?;
    inside[close..].starts_with(')').then_some(open + 1 + close + 1)
}

fn number(rest: &str) -> (TokenKind, usize) {
    if let Some(hex) = rest.strip_prefix("0x").or_else(|| rest.strip_prefix("0X")) {
        let digits = hex.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(hex.len());
        if digits > 0 {
            return (TokenKind::Whole, 2 + digits);
        }
    }
    let digits = |text: &str| text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let mut len = digits(rest);
    let mut kind = TokenKind::Whole;
    if rest[len..].starts_with('.') && rest[len + 1..].starts_with(|c: char| c.is_ascii_digit()) {
        len += 1 + digits(&rest[len + 1..]);
        kind = TokenKind::Fraction;
    } else if rest[len..].starts_with('.') && !rest[len + 1..].starts_with(['.', '_', '[']) {
        let next = rest[len + 1..].chars().next();
        if !next.is_some_and(char::is_alphabetic) {
            len += 1;
            kind = TokenKind::Fraction;
        }
    }
    if rest[len..].starts_with(['e', 'E']) {
        let sign = usize::from(rest[len + 1..].starts_with(['+', '-']));
        let exponent = digits(&rest[len + 1 + sign..]);
        if exponent > 0 {
            return (TokenKind::Fraction, len + 1 + sign + exponent);
        }
    }
    let unit = rest[len..].find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len() - len);
    if unit > 0 && crate::time::unit_ticks(&rest[len..len + unit]).is_some() {
        return (TokenKind::Duration, len + unit);
    }
    // A name may begin with digits: `7zipEvents`.
    let tail = rest[len..].find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len() - len);
    if tail > 0 && kind == TokenKind::Whole { (TokenKind::Word, len + tail) } else { (kind, len) }
}

/// The length of a string with its quotes and prefixes; `None` where there is none or it has no end.
fn string(rest: &str) -> Option<usize> {
    let hidden = usize::from(rest.starts_with(['h', 'H']) && rest[1..].starts_with(['"', '\'', '@', '`', '~']));
    let body = &rest[hidden..];
    for fence in ["```", "~~~"] {
        if let Some(inside) = body.strip_prefix(fence) {
            return inside.find(fence).map(|len| hidden + 6 + len);
        }
    }
    if let Some(body) = body.strip_prefix('@') {
        let quote = body.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        let mut at = 1;
        loop {
            at += body[at..].find([quote, '\n']).filter(|found| body[at + found..].starts_with(quote))? + 1;
            if !body[at..].starts_with(quote) {
                return Some(hidden + 1 + at);
            }
            at += 1;
        }
    }
    let quote = body.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let mut escaped = false;
    for (at, c) in body.char_indices().skip(1) {
        match c {
            '\n' => return None,
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return Some(hidden + at + 1),
            _ => {}
        }
    }
    None
}

/// What a string token says; `None` where an escape has no meaning.
pub(crate) fn string_text(token: &str) -> Option<String> {
    let body = token.strip_prefix(['h', 'H']).unwrap_or(token);
    for fence in ["```", "~~~"] {
        if let Some(inside) = body.strip_prefix(fence) {
            return Some(inside.strip_suffix(fence)?.to_owned());
        }
    }
    if let Some(body) = body.strip_prefix('@') {
        let quote = body.get(..1)?;
        return Some(body.get(1..body.len() - 1)?.replace(&quote.repeat(2), quote));
    }
    unescape(body.get(1..body.len() - 1)?)
}

fn unescape(text: &str) -> Option<String> {
    if !text.contains('\\') {
        return Some(text.to_owned());
    }
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        if c != '\\' {
            plain.push(c);
            continue;
        }
        plain.push(match rest.next()? {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            'a' => '\u{7}',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'v' => '\u{b}',
            '0' => '\0',
            'u' => from_hex(&mut rest, 4)?,
            'U' => from_hex(&mut rest, 8)?,
            'x' => from_hex(&mut rest, 2)?,
            c @ ('\\' | '"' | '\'') => c,
            _ => return None,
        });
    }
    Some(plain)
}

fn from_hex(rest: &mut std::str::Chars<'_>, digits: usize) -> Option<char> {
    let code: String = rest.take(digits).collect();
    if code.len() != digits {
        return None;
    }
    char::from_u32(u32::from_str_radix(&code, 16).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expect: &[(TokenKind, &str)]) {
        let found: Vec<_> = tokens(text)
            .into_iter()
            .filter(|token| token.kind != TokenKind::Blank)
            .map(|token| (token.kind, &text[token.span.start..token.span.end]))
            .collect();
        assert_eq!(found, expect);
    }

    #[test]
    fn words_numbers_and_symbols() {
        use TokenKind::{Comment, Duration, Fraction, Symbol, Whole, Word};
        check(
            "x !in~ (1..2.5) | $left.a=~1d//c",
            &[
                (Word, "x"),
                (Word, "!in~"),
                (Symbol, "("),
                (Whole, "1"),
                (Symbol, ".."),
                (Fraction, "2.5"),
                (Symbol, ")"),
                (Symbol, "|"),
                (Word, "$left"),
                (Symbol, "."),
                (Word, "a"),
                (Symbol, "=~"),
                (Duration, "1d"),
                (Comment, "//c"),
            ],
        );
    }

    #[test]
    fn strings_in_all_quotings() {
        use TokenKind::{String, Unknown};
        for (text, says) in [
            (r#""a\"b""#, "a\"b"),
            (r"'a\\b'", "a\\b"),
            (r#"@"a\""b""#, "a\\\"b"),
            (r"h@'a''b'", "a'b"),
            ("```a\n'b```", "a\n'b"),
            (r#"H"x""#, "x"),
        ] {
            check(text, &[(String, text)]);
            assert_eq!(string_text(text).as_deref(), Some(says), "{text}");
        }
        check("\"open", &[(Unknown, "\"open")]);
        assert_eq!(string_text(r#""\q""#), None);
    }

    #[test]
    fn literals_with_a_type() {
        use TokenKind::{Symbol, Typed, Word};
        check("datetime(2024-01-02 03:04)", &[(Typed, "datetime(2024-01-02 03:04)")]);
        check("long (f(", &[(Word, "long"), (Symbol, "("), (Word, "f"), (Symbol, "(")]);
    }
}
