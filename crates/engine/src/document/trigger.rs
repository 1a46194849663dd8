//! What starts a workflow.

use std::time::Duration;

use serde_json::Value as Json;

use super::Spanned;
use crate::text::Span;

/// One trigger.
#[derive(Clone, Debug, PartialEq)]
pub struct Trigger {
    /// What it is.
    pub kind: TriggerKind,
    /// Where it stands.
    pub span: Span,
}

/// The kinds of triggers.
#[derive(Clone, Debug, PartialEq)]
pub enum TriggerKind {
    /// A person, or a program in a person's name.
    Manual {
        /// What they give.
        inputs: Vec<Parameter>,
        /// What they pick.
        needs: Option<Needs>,
    },
    /// An incident of Microsoft Defender.
    Incident(Change),
    /// An alert of Microsoft Defender.
    Alert(Change),
    /// The clock.
    Schedule {
        /// A cron line of five fields.
        cron: Option<Spanned<String>>,
        /// The time zone of the cron line, by its IANA name.
        zone: Option<Spanned<String>>,
        /// A period.
        every: Option<Spanned<Duration>>,
        /// What happens with starts that were missed.
        catch_up: CatchUp,
    },
    /// A request from outside.
    Webhook {
        /// What proves the sender.
        secure: Secure,
        /// An expression; equal values are one start.
        dedupe: Option<Spanned<String>>,
        /// Whether the sender waits for a `respond`.
        answers: bool,
    },
    /// Rows of a query, on a schedule.
    Hunt {
        /// KQL.
        query: Spanned<String>,
        /// How often it runs.
        every: Spanned<Duration>,
        /// One run for all new rows instead of one for each.
        batch: bool,
    },
    /// Another workflow.
    Workflow {
        /// What it gives.
        inputs: Vec<Parameter>,
    },
}

/// Which changes of an object start a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// It is new.
    pub created: bool,
    /// It has changed.
    pub updated: bool,
    /// It was resolved.
    pub resolved: bool,
    /// Of `updated`: only where one of these fields changed.
    pub changed: Vec<Spanned<String>>,
    /// An expression over the object.
    pub condition: Option<Spanned<String>>,
}

/// What the starter picks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Needs {
    /// An incident.
    Incident,
    /// An alert.
    Alert,
    /// A device.
    Device,
}

impl Needs {
    /// As the document has it, and as the trigger gives it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Incident => "incident",
            Self::Alert => "alert",
            Self::Device => "device",
        }
    }
}

/// One input.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// Its name.
    pub name: Spanned<String>,
    /// What it must be: string, number, integer, boolean, list, object, or any of these.
    pub kind: String,
    /// What it is where nothing is given; then it need not be.
    pub default: Option<Json>,
    /// Words that it must be one of.
    pub choices: Vec<Json>,
    /// For people.
    pub title: Option<String>,
}

/// What happens with starts that were missed while nothing ran.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum CatchUp {
    /// One start for all of them.
    #[default]
    One,
    /// Each of them, at most a day's.
    All,
    /// None.
    None,
}

/// What proves who sent a webhook's request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Secure {
    /// HMAC-SHA256 over time and body.
    #[default]
    Hmac,
    /// A token in a header.
    Token,
}

/// What the `dedupe` of a webhook may read of its request.
pub const DEDUPE_NAMES: &[&str] = &["body", "headers", "query"];
