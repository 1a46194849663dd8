//! Starts and stops one simulated cloud: listeners, TLS, and the way of a request to its service.

use std::{
    convert::Infallible,
    fmt, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use axum::{
    Router,
    body::Body,
    middleware::from_fn_with_state,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, Request, StatusCode, header::DATE};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use jiff::{Timestamp, fmt::rfc2822::DateTimePrinter};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

use crate::{
    EmulatorConfig, TlsError, admin, admin_machines,
    cloud::{App, Cloud},
    connect_proxy, directory_admin, dispatch, entra, graph_security, hunting, imds, mdca, mde,
    pipeline::pipeline,
    setup, tls, vault, xdr,
};

/// A running cloud. It stops when it is dropped; [`Emulator::stop`] also waits until its ports are free.
pub struct Emulator {
    cloud: App,
    http: SocketAddr,
    https: Option<SocketAddr>,
    admin: SocketAddr,
    proxy: Option<SocketAddr>,
    ca_pem: Option<PathBuf>,
    /// Removed with the cloud, when the caller named none.
    _temporary_folder: Option<TemporaryFolder>,
    /// One task per listener; dropping the set ends them and every connection that they hold.
    listeners: JoinSet<()>,
}

/// Why the cloud did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address beyond loopback without the setting that allows it.
    #[error(
        "refused to listen on {0}: whoever reaches it becomes administrator of this simulated cloud; \
         listen on 127.0.0.1, or allow remote clients explicitly if the network is yours alone"
    )]
    NotLoopback(SocketAddr),
    /// The port is taken, or the address is not this machine's.
    #[error("could not listen on {address}")]
    Bind {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// TLS was asked for and could not be set up.
    #[error("could not set up TLS")]
    Tls(#[from] TlsError),
}

/// What a listener serves, and the clock that dates its answers.
#[derive(Clone)]
pub(crate) struct Services {
    router: Router,
    cloud: App,
}

/// A response with this extension is not sent: the connection is reset instead, as a broken network does it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DropConnection;

impl Emulator {
    /// Binds all listeners and serves until the value is dropped or stopped. Needs a Tokio runtime.
    ///
    /// # Errors
    /// [`StartError`] when an address may not or cannot be bound, or `ca.pem` cannot be written.
    pub async fn start(config: EmulatorConfig) -> Result<Self, StartError> {
        let addresses = [Some(config.http), config.https, Some(config.admin), config.proxy];
        if !config.allow_remote
            && let Some(open) = addresses.into_iter().flatten().find(|address| !address.ip().is_loopback())
        {
            return Err(StartError::NotLoopback(open));
        }
        let http = bind(config.http).await?;
        let https = bind_optional(config.https).await?;
        let admin = bind(config.admin).await?;
        let proxy = bind_optional(config.proxy).await?;
        let mut temporary_folder = None;
        let needs_tls = https.is_some() || proxy.is_some();
        let (ca_pem, tls) = if needs_tls {
            let (folder, temporary) = match &config.ca_dir {
                Some(folder) => (folder.clone(), None),
                None => {
                    let folder = TemporaryFolder::unguessable();
                    (folder.0.clone(), Some(folder))
                }
            };
            let (path, tls) = tls::set_up(&folder)?;
            temporary_folder = temporary;
            (Some(path), Some(TlsAcceptor::from(tls)))
        } else {
            (None, None)
        };
        let cloud = Arc::new(Cloud::new(config));
        let services = Services { router: services(&cloud), cloud: Arc::clone(&cloud) };
        let admin_services = Services { router: admin_router(&cloud), cloud: Arc::clone(&cloud) };
        let mut emulator = Self {
            cloud: Arc::clone(&cloud),
            http: http.1,
            https: https.as_ref().map(|bound| bound.1),
            admin: admin.1,
            proxy: proxy.as_ref().map(|bound| bound.1),
            ca_pem,
            _temporary_folder: temporary_folder,
            listeners: JoinSet::new(),
        };
        emulator.listeners.spawn(accept(
            http.0,
            move |stream, services| serve(stream, "http", services),
            services.clone(),
        ));
        emulator.listeners.spawn(accept(admin.0, |stream, services| serve(stream, "http", services), admin_services));
        if let (Some((listener, _)), Some(acceptor)) = (https, tls.clone()) {
            let each = move |stream, services| serve_tls(stream, acceptor.clone(), services);
            emulator.listeners.spawn(accept(listener, each, services.clone()));
        }
        if let (Some((listener, _)), Some(acceptor)) = (proxy, tls) {
            let each = move |stream, services| connect_proxy::serve(stream, acceptor.clone(), services);
            emulator.listeners.spawn(accept(listener, each, services));
        }
        Ok(emulator)
    }

    /// Where plain http answers.
    pub fn http(&self) -> SocketAddr {
        self.http
    }

    /// Where TLS answers, when it was asked for.
    pub fn https(&self) -> Option<SocketAddr> {
        self.https
    }

    /// Where the admin API answers.
    pub fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// Where the HTTPS proxy listens, when it was asked for.
    pub fn proxy(&self) -> Option<SocketAddr> {
        self.proxy
    }

    /// The certificate of the authority that clients have to trust, when TLS is on.
    pub fn ca_pem(&self) -> Option<&Path> {
        self.ca_pem.as_deref()
    }

    /// The id of the tenant where everything is at home.
    pub fn home_tenant(&self) -> String {
        self.cloud.directory().tenants[0].id.clone()
    }

    /// The initial domain of the home tenant: `*.onmicrosoft.com`.
    pub fn home_domain(&self) -> String {
        self.cloud.directory().tenants[0].initial_domain().to_owned()
    }

    /// Moves the simulated time, forwards or back, whatever the mode of the clock.
    pub fn advance_clock(&self, by: jiff::SignedDuration) {
        let now = self.cloud.clock.now();
        self.cloud.clock.set(now.saturating_add(by).expect("a signed duration is no calendar span"));
    }

    /// Closes every listener and connection and waits until they are gone.
    pub async fn stop(mut self) {
        self.listeners.shutdown().await;
    }
}

/// Where it listens; what the cloud knows stays out, secrets and sessions above all.
impl fmt::Debug for Emulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut all = f.debug_struct("Emulator");
        all.field("http", &self.http)
            .field("https", &self.https)
            .field("admin", &self.admin)
            .field("proxy", &self.proxy);
        all.finish_non_exhaustive()
    }
}

/// All services of the cloud behind one router.
fn services(cloud: &App) -> Router {
    let router = Router::new().merge(entra::router()).merge(setup::router()).merge(imds::router());
    let router = router.merge(graph_security::router()).merge(xdr::router()).merge(mde::router());
    let router = router.merge(hunting::router()).merge(mdca::router()).merge(vault::router());
    let router = router.fallback(|| async { StatusCode::NOT_FOUND });
    router.layer(from_fn_with_state(Arc::clone(cloud), pipeline)).with_state(Arc::clone(cloud))
}

fn admin_router(cloud: &App) -> Router {
    admin::guarded(
        directory_admin::router()
            .merge(admin::router())
            .merge(admin_machines::router())
            .merge(hunting::admin_router())
            .merge(vault::admin_router()),
    )
    .with_state(Arc::clone(cloud))
}

async fn accept<F, Fut>(listener: TcpListener, serve_one: F, services: Services)
where
    F: Fn(TcpStream, Services) -> Fut,
    Fut: Future<Output = ()> + Send + 'static,
{
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if connections.len() < CONNECTION_COUNT_MAX => match accepted {
                Ok((stream, _)) => {
                    if let Err(error) = stream.set_nodelay(true) {
                        tracing::debug!(%error, "A connection keeps Nagle's algorithm");
                    }
                    connections.spawn(serve_one(stream, services.clone()));
                }
                // The process has no file descriptor left, or the client has gone: neither ends the listener.
                Err(error) => tracing::warn!(%error, "A connection was not accepted"),
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

pub(crate) async fn serve_tls(stream: TcpStream, acceptor: TlsAcceptor, services: Services) {
    match acceptor.accept(stream).await {
        Ok(stream) => serve(stream, "https", services).await,
        Err(error) => tracing::debug!(%error, "A TLS handshake failed"),
    }
}

/// Answers the requests of one connection until the client closes it.
pub(crate) async fn serve<S>(stream: S, scheme: &'static str, services: Services)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let service =
        service_fn(move |request: Request<Incoming>| answer(request.map(Body::new), scheme, services.clone()));
    let builder = auto::Builder::new(TokioExecutor::new());
    if let Err(error) = builder.serve_connection_with_upgrades(TokioIo::new(stream), service).await {
        tracing::debug!(error = error.to_string(), "A connection ended early");
    }
}

async fn answer(request: Request<Body>, scheme: &str, services: Services) -> Result<Response, ConnectionDropped> {
    let mut response = match dispatch::prepare(scheme, request) {
        Some(request) => services.router.oneshot(request).await.unwrap_or_else(|never: Infallible| match never {}),
        None => StatusCode::NOT_FOUND.into_response(),
    };
    if response.extensions().get::<DropConnection>().is_some() {
        return Err(ConnectionDropped);
    }
    // Clients compare this with their own clock; without it hyper would write the machine's time.
    if let Some(date) = http_date(services.cloud.clock.now()) {
        response.headers_mut().insert(DATE, date);
    }
    Ok(response)
}

fn http_date(at: Timestamp) -> Option<HeaderValue> {
    let text = DateTimePrinter::new().timestamp_to_rfc9110_string(&at).ok()?;
    HeaderValue::from_str(&text).ok()
}

/// Makes hyper close the connection without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection was dropped on purpose")]
struct ConnectionDropped;

async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let bound = async {
        let listener = TcpListener::bind(address).await?;
        let local = listener.local_addr()?;
        Ok((listener, local))
    };
    bound.await.map_err(|source| StartError::Bind { address, source })
}

async fn bind_optional(address: Option<SocketAddr>) -> Result<Option<(TcpListener, SocketAddr)>, StartError> {
    match address {
        Some(address) => bind(address).await.map(Some),
        None => Ok(None),
    }
}

/// Where `ca.pem` goes when nobody said where. Its name cannot be guessed, so nobody can put a link in its place.
#[derive(Debug)]
struct TemporaryFolder(PathBuf);

impl TemporaryFolder {
    fn unguessable() -> Self {
        Self(std::env::temp_dir().join(format!("sortie-emulator-{}", uuid::Uuid::new_v4())))
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::debug!(%error, "A temporary folder stayed behind");
        }
    }
}

const CONNECTION_COUNT_MAX: usize = 1_024;
