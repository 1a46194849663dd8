//! Who calls a resource: the bearer token, checked as Microsoft's gateways check it.

/// The application behind a valid access token for the audience that the route asks for.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// Tenant id (`tid`), a GUID.
    pub tenant: String,
    /// Application (client) id (`appid` or `azp`).
    pub app_id: String,
    /// What comments and updates are signed with: the application's display name, or the user's name.
    pub display_name: String,
    /// Application permissions (`roles`); empty when nothing is granted.
    pub roles: Vec<String>,
    /// Delegated permissions (`scp`); empty for an app-only token.
    pub scopes: Vec<String>,
}

/// Why a token was not taken. Each service spells these in its own error body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Denied {
    /// No `Authorization: Bearer` at all.
    Missing,
    /// Not a JWT, or not signed by this cloud.
    Invalid,
    /// `exp` has passed.
    Expired,
    /// Issued for another resource than the route's.
    WrongAudience { presented: String },
    /// The token is fine, but none of the roles that open the route is in it.
    MissingRole { required: Vec<String>, held: Vec<String> },
}
