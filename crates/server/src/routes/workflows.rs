//! Workflows: kept by edition, judged before they are kept.

use axum::response::Response;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};
use sortie_engine::{document::read, text::Problem as Wrong};
use sortie_runner::library::{self, PutError};
use sortie_store::{Applied, NewWorkflow, Scope, StoreErrorKind, Unnamed, Workflow, WorkflowState};

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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Apply {
    documents: Vec<String>,
    /// What becomes of those that are kept and not among the documents: nothing where nothing is said.
    #[serde(default)]
    unnamed: Option<String>,
    #[serde(default)]
    dry_run: bool,
}

pub(super) async fn apply(request: Request) -> Result<Response, Problem> {
    let wish: Apply = request.json()?;
    let unnamed = match wish.unnamed.as_deref() {
        None | Some("stay") => Unnamed::Stay,
        Some("disable") => Unnamed::Disable,
        Some("remove") => Unnamed::Remove,
        Some(other) => {
            let detail = format!("`unnamed` takes no `{other}`");
            return Err(Problem::content(detail, "Give stay, disable or remove."));
        }
    };
    let outside = &*request.shared.app.outside;
    let judged = library::judge_all(&request.store(), outside, request.tenant(), &wish.documents).await?;
    let wrong: Vec<Value> = judged.iter().enumerate().flat_map(|(at, one)| wrong_of(at, one)).collect();
    if !wrong.is_empty() {
        let documents = judged.iter().filter(|one| one.is_err()).count();
        let detail = format!("{documents} of {} documents have problems, and none was kept", judged.len());
        let next = "Mend what `problems` names by document, line and column.";
        return Err(Problem::content(detail, next).with("problems", wrong.into()));
    }
    let set: Vec<NewWorkflow> = judged.into_iter().flatten().collect();
    let ids: Vec<String> = set.iter().map(|new| new.id.clone()).collect();
    let applied = request.store().apply_workflows(request.scope(), set, unnamed, wish.dry_run).await?;
    let item = |(id, applied): &(String, Applied)| {
        let document = ids.iter().position(|own| own == id);
        json!({ "id": id, "document": document, "change": applied.word() })
    };
    ok(&json!({ "items": applied.iter().map(item).collect::<Vec<_>>(), "kept": !wish.dry_run }))
}

fn wrong_of(at: usize, judged: &Result<NewWorkflow, Vec<Wrong>>) -> Vec<Value> {
    let mut found = places(judged.as_ref().err().map_or(&[], Vec::as_slice));
    let found = found.as_array_mut().map(std::mem::take).unwrap_or_default();
    let in_its_place = |mut one: Value| {
        one["document"] = at.into();
        one
    };
    found.into_iter().map(in_its_place).collect()
}

fn whole(request: &Request, kept: &Workflow, status: StatusCode) -> Response {
    let mut shown = views::workflow(request, kept);
    shown["text"] = kept.text.as_str().into();
    let mut response = answer(status, &shown);
    let edition = HeaderValue::from_str(&format!("\"{}\"", kept.edition)).expect("a number is plain");
    response.headers_mut().insert(header::ETAG, edition);
    response
}

/// The same for every route that takes a document.
pub(super) fn problems(wrong: &[Wrong]) -> Problem {
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
