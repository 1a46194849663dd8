//! The state that all services of one simulated cloud share.

use std::sync::{Arc, Mutex, MutexGuard};

use jiff::Timestamp;

use crate::{EmulatorConfig, clock::CloudClock, directory::Directory, signing::SigningKeys};

/// One simulated cloud. Handlers hold it as `App`.
#[derive(Debug)]
pub(crate) struct Cloud {
    pub config: EmulatorConfig,
    pub clock: CloudClock,
    pub signing: SigningKeys,
    pub directory: Mutex<Directory>,
}

pub(crate) type App = Arc<Cloud>;

impl Cloud {
    pub(crate) fn new(config: EmulatorConfig) -> Self {
        let start = config.start.unwrap_or_else(Timestamp::now);
        Self {
            clock: CloudClock::new(config.clock, start),
            signing: SigningKeys::new(),
            directory: Mutex::new(Directory::new(config.seed, start)),
            config,
        }
    }

    pub(crate) fn directory(&self) -> MutexGuard<'_, Directory> {
        self.directory.lock().expect("no code panics while it holds this lock")
    }
}
