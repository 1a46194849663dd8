//! Where a run stands, as its row keeps it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sortie_engine::machine::{State, Timer};
use sortie_store::TenantKey;

/// What a run goes on from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Snapshot {
    /// [`Snapshot::FORMAT`]; another one stops the run, and no other.
    pub format: u32,
    pub machine: State,
    /// When each runs out, in microseconds since 1970.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub timers: Vec<(Timer, i64)>,
    /// Since when it is not known whether a step's call was carried out: no try of it leaves any more, so its absence counts
    /// from then on.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub doubts: BTreeMap<String, i64>,
    /// The versions of the workflows that it calls, as they were when it began: home in 32 hexadecimal digits, and hash.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub pins: BTreeMap<String, (String, String)>,
}

/// Why a snapshot cannot be gone on from.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SnapshotError {
    #[error("its snapshot has format {found}, and this version of Sortie knows format {known}")]
    Format { found: u64, known: u32 },
    #[error("its snapshot cannot be read: {0}")]
    Unreadable(#[from] serde_json::Error),
}

impl Snapshot {
    pub(crate) const FORMAT: u32 = 1;

    pub(crate) fn read(text: &str) -> Result<Self, SnapshotError> {
        #[derive(Deserialize)]
        struct Format {
            format: u64,
        }
        let Format { format } = serde_json::from_str(text)?;
        if format != u64::from(Self::FORMAT) {
            return Err(SnapshotError::Format { found: format, known: Self::FORMAT });
        }
        let snapshot: Self = serde_json::from_str(text)?;
        match snapshot.machine.format {
            State::FORMAT => Ok(snapshot),
            found => Err(SnapshotError::Format { found: found.into(), known: State::FORMAT }),
        }
    }
}

/// A tenant's key as text.
pub(crate) fn key_text(tenant: TenantKey) -> String {
    tenant.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn instant(microseconds: i64) -> Timestamp {
    Timestamp::from_microsecond(microseconds).unwrap_or(Timestamp::MAX)
}
