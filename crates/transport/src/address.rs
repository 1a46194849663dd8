//! Which addresses may be reached: plain http for loopback only, link-local for managed identity only.

use std::{
    fmt, io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

use crate::{
    error::SendErrorKind,
    guard::{Class, Guard, is_localhost},
    request::Reach,
};

/// Refuses addresses by what the URL says. Names are checked again when they are resolved, by [`GuardedResolver`].
pub(crate) fn check(url: &Url, reach: Reach) -> Result<(), SendErrorKind> {
    let host = url.host().ok_or(SendErrorKind::BadUrl)?;
    let plain = match url.scheme() {
        "https" => false,
        "http" => true,
        _ => return Err(SendErrorKind::BadUrl),
    };
    let ip = match host {
        Host::Ipv4(ip) => Some(IpAddr::V4(ip)),
        Host::Ipv6(ip) => Some(IpAddr::V6(ip)),
        Host::Domain(_) => None,
    };
    let metadata = ip == Some(IpAddr::V4(METADATA_ADDRESS));
    if reach == Reach::ManagedIdentity {
        return if metadata || is_loopback(url) { Ok(()) } else { Err(SendErrorKind::ForbiddenAddress) };
    }
    if ip.is_some_and(is_link_local) {
        return Err(SendErrorKind::ForbiddenAddress);
    }
    if plain && !is_loopback(url) { Err(SendErrorKind::PlainHttp) } else { Ok(()) }
}

/// Whether the URL names this machine: a loopback address, `localhost`, or a name below it (RFC 6761 section 6.3).
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.to_canonical().is_loopback(),
        Some(Host::Domain(name)) => is_localhost(name),
        None => false,
    }
}

/// The system's resolver, minus what must not be connected to. What it returns is what is connected to, so that a name
/// whose answer changes between check and use gains nothing.
#[derive(Debug)]
pub(crate) struct GuardedResolver {
    /// For calls whose address a document or a person wrote.
    pub guard: Option<Arc<Guard>>,
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.guard.clone();
        Box::pin(async move {
            let found = resolve(guard.as_deref(), name.as_str()).await?;
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// The addresses of the name that may be connected to; never none.
pub(crate) async fn resolve(guard: Option<&Guard>, name: &str) -> Result<Vec<SocketAddr>, ResolveError> {
    let found = tokio::net::lookup_host((name, 0))
        .await
        .map_err(|source| ResolveError::Failed { name: name.to_owned(), source })?;
    let localhost = is_localhost(name);
    let found: Vec<SocketAddr> = found
        .filter(|address| !is_link_local(address.ip()))
        .filter(|address| !localhost || address.ip().to_canonical().is_loopback())
        .collect();
    if found.is_empty() {
        return Err(ResolveError::Forbidden { name: name.to_owned() });
    }
    let Some(guard) = guard else { return Ok(found) };
    let (mut usable, mut refused) = (Vec::new(), None);
    for address in found {
        match guard.lets_resolved(name, address.ip()) {
            Ok(()) => usable.push(address),
            Err(class) => refused = Some((address.ip(), class)),
        }
    }
    match refused {
        Some((address, class)) if usable.is_empty() => {
            Err(ResolveError::Guarded { name: name.to_owned(), address, class })
        }
        _ => Ok(usable),
    }
}

/// Behind a proxy: what this machine knows of the name. A name that only the proxy can resolve is the proxy's to guard.
pub(crate) async fn check_resolved(guard: &Guard, name: &str) -> Result<(), SendErrorKind> {
    let Ok(found) = tokio::net::lookup_host((name, 0)).await else { return Ok(()) };
    for address in found {
        if let Err(class) = guard.lets_resolved(name, address.ip()) {
            return Err(SendErrorKind::Guarded { address: format!("{name} ({})", address.ip()), class });
        }
    }
    Ok(())
}

/// Why a name gave no usable address.
#[derive(Debug)]
pub(crate) enum ResolveError {
    Failed { name: String, source: io::Error },
    Forbidden { name: String },
    Guarded { name: String, address: IpAddr, class: Class },
}

impl ResolveError {
    pub(crate) fn kind(self) -> SendErrorKind {
        match self {
            Self::Failed { source, .. } => SendErrorKind::Dns(source),
            Self::Forbidden { .. } => SendErrorKind::ForbiddenAddress,
            Self::Guarded { name, address, class } => {
                SendErrorKind::Guarded { address: format!("{name} ({address})"), class }
            }
        }
    }
}

impl fmt::Display for ResolveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed { name, .. } => write!(f, "the name `{name}` could not be resolved"),
            Self::Forbidden { name } => write!(f, "the name `{name}` has only addresses that must not be reached"),
            Self::Guarded { name, address, .. } => write!(f, "the name `{name}` leads to {address}"),
        }
    }
}

impl std::error::Error for ResolveError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Failed { source, .. } => Some(source),
            Self::Forbidden { .. } | Self::Guarded { .. } => None,
        }
    }
}

/// 169.254.0.0/16, also mapped or embedded in IPv6, and fe80::/10.
fn is_link_local(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => {
            let segments = ip.segments();
            // 64:ff9b::/96 (RFC 6052) and the deprecated ::a.b.c.d: translators turn both into the IPv4 address.
            let embeds = segments[..6] == [0x64, 0xff9b, 0, 0, 0, 0] || segments[..6] == [0; 6];
            (segments[0] & 0xffc0) == 0xfe80 || (embeds && segments[6] == 0xa9fe)
        }
    }
}

/// Where Azure machines find their managed identity.
const METADATA_ADDRESS: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_url(url: &str, reach: Reach, expected: &str) {
        let verdict = match check(&url.parse().unwrap(), reach) {
            Ok(()) => "ok".to_owned(),
            Err(kind) => format!("{kind:?}"),
        };
        assert_eq!(verdict, expected, "{url}");
    }

    #[test]
    fn plain_http_is_for_loopback() {
        for ok in ["http://127.0.0.1:1/", "http://127.9.9.9/", "http://[::1]:1/", "http://localhost:1/"] {
            check_url(ok, Reach::Ordinary, "ok");
        }
        for refused in ["http://10.0.0.1/", "http://example.com/", "http://localhost.example.com/", "http://0.0.0.0/"] {
            check_url(refused, Reach::Ordinary, "PlainHttp");
        }
        check_url("https://example.com/", Reach::Ordinary, "ok");
        check_url("ftp://example.com/", Reach::Ordinary, "BadUrl");
    }

    #[test]
    fn link_local_is_for_managed_identity() {
        for url in [
            "http://169.254.169.254/x",
            "https://169.254.0.1/",
            "https://[::ffff:169.254.169.254]/",
            "https://[::169.254.169.254]/",
            "https://[64:ff9b::a9fe:a9fe]/",
            "https://[fe80::1]/",
            "http://2852039166/",
            "http://0xa9.0xfe.0xa9.0xfe/",
        ] {
            check_url(url, Reach::Ordinary, "ForbiddenAddress");
        }
        check_url("http://169.254.169.254/metadata", Reach::ManagedIdentity, "ok");
        check_url("http://127.0.0.1:1/metadata", Reach::ManagedIdentity, "ok");
        check_url("http://169.254.1.1/metadata", Reach::ManagedIdentity, "ForbiddenAddress");
        check_url("http://example.com/metadata", Reach::ManagedIdentity, "ForbiddenAddress");
    }
}
