//! Who asks: by a token, or by the way on which the request came.

use std::{net::IpAddr, sync::Arc};

use http::{HeaderMap, StatusCode, header};
use sortie_model::Secret;
use sortie_store::{Actor, ActorKind, StoreError, StoreErrorKind};

use crate::{Problem, app::Shared, failures::Failures};

/// The way on which a request came. It is set by whoever took the connection, never by what the request says.
#[derive(Clone, Debug)]
pub(crate) enum Arrival {
    /// From this process, or by the socket beside the database: the system says who.
    Trusted(Arc<Actor>),
    /// From an address.
    Remote(IpAddr),
}

/// Who asks.
///
/// # Errors
/// A [`Problem`] of status 401 or 429.
pub(crate) async fn caller(shared: &Shared, arrival: &Arrival, headers: &HeaderMap) -> Result<Actor, Problem> {
    match (bearer(headers)?, arrival) {
        (Some(token), arrival) => by_token(shared, arrival, &token).await,
        (None, Arrival::Trusted(actor)) => with_grants(shared, actor).await,
        (None, Arrival::Remote(_)) => Err(unknown("this needs a token")),
    }
}

async fn by_token(shared: &Shared, arrival: &Arrival, token: &Secret) -> Result<Actor, Problem> {
    let now = shared.app.clock.now();
    let address = match arrival {
        Arrival::Remote(address) => Some(*address),
        Arrival::Trusted(_) => None,
    };
    if let Some(address) = address {
        listen_to(&shared.failures, address, now)?;
    }
    match shared.app.store.principal_of_token(token).await? {
        Some(actor) => Ok(actor),
        None => {
            if let Some(address) = address {
                shared.failures.failed(address, now);
                tracing::warn!(%address, "a token was refused");
            }
            Err(unknown("this token is unknown or has ended, or its user is disabled"))
        }
    }
}

/// Refuses whoever has failed too often.
pub(crate) fn listen_to(failures: &Failures, address: IpAddr, now: jiff::Timestamp) -> Result<(), Problem> {
    let Some(left) = failures.shut_out(address, now) else { return Ok(()) };
    let seconds = left.as_secs().max(1).to_string();
    let detail = "too many failed proofs came from this address within a minute";
    let next = format!("Repeat it with the right token in {seconds} seconds.");
    let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "too-many-failures", detail, next);
    Err(problem.with_header(header::RETRY_AFTER, &seconds))
}

/// A user of this machine who owns nothing here has what was granted to the local user of the same name.
async fn with_grants(shared: &Shared, actor: &Actor) -> Result<Actor, Problem> {
    if actor.kind != ActorKind::OsUser || !actor.grants.is_empty() {
        return Ok(actor.clone());
    }
    let grants = match shared.app.store.principal(&actor.name).await {
        Ok(principal) if principal.disabled.is_none() => principal.grants,
        Ok(_) | Err(StoreError { kind: StoreErrorKind::Absent(_), .. }) => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    Ok(Actor { grants, ..actor.clone() })
}

fn bearer(headers: &HeaderMap) -> Result<Option<Secret>, Problem> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let text = value.to_str().ok().filter(|_| values.next().is_none());
    let token = text.and_then(|text| text.split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    match token {
        Some((_, token)) => Ok(Some(Secret::new(token.trim()))),
        None => Err(unknown("the Authorization header is none that this takes")),
    }
}

fn unknown(detail: &str) -> Problem {
    let next = "Send `Authorization: Bearer TOKEN` with a token of `sortie token add`.";
    Problem::new(StatusCode::UNAUTHORIZED, "unauthenticated", detail, next)
        .with_header(header::WWW_AUTHENTICATE, "Bearer")
}
