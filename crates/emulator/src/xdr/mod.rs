//! The Defender XDR API's incidents: `/api/incidents`.

pub(crate) mod answer;
mod incidents;
mod view;

use axum::{Router, routing::get};

use crate::cloud::App;

/// `/api/incidents` and `/api/incidents/{id}`.
pub(crate) fn router() -> Router<App> {
    Router::new()
        .route("/api/incidents", get(incidents::list))
        .route("/api/incidents/{id}", get(incidents::one).patch(incidents::update))
}
