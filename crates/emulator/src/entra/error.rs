//! The errors of the login service: code, status, OAuth error name, and the text as Entra writes it.
//!
//! Texts are those that users pasted into public issues; where none was found, the name from Microsoft's code table
//! stands. Status and name rest on facts section 2.10, which marks some of them as not certain.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, StatusCode, header::CACHE_CONTROL};
use serde_json::{Value, json};

use crate::cloud::Cloud;

/// One refusal of the login service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EntraError {
    pub code: u32,
    pub text: String,
}

struct Row {
    code: u32,
    status: u16,
    error: &'static str,
    /// Said when a caller has nothing more exact to say, as with errors that the admin API orders.
    text: &'static str,
}

impl EntraError {
    pub(crate) fn new(code: u32, text: impl Into<String>) -> Self {
        Self { code, text: text.into() }
    }

    /// With the general text of the table.
    pub(crate) fn plain(code: u32) -> Self {
        Self::new(code, row(code).text)
    }

    pub(crate) fn missing_parameter(name: &str) -> Self {
        Self::new(900_144, format!("The request body must contain the following parameter: '{name}'."))
    }

    /// The `error` of OAuth 2.0.
    pub(crate) fn name(&self) -> &'static str {
        row(self.code).error
    }

    pub(crate) fn status(&self) -> StatusCode {
        StatusCode::from_u16(row(self.code).status).unwrap_or(StatusCode::BAD_REQUEST)
    }

    /// The text with code and ids, as it stands in `error_description` of redirects and bodies.
    pub(crate) fn description(&self, ids: &Ids) -> String {
        let Ids { trace, correlation, timestamp } = ids;
        let text = &self.text;
        format!("AADSTS{}: {text} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {timestamp}", self.code)
    }

    /// The answer of a token endpoint.
    pub(crate) fn answer(&self, cloud: &Cloud, headers: &HeaderMap) -> Response {
        let ids = Ids::new(cloud, headers);
        let mut body = json!({
            "error": self.name(),
            "error_description": self.description(&ids),
            "error_codes": [self.code],
            "timestamp": ids.timestamp,
            "trace_id": ids.trace,
            "correlation_id": ids.correlation,
        });
        if has_help_page(self.code) {
            body["error_uri"] = format!("https://login.microsoftonline.com/error?code={}", self.code).into();
        }
        if self.code == 53_003 {
            body["suberror"] = Value::from("message_only");
        }
        ids.stamp((self.status(), [(CACHE_CONTROL, "no-store, no-cache")], Json(body)).into_response(), headers)
    }
}

/// The ids of one exchange with the login service.
#[derive(Clone, Debug)]
pub(crate) struct Ids {
    trace: String,
    correlation: String,
    timestamp: String,
}

impl Ids {
    /// The correlation id is the client's own when it sent one.
    pub(crate) fn new(cloud: &Cloud, headers: &HeaderMap) -> Self {
        let mut directory = cloud.directory();
        let sent = headers.get(CLIENT_REQUEST_ID).and_then(|value| value.to_str().ok());
        let sent = sent.filter(|text| uuid::Uuid::try_parse(text).is_ok()).map(str::to_owned);
        let correlation = sent.unwrap_or_else(|| directory.guid());
        // Trace ids end in the number of the data centre's unit, two zeros among it.
        let trace = format!("{}00", &directory.guid()[..TRACE_PREFIX_LENGTH]);
        Self { trace, correlation, timestamp: cloud.clock.now().strftime("%Y-%m-%d %H:%M:%SZ").to_string() }
    }

    /// Adds the headers that every answer of the login service has (M).
    pub(crate) fn stamp(&self, mut response: Response, request: &HeaderMap) -> Response {
        let headers = response.headers_mut();
        for (name, value) in
            [("x-ms-request-id", self.trace.as_str()), ("x-ms-ests-server", "2.1.0 - EMULATOR ProdSlices")]
        {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        }
        if let Some(sent) = request.get(CLIENT_REQUEST_ID) {
            headers.insert(CLIENT_REQUEST_ID, sent.clone());
        }
        response
    }
}

/// Whether the table has the code: the admin API orders no other.
pub(crate) fn known_code(code: u32) -> bool {
    ROWS.iter().any(|row| row.code == code)
}

fn row(code: u32) -> &'static Row {
    ROWS.iter().find(|row| row.code == code).unwrap_or(&ROWS[0])
}

/// Only codes of the published table have a page; the pages of the device flow and of redirects are not linked (M).
fn has_help_page(code: u32) -> bool {
    !matches!(code, 70_015 | 70_016 | 70_017 | 70_020 | 70_018 | 70_019 | 65_004 | 90_038 | 700_009)
}

const fn of(code: u32, status: u16, error: &'static str, text: &'static str) -> Row {
    Row { code, status, error, text }
}

const CLIENT_REQUEST_ID: &str = "client-request-id";
const TRACE_PREFIX_LENGTH: usize = 34;

/// The first row is what an unknown code becomes.
const ROWS: &[Row] = &[
    of(9_002_313, 400, "invalid_request", "Invalid request. Request is malformed or invalid."),
    of(
        7_000_215,
        401,
        "invalid_client",
        "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID.",
    ),
    of(7_000_222, 401, "invalid_client", "The provided client secret keys are expired."),
    of(
        7_000_216,
        401,
        "invalid_client",
        "'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' grant type.",
    ),
    // The device flow's numbers 70017 and 70015 are guesses (G): the document names the errors only.
    // MSAL calls this one `invalid_client`, the code table `invalid_request`; live answers show the former.
    of(
        7_000_218,
        401,
        "invalid_client",
        "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
    ),
    of(7_000_229, 401, "invalid_client", "The client application is missing service principal in the tenant."),
    of(7_000_112, 401, "unauthorized_client", "Application is disabled."),
    of(
        700_027,
        401,
        "invalid_client",
        "The certificate with identifier used to sign the client assertion is not registered on application.",
    ),
    of(700_024, 401, "invalid_client", "Client assertion is not within its valid time range."),
    of(700_021, 401, "invalid_client", "Client assertion application identifier doesn't match 'client_id' parameter."),
    of(
        700_025,
        401,
        "invalid_client",
        "Client is public so neither 'client_assertion' nor 'client_secret' should be presented.",
    ),
    of(700_030, 401, "invalid_client", "Invalid certificate - subject name in certificate isn't authorized."),
    of(700_211, 401, "invalid_client", "No matching federated identity record found for presented assertion issuer."),
    of(700_212, 401, "invalid_client", "No matching federated identity record found for presented assertion audience."),
    of(700_213, 401, "invalid_client", "No matching federated identity record found for presented assertion subject."),
    of(700_222, 401, "invalid_client", "AAD-issued tokens may not be used for federated identity flows."),
    of(70_021, 401, "invalid_client", "No matching federated identity record found for presented assertion."),
    of(70_025, 401, "invalid_client", "The client has no configured federated identity credentials."),
    of(
        5_002_723,
        401,
        "invalid_client",
        "Invalid JWT token. No certificate SHA-1 thumbprint, certificate SHA-256 thumbprint, nor keyId specified in token header.",
    ),
    of(
        5_002_738,
        401,
        "invalid_client",
        "Invalid JWT token. The token uses a signature algorithm that is not supported.",
    ),
    of(50_012, 401, "invalid_client", "Authentication failed."),
    of(50_013, 401, "invalid_client", "Assertion failed signature validation."),
    of(
        500_133,
        400,
        "invalid_grant",
        "Assertion is not within its valid time range. Ensure that the access token is not expired before using it for user assertion, or request a new token.",
    ),
    of(50_027, 401, "invalid_client", "JWT token is invalid or malformed."),
    of(50_048, 401, "invalid_client", "Subject mismatches Issuer claim in the client assertion."),
    of(700_016, 400, "unauthorized_client", "Application was not found in the directory."),
    of(700_011, 400, "unauthorized_client", "Application with the identifier was not found in the directory."),
    of(70_001, 400, "unauthorized_client", "The application is disabled."),
    of(90_002, 400, "invalid_request", "Tenant not found."),
    of(
        900_023,
        400,
        "invalid_request",
        "Specified tenant identifier is neither a valid DNS name, nor a valid external domain.",
    ),
    of(90_038, 400, "invalid_request", "The tenant belongs to a National Cloud; the request is being redirected."),
    of(900_144, 400, "invalid_request", "The request body must contain a parameter that is missing."),
    of(
        9_001_023,
        400,
        "invalid_request",
        "The grant type is not supported over the /common or /consumers endpoints. Please use the /organizations or tenant-specific endpoint.",
    ),
    of(9_000_411, 400, "invalid_request", "The request is not properly formatted. A parameter is duplicated."),
    of(90_013, 400, "invalid_request", "Invalid input received from the user."),
    of(
        90_014,
        400,
        "invalid_request",
        "The required field is missing from the credential. Ensure that you have all the necessary parameters for the login request.",
    ),
    of(90_023, 400, "invalid_request", "Invalid STS request."),
    of(900_561, 400, "invalid_request", "The endpoint only accepts POST, OPTIONS requests. Received a GET request."),
    of(
        1_002_012,
        400,
        "invalid_scope",
        "The provided value for scope is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier (application ID URI).",
    ),
    of(70_011, 400, "invalid_scope", "The provided value for the input parameter 'scope' is not valid."),
    of(
        28_002,
        400,
        "invalid_scope",
        "Provided value for the input parameter scope is not valid when requesting an access token. Please specify a valid scope.",
    ),
    of(
        28_003,
        400,
        "invalid_scope",
        "Provided value for the input parameter scope cannot be empty when requesting an access token using the provided authorization code. Please specify a valid scope.",
    ),
    of(
        700_022,
        400,
        "invalid_scope",
        "The provided value for the input parameter scope is not valid because it contains more than one resource.",
    ),
    of(700_023, 401, "invalid_client", "Client assertion audience claim does not match Realm issuer."),
    of(901_002, 400, "invalid_request", "The 'resource' request parameter is not supported."),
    of(500_011, 400, "invalid_resource", "The resource principal was not found in the tenant."),
    of(500_014, 400, "invalid_resource", "The service principal for the resource is disabled."),
    of(50_001, 400, "invalid_resource", "The resource is disabled or does not exist."),
    of(501_051, 400, "invalid_grant", "The application is not assigned to a role for the resource application."),
    of(
        650_057,
        400,
        "invalid_resource",
        "Invalid resource. The client has requested access to a resource which is not listed in the requested permissions in the client's application registration.",
    ),
    of(650_053, 400, "invalid_client", "The application asked for scope that doesn't exist on the resource."),
    of(
        650_052,
        400,
        "invalid_client",
        "The app needs access to a service that your organization has not subscribed to or enabled. Contact your IT Admin to review the configuration of your service subscriptions.",
    ),
    of(
        650_054,
        400,
        "invalid_client",
        "The application asked for permissions to access a resource that has been removed or is no longer available.",
    ),
    of(650_056, 400, "unauthorized_client", "Misconfigured application."),
    of(
        65_001,
        400,
        "invalid_grant",
        "The user or administrator has not consented to use the application. Send an interactive authorization request for this user and resource.",
    ),
    of(65_004, 400, "access_denied", "User declined to consent to access the app."),
    of(90_094, 400, "access_denied", "The grant requires admin permission."),
    of(50_034, 400, "invalid_grant", "The user account does not exist in the directory."),
    of(
        50_105,
        400,
        "invalid_grant",
        "The signed in user is blocked because they are not a direct member of a group with access, nor had access directly assigned by an administrator.",
    ),
    of(
        50_011,
        400,
        "invalid_request",
        "The redirect URI specified in the request does not match the redirect URIs configured for the application.",
    ),
    of(500_113, 400, "invalid_request", "No reply address is registered for the application."),
    of(
        50_194,
        400,
        "invalid_request",
        "Application is not configured as a multi-tenant application. Usage of the /common endpoint is not supported for such applications. Use a tenant-specific endpoint or configure the application to be multi-tenant.",
    ),
    of(
        53_003,
        400,
        "access_denied",
        "Access has been blocked by Conditional Access policies. The access policy does not allow token issuance.",
    ),
    of(
        530_032,
        400,
        "access_denied",
        "Access has been blocked due to security policy configured by your tenant administrator.",
    ),
    of(530_035, 400, "access_denied", "Access has been blocked by security defaults."),
    of(500_021, 400, "invalid_request", "Access to the tenant is denied."),
    of(500_022, 400, "invalid_request", "Access to the tenant is denied."),
    of(70_003, 400, "unsupported_grant_type", "The app requested an unsupported grant type."),
    of(
        700_005,
        400,
        "invalid_grant",
        "Provided Authorization Code is intended to use against other tenant, thus rejected.",
    ),
    of(70_000, 400, "invalid_grant", "Provided grant is invalid or malformed."),
    of(70_002, 400, "invalid_grant", "Error validating credentials."),
    of(
        70_008,
        400,
        "invalid_grant",
        "The provided authorization code or refresh token has expired due to inactivity. Send a new interactive authorization request for this user and resource.",
    ),
    of(
        54_005,
        400,
        "invalid_grant",
        "OAuth2 Authorization code was already redeemed, please retry with a new valid code or use an existing refresh token.",
    ),
    of(
        501_481,
        400,
        "invalid_grant",
        "The Code_Verifier does not match the code_challenge supplied in the authorization request.",
    ),
    of(
        70_016,
        400,
        "authorization_pending",
        "OAuth 2.0 device flow error. Authorization is pending. Continue polling.",
    ),
    of(70_017, 400, "slow_down", "OAuth 2.0 device flow error. The client polls too often."),
    of(
        70_015,
        400,
        "authorization_declined",
        "OAuth 2.0 device flow error. The end user denied the authorization request.",
    ),
    of(
        70_020,
        400,
        "expired_token",
        "The provided value for the input parameter 'device_code' is not valid. This device code has expired.",
    ),
    of(
        70_018,
        400,
        "bad_verification_code",
        "Invalid verification code due to User typing in wrong user code for device code flow.",
    ),
    of(70_019, 400, "expired_token", "Verification code expired. Have the user retry the sign-in."),
    of(
        50_196,
        400,
        "invalid_grant",
        "The server terminated an operation because it encountered a client request loop. Please contact your app vendor.",
    ),
    of(90_024, 400, "temporarily_unavailable", "A transient error has occurred. Please try again."),
    of(90_033, 503, "temporarily_unavailable", "A transient error has occurred. Please try again."),
    of(90_090, 400, "temporarily_unavailable", "Failed to process the request."),
    of(50_033, 503, "temporarily_unavailable", "A transient error occurred. Please try again."),
    of(90_006, 503, "temporarily_unavailable", "The service is temporarily unavailable. Please retry later."),
    of(90_012, 503, "temporarily_unavailable", "The request has timed out. Please retry later."),
    of(
        90_055,
        429,
        "temporarily_unavailable",
        "The request was throttled because the tenant has sent too many requests.",
    ),
    of(700_051, 400, "unsupported_response_type", "The response_type is not enabled for the application."),
    of(501_491, 400, "invalid_request", "The code_challenge_method is not supported."),
    of(
        9_002_325,
        400,
        "invalid_request",
        "Proof Key for Code Exchange is required for cross-origin authorization code redemption.",
    ),
];
