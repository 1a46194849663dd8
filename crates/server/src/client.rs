//! The command line's way to the API: the server that runs, or the same router in its own process where none does.

use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use axum::{Router, body::Body};
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Limited};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use sortie_store::Actor;
use tokio::net::UnixStream;
use tower::ServiceExt as _;

use crate::{App, caller::Arrival, router};

/// The way to the API.
#[derive(Clone, Debug)]
pub enum Client {
    /// A server runs; its socket is here.
    There(PathBuf),
    /// None runs: this process has the database, and asks in somebody's name.
    Here(Router, Arc<Actor>),
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody answers there.
    #[error("no server answers at {}", .path.display())]
    Absent {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Somebody has it open there, and says nothing.
    #[error("the server at {} does not answer", .path.display())]
    Silent {
        /// The socket.
        path: PathBuf,
    },
    /// The answer broke off.
    #[error("the server's answer broke off")]
    Broken(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The answer is none of ours.
    #[error("the server's answer cannot be read")]
    Unreadable,
    /// What is asked for is no address.
    #[error("`{0}` is no address of the API")]
    Path(String),
}

impl ClientError {
    /// What to do next, as a full sentence.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Absent { .. } => "Look whether `sortie serve` runs, and as which user.",
            Self::Silent { .. } => "Look how `sortie serve` is, and whether it was carried out before you repeat it.",
            Self::Broken(_) => "Look whether it was carried out before you repeat it; the server may have stopped.",
            Self::Unreadable => "Look whether command and server are of one version.",
            Self::Path(_) => "Report it.",
        }
    }
}

/// One event of the feed.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// The place to go on after.
    pub id: Option<i64>,
    /// `ready`, `change` or `reset`.
    pub kind: String,
    /// What it says.
    pub data: Value,
}

/// Events as they come.
#[derive(Debug)]
pub struct Events {
    body: Body,
    gathered: Vec<u8>,
    ready: VecDeque<Event>,
}

impl Client {
    /// The server that has the database, where one answers.
    pub async fn find(socket: &Path) -> Option<Self> {
        let found = UnixStream::connect(socket).await.is_ok();
        found.then(|| Self::There(socket.to_owned()))
    }

    /// The API in this process, in somebody's name.
    pub fn here(app: App, actor: Actor) -> Self {
        Self::Here(router(app), Arc::new(actor))
    }

    /// Asks, with JSON or nothing, and takes JSON.
    ///
    /// # Errors
    /// [`ClientError`] where there is no answer; a refusal is an answer.
    pub async fn request(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<(StatusCode, Value), ClientError> {
        let mut request = Request::builder().method(method).uri(path);
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        let request = request.body(Bytes::from(body)).map_err(|_| ClientError::Path(path.to_owned()))?;
        let response = self.send(request).await?;
        let status = response.status();
        let value = match response.body().is_empty() {
            true => Value::Null,
            false => serde_json::from_slice(response.body()).map_err(|_| ClientError::Unreadable)?,
        };
        Ok((status, value))
    }

    /// Asks anything, and takes the answer whole.
    ///
    /// # Errors
    /// As [`Self::request`].
    pub async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, ClientError> {
        let (parts, body) = self.begin(request).await?.into_parts();
        let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await.map_err(ClientError::Broken)?;
        Ok(Response::from_parts(parts, body.to_bytes()))
    }

    /// Reads the feed of changes, after a place or from now on. The server ends it every few minutes: go on after the last id.
    ///
    /// # Errors
    /// As [`Self::request`]; what is refused comes as the second of the pair.
    pub async fn events(
        &self,
        path: &str,
        after: Option<i64>,
    ) -> Result<Result<Events, (StatusCode, Value)>, ClientError> {
        let mut request = Request::builder().uri(path).header(header::ACCEPT, "text/event-stream");
        if let Some(after) = after {
            request = request.header("last-event-id", after);
        }
        let request = request.body(Bytes::new()).map_err(|_| ClientError::Path(path.to_owned()))?;
        let (parts, body) = self.begin(request).await?.into_parts();
        if parts.status == StatusCode::OK {
            return Ok(Ok(Events { body, gathered: Vec::new(), ready: VecDeque::new() }));
        }
        let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await.map_err(ClientError::Broken)?;
        let said = serde_json::from_slice(&body.to_bytes()).map_err(|_| ClientError::Unreadable)?;
        Ok(Err((parts.status, said)))
    }

    async fn begin(&self, request: Request<Bytes>) -> Result<Response<Body>, ClientError> {
        match self {
            Self::Here(router, actor) => {
                let mut request = request.map(Body::from);
                request.extensions_mut().insert(Arrival::Trusted(Arc::clone(actor)));
                Ok(router.clone().oneshot(request).await.unwrap_or_else(|never| match never {}))
            }
            Self::There(socket) => there(socket, request).await,
        }
    }
}

async fn there(socket: &Path, mut request: Request<Bytes>) -> Result<Response<Body>, ClientError> {
    let absent = |source| ClientError::Absent { path: socket.to_owned(), source };
    let stream = tokio::time::timeout(CONNECT_MAX, UnixStream::connect(socket)).await;
    let stream = stream.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into())).map_err(absent)?;
    let broken = |error: hyper::Error| ClientError::Broken(error.into());
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    request.headers_mut().insert(header::HOST, HeaderValue::from_static("sortie"));
    let request = request.map(http_body_util::Full::new);
    // It ends with the answer's body, which it feeds.
    tokio::spawn(connection);
    match tokio::time::timeout(ANSWER_MAX, sender.send_request(request)).await {
        Ok(response) => Ok(response.map_err(broken)?.map(Body::new)),
        Err(_) => Err(ClientError::Silent { path: socket.to_owned() }),
    }
}

impl Events {
    /// The next one; `None` where the server has ended them.
    ///
    /// # Errors
    /// [`ClientError::Broken`] when the server went away.
    pub async fn next(&mut self) -> Result<Option<Event>, ClientError> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(Some(event));
            }
            let Some(frame) = self.body.frame().await else { return Ok(None) };
            let frame = frame.map_err(|error| ClientError::Broken(error.into()))?;
            let Some(bytes) = frame.data_ref() else { continue };
            self.gathered.extend_from_slice(bytes);
            while let Some(end) = self.gathered.windows(2).position(|pair| pair == b"\n\n") {
                let rest = self.gathered.split_off(end + 2);
                let text = std::mem::replace(&mut self.gathered, rest);
                self.ready.extend(event(&String::from_utf8_lossy(&text)));
            }
        }
    }
}

/// `None` for a sign of life.
fn event(text: &str) -> Option<Event> {
    let (mut id, mut kind, mut data) = (None, None, String::new());
    for line in text.lines() {
        match line.split_once(": ") {
            Some(("id", value)) => id = value.parse().ok(),
            Some(("event", value)) => kind = Some(value.to_owned()),
            Some(("data", value)) => data.push_str(value),
            _ => {}
        }
    }
    Some(Event { id, kind: kind?, data: serde_json::from_str(&data).unwrap_or_default() })
}

/// Values of a run may be large.
const ANSWER_BYTES_MAX: usize = 256 << 20;
/// Longer than the server lets a request take.
const ANSWER_MAX: Duration = Duration::from_secs(60);
const CONNECT_MAX: Duration = Duration::from_secs(5);
