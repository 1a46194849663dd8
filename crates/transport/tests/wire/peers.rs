//! A scripted peer on loopback: plain, TLS or CONNECT proxy. Every accepted connection plays the script once.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;

/// What a connection is answered with, then closed.
#[derive(Clone)]
pub(crate) enum Script {
    /// These bytes after the request's head, whatever it is.
    Say(Vec<u8>),
    /// Nothing, but the connection stays open.
    Silence,
    /// These bytes, then silence.
    SayAndHang(Vec<u8>),
    /// Closed at once after the head.
    Close,
}

pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    hits: Arc<AtomicUsize>,
}

impl Peer {
    pub(crate) fn hits(&self) -> usize {
        self.hits.load(Ordering::SeqCst)
    }

    pub(crate) fn url(&self, path: &str) -> url::Url {
        format!("http://{}{path}", self.address).parse().unwrap()
    }
}

pub(crate) async fn peer(script: Script) -> Peer {
    start(move |mut stream| {
        let script = script.clone();
        async move { play(&mut stream, &script).await }
    })
    .await
}

pub(crate) async fn tls_peer(acceptor: TlsAcceptor, script: Script) -> Peer {
    start(move |stream| {
        let (acceptor, script) = (acceptor.clone(), script.clone());
        async move {
            if let Ok(mut stream) = acceptor.accept(stream).await {
                play(&mut stream, &script).await;
            }
        }
    })
    .await
}

/// A proxy that answers CONNECT with `status` and, where that is 200, tunnels everything to `target`.
pub(crate) async fn proxy(status: &'static str, target: Option<SocketAddr>) -> Peer {
    start(move |mut stream| async move {
        read_head(&mut stream).await;
        stream.write_all(format!("HTTP/1.1 {status}\r\n\r\n").as_bytes()).await.unwrap();
        if let Some(target) = target {
            let mut onward = TcpStream::connect(target).await.unwrap();
            let _ = tokio::io::copy_bidirectional(&mut stream, &mut onward).await;
        }
    })
    .await
}

pub(crate) fn answer(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// A certificate authority with one certificate for `name`, valid between the two years.
pub(crate) struct Authority {
    pub(crate) pem: String,
    pub(crate) acceptor: TlsAcceptor,
}

pub(crate) fn authority(name: &str, years: (i32, i32)) -> Authority {
    let mut parameters = CertificateParams::new(Vec::new()).unwrap();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap();
    let mut leaf = CertificateParams::new(vec![name.to_owned()]).unwrap();
    leaf.not_before = rcgen::date_time_ymd(years.0, 1, 1);
    leaf.not_after = rcgen::date_time_ymd(years.1, 1, 1);
    let key = KeyPair::generate().unwrap();
    let certificate = leaf.signed_by(&key, &issuer).unwrap();
    let key = rustls_pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    Authority { pem: issuer.pem(), acceptor: TlsAcceptor::from(Arc::new(config)) }
}

async fn start<F>(serve: impl Fn(TcpStream) -> F + Send + 'static) -> Peer
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let hits = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&hits);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            counter.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(serve(stream));
        }
    });
    Peer { address, hits }
}

async fn play<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, script: &Script) {
    read_head(stream).await;
    match script {
        Script::Say(bytes) => {
            let _ = stream.write_all(bytes).await;
            let _ = stream.shutdown().await;
        }
        Script::SayAndHang(bytes) => {
            let _ = stream.write_all(bytes).await;
            let _ = stream.flush().await;
            std::future::pending::<()>().await;
        }
        Script::Silence => std::future::pending::<()>().await,
        Script::Close => {}
    }
}

async fn read_head<S: AsyncRead + Unpin>(stream: &mut S) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && matches!(stream.read(&mut byte).await, Ok(1)) {
        head.push(byte[0]);
    }
}
