//! The cloud's own clock: real, faster than real, or moved by hand.

use std::{sync::Mutex, time::Instant};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// How the simulated time passes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "mode")]
pub enum ClockMode {
    /// As fast as the machine's own clock.
    Real,
    /// `factor` simulated seconds pass in one second.
    Fast {
        /// Simulated seconds per real second, 1 to 100,000.
        factor: u32,
    },
    /// Only the admin API moves it.
    Manual,
}

/// The clock that every answer of the emulator reads.
#[derive(Debug)]
pub(crate) struct CloudClock(Mutex<Anchor>);

#[derive(Clone, Copy, Debug)]
struct Anchor {
    mode: ClockMode,
    simulated: Timestamp,
    real: Instant,
}

impl CloudClock {
    pub(crate) fn new(mode: ClockMode, start: Timestamp) -> Self {
        Self(Mutex::new(Anchor { mode, simulated: start, real: Instant::now() }))
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.0.lock().expect("no code panics while it holds this lock").now()
    }

    pub(crate) fn mode(&self) -> ClockMode {
        self.0.lock().expect("no code panics while it holds this lock").mode
    }

    /// Changes how time passes from here on; the simulated time itself does not jump.
    pub(crate) fn set_mode(&self, mode: ClockMode) {
        let mut anchor = self.0.lock().expect("no code panics while it holds this lock");
        *anchor = Anchor { mode, simulated: anchor.now(), real: Instant::now() };
    }

    /// Jumps to `now`, forwards or back.
    pub(crate) fn set(&self, now: Timestamp) {
        let mut anchor = self.0.lock().expect("no code panics while it holds this lock");
        *anchor = Anchor { mode: anchor.mode, simulated: now, real: Instant::now() };
    }
}

impl Anchor {
    fn now(&self) -> Timestamp {
        let elapsed = SignedDuration::try_from(self.real.elapsed()).unwrap_or(SignedDuration::MAX);
        let passed = match self.mode {
            ClockMode::Real => elapsed,
            ClockMode::Fast { factor } => elapsed.saturating_mul(i32::try_from(factor).unwrap_or(i32::MAX)),
            ClockMode::Manual => SignedDuration::ZERO,
        };
        self.simulated.saturating_add(passed).expect("a signed duration is never a calendar span")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_stands_still_until_it_is_moved() {
        let clock = CloudClock::new(ClockMode::Manual, Timestamp::UNIX_EPOCH);
        assert_eq!(clock.now(), Timestamp::UNIX_EPOCH);
        clock.set(Timestamp::from_second(7).unwrap());
        assert_eq!(clock.now(), Timestamp::from_second(7).unwrap());
    }

    #[test]
    fn a_change_of_mode_keeps_the_time() {
        let clock = CloudClock::new(ClockMode::Manual, Timestamp::from_second(1_000).unwrap());
        clock.set_mode(ClockMode::Fast { factor: 1_000 });
        assert!(clock.now() >= Timestamp::from_second(1_000).unwrap());
        assert_eq!(clock.mode(), ClockMode::Fast { factor: 1_000 });
    }
}
