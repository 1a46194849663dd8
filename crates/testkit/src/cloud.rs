//! A running simulated cloud and its admin API.

use std::{collections::BTreeSet, time::Duration};

use serde_json::{Value, json};
use sortie_emulator::{Emulator, EmulatorConfig};

use crate::Leaks;

/// A cloud of its own for one test.
#[derive(Debug)]
pub struct TestCloud {
    emulator: Emulator,
    http: reqwest::Client,
    leaks: Leaks,
}

/// An application that the admin API registered.
#[derive(Clone, Debug)]
pub struct Registered {
    /// The tenant's GUID.
    pub tenant: String,
    /// Application (client) id.
    pub client_id: String,
    /// The client secret's value; watched for leaks.
    pub secret: String,
    /// The secret's id, which people paste by mistake.
    pub secret_id: String,
}

impl TestCloud {
    /// Seed 1, free ports, plain http.
    pub async fn start() -> Self {
        Self::start_with(EmulatorConfig::default()).await
    }

    /// A cloud with these settings.
    pub async fn start_with(config: EmulatorConfig) -> Self {
        let emulator = Emulator::start(config).await.expect("the emulator starts");
        let http = reqwest::Client::builder().no_proxy().build().expect("a plain client can be built");
        Self { emulator, http, leaks: Leaks::default() }
    }

    /// Address of the services, such as `http://127.0.0.1:41234`.
    pub fn url(&self) -> String {
        format!("http://{}", self.emulator.http())
    }

    /// The running emulator itself.
    pub fn emulator(&self) -> &Emulator {
        &self.emulator
    }

    /// Everything that must not leak in this test.
    pub fn leaks(&self) -> &Leaks {
        &self.leaks
    }

    /// The home tenant's GUID.
    pub fn tenant(&self) -> String {
        self.emulator.home_tenant().to_string()
    }

    /// Registers an application with consented roles, such as `("graph", "SecurityIncident.Read.All")`.
    pub async fn application(&self, roles: &[(&str, &str)]) -> Registered {
        self.register(roles, false).await
    }

    /// The same with the roles requested and no consent given.
    pub async fn application_without_consent(&self, roles: &[(&str, &str)]) -> Registered {
        self.register(roles, true).await
    }

    async fn register(&self, roles: &[(&str, &str)], requested_only: bool) -> Registered {
        let roles: Vec<Value> =
            roles.iter().map(|(resource, value)| json!({ "resource": resource, "value": value })).collect();
        let body = json!({ "displayName": "sortie-test", "roles": roles, "requested_only": requested_only, "secret": "generated" });
        let answer = self.post("/directory/applications", &body).await;
        let text = |name: &str| answer[name].as_str().unwrap_or_else(|| panic!("no `{name}` in {answer}")).to_owned();
        let registered = Registered {
            tenant: self.tenant(),
            client_id: text("appId"),
            secret: text("secretText"),
            secret_id: text("secretId"),
        };
        self.leaks.watch(&registered.secret);
        registered
    }

    /// GET on the admin API.
    pub async fn get(&self, path: &str) -> Value {
        self.admin(reqwest::Method::GET, path, None).await
    }

    /// POST on the admin API.
    pub async fn post(&self, path: &str, body: &Value) -> Value {
        self.admin(reqwest::Method::POST, path, Some(body)).await
    }

    /// PUT on the admin API.
    pub async fn put(&self, path: &str, body: &Value) -> Value {
        self.admin(reqwest::Method::PUT, path, Some(body)).await
    }

    /// PATCH on the admin API.
    pub async fn patch(&self, path: &str, body: &Value) -> Value {
        self.admin(reqwest::Method::PATCH, path, Some(body)).await
    }

    /// DELETE on the admin API.
    pub async fn delete(&self, path: &str, body: Option<&Value>) -> Value {
        self.admin(reqwest::Method::DELETE, path, body).await
    }

    /// Waits until a fault has struck a call, and fails the test when none has within a minute: then the call that the test
    /// waits for was never made.
    pub async fn fault_struck(&self) {
        let struck = async {
            loop {
                let faults = self.get("/faults").await;
                let faults = faults["faults"].as_array().cloned().unwrap_or_default();
                if faults.iter().any(|fault| fault["hits"].as_u64() > Some(0)) {
                    return;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(STRIKE_TIME_MAX, struck).await.expect("no fault struck a call within a minute");
    }

    /// Every kind of fault that the cloud knows.
    pub async fn fault_kinds(&self) -> BTreeSet<String> {
        let refusal = self.refused("/faults", &json!({ "kind": "none of them" })).await;
        let (_, known) = refusal.split_once("expected one of").expect("a refusal names what would be taken");
        known.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    }

    /// POST that the admin API must refuse: its answer as text.
    pub async fn refused(&self, path: &str, body: &Value) -> String {
        let (status, text) = self.ask(reqwest::Method::POST, path, Some(body)).await;
        assert!(status.is_client_error(), "POST {path}: {status} {text}");
        text
    }

    async fn admin(&self, method: reqwest::Method, path: &str, body: Option<&Value>) -> Value {
        let (status, text) = self.ask(method.clone(), path, body).await;
        assert!(status.is_success(), "{method} {path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }

    async fn ask(&self, method: reqwest::Method, path: &str, body: Option<&Value>) -> (reqwest::StatusCode, String) {
        let url = format!("http://{}{path}", self.emulator.admin());
        let mut request = self.http.request(method.clone(), &url);
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let answer = request.send().await.unwrap_or_else(|error| panic!("{method} {path}: {error}"));
        let status = answer.status();
        let text = answer.text().await.unwrap_or_else(|error| panic!("{method} {path}: {error}"));
        (status, text)
    }
}

/// Far longer than a run of the binary takes to make its first calls.
const STRIKE_TIME_MAX: Duration = Duration::from_secs(60);
