//! A started cloud with an application that may read and write, and a plain HTTP client for it.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use reqwest::{Client, Method, StatusCode, header::HeaderMap};
use serde_json::{Value, json};
use sortie_emulator::{ClockMode, Emulator, EmulatorConfig};

/// One cloud with a clock that stands still.
pub(crate) struct Stage {
    pub(crate) emulator: Emulator,
    pub(crate) client: Client,
    /// Tokens with every role of their resource.
    pub(crate) graph: String,
    pub(crate) xdr: String,
    pub(crate) mde: String,
    pub(crate) app_id: String,
}

/// Status, headers and JSON body (null when the body is none).
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) json: Value,
    pub(crate) text: String,
}

impl Stage {
    pub(crate) async fn start() -> Self {
        Self::start_with_seed(1).await
    }

    pub(crate) async fn start_with_seed(seed: u64) -> Self {
        Self::start_with(seed, 1).await
    }

    pub(crate) async fn start_with(seed: u64, scale: u32) -> Self {
        let config = EmulatorConfig {
            seed,
            scale,
            clock: ClockMode::Manual,
            start: Some(START.parse().unwrap()),
            ..EmulatorConfig::default()
        };
        let emulator = Emulator::start(config).await.unwrap();
        let client = Client::builder().no_proxy().timeout(Duration::from_secs(20)).build().unwrap();
        let (graph, xdr, mde, app_id) = Default::default();
        let mut stage = Self { emulator, client, graph, xdr, mde, app_id };
        stage.admin(Method::PUT, "/throttle", json!({ "mode": "off" })).await;
        let roles = [
            "SecurityIncident.ReadWrite.All",
            "SecurityAlert.ReadWrite.All",
            "ThreatHunting.Read.All",
            "SecurityData.Manage.All",
        ];
        let roles = roles.map(|role| ("graph", role));
        let roles = roles.into_iter().chain([("xdr", "Incident.ReadWrite.All"), ("xdr", "AdvancedHunting.Read.All")]);
        let roles: Vec<_> = roles.chain(MDE_ROLES.iter().map(|role| ("mde", *role))).collect();
        let (app_id, secret) = stage.app(&roles).await;
        stage.graph = stage.token(&app_id, &secret, GRAPH).await;
        stage.xdr = stage.token(&app_id, &secret, XDR).await;
        stage.mde = stage.token(&app_id, &secret, MDE).await;
        stage.app_id = app_id;
        stage
    }

    /// Registers an application with granted roles; its id and secret.
    pub(crate) async fn app(&self, roles: &[(&str, &str)]) -> (String, String) {
        let roles: Vec<_> =
            roles.iter().map(|(resource, value)| json!({ "resource": resource, "value": value })).collect();
        let new = json!({ "displayName": "Incident daemon", "roles": roles, "secret": "generated" });
        let made = self.admin(Method::POST, "/directory/applications", new).await;
        let text = |name: &str| made[name].as_str().unwrap().to_owned();
        (text("appId"), text("secretText"))
    }

    pub(crate) async fn token(&self, app_id: &str, secret: &str, scope: &str) -> String {
        let url = self.url(&format!("/{}/oauth2/v2.0/token", self.emulator.home_tenant()));
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.extend_pairs([("grant_type", "client_credentials"), ("client_id", app_id), ("client_secret", secret)]);
        form.append_pair("scope", scope);
        let request = self.client.post(url).header("content-type", "application/x-www-form-urlencoded");
        let answer = read(request.body(form.finish()).send().await.unwrap()).await;
        answer.json["access_token"].as_str().unwrap_or_else(|| panic!("no token: {}", answer.text)).to_owned()
    }

    /// A token of a new application with just these roles.
    pub(crate) async fn token_with(&self, roles: &[(&str, &str)], scope: &str) -> String {
        let (app_id, secret) = self.app(roles).await;
        self.token(&app_id, &secret, scope).await
    }

    pub(crate) fn url(&self, path: &str) -> String {
        if path.starts_with("http") { path.to_owned() } else { format!("http://{}{path}", self.emulator.http()) }
    }

    pub(crate) async fn call(&self, method: Method, path: &str, token: &str, body: Option<Value>) -> Answer {
        let mut request = self.client.request(method, self.url(path)).bearer_auth(token);
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        read(request.send().await.unwrap()).await
    }

    pub(crate) async fn get_graph(&self, path: &str) -> Answer {
        self.call(Method::GET, &format!("/v1.0/security{path}"), &self.graph, None).await
    }

    pub(crate) async fn get_xdr(&self, path: &str) -> Answer {
        self.call(Method::GET, &format!("/api{path}"), &self.xdr, None).await
    }

    pub(crate) async fn get_mde(&self, path: &str) -> Answer {
        self.call(Method::GET, &format!("/api{path}"), &self.mde, None).await
    }

    pub(crate) async fn post_mde(&self, path: &str, body: Value) -> Answer {
        self.call(Method::POST, &format!("/api{path}"), &self.mde, Some(body)).await
    }

    /// The rows of a query that Graph runs.
    pub(crate) async fn hunt(&self, query: &str) -> Vec<Value> {
        let answer = self
            .call(Method::POST, "/v1.0/security/runHuntingQuery", &self.graph, Some(json!({ "Query": query })))
            .await;
        assert_eq!(answer.status, 200, "{query}: {}", answer.text);
        answer.json["results"].as_array().unwrap().clone()
    }

    /// A call of the admin API that must succeed.
    pub(crate) async fn admin(&self, method: Method, path: &str, body: Value) -> Value {
        let url = format!("http://{}{path}", self.emulator.admin());
        let mut request = self.client.request(method, url);
        if !body.is_null() {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let answer = read(request.send().await.unwrap()).await;
        assert!(answer.status.is_success(), "{path}: {} {}", answer.status, answer.text);
        answer.json
    }

    /// The ground truth of the home tenant.
    pub(crate) async fn truth(&self) -> Value {
        self.admin(Method::GET, "/truth", Value::Null).await["tenants"][0].clone()
    }

    /// Visible incidents of the ground truth by id.
    pub(crate) async fn true_incidents(&self) -> BTreeMap<String, Value> {
        let truth = self.truth().await;
        let incidents = truth["incidents"].as_array().unwrap().iter().filter(|incident| incident["visible"] == true);
        incidents.map(|incident| (incident["id"].to_string(), incident.clone())).collect()
    }

    pub(crate) async fn advance(&self, seconds: i64) {
        self.admin(Method::POST, "/clock/advance", json!({ "seconds": seconds })).await;
    }

    pub(crate) async fn fault(&self, order: Value) -> u64 {
        self.admin(Method::POST, "/faults", order).await["id"].as_u64().unwrap()
    }

    pub(crate) async fn hits(&self, fault: u64) -> u64 {
        let faults = self.admin(Method::GET, "/faults", Value::Null).await;
        let all = faults["faults"].as_array().unwrap();
        all.iter().find(|one| one["id"] == fault).unwrap()["hits"].as_u64().unwrap()
    }

    /// Follows the next links from a Graph list to its end.
    pub(crate) async fn all_pages(&self, path: &str) -> Vec<Value> {
        let mut next = Some(format!("/v1.0/security{path}"));
        let mut items = Vec::new();
        while let Some(path) = next {
            let answer = self.call(Method::GET, &path, &self.graph, None).await;
            assert_eq!(answer.status, 200, "{}", answer.text);
            items.extend(answer.items());
            next = answer.json["@odata.nextLink"].as_str().map(str::to_owned);
        }
        items
    }
}

impl Answer {
    #[track_caller]
    pub(crate) fn items(&self) -> Vec<Value> {
        self.json["value"].as_array().unwrap_or_else(|| panic!("no list: {}", self.text)).clone()
    }

    #[track_caller]
    pub(crate) fn expect_error(&self, status: u16, code: &str, message: &str) {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        assert_eq!(self.json["error"]["code"], code, "{}", self.text);
        let found = self.json["error"]["message"].as_str().unwrap();
        assert!(found.contains(message), "{found:?} has no {message:?}");
    }
}

pub(crate) async fn read(response: reqwest::Response) -> Answer {
    let (status, headers) = (response.status(), response.headers().clone());
    let text = response.text().await.unwrap();
    let json = serde_json::from_str(&text).unwrap_or(Value::Null);
    Answer { status, headers, json, text }
}

pub(crate) fn ids(items: &[Value], name: &str) -> BTreeSet<String> {
    items.iter().map(|item| item[name].as_str().map_or_else(|| item[name].to_string(), str::to_owned)).collect()
}

pub(crate) const START: &str = "2026-11-22T08:00:00Z";
pub(crate) const GRAPH: &str = "https://graph.microsoft.com/.default";
pub(crate) const MDE: &str = "https://api.securitycenter.microsoft.com/.default";
/// Every role that a route of Defender for Endpoint asks for.
pub(crate) const MDE_ROLES: &[&str] = &[
    "AdvancedQuery.Read.All",
    "Alert.ReadWrite.All",
    "File.Read.All",
    "Ip.Read.All",
    "Library.Manage",
    "Machine.CollectForensics",
    "Machine.Isolate",
    "Machine.LiveResponse",
    "Machine.Offboard",
    "Machine.ReadWrite.All",
    "Machine.RestrictExecution",
    "Machine.Scan",
    "Machine.StopAndQuarantine",
    "RemediationTasks.Read.All",
    "Score.Read.All",
    "SecurityRecommendation.Read.All",
    "Software.Read.All",
    "Ti.ReadWrite.All",
    "URL.Read.All",
    "User.Read.All",
    "Vulnerability.Read.All",
];
pub(crate) const XDR: &str = "https://api.security.microsoft.com/.default";
