//! Repeating a call that may be repeated, as long as it may be waited.

use std::time::Duration;

use sortie_model::Clock;
use tokio::time::Instant;

use crate::{
    client::Transport,
    error::{Delivery, SendError, SendErrorKind},
    request::{Effect, Request},
    response::Response,
    retry_after::retry_after,
};

/// How often and how long a call is tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Attempts in all, the first included; at least one is made.
    pub attempts_max: u32,
    /// All waits of the call together.
    pub wait_total_max: Duration,
    /// The first pause where the service names none; doubles each time.
    pub backoff_first: Duration,
    /// The longest pause of our own; what a service asks for is bounded by `wait_total_max` alone.
    pub backoff_max: Duration,
    /// Whether a failing answer that names no time to wait is repeated, too.
    pub repeat_unasked: bool,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts_max: 5,
            wait_total_max: Duration::from_secs(300),
            backoff_first: Duration::from_millis(500),
            backoff_max: Duration::from_secs(30),
            repeat_unasked: true,
        }
    }
}

impl RetryPolicy {
    /// One attempt; waits for the quota gate not at all.
    pub fn once() -> Self {
        Self { attempts_max: 1, wait_total_max: Duration::ZERO, ..Self::default() }
    }
}

/// A wait that is about to begin.
#[derive(Clone, Debug)]
pub struct Wait {
    /// Whom the call goes to.
    pub host: String,
    /// How long.
    pub duration: Duration,
    /// Why.
    pub reason: WaitReason,
    /// The attempt that failed; 0 when none was made yet.
    pub attempt: u32,
}

/// Why a call waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitReason {
    /// Our own budget for this API family is used up, or an earlier 429 holds it.
    Quota,
    /// The service asked for it.
    ServiceAsked {
        /// Its status.
        status: u16,
    },
    /// The service failed and named no time.
    ServiceFailed {
        /// Its status.
        status: u16,
    },
    /// No answer arrived.
    NoAnswer,
}

impl Transport {
    /// Makes the call: waits for its quota, repeats what is safe to repeat, heeds `Retry-After`.
    ///
    /// A 429 repeats for every effect, for the service did nothing. So does what was never sent. An unknown fate repeats
    /// only for [`Effect::Safe`], [`Effect::Overwrite`] and [`Effect::Keyed`]. When attempts or patience run out, the last
    /// answer or error is handed on as it came.
    ///
    /// # Errors
    /// [`SendError`] of the last attempt; [`SendErrorKind::QuotaExhausted`] when the gate stays shut beyond the policy.
    ///
    /// # Cancellation
    /// As [`Transport::send`].
    pub async fn call(&self, request: Request, policy: &RetryPolicy, clock: &dyn Clock) -> Result<Response, SendError> {
        self.repeat(&request, policy, clock, |attempt| self.attempt(&request, attempt)).await
    }

    async fn repeat<F: Future<Output = Result<Response, SendError>>>(
        &self,
        request: &Request,
        policy: &RetryPolicy,
        clock: &dyn Clock,
        mut attempt: impl FnMut(u32) -> F,
    ) -> Result<Response, SendError> {
        let deadline = Instant::now() + policy.wait_total_max;
        let mut made = 0;
        loop {
            self.enter(request, deadline, made).await?;
            made += 1;
            let outcome = attempt(made).await;
            let Some((wait, reason)) = self.verdict(request, &outcome, made, policy, clock) else { return outcome };
            let wait_left = deadline.saturating_duration_since(Instant::now());
            if made >= policy.attempts_max || wait > wait_left {
                return outcome;
            }
            self.tell(request, wait, reason, made);
            tokio::time::sleep(wait).await;
        }
    }

    async fn enter(&self, request: &Request, deadline: Instant, attempt: u32) -> Result<(), SendError> {
        let Some(key) = &request.quota else { return Ok(()) };
        let patience = deadline.saturating_duration_since(Instant::now());
        let tell = |wait| self.tell(request, wait, WaitReason::Quota, attempt);
        self.gate.enter(key, request.priority, patience, tell).await.map_err(|wait| SendError {
            host: request.url.host_str().unwrap_or_default().to_owned(),
            kind: Box::new(SendErrorKind::QuotaExhausted { wait }),
        })
    }

    /// How long to wait before a repeat, or `None` when the outcome stands. Shuts the gate on a 429.
    fn verdict(
        &self,
        request: &Request,
        outcome: &Result<Response, SendError>,
        attempt: u32,
        policy: &RetryPolicy,
        clock: &dyn Clock,
    ) -> Option<(Duration, WaitReason)> {
        let backoff = || backoff(policy, attempt);
        let answer = match outcome {
            Err(error) => {
                let repeat = error.may_pass() && may_repeat(request.effect, error.delivery());
                return repeat.then(|| (backoff(), WaitReason::NoAnswer));
            }
            Ok(answer) => answer,
        };
        let status = answer.status.as_u16();
        let passing = matches!(status, 408 | 429 | 500 | 502..=504);
        if !passing || !may_repeat(request.effect, Delivery::of_status(answer.status)?) {
            return None;
        }
        let asked = retry_after(&answer.headers, &answer.body, clock.now(), ASKED_WAIT_MAX);
        let wait = match asked {
            Some(wait) => wait + jitter(Duration::from_millis(250)),
            None => backoff(),
        };
        if status == 429
            && let Some(key) = &request.quota
        {
            self.gate.block(key, wait);
        }
        if asked.is_none() && !policy.repeat_unasked {
            return None;
        }
        let reason = match asked {
            Some(_) => WaitReason::ServiceAsked { status },
            None => WaitReason::ServiceFailed { status },
        };
        Some((wait, reason))
    }

    fn tell(&self, request: &Request, duration: Duration, reason: WaitReason, attempt: u32) {
        let host = request.url.host_str().unwrap_or_default();
        let ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        tracing::info!(http.host = host, ms, attempt, ?reason, "Waiting {ms} ms before calling {host} again");
        if let Some(observer) = &self.observer {
            observer(&Wait { host: host.to_owned(), duration, reason, attempt });
        }
    }
}

fn may_repeat(effect: Effect, delivery: Delivery) -> bool {
    match delivery {
        Delivery::NotSent | Delivery::Refused => true,
        Delivery::Unknown => matches!(effect, Effect::Safe | Effect::Overwrite | Effect::Keyed),
    }
}

/// Half of it fixed, half random, so that those who failed together do not come back together.
fn backoff(policy: &RetryPolicy, attempt: u32) -> Duration {
    let doubled = policy.backoff_first.saturating_mul(1 << attempt.saturating_sub(1).min(16));
    let half = doubled.min(policy.backoff_max) / 2;
    half + jitter(half)
}

fn jitter(most: Duration) -> Duration {
    // A version 4 UUID is the random number at hand; the quality does not matter here.
    let random = uuid::Uuid::new_v4().as_u128() as u32;
    most.mul_f64(f64::from(random) / f64::from(u32::MAX))
}

/// A service that asks for more than this is not waited for in any case; the cap only keeps the arithmetic sane.
const ASKED_WAIT_MAX: Duration = Duration::from_secs(24 * 3600);
