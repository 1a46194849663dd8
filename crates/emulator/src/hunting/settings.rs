//! What an administrator decides about hunting: retired APIs, limits, and the share of processing that is left.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::store::Tables;
use crate::{admin::Body, cloud::App, world::Ticks};

/// Hunting of all tenants of a cloud.
#[derive(Debug, Default)]
pub(crate) struct Hunting {
    pub(super) tables: Tables,
    settings: Mutex<Settings>,
    /// Time that queries took, by tenant and service, in the cycle that began at that instant.
    used: Mutex<HashMap<(String, bool), (Ticks, Duration)>>,
}

/// The switches.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Settings {
    /// APIs that are gone.
    pub retired: Older,
    /// APIs whose answers carry the notice of their retirement.
    pub notice: Older,
    /// Processing time of a tenant in 15 minutes; of Defender for Endpoint in an hour.
    pub cpu_seconds: f64,
    /// Lower bounds than the documented ones. Rows beyond theirs are left out; the other two end in a refusal.
    pub rows_max: Option<usize>,
    pub answer_bytes_max: Option<usize>,
    pub time_ms_max: Option<u64>,
    pub external_data: ExternalData,
}

/// What `externaldata` finds at its address: this cloud reaches no network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ExternalData {
    /// Nobody answers there; the query fails.
    #[default]
    Unreachable,
    /// A file without rows.
    Empty,
}

/// The two APIs that came before Graph's.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Older {
    pub xdr: bool,
    pub mde: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            retired: Older::default(),
            notice: Older::default(),
            // The page of Defender for Endpoint says 10 minutes an hour; the other quota depends on the tenant's size.
            cpu_seconds: 600.0,
            rows_max: None,
            answer_bytes_max: None,
            time_ms_max: None,
            external_data: ExternalData::default(),
        }
    }
}

/// Changes to the switches; what is not named stays.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Change {
    retired: Option<Older>,
    notice: Option<Older>,
    cpu_seconds: Option<f64>,
    /// 0 brings the documented bound back; so for the next two.
    rows_max: Option<usize>,
    answer_bytes_max: Option<usize>,
    time_ms_max: Option<u64>,
    external_data: Option<ExternalData>,
}

impl Hunting {
    pub(super) fn settings(&self) -> Settings {
        *lock(&self.settings)
    }

    /// Says how long to wait where a tenant has used up its share.
    pub(super) fn check_cpu(&self, tenant: &str, is_endpoint: bool, now: Ticks) -> Result<(), Ticks> {
        let cycle = Cycle::of(is_endpoint, now);
        let used = lock(&self.used);
        let spent = used.get(&(tenant.to_owned(), is_endpoint)).filter(|(start, _)| *start == cycle.start);
        let spent = spent.map_or(Duration::ZERO, |(_, spent)| *spent);
        if spent.as_secs_f64() < self.settings().cpu_seconds { Ok(()) } else { Err(Ticks(cycle.end.0 - now.0)) }
    }

    /// Takes the time of a query from the share.
    pub(super) fn charge(&self, tenant: &str, is_endpoint: bool, now: Ticks, took: Duration) {
        let start = Cycle::of(is_endpoint, now).start;
        let mut used = lock(&self.used);
        let entry = used.entry((tenant.to_owned(), is_endpoint)).or_insert((start, Duration::ZERO));
        if entry.0 != start {
            *entry = (start, Duration::ZERO);
        }
        entry.1 += took;
    }
}

/// A span of time that a share is for.
struct Cycle {
    start: Ticks,
    end: Ticks,
}

impl Cycle {
    fn of(is_endpoint: bool, now: Ticks) -> Self {
        let length_s = if is_endpoint { 3_600 } else { 900 };
        let length = Ticks(0).plus_s(length_s).0;
        let start = Ticks(now.0.div_euclid(length) * length);
        Self { start, end: start.plus_s(length_s) }
    }
}

/// `GET /hunting`.
pub(crate) async fn show(State(app): State<App>) -> Json<Value> {
    Json(json!(app.hunting.settings()))
}

/// `PUT /hunting`: `{"retired": {"xdr": true, "mde": true}}`, `{"notice": {"mde": true}}`, `{"cpuSeconds": 0}`, ..
pub(crate) async fn change(State(app): State<App>, Body(change): Body<Change>) -> Json<Value> {
    {
        let mut settings = lock(&app.hunting.settings);
        let bound = |new: Option<usize>, old: Option<usize>| new.map_or(old, |new| Some(new).filter(|new| *new > 0));
        settings.retired = change.retired.unwrap_or(settings.retired);
        settings.notice = change.notice.unwrap_or(settings.notice);
        settings.cpu_seconds = change.cpu_seconds.unwrap_or(settings.cpu_seconds);
        settings.external_data = change.external_data.unwrap_or(settings.external_data);
        settings.rows_max = bound(change.rows_max, settings.rows_max);
        settings.answer_bytes_max = bound(change.answer_bytes_max, settings.answer_bytes_max);
        if let Some(time_ms) = change.time_ms_max {
            settings.time_ms_max = Some(time_ms).filter(|time_ms| *time_ms > 0);
        }
    }
    show(State(app)).await
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Ticks {
        Ticks(0).plus_s(second)
    }

    #[test]
    fn a_share_is_used_up_and_comes_back_with_the_next_cycle() {
        let hunting = Hunting::default();
        assert_eq!(hunting.check_cpu("t", false, at(10)), Ok(()));
        hunting.charge("t", false, at(10), Duration::from_secs(599));
        assert_eq!(hunting.check_cpu("t", false, at(20)), Ok(()));
        hunting.charge("t", false, at(20), Duration::from_secs(1));
        assert_eq!(hunting.check_cpu("t", false, at(600)), Err(at(300)));
        assert_eq!(hunting.check_cpu("u", false, at(600)), Ok(()));
        assert_eq!(hunting.check_cpu("t", true, at(600)), Ok(()));
        assert_eq!(hunting.check_cpu("t", false, at(900)), Ok(()));
    }
}
