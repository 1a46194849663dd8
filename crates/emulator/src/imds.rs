//! The instance metadata service: tokens for the managed identities of the machine.
use crate::cloud::App;
use axum::Router;
pub(crate) fn router() -> Router<App> {
    Router::new()
}
