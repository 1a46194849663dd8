//! The incident, alert or device that a person picks for a run: read through the tenant's connection, in its normal shape.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use sortie_defender::{is_machine_id, normal};
use sortie_engine::document::Needs;
use sortie_model::Clock;
use sortie_store::{Store, TenantKey};
use sortie_transport::RetryPolicy;

use crate::{
    calls::{Calls, Order},
    outside::{Outside, Trouble, TroubleKind},
};

/// Which object is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pick {
    /// What it is.
    pub kind: Needs,
    /// Its id; of a device also its name in the network, whole or up to the first dot.
    pub id: String,
    /// Through which connection it is read; the one that serves the tenant's calls where none is named.
    pub connection: Option<String>,
}

/// Reads objects of Microsoft Defender.
#[derive(Clone)]
pub struct Picker {
    calls: Calls,
}

impl Picker {
    /// One that reads by the connections of this installation.
    pub fn new(outside: Arc<dyn Outside>, store: Store, clock: Arc<dyn Clock>) -> Self {
        Self { calls: Calls { outside, store, clock } }
    }

    /// The object in its normal shape. Graph is asked first; where its application lacks the role, the API that has the
    /// same object under the same id. An incident that was merged leads on to the one that took it over.
    ///
    /// # Errors
    /// [`Trouble`] when the object is not there, or cannot be read.
    pub async fn pick(&self, tenant: TenantKey, pick: &Pick) -> Result<Value, Trouble> {
        if pick.kind == Needs::Device && !is_machine_id(&pick.id) {
            return self.device_called(tenant, pick).await;
        }
        let (mut pick, mut via) = (pick.clone(), Vec::new());
        loop {
            let found = self.one(tenant, &pick).await?;
            let next = found["redirectIncidentId"].as_str().filter(|next| *next != pick.id).map(str::to_owned);
            match next.filter(|next| !via.contains(next) && via.len() < REDIRECT_HOPS_MAX) {
                Some(next) => via.push(std::mem::replace(&mut pick.id, next)),
                None => return Ok(found),
            }
        }
    }

    async fn one(&self, tenant: TenantKey, pick: &Pick) -> Result<Value, Trouble> {
        let mut refused = None;
        for operation in ways(pick.kind) {
            let found = match *operation {
                EXPANDED => self.incident_with_alerts(tenant, pick).await,
                operation => self.call(tenant, pick, operation, json!({ "id": pick.id })).await,
            };
            match found {
                Ok(found) => return shaped(pick.kind, &found).ok_or_else(|| shapeless(pick)),
                Err(trouble) if trouble.status == Some(FORBIDDEN) => refused = refused.or(Some(trouble)),
                // Who may not ask everywhere does not know that it is nowhere.
                Err(trouble) if trouble.status == Some(NOT_FOUND) => break,
                Err(trouble) => return Err(trouble),
            }
        }
        Err(refused.unwrap_or_else(|| absent(pick)))
    }

    /// Where the service fails to give the alerts with the incident, they are read apart: all of them, for by their incident
    /// they cannot be asked for.
    async fn incident_with_alerts(&self, tenant: TenantKey, pick: &Pick) -> Result<Value, Trouble> {
        let whole = self.call(tenant, pick, EXPANDED, json!({ "id": pick.id, "$expand": "alerts" })).await;
        let mut incident = match whole {
            Ok(incident) if incident["alerts"].is_array() => return Ok(incident),
            Ok(incident) => incident,
            Err(trouble)
                if trouble.kind == TroubleKind::Service && trouble.status.is_none_or(|status| status >= 500) =>
            {
                self.call(tenant, pick, EXPANDED, json!({ "id": pick.id })).await?
            }
            Err(trouble) => return Err(trouble),
        };
        let all = self.call(tenant, pick, "list-alerts", json!({})).await?;
        let is_of_it = |alert: &&Value| alert["incidentId"].as_str() == Some(pick.id.as_str());
        incident["alerts"] = all.as_array().into_iter().flatten().filter(is_of_it).cloned().collect();
        Ok(incident)
    }

    /// The one device of this name.
    async fn device_called(&self, tenant: TenantKey, pick: &Pick) -> Result<Value, Trouble> {
        let filter = format!("startswith(computerDnsName,'{}')", pick.id.replace('\'', "''"));
        let found = self.call(tenant, pick, "list-devices", json!({ "$filter": filter })).await?;
        let is_called = |device: &&Value| {
            let name = device["computerDnsName"].as_str().unwrap_or_default();
            let host = name.split('.').next().unwrap_or_default();
            [name, host].iter().any(|own| own.eq_ignore_ascii_case(&pick.id))
        };
        let named: Vec<&Value> = found.as_array().into_iter().flatten().filter(is_called).collect();
        match named[..] {
            [] => Err(absent(pick)),
            [one] => shaped(Needs::Device, one).ok_or_else(|| shapeless(pick)),
            _ => {
                let ids: Vec<&str> = named.iter().filter_map(|device| device["id"].as_str()).collect();
                let what = format!("several devices are called {}", pick.id);
                Err(Trouble::refused(TroubleKind::Document, what, format!("Pick one by its id: {}.", ids.join(", "))))
            }
        }
    }

    /// Tries again what may pass, for nobody else does. Of a list all pages are read.
    async fn call(&self, tenant: TenantKey, pick: &Pick, operation: &str, inputs: Value) -> Result<Value, Trouble> {
        let order = Order {
            connector: CONNECTOR.to_owned(),
            pinned: None,
            operation: operation.to_owned(),
            connection: pick.connection.clone(),
            inputs: inputs.as_object().cloned().unwrap_or_default(),
            all_pages: operation.starts_with("list-"),
            key: String::new(),
        };
        let prepared = self.calls.prepare(tenant, order).await?;
        self.calls.read(&prepared, PATIENT).await
    }
}

/// An object that somebody hands in, in its normal shape: as any of Microsoft's APIs gives it, or in that shape already.
pub(crate) fn shaped(kind: Needs, object: &Value) -> Option<Value> {
    match kind {
        Needs::Incident => normal::incident(object),
        Needs::Alert => normal::alert(object),
        Needs::Device => normal::device(object),
    }
}

/// Operations that read the object.
fn ways(kind: Needs) -> &'static [&'static str] {
    match kind {
        Needs::Incident => &[EXPANDED, "get-incident-xdr"],
        Needs::Alert => &["get-alert", "get-alert-mde"],
        Needs::Device => &["get-device"],
    }
}

fn absent(pick: &Pick) -> Trouble {
    let what = format!("there is no {} {}", pick.kind.word(), pick.id);
    let next = "Look at its id, and whether it belongs to this tenant.";
    Trouble { status: Some(NOT_FOUND), ..Trouble::refused(TroubleKind::Document, what, next) }
}

fn shapeless(pick: &Pick) -> Trouble {
    let what = format!("what the service gave for {} {} cannot be read as one", pick.kind.word(), pick.id);
    Trouble::refused(TroubleKind::Service, what, "Try again; if it stays so, the service has changed.")
}

/// Gives the alerts of an incident with it, where it is asked to.
const EXPANDED: &str = "get-incident";
/// Merges of merged incidents that are followed.
const REDIRECT_HOPS_MAX: usize = 10;
/// Somebody waits for it.
const PATIENT: RetryPolicy = RetryPolicy {
    attempts_max: 4,
    wait_total_max: Duration::from_secs(15),
    backoff_first: Duration::from_millis(500),
    backoff_max: Duration::from_secs(5),
    repeat_unasked: true,
};
const CONNECTOR: &str = "microsoft-365-defender";
const FORBIDDEN: u16 = 403;
const NOT_FOUND: u16 = 404;
