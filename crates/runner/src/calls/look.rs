//! A look at the remote side: whether a call whose answer is not known was carried out.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use serde_json::Value;
use sortie_engine::{decide::Seen, document::parse_duration};
use sortie_openapi::LinkedCall;

use super::{Calls, Order, Prepared, link, read};
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

/// Since when a call is in doubt.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InDoubt {
    /// When it was ordered: what somebody has changed later is not undone.
    pub ordered: Timestamp,
    /// No try of it leaves any more from then on, so that its absence begins to count.
    pub since: Timestamp,
}

impl Calls {
    /// Looks for what a call has done. Its absence counts when it has been in doubt for the operation's settle time.
    pub(crate) async fn look(&self, prepared: &Prepared, doubt: InDoubt) -> Result<Glance, Trouble> {
        let guidance = &prepared.operation().guidance;
        let read = guidance.more.get("read").and_then(|read| serde_json::from_value(read.clone()).ok());
        match (&guidance.probe, read) {
            (Some(probe), _) if carries(probe, prepared) => self.look_for_key(prepared, probe, doubt.since).await,
            (_, Some(read)) => self.read_back(prepared, &read, doubt).await,
            _ => Ok(UNCLEAR),
        }
    }

    async fn look_for_key(&self, prepared: &Prepared, probe: &LinkedCall, since: Timestamp) -> Result<Glance, Trouble> {
        let Some(looking) = self.linked(prepared, probe).await? else { return Ok(UNCLEAR) };
        let all_pages = looking.operation().pagination.is_some();
        let order = Arc::new(Order { all_pages, ..Order::clone(&looking.order) });
        let answer = self.send(&Prepared { order, ..looking }).await?;
        let items = if all_pages { Some(&answer) } else { text(probe, "items").and_then(|at| answer.pointer(at)) };
        let Some(items) = items.and_then(Value::as_array) else { return Ok(UNCLEAR) };
        if let Some(found) = items.iter().find(|item| is_ours(item, probe, &prepared.order.mark())) {
            return Ok(Glance { seen: Seen::Found, again: LOOK_PAUSE, found: Some(found.clone()) });
        }
        Ok(self.absent(probe, since))
    }

    /// Reads what a call was to set: it is there, something newer is, or it is not there.
    async fn read_back(&self, prepared: &Prepared, read: &LinkedCall, doubt: InDoubt) -> Result<Glance, Trouble> {
        let Some(reading) = self.linked(prepared, read).await? else { return Ok(UNCLEAR) };
        let (found, date) = self.answer(&reading).await?;
        if read::shows(read, &prepared.order.inputs, &found) {
            return Ok(Glance { seen: Seen::Found, again: LOOK_PAUSE, found: Some(found) });
        }
        let changed = text(read, "changed").and_then(|at| found.pointer(at)).and_then(Value::as_str);
        let changed = changed.and_then(|text| text.parse::<Timestamp>().ok());
        // Both clocks at one moment tell how far they are apart.
        let ahead = date.map(|date| self.clock.now().duration_since(date)).unwrap_or_default();
        let ordered = doubt.ordered.checked_sub(ahead).unwrap_or(doubt.ordered);
        if changed.is_some_and(|changed| changed > ordered) {
            return Ok(Glance { seen: Seen::Newer, again: LOOK_PAUSE, found: None });
        }
        Ok(self.absent(read, doubt.since))
    }

    /// A call that the operation's document links to this one; `None` where what it takes is not there.
    async fn linked(&self, prepared: &Prepared, link: &LinkedCall) -> Result<Option<Prepared>, Trouble> {
        let Some(inputs) = link::inputs(link, &prepared.order.inputs, &Value::Null) else { return Ok(None) };
        let order =
            Order { operation: link.operation.clone(), inputs, all_pages: false, ..Order::clone(&prepared.order) };
        self.prepare(prepared.tenant, order).await.map(Some)
    }

    fn absent(&self, link: &LinkedCall, since: Timestamp) -> Glance {
        let settle = text(link, "settle").and_then(|text| parse_duration(text).ok()).unwrap_or(SETTLE);
        let waited = self.clock.now().duration_since(since).unsigned_abs();
        match settle.checked_sub(waited).filter(|left| !left.is_zero()) {
            Some(left) => Glance { seen: Seen::NotYet, again: left.min(LOOK_PAUSE), found: None },
            None => Glance { seen: Seen::Absent, again: LOOK_PAUSE, found: None },
        }
    }
}

/// Whether the call was given the input that carries our key.
fn carries(probe: &LinkedCall, prepared: &Prepared) -> bool {
    text(probe, "carry").is_none_or(|key| prepared.order.inputs.get(key).is_some_and(Value::is_string))
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

const UNCLEAR: Glance = Glance { seen: Seen::Unclear, again: LOOK_PAUSE, found: None };
const LOOK_PAUSE: Duration = Duration::from_secs(5);
/// Where a document names none.
const SETTLE: Duration = Duration::from_secs(60);
