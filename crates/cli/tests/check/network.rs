//! No answer arrives, or not Microsoft's.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener},
};

use crate::stage::{READING, Stage};

#[tokio::test(flavor = "multi_thread")]
async fn nothing_listens() {
    let stage = Stage::with(READING).await;
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    stage.reconnect(&stage.application.tenant, &["--emulator", &format!("http://{closed}")]).await;
    insta::assert_snapshot!(stage.run(&["check"]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_does_not_resolve() {
    let stage = Stage::with(READING).await;
    stage.reconnect(&stage.application.tenant, &["--login", "https://login.invalid"]).await;
    insta::assert_snapshot!(stage.run(&["check"]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_refuses() {
    let stage = Stage::with(READING).await;
    let proxy = answering("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    stage.reconnect(&stage.application.tenant, &[]).await;
    insta::assert_snapshot!(stage.run(&["check", "--proxy", &format!("http://{proxy}")]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_wants_a_password() {
    let stage = Stage::with(READING).await;
    let proxy = answering(
        "HTTP/1.1 407 Proxy Authentication Required\r\nproxy-authenticate: Basic realm=\"x\"\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
    );
    stage.reconnect(&stage.application.tenant, &[]).await;
    insta::assert_snapshot!(stage.run(&["check", "--proxy", &format!("http://{proxy}")]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_that_nobody_trusts() {
    let stage = Stage::with_tls(READING).await;
    let https = stage.cloud.emulator().https().unwrap();
    stage.reconnect(&stage.application.tenant, &["--emulator", &format!("https://localhost:{}", https.port())]).await;
    let snapshot = stage.run(&["check"]).await.replace(&format!("localhost:{}", https.port()), "localhost:[port]");
    insta::assert_snapshot!(snapshot);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_web_page_in_place_of_a_token() {
    let stage = Stage::with(READING).await;
    let page = answering(
        "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 20\r\nconnection: close\r\n\r\n<html>Sign in</html>",
    );
    stage.reconnect(&stage.application.tenant, &["--emulator", &format!("http://{page}")]).await;
    insta::assert_snapshot!(stage.run(&["check"]).await);
}

/// A server that gives every caller the same answer; it ends with the test.
fn answering(answer: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut request = [0; 16_384];
            // What was asked does not matter, and a caller may be gone before the answer.
            let _ = stream.read(&mut request);
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    address
}
