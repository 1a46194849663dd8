//! Where a run stands, as its row keeps it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sortie_engine::machine::{Plan, State, Timer};
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
    /// The versions of the connectors that it and those workflows call, as they were when it began. Retention reads them in the
    /// row, by this name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub connectors: BTreeMap<String, String>,
}

/// The same, of a run at work: it is written without a copy of anything.
#[derive(Serialize)]
pub(crate) struct Standing<'a> {
    pub format: u32,
    pub machine: &'a State,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub timers: Vec<(&'a Timer, i64)>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub doubts: BTreeMap<&'a String, i64>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub pins: &'a BTreeMap<String, (String, String)>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub connectors: &'a BTreeMap<String, String>,
}

/// Why a snapshot cannot be gone on from.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// Another version has written it.
    #[error("its snapshot has format {found}, and this version of Sortie knows format {known}")]
    Format {
        /// Of the snapshot.
        found: u64,
        /// Of this program.
        known: u32,
    },
    /// It holds what this version does not know, or is none.
    #[error("its snapshot cannot be read: {0}")]
    Unreadable(#[from] serde_json::Error),
    /// It is of another workflow.
    #[error("its snapshot does not fit its workflow")]
    Unfitting,
}

/// Where the machine of a run stands, by the snapshot in its row and the plan of its version.
///
/// # Errors
/// [`SnapshotError`] where nobody can go on from it.
pub fn machine_of(snapshot: &str, plan: &Plan) -> Result<State, SnapshotError> {
    let snapshot = Snapshot::read(snapshot)?;
    snapshot.fits(plan)?;
    Ok(snapshot.machine)
}

impl Snapshot {
    pub(crate) const FORMAT: u32 = 1;

    /// Of a run that nothing has happened in.
    pub(crate) fn new(seed: u64) -> Self {
        let (timers, doubts, pins, connectors) = Default::default();
        Self { format: Self::FORMAT, machine: State::new(seed), timers, doubts, pins, connectors }
    }

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

    /// Whether the machine can go on from it by this plan.
    pub(crate) fn fits(&self, plan: &Plan) -> Result<(), SnapshotError> {
        if self.machine.fits(plan) { Ok(()) } else { Err(SnapshotError::Unfitting) }
    }
}

/// A tenant's key as text.
pub(crate) fn key_text(tenant: TenantKey) -> String {
    tenant.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn instant(microseconds: i64) -> Timestamp {
    Timestamp::from_microsecond(microseconds).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use sortie_engine::{
        document::read,
        machine::{Address, Item, LoopState, Phase, RunEnd, StepState, TimerKind},
    };

    use super::*;

    const PHASES: [Phase; 12] = [
        Phase::Calling,
        Phase::Pausing,
        Phase::Looking,
        Phase::Settling,
        Phase::Following,
        Phase::Pending,
        Phase::Asking,
        Phase::Sleeping,
        Phase::Evaluating,
        Phase::Child,
        Phase::Doubt,
        Phase::CallingOff,
    ];

    /// Everything that a snapshot can hold.
    fn everything() -> Snapshot {
        use sortie_engine::{decide::Outcome, machine::Active};
        let active = |phase| Active { attempt: 2, looks: 3, misses: 1, phase, ending: Some(Outcome::TimedOut) };
        let mut machine = State::new(7);
        let steps = PHASES.into_iter().map(|phase| StepState::Active(active(phase)));
        let ended = Outcome::ALL.into_iter().filter(|outcome| outcome.is_final()).map(StepState::Ended);
        let others = [StepState::Deciding, StepState::Listing];
        machine.top.0 = (0..).zip(steps.chain(ended).chain(others)).collect();
        let body = sortie_engine::machine::Scope([(21, StepState::Deciding)].into());
        let open = [(1, Item::Deciding), (2, Item::Active(active(Phase::Pending))), (3, Item::Body(body))].into();
        machine
            .top
            .0
            .insert(20, StepState::Loop(LoopState { ended: "s...fkct".to_owned(), next: 4, open, overdue: true }));
        (machine.closing, machine.end) =
            (Some(Outcome::Cancelled), Some(RunEnd { outcome: Outcome::Failed, handled: true }));
        let at = Address::top(20).item(2).within(21);
        let kinds = [TimerKind::Timeout, TimerKind::Again, TimerKind::Wake, TimerKind::Expiry];
        Snapshot {
            format: Snapshot::FORMAT,
            machine,
            timers: kinds.into_iter().map(|kind| (Timer { at: at.clone(), kind }, 1_797_062_400_000_000)).collect(),
            doubts: [("20[2].21".to_owned(), 1_797_062_400_000_000)].into(),
            pins: [("notes".to_owned(), ("0".repeat(32), "a hash".to_owned()))].into(),
            connectors: [("kv".to_owned(), "another hash".to_owned())].into(),
        }
    }

    #[test]
    fn everything_in_a_snapshot_is_read_as_it_was_written() {
        // The first one is from before runs pinned their connectors.
        for (text, connectors) in [
            (include_str!("../tests/golden/1-snapshot.json"), BTreeMap::new()),
            (include_str!("../tests/golden/1-snapshot-connectors.json"), everything().connectors),
        ] {
            let everything = Snapshot { connectors, ..everything() };
            assert_eq!(Snapshot::read(text).unwrap(), everything);
            let written = serde_json::to_value(everything).unwrap();
            assert_eq!(serde_json::from_str::<serde_json::Value>(text).unwrap(), written);
        }
    }

    #[test]
    fn a_snapshot_fits_its_workflow_or_is_refused() {
        let text = "\
workflow: w
steps:
  - { id: a, set: { x: 1 } }
  - { id: b, for_each: list, set: { x: 1 } }
  - { id: c, for_each: list, steps: [{ id: in, set: { x: 1 } }] }
";
        let plan = Plan::of(&read(text).unwrap(), &|_, _| None);
        let check = |top: serde_json::Value, fits: bool| {
            let machine = serde_json::json!({ "format": 1, "seed": 1, "top": top, "closing": null, "end": null });
            let text = serde_json::json!({ "format": 1, "machine": machine }).to_string();
            assert_eq!(Snapshot::read(&text).unwrap().fits(&plan).is_ok(), fits, "{text}");
        };
        let each = |ended: &str, next: u32, open: serde_json::Value| serde_json::json!({ "loop": { "ended": ended, "next": next, "open": open } });
        let (active, none) =
            (serde_json::json!({ "active": { "attempt": 1, "phase": "calling" } }), serde_json::json!({}));
        let body = |number: &str| serde_json::json!({ "0": { "body": { number: { "ended": "failed" } } } });
        check(
            serde_json::json!({ "0": active, "1": each("s.", 2, serde_json::json!({ "1": active })), "2": "listing" }),
            true,
        );
        check(serde_json::json!({ "2": each("..", 1, body("3")) }), true);
        // A step that is not there, one of a body at the top, and one of the top in a body.
        check(serde_json::json!({ "4": "deciding" }), false);
        check(serde_json::json!({ "3": "deciding" }), false);
        check(serde_json::json!({ "2": each("..", 1, body("0")) }), false);
        // Loops that are none, and items that are none.
        check(serde_json::json!({ "0": each("", 0, none.clone()) }), false);
        check(serde_json::json!({ "0": "listing" }), false);
        check(serde_json::json!({ "1": active }), false);
        check(serde_json::json!({ "1": each("..", 1, body("3")) }), false);
        check(serde_json::json!({ "2": each("..", 1, serde_json::json!({ "0": active })) }), false);
        check(serde_json::json!({ "1": each("..", 3, none.clone()) }), false);
        check(serde_json::json!({ "1": each("..", 1, serde_json::json!({ "1": active })) }), false);
        check(serde_json::json!({ "1": each("\u{e9}.", 1, none.clone()) }), false);
        check(serde_json::json!({ "1": each("x.", 1, none) }), false);
    }
}
