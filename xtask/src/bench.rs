//! `cargo xtask bench`: what Sortie costs, beside a baseline that runs in the same minute on the same machine.

mod cloud;
mod connectors;
mod workflows;

use std::{
    cmp::Ordering,
    process::{Command, Stdio},
};

use anyhow::{Context, bail};
use serde_json::Value;

use self::cloud::Cloud;
use crate::run::{cargo, first_line, root, run};

/// Builds the release binary and prints one table.
pub(crate) fn bench() -> anyhow::Result<()> {
    if first_line("python3", &["--version"]).is_none() {
        bail!("the baseline needs python3 (get it: apt-get install python3)");
    }
    run("release build", &mut cargo(&["build", "--release", "--locked", "--package", "sortie-cli"]))?;
    let (token_ns, token_ns_median) = cached_token_ns()?;
    let start = measure(40, Command::new(binary()).arg("--version"))?;
    let (listed, watched, hunted) = (incidents()?, changes()?, rows()?);
    println!("\n{:<44} {:>12} {:>14}", "what", "measured", "aim");
    println!("{:<44} {token_ns:>9} ns {:>14}", "cached token, one read, best round", "under 200 ns");
    println!("{:<44} {token_ns_median:>9} ns", "cached token, one read, median round");
    println!(
        "{:<44} {:>9.1} ms {:>14}",
        "sortie --version, best start",
        number(&start, "wall_s_min")? * 1e3,
        "under 10 ms"
    );
    println!("{:<44} {:>9.1} ms", "sortie --version, median start", number(&start, "wall_s")? * 1e3);
    println!("{INCIDENT_COUNT} incidents to JSON lines:");
    compared(&listed, 1.0, "under 0.33", "under 20 MB")?;
    println!("incidents watch, {CHANGE_COUNT} changes; CPU is for 1000 of them:");
    compared(&watched, 1_000.0 / number(&watched.0, "lines")?, "", "")?;
    println!("hunt, {ROW_COUNT} rows to JSON lines:");
    compared(&hunted, 1.0, "", "under 50 MB")?;
    queries()?;
    connectors::bench()?;
    workflows::bench()
}

/// Four lines: CPU of both times `share`, their ratio, and their memory.
fn compared((sortie, python): &(Value, Value), share: f64, ratio: &str, memory: &str) -> anyhow::Result<()> {
    let (ours, theirs) = (number(sortie, "cpu_s")? * share, number(python, "cpu_s")? * share);
    println!("{:<44} {ours:>10.3} s", "  sortie, CPU");
    println!("{:<44} {theirs:>10.3} s", "  python3 urllib+json, CPU");
    println!("{:<44} {:>12.2} {ratio:>14}", "  ratio", ours / theirs);
    println!("{:<44} {:>9.1} MB {memory:>14}", "  sortie, peak memory", number(sortie, "peak_mb")?);
    println!("{:<44} {:>9.1} MB", "  python3, peak memory", number(python, "peak_mb")?);
    Ok(())
}

/// The same questions over the same million rows, by our evaluator and by Python's SQLite; the answers must agree.
fn queries() -> anyhow::Result<()> {
    let ours = printed(
        "million rows",
        &mut cargo(&["bench", "--locked", "--quiet", "--package", "sortie-kql", "--bench", "million"]),
    )?;
    let theirs = printed("SQLite", Command::new("python3").arg(root().join("bench/kql_baseline.py")))?;
    println!("1,000,000 rows, CPU:");
    for line in theirs.lines() {
        let (name, rest) = line.split_once(' ').context("the baseline printed nonsense")?;
        let own =
            ours.lines().find_map(|line| line.strip_prefix(name)).with_context(|| format!("no figure for {name}"))?;
        let (seconds, answer) = own.trim().split_once(' ').context("the benchmark printed nonsense")?;
        let (baseline, expected) = rest.split_once(' ').context("the baseline printed nonsense")?;
        if answer != expected {
            bail!("{name}: {answer} here, {expected} from SQLite");
        }
        println!("{:<44} {seconds:>10} s {:>14}", format!("  {name}"), format!("SQLite {baseline} s"));
    }
    for name in ["memory_mb", "peak_mb"] {
        let figure = ours.lines().find_map(|line| line.strip_prefix(name)).context("no figure of memory")?;
        println!("{:<44} {:>9} MB", format!("  {name}"), figure.trim());
    }
    Ok(())
}

fn printed(what: &str, command: &mut Command) -> anyhow::Result<String> {
    let output = command
        .current_dir(root())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot start {what}"))?;
    if !output.status.success() {
        bail!("{what} failed");
    }
    String::from_utf8(output.stdout).with_context(|| format!("{what} printed no text"))
}

/// Nanoseconds of the best and of the median round.
fn cached_token_ns() -> anyhow::Result<(u64, u64)> {
    let output = cargo(&["bench", "--locked", "--quiet", "--package", "sortie-cli", "--bench", "cached_token"])
        .current_dir(root())
        .stderr(Stdio::inherit())
        .output()
        .context("cannot start cargo bench")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let figures = text.lines().last().and_then(|line| {
        let (best, median) = line.trim().split_once(' ')?;
        Some((best.parse().ok()?, median.parse().ok()?))
    });
    figures.context("the benchmark printed no figures")
}

/// The same list by Sortie and by the baseline, from one emulator.
fn incidents() -> anyhow::Result<(Value, Value)> {
    let cloud = Cloud::start()?;
    cloud.add_incidents(INCIDENT_COUNT)?;
    let sortie = measure(3, &cloud.sortie(&["incidents", "list", "--jsonl"]))?;
    let python = measure(3, &cloud.python(&["list"]))?;
    same_lines(&sortie, &python, INCIDENT_COUNT)?;
    Ok((sortie, python))
}

/// Changes as they are handed on to a watcher who knows all that came before, and to a baseline that only asks for what
/// changed since a time: it keeps no place and drops no repetition.
fn changes() -> anyhow::Result<(Value, Value)> {
    let mut measured = Vec::new();
    for _ in 0..3 {
        // The changes of an earlier look would be read again with the next ones, for a watcher looks back a while.
        let cloud = Cloud::start()?;
        let watch = cloud.sortie(&["incidents", "watch", "--once", "--jsonl"]);
        measure(1, &watch)?;
        let since = cloud.now()?;
        cloud.add_incidents(CHANGE_COUNT)?;
        let sortie = measure(1, &watch)?;
        let python = measure(1, &cloud.python(&["list", &format!("lastUpdateDateTime ge {since}")]))?;
        same_lines(&sortie, &python, CHANGE_COUNT)?;
        measured.push((sortie, python));
    }
    measured.sort_by(|one, other| {
        one.0["cpu_s"].as_f64().partial_cmp(&other.0["cpu_s"].as_f64()).unwrap_or(Ordering::Equal)
    });
    Ok(measured.swap_remove(1))
}

/// A hundred thousand rows of a query as JSON lines.
fn rows() -> anyhow::Result<(Value, Value)> {
    let cloud = Cloud::start()?;
    let sortie = measure(3, &cloud.sortie(&["hunt", QUERY, "--jsonl"]))?;
    let python = measure(3, &cloud.python(&["hunt", QUERY]))?;
    same_lines(&sortie, &python, ROW_COUNT)?;
    Ok((sortie, python))
}

fn same_lines(sortie: &Value, python: &Value, least: u32) -> anyhow::Result<()> {
    if sortie["lines"] != python["lines"] || number(sortie, "lines")? < f64::from(least) {
        bail!("the two differ: {} and {} lines, and {least} were to be there", sortie["lines"], python["lines"]);
    }
    Ok(())
}

/// Runs the command through `bench/measure.py`, which reads the kernel's accounts of it.
fn measure(runs: u32, command: &Command) -> anyhow::Result<Value> {
    let mut measured = Command::new("python3");
    measured
        .arg(root().join("bench/measure.py"))
        .arg(runs.to_string())
        .arg(command.get_program())
        .args(command.get_args());
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            measured.env(name, value);
        }
    }
    let output = measured.stderr(Stdio::inherit()).output().context("cannot start python3")?;
    if !output.status.success() {
        bail!("{:?} failed", command.get_program());
    }
    serde_json::from_slice(&output.stdout).context("bench/measure.py printed no JSON")
}

fn number(value: &Value, name: &str) -> anyhow::Result<f64> {
    value[name].as_f64().with_context(|| format!("no {name} in {value}"))
}

fn binary() -> std::path::PathBuf {
    root().join("target/release/sortie")
}

const INCIDENT_COUNT: u32 = 10_000;
const CHANGE_COUNT: u32 = 5_000;
const ROW_COUNT: u32 = 100_000;
/// As many rows as an answer may have, each about as long as one of a process event that names its columns.
const QUERY: &str = "range ReportId from 1 to 100000 step 1 \
     | extend Timestamp = datetime(2026-11-01) + ReportId * 7s, DeviceId = strcat('9f2c41d7b3a85e60c1d2f3a4b5c6d7e8f901', 1000 + ReportId % 500) \
     | extend DeviceName = strcat('device-', ReportId % 500, '.haldenmarine.example'), FileName = 'powershell.exe' \
     | extend ProcessCommandLine = strcat('powershell.exe -NoProfile -File C:\\\\Tasks\\\\', ReportId, '.ps1')";
