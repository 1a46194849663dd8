//! The Graph calls of the directory: those that set an application up, as the portal's pages do (facts section 9), and
//! those that shut an account out.

mod applications;
mod assignments;
mod call;
mod certificate;
mod credentials;
mod federation;
mod people;
mod query;
mod service_principals;
mod users;

use axum::{
    Router,
    routing::{delete, get, post},
};

pub(crate) use certificate::validity;

use crate::cloud::App;

/// Routes under `/v1.0` and `/beta` that administer applications.
pub(crate) fn router() -> Router<App> {
    ["/v1.0", "/beta"].into_iter().fold(Router::new(), |router, version| router.nest(version, routes()))
}

fn routes() -> Router<App> {
    Router::new()
        .route("/applications", get(applications::list).post(applications::create))
        .route("/applications/$count", get(applications::count))
        .route("/applications/{id}", get(applications::show).patch(applications::change).delete(applications::remove))
        .route("/applications/{id}/addPassword", post(credentials::add_password))
        .route("/applications/{id}/removePassword", post(credentials::remove_password))
        .route("/applications/{id}/addKey", post(credentials::add_key))
        .route("/applications/{id}/removeKey", post(credentials::remove_key))
        .route("/applications/{id}/federatedIdentityCredentials", get(federation::list).post(federation::create))
        .route("/applications/{id}/federatedIdentityCredentials/{credential}", delete(federation::remove))
        .route("/servicePrincipals", get(service_principals::list).post(service_principals::create))
        .route(
            "/servicePrincipals/{id}",
            get(service_principals::show).patch(service_principals::change).delete(service_principals::remove),
        )
        .route("/servicePrincipals/{id}/appRoleAssignedTo", get(assignments::to_resource).post(assignments::create))
        .route("/servicePrincipals/{id}/appRoleAssignedTo/{assignment}", delete(assignments::remove))
        .route("/servicePrincipals/{id}/appRoleAssignments", get(assignments::of_client).post(assignments::create))
        .route("/servicePrincipals/{id}/appRoleAssignments/{assignment}", delete(assignments::remove))
        .route("/users/{id}", get(users::show).patch(users::change))
        .route("/users/{id}/transitiveMemberOf", get(users::memberships))
        .route("/users/{id}/revokeSignInSessions", post(users::revoke_sessions))
        .route("/users/{id}/microsoft.graph.revokeSignInSessions", post(users::revoke_sessions))
        .route("/organization", get(people::organization))
        .route("/me", get(people::me))
        .route("/me/memberOf", get(people::directory_roles))
        .route("/me/transitiveMemberOf", get(people::directory_roles))
        .route("/me/memberOf/microsoft.graph.directoryRole", get(people::directory_roles))
        .route("/me/transitiveMemberOf/microsoft.graph.directoryRole", get(people::directory_roles))
}
