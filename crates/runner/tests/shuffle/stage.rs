//! A runner over the apps of the workflows, and the one service on loopback that stands for all of them.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{Method, Uri},
    response::Json,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use sortie_connector::{Caller, Credential, Target};
use sortie_model::{Clock as _, ManualClock, SystemClock};
use sortie_openapi::Description;
use sortie_runner::{
    Connected, Doing, Meeting, Outside, Product, Runner, RunnerOptions, Script, ScriptDone, Trouble, TroubleKind,
    Wanted, library,
};
use sortie_store::{
    KnownAs, NewConnection, NewRun, Run, RunId, RunMode, RunStatus, RunValue, Scope, Started, Store, StoreOptions,
    TenantKey, Workflow,
};
use sortie_transport::{Guard, ProxySetting, Transport, TransportSettings};

/// A call as the service got it: `METHOD /connector/path?query`, and its body.
pub(crate) type Arrived = (String, Value);
/// Answers by what stands in front of `?`; the first that fits is used up, the last one stays.
type Answers = Arc<Mutex<Vec<(String, Value)>>>;

/// What the service has been asked, and what it will say.
#[derive(Clone, Default)]
struct Service {
    arrived: Arc<Mutex<Vec<Arrived>>>,
    answers: Answers,
}

pub(crate) struct Stage {
    pub(crate) store: Store,
    pub(crate) tenant: Scope,
    pub(crate) base: String,
    key: TenantKey,
    clock: ManualClock,
    outside: Arc<Apps>,
    service: Service,
    _folder: tempfile::TempDir,
}

/// Every app behind the service.
struct Apps {
    products: HashMap<String, Arc<Product>>,
    transport: Transport,
    base: url::Url,
}

impl Stage {
    pub(crate) async fn start(products: HashMap<String, Arc<Product>>) -> Self {
        let service = Service::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(service.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let folder = tempfile::tempdir().unwrap();
        let clock = ManualClock::new("2026-11-22T08:00:00Z".parse().unwrap());
        let path: PathBuf = folder.path().join("sortie.db");
        let options = StoreOptions { path, purpose: "a test".to_owned(), clock: Arc::new(clock.clone()) };
        let store = Store::open(options).unwrap();
        let tenant = store.add_tenant("contoso", None, "global").await.unwrap();
        let scope = Scope::Tenant(tenant.key);
        for id in products.keys().filter(|id| !matches!(id.as_str(), "data" | "kv" | "http")) {
            let new = NewConnection {
                name: format!("our-{id}").parse().unwrap(),
                connector: id.clone(),
                base_url: format!("{base}/{id}"),
                token_url: None,
                allowed_hosts: Vec::new(),
                destinations: Vec::new(),
                settings: json!({}),
            };
            store.add_connection(scope, new).await.unwrap();
        }
        let settings = TransportSettings { proxy: ProxySetting::Direct, ..TransportSettings::default() };
        let guard = Guard::allowing([base.trim_start_matches("http://").to_owned()]).unwrap();
        let transport = Transport::new(settings).unwrap().guarded(guard);
        let outside = Arc::new(Apps { products, transport, base: base.parse().unwrap() });
        Self { store, tenant: scope, base, key: tenant.key, clock, outside, service, _folder: folder }
    }

    /// Judges the document and keeps it, as the command and the API do.
    pub(crate) async fn keep(&self, text: &str) -> Workflow {
        match library::put(&self.store, &*self.outside, self.key, text, None).await {
            Ok(kept) => kept,
            Err(library::PutError::Problems(problems)) => {
                let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
                panic!("{}\n{text}", told.join("\n"))
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// Starts a run and lets it go to its end, with time passing wherever it waits.
    pub(crate) async fn run(&self, kept: &Workflow, trigger: Value, inputs: Value) -> Run {
        let options =
            RunnerOptions::new(self.store.clone(), Arc::clone(&self.outside) as _, Arc::new(self.clock.clone()));
        let runner = Runner::new(options).await.unwrap();
        // No two starts are of one moment, or the second would be the first.
        self.clock.advance(SignedDuration::from_secs(1));
        let cause = trigger["kind"].as_str().unwrap().to_owned();
        let new = NewRun {
            home: kept.tenant,
            workflow: kept.id.clone(),
            version: kept.version.clone(),
            mode: RunMode::Live,
            start_key: format!("{cause} {}", self.clock.now()),
            cause,
            object: None,
            started_by: "ana".to_owned(),
            parent: None,
            again_of: None,
            depth: 0,
            input: RunValue::Text(json!({ "trigger": trigger, "inputs": inputs }).to_string()),
            taken_over: None,
            per_object_max: None,
        };
        let Started::New(run) = runner.start(self.tenant, new).await.unwrap() else { panic!("it is new") };
        self.to_the_end(&runner, run).await
    }

    async fn to_the_end(&self, runner: &Runner, run: RunId) -> Run {
        for _ in 0..100 {
            runner.serve_until_idle().await;
            let found = self.store.run(self.tenant, run).await.unwrap();
            let Some(wake) = runner.next_wake().filter(|_| found.status != RunStatus::Ended) else { return found };
            self.pass_until(wake);
            runner.clock_moved();
        }
        panic!("it waits for ever");
    }

    fn pass_until(&self, moment: Timestamp) {
        let by = moment.duration_since(self.clock.now());
        if by > SignedDuration::ZERO {
            self.clock.advance(by);
        }
    }

    /// What a step gave; of a loop, what it gave for each item; of the run itself by `#output`.
    pub(crate) async fn gave(&self, run: &Run, document: &str, step: &str) -> Value {
        if step == "#output" {
            let left = self.store.run_value(self.tenant, run.id, step).await.unwrap();
            return left.map(|text| serde_json::from_str(&text).unwrap()).unwrap_or_default();
        }
        let workflow = sortie_engine::document::read(document).unwrap();
        let at = workflow.steps.iter().position(|one| one.id.value == step).unwrap();
        let output = |text: &str| serde_json::from_str::<Value>(text).unwrap()["output"].clone();
        if workflow.steps[at].for_each.is_none() {
            let left = self.store.run_value(self.tenant, run.id, &at.to_string()).await.unwrap();
            return left.map(|text| output(&text)).unwrap_or_default();
        }
        let mut items = Vec::new();
        while let Some(text) =
            self.store.run_value(self.tenant, run.id, &format!("{at}[{}]", items.len())).await.unwrap()
        {
            items.push(output(&text));
        }
        items.into()
    }

    /// By step, how it ended, in Shuffle's words.
    pub(crate) async fn ends(&self, run: &Run) -> HashMap<String, &'static str> {
        let mut ends = HashMap::new();
        for entry in self.journal(run).await.iter().filter(|entry| entry["happened"] == "ended") {
            let word = match entry["outcome"].as_str().unwrap() {
                "succeeded" => "SUCCESS",
                "skipped" => "SKIPPED",
                _ => "FAILURE",
            };
            ends.insert(entry["step"].as_str().unwrap().to_owned(), word);
        }
        ends
    }

    pub(crate) async fn journal(&self, run: &Run) -> Vec<Value> {
        let rows = self.store.journal(self.tenant, run.id, 0).await.unwrap();
        let pages = rows.iter().map(|row| serde_json::from_str::<Value>(&row.entries).unwrap());
        pages.flat_map(|page| page["entries"].as_array().unwrap().clone()).collect()
    }

    pub(crate) fn will_say(&self, answers: &[(&str, Value)]) {
        let mut all = self.service.answers.lock().unwrap();
        *all = answers.iter().map(|(to, answer)| ((*to).to_owned(), answer.clone())).collect();
    }

    /// Everything that has arrived since this was last asked.
    pub(crate) fn arrived(&self) -> Vec<Arrived> {
        std::mem::take(&mut *self.service.arrived.lock().unwrap())
    }

    /// The connectors, as an import looks at them.
    pub(crate) fn connectors(&self) -> Vec<(String, Description)> {
        let all = self.outside.products.values();
        all.map(|product| (product.id.clone(), product.description.clone())).collect()
    }
}

async fn answer(State(service): State<Service>, method: Method, uri: Uri, body: Bytes) -> Json<Value> {
    let asked = uri.path_and_query().map_or_else(|| uri.path().to_owned(), ToString::to_string);
    let asked = format!("{method} {asked}");
    let body: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
    service.arrived.lock().unwrap().push((asked.clone(), body));
    let mut answers = service.answers.lock().unwrap();
    let at = answers.iter().position(|(to, _)| asked.starts_with(to.as_str()));
    Json(match at {
        None => json!({}),
        Some(at) => {
            let is_last = answers.iter().filter(|(to, _)| *to == answers[at].0).count() == 1;
            if is_last { answers[at].1.clone() } else { answers.remove(at).1 }
        }
    })
}

impl Outside for Apps {
    fn product<'a>(
        &'a self,
        _: TenantKey,
        connector: &'a str,
        _: Option<&'a str>,
    ) -> Doing<'a, Result<Arc<Product>, Trouble>> {
        let found = self.products.get(connector).cloned().ok_or_else(|| {
            Trouble::refused(TroubleKind::Document, format!("there is no connector `{connector}`"), "Import it.")
        });
        Box::pin(async { found })
    }

    fn connect<'a>(&'a self, wanted: Wanted<'a>) -> Doing<'a, Result<Arc<Connected>, Trouble>> {
        let base = self.base.join(&format!("/{}", wanted.product.id)).unwrap();
        let connected = Arc::new(Connected {
            name: "ours".to_owned(),
            caller: Caller::new(self.transport.clone(), Arc::new(SystemClock), 8),
            transport: self.transport.clone(),
            target: Target { base: Some(base), variables: Map::new() },
            credential: Credential::Anonymous,
            account: (None, None),
            destinations: Vec::new(),
            mail: None,
        });
        Box::pin(async { Ok(connected) })
    }

    fn known_as<'a>(&'a self, _: Meeting<'a>) -> Doing<'a, Result<Vec<KnownAs>, Trouble>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn script<'a>(&'a self, _: Script<'a>) -> Doing<'a, Result<ScriptDone, Trouble>> {
        let error = Trouble::refused(TroubleKind::Script, "an import makes no scripts", "Look at the import.");
        Box::pin(async { Err(error) })
    }
}
