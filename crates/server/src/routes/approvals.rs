//! Questions to people.

use axum::response::Response;
use serde::Deserialize;
use serde_json::json;
use sortie_store::Approval;

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
    let mut found: Vec<Approval> = Vec::new();
    for scope in &request.granted.scopes {
        found.extend(store.approvals(*scope, open, count).await?);
    }
    found.sort_by_key(|approval| std::cmp::Reverse(approval.asked));
    found.truncate(count as usize);
    ok(&json!({ "items": found.iter().map(|one| views::approval(&request, one)).collect::<Vec<_>>() }))
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
    store.decide(approval, wish.approves, wish.why).await?;
    request.shared.app.runner.poke(approval.tenant, approval.run);
    let decided = store.approval(request.scope(), &approval.id).await?;
    ok(&views::approval(&request, &decided))
}
