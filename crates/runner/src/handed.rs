//! What new runs are given, from whoever has read it a moment ago: their first turn need not read it again.

use std::collections::HashMap;

use serde_json::Value;
use sortie_store::RunId;

/// Of runs that have not begun. What finds no room is read from the database.
#[derive(Default)]
pub(crate) struct Handed {
    given: HashMap<RunId, (Value, usize)>,
    bytes: usize,
}

impl Handed {
    /// `bytes` long as a text.
    pub(crate) fn put(&mut self, run: RunId, given: Value, bytes: usize) {
        if self.bytes + bytes <= BYTES_MAX && self.given.insert(run, (given, bytes)).is_none() {
            self.bytes += bytes;
        }
    }

    pub(crate) fn take(&mut self, run: RunId) -> Option<Value> {
        let (given, bytes) = self.given.remove(&run)?;
        self.bytes -= bytes;
        Some(given)
    }
}

/// As values they are several times as long.
const BYTES_MAX: usize = 2 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_for_so_much_and_again_when_it_is_taken() {
        let run = |at: u8| RunId::parse(&format!("01a22b1f-70f9-7ccc-a5e9-0d72e36d3d{at:02x}")).unwrap();
        let mut handed = Handed::default();
        handed.put(run(1), 1.into(), BYTES_MAX);
        handed.put(run(2), 2.into(), 1);
        assert_eq!((handed.take(run(1)), handed.take(run(2)), handed.take(run(1))), (Some(1.into()), None, None));
        handed.put(run(2), 2.into(), BYTES_MAX);
        assert_eq!((handed.take(run(2)), handed.bytes), (Some(2.into()), 0));
    }
}
