//! Faults on order: which calls go wrong, how, and how often it happened.

mod alter;
mod between;

use std::{collections::HashSet, sync::Mutex};

pub(crate) use alter::alter;
pub(crate) use between::between_pages;
use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{hunting, world::chance};

/// A fault as the admin API takes it. It hits calls that match all of `service`, `method`, `route`, `app_id`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FaultOrder {
    pub kind: FaultKind,
    /// `graph`, `xdr`, `mde`, `mdca`, `keyvault`, `entra`, `imds`.
    pub service: Option<String>,
    pub method: Option<String>,
    /// A path; `*` stands for any text.
    pub route: Option<String>,
    pub app_id: Option<String>,
    /// How often it hits; without it: once, except for kinds that stand for a lasting defect.
    pub times: Option<u64>,
    /// Matching calls that go well before it starts.
    #[serde(default)]
    pub after: u64,
    /// 0 to 1, drawn from the cloud's seed.
    pub probability: Option<f64>,
    /// Status of `server_error`, `html` and `expand_fails`.
    pub status: Option<u16>,
    /// Retry-After of `too_many_requests` and `server_error` as it goes over the wire; `null` sends none.
    #[serde(default = "one_second")]
    pub retry_after: Option<RetryAfter>,
    /// Of `slow`, and between the effect and its lost answer, in real milliseconds.
    pub delay_ms: Option<u64>,
    /// Of `foreign_next_link`: scheme and host.
    pub host: Option<String>,
    /// Of `cpu_quota`, `late_action_listing`, and of a lost answer to an order whose action is listed late, in the cloud's seconds.
    pub seconds: Option<i64>,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FaultKind {
    TooManyRequests,
    ServerError,
    /// 504 with an empty message.
    GatewayTimeout,
    Slow,
    /// The connection is dropped without an answer.
    Reset,
    /// The connection is dropped in the middle of the body.
    CutBody,
    Html,
    WrongEnumCase,
    UnknownEnum,
    NullLists,
    NumbersAsStrings,
    /// An unpaired `\ud83d` in each title.
    LoneSurrogate,
    /// The presented token is refused from this call on; a new one works.
    TokenExpired,
    ForeignNextLink,
    NoNextLink,
    /// The last item of a page comes again as the first one of the next.
    DuplicateItem,
    /// The first item of a list is missing.
    LateIndex,
    /// A body without an end.
    Oversized,
    /// `$expand` fails for good.
    ExpandFails,
    /// `content-encoding: gzip` before a body that is none.
    BadGzip,
    /// An accepted machine action is missing in the list for `seconds`.
    LateActionListing,
    /// The call does its work, and the caller gets a 503.
    FailsAfterEffect,
    /// The call does its work, and the connection is dropped without an answer.
    ResetAfterEffect,
    /// 400, as if the same order were already open.
    ActiveRequestAlreadyExists,
    /// A query of hunting runs out of time.
    HuntingTimeout,
    /// A query of hunting finds more than may be answered.
    ResultTooLarge,
    /// The tenant's share of processing is used up for `seconds`, 15 minutes unless told.
    CpuQuota,
    /// After a page was answered, its first alert changes.
    AlertUpdatedBetweenPages,
    /// After a page was answered, an incident that was not on it becomes part of the page's first.
    IncidentMergedBetweenPages,
}

/// Tells the service that the action of this call shows up late.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LateListing {
    pub seconds: i64,
    /// To be counted when an action was begun; `None` where the fault is counted for its answer.
    pub fault: Option<u64>,
}

/// Header value given as a number or as a text.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(untagged)]
pub(crate) enum RetryAfter {
    Seconds(f64),
    Text(String),
}

/// What a fault may ask about a call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target<'a> {
    pub service: &'a str,
    pub method: &'a Method,
    pub path: &'a str,
    pub query: &'a str,
    pub app_id: &'a str,
    /// An API call that presents a token.
    pub has_token: bool,
}

/// A fault that was chosen for a call.
#[derive(Clone, Debug)]
pub(crate) struct Chosen {
    pub id: u64,
    pub order: FaultOrder,
}

/// All faults that were ordered and not taken back.
#[derive(Debug)]
pub(crate) struct Faults {
    seed: u64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    last_id: u64,
    active: Vec<Active>,
    /// Authorization headers, hashed, that `token_expired` has hit.
    expired: HashSet<u64>,
}

#[derive(Debug)]
struct Active {
    id: u64,
    order: FaultOrder,
    seen: u64,
    hits: u64,
    /// Last item of the page before (`duplicate_item`).
    carried: Option<Value>,
}

impl Faults {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, state: Mutex::default() }
    }

    /// Adds a fault and gives its id.
    pub(crate) fn add(&self, order: FaultOrder) -> u64 {
        let mut state = self.lock();
        state.last_id += 1;
        let id = state.last_id;
        state.active.push(Active { id, order, seen: 0, hits: 0, carried: None });
        id
    }

    /// Takes one fault back, or all; tokens that it has expired work again when all go.
    pub(crate) fn remove(&self, id: Option<u64>) -> bool {
        let mut state = self.lock();
        let before = state.active.len();
        match id {
            Some(id) => state.active.retain(|fault| fault.id != id),
            None => {
                state.active.clear();
                state.expired.clear();
            }
        }
        id.is_none() || state.active.len() < before
    }

    pub(crate) fn json(&self) -> Value {
        let state = self.lock();
        let one =
            |fault: &Active| json!({ "id": fault.id, "hits": fault.hits, "seen": fault.seen, "order": fault.order });
        json!({ "faults": state.active.iter().map(one).collect::<Vec<_>>() })
    }

    /// The fault that hits this call, if one does: the oldest that matches and is due. Kinds that need something to
    /// change in the answer are counted only when they have changed it ([`Faults::hit`]).
    pub(crate) fn choose(&self, target: &Target<'_>) -> Option<Chosen> {
        let mut state = self.lock();
        let seed = self.seed;
        let mut active = state.active.iter_mut();
        let fault = active.find_map(|fault| (fault.matches(target) && fault.is_due(seed)).then_some(fault))?;
        if !fault.order.kind.changes_answers() {
            fault.hits += 1;
        }
        Some(Chosen { id: fault.id, order: fault.order.clone() })
    }

    /// Counts a fault that changed an answer.
    pub(crate) fn hit(&self, id: u64) {
        if let Some(fault) = self.lock().active.iter_mut().find(|fault| fault.id == id) {
            fault.hits += 1;
        }
    }

    /// Keeps an item for the next page and gives the one kept before.
    pub(crate) fn carry(&self, id: u64, item: Option<Value>) -> Option<Value> {
        let mut state = self.lock();
        let fault = state.active.iter_mut().find(|fault| fault.id == id)?;
        std::mem::replace(&mut fault.carried, item)
    }

    pub(crate) fn expire(&self, token: u64) {
        let mut state = self.lock();
        if state.expired.len() >= EXPIRED_COUNT_MAX {
            state.expired.clear();
        }
        state.expired.insert(token);
    }

    pub(crate) fn is_expired(&self, token: u64) -> bool {
        self.lock().expired.contains(&token)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("no code panics while it holds this lock")
    }
}

impl Active {
    fn matches(&self, target: &Target<'_>) -> bool {
        let order = &self.order;
        let is = |wanted: &Option<String>, value: &str| {
            wanted.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(value))
        };
        let expands = target.query.to_ascii_lowercase().replace("%24", "$").contains("$expand=");
        is(&order.service, target.service)
            && is(&order.method, target.method.as_str())
            && is(&order.app_id, target.app_id)
            && order.route.as_ref().is_none_or(|route| glob(route, target.path))
            && (order.kind != FaultKind::ExpandFails || expands)
            && (order.kind != FaultKind::TokenExpired || target.has_token)
            && (!order.kind.needs_effect() || target.method != Method::GET)
            && (!order.kind.is_of_hunting() || hunting::is_route(target.path))
            && (!order.kind.is_between_pages() || target.method == Method::GET)
    }

    fn is_due(&mut self, seed: u64) -> bool {
        let times = self.order.times.unwrap_or(if self.order.kind == FaultKind::ExpandFails { u64::MAX } else { 1 });
        if self.hits >= times {
            return false;
        }
        self.seen += 1;
        let drawn = self.order.probability.is_none_or(|share| chance(&[seed, self.id, self.seen]) < share);
        self.seen > self.order.after && drawn
    }
}

impl FaultKind {
    /// Happens to calls that change something.
    fn needs_effect(self) -> bool {
        let after = matches!(self, Self::FailsAfterEffect | Self::ResetAfterEffect);
        after || matches!(self, Self::LateActionListing | Self::ActiveRequestAlreadyExists)
    }

    /// Happens to queries of hunting.
    fn is_of_hunting(self) -> bool {
        matches!(self, Self::HuntingTimeout | Self::ResultTooLarge | Self::CpuQuota)
    }

    /// Changes the world after a list was answered.
    pub(crate) fn is_between_pages(self) -> bool {
        matches!(self, Self::AlertUpdatedBetweenPages | Self::IncidentMergedBetweenPages)
    }

    /// Needs an answer with something to change in it.
    pub(crate) fn changes_answers(self) -> bool {
        matches!(
            self,
            Self::WrongEnumCase
                | Self::UnknownEnum
                | Self::NullLists
                | Self::NumbersAsStrings
                | Self::LoneSurrogate
                | Self::ForeignNextLink
                | Self::NoNextLink
                | Self::DuplicateItem
                | Self::LateIndex
                | Self::CutBody
                | Self::LateActionListing
                | Self::FailsAfterEffect
                | Self::ResetAfterEffect
                | Self::AlertUpdatedBetweenPages
                | Self::IncidentMergedBetweenPages
        )
    }
}

impl RetryAfter {
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Seconds(seconds) => seconds.to_string(),
            Self::Text(text) => text.clone(),
        }
    }
}

#[expect(clippy::unnecessary_wraps, reason = "the default of an optional field")]
fn one_second() -> Option<RetryAfter> {
    Some(RetryAfter::Seconds(1.0))
}

/// `*` stands for any text; the rest in any letter case.
fn glob(pattern: &str, path: &str) -> bool {
    let (pattern, path) = (pattern.to_ascii_lowercase(), path.to_ascii_lowercase());
    let parts: Vec<&str> = pattern.split('*').collect();
    let (Some(first), Some(last)) = (parts.first(), parts.last()) else { return false };
    if parts.len() == 1 {
        return pattern == path;
    }
    let Some(mut rest) = path.strip_prefix(first) else { return false };
    for part in &parts[1..parts.len() - 1] {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

const EXPIRED_COUNT_MAX: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn order(text: &str) -> FaultOrder {
        serde_json::from_str(text).unwrap()
    }

    fn target(path: &str) -> Target<'_> {
        Target { service: "graph", method: &Method::GET, path, query: "", app_id: "app", has_token: true }
    }

    #[test]
    fn a_star_stands_for_any_text() {
        assert!(glob("/v1.0/security/*", "/v1.0/security/incidents/5"));
        assert!(glob("*/incidents*", "/api/Incidents"));
        assert!(glob("/a/*/c", "/a/b/c"));
        assert!(glob("/api/incidents", "/api/incidents"));
        assert!(!glob("/api/incidents", "/api/incidents/5"));
        assert!(!glob("/a/*/c", "/a/c"));
    }

    #[test]
    fn it_hits_as_often_as_ordered_after_the_calls_that_go_well() {
        let faults = Faults::new(1);
        faults.add(order(r#"{"kind":"server_error","route":"/v1.0/*","times":2,"after":1}"#));
        let hits: Vec<bool> = (0..5).map(|_| faults.choose(&target("/v1.0/x")).is_some()).collect();
        assert_eq!(hits, [false, true, true, false, false]);
        assert!(faults.choose(&target("/api/x")).is_none());
        assert_eq!(faults.json()["faults"][0]["hits"], 2);
    }

    #[test]
    fn probability_is_drawn_from_the_seed() {
        let drawn = |seed| {
            let faults = Faults::new(seed);
            faults.add(order(r#"{"kind":"reset","times":1000,"probability":0.3}"#));
            (0..200).map(|_| faults.choose(&target("/x")).is_some()).collect::<Vec<_>>()
        };
        let count = drawn(1).iter().filter(|hit| **hit).count();
        assert!((30..90).contains(&count), "{count}");
        assert_eq!(drawn(1), drawn(1));
        assert_ne!(drawn(1), drawn(2));
    }

    #[test]
    fn retry_after_is_sent_unless_it_is_null() {
        let header = |text: &str| order(text).retry_after.map(|value| value.text());
        assert_eq!(header(r#"{"kind":"too_many_requests"}"#).as_deref(), Some("1"));
        assert_eq!(header(r#"{"kind":"too_many_requests","retry_after":"2.128"}"#).as_deref(), Some("2.128"));
        assert_eq!(header(r#"{"kind":"too_many_requests","retry_after":null}"#), None);
    }
}
