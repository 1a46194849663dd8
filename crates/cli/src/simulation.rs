//! A simulated Microsoft cloud with everything that a run needs over it: a database, a tenant, a connection, a runner. All of
//! it goes when it is dropped.

use std::sync::Arc;

use anyhow::Context as _;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use sortie_connector::BuiltIn;
use sortie_emulator::{ClockMode, Emulator, EmulatorConfig};
use sortie_identity::HostOverrides;
use sortie_model::{Clock, ManualClock, Secret};
use sortie_runner::Runner;
use sortie_store::{Run, RunId, RunStatus, Scope, Store, StoreOptions, Tenant};
use sortie_transport::{ProxySetting, Request, RetryPolicy, Transport, TransportSettings};
use url::Url;

use crate::{
    automation::{self, Products},
    context::{Context, Global},
    database,
    product::{ConnectionSettings, Microsoft, SECRET},
};

/// The cloud and what works on it.
pub(crate) struct Simulation {
    pub store: Store,
    pub runner: Runner,
    pub products: Arc<Products>,
    pub tenant: Tenant,
    pub context: Context,
    cloud: Cloud,
    transport: Transport,
    /// The cloud that is this simulation's own, with the clock that it follows; absent where time passes as it does.
    own: Option<(Emulator, ManualClock)>,
    _folder: tempfile::TempDir,
}

/// Where the cloud is.
struct Cloud {
    base: Url,
    admin: Url,
    tenant: String,
}

impl Cloud {
    fn of(emulator: &Emulator) -> anyhow::Result<Self> {
        Ok(Self {
            base: Url::parse(&format!("http://{}", emulator.http()))?,
            admin: Url::parse(&format!("http://{}", emulator.admin()))?,
            tenant: emulator.home_tenant(),
        })
    }
}

impl Simulation {
    /// A cloud of its own, where time passes only when somebody waits for it.
    pub(crate) async fn of_its_own_time(seed: u64) -> anyhow::Result<Self> {
        let start: Timestamp = "2026-11-22T08:00:00Z".parse()?;
        let clock = ManualClock::new(start);
        let config = EmulatorConfig { seed, clock: ClockMode::Manual, start: Some(start), ..EmulatorConfig::default() };
        let emulator = Emulator::start(config).await?;
        let cloud = Cloud::of(&emulator)?;
        let simulation = Self::start(cloud, Arc::new(clock.clone()), Some((emulator, clock))).await?;
        simulation.admin(Request::put(simulation.admin_url("/throttle")?).json(&json!({ "mode": "off" }))).await?;
        Ok(simulation)
    }

    /// Over a cloud that runs already, in the time that passes.
    pub(crate) async fn over(emulator: &Emulator, context: &Context) -> anyhow::Result<Self> {
        Self::start(Cloud::of(emulator)?, Arc::clone(&context.clock), None).await
    }

    async fn start(cloud: Cloud, clock: Arc<dyn Clock>, own: Option<(Emulator, ManualClock)>) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir().context("cannot make a folder for the simulation")?;
        let global = Global {
            config: Some(folder.path().join("settings.toml")),
            database: Some(folder.path().join("sortie.db")),
            key_file: Some(folder.path().join("sortie.key")),
            state_folder: Some(folder.path().join("state")),
            proxy: Some("none".to_owned()),
            quiet: true,
            ..Global::default()
        };
        let context = Context::with_clock(global, Arc::clone(&clock));
        let path = folder.path().join("sortie.db");
        let store = Store::open(StoreOptions { path, purpose: "a simulation".to_owned(), clock })?;
        let settings = TransportSettings { proxy: ProxySetting::Direct, ..TransportSettings::default() };
        let transport = Transport::new(settings)?;
        let entra = cloud.tenant.parse()?;
        let tenant = store.add_tenant("simulated", Some(&entra), "global").await?;
        let (runner, products) = automation::runner(&store, "", &context).await?;
        let simulation = Self { store, runner, products, tenant, context, cloud, transport, own, _folder: folder };
        simulation.connect().await?;
        Ok(simulation)
    }

    /// Registers an application that holds every role, and makes the connection to it.
    async fn connect(&self) -> anyhow::Result<()> {
        let defender = BuiltIn::of(DEFENDER).context("the connector to Defender comes along")?.description();
        let mut roles: Vec<Value> = Vec::new();
        for operation in &defender.operations {
            let Some(resource) = &operation.guidance.audience else { continue };
            for role in operation.guidance.roles.iter().flat_map(|roles| roles.split(" + ")) {
                let role = json!({ "resource": resource, "value": role });
                if !roles.contains(&role) {
                    roles.push(role);
                }
            }
        }
        let body = json!({ "displayName": "sortie-simulation", "roles": roles, "secret": "generated" });
        let made = self.admin(Request::post(self.admin_url("/directory/applications")?).json(&body)).await?;
        let text = |key: &str| made[key].as_str().map(str::to_owned).with_context(|| format!("no `{key}` was made"));
        let base = &self.cloud.base;
        let all = || Some(base.clone());
        let hosts = HostOverrides { login: all(), graph: all(), xdr: all(), mde: all(), ..HostOverrides::default() };
        let microsoft = Microsoft { hosts, ..Microsoft::default() };
        let settings = ConnectionSettings {
            tenant: Some(self.cloud.tenant.clone()),
            client_id: Some(text("appId")?),
            ..ConnectionSettings::default()
        };
        let scope = self.scope();
        let row = self.store.add_connection(scope, microsoft.row("simulated-cloud".parse()?, settings)?).await?;
        let keyring = database::unlock(&self.store, &self.context).await?;
        let secret = Secret::new(text("secretText")?);
        self.store.set_secret(&keyring, scope, row.id, SECRET, &secret, None).await?;
        Ok(())
    }

    pub(crate) fn scope(&self) -> Scope {
        Scope::Tenant(self.tenant.key)
    }

    /// Takes the run as far as it goes, with time passing wherever it waits; `None` when a person must act.
    pub(crate) async fn let_go(&self, run: RunId) -> anyhow::Result<Run> {
        for _ in 0..WAKES_MAX {
            self.runner.serve_until_idle().await;
            let found = self.store.run(self.scope(), run).await?;
            let waits_for_a_person = !self.store.approvals(self.scope(), true, None, 1).await?.is_empty();
            let wake = self.runner.next_wake();
            let (Some(wake), false, None) = (wake, waits_for_a_person, found.ended) else { return Ok(found) };
            if found.status == RunStatus::NeedsAttention {
                return Ok(found);
            }
            self.pass_until(wake);
        }
        anyhow::bail!("the run waits for time again and again, and does not end")
    }

    /// Lets time pass up to the moment.
    pub(crate) fn pass_until(&self, moment: Timestamp) {
        let Some((emulator, clock)) = &self.own else { return };
        let left = moment.duration_since(clock.now());
        if left > SignedDuration::ZERO {
            let whole = SignedDuration::from_secs(left.as_secs() + i64::from(left.subsec_nanos() > 0));
            emulator.advance_clock(whole);
            clock.advance(whole);
            self.runner.clock_moved();
        }
    }

    /// What the cloud has counted.
    pub(crate) async fn counters(&self) -> anyhow::Result<Value> {
        self.admin(Request::get(self.admin_url("/counters")?)).await
    }

    fn admin_url(&self, path: &str) -> anyhow::Result<Url> {
        Ok(self.cloud.admin.join(path)?)
    }

    async fn admin(&self, request: Request) -> anyhow::Result<Value> {
        let answer = self.transport.call(request, &RetryPolicy::default(), &sortie_model::SystemClock).await?;
        anyhow::ensure!(answer.is_success(), "the simulated cloud refuses: {}", answer.text());
        Ok(answer.json().unwrap_or_default())
    }
}

const DEFENDER: &str = "microsoft-365-defender";
/// A run that waits more often than this never ends.
const WAKES_MAX: usize = 2_000;
