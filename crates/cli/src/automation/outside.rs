//! What runs call: connectors of the database and built-in ones, through the tenant's connections; scripts in children.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use jiff::{SignedDuration, Timestamp};
use sortie_connector::{BuiltIn, Credential, MailServer};
use sortie_engine::decide::Delivery;
use sortie_openapi::Operation;
use sortie_runner::{
    Connected, Doing, Meeting, Outside, Product as Described, Script, ScriptDone, Trouble, TroubleKind, Wanted,
};
use sortie_sandbox::{ARGUMENT, Job, Pool, PoolOptions, SandboxError};
use sortie_store::{Connector, KnownAs, Scope, Store, StoreError, StoreErrorKind, Tenant, TenantKey};

use crate::{
    connections::{self, Named},
    context::Context,
    database::SHARED,
    exit::{next_step, sentence},
    guard,
    product::{Authentication, Product, Ready},
};

/// Everything that connections lead to.
pub(crate) struct Products {
    store: Store,
    context: Context,
    scripts: Pool,
    known: Mutex<HashMap<String, Known>>,
    /// What runs have pinned: it never changes.
    pinned: Mutex<HashMap<(String, String), Known>>,
    /// Built-in ones that lie in the database for runs, by version, and since when.
    kept: Mutex<HashMap<String, Timestamp>>,
    /// What was chosen for a call, and at which edition of the settings.
    chosen: Mutex<HashMap<Choice, (u64, Arc<Connected>)>>,
    connected: Mutex<HashMap<String, Arc<Connected>>>,
}

/// What decides through which connection a call goes.
#[derive(PartialEq, Eq, Hash)]
struct Choice {
    tenant: TenantKey,
    connector: String,
    version: String,
    name: Option<String>,
    /// What a token is for: an API, or the operation alone.
    audience: Option<String>,
}

/// A connector as it was read at an edition of the settings.
#[derive(Clone)]
struct Known {
    edition: u64,
    product: Arc<Product>,
    described: Arc<Described>,
}

impl Known {
    fn of(edition: u64, product: Product) -> Self {
        let (id, version) = (product.info.id.clone(), product.info.pin());
        let described = Described { id, version, description: product.description.clone() };
        Self { edition, product: Arc::new(product), described: Arc::new(described) }
    }
}

impl Products {
    pub(crate) fn new(store: Store, context: &Context) -> anyhow::Result<Self> {
        let program = std::env::current_exe()?;
        let scripts = Pool::new(PoolOptions { warm: 1, ..PoolOptions::new(program, vec![ARGUMENT.into()]) });
        let (known, pinned, kept) = (Mutex::default(), Mutex::default(), Mutex::default());
        let (chosen, connected) = (Mutex::default(), Mutex::default());
        Ok(Self { store, context: context.clone(), scripts, known, pinned, kept, chosen, connected })
    }

    /// What holds scripts back on this machine, in words.
    ///
    /// # Errors
    /// No script can be run here.
    pub(crate) async fn confinement(&self) -> Result<String, SandboxError> {
        Ok(self.scripts.confinement().await?.to_string())
    }

    async fn known(&self, id: &str) -> Result<Known, Trouble> {
        let edition = self.store.settings_edition();
        let cached = self.known.lock().expect("no code panics while it holds this lock").get(id).cloned();
        if let Some(known) = cached.filter(|known| known.edition == edition) {
            return Ok(known);
        }
        let product = Product::load(&self.store, id).await.map_err(|error| unknown(id, &error))?;
        let known = Known::of(edition, product);
        self.known.lock().expect("no code panics while it holds this lock").insert(id.to_owned(), known.clone());
        Ok(known)
    }

    /// The connector as it was when a run pinned it.
    async fn pinned(&self, id: &str, version: &str) -> Result<Known, Trouble> {
        let key = (id.to_owned(), version.to_owned());
        let cached = self.pinned.lock().expect("no code panics while it holds this lock").get(&key).cloned();
        if let Some(known) = cached {
            return Ok(known);
        }
        let known = match self.known(id).await {
            Ok(today) if today.described.version == version => today,
            Err(trouble) if trouble.delivery != Delivery::Refused => return Err(trouble),
            _ => self.formerly(id, version).await?,
        };
        let mut all = self.pinned.lock().expect("no code panics while it holds this lock");
        if all.len() >= PINNED_MAX {
            all.clear();
        }
        all.insert(key, known.clone());
        Ok(known)
    }

    /// What is in force no more.
    async fn formerly(&self, id: &str, version: &str) -> Result<Known, Trouble> {
        match self.store.connector_version(SHARED, id, version).await {
            Ok(found) => {
                let product = Product::of(found).map_err(|error| unknown(id, &error))?;
                Ok(Known::of(0, product))
            }
            Err(error) if is_absent(&error) => {
                // One that was taken into the database since comes along all the same.
                let built_in = BuiltIn::of(id).map(Product::built_in).filter(|own| own.info.pin() == version);
                built_in.map(|product| Known::of(0, product)).ok_or_else(|| gone(id))
            }
            Err(error) => Err(unread(&error)),
        }
    }

    /// A built-in connector of another release is another one; so it is kept for the runs of this one.
    async fn keep(&self, known: &Known) -> Result<(), Trouble> {
        let (version, now) = (&known.described.version, self.context.clock.now());
        let kept = self.kept.lock().expect("no code panics while it holds this lock").get(version).copied();
        if kept.is_some_and(|kept| now.duration_since(kept) < KEPT_ANEW_AFTER) {
            return Ok(());
        }
        let connector =
            Connector { info: known.product.info.clone(), description: known.described.description.kept().json };
        self.store.keep_connector_version(connector).await.map_err(|error| unread(&error))?;
        self.kept.lock().expect("no code panics while it holds this lock").insert(version.clone(), now);
        Ok(())
    }

    async fn tenant(&self, key: TenantKey) -> Result<Tenant, Trouble> {
        let tenants = self.store.tenants(Scope::Tenant(key)).await.map_err(|error| unread(&error))?;
        tenants.into_iter().find(|tenant| tenant.key == key).ok_or_else(|| {
            Trouble::refused(TroubleKind::Document, "the run's tenant is not there any more", "Add it again.")
        })
    }

    /// The named one of the tenant, else its only one, else the only one for all that serves it; never another tenant's.
    async fn chosen(&self, wanted: &Wanted<'_>) -> Result<Named, Trouble> {
        let tenant = self.tenant(wanted.tenant).await?;
        let mut all = connections::all(&self.store).await.map_err(|error| unknown(&wanted.product.id, &error))?;
        all.retain(|one| one.row.connector == wanted.product.id && one.serves(&tenant));
        all.retain(|one| wanted.name.is_none_or(|name| one.row.name == name));
        let has_own = all.iter().any(|one| one.row.tenant == tenant.key);
        all.retain(|one| !has_own || one.row.tenant == tenant.key);
        let id = &wanted.product.id;
        let to = wanted.name.map_or_else(|| format!("connection to {id}"), |name| format!("connection {name} to {id}"));
        match all.len() {
            1 => Ok(all.remove(0)),
            0 => {
                let what = format!("tenant {} has no {to}, and none for all serves it", tenant.name);
                let next = format!("`sortie connection add NAME --connector {id} --tenant {}` makes one.", tenant.name);
                Err(Trouble::refused(TroubleKind::Document, what, next))
            }
            _ => {
                let names: Vec<&str> = all.iter().map(|one| one.name.as_str()).collect();
                let what = format!("tenant {} has several connections to {id}", tenant.name);
                let next = format!("Name one in the step's `connection`: {}.", names.join(", "));
                Err(Trouble::refused(TroubleKind::Document, what, next))
            }
        }
    }

    async fn connected(&self, wanted: Wanted<'_>) -> Result<Arc<Connected>, Trouble> {
        let edition = self.store.settings_edition();
        let choice = Choice {
            tenant: wanted.tenant,
            connector: wanted.product.id.clone(),
            version: wanted.product.version.clone(),
            name: wanted.name.map(str::to_owned),
            audience: wanted.operation.map(audience),
        };
        let known = self.chosen.lock().expect("no code panics while it holds this lock").get(&choice).cloned();
        if let Some((_, connected)) = known.filter(|(read, _)| *read == edition) {
            return Ok(connected);
        }
        let connected = self.connected_anew(wanted).await?;
        let mut all = self.chosen.lock().expect("no code panics while it holds this lock");
        if all.len() >= CONNECTED_MAX {
            all.clear();
        }
        all.insert(choice, (edition, Arc::clone(&connected)));
        Ok(connected)
    }

    async fn connected_anew(&self, wanted: Wanted<'_>) -> Result<Arc<Connected>, Trouble> {
        let known = self.pinned(&wanted.product.id, &wanted.product.version).await?;
        if NEEDS_NONE.contains(&wanted.product.id.as_str())
            && wanted.name.is_none()
            && let Some(plain) = self.plain(&wanted).await?
        {
            return Ok(plain);
        }
        let named = self.chosen(&wanted).await?;
        let key = key(&named, &known.product, wanted.operation);
        if let Some(connected) = self.connected.lock().expect("no code panics while it holds this lock").get(&key) {
            return Ok(Arc::clone(connected));
        }
        let connected = self.connect_anew(&named, &known.product, wanted.operation).await;
        let connected = Arc::new(connected.map_err(|error| unauthenticated(&named.name, &error))?);
        let mut all = self.connected.lock().expect("no code panics while it holds this lock");
        if all.len() >= CONNECTED_MAX {
            all.clear();
        }
        all.insert(key, Arc::clone(&connected));
        Ok(connected)
    }

    async fn connect_anew(
        &self,
        named: &Named,
        product: &Product,
        operation: Option<&Operation>,
    ) -> anyhow::Result<Connected> {
        let context = &self.context;
        let ready = Ready::load(&self.store, named, product, true, context).await?;
        let (target, credential) = match operation {
            None => (Default::default(), Credential::Anonymous),
            Some(operation) => {
                let authentication = product.authentication(operation)?;
                let target = ready.target(operation)?;
                let address = sortie_connector::base(&product.description, operation, &target)?;
                if authentication != Authentication::None {
                    ready.permits(&address)?;
                }
                let host = product.host(operation).unwrap_or(address);
                (target, ready.credential(&authentication, operation, &host, context).await?)
            }
        };
        let account = ready.account();
        let account = (account.0.map(str::to_owned), account.1);
        let mail = match product.info.id.as_str() {
            "email" => {
                let account = account.0.clone().zip(account.1.clone());
                if let (Some(_), Some(base)) = (&account, ready.base()) {
                    ready.permits(base)?;
                }
                Some(MailServer::of(ready.base(), account)?)
            }
            _ => None,
        };
        Ok(Connected {
            name: named.name.clone(),
            caller: ready.caller.clone(),
            transport: ready.transport.clone(),
            target,
            credential,
            account,
            destinations: named.row.destinations.clone(),
            mail,
        })
    }

    /// The guarded way out without a connection, where there is none to this connector.
    async fn plain(&self, wanted: &Wanted<'_>) -> Result<Option<Arc<Connected>>, Trouble> {
        let all = connections::all(&self.store).await.map_err(|error| unknown(&wanted.product.id, &error))?;
        if all.iter().any(|one| one.row.connector == wanted.product.id) {
            return Ok(None);
        }
        let settings = self.context.settings().and_then(|settings| self.context.transport(&settings));
        let transport = settings.map_err(|error| unauthenticated("none", &error))?;
        let transport = transport.guarded(sortie_transport::Guard::default());
        let caller = sortie_connector::Caller::new(transport.clone(), Arc::clone(&self.context.clock), 8);
        Ok(Some(Arc::new(Connected {
            name: "none".to_owned(),
            caller,
            transport,
            target: Default::default(),
            credential: Credential::Anonymous,
            account: (None, None),
            destinations: Vec::new(),
            mail: None,
        })))
    }
}

impl Outside for Products {
    fn product<'a>(
        &'a self,
        _: TenantKey,
        connector: &'a str,
        pinned: Option<&'a str>,
    ) -> Doing<'a, Result<Arc<Described>, Trouble>> {
        Box::pin(async move {
            let known = match pinned {
                None => self.known(connector).await,
                Some(version) => self.pinned(connector, version).await,
            };
            known.map(|known| known.described)
        })
    }

    fn pin<'a>(&'a self, _: TenantKey, connector: &'a str) -> Doing<'a, Result<String, Trouble>> {
        Box::pin(async move {
            let known = self.known(connector).await?;
            if known.product.is_as_it_comes() {
                self.keep(&known).await?;
            }
            Ok(known.described.version.clone())
        })
    }

    fn connect<'a>(&'a self, wanted: Wanted<'a>) -> Doing<'a, Result<Arc<Connected>, Trouble>> {
        Box::pin(self.connected(wanted))
    }

    fn known_as<'a>(&'a self, meeting: Meeting<'a>) -> Doing<'a, Result<Vec<KnownAs>, Trouble>> {
        Box::pin(async move {
            let Meeting { connected, met, wanted } = meeting;
            guard::names(&connected.caller, &connected.credential, met, wanted).await.map_err(|error| {
                let next = next_step(&error).unwrap_or_default();
                Trouble::refused(TroubleKind::Forbidden, sentence(&error), next)
            })
        })
    }

    fn script<'a>(&'a self, script: Script<'a>) -> Doing<'a, Result<ScriptDone, Trouble>> {
        Box::pin(async move {
            let job = Job {
                script: Arc::clone(script.text),
                input: script.input.clone(),
                deadline: script.limit,
                now: script.now,
                seed: script.seed,
            };
            match self.scripts.run(job).await {
                Ok(done) => Ok(ScriptDone { output: done.output, console: done.console }),
                Err(error) => {
                    let mut trouble =
                        Trouble::refused(TroubleKind::Script, error.kind.to_string(), error.kind.remedy());
                    if error.kind.may_pass() {
                        trouble.delivery = Delivery::NotSent;
                    }
                    trouble.console = error.console;
                    Err(trouble)
                }
            }
        })
    }
}

/// Tokens are for an API, not for an operation; a changed row is another connection.
fn key(named: &Named, product: &Product, operation: Option<&Operation>) -> String {
    let (row, info) = (&named.row, &product.info);
    let audience = operation.map(audience);
    format!("{} {} {} {} {audience:?}", row.id, row.version, info.id, info.pin())
}

fn audience(operation: &Operation) -> String {
    operation.guidance.audience.clone().unwrap_or_else(|| operation.id.clone())
}

fn gone(id: &str) -> Trouble {
    let what = format!("the description of {id} that the run began with is not kept any more");
    let next = "Start the run anew: it will call by the description of today.";
    Trouble::refused(TroubleKind::Document, what, next)
}

fn unknown(id: &str, error: &anyhow::Error) -> Trouble {
    if let Some(passing) = error.downcast_ref::<StoreError>().filter(|error| may_pass(error)) {
        return unread(passing);
    }
    let next = next_step(error).unwrap_or_else(|| format!("`sortie connector show {id}` says what there is."));
    Trouble::refused(TroubleKind::Document, sentence(error), next)
}

/// A token or a secret cannot be had: every run of the connection waits until it can.
fn unauthenticated(connection: &str, error: &anyhow::Error) -> Trouble {
    let next = next_step(error).unwrap_or_else(|| format!("`sortie connection test {connection}` says more."));
    Trouble::refused(TroubleKind::Connection, sentence(error), next)
}

fn unread(error: &StoreError) -> Trouble {
    let delivery = match error.kind {
        StoreErrorKind::Absent(_) => Delivery::Refused,
        _ => Delivery::NotSent,
    };
    Trouble { delivery, ..Trouble::refused(TroubleKind::Service, error.kind.to_string(), error.remedy()) }
}

fn is_absent(error: &StoreError) -> bool {
    matches!(error.kind, StoreErrorKind::Absent(_))
}

fn may_pass(error: &StoreError) -> bool {
    use StoreErrorKind as Kind;
    !matches!(error.kind, Kind::Absent(_) | Kind::Damaged(_) | Kind::TooLarge { .. } | Kind::TooMany { .. })
}

const CONNECTED_MAX: usize = 10_000;
/// Some have megabytes.
const PINNED_MAX: usize = 200;
/// What nobody has pinned goes after a day.
const KEPT_ANEW_AFTER: SignedDuration = SignedDuration::from_hours(1);
/// They run inside, or call whatever address they are given.
const NEEDS_NONE: &[&str] = &["http"];
