//! Connectors that run inside: data, kept values, any request; and actions of Shuffle's apps that stand for them.

use std::sync::{Arc, Mutex};

use axum::{Router, extract::Request, http::HeaderMap, response::Redirect, routing::any};
use serde_json::{Value, json};

use crate::stage::Stage;

async fn call(stage: &Stage, arguments: &[&str]) -> Value {
    let ended = stage.run(&[&["call"], arguments].concat()).await.succeeded();
    serde_json::from_str(&ended.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn data_is_computed_and_a_mistake_is_told() {
    let stage = Stage::start().await;
    let found = call(&stage, &["data/iocs", "text=hxxp://evil[.]example[.]com/x"]).await;
    assert_eq!(found["domains"], json!(["evil.example.com"]));
    assert_eq!(call(&stage, &["data/list-chunk", "items=[1,2,3]", "size=2"]).await, json!([[1, 2], [3]]));
    let wrong = stage.run(&["call", "data/regex-match", "text=a", "pattern=("]).await.ended_with(2);
    assert!(wrong.stderr.contains("the input `pattern` is no regular expression"), "{}", wrong.stderr);
    let unknown = stage.run(&["call", "data/iocs", "txt=a"]).await.ended_with(2);
    assert!(unknown.stderr.contains("did you mean `text`?"), "{}", unknown.stderr);
    let shown = stage.run(&["connector", "show", "data", "iocs"]).await.succeeded().stdout;
    assert!(shown.contains("needed") && shown.contains("safe"), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn values_are_kept_counted_and_compared() {
    let stage = Stage::start().await;
    assert_eq!(call(&stage, &["kv/get", "name=a"]).await["found"], false);
    let refused = stage.run(&["call", "kv/set", "name=a", "value=1"]).await.ended_with(2);
    assert!(refused.stderr.contains("Add `--yes`"), "{}", refused.stderr);
    assert_eq!(call(&stage, &["kv/set", "name=a", "value={\"b\":[1]}", "ttl_s=3600", "-y"]).await["version"], 1);
    let kept = call(&stage, &["kv/get", "name=a"]).await;
    assert_eq!((&kept["value"], kept["expires"].is_string()), (&json!({ "b": [1] }), true));
    let late = call(&stage, &["kv/compare-and-set", "name=a", "value=2", "version=0", "-y"]).await;
    assert_eq!((&late["done"], &late["version"]), (&json!(false), &json!(1)));
    assert_eq!(call(&stage, &["kv/compare-and-set", "name=a", "value=2", "version=1", "-y"]).await["done"], true);
    for sum in [3, 6] {
        assert_eq!(call(&stage, &["kv/increment", "name=n", "by=3", "-y"]).await["value"], sum);
    }
    let text = stage.run(&["call", "kv/set", "name=t", "value=x", "-y"]).await.succeeded();
    assert!(text.stdout.contains("version"));
    stage.run(&["call", "kv/increment", "name=t", "-y"]).await.ended_with(2);
    stage.run(&["call", "kv/set", "name=", "value=1", "-y"]).await.ended_with(2);
    stage.run(&["call", "kv/set", "name=x", "value=1", "ttl_s=-1", "-y"]).await.ended_with(2);
    assert_eq!(call(&stage, &["kv/list", "limit=2"]).await, json!({ "names": ["a", "n"], "more": true }));
    assert_eq!(call(&stage, &["kv/delete", "name=a", "-y"]).await["deleted"], true);
    assert_eq!(call(&stage, &["kv/get", "name=a"]).await["found"], false);
}

/// A server that says what it was asked.
async fn mirror() -> (u16, Arc<Mutex<Vec<HeaderMap>>>) {
    let seen: Arc<Mutex<Vec<HeaderMap>>> = Arc::default();
    let log = Arc::clone(&seen);
    let mirror = move |request: Request| {
        log.lock().unwrap().push(request.headers().clone());
        let (method, uri) = (request.method().to_string(), request.uri().to_string());
        async move {
            let body = axum::body::to_bytes(request.into_body(), 1 << 20).await.unwrap();
            axum::Json(json!({ "method": method, "uri": uri, "body": String::from_utf8_lossy(&body) }))
        }
    };
    let router = Router::new()
        .route("/gone", any(|| async { axum::http::StatusCode::GONE }))
        .route("/slow", any(|| async { tokio::time::sleep(std::time::Duration::from_secs(20)).await }))
        .route("/away", any(|| async { Redirect::temporary("/there") }))
        .route("/large", any(|| async { "x".repeat(9 << 20) }))
        .fallback(any(mirror));
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (port, seen)
}

#[tokio::test(flavor = "multi_thread")]
async fn any_request_goes_where_the_connection_allows() {
    let stage = Stage::start().await;
    let (port, seen) = mirror().await;
    let at = |path: &str| format!("url=http://127.0.0.1:{port}{path}");
    let refused = stage.run(&["call", "http/get", &at("/a")]).await.ended_with(6);
    assert!(refused.stderr.contains("this machine"), "{}", refused.stderr);
    assert!(seen.lock().unwrap().is_empty(), "nothing came");
    let (base, host) = (format!("http://127.0.0.1:{port}"), format!("127.0.0.1:{port}"));
    let add = ["connection", "add", "local", "--connector", "http", "--base", &base, "--allow-host", &host];
    stage.cloud.leaks().watch("k3y-of-the-mirror-7");
    let entered = [&add[..], &["--credential", "stdin"]].concat();
    stage.sortie.run_with_input(&entered, "k3y-of-the-mirror-7").await.succeeded();
    let answer =
        call(&stage, &["http/get", &at("/a?x=1"), "query={\"q\":[\"a b\",2]}", "headers={\"X-A\":\"b\"}"]).await;
    assert_eq!((&answer["status"], &answer["body_kind"]), (&json!(200), &json!("json")));
    assert_eq!(answer["body"]["uri"], "/a?x=1&q=a+b&q=2");
    let header =
        |name: &str| seen.lock().unwrap().last().unwrap().get(name).map(|value| value.to_str().unwrap().to_owned());
    assert_eq!(header("authorization").as_deref(), Some("Bearer k3y-of-the-mirror-7"));
    assert_eq!(header("x-a").as_deref(), Some("b"));
    let keyed = ["http/post", &at("/b"), "json={\"a\":\"b  c\"}", "authenticate=header", "secret_header=X-Key", "-y"];
    let answer = call(&stage, &keyed).await;
    assert_eq!((&answer["body"]["method"], &answer["body"]["body"]), (&json!("POST"), &json!("{\"a\":\"b  c\"}")));
    assert_eq!((header("x-key").as_deref(), header("authorization")), (Some("k3y-of-the-mirror-7"), None));
    let typed =
        stage.run(&["call", "http/get", &at("/a"), "headers={\"Authorization\":\"Bearer x\"}"]).await.ended_with(2);
    assert!(typed.stderr.contains("give it to a connection"), "{}", typed.stderr);
    // The secret is for where the connection leads, and for nowhere else.
    let other = format!("url=http://127.0.0.1:{}/a", port.wrapping_add(1));
    let elsewhere = stage.run(&["call", "http/get", &other]).await.ended_with(3);
    assert!(elsewhere.stderr.contains("was not set up for"), "{}", elsewhere.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_bounded_in_size_time_and_redirects() {
    let stage = Stage::start().await;
    let (port, _) = mirror().await;
    let at = |path: &str| format!("url=http://127.0.0.1:{port}{path}");
    let (base, host) = (format!("http://127.0.0.1:{port}"), format!("127.0.0.1:{port}"));
    let add = ["connection", "add", "local", "--connector", "http", "--base", &base, "--allow-host", &host];
    stage.sortie.run_with_input(&[&add[..], &["--credential", "env:NONE"]].concat(), "").await.succeeded();
    let plain = |path: &str| vec!["http/get".to_owned(), at(path), "authenticate=none".to_owned()];
    let run = |inputs: Vec<String>| {
        let stage = &stage;
        async move {
            let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
            stage.sortie.run_with_input(&[&["call"], &inputs[..]].concat(), "").await
        }
    };
    let gone = run(plain("/gone")).await.ended_with(1);
    assert!(gone.stderr.contains("status 410"), "{}", gone.stderr);
    let taken = run([plain("/gone"), vec!["any_status=true".to_owned()]].concat()).await.succeeded();
    assert!(taken.stdout.contains("410"), "{}", taken.stdout);
    let large = run(plain("/large")).await.ended_with(6);
    assert!(large.stderr.contains("larger than 8388608 bytes"), "{}", large.stderr);
    let started = std::time::Instant::now();
    let slow = ["call", "http/post", &at("/slow"), "authenticate=none", "timeout_s=1", "-y"];
    let slow = stage.run(&slow).await.ended_with(8);
    assert!(slow.stderr.contains("not known whether"), "{}", slow.stderr);
    assert!(started.elapsed().as_secs() < 15, "{:?}", started.elapsed());
    let followed = run(plain("/away")).await.succeeded();
    assert!(followed.stdout.contains("/there"), "{}", followed.stdout);
    let kept = [plain("/away"), vec!["follow_redirects=false".to_owned(), "any_status=true".to_owned()]].concat();
    let kept = run(kept).await.succeeded();
    assert!(kept.stdout.contains("307"), "{}", kept.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_in_python_runs_as_far_as_it_is_known() {
    let stage = Stage::start().await;
    std::fs::write(stage.sortie.folder().join("api.yaml"), APP).unwrap();
    let imported = stage.run(&["connector", "import", "api.yaml"]).await.succeeded().stdout;
    assert!(imported.contains("built-in operations do 2 of its 3 actions"), "{imported}");
    assert!(imported.contains("execute-python cannot be run: it runs code"), "{imported}");
    let found = call(&stage, &["shuffle-tools/parse_ioc", "input_string=1.2.3.4"]).await;
    assert_eq!(found["ipv4"][0]["value"], "1.2.3.4");
    let kept = stage.run(&["call", "shuffle-tools/set_cache_value", "key=a", "value={\"b\":1}"]).await.ended_with(2);
    assert!(kept.stderr.contains("needs an answer"), "it changes something: {}", kept.stderr);
    call(&stage, &["shuffle-tools/set_cache_value", "key=a", "value={\"b\":1}", "-y"]).await;
    assert_eq!(call(&stage, &["kv/get", "name=a"]).await["value"], json!({ "b": 1 }));
    let refused = stage.run(&["call", "shuffle-tools/execute_python", "code=print(1)"]).await.ended_with(2);
    assert!(refused.stderr.contains("cannot be run by Sortie: it runs code"), "{}", refused.stderr);
}

const APP: &str = "
walkoff_version: 1.2.0
app_version: 1.2.0
name: Shuffle Tools
actions:
  - { name: parse_ioc, parameters: [{ name: input_string, required: true }, { name: input_type }] }
  - { name: set_cache_value, parameters: [{ name: key, required: true }, { name: value, required: true }] }
  - { name: execute_python, parameters: [{ name: code, required: true }] }
";
