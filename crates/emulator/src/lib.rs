//! A simulated Microsoft cloud on this machine: Entra, Graph and Defender, with a world that unfolds and faults on demand.
//!
//! It is an independent reading of what Microsoft documents and shares no code with Sortie's clients: what both
//! agree on was written twice. It listens on loopback, signs with keys of its own, and never leaves the machine.

mod caller;
mod clock;
mod cloud;
mod config;
mod connect_proxy;
mod directory;
mod directory_admin;
mod dispatch;
mod entra;
mod graph_answer;
mod imds;
mod jwt;
mod server;
mod setup;
mod signing;
mod tls;
mod world;

pub use clock::ClockMode;
pub use config::EmulatorConfig;
pub use server::{Emulator, StartError};
pub use tls::TlsError;
