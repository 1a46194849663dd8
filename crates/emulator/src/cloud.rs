//! The state that all services of one simulated cloud share.

use std::sync::Arc;

use crate::{EmulatorConfig, clock::CloudClock};

/// One simulated cloud. Handlers hold it as `App`.
#[derive(Debug)]
pub(crate) struct Cloud {
    pub config: EmulatorConfig,
    pub clock: CloudClock,
}

pub(crate) type App = Arc<Cloud>;
