//! The table of all filters, and how one is found.

mod data;
mod lists;
mod security;
mod texts;

use regex::{Regex, RegexBuilder};

use super::{error::Fail, machine::Machine, value::Val};
use crate::text::nearest;

pub(super) use security::ago;

/// One filter.
pub(super) struct Filter {
    pub(super) name: &'static str,
    pub(super) parameters: &'static [Parameter],
    /// Whether its first parameter is a regular expression.
    pub(super) has_pattern: bool,
    /// Whether `default` behind it covers an empty list.
    pub(super) may_find_nothing: bool,
    pub(super) run: Run,
}

type Run = for<'m, 'a> fn(&'m mut Machine<'a>, &'m Val<'a>, &'m [Option<Val<'a>>]) -> Result<Val<'a>, Fail>;

/// What a filter takes in its brackets.
#[derive(Debug)]
pub(super) struct Parameter {
    pub(super) name: &'static str,
    pub(super) is_needed: bool,
}

impl std::fmt::Debug for Filter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

const fn filter(name: &'static str, parameters: &'static [Parameter], run: Run) -> Filter {
    Filter { name, parameters, has_pattern: false, may_find_nothing: false, run }
}

const fn needed(name: &'static str) -> Parameter {
    Parameter { name, is_needed: true }
}

const fn optional(name: &'static str) -> Parameter {
    Parameter { name, is_needed: false }
}

const AREAS: &[&[Filter]] = &[data::FILTERS, lists::FILTERS, security::FILTERS, texts::FILTERS];

/// Filters that the parser itself knows, because they look at what is in front of them or apply others.
pub(super) const SPECIAL: &[&str] = &["default", "map", "reject", "rejectattr", "select", "selectattr"];
pub(super) const DEFAULT: &[Parameter] = &[needed("value")];

pub(super) fn find(name: &str) -> Option<&'static Filter> {
    AREAS.iter().flat_map(|area| area.iter()).find(|filter| filter.name == name)
}

/// The name of every filter.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    AREAS.iter().flat_map(|area| area.iter()).map(|filter| filter.name).chain(SPECIAL.iter().copied())
}

/// Jinja's filters that go by another name here, or have no use.
const ELSEWHERE: &[(&str, &str)] = &[
    ("tojson", "write `| json`"),
    ("fromjson", "write `| from_json`"),
    ("d", "write `| default(…)`"),
    ("count", "write `| length`"),
    ("urlencode", "write `| url_encode`"),
    ("dictsort", "write `| items`: keys are in order already"),
    ("escape", "values are never HTML; leave it out"),
    ("e", "values are never HTML; leave it out"),
    ("safe", "values are never HTML; leave it out"),
    ("attr", "write `.key`"),
    ("random", "a run must give the same when it is repeated"),
];

pub(super) fn unknown(name: &str) -> Fail {
    let fail = Fail::text(format!("there is no filter `{name}`"));
    if let Some((_, hint)) = ELSEWHERE.iter().find(|(known, _)| *known == name) {
        return fail.next(*hint);
    }
    match nearest(name, names()) {
        Some(meant) => fail.next(format!("did you mean `{meant}`?")),
        None => fail.next("see the list of filters"),
    }
}

/// A regular expression within its bounds; the error is a sentence about it.
pub(super) fn regex(pattern: &str) -> Result<Regex, String> {
    if pattern.len() > PATTERN_BYTES_MAX {
        let bytes = pattern.len();
        return Err(format!("the regular expression has {bytes} bytes, {PATTERN_BYTES_MAX} are allowed"));
    }
    let mut builder = RegexBuilder::new(pattern);
    builder.size_limit(COMPILED_BYTES_MAX).dfa_size_limit(COMPILED_BYTES_MAX * 4).nest_limit(50);
    builder.build().map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => "the regular expression becomes too large; count less in it".to_owned(),
        // The library draws the pattern with a mark under it; its last line is the reason.
        error => {
            let text = error.to_string();
            let reason = text.lines().last().unwrap_or_default().trim_start_matches("error: ");
            format!("this is no regular expression: {reason}")
        }
    })
}

/// Counts one search: it is linear in the text, with a factor for the expression.
pub(super) fn charge_search(machine: &mut Machine<'_>, text: &str) -> Result<(), Fail> {
    if text.len() > SEARCHED_BYTES_MAX {
        let what = format!("the text has {} bytes, {SEARCHED_BYTES_MAX} are searched at most", text.len());
        return Err(Fail::budget(what).next("search a part of it, or use the operation of the connector `data`"));
    }
    machine.charge(8 + text.len() / 8)
}

/// A text that is needed.
fn text<'v>(value: &'v Val<'_>) -> Result<&'v str, Fail> {
    value.text().ok_or_else(|| {
        let fail = Fail::data(format!("a text is needed, and this is {}", value.kind()));
        if value.is_null() {
            fail.next("write `| default('')` if there may be none")
        } else {
            fail.next("write `| string` in front")
        }
    })
}

/// What stands in the brackets at this place; null counts as not given.
fn given<'v, 'a>(arguments: &'v [Option<Val<'a>>], at: usize) -> Option<&'v Val<'a>> {
    arguments.get(at).and_then(Option::as_ref).filter(|value| !value.is_null())
}

fn needed_text<'v>(arguments: &'v [Option<Val<'_>>], at: usize, name: &str) -> Result<&'v str, Fail> {
    let value = given(arguments, at).ok_or_else(|| Fail::data(format!("its `{name}` is null")))?;
    value.text().ok_or_else(|| Fail::data(format!("its `{name}` must be a text, and it is {}", value.kind())))
}

fn text_or<'v>(arguments: &'v [Option<Val<'_>>], at: usize, name: &str, fallback: &'v str) -> Result<&'v str, Fail> {
    if given(arguments, at).is_none() { Ok(fallback) } else { needed_text(arguments, at, name) }
}

fn flag(arguments: &[Option<Val<'_>>], at: usize, name: &str, fallback: bool) -> Result<bool, Fail> {
    let Some(value) = given(arguments, at) else { return Ok(fallback) };
    match value.view() {
        super::value::View::Bool(flag) => Ok(flag),
        _ => Err(Fail::data(format!("its `{name}` must be true or false, and it is {}", value.kind()))),
    }
}

/// A whole number between two bounds.
fn whole(arguments: &[Option<Val<'_>>], at: usize, name: &str, min: i128, max: i128) -> Result<Option<i128>, Fail> {
    let Some(value) = given(arguments, at) else { return Ok(None) };
    let number = value.whole().filter(|number| (min..=max).contains(number));
    let wrong = || Fail::data(format!("its `{name}` must be a whole number between {min} and {max}"));
    number.map(Some).ok_or_else(wrong)
}

const PATTERN_BYTES_MAX: usize = 4_096;
const COMPILED_BYTES_MAX: usize = 256 << 10;
const SEARCHED_BYTES_MAX: usize = 256 << 10;
