//! The request-forgery guard: calls whose address a document or a person wrote reach public hosts only, and further ones
//! where their own allow-list names them.
//!
//! What counts is the address that is connected to. A name is resolved by the guard's resolver and only what it lets
//! through is connected to, so that an answer that changes between two look-ups (DNS rebinding) gains nothing. Every hop
//! of a redirect passes the same way. Behind a proxy names are resolved here, too, as far as this machine can; the proxy's
//! own resolution is the proxy's to guard.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use url::{Host, Url};

use crate::error::SendErrorKind;

/// Which hosts beyond the public ones a connection may reach.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Guard {
    allowed: Vec<Allowed>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Allowed {
    host: Host<String>,
    /// Any port where absent.
    port: Option<u16>,
}

/// Why a text is no entry of an allow-list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no host: expected a name or an address, with or without a port, such as `siem.corp.example:8443`")]
pub struct GuardError(String);

/// Why an address is not public.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// This machine.
    Loopback,
    /// A private network (RFC 1918, RFC 4193) or that of a carrier (RFC 6598).
    Private,
    /// Link-local, where clouds keep their metadata services. No allow-list opens it.
    LinkLocal,
    /// No address of a single host: unspecified, multicast, broadcast, reserved, for documentation or for benchmarks.
    Unusable,
}

impl Guard {
    /// Lets these through, too: names, addresses, each with or without a port.
    ///
    /// # Errors
    /// [`GuardError`] for the first text that is neither.
    pub fn allowing<T: AsRef<str>>(hosts: impl IntoIterator<Item = T>) -> Result<Self, GuardError> {
        let allowed = hosts.into_iter().map(|host| Allowed::parse(host.as_ref())).collect::<Result<_, _>>()?;
        Ok(Self { allowed })
    }

    /// Whether the URL may be called, as far as it says where it leads; names are checked again when they are resolved.
    pub(crate) fn check(&self, url: &Url) -> Result<(), SendErrorKind> {
        if !url.username().is_empty() || url.password().is_some() {
            return Err(SendErrorKind::BadRequest("the address holds a user name or a password"));
        }
        let host = url.host().ok_or(SendErrorKind::BadUrl)?;
        let ip = match &host {
            Host::Ipv4(ip) => IpAddr::V4(*ip),
            Host::Ipv6(ip) => IpAddr::V6(*ip),
            Host::Domain(name) if is_localhost(name) => IpAddr::V4(Ipv4Addr::LOCALHOST),
            Host::Domain(_) => return Ok(()),
        };
        match class_of(ip) {
            None => Ok(()),
            Some(Class::LinkLocal) => Err(SendErrorKind::ForbiddenAddress),
            Some(_) if self.lets(&host.to_owned(), url.port_or_known_default()) => Ok(()),
            Some(class) => Err(SendErrorKind::Guarded { address: host.to_string(), class }),
        }
    }

    /// Whether the address that a name resolves to may be connected to. The port is not known there: that of a listed name
    /// has been compared by [`Guard::check_port`], and an address that is listed for one port is not opened to names.
    pub(crate) fn lets_resolved(&self, name: &str, ip: IpAddr) -> Result<(), Class> {
        match class_of(ip) {
            None => Ok(()),
            Some(Class::LinkLocal) => Err(Class::LinkLocal),
            Some(class) => {
                let named = Host::Domain(plain(name));
                let addressed = address(ip);
                let lets = |allowed: &Allowed| {
                    allowed.host == named || (normal(&allowed.host) == addressed && allowed.port.is_none())
                };
                if self.allowed.iter().any(lets) { Ok(()) } else { Err(class) }
            }
        }
    }

    /// Whether the list names the URL's host, for its port or for all.
    pub fn names(&self, url: &Url) -> bool {
        url.host().is_some_and(|host| self.lets(&host.to_owned(), url.port_or_known_default()))
    }

    fn lets(&self, host: &Host<String>, port: Option<u16>) -> bool {
        let same = |allowed: &&Allowed| normal(&allowed.host) == normal(host);
        self.allowed.iter().filter(same).any(|allowed| allowed.port.is_none() || allowed.port == port)
    }

    /// A name that is allowed on one port alone is not called on another: its address may be a private one.
    pub(crate) fn check_port(&self, url: &Url) -> Result<(), SendErrorKind> {
        let Some(Host::Domain(name)) = url.host() else { return Ok(()) };
        let host = Host::Domain(plain(name));
        let is_listed = self.allowed.iter().any(|allowed| allowed.host == host);
        if is_listed && !self.lets(&host, url.port_or_known_default()) {
            return Err(SendErrorKind::Guarded { address: name.to_owned(), class: Class::Private });
        }
        Ok(())
    }
}

impl Allowed {
    fn parse(text: &str) -> Result<Self, GuardError> {
        let wrong = || GuardError(text.to_owned());
        let text = text.trim();
        // Read as a URL, so that every spelling is the one that a URL would have.
        let bare = text.parse::<Ipv6Addr>().is_ok();
        let url = if bare { format!("https://[{text}]/") } else { format!("https://{text}/") };
        let url: Url = url.parse().map_err(|_| wrong())?;
        let is_host_alone = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        if !is_host_alone || !url.username().is_empty() || url.password().is_some() || text.contains(['/', '@', '*']) {
            return Err(wrong());
        }
        let host = match url.host().ok_or_else(wrong)? {
            Host::Domain(name) => Host::Domain(plain(name)),
            Host::Ipv4(ip) => Host::Ipv4(ip),
            Host::Ipv6(ip) => Host::Ipv6(ip),
        };
        // The default port of https is dropped by the URL, though a person wrote it.
        let port = url.port().or_else(|| text.ends_with(":443").then_some(443));
        Ok(Self { host, port })
    }
}

/// Names without the dot at the end, addresses without the spelling of the other family.
fn normal(host: &Host<String>) -> Host<String> {
    match host {
        Host::Domain(name) => Host::Domain(plain(name)),
        Host::Ipv4(ip) => Host::Ipv4(*ip),
        Host::Ipv6(ip) => address(IpAddr::V6(*ip)),
    }
}

fn address(ip: IpAddr) -> Host<String> {
    match ip.to_canonical() {
        IpAddr::V4(ip) => Host::Ipv4(ip),
        IpAddr::V6(ip) => Host::Ipv6(ip),
    }
}

fn plain(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

/// `localhost` and what is below it (RFC 6761 section 6.3).
pub(crate) fn is_localhost(name: &str) -> bool {
    let name = plain(name);
    name == "localhost" || name.ends_with(".localhost")
}

/// Why the address is not one of a public host; `None` where it is. An IPv6 address that carries an IPv4 one is judged by
/// that: translators and tunnels lead there.
pub(crate) fn class_of(ip: IpAddr) -> Option<Class> {
    match ip.to_canonical() {
        IpAddr::V4(ip) => class_of_v4(ip),
        IpAddr::V6(ip) => embedded(ip).map_or_else(|| class_of_v6(ip), class_of_v4),
    }
}

fn class_of_v4(ip: Ipv4Addr) -> Option<Class> {
    let [a, b, c, _] = ip.octets();
    match (a, b, c) {
        (127, ..) => Some(Class::Loopback),
        (10, ..) | (172, 16..=31, _) | (192, 168, _) | (100, 64..=127, _) => Some(Class::Private),
        (169, 254, _) => Some(Class::LinkLocal),
        // This network, IETF protocols, documentation, 6to4 relays, benchmarks, multicast and beyond (RFC 6890).
        (0 | 224..=255, ..) | (192, 0, 0 | 2) | (192, 88, 99) | (198, 18 | 19, _) => Some(Class::Unusable),
        (198, 51, 100) | (203, 0, 113) => Some(Class::Unusable),
        _ => None,
    }
}

fn class_of_v6(ip: Ipv6Addr) -> Option<Class> {
    let first = ip.segments()[0];
    match first {
        _ if ip.is_loopback() => Some(Class::Loopback),
        _ if first & 0xfe00 == 0xfc00 => Some(Class::Private),
        // Site-local (RFC 3879) is deprecated and still routed inside of some sites.
        _ if first & 0xffc0 == 0xfec0 => Some(Class::Private),
        _ if first & 0xffc0 == 0xfe80 => Some(Class::LinkLocal),
        // Amazon keeps a metadata service at fd00:ec2::254, which is private as well.
        0x2001 if ip.segments()[1] == 0xdb8 => Some(Class::Unusable),
        // Only 2000::/3 is given out (RFC 4291 section 2.4).
        _ if first & 0xe000 == 0x2000 => None,
        _ => Some(Class::Unusable),
    }
}

/// ::a.b.c.d, NAT64 (RFC 6052, RFC 8215), 6to4 (RFC 3056), ISATAP (RFC 5214) and Teredo (RFC 4380).
fn embedded(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    let s = ip.segments();
    let v4 = |high: u16, low: u16| {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        Ipv4Addr::new(a, b, c, d)
    };
    match s {
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => None,
        [0, 0, 0, 0, 0, 0, high, low] => Some(v4(high, low)),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some(v4(high, low)),
        [0x64, 0xff9b, 1, .., high, low] => Some(v4(high, low)),
        [0x2002, high, low, ..] => Some(v4(high, low)),
        [_, _, _, _, 0 | 0x200, 0x5efe, high, low] => Some(v4(high, low)),
        // The client's address stands inverted.
        [0x2001, 0, .., high, low] => Some(v4(!high, !low)),
        _ => None,
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Loopback => "this machine",
            Self::Private => "a private network",
            Self::LinkLocal => "the local link, where clouds keep their metadata",
            Self::Unusable => "no single host",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the guard says of a URL: by its spelling alone, as for addresses and `localhost`.
    #[track_caller]
    fn check(guard: &Guard, url: &str, expected: &str) {
        let said = match url.parse::<Url>() {
            Err(_) => "no url".to_owned(),
            Ok(url) => match guard.check(&url).and_then(|()| guard.check_port(&url)) {
                Ok(()) => "ok".to_owned(),
                Err(SendErrorKind::Guarded { class, .. }) => format!("{class:?}"),
                Err(SendErrorKind::ForbiddenAddress) => "LinkLocal".to_owned(),
                Err(other) => format!("{other:?}"),
            },
        };
        assert_eq!(said, expected, "{url}");
    }

    #[test]
    fn only_public_addresses_pass_however_they_are_spelt() {
        let guard = Guard::default();
        for (url, expected) in [
            ("https://example.com/", "ok"),
            ("https://1.1.1.1/", "ok"),
            ("https://[2606:4700:4700::1111]/", "ok"),
            ("https://[::ffff:1.1.1.1]/", "ok"),
            ("https://172.15.0.1/", "ok"),
            ("https://172.32.0.1/", "ok"),
            ("https://100.63.0.1/", "ok"),
            ("https://127.0.0.1/", "Loopback"),
            ("https://127.1/", "Loopback"),
            ("https://127.255.255.254/", "Loopback"),
            ("https://2130706433/", "Loopback"),
            ("https://0x7f000001/", "Loopback"),
            ("https://0177.0.0.1/", "Loopback"),
            ("https://0x7f.1/", "Loopback"),
            ("https://127。0。0。1/", "Loopback"),
            ("https://①②⑦.0.0.1/", "Loopback"),
            ("https://localhost/", "Loopback"),
            ("https://LOCALHOST./", "Loopback"),
            ("https://a.localhost/", "Loopback"),
            ("https://[::1]/", "Loopback"),
            ("https://[0:0:0:0:0:0:0:1]/", "Loopback"),
            ("https://[::ffff:127.0.0.1]/", "Loopback"),
            ("https://[::ffff:7f00:1]/", "Loopback"),
            ("https://[::127.0.0.1]/", "Loopback"),
            ("https://[64:ff9b::7f00:1]/", "Loopback"),
            ("https://[64:ff9b:1::7f00:1]/", "Loopback"),
            ("https://[2002:7f00:1::]/", "Loopback"),
            ("https://[2001:0:1:2:3:4:80ff:fffe]/", "Loopback"),
            ("https://10.0.0.1/", "Private"),
            ("https://167772161/", "Private"),
            ("https://012.0.0.1/", "Private"),
            ("https://172.16.0.1/", "Private"),
            ("https://172.31.255.255/", "Private"),
            ("https://192.168.1.1/", "Private"),
            ("https://100.64.0.1/", "Private"),
            ("https://[fc00::1]/", "Private"),
            ("https://[fd00:ec2::254]/", "Private"),
            ("https://[fec0::1]/", "Private"),
            ("https://[::ffff:192.168.0.1]/", "Private"),
            ("https://[2002:c0a8:1::]/", "Private"),
            ("https://[2606:4700::5efe:c0a8:1]/", "Private"),
            ("https://169.254.169.254/", "LinkLocal"),
            ("https://2852039166/", "LinkLocal"),
            ("https://0xa9.0xfe.0xa9.0xfe/", "LinkLocal"),
            ("https://[::ffff:169.254.169.254]/", "LinkLocal"),
            ("https://[64:ff9b::a9fe:a9fe]/", "LinkLocal"),
            ("https://[fe80::1]/", "LinkLocal"),
            ("https://0.0.0.0/", "Unusable"),
            ("https://0/", "Unusable"),
            ("https://[::]/", "Unusable"),
            ("https://224.0.0.1/", "Unusable"),
            ("https://255.255.255.255/", "Unusable"),
            ("https://198.18.0.1/", "Unusable"),
            ("https://192.0.2.1/", "Unusable"),
            ("https://[ff02::1]/", "Unusable"),
            ("https://[2001:db8::1]/", "Unusable"),
            ("https://user@example.com/", r#"BadRequest("the address holds a user name or a password")"#),
            ("https://127.0.0.1@example.com/", r#"BadRequest("the address holds a user name or a password")"#),
            ("https://example.com@127.0.0.1/", r#"BadRequest("the address holds a user name or a password")"#),
            ("https://[::1%25lo]/", "no url"),
            ("https://256.256.256.256/", "no url"),
        ] {
            check(&guard, url, expected);
        }
    }

    #[test]
    fn an_allow_list_opens_what_it_names_and_no_more() {
        let guard = Guard::allowing(["127.0.0.1:8400", "SIEM.corp.example.", "10.0.0.7", "[fd00::7]:443"]).unwrap();
        check(&guard, "http://127.0.0.1:8400/", "ok");
        check(&guard, "http://[::ffff:127.0.0.1]:8400/", "ok");
        check(&guard, "http://2130706433:8400/", "ok");
        check(&guard, "http://127.0.0.1:8401/", "Loopback");
        check(&guard, "http://127.0.0.2:8400/", "Loopback");
        check(&guard, "https://10.0.0.7:9/", "ok");
        check(&guard, "https://10.0.0.8/", "Private");
        check(&guard, "https://[fd00::7]/", "ok");
        check(&guard, "https://[fd00::7]:444/", "Private");
        let private: IpAddr = "10.9.9.9".parse().unwrap();
        assert_eq!(guard.lets_resolved("siem.CORP.example", private), Ok(()));
        assert_eq!(guard.lets_resolved("other.corp.example", private), Err(Class::Private));
        assert_eq!(guard.lets_resolved("other.corp.example", "10.0.0.7".parse().unwrap()), Ok(()));
        assert_eq!(guard.lets_resolved("example.com", "1.1.1.1".parse().unwrap()), Ok(()));
        // Another service of this machine: a name leads to the listed address, on whatever port.
        assert_eq!(guard.lets_resolved("evil.example", "127.0.0.1".parse().unwrap()), Err(Class::Loopback));
        let named = Guard::allowing(["siem.corp.example:8443"]).unwrap();
        check(&named, "https://siem.corp.example:8443/", "ok");
        check(&named, "https://siem.corp.example./", "Private");
    }

    #[test]
    fn no_allow_list_opens_the_metadata_service() {
        let guard = Guard::allowing(["169.254.169.254", "metadata.example"]).unwrap();
        check(&guard, "http://169.254.169.254/", "LinkLocal");
        assert_eq!(guard.lets_resolved("metadata.example", "169.254.169.254".parse().unwrap()), Err(Class::LinkLocal));
    }

    #[test]
    fn an_entry_is_a_host_and_nothing_else() {
        for wrong in
            ["", "https://a.example", "a.example/x", "u@a.example", "*.example", "a b", "a.example?x", "a:99999"]
        {
            assert!(Guard::allowing([wrong]).is_err(), "{wrong}");
        }
    }
}
