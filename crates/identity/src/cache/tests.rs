//! The promises of the cache, with a clock that is set and a request that is counted.

use std::sync::atomic::{AtomicU32, Ordering};

use jiff::SignedDuration;
use sortie_model::{ManualClock, Secret};
use tokio::sync::Semaphore;

use super::*;
use crate::error::{Details, TokenErrorCause};

/// Stands for Entra: counts requests, answers when let, fails when told.
#[derive(Clone)]
struct Entra {
    clock: ManualClock,
    requests: Arc<AtomicU32>,
    gate: Arc<Semaphore>,
    failing: Arc<Mutex<Option<TokenError>>>,
}

impl Entra {
    fn new() -> Self {
        let clock = ManualClock::new(Timestamp::from_second(1_800_000_000).unwrap());
        let gate = Arc::new(Semaphore::new(Semaphore::MAX_PERMITS));
        Self { clock, requests: Arc::default(), gate, failing: Arc::default() }
    }

    /// Holds answers back from now on.
    fn held(self) -> Self {
        self.gate.forget_permits(Semaphore::MAX_PERMITS);
        self
    }

    fn fail(&self, cause: Option<TokenErrorCause>) {
        *self.failing.lock().unwrap() = cause.map(|cause| Details::of(cause).into_error());
    }

    fn requests(&self) -> u32 {
        self.requests.load(Ordering::SeqCst)
    }

    async fn ask(&self, slot: &Arc<Slot>) -> Result<AccessToken, TokenError> {
        let entra = self.clone();
        slot.token(&self.clock, || entra.answer()).await
    }

    async fn answer(self) -> Result<AccessToken, TokenError> {
        let number = self.requests.fetch_add(1, Ordering::SeqCst) + 1;
        let asked_at = self.clock.now();
        self.gate.acquire().await.unwrap().forget();
        match self.failing.lock().unwrap().clone() {
            Some(error) => Err(error),
            None => Ok(AccessToken::new(Secret::new(format!("token {number}")), asked_at, LIFE, None)),
        }
    }
}

const LIFE: Duration = Duration::from_secs(3600);

fn text(outcome: &Result<AccessToken, TokenError>) -> String {
    match outcome {
        Ok(token) => token.secret().expose().to_owned(),
        Err(error) => format!("{:?}", error.cause),
    }
}

/// Lets background tasks run until nothing is left to do at this instant.
async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

fn seconds(count: i64) -> SignedDuration {
    SignedDuration::from_secs(count)
}

#[tokio::test(start_paused = true)]
async fn many_callers_share_one_request() {
    let (entra, slot) = (Entra::new().held(), Arc::new(Slot::default()));
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let (entra, slot) = (entra.clone(), Arc::clone(&slot));
        callers.spawn(async move { text(&entra.ask(&slot).await) });
    }
    settle().await;
    entra.gate.add_permits(100);
    assert!(callers.join_all().await.iter().all(|token| token == "token 1"));
    assert_eq!(entra.requests(), 1);
}

#[tokio::test(start_paused = true)]
async fn another_key_never_waits() {
    let cache = TokenCache::default();
    let key = |tenant: &str| Key {
        login: "l".into(),
        tenant: tenant.into(),
        client: "c".into(),
        credential: [0; 32],
        v1: false,
        audience: Audience::Xdr,
    };
    let slow = Entra::new().held();
    let (one, other) = (cache.slot(key("one")), cache.slot(key("other")));
    assert!(Arc::ptr_eq(&one, &cache.slot(key("one"))), "one place per key");
    let waiting = tokio::spawn({
        let slow = slow.clone();
        async move { slow.ask(&one).await }
    });
    settle().await;
    assert_eq!(text(&Entra::new().ask(&other).await), "token 1");
    assert!(!waiting.is_finished());
    waiting.abort();
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_while_a_token_lives_and_renewal_runs_once_in_the_background() {
    let (entra, slot) = (Entra::new(), Arc::new(Slot::default()));
    entra.ask(&slot).await.unwrap();
    let entra = entra.held();
    entra.clock.advance(seconds(3400)); // Past the time of renewal, before the end.
    for _ in 0..10 {
        assert_eq!(text(&entra.ask(&slot).await), "token 1");
        settle().await;
    }
    assert_eq!(entra.requests(), 2, "one renewal");
    entra.gate.add_permits(1);
    settle().await;
    assert_eq!(text(&entra.ask(&slot).await), "token 2");
    assert_eq!(entra.requests(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_failed_renewal_leaves_the_old_token_in_service_and_pauses() {
    let (entra, slot) = (Entra::new(), Arc::new(Slot::default()));
    entra.ask(&slot).await.unwrap();
    entra.fail(Some(TokenErrorCause::WrongSecret));
    entra.clock.advance(seconds(3400));
    for _ in 0..10 {
        assert_eq!(text(&entra.ask(&slot).await), "token 1");
        settle().await;
    }
    assert_eq!(entra.requests(), 2, "the pause holds further renewals");
    entra.clock.advance(seconds(6));
    entra.ask(&slot).await.unwrap();
    settle().await;
    assert_eq!(entra.requests(), 3, "after the pause it is tried again");
    entra.clock.advance(seconds(200));
    assert_eq!(text(&entra.ask(&slot).await), "WrongSecret", "an expired token is not served");
}

#[tokio::test(start_paused = true)]
async fn after_a_failure_nobody_asks_again_for_a_growing_while() {
    let (entra, slot) = (Entra::new(), Arc::new(Slot::default()));
    entra.fail(Some(TokenErrorCause::WrongSecret));
    for (pause, requests) in [(5, 1), (10, 2), (20, 3), (40, 4)] {
        for _ in 0..3 {
            assert_eq!(text(&entra.ask(&slot).await), "WrongSecret");
        }
        assert_eq!(entra.requests(), requests);
        entra.clock.advance(seconds(pause - 1));
        entra.ask(&slot).await.unwrap_err();
        assert_eq!(entra.requests(), requests, "still within {pause} s");
        entra.clock.advance(seconds(1));
    }
    entra.fail(None);
    assert_eq!(text(&entra.ask(&slot).await), "token 5");
    entra.fail(Some(TokenErrorCause::WrongSecret));
    entra.clock.advance(seconds(3601));
    entra.ask(&slot).await.unwrap_err();
    entra.clock.advance(seconds(5));
    entra.ask(&slot).await.unwrap_err();
    assert_eq!(entra.requests(), 7, "a success starts the pauses over");
}

#[tokio::test(start_paused = true)]
async fn followers_of_a_failed_flight_do_not_repeat_it() {
    let (entra, slot) = (Entra::new().held(), Arc::new(Slot::default()));
    entra.fail(Some(TokenErrorCause::WrongSecret));
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let (entra, slot) = (entra.clone(), Arc::clone(&slot));
        callers.spawn(async move { text(&entra.ask(&slot).await) });
    }
    settle().await;
    entra.gate.add_permits(100);
    assert!(callers.join_all().await.iter().all(|outcome| outcome == "WrongSecret"));
    assert_eq!(entra.requests(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_longer_pause_is_kept_where_the_service_asks_for_it() {
    let (entra, slot) = (Entra::new(), Arc::new(Slot::default()));
    let asked = Details { retry_after: Some(Duration::from_secs(60)), ..Details::of(TokenErrorCause::Throttled) };
    *entra.failing.lock().unwrap() = Some(asked.into_error());
    entra.ask(&slot).await.unwrap_err();
    entra.clock.advance(seconds(59));
    entra.ask(&slot).await.unwrap_err();
    assert_eq!(entra.requests(), 1);
    entra.clock.advance(seconds(1));
    entra.ask(&slot).await.unwrap_err();
    assert_eq!(entra.requests(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_slept_past_the_end_fetches_anew() {
    let (entra, slot) = (Entra::new(), Arc::new(Slot::default()));
    entra.ask(&slot).await.unwrap();
    entra.clock.advance(seconds(8 * 3600)); // The monotonic clock stood still, as it does in a suspend.
    assert_eq!(text(&entra.ask(&slot).await), "token 2");
}

#[tokio::test(start_paused = true)]
async fn a_wall_clock_that_is_set_back_does_not_prolong_a_token_or_a_pause() {
    let (entra, slot) = (Entra::new(), Arc::new(Slot::default()));
    entra.ask(&slot).await.unwrap();
    entra.clock.advance(seconds(-24 * 3600));
    assert_eq!(text(&entra.ask(&slot).await), "token 1", "it still lives");
    tokio::time::advance(LIFE).await;
    assert_eq!(text(&entra.ask(&slot).await), "token 2", "an hour has passed, whatever the wall clock says");

    entra.fail(Some(TokenErrorCause::WrongSecret));
    tokio::time::advance(LIFE).await;
    entra.ask(&slot).await.unwrap_err();
    entra.clock.advance(seconds(-24 * 3600));
    tokio::time::advance(Duration::from_secs(5)).await;
    entra.ask(&slot).await.unwrap_err();
    assert_eq!(entra.requests(), 4);
}

#[tokio::test(start_paused = true)]
async fn only_the_very_token_that_was_refused_is_dropped() {
    let (entra, slot) = (Entra::new(), Arc::new(Slot::default()));
    let first = entra.ask(&slot).await.unwrap();
    slot.forget(&first);
    assert_eq!(text(&entra.ask(&slot).await), "token 2");
    slot.forget(&first); // A second caller whose call failed with the same old token.
    assert_eq!(text(&entra.ask(&slot).await), "token 2");
    assert_eq!(entra.requests(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_gives_up_does_not_strand_the_others() {
    let (entra, slot) = (Entra::new().held(), Arc::new(Slot::default()));
    let leader = tokio::spawn({
        let (entra, slot) = (entra.clone(), Arc::clone(&slot));
        async move { entra.ask(&slot).await }
    });
    settle().await;
    let follower = tokio::spawn({
        let (entra, slot) = (entra.clone(), Arc::clone(&slot));
        async move { text(&entra.ask(&slot).await) }
    });
    settle().await;
    leader.abort();
    settle().await;
    entra.gate.add_permits(1);
    assert_eq!(follower.await.unwrap(), "token 2");
}
