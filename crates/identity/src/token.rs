//! An access token as it is handed around: shared, bounded in time, unprintable.

use std::{fmt, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use sortie_model::Secret;
use tokio::time::Instant;

/// A token that Entra gave. Clones share it.
#[derive(Clone)]
pub struct AccessToken(Arc<Inner>);

struct Inner {
    secret: Secret,
    acquired_at: Timestamp,
    acquired: Instant,
    lifetime: Duration,
    renew_after: Duration,
}

impl AccessToken {
    /// `lifetime` counts from `now`; `refresh_in` is the service's own wish for an early renewal.
    pub(crate) fn new(secret: Secret, now: Timestamp, lifetime: Duration, refresh_in: Option<Duration>) -> Self {
        let lifetime = lifetime.min(LIFETIME_MAX);
        let renew_after = renewal(lifetime, refresh_in);
        Self(Arc::new(Inner { secret, acquired_at: now, acquired: Instant::now(), lifetime, renew_after }))
    }

    /// The bearer text itself.
    pub fn secret(&self) -> &Secret {
        &self.0.secret
    }

    /// When it ends, by the clock that was read when it was asked for.
    pub fn expires_at(&self) -> Timestamp {
        let lifetime = SignedDuration::try_from(self.0.lifetime).unwrap_or(SignedDuration::ZERO);
        self.0.acquired_at.saturating_add(lifetime).unwrap_or(Timestamp::MAX)
    }

    /// When it was asked for.
    pub fn acquired_at(&self) -> Timestamp {
        self.0.acquired_at
    }

    /// Whether both are the very same token, not merely equal ones.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// How old it is. The wall clock sees a machine's sleep, the monotonic one a wall clock that was set back; the larger
    /// age is the safe one.
    fn age(&self, now: Timestamp) -> Duration {
        let wall = Duration::try_from(now.duration_since(self.0.acquired_at)).unwrap_or(Duration::ZERO);
        wall.max(self.0.acquired.elapsed())
    }

    pub(crate) fn state(&self, now: Timestamp) -> TokenState {
        let age = self.age(now);
        match () {
            () if age >= self.0.lifetime => TokenState::Expired,
            () if age >= self.0.renew_after => TokenState::RenewalDue,
            () => TokenState::Fresh,
        }
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessToken").field("expires_at", &self.expires_at()).finish_non_exhaustive()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenState {
    Fresh,
    RenewalDue,
    Expired,
}

/// Five minutes before the end, a fifth of the life for short tokens, sooner where the service asks for it; a little
/// earlier by chance, so that many processes do not renew in the same second.
fn renewal(lifetime: Duration, refresh_in: Option<Duration>) -> Duration {
    let margin = (lifetime / 5).min(RENEWAL_MARGIN);
    let latest = lifetime - margin;
    let wished = refresh_in.filter(|wish| !wish.is_zero()).map_or(latest, |wish| wish.min(latest));
    let random = uuid::Uuid::new_v4().as_u128() as u8;
    wished - (margin / 5).min(wished).mul_f64(f64::from(random) / 255.0)
}

const RENEWAL_MARGIN: Duration = Duration::from_secs(300);
/// No token lives longer (28 h is the longest that Entra documents); a larger number is a broken answer.
const LIFETIME_MAX: Duration = Duration::from_secs(7 * 24 * 3600);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renewal_is_early_but_not_too_early() {
        let seconds = Duration::from_secs;
        for _ in 0..100 {
            let usual = renewal(seconds(3600), None);
            assert!((seconds(3240)..=seconds(3300)).contains(&usual), "{usual:?}");
            let short = renewal(seconds(60), None);
            assert!(short >= seconds(45) && short <= seconds(48), "{short:?}");
            let wished = renewal(seconds(86_400), Some(seconds(43_200)));
            assert!(wished >= seconds(43_100) && wished <= seconds(43_200), "{wished:?}");
            assert!(renewal(seconds(3600), Some(seconds(9999))) <= seconds(3300));
            assert_eq!(renewal(Duration::ZERO, None), Duration::ZERO);
        }
    }

    #[test]
    fn debug_shows_no_token() {
        let token = AccessToken::new(Secret::new("hunter2"), Timestamp::UNIX_EPOCH, Duration::from_secs(60), None);
        assert!(!format!("{token:?}").contains("hunter2"));
    }
}
