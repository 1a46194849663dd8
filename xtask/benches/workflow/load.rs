//! Senders of webhooks: each sends its next one when it has heard of the one before.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use axum::body::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, StatusCode, client::conn::http1};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::{ROUND, process::Serving};

/// Where to, with how many at once.
#[derive(Clone)]
pub(crate) struct Load {
    pub(crate) address: String,
    pub(crate) path: String,
    pub(crate) token: String,
    pub(crate) connections: usize,
}

/// What a round has shown.
pub(crate) struct Loaded {
    pub(crate) answers: u64,
    pub(crate) per_second: f64,
    /// Of the server, for each answer.
    pub(crate) cpu_us: f64,
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
}

/// Sends for the time of a round, and measures the server meanwhile.
pub(crate) async fn run(load: &Load, server: &Serving) -> Loaded {
    let (start, cpu) = (Instant::now(), server.cpu());
    let senders: Vec<_> = (0..load.connections).map(|_| tokio::spawn(sender(load.clone(), start + ROUND))).collect();
    let mut took = Vec::new();
    for sender in senders {
        took.extend(sender.await.expect("no sender fails"));
    }
    let (elapsed, cpu) = (start.elapsed(), server.cpu() - cpu);
    took.sort();
    let answers = took.len() as f64;
    Loaded {
        answers: took.len() as u64,
        per_second: answers / elapsed.as_secs_f64(),
        cpu_us: cpu.as_secs_f64() * 1e6 / answers,
        p50: took[took.len() / 2],
        p99: took[took.len() * 99 / 100],
    }
}

/// Sends so many by several senders, and does not measure.
pub(crate) async fn send(load: &Load, count: u64) {
    let left = Arc::new(AtomicU64::new(count));
    let senders: Vec<_> = (0..load.connections)
        .map(|_| {
            let (load, left) = (load.clone(), Arc::clone(&left));
            tokio::spawn(async move {
                let mut connection = connect(&load.address).await;
                while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
                    heard(&mut connection, &load).await;
                }
            })
        })
        .collect();
    for sender in senders {
        sender.await.expect("no sender fails");
    }
}

async fn sender(load: Load, end: Instant) -> Vec<Duration> {
    let mut connection = connect(&load.address).await;
    let mut took = Vec::new();
    while Instant::now() < end {
        let start = Instant::now();
        heard(&mut connection, &load).await;
        took.push(start.elapsed());
    }
    took
}

/// One webhook with a body of the caller's.
pub(crate) async fn webhook(load: &Load, body: String) {
    post(&mut connect(&load.address).await, load, body).await;
}

async fn heard(connection: &mut http1::SendRequest<Full<Bytes>>, load: &Load) {
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    post(connection, load, incident(number).to_string()).await;
}

async fn post(connection: &mut http1::SendRequest<Full<Bytes>>, load: &Load, body: String) {
    let request = Request::post(&load.path)
        .header("host", &load.address)
        .header("content-type", "application/json")
        .header("x-sortie-token", &load.token)
        .body(Full::from(body))
        .expect("it is a request");
    let answer = connection.send_request(request).await.expect("the server answers");
    let status = answer.status();
    let body = answer.into_body().collect().await.expect("the answer is whole").to_bytes();
    let is_well = status == StatusCode::OK || status == StatusCode::ACCEPTED;
    assert!(is_well, "{status}: {}", String::from_utf8_lossy(&body));
}

/// One request to a server of this machine, on a connection of its own.
pub(crate) async fn ask(address: &str, method: &str, path: &str) -> Bytes {
    let mut connection = connect(address).await;
    let request = Request::builder().method(method).uri(path).header("host", address);
    let request = request.body(Full::default()).expect("it is a request");
    let answer = connection.send_request(request).await.expect("the server answers");
    let status = answer.status();
    let body = answer.into_body().collect().await.expect("the answer is whole").to_bytes();
    assert!(status.is_success(), "{method} {path}: {status} {}", String::from_utf8_lossy(&body));
    body
}

async fn connect(address: &str) -> http1::SendRequest<Full<Bytes>> {
    let stream = TcpStream::connect(address).await.expect("the server listens");
    stream.set_nodelay(true).expect("it is a socket");
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.expect("it speaks HTTP");
    tokio::spawn(connection);
    sender
}

/// As Graph gives one with its alerts, about 7 KB; each has a device of its own.
fn incident(number: u64) -> Value {
    let alert = |at: u64| {
        json!({
            "id": format!("da{number}_{at}"), "title": "Suspicious PowerShell command line", "severity": "high",
            "category": "Execution", "serviceSource": "microsoftDefenderForEndpoint", "status": "new",
            "createdDateTime": "2026-11-22T02:51:07.1234567Z", "mitreTechniques": ["T1059.001", "T1105"],
            "description": "A suspicious PowerShell activity was observed on the machine. This behaviour may indicate that \
                            PowerShell was used during installation, exploration, or in some cases in lateral movement \
                            activities which are used by attackers to invoke modules, download external payloads, or get \
                            more information about the system.",
            "evidence": [
                { "@odata.type": "#microsoft.graph.security.deviceEvidence", "mdeDeviceId": format!("device-{number}"), "verdict": "suspicious" },
                { "@odata.type": "#microsoft.graph.security.processEvidence", "processId": 4_816, "processCommandLine": "powershell.exe -NoProfile -EncodedCommand SQBFAFgAIAAoAE4AZQB3AC0ATwBiAGoAZQBjAHQA", "verdict": "suspicious" },
            ],
        })
    };
    json!({
        "incident": {
            "id": format!("{}", 100_000 + number), "displayName": "Multi-stage incident on one endpoint", "severity": "high",
            "status": "active", "classification": "unknown", "determination": "unknown", "tenantId": "b3c1b5fc-828c-45fa-a1e1-10d74f6d6e9c",
            "createdDateTime": "2026-11-22T02:51:09.04Z", "lastUpdateDateTime": "2026-11-22T02:55:31.9Z",
            "devices": [{ "mdeDeviceId": format!("device-{number}"), "deviceDnsName": "ws-0412.haldenmarine.example" }],
            "alerts": (0..6).map(alert).collect::<Vec<_>>(),
        },
    })
}

impl Loaded {
    /// The best that each figure was in any round: noise only ever adds.
    pub(crate) fn best(rounds: Vec<Self>) -> Self {
        let best = rounds.into_iter().reduce(|best, next| Self {
            answers: best.answers.max(next.answers),
            per_second: best.per_second.max(next.per_second),
            cpu_us: best.cpu_us.min(next.cpu_us),
            p50: best.p50.min(next.p50),
            p99: best.p99.min(next.p99),
        });
        best.expect("there was a round")
    }
}

impl fmt::Display for Loaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [p50, p99] = [self.p50, self.p99].map(|took| took.as_secs_f64() * 1e3);
        write!(f, "{:.1} {:.1} {p50:.3} {p99:.3}", self.per_second, self.cpu_us)
    }
}

/// Devices are never met twice, in all rounds.
static NEXT: AtomicU64 = AtomicU64::new(1);
