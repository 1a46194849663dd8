//! Who the client is: secret in the body or by HTTP Basic, or an assertion.

use base64::{Engine, engine::general_purpose::STANDARD};
use http::header::AUTHORIZATION;
use jiff::Timestamp;
use percent_encoding::percent_decode_str;

use super::{EntraError, assertion, issue::ClientProof, token::TokenRequest};
use crate::{
    cloud::Cloud,
    directory::{Application, DEFAULT_CLIENT, Directory},
};

/// An application that proved itself in a tenant.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub app_id: String,
    /// Its service principal in the tenant.
    pub object_id: String,
    pub name: String,
    pub proof: ClientProof,
}

/// The client id of the body or of HTTP Basic.
pub(crate) fn client_id(request: &TokenRequest<'_>) -> Result<String, EntraError> {
    let from_form = request.form.text("client_id").map(str::to_owned);
    from_form.or_else(|| basic(request).map(|(id, _)| id)).ok_or_else(|| EntraError::missing_parameter("client_id"))
}

/// Checks the credential of a confidential client.
pub(crate) fn authenticate(
    cloud: &Cloud,
    request: &TokenRequest<'_>,
    tenant: &str,
    client_id: &str,
) -> Result<Client, EntraError> {
    let now = cloud.clock.now();
    let application = {
        let directory = cloud.directory();
        find(&directory, tenant, client_id)?.clone()
    };
    let secret =
        request.form.text("client_secret").map(str::to_owned).or_else(|| basic(request).map(|(_, secret)| secret));
    let proof = if let Some(text) = request.form.text("client_assertion") {
        let kind = request.form.text("client_assertion_type").unwrap_or_default();
        if kind != ASSERTION_TYPE {
            return Err(EntraError::missing_parameter("client_assertion_type"));
        }
        assertion::check(cloud, request, tenant, &application, text)?;
        ClientProof::Certificate
    } else if let Some(secret) = secret {
        check_secret(&application, &secret, now)?;
        ClientProof::Secret
    } else {
        return Err(EntraError::plain(match request.form.text("grant_type") {
            Some("client_credentials") => 7_000_216,
            _ => 7_000_218,
        }));
    };
    present(cloud, tenant, &application, proof)
}

/// A client of a user's sign-in: confidential ones prove themselves, public ones must not.
pub(crate) fn identify(
    cloud: &Cloud,
    request: &TokenRequest<'_>,
    tenant: &str,
    client_id: &str,
) -> Result<Client, EntraError> {
    let has_credential = request.form.text("client_secret").is_some()
        || request.form.text("client_assertion").is_some()
        || basic(request).is_some_and(|(_, secret)| !secret.is_empty());
    if client_id.eq_ignore_ascii_case(DEFAULT_CLIENT) {
        return if has_credential { Err(EntraError::plain(700_025)) } else { public_client(cloud, tenant, client_id) };
    }
    if has_credential {
        return authenticate(cloud, request, tenant, client_id);
    }
    public_client(cloud, tenant, client_id)
}

/// The client of a flow without a credential: Microsoft's own, or an application that allows public flows.
pub(crate) fn public_client(cloud: &Cloud, tenant: &str, client_id: &str) -> Result<Client, EntraError> {
    if client_id.eq_ignore_ascii_case(DEFAULT_CLIENT) {
        return default_client(cloud, tenant);
    }
    let application = find(&cloud.directory(), tenant, client_id)?.clone();
    let declared = application.properties.get("publicClient").and_then(|client| client.get("redirectUris"));
    let has_native_redirect = declared.and_then(|uris| uris.as_array()).is_some_and(|uris| !uris.is_empty());
    if !application.allows_public_flows() && !has_native_redirect {
        return Err(EntraError::plain(7_000_218));
    }
    present(cloud, tenant, &application, ClientProof::Public)
}

fn default_client(cloud: &Cloud, tenant: &str) -> Result<Client, EntraError> {
    let directory = cloud.directory();
    if directory.switches.block_default_client {
        return Err(EntraError::new(
            65_001,
            format!(
                "The user or administrator has not consented to use the application with ID '{DEFAULT_CLIENT}' named \
                 'Microsoft Graph Command Line Tools'. Send an interactive authorization request for this user and resource."
            ),
        ));
    }
    let principal = directory
        .tenant(tenant)
        .principal_of(DEFAULT_CLIENT)
        .ok_or_else(|| not_found(&directory, tenant, DEFAULT_CLIENT))?;
    Ok(Client {
        app_id: principal.app_id.clone(),
        object_id: principal.id.clone(),
        name: principal.display_name.clone(),
        proof: ClientProof::Public,
    })
}

/// The registration, when the tenant can know it: its own, or one that other tenants may use.
pub(crate) fn find<'a>(directory: &'a Directory, tenant: &str, client_id: &str) -> Result<&'a Application, EntraError> {
    let known = directory.application(client_id).filter(|application| {
        let installed = directory.tenant(tenant).principal_of(client_id).is_some();
        application.tenant == tenant || (application.is_multi_tenant() && installed)
    });
    known.ok_or_else(|| not_found(directory, tenant, client_id))
}

fn not_found(directory: &Directory, tenant: &str, client_id: &str) -> EntraError {
    let tenant = &directory.tenant(tenant).display_name;
    EntraError::new(
        700_016,
        format!(
            "Application with identifier '{client_id}' was not found in the directory '{tenant}'. This can happen if the \
             application has not been installed by the administrator of the tenant or consented to by any user in the tenant. \
             You may have sent your authentication request to the wrong tenant."
        ),
    )
}

/// The application's presence in the tenant: it must be there and switched on.
fn present(cloud: &Cloud, tenant: &str, application: &Application, proof: ClientProof) -> Result<Client, EntraError> {
    let directory = cloud.directory();
    let app_id = &application.app_id;
    let Some(principal) = directory.tenant(tenant).principal_of(app_id) else {
        return Err(EntraError::new(
            7_000_229,
            format!(
                "The client application {app_id} is missing service principal in the tenant {tenant}. See instructions here: \
                 https://go.microsoft.com/fwlink/?linkid=2225119"
            ),
        ));
    };
    if !principal.enabled {
        let text = format!("Application '{app_id}'({}) is disabled.", principal.display_name);
        return Err(EntraError::new(7_000_112, text));
    }
    Ok(Client { app_id: app_id.clone(), object_id: principal.id.clone(), name: principal.display_name.clone(), proof })
}

fn check_secret(application: &Application, secret: &str, now: Timestamp) -> Result<(), EntraError> {
    let app_id = &application.app_id;
    let Some(password) = application.passwords.iter().find(|password| password.secret.0 == secret) else {
        return Err(EntraError::new(
            7_000_215,
            format!(
                "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not \
                 the client secret ID, for a secret added to app '{app_id}'."
            ),
        ));
    };
    if password.end <= now || password.start > now {
        return Err(EntraError::new(
            7_000_222,
            format!(
                "The provided client secret keys for app '{app_id}' are expired. Visit the Azure portal to create new keys for \
                 your app: https://aka.ms/NewClientSecret, or consider using certificate credentials for added security: \
                 https://aka.ms/certCreds."
            ),
        ));
    }
    Ok(())
}

/// HTTP Basic; both parts are URL-encoded first (RFC 6749 section 2.3.1).
fn basic(request: &TokenRequest<'_>) -> Option<(String, String)> {
    let header = request.headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, text) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(text.trim()).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    let decode = |part: &str| percent_decode_str(part).decode_utf8_lossy().into_owned();
    Some((decode(id), decode(secret)))
}

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
