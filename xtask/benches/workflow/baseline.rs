//! The same steps by hand: axum, hyper, rusqlite with one writing thread that commits what has queued, five durable writes a
//! run. It has no versions, guardrails, journal, retries or names: what is left when all of that is.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Method, Request, StatusCode},
    routing::post,
};
use http_body_util::{BodyExt as _, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use rusqlite::{Connection, params};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::{TOKEN, load::Load, process::Serving};

pub(crate) fn start(mock: &Serving) -> Serving {
    Serving::role("baseline", &[(MOCK, format!("http://{}", mock.address))])
}

pub(crate) fn hook(baseline: &Serving, connections: usize) -> Load {
    Load { address: baseline.address.clone(), path: "/hook".to_owned(), token: TOKEN.to_owned(), connections }
}

struct Baseline {
    mock: String,
    client: Client<HttpConnector, Full<Bytes>>,
    writes: mpsc::Sender<Write>,
    runs: AtomicU64,
}

/// One write of a run, and who waits until it is on the disk.
struct Write {
    row: Row,
    done: oneshot::Sender<()>,
}

enum Row {
    Run { id: u64, input: String },
    Step { run: u64, step: &'static str, state: &'static str, value: String },
    Last { run: u64, value: String },
}

pub(crate) async fn serve() {
    let folder = tempfile::tempdir_in(crate::sortie::disk()).expect("a folder can be made");
    let mock = std::env::var(MOCK).expect("it is told where the mock is");
    let client = Client::builder(TokioExecutor::new()).build_http();
    let writes = writer(folder.path().join("baseline.db"));
    let baseline = Arc::new(Baseline { mock, client, writes, runs: AtomicU64::new(1) });
    super::served::serve(Router::new().route("/hook", post(run)).with_state(baseline)).await;
}

async fn run(
    State(baseline): State<Arc<Baseline>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, StatusCode> {
    let token = headers.get("x-sortie-token").map(|value| value.as_bytes()).unwrap_or_default();
    if token != TOKEN.as_bytes() {
        return Err(StatusCode::NOT_FOUND);
    }
    let said: Value = serde_json::from_slice(&body).map_err(|_| StatusCode::BAD_REQUEST)?;
    let run = baseline.runs.fetch_add(1, Ordering::Relaxed);
    baseline.write(Row::Run { id: run, input: said.to_string() }).await;
    let incident = &said["incident"];
    let device = incident["devices"][0]["mdeDeviceId"].as_str().ok_or(StatusCode::BAD_REQUEST)?;
    let machine = baseline.call(Method::GET, &format!("/api/machines/{device}"), None).await?;
    let step = |step, state, value: &Value| Row::Step { run, step, state, value: value.to_string() };
    baseline.write(step("machine", "succeeded", &machine)).await;
    if machine["riskScore"] == "High" {
        let order = json!({ "IsolationType": "Full", "Comment": format!("Contained by {run}") });
        baseline.write(step("isolate", "intended", &order)).await;
        let action = baseline.call(Method::POST, &format!("/api/machines/{device}/isolate"), Some(order)).await?;
        baseline.write(step("isolate", "succeeded", &action)).await;
        let id = incident["id"].as_str().ok_or(StatusCode::BAD_REQUEST)?;
        let comment = json!({ "comment": format!("{} is isolated by {run}", machine["computerDnsName"]) });
        let changed = baseline.call(Method::PATCH, &format!("/api/incidents/{id}"), Some(comment)).await?;
        baseline.write(Row::Last { run, value: changed.to_string() }).await;
    }
    Ok(Json(json!({ "device": machine["computerDnsName"], "run": run })))
}

impl Baseline {
    async fn write(&self, row: Row) {
        let (done, waits) = oneshot::channel();
        self.writes.send(Write { row, done }).expect("the thread lives");
        waits.await.expect("it is written");
    }

    async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Result<Value, StatusCode> {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.mock))
            .header("authorization", format!("Bearer {TOKEN}"))
            .header("content-type", "application/json")
            .body(Full::from(body.map(|body| body.to_string()).unwrap_or_default()))
            .map_err(|_| StatusCode::BAD_REQUEST)?;
        let answer = self.client.request(request).await.map_err(|_| StatusCode::BAD_GATEWAY)?;
        if !answer.status().is_success() {
            return Err(StatusCode::BAD_GATEWAY);
        }
        let body = answer.into_body().collect().await.map_err(|_| StatusCode::BAD_GATEWAY)?.to_bytes();
        serde_json::from_slice(&body).map_err(|_| StatusCode::BAD_GATEWAY)
    }
}

fn writer(path: PathBuf) -> mpsc::Sender<Write> {
    let mut connection = Connection::open(path).expect("a new file can be opened");
    let form = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
                CREATE TABLE runs (id INTEGER PRIMARY KEY, state TEXT NOT NULL, input TEXT NOT NULL) STRICT;
                CREATE TABLE steps (run INTEGER NOT NULL, step TEXT NOT NULL, state TEXT NOT NULL, value TEXT NOT NULL,
                    PRIMARY KEY (run, step)) STRICT, WITHOUT ROWID";
    connection.execute_batch(form).expect("the tables can be made");
    let (sender, queue) = mpsc::channel::<Write>();
    std::thread::spawn(move || {
        while let Ok(first) = queue.recv() {
            let transaction = connection.transaction().expect("nobody else writes");
            let mut waiting = Vec::new();
            for Write { row, done } in std::iter::once(first).chain(queue.try_iter()) {
                write(&transaction, &row).expect("it is written");
                waiting.push(done);
            }
            transaction.commit().expect("the disk takes it");
            for done in waiting {
                // Whoever waits may have gone.
                let _ = done.send(());
            }
        }
    });
    sender
}

fn write(connection: &Connection, row: &Row) -> rusqlite::Result<()> {
    let step = |run: u64, step: &str, state: &str, value: &str| {
        let sql = "INSERT INTO steps VALUES (?1, ?2, ?3, ?4)
                   ON CONFLICT (run, step) DO UPDATE SET state = excluded.state, value = excluded.value";
        connection.prepare_cached(sql)?.execute(params![run as i64, step, state, value])
    };
    match row {
        Row::Run { id, input } => {
            let sql = "INSERT INTO runs VALUES (?1, 'running', ?2)";
            connection.prepare_cached(sql)?.execute(params![*id as i64, input])?;
        }
        Row::Step { run, step: name, state, value } => drop(step(*run, name, state, value)?),
        Row::Last { run, value } => {
            step(*run, "note", "succeeded", value)?;
            connection.prepare_cached("UPDATE runs SET state = 'succeeded' WHERE id = ?1")?.execute([*run as i64])?;
        }
    }
    Ok(())
}

const MOCK: &str = "SORTIE_BENCH_MOCK";
