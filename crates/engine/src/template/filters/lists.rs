//! Filters of lists and objects.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, HashSet},
};

use super::{
    super::{
        compare,
        error::Fail,
        machine::{Machine, at_path},
        value::{Num, Val, View},
    },
    Filter, filter, flag, given, needed, needed_text, optional, text_or, whole,
};

type Arguments<'v, 'a> = &'v [Option<Val<'a>>];
type Answer<'a> = Result<Val<'a>, Fail>;

pub(super) const FILTERS: &[Filter] = &[
    filter("batch", &[needed("size"), optional("fill")], batch),
    Filter { may_find_nothing: true, ..filter("first", &[], |machine, value, _| end(machine, value, true)) },
    filter("groupby", &[needed("attribute")], groupby),
    filter("items", &[], |machine, value, _| {
        let pairs = pairs(machine, value)?;
        let pairs = pairs.into_iter().map(|(key, value)| Val::list(vec![Val::Text(key.into()), value]));
        Val::list(pairs.collect::<Result<_, _>>()?)
    }),
    filter("join", &[optional("by"), optional("attribute")], join),
    filter("keys", &[], |machine, value, _| {
        let pairs = pairs(machine, value)?;
        Val::list(pairs.into_iter().map(|(key, _)| Val::Text(key.into())).collect())
    }),
    Filter { may_find_nothing: true, ..filter("last", &[], |machine, value, _| end(machine, value, false)) },
    filter("length", &[], length),
    filter("list", &[], |machine, value, _| machine.items(value).map(|_| value.clone())),
    Filter {
        may_find_nothing: true,
        ..filter("max", &[optional("attribute")], |machine, value, by| extreme(machine, value, by, Ordering::Greater))
    },
    Filter {
        may_find_nothing: true,
        ..filter("min", &[optional("attribute")], |machine, value, by| extreme(machine, value, by, Ordering::Less))
    },
    filter("reverse", &[], reverse),
    filter("slice", &[needed("count"), optional("fill")], slice),
    filter("sort", &[optional("reverse"), optional("case_sensitive"), optional("attribute")], sort),
    filter("sum", &[optional("attribute"), optional("start")], sum),
    filter("unique", &[optional("case_sensitive"), optional("attribute")], unique),
    filter("unique_by", &[needed("attribute")], |machine, value, arguments| {
        needed_text(arguments, 0, "attribute")?;
        unique(machine, value, &[None, arguments[0].clone()])
    }),
    filter("values", &[], |machine, value, _| {
        let pairs = pairs(machine, value)?;
        Val::list(pairs.into_iter().map(|(_, value)| value).collect())
    }),
];

fn pairs<'a>(machine: &mut Machine<'a>, value: &Val<'a>) -> Result<Vec<(String, Val<'a>)>, Fail> {
    let Some(fields) = value.fields() else {
        let fail = Fail::data(format!("an object is needed, and this is {}", value.kind()));
        return Err(if value.is_null() { fail.next("write `| default({})` if there may be none") } else { fail });
    };
    machine.charge(fields.len())?;
    Ok(fields.pairs())
}

/// The items, counted as looked at.
fn counted<'a>(machine: &mut Machine<'a>, value: &Val<'a>) -> Result<Vec<Val<'a>>, Fail> {
    let items = machine.items(value)?;
    machine.charge(items.len())?;
    Ok(items.iter().collect())
}

/// The part of each item that counts: at the path in the brackets, or the item itself.
fn keyed<'a>(
    machine: &mut Machine<'a>,
    value: &Val<'a>,
    arguments: Arguments<'_, 'a>,
    at: usize,
) -> Result<Vec<(Val<'a>, Val<'a>)>, Fail> {
    let path: Vec<String> = match text_or(arguments, at, "attribute", "")? {
        "" => Vec::new(),
        path => path.split('.').map(str::to_owned).collect(),
    };
    let items = counted(machine, value)?;
    machine.charge(items.len().saturating_mul(path.len()))?;
    let keyed = items.into_iter().enumerate().map(|(at, item)| {
        let key = at_path(&item, &path, false).map_err(|fail| fail.about(&format!("item {at}")))?;
        Ok((key.unwrap_or(Val::Null), item))
    });
    keyed.collect()
}

fn batch<'a>(machine: &mut Machine<'a>, value: &Val<'a>, arguments: Arguments<'_, 'a>) -> Answer<'a> {
    let size = whole(arguments, 0, "size", 1, 100_000)?.ok_or_else(|| Fail::data("its `size` is null"))?;
    let size = usize::try_from(size).expect("it is small");
    let items = counted(machine, value)?;
    let mut batches = Vec::new();
    for part in items.chunks(size) {
        let mut part = part.to_vec();
        if let Some(fill) = given(arguments, 1) {
            machine.charge(size - part.len())?;
            part.resize(size, fill.clone());
        }
        batches.push(Val::list(part)?);
    }
    Val::list(batches)
}

/// So many lists, the first of them longer by one where it does not divide.
fn slice<'a>(machine: &mut Machine<'a>, value: &Val<'a>, arguments: Arguments<'_, 'a>) -> Answer<'a> {
    let count = whole(arguments, 0, "count", 1, 10_000)?.ok_or_else(|| Fail::data("its `count` is null"))?;
    let count = usize::try_from(count).expect("it is small");
    let items = counted(machine, value)?;
    machine.charge(count)?;
    let (each, longer) = (items.len() / count, items.len() % count);
    let mut rest = items.into_iter();
    let slices = (0..count).map(|at| {
        let mut part: Vec<_> = rest.by_ref().take(each + usize::from(at < longer)).collect();
        if let (Some(fill), true) = (given(arguments, 1), longer > 0 && at >= longer) {
            part.push(fill.clone());
        }
        Val::list(part)
    });
    Val::list(slices.collect::<Result<_, _>>()?)
}

fn end<'a>(machine: &mut Machine<'a>, value: &Val<'a>, is_first: bool) -> Answer<'a> {
    let items = machine.items(value)?;
    let found = if is_first { items.item(0) } else { items.len().checked_sub(1).and_then(|last| items.item(last)) };
    found.ok_or_else(empty)
}

fn empty() -> Fail {
    Fail::data("the list is empty").next("write `| default(…)` behind it if that may be")
}

fn extreme<'a>(
    machine: &mut Machine<'a>,
    value: &Val<'a>,
    arguments: Arguments<'_, 'a>,
    wanted: Ordering,
) -> Answer<'a> {
    let mut best: Option<(Val<'a>, Val<'a>)> = None;
    for (key, item) in keyed(machine, value, arguments, 0)? {
        let is_better = match &best {
            None => true,
            Some((known, _)) => compare::order(machine, &key, known)? == wanted,
        };
        if is_better {
            best = Some((key, item));
        }
    }
    best.map(|(_, item)| item).ok_or_else(empty)
}

fn groupby<'a>(machine: &mut Machine<'a>, value: &Val<'a>, arguments: Arguments<'_, 'a>) -> Answer<'a> {
    needed_text(arguments, 0, "attribute")?;
    let keyed = keyed(machine, value, arguments, 0)?;
    let keyed = sorted(machine, keyed, true, false)?;
    let mut groups: Vec<(Val<'a>, Vec<Val<'a>>)> = Vec::new();
    for (key, item) in keyed {
        match groups.last_mut() {
            Some((known, items)) if compare::equal(machine, known, &key)? => items.push(item),
            _ => groups.push((key, vec![item])),
        }
    }
    let groups = groups.into_iter().map(|(key, items)| {
        let fields = [("grouper".to_owned(), key), ("list".to_owned(), Val::list(items)?)];
        Val::object(BTreeMap::from(fields))
    });
    Val::list(groups.collect::<Result<_, _>>()?)
}

fn join<'a>(machine: &mut Machine<'a>, value: &Val<'a>, arguments: Arguments<'_, 'a>) -> Answer<'a> {
    let by = text_or(arguments, 0, "by", "")?;
    let mut joined = String::new();
    for (at, (key, _)) in keyed(machine, value, arguments, 1)?.into_iter().enumerate() {
        if at > 0 {
            machine.fits(joined.len() + by.len())?;
            joined.push_str(by);
        }
        machine.spell(&key, &mut joined)?;
    }
    machine.made(joined)
}

fn length<'a>(machine: &mut Machine<'a>, value: &Val<'a>, _: Arguments<'_, 'a>) -> Answer<'a> {
    let count = match value.view() {
        View::Text(text) => {
            machine.charge(text.len() / 64)?;
            text.chars().count()
        }
        View::List(items) => items.len(),
        View::Object(fields) => fields.len(),
        _ => {
            let fail = Fail::data(format!("{} has no length", value.kind()));
            return Err(if value.is_null() { fail.next("write `| default([])` if there may be none") } else { fail });
        }
    };
    Ok(Val::Number(count.into()))
}

fn reverse<'a>(machine: &mut Machine<'a>, value: &Val<'a>, _: Arguments<'_, 'a>) -> Answer<'a> {
    if let Some(text) = value.text() {
        let reversed = text.chars().rev().collect();
        return machine.made(reversed);
    }
    let mut items = counted(machine, value)?;
    items.reverse();
    Val::list(items)
}

fn sort<'a>(machine: &mut Machine<'a>, value: &Val<'a>, arguments: Arguments<'_, 'a>) -> Answer<'a> {
    let is_reversed = flag(arguments, 0, "reverse", false)?;
    let is_exact = flag(arguments, 1, "case_sensitive", true)?;
    let keyed = keyed(machine, value, arguments, 2)?;
    let sorted = sorted(machine, keyed, is_exact, is_reversed)?;
    Val::list(sorted.into_iter().map(|(_, item)| item).collect())
}

/// In order; equal ones stay as they stood.
fn sorted<'a>(
    machine: &mut Machine<'a>,
    mut keyed: Vec<(Val<'a>, Val<'a>)>,
    is_exact: bool,
    is_reversed: bool,
) -> Result<Vec<(Val<'a>, Val<'a>)>, Fail> {
    if !is_exact {
        for (key, _) in &mut keyed {
            *key = folded(machine, key)?;
        }
    }
    // Neighbours show whether all have one type that has an order; the sort itself cannot fail then. Its work is counted before.
    let mut bytes = 0;
    for pair in keyed.windows(2) {
        compare::order(machine, &pair[0].0, &pair[1].0)?;
        bytes += pair[0].0.text().map_or(0, str::len);
    }
    let rounds = usize::try_from(keyed.len().checked_ilog2().unwrap_or(0)).unwrap_or(0);
    machine.charge((keyed.len() + bytes / 64).saturating_mul(rounds))?;
    keyed.sort_by(|(left, _), (right, _)| {
        let order = compare::of_one_type(left, right).unwrap_or(Ordering::Equal);
        if is_reversed { order.reverse() } else { order }
    });
    Ok(keyed)
}

fn folded<'a>(machine: &mut Machine<'a>, key: &Val<'a>) -> Answer<'a> {
    match key.text() {
        Some(text) => {
            let lower = text.to_lowercase();
            machine.made(lower)
        }
        None => Ok(key.clone()),
    }
}

fn sum<'a>(machine: &mut Machine<'a>, value: &Val<'a>, arguments: Arguments<'_, 'a>) -> Answer<'a> {
    let start = given(arguments, 1).cloned().unwrap_or(Val::Number(0.into()));
    let mut sum = start;
    for (at, (key, _)) in keyed(machine, value, arguments, 0)?.into_iter().enumerate() {
        if key.number().is_none() {
            let fail = Fail::data(format!("item {at}: a number is needed, and this is {}", key.kind()));
            return Err(fail.next("leave it out, or turn it into a number with `| map('int')`"));
        }
        sum = compare::binary(machine, super::super::syntax::Operator::Add, &sum, &key)?;
    }
    Ok(sum)
}

/// The first item of each kind, in order. Upper and lower case differ unless asked for: an identifier may differ in case alone.
fn unique<'a>(machine: &mut Machine<'a>, value: &Val<'a>, arguments: Arguments<'_, 'a>) -> Answer<'a> {
    let is_exact = flag(arguments, 0, "case_sensitive", true)?;
    let mut seen = HashSet::new();
    let mut kept = Vec::new();
    for (key, item) in keyed(machine, value, arguments, 1)? {
        let key = if is_exact { key } else { folded(machine, &key)? };
        let mut written = String::new();
        match key.number() {
            // 1 and 1.0 are one number.
            Some(Num::Fraction(fraction)) if fraction.fract() == 0.0 && fraction.abs() < 9e15 => {
                written = format!("{fraction:.0}");
            }
            _ => machine.json(&key, &mut written)?,
        }
        if seen.insert(written) {
            kept.push(item);
        }
    }
    Val::list(kept)
}
