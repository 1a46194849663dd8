//! Constants: numbers, strings, typed literals, `dynamic(..)`.

use std::sync::Arc;

use super::{Parser, Reading};
use crate::{
    ast::{Expr, ExprKind},
    decimal::Decimal,
    dynamic::Dynamic,
    lexer::{TokenKind, string_text},
    time,
    types::Type,
    value::{Value, parse_guid},
};

impl Parser<'_> {
    /// A constant, if one is next.
    pub(super) fn literal(&mut self) -> Option<Reading<Expr>> {
        let start = self.span();
        let text = self.peek(0);
        let kind = match self.kind(0)? {
            TokenKind::Whole | TokenKind::Fraction => number(text),
            TokenKind::Duration => time::parse_span(text).map_or(ExprKind::BadLiteral(Type::TimeSpan), |ticks| {
                ExprKind::Literal(Type::TimeSpan, Value::TimeSpan(ticks))
            }),
            TokenKind::Typed => typed(text),
            TokenKind::String => {
                return Some(self.string().and_then(|text| {
                    let span = self.since(start);
                    self.node(ExprKind::Literal(Type::String, Value::text(text)), span, 0)
                }));
            }
            TokenKind::Word if matches!(text, "true" | "false") => {
                ExprKind::Literal(Type::Bool, Value::Bool(text == "true"))
            }
            TokenKind::Word if text == "dynamic" && self.is_symbol(1, "(") => {
                self.at += 2;
                return Some(self.dynamic_in_brackets(start));
            }
            _ => return None,
        };
        self.at += 1;
        Some(self.node(kind, start, 0))
    }

    /// A string; several behind each other are one.
    pub(super) fn string(&mut self) -> Reading<String> {
        let mut joined = String::new();
        if self.kind(0) != Some(TokenKind::String) {
            return Err(self.missing("a string"));
        }
        while self.kind(0) == Some(TokenKind::String) {
            let span = self.span();
            match string_text(self.peek(0)) {
                Some(text) => joined.push_str(&text),
                None => return Err(self.fail("The string has an escape that means nothing.", span)),
            }
            self.at += 1;
        }
        Ok(joined)
    }

    fn dynamic_in_brackets(&mut self, start: crate::error::Span) -> Reading<Expr> {
        let value = self.dynamic_value()?;
        self.expect(")")?;
        let span = self.since(start);
        self.node(ExprKind::Dynamic(value), span, 0)
    }

    /// JSON with the strings and the typed literals of the language.
    fn dynamic_value(&mut self) -> Reading<Dynamic> {
        if self.eat("[") {
            let items =
                self.deeper(|parser| parser.list_until("]", true, |parser| parser.deeper(Self::dynamic_value)))?;
            return Ok(Dynamic::array(items));
        }
        if self.eat("{") {
            return self.deeper(Self::dynamic_bag);
        }
        if self.kind(0) == Some(TokenKind::String) {
            return Ok(Dynamic::text(self.string()?));
        }
        if self.is_word(0, "null") {
            self.at += 1;
            return Ok(Dynamic::Null);
        }
        let negative = self.eat("-");
        match self.literal() {
            Some(literal) => match *literal?.kind {
                ExprKind::Literal(_, value) if negative => Ok(match value {
                    Value::Long(value) => Dynamic::Long(-value),
                    Value::Real(value) => Dynamic::Real(-value),
                    Value::TimeSpan(value) => Dynamic::TimeSpan(-value),
                    value => Dynamic::from(value),
                }),
                ExprKind::Literal(_, value) => Ok(Dynamic::from(value)),
                ExprKind::Dynamic(value) => Ok(value),
                _ => Err(self.missing("a JSON value")),
            },
            None => Err(self.missing("a JSON value")),
        }
    }

    fn dynamic_bag(&mut self) -> Reading<Dynamic> {
        let entries = self.list_until("}", true, |parser| {
            let name = if parser.kind(0) == Some(TokenKind::String) {
                Arc::from(parser.string()?)
            } else {
                parser.name()?.text
            };
            parser.expect(":")?;
            Ok((name, parser.deeper(Self::dynamic_value)?))
        })?;
        Ok(Dynamic::bag(entries))
    }
}

fn number(text: &str) -> ExprKind {
    let whole = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => u64::from_str_radix(digits, 16).ok().map(u64::cast_signed),
        None => text.parse::<i64>().ok(),
    };
    match (whole, text.parse::<f64>()) {
        (Some(value), _) => ExprKind::Literal(Type::Long, Value::Long(value)),
        (None, Ok(value)) => ExprKind::Literal(Type::Real, Value::Real(value)),
        (None, Err(_)) => ExprKind::BadLiteral(Type::Long),
    }
}

/// `datetime(2024-01-01)` and the like.
fn typed(text: &str) -> ExprKind {
    let (word, inside) = text.split_once('(').unwrap_or((text, ""));
    let inside = inside.trim_end_matches(')').trim();
    let quoted = inside.starts_with(['"', '\'', '@']);
    let inside = if quoted { string_text(inside).unwrap_or_default() } else { inside.to_owned() };
    let Some(ty) = Type::named(word.trim()) else { return ExprKind::BadLiteral(Type::String) };
    if inside == "null" || (inside.is_empty() && ty != Type::String) {
        return ExprKind::Literal(ty, Value::Null);
    }
    match typed_value(ty, &inside) {
        Some(value) => ExprKind::Literal(ty, value),
        None => ExprKind::BadLiteral(ty),
    }
}

fn typed_value(ty: Type, text: &str) -> Option<Value> {
    let whole = || {
        let (negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
        let value = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
            Some(digits) => i64::from_str_radix(digits, 16).ok()?,
            None => digits.trim().trim_start_matches('+').parse::<i64>().ok()?,
        };
        Some(if negative { -value } else { value })
    };
    Some(match ty {
        Type::Bool => Value::Bool(match text {
            "true" | "True" | "TRUE" | "1" => true,
            "false" | "False" | "FALSE" | "0" => false,
            _ => return None,
        }),
        Type::Int => Value::Int(i32::try_from(whole()?).ok()?),
        Type::Long => Value::Long(whole()?),
        Type::Real => Value::Real(real(text)?),
        Type::Decimal => Value::Decimal(text.parse::<Decimal>().ok()?),
        Type::DateTime => Value::DateTime(time::parse_instant(text).or_else(|| parts_of_instant(text))?),
        Type::TimeSpan => Value::TimeSpan(time::parse_span(text)?),
        Type::Guid => Value::Guid(parse_guid(text)?),
        Type::String | Type::Dynamic => return None,
    })
}

fn real(text: &str) -> Option<f64> {
    match text.to_ascii_lowercase().as_str() {
        "nan" => Some(f64::NAN),
        "+inf" | "inf" => Some(f64::INFINITY),
        "-inf" => Some(f64::NEG_INFINITY),
        number => number.parse().ok(),
    }
}

/// `datetime(2025, 6, 14)`, up to seconds.
fn parts_of_instant(text: &str) -> Option<i64> {
    let parts: Option<Vec<i64>> = text.split(',').map(|part| part.trim().parse().ok()).collect();
    let parts = parts.filter(|parts| (3..=6).contains(&parts.len()))?;
    let part = |at: usize| parts.get(at).copied().unwrap_or(0);
    let (hour, minute, second) = (part(3), part(4), part(5));
    if !(0..24).contains(&hour) || !(0..60).contains(&minute) || !(0..60).contains(&second) {
        return None;
    }
    let of_day = (hour * 3600 + minute * 60 + second) * time::TICKS_PER_SECOND;
    time::Civil { year: parts[0], month: parts[1], day: parts[2], of_day }.ticks()
}
