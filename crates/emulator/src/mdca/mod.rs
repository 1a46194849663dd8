//! Defender for Cloud Apps: `/api/v1/..` below `{tenant}.{region}.portal.cloudappsecurity.com`.
//!
//! Alerts are those of the tenant's incidents that this product has raised: what is closed here is resolved everywhere
//! else, and the other way round. Activities are the rows of hunting's `CloudAppEvents`, entities the people of the
//! company; an account that Graph has switched off shows as suspended.
//!
//! The pages show neither the records of activities and entities nor an error body. What rests on a guess (G): those
//! records (names as in public scripts), `{"detail": ".."}` as the body of every refusal, `contextId` being the id that
//! the incident APIs know an alert by, the answer `{}` of read, unread and feedback, a `limit` above 100 counting as 100,
//! and that closing a closed alert closes it anew. Legacy tokens (`Authorization: Token ..`) are refused.

mod activities;
mod alerts;
mod call;
mod entities;
mod filter;

use axum::{
    Router,
    routing::{get, post},
};
pub(crate) use call::{denied, error};

use crate::cloud::App;

/// All routes, without the slash at their end, which the dispatcher takes away.
pub(crate) fn router() -> Router<App> {
    Router::new()
        .route("/api/v1/alerts", get(alerts::list).post(alerts::list))
        .route("/api/v1/alerts/close_benign", post(alerts::close_benign))
        .route("/api/v1/alerts/close_false_positive", post(alerts::close_false_positive))
        .route("/api/v1/alerts/close_true_positive", post(alerts::close_true_positive))
        .route("/api/v1/alerts/{pk}", get(alerts::one))
        .route("/api/v1/alerts/{pk}/read", post(alerts::mark_read))
        .route("/api/v1/alerts/{pk}/unread", post(alerts::mark_unread))
        .route("/api/v1/activities", get(activities::list).post(activities::list))
        .route("/api/v1/activities/{pk}", get(activities::one))
        .route("/api/v1/activities/{pk}/feedback", post(activities::feedback))
        .route("/api/v1/entities", get(entities::list).post(entities::list))
        .route("/api/v1/entities/{pk}", get(entities::one))
}
