//! `sortie serve` with the workflow, its connector and its connection, made by the commands that its users have.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use axum::body::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, client::conn::http1};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::UnixStream;

use crate::{
    TOKEN,
    load::{self, Load, Loaded},
    mock,
    process::{Serving, time_to_serve},
};

pub(crate) struct Sortie {
    folder: TempDir,
    serving: Serving,
    token: String,
}

impl Sortie {
    pub(crate) async fn start(mock: &Serving) -> Self {
        let folder = tempfile::tempdir_in(disk()).expect("a folder can be made");
        set_up(folder.path(), mock);
        let serving = Serving::start(&mut serve(folder.path()));
        let mut sortie = Self { folder, serving, token: String::new() };
        sortie.token = sortie.keep("bench", WORKFLOW).await;
        sortie
    }

    pub(crate) fn process(&self) -> &Serving {
        &self.serving
    }

    pub(crate) fn hook(&self, connections: usize) -> Load {
        self.hook_of("bench", &self.token, connections)
    }

    fn hook_of(&self, workflow: &str, token: &str, connections: usize) -> Load {
        let (address, token) = (self.serving.address.clone(), token.to_owned());
        Load { address, path: format!("/hooks/bench/{workflow}"), token, connections }
    }

    /// Keeps a workflow, enables it and makes its webhook; its token.
    async fn keep(&self, id: &str, text: &str) -> String {
        let place = format!("/api/v1/workflows/{id}");
        self.ask("PUT", &format!("{place}?tenant=bench"), "application/yaml", text).await;
        self.ask("PUT", &format!("{place}/state?tenant=bench"), "application/json", r#"{"state":"enabled"}"#).await;
        let made = self.ask("PUT", &format!("{place}/hook?tenant=bench"), "application/json", "").await;
        made["secret"].as_str().expect("it is told once").to_owned()
    }

    /// As the user who owns the database, by the socket beside it.
    async fn ask(&self, method: &str, path: &str, kind: &str, body: &str) -> Value {
        serde_json::from_slice(&self.asked(method, path, kind, body).await).expect("it answers JSON")
    }

    async fn asked(&self, method: &str, path: &str, kind: &str, body: &str) -> Bytes {
        let stream = UnixStream::connect(self.folder.path().join("s.db.sock")).await.expect("the server listens");
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.expect("it speaks HTTP");
        tokio::spawn(connection);
        let request = Request::builder().method(method).uri(path).header("host", "sortie");
        let request = if body.is_empty() { request } else { request.header("content-type", kind) };
        let request = request.body(Full::<Bytes>::from(body.to_owned())).expect("it is a request");
        let answer = sender.send_request(request).await.expect("it answers");
        let status = answer.status();
        let body = answer.into_body().collect().await.expect("the answer is whole").to_bytes();
        assert!(status.is_success(), "{method} {path}: {status} {}", String::from_utf8_lossy(&body));
        body
    }

    /// A figure of `/metrics`; nothing where it is not told.
    async fn figure(&self, name: &str) -> u64 {
        let text = String::from_utf8(self.asked("GET", "/metrics", "", "").await.to_vec()).expect("it is text");
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.map_or(0, |count| count.parse().expect("it is a number"))
    }

    /// Waits until a figure is so large.
    async fn until(&self, name: &str, count: u64) {
        while self.figure(name).await < count {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// `start BEST_MS MEDIAN_MS` from nothing to the line that says where it serves, and `idle BYTES` two seconds later.
pub(crate) async fn start_and_idle() {
    let mock = mock::start(0).await;
    let folder = tempfile::tempdir_in(disk()).expect("a folder can be made");
    set_up(folder.path(), &mock);
    let mut took = Vec::new();
    let mut idle = u64::MAX;
    for _ in 0..STARTS {
        let (start, serving) = time_to_serve(&mut serve(folder.path()));
        took.push(start);
        tokio::time::sleep(Duration::from_secs(2)).await;
        idle = idle.min(serving.memory());
    }
    took.sort();
    println!("start {:.1} {:.1}", took[0].as_secs_f64() * 1e3, took[STARTS / 2].as_secs_f64() * 1e3);
    println!("idle {idle}");
}

/// `stored COUNT BEFORE AFTER`: runs a second with an empty database and with that many runs in it.
pub(crate) async fn with_stored_runs() {
    let mock = mock::start(0).await;
    let sortie = Sortie::start(&mock).await;
    let load = sortie.hook(16);
    let before = best_of_three(&load, &sortie).await;
    let token = sortie.keep("kept", KEPT).await;
    let ended = sortie.figure(ENDED).await;
    load::send(&sortie.hook_of("kept", &token, 64), STORED).await;
    sortie.until(ENDED, ended + STORED).await;
    let after = best_of_three(&load, &sortie).await;
    println!("stored {STORED} {:.1} {:.1}", before.per_second, after.per_second);
}

async fn best_of_three(load: &Load, sortie: &Sortie) -> Loaded {
    let mut rounds = Vec::new();
    for _ in 0..3 {
        rounds.push(load::run(load, &sortie.serving).await);
    }
    Loaded::best(rounds)
}

/// `waiting COUNT BYTES`: memory that each of many runs takes that wait in approvals.
pub(crate) async fn waiting_runs() {
    let mock = mock::start(0).await;
    let sortie = Sortie::start(&mock).await;
    let token = sortie.keep("asks", ASKS).await;
    let load = sortie.hook_of("asks", &token, 16);
    // What every server has after its first runs is not theirs.
    load::send(&load, 2_000).await;
    sortie.until(WAITING, 2_000).await;
    let before = sortie.serving.memory();
    load::send(&load, WAITERS).await;
    sortie.until(WAITING, 2_000 + WAITERS).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    println!("waiting {WAITERS} {}", sortie.serving.memory().saturating_sub(before) / WAITERS);
}

/// `loop ITEMS WALL_US CPU_US`, both for each item.
pub(crate) async fn long_loop() {
    let mock = mock::start(0).await;
    let sortie = Sortie::start(&mock).await;
    let token = sortie.keep("loops", LOOPS).await;
    for items in [125_u32, 250, 500, 1_000] {
        let (mut wall, mut cpu) = (f64::INFINITY, f64::INFINITY);
        for _ in 0..5 {
            let body = json!({ "items": (0..items).map(|at| format!("device-{at}")).collect::<Vec<_>>() }).to_string();
            let (start, used) = (Instant::now(), sortie.serving.cpu());
            load::webhook(&sortie.hook_of("loops", &token, 1), body).await;
            wall = wall.min(start.elapsed().as_secs_f64());
            cpu = cpu.min((sortie.serving.cpu() - used).as_secs_f64());
        }
        let each = 1e6 / f64::from(items);
        println!("loop {items} {:.0} {:.0}", wall * each, cpu * each);
    }
}

/// Tenant, connector, connection, and room for as many isolations as there will be.
fn set_up(folder: &Path, mock: &Serving) {
    std::fs::write(folder.join("mock.yaml"), CONNECTOR).expect("the disk has room");
    let base = format!("http://{}", mock.address);
    command(folder, &["tenant", "add", "bench"]);
    command(folder, &["connector", "import", "mock.yaml", "--id", "mock"]);
    let connection = ["connection", "add", "mock", "--connector", "mock", "--tenant", "bench", "--base", &base];
    command(
        folder,
        &[&connection[..], &["--credential", "env:SORTIE_BENCH_TOKEN", "--at-once", "64", "--allow-host", "127.0.0.1"]]
            .concat(),
    );
    command(folder, &["guardrail", "set", "--ceiling", "microsoft-365-defender/isolate-device=100000000"]);
}

fn command(folder: &Path, words: &[&str]) {
    let output = sortie(folder).args(words).output().expect("the program starts");
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn serve(folder: &Path) -> Command {
    let mut command = sortie(folder);
    command.args(["serve", "--listen", "127.0.0.1:0"]).stderr(Stdio::null());
    command
}

fn sortie(folder: &Path) -> Command {
    let mut command = Command::new(std::env::var_os(BINARY).expect("`cargo xtask bench` says where the program is"));
    command.current_dir(folder).env("SORTIE_DATABASE", "s.db").env("SORTIE_KEY_FILE", "s.key");
    command.env("SORTIE_STATE", "state").env("XDG_CONFIG_HOME", folder).env("SORTIE_BENCH_TOKEN", TOKEN);
    command
}

/// A folder on the disk that the project is on: one in memory would not be durable.
pub(crate) fn disk() -> PathBuf {
    let program = std::env::current_exe().expect("the program has a path");
    program.parent().expect("it is in a folder").to_owned()
}

const CONNECTOR: &str = "openapi: 3.1.0
info: { title: Mock, version: '1' }
servers: [{ url: 'https://mock.example' }]
components: { securitySchemes: { bearer: { type: http, scheme: bearer } } }
security: [{ bearer: [] }]
paths:
  '/api/machines/{id}':
    get:
      operationId: machine
      parameters: [{ name: id, in: path, required: true, schema: { type: string } }]
      responses: { '200': { description: One } }
  '/api/machines/{id}/isolate':
    post:
      operationId: isolate
      parameters: [{ name: id, in: path, required: true, schema: { type: string } }]
      requestBody: { required: true, content: { application/json: { schema: { type: object, properties: { IsolationType: { type: string }, Comment: { type: string } }, required: [Comment] } } } }
      responses: { '201': { description: Ordered } }
  '/api/incidents/{id}':
    patch:
      operationId: comment
      parameters: [{ name: id, in: path, required: true, schema: { type: string } }]
      requestBody: { required: true, content: { application/json: { schema: { type: object, properties: { comment: { type: string } }, required: [comment] } } } }
      responses: { '200': { description: Changed } }
";

const WORKFLOW: &str = "workflow: bench
triggers: [{ webhook: { secure: token, answers: true } }]
steps:
  - id: machine
    call: mock/machine
    with: { id: '{{ trigger.body.incident.devices[0].mdeDeviceId }}' }
  - id: isolate
    after: [machine]
    when: steps.machine.output.riskScore == 'High'
    call: mock/isolate
    with: { id: '{{ steps.machine.output.id }}', IsolationType: Full, Comment: 'Contained by {{ run.id }}' }
  - id: note
    after: [isolate]
    call: mock/comment
    with: { id: '{{ trigger.body.incident.id }}', comment: '{{ steps.machine.output.computerDnsName }} is isolated by {{ run.id }}' }
  - id: answer
    after: [note]
    respond: { device: '{{ steps.machine.output.computerDnsName }}', run: '{{ run.id }}' }
";

const KEPT: &str = "workflow: kept
triggers: [{ webhook: { secure: token } }]
steps:
  - id: note
    set: { title: '{{ trigger.body.incident.displayName }}' }
";

const ASKS: &str = "workflow: asks
triggers: [{ webhook: { secure: token } }]
steps:
  - id: ask
    approval: { ask: 'Isolate {{ trigger.body.incident.devices[0].deviceDnsName }}?', roles: [responder], within: 8h }
";

const LOOPS: &str = "workflow: loops
triggers: [{ webhook: { secure: token, answers: true } }]
steps:
  - id: each
    for_each: trigger.body.items
    as: device
    parallel: 8
    call: mock/machine
    with: { id: '{{ device }}' }
  - id: answer
    after: [each]
    respond: { count: '{{ steps.each.output | length }}' }
";

const BINARY: &str = "SORTIE_BENCH_BINARY";
const ENDED: &str = "sortie_runs_ended_total";
const WAITING: &str = "sortie_runs_open{status=\"waiting\"}";
const STARTS: usize = 9;
const STORED: u64 = 100_000;
const WAITERS: u64 = 10_000;
