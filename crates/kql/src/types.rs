//! The ten scalar types and how they mix.

use std::fmt;

/// A scalar type of the language.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Type {
    /// `true`, `false` or null.
    Bool,
    /// 32 bits, signed.
    Int,
    /// 64 bits, signed.
    Long,
    /// IEEE 754 binary64.
    Real,
    /// Decimal fraction.
    Decimal,
    /// UTF-8; has no null, the empty string stands for it.
    String,
    /// An instant, in ticks of 100 ns since 0001-01-01 UTC.
    DateTime,
    /// A duration in ticks of 100 ns.
    TimeSpan,
    /// 128 bits.
    Guid,
    /// Anything that JSON can say, and instants and durations in it.
    Dynamic,
}

impl Type {
    /// The type of that name, with the aliases that the language accepts.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "bool" | "boolean" => Self::Bool,
            "int" | "int32" => Self::Int,
            "long" | "int64" => Self::Long,
            "real" | "double" => Self::Real,
            "decimal" => Self::Decimal,
            "string" => Self::String,
            "datetime" | "date" => Self::DateTime,
            "timespan" | "time" => Self::TimeSpan,
            "guid" | "uuid" | "uniqueid" => Self::Guid,
            "dynamic" | "object" => Self::Dynamic,
            _ => return None,
        })
    }

    /// Whether arithmetic on numbers takes it.
    pub fn is_number(self) -> bool {
        matches!(self, Self::Int | Self::Long | Self::Real | Self::Decimal)
    }

    /// The name as a query writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Long => "long",
            Self::Real => "real",
            Self::Decimal => "decimal",
            Self::String => "string",
            Self::DateTime => "datetime",
            Self::TimeSpan => "timespan",
            Self::Guid => "guid",
            Self::Dynamic => "dynamic",
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
