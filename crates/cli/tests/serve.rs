//! `sortie serve` as a service manager and a second user meet it.
#![expect(clippy::unwrap_used, reason = "a panic is how a test says no")]

use std::{os::unix::fs::PermissionsExt as _, path::PathBuf, time::Duration};

use sortie_testkit::{Leaks, Sortie};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::UnixStream,
    process::{Child, Command},
};

struct Serving {
    child: Child,
    said: Vec<String>,
    socket: PathBuf,
}

/// Starts a server of the database `s.db`, and waits until it has said everything.
async fn serve(sortie: &Sortie) -> Serving {
    let arguments = ["--database", "s.db", "--key-file", "s.key", "serve", "--listen", "127.0.0.1:0"];
    let mut child = sortie.command(&arguments).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut said = Vec::new();
    while said.len() < 4 {
        let line = tokio::time::timeout(Duration::from_secs(30), lines.next_line()).await.expect("it says more");
        said.push(line.unwrap().expect("it serves"));
    }
    Serving { child, said, socket: sortie.folder().join("s.db.sock") }
}

impl Serving {
    async fn ask(&self, line: &str) -> String {
        let mut stream = UnixStream::connect(&self.socket).await.unwrap();
        let request =
            format!("{line} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/yaml\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    /// Told to stop as a service manager does.
    async fn stop(self) -> (i32, String) {
        let pid = self.child.id().unwrap().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().await.unwrap().success());
        let ended =
            tokio::time::timeout(Duration::from_secs(30), self.child.wait_with_output()).await.expect("it stops");
        let ended = ended.unwrap();
        (ended.status.code().unwrap_or(-1), String::from_utf8(ended.stderr).unwrap())
    }
}

#[tokio::test]
async fn one_server_has_the_database_until_it_is_told_to_stop() {
    let sortie = Sortie::new(env!("CARGO_BIN_EXE_sortie"), &Leaks::default());
    let first = serve(&sortie).await;
    assert!(first.said[0].starts_with("serving   http://127.0.0.1:"), "{:?}", first.said);
    assert!(
        first.said[1].ends_with("s.db.sock") && first.said[2].starts_with("scripts   confined by "),
        "{:?}",
        first.said
    );
    assert_eq!(first.said[3], "runs      0 taken up");
    assert_eq!(std::fs::metadata(&first.socket).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(first.ask("GET /readyz").await.contains(r#""ready":true"#));
    assert!(first.ask("GET /api/v1/whoami").await.contains(r#""role":"admin""#));
    assert!(first.ask("POST /api/v1/guardrails/release").await.starts_with("HTTP/1.1 200"));
    let second = sortie.run(&["--database", "s.db", "serve", "--listen", "127.0.0.1:0"]).await.ended_with(2);
    assert!(second.stderr.contains("a server has the database s.db already"), "{}", second.stderr);
    let (code, said) = first.stop().await;
    assert_eq!((code, said.contains("stopped; what has not ended goes on with the next start")), (0, true), "{said}");
    let again = serve(&sortie).await;
    let audit = again.ask("GET /api/v1/audit?action=guardrail").await;
    assert!(audit.contains("guardrail.release"), "{audit}");
    again.stop().await;
}

#[tokio::test]
async fn what_would_leave_this_machine_in_the_clear_is_refused() {
    let sortie = Sortie::new(env!("CARGO_BIN_EXE_sortie"), &Leaks::default());
    let exposed = sortie.run(&["serve", "--listen", "0.0.0.0:0"]).await.ended_with(2);
    assert!(exposed.stderr.contains("next:  Give a certificate"), "{}", exposed.stderr);
    sortie.run(&["serve", "--tls-certificate", "x.pem"]).await.ended_with(2);
    sortie.run(&["serve", "--trusted-proxy", "nonsense"]).await.ended_with(2);
}
