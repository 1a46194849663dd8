//! IPv6 addresses and ranges; an IPv4 address stands for its mapped form.

use std::net::Ipv6Addr;

use super::{
    Function, Kind, Returns, network,
    string::{items, number, text},
};
use crate::{
    types::Type,
    value::{Cell, Value},
};

use Kind::{Any, Long, Str};

const BOOL: Returns = Returns::Is(Type::Bool);
const TEXT: Returns = Returns::Is(Type::String);

pub(super) const FUNCTIONS: &[Function] = &[
    Function::cells("parse_ipv6", &[Str], TEXT, |_, cells| {
        parse(text(cells, 0)).map_or(Value::text(""), |(bits, prefix)| Value::text(full(masked(bits, prefix))))
    }),
    Function::cells("parse_ipv6_mask", &[Str, Long], TEXT, |_, cells| match (parse(text(cells, 0)), mask(cells, 1)) {
        (Some((bits, prefix)), Some(mask)) => Value::text(full(masked(bits, prefix.min(mask)))),
        _ => Value::text(""),
    }),
    Function::cells("ipv6_compare", &[Str, Str, Long], Returns::Is(Type::Long), |_, cells| {
        compared(cells).map_or(Value::Null, |order| Value::Long(order as i64))
    })
    .least(2),
    Function::cells("ipv6_is_match", &[Str, Str, Long], BOOL, |_, cells| {
        compared(cells).map_or(Value::Null, |order| Value::Bool(order.is_eq()))
    })
    .least(2),
    Function::cells("ipv6_is_in_range", &[Str, Str], BOOL, |_, cells| {
        in_range(text(cells, 0), text(cells, 1)).map_or(Value::Null, Value::Bool)
    }),
    Function::cells("ipv6_is_in_any_range", &[Str, Any], BOOL, |_, cells| {
        let mut ranges = cells[1..].iter().flat_map(|cell| items(*cell).into_owned());
        if parse(text(cells, 0)).is_none() {
            return Value::Null;
        }
        Value::Bool(ranges.any(|range| in_range(text(cells, 0), &range.to_string()) == Some(true)))
    })
    .many(2),
];

fn parse(text: &str) -> Option<(u128, u32)> {
    let text = text.trim();
    let plain = text.strip_prefix("::ffff:").or_else(|| text.strip_prefix("::"));
    if let Some((bits, prefix)) = network::parse(plain.filter(|rest| rest.contains('.')).unwrap_or(text)) {
        return Some(((0xffff_u128 << 32) | u128::from(bits), prefix + 96));
    }
    let (address, prefix) = match text.split_once('/') {
        Some((address, prefix)) => (address, prefix.parse().ok().filter(|prefix| *prefix <= 128)?),
        None => (text, 128),
    };
    Some((u128::from(address.parse::<Ipv6Addr>().ok()?), prefix))
}

fn masked(bits: u128, prefix: u32) -> u128 {
    if prefix == 0 { 0 } else { bits & (u128::MAX << (128 - prefix.min(128))) }
}

fn mask(cells: &[Cell<'_>], at: usize) -> Option<u32> {
    number(cells, at).and_then(|mask| u32::try_from(mask).ok()).filter(|mask| *mask <= 128)
}

/// Eight groups of four digits.
fn full(bits: u128) -> String {
    let groups = Ipv6Addr::from(bits).segments();
    groups.map(|group| format!("{group:04x}")).join(":")
}

fn compared(cells: &[Cell<'_>]) -> Option<std::cmp::Ordering> {
    let (left, left_prefix) = parse(text(cells, 0))?;
    let (right, right_prefix) = parse(text(cells, 1))?;
    let given = if cells.len() > 2 { mask(cells, 2)? } else { 128 };
    let prefix = left_prefix.min(right_prefix).min(given);
    Some(masked(left, prefix).cmp(&masked(right, prefix)))
}

fn in_range(address: &str, range: &str) -> Option<bool> {
    let ((address, _), (net, prefix)) = (parse(address)?, parse(range)?);
    Some(masked(address, prefix) == masked(net, prefix))
}
