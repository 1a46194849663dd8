//! `cargo xtask bench`: what Sortie costs, beside a baseline that runs in the same minute on the same machine.

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    process::{Child, Command, Stdio},
};

use anyhow::{Context, bail};
use serde_json::{Value, json};

use crate::run::{cargo, first_line, root, run};

/// Builds the release binary and prints one table.
pub(crate) fn bench() -> anyhow::Result<()> {
    if first_line("python3", &["--version"]).is_none() {
        bail!("the baseline needs python3 (get it: apt-get install python3)");
    }
    run("release build", &mut cargo(&["build", "--release", "--locked", "--package", "sortie-cli"]))?;
    let (token_ns, token_ns_median) = cached_token_ns()?;
    let start = measure(40, Command::new(binary()).arg("--version"))?;
    let (sortie, python) = incidents()?;
    let ratio = number(&sortie, "cpu_s")? / number(&python, "cpu_s")?;
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
    println!("{:<44} {:>10.2} s", "  sortie, CPU", number(&sortie, "cpu_s")?);
    println!("{:<44} {:>10.2} s", "  python3 urllib+json, CPU", number(&python, "cpu_s")?);
    println!("{:<44} {:>12.2} {:>14}", "  ratio", ratio, "under 0.33");
    println!("{:<44} {:>9.1} MB {:>14}", "  sortie, peak memory", number(&sortie, "peak_mb")?, "under 20 MB");
    println!("{:<44} {:>9.1} MB", "  python3, peak memory", number(&python, "peak_mb")?);
    queries()
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
    let emulator = RunningEmulator::start()?;
    emulator.admin("PUT", "/throttle", &json!({ "mode": "off" }))?;
    emulator.admin("POST", "/world/incidents", &json!({ "count": INCIDENT_COUNT }))?;
    let roles = json!([{ "resource": "graph", "value": "SecurityIncident.Read.All" }]);
    let application = emulator.admin(
        "POST",
        "/directory/applications",
        &json!({ "displayName": "bench", "roles": roles, "secret": "generated" }),
    )?;
    let text = |name: &str| {
        application[name].as_str().map(str::to_owned).with_context(|| format!("no {name} in the emulator's answer"))
    };
    let (tenant, client_id, secret) = (text("tenant")?, text("appId")?, text("secretText")?);
    let folder = root().join("target/bench");
    std::fs::create_dir_all(&folder)?;
    let config = folder.join("config.toml");
    let mut add = Command::new(binary());
    add.arg("--config").arg(&config).args([
        "connection",
        "add",
        "bench",
        "--replace",
        "--credential",
        "env:BENCH_SECRET",
    ]);
    add.args(["--tenant", &tenant, "--client-id", &client_id, "--emulator", &emulator.services]);
    run("connection", &mut add)?;
    let mut sortie = Command::new(binary());
    sortie.arg("--config").arg(&config).args(["--quiet", "-c", "bench", "incidents", "list", "--jsonl"]);
    sortie.env("BENCH_SECRET", &secret);
    let mut python = Command::new("python3");
    python.arg(root().join("bench/baseline.py")).args([&emulator.services, &tenant, &client_id, &secret]);
    let (sortie, python) = (measure(3, &sortie)?, measure(3, &python)?);
    if sortie["lines"] != python["lines"] || number(&sortie, "lines")? < f64::from(INCIDENT_COUNT) {
        bail!("the two lists differ: {} and {} lines", sortie["lines"], python["lines"]);
    }
    Ok((sortie, python))
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

/// `sortie emulator` on free ports, ended when dropped.
struct RunningEmulator {
    child: Child,
    services: String,
    admin: String,
}

impl RunningEmulator {
    fn start() -> anyhow::Result<Self> {
        let mut command = Command::new(binary());
        command.args(["--quiet", "emulator", "--http", "127.0.0.1:0", "--admin", "127.0.0.1:0"]).stdout(Stdio::piped());
        let mut child = command.spawn().context("cannot start the emulator")?;
        let mut lines = BufReader::new(child.stdout.take().context("no output")?).lines();
        let mut address = |name: &str| -> anyhow::Result<String> {
            let line = lines.next().with_context(|| format!("the emulator did not print `{name}`"))??;
            Ok(line.strip_prefix(name).with_context(|| format!("`{line}` is not `{name}`"))?.trim().to_owned())
        };
        let (services, admin) = (address("services")?, address("admin")?);
        Ok(Self { child, services, admin })
    }

    /// One call of the admin API, by hand: xtask has no HTTP client.
    fn admin(&self, method: &str, path: &str, body: &Value) -> anyhow::Result<Value> {
        let host = self.admin.trim_start_matches("http://");
        let body = body.to_string();
        let mut stream = TcpStream::connect(host)?;
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )?;
        let answer = std::io::read_to_string(stream)?;
        let (head, body) = answer.split_once("\r\n\r\n").context("the admin API answered nonsense")?;
        if !head.starts_with("HTTP/1.1 2") {
            bail!("{method} {path}: {}: {body}", head.lines().next().unwrap_or_default());
        }
        Ok(serde_json::from_str(body).unwrap_or_default())
    }
}

impl Drop for RunningEmulator {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing left to end.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

const INCIDENT_COUNT: u32 = 10_000;
