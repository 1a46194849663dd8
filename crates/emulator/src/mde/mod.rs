//! The Defender for Endpoint API: `/api/..` apart from incidents and hunting.

mod actions;
mod body;
mod call;
mod downloads;
mod investigations;
mod library;
mod live_response;
mod machines;
mod orders;
mod view;
mod zip;

use axum::{
    Router,
    routing::{get, post},
};
pub(crate) use orders::ALREADY;

use crate::cloud::App;

/// All routes of the API.
pub(crate) fn router() -> Router<App> {
    machine_routes().merge(action_routes())
}

fn machine_routes() -> Router<App> {
    Router::new()
        .route("/api/machines", get(machines::list))
        .route("/api/machines/findbyip/{key}", get(machines::find_by_ip))
        .route("/api/machines/findbytag", get(machines::find_by_tag))
        .route("/api/machines/AddOrRemoveTagForMultipleMachines", post(machines::tag_many))
        .route("/api/machines/{id}", get(machines::one))
        .route("/api/machines/{id}/logonusers", get(machines::logon_users))
        .route("/api/machines/{id}/tags", post(machines::tag))
        .route("/api/machines/{id}/setDeviceValue", post(machines::set_value))
        .route("/api/machines/{id}/isolate", post(orders::isolate))
        .route("/api/machines/{id}/unisolate", post(orders::unisolate))
        .route("/api/machines/{id}/restrictCodeExecution", post(orders::restrict))
        .route("/api/machines/{id}/unrestrictCodeExecution", post(orders::unrestrict))
        .route("/api/machines/{id}/runAntiVirusScan", post(orders::scan))
        .route("/api/machines/{id}/collectInvestigationPackage", post(orders::collect))
        .route("/api/machines/{id}/offboard", post(orders::offboard))
        .route("/api/machines/{id}/StopAndQuarantineFile", post(orders::quarantine))
        .route("/api/machines/{id}/runliveresponse", post(live_response::run))
        .route("/api/machines/{id}/startInvestigation", post(live_response::start_investigation))
}

fn action_routes() -> Router<App> {
    Router::new()
        .route("/api/machineactions", get(actions::list))
        .route("/api/machineactions/{id}", get(actions::one))
        .route("/api/machineactions/{id}/cancel", post(actions::cancel))
        .route("/api/machineactions/{id}/getPackageUri", get(actions::package_uri))
        .route("/api/machineactions/{id}/GetLiveResponseResultDownloadLink/{key}", get(actions::result_link))
        .route("/api/libraryfiles", get(library::list))
        .route("/api/downloads/{id}/{name}", get(downloads::download))
}
