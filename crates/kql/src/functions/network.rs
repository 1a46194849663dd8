//! IPv4 addresses and ranges.

use std::net::Ipv4Addr;

use super::{
    Function, Kind, Returns,
    string::{items, number, text},
};
use crate::{
    dynamic::Dynamic,
    types::Type,
    value::{Cell, Value},
};

use Kind::{Any, Long, Str};

const BOOL: Returns = Returns::Is(Type::Bool);
const WHOLE: Returns = Returns::Is(Type::Long);
const TEXT: Returns = Returns::Is(Type::String);

pub(super) const FUNCTIONS: &[Function] = &[
    Function::cells("parse_ipv4", &[Str], WHOLE, |_, cells| {
        parse(text(cells, 0)).map_or(Value::Null, |(bits, prefix)| Value::Long(i64::from(masked(bits, prefix))))
    }),
    Function::cells("parse_ipv4_mask", &[Str, Long], WHOLE, |_, cells| match (parse(text(cells, 0)), mask(cells, 1)) {
        (Some((bits, prefix)), Some(mask)) => Value::Long(i64::from(masked(bits, prefix.min(mask)))),
        _ => Value::Null,
    }),
    Function::cells("format_ipv4", &[Any, Long], TEXT, |_, cells| format(cells, false)).least(1),
    Function::cells("format_ipv4_mask", &[Any, Long], TEXT, |_, cells| format(cells, true)).least(1),
    Function::cells("ipv4_compare", &[Str, Str, Long], WHOLE, |_, cells| {
        compared(cells).map_or(Value::Null, |order| Value::Long(order as i64))
    })
    .least(2),
    Function::cells("ipv4_is_match", &[Str, Str, Long], BOOL, |_, cells| {
        compared(cells).map_or(Value::Null, |order| Value::Bool(order.is_eq()))
    })
    .least(2),
    Function::cells("ipv4_is_in_range", &[Str, Str], BOOL, |_, cells| {
        in_range(text(cells, 0), text(cells, 1)).map_or(Value::Null, Value::Bool)
    }),
    Function::cells("ipv4_is_in_any_range", &[Str, Any], BOOL, |_, cells| {
        if parse(text(cells, 0)).is_none() {
            return Value::Null;
        }
        Value::Bool(all_texts(cells).iter().any(|range| in_range(text(cells, 0), range) == Some(true)))
    })
    .many(2),
    Function::cells("ipv4_is_private", &[Str], BOOL, |_, cells| match parse(text(cells, 0)) {
        Some((bits, prefix)) => {
            let private =
                |range: &&str| parse(range).is_some_and(|(net, len)| prefix >= len && masked(bits, len) == net);
            Value::Bool(["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"].iter().any(private))
        }
        None => Value::Null,
    }),
    Function::cells("ipv4_netmask_suffix", &[Str], WHOLE, |_, cells| {
        parse(text(cells, 0)).map_or(Value::Null, |(_, prefix)| Value::Long(i64::from(prefix)))
    }),
    Function::cells("ipv4_range_to_cidr_list", &[Str, Str], Returns::Is(Type::Dynamic), |_, cells| {
        match (parse(text(cells, 0)), parse(text(cells, 1))) {
            (Some((start, _)), Some((end, _))) => Value::Dynamic(Dynamic::array(cidrs(start, end))),
            _ => Value::Null,
        }
    }),
    Function::cells("has_ipv4", &[Str, Str], BOOL, |_, cells| Value::Bool(has(text(cells, 0), text(cells, 1)))),
    Function::cells("has_any_ipv4", &[Str, Any], BOOL, |_, cells| {
        Value::Bool(all_texts(cells).iter().any(|wanted| has(text(cells, 0), wanted)))
    })
    .many(2),
    Function::cells("has_ipv4_prefix", &[Str, Str], BOOL, |_, cells| {
        Value::Bool(has_prefix(text(cells, 0), text(cells, 1)))
    }),
    Function::cells("has_any_ipv4_prefix", &[Str, Any], BOOL, |_, cells| {
        Value::Bool(all_texts(cells).iter().any(|wanted| has_prefix(text(cells, 0), wanted)))
    })
    .many(2),
    // No list of places belongs to this crate: every address is one that is not in the list.
    Function::cells("geo_info_from_ip_address", &[Str], Returns::Is(Type::Dynamic), |_, _| Value::Null),
];

/// The texts behind the first argument; lists count as their elements.
fn all_texts(cells: &[Cell<'_>]) -> Vec<String> {
    cells[1..].iter().flat_map(|cell| items(*cell).iter().map(ToString::to_string).collect::<Vec<_>>()).collect()
}

/// Bits and prefix length; an address without a prefix is all of itself.
pub(super) fn parse(text: &str) -> Option<(u32, u32)> {
    let (address, prefix) = match text.trim().split_once('/') {
        Some((address, prefix)) => (address, prefix.parse().ok().filter(|prefix| *prefix <= 32)?),
        None => (text.trim(), 32),
    };
    let address: Ipv4Addr = address.parse().ok()?;
    Some((u32::from(address), prefix))
}

fn masked(bits: u32, prefix: u32) -> u32 {
    if prefix == 0 { 0 } else { bits & (u32::MAX << (32 - prefix.min(32))) }
}

fn mask(cells: &[Cell<'_>], at: usize) -> Option<u32> {
    number(cells, at).and_then(|mask| u32::try_from(mask).ok()).filter(|mask| *mask <= 32)
}

fn compared(cells: &[Cell<'_>]) -> Option<std::cmp::Ordering> {
    let (left, left_prefix) = parse(text(cells, 0))?;
    let (right, right_prefix) = parse(text(cells, 1))?;
    let given = if cells.len() > 2 { mask(cells, 2)? } else { 32 };
    let prefix = left_prefix.min(right_prefix).min(given);
    Some(masked(left, prefix).cmp(&masked(right, prefix)))
}

fn in_range(address: &str, range: &str) -> Option<bool> {
    let ((address, _), (net, prefix)) = (parse(address)?, parse(range)?);
    Some(masked(address, prefix) == masked(net, prefix))
}

fn format(cells: &[Cell<'_>], with_prefix: bool) -> Value {
    let parsed = match cells[0].as_str() {
        Some(text) => parse(text),
        None => number(cells, 0).and_then(|bits| u32::try_from(bits).ok()).map(|bits| (bits, 32)),
    };
    let given = if cells.len() > 1 { mask(cells, 1) } else { Some(32) };
    let (Some((bits, prefix)), Some(given)) = (parsed, given) else { return Value::text("") };
    let prefix = prefix.min(given);
    let address = Ipv4Addr::from(masked(bits, prefix));
    Value::text(if with_prefix { format!("{address}/{prefix}") } else { address.to_string() })
}

/// The fewest networks that are exactly the range.
fn cidrs(start: u32, end: u32) -> Vec<Dynamic> {
    let (mut at, end) = (u64::from(start), u64::from(end));
    let mut networks = Vec::new();
    while at <= end {
        let aligned = if at == 0 { 32 } else { at.trailing_zeros().min(32) };
        let fits = (end - at + 1).ilog2();
        let bits = aligned.min(fits);
        let address = Ipv4Addr::from(u32::try_from(at).unwrap_or(u32::MAX));
        networks.push(Dynamic::text(format!("{address}/{}", 32 - bits)));
        at += 1 << bits;
    }
    networks
}

/// The places where `wanted` stands with nothing of a number or a word touching it.
fn stands<'t>(text: &'t str, wanted: &'t str, open_end: bool) -> impl Iterator<Item = &'t str> {
    let alone = |c: char| !c.is_alphanumeric();
    text.match_indices(wanted).filter_map(move |(at, _)| {
        let before = text[..at].chars().next_back().is_none_or(|c| alone(c) && c != '.');
        let rest = &text[at..];
        let after = open_end || rest[wanted.len()..].chars().next().is_none_or(alone);
        (before && after).then_some(rest)
    })
}

fn has(text: &str, wanted: &str) -> bool {
    wanted.parse::<Ipv4Addr>().is_ok() && stands(text, wanted, false).next().is_some()
}

/// A prefix ends with a dot, or is a whole address; the address that it begins must be one.
fn has_prefix(text: &str, wanted: &str) -> bool {
    if wanted.parse::<Ipv4Addr>().is_ok() {
        return has(text, wanted);
    }
    wanted.ends_with('.')
        && stands(text, wanted, true).any(|rest| {
            let end = rest.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(rest.len());
            let (address, after) = rest.split_at(end);
            address.parse::<Ipv4Addr>().is_ok() && !after.starts_with(char::is_alphanumeric)
        })
}
