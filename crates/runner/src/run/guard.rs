//! Guardrails in front of a call: what they must know of it, and what becomes of one that may not leave.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use sortie_connector::MetKind;
use sortie_engine::machine::{Address, CallEnd, Event};
use sortie_store::{Admission, Decision, Guard, NewApproval, ProtectedBy};

use super::{
    DriveError, Hold, HoldKind, Session,
    leave::{Errand, Leaving},
};
use crate::{
    calls::Prepared,
    journal::Happened,
    outside::{Meeting, Trouble, TroubleKind},
};

impl Session {
    /// What guardrails must know of a call that is about to leave.
    pub(super) async fn guard_of(
        &mut self,
        at: &Address,
        prepared: &Prepared,
    ) -> Result<Result<Guard, Trouble>, DriveError> {
        let place = format!("{at}#guard");
        let subject = prepared.subject();
        let rails = self.shared.store.guardrails_in_force(self.scope()).await?;
        let mut wanted: Vec<ProtectedBy> = rails.protected.iter().map(|rule| rule.by).collect();
        wanted.dedup();
        let (mut names, mut approved, mut looked_up) = (Vec::new(), false, None);
        if let (Some(connected), false) = (prepared.connected(), wanted.is_empty() || subject.met.is_empty()) {
            let meeting = Meeting { connected, met: &subject.met, wanted: &wanted };
            names = match self.shared.calls.outside.known_as(meeting).await {
                Ok(names) => names,
                Err(trouble) => return Ok(Err(trouble)),
            };
            looked_up = Some(&*wanted);
            let questions = self.shared.store.approvals_of(self.scope(), self.run.id).await?;
            let question = questions.iter().rfind(|question| question.new.place == place);
            match question.and_then(|question| question.decision) {
                Some(Decision::Approved) => approved = true,
                Some(_) => return Ok(Err(forbidden(&prepared.order.name()))),
                None => {}
            }
        }
        let operation = match subject.operation {
            Some(known) => format!("{DEFENDER}/{known}"),
            None => format!("{}/{}", prepared.order.connector, prepared.operation().id),
        };
        let target = match &subject.met[..] {
            [] => prepared.target.clone(),
            met => met.iter().map(|met| met.id.as_str()).collect::<Vec<_>>().join(", "),
        };
        let meets = |kind: MetKind| subject.met.iter().any(|met| met.kind == kind);
        let unlooked = ProtectedBy::unlooked(meets(MetKind::Device), meets(MetKind::User), looked_up);
        Ok(Ok(Guard { operation, target, names, unlooked, undoes: subject.undoes, approved }))
    }

    /// A guardrail does not let it leave: it waits, a person is asked, or it is only recorded.
    pub(super) fn guarded(&mut self, leaving: &mut Vec<Leaving>, intent: usize, admission: &Admission) {
        let Some(Leaving { at, attempt, prepared, errand, .. }) = self.stays(leaving, intent) else { return };
        match errand {
            Errand::Call => self.call_guarded(at, attempt, &prepared, admission),
            Errand::Notice => {
                let why = format!("{} does not leave: {}", prepared.order.name(), in_words(admission));
                self.note(Some(&at), Happened::Held { why });
            }
            Errand::CallOff { .. } => {
                let why = format!("{} does not leave: {}", prepared.order.name(), in_words(admission));
                match self.held_until(admission) {
                    Some(until) => self.hold_back(at, attempt, why, until),
                    None => self.not_called_off(&at, attempt, why, None),
                }
            }
        }
    }

    fn call_guarded(&mut self, at: Address, attempt: u32, prepared: &Prepared, admission: &Admission) {
        let (now, call) = (self.shared.clock.now(), prepared.order.name());
        let later = |by: SignedDuration| now.checked_add(by).unwrap_or(Timestamp::MAX);
        let (why, until) = match admission {
            Admission::Admitted => (String::new(), now),
            Admission::Observed => {
                self.note(Some(&at), Happened::WouldSend { call, request: prepared.shown() });
                self.left.insert(at.to_string(), (Value::Null, Value::Null));
                return self.events.push_back(Event::Ended { at, attempt, result: CallEnd::Answered });
            }
            Admission::Held { .. } => (in_words(admission), later(HELD_PAUSE)),
            Admission::OverCeiling { ceiling, until: None } => {
                let what = format!("{call} may happen {ceiling} times an hour");
                let next = "`sortie guardrail set` changes the ceiling.";
                return self.refused(at, attempt, &Trouble::refused(TroubleKind::Forbidden, what, next));
            }
            Admission::OverCeiling { ceiling, until: Some(until) } => {
                (format!("{call} has happened {ceiling} times within an hour, as often as it may"), *until)
            }
            Admission::Protected { rule } => {
                let ask = format!("{call} meets {}, which `{rule}` protects. Let it?", prepared.target);
                let place = format!("{at}#guard");
                let ends = later(ASKED_FOR);
                let approval =
                    NewApproval { place, ask: ask.clone(), roles: vec!["admin".to_owned()], own: false, ends };
                self.pending.asked.push(approval);
                self.note(Some(&at), Happened::Asked { ask: ask.clone(), until: ends });
                (format!("`{rule}` protects what {call} meets; an administrator is asked"), ends)
            }
        };
        self.hold_back(at, attempt, why, until);
    }

    /// Until when something is worth another try that a guardrail does not let leave; `None` where it never is.
    fn held_until(&self, admission: &Admission) -> Option<Timestamp> {
        match admission {
            Admission::Held { .. } => self.shared.clock.now().checked_add(HELD_PAUSE).ok(),
            Admission::OverCeiling { until, .. } => *until,
            Admission::Admitted | Admission::Observed | Admission::Protected { .. } => None,
        }
    }

    fn hold_back(&mut self, at: Address, attempt: u32, why: String, until: Timestamp) {
        self.note(Some(&at), Happened::Held { why: why.clone() });
        self.pending.is_news = true;
        self.holds.insert(at, Hold { attempt, kind: HoldKind::Guard, why, until });
    }
}

fn in_words(admission: &Admission) -> String {
    match admission {
        Admission::Admitted => String::new(),
        Admission::Observed => "effects are only observed".to_owned(),
        Admission::Held { why, by, .. } => format!("{by} holds all effects: {why}"),
        Admission::OverCeiling { ceiling, .. } => {
            format!("it has happened {ceiling} times within an hour, as often as it may")
        }
        Admission::Protected { rule } => format!("`{rule}` protects what it meets"),
    }
}

fn forbidden(call: &str) -> Trouble {
    let what = format!("{call} meets what is protected, and nobody has allowed it");
    Trouble::refused(TroubleKind::Forbidden, what, "Ask an administrator, and start the run again.")
}

/// The connector whose operations guardrails know by name.
const DEFENDER: &str = "microsoft-365-defender";
const HELD_PAUSE: SignedDuration = SignedDuration::from_secs(30);
const ASKED_FOR: SignedDuration = SignedDuration::from_hours(24);
