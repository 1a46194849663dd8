//! Guardrails in front of a call: what they must know of it, and what becomes of one that may not leave.

use jiff::SignedDuration;
use serde_json::Value;
use sortie_engine::machine::{Address, CallEnd, Event};
use sortie_store::{Admission, Decision, Guard, NewApproval, ProtectedBy};

use super::{DriveError, Hold, HoldKind, Session, calls::Leaving};
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
        let (mut names, mut approved) = (Vec::new(), false);
        if let (Some(connected), false) = (prepared.connected(), wanted.is_empty() || subject.met.is_empty()) {
            let meeting = Meeting { connected, met: &subject.met, wanted: &wanted };
            names = match self.shared.calls.outside.known_as(meeting).await {
                Ok(names) => names,
                Err(trouble) => return Ok(Err(trouble)),
            };
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
            None => format!("{}/{}", prepared.order.connector, prepared.operation.id),
        };
        let target = match &subject.met[..] {
            [] => prepared.target.clone(),
            met => met.iter().map(|met| met.id.as_str()).collect::<Vec<_>>().join(", "),
        };
        Ok(Ok(Guard { operation, target, names, undoes: subject.undoes, approved }))
    }

    /// A guardrail does not let it leave: it waits, a person is asked, or it is only recorded.
    pub(super) async fn guarded(
        &mut self,
        leaving: &mut Vec<Leaving>,
        intent: usize,
        admission: &Admission,
    ) -> Result<(), DriveError> {
        let Some(Leaving { at, attempt, prepared }) = self.stays(leaving, intent) else { return Ok(()) };
        let (now, call) = (self.shared.clock.now(), prepared.order.name());
        let later = |by: SignedDuration| now.checked_add(by).unwrap_or(jiff::Timestamp::MAX);
        let (why, until) = match admission {
            Admission::Admitted => (String::new(), now),
            Admission::Observed => {
                self.note(Some(&at), Happened::WouldSend { call, request: prepared.shown() });
                self.left.insert(at.to_string(), (Value::Null, Value::Null));
                self.events.push_back(Event::Ended { at, attempt, result: CallEnd::Answered });
                return Ok(());
            }
            Admission::Held { why, by, .. } => (format!("{by} holds all effects: {why}"), later(HELD_PAUSE)),
            Admission::OverCeiling { ceiling, until: None } => {
                let what = format!("{call} may happen {ceiling} times an hour");
                let next = "`sortie guardrail set` changes the ceiling.";
                self.refused(at, attempt, &Trouble::refused(TroubleKind::Forbidden, what, next));
                return Ok(());
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
        self.note(Some(&at), Happened::Held { why: why.clone() });
        self.pending.is_news = true;
        self.holds.insert(at, Hold { attempt, kind: HoldKind::Guard, why, until });
        Ok(())
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
