//! A user's installation, with a running server or without one.

use std::{process::Stdio, time::Duration};

use serde_json::Value;
use sortie_testkit::{Ended, Leaks, Sortie};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::{Child, ChildStdout, Command},
};

pub(crate) struct Stage {
    pub sortie: Sortie,
    pub leaks: Leaks,
    server: Option<(Child, Lines<BufReader<ChildStdout>>)>,
}

impl Stage {
    pub(crate) async fn start(is_served: bool) -> Self {
        let leaks = Leaks::default();
        let mut stage = Self::of(Sortie::new(env!("CARGO_BIN_EXE_sortie"), &leaks), leaks);
        if is_served {
            stage.serve().await;
        }
        stage
    }

    /// One whose environment the test has set.
    pub(crate) fn of(sortie: Sortie, leaks: Leaks) -> Self {
        Self { sortie, leaks, server: None }
    }

    /// Starts a server of the user's database, and waits until it serves.
    pub(crate) async fn serve(&mut self) {
        let mut command = self.sortie.command(&["serve", "--listen", "127.0.0.1:0"]);
        let mut child = command.stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        loop {
            let line = tokio::time::timeout(Duration::from_secs(30), lines.next_line()).await.expect("it says more");
            if line.unwrap().expect("it serves").starts_with("runs ") {
                break;
            }
        }
        self.server = Some((child, lines));
    }

    /// Told to stop as a service manager does.
    pub(crate) async fn stop(&mut self) {
        let (mut child, _lines) = self.server.take().unwrap();
        signal(&child, "-TERM").await;
        let ended = tokio::time::timeout(Duration::from_secs(30), child.wait()).await.expect("it stops");
        assert!(ended.unwrap().success());
    }

    pub(crate) async fn run(&self, arguments: &[&str]) -> Ended {
        self.sortie.run(arguments).await
    }

    /// What a command prints as one JSON document.
    pub(crate) async fn json(&self, arguments: &[&str]) -> Value {
        let ended = self.run(arguments).await.succeeded();
        serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {}", ended.stdout))
    }

    /// Writes a file of the user's.
    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.sortie.folder().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Keeps these documents, each as a file of the folder `flows`.
    pub(crate) async fn keep(&self, documents: &[&str]) {
        for text in documents {
            let id = text.lines().find_map(|line| line.strip_prefix("workflow: ")).unwrap();
            self.write(&format!("flows/{id}.yaml"), text);
        }
        self.run(&["workflow", "apply", "flows"]).await.succeeded();
    }

    /// Asks until it is so, for at most twenty seconds.
    pub(crate) async fn until(&self, arguments: &[&str], is_so: impl Fn(&Value) -> bool) -> Value {
        for _ in 0..200 {
            let said = self.json(arguments).await;
            if is_so(&said) {
                return said;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("it never came to be: {arguments:?}");
    }
}

pub(crate) async fn signal(child: &Child, signal: &str) {
    let pid = child.id().unwrap().to_string();
    assert!(Command::new("kill").args([signal, &pid]).status().await.unwrap().success());
}

/// The id in `run ID started`.
pub(crate) fn run_of(ended: &Ended) -> String {
    let line = ended.stdout.lines().next().unwrap();
    line.strip_prefix("run ").and_then(|rest| rest.split(' ').next()).unwrap().to_owned()
}
