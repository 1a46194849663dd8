//! Webhooks: from a request that proves itself to a run that is on the disk before the sender hears of it.

mod answer;
mod body;
mod plan;
mod proof;

use std::sync::Arc;

use axum::response::Response;
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use serde_json::{Map, Value};
use sortie_runner::as_value;
use sortie_store::{Hook, NewRun, RunMode, Scope, Started, WorkflowState};

pub(crate) use self::plan::Plans;
pub use self::proof::signature;
use self::{
    body::{Kind, fields},
    plan::{HookTrigger, plan},
    proof::{Proof, prove, timely},
};
use crate::{
    Problem,
    app::Shared,
    caller::{Arrival, listen_to},
    request::Request,
};

/// `POST /hooks/{tenant}/{workflow}`. What it says before the request is proved depends on the request alone; whatever does
/// not lead to a run then has one answer, in about the same time.
pub(crate) async fn receive(request: Request) -> Result<Response, Problem> {
    let shared = &request.shared;
    let now = shared.app.clock.now();
    if let Arrival::Remote(address) = request.arrival {
        listen_to(&shared.hook_failures, address, now)?;
    }
    let kind = Kind::of(&request.headers, &request.body)?;
    timely(&request.headers, now)?;
    let keyring = shared.keyring().await?;
    let hook = shared.app.store.hook(&keyring, request.path("tenant"), request.path("workflow")).await?;
    let secrets = hook.as_ref().map_or(&[][..], |hook| &hook.secrets);
    let proof = prove(&request.headers, &request.body, secrets);
    let open = match hook {
        Some(hook) => proved(shared, hook, proof).await?,
        None => None,
    };
    let Some((hook, trigger)) = open else {
        if let Arrival::Remote(address) = request.arrival {
            shared.hook_failures.failed(address, now);
        }
        return Err(refused());
    };
    if hook.workflow.state == WorkflowState::Paused {
        let why = hook.workflow.why.as_deref().unwrap_or("it was started too often");
        return Err(Problem::busy(format!("workflow {} is paused: {why}", hook.workflow.id)));
    }
    let said = said(&request, kind.read(&request.body)?, now);
    started(shared, &hook, &trigger, proof, said).await
}

/// The webhook that the request opens. One whose workflow is not at work is as good as none.
async fn proved(shared: &Shared, hook: Hook, proof: Proof) -> Result<Option<(Hook, HookTrigger)>, Problem> {
    if proof == Proof::default() || hook.workflow.state == WorkflowState::Disabled {
        return Ok(None);
    }
    let trigger = plan(shared, &hook).await?.and_then(|plan| plan.trigger(proof));
    Ok(trigger.map(|trigger| (hook, trigger)))
}

fn refused() -> Problem {
    let detail = "there is no webhook here that this request proves itself to";
    let next = "Look at address, secret and signature: `GET /api/v1/workflows/{id}/hook` says where it is.";
    Problem::new(StatusCode::NOT_FOUND, "not-found", detail, next)
}

/// What the run reads as `trigger`.
fn said(request: &Request, body: Value, now: Timestamp) -> Value {
    let query = fields(url::form_urlencoded::parse(request.raw_query.as_bytes()));
    let headers = headers(&request.headers);
    // By hand: `json!` would copy the body.
    let said = [
        ("kind", "webhook".into()),
        ("body", body),
        ("headers", headers),
        ("query", query),
        ("received_at", now.to_string().into()),
    ];
    Value::Object(said.map(named).into_iter().collect())
}

fn named((name, value): (&str, Value)) -> (String, Value) {
    (name.to_owned(), value)
}

/// Without what proves anybody.
fn headers(headers: &HeaderMap) -> Value {
    let mut found = Map::new();
    for name in headers.keys().filter(|name| !UNTOLD.contains(&name.as_str())) {
        let values: Vec<_> =
            headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect();
        found.insert(name.as_str().to_owned(), values.join(", ").into());
    }
    Value::Object(found)
}

async fn started(
    shared: &Arc<Shared>,
    hook: &Hook,
    trigger: &HookTrigger,
    proof: Proof,
    said: Value,
) -> Result<Response, Problem> {
    let scope = Scope::Tenant(hook.tenant.key);
    let runner = &shared.app.runner;
    let start_key = trigger.start_key(&hook.workflow.id, &said, proof);
    let given =
        Value::Object([("inputs", Value::Object(Map::new())), ("trigger", said)].map(named).into_iter().collect());
    let input = serde_json::to_string(&given).expect("it is JSON");
    let bytes = input.len();
    let new = NewRun {
        home: hook.workflow.tenant,
        workflow: hook.workflow.id.clone(),
        version: hook.workflow.version.clone(),
        mode: if hook.workflow.state == WorkflowState::Observe { RunMode::Observe } else { RunMode::Live },
        start_key,
        cause: "webhook".to_owned(),
        object: None,
        started_by: "webhook".to_owned(),
        parent: None,
        again_of: None,
        depth: 0,
        input: as_value(&shared.app.store, scope, input).await?,
        taken_over: None,
        per_object_max: None,
    };
    let started = match (proof.signed, trigger.is_signed) {
        (Some(signature), true) => shared.app.store.start_signed(scope, new, signature).await?,
        _ => shared.app.store.start_run(scope, new).await?,
    };
    let run = started.run().ok_or_else(Problem::fault)?;
    let is_new = matches!(started, Started::New(_));
    // Before it begins, so that no answer comes too early to be heard.
    let listening = trigger.answers.then(|| runner.listen(run));
    if is_new {
        runner.begin_with(hook.tenant.key, run, given, bytes);
    }
    match listening {
        Some(listening) => answer::awaited(shared, scope, run, is_new, listening).await,
        None => Ok(answer::accepted(run, is_new)),
    }
}

const UNTOLD: &[&str] =
    &["authorization", "proxy-authorization", "cookie", "set-cookie", proof::TOKEN, proof::SIGNATURE];
