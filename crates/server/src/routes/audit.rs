//! The audit log.

use axum::response::Response;
use serde::Deserialize;
use serde_json::json;
use sortie_store::{AuditEntry, AuditFilter};

use crate::{
    Problem,
    request::{Request, done, ok},
    views,
};

pub(super) async fn list(request: Request) -> Result<Response, Problem> {
    let text = |name: &str| request.query(name).map(str::to_owned);
    let since = request.query("since").map(|text| {
        let problem = || Problem::request("`since` takes an instant such as 2026-11-30T08:00:00Z", "Correct it.");
        text.parse().map_err(|_| problem())
    });
    let filter =
        AuditFilter { action: text("action"), actor: text("actor"), object: text("object"), since: since.transpose()? };
    let (store, count) = (request.store(), request.count()?);
    let (after, before) = (request.number("after", 0, 0..=i64::MAX)?, request.number("before", 0, 0..=i64::MAX)?);
    let is_backwards = request.query("before").is_some();
    if is_backwards && request.query("after").is_some() {
        return Err(Problem::request("`after` and `before` go in two directions", "Give one of them."));
    }
    let mut found: Vec<AuditEntry> = Vec::new();
    for scope in &request.granted.scopes {
        found.extend(match is_backwards {
            true => store.audit_latest(*scope, filter.clone(), before, count + 1).await?,
            false => store.audit_list(*scope, filter.clone(), after, count + 1).await?,
        });
    }
    found.sort_by_key(|entry| if is_backwards { -entry.seq } else { entry.seq });
    let has_more = found.len() > count as usize;
    found.truncate(count as usize);
    let next = found.last().filter(|_| has_more).map(|entry| entry.seq);
    ok(&json!({ "items": found.iter().map(views::audit).collect::<Vec<_>>(), "next": next }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Backup {
    to: String,
}

/// Who may read the file copies it; here it is written down who did.
pub(super) async fn backup(request: Request) -> Result<Response, Problem> {
    let wish: Backup = request.json()?;
    request.store().announce_backup(&wish.to).await?;
    done()
}
