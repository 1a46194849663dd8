//! What the sender of a webhook's request hears: the run's address, or what its `respond` said.

use std::sync::Arc;

use axum::{body::Body, response::Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::json;
use sortie_runner::{Heard, Listening};
use sortie_store::{RunId, Scope};

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
    mut listening: Listening,
) -> Result<Response, Problem> {
    // One that was started before may have said everything.
    if !is_new {
        if let Some(said) = response(shared, scope, run).await? {
            return Ok(said);
        }
        if shared.app.store.run(scope, run).await?.ended.is_some() {
            return Ok(accepted(run, is_new));
        }
    }
    let mut stop = shared.stop.subscribe();
    tokio::select! {
        heard = tokio::time::timeout(shared.app.options.bounds.answer, listening.heard()) => match heard {
            Ok(Heard::Response(Some(text))) => return Ok(json(text.to_string())),
            Ok(Heard::Ended) => return Ok(accepted(run, is_new)),
            Ok(Heard::Response(None)) | Err(_) => {}
        },
        // The run goes on with the next process; its sender need not wait for that.
        _ = stop.wait_for(|stop| *stop) => {}
    }
    Ok(response(shared, scope, run).await?.unwrap_or_else(|| accepted(run, is_new)))
}

async fn response(shared: &Shared, scope: Scope, run: RunId) -> Result<Option<Response>, Problem> {
    let Some(text) = shared.app.store.run_value(scope, run, RESPONSE).await? else { return Ok(None) };
    Ok(Some(json(text)))
}

fn json(text: String) -> Response {
    let mut response = Response::new(Body::from(text));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Where the runner keeps what a `respond` said.
const RESPONSE: &str = "#response";
