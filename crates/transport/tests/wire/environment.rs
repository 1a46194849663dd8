//! What the process's environment decides. Each test runs itself again as a child with the variables set.

use std::process::Command;

use sortie_transport::{ProxyCause, Request, SendErrorKind as Kind, TlsCause, Transport, TransportSettings};

use crate::peers::{Script, answer, authority, proxy, tls_peer};

/// Set in the child: the address that it calls.
const TARGET: &str = "SORTIE_TEST_TARGET";

async fn in_child(test: &str, target: &str, variables: &[(&str, &str)]) {
    let name = format!("environment::{test}");
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", &name, "--nocapture"]).env(TARGET, target);
    for name in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"] {
        child.env_remove(name);
    }
    child.envs(variables.iter().copied());
    let output = tokio::task::spawn_blocking(move || child.output().unwrap()).await.unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

async fn kind_of_failure(target: &str) -> Kind {
    let transport = Transport::new(TransportSettings::default()).unwrap();
    *transport.send(Request::get(target.parse().unwrap())).await.expect_err("no answer is expected").kind
}

#[tokio::test]
async fn a_system_without_authorities_is_named() {
    if let Ok(target) = std::env::var(TARGET) {
        let kind = kind_of_failure(&target).await;
        assert!(matches!(kind, Kind::Tls(TlsCause::NoRoots)), "{kind:?}");
        return;
    }
    let peer = tls_peer(authority("localhost", (2020, 2090)).acceptor, Script::Say(answer("200 OK", "", b""))).await;
    let empty = tempfile::tempdir().unwrap();
    let file = empty.path().join("none.pem");
    std::fs::write(&file, "").unwrap();
    let (file, directory) = (file.to_str().unwrap(), empty.path().to_str().unwrap());
    let target = format!("https://localhost:{}/", peer.address.port());
    let variables = [("SSL_CERT_FILE", file), ("SSL_CERT_DIR", directory)];
    in_child("a_system_without_authorities_is_named", &target, &variables).await;
}

#[tokio::test]
async fn the_proxy_of_the_environment_is_used_and_its_exceptions_are_heeded() {
    if let Ok(target) = std::env::var(TARGET) {
        let kind = kind_of_failure(&target).await;
        let excepted = std::env::var_os("NO_PROXY").is_some();
        let expected = match &kind {
            Kind::Proxy(ProxyCause::Refused) => !excepted,
            Kind::Dns(_) => excepted,
            _ => false,
        };
        assert!(expected, "{kind:?}, excepted: {excepted}");
        return;
    }
    let proxy = proxy("403 Forbidden", None).await;
    let address = format!("http://{}", proxy.address);
    let test = "the_proxy_of_the_environment_is_used_and_its_exceptions_are_heeded";
    let target = "https://no-such-name.invalid/";
    in_child(test, target, &[("HTTPS_PROXY", &address)]).await;
    assert_eq!(proxy.hits(), 1);
    in_child(test, target, &[("HTTPS_PROXY", &address), ("NO_PROXY", "no-such-name.invalid")]).await;
    assert_eq!(proxy.hits(), 1);
}
