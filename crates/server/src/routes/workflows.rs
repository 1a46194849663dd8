//! Workflows: kept by edition, judged before they are kept.

use axum::response::Response;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};
use sortie_engine::{document::read, text::Problem as Wrong};
use sortie_runner::library::{self, PutError};
use sortie_store::{Scope, StoreErrorKind, Workflow, WorkflowState};

use crate::{
    Problem,
    request::{Request, done, json as answer, ok},
    views,
};

pub(super) async fn list(request: Request) -> Result<Response, Problem> {
    let store = request.store();
    let mut found: Vec<Workflow> = Vec::new();
    for scope in &request.granted.scopes {
        found.extend(store.workflows(*scope).await?);
    }
    found.sort_by(|a, b| (&a.id, a.tenant).cmp(&(&b.id, b.tenant)));
    // Whoever sees several tenants sees what is shared once.
    found.dedup_by(|a, b| (&a.id, a.tenant) == (&b.id, b.tenant));
    ok(&json!({ "items": found.iter().map(|one| views::workflow(&request, one)).collect::<Vec<_>>() }))
}

pub(super) async fn one(request: Request) -> Result<Response, Problem> {
    let found = request.store().workflow(request.scope(), request.path("id")).await?;
    Ok(whole(&request, &found, StatusCode::OK))
}

pub(super) async fn put(request: Request) -> Result<Response, Problem> {
    let text = request.yaml()?;
    let named = read(text).map_err(|wrong| problems(&wrong))?.id.value;
    if named != request.path("id") {
        let detail = format!("the document is workflow `{named}`, and the address names `{}`", request.path("id"));
        return Err(Problem::content(detail, "Make them one."));
    }
    let seen = seen(&request.headers)?;
    let outside = &*request.shared.app.outside;
    let kept = match library::put(&request.store(), outside, request.tenant(), text, seen).await {
        Ok(kept) => kept,
        Err(PutError::Problems(wrong)) => return Err(problems(&wrong)),
        Err(PutError::Store(error)) if matches!(error.kind, StoreErrorKind::Stale(_)) => {
            let detail = format!("workflow {named} was changed by somebody else meanwhile");
            let next = "Look at it again, and repeat the change on top of it if it is still wanted.";
            return Err(Problem::new(StatusCode::PRECONDITION_FAILED, "stale", detail, next));
        }
        Err(PutError::Store(error)) => return Err(error.into()),
    };
    let status = if kept.edition == 1 { StatusCode::CREATED } else { StatusCode::OK };
    Ok(whole(&request, &kept, status))
}

pub(super) async fn remove(request: Request) -> Result<Response, Problem> {
    request.store().remove_workflow(request.scope(), request.path("id")).await?;
    done()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetState {
    state: String,
    #[serde(default)]
    why: Option<String>,
}

pub(super) async fn set_state(request: Request) -> Result<Response, Problem> {
    let wish: SetState = request.json()?;
    let state = WorkflowState::ALL.into_iter().find(|state| state.word() == wish.state);
    let state = state.ok_or_else(|| {
        Problem::content(format!("`{}` is no state", wish.state), "Give disabled, enabled, observe or paused.")
    })?;
    let store = request.store();
    let kept = store.set_workflow_state(request.scope(), request.path("id"), state, wish.why).await?;
    Ok(whole(&request, &kept, StatusCode::OK))
}

pub(super) async fn versions(request: Request) -> Result<Response, Problem> {
    let store = request.store();
    let home = Scope::Tenant(store.workflow(request.scope(), request.path("id")).await?.tenant);
    let found = store.workflow_versions(home, request.path("id")).await?;
    ok(&json!({ "items": found.iter().map(views::version).collect::<Vec<_>>() }))
}

pub(super) async fn version(request: Request) -> Result<Response, Problem> {
    let store = request.store();
    let home = Scope::Tenant(store.workflow(request.scope(), request.path("id")).await?.tenant);
    let found = store.workflow_version(home, request.path("id"), request.path("version")).await?;
    let mut shown = views::version(&found);
    shown["text"] = found.text.into();
    ok(&shown)
}

pub(super) async fn judge(request: Request) -> Result<Response, Problem> {
    let outside = &*request.shared.app.outside;
    let judged = library::judge(&request.store(), outside, request.tenant(), request.yaml()?).await;
    let wrong = match judged {
        Ok(_) => Vec::new(),
        Err(PutError::Problems(wrong)) => wrong,
        Err(PutError::Store(error)) => return Err(error.into()),
    };
    ok(&json!({ "problems": places(&wrong) }))
}

fn whole(request: &Request, kept: &Workflow, status: StatusCode) -> Response {
    let mut shown = views::workflow(request, kept);
    shown["text"] = kept.text.as_str().into();
    let mut response = answer(status, &shown);
    let edition = HeaderValue::from_str(&format!("\"{}\"", kept.edition)).expect("a number is plain");
    response.headers_mut().insert(header::ETAG, edition);
    response
}

fn problems(wrong: &[Wrong]) -> Problem {
    let detail = match wrong {
        [one] => format!("the document has a problem: {one}"),
        _ => format!("the document has {} problems", wrong.len()),
    };
    Problem::content(detail, "Mend what `problems` names by line and column; nothing was kept.")
        .with("problems", places(wrong))
}

fn places(wrong: &[Wrong]) -> Value {
    serde_json::to_value(wrong).expect("problems are JSON")
}

/// The edition that the author has seen: `If-Match` names it, `If-None-Match: *` says that there was none.
fn seen(headers: &HeaderMap) -> Result<Option<i64>, Problem> {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default().trim());
    if let Some(none) = text(header::IF_NONE_MATCH) {
        let problem = || Problem::request("`If-None-Match` takes `*` alone", "Correct it.");
        return if none == "*" { Ok(Some(0)) } else { Err(problem()) };
    }
    let Some(edition) = text(header::IF_MATCH) else { return Ok(None) };
    let number = edition.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(edition).parse();
    number.map(Some).map_err(|_| {
        Problem::request("`If-Match` takes the edition that was seen", "Give the `ETag` of the last answer.")
    })
}
