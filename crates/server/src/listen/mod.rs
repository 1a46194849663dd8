//! Listens: on TCP for whoever has a token, and on a socket beside the database for the users of this machine.

mod connection;
mod io;
mod network;
mod tls;

use std::{
    fmt,
    future::Future,
    io::ErrorKind,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use axum::Router;
pub use network::{Network, NetworkError};
use sortie_runner::Runner;
use sortie_store::Actor;
pub use tls::TlsFiles;
use tokio::{
    net::{TcpListener, UnixListener},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;

use self::connection::{Way, serve};
use crate::{App, app::Shared, dispatch::routed, upkeep};

/// Where and how to listen.
#[derive(Clone)]
pub struct Listening {
    /// For whoever has a token; nobody is listened to there where it is absent.
    pub address: Option<SocketAddr>,
    /// What the server proves itself with.
    pub tls: Option<TlsFiles>,
    /// Who may say for whom it asks. Beyond this machine and without TLS nobody else is listened to.
    pub trusted_proxies: Vec<Network>,
    /// For the users of this machine.
    pub socket: Option<PathBuf>,
    /// Who a user of this machine is. One without grants has those of the local user of the same name.
    pub os_user: Arc<dyn Fn(u32) -> Actor + Send + Sync>,
    /// Connections at once, over both.
    pub connections_max: usize,
}

/// Why it cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Plain HTTP would leave this machine.
    #[error("refused to listen on {0}: tokens and data would go through the network in the clear")]
    Exposed(SocketAddr),
    /// The system does not let it.
    #[error("cannot listen on {what}")]
    Bind {
        /// Where.
        what: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The path of a socket has a bound.
    #[error("the path of the socket, {0}, is longer than the system takes")]
    SocketPath(PathBuf),
    /// A certificate or key cannot be used.
    #[error("{path} cannot be used for TLS: {why}")]
    Certificate {
        /// Which file.
        path: PathBuf,
        /// Why.
        why: String,
    },
}

impl ListenError {
    /// What to do next, as a full sentence.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Exposed(_) => {
                "Give a certificate (`--tls-certificate`, `--tls-key`), or name the proxy in front that has one (`--trusted-proxy`)."
            }
            Self::Bind { .. } => "Take another address with `--listen`, or stop whoever has it.",
            Self::SocketPath(_) => "Move the database to a folder with a shorter path (`--database`).",
            Self::Certificate { .. } => "Give PEM files: the certificate with its chain, and its key.",
        }
    }
}

/// A server that has its addresses and serves nobody yet.
pub struct Server {
    shared: Arc<Shared>,
    router: Router,
    tcp: Option<TcpListener>,
    tls: Option<TlsAcceptor>,
    unix: Option<(UnixListener, SocketFile)>,
    listening: Listening,
}

impl Server {
    /// Takes the addresses.
    ///
    /// # Errors
    /// [`ListenError`].
    pub async fn bind(app: App, listening: Listening) -> Result<Self, ListenError> {
        let is_in_the_clear = listening.tls.is_none() && listening.trusted_proxies.is_empty();
        if let Some(address) = listening.address.filter(|address| !address.ip().is_loopback() && is_in_the_clear) {
            return Err(ListenError::Exposed(address));
        }
        let tls = listening.tls.as_ref().map(tls::acceptor).transpose()?;
        let failed = |what: String| move |source| ListenError::Bind { what, source };
        let tcp = match listening.address {
            Some(address) => Some(TcpListener::bind(address).await.map_err(failed(address.to_string()))?),
            None => None,
        };
        let unix = listening.socket.as_deref().map(socket).transpose()?;
        let shared = Shared::of(app);
        let router = routed(&shared);
        Ok(Self { shared, router, tcp, tls, unix, listening })
    }

    /// Where it listens for whoever has a token.
    ///
    /// # Errors
    /// What the system says, or that it does not listen there.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.tcp.as_ref().ok_or(ErrorKind::NotConnected)?.local_addr()
    }

    /// Serves, takes runs further, and keeps the database small, until `stop` is ready. Then requests and runs have `grace` to
    /// come to an end; what is cut off goes on with the next process.
    pub async fn run(self, stop: impl Future<Output = ()>, grace: Duration) {
        let Self { shared, router, tcp, tls, unix, listening } = self;
        // Each has its own: a listener that waits for somebody must not keep room from the other.
        let room = || Arc::new(Semaphore::new(listening.connections_max));
        let (unix, socket_file) = unix.unzip();
        let by_tcp = Listener { room: room(), router: router.clone(), shared: Arc::clone(&shared) };
        let by_unix = Listener { room: room(), router, shared: Arc::clone(&shared) };
        shared.serves.store(true, Ordering::Relaxed);
        let runner = shared.app.runner.clone();
        let tell = async {
            stop.await;
            shared.stop.send_replace(true);
        };
        let os_user = Arc::clone(&listening.os_user);
        tokio::join!(
            tell,
            async {
                match tcp {
                    Some(tcp) => by_tcp.tcp(tcp, tls, &listening, grace).await,
                    None => stopped(shared.stop.subscribe()).await,
                }
            },
            async {
                match unix {
                    Some(unix) => by_unix.unix(unix, os_user, grace).await,
                    None => stopped(shared.stop.subscribe()).await,
                }
            },
            driving(runner, stopped(shared.stop.subscribe()), grace),
            upkeep::keep_up(&shared.app, stopped(shared.stop.subscribe())),
        );
        shared.serves.store(false, Ordering::Relaxed);
        drop(socket_file);
    }
}

/// Takes runs further in a task of its own, which goes with this: whoever wakes it is mostly on one of the threads that take
/// tasks, and this may be called on another.
async fn driving(runner: Runner, stop: impl Future<Output = ()> + Send + 'static, grace: Duration) {
    let mut task = JoinSet::new();
    task.spawn(async move { runner.serve(stop, grace).await });
    if let Some(Err(error)) = task.join_next().await
        && let Ok(panic) = error.try_into_panic()
    {
        std::panic::resume_unwind(panic);
    }
}

/// Ready when the server is to stop.
async fn stopped(mut stop: watch::Receiver<bool>) {
    // Without a sender nobody serves any more.
    let _ = stop.wait_for(|stop| *stop).await;
}

struct Listener {
    room: Arc<Semaphore>,
    router: Router,
    shared: Arc<Shared>,
}

impl Listener {
    async fn tcp(self, listener: TcpListener, tls: Option<TlsAcceptor>, listening: &Listening, grace: Duration) {
        let trusted: Arc<[Network]> = listening.trusted_proxies.clone().into();
        let is_open = tls.is_some() || listening.address.is_some_and(|address| address.ip().is_loopback());
        let mut connections = JoinSet::new();
        while let Some((permit, accepted)) = self.next(|| listener.accept()).await {
            while connections.try_join_next().is_some() {}
            let Some((stream, peer)) = taken(accepted).await else { continue };
            let is_trusted = trusted.iter().any(|network| network.has(peer.ip())) || peer.ip().is_loopback();
            if !is_open && !is_trusted {
                continue;
            }
            // Answers are small and somebody waits for them; where the option is missing they are a little later.
            let _ = stream.set_nodelay(true);
            let way = Way::Remote(peer.ip(), Arc::clone(&trusted));
            let (router, stop) = (self.router.clone(), self.shared.stop.subscribe());
            match tls.clone() {
                None => connections.spawn(serve(stream, way, router, stop, permit)),
                Some(tls) => connections.spawn(async move {
                    if let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE_MAX, tls.accept(stream)).await {
                        serve(stream, way, router, stop, permit).await;
                    }
                }),
            };
        }
        drain(connections, grace).await;
    }

    async fn unix(self, listener: UnixListener, os_user: Arc<dyn Fn(u32) -> Actor + Send + Sync>, grace: Duration) {
        let mut connections = JoinSet::new();
        while let Some((permit, accepted)) = self.next(|| listener.accept()).await {
            while connections.try_join_next().is_some() {}
            let Some((stream, _)) = taken(accepted).await else { continue };
            // Who cannot be told is nobody.
            let Ok(peer) = stream.peer_cred() else { continue };
            let way = Way::Trusted(Arc::new(os_user(peer.uid())));
            let (router, stop) = (self.router.clone(), self.shared.stop.subscribe());
            connections.spawn(serve(stream, way, router, stop, permit));
        }
        drain(connections, grace).await;
    }

    /// The next connection, once there is room for it; `None` when the server is to stop.
    async fn next<T, F>(&self, accept: impl Fn() -> F) -> Option<(OwnedSemaphorePermit, std::io::Result<T>)>
    where
        F: Future<Output = std::io::Result<T>>,
    {
        let stop = stopped(self.shared.stop.subscribe());
        let accepted = async {
            let permit = Arc::clone(&self.room).acquire_owned().await.ok()?;
            Some((permit, accept().await))
        };
        tokio::select! {
            biased;
            () = stop => None,
            accepted = accepted => accepted,
        }
    }
}

/// A connection, or a pause: without file handles another try at once would fail as well.
async fn taken<T>(accepted: std::io::Result<T>) -> Option<T> {
    match accepted {
        Ok(accepted) => Some(accepted),
        Err(error) => {
            tracing::warn!(%error, "a connection could not be taken");
            tokio::time::sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}

async fn drain(mut connections: JoinSet<()>, grace: Duration) {
    let all = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(grace, all).await.is_err() {
        connections.shutdown().await;
    }
}

/// The socket beside the database. Whoever has the database's lock may replace one that was left behind.
fn socket(path: &Path) -> Result<(UnixListener, SocketFile), ListenError> {
    use std::os::unix::fs::PermissionsExt as _;
    let failed = |source| ListenError::Bind { what: path.display().to_string(), source };
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let listener = UnixListener::bind(path).map_err(|error| match error.kind() {
        ErrorKind::InvalidInput => ListenError::SocketPath(path.to_owned()),
        _ => failed(error),
    })?;
    // Until here others of this machine may have come in; who they are decides, and not that they could.
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).map_err(failed)?;
    Ok((listener, SocketFile(path.to_owned())))
}

/// Goes with the server.
struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // One that stays behind leads to nobody, and the next server replaces it.
        let _ = std::fs::remove_file(&self.0);
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("address", &self.address().ok()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Listening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listening")
            .field("address", &self.address)
            .field("socket", &self.socket)
            .finish_non_exhaustive()
    }
}

const HANDSHAKE_MAX: Duration = Duration::from_secs(10);
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
