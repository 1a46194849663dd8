//! Client assertions: a JWT signed with a registered certificate (`private_key_jwt`), or one of an identity provider
//! outside that the application trusts (workload identity federation).

use jiff::{SignedDuration, Timestamp};

use super::{EntraError, token::TokenRequest};
use crate::{
    cloud::Cloud,
    directory::{Application, KeyCredential},
    jwt::{Jwt, decode_base64url},
    signing::{certificate_key, sha256, thumbprint_sha1},
};

pub(crate) fn check(
    cloud: &Cloud,
    request: &TokenRequest<'_>,
    tenant: &str,
    application: &Application,
    text: &str,
) -> Result<(), EntraError> {
    let token = Jwt::parse(text).ok_or_else(|| EntraError::plain(50_027))?;
    let algorithm = token.header_text("alg").unwrap_or_default();
    if !matches!(algorithm, "RS256" | "PS256") {
        let text = format!("Invalid JWT token. '{algorithm}' is not a supported signature algorithm.");
        return Err(EntraError::new(5_002_738, text));
    }
    let issuer = token.claim_text("iss").unwrap_or_default();
    if issuer.starts_with("https://") {
        return check_federated(cloud, application, &token, issuer);
    }
    check_certificate(cloud, request, tenant, application, &token)
}

fn check_certificate(
    cloud: &Cloud,
    request: &TokenRequest<'_>,
    tenant: &str,
    application: &Application,
    token: &Jwt,
) -> Result<(), EntraError> {
    let now = cloud.clock.now();
    let key = registered_key(application, token)?;
    if key.end <= now || key.start > now {
        return Err(key_error("The key used is expired.", key, application));
    }
    let public = certificate_key(&key.certificate).ok_or_else(|| EntraError::plain(50_012))?;
    if !token.signed_by(&public) {
        let reason = "The provided signature value did not match the expected signature value.";
        return Err(key_error(reason, key, application));
    }
    let is_client =
        |claim: &str| token.claim_text(claim).is_some_and(|id| id.eq_ignore_ascii_case(&application.app_id));
    if !is_client("iss") {
        return Err(EntraError::plain(700_021));
    }
    if !is_client("sub") {
        return Err(EntraError::plain(50_048));
    }
    check_times(token, now)?;
    let domains = cloud.directory().tenant(tenant).domains.clone();
    if token.has_audience(|audience| names_this_service(audience, request, tenant, &domains)) {
        return Ok(());
    }
    let shown = token.claims.get("aud").map(ToString::to_string).unwrap_or_default();
    Err(EntraError::new(
        700_023,
        format!(
            "Client assertion audience claim does not match Realm issuer. Audience: {shown}. Review the documentation at \
             https://learn.microsoft.com/entra/identity-platform/certificate-credentials ."
        ),
    ))
}

/// The endpoint that was posted to, v1 or v2, under any name of this cloud; or an issuer of the tenant.
fn names_this_service(audience: &str, request: &TokenRequest<'_>, tenant: &str, domains: &[String]) -> bool {
    let audience = audience.to_ascii_lowercase();
    let Some((_, rest)) = audience.split_once("://") else { return false };
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let asked = request.origin.base().split_once("://").map_or("", |(_, host)| host);
    let known_host = host == asked || LOGIN_HOSTS.contains(&host);
    let (name, endpoint) = path.split_once('/').unwrap_or((path, ""));
    let known_tenant =
        name == tenant || name == request.tenant.to_ascii_lowercase() || domains.iter().any(|domain| domain == name);
    known_host && known_tenant && matches!(endpoint, "" | "v2.0" | "oauth2/token" | "oauth2/v2.0/token")
}

/// The certificate that the header names: `x5t#S256`, `x5t`, or `kid` as the thumbprint in hex.
fn registered_key<'a>(application: &'a Application, token: &Jwt) -> Result<&'a KeyCredential, EntraError> {
    let sha256_named = token.header_text("x5t#S256").and_then(decode_base64url);
    let sha1_named = token.header_text("x5t").and_then(decode_base64url);
    let kid = token.header_text("kid").map(str::to_ascii_lowercase);
    if sha256_named.is_none() && sha1_named.is_none() && kid.is_none() {
        return Err(EntraError::plain(5_002_723));
    }
    let named = |key: &&KeyCredential| {
        let sha1 = thumbprint_sha1(&key.certificate);
        sha256_named.as_ref().is_some_and(|named| *named == sha256(&key.certificate))
            || sha1_named.as_ref().is_some_and(|named| *named == sha1)
            || kid.as_ref().is_some_and(|kid| *kid == hex(&sha1) || *kid == key.key_id)
    };
    application.keys.iter().find(named).ok_or_else(|| {
        let shown = sha256_named.as_deref().or(sha1_named.as_deref()).map(hex).or(kid.clone()).unwrap_or_default();
        let app_id = &application.app_id;
        EntraError::new(
            700_027,
            format!(
                "The certificate with identifier used to sign the client assertion is not registered on application. [Reason - \
                 The key was not found., Thumbprint of key used by client: '{}', Please visit the Azure Portal, Graph Explorer or \
                 directly use MS Graph to see configured keys for app Id '{app_id}'. Review the documentation at \
                 https://docs.microsoft.com/en-us/graph/deployments to determine the corresponding service endpoint and \
                 https://docs.microsoft.com/en-us/graph/api/application-get?view=graph-rest-1.0&tabs=http to build a query \
                 request URL, such as 'https://graph.microsoft.com/beta/applications/{app_id}'].",
                shown.to_ascii_uppercase()
            ),
        )
    })
}

fn key_error(reason: &str, key: &KeyCredential, application: &Application) -> EntraError {
    let date = |time: Timestamp| time.strftime("%m/%d/%Y %H:%M:%S").to_string();
    EntraError::new(
        700_027,
        format!(
            "Client assertion contains an invalid signature. [Reason - {reason}, Thumbprint of key used by client: '{}', Found key \
             'Start={}, End={}', Please visit the Azure Portal, Graph Explorer or directly use MS Graph to see configured keys for \
             app Id '{}'.].",
            hex(&thumbprint_sha1(&key.certificate)).to_ascii_uppercase(),
            date(key.start),
            date(key.end),
            application.app_id
        ),
    )
}

fn check_federated(cloud: &Cloud, application: &Application, token: &Jwt, issuer: &str) -> Result<(), EntraError> {
    if issuer.starts_with("https://sts.windows.net/") || issuer.starts_with("https://login.microsoftonline.com/") {
        return Err(EntraError::plain(700_222));
    }
    if application.federated.is_empty() {
        let (id, name) = (&application.app_id, application.display_name());
        let text = format!("The client '{id}'({name}) has no configured federated identity credentials.");
        return Err(EntraError::new(70_025, text));
    }
    let subject = token.claim_text("sub").unwrap_or_default();
    let mismatch = |code, what: &str, value: &str| {
        EntraError::new(
            code,
            format!(
                "No matching federated identity record found for presented assertion {what} '{value}'. Check your federated \
                 identity credential Subject, Audience and Issuer against the presented assertion. \
                 https://learn.microsoft.com/entra/workload-id/workload-identity-federation"
            ),
        )
    };
    let mut trusted = application.federated.iter().filter(|record| record.issuer == issuer).peekable();
    if trusted.peek().is_none() {
        return Err(mismatch(700_211, "issuer", issuer));
    }
    let mut of_subject = trusted.filter(|record| record.subject == subject).peekable();
    if of_subject.peek().is_none() {
        return Err(mismatch(700_213, "subject", subject));
    }
    if !of_subject.any(|record| token.has_audience(|audience| record.audiences.iter().any(|known| known == audience))) {
        let shown = token.claims.get("aud").map(|aud| aud.as_str().map_or_else(|| aud.to_string(), str::to_owned));
        return Err(mismatch(700_212, "audience", &shown.unwrap_or_default()));
    }
    check_issuer_key(cloud, token, issuer)?;
    check_times(token, cloud.clock.now())
}

fn check_issuer_key(cloud: &Cloud, token: &Jwt, issuer: &str) -> Result<(), EntraError> {
    let directory = cloud.directory();
    let keys = directory.federated_issuers.get(issuer).map_or(&[][..], Vec::as_slice);
    let kid = token.header_text("kid");
    let mut named = keys.iter().filter(|(id, _)| id.is_none() || kid.is_none() || id.as_deref() == kid).peekable();
    let reason = if named.peek().is_none() {
        "The key was not found."
    } else {
        "The provided signature value did not match the expected signature value."
    };
    if named.any(|(_, key)| token.signed_by(key)) {
        return Ok(());
    }
    let text = format!(
        "Assertion failed signature validation. [Reason - {reason}, Thumbprint of key used by client: '{}'].",
        kid.unwrap_or_default()
    );
    Err(EntraError::new(50_013, text))
}

fn check_times(token: &Jwt, now: Timestamp) -> Result<(), EntraError> {
    let at = |name: &str| token.claim_seconds(name).and_then(|second| Timestamp::from_second(second).ok());
    let (start, end) = (at("nbf").unwrap_or(Timestamp::UNIX_EPOCH), at("exp").unwrap_or(Timestamp::UNIX_EPOCH));
    let leeway = SignedDuration::from_secs(LEEWAY_S);
    let (earliest, latest) = (start.saturating_sub(leeway), end.saturating_add(leeway));
    if earliest.is_ok_and(|earliest| now >= earliest) && latest.is_ok_and(|latest| now < latest) {
        return Ok(());
    }
    Err(EntraError::new(
        700_024,
        format!(
            "Client assertion is not within its valid time range. Current time: {now:.7}, assertion valid from {start:.7}, expiry \
             time of assertion {end:.7}. Review the documentation at \
             https://learn.microsoft.com/entra/identity-platform/certificate-credentials ."
        ),
    ))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// How far apart the clocks may be (M).
const LEEWAY_S: i64 = 300;
const LOGIN_HOSTS: &[&str] =
    &["login.microsoftonline.com", "login.windows.net", "login.microsoft.com", "sts.windows.net"];
