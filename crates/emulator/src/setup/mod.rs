//! The Graph calls that set an application up.

mod certificate;

use axum::Router;

pub(crate) use certificate::validity;

use crate::cloud::App;

/// Routes under `/v1.0` (and `/beta`) that administer applications.
pub(crate) fn router() -> Router<App> {
    Router::new()
}
