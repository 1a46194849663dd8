//! What a person's word, or its absence, does to a question.

use super::Outcome;
use crate::document::Otherwise;

/// How the question stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Asked {
    /// Nobody has decided.
    Open,
    /// Somebody has, or the time is up.
    Settled,
}

/// What happens to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Attempted {
    /// Somebody decides.
    By {
        /// What they say.
        approves: bool,
        /// Whether a role that may is theirs, in this tenant.
        may: bool,
        /// Whether they started the run themselves, and must not decide then.
        is_own: bool,
    },
    /// The time is up.
    Expired,
    /// The run is given up.
    Cancelled,
}

/// What that does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Decision {
    /// The step ends so.
    Ends(Outcome),
    /// The step ends as failed, and the run with it.
    Stops,
    /// It does nothing, and whoever tried hears why.
    Refused(Refusal),
    /// It does nothing, and nobody is told: it came too late.
    Late,
}

/// Why a decision was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// Somebody was first, or the time is up.
    Settled,
    /// They have no role that may decide.
    Role,
    /// They started the run.
    Own,
}

/// What becomes of the question.
pub fn answer(asked: Asked, attempted: Attempted, otherwise: Otherwise) -> Decision {
    decide(&(asked, attempted, otherwise), None).1
}

/// The first rule that fits, and what it says. One can be left out, to see that it matters.
fn decide(case: &(Asked, Attempted, Otherwise), broken: Option<&str>) -> (&'static str, Decision) {
    let (asked, attempted, otherwise) = case;
    let (approves, may, is_own) = match attempted {
        Attempted::By { approves, may, is_own } => (*approves, *may, *is_own),
        Attempted::Expired | Attempted::Cancelled => (false, true, false),
    };
    let is_person = matches!(attempted, Attempted::By { .. });
    let is_expired = *attempted == Attempted::Expired;
    let rules = [
        ("role", is_person && !may, Decision::Refused(Refusal::Role)),
        ("not-ones-own", is_person && is_own, Decision::Refused(Refusal::Own)),
        ("decided-once", is_person && *asked == Asked::Settled, Decision::Refused(Refusal::Settled)),
        ("too-late", *asked == Asked::Settled, Decision::Late),
        ("cancelled", *attempted == Attempted::Cancelled, Decision::Ends(Outcome::Cancelled)),
        ("nobody-stops", is_expired && *otherwise == Otherwise::Stop, Decision::Stops),
        ("approved", is_person && approves, Decision::Ends(Outcome::Succeeded)),
        ("rejected", true, Decision::Ends(Outcome::Failed)),
    ];
    let fits = rules.into_iter().find(|(name, fits, _)| *fits && Some(*name) != broken);
    fits.map_or(("none", Decision::Late), |(name, _, result)| (name, result))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::table::Table;

    const TABLE: &str = include_str!("tables/approval.tsv");

    #[test]
    fn every_case_has_its_row_and_every_row_its_rule() {
        let word = |set: bool| if set { "yes" } else { "no" };
        let mut attempts = vec![("expired\t-\t-".to_owned(), Attempted::Expired)];
        attempts.push(("cancelled\t-\t-".to_owned(), Attempted::Cancelled));
        for bits in 0..8_u8 {
            let bit = |at: u8| bits >> at & 1 == 1;
            let (approves, may, is_own) = (bit(2), bit(1), bit(0));
            let said = if approves { "approves" } else { "rejects" };
            let key = format!("{said}\t{}\t{}", word(may), word(is_own));
            attempts.push((key, Attempted::By { approves, may, is_own }));
        }
        let mut cases = Vec::new();
        for (asked, asked_word) in [(Asked::Open, "open"), (Asked::Settled, "settled")] {
            for (key, attempted) in &attempts {
                for (otherwise, other_word) in [(Otherwise::Reject, "reject"), (Otherwise::Stop, "stop")] {
                    cases.push((format!("{asked_word}\t{key}\t{other_word}"), (asked, *attempted, otherwise)));
                }
            }
        }
        Table::of(TABLE, 5).holds(&cases, |case, broken| {
            let (rule, result) = decide(case, broken);
            let word = match result {
                Decision::Ends(Outcome::Succeeded) => "succeeded",
                Decision::Ends(Outcome::Failed) => "failed",
                Decision::Ends(Outcome::Cancelled) => "cancelled",
                Decision::Ends(_) => "another end",
                Decision::Stops => "stops the run",
                Decision::Refused(Refusal::Settled) => "refused: settled",
                Decision::Refused(Refusal::Role) => "refused: role",
                Decision::Refused(Refusal::Own) => "refused: own",
                Decision::Late => "nothing",
            };
            (rule, word)
        });
    }
}
