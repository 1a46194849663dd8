//! For each row a call that succeeds and one that can't: what stands in the places of ids, and the bodies.

use reqwest::Method;
use serde_json::{Value, json};

use crate::stage::Stage;

/// A call: path and body.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    pub path: String,
    pub body: Option<Value>,
    /// Instead of JSON: a form with one file.
    pub form: Option<&'static str>,
}

/// What the rows of one run are filled in with.
#[derive(Debug)]
pub(super) struct Cast {
    machine: String,
    ip: String,
    alert: String,
    graph_alert: String,
    incident: String,
    /// To be merged, once.
    pair: [String; 2],
    sha1: String,
    attacker_ip: String,
    domain: String,
    user: String,
    software: String,
    cve: String,
    advice: String,
    task: String,
    investigation: String,
    /// A finished collection, a finished live response, and a collection that is still open.
    package: String,
    session: String,
    open: String,
    pub indicator: String,
}

impl Ask {
    fn get(path: impl Into<String>) -> Self {
        Self { path: path.into(), body: None, form: None }
    }

    fn send(path: impl Into<String>, body: Value) -> Self {
        Self { path: path.into(), body: Some(body), form: None }
    }
}

impl Cast {
    pub(super) async fn gather(stage: &Stage) -> Self {
        let alerts = stage.get_mde("/alerts?$expand=evidence").await.items();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let mut found = (None, None, None);
        for alert in &alerts {
            let path = format!("/alerts/{}", text(&alert["id"]));
            let first = async |what: &str, name: &str| {
                let items = stage.get_mde(&format!("{path}/{what}")).await.items();
                items.first().map(|item| text(&item[name]))
            };
            if let (Some(sha1), Some(ip), Some(host)) =
                (first("files", "sha1").await, first("ips", "id").await, first("domains", "host").await)
            {
                found = (Some((sha1, alert)), Some(ip), Some(host));
                break;
            }
        }
        let (Some((sha1, alert)), Some(attacker_ip), Some(domain)) = found else { panic!("no alert shows all three") };
        let machines = stage.get_mde("/machines?$filter=osPlatform eq 'Windows11'").await.items();
        let machine = text(&machines[0]["id"]);
        let (package, session) = finished(stage, &text(&machines[1]["id"])).await;
        let collect = format!("/machines/{}/collectInvestigationPackage", text(&machines[2]["id"]));
        let open = stage.post_mde(&collect, json!({ "Comment": "open" })).await.json;
        let hunted = stage.get_graph("/incidents?$top=2&$filter=status eq 'active'").await.items();
        let first = async |path: &str| text(&stage.get_mde(path).await.items()[0]["id"]);
        let exposed = stage.get_mde("/vulnerabilities/machinesVulnerabilities").await.items();
        Self {
            ip: text(&machines[0]["lastIpAddress"]),
            machine,
            alert: text(&alert["id"]),
            graph_alert: text(&stage.get_graph("/alerts_v2?$top=1").await.items()[0]["id"]),
            incident: alert["incidentId"].to_string(),
            pair: [text(&hunted[0]["id"]), text(&hunted[1]["id"])],
            sha1,
            attacker_ip,
            domain,
            user: text(&alert["relatedUser"]["userName"]),
            software: first("/Software").await,
            cve: text(&exposed[0]["cveId"]),
            advice: first("/recommendations").await,
            task: first("/remediationTasks").await,
            investigation: first("/investigations").await,
            package,
            session,
            open: text(&open["id"]),
            indicator: "1".to_owned(),
        }
    }

    /// The row's call with everything filled in.
    pub(super) fn good(&self, method: &Method, row: &str) -> Ask {
        let path = self.path(row);
        let comment = json!({ "Comment": "for a test" });
        let graph_comment = json!({ "@odata.type": "microsoft.graph.security.alertComment", "comment": "seen" });
        let last = row.rsplit('/').next().unwrap_or_default();
        let body = match (method.as_str(), last) {
            ("GET" | "DELETE", _) => None,
            ("PATCH", _) if row.starts_with("/v1.0") => Some(json!({ "assignedTo": "soc@haldenmarine.example" })),
            ("PATCH", _) => Some(json!({ "comment": "seen" })),
            (_, "comments") => Some(graph_comment),
            (_, "mergeIncidents") => Some(json!({ "incidentIds": self.pair })),
            (_, "moveAlerts") => Some(json!({ "alertIds": [self.graph_alert], "alertComment": "for a test" })),
            (_, "batchUpdate") => Some(json!({ "alertIds": [self.alert], "comment": "seen" })),
            (_, "CreateAlertByReference") => Some(json!({
                "machineId": self.machine, "severity": "Low", "title": "Reported", "description": "By a test",
                "recommendedAction": "None", "eventTime": "2026-11-22T07:00:00.1234567Z", "reportId": "7",
                "category": "Exploit",
            })),
            (_, "tags") => Some(json!({ "Value": "Row", "Action": "Add" })),
            (_, "AddOrRemoveTagForMultipleMachines") => {
                Some(json!({ "Value": "Row", "Action": "Add", "MachineIds": [self.machine] }))
            }
            (_, "setDeviceValue") => Some(json!({ "DeviceValue": "Low" })),
            (_, "isolate") => Some(json!({ "Comment": "for a test", "IsolationType": "Full" })),
            (_, "runAntiVirusScan") => Some(json!({ "Comment": "for a test", "ScanType": "Quick" })),
            (_, "StopAndQuarantineFile") => Some(json!({ "Comment": "for a test", "Sha1": self.sha1 })),
            (_, "runliveresponse") => Some(session()),
            (_, "indicators") => Some(indicator("row.example")),
            (_, "import") => Some(json!({ "Indicators": [indicator("imported.example")] })),
            (_, "BatchDelete") => Some(json!({ "IndicatorIds": [self.indicator] })),
            (_, "libraryfiles") => return Ask { path, body: None, form: Some("File") },
            (_, "run" | "runHuntingQuery") => {
                Some(json!({ "Query": "DeviceInfo | project Timestamp, DeviceId | take 2" }))
            }
            _ => Some(comment),
        };
        Ask { path, body, form: None }
    }

    /// A call of the same route that the service has to refuse with 400 or 404; `None` where the page knows no such
    /// call: names of users and the library's list take anything.
    pub(super) fn bad(&self, method: &Method, row: &str) -> Option<Ask> {
        let last = row.rsplit('/').next().unwrap_or_default();
        let unknown = |names: &[&str]| names.iter().fold(row.to_owned(), |path, name| path.replace(name, "00000000"));
        Some(match (method.as_str(), last) {
            ("GET", "libraryfiles") | ("GET", "alerts" | "machines")
                if row.contains("{name}") || last == "libraryfiles" =>
            {
                return None;
            }
            ("GET", "findbytag") => Ask::get(row),
            ("GET", _) if row.contains("findbyip") => {
                Ask::get(format!("/api/machines/findbyip(ip='{}',timestamp=2026-01-01T00:00:00Z)", self.ip))
            }
            ("GET", _) if row.contains("{ip}") => Ask::get(row.replace("{ip}", "300.300.1.1")),
            ("GET", _) if row.contains("{domain}") => Ask::get(row.replace("{domain}", "no-dots")),
            ("GET", _) if !row.contains('{') => Ask::get(format!("{row}?$filter=nope eq 'x'")),
            ("GET" | "DELETE", _) => Ask::get(unknown(IDS)),
            ("PATCH", _) => Ask::send(self.path(row), json!({ "status": "Sideways" })),
            (_, "libraryfiles") => Ask { path: row.to_owned(), body: None, form: Some("Other") },
            _ => Ask::send(self.path(row), json!({ "Unheard": "of" })),
        })
    }

    fn path(&self, row: &str) -> String {
        let id = match row.split('/').nth(2).unwrap_or_default() {
            "machines" => &self.machine,
            "alerts" => &self.alert,
            "incidents" => &self.incident,
            "files" => &self.sha1,
            "Software" => &self.software,
            "recommendations" => &self.advice,
            "remediationTasks" => &self.task,
            "investigations" => &self.investigation,
            "indicators" => &self.indicator,
            "machineactions" if row.ends_with("/cancel") => &self.open,
            "machineactions" if row.contains("GetLiveResponse") => &self.session,
            "machineactions" => &self.package,
            "security" if row.contains("alerts_v2") => &self.graph_alert,
            "security" => &self.incident,
            _ => "",
        };
        let tag = if row.ends_with("findbytag") { "?tag=Row" } else { "" };
        let ip = if row.contains("findbyip") { &self.ip } else { &self.attacker_ip };
        let filled = row
            .replace("{id}", id)
            .replace("{n}", "0")
            .replace("{iso}", "2026-11-22T07:00:00Z")
            .replace("{ip}", ip)
            .replace("{domain}", &self.domain)
            .replace("{name}", &self.user)
            .replace("{cveId}", &self.cve)
            .replace("{fileName}", "row.ps1")
            .replace("{sha1|sha256}", &self.sha1)
            .replace("{sha1}", &self.sha1);
        assert!(!filled.contains('{'), "{row}: something is not filled in: {filled}");
        format!("{filled}{tag}")
    }
}

/// A collection and a live response that have come to their ends.
async fn finished(stage: &Stage, machine: &str) -> (String, String) {
    let comment = json!({ "Comment": "before" });
    let package = stage.post_mde(&format!("/machines/{machine}/collectInvestigationPackage"), comment).await.json;
    let ran = stage.post_mde(&format!("/machines/{machine}/runliveresponse"), session()).await.json;
    stage.advance(60).await;
    (package["id"].as_str().unwrap().to_owned(), ran["id"].as_str().unwrap().to_owned())
}

fn session() -> Value {
    let script = json!({ "type": "RunScript", "params": [{ "key": "ScriptName", "value": "minidump.ps1" }] });
    json!({ "Comment": "for a test", "Commands": [script] })
}

pub(super) fn indicator(domain: &str) -> Value {
    json!({
        "indicatorValue": domain, "indicatorType": "DomainName", "action": "Block", "title": "Row",
        "description": "for a test",
    })
}

const IDS: &[&str] = &["{id}", "{cveId}", "{fileName}", "{sha1|sha256}", "{sha1}"];
