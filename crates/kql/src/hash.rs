//! A fast hash for tables that live as long as one query. Not for keys that outlive it.

use std::hash::{BuildHasherDefault, Hasher};

pub(crate) type FastMap<K, V> = std::collections::HashMap<K, V, BuildHasherDefault<Mixer>>;
pub(crate) type FastSet<K> = std::collections::HashSet<K, BuildHasherDefault<Mixer>>;

/// Multiplies and rotates word by word.
#[derive(Default)]
pub(crate) struct Mixer {
    state: u64,
}

impl Mixer {
    fn mix(&mut self, word: u64) {
        let product = u128::from(self.state ^ word).wrapping_mul(u128::from(ODD));
        let bytes = product.to_le_bytes();
        let (mut low, mut high) = ([0; 8], [0; 8]);
        low.copy_from_slice(&bytes[..8]);
        high.copy_from_slice(&bytes[8..]);
        self.state = u64::from_le_bytes(low) ^ u64::from_le_bytes(high).rotate_left(23) ^ word.rotate_left(32);
    }
}

impl Hasher for Mixer {
    fn write(&mut self, bytes: &[u8]) {
        let mut chunks = bytes.chunks_exact(8);
        for chunk in &mut chunks {
            let mut word = [0; 8];
            word.copy_from_slice(chunk);
            self.mix(u64::from_le_bytes(word));
        }
        let rest = chunks.remainder();
        let mut word = [0; 8];
        word[..rest.len()].copy_from_slice(rest);
        self.mix(u64::from_le_bytes(word) ^ (bytes.len() as u64) << 56);
    }

    fn write_u32(&mut self, value: u32) {
        self.mix(u64::from(value));
    }

    fn write_u64(&mut self, value: u64) {
        self.mix(value);
    }

    fn write_i64(&mut self, value: i64) {
        self.mix(value.cast_unsigned());
    }

    fn write_usize(&mut self, value: usize) {
        self.mix(value as u64);
    }

    fn finish(&self) -> u64 {
        (self.state ^ self.state >> 29).wrapping_mul(ODD)
    }
}

const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
