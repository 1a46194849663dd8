//! Who goes next: tenants in turns, and of each those runs first that somebody waits for.

use std::collections::{HashMap, HashSet, VecDeque};

use sortie_store::{RunId, TenantKey};

/// Runs that can be taken further now.
#[derive(Debug, Default)]
pub(crate) struct Ready {
    lanes: [Lane; 2],
    queued: HashSet<RunId>,
    /// Of the first lane in a row.
    row: u32,
}

/// How much somebody waits for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Haste {
    /// It has begun: a person has decided, time is up, an effect is to follow.
    Begun,
    /// It is new.
    New,
}

#[derive(Debug, Default)]
struct Lane {
    /// Each tenant that has runs here, once.
    turns: VecDeque<TenantKey>,
    runs: HashMap<TenantKey, VecDeque<RunId>>,
}

impl Ready {
    /// Queues a run, unless it is queued.
    pub(crate) fn push(&mut self, tenant: TenantKey, run: RunId, haste: Haste) {
        if self.queued.insert(run) {
            self.lanes[usize::from(haste == Haste::New)].push(tenant, run);
        }
    }

    /// The next run of a tenant that may have another one at work.
    pub(crate) fn pop(&mut self, may: impl Fn(TenantKey) -> bool) -> Option<(TenantKey, RunId)> {
        let prefers_new = self.row >= ROW_MAX;
        let order = if prefers_new { [1, 0] } else { [0, 1] };
        for lane in order {
            if let Some((tenant, run)) = self.lanes[lane].pop(&may) {
                self.row = if lane == 0 { self.row + 1 } else { 0 };
                self.queued.remove(&run);
                return Some((tenant, run));
            }
        }
        None
    }

    pub(crate) fn len(&self) -> usize {
        self.queued.len()
    }

    pub(crate) fn has(&self, run: RunId) -> bool {
        self.queued.contains(&run)
    }
}

impl Lane {
    fn push(&mut self, tenant: TenantKey, run: RunId) {
        let runs = self.runs.entry(tenant).or_default();
        if runs.is_empty() {
            self.turns.push_back(tenant);
        }
        runs.push_back(run);
    }

    fn pop(&mut self, may: &impl Fn(TenantKey) -> bool) -> Option<(TenantKey, RunId)> {
        let at = self.turns.iter().position(|tenant| may(*tenant))?;
        let tenant = self.turns.remove(at)?;
        let runs = self.runs.get_mut(&tenant)?;
        let run = runs.pop_front()?;
        match runs.is_empty() {
            true => drop(self.runs.remove(&tenant)),
            // Whoever had a turn stands behind all others.
            false => self.turns.push_back(tenant),
        }
        Some((tenant, run))
    }
}

/// New runs are not kept out for ever by those that have begun.
const ROW_MAX: u32 = 4;
