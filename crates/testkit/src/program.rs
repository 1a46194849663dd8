//! The binary as a user runs it: own settings folder, clean environment, bounded time, output searched for leaks.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use tempfile::TempDir;
use tokio::{io::AsyncWriteExt as _, process::Command};

use crate::{Leaks, Registered, TestCloud};

/// One user's installation of the binary.
#[derive(Debug)]
pub struct Sortie {
    program: PathBuf,
    /// What runs before the binary, in its place.
    prologue: Option<String>,
    folder: TempDir,
    environment: Vec<(String, String)>,
    leaks: Leaks,
    secret_files: Vec<std::path::PathBuf>,
}

/// How a run ended.
#[derive(Clone, Debug)]
pub struct Ended {
    /// Exit code; -1 when a signal ended it.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Sortie {
    /// `program` is `env!("CARGO_BIN_EXE_sortie")`; `leaks` are the texts that no run may show.
    pub fn new(program: &str, leaks: &Leaks) -> Self {
        let folder = TempDir::new().expect("a temporary folder can be made");
        Self {
            program: program.into(),
            prologue: None,
            folder,
            environment: Vec::new(),
            leaks: leaks.clone(),
            secret_files: Vec::new(),
        }
    }

    /// A user whose connection `test` is the application in the cloud; the secret comes from the environment.
    pub async fn connected(program: &str, cloud: &TestCloud, application: &Registered) -> Self {
        let sortie = Self::new(program, cloud.leaks()).with("SORTIE_TEST_SECRET", &application.secret);
        let (tenant, client_id, url) = (application.tenant.as_str(), application.client_id.as_str(), cloud.url());
        let add = ["connection", "add", "test", "--tenant", tenant, "--client-id", client_id, "--emulator", &url];
        sortie.run(&[&add[..], &["--credential", "env:SORTIE_TEST_SECRET"]].concat()).await.succeeded();
        sortie
    }

    /// Sets an environment variable for all runs.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.retain(|(known, _)| known != name);
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Lets this file of the user's folder hold a secret in the clear, because it is there for that.
    #[must_use]
    pub fn with_secret_file(mut self, name: &str) -> Self {
        self.secret_files.push(name.into());
        self
    }

    /// Runs these commands of a shell before the binary, such as `ulimit -f 8`; where one fails, the binary does not start.
    #[must_use]
    pub fn after(mut self, commands: &str) -> Self {
        self.prologue = Some(commands.to_owned());
        self
    }

    /// The user's own folder: settings, and a place for files of the test.
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// Runs to the end and fails the test if a watched secret or any token shows up.
    pub async fn run(&self, arguments: &[&str]) -> Ended {
        self.run_with_input(arguments, "").await
    }

    /// The same with text on standard input.
    pub async fn run_with_input(&self, arguments: &[&str], input: &str) -> Ended {
        let ended = self.run_unwatched(arguments, input).await;
        for (stream, text) in [("output", &ended.stdout), ("error", &ended.stderr)] {
            let found = self.leaks.find(text);
            assert!(found.is_empty(), "`sortie {}` shows {found:?} on standard {stream}", arguments.join(" "));
        }
        ended
    }

    /// For the one option that shows a token because it was asked to.
    pub async fn run_unwatched(&self, arguments: &[&str], input: &str) -> Ended {
        let mut child = self.command(arguments).spawn().expect("the binary starts");
        let mut stdin = child.stdin.take().expect("standard input is a pipe");
        // A program that does not read its input closes the pipe; that is no failure of the test.
        let _ = stdin.write_all(input.as_bytes()).await;
        drop(stdin);
        let output = tokio::time::timeout(RUN_TIME_MAX, child.wait_with_output()).await;
        let output =
            output.unwrap_or_else(|_| panic!("`sortie {}` hangs", arguments.join(" "))).expect("the binary ends");
        Ended {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).expect("standard output is UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("standard error is UTF-8"),
        }
    }

    fn is_for_a_secret(&self, name: &Path) -> bool {
        use std::os::unix::fs::PermissionsExt as _;
        let is_private = || {
            let about = std::fs::metadata(self.folder.path().join(name));
            about.is_ok_and(|about| about.permissions().mode() & 0o077 == 0)
        };
        let is_known = self.secret_files.iter().any(|known| known == name);
        is_known || (name.extension().is_some_and(|ending| ending == "secret") && is_private())
    }

    /// The command itself, for tests that kill it or watch it while it runs.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = match &self.prologue {
            None => Command::new(&self.program),
            Some(commands) => {
                let mut shell = Command::new("sh");
                shell.args(["-c", &format!("{commands} && exec \"$@\""), "sh"]).arg(&self.program);
                shell
            }
        };
        command.args(arguments).env_clear().current_dir(self.folder.path());
        command.env("HOME", self.folder.path()).env("XDG_CONFIG_HOME", self.folder.path()).env("NO_COLOR", "1");
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        command
    }
}

/// Whatever the runs left behind (settings, database, its log, backups, exports) holds no secret either. Only a file that
/// is there for one, `NAME.secret` for its owner alone, does.
impl Drop for Sortie {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let mut folders = vec![self.folder.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                let (path, kind) = (entry.path(), entry.file_type());
                let name = path.strip_prefix(self.folder.path()).expect("it is below");
                match kind {
                    Ok(kind) if kind.is_dir() => folders.push(path),
                    Ok(kind) if kind.is_file() && !self.is_for_a_secret(name) => {
                        let bytes = std::fs::read(&path).unwrap_or_default();
                        let found = self.leaks.find(&String::from_utf8_lossy(&bytes));
                        assert!(found.is_empty(), "the file {} holds {found:?}", name.display());
                    }
                    _ => {}
                }
            }
        }
    }
}

impl Ended {
    /// Fails the test unless the run ended with code 0.
    #[track_caller]
    pub fn succeeded(self) -> Self {
        self.ended_with(0)
    }

    /// Fails the test unless the run ended with this code.
    #[track_caller]
    pub fn ended_with(self, code: i32) -> Self {
        assert_eq!(self.code, code, "standard output:\n{}\nstandard error:\n{}", self.stdout, self.stderr);
        self
    }

    /// Standard output, one JSON value a line.
    #[track_caller]
    pub fn json_lines(&self) -> Vec<serde_json::Value> {
        self.stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
            .collect()
    }
}

/// How often a test kills the binary: `usual`, or as often as `cargo xtask soak` says.
pub fn kill_count(usual: u64) -> u64 {
    match std::env::var(KILLS_NAME) {
        Ok(count) => count.parse().unwrap_or_else(|error| panic!("{KILLS_NAME}={count}: {error}")),
        Err(_) => usual,
    }
}

const KILLS_NAME: &str = "SORTIE_TEST_KILLS";
/// No run of the suite needs nearly as long; a longer one hangs.
const RUN_TIME_MAX: Duration = Duration::from_secs(120);
