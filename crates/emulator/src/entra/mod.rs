//! Entra ID: token endpoints v1 and v2, discovery, admin consent, and the administrator's sign-in.

mod app_only;
mod assertion;
mod authorize;
mod client_auth;
mod consent;
mod delegated;
mod devicecode;
mod discovery;
mod error;
mod form;
mod issue;
mod page;
mod sessions;
mod token;

use axum::{
    Router,
    routing::{get, post},
};

pub(crate) use error::{EntraError, known_code};
pub(crate) use issue::{AppToken, ClientProof, role_template};
pub(crate) use sessions::{DeviceState, Sessions};

use crate::cloud::App;

/// Everything under the login hosts.
pub(crate) fn router() -> Router<App> {
    Router::new()
        .route("/{tenant}/oauth2/token", post(token::v1).get(token::get_refused))
        .route("/{tenant}/oauth2/v2.0/token", post(token::v2).get(token::get_refused))
        .route("/{tenant}/oauth2/devicecode", post(devicecode::start).get(devicecode::start))
        .route("/{tenant}/oauth2/v2.0/devicecode", post(devicecode::start))
        .route("/{tenant}/oauth2/authorize", get(authorize::begin))
        .route("/{tenant}/oauth2/v2.0/authorize", get(authorize::begin))
        .route("/{tenant}/oauth2/decision", post(page::decide))
        .route("/{tenant}/oauth2/deviceauth", get(devicecode::page).post(devicecode::enter))
        .route("/devicelogin", get(devicecode::page).post(devicecode::enter))
        .route("/{tenant}/adminconsent", get(consent::v1))
        .route("/{tenant}/v2.0/adminconsent", get(consent::v2))
        .route("/{tenant}/.well-known/openid-configuration", get(discovery::v1))
        .route("/{tenant}/v2.0/.well-known/openid-configuration", get(discovery::v2))
        .route("/{tenant}/discovery/keys", get(discovery::keys_v1))
        .route("/{tenant}/discovery/v2.0/keys", get(discovery::keys_v2))
        .route("/{tenant}/discovery/instance", get(discovery::instance))
}
