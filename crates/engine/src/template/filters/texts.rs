//! Filters of texts and numbers.

use super::{
    super::{
        error::Fail,
        machine::Machine,
        value::{Num, Val, View},
    },
    Filter, charge_search, filter, flag, given, needed, needed_text, optional, text, text_or, whole,
};

type Arguments<'v, 'a> = &'v [Option<Val<'a>>];
type Answer<'a> = Result<Val<'a>, Fail>;

pub(super) const FILTERS: &[Filter] = &[
    filter("abs", &[], abs),
    filter("capitalize", &[], |machine, value, _| {
        let capitalized = capitalized(text(value)?);
        machine.made(capitalized)
    }),
    filter("float", &[optional("default")], float),
    filter("int", &[optional("default")], int),
    filter("lower", &[], |machine, value, _| {
        let lower = text(value)?.to_lowercase();
        machine.made(lower)
    }),
    Filter {
        has_pattern: true,
        ..filter("regex_find", &[needed("pattern"), optional("group"), optional("all")], regex_find)
    },
    Filter { has_pattern: true, ..filter("regex_replace", &[needed("pattern"), needed("with")], regex_replace) },
    filter("replace", &[needed("old"), needed("new"), optional("count")], replace),
    filter("round", &[optional("precision"), optional("method")], round),
    filter("split", &[optional("by"), optional("most")], split),
    filter("split_lines", &[], |machine, value, _| {
        let text = text(value)?;
        machine.charge(text.len() / 8)?;
        Val::list(text.lines().map(|line| Val::Text(line.into())).collect())
    }),
    filter("string", &[], |machine, value, _| {
        let mut spelled = String::new();
        machine.spell(value, &mut spelled)?;
        machine.made(spelled)
    }),
    filter("title", &[], |machine, value, _| {
        let titled = titled(text(value)?);
        machine.made(titled)
    }),
    filter("trim", &[optional("chars")], trim),
    filter("upper", &[], |machine, value, _| {
        let upper = text(value)?.to_uppercase();
        machine.made(upper)
    }),
];

fn number(value: &Val<'_>) -> Result<Num, Fail> {
    value.number().ok_or_else(|| {
        let fail = Fail::data(format!("a number is needed, and this is {}", value.kind()));
        if value.text().is_some() { fail.next("write `| int` or `| float` in front") } else { fail }
    })
}

fn counted<'a>(number: Num) -> Answer<'a> {
    number.val().ok_or_else(|| Fail::data("the number does not fit into 64 bits"))
}

fn abs<'a>(_: &mut Machine<'a>, value: &Val<'a>, _: Arguments<'_, 'a>) -> Answer<'a> {
    counted(match number(value)? {
        Num::Whole(whole) => Num::Whole(whole.abs()),
        Num::Fraction(fraction) => Num::Fraction(fraction.abs()),
    })
}

fn capitalized(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    first + &chars.as_str().to_lowercase()
}

/// Words begin where Jinja has them begin: an apostrophe or a comma does not end one.
fn titled(text: &str) -> String {
    let mut is_inside = false;
    let mut titled = String::with_capacity(text.len());
    for c in text.chars() {
        if is_inside {
            titled.extend(c.to_lowercase());
        } else {
            titled.extend(c.to_uppercase());
        }
        is_inside = !(c.is_whitespace() || matches!(c, '-' | '(' | '{' | '[' | '<'));
    }
    titled
}

/// What a text says as a number; otherwise what stands in the brackets, and an error without that.
fn int<'a>(_: &mut Machine<'a>, value: &Val<'a>, arguments: Arguments<'_, 'a>) -> Answer<'a> {
    let fallback = arguments[0].clone();
    let found = match value.view() {
        View::Number(found) => match Num::of(found) {
            Num::Whole(whole) => Some(whole),
            Num::Fraction(fraction) => truncated(fraction),
        },
        View::Text(text) => {
            let text = text.trim();
            text.parse::<i128>().ok().or_else(|| text.parse::<f64>().ok().and_then(truncated))
        }
        View::Bool(flag) => Some(flag.into()),
        _ => None,
    };
    match (found.and_then(|whole| Num::Whole(whole).val()), fallback) {
        (Some(found), _) => Ok(found),
        (None, Some(fallback)) => Ok(fallback),
        (None, None) => Err(unreadable(value, "a whole number", "int(0)")),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "cutting off is what is asked for, and its size is checked")]
fn truncated(fraction: f64) -> Option<i128> {
    (fraction.is_finite() && fraction.abs() < 1e20).then(|| fraction.trunc() as i128)
}

fn float<'a>(_: &mut Machine<'a>, value: &Val<'a>, arguments: Arguments<'_, 'a>) -> Answer<'a> {
    let found = match value.view() {
        View::Number(found) => Some(Num::of(found).fraction()),
        View::Text(text) => text.trim().parse::<f64>().ok(),
        _ => None,
    };
    match (found.and_then(|fraction| Num::Fraction(fraction).val()), arguments[0].clone()) {
        (Some(found), _) => Ok(found),
        (None, Some(fallback)) => Ok(fallback),
        (None, None) => Err(unreadable(value, "a number", "float(0)")),
    }
}

fn unreadable(value: &Val<'_>, what: &str, hint: &str) -> Fail {
    let which = match value.text() {
        Some(_) => "the text".to_owned(),
        None => value.kind().to_owned(),
    };
    Fail::data(format!("{which} is not {what}")).next(format!("write `{hint}` to say what holds then"))
}

fn round<'a>(_: &mut Machine<'a>, value: &Val<'a>, arguments: Arguments<'_, 'a>) -> Answer<'a> {
    let precision = whole(arguments, 0, "precision", 0, 15)?.unwrap_or(0);
    let method: fn(f64) -> f64 = match text_or(arguments, 1, "method", "common")? {
        "common" => f64::round,
        "ceil" => f64::ceil,
        "floor" => f64::floor,
        _ => return Err(Fail::data("its `method` must be common, ceil or floor")),
    };
    let fraction = match number(value)? {
        Num::Whole(whole) => return counted(Num::Whole(whole)),
        Num::Fraction(fraction) => fraction,
    };
    let power = 10_f64.powi(i32::try_from(precision).expect("it is at most 15"));
    let rounded = method(fraction * power) / power;
    // Beyond what a fraction tells apart there is nothing to round.
    counted(Num::Fraction(if rounded.is_finite() { rounded } else { fraction }))
}

fn replace<'a>(machine: &mut Machine<'a>, value: &Val<'a>, arguments: Arguments<'_, 'a>) -> Answer<'a> {
    let (from, old, new) = (text(value)?, needed_text(arguments, 0, "old")?, needed_text(arguments, 1, "new")?);
    let most = whole(arguments, 2, "count", 0, i128::from(u32::MAX))?.unwrap_or(i128::from(u32::MAX));
    let most = usize::try_from(most).expect("it fits 32 bits");
    machine.charge((from.len() + old.len()) / 16)?;
    let count = from.matches(old).take(most).count();
    machine.fits(from.len().saturating_add(new.len().saturating_mul(count)))?;
    machine.made(from.replacen(old, new, most))
}

fn split<'a>(machine: &mut Machine<'a>, value: &Val<'a>, arguments: Arguments<'_, 'a>) -> Answer<'a> {
    let from = text(value)?;
    machine.charge(from.len() / 8)?;
    let most = whole(arguments, 1, "most", 1, i128::from(u32::MAX))?.unwrap_or(i128::from(u32::MAX));
    let most = usize::try_from(most).expect("it fits 32 bits").saturating_add(1);
    let part = |part: &str| Val::Text(part.into());
    match given(arguments, 0) {
        None => Val::list(from.split_whitespace().map(part).collect()),
        Some(_) => match needed_text(arguments, 0, "by")? {
            "" => Err(Fail::data("its `by` is empty").next("say what the parts are divided by")),
            by => Val::list(from.splitn(most, by).map(part).collect()),
        },
    }
}

fn trim<'a>(machine: &mut Machine<'a>, value: &Val<'a>, arguments: Arguments<'_, 'a>) -> Answer<'a> {
    let from = text(value)?;
    let trimmed = match given(arguments, 0) {
        None => from.trim(),
        Some(_) => {
            let chars: Vec<char> = needed_text(arguments, 0, "chars")?.chars().take(TRIMMED_COUNT_MAX).collect();
            machine.charge(from.len() / 8 * chars.len().max(1) / 8)?;
            from.trim_matches(&chars[..])
        }
    };
    let trimmed = trimmed.to_owned();
    machine.made(trimmed)
}

/// The first match, or null; a group of it by number or name; or a list of all matches.
fn regex_find<'a>(machine: &mut Machine<'a>, value: &Val<'a>, arguments: Arguments<'_, 'a>) -> Answer<'a> {
    let (from, regex) = (text(value)?, machine.pattern(needed_text(arguments, 0, "pattern")?)?);
    let group = match given(arguments, 1) {
        None => 0,
        Some(group) => match group.text() {
            Some(name) => regex.capture_names().position(|known| known == Some(name)),
            None => group
                .whole()
                .and_then(|group| usize::try_from(group).ok())
                .filter(|group| *group < regex.captures_len()),
        }
        .ok_or_else(|| Fail::data("the regular expression has no such group"))?,
    };
    let picked =
        |captures: &regex::Captures<'_>| captures.get(group).map_or(Val::Null, |part| Val::Text(part.as_str().into()));
    charge_search(machine, from)?;
    if !flag(arguments, 2, "all", false)? {
        return Ok(regex.captures(from).map_or(Val::Null, |captures| picked(&captures)));
    }
    let mut all = Vec::new();
    for captures in regex.captures_iter(from) {
        charge_match(machine, from, &captures)?;
        all.push(picked(&captures));
    }
    Val::list(all)
}

fn regex_replace<'a>(machine: &mut Machine<'a>, value: &Val<'a>, arguments: Arguments<'_, 'a>) -> Answer<'a> {
    let (from, regex) = (text(value)?, machine.pattern(needed_text(arguments, 0, "pattern")?)?);
    let with = needed_text(arguments, 1, "with")?;
    let groups = with.matches('$').count();
    charge_search(machine, from)?;
    let (mut replaced, mut last) = (String::new(), 0);
    for captures in regex.captures_iter(from) {
        charge_match(machine, from, &captures)?;
        let whole = captures.get(0).expect("group 0 is the match");
        replaced.push_str(&from[last..whole.start()]);
        // Before it is written: a group may be the whole text, and be named many times.
        machine.fits(replaced.len() + with.len() + groups.saturating_mul(whole.len()))?;
        captures.expand(with, &mut replaced);
        last = whole.end();
    }
    replaced.push_str(&from[last..]);
    machine.made(replaced)
}

/// Counts a match: the search for the next one may read to the end of the text.
fn charge_match(machine: &mut Machine<'_>, from: &str, captures: &regex::Captures<'_>) -> Result<(), Fail> {
    let end = captures.get(0).expect("group 0 is the match").end();
    machine.charge(1 + (from.len() - end) / 256)
}

const TRIMMED_COUNT_MAX: usize = 64;
