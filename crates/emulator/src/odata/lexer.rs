//! Cuts the text of a `$filter` into tokens. Positions are in characters, as the error texts count them.

use jiff::{Timestamp, civil};

use super::parser::FilterError;
use crate::world::Ticks;

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token {
    pub at: usize,
    pub kind: TokenKind,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum TokenKind {
    Open,
    Close,
    Comma,
    Colon,
    Slash,
    /// A property, an operator, a function or a key word.
    Word(String),
    Text(String),
    Instant(Ticks),
    Number(f64),
}

pub(super) fn tokens(text: &str) -> Result<Vec<Token>, FilterError> {
    let characters: Vec<char> = text.chars().collect();
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(character) = characters.get(at).copied() {
        let (kind, next) = match character {
            _ if character.is_whitespace() => {
                at += 1;
                continue;
            }
            '(' => (TokenKind::Open, at + 1),
            ')' => (TokenKind::Close, at + 1),
            ',' => (TokenKind::Comma, at + 1),
            ':' => (TokenKind::Colon, at + 1),
            '/' => (TokenKind::Slash, at + 1),
            '\'' => quoted(&characters, at).ok_or_else(|| FilterError::syntax(at, text))?,
            '0'..='9' | '-' => literal(&characters, at).ok_or_else(|| FilterError::syntax(at, text))?,
            _ if character.is_alphabetic() || matches!(character, '_' | '@') => word(&characters, at),
            _ => return Err(FilterError::syntax(at, text)),
        };
        found.push(Token { at, kind });
        at = next;
    }
    Ok(found)
}

/// `'it''s'`: a doubled quote stands for one.
fn quoted(characters: &[char], start: usize) -> Option<(TokenKind, usize)> {
    let mut text = String::new();
    let mut at = start + 1;
    loop {
        match (characters.get(at)?, characters.get(at + 1)) {
            ('\'', Some('\'')) => {
                text.push('\'');
                at += 2;
            }
            ('\'', _) => return Some((TokenKind::Text(text), at + 1)),
            (character, _) => {
                text.push(*character);
                at += 1;
            }
        }
    }
}

fn word(characters: &[char], start: usize) -> (TokenKind, usize) {
    let rest = &characters[start..];
    let length = rest.iter().take_while(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '@')).count();
    (TokenKind::Word(rest[..length].iter().collect()), start + length)
}

/// A number, a date or an instant; a GUID without quotes is a text.
fn literal(characters: &[char], start: usize) -> Option<(TokenKind, usize)> {
    let rest = &characters[start..];
    let length = rest.iter().take_while(|c| c.is_alphanumeric() || matches!(c, '-' | ':' | '.' | '+')).count();
    let text: String = rest[..length].iter().collect();
    let kind = number(&text).or_else(|| instant(&text)).or_else(|| guid(&text))?;
    Some((kind, start + length))
}

fn number(text: &str) -> Option<TokenKind> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain =
        digits.starts_with(|c: char| c.is_ascii_digit()) && digits.chars().all(|c| c.is_ascii_digit() || c == '.');
    let value: f64 = text.parse().ok()?;
    (plain && value.is_finite()).then_some(TokenKind::Number(value))
}

/// Also a date without a time, with and without `Z`: both are seen in vendor samples.
fn instant(text: &str) -> Option<TokenKind> {
    let upper = text.to_ascii_uppercase();
    if let Ok(instant) = upper.parse::<Timestamp>() {
        return Some(TokenKind::Instant(Ticks::from(instant)));
    }
    let date: civil::Date = upper.strip_suffix('Z').unwrap_or(&upper).parse().ok()?;
    let instant = date.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp();
    Some(TokenKind::Instant(Ticks::from(instant)))
}

fn guid(text: &str) -> Option<TokenKind> {
    (text.len() == 36).then(|| uuid::Uuid::try_parse(text).ok())?.map(|id| TokenKind::Text(id.to_string()))
}
