//! How many calls each application may make in each tenant: the documented limits, by the cloud's clock.

use std::{
    collections::{HashMap, VecDeque},
    sync::Mutex,
};

use serde::{Deserialize, Serialize};

use crate::world::Ticks;

/// The limit of one route or family of routes.
#[derive(Debug)]
pub(crate) struct Limit {
    pub name: &'static str,
    /// Calls and the window in seconds.
    pub windows: &'static [(u32, i64)],
}

/// A limit was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exceeded {
    pub limit: u32,
    pub window_s: i64,
    /// Until the next call is taken.
    pub wait: Ticks,
}

/// Sliding windows of calls, per limit, tenant and application.
#[derive(Debug)]
pub(crate) struct Throttle(Mutex<State>);

/// How strict the limits are.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case", tag = "mode")]
pub(crate) enum Strictness {
    Off,
    /// The documented numbers times `factor`.
    On {
        #[serde(default = "one")]
        factor: f64,
    },
}

#[derive(Debug)]
struct State {
    strictness: Strictness,
    calls: HashMap<(&'static str, String, String), VecDeque<Ticks>>,
}

impl Default for Throttle {
    fn default() -> Self {
        Self(Mutex::new(State { strictness: Strictness::On { factor: 1.0 }, calls: HashMap::new() }))
    }
}

impl Throttle {
    /// Counts a call, or says how long to wait. Refused calls don't count.
    pub(crate) fn take(&self, limit: &Limit, tenant: &str, app_id: &str, now: Ticks) -> Result<(), Exceeded> {
        let mut state = self.0.lock().expect("no code panics while it holds this lock");
        let Strictness::On { factor } = state.strictness else { return Ok(()) };
        if state.calls.len() > CALLER_COUNT_MAX {
            state.calls.clear();
        }
        let key = (limit.name, tenant.to_owned(), app_id.to_owned());
        let calls = state.calls.entry(key).or_default();
        let longest = limit.windows.iter().map(|(_, window_s)| *window_s).max().unwrap_or(0);
        // Also those that lie in the future because the clock was set back.
        calls.retain(|at| *at <= now && now < at.plus_s(longest));
        for (count, window_s) in limit.windows {
            let allowed = scaled(*count, factor);
            let recent = calls.iter().filter(|at| now < at.plus_s(*window_s)).count();
            if recent >= allowed as usize {
                // The call that has to leave the window before another one fits.
                let oldest = calls.get(calls.len() - allowed as usize).copied().unwrap_or(now);
                let wait = Ticks(oldest.plus_s(*window_s).0 - now.0);
                return Err(Exceeded { limit: allowed, window_s: *window_s, wait });
            }
        }
        calls.push_back(now);
        Ok(())
    }

    pub(crate) fn strictness(&self) -> Strictness {
        self.0.lock().expect("no code panics while it holds this lock").strictness
    }

    /// Sets the strictness and forgets all calls so far.
    pub(crate) fn set(&self, strictness: Strictness) {
        *self.0.lock().expect("no code panics while it holds this lock") = State { strictness, calls: HashMap::new() };
    }
}

impl Exceeded {
    /// Seconds with a fraction, as Graph writes them: `2.128`.
    pub(crate) fn wait_fraction(&self) -> String {
        let ms = (self.wait.0.max(0) + 9_999) / 10_000;
        format!("{}.{:03}", ms / 1_000, ms % 1_000)
    }

    /// Whole seconds, rounded up.
    pub(crate) fn wait_s(&self) -> i64 {
        (self.wait.0.max(0) + 9_999_999) / 10_000_000
    }

    /// The known text of the Defender APIs: `maximum allowed 45 per 00:01:00`.
    pub(crate) fn quota_text(&self) -> String {
        let (hours, minutes, seconds) = (self.window_s / 3_600, self.window_s / 60 % 60, self.window_s % 60);
        format!("API calls quota exceeded! maximum allowed {} per {hours:02}:{minutes:02}:{seconds:02}", self.limit)
    }
}

fn one() -> f64 {
    1.0
}

fn scaled(count: u32, factor: f64) -> u32 {
    let scaled = (f64::from(count) * factor).clamp(1.0, 1_000_000.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 1..=1,000,000")]
    let whole = scaled as u32;
    whole
}

/// Beyond this many callers all windows start anew.
const CALLER_COUNT_MAX: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Limit = Limit { name: "test", windows: &[(3, 60), (5, 3_600)] };

    fn at(second: i64) -> Ticks {
        Ticks(0).plus_s(second)
    }

    #[test]
    fn the_window_slides_and_callers_are_apart() {
        let throttle = Throttle::default();
        for second in [0, 10, 20] {
            assert_eq!(throttle.take(&LIMIT, "t", "a", at(second)), Ok(()));
        }
        let refused = throttle.take(&LIMIT, "t", "a", at(30)).unwrap_err();
        assert_eq!(refused, Exceeded { limit: 3, window_s: 60, wait: Ticks(0).plus_s(30) });
        assert_eq!((refused.wait_fraction().as_str(), refused.wait_s()), ("30.000", 30));
        assert_eq!(refused.quota_text(), "API calls quota exceeded! maximum allowed 3 per 00:01:00");
        assert_eq!(throttle.take(&LIMIT, "t", "b", at(30)), Ok(()));
        assert_eq!(throttle.take(&LIMIT, "u", "a", at(30)), Ok(()));
        assert_eq!(throttle.take(&LIMIT, "t", "a", at(60)), Ok(()));
        assert_eq!(throttle.take(&LIMIT, "t", "a", at(90)), Ok(()));
        let hourly = throttle.take(&LIMIT, "t", "a", at(200)).unwrap_err();
        assert_eq!((hourly.limit, hourly.window_s, hourly.wait_s()), (5, 3_600, 3_400));
    }

    #[test]
    fn it_can_be_scaled_and_switched_off() {
        let throttle = Throttle::default();
        throttle.set(Strictness::On { factor: 0.4 });
        assert_eq!(throttle.take(&LIMIT, "t", "a", at(0)), Ok(()));
        assert!(throttle.take(&LIMIT, "t", "a", at(0)).is_err());
        throttle.set(Strictness::Off);
        for _ in 0..100 {
            assert_eq!(throttle.take(&LIMIT, "t", "a", at(0)), Ok(()));
        }
    }

    #[test]
    fn a_clock_set_back_blocks_nobody() {
        let throttle = Throttle::default();
        for _ in 0..3 {
            assert_eq!(throttle.take(&LIMIT, "t", "a", at(1_000_000)), Ok(()));
        }
        assert_eq!(throttle.take(&LIMIT, "t", "a", at(0)), Ok(()));
    }
}
