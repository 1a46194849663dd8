//! An HTTPS proxy for clients that cannot have their name resolution changed: `CONNECT` to one of Microsoft's names ends
//! here, at the simulated service. Every other host is refused, so that nothing leaves the machine.

use std::convert::Infallible;

use axum::{body::Body, response::Response};
use http::{Method, Request, StatusCode, header::CONTENT_TYPE};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, sync::mpsc};
use tokio_rustls::TlsAcceptor;

use crate::{
    server::{self, Services},
    tls::is_real_name,
};

/// Serves one connection of a proxy client; tunnels that it opens end with it.
pub(crate) async fn serve(stream: TcpStream, acceptor: TlsAcceptor, services: Services) {
    // HTTP/1.1 opens at most one tunnel per connection.
    let (opened, mut tunnel) = mpsc::channel(1);
    let service = service_fn(move |mut request: Request<Incoming>| {
        let refusal = refusal(&request);
        if refusal.is_none() {
            let upgrade = hyper::upgrade::on(&mut request);
            // The receiver lives as long as this connection is served, and there is room for the one tunnel.
            if opened.try_send(upgrade).is_err() {
                tracing::debug!("A second tunnel on one connection was ignored");
            }
        }
        async move { Ok::<_, Infallible>(refusal.unwrap_or_default()) }
    });
    let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    if let Err(error) = connection.with_upgrades().await {
        tracing::debug!(%error, "A proxy connection ended early");
    }
    let Ok(upgrade) = tunnel.try_recv() else { return };
    let upgraded = match upgrade.await {
        Ok(upgraded) => TokioIo::new(upgraded),
        Err(error) => return tracing::debug!(%error, "A tunnel was not opened"),
    };
    match acceptor.accept(upgraded).await {
        Ok(stream) => server::serve(stream, "https", services).await,
        Err(error) => tracing::debug!(%error, "A TLS handshake inside a tunnel failed"),
    }
}

fn refusal(request: &Request<Incoming>) -> Option<Response> {
    if request.method() != Method::CONNECT {
        let text = "This proxy only opens tunnels (CONNECT) to Microsoft's host names.";
        return Some(plain(StatusCode::METHOD_NOT_ALLOWED, text.to_owned()));
    }
    let host = request.uri().host().unwrap_or_default().to_ascii_lowercase();
    let allowed = is_real_name(&host) && request.uri().port_u16() == Some(443);
    (!allowed).then(|| plain(StatusCode::FORBIDDEN, format!("The emulator does not stand in for `{host}`.")))
}

fn plain(status: StatusCode, text: String) -> Response {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static("text/plain"));
    response
}
