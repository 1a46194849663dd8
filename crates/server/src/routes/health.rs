//! How the process is: for service managers, load balancers and Prometheus.

use std::{fmt::Write as _, sync::atomic::Ordering};

use axum::{body::Body, response::Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::json;

use crate::{
    Problem,
    request::{Request, json, ok},
};

pub(super) async fn alive(_: Request) -> Result<Response, Problem> {
    Ok(text("text/plain; charset=utf-8", "ok\n".to_owned()))
}

pub(super) async fn ready(request: Request) -> Result<Response, Problem> {
    let shared = &request.shared;
    let database = match shared.app.store.installation().await {
        Ok(_) => "ok",
        Err(error) => {
            tracing::error!(error = %error.kind, "the database cannot be read");
            "failing"
        }
    };
    let runner = match (shared.serves.load(Ordering::Relaxed), *shared.stop.borrow()) {
        (_, true) => "stopping",
        (true, false) => "ok",
        (false, false) => "not running",
    };
    let is_ready = database == "ok" && runner == "ok";
    let status = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    Ok(json(status, &json!({ "ready": is_ready, "database": database, "runner": runner })))
}

pub(super) async fn metrics(request: Request) -> Result<Response, Problem> {
    let shared = &request.shared;
    let figures = shared.app.runner.figures();
    let mut out = String::new();
    let mut family = |name: &str, kind: &str, help: &str, rows: &[(String, u64)]| {
        let _ = writeln!(out, "# HELP sortie_{name} {help}\n# TYPE sortie_{name} {kind}");
        for (labels, value) in rows {
            let _ = writeln!(out, "sortie_{name}{labels} {value}");
        }
    };
    let one = |value: u64| [(String::new(), value)];
    let counts = shared.app.store.open_run_counts().await?;
    let open: Vec<_> =
        counts.iter().map(|(status, count)| (format!("{{status=\"{}\"}}", status.word()), *count)).collect();
    family("runs_open", "gauge", "Runs that have not ended, by status.", &open);
    family("runs_active", "gauge", "Runs at work now.", &one(figures.active as u64));
    family("runs_ready", "gauge", "Runs that could go on and have no room.", &one(figures.ready as u64));
    family("runs_waiting", "gauge", "Runs that wait for time.", &one(figures.waiting as u64));
    family("runs_ended_total", "counter", "Runs that have ended since the start.", &one(figures.ended));
    let written = shared.app.store.written();
    family("database_commits_total", "counter", "Transactions since the start.", &one(written.commits));
    family("database_rows_total", "counter", "Rows written since the start.", &one(written.rows));
    family("commits_total", "counter", "Commits of runs since the start.", &one(figures.commits));
    let calls = |outcome: &str, count| (format!("{{outcome=\"{outcome}\"}}"), count);
    let ended = [calls("answered", figures.calls_answered), calls("failed", figures.calls_failed)];
    family("calls_total", "counter", "Calls of steps since the start.", &ended);
    family("calls_open", "gauge", "Calls of steps on their way.", &one(figures.calls_open));
    let feeds = shared.app.options.bounds.feeds - shared.feeds.available_permits();
    family("feeds_open", "gauge", "Readers of the feed of changes.", &one(feeds as u64));
    let info = [(format!("{{version=\"{}\"}}", shared.app.options.version), 1)];
    family("info", "gauge", "The program.", &info);
    Ok(text("text/plain; version=0.0.4; charset=utf-8", out))
}

pub(super) async fn openapi(request: Request) -> Result<Response, Problem> {
    ok(&crate::document(request.shared.app.options.version))
}

fn text(media_type: &'static str, text: String) -> Response {
    let mut response = Response::new(Body::from(text));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}
