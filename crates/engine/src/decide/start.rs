//! Whether a step begins: what it waits for, its `run`, its `when`.

use super::Outcome;
use crate::document::Run;

/// What is known of the steps before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Before {
    /// One has not ended, or nobody knows how.
    pub open: bool,
    /// One was cancelled.
    pub cancelled: bool,
    /// One has failed or timed out.
    pub failed: bool,
    /// One has ended neither well nor as accepted.
    pub unaccepted: bool,
}

/// What is known of the expression `when`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum When {
    /// There is none.
    Absent,
    /// It was not evaluated yet.
    NotYet,
    /// It holds.
    True,
    /// It does not.
    False,
    /// It could not be evaluated, or gave no truth.
    Broken,
}

/// What becomes of a step that has not begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Start {
    /// It waits.
    Wait,
    /// Its `when` is to be evaluated.
    Decide,
    /// It begins.
    Begin,
    /// It ends as skipped.
    Skip(Skipped),
    /// It ends as cancelled.
    Cancel,
    /// It ends as failed: its `when` is broken.
    Fail,
}

/// Why a step was skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Skipped {
    /// The document says so.
    Disabled,
    /// A step before has not succeeded.
    NotAllSucceeded,
    /// No step before has failed.
    NoneFailed,
    /// Its `when` is false.
    WhenFalse,
    /// Of a loop of questions: one of them was not asked.
    NotAllAsked,
}

impl Before {
    /// Adds a step before: its outcome, where it has one, and those that are accepted beside `succeeded`.
    pub fn add(&mut self, outcome: Option<Outcome>, accept: &[Outcome]) {
        let Some(outcome) = outcome.filter(|outcome| outcome.is_final()) else {
            self.open = true;
            return;
        };
        self.cancelled |= outcome == Outcome::Cancelled;
        self.failed |= outcome.is_failure();
        self.unaccepted |= outcome != Outcome::Succeeded && !accept.contains(&outcome);
    }
}

/// What becomes of the step.
pub fn start(before: Before, run: Run, when: When, disabled: bool) -> Start {
    let case = Case { before, run, when, disabled };
    decide(&case, None).1
}

struct Case {
    before: Before,
    run: Run,
    when: When,
    disabled: bool,
}

/// The first rule that fits, and what it says. One can be left out, to see that it matters.
fn decide(case: &Case, broken: Option<&str>) -> (&'static str, Start) {
    let Case { before, run, when, disabled } = case;
    let rules = [
        ("waits-for-all", before.open, Start::Wait),
        ("cancellation-spreads", before.cancelled, Start::Cancel),
        ("disabled", *disabled, Start::Skip(Skipped::Disabled)),
        ("all-must-succeed", *run == Run::OnSuccess && before.unaccepted, Start::Skip(Skipped::NotAllSucceeded)),
        ("one-must-fail", *run == Run::OnFailure && !before.failed, Start::Skip(Skipped::NoneFailed)),
        ("when-is-asked", *when == When::NotYet, Start::Decide),
        ("when-is-broken", *when == When::Broken, Start::Fail),
        ("when-is-false", *when == When::False, Start::Skip(Skipped::WhenFalse)),
        ("begins", true, Start::Begin),
    ];
    let fits = rules.into_iter().find(|(name, fits, _)| *fits && Some(*name) != broken);
    fits.map_or(("none", Start::Wait), |(name, _, result)| (name, result))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::table::Table;

    const TABLE: &str = include_str!("tables/start.tsv");

    fn cases() -> Vec<(String, Case)> {
        let mut cases = Vec::new();
        for bits in 0..16_u8 {
            let bit = |at: u8| bits >> at & 1 == 1;
            let before = Before { open: bit(3), cancelled: bit(2), failed: bit(1), unaccepted: bit(0) };
            for (run, run_word) in
                [(Run::OnSuccess, "on_success"), (Run::OnFailure, "on_failure"), (Run::Always, "always")]
            {
                for (when, when_word) in [
                    (When::Absent, "absent"),
                    (When::NotYet, "not_yet"),
                    (When::True, "true"),
                    (When::False, "false"),
                    (When::Broken, "broken"),
                ] {
                    for disabled in [false, true] {
                        let word = |set: bool| if set { "yes" } else { "no" };
                        let flags =
                            [before.open, before.cancelled, before.failed, before.unaccepted].map(word).join("\t");
                        let key = format!("{flags}\t{run_word}\t{when_word}\t{}", word(disabled));
                        cases.push((key, Case { before, run, when, disabled }));
                    }
                }
            }
        }
        cases
    }

    fn word(start: Start) -> &'static str {
        match start {
            Start::Wait => "wait",
            Start::Decide => "decide",
            Start::Begin => "begin",
            Start::Skip(Skipped::Disabled) => "skip: disabled",
            Start::Skip(Skipped::NotAllSucceeded) => "skip: not all succeeded",
            Start::Skip(Skipped::NoneFailed) => "skip: none failed",
            Start::Skip(Skipped::WhenFalse) => "skip: when is false",
            Start::Skip(Skipped::NotAllAsked) => "skip: not all asked",
            Start::Cancel => "cancel",
            Start::Fail => "fail",
        }
    }

    #[test]
    fn every_case_has_its_row_and_every_row_its_rule() {
        Table::of(TABLE, 7).holds(&cases(), |case, broken| {
            let (rule, result) = decide(case, broken);
            (rule, word(result))
        });
    }

    #[test]
    fn what_ended_before_is_summed_up() {
        #[track_caller]
        fn check(outcomes: &[Option<Outcome>], accept: &[Outcome], expected: [bool; 4]) {
            let mut before = Before::default();
            outcomes.iter().for_each(|outcome| before.add(*outcome, accept));
            assert_eq!([before.open, before.cancelled, before.failed, before.unaccepted], expected, "{outcomes:?}");
        }
        use Outcome::{Cancelled, Failed, NeedsAttention, Skipped as Skip, Succeeded, TimedOut};
        check(&[], &[], [false; 4]);
        check(&[Some(Succeeded), Some(Succeeded)], &[], [false; 4]);
        check(&[Some(Succeeded), None], &[], [true, false, false, false]);
        check(&[Some(NeedsAttention)], &[NeedsAttention], [true, false, false, false]);
        check(&[Some(Skip)], &[], [false, false, false, true]);
        check(&[Some(Skip)], &[Skip], [false; 4]);
        check(&[Some(Failed), Some(Skip)], &[Skip], [false, false, true, true]);
        check(&[Some(TimedOut)], &[TimedOut], [false, false, true, false]);
        check(&[Some(Cancelled), Some(Succeeded)], &[], [false, true, false, true]);
    }
}
