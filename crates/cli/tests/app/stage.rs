//! A cloud with an administrator, a user with nothing set up, and runs that can be watched while they wait.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use serde_json::{Value, json};
use sortie_emulator::EmulatorConfig;
use sortie_testkit::{Ended, Sortie, TestCloud};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    process::{Child, ChildStderr, ChildStdout, Command},
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_sortie");

pub(crate) struct Stage {
    pub(crate) cloud: TestCloud,
    pub(crate) sortie: Sortie,
    url: String,
}

/// A run that waits for a person.
pub(crate) struct Running {
    child: Child,
    stdout: BufReader<ChildStdout>,
    stderr: BufReader<ChildStderr>,
    told: String,
}

impl Stage {
    /// The administrator says yes to everything, at once.
    pub(crate) async fn start() -> Self {
        Self::start_with(EmulatorConfig::default()).await
    }

    pub(crate) async fn start_with(config: EmulatorConfig) -> Self {
        let cloud = TestCloud::start_with(config).await;
        let stage = Self {
            sortie: Sortie::new(PROGRAM, cloud.leaks()).with_secret_file("vault.txt").with_secret_file("tried.secret"),
            url: cloud.url(),
            cloud,
        };
        stage.administrator(json!({ "decision": "accept" })).await;
        stage.switch(json!({ "device_interval_s": 0 })).await;
        stage
    }

    pub(crate) async fn administrator(&self, change: Value) {
        self.cloud.put("/directory/administrator", &change).await;
    }

    pub(crate) async fn switch(&self, change: Value) {
        self.cloud.patch("/directory/switches", &change).await;
    }

    /// `app register` by device code, with nothing to be asked.
    pub(crate) fn register<'a>(&'a self, more: &[&'a str]) -> Vec<&'a str> {
        [&["app", "register", "--device-code", "--yes", "--emulator", &self.url], more].concat()
    }

    pub(crate) async fn run(&self, arguments: &[&str]) -> Ended {
        self.watched(self.sortie.run(arguments).await)
    }

    /// A run whose output is read while it goes on.
    pub(crate) fn begin(&self, arguments: &[&str]) -> Running {
        let mut child = self.sortie.command(arguments).stdin(Stdio::null()).spawn().unwrap();
        let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        Running { child, stdout: BufReader::new(stdout), stderr: BufReader::new(stderr), told: String::new() }
    }

    /// Runs to the end, after a person has done something.
    pub(crate) async fn end(&self, running: Running) -> Ended {
        self.watched(running.ended().await)
    }

    /// No secret that is in a file now may have been shown.
    fn watched(&self, ended: Ended) -> Ended {
        for path in [self.secret_file(), self.folder().join("vault.txt")] {
            if let Ok(secret) = std::fs::read_to_string(path) {
                self.cloud.leaks().watch(secret.trim());
            }
        }
        let found = self.cloud.leaks().find(&format!("{}\n{}", ended.stdout, ended.stderr));
        assert!(found.is_empty(), "a secret or token was shown: {found:?}");
        ended
    }

    pub(crate) fn folder(&self) -> &Path {
        self.sortie.folder()
    }

    pub(crate) fn secret_file(&self) -> PathBuf {
        self.folder().join("sortie/default.secret")
    }

    /// The registration of that name as the directory has it.
    pub(crate) async fn application(&self, name: &str) -> Option<Value> {
        let all = self.cloud.get("/directory").await;
        let found = all["applications"].as_array().unwrap().iter().find(|one| one["displayName"] == name);
        found.cloned()
    }

    /// The roles that the application of that name was granted.
    pub(crate) async fn grants(&self, name: &str) -> Vec<String> {
        let all = self.cloud.get("/directory").await;
        let grants = all["tenants"][0]["grants"].as_array().unwrap().iter().filter(|grant| grant["client"] == name);
        grants.map(|grant| grant["role"].as_str().unwrap().to_owned()).collect()
    }

    pub(crate) async fn secret_count(&self, name: &str) -> usize {
        self.application(name).await.unwrap()["secrets"].as_array().unwrap().len()
    }

    pub(crate) async fn forget_calls(&self) {
        self.cloud.delete("/counters", None).await;
    }

    /// Calls that change something, the sign-in's own left out.
    pub(crate) async fn changing_calls(&self) -> Vec<Value> {
        let changes = |call: &Value| call["service"] != "entra" && call["method"] != "GET";
        self.calls().await.into_iter().filter(changes).collect()
    }

    pub(crate) async fn calls(&self) -> Vec<Value> {
        self.cloud.get("/counters").await["calls"].as_array().unwrap().clone()
    }

    /// As a browser goes to an address: it follows redirects and keeps nothing.
    pub(crate) async fn browse(&self, address: &str) -> (u16, String) {
        let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        let answer = client.get(address).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }
}

impl Running {
    /// The next line on standard error that holds the word.
    pub(crate) async fn line_with(&mut self, word: &str) -> String {
        loop {
            let mut line = String::new();
            let read = tokio::time::timeout(PATIENCE, self.stderr.read_line(&mut line)).await;
            let count = read.unwrap_or_else(|_| panic!("no `{word}` in time after:\n{}", self.told)).unwrap();
            assert!(count > 0, "it ended without `{word}`:\n{}", self.told);
            self.told.push_str(&line);
            if line.contains(word) {
                return line.trim().to_owned();
            }
        }
    }

    /// The next line on standard output.
    pub(crate) async fn output_line(&mut self) -> String {
        let mut line = String::new();
        tokio::time::timeout(PATIENCE, self.stdout.read_line(&mut line)).await.unwrap().unwrap();
        line.trim().to_owned()
    }

    /// Ends it as a power cut does.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    async fn ended(mut self) -> Ended {
        let all = async {
            let (mut stdout, mut stderr) = (String::new(), String::new());
            let (out, error) =
                tokio::join!(self.stdout.read_to_string(&mut stdout), self.stderr.read_to_string(&mut stderr));
            out.and(error).unwrap();
            (stdout, stderr, self.child.wait().await.unwrap())
        };
        let (stdout, stderr, status) = tokio::time::timeout(PATIENCE, all).await.unwrap();
        Ended { code: status.code().unwrap_or(-1), stdout, stderr: self.told + &stderr }
    }
}

/// The same run in a shell in which every write to a file fails, as on a full disk.
pub(crate) fn on_a_full_disk(command: &Command) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' XFSZ; ulimit -f 0; exec \"$0\" \"$@\""]);
    shell.arg(command.as_std().get_program()).args(command.as_std().get_args());
    shell.env_clear().envs(command.as_std().get_envs().filter_map(|(name, value)| Some((name, value?))));
    shell.current_dir(command.as_std().get_current_dir().unwrap()).stdin(Stdio::null()).kill_on_drop(true);
    shell.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    shell
}

/// A busy machine may be slow; a run that hangs must still end the test.
const PATIENCE: Duration = Duration::from_secs(60);
