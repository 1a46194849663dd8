//! Tokens by (login host, tenant, client, credential, audience), with the promises that make sharing one safe.
//!
//! A living token is returned at once, also while its renewal runs. One request flies per key; other keys never wait for it.
//! A failed renewal leaves the old token in service while it lives. After a failure nobody asks again for a while.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use jiff::Timestamp;
use sortie_model::Clock;
use tokio::time::Instant;

use crate::{
    audience::Audience,
    error::TokenError,
    token::{AccessToken, TokenState},
};

/// Shared by all sources that are given the same one. Clones are the same cache.
#[derive(Clone, Debug, Default)]
pub struct TokenCache(Arc<Mutex<HashMap<Key, Arc<Slot>>>>);

/// What makes two tokens interchangeable.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) login: String,
    pub(crate) tenant: String,
    pub(crate) client: String,
    pub(crate) credential: [u8; 32],
    pub(crate) v1: bool,
    pub(crate) audience: Audience,
}

impl TokenCache {
    pub(crate) fn slot(&self, key: Key) -> Arc<Slot> {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(slots.entry(key).or_default())
    }
}

/// The place of one key.
#[derive(Debug, Default)]
pub(crate) struct Slot {
    current: RwLock<Option<AccessToken>>,
    failure: Mutex<Option<Failure>>,
    flight: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Debug)]
struct Failure {
    error: TokenError,
    in_a_row: u32,
    at: Timestamp,
    at_instant: Instant,
    pause: Duration,
}

impl Slot {
    /// The token if it is fresh: the path that has to be fast.
    pub(crate) fn fresh(&self, now: Timestamp) -> Option<AccessToken> {
        self.living(now).and_then(|(token, state)| (state == TokenState::Fresh).then_some(token))
    }

    /// A living token at once (its renewal, where due, starts in the background), else one request for all who wait.
    ///
    /// # Errors
    /// Of the request; during the pause after a failure, that failure again.
    ///
    /// # Cancellation
    /// Dropping the future gives the flight up; the next who waits makes the request.
    pub(crate) async fn token<F>(
        self: &Arc<Self>,
        clock: &dyn Clock,
        fetch: impl FnOnce() -> F,
    ) -> Result<AccessToken, TokenError>
    where
        F: Future<Output = Result<AccessToken, TokenError>> + Send + 'static,
    {
        if let Some((token, state)) = self.living(clock.now()) {
            if state == TokenState::RenewalDue {
                self.renew(clock.now(), fetch);
            }
            return Ok(token);
        }
        let _flight = self.flight.lock().await; // Single flight, for this key only.
        if let Some((token, _)) = self.living(clock.now()) {
            return Ok(token); // Whoever flew before us has filled it.
        }
        if let Some(error) = self.paused(clock.now()) {
            return Err(error);
        }
        let outcome = fetch().await;
        self.settle(&outcome, clock.now());
        outcome
    }

    /// Drops this very token, if it is still the current one: an API refused it.
    pub(crate) fn forget(&self, token: &AccessToken) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if current.as_ref().is_some_and(|held| held.is_same(token)) {
            *current = None;
        }
    }

    /// Starts at most one renewal, and none during a pause. The task is bounded by the timeouts of its request and is the
    /// only one of its key, for it owns the flight.
    fn renew<F>(self: &Arc<Self>, now: Timestamp, fetch: impl FnOnce() -> F)
    where
        F: Future<Output = Result<AccessToken, TokenError>> + Send + 'static,
    {
        if self.paused(now).is_some() {
            return;
        }
        let Ok(flight) = Arc::clone(&self.flight).try_lock_owned() else { return };
        let (slot, request) = (Arc::clone(self), fetch());
        tokio::spawn(async move {
            let _flight = flight;
            let started = Instant::now();
            let outcome = request.await;
            if let Err(error) = &outcome {
                tracing::warn!(%error, "A token could not be renewed early; the old one stays in service while it lives");
            }
            // The wall clock is not at hand here; it has moved on by as much as the request took.
            let took = jiff::SignedDuration::try_from(started.elapsed()).unwrap_or_default();
            slot.settle(&outcome, now.saturating_add(took).unwrap_or(now));
        });
    }

    fn living(&self, now: Timestamp) -> Option<(AccessToken, TokenState)> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        let token = current.as_ref()?;
        let state = token.state(now);
        (state != TokenState::Expired).then(|| (token.clone(), state))
    }

    fn settle(&self, outcome: &Result<AccessToken, TokenError>, now: Timestamp) {
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        match outcome {
            Ok(token) => {
                *failure = None;
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = Some(token.clone());
            }
            Err(error) => {
                let in_a_row = failure.as_ref().map_or(1, |earlier| earlier.in_a_row.saturating_add(1));
                let pause = pause(error, in_a_row);
                let (error, at_instant) = (error.clone(), Instant::now());
                *failure = Some(Failure { error, in_a_row, at: now, at_instant, pause });
            }
        }
    }

    /// The last failure while its pause lasts. Either clock may end the pause: neither a sleep nor a wall clock that was
    /// set back makes it longer.
    fn paused(&self, now: Timestamp) -> Option<TokenError> {
        let failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        let failure = failure.as_ref()?;
        let wall = Duration::try_from(now.duration_since(failure.at)).unwrap_or(Duration::ZERO);
        let over = wall.max(failure.at_instant.elapsed()) >= failure.pause;
        (!over).then(|| failure.error.clone())
    }
}

/// What the service asked for, else doubling: from 1 s for what may pass, from 5 s for what a person must put right.
fn pause(error: &TokenError, in_a_row: u32) -> Duration {
    let first = if error.may_pass() { Duration::from_secs(1) } else { Duration::from_secs(5) };
    let doubled = first.saturating_mul(1 << (in_a_row - 1).min(10)).min(PAUSE_MAX);
    error.retry_after.map_or(doubled, |asked| asked.min(RETRY_AFTER_MAX).max(doubled))
}

const PAUSE_MAX: Duration = Duration::from_secs(300);
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);

#[cfg(test)]
mod tests;
