//! One connection: bounded in headers, streams and silence, and told when the server stops.

use std::{convert::Infallible, net::IpAddr, sync::Arc, time::Duration};

use axum::{Router, body::Body};
use http::{HeaderMap, Request};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use sortie_store::Actor;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::{OwnedSemaphorePermit, watch},
};
use tower::ServiceExt as _;

use super::{Network, io::Patient, network::asker};
use crate::caller::Arrival;

/// How a connection came.
#[derive(Clone)]
pub(super) enum Way {
    /// Through the network, maybe by way of these.
    Remote(IpAddr, Arc<[Network]>),
    /// From this machine: the system says who.
    Trusted(Arc<Actor>),
}

impl Way {
    fn arrival(&self, headers: &HeaderMap) -> Arrival {
        match self {
            Self::Remote(peer, trusted) => Arrival::Remote(asker(*peer, headers, trusted)),
            Self::Trusted(actor) => Arrival::Trusted(Arc::clone(actor)),
        }
    }
}

/// Serves until the other end goes, or until the server stops and what was begun has ended.
pub(super) async fn serve<S>(
    stream: S,
    way: Way,
    router: Router,
    mut stop: watch::Receiver<bool>,
    _permit: OwnedSemaphorePermit,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        let arrival = way.arrival(request.headers());
        request.extensions_mut().insert(arrival);
        let router = router.clone();
        async move { Ok::<_, Infallible>(router.oneshot(request).await.unwrap_or_else(|never| match never {})) }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_WITHIN)
        .max_buf_size(HEADER_BYTES_MAX)
        .max_headers(HEADERS_MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(HEADER_BYTES_MAX as u32)
        .max_concurrent_streams(STREAMS_MAX)
        .keep_alive_interval(Some(HEADERS_WITHIN))
        .keep_alive_timeout(HEADERS_WITHIN);
    let connection = builder.serve_connection(TokioIo::new(Patient::new(stream)), service);
    let mut connection = std::pin::pin!(connection);
    // What breaks off is the other end's matter.
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = stop.wait_for(|stop| *stop) => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

const HEADERS_WITHIN: Duration = Duration::from_secs(30);
const HEADER_BYTES_MAX: usize = 64 << 10;
const HEADERS_MAX: usize = 100;
const STREAMS_MAX: u32 = 64;
