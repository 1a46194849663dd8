//! Lists and bags.

use std::sync::Arc;

use super::{
    Function, Kind, Returns,
    sets::key,
    string::{items, long, number, text},
};
use crate::{
    dynamic::Dynamic,
    eval::Context,
    types::Type,
    value::{Cell, Value},
};

use Kind::{Any, Bool, Dyn, Long, Str};

const LIST: Returns = Returns::Is(Type::Dynamic);

pub(super) const FUNCTIONS: &[Function] = &[
    Function::cells("__path", &[Dyn, Any], LIST, path),
    Function::cells("array_length", &[Dyn], Returns::Is(Type::Long), |_, cells| match cells[0] {
        Cell::Dynamic(Dynamic::Array(items)) => long(items.len()),
        _ => Value::Null,
    }),
    Function::cells("array_concat", &[Dyn], LIST, |_, cells| {
        list(cells.iter().flat_map(|cell| items(*cell).into_owned()).collect())
    })
    .many(1),
    Function::cells("array_reverse", &[Dyn], LIST, |_, cells| {
        each(cells[0], |mut items| {
            items.reverse();
            items
        })
    }),
    Function::cells("array_slice", &[Dyn, Long, Long], LIST, slice),
    Function::cells("array_split", &[Dyn, Any], LIST, split),
    Function::cells("array_sum", &[Dyn], Returns::Is(Type::Real), |_, cells| {
        Value::Real(items(cells[0]).iter().filter_map(|item| item.scalar().as_f64()).sum())
    }),
    Function::cells("array_index_of", &[Dyn, Any, Long, Long, Long], Returns::Is(Type::Long), index_of).least(2),
    Function::cells("array_iff", &[Dyn, Dyn, Dyn], LIST, array_iff),
    Function::cells("array_rotate_left", &[Dyn, Long], LIST, |_, cells| rotate(cells, 1)),
    Function::cells("array_rotate_right", &[Dyn, Long], LIST, |_, cells| rotate(cells, -1)),
    Function::cells("array_shift_left", &[Dyn, Long, Any], LIST, |_, cells| shift(cells, 1)).least(2),
    Function::cells("array_shift_right", &[Dyn, Long, Any], LIST, |_, cells| shift(cells, -1)).least(2),
    Function::cells("array_sort_asc", &[Dyn, Any], LIST, |_, cells| sorted(cells[0], cells, false, nulls_last(cells)))
        .many(1),
    Function::cells("array_sort_desc", &[Dyn, Any], LIST, |_, cells| sorted(cells[0], cells, true, nulls_last(cells)))
        .many(1),
    Function::cells("__sort_asc_by", &[Dyn, Any], LIST, |_, cells| {
        sorted(cells[0], &cells[1..], false, nulls_last(cells))
    })
    .many(2),
    Function::cells("__sort_desc_by", &[Dyn, Any], LIST, |_, cells| {
        sorted(cells[0], &cells[1..], true, nulls_last(cells))
    })
    .many(2),
    Function::cells("pack_array", &[Any], LIST, |_, cells| match cells {
        [only @ Cell::Dynamic(Dynamic::Array(_))] => only.to_value(),
        cells => list(cells.iter().map(|cell| Dynamic::from(*cell)).collect()),
    })
    .many(0),
    Function::cells("bag_pack", &[Any], LIST, |_, cells| bag_pack(cells, true)).many(0),
    Function::cells("__pack_some", &[Any], LIST, |_, cells| bag_pack(cells, false)).many(0),
    Function::cells("bag_keys", &[Dyn], LIST, |_, cells| match entries(cells[0]) {
        Some(entries) => list(entries.iter().map(|(name, _)| Dynamic::String(Arc::clone(name))).collect()),
        None => Value::Null,
    }),
    Function::cells("bag_merge", &[Dyn], LIST, bag_merge).many(1),
    Function::cells("bag_has_key", &[Dyn, Str], Returns::Is(Type::Bool), |_, cells| match cells[0] {
        Cell::Dynamic(bag) => Value::Bool(at_path(bag, text(cells, 1)).is_some()),
        _ => Value::Bool(false),
    }),
    Function::cells("bag_remove_keys", &[Dyn, Dyn], LIST, |_, cells| match cells[0] {
        Cell::Dynamic(bag) => {
            let gone = items(cells[1]).iter().map(ToString::to_string).collect::<Vec<_>>();
            Value::Dynamic(gone.iter().fold(bag.clone(), |bag, name| without(&bag, &steps(name))))
        }
        _ => Value::Null,
    }),
    Function::cells("bag_set_key", &[Dyn, Str, Any], LIST, |_, cells| match cells[0] {
        Cell::Dynamic(bag) => Value::Dynamic(with(bag, &steps(text(cells, 1)), Dynamic::from(cells[2]))),
        cell if cell.is_null() => Value::Null,
        _ => Value::Null,
    }),
    Function::cells("bag_zip", &[Dyn, Dyn], LIST, |_, cells| {
        let names = items(cells[0]);
        let values = match cells[1] {
            Cell::Dynamic(list) => list.items().unwrap_or_default(),
            _ => &[],
        };
        let names = names.iter().enumerate().filter(|(_, name)| matches!(name, Dynamic::String(_)));
        let entry = |(at, name): (usize, &Dynamic)| {
            (Arc::from(name.to_string()), values.get(at).cloned().unwrap_or(Dynamic::Null))
        };
        Value::Dynamic(Dynamic::bag(names.map(entry).collect()))
    }),
    Function::cells("zip", &[Dyn], LIST, |_, cells| {
        let lists: Vec<_> = cells.iter().map(|cell| items(*cell)).collect();
        let len = lists.iter().map(|list| list.len()).max().unwrap_or(0);
        let row = |at: usize| {
            Dynamic::array(lists.iter().map(|list| list.get(at).cloned().unwrap_or(Dynamic::Null)).collect())
        };
        list((0..len).map(row).collect())
    })
    .many(2),
    Function::cells("range", &[Any, Any, Any], LIST, range).least(2),
    Function::cells("repeat", &[Any, Long], LIST, |_, cells| {
        let count = usize::try_from(number(cells, 1).unwrap_or(-1)).unwrap_or(0).min(RANGE_LEN_MAX);
        list(vec![Dynamic::from(cells[0]); count]) // The copies are shared; whoever keeps the list counts them.
    }),
    Function::cells("all", &[Bool], Returns::Is(Type::Bool), |_, cells| cells[0].to_value()),
];

const RANGE_LEN_MAX: usize = 1_048_576;

fn list(items: Vec<Dynamic>) -> Value {
    Value::Dynamic(Dynamic::array(items))
}

fn each(cell: Cell<'_>, change: fn(Vec<Dynamic>) -> Vec<Dynamic>) -> Value {
    match cell {
        Cell::Dynamic(Dynamic::Array(items)) => list(change(items.to_vec())),
        _ => Value::Null,
    }
}

fn entries<'a>(cell: Cell<'a>) -> Option<&'a [(Arc<str>, Dynamic)]> {
    match cell {
        Cell::Dynamic(bag) => bag.entries(),
        _ => None,
    }
}

fn path(_: &Context<'_>, cells: &[Cell<'_>]) -> Value {
    let Cell::Dynamic(value) = cells[0] else { return Value::Null };
    let found = match (cells[1].as_str(), cells[1].as_i64()) {
        (Some(name), _) => value.field(name),
        (None, Some(at)) => value.element(at),
        (None, None) => None,
    };
    found.map_or(Value::Null, |found| Value::Dynamic(found.clone()))
}

/// Names between dots behind `$`: `$.a.b` and `$['a']`; a name without `$` is one step.
fn steps(text: &str) -> Vec<String> {
    let Some(rest) = text.strip_prefix('$').filter(|rest| rest.starts_with(['.', '['])) else {
        return vec![text.to_owned()];
    };
    let cleaned = rest.replace("['", ".").replace("']", "").replace("[\"", ".").replace("\"]", "");
    cleaned
        .split(['.', '['])
        .map(|step| step.trim_end_matches(']').to_owned())
        .filter(|step| !step.is_empty())
        .collect()
}

pub(super) fn at_path<'a>(value: &'a Dynamic, path: &str) -> Option<&'a Dynamic> {
    steps(path).iter().try_fold(value, |value, step| match (value.field(step), step.parse()) {
        (Some(field), _) => Some(field),
        (None, Ok(at)) => value.element(at),
        _ => None,
    })
}

fn without(value: &Dynamic, path: &[String]) -> Dynamic {
    let (Some((first, rest)), Some(entries)) = (path.split_first(), value.entries()) else { return value.clone() };
    let kept = entries.iter().filter(|(name, _)| !rest.is_empty() || **name != **first);
    let changed = kept.map(|(name, inner)| {
        let inner = if **name == **first { without(inner, rest) } else { inner.clone() };
        (Arc::clone(name), inner)
    });
    Dynamic::bag(changed.collect())
}

fn with(value: &Dynamic, path: &[String], new: Dynamic) -> Dynamic {
    let Some((first, rest)) = path.split_first() else { return new };
    let mut entries = value.entries().unwrap_or_default().to_vec();
    let old = value.field(first).cloned().unwrap_or(Dynamic::Null);
    let inner = with(&old, rest, new);
    entries.push((Arc::from(first.as_str()), inner));
    Dynamic::bag(entries)
}

fn place(at: i64, len: usize) -> usize {
    let len_signed = i64::try_from(len).unwrap_or(i64::MAX);
    let at = if at < 0 { at + len_signed } else { at };
    usize::try_from(at).unwrap_or(0).min(len)
}

fn slice(_: &Context<'_>, cells: &[Cell<'_>]) -> Value {
    let Cell::Dynamic(Dynamic::Array(items)) = cells[0] else { return Value::Null };
    let (Some(start), Some(end)) = (number(cells, 1), number(cells, 2)) else { return Value::Null };
    let start = place(start, items.len());
    let end = if end < 0 { place(end, items.len()) } else { usize::try_from(end).unwrap_or(usize::MAX) };
    let end = end.saturating_add(1).min(items.len());
    list(items.get(start..end).unwrap_or_default().to_vec())
}

fn split(_: &Context<'_>, cells: &[Cell<'_>]) -> Value {
    let Cell::Dynamic(Dynamic::Array(elements)) = cells[0] else { return Value::Null };
    let places = items(cells[1])
        .iter()
        .filter_map(|at| at.scalar().as_i64())
        .map(|at| place(at, elements.len()))
        .collect::<Vec<_>>();
    let mut parts = Vec::new();
    let mut from = 0;
    for to in places.into_iter().chain([elements.len()]) {
        parts.push(Dynamic::array(elements.get(from..to).unwrap_or_default().to_vec()));
        from = to.max(from);
    }
    list(parts)
}

fn index_of(_: &Context<'_>, cells: &[Cell<'_>]) -> Value {
    let Cell::Dynamic(Dynamic::Array(items)) = cells[0] else { return Value::Null };
    let wanted = key(&Dynamic::from(cells[1]));
    let start = place(number(cells, 2).unwrap_or(0), items.len());
    let length = number(cells, 3).and_then(|len| usize::try_from(len).ok()).unwrap_or(usize::MAX);
    let nth = number(cells, 4).and_then(|nth| usize::try_from(nth - 1).ok()).unwrap_or(0);
    let range = items.iter().enumerate().skip(start).take(length);
    match range.filter(|(_, item)| key(item) == wanted).nth(nth) {
        Some((at, _)) => long(at),
        None => Value::Long(-1),
    }
}

/// Element by element; a scalar stands for a list of itself.
fn array_iff(_: &Context<'_>, cells: &[Cell<'_>]) -> Value {
    let Cell::Dynamic(Dynamic::Array(conditions)) = cells[0] else { return Value::Null };
    let element = |cell: Cell<'_>, at: usize| match cell {
        Cell::Dynamic(Dynamic::Array(items)) => items.get(at).cloned().unwrap_or(Dynamic::Null),
        cell => Dynamic::from(cell),
    };
    let choose = |(at, condition): (usize, &Dynamic)| match super::convert_cell(condition.scalar(), Type::Bool) {
        Value::Bool(true) => element(cells[1], at),
        Value::Bool(false) => element(cells[2], at),
        _ => Dynamic::Null,
    };
    list(conditions.iter().enumerate().map(choose).collect())
}

fn rotate(cells: &[Cell<'_>], sign: i64) -> Value {
    let Cell::Dynamic(Dynamic::Array(items)) = cells[0] else { return Value::Null };
    let mut items = items.to_vec();
    if let (Some(by), Ok(len)) = (number(cells, 1), i64::try_from(items.len()))
        && len > 0
    {
        items.rotate_left(usize::try_from(by.wrapping_mul(sign).rem_euclid(len)).unwrap_or(0));
    }
    list(items)
}

fn shift(cells: &[Cell<'_>], sign: i64) -> Value {
    let Cell::Dynamic(Dynamic::Array(items)) = cells[0] else { return Value::Null };
    let by = number(cells, 1).unwrap_or(0).saturating_mul(sign);
    let filler = cells.get(2).map_or(Dynamic::Null, |cell| Dynamic::from(*cell));
    let moved = |at: usize| {
        let from = i64::try_from(at).ok()?.checked_add(by)?;
        items.get(usize::try_from(from).ok()?).cloned()
    };
    list((0..items.len()).map(|at| moved(at).unwrap_or_else(|| filler.clone())).collect())
}

fn nulls_last(cells: &[Cell<'_>]) -> bool {
    !matches!(cells.last(), Some(Cell::Bool(false)))
}

/// `values` in the order that the first of `keys` has when sorted, the next ones deciding ties; nulls come last.
fn sorted(values: Cell<'_>, keys: &[Cell<'_>], descending: bool, nulls_last: bool) -> Value {
    let Cell::Dynamic(Dynamic::Array(values)) = values else { return Value::Null };
    let keys: Vec<&[Dynamic]> = keys
        .iter()
        .filter_map(|key| match key {
            Cell::Dynamic(Dynamic::Array(items)) => Some(items.as_slice()),
            _ => None,
        })
        .collect();
    if keys.iter().any(|key| key.len() != values.len()) {
        return Value::Null;
    }
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|left, right| {
        let by_key = keys.iter().take(1).map(|key| {
            let (left, right) = (&key[*left], &key[*right]);
            match (matches!(left, Dynamic::Null), matches!(right, Dynamic::Null)) {
                (true, true) => std::cmp::Ordering::Equal,
                (true, false) if nulls_last => std::cmp::Ordering::Greater,
                (true, false) => std::cmp::Ordering::Less,
                (false, true) if nulls_last => std::cmp::Ordering::Less,
                (false, true) => std::cmp::Ordering::Greater,
                _ if descending => right.order(left),
                _ => left.order(right),
            }
        });
        by_key.into_iter().find(|order| order.is_ne()).unwrap_or(std::cmp::Ordering::Equal)
    });
    list(order.into_iter().map(|at| values[at].clone()).collect())
}

fn bag_pack(cells: &[Cell<'_>], nulls: bool) -> Value {
    let pairs = cells.chunks_exact(2).filter(|pair| nulls || !(pair[1].is_null() || pair[1].as_str() == Some("")));
    Value::Dynamic(Dynamic::bag(pairs.map(|pair| (Arc::from(pair[0].to_string()), Dynamic::from(pair[1]))).collect()))
}

/// Of a name that several bags have, the first one's value stays.
fn bag_merge(_: &Context<'_>, cells: &[Cell<'_>]) -> Value {
    let mut merged: Vec<(Arc<str>, Dynamic)> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for (name, value) in cells.iter().filter_map(|cell| entries(*cell)).flatten() {
        if seen.insert(Arc::clone(name)) {
            merged.push((Arc::clone(name), value.clone()));
        }
    }
    Value::Dynamic(Dynamic::bag(merged))
}

fn range(_: &Context<'_>, cells: &[Cell<'_>]) -> Value {
    let whole = |at: usize| cells.get(at).and_then(|cell| cell.as_i64());
    let real = |at: usize| cells.get(at).and_then(|cell| cell.as_f64());
    if let (Some(from), Some(to), Some(step)) = (whole(0), whole(1), whole(2).or((cells.len() < 3).then_some(1))) {
        let step = if cells.len() < 3 && matches!(cells[0], Cell::DateTime(_) | Cell::TimeSpan(_)) {
            3600 * crate::time::TICKS_PER_SECOND
        } else {
            step
        };
        let count =
            if step == 0 || (to > from && step < 0) || (to < from && step > 0) { 0 } else { (to - from) / step + 1 };
        let count = usize::try_from(count).unwrap_or(0).min(RANGE_LEN_MAX);
        let value = |at: usize| {
            let value = from + step * i64::try_from(at).unwrap_or(0);
            match cells[0] {
                Cell::DateTime(_) => Dynamic::DateTime(value),
                Cell::TimeSpan(_) => Dynamic::TimeSpan(value),
                _ => Dynamic::Long(value),
            }
        };
        return list((0..count).map(value).collect());
    }
    let (Some(from), Some(to)) = (real(0), real(1)) else { return Value::Null };
    let step = real(2).unwrap_or(1.0);
    let mut made = Vec::new();
    let mut value = from;
    while step != 0.0 && ((step > 0.0 && value <= to) || (step < 0.0 && value >= to)) && made.len() < RANGE_LEN_MAX {
        made.push(Dynamic::Real(value));
        #[expect(clippy::cast_precision_loss, reason = "the length is bounded")]
        let count = made.len() as f64;
        value = from + step * count;
    }
    list(made)
}
