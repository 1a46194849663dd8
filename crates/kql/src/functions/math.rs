//! Powers, logarithms, angles, and the functions of statistics.

use super::{Function, Kind, Returns};
use crate::{
    eval::Context,
    types::Type,
    value::{Cell, Value},
};

use Kind::Real;

const REAL: Returns = Returns::Is(Type::Real);

pub(super) const FUNCTIONS: &[Function] = &[
    Function::cells("pi", &[], REAL, |_, _| Value::Real(std::f64::consts::PI)),
    Function::cells("pow", &[Real, Real], REAL, |_, cells| two(cells, f64::powf)).named_by_first(),
    Function::cells("atan2", &[Real, Real], REAL, |_, cells| two(cells, f64::atan2)).named_by_first(),
    one("sqrt", |_, cells| of(cells, f64::sqrt)),
    one("exp", |_, cells| of(cells, f64::exp)),
    one("exp2", |_, cells| of(cells, f64::exp2)),
    one("exp10", |_, cells| of(cells, |x| 10_f64.powf(x))),
    one("log", |_, cells| of(cells, f64::ln)),
    one("log2", |_, cells| of(cells, f64::log2)),
    one("log10", |_, cells| of(cells, f64::log10)),
    one("sin", |_, cells| of(cells, f64::sin)),
    one("cos", |_, cells| of(cells, f64::cos)),
    one("tan", |_, cells| of(cells, f64::tan)),
    one("cot", |_, cells| of(cells, |x| 1.0 / x.tan())),
    one("asin", |_, cells| of(cells, f64::asin)),
    one("acos", |_, cells| of(cells, f64::acos)),
    one("atan", |_, cells| of(cells, f64::atan)),
    one("degrees", |_, cells| of(cells, f64::to_degrees)),
    one("radians", |_, cells| of(cells, f64::to_radians)),
    one("gamma", |_, cells| of(cells, gamma)),
    one("loggamma", |_, cells| of(cells, log_gamma)),
    one("erf", |_, cells| of(cells, |x| 1.0 - erfc(x))),
    one("erfc", |_, cells| of(cells, erfc)),
    Function::cells("beta_cdf", &[Real, Real, Real], REAL, |_, cells| three(cells, beta_cdf)),
    Function::cells("beta_inv", &[Real, Real, Real], REAL, |_, cells| match cells[0].as_f64() {
        Some(p) if (0.0..=1.0).contains(&p) => three(cells, beta_inv),
        _ => Value::Null,
    }),
    Function::cells("beta_pdf", &[Real, Real, Real], REAL, |_, cells| three(cells, beta_pdf)),
];

const fn one(name: &'static str, body: fn(&Context<'_>, &[Cell<'_>]) -> Value) -> Function {
    Function::cells(name, &[Real], REAL, body).named_by_first()
}

fn of(cells: &[Cell<'_>], function: fn(f64) -> f64) -> Value {
    cells[0].as_f64().map_or(Value::Null, |x| Value::Real(function(x)))
}

fn two(cells: &[Cell<'_>], function: fn(f64, f64) -> f64) -> Value {
    match (cells[0].as_f64(), cells[1].as_f64()) {
        (Some(x), Some(y)) => Value::Real(function(x, y)),
        _ => Value::Null,
    }
}

fn three(cells: &[Cell<'_>], function: fn(f64, f64, f64) -> f64) -> Value {
    match (cells[0].as_f64(), cells[1].as_f64(), cells[2].as_f64()) {
        (Some(x), Some(y), Some(z)) => Value::Real(function(x, y, z)),
        _ => Value::Null,
    }
}

/// Lanczos' approximation with g = 7 and nine terms.
const LANCZOS: [f64; 9] = [
    0.999_999_999_999_809_9,
    676.520_368_121_885_1,
    -1_259.139_216_722_402_8,
    771.323_428_777_653_1,
    -176.615_029_162_140_6,
    12.507_343_278_686_905,
    -0.138_571_095_265_720_12,
    9.984_369_578_019_572e-6,
    1.505_632_735_149_311_6e-7,
];

fn lanczos(x: f64) -> f64 {
    let mut sum = LANCZOS[0];
    let mut place = x;
    for term in &LANCZOS[1..] {
        place += 1.0;
        sum += term / place;
    }
    sum
}

fn gamma(x: f64) -> f64 {
    if x.fract() == 0.0 && (1.0..=171.0).contains(&x) {
        // A factorial is exact as long as its digits fit.
        let mut product = 1.0;
        let mut factor = 2.0;
        while factor < x {
            product *= factor;
            factor += 1.0;
        }
        return product;
    }
    if x < 0.5 {
        return std::f64::consts::PI / ((std::f64::consts::PI * x).sin() * gamma(1.0 - x));
    }
    let x = x - 1.0;
    let base = x + 7.5;
    (2.0 * std::f64::consts::PI).sqrt() * base.powf(x + 0.5) * (-base).exp() * lanczos(x)
}

fn log_gamma(x: f64) -> f64 {
    if x < 0.5 {
        return (std::f64::consts::PI / (std::f64::consts::PI * x).sin().abs()).ln() - log_gamma(1.0 - x);
    }
    if x.fract() == 0.0 && x <= 100.0 {
        return gamma(x).ln();
    }
    let x = x - 1.0;
    let base = x + 7.5;
    0.5 * (2.0 * std::f64::consts::PI).ln() + (x + 0.5) * base.ln() - base + lanczos(x).ln()
}

/// By its series near zero and its continued fraction elsewhere.
fn erfc(x: f64) -> f64 {
    if x < 0.0 {
        return 2.0 - erfc(-x);
    }
    if x < 2.0 {
        let (mut sum, mut term, mut n) = (x, x, 0.0);
        while term.abs() > 1e-18 * sum.abs() && n < 200.0 {
            n += 1.0;
            term *= -x * x / n;
            sum += term / (2.0 * n + 1.0);
        }
        return 1.0 - 2.0 / std::f64::consts::PI.sqrt() * sum;
    }
    let mut fraction = 0.0;
    let mut n = 100.0;
    while n > 0.0 {
        fraction = n / 2.0 / (x + fraction);
        n -= 1.0;
    }
    (-x * x).exp() / std::f64::consts::PI.sqrt() / (x + fraction)
}

fn beta_cdf(x: f64, a: f64, b: f64) -> f64 {
    if !(0.0..=1.0).contains(&x) || a <= 0.0 || b <= 0.0 {
        return f64::NAN;
    }
    if x == 0.0 || x == 1.0 {
        return x;
    }
    let front = (log_gamma(a + b) - log_gamma(a) - log_gamma(b) + a * x.ln() + b * (-x).ln_1p()).exp();
    if x < (a + 1.0) / (a + b + 2.0) {
        front * beta_fraction(x, a, b) / a
    } else {
        1.0 - front * beta_fraction(1.0 - x, b, a) / b
    }
}

/// The continued fraction of the incomplete beta function, by Lentz' method.
fn beta_fraction(x: f64, a: f64, b: f64) -> f64 {
    let guard = |value: f64| if value.abs() < 1e-300 { 1e-300 } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / guard(1.0 - (a + b) * x / (a + 1.0));
    let mut result = d;
    let mut m = 1.0;
    while m < 500.0 {
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / guard(1.0 + even * d);
        c = guard(1.0 + even / c);
        result *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / guard(1.0 + odd * d);
        c = guard(1.0 + odd / c);
        result *= d * c;
        if (d * c - 1.0).abs() < 1e-16 {
            break;
        }
        m += 1.0;
    }
    result
}

/// By halving the interval until it can't be halved.
fn beta_inv(p: f64, a: f64, b: f64) -> f64 {
    if !(0.0..=1.0).contains(&p) || a <= 0.0 || b <= 0.0 {
        return f64::NAN;
    }
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..1100 {
        let middle = f64::midpoint(low, high);
        if middle <= low || middle >= high {
            break;
        }
        if beta_cdf(middle, a, b) < p { low = middle } else { high = middle }
    }
    f64::midpoint(low, high)
}

fn beta_pdf(x: f64, a: f64, b: f64) -> f64 {
    if !(0.0..=1.0).contains(&x) || a <= 0.0 || b <= 0.0 {
        return f64::NAN;
    }
    (log_gamma(a + b) - log_gamma(a) - log_gamma(b) + (a - 1.0) * x.ln() + (b - 1.0) * (-x).ln_1p()).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_values_of_the_tables() {
        for (found, expect) in [
            (gamma(5.0), 24.0),
            (gamma(0.5), std::f64::consts::PI.sqrt()),
            (log_gamma(10.0), 12.801_827_480_081_469),
            (erfc(1.0), 0.157_299_207_050_285_13),
            (erfc(3.0), 2.209_049_699_858_544e-5),
            (beta_cdf(0.5, 2.0, 2.0), 0.5),
            (beta_inv(0.5, 2.0, 2.0), 0.5),
        ] {
            assert!((found - expect).abs() < 1e-12 * expect.abs().max(1.0), "{found} {expect}");
        }
    }
}
