//! The incident, alert or device that a person picks for a run: read through the tenant's connection, in its normal shape.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use sortie_defender::{is_machine_id, normal};
use sortie_engine::document::Needs;
use sortie_model::Clock;
use sortie_store::{Store, TenantKey};

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
    /// same object under the same id.
    ///
    /// # Errors
    /// [`Trouble`] when the object is not there, or cannot be read.
    pub async fn pick(&self, tenant: TenantKey, pick: &Pick) -> Result<Value, Trouble> {
        if pick.kind == Needs::Device && !is_machine_id(&pick.id) {
            return self.device_called(tenant, pick).await;
        }
        let mut refused = None;
        for (operation, more) in ways(pick.kind) {
            let mut inputs = more.as_object().cloned().unwrap_or_default();
            inputs.insert("id".to_owned(), pick.id.as_str().into());
            match self.call(tenant, pick, operation, inputs).await {
                Ok(found) => return shaped(pick.kind, &found).ok_or_else(|| shapeless(pick)),
                Err(trouble) if trouble.status == Some(FORBIDDEN) => refused = refused.or(Some(trouble)),
                // Who may not ask everywhere does not know that it is nowhere.
                Err(trouble) if trouble.status == Some(NOT_FOUND) => break,
                Err(trouble) => return Err(trouble),
            }
        }
        Err(refused.unwrap_or_else(|| absent(pick)))
    }

    /// The one device of this name.
    async fn device_called(&self, tenant: TenantKey, pick: &Pick) -> Result<Value, Trouble> {
        let filter = format!("startswith(computerDnsName,'{}')", pick.id.replace('\'', "''"));
        let inputs = Map::from_iter([("$filter".to_owned(), filter.into())]);
        let found = self.call(tenant, pick, "list-devices", inputs).await?;
        let is_called = |device: &&Value| {
            let name = device["computerDnsName"].as_str().unwrap_or_default();
            let host = name.split('.').next().unwrap_or_default();
            [name, host].iter().any(|own| own.eq_ignore_ascii_case(&pick.id))
        };
        let named: Vec<&Value> = found["value"].as_array().into_iter().flatten().filter(is_called).collect();
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

    async fn call(
        &self,
        tenant: TenantKey,
        pick: &Pick,
        operation: &str,
        inputs: Map<String, Value>,
    ) -> Result<Value, Trouble> {
        let order = Order {
            connector: CONNECTOR.to_owned(),
            pinned: None,
            operation: operation.to_owned(),
            connection: pick.connection.clone(),
            inputs,
            all_pages: false,
            key: String::new(),
        };
        let prepared = self.calls.prepare(tenant, order).await?;
        self.calls.send(&prepared).await
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

/// Operations that read the object, and what they take beside its id.
fn ways(kind: Needs) -> Vec<(&'static str, Value)> {
    match kind {
        Needs::Incident => vec![("get-incident", json!({ "$expand": "alerts" })), ("get-incident-xdr", json!({}))],
        Needs::Alert => vec![("get-alert", json!({})), ("get-alert-mde", json!({}))],
        Needs::Device => vec![("get-device", json!({}))],
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

const CONNECTOR: &str = "microsoft-365-defender";
const FORBIDDEN: u16 = 403;
const NOT_FOUND: u16 = 404;
