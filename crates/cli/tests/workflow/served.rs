//! From an export to a run: imported, kept, enabled, and started by the sender that it had in Shuffle.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Json, Router, extract::State, routing::post};
use serde_json::{Value, json};
use sortie_testkit::{Leaks, Sortie};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream, UnixStream},
};

type Cases = Arc<Mutex<Vec<Value>>>;

/// The desk that the app was for.
async fn desk() -> (String, Cases) {
    async fn create(State(cases): State<Cases>, Json(case): Json<Value>) -> Json<Value> {
        cases.lock().unwrap().push(case);
        Json(json!({ "id": 7 }))
    }
    let cases = Cases::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let router = Router::new().route("/cases", post(create)).with_state(Arc::clone(&cases));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (host, cases)
}

/// Sends a request and reads the JSON of the answer.
async fn ask(
    mut stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    line: &str,
    header: &str,
    body: &Value,
) -> Value {
    let body = body.to_string();
    let head = format!("{line} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\n");
    let request = format!("{head}{header}content-length: {}\r\n\r\n{body}", body.len());
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap();
    assert!(status.starts_with('2'), "{line}: {answer}");
    serde_json::from_str(body).unwrap_or_default()
}

/// A webhook that leads to a case when the kind fits.
fn export() -> Value {
    let field = |name: &str, value: &str| json!({ "name": name, "value": value });
    json!({
        "id": "s-1", "name": "Handler", "start": "a",
        "actions": [
            { "id": "a", "label": "Start", "app_name": "Shuffle Tools", "name": "repeat_back_to_me", "parameters": [field("call", "$exec")] },
            { "id": "b", "label": "Tell", "app_name": "Case Desk", "name": "post_create_a_case",
              "parameters": [field("body", "{\"title\": \"Seen $exec.host\", \"severity\": $exec.level}")] },
        ],
        "triggers": [{ "id": "t", "label": "Hook", "trigger_type": "WEBHOOK", "parameters": [] }],
        "branches": [
            { "source_id": "t", "destination_id": "a" },
            { "source_id": "a", "destination_id": "b", "conditions": [{ "source": { "value": "$exec.kind" },
                "condition": { "value": "equals" }, "destination": { "value": "ALERT" } }] },
        ],
    })
}

const DESK: &str = "openapi: 3.0.0\ninfo: { title: Case Desk, version: '1' }\npaths: { /cases: { post: { summary: Create a case, \
    requestBody: { content: { application/json: { schema: { type: object, properties: { title: { type: string }, severity: { type: integer } } } } } }, \
    responses: { '200': { description: Made } } } } }\n";

#[tokio::test(flavor = "multi_thread")]
async fn an_imported_handler_runs_when_its_sender_calls() {
    let (host, cases) = desk().await;
    let sortie = Sortie::new(env!("CARGO_BIN_EXE_sortie"), &Leaks::default());
    let folder = sortie.folder().to_owned();
    std::fs::write(folder.join("desk.yaml"), DESK).unwrap();
    std::fs::write(folder.join("handler.json"), export().to_string()).unwrap();
    let run = async |arguments: &[&str]| sortie.run(&[&["--database", "s.db"], arguments].concat()).await.succeeded();
    run(&["tenant", "add", "contoso"]).await;
    run(&["connector", "import", "desk.yaml"]).await;
    let base = format!("http://{host}");
    let to = ["--connector", "case-desk", "--tenant", "contoso", "--credential", "none"];
    run(&[&["connection", "add", "desk", "--base", &base, "--allow-host", &host], &to[..]].concat()).await;
    run(&["workflow", "import", "handler.json", "--tenant", "contoso", "--keep"]).await;
    // For all tenants it is looked at what each of them has, and the same export has the same id.
    let all = run(&["workflow", "import", "handler.json", "--output", "out"]).await;
    assert!(all.stdout.contains("workflow handler, in out/handler.yaml"), "{}", all.stdout);

    let serve = ["--database", "s.db", "--key-file", "s.key", "serve", "--listen", "127.0.0.1:0"];
    let mut server = sortie.command(&serve).spawn().unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let mut said = Vec::new();
    while said.len() < 4 {
        said.push(tokio::time::timeout(Duration::from_secs(30), lines.next_line()).await.unwrap().unwrap().unwrap());
    }
    let address = said[0].rsplit_once("http://").unwrap().1.to_owned();
    let admin = async |line: &str, body: Value| {
        ask(UnixStream::connect(folder.join("s.db.sock")).await.unwrap(), line, "", &body).await
    };
    let state = admin("GET /api/v1/workflows/handler?tenant=contoso", Value::Null).await["state"].clone();
    assert_eq!(state, "disabled", "an import puts nothing to work");
    admin("PUT /api/v1/workflows/handler/state?tenant=contoso", json!({ "state": "enabled" })).await;
    // The server has the database, and answers for it.
    let again = ["--database", "s.db", "workflow", "import", "handler.json", "--tenant", "contoso", "--keep"];
    let refused = sortie.run(&again).await.ended_with(2);
    assert!(refused.stderr.contains("workflow handler is there already; nothing was kept"), "{}", refused.stderr);
    let refused = sortie.run(&[&again[..], &["--force"]].concat()).await.ended_with(2);
    assert!(refused.stderr.contains("workflow handler is enabled; an import puts nothing"), "{}", refused.stderr);
    let hook = admin("PUT /api/v1/workflows/handler/hook?tenant=contoso", Value::Null).await;
    assert_eq!(hook["proofs"], json!(["token"]), "{hook}");
    let proof = format!("x-sortie-token: {}\r\n", hook["secret"].as_str().unwrap());
    let alert = json!({ "kind": "alert", "host": "C:\\new \"x\"", "level": 3 });
    for body in [alert, json!({ "kind": "other", "host": "h", "level": 1 })] {
        let stream = TcpStream::connect(&address).await.unwrap();
        let started = ask(stream, "POST /hooks/contoso/handler", &proof, &body).await;
        let line = format!("GET /api/v1/runs/{}", started["run"].as_str().unwrap());
        for at in 0.. {
            let found = admin(&line, Value::Null).await;
            if found["status"] == "ended" {
                assert_eq!(found["outcome"], "succeeded", "{found:#}");
                break;
            }
            assert!(at < 300, "it does not end: {found:#}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    let title = "Seen C:\\new \"x\"";
    assert_eq!(*cases.lock().unwrap(), [json!({ "title": title, "severity": 3 })]);
    server.kill().await.unwrap();
}
