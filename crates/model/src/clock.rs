//! The clock that every decision reads, so that tests and the emulator can drive it.

use std::{
    fmt,
    sync::{Arc, RwLock},
};

use jiff::{SignedDuration, Timestamp};

/// Where "now" comes from. Timeouts of I/O do not use it: they stay real.
pub trait Clock: fmt::Debug + Send + Sync {
    /// The wall clock. It may jump: a laptop sleeps, an operator corrects the time.
    fn now(&self) -> Timestamp;
}

/// The machine's own wall clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// A clock that moves only when it is told to. Clones share one time.
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<RwLock<Timestamp>>);

impl ManualClock {
    /// Starts at `now` and stays there.
    pub fn new(now: Timestamp) -> Self {
        Self(Arc::new(RwLock::new(now)))
    }

    /// Moves by `by`; a negative duration moves back, as a corrected wall clock does.
    pub fn advance(&self, by: SignedDuration) {
        let mut now = self.0.write().expect("no code panics while it holds this lock");
        *now = now.saturating_add(by).expect("a signed duration is never a calendar span");
    }

    /// Jumps to `now`.
    pub fn set(&self, now: Timestamp) {
        *self.0.write().expect("no code panics while it holds this lock") = now;
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.0.read().expect("no code panics while it holds this lock")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_of_a_manual_clock_share_one_time() {
        let clock = ManualClock::new(Timestamp::UNIX_EPOCH);
        let other = clock.clone();
        clock.advance(SignedDuration::from_secs(90));
        assert_eq!(other.now(), Timestamp::from_second(90).unwrap());
        other.set(Timestamp::from_second(5).unwrap());
        assert_eq!(clock.now(), Timestamp::from_second(5).unwrap());
    }
}
