//! What a call costs beside the barest loop of reqwest on the same server: calls a second one after the other, and the CPU of
//! this process for each. The server is another process.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::{
    fs,
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
    sync::Arc,
    time::Instant,
};

use axum::{Json, Router, extract::Path, routing::get};
use serde_json::{Value, json};
use sortie_connector::{Caller, Credential, Target};
use sortie_model::{Secret, SystemClock};
use sortie_openapi::{NoSources, Options};
use sortie_transport::{Guard, ProxySetting, Transport, TransportSettings};

const CALLS: u32 = 5_000;
const ROUNDS: usize = 3;

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime can be built");
    if std::env::var_os(SERVER).is_some() {
        return runtime.block_on(serve());
    }
    let mut server = Command::new(std::env::current_exe().expect("the program has a path"))
        .env(SERVER, "1")
        .stdout(Stdio::piped())
        .spawn()
        .expect("the server starts");
    let mut base = String::new();
    BufReader::new(server.stdout.take().expect("it is a pipe")).read_line(&mut base).expect("it says where it is");
    let (mut ours, mut bare) = (Cost::WORST, Cost::WORST);
    runtime.block_on(async {
        for _ in 0..ROUNDS {
            ours = ours.or(through_connector(base.trim()).await);
            bare = bare.or(by_reqwest(base.trim()).await);
        }
    });
    server.kill().expect("it still runs");
    server.wait().expect("it ends");
    println!("{:.0} {:.1} {:.0} {:.1}", ours.per_second, ours.cpu_us, bare.per_second, bare.cpu_us);
}

async fn serve() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    println!("http://{}", listener.local_addr().expect("it is bound"));
    let answer =
        |Path(id): Path<String>| async move { Json(json!({ "id": id, "value": [1, 2, 3], "state": "active" })) };
    axum::serve(listener, Router::new().route("/items/{id}", get(answer))).await.expect("it serves until it is killed");
}

async fn through_connector(base: &str) -> Cost {
    let document = "openapi: 3.1.0\ninfo: { title: Items, version: '1' }\npaths: { '/items/{id}': { get: { operationId: item, parameters: [{ name: id, in: path, required: true, schema: { type: string } }, { name: q, in: query, schema: { type: string } }], responses: { '200': { description: One } } } } }";
    let import = sortie_openapi::import(document.as_bytes(), &NoSources, &Options::default());
    let description = import.expect("the document is whole").description;
    let operation = &description.operations[0];
    let guard = Guard::allowing(["127.0.0.1"]).expect("it is a host");
    let settings = TransportSettings { proxy: ProxySetting::Direct, ..TransportSettings::default() };
    let transport = Transport::new(settings).expect("the settings are usable").guarded(guard);
    let caller = Caller::new(transport, Arc::new(SystemClock), 8);
    let target = Target { base: Some(base.parse().expect("it is an address")), ..Target::default() };
    let credential = Credential::Bearer(Secret::new("of-the-benchmark"));
    let inputs = json!({ "id": "a b", "q": "x" });
    let inputs = inputs.as_object().expect("it is an object");
    let meter = Meter::start();
    for _ in 0..CALLS {
        let answer = caller.call(&description, operation, inputs, &target, &credential).await;
        assert_eq!(answer.expect("it answers").status, 200);
    }
    meter.stop()
}

async fn by_reqwest(base: &str) -> Cost {
    let client = reqwest::Client::builder().no_proxy().build().expect("a client can be built");
    let address = format!("{base}/items/a%20b?q=x");
    let meter = Meter::start();
    for _ in 0..CALLS {
        let answer = client.get(&address).bearer_auth("of-the-benchmark").send().await.expect("it answers");
        let body: Value = serde_json::from_slice(&answer.bytes().await.expect("it is whole")).expect("it is JSON");
        assert_eq!(body["state"], "active");
    }
    meter.stop()
}

/// Of one round, or the best of several.
#[derive(Clone, Copy)]
struct Cost {
    per_second: f64,
    cpu_us: f64,
}

impl Cost {
    const WORST: Self = Self { per_second: 0.0, cpu_us: f64::INFINITY };

    fn or(self, other: Self) -> Self {
        Self { per_second: self.per_second.max(other.per_second), cpu_us: self.cpu_us.min(other.cpu_us) }
    }
}

struct Meter {
    start: Instant,
    ticks: u64,
}

impl Meter {
    fn start() -> Self {
        Self { start: Instant::now(), ticks: ticks() }
    }

    fn stop(self) -> Cost {
        let calls = f64::from(CALLS);
        let cpu_us = (ticks() - self.ticks) as f64 * TICK_US / calls;
        Cost { per_second: calls / self.start.elapsed().as_secs_f64(), cpu_us }
    }
}

/// User and system time of this process, in hundredths of a second (proc(5)).
fn ticks() -> u64 {
    let stat = fs::read_to_string("/proc/self/stat").expect("Linux tells");
    let (_, fields) = stat.rsplit_once(')').expect("the name is in brackets");
    let fields: Vec<&str> = fields.split_whitespace().collect();
    fields[11..13].iter().map(|field| field.parse::<u64>().expect("it is a number")).sum()
}

const TICK_US: f64 = 10_000.0;
const SERVER: &str = "SORTIE_BENCH_SERVER";
