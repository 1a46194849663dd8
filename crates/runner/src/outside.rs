//! What lies outside of a run: products behind connections, and scripts in their children.

use std::{fmt, future::Future, pin::Pin, sync::Arc, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sortie_connector::{Caller, Credential, MailServer, Met, Target};
use sortie_engine::decide::Delivery;
use sortie_model::Secret;
use sortie_openapi::{Description, Operation};
use sortie_store::{KnownAs, ProtectedBy, TenantKey};
use sortie_transport::Transport;

/// What an asynchronous method of a trait gives.
pub type Doing<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The products that steps call, as far as connections lead to them.
pub trait Outside: Send + Sync {
    /// The connector of this id, as it is used for the tenant: as it was when it was pinned, else as it is now. Never another
    /// one than what was pinned: what is not kept any more is a refusal.
    fn product<'a>(
        &'a self,
        tenant: TenantKey,
        connector: &'a str,
        pinned: Option<&'a str>,
    ) -> Doing<'a, Result<Arc<Product>, Trouble>>;

    /// What a run pins that begins now: the version of the description in force. It can be had for a day at least, and for as
    /// long as an open run has it in its snapshot.
    fn pin<'a>(&'a self, tenant: TenantKey, connector: &'a str) -> Doing<'a, Result<String, Trouble>> {
        Box::pin(async move { Ok(self.product(tenant, connector, None).await?.version.clone()) })
    }

    /// The connection that the tenant's calls of an operation go through: the named one, else the tenant's own, else the one
    /// for all; never another tenant's.
    fn connect<'a>(&'a self, wanted: Wanted<'a>) -> Doing<'a, Result<Arc<Connected>, Trouble>>;

    /// Everything by which those whom a call meets may be protected: names, tags, ids, roles; asked from the service itself,
    /// before the call leaves. What cannot be found out is a refusal.
    fn known_as<'a>(&'a self, meeting: Meeting<'a>) -> Doing<'a, Result<Vec<KnownAs>, Trouble>>;

    /// Runs a script.
    fn script<'a>(&'a self, script: Script<'a>) -> Doing<'a, Result<ScriptDone, Trouble>>;
}

/// A connector with its description.
#[derive(Debug)]
pub struct Product {
    /// Its id.
    pub id: String,
    /// Another one for each description, edits included.
    pub version: String,
    /// Its operations.
    pub description: Description,
}

/// Which connection is wanted.
#[derive(Clone, Copy)]
pub struct Wanted<'a> {
    /// For whose call.
    pub tenant: TenantKey,
    /// To what.
    pub product: &'a Arc<Product>,
    /// For which operation; its audience decides what the token is for. `None` for a native call.
    pub operation: Option<&'a Operation>,
    /// By which name.
    pub name: Option<&'a str>,
}

/// Whom a call meets that is about to leave.
#[derive(Clone, Copy)]
pub struct Meeting<'a> {
    /// Through which it leaves.
    pub connected: &'a Connected,
    /// Devices and users.
    pub met: &'a [Met],
    /// By what the guardrails in force protect.
    pub wanted: &'a [ProtectedBy],
}

/// A connection that is ready to call.
pub struct Connected {
    /// As people name it.
    pub name: String,
    /// The guarded way out.
    pub caller: Caller,
    /// The same for what is no HTTP.
    pub transport: Transport,
    /// Where it leads.
    pub target: Target,
    /// What it proves itself with.
    pub credential: Credential,
    /// The account's name and secret, where a native call sends them itself.
    pub account: (Option<String>, Option<Secret>),
    /// Origins that its secret may go to.
    pub destinations: Vec<String>,
    /// The mail server behind it, where it leads to one.
    pub mail: Option<MailServer>,
}

impl fmt::Debug for Connected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connected").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A script to be run.
#[derive(Clone, Copy, Debug)]
pub struct Script<'a> {
    /// `export default (ctx) => ...`.
    pub text: &'a Arc<str>,
    /// Its `ctx`.
    pub input: &'a Value,
    /// When it is killed.
    pub limit: Duration,
    /// What it takes for now.
    pub now: Timestamp,
    /// Drives its random numbers.
    pub seed: u64,
}

/// What a script gave.
#[derive(Clone, Debug, PartialEq)]
pub struct ScriptDone {
    /// Its result.
    pub output: Value,
    /// What it printed.
    pub console: Vec<String>,
}

/// Why a call or a script gave nothing.
#[derive(Clone, Debug, PartialEq, thiserror::Error, Serialize, Deserialize)]
#[error("{what}")]
pub struct Trouble {
    /// How far it had come.
    pub delivery: Delivery,
    /// Who must act.
    pub kind: TroubleKind,
    /// What failed, about what.
    pub what: String,
    /// What to do next, as a full sentence.
    pub next: String,
    /// The remote's status, where it answered.
    pub status: Option<u16>,
    /// How long the service wants to be left alone.
    pub retry_after: Option<Duration>,
    /// What a script printed before it failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub console: Vec<String>,
}

/// Who must act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TroubleKind {
    /// The author: what the document asks for cannot be made.
    Document,
    /// The operator: the connection does not authenticate. Every run of it waits.
    Connection,
    /// The service refused, or did not answer.
    Service,
    /// A guardrail or a person said no.
    Forbidden,
    /// A script failed.
    Script,
}

impl Trouble {
    /// Something that no repetition changes and that has done nothing.
    pub fn refused(kind: TroubleKind, what: impl Into<String>, next: impl Into<String>) -> Self {
        Self {
            delivery: Delivery::Refused,
            kind,
            what: what.into(),
            next: next.into(),
            status: None,
            retry_after: None,
            console: Vec::new(),
        }
    }

    /// As a step's `error`.
    pub fn as_error(&self) -> Value {
        json!({ "kind": self.kind, "what": self.what, "next": self.next, "status": self.status })
    }
}
