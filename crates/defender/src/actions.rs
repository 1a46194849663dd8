//! Machine actions: the orders to devices as Defender for Endpoint lists them.

use jiff::Timestamp;
use serde_json::json;
use sortie_model::{ActionId, MachineId, Secret};
use sortie_transport::{Effect, Priority, Request};

use crate::{
    Defender, Document, Pages,
    client::malformed,
    document::{instant, text},
    error::DefenderError,
    operation::Operation,
    pages::{add_filter, equals},
};

/// One order to one device.
#[derive(Clone, Debug)]
pub struct MachineAction {
    /// A GUID.
    pub id: ActionId,
    /// `Isolate`, `RunAntiVirusScan` and so on, as the service spells it.
    pub kind: String,
    /// `Full`, `Selective`, `Quick`.
    pub scope: Option<String>,
    /// Where it stands.
    pub status: ActionStatus,
    /// The device.
    pub machine: Option<MachineId>,
    /// The device's name.
    pub machine_name: Option<String>,
    /// Who ordered it: a person, or an application by name or id.
    pub requestor: Option<String>,
    /// Why; ours carries the order's key at its end.
    pub comment: Option<String>,
    /// When it was ordered.
    pub created: Option<Timestamp>,
    /// When it last changed.
    pub updated: Option<Timestamp>,
    /// What the device said about a failure.
    pub trouble: Option<String>,
    /// Everything that the service sent.
    pub document: Document,
}

/// Where an action stands: `Pending`, then `InProgress`, then one of the four final ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ActionStatus {
    /// The device has not taken it up.
    Pending,
    /// The device works on it.
    InProgress,
    /// Done.
    Succeeded,
    /// The device could not do it.
    Failed,
    /// The device did not do it in time.
    TimeOut,
    /// Somebody took it back.
    Cancelled,
    /// A word that this version does not know; it counts as open.
    Other(String),
}

/// Which actions are wanted; everything that is set must hold.
#[derive(Clone, Debug, Default)]
pub struct ActionFilter {
    /// Of this device.
    pub machine: Option<MachineId>,
    /// Of this kind, as the service spells it.
    pub kind: Option<String>,
    /// In this state, as the service spells it.
    pub status: Option<String>,
    /// Ordered at or after.
    pub created_since: Option<Timestamp>,
}

impl MachineAction {
    /// Reads what can be read. Without an id it cannot be followed.
    pub fn read(document: &Document) -> Option<Self> {
        let value = document.to_value();
        let word = |name: &str| text(&value, &[name]);
        Some(Self {
            id: ActionId(word("id")?),
            kind: word("type").unwrap_or_default(),
            scope: word("scope"),
            status: ActionStatus::of(&word("status").unwrap_or_default()),
            machine: word("machineId").map(MachineId),
            machine_name: word("computerDnsName"),
            requestor: word("requestor"),
            comment: word("requestorComment"),
            created: instant(&value, &["creationDateTimeUtc"]),
            // Lists and single answers spell it differently.
            updated: instant(&value, &["lastUpdateDateTimeUtc", "lastUpdateTimeUtc"]),
            trouble: word("troubleshootInfo"),
            document: document.clone(),
        })
    }
}

impl ActionStatus {
    /// Reads a status in any letter case.
    pub fn of(word: &str) -> Self {
        let known = [
            ("Pending", Self::Pending),
            ("InProgress", Self::InProgress),
            ("Succeeded", Self::Succeeded),
            ("Failed", Self::Failed),
            ("TimeOut", Self::TimeOut),
            ("Cancelled", Self::Cancelled),
        ];
        let found = known.into_iter().find(|(name, _)| word.eq_ignore_ascii_case(name));
        found.map_or_else(|| Self::Other(word.to_owned()), |(_, status)| status)
    }

    /// Whether it will not change any more.
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::TimeOut | Self::Cancelled)
    }
}

impl std::fmt::Display for ActionStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Pending => "Pending",
            Self::InProgress => "InProgress",
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
            Self::TimeOut => "TimeOut",
            Self::Cancelled => "Cancelled",
            Self::Other(word) => word,
        })
    }
}

impl Defender {
    /// The actions that match, newest first, as the service lists them.
    ///
    /// # Errors
    /// [`DefenderError`] when the cloud has no such API.
    pub fn actions(&self, filter: &ActionFilter) -> Result<Pages<'_>, DefenderError> {
        let doing = "list machine actions";
        let mut url = self.address(Operation::MachineRead, &["api", "machineactions"], doing)?;
        url.query_pairs_mut().append_pair("$top", &ACTIONS_TOP.to_string());
        add_filter(&mut url, &filter.terms());
        Ok(Pages::of(self, Operation::MachineRead, doing, "id", url).full_at(ACTIONS_TOP))
    }

    /// One action.
    ///
    /// # Errors
    /// [`DefenderError`]; `NotFound` for an unknown id.
    pub async fn action(&self, id: &ActionId) -> Result<MachineAction, DefenderError> {
        let doing = format!("read machine action {id}");
        let request = self.get(Operation::MachineRead, &["api", "machineactions", &id.0], &doing)?;
        self.read_one(Operation::MachineRead, request, &doing, MachineAction::read).await
    }

    /// Takes an action back that is not final yet; to do it twice changes nothing.
    ///
    /// # Errors
    /// [`DefenderError`]; `NotFound` for an unknown id, `Refused` for a final action.
    pub async fn cancel_action(&self, id: &ActionId, reason: &str) -> Result<MachineAction, DefenderError> {
        let doing = format!("cancel machine action {id}");
        let url = self.address(Operation::ActionCancel, &["api", "machineactions", &id.0, "cancel"], &doing)?;
        let body = json!({ "Comment": reason });
        let request = Request::post(url).json(&body).effect(Effect::Overwrite).priority(Priority::Response);
        let response = self.call(Operation::ActionCancel, request, &doing).await?;
        read_action(&response.text(), &doing)
    }

    /// Where the collected investigation package can be fetched; the address is itself a credential for some minutes.
    ///
    /// # Errors
    /// [`DefenderError`]; `NotFound` while the collection is not complete.
    pub async fn package_uri(&self, id: &ActionId) -> Result<Secret, DefenderError> {
        let doing = format!("get the package of machine action {id}");
        let path = ["api", "machineactions", &id.0, "getPackageUri"];
        let request = self.get(Operation::PackageUri, &path, &doing)?;
        let response = self.call(Operation::PackageUri, request, &doing).await?;
        let value: serde_json::Value = response.json().unwrap_or_default();
        let link = text(&value, &["value"]).ok_or_else(|| malformed(&doing, "an answer without an address"))?;
        // The address stands in quotes of its own within the string.
        Ok(Secret::new(link.trim_matches('"')))
    }
}

/// An action from the answer to an order or a reading.
pub(crate) fn read_action(body: &str, doing: &str) -> Result<MachineAction, DefenderError> {
    MachineAction::read(&Document::new(body)).ok_or_else(|| malformed(doing, "a machine action without an id"))
}

impl ActionFilter {
    fn terms(&self) -> Vec<String> {
        let terms = [
            self.machine.as_ref().map(|id| equals("machineId", &id.0)),
            self.kind.as_ref().map(|kind| equals("type", kind)),
            self.status.as_ref().map(|status| equals("status", status)),
            self.created_since.map(|at| format!("creationDateTimeUtc ge {at}")),
        ];
        terms.into_iter().flatten().collect()
    }
}

/// The service takes up to 10,000; smaller pages keep memory small.
const ACTIONS_TOP: usize = 1_000;
