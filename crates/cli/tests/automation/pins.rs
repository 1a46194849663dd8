//! A run finishes on the descriptions of connectors that it began with: those that are imported, and those that come along.

use std::sync::{Arc, Mutex};

use axum::{Router, extract::State, http::Request, response::Json};
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::stage::{Stage, run_of};

const CALLS_OWN: &str = "workflow: calls-own
triggers: [{ manual: {} }]
steps:
  - { id: ask, approval: { ask: 'Go?', within: 4h } }
  - { id: act, after: [ask], call: own/act }
";
const KEEPS: &str = "workflow: keeps
triggers: [{ manual: {} }]
steps:
  - { id: ask, approval: { ask: 'Go?', within: 4h } }
  - { id: act, after: [ask], call: kv/set, with: { name: done, value: 'yes' } }
";

type Heard = Arc<Mutex<Vec<String>>>;

/// A service that says yes to everything, its host, and what it was asked for.
async fn service() -> (String, Heard) {
    let heard = Heard::default();
    let answer = async |State(heard): State<Heard>, request: Request<axum::body::Body>| {
        heard.lock().unwrap().push(format!("{} {}", request.method(), request.uri().path()));
        Json(json!({}))
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let router = Router::new().fallback(answer).with_state(Arc::clone(&heard));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (host, heard)
}

fn document(host: &str, path: &str) -> String {
    format!(
        "openapi: 3.0.3\ninfo: {{ title: Own, version: '1' }}\nservers: [{{ url: 'http://{host}' }}]\n\
         paths: {{ {path}: {{ post: {{ operationId: act, responses: {{}} }} }} }}\n"
    )
}

/// A run that waits for a person, and its question.
async fn waiting(stage: &Stage, workflow: &str) -> (String, String) {
    let run = run_of(&stage.run(&["workflow", "run", workflow]).await.succeeded());
    let asks = |run: &Value| run["status"] == "waiting" && !run["approvals"].as_array().unwrap().is_empty();
    let asked = stage.until(&["runs", "show", &run, "--json"], asks).await;
    (run, asked["approvals"][0]["id"].as_str().unwrap().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_imported_or_edited_changes_no_run_that_has_begun() {
    for is_served in [true, false] {
        let (host, heard) = service().await;
        let mut stage = Stage::start(false).await;
        stage.write("own.yaml", &document(&host, "/before"));
        stage.run(&["connector", "import", "own.yaml"]).await.succeeded();
        let add = ["connection", "add", "ours", "--connector", "own", "--credential", "none", "--allow-host", &host];
        stage.run(&add).await.succeeded();
        if is_served {
            stage.serve().await;
        }
        stage.keep(&[CALLS_OWN]).await;
        let (run, question) = waiting(&stage, "calls-own").await;
        stage.write("own.yaml", &document(&host, "/after"));
        if is_served {
            stage.stop().await;
        }
        stage.run(&["connector", "import", "own.yaml", "--replace"]).await.succeeded();
        if is_served {
            stage.serve().await;
        }
        let (edited, edited_question) = waiting(&stage, "calls-own").await;
        if is_served {
            stage.stop().await;
        }
        stage.run(&["connector", "edit", "own", "--name", "Ours"]).await.succeeded();
        if is_served {
            stage.serve().await;
        }
        for (run, question) in [(&run, &question), (&edited, &edited_question)] {
            stage.run(&["approvals", "approve", question]).await.succeeded();
            stage.run(&["runs", "show", run, "--follow"]).await.succeeded();
        }
        assert_eq!(*heard.lock().unwrap(), ["POST /before", "POST /after"], "served: {is_served}");
    }
}

/// What a release had described otherwise lies in the database for its runs; without it they call nothing.
#[tokio::test(flavor = "multi_thread")]
async fn what_comes_along_is_kept_for_runs_of_an_earlier_release() {
    for is_kept in [true, false] {
        let mut stage = Stage::start(true).await;
        stage.keep(&[KEEPS]).await;
        let (run, question) = waiting(&stage, "keeps").await;
        stage.stop().await;
        let database = Connection::open(stage.sortie.folder().join(".local/share/sortie/sortie.db")).unwrap();
        let of_kv = "SELECT version FROM connector_versions WHERE connector_id = 'kv'";
        let pin: String = database.query_row(of_kv, [], |row| row.get(0)).unwrap();
        let earlier = "0".repeat(64);
        let pinned = "UPDATE runs SET snapshot = replace(snapshot, ?1, ?2) WHERE snapshot LIKE '%' || ?1 || '%'";
        assert_eq!(database.execute(pinned, [&pin, &earlier]).unwrap(), 1, "the run has pinned it");
        if is_kept {
            let kept = "UPDATE connector_versions SET version = ?2 WHERE version = ?1";
            database.execute(kept, [&pin, &earlier]).unwrap();
        }
        drop(database);
        stage.serve().await;
        stage.run(&["approvals", "approve", &question]).await.succeeded();
        let ended = stage.run(&["runs", "show", &run, "--follow"]).await;
        if is_kept {
            ended.succeeded();
        } else {
            let said = ended.ended_with(1).stdout;
            assert!(said.contains("the description of kv that the run began with is not kept any more"), "{said}");
        }
    }
}
