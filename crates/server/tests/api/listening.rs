//! The server as a process meets it: by TCP with a token, by the socket as a user of this machine, with TLS, and until it stops.

use std::{net::SocketAddr, os::unix::fs::PermissionsExt as _, path::PathBuf, sync::Arc, time::Duration};

use http::Method;
use serde_json::{Value, json};
use sortie_server::{Client, ListenError, Listening, Server, TlsFiles};
use sortie_store::{Actor, ActorKind, Grant, Role, Scope};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpStream, UnixStream},
    sync::oneshot,
    task::JoinHandle,
};

use crate::stage::{Stage, app, open, until};

const FLOW: &str = "\
workflow: flow
triggers: [{ manual: {} }]
steps:
  - id: ask
    approval: { ask: 'Go on?', within: 4h }
";

struct Running {
    address: SocketAddr,
    socket: PathBuf,
    stop: oneshot::Sender<()>,
    served: JoinHandle<()>,
}

fn listening(stage: &Stage) -> Listening {
    Listening {
        address: Some("127.0.0.1:0".parse().unwrap()),
        tls: None,
        trusted_proxies: Vec::new(),
        socket: Some(stage.folder.path().join("sortie.db.sock")),
        os_user: Arc::new(|id| {
            let name = format!("os:{id}");
            Actor { id: name.clone(), name, kind: ActorKind::OsUser, grants: vec![Grant::ALL] }
        }),
        connections_max: 64,
    }
}

async fn serve(stage: &Stage, listening: Listening) -> Running {
    let socket = listening.socket.clone().unwrap();
    let server = Server::bind(stage.app.clone(), listening).await.unwrap();
    let address = server.address().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let served = tokio::spawn(server.run(async { drop(stopped.await) }, Duration::from_secs(5)));
    Running { address, socket, stop, served }
}

impl Running {
    async fn stop(self) {
        drop(self.stop);
        tokio::time::timeout(Duration::from_secs(10), self.served).await.expect("it stops").unwrap();
    }
}

async fn get(client: &Client, path: &str) -> (u16, Value) {
    let (status, said) = client.request(Method::GET, path, None).await.unwrap();
    (status.as_u16(), said)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_socket_tells_who_asks_and_tcp_wants_a_token() {
    let stage = Stage::new().await;
    std::fs::write(stage.folder.path().join("sortie.db.sock"), "left behind").unwrap();
    let running = serve(&stage, listening(&stage)).await;
    assert_eq!(std::fs::metadata(&running.socket).unwrap().permissions().mode() & 0o777, 0o600);
    let client = Client::find(&running.socket).await.expect("it answers");
    let (status, me) = get(&client, "/api/v1/whoami").await;
    let own = std::fs::metadata(stage.folder.path()).map(|about| std::os::unix::fs::MetadataExt::uid(&about)).unwrap();
    assert_eq!((status, &me["name"], &me["kind"]), (200, &json!(format!("os:{own}")), &json!("os-user")));
    let vera = stage.token("vera", &[(Role::Viewer, None)]).await;
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("http://{}/api/v1/whoami", running.address);
    assert_eq!(http.get(&url).send().await.unwrap().status(), 401);
    let forged = http.get(&url).header("x-forwarded-for", "127.0.0.1").header("x-sortie-user", "os:0");
    assert_eq!(forged.send().await.unwrap().status(), 401);
    let answer = http.get(&url).bearer_auth(vera.expose()).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.headers()["cache-control"].to_str().unwrap()), (200, "no-store"));
    let socket = running.socket.clone();
    running.stop().await;
    assert!(!socket.exists() && Client::find(&socket).await.is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_clients_see_each_others_changes_and_a_restart_keeps_everything() {
    let stage = Stage::new().await;
    stage.enable(FLOW, "shared").await;
    let running = serve(&stage, listening(&stage)).await;
    let (one, other) = (Client::find(&running.socket).await.unwrap(), Client::find(&running.socket).await.unwrap());
    assert_eq!(get(&one, "/readyz").await, (200, json!({ "ready": true, "database": "ok", "runner": "ok" })));
    let mut events = other.events("/api/v1/changes?tenant=contoso", None).await.unwrap().unwrap();
    let started =
        one.request(Method::POST, "/api/v1/workflows/flow/runs?tenant=contoso", Some(json!({}))).await.unwrap();
    let run = started.1["run"].as_str().unwrap().to_owned();
    let mut kinds = Vec::new();
    while !kinds.iter().any(|kind| kind == "approval") {
        let event = tokio::time::timeout(Duration::from_secs(10), events.next()).await.unwrap().unwrap().unwrap();
        kinds.push(event.data["kind"].as_str().unwrap_or_default().to_owned());
    }
    let (_, open_now) = get(&other, "/api/v1/approvals?open=true").await;
    let approval = open_now["items"][0]["id"].as_str().unwrap().to_owned();
    let begun = std::time::Instant::now();
    running.stop().await;
    assert!(begun.elapsed() < Duration::from_secs(4), "a reader of the feed does not use the grace up");
    let rest = async { while let Ok(Some(_)) = events.next().await {} };
    tokio::time::timeout(Duration::from_secs(5), rest).await.expect("the feed ends with its server");
    stage.store.close();
    let Stage { folder, clock, store, app: old, router, .. } = stage;
    drop((store, old, router, one, other, events));
    let reopened = open_when_free(&folder, &clock).await;
    let again = app(&reopened, &clock, sortie_server::Bounds::default(), folder.path()).await;
    let owner = Client::here(again.clone(), crate::stage::owner());
    let path = format!("/api/v1/approvals/{approval}/decision");
    let (status, said) = owner.request(Method::POST, &path, Some(json!({ "approves": true }))).await.unwrap();
    assert_eq!(status, 200, "{said}");
    again.runner.serve_until_idle().await;
    let (_, whole) = get(&owner, &format!("/api/v1/runs/{run}")).await;
    assert_eq!((&whole["outcome"], &whole["approvals"][0]["decided_by"]), (&json!("succeeded"), &json!("os:owner")));
}

async fn open_when_free(folder: &tempfile::TempDir, clock: &sortie_model::ManualClock) -> sortie_store::Store {
    let path = folder.path().join("sortie.db");
    until("the database is free", || async {
        let (path, clock) = (path.clone(), Arc::new(clock.clone()));
        let options = sortie_store::StoreOptions { path, purpose: "a look".to_owned(), clock };
        sortie_store::Store::open(options).is_ok()
    })
    .await;
    open(&path, clock)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn beyond_this_machine_it_takes_a_certificate_or_a_proxy_that_has_one() {
    let stage = Stage::new().await;
    let everywhere = || Listening { address: Some("0.0.0.0:0".parse().unwrap()), ..listening(&stage) };
    let refused = Server::bind(stage.app.clone(), everywhere()).await.unwrap_err();
    assert!(matches!(refused, ListenError::Exposed(_)), "{refused}");
    let missing =
        TlsFiles { certificate: stage.folder.path().join("none.pem"), key: stage.folder.path().join("none.pem") };
    let refused = Server::bind(stage.app.clone(), Listening { tls: Some(missing), ..everywhere() }).await.unwrap_err();
    assert!(matches!(refused, ListenError::Certificate { .. }), "{refused}");
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    let files =
        TlsFiles { certificate: stage.folder.path().join("server.pem"), key: stage.folder.path().join("server.key") };
    std::fs::write(&files.certificate, certificate.pem()).unwrap();
    std::fs::write(&files.key, key.serialize_pem()).unwrap();
    let running = serve(&stage, Listening { tls: Some(files), ..listening(&stage) }).await;
    let authority = reqwest::Certificate::from_pem(certificate.pem().as_bytes()).unwrap();
    let http = reqwest::Client::builder().no_proxy().tls_certs_only([authority]).build().unwrap();
    let answer = http.get(format!("https://localhost:{}/healthz", running.address.port())).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.version()), (200, http::Version::HTTP_2));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failed_proofs_count_for_whom_a_trusted_proxy_names() {
    let stage = Stage::with(|bounds| bounds.failures = 1).await;
    let trusted = vec!["127.0.0.1".parse().unwrap()];
    let running = serve(&stage, Listening { trusted_proxies: trusted, ..listening(&stage) }).await;
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("http://{}/api/v1/whoami", running.address);
    let ask = |named: &'static str| http.get(&url).bearer_auth("sortie_x").header("x-forwarded-for", named).send();
    let mut statuses = Vec::new();
    for named in ["192.0.2.1", "192.0.2.1", "198.51.100.9, 192.0.2.1", "192.0.2.2"] {
        statuses.push(ask(named).await.unwrap().status().as_u16());
    }
    assert_eq!(statuses, [401, 429, 429, 401]);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_connection_may_send_is_bounded() {
    let stage = Stage::new().await;
    let running = serve(&stage, listening(&stage)).await;
    let status = |request: String| async move {
        let mut stream = TcpStream::connect(running.address).await.unwrap();
        // The other end may hang up before all is written.
        let _ = stream.write_all(request.as_bytes()).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).split(' ').nth(1).unwrap_or_default().to_owned()
    };
    let plain = "GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n";
    assert_eq!(status(format!("{plain}\r\n")).await, "200");
    assert_eq!(status(format!("{plain}x: {}\r\n\r\n", "y".repeat(100 << 10))).await, "431");
    let many: String = (0..200).map(|at| format!("x{at}: y\r\n")).collect();
    assert_eq!(status(format!("{plain}{many}\r\n")).await, "431");
    let large = "PUT /api/v1/workflows/x HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 9999999\r\n\r\n";
    assert_eq!(status(large.to_owned()).await, "401", "nobody's body is read");
    let mut stream = UnixStream::connect(&running.socket).await.unwrap();
    stream.write_all(large.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_too_many_waits_for_its_turn() {
    let stage = Stage::new().await;
    let running = serve(&stage, Listening { connections_max: 1, ..listening(&stage) }).await;
    let mut first = TcpStream::connect(running.address).await.unwrap();
    let ask = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
    first.write_all(ask).await.unwrap();
    let mut answer = [0; 12];
    first.read_exact(&mut answer).await.unwrap();
    let mut second = TcpStream::connect(running.address).await.unwrap();
    second.write_all(ask).await.unwrap();
    let early = tokio::time::timeout(Duration::from_millis(300), second.read_exact(&mut answer)).await;
    assert!(early.is_err(), "there is no room for it");
    drop(first);
    tokio::time::timeout(Duration::from_secs(10), second.read_exact(&mut answer)).await.expect("now there is").unwrap();
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_that_waits_is_answered_when_the_server_stops() {
    let stage = Stage::new().await;
    let waits = "workflow: slow\ntriggers: [{ webhook: { secure: token, answers: true } }]\nsteps:\n  - id: rest\n    wait: { for: 1h }\n  - id: say\n    after: [rest]\n    respond: late\n";
    stage.enable(waits, "shared").await;
    let (_, hook) = stage.owners("PUT", "/api/v1/workflows/slow/hook?tenant=contoso", None).await;
    let running = serve(&stage, listening(&stage)).await;
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("http://{}/hooks/contoso/slow", running.address);
    let asked = http.post(url).header("x-sortie-token", hook["secret"].as_str().unwrap()).send();
    let asked = tokio::spawn(asked);
    until("the run waits", || async {
        let runs = stage.store.runs(Scope::Every, Default::default(), 1).await.unwrap();
        runs.first().is_some_and(|run| run.status == sortie_store::RunStatus::Waiting)
    })
    .await;
    running.stop().await;
    let answer = asked.await.unwrap().unwrap();
    assert_eq!(answer.status(), 202, "the run goes on with the next process");
}
