//! What a caller decides before the cloud starts.

use std::{net::SocketAddr, path::PathBuf};

use jiff::Timestamp;

use crate::ClockMode;

/// Settings of one simulated cloud. `Default` is what `sortie demo` uses: free loopback ports, a real clock, seed 1.
#[derive(Clone, Debug)]
pub struct EmulatorConfig {
    /// Decides the whole world: another seed is another company and other intrusions.
    pub seed: u64,
    /// How many times the ordinary amount of events hunting finds; about 20,000 rows at 1.
    pub scale: u32,
    /// How time passes.
    pub clock: ClockMode,
    /// Simulated time at the start; `None` takes the machine's own.
    pub start: Option<Timestamp>,
    /// Plain http; refused beyond loopback unless `allow_remote`.
    pub http: SocketAddr,
    /// TLS with a certificate of the emulator's own authority.
    pub https: Option<SocketAddr>,
    /// The admin API: clock, faults, counters, ground truth.
    pub admin: SocketAddr,
    /// An HTTPS proxy (`CONNECT`) that terminates Microsoft's host names.
    pub proxy: Option<SocketAddr>,
    /// Where `ca.pem` is written when TLS or the proxy is on; `None` takes a folder in the system's temporary directory.
    pub ca_dir: Option<PathBuf>,
    /// Certificate for, and answers by, Microsoft's own host names.
    pub real_names: bool,
    /// Listen on other addresses than loopback although anyone who reaches them becomes administrator of this cloud.
    pub allow_remote: bool,
}

impl Default for EmulatorConfig {
    fn default() -> Self {
        let any_loopback_port = SocketAddr::from(([127, 0, 0, 1], 0));
        Self {
            seed: 1,
            scale: 1,
            clock: ClockMode::Real,
            start: None,
            http: any_loopback_port,
            https: None,
            admin: any_loopback_port,
            proxy: None,
            ca_dir: None,
            real_names: false,
            allow_remote: false,
        }
    }
}
