//! `cargo xtask soak`: coverage-guided fuzzing of every parser that reads foreign text, for as long as asked.
//!
//! The targets live in `fuzz/`, outside the workspace, because libFuzzer is C++.

use std::process::Command;

use anyhow::bail;
use clap::Args;

use crate::run::{cargo, first_line, root, run};

/// How long, and what.
#[derive(Args)]
pub(crate) struct Options {
    /// Minutes for each target.
    #[arg(long, default_value_t = 10)]
    minutes: u32,
    /// One target only; all of `fuzz/fuzz_targets` when absent.
    #[arg(long)]
    target: Option<String>,
}

/// Fuzzes each target for the given time; the first crash ends it and leaves its input in `fuzz/artifacts`.
pub(crate) fn soak(options: &Options) -> anyhow::Result<()> {
    if first_line("cargo", &["fuzz", "--version"]).is_none() {
        run("cargo-fuzz", &mut cargo(&["install", "--locked", "cargo-fuzz"]))?;
    }
    let targets = targets(options)?;
    for target in &targets {
        let seconds = format!("-max_total_time={}", options.minutes * 60);
        let mut fuzz = Command::new("cargo");
        // The sanitizers need a nightly compiler; bounds and overflow checks do not, and the code is safe Rust.
        fuzz.args([
            "fuzz",
            "run",
            "--sanitizer",
            "none",
            target,
            "--",
            &seconds,
            "-timeout=10",
            "-rss_limit_mb=2048",
            "-print_final_stats=1",
        ]);
        run(&format!("fuzz {target}"), &mut fuzz)?;
    }
    println!("{} targets, {} minutes each, no crash", targets.len(), options.minutes);
    Ok(())
}

fn targets(options: &Options) -> anyhow::Result<Vec<String>> {
    let mut targets = Vec::new();
    for entry in std::fs::read_dir(root().join("fuzz/fuzz_targets"))? {
        if let Some(name) = entry?.path().file_stem().and_then(|stem| stem.to_str()) {
            targets.push(name.to_owned());
        }
    }
    targets.sort();
    if let Some(wanted) = &options.target {
        targets.retain(|target| target == wanted);
    }
    if targets.is_empty() {
        bail!("no such fuzz target; the targets are the files of fuzz/fuzz_targets");
    }
    Ok(targets)
}
