//! Orders to devices, each carried out once: doubt is settled by looking for our key, never by sending again on a guess.
//!
//! The key stands at the end of the comment that every machine action carries. Before an order is sent, open actions of
//! its kind are looked for, because the service accepts a second isolation and then works the two off in any order. An
//! answer that is lost (timeout, reset, 5xx, a body that cannot be read) says nothing about the effect: the actions of the
//! device are read until ours shows up or the settle time has passed, for the service lists an action some seconds after
//! it has accepted it.

use std::{sync::Arc, time::Duration};

use aws_lc_rs::digest::{SHA256, digest};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sortie_model::MachineId;
use sortie_transport::{Delivery, Effect, Priority, Record, Request};
use url::Url;

use crate::{
    ActionFilter, Defender, MachineAction,
    actions::read_action,
    error::{DefenderError, DefenderErrorKind},
    operation::Operation,
};

/// What a device is told to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeviceOrder {
    /// Cut off from the network but for Defender; `selective` leaves Outlook, Teams and Skype.
    Isolate {
        /// Leave them their connection.
        selective: bool,
    },
    /// Back on the network.
    Release,
    /// A scan by the antivirus.
    Scan {
        /// All of it instead of the usual places.
        full: bool,
    },
    /// Only Microsoft-signed code runs.
    Restrict,
    /// Any code runs again.
    Unrestrict,
    /// Collect the investigation package.
    Collect,
    /// Stop a file's processes and quarantine it.
    QuarantineFile {
        /// 40 hexadecimal digits.
        sha1: String,
    },
    /// Defender for Endpoint leaves the device for good.
    Offboard,
}

/// One order to one device.
#[derive(Clone, Debug)]
pub struct Order {
    /// The device.
    pub machine: MachineId,
    /// What it is told.
    pub what: DeviceOrder,
    /// Why; the service shows it beside the action.
    pub reason: String,
    /// The same key is the same order, however often it is given.
    pub key: OrderKey,
}

/// What tells one order from another: 16 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OrderKey(String);

/// An order that the service has taken.
#[derive(Clone, Debug)]
pub struct Ordered {
    /// The action as the service gave it last.
    pub action: MachineAction,
    /// Whether it was found by its key instead of being sent now.
    pub found: bool,
}

/// The POST that gives an order.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    /// Where it goes.
    pub url: Url,
    /// What it says.
    pub body: Value,
}

impl OrderKey {
    /// The key of an order that these parts describe; other parts give another key.
    pub fn derive(parts: &[&str]) -> Self {
        let mut text = Vec::new();
        for part in parts {
            // The length keeps ("a", "bc") and ("ab", "c") apart.
            text.extend_from_slice(&(part.len() as u64).to_be_bytes());
            text.extend_from_slice(part.as_bytes());
        }
        let hash = digest(&SHA256, &text);
        Self(hash.as_ref()[..8].iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// Its 16 digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key as it stands in a comment. Fixed in form and length, so that it can be looked for.
    pub fn mark(&self) -> String {
        format!("[sortie:{}]", self.0)
    }
}

impl DeviceOrder {
    /// The kind of action that the service makes of it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Isolate { .. } => "Isolate",
            Self::Release => "Unisolate",
            Self::Scan { .. } => "RunAntiVirusScan",
            Self::Restrict => "RestrictCodeExecution",
            Self::Unrestrict => "UnrestrictCodeExecution",
            Self::Collect => "CollectInvestigationPackage",
            Self::QuarantineFile { .. } => "StopAndQuarantineFile",
            Self::Offboard => "Offboard",
        }
    }

    /// The order in words: `isolate`.
    pub fn verb(&self) -> &'static str {
        match self {
            Self::Isolate { .. } => "isolate",
            Self::Release => "release",
            Self::Scan { .. } => "scan",
            Self::Restrict => "restrict code on",
            Self::Unrestrict => "lift the restriction of",
            Self::Collect => "collect the package of",
            Self::QuarantineFile { .. } => "quarantine the file on",
            Self::Offboard => "offboard",
        }
    }

    /// What the connector that comes along calls it.
    pub fn operation_id(&self) -> &'static str {
        match self {
            Self::Isolate { .. } => "isolate-device",
            Self::Release => "release-device",
            Self::Scan { .. } => "scan-device",
            Self::Restrict => "restrict-device",
            Self::Unrestrict => "unrestrict-device",
            Self::Collect => "collect-device-package",
            Self::QuarantineFile { .. } => "quarantine-file",
            Self::Offboard => "offboard-device",
        }
    }

    /// Whether it gives back what another order took away.
    pub fn undoes(&self) -> bool {
        matches!(self, Self::Release | Self::Unrestrict)
    }

    /// The kind that undoes it, where there is one.
    pub fn opposite(&self) -> Option<&'static str> {
        match self {
            Self::Isolate { .. } => Some("Unisolate"),
            Self::Release => Some("Isolate"),
            Self::Restrict => Some("UnrestrictCodeExecution"),
            Self::Unrestrict => Some("RestrictCodeExecution"),
            _ => None,
        }
    }

    fn operation(&self) -> Operation {
        match self {
            Self::Isolate { .. } | Self::Release => Operation::DeviceIsolate,
            Self::Scan { .. } => Operation::DeviceScan,
            Self::Restrict | Self::Unrestrict => Operation::DeviceRestrict,
            Self::Collect => Operation::DeviceCollect,
            Self::QuarantineFile { .. } => Operation::DeviceQuarantine,
            Self::Offboard => Operation::DeviceOffboard,
        }
    }

    /// The last segment of the address.
    fn route(&self) -> &'static str {
        match self {
            Self::Isolate { .. } => "isolate",
            Self::Release => "unisolate",
            Self::Scan { .. } => "runAntiVirusScan",
            Self::Restrict => "restrictCodeExecution",
            Self::Unrestrict => "unrestrictCodeExecution",
            Self::Collect => "collectInvestigationPackage",
            Self::QuarantineFile { .. } => "StopAndQuarantineFile",
            Self::Offboard => "offboard",
        }
    }

    fn body(&self, comment: String) -> Value {
        let mut body = Map::from_iter([("Comment".to_owned(), Value::from(comment))]);
        let more = match self {
            Self::Isolate { selective } => Some(("IsolationType", if *selective { "Selective" } else { "Full" })),
            Self::Scan { full } => Some(("ScanType", if *full { "Full" } else { "Quick" })),
            Self::QuarantineFile { sha1 } => Some(("Sha1", sha1.as_str())),
            _ => None,
        };
        body.extend(more.map(|(name, value)| (name.to_owned(), value.into())));
        Value::Object(body)
    }

    /// Whether an open action of that kind stands in the way.
    fn is_hindered_by(&self, kind: &str) -> bool {
        let same = |own: &str| own.eq_ignore_ascii_case(kind);
        // Two quarantines of different files do not hinder each other.
        !matches!(self, Self::QuarantineFile { .. }) && same(self.kind()) || self.opposite().is_some_and(same)
    }
}

impl Defender {
    /// Gives the order once. `doubt` is when an earlier attempt with the same key was sent whose answer is not known;
    /// `record` is called before each attempt leaves, so that a later process knows that time.
    ///
    /// # Errors
    /// [`DefenderError`]; `AlreadyInProgress` when an open action that is not ours stands in the way (nothing was sent),
    /// `InDoubt` when the fate of the order could not be found out.
    ///
    /// # Cancellation
    /// Dropping the future leaves the order in doubt from the moment of the call on.
    pub async fn order(
        &self,
        order: &Order,
        doubt: Option<Timestamp>,
        record: &Record,
    ) -> Result<Ordered, DefenderError> {
        let doing = format!("{} device {}", order.what.verb(), order.machine);
        let mut doubt = doubt;
        let mut reason = String::new();
        for _ in 0..SENDS_MAX {
            if let Some(since) = doubt
                && let Some(action) = self.probe(order, since, &doing).await?
            {
                return Ok(Ordered { action, found: true });
            }
            if let Some(open) = self.in_the_way(order).await? {
                return settled(order, open, &doing);
            }
            match self.send_order(order, record, &doing).await {
                Ok(action) if order.is_ours(&action) => return Ok(Ordered { action, found: false }),
                // The service answers a repeat with the action that is open already.
                Ok(action) => return Err(already_in_progress(&doing, action)),
                Err(error) if is_in_doubt(&error) => {
                    reason = error.kind.to_string();
                    doubt = Some(self.now());
                }
                Err(error) if is_active_already(&error) => {
                    // The refusal itself is certain; whose action is in the way shows once it is listed.
                    return match self.await_listing(order, self.now()).await? {
                        Some(open) => settled(order, open, &doing),
                        None => Err(error),
                    };
                }
                Err(error) => return Err(error),
            }
        }
        // Every send ended in doubt; the last one is settled as the others were.
        if let Some(since) = doubt
            && let Some(action) = self.probe(order, since, &doing).await?
        {
            return Ok(Ordered { action, found: true });
        }
        Err(DefenderError::new(&doing, DefenderErrorKind::Undelivered(reason)))
    }

    /// The call that would give the order. Nothing is sent.
    ///
    /// # Errors
    /// [`DefenderError`] where the cloud has no such API.
    pub fn draft_order(&self, order: &Order) -> Result<Draft, DefenderError> {
        self.draft(order, &format!("{} device {}", order.what.verb(), order.machine))
    }

    fn draft(&self, order: &Order, doing: &str) -> Result<Draft, DefenderError> {
        let path = ["api", "machines", &order.machine.0, order.what.route()];
        let url = self.address(order.what.operation(), &path, doing)?;
        Ok(Draft { url, body: order.what.body(order.comment()) })
    }

    /// Asks again until the action is final or `patience` is over, and gives it as it stood last. `tell` hears of each
    /// change.
    ///
    /// # Errors
    /// [`DefenderError`] when the action cannot be read; it goes on without us.
    pub async fn await_action(
        &self,
        action: MachineAction,
        patience: Duration,
        mut tell: impl FnMut(&MachineAction),
    ) -> Result<MachineAction, DefenderError> {
        let start = tokio::time::Instant::now();
        let mut pause = POLL_PAUSE_FIRST;
        let mut last = action;
        tell(&last);
        while !last.status.is_final() && start.elapsed() < patience {
            tokio::time::sleep(pause.min(patience.saturating_sub(start.elapsed()))).await;
            pause = (pause * 3 / 2).min(POLL_PAUSE_MAX);
            match self.action(&last.id).await {
                Ok(action) => {
                    if action.status != last.status {
                        tell(&action);
                    }
                    last = action;
                }
                // It was accepted; the service lists it late.
                Err(error) if is_not_found(&error) && start.elapsed() < self.settle => {}
                // The action goes on without us; a service that fails now may answer before patience is over.
                Err(error) if error.may_pass() && start.elapsed() + pause < patience => {}
                Err(error) => return Err(error),
            }
        }
        Ok(last)
    }

    /// Looks for the order's action until it shows or has had time enough to show.
    async fn probe(
        &self,
        order: &Order,
        since: Timestamp,
        doing: &str,
    ) -> Result<Option<MachineAction>, DefenderError> {
        let settle = SignedDuration::try_from(self.settle).unwrap_or(SignedDuration::MAX);
        let mut pause = PROBE_PAUSE_FIRST;
        loop {
            let age = self.now().duration_since(since);
            let actions = self.actions_of(&order.machine).await.map_err(|error| {
                let reason = format!("the device's actions cannot be read ({})", error.kind);
                DefenderError::new(doing, DefenderErrorKind::InDoubt(reason))
            })?;
            if let Some(ours) = actions.into_iter().find(|action| order.carries_key(action)) {
                return Ok(Some(ours));
            }
            // Absent counts only when the look began after the settle time. A clock that was set back waits anew.
            if age >= settle {
                return Ok(None);
            }
            let left = settle.checked_sub(age).map_or(self.settle, SignedDuration::unsigned_abs);
            tokio::time::sleep(pause.min(left).min(self.settle)).await;
            pause *= 2;
        }
    }

    /// An action that is open and must be final before this order makes sense, or that is this order already.
    async fn in_the_way(&self, order: &Order) -> Result<Option<MachineAction>, DefenderError> {
        let mut actions = self.actions_of(&order.machine).await?;
        if let Some(ours) = actions.iter().position(|action| order.carries_key(action)) {
            return Ok(Some(actions.swap_remove(ours)));
        }
        Ok(actions.into_iter().find(|action| !action.status.is_final() && order.what.is_hindered_by(&action.kind)))
    }

    async fn await_listing(&self, order: &Order, since: Timestamp) -> Result<Option<MachineAction>, DefenderError> {
        let settle = SignedDuration::try_from(self.settle).unwrap_or(SignedDuration::MAX);
        let mut pause = PROBE_PAUSE_FIRST;
        loop {
            let age = self.now().duration_since(since);
            let found = self.in_the_way(order).await?;
            if found.is_some() || age >= settle {
                return Ok(found);
            }
            tokio::time::sleep(pause.min(self.settle)).await;
            pause *= 2;
        }
    }

    async fn actions_of(&self, machine: &MachineId) -> Result<Vec<MachineAction>, DefenderError> {
        let mut pages = self.actions(&ActionFilter { machine: Some(machine.clone()), ..ActionFilter::default() })?;
        let mut actions = Vec::new();
        while let Some(page) = pages.next().await? {
            actions.extend(page.iter().filter_map(MachineAction::read));
        }
        Ok(actions)
    }

    async fn send_order(&self, order: &Order, record: &Record, doing: &str) -> Result<MachineAction, DefenderError> {
        let (operation, Draft { url, body }) = (order.what.operation(), self.draft(order, doing)?);
        let request = Request::post(url).json(&body).effect(Effect::Probed).priority(Priority::Response);
        let response = self.call(operation, request.recorded_by(Arc::clone(record)), doing).await?;
        read_action(&response.text(), doing)
    }
}

impl Order {
    /// The comment as it is sent.
    pub fn comment(&self) -> String {
        format!("{} {}", self.reason.trim(), self.key.mark())
    }

    fn carries_key(&self, action: &MachineAction) -> bool {
        action.comment.as_deref().is_some_and(|comment| comment.contains(&self.key.mark()))
    }

    /// Whether the answer to our own call is our action: a comment that came back without our key is another's.
    fn is_ours(&self, action: &MachineAction) -> bool {
        action.comment.is_none() || self.carries_key(action)
    }
}

fn settled(order: &Order, open: MachineAction, doing: &str) -> Result<Ordered, DefenderError> {
    if order.carries_key(&open) {
        return Ok(Ordered { action: open, found: true });
    }
    Err(already_in_progress(doing, open))
}

fn already_in_progress(doing: &str, action: MachineAction) -> DefenderError {
    DefenderError::new(doing, DefenderErrorKind::AlreadyInProgress(Box::new(action)))
}

/// Whether nobody can say if the order was taken.
fn is_in_doubt(error: &DefenderError) -> bool {
    match &*error.kind {
        DefenderErrorKind::Send(error) => error.delivery() == Delivery::Unknown,
        DefenderErrorKind::Failed(_) | DefenderErrorKind::Malformed(_) => true,
        _ => false,
    }
}

/// The service's two ways of saying that an action of this kind is open (pages of live response and of unisolate).
fn is_active_already(error: &DefenderError) -> bool {
    let DefenderErrorKind::Refused(error) = &*error.kind else { return false };
    let message = error.message.to_ascii_lowercase();
    error.code.eq_ignore_ascii_case("ActiveRequestAlreadyExists") || message.contains("already in progress")
}

fn is_not_found(error: &DefenderError) -> bool {
    matches!(&*error.kind, DefenderErrorKind::NotFound(_))
}

/// An order that stayed absent after the settle time is sent again so often, all in all.
const SENDS_MAX: usize = 3;
const PROBE_PAUSE_FIRST: Duration = Duration::from_millis(500);
const POLL_PAUSE_FIRST: Duration = Duration::from_secs(1);
/// 100 calls a minute are shared by all that an application does on devices.
const POLL_PAUSE_MAX: Duration = Duration::from_secs(15);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Document;

    fn order(what: DeviceOrder) -> Order {
        Order {
            machine: MachineId("a".repeat(40)),
            what,
            reason: " ransomware ".to_owned(),
            key: OrderKey::derive(&["t", "m", "1"]),
        }
    }

    #[test]
    fn the_key_has_a_fixed_form_and_its_parts_keep_their_borders() {
        let key = OrderKey::derive(&["t", "m", "1"]);
        assert_eq!(key.as_str().len(), 16);
        assert_eq!(key, OrderKey::derive(&["t", "m", "1"]));
        assert_ne!(key, OrderKey::derive(&["t", "m1", ""]));
        let order = order(DeviceOrder::Release);
        assert_eq!(order.comment(), format!("ransomware [sortie:{}]", key.as_str()));
    }

    #[test]
    fn bodies_are_the_documented_ones() {
        #[track_caller]
        fn check(what: DeviceOrder, expected: Value) {
            let mut body = what.body("c".to_owned());
            body.as_object_mut().unwrap().remove("Comment").unwrap();
            assert_eq!(body, expected, "{what:?}");
        }
        check(DeviceOrder::Isolate { selective: false }, serde_json::json!({ "IsolationType": "Full" }));
        check(DeviceOrder::Isolate { selective: true }, serde_json::json!({ "IsolationType": "Selective" }));
        check(DeviceOrder::Scan { full: false }, serde_json::json!({ "ScanType": "Quick" }));
        check(DeviceOrder::QuarantineFile { sha1: "b".into() }, serde_json::json!({ "Sha1": "b" }));
        check(DeviceOrder::Offboard, serde_json::json!({}));
    }

    #[test]
    fn only_the_own_key_makes_an_action_ours() {
        let order = order(DeviceOrder::Isolate { selective: false });
        let action = |comment: &str| {
            let text = serde_json::json!({ "id": "1", "type": "Isolate", "requestorComment": comment }).to_string();
            MachineAction::read(&Document::new(&text)).unwrap()
        };
        assert!(order.is_ours(&action(&order.comment())));
        assert!(!order.is_ours(&action("ransomware [sortie:0000000000000000]")));
        assert!(!order.is_ours(&action("by an analyst")));
    }

    #[test]
    fn the_opposite_order_stands_in_the_way_and_another_file_does_not() {
        let isolate = DeviceOrder::Isolate { selective: false };
        assert!(isolate.is_hindered_by("Isolate") && isolate.is_hindered_by("unisolate"));
        assert!(!isolate.is_hindered_by("RunAntiVirusScan"));
        let quarantine = DeviceOrder::QuarantineFile { sha1: "c".repeat(40) };
        assert!(!quarantine.is_hindered_by("StopAndQuarantineFile"));
    }
}
