//! Text columns: a code per row into an arena, so that filters and joins copy four bytes a row and equal text is kept once.

use std::{
    hash::{BuildHasher, BuildHasherDefault},
    sync::Arc,
};

use crate::hash::Mixer;

/// Texts end to end. Entry 0 is always the empty string.
#[derive(Debug)]
pub(crate) struct Arena {
    text: String,
    ends: Vec<usize>,
}

impl Arena {
    fn new() -> Self {
        Self { text: String::new(), ends: vec![0] }
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(crate) fn at(&self, code: u32) -> &str {
        let code = code as usize;
        let start = if code == 0 { 0 } else { self.ends[code - 1] };
        &self.text[start..self.ends[code]]
    }

    pub(crate) fn bytes(&self) -> usize {
        self.text.len() + self.ends.len() * size_of::<usize>()
    }

    fn push(&mut self, text: &str) -> u32 {
        self.text.push_str(text);
        self.ends.push(self.text.len());
        code_of(self.ends.len() - 1)
    }
}

/// A code per row.
#[derive(Clone, Debug)]
pub(crate) struct Strings {
    pub(crate) codes: Vec<u32>,
    pub(crate) arena: Arc<Arena>,
}

impl Strings {
    pub(crate) fn at(&self, row: usize) -> &str {
        self.arena.at(self.codes[row])
    }
}

/// Builds a text column; keeps equal texts once for as long as that pays.
#[derive(Debug)]
pub(crate) struct StringBuilder {
    codes: Vec<u32>,
    arena: Arena,
    /// Open addressing over codes; code 0 marks a free slot. Empty once interning has been given up.
    slots: Vec<u32>,
    /// Arenas that were taken over, to copy each of their texts once: the last one and its codes here.
    foreign: Option<(Arc<Arena>, Vec<u32>)>,
}

impl StringBuilder {
    pub(crate) fn new() -> Self {
        Self { codes: Vec::new(), arena: Arena::new(), slots: vec![0; SLOT_COUNT_MIN], foreign: None }
    }

    pub(crate) fn push(&mut self, text: &str) {
        let code = self.code(text);
        self.codes.push(code);
    }

    pub(crate) fn len(&self) -> usize {
        self.codes.len()
    }

    /// All of another column's rows; a text that it shares is looked up once.
    pub(crate) fn extend(&mut self, codes: impl Iterator<Item = u32>, arena: &Arc<Arena>) {
        let (known, mut map) = match self.foreign.take() {
            Some((known, map)) if Arc::ptr_eq(&known, arena) => (known, map),
            _ => (Arc::clone(arena), vec![0; arena.len()]),
        };
        for code in codes {
            let mut own = map[code as usize];
            if own == 0 && code != 0 {
                own = self.code(arena.at(code));
                map[code as usize] = own;
            }
            self.codes.push(own);
        }
        self.foreign = Some((known, map));
    }

    pub(crate) fn bytes(&self) -> usize {
        self.codes.len() * 4 + self.arena.bytes() + self.slots.len() * 4
    }

    pub(crate) fn finish(mut self) -> Strings {
        self.arena.text.shrink_to_fit();
        self.arena.ends.shrink_to_fit();
        self.codes.shrink_to_fit();
        Strings { codes: self.codes, arena: Arc::new(self.arena) }
    }

    fn code(&mut self, text: &str) -> u32 {
        if text.is_empty() {
            return 0;
        }
        if self.slots.is_empty() {
            return self.arena.push(text);
        }
        let mask = self.slots.len() - 1;
        let mut slot = place(text) & mask;
        while self.slots[slot] != 0 {
            if self.arena.at(self.slots[slot]) == text {
                return self.slots[slot];
            }
            slot = (slot + 1) & mask;
        }
        let code = self.arena.push(text);
        self.slots[slot] = code;
        if self.arena.len() * 2 > self.slots.len() {
            self.grow();
        }
        code
    }

    fn grow(&mut self) {
        let distinct = self.arena.len();
        if distinct > INTERN_PROBE && distinct * 4 > self.codes.len() * 3 {
            self.slots = Vec::new(); // Nearly every text is new: looking them up costs more than it saves.
            return;
        }
        let mut slots = vec![0; self.slots.len() * 2];
        let mask = slots.len() - 1;
        for code in 1..code_of(distinct) {
            let mut slot = place(self.arena.at(code)) & mask;
            while slots[slot] != 0 {
                slot = (slot + 1) & mask;
            }
            slots[slot] = code;
        }
        self.slots = slots;
    }
}

const SLOT_COUNT_MIN: usize = 16;
/// So many distinct texts are interned before the builder asks whether it pays.
const INTERN_PROBE: usize = 16_384;

#[expect(clippy::cast_possible_truncation, reason = "the low bits of a hash are as good as all of it")]
fn place(text: &str) -> usize {
    BuildHasherDefault::<Mixer>::default().hash_one(text.as_bytes()) as usize
}

/// # Panics
/// Above four billion texts in one column, which no memory limit lets happen.
fn code_of(at: usize) -> u32 {
    u32::try_from(at).expect("a column has fewer than four billion rows")
}
