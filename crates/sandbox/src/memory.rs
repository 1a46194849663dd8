//! The bound on what a script may take of memory.
//!
//! The engine has one of its own, but a script that runs into it slowly ends with `null` thrown, like one that says
//! `throw null`: the engine finds no memory to say that there is none. So the bound is kept here, and remembers.
#![expect(unsafe_code, reason = "an allocator for C is made of raw pointers")]

use std::{cell::Cell, ptr, rc::Rc};

use rquickjs::allocator::{Allocator, RustAllocator};

/// Gives memory up to a bound, and notes when it did not.
pub(crate) struct BoundedMemory {
    used: usize,
    bytes_max: usize,
    was_refused: Rc<Cell<bool>>,
}

impl BoundedMemory {
    pub(crate) fn new(bytes_max: usize, was_refused: Rc<Cell<bool>>) -> Self {
        Self { used: 0, bytes_max, was_refused }
    }

    /// Whether that much more may be taken. It also keeps sizes far from where the sums below could overflow.
    fn has_room_for(&self, size: usize) -> bool {
        size <= self.bytes_max.saturating_sub(self.used)
    }

    /// Counts what was given; a null pointer is what nobody gave.
    fn taken(&mut self, pointer: *mut u8) -> *mut u8 {
        if pointer.is_null() {
            self.was_refused.set(true);
        } else {
            // SAFETY: it is not null, and every caller has it from `RustAllocator` just now.
            self.used += unsafe { RustAllocator::usable_size(pointer) };
        }
        pointer
    }
}

// SAFETY: all memory comes from `RustAllocator` and goes back to it with the same sizes; a refusal is a null pointer, which
// the trait allows.
unsafe impl Allocator for BoundedMemory {
    fn alloc(&mut self, size: usize) -> *mut u8 {
        let given = if self.has_room_for(size) { RustAllocator.alloc(size) } else { ptr::null_mut() };
        self.taken(given)
    }

    fn calloc(&mut self, count: usize, size: usize) -> *mut u8 {
        let fits = count.checked_mul(size).is_some_and(|bytes| self.has_room_for(bytes));
        let given = if fits { RustAllocator.calloc(count, size) } else { ptr::null_mut() };
        self.taken(given)
    }

    unsafe fn dealloc(&mut self, pointer: *mut u8) {
        if pointer.is_null() {
            return;
        }
        // SAFETY: the caller promises that it is from here, and what is from here is from `RustAllocator`.
        unsafe {
            self.used -= RustAllocator::usable_size(pointer);
            RustAllocator.dealloc(pointer);
        }
    }

    unsafe fn realloc(&mut self, pointer: *mut u8, size: usize) -> *mut u8 {
        if pointer.is_null() {
            return self.alloc(size);
        }
        // SAFETY: as in `dealloc`.
        let before = unsafe { RustAllocator::usable_size(pointer) };
        if !self.has_room_for(size.saturating_sub(before)) {
            return self.taken(ptr::null_mut());
        }
        // SAFETY: as in `dealloc`; the size is at most our bound more than what is there.
        let given = unsafe { RustAllocator.realloc(pointer, size) };
        if !given.is_null() {
            self.used -= before;
        }
        self.taken(given)
    }

    unsafe fn usable_size(pointer: *mut u8) -> usize {
        // SAFETY: as in `dealloc`.
        unsafe { RustAllocator::usable_size(pointer) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_back_can_be_taken_again_and_a_refusal_is_remembered() {
        let refused = Rc::new(Cell::new(false));
        let mut memory = BoundedMemory::new(1_000, Rc::clone(&refused));
        // SAFETY: every pointer is from this allocator and is used once.
        unsafe {
            for _ in 0..100 {
                let small = memory.alloc(400);
                let larger = memory.realloc(small, 900);
                assert!(!larger.is_null() && memory.used >= 900);
                memory.dealloc(larger);
                let zeroed = memory.calloc(3, 300);
                assert!(*zeroed == 0 && !zeroed.is_null());
                memory.dealloc(zeroed);
            }
            assert!(memory.used == 0 && !refused.get());
            let kept = memory.realloc(ptr::null_mut(), 500);
            assert!(memory.realloc(kept, 1_100).is_null() && refused.replace(false));
            assert!(memory.alloc(600).is_null() && refused.replace(false));
            assert!(memory.calloc(usize::MAX, 2).is_null() && refused.get());
            memory.dealloc(kept);
            memory.dealloc(ptr::null_mut());
        }
        assert_eq!(memory.used, 0);
    }
}
