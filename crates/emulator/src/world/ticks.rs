//! Instants in the unit of Microsoft's services: 100 nanoseconds.

use std::fmt;

use jiff::Timestamp;

/// 100-nanosecond steps since 1970, as exact as the seven fraction digits of the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Ticks(pub i64);

impl Ticks {
    pub(crate) fn plus_s(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds.saturating_mul(TICKS_PER_S)))
    }

    pub(crate) fn of_day(day: i64) -> Self {
        Self(day.saturating_mul(TICKS_PER_DAY))
    }

    /// Counted from the year 1, as alert ids carry them.
    pub(crate) fn since_year_one(self) -> i64 {
        self.0.saturating_add(TICKS_YEAR_1_TO_1970)
    }

    pub(crate) fn timestamp(self) -> Timestamp {
        let nanos = i128::from(self.0) * 100;
        let bounded = nanos.clamp(Timestamp::MIN.as_nanosecond(), Timestamp::MAX.as_nanosecond());
        Timestamp::from_nanosecond(bounded).expect("clamped to the range of timestamps")
    }
}

impl From<Timestamp> for Ticks {
    fn from(instant: Timestamp) -> Self {
        // The whole range of timestamps is below 2^58 ticks.
        Self(i64::try_from(instant.as_nanosecond().div_euclid(100)).unwrap_or(i64::MAX))
    }
}

/// `2021-09-30T09:35:45.1133333Z`; zeros at the end of the fraction are left out, as in the live answers.
impl fmt::Display for Ticks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{:.7}", self.timestamp());
        let digits = text.strip_suffix('Z').unwrap_or(&text);
        write!(f, "{}Z", digits.trim_end_matches('0').trim_end_matches('.'))
    }
}

pub(super) const TICKS_PER_S: i64 = 10_000_000;
const TICKS_PER_DAY: i64 = 86_400 * TICKS_PER_S;
const TICKS_YEAR_1_TO_1970: i64 = 621_355_968_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fraction_has_up_to_seven_digits() {
        let at = |text: &str| Ticks::from(text.parse::<Timestamp>().unwrap()).to_string();
        assert_eq!(at("2021-09-30T09:35:45.1133333Z"), "2021-09-30T09:35:45.1133333Z");
        assert_eq!(at("2020-09-06T12:18:03.81Z"), "2020-09-06T12:18:03.81Z");
        assert_eq!(at("2020-09-06T12:18:00Z"), "2020-09-06T12:18:00Z");
    }

    #[test]
    fn alert_ids_count_from_the_year_one() {
        // The sample alert da637551227677560813_.. was created at this instant.
        let created = Ticks::from("2021-04-27T12:19:27.7211305Z".parse::<Timestamp>().unwrap());
        assert_eq!(created.since_year_one() / TICKS_PER_DAY, 637_551_227_677_560_813 / TICKS_PER_DAY);
    }
}
