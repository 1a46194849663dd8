//! What a call has started on the remote side: how it goes, and its end; and how it is called off.

use std::time::Duration;

use serde_json::Value;

use super::{Calls, Order, Prepared, link};
use crate::outside::{Trouble, TroubleKind};

/// What a sight of it has shown.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Sight {
    /// It is on its way.
    Pending(Duration),
    /// It has ended.
    Ended { well: bool, output: Value },
}

impl Calls {
    /// Sees how what the call has started is going. An operation without a way to see has ended with its answer.
    pub(crate) async fn follow(&self, prepared: &Prepared, output: &Value, sights: u32) -> Result<Sight, Trouble> {
        let Some(link) = &prepared.operation.guidance.awaits else {
            return Ok(Sight::Ended { well: true, output: output.clone() });
        };
        let Some(inputs) = link::inputs(link, &prepared.order.inputs, output) else {
            let what = format!("the answer of {} does not say what it has started", prepared.order.name());
            return Err(Trouble::refused(TroubleKind::Service, what, "Look at the product how it went."));
        };
        let order = Order { operation: link.operation.clone(), inputs, all_pages: false, ..prepared.order.clone() };
        let looking = self.prepare(prepared.tenant, &order).await?;
        let seen = self.send(&looking).await?;
        let state = link.settings.get("state").and_then(Value::as_str).and_then(|at| seen.pointer(at));
        let state = state.and_then(Value::as_str).unwrap_or_default();
        let is_among = |key: &str| {
            let words = link.settings.get(key).and_then(Value::as_array).into_iter().flatten();
            words.filter_map(Value::as_str).any(|word| word.eq_ignore_ascii_case(state))
        };
        // A word that nobody knows is no end: the timeout of the step is.
        Ok(match (is_among("succeeded"), is_among("failed")) {
            (true, _) => Sight::Ended { well: true, output: seen },
            (_, true) => Sight::Ended { well: false, output: seen },
            _ => Sight::Pending(FIRST_PAUSE.saturating_mul(sights.clamp(1, 15)).min(LONGEST_PAUSE)),
        })
    }

    /// Calls off what the call has started, as far as the operation says how.
    pub(crate) async fn call_off(&self, prepared: &Prepared, output: &Value) -> Result<bool, Trouble> {
        let Some(link) = prepared.operation.guidance.more.get("cancel") else { return Ok(false) };
        let Ok(link) = serde_json::from_value(link.clone()) else { return Ok(false) };
        let Some(inputs) = link::inputs(&link, &prepared.order.inputs, output) else { return Ok(false) };
        let order = Order { operation: link.operation, inputs, all_pages: false, ..prepared.order.clone() };
        let cancel = self.prepare(prepared.tenant, &order).await?;
        self.send(&cancel).await.map(|_| true)
    }
}

const FIRST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
