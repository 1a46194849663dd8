//! Operators. Values of different types are never compared: what looks like `false` would hide a mistake.

use std::cmp::Ordering;

use super::{
    error::Fail,
    machine::{BYTES_A_UNIT, Machine},
    syntax::Operator,
    value::{Items, Num, Val, View},
};

pub(super) fn binary<'a>(
    machine: &mut Machine<'a>,
    operator: Operator,
    left: &Val<'a>,
    right: &Val<'a>,
) -> Result<Val<'a>, Fail> {
    let ordered =
        |machine: &mut Machine<'a>, fits: fn(Ordering) -> bool| Ok(Val::Bool(fits(order(machine, left, right)?)));
    match operator {
        Operator::Equal => Ok(Val::Bool(equal(machine, left, right)?)),
        Operator::Unequal => Ok(Val::Bool(!equal(machine, left, right)?)),
        Operator::Less => ordered(machine, Ordering::is_lt),
        Operator::LessOrEqual => ordered(machine, Ordering::is_le),
        Operator::Greater => ordered(machine, Ordering::is_gt),
        Operator::GreaterOrEqual => ordered(machine, Ordering::is_ge),
        Operator::In => Ok(Val::Bool(contains(machine, right, left)?)),
        Operator::NotIn => Ok(Val::Bool(!contains(machine, right, left)?)),
        Operator::Join => {
            let mut text = String::new();
            machine.spell(left, &mut text)?;
            machine.spell(right, &mut text)?;
            machine.made(text)
        }
        Operator::Add => add(machine, left, right),
        Operator::Multiply if left.text().is_some() || right.text().is_some() => repeat(machine, left, right),
        _ => count(operator, left, right),
    }
}

/// Whether they are equal. Null is unequal to everything else; all other types are compared with their own alone.
pub(super) fn equal<'a>(machine: &mut Machine<'a>, left: &Val<'a>, right: &Val<'a>) -> Result<bool, Fail> {
    machine.charge(1)?;
    match (left.view(), right.view()) {
        (View::Null, View::Null) => Ok(true),
        (View::Null, _) | (_, View::Null) => Ok(false),
        (View::Bool(left), View::Bool(right)) => Ok(left == right),
        (View::Number(left), View::Number(right)) => Ok(compare(Num::of(left), Num::of(right)).is_eq()),
        (View::Text(left), View::Text(right)) => {
            machine.charge(left.len().min(right.len()) / BYTES_A_UNIT)?;
            Ok(left == right)
        }
        (View::List(left), View::List(right)) => equal_lists(machine, &left, &right),
        (View::Object(left), View::Object(right)) => {
            if left.len() != right.len() {
                return Ok(false);
            }
            for (key, value) in left.pairs() {
                machine.charge(1)?;
                let Some(other) = right.field(&key) else { return Ok(false) };
                if !equal(machine, &value, &other)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        _ => Err(different(left, right)),
    }
}

fn equal_lists<'a>(machine: &mut Machine<'a>, left: &Items<'a>, right: &Items<'a>) -> Result<bool, Fail> {
    if left.len() != right.len() {
        return Ok(false);
    }
    for (left, right) in left.iter().zip(right.iter()) {
        if !equal(machine, &left, &right)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Numbers by size, texts by their characters; nothing else has an order.
pub(super) fn order<'a>(machine: &mut Machine<'a>, left: &Val<'a>, right: &Val<'a>) -> Result<Ordering, Fail> {
    let bytes = left.text().map_or(0, str::len).min(right.text().map_or(0, str::len));
    machine.charge(1 + bytes / BYTES_A_UNIT)?;
    of_one_type(left, right).ok_or_else(|| {
        if left.kind() == right.kind() {
            let fail = Fail::data(format!("{} has no order", left.kind()));
            return fail.next("only numbers and texts are larger or smaller");
        }
        different(left, right)
    })
}

/// The order of two numbers or two texts.
pub(super) fn of_one_type(left: &Val<'_>, right: &Val<'_>) -> Option<Ordering> {
    match (left.view(), right.view()) {
        (View::Number(left), View::Number(right)) => Some(compare(Num::of(left), Num::of(right))),
        (View::Text(left), View::Text(right)) => Some(left.cmp(right)),
        _ => None,
    }
}

fn different(left: &Val<'_>, right: &Val<'_>) -> Fail {
    let fail = Fail::data(format!("{} cannot be compared with {}", left.kind(), right.kind()));
    match (left.view(), right.view()) {
        (View::Text(_), View::Number(_)) | (View::Number(_), View::Text(_)) => fail
            .next("turn the text into a number with `| int` or `| float`, or the number into a text with `| string`"),
        (View::Null, _) | (_, View::Null) => fail.next("ask `is none` first, or write `| default(…)`"),
        _ => fail.next("compare values of one type"),
    }
}

/// Exactly, also where a whole number is beyond what a fraction can tell apart.
fn compare(left: Num, right: Num) -> Ordering {
    match (left, right) {
        (Num::Whole(left), Num::Whole(right)) => left.cmp(&right),
        (Num::Fraction(left), Num::Fraction(right)) => left.partial_cmp(&right).unwrap_or(Ordering::Equal),
        (Num::Whole(left), Num::Fraction(right)) => against(left, right),
        (Num::Fraction(left), Num::Whole(right)) => against(right, left).reverse(),
    }
}

fn against(whole: i128, fraction: f64) -> Ordering {
    // Whole numbers have 64 bits: whatever is beyond 2^65 is larger than all of them.
    if fraction.abs() >= 2_f64.powi(65) {
        return if fraction > 0.0 { Ordering::Less } else { Ordering::Greater };
    }
    #[expect(clippy::cast_possible_truncation, reason = "it is within 66 bits")]
    let floor = fraction.floor() as i128;
    whole.cmp(&floor).then(if fraction.fract() == 0.0 { Ordering::Equal } else { Ordering::Less })
}

/// Whether a list has the item, an object the key, or a text the part.
pub(super) fn contains<'a>(machine: &mut Machine<'a>, whole: &Val<'a>, part: &Val<'a>) -> Result<bool, Fail> {
    match (whole.view(), part.text()) {
        (View::List(items), _) => {
            let mut is_in = false;
            // All are looked at, so that a type that does not fit is told wherever it stands.
            for item in items.iter() {
                is_in |= equal(machine, &item, part)?;
            }
            Ok(is_in)
        }
        (View::Text(whole), Some(part)) => {
            machine.charge(1 + (whole.len() + part.len()) / BYTES_A_UNIT)?;
            Ok(whole.contains(part))
        }
        (View::Object(fields), Some(key)) => Ok(fields.field(key).is_some()),
        (View::Text(_) | View::Object(_), None) => {
            let fail = Fail::data(format!("{} cannot be in {}", part.kind(), whole.kind()));
            Err(fail.next("only a text can be in a text or a key of an object"))
        }
        _ => {
            let fail = Fail::data(format!("nothing can be in {}", whole.kind()));
            Err(if whole.is_null() { fail.next("write `| default([])` if there may be none") } else { fail })
        }
    }
}

fn add<'a>(machine: &mut Machine<'a>, left: &Val<'a>, right: &Val<'a>) -> Result<Val<'a>, Fail> {
    if let (Some(left), Some(right)) = (left.text(), right.text()) {
        machine.fits(left.len() + right.len())?;
        return machine.made([left, right].concat());
    }
    if let (Some(left), Some(right)) = (left.items(), right.items()) {
        machine.charge(left.len() + right.len())?;
        return Val::list(left.iter().chain(right.iter()).collect());
    }
    count(Operator::Add, left, right)
}

fn repeat<'a>(machine: &mut Machine<'a>, left: &Val<'a>, right: &Val<'a>) -> Result<Val<'a>, Fail> {
    let (text, times) = match (left.text(), right.text()) {
        (Some(text), None) => (text, right.whole()),
        (None, Some(text)) => (text, left.whole()),
        _ => ("", None),
    };
    let Some(times) = times else { return Err(uncountable(left, right)) };
    let times = usize::try_from(times.max(0)).unwrap_or(usize::MAX);
    machine.fits(text.len().saturating_mul(times))?;
    machine.made(text.repeat(if text.is_empty() { 0 } else { times }))
}

fn count<'a>(operator: Operator, left: &Val<'a>, right: &Val<'a>) -> Result<Val<'a>, Fail> {
    let (Some(left_number), Some(right_number)) = (left.number(), right.number()) else {
        return Err(uncountable(left, right));
    };
    let is_division = matches!(operator, Operator::Divide | Operator::DivideWhole | Operator::Remainder);
    if is_division && compare(right_number, Num::Whole(0)).is_eq() {
        return Err(Fail::data("a division by 0").next("ask for 0 first"));
    }
    let result = match (left_number, right_number) {
        (Num::Whole(left), Num::Whole(right)) => whole(operator, left, right),
        _ => Some(Num::Fraction(fraction(operator, left_number.fraction(), right_number.fraction()))),
    };
    let beyond = || Fail::data("the number does not fit into 64 bits").next("count with fractions: `| float`");
    result.and_then(Num::val).ok_or_else(beyond)
}

fn uncountable(left: &Val<'_>, right: &Val<'_>) -> Fail {
    let fail = Fail::data(format!("{} and {} cannot be counted with", left.kind(), right.kind()));
    match (left.text(), right.text()) {
        (None, None) => fail.next("only numbers can"),
        _ => fail.next("join texts with `~`, or turn them into numbers with `| int`"),
    }
}

/// As Python has it: `/` gives a fraction, `//` and `%` go with the sign of what is divided by.
fn whole(operator: Operator, left: i128, right: i128) -> Option<Num> {
    let floor = |left: i128, right: i128| {
        let quotient = left / right;
        if left % right != 0 && (left < 0) != (right < 0) { quotient - 1 } else { quotient }
    };
    Some(Num::Whole(match operator {
        Operator::Add => left.checked_add(right)?,
        Operator::Subtract => left.checked_sub(right)?,
        Operator::Multiply => left.checked_mul(right)?,
        Operator::DivideWhole => floor(left, right),
        Operator::Remainder => left - floor(left, right) * right,
        Operator::Power if right >= 0 => left.checked_pow(u32::try_from(right).ok()?)?,
        _ => {
            let (left, right) = (Num::Whole(left).fraction(), Num::Whole(right).fraction());
            return Some(Num::Fraction(fraction(operator, left, right)));
        }
    }))
}

fn fraction(operator: Operator, left: f64, right: f64) -> f64 {
    match operator {
        Operator::Add => left + right,
        Operator::Subtract => left - right,
        Operator::Multiply => left * right,
        Operator::Divide => left / right,
        Operator::DivideWhole => (left / right).floor(),
        Operator::Remainder => left - (left / right).floor() * right,
        Operator::Power => left.powf(right),
        _ => f64::NAN,
    }
}

pub(super) fn negative<'a>(value: &Val<'a>) -> Result<Val<'a>, Fail> {
    let number = match value.number() {
        Some(Num::Whole(whole)) => Num::Whole(-whole),
        Some(Num::Fraction(fraction)) => Num::Fraction(-fraction),
        None => return Err(Fail::data(format!("{} has no sign", value.kind())).next("only a number has")),
    };
    number.val().ok_or_else(|| Fail::data("the number does not fit into 64 bits"))
}
