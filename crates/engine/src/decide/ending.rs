//! What becomes of a call: its verdict, its effect class, the tries that are left; and of a look at the remote side.

use serde::{Deserialize, Serialize};

use crate::document::OnDoubt;

/// What a call does, and what is known when its answer was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// It changes nothing.
    Safe,
    /// The same call again has the same end.
    Overwrite,
    /// The remote side takes our key and acts once.
    Keyed,
    /// The remote side can be looked at.
    Probed,
    /// It cannot.
    Unsafe,
}

/// How far a call that failed has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// It never left.
    NotSent,
    /// The service did nothing, for now: it is busy, or asks to come again.
    Throttled,
    /// The service did nothing, and would not the next time.
    Refused,
    /// Nobody knows.
    Unknown,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ending {
    /// Well.
    Answered,
    /// Not.
    Failed(Delivery),
}

/// Whether another try is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Left {
    /// At least one.
    Some,
    /// None.
    None,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Next {
    /// The step has succeeded, or what it started is followed.
    Succeed,
    /// A pause, then the call again.
    Retry,
    /// The remote side is looked at.
    Look,
    /// The step has failed.
    Fail,
    /// A person settles it.
    Ask(Doubt),
}

/// Why a person is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Doubt {
    /// The document wants it so.
    Wanted,
    /// Nothing else would tell.
    NoOtherWay,
    /// Somebody has changed since then what it was to change.
    Changed,
}

/// What a look at the remote side has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Seen {
    /// Ours is there.
    Found,
    /// It is not, and would be by now.
    Absent,
    /// It is not, and may not show yet.
    NotYet,
    /// It is not, and what stands there is newer.
    Newer,
    /// It could not be looked at.
    Unclear,
}

/// What becomes of a call that has ended.
pub fn ending(ending: Ending, class: Class, left: Left, on_doubt: OnDoubt) -> Next {
    decide(&(ending, class, left, on_doubt), None).1
}

/// What becomes of a call after a look.
pub fn seen(seen: Seen, left: Left, looks_left: Left) -> Next {
    decide_seen(&(seen, left, looks_left), None).1
}

/// The first rule that fits, and what it says. One can be left out, to see that it matters.
fn decide(case: &(Ending, Class, Left, OnDoubt), broken: Option<&str>) -> (&'static str, Next) {
    let (ending, class, left, on_doubt) = case;
    let is_unknown = *ending == Ending::Failed(Delivery::Unknown);
    let did_nothing = matches!(ending, Ending::Failed(Delivery::NotSent | Delivery::Throttled))
        || (is_unknown && *class == Class::Safe);
    let has_tries = *left == Left::Some;
    let repeats = matches!(class, Class::Overwrite | Class::Keyed);
    let rules = [
        ("answered", *ending == Ending::Answered, Next::Succeed),
        ("refused-for-good", *ending == Ending::Failed(Delivery::Refused), Next::Fail),
        ("did-nothing", did_nothing && has_tries, Next::Retry),
        ("did-nothing-and-no-try-left", did_nothing, Next::Fail),
        ("in-doubt-ask", *on_doubt == OnDoubt::Ask, Next::Ask(Doubt::Wanted)),
        ("in-doubt-look", *class == Class::Probed, Next::Look),
        ("in-doubt-repeat", repeats && has_tries, Next::Retry),
        ("in-doubt", true, Next::Ask(Doubt::NoOtherWay)),
    ];
    let fits = rules.into_iter().find(|(name, fits, _)| *fits && Some(*name) != broken);
    fits.map_or(("none", Next::Fail), |(name, _, result)| (name, result))
}

fn decide_seen(case: &(Seen, Left, Left), broken: Option<&str>) -> (&'static str, Next) {
    let (seen, left, looks_left) = case;
    let rules = [
        ("found", *seen == Seen::Found, Next::Succeed),
        ("absent-repeat", *seen == Seen::Absent && *left == Left::Some, Next::Retry),
        ("absent", *seen == Seen::Absent, Next::Fail),
        ("newer", *seen == Seen::Newer, Next::Ask(Doubt::Changed)),
        ("look-again", *looks_left == Left::Some, Next::Look),
        ("unclear", true, Next::Ask(Doubt::NoOtherWay)),
    ];
    let fits = rules.into_iter().find(|(name, fits, _)| *fits && Some(*name) != broken);
    fits.map_or(("none", Next::Fail), |(name, _, result)| (name, result))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::table::Table;

    fn word(next: Next) -> &'static str {
        match next {
            Next::Succeed => "succeed",
            Next::Retry => "retry",
            Next::Look => "look",
            Next::Fail => "fail",
            Next::Ask(Doubt::Wanted) => "ask: wanted",
            Next::Ask(Doubt::NoOtherWay) => "ask: no other way",
            Next::Ask(Doubt::Changed) => "ask: changed",
        }
    }

    const LEFT: [(Left, &str); 2] = [(Left::Some, "some"), (Left::None, "none")];

    #[test]
    fn every_end_of_a_call_has_its_row_and_every_row_its_rule() {
        let mut cases = Vec::new();
        for (ending, ending_word) in [
            (Ending::Answered, "answered"),
            (Ending::Failed(Delivery::NotSent), "not_sent"),
            (Ending::Failed(Delivery::Throttled), "throttled"),
            (Ending::Failed(Delivery::Refused), "refused"),
            (Ending::Failed(Delivery::Unknown), "unknown"),
        ] {
            for (class, class_word) in [
                (Class::Safe, "safe"),
                (Class::Overwrite, "overwrite"),
                (Class::Keyed, "keyed"),
                (Class::Probed, "probed"),
                (Class::Unsafe, "unsafe"),
            ] {
                for (left, left_word) in LEFT {
                    for (on_doubt, doubt_word) in [(OnDoubt::Probe, "probe"), (OnDoubt::Ask, "ask")] {
                        let key = format!("{ending_word}\t{class_word}\t{left_word}\t{doubt_word}");
                        cases.push((key, (ending, class, left, on_doubt)));
                    }
                }
            }
        }
        Table::of(include_str!("tables/ending.tsv"), 4).holds(&cases, |case, broken| {
            let (rule, next) = decide(case, broken);
            (rule, word(next))
        });
    }

    #[test]
    fn every_look_has_its_row_and_every_row_its_rule() {
        let mut cases = Vec::new();
        for (seen, seen_word) in [
            (Seen::Found, "found"),
            (Seen::Absent, "absent"),
            (Seen::NotYet, "not_yet"),
            (Seen::Newer, "newer"),
            (Seen::Unclear, "unclear"),
        ] {
            for (left, left_word) in LEFT {
                for (looks, looks_word) in LEFT {
                    cases.push((format!("{seen_word}\t{left_word}\t{looks_word}"), (seen, left, looks)));
                }
            }
        }
        Table::of(include_str!("tables/look.tsv"), 3).holds(&cases, |case, broken| {
            let (rule, next) = decide_seen(case, broken);
            (rule, word(next))
        });
    }
}
