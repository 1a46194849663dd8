//! Advanced hunting: tables derived from each world, and the three APIs that run queries on them.

mod activity;
mod actor;
mod answer;
mod cloud_deeds;
mod functions;
mod graph;
mod history;
mod older;
mod programs;
mod query;
mod rows;
mod scene;
mod schema;
mod settings;
mod sheet;
mod store;
mod timespan;

use axum::{
    Router,
    response::Response,
    routing::{get, post},
};
pub(crate) use cloud_deeds::{CloudDeed, cloud_deeds};
use http::{HeaderMap, StatusCode};
pub(crate) use settings::Hunting;

use crate::{
    cloud::{App, Cloud},
    faults::FaultKind,
    graph_answer::Exchange,
    world::Ticks,
    xdr,
};

/// Graph's route in both spellings (below `/beta`, too), Defender XDR's, and Defender for Endpoint's.
pub(crate) fn router() -> Router<App> {
    let mut router = Router::new()
        .route("/api/advancedhunting/run", post(older::hunt_xdr))
        .route("/api/advancedqueries/run", post(older::hunt_endpoint));
    for version in ["v1.0", "beta"] {
        for name in ["runHuntingQuery", "microsoft.graph.security.runHuntingQuery"] {
            router = router.route(&format!("/{version}/security/{name}"), post(graph::hunt));
        }
    }
    router
}

/// `/hunting` of the admin API.
pub(crate) fn admin_router() -> Router<App> {
    Router::new().route("/hunting", get(settings::show).put(settings::change))
}

/// Whether a path is one of hunting's.
pub(crate) fn is_route(path: &str) -> bool {
    path.ends_with("unHuntingQuery") || path == "/api/advancedhunting/run" || path == "/api/advancedqueries/run"
}

/// The answer of a fault, in the words and the envelope of the service that was asked.
pub(crate) fn fault(cloud: &Cloud, service: &str, headers: &HeaderMap, kind: FaultKind, wait_s: i64) -> Response {
    let is_endpoint = service == "mde";
    let wait = Ticks(0).plus_s(wait_s);
    let message = match kind {
        FaultKind::CpuQuota if service == "graph" => return graph::cpu_refusal(&Exchange::new(cloud, headers), wait),
        FaultKind::CpuQuota => return older::cpu_refusal(cloud, is_endpoint, wait),
        FaultKind::ResultTooLarge if is_endpoint => query::ENDPOINT_SIZE,
        FaultKind::ResultTooLarge => query::SIZE,
        _ => query::TIMEOUT,
    };
    match service {
        "graph" => Exchange::new(cloud, headers).error(StatusCode::BAD_REQUEST, "BadRequest", message),
        _ => xdr::answer::error(cloud, StatusCode::BAD_REQUEST, "BadRequest", message),
    }
}
