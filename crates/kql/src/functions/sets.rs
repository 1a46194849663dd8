//! Lists as sets, and the key under which equal values meet.

use super::{Function, Kind, Returns, string::items};
use crate::{
    dynamic::Dynamic,
    hash::FastSet,
    types::Type,
    value::{Cell, Value},
};

use Kind::{Any, Dyn};

const LIST: Returns = Returns::Is(Type::Dynamic);

pub(super) const FUNCTIONS: &[Function] = &[
    Function::cells("set_union", &[Dyn], LIST, |_, cells| {
        let mut seen = FastSet::default();
        let lists = cells.iter().map(|cell| items(*cell)).collect::<Vec<_>>();
        let all = lists.iter().flat_map(|list| list.iter());
        list(all.filter(|item| seen.insert(key(item))).cloned().collect())
    })
    .many(1),
    Function::cells("set_intersect", &[Dyn], LIST, |_, cells| {
        let others: Vec<FastSet<Vec<u8>>> = cells[1..].iter().map(|cell| keys(*cell)).collect();
        let mut seen = FastSet::default();
        let kept = |item: &&Dynamic| {
            let key = key(item);
            others.iter().all(|other| other.contains(&key)) && seen.insert(key)
        };
        list(items(cells[0]).iter().filter(kept).cloned().collect())
    })
    .many(2),
    Function::cells("set_difference", &[Dyn], LIST, |_, cells| {
        let mut seen: FastSet<Vec<u8>> = cells[1..].iter().flat_map(|cell| keys(*cell)).collect();
        list(items(cells[0]).iter().filter(|item| seen.insert(key(item))).cloned().collect())
    })
    .many(2),
    Function::cells("set_equals", &[Dyn, Dyn], Returns::Is(Type::Bool), |_, cells| {
        Value::Bool(keys(cells[0]) == keys(cells[1]))
    }),
    Function::cells("set_has_element", &[Dyn, Any], Returns::Is(Type::Bool), |_, cells| match cells[0] {
        Cell::Dynamic(Dynamic::Array(items)) => {
            let wanted = key(&Dynamic::from(cells[1]));
            Value::Bool(items.iter().any(|item| key(item) == wanted))
        }
        _ => Value::Null,
    }),
    Function::cells("jaccard_index", &[Dyn, Dyn], Returns::Is(Type::Real), |_, cells| {
        let (left, right) = (keys(cells[0]), keys(cells[1]));
        let common = left.intersection(&right).count();
        let all = left.len() + right.len() - common;
        #[expect(clippy::cast_precision_loss, reason = "lists are far shorter than 2^52")]
        Value::Real(common as f64 / all as f64)
    }),
];

fn list(items: Vec<Dynamic>) -> Value {
    Value::Dynamic(Dynamic::array(items))
}

pub(super) fn key(item: &Dynamic) -> Vec<u8> {
    let mut key = Vec::new();
    cell_key(item.scalar(), &mut key);
    key
}

fn keys(cell: Cell<'_>) -> FastSet<Vec<u8>> {
    items(cell).iter().map(key).collect()
}

/// Appends bytes that are equal where the values are: numbers by value whatever their type, lists by their JSON.
pub(crate) fn cell_key(cell: Cell<'_>, key: &mut Vec<u8>) {
    let cell = match cell {
        Cell::Dynamic(value) => value.scalar(),
        cell => cell,
    };
    match cell {
        Cell::Null => key.push(0),
        Cell::String(text) => {
            key.push(1);
            key.extend_from_slice(&(text.len() as u64).to_le_bytes());
            key.extend_from_slice(text.as_bytes());
        }
        Cell::Int(value) => whole(2, i64::from(value), key),
        Cell::Long(value) => whole(2, value, key),
        Cell::Real(value) => real(value, key),
        Cell::Decimal(value) => match value.to_i64() {
            Some(whole_part) if crate::decimal::Decimal::from(whole_part) == value => whole(2, whole_part, key),
            _ => real(value.to_f64(), key),
        },
        Cell::DateTime(value) => whole(4, value, key),
        Cell::TimeSpan(value) => whole(5, value, key),
        Cell::Bool(value) => key.extend_from_slice(&[6, u8::from(value)]),
        Cell::Guid(value) => {
            key.push(7);
            key.extend_from_slice(&value.to_le_bytes());
        }
        Cell::Dynamic(value) => {
            let json = value.to_json();
            key.push(8);
            key.extend_from_slice(&(json.len() as u64).to_le_bytes());
            key.extend_from_slice(json.as_bytes());
        }
    }
}

fn whole(tag: u8, value: i64, key: &mut Vec<u8>) {
    key.push(tag);
    key.extend_from_slice(&value.to_le_bytes());
}

#[expect(clippy::cast_possible_truncation, reason = "the range is checked first")]
fn real(value: f64, key: &mut Vec<u8>) {
    if value.fract() == 0.0 && value.abs() < 9e15 {
        return whole(2, value as i64, key);
    }
    key.push(3);
    key.extend_from_slice(&value.to_bits().to_le_bytes());
}
