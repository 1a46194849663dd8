//! One budget per (tenant, application, API family), shared by everything that calls Microsoft.

use std::{
    borrow::Cow,
    collections::{BTreeSet, HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

use crate::request::Priority;

/// Who spends from which budget.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct QuotaKey {
    /// The tenant as the token names it.
    pub tenant: String,
    /// The client id.
    pub application: String,
    /// The API family that the service counts together, such as `xdr-incidents`.
    pub family: Cow<'static, str>,
}

/// At most `count` calls in any `per`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuotaWindow {
    /// Calls.
    pub count: u32,
    /// Length of the window.
    pub per: Duration,
}

/// The shared gate. Clones are the same gate. It measures time by the monotonic clock: the remote's windows go on while a
/// wall clock is corrected.
#[derive(Clone, Debug, Default)]
pub struct QuotaGate(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    windows: HashMap<Cow<'static, str>, Vec<QuotaWindow>>,
    budgets: HashMap<QuotaKey, Budget>,
    next_ticket: u64,
}

#[derive(Debug, Default)]
struct Budget {
    /// Starts of recent calls, oldest first; no longer than the largest window's count.
    spent: VecDeque<Instant>,
    blocked_until: Option<Instant>,
    waiting: BTreeSet<(Priority, u64)>,
    changed: Arc<Notify>,
}

impl QuotaGate {
    /// Sets what the service documents for a family. Families without windows are limited by its 429 alone.
    pub fn set_windows(&self, family: impl Into<Cow<'static, str>>, windows: Vec<QuotaWindow>) {
        self.lock().windows.insert(family.into(), windows);
    }

    /// Keeps the family shut for `wait`, as a 429 asks. A shorter wait never shortens a longer one.
    pub fn block(&self, key: &QuotaKey, wait: Duration) {
        let mut state = self.lock();
        let budget = state.budgets.entry(key.clone()).or_default();
        let until = Instant::now() + wait;
        budget.blocked_until = Some(budget.blocked_until.map_or(until, |earlier| earlier.max(until)));
        budget.changed.notify_waiters();
    }

    /// How long the next call of this family would have to wait now.
    pub fn wait_needed(&self, key: &QuotaKey) -> Duration {
        let mut state = self.lock();
        let State { windows, budgets, .. } = &mut *state;
        let windows = windows.get(&key.family).map_or(&[][..], Vec::as_slice);
        budgets.get_mut(key).map_or(Duration::ZERO, |budget| budget.wait_needed(windows, Instant::now()))
    }

    /// Waits for a turn and takes it. Before each wait `tell` hears how long; `Err` is the wait that would pass `wait_max`.
    ///
    /// # Cancellation
    /// Dropping the future gives the place in the queue back.
    pub(crate) async fn enter(
        &self,
        key: &QuotaKey,
        priority: Priority,
        wait_max: Duration,
        mut tell: impl FnMut(Duration),
    ) -> Result<(), Duration> {
        let deadline = Instant::now() + wait_max;
        let ticket = Ticket::draw(self, key, priority);
        let mut told = false;
        loop {
            let changed = ticket.changed.clone();
            let notified = changed.notified();
            tokio::pin!(notified);
            notified.as_mut().enable();
            match ticket.try_take() {
                Turn::Taken => return Ok(()),
                Turn::After(wait) if Instant::now() + wait > deadline => return Err(wait),
                Turn::After(wait) => {
                    if !told {
                        told = true;
                        tell(wait);
                    }
                    tokio::select! { () = tokio::time::sleep(wait) => {}, () = notified => {} }
                }
                Turn::Behind => {
                    tokio::select! {
                        () = tokio::time::sleep_until(deadline) => return Err(self.wait_needed(key)),
                        () = notified => {}
                    }
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no code panics while it holds this lock")
    }
}

enum Turn {
    Taken,
    After(Duration),
    /// Somebody more urgent or earlier waits, too.
    Behind,
}

struct Ticket<'a> {
    gate: &'a QuotaGate,
    key: &'a QuotaKey,
    place: (Priority, u64),
    changed: Arc<Notify>,
}

impl<'a> Ticket<'a> {
    fn draw(gate: &'a QuotaGate, key: &'a QuotaKey, priority: Priority) -> Self {
        let mut state = gate.lock();
        state.next_ticket += 1;
        let place = (priority, state.next_ticket);
        let budget = state.budgets.entry(key.clone()).or_default();
        budget.waiting.insert(place);
        let changed = Arc::clone(&budget.changed);
        Self { gate, key, place, changed }
    }

    fn try_take(&self) -> Turn {
        let mut state = self.gate.lock();
        let State { windows, budgets, .. } = &mut *state;
        let windows = windows.get(&self.key.family).map_or(&[][..], Vec::as_slice);
        let budget = budgets.entry(self.key.clone()).or_default();
        if budget.waiting.first() != Some(&self.place) {
            return Turn::Behind;
        }
        let now = Instant::now();
        let wait = budget.wait_needed(windows, now);
        if !wait.is_zero() {
            return Turn::After(wait);
        }
        if !windows.is_empty() {
            budget.spent.push_back(now);
        }
        Turn::Taken
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        if let Some(budget) = self.gate.lock().budgets.get_mut(self.key) {
            budget.waiting.remove(&self.place);
        }
        self.changed.notify_waiters();
    }
}

impl Budget {
    fn wait_needed(&mut self, windows: &[QuotaWindow], now: Instant) -> Duration {
        let keep = windows.iter().map(|window| window.count as usize).max().unwrap_or(0);
        while self.spent.len() > keep {
            self.spent.pop_front();
        }
        let blocked = self.blocked_until.map_or(Duration::ZERO, |until| until.saturating_duration_since(now));
        let full = windows.iter().map(|window| {
            // The call that has to leave the window before another fits in.
            let oldest = self.spent.len().checked_sub(window.count as usize).and_then(|at| self.spent.get(at));
            oldest.map_or(Duration::ZERO, |spent| (*spent + window.per).saturating_duration_since(now))
        });
        full.fold(blocked, Duration::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    fn key(family: &'static str) -> QuotaKey {
        QuotaKey { tenant: "t".into(), application: "a".into(), family: family.into() }
    }

    fn gate(count: u32, seconds: u64) -> QuotaGate {
        let gate = QuotaGate::default();
        gate.set_windows("incidents", vec![QuotaWindow { count, per: Duration::from_secs(seconds) }]);
        gate
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_window_makes_the_next_call_wait_until_the_oldest_leaves_it() {
        let (gate, key) = (gate(2, 60), key("incidents"));
        let start = Instant::now();
        for _ in 0..2 {
            gate.enter(&key, Priority::Response, LONG, |_| panic!("no wait yet")).await.unwrap();
            tokio::time::advance(Duration::from_secs(10)).await;
        }
        let mut told = Vec::new();
        gate.enter(&key, Priority::Response, LONG, |wait| told.push(wait.as_secs())).await.unwrap();
        assert_eq!(start.elapsed().as_secs(), 60);
        assert_eq!(told, [40]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_block_holds_its_own_family_only() {
        let gate = QuotaGate::default();
        gate.block(&key("incidents"), Duration::from_secs(30));
        gate.block(&key("incidents"), Duration::from_secs(5));
        let start = Instant::now();
        gate.enter(&key("alerts"), Priority::BackFill, LONG, |_| {}).await.unwrap();
        assert_eq!(start.elapsed(), Duration::ZERO);
        gate.enter(&key("incidents"), Priority::Response, LONG, |_| {}).await.unwrap();
        assert_eq!(start.elapsed().as_secs(), 30);
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_beyond_the_callers_patience_is_refused_at_once() {
        let gate = QuotaGate::default();
        gate.block(&key("incidents"), Duration::from_secs(30));
        let start = Instant::now();
        let refused = gate.enter(&key("incidents"), Priority::Response, Duration::from_secs(3), |_| {}).await;
        assert_eq!(refused.unwrap_err().as_secs(), 30);
        assert_eq!(start.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn urgent_calls_overtake_those_that_wait() {
        let gate = gate(1, 10);
        gate.enter(&key("incidents"), Priority::Response, LONG, |_| {}).await.unwrap();
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = tokio::task::JoinSet::new();
        for priority in [Priority::BackFill, Priority::Enrichment, Priority::Response] {
            let (gate, order) = (gate.clone(), Arc::clone(&order));
            tasks.spawn(async move {
                gate.enter(&key("incidents"), priority, LONG, |_| {}).await.unwrap();
                order.lock().unwrap().push(priority);
            });
            tokio::task::yield_now().await;
        }
        tasks.join_all().await;
        assert_eq!(*order.lock().unwrap(), [Priority::Response, Priority::Enrichment, Priority::BackFill]);
    }

    #[tokio::test(start_paused = true)]
    async fn one_who_gives_up_leaves_the_queue() {
        let gate = gate(1, 10);
        gate.enter(&key("incidents"), Priority::Response, LONG, |_| {}).await.unwrap();
        let incidents = key("incidents");
        let impatient = gate.enter(&incidents, Priority::Response, LONG, |_| {});
        assert!(tokio::time::timeout(Duration::from_secs(1), impatient).await.is_err());
        let start = Instant::now();
        gate.enter(&key("incidents"), Priority::BackFill, LONG, |_| {}).await.unwrap();
        assert_eq!(start.elapsed().as_secs(), 9);
    }
}
