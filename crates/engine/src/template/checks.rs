//! Tests: what may stand behind `is`, and what `select` and its kin go by.

use super::{
    compare,
    error::Fail,
    machine::Machine,
    value::{Num, Val, View},
};

/// One test.
#[derive(Debug)]
pub(super) struct Check {
    pub(super) name: &'static str,
    /// Whether it compares with something.
    pub(super) takes: bool,
    pub(super) run: for<'m, 'a> fn(&'m mut Machine<'a>, &'m Val<'a>, Option<&'m Val<'a>>) -> Result<bool, Fail>,
}

pub(super) fn find(name: &str) -> Option<&'static Check> {
    all().find(|check| check.name == name)
}

macro_rules! kinds { ($($name:literal $pattern:pat),+ $(,)?) => {
    &[$(Check { name: $name, takes: false, run: |_, value, _| Ok(matches!(value.view(), $pattern)) }),+]
}; }

const KINDS: &[Check] = kinds![
    "none" View::Null,
    "null" View::Null,
    "boolean" View::Bool(_),
    "true" View::Bool(true),
    "false" View::Bool(false),
    "number" View::Number(_),
    "string" View::Text(_),
    "sequence" View::List(_),
    "iterable" View::List(_),
    "mapping" View::Object(_),
];

const OTHERS: &[Check] = &[
    Check { name: "integer", takes: false, run: |_, value, _| Ok(value.whole().is_some()) },
    Check { name: "float", takes: false, run: |_, value, _| Ok(matches!(value.number(), Some(Num::Fraction(_)))) },
    Check { name: "empty", takes: false, run: is_empty },
    Check { name: "even", takes: false, run: |_, value, _| Ok(whole(value)? % 2 == 0) },
    Check { name: "odd", takes: false, run: |_, value, _| Ok(whole(value)? % 2 != 0) },
    Check { name: "divisibleby", takes: true, run: divisible },
    Check { name: "eq", takes: true, run: equal },
    Check { name: "equalto", takes: true, run: equal },
    Check { name: "ne", takes: true, run: |machine, value, other| Ok(!equal(machine, value, other)?) },
    Check { name: "lt", takes: true, run: |machine, value, other| Ok(ordered(machine, value, other)?.is_lt()) },
    Check { name: "le", takes: true, run: |machine, value, other| Ok(ordered(machine, value, other)?.is_le()) },
    Check { name: "gt", takes: true, run: |machine, value, other| Ok(ordered(machine, value, other)?.is_gt()) },
    Check { name: "ge", takes: true, run: |machine, value, other| Ok(ordered(machine, value, other)?.is_ge()) },
    Check { name: "in", takes: true, run: |machine, value, other| compare::contains(machine, given(other)?, value) },
    Check {
        name: "containing",
        takes: true,
        run: |machine, value, other| compare::contains(machine, value, given(other)?),
    },
    Check {
        name: "startingwith",
        takes: true,
        run: |_, value, other| Ok(text(value)?.starts_with(text(given(other)?)?)),
    },
    Check { name: "endingwith", takes: true, run: |_, value, other| Ok(text(value)?.ends_with(text(given(other)?)?)) },
    Check { name: "matching", takes: true, run: matching },
];

/// All of them.
pub(super) fn all() -> impl Iterator<Item = &'static Check> {
    KINDS.iter().chain(OTHERS)
}

fn given<'v, 'a>(other: Option<&'v Val<'a>>) -> Result<&'v Val<'a>, Fail> {
    other.ok_or_else(|| Fail::text("the test is not told with what"))
}

fn equal<'a>(machine: &mut Machine<'a>, value: &Val<'a>, other: Option<&Val<'a>>) -> Result<bool, Fail> {
    compare::equal(machine, value, given(other)?)
}

fn ordered<'a>(
    machine: &mut Machine<'a>,
    value: &Val<'a>,
    other: Option<&Val<'a>>,
) -> Result<std::cmp::Ordering, Fail> {
    compare::order(machine, value, given(other)?)
}

fn whole(value: &Val<'_>) -> Result<i128, Fail> {
    value.whole().ok_or_else(|| Fail::data(format!("a whole number is needed, and this is {}", value.kind())))
}

fn text<'v>(value: &'v Val<'_>) -> Result<&'v str, Fail> {
    value.text().ok_or_else(|| Fail::data(format!("a text is needed, and this is {}", value.kind())))
}

fn divisible<'a>(_: &mut Machine<'a>, value: &Val<'a>, other: Option<&Val<'a>>) -> Result<bool, Fail> {
    let by = whole(given(other)?)?;
    if by == 0 {
        return Err(Fail::data("a division by 0").next("ask for 0 first"));
    }
    Ok(whole(value)? % by == 0)
}

fn is_empty<'a>(_: &mut Machine<'a>, value: &Val<'a>, _: Option<&Val<'a>>) -> Result<bool, Fail> {
    match value.view() {
        View::Text(text) => Ok(text.is_empty()),
        View::List(items) => Ok(items.len() == 0),
        View::Object(fields) => Ok(fields.len() == 0),
        _ => Err(Fail::data(format!("{} is neither empty nor full", value.kind())).next("ask `is none` first")),
    }
}

fn matching<'a>(machine: &mut Machine<'a>, value: &Val<'a>, other: Option<&Val<'a>>) -> Result<bool, Fail> {
    let regex = machine.pattern(text(given(other)?)?)?;
    let value = text(value)?;
    super::filters::charge_search(machine, value)?;
    Ok(regex.is_match(value))
}
