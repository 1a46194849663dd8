//! The authorization endpoint: the administrator's sign-in by browser, with PKCE (RFC 7636).

use axum::{
    extract::{Path, RawQuery, State},
    response::Response,
};
use http::HeaderMap;
use jiff::{SignedDuration, Timestamp};
use url::Url;

use super::{
    EntraError, client_auth,
    consent::{self, Style},
    error::Ids,
    form::Form,
    page::{self, Interaction, ResponseMode},
    sessions::{self, AuthorizationCode, SignIn},
    token::tenant_error,
};
use crate::{
    cloud::{App, Cloud},
    directory::{Application, DEFAULT_CLIENT, TenantLookup},
};

/// A sign-in that a person is asked for.
#[derive(Clone, Debug)]
pub(crate) struct SignInRequest {
    pub client_id: String,
    pub scope: String,
    tenant: String,
    redirect_uri: String,
    state: Option<String>,
    nonce: Option<String>,
    challenge: Option<String>,
    mode: ResponseMode,
}

pub(crate) async fn begin(
    State(cloud): State<App>,
    Path(tenant): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let query = Form::parse(query.unwrap_or_default().as_bytes());
    if is_old_consent_link(&query) {
        return consent::begin(&cloud, &headers, &tenant, &query, Style::Old);
    }
    let request = match read(&cloud, &tenant, &query) {
        Ok(request) => request,
        Err(error) => return page::error_page(&cloud, &headers, &error),
    };
    if let Err(error) = check(&cloud, &request, &query) {
        return request.refused(&cloud, &headers, &error);
    }
    let home = request.tenant.clone();
    page::begin(&cloud, &headers, &home, Interaction::SignIn(request))
}

/// Where an alias leads: the administrator who signs in belongs to the home tenant.
pub(crate) fn alias_home(cloud: &Cloud, tenant: &str) -> Result<String, EntraError> {
    let directory = cloud.directory();
    match directory.find_tenant(tenant) {
        TenantLookup::Found(id) => Ok(id),
        TenantLookup::Alias(_) => Ok(directory.tenants[0].id.clone()),
        other => Err(tenant_error(tenant, &other).unwrap_or_else(|| EntraError::plain(90_002))),
    }
}

/// The address to send the answer to: the requested one when it is registered, else the first registered one.
pub(crate) fn allowed_redirect(application: &Application, requested: Option<&str>) -> Result<String, EntraError> {
    let registered = application.redirect_uris();
    let Some(requested) = requested else {
        return registered.into_iter().next().ok_or_else(|| EntraError::plain(500_113));
    };
    if registered.iter().any(|known| same_redirect(known, requested)) {
        return Ok(requested.to_owned());
    }
    Err(EntraError::new(
        50_011,
        format!(
            "The redirect URI '{requested}' specified in the request does not match the redirect URIs configured for the \
             application '{}'. Make sure the redirect URI sent in the request matches one added to your application in the \
             Azure portal. Navigate to https://aka.ms/redirectUriMismatchError to learn more about how to troubleshoot this error.",
            application.app_id
        ),
    ))
}

pub(crate) fn code_expiry(now: Timestamp) -> Timestamp {
    now.saturating_add(SignedDuration::from_secs(CODE_LIFETIME_S)).expect("a signed duration is no calendar span")
}

/// Equal, or on loopback by plain http, where the port may be any (RFC 8252 section 7.3).
fn same_redirect(registered: &str, requested: &str) -> bool {
    if registered == requested {
        return true;
    }
    let (Ok(known), Ok(asked)) = (Url::parse(registered), Url::parse(requested)) else { return false };
    let loopback =
        |url: &Url| url.scheme() == "http" && matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    loopback(&known) && loopback(&asked) && known.host_str() == asked.host_str() && known.path() == asked.path()
}

/// The link of the Defender documentation has neither scope nor PKCE.
fn is_old_consent_link(query: &Form) -> bool {
    match query.text("prompt") {
        Some("admin_consent") => true,
        Some("consent") => query.text("scope").is_none() && query.text("code_challenge").is_none(),
        _ => false,
    }
}

/// What must be right before anything may be sent to the redirect address.
fn read(cloud: &Cloud, tenant: &str, query: &Form) -> Result<SignInRequest, EntraError> {
    let tenant = alias_home(cloud, tenant)?;
    let client_id = query.text("client_id").ok_or_else(|| EntraError::missing_parameter("client_id"))?.to_owned();
    let requested = query.text("redirect_uri");
    let redirect_uri = if client_id.eq_ignore_ascii_case(DEFAULT_CLIENT) {
        let requested = requested.unwrap_or("http://localhost");
        let registered = ["http://localhost", "http://127.0.0.1"].iter().any(|known| same_redirect(known, requested));
        if !registered {
            return Err(EntraError::plain(50_011));
        }
        requested.to_owned()
    } else {
        let directory = cloud.directory();
        allowed_redirect(client_auth::find(&directory, &tenant, &client_id)?, requested)?
    };
    let resource = query.text("resource").map(|resource| format!("{}/.default", resource.trim_end_matches('/')));
    Ok(SignInRequest {
        tenant,
        client_id,
        redirect_uri,
        scope: query.text("scope").map(str::to_owned).or(resource).unwrap_or_default(),
        state: query.get("state").map(str::to_owned),
        nonce: query.text("nonce").map(str::to_owned),
        challenge: query.text("code_challenge").map(str::to_owned),
        mode: match query.text("response_mode") {
            Some("fragment") => ResponseMode::Fragment,
            Some("form_post") => ResponseMode::FormPost,
            _ => ResponseMode::Query,
        },
    })
}

/// What is told to the client by a redirect.
fn check(cloud: &Cloud, request: &SignInRequest, query: &Form) -> Result<(), EntraError> {
    if request.client_id.eq_ignore_ascii_case(DEFAULT_CLIENT) {
        client_auth::public_client(cloud, &request.tenant, &request.client_id)?;
    }
    match query.text("response_type") {
        None => return Err(EntraError::missing_parameter("response_type")),
        Some("code") => {}
        Some(other) => {
            let text = format!("The response_type '{other}' is not enabled for the application.");
            return Err(EntraError::new(700_051, text));
        }
    }
    if request.scope.is_empty() {
        return Err(EntraError::missing_parameter("scope"));
    }
    let method = query.text("code_challenge_method").unwrap_or("plain");
    if request.challenge.is_some() && method != "S256" {
        // Entra also takes `plain`; nobody should send it.
        return Err(EntraError::new(501_491, format!("The code_challenge_method '{method}' is not supported here.")));
    }
    Ok(())
}

impl SignInRequest {
    pub(crate) fn finish(&self, cloud: &Cloud, headers: &HeaderMap, accepted: bool) -> Response {
        if !accepted {
            return self.refused(cloud, headers, &EntraError::plain(65_004));
        }
        let mut directory = cloud.directory();
        let user_id = directory.tenant(&self.tenant).administrator().map(|user| user.id.clone()).unwrap_or_default();
        let code = directory.opaque(64);
        let sign_in = SignIn {
            tenant: self.tenant.clone(),
            client_id: self.client_id.clone(),
            scope: self.scope.clone(),
            user_id,
            nonce: self.nonce.clone(),
        };
        let record = AuthorizationCode {
            sign_in,
            redirect_uri: self.redirect_uri.clone(),
            challenge: self.challenge.clone(),
            expires: code_expiry(cloud.clock.now()),
            redeemed: false,
        };
        sessions::keep(&mut directory.sessions.authorization_codes, code.clone(), record);
        let mut parameters = vec![("code", code)];
        parameters.extend(self.state.clone().map(|state| ("state", state)));
        parameters.push(("session_state", directory.guid()));
        page::send_back(&self.redirect_uri, self.mode, &parameters)
    }

    fn refused(&self, cloud: &Cloud, headers: &HeaderMap, error: &EntraError) -> Response {
        let name = if error.code == 65_001 { "consent_required" } else { error.name() };
        let mut parameters =
            vec![("error", name.to_owned()), ("error_description", error.description(&Ids::new(cloud, headers)))];
        parameters.extend(self.state.clone().map(|state| ("state", state)));
        page::send_back(&self.redirect_uri, self.mode, &parameters)
    }
}

const CODE_LIFETIME_S: i64 = 600;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_http_on_loopback_may_use_any_port() {
        for (registered, requested, same) in [
            ("http://localhost", "http://localhost:4711", true),
            ("http://localhost/cb", "http://localhost:1/cb", true),
            ("http://localhost/cb", "http://localhost:1/other", false),
            ("http://localhost", "http://127.0.0.1:4711", false),
            ("https://localhost", "https://localhost:4711", false),
            ("https://app.example/cb", "https://app.example/cb", true),
            ("https://app.example/cb", "https://app.example/cb/", false),
            ("https://app.example", "https://app.example.evil.example", false),
        ] {
            assert_eq!(same_redirect(registered, requested), same, "{registered} {requested}");
        }
    }
}
