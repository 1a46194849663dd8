//! What stands in the places of ids: found by other operations of the connector.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::stage::{Stage, text};

/// Things of the world that calls are about.
pub(crate) struct Cast {
    /// Windows devices; each order takes one that had none before.
    devices: Vec<Value>,
    taken: AtomicUsize,
    markers: AtomicUsize,
    /// A tag that a device has.
    pub(crate) tag: String,
    /// An endpoint alert with files, addresses and domains.
    pub(crate) alert: String,
    pub(crate) incident: String,
    /// To be merged: the second goes into the first.
    pub(crate) pair: [String; 2],
    pub(crate) graph_alert: String,
    pub(crate) sha1: String,
    pub(crate) attacker_ip: String,
    pub(crate) domain: String,
    pub(crate) user_name: String,
    /// Object id.
    pub(crate) user: String,
    pub(crate) software: String,
    pub(crate) cve: String,
    pub(crate) advice: String,
    pub(crate) investigation: String,
    /// A finished collection and a finished live response.
    pub(crate) package: String,
    pub(crate) session: String,
    /// Of the cloud applications: an alert to close, one to mark, an activity, an entity.
    pub(crate) closable: String,
    pub(crate) markable: String,
    pub(crate) activity: String,
    pub(crate) entity: String,
}

impl Cast {
    pub(crate) async fn gather(stage: &Stage) -> Self {
        let devices = stage.list("list-devices", json!({ "$filter": "osPlatform eq 'Windows11'" })).await;
        let (alert, sha1, attacker_ip, domain) = full_alert(stage).await;
        let incidents =
            stage.list("list-incidents", json!({ "$filter": "status eq 'active'", "$expand": "alerts" })).await;
        let mut pair = incidents.iter().filter(|one| one["alerts"].as_array().is_some_and(|alerts| alerts.len() > 1));
        let pair = [pair.next(), pair.next()].map(|one| text(&one.expect("two incidents have alerts")["id"]));
        let first = async |id: &str, name: &str| text(&stage.list(id, json!({})).await[0][name]);
        let people = stage.hunt("IdentityInfo | project AccountObjectId | take 1").await;
        let cloud_alerts =
            stage.list("list-alerts-cloudapps", json!({ "filters": { "alertOpen": { "eq": true } } })).await;
        let (package, session) = finished(stage, &text(&devices[0]["id"]), &text(&devices[1]["id"])).await;
        let tag = "before".to_owned();
        stage.read("tag-device", json!({ "id": devices[0]["id"], "Value": tag, "Action": "Add" })).await;
        Self {
            tag,
            taken: AtomicUsize::new(2),
            markers: AtomicUsize::new(0),
            incident: alert["incidentId"].to_string(),
            alert: text(&alert["id"]),
            graph_alert: first("list-alerts", "id").await,
            sha1,
            attacker_ip,
            domain,
            user_name: text(&alert["relatedUser"]["userName"]),
            user: text(&people[0]["AccountObjectId"]),
            software: first("list-software", "id").await,
            cve: first("list-vulnerabilities-by-device", "cveId").await,
            advice: first("list-recommendations", "id").await,
            investigation: first("list-investigations", "id").await,
            closable: text(&cloud_alerts[0]["_id"]),
            markable: text(&cloud_alerts[1]["_id"]),
            activity: first("list-activities", "_id").await,
            entity: entity_key(&stage.list("list-entities", json!({ "limit": 1 })).await[0]),
            pair,
            package,
            session,
            devices,
        }
    }

    /// A device that no order was given to.
    pub(crate) fn device(&self) -> &Value {
        let at = self.taken.fetch_add(1, Ordering::Relaxed);
        self.devices.get(at).unwrap_or_else(|| panic!("only {} devices", self.devices.len()))
    }

    pub(crate) fn device_id(&self) -> String {
        text(&self.device()["id"])
    }

    /// A device to read of.
    pub(crate) fn known_device(&self) -> &Value {
        &self.devices[0]
    }

    /// A word that stands nowhere yet.
    pub(crate) fn marker(&self) -> String {
        format!("marker-{}", self.markers.fetch_add(1, Ordering::Relaxed))
    }
}

/// An alert whose files, addresses and domains are known, with the first of each.
async fn full_alert(stage: &Stage) -> (Value, String, String, String) {
    for alert in stage.list("list-alerts-mde", json!({ "$expand": "evidence" })).await {
        let first = async |id: &str, name: &str| {
            let found = stage.list(id, json!({ "id": alert["id"] })).await;
            found.first().map(|one| text(&one[name]))
        };
        let (sha1, ip) = (first("list-alert-files", "sha1").await, first("list-alert-ips", "id").await);
        if let (Some(sha1), Some(ip), Some(host)) = (sha1, ip, first("list-alert-domains", "host").await) {
            return (alert, sha1, ip, host);
        }
    }
    panic!("no alert shows all three");
}

async fn finished(stage: &Stage, collecting: &str, talking: &str) -> (String, String) {
    let package = stage.read("collect-device-package", json!({ "id": collecting, "Comment": "before" })).await;
    let commands = commands();
    let ran =
        stage.read("run-live-response", json!({ "id": talking, "Comment": "before", "Commands": commands })).await;
    stage.advance(120).await;
    (text(&package["id"]), text(&ran["id"]))
}

/// One script, which the library of every cloud has.
pub(crate) fn commands() -> Value {
    json!([{ "type": "RunScript", "params": [{ "key": "ScriptName", "value": "minidump.ps1" }] }])
}

/// Entities are asked for by a key in base 64.
fn entity_key(entity: &Value) -> String {
    use base64::Engine as _;
    let key = json!({ "id": entity["id"], "saas": 11_161, "inst": 0 });
    base64::prelude::BASE64_STANDARD.encode(key.to_string())
}
