//! What a call has started on the remote side: how it goes, and its end; and how it is called off.

use std::{sync::Arc, time::Duration};

use serde_json::Value;
use sortie_store::{RunId, TenantKey};

use super::{Calls, Order, Prepared, effect_key, link};
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
    /// Sees how what the call has started is going, after so many sights of it. An operation without a way to see has ended with its answer.
    pub(crate) async fn follow(&self, prepared: &Prepared, output: &Value, sights: u32) -> Result<Sight, Trouble> {
        let Some(link) = &prepared.operation().guidance.awaits else {
            return Ok(Sight::Ended { well: true, output: output.clone() });
        };
        let Some(inputs) = link::inputs(link, &prepared.order.inputs, output) else {
            let what = format!("the answer of {} does not say what it has started", prepared.order.name());
            return Err(Trouble::refused(TroubleKind::Service, what, "Look at the product how it went."));
        };
        let order =
            Order { operation: link.operation.clone(), inputs, all_pages: false, ..Order::clone(&prepared.order) };
        let looking = self.prepare(prepared.tenant, order).await?;
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
            // A device that is out of reach for days is not asked for every few seconds.
            _ => Sight::Pending(FIRST_PAUSE.saturating_mul(sights.saturating_add(1)).min(LONGEST_PAUSE)),
        })
    }

    /// The call that calls off what another has started; `None` where its operation does not say how.
    pub(crate) async fn cancel_of(
        &self,
        tenant: TenantKey,
        order: &Order,
        started: &Value,
        place: &str,
        run: RunId,
    ) -> Result<Option<Prepared>, Trouble> {
        let product = self.outside.product(tenant, &order.connector, order.pinned.as_deref()).await?;
        let operation = product.description.operation_called(&order.operation);
        let link = operation.and_then(|operation| operation.guidance.more.get("cancel"));
        let Some(link) = link.and_then(|link| serde_json::from_value(link.clone()).ok()) else { return Ok(None) };
        let Some(inputs) = link::inputs(&link, &order.inputs, started) else { return Ok(None) };
        let key = effect_key(tenant, run, place);
        let cancel = Order { operation: link.operation, inputs, all_pages: false, key, ..order.clone() };
        self.prepare(tenant, cancel).await.map(Some)
    }

    /// Calls off what a call has started; false where that has ended by itself, or was called off before.
    pub(crate) async fn call_off(
        &self,
        order: &Arc<Order>,
        started: &Value,
        cancel: &Prepared,
    ) -> Result<bool, Trouble> {
        let began = self.prepare(cancel.tenant, Arc::clone(order)).await?;
        if let Sight::Ended { .. } = self.follow(&began, started, 1).await? {
            return Ok(false);
        }
        self.send(cancel).await.map(|_| true)
    }
}

const FIRST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(120);
