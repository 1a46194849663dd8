//! A connection for another protocol than HTTP, behind the same guard and the same trust: SMTP.

use std::{io, net::SocketAddr, sync::Arc};

use rustls::{ClientConfig, crypto::CryptoProvider};
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;
use url::Url;

use crate::{
    address::{self, ResolveError},
    client::Transport,
    error::{SendError, SendErrorKind, TimeoutPhase, TlsCause, of_handshake},
    guard::Guard,
};

/// Bytes both ways, encrypted or not.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

impl Transport {
    /// Connects to the host, if the guard lets its address through; no proxy is used.
    ///
    /// # Errors
    /// [`SendError`]: nothing was sent.
    pub async fn connect(&self, host: &str, port: u16) -> Result<TcpStream, SendError> {
        let failed = |kind| SendError { host: format!("{host}:{port}"), kind: Box::new(kind) };
        let within = self.shared.settings().connect_timeout;
        let slow = || SendErrorKind::Timeout { phase: TimeoutPhase::Connect, after: within };
        timeout(within, self.dial(host, port)).await.map_err(|_| failed(slow()))?.map_err(failed)
    }

    /// Speaks TLS on the connection and makes sure that it is this host.
    ///
    /// # Errors
    /// [`SendError`] when the certificate is not trusted here.
    pub async fn encrypt(&self, stream: TcpStream, host: &str) -> Result<Box<dyn Stream>, SendError> {
        let failed = |kind| SendError { host: host.to_owned(), kind: Box::new(kind) };
        let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(bare).map_err(|_| failed(SendErrorKind::BadUrl))?;
        let config = self.client_config().map_err(failed)?;
        let within = self.shared.settings().connect_timeout;
        let slow = || SendErrorKind::Timeout { phase: TimeoutPhase::Connect, after: within };
        let handshake = timeout(within, TlsConnector::from(config).connect(name, stream)).await;
        let stream = handshake.map_err(|_| failed(slow()))?.map_err(|error| failed(of_handshake(&error)))?;
        Ok(Box::new(stream))
    }

    async fn dial(&self, host: &str, port: u16) -> Result<TcpStream, SendErrorKind> {
        // Read as an address of the web, so that every spelling of a number is seen as what it is.
        let url: Url = format!("https://{host}:{port}/").parse().map_err(|_| SendErrorKind::BadUrl)?;
        address::check(&url, crate::request::Reach::Ordinary)?;
        let guard = self.shared.guard().cloned().unwrap_or_else(|| Arc::new(Guard::default()));
        guard.check(&url)?;
        guard.check_port(&url)?;
        let found: Vec<SocketAddr> = match url.host().ok_or(SendErrorKind::BadUrl)? {
            url::Host::Ipv4(ip) => vec![(ip, port).into()],
            url::Host::Ipv6(ip) => vec![(ip, port).into()],
            url::Host::Domain(name) => {
                let found = address::resolve(Some(&guard), name).await.map_err(ResolveError::kind)?;
                found.into_iter().map(|address| (address.ip(), port).into()).collect()
            }
        };
        let mut last = SendErrorKind::Connect("no address".to_owned());
        for address in found {
            match TcpStream::connect(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => last = SendErrorKind::ConnectRefused,
                Err(error) => last = SendErrorKind::Connect(error.kind().to_string()),
            }
        }
        Err(last)
    }

    /// The platform's roots and those of the CA bundles, as for HTTP.
    fn client_config(&self) -> Result<Arc<ClientConfig>, SendErrorKind> {
        let no_roots = || SendErrorKind::Tls(TlsCause::NoRoots);
        let provider = CryptoProvider::get_default().cloned();
        let provider = provider.unwrap_or_else(|| Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
        let settings = self.shared.settings();
        let mut roots = Vec::new();
        for path in [&settings.ca_bundle, &settings.further_ca_bundle].into_iter().flatten() {
            let pem = std::fs::read(path).map_err(|_| no_roots())?;
            let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
            roots.extend(found.map_err(|_| no_roots())?);
        }
        let verifier = rustls_platform_verifier::Verifier::new_with_extra_roots(roots, Arc::clone(&provider));
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let builder = builder.map_err(|_| no_roots())?.dangerous();
        // The verifier is the platform's own: "dangerous" is rustls' word for any that is not its default.
        let builder = builder.with_custom_certificate_verifier(Arc::new(verifier.map_err(|_| no_roots())?));
        Ok(Arc::new(builder.with_no_client_auth()))
    }
}
