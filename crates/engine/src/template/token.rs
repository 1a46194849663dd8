//! The inside of `{{ }}` and `{% %}` to tokens, one at a time.

use super::error::{Fail, Span};

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token<'t> {
    pub(super) span: Span,
    pub(super) kind: TokenKind<'t>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum TokenKind<'t> {
    Name(&'t str),
    Whole(u64),
    Fraction(f64),
    Text(String),
    Symbol(&'static str),
    End,
}

/// The token that begins at this byte or behind blanks.
pub(super) fn token(text: &str, at: usize) -> Result<Token<'_>, Fail> {
    let at = text.len() - text[at..].trim_start().len();
    let rest = &text[at..];
    let Some(first) = rest.chars().next() else { return Ok(Token { span: at..at, kind: TokenKind::End }) };
    if is_name_start(first) {
        let len = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
        return Ok(Token { span: at..at + len, kind: TokenKind::Name(&rest[..len]) });
    }
    if first.is_ascii_digit() {
        return number(rest, at);
    }
    if matches!(first, '"' | '\'') {
        return literal(rest, at, first);
    }
    if rest.starts_with("{{") {
        let fail = Fail::text("`{{` stands inside of an expression");
        return Err(fail.next("write the name alone, without another pair of braces").at(&(at..at + 2)));
    }
    match SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol)) {
        Some(symbol) => Ok(Token { span: at..at + symbol.len(), kind: TokenKind::Symbol(symbol) }),
        None => Err(strange(first).at(&(at..at + first.len_utf8()))),
    }
}

fn strange(c: char) -> Fail {
    let fail = Fail::text(format!("`{}` has no meaning here", c.escape_default()));
    match c {
        '@' | '$' => fail.next("write a key with such a sign in brackets, as in item['@odata.type']"),
        '&' => fail.next("write `and`"),
        '!' => fail.next("write `not`"),
        '?' => fail.next("write `a if b else c`, or `| default(…)`"),
        '`' | '“' | '”' | '‘' | '’' => fail.next("quote texts with ' or \""),
        _ => fail,
    }
}

fn is_name_start(c: char) -> bool {
    c.is_alphabetic() || c == '_'
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// A step's id, dashes included, that begins right at this byte. Nothing can be subtracted from a whole step, so that a dash
/// behind `steps.fetch` can only belong to the id.
pub(super) fn step_id(text: &str, at: usize) -> Option<&str> {
    let rest = &text[at..];
    let mut len = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
    if len == 0 {
        return None;
    }
    while let Some(tail) = rest[len..].strip_prefix('-') {
        let more = tail.find(|c| !is_name(c)).unwrap_or(tail.len());
        if more == 0 {
            break;
        }
        len += 1 + more;
    }
    Some(&rest[..len])
}

fn number(rest: &str, at: usize) -> Result<Token<'_>, Fail> {
    let digits = |text: &str| text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let mut len = digits(rest);
    let mut is_whole = true;
    if rest[len..].starts_with('.') && rest[len + 1..].starts_with(|c: char| c.is_ascii_digit()) {
        len += 1 + digits(&rest[len + 1..]);
        is_whole = false;
    }
    if rest[len..].starts_with(['e', 'E']) {
        let sign = usize::from(rest[len + 1..].starts_with(['+', '-']));
        let exponent = digits(&rest[len + 1 + sign..]);
        if exponent > 0 {
            len += 1 + sign + exponent;
            is_whole = false;
        }
    }
    let tail = rest[len..].find(|c| !is_name(c)).unwrap_or(rest.len() - len);
    let span = at..at + len + tail;
    let wrong = |why: &str| Fail::text(format!("`{}` {why}", &rest[..len + tail])).at(&span);
    if tail > 0 {
        return Err(wrong("is neither a number nor a name").next("quote a text such as '24h'"));
    }
    let kind = if is_whole {
        TokenKind::Whole(rest[..len].parse().map_err(|_| wrong("does not fit into 64 bits"))?)
    } else {
        let number: f64 = rest[..len].parse().map_err(|_| wrong("is no number"))?;
        if !number.is_finite() {
            return Err(wrong("is too large for a number"));
        }
        TokenKind::Fraction(number)
    };
    Ok(Token { span, kind })
}

fn literal(rest: &str, at: usize, quote: char) -> Result<Token<'_>, Fail> {
    let mut text = String::new();
    let mut chars = rest.char_indices().skip(1);
    while let Some((offset, c)) = chars.next() {
        if c == quote {
            return Ok(Token { span: at..at + offset + 1, kind: TokenKind::Text(text) });
        }
        if c != '\\' {
            text.push(c);
            continue;
        }
        let Some((_, escaped)) = chars.next() else { break };
        let mut coded = |digits: usize| -> Option<u32> {
            let digits: String = chars.by_ref().take(digits).map(|(_, c)| c).collect();
            digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u32::from_str_radix(&digits, 16).ok())?
        };
        let meant = match escaped {
            'n' => Some('\n'),
            't' => Some('\t'),
            'r' => Some('\r'),
            'b' => Some('\u{8}'),
            'f' => Some('\u{c}'),
            '0' => Some('\0'),
            '\\' | '\'' | '"' | '/' => Some(escaped),
            'x' => coded(2).and_then(char::from_u32),
            'u' => match coded(4) {
                // A pair of surrogates, as JSON writes what lies beyond the first plane.
                Some(high @ 0xd800..=0xdbff) if coded(2).is_none() => {
                    let low = coded(4).filter(|low| (0xdc00..=0xdfff).contains(low));
                    low.and_then(|low| char::from_u32(0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00)))
                }
                code => code.and_then(char::from_u32),
            },
            _ => None,
        };
        let wrong = || {
            let fail = Fail::text(format!("`\\{}` means nothing in a text", escaped.escape_default()));
            fail.next("write `\\\\` for a backslash").at(&(at + offset..at + offset + 1 + escaped.len_utf8()))
        };
        text.push(meant.ok_or_else(wrong)?);
    }
    Err(Fail::text("the text that begins here has no end").next(format!("close it with {quote}")).at(&(at..at + 1)))
}

/// Longer ones first. A `}}` is not among them: two objects may end in it.
const SYMBOLS: &[&str] = &[
    "-}}", "-%}", "%}", "**", "//", "==", "!=", "<=", ">=", "<", ">", "=", "+", "-", "*", "/", "%", "~", "|", ".", ",",
    ":", "(", ")", "[", "]", "{", "}",
];
