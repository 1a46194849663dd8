//! What the sender of a webhook's request hears: the run's address, or what its `respond` said.

use std::sync::Arc;

use axum::{body::Body, response::Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::json;
use sortie_runner::Advance;
use sortie_store::{RunId, Scope};
use tokio::sync::broadcast::{Receiver, error::RecvError};

use crate::{Problem, app::Shared, request::json as answer};

/// The run is on the disk.
pub(super) fn accepted(run: RunId, is_new: bool) -> Response {
    let address = format!("/api/v1/runs/{run}");
    answer(StatusCode::ACCEPTED, &json!({ "run": run.to_string(), "new": is_new, "address": address }))
}

/// What the run responds, if it does so in time.
pub(super) async fn awaited(
    shared: &Arc<Shared>,
    scope: Scope,
    run: RunId,
    is_new: bool,
    advances: Receiver<Advance>,
) -> Result<Response, Problem> {
    if let Some(said) = response(shared, scope, run).await? {
        return Ok(said);
    }
    let has_ended = !is_new && shared.app.store.run(scope, run).await?.ended.is_some();
    if !has_ended {
        let answered = answered(shared, scope, run, advances);
        let mut stop = shared.stop.subscribe();
        tokio::select! {
            _ = tokio::time::timeout(shared.app.options.bounds.answer, answered) => {}
            // The run goes on with the next process; its sender need not wait for that.
            _ = stop.wait_for(|stop| *stop) => {}
        }
    }
    Ok(response(shared, scope, run).await?.unwrap_or_else(|| accepted(run, is_new)))
}

/// Until the run has responded or ended.
async fn answered(shared: &Shared, scope: Scope, run: RunId, mut advances: Receiver<Advance>) {
    loop {
        match advances.recv().await {
            Ok(advance) if advance.run == run && (advance.responded || advance.ended) => return,
            Ok(_) => {}
            // Among what was missed may have been this one.
            Err(RecvError::Lagged(_)) => {
                let ended = shared.app.store.run(scope, run).await.is_ok_and(|run| run.ended.is_some());
                if ended || matches!(response(shared, scope, run).await, Ok(Some(_))) {
                    return;
                }
            }
            Err(RecvError::Closed) => return,
        }
    }
}

async fn response(shared: &Shared, scope: Scope, run: RunId) -> Result<Option<Response>, Problem> {
    let Some(text) = shared.app.store.run_value(scope, run, RESPONSE).await? else { return Ok(None) };
    let mut response = Response::new(Body::from(text));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(Some(response))
}

/// Where the runner keeps what a `respond` said.
const RESPONSE: &str = "#response";
