//! What was called and what it changed: the figures that tests compare with a client's story.

use std::{collections::BTreeMap, sync::Mutex};

use serde::Serialize;
use serde_json::{Value, json};

/// Calls of all services, and the effects of the writing ones.
#[derive(Debug, Default)]
pub(crate) struct Counters(Mutex<State>);

/// What distinguishes one count of calls from another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Call {
    pub service: &'static str,
    pub method: String,
    /// The route's template, with `{id}` for ids.
    pub route: String,
    /// 0: the connection was reset.
    pub status: u16,
    /// As the token or the form claims it; empty for calls without either.
    pub app_id: String,
}

/// A change that was applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    Patch,
    Comment,
    /// A machine action was begun.
    Order,
}

#[derive(Debug, Default)]
struct State {
    calls: BTreeMap<Call, u64>,
    /// By tenant and entity, such as `incidents/2041`.
    effects: BTreeMap<(String, String), Effects>,
}

#[derive(Debug, Default)]
struct Effects {
    patches: u64,
    comments: u64,
    orders: u64,
}

impl Counters {
    pub(crate) fn called(&self, call: Call) {
        let mut state = self.0.lock().expect("no code panics while it holds this lock");
        let call =
            if state.calls.len() < CALL_KIND_COUNT_MAX { call } else { Call { app_id: "(others)".to_owned(), ..call } };
        *state.calls.entry(call).or_default() += 1;
    }

    pub(crate) fn applied(&self, tenant: &str, entity: &str, effect: Effect) {
        let mut state = self.0.lock().expect("no code panics while it holds this lock");
        let effects = state.effects.entry((tenant.to_owned(), entity.to_owned())).or_default();
        match effect {
            Effect::Patch => effects.patches += 1,
            Effect::Comment => effects.comments += 1,
            Effect::Order => effects.orders += 1,
        }
    }

    pub(crate) fn clear(&self) {
        *self.0.lock().expect("no code panics while it holds this lock") = State::default();
    }

    pub(crate) fn json(&self) -> Value {
        let state = self.0.lock().expect("no code panics while it holds this lock");
        let call = |(call, count): (&Call, &u64)| {
            json!({
                "service": call.service, "method": call.method, "route": call.route, "status": call.status,
                "appId": call.app_id, "count": count,
            })
        };
        let effect = |((tenant, entity), effects): (&(String, String), &Effects)| {
            json!({
                "tenantId": tenant, "entity": entity, "patches": effects.patches, "comments": effects.comments,
                "orders": effects.orders,
            })
        };
        json!({
            "total": state.calls.values().sum::<u64>(),
            "calls": state.calls.iter().map(call).collect::<Vec<_>>(),
            "effects": state.effects.iter().map(effect).collect::<Vec<_>>(),
        })
    }
}

/// More kinds of calls than this are counted without their application.
const CALL_KIND_COUNT_MAX: usize = 10_000;
