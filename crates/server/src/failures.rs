//! Failed proofs by address: who fails too often is not listened to for a while.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::Mutex,
};

use jiff::{SignedDuration, Timestamp};

/// Counts of one minute.
pub(crate) struct Failures {
    at_most: u32,
    counted: Mutex<HashMap<IpAddr, Counted>>,
}

#[derive(Clone, Copy)]
struct Counted {
    since: Timestamp,
    count: u32,
}

impl Failures {
    pub(crate) fn at_most(at_most: u32) -> Self {
        Self { at_most, counted: Mutex::default() }
    }

    /// For how long the address is not listened to.
    pub(crate) fn shut_out(&self, address: IpAddr, now: Timestamp) -> Option<SignedDuration> {
        let counted = self.counted.lock().expect("no code panics while it holds this lock");
        let found =
            counted.get(&network(address)).filter(|found| found.is_of_now(now) && found.count >= self.at_most)?;
        Some(MINUTE - now.duration_since(found.since))
    }

    pub(crate) fn failed(&self, address: IpAddr, now: Timestamp) {
        let mut counted = self.counted.lock().expect("no code panics while it holds this lock");
        if counted.len() >= ADDRESSES_MAX {
            counted.retain(|_, found| found.is_of_now(now));
        }
        if counted.len() >= ADDRESSES_MAX {
            // So many at once are one attacker with many addresses; forgetting them all costs them nothing and us nothing.
            counted.clear();
        }
        let found = counted.entry(network(address)).or_insert(Counted { since: now, count: 0 });
        if !found.is_of_now(now) {
            *found = Counted { since: now, count: 0 };
        }
        found.count += 1;
    }
}

impl Counted {
    /// A clock that was set back begins a new minute, too.
    fn is_of_now(&self, now: Timestamp) -> bool {
        let age = now.duration_since(self.since);
        age >= SignedDuration::ZERO && age < MINUTE
    }
}

/// Of IPv6, whoever has one address has its whole /64.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
        v4 @ IpAddr::V4(_) => v4,
    }
}

const MINUTE: SignedDuration = SignedDuration::from_secs(60);
const ADDRESSES_MAX: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shut_out_for_the_rest_of_its_minute_and_no_other() {
        let failures = Failures::at_most(2);
        let start = Timestamp::from_second(1_000).unwrap();
        let at = |seconds: i64| start + SignedDuration::from_secs(seconds);
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        failures.failed(address("192.0.2.1"), start);
        assert_eq!(failures.shut_out(address("192.0.2.1"), at(1)), None);
        failures.failed(address("::ffff:192.0.2.1"), at(5));
        assert_eq!(failures.shut_out(address("192.0.2.1"), at(20)), Some(SignedDuration::from_secs(40)));
        assert_eq!(failures.shut_out(address("192.0.2.2"), at(20)), None);
        assert_eq!(failures.shut_out(address("192.0.2.1"), at(60)), None);
        failures.failed(address("192.0.2.1"), at(60));
        assert_eq!(failures.shut_out(address("192.0.2.1"), at(61)), None, "it begins anew");
        for host in ["2001:db8::1", "2001:db8::2"] {
            failures.failed(address(host), start);
        }
        assert!(failures.shut_out(address("2001:db8::3"), start).is_some(), "one network");
        assert_eq!(failures.shut_out(address("2001:db8:0:1::3"), start), None);
    }

    #[test]
    fn many_addresses_are_bounded() {
        let failures = Failures::at_most(1);
        let now = Timestamp::from_second(1_000).unwrap();
        for address in 0..30_000_u32 {
            failures.failed(IpAddr::from(address.to_be_bytes()), now);
        }
        assert!(failures.counted.lock().unwrap().len() <= ADDRESSES_MAX);
    }
}
