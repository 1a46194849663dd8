//! A simulated Microsoft cloud on this machine: Entra, Graph and Defender, with a world that unfolds and faults on demand.
//!
//! It is an independent reading of what Microsoft documents and shares no code with Sortie's clients: what both
//! agree on was written twice. It listens on loopback, signs with keys of its own, and never leaves the machine.

mod admin;
mod admin_machines;
mod caller;
mod clock;
mod cloud;
mod config;
mod connect_proxy;
mod counters;
mod directory;
mod directory_admin;
mod dispatch;
mod entra;
mod faults;
mod graph_answer;
mod graph_security;
mod hunting;
mod imds;
mod jwt;
mod mdca;
mod mde;
mod odata;
mod pipeline;
mod server;
mod setup;
mod signing;
mod throttle;
mod tls;
mod vault;
mod world;
mod xdr;

pub use clock::ClockMode;
pub use config::EmulatorConfig;
#[doc(hidden)]
pub use odata::{FilterError, ParsedFilter, parse_odata_filter};
pub use server::{Emulator, StartError};
pub use tls::TlsError;
