//! The calls: which address, which audience, which roles, which budget.

use std::time::Duration;

use jiff::Timestamp;
use sortie_identity::{Application, Audience, AuthorizedClient, Hosts};
use sortie_model::{AlertId, IncidentId};
use sortie_transport::{HeaderName, QuotaGate, QuotaKey, Request, Response, RetryPolicy};
use url::Url;

use crate::{
    Alert, Api, Document, Incident,
    error::{DefenderError, DefenderErrorKind, kind_of},
    operation::{Operation, quotas},
    pages::is_too_large,
};

/// Reads, hunts and acts in one tenant with one application.
#[derive(Clone, Debug)]
pub struct Defender {
    pub(crate) client: AuthorizedClient,
    hosts: Hosts,
    tenant: String,
    application: String,
    pub(crate) policy: RetryPolicy,
    /// After it, an accepted order is listed.
    pub(crate) settle: Duration,
}

/// An incident and the merged ones that led to it.
#[derive(Clone, Debug)]
pub struct Followed {
    /// The one that carries on.
    pub incident: Incident,
    /// The ids that were redirected, in the order of asking; empty when the first was the one.
    pub via: Vec<IncidentId>,
}

impl Defender {
    /// Calls through `client` with the hosts and names of `application`; the shared gate learns the documented quotas.
    pub fn new(client: AuthorizedClient, application: &Application, gate: &QuotaGate) -> Self {
        for (family, windows) in quotas() {
            gate.set_windows(family, windows);
        }
        Self {
            client,
            hosts: application.hosts.clone(),
            tenant: application.tenant.to_string(),
            application: application.client_id.to_string(),
            policy: RetryPolicy::default(),
            settle: SETTLE,
        }
    }

    /// How long and how often calls are repeated from here on.
    #[must_use]
    pub fn with_policy(mut self, policy: RetryPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// How long after an order was sent its absence from the list of actions is believed; 30 s unless told otherwise.
    #[must_use]
    pub fn with_settle(mut self, settle: Duration) -> Self {
        self.settle = settle;
        self
    }

    /// One incident with its alerts. A merged one leads on to the incident that took it over.
    ///
    /// # Errors
    /// [`DefenderError`]; `NotFound` for an unknown id.
    pub async fn incident(&self, api: Api, id: &IncidentId) -> Result<Followed, DefenderError> {
        let mut via = Vec::new();
        let mut id = id.clone();
        loop {
            let incident = self.one_incident(api, &id).await?;
            let next = incident.redirect_to.clone().filter(|next| *next != id && !via.contains(next));
            match next {
                Some(next) if via.len() < REDIRECT_HOPS_MAX => via.push(std::mem::replace(&mut id, next)),
                _ => return Ok(Followed { incident, via }),
            }
        }
    }

    /// One alert.
    ///
    /// # Errors
    /// [`DefenderError`]; `NotFound` for an unknown id.
    pub async fn alert(&self, id: &AlertId) -> Result<Alert, DefenderError> {
        let doing = format!("read alert {id}");
        let request = self.get(Operation::AlertRead, &["v1.0", "security", "alerts_v2", &id.0], &doing)?;
        self.read_one(Operation::AlertRead, request, &doing, Alert::read).await
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.client.tokens().clock().now()
    }

    async fn one_incident(&self, api: Api, id: &IncidentId) -> Result<Incident, DefenderError> {
        let doing = format!("read incident {id}");
        let mut incident = match api {
            Api::Xdr => {
                let request = self.get(Operation::XdrIncidentRead, &["api", "incidents", &id.0], &doing)?;
                self.incident_of(Operation::XdrIncidentRead, request, &doing).await?
            }
            Api::Graph => {
                let path = ["v1.0", "security", "incidents", &id.0];
                let mut request = self.address(Operation::IncidentRead, &path, &doing)?;
                request.set_query(Some("$expand=alerts"));
                let policy = RetryPolicy { attempts_max: 3, ..self.policy.clone() };
                let expanded = self.call_with(Operation::IncidentRead, Request::get(request), &doing, &policy).await;
                match expanded {
                    Ok(response) => self.read_incident(&response, &doing)?,
                    Err(error) if is_service_failure(&error) => {
                        let request = self.get(Operation::IncidentRead, &path, &doing)?;
                        self.incident_of(Operation::IncidentRead, request, &doing).await?
                    }
                    Err(error) => return Err(error),
                }
            }
        };
        if incident.alerts.is_none() {
            incident.alerts = Some(self.alerts_of(id).await?);
        }
        Ok(incident)
    }

    /// The alerts of one incident without `$expand`: `incidentId` is no documented filter, so all are read and picked.
    async fn alerts_of(&self, id: &IncidentId) -> Result<Vec<Alert>, DefenderError> {
        let mut pages = self.alerts(&crate::AlertFilter::default());
        let mut found = Vec::new();
        while let Some(page) = pages.next().await? {
            let alerts = page.iter().filter_map(Alert::read);
            found.extend(alerts.filter(|alert| alert.incident_id.as_ref() == Some(id)));
        }
        Ok(found)
    }

    async fn incident_of(
        &self,
        operation: Operation,
        request: Request,
        doing: &str,
    ) -> Result<Incident, DefenderError> {
        self.read_one(operation, request, doing, Incident::read).await
    }

    /// Reads one object; an answer with status 200 that is not the API's, or has no end, is asked for again, for a gateway
    /// gave it.
    pub(crate) async fn read_one<T>(
        &self,
        operation: Operation,
        request: Request,
        doing: &str,
        read: fn(&Document) -> Option<T>,
    ) -> Result<T, DefenderError> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            let response = match self.call(operation, request.clone(), doing).await {
                Err(error) if is_too_large(&error) && attempt == 1 => {
                    tokio::time::sleep(MALFORMED_PAUSE).await;
                    continue;
                }
                response => response?,
            };
            if let Some(object) = read(&Document::new(&response.text())) {
                return Ok(object);
            }
            if attempt >= MALFORMED_ATTEMPTS_MAX {
                let page = "a web page instead of JSON, from a proxy or gateway";
                return Err(malformed(doing, if response.is_html() { page } else { "an object without an id" }));
            }
            tokio::time::sleep(MALFORMED_PAUSE * attempt).await;
        }
    }

    pub(crate) fn read_incident(&self, response: &Response, doing: &str) -> Result<Incident, DefenderError> {
        Incident::read(&Document::new(&response.text())).ok_or_else(|| malformed(doing, "an incident without an id"))
    }

    pub(crate) fn get(&self, operation: Operation, path: &[&str], doing: &str) -> Result<Request, DefenderError> {
        Ok(Request::get(self.address(operation, path, doing)?))
    }

    /// The operation's host and `path`.
    pub(crate) fn address(&self, operation: Operation, path: &[&str], doing: &str) -> Result<Url, DefenderError> {
        let (host, absent) = match operation.audience() {
            Audience::Xdr => {
                (&self.hosts.xdr, "this cloud offers no Defender XDR API; Microsoft Graph is the way there")
            }
            Audience::DefenderForEndpoint => (&self.hosts.mde, "this cloud offers no Defender for Endpoint API"),
            _ => return Ok(self.graph(path)),
        };
        let unsupported = || DefenderError::new(doing, DefenderErrorKind::Unsupported(absent.to_owned()));
        Ok(below(host.as_ref().ok_or_else(unsupported)?, path))
    }

    /// `path` on the Graph host, which every cloud has.
    pub(crate) fn graph(&self, path: &[&str]) -> Url {
        below(&self.hosts.graph, path)
    }

    pub(crate) async fn call(
        &self,
        operation: Operation,
        request: Request,
        doing: &str,
    ) -> Result<Response, DefenderError> {
        self.call_with(operation, request, doing, &self.policy).await
    }

    /// One call with its token and its budget; anything but success is an error.
    pub(crate) async fn call_with(
        &self,
        operation: Operation,
        request: Request,
        doing: &str,
        policy: &RetryPolicy,
    ) -> Result<Response, DefenderError> {
        let quota = QuotaKey {
            tenant: self.tenant.clone(),
            application: self.application.clone(),
            family: operation.family().into(),
        };
        let request = match operation.audience() {
            // Without it Graph hides newer words, such as the status `awaitingAction`, behind `unknownFutureValue`.
            Audience::Graph => request.header(PREFER, "include-unknown-enum-members"),
            _ => request,
        };
        let called = self.client.call(&operation.audience(), request.quota(quota), policy).await;
        let response = called.map_err(|error| DefenderError::of_call(doing, error))?;
        if response.is_success() {
            return Ok(response);
        }
        Err(DefenderError::new(doing, kind_of(&response, operation.roles())))
    }
}

/// Each segment is encoded, so that an id cannot climb out of its place.
fn below(host: &Url, path: &[&str]) -> Url {
    let mut url = host.clone();
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().extend(path);
    }
    url
}

pub(crate) fn malformed(doing: &str, what: &str) -> DefenderError {
    DefenderError::new(doing, DefenderErrorKind::Malformed(what.to_owned()))
}

/// A failure of the service's own, which another way of asking may avoid.
pub(crate) fn is_service_failure(error: &DefenderError) -> bool {
    matches!(&*error.kind, DefenderErrorKind::Failed(_))
}

/// RFC 7240; the values are Graph's own.
const PREFER: HeaderName = HeaderName::from_static("prefer");
/// A chain of merges is short; a longer one is a loop.
const REDIRECT_HOPS_MAX: usize = 8;
/// Microsoft lists an action some seconds after accepting it; no page says how many (G).
const SETTLE: Duration = Duration::from_secs(30);
/// A gateway that answers in the service's place mostly lets go soon.
pub(crate) const MALFORMED_ATTEMPTS_MAX: u32 = 4;
pub(crate) const MALFORMED_PAUSE: Duration = Duration::from_millis(400);
