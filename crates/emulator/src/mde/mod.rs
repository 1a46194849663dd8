//! The Defender for Endpoint API: `/api/..` apart from incidents and hunting.

mod actions;
mod alert_view;
mod alerts;
mod body;
mod call;
mod downloads;
mod indicator_terms;
mod indicators;
mod investigations;
mod library;
mod live_response;
mod machines;
mod multipart;
mod observables;
mod orders;
mod recommendations;
mod remediation;
mod scores;
mod software;
mod view;
mod vulnerabilities;
mod zip;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    routing::{delete, get, post},
};
pub(crate) use orders::ALREADY;

use crate::cloud::App;

/// All routes of the API.
pub(crate) fn router() -> Router<App> {
    machine_routes()
        .merge(action_routes())
        .merge(alert_routes())
        .merge(observable_routes())
        .merge(indicator_routes())
        .merge(weakness_routes())
        .merge(library_routes())
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
        .route("/api/investigations", get(investigations::list))
        .route("/api/investigations/{id}", get(investigations::one))
        .route("/api/downloads/{id}/{name}", get(downloads::download))
}

fn alert_routes() -> Router<App> {
    Router::new()
        .route("/api/alerts", get(alerts::list))
        .route("/api/alerts/batchUpdate", post(alerts::batch_update))
        .route("/api/alerts/CreateAlertByReference", post(alerts::create))
        .route("/api/alerts/{id}", get(alerts::one).patch(alerts::update))
        .route("/api/alerts/{id}/domains", get(observables::domains_of_alert))
        .route("/api/alerts/{id}/files", get(observables::files_of_alert))
        .route("/api/alerts/{id}/ips", get(observables::ips_of_alert))
        .route("/api/alerts/{id}/machine", get(observables::machine_of_alert))
        .route("/api/alerts/{id}/user", get(observables::user_of_alert))
        .route("/api/machines/{id}/alerts", get(alerts::of_machine))
        .route("/api/machines/{id}/alerts/$count", get(alerts::count_of_machine))
}

fn observable_routes() -> Router<App> {
    Router::new()
        .route("/api/files/{id}", get(observables::file))
        .route("/api/files/{id}/alerts", get(observables::alerts_of_file))
        .route("/api/files/{id}/machines", get(observables::machines_of_file))
        .route("/api/files/{id}/stats", get(observables::stats_of_file))
        .route("/api/ips/{id}/alerts", get(observables::alerts_of_ip))
        .route("/api/ips/{id}/stats", get(observables::stats_of_ip))
        .route("/api/domains/{id}/alerts", get(observables::alerts_of_domain))
        .route("/api/domains/{id}/machines", get(observables::machines_of_domain))
        .route("/api/domains/{id}/stats", get(observables::stats_of_domain))
        .route("/api/users/{id}/alerts", get(observables::alerts_of_user))
        .route("/api/users/{id}/machines", get(observables::machines_of_user))
}

fn indicator_routes() -> Router<App> {
    Router::new()
        .route("/api/indicators", get(indicators::list).post(indicators::submit))
        .route("/api/indicators/import", post(indicators::import))
        .route("/api/indicators/BatchDelete", post(indicators::remove_many))
        .route("/api/indicators/{id}", delete(indicators::remove))
}

fn weakness_routes() -> Router<App> {
    Router::new()
        .route("/api/machines/{id}/Software", get(software::of_machine))
        .route("/api/machines/{id}/vulnerabilities", get(vulnerabilities::of_machine))
        .route("/api/machines/{id}/recommendations", get(recommendations::of_machine))
        .route("/api/machines/{id}/getmissingkbs", get(software::missing_updates))
        .route("/api/vulnerabilities", get(vulnerabilities::list))
        .route("/api/vulnerabilities/machinesVulnerabilities", get(vulnerabilities::by_machine))
        .route("/api/vulnerabilities/{id}", get(vulnerabilities::one))
        .route("/api/vulnerabilities/{id}/machineReferences", get(vulnerabilities::machines))
        .route("/api/Software", get(software::list))
        .route("/api/Software/{id}", get(software::one))
        .route("/api/Software/{id}/distributions", get(software::distributions))
        .route("/api/Software/{id}/machineReferences", get(software::machines))
        .route("/api/Software/{id}/vulnerabilities", get(software::vulnerabilities))
        .route("/api/recommendations", get(recommendations::list))
        .route("/api/recommendations/{id}", get(recommendations::one))
        .route("/api/recommendations/{id}/machineReferences", get(recommendations::machines))
        .route("/api/exposureScore", get(scores::exposure))
        .route("/api/exposureScore/ByMachineGroups", get(scores::exposure_by_group))
        .route("/api/configurationScore", get(scores::configuration))
        .route("/api/remediationTasks", get(remediation::list))
        .route("/api/remediationTasks/{id}", get(remediation::one))
        .route("/api/remediationTasks/{id}/machineReferences", get(remediation::machines))
}

fn library_routes() -> Router<App> {
    Router::new()
        .route("/api/libraryfiles", get(library::list).post(library::upload))
        .route("/api/libraryfiles/{name}", delete(library::remove))
        .layer(DefaultBodyLimit::max(library::FORM_BYTES_MAX))
}
