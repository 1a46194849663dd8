//! `cargo xtask test`: the whole suite, in the order in which a failure is cheapest to see.

use std::process::Command;

use clap::Args;

use crate::{
    interop,
    run::{cargo, first_line, run},
    tidy,
};

/// What may be left out.
#[derive(Args)]
pub(crate) struct Options {
    /// Fail instead of leaving out what needs Python or Node: the continuous integration's setting.
    #[arg(long)]
    require_all: bool,
}

/// Runs everything; the first failure ends it.
pub(crate) fn test(options: &Options) -> anyhow::Result<()> {
    run("format", &mut cargo(&["fmt", "--all", "--check"]))?;
    println!("== tidy");
    tidy::tidy()?;
    run("clippy", &mut cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]))?;
    let mut environment = interop::prepare(options.require_all)?;
    environment.push(("CARGO_TERM_COLOR".into(), "never".into()));
    run("tests", rust_tests().envs(environment))?;
    run("documentation tests", &mut cargo(&["test", "--workspace", "--doc", "--locked", "--quiet"]))?;
    let mut documentation =
        cargo(&["doc", "--workspace", "--no-deps", "--document-private-items", "--locked", "--quiet"]);
    run("documentation", documentation.env("RUSTDOCFLAGS", "-D warnings"))?;
    println!("the whole suite passed");
    Ok(())
}

fn rust_tests() -> Command {
    if first_line("cargo-nextest", &["nextest", "--version"]).is_some() {
        return cargo(&["nextest", "run", "--workspace", "--locked", "--no-fail-fast"]);
    }
    println!(
        "cargo-nextest is not installed: the same tests run by `cargo test` (get it: cargo install --locked cargo-nextest)"
    );
    cargo(&["test", "--workspace", "--tests", "--locked", "--no-fail-fast"])
}
