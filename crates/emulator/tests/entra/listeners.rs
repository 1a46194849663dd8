//! Listeners: TLS with the emulator's own authority, Microsoft's names, the proxy, and what is refused.

use std::{net::SocketAddr, time::Duration};

use reqwest::{Certificate, Client, Proxy, Version};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use sortie_emulator::{Emulator, EmulatorConfig, StartError};

use crate::stage::{Stage, answer};

fn any_port() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

async fn secure() -> (Stage, Certificate, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let config = EmulatorConfig {
        https: Some(any_port()),
        proxy: Some(any_port()),
        ca_dir: Some(folder.path().to_owned()),
        real_names: true,
        ..EmulatorConfig::default()
    };
    let stage = Stage::start_with(config).await;
    let authority = Certificate::from_pem(&std::fs::read(stage.emulator.ca_pem().unwrap()).unwrap()).unwrap();
    (stage, authority, folder)
}

fn trusting(authority: Certificate) -> reqwest::ClientBuilder {
    Client::builder().tls_certs_only([authority]).timeout(Duration::from_secs(20))
}

#[tokio::test]
async fn tls_speaks_http_2_and_only_the_certificate_is_written() {
    let (stage, authority, folder) = secure().await;
    let https = stage.emulator.https().unwrap();
    let client = trusting(authority).no_proxy().build().unwrap();
    let url = format!("https://localhost:{}/common/v2.0/.well-known/openid-configuration", https.port());
    let response = client.get(&url).send().await.unwrap();
    assert_eq!((response.status().as_u16(), response.version()), (200, Version::HTTP_2));
    assert!(response.text().await.unwrap().contains(&format!("https://localhost:{}/common/oauth2", https.port())));
    let files: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(files, ["ca.pem"]);
    assert!(!std::fs::read_to_string(folder.path().join("ca.pem")).unwrap().contains("PRIVATE"));
}

#[tokio::test]
async fn without_a_folder_the_certificate_goes_with_the_cloud() {
    let config = EmulatorConfig { https: Some(any_port()), ..EmulatorConfig::default() };
    let emulator = Emulator::start(config).await.unwrap();
    let path = emulator.ca_pem().unwrap().to_owned();
    assert!(path.is_file());
    emulator.stop().await;
    assert!(!path.parent().unwrap().exists());
}

#[tokio::test]
async fn every_answer_is_dated_by_the_clouds_clock() {
    let stage = Stage::start().await;
    let admin = format!("http://{}/clock", stage.emulator.admin());
    for (url, expected) in [
        (stage.url("/common/discovery/instance"), "Mon, 04 May 2026 08:00:00 GMT"),
        (stage.url("/nothing/is/here"), "Mon, 04 May 2026 08:00:00 GMT"),
        (admin.clone(), "Mon, 04 May 2026 08:00:00 GMT"),
        (stage.url("/v1.0/me"), "Mon, 04 May 2026 09:00:00 GMT"),
    ] {
        if expected.contains("09:00") {
            stage.emulator.advance_clock(jiff::SignedDuration::from_hours(1));
        }
        let response = stage.client.get(&url).send().await.unwrap();
        assert_eq!(response.headers()["date"], expected, "{url}");
    }
}

#[tokio::test]
async fn under_microsofts_names_the_host_decides_the_service() {
    let (stage, authority, _folder) = secure().await;
    let https = stage.emulator.https().unwrap();
    let mut builder = trusting(authority).no_proxy();
    for name in ["login.microsoftonline.com", "graph.microsoft.com", "login.windows.net"] {
        builder = builder.resolve(name, https);
    }
    let client = builder.build().unwrap();
    let status = async |url: &str| {
        let (host, path) = url.split_once('/').unwrap();
        client.get(format!("https://{host}:{}/{path}", https.port())).send().await.unwrap().status().as_u16()
    };
    assert_eq!(status("login.microsoftonline.com/common/discovery/keys").await, 200);
    assert_eq!(status("graph.microsoft.com/v1.0/me").await, 401);
    assert_eq!(status("graph.microsoft.com/common/discovery/keys").await, 404);
    assert_eq!(status("login.windows.net/v1.0/me").await, 404);
}

#[tokio::test]
async fn the_proxy_terminates_microsofts_names_and_refuses_others() {
    let (stage, authority, _folder) = secure().await;
    let proxy = Proxy::https(format!("http://{}", stage.emulator.proxy().unwrap())).unwrap();
    let client = trusting(authority).proxy(proxy).build().unwrap();
    let url = "https://login.microsoftonline.com/haldenmarine.onmicrosoft.com/v2.0/.well-known/openid-configuration";
    let document = answer(client.get(url).send().await.unwrap()).await.json;
    let issuer = format!("https://login.microsoftonline.com/{}/v2.0", stage.tenant);
    assert_eq!(
        (document["issuer"].as_str(), document["token_endpoint"].as_str()),
        (
            Some(issuer.as_str()),
            Some(format!("https://login.microsoftonline.com/{}/oauth2/v2.0/token", stage.tenant).as_str())
        )
    );
    for (target, status) in
        [("graph.microsoft.com:443", 200), ("example.com:443", 403), ("graph.microsoft.com:22", 403)]
    {
        let mut stream = tokio::net::TcpStream::connect(stage.emulator.proxy().unwrap()).await.unwrap();
        stream.write_all(format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n").as_bytes()).await.unwrap();
        let mut start = [0; 12];
        tokio::time::timeout(Duration::from_secs(20), stream.read_exact(&mut start)).await.unwrap().unwrap();
        assert_eq!(String::from_utf8_lossy(&start), format!("HTTP/1.1 {status}"), "{target}");
    }
}

#[tokio::test]
async fn an_address_beyond_loopback_needs_permission() {
    let open = SocketAddr::from(([0, 0, 0, 0], 0));
    let config = EmulatorConfig { http: open, ..EmulatorConfig::default() };
    let error = Emulator::start(config.clone()).await.unwrap_err();
    assert!(matches!(error, StartError::NotLoopback(address) if address == open));
    assert!(error.to_string().contains("becomes administrator"), "{error}");
    Emulator::start(EmulatorConfig { allow_remote: true, ..config }).await.unwrap().stop().await;
}

#[tokio::test]
async fn a_stopped_cloud_frees_its_ports_and_a_taken_port_is_named() {
    let stage = Stage::start().await;
    let address = stage.emulator.http();
    let taken = Emulator::start(EmulatorConfig { http: address, ..EmulatorConfig::default() }).await.unwrap_err();
    assert_eq!(taken.to_string(), format!("could not listen on {address}"));
    stage.emulator.stop().await;
    Emulator::start(EmulatorConfig { http: address, ..EmulatorConfig::default() }).await.unwrap().stop().await;
}
