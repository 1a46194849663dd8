//! How the way out is set up: trust, proxy, timeouts, bounds.

use std::{path::PathBuf, time::Duration};

use url::Url;

use crate::client_certificate::ClientCertificate;

/// Everything an operator may set about outgoing HTTP.
#[derive(Clone, Debug)]
pub struct TransportSettings {
    /// PEM file with further certificate authorities, trusted beside those of the platform.
    pub ca_bundle: Option<PathBuf>,
    /// The same for a part of what leaves, such as one connection.
    pub further_ca_bundle: Option<PathBuf>,
    /// What is shown to a service that asks for a certificate.
    pub client_certificate: Option<ClientCertificate>,
    /// Whether and through which proxy https leaves. Loopback never goes through one.
    pub proxy: ProxySetting,
    /// Name resolution, TCP and TLS together.
    pub connect_timeout: Duration,
    /// From the start of the attempt to the first byte of the answer.
    pub first_byte_timeout: Duration,
    /// The whole attempt, body and redirects included.
    pub total_timeout: Duration,
    /// Both of these for a request that asks a query of the service.
    pub long_timeout: Duration,
    /// Bound of an answer's body after decompression; a request may set its own.
    pub body_bytes_max: u64,
    /// Sent as `User-Agent`.
    pub user_agent: String,
}

impl Default for TransportSettings {
    fn default() -> Self {
        Self {
            ca_bundle: None,
            further_ca_bundle: None,
            client_certificate: None,
            proxy: ProxySetting::Environment,
            connect_timeout: Duration::from_secs(10),
            first_byte_timeout: Duration::from_secs(60),
            total_timeout: Duration::from_secs(120),
            // Defender for Endpoint lets a query run 200 s, the others 180 s (limits on the pages of advanced hunting).
            long_timeout: Duration::from_secs(240),
            body_bytes_max: 32 << 20,
            user_agent: concat!("sortie/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}

/// Where the proxy comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ProxySetting {
    /// `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`, in either letter case.
    #[default]
    Environment,
    /// No proxy, whatever the environment says.
    Direct,
    /// This one for all https; `http`, `https`, `socks5` and `socks5h` addresses work.
    Url(Url),
}

/// Why settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TransportSettingsError {
    /// The CA bundle file cannot be read.
    #[error("the CA bundle `{}` cannot be read", path.display())]
    CaBundleUnreadable {
        /// The file as set.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The CA bundle holds no certificate, or a broken one.
    #[error("the CA bundle `{}` holds no readable PEM certificate; expected `-----BEGIN CERTIFICATE-----` blocks", path.display())]
    CaBundleInvalid {
        /// The file as set.
        path: PathBuf,
    },
    /// The client certificate or its key cannot be read.
    #[error("the client certificate's file `{}` cannot be read", path.display())]
    ClientCertificateUnreadable {
        /// The file as set.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The client certificate or its key cannot be used.
    #[error("the client certificate's file `{}` cannot be used: {why}", path.display())]
    ClientCertificateUnusable {
        /// The file as set.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The proxy address has a scheme that is not supported.
    #[error("the proxy scheme `{scheme}` is not supported; use http, https, socks5 or socks5h")]
    ProxyScheme {
        /// What stands before `://`.
        scheme: String,
    },
    /// A text that cannot be a header value.
    #[error("the user agent holds characters that a header cannot carry")]
    UserAgent,
}

impl TransportSettingsError {
    /// What the operator can do, as a full sentence.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::CaBundleUnreadable { .. } | Self::ClientCertificateUnreadable { .. } => {
                "Check the path and the right to read it."
            }
            Self::CaBundleInvalid { .. } => {
                "Give the authority's certificate as PEM; a DER file is converted by: openssl x509 -inform der -in ca.der -out ca.pem"
            }
            Self::ClientCertificateUnusable { .. } => {
                "Give the certificate and its key, without a password, as PEM: in one file, or the key in a second one."
            }
            Self::ProxyScheme { .. } => "Write the proxy whole, such as `http://proxy.example:3128`.",
            Self::UserAgent => "Use visible ASCII characters only.",
        }
    }
}
