//! The project's own commands: `cargo xtask test | tidy | bench | soak | package`.
#![expect(clippy::print_stdout, reason = "this program talks to the person who runs it")]

mod bench;
mod interop;
mod licences;
mod package;
mod run;
mod soak;
mod suite;
mod tidy;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The project's own commands.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Sets up what is missing and passes the whole suite: format, tidy, clippy, tests, interop, docs.
    Test(suite::Options),
    /// Checks dependency arrows, licences, sizes and stray files.
    Tidy,
    /// Measures Sortie beside a baseline in one run and prints the ratios.
    Bench,
    /// Kills the binary and fuzzes the parsers for a long time; the suite does a small part of both.
    Soak(soak::Options),
    /// Makes a Debian package of the binary, its unit and what belongs to them.
    Package(package::Options),
}

fn main() -> ExitCode {
    let ended = match Arguments::parse().command {
        Command::Test(options) => suite::test(&options),
        Command::Tidy => tidy::tidy(),
        Command::Bench => bench::bench(),
        Command::Soak(options) => soak::soak(&options),
        Command::Package(options) => package::package(&options),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("failed: {error:#}");
            ExitCode::FAILURE
        }
    }
}
