//! Pauses between tries: doubling, bounded, and shaken by the run's seed, so that many runs do not come back at once and a
//! replay of one has the same.

use std::time::Duration;

use super::Address;
use crate::document::Retry;

/// The pause after this try; the service's own wish is the least.
pub(super) fn pause(retry: &Retry, attempt: u32, wish: Option<Duration>, seed: u64, at: &Address) -> Duration {
    let doubled = 1_u32.checked_shl(attempt.saturating_sub(1)).unwrap_or(u32::MAX);
    let full = retry.first.saturating_mul(doubled).min(retry.max);
    // Between three quarters and all of it.
    let shaken = full.mul_f64(0.75 + 0.25 * fraction(seed, attempt, at));
    shaken.max(wish.unwrap_or_default())
}

/// A number from 0 to 1 that these decide (SplitMix64).
fn fraction(seed: u64, attempt: u32, at: &Address) -> f64 {
    let mut state = seed ^ u64::from(attempt);
    let parts =
        at.places().iter().flat_map(|place| [u64::from(place.step), place.item.map_or(0, |item| u64::from(item) + 1)]);
    for part in parts {
        state = mixed(state ^ part);
    }
    let bits = u32::try_from(mixed(state) >> 32).expect("32 bits are left");
    f64::from(bits) / f64::from(u32::MAX)
}

fn mixed(state: u64) -> u64 {
    let state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_are_bounded_and_the_same_again() {
        let retry = Retry { attempts: 9, first: Duration::from_secs(2), max: Duration::from_secs(60) };
        let pause = |attempt, seed| pause(&retry, attempt, None, seed, &Address::top(3)).as_secs_f64();
        for (attempt, full) in [(1, 2.0), (2, 4.0), (3, 8.0), (5, 32.0), (6, 60.0), (40, 60.0), (99, 60.0)] {
            let found = pause(attempt, 7);
            assert!(found >= full * 0.75 && found <= full, "{attempt}: {found}");
            assert_eq!(found.to_bits(), pause(attempt, 7).to_bits());
        }
        let spread: std::collections::BTreeSet<u64> = (0..100).map(|seed| pause(1, seed).to_bits()).collect();
        assert!(spread.len() > 95, "{}", spread.len());
        let wish = super::pause(&retry, 1, Some(Duration::from_secs(90)), 7, &Address::top(3));
        assert_eq!(wish, Duration::from_secs(90));
    }
}
