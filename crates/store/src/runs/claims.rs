//! Who has which run, as this process has last written it: all writes to the file are its own, so that nothing is newer.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard},
};

use super::RunId;

/// The epochs of runs that were taken further.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    epochs: Mutex<HashMap<RunId, i64>>,
}

impl Claims {
    /// Of a commit that is about to be made. Where it is rolled back, whoever has the run looks into the file.
    pub(crate) fn take(&self, run: RunId, epoch: i64) {
        self.epochs().insert(run, epoch);
    }

    /// The run has ended.
    pub(crate) fn let_go(&self, run: RunId) {
        self.epochs().remove(&run);
    }

    /// Whether nobody has taken it since this epoch, for certain.
    pub(crate) fn has(&self, run: RunId, epoch: i64) -> bool {
        self.epochs().get(&run) == Some(&epoch)
    }

    fn epochs(&self) -> MutexGuard<'_, HashMap<RunId, i64>> {
        self.epochs.lock().expect("no code panics while it holds this lock")
    }
}
