//! A running cloud, a store, the built-in connectors over the cloud, and runners that can die.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use sortie_connector::{BuiltIn, Caller, ClientProof, Credential, Grant, OAuthClient, Target};
use sortie_emulator::{ClockMode, EmulatorConfig};
use sortie_engine::decide::Delivery;
use sortie_model::{Clock as _, ManualClock, Secret, SystemClock};
use sortie_openapi::Operation;
use sortie_runner::{
    Connected, Doing, Meeting, Outside, Product, Runner, RunnerOptions, Script, ScriptDone, Trouble, TroubleKind,
    Wanted,
};
use sortie_store::{
    Connector, KnownAs, NewRun, NewWorkflow, ProtectedBy, Run, RunId, RunMode, RunStatus, RunValue, Scope, Started,
    Store, StoreError, StoreOptions, TenantKey,
};
use sortie_testkit::{Registered, TestCloud};
use sortie_transport::{Guard, ProxySetting, RetryPolicy, Transport, TransportSettings};

/// Where tests of runs play.
pub(crate) struct Stage {
    pub cloud: TestCloud,
    pub clock: ManualClock,
    pub store: Store,
    pub tenant: Scope,
    pub key: TenantKey,
    pub outside: Arc<Products>,
    pub folder: tempfile::TempDir,
}

/// The connectors of the database and the built-in ones, those of Microsoft over the cloud.
pub(crate) struct Products {
    store: Mutex<Store>,
    actor: Mutex<Arc<Registered>>,
    transport: Transport,
    base: url::Url,
    built_in: Mutex<HashMap<String, Arc<Product>>>,
    pub tokens: Mutex<HashMap<String, Secret>>,
    /// Connections that do not authenticate now.
    pub broken: Mutex<bool>,
    /// Connectors cannot be read now.
    pub unread: Mutex<bool>,
}

impl Stage {
    pub(crate) async fn start() -> Self {
        let start: Timestamp = "2026-11-22T08:00:00Z".parse().unwrap();
        let config = EmulatorConfig { clock: ClockMode::Manual, start: Some(start), ..EmulatorConfig::default() };
        let cloud = TestCloud::start_with(config).await;
        cloud.put("/throttle", &json!({ "mode": "off" })).await;
        let folder = tempfile::tempdir().unwrap();
        let clock = ManualClock::new(start);
        let store = open(folder.path().join("sortie.db"), &clock).unwrap();
        let tenant = store.add_tenant("contoso", Some(&cloud.tenant().parse().unwrap()), "global").await.unwrap();
        let outside = Arc::new(Products::over(&cloud, &store).await);
        Self { cloud, clock, store, tenant: Scope::Tenant(tenant.key), key: tenant.key, outside, folder }
    }

    /// Closes the database as a dying process does, and opens it anew. Whoever else has it must have let it go: tasks that were
    /// cut off do so a moment later.
    pub(crate) async fn reopen(&mut self) {
        self.store.close();
        self.store = open(self.folder.path().join("none.db"), &self.clock).unwrap();
        *self.outside.store.lock().unwrap() = self.store.clone();
        let path = self.folder.path().join("sortie.db");
        for _ in 0..1_000 {
            match open(path.clone(), &self.clock) {
                Ok(store) => {
                    *self.outside.store.lock().unwrap() = store.clone();
                    self.store = store;
                    return;
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
        panic!("somebody still holds the database");
    }

    pub(crate) fn options(&self) -> RunnerOptions {
        let outside = Arc::clone(&self.outside) as Arc<dyn Outside>;
        RunnerOptions::new(self.store.clone(), outside, Arc::new(self.clock.clone()))
    }

    pub(crate) async fn runner(&self) -> Runner {
        Runner::new(self.options()).await.unwrap()
    }

    /// Keeps a document for all tenants.
    pub(crate) async fn keep(&self, text: &str) -> String {
        let workflow = sortie_engine::document::read(text).unwrap_or_else(|problems| panic!("{problems:?}\n{text}"));
        let id = workflow.id.value;
        let new = NewWorkflow { id: id.clone(), title: None, text: text.to_owned(), version: version(text) };
        self.store.put_workflow(Scope::Tenant(TenantKey::SHARED), new, None).await.unwrap();
        id
    }

    pub(crate) fn new_run(&self, workflow: &str, text: &str, key: &str, trigger: Value, inputs: Value) -> NewRun {
        NewRun {
            home: TenantKey::SHARED,
            workflow: workflow.to_owned(),
            version: version(text),
            mode: RunMode::Live,
            start_key: key.to_owned(),
            cause: "manual".to_owned(),
            object: None,
            started_by: "ana".to_owned(),
            parent: None,
            again_of: None,
            depth: 0,
            input: RunValue::Text(json!({ "trigger": trigger, "inputs": inputs }).to_string()),
            taken_over: None,
            per_object_max: None,
        }
    }

    /// Keeps the document, starts a run of it, and lets it go as far as it goes.
    pub(crate) async fn run(&self, text: &str, inputs: Value) -> Run {
        let id = self.keep(text).await;
        let runner = self.runner().await;
        let key = format!("start {}", self.clock.now());
        let new = self.new_run(&id, text, &key, json!({ "kind": "manual" }), inputs);
        let Started::New(run) = runner.start(self.tenant, new).await.unwrap() else { panic!("it is new") };
        runner.serve_until_idle().await;
        self.store.run(self.tenant, run).await.unwrap()
    }

    /// Lets time pass wherever somebody waits for it, until the run has ended or waits for a person.
    pub(crate) async fn let_pass(&self, runner: &Runner, run: RunId) -> Run {
        for _ in 0..200 {
            runner.serve_until_idle().await;
            let found = self.store.run(self.tenant, run).await.unwrap();
            let Some(wake) = runner.next_wake().filter(|_| found.status != RunStatus::Ended) else { return found };
            self.advance_to(wake).await;
        }
        panic!("it waits for ever");
    }

    pub(crate) async fn advance_to(&self, moment: Timestamp) {
        let by = moment.duration_since(self.clock.now());
        if by > SignedDuration::ZERO {
            let seconds = by.as_secs() + i64::from(by.subsec_nanos() > 0);
            self.cloud.post("/clock/advance", &json!({ "seconds": seconds })).await;
            self.clock.advance(SignedDuration::from_secs(seconds));
            self.outside.tokens.lock().unwrap().clear();
        }
    }

    /// What a step has left, by its name.
    pub(crate) async fn value(&self, run: &Run, place: &str) -> Value {
        let text = self.store.run_value(self.tenant, run.id, place).await.unwrap();
        text.map(|text| serde_json::from_str(&text).unwrap()).unwrap_or_default()
    }

    /// The journal as lines such as `isolate: calling`.
    pub(crate) async fn journal(&self, run: &Run) -> Vec<String> {
        let mut lines = Vec::new();
        for row in self.store.journal(self.tenant, run.id, 0).await.unwrap() {
            let page: Value = serde_json::from_str(&row.entries).unwrap();
            for entry in page["entries"].as_array().unwrap() {
                let step = entry["step"].as_str().map(|step| format!("{step}: ")).unwrap_or_default();
                let more: Vec<String> = ["outcome", "gave", "why", "attempt", "ask", "lines"]
                    .iter()
                    .filter_map(|key| entry.get(*key).map(|value| format!(" {value}")))
                    .collect();
                lines.push(format!("{step}{}{}", entry["happened"].as_str().unwrap(), more.concat()));
            }
        }
        lines
    }

    /// From now on the application has no role.
    pub(crate) async fn take_roles_away(&self) {
        self.grant(&[]).await;
    }

    /// From now on the application has these roles alone, each with its API.
    pub(crate) async fn grant(&self, roles: &[(&str, &str)]) {
        *self.outside.actor.lock().unwrap() = Arc::new(self.cloud.application(roles).await);
        self.outside.tokens.lock().unwrap().clear();
    }

    /// Any device of the cloud.
    pub(crate) async fn device(&self) -> String {
        let devices = self.call("list-devices", json!({ "$filter": "onboardingStatus eq 'Onboarded'" })).await;
        devices["value"][0]["id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn call(&self, operation: &str, inputs: Value) -> Value {
        let product = self.outside.product(self.key, "microsoft-365-defender", None).await.unwrap();
        let operation = product.description.operation_called(operation).unwrap();
        let wanted = Wanted { tenant: self.key, product: &product, operation: Some(operation), name: None };
        let connected = self.outside.connect(wanted).await.unwrap();
        let inputs = inputs.as_object().unwrap();
        let (target, credential) = (&connected.target, &connected.credential);
        let answer = connected.caller.call(&product.description, operation, inputs, target, credential).await.unwrap();
        match answer.body {
            sortie_connector::AnswerBody::Json(value) => value,
            _ => Value::Null,
        }
    }

    /// Orders that devices were given, by kind.
    pub(crate) async fn actions(&self, kind: &str) -> Vec<Value> {
        let all = self.call("list-device-actions", json!({ "$top": 1000 })).await;
        all["value"].as_array().unwrap().iter().filter(|action| action["type"] == kind).cloned().collect()
    }
}

impl Products {
    async fn over(cloud: &TestCloud, store: &Store) -> Self {
        let description = BuiltIn::of("microsoft-365-defender").unwrap().description();
        let mut roles: Vec<(String, String)> = Vec::new();
        for operation in &description.operations {
            for role in operation.guidance.roles.iter().flat_map(|roles| roles.split(" + ")) {
                roles.push((operation.guidance.audience.clone().unwrap(), role.to_owned()));
            }
        }
        roles.sort();
        roles.dedup();
        let roles: Vec<(&str, &str)> = roles.iter().map(|(api, role)| (api.as_str(), role.as_str())).collect();
        let actor = cloud.application(&roles).await;
        let settings = TransportSettings { proxy: ProxySetting::Direct, ..TransportSettings::default() };
        let guard = Guard::allowing([cloud.emulator().http().to_string()]).unwrap();
        let transport = Transport::new(settings).unwrap().guarded(guard);
        Self {
            actor: Mutex::new(Arc::new(actor)),
            transport,
            base: cloud.url().parse().unwrap(),
            store: Mutex::new(store.clone()),
            built_in: Mutex::default(),
            tokens: Mutex::default(),
            broken: Mutex::new(false),
            unread: Mutex::new(false),
        }
    }

    fn built_in(&self, id: &str) -> Arc<Product> {
        let known = &mut *self.built_in.lock().unwrap();
        let found = known.entry(id.to_owned()).or_insert_with(|| {
            let description = BuiltIn::of(id).unwrap().description();
            Arc::new(Product { id: id.to_owned(), version: description.content_hash(), description })
        });
        Arc::clone(found)
    }

    async fn token(&self, operation: &Operation) -> Result<Secret, Trouble> {
        let audience = operation.guidance.audience.clone().unwrap_or_default();
        if let Some(known) = self.tokens.lock().unwrap().get(&audience) {
            return Ok(known.clone());
        }
        let actor = Arc::clone(&self.actor.lock().unwrap());
        let client = OAuthClient {
            token_url: self.base.join(&format!("/{}/oauth2/v2.0/token", actor.tenant)).unwrap(),
            client_id: actor.client_id.clone(),
            proof: ClientProof::Post(Secret::new(actor.secret.clone())),
        };
        let wanted = client.wanted(&[".default".to_owned()], operation, &self.base).unwrap();
        let token = client.token(&self.transport, &SystemClock, Grant::ClientCredentials, &wanted).await;
        let token = token.map_err(|error| {
            Trouble::refused(TroubleKind::Connection, format!("connection cloud: {error}"), error.remedy())
        })?;
        self.tokens.lock().unwrap().insert(audience, token.secret.clone());
        Ok(token.secret)
    }
}

impl Outside for Products {
    fn product<'a>(
        &'a self,
        _: TenantKey,
        connector: &'a str,
        pinned: Option<&'a str>,
    ) -> Doing<'a, Result<Arc<Product>, Trouble>> {
        Box::pin(async move {
            if *self.unread.lock().unwrap() {
                let passing = Trouble::refused(TroubleKind::Service, "the disk is full", "Make room.");
                return Err(Trouble { delivery: Delivery::NotSent, ..passing });
            }
            let store = self.store.lock().unwrap().clone();
            let absent = |error: StoreError| {
                Trouble::refused(TroubleKind::Document, error.kind.to_string(), "Start the run anew.")
            };
            match store.connector(SHARED, connector).await {
                Ok(found) if pinned.is_none_or(|pinned| found.info.pin() == pinned) => Ok(described(&found)),
                Err(_) if BuiltIn::of(connector).is_some() => Ok(self.built_in(connector)),
                _ => {
                    let found = store.connector_version(SHARED, connector, pinned.unwrap_or_default()).await;
                    found.map(|found| described(&found)).map_err(absent)
                }
            }
        })
    }

    fn connect<'a>(&'a self, wanted: Wanted<'a>) -> Doing<'a, Result<Arc<Connected>, Trouble>> {
        Box::pin(async move {
            if *self.broken.lock().unwrap() {
                let what = "connection cloud does not authenticate: AADSTS7000222";
                return Err(Trouble::refused(TroubleKind::Connection, what, "Enter a new secret."));
            }
            let credential = match wanted.operation {
                Some(operation) => Credential::Bearer(self.token(operation).await?),
                None => Credential::Anonymous,
            };
            let policy = RetryPolicy { wait_total_max: Duration::from_secs(5), ..RetryPolicy::default() };
            let caller = Caller::new(self.transport.clone(), Arc::new(SystemClock), 8).with_policy(policy);
            Ok(Arc::new(Connected {
                name: "cloud".to_owned(),
                caller,
                transport: self.transport.clone(),
                target: Target { base: Some(self.base.clone()), variables: Map::new() },
                credential,
                account: (None, None),
                destinations: Vec::new(),
                mail: None,
            }))
        })
    }

    fn known_as<'a>(&'a self, meeting: Meeting<'a>) -> Doing<'a, Result<Vec<KnownAs>, Trouble>> {
        let known = meeting.met.iter().map(|met| KnownAs { by: ProtectedBy::DeviceId, text: met.id.clone() }).collect();
        Box::pin(async { Ok(known) })
    }

    /// What it is given is what it gives: scripts themselves are tried elsewhere.
    fn script<'a>(&'a self, script: Script<'a>) -> Doing<'a, Result<ScriptDone, Trouble>> {
        Box::pin(async { Ok(ScriptDone { output: script.input.clone(), console: Vec::new() }) })
    }
}

fn described(connector: &Connector) -> Arc<Product> {
    let description = serde_json::from_str(&connector.description).unwrap();
    Arc::new(Product { id: connector.info.id.clone(), version: connector.info.pin(), description })
}

fn open(path: PathBuf, clock: &ManualClock) -> Result<Store, StoreError> {
    let clock = Arc::new(clock.clone());
    Store::open(StoreOptions { path, purpose: "a test".to_owned(), clock })
}

pub(crate) fn version(text: &str) -> String {
    sortie_store::BlobHash::of(text.as_bytes()).to_string()
}

/// Where connectors are kept.
pub(crate) const SHARED: Scope = Scope::Tenant(TenantKey::SHARED);
