//! `sortie emulator`: the simulated Microsoft cloud until it is interrupted.

use std::{net::SocketAddr, path::PathBuf};

use clap::Args;
use jiff::Timestamp;
use sortie_emulator::{ClockMode, Emulator, EmulatorConfig, StartError};

use crate::{
    context::Context,
    exit::{Exit, Problem},
    output::say,
};

#[derive(Args)]
pub(crate) struct Arguments {
    /// Another seed is another company and other intrusions
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many times the ordinary amount of events hunting finds: about 20,000 rows at 1
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    scale: u32,
    /// Plain http for the simulated services
    #[arg(long, default_value = "127.0.0.1:8400", value_name = "ADDRESS")]
    http: SocketAddr,
    /// The same services by https, with a certificate of the emulator's own authority
    #[arg(long, value_name = "ADDRESS")]
    https: Option<SocketAddr>,
    /// The admin API: clock, faults, counters, ground truth
    #[arg(long, default_value = "127.0.0.1:8401", value_name = "ADDRESS")]
    admin: SocketAddr,
    /// An https proxy that answers in place of Microsoft's hosts, for clients that cannot be pointed elsewhere
    // It takes the place of the global option of that name, so it has that one's type.
    #[arg(long, value_name = "ADDRESS")]
    proxy: Option<String>,
    /// Folder for ca.pem, the authority's certificate
    #[arg(long, value_name = "FOLDER")]
    ca_dir: Option<PathBuf>,
    /// Serve the certificate for Microsoft's own host names and answer by the name that is asked for
    #[arg(long)]
    real_names: bool,
    /// How time passes: real, manual, or fast:FACTOR
    #[arg(long, default_value = "real", value_name = "CLOCK")]
    clock: String,
    /// Simulated time at the start; the machine's own when absent
    #[arg(long, value_name = "INSTANT")]
    start: Option<Timestamp>,
    /// Listen beyond loopback: whoever reaches it becomes administrator of this simulated cloud
    #[arg(long)]
    allow_remote: bool,
}

pub(crate) async fn run(arguments: Arguments, context: &Context) -> anyhow::Result<Exit> {
    let emulator = Emulator::start(EmulatorConfig {
        seed: arguments.seed,
        scale: arguments.scale,
        clock: clock(&arguments.clock)?,
        start: arguments.start,
        http: arguments.http,
        https: arguments.https,
        admin: arguments.admin,
        proxy: arguments.proxy.as_deref().map(address).transpose()?,
        ca_dir: arguments.ca_dir,
        real_names: arguments.real_names,
        allow_remote: arguments.allow_remote,
    })
    .await
    .map_err(start_problem)?;
    say(&format!("services  http://{}", emulator.http()))?;
    if let Some(https) = emulator.https() {
        say(&format!("services  https://{https}"))?;
    }
    if let Some(proxy) = emulator.proxy() {
        say(&format!("proxy     http://{proxy}"))?;
    }
    if let Some(ca) = emulator.ca_pem() {
        say(&format!("authority {}", ca.display()))?;
    }
    say(&format!("admin     http://{}", emulator.admin()))?;
    say(&format!("tenant    {}", emulator.home_tenant()))?;
    context.note("a simulated cloud: its tokens and data are worth nothing elsewhere; Ctrl-C ends it");
    std::future::pending::<()>().await;
    Ok(Exit::Success)
}

fn address(text: &str) -> anyhow::Result<SocketAddr> {
    text.parse().map_err(|_| {
        Problem::usage(format!("`{text}` is no address to listen on"), "Write one such as 127.0.0.1:8402.").into()
    })
}

fn start_problem(error: StartError) -> anyhow::Error {
    let next = match &error {
        StartError::NotLoopback(_) => "Listen on 127.0.0.1, or add `--allow-remote` in a network that is yours alone.",
        StartError::Bind { .. } => "Choose another address or port; port 0 takes any free one.",
        StartError::Tls(_) => "Name a folder that can be written with `--ca-dir`.",
    };
    let problem = Problem { exit: Exit::Failure, what: "the emulator did not start".to_owned(), next: next.to_owned() };
    anyhow::Error::from(error).context(problem)
}

fn clock(text: &str) -> anyhow::Result<ClockMode> {
    let fast = |factor: &str| factor.parse().ok().filter(|factor| (1..=100_000).contains(factor));
    match text {
        "real" => Ok(ClockMode::Real),
        "manual" => Ok(ClockMode::Manual),
        _ => match text.strip_prefix("fast:").and_then(fast) {
            Some(factor) => Ok(ClockMode::Fast { factor }),
            None => {
                Err(Problem::usage(format!("`{text}` is no clock"), "Write real, manual, or fast:60 (1 to 100000).")
                    .into())
            }
        },
    }
}
