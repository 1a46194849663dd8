//! Runs that were ordered a moment ago, as their rows say: whoever takes one up first need not read it.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard},
};

use super::{RunId, TakenUp};

/// Until they are taken up, or told something.
#[derive(Debug, Default)]
pub(crate) struct Fresh {
    runs: Mutex<HashMap<RunId, TakenUp>>,
}

impl Fresh {
    /// Keeps a run that is being ordered. Where its transaction is rolled back, nobody hears of it and asks for it.
    pub(crate) fn put(&self, taken: TakenUp) {
        if taken.given.as_ref().is_some_and(|given| given.len() > GIVEN_BYTES_MAX) {
            return;
        }
        let mut runs = self.runs();
        if runs.len() >= RUNS_MAX {
            // They are read instead.
            runs.clear();
        }
        runs.insert(taken.run.id, taken);
    }

    /// The run, for the first who asks. Nobody else has it then, and it has been told nothing.
    pub(crate) fn take(&self, run: RunId) -> Option<TakenUp> {
        self.runs().remove(&run)
    }

    fn runs(&self) -> MutexGuard<'_, HashMap<RunId, TakenUp>> {
        self.runs.lock().expect("no code panics while it holds this lock")
    }
}

const RUNS_MAX: usize = 256;
const GIVEN_BYTES_MAX: usize = 32 << 10;
