//! A running emulator, and an application in it that Sortie and the baseline both use.

use std::{
    io::{BufRead, BufReader, Lines, Write},
    net::TcpStream,
    path::PathBuf,
    process::{Child, ChildStdout, Command, Stdio},
};

use anyhow::{Context, bail};
use serde_json::{Value, json};

use super::binary;
use crate::run::{root, run};

/// The emulator, its application and the settings of a user who knows both.
pub(super) struct Cloud {
    emulator: RunningEmulator,
    tenant: String,
    client_id: String,
    secret: String,
    folder: PathBuf,
}

impl Cloud {
    /// Starts it without limits on calls, so that nobody waits.
    pub(super) fn start() -> anyhow::Result<Self> {
        let emulator = RunningEmulator::start()?;
        emulator.admin("PUT", "/throttle", &json!({ "mode": "off" }))?;
        let roles = ["SecurityIncident.Read.All", "ThreatHunting.Read.All"];
        let roles = roles.map(|role| json!({ "resource": "graph", "value": role }));
        let order = json!({ "displayName": "bench", "roles": roles, "secret": "generated" });
        let application = emulator.admin("POST", "/directory/applications", &order)?;
        let text = |name: &str| {
            application[name].as_str().map(str::to_owned).with_context(|| format!("no {name} in the emulator's answer"))
        };
        let (tenant, client_id, secret) = (text("tenant")?, text("appId")?, text("secretText")?);
        let folder = root().join("target/bench");
        // Places in streams of an earlier run would begin elsewhere.
        if folder.exists() {
            std::fs::remove_dir_all(&folder)?;
        }
        std::fs::create_dir_all(&folder)?;
        let cloud = Self { emulator, tenant, client_id, secret, folder };
        let mut add = cloud.sortie(&["connection", "add", "bench", "--credential", "env:BENCH_SECRET"]);
        add.args(["--tenant", &cloud.tenant, "--client-id", &cloud.client_id]);
        run("connection", add.args(["--emulator", &cloud.emulator.services]))?;
        Ok(cloud)
    }

    /// So many incidents more, changed just now.
    pub(super) fn add_incidents(&self, count: u32) -> anyhow::Result<()> {
        self.emulator.admin("POST", "/world/incidents", &json!({ "count": count, "spread_s": 0 })).map(drop)
    }

    /// The time in the cloud.
    pub(super) fn now(&self) -> anyhow::Result<String> {
        let clock = self.emulator.admin("GET", "/clock", &Value::Null)?;
        clock["now"].as_str().map(str::to_owned).with_context(|| format!("no time in {clock}"))
    }

    /// The binary with the settings of this cloud's user.
    pub(super) fn sortie(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command.arg("--config").arg(self.folder.join("config.toml"));
        command.arg("--database").arg(self.folder.join("sortie.db"));
        command.arg("--state-folder").arg(&self.folder).arg("--quiet").args(arguments);
        command.env("BENCH_SECRET", &self.secret);
        command
    }

    /// The baseline, which signs in by itself.
    pub(super) fn python(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("python3");
        command.arg(root().join("bench/baseline.py"));
        command.args([&self.emulator.services, &self.tenant, &self.client_id, &self.secret]).args(arguments);
        command
    }
}

/// `sortie emulator` on free ports, ended when dropped.
struct RunningEmulator {
    child: Child,
    /// Kept open: the emulator ends when it cannot print any more.
    _output: Lines<BufReader<ChildStdout>>,
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
        Ok(Self { child, _output: lines, services, admin })
    }

    /// One call of the admin API, by hand: xtask has no HTTP client.
    fn admin(&self, method: &str, path: &str, body: &Value) -> anyhow::Result<Value> {
        let host = self.admin.trim_start_matches("http://");
        // A GET has none: what is left unread when the server closes would reset the connection.
        let body = if body.is_null() { String::new() } else { body.to_string() };
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
