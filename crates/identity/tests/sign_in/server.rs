//! A small server that records what it is asked and answers as told.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Method, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use url::Url;

/// What arrived.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: HashMap<String, String>,
    pub(crate) headers: HeaderMap,
    pub(crate) form: HashMap<String, String>,
}

/// What goes back.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
}

#[derive(Clone, Debug)]
pub(crate) struct Server {
    pub(crate) url: Url,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug, Default)]
struct Shared {
    asked: Vec<Asked>,
    replies: HashMap<String, VecDeque<Reply>>,
}

impl Reply {
    pub(crate) fn json(status: u16, body: impl ToString) -> Self {
        Self { status, headers: vec![("content-type", "application/json".into())], body: body.to_string() }
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl ToString) -> Self {
        self.headers.push((name, value.to_string()));
        self
    }

    pub(crate) fn token(text: &str) -> Self {
        let body = serde_json::json!({"token_type": "Bearer", "expires_in": 3599, "access_token": text});
        Self::json(200, body)
    }

    pub(crate) fn refusal(status: u16, error: &str, code: u32) -> Self {
        let description = format!("AADSTS{code}: Text.\r\nTrace ID: t1\r\nCorrelation ID: c1\r\nTimestamp: x");
        let body = serde_json::json!({"error": error, "error_description": description, "error_codes": [code]});
        Self::json(status, body)
    }
}

impl Server {
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        let shared = Arc::<Mutex<Shared>>::default();
        let routes = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self { url, shared }
    }

    /// Queues an answer for a path; the last one is given for ever.
    pub(crate) fn reply(&self, path: &str, reply: Reply) -> &Self {
        self.shared.lock().unwrap().replies.entry(path.to_owned()).or_default().push_back(reply);
        self
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.shared.lock().unwrap().asked.clone()
    }
}

async fn answer(
    State(shared): State<Arc<Mutex<Shared>>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let pairs = |bytes: &[u8]| url::form_urlencoded::parse(bytes).into_owned().collect();
    let query = pairs(uri.query().unwrap_or_default().as_bytes());
    let path = uri.path().to_owned();
    let mut shared = shared.lock().unwrap();
    shared.asked.push(Asked { method, path: path.clone(), query, headers, form: pairs(&body) });
    let Some(queue) = shared.replies.get_mut(&path) else { return StatusCode::NOT_FOUND.into_response() };
    let reply = if queue.len() > 1 { queue.pop_front() } else { queue.front().cloned() };
    let reply = reply.expect("a queue is never empty");
    let mut response = reply.body.into_response();
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap();
    response.headers_mut().remove("content-type");
    for (name, value) in reply.headers {
        response.headers_mut().insert(name, value.parse().unwrap());
    }
    response
}
