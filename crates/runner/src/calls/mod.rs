//! One call of a step: what it comes to, the call itself, the look at what became of it, and what follows what it started.

mod follow;
mod kv;
mod link;
mod look;
mod native;
mod prepare;
mod read;
mod send;

use std::sync::Arc;

pub(crate) use follow::Sight;
pub use kv::kv;
pub(crate) use look::{Glance, InDoubt};
pub(crate) use prepare::Prepared;
pub use prepare::class_of;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use sortie_model::Clock;
use sortie_store::{RunId, Store, TenantKey};

use crate::outside::Outside;

/// A call as a step orders it: everything that a later process needs to look for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Order {
    pub connector: String,
    /// The version of the connector that its run began with; today's where it pins none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pinned: Option<String>,
    pub operation: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<String>,
    /// As evaluated, without our key.
    pub inputs: Map<String, Value>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub all_pages: bool,
    /// The same for each try.
    pub key: String,
}

/// The way to the products.
#[derive(Clone)]
pub(crate) struct Calls {
    pub outside: Arc<dyn Outside>,
    pub store: Store,
    pub clock: Arc<dyn Clock>,
}

impl Order {
    /// `connector/operation`.
    pub(crate) fn name(&self) -> String {
        format!("{}/{}", self.connector, self.operation)
    }

    /// Our key as it stands in a comment. Fixed in form and length, so that it can be looked for.
    pub(crate) fn mark(&self) -> String {
        format!("[sortie:{}]", self.key)
    }
}

/// The key of a step's effect, whichever try: 16 hexadecimal digits.
pub(crate) fn effect_key(tenant: TenantKey, run: RunId, place: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(tenant.as_bytes());
    hash.update(run.as_bytes());
    hash.update(place.as_bytes());
    hash.finalize()[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}
