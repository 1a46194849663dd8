//! Secrets and certificates end; a person hears of it before.

use jiff::{Timestamp, tz::TimeZone};

/// When something ends, as seen now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Expiry {
    at: Timestamp,
    /// Whole days that are left; negative once it is over.
    days: i64,
}

impl Expiry {
    pub(crate) fn of(at: Timestamp, now: Timestamp) -> Self {
        Self { at, days: (at.as_second() - now.as_second()).div_euclid(DAY_S) }
    }

    /// The day, and how far it is where it is near.
    pub(crate) fn describe(&self) -> String {
        match self.warning("it") {
            Some(_) if self.days < 0 => format!("{} (over)", self.day()),
            Some(_) => format!("{} ({})", self.day(), self.left()),
            None => self.day(),
        }
    }

    /// What is to be said of `what`: from thirty days before, more urgently from seven and from one, and once it is over.
    pub(crate) fn warning(&self, what: &str) -> Option<String> {
        let (day, left) = (self.day(), self.left());
        Some(match self.days {
            ..0 => format!("{what} expired on {day}: enter a new one"),
            0 => format!("{what} expires within a day, on {day}: enter a new one now"),
            1..7 => format!("{what} expires soon, in {left}, on {day}: enter a new one"),
            7..30 => format!("{what} expires in {left}, on {day}"),
            _ => return None,
        })
    }

    fn day(&self) -> String {
        self.at.to_zoned(TimeZone::UTC).date().to_string()
    }

    fn left(&self) -> String {
        match self.days {
            0 => "less than a day".to_owned(),
            1 => "1 day".to_owned(),
            days => format!("{days} days"),
        }
    }
}

const DAY_S: i64 = 86_400;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearer_the_end_the_louder() {
        #[track_caller]
        fn check(now: &str, expected: Option<&str>) {
            let at = "2027-03-01T00:00:00Z".parse().unwrap();
            let said = Expiry::of(at, now.parse().unwrap()).warning("the secret");
            assert_eq!(said.as_deref(), expected, "{now}");
        }
        check("2027-01-29T23:59:59Z", None);
        check("2027-01-30T00:00:00Z", None);
        check("2027-01-30T00:00:01Z", Some("the secret expires in 29 days, on 2027-03-01"));
        check("2027-02-22T00:00:00Z", Some("the secret expires in 7 days, on 2027-03-01"));
        check("2027-02-22T00:00:01Z", Some("the secret expires soon, in 6 days, on 2027-03-01: enter a new one"));
        check("2027-02-28T00:00:00Z", Some("the secret expires soon, in 1 day, on 2027-03-01: enter a new one"));
        check("2027-02-28T00:00:01Z", Some("the secret expires within a day, on 2027-03-01: enter a new one now"));
        check("2027-03-01T00:00:00Z", Some("the secret expires within a day, on 2027-03-01: enter a new one now"));
        check("2027-03-01T00:00:01Z", Some("the secret expired on 2027-03-01: enter a new one"));
    }
}
