//! What the API stands on, and its bounds.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, atomic::AtomicBool},
    time::Duration,
};

use sortie_model::Clock;
use sortie_runner::{Outside, Runner};
use sortie_store::{Keyring, Store};
use tokio::sync::{Semaphore, watch};

use crate::{Problem, failures::Failures, hooks::Plans};

/// What the API stands on.
#[derive(Clone)]
pub struct App {
    /// Where everything is.
    pub store: Store,
    /// Takes runs further.
    pub runner: Runner,
    /// Where products are.
    pub outside: Arc<dyn Outside>,
    /// What it takes for now.
    pub clock: Arc<dyn Clock>,
    /// The rest.
    pub options: Options,
}

/// How the API works.
#[derive(Clone)]
pub struct Options {
    /// Opens the secrets; asked when a webhook needs them.
    pub unlock: Unlock,
    /// Where others reach the API, without a slash at its end; empty where nothing serves it.
    pub public_url: String,
    /// Of the program.
    pub version: &'static str,
    /// The bounds.
    pub bounds: Bounds,
}

/// Opens the secrets of the database.
pub type Unlock = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Result<Keyring, Problem>> + Send>> + Send + Sync>;

/// How much and how long.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Until a request is answered.
    pub request: Duration,
    /// Until a body has come.
    pub body: Duration,
    /// Until a webhook's run has answered; then its address is the answer.
    pub answer: Duration,
    /// Between two signs of life of the feed.
    pub heartbeat: Duration,
    /// Until a reader of the feed must come again, and prove itself again.
    pub feed: Duration,
    /// Readers of the feed at once.
    pub feeds: usize,
    /// Bytes of bodies in memory at once, in kilobytes.
    pub bodies_kb: usize,
    /// Failed proofs of one address within a minute; beyond it, it is not listened to until the minute is over.
    pub failures: u32,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            request: Duration::from_secs(30),
            body: Duration::from_secs(20),
            answer: Duration::from_secs(30),
            heartbeat: Duration::from_secs(15),
            feed: Duration::from_secs(300),
            feeds: 256,
            bodies_kb: 64 << 10,
            failures: 20,
        }
    }
}

/// What all requests share.
pub(crate) struct Shared {
    pub app: App,
    /// Of tokens.
    pub failures: Failures,
    /// Of signatures of webhooks.
    pub hook_failures: Failures,
    pub feeds: Arc<Semaphore>,
    pub bodies: Arc<Semaphore>,
    pub keyring: tokio::sync::Mutex<Option<Keyring>>,
    pub plans: Mutex<Plans>,
    /// Whether runs are taken further.
    pub serves: AtomicBool,
    /// Turns when the server is to stop.
    pub stop: watch::Sender<bool>,
}

impl Shared {
    pub(crate) fn of(app: App) -> Arc<Self> {
        let bounds = app.options.bounds;
        Arc::new(Self {
            failures: Failures::at_most(bounds.failures),
            hook_failures: Failures::at_most(bounds.failures),
            feeds: Arc::new(Semaphore::new(bounds.feeds)),
            bodies: Arc::new(Semaphore::new(bounds.bodies_kb)),
            keyring: tokio::sync::Mutex::default(),
            plans: Mutex::default(),
            serves: AtomicBool::new(false),
            stop: watch::Sender::new(false),
            app,
        })
    }

    /// The key of the secrets, unlocked once.
    pub(crate) async fn keyring(&self) -> Result<Keyring, Problem> {
        let mut known = self.keyring.lock().await;
        if let Some(keyring) = &*known {
            return Ok(keyring.clone());
        }
        let keyring = (self.app.options.unlock)().await?;
        Ok(known.insert(keyring).clone())
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App").field("store", &self.store).finish_non_exhaustive()
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options").field("public_url", &self.public_url).finish_non_exhaustive()
    }
}
