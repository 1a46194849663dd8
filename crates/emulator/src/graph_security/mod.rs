//! Microsoft Graph's security incidents and alerts (v1.0 and, the same, beta).

mod alerts;
mod answer;
mod evidence;
mod incidents;
mod lists;
mod regroup;
mod view;

pub(crate) use answer::{refusal, too_many};
use axum::{
    Router,
    routing::{get, post},
};

use crate::cloud::App;

/// `/v1.0/security/incidents`, `/v1.0/security/alerts_v2`, and the same below `/beta`.
pub(crate) fn router() -> Router<App> {
    let mut router = Router::new();
    for version in ["v1.0", "beta"] {
        let (incidents, alerts) = (format!("/{version}/security/incidents"), format!("/{version}/security/alerts_v2"));
        router = router
            .route(&incidents, get(incidents::list))
            .route(&format!("{incidents}/{{id}}"), get(incidents::one).patch(incidents::update))
            .route(&format!("{incidents}/{{id}}/alerts"), get(incidents::alerts))
            .route(&format!("{incidents}/{{id}}/comments"), post(incidents::comment))
            .route(&format!("{incidents}/mergeIncidents"), post(regroup::merge_incidents))
            .route(&format!("{incidents}/microsoft.graph.security.mergeIncidents"), post(regroup::merge_incidents))
            .route(&format!("{alerts}/moveAlerts"), post(regroup::move_alerts))
            .route(&format!("{alerts}/microsoft.graph.security.moveAlerts"), post(regroup::move_alerts))
            .route(&alerts, get(alerts::list))
            .route(&format!("{alerts}/{{id}}"), get(alerts::one).patch(alerts::update))
            .route(&format!("{alerts}/{{id}}/comments"), post(alerts::comment));
    }
    router
}
