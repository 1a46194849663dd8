//! The identity of an Azure machine, from its metadata service, by that service's own rules.

use std::time::Duration;

use sortie_transport::{HeaderName, Request, Transport};
use url::Url;

use crate::{
    answer::{ANSWER_BYTES_MAX, TokenAnswer, parse_token_answer},
    cloud::below,
    credential::ManagedIdentityId,
    error::{TokenError, TokenErrorCause},
    source::no_answer,
};

/// Asks the metadata service. Never through a proxy; 404, 410, 429 and 5xx are asked again after the pauses that Microsoft
/// recommends, other refusals are not (entra-docs `how-to-use-vm-token.md`).
pub(crate) async fn fetch(
    transport: &Transport,
    imds: &Url,
    id: &ManagedIdentityId,
    resource: &str,
) -> Result<TokenAnswer, TokenError> {
    let mut url = below(imds, "metadata/identity/oauth2/token");
    url.query_pairs_mut().append_pair("api-version", API_VERSION).append_pair("resource", resource);
    if let Some((name, value)) = id.parameter() {
        url.query_pairs_mut().append_pair(name, value);
    }
    let mut pauses = PAUSES.iter();
    loop {
        let request = Request::managed_identity(url.clone())
            .header(HeaderName::from_static("metadata"), "true")
            .body_bytes_max(ANSWER_BYTES_MAX as u64);
        let response = transport.send(request).await.map_err(unreachable)?;
        let status = response.status.as_u16();
        let outcome = parse_token_answer(status, response.header("content-type"), &response.body);
        let again = matches!(status, 404 | 410 | 429 | 500..);
        match (outcome, pauses.next()) {
            (Err(_), Some(pause)) if again => tokio::time::sleep(*pause).await,
            (outcome, _) => return outcome.map_err(|error| sorted(&error, status)),
        }
    }
}

/// Away from Azure nothing answers at that address.
fn unreachable(error: sortie_transport::SendError) -> TokenError {
    let away = error.delivery() == sortie_transport::Delivery::NotSent;
    let error = no_answer(error);
    if !away {
        return error;
    }
    error.with(|details| {
        details.cause = TokenErrorCause::NoManagedIdentity;
        details.send = None; // Its remedy speaks of proxies and firewalls, which do not matter here.
    })
}

fn sorted(error: &TokenError, status: u16) -> TokenError {
    let message = error.message.as_deref().unwrap_or_default();
    let cause = match (status, error.error.as_deref()) {
        (400, Some("invalid_request")) if message.contains("Identity not found") => {
            TokenErrorCause::ManagedIdentityUnknown
        }
        (400, Some("invalid_resource")) => TokenErrorCause::ResourceNotFound,
        (404 | 410, _) => TokenErrorCause::NoManagedIdentity,
        _ => error.cause,
    };
    error.with(|details| details.cause = cause)
}

const API_VERSION: &str = "2018-02-01";
const PAUSES: [Duration; 5] =
    [Duration::ZERO, Duration::from_secs(2), Duration::from_secs(6), Duration::from_secs(14), Duration::from_secs(30)];
