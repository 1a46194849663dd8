//! A look at the remote side: whether a call whose answer is not known was carried out.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use sortie_engine::{decide::Seen, document::parse_duration};
use sortie_openapi::LinkedCall;

use super::{Calls, Order, Prepared, link};
use crate::outside::Trouble;

/// What a look has shown.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Glance {
    pub seen: Seen,
    /// How long until another look is worth it.
    pub again: Duration,
    /// What the call has made, where it was found.
    pub found: Option<Value>,
}

impl Calls {
    /// Looks for what a call has done. Its absence counts when it has been in doubt for the operation's settle time.
    pub(crate) async fn look(&self, prepared: &Prepared, in_doubt_since: Timestamp) -> Result<Glance, Trouble> {
        let unclear = Glance { seen: Seen::Unclear, again: LOOK_PAUSE, found: None };
        let Some(probe) = &prepared.operation.guidance.probe else { return Ok(unclear) };
        let Some(inputs) = link::inputs(probe, &prepared.order.inputs, &Value::Null) else { return Ok(unclear) };
        let order = Order { operation: probe.operation.clone(), inputs, all_pages: false, ..prepared.order.clone() };
        let looking = self.prepare(prepared.tenant, &order).await?;
        let all_pages = looking.operation.pagination.is_some();
        let looking = Prepared { order: Order { all_pages, ..order }, ..looking };
        let answer = self.send(&looking).await?;
        let items = if all_pages { Some(&answer) } else { text(probe, "items").and_then(|at| answer.pointer(at)) };
        let Some(items) = items.and_then(Value::as_array) else { return Ok(unclear) };
        if let Some(found) = items.iter().find(|item| is_ours(item, probe, &prepared.order.mark())) {
            return Ok(Glance { seen: Seen::Found, again: LOOK_PAUSE, found: Some(found.clone()) });
        }
        let settle = text(probe, "settle").and_then(|text| parse_duration(text).ok()).unwrap_or(SETTLE);
        let waited = self.clock.now().duration_since(in_doubt_since).unsigned_abs();
        Ok(match settle.checked_sub(waited).filter(|left| !left.is_zero()) {
            Some(left) => Glance { seen: Seen::NotYet, again: left.min(LOOK_PAUSE), found: None },
            None => Glance { seen: Seen::Absent, again: LOOK_PAUSE, found: None },
        })
    }
}

fn is_ours(item: &Value, probe: &LinkedCall, mark: &str) -> bool {
    let word = |at: &str| item.pointer(at).and_then(Value::as_str);
    let carries = text(probe, "key").and_then(word).is_some_and(|text| text.contains(mark));
    let conditions = probe.settings.get("where").and_then(Value::as_object).into_iter().flatten();
    let fits = |(at, wanted): (&String, &Value)| {
        word(at).zip(wanted.as_str()).is_some_and(|(found, wanted)| found.eq_ignore_ascii_case(wanted))
    };
    carries && conditions.into_iter().all(fits)
}

fn text<'a>(probe: &'a LinkedCall, key: &str) -> Option<&'a str> {
    probe.settings.get(key).and_then(Value::as_str)
}

const LOOK_PAUSE: Duration = Duration::from_secs(5);
/// Where a document names none.
const SETTLE: Duration = Duration::from_secs(60);
