//! What `incidents update` and `alerts update` have in common.

use clap::Args;
use sortie_defender::{Change, Classification, Determination, Status};

use crate::exit::Problem;

/// The members that can be changed.
#[derive(Args)]
pub(crate) struct ChangeArguments {
    /// New status: active (incidents) or new (alerts), inProgress, resolved
    #[arg(long, value_name = "STATUS")]
    status: Option<String>,
    /// Give it to this person, by user principal name
    #[arg(long, value_name = "USER", conflicts_with = "unassign")]
    assign: Option<String>,
    /// Take the person off
    #[arg(long)]
    unassign: bool,
    /// truePositive, falsePositive or informationalExpectedActivity
    #[arg(long, value_name = "WORD")]
    classification: Option<String>,
    /// The reason: malware, phishing, compromisedAccount, securityTesting, notMalicious and so on
    #[arg(long, value_name = "WORD")]
    determination: Option<String>,
    /// Add a comment
    #[arg(long, value_name = "TEXT")]
    comment: Option<String>,
}

impl ChangeArguments {
    /// The change; words that no API knows are refused before anything is called.
    pub(crate) fn change(&self, tags: Option<Vec<String>>) -> anyhow::Result<Change> {
        let change = Change {
            status: self.status.as_deref().map(status).transpose()?,
            assigned_to: if self.unassign { Some(String::new()) } else { self.assign.clone() },
            classification: self.classification.as_deref().map(classification).transpose()?,
            determination: self.determination.as_deref().map(determination).transpose()?,
            tags,
            comment: self.comment.clone(),
        };
        if change.is_empty() {
            return Err(Problem::usage(
                "nothing is to be changed",
                "Give at least one of the options that `--help` lists.",
            )
            .into());
        }
        Ok(change)
    }
}

macro_rules! word { ($(#[$doc:meta])* $name:ident, $type:ty, $what:literal) => {
    $(#[$doc])*
    pub(crate) fn $name(text: &str) -> anyhow::Result<$type> {
        let Ok(word) = text.trim().parse::<$type>();
        if !word.is_known() {
            let next = format!("The words are: {}.", <$type>::WORDS.join(", "));
            return Err(Problem::usage(format!("`{text}` is no {}", $what), next).into());
        }
        Ok(word)
    }
} }

word!(
    /// Reads a status in any API's spelling.
    status, Status, "status"
);
word!(
    /// Reads a severity.
    severity, sortie_defender::Severity, "severity"
);
word!(
    /// Reads a classification.
    classification, Classification, "classification"
);
word!(
    /// Reads a determination in any API's spelling.
    determination, Determination, "determination"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_any_spelling_are_taken_and_others_refused_with_the_list() {
        assert_eq!(determination("Clean").unwrap(), Determination::NotMalicious);
        assert_eq!(status("INPROGRESS").unwrap(), Status::InProgress);
        let error = classification("maybe").unwrap_err();
        assert!(crate::exit::next_step(&error).unwrap().contains("truePositive"));
    }
}
