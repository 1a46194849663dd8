//! One value: owned (`Value`) or as it lies in a column (`Cell`).

use std::{cmp::Ordering, fmt, sync::Arc};

use crate::{decimal::Decimal, dynamic::Dynamic, time, types::Type};

/// A value that owns its text.
#[derive(Clone, Debug)]
pub enum Value {
    /// No value. A string is never null; it is empty instead.
    Null,
    /// A truth value.
    Bool(bool),
    /// 32 bits.
    Int(i32),
    /// 64 bits.
    Long(i64),
    /// Binary fraction.
    Real(f64),
    /// Decimal fraction.
    Decimal(Decimal),
    /// Text.
    String(Arc<str>),
    /// Ticks of 100 ns since 0001-01-01 UTC.
    DateTime(i64),
    /// Ticks of 100 ns.
    TimeSpan(i64),
    /// The 128 bits in reading order.
    Guid(u128),
    /// JSON and more.
    Dynamic(Dynamic),
}

/// A value borrowed from a column.
#[derive(Clone, Copy, Debug)]
pub enum Cell<'a> {
    /// No value.
    Null,
    /// A truth value.
    Bool(bool),
    /// 32 bits.
    Int(i32),
    /// 64 bits.
    Long(i64),
    /// Binary fraction.
    Real(f64),
    /// Decimal fraction.
    Decimal(Decimal),
    /// Text.
    String(&'a str),
    /// Ticks of 100 ns since 0001-01-01 UTC.
    DateTime(i64),
    /// Ticks of 100 ns.
    TimeSpan(i64),
    /// The 128 bits in reading order.
    Guid(u128),
    /// JSON and more.
    Dynamic(&'a Dynamic),
}

impl Value {
    /// The same value, borrowed.
    pub fn cell(&self) -> Cell<'_> {
        match self {
            Self::Null => Cell::Null,
            Self::Bool(value) => Cell::Bool(*value),
            Self::Int(value) => Cell::Int(*value),
            Self::Long(value) => Cell::Long(*value),
            Self::Real(value) => Cell::Real(*value),
            Self::Decimal(value) => Cell::Decimal(*value),
            Self::String(value) => Cell::String(value),
            Self::DateTime(value) => Cell::DateTime(*value),
            Self::TimeSpan(value) => Cell::TimeSpan(*value),
            Self::Guid(value) => Cell::Guid(*value),
            Self::Dynamic(value) => Cell::Dynamic(value),
        }
    }

    /// Text as a value.
    pub fn text(text: impl AsRef<str>) -> Self {
        Self::String(Arc::from(text.as_ref()))
    }

    /// The type, if there is a value.
    pub fn type_of(&self) -> Option<Type> {
        self.cell().type_of()
    }
}

impl<'a> Cell<'a> {
    /// A copy that owns its text.
    pub fn to_value(self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(value),
            Self::Int(value) => Value::Int(value),
            Self::Long(value) => Value::Long(value),
            Self::Real(value) => Value::Real(value),
            Self::Decimal(value) => Value::Decimal(value),
            Self::String(value) => Value::text(value),
            Self::DateTime(value) => Value::DateTime(value),
            Self::TimeSpan(value) => Value::TimeSpan(value),
            Self::Guid(value) => Value::Guid(value),
            Self::Dynamic(value) => Value::Dynamic(value.clone()),
        }
    }

    /// The type, if there is a value.
    pub fn type_of(self) -> Option<Type> {
        Some(match self {
            Self::Null => return None,
            Self::Bool(_) => Type::Bool,
            Self::Int(_) => Type::Int,
            Self::Long(_) => Type::Long,
            Self::Real(_) => Type::Real,
            Self::Decimal(_) => Type::Decimal,
            Self::String(_) => Type::String,
            Self::DateTime(_) => Type::DateTime,
            Self::TimeSpan(_) => Type::TimeSpan,
            Self::Guid(_) => Type::Guid,
            Self::Dynamic(_) => Type::Dynamic,
        })
    }

    /// Null, or a dynamic that holds null.
    pub fn is_null(self) -> bool {
        matches!(self, Self::Null | Self::Dynamic(Dynamic::Null))
    }

    /// The total order that `sort`, `min` and `max` use: null before all else, NaN before numbers, text by code point.
    pub fn order(self, other: Cell<'_>) -> Ordering {
        match (self, other) {
            (left, right) if left.is_null() || right.is_null() => right.is_null().cmp(&left.is_null()),
            (Self::Bool(left), Cell::Bool(right)) => left.cmp(&right),
            (Self::String(left), Cell::String(right)) => left.cmp(right),
            (Self::Guid(left), Cell::Guid(right)) => left.cmp(&right),
            (Self::Decimal(left), Cell::Decimal(right)) => left.cmp(&right),
            (Self::DateTime(left), Cell::DateTime(right)) | (Self::TimeSpan(left), Cell::TimeSpan(right)) => {
                left.cmp(&right)
            }
            (Self::Dynamic(left), Cell::Dynamic(right)) => left.order(right),
            (left, right) => left.order_numbers(right),
        }
    }

    fn order_numbers(self, other: Cell<'_>) -> Ordering {
        match (self.as_i64(), other.as_i64()) {
            (Some(left), Some(right)) => left.cmp(&right),
            _ => match (self.as_f64(), other.as_f64()) {
                (Some(left), Some(right)) => order_reals(left, right),
                (left, right) => left.is_some().cmp(&right.is_some()),
            },
        }
    }

    /// A whole number, without rounding.
    pub fn as_i64(self) -> Option<i64> {
        match self {
            Self::Int(value) => Some(i64::from(value)),
            Self::Long(value) | Self::DateTime(value) | Self::TimeSpan(value) => Some(value),
            Self::Bool(value) => Some(i64::from(value)),
            Self::Dynamic(Dynamic::Long(value)) => Some(*value),
            Self::Dynamic(Dynamic::Bool(value)) => Some(i64::from(*value)),
            _ => None,
        }
    }

    /// Any number, as a real.
    #[expect(clippy::cast_precision_loss, reason = "a real is what the caller asks for")]
    pub fn as_f64(self) -> Option<f64> {
        match self {
            Self::Real(value) => Some(value),
            Self::Dynamic(Dynamic::Real(value)) => Some(*value),
            Self::Decimal(value) => Some(value.to_f64()),
            other => other.as_i64().map(|value| value as f64),
        }
    }

    /// Text, also when it lies in a dynamic.
    pub fn as_str(self) -> Option<&'a str> {
        match self {
            Self::String(value) => Some(value),
            Self::Dynamic(Dynamic::String(value)) => Some(value),
            _ => None,
        }
    }
}

/// As `tostring` prints it; null is the empty string.
impl fmt::Display for Cell<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => Ok(()),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Int(value) => write!(f, "{value}"),
            Self::Long(value) => write!(f, "{value}"),
            Self::Real(value) => write!(f, "{}", RealText(*value)),
            Self::Decimal(value) => write!(f, "{value}"),
            Self::String(value) => f.write_str(value),
            Self::DateTime(value) => write!(f, "{}", time::InstantText(*value)),
            Self::TimeSpan(value) => write!(f, "{}", time::SpanText(*value)),
            Self::Guid(value) => write!(f, "{}", GuidText(*value)),
            Self::Dynamic(value) => write!(f, "{value}"),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.cell().fmt(f)
    }
}

/// A real in the words of the service: `NaN`, `Infinity`, a fraction only where there is one.
pub(crate) struct RealText(pub(crate) f64);

impl fmt::Display for RealText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.0;
        if value.is_nan() {
            f.write_str("NaN")
        } else if value.is_infinite() {
            f.write_str(if value > 0.0 { "Infinity" } else { "-Infinity" })
        } else if value != 0.0 && !(1e-5..1e15).contains(&value.abs()) {
            let text = format!("{value:E}");
            let (mantissa, exponent) = text.split_once('E').unwrap_or((&text, "0"));
            let (sign, digits) = exponent.strip_prefix('-').map_or(("+", exponent), |digits| ("-", digits));
            write!(f, "{mantissa}E{sign}{digits:0>2}")
        } else {
            write!(f, "{value}")
        }
    }
}

/// A GUID in lower case with dashes.
pub(crate) struct GuidText(pub(crate) u128);

impl fmt::Display for GuidText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{:032x}", self.0);
        write!(f, "{}-{}-{}-{}-{}", &text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..])
    }
}

/// A GUID from its text, with or without dashes and braces.
pub(crate) fn parse_guid(text: &str) -> Option<u128> {
    let text = text.trim().trim_start_matches(['{', '(']).trim_end_matches(['}', ')']);
    let digits: String = text.chars().filter(|c| *c != '-').collect();
    let fits = digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    if fits { u128::from_str_radix(&digits, 16).ok() } else { None }
}

pub(crate) fn order_reals(left: f64, right: f64) -> Ordering {
    left.partial_cmp(&right).unwrap_or_else(|| right.is_nan().cmp(&left.is_nan()))
}
