//! From the command line and the settings to a signed-in client.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};

use anyhow::Context as _;
use clap::Args;
use sortie_defender::Defender;
use sortie_identity::{Application, AuthorizedClient, AzureEnvironment, EndpointVersion, HostOverrides, TokenSource};
use sortie_model::{Clock, ConnectionName, SystemClock};
use sortie_server::Server;
use sortie_store::{Store, TenantKey};
use sortie_transport::{ClientCertificate, ProxySetting, Transport, TransportSettings, Wait, WaitReason};
use url::Url;

use crate::{
    connections::{self, ConnectionPath, SHARED_NAME},
    exit::{Exit, Problem, report},
    following::Driving,
    input::Terminal,
    product::{DefenderConnection, Kept, Microsoft, Way},
    settings::{self, Settings},
};

/// Options of every command.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Global {
    /// Connection to use, instead of the current one; for `call`, instead of the only one of its connector. With a tenant of
    /// ours in front where several have one of that name: contoso/defender
    #[arg(
        long,
        short = 'c',
        global = true,
        env = "SORTIE_CONNECTION",
        value_name = "NAME",
        help_heading = "Global options"
    )]
    pub connection: Option<ConnectionPath>,
    /// Settings file, instead of the usual one
    #[arg(long, global = true, value_name = "FILE", help_heading = "Global options")]
    pub config: Option<PathBuf>,
    /// PEM file with further certificate authorities to trust
    #[arg(long, global = true, env = "SORTIE_CA_BUNDLE", value_name = "FILE", help_heading = "Global options")]
    pub ca_bundle: Option<PathBuf>,
    /// Proxy for https, instead of the usual variables; `none` for no proxy at all
    #[arg(long, global = true, value_name = "URL", help_heading = "Global options")]
    pub proxy: Option<String>,
    /// Wait at most so many seconds for one answer, instead of 60 for its start and 120 for all of it (240 for a query)
    #[arg(
        long,
        global = true,
        env = "SORTIE_TIMEOUT",
        value_name = "SECONDS",
        value_parser = clap::value_parser!(u64).range(1..=3600),
        help_heading = "Global options"
    )]
    pub timeout: Option<u64>,
    /// Folder for what outlives a run: orders to devices, places in streams; instead of the usual one
    #[arg(long, global = true, env = "SORTIE_STATE", value_name = "FOLDER", help_heading = "Global options")]
    pub state_folder: Option<PathBuf>,
    /// Database of connectors and their connections, instead of the usual one
    #[arg(long, global = true, env = "SORTIE_DATABASE", value_name = "FILE", help_heading = "Global options")]
    pub database: Option<PathBuf>,
    /// File with the key that seals secrets in the database, instead of the one beside it
    #[arg(long, global = true, env = "SORTIE_KEY_FILE", value_name = "FILE", help_heading = "Global options")]
    pub key_file: Option<PathBuf>,
    /// Say more on standard error; twice and thrice for more still
    #[arg(long, short = 'v', global = true, action = clap::ArgAction::Count, help_heading = "Global options")]
    pub verbose: u8,
    /// Say nothing on standard error but errors
    #[arg(long, short = 'q', global = true, help_heading = "Global options")]
    pub quiet: bool,
}

/// Whether one tenant is asked or several.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct TenantArguments {
    /// Ask the tenants of all connections, one after another, instead of the chosen one; or through all connections of one
    /// tenant of `sortie tenant list`
    #[arg(long, value_name = "all|NAME")]
    tenant: Option<ConnectionName>,
}

/// Whom a command asks.
#[derive(Debug)]
pub(crate) struct Sessions {
    pub sessions: Vec<Session>,
    /// All tenants were asked for, be it one connection or many.
    pub all: bool,
    /// Success, or that of a connection that cannot be used.
    pub exit: Exit,
}

/// What every command is given.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    pub global: Global,
    pub clock: Arc<dyn Clock>,
    /// The database that this process holds for as long as it lives.
    held: Arc<OnceLock<Store>>,
    /// What takes runs further in this process, where a command has asked for that.
    driving: Arc<Mutex<Option<Driving>>>,
}

/// A connection that is ready to be used; the token is fetched by the first call.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    /// The connection's name, or [`ENVIRONMENT`].
    pub name: String,
    /// Whose connection it is; shared where it is nobody's own.
    pub owner: TenantKey,
    pub application: Application,
    pub transport: Transport,
    pub client: AuthorizedClient,
    pub defender: Defender,
}

impl Context {
    pub(crate) fn new(global: Global) -> Self {
        Self::with_clock(global, Arc::new(SystemClock))
    }

    pub(crate) fn with_clock(global: Global, clock: Arc<dyn Clock>) -> Self {
        Self { global, clock, held: Arc::default(), driving: Arc::default() }
    }

    /// Whoever opens the database from here on gets this one: the process has it, and nobody else can.
    pub(crate) fn hold(&self, store: &Store) {
        // Only the first one holds; a process has one database.
        let _ = self.held.set(store.clone());
    }

    /// The database that this process holds.
    pub(crate) fn held(&self) -> Option<Store> {
        self.held.get().cloned()
    }

    /// Takes runs further in this process until the command has ended, however it ends.
    pub(crate) fn drive(&self, server: Server) {
        let mut driving = self.driving.lock().expect("no code panics while it holds this lock");
        driving.get_or_insert_with(|| Driving::start(server));
    }

    /// Lets what is at work come to a commit. An interrupt ends that: then it goes on from its last one.
    pub(crate) async fn stop_driving(&self) {
        let driving = self.driving.lock().expect("no code panics while it holds this lock").take();
        let Some(driving) = driving else { return };
        let mut stopping = std::pin::pin!(driving.stop());
        let told = async {
            tokio::time::sleep(SILENT_FOR).await;
            self.note(
                "what is at work comes to a commit first; Ctrl-C ends at once, and it goes on later from its last one",
            );
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = &mut stopping => {}
            () = told => {}
            () = crate::interrupted() => {}
        }
    }

    /// Where the settings file is.
    pub(crate) fn settings_path(&self) -> anyhow::Result<PathBuf> {
        match &self.global.config {
            Some(path) => Ok(path.clone()),
            None => settings::default_path(),
        }
    }

    pub(crate) fn settings(&self) -> anyhow::Result<Settings> {
        Settings::load(&self.settings_path()?)
    }

    /// The way out, with the command line before the settings.
    pub(crate) fn transport(&self, settings: &Settings) -> anyhow::Result<Transport> {
        self.transport_with(settings, None, None)
    }

    /// The same with what one connection trusts beside, and what proves it.
    pub(crate) fn transport_with(
        &self,
        settings: &Settings,
        further_ca_bundle: Option<PathBuf>,
        client_certificate: Option<ClientCertificate>,
    ) -> anyhow::Result<Transport> {
        let proxy = match self.global.proxy.as_deref() {
            Some("none") => ProxySetting::Direct,
            Some(text) => ProxySetting::Url(parse_proxy(text)?),
            None => settings.network.proxy.clone().map_or(ProxySetting::Environment, ProxySetting::Url),
        };
        let ca_bundle = self.global.ca_bundle.clone().or_else(|| settings.network.ca_bundle.clone());
        let mut transport = TransportSettings {
            ca_bundle,
            further_ca_bundle,
            client_certificate,
            proxy,
            ..TransportSettings::default()
        };
        if let Some(timeout) = self.global.timeout.map(Duration::from_secs) {
            (transport.first_byte_timeout, transport.total_timeout) = (timeout, timeout);
            transport.long_timeout = timeout;
            transport.connect_timeout = transport.connect_timeout.min(timeout);
        }
        let transport = Transport::new(transport)?;
        Ok(if self.global.quiet { transport } else { transport.on_wait(tell_wait) })
    }

    /// The chosen connection, with its credential loaded.
    pub(crate) async fn session(&self) -> anyhow::Result<Session> {
        self.session_of(&self.choose().await?).await
    }

    /// One session, or one of every connection where all tenants are asked. A connection that cannot be used is reported
    /// and left out; its exit code comes along.
    pub(crate) async fn sessions(&self, tenants: TenantArguments) -> anyhow::Result<Sessions> {
        let Some(tenant) = tenants.tenant else {
            return Ok(Sessions { sessions: vec![self.session().await?], all: false, exit: Exit::Success });
        };
        let mut connections = connections::of_defender(self).await?;
        match tenant.as_str() {
            "all" => {}
            SHARED_NAME => connections.retain(|one| one.owner().is_none()),
            name => connections.retain(|one| one.owner() == Some(name)),
        }
        if connections.is_empty() {
            let what = match tenant.as_str() {
                "all" => "there is no connection to a tenant yet".to_owned(),
                name => format!("tenant {name} has no connection to Microsoft Defender"),
            };
            return Err(Problem::usage(what, "Add some with `sortie connection add`, or leave `--tenant` out.").into());
        }
        let (mut sessions, mut exit) = (Vec::new(), Exit::Success);
        for connection in connections {
            match self.session_of(&connection).await {
                Ok(session) => sessions.push(session),
                Err(error) => exit = report(&error.context(format!("connection `{}`", connection.name))),
            }
        }
        Ok(Sessions { sessions, all: true, exit })
    }

    /// The same for a command that says itself what looks wrong with the credential.
    pub(crate) async fn session_unremarked(&self) -> anyhow::Result<Session> {
        self.load(&self.choose().await?).await
    }

    /// A session of this connection.
    pub(crate) async fn session_of(&self, connection: &DefenderConnection) -> anyhow::Result<Session> {
        let session = self.load(connection).await?;
        if let Some(warning) = session.application.credential.warning() {
            self.note(&warning.to_string());
        }
        Ok(session)
    }

    async fn load(&self, connection: &DefenderConnection) -> anyhow::Result<Session> {
        let credential = connection.load(self).await?;
        let application = connection.application(credential);
        let transport = connection.way.unguarded(self)?;
        let session = Session::new(connection.name.clone(), application, transport, Arc::clone(&self.clock));
        let owner = connection.row.as_ref().map_or(TenantKey::SHARED, |row| row.tenant);
        Ok(Session { owner, ..session })
    }

    /// `--connection`, else the current one, else the only one, else the usual `AZURE_*` variables.
    pub(crate) async fn choose(&self) -> anyhow::Result<DefenderConnection> {
        let mut connections = connections::of_defender(self).await?;
        if let Some(path) = &self.global.connection {
            return Ok(connections::pick(connections, path)?);
        }
        if let Some(path) = self.settings()?.current {
            return Ok(connections::pick_current(connections, &path)?);
        }
        if connections.len() == 1 {
            return Ok(connections.remove(0));
        }
        match from_environment() {
            Ok(Some(connection)) => return Ok(connection),
            // The secret alone may well be there for connections that refer to it; then those are what is meant.
            Err(error) if connections.is_empty() => return Err(error),
            Ok(None) | Err(_) => {}
        }
        let (what, next) = match connections.is_empty() {
            true => (
                "there is no connection to a tenant yet",
                "Add one with `sortie connection add`, let `sortie app register` make one, or set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET.",
            ),
            false => (
                "several connections exist and none is chosen",
                "Name one with `--connection`, or choose with `sortie connection use NAME`.",
            ),
        };
        Err(Problem::usage(what, next).into())
    }

    /// A line on standard error about something that went on, unless quiet.
    pub(crate) fn note(&self, text: &str) {
        if !self.global.quiet {
            eprintln!("note:  {}", crate::output::visible(text));
        }
    }
}

impl Session {
    /// A session of an application, with a cache of its own.
    pub(crate) fn new(name: String, application: Application, transport: Transport, clock: Arc<dyn Clock>) -> Self {
        let tokens = TokenSource::new(transport.clone(), clock, application.clone());
        let client = AuthorizedClient::new(transport.clone(), tokens);
        let defender = Defender::new(client.clone(), &application, transport.gate());
        Self { name, owner: TenantKey::SHARED, application, transport, client, defender }
    }

    /// The same application at the other token endpoint.
    pub(crate) fn with_endpoint(&self, endpoint: EndpointVersion, context: &Context) -> Self {
        let application = Application { endpoint, ..self.application.clone() };
        let session = Self::new(self.name.clone(), application, self.transport.clone(), Arc::clone(&context.clock));
        Self { owner: self.owner, ..session }
    }
}

/// A connection from the usual `AZURE_*` variables; `None` where none of the three that it needs is set.
fn from_environment() -> anyhow::Result<Option<DefenderConnection>> {
    let environment = AzureEnvironment::read(&Terminal)?;
    let (tenant, client_id, credential) = match (environment.tenant, environment.client_id, environment.credential) {
        (None, None, None) => return Ok(None),
        (Some(tenant), Some(client_id), Some(credential)) => (tenant, client_id, credential),
        (tenant, client_id, credential) => {
            let missing = [
                ("AZURE_TENANT_ID", tenant.is_none()),
                ("AZURE_CLIENT_ID", client_id.is_none()),
                (
                    "one of AZURE_CLIENT_SECRET, AZURE_CLIENT_CERTIFICATE_PATH and AZURE_FEDERATED_TOKEN_FILE",
                    credential.is_none(),
                ),
            ];
            let missing: Vec<_> = missing.iter().filter(|(_, missing)| *missing).map(|(name, _)| *name).collect();
            let what = format!("the AZURE_* variables are incomplete: {} is not set", missing.join(" and "));
            let next = "Set it, or add a connection with `sortie connection add`.";
            return Err(Problem::usage(what, next).into());
        }
    };
    let hosts = HostOverrides { login: environment.authority_host, ..HostOverrides::default() };
    Ok(Some(DefenderConnection {
        name: ENVIRONMENT.to_owned(),
        tenant: tenant.parse().context("AZURE_TENANT_ID is not usable").map_err(usage)?,
        client_id: client_id.parse().context("AZURE_CLIENT_ID is not usable").map_err(usage)?,
        microsoft: Microsoft { hosts, ..Microsoft::default() },
        way: Way::default(),
        credential: Kept::Reference(credential),
        row: None,
    }))
}

/// A variable that holds the wrong thing is a mistake of the set-up.
fn usage(error: anyhow::Error) -> anyhow::Error {
    let next = "Copy the ids from the application's Overview page: Application (client) ID and Directory (tenant) ID.";
    Problem::usage(crate::exit::sentence(&error), next).into()
}

fn parse_proxy(text: &str) -> anyhow::Result<Url> {
    parse_url("--proxy", text)
}

fn parse_url(name: &str, text: &str) -> anyhow::Result<Url> {
    Url::parse(text).map_err(|_| {
        Problem::usage(format!("{name} is not a URL"), "Write it whole, such as `https://host:port`.").into()
    })
}

/// How long the end of a command may take before it says why.
const SILENT_FOR: Duration = Duration::from_secs(1);

/// The name of what the `AZURE_*` variables describe.
pub(crate) const ENVIRONMENT: &str = "environment";

fn tell_wait(wait: &Wait) {
    let seconds = wait.duration.as_secs_f64();
    if seconds < 1.0 {
        return;
    }
    let reason = match wait.reason {
        WaitReason::Quota => "this API's quota is used up".to_owned(),
        WaitReason::ServiceAsked { status } => format!("{} asked for it (status {status})", wait.host),
        WaitReason::ServiceFailed { status } => format!("{} failed (status {status})", wait.host),
        WaitReason::NoAnswer => format!("{} did not answer", wait.host),
    };
    eprintln!("note:  waiting {seconds:.0} s: {reason}");
}
