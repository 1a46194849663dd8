//! Networks in CIDR notation.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde_json::{Value, json};

use crate::{
    inputs::{DataError, Inputs, bounded, wrong},
    table::{
        Kind::{Any, Text, Whole},
        Operation, needed, optional,
    },
};

pub(crate) const OPERATIONS: &[Operation] = &[
    Operation {
        id: "cidr-parse",
        title: "Take a network apart",
        about: "First and last address, prefix, mask, number of addresses, and whether it is public.",
        inputs: &[needed("network", Text, "Such as 10.0.0.0/8, fd00::/8 or one address")],
        example: r#"{"network":"10.1.2.3/16"}"#,
        run: parse,
    },
    Operation {
        id: "cidr-contains",
        title: "Is an address in a network?",
        about: "True when one of the networks contains the address.",
        inputs: &[
            needed("address", Text, "An IPv4 or IPv6 address"),
            needed("networks", Any, "A network, a list of them, or several joined by commas"),
        ],
        example: r#"{"address":"10.1.2.3","networks":["192.168.0.0/16","10.0.0.0/8"]}"#,
        run: contains,
    },
    Operation {
        id: "cidr-subnets",
        title: "Split a network",
        about: "The networks of the given prefix that it consists of, at most 100,000.",
        inputs: &[
            needed("network", Text, "Such as 10.0.0.0/24"),
            needed("prefix", Whole, "The longer prefix; 32 (or 128 for IPv6) lists single addresses"),
            optional("limit", Whole, "How many at most; more of them are an error unless given"),
        ],
        example: r#"{"network":"10.0.0.0/24","prefix":26}"#,
        run: subnets,
    },
];

/// A network by its first address, as a number, and its prefix.
struct Network {
    first: u128,
    prefix: u32,
    is_v4: bool,
}

impl Network {
    fn read(key: &'static str, text: &str) -> Result<Self, DataError> {
        let none = || wrong(key, format!("holds `{}`, which is no network; write it as 10.0.0.0/8", shown(text)));
        let (address, prefix) = match text.trim().split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text.trim(), None),
        };
        let ip: IpAddr = address.parse().map_err(|_| none())?;
        let (number, is_v4) = number(ip);
        let width = if is_v4 { 32 } else { 128 };
        let prefix = match prefix {
            None => width,
            // A mask instead of a prefix, as firewalls write it.
            Some(mask) if is_v4 && mask.contains('.') => {
                let mask = u32::from(mask.parse::<Ipv4Addr>().map_err(|_| none())?);
                if mask.leading_ones() + mask.trailing_zeros() < 32 {
                    return Err(none());
                }
                mask.leading_ones()
            }
            Some(prefix) if prefix.bytes().all(|byte| byte.is_ascii_digit()) => prefix.parse().map_err(|_| none())?,
            Some(_) => return Err(none()),
        };
        if prefix > width {
            return Err(none());
        }
        Ok(Self { first: number & !rest(width - prefix), prefix, is_v4 })
    }

    fn width(&self) -> u32 {
        if self.is_v4 { 32 } else { 128 }
    }

    fn last(&self) -> u128 {
        self.first | rest(self.width() - self.prefix)
    }

    fn contains(&self, ip: IpAddr) -> bool {
        let (number, is_v4) = number(ip);
        is_v4 == self.is_v4 && (self.first..=self.last()).contains(&number)
    }
}

/// So many ones at the end.
fn rest(bits: u32) -> u128 {
    1_u128.checked_shl(bits).map_or(u128::MAX, |power| power - 1)
}

/// An IPv4 address in the clothes of IPv6 is an IPv4 address.
fn number(ip: IpAddr) -> (u128, bool) {
    match ip.to_canonical() {
        IpAddr::V4(ip) => (u128::from(u32::from(ip)), true),
        IpAddr::V6(ip) => (u128::from(ip), false),
    }
}

fn address(number: u128, is_v4: bool) -> IpAddr {
    match u32::try_from(number) {
        Ok(number) if is_v4 => Ipv4Addr::from(number).into(),
        _ => Ipv6Addr::from(number).into(),
    }
}

fn shown(text: &str) -> String {
    text.chars().take(60).collect()
}

fn parse(inputs: &Inputs<'_>) -> Result<Value, DataError> {
    let network = Network::read("network", inputs.text("network")?)?;
    let (first, last) = (address(network.first, network.is_v4), address(network.last(), network.is_v4));
    let free = network.width() - network.prefix;
    // Beyond 2^53 a number of JSON is not read exactly everywhere.
    let count = if free <= 53 { json!(1_u64 << free) } else { json!(format!("2^{free}")) };
    let mask = network.is_v4.then(|| address(rest(32) & !rest(free), true).to_string());
    Ok(json!({
        "network": format!("{first}/{}", network.prefix),
        "version": if network.is_v4 { 4 } else { 6 },
        "first": first.to_string(),
        "last": last.to_string(),
        "prefix": network.prefix,
        "mask": mask,
        "addresses": count,
        "private": !(is_public(first) && is_public(last)),
    }))
}

fn contains(inputs: &Inputs<'_>) -> Result<Value, DataError> {
    let text = inputs.text("address")?.trim();
    let ip: IpAddr =
        text.parse().map_err(|_| wrong("address", format!("is `{}`, which is no address", shown(text))))?;
    let texts: Vec<&str> = match inputs.any("networks")? {
        Value::String(text) => text.split([',', '\n']).filter(|text| !text.trim().is_empty()).collect(),
        Value::Array(_) => {
            let texts = inputs.list("networks")?.iter().map(|item| item.as_str());
            texts.collect::<Option<_>>().ok_or_else(|| wrong("networks", "holds something that is no text"))?
        }
        _ => return Err(wrong("networks", "is neither a text nor a list")),
    };
    let mut is_in = false;
    for text in texts {
        // All are read, so that a mistyped one is told even when another fits.
        is_in |= Network::read("networks", text)?.contains(ip);
    }
    Ok(is_in.into())
}

fn subnets(inputs: &Inputs<'_>) -> Result<Value, DataError> {
    let network = Network::read("network", inputs.text("network")?)?;
    inputs.find("prefix").ok_or(DataError::Missing("prefix"))?;
    let least = i64::from(network.prefix);
    let prefix = inputs.whole("prefix", least, least, i64::from(network.width()))?;
    let prefix = u32::try_from(prefix).expect("it is at most 128");
    let is_limited = inputs.find("limit").is_some();
    let limit = inputs.whole("limit", 100_000, 1, 100_000)?;
    let count = 1_u128.checked_shl(prefix - network.prefix).unwrap_or(u128::MAX);
    let limit = u128::try_from(limit).expect("it is positive");
    if count > limit && !is_limited {
        return Err(DataError::TooLarge { what: "items", max: 100_000 });
    }
    // Where there is more than one, a step is smaller than the whole width.
    let step = 1_u128.checked_shl(network.width() - prefix).unwrap_or(0);
    let all = (0..count.min(limit)).map(|at| {
        let first = address(network.first + at * step, network.is_v4);
        format!("{first}/{prefix}").into()
    });
    bounded(all.collect())
}

/// Whether it is the address of a single public host (IANA's special-purpose registries, RFC 6890).
pub(crate) fn is_public(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let [a, b, c, _] = ip.octets();
            !matches!(
                (a, b, c),
                (0 | 10 | 127 | 224..=255, ..)
                    | (100, 64..=127, _)
                    | (169, 254, _)
                    | (172, 16..=31, _)
                    | (192, 168, _)
                    | (192, 0, 0 | 2)
                    | (192, 88, 99)
                    | (198, 18 | 19, _)
                    | (198, 51, 100)
                    | (203, 0, 113)
            )
        }
        IpAddr::V6(ip) => ip.segments()[0] & 0xe000 == 0x2000 && ip.segments()[..2] != [0x2001, 0xdb8],
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::run;

    fn call(id: &str, inputs: Value) -> Result<Value, String> {
        run(id, inputs.as_object().unwrap(), jiff::Timestamp::UNIX_EPOCH).map_err(|error| error.to_string())
    }

    #[test]
    fn networks_are_taken_apart() {
        let parsed = call("cidr-parse", json!({ "network": "10.1.2.3/255.255.0.0" })).unwrap();
        assert_eq!(
            parsed,
            json!({ "network": "10.1.0.0/16", "version": 4, "first": "10.1.0.0", "last": "10.1.255.255", "prefix": 16,
                    "mask": "255.255.0.0", "addresses": 65_536, "private": true })
        );
        assert_eq!(call("cidr-parse", json!({ "network": "::/0" })).unwrap()["addresses"], "2^128");
        assert_eq!(call("cidr-parse", json!({ "network": "0.0.0.0/0" })).unwrap()["addresses"], 4_294_967_296_u64);
        for wrong in
            ["10.0.0.0/33", "10.0.0/8", "10.0.0.0/-1", "10.0.0.0/+8", "x", "", "10.0.0.0/255.0.255.0", "::/129"]
        {
            assert!(call("cidr-parse", json!({ "network": wrong })).unwrap_err().contains("no network"), "{wrong}");
        }
    }

    #[test]
    fn an_address_is_inside_or_not() {
        #[track_caller]
        fn check(address: &str, networks: Value, expected: bool) {
            let inputs = json!({ "address": address, "networks": networks });
            assert_eq!(call("cidr-contains", inputs), Ok(expected.into()), "{address}");
        }
        check("10.255.255.255", json!("10.0.0.0/8"), true);
        check("11.0.0.0", json!("10.0.0.0/8, 192.168.0.0/16"), false);
        check("::ffff:10.0.0.1", json!(["10.0.0.0/8"]), true);
        check("10.0.0.1", json!(["::/0"]), false);
        check("fd00::1", json!(["fd00::/8"]), true);
        assert!(call("cidr-contains", json!({ "address": "10.0.0.1", "networks": ["10.0.0.0/8", "x"] })).is_err());
    }

    #[test]
    fn a_split_has_a_bound() {
        let split = call("cidr-subnets", json!({ "network": "10.0.0.0/30", "prefix": 31 })).unwrap();
        assert_eq!(split, json!(["10.0.0.0/31", "10.0.0.2/31"]));
        let whole = json!({ "network": "::/0", "prefix": 128 });
        assert_eq!(call("cidr-subnets", whole).unwrap_err(), "the result would have more than 100000 items");
        let few = call("cidr-subnets", json!({ "network": "::/0", "prefix": 128, "limit": 2 })).unwrap();
        assert_eq!(few, json!(["::/128", "::1/128"]));
        assert_eq!(call("cidr-subnets", json!({ "network": "::/0", "prefix": 0 })).unwrap(), json!(["::/0"]));
    }

    proptest! {
        #[test]
        fn a_network_contains_its_ends_and_nothing_beside(number in any::<u32>(), prefix in 1_u32..=32) {
            let network = Network::read("network", &format!("{}/{prefix}", Ipv4Addr::from(number))).unwrap();
            prop_assert!(network.contains(address(network.first, true)) && network.contains(address(network.last(), true)));
            prop_assert!(network.contains(Ipv4Addr::from(number).into()));
            if let Some(before) = network.first.checked_sub(1) {
                prop_assert!(!network.contains(address(before, true)));
            }
        }

        #[test]
        fn no_text_trips_the_reader(text in r"[0-9a-f:./]{0,50}|\PC{0,20}") {
            let _ = Network::read("network", &text);
        }
    }
}
