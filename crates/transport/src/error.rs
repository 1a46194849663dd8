//! Why an attempt gave no answer, what that says about its fate, and what to do about it.

use std::{error::Error, fmt, io, path::PathBuf, time::Duration};

use crate::{address::ResolveError, guard::Class};

/// No answer: what failed, towards which host.
#[derive(Debug, thiserror::Error)]
#[error("failed to call `{host}`")]
pub struct SendError {
    /// Host (and port, where not the usual one) that was called.
    pub host: String,
    /// What went wrong.
    #[source]
    pub kind: Box<SendErrorKind>,
}

/// What went wrong on the way.
#[derive(Debug, thiserror::Error)]
pub enum SendErrorKind {
    /// The name has no address, or no name server answered.
    #[error("the host name could not be resolved")]
    Dns(#[source] io::Error),
    /// Something listens to refuse: nothing runs on that port.
    #[error("the connection was refused")]
    ConnectRefused,
    /// Unreachable network, no route, reset while connecting.
    #[error("no connection could be made: {0}")]
    Connect(String),
    /// The TLS handshake failed.
    #[error("no trusted TLS connection could be made: {0}")]
    Tls(TlsCause),
    /// The proxy stands in the way.
    #[error("{0}")]
    Proxy(ProxyCause),
    /// Too slow.
    #[error("timed out {phase} after {after:?}")]
    Timeout {
        /// In which part of the attempt.
        phase: TimeoutPhase,
        /// The limit that was reached.
        after: Duration,
    },
    /// The connection ended after the request went out and before an answer began.
    #[error("the connection was closed before an answer arrived")]
    Reset,
    /// The answer began and broke off.
    #[error("the answer was cut off in the middle")]
    CutBody,
    /// The body passed its bound, counted after decompression.
    #[error("the answer is larger than {limit} bytes")]
    TooLarge {
        /// The bound.
        limit: u64,
    },
    /// The body is too large for memory, and the temporary folder does not take it.
    #[error("the large answer cannot be written to the temporary folder {}", folder.display())]
    Spool {
        /// Where it was to be written.
        folder: PathBuf,
        /// What the disk said.
        source: io::Error,
    },
    /// The compressed body cannot be unpacked.
    #[error("the answer's compression is broken")]
    InvalidEncoding,
    /// A redirect that must not be followed.
    #[error("a redirect was not followed: {0}")]
    Redirect(RedirectCause),
    /// Not an http(s) address with a host.
    #[error("the address is not an http or https URL with a host")]
    BadUrl,
    /// Plain http to another machine.
    #[error("plain http is used on loopback only; this address needs https")]
    PlainHttp,
    /// A link-local or metadata address.
    #[error("link-local and metadata addresses must not be called")]
    ForbiddenAddress,
    /// An address that is not public and that the connection's own allow-list does not name.
    #[error("`{address}` leads to {class}, and the list of allowed hosts does not name it")]
    Guarded {
        /// As it was called, and what it resolved to.
        address: String,
        /// Why it is not public.
        class: Class,
    },
    /// The request itself cannot be written.
    #[error("the request cannot be written: {0}")]
    BadRequest(&'static str),
    /// The attempt could not be recorded beforehand, so it was not made.
    #[error("it was not sent, because that could not be recorded first")]
    NotRecorded(#[source] io::Error),
    /// The shared budget of this API family is used up for longer than the caller may wait.
    #[error("this API's quota is used up for another {} s", wait.as_secs().max(1))]
    QuotaExhausted {
        /// How long until the next call may go out.
        wait: Duration,
    },
    /// The answer is not HTTP.
    #[error("the answer is not valid HTTP")]
    Protocol,
}

/// Why the peer's certificate or the handshake was not accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsCause {
    /// Signed by an authority that is not trusted here.
    UnknownIssuer,
    /// Its time is over, or the local clock is ahead.
    Expired,
    /// Its time has not come, or the local clock is behind.
    NotYetValid,
    /// Issued for another name.
    WrongName,
    /// No certificate authority is known at all: a container without `ca-certificates`.
    NoRoots,
    /// The service asks for a certificate of ours, and none is set.
    ClientCertificateMissing,
    /// The service does not take ours, or us without one.
    ClientCertificateRefused,
    /// Anything else that the handshake reports.
    Other(String),
}

/// How the proxy failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyCause {
    /// 407.
    AuthenticationRequired,
    /// Any other status than 200 to CONNECT, 403 for example.
    Refused,
    /// The proxy itself cannot be reached.
    Unreachable,
    /// The proxy closed the connection or answered nonsense.
    Broken,
}

/// Which part of the attempt took too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeoutPhase {
    /// Resolving, connecting, handshake: nothing was sent.
    Connect,
    /// Waiting for the first byte of the answer.
    FirstByte,
    /// The whole attempt.
    Total,
}

/// Why a redirect was not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RedirectCause {
    /// More than the allowed number in a row.
    TooMany,
    /// From https to http.
    Downgrade,
    /// To another origin although the request carries a credential.
    CrossOrigin,
    /// No `Location`, or one that is no address.
    BadLocation,
}

/// What a failure tells about the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// It never left: safe to repeat, whatever it does.
    NotSent,
    /// The service answered that it did nothing.
    Refused,
    /// It may have been carried out.
    Unknown,
}

impl Delivery {
    /// What an answer's status says; `None` for answers that are no failure. A 5xx may come from a gateway in front of a
    /// service that did act.
    pub fn of_status(status: http::StatusCode) -> Option<Self> {
        match status.as_u16() {
            408 => Some(Self::Unknown),
            400..=499 => Some(Self::Refused),
            500.. => Some(Self::Unknown),
            _ => None,
        }
    }
}

impl SendError {
    /// What this failure tells about the request.
    pub fn delivery(&self) -> Delivery {
        self.kind.delivery()
    }

    /// What a person can do about it, as a full sentence.
    pub fn remedy(&self) -> String {
        self.kind.remedy(&self.host)
    }

    /// Whether the same attempt may succeed later without anybody's help.
    pub fn may_pass(&self) -> bool {
        use SendErrorKind as Kind;
        match &*self.kind {
            Kind::Dns(_) | Kind::ConnectRefused | Kind::Connect(_) | Kind::Timeout { .. } => true,
            Kind::Reset | Kind::CutBody | Kind::InvalidEncoding | Kind::Protocol | Kind::QuotaExhausted { .. } => true,
            Kind::Proxy(cause) => matches!(cause, ProxyCause::Unreachable | ProxyCause::Broken),
            Kind::Tls(_) | Kind::TooLarge { .. } | Kind::Spool { .. } | Kind::Redirect(_) => false,
            Kind::BadUrl | Kind::PlainHttp | Kind::ForbiddenAddress | Kind::Guarded { .. } => false,
            Kind::BadRequest(_) | Kind::NotRecorded(_) => false,
        }
    }
}

impl SendErrorKind {
    fn delivery(&self) -> Delivery {
        match self {
            Self::Dns(_) | Self::ConnectRefused | Self::Connect(_) | Self::Tls(_) | Self::Proxy(_) => Delivery::NotSent,
            Self::Timeout { phase: TimeoutPhase::Connect, .. } => Delivery::NotSent,
            Self::BadUrl | Self::PlainHttp | Self::ForbiddenAddress | Self::Guarded { .. } => Delivery::NotSent,
            Self::BadRequest(_) => Delivery::NotSent,
            Self::QuotaExhausted { .. } | Self::NotRecorded(_) => Delivery::NotSent,
            Self::Timeout { .. } | Self::Reset | Self::CutBody | Self::TooLarge { .. } => Delivery::Unknown,
            Self::InvalidEncoding | Self::Redirect(_) | Self::Protocol | Self::Spool { .. } => Delivery::Unknown,
        }
    }

    fn remedy(&self, host: &str) -> String {
        match self {
            Self::Dns(_) => format!(
                "Check the network and its name server, and that `{host}` is spelt right; where names resolve only behind a proxy, set the proxy."
            ),
            Self::ConnectRefused => {
                format!("Nothing accepts connections at `{host}`: check the address, the port and that the service runs.")
            }
            Self::Connect(_) => format!("Check the network and the firewall towards `{host}`, or set the proxy."),
            Self::Tls(cause) => cause.remedy(host),
            Self::Proxy(cause) => cause.remedy(host),
            Self::Timeout { phase: TimeoutPhase::Connect, .. } => {
                format!("Check the firewall towards `{host}`, or set the proxy; nothing was sent.")
            }
            Self::Timeout { .. } => "Try again later; if it stays slow, ask for less at once.".to_owned(),
            Self::Reset | Self::CutBody | Self::InvalidEncoding => {
                "Try again; if it repeats, something between here and the service breaks the connection (proxy, firewall, VPN).".to_owned()
            }
            Self::TooLarge { .. } => "Ask for less at once: no service sends nearly as much, so look also at what stands in between (proxy, gateway).".to_owned(),
            Self::Spool { folder, .. } => {
                format!("Make room in {}, or name another folder in the variable TMPDIR.", folder.display())
            }
            Self::Redirect(_) => format!("Check the address of `{host}`: the service points elsewhere."),
            Self::BadUrl => "Give a full address such as `https://api.security.microsoft.com`.".to_owned(),
            Self::PlainHttp => "Write the address with https; http is only for 127.0.0.1, ::1 and localhost.".to_owned(),
            Self::ForbiddenAddress => "Give another address; only managed identity may use the metadata service.".to_owned(),
            Self::Guarded { .. } => {
                "If that is meant, add the host to the connection's allowed hosts; if not, somebody tries to reach into your network.".to_owned()
            }
            Self::BadRequest(_) => "This is a mistake in the call's input: check it for control characters.".to_owned(),
            Self::NotRecorded(_) => "Make room on the disk of the state folder, or name another folder.".to_owned(),
            Self::QuotaExhausted { wait } => format!("Try again in {} s.", wait.as_secs().max(1)),
            Self::Protocol => format!("Check that `{host}` is the service's own address and not another program's port."),
        }
    }
}

impl TlsCause {
    fn remedy(&self, host: &str) -> String {
        match self {
            Self::UnknownIssuer => format!(
                "If a company proxy inspects TLS, set the CA bundle to a PEM file with its root certificate; otherwise do not trust what answers as `{host}`."
            ),
            Self::Expired => format!(
                "Check this machine's clock (it may be ahead); if it is right, the certificate of `{host}` must be renewed by its owner."
            ),
            Self::NotYetValid => format!(
                "Check this machine's clock (it may be behind); if it is right, the certificate of `{host}` is not valid yet."
            ),
            Self::WrongName => format!("Check the address: what answers has no certificate for `{host}`."),
            Self::NoRoots => {
                "This system has no certificate authorities: install its `ca-certificates` package or set the CA bundle.".to_owned()
            }
            Self::ClientCertificateMissing => {
                format!("Set the client certificate that the owner of `{host}` has given out for you.")
            }
            Self::ClientCertificateRefused => format!(
                "Set a client certificate that `{host}` takes: one that has not ended and is signed by the authority that its owner names."
            ),
            Self::Other(_) => format!("Check what stands between here and `{host}` (proxy, firewall), and the CA bundle."),
        }
    }
}

impl ProxyCause {
    fn remedy(self, host: &str) -> String {
        match self {
            Self::AuthenticationRequired => {
                "Put the proxy's user name and password into its address in the variable HTTPS_PROXY (http://user:password@proxy:port).".to_owned()
            }
            Self::Refused => format!("Ask the network's administrators to allow `{host}` port 443 on the proxy."),
            Self::Unreachable => {
                "Check the proxy's address (HTTPS_PROXY or the proxy setting) and that it runs.".to_owned()
            }
            Self::Broken => "Check that the proxy's address names an HTTP proxy and that it runs.".to_owned(),
        }
    }
}

impl fmt::Display for TlsCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownIssuer => "the certificate is signed by an unknown authority",
            Self::Expired => "the certificate has expired",
            Self::NotYetValid => "the certificate is not valid yet",
            Self::WrongName => "the certificate is for another name",
            Self::NoRoots => "this system has no certificate authorities to check against",
            Self::ClientCertificateMissing => "the service asks for a client certificate, and none is set",
            Self::ClientCertificateRefused => "the service does not accept the client certificate",
            Self::Other(text) => text,
        })
    }
}

impl fmt::Display for ProxyCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AuthenticationRequired => "the proxy wants a user name and password (407)",
            Self::Refused => "the proxy refused to connect",
            Self::Unreachable => "the proxy cannot be reached",
            Self::Broken => "the proxy broke the connection off",
        })
    }
}

impl fmt::Display for TimeoutPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "while connecting",
            Self::FirstByte => "while waiting for the answer",
            Self::Total => "before the answer was complete",
        })
    }
}

impl fmt::Display for RedirectCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooMany => "too many in a row",
            Self::Downgrade => "it leads from https to http",
            Self::CrossOrigin => "it leads to another host, and the call carries a credential",
            Self::BadLocation => "it does not say where to",
        })
    }
}

/// Sorts an error of the phase up to the answer's headers.
pub(crate) fn before_answer(error: &reqwest::Error, connect_timeout: Duration) -> SendErrorKind {
    let causes = Causes(error);
    match causes.tls() {
        // TLS 1.3 lets a service refuse our certificate, or ask for one, only when the request is on its way already.
        Some(cause @ (TlsCause::ClientCertificateMissing | TlsCause::ClientCertificateRefused)) => {
            return SendErrorKind::Tls(cause);
        }
        Some(cause) if error.is_connect() => return SendErrorKind::Tls(cause),
        // Encryption that broke later says nothing of what the service has read.
        Some(_) => return SendErrorKind::Reset,
        None => {}
    }
    if let Some(resolve) = causes.find::<ResolveError>() {
        return match resolve {
            ResolveError::Failed { source, .. } => {
                SendErrorKind::Dns(io::Error::new(source.kind(), source.to_string()))
            }
            ResolveError::Forbidden { .. } => SendErrorKind::ForbiddenAddress,
            ResolveError::Guarded { name, address, class } => {
                SendErrorKind::Guarded { address: format!("{name} ({address})"), class: *class }
            }
        };
    }
    if let Some(cause) = causes.proxy() {
        return SendErrorKind::Proxy(cause);
    }
    if error.is_connect() {
        if error.is_timeout() {
            return SendErrorKind::Timeout { phase: TimeoutPhase::Connect, after: connect_timeout };
        }
        return match causes.io() {
            Some(io) if io.kind() == io::ErrorKind::ConnectionRefused => SendErrorKind::ConnectRefused,
            Some(io) => SendErrorKind::Connect(io.kind().to_string()),
            None => SendErrorKind::Connect("the handshake did not complete".to_owned()),
        };
    }
    if error.is_builder() {
        return SendErrorKind::BadRequest("the HTTP library refuses it");
    }
    match causes.io() {
        Some(_) => SendErrorKind::Reset,
        None if causes.says("connection closed") || causes.says("canceled") || causes.says("message completed") => {
            SendErrorKind::Reset
        }
        None => SendErrorKind::Protocol,
    }
}

/// Sorts an error of a TLS handshake on a connection of our own.
pub(crate) fn of_handshake(error: &io::Error) -> SendErrorKind {
    match Causes(error).tls() {
        Some(cause) => SendErrorKind::Tls(cause),
        None => SendErrorKind::Connect("the handshake did not complete".to_owned()),
    }
}

/// Sorts an error of the phase in which the body arrives.
pub(crate) fn during_body(error: &reqwest::Error) -> SendErrorKind {
    let causes = Causes(error);
    let transport = causes.says("message completed") || causes.says("connection") || causes.says("end of file");
    match causes.io() {
        Some(io) if io.kind() == io::ErrorKind::UnexpectedEof => SendErrorKind::CutBody,
        _ if error.is_decode() && !transport => SendErrorKind::InvalidEncoding,
        _ => SendErrorKind::CutBody,
    }
}

/// The chain of an error's causes, looking into `io::Error`, which hides the error that it wraps.
struct Causes<'a>(&'a (dyn Error + 'static));

impl<'a> Causes<'a> {
    fn each(&self) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
        let mut next = Some(self.0);
        std::iter::from_fn(move || {
            let current = next?;
            next = match current.downcast_ref::<io::Error>() {
                Some(io) => match io.get_ref() {
                    Some(inner) => Some(inner as &(dyn Error + 'static)),
                    None => io.source(),
                },
                None => current.source(),
            };
            Some(current)
        })
    }

    fn find<T: Error + 'static>(&self) -> Option<&'a T> {
        self.each().find_map(|cause| cause.downcast_ref::<T>())
    }

    /// The innermost I/O error, which is the system's own.
    fn io(&self) -> Option<&'a io::Error> {
        self.each().filter_map(|cause| cause.downcast_ref::<io::Error>()).last()
    }

    fn says(&self, part: &str) -> bool {
        self.each().any(|cause| cause.to_string().contains(part))
    }

    fn tls(&self) -> Option<TlsCause> {
        use rustls::{AlertDescription as Alert, CertificateError as Bad, Error as Tls};
        let error = self.find::<Tls>()?;
        Some(match error {
            Tls::InvalidCertificate(Bad::UnknownIssuer) => TlsCause::UnknownIssuer,
            Tls::InvalidCertificate(Bad::Expired | Bad::ExpiredContext { .. }) => TlsCause::Expired,
            Tls::InvalidCertificate(Bad::NotValidYet | Bad::NotValidYetContext { .. }) => TlsCause::NotYetValid,
            Tls::InvalidCertificate(Bad::NotValidForName | Bad::NotValidForNameContext { .. }) => TlsCause::WrongName,
            Tls::AlertReceived(Alert::CertificateRequired) => TlsCause::ClientCertificateMissing,
            Tls::AlertReceived(
                Alert::BadCertificate
                | Alert::UnsupportedCertificate
                | Alert::CertificateRevoked
                | Alert::CertificateExpired
                | Alert::CertificateUnknown
                | Alert::UnknownCA
                | Alert::AccessDenied,
            ) => TlsCause::ClientCertificateRefused,
            Tls::NoCertificatesPresented => TlsCause::Other("the peer shows no certificate".to_owned()),
            other => TlsCause::Other(other.to_string()),
        })
    }

    /// The tunnel error's type is private to the HTTP library, so its texts are what there is.
    fn proxy(&self) -> Option<ProxyCause> {
        if !self.says("tunnel error") && !self.says("SOCKS") {
            return None;
        }
        Some(match () {
            () if self.says("proxy authorization required") => ProxyCause::AuthenticationRequired,
            () if self.says("unsuccessful") => ProxyCause::Refused,
            () if self.says("failed to create underlying connection") => ProxyCause::Unreachable,
            () => ProxyCause::Broken,
        })
    }
}
