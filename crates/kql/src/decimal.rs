//! Decimal fractions: a 128-bit whole number and a power of ten.

use std::{cmp::Ordering, fmt, str::FromStr};

/// A decimal fraction. Arithmetic that does not fit gives `None`, which the evaluator turns into null.
#[derive(Clone, Copy, Debug)]
pub struct Decimal {
    digits: i128,
    scale: u8,
}

impl Decimal {
    /// The nearest binary fraction.
    pub fn to_f64(self) -> f64 {
        self.to_string().parse().unwrap_or(f64::NAN)
    }

    /// A real as the shortest decimal that names it; `None` for NaN, the infinities and what is too large.
    pub fn from_f64(value: f64) -> Option<Self> {
        format!("{value}").parse().ok()
    }

    /// The whole part, if it fits.
    pub fn to_i64(self) -> Option<i64> {
        i64::try_from(self.digits / power(self.scale)?).ok()
    }

    pub(crate) fn add(self, other: Self) -> Option<Self> {
        let (left, right, scale) = self.aligned(other)?;
        Some(Self { digits: left.checked_add(right)?, scale }.reduced())
    }

    pub(crate) fn negate(self) -> Self {
        Self { digits: -self.digits, scale: self.scale }
    }

    pub(crate) fn multiply(self, other: Self) -> Option<Self> {
        let (left, right) = (self.reduced(), other.reduced());
        Some(Self { digits: left.digits.checked_mul(right.digits)?, scale: left.scale + right.scale }.reduced())
            .filter(|product| product.scale <= SCALE_MAX)
    }

    pub(crate) fn divide(self, other: Self) -> Option<Self> {
        if other.digits == 0 {
            return None;
        }
        let (mut left, right, _) = self.aligned(other)?;
        let mut quotient = left / right;
        left %= right;
        let mut scale = 0;
        while left != 0 && scale < SCALE_MAX {
            let (Some(rest), Some(grown)) = (left.checked_mul(10), quotient.checked_mul(10)) else { break };
            quotient = grown + rest / right;
            left = rest % right;
            scale += 1;
        }
        Some(Self { digits: quotient, scale })
    }

    fn aligned(self, other: Self) -> Option<(i128, i128, u8)> {
        let scale = self.scale.max(other.scale);
        let widen = |value: Self| value.digits.checked_mul(power(scale - value.scale)?);
        Some((widen(self)?, widen(other)?, scale))
    }

    fn reduced(mut self) -> Self {
        while self.scale > 0 && self.digits % 10 == 0 {
            self.digits /= 10;
            self.scale -= 1;
        }
        self
    }
}

impl From<i64> for Decimal {
    fn from(value: i64) -> Self {
        Self { digits: i128::from(value), scale: 0 }
    }
}

impl FromStr for Decimal {
    type Err = NotADecimal;

    fn from_str(text: &str) -> Result<Self, NotADecimal> {
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().map_err(|_| NotADecimal)?),
            None => (text, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        if whole.trim_start_matches(['-', '+']).is_empty() && fraction.is_empty() {
            return Err(NotADecimal);
        }
        let digits: i128 = format!("{whole}{fraction}").parse().map_err(|_| NotADecimal)?;
        let scale = i32::try_from(fraction.len()).map_err(|_| NotADecimal)? - exponent;
        let shift = u8::try_from(scale.unsigned_abs()).map_err(|_| NotADecimal)?;
        if scale >= 0 {
            return Some(Self { digits, scale: shift }.reduced())
                .filter(|value| value.scale <= SCALE_MAX)
                .ok_or(NotADecimal);
        }
        let digits = power(shift).and_then(|power| digits.checked_mul(power)).ok_or(NotADecimal)?;
        Ok(Self { digits, scale: 0 })
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.reduced();
        let digits = value.digits.unsigned_abs().to_string();
        let scale = usize::from(value.scale);
        let padded = format!("{digits:0>width$}", width = scale + 1);
        let (whole, fraction) = padded.split_at(padded.len() - scale);
        let sign = if value.digits < 0 { "-" } else { "" };
        if fraction.is_empty() { write!(f, "{sign}{whole}") } else { write!(f, "{sign}{whole}.{fraction}") }
    }
}

impl PartialEq for Decimal {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Decimal {}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        match self.aligned(*other) {
            Some((left, right, _)) => left.cmp(&right),
            None => self.to_f64().total_cmp(&other.to_f64()),
        }
    }
}

/// The text is no decimal number, or one of too many digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a decimal number")]
pub struct NotADecimal;

fn power(exponent: u8) -> Option<i128> {
    10_i128.checked_pow(u32::from(exponent))
}

const SCALE_MAX: u8 = 34;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn decimal(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    #[test]
    fn text_goes_in_and_comes_out() {
        for text in ["0", "-0.5", "12345678901234567890.000000001", "1000"] {
            assert_eq!(decimal(text).to_string(), text);
        }
        assert_eq!(decimal("1.2500e2").to_string(), "125");
        assert_eq!("".parse::<Decimal>(), Err(NotADecimal));
    }

    #[test]
    fn arithmetic_is_exact() {
        assert_eq!(decimal("0.1").add(decimal("0.2")).unwrap(), decimal("0.3"));
        assert_eq!(decimal("1.5").multiply(decimal("-2")).unwrap(), decimal("-3"));
        assert_eq!(decimal("1").divide(decimal("8")).unwrap(), decimal("0.125"));
        assert!(decimal("1").divide(decimal("0")).is_none());
    }
}
