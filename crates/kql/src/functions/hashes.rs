//! `hash` and its kin: xxHash64 with seed 0 (the algorithm of the xxHash specification, version 0.1.1).

use super::{Function, Kind, Returns, string::number};
use crate::{
    types::Type,
    value::{Cell, Value},
};

use Kind::{Any, Long};

const WHOLE: Returns = Returns::Is(Type::Long);

pub(super) const FUNCTIONS: &[Function] = &[
    Function::cells("hash", &[Any, Long], WHOLE, |_, cells| modulo(of_cell(cells[0]), cells)).least(1),
    Function::cells("hash_xxhash64", &[Any, Long], WHOLE, |_, cells| modulo(of_cell(cells[0]), cells)).least(1),
];

/// Text by its bytes, numbers and instants by eight bytes, the least first.
fn of_cell(cell: Cell<'_>) -> u64 {
    match (cell.as_str(), cell.as_i64()) {
        (Some(text), _) => xxhash64(text.as_bytes()),
        (None, Some(value)) => xxhash64(&value.to_le_bytes()),
        (None, None) => match cell {
            Cell::Real(value) => xxhash64(&value.to_le_bytes()),
            other => xxhash64(other.to_string().as_bytes()),
        },
    }
}

/// The second argument bounds the result; the hash counts as unsigned for it.
fn modulo(hash: u64, cells: &[Cell<'_>]) -> Value {
    match number(cells, 1).and_then(|bound| u64::try_from(bound).ok()).filter(|bound| *bound > 0) {
        Some(bound) => Value::Long((hash % bound).cast_signed()),
        None if cells.len() > 1 => Value::Null,
        None => Value::Long(hash.cast_signed()),
    }
}

const PRIME_1: u64 = 0x9e37_79b1_85eb_ca87;
const PRIME_2: u64 = 0xc2b2_ae3d_27d4_eb4f;
const PRIME_3: u64 = 0x1656_67b1_9e37_79f9;
const PRIME_4: u64 = 0x85eb_ca77_c2b2_ae63;
const PRIME_5: u64 = 0x27d4_eb2f_1656_67c5;

fn xxhash64(bytes: &[u8]) -> u64 {
    let mut stripes = bytes.chunks_exact(32);
    let mut hash = if bytes.len() >= 32 {
        let mut lanes = [PRIME_1.wrapping_add(PRIME_2), PRIME_2, 0, PRIME_1.wrapping_neg()];
        for stripe in &mut stripes {
            for (lane, word) in lanes.iter_mut().zip(stripe.chunks_exact(8)) {
                *lane = round(*lane, word64(word));
            }
        }
        let rotations = [1, 7, 12, 18];
        let joined = lanes.iter().zip(rotations).map(|(lane, by)| lane.rotate_left(by)).fold(0_u64, u64::wrapping_add);
        lanes.iter().fold(joined, |hash, lane| (hash ^ round(0, *lane)).wrapping_mul(PRIME_1).wrapping_add(PRIME_4))
    } else {
        PRIME_5
    };
    hash = hash.wrapping_add(bytes.len() as u64);
    let mut words = stripes.remainder().chunks_exact(8);
    for word in &mut words {
        hash = (hash ^ round(0, word64(word))).rotate_left(27).wrapping_mul(PRIME_1).wrapping_add(PRIME_4);
    }
    let mut rest = words.remainder();
    if let Some((four, more)) = rest.split_first_chunk::<4>() {
        let word = u64::from(u32::from_le_bytes(*four)).wrapping_mul(PRIME_1);
        hash = (hash ^ word).rotate_left(23).wrapping_mul(PRIME_2).wrapping_add(PRIME_3);
        rest = more;
    }
    for byte in rest {
        hash = (hash ^ u64::from(*byte).wrapping_mul(PRIME_5)).rotate_left(11).wrapping_mul(PRIME_1);
    }
    hash = (hash ^ (hash >> 33)).wrapping_mul(PRIME_2);
    hash = (hash ^ (hash >> 29)).wrapping_mul(PRIME_3);
    hash ^ (hash >> 32)
}

fn round(lane: u64, word: u64) -> u64 {
    lane.wrapping_add(word.wrapping_mul(PRIME_2)).rotate_left(31).wrapping_mul(PRIME_1)
}

fn word64(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |word, byte| (word << 8) | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_test_values() {
        for (text, expect) in [
            ("", 0xef46_db37_51d8_e999),
            ("a", 0xd24e_c4f1_a98c_6e5b),
            ("abc", 0x44bc_2cf5_ad77_0999),
            ("Nobody inspects the spammish repetition", 0xfbce_a83c_8a37_8bf1),
        ] {
            assert_eq!(xxhash64(text.as_bytes()), expect, "{text}");
        }
    }
}
