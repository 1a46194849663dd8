//! What becomes of a body, a loop or a run when its parts have ended.

use super::Outcome;

/// What is known of the parts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Tally {
    /// One has not ended.
    pub open: bool,
    /// Of those that have not ended, every one waits for a person to settle a doubt.
    pub only_doubts: bool,
    /// One was cancelled.
    pub cancelled: bool,
    /// One has failed or timed out, and its failure counts.
    pub failed: bool,
}

/// What becomes of the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Gathered {
    /// It goes on.
    Open,
    /// It goes on when a person has settled a doubt.
    Doubt,
    /// It has ended.
    Ended(Outcome),
}

impl Tally {
    /// Adds a part: its outcome, where it has one, and whether its failure counts.
    pub fn add(&mut self, outcome: Option<Outcome>, counts: bool) {
        match outcome {
            None => {
                self.open = true;
                self.only_doubts = false;
            }
            Some(Outcome::NeedsAttention) => {
                self.only_doubts |= !self.open;
                self.open = true;
            }
            Some(Outcome::Cancelled) => self.cancelled = true,
            Some(outcome) => self.failed |= outcome.is_failure() && counts,
        }
    }

    /// What becomes of the whole.
    pub fn gathered(self) -> Gathered {
        decide(&self, None).1
    }
}

/// The first rule that fits, and what it says. One can be left out, to see that it matters.
fn decide(tally: &Tally, broken: Option<&str>) -> (&'static str, Gathered) {
    let rules = [
        ("doubts-are-settled", tally.open && tally.only_doubts, Gathered::Doubt),
        ("all-must-end", tally.open, Gathered::Open),
        ("cancelled-part", tally.cancelled, Gathered::Ended(Outcome::Cancelled)),
        ("failed-part", tally.failed, Gathered::Ended(Outcome::Failed)),
        ("all-well", true, Gathered::Ended(Outcome::Succeeded)),
    ];
    let fits = rules.into_iter().find(|(name, fits, _)| *fits && Some(*name) != broken);
    fits.map_or(("none", Gathered::Open), |(name, _, result)| (name, result))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::table::Table;

    const TABLE: &str = include_str!("tables/gather.tsv");

    #[test]
    fn every_case_has_its_row_and_every_row_its_rule() {
        let mut cases = Vec::new();
        for bits in 0..16_u8 {
            let bit = |at: u8| bits >> at & 1 == 1;
            let tally = Tally { open: bit(3), only_doubts: bit(2), cancelled: bit(1), failed: bit(0) };
            let word = |set: bool| if set { "yes" } else { "no" };
            let key = [tally.open, tally.only_doubts, tally.cancelled, tally.failed].map(word).join("\t");
            cases.push((key, tally));
        }
        Table::of(TABLE, 4).holds(&cases, |tally, broken| {
            let (rule, result) = decide(tally, broken);
            let word = match result {
                Gathered::Open => "open",
                Gathered::Doubt => "doubt",
                Gathered::Ended(outcome) => outcome.word(),
            };
            (rule, word)
        });
    }

    #[test]
    fn parts_are_summed_up_in_any_order() {
        #[track_caller]
        fn check(parts: &[(Option<Outcome>, bool)], expected: Gathered) {
            for turned in [false, true] {
                let mut tally = Tally::default();
                let parts: Vec<_> = if turned { parts.iter().rev().collect() } else { parts.iter().collect() };
                parts.iter().for_each(|(outcome, counts)| tally.add(*outcome, *counts));
                assert_eq!(tally.gathered(), expected, "{parts:?}");
            }
        }
        use Outcome::{Cancelled, Failed, NeedsAttention, Skipped, Succeeded, TimedOut};
        check(&[], Gathered::Ended(Succeeded));
        check(&[(Some(Skipped), true), (Some(Skipped), true)], Gathered::Ended(Succeeded));
        check(&[(Some(Failed), false), (Some(Succeeded), true)], Gathered::Ended(Succeeded));
        check(&[(Some(TimedOut), true), (Some(Succeeded), true)], Gathered::Ended(Failed));
        check(&[(Some(Failed), true), (None, true)], Gathered::Open);
        check(&[(Some(NeedsAttention), true), (None, true)], Gathered::Open);
        check(&[(Some(NeedsAttention), true), (Some(Failed), true)], Gathered::Doubt);
        check(&[(Some(Cancelled), true), (Some(Failed), true)], Gathered::Ended(Cancelled));
    }
}
