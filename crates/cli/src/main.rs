//! Sortie: security automation for Microsoft Defender XDR in one binary.
//!
//! This crate puts the others together: it reads the command line and the settings, and prints. `anyhow` lives here
//! alone.
#![expect(clippy::print_stderr, reason = "a command line talks to the person who runs it")]

mod acting;
mod api;
mod asking;
mod automation;
mod commands;
mod connections;
mod context;
mod database;
mod exit;
mod following;
mod guard;
mod input;
mod orders;
mod output;
mod product;
mod reference;
mod registration;
mod roles;
mod settings;
mod sign_in;
mod simulation;
mod state;
mod timeline;
mod times;

use std::{io::IsTerminal as _, process::ExitCode};

use clap::{Parser, builder::styling};
use tracing_subscriber::{EnvFilter, filter::LevelFilter};

use crate::{
    commands::Command,
    context::{Context, Global},
    exit::{Exit, report},
};

/// A server makes and drops many small objects on several threads; the system's allocator took a fifth of its time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Security automation for Microsoft Defender XDR.
///
/// Signs in to a tenant as an application, without a user, reads and changes incidents and alerts, hunts, and acts on
/// devices; makes any API a connector from its OpenAPI document. `sortie demo` shows the work on a tenant against a
/// simulated Microsoft cloud on this machine.
#[derive(Parser)]
#[command(name = "sortie", version, after_help = exit::EXIT_CODES, styles = STYLES, max_term_width = 110)]
#[command(propagate_version = true, arg_required_else_help = true, infer_long_args = false)]
pub(crate) struct Arguments {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

fn main() -> ExitCode {
    // Before a thread runs or a file is open, because this process gives all that up for good.
    if std::env::args_os().nth(1).is_some_and(|argument| argument == sortie_sandbox::ARGUMENT) {
        return sortie_sandbox::child_main();
    }
    let arguments = Arguments::parse();
    start_log(arguments.global.verbose);
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: cannot start: {error}");
            return Exit::Failure.into();
        }
    };
    let exit = runtime.block_on(async {
        say_when_a_file_is_too_large();
        let context = Context::new(arguments.global);
        let exit = tokio::select! {
            biased;
            // A server that is told to stop has something to end first.
            () = interrupted(), if !arguments.command.ends_by_itself() => {
                eprintln!("interrupted");
                Exit::Interrupted
            }
            ended = commands::run(arguments.command, &context) => ended.unwrap_or_else(|error| report(&error)),
        };
        context.stop_driving().await;
        exit
    });
    // Background renewals may still wait for the network; nothing that matters is left in them.
    runtime.shutdown_background();
    exit.into()
}

/// A write beyond the limit on the size of files (`ulimit -f`) fails like one on a full disk, and its error says what to
/// do; without a handler for the signal the system would end the process without a word.
fn say_when_a_file_is_too_large() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        // The handler stays when the listener goes. Without it the limit is as silent as before, and nothing else is lost.
        drop(signal(SignalKind::from_raw(libc::SIGXFSZ)));
    }
}

/// Ctrl-C, or the request of a service manager to stop.
pub(crate) async fn interrupted() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Logs go to standard error, of our own crates alone: libraries below may log what we would not.
fn start_log(verbose: u8) {
    let level = match verbose {
        0 => LevelFilter::WARN,
        1 => LevelFilter::INFO,
        2 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    let ours = [
        "sortie",
        "sortie_transport",
        "sortie_identity",
        "sortie_defender",
        "sortie_emulator",
        "sortie_runner",
        "sortie_server",
        "sortie_store",
    ];
    let directives = ours.map(|target| format!("{target}={level}")).join(",");
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(directives))
        .with_writer(std::io::stderr)
        .with_ansi(colour)
        .without_time()
        .init();
}

const STYLES: styling::Styles = styling::Styles::styled()
    .header(styling::AnsiColor::Green.on_default().bold())
    .usage(styling::AnsiColor::Green.on_default().bold())
    .literal(styling::AnsiColor::Cyan.on_default().bold())
    .placeholder(styling::AnsiColor::Cyan.on_default());
