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

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use bytes::Bytes;
    use http::{HeaderMap, HeaderValue, StatusCode, header};
    use sortie_model::SystemClock;

    use super::*;
    use crate::{Priority, QuotaKey, SendErrorKind, TimeoutPhase, TransportSettings};

    #[derive(Clone, Copy)]
    enum Step {
        Status(u16, Option<&'static str>),
        Refused,
        Reset,
    }

    impl Step {
        fn outcome(self) -> Result<Response, SendError> {
            let failed = |kind| Err(SendError { host: "api.example".into(), kind: Box::new(kind) });
            match self {
                Self::Refused => failed(SendErrorKind::ConnectRefused),
                Self::Reset => failed(SendErrorKind::Reset),
                Self::Status(status, retry_after) => {
                    let mut headers = HeaderMap::new();
                    if let Some(text) = retry_after {
                        headers.insert(header::RETRY_AFTER, HeaderValue::from_static(text));
                    }
                    let (status, url) =
                        (StatusCode::from_u16(status).unwrap(), "https://api.example/".parse().unwrap());
                    Ok(Response { status, headers, body: Bytes::new(), spool: None, url, elapsed: Duration::ZERO })
                }
            }
        }
    }

    fn transport() -> Transport {
        Transport::new(TransportSettings::default()).unwrap()
    }

    /// Attempts made, seconds waited, last status.
    async fn run(effect: Effect, steps: &[Step], policy: &RetryPolicy) -> (u32, u64, Option<u16>) {
        let request = Request::post("https://api.example/".parse().unwrap()).effect(effect);
        let start = Instant::now();
        let made = Mutex::new(0);
        let outcome = transport()
            .repeat(&request, policy, &SystemClock, |attempt| {
                *made.lock().unwrap() = attempt;
                std::future::ready(steps[(attempt as usize - 1).min(steps.len() - 1)].outcome())
            })
            .await;
        let made = *made.lock().unwrap();
        (made, start.elapsed().as_secs(), outcome.ok().map(|answer| answer.status.as_u16()))
    }

    #[tokio::test(start_paused = true)]
    async fn a_429_repeats_for_every_effect_and_as_late_as_asked() {
        for effect in [Effect::Safe, Effect::Overwrite, Effect::Keyed, Effect::Probed, Effect::Unsafe] {
            let steps = [Step::Status(429, Some("12")), Step::Status(200, None)];
            assert_eq!(run(effect, &steps, &RetryPolicy::default()).await, (2, 12, Some(200)), "{effect:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_unknown_fate_repeats_only_where_a_repeat_does_no_harm() {
        for step in [Step::Status(503, Some("1")), Step::Reset] {
            for (effect, made) in [
                (Effect::Safe, 2),
                (Effect::Overwrite, 2),
                (Effect::Keyed, 2),
                (Effect::Probed, 1),
                (Effect::Unsafe, 1),
            ] {
                let steps = [step, Step::Status(200, None)];
                assert_eq!(run(effect, &steps, &RetryPolicy::default()).await.0, made, "{effect:?}");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_never_sent_repeats_for_all() {
        let steps = [Step::Refused, Step::Status(200, None)];
        assert_eq!(run(Effect::Unsafe, &steps, &RetryPolicy::default()).await.0, 2);
    }

    #[tokio::test(start_paused = true)]
    async fn attempts_and_patience_are_bounded() {
        let (made, waited, status) = run(Effect::Safe, &[Step::Status(503, None)], &RetryPolicy::default()).await;
        assert_eq!((made, status), (5, Some(503)));
        assert!(waited <= 8, "{waited}");
        let asked_too_much = [Step::Status(429, Some("301"))];
        assert_eq!(run(Effect::Safe, &asked_too_much, &RetryPolicy::default()).await, (1, 0, Some(429)));
        assert_eq!(run(Effect::Safe, &[Step::Refused], &RetryPolicy::once()).await, (1, 0, None));
    }

    #[tokio::test(start_paused = true)]
    async fn where_only_asked_repeats_are_wanted_a_bare_failure_stands() {
        let policy = RetryPolicy { repeat_unasked: false, ..RetryPolicy::default() };
        assert_eq!(run(Effect::Safe, &[Step::Status(503, None)], &policy).await.0, 1);
        assert_eq!(run(Effect::Safe, &[Step::Status(503, Some("0")), Step::Status(200, None)], &policy).await.0, 2);
    }

    #[tokio::test(start_paused = true)]
    async fn refusals_and_hopeless_failures_stand() {
        for status in [400, 401, 403, 404, 409, 501] {
            assert_eq!(
                run(Effect::Safe, &[Step::Status(status, None)], &RetryPolicy::default()).await.0,
                1,
                "{status}"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_429_holds_the_family_for_others_and_the_observer_hears_of_each_wait() {
        let waits = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&waits);
        let transport =
            transport().on_wait(move |wait| seen.lock().unwrap().push((wait.reason, wait.duration.as_secs())));
        let key = QuotaKey { tenant: "t".into(), application: "a".into(), family: "incidents".into() };
        let request =
            Request::get("https://api.example/".parse().unwrap()).quota(key.clone()).priority(Priority::BackFill);
        let policy = RetryPolicy { attempts_max: 1, ..RetryPolicy::default() };
        let throttled = |_| std::future::ready(Step::Status(429, Some("7")).outcome());
        transport.repeat(&request, &policy, &SystemClock, throttled).await.unwrap();
        let start = Instant::now();
        let fine = |_| std::future::ready(Step::Status(200, None).outcome());
        transport.repeat(&request, &policy, &SystemClock, fine).await.unwrap();
        assert_eq!(start.elapsed().as_secs(), 7);
        assert_eq!(*waits.lock().unwrap(), [(WaitReason::Quota, 7)]);

        transport.gate().block(&key, Duration::from_secs(900));
        let error = transport.repeat(&request, &policy, &SystemClock, fine).await.unwrap_err();
        assert!(matches!(*error.kind, SendErrorKind::QuotaExhausted { .. }), "{error:?}");
        assert_eq!(error.delivery(), Delivery::NotSent);
    }

    #[test]
    fn only_a_timeout_while_connecting_is_surely_not_sent() {
        for (phase, delivery) in [
            (TimeoutPhase::Connect, Delivery::NotSent),
            (TimeoutPhase::FirstByte, Delivery::Unknown),
            (TimeoutPhase::Total, Delivery::Unknown),
        ] {
            let kind = SendErrorKind::Timeout { phase, after: Duration::ZERO };
            assert_eq!(SendError { host: String::new(), kind: Box::new(kind) }.delivery(), delivery);
        }
        let of = |status| Delivery::of_status(StatusCode::from_u16(status).unwrap());
        assert_eq!(of(204), None);
        assert_eq!(
            [of(429), of(408), of(503)],
            [Some(Delivery::Refused), Some(Delivery::Unknown), Some(Delivery::Unknown)]
        );
    }
}
