//! Questions to people.

use axum::response::Response;
use serde::Deserialize;
use serde_json::json;
use sortie_store::{Approval, Decision, StoreErrorKind};

use crate::{
    Problem,
    request::{Request, ok},
    views,
};

pub(super) async fn list(request: Request) -> Result<Response, Problem> {
    let open = match request.query("open") {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return Err(Problem::request("`open` takes true or false", "Correct it.")),
    };
    let (store, count) = (request.store(), request.count()?);
    let before = match request.query("before") {
        None => None,
        Some(id) => Some(last_of_a_page(&request, id).await?),
    };
    let mut found: Vec<Approval> = Vec::new();
    for scope in &request.granted.scopes {
        found.extend(store.approvals(*scope, open, before.as_ref(), count + 1).await?);
    }
    found.sort_by(|one, other| (other.asked, &one.id).cmp(&(one.asked, &other.id)));
    let has_more = found.len() > count as usize;
    found.truncate(count as usize);
    let next = found.last().filter(|_| has_more).map(|last| last.id.clone());
    ok(&json!({ "items": found.iter().map(|one| views::approval(&request, one)).collect::<Vec<_>>(), "next": next }))
}

/// The question that a page ended with, where whoever asks may see it.
async fn last_of_a_page(request: &Request, id: &str) -> Result<Approval, Problem> {
    for scope in &request.granted.scopes {
        match request.store().approval(*scope, id).await {
            Err(error) if matches!(error.kind, StoreErrorKind::Absent(_)) => {}
            found => return Ok(found?),
        }
    }
    Err(Problem::request("`before` takes the id of a question", "Take `next` of the last page."))
}

pub(super) async fn one(request: Request) -> Result<Response, Problem> {
    ok(&views::approval(&request, request.approval()?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Decide {
    approves: bool,
    #[serde(default)]
    why: Option<String>,
}

pub(super) async fn decide(request: Request) -> Result<Response, Problem> {
    let wish: Decide = request.json()?;
    let approval = request.approval()?;
    let store = request.store();
    if let Err(error) = store.decide(approval, wish.approves, wish.why).await {
        return Err(match error.kind {
            StoreErrorKind::Stale(_) => over(&store.approval(request.scope(), &approval.id).await?),
            _ => error.into(),
        });
    }
    request.shared.app.runner.poke(approval.tenant, approval.run);
    let decided = store.approval(request.scope(), &approval.id).await?;
    ok(&views::approval(&request, &decided))
}

/// Why nobody can decide it any more.
fn over(approval: &Approval) -> Problem {
    let at = |moment: jiff::Timestamp| moment.strftime("%Y-%m-%dT%H:%M:%SZ");
    let why = approval.why.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
    let by = approval.decided_by.as_deref().unwrap_or("somebody");
    let (detail, next) = match (approval.decision, approval.decided) {
        (Some(Decision::Approved), Some(when)) => (format!("{by} approved it at {}{why}", at(when)), DECIDED),
        (Some(Decision::Rejected), Some(when)) => (format!("{by} rejected it at {}{why}", at(when)), DECIDED),
        (Some(Decision::Withdrawn), Some(when)) => {
            (format!("its run went on without an answer at {}", at(when)), "Look at the run.")
        }
        _ => (format!("its time was over at {}", at(approval.new.ends)), "Start the run anew to ask again."),
    };
    let problem =
        Problem::new(http::StatusCode::CONFLICT, "decided", format!("approval {}: {detail}", approval.id), next);
    problem.with("decision", json!(approval.decision.map(Decision::word)))
}

const DECIDED: &str = "A question is decided once; look at the run for what came of it.";
