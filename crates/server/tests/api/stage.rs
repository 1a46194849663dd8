//! A database with two tenants, the API over it, and people with real tokens.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, body::Body};
use http::{HeaderMap, Method, Request, StatusCode, header};
use serde_json::{Value, json};
use sortie_connector::BuiltIn;
use sortie_model::{ManualClock, Secret};
use sortie_runner::{
    Connected, Doing, Meeting, Outside, Product, Runner, RunnerOptions, Script, ScriptDone, Trouble, TroubleKind,
    Wanted,
};
use sortie_server::{Answers, App, Bounds, Client, Options, ROUTES, router};
use sortie_store::{Actor, Grant, KeySource, KnownAs, MasterKey, Role, Store, StoreOptions, TenantKey};
use tower::ServiceExt as _;

/// Where tests play.
pub(crate) struct Stage {
    pub folder: tempfile::TempDir,
    pub clock: ManualClock,
    pub store: Store,
    pub app: App,
    pub router: Router,
    pub contoso: TenantKey,
    pub fabrikam: TenantKey,
}

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
    pub json: Value,
}

impl Stage {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(set: impl FnOnce(&mut Bounds)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = ManualClock::new("2026-11-30T08:00:00Z".parse().unwrap());
        let store = open(&folder.path().join("sortie.db"), &clock);
        let contoso = store.add_tenant("contoso", None, "global").await.unwrap().key;
        let fabrikam = store.add_tenant("fabrikam", None, "global").await.unwrap().key;
        let mut bounds = Bounds::default();
        set(&mut bounds);
        let app = app(&store, &clock, bounds, folder.path()).await;
        Self { router: router(app.clone()), folder, clock, store, app, contoso, fabrikam }
    }

    /// The process ends, and another opens what it has left.
    pub(crate) async fn restart(&mut self) {
        self.store.close();
        // Whatever still has the file is let go of before it is opened again.
        for name in ["none.db", "sortie.db"] {
            self.store = open(&self.folder.path().join(name), &self.clock);
            self.app = app(&self.store, &self.clock, self.app.options.bounds, self.folder.path()).await;
            self.router = router(self.app.clone());
        }
    }

    /// A user with these roles, and a token that acts for them.
    pub(crate) async fn token(&self, name: &str, grants: &[(Role, Option<TenantKey>)]) -> Secret {
        let user = self.store.add_principal(&name.parse().unwrap()).await.unwrap();
        for (role, tenant) in grants {
            self.store.grant(user.id, Grant { role: *role, tenant: *tenant }).await.unwrap();
        }
        self.store.add_token(user.id, "test", None).await.unwrap().0
    }

    /// A request from the network.
    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let response = self.router.clone().oneshot(request).await.unwrap();
        let answer = Answer::of(response).await;
        answer.is_as_described(&method, &path);
        answer
    }

    /// The same with a token and JSON.
    pub(crate) async fn ask(&self, token: Option<&Secret>, method: &str, path: &str, body: Option<Value>) -> Answer {
        self.send(request(token, method, path, body)).await
    }

    /// Asks as the owner of the database.
    pub(crate) fn owner(&self) -> Client {
        Client::here(self.app.clone(), owner())
    }

    pub(crate) async fn owners(&self, method: &str, path: &str, body: Option<Value>) -> (StatusCode, Value) {
        self.owner().request(method.parse().unwrap(), path, body).await.unwrap()
    }

    /// Keeps a workflow as the owner, for a tenant or for all.
    pub(crate) async fn keep(&self, text: &str, tenant: &str) -> String {
        let id = text.lines().next().unwrap().strip_prefix("workflow: ").unwrap().to_owned();
        let request = Request::put(format!("/api/v1/workflows/{id}?tenant={tenant}"))
            .header(header::CONTENT_TYPE, "application/yaml");
        let kept = self.owner().send(request.body(text.to_owned().into()).unwrap()).await.unwrap();
        assert!(kept.status().is_success(), "{:?}", kept.body());
        id
    }

    /// The same, and at work.
    pub(crate) async fn enable(&self, text: &str, tenant: &str) -> String {
        let id = self.keep(text, tenant).await;
        self.state(&id, tenant, "enabled").await;
        id
    }

    pub(crate) async fn state(&self, id: &str, tenant: &str, state: &str) {
        let path = format!("/api/v1/workflows/{id}/state?tenant={tenant}");
        let (status, said) = self.owners("PUT", &path, Some(json!({ "state": state }))).await;
        assert_eq!(status, 200, "{said}");
    }

    /// Lets every run go as far as it goes.
    pub(crate) async fn settle(&self) {
        self.app.runner.serve_until_idle().await;
    }

    pub(crate) async fn runs(&self) -> Vec<Value> {
        let (status, said) = self.owners("GET", "/api/v1/runs", None).await;
        assert_eq!(status, 200, "{said}");
        said["items"].as_array().unwrap().clone()
    }
}

impl Answer {
    pub(crate) async fn of(response: axum::response::Response) -> Self {
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, 64 << 20).await.unwrap();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let json = serde_json::from_str(&text).unwrap_or_default();
        Self { status: parts.status, headers: parts.headers, text, json }
    }

    /// Whether the API's own document describes it so.
    fn is_as_described(&self, method: &Method, path: &str) {
        let fits = |pattern: &str| {
            let (pattern, path): (Vec<&str>, Vec<&str>) = (pattern.split('/').collect(), path.split('/').collect());
            pattern.len() == path.len()
                && pattern.iter().zip(&path).all(|(own, other)| own.starts_with('{') || own == other)
        };
        let schema = match ROUTES.iter().find(|route| route.method.as_str() == method.as_str() && fits(route.path)) {
            Some(route) if self.status.is_success() => match route.answer {
                Answers::Json(schema) => schema,
                _ => return,
            },
            // How ready the process is, it says with a failure, too.
            Some(route) if route.path == "/readyz" => return,
            _ => "Problem",
        };
        let wrong = violations(schema, &self.json);
        assert!(wrong.is_empty(), "{method} {path} answers {} {}: {wrong:?}", self.status, self.text);
    }
}

/// What of a value is not as the API's document says.
fn violations(schema: &'static str, value: &Value) -> Vec<String> {
    static KNOWN: Mutex<Option<HashMap<&str, Arc<jsonschema::Validator>>>> = Mutex::new(None);
    let validator = Arc::clone(KNOWN.lock().unwrap().get_or_insert_default().entry(schema).or_insert_with(|| {
        let mut whole = json!({ "$ref": format!("#/components/schemas/{schema}") });
        whole["components"] = sortie_server::document("0")["components"].clone();
        Arc::new(jsonschema::validator_for(&whole).unwrap())
    }));
    validator.iter_errors(value).map(|error| format!("{error} at {}", error.instance_path())).collect()
}

pub(crate) fn request(token: Option<&Secret>, method: &str, path: &str, body: Option<Value>) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    if let Some(token) = token {
        request = request.header(header::AUTHORIZATION, format!("Bearer {}", token.expose()));
    }
    if body.is_some() {
        request = request.header(header::CONTENT_TYPE, "application/json");
    }
    request.body(body.map(|body| Body::from(body.to_string())).unwrap_or_default()).unwrap()
}

pub(crate) fn owner() -> Actor {
    Actor {
        id: "os:owner".to_owned(),
        name: "os:owner".to_owned(),
        kind: sortie_store::ActorKind::OsUser,
        grants: vec![Grant::ALL],
    }
}

/// A process's view of the database; another one opens it when this is dropped and closed.
pub(crate) fn open(path: &Path, clock: &ManualClock) -> Store {
    let options = |path: PathBuf| StoreOptions { path, purpose: "a test".to_owned(), clock: Arc::new(clock.clone()) };
    Store::open(options(path.to_owned())).unwrap()
}

pub(crate) async fn app(store: &Store, clock: &ManualClock, bounds: Bounds, folder: &Path) -> App {
    let outside: Arc<dyn Outside> = Arc::new(BuiltIns::default());
    let mut options = RunnerOptions::new(store.clone(), Arc::clone(&outside), Arc::new(clock.clone()));
    options.public_url = "https://sortie.example".to_owned();
    let runner = Runner::new(options).await.unwrap();
    let (kept, key) = (store.clone(), folder.join("sortie.key"));
    let unlock = move || -> std::pin::Pin<Box<dyn Future<Output = _> + Send>> {
        let (store, key) = (kept.clone(), key.clone());
        Box::pin(async move {
            let master = match key.exists() {
                true => MasterKey::load(&KeySource::File(key), &store.installation().await?),
                false => MasterKey::create(&key),
            };
            Ok(store.unlock(master.unwrap()).await?)
        })
    };
    App {
        store: store.clone(),
        runner,
        outside,
        clock: Arc::new(clock.clone()),
        options: Options {
            unlock: Arc::new(unlock),
            public_url: "https://sortie.example".to_owned(),
            version: "0.0.0",
            bounds,
        },
    }
}

/// The built-in connectors, and no way to any product.
#[derive(Default)]
struct BuiltIns(Mutex<HashMap<String, Arc<Product>>>);

impl Outside for BuiltIns {
    fn product<'a>(
        &'a self,
        _: TenantKey,
        connector: &'a str,
        _: Option<&'a str>,
    ) -> Doing<'a, Result<Arc<Product>, Trouble>> {
        Box::pin(async move {
            let mut products = self.0.lock().unwrap();
            if let Some(known) = products.get(connector) {
                return Ok(Arc::clone(known));
            }
            let absent = || {
                Trouble::refused(TroubleKind::Document, format!("there is no connector `{connector}`"), "Import it.")
            };
            let description = BuiltIn::of(connector).ok_or_else(absent)?.description();
            let version = description.content_hash();
            let product = Arc::new(Product { id: connector.to_owned(), version, description });
            products.insert(connector.to_owned(), Arc::clone(&product));
            Ok(product)
        })
    }

    fn connect<'a>(&'a self, _: Wanted<'a>) -> Doing<'a, Result<Arc<Connected>, Trouble>> {
        Box::pin(async {
            Err(Trouble::refused(TroubleKind::Connection, "connection x does not authenticate", "Enter a new secret."))
        })
    }

    fn known_as<'a>(&'a self, _: Meeting<'a>) -> Doing<'a, Result<Vec<KnownAs>, Trouble>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn script<'a>(&'a self, script: Script<'a>) -> Doing<'a, Result<ScriptDone, Trouble>> {
        Box::pin(async { Ok(ScriptDone { output: script.input.clone(), console: Vec::new() }) })
    }
}

/// Asks until it is so, for at most ten seconds.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, is_so: impl Fn() -> F) {
    for _ in 0..1_000 {
        if is_so().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it never came to be: {what}");
}
