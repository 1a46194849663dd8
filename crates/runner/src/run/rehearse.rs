//! Runs that only show what they would do: what a call would answer that was not made is not known, and neither is what is
//! computed of it. That is said in its place, and no fault of the document.

use serde_json::{Value, json};
use sortie_engine::{
    machine::{Address, Evaluated, What},
    template::Reads,
};
use sortie_store::RunMode;

use super::{DriveError, Session};

impl Session {
    pub(super) fn is_rehearsal(&self) -> bool {
        self.run.mode != RunMode::Live
    }

    /// Nobody knows what this step would leave.
    pub(super) fn leave_untold(&mut self, at: &Address) {
        let place = at.to_string();
        self.pending.leave(format!("{place}{MARK}"), &true);
        self.untold.insert(place);
    }

    /// Whether a text reads, of any step, what nobody knows.
    pub(super) async fn reads_untold(&mut self, at: &Address, reads: &[&Reads]) -> Result<bool, DriveError> {
        if !self.is_rehearsal() {
            return Ok(false);
        }
        let ids: Vec<&str> = reads.iter().flat_map(|reads| reads.steps()).map(|(id, _)| id).collect();
        for id in ids {
            let Some(address) = self.step_called(id, at) else { continue };
            let whole = address.whole().to_string();
            // Of a loop any item will do.
            let is_of_it = |place: &str| place == whole || place.starts_with(&format!("{whole}["));
            if self.untold.iter().any(|place| is_of_it(place)) {
                return Ok(true);
            }
            let kept = self.shared.store.run_values(self.scope(), self.run.id, &whole).await?;
            if kept.iter().filter_map(|(place, _)| place.strip_suffix(MARK)).any(is_of_it) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// In the place of what cannot be evaluated without what nobody knows.
    pub(super) fn untold(&mut self, at: &Address, what: What) -> Evaluated {
        if what == What::When {
            // What the step does is to be seen.
            return Evaluated::Truth(true);
        }
        self.left.insert(at.to_string(), (Value::Null, Value::Null));
        self.leave_untold(at);
        match what {
            What::Wait => Evaluated::After(std::time::Duration::ZERO),
            What::List => self.listed(at, json!([])).unwrap_or(Evaluated::Broken),
            _ => Evaluated::Done,
        }
    }
}

/// Behind the place of a step whose output is not known.
const MARK: &str = "#untold";
