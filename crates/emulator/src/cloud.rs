//! The state that all services of one simulated cloud share.

use std::sync::{Arc, Mutex, MutexGuard};

use jiff::Timestamp;

use crate::{
    EmulatorConfig,
    clock::CloudClock,
    counters::Counters,
    directory::Directory,
    faults::Faults,
    hunting::Hunting,
    signing::SigningKeys,
    throttle::Throttle,
    vault::Vaults,
    world::{Ticks, Worlds},
};

/// One simulated cloud. Handlers hold it as `App`.
#[derive(Debug)]
pub(crate) struct Cloud {
    pub config: EmulatorConfig,
    pub clock: CloudClock,
    pub signing: SigningKeys,
    pub directory: Mutex<Directory>,
    pub worlds: Worlds,
    pub throttle: Throttle,
    pub counters: Counters,
    pub faults: Faults,
    pub hunting: Hunting,
    pub vaults: Vaults,
}

pub(crate) type App = Arc<Cloud>;

impl Cloud {
    pub(crate) fn new(config: EmulatorConfig) -> Self {
        let start = config.start.unwrap_or_else(Timestamp::now);
        let directory = Directory::new(config.seed, start);
        Self {
            worlds: Worlds::new(config.seed, Ticks::from(start), &directory.tenants[0].id),
            throttle: Throttle::default(),
            counters: Counters::default(),
            faults: Faults::new(config.seed),
            hunting: Hunting::default(),
            vaults: Vaults::default(),
            clock: CloudClock::new(config.clock, start),
            signing: SigningKeys::new(),
            directory: Mutex::new(directory),
            config,
        }
    }

    pub(crate) fn directory(&self) -> MutexGuard<'_, Directory> {
        self.directory.lock().expect("no code panics while it holds this lock")
    }
}
