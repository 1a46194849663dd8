//! A run's journal as lines that people read.

use sortie_engine::{
    decide::{Doubt, Seen},
    machine::Resolution,
};
use sortie_runner::journal::{Entry, Happened};

use crate::output::visible;

/// One entry as a line: when, at which step, what. `None` for what only a program wants to know.
pub(crate) fn line(entry: &Entry) -> Option<String> {
    let what = words(&entry.what)?;
    let step = entry.step.as_deref().unwrap_or("");
    Some(visible(&format!("{}  {step:<24} {what}", entry.at.strftime("%H:%M:%S"))))
}

fn words(what: &Happened) -> Option<String> {
    Some(match what {
        Happened::Begun => "the run begins".to_owned(),
        Happened::Decided { gave: true } => return None,
        Happened::Decided { gave: false } => "its condition is not met".to_owned(),
        Happened::Listed { items } => format!("{items} items"),
        Happened::Broken { why } => format!("cannot be evaluated: {why}"),
        Happened::Calling { call, attempt: 1 } => format!("calls {call}"),
        Happened::Calling { call, attempt } => format!("calls {call} again, for the {attempt}. time"),
        Happened::Answered { .. } => return None,
        Happened::Failed { why, next, .. } => format!("failed: {why}. {next}"),
        Happened::WouldSend { call, request } => match request["untold"].as_str() {
            Some(why) => format!("would call {call}, with what cannot be told before: {why}"),
            None => format!("would call {call}: {request}"),
        },
        Happened::Looked { seen } => format!("looked whether it was carried out: {}", seen_words(*seen)),
        Happened::Followed { well: true } => "what it started has ended well".to_owned(),
        Happened::Followed { well: false } => "what it started has not ended well".to_owned(),
        Happened::CalledOff { failed: None } => "what it started was called off".to_owned(),
        Happened::CalledOff { failed: Some(why) } => format!("what it started cannot be called off: {why}"),
        Happened::Waits { until } => format!("waits until {until:.0}"),
        Happened::Asked { ask, until } => format!("asks, until {until:.0}: {ask}"),
        Happened::Approval { approves, by, why } => {
            let why = why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
            format!("{} by {by}{why}", if *approves { "approved" } else { "rejected" })
        }
        Happened::Child { workflow } => format!("starts workflow {workflow}"),
        Happened::Doubt { why: Doubt::Changed } => {
            "somebody has changed it since; a person must look whether it is still to be changed".to_owned()
        }
        Happened::Doubt { .. } => {
            "it is not known whether it was carried out; a person must look, and say so".to_owned()
        }
        Happened::Resolved { resolution, by } => {
            let said = match resolution {
                Resolution::Happened => "it was carried out",
                Resolution::DidNotHappen => "it was not carried out",
                Resolution::GiveUp => "nobody will find out",
            };
            format!("{by} says: {said}")
        }
        Happened::Held { why } => format!("held: {why}"),
        Happened::Console { lines } => format!("printed: {}", lines.join(" | ")),
        Happened::Ended { outcome, skipped } => {
            let why = skipped.map(|why| format!(" ({})", serde_word(&why))).unwrap_or_default();
            format!("{}{why}", outcome.word())
        }
        Happened::Cancel { by } => format!("{by} gives the run up"),
        Happened::Finished { outcome, handled, message } => {
            let handled = if *handled { ", and dealt with" } else { "" };
            let message = message.as_ref().map(|text| format!(": {text}")).unwrap_or_default();
            format!("the run has ended: {}{handled}{message}", outcome.word())
        }
    })
}

fn seen_words(seen: Seen) -> &'static str {
    match seen {
        Seen::Found => "it was",
        Seen::Absent => "it was not",
        Seen::NotYet => "it does not show yet",
        Seen::Newer => "it was not, and somebody has changed it since",
        Seen::Unclear => "it cannot be seen",
    }
}

fn serde_word(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value)
        .ok()
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_default()
        .replace('_', " ")
}
