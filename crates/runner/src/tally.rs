//! What the process has done since it started, for whoever watches it.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Counted while it happens.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    commits: AtomicU64,
    ended: AtomicU64,
    calls_begun: AtomicU64,
    calls_answered: AtomicU64,
    calls_failed: AtomicU64,
    calls_dropped: AtomicU64,
}

/// As it is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figures {
    /// Runs at work.
    pub active: usize,
    /// Runs that could go on and have no room.
    pub ready: usize,
    /// Runs that wait for time.
    pub waiting: usize,
    /// Commits of runs since the start.
    pub commits: u64,
    /// Runs that have ended since.
    pub ended: u64,
    /// Calls of steps that were answered since.
    pub calls_answered: u64,
    /// Calls that failed since.
    pub calls_failed: u64,
    /// Calls on their way.
    pub calls_open: u64,
}

/// A call on its way. One that is cut off with its run ends as neither.
pub(crate) struct CountedCall<'a> {
    tally: &'a Tally,
    is_told: bool,
}

impl Tally {
    pub(crate) fn committed(&self, has_ended: bool) {
        self.commits.fetch_add(1, Relaxed);
        self.ended.fetch_add(u64::from(has_ended), Relaxed);
    }

    pub(crate) fn call(&self) -> CountedCall<'_> {
        self.calls_begun.fetch_add(1, Relaxed);
        CountedCall { tally: self, is_told: false }
    }

    pub(crate) fn figures(&self, active: usize, ready: usize, waiting: usize) -> Figures {
        // Ends before beginnings: a call that ends in between is not counted as less than none.
        let (answered, failed) = (self.calls_answered.load(Relaxed), self.calls_failed.load(Relaxed));
        let over = answered + failed + self.calls_dropped.load(Relaxed);
        Figures {
            active,
            ready,
            waiting,
            commits: self.commits.load(Relaxed),
            ended: self.ended.load(Relaxed),
            calls_answered: answered,
            calls_failed: failed,
            calls_open: self.calls_begun.load(Relaxed).saturating_sub(over),
        }
    }
}

impl CountedCall<'_> {
    pub(crate) fn ended(mut self, well: bool) {
        let count = if well { &self.tally.calls_answered } else { &self.tally.calls_failed };
        count.fetch_add(1, Relaxed);
        self.is_told = true;
    }
}

impl Drop for CountedCall<'_> {
    fn drop(&mut self) {
        if !self.is_told {
            self.tally.calls_dropped.fetch_add(1, Relaxed);
        }
    }
}
