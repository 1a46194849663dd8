//! What this machine knows of its orders to devices, so that the same command, run again after whatever happened, is the
//! same order.
//!
//! One file for each device and order (or for each key that the user gave): the key, when an attempt last left, and the
//! action that it became. The key of a new order is derived from tenant, device, order and the moment.

use std::{path::Path, sync::Arc};

use anyhow::Context as _;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sortie_defender::{
    ActionFilter, ActionStatus, Defender, DefenderErrorKind, DeviceOrder, Draft, MachineAction, Order, OrderKey,
    Ordered,
};
use sortie_model::{ActionId, Clock, MachineId};
use sortie_store::{Door, KnownAs};
use sortie_transport::Record;

use crate::{
    context::{Context, Session},
    guard::{self, Effect, Passed},
    state::{StateFile, file_name},
};

/// An order as the command line describes it.
pub(crate) struct Request<'a> {
    pub tenant: &'a str,
    pub machine: &'a MachineId,
    pub what: DeviceOrder,
    pub reason: &'a str,
    /// The user's own key.
    pub key: Option<&'a str>,
    /// A new order, although the last one was carried out a moment ago.
    pub again: bool,
    /// What people call the device.
    pub label: &'a str,
    /// By what the device may be protected.
    pub names: Vec<KnownAs>,
}

/// How an order stands after the command.
pub(crate) enum Given {
    /// Sent now.
    Sent(MachineAction),
    /// Given before; this run only looked.
    Before(MachineAction),
    /// In observe mode: not given; this would have been sent.
    Observed(Box<Draft>),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    format: u32,
    key: OrderKey,
    /// When an attempt last left; before it, nothing was sent.
    sent_at: Timestamp,
    /// What became of it, once that was known.
    action: Option<ActionId>,
}

/// Gives the order, unless it was given before.
pub(crate) async fn give(
    folder: &Path,
    session: &Session,
    request: &Request<'_>,
    context: &Context,
) -> anyhow::Result<Given> {
    let defender = &session.defender;
    let path = folder.join("orders").join(file_name(request.tenant)).join(request.file_name());
    let file = StateFile::lock(path, || {
        context.note("another sortie is giving this very order; waiting until it has been taken");
    })
    .await?;
    let known: Option<Entry> = file.read()?;
    let (key, doubt) = match &known {
        Some(Entry { action: Some(id), .. }) => match standing(defender, request, id, context).await? {
            Some(action) => return Ok(Given::Before(action)),
            None => (request.new_key(context), None),
        },
        // It was about to leave, and nobody knows whether it did.
        Some(entry) => (entry.key.clone(), Some(entry.sent_at)),
        None => (request.new_key(context), None),
    };
    let order =
        Order { machine: request.machine.clone(), what: request.what.clone(), reason: request.reason.to_owned(), key };
    // The key is the reference: an order that is given again after a lost answer counts once.
    if guard::pass_session(session, &request.effect(&order.key), context).await? == Passed::Observed {
        return Ok(Given::Observed(Box::new(defender.draft_order(&order)?)));
    }
    send(defender, &order, doubt, (file, known), &context.clock).await
}

/// The action that an earlier order became, if this command is still the same order.
async fn standing(
    defender: &Defender,
    request: &Request<'_>,
    id: &ActionId,
    context: &Context,
) -> anyhow::Result<Option<MachineAction>> {
    let action = match defender.action(id).await {
        Ok(action) => action,
        Err(error) if matches!(&*error.kind, DefenderErrorKind::NotFound(_)) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    if request.key.is_some() || !action.status.is_final() {
        return Ok(Some(action));
    }
    let age = action.updated.map(|updated| context.clock.now().duration_since(updated));
    let recent = age.is_some_and(|age| age.abs() < SAME_ORDER_FOR);
    if request.again || action.status != ActionStatus::Succeeded || !recent {
        return Ok(None);
    }
    Ok((!undone(defender, request, &action).await?).then_some(action))
}

/// Whether the opposite was ordered since.
async fn undone(defender: &Defender, request: &Request<'_>, action: &MachineAction) -> anyhow::Result<bool> {
    let Some(opposite) = request.what.opposite() else { return Ok(false) };
    let filter = ActionFilter {
        machine: Some(request.machine.clone()),
        kind: Some(opposite.to_owned()),
        created_since: action.created,
        ..ActionFilter::default()
    };
    let mut pages = defender.actions(&filter)?;
    while let Some(page) = pages.next().await? {
        if !page.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn send(
    defender: &Defender,
    order: &Order,
    doubt: Option<Timestamp>,
    (file, known): (StateFile, Option<Entry>),
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<Given> {
    let file = Arc::new(file);
    let entry = |sent_at, action| Entry { format: 1, key: order.key.clone(), sent_at, action };
    let record: Record = {
        let (file, clock, key) = (Arc::clone(&file), Arc::clone(clock), order.key.clone());
        Arc::new(move || file.write(&Entry { format: 1, key: key.clone(), sent_at: clock.now(), action: None }))
    };
    match defender.order(order, doubt, &record).await {
        Ok(Ordered { action, found }) => {
            file.write(&entry(clock.now(), Some(action.id.clone()))).with_context(|| {
                let path = file.path().display();
                format!(
                    "action {} was ordered, but that cannot be written to {path}; do not repeat the order",
                    action.id
                )
            })?;
            Ok(if found { Given::Before(action) } else { Given::Sent(action) })
        }
        Err(error) => {
            // What surely did nothing leaves the file as it was before; what may have acted leaves its doubt.
            if !matches!(&*error.kind, DefenderErrorKind::InDoubt(_) | DefenderErrorKind::Undelivered(_)) {
                match known.filter(|entry| entry.action.is_some()) {
                    Some(before) => {
                        file.write(&before).context("the order was refused, but the state cannot be written")?
                    }
                    None => file.clear()?,
                }
            }
            Err(error.into())
        }
    }
}

impl Request<'_> {
    fn effect(&self, key: &OrderKey) -> Effect {
        Effect {
            operation: format!("{}/{}", guard::DEFENDER, self.what.operation_id()),
            target: self.label.to_owned(),
            names: self.names.clone(),
            unlooked: Vec::new(),
            door: Door::Device,
            reference: format!("order-{}", key.as_str()),
            undoes: self.what.undoes(),
        }
    }

    /// The user's key makes the same order for ever; without one, the moment makes it another.
    fn new_key(&self, context: &Context) -> OrderKey {
        let moment = context.clock.now().to_string();
        let last = self.key.map_or(["now", &moment], |key| ["key", key]);
        OrderKey::derive(&[self.tenant, &self.machine.0, &self.described(), last[0], last[1]])
    }

    /// The order with what belongs to it: another file is another order, another scope of isolation is not.
    fn described(&self) -> String {
        match &self.what {
            DeviceOrder::QuarantineFile { sha1 } => format!("{} {sha1}", self.what.kind()),
            what => what.kind().to_owned(),
        }
    }

    fn file_name(&self) -> String {
        let key = self.key.map_or_else(String::new, |key| format!("-key-{}", OrderKey::derive(&[key]).as_str()));
        file_name(&format!("{}-{}{key}.json", self.machine.0, self.described()))
    }
}

/// So long the same command is taken for the same order after it was carried out.
const SAME_ORDER_FOR: SignedDuration = SignedDuration::from_hours(1);
